package archtest

import (
	"compress/gzip"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
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
		{"cmd/action", 7_000_000}, // the scratch image: every step of a workflow pulls it
		// What people install once: all actions, the sandbox, a command line that completes itself (cobra), and the clients of
		// what the operator's commands read.
		{"cmd/connect2", 11_000_000},
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
	for _, program := range []string{"cmd/action", "cmd/connect2"} {
		t.Run("no template is executed by "+program, func(t *testing.T) { noTemplate(t, program) })
	}
}

// noTemplate fails where the executor of templates is linked, though packages that a program holds could use it.
func noTemplate(t *testing.T, program string) {
	binary := filepath.Join(t.TempDir(), "program")
	build(t, binary, "-ldflags=-w", program)
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
}

// TestStartIsCheap holds the module's own packages to next to no work before main: the start of a process is paid for by every
// step of every workflow. It counts allocations, which are the same on every machine, and no time.
func TestStartIsCheap(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("links a program for linux/amd64 and starts it")
	}
	binary := filepath.Join(t.TempDir(), "program")
	build(t, binary, "-ldflags=-s -w", "cmd/action")
	cmd := exec.Command(binary, "no-such-action")
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, _ := cmd.CombinedOutput() // it exits 1: there is no such action
	seen := 0
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @.*, (\d+) allocs$`).FindAllStringSubmatch(string(out), -1) {
		if !strings.HasPrefix(m[1], module+"/") {
			continue
		}
		seen++
		if n, err := strconv.Atoi(m[2]); err != nil || n > 1000 {
			t.Errorf("%s makes %s allocations before main: compile patterns and build tables on first use", m[1], m[2])
		}
	}
	if seen == 0 {
		t.Errorf("no trace of the module's packages in:\n%s", out)
	}
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
