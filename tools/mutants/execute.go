package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// result is what became of a mutant.
type result string

const (
	skippedOver result = ""            // the time was over
	killed      result = "killed"      // a test failed
	survived    result = "survived"    // every test that reaches it passed
	unreached   result = "not reached" // no test runs it
	timedOut    result = "timed out"   // a test did not end; it counts as alive
	invalid     result = "invalid"     // it does not compile; it does not count
)

// test is a top-level test, and how it runs without a mutant.
type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool
}

// run runs every mutant of the package, as far as the time allows.
func (p *pkg) run(ctx context.Context, o options, out io.Writer) error {
	if over(ctx) {
		return nil
	}
	if !p.tests {
		for _, m := range p.mutants {
			m.result = unreached
		}
		return nil
	}
	p.patience = o.patience
	began := time.Now()
	work, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	s, err := p.schemata()
	if err != nil {
		return err
	}
	files := map[string][]byte{helperFile: p.helper()}
	for name, source := range s.sources {
		files[name] = source
	}
	binary, err := p.build(ctx, filepath.Join(work, "all"), files)
	if over(ctx) {
		return nil // whatever that brought about
	}
	if err != nil {
		return err
	}
	tests, err := p.tryTests(ctx, binary, filepath.Join(work, "reached"), o)
	if over(ctx) {
		return nil // whatever that brought about
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d mutants, %d tests, ready in %s\n", p.path, len(p.mutants), len(tests),
		time.Since(began).Round(100*time.Millisecond))
	var lock sync.Mutex
	var failures []error
	each(o.workers, p.mutants, func(m *mutant) {
		if over(ctx) {
			return
		}
		var err error
		if m.before != "" {
			err = p.try(ctx, binary, m, tests)
		} else {
			err = p.tryAlone(ctx, filepath.Join(work, strconv.Itoa(m.id)), m, tests)
		}
		if over(ctx) {
			m.result = skippedOver
		} else if err != nil {
			lock.Lock()
			defer lock.Unlock()
			failures = append(failures, fmt.Errorf("%s:%d: %s: %w", m.file, m.line, m.change(), err))
		}
	})
	return errors.Join(failures...)
}

// over says whether the time is.
func over(ctx context.Context) bool { return ctx.Err() != nil }

func each[T any](workers int, all []T, do func(T)) {
	next := make(chan T)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for one := range next {
				do(one)
			}
		})
	}
	for _, one := range all {
		next <- one
	}
	close(next)
	group.Wait()
}

// build builds the package's tests with some of its files replaced or added.
func (p *pkg) build(ctx context.Context, to string, files map[string][]byte) (binary string, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return "", err
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for name, source := range files {
		file := filepath.Join(to, name)
		if err := os.WriteFile(file, source, 0o600); err != nil {
			return "", err
		}
		overlay.Replace[filepath.Join(p.dir, name)] = file
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	list := filepath.Join(to, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(to, "tests")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", list, "-o", binary, p.path)
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s: %w\n%s", p.path, err, out)
	}
	return binary, nil
}

// tryTests runs each test by itself and notes how long it takes and which mutants it reaches. The quickest come first.
func (p *pkg) tryTests(ctx context.Context, binary, folder string, o options) ([]*test, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	list := exec.CommandContext(ctx, binary, "-test.list="+cmp.Or(o.only, "^(Test|Example|Fuzz)"))
	list.Dir = p.dir
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tests of %s: %w", p.path, err)
	}
	var tests []*test
	for name := range strings.FieldsSeq(string(out)) {
		tests = append(tests, &test{name: name, reaches: map[int]bool{}})
	}
	var lock sync.Mutex
	var failures []error
	each(o.workers, tests, func(t *test) {
		if over(ctx) {
			return
		}
		reached := filepath.Join(folder, t.name)
		began := time.Now()
		out, err := p.runTests(ctx, binary, []*test{t}, 10*time.Minute, "MUTANTS_REACHED="+reached)
		t.took = time.Since(began)
		if err == nil {
			err = t.readReached(reached)
		}
		if err != nil {
			lock.Lock()
			defer lock.Unlock()
			failures = append(failures, fmt.Errorf("%s fails without a mutant: %w\n%s", t.name, err, out))
		}
	})
	slices.SortStableFunc(tests, func(a, b *test) int { return cmp.Compare(a.took, b.took) })
	return tests, errors.Join(failures...)
}

func (t *test) readReached(file string) error {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for word := range strings.FieldsSeq(string(text)) {
		id, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		t.reaches[id] = true
	}
	return nil
}

// memory is what a test may take, in KiB of address space: a loop without end must not take the machine's.
const memory = 8 << 20

// errHung is a run of tests that did not end in time.
var errHung = errors.New("the tests did not end")

// runTests runs these tests until the first fails.
func (p *pkg) runTests(ctx context.Context, binary string, tests []*test, limit time.Duration, env ...string) ([]byte, error) {
	var names []string
	for _, t := range tests {
		names = append(names, regexp.QuoteMeta(t.name))
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errHung)
	defer cancel()
	cmd := exec.CommandContext(limited, "sh", "-c", fmt.Sprintf(`ulimit -v %d 2>/dev/null; exec "$@"`, memory), "sh",
		binary, "-test.failfast", "-test.timeout=0", "-test.run=^("+strings.Join(names, "|")+")$")
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what the tests started ends with them
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if limited.Err() != nil && err != nil {
		err = context.Cause(limited)
	}
	return out.Bytes(), err
}

// try switches a mutant on and runs the tests that reach it.
func (p *pkg) try(ctx context.Context, binary string, m *mutant, tests []*test) error {
	var reaching []*test
	for _, t := range tests {
		if t.reaches[m.id] {
			reaching = append(reaching, t)
		}
	}
	if len(reaching) == 0 {
		m.result = unreached
		return nil
	}
	return p.tryWith(ctx, binary, m, reaching)
}

// tryAlone builds the package with one mutant, and runs all tests.
func (p *pkg) tryAlone(ctx context.Context, folder string, m *mutant, tests []*test) error {
	source, ok := p.alone(m)
	if !ok {
		m.result = invalid
		return nil
	}
	defer os.RemoveAll(folder)
	binary, err := p.build(ctx, folder, map[string][]byte{path.Base(m.file): source})
	if err != nil {
		return err
	}
	return p.tryWith(ctx, binary, m, tests)
}

// tryWith runs the tests in batches, quick ones first, until one fails. A batch that hangs does not hide the next.
func (p *pkg) tryWith(ctx context.Context, binary string, m *mutant, tests []*test) error {
	m.result = survived
	for batch := range batches(tests) {
		var sum time.Duration
		for _, t := range batch {
			sum += t.took
		}
		out, err := p.runTests(ctx, binary, batch, p.patience+10*sum, "MUTANT="+strconv.Itoa(m.id))
		var exit *exec.ExitError
		switch {
		case errors.Is(err, errHung):
			m.result = timedOut
		case errors.As(err, &exit):
			m.result, m.failed = killed, firstFailure(out)
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// batches gives tests to run in one process each: the first ones short, so that a mutant that is killed is killed soon.
func batches(tests []*test) func(func([]*test) bool) {
	return func(yield func([]*test) bool) {
		size := 300 * time.Millisecond
		for len(tests) > 0 {
			n, sum := 0, time.Duration(0)
			for n < len(tests) && (n == 0 || sum+tests[n].took <= size) {
				sum += tests[n].took
				n++
			}
			if !yield(tests[:n]) {
				return
			}
			tests, size = tests[n:], 2*size
		}
	}
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

func firstFailure(out []byte) string {
	if m := failedTest.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return "the process"
}
