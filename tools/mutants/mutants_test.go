package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// alive are the mutants of the fixture that must survive, each for a reason that its tests show. Every other one must be killed.
var alive = map[string]result{
	"most: constant most = 3 → most = 4":                                           survived,
	"grace: constant 5 * time.Second → 6 * time.Second":                            survived,
	"Either: operand b → false":                                                    survived,
	"Few: n < most → n <= most":                                                    survived,
	`Plain: if strings.HasPrefix(word, "x") → false`:                               survived,
	`Plain: constant strings.HasPrefix(word, "x") → strings.HasPrefix(word, "x~")`: survived,
	"Plain: constant 1 → 2":                                                        unreached,
	"Count: constant return 0, errEmpty → return 1, errEmpty":                      survived,
	"Wait: constant return grace → return (grace + 1)":                             survived,
	"Wait: if long → true":                                                         survived,
	"Drain: drop n--":                                                              timedOut,
	"Must: if ok → true":                                                           survived,
	"Unknown: constant n + 1 → n + 2":                                              unreached,
	"Named: operand b → true":                                                      survived,
	`Turn: constant high → (high + "~")`:                                           unreached,
	`Turn: constant return low → return (low + "~")`:                               unreached,
	`Must: drop panic("no")`:                                                       invalid,
}

// dead are some of the others, one of each kind.
var dead = []string{
	`everything: constant everything = "all" → everything = "all~"`,
	"Both: a && b → a || b", "Both: operand a → true", "Either: operand a → false",
	"Grade: case n > 10 → true", "Grade: n > 10 → n >= 10", "Grade: constant n > 10 → n > 11",
	`Plain: constant "two" → "two~"`, "Plain: constant return 2 → return 3",
	`Count: if word == "" → false`, "Count: drop continue", "Count: drop n++", "Count: error errEmpty → nil",
	"Passed: error Count(words) → nil", "Wait: constant return time.Minute → return (2 * time.Minute)",
	`Turn: constant low → (low + "~")`, `Turn: constant return high → return (high + "~")`,
	"Drain: for n > 0 → false", "Named: a && b → a || b",
}

func fixture(t *testing.T) []*pkg {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs a package many times")
	}
	root, err := filepath.Abs("testdata/fixture")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	packages, err := load(t.Context(), root, []target{{file: "calm/calm.go"}})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func results(t *testing.T, packages []*pkg) map[string]result {
	t.Helper()
	all := map[string]result{}
	for _, p := range packages {
		if err := p.run(t.Context(), options{workers: 2, patience: 2 * time.Second}, t.Output()); err != nil {
			t.Fatal(err)
		}
		for _, m := range p.mutants {
			all[m.function+": "+m.change()] = m.result
		}
	}
	return all
}

func TestEveryMutantOfTheFixture(t *testing.T) {
	got := results(t, fixture(t))
	for name, r := range got {
		want := killed
		if w, ok := alive[name]; ok {
			want = w
		}
		if r != want {
			t.Errorf("%s: %s, want %s", name, r, want)
		}
	}
	for name := range alive {
		if _, ok := got[name]; !ok {
			t.Errorf("no mutant %s", name)
		}
	}
	for _, name := range dead {
		if _, ok := got[name]; !ok {
			t.Errorf("no mutant %s", name)
		}
	}
}

// TestSwitchesChangeNothing builds mutants by themselves that stand behind a switch otherwise: the answer must be the same.
func TestSwitchesChangeNothing(t *testing.T) {
	packages := fixture(t)
	for _, p := range packages {
		p.mutants = slices.DeleteFunc(p.mutants, func(m *mutant) bool {
			return m.function != "Both" && m.function != "Passed" && m.kind != condition || m.function == "Count"
		})
		for _, m := range p.mutants {
			if m.before == "" {
				t.Errorf("%s: %s stands behind no switch", m.function, m.change())
			}
			if m.function != "Passed" { // that needs the help of a function
				m.before, m.after = "", ""
			}
		}
	}
	for name, r := range results(t, packages) {
		want := killed
		if w, ok := alive[name]; ok {
			want = w
			if w == unreached { // by itself, a mutant meets all tests
				want = survived
			}
		}
		if r != want {
			t.Errorf("%s: %s, want %s", name, r, want)
		}
	}
}

// repository is a copy of the fixture under Git.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/fixture")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	command(t, "git", "init", "-q")
	commit(t)
	return dir
}

func commit(t *testing.T) {
	t.Helper()
	command(t, "git", "add", ".")
	command(t, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "x")
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func replace(t *testing.T, file, old, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%s does not hold %q once", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mutants(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), &out, append([]string{"-deciding", "deciding.txt", "-survivors", "survivors.txt", "-patience", "2s"}, args...))
	t.Logf("%s\n%v", out.String(), err)
	return out.String(), err
}

func TestChangedLines(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a package")
	}
	repository(t)
	if out, err := mutants(t, "-base", "HEAD"); err != nil || !strings.Contains(out, "no line") {
		t.Fatalf("without a change: %v", err)
	}

	// A line that its test holds, committed or not, and one that no test holds.
	replace(t, "calm/calm.go", "return a && b }\n\n// Either", "return b && a }\n\n// Either")
	out, err := mutants(t, "-base", "HEAD")
	if err != nil || !strings.Contains(out, "3 mutants") || !strings.Contains(out, "no mutant was skipped") {
		t.Fatalf("a line with a test: %v", err)
	}
	commit(t)
	replace(t, "calm/calm.go", "return a || b", "return b || a")
	out, err = mutants(t, "-base", "HEAD")
	if err == nil || !strings.Contains(out, "operand b → false") {
		t.Fatalf("a line without a test: %v", err)
	}
	if out, _ := mutants(t, "-base", "HEAD~1"); !strings.Contains(out, "6 mutants") {
		t.Error("the committed line is not among the changed ones")
	}

	// In a file that decides nothing it is only told.
	if err := os.WriteFile("deciding.txt", []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := mutants(t, "-base", "HEAD"); err != nil || !strings.Contains(out, "not a deciding file") {
		t.Fatalf("another file: %v", err)
	}

	// Without time, all are skipped, and that is said.
	if out, err := mutants(t, "-base", "HEAD~1", "-for", "1ns"); err != nil || !strings.Contains(out, "6 mutants were skipped") {
		t.Fatalf("without time: %v", err)
	}

	// An entry of the list that the change has left without its mutant is told, also where no line of code is left to mutate.
	const entries = "calm/calm.go Either\n    operand b → false\n        A fixture.\n    operand c → false\n        Gone.\n" +
		"calm/other.go Other\n    operand c → false\n        Not looked at.\n"
	if err := os.WriteFile("survivors.txt", []byte(entries), 0o600); err != nil {
		t.Fatal(err)
	}
	commit(t)
	replace(t, "calm/calm.go", "// Either", "// A comment.\n\n// Either")
	for _, args := range [][]string{{"-base", "HEAD"}, {"-list", "calm/calm.go"}} {
		_, err := mutants(t, args...)
		if err == nil || strings.Count(err.Error(), "matches no mutant any more") != 1 || !strings.Contains(err.Error(), "Either: operand c") {
			t.Errorf("%q: a stale entry: %v", args, err)
		}
	}
}

func TestDecidingFileWithoutMutants(t *testing.T) {
	repository(t)
	const tagged = "//go:build never\n\npackage calm\n\nfunc more(n int) bool { return n > 1 }\n"
	for file, text := range map[string]string{"calm/more.go": tagged, "deciding.txt": "calm/more.go\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mutants(t, "-list"); err == nil || !strings.Contains(err.Error(), "calm/more.go has nothing to mutate") {
		t.Errorf("got %v", err)
	}
}

func TestList(t *testing.T) {
	repository(t)
	write := func(text string) {
		if err := os.WriteFile("survivors.txt", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packages, err := load(t.Context(), mustRoot(t), []target{{file: "calm/calm.go"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range packages[0].mutants {
		m.result = killed
		if m.function == "Either" {
			m.result = survived
		}
	}
	judge := func() error {
		listed, err := readSurvivors("survivors.txt")
		if err != nil {
			return err
		}
		return report(t.Output(), packages, verdict{deciding: []string{"calm/calm.go"}, listed: listed})
	}
	full := "calm/calm.go Either\n    a || b → a && b\n        It is\n        a fixture.\n" +
		"    operand a → false\n        So is this.\n    operand b → false\n        And this.\n"
	for _, test := range []struct{ name, list, want string }{
		{"all listed", full, ""},
		{"a comment and an empty line", "# why\n\n" + full, ""},
		{"nothing listed", "", "not listed: 3 "},
		{"one missing", strings.Replace(full, "    operand a → false\n        So is this.\n", "", 1),
			"not listed: 1 "},
		{"without a reason", "calm/calm.go Either\n    operand a → false\n", "a reason"},
		{"a reason without a mutant", "calm/calm.go Either\n        why\n", "without a mutant"},
		{"no function", "calm/calm.go\n", "FILE FUNCTION"},
		{"a mutant that is gone", full + "    operand c → false\n        Gone.\n", "matches no mutant any more"},
		{"a function that is gone", full + "calm/calm.go Gone\n    operand a → false\n        Gone.\n", "matches no mutant any more"},
		{"another file, which is not mutated", full + "calm/other.go Gone\n    operand a → false\n        Not looked at.\n", ""},
		{"one that is killed", full + "calm/calm.go Both\n    operand a → true\n        Wrong.\n", "lists a mutant that"},
	} {
		t.Run(test.name, func(t *testing.T) {
			write(test.list)
			err := judge()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	write(full)
	for i, m := range packages[0].mutants {
		if i%9 == 0 && m.function != "Either" {
			m.result = timedOut
		}
	}
	if err := judge(); err == nil || !strings.Contains(err.Error(), "at least 90 % must be") {
		t.Errorf("too few killed: %v", err)
	}
}

func mustRoot(t *testing.T) string {
	t.Helper()
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestDiff(t *testing.T) {
	got := changedLines("diff --git a/x.go b/x.go\n--- a/x.go\n+++ b/x.go\n@@ -3 +3,2 @@ func x() {\n-a\n+b\n+c\n@@ -9,2 +10,0 @@\n-d\n-e\n" +
		"diff --git a/y/z.go b/y/z.go\n--- /dev/null\n+++ b/y/z.go\n@@ -0,0 +1 @@\n+package z\n")
	if fmt.Sprint(got) != "[{x.go map[3:true 4:true]} {y/z.go map[1:true]}]" {
		t.Errorf("got %v", got)
	}
	for file, want := range map[string]bool{
		"b.go": true, "a/b.go": true, "a/b_test.go": false, "a/testdata/b.go": false, "_a/b.go": false, ".a/b.go": false,
	} {
		if isSource(file) != want {
			t.Errorf("isSource(%s) = %v", file, !want)
		}
	}
	if inModule("tools/x/a.go", []string{"go.mod", "tools/x/go.mod"}) || !inModule("tools/y/a.go", []string{"go.mod", "tools/x/go.mod"}) {
		t.Error("modules are not told apart")
	}
}

func TestDecidingFilesAreThere(t *testing.T) {
	files, err := readDeciding("../..", "tools/mutants/deciding.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	listed, err := readSurvivors("survivors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range listed {
		if !slices.Contains(files, l.file) {
			t.Errorf("%s: %s is not a deciding file", l, l.file)
		}
	}
	if _, err := readDeciding("testdata/fixture", "missing.txt"); err == nil {
		t.Error("a list that is missing is read")
	}
}
