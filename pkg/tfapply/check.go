package tfapply

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/terraform"
)

// format is the mode fmt: each file that is not formatted is marked where it first differs.
func (s *session) format(ctx context.Context, out *Outputs) error {
	files, diff, err := s.runner.Unformatted(ctx)
	if err != nil {
		return s.explain(ctx, s.in.Engine.String()+" fmt failed", err)
	}
	if len(files) == 0 {
		s.env.Events.Notef("everything in %s is formatted", s.place())
		out.Outcome = action.NoChange
		return nil
	}
	out.Changes = true
	end := s.env.Events.Group("What " + s.in.Engine.String() + " fmt would change")
	s.env.Events.Notef("%s", diff)
	end()
	lines := firstDifferences(diff)
	for _, file := range files {
		at := &record.Place{File: filepath.ToSlash(filepath.Join(s.place(), file)), Line: lines[file]}
		s.env.Events.Emit(record.Event{Kind: record.KindError, Title: "Not formatted", Text: at.File + " is not formatted", Place: at})
	}
	title := "A file is not formatted"
	if len(files) > 1 {
		title = fmt.Sprintf("%d files are not formatted", len(files))
	}
	return &action.Error{Outcome: action.Invalid, Title: title, Err: fmt.Errorf("%s fmt -check in %s", s.in.Engine, s.place()),
		Advice: "Run `" + s.in.Engine.String() + " fmt -recursive` there, and commit."}
}

var hunk = lazyregexp.New(`^@@ -(\d+)`)

// firstDifferences returns the first line that differs of each file of a diff.
func firstDifferences(diff string) map[string]int {
	lines, file, at := map[string]int{}, "", 0
	for line := range strings.Lines(diff) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "--- old/"):
			file, at = strings.TrimPrefix(line, "--- old/"), 0
		case strings.HasPrefix(line, "@@ -"):
			if m := hunk.FindStringSubmatch(line); m != nil {
				at, _ = strconv.Atoi(m[1])
			}
		case at == 0:
		case strings.HasPrefix(line, "-"), strings.HasPrefix(line, "+"):
			if lines[file] == 0 {
				lines[file] = at
			}
		default:
			at++
		}
	}
	return lines
}

// validate is the mode validate: without the backend, and so without credentials.
func (s *session) validate(ctx context.Context) error {
	end := s.env.Events.Group(s.in.Engine.String() + " init")
	err := s.runner.Init(ctx, terraform.InitOptions{Readonly: s.had && s.in.Lockfile == "readonly", Local: true})
	s.giveBack(terraform.LockFile)
	end()
	if err != nil {
		return s.explain(ctx, s.in.Engine.String()+" init failed", err)
	}
	if err := s.runner.Validate(ctx); err != nil {
		return s.explain(ctx, s.in.Engine.String()+" validate failed", err)
	}
	s.env.Events.Notef("the configuration in %s is valid", s.place())
	return nil
}
