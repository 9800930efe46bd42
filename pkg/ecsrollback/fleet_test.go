package ecsrollback_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const (
	worker      = sandboxtest.Worker
	mail        = sandboxtest.Mail
	several     = sandboxtest.Several
	severalFile = sandboxtest.SeveralFile
)

// fleetSite is a sandbox with three services, and the file that names them.
type fleetSite struct {
	*sandboxtest.Site
	file project.Selection

	mu      sync.Mutex // a run makes calls side by side
	refused string     // the service whose next update is denied
}

// refuse has the next update of a service denied, or that of none.
func (s *fleetSite) refuse(service string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = service
}

// refuses takes the denial that an update of a service meets, once.
func (s *fleetSite) refuses(update []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	met := s.refused != "" && strings.Contains(string(update), `"service":"`+s.refused+`"`)
	if met {
		s.refused = ""
	}
	return met
}

// RoundTrip denies one update of one service.
func (s *fleetSite) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateService") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if s.refuses(body) {
			return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(
				`{"__type":"AccessDeniedException","message":"not authorized to perform: ecs:UpdateService"}`))}, nil
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.Sandbox.Transport().RoundTrip(r)
}

// atSeveral runs a test on three services, to which the releases were made that are named.
func atSeveral(t *testing.T, test func(t *testing.T, s *fleetSite), releases ...string) {
	t.Helper()
	sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
		file := filepath.Join(t.TempDir(), "connect2.yaml")
		if err := os.WriteFile(file, []byte(severalFile), 0o600); err != nil {
			t.Fatal(err)
		}
		f := &fleetSite{Site: s, file: project.Selection{File: file, FileEnvironment: "dev"}}
		for _, tag := range releases {
			f.release(tag, "")
		}
		s.Fresh()
		s.Sandbox.ResetJournal()
		test(t, f)
	})
}

// release has an image deployed to all services as a release of several does, or to one alone, and waits until it stands.
func (s *fleetSite) release(tag, alone string) {
	s.T.Helper()
	digest := s.Push(tag, "")
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		for _, name := range []string{service, worker, mail} {
			if alone != "" && alone != name {
				continue
			}
			text, err := json.Marshal(c.Service(name).Spec.Definition.Document)
			if err != nil {
				s.T.Fatal(err)
			}
			definition, err := e.RegisterTaskDefinition(imageDigest.ReplaceAll(text, []byte("@"+digest)), "somebody")
			if err != nil {
				s.T.Fatal(err)
			}
			if alone == "" {
				definition.Tags = []engine.Tag{{Key: fleet.ReleaseTag, Value: "of-" + tag}}
			}
			if err := e.UpdateService(c.Service(name), engine.ServiceChange{TaskDefinition: definition.ARN}); err != nil {
				s.T.Fatal(err)
			}
		}
	})
	time.Sleep(10 * time.Minute)
}

var imageDigest = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

func (s *fleetSite) back(ctx context.Context, change func(*ecsrollback.Inputs)) (ecsrollback.Outputs, error) {
	s.Fresh()
	s.Env.Transport = s
	in := ecsrollback.Inputs{Selection: s.file, Cluster: cluster, To: "previous", Timeout: 30 * time.Minute}
	if change != nil {
		change(&in)
	}
	return ecsrollback.Run(ctx, s.Env, in)
}

// at returns the number of the revision that each service is at.
func (s *fleetSite) at() string {
	var all []string
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		for _, name := range []string{service, worker, mail} {
			_, number, _ := strings.Cut(arn.Revision(c.Service(name).Deployments[0].Revision.Spec.Definition.ARN), ":")
			all = append(all, number)
		}
	})
	return strings.Join(all, " ")
}

func outcomes(out ecsrollback.Outputs) string {
	var all []struct{ Name, Outcome string }
	_ = json.Unmarshal(out.Services, &all)
	var words []string
	for _, one := range all {
		words = append(words, one.Name+" "+one.Outcome)
	}
	return strings.Join(words, ", ")
}

// step is one rollback of several services, and what comes of it.
type step struct {
	name     string
	change   func(*ecsrollback.Inputs)
	refused  string
	outcome  action.Outcome
	services string
	at       string
	tells    []string
}

func (s *fleetSite) steps(steps ...step) {
	s.T.Helper()
	for _, step := range steps {
		s.refuse(step.refused)
		out, err := s.back(s.T.Context(), step.change)
		if err != nil && action.OutcomeOf(err) != step.outcome || err == nil && out.Outcome != step.outcome {
			s.T.Errorf("%s: outcome %s, error %v", step.name, out.Outcome, err)
		}
		if outcomes(out) != step.services || s.at() != step.at {
			s.T.Errorf("%s: %s; at %s", step.name, outcomes(out), s.at())
		}
		told := s.Log.Text()
		if err != nil {
			v := action.VerdictOf("ecs-rollback", action.OutcomeOf(err), err)
			told += v.Message + v.Advice
		}
		for _, want := range step.tells {
			if !strings.Contains(told, want) {
				s.T.Errorf("%s: no %q in %s", step.name, want, told)
			}
		}
	}
}

func to(version string) func(*ecsrollback.Inputs) {
	return func(in *ecsrollback.Inputs) { in.To = version }
}

func named(schedules ...string) func(*ecsrollback.Inputs) {
	return func(in *ecsrollback.Inputs) { in.Schedules = schedules }
}

// TestSeveralGoBack tells what becomes of three services that a release has changed: checked before the first is changed, each with the
// schedules that run its family, and the same rollback run again takes up what is left.
func TestSeveralGoBack(t *testing.T) {
	atSeveral(t, func(t *testing.T, s *fleetSite) {
		s.PutRule("digest", family+":3")
		s.PutRule("sweep", worker+":3")
		s.Sandbox.ResetJournal()
		s.steps(
			step{"to a number", to("2"), "", action.Invalid, "", "3 3 3", []string{"to: 2 names a version of one service"}},
			step{"a schedule that is not there", named("rule:digest", "rule:none"), "", action.Invalid, "", "3 3 3", []string{"rule:none"}},
			step{"only said", func(in *ecsrollback.Inputs) { in.DryRun = true }, "", action.Succeeded,
				"api succeeded, worker succeeded, mail succeeded", "3 3 3", []string{"worker would be on " + worker + ":2"}})
		if got := s.Mutations(); len(got) > 0 {
			t.Errorf("changed by %v", got)
		}
		s.steps(step{"the api is denied", named("rule:digest", "rule:sweep"), service, action.Stuck,
			"api failed, worker succeeded, mail succeeded", "3 2 2", []string{"api is on " + family + ":3",
				"worker is back on " + worker + ":2", "What to run next: the same rollback again"}})
		if s.RuleRuns("digest") != family+":3" || s.RuleRuns("sweep") != worker+":2" {
			t.Errorf("digest %s, sweep %s", s.RuleRuns("digest"), s.RuleRuns("sweep"))
		}
		s.steps(step{"again", named("rule:digest", "rule:sweep"), "", action.Succeeded,
			"api succeeded, worker no-change, mail no-change", "2 2 2", nil})
		if s.RuleRuns("digest") != family+":2" || s.RuleRuns("sweep") != worker+":2" {
			t.Errorf("digest %s, sweep %s", s.RuleRuns("digest"), s.RuleRuns("sweep"))
		}
	}, "v2", "v3")
}

// TestSeveralShareADigest: the outputs name the digest that all which went back have in common, and none where they differ.
func TestSeveralShareADigest(t *testing.T) {
	runs := func(s *fleetSite) (digest string) {
		s.Sandbox.Inspect(func(e *engine.Engine) {
			if c, err := e.Cluster(cluster); err == nil {
				image := c.Service(service).Deployments[0].Revision.Spec.Definition.Definition.Containers[0].Image
				_, digest, _ = strings.Cut(image, "@")
			}
		})
		return digest
	}
	atSeveral(t, func(t *testing.T, s *fleetSite) {
		out, err := s.back(t.Context(), nil)
		if err != nil || out.Digest == "" || out.Digest != runs(s) {
			t.Errorf("%+v, %v, want the digest %s", out, err, runs(s))
		}
	}, "v2", "v3")
	atSeveral(t, func(t *testing.T, s *fleetSite) {
		s.release("v3", worker)
		s.release("v4", "")
		out, err := s.back(t.Context(), nil)
		if err != nil || out.Digest != "" || s.at() != "2 3 2" {
			t.Errorf("%+v, %v, at %s: want no digest", out, err, s.at())
		}
	}, "v2")
}

// TestSeveralGoBackInReverse holds that what is deployed after another service goes back before it, that the other one is not begun where
// that fails, and that the same rollback run again takes up what is left, also long after.
func TestSeveralGoBackInReverse(t *testing.T) {
	atSeveral(t, func(t *testing.T, s *fleetSite) {
		s.steps(step{"the worker is denied", nil, worker, action.Stuck, "api cancelled, worker failed, mail succeeded", "3 3 2",
			[]string{"api was not begun, and is on " + family + ":3", "worker is on " + worker + ":3", "mail is back on " + mail + ":2"}})
		time.Sleep(3 * time.Hour)
		s.Sandbox.ResetJournal()
		s.steps(step{"again", nil, "", action.Succeeded, "api succeeded, worker succeeded, mail no-change", "2 2 2",
			[]string{"mail stays on " + mail + ":2: the newest release has not changed it"}})
		var updated []string
		for _, entry := range s.Sandbox.Journal() {
			if entry.Name() == "ecs:UpdateService" {
				updated = append(updated, arn.Last(entry.Resources[0]))
			}
		}
		if !slices.Equal(updated, []string{worker, service}) {
			t.Errorf("updated %v", updated)
		}
	}, "v2", "v3")
}

// TestWhatTheNewestReleaseChanged holds that a service which the newest release has not changed stays, unless it is said where to go.
func TestWhatTheNewestReleaseChanged(t *testing.T) {
	atSeveral(t, func(_ *testing.T, s *fleetSite) {
		s.release("v4", worker)
		s.steps(
			step{"a tag that two have not", to("v4"), "", action.Invalid, "", "3 4 3", []string{"api, mail: to: "}},
			step{"previous", nil, "", action.Succeeded, "api no-change, worker succeeded, mail no-change", "3 3 3",
				[]string{"api stays on " + family + ":3: the newest release has not changed it"}},
			step{"to a tag", to("v2"), "", action.Succeeded, "api succeeded, worker succeeded, mail succeeded", "2 2 2", nil})
	}, "v2", "v3")
}
