package tfapply

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
)

// wholeError is an error as people read it: title, text and advice.
func wholeError(err error) string {
	text := ""
	for e := (*action.Error)(nil); errors.As(err, &e); err = e.Err {
		text += e.Title + "\n" + e.Advice + "\n"
	}
	return text + err.Error()
}

func TestPlanApplyNoChange(t *testing.T) {
	w := newWorld(t)
	plan, recorder := w.must(Inputs{Variables: map[string]string{"size": "2"}})
	if !plan.Changes || plan.Add != 2 || plan.PlanDigest == "" || w.state() != "" || w.locked() {
		t.Fatalf("%+v, state %q", plan, w.state())
	}
	if !strings.Contains(recorder.Summary(), "2 to add, 0 to change, 0 to destroy") {
		t.Errorf("the summary is %q", recorder.Summary())
	}
	applied, _ := w.must(Inputs{Mode: Apply, PlanDigest: plan.PlanDigest, Variables: map[string]string{"size": "2"}})
	if !strings.Contains(w.state(), `"a1"`) || w.locked() {
		t.Errorf("the state is %q, locked %v", w.state(), w.locked())
	}
	if got := string(applied.Values); got != `{"names":["a0","a1"]}` {
		t.Errorf("outputs %s", got)
	}
	again, _ := w.must(Inputs{Mode: Apply, PlanDigest: plan.PlanDigest, Variables: map[string]string{"size": "2"}})
	if again.Outcome != action.NoChange || again.Changes {
		t.Errorf("again: %+v", again)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, ".terraform*")); len(left) > 0 {
		t.Errorf("in the workspace: %q", left)
	}
}

func TestOnlyTheReviewedPlanIsApplied(t *testing.T) {
	w := newWorld(t)
	size := func(n string) map[string]string { return map[string]string{"size": n} }
	plan, _ := w.must(Inputs{Variables: size("1")})
	t.Run("another variable", func(t *testing.T) {
		w.refused(Inputs{Mode: Apply, PlanDigest: plan.PlanDigest, Variables: size("2")}, action.Invalid, "has changed since it was reviewed",
			"a variable", "what happens to which resource")
	})
	t.Run("another configuration", func(t *testing.T) {
		w.write("more.tf", "# a comment\n")
		w.refused(Inputs{Mode: Apply, PlanDigest: plan.PlanDigest, Variables: size("1")}, action.Invalid, "the configuration")
		os.Remove(filepath.Join(w.dir, "more.tf"))
	})
	t.Run("nothing to compare with", func(t *testing.T) {
		w.refused(Inputs{Mode: Apply, Variables: size("1")}, action.Invalid, "There is no reviewed plan", "plan-digest")
	})
	if w.state() != "" {
		t.Fatalf("something was applied: %s", w.state())
	}
	t.Run("the world has moved", func(t *testing.T) {
		w.must(Inputs{Mode: Apply, Approve: "auto", Variables: size("1")})
		reviewed, _ := w.must(Inputs{Variables: size("3")})
		w.must(Inputs{Mode: Apply, Approve: "auto", Variables: size("2")})
		w.refused(Inputs{Mode: Apply, PlanDigest: reviewed.PlanDigest, Variables: size("3")}, action.Invalid, "what happens to which resource")
	})
	t.Run("auto", func(t *testing.T) {
		if out, _ := w.must(Inputs{Mode: Apply, Approve: "auto", Variables: size("3")}); out.Add != 1 {
			t.Errorf("%+v", out)
		}
	})
}

func TestSealedPlan(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.dir, "plan.sealed") // within the directory: it must not count as configuration
	const key = "a long enough passphrase"
	w.must(Inputs{PlanFile: file, PlanKey: key})
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "terraform_data") {
		t.Fatalf("%v: %s", err, text)
	}
	w.refused(Inputs{Mode: Apply, PlanFile: file, PlanKey: "another good passphrase"}, action.Invalid, "the seal does not open")
	w.refused(Inputs{Mode: Apply, PlanFile: file, PlanKey: key, Variables: map[string]string{"size": "2"}}, action.Invalid,
		"+ terraform_data.a[1]: create")
	var sealed sealedFile
	if err := json.Unmarshal(text, &sealed); err != nil {
		t.Fatal(err)
	}
	sealed.Text[len(sealed.Text)/2] ^= 1
	tampered, _ := json.Marshal(sealed)
	other := filepath.Join(t.TempDir(), "tampered")
	if err := os.WriteFile(other, tampered, 0o644); err != nil {
		t.Fatal(err)
	}
	w.refused(Inputs{Mode: Apply, PlanFile: other, PlanKey: key}, action.Invalid, "the seal does not open")
	if w.state() != "" {
		t.Fatal("something was applied")
	}
	w.must(Inputs{Mode: Apply, PlanFile: file, PlanKey: key})
	if !strings.Contains(w.state(), `"a0"`) {
		t.Errorf("the state is %s", w.state())
	}
}

func TestGuardsAndDestroy(t *testing.T) {
	w := newWorld(t)
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	protect := []string{"terraform_data"}
	w.refused(Inputs{Mode: Plan, Replace: []string{"terraform_data.a[0]"}, Protect: protect}, action.Invalid,
		"terraform_data.a[0] would be replaced")
	w.refused(Inputs{Mode: Destroy, Confirm: "dev", Protect: protect}, action.Invalid, "terraform_data.a[0] would be destroyed")
	w.refused(Inputs{Mode: Destroy, Confirm: "dev", Protect: protect, AllowDestroy: []string{"terraform_data.a"}}, action.Invalid,
		"terraform_data.a[0] would be destroyed")
	if !strings.Contains(w.state(), `"a0"`) {
		t.Fatal("it was destroyed")
	}
	if problems := (Inputs{Mode: Destroy, Directory: w.dir, Environment: "prod", Confirm: "dev"}).Validate(); len(problems) != 1 ||
		!strings.Contains(problems[0].Error(), `"prod"`) {
		t.Errorf("confirm: %v", problems)
	}
	out, _ := w.must(Inputs{Mode: Destroy, Confirm: "dev", Protect: protect, AllowDestroy: []string{"terraform_data.a[0]"}})
	if out.Destroy != 1 || strings.Contains(w.state(), `"a0"`) {
		t.Errorf("%+v, state %s", out, w.state())
	}
}

func TestDriftAndTargets(t *testing.T) {
	w := newWorld(t)
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	if out, _ := w.must(Inputs{Mode: Drift}); out.Drift || out.Outcome != action.NoChange {
		t.Errorf("%+v", out)
	}
	two := map[string]string{"size": "3"}
	if out, _ := w.must(Inputs{Mode: Drift, Variables: two}); !out.Drift || out.Add != 2 {
		t.Errorf("%+v", out)
	}
	if out, recorder := w.must(Inputs{Variables: two, Targets: []string{"terraform_data.a[2]"}}); out.Add != 1 ||
		!strings.Contains(recorder.Summary(), "partial") {
		t.Errorf("%+v %s", out, recorder.Summary())
	}
}

func TestOutputsKeepSecrets(t *testing.T) {
	const canary = "canary-4711-secret"
	w := newWorld(t)
	file := w.onGitHub(nil)
	w.write("main.tf", `variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "a" { input = var.password }
output "password" {
  value     = var.password
  sensitive = true
}
output "pin" {
  value     = nonsensitive(substr(var.password, 7, 4))
}
output "short" {
  value     = substr(var.password, 7, 4)
  sensitive = true
}
output "changes" { value = "mine" }
output "lines" { value = "a\nb" }
`)
	vars := map[string]string{"password": canary}
	plan, first := w.must(Inputs{Variables: vars})
	out, recorder := w.must(Inputs{Mode: Apply, PlanDigest: plan.PlanDigest, Variables: vars})
	set, _ := os.ReadFile(file)
	for name, text := range map[string]string{"the log": recorder.Text() + first.Text(), "the summary": recorder.Summary() + first.Summary(),
		"outputs": string(out.Values), "GITHUB_OUTPUT": string(set), "the digest": out.PlanDigest} {
		if strings.Contains(text, canary) {
			t.Errorf("the secret is in %s: %s", name, text)
		}
	}
	if strings.Contains(recorder.Text(), "::add-mask::4711") || strings.Contains(recorder.Text(), "::add-mask::"+canary) {
		t.Error("something was masked")
	}
	if got := string(out.Values); got != `{"changes":"mine","lines":"a\nb","pin":"4711"}` {
		t.Errorf("outputs %s", got)
	}
	if !strings.Contains(string(set), "pin<<connect2_") || strings.Contains(string(set), "changes<<") ||
		!strings.Contains(string(set), "\na\nb\nconnect2_") {
		t.Errorf("GITHUB_OUTPUT is %q", set)
	}
	_, recorder = w.must(Inputs{Mode: Apply, Approve: "auto", Variables: vars, Expose: []string{"password", "short", "none"}})
	set, _ = os.ReadFile(file)
	if !strings.Contains(string(set), "password<<") || !strings.Contains(recorder.Text(), "::add-mask::"+canary) {
		t.Errorf("password is not exposed and masked: %q", set)
	}
	if strings.Contains(string(set), "short<<") || len(recorder.Warnings()) != 2 {
		t.Errorf("%q, warnings %q", set, recorder.Warnings())
	}
}

func TestEnvironmentConventionAndDiagnostics(t *testing.T) {
	w := newWorld(t)
	w.onGitHub(nil)
	w.write("dev.tfvars", "size = 2\n")
	if out, _ := w.must(Inputs{Environment: "dev"}); out.Add != 2 {
		t.Errorf("%+v", out)
	}
	if out, _ := w.must(Inputs{Environment: "dev", Variables: map[string]string{"size": "4"}}); out.Add != 4 {
		t.Errorf("%+v", out)
	}
	w.vars["TF_VAR_size"] = "3"
	if out, _ := w.must(Inputs{}); out.Add != 3 {
		t.Errorf("%+v", out)
	}
	w.write("broken.tf", "resource \"terraform_data\" \"b\" {\n  input = var.missing\n}\n")
	_, _, err := w.run(Inputs{})
	if v := action.VerdictOf("tf-apply", action.OutcomeOf(err), err); v.Title != "Reference to undeclared input variable" || v.Place == nil ||
		v.Place.File != "terraform/dev/broken.tf" || v.Place.Line != 2 {
		t.Errorf("%+v at %+v", v, v.Place)
	}
	w.write("broken.tf", "resource {\n")
	w.refused(Inputs{}, action.Invalid, "Unclosed configuration block")
}

func TestWorkspaces(t *testing.T) {
	w := newWorld(t)
	w.refused(Inputs{Workspace: "blue"}, action.Invalid, `no workspace "blue"`)
	w.must(Inputs{Mode: Apply, Approve: "auto", Workspace: "blue"})
	if text, ok := w.sb.S3().Object(bucket, "env:/blue/terraform.tfstate"); !ok || !strings.Contains(string(text), `"a0"`) || w.state() != "" {
		t.Errorf("%v %s", ok, text)
	}
}

func TestHeldLockIsToldInWords(t *testing.T) {
	w := newWorld(t)
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	w.lock(`{"ID":"11111111-2222-3333-4444-555555555555","Operation":"OperationTypeApply","Info":"","Who":"root@container","Version":"1.11.4","Created":"2026-01-02T03:04:05Z","Path":"` + bucket + `/terraform.tfstate"}`)
	w.refused(Inputs{Mode: Apply, Approve: "auto", Variables: map[string]string{"size": "2"}}, action.Invalid,
		"The state is locked", "root@container holds the lock for apply since 2026-01-02 03:04:05 UTC", "force-unlock 11111111")
	if out, _ := w.must(Inputs{Variables: map[string]string{"size": "2"}}); out.Add != 1 {
		t.Errorf("a plan is kept by the lock: %+v", out)
	}
}

func TestPrivateModuleIsHashed(t *testing.T) {
	w := newWorld(t)
	module := filepath.Join(w.root, "modules", "thing")
	if err := os.MkdirAll(module, 0o755); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(module, "main.tf")
	if err := os.WriteFile(text, []byte("resource \"terraform_data\" \"inner\" {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.write("module.tf", "module \"thing\" { source = \"../../modules/thing\" }\n")
	plan, _ := w.must(Inputs{})
	if err := os.WriteFile(text, []byte("# other\nresource \"terraform_data\" \"inner\" {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.refused(Inputs{Mode: Apply, PlanDigest: plan.PlanDigest}, action.Invalid, "the configuration, one of its modules")
}

// slow is a configuration whose apply takes a while.
const slow = `resource "terraform_data" "slow" {
  count = 3
  provisioner "local-exec" { command = "sleep 1" }
}
`

func TestCancelledApplyIsFinished(t *testing.T) {
	w := newWorld(t)
	w.write("main.tf", slow)
	w.onGitHub(nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for range 1000 {
			if lock, _ := w.sb.S3().Object(bucket, "terraform.tfstate.tflock"); strings.Contains(string(lock), "OperationTypeApply") {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel(action.ErrInterrupted)
	}()
	_, recorder, err := w.runCtx(ctx, Inputs{Mode: Apply, Approve: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(w.state(), `"index_key"`) != 3 || strings.Contains(w.state(), "tainted") || w.locked() {
		t.Errorf("locked %v, the state is %s", w.locked(), w.state())
	}
	if warnings := strings.Join(recorder.Warnings(), "\n"); !strings.Contains(warnings, "The apply goes on") ||
		!strings.Contains(warnings, "The apply is complete") {
		t.Errorf("warnings: %q", warnings)
	}
}

func TestCancelledPlanChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.write("main.tf", "data \"terraform_remote_state\" \"x\" {\n  backend = \"local\"\n  config = { path = \"none\" }\n}\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(action.ErrInterrupted)
	_, _, err := w.runCtx(ctx, Inputs{Mode: Apply, Approve: "auto"})
	if !errors.Is(err, action.ErrInterrupted) && !errors.Is(err, context.Canceled) || w.state() != "" {
		t.Errorf("%v", err)
	}
}

func TestFailedApplyOwnsUp(t *testing.T) {
	w := newWorld(t)
	w.write("main.tf", `resource "terraform_data" "good" {}
resource "terraform_data" "bad" {
  depends_on = [terraform_data.good]
  provisioner "local-exec" { command = "exit 3" }
}
`)
	w.refused(Inputs{Mode: Apply, Approve: "auto"}, action.Failed, "local-exec provisioner error", "1 resources were completed")
	if !strings.Contains(w.state(), `"good"`) || w.locked() {
		t.Errorf("state %s", w.state())
	}
}
