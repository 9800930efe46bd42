package ecsrollback

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/schedule"
)

// previous is the value of the input to that goes by history.
const previous = "previous"

// Rollback is a rollback that was checked and can be executed.
type Rollback struct {
	env        *action.Env
	conn       *awsconn.Conn
	in         Inputs
	client     *ecs.Client
	registries *image.Registries
	unwritten  bool            // the service may not be tagged
	met        map[string]bool // what was to be left at any look at the service, by ARN
	scheduled  *schedule.Set   // the schedules that are named; nil where they are to be found

	read    read
	decided decision
	limit   time.Duration // how long the rollback may take
}

// decision is what a rollback does.
type decision struct {
	history.Plan
	target   *target           // what Update deploys; nil otherwise
	stay     bool              // that is in force already
	versions []history.Version // what there is to go back to
	running  running           // for the choice among several services
	known    bool              // running was read
}

// Prepare reads the service and its history and decides what to do. It changes nothing. Where there is nothing to go back to
// without being told, the error has the outcome Invalid and says what `to` could be.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Rollback, error) {
	r, err := open(ctx, env, conn, in)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// open is Prepare that returns also what was read where it fails.
func open(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Rollback, error) {
	r := &Rollback{env: env, conn: conn, in: in, client: ecs.NewFromConfig(awsconn.Patient(conn.Config, in.Timeout)),
		met: map[string]bool{}}
	r.registries = image.NewRegistries(conn.Config, conn.Transport)
	r.registries.Mask = env.Hide
	if r.in.To = strings.TrimSpace(in.To); r.in.To == "" {
		r.in.To = previous
	}
	return r, r.prepare(ctx)
}

// prepare reads and decides.
func (r *Rollback) prepare(ctx context.Context) (err error) {
	if r.read, err = r.look(ctx); err == nil {
		if r.limit, err = rollout.TimeFor(r.in.Timeout, r.read.Service); err != nil {
			err = fmt.Errorf("timeout: %w", err)
		}
	}
	if err == nil {
		r.decided, err = r.decide(ctx, r.read)
	}
	if err == nil {
		err = r.openSchedules(ctx)
	}
	return awsconn.Refuse(ctx, refused, err)
}

func (r *Rollback) decide(ctx context.Context, seen read) (decision, error) {
	v, err := r.consider(ctx, seen)
	if err != nil {
		return decision{}, err
	}
	d := decision{Plan: v.plan, versions: v.versions, running: runningOf(seen, v.plan.Left, v.revisions[v.plan.Left]), known: true}
	if r.in.To != previous {
		if d.Plan, err = r.named(ctx, seen, v); err != nil {
			return d, err
		}
	}
	switch d.Do {
	case history.Ask:
		return d, r.ask(seen, d)
	case history.Update:
		if d.target, err = r.targetOf(ctx, d.Plan, v.revisions[d.Back]); err != nil {
			return d, err
		}
		primary := seen.Service.Primary()
		d.stay = primary != nil && primary.TaskDefinition == d.target.revision.ARN && seen.Service.Settled()
	}
	if d.stay {
		d.Why = d.target.revision.Name() + " is in force already."
	}
	return d, nil
}

// named goes where the input says, whatever happens now.
func (r *Rollback) named(ctx context.Context, seen read, v view) (history.Plan, error) {
	to := r.in.To
	found, err := history.Find(seen.Deployments, v.versions, to, seen.Service.TaskDefinition)
	if err != nil && history.ByName(to) {
		if digest := r.tagged(ctx, v, to); digest != "" {
			found, err = history.Find(seen.Deployments, v.versions, digest, seen.Service.TaskDefinition)
		}
	}
	if err != nil {
		return history.Plan{}, fmt.Errorf("to: %w", err)
	}
	plan := history.Plan{Do: history.Update, Left: seen.Service.TaskDefinition, Back: found.TaskDefinition, Ran: found.Deployment,
		Why: "It was asked for.", Choice: v.plan.Choice}
	now := history.SituationOf(seen.Seen)
	if now.State == history.Joining && arn.Revision(now.Back) == arn.Revision(found.TaskDefinition) {
		plan.Do, plan.Left, plan.Back, plan.Noted = history.Join, now.Left, now.Back, now.Noted
	}
	return plan, nil
}

// ask is the error of a rollback that has to be told where to go.
func (r *Rollback) ask(seen read, d decision) error {
	advice := "Say where to go with the input `to`: a revision number, an image tag, a commit, an ARN or a digest."
	r.tellVersions(d)
	if len(seen.Deployments) == 0 {
		advice += " The history needs ecs:ListServiceDeployments and ecs:DescribeServiceRevisions."
	}
	err := fmt.Errorf("rolling back service %s to the previous version: %s", r.in.Service, d.Why)
	if seen.unread != nil { // then it is not that there are no deployments
		err = fmt.Errorf("rolling back service %s to the previous version, which its history would tell: %w", r.in.Service,
			awserr.Explain(seen.unread))
	}
	return &action.Error{
		Outcome: action.Invalid,
		Title:   "Nothing was changed: it is not clear what to go back to",
		Advice:  advice,
		Err:     err,
	}
}

// changes reports whether the decision changes the service.
func (d decision) changes() bool {
	return d.Do == history.Stop || d.Do == history.Update && !d.stay
}

// again looks at the service once more before it is changed, and decides anew where something has happened to it since. Then it
// writes down what is to be done. Where that is denied, an earlier run could not write either: that is decided on anew as well.
func (r *Rollback) again(ctx context.Context) error {
	for range patience {
		now, err := r.readService(ctx)
		switch {
		case err != nil:
			return awsconn.Refuse(ctx, refused, err)
		case !same(r.read.Service, now.Service):
			r.env.Events.Notef("something happened to service %s meanwhile: deciding again", r.in.Service)
		case r.decided.target != nil && r.decided.target.needsCopy(): // which is registered first
			return nil
		case r.begin(ctx, r.decided.serves()):
			return nil
		default:
			r.unwritten = true
		}
		if err := r.prepare(ctx); err != nil || !r.decided.changes() {
			return err
		}
	}
	return nil
}

func (r *Rollback) serviceARN() string { return aws.ToString(r.read.service.ServiceArn) }

// taskDefinitions returns the ARNs of the task definitions of options.
func taskDefinitions(options []history.Option) []string {
	var all []string
	for _, option := range options {
		all = append(all, option.Deployment.TaskDefinition)
	}
	return slices.Compact(all)
}
