package ztoc

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
)

// A layer may hold anything: it is listed, or refused, and what is read goes on unchanged.
func FuzzRecorder(f *testing.F) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	_ = w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 3, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b"}})
	_, _ = w.Write([]byte("abc"))
	_ = w.WriteHeader(&tar.Header{Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"})
	_ = w.Close()
	f.Add(out.Bytes())
	f.Add(out.Bytes()[:700])
	f.Add([]byte("no tar"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		r := NewRecorder("test")
		r.Mark(0, nil)
		through, err := io.ReadAll(r.Content(bytes.NewReader(content)))
		if err != nil || !bytes.Equal(through, content) {
			t.Errorf("%d of %d bytes came through, %v", len(through), len(content), err)
		}
		_, _ = r.Write(content)
		if table, err := r.Finish(); err == nil && len(table) < Window {
			t.Errorf("a table of %d bytes", len(table))
		}
	})
}
