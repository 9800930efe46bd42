package ecsdeploy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
)

var oldest, older, newer = strings.Repeat("1", 40), strings.Repeat("2", 40), strings.Repeat("3", 40)

// log writes a list of three commits that follow each other.
func log(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "commits")
	if err := os.WriteFile(name, []byte(newer+" "+older+"\n"+older+" "+oldest+"\n"+oldest+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestAnOlderCommitIsSuperseded holds that runs which end in another order than their commits leave the newest in force.
func TestAnOlderCommitIsSuperseded(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		list := log(t)
		release := func(tag, commit string, change func(*ecsdeploy.Inputs)) (ecsdeploy.Outputs, error) {
			s.Push(tag, "")
			in := inputs(tag)
			in.Order = commits.Order{Commit: commit, List: list}
			if change != nil {
				change(&in)
			}
			return s.deploy(in)
		}
		out, err := release("v2", newer, nil) // what runs has no commit: that warns, and goes on
		wantOutcome(t, out, err, action.Succeeded)
		changes := len(s.Mutations())

		out, err = release("v1", older, nil)
		wantOutcome(t, out, err, action.Superseded)
		if got := s.Mutations(); len(got) != changes {
			t.Errorf("changed by %v", got[changes:])
		}
		if name, _ := s.Primary(); name != family+":2" {
			t.Errorf("the service is at %s", name)
		}

		// A changed template that is rolled out with the image that runs releases the commit that runs, whoever does it.
		s.Fresh()
		s.Env.GitHub.SHA = oldest
		out, err = s.deploy(ecsdeploy.Inputs{Cluster: cluster, Service: service, Wait: true, Timeout: inputs("").Timeout,
			Image: ecsdeploy.Running, Force: true,
			Order: commits.Order{List: list}})
		wantOutcome(t, out, err, action.Succeeded)
		s.Fresh()
		s.Env.GitHub.SHA = oldest
		out, err = s.deploy(ecsdeploy.Inputs{Cluster: cluster, Service: service, Wait: true, Timeout: inputs("").Timeout,
			Image:       ecsdeploy.Running,
			Environment: map[string]string{"A": "b"}, Order: commits.Order{List: list}})
		wantOutcome(t, out, err, action.Succeeded)

		out, err = release("v1", older, nil) // the commit went along
		wantOutcome(t, out, err, action.Superseded)
		out, err = release("v1", older, func(in *ecsdeploy.Inputs) { in.Older = true })
		wantOutcome(t, out, err, action.Succeeded)
		out, err = release("v3", newer, nil) // and from there it goes forward again
		wantOutcome(t, out, err, action.Succeeded)
		if !slices.ContainsFunc(s.Mutations(), func(call string) bool { return call == "ecs:UpdateService" }) {
			t.Error("nothing was deployed")
		}
	})
}
