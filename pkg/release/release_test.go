package release_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// at runs a test in front of a sandbox of its own.
func at(t *testing.T, test func(s *site)) {
	t.Helper()
	sandboxtest.Run(t, "", func(_ *testing.T, s *sandboxtest.Site) { test(&site{s}) })
}

// site is a sandbox with a runner in front of it.
type site struct{ *sandboxtest.Site }

// image writes an OCI layout of an image with a behaviour (YAML) and returns its folder.
func (s *site) image(version, behaviour string) string {
	s.T.Helper()
	var parsed *engine.Behaviour
	if behaviour != "" {
		b, err := engine.ParseBehaviour([]byte(behaviour))
		if err != nil {
			s.T.Fatal(err)
		}
		parsed = &b
	}
	img, err := sandbox.NewImage(version, parsed)
	if err != nil {
		s.T.Fatal(err)
	}
	folder := s.T.TempDir()
	if _, err := layout.Write(folder, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})); err != nil {
		s.T.Fatal(err)
	}
	return folder
}

func inputs(source string) release.Inputs {
	return release.Inputs{
		Cluster: "connect2-api-cluster-dev", Service: "connect2-api-service-dev",
		Source: source, Repository: "connect2-api-dev", Push: ecrpush.Inputs{Tags: []string{"v2"}},
		Migrate: true, Migration: migrate.Inputs{Command: "alembic upgrade head", Timeout: 15 * time.Minute},
		Deploy: ecsdeploy.Inputs{Wait: true, Timeout: 30 * time.Minute},
	}
}

// calls lists the calls that changed something, by name, without repeats.
func (s *site) calls() []string {
	var names []string
	for _, entry := range s.Sandbox.Journal() {
		if entry.Mutating && entry.OK() && !slices.Contains(names, entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// before reports whether the first call is in the journal before the second.
func (s *site) before(first, second string) bool {
	calls := s.calls()
	i, j := slices.Index(calls, first), slices.Index(calls, second)
	return i >= 0 && j >= 0 && i < j
}

func TestRelease(t *testing.T) {
	at(t, func(s *site) {
		out, err := release.Run(s.T.Context(), s.Env, inputs(s.image("v2", "")))
		if err != nil {
			t.Fatal(err)
		}
		if out.Outcome != action.Succeeded || out.ExitCode == nil || *out.ExitCode != 0 || !out.Changed {
			t.Errorf("outputs %+v", out)
		}
		if !strings.HasSuffix(out.Image, "@"+out.Digest) || out.TaskDefinitionARN == out.PreviousTaskDefinitionARN {
			t.Errorf("outputs %+v", out)
		}
		if !s.before("ecr:PutImage", "ecs:RunTask") || !s.before("ecs:RunTask", "ecs:UpdateService") {
			t.Errorf("the parts ran in another order: %v", s.calls())
		}
	})
}

func TestReleaseAgainChangesNothing(t *testing.T) {
	at(t, func(s *site) {
		in := inputs(s.image("v2", ""))
		in.Migrate = false
		if _, err := release.Run(s.T.Context(), s.Env, in); err != nil {
			t.Fatal(err)
		}
		s.Sandbox.ResetJournal()
		out, err := release.Run(s.T.Context(), s.Env, in)
		if err != nil || out.Outcome != action.NoChange || out.Changed {
			t.Errorf("outputs %+v, error %v", out, err)
		}
		if calls := s.calls(); slices.Contains(calls, "ecs:UpdateService") || slices.Contains(calls, "ecr:PutImage") {
			t.Errorf("calls that changed something: %v", calls)
		}
	})
}

func TestAFailedMigrationStopsTheRelease(t *testing.T) {
	at(t, func(s *site) {
		folder := s.image("v2", `{start: healthy, run: {"*": {after: 4s, exitCode: 3, logs: ["relation contacts exists"]}}}`)
		out, err := release.Run(s.T.Context(), s.Env, inputs(folder))
		if action.OutcomeOf(err) != action.Failed || out.ExitCode == nil || *out.ExitCode != 3 {
			t.Errorf("outputs %+v, error %v", out, err)
		}
		if slices.Contains(s.calls(), "ecs:UpdateService") {
			t.Error("the service was updated after a migration that failed")
		}
	})
}

// Spot takes the migration's task back, and its process exits with 0 on SIGTERM: that is not a migration to deploy after.
func TestAStoppedMigrationStopsTheRelease(t *testing.T) {
	at(t, func(s *site) {
		folder := s.image("v2", `{start: healthy, run: {"*": {after: 10m}}}`)
		defer time.AfterFunc(3*time.Minute, func() {
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, err := e.Cluster("connect2-api-cluster-dev")
				if err != nil {
					t.Error(err)
					return
				}
				for _, task := range c.Tasks {
					if task.Service == nil {
						e.InterruptSpot(task)
					}
				}
			})
		}).Stop()
		out, err := release.Run(s.T.Context(), s.Env, inputs(folder))
		if action.OutcomeOf(err) != action.Failed || out.ExitCode == nil || *out.ExitCode != 0 || out.Cause != "spot-interrupted" {
			t.Errorf("outputs %+v, error %v", out, err)
		}
		if slices.Contains(s.calls(), "ecs:UpdateService") {
			t.Error("the service was updated after a migration that had not come to its own end")
		}
	})
}

func TestAFailedDeploymentNamesTheSchemaAndTheCode(t *testing.T) {
	at(t, func(s *site) {
		out, err := release.Run(s.T.Context(), s.Env, inputs(s.image("v2",
			`{start: crash, after: 2s, exitCode: 1, logs: ["boom"], run: {"*": {after: 2s}}}`)))
		if action.OutcomeOf(err) != action.RolledBack {
			t.Fatalf("outcome %s, error %v", action.OutcomeOf(err), err)
		}
		if out.Cause == "" {
			t.Error("no cause is told")
		}
		for _, want := range []string{"has the schema of " + out.Image, "serving on it is the code of connect2-api-dev:1"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
	})
}

func TestEveryPartIsCheckedBeforeAnythingIsChanged(t *testing.T) {
	tests := map[string]struct {
		change func(*site, *release.Inputs)
		want   []string
	}{
		"no such folder and no such service": {
			func(_ *site, in *release.Inputs) {
				in.Source, in.Service = "/nowhere/at/all", "connect2-api-service-de"
			},
			[]string{"/nowhere/at/all", "connect2-api-service-de"},
		},
		"no such repository and no such container": {
			func(_ *site, in *release.Inputs) { in.Repository, in.Container = "conect2", "web" },
			[]string{"conect2", "web"},
		},
		"a task definition with a wrong type and a misspelt field": {
			func(_ *site, in *release.Inputs) {
				in.Deploy.TaskDefinition = filepath.Join(t.TempDir(), "task.json")
				document := `{"cpu":256,"memory":"512","networkMode":"awsvpc","containerDefinitions":[{"name":"connect2-api","image":"a",` +
					`"enviroment":[],"portMappings":[{"containerPort":8000}]}]}`
				if err := os.WriteFile(in.Deploy.TaskDefinition, []byte(document), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"cpu is a number: it must be a string", "did you mean environment?"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at(t, func(s *site) {
				in := inputs(s.image("v2", ""))
				tt.change(s, &in)
				s.Sandbox.ResetJournal()
				_, err := release.Run(s.T.Context(), s.Env, in)
				if action.OutcomeOf(err) != action.Invalid {
					t.Fatalf("outcome %s, error %v", action.OutcomeOf(err), err)
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error does not name %q: %v", want, err)
					}
				}
				if calls := s.calls(); len(calls) > 0 {
					t.Errorf("calls that changed something: %v", calls)
				}
			})
		})
	}
}

// TestDeniedAfterAChange holds that "invalid", which says that nothing was changed, is not an outcome of a release that has pushed or
// migrated before a part of it was denied.
func TestDeniedAfterAChange(t *testing.T) {
	for denied, migrating := range map[string]bool{"ecs:RegisterTaskDefinition": false, "ecs:RunTask": true, "ecs:UpdateService": true} {
		t.Run(denied, func(t *testing.T) {
			at(t, func(s *site) {
				in := inputs(s.image("v2", ""))
				in.Migrate = migrating
				if err := s.Sandbox.Inject(sandbox.Fault{Action: denied, Answer: sandbox.Deny}); err != nil {
					t.Fatal(err)
				}
				out, err := release.Run(s.T.Context(), s.Env, in)
				if action.OutcomeOf(err) != action.Failed || !out.Changed || !strings.Contains(err.Error(), denied) {
					t.Errorf("outcome %s, changed %v, error %v", action.OutcomeOf(err), out.Changed, err)
				}
			})
		})
	}
}

func TestARehearsalChangesNothing(t *testing.T) {
	at(t, func(s *site) {
		in := inputs(s.image("v2", ""))
		in.DryRun = true
		out, err := release.Run(s.T.Context(), s.Env, in)
		if err != nil || out.Outcome != action.Succeeded || out.Changed {
			t.Errorf("outputs %+v, error %v", out, err)
		}
		if calls := s.calls(); len(calls) > 0 {
			t.Errorf("calls that changed something: %v", calls)
		}
	})
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*release.Inputs)
		want   string // part of a problem; empty for none
	}{
		{"a source", func(*release.Inputs) {}, ""},
		{"an image", func(in *release.Inputs) { in.Source, in.Repository, in.Push.Tags, in.Image = "", "", nil, "v1" }, ""},
		{"neither", func(in *release.Inputs) { in.Source = "" }, "neither source nor image"},
		{"both", func(in *release.Inputs) { in.Image = "v1" }, "together with source"},
		{"no repository", func(in *release.Inputs) { in.Repository = "" }, "needs a repository"},
		{"tags without a source", func(in *release.Inputs) { in.Source, in.Image = "", "v1" }, "belong to source"},
		{"a platform without a source", func(in *release.Inputs) {
			in.Source, in.Repository, in.Push, in.Image = "", "", ecrpush.Inputs{Platform: "linux/arm64"}, "v1"
		}, "belong to source"},
		{"a bad tag", func(in *release.Inputs) { in.Push.Tags = []string{"v 1"} }, "tags:"},
		{"a command for a shell", func(in *release.Inputs) { in.Migration.Command = "a && b" }, "command:"},
		{"the same without a migration", func(in *release.Inputs) { in.Migration.Command, in.Migrate = "a && b", false }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := inputs("image.tar")
			tt.change(&in)
			var lines []string
			for _, problem := range in.Validate() {
				lines = append(lines, problem.Error())
			}
			told := strings.Join(lines, "\n")
			if tt.want == "" && told != "" || !strings.Contains(told, tt.want) {
				t.Errorf("problems %q, want one with %q", told, tt.want)
			}
		})
	}
}

// TestVerifyIsTheLastCheckBeforeTheFirstChange holds that a release with verify has asked everything before it pushes, migrates or
// deploys, and that what is certainly absent keeps it from all three.
func TestVerifyIsTheLastCheckBeforeTheFirstChange(t *testing.T) {
	checks := []string{"secretsmanager:DescribeSecret", "logs:DescribeLogGroups", "ec2:DescribeSubnets", "iam:SimulatePrincipalPolicy"}
	at(t, func(s *site) {
		in := inputs(s.image("v2", ""))
		in.Deploy.Verify = "true"
		s.Sandbox.ResetJournal()
		if _, err := release.Run(s.T.Context(), s.Env, in); err != nil {
			t.Fatal(err)
		}
		last, first := map[string]int{}, -1
		for i, entry := range s.Sandbox.Journal() {
			if slices.Contains(checks, entry.Name()) {
				last[entry.Name()] = i
			}
			if entry.Mutating && first < 0 {
				first = i
			}
		}
		for _, check := range checks {
			if at, made := last[check]; !made || at > first {
				t.Errorf("%s: made %v, at %d; the first change is at %d", check, made, at, first)
			}
		}
		if calls := s.calls(); !slices.Contains(calls, "ecs:RunTask") || !slices.Contains(calls, "ecr:PutImage") {
			t.Errorf("changed by %v", calls)
		}
	})
	at(t, func(s *site) {
		in := inputs(s.image("v2", ""))
		in.Deploy.Verify = "true"
		s.Sandbox.Inspect(func(e *engine.Engine) {
			template, err := e.TaskDefinition("connect2-api-dev-template")
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(template.Document)
			if err != nil {
				t.Fatal(err)
			}
			gone := regexp.MustCompile(`rds-credentials-[A-Za-z0-9]{6}`).ReplaceAll(text, []byte("rds-credential-AbCdEf"))
			if _, err := e.RegisterTaskDefinition(gone, "terraform"); err != nil {
				t.Fatal(err)
			}
		})
		s.Sandbox.ResetJournal()
		_, err := release.Run(s.T.Context(), s.Env, in)
		if action.OutcomeOf(err) != action.Invalid || !strings.Contains(err.Error(), "rds-credential: does not exist") {
			t.Errorf("%v", err)
		}
		if calls := s.calls(); len(calls) > 0 {
			t.Errorf("changed by %v", calls)
		}
	})
}
