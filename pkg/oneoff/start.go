package oneoff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/record"
)

// start starts the task. It tries again while there is no capacity, while a new role has not reached ECS, and, with the same
// token, after a call whose answer was lost: ECS then returns the task that it has started already.
func (r *run) start(ctx context.Context) error {
	attempt, untagged := 1, false
	for try := 1; ; try++ {
		call, done := outlive.Answer(ctx, answerPatience)
		out, err := r.clients.ECS.RunTask(call, r.spec.input(attempt, untagged))
		done()
		if err == nil && len(out.Tasks) > 0 {
			r.last = out.Tasks[0]
			r.result.TaskARN = aws.ToString(r.last.TaskArn)
			return nil
		}
		if !untagged && deniesTags(err) {
			awserr.Optional(r.tell, "The tags of the task", err)
			untagged = true
			attempt++ // a token stands for its parameters
			continue
		}
		again, failure := judge(out, err)
		if ctx.Err() != nil {
			return r.cancelledAtStart(ctx, err)
		}
		wait := startAgain.Wait(try)
		if again == never || clock.Since(r.clock, r.began)+wait > min(startPatience, r.spec.Timeout) {
			return r.notStarted(failure, err)
		}
		if again == refused {
			attempt++ // nothing was started, and the old token might be answered with the old refusal
		}
		r.tell(record.Event{Kind: record.KindNote, Text: fmt.Sprintf("%s; trying again in %s", failure.Title, wait)})
		if r.clock.Sleep(ctx, wait) != nil {
			return r.cancelledAtStart(ctx, err)
		}
	}
}

// deniesTags reports whether a task was refused for its tags alone.
func deniesTags(err error) bool {
	return awserr.IsDenied(err) && strings.Contains(err.Error(), "ecs:TagResource")
}

// startAgain is how long a start that failed is waited for before the next.
var startAgain = backoff.Policy{First: 2 * time.Second, Most: 30 * time.Second, Steady: true}

// retry says whether starting may be tried again.
type retry int

const (
	never    retry = iota
	refused        // nothing was started
	unheard        // no answer: something may have been started
	uncalled       // throttled: nothing was started, and the token is unused
)

// judge decides what an answer of RunTask without a task means.
func judge(out *ecs.RunTaskOutput, err error) (retry, record.Finding) {
	if err != nil {
		switch {
		case awserr.IsLost(err):
			return unheard, record.Finding{Title: "ECS did not answer"}
		case awserr.IsThrottled(err):
			return uncalled, record.Finding{Title: "ECS throttles the account's calls"}
		}
		c, _ := diagnose.CallFailure(message(err))
		if c.Code == "role-not-assumable" || c.Code == "capacity-unavailable" {
			return refused, c
		}
		return never, c
	}
	var f types.Failure
	if len(out.Failures) > 0 {
		f = out.Failures[0]
	}
	c := diagnose.PlacementFailure(aws.ToString(f.Reason), aws.ToString(f.Detail))
	if c.Code == "capacity-unavailable" || c.Code == "no-container-instance" {
		return refused, c
	}
	return never, c
}

// notStarted is the error of a task that could not be started.
func (r *run) notStarted(c record.Finding, err error) error {
	if err == nil {
		return r.because(Refused, c, fmt.Errorf("running %s in cluster %s: ECS started no task: %s", r.spec.TaskDefinition, r.spec.Cluster,
			strings.Join(c.Evidence, "; ")))
	}
	if c.Code == "" { // nothing is known but the error
		c.Title = ""
	}
	failed := r.because(NotStarted, c, fmt.Errorf("running %s in cluster %s: %w", r.spec.TaskDefinition, r.spec.Cluster, awserr.Explain(err)))
	if awserr.IsLost(err) {
		failed.end, failed.Title = Lost, "ECS did not answer: the task may have been started"
		failed.Advice = fmt.Sprintf("Look before running it again: `aws ecs list-tasks --cluster %s --family %s`.",
			r.spec.Cluster, r.spec.family())
	}
	return failed
}

// cancelledAtStart is the error of a run that was cancelled before ECS named a task.
func (r *run) cancelledAtStart(ctx context.Context, err error) error {
	cancelled := &failure{end: Cancelled, Failure: record.Failure{Title: "The run was cancelled before the task started",
		Err: fmt.Errorf("running %s in cluster %s: %w", r.spec.TaskDefinition, r.spec.Cluster, ctx.Err())}}
	if err != nil { // a call was under way, and its answer did not come in time
		cancelled.end = Lost
		cancelled.Advice = fmt.Sprintf("Whether ECS has started it is not known: `aws ecs list-tasks --cluster %s --family %s`.",
			r.spec.Cluster, r.spec.family())
	}
	return cancelled
}

// refuseIfBusy looks for another task of the family before anything is started. One that is being stopped is waited for: it is
// on its way out, and its container may still run for as long as its stop timeout lets it.
func (r *run) refuseIfBusy(ctx context.Context) error {
	for told := false; ; {
		others, err := r.others(ctx)
		if err != nil {
			if awserr.Optional(r.tell, "Whether another task of the family is running", err) {
				return nil
			}
			return &failure{end: NotStarted, Failure: record.Failure{Err: awserr.Explain(err)}}
		}
		other, leaving := inTheWay(others)
		switch {
		case other == nil:
			r.began = r.clock.Now() // what was waited for is no time of the task
			return nil
		case !leaving || clock.Since(r.clock, r.began) > stopPatience:
			return busy(aws.ToString(other.TaskArn))
		case !told:
			told = true
			r.tell(record.Event{Kind: record.KindNote,
				Text: fmt.Sprintf("task %s of this family is being stopped: waiting for its end", arn.Last(aws.ToString(other.TaskArn)))})
		}
		if r.clock.Sleep(ctx, time.Second) != nil {
			return r.cancelledAtStart(ctx, nil)
		}
	}
}

// inTheWay returns a task that another may not be started beside, or nil, and whether it is on its way out.
func inTheWay(others []types.Task) (other *types.Task, leaving bool) {
	for i, t := range others {
		switch stopping := aws.ToString(t.DesiredStatus) == string(types.DesiredStatusStopped); {
		case isOver(t), stopping && !hasBegun(t):
		case !stopping:
			return &others[i], false
		default:
			other, leaving = &others[i], true
		}
	}
	return other, leaving
}

// mayGiveWay reports whether the task is to be compared with others of its family: as long as its containers do not run, and once
// more if they were running before that could be done.
func (r *run) mayGiveWay() bool {
	return r.spec.Exclusive && (settingUp(r.status) || !r.looked && r.status == "RUNNING")
}

// giveWay looks again after the start, since two runs that begin together both find nothing before it, and lists lag: the later
// of the two tasks is stopped while it is still being set up.
func (r *run) giveWay(ctx context.Context) error {
	others, err := r.others(ctx)
	if err != nil {
		return nil // the look before the start has said what is to be said, and the next one comes soon
	}
	r.looked = true
	first := givesWayTo(r.last, others)
	if first == nil {
		return nil
	}
	cleanup, done := outlive.Cleanup(ctx, cancelPatience)
	defer done()
	if err := r.stopTask(cleanup, "another task of the family was there first"); err != nil {
		return r.leftRunning(err)
	}
	return busy(aws.ToString(first.TaskArn))
}

// others returns the tasks of the family that are to run, and those that are being stopped, without the run's own.
func (r *run) others(ctx context.Context) ([]types.Task, error) {
	running, err := listed(ctx, r.clients.ECS, r.spec.Cluster, r.spec.family(), types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	stopping, err := listed(ctx, r.clients.ECS, r.spec.Cluster, r.spec.family(), types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	wanted := slices.DeleteFunc(slices.Concat(running, stopping), func(arn string) bool {
		return arn == r.result.TaskARN || r.gone[arn]
	})
	var all []types.Task
	for batch := range slices.Chunk(wanted, 100) {
		out, err := r.clients.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(r.spec.Cluster), Tasks: batch})
		if err != nil {
			return nil, fmt.Errorf("describing the tasks of family %s in cluster %s: %w", r.spec.family(), r.spec.Cluster, err)
		}
		all = append(all, out.Tasks...)
		for _, f := range out.Failures { // listed, and not known yet: there it is all the same
			if slices.Contains(running, aws.ToString(f.Arn)) {
				all = append(all, types.Task{TaskArn: f.Arn})
			}
		}
	}
	for _, t := range all {
		if isOver(t) {
			r.gone[aws.ToString(t.TaskArn)] = true // nothing of it can change any more
		}
	}
	return all, nil
}

func busy(arn string) error {
	return &failure{end: Busy, Failure: record.Failure{Title: "Another run is in progress",
		Advice: "Wait for it to end, or stop it: `aws ecs stop-task --task " + arn + "`. Then run this again.",
		Err:    &BusyError{TaskARN: arn}}}
}

// Running lists the tasks of a family in a cluster that are running or about to.
func Running(ctx context.Context, client interface {
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
}, cluster, family string) ([]string, error) {
	return listed(ctx, client, cluster, family, types.DesiredStatusRunning)
}

// listed lists the tasks of a family that are to run, or that are to stop or have stopped within the hour.
func listed(ctx context.Context, client interface {
	ListTasks(context.Context, *ecs.ListTasksInput, ...func(*ecs.Options)) (*ecs.ListTasksOutput, error)
}, cluster, family string, desired types.DesiredStatus) ([]string, error) {
	in := &ecs.ListTasksInput{Cluster: aws.String(cluster), Family: aws.String(family), DesiredStatus: desired}
	var all []string
	for {
		out, err := client.ListTasks(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("listing the tasks of family %s in cluster %s: %w", family, cluster, err)
		}
		all = append(all, out.TaskArns...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

// message returns what the service itself said.
func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}

func missingReason(failures []types.Failure) string {
	if len(failures) == 0 {
		return "no reason given"
	}
	return aws.ToString(failures[0].Reason)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
