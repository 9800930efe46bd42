package tfapply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/terraform"
)

// apply is the modes apply and destroy: plan afresh, check that it is what was reviewed, apply that very plan.
func (s *session) apply(ctx context.Context, out *Outputs) error {
	reviewed, err := s.reviewed(ctx)
	if err != nil {
		return err
	}
	if s.env.Var("RUNNER_ENVIRONMENT") == "self-hosted" {
		s.env.Events.Notef("if the job is cancelled, the action's post step waits for the apply; runners before 2.329 run no such step: " +
			"there, look at " +
			"the state before the next run")
	}
	defer s.leaveRecord(ctx)()
	p, err := s.makePlan(ctx, out, true)
	if err != nil {
		return err
	}
	if !p.changes {
		s.summary(p, "Apply")
		out.Outcome = action.NoChange
		return s.outputs(ctx, out)
	}
	if err := errors.Join(s.guard(p), s.compare(reviewed, p)); err != nil {
		s.summary(p, "Not applied: plan", p.digestSection())
		return err
	}
	applied, err := s.execute(ctx, p)
	if err == nil && applied.Unsaved == "" {
		err = s.outputs(context.WithoutCancel(ctx), out)
	} else if readErr := s.outputs(context.WithoutCancel(ctx), out); readErr != nil {
		s.env.Events.Debugf("%v", readErr)
	}
	return err
}

// reviewedPlan is the plan that was reviewed.
type reviewedPlan struct {
	digest terraform.Digest
	from   string   // where it is from, for people
	lines  []string // what the plan said; nil where only its digest is known
}

// reviewed finds the plan that was reviewed. It is nil where none is needed: approve is auto, or destroy was confirmed.
func (s *session) reviewed(ctx context.Context) (*reviewedPlan, error) {
	switch {
	case s.in.PlanFile != "":
		return s.unseal(ctx)
	case s.in.PlanDigest != "":
		digest, err := terraform.ParseDigest(s.in.PlanDigest)
		return &reviewedPlan{digest: digest, from: "plan-digest"}, err
	case s.in.Approve == "auto", s.in.Mode == Destroy:
		return nil, nil
	}
	found, err := s.reviewedInComment(ctx)
	if err != nil {
		return nil, &action.Error{
			Outcome: action.Invalid, Title: "There is no reviewed plan to compare with", Err: err,
			Advice: "Pass plan-digest from the job that planned (needs.plan.outputs.plan-digest), or plan-file with plan-key, or a token with " +
				"pull-requests: read if the plan is in the comment of a merged pull request. approve: auto applies without a review.",
		}
	}
	return found, nil
}

// compare refuses a plan that is not the reviewed one, and says what differs.
func (s *session) compare(reviewed *reviewedPlan, p *planned) error {
	if reviewed == nil || reviewed.digest.Same(p.digest) {
		if reviewed != nil {
			s.env.Events.Notef("this is the reviewed plan (%s)", reviewed.from)
		}
		return nil
	}
	text := "the plan of now is not the plan that was reviewed (" + reviewed.from + ")"
	if differs := p.digest.Differs(reviewed.digest); len(differs) > 0 {
		text += "; what differs: " + strings.Join(differs, "; ")
	}
	if reviewed.lines != nil {
		only, now := difference(reviewed.lines, planLines(p.review))
		for _, line := range only {
			text += "\n- " + line
		}
		for _, line := range now {
			text += "\n+ " + line
		}
	}
	return &action.Error{
		Outcome: action.Invalid, Title: "The plan has changed since it was reviewed", Err: errors.New(text),
		Advice: "Nothing was applied. Look at the plan above, and plan and review again.",
	}
}

// State that could not be uploaded is pushed again so many times, after these waits: 2, 10 and 30 s.
const pushTries = 3

var pushWaits = backoff.Policy{First: 2 * time.Second, Most: 30 * time.Second, Factor: 5, Steady: true}

// execute applies the plan and owns up to how it ended.
func (s *session) execute(ctx context.Context, p *planned) (terraform.Applied, error) {
	insist, release := run.HoldSignals()
	defer release()
	status := s.beginStatus(p)
	end := s.env.Events.Group(s.in.Engine.String() + " apply")
	o := terraform.ApplyOptions{Plan: p.file, LockTimeout: s.in.LockTimeout, Parallelism: s.in.Parallelism}
	if len(p.plan.Missing) > 0 {
		o.VarFiles = s.varFiles
	}
	applied, err := s.runner.Apply(ctx, o, insist)
	end()
	if errors.Is(err, terraform.ErrNotBegun) {
		status.end(action.Cancelled, err.Error())
		return applied, err
	}
	if applied.Unsaved != "" {
		var leftover *terraform.LeftoverError
		if errors.As(err, &leftover) {
			failure := &action.Error{Outcome: action.Invalid, Title: "An earlier state was never uploaded", Err: err}
			status.end(action.Invalid, failure.Error())
			return applied, failure
		}
		s.saveState(ctx, &applied)
	}
	failure := s.verdict(applied, err)
	s.tellApplied(p, applied, failure)
	status.end(action.OutcomeOf(failure), s.verdictLine(p, applied, failure))
	if failure != nil {
		return applied, failure
	}
	return applied, nil
}

// saveState pushes the state that Terraform could not upload. What cannot be pushed is kept.
func (s *session) saveState(ctx context.Context, applied *terraform.Applied) {
	ctx = context.WithoutCancel(ctx)
	var err error
	for n := range pushTries {
		time.Sleep(pushWaits.Wait(n + 1))
		if err = s.runner.PushState(ctx, applied.Unsaved); err == nil {
			s.env.Events.Notef("the state that could not be uploaded was pushed now")
			if os.Remove(applied.Unsaved) == nil {
				applied.Unsaved = ""
			}
			return
		}
		s.env.Events.Notef("the state still cannot be uploaded: %v", err)
	}
	s.giveBack(applied.Unsaved)
}

// verdict turns the end of an apply into the run's.
func (s *session) verdict(a terraform.Applied, err error) error {
	switch {
	case a.Unsaved != "":
		return &action.Error{
			Outcome: action.Stuck, Title: "The state was not saved: act now",
			Advice: "What was made is recorded only in " + a.Unsaved +
				". Keep the file (it holds secrets), find out why the backend refuses it, then run `" + s.in.Engine.String() +
				" state push errored.tfstate` in " + s.place() + ". Do not apply again before that.",
			Err: orText(err, "the state could not be uploaded"),
		}
	case a.Interrupted:
		return &action.Error{
			Outcome: action.Cancelled, Title: "Terraform was interrupted; its state is saved", Advice: s.repairs(a),
			Err: orText(err, s.in.Engine.String()+" apply was interrupted"),
		}
	case err == nil && a.Cancelled:
		s.env.Events.Warnf("The apply is complete", "the run was cancelled while Terraform was applying; it was left to finish, and did")
		return nil
	case err == nil:
		return nil
	}
	var failure *terraform.Failure
	if lock, ok := terraform.HeldLock(err); ok {
		return &action.Error{Outcome: action.Invalid, Title: "The state is locked",
			Err: fmt.Errorf("%s%s: %w", tellLock(lock), s.byRun(lock), err), Advice: "Nothing was applied. Repeat the run when that one has ended."}
	}
	title, place := s.in.Engine.String()+" apply failed", (*record.Place)(nil)
	if errors.As(err, &failure) {
		switch {
		case failure.Says("saved plan is stale"):
			return &action.Error{Outcome: action.Invalid, Title: "Somebody else changed the state meanwhile", Err: err,
				Advice: "Nothing was applied. Plan and review again."}
		case failure.Code < 0:
			return &action.Error{Outcome: action.Unknown, Title: "Terraform was killed", Err: err,
				Advice: "What it was changing may be missing from the state: " + s.repairs(a)}
		case failure.Title() != "":
			title, err = failure.Title(), causeOf(failure)
		}
		place = failure.Place
	}
	return &action.Error{
		Outcome: action.Failed, Title: title, Err: err, Place: place,
		Advice: fmt.Sprintf("%d resources were completed before, and the state is saved. Mend the cause and plan again.", a.Done),
	}
}

func orText(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

// repairs names what was cut off, with the line that repairs it.
func (s *session) repairs(a terraform.Applied) string {
	if len(a.CutOff) == 0 {
		return "Nothing was under way."
	}
	text := "These were under way; look at each:"
	for _, c := range a.CutOff {
		text += "\n" + c.Address + " (" + c.Action + "): " + c.Repair(s.in.Engine)
	}
	return text
}

func (s *session) tellApplied(p *planned, a terraform.Applied, failure error) {
	what := "Applied: plan"
	if failure != nil {
		what = "Failed apply"
	}
	s.summary(p, what, s.cutOffSection(a))
	s.env.Events.Notef("%s", s.verdictLine(p, a, failure))
}

func (s *session) verdictLine(p *planned, a terraform.Applied, failure error) string {
	if failure == nil {
		return fmt.Sprintf("applied: %s (%d resources done)", p.review.Totals, a.Done)
	}
	return fmt.Sprintf("not complete: %d resources done, planned %s", a.Done, p.review.Totals)
}

// planLines are what a plan says, one line for each attribute, so that two plans can be compared.
func planLines(r terraform.Review) []string {
	lines := []string{}
	for _, c := range r.Moves {
		lines = append(lines, "moved "+c.Previous+" -> "+c.Address)
	}
	for _, c := range r.Imports {
		lines = append(lines, "imported "+c.Address+" "+c.Importing)
	}
	add := func(prefix string, changes []terraform.Change) {
		for _, c := range changes {
			lines = append(lines, fmt.Sprintf("%s%s: %s", prefix, c.Address, c.Action))
			for _, line := range c.Lines() {
				lines = append(lines, fmt.Sprintf("%s%s: %s", prefix, c.Address, line))
			}
		}
	}
	add("", r.Resources)
	add("output ", r.Outputs)
	return lines
}

// difference returns the lines that only one of two lists has, in their order.
func difference(before, after []string) (gone, come []string) {
	missing := func(from, in []string) (out []string) {
		known := map[string]bool{}
		for _, line := range in {
			known[line] = true
		}
		for _, line := range from {
			if !known[line] {
				out = append(out, line)
			}
		}
		return out
	}
	return missing(before, after), missing(after, before)
}

// runnerTemp is the folder that this container shares with the one of the post step.
func (s *session) runnerTemp() string {
	if dir := s.env.Var("RUNNER_TEMP"); dir != "" {
		return dir
	}
	return filepath.Clean(os.TempDir())
}
