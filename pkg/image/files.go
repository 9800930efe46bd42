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
	offset, size int64
	link         string // where it is a link to another entry
}

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
		case err == io.EOF:
			t.ended = at > (end+511)/512*512
			if len(t.entries) == 0 {
				return nil, fmt.Errorf("it holds no files (%d bytes)", t.size)
			}
			return t, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && t.size < 512:
			return nil, fmt.Errorf("it is not a tar archive: it has %d bytes, fewer than a tar header", t.size)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%w: it has %d bytes and ends inside the header or the content that begins before byte %d", errCutShort,
				t.size, at)
		case errors.Is(err, tar.ErrHeader) && len(t.entries) == 0:
			return nil, errors.New("it is not a tar archive: there is no tar header at its beginning")
		case err != nil:
			return nil, fmt.Errorf("at byte %d of %d: %w", at, t.size, err)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "/"))
		switch h.Typeflag {
		case tar.TypeReg:
			if end = at + h.Size; end > t.size {
				return nil, fmt.Errorf("%w: %s begins at byte %d and has %d bytes, but the archive ends at byte %d", errCutShort,
					name, at, h.Size, t.size)
			}
			t.entries[name] = tarEntry{offset: at, size: h.Size}
		case tar.TypeSymlink: // docker save of old names a layer that two images share by a link
			t.entries[name] = tarEntry{link: path.Join(path.Dir(name), h.Linkname)}
			end = at
		case tar.TypeLink:
			t.entries[name] = tarEntry{link: path.Clean(h.Linkname)}
			end = at
		default:
			end = at
		}
	}
}

func (t *tarball) open(name string) (io.ReadCloser, int64, error) {
	asked := name
	for range 8 {
		e, ok := t.entries[path.Clean(name)]
		if !ok {
			break
		}
		if e.link == "" {
			return io.NopCloser(io.NewSectionReader(t.file, e.offset, e.size)), e.size, nil
		}
		name = e.link
	}
	err := fmt.Errorf("%s: %w", asked, fs.ErrNotExist)
	if !t.ended {
		err = fmt.Errorf("%w; the archive ends at byte %d without an end mark, so it may be cut short", err, t.size)
	}
	return nil, 0, err
}

func (t *tarball) top() []string {
	var names []string
	for name := range t.entries {
		first, _, _ := strings.Cut(name, "/")
		names = append(names, first)
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
