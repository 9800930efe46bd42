package bake

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// quiet are the reads of a service with which nothing is wrong.
func quiet() Reads {
	return Reads{
		Service: func(context.Context) (ecsview.Snapshot, error) {
			return ecsview.Snapshot{Deployments: []ecsview.Deployment{{ID: "own", Status: "PRIMARY"}}}, nil
		},
		Stopped: func(context.Context) ([]ecsview.Task, error) { return nil, nil },
		Targets: func(context.Context) ([]ecsview.Target, error) { return []ecsview.Target{{State: "healthy"}}, nil },
		Minutes: func(context.Context, time.Time, time.Time) ([]Minute, error) { return nil, nil },
		Alarms: func(context.Context, []string) (map[string]string, error) {
			return map[string]string{"a": "OK"}, nil
		},
	}
}

// TestWatchThatIsCutOff ends a run in the middle of each read: the release stays, and what could not be read any more is not laid to AWS.
func TestWatchThatIsCutOff(t *testing.T) {
	for name, cut := range map[string]func(*Reads, func() error){
		"service": func(r *Reads, end func() error) {
			r.Service = func(context.Context) (ecsview.Snapshot, error) { return ecsview.Snapshot{}, end() }
		},
		"tasks": func(r *Reads, end func() error) {
			r.Stopped = func(context.Context) ([]ecsview.Task, error) { return nil, end() }
		},
		"targets": func(r *Reads, end func() error) {
			r.Targets = func(context.Context) ([]ecsview.Target, error) { return nil, end() }
		},
		"traffic": func(r *Reads, end func() error) {
			r.Minutes = func(context.Context, time.Time, time.Time) ([]Minute, error) { return nil, end() }
		},
		"alarms": func(r *Reads, end func() error) {
			r.Alarms = func(context.Context, []string) (map[string]string, error) { return nil, end() }
		},
	} {
		for _, cancelled := range []bool{true, false} { // a read that fails by itself is told
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				read, warned := quiet(), false
				cut(&read, func() error {
					if cancelled {
						cancel()
					}
					return errors.New("cut off")
				})
				plan := Plan{For: 3 * time.Minute, Alarms: []string{"a"}, Clock: clock.System,
					Events: func(e record.Event) { warned = warned || e.Kind == record.KindWarning }}
				now := time.Now()
				got := Watch(ctx, read, plan, Before{Targets: &Targets{Healthy: 1}}, "own", now.Add(-time.Hour), now.Add(-2*time.Minute))
				want := Passed
				if cancelled {
					want = Left
				}
				if got.End != want || warned == cancelled {
					t.Errorf("%s, cancelled %v: %s, warned %v", name, cancelled, got.End, warned)
				}
				unseen := strings.Contains(strings.Join(got.Notes, "\n"), "targets: not judged, their health was not read after the deployment")
				if unseen != (name == "targets") {
					t.Errorf("%s, cancelled %v: %q", name, cancelled, got.Notes)
				}
			})
		}
	}
}

// TestWatchWithASlowClock judges the minutes after the deployment by the clock of AWS, also where ours is minutes behind.
func TestWatchWithASlowClock(t *testing.T) {
	for _, ahead := range []time.Duration{0, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			complete := time.Now()
			read := quiet()
			read.Minutes = func(_ context.Context, from, to time.Time) (all []Minute, err error) {
				for at := from; at.Before(to); at = at.Add(time.Minute) {
					m := Minute{At: at, Requests: 1200, Errors: 1}
					if !at.Before(complete.Add(ahead)) {
						m.Errors = 40
					}
					all = append(all, m)
				}
				return all, nil
			}
			plan := Plan{For: 5 * time.Minute, Ahead: ahead, Clock: clock.System}
			got := Watch(t.Context(), read, plan, Before{}, "own", complete.Add(ahead-2*time.Minute), complete)
			if got.End != Failed || got.Finding.Code != "bake-errors" || time.Since(complete) > 2*time.Minute+pace {
				t.Errorf("%s ahead: %s after %s, %v", ahead, got.End, time.Since(complete), got.Notes)
			}
		})
	}
}
