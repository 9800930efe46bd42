package tfapply

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/terraform"
)

// refuseState has the backend refuse writes of the state while refuse is true.
func (w *world) refuseState(refuse *atomic.Bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intercept = func(rw http.ResponseWriter, r *http.Request) bool {
		if !refuse.Load() || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/terraform.tfstate") {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "application/xml")
		rw.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(rw, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
		return true
	}
}

func shortPauses(t *testing.T) {
	old := pushWaits
	pushWaits = backoff.Policy{First: time.Millisecond, Most: time.Millisecond}
	t.Cleanup(func() { pushWaits = old })
}

func TestStateThatCannotBeUploadedIsKept(t *testing.T) {
	shortPauses(t)
	w := newWorld(t)
	var refuse atomic.Bool
	refuse.Store(true)
	w.refuseState(&refuse)
	w.refused(Inputs{Mode: Apply, Approve: "auto"}, action.Stuck, "The state was not saved: act now",
		engine.String()+" state push errored.tfstate")
	left := filepath.Join(w.dir, "errored.tfstate")
	text, err := os.ReadFile(left)
	if err != nil || !strings.Contains(string(text), `"a0"`) {
		t.Fatalf("%v %s", err, text)
	}
	refuse.Store(false)
	w.refused(Inputs{Mode: Apply, Approve: "auto"}, action.Invalid, "An earlier state was never uploaded")
	if got, err := os.ReadFile(left); err != nil || string(got) != string(text) {
		t.Errorf("the file was touched: %v", err)
	}
}

func TestStateIsPushedOnceTheBackendTakesIt(t *testing.T) {
	shortPauses(t)
	w := newWorld(t)
	var refuse atomic.Bool
	refuse.Store(true)
	w.refuseState(&refuse)
	inner := w.intercept
	w.mu.Lock()
	w.intercept = func(rw http.ResponseWriter, r *http.Request) bool {
		if _, err := os.Stat(filepath.Join(w.dir, "errored.tfstate")); err == nil {
			refuse.Store(false) // Terraform has given up; the backend comes back
		}
		return inner(rw, r)
	}
	w.mu.Unlock()
	_, _, err := w.run(Inputs{Mode: Apply, Approve: "auto"})
	if got := action.OutcomeOf(err); got != action.Failed {
		t.Errorf("outcome %s: %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "errored.tfstate")); err == nil || !strings.Contains(w.state(), `"a0"`) {
		t.Errorf("the file is still there (%v), or the state is not: %s", err, w.state())
	}
}

// TestASecondSignalInterruptsOnce cancels an apply, insists, and finds what was cut off named.
func TestASecondSignalInterruptsOnce(t *testing.T) {
	w := newWorld(t)
	w.write("main.tf", `resource "terraform_data" "quick" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.quick]
  provisioner "local-exec" { command = "sleep 2" }
}
resource "terraform_data" "later" { depends_on = [terraform_data.slow] }
`)
	env, recorder := w.env()
	in := Inputs{Mode: Apply, Approve: "auto", Directory: w.dir, Lockfile: "readonly", Engine: engine, Parallelism: 10}
	s, err := open(t.Context(), env, in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.initialise(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out Outputs
	p, err := s.makePlan(t.Context(), &out, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	insist := make(chan struct{}, 1)
	go func() {
		eventually(t, "the apply begins", func() bool {
			return strings.Contains(w.state(), "quick") || strings.Contains(recorder.Text(), "slow: Provisioning")
		})
		insist <- struct{}{} // before the cancel it means nothing
		cancel()
		eventually(t, "the first is told", func() bool { return strings.Contains(recorder.Text(), "The apply goes on") })
		insist <- struct{}{}
	}()
	applied, err := s.runner.Apply(ctx, terraform.ApplyOptions{Plan: p.file}, insist)
	if err == nil || !applied.Cancelled || !applied.Interrupted || applied.Unsaved != "" {
		t.Fatalf("%+v, %v", applied, err)
	}
	if strings.Contains(w.state(), "later") || !strings.Contains(w.state(), "quick") || w.locked() {
		t.Errorf("locked %v, state %s", w.locked(), w.state())
	}
	failure := s.verdict(applied, err)
	if action.OutcomeOf(failure) != action.Cancelled {
		t.Errorf("%v", failure)
	}
	if strings.Contains(w.state(), "tainted") && !strings.Contains(wholeError(failure), engine.String()+" untaint 'terraform_data.slow'") {
		t.Errorf("slow is tainted, and no repair is named: %s", wholeError(failure))
	}
}

// TestCancelBetweenPlanAndApply is the moment at which everything was checked and nothing was begun.
func TestCancelBetweenPlanAndApply(t *testing.T) {
	w := newWorld(t)
	env, _ := w.env()
	s, err := open(t.Context(), env, Inputs{Mode: Apply, Approve: "auto", Directory: w.dir, Lockfile: "readonly",
		Engine: engine, Parallelism: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.initialise(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := s.makePlan(t.Context(), &Outputs{}, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(action.ErrInterrupted)
	_, err = s.execute(ctx, p)
	var explained *action.Error
	if !errors.Is(err, action.ErrInterrupted) || errors.As(err, &explained) || w.state() != "" {
		t.Errorf("%v, state %q", err, w.state())
	}
}

func TestDestroyWantsTheNameTyped(t *testing.T) {
	for _, test := range []struct{ environment, confirm, want string }{
		{"dev", "", `type "dev"`}, {"dev", "Dev", `type "dev"`}, {"dev", "dev", ""}, {"", "somewhere", ""}, {"", "dev", `type "somewhere"`},
	} {
		problems := Inputs{Mode: Destroy, Directory: "/x/somewhere", Environment: test.environment, Confirm: test.confirm}.Validate()
		if text := errors.Join(problems...); (test.want == "") != (text == nil) || text != nil && !strings.Contains(text.Error(), test.want) {
			t.Errorf("%+v: %v", test, text)
		}
	}
}

func TestInputsAreRefused(t *testing.T) {
	for _, test := range []struct {
		in   Inputs
		want string
	}{
		{Inputs{PlanFile: "x"}, "needs plan-key"},
		{Inputs{PlanKey: "short"}, "at least 16 characters"},
		{Inputs{PlanDigest: "latest"}, "not the digest of a plan"},
		{Inputs{Variables: map[string]string{"a b": "1"}}, "not the name of a variable"},
		{Inputs{RegistryTokens: map[string]string{"localhost": "1"}}, "not a host name"},
		{Inputs{Environment: "../prod"}, "not the name of an environment"},
	} {
		if err := errors.Join(test.in.Validate()...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

func TestVaultIsBoundToItsContext(t *testing.T) {
	a := vault{key: "a passphrase of length", context: map[string]string{"environment": "dev"}}
	sealed, err := a.seal(t.Context(), []byte("plan"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := a.open(t.Context(), sealed); err != nil || string(text) != "plan" {
		t.Fatalf("%q %v", text, err)
	}
	for name, other := range map[string]vault{
		"another environment": {key: a.key, context: map[string]string{"environment": "prod"}},
		"another key":         {key: a.key + "x", context: a.context},
		"a KMS key":           {key: "alias/plan", kms: fakeKeys{}, context: a.context},
	} {
		if text, err := other.open(t.Context(), sealed); err == nil {
			t.Errorf("%s opens it: %q", name, text)
		}
	}
	k := vault{key: "alias/plan", kms: fakeKeys{}, context: a.context}
	if sealed, err = k.seal(t.Context(), []byte("plan")); err != nil {
		t.Fatal(err)
	}
	if text, err := k.open(t.Context(), sealed); err != nil || string(text) != "plan" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := a.open(t.Context(), sealed); err == nil {
		t.Error("a passphrase opens what a KMS key sealed")
	}
	for _, text := range []string{"", "{}", "null", `{"format":"connect2 sealed plan 1"}`} {
		if _, err := a.open(t.Context(), []byte(text)); err == nil {
			t.Errorf("%q opens", text)
		}
	}
}

// fakeKeys encrypts a data key by turning it round, and refuses another context.
type fakeKeys struct{}

func (fakeKeys) generate(_ context.Context, _ string, about map[string]string) (plain, sealed []byte, err error) {
	key := []byte("0123456789abcdef0123456789ABCDEF")
	return key, append([]byte(about["environment"]+"|"), key...), nil
}

func (fakeKeys) decrypt(_ context.Context, _ string, sealed []byte, about map[string]string) ([]byte, error) {
	environment, key, _ := strings.Cut(string(sealed), "|")
	if environment != about["environment"] {
		return nil, errors.New("InvalidCiphertextException")
	}
	return []byte(key), nil
}

func TestGitTokenStaysOffCommandLines(t *testing.T) {
	env, _ := actiontest.NewTestEnv(t, nil)
	env.GitHub.Server = "https://github.example.com"
	s := &session{env: env, in: Inputs{GitToken: "ghs_token"}}
	got := s.gitEnvironment()
	if got["GIT_CONFIG_COUNT"] != "4" || got["GIT_CONFIG_KEY_1"] != "http.https://github.example.com/.extraheader" ||
		got["GIT_CONFIG_VALUE_3"] != "git@github.example.com:" {
		t.Errorf("%v", got)
	}
	for name, value := range got {
		if strings.Contains(value, "ghs_token") {
			t.Errorf("%s holds the token in the clear", name)
		}
	}
}

func TestPost(t *testing.T) {
	write := func(t *testing.T, file string, st Status) {
		t.Helper()
		s := &status{file: file, last: st}
		s.write()
	}
	for _, test := range []struct {
		name  string
		first Status
		later *Status // written ten seconds on
		code  int
		want  string
	}{
		{"it had ended", Status{Ended: true, Outcome: action.Failed}, nil, 0, ""},
		{"it ends well", Status{Place: "dev"}, &Status{Place: "dev", Ended: true, Outcome: action.Succeeded, Text: "applied"}, 0,
			"The apply is complete"},
		{"it ends badly", Status{Place: "dev"}, &Status{Place: "dev", Ended: true, Outcome: action.Stuck, Text: "not saved"}, 3,
			"The apply ended as stuck"},
		{"it has died", Status{Place: "dev"}, nil, 6, "gives no sign"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "status.json")
				write(t, file, test.first)
				env, recorder := actiontest.NewTestEnv(t, map[string]string{"STATE_connect2-status": file})
				if test.later != nil {
					go func() {
						time.Sleep(10 * time.Second)
						write(t, file, *test.later)
					}()
				}
				if code := Post(t.Context(), env); code != test.code {
					t.Errorf("exit code %d, want %d", code, test.code)
				}
				if !strings.Contains(recorder.Text(), test.want) {
					t.Errorf("%q is not told: %s", test.want, recorder.Text())
				}
			})
		})
	}
	env, _ := actiontest.NewTestEnv(t, nil)
	if code := Post(t.Context(), env); code != 0 {
		t.Errorf("without an apply: %d", code)
	}
}
