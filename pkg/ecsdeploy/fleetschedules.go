package ecsdeploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/schedule"
)

// openSchedules reads the schedules of a release of several services, and refuses what runs none of their families.
func (f *Fleet) openSchedules(ctx context.Context, in Inputs) (problems []error) {
	names, _, problems := in.scheduleNames()
	if len(names) == 0 || len(problems) > 0 {
		return problems
	}
	var families []string
	for _, d := range f.services {
		families = append(families, d.family)
	}
	slices.Sort(families)
	f.schedules, problems = schedule.New(f.services[0].conn.Config, f.env.Clock()).Open(ctx, names, slices.Compact(families)...)
	return problems
}

// point points the schedules at what the services serve that have arrived, or had what was wanted already: after all of them, and their
// bakes. It reports whether any was changed.
func (f *Fleet) point(ctx context.Context, all []fleet.Standing, ends []ended) (changed bool, failed *unpointedError) {
	if f.schedules == nil {
		return false, nil
	}
	if f.services[0].in.DryRun {
		for _, s := range f.schedules.Schedules() {
			f.env.Events.Notef("%s would be pointed at what is released; %s", s.Name, s.When(f.env.Clock().Now()))
		}
		return false, nil
	}
	return pointed(ctx, f.env.Events, f.schedules, "Schedules", func(ctx context.Context) error {
		done := map[string]bool{} // families
		for i, s := range all {
			family := f.services[i].family
			if done[family] || s.Err != nil || s.After != fleet.Arrived && s.After != fleet.Unchanged || ends[i].revision == nil {
				continue
			}
			done[family] = true
			if err := f.schedules.Point(ctx, f.env.Events, family, ends[i].revision.ARN); err != nil {
				return err
			}
		}
		return nil
	})
}

// unpointed takes back what was deployed where schedules could not be pointed at it, if all belongs together, and returns what the
// verdict says of them; nil where nothing failed. A revision that a schedule still runs stays registered.
func (f *Fleet) unpointed(ctx context.Context, failed *unpointedError, all []fleet.Standing, outs []Outputs, ends []ended) *fleet.Standing {
	if failed == nil {
		return nil
	}
	finding := failed.finding()
	f.env.Events.Warnf(finding.Title, "%v", failed)
	if failed.left != nil {
		for i := range ends {
			ends[i].fresh = false
		}
	}
	if f.together {
		f.goBack(ctx, all, outs, ends)
	}
	s := &fleet.Standing{Name: "schedules", After: fleet.Ended, Place: len(all) + 1}
	s.Err = &action.Error{Outcome: action.Failed, Title: finding.Title, Finding: &finding,
		Err: fmt.Errorf("%w; all schedules are as they were", failed)}
	if failed.left != nil {
		s.Err = &action.Error{Outcome: action.Stuck, Title: finding.Title, Finding: &finding, Err: fmt.Errorf("%w; and %w", failed, failed.left),
			Advice: "Act now: point them at what their services run (aws events put-targets, aws scheduler update-schedule), or disable them."}
	}
	return s
}

// pointBack points the schedules at what a service is back on that still run what was taken back: an earlier attempt at the release may
// have pointed them there.
func (f *Fleet) pointBack(ctx context.Context, e ended) error {
	if f.schedules == nil || e.revision == nil {
		return nil
	}
	before, _ := replacedBy(e.revision.ARN, e.before, e.replaces)
	if before == e.revision.ARN {
		return nil
	}
	ctx, done := outlive.Bounded(ctx, schedulesLimit, unpointGrace)
	defer done()
	for _, s := range f.schedules.Schedules() {
		runs := slices.ContainsFunc(s.Targets, func(t schedule.Target) bool { return t.Runs(e.revision.ARN) })
		if !runs {
			continue
		}
		set := schedule.New(e.conn.Config, e.env.Clock()).Take([]schedule.Schedule{s})
		if err := set.Point(ctx, e.env.Events, e.family, before); err != nil {
			return fmt.Errorf("%s is back on %s, and a schedule still runs %s: %w", e.in.Service, arn.Revision(before), e.revision.Name(), err)
		}
	}
	return nil
}

// strangers are the containers of the file, and the keys of the input images, that no service has.
func (f *Fleet) strangers(in Inputs) (problems []error) {
	var has []string
	for _, d := range f.services {
		has = append(has, d.rendered.Containers()...)
	}
	slices.Sort(has)
	return strangers(in, slices.Compact(has))
}
