package verdict

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/ecsview/health"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// lostAfter is how long reads may fail in a row, by the wall clock: calls are answered by it, however fast a rehearsal goes.
const lostAfter = 3 * time.Minute

// Follow follows a deployment for an action: it tells it in the log, has failures explained as soon as they happen, and goes by the
// clock of the world that is acted on. The error is that of Of.
func Follow(ctx context.Context, env *action.Env, cfg aws.Config, target rollout.Target,
	options ...rollout.Option) (rollout.Result, error) {
	e := &explainer{events: told(env.Events), clock: env.Clock(), tasks: map[string]ecsview.Task{}, clients: diagnose.Clients{
		ECS:    ecs.NewFromConfig(cfg),
		Logs:   cloudwatchlogs.NewFromConfig(cfg),
		Health: health.Of(elb.NewFromConfig(cfg)),
	}}
	var times startTimes
	result, err := rollout.Follow(ctx, ecs.NewFromConfig(cfg), target, append([]rollout.Option{
		rollout.Events(times.watch(e.events)), rollout.Clock(e.clock), rollout.Diagnose(e.explain),
		rollout.LostAfter(time.Duration(float64(lostAfter) * clock.Speed(env.Clock()))),
	}, options...)...)
	e.addLogs(result.Failed)
	times.tell(e.events, result)
	return result, Of(result, err)
}

// addLogs says of failed tasks where their logs are, as far as a diagnosis has read it.
func (e *explainer) addLogs(failed []rollout.FailedTask) {
	for i, task := range failed {
		failed[i].Containers = slices.Clone(task.Containers)
		for _, known := range e.tasks[task.ARN].Containers {
			for j := range failed[i].Containers {
				if c := &failed[i].Containers[j]; c.Name == known.Name {
					c.LogGroup, c.Stream = known.LogGroup, known.Stream
				}
			}
		}
	}
}

// told takes secrets out of what is told of a task: its reason quotes what the release has written.
func told(events record.Sink) record.Sink {
	return func(e record.Event) {
		if strings.HasPrefix(e.Text, "✗ ") {
			e.Text = diagnose.Redact(e.Text)
		}
		events.Emit(e)
	}
}

// gatherLimit is how long a diagnosis may read besides waiting for the log lines of a container that has just exited, by the wall clock.
const gatherLimit = 15 * time.Second

// explainer explains the failures of one rollout.
type explainer struct {
	clients diagnose.Clients
	events  record.Sink
	clock   clock.Clock
	tasks   map[string]ecsview.Task // that were read, by ARN
}

// explain says why tasks fail. The rollout tells it, where it is news.
func (e *explainer) explain(ctx context.Context, c rollout.Case) (rollout.Diagnosis, bool) {
	query := diagnose.Query{
		Cluster:        c.Target.Cluster,
		Service:        arn.Last(c.Target.Service),
		Deployment:     c.Target.ID,
		TaskDefinition: c.Target.TaskDefinition,
		Since:          c.Target.Created,
		Snapshot:       &c.Service,
		Reader:         c.Tasks,
		Patience:       diagnose.Prompt, // the rollout is not read meanwhile
		Events:         e.events,
		Clock:          e.clock,
	}
	if c.Service.Own != nil {
		query.StatusReason = c.Service.Own.Reason
	}
	reading, done := context.WithTimeout(ctx, gatherLimit+query.Patience)
	defer done()
	evidence, _ := diagnose.Gather(reading, e.clients, query) // of a call that is never answered, what the others said remains
	if ctx.Err() != nil {
		return rollout.Diagnosis{}, false
	}
	for _, task := range evidence.Tasks {
		e.tasks[task.ARN] = task
	}
	found := rollout.Diagnosis{Finding: diagnose.Classify(evidence)}
	if row := diagnose.Streak(evidence); !c.Last && row.Alike > 0 && (row.Finding.Certain || row.Waves > 1) {
		found = rollout.Diagnosis{Finding: row.Finding, Alike: row.Alike, Waves: row.Waves}
	}
	if !found.Finding.Known() {
		return rollout.Diagnosis{}, false
	}
	return found, true
}
