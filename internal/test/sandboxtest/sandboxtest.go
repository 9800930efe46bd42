// Package sandboxtest puts an action in front of a sandbox, for the tests of actions: one world, one runner, one clock.
package sandboxtest

import (
	"os"
	"runtime/debug"
	"testing"
	"testing/synctest"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// Names that the sandbox begins with.
const (
	Cluster    = "connect2-api-cluster-dev"
	Service    = "connect2-api-service-dev"
	Family     = "connect2-api-dev"
	Repository = "connect2-api-dev"
	Container  = "connect2-api"
)

// Site is a sandbox with a runner in front of it.
type Site struct {
	T       *testing.T
	Sandbox *sandbox.Sandbox
	Env     *action.Env
	Log     *actiontest.Recorder
}

// Run runs a test in a bubble where the sandbox, which begins with the scenario (YAML; may be empty), and the action share one
// clock.
func Run(t *testing.T, scenario string, test func(*testing.T, *Site)) {
	t.Helper()
	parsed, err := sandbox.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	RunScenario(t, parsed, test)
}

// RunScenario is Run with a scenario that was read already.
func RunScenario(t *testing.T, scenario *sandbox.Scenario, test func(*testing.T, *Site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &Site{T: t, Sandbox: sandbox.New(sandbox.Options{Scenario: scenario})}
		s.Fresh()
		test(t, s)
	})
}

// Fresh gives the site a new runner, which has told nothing yet.
func (s *Site) Fresh() { s.Env, s.Log = s.Runner() }

// Runner returns one more runner in front of the same sandbox.
func (s *Site) Runner() (*action.Env, *actiontest.Recorder) {
	env, log := actiontest.NewTestEnv(s.T, s.Sandbox.Environ())
	env.Transport = s.Sandbox.Transport()
	return env, log
}

// Push puts an image with a behaviour (YAML; empty is healthy) into the service's repository and returns its digest.
func (s *Site) Push(tag, behaviour string) string {
	s.T.Helper()
	var b *engine.Behaviour
	if behaviour != "" {
		parsed, err := engine.ParseBehaviour([]byte(behaviour))
		if err != nil {
			s.T.Fatal(err)
		}
		b = &parsed
	}
	img, err := sandbox.NewImage(tag, b)
	if err != nil {
		s.T.Fatal(err)
	}
	digest, err := s.Sandbox.Push(Repository, tag, img)
	if err != nil {
		s.T.Fatal(err)
	}
	return digest
}

// Primary returns the revision that the service is at, as FAMILY:REVISION, and the number of its running tasks.
func (s *Site) Primary() (name string, running int) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(Cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		service := c.Service(Service)
		running = service.Counts().Running
		definition := service.Deployments[0].Revision.Spec.Definition.ARN
		name = arn.Last(definition)
	})
	return name, running
}

// Mutations lists the calls so far that may have changed something and were not refused, as service:Action.
func (s *Site) Mutations() []string {
	var names []string
	for _, entry := range s.Sandbox.Journal() {
		if entry.Mutating && entry.OK() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// Calls counts the calls so far of this service:Action.
func (s *Site) Calls(name string) (n int) {
	for _, entry := range s.Sandbox.Journal() {
		if entry.Name() == name {
			n++
		}
	}
	return n
}

// A sandbox and an action answer each other in a few milliseconds and leave megabytes behind: unless the environment says how often to
// collect them, that is done less often than by default.
func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
