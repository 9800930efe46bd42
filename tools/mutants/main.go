// Mutants changes the module's code in one place at a time and asks whether a test of the same package notices. What no test
// notices is a decision that nothing holds.
//
//	go run ./tools/mutants                          the deciding files (deciding.txt)
//	go run ./tools/mutants pkg/hold pkg/x/y.go      these packages or files
//	go run ./tools/mutants -base REV -for 5m        the lines that changed since REV
//	go run ./tools/mutants -run '^TestPlan' FILE    with these tests alone, where the package's others are slow
//
// It fails where a deciding file has less than 90 % of its mutants killed, where a mutant survives that survivors.txt does not list
// with a reason, and where an entry of that list matches no mutant any more; with -base, also an entry of a file that changed. A test
// that runs into the time limit kills nothing.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// enough is the percentage of mutants that must be killed in a deciding file.
const enough = 90

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

type options struct {
	base      string
	limit     time.Duration
	list      bool
	only      string
	workers   int
	patience  time.Duration
	deciding  string
	survivors string
	targets   []string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.StringVar(&o.base, "base", "", "mutate only the lines that changed since this `revision`")
	flags.DurationVar(&o.limit, "for", 0, "start no mutant after this `time`; 0: no limit")
	flags.BoolVar(&o.list, "list", false, "list the mutants and run nothing")
	flags.StringVar(&o.only, "run", "", "run only the tests that match this `regexp`, as go test does; empty: all")
	flags.IntVar(&o.workers, "j", runtime.NumCPU(), "how many to run at the same time")
	flags.DurationVar(&o.patience, "patience", 10*time.Second, "a test hangs after ten times the `time` it needs without a mutant, and this")
	flags.StringVar(&o.deciding, "deciding", "tools/mutants/deciding.txt", "the list of deciding files")
	flags.StringVar(&o.survivors, "survivors", "tools/mutants/survivors.txt", "the list of mutants that may survive")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.targets = flags.Args()
	o.workers = max(o.workers, 1)
	return o, nil
}

// target is a file, and which of its lines are mutated; nil lines: all.
type target struct {
	file  string // from the module's root, with slashes
	lines map[int]bool
}

func run(ctx context.Context, out io.Writer, args []string) error {
	began := time.Now()
	o, err := parse(args)
	if err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	deciding, err := readDeciding(root, o.deciding)
	if err != nil {
		return err
	}
	listed, err := readSurvivors(filepath.Join(root, o.survivors))
	if err != nil {
		return err
	}
	targets, err := chosen(ctx, root, o, deciding)
	if err != nil {
		return err
	}
	var stale error // of whole files the report tells it
	if o.base != "" || o.list {
		if stale, err = staleEntries(ctx, root, listed, targets); err != nil {
			return err
		}
	}
	var packages []*pkg
	if len(targets) > 0 {
		if packages, err = load(ctx, root, targets); err != nil {
			return err
		}
	}
	if o.base == "" {
		for _, t := range targets {
			mutated := slices.ContainsFunc(packages, func(p *pkg) bool { return p.count([]string{t.file}) > 0 })
			if slices.Contains(deciding, t.file) && !mutated {
				return fmt.Errorf("%s has nothing to mutate, or is not built on this system", t.file)
			}
		}
	}
	// Deciding files first, so that a time limit cuts the others.
	slices.SortStableFunc(packages, func(a, b *pkg) int { return cmp.Compare(b.count(deciding), a.count(deciding)) })
	if len(packages) == 0 {
		fmt.Fprintln(out, "no line of Go code to mutate")
		return stale
	}
	if o.list {
		for _, p := range packages {
			for _, m := range p.mutants {
				fmt.Fprintf(out, "%s:%d: %s: %s\n", m.file, m.line, m.function, m.change())
			}
		}
		return stale
	}
	if o.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, began.Add(o.limit), errTime)
		defer cancel()
	}
	for _, p := range packages {
		if err := p.run(ctx, o, out); err != nil {
			return fmt.Errorf("%s: %w", p.path, err)
		}
	}
	if err := ctx.Err(); err != nil && !errors.Is(context.Cause(ctx), errTime) {
		return context.Cause(ctx)
	}
	return errors.Join(report(out, packages, verdict{deciding: deciding, listed: listed, partial: o.base != ""}), stale)
}

// errTime is why mutants are left out once the time that -for gives is over.
var errTime = errors.New("the time limit is reached")

// chosen are the files to mutate: those that changed, those that were named, or the deciding ones.
func chosen(ctx context.Context, root string, o options, deciding []string) ([]target, error) {
	if o.base != "" {
		changed, err := changedSince(ctx, root, o.base)
		if err != nil || len(o.targets) == 0 {
			return changed, err
		}
		named, err := filesOf(root, o.targets)
		return slices.DeleteFunc(changed, func(t target) bool { return !slices.Contains(named, t.file) }), err
	}
	files := deciding
	if len(o.targets) > 0 {
		named, err := filesOf(root, o.targets)
		if err != nil {
			return nil, err
		}
		files = named
	}
	var all []target
	for _, file := range files {
		all = append(all, target{file: file})
	}
	return all, nil
}

// filesOf turns packages' folders and files into files.
func filesOf(root string, names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		name = filepath.ToSlash(filepath.Clean(name))
		if strings.HasSuffix(name, ".go") {
			files = append(files, name)
			continue
		}
		in, err := filepath.Glob(filepath.Join(root, name, "*.go"))
		if err != nil {
			return nil, err
		}
		before := len(files)
		for _, path := range in {
			if !strings.HasSuffix(path, "_test.go") {
				files = append(files, name+"/"+filepath.Base(path))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s has no Go files", name)
		}
	}
	return files, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if file == "" || file == os.DevNull {
		return "", errors.New("this folder is not part of a Go module")
	}
	return filepath.Dir(file), nil
}

// readDeciding reads the list of deciding files; every one must be there.
func readDeciding(root, list string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		return nil, fmt.Errorf("reading the list of deciding files: %w", err)
	}
	var files []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, line)); err != nil {
			return nil, fmt.Errorf("%s: %w: if the file was moved, correct the list", list, err)
		}
		files = append(files, line)
	}
	return files, nil
}
