package diagnose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// ECS is the part of the ECS API that Gather reads.
type ECS interface {
	ecsview.Services
	ecsview.Tasks
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
}

// Logs is the part of the CloudWatch Logs API that Gather reads.
type Logs interface {
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput,
		...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
}

// Clients are what Gather reads with. Logs and Health may be nil: then it goes without.
type Clients struct {
	ECS    ECS
	Logs   Logs
	Health ecsview.TargetHealth // health.Of(client)
}

// Query says what failed.
type Query struct {
	Cluster string // name or ARN
	Service string // name; empty: the tasks are one-off tasks, given by ARN

	// Deployment ("ecs-svc/…") and TaskDefinition (ARN) say which tasks of the service are meant: those that the deployment
	// started, or, without one, those of the revision.
	Deployment     string
	TaskDefinition string
	Tasks          []string // ARNs of tasks that are known already; with a service these come on top of what is listed

	Since        time.Time // older events and tasks belong to something else; zero: all
	StatusReason string    // what the service deployment says of itself, where the caller has read it

	Snapshot *ecsview.Snapshot   // the service, where the caller has just read it; nil: it is read
	Reader   *ecsview.TaskReader // knows tasks of the service that were read before; nil: all are read

	// Patience is how long to wait for the log of a container that has just ended: ECS publishes the last lines up to some
	// seconds late. Zero takes what is there.
	Patience time.Duration

	Events record.Sink // is told what may not be read; nil: nobody is
	Clock  clock.Clock // to wait by; nil: the wall clock
}

const (
	logTasks = 3           // newest tasks whose logs are read: as many as it takes to see that they fail alike
	logEarly = 2           // and of the waves before the newest one's, so as to see that their failure does not pass
	logLines = 100         // last lines that are read of each container: enough for a long traceback
	logPause = time.Second // between two looks at a log that is awaited
)

// logLag is how long after its end a container's last line may still come: the log driver publishes every 5 s, and
// CloudWatch takes some seconds to show it.
const logLag = 12 * time.Second

// Prompt is the patience with which a diagnosis is there within 5 seconds, whatever it waits for: what is left of them is for reading.
const Prompt = 4 * time.Second

// logSilence is how long a log is waited for that has no line yet: the log driver has published by then, or there is nothing to publish.
const logSilence = 5 * time.Second

// Gather reads what AWS knows about the failure, in a handful of calls. Reads that are denied or fail leave a line in
// Evidence.Missing, and a denied permission one warning among the events; the error is only that of an ended context, and the
// evidence read until then is returned with it.
func Gather(ctx context.Context, clients Clients, q Query) (Evidence, error) {
	g := gathering{ctx: ctx, clients: clients, query: q, clock: clock.Or(q.Clock)}
	g.Cluster, g.Service, g.Deployment, g.TaskDefinition = q.Cluster, q.Service, q.Deployment, q.TaskDefinition
	g.StatusReason, g.At = q.StatusReason, g.clock.Now()
	groups := g.service()
	found := g.tasks()
	g.addTasks(found, g.definition())
	for _, group := range groups {
		g.targets(group)
	}
	g.readLogs()
	g.awaitLogs()
	return g.Evidence, context.Cause(ctx)
}

// gathering is one run of Gather.
type gathering struct {
	Evidence
	ctx     context.Context
	clients Clients
	query   Query
	clock   clock.Clock
	ended   time.Time // when the container that ended last did
}

// failed takes note of a read that failed; what says what is missing without it. It reports whether there was an error.
func (g *gathering) failed(what string, err error) bool {
	if err == nil {
		return false
	}
	if g.ctx.Err() != nil {
		return true
	}
	awserr.Optional(g.query.Events, what, err)
	note := fmt.Sprintf("%s: %v", what, awserr.Explain(err))
	if !slices.Contains(g.Missing, note) {
		g.Missing = append(g.Missing, note)
		g.query.Events.Debugf("diagnosis: not read: %s", note)
	}
	return true
}

// service reads events, the deployment's own reason, and the target groups.
func (g *gathering) service() (groups []string) {
	if g.query.Service == "" {
		return nil
	}
	service := g.query.Snapshot
	if service == nil {
		read, err := ecsview.Read(g.ctx, g.clients.ECS, g.query.Cluster, g.query.Service)
		if errors.Is(err, ecsview.ErrNoService) || g.failed("the service's events", err) {
			return nil
		}
		service = &read
	}
	for _, event := range service.Events {
		if !event.At.Before(g.query.Since) {
			g.Events = append(g.Events, event)
		}
	}
	sorted.Stable(g.Events, func(a, b Event) int { return b.At.Compare(a.At) })
	for _, d := range service.Deployments {
		if d.ID == g.query.Deployment || g.query.Deployment == "" && d.TaskDefinition == g.query.TaskDefinition {
			g.Deployment, g.RolloutReason = d.ID, d.Reason
			g.TaskDefinition = orElse(g.TaskDefinition, d.TaskDefinition)
		}
	}
	return service.TargetGroups
}

// tasks lists and describes the tasks that are meant, newest first. ECS lets startedBy stand with no other filter, so that the
// deployment is looked for in the descriptions instead.
func (g *gathering) tasks() []Task {
	arns := slices.Clone(g.query.Tasks)
	if g.query.Service != "" {
		for _, desired := range []types.DesiredStatus{types.DesiredStatusStopped, types.DesiredStatusRunning} {
			listed, err := ecsview.ListTasks(g.ctx, g.clients.ECS, g.query.Cluster, g.query.Service, desired)
			g.failed("the list of the service's tasks", err)
			arns = append(arns, listed...)
		}
	}
	reader := g.query.Reader
	if reader == nil {
		reader = ecsview.NewTaskReader(g.clients.ECS, g.query.Cluster, g.query.Service)
	}
	found, err := reader.Read(g.ctx, arns)
	g.failed("the failed tasks", err)
	found = slices.DeleteFunc(found, func(t Task) bool { return !g.meant(t) })
	sorted.Stable(found, func(a, b Task) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return found
}

// meant reports whether a described task is one that the query asks for.
func (g *gathering) meant(t Task) bool {
	switch {
	case slices.Contains(g.query.Tasks, t.ARN):
		return true
	case !t.CreatedAt.IsZero() && t.CreatedAt.Before(g.query.Since):
		return false
	case g.query.Deployment != "":
		return t.StartedBy == g.query.Deployment
	}
	return g.query.TaskDefinition == "" || t.TaskDefinition == g.query.TaskDefinition
}

// definition reads the revision, whose settings the tasks' descriptions do not repeat.
func (g *gathering) definition() *types.TaskDefinition {
	if g.TaskDefinition == "" {
		return nil
	}
	out, err := g.clients.ECS.DescribeTaskDefinition(g.ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(g.TaskDefinition)})
	if g.failed("the task definition, and with it the place of the logs", err) {
		return nil
	}
	return out.TaskDefinition
}

// addTasks takes the tasks, with the settings of their definition, into the evidence.
func (g *gathering) addTasks(found []Task, definition *types.TaskDefinition) {
	for _, t := range found {
		g.Tasks = append(g.Tasks, t.With(definition))
		if t.StopCode == "" {
			continue
		}
		for _, at := range []time.Time{t.EndedAt, t.StoppingAt} {
			if at.After(g.ended) {
				g.ended = at
			}
		}
	}
}

// InRegion makes a call to CloudWatch Logs in the region that the log driver writes to, which may be another than the
// service's. An empty region changes nothing.
func InRegion(region string) func(*cloudwatchlogs.Options) {
	return func(o *cloudwatchlogs.Options) {
		if region != "" {
			o.Region = region
		}
	}
}

// targets reads the health of the tasks behind one target group.
func (g *gathering) targets(group string) {
	if g.clients.Health == nil {
		return
	}
	all, err := g.clients.Health(g.ctx, group)
	if g.failed("the health of the load balancer's targets", err) {
		return
	}
	for _, target := range all {
		if slices.ContainsFunc(g.Tasks, func(t Task) bool { return t.IP == target.ID }) { // else it is another revision's
			g.Targets = append(g.Targets, target)
		}
	}
}

// readLogs reads the last lines of the newest tasks that have failed, or whose checks fail.
func (g *gathering) readLogs() {
	if g.clients.Logs == nil {
		return
	}
	var worth []int
	for i, t := range g.Tasks {
		if g.worthReading(t) {
			worth = append(worth, i)
		}
	}
	failed := make([]Task, len(worth))
	for n, i := range worth {
		failed[n] = g.Tasks[i]
	}
	waves, early := ecsview.WaveOf(failed), 0
	for n, i := range worth {
		t := &g.Tasks[i]
		earlier := n >= logTasks && waves[n] < waves[0] && early < logEarly
		if g.ctx.Err() != nil || n >= logTasks && !earlier {
			g.Unread = append(g.Unread, t.ARN)
			continue
		}
		if earlier {
			early++
		}
		for j := range t.Containers {
			g.lastLines(&t.Containers[j])
		}
	}
}

// worthReading reports whether the task's log may say why it fails: it has run, and it failed or is not healthy.
func (g *gathering) worthReading(t Task) bool {
	ran := !t.StartedAt.IsZero() || slices.ContainsFunc(t.Containers, func(c Container) bool { return c.ExitCode != nil })
	return ran && taskCause(g.Evidence, t).rank > rankPlatform
}

// lastLines reads the end of one container's log.
func (g *gathering) lastLines(c *Container) {
	if c.LogGroup == "" {
		return
	}
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String(c.LogGroup), LogStreamName: aws.String(c.Stream),
		Limit: aws.Int32(logLines)}
	for range 3 { // a page may be empty while more follow
		out, err := g.clients.Logs.GetLogEvents(g.ctx, in, InRegion(c.LogRegion))
		if awserr.IsNotFound(err) {
			return // nothing was written, or not yet
		}
		if g.failed("the containers' logs", err) {
			return
		}
		if len(out.Events) > 0 {
			c.Logs = c.Logs[:0]
			for _, event := range out.Events {
				c.Logs = append(c.Logs, strings.Split(strings.TrimRight(aws.ToString(event.Message), "\n"), "\n")...)
			}
			return
		}
		if aws.ToString(out.NextBackwardToken) == aws.ToString(in.NextToken) {
			return
		}
		in.NextToken = out.NextBackwardToken
	}
}

// awaitLogs reads the logs again and again until they explain the failure, cannot come any more, or the patience is
// used up. A container of which not one line has come by then is waited for no longer than for a card that nobody waits for.
func (g *gathering) awaitLogs() {
	for g.ctx.Err() == nil && g.clients.Logs != nil && g.waitsForWords() {
		left := g.awaited().Sub(g.clock.Now())
		if left <= 0 || g.clock.Sleep(g.ctx, min(left, logPause)) != nil {
			return
		}
		g.readLogs()
	}
}

// awaited returns until when log lines are waited for.
func (g *gathering) awaited() time.Time {
	patience := g.query.Patience
	if !g.spoken() {
		patience = min(patience, logSilence)
	}
	until := g.At.Add(patience)
	if last := g.ended.Add(logLag); last.Before(until) {
		return last
	}
	return until
}

// spoken reports whether any line of any container has come.
func (g *gathering) spoken() bool {
	return slices.ContainsFunc(g.Tasks, func(t Task) bool {
		return slices.ContainsFunc(t.Containers, func(c Container) bool { return len(c.Logs) > 0 })
	})
}

// waitsForWords reports whether the best explanation is that a container ended, without its own words.
func (g *gathering) waitsForWords() bool {
	for _, t := range g.Tasks {
		c := taskCause(g.Evidence, t)
		if c.rank == rankExit && g.hasLog(t, c.Container) {
			return true
		}
		if c.rank > rankExit {
			return false
		}
	}
	return false
}

func (g *gathering) hasLog(t Task, container string) bool {
	return slices.ContainsFunc(t.Containers, func(c Container) bool { return c.Name == container && c.LogGroup != "" })
}
