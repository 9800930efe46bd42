package ecsdeploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// registered returns a task definition of the sandbox as JSON.
func (s *site) registered(name string) string {
	s.T.Helper()
	var document []byte
	s.Sandbox.Inspect(func(e *engine.Engine) {
		td, err := e.TaskDefinition(name)
		if err != nil {
			s.T.Fatal(err)
		}
		document, err = json.Marshal(td.Document)
		if err != nil {
			s.T.Fatal(err)
		}
	})
	return string(document)
}

// TestEditsAreDeployed sets something of everything, and finds it in the revision that runs.
func TestEditsAreDeployed(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		digest := s.Push("v2", "")
		in := inputs("v2")
		in.Remove = []string{"DATABASE_URL"}
		in.Environment = map[string]string{"DATABASE_URL": "sqlite://"}
		secret := regexp.MustCompile(`arn:aws:secretsmanager:[^"]*redis[^"]*`).FindString(s.registered(family))
		in.Secrets = map[string]string{"CACHE_URL": secret}
		in.EnvironmentFiles = []string{"arn:aws:s3:::bucket/app.env"}
		in.DockerLabels = map[string]string{"team": "a=b"}
		in.EntryPoint, in.Command = `["sh","-c"]`, "'exec server && x'"
		in.LogOptions = map[string]string{"mode": "non-blocking"}
		in.CPU, in.Memory = "512", "1024"
		in.TaskRole, in.ExecutionRole = "arn:aws:iam::123456789012:role/app", "arn:aws:iam::123456789012:role/start"
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		got := s.registered(family)
		for _, want := range []string{
			`{"name":"DATABASE_URL","value":"sqlite://"}`, `{"name":"CACHE_URL","valueFrom":"` + secret + `"}`,
			`"environmentFiles":[{"value":"arn:aws:s3:::bucket/app.env","type":"s3"}]`, `"team":"a=b"`, `"entryPoint":["sh","-c"]`,
			`"command":["exec server \u0026\u0026 x"]`, `"mode":"non-blocking"`, `"cpu":"512"`, `"memory":"1024"`,
			`"taskRoleArn":"arn:aws:iam::123456789012:role/app"`, `"executionRoleArn":"arn:aws:iam::123456789012:role/start"`, digest,
		} {
			if !strings.Contains(got, want) && !strings.Contains(got, strings.ReplaceAll(want, `\u0026`, "&")) {
				t.Errorf("the revision lacks %s: %s", want, got)
			}
		}
		if strings.Contains(got, `{"name":"DATABASE_URL","valueFrom"`) {
			t.Errorf("the secret is still there: %s", got)
		}
		s.Fresh()
		if out, err := s.deploy(in); err != nil || out.Outcome != action.NoChange {
			t.Errorf("the same again: %s %v", out.Outcome, err)
		}
	})
}

// withSidecar returns a task definition file whose task has a second container, with an image of the same repository.
func (s *site) withSidecar(sidecar string) string {
	return s.file(`"containerDefinitions":[`, `"containerDefinitions":[{"name":"proxy","essential":false,"image":"`+sidecar+`"},`)
}

// TestImagesOfSeveralContainers deploys two images in one run, both pinned, and keeps both for rollbacks.
func TestImagesOfSeveralContainers(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		main, proxy := s.Push("v2", ""), s.Push("proxy-v7", "")
		in := inputs("v2")
		in.TaskDefinition, in.Container = s.withSidecar(s.repositoryURI()+":proxy-v1"), container
		in.Images = map[string]string{"proxy": "proxy-v7"}
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		got := s.registered(family)
		for _, want := range []string{s.repositoryURI() + "@" + main, s.repositoryURI() + "@" + proxy} {
			if !strings.Contains(got, want) {
				t.Errorf("the revision lacks %s: %s", want, got)
			}
		}
		if out.Digest != main {
			t.Errorf("the digest is %s, want the main container's %s", out.Digest, main)
		}
		for _, tag := range []string{"live-" + service + "-2", "live-" + service + ".proxy-2"} { // of the year 2000: a tag of each's own
			if !strings.Contains(s.Log.Text(), tag) {
				t.Errorf("no image is tagged %s…:\n%s", tag, s.Log.Text())
			}
		}
	})
}

// TestWrongEdits are refused before anything is changed, all at once, and no value is repeated.
func TestWrongEdits(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*site, *ecsdeploy.Inputs)
		want   []string
	}{
		{"a secret's value", func(_ *site, in *ecsdeploy.Inputs) { in.Secrets = map[string]string{"KEY": "hunter2 hunter2"} },
			[]string{"secrets: KEY is not the ARN of a secret"}},
		{"several", func(_ *site, in *ecsdeploy.Inputs) {
			in.Remove, in.LogDriver, in.EnvironmentFiles, in.Images =
				[]string{"DATABASE_URI"}, "awslog", []string{"app.env"}, map[string]string{"sidecar": "x"}
		}, []string{"did you mean DATABASE_URL?", "did you mean awslogs?", "environment-files: ",
			`images: the task definition has no container "sidecar"`}},
		{"a size that Fargate lacks", func(_ *site, in *ecsdeploy.Inputs) { in.CPU, in.Memory = "512", "512" }, []string{"512"}},
		{"the main container twice", func(_ *site, in *ecsdeploy.Inputs) { in.Images = map[string]string{container: "v1"} },
			[]string{"images: " + container + " gets its image already"}},
		{"an image that is not there", func(s *site, in *ecsdeploy.Inputs) {
			in.TaskDefinition, in.Container = s.withSidecar(s.repositoryURI()+":proxy-v1"), container
			in.Images = map[string]string{"proxy": "v99"}
		}, []string{"images: proxy: ", "has no tag v99"}},
		{"no reference", func(s *site, in *ecsdeploy.Inputs) {
			in.TaskDefinition, in.Container = s.withSidecar(s.repositoryURI()+":proxy-v1"), container
			in.Images = map[string]string{"proxy": "no such thing"}
		}, []string{"images: proxy: "}},
		{"a file that cannot be written", func(_ *site, in *ecsdeploy.Inputs) { in.RenderOnly = "/nowhere/task.json" },
			[]string{"render-only: writing the task definition: open /nowhere/task.json"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				in := inputs("v1")
				test.change(s, &in)
				out, err := s.deploy(in)
				wantOutcome(t, out, err, action.Invalid)
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the message lacks %q: %v", want, err)
					}
				}
				if got := s.Mutations(); len(got) != 0 || strings.Contains(err.Error()+s.Log.Text(), "hunter2") {
					t.Errorf("changed by %v: %v", got, err)
				}
			})
		})
	}
}

func TestWrongEditsByThemselves(t *testing.T) {
	in := inputs("v1")
	in.Command, in.EntryPoint, in.Environment, in.Secrets = "a && b", "'", map[string]string{"A B": "x"}, map[string]string{"C D": "/x"}
	in.Images, in.RenderOnly, in.RegisterOnly = map[string]string{"proxy": ""}, "x", true
	var told []string
	for _, err := range in.Validate() {
		told = append(told, err.Error())
	}
	for _, want := range []string{"command: ", "entry-point: ", `environment-variables: "A B" is not a name`, `secrets: "C D" is not a name`,
		"images: the image of proxy is empty", "render-only, register-only: one of them at most"} {
		if !slices.ContainsFunc(told, func(text string) bool { return strings.HasPrefix(text, want) }) {
			t.Errorf("%q is not told in %q", want, told)
		}
	}
	if len(told) != 6 {
		t.Errorf("%d problems, want 6: %q", len(told), told)
	}
}

// TestRenderOnly writes what would be registered, and changes nothing.
func TestRenderOnly(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		digest := s.Push("v2", "")
		in := inputs("v2")
		in.RenderOnly = filepath.Join(t.TempDir(), "task.json")
		in.Environment = map[string]string{"STAGE": "rehearsal"}
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		text, err := os.ReadFile(in.RenderOnly)
		if err != nil || out.TaskDefinition != in.RenderOnly || out.Changed || len(s.Mutations()) != 0 {
			t.Fatalf("%v, %+v, changed by %v", err, out, s.Mutations())
		}
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil || document["family"] != family || document["taskDefinitionArn"] != nil {
			t.Errorf("%v: %s", err, text)
		}
		if !strings.Contains(string(text), digest) || strings.Contains(s.Log.Text()+s.Log.Summary(), "rehearsal") {
			t.Errorf("%s\n%s", text, s.Log.Text())
		}
		// What it wrote is what a deployment of it registers.
		s.Fresh()
		of := inputs("")
		of.TaskDefinition = in.RenderOnly
		if out, err = s.deploy(of); err != nil || out.Outcome != action.Succeeded || !strings.Contains(s.registered(family), "rehearsal") {
			t.Errorf("%s %v", out.Outcome, err)
		}
	})
}

// TestRegisterOnly registers a revision once, and leaves the service alone.
func TestRegisterOnly(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		before, _ := s.Primary()
		in := inputs("v2")
		in.RegisterOnly, in.DryRun = true, true
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if len(s.Mutations()) != 0 || out.TaskDefinitionARN != "" {
			t.Errorf("a dry run changed something: %v, %+v", s.Mutations(), out)
		}
		in.DryRun = false
		s.Fresh()
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if after, _ := s.Primary(); after != before || out.Changed || !strings.Contains(out.TaskDefinitionARN, family+":") {
			t.Errorf("the service is at %s, was at %s: %+v", after, before, out)
		}
		first := out.TaskDefinitionARN
		s.Fresh()
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.NoChange)
		if out.TaskDefinitionARN != first || s.Calls("ecs:RegisterTaskDefinition") != 1 || s.Calls("ecs:UpdateService") != 0 {
			t.Errorf("%s, want %s", out.TaskDefinitionARN, first)
		}
	})
}
