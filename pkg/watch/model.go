package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/console"
	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// reading is what one look at AWS found. The slower part of it is read less often.
type reading struct {
	at      time.Time
	names   Names
	service ecsview.Snapshot
	own     *ecsview.ServiceDeployment // the one that the service names, described; nil where it names none, or the API has none
	tasks   []ecsview.Task             // that run, are to, or have stopped within the last hour
	targets []ecsview.Target
	finding record.Finding // why tasks of suspect fail; zero where none do
	log     []Line         // oldest first

	deployments []history.Deployment // newest first
	revisions   map[string]*taskdef.Revision
	plan        history.Plan
	hold        hold.Hold
	scaling     *operate.Limits
	unread      []string
}

// Names say which service is watched, and how commands name it.
type Names struct {
	Cluster, Service string
	ARN              string
	Region           string
	Flags            string // of a command that is about this service: --cluster … --service …
}

// How much of each list is shown.
const (
	mostEvents   = 30
	mostVersions = 10
	mostLanes    = 60
	mostLine     = 2000 // characters of a line of the log
)

// The stretch of time that the lanes show.
const (
	window  = 15 * time.Minute // where nothing is under way
	before  = 15 * time.Second // a rollout
	longest = 2 * time.Hour    // of a rollout that is slow
	recent  = 10 * time.Minute // in which a task that stopped by no fault is still shown
)

// viewOf is the page of what was read, and of what was seen before.
func viewOf(r reading, t trace) View {
	rolled := rolledOf(r)
	state := r.state(rolled)
	v := View{
		At: r.at, Service: arn.Last(r.names.Service), Cluster: arn.Last(r.names.Cluster), Region: r.names.Region,
		Console: console.Service(r.names.ARN), State: state, Headline: r.headline(state, rolled),
		Desired: r.service.Desired, Running: r.service.Running, Pending: r.service.Pending,
		Facts: r.facts(), Card: r.card(rolled), From: r.from(rolled), Balanced: len(r.service.TargetGroups) > 0,
		Log: r.log, Unread: r.unread, Events: []Event{}, Targets: []Target{}, Lanes: []Lane{}, History: []Version{},
	}
	ids := operate.ShortIDs(r.tasks)
	if rolled.td != "" {
		v.Rollout = r.rollout(rolled, t, ids)
	}
	for _, task := range r.shown(v.From) {
		v.Lanes = append(v.Lanes, r.lane(task, t, rolled, ids))
	}
	for _, target := range r.targets {
		v.Targets = append(v.Targets, r.target(target, ids))
	}
	for _, e := range r.service.Events[:min(len(r.service.Events), mostEvents)] {
		v.Events = append(v.Events, Event{e.At, clean(e.Text)})
	}
	for _, d := range r.deployments[:min(len(r.deployments), mostVersions)] {
		v.History = append(v.History, r.version(d))
	}
	return v
}

// clean is a text of the outside as the page may show it.
func clean(text string) string { return diagnose.Redact(diagnose.Printable(text)) }

func cleanAll(texts []string) []string {
	out := diagnose.RedactLines(texts)
	if out == nil {
		return []string{}
	}
	return out
}

// rolled is the deployment that the page is about: the one under way, or the newest.
type rolled struct {
	td      string // ARN of the task definition that it brings; "" where nothing is known of it
	arn     string // of the service deployment; "" where only the service's own list tells of it
	status  types.ServiceDeploymentStatus
	reason  string
	began   time.Time
	ended   time.Time
	running bool
}

// rolledOf finds the deployment. Where the API of service deployments is not to be had, the service's own list has to do.
func rolledOf(r reading) rolled {
	if len(r.deployments) > 0 && r.deployments[0].TaskDefinition != "" {
		d := r.deployments[0]
		found := rolled{td: d.TaskDefinition, arn: d.ARN, status: d.Status, reason: d.Reason, began: d.Created, ended: d.Finished}
		if own := r.own; own != nil && own.ARN == d.ARN {
			found.status, found.ended = own.Status, own.Finished
			found.reason = cmp.Or(own.RollbackReason, own.Reason)
		}
		found.running = history.Deployment{Status: found.status}.Running()
		return found
	}
	newest := r.service.Primary()
	for i, d := range r.service.Deployments {
		if newest == nil || d.Created.After(newest.Created) {
			newest = &r.service.Deployments[i]
		}
	}
	if newest == nil {
		return rolled{}
	}
	found := rolled{td: newest.TaskDefinition, reason: newest.Reason, began: newest.Created, running: newest.InProgress()}
	switch newest.State {
	case string(types.DeploymentRolloutStateInProgress):
		found.status = types.ServiceDeploymentStatusInProgress
	case string(types.DeploymentRolloutStateFailed):
		found.status, found.ended = types.ServiceDeploymentStatusRollbackSuccessful, newest.Updated
		if primary := r.service.Primary(); primary.InProgress() {
			found.status, found.running, found.ended = types.ServiceDeploymentStatusRollbackInProgress, true, time.Time{}
		}
	default:
		found.status, found.ended = types.ServiceDeploymentStatusSuccessful, newest.Updated
	}
	return found
}

// brought reports whether a task was started by the deployment.
func (d rolled) brought(t ecsview.Task) bool {
	return t.TaskDefinition == d.td && !t.CreatedAt.Before(d.began.Add(-time.Second))
}

func (d rolled) history() *history.Deployment {
	if !d.running {
		return nil
	}
	return &history.Deployment{Status: d.status}
}

// state is how the service is doing.
func (r reading) state(d rolled) operate.State {
	return operate.Judge(r.service, d.history(), r.current(), r.targets)
}

// current are the tasks of the deployment that the service is at.
func (r reading) current() []ecsview.Task {
	primary := r.service.Primary()
	return slices.DeleteFunc(slices.Clone(r.tasks), func(t ecsview.Task) bool { return primary == nil || t.StartedBy != primary.ID })
}

func (r reading) headline(state operate.State, d rolled) string {
	name, revision, tasks := arn.Last(r.names.Service), arn.Revision(r.service.TaskDefinition), r.service.Tasks()
	switch state {
	case operate.Deploying:
		return fmt.Sprintf("%s is being deployed to %s: %s", arn.Revision(cmp.Or(d.td, r.service.TaskDefinition)), name, tasks)
	case operate.RollingBack:
		return fmt.Sprintf("%s is being rolled back to %s: %s", name, arn.Revision(r.service.Worked()), tasks)
	case operate.Empty:
		return fmt.Sprintf("%s is at %s, and is to have no tasks", name, revision)
	case operate.Degraded:
		if n := len(operate.UnhealthyTasks(r.current(), r.targets)); n > 0 {
			tasks += fmt.Sprintf(", %d unhealthy", n)
		}
		return fmt.Sprintf("%s is degraded at %s: %s", name, revision, tasks)
	}
	return fmt.Sprintf("%s is steady at %s: %s", name, revision, tasks)
}

// suspects are the tasks that failed or fail, newest first: those of the deployment that the page is about, or of the one that the
// service is at. What an earlier deployment left behind is history.
func suspects(r reading) []ecsview.Task {
	d, primary := rolledOf(r), r.service.Primary()
	bad := slices.DeleteFunc(slices.Clone(r.tasks), func(t ecsview.Task) bool {
		return !d.brought(t) && (primary == nil || t.StartedBy != primary.ID)
	})
	bad = append(operate.FailedTasks(bad), operate.UnhealthyTasks(bad, r.targets)...)
	sorted.Stable(bad, func(a, b ecsview.Task) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return slices.CompactFunc(bad, func(a, b ecsview.Task) bool { return a.ARN == b.ARN })
}

func (r reading) card(d rolled) *Card {
	if !r.finding.Known() {
		return nil
	}
	bad := suspects(r)
	c := &Card{Code: r.finding.Code, Title: upper(clean(r.finding.Title)), Task: arn.Last(r.finding.Task), Container: r.finding.Container,
		Evidence: cleanAll(r.finding.Evidence), Fix: cleanAll(r.finding.Fix), Of: arn.Revision(d.td)}
	for _, t := range bad {
		switch {
		case !t.Failed():
			c.Unhealthy++
			continue
		case t.Ended().After(c.At):
			c.At = t.Ended()
		}
		c.Failed++
	}
	if len(bad) > 0 {
		c.Of = arn.Revision(bad[0].TaskDefinition)
	}
	if c.Unhealthy > 0 {
		c.At = time.Time{}
	}
	return c
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// facts are what there is to know about what runs.
func (r reading) facts() []Fact {
	facts := []Fact{}
	add := func(name, text, link string) {
		if text != "" {
			facts = append(facts, Fact{name, clean(text), link})
		}
	}
	add("revision", arn.Revision(r.service.TaskDefinition), "")
	if revision := r.revisions[r.service.TaskDefinition]; revision != nil {
		v := history.VersionOf(history.Option{}, revision)
		add("image tag", v.Tag, "")
		add("image", imageOf(revision.Document), "")
		add("commit", revision.Tags[commits.Tag], "")
		add("released by", v.By, "")
		if strings.HasPrefix(v.Run, "https://") {
			add("released in", v.Run, v.Run)
		}
	}
	if r.scaling != nil {
		add("scales", fmt.Sprintf("by itself, from %d to %d tasks", r.scaling.Min, r.scaling.Max), "")
	}
	if held := r.hold.String(); held != "" {
		why := r.hold.Why
		if why == "" {
			why = "since the rollback" + r.hold.Since().String()
		}
		add("on hold", held+": "+why, "")
	}
	return facts
}

func imageOf(doc taskdef.Document) string {
	container, err := doc.Container("")
	if err != nil && len(doc.Containers()) > 0 {
		container = doc.Containers()[0]
	}
	return doc.Image(container)
}

// from is the left edge of the lanes.
func (r reading) from(d rolled) time.Time {
	usual := r.at.Add(-window)
	switch {
	case d.began.IsZero() || d.began.Add(-before).After(usual) && !d.running:
		return usual
	case d.running:
		return later(d.began.Add(-before), r.at.Add(-longest))
	}
	return usual
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// shown are the tasks that have a lane: those that go on, and those that stopped lately, oldest first.
func (r reading) shown(from time.Time) []ecsview.Task {
	tasks := slices.DeleteFunc(slices.Clone(r.tasks), func(t ecsview.Task) bool {
		ended := t.Ended()
		switch {
		case t.LastStatus != "STOPPED":
			return false
		case t.Failed():
			return ended.Before(from)
		}
		return ended.Before(r.at.Add(-recent)) || ended.Before(from)
	})
	sorted.Stable(tasks, func(a, b ecsview.Task) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ARN, b.ARN))
	})
	return tasks[max(len(tasks)-mostLanes, 0):]
}

func (r reading) lane(task ecsview.Task, t trace, d rolled, ids map[string]string) Lane {
	l := Lane{ID: ids[task.ARN], ARN: task.ARN, Link: console.Task(task.ARN), Revision: arn.Revision(task.TaskDefinition),
		New: d.brought(task), Zone: task.Zone, Failed: task.Failed()}
	l.Spans = spansOf(task, r.phase(task), t.tasks[task.ARN])
	if len(l.Spans) > 0 {
		last := l.Spans[len(l.Spans)-1]
		l.Phase, l.Since = last.Phase, last.From
	}
	switch target := r.targetOf(task); {
	case task.Failed():
		l.Why = clean(strings.TrimPrefix(task.Failure(), "task "+task.ID()+" failed: "))
	case task.Stopped():
		l.Why = clean(task.Reason)
	case l.Phase == Unhealthy && target != nil && target.State == "unhealthy":
		l.Why = clean(cmp.Or(target.Description, target.Reason))
	case l.Phase == Unhealthy:
		l.Why = "its own health check fails"
	}
	return l
}

// targetOf returns the target that a task is, the worst one where it is several, or nil.
func (r reading) targetOf(t ecsview.Task) *ecsview.Target {
	var found *ecsview.Target
	for i, target := range r.targets {
		if t.IP != "" && target.ID == t.IP && (found == nil || target.State == "unhealthy") {
			found = &r.targets[i]
		}
	}
	return found
}

// phase is what a task is doing now.
func (r reading) phase(t ecsview.Task) Phase {
	return phaseOf(t, r.targetOf(t), len(r.service.TargetGroups) > 0)
}

// phaseOf is what a task is doing: target is the load balancer's target that it is, or nil; balanced says that it is to be one.
func phaseOf(t ecsview.Task, target *ecsview.Target, balanced bool) Phase {
	checked := slices.ContainsFunc(t.Containers, func(c ecsview.Container) bool { return c.Check != "" })
	switch {
	case t.LastStatus == "STOPPED", t.LastStatus == "DEPROVISIONING":
		return Stopped
	case t.Stopped(), !t.StoppingAt.IsZero(), t.LastStatus == "DEACTIVATING", t.LastStatus == "STOPPING",
		target != nil && target.State == "draining":
		return Draining
	case t.LastStatus == "PROVISIONING":
		return Provisioning
	case t.StartedAt.IsZero() && t.LastStatus != "RUNNING":
		return Pending
	case t.Health == "UNHEALTHY", target != nil && target.State == "unhealthy":
		return Unhealthy
	case checked && t.Health != "HEALTHY", balanced && (target == nil || target.State != "healthy"):
		return Running
	case balanced || t.Health == "HEALTHY":
		return Healthy
	}
	return Running
}

// spansOf is a task's life as far as it has come: what ECS gives the times of, and between its start and its end what was seen.
func spansOf(t ecsview.Task, now Phase, seen sightings) []Span {
	var spans []Span
	add := func(p Phase, from time.Time) {
		if from.IsZero() {
			return
		}
		if n := len(spans); n > 0 {
			from = later(from, spans[n-1].From)
			if spans[n-1].Phase == p {
				return
			}
			spans[n-1].To = from
		}
		spans = append(spans, Span{Phase: p, From: from})
	}
	add(Provisioning, t.CreatedAt)
	add(Pending, cmp.Or(t.PullStartedAt, seen.first(Pending)))
	add(Running, t.StartedAt)
	ended := t.Ended()
	for _, s := range seen {
		if s.phase != Healthy && s.phase != Unhealthy && s.phase != Running {
			continue
		}
		if at := s.at; ended.IsZero() || at.Before(ended) {
			add(s.phase, at)
		}
	}
	switch now {
	case Draining:
		add(Draining, cmp.Or(t.StoppingAt, seen.first(Draining), t.EndedAt))
	case Stopped:
		add(Draining, cmp.Or(t.StoppingAt, seen.first(Draining)))
		add(Stopped, cmp.Or(t.EndedAt, t.StoppedAt, t.StoppingAt))
	}
	if n := len(spans); n > 0 && spans[n-1].Phase != now {
		add(now, later(seen.first(now), spans[n-1].From))
	}
	return slices.DeleteFunc(spans, func(s Span) bool { return !s.To.IsZero() && !s.To.After(s.From) })
}

func (r reading) target(t ecsview.Target, ids map[string]string) Target {
	out := Target{ID: t.ID, Port: t.Port, Group: groupName(t.Group), State: t.State, Why: clean(cmp.Or(t.Description, t.Reason))}
	for _, task := range r.tasks {
		if task.IP == t.ID && task.IP != "" && task.LastStatus != "STOPPED" {
			out.Task = ids[task.ARN]
		}
	}
	switch t.State {
	case "healthy":
		out.Tone, out.Why = Good, ""
	case "unhealthy", "unavailable":
		out.Tone = Bad
	case "initial", "draining":
		out.Tone = Open
	}
	return out
}

// groupName takes the name out of a target group's ARN.
func groupName(group string) string {
	_, rest, ok := strings.Cut(group, ":targetgroup/")
	if !ok {
		return group
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func (r reading) rollout(d rolled, t trace, ids map[string]string) *Rollout {
	out := &Rollout{Outcome: words(string(d.status)), Tone: toneOf(d.status), Began: d.began, Ended: d.ended, Desired: r.service.Desired,
		Link: console.Deployment(d.arn), Title: "deployment of " + arn.Revision(d.td)}
	for _, listed := range r.service.Deployments {
		if listed.TaskDefinition == d.td && d.running && listed.Desired > 0 {
			out.Desired = listed.Desired
		}
	}
	if own := r.own; own != nil && own.ARN == d.arn && own.Stage != "" && d.running {
		out.Stage = words(own.Stage)
	}
	for _, task := range r.tasks {
		if !d.brought(task) {
			continue
		}
		switch r.phase(task) {
		case Healthy:
			out.Healthy++
			out.Started++
		case Running, Unhealthy:
			out.Started++
		}
		if task.Failed() {
			out.Failed++
		}
	}
	out.Moments = r.moments(d, t, ids)
	return out
}

// moments is the timeline of a rollout, oldest first.
func (r reading) moments(d rolled, t trace, ids map[string]string) []Moment {
	var list []Moment
	add := func(at time.Time, tone Tone, format string, args ...any) {
		if !at.IsZero() {
			list = append(list, Moment{at, clean(fmt.Sprintf(format, args...)), tone})
		}
	}
	add(d.began, Open, "the deployment of %s began", arn.Revision(d.td))
	var first, started, healthy ecsview.Task
	var healthyAt time.Time
	for _, task := range r.tasks {
		if !d.brought(task) {
			continue
		}
		if !task.CreatedAt.IsZero() && (first.ARN == "" || task.CreatedAt.Before(first.CreatedAt)) {
			first = task
		}
		if !task.StartedAt.IsZero() && (started.ARN == "" || task.StartedAt.Before(started.StartedAt)) {
			started = task
		}
		if at := t.tasks[task.ARN].first(Healthy); !at.IsZero() && (healthy.ARN == "" || at.Before(healthyAt)) {
			healthy, healthyAt = task, at
		}
		if task.Failed() {
			add(task.Ended(), Bad, "task %s failed: %s", ids[task.ARN], strings.TrimPrefix(task.Failure(), "task "+task.ID()+" failed: "))
		}
	}
	add(first.CreatedAt, Plain, "its first task, %s, was started", ids[first.ARN])
	add(started.StartedAt, Plain, "task %s runs", ids[started.ARN])
	add(healthyAt, Good, "task %s is healthy", ids[healthy.ARN])
	for _, s := range t.stages {
		if s.of == d.arn {
			add(s.at, s.tone, "%s", s.text)
		}
	}
	if !d.running {
		reason := ""
		if d.status != types.ServiceDeploymentStatusSuccessful && d.reason != "" {
			reason = ": " + d.reason
		}
		add(d.ended, toneOf(d.status), "it ended: %s%s", words(string(d.status)), reason)
	}
	sorted.Stable(list, func(a, b Moment) int { return a.At.Compare(b.At) })
	return list
}

// words is a word of the API in words: ROLLBACK_SUCCESSFUL is "rollback successful".
func words(text string) string { return strings.ToLower(strings.ReplaceAll(text, "_", " ")) }

func toneOf(status types.ServiceDeploymentStatus) Tone {
	switch {
	case status == types.ServiceDeploymentStatusSuccessful:
		return Good
	case history.Deployment{Status: status}.RolledBack(), status == types.ServiceDeploymentStatusStopped:
		return Bad
	case status == "":
		return Plain
	}
	return Open
}

func (r reading) version(d history.Deployment) Version {
	v := Version{When: d.Created, Ended: d.Finished, Revision: d.Name(), Outcome: words(string(d.Status)), Tone: toneOf(d.Status)}
	if !d.Succeeded() {
		v.Why = clean(d.Reason)
	}
	known := history.VersionOf(history.Option{Deployment: d}, r.revisions[d.TaskDefinition])
	v.Tag, v.Commit, v.By = clean(known.Tag), clean(commits.Short(known.Commit)), clean(known.By)
	for _, option := range r.plan.Choice.Options {
		if option.Deployment.ARN != d.ARN || d.TaskDefinition == "" {
			continue
		}
		v.Remark = clean(option.Why)
		v.Back = "connect2 rollback " + r.names.Flags + " --to " + quoted(d.Name()) + " --reason 'WHY'"
		v.Previous = r.plan.Do == history.Update && r.plan.Back == d.TaskDefinition
	}
	return v
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:@,", c))
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
