package ecsdeploy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestQueue holds that a run which may wait starts when the deployment that was under way has ended, and that one which may not
// wait that long changes nothing.
func TestQueue(t *testing.T) {
	for _, tt := range []struct {
		queue time.Duration
		want  action.Outcome
	}{
		{10 * time.Minute, action.Succeeded},
		{10 * time.Second, action.Invalid},
		{0, action.Succeeded}, // it replaces what is under way
	} {
		at(t, fast, func(t *testing.T, s *site) {
			s.Push("v2", "")
			s.Push("v3", "")
			first := inputs("v2")
			first.Wait = false
			if out, err := s.deploy(first); err != nil {
				t.Fatal(out, err)
			}
			s.Fresh()
			changes := len(s.Mutations())
			second := inputs("v3")
			second.Queue = tt.queue
			begun := time.Now()
			out, err := s.deploy(second)
			wantOutcome(t, out, err, tt.want)
			var failure *action.Error
			if tt.want == action.Invalid && (len(s.Mutations()) > changes || !errors.As(err, &failure) || time.Since(begun) > tt.queue+queueSlack) {
				t.Errorf("queue %s: after %s %d changes, %v", tt.queue, time.Since(begun), len(s.Mutations())-changes, err)
			}
			if ended := s.ended(family + ":2"); tt.want == action.Succeeded && (ended == "SUCCESSFUL") != (tt.queue > 0) {
				t.Errorf("queue %s: the deployment that was under way ended %s", tt.queue, ended)
			}
			if name, _ := s.Primary(); tt.want == action.Succeeded && name != family+":3" {
				t.Errorf("queue %s: the service is at %s", tt.queue, name)
			}
		})
	}
}

// ended returns the status of the deployment to a revision.
func (s *site) ended(revision string) (status string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		for _, d := range c.Service(service).History {
			if strings.HasSuffix(d.Target.Spec.Definition.ARN, "/"+revision) {
				status = d.Status
			}
		}
	})
	return status
}

// queueSlack is one look later, and the calls.
const queueSlack = 6 * time.Second
