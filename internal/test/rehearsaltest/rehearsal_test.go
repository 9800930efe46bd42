// Package rehearsaltest releases into each environment before it has tasks, by the names that Terraform gives out and no others.
//
// testdata/ENV.json are the outputs of an applied environment, as `OUTPUTS=FOLDER terraform/test/apply moto` keeps them.
package rehearsaltest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

func TestFromTheOutputsOfAnEnvironmentToARollback(t *testing.T) {
	for _, environment := range environments(t) {
		t.Run(environment, func(t *testing.T) {
			var scenario sandbox.Scenario
			if err := scenario.LoadOutputs(fixture(environment)); err != nil {
				t.Fatal(err)
			}
			if !scenario.Service.Unreleased {
				t.Fatal("the fixture's service has been released already")
			}
			tasks := *scenario.Service.DesiredCount
			r := &rehearsal{vars: variables(t, environment)}
			sandboxtest.RunScenario(t, &scenario, func(t *testing.T, s *sandboxtest.Site) {
				r.Site = s
				if template, running := r.primary(); running != 0 || !strings.HasSuffix(template, "-template:1") {
					t.Fatalf("the service is born with %d tasks of %s", running, template)
				}
				first := r.release("v1")
				if name, running := r.primary(); running != tasks || !strings.HasSuffix(first.TaskDefinitionARN, "/"+name) {
					t.Errorf("after the first release %d tasks run %s, not %d %s", running, name, tasks, first.TaskDefinitionARN)
				}
				r.noneFailed()
				second := r.release("v2")
				if name, running := r.primary(); running != tasks || !strings.HasSuffix(second.TaskDefinitionARN, "/"+name) ||
					second.Digest == first.Digest {
					t.Errorf("after the second release %d tasks run %s, not %d %s", running, name, tasks, second.TaskDefinitionARN)
				}
				back := r.rollBack()
				if name, running := r.primary(); running != tasks || back.Digest != first.Digest ||
					!strings.HasSuffix(back.TaskDefinitionARN, "/"+name) {
					t.Errorf("after the rollback %d tasks run %s with %s, not %d with %s", running, name, back.Digest, tasks, first.Digest)
				}
				r.noneFailed()
			})
		})
	}
}

// rehearsal is a sandbox with a runner whose variables are GitHub's.
type rehearsal struct {
	*sandboxtest.Site
	vars map[string]string
}

// variable is a GitHub variable, as a workflow reads it.
func (r *rehearsal) variable(name string) string {
	r.T.Helper()
	if r.vars[name] == "" {
		r.T.Fatalf("the table of docs/INFRASTRUCTURE.md and the outputs give no %s", name)
	}
	return r.vars[name]
}

// as gives a job: a runner of its own, and the inputs by which it takes one of the environment's roles.
func (r *rehearsal) as(role string) (*action.Env, awsconn.Inputs) {
	r.T.Helper()
	r.Fresh()
	return r.Env, awsconn.Inputs{RoleToAssume: r.variable(role)}
}

// release pushes a new image, migrates with it and deploys it.
func (r *rehearsal) release(version string) ecsdeploy.Outputs {
	r.T.Helper()
	env, by := r.as("AWS_PUSH_ROLE_ENV")
	pushed, err := ecrpush.Run(r.T.Context(), env, ecrpush.Inputs{
		Inputs: by, Source: r.image(version), Repository: r.variable("ECR_REPOSITORY_ENV"), Tags: []string{version}, IfAbsent: "fail",
	})
	r.must("push", pushed.Outcome, err)

	env, by = r.as("AWS_DEPLOY_ROLE")
	migrated, err := migrate.Run(r.T.Context(), env, migrate.Inputs{
		Inputs: by, Cluster: r.variable("ECS_CLUSTER"), Service: r.variable("ECS_SERVICE"), Container: r.variable("ECS_CONTAINER"),
		Image: pushed.Digest, Command: "alembic upgrade head", Timeout: 15 * time.Minute,
	})
	r.must("migration", migrated.Outcome, err)

	env, by = r.as("AWS_DEPLOY_ROLE")
	deployed, err := ecsdeploy.Run(r.T.Context(), env, ecsdeploy.Inputs{
		Inputs: by, Cluster: r.variable("ECS_CLUSTER"), Service: r.variable("ECS_SERVICE"), Container: r.variable("ECS_CONTAINER"),
		Image: pushed.Digest, Wait: true, Timeout: 30 * time.Minute,
	})
	r.must("deployment", deployed.Outcome, err)
	return deployed
}

func (r *rehearsal) rollBack() ecsrollback.Outputs {
	r.T.Helper()
	env, by := r.as("AWS_DEPLOY_ROLE")
	out, err := ecsrollback.Run(r.T.Context(), env, ecsrollback.Inputs{
		Inputs: by, Cluster: r.variable("ECS_CLUSTER"), Service: r.variable("ECS_SERVICE"), To: "previous", Reason: "rehearsal",
		Timeout: 30 * time.Minute,
	})
	r.must("rollback", out.Outcome, err)
	return out
}

func (r *rehearsal) must(what string, outcome action.Outcome, err error) {
	r.T.Helper()
	if err != nil || outcome == action.NoChange { // a success has no word of its own before its outputs are written
		r.T.Fatalf("%s: %s: %v", what, outcome, err)
	}
}

// image writes an image as an OCI layout and returns its folder.
func (r *rehearsal) image(version string) string {
	r.T.Helper()
	img, err := sandbox.NewImage(version, nil)
	if err != nil {
		r.T.Fatal(err)
	}
	folder := r.T.TempDir()
	if _, err := layout.Write(folder, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img})); err != nil {
		r.T.Fatal(err)
	}
	return folder
}

// service looks at the service behind the API's back.
func (r *rehearsal) service(look func(*engine.Cluster, *engine.Service)) {
	r.T.Helper()
	r.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(r.variable("ECS_CLUSTER"))
		if err != nil {
			r.T.Error(err)
			return
		}
		look(c, c.Service(r.variable("ECS_SERVICE")))
	})
}

// primary returns the revision that the service is at, as FAMILY:REVISION, and the number of its running tasks.
func (r *rehearsal) primary() (name string, running int) {
	r.T.Helper()
	r.service(func(_ *engine.Cluster, s *engine.Service) {
		definition := s.Deployments[0].Revision.Spec.Definition.ARN
		name, running = arn.Last(definition), s.Counts().Running
	})
	return name, running
}

// noneFailed checks that no task of the service ended but by a deployment that replaced it, and no migration but by itself.
func (r *rehearsal) noneFailed() {
	r.T.Helper()
	r.service(func(c *engine.Cluster, _ *engine.Service) {
		for _, task := range c.Tasks {
			expected := "ServiceSchedulerInitiated"
			if task.Service == nil {
				expected = "EssentialContainerExited"
			}
			if task.StopCode != "" && task.StopCode != expected {
				r.T.Errorf("a task of %s failed: %s %s", task.Definition.ARN, task.StopCode, task.StoppedReason)
			}
		}
	})
}

// environments are those that have a fixture.
func environments(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(fixture("*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no fixtures: %v", err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	return files
}

func fixture(environment string) string { return filepath.Join("testdata", environment+".json") }

// outputs reads an environment's outputs.
func outputs(t *testing.T, environment string) map[string]any {
	t.Helper()
	var wrapped map[string]struct{ Value any }
	if err := json.Unmarshal([]byte(read(t, fixture(environment))), &wrapped); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for name, w := range wrapped {
		values[name] = w.Value
	}
	return values
}

// variables are the GitHub variables of an environment: its outputs by the table of docs/INFRASTRUCTURE.md.
func variables(t *testing.T, environment string) map[string]string {
	t.Helper()
	values, vars := outputs(t, environment), map[string]string{}
	for output, variable := range table(t) {
		vars[variable], _ = values[output].(string)
	}
	return vars
}

// table is the table of docs/INFRASTRUCTURE.md: output to variable.
func table(t *testing.T) map[string]string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../../docs/INFRASTRUCTURE.md"), "\n| output | variable |\n|---|---|\n")
	if !found {
		t.Fatal("docs/INFRASTRUCTURE.md has no table of outputs and variables")
	}
	lines, _, _ := strings.Cut(rest, "\n\n")
	row := regexp.MustCompile("^\\| `([a-z_]+)` \\| `([A-Z_]+)`.* \\|$")
	rows := map[string]string{}
	for line := range strings.Lines(lines) {
		cells := row.FindStringSubmatch(strings.TrimSpace(line))
		if cells == nil {
			t.Fatalf("docs/INFRASTRUCTURE.md: no row of output and variable: %s", line)
		}
		rows[cells[1]] = cells[2]
	}
	return rows
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// declared are the outputs of an outputs.tf, each with whether it says when it is null.
func declared(t *testing.T, path string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^output "(\w+)" \{\n  description = "(.*)"$`).FindAllStringSubmatch(read(t, path), -1) {
		names[found[1]] = strings.Contains(found[2], "null without")
	}
	if count := strings.Count(read(t, path), "\noutput "); len(names) != count {
		t.Fatalf("%s: %d of %d outputs begin with a description", path, len(names), count)
	}
	return names
}

// TestTheFixturesHaveTheOutputsOfAnEnvironment: all that are declared and no others. Terraform leaves out the ones that are null.
func TestTheFixturesHaveTheOutputsOfAnEnvironment(t *testing.T) {
	want := declared(t, "../../../terraform/modules/environment/outputs.tf")
	for _, environment := range environments(t) {
		if got := declared(t, "../../../terraform/environments/"+environment+"/outputs.tf"); !maps.Equal(got, want) {
			t.Errorf("%s declares the outputs\n%v, the module\n%v", environment, got, want)
		}
		got := outputs(t, environment)
		for name, nullable := range want {
			if _, ok := got[name]; !ok && !nullable {
				t.Errorf("testdata/%s.json lacks %s: apply again and keep the outputs", environment, name)
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("testdata/%s.json has %s, which is not declared", environment, name)
			}
		}
	}
}

func TestTheDocumentedVariablesAreOutputs(t *testing.T) {
	rows := table(t)
	if len(rows) < 2 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	names := declared(t, "../../../terraform/modules/environment/outputs.tf")
	for output, variable := range rows {
		if _, ok := names[output]; !ok {
			t.Errorf("%s comes from %s, which is not an output", variable, output)
		}
		for _, environment := range environments(t) {
			if value, _ := outputs(t, environment)[output].(string); value == "" {
				t.Errorf("%s: %s comes from %s, which is no text there", environment, variable, output)
			}
		}
	}
}
