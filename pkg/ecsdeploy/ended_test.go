package ecsdeploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsrollback"
)

// TestRolledBackBySomebody holds that a run whose deployment somebody rolls back tells by whom and why.
func TestRolledBackBySomebody(t *testing.T) {
	at(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		env, _ := s.Runner()
		env.GitHub.Actor = "octocat"
		time.AfterFunc(40*time.Second, func() {
			in := ecsrollback.Inputs{Cluster: cluster, Service: service, Reason: "orders fail"}
			if _, err := ecsrollback.Run(t.Context(), env, in); err != nil {
				t.Error(err)
			}
		})
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		time.Sleep(5 * time.Minute)
		for _, part := range []string{"The deployment was rolled back by octocat", "orders fail"} {
			if !strings.Contains(s.Log.Text(), part) {
				t.Errorf("%q is not told:\n%s", part, s.Log.Text())
			}
		}
	})
}
