package image

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// files is what a source consists of, by slash-separated names: a folder, or the entries of a tar archive.
type files interface {
	// open starts reading a regular file and returns its size in bytes; the error is fs.ErrNotExist when there is none.
	open(name string) (io.ReadCloser, int64, error)
	// top lists what stands at the top level, for messages.
	top() []string
	io.Closer
}

// readSmall reads a file that must fit into memory.
func readSmall(from files, name string) ([]byte, error) {
	r, size, err := from.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > maxManifest {
		return nil, fmt.Errorf("%s has %d bytes, more than any manifest (%d)", name, size, maxManifest)
	}
	raw, err := io.ReadAll(r)
	if err == nil && int64(len(raw)) != size {
		err = fmt.Errorf("%s ends after %d of %d bytes", name, len(raw), size)
	}
	return raw, err
}

// folder is a directory; what its symbolic links name outside of it is out of reach.
type folder struct{ root *os.Root }

func (f folder) open(name string) (io.ReadCloser, int64, error) {
	info, err := f.root.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() { // opening a named pipe would wait for somebody who writes into it
		return nil, 0, fmt.Errorf("%s is not a regular file (%s)", name, info.Mode().Type())
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file any more", name)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

func (f folder) top() []string {
	entries, _ := fs.ReadDir(f.root.FS(), ".")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (f folder) Close() error { return f.root.Close() }

// tarball is a tar archive whose entries have been found once and are read in place from then on.
type tarball struct {
	file    *os.File
	size    int64
	entries map[string]tarEntry
	ended   bool // whether the archive has its end mark; some writers leave it out
}

type tarEntry struct {
	offset, size int64  // of the content; where it has holes, of the first of its headers, and with the holes
	holes        bool   // it is stored without its holes: archive/tar fills them in
	link         string // where it is a link to another entry
	refused      string // why it cannot be read, in words that follow its name
}

// isFolder is why a folder is refused.
const isFolder = "is a folder, not a file"

// errCutShort marks an archive that ends before its content does.
var errCutShort = errors.New("the archive is cut short")

// openTar finds the entries of an archive, reading nothing but headers. It owns the file from then on.
func openTar(file *os.File) (*tarball, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	t := &tarball{file: file, size: info.Size(), entries: map[string]tarEntry{}}
	reader := tar.NewReader(file)
	end := int64(0) // of the last entry
	for {
		h, err := reader.Next()
		at, seekErr := file.Seek(0, io.SeekCurrent)
		switch {
		case seekErr != nil:
			return nil, seekErr
		case errors.Is(err, io.EOF):
			t.ended = at > padded(end)
			if len(t.top()) == 0 {
				return nil, fmt.Errorf("it holds no files (%d bytes)", t.size)
			}
			return t, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && t.size < tarBlock:
			return nil, fmt.Errorf("it is not a tar archive: it has %d bytes, fewer than a tar header", t.size)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%w: it has %d bytes and ends inside the header or the content that begins before byte %d", errCutShort,
				t.size, at)
		case errors.Is(err, tar.ErrHeader) && len(t.entries) == 0:
			return nil, errors.New("it is not a tar archive: there is no tar header at its beginning")
		case errors.Is(err, tar.ErrHeader):
			return nil, fmt.Errorf("%w: what stands before byte %d of %d is not a tar header that can be read", errDamaged, at, t.size)
		case err != nil:
			return nil, fmt.Errorf("at byte %d of %d: %w", at, t.size, err)
		}
		name, e, stored, err := t.entry(h, padded(end), at)
		switch {
		case err != nil:
			return nil, err
		case stored > t.size-at:
			return nil, fmt.Errorf("%w: %s begins at byte %d and has %d bytes, but the archive ends at byte %d", errCutShort,
				name, at, stored, t.size)
		case h.Typeflag != tar.TypeXGlobalHeader:
			t.entries[name] = e
		}
		end = at + stored
	}
}

// entry returns what a header says, and how many bytes stand in the archive from at on, where archive/tar has come to. The header, or
// the first of those that tell of one entry, is at byte from.
func (t *tarball) entry(h *tar.Header, from, at int64) (name string, e tarEntry, stored int64, err error) {
	name = cleaned(h.Name)
	switch h.Typeflag {
	case tar.TypeSymlink: // docker save of old names a layer that two images share by a link
		if strings.HasPrefix(h.Linkname, "/") {
			return name, tarEntry{link: cleaned(h.Linkname)}, 0, nil
		}
		return name, tarEntry{link: path.Join(path.Dir(name), h.Linkname)}, 0, nil
	case tar.TypeLink:
		return name, tarEntry{link: cleaned(h.Linkname)}, 0, nil
	case tar.TypeDir:
		return name, tarEntry{refused: isFolder}, 0, nil
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return name, tarEntry{refused: "is a device or a named pipe, not a file"}, 0, nil
	case tar.TypeXGlobalHeader:
		for _, key := range []string{"path", "linkpath", "size"} { // archive/tar does not know them for all that follows
			if h.PAXRecords[key] != "" {
				return name, e, 0, fmt.Errorf("a global header before byte %d sets the %s of all files after it, which is not supported: write "+
					"the archive without it", at, key)
			}
		}
		return name, e, 0, nil
	}
	stored = h.Size
	holes, known := holed(h)
	if holes && known {
		stored, err = t.dense(h, from, at)
	}
	e = tarEntry{offset: at, size: h.Size}
	switch {
	case h.Typeflag == 'M':
		e.refused = "begins in another volume of the archive: write the archive in one volume"
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeCont && h.Typeflag != tar.TypeGNUSparse:
		e.refused = fmt.Sprintf("is of the type %q, not a file", h.Typeflag)
	case holes && !known:
		e.refused = "is stored without its holes, in a form that cannot be read: write the archive without holes, or by GNU tar's " +
			"--sparse-version=1.0"
	case holes:
		e.offset, e.holes = from, true
	}
	return name, e, stored, err
}

// holed says whether a file is stored without its holes, and whether archive/tar knows the form: it takes what it does not know for
// the content.
func holed(h *tar.Header) (holes, known bool) {
	if h.Typeflag == tar.TypeGNUSparse {
		return true, true
	}
	holes = h.PAXRecords["SUN.holesdata"] != "" || h.PAXRecords["SCHILY.filetype"] == "sparse"
	for key := range h.PAXRecords {
		holes = holes || strings.HasPrefix(key, "GNU.sparse.")
	}
	switch h.PAXRecords["GNU.sparse.major"] + "." + h.PAXRecords["GNU.sparse.minor"] {
	case "0.0", "0.1", "1.0":
		return true, true
	case ".":
		return holes, h.PAXRecords["GNU.sparse.map"] != ""
	default:
		return true, false
	}
}

// dense returns how many bytes of a file with holes stand in the archive from at on. archive/tar tells its size with the holes, and has
// read the map of them: the size without them is in the last header, or in a record before it.
func (t *tarball) dense(h *tar.Header, from, at int64) (int64, error) {
	block := make([]byte, tarBlock)
	for {
		if _, err := t.file.ReadAt(block, from); err != nil {
			return 0, err
		}
		size := number(block[124:136])
		from += tarBlock
		switch block[156] {
		case tar.TypeXHeader, tar.TypeGNULongName, tar.TypeGNULongLink:
			from += padded(size)
			continue
		}
		if record := h.PAXRecords["size"]; record != "" {
			size, _ = strconv.ParseInt(record, 10, 64) // archive/tar has read it as well
		}
		if h.Typeflag == tar.TypeGNUSparse { // its map is not counted
			return size, nil
		}
		return size - (at - from), nil
	}
}

// tarBlock is the number of bytes that headers have and contents are filled up to.
const tarBlock = 512

// padded returns where the block ends in which what ends at a byte does.
func padded(end int64) int64 { return (end + tarBlock - 1) / tarBlock * tarBlock }

// number reads a header's field that archive/tar could read: of octal digits, or, where its first bit is set, of bytes.
func number(field []byte) (n int64) {
	if field[0]&0x80 != 0 {
		for i, b := range field {
			if i == 0 {
				b &^= 0x80
			}
			n = n<<8 | int64(b)
		}
		return n
	}
	digits, _, _ := strings.Cut(strings.Trim(string(field), " \x00"), "\x00")
	n, _ = strconv.ParseInt(digits, 8, 64)
	return n
}

// cleaned is a name as the entries have it: what unpacking would call it, in the folder where the archive is unpacked.
func cleaned(name string) string { return path.Clean(strings.TrimLeft(name, "/")) }

// mostLinks is how many links may lead to a file, as many as Linux follows.
const mostLinks = 40

// find follows links to an entry, its own and those of the folders above it.
func (t *tarball) find(asked string) (tarEntry, error) {
	name := cleaned(asked)
	for range mostLinks {
		e, ok := t.entries[name]
		switch {
		case e.link != "":
			name = e.link
		case ok:
			return e, nil
		default:
			to := t.elsewhere(name)
			if to == "" {
				return e, t.missing(asked, name)
			}
			name = to
		}
	}
	return tarEntry{}, fmt.Errorf("%s leads through more than %d links", asked, mostLinks)
}

// elsewhere returns where a name leads by the link that the nearest of the folders above it is; empty where none is a link.
func (t *tarball) elsewhere(name string) string {
	for at := strings.LastIndexByte(name, '/'); at > 0; at = strings.LastIndexByte(name[:at], '/') {
		if e := t.entries[name[:at]]; e.link != "" {
			return path.Join(e.link, name[at:])
		}
	}
	return ""
}

// missing says that a file is not there, or not what a link leads to.
func (t *tarball) missing(asked, name string) error {
	err := fmt.Errorf("%s: %w", asked, fs.ErrNotExist)
	if name != cleaned(asked) {
		err = fmt.Errorf("%s is a link to %s: %w", asked, name, fs.ErrNotExist)
	}
	if !t.ended {
		err = fmt.Errorf("%w; the archive ends at byte %d without an end mark, so it may be cut short", err, t.size)
	}
	return err
}

func (t *tarball) open(name string) (io.ReadCloser, int64, error) {
	e, err := t.find(name)
	switch {
	case err != nil:
		return nil, 0, err
	case e.refused != "":
		return nil, 0, fmt.Errorf("%s %s", name, e.refused)
	case !e.holes:
		return io.NopCloser(io.NewSectionReader(t.file, e.offset, e.size)), e.size, nil
	case e.size > most(t.size):
		return nil, 0, fmt.Errorf("%w: %s has %d bytes with its holes, and the archive %d", errHostile, name, e.size, t.size)
	}
	r := &filled{file: &noting{from: io.NewSectionReader(t.file, e.offset, t.size-e.offset)}, name: name}
	r.from = tar.NewReader(r.file)
	if _, err := r.from.Next(); err != nil {
		return nil, 0, r.told(err)
	}
	return io.NopCloser(r), e.size, nil
}

// filled reads a file of an archive that is stored without its holes.
type filled struct {
	from *tar.Reader
	file *noting
	name string
}

// Read implements io.Reader.
func (r *filled) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.told(err)
	}
	return n, err
}

// told is what an error means: the archive could not be read, or what it says of the holes is wrong.
func (r *filled) told(err error) error {
	if r.file.err != nil {
		return r.file.err
	}
	return fmt.Errorf("%w: the holes of %s: %w", errDamaged, r.name, err)
}

func (t *tarball) top() []string {
	var names []string
	for name, e := range t.entries {
		if e.refused != isFolder {
			first, _, _ := strings.Cut(name, "/")
			names = append(names, first)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (t *tarball) Close() error { return t.file.Close() }

// openArchive opens a tar archive, compressed or not. A compressed one is unpacked into a temporary file first, because its entries
// are read in another order than they stand.
func openArchive(name string) (*tarball, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	magic := make([]byte, 10)
	n, err := file.ReadAt(magic, 0)
	switch {
	case n == 0:
		file.Close()
		return nil, errors.New("the file is empty")
	case err != nil && !errors.Is(err, io.EOF):
		file.Close()
		return nil, err
	}
	if packed := sniff(magic[:n]); packed != plain {
		defer file.Close()
		if file, err = unpacked(file, packed); err != nil {
			return nil, err
		}
	}
	t, err := openTar(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return t, nil
}

// unpacked returns a temporary file, at its beginning, with what an archive unpacks to.
func unpacked(file *os.File, packed compression) (*os.File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	to, err := newSpool()
	if err != nil {
		return nil, err
	}
	if err = unpack(to, file, packed, info.Size(), most(info.Size())); err == nil {
		_, err = to.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		to.Close()
		return nil, err
	}
	return to.file, nil
}

// unpack writes what an archive of size bytes unpacks to.
func unpack(to io.Writer, from io.Reader, packed compression, size, most int64) error {
	z, err := newUnpacker(bufio.NewReaderSize(from, 1<<20), packed, size, most, errCutShort)
	if err != nil {
		return err
	}
	defer z.Close()
	_, err = io.Copy(to, z)
	return err
}
