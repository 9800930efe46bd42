package archtest

import (
	"compress/gzip"
	"debug/elf"
	"debug/gosym"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/org/connect2/v2/internal/test/programs"
)

// TestLinkedBinary builds the programs that are shipped and weighs them. Their size is what every run on GitHub waits for.
func TestLinkedBinary(t *testing.T) {
	if testing.Short() || programs.Race {
		t.Skip("links two programs; they hold no more under the race detector")
	}
	for _, test := range []struct {
		program string
		limit   int64 // bytes, after gzip
	}{
		{"action", 7_000_000}, // the scratch image: every step of a workflow pulls it
		// What people install once: all actions, the sandbox, a command line that completes itself (cobra), and the clients of
		// what the operator's commands read.
		{"connect2", 11_000_000},
	} {
		t.Run(test.program, func(t *testing.T) {
			binary := programs.BuildForLinux(t, "cmd/"+test.program)
			noTemplate(t, binary)
			if size := zipped(t, binary); size > test.limit {
				t.Errorf("%d bytes after gzip, want at most %d", size, test.limit)
			} else {
				t.Logf("%d bytes after gzip, of %d", size, test.limit)
			}
		})
	}
}

// noTemplate fails where the executor of templates is linked, though packages that a program holds could use it. A program that is
// stripped of its symbols keeps the names of its functions, for its stack traces.
func noTemplate(t *testing.T, binary string) {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, text := f.Section(".gopclntab"), f.Section(".text")
	if lines == nil || text == nil {
		t.Fatal("the program has no table of its functions")
	}
	data, err := lines.Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		t.Fatal(err)
	}
	known := false
	for _, f := range table.Funcs {
		known = known || f.Name == "main.main"
		if strings.HasPrefix(f.Name, "text/template.(*state)") || strings.HasPrefix(f.Name, "text/template/parse.(*Tree)") {
			t.Errorf("%s is linked: a template is executed somewhere", f.Name)
			break
		}
	}
	if !known {
		t.Error("the functions were not read: main.main is missing")
	}
}

// TestStartIsCheap holds the module's own packages to next to no work before main: the start of a process is paid for by every
// step of every workflow. It counts allocations, which are the same on every machine, and no time.
func TestStartIsCheap(t *testing.T) {
	if testing.Short() || programs.Race || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("links a program for linux/amd64 and starts it")
	}
	binary := programs.BuildForLinux(t, "cmd/action")
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
