package ecsdeploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const (
	worker      = sandboxtest.Worker
	mail        = sandboxtest.Mail
	several     = sandboxtest.Several
	severalFile = sandboxtest.SeveralFile
)

// ofSeveral are inputs that deploy an image to all services of a file.
func ofSeveral(t *testing.T, image string) ecsdeploy.Inputs {
	t.Helper()
	file := filepath.Join(t.TempDir(), "connect2.yaml")
	if err := os.WriteFile(file, []byte(severalFile), 0o600); err != nil {
		t.Fatal(err)
	}
	return ecsdeploy.Inputs{Selection: project.Selection{File: file, FileEnvironment: "dev"}, Cluster: sandboxtest.Cluster, Image: image,
		Wait: true, Timeout: 30 * time.Minute}
}

// serving returns the revision that each service is at, and how many tasks of it run.
func serving(s *sandboxtest.Site) map[string]string {
	all := map[string]string{}
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(sandboxtest.Cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		for _, name := range []string{sandboxtest.Service, worker, mail} {
			d := c.Service(name).Deployments[0]
			all[name] = fmt.Sprintf("%s %d", arn.Revision(d.Revision.Spec.Definition.ARN), c.Service(name).Counts().Running)
		}
	})
	return all
}

func versions(api, worker1, mail1 int) map[string]string {
	return map[string]string{sandboxtest.Service: fmt.Sprintf("connect2-api-dev:%d 2", api), worker: fmt.Sprintf("%s:%d 1", worker, worker1),
		mail: fmt.Sprintf("%s:%d 1", mail, mail1)}
}

func outcomes(out ecsdeploy.Outputs) string {
	var all []struct{ Name, Outcome string }
	_ = json.Unmarshal(out.Services, &all)
	var words []string
	for _, one := range all {
		words = append(words, one.Name+" "+one.Outcome)
	}
	return strings.Join(words, ", ")
}

// kill carries the calls of a run that dies after some updates of services: no call of it arrives from then on.
type kill struct {
	through http.RoundTripper
	after   int
	die     func()
	mu      sync.Mutex
	seen    int
}

func (k *kill) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen > k.after || strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateService") && k.seen == k.after {
		k.seen = k.after + 1
		k.die()
		return nil, io.ErrClosedPipe
	}
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateService") {
		k.seen++
	}
	return k.through.RoundTrip(r)
}

// bad is an image that crashes as the worker, and runs as everything else.
const bad = `{start: healthy, commands: {work: {start: crash, after: 2s, exitCode: 1, logs: ["no module named jobs"]}}}`

// TestSeveralServices tells what becomes of three services whose worker may fail.
func TestSeveralServices(t *testing.T) {
	for _, test := range []struct {
		name      string
		behaviour string
		change    func(*testing.T, *sandboxtest.Site, *ecsdeploy.Inputs)
		outcome   action.Outcome
		services  string
		serving   map[string]string
		tells     []string
	}{
		{"all arrive", "", nil, action.Succeeded, "api succeeded, worker succeeded, mail succeeded", versions(2, 2, 2), nil},
		{"the worker fails, and all go back", bad, nil, action.RolledBack, "api rolled-back, worker rolled-back, mail rolled-back",
			versions(1, 1, 1), []string{"worker: ", "api is back on connect2-api-dev:1", "mail is back on " + mail + ":1"}},
		{"the worker fails alone", bad, func(_ *testing.T, _ *sandboxtest.Site, in *ecsdeploy.Inputs) { in.Together = "false" },
			action.RolledBack, "api succeeded, worker rolled-back, mail succeeded", versions(2, 1, 2), []string{"api stays at connect2-api-dev:2"}},
		{"one alone", bad, func(_ *testing.T, _ *sandboxtest.Site, in *ecsdeploy.Inputs) { in.Service = mail }, action.Succeeded, "",
			versions(1, 1, 2), nil},
		{"the worker's deployment is denied", "", func(t *testing.T, s *sandboxtest.Site, _ *ecsdeploy.Inputs) {
			// The updates of api and mail pass, and that of the worker is refused.
			if err := s.Sandbox.Inject(sandbox.Fault{Action: "ecs:UpdateService", Answer: sandbox.Refuse, Skip: 2, Times: 1,
				Code: "AccessDeniedException"}); err != nil {
				t.Fatal(err)
			}
		}, action.RolledBack, "api rolled-back, worker failed, mail rolled-back", versions(1, 1, 1),
			[]string{"api is back on connect2-api-dev:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
				s.Push("v2", test.behaviour)
				in := ofSeveral(t, "v2")
				if test.change != nil {
					test.change(t, s, &in)
				}
				out, err := ecsdeploy.Run(t.Context(), s.Env, in)
				if action.OutcomeOf(err) != test.outcome && err != nil || out.Outcome != test.outcome {
					t.Errorf("outcome %s, error %v", out.Outcome, err)
				}
				if got := outcomes(out); got != test.services {
					t.Errorf("services: %s, want %s", got, test.services)
				}
				if got := serving(s); !maps.Equal(got, test.serving) {
					t.Errorf("serving %v, want %v", got, test.serving)
				}
				if test.services != "" { // what was put back is deregistered, and what arrived is not
					want := "ACTIVE"
					if strings.Contains(test.services, "api rolled-back") {
						want = "INACTIVE"
					}
					got := statuses(s, "connect2-api-dev:2", mail+":2")
					if !slices.Equal(got, []string{"connect2-api-dev:2 " + want, mail + ":2 " + want}) {
						t.Errorf("%q, want %s", got, want)
					}
				}
				for _, want := range test.tells {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in: %v", want, err)
					}
				}
			})
		})
	}
}

// statuses returns the status of each of these revisions.
func statuses(s *sandboxtest.Site, names ...string) (all []string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		for _, name := range names {
			revision, err := e.TaskDefinition(name)
			if err != nil {
				s.T.Fatal(err)
			}
			all = append(all, name+" "+revision.Status)
		}
	})
	return all
}

// TestSeveralAtTheirFirstRelease takes all back since the worker fails: the services are without tasks again. What failed is deregistered,
// once.
func TestSeveralAtTheirFirstRelease(t *testing.T) {
	newborn := strings.Replace(several, "service: {", "service: {unreleased: true, desiredCount: 2, ", 1)
	sandboxtest.Run(t, newborn, func(t *testing.T, s *sandboxtest.Site) {
		s.Push("v2", bad)
		out, err := ecsdeploy.Run(t.Context(), s.Env, ofSeveral(t, "v2"))
		if action.OutcomeOf(err) != action.RolledBack || outcomes(out) != "api rolled-back, worker rolled-back, mail rolled-back" ||
			!strings.Contains(err.Error(), "api is back on connect2-api-dev-template:1, without tasks") {
			t.Errorf("%s: %v", outcomes(out), err)
		}
		time.Sleep(10 * time.Minute)
		want := map[string]string{sandboxtest.Service: "connect2-api-dev-template:1 0", worker: worker + "-template:1 0",
			mail: mail + "-template:1 0"}
		if got := serving(s); !maps.Equal(got, want) {
			t.Errorf("serving %v", got)
		}
		if got := statuses(s, worker+":1"); !slices.Equal(got, []string{worker + ":1 INACTIVE"}) {
			t.Errorf("%q", got)
		}
		if n := strings.Count(s.Log.Text(), "deregistered "+worker+":1"); n != 1 {
			t.Errorf("told %d times that %s:1 is deregistered", n, worker)
		}
	})
}

// TestSeveralChangedMeanwhile has somebody deploy another version of the api after this run's, before the worker fails: it is left
// alone, and that is told.
func TestSeveralChangedMeanwhile(t *testing.T) {
	sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
		s.Push("v2", `{start: healthy, commands: {work: {pullTime: 4m, start: crash, after: 2s, exitCode: 1}}}`)
		s.Push("v3", "")
		time.AfterFunc(3*time.Minute, func() {
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, _ := e.Cluster(sandboxtest.Cluster)
				api := c.Service(sandboxtest.Service)
				document := maps.Clone(api.Spec.Definition.Document)
				document["cpu"] = json.RawMessage(`"512"`)
				document["memory"] = json.RawMessage(`"1024"`)
				text, _ := json.Marshal(document)
				definition, err := e.RegisterTaskDefinition(text, "somebody")
				if err == nil {
					err = e.UpdateService(api, engine.ServiceChange{TaskDefinition: definition.ARN})
				}
				if err != nil {
					t.Error(err)
				}
			})
		})
		out, err := ecsdeploy.Run(t.Context(), s.Env, ofSeveral(t, "v2"))
		if action.OutcomeOf(err) != action.RolledBack || outcomes(out) != "api superseded, worker rolled-back, mail rolled-back" {
			t.Errorf("%s: %v", outcomes(out), err)
		}
		if want := "api was changed by somebody since, and was left alone at connect2-api-dev:3"; !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	})
}

// TestSeveralAgain repeats a release: what has arrived is not deployed again; where an attempt at it was killed half-way and the
// repetition fails, what the attempt has changed goes back too.
func TestSeveralAgain(t *testing.T) {
	sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
		s.Push("v2", bad)
		in := ofSeveral(t, "v2")
		dying := *s.Env
		ctx, cancel := context.WithCancel(t.Context())
		dying.Transport = &kill{through: s.Sandbox.Transport(), after: 2, die: cancel}
		_, _ = ecsdeploy.Run(ctx, &dying, in)
		time.Sleep(5 * time.Minute)
		if got := serving(s); !maps.Equal(got, versions(2, 1, 2)) {
			t.Fatalf("after the kill %v", got)
		}
		s.Fresh()
		out, err := ecsdeploy.Run(t.Context(), s.Env, in)
		if action.OutcomeOf(err) != action.RolledBack || outcomes(out) != "api rolled-back, worker rolled-back, mail rolled-back" {
			t.Errorf("%s: %v", outcomes(out), err)
		}
		if got := serving(s); !maps.Equal(got, versions(1, 1, 1)) {
			t.Errorf("serving %v", got)
		}
	})
	sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
		s.Push("v2", "")
		in := ofSeveral(t, "v2")
		for _, want := range []action.Outcome{action.Succeeded, action.NoChange} {
			s.Fresh()
			s.Sandbox.ResetJournal()
			out, err := ecsdeploy.Run(t.Context(), s.Env, in)
			if err != nil || out.Outcome != want || slices.Contains(s.Mutations(), "ecs:UpdateService") != (want == action.Succeeded) {
				t.Errorf("%s: %v, %v", out.Outcome, err, s.Mutations())
			}
		}
	})
}

// TestSeveralCancelled interrupts a release at several moments: nothing of it stays, unless all of it has arrived.
func TestSeveralCancelled(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 20 * time.Second, 80 * time.Second, 2 * time.Minute, 4 * time.Minute} {
		t.Run(after.String(), func(t *testing.T) {
			sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
				s.Push("v2", `{start: healthy, commands: {work: {pullTime: 10m}}}`)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(after, func() { cancel(action.ErrInterrupted) })
				begun := time.Now()
				_, err := ecsdeploy.Run(ctx, s.Env, ofSeveral(t, "v2"))
				if took := time.Since(begun) - after; action.OutcomeOf(err) != action.Cancelled || took > action.CleanupTime {
					t.Errorf("%s after %s: %v", action.OutcomeOf(err), took, err)
				}
				time.Sleep(15 * time.Minute)
				if got := serving(s); !maps.Equal(got, versions(1, 1, 1)) {
					t.Errorf("serving %v: %v", got, err)
				}
			})
		})
	}
}

// TestSeveralAreCheckedFirst holds that what is wrong with any service is told before any is changed, once where several have it.
func TestSeveralAreCheckedFirst(t *testing.T) {
	sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
		in := ofSeveral(t, "v9")
		if err := os.WriteFile(in.File, []byte(strings.Replace(severalFile, "connect2-api-mail-", "connect2-api-male-", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ecsdeploy.Run(t.Context(), s.Env, in)
		for _, want := range []string{"api, worker: image: ", `mail: service: there is no service "connect2-api-male-dev"`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in %v", want, err)
			}
		}
		if action.OutcomeOf(err) != action.Invalid || len(s.Mutations()) > 0 {
			t.Errorf("%s, %v", action.OutcomeOf(err), s.Mutations())
		}
		in.RegisterOnly, in.Wait = true, false
		if _, err = ecsdeploy.Run(t.Context(), s.Env, in); err == nil || !strings.Contains(err.Error(), "register-only: it is for one service") ||
			!strings.Contains(err.Error(), "wait: false: it is for one service") {
			t.Errorf("got %v", err)
		}
	})
}
