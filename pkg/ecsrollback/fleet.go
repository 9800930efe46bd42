package ecsrollback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/schedule"
)

// refused is the title of what keeps a rollback from being begun.
const refused = "The rollback was not started: nothing was changed"

// Fleet is the rollback of several services that was checked and can be executed.
type Fleet struct {
	env      *action.Env
	in       Inputs
	names    []string
	members  []fleet.Member // in the order of a release: a rollback goes the other way
	services []*Rollback
	goes     []bool // which go back: of the others the newest release has changed nothing
}

// PrepareFleet is Prepare for several services. The problems of all that would go back are returned together.
func PrepareFleet(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs, chosen project.Chosen) (*Fleet, error) {
	if err := awsconn.Refuse(ctx, refused, in.alone(chosen)...); err != nil {
		return nil, err
	}
	sharing := *conn
	sharing.Config = ecsview.Share(conn.Config, awsconn.Patient(conn.Config, in.Timeout), env.Clock())
	n := len(chosen.Members)
	f := &Fleet{env: env, in: in, services: make([]*Rollback, n), goes: make([]bool, n)}
	problems := make([]error, n)
	f.members, f.names = fleet.MembersOf(chosen.Members)
	named, _ := in.schedules()
	fleet.Each(n, fleet.AtOnce, func(i int) {
		own := in
		own.Service = chosen.Members[i].Service
		if len(named) > 0 {
			own.Schedules = []string{schedulesNone} // until it is known whose they are
		}
		f.services[i], problems[i] = open(ctx, env.Lane(f.names[i]), &sharing, own)
	})
	f.choose()
	for i := range problems {
		if !f.goes[i] {
			problems[i] = nil
		}
	}
	if err := fleet.Refusal(refused, f.names, problems); err != nil {
		return nil, awsconn.Refuse(ctx, refused, err)
	}
	if err := awsconn.Refuse(ctx, refused, f.openSchedules(ctx, named)...); err != nil {
		return nil, err
	}
	return f, nil
}

// alone returns what the inputs ask for that makes sense for one service alone.
func (in Inputs) alone(chosen project.Chosen) []error {
	to := strings.TrimSpace(in.To)
	if to == "" || to == previous || strings.HasPrefix(to, "sha256:") || history.ByName(to) {
		return nil
	}
	return []error{fmt.Errorf("to: %s names a version of one service, and %s has %d: name one with service; or give previous, an image tag, "+
		"a commit or an image's digest", to, in.File, len(chosen.Members))}
}

// choose decides which services go back. Where it is said where to go, all do; otherwise what the newest release has changed. One whose
// state could not be read is told with its own problem.
func (f *Fleet) choose() {
	var all []running
	for i, r := range f.services {
		f.goes[i] = true
		all = append(all, r.decided.running)
	}
	if f.services[0].in.To != previous {
		return
	}
	of := released(all)
	for i, r := range f.services {
		f.goes[i] = of[i] || !r.decided.known
	}
}

// openSchedules reads the schedules that are named, and gives each service that goes back those that run its family.
func (f *Fleet) openSchedules(ctx context.Context, names []schedule.Name) []error {
	if len(names) == 0 {
		return nil
	}
	var families []string
	for _, r := range f.services {
		families = append(families, schedule.Family(r.read.Service.TaskDefinition))
	}
	client := schedule.New(f.services[0].conn.Config, f.env.Clock())
	set, problems := client.Open(ctx, names, families...)
	for i, r := range f.services {
		if !f.goes[i] {
			continue
		}
		family := schedule.Family(r.read.Service.TaskDefinition)
		var own []schedule.Schedule
		var given []string
		for _, s := range set.Schedules() {
			if len(s.Of(family)) > 0 {
				own, given = append(own, s), append(given, s.Name.String())
			}
		}
		if len(own) > 0 {
			r.in.Schedules, r.scheduled = given, client.Take(own)
		}
	}
	return problems
}

// Execute rolls the services back: what is deployed after another one goes back before it. Where one fails, those that were deployed
// before it stay as they are, since what could not go back may need them; the others go back. None is put forward again: that is the
// version which was to be left.
func (f *Fleet) Execute(ctx context.Context) (Outputs, error) {
	outs := make([]Outputs, len(f.services))
	results := fleet.Run(ctx, fleet.Reversed(f.members), false, func(ctx context.Context, i int) error {
		r := f.services[i]
		if !f.goes[i] {
			return nil
		}
		_, end := fleet.Begin(f.env, f.names[i])
		var err error
		outs[i], err = r.Execute(ctx)
		end(outs[i].Outcome, err)
		return err
	})
	all := f.standings(ctx, results, outs)
	fleet.Tell(f.env.Events, all)
	out := Outputs{Services: fleet.JSON(all)}
	fault := fleet.Fault(all)
	for i, one := range outs {
		out.Changed = out.Changed || one.Changed
		if fault != nil && fault.Name == all[i].Name {
			out.Cause = one.Cause
		}
	}
	interrupted := ctx.Err() != nil && !fleet.EndedWell(all)
	out.Outcome = fleet.Outcome(all, interrupted, out.Changed)
	if fleet.EndedWell(all) {
		out.Digest, out.Commit = f.agreed(outs)
	}
	return out, f.advised(fleet.Verdict(all, interrupted, out.Changed))
}

// agreed returns the digest and the commit that all services that went back have in common; "" where they differ.
func (f *Fleet) agreed(outs []Outputs) (digest, commit string) {
	first := true
	for i, out := range outs {
		switch {
		case !f.goes[i]:
			continue
		case first:
			digest, commit, first = out.Digest, out.Commit, false
		}
		if out.Digest != digest {
			digest = ""
		}
		if out.Commit != commit {
			commit = ""
		}
	}
	return digest, commit
}

// readLimit is how long reading what a service is on may take after a run that was interrupted.
const readLimit = 2 * time.Second

// standings are how the services are when all rollbacks have ended.
func (f *Fleet) standings(ctx context.Context, results []fleet.Result, outs []Outputs) []fleet.Standing {
	all := make([]fleet.Standing, len(results))
	limited, done := outlive.Cleanup(ctx, readLimit)
	defer done()
	for i, result := range results {
		r := f.services[i]
		all[i] = fleet.Standing{Name: f.names[i], Service: r.in.Service, Place: result.Place, Err: result.Err,
			Revision: arn.Revision(outs[i].TaskDefinitionARN)}
		switch {
		case result.State == fleet.Skipped:
			all[i].After, all[i].Revision = fleet.Untouched, arn.Revision(r.read.Service.TaskDefinition)
		case !f.goes[i]:
			all[i].After, all[i].Revision = fleet.Apart, arn.Revision(r.read.Service.TaskDefinition)
		case result.Err != nil:
			all[i].After, all[i].Revision = fleet.Halfway, r.nowOn(limited)
		case f.in.DryRun:
			all[i].After, all[i].Revision = fleet.Rehearsed, arn.Revision(r.decided.serves())
		case outs[i].Outcome == action.NoChange:
			all[i].After = fleet.Unchanged
		default:
			all[i].After = fleet.Restored
		}
	}
	return all
}

// nowOn says what the service is on now, and what is under way; "" where that cannot be read.
func (r *Rollback) nowOn(ctx context.Context) string {
	now, err := ecsview.Read(ctx, r.client, r.in.Cluster, r.in.Service)
	if err != nil {
		r.env.Events.Debugf("what %s is on is not known: %v", r.in.Service, err)
		return ""
	}
	serving := arn.Revision(now.Worked())
	if primary := now.Primary(); primary.InProgress() && arn.Revision(primary.TaskDefinition) != serving {
		return serving + ", and " + arn.Revision(primary.TaskDefinition) + " is being deployed"
	}
	return serving
}

// advised says what to run next after a rollback that did not bring all services back.
func (f *Fleet) advised(err error) error {
	var failure *action.Error
	if !errors.As(err, &failure) {
		return err
	}
	next := "What to run next: the same rollback again. What is back by then stays, and the others are tried once more. Or one service " +
		"alone, with service and, where it should go elsewhere, to."
	failure.Advice = strings.TrimSpace(failure.Advice + "\n" + next)
	return failure
}
