package ecsdeploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
)

// TestTasksOfTwoDeploymentsAreToldApart looks at a service while a deployment is under way: old and new tasks together are more than are
// wanted, and are not "4 of 2".
func TestTasksOfTwoDeploymentsAreToldApart(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.Push("v3", "")
		in := inputs("v2")
		in.Wait = false
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		in = inputs("v3")
		in.DryRun = true
		told := ""
		for range 12 {
			time.Sleep(5 * time.Second)
			s.Fresh()
			out, err := s.deploy(in)
			wantOutcome(t, out, err, action.Succeeded)
			told += s.Log.Text()
		}
		if strings.Contains(told, "4 of 2 tasks") || !strings.Contains(told, "(2 of 2 tasks of "+family+":2 run, and 2 of "+family+":1)") {
			t.Errorf("tasks are not told apart:\n%s", told)
		}
	})
}
