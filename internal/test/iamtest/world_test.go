package iamtest

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// The world's names. No two are alike, so that each can be told from the others in an ARN and give way to its placeholder.
const (
	account       = "123456789012"
	region        = "us-west-2"
	cluster       = "quartz-cluster"
	service       = "quartz-service"
	family        = "quartz-family"
	repository    = "quartz-repository"
	newRepository = "quartz-created"   // not there until a run creates it
	otherSource   = "quartz-elsewhere" // images come from it, and layers are mounted from it
	logGroup      = "/quartz/logs"
	execution     = "quartz-dev-execution"
	taskRole      = "quartz-dev-task"
	secretsFolder = "quartz/dev"
	timer         = "quartz-timer" // a rule and a schedule
	ruleRole      = "quartz-dev-rules"
	scheduleRole  = "quartz-dev-scheduler"
)

const world = `
account: "` + account + `"
region: ` + region + `
project: quartz
repository: {blobMounting: true}
`

// worldService returns the scenario of the service with these settings added.
func worldService(more string) string {
	return world + `service: {cluster: ` + cluster + `, name: ` + service + `, family: ` + family + `, repository: ` + repository +
		`, logGroup: ` + logGroup + `, container: app, healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, desiredCount: 1` + more + "}\n"
}

// scenario is one run of an action.
type scenario struct {
	name       string
	repository string        // the one that is pushed to; "": the service's own
	service    string        // settings of the service beyond the usual, as ", key: value"
	more       string        // further settings of the world
	before     func(s *site) // what happens before, by others
	cancel     time.Duration // after which the run is interrupted; 0: never
	run        func(s *site) (action.Outcome, error)
	want       action.Outcome
}

// site is a stand-in for AWS with a runner in front of it.
type site struct {
	t   *testing.T
	sb  *sandbox.Sandbox
	env *action.Env
	log *actiontest.Recorder
	ctx context.Context
}

// told is what came of a scenario.
type told struct {
	outcome  action.Outcome
	err      error
	warnings []string
	journal  []wire.Entry
}

// play runs the scenario with a policy; "" allows everything.
func (st scenario) play(t *testing.T, document string) (r told) {
	t.Helper()
	var enforced *sandbox.Policy
	if document != "" {
		parsed, err := policy.Parse([]byte(document))
		if err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		enforced = &sandbox.Policy{Policy: parsed}
	}
	synctest.Test(t, func(t *testing.T) {
		service, err := sandbox.ParseScenario([]byte(worldService(st.service) + st.more))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		s := &site{t: t, sb: sandbox.New(sandbox.Options{Scenario: service}), ctx: ctx}
		s.fresh()
		if st.before != nil {
			st.before(s)
		}
		s.fresh()
		s.sb.ResetJournal()
		if err := s.sb.SetPolicy("operator", enforced); err != nil {
			t.Fatal(err)
		}
		if st.cancel > 0 {
			defer time.AfterFunc(st.cancel, func() { cancel(action.ErrInterrupted) }).Stop()
		}
		r.outcome, r.err = st.run(s)
		if r.err != nil {
			r.outcome = action.OutcomeOf(r.err)
		}
		r.warnings, r.journal = s.log.Warnings(), s.sb.Journal()
	})
	return r
}

// changed lists the calls that changed something.
func (r told) changed() (names []string) {
	for _, entry := range r.journal {
		if entry.Mutating && entry.OK() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// fresh gives the site a new runner.
func (s *site) fresh() {
	s.env, s.log = actiontest.NewTestEnv(s.t, s.sb.Environ())
	s.env.Transport = s.sb.Transport()
}

// must ends the test where what had to work did not.
func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// put puts an image with a behaviour (YAML; empty is healthy) into a repository, past its API.
func (s *site) put(repository, tag, behaviour string) (digest string) {
	s.t.Helper()
	img, err := sandbox.NewImage(tag, s.behaviour(behaviour))
	s.must(err)
	digest, err = s.sb.Push(repository, tag, img)
	s.must(err)
	return digest
}

func (s *site) behaviour(text string) *engine.Behaviour {
	if text == "" {
		return nil
	}
	b, err := engine.ParseBehaviour([]byte(text))
	s.must(err)
	return &b
}

// layout writes an image with a behaviour as an OCI layout.
func (s *site) layout(version, behaviour string) (folder string) {
	s.t.Helper()
	img, err := sandbox.NewImage(version, s.behaviour(behaviour))
	s.must(err)
	folder = s.t.TempDir()
	_, err = layout.Write(folder, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img}))
	s.must(err)
	return folder
}

// saved writes an image as docker save does, its layers not compressed.
func (s *site) saved(img imagetest.Image) (name string) {
	s.t.Helper()
	name = filepath.Join(s.t.TempDir(), "image.tar")
	s.must(imagetest.TarFile(name, imagetest.Saved(img)))
	return name
}

// engine does something with the ECS engine, as somebody else would.
func (s *site) engine(do func(*engine.Engine, *engine.Service) error) {
	s.t.Helper()
	s.sb.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(cluster)
		s.must(err)
		s.must(do(e, c.Service(service)))
	})
}

// deployed updates the service to a revision that is there, and waits for nothing.
func (s *site) deployed(revision string) {
	s.t.Helper()
	s.engine(func(e *engine.Engine, svc *engine.Service) error {
		td, err := e.TaskDefinition(revision)
		s.must(err)
		return e.UpdateService(svc, engine.ServiceChange{TaskDefinition: td.ARN})
	})
}

// document returns a registered task definition.
func (s *site) document(name string) (text []byte) {
	s.t.Helper()
	s.engine(func(e *engine.Engine, _ *engine.Service) error {
		td, err := e.TaskDefinition(name)
		s.must(err)
		text, err = json.Marshal(td.Document)
		return err
	})
	return text
}

// allowed lists what the policy had to allow, without repeats.
func (r told) allowed() (all []wire.Authorization) {
	for _, entry := range r.journal {
		for _, a := range entry.Authorizations {
			same := func(b wire.Authorization) bool { return a.Action == b.Action && a.Resource == b.Resource }
			if !slices.ContainsFunc(all, same) {
				all = append(all, a)
			}
		}
	}
	return all
}
