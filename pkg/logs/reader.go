package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
)

// ECS reads services, tasks and task definitions; *ecs.Client does.
type ECS interface {
	ecsview.Services
	ecsview.Tasks
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput,
		...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
}

// reader reads the streams of a service.
type reader struct {
	env   *action.Env
	clock clock.Clock
	ecs   ECS
	logs  Client
	in    Inputs
	out   io.Writer

	definitions map[string]*types.TaskDefinition // by ARN
	streams     []*stream
	tasks       map[string]*followed // by ARN
	containers  map[string]bool      // that have a log which can be read
	unread      map[string]bool      // containers that were told of
	marked      bool                 // lines say which container they are of
	shown       int
	kept        []Line
}

// followed is a task whose streams are read.
type followed struct {
	task  ecsview.Task
	gone  time.Time // when it was first seen not to be wanted any more; zero: it is wanted
	spoke time.Time // when it last said something, by our clock
}

func newReader(env *action.Env, client ECS, logs Client, in Inputs) *reader {
	return &reader{env: env, clock: env.Clock(), ecs: client, logs: logs, in: in, out: operate.Out(env),
		definitions: map[string]*types.TaskDefinition{}, tasks: map[string]*followed{},
		containers: map[string]bool{}, unread: map[string]bool{}}
}

// begin finds the tasks whose lines are wanted, and their streams.
func (r *reader) begin(ctx context.Context) error {
	service, err := ecsview.Find(ctx, r.ecs, r.in.Cluster, r.in.Service, func(error) {})
	if err != nil {
		return err
	}
	tasks, err := r.wanted(ctx)
	if err != nil {
		return err
	}
	if len(tasks) == 0 && !r.in.Follow {
		return r.none(service)
	}
	ids := operate.ShortIDs(tasks)
	for _, t := range tasks {
		if err := r.join(ctx, t, ids[t.ARN]); err != nil {
			return err
		}
	}
	if r.in.Container != "" && len(tasks) > 0 && len(r.streams) == 0 {
		return r.noContainer()
	}
	return nil
}

func (r *reader) none(service types.Service) error {
	if r.in.Previous {
		return errors.New("no task of this service was stopped within the last hour, which is as long as ECS knows them")
	}
	return fmt.Errorf("the service has no task: it is to have %d; --previous shows what those said that were stopped",
		service.DesiredCount)
}

func (r *reader) noContainer() error {
	var names []string
	for name := range r.containers {
		names = append(names, name)
	}
	slices.Sort(names)
	text := fmt.Sprintf("container: there is no container %q whose log can be read", r.in.Container)
	if near := nearest.One(r.in.Container, names); near != "" {
		return fmt.Errorf("%s: did you mean %s?", text, near)
	}
	return fmt.Errorf("%s: there are %s", text, strings.Join(names, ", "))
}

// wanted are the tasks that were asked for.
func (r *reader) wanted(ctx context.Context) ([]ecsview.Task, error) {
	var tasks []ecsview.Task
	var err error
	if !r.in.Previous {
		if tasks, err = operate.Tasks(ctx, r.ecs, r.in.Cluster, r.in.Service); err != nil {
			return nil, err
		}
	}
	if r.in.Previous || r.in.Task != "" {
		arns, err := ecsview.ListTasks(ctx, r.ecs, r.in.Cluster, r.in.Service, types.DesiredStatusStopped)
		if err != nil {
			return nil, err
		}
		stopped, err := ecsview.DescribeTasks(ctx, r.ecs, r.in.Cluster, arns)
		if err != nil {
			return nil, err
		}
		sorted.Stable(stopped, func(a, b ecsview.Task) int { return a.CreatedAt.Compare(b.CreatedAt) })
		tasks = append(tasks, stopped...)
	}
	if r.in.Task == "" {
		return tasks, nil
	}
	task, err := operate.Named(tasks, r.in.Task)
	return []ecsview.Task{task}, err
}

// join takes a task in.
func (r *reader) join(ctx context.Context, t ecsview.Task, short string) error {
	r.tasks[t.ARN] = &followed{task: t, spoke: r.clock.Now()}
	definition, known := r.definitions[t.TaskDefinition]
	if !known {
		out, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &t.TaskDefinition})
		if err != nil {
			return fmt.Errorf("describing %s, which says where its containers log: %w", arn.Revision(t.TaskDefinition), err)
		}
		definition = out.TaskDefinition
		r.definitions[t.TaskDefinition] = definition
	}
	for _, d := range definition.ContainerDefinitions {
		name := aws.ToString(d.Name)
		group, stream, region := ecsview.LogStream(d, t.ID())
		if group == "" {
			r.tellUnread(name, d)
			continue
		}
		r.containers[name] = true
		if r.in.Container == "" || r.in.Container == name {
			r.add(group, stream, region, short, name, t.ARN)
		}
	}
	return nil
}

func (r *reader) add(group, name, region, task, container, taskARN string) {
	for _, s := range r.streams {
		r.marked = r.marked || s.container != container
	}
	r.streams = append(r.streams, &stream{group: group, name: name, region: region, task: task, container: container, taskARN: taskARN})
}

func (r *reader) tellUnread(name string, d types.ContainerDefinition) {
	if r.unread[name] {
		return
	}
	r.unread[name] = true
	if d.LogConfiguration == nil {
		r.env.Events.Notef("container %s has no log driver: its lines are nowhere", name)
		return
	}
	r.env.Events.Notef("container %s logs by %s, not to a stream of CloudWatch that can be read here", name, d.LogConfiguration.LogDriver)
}

// pace is the least time between two calls: CloudWatch allows 25 of GetLogEvents in a second, and fewer searches.
const pace = 50 * time.Millisecond

// read reads what is new in all streams.
func (r *reader) read(ctx context.Context, a asked) ([]Line, error) {
	var lines []Line
	for _, s := range r.streams {
		for range mostPages {
			begun := r.clock.Now()
			found, more, err := s.next(ctx, r.logs, a)
			if err != nil {
				return lines, err
			}
			lines = append(lines, found...)
			if t := r.tasks[s.taskARN]; t != nil && len(found) > 0 {
				t.spoke = r.clock.Now()
			}
			if wait := pace - r.clock.Now().Sub(begun); wait > 0 && r.in.Follow {
				if err := r.clock.Sleep(ctx, wait); err != nil {
					return lines, err
				}
			}
			if !more {
				break
			}
		}
	}
	return lines, nil
}

// first shows what there is.
func (r *reader) first(ctx context.Context) error {
	a := askedOf(r.in, r.clock.Now())
	var all []Line
	for {
		lines, err := r.read(ctx, a)
		all = append(all, lines...)
		if err != nil {
			return errors.Join(err, r.write(last(merge(all), a.tail)))
		}
		if len(lines) < fullPage*mostPages || a.tail > 0 {
			break
		}
	}
	for _, s := range r.streams {
		if s.until.IsZero() {
			s.until = r.clock.Now() // nothing matched so far: a filter need not look there again
		}
	}
	return r.write(last(merge(all), a.tail))
}

func last(lines []Line, n int) []Line {
	if n > 0 && len(lines) > n {
		return lines[len(lines)-n:]
	}
	return lines
}

// The times of following.
const (
	between  = time.Second      // looks at the streams
	tasksPer = 5 * time.Second  // looks at which tasks there are
	farewell = 15 * time.Second // a task that is gone is read until it has said nothing for so long
	longest  = time.Minute      // between two tries of a read that does not succeed
)

// follow goes on until the context ends.
func (r *reader) follow(ctx context.Context) error {
	looked, wait := r.clock.Now(), between
	for {
		if r.clock.Sleep(ctx, wait) != nil {
			return nil //nolint:nilerr // somebody has seen enough
		}
		var failed error
		if r.in.Task == "" && r.clock.Now().Sub(looked) >= tasksPer {
			failed = r.look(ctx)
			looked = r.clock.Now()
		}
		lines, err := r.read(ctx, asked{filter: r.in.Filter})
		if err := r.write(merge(lines)); err != nil {
			return err
		}
		switch failed = errors.Join(failed, err); {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // somebody has seen enough
		case failed == nil:
			wait = between
		case awserr.IsThrottled(failed) || awserr.IsCrowded(failed) || awserr.IsLost(failed):
			if wait == between {
				r.env.Events.Notef("waiting: %v", awserr.Explain(failed))
			}
			wait = min(2*wait, longest) // what was not read is read then
		default:
			return fmt.Errorf("following the logs: %w", awserr.Explain(failed))
		}
	}
}

// look takes in the tasks that have come, and lets go of those that are gone and silent.
func (r *reader) look(ctx context.Context) error {
	tasks, err := operate.Tasks(ctx, r.ecs, r.in.Cluster, r.in.Service)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	all := slices.Clone(tasks)
	for _, f := range r.tasks {
		all = append(all, f.task)
	}
	ids := operate.ShortIDs(all)
	for _, t := range tasks {
		wanted[t.ARN] = true
		if r.tasks[t.ARN] != nil {
			continue
		}
		if err := r.join(ctx, t, ids[t.ARN]); err != nil {
			delete(r.tasks, t.ARN) // it joins at the next look
			r.streams = slices.DeleteFunc(r.streams, func(s *stream) bool { return s.taskARN == t.ARN })
			return err
		}
		r.env.Events.Notef("task %s of %s has joined", ids[t.ARN], arn.Revision(t.TaskDefinition))
	}
	return r.leave(ctx, wanted)
}

func (r *reader) leave(ctx context.Context, wanted map[string]bool) error {
	now := r.clock.Now()
	var silent []string
	for taskARN, f := range r.tasks {
		switch {
		case wanted[taskARN]:
		case f.gone.IsZero():
			f.gone, f.spoke = now, now
		case now.Sub(f.spoke) >= farewell:
			silent = append(silent, taskARN)
		}
	}
	slices.Sort(silent)
	described, err := ecsview.DescribeTasks(ctx, r.ecs, r.in.Cluster, silent)
	if err != nil {
		return err
	}
	for _, taskARN := range silent {
		i := slices.IndexFunc(described, func(t ecsview.Task) bool { return t.ARN == taskARN })
		if i >= 0 && described[i].LastStatus != "STOPPED" {
			continue // it still runs its last seconds
		}
		why := ""
		if i >= 0 && described[i].Failed() {
			why = ": " + described[i].Failure()
		}
		r.env.Events.Notef("task %s has said its last%s", r.short(taskARN), why)
		delete(r.tasks, taskARN)
		r.streams = slices.DeleteFunc(r.streams, func(s *stream) bool { return s.taskARN == taskARN })
	}
	return nil
}

func (r *reader) short(taskARN string) string {
	for _, s := range r.streams {
		if s.taskARN == taskARN {
			return s.task
		}
	}
	return arn.Last(taskARN)
}
