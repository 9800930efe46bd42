package watch

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// trace is what was seen over time, and what ECS gives no time of: when a task became healthy, when a rollout reached a stage.
type trace struct {
	tasks   map[string]sightings // by ARN
	stages  []stage
	last    stageKey
	print   uint64    // of what the service was at last
	changed time.Time // when that last changed
}

// sightings are the phases that a task was seen in, oldest first, each with the time of its first look.
type sightings []sighting

type sighting struct {
	phase Phase
	at    time.Time
}

// first returns when a phase was first seen.
func (s sightings) first(p Phase) time.Time {
	for _, one := range s {
		if one.phase == p {
			return one.at
		}
	}
	return time.Time{}
}

// stage is a step of a rollout that was seen.
type stage struct {
	of   string // ARN of the service deployment
	at   time.Time
	text string
	tone Tone
}

type stageKey struct {
	of, stage, status string
	failures          int
}

// with is the trace after one more look. It shares nothing with the one before.
func (t trace) with(r reading) trace {
	next := trace{tasks: map[string]sightings{}, stages: slices.Clone(t.stages), last: t.last, print: printOf(r), changed: t.changed}
	begun := t.tasks == nil
	for _, task := range r.tasks {
		seen := slices.Clone(t.tasks[task.ARN])
		phase, at := r.phase(task), r.at
		if len(seen) == 0 && (phase == Healthy || phase == Unhealthy) && !task.StartedAt.IsZero() && begun {
			at = task.StartedAt // it has been so since before the page was opened: how long is not known
		}
		if len(seen) == 0 || seen[len(seen)-1].phase != phase {
			seen = append(seen, sighting{phase, at})
		}
		next.tasks[task.ARN] = seen
	}
	if next.print != t.print || t.changed.IsZero() {
		next.changed = r.at
	}
	next.note(r)
	return next
}

// note keeps the steps of the rollout.
func (t *trace) note(r reading) {
	d := rolledOf(r)
	now := stageKey{of: d.arn, status: string(d.status)}
	if r.own != nil && r.own.ARN == d.arn {
		now.stage, now.failures = r.own.Stage, r.own.Failures
	}
	was := t.last
	if was.of != now.of {
		t.stages, was = nil, stageKey{of: now.of}
	}
	add := func(tone Tone, text string) { t.stages = append(t.stages, stage{now.of, r.at, text, tone}) }
	if now.stage != was.stage && now.stage != "" && d.running {
		add(Open, "stage: "+words(now.stage))
	}
	if now.failures > was.failures && r.own.Threshold > 0 {
		add(Bad, fmt.Sprintf("ECS counts %d of the %d failures at which it gives up", now.failures, r.own.Threshold))
	}
	if now.status != was.status && was.status != "" && d.running {
		text := words(now.status)
		if d.reason != "" {
			text += ": " + d.reason
		}
		add(toneOf(d.status), text)
	}
	t.last = now
}

// printOf is a number that is another one when the service has changed.
func printOf(r reading) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, r.service.TaskDefinition, r.service.Desired, r.service.Running, r.service.Pending, r.service.Current, rolledOf(r))
	for _, d := range r.service.Deployments {
		fmt.Fprintln(h, d.ID, d.State, d.Running, d.Pending, d.Failed)
	}
	phases := map[string]Phase{}
	for _, task := range r.tasks {
		phases[task.ARN] = r.phase(task)
	}
	for _, arn := range slices.Sorted(maps.Keys(phases)) {
		fmt.Fprintln(h, arn, phases[arn])
	}
	for _, target := range r.targets {
		fmt.Fprintln(h, target.ID, target.State, target.Reason)
	}
	return h.Sum64()
}
