package archtest

import (
	"compress/gzip"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinkedBinary builds the programs that are shipped and weighs them. Their size is what every run on GitHub waits for.
func TestLinkedBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("links two programs")
	}
	for _, test := range []struct {
		program string
		limit   int64 // bytes, after gzip
	}{
		{"cmd/action", 7_000_000},
		{"cmd/connect2", 9_000_000},
	} {
		t.Run(test.program, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), "program")
			build(t, binary, "-ldflags=-s -w", test.program)
			if size := zipped(t, binary); size > test.limit {
				t.Errorf("%d bytes after gzip, want at most %d", size, test.limit)
			} else {
				t.Logf("%d bytes after gzip, of %d", size, test.limit)
			}
		})
	}
	t.Run("no template is executed", func(t *testing.T) {
		binary := filepath.Join(t.TempDir(), "program")
		build(t, binary, "-ldflags=-w", "cmd/action")
		f, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		symbols, err := f.Symbols()
		if err != nil {
			t.Fatal(err)
		}
		known := false
		for _, s := range symbols {
			known = known || s.Name == "main.main"
			if strings.HasPrefix(s.Name, "text/template.(*state)") || strings.HasPrefix(s.Name, "text/template/parse.(*Tree)") {
				t.Fatalf("%s is linked", s.Name)
			}
		}
		if !known {
			t.Error("the symbols were not read: main.main is missing")
		}
	})
}

// build links for Linux, wherever the test runs, as the image's build does.
func build(t *testing.T, to, flags, program string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", flags, "-o", to, module+"/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func zipped(t *testing.T, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var n counter
	w := gzip.NewWriter(&n)
	if _, err := io.Copy(w, f); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
