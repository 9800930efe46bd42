package ecsdeploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestForcedDeploymentOfWhatFailsNow deploys the revision that runs once more, which fails now as well as in the tasks that run. ECS can
// only go back to the same: the run ends within its timeout, and where history knows another version that worked, on that.
func TestForcedDeploymentOfWhatFailsNow(t *testing.T) {
	const unbroken = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, circuitBreaker: false}\n"
	const only = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v2]}\n"
	for name, test := range map[string]struct {
		scenario string
		release  bool // v2 is deployed first, after another version
		down     bool // the tasks that run are gone too
		waits    time.Duration
		want     action.Outcome
		at       string // the revision that the service is at in the end
		running  int
		says     string
	}{
		"its old tasks run":                     {fast, true, false, 0, action.RolledBack, ":2", 2, family + ":2 serves again"},
		"no task runs":                          {fast, true, true, 3 * time.Minute, action.RolledBack, ":1", 2, family + ":1 serves again"},
		"the tasks that run are being stopped":  {fast, true, true, 0, action.RolledBack, ":1", 2, family + ":1 serves again"},
		"no task runs, and there is no breaker": {unbroken, true, true, 3 * time.Minute, action.RolledBack, ":1", 2, family + ":1 serves again"},
		"there is no other version, nor a task": {only, false, true, 3 * time.Minute, action.Failed, ":1", 0, "no earlier version that worked"},
		"there is no other version, and tasks":  {only, false, false, 0, action.RolledBack, ":1", 2, family + ":1 serves again"},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, test.scenario, func(t *testing.T, s *site) {
				s.Push("v2", "")
				if test.release {
					s.mustDeploy("v2")
				}
				s.Sandbox.SetBehaviour("v2", engine.Behaviour{Start: engine.Crash, After: engine.Duration(2 * time.Second), Logs: []string{"boom"}})
				if test.down {
					s.Sandbox.Inspect(func(e *engine.Engine) {
						c, _ := e.Cluster(cluster)
						for _, task := range c.Tasks {
							e.StopTask(task, "looking into something")
						}
					})
				}
				time.Sleep(test.waits)
				s.Fresh()
				in := inputs("")
				in.Image, in.Force, in.Timeout = "running", true, 5*time.Minute
				begun := time.Now()
				out, err := s.deploy(in)
				took := time.Since(begun)
				wantOutcome(t, out, err, test.want)
				if took > in.Timeout+4*time.Minute || test.want == action.Failed && took > in.Timeout+10*time.Second {
					t.Errorf("it took %v", took)
				}
				if !strings.Contains(err.Error(), test.says) {
					t.Errorf("%q is not told: %v", test.says, err)
				}
				if got, running := s.Primary(); got != family+test.at || running < test.running {
					t.Errorf("%d tasks of %s run", running, got)
				}
			})
		})
	}
}
