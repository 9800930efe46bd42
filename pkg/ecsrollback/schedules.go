package ecsrollback

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/schedule"
)

// Values of the input schedules beside names.
const (
	schedulesAuto = "auto"
	schedulesNone = "none"
)

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	problems := in.Inputs.Validate()
	_, wrong := in.schedules()
	return append(problems, wrong...)
}

// schedules returns the schedules that are named: none where they are to be found, or left.
func (in Inputs) schedules() (names []schedule.Name, problems []error) {
	if len(in.Schedules) == 1 && slices.Contains([]string{schedulesAuto, schedulesNone}, in.Schedules[0]) {
		return nil, nil
	}
	return schedule.ParseNames("schedules", in.Schedules)
}

// openSchedules reads the schedules that are named, and refuses those that cannot go along.
func (r *Rollback) openSchedules(ctx context.Context) error {
	names, _ := r.in.schedules()
	if len(names) == 0 {
		return nil
	}
	family := schedule.Family(r.read.Service.TaskDefinition)
	set, problems := schedule.New(r.conn.Config, r.env.Clock()).Open(ctx, names, family)
	r.scheduled = set
	if len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// goesAlong reports whether a schedule that runs a revision is to be taken along where a rollback leaves one and goes to another: it
// runs the one that is left, or one that came after the one that is gone to.
func goesAlong(runs, left, back string) bool {
	runs, left, back = arn.Revision(runs), arn.Revision(left), arn.Revision(back)
	if arn.Family(runs) != arn.Family(back) || runs == back {
		return false
	}
	return runs == left || arn.Number(runs) > arn.Number(back)
}

// findSchedules finds the schedules of the service's cluster that run what is left.
func (r *Rollback) findSchedules(ctx context.Context, left, back string) (*schedule.Set, error) {
	client := schedule.New(r.conn.Config, r.env.Clock())
	found, err := client.Find(ctx, aws.ToString(r.read.service.ClusterArn))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s schedule.Schedule) bool {
		return s.Managed != "" || !slices.ContainsFunc(s.Targets, func(t schedule.Target) bool { return goesAlong(t.TaskDefinition, left, back) })
	})
	return client.Take(found), nil
}

// schedulesLimit is how long pointing schedules may take, and pointGrace what is left of it once the run is interrupted.
const (
	schedulesLimit = time.Minute
	pointGrace     = 5 * time.Second
)

// takeSchedules points the schedules at the revision that serves now. A rollback that was done stays done where that fails.
func (r *Rollback) takeSchedules(ctx context.Context, out *Outputs, original string) error {
	if slices.Equal(r.in.Schedules, []string{schedulesNone}) || out.TaskDefinitionARN == "" {
		return nil
	}
	ctx, done := outlive.Bounded(ctx, schedulesLimit, pointGrace)
	defer done()
	set := r.scheduled
	if set == nil {
		var err error
		set, err = r.findSchedules(ctx, out.PreviousTaskDefinitionARN, original)
		switch {
		case awserr.IsDenied(err), awserr.IsUnsupported(err):
			r.env.Events.Notef("schedules are not looked for, since this role may not read them: %v", err)
			return nil
		case err != nil:
			r.env.Events.Warnf("Schedules not known", "whether schedules run what was left could not be read: %v", err)
			return nil
		}
	}
	if len(set.Schedules()) == 0 {
		return nil
	}
	end := r.env.Events.Group("Schedules")
	err := set.Point(ctx, r.env.Events, schedule.Family(out.TaskDefinitionARN), out.TaskDefinitionARN)
	end()
	if len(set.Changes()) > 0 {
		out.Changed, out.Outcome = true, action.Succeeded
	}
	if err == nil {
		return nil
	}
	return &action.Error{Outcome: action.Stuck, Title: "Schedules still run what was left",
		Err: fmt.Errorf("service %s is back on %s, and %w", r.in.Service, arn.Revision(out.TaskDefinitionARN), err),
		Advice: "Act now: run it again with a role that has docs/iam/ecs-rollback-schedules.json, or disable the schedules. The service needs " +
			"nothing more."}
}
