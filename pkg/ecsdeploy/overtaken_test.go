package ecsdeploy_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// meanwhile has something happen once, right before a call of ECS is carried out: the nth of its name, counted from 0.
func (s *site) meanwhile(call string, nth int, happen func()) {
	next, seen := s.Env.Transport, 0
	var mu sync.Mutex
	s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		due := strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+call) && seen == nth
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+call) {
			seen++
		}
		mu.Unlock()
		if due {
			happen()
		}
		return next.RoundTrip(r)
	})
}

var pinned = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

// colleague deploys an image as somebody would who does not use the actions. An empty digest forces a deployment of what runs.
func (s *site) colleague(digest string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		to := c.Service(service)
		if digest == "" {
			if err := e.UpdateService(to, engine.ServiceChange{ForceNewDeployment: true}); err != nil {
				s.T.Error(err)
			}
			return
		}
		text, err := json.Marshal(to.Spec.Definition.Document)
		if err != nil {
			s.T.Fatal(err)
		}
		td, err := e.RegisterTaskDefinition(pinned.ReplaceAll(text, []byte("@"+digest)), "a colleague")
		if err != nil {
			s.T.Fatal(err)
		}
		if err := e.UpdateService(to, engine.ServiceChange{TaskDefinition: td.ARN}); err != nil {
			s.T.Error(err)
		}
	})
}

// TestSomethingBeginsMeanwhile has something happen to the service between the first read and the update.
func TestSomethingBeginsMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		call   string
		nth    int
		happen func(s *site, v2, v3 string)
		want   action.Outcome
		at     string // the revision that serves in the end
		told   string
	}{
		"somebody deploys another version": {"RegisterTaskDefinition", 0, func(s *site, _, v3 string) { s.colleague(v3) },
			action.Superseded, ":2", "a deployment of " + family + ":2 began"},
		"somebody forces a deployment of what runs": {"RegisterTaskDefinition", 0, func(s *site, _, _ string) { s.colleague("") },
			action.Succeeded, ":2", "updated service"},
		"somebody deploys another version right before the update": {"UpdateService", 0, func(s *site, _, v3 string) { s.colleague(v3) },
			action.Succeeded, ":2", "a deployment of " + family + ":3 was begun right before the service was updated"},
		"somebody puts it on hold": {"RegisterTaskDefinition", 0, func(s *site, v2, _ string) { s.hold(v2) },
			action.Invalid, ":1", "override-hold"},
		"the service cannot be read any more": {"DescribeServices", 1, func(s *site, _, _ string) { s.deny("ecs:DescribeServices") },
			action.Failed, ":1", "ecs:DescribeServices"},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				v2, v3 := s.Push("v2", ""), s.Push("v3", "")
				s.Sandbox.ResetJournal()
				s.meanwhile(test.call, test.nth, func() { test.happen(s, v2, v3) })
				out, err := s.deploy(inputs("v2"))
				wantOutcome(t, out, err, test.want)
				if text := s.Log.Text(); !strings.Contains(text, test.told) {
					t.Errorf("%q is not told:\n%s", test.told, text)
				}
				calls := s.Mutations()
				if sent := slices.Contains(calls, "ecs:UpdateService"); sent != (test.want == action.Succeeded) {
					t.Errorf("changed by %v", calls)
				}
				if gone := slices.Contains(calls, "ecs:DeregisterTaskDefinition"); gone != (test.want == action.Invalid) {
					t.Errorf("changed by %v", calls)
				}
				time.Sleep(10 * time.Minute)
				if got, _ := s.Primary(); got != family+test.at {
					t.Errorf("the service is at %s", got)
				}
			})
		})
	}
}

// TestSomethingBeginsAfterTheEnd has somebody deploy right after the run has seen that its deployment was rolled back: its last read of the
// service, before the revision that failed is taken away, shows that, and the error says so.
func TestSomethingBeginsAfterTheEnd(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "{start: crash, after: 2s}")
		v3 := s.Push("v3", "")
		next := s.Env.Transport
		var back, begun atomic.Bool
		s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeServices") && !begun.Load() {
				if name, _ := s.Primary(); back.Load() && name == family+":1" && begun.CompareAndSwap(false, true) {
					s.colleague(v3)
				}
				s.Sandbox.Inspect(func(e *engine.Engine) {
					c, err := e.Cluster(cluster)
					if err != nil {
						t.Error(err)
						return
					}
					newest := c.Service(service).Deployments[0]
					back.Store(newest.State == engine.Completed && slices.Contains(s.Mutations(), "ecs:UpdateService"))
				})
			}
			return next.RoundTrip(r)
		})
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if !begun.Load() || !strings.Contains(err.Error(), ". Since then a deployment of "+family+":3 has begun") {
			t.Errorf("begun: %v; %v", begun.Load(), err)
		}
	})
}

// hold puts an image on hold as a rollback does.
func (s *site) hold(digest string) {
	conn, err := awsconn.Connect(s.T.Context(), s.Env, awsconn.Inputs{})
	if err != nil {
		s.T.Fatal(err)
	}
	client := ecs.NewFromConfig(conn.Config)
	found, err := client.DescribeServices(s.T.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: []string{service}})
	if err != nil {
		s.T.Fatal(err)
	}
	_, err = client.TagResource(s.T.Context(), &ecs.TagResourceInput{ResourceArn: found.Services[0].ServiceArn,
		Tags: []ecstypes.Tag{{Key: aws.String("connect2:hold"), Value: aws.String(digest)}}})
	if err != nil {
		s.T.Fatal(err)
	}
}

// deny has an action refused from now on.
func (s *site) deny(name string) {
	if err := s.Sandbox.Inject(sandbox.Fault{Action: name, Answer: sandbox.Deny}); err != nil {
		s.T.Fatal(err)
	}
}

// deregister takes a revision of the family away, as another run does whose deployment of it failed.
func (s *site) deregister(name string) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		td, err := e.TaskDefinition(name)
		if err != nil {
			s.T.Fatal(err)
		}
		e.DeregisterTaskDefinition(td)
	})
}

// TestRevisionThatIsDeregistered has the revision that is wanted deregistered by another run: what runs goes on and is not replaced, and
// what is to be deployed is registered anew.
func TestRevisionThatIsDeregistered(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.mustDeploy("v2")
		s.deregister(family + ":2")
		s.Fresh()
		s.Sandbox.ResetJournal()
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.NoChange)
		if len(s.Mutations()) > 0 {
			t.Errorf("changed by %v", s.Mutations())
		}

		s.Fresh()
		in := inputs("v2")
		in.Force = true
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if got, _ := s.Primary(); got != family+":3" {
			t.Errorf("the service is at %s", got)
		}

		s.Fresh()
		s.meanwhile("UpdateService", 0, func() { s.deregister(family + ":3") })
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if got, running := s.Primary(); got != family+":4" || running != 2 || !strings.Contains(s.Log.Text(), "registering its content again") {
			t.Errorf("the service runs %d tasks of %s:\n%s", running, got, s.Log.Text())
		}
	})
}

// TestWhatTookOverIsTakenBack follows what is put back, where a deployment that took over was itself taken back.
func TestWhatTookOverIsTakenBack(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		v3 := s.Push("v3", "")
		time.AfterFunc(20*time.Second, func() { s.colleague(v3) })
		next := s.Env.Transport
		var taken atomic.Bool
		s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
			newer, _ := s.Primary() // with its tags a service is read right before and right after a deployment alone
			if newer != family+":3" || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeServices") || !holds(r, `"TAGS"`) ||
				!taken.CompareAndSwap(false, true) {
				return next.RoundTrip(r)
			}
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, _ := e.Cluster(cluster)
				if err := e.StopServiceDeployment(c.Service(service).Deployments[0].Rollout, "ROLLBACK"); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(3 * time.Second)
			return next.RoundTrip(r)
		})
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if got, running := s.Primary(); got != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, got)
		}
	})
}
