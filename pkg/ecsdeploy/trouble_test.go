package ecsdeploy_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestTwoDeploymentsAtOnce begins two runs in the same instant: whichever comes second wins, the other one says so, and no
// revision that is in use is taken away.
func TestTwoDeploymentsAtOnce(t *testing.T) {
	for name, images := range map[string][2]string{"different images": {"v2", "v3"}, "the same image": {"v2", "v2"}} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", "")
				s.Push("v3", "")
				var outcomes [2]action.Outcome
				for i, image := range images {
					env, _ := s.Runner()
					go func() {
						out, err := ecsdeploy.Run(t.Context(), env, inputs(image))
						if outcomes[i] = out.Outcome; err != nil {
							outcomes[i] = action.OutcomeOf(err)
						}
					}()
				}
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				sorted := slices.Sorted(slices.Values(outcomes[:]))
				superseded := slices.Equal(sorted, []action.Outcome{action.Succeeded, action.Superseded})
				if both := slices.Equal(sorted, []action.Outcome{action.Succeeded, action.Succeeded}); !superseded &&
					!(both && images[0] == images[1]) {
					t.Errorf("outcomes %v", outcomes)
				}
				if _, running := s.Primary(); running != 2 || slices.Contains(s.Mutations(), "ecs:DeregisterTaskDefinition") {
					t.Errorf("%d tasks run; changed by %v", running, s.Mutations())
				}
			})
		})
	}
}

// TestOperatorStopsTasks has somebody stop the new tasks once while they start: that says nothing against the release.
func TestOperatorStopsTasks(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		stopped := 0
		defer time.AfterFunc(30*time.Second, func() {
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, _ := e.Cluster(cluster)
				for _, task := range c.Tasks {
					if task.Deployment != nil && task.Deployment == c.Service(service).Deployments[0] && task.DesiredStatus == "RUNNING" {
						e.StopTask(task, "looking into something")
						stopped++
					}
				}
			})
		}).Stop()
		s.mustDeploy("v2")
		if name, running := s.Primary(); stopped == 0 || name != family+":2" || running != 2 {
			t.Errorf("%d tasks were stopped; the service runs %d tasks of %s", stopped, running, name)
		}
	})
}

// TestServiceDeletedMeanwhile ends when there is nothing left to follow, and says so.
func TestServiceDeletedMeanwhile(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		defer time.AfterFunc(30*time.Second, func() {
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, _ := e.Cluster(cluster)
				if err := e.DeleteService(c.Service(service), true); err != nil {
					t.Error(err)
				}
			})
		}).Stop()
		begun := time.Now()
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.Stuck)
		if !strings.Contains(err.Error(), "was deleted: the service is DRAINING") || time.Since(begun) > 2*time.Minute ||
			s.Calls("ecs:UpdateService") != 1 {
			t.Errorf("after %v: %v; %v", time.Since(begun), err, s.Mutations())
		}
	})
}

// TestErrorPages answers with a proxy's page instead of AWS's protocol: for a while it is borne, for good it is told as what it
// is, without the page.
func TestErrorPages(t *testing.T) {
	for name, test := range map[string]struct {
		from, to time.Duration
		want     action.Outcome
	}{
		"before anything": {0, time.Hour, action.Invalid},
		"for a minute":    {20 * time.Second, 80 * time.Second, action.Succeeded},
		"from then on":    {20 * time.Second, 24 * time.Hour, action.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", "")
				next, begun := s.Env.Transport, time.Now()
				s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
					if since := time.Since(begun); since < test.from || since >= test.to {
						return next.RoundTrip(r)
					}
					page := "<html>\n<head><title>502 Bad Gateway</title></head>" + strings.Repeat("<p>oops</p>", 2000) + "</html>"
					return &http.Response{StatusCode: http.StatusBadGateway, Status: "502 Bad Gateway", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
						Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader(page)), Request: r}, nil
				})
				out, err := s.deploy(inputs("v2"))
				wantOutcome(t, out, err, test.want)
				if err != nil && (!strings.Contains(err.Error(), "502") || strings.Contains(err.Error(), "oops") || len(err.Error()) > 1500) {
					t.Errorf("told: %v", err)
				}
			})
		})
	}
}
