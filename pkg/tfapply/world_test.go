package tfapply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/terraform"
)

const bucket = "connect2-api-terraform-state-dev"

// engine is the program that the tests run: Terraform, or with CONNECT2_ENGINE=tofu OpenTofu, for the same cases (make tofu).
var engine = terraform.Engine(cmp.Or(os.Getenv("CONNECT2_ENGINE"), string(terraform.HashiCorp)))

// world is a repository with one configuration, whose state is in the sandbox's S3, and the real Terraform.
type world struct {
	t    *testing.T
	sb   *sandbox.Sandbox
	root string
	dir  string
	vars map[string]string // what a run's environment has
	url  string

	gate      http.RoundTripper                             // sees first what the action itself asks of AWS; a nil answer lets it through
	transport http.RoundTripper                             // takes what the action itself asks
	mu        sync.Mutex                                    // guards intercept
	intercept func(http.ResponseWriter, *http.Request) bool // true: it has answered
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	if _, err := exec.LookPath(string(engine)); err != nil {
		t.Skipf("there is no %s on the PATH", engine)
	}
	sb := sandbox.New(sandbox.Options{})
	w := &world{t: t, sb: sb, root: t.TempDir()}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		intercept := w.intercept
		w.mu.Unlock()
		if intercept == nil || !intercept(rw, r) {
			sb.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	if err := sb.S3().CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	w.url = server.URL
	w.dir = filepath.Join(w.root, "terraform", "dev")
	home := t.TempDir()
	w.vars = map[string]string{
		"PATH": os.Getenv("PATH"), "RUNNER_TEMP": t.TempDir(), "HOME": home, "XDG_CACHE_HOME": filepath.Join(home, ".cache"),
		"TF_CLI_CONFIG_FILE": os.DevNull,
		"GOGC":               "off", // Terraform's own: its processes are small and over in a moment
	}
	maps.Copy(w.vars, sb.Environ())
	w.vars["AWS_ENDPOINT_URL"] = server.URL
	w.write("backend.tf", `terraform {
  required_version = ">= 1.10"
  backend "s3" {
    bucket         = "`+bucket+`"
    key            = "terraform.tfstate"
    region         = "us-west-2"
    use_lockfile   = true
    use_path_style = true
  }
}
`)
	w.write("main.tf", `variable "size" {
  type    = number
  default = 1
}
resource "terraform_data" "a" {
  count = var.size
  input = "a${count.index}"
}
output "names" { value = terraform_data.a[*].input }
`)
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// run runs the action; the inputs that a user would leave out have their defaults.
func (w *world) run(in Inputs) (Outputs, *actiontest.Recorder, error) {
	w.t.Helper()
	return w.runCtx(w.t.Context(), in)
}

func (w *world) env() (*action.Env, *actiontest.Recorder) {
	env, recorder := actiontest.NewTestEnv(w.t, w.vars)
	env.GitHub, env.Environ, env.Transport = action.GitHubOf(env.Getenv), w.environ, route{w}
	return env, recorder
}

// environ is what a process of this world inherits, and nothing of the tests' own: worlds stand beside each other.
func (w *world) environ() []string {
	var list []string
	for name, value := range w.vars {
		list = append(list, name+"="+value)
	}
	return list
}

func (w *world) runCtx(ctx context.Context, in Inputs) (Outputs, *actiontest.Recorder, error) {
	w.t.Helper()
	in.Directory = w.dir
	if in.Mode == "" {
		in.Mode = Plan
	}
	for field, value := range map[*string]string{&in.Lockfile: "readonly", &in.Approve: "reviewed", &in.Comment: "auto"} {
		if *field == "" {
			*field = value
		}
	}
	if in.Engine == "" {
		in.Engine = engine
	}
	if in.Parallelism == 0 {
		in.Parallelism = 10
	}
	if in.Protect == nil {
		in.Protect = []string{"stateful"}
	}
	if problems := in.Validate(); len(problems) > 0 {
		w.t.Fatalf("the inputs are wrong: %v", problems)
	}
	env, recorder := w.env()
	out, err := Run(ctx, env, in)
	return out, recorder, err
}

// must is run for what has to succeed.
func (w *world) must(in Inputs) (Outputs, *actiontest.Recorder) {
	w.t.Helper()
	out, recorder, err := w.run(in)
	if err != nil {
		w.t.Fatalf("%s: %v", in.Mode, err)
	}
	return out, recorder
}

// refused is run for what must end with an outcome, and a text in its error.
func (w *world) refused(in Inputs, outcome action.Outcome, texts ...string) (Outputs, *actiontest.Recorder) {
	w.t.Helper()
	out, recorder, err := w.run(in)
	if got := action.OutcomeOf(err); err == nil || got != outcome {
		w.t.Fatalf("%s: outcome %s, error %v; want %s", in.Mode, got, err, outcome)
	}
	for _, text := range texts {
		if !strings.Contains(fmt.Sprintf("%+v", wholeError(err)), text) {
			w.t.Errorf("%s: %q is not in %q", in.Mode, text, wholeError(err))
		}
	}
	return out, recorder
}

func (w *world) state() string {
	text, _ := w.sb.S3().Object(bucket, "terraform.tfstate")
	return string(text)
}

func (w *world) locked() bool {
	_, ok := w.sb.S3().Object(bucket, "terraform.tfstate.tflock")
	return ok
}

// onGitHub makes the runs that follow steps of a workflow.
func (w *world) onGitHub(more map[string]string) (outputFile string) {
	w.t.Helper()
	outputFile = filepath.Join(w.t.TempDir(), "output")
	maps.Copy(w.vars, map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": outputFile, "GITHUB_STATE": filepath.Join(w.t.TempDir(), "state"),
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": "https://api.github.com", "GITHUB_REPOSITORY": "org/service",
		"GITHUB_SHA": strings.Repeat("ab", 20), "GITHUB_RUN_ID": "77", "GITHUB_RUN_NUMBER": "7", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_WORKSPACE": w.root,
	})
	maps.Copy(w.vars, more)
	return outputFile
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond) // another process is waited for
	}
	t.Fatalf("%s: not within 30 s", what)
}

// lock puts somebody else's lock beside the state.
func (w *world) lock(text string) {
	w.t.Helper()
	w.object("PUT", "terraform.tfstate.tflock", text)
}

func (w *world) object(method, key, text string) {
	w.t.Helper()
	r := httptest.NewRequest(method, "/"+bucket+"/"+key, strings.NewReader(text))
	recorder := httptest.NewRecorder()
	w.sb.S3().ServeHTTP(recorder, r)
	if recorder.Code/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, key, recorder.Code, recorder.Body)
	}
}

// route sends what the action itself asks to GitHub's stand-in or to AWS's.
type route struct{ w *world }

func (r route) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == "api.github.com" {
		if r.w.transport == nil {
			return nil, errors.New("GitHub is not there")
		}
		return r.w.transport.RoundTrip(request)
	}
	if r.w.gate != nil {
		if answer, err := r.w.gate.RoundTrip(request); answer != nil || err != nil {
			return answer, err
		}
	}
	return r.w.sb.Transport().RoundTrip(request)
}
