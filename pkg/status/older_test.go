package status

import (
	"testing"

	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
)

// TestOlderTasks: a task that has run for longer than the evidence goes back counts once it is unhealthy, and one of another revision, or
// one that is known already, does not.
func TestOlderTasks(t *testing.T) {
	const revision = "arn:api:7"
	task := ecsview.Task{ARN: "old", IP: "10.0.0.1", TaskDefinition: revision, Health: "HEALTHY", LastStatus: "RUNNING"}
	bad := []ecsview.Target{{ID: "10.0.0.1", State: "unhealthy"}, {ID: "10.0.0.2", State: "healthy"}}
	with := func(change func(*ecsview.Task)) ecsview.Task { c := task; change(&c); return c }
	for name, test := range map[string]struct {
		known           []ecsview.Task
		task            ecsview.Task
		targets         []ecsview.Target
		tasks, targeted int
	}{
		"its target is unhealthy":   {nil, task, bad, 1, 1},
		"its own check fails":       {nil, with(func(t *ecsview.Task) { t.Health = "UNHEALTHY" }), bad[1:], 1, 0},
		"it is healthy":             {nil, task, bad[1:], 0, 0},
		"it is of another revision": {nil, with(func(t *ecsview.Task) { t.TaskDefinition = "arn:api:6" }), bad, 0, 0},
		"it is known":               {[]ecsview.Task{task}, task, bad, 1, 0},
		"it has no address":         {nil, with(func(t *ecsview.Task) { t.IP, t.Health = "", "UNHEALTHY" }), []ecsview.Target{{}}, 1, 0},
	} {
		got := withOlder(diagnose.Evidence{Tasks: test.known}, []ecsview.Task{test.task}, test.targets, revision)
		if len(got.Tasks) != test.tasks || len(got.Targets) != test.targeted {
			t.Errorf("%s: %d tasks, %d targets", name, len(got.Tasks), len(got.Targets))
		}
	}
	s := ecsview.Snapshot{Desired: 1, Running: 1, Deployments: []ecsview.Deployment{{Status: "PRIMARY", State: "COMPLETED", Running: 1}}}
	e := withOlder(diagnose.Evidence{}, []ecsview.Task{task}, bad, revision)
	if state := operate.Judge(s, nil, e.Tasks, e.Targets); state != operate.Degraded {
		t.Errorf("with an unhealthy task of hours the service is %s", state)
	}
}
