package status

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/console"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/ecsview/health"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// view is what one look at a service found.
type view struct {
	in          Inputs
	at          time.Time
	arn         string // of the service
	service     ecsview.Snapshot
	hold        hold.Hold
	revision    *taskdef.Revision    // that the service is at; nil where it may not be described
	deployments []history.Deployment // newest first; empty where they cannot be read
	running     *history.Deployment  // of these, the one that is under way
	evidence    diagnose.Evidence
	state       State
	failed      []diagnose.Task
	cause       record.Finding // why they failed, or are unhealthy
	back        history.Plan   // what a rollback to previous would do
	versions    []history.Version
	schedules   []timed         // what runs its family at set times
	tasks       []ecsview.Task  // that run or are to, oldest first
	scaling     *operate.Limits // nil where nothing scales it, or it could not be read
	watched     []string        // names of the alarms that its deployments watch
	alarms      []operate.Alarm // these and the environment's, what went off first
	alarmsRead  bool
}

// look reads the service. Only what says nothing without it is an error: all else is optional, and what is denied is told once.
func look(ctx context.Context, events record.Sink, conn *awsconn.Conn, in Inputs, now time.Time) (*view, error) {
	client := ecs.NewFromConfig(conn.Config)
	service, err := ecsview.Find(ctx, client, in.Cluster, in.Service, hold.Unread(events))
	if err != nil {
		return nil, err
	}
	v := &view{in: in, at: now, arn: aws.ToString(service.ServiceArn), service: ecsview.SnapshotOf(service), hold: hold.Of(service)}
	if v.revision, err = taskdef.Describe(ctx, client, v.service.TaskDefinition); unless(events, "The image and the commit that run", err) {
		return nil, err
	}
	v.deployments, err = history.Read(ctx, client, in.Cluster, in.Service, v.service.Current)
	if unless(events, "The history of deployments", err) {
		return nil, err
	}
	v.consider(ctx, events, client, err != nil)
	if i := slices.IndexFunc(v.deployments, history.Deployment.Running); i >= 0 {
		v.running = &v.deployments[i]
	}
	var targets []ecsview.Target
	targetsOf := health.Of(elb.NewFromConfig(conn.Config))
	v.evidence, err = diagnose.Gather(ctx, diagnose.Clients{ECS: client, Logs: cloudwatchlogs.NewFromConfig(conn.Config),
		Health: func(ctx context.Context, group string) ([]ecsview.Target, error) {
			found, err := targetsOf(ctx, group)
			targets = append(targets, found...)
			return found, err
		}}, v.query(events))
	if err != nil {
		return nil, err
	}
	if v.tasks, err = operate.Tasks(ctx, client, in.Cluster, in.Service); err != nil && !awserr.Optional(events, "The tasks", err) {
		return nil, err
	}
	v.scaling, err = operate.LimitsOf(ctx, operate.ScalingOf(conn.Config), v.arn)
	awserr.Optional(events, "The limits of scaling", err) // without them the rest is worth telling
	v.lookAtSchedules(ctx, events, conn.Config, aws.ToString(service.ClusterArn))
	v.watched = ecsview.WatchedAlarms(service)
	v.lookAtAlarms(ctx, events, conn.Config)
	if primary := v.service.Primary(); primary != nil {
		v.evidence = withOlder(v.evidence, v.tasks, targets, primary.TaskDefinition)
	}
	v.state = operate.Judge(v.service, v.running, v.evidence.Tasks, v.evidence.Targets)
	v.failed = operate.FailedTasks(v.evidence.Tasks)
	if len(v.failed) > 0 || v.state == Degraded || v.state == RollingBack {
		v.cause = diagnose.Classify(v.evidence)
	}
	return v, nil
}

// withOlder adds to the evidence, which has the tasks of the last hour, those of a revision that run for longer and are unhealthy, with
// their targets.
func withOlder(e diagnose.Evidence, tasks []ecsview.Task, targets []ecsview.Target, revision string) diagnose.Evidence {
	for _, t := range operate.UnhealthyTasks(tasks, targets) {
		if t.TaskDefinition != revision || slices.ContainsFunc(e.Tasks, func(known ecsview.Task) bool { return known.ARN == t.ARN }) {
			continue
		}
		e.Tasks = append(slices.Clip(e.Tasks), t)
		for _, target := range targets {
			if target.ID == t.IP && t.IP != "" {
				e.Targets = append(slices.Clip(e.Targets), target)
			}
		}
	}
	return e
}

// unless reports whether an error is one that the look cannot do without: not a denial, nor an API that the account has not.
func unless(events record.Sink, what string, err error) bool {
	return err != nil && !awserr.IsUnsupported(err) && !errors.Is(err, taskdef.ErrNotFound) && !awserr.Optional(events, what, err)
}

// consider looks at what a rollback to the previous version would do, and at the versions that it could go to. That their images are
// still there is not checked.
func (v *view) consider(ctx context.Context, events record.Sink, client *ecs.Client, unread bool) {
	seen := history.Seen{Service: v.service, Deployments: v.deployments, Unread: unread, Last: v.hold.Last, Now: v.at}
	known := history.KnownOf(v.hold)
	if v.revision != nil {
		known.Copy = v.revision.Tags["connect2:copy-of"]
	}
	v.back = history.Decide(seen, known)
	if refusal := v.back.Choice.Refusal; refusal == history.NoHistory || refusal == history.NoneBefore {
		deployment := cmp.Or(history.FirstOf(v.deployments, v.back.Left), v.service.Current)
		if deployment != "" {
			var err error
			if known.Replaced, err = history.Replaced(ctx, client, deployment); err != nil { // then a rollback would ask
				awserr.Optional(events, "What the deployment that runs has replaced", err)
			}
			v.back = history.Decide(seen, known)
		}
	}
	options := v.back.Choice.Options[:min(len(v.back.Choice.Options), shownDeployments)]
	var wanted []string
	for _, option := range options {
		wanted = append(wanted, option.Deployment.TaskDefinition)
	}
	revisions := history.Describe(ctx, client, wanted)
	for _, option := range options {
		v.versions = append(v.versions, history.VersionOf(option, revisions[option.Deployment.TaskDefinition]))
	}
}

// query asks for the tasks of the current deployment.
func (v *view) query(events record.Sink) diagnose.Query {
	q := diagnose.Query{Cluster: v.in.Cluster, Service: arn.Last(v.in.Service), Since: v.at.Add(-window), Events: events}
	if primary := v.service.Primary(); primary != nil {
		q.Deployment, q.TaskDefinition = primary.ID, primary.TaskDefinition
	}
	if v.running != nil {
		q.StatusReason = v.running.Reason
	}
	return q
}

func (v *view) outputs() Outputs {
	out := Outputs{State: v.state, TaskDefinitionARN: v.service.TaskDefinition, Running: v.service.Running, Desired: v.service.Desired,
		FailedTasks: len(v.failed), Hold: v.hold.String()}
	out.Outcome = action.Succeeded
	out.Tasks, out.Deployments, out.Alarms, out.Schedules = v.taskList(), v.deploymentList(), v.watched, v.scheduleList()
	out.AlarmStates, out.Events, out.Failure = v.alarmList(), v.eventList(), v.failureOf()
	out.Since, out.Rollback, out.HoldReason, out.Console = v.since(), v.rollback(), v.holdReason(), console.Service(v.arn)
	if v.scaling != nil {
		out.Scaling = operate.JSON(v.scaling)
	}
	if v.revision != nil {
		is := v.version()
		out.Commit, out.Image, out.ImageTag, out.By, out.Run = is.Commit, v.image(), is.Tag, is.By, is.Run
	}
	if v.cause.Known() {
		out.Cause = v.cause.Code
	}
	if v.running != nil {
		out.DeploymentARN = v.running.ARN
	}
	if v.back.Do == history.Update {
		out.RollbackTarget = v.back.Back
	}
	return out
}

// version is what the tags of the revision say of it.
func (v *view) version() history.Version { return history.VersionOf(history.Option{}, v.revision) }

// image returns that of the main container, or of the first where none is the main one.
func (v *view) image() string {
	container, err := v.revision.Document.Container("")
	if err != nil {
		container = v.revision.Document.Containers()[0]
	}
	return v.revision.Document.Image(container)
}
