package simulation

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// keep keeps what changed something, so that it can be done again.
func (w *world) keep(d deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deeds = append(w.deeds, d)
}

// replay lets the same happen in another world, until right before a moment of the sandbox's clock. From then on ECS is alone: the
// world goes on by forward.
func (w *world) replay(until time.Time) *alone {
	a := &alone{w: w, now: w.begun.Add(w.history.Skew)}
	a.sandbox = w.populate(w.scenario(), func() time.Time { return a.now })
	for _, d := range w.deeds {
		if !d.at.Before(until) {
			break
		}
		a.forward(d.at, nil)
		if d.act != nil {
			inspect(a.sandbox, d.act)
			continue
		}
		again := d.call.Clone(d.call.Context())
		again.Body = io.NopCloser(bytes.NewReader(d.body))
		_, _ = a.sandbox.Transport().RoundTrip(again) // what was refused is refused again
	}
	return a
}

// alone is a world in which nobody but ECS acts.
type alone struct {
	w       *world
	sandbox *sandbox.Sandbox
	now     time.Time // of the sandbox's clock
}

// forward lets time go on, and shows each state on the way. It stops where see returns false.
func (a *alone) forward(until time.Time, see func(*engine.Engine, *engine.Service) bool) {
	if see == nil {
		a.now = until
		inspect(a.sandbox, func(*engine.Engine, *engine.Service) {})
		return
	}
	for goOn := true; goOn; {
		next := until
		inspect(a.sandbox, func(e *engine.Engine, s *engine.Service) {
			if !see(e, s) {
				goOn = false
			}
			if at, planned := e.Next(); planned && at.Before(until) {
				next = at
			}
		})
		if !a.now.Before(until) {
			return
		}
		a.now = next
	}
}

// completes says whether ECS, left alone from a moment on, brings a deployment to a good end by another, and whether its tasks
// still stand a while later.
func (w *world) completes(deployment string, from, by time.Time) bool {
	a := w.replay(from.Add(w.history.Skew))
	done := false
	a.forward(by.Add(w.history.Skew), func(_ *engine.Engine, s *engine.Service) bool {
		done = done || s.Deployments[0].ID == deployment && s.Deployments[0].State == engine.Completed
		return !done
	})
	if !done {
		return false
	}
	a.forward(a.now.Add(standing), nil)
	stands := false
	inspect(a.sandbox, func(_ *engine.Engine, s *engine.Service) {
		well, fallen := fates(s)
		stands = s.Deployments[0].ID == deployment && s.Deployments[0].State == engine.Completed && well >= s.Desired && fallen == 0
	})
	return stands
}

// standing is how long the tasks of a release have to stand, so that it counts as one that works.
const standing = 10 * time.Minute

// shown is what DescribeServices shows at a moment.
func (w *world) shown(m moment) moment {
	if w.history.Reads == 0 {
		return m
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	from := m.at.Add(-w.history.Reads)
	m = w.timeline[0]
	for _, earlier := range w.timeline {
		if !earlier.at.After(from) {
			m = earlier
		}
	}
	if m.at.Before(from) {
		m.at = from // it was so until then
	}
	return m
}

// newestJob returns the id of the one-off task that was started at a moment, or "" where none was.
func (w *world) newestJob(at time.Time) (id string) {
	w.service(func(_ *engine.Engine, s *engine.Service) {
		for _, t := range jobs(s) {
			if t.CreatedAt.Add(-w.history.Skew).Equal(at) {
				id = t.ID
			}
		}
	})
	return id
}

// newestRegistered returns the ARN of the task definition that was registered at a moment, or "" where none was.
func (w *world) newestRegistered(at time.Time) (arn string) {
	w.service(func(e *engine.Engine, _ *engine.Service) {
		for _, f := range e.Families() {
			for _, r := range f.Revisions {
				if r.RegisteredAt.Add(-w.history.Skew).Equal(at) {
					arn = r.ARN
				}
			}
		}
	})
	return arn
}

// revision is a task definition.
type revision struct {
	arn, family, document string
	used                  bool // tasks of a service run it
}

// leftActive returns those of some task definitions that are ACTIVE.
func (w *world) leftActive(arns []string) (active []revision) {
	w.service(func(e *engine.Engine, s *engine.Service) {
		for _, f := range e.Families() {
			for _, r := range f.Revisions {
				if r.Status == engine.Active && slices.Contains(arns, r.ARN) {
					used := slices.ContainsFunc(s.Cluster.Tasks, func(t *engine.Task) bool {
						return t.Deployment != nil && t.LastStatus == engine.Running && t.Deployment.Revision.Spec.Definition == r
					})
					active = append(active, revision{r.ARN, f.Name, fmt.Sprintf("%s", r.Document), used})
				}
			}
		}
	})
	return active
}
