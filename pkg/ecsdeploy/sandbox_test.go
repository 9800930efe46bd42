package ecsdeploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

const (
	cluster   = sandboxtest.Cluster
	service   = sandboxtest.Service
	family    = sandboxtest.Family
	container = sandboxtest.Container
)

// site is a sandbox with a runner in front of it.
type site struct{ *sandboxtest.Site }

// at runs a test in a bubble where the sandbox and the action share one clock.
func at(t *testing.T, scenario string, test func(t *testing.T, s *site)) {
	t.Helper()
	sandboxtest.Run(t, scenario, func(t *testing.T, s *sandboxtest.Site) { test(t, &site{s}) })
}

func inputs(image string) ecsdeploy.Inputs {
	return ecsdeploy.Inputs{Cluster: cluster, Service: service, Image: image, Wait: true, Timeout: 30 * time.Minute}
}

func (s *site) deploy(in ecsdeploy.Inputs) (ecsdeploy.Outputs, error) {
	out, err := ecsdeploy.Run(s.T.Context(), s.Env, in)
	s.Log.End(out.Outcome, err)
	return out, err
}

// mustDeploy deploys what has to succeed.
func (s *site) mustDeploy(image string) ecsdeploy.Outputs {
	s.T.Helper()
	out, err := s.deploy(inputs(image))
	if err != nil {
		s.T.Fatalf("deploying %s: %v", image, err)
	}
	return out
}

func wantOutcome(t *testing.T, got ecsdeploy.Outputs, err error, want action.Outcome) {
	t.Helper()
	outcome := got.Outcome
	if err != nil {
		outcome = action.OutcomeOf(err)
	}
	if outcome != want {
		t.Fatalf("outcome %s, want %s: %v", outcome, want, err)
	}
}

const fast = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}\n"

func TestDeploySucceeds(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		digest := s.Push("v2", "")
		out := s.mustDeploy("v2")
		wantOutcome(t, out, nil, action.Succeeded)
		if name, running := s.Primary(); name != family+":2" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
		if out.Digest != digest || !strings.HasSuffix(out.Image, "@"+digest) || !out.Changed || out.DeploymentARN == "" ||
			!strings.HasSuffix(out.TaskDefinitionARN, family+":2") || !strings.HasSuffix(out.PreviousTaskDefinitionARN, family+":1") {
			t.Errorf("outputs %+v", out)
		}
		want := []string{"ecs:RegisterTaskDefinition", "ecs:UpdateService", "ecr:PutImage"}
		if got := s.Mutations(); !slices.Equal(got, want) {
			t.Errorf("changed by %v, want %v", got, want)
		}
		summary := s.Log.Summary()
		for _, part := range []string{"✅", family + ":2", "```mermaid", digest} {
			if !strings.Contains(summary, part) {
				t.Errorf("the summary lacks %q:\n%s", part, summary)
			}
		}
	})
}

// TestBreakerRollback holds the promise that a stable service is not a success.
func TestBreakerRollback(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "{start: unhealthy}") // no certain cause: the breaker decides
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
		if out.Outcome.ExitCode() != 2 {
			t.Errorf("exit code %d", out.Outcome.ExitCode())
		}
		if !slices.Contains(s.Mutations(), "ecs:DeregisterTaskDefinition") {
			t.Errorf("the failed revision is still registered: %v", s.Mutations())
		}
	})
}

func TestCrashIsExplained(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", `{start: crash, after: 2s, exitCode: 3, logs: ["Traceback (most recent call last):", "ModuleNotFoundError: No module named 'payments'"]}`)
		begun := time.Now()
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		var failure *action.Error
		if out.Cause == "" || !errors.As(err, &failure) || failure.Finding == nil || !strings.Contains(failure.Title, "payments") {
			t.Errorf("cause %q, error %v", out.Cause, err)
		}
		if name, _ := s.Primary(); name != family+":1" {
			t.Errorf("the service is at %s", name)
		}
		if !strings.Contains(s.Log.Summary(), "payments") {
			t.Errorf("the summary does not show the log line:\n%s", s.Log.Summary())
		}
		// Two tasks fail in the same way: while it is waited for the way back the cause is told once.
		if told := slices.DeleteFunc(s.Log.Events(), func(text string) bool { return text != failure.Title }); len(told) != 1 {
			t.Errorf("the cause is told %d times while the rollout goes on", len(told))
		}
		t.Logf("explained and rolled back after %v; ended by %v", time.Since(begun).Round(time.Second), s.Mutations())
	})
}

// TestRepeatedRunFollows holds that a re-run during the same rollout is not taken for no change.
func TestRepeatedRunFollows(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		impatient := inputs("v2")
		impatient.Wait = false
		if out, err := s.deploy(impatient); err != nil || !out.Changed {
			t.Fatalf("got %+v, %v", out, err)
		}
		s.Fresh()
		out := s.mustDeploy("v2")
		if out.Outcome != action.Succeeded || out.Changed || s.Calls("ecs:UpdateService") != 1 {
			t.Errorf("outcome %s, changed %v, %d updates", out.Outcome, out.Changed, s.Calls("ecs:UpdateService"))
		}
		s.Fresh()
		if out = s.mustDeploy("v2"); out.Outcome != action.NoChange || out.Changed {
			t.Errorf("a third run: outcome %s", out.Outcome)
		}
		if got := s.Calls("ecs:RegisterTaskDefinition"); got != 1 {
			t.Errorf("registered %d times", got)
		}
	})
}

func TestNoTasksIsNotVerified(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Sandbox.Inspect(func(e *engine.Engine) {
			c, _ := e.Cluster(cluster)
			zero := 0
			if err := e.UpdateService(c.Service(service), engine.ServiceChange{DesiredCount: &zero}); err != nil {
				t.Fatal(err)
			}
		})
		time.Sleep(5 * time.Minute)
		s.Push("v2", "")
		s.mustDeploy("v2")
		if warnings := strings.Join(s.Log.Warnings(), "\n"); !strings.Contains(warnings, "not verified") {
			t.Errorf("warnings: %s", warnings)
		}
	})
}

func TestSuperseded(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.Push("v3", "")
		go func() {
			time.Sleep(20 * time.Second)
			env, _ := s.Runner()
			if _, err := ecsdeploy.Run(t.Context(), env, inputs("v3")); err != nil {
				t.Errorf("the newer deployment: %v", err)
			}
		}()
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.Superseded)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		if name, _ := s.Primary(); name != family+":3" {
			t.Errorf("the service is at %s", name)
		}
	})
}

func TestInterruptRollsBack(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(25*time.Second, cancel).Stop()
		begun := time.Now()
		out, err := ecsdeploy.Run(ctx, s.Env, inputs("v2"))
		if took := time.Since(begun); took > 25*time.Second+7*time.Second {
			t.Errorf("it took %v: a runner kills before", took)
		}
		wantOutcome(t, out, err, action.Cancelled)
		if !slices.Contains(s.Mutations(), "ecs:StopServiceDeployment") {
			t.Errorf("nothing asked for a rollback: %v", s.Mutations())
		}
		time.Sleep(10 * time.Minute)
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
	})
}

func TestThrottledEveryFifthCall(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:*', answer: throttle, every: 5}]\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.mustDeploy("v2")
		if name, _ := s.Primary(); name != family+":2" {
			t.Errorf("the service is at %s", name)
		}
	})
}

// awsPolicy is the least policy that the documentation of AWS's own deploy action gives
// (https://github.com/aws-actions/amazon-ecs-deploy-task-definition, "Permissions").
const awsPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition"], "Resource": "*"},
	{"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": "*"},
	{"Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices"], "Resource": "*"}]}`

// TestAWSOwnPolicySuffices deploys a file, as AWS's action does, with no more than that action needs.
func TestAWSOwnPolicySuffices(t *testing.T) {
	for name, behaviour := range map[string]string{"good": "", "bad": "{start: unhealthy}"} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", behaviour)
				file := s.file("", "")
				allow(t, s, awsPolicy)
				in := inputs("v2")
				in.TaskDefinition = file
				out, err := s.deploy(in)
				if behaviour == "" {
					wantOutcome(t, out, err, action.Succeeded)
				} else {
					wantOutcome(t, out, err, action.RolledBack)
				}
				warnings := s.Log.Warnings()
				for i, w := range warnings {
					title, _, _ := strings.Cut(w, ": ")
					for _, other := range warnings[:i] {
						if strings.HasPrefix(other, title+": ") && strings.Contains(title, "ecs:") {
							t.Errorf("warned twice about %s", title)
						}
					}
				}
			})
		})
	}
}

// allow gives the runner this policy and no other.
func allow(t *testing.T, s *site, text string) {
	t.Helper()
	parsed, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sandbox.SetPolicy("operator", &sandbox.Policy{Policy: parsed}); err != nil {
		t.Fatal(err)
	}
}

// file writes the running revision's definition to a file, with one text replaced.
func (s *site) file(from, to string) string {
	s.T.Helper()
	var document []byte
	s.Sandbox.Inspect(func(e *engine.Engine) {
		td, err := e.TaskDefinition(family + ":1")
		if err != nil {
			s.T.Fatal(err)
		}
		document, err = json.Marshal(td.Document)
		if err != nil {
			s.T.Fatal(err)
		}
	})
	path := filepath.Join(s.T.TempDir(), "task.json")
	text := strings.Replace(string(document), from, to, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.T.Fatal(err)
	}
	return path
}

// TestUnknownFieldSurvives holds that a field which no SDK knows goes through template, rendering and registration.
func TestUnknownFieldSurvives(t *testing.T) {
	const unknown = `"connect2Unknown":{"a":[]}`
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		in := inputs("v2")
		in.TaskDefinition = s.file(`"name":"`+container+`"`, `"name":"`+container+`",`+unknown)
		if _, err := s.deploy(in); err != nil {
			t.Fatal(err)
		}
		s.Sandbox.Inspect(func(e *engine.Engine) {
			td, err := e.TaskDefinition(family)
			if err != nil {
				t.Fatal(err)
			}
			document, _ := json.Marshal(td.Document)
			if !strings.Contains(string(document), unknown) {
				t.Errorf("registered without the field: %s", document)
			}
		})
		if told := s.Log.Text(); !strings.Contains(told, "containerDefinitions[0].connect2Unknown is not a field that this version knows") ||
			strings.Contains(told, "left out by ECS") {
			t.Errorf("told:\n%s", told)
		}
		s.Push("v3", "")
		s.Fresh()
		in.Image, in.TaskDefinition = "v3", family+":2"
		if _, err := s.deploy(in); err != nil {
			t.Fatal(err)
		}
		s.Sandbox.Inspect(func(e *engine.Engine) {
			td, err := e.TaskDefinition(family + ":3")
			if err != nil {
				t.Fatal(err)
			}
			document, _ := json.Marshal(td.Document)
			if !strings.Contains(string(document), unknown) {
				t.Errorf("lost between Describe and Register: %s", document)
			}
		})
	})
}

// TestWrongInputChangesNothing looks at the journal: no call that changes anything, and a clear message.
func TestWrongInputChangesNothing(t *testing.T) {
	cut := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(cut, []byte("{\n  \"family\": \"x\",\n}"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(wrong, []byte(`{"cpu":"256","memory":"512","networkMode":"awsvpc","containerDefinitions":[{"name":"`+container+`",
		"image":"nginx","environment":[{"name":"A","value":"1"},{"name":"B","value":2}],"enviroment":[],
		"portMappings":[{"containerPort":8000}]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(other, []byte(`{"cpu":"256","memory":"512","networkMode":"awsvpc","containerDefinitions":[{"name":"`+container+`",
		"image":"nginx","portMappings":[{"containerPort":9000}]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*ecsdeploy.Inputs)
		want   []string
	}{
		{"unknown cluster", func(in *ecsdeploy.Inputs) { in.Cluster = "nowhere" }, []string{`no cluster "nowhere"`}},
		{"unknown service", func(in *ecsdeploy.Inputs) { in.Service = "nobody" }, []string{`no service "nobody"`}},
		{"image that does not exist", func(in *ecsdeploy.Inputs) { in.Image = "v99" }, []string{"has no tag v99"}},
		{"image of an unknown repository", func(in *ecsdeploy.Inputs) { in.Image = "other:v1" }, []string{"other"}},
		{"no image reference", func(in *ecsdeploy.Inputs) { in.Image = "no such thing" }, []string{"image: "}},
		{"blanked by GitHub", func(in *ecsdeploy.Inputs) { in.Image = "***.dkr.ecr.us-west-2.amazonaws.com/x@sha256:1" },
			[]string{"masked value"}},
		{"unknown container", func(in *ecsdeploy.Inputs) { in.Container = "sidecar" }, []string{`no container "sidecar"; it has connect2-api`}},
		{"broken JSON", func(in *ecsdeploy.Inputs) { in.TaskDefinition = cut }, []string{cut + ":3:1: "}},
		{"missing file", func(in *ecsdeploy.Inputs) { in.TaskDefinition = "./missing.json" }, []string{"./missing.json"}},
		{"unknown family", func(in *ecsdeploy.Inputs) { in.TaskDefinition = "missing" }, []string{`"missing" is neither a file nor a task definition`}},
		{"several at once", func(in *ecsdeploy.Inputs) { in.TaskDefinition, in.Service = cut, "nobody" }, []string{cut + ":3:1: ", `no service "nobody"`}},
		{"a number for a string", func(in *ecsdeploy.Inputs) { in.TaskDefinition = wrong }, []string{
			"containerDefinitions[0].environment[1].value is a number: it must be a string, in quotes",
			"containerDefinitions[0].enviroment is not a field that this version knows: did you mean environment?"}},
		{"no container of that name, and a port that is missing", func(in *ecsdeploy.Inputs) { in.TaskDefinition, in.Container = other, "none" },
			[]string{`no container "none"`, "container " + container + " has no port 8000; it has 9000"}},
		{"a secret as a variable", func(in *ecsdeploy.Inputs) { in.Environment = map[string]string{"DATABASE_URL": "x"} },
			[]string{"DATABASE_URL from a secret"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				in := inputs("v1")
				test.change(&in)
				out, err := s.deploy(in)
				wantOutcome(t, out, err, action.Invalid)
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the message lacks %q: %v", want, err)
					}
				}
				if got := s.Mutations(); len(got) != 0 {
					t.Errorf("changed by %v", got)
				}
			})
		})
	}
}

// TestPlaceholderInTheTemplate completes a tag from the image that runs where the template only holds the place of one.
func TestPlaceholderInTheTemplate(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		digest := s.Push("v2", "")
		own := s.template(`"image":"[^"]*"`, `"image":"nginx:latest"`)
		out := s.mustDeploy("v2")
		if want := strings.TrimSuffix(own, ":latest") + "@" + digest; out.Image != want {
			t.Errorf("deployed %s, want %s", out.Image, want)
		}
	})
}

// template registers the template with the first match of a pattern replaced, and returns the image that it had.
func (s *site) template(pattern, with string) (image string) {
	s.T.Helper()
	s.Sandbox.Inspect(func(e *engine.Engine) {
		td, err := e.TaskDefinition(family + "-template")
		if err != nil {
			s.T.Fatal(err)
		}
		document, err := json.Marshal(td.Document)
		if err != nil {
			s.T.Fatal(err)
		}
		image = td.Definition.Containers[0].Image
		if _, err := e.RegisterTaskDefinition(regexp.MustCompile(pattern).ReplaceAll(document, []byte(with)), "terraform"); err != nil {
			s.T.Fatal(err)
		}
	})
	return image
}

func TestDryRunChangesNothing(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		in := inputs("v2")
		in.DryRun, in.Environment = true, map[string]string{"TOKEN": "hunter2-hunter2"}
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if out.Changed || len(s.Mutations()) != 0 {
			t.Errorf("changed by %v", s.Mutations())
		}
		told := s.Log.Text() + s.Log.Summary()
		if !strings.Contains(told, "containerDefinitions["+container+"].image") || strings.Contains(told, "hunter2") {
			t.Errorf("told:\n%s", told)
		}
	})
}

// TestTemplateChangeRollsOut deploys the image that runs after the template has changed.
func TestTemplateChangeRollsOut(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		digest := s.Push("v2", "")
		s.mustDeploy("v2")
		s.Sandbox.Inspect(func(e *engine.Engine) {
			td, err := e.TaskDefinition(family + "-template")
			if err != nil {
				t.Fatal(err)
			}
			document, _ := json.Marshal(td.Document)
			text := strings.Replace(string(document), `"memory":"512"`, `"memory":"1024"`, 1)
			if _, err := e.RegisterTaskDefinition([]byte(text), "terraform"); err != nil {
				t.Fatal(err)
			}
		})
		s.Fresh()
		out := s.mustDeploy(ecsdeploy.Running)
		if out.Digest != digest || out.Outcome != action.Succeeded {
			t.Errorf("outputs %+v", out)
		}
		s.Sandbox.Inspect(func(e *engine.Engine) {
			td, _ := e.TaskDefinition(family)
			if document, _ := json.Marshal(td.Document); !strings.Contains(string(document), `"memory":"1024"`) {
				t.Errorf("deployed %s", document)
			}
		})
	})
}

// TestLostAnswer cuts the connection after UpdateService took effect: the SDK repeats it, and one deployment is followed.
func TestLostAnswer(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:UpdateService', answer: cut-after, times: 1}]\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.mustDeploy("v2")
		if name, _ := s.Primary(); name != family+":2" {
			t.Errorf("the service is at %s", name)
		}
	})
}

func TestUpdateDenied(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:UpdateService', answer: deny}]\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.Failed)
		if !strings.Contains(err.Error(), "ecs:UpdateService") {
			t.Errorf("the permission is not named: %v", err)
		}
		if got := s.Mutations(); !slices.Equal(got, []string{"ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition"}) {
			t.Errorf("changed by %v", got)
		}
	})
}

const broken = `{start: crash, after: 2s, exitCode: 1, logs: ["ModuleNotFoundError: No module named 'payments'"]}`

// TestPutBackWithoutBreakerAndAPI has neither a circuit breaker nor the service-deployments API: the service is updated to
// the version before.
func TestPutBackWithoutBreakerAndAPI(t *testing.T) {
	const scenario = `service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, circuitBreaker: false}
faults: [{action: 'ecs:*Service*Deployment*', answer: deny}, {action: 'ecs:DescribeServiceRevisions', answer: deny}]
`
	at(t, scenario, func(t *testing.T, s *site) {
		s.Push("v2", broken)
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
		want := []string{"ecs:RegisterTaskDefinition", "ecs:UpdateService", // and that it is put back is written down until it is
			"ecs:TagResource", "ecs:UpdateService", "ecs:TagResource", "ecs:DeregisterTaskDefinition"}
		if got := s.Mutations(); !slices.Equal(got, want) {
			t.Errorf("changed by %v, want %v", got, want)
		}
	})
}

// TestBreakerWithoutRollback is a breaker that stops a bad deployment and leaves it at that.
func TestBreakerWithoutRollback(t *testing.T) {
	at(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, rollback: false}\n", func(t *testing.T, s *site) {
		s.Push("v2", "{start: unhealthy}")
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
	})
}

func TestExpiredCredentialsLeaveTheOutcomeUnknown(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.Sandbox.ExpireCredentials(30 * time.Second)
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.Unknown)
		if out.Outcome.ExitCode() != 6 || !strings.Contains(err.Error(), "expired") {
			t.Errorf("exit %d: %v", out.Outcome.ExitCode(), err)
		}
	})
}

func TestTimeoutRollsBack(t *testing.T) {
	at(t, "service: {healthInterval: 5s, gracePeriod: 7200, deregisterAfter: 5s}\n", func(t *testing.T, s *site) {
		s.Push("v2", "{start: slow, healthyAfter: 1h}")
		in := inputs("v2")
		in.Timeout = 3 * time.Minute
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.TimedOut)
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
	})
}

// TestNoTemplate renders the running revision where Terraform owns no template.
func TestNoTemplate(t *testing.T) {
	at(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, template: false}\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.mustDeploy("v2")
		if name, _ := s.Primary(); name != family+":2" {
			t.Errorf("the service is at %s", name)
		}
	})
}

// TestTemplateThatCannotBeRead stops: going on with the running revision would deploy old settings without a word.
func TestTemplateThatCannotBeRead(t *testing.T) {
	at(t, fast+"faults: [{action: 'ecs:DescribeTaskDefinition', answer: unavailable, skip: 1}]\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.Invalid)
		if got := s.Mutations(); len(got) != 0 {
			t.Errorf("changed by %v", got)
		}
	})
}

// TestImageKnownLater prepares before the image is pushed, as a release does.
func TestImageKnownLater(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		conn, err := awsconn.Connect(t.Context(), s.Env, awsconn.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		d, err := ecsdeploy.Prepare(t.Context(), s.Env, conn, inputs(""))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetImages(t.Context(), map[string]string{"": "v2"}); action.OutcomeOf(err) != action.Invalid {
			t.Errorf("an image that is not there yet: %v", err)
		}
		digest := s.Push("v2", "")
		if err := d.SetImages(t.Context(), map[string]string{"": "@" + digest}); err != nil {
			t.Fatal(err)
		}
		out, err := d.Execute(t.Context())
		if err != nil || out.Digest != digest {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}

// TestRevisionAsItIs deploys a registered revision that is named, without registering another.
func TestRevisionAsItIs(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.mustDeploy("v2")
		s.Fresh()
		in := inputs("")
		in.TaskDefinition = family + ":1"
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if name, _ := s.Primary(); name != family+":1" || s.Calls("ecs:RegisterTaskDefinition") != 1 {
			t.Errorf("the service is at %s after %v", name, s.Mutations())
		}
	})
}

// TestInterruptDuringTheUpdate cancels while UpdateService is on its way: its answer is waited for, so that the deployment
// which it began is stopped.
func TestInterruptDuringTheUpdate(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		ctx, cancel := context.WithCancel(t.Context())
		next := s.Env.Transport
		s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateService") {
				cancel()
			}
			return next.RoundTrip(r)
		})
		out, err := ecsdeploy.Run(ctx, s.Env, inputs("v2"))
		wantOutcome(t, out, err, action.Cancelled)
		time.Sleep(10 * time.Minute)
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const newborn = "service: {unreleased: true, desiredCount: 3}"

func TestTheFirstReleaseStartsTheTasks(t *testing.T) {
	at(t, newborn, func(t *testing.T, s *site) {
		s.Push("v1", "")
		in := inputs(s.repositoryURI() + ":v1")
		out, err := s.deploy(in)
		if err != nil || out.Outcome != action.Succeeded {
			t.Fatalf("outputs %+v, error %v", out, err)
		}
		if name, running := s.Primary(); name != family+":1" || running != 3 {
			t.Errorf("%s runs with %d tasks", name, running)
		}
		s.Sandbox.Inspect(func(e *engine.Engine) {
			c, _ := e.Cluster(cluster)
			for _, task := range c.Tasks {
				if task.StopCode != "" {
					t.Errorf("a task failed in between: %s %s", task.StopCode, task.StoppedReason)
				}
			}
		})
		if again, err := s.deploy(in); err != nil || again.Outcome != action.NoChange {
			t.Errorf("again: outputs %+v, error %v", again, err)
		}
	})
}

func TestAFirstReleaseThatFailsLeavesTheServiceEmpty(t *testing.T) {
	at(t, newborn, func(t *testing.T, s *site) {
		s.Push("v1", "{start: crash, after: 2s, exitCode: 1, logs: [boom]}")
		out, err := s.deploy(inputs(s.repositoryURI() + ":v1"))
		if action.OutcomeOf(err) != action.RolledBack || out.Cause == "" {
			t.Fatalf("outputs %+v, error %v", out, err)
		}
		if text := s.Log.Text() + s.Log.Summary(); strings.Contains(text, "serves again") || strings.Contains(text, "is in force again") ||
			!strings.Contains(text, "the service is without tasks again") {
			t.Errorf("told\n%s", text)
		}
		time.Sleep(10 * time.Minute)
		if name, running := s.Primary(); name != family+"-template:1" || running != 0 {
			t.Errorf("%s runs with %d tasks", name, running)
		}
	})
}

// repositoryURI is the repository as the registry names it.
func (s *site) repositoryURI() string { return sandbox.DefaultHost + "/" + sandboxtest.Repository }
