package deflate

// A block has codes of its own, which pays where the content changes.
const (
	minBlock   = 5000 // bytes
	perCheck   = 512  // symbols from check to check
	shortBlock = 10_000
	fewSymbols = 8192
	kinds      = 10 // of symbols: literals by three of their bits, and short and long matches
)

// splitter compares the kinds of the newest symbols with those of the block before them.
type splitter struct {
	block, newest [kinds]uint32
	blocks, news  uint32 // their sums
}

func (s *splitter) literal(b byte) {
	s.newest[b>>5&6|b&1]++
	s.news++
}

func (s *splitter) match(length int) {
	kind := 8
	if length >= 9 {
		kind = 9
	}
	s.newest[kind]++
	s.news++
}

// ends says whether the block should end, which has so many bytes; so many are left.
//
//go:norace
func (s *splitter) ends(size, left int) bool {
	if s.news < perCheck || size < minBlock || left < minBlock {
		return false
	}
	if s.differs(size) {
		return true
	}
	for kind, n := range s.newest {
		s.block[kind] += n
	}
	s.blocks += s.news
	s.newest, s.news = [kinds]uint32{}, 0
	return false
}

// differs says whether the newest symbols are of other kinds than those before, in a measure that grows with the block.
func (s *splitter) differs(size int) bool {
	if s.blocks == 0 {
		return false
	}
	delta := uint64(0)
	for kind := range s.newest {
		expected, is := uint64(s.block[kind])*uint64(s.news), uint64(s.newest[kind])*uint64(s.blocks)
		delta += max(expected, is) - min(expected, is)
	}
	bound := uint64(s.news) * 200 / 512 * uint64(s.blocks)
	if symbols := s.blocks + s.news; size < shortBlock && symbols < fewSymbols {
		bound += bound * uint64(fewSymbols-symbols) / fewSymbols
	}
	return delta+uint64(size)/4096*uint64(s.blocks) >= bound
}
