package ecsdeploy

import (
	"errors"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/fleet"
)

const (
	template = "arn:aws:ecs:us-west-2:123456789012:task-definition/api-template:3"
	one1     = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:1"
	one2     = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:2"
	one3     = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:3"
)

// TestWayBackOf flips each reason to go back, to wait or to leave a service alone. api:2 was deployed in place of api:1.
func TestWayBackOf(t *testing.T) {
	const ours, other = "ecs-svc/200", "ecs-svc/300"
	by := func(id, revision, state string, desired int) ecsview.Snapshot {
		return ecsview.Snapshot{Desired: desired, TaskDefinition: revision, Deployments: []ecsview.Deployment{
			{Status: "ACTIVE", TaskDefinition: one3, State: "IN_PROGRESS"},
			{Status: "PRIMARY", ID: id, TaskDefinition: revision, State: state}}}
	}
	at := func(revision, state string, desired int) ecsview.Snapshot { return by(ours, revision, state, desired) }
	for _, test := range []struct {
		name   string
		now    ecsview.Snapshot
		before string
		empty  bool
		want   wayBack
	}{
		{"it runs what was deployed", at(one2, "COMPLETED", 2), one1, false, backUpdate},
		{"what was deployed is on its way", at(one2, "IN_PROGRESS", 2), one1, false, backUpdate},
		{"what was deployed has failed, and ECS rolls nothing back", at(one2, "FAILED", 2), one1, false, backUpdate},
		{"ECS is rolling it back", at(one1, "IN_PROGRESS", 2), one1, false, backAwait},
		{"ECS has rolled it back", at(one1, "COMPLETED", 2), one1, false, backAlready},
		{"the rollback failed too", at(one1, "FAILED", 2), one1, false, backUpdate},
		{"an external deployment controller tells no state", at(one1, "", 2), one1, false, backAlready},
		{"somebody has deployed another revision", at(one3, "COMPLETED", 2), one1, false, backLeave},
		{"somebody is deploying another revision", at(one3, "IN_PROGRESS", 2), one1, false, backLeave},
		{"the service is drained, and has no deployment", ecsview.Snapshot{}, one1, false, backLeave},
		{"the same revision was deployed once more", at(one2, "COMPLETED", 2), one2, false, backAlready},
		{"the same revision, and somebody has deployed another since", at(one3, "COMPLETED", 2), one2, false, backLeave},
		{"the first release runs", at(one2, "COMPLETED", 2), template, true, backUpdate},
		{"the first release failed, and its tasks are gone", at(one2, "FAILED", 0), template, true, backAlready},
		{"it is at its template again, with tasks that cannot start", at(template, "IN_PROGRESS", 2), template, true, backAwait},
		{"somebody has deployed something else, without tasks", at(one3, "COMPLETED", 0), template, true, backLeave},
		{"a service that somebody has scaled to no tasks", at(one2, "COMPLETED", 0), one1, false, backUpdate},
		{"somebody has deployed the same revision anew", by(other, one2, "IN_PROGRESS", 2), one1, false, backLeave},
		{"the first release, which somebody has deployed anew", by(other, one2, "COMPLETED", 2), template, true, backLeave},
		{"somebody else goes back already", by(other, one1, "IN_PROGRESS", 2), one1, false, backAwait},
	} {
		if got := wayBackOf(test.now, one2, ours, test.before, test.empty); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if got := wayBackOf(by(other, one2, "COMPLETED", 2), one2, "", one1, false); got != backUpdate { // an earlier attempt has begun it
		t.Errorf("where it is not known which deployment brought it: %s", got)
	}
}

// TestReplacedBy finds what api:2 was deployed in place of.
func TestReplacedBy(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	of := func(deployments ...ecsview.Deployment) ecsview.Snapshot {
		for i := range deployments {
			deployments[i].Created = began.Add(-time.Duration(i) * time.Minute) // the newest first
		}
		return ecsview.Snapshot{TaskDefinition: deployments[0].TaskDefinition, Deployments: deployments}
	}
	complete := func(revision string) ecsview.Deployment {
		return ecsview.Deployment{TaskDefinition: revision, State: "COMPLETED"}
	}
	for _, test := range []struct {
		name    string
		before  ecsview.Snapshot
		attempt string
		want    string
		empty   bool
	}{
		{"the revision that ran", of(complete(one1)), "", one1, false},
		{"not one that was still being deployed", of(ecsview.Deployment{TaskDefinition: one3, State: "IN_PROGRESS"}, complete(one1)), "", one1,
			false},
		{"that one where none was complete", of(ecsview.Deployment{TaskDefinition: one3, State: "IN_PROGRESS"}), "", one3, false},
		{"not itself, which a run before has deployed", of(complete(one2), complete(one1)), "", one1, false},
		{"what an earlier attempt says that it replaced", of(complete(one2), complete(one3)), "api:1", one1, false},
		{"nothing before its first release", of(complete(template)), "", template, true},
		{"nothing before the first release, by an earlier attempt", of(complete(one2)), "api-template:3", template, true},
	} {
		if got, empty := replacedBy(one2, test.before, test.attempt); got != test.want || empty != test.empty {
			t.Errorf("%s: %s, empty %t; want %s, %t", test.name, got, empty, test.want, test.empty)
		}
	}
}

// TestGoesBack decides for a release of several services.
func TestGoesBack(t *testing.T) {
	failed := fleet.Standing{Name: "worker", After: fleet.Ended, Err: action.Failf(action.RolledBack, "no")}
	stopped := fleet.Standing{Name: "mail", After: fleet.Ended, Err: fleet.ErrStopped}
	arrived := fleet.Standing{Name: "api", After: fleet.Arrived}
	unchanged := fleet.Standing{Name: "web", After: fleet.Unchanged}
	late := fleet.Standing{Name: "api", After: fleet.Arrived, Err: action.Failf(action.Cancelled, "interrupted in its bake")}
	untouched := fleet.Standing{Name: "jobs", After: fleet.Untouched}
	for _, test := range []struct {
		name        string
		all         []fleet.Standing
		interrupted bool
		want        bool
	}{
		{"all have arrived", []fleet.Standing{arrived, unchanged}, false, false},
		{"one has failed", []fleet.Standing{arrived, failed}, false, true},
		{"one has failed, and another was stopped for it", []fleet.Standing{stopped, failed}, false, true},
		{"interrupted with all arrived", []fleet.Standing{arrived, unchanged}, true, false},
		{"interrupted in the bake of the last one", []fleet.Standing{unchanged, late}, true, false},
		{"interrupted before one began", []fleet.Standing{arrived, untouched}, true, true},
		{"not begun, and nobody has failed", []fleet.Standing{arrived, untouched}, false, false},
	} {
		if got := goesBack(test.all, test.interrupted); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestIsPutBack flips each reason to put a service back, or not to.
func TestIsPutBack(t *testing.T) {
	of := func(name string, after fleet.After, outcome action.Outcome) fleet.Standing {
		s := fleet.Standing{Name: name, After: after}
		if outcome != action.Succeeded {
			s.Err = &action.Error{Outcome: outcome, Err: errors.New("no")}
		}
		return s
	}
	worker := of("worker", fleet.Ended, action.RolledBack)
	for _, test := range []struct {
		name              string
		one               fleet.Standing
		fault             *fleet.Standing
		changed, replaced bool
		want              bool
	}{
		{"it has arrived, and another has failed", of("api", fleet.Arrived, action.Succeeded), &worker, true, false, true},
		{"it was not changed", of("api", fleet.Unchanged, action.Succeeded), &worker, false, false, false},
		{"an earlier attempt has changed it", of("api", fleet.Unchanged, action.Succeeded), &worker, false, true, true},
		{"it was not begun", of("api", fleet.Untouched, action.Succeeded), &worker, false, false, false},
		{"not begun, and changed by an earlier attempt", of("api", fleet.Untouched, action.Succeeded), &worker, false, true, true},
		{"it is the one that failed", worker, &worker, true, false, true},
		{"it is stuck, and at fault", of("worker", fleet.Ended, action.Stuck), &worker, true, false, false},
		{"it was superseded, and is at fault", of("worker", fleet.Ended, action.Superseded), &worker, true, false, false},
		{"another one is stuck", of("api", fleet.Ended, action.Stuck), &worker, true, false, true},
		{"the run was interrupted, and none is at fault", of("api", fleet.Ended, action.Stuck), nil, true, false, true},
	} {
		if got := isPutBack(test.one, test.fault, test.changed, test.replaced); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}
