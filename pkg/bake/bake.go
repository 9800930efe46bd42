package bake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// Reads are what a bake reads. All but Service may be denied or fail: then what it was to tell is not judged.
type Reads struct {
	Service func(context.Context) (ecsview.Snapshot, error)
	Stopped func(context.Context) ([]ecsview.Task, error)                        // tasks of the service that have stopped
	Targets func(context.Context) ([]ecsview.Target, error)                      // of the service's target groups; nil where there are none
	Minutes func(ctx context.Context, from, to time.Time) ([]Minute, error)      // of the same groups; nil where there are none
	Alarms  func(ctx context.Context, names []string) (map[string]string, error) // states by name
	Probe   func(context.Context) error                                          // nil: a good answer
}

// Plan is what is watched, and for how long.
type Plan struct {
	For    time.Duration
	Alarms []string
	Probes bool
	Ahead  time.Duration // how far the clock of AWS is ahead of this one
	Events record.Sink
	Clock  clock.Clock
}

// Before is how things were before the deployment: only what was good then is judged after it.
type Before struct {
	Alarms  map[string]string
	Probe   error
	Targets *Targets // nil where they could not be read, or there are none
}

// Targets is how a load balancer finds the tasks of a service, in all of its target groups together. A target that is registering,
// draining, or not checked is neither.
type Targets struct {
	Healthy, Unhealthy int
	Reason             string // of one that is unhealthy
}

func targetsOf(all []ecsview.Target) *Targets {
	var t Targets
	for _, one := range all {
		switch one.State {
		case "healthy":
			t.Healthy++
		case "unhealthy":
			t.Unhealthy++
			t.Reason = cmp.Or(one.Description, one.Reason)
		}
	}
	return &t
}

// Worse reports whether the load balancer finds more tasks unhealthy than before: two, or the last one that served. One of several is
// replaced by ECS, and counts as a task that failed.
func (t Targets) Worse(before Targets) bool {
	more := t.Unhealthy - before.Unhealthy
	return more >= failures || more > 0 && t.Healthy == 0
}

func (t Targets) String() string {
	return fmt.Sprintf("%d healthy, %d unhealthy", t.Healthy, t.Unhealthy)
}

const (
	inAlarm  = "ALARM"
	pace     = 15 * time.Second
	badInRow = 3 // bad answers to the probe, or looks at the targets, one after another
	failures = 2 // tasks that fail by their own fault
)

// Look reads how things are before the deployment, and returns the alarms that do not exist.
func Look(ctx context.Context, read Reads, plan Plan) (before Before, missing []string) {
	if len(plan.Alarms) > 0 {
		states, err := read.Alarms(ctx, plan.Alarms)
		plan.unread(ctx, "The bake's alarms", err)
		before.Alarms = states
		for _, name := range plan.Alarms {
			if _, there := states[name]; err == nil && !there {
				missing = append(missing, name)
			}
		}
	}
	if plan.Probes {
		before.Probe = read.Probe(ctx)
	}
	if read.Targets != nil {
		all, err := read.Targets(ctx)
		if plan.unread(ctx, targetHealth, err); err == nil {
			before.Targets = targetsOf(all)
		}
	}
	return before, missing
}

const targetHealth = "The health of the targets"

// unread tells once what is not judged, and why. A read that the end of the run has cut off says nothing about AWS.
func (p Plan) unread(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil && !awserr.Optional(p.Events, what, err) {
		p.Events.WarnOncef("bake "+what, "Not judged", "%s could not be read: %v", what, awserr.Explain(err))
	}
}

// End is how a bake ended.
type End string

// The ends.
const (
	Passed     End = "passed"     // nothing went wrong
	Failed     End = "failed"     // something did: Finding
	Superseded End = "superseded" // a newer deployment took over
	Left       End = "left"       // the run was interrupted: the release stays
)

// Result is how a bake went.
type Result struct {
	End     End
	Finding *record.Finding
	Notes   []string // what was compared, and what could not be judged
}

// Watch watches the deployment of this id, which began at this time by the clock of AWS and was complete at this one by ours, for as long
// as the plan says.
func Watch(ctx context.Context, read Reads, plan Plan, before Before, id string, began, complete time.Time) Result {
	w := &watch{read: read, plan: plan, before: before, id: id, began: began, complete: complete.Add(plan.Ahead)}
	until := complete.Add(plan.For)
	for {
		if finding, superseded := w.look(ctx); superseded {
			return Result{End: Superseded, Notes: w.notes()}
		} else if finding != nil {
			return Result{End: Failed, Finding: finding, Notes: w.notes()}
		}
		left := until.Sub(plan.Clock.Now())
		if left <= 0 {
			return Result{End: Passed, Notes: w.notes()}
		}
		if err := plan.Clock.Sleep(ctx, min(pace, left)); err != nil {
			return Result{End: Left, Notes: w.notes()}
		}
	}
}

// watch is a bake that goes on.
type watch struct {
	read            Reads
	plan            Plan
	before          Before
	id              string
	began, complete time.Time // by the clock of AWS

	hour   []Minute  // before the deployment
	until  time.Time // of the minutes that were judged
	seen   observation
	probed int
	found  bool // the targets were looked at
}

// observation is what is known of a release at one moment.
type observation struct {
	traffic Judgement
	alarms  map[string]string
	failed  []ecsview.Task
	bad     int   // answers to the probe in a row
	probe   error // the last
	targets Targets
	sick    int // looks in a row that found the targets worse than before
}

// look reads once, and judges.
func (w *watch) look(ctx context.Context) (finding *record.Finding, superseded bool) {
	service, err := w.read.Service(ctx)
	switch primary := service.Primary(); {
	case err != nil:
		w.plan.unread(ctx, "The service", err)
	case primary == nil || primary.ID != w.id:
		return nil, true
	}
	if tasks, err := w.read.Stopped(ctx); err != nil {
		w.plan.unread(ctx, "Tasks that failed during the bake", err)
	} else {
		w.seen.failed = slices.DeleteFunc(tasks, func(t ecsview.Task) bool {
			return t.StartedBy != w.id || !t.Failed() || t.Ended().Before(w.complete)
		})
	}
	if len(w.plan.Alarms) > 0 {
		states, err := w.read.Alarms(ctx, w.plan.Alarms)
		w.plan.unread(ctx, "The bake's alarms", err)
		if err == nil {
			w.seen.alarms = states
		}
	}
	if w.plan.Probes && w.before.Probe == nil {
		w.seen.probe = w.read.Probe(ctx)
		if w.probed++; w.seen.probe != nil {
			w.seen.bad++
		} else {
			w.seen.bad = 0
		}
	}
	w.lookAtTargets(ctx)
	w.count(ctx)
	if ctx.Err() != nil {
		return nil, false
	}
	return decide(w.before, w.seen), false
}

// lookAtTargets compares the health of the targets with that before.
func (w *watch) lookAtTargets(ctx context.Context) {
	if w.read.Targets == nil || w.before.Targets == nil {
		return
	}
	all, err := w.read.Targets(ctx)
	if err != nil {
		w.plan.unread(ctx, targetHealth, err)
		return
	}
	w.found = true
	if w.seen.targets = *targetsOf(all); w.seen.targets.Worse(*w.before.Targets) {
		w.seen.sick++
	} else {
		w.seen.sick = 0
	}
}

// count reads the traffic of each minute that is new, and judges it. CloudWatch has a minute some time after it is over: until then it
// is asked again at each look, and the newest minutes that it has are judged.
func (w *watch) count(ctx context.Context) {
	now := w.plan.Clock.Now().Add(w.plan.Ahead).Truncate(time.Minute)
	if w.read.Minutes == nil || !now.After(w.until) {
		return
	}
	if w.hour == nil {
		began := w.began.Truncate(time.Minute)
		hour, err := w.read.Minutes(ctx, began.Add(-time.Hour), began)
		if err != nil {
			w.plan.unread(ctx, "The traffic of the target groups", err)
			return
		}
		w.hour = hour
	}
	first := w.complete.Truncate(time.Minute).Add(time.Minute) // the minute of the completion served both versions
	if !now.After(first) {
		return
	}
	since, err := w.read.Minutes(ctx, first, now)
	if err != nil {
		w.plan.unread(ctx, "The traffic of the target groups", err)
		return
	}
	for len(since) > 0 && since[len(since)-1].Requests == 0 {
		since = since[:len(since)-1]
	}
	w.until, w.seen.traffic = first.Add(time.Duration(len(since))*time.Minute), Judge(w.hour, since)
}

// decide says what speaks against a release, or nil.
func decide(before Before, now observation) *record.Finding {
	found := func(code, title string, evidence []string, fix string) *record.Finding {
		return &record.Finding{Code: code, Title: title, Evidence: evidence, Fix: []string{fix}, Fault: record.FaultRelease}
	}
	for _, name := range slices.Sorted(maps.Keys(now.alarms)) {
		if state := now.alarms[name]; state == inAlarm && before.Alarms[name] != inAlarm && before.Alarms[name] != "" {
			return found("bake-alarm", "The CloudWatch alarm "+name+" went off after the deployment",
				[]string{"before the deployment: " + before.Alarms[name], "after it: " + state},
				"see why: `aws cloudwatch describe-alarm-history --alarm-name "+name+"`")
		}
	}
	switch {
	case now.traffic.Problem != "":
		return found(now.traffic.Problem, now.traffic.Title, []string{now.traffic.Before, now.traffic.After},
			"look for the requests in the log of the new version")
	case len(now.failed) >= failures:
		var texts []string
		for _, t := range now.failed {
			texts = append(texts, t.Failure())
		}
		return found("bake-tasks", fmt.Sprintf("%d tasks failed after the deployment was complete", len(now.failed)), texts,
			"read the log of these tasks")
	case before.Targets != nil && now.sick >= badInRow:
		return found("bake-targets", fmt.Sprintf("The load balancer finds %d targets unhealthy after the deployment", now.targets.Unhealthy),
			[]string{"before the deployment: " + before.Targets.String(),
				fmt.Sprintf("after it, %d times in a row: %s: %s", now.sick, now.targets, now.targets.Reason)},
			"see what the health check's path answers, and look for its requests in the log of the new version")
	case before.Probe == nil && now.bad >= badInRow:
		return found("bake-probe", "The probe gets no good answer any more",
			[]string{"before the deployment: a good answer", fmt.Sprintf("after it, %d times in a row: %v", now.bad, now.probe)},
			"ask the probe's URL, and look for the request in the log of the new version")
	}
	return nil
}

// notes says what was compared, and what could not be judged.
func (w *watch) notes() (notes []string) {
	switch t := w.seen.traffic; {
	case w.read.Minutes == nil:
		notes = append(notes, "traffic: the service has no target groups")
	case w.until.IsZero():
		notes = append(notes, "traffic: not judged, no whole minute of it was read")
	case !t.Judged:
		notes = append(notes, "traffic: not judged, "+t.After)
	case t.Problem == "":
		notes = append(notes, "traffic: HTTP 5xx and latency as in the hour before")
	}
	switch before := w.before.Targets; {
	case w.read.Targets == nil:
	case before == nil:
		notes = append(notes, "targets: not judged, their health could not be read before the deployment")
	case !w.found:
		notes = append(notes, "targets: not judged, their health was not read after the deployment")
	default:
		notes = append(notes, "targets: "+before.String()+" before, "+w.seen.targets.String()+" after")
	}
	for _, name := range w.plan.Alarms {
		switch state := w.before.Alarms[name]; state {
		case inAlarm:
			notes = append(notes, "alarm "+name+": not judged, it was in ALARM before the deployment")
		case "":
			notes = append(notes, "alarm "+name+": not judged, it could not be read")
		default:
			notes = append(notes, "alarm "+name+": "+state+" before, "+w.seen.alarms[name]+" after")
		}
	}
	if w.plan.Probes {
		if w.before.Probe != nil {
			notes = append(notes, fmt.Sprintf("probe: not judged, it was not good before the deployment: %v", w.before.Probe))
		} else {
			notes = append(notes, fmt.Sprintf("probe: asked %d times", w.probed))
		}
	}
	return notes
}

// Probe is a request that tells whether a service answers well.
type Probe struct {
	URL    string
	Status int           // that the answer must have; 0: below 400
	Within time.Duration // how long it may take; 0: 10 s
	Text   string        // that the answer must hold
}

// ParseProbe reads "URL [status=200] [within=2s] [text=WORDS TO THE END]".
func ParseProbe(text string) (p Probe, err error) {
	text, p.Text, _ = strings.Cut(strings.TrimSpace(text), " text=")
	words := strings.Fields(text)
	if len(words) == 0 || !strings.HasPrefix(words[0], "https://") && !strings.HasPrefix(words[0], "http://") {
		return p, errors.New("it must begin with http:// or https://")
	}
	if u, err := url.Parse(words[0]); err != nil || u.Hostname() == "" {
		return p, fmt.Errorf("%s does not name a host", words[0])
	}
	p.URL = words[0]
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "status":
			if _, err := fmt.Sscanf(value+" ", "%d ", &p.Status); err != nil || p.Status < 100 || p.Status > 599 {
				return p, fmt.Errorf("status=%s is not a status of HTTP", value)
			}
		case "within":
			if p.Within, err = time.ParseDuration(value); err != nil || p.Within <= 0 || p.Within > time.Minute {
				return p, fmt.Errorf("within=%s is not a time of at most 1m, such as 2s", value)
			}
		default:
			return p, fmt.Errorf("%q is not one of status=, within= and text=", word)
		}
	}
	return p, nil
}
