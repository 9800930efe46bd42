package rollout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
)

func TestNewcomer(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old := ecsview.Deployment{ID: "ecs-svc/1", Status: "PRIMARY", TaskDefinition: "td:1", State: "COMPLETED", Created: now}
	before := ecsview.Snapshot{TaskDefinition: "td:1", Deployments: []ecsview.Deployment{old}}
	other := ecsview.Deployment{ID: "ecs-svc/2", Status: "PRIMARY", TaskDefinition: "td:2", State: "IN_PROGRESS",
		Created: now.Add(time.Second)}
	for name, test := range map[string]struct {
		change func(before *ecsview.Snapshot, primary *ecsview.Deployment, now *ecsview.Snapshot)
		want   bool
	}{
		"another version":           {nil, true},
		"another version, complete": {func(_ *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) { p.State = "COMPLETED" }, true},
		"the same version again":    {func(_ *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) { p.TaskDefinition = "td:1" }, false},
		"it was there": {func(b *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) {
			b.Deployments = append(b.Deployments, ecsview.Deployment{ID: p.ID, Status: "ACTIVE"})
		}, false},
		"the read is older": {func(_ *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) {
			p.Created = now.Add(-time.Second)
		}, false},
		"nothing was PRIMARY before": {func(b *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) {
			b.Deployments[0].Status, p.Created = "ACTIVE", now.Add(-time.Second)
		}, true},
		"the circuit breaker goes back": {func(_ *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) {
			p.Reason = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/9."
		}, false},
		"ECS has gone back": {func(_ *ecsview.Snapshot, p *ecsview.Deployment, n *ecsview.Snapshot) {
			n.Events = []ecsview.ServiceEvent{{Text: "(service s) rolling back to deployment " + p.ID + "."}}
		}, false},
		"nothing is PRIMARY": {func(_ *ecsview.Snapshot, p *ecsview.Deployment, _ *ecsview.Snapshot) { p.Status = "ACTIVE" }, false},
	} {
		then := ecsview.Snapshot{TaskDefinition: "td:2", Deployments: []ecsview.Deployment{other, old}}
		then.Deployments[1].Status = "ACTIVE"
		was := before
		was.Deployments = slices.Clone(before.Deployments)
		if test.change != nil {
			test.change(&was, &then.Deployments[0], &then)
		}
		if got := newcomer(was, then); (got != nil) != test.want || got != nil && got.ID != other.ID {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

const (
	otherTD = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:43"
	otherID = "ecs-svc/3"
)

// TestStartLooksOnceMore has somebody begin a deployment between the read that an update was decided on and the update.
func TestStartLooksOnceMore(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(*world)
		state     types.DeploymentRolloutState // of what has begun; empty: as it is
		overtaken bool
		attached  bool
	}{
		"nobody":           {},
		"another version":  {meanwhile: func(w *world) { w.begin(otherTD, otherID) }, overtaken: true},
		"the same version": {meanwhile: func(w *world) { w.begin(newTD, otherID) }, attached: true},
		"the same, and failed": {meanwhile: func(w *world) { w.begin(newTD, otherID) }, state: types.DeploymentRolloutStateFailed,
			overtaken: true},
		"a forced one": {meanwhile: func(w *world) { w.begin(oldTD, otherID) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				before, err := ecsview.Read(t.Context(), w, "prod", "api")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if test.meanwhile != nil {
					test.meanwhile(w)
				}
				if test.state != "" {
					w.find(otherID).RolloutState = test.state
				}
				target, err := Start(t.Context(), w, to(before, newTD))
				var overtaken *OvertakenError
				if errors.As(err, &overtaken) != test.overtaken || (err != nil) != test.overtaken {
					t.Fatalf("got %+v, %v", target, err)
				}
				if sent := len(w.log) > 0; sent != (!test.overtaken && !test.attached) || target.TakenUp != test.attached {
					t.Errorf("changed by %q: %+v", w.log, target)
				}
				if test.overtaken && (overtaken.By.ID != otherID || !strings.Contains(err.Error(), "a deployment of api:4")) {
					t.Errorf("got %+v: %v", overtaken, err)
				}
				if test.attached && target.ID != otherID {
					t.Errorf("attached to %+v", target)
				}
				if name == "a forced one" && !slices.Contains(target.Known, otherID) {
					t.Errorf("what was read once more is not known: %+v", target)
				}
			})
		})
	}
}

// TestStartThatCannotLook sends nothing.
func TestStartThatCannotLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		before, _ := ecsview.Read(t.Context(), w, "prod", "api")
		w.fail = func(action string, _ int) error { return errors.New("no contact") }
		if _, err := Start(t.Context(), w, to(before, newTD)); !errors.Is(err, ErrNotSent) || !strings.Contains(err.Error(), "no contact") {
			t.Errorf("got %v", err)
		}
		u, refusal := to(before, newTD), errors.New("on hold")
		w.fail, u.Again = nil, func(context.Context) (ecsview.Snapshot, error) { return before, refusal }
		if _, err := Start(t.Context(), w, u); !errors.Is(err, ErrNotSent) || !errors.Is(err, refusal) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		u.Again = func(context.Context) (ecsview.Snapshot, error) { cancel(); return before, nil }
		if _, err := Start(ctx, w, u); !errors.Is(err, ErrNotSent) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if len(w.log) > 0 {
			t.Errorf("changed by %q", w.log)
		}
	})
}

// TestWhatIsReplacedUnread has somebody begin a deployment while the update is on its way: the answer shows it.
func TestWhatIsReplacedUnread(t *testing.T) {
	for name, test := range map[string]struct {
		begun string // the task definition of what somebody begins
		want  []string
	}{
		"another version":   {otherTD, []string{otherTD}},
		"what was there":    {oldTD, nil},
		"the very same":     {newTD, nil},
		"nothing":           {"", nil},
		"without an answer": {otherTD, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			before, _ := ecsview.Read(t.Context(), w, "prod", "api")
			w.begun = time.Now()
			w.onUpdate = func(w *world, taskDefinition string) {
				if test.begun != "" {
					w.begin(test.begun, otherID)
				}
				if name != "without an answer" {
					w.begin(taskDefinition, newID)
				}
			}
			target, err := Start(t.Context(), w, to(before, newTD))
			if err != nil || !slices.Equal(target.Replaced, test.want) || !slices.Equal(target.Read, []string{oldTD}) {
				t.Errorf("%s: got %+v, %v", name, target, err)
			}
		})
	}
}

// TestReplaced goes by ids: a new deployment of what was read of an older one was begun since.
func TestReplaced(t *testing.T) {
	target := Target{ID: newID, TaskDefinition: newTD, Known: []string{oldID}}
	for name, test := range map[string]struct {
		change func(*Target)
		d      ecsview.Deployment
		want   []string
	}{
		"a new one": {nil, ecsview.Deployment{ID: otherID, TaskDefinition: otherTD}, []string{otherTD}},
		"a new one of what was read": {func(t *Target) { t.Read = []string{otherTD} },
			ecsview.Deployment{ID: otherID, TaskDefinition: otherTD}, []string{otherTD}},
		"one that was read":                   {nil, ecsview.Deployment{ID: oldID, TaskDefinition: otherTD}, nil},
		"what was begun":                      {nil, ecsview.Deployment{ID: newID, TaskDefinition: otherTD}, nil},
		"a new one of what was begun":         {nil, ecsview.Deployment{ID: otherID, TaskDefinition: newTD}, nil},
		"a new one of what the service is at": {nil, ecsview.Deployment{ID: otherID, TaskDefinition: oldTD}, nil},
		"one that says nothing":               {nil, ecsview.Deployment{ID: otherID}, nil},
		"what was begun is not known":         {func(t *Target) { t.ID = "" }, ecsview.Deployment{ID: otherID, TaskDefinition: otherTD}, nil},
	} {
		of := target
		if test.change != nil {
			test.change(&of)
		}
		if got := replaced(of, oldTD, ecsview.Snapshot{Deployments: []ecsview.Deployment{test.d}}); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestUnread(t *testing.T) {
	target := Target{TaskDefinition: newTD, Read: []string{oldTD}}
	for taskDefinition, want := range map[string]bool{"": false, newTD: false, oldTD: false, otherTD: true} {
		if target.Unread(taskDefinition) != want {
			t.Errorf("%q: want %v", taskDefinition, want)
		}
	}
}

// TestFirstRelease starts tasks, and takes them away again if it fails.
func TestFirstRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		before, _ := ecsview.Read(t.Context(), w, "prod", "api")
		u := to(before, newTD)
		u.First = 3
		target, err := Start(t.Context(), w, u)
		if err != nil || !target.Empty || len(w.log) != 1 || strings.Contains(w.log[0], "desired=<nil>") {
			t.Errorf("got %+v, %v: %q", target, err, w.log)
		}
	})
}

// TestAnUpdateIsSentAgainOnANewLook fails the first tries of an update, while somebody may begin something.
func TestAnUpdateIsSentAgainOnANewLook(t *testing.T) {
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	for name, test := range map[string]struct {
		err      error
		tries    int              // that fail
		heard    bool             // the first of them was carried out all the same
		begins   string           // the task definition that somebody begins to deploy after the first try
		patience time.Duration    // for throttling
		want     string           // the id of the deployment; empty: an error
		updates  int              // that were sent
		is       func(error) bool // of the error
	}{
		"throttled":                {err: throttled, tries: 5, want: newID, updates: 6},
		"throttled for too long":   {err: throttled, tries: 1000, is: awserr.IsThrottled},
		"throttled with patience":  {err: throttled, tries: 40, patience: 20 * time.Minute, want: newID, updates: 41},
		"throttled, and overtaken": {err: throttled, tries: 5, begins: otherTD, updates: 1, is: isOvertaken},
		"lost":                     {err: errLost, tries: 2, want: newID, updates: 3},
		"lost for too long":        {err: errLost, tries: 1000, is: awserr.IsLost},
		"lost, and heard":          {err: errLost, tries: 5, heard: true, want: newID, updates: 1},
		"lost, and overtaken":      {err: errLost, tries: 5, begins: otherTD, updates: 1, is: isOvertaken},
		"refused":                  {err: errors.New("no"), tries: 1, updates: 1, is: func(err error) bool { return err != nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				before, _ := ecsview.Read(t.Context(), w, "prod", "api")
				begun := time.Now()
				w.fail = func(action string, call int) error {
					if action != "UpdateService" || call > test.tries {
						return nil
					}
					if call == 1 && test.heard {
						w.begin(newTD, newID)
					}
					if call == 1 && test.begins != "" {
						w.begin(test.begins, otherID)
					}
					return test.err
				}
				u := to(before, newTD)
				u.Patience = test.patience
				target, err := Start(t.Context(), w, u)
				if target.ID != test.want || (err == nil) != (test.want != "") || test.is != nil && !test.is(err) {
					t.Errorf("got %+v, %v", target, err)
				}
				if sent := w.calls["UpdateService"]; test.updates > 0 && sent != test.updates || sent == 0 {
					t.Errorf("sent %d times", sent)
				}
				if took := time.Since(begun); took > max(test.patience, lostPatience)+30*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

var errLost = &smithyhttp.RequestSendError{Err: errors.New("connection reset by peer")}

func isOvertaken(err error) bool {
	var overtaken *OvertakenError
	return errors.As(err, &overtaken)
}

// TestASignalWhileAnUpdateIsSentAgain ends it: what was heard is returned, so that it can be stopped.
func TestASignalWhileAnUpdateIsSentAgain(t *testing.T) {
	for name, heard := range map[string]bool{"heard": true, "not heard": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				before, _ := ecsview.Read(t.Context(), w, "prod", "api")
				ctx, cancel := context.WithCancel(t.Context())
				w.fail = func(action string, _ int) error {
					if action != "UpdateService" {
						return nil
					}
					if heard {
						w.begin(newTD, newID)
					}
					cancel()
					return errLost
				}
				target, err := Start(ctx, w, to(before, newTD))
				if heard != (err == nil && target.ID == newID) || !heard && !errors.Is(err, context.Canceled) || w.calls["UpdateService"] != 1 {
					t.Errorf("got %+v, %v after %d updates", target, err, w.calls["UpdateService"])
				}
			})
		})
	}
}

// TestTheSameVersionAgain knows a deployment that ECS can only take back to the same.
func TestTheSameVersionAgain(t *testing.T) {
	listed := func(all ...ecsview.Deployment) ecsview.Snapshot {
		return ecsview.Snapshot{TaskDefinition: all[0].TaskDefinition, Deployments: all}
	}
	complete, under := deployment(oldID, "PRIMARY", "COMPLETED"), deployment(newID, "PRIMARY", "IN_PROGRESS")
	again := under
	again.TaskDefinition = oldTD
	for name, test := range map[string]struct {
		before ecsview.Snapshot
		to     string
		want   bool
	}{
		"what runs":                        {listed(complete), oldTD, true},
		"another version":                  {listed(complete), newTD, false},
		"what is being deployed":           {listed(under, deployment(oldID, "ACTIVE", "COMPLETED")), newTD, false},
		"what is being deployed once more": {listed(again, deployment(oldID, "ACTIVE", "COMPLETED")), oldTD, true},
	} {
		if got := to(test.before, test.to).target().Again; got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for name, test := range map[string]struct {
		s    ecsview.Snapshot
		want bool
	}{
		"deployed once more":         {listed(again, deployment(oldID, "ACTIVE", "COMPLETED")), true},
		"nothing of it was complete": {listed(again), false},
		"it is complete":             {listed(complete), false},
		"another version is complete too": {listed(again, deployment(oldID, "ACTIVE", "COMPLETED"),
			deployment(laterID, "ACTIVE", "COMPLETED")), false},
	} {
		if target, ok := Attach("prod", "api", test.s, oldTD); !ok || target.Again != test.want {
			t.Errorf("attached, %s: got %+v, %v", name, target, ok)
		}
	}
}
