package tfapply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/terraform"
)

// changed is the mode changed: which root modules differ from those of another commit. It needs git, and neither Terraform nor AWS.
func changed(ctx context.Context, env *action.Env, in Inputs, out *Outputs) error {
	s := &session{env: env, in: in}
	dir, err := filepath.Abs(in.Directory)
	if err != nil {
		return action.Invalidf("directory: %w", err)
	}
	s.dir, s.root = dir, env.GitHub.Workspace
	if s.root == "" || !within(s.root, dir) {
		s.root = repositoryOf(dir)
	}
	files, err := s.changedFiles(ctx)
	if err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "git cannot say what has changed", Err: err,
			Advice: "Let actions/checkout fetch the history: `fetch-depth: 0`. changed-since is a commit, or a branch with its remote: origin/main."}
	}
	below, err := filepath.Rel(s.root, s.dir)
	if err != nil {
		return action.Invalidf("directory: %w", err)
	}
	roots, err := terraform.FindRoots(s.root, filepath.ToSlash(below))
	if err != nil {
		return action.Invalidf("directory: the root modules in %s: %w", in.Directory, err)
	}
	if len(roots) == 0 {
		return action.Invalidf("directory: there are no Terraform files in %s", in.Directory)
	}
	list := terraform.ChangedBy(roots, files)
	if list == nil {
		list = []string{}
		out.Outcome = action.NoChange
	}
	env.Events.Notef("%d of %d root modules changed since %s: %s", len(list), len(roots), in.ChangedSince, strings.Join(list, ", "))
	out.Changes = len(list) > 0
	out.Matrix, err = json.Marshal(list)
	return err
}

// changedFiles asks git for the files that differ from where this commit left the other one.
func (s *session) changedFiles(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, "git", "diff", "--name-only", "-z", "--no-renames", s.in.ChangedSince+"...HEAD", "--")
	cmd.Dir = repositoryOf(s.dir)
	prefix, err := filepath.Rel(s.root, cmd.Dir) // a repository may be checked out into a folder of the workspace
	if err != nil {
		return nil, err
	}
	cmd.Env = s.env.Inherited()
	for name, value := range s.gitEnvironment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	text, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("git diff %s...HEAD in %s: %w: %s", s.in.ChangedSince, cmd.Dir, err, strings.TrimSpace(string(exit.Stderr)))
	} else if err != nil {
		return nil, fmt.Errorf("git diff in %s: %w", cmd.Dir, err)
	}
	var files []string
	for name := range strings.SplitSeq(string(text), "\x00") {
		if name != "" {
			files = append(files, filepath.ToSlash(filepath.Join(prefix, name)))
		}
	}
	return files, nil
}
