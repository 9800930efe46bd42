package tfapply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/terraform"
)

// planned is a plan that was made and read.
type planned struct {
	file    string
	changes bool // as Terraform says
	plan    *terraform.Plan
	review  terraform.Review
	digest  terraform.Digest
}

// makePlan plans, tells the review, and fills the outputs that a plan has. Without lock it needs no right to write.
func (s *session) makePlan(ctx context.Context, out *Outputs, lock bool) (*planned, error) {
	p := &planned{file: filepath.Join(s.work, "plan")}
	end := s.env.Events.Group(s.in.Engine.String() + " plan")
	var err error
	p.changes, err = s.runner.Plan(ctx, terraform.PlanOptions{
		Out: p.file, VarFiles: s.varFiles, Targets: s.in.Targets, Replace: s.in.Replace, Destroy: s.in.Mode == Destroy,
		RefreshOnly: s.in.RefreshOnly, More: s.args.Plan, Lock: lock, LockTimeout: s.in.LockTimeout, Parallelism: s.in.Parallelism,
	})
	end()
	if err != nil {
		return nil, s.explain(ctx, s.in.Engine.String()+" plan failed", err)
	}
	if p.plan, err = s.runner.ShowPlan(ctx, p.file); err != nil {
		return nil, s.explain(ctx, "The plan cannot be read", err)
	}
	s.runner.Redact = p.plan.Redact
	p.review = terraform.NewReview(p.plan)
	p.review.Partial = p.review.Partial || len(s.in.Targets) > 0 // OpenTofu does not say so
	digest := make(chan terraform.Digest, 1)
	go func() { digest <- p.plan.Digest(s.binding) }() // is slow on purpose: meanwhile the plan is told
	t := p.review.Totals
	out.Changes, out.Add, out.Change, out.Destroy, out.Replace = p.changes, t.Add, t.Change, t.Destroy, t.Replace
	out.Move, out.Import, out.Forget = t.Move, t.Import, t.Forget
	s.tellReview(p)
	p.digest = <-digest
	out.PlanDigest = p.digest.String()
	return p, s.writePlan(ctx, p, out)
}

// writePlan writes the plan to the files that are asked for.
func (s *session) writePlan(ctx context.Context, p *planned, out *Outputs) error {
	write := func(input, name string, to *string, content func(io.Writer) error) error {
		if name == "" {
			return nil
		}
		err := writeFile(name, content)
		if err != nil {
			return &action.Error{Outcome: action.Invalid, Title: "The plan cannot be written to " + input, Err: err}
		}
		s.giveBack(mustAbs(name))
		*to = name
		return nil
	}
	return errors.Join(
		write("text-file", s.in.TextFile, &out.TextFile, func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Join(p.review.Document(), "\n")+"\n")
			return err
		}),
		write("json-file", s.in.JSONFile, &out.JSONFile, func(w io.Writer) error { return s.runner.WritePlan(ctx, p.file, p.plan, w) }))
}

func writeFile(name string, content func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}

func (s *session) tellReview(p *planned) {
	end := s.env.Events.Group("Plan: " + p.review.Totals.String())
	for _, line := range p.review.Text() {
		s.env.Events.Notef("%s", line)
	}
	end()
	tell := func(prefix string, changes []terraform.Change) {
		for _, c := range changes {
			end := s.env.Events.Group(string(c.Action) + " " + prefix + c.Address)
			s.env.Events.Notef("%s", strings.Join(c.Folded(), "\n"))
			end()
		}
	}
	tell("", p.review.Resources)
	tell("output ", p.review.Outputs)
}

// title names the plan in summaries and comments.
func (s *session) title(what string) string {
	name := s.in.Environment
	if name == "" {
		name = s.place()
	}
	if s.in.Label != "" {
		name += " (" + s.in.Label + ")"
	}
	return what + " of " + name
}

// place is the directory as people write it: from the root of the repository.
func (s *session) place() string {
	if relative, err := filepath.Rel(s.root, s.dir); err == nil && relative != "." && !strings.HasPrefix(relative, "..") {
		return filepath.ToSlash(relative)
	}
	return filepath.Base(s.dir)
}

// guard refuses a plan that destroys what is protected, with every address named.
func (s *session) guard(p *planned) error {
	violations, idle := terraform.Guard{Protect: s.in.Protect, Allow: s.in.AllowDestroy}.Check(p.plan)
	if len(idle) > 0 {
		s.env.Events.Warnf("allow-destroy is not needed", "the plan destroys nothing at %s: take it out again, so that it permits nothing later",
			strings.Join(idle, ", "))
	}
	if len(violations) == 0 {
		return nil
	}
	var lines, addresses []string
	for _, v := range violations {
		verb := "destroyed"
		if v.Action.Replaces() {
			verb = "replaced"
		}
		by := v.Protected
		lines = append(lines, fmt.Sprintf("%s would be %s (protected: %s)", v.Address, verb, by))
		addresses = append(addresses, v.Address)
	}
	return &action.Error{
		Outcome: action.Invalid, Title: fmt.Sprintf("The plan destroys %d protected resources", len(violations)),
		Advice: "Nothing was changed. If it is meant, name these exact addresses in allow-destroy: " + strings.Join(addresses, ", "),
		Err:    fmt.Errorf("%s", strings.Join(lines, "\n")),
	}
}

// plan is the mode plan.
func (s *session) plan(ctx context.Context, out *Outputs) error {
	p, err := s.makePlan(ctx, out, false)
	if err != nil {
		return err
	}
	s.summary(p, "Plan", p.digestSection())
	if s.in.PlanFile != "" {
		if err := s.seal(ctx, p); err != nil {
			return err
		}
		out.PlanFile = s.in.PlanFile
	}
	s.comment(ctx, p)
	if err := s.guard(p); err != nil {
		return err
	}
	if !p.review.Changes() {
		out.Outcome = action.NoChange
	}
	return nil
}

// drift is the mode drift: the configuration stands, and whatever a plan would change is drift.
func (s *session) drift(ctx context.Context, out *Outputs) error {
	p, err := s.makePlan(ctx, out, false)
	if err != nil {
		return err
	}
	out.Drift = p.changes
	s.summary(p, "Drift")
	if err := s.reportDrift(ctx, p); err != nil {
		s.env.Events.Warnf("The report about drift is not up to date", "%v", err)
	}
	if !p.changes {
		out.Outcome = action.NoChange
		return nil
	}
	s.env.Events.Warnf("Drift", "%s: what runs is not what the configuration says: %s", s.place(), p.review.Totals)
	return nil
}
