package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/ecsview/health"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// attempts is how often one call is sent: the page waits for AWS itself, and says so meanwhile.
const attempts = 2

// slowly is how often the slower part is read where nothing has changed: the history, what scales the service, what is on hold.
const slowly = time.Minute

// reader reads AWS, and keeps what need not be read again.
type reader struct {
	names   Names
	ecs     *ecs.Client
	logs    *cloudwatchlogs.Client
	elb     *elb.Client
	scaling operate.Scaling

	tasks       *ecsview.TaskReader
	definitions map[string]*types.TaskDefinition // by ARN; nil for one that may not be read
	revisions   map[string]*taskdef.Revision
	tail        tail

	last      reading   // what was read last, of which the slower part is taken over
	slow      time.Time // when that was read
	of        string    // what the service was at then
	diagnosed diagnosed
}

// diagnosed is the state of the failures that were explained last.
type diagnosed struct {
	print string
	at    time.Time
}

func newReader(cfg aws.Config, names Names) *reader {
	cfg = cfg.Copy()
	made := cfg.Retryer
	cfg.Retryer = func() aws.Retryer {
		if made == nil {
			return retry.AddWithMaxAttempts(retry.NewStandard(), attempts)
		}
		return retry.AddWithMaxAttempts(made(), attempts)
	}
	r := &reader{names: names, ecs: ecs.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), elb: elb.NewFromConfig(cfg),
		scaling: operate.ScalingOf(cfg), definitions: map[string]*types.TaskDefinition{},
		revisions: map[string]*taskdef.Revision{}}
	r.tasks = ecsview.NewTaskReader(r.ecs, names.Cluster, names.Service)
	return r
}

// denials collects what may not be read.
type denials struct{ list []string }

// optional takes note of a read that was refused for good, and reports whether the page can do without it.
func (d *denials) optional(what string, err error) bool {
	switch {
	case err == nil:
		return true
	case awserr.IsUnsupported(err), errors.Is(err, taskdef.ErrNotFound):
	case awserr.IsDenied(err):
		note := what
		var problem *awserr.Problem
		if errors.As(awserr.Explain(err), &problem) && problem.Denial != nil {
			note += ": " + problem.Denial.Action + " is missing"
		}
		d.list = append(d.list, note)
	default:
		return false
	}
	return true
}

// read looks once. An error is of a read that the page cannot do without, or of one that was not answered.
func (r *reader) read(ctx context.Context, now time.Time) (reading, error) {
	out := reading{at: now, names: r.names}
	var denied denials
	var err error
	if out.service, err = ecsview.Read(ctx, r.ecs, r.names.Cluster, r.names.Service); err != nil {
		return out, err
	}
	if err := r.readSlow(ctx, &out, &denied); err != nil {
		return out, err
	}
	if out.service.Current != "" {
		out.own, err = ecsview.DescribeServiceDeployment(ctx, r.ecs, out.service.Current)
		if !denied.optional("how the deployment stands", err) {
			return out, err
		}
	}
	if err := r.readTasks(ctx, &out, &denied); err != nil {
		return out, err
	}
	for _, group := range out.service.TargetGroups {
		targets, err := health.Read(ctx, r.elb, group)
		if !denied.optional("the health of the load balancer's targets", err) {
			return out, err
		}
		out.targets = append(out.targets, targets...)
	}
	if err := r.diagnose(ctx, &out); err != nil {
		return out, err
	}
	lines, err := r.tail.read(ctx, r.logs, out)
	if !denied.optional("the log", err) {
		return out, err
	}
	out.log = lines
	out.unread = []string{}
	for _, note := range append(denied.list, r.tail.unread...) {
		if !slices.Contains(out.unread, note) {
			out.unread = append(out.unread, note)
		}
	}
	r.last = out
	return out, nil
}

// readSlow reads what changes with a deployment alone, once a minute and whenever there is a new one.
func (r *reader) readSlow(ctx context.Context, out *reading, denied *denials) error {
	of := out.service.Current + " " + out.service.TaskDefinition
	for _, d := range out.service.Deployments {
		of += " " + d.ID + d.State
	}
	if of == r.of && out.at.Sub(r.slow) < slowly && !r.slow.IsZero() {
		out.deployments, out.plan, out.hold, out.scaling = r.last.deployments, r.last.plan, r.last.hold, r.last.scaling
		out.revisions, denied.list = r.revisions, slices.Clone(r.tail.denied)
		return nil
	}
	service, err := ecsview.Find(ctx, r.ecs, r.names.Cluster, r.names.Service)
	if err != nil {
		return err
	}
	out.hold = hold.Of(service)
	r.names.ARN = aws.ToString(service.ServiceArn)
	out.names = r.names
	out.deployments, err = history.Read(ctx, r.ecs, r.names.Cluster, r.names.Service, out.service.Current)
	unread := err != nil
	if !denied.optional("the history of deployments", err) {
		return err
	}
	if err := r.describe(ctx, out, denied); err != nil {
		return err
	}
	known := history.KnownOf(out.hold)
	if revision := r.revisions[out.service.TaskDefinition]; revision != nil {
		known.Copy = revision.Tags["connect2:copy-of"]
	}
	out.plan = history.Decide(history.Seen{Service: out.service, Deployments: out.deployments, Unread: unread, Last: out.hold.Last,
		Now: out.at}, known)
	out.scaling, err = operate.LimitsOf(ctx, r.scaling, r.names.ARN)
	if !denied.optional("what scales it", err) {
		return err
	}
	r.of, r.slow, r.tail.denied = of, out.at, slices.Clone(denied.list)
	return nil
}

// describe reads the revisions that are named on the page, each once.
func (r *reader) describe(ctx context.Context, out *reading, denied *denials) error {
	var wanted []string
	for _, d := range out.deployments[:min(len(out.deployments), mostVersions)] {
		if d.TaskDefinition != "" && r.revisions[d.TaskDefinition] == nil && !slices.Contains(wanted, d.TaskDefinition) {
			wanted = append(wanted, d.TaskDefinition)
		}
	}
	if r.revisions[out.service.TaskDefinition] == nil {
		revision, err := taskdef.Describe(ctx, r.ecs, out.service.TaskDefinition)
		if !denied.optional("the image and the commit", err) {
			return err
		}
		if err == nil {
			r.revisions[out.service.TaskDefinition] = revision
		}
		wanted = slices.DeleteFunc(wanted, func(arn string) bool { return arn == out.service.TaskDefinition })
	}
	for name, revision := range history.Describe(ctx, r.ecs, wanted) {
		r.revisions[name] = revision
	}
	out.revisions = r.revisions
	return nil
}

// readTasks reads the tasks, with the settings of their definitions.
func (r *reader) readTasks(ctx context.Context, out *reading, denied *denials) error {
	var arns []string
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		listed, err := ecsview.ListTasks(ctx, r.ecs, r.names.Cluster, r.names.Service, desired)
		if !denied.optional("the list of tasks", err) {
			return err
		}
		arns = append(arns, listed...)
	}
	tasks, err := r.tasks.Read(ctx, arns)
	if !denied.optional("the tasks", err) {
		return err
	}
	for _, t := range tasks {
		definition, known := r.definitions[t.TaskDefinition]
		if !known {
			found, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(t.TaskDefinition)})
			if !denied.optional("the task definition", err) {
				return err
			}
			if err == nil {
				definition = found.TaskDefinition
			}
			r.definitions[t.TaskDefinition] = definition
		}
		out.tasks = append(out.tasks, t.With(definition))
	}
	return nil
}

// When failures are explained again though no other task has failed: the last lines of a log come late.
const (
	explainAgain = 5 * time.Second
	explainFor   = 30 * time.Second
)

// diagnose explains why tasks fail, where some do: with the code that explains it everywhere else.
func (r *reader) diagnose(ctx context.Context, out *reading) error {
	bad := suspects(*out)
	if len(bad) == 0 {
		r.diagnosed = diagnosed{}
		return nil
	}
	newest := bad[0]
	print := newest.ARN
	var named []string // also those that have run for longer than the evidence goes back
	for _, t := range bad {
		named = append(named, t.ARN)
		print += fmt.Sprint(" ", t.ARN, t.LastStatus, t.StopCode, t.Health)
	}
	late := out.at.Sub(cmp.Or(newest.Ended(), out.at)) < explainFor && out.at.Sub(r.diagnosed.at) >= explainAgain
	if print == r.diagnosed.print && !late {
		out.finding = r.last.finding
		return nil
	}
	query := diagnose.Query{Cluster: r.names.Cluster, Service: arn.Last(r.names.Service), Since: out.at.Add(-time.Hour),
		Deployment: newest.StartedBy, TaskDefinition: newest.TaskDefinition, Snapshot: &out.service, Reader: r.tasks,
		Tasks: named}
	if d := rolledOf(*out); d.td == newest.TaskDefinition {
		query.StatusReason = d.reason
	}
	evidence, err := diagnose.Gather(ctx, diagnose.Clients{ECS: r.ecs, Logs: r.logs, Health: health.Of(r.elb)}, query)
	if err != nil {
		return err
	}
	out.finding = diagnose.Classify(evidence)
	r.diagnosed = diagnosed{print, out.at}
	return nil
}

// problemOf is why a read did not succeed, in words for the page. since is when reads began to fail.
func problemOf(err error, since time.Time) *Problem {
	p := &Problem{Kind: "other", Title: "The service could not be read", Text: err.Error(), Since: since}
	var known *awserr.Problem
	if errors.As(awserr.Explain(err), &known) {
		p.Title, p.Text = known.Title, strings.TrimRight(known.What, ".")+". "+known.Advice
	}
	switch {
	case awserr.IsThrottled(err), awserr.IsCrowded(err):
		p.Kind, p.Title = "throttled", "AWS throttles the reads"
		p.Text = "Too many calls are made in this account and region. The page asks less often until they are answered again."
	case awserr.IsCredentials(err):
		p.Kind, p.Title = "credentials", "The credentials are not valid any more"
		p.Text = "Renew them, for example with `aws sso login`: the page goes on by itself. Keys that stand in the variables of the terminal " +
			"cannot be renewed there: end connect2 watch with Ctrl-C, and start it again with new ones."
	case awserr.IsLost(err), errors.Is(err, context.DeadlineExceeded):
		p.Kind, p.Title = "lost", "AWS does not answer"
		p.Text = "The network, or AWS itself, is not reached. The page goes on asking."
	case awserr.IsDenied(err):
		p.Kind = "denied"
	}
	p.Title, p.Text = clean(p.Title), clean(p.Text)
	return p
}
