// Package narrate tells a rollout while it happens, finds the cause of its failure, and writes its summary.
package narrate

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// Narrator accompanies one deployment.
type Narrator struct {
	log     *action.Log
	clients diagnose.Clients
	target  rollout.Target
	cause   record.Finding
	clock   clock.Clock // of the world that is followed
}

// New returns a narrator for the target that reads with the clients of this configuration.
func New(log *action.Log, cfg aws.Config, target rollout.Target) *Narrator {
	return &Narrator{log: log, target: target, clients: diagnose.Clients{
		ECS:  ecs.NewFromConfig(cfg),
		Logs: cloudwatchlogs.NewFromConfig(cfg),
		ELB:  elb.NewFromConfig(cfg),
	}}
}

// Follow follows the deployment and tells it in the log. Failures are explained as soon as they happen.
func (n *Narrator) Follow(ctx context.Context, client rollout.Client, options rollout.Options) (rollout.Result, error) {
	options.Judge, options.Log = n.judge, n.log
	n.clock = clock.Faster(float64(options.Speed))
	return rollout.Follow(ctx, client, n.target, options, n.notify)
}

func (n *Narrator) notify(e rollout.Event) {
	switch e.Kind {
	case rollout.KindService:
		n.log.Eventf("ECS: %s", e.Text)
	case rollout.KindProgress:
		n.log.Progressf("%s", e.Text)
		n.log.Eventf("%s", e.Text)
	case rollout.KindWarning:
		n.log.Eventf("! %s", e.Text)
	case rollout.KindCause: // told with its evidence already
	case rollout.KindTask:
		n.log.Eventf("✗ %s", diagnose.Redact(e.Text))
	default:
		n.log.Eventf("%s", e.Text)
	}
}

const (
	// judgePatience is how long a judgement waits for the log lines of a container that has just exited. The rollout is not
	// read meanwhile, so it is short; the last explanation has more time.
	judgePatience   = 6 * time.Second
	explainPatience = 12 * time.Second
)

// judge explains the failures so far.
func (n *Narrator) judge(ctx context.Context, s ecsview.Snapshot, _ []rollout.FailedTask) rollout.Judgement {
	evidence, err := n.gather(ctx, s, judgePatience)
	if err != nil {
		return rollout.Judgement{}
	}
	cause := diagnose.Classify(evidence)
	shared, streak := diagnose.Streak(evidence)
	if streak > 0 {
		cause = shared
	}
	if !cause.Known() {
		return rollout.Judgement{}
	}
	if cause.Code != n.cause.Code {
		n.log.Eventf("%s", strings.TrimSpace(cardText(cause)))
	}
	n.cause = cause
	return rollout.Judgement{Cause: cause.Title, Streak: streak, Certain: cause.Certain && cause.Fault != record.FaultPlatform}
}

func (n *Narrator) gather(ctx context.Context, s ecsview.Snapshot, patience time.Duration) (diagnose.Evidence, error) {
	query := diagnose.Query{
		Cluster:        n.target.Cluster,
		Service:        arn.Last(n.target.Service),
		Deployment:     n.target.ID,
		TaskDefinition: n.target.TaskDefinition,
		Since:          n.target.Created,
		Patience:       patience,
		Events:         n.log.Sink(),
		Clock:          n.clock,
	}
	if s.Own != nil {
		query.StatusReason = s.Own.Reason
	}
	return diagnose.Gather(ctx, n.clients, query)
}

// Cause returns why the deployment failed. What was found while it failed is kept: afterwards less is to be seen.
func (n *Narrator) Cause(ctx context.Context, result rollout.Result) record.Finding {
	if n.cause.Known() || ctx.Err() != nil {
		return n.cause
	}
	evidence, err := n.gather(ctx, result.Last, explainPatience)
	if err != nil {
		return n.cause
	}
	n.cause = diagnose.Classify(evidence)
	return n.cause
}

// Explained returns the error of a deployment with the cause as its title and its fix as advice, where the cause is known and
// says more than the outcome does.
func Explained(err error, cause record.Finding) error {
	var failure *action.Error
	if !errors.As(err, &failure) || !cause.Known() {
		return err
	}
	switch failure.Outcome {
	case action.RolledBack, action.Failed, action.Stuck, action.TimedOut:
	default:
		return err
	}
	explained := *failure
	explained.Title = cause.Title
	advice := cause.Fix
	if failure.Advice != "" {
		advice = append([]string{failure.Advice}, advice...)
	}
	explained.Advice = strings.Join(advice, "\n")
	explained.Err = fmt.Errorf("%w%s", failure.Err, evidence(cause))
	return &explained
}

func evidence(cause record.Finding) string {
	var b strings.Builder
	for _, quote := range cause.Evidence {
		b.WriteString("\n  | " + strings.ReplaceAll(quote, "\n", "\n  | "))
	}
	return b.String()
}
