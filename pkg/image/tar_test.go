package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
)

// member is an entry of a tar archive, as tools write it that archive/tar's Writer does not write like.
type member struct {
	kind       byte // a regular file if 0
	name, link string
	pax        string // records before it, "key=value" a line
	content    string
	size       int64             // if it is not the content's
	holes      [][2]int64        // the map of the old GNU form: offsets and lengths of what is stored
	whole      int64             // the size with the holes, in that form
	change     func(head []byte) // before the checksum is made
}

// bytes writes the entry.
func (m member) bytes() []byte {
	var out bytes.Buffer
	if m.pax != "" {
		records := ""
		for line := range strings.Lines(m.pax) {
			line = strings.TrimSuffix(line, "\n")
			n := len(line) + 3 // of a number of one digit, a space and the line's end
			for len(fmt.Sprint(n))+len(line)+2 != n {
				n = len(fmt.Sprint(n)) + len(line) + 2
			}
			records += fmt.Sprintf("%d %s\n", n, line)
		}
		out.Write(member{kind: 'x', name: "PaxHeaders/" + m.name, content: records}.bytes())
	}
	head := make([]byte, 512)
	copy(head, m.name)
	copy(head[100:], "0000644\x000000000\x000000000\x00")
	size := int64(len(m.content))
	if m.size != 0 {
		size = m.size
	}
	copy(head[124:], fmt.Sprintf("%011o\x00%011o\x00", size, 0))
	head[156] = '0'
	if m.kind != 0 {
		head[156] = m.kind
	}
	copy(head[157:], m.link)
	copy(head[257:], "ustar\x0000")
	var more []byte
	if m.kind == tar.TypeGNUSparse {
		copy(head[257:], "ustar  \x00")
		copy(head[483:], fmt.Sprintf("%011o", m.whole))
		field := func(to []byte, h [2]int64) { copy(to, fmt.Sprintf("%011o\x00%011o\x00", h[0], h[1])) }
		for i, h := range m.holes {
			if i < 4 {
				field(head[386+24*i:], h)
				continue
			}
			if (i-4)%21 == 0 { // the map goes on in another block
				if more == nil {
					head[482] = 1
				} else {
					more[len(more)-8] = 1
				}
				more = append(more, make([]byte, 512)...)
			}
			field(more[len(more)-512+24*((i-4)%21):], h)
		}
	}
	if m.change != nil {
		m.change(head)
	}
	copy(head[148:], "        ")
	sum := 0
	for _, b := range head {
		sum += int(b)
	}
	copy(head[148:], fmt.Sprintf("%06o\x00 ", sum))
	out.Write(head)
	out.Write(more)
	out.WriteString(m.content)
	out.Write(make([]byte, -len(m.content)&511))
	return out.Bytes()
}

// archiveOf writes an archive: its entries and what stands behind them.
func archiveOf(end string, members ...member) []byte {
	var out []byte
	for _, m := range members {
		out = append(out, m.bytes()...)
	}
	return append(out, end...)
}

// opened opens an archive.
func opened(t *testing.T, content []byte) (*tarball, error) {
	t.Helper()
	s, err := newSpool()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.file.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	return openTar(s.file)
}

// Every kind of entry is read as the tool meant it that wrote it, or refused with what it is.
func TestTarEntries(t *testing.T) {
	var (
		zeros  = func(n int) string { return strings.Repeat("\x00", n) }
		block  = func(text string) string { return text + zeros(-len(text)&511) }
		marks  = zeros(1024)
		a, b   = block(strings.Repeat("a", 300)), "bcd"
		sparse = a + zeros(1024) + b                                                  // what the maps below make of a and b
		old    = member{kind: 'S', name: "f", holes: [][2]int64{{0, 512}, {1536, 3}}, // GNU tar -S --format=gnu
			whole: 1539, content: a + b}
		pax = func(records, content string) member { return member{name: "f", pax: records, content: content} }
		v00 = pax("GNU.sparse.size=1539\nGNU.sparse.numblocks=2\nGNU.sparse.offset=0\nGNU.sparse.numbytes=512\n"+
			"GNU.sparse.offset=1536\nGNU.sparse.numbytes=3", a+b)
		v01 = pax("GNU.sparse.size=1539\nGNU.sparse.numblocks=2\nGNU.sparse.name=f\nGNU.sparse.map=0,512,1536,3", a+b)
		v10 = pax("GNU.sparse.major=1\nGNU.sparse.minor=0\nGNU.sparse.name=f\nGNU.sparse.realsize=1539",
			block("2\n0\n512\n1536\n3\n")+a+b)
		many    [][2]int64
		manyHas string
		layer   = func(content string) member { return member{name: "f", content: content} }
		after   = member{name: "after", content: "after"}
		named   = func(m member, name string) member { m.name = name; return m }
		long    = strings.Repeat("long/", 60) + "name"
	)
	for i := range int64(60) { // more than two blocks of the map hold
		many = append(many, [2]int64{i * 20, 5})
		manyHas += "12345" + zeros(15)
	}
	for _, tt := range []struct {
		name    string
		members []member
		want    string // the content of the file f
		err     string // words that openTar or opening f says; all of them, divided by semicolons
		end     string // behind the entries, if not the end marks
		endless bool   // the end marks are not there
	}{
		{name: "a regular file", members: []member{layer(a + b)}, want: a + b},
		{name: "an empty file", members: []member{layer("")}},
		{name: "a regular file of old", members: []member{{name: "f", content: a, change: func(h []byte) { h[156] = 0 }}}, want: a},
		{name: "a file without ustar's mark", members: []member{{name: "f", content: a, change: func(h []byte) { clear(h[156:]) }}}, want: a},
		{name: "a contiguous file", members: []member{{kind: '7', name: "f", content: a + b}}, want: a + b},
		{name: "the last of a name", members: []member{layer("first"), layer("last")}, want: "last"},
		{name: "another name", members: []member{named(layer(a), "./d/../f")}, want: a},
		{name: "an absolute name", members: []member{named(layer(a), "//f")}, want: a},
		{name: "a name above", members: []member{named(layer(a), "../f")}, err: "f: file does not exist"},
		{name: "none", members: []member{after}, err: "f: file does not exist"},

		{name: "GNU's holes", members: []member{old}, want: sparse},
		{name: "GNU's holes, twice", members: []member{named(old, "before"), old}, want: sparse},
		{name: "GNU's holes, a long map", members: []member{{kind: 'S', name: "f", holes: many, whole: 1200,
			content: strings.Repeat("12345", 60)}},
			want: manyHas},
		{name: "GNU's holes, nothing else", members: []member{{kind: 'S', name: "f", holes: [][2]int64{{700, 0}}, whole: 700}}, want: zeros(700)},
		{name: "GNU's holes, the size as a record", members: []member{{kind: 'S', name: "f", holes: old.holes, whole: 1539, content: a + b,
			pax: "size=515", change: func(h []byte) { copy(h[124:], "00000000000") }}}, want: sparse},
		{name: "GNU's holes under a long name", members: []member{{kind: 'L', name: "././@LongLink",
			content: "d/../f\x00"}, named(old, "x")}, want: sparse},
		{name: "holes 0.0", members: []member{v00}, want: sparse},
		{name: "holes 0.1", members: []member{v01}, want: sparse},
		{name: "holes 1.0", members: []member{v10}, want: sparse},
		{name: "holes 1.0, twice", members: []member{named(v10, "x"), v10}, want: sparse},
		{name: "holes under another name", members: []member{named(v10, "GNUSparseFile.7/f")}, want: sparse},
		{name: "holes by all forms before it",
			members: []member{named(old, "1"), named(v00, "2"), named(v01, "3"), named(v10, "4"), layer(b)}, want: b},
		{name: "holes of a size of bytes", members: []member{{name: "f", pax: v10.pax, content: v10.content,
			change: func(h []byte) { copy(h[124:136], "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x03") }}}, want: sparse},
		{name: "holes 0.0 without a map", members: []member{pax("GNU.sparse.size=700\nGNU.sparse.numblocks=0", "")},
			err: "f is stored without its holes;1.0"},
		{name: "holes 2.0", members: []member{pax("GNU.sparse.major=2\nGNU.sparse.minor=0", a)}, err: "f is stored without its holes"},
		{name: "holes 1", members: []member{pax("GNU.sparse.major=1", a)}, err: "f is stored without its holes"},
		{name: "holes of another kind", members: []member{pax("SUN.holesdata= 0 512", a)}, err: "f is stored without its holes"},
		{name: "holes of a third kind", members: []member{pax("SCHILY.filetype=sparse", a)}, err: "f is stored without its holes"},
		{name: "no holes of a third kind", members: []member{pax("SCHILY.filetype=regular", a)}, want: a},
		{name: "unknown holes of another file", members: []member{named(pax("GNU.sparse.major=2", a), "x"), layer(b)}, want: b},
		{name: "more than the map tells", members: []member{{kind: 'S', name: "f", holes: old.holes, whole: 1539, content: a + b + b}},
			err: "damaged;the holes of f;unreferenced"},
		{name: "less than the map tells", members: []member{{kind: 'S', name: "f", holes: old.holes, whole: 1539, content: a}},
			err: "damaged;the holes of f;non-existent"},
		{name: "a map that is none", members: []member{after, {kind: 'S', name: "f", holes: [][2]int64{{9, 9}, {0, 1}}, whole: 20, content: a}},
			err: "damaged;before byte 1536;not a tar header"},
		{name: "cut short with holes", members: []member{{kind: 'S', name: "f", holes: old.holes, whole: 1539, content: a, size: 515}}, end: "b",
			err: "cut short;f begins at byte 512 and has 515 bytes"},
		{name: "cut short with holes 1.0", members: []member{{name: "f", pax: v10.pax, content: v10.content[:1024], size: 1027}}, end: "b",
			err: "cut short;f begins at byte 2048 and has 515 bytes"},
		{name: "holes that fill a disk", members: []member{{kind: 'S', name: "f", holes: [][2]int64{{0, 512}}, whole: 8<<30 - 1, content: a}},
			err: "not an image that anybody builds;8589934591 bytes"},

		{name: "a symbolic link", members: []member{named(layer(a), "x/f"), {kind: '2', name: "f", link: "./x/f"}}, want: a},
		{name: "a symbolic link up", members: []member{{kind: '2', name: "f", link: "y/g"}, named(layer(a), "x/f"),
			{kind: '2', name: "y/g", link: "../x/f"}}, want: a},
		{name: "an absolute symbolic link", members: []member{named(layer(a), "/x/f"), {kind: '2', name: "/f", link: "/x/f"}}, want: a},
		{name: "a link to a folder", members: []member{named(layer(a), "x/y/f"), {kind: '2', name: "l", link: "x"},
			{kind: '2', name: "f", link: "l/y/f"}},
			want: a},
		{name: "a hard link", members: []member{named(layer(a), "./x/f"), {kind: '1', name: "./f", link: "./x/f"}}, want: a},
		{name: "an absolute hard link", members: []member{named(layer(a), "/x/f"), {kind: '1', name: "/f", link: "/x/f"}}, want: a},
		{name: "a hard link whose header has a size", members: []member{named(layer(a), "x"),
			{kind: '1', name: "f", link: "x", size: 512}}, want: a},
		{name: "a link to holes", members: []member{named(old, "x"), {kind: '1', name: "f", link: "x"}}, want: sparse},
		{name: "a long link", members: []member{named(layer(a), "x"), {kind: 'K', name: "././@LongLink", content: "./d/../x\x00"},
			{kind: '1', name: "f", link: "cut"}}, want: a},
		{name: "a link of a record", members: []member{named(layer(a), "x"), {kind: '2', name: "f", link: "cut", pax: "linkpath=x"}}, want: a},
		{name: "a link to nothing", members: []member{after, {kind: '2', name: "f", link: "x/y"}},
			err: "f is a link to x/y: file does not exist"},
		{name: "a link out of the archive", members: []member{after, {kind: '2', name: "f", link: "../../f"}},
			err: "f is a link to ../../f: file does"},
		{name: "a link to itself", members: []member{after, {kind: '2', name: "f", link: "f"}}, err: "f leads through more than 40 links"},
		{name: "links in a circle", members: []member{{kind: '2', name: "f", link: "l/f"}, {kind: '2', name: "l", link: "l"}},
			err: "more than 40 links"},
		{name: "a link to a folder alone", members: []member{{kind: '5', name: "x/"}, {kind: '2', name: "f", link: "x"}}, err: "f is a folder"},

		{name: "a folder", members: []member{after, {kind: '5', name: "f/"}}, err: "f is a folder, not a file"},
		{name: "a folder of old", members: []member{after, {name: "f/", change: func(h []byte) { h[156] = 0 }}}, err: "f is a folder"},
		{name: "a character device", members: []member{after, {kind: '3', name: "f"}}, err: "f is a device"},
		{name: "a block device", members: []member{after, {kind: '4', name: "f"}}, err: "f is a device"},
		{name: "a named pipe", members: []member{after, {kind: '6', name: "f"}}, err: "or a named pipe"},
		{name: "the rest of a volume", members: []member{after, {kind: 'M', name: "f", content: a}}, err: "f begins in another volume"},
		{name: "an unknown type", members: []member{after, {kind: 'Z', name: "f", content: a}}, err: "f is of the type 'Z'"},
		{name: "an unknown type before it", members: []member{{kind: 'V', name: "volume", content: a + b}, layer(a)}, want: a},
		{name: "nothing but folders", members: []member{{kind: '5', name: "f/"}}, err: "it holds no files (1536 bytes)"},

		{name: "a record of the name", members: []member{named(pax("path=f", a), "cut")}, want: a},
		{name: "a record of the size", members: []member{{name: "f", pax: "size=515", content: a + b,
			change: func(h []byte) { copy(h[124:], "00000000000") }}},
			want: a + b},
		{name: "a global header", members: []member{{kind: 'g', name: "pax_global_header", content: "13 comment=x\n"}, layer(a)}, want: a},
		{name: "a global name", members: []member{{kind: 'g', name: "g", content: "10 path=x\n"}, layer(a)}, err: "sets the path of all files"},
		{name: "a global size", members: []member{{kind: 'g', name: "g", content: "10 size=5\n"}, layer(a)}, err: "sets the size of all files"},
		{name: "a global link", members: []member{{kind: 'g', name: "g", content: "14 linkpath=x\n"}, layer(a)},
			err: "sets the linkpath of all files"},
		{name: "a size of bytes", members: []member{{name: "f", content: a + b,
			change: func(h []byte) { copy(h[124:136], "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x03") }}}, want: a + b},
		{name: "a size below zero", members: []member{after, {name: "f",
			change: func(h []byte) { copy(h[124:136], strings.Repeat("\xff", 12)) }}},
			err: "damaged;not a tar header"},
		{name: "the largest size", members: []member{{name: "f", pax: fmt.Sprintf("size=%d", math.MaxInt64), content: a}},
			err: "cut short;f begins at byte 1536"},
		{name: "the largest size with holes", members: []member{{name: "f", pax: v01.pax + fmt.Sprintf("\nsize=%d", math.MaxInt64), content: a}},
			err: "cut short;f begins at byte 1536"},
		{name: "a long name", members: []member{{kind: 'L', name: "././@LongLink", content: long + "\x00"}, named(layer(b), "cut"),
			{kind: '1', name: "f", link: "x"}, {kind: 'K', name: "././@LongLink", content: long + "\x00"},
			{kind: '2', name: "x", link: "cut"}}, want: b},

		{name: "many zeros behind it", members: []member{layer(a)}, end: zeros(9216), want: a},
		{name: "something behind the end marks", members: []member{layer(a)}, end: marks + "something", want: a},
		{name: "another archive behind the end marks", members: []member{layer(a)}, end: marks + string(layer(b).bytes()) + marks, want: a},
		{name: "no end marks", members: []member{layer(a)}, end: "-", want: a, endless: true},
		{name: "no end marks after holes", members: []member{old}, end: "-", want: sparse, endless: true},
		{name: "no end marks after holes 1.0", members: []member{v10}, end: "-", want: sparse, endless: true},
		{name: "one end mark", members: []member{layer(a)}, end: zeros(512), want: a},
		{name: "one end mark after holes", members: []member{old}, end: zeros(512), want: sparse},
		{name: "a block of zeros between", members: []member{layer(a)}, end: zeros(512) + string(layer(b).bytes()) + marks,
			err: "damaged;before byte 2048"},
		{name: "something instead of the end marks", members: []member{layer(a)}, end: strings.Repeat("x", 512), err: "damaged;not a tar header"},
		{name: "a part of a header", members: []member{layer(a)}, end: "some", err: "cut short;ends inside the header"},
		{name: "no file and no end marks", members: []member{after}, end: "-", err: "f: file does not exist;without an end mark", endless: true},
		{name: "not an archive", end: strings.Repeat("x", 600), err: "not a tar archive"},
	} {
		end := tt.end
		switch end {
		case "":
			end = marks
		case "-":
			end = ""
		}
		got, ended := "", true
		tarball, err := opened(t, archiveOf(end, tt.members...))
		if err == nil {
			ended = tarball.ended
			var size int64
			var from io.ReadCloser
			if from, size, err = tarball.open("f"); err == nil {
				var content []byte
				content, err = io.ReadAll(from)
				got = string(content)
				if err == nil && size != int64(len(got)) {
					t.Errorf("%s: a size of %d bytes, and %d of content", tt.name, size, len(got))
				}
			}
		}
		switch {
		case (err == nil) != (tt.err == ""):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		case err == nil && got != tt.want:
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		case ended == tt.endless:
			t.Errorf("%s: has end marks: %v", tt.name, ended)
		}
		for word := range strings.SplitSeq(tt.err, ";") {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v; want it to say %q", tt.name, err, word)
			}
		}
	}
}

// What cannot be read of the file is not called a fault of the holes.
func TestHolesThatCannotBeRead(t *testing.T) {
	content := archiveOf(strings.Repeat("\x00", 1024), member{kind: 'S', name: "f", holes: [][2]int64{{0, 512}}, whole: 512,
		content: strings.Repeat("a", 512)})
	tarball, err := opened(t, content)
	if err != nil {
		t.Fatal(err)
	}
	from, _, err := tarball.open("f")
	if err != nil {
		t.Fatal(err)
	}
	tarball.file.Close()
	if _, err := io.ReadAll(from); !errors.Is(err, os.ErrClosed) || Hopeless(err) {
		t.Errorf("%v, want that the file is closed", err)
	}
	if _, _, err := tarball.open("f"); !errors.Is(err, os.ErrClosed) || Hopeless(err) {
		t.Errorf("%v, want that the file is closed", err)
	}
}
