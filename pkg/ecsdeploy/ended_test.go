package ecsdeploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestRolledBackBySomebody holds that a run whose deployment somebody rolls back tells by whom and why, as the rollback has written
// down; and that it tells nothing where that was the rollback of another deployment.
func TestRolledBackBySomebody(t *testing.T) {
	for from, told := range map[string]bool{family + ":2": true, family + ":9": false} {
		at(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}\n", func(t *testing.T, s *site) {
			s.Push("v2", "")
			time.AfterFunc(40*time.Second, func() {
				s.Sandbox.Inspect(func(e *engine.Engine) {
					c, err := e.Cluster(cluster)
					if err != nil {
						t.Error(err)
						return
					}
					service := c.Service(service)
					for key, value := range map[string]string{"from": from, "to": family + ":1", "by": "octocat", "reason": "orders fail",
						"at": time.Now().UTC().Format(time.RFC3339)} {
						service.Tags = append(service.Tags, engine.Tag{Key: "connect2:rollback-" + key, Value: value})
					}
					if err := e.StopServiceDeployment(service.Deployments[0].Rollout, "ROLLBACK"); err != nil {
						t.Error(err)
					}
				})
			})
			out, err := s.deploy(inputs("v2"))
			wantOutcome(t, out, err, action.RolledBack)
			for _, part := range []string{"The deployment was rolled back by octocat", "orders fail"} {
				if strings.Contains(s.Log.Text(), part) != told {
					t.Errorf("rolled back from %s: that %q is told should be %v:\n%s", from, part, told, s.Log.Text())
				}
			}
		})
	}
}
