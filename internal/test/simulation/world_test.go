package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// Secrets that must not be in anything that is written.
const (
	settingValue = "setting-nobody-may-see"
	password     = "hunter2-nobody-may-see"
	secretKey    = "wJalrXUtnFEMI-nobody-may-see"
)

// end is the virtual time after which everything is over, whatever hangs.
const endOfTime = 3 * time.Hour

// settling is how long the service is left to itself in the end.
const settling = 20 * time.Minute

// moment is the state of the service at one time.
type moment struct {
	at             time.Time // by our clock
	primary        string    // id of the PRIMARY deployment
	since          time.Time // when it was created
	taskDefinition string    // its ARN
	version        int
	state          string // its rolloutState
	alone          bool   // no other deployment is listed
	leaves         string // the task definition that ECS rolls back from; empty: it does not roll back
	undoes         string // ARN of the service revision that ECS rolls back from
	revision       string // ARN of the PRIMARY one
	desired        int
	running        int    // of all deployments
	tasks          string // ids of the tasks that run and are meant to
	sick           bool   // one of them fails a health check
	fallen         int    // tasks of the PRIMARY deployment that have failed by their own fault since it was complete, …
	stands         int    // and those that run and are well
	deployments    int    // that there ever were
	jobs           int    // migrations whose containers run
	held           bool   // the image of the PRIMARY deployment is on hold
	second         state  // of the second service
	scheduled      string // what the schedules run; empty where nobody looked
}

// inForce says whether the task definition is what the service is at, and complete.
func (m moment) inForce(taskDefinition string) bool {
	return m.taskDefinition == taskDefinition && m.state == engine.Completed
}

// standing says whether all tasks that are wanted run and are well, or those that are missing did not fail by their own fault.
func (m moment) standing() bool { return m.fallen == 0 || m.stands >= m.desired }

func (m moment) String() string {
	return fmt.Sprintf("PRIMARY is v%d %s (%s, %s), %d of %d tasks run",
		m.version, m.state, name(m.taskDefinition), m.primary, m.running, m.desired)
}

// world is the service and everybody around it, in one bubble.
type world struct {
	t        *testing.T
	history  History
	begun    time.Time
	sandbox  *sandbox.Sandbox
	digests  map[string]int // versions by digest
	over     context.Context
	everyone sync.WaitGroup

	mu        sync.Mutex
	timeline  []moment          // what changed, oldest first
	changes   int               // of the service, so far
	changed   chan struct{}     // closed at the next
	acts      []acted           // of others, so far
	deeds     []deed            // what changed the service or what belongs to it, in order
	settled   moment            // long after everything was over
	leaving   map[string]string // what a way back of ours leaves, by its service revision
	inherited map[string]bool   // those of them that somebody else has deployed
	log       []string
	runs      []*report
}

// acted is something that somebody else has done.
type acted struct {
	what  What
	at    time.Time
	state string // of the rollout at that time
}

// deed is what can be done once more in another world: a call that was carried out, or what somebody else did.
type deed struct {
	at     time.Time // by the sandbox's clock
	action string
	call   *http.Request
	body   []byte
	act    func(*engine.Engine, *engine.Service)
}

// report is what became of a run of ours.
type report struct {
	number int
	run    Run
	again  bool // the same run once more
	repeat bool // a deployment repeated right after its success
	answer answer
	begun  time.Time
	ended  time.Time
	calls  int
	killed bool
	signal time.Time // when it came; zero: none
	gaveUp time.Time // when it first asked ECS to stop what it began, or updated the service once more; zero: never
	first  moment
	newest moment // at the newest read of the service
	last   moment // at the exit
	before moment // at the beginning
	alone  bool   // nobody else did anything meanwhile
	faulty bool   // a call was made to fail
	began  string // id of the newest deployment that it began
	leave  string // of a rollback: the task definition that it was to leave
	joined bool   // of a rollback: it met what another rollback of ours had begun

	updates    []update
	registered []string   // ARNs of the task definitions that it registered
	left       []revision // those of them that are ACTIVE at its end
	jobs       []job      // of its migrations, as they were at its end
	undone     bool       // a call that takes one away was made to fail

	base         moment // what was there before it, or before an attempt at the same that was not green
	newestSecond moment // at the newest read of the second service
	beganSecond  string // id of the newest deployment of it that it began
}

var imageCache sync.Map

func imageOf(version string) v1.Image {
	if found, ok := imageCache.Load(version); ok {
		return found.(v1.Image)
	}
	img, err := sandbox.NewImage(version, nil)
	if err != nil {
		panic(err)
	}
	imageCache.Store(version, img)
	return img
}

func tag(version int) string { return fmt.Sprintf("v%d", version) }

func name(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// simulate lets a history happen and returns what was seen.
func simulate(t *testing.T, h History) (w *world) {
	for version := range h.Past + len(h.Fates) {
		imageOf(tag(version + 1)) // not made inside the bubble: it is shared
	}
	synctest.Test(t, func(t *testing.T) {
		w = &world{t: t, history: h, begun: time.Now(), changed: make(chan struct{}), digests: map[string]int{}, leaving: map[string]string{},
			inherited: map[string]bool{}}
		w.sandbox = w.build()
		over, cancel := context.WithTimeoutCause(context.Background(), endOfTime, errors.New("the end of the simulation"))
		defer cancel()
		w.over = over
		watching, stop := context.WithCancel(over)
		w.note()
		var watcher sync.WaitGroup
		watcher.Go(func() { w.watch(watching) })
		for i, run := range h.Runs {
			w.everyone.Go(func() { w.play(i+1, run) })
		}
		for _, act := range h.Others {
			w.everyone.Go(func() { w.act(act) })
		}
		w.everyone.Wait()
		time.Sleep(settling)
		w.settled = w.whole()
		stop()
		watcher.Wait()
	})
	return w
}

// tooManyAttempts is a ClientException that passes.
const tooManyAttempts = "Too many concurrent attempts to create a new revision of the specified family."

// build makes the sandbox of the history.
func (w *world) build() *sandbox.Sandbox {
	scenario := w.scenario()
	for i, run := range w.history.Runs {
		for _, f := range run.Faults {
			fault := sandbox.Fault{
				Action: f.Action, Answer: sandbox.Answer(f.Answer), Skip: f.Skip, Times: f.Times, Caller: "*/" + userName(i+1),
			}
			if fault.Answer == sandbox.Refuse {
				fault.Code, fault.Message = "ClientException", tooManyAttempts
			}
			scenario.Faults = append(scenario.Faults, fault)
		}
	}
	if lag := engine.Duration(w.history.Reads); lag > 0 {
		scenario.Lag.Services = &lag
	}
	if w.history.Busy > 0 {
		scenario.Limits, scenario.LimitsUsed = sandbox.DocumentedLimits, w.history.Busy
	}
	s := w.populate(scenario, func() time.Time { return time.Now().Add(w.history.Skew) })
	w.putSchedules(s)
	return s
}

// scenario is the world of the history, without what goes wrong in its calls.
func (w *world) scenario() *sandbox.Scenario {
	h := w.history
	var releases []string
	for i := range h.Past {
		releases = append(releases, tag(i+1))
	}
	scenario := &sandbox.Scenario{
		Service: sandbox.ServiceScenario{
			DesiredCount: &h.Desired, Releases: releases, GracePeriod: 10,
			HealthInterval: engine.Duration(5 * time.Second), DeregisterAfter: engine.Duration(5 * time.Second),
			CircuitBreaker: new(bool), Rollback: new(bool),
		},
		Users: map[string]sandbox.UserScenario{},
	}
	if h.Shift != Rolling {
		scenario.Service.Deployment = map[string]any{
			"strategy": string(h.Shift), "bakeTimeInMinutes": 1,
			"linearConfiguration": map[string]any{"stepPercent": 50, "stepBakeTimeInMinutes": 1},
			"canaryConfiguration": map[string]any{"canaryPercent": 10, "canaryBakeTimeInMinutes": 1},
		}
	}
	h.withSecond(scenario)
	*scenario.Service.CircuitBreaker = h.Breaker != Off
	*scenario.Service.Rollback = h.Breaker == RollsBack
	for i := range h.Runs {
		scenario.Users[userName(i+1)] = sandbox.UserScenario{AccessKey: accessKey(i + 1)}
	}
	if lag := engine.Duration(h.Lag); lag > 0 {
		scenario.Lag.ServiceDeployments = &lag
	}
	return scenario
}

// populate makes a sandbox of a scenario, with all versions in its registry.
func (w *world) populate(scenario *sandbox.Scenario, now func() time.Time) *sandbox.Sandbox {
	s := sandbox.New(sandbox.Options{Scenario: scenario, Now: now})
	for version := range w.history.Past + len(w.history.Fates) {
		digest, err := s.Push(sandboxtest.Repository, tag(version+1), imageOf(tag(version+1)))
		if err != nil {
			panic(err)
		}
		w.digests[digest] = version + 1
		if version >= w.history.Past {
			s.SetBehaviour(tag(version+1), w.history.Fates[version-w.history.Past].behaviour())
		}
	}
	if w.history.Restarts {
		s.Inspect(func(e *engine.Engine) {
			if problem := withPolicy(e); problem != "" {
				panic(problem)
			}
		})
	}
	return s
}

// withPolicy gives the template's containers a restart policy.
func withPolicy(e *engine.Engine) string {
	return changeMember(e, "containerDefinitions", func(text json.RawMessage, _ int) json.RawMessage {
		return bytes.ReplaceAll(text, []byte(`"image":`), []byte(`"restartPolicy":{"enabled":true,"restartAttemptPeriod":60},"image":`))
	})
}

func userName(run int) string  { return fmt.Sprintf("runner%d", run) }
func accessKey(run int) string { return fmt.Sprintf("AKIASIMULATION00000%d", run) }

// behaviour is what the engine is told to do with the tasks of a version.
func (f Fate) behaviour() engine.Behaviour {
	b := f.first()
	b.Commands = map[string]engine.Behaviour{"work": Fate{Kind: f.Second}.first()}
	return b
}

// first is what it is told of those of the first service.
func (f Fate) first() engine.Behaviour {
	passing := f.First > 0
	words := func(ifPassing, ifLasting string) string {
		if passing {
			return ifPassing
		}
		return ifLasting
	}
	job := engine.Run{After: engine.Duration(20 * time.Second), Logs: []string{"running upgrade"}}
	switch f.Job {
	case Fails:
		job.ExitCode = 1
	case Long:
		job.After = engine.Duration(4 * time.Minute)
	}
	b := engine.Behaviour{Times: f.First, Run: map[string]engine.Run{"*": job}}
	switch f.Kind {
	case Slow:
		b.Start, b.HealthyAfter = engine.Slow, engine.Duration(time.Minute)
	case Crashes:
		b.Start, b.After = engine.Crash, engine.Duration(3*time.Second)
		b.Logs = []string{
			"connecting to postgresql://app:" + password + "@db.internal:5432/app",
			words("FATAL: the database system is starting up", "KeyError: 'DATABASE_URL'"),
		}
	case Faints:
		b.Start, b.After = engine.Crash, engine.Duration(100*time.Second)
		b.Logs = []string{words("lost the connection to the broker", "AssertionError: unreachable")}
	case Unhealthy:
		b.Start, b.Check, b.Status = engine.Unhealthy, "elb", 503
	case NoPull:
		b.Start = engine.PullError
		if passing {
			b.Reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref: failed to do request: " +
				"dial tcp 10.0.3.17:443: i/o timeout"
		}
	case NoRoom:
		b.Start = engine.NoCapacity
	}
	return b
}

// service runs f with the service, while nothing else can change it.
func (w *world) service(f func(*engine.Engine, *engine.Service)) { inspect(w.sandbox, f) }

func inspect(s *sandbox.Sandbox, f func(*engine.Engine, *engine.Service)) {
	s.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(sandboxtest.Cluster)
		if err != nil {
			panic(err)
		}
		f(e, c.Service(sandboxtest.Service))
	})
}

// note keeps the present state where it differs from the one before, and returns it.
func (w *world) note() moment {
	var m moment
	w.service(func(e *engine.Engine, s *engine.Service) { m = w.look(e, s) })
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.timeline); n > 0 {
		before := w.timeline[n-1]
		w.inherit(before, m)
		if before.primary != m.primary || before.state != m.state {
			w.changes++
			close(w.changed)
			w.changed = make(chan struct{})
		}
		before.at = m.at
		if before == m {
			return m
		}
	}
	w.timeline = append(w.timeline, m)
	return m
}

// inherit keeps what is left where somebody deploys anew what the service is on its way back to: it is still on that way.
func (w *world) inherit(before, m moment) {
	left := before.leaves
	if left == "" {
		left = w.leaving[before.revision]
	}
	if _, known := w.leaving[m.revision]; known || left == "" || before.primary == m.primary ||
		before.taskDefinition != m.taskDefinition || before.state == engine.Completed {
		return
	}
	w.leaving[m.revision], w.inherited[m.revision] = left, true
}

func (w *world) look(e *engine.Engine, s *engine.Service) moment {
	d := s.Deployments[0]
	m := moment{
		at: e.Now().Add(-w.history.Skew), primary: d.ID, revision: d.Revision.ARN, since: d.CreatedAt.Add(-w.history.Skew),
		state: d.State, alone: len(s.Deployments) == 1,
		taskDefinition: d.Revision.Spec.Definition.ARN, version: w.version(d.Revision),
		desired: s.Desired, running: s.Counts().Running, deployments: len(s.History),
	}
	for _, rollout := range s.History {
		if rollout.Rollback != nil && !rollout.Over() {
			m.leaves, m.undoes = rollout.Target.Spec.Definition.ARN, rollout.Target.ARN
		}
	}
	for _, tag := range s.Tags {
		for digest, version := range w.digests {
			m.held = m.held || tag.Key == holdTag && version == m.version && strings.Contains(tag.Value, digest)
		}
	}
	var tasks []string
	for _, t := range wanted(s) {
		if t.LastStatus == engine.Running {
			tasks = append(tasks, t.ID)
			m.sick = m.sick || t.HealthStatus() == engine.HealthUnhealthy
		}
	}
	m.stands, m.fallen = fates(s)
	m.second = w.second(s)
	for _, t := range jobs(s) {
		if t.LastStatus == engine.Running || t.LastStatus == engine.Stopping {
			m.jobs++
		}
	}
	slices.Sort(tasks)
	m.tasks = strings.Join(tasks, " ")
	return m
}

// fates counts the tasks of the PRIMARY deployment that run and are well, and those that failed by their own fault since it was
// complete.
func fates(s *engine.Service) (stands, fallen int) {
	d := s.Deployments[0]
	for _, t := range s.Tasks() {
		if t.Deployment != d {
			continue
		}
		switch {
		case t.DesiredStatus == engine.Running:
			if t.LastStatus == engine.Running && t.HealthStatus() != engine.HealthUnhealthy {
				stands++
			}
		case d.State != engine.Completed || t.CreatedAt.Before(d.CreatedAt):
		case t.StopCode == engine.EssentialContainerExited, t.StopCode == engine.TaskFailedToStart,
			t.StopCode == engine.ServiceSchedulerInitiated && strings.HasPrefix(t.StoppedReason, "Task failed"):
			if since(t).After(d.UpdatedAt) {
				fallen++
			}
		}
	}
	return stands, fallen
}

// jobs returns the one-off tasks that are not forgotten.
func jobs(s *engine.Service) []*engine.Task {
	return slices.DeleteFunc(slices.Clone(s.Cluster.Tasks), func(t *engine.Task) bool { return t.Service != nil })
}

// job is a migration's task.
type job struct {
	id  string
	end string // why it is not a success; empty: it came to its own end, with exit code 0
}

// judge says how migrations ended.
func (w *world) judge(ids []string) (out []job) {
	w.service(func(_ *engine.Engine, s *engine.Service) {
		for _, t := range jobs(s) {
			if !slices.Contains(ids, t.ID) {
				continue
			}
			j := job{id: t.ID}
			code := t.Containers[0].ExitCode
			switch {
			case t.StopCode != engine.EssentialContainerExited:
				j.end = fmt.Sprintf("%s: %s (%s)", t.LastStatus, t.StopCode, t.StoppedReason)
			case code == nil || *code != 0:
				j.end = "it failed"
			}
			out = append(out, j)
		}
	})
	return out
}

// since is when a task began to end.
func since(t *engine.Task) time.Time {
	for _, at := range []time.Time{t.ExecutionStoppedAt, t.StoppingAt, t.StoppedAt} {
		if !at.IsZero() {
			return at
		}
	}
	return t.CreatedAt
}

// wanted returns the tasks that run or start and are meant to.
func wanted(s *engine.Service) []*engine.Task {
	return slices.DeleteFunc(s.Tasks(), func(t *engine.Task) bool { return t.DesiredStatus != engine.Running })
}

func (w *world) version(r *engine.Revision) int {
	for _, image := range r.Images {
		_, digest, _ := strings.Cut(image.Image, "@")
		if v, ok := w.digests[digest]; ok {
			return v
		}
	}
	return 0
}

// watch notes every change that the engine makes by itself, at the time at which it makes it.
func (w *world) watch(ctx context.Context) {
	for {
		var next time.Time
		w.service(func(e *engine.Engine, _ *engine.Service) {
			var planned bool
			if next, planned = e.Next(); !planned {
				next = e.Now().Add(time.Hour)
			}
		})
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(time.Until(next.Add(-w.history.Skew)), time.Millisecond)):
			w.note()
		}
	}
}

// tell adds a line to the account.
func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf("%9s  ", time.Since(w.begun).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// patience is how long somebody waits for a change that may never come.
const patience = 20 * time.Minute

// await waits for a change of the service, and a time after it. It returns false where the change does not come, or where
// nobody waits for it any more.
func (w *world) await(ctx context.Context, change int, then time.Duration) bool {
	tired := time.After(patience)
	for {
		w.mu.Lock()
		come, next := w.changes >= change, w.changed
		w.mu.Unlock()
		if come {
			break
		}
		select {
		case <-next:
		case <-tired:
			return false
		case <-ctx.Done():
			return false
		}
	}
	// Not in the very moment of the change: a read that saw it has its answer first.
	select {
	case <-time.After(then + 3*time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}

// act does what somebody else does.
func (w *world) act(a Act) {
	if !w.await(w.over, a.Change, a.At) {
		return
	}
	what := string(a.What)
	before := w.note() // what the engine did by itself until now
	w.mu.Lock()
	w.acts = append(w.acts, acted{a.What, time.Now(), before.state})
	w.mu.Unlock()
	do := func(e *engine.Engine, s *engine.Service) {
		switch a.What {
		case ColleagueDeploys:
			what += " " + tag(a.N) + w.release(e, s, a.N)
		case ColleagueForces:
			if err := e.UpdateService(s, engine.ServiceChange{ForceNewDeployment: true}); err != nil {
				what += ": " + err.Error()
			}
		case ColleagueRollsBack:
			what += w.undo(e, s)
		case OperatorStops, SpotTakes:
			tasks := wanted(s)
			if len(tasks) == 0 {
				what += ": there is no task"
				return
			}
			t := tasks[a.N%len(tasks)]
			what += " task " + t.ID
			if a.What == SpotTakes {
				e.InterruptSpot(t)
			} else {
				e.StopTask(t, "looking into something")
			}
		case OperatorStopsJob, SpotTakesJob:
			running := slices.DeleteFunc(jobs(s), func(t *engine.Task) bool { return t.DesiredStatus != engine.Running })
			if len(running) == 0 {
				what += ": there is none"
			} else if a.What == SpotTakesJob {
				e.InterruptSpot(running[0])
			} else {
				e.StopTask(running[0], "looking into something")
			}
		case TerraformSettings:
			grace := 20
			what += told(e.UpdateService(s, engine.ServiceChange{HealthCheckGracePeriodSeconds: &grace}))
		case TerraformNetwork:
			what += told(e.UpdateService(s, engine.ServiceChange{NetworkConfiguration: network(e)}))
		case TerraformTemplate:
			what += changeTemplate(e)
		case ColleagueDeploysSecond:
			what += " " + tag(a.N) + w.changeWorker(e, s, a.N)
		case Scales:
			what += fmt.Sprintf(" to %d", a.N)
			if err := e.UpdateService(s, engine.ServiceChange{DesiredCount: &a.N}); err != nil {
				what += ": " + err.Error()
			}
		}
	}
	at := w.sandbox.Now()
	w.service(do)
	w.keep(deed{at: at, act: do})
	w.tell("%s", what)
	w.note()
}

func told(err error) string {
	if err != nil {
		return ": " + err.Error()
	}
	return ""
}

// network is another network configuration at each moment.
func network(e *engine.Engine) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60001"], `+
		`"securityGroups": ["sg-%017x"], "assignPublicIp": "DISABLED"}}`, e.Now().UnixMilli()))
}

// changeTemplate registers another revision of the template.
func changeTemplate(e *engine.Engine) string {
	return changeMember(e, "ephemeralStorage", func(_ json.RawMessage, revisions int) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"sizeInGiB": %d}`, 21+revisions))
	})
}

// changeMember registers the template with a member that is another one; it gets the one that is there, and the number of revisions.
func changeMember(e *engine.Engine, name string, change func(json.RawMessage, int) json.RawMessage) string {
	for _, f := range e.Families() {
		if !strings.HasSuffix(f.Name, "-template") {
			continue
		}
		document := maps.Clone(f.Revisions[len(f.Revisions)-1].Document)
		document[name] = change(document[name], len(f.Revisions))
		text, err := json.Marshal(document)
		if err == nil {
			_, err = e.RegisterTaskDefinition(text, "terraform")
		}
		return told(err)
	}
	return ": there is none"
}

var imagePin = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

// release updates the service to a version, in the revision that the family's newest is with its image in place.
func (w *world) release(e *engine.Engine, s *engine.Service, version int) string {
	digest := ""
	for d, v := range w.digests {
		if v == version {
			digest = d
		}
	}
	text, err := json.Marshal(s.Spec.Definition.Document)
	if err != nil {
		panic(err)
	}
	td, err := e.RegisterTaskDefinition(imagePin.ReplaceAll(text, []byte("@"+digest)), "a colleague")
	if err != nil {
		return ": " + err.Error()
	}
	if err := e.UpdateService(s, engine.ServiceChange{TaskDefinition: td.ARN}); err != nil {
		return ": " + err.Error()
	}
	return ""
}

// undo stops the deployment in progress with a rollback.
func (w *world) undo(e *engine.Engine, s *engine.Service) string {
	d := s.Deployments[0]
	if d.State != engine.InProgress || d.Rollout.Over() {
		return ": nothing is in progress"
	}
	if err := e.StopServiceDeployment(d.Rollout, "ROLLBACK"); err != nil {
		return ": " + err.Error()
	}
	return " from " + tag(w.version(d.Revision))
}
