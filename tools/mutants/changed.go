package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// changedSince returns the files of the module's packages that changed since a revision, and which of their lines did. What is
// not committed yet counts as well.
func changedSince(ctx context.Context, root, base string) ([]target, error) {
	diff, err := git(ctx, root, "diff", "--unified=0", "--no-color", "--no-ext-diff", "--relative", "--diff-filter=d", "--src-prefix=a/",
		"--dst-prefix=b/", base, "--", "*.go")
	if err != nil {
		return nil, err
	}
	fresh, err := git(ctx, root, "ls-files", "--others", "--exclude-standard", "--", "*.go")
	if err != nil {
		return nil, err
	}
	targets := changedLines(diff)
	for name := range strings.Lines(fresh) {
		targets = append(targets, target{file: strings.TrimSpace(name)})
	}
	modules, err := git(ctx, root, "ls-files", "--", "*go.mod")
	if err != nil {
		return nil, err
	}
	var ours []target
	for _, t := range targets {
		if isSource(t.file) && inModule(t.file, strings.Fields(modules)) {
			ours = append(ours, t)
		}
	}
	return ours, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

var hunk = regexp.MustCompile(`^@@ -\S+ \+(\d+)(?:,(\d+))? @@`)

// changedLines reads a diff without context.
func changedLines(diff string) []target {
	var targets []target
	for line := range strings.Lines(diff) {
		if file, ok := strings.CutPrefix(line, "+++ b/"); ok {
			targets = append(targets, target{file: strings.TrimSpace(file), lines: map[int]bool{}})
			continue
		}
		m := hunk.FindStringSubmatch(line)
		if m == nil || len(targets) == 0 {
			continue
		}
		first, _ := strconv.Atoi(m[1])
		count := 1
		if m[2] != "" {
			count, _ = strconv.Atoi(m[2])
		}
		for i := range count {
			targets[len(targets)-1].lines[first+i] = true
		}
	}
	return targets
}

func isSource(file string) bool {
	for _, part := range strings.Split(path.Dir(file), "/") {
		if part == "testdata" || strings.HasPrefix(part, "_") || len(part) > 1 && strings.HasPrefix(part, ".") {
			return false
		}
	}
	return !strings.HasSuffix(file, "_test.go")
}

// inModule says whether no other module's folder, of which these are the go.mod files, holds the file.
func inModule(file string, modules []string) bool {
	for _, m := range modules {
		if dir := path.Dir(m); dir != "." && strings.HasPrefix(file, dir+"/") {
			return false
		}
	}
	return true
}
