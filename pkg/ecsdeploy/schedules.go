package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/schedule"
)

// Schedules are what starts tasks of the service's family at set times, and goes along with a deployment.
type Schedules struct {
	Names []string `input:"schedules" doc:"Schedules that run tasks of the service's family. They are pointed at the new revision once it is in force and has baked, and pointed back if it is rolled back: rule:NAME, rule:BUS/NAME, schedule:NAME, schedule:GROUP/NAME (EventBridge Scheduler) or ARNs, one per line."`
}

// checkSchedules returns what is wrong with the schedules by themselves.
func (in Inputs) checkSchedules() []error {
	_, problems := schedule.ParseNames("schedules", in.Schedules.Names)
	if len(in.Schedules.Names) > 0 && (!in.Wait || in.RegisterOnly || in.RenderOnly != "") {
		problems = append(problems, errors.New("schedules: they are pointed at a revision once it is deployed: this needs wait: true, and "+
			"neither register-only nor render-only"))
	}
	return problems
}

// scheduleNames are the schedules that go along: those of the input, or else of the file. ofFile says that they are of the file, which
// may have those of other services too. What is only registered or rendered takes none along.
func (in Inputs) scheduleNames() (names []schedule.Name, ofFile bool, problems []error) {
	names, _ = schedule.ParseNames("schedules", in.Schedules.Names)
	if len(names) > 0 || in.OfFile == nil || in.RegisterOnly || in.RenderOnly != "" {
		return names, false, nil // what is wrong with the input was told
	}
	names, problems = schedule.ParseNames(in.File+": schedules", in.OfFile.Schedules)
	if len(names) > 0 && !in.Wait {
		problems = append(problems, fmt.Errorf(
			"wait: %s has schedules, which are pointed at a revision once it is deployed: this needs wait: true", in.File))
	}
	return names, true, problems
}

// openSchedules reads the schedules and refuses what cannot be pointed at a revision of the service. Those of the file that are of other
// services are left out.
func (c *current) openSchedules(ctx context.Context) (*schedule.Set, []error) {
	names, ofFile, problems := c.in.scheduleNames()
	if len(names) == 0 || len(problems) > 0 {
		return nil, problems
	}
	client := schedule.New(c.conn.Config, c.env.Clock())
	if !ofFile || !c.in.OfFile.Partial {
		return client.Open(ctx, names, c.family)
	}
	var own []schedule.Schedule
	for _, name := range names {
		s, err := client.Read(ctx, name)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: schedules: %w", c.in.File, err))
		case len(s.Of(c.family)) > 0:
			own = append(own, s)
		}
	}
	if len(own) == 0 {
		return nil, problems
	}
	return client.Take(own), problems
}

// tellSchedules says what a dry run would do with them.
func (d *Deployment) tellSchedules() {
	if d.schedules == nil {
		return
	}
	revision := "the new revision of " + d.family
	if d.existing != nil {
		revision = d.existing.Name()
	}
	for _, s := range d.schedules.Schedules() {
		d.env.Events.Notef("%s would be pointed at %s; %s", s.Name, revision, s.When(d.env.Clock().Now()))
	}
}

// schedulesLimit is how long pointing schedules may take; pointGrace and unpointGrace are what is left of it for pointing them, and for
// pointing them back, once the run is interrupted: the service may have to be taken back after that, and the runner kills soon.
const (
	schedulesLimit = time.Minute
	pointGrace     = 1500 * time.Millisecond
	unpointGrace   = time.Second
)

// point points the schedules at the revision that serves (its ARN), and reports whether any was changed.
func (d *Deployment) point(ctx context.Context, revision string) (changed bool, failed *unpointedError) {
	if d.schedules == nil {
		return false, nil
	}
	return pointed(ctx, d.env.Events, d.schedules, "Schedules of "+d.family, func(ctx context.Context) error {
		return d.schedules.Point(ctx, d.env.Events, d.family, revision)
	})
}

// pointed has the schedules of a set pointed, and reports whether any was changed. Where that fails, those that were changed are pointed
// back. It ends soon after a run that is interrupted.
func pointed(ctx context.Context, events record.Sink, set *schedule.Set, title string,
	point func(context.Context) error) (changed bool, failed *unpointedError) {
	end := events.Group(title)
	defer end()
	pointing, done := outlive.Bounded(ctx, schedulesLimit, pointGrace)
	defer done()
	err := point(pointing)
	changed = len(set.Changes()) > 0
	if err == nil {
		return changed, nil
	}
	back, done := outlive.Bounded(ctx, schedulesLimit, unpointGrace)
	defer done()
	return changed, &unpointedError{err: err, left: set.Back(back, events)}
}

// unpointedError says that a schedule could not be pointed at a revision, and what could not be pointed back after that.
type unpointedError struct{ err, left error }

func (e *unpointedError) Error() string { return e.err.Error() }
func (e *unpointedError) Unwrap() error { return e.err }

// unpointedCode is the cause of a release whose schedules could not be pointed at it.
const unpointedCode = "schedule-not-pointed"

// finding is the cause of what is taken back for the sake of its schedules.
func (e *unpointedError) finding() record.Finding {
	return record.Finding{Code: unpointedCode, Title: "A schedule could not be pointed at the new revision",
		Fault: record.FaultInfrastructure, Evidence: []string{e.err.Error()}, Certain: true,
		Fix: []string{"Give the role of this run what docs/iam/ecs-deploy-schedules.json holds, with iam:PassRole on the schedule's own role."}}
}

// stuck is the error where schedules run the revision that was taken back.
func (e *unpointedError) stuck(service string) error {
	finding := e.finding()
	return &action.Error{Outcome: action.Stuck, Title: finding.Title, Finding: &finding, Err: fmt.Errorf("%w; and %w", e.err, e.left),
		Advice: fmt.Sprintf("Act now: point them at the revision that service %s runs (aws events put-targets, aws scheduler "+
			"update-schedule), or disable them.", service)}
}

// pointOrTakeBack points the schedules at a deployment that is complete, and takes it back where that fails: a release is all that it
// changes, or nothing.
func (e *ended) pointOrTakeBack(ctx context.Context, out *Outputs) error {
	changed, failed := e.point(ctx, e.revision.ARN)
	out.Changed = out.Changed || changed
	if failed == nil {
		return nil
	}
	finding := failed.finding()
	out.Cause = finding.Code
	back := e.takeBack(ctx, e.disposable && failed.left == nil, finding)
	switch {
	case failed.left != nil:
		return failed.stuck(e.in.Service)
	case action.OutcomeOf(back) != action.RolledBack:
		return back
	}
	return &action.Error{Outcome: action.RolledBack, Title: finding.Title, Finding: &finding,
		Err: fmt.Errorf("%w; service %s is back on %s, and the schedules are as they were", failed, e.in.Service,
			arn.Revision(e.result.Target.Previous))}
}

// pointServing points the schedules at the revision that is in force already, where nothing is deployed.
func (d *Deployment) pointServing(ctx context.Context, out Outputs) (Outputs, error) {
	changed, failed := d.point(ctx, d.existing.ARN)
	switch {
	case failed != nil && failed.left != nil:
		out.Outcome = action.Stuck
		return out, failed.stuck(d.in.Service)
	case failed != nil:
		finding := failed.finding()
		out.Outcome, out.Cause = action.Failed, finding.Code
		return out, &action.Error{Outcome: action.Failed, Title: finding.Title, Finding: &finding,
			Err: fmt.Errorf("%w; %s serves as before, and the schedules are as they were", failed, arn.Revision(d.existing.ARN))}
	case changed:
		out.Outcome, out.Changed = action.Succeeded, true
	}
	return out, nil
}
