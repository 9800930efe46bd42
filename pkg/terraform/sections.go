package terraform

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// section is where a member of the plan's JSON object stands: [start, end) in bytes.
type section struct{ start, end int64 }

// sectionsOf finds the members of the one JSON object in r without decoding them: a large plan is mostly prior state and
// configuration, which nobody here looks at, and decoding those would cost more than all the rest.
func sectionsOf(r io.Reader) (map[string]section, error) {
	s := &sectionScanner{r: bufio.NewReaderSize(r, 256<<10)}
	if c, err := s.token(); err != nil || c != '{' {
		return nil, errors.Join(errors.New("a plan is one JSON object"), err)
	}
	found := map[string]section{}
	for {
		c, err := s.token()
		if err != nil {
			return nil, fmt.Errorf("the plan's JSON ends at byte %d: %w", s.at, err)
		}
		switch c {
		case '}':
			return found, nil
		case ',':
			continue
		case '"':
		default:
			return nil, fmt.Errorf("the plan's JSON has %q at byte %d where a name is due", c, s.at)
		}
		name, err := s.text()
		if err != nil {
			return nil, err
		}
		if c, err := s.token(); err != nil || c != ':' {
			return nil, errors.Join(fmt.Errorf("the plan's JSON has no value for %q", name), err)
		}
		start := s.at
		if err := s.skip(); err != nil {
			return nil, fmt.Errorf("the plan's JSON ends within %q: %w", name, err)
		}
		found[name] = section{start, s.at}
	}
}

type sectionScanner struct {
	r  *bufio.Reader
	at int64 // bytes consumed
}

func (s *sectionScanner) next() (byte, error) {
	c, err := s.r.ReadByte()
	if err == nil {
		s.at++
	} else if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return c, err
}

// token returns the next byte that is no white space.
func (s *sectionScanner) token() (byte, error) {
	for {
		c, err := s.next()
		if err != nil || (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
			return c, err
		}
	}
}

// text reads a string after its opening quote. Names in a plan have no escapes; one that has is kept as it is written.
func (s *sectionScanner) text() (string, error) {
	var b []byte
	for {
		c, err := s.next()
		switch {
		case err != nil:
			return "", err
		case c == '"':
			return string(b), nil
		case c == '\\':
			b = append(b, c)
			if c, err = s.next(); err != nil {
				return "", err
			}
		}
		b = append(b, c)
	}
}

// skip consumes one value and leaves the scanner behind its last byte.
func (s *sectionScanner) skip() error {
	depth, quoted := 0, false
	for {
		c, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case quoted && c == '\\':
			if _, err := s.next(); err != nil {
				return err
			}
		case c == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return nil
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return nil
			}
			if depth < 0 { // a bare value at the end of the object
				s.at--
				return s.r.UnreadByte()
			}
		case c == ',' && depth == 0:
			s.at--
			return s.r.UnreadByte()
		}
	}
}
