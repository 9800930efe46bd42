package ecsview

import "testing"

func TestTasks(t *testing.T) {
	const definition = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:"
	primary := func(running int) Deployment {
		return Deployment{ID: "2", Status: "PRIMARY", TaskDefinition: definition + "2", Running: running}
	}
	old := func(running int) Deployment {
		return Deployment{ID: "1", Status: "ACTIVE", TaskDefinition: definition + "1", Running: running}
	}
	for _, test := range []struct {
		s    Snapshot
		want string
	}{
		{Snapshot{Desired: 2, Running: 2, Deployments: []Deployment{primary(2)}}, "2 of 2 tasks run"},
		{Snapshot{Desired: 1, Running: 1, Deployments: []Deployment{primary(1)}}, "1 of 1 task runs"},
		{Snapshot{Desired: 3, Running: 1, Deployments: []Deployment{primary(1)}}, "1 of 3 tasks run"},
		{Snapshot{Desired: 3, Running: 6, Deployments: []Deployment{primary(3), old(3)}}, "3 of 3 tasks of api:2 run, and 3 of api:1"},
		{Snapshot{Desired: 3, Running: 3, Deployments: []Deployment{primary(0), old(3)}}, "0 of 3 tasks of api:2 run, and 3 of api:1"},
		{Snapshot{Desired: 3, Running: 3, Deployments: []Deployment{primary(3), old(0)}}, "3 of 3 tasks run"},
		{Snapshot{Desired: 3, Running: 6, Deployments: []Deployment{primary(6)}}, "6 tasks of api:2 run, and 3 are wanted"},
		{Snapshot{Desired: 2}, "0 of 2 tasks run"},
		{Snapshot{Desired: 2, Running: 3}, "3 tasks run, and 2 are wanted"},
	} {
		if got := test.s.Tasks(); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.s, got, test.want)
		}
	}
}
