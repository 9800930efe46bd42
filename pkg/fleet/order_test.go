package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/project"
)

var three = []fleet.Member{{Name: "api"}, {Name: "worker", After: []string{"api"}}, {Name: "mail", After: []string{"worker", "elsewhere"}}}

func TestStep(t *testing.T) {
	const w, b, d, f, s = fleet.Waiting, fleet.Begun, fleet.Done, fleet.Failed, fleet.Skipped
	for _, test := range []struct {
		name        string
		members     []fleet.Member
		states      []fleet.State
		stopped     bool
		begin, skip []int
	}{
		{"the first begins", three, []fleet.State{w, w, w}, false, []int{0}, nil},
		{"what waits goes on waiting", three, []fleet.State{b, w, w}, false, nil, nil},
		{"the next begins", three, []fleet.State{d, w, w}, false, []int{1}, nil},
		{"not once more", three, []fleet.State{d, b, w}, false, nil, nil},
		{"after a failure it does not", three, []fleet.State{f, w, w}, false, nil, []int{1}},
		{"nor after one that did not begin", three, []fleet.State{f, s, w}, false, nil, []int{2}},
		{"nothing begins when stopped", three, []fleet.State{d, w, w}, true, nil, []int{1, 2}},
		{"those that wait for none begin at once", []fleet.Member{{Name: "a"}, {Name: "b"}}, []fleet.State{w, w}, false, []int{0, 1}, nil},
		{"beside one that failed", []fleet.Member{{Name: "a"}, {Name: "b"}}, []fleet.State{f, w}, false, []int{1}, nil},
		{"all that it waits for", []fleet.Member{{Name: "a"}, {Name: "b"}, {Name: "c", After: []string{"a", "b"}}},
			[]fleet.State{d, b, w}, false, nil, nil},
		{"all that it waits for, in whatever order", []fleet.Member{{Name: "a"}, {Name: "b"}, {Name: "c", After: []string{"a", "b"}}},
			[]fleet.State{b, d, w}, false, nil, nil},
	} {
		begin, skip := fleet.Step(test.members, test.states, test.stopped)
		if !slices.Equal(begin, test.begin) || !slices.Equal(skip, test.skip) {
			t.Errorf("%s: begins %v, skips %v", test.name, begin, skip)
		}
	}
}

func TestRun(t *testing.T) {
	bad := errors.New("bad")
	members := append(slices.Clone(three), fleet.Member{Name: "alone"})
	for _, test := range []struct {
		name     string
		fails    string
		stop     bool
		cancel   time.Duration // 0: never
		want     string        // what happened, with its time
		states   string
		together time.Duration
	}{
		{"all", "", true, 0, "api 0s, alone 0s, worker 1m0s, mail 2m0s", "done done done done", 3 * time.Minute},
		{"the middle one fails", "worker", true, 0, "api 0s, alone 0s, worker 1m0s", "done failed skipped failed", 2 * time.Minute},
		{"and the others go on", "worker", false, 0, "api 0s, alone 0s, worker 1m0s", "done failed skipped done", 5 * time.Minute},
		{"the first fails", "api", false, 0, "api 0s, alone 0s", "failed skipped skipped done", 5 * time.Minute},
		{"cancelled", "", true, 90 * time.Second, "api 0s, alone 0s, worker 1m0s", "done failed skipped failed", 90 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.cancel > 0 {
					time.AfterFunc(test.cancel, cancel)
				}
				var mu sync.Mutex
				var told []string
				begun := time.Now()
				results := fleet.Run(ctx, members, test.stop, func(ctx context.Context, i int) error {
					mu.Lock()
					told = append(told, members[i].Name+" "+time.Since(begun).String())
					mu.Unlock()
					takes := time.Minute
					if members[i].Name == "alone" {
						takes = 5 * time.Minute
					}
					if test.fails == "" && members[i].Name == "alone" {
						takes = time.Minute * 2
					}
					select {
					case <-ctx.Done():
						return context.Cause(ctx)
					case <-time.After(takes):
					}
					if members[i].Name == test.fails {
						return bad
					}
					return nil
				})
				slices.SortStableFunc(told, func(a, b string) int {
					_, x, _ := strings.Cut(a, " ")
					_, y, _ := strings.Cut(b, " ")
					return strings.Compare(x, y)
				})
				slices.Sort(told[:2])
				want := strings.Split(test.want, ", ")
				slices.Sort(want[:2])
				if diff := cmp.Diff(want, told); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				var states []string
				for _, r := range results {
					states = append(states, string(r.State))
				}
				if got := strings.Join(states, " "); got != test.states {
					t.Errorf("got %s, want %s", got, test.states)
				}
				if took := time.Since(begun); took != test.together {
					t.Errorf("it took %s, want %s", took, test.together)
				}
				if test.stop && test.fails == "worker" && (!errors.Is(results[3].Err, fleet.ErrStopped) || results[1].Place > results[3].Place) {
					t.Errorf("got %+v", results)
				}
			})
		})
	}
}

// TestRunInOrder says in which place each has ended, that none is left waiting behind one that failed, and that the context ends with
// the run.
func TestRunInOrder(t *testing.T) {
	var used context.Context
	results := fleet.Run(t.Context(), three, false, func(ctx context.Context, i int) error {
		if used = ctx; i == 1 {
			return errors.New("bad")
		}
		return nil
	})
	if results[0].Place != 1 || results[1].Place != 2 || results[2].Place != 0 || used.Err() == nil {
		t.Errorf("%+v, %v", results, used.Err())
	}
	results = fleet.Run(t.Context(), three, false, func(context.Context, int) error { return errors.New("bad") })
	if results[0].State != fleet.Failed || results[1].State != fleet.Skipped || results[2].State != fleet.Skipped {
		t.Errorf("%+v", results)
	}
}

func TestMembersOf(t *testing.T) {
	members, names := fleet.MembersOf([]project.Member{{Name: "api", Service: "api-prod"}, {Name: "worker", After: []string{"api"}}})
	if diff := cmp.Diff(three[:2], members); diff != "" || !slices.Equal(names, []string{"api", "worker"}) {
		t.Errorf("%q (-want +got):\n%s", names, diff)
	}
}

func TestReversed(t *testing.T) {
	want := []fleet.Member{{Name: "api", After: []string{"worker"}}, {Name: "worker", After: []string{"mail"}}, {Name: "mail"}}
	if diff := cmp.Diff(want, fleet.Reversed(three)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen, at, most := map[int]bool{}, 0, 0
		fleet.Each(7, 3, func(i int) {
			mu.Lock()
			seen[i] = true
			at++
			most = max(most, at)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			at--
			mu.Unlock()
		})
		if len(seen) != 7 || most != 3 {
			t.Errorf("%v, %d at once", seen, most)
		}
	})
}
