package rollout

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	oldID, newID, laterID = "ecs-svc/100", "ecs-svc/200", "ecs-svc/300"
	oldTD                 = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:41"
	newTD                 = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:42"
	laterTD               = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:43"
	rollingBackText       = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/100."
	failedText            = "ECS deployment circuit breaker: tasks failed to start."
)

var target = Target{
	Cluster: "prod", Service: "api", TaskDefinition: newTD, ID: newID, Created: epoch, Known: []string{oldID}, Previous: oldTD,
}

// deployment is old, new or later in some state.
func deployment(id, status, state string, change ...func(*ecsview.Deployment)) ecsview.Deployment {
	d := ecsview.Deployment{ID: id, Status: status, State: state, Desired: 2, Running: 2}
	switch id {
	case oldID:
		d.TaskDefinition, d.Created, d.Updated = oldTD, epoch.Add(-time.Hour), epoch.Add(-time.Hour)
	case newID:
		d.TaskDefinition, d.Created, d.Updated = newTD, epoch, epoch
	case laterID:
		d.TaskDefinition, d.Created, d.Updated = laterTD, epoch.Add(time.Minute), epoch.Add(time.Minute)
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func running(n int) func(*ecsview.Deployment) { return func(d *ecsview.Deployment) { d.Running = n } }
func because(reason string) func(*ecsview.Deployment) {
	return func(d *ecsview.Deployment) { d.Reason = reason }
}
func touched(d *ecsview.Deployment) { d.Updated = epoch.Add(time.Minute) }

// TestEvaluateByList goes through the phases that DescribeServices shows, without the service-deployments API.
func TestEvaluateByList(t *testing.T) {
	list := func(d ...ecsview.Deployment) []ecsview.Deployment { return d }
	for _, test := range []struct {
		name        string
		deployments []ecsview.Deployment
		events      []string
		seen        Seen
		status      string
		want        Phase
		reason      string
	}{
		{
			name:        "right after the update",
			deployments: list(deployment(newID, "PRIMARY", "IN_PROGRESS", running(0)), deployment(oldID, "ACTIVE", "COMPLETED")),
			want:        Rolling,
		}, {
			name:        "a read from before the update",
			deployments: list(deployment(oldID, "PRIMARY", "COMPLETED")),
			seen:        Seen{Listed: true},
			want:        Waiting,
		}, {
			name: "nothing listed", want: Waiting,
		}, {
			name:        "all new tasks run, old ones drain",
			deployments: list(deployment(newID, "PRIMARY", "IN_PROGRESS"), deployment(oldID, "ACTIVE", "COMPLETED", running(1))),
			want:        Settling,
		}, {
			name:        "stable, but not complete",
			deployments: list(deployment(newID, "PRIMARY", "IN_PROGRESS")),
			want:        Settling,
		}, {
			name:        "complete",
			deployments: list(deployment(newID, "PRIMARY", "COMPLETED")),
			want:        Succeeded,
		}, {
			name:        "complete while an old task is still on its way out",
			deployments: list(deployment(newID, "PRIMARY", "COMPLETED"), deployment(oldID, "DRAINING", "COMPLETED", running(0))),
			want:        Succeeded,
		}, {
			name: "the breaker has tripped",
			deployments: list(deployment(oldID, "PRIMARY", "IN_PROGRESS", because(rollingBackText)),
				deployment(newID, "ACTIVE", "FAILED", running(0), because(failedText))),
			seen: Seen{Listed: true}, want: RollingBack, reason: failedText,
		}, {
			name: "the breaker has tripped, the failed deployment's state lags behind",
			deployments: list(deployment(oldID, "PRIMARY", "IN_PROGRESS", because(rollingBackText)),
				deployment(newID, "ACTIVE", "IN_PROGRESS", running(0))),
			seen: Seen{Listed: true}, want: RollingBack, reason: rollingBackText,
		}, {
			name:        "rolled back and stable: no success",
			deployments: list(deployment(oldID, "PRIMARY", "COMPLETED", touched)),
			seen:        Seen{Listed: true, RollingBack: true}, want: RolledBack,
		}, {
			name:        "rolled back between two reads, told by the old deployment's times",
			deployments: list(deployment(oldID, "PRIMARY", "COMPLETED", touched)),
			seen:        Seen{Listed: true}, want: RolledBack,
		}, {
			name:        "rolled back between two reads, told by an event",
			deployments: list(deployment(oldID, "PRIMARY", "COMPLETED")),
			events: []string{"(service api) has reached a steady state.",
				"(service api) (deployment ecs-svc/200) deployment failed: tasks failed to start."},
			seen: Seen{Listed: true}, want: RolledBack, reason: "tasks failed to start.",
		}, {
			name:        "an event about another deployment tells nothing",
			deployments: list(deployment(oldID, "PRIMARY", "COMPLETED")),
			events:      []string{"(service api) (deployment ecs-svc/2001) deployment failed: tasks failed to start."},
			seen:        Seen{Listed: true}, want: Waiting,
		}, {
			name:        "the rollback is under way and the failed deployment gone",
			deployments: list(deployment(oldID, "PRIMARY", "IN_PROGRESS", touched, because(rollingBackText))),
			seen:        Seen{Listed: true}, want: RollingBack,
		}, {
			name:        "the rollback failed",
			deployments: list(deployment(oldID, "PRIMARY", "FAILED", touched, because(failedText))),
			seen:        Seen{Listed: true, RollingBack: true}, want: RollbackFailed,
		}, {
			name:        "failed without a rollback, just now",
			deployments: list(deployment(newID, "PRIMARY", "FAILED", running(0), because(failedText)), deployment(oldID, "ACTIVE", "COMPLETED")),
			seen:        Seen{Listed: true, FailedFor: time.Second}, want: Failing, reason: failedText,
		}, {
			name:        "failed without a rollback, for good",
			deployments: list(deployment(newID, "PRIMARY", "FAILED", running(0), because(failedText)), deployment(oldID, "ACTIVE", "COMPLETED")),
			seen:        Seen{Listed: true, FailedFor: 10 * time.Second}, want: Failed, reason: failedText,
		}, {
			name: "superseded",
			deployments: list(deployment(laterID, "PRIMARY", "IN_PROGRESS", running(0)), deployment(newID, "ACTIVE", "IN_PROGRESS"),
				deployment(oldID, "ACTIVE", "COMPLETED")),
			seen: Seen{Listed: true}, want: Superseded,
		}, {
			name:        "superseded and gone",
			deployments: list(deployment(laterID, "PRIMARY", "COMPLETED")),
			seen:        Seen{Listed: true}, want: Superseded,
		}, {
			name: "a rollback under an id of its own is none that supersedes",
			deployments: list(deployment(laterID, "PRIMARY", "IN_PROGRESS"),
				deployment(newID, "ACTIVE", "FAILED", running(0), because(failedText))),
			events: []string{"(service api) rolling back to deployment ecs-svc/300."},
			seen:   Seen{Listed: true}, want: RollingBack, reason: failedText,
		}, {
			name:        "Classic Load Balancer, under way",
			deployments: list(deployment(newID, "PRIMARY", ""), deployment(oldID, "ACTIVE", "", running(1))),
			want:        Settling,
		}, {
			name:        "Classic Load Balancer, done",
			deployments: list(deployment(newID, "PRIMARY", "")),
			want:        Succeeded,
		}, {
			name:        "the service was deleted",
			deployments: list(deployment(newID, "PRIMARY", "IN_PROGRESS")),
			status:      "DRAINING", want: Deleted, reason: "the service is DRAINING",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := ecsview.Snapshot{Status: "ACTIVE", Desired: 2, Running: 2, Deployments: test.deployments}
			if test.status != "" {
				s.Status = test.status
			}
			for _, text := range test.events {
				s.Events = append(s.Events, ecsview.ServiceEvent{ID: text, At: epoch.Add(time.Second), Text: text})
			}
			got := Evaluate(target, s, test.seen)
			if got.Phase != test.want || test.reason != "" && got.Reason != test.reason {
				t.Errorf("got %q (%s), want %q (%s)", got.Phase, got.Reason, test.want, test.reason)
			}
		})
	}
}

// TestEvaluateByServiceDeployment goes through every state of the service-deployments API.
func TestEvaluateByServiceDeployment(t *testing.T) {
	under := []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS", running(1)), deployment(oldID, "ACTIVE", "COMPLETED")}
	back := []ecsview.Deployment{deployment(oldID, "PRIMARY", "COMPLETED", touched)}
	over := []ecsview.Deployment{deployment(laterID, "PRIMARY", "IN_PROGRESS"), deployment(newID, "ACTIVE", "IN_PROGRESS")}
	failing := []ecsview.Deployment{deployment(newID, "PRIMARY", "FAILED"), deployment(oldID, "ACTIVE", "COMPLETED")}
	returning := []ecsview.Deployment{deployment(oldID, "PRIMARY", "IN_PROGRESS", touched), deployment(newID, "ACTIVE", "FAILED")}
	for _, test := range []struct {
		name        string
		status      types.ServiceDeploymentStatus
		deployments []ecsview.Deployment
		want        Phase
		over        time.Duration
	}{
		{"pending", "PENDING", under, Rolling, 0},
		{"in progress", "IN_PROGRESS", under, Rolling, 0},
		{"a status of the future", "WAITING_FOR_GODOT", under, Rolling, 0},
		{"in progress, all run", "IN_PROGRESS", []ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS")}, Settling, 0},
		{"listed as complete, but the API does not say so yet", "IN_PROGRESS",
			[]ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED")}, Settling, 0},
		{"in progress, listed as failed", "IN_PROGRESS", []ecsview.Deployment{deployment(newID, "PRIMARY", "FAILED", running(0))}, Failing, 0},
		{"successful", "SUCCESSFUL", []ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED")}, Succeeded, 0},
		{"successful, behind a Classic Load Balancer", "SUCCESSFUL", []ecsview.Deployment{deployment(newID, "PRIMARY", "")}, Succeeded, 0},
		{"successful, and the list is behind", "SUCCESSFUL", under, Settling, 0},
		{"successful, and not listed", "SUCCESSFUL", []ecsview.Deployment{deployment(oldID, "PRIMARY", "COMPLETED")}, Succeeded, 0},
		{"successful, and one task of it is missing", "SUCCESSFUL",
			[]ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED", running(1))}, Replacing, 0},
		{"successful, and something newer took over", "SUCCESSFUL", over, Superseded, 0},
		{"successful, and ECS goes back to it from something newer", "SUCCESSFUL",
			[]ecsview.Deployment{deployment(newID, "PRIMARY", "IN_PROGRESS", because(rollingBackText)),
				deployment(laterID, "ACTIVE", "FAILED")}, Settling, 0},
		{"rollback requested", "ROLLBACK_REQUESTED", under, RollingBack, 0},
		{"rollback in progress", "ROLLBACK_IN_PROGRESS", back, RollingBack, 0},
		{"rolled back, stable", "ROLLBACK_SUCCESSFUL", back, RolledBack, 0},
		{"rolled back, and the list is behind", "ROLLBACK_SUCCESSFUL", under, RollingBack, 0},
		{"rolled back, and somebody deployed anew", "ROLLBACK_SUCCESSFUL", over, Superseded, 0},
		{"rolled back, and on its way back once more from something newer", "ROLLBACK_SUCCESSFUL", returning, RollingBack, 0},
		{"rolled back, and what was put back has failed since", "ROLLBACK_SUCCESSFUL",
			[]ecsview.Deployment{deployment(oldID, "PRIMARY", "FAILED", touched)}, RollbackFailed, 0},
		{"rolled back, and nothing is PRIMARY", "ROLLBACK_SUCCESSFUL", nil, RolledBack, 0},
		{"rollback failed", "ROLLBACK_FAILED", failing, RollbackFailed, 0},
		{"rollback failed, and the list still shows the deployment", "ROLLBACK_FAILED", under, RollingBack, rollbackGrace - 1},
		{"rollback failed, and the list goes on showing it", "ROLLBACK_FAILED", under, RollbackFailed, rollbackGrace},
		{"rollback failed, and the list still shows the way back", "ROLLBACK_FAILED", returning, RollingBack, rollbackGrace - 1},
		{"rollback failed, and the list goes on showing that", "ROLLBACK_FAILED", returning, RollbackFailed, rollbackGrace},
		{"stopped, and the list still shows it", "STOPPED", under, Failing, rollbackGrace - 1},
		{"stopped, and the list goes on showing it", "STOPPED", under, Failed, rollbackGrace},
		{"stopped, and nothing is PRIMARY", "STOPPED", nil, Failed, 0},
		{"rollback failed and somebody deployed anew", "ROLLBACK_FAILED", over, Superseded, 0},
		{"stop requested by a newer deployment", "STOP_REQUESTED", over, Superseded, 0},
		{"stop requested by the breaker", "STOP_REQUESTED", under, Failing, 0},
		{"stopped by a newer deployment", "STOPPED", over, Superseded, 0},
		{"stopped by the breaker, nothing put back", "STOPPED", []ecsview.Deployment{deployment(newID, "PRIMARY", "FAILED")}, Failed, 0},
		{"stopped, the old one is back", "STOPPED", back, RolledBack, 0},
		{"stopped, the old one is coming back", "STOPPED", []ecsview.Deployment{deployment(oldID, "PRIMARY", "IN_PROGRESS", touched)},
			RollingBack, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := ecsview.Snapshot{Status: "ACTIVE", Desired: 2, Running: 2, Deployments: test.deployments,
				Own: &ecsview.ServiceDeployment{Status: test.status}}
			if got := Evaluate(target, s, Seen{Listed: true, OverFor: test.over}); got.Phase != test.want {
				t.Errorf("got %q (%s), want %q", got.Phase, got.Reason, test.want)
			}
		})
	}
}

func TestCameBack(t *testing.T) {
	for name, test := range map[string]struct {
		primary ecsview.Deployment
		want    bool
	}{
		"the newer one":       {deployment(laterID, "PRIMARY", "IN_PROGRESS"), false},
		"the old one again":   {deployment(oldID, "PRIMARY", "IN_PROGRESS", touched), true},
		"itself":              {deployment(newID, "PRIMARY", "IN_PROGRESS"), false},
		"nothing that counts": {deployment(laterID, "ACTIVE", "IN_PROGRESS"), false},
	} {
		if got := CameBack(target, ecsview.Snapshot{Deployments: []ecsview.Deployment{test.primary}}); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestEvaluateFlips has a row for each condition that the tables above leave open, and one that flips it alone.
func TestEvaluateFlips(t *testing.T) {
	own := func(status types.ServiceDeploymentStatus, reasons ...string) *ecsview.ServiceDeployment {
		d := &ecsview.ServiceDeployment{Status: status}
		if len(reasons) > 0 {
			d.Reason, d.RollbackReason = reasons[0], reasons[1]
		}
		return d
	}
	list := func(d ...ecsview.Deployment) []ecsview.Deployment { return d }
	at := func(created, updated time.Duration) func(*ecsview.Deployment) {
		return func(d *ecsview.Deployment) { d.Created, d.Updated = epoch.Add(created), epoch.Add(updated) }
	}
	pending := func(n int) func(*ecsview.Deployment) { return func(d *ecsview.Deployment) { d.Pending = n } }
	failed := func(n int) func(*ecsview.Deployment) { return func(d *ecsview.Deployment) { d.Failed = n } }
	desired := func(n int) func(*ecsview.Deployment) { return func(d *ecsview.Deployment) { d.Desired = n } }
	known := func(d *ecsview.Deployment) { d.ID = "ecs-svc/150" }
	listed := Seen{Listed: true}
	back := list(deployment(oldID, "PRIMARY", "COMPLETED", touched))
	for _, test := range []struct {
		name        string
		own         *ecsview.ServiceDeployment
		deployments []ecsview.Deployment
		seen        Seen
		want        Verdict
	}{
		{"ECS's reason", own("ROLLBACK_IN_PROGRESS", "tasks failed", "asked for"), back, listed, Verdict{RollingBack, "tasks failed"}},
		{"that of the rollback, where it has no other", own("ROLLBACK_IN_PROGRESS", "", "asked for"), back, listed,
			Verdict{RollingBack, "asked for"}},
		{"both reasons of a rollback that failed", own("ROLLBACK_FAILED", "no tasks", "asked for"), back, listed,
			Verdict{RollbackFailed, "asked for no tasks"}},
		{"one of them", own("ROLLBACK_FAILED", "no tasks", ""), back, listed, Verdict{RollbackFailed, "no tasks"}},
		{"the other", own("ROLLBACK_FAILED", "", "asked for"), back, listed, Verdict{RollbackFailed, "asked for"}},
		{"the same twice", own("ROLLBACK_FAILED", "no tasks", "no tasks"), back, listed, Verdict{RollbackFailed, "no tasks"}},
		{"asked to stop, in its own words", own("STOP_REQUESTED", "asked", ""),
			list(deployment(newID, "PRIMARY", "IN_PROGRESS", because("listed"))), listed, Verdict{Failing, "asked"}},
		{"asked to stop, in those of the list", own("STOP_REQUESTED"), list(deployment(newID, "PRIMARY", "IN_PROGRESS", because("listed"))),
			listed, Verdict{Failing, "listed"}},
		{"asked to stop, and not listed", own("STOP_REQUESTED"), back, listed, Verdict{Failing, ""}},
		{"stopped, and nothing is listed", own("STOPPED"), nil, listed, Verdict{Failed, ""}},
		{"rolled back, and nothing is listed", own("ROLLBACK_SUCCESSFUL"), nil, listed, Verdict{RolledBack, ""}},
		{"complete, and on its way out", own("SUCCESSFUL"),
			list(deployment(oldID, "PRIMARY", "COMPLETED"), deployment(newID, "ACTIVE", "IN_PROGRESS")), listed, Verdict{Succeeded, ""}},
		{"under way, and not listed", own("IN_PROGRESS"), back, listed, Verdict{Rolling, ""}},
		{"under way, and failed behind another", own("IN_PROGRESS"),
			list(deployment(oldID, "PRIMARY", "IN_PROGRESS"), deployment(newID, "ACTIVE", "FAILED", because(failedText))), listed,
			Verdict{RollingBack, failedText}},
		{"under way behind another", own("IN_PROGRESS"),
			list(deployment(oldID, "PRIMARY", "IN_PROGRESS"), deployment(newID, "ACTIVE", "IN_PROGRESS", running(1))), listed,
			Verdict{Rolling, ""}},
		{"all run that it is to have so far", own("IN_PROGRESS"),
			list(deployment(newID, "PRIMARY", "IN_PROGRESS", running(1), desired(1)), deployment(oldID, "ACTIVE", "COMPLETED")), listed,
			Verdict{Rolling, ""}},

		{"Classic Load Balancer, one runs", nil, list(deployment(newID, "PRIMARY", "", running(1))), listed, Verdict{Rolling, ""}},
		{"one is to run so far", nil, list(deployment(newID, "PRIMARY", "", desired(1))), listed, Verdict{Rolling, ""}},
		{"more are to run", nil, list(deployment(newID, "PRIMARY", "", desired(3))), listed, Verdict{Rolling, ""}},
		{"one starts beside them", nil, list(deployment(newID, "PRIMARY", "", pending(1))), listed, Verdict{Settling, ""}},
		{"ECS counts a failure", nil, list(deployment(newID, "PRIMARY", "", failed(1))), listed, Verdict{Settling, ""}},

		{"gone, and the old one was made anew", nil, list(deployment(oldID, "PRIMARY", "COMPLETED", at(time.Minute, -time.Hour))), listed,
			Verdict{RolledBack, ""}},
		{"gone, and the old one was touched", nil, list(deployment(oldID, "PRIMARY", "COMPLETED", at(-time.Hour, time.Minute))), listed,
			Verdict{RolledBack, ""}},
		{"gone, and the old one is as ever", nil, list(deployment(oldID, "PRIMARY", "COMPLETED")), listed, Verdict{Waiting, ""}},
		{"never seen, and the old one was touched", nil, back, Seen{}, Verdict{Waiting, ""}},
		{"the reason of the way back, where nothing else tells one", nil,
			list(deployment(oldID, "PRIMARY", "IN_PROGRESS", touched, because(rollingBackText))), listed, Verdict{RollingBack, rollingBackText}},

		{"an unknown one from before is PRIMARY", nil,
			list(deployment(oldID, "PRIMARY", "IN_PROGRESS", known), deployment(newID, "ACTIVE", "IN_PROGRESS")), listed,
			Verdict{RollingBack, ""}},
		{"a later one is PRIMARY that takes it back", nil,
			list(deployment(laterID, "PRIMARY", "IN_PROGRESS", because("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/300.")),
				deployment(newID, "ACTIVE", "FAILED", because(failedText))), listed, Verdict{RollingBack, failedText}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := ecsview.Snapshot{Status: "ACTIVE", Desired: 2, Running: 2, Deployments: test.deployments, Own: test.own}
			if got := Evaluate(target, s, test.seen); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	gone := ecsview.Snapshot{Status: "INACTIVE", Deployments: list(deployment(newID, "PRIMARY", "COMPLETED"))}
	if got := Evaluate(target, gone, listed); got.Phase != Deleted {
		t.Errorf("an inactive service: %+v", got)
	}
}

// TestStabilityDecidesNothing holds the rule that stability decides nothing: one deployment, all tasks
// running, and yet each of these is another verdict.
func TestStabilityDecidesNothing(t *testing.T) {
	stable := ecsview.Snapshot{Status: "ACTIVE", Desired: 2, Running: 2,
		Deployments: []ecsview.Deployment{deployment(oldID, "PRIMARY", "COMPLETED", touched)}}
	if !stable.Settled() {
		t.Fatal("the snapshot is meant to be stable")
	}
	if got := Evaluate(target, stable, Seen{Listed: true}); got.Phase == Succeeded {
		t.Errorf("a stable service that runs the old version is called %q", got.Phase)
	}
	stable.Deployments[0] = deployment(newID, "PRIMARY", "IN_PROGRESS")
	if got := Evaluate(target, stable, Seen{Listed: true}); got.Phase.Final() {
		t.Errorf("a stable service whose deployment is in progress is called %q", got.Phase)
	}
}

func TestPick(t *testing.T) {
	at := func(d time.Duration, arn, td string) Candidate {
		return Candidate{ARN: arn, Created: epoch.Add(d), TaskDefinition: td}
	}
	for _, test := range []struct {
		name       string
		candidates []Candidate
		want       string
	}{
		{"none", nil, ""},
		{"only the one before", []Candidate{at(-time.Hour, "before", newTD)}, ""},
		{"ours", []Candidate{at(20*time.Millisecond, "ours", newTD), at(-time.Hour, "before", oldTD)}, "ours"},
		{"ours at the same moment", []Candidate{at(0, "ours", newTD)}, "ours"},
		{"a repeated update made another just before", []Candidate{at(-200*time.Millisecond, "repeated", newTD),
			at(time.Millisecond, "ours", newTD)}, "ours"},
		{"somebody's newer one for another revision", []Candidate{at(time.Minute, "other", laterTD)}, ""},
		{"somebody repeated ours later", []Candidate{at(time.Minute, "repeated", newTD), at(time.Second, "ours", newTD)}, "ours"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := pick(target, test.candidates, 0).ARN; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPickWithSlack(t *testing.T) {
	early := []Candidate{{ARN: "ours", Created: epoch.Add(-200 * time.Millisecond), TaskDefinition: newTD}}
	if got := pick(target, early, 0).ARN; got != "" {
		t.Errorf("without slack: got %q", got)
	}
	if got := pick(target, early, createdSlack).ARN; got != "ours" {
		t.Errorf("with slack: got %q", got)
	}
	early[0].Created = epoch.Add(-1100 * time.Millisecond)
	if got := pick(target, early, createdSlack).ARN; got != "" {
		t.Errorf("more than a second before it: got %q", got)
	}
}

func TestPace(t *testing.T) {
	for _, test := range []struct {
		most      time.Duration
		throttled int
		want      time.Duration
	}{
		{slowest, 0, 9 * time.Second},
		{slower, 0, 4 * time.Second},
		{nearest, 0, 1800 * time.Millisecond},
		{slowest, 4, 16 * time.Second},
		{nearest, 1, 2 * time.Second},
		{slowest, 3, 8 * time.Second},
		{slowest, 100, 30 * time.Second},
	} {
		if got := pace(test.most, test.throttled); got != test.want {
			t.Errorf("pace(%v, %d) = %v, want %v", test.most, test.throttled, got, test.want)
		}
	}
}

// TestLavish holds the average of calls.
func TestLavish(t *testing.T) {
	for _, test := range []struct {
		calls int
		since time.Duration
		want  bool
	}{
		{30, 0, false}, {31, 0, true}, {45, time.Minute, false}, {46, time.Minute, true}, {330, 20 * time.Minute, false},
		{331, 20 * time.Minute, true},
	} {
		if got := lavish(test.calls, test.since); got != test.want {
			t.Errorf("%d calls in %s: %v", test.calls, test.since, got)
		}
	}
}

// TestNearEnd says when the next change may be the end.
func TestNearEnd(t *testing.T) {
	own := func(change func(*ecsview.Snapshot)) func(*ecsview.Snapshot) { return change }
	for _, test := range []struct {
		name    string
		with    func(*ecsview.Snapshot)
		leaving bool
		want    bool
	}{
		{"the old tasks are gone", own(func(*ecsview.Snapshot) {}), false, true},
		{"one is taken out of its target groups", own(func(*ecsview.Snapshot) {}), true, false},
		{"a new task is to start", own(func(s *ecsview.Snapshot) { s.Deployments[0].Running = 1 }), false, false},
		{"an old one runs", own(func(s *ecsview.Snapshot) { s.Deployments[1].Running = 1 }), false, false},
		{"there is no newest", own(func(s *ecsview.Snapshot) { s.Deployments[0].Status = "ACTIVE" }), true, true},
		{"it has failed", own(func(s *ecsview.Snapshot) {
			s.Deployments[0].State, s.Deployments[0].Running = rolloutFailed, 0
		}), true, true},
		{"it is complete", own(func(s *ecsview.Snapshot) { s.Deployments[0].State, s.Deployments[0].Running = "COMPLETED", 0 }), true, true},
		{"traffic is shifted", own(func(s *ecsview.Snapshot) { s.Own = &ecsview.ServiceDeployment{Stage: "BAKE_TIME"} }), false, false},
		{"traffic has been shifted", own(func(s *ecsview.Snapshot) { s.Own = &ecsview.ServiceDeployment{Stage: cleanUp} }), false, true},
		{"it has no stages", own(func(s *ecsview.Snapshot) { s.Own = &ecsview.ServiceDeployment{} }), false, true},
		{"it takes another one's traffic back", own(func(s *ecsview.Snapshot) {
			s.Own, s.Deployments[0].Reason = &ecsview.ServiceDeployment{Stage: "BAKE_TIME"}, rollingBackText
		}), false, true},
	} {
		s := under(2, 0)
		s.Deployments[1].Running = 0
		test.with(&s)
		if got := nearEnd(s, test.leaving); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// TestLongest says how long a change may go unnoticed.
func TestLongest(t *testing.T) {
	settles := func(s *State) {
		s.verdict.Phase, s.last.Deployments[0].Running, s.last.Deployments[1].Running = Settling, s.last.Deployments[0].Desired, 0
	}
	for _, test := range []struct {
		name string
		with []func(*State)
		want time.Duration
	}{
		{"tasks are to start", nil, slowest},
		{"none is left to stop", []func(*State){settles}, nearest},
		{"one is left", []func(*State){settles, func(s *State) { s.last.Deployments[1].Running = 1 }}, slowest},
		{"one drains", []func(*State){settles, func(s *State) { s.draining = true }}, slowest},
		{"there are no calls left", []func(*State){settles, func(s *State) { s.calls = 1000 }}, slower},
		{"failed ones are replaced", []func(*State){settles, phase(Replacing)}, slower},
		{"they have been", []func(*State){phase(Succeeded)}, slower},
	} {
		s := rolling(test.with...)
		if got := s.longest(epoch.Add(time.Minute)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestDueDraining says when it is looked at how far old tasks have come.
func TestDueDraining(t *testing.T) {
	settles := func(s *State) {
		s.verdict.Phase, s.last.Deployments[0].Running, s.last.Deployments[1].Running = Settling, s.last.Deployments[0].Desired, 0
	}
	looked := func(draining bool) func(*State) {
		return func(s *State) { s.drained, s.draining = true, draining }
	}
	for _, test := range []struct {
		name string
		with []func(*State)
		want bool
		then bool // whether it is remembered
	}{
		{"an old task runs", nil, false, false},
		{"none does any more", []func(*State){settles}, true, true},
		{"one drains", []func(*State){settles, looked(true)}, true, true},
		{"none drains any more", []func(*State){settles, looked(false)}, false, true},
		{"they may not be read", []func(*State){settles, func(s *State) { s.drainOff = true }}, false, false},
		{"it has failed", []func(*State){settles, func(s *State) { s.last.Deployments[0].State = rolloutFailed }}, false, false},
		{"there are no others", []func(*State){settles, looked(true), func(s *State) {
			s.last.Deployments = s.last.Deployments[:1]
		}}, false, false},
		{"an old one runs again", []func(*State){settles, looked(true), func(s *State) { s.last.Deployments[1].Running = 1 }}, false, false},
	} {
		m := &move{State: rolling(test.with...), now: epoch}
		if got := m.dueDraining(); got != test.want || m.drained != test.then || !test.then && m.draining {
			t.Errorf("%s: %v, %v, %v", test.name, got, m.drained, m.draining)
		}
	}
}

// TestOwnDue says when the service deployment is read beside the service.
func TestOwnDue(t *testing.T) {
	calm := func(s *State) { s.ownAt = epoch }
	wentBack := func(s *State, o *ecsview.Snapshot) {
		o.Deployments[0].Status, o.Deployments[1].Status, o.Deployments[1].State = "ACTIVE", "PRIMARY", "IN_PROGRESS"
		s.last.Deployments = slices.Clone(o.Deployments)
	}
	for _, test := range []struct {
		name string
		with func(*State, *ecsview.Snapshot)
		at   time.Duration
		want bool
	}{
		{"nothing is new", func(*State, *ecsview.Snapshot) {}, ownPause - 1, false},
		{"after a while", func(*State, *ecsview.Snapshot) {}, ownPause, true},
		{"never read", func(s *State, _ *ecsview.Snapshot) { s.ownAt = time.Time{} }, 0, true},
		{"in stages", func(_ *State, o *ecsview.Snapshot) { o.Strategy = "LINEAR" }, stagePause, true},
		{"in stages, not yet", func(_ *State, o *ecsview.Snapshot) { o.Strategy = "LINEAR" }, stagePause - 1, false},
		{"a rolling one has none", func(_ *State, o *ecsview.Snapshot) { o.Strategy = "ROLLING" }, stagePause, false},
		{"a change is to be made", func(s *State, _ *ecsview.Snapshot) { s.want.change = stop }, 0, true},
		{"it was asked to stop", func(s *State, _ *ecsview.Snapshot) { s.stopping = true }, 0, true},
		{"the run is to end", func(s *State, _ *ecsview.Snapshot) { s.leaving = io.EOF }, 0, true},
		{"it is complete", func(_ *State, o *ecsview.Snapshot) { o.Deployments[0].State = "COMPLETED" }, 0, true},
		{"without a state", func(_ *State, o *ecsview.Snapshot) { o.Deployments[0].State = "" }, 0, true},
		{"it was asked to stop, and is itself a way back", func(s *State, _ *ecsview.Snapshot) {
			s.stopping, s.settings.committed = true, true
		}, 0, false},
		{"it was asked to stop before it was replaced", func(s *State, _ *ecsview.Snapshot) {
			s.stopping, s.isBack, s.back.ID = true, true, newID
		}, 0, false},
		{"it is not PRIMARY", func(_ *State, o *ecsview.Snapshot) { o.Deployments[0].Status = "ACTIVE" }, 0, true},
		{"another is PRIMARY", func(_ *State, o *ecsview.Snapshot) {
			o.Deployments[0].Status, o.Deployments[1].Status, o.Deployments[1].State = "ACTIVE", "PRIMARY", "IN_PROGRESS"
		}, 0, true},
		{"it was asked to stop, and another is PRIMARY", func(s *State, o *ecsview.Snapshot) {
			s.stopping = true
			wentBack(s, o)
		}, stagePause - 1, false},
		{"another is PRIMARY still", wentBack, stagePause - 1, false},
		{"another is PRIMARY for a while", wentBack, stagePause, true},
		{"another is PRIMARY, and complete", func(s *State, o *ecsview.Snapshot) {
			wentBack(s, o)
			o.Deployments[1].State = "COMPLETED"
		}, 0, true},
		{"another goes on", func(s *State, o *ecsview.Snapshot) {
			s.target.ServiceDeployment, s.last.Current, o.Current = ownARN, ownARN, "arn:other"
		}, 0, true},
		{"it goes on", func(s *State, o *ecsview.Snapshot) {
			s.target.ServiceDeployment, s.last.Current, o.Current = ownARN, ownARN, ownARN
		}, 0, false},
		{"another went on before", func(s *State, o *ecsview.Snapshot) {
			s.target.ServiceDeployment, s.last.Current, o.Current = ownARN, "arn:other", ownARN
		}, 0, false},
		{"it is gone", func(_ *State, o *ecsview.Snapshot) { o.Deployments = o.Deployments[1:] }, 0, true},
		{"ECS goes back to it", func(_ *State, o *ecsview.Snapshot) { o.Deployments[0].Reason = rollingBackText }, 0, true},
	} {
		s, o := rolling(calm), under(1, 0)
		test.with(&s, &o)
		if got := s.ownDue(o, epoch.Add(test.at)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestNews(t *testing.T) {
	told := map[string]bool{}
	event := func(id string, after time.Duration) ecsview.ServiceEvent {
		return ecsview.ServiceEvent{ID: id, At: epoch.Add(after)}
	}
	ids := func(events []ecsview.ServiceEvent) (all string) {
		for _, e := range events {
			all += e.ID
		}
		return all
	}
	news := func(since time.Time, events []ecsview.ServiceEvent) []ecsview.ServiceEvent {
		fresh, seen := news(told, since, events)
		told = remember(told, seen)
		return fresh
	}
	if got := ids(news(epoch, []ecsview.ServiceEvent{event("c", 2), event("b", 1), event("a", -1)})); got != "bc" {
		t.Errorf("first read: got %q, want bc: oldest first, without what came before", got)
	}
	if got := ids(news(epoch, []ecsview.ServiceEvent{event("d", 3), event("c", 2), event("b", 1)})); got != "d" {
		t.Errorf("second read: got %q, want d", got)
	}
}

func TestShorten(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/tg-dev/9a5c9fb619bd0a58"
	for text, want := range map[string]string{
		"(service api) has reached a steady state.":                          "has reached a steady state",
		"(service api) registered 1 targets in (target-group " + group + ")": "registered 1 targets in (target-group tg-dev)",
		"(service api) (port 80) is unhealthy in (target-group " + group +
			") due to (x)": "(port 80) is unhealthy in (target-group tg-dev) due to (x)",
		"(service other) in (target-group arn:cut": "(service other) in (target-group arn:cut",
	} {
		if got := shorten("arn:aws:ecs:r:1:service/c/api", text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestSince says which later deployment is told of, after the end was seen.
func TestSince(t *testing.T) {
	back := deployment(oldID, "PRIMARY", "COMPLETED")
	later := deployment(laterID, "PRIMARY", "IN_PROGRESS", touched)
	ecsBack := deployment(backID, "PRIMARY", "IN_PROGRESS", touched, because(rollingBackText))
	known := target
	known.Known = append(slices.Clone(known.Known), laterID)
	for _, test := range []struct {
		name   string
		target Target
		last   []ecsview.Deployment
		now    []ecsview.Deployment
		want   string
	}{
		{"somebody's", target, []ecsview.Deployment{back}, []ecsview.Deployment{later, back}, laterID},
		{"and nothing was read before", target, nil, []ecsview.Deployment{later}, laterID},
		{"what was seen at the end", target, []ecsview.Deployment{later}, []ecsview.Deployment{later}, ""},
		{"what was there before", known, []ecsview.Deployment{back}, []ecsview.Deployment{later, back}, ""},
		{"what ECS goes back to", target, []ecsview.Deployment{back}, []ecsview.Deployment{ecsBack, back}, ""},
		{"none", target, []ecsview.Deployment{back}, nil, ""},
	} {
		r := Result{Target: test.target, Last: ecsview.Snapshot{Deployments: test.last}}
		got := r.Since(ecsview.Snapshot{Deployments: test.now})
		if got == nil && test.want != "" || got != nil && got.ID != test.want {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}
