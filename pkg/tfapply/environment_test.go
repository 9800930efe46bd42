package tfapply

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
)

// What Terraform's own variables of the environment ask for is done, or refused by name; nothing of it is dropped.
func TestTerraformsOwnVariables(t *testing.T) {
	w := newWorld(t)
	w.vars["TF_WORKSPACE"] = "blue"
	w.vars["TF_CLI_ARGS_plan"] = "-var-file=more.tfvars -refresh=false"
	w.write("more.tfvars", "size = 3\n")
	out, _ := w.must(Inputs{Mode: Apply, Approve: "auto"})
	if out.Add != 3 || w.state() != "" {
		t.Errorf("%d to add with size = 3; the state of the default workspace is %q", out.Add, w.state())
	}
	if text, ok := w.sb.S3().Object(bucket, "env:/blue/terraform.tfstate"); !ok || !strings.Contains(string(text), "a2") {
		t.Errorf("the state of the workspace blue: %s", text)
	}
	_, recorder, err := w.run(Inputs{Workspace: "default"})
	if err != nil || len(recorder.Of("warning")) != 1 || !strings.Contains(recorder.Of("warning")[0].Text, `TF_WORKSPACE says "blue"`) {
		t.Errorf("%v: %+v", err, recorder.Of("warning"))
	}
	w.vars["TF_CLI_ARGS_apply"] = "-lock=false"
	w.vars["TF_CLI_ARGS_plan"] = "-var secret=hunter2"
	_, recorder = w.refused(Inputs{VarFiles: []string{"nowhere.tfvars"}}, action.Invalid, "TF_CLI_ARGS_apply: -lock: it is refused",
		"TF_CLI_ARGS_plan: -var: it is refused", "nowhere.tfvars: no such file")
	if strings.Contains(recorder.Text(), "hunter2") {
		t.Error("a value is told")
	}
}

// A plan does not hold ephemeral variables: they are given again, from wherever they came.
func TestEphemeralVariables(t *testing.T) {
	w := newWorld(t)
	w.write("main.tf", `variable "inline" { ephemeral = true }
variable "file" { ephemeral = true }
variable "own" { ephemeral = true }
variable "size" { default = 1 }
variable "nothing" { default = null }
resource "terraform_data" "a" {
  count = var.size
}
`)
	w.write("dev.tfvars", "own = \"a\"\nsize = 2\n")
	w.write("more.tfvars", "file = \"b\"\n")
	in := Inputs{Mode: Apply, Approve: "auto", Environment: "dev", VarFiles: []string{"more.tfvars"},
		Variables: map[string]string{"inline": "c"}}
	w.vars["RUNNER_ENVIRONMENT"] = "self-hosted"
	out, recorder := w.must(in)
	if out.Add != 2 || !strings.Contains(w.state(), "terraform_data") {
		t.Errorf("%+v", out)
	}
	if !strings.Contains(recorder.Text(), "runners before 2.329 run no such step") {
		t.Error("the runner's version is not spoken of")
	}
}

func TestAMisspeltEnvironmentIsRefused(t *testing.T) {
	for _, test := range []struct {
		name  string
		files []string
		in    Inputs
		want  string // "" is planned
		used  int
	}{
		{"another's file", []string{"prod.tfvars"}, Inputs{Environment: "prd"}, "there are variables of prod: did you mean prod?", 0},
		{"its own file", []string{"prd.tfvars", "prod.tfvars"}, Inputs{Environment: "prd"}, "", 1},
		{"its own file as JSON", []string{"prd.tfvars.json", "prod.tfvars"}, Inputs{Environment: "prd"}, "", 1},
		{"files by name", []string{"common.tfvars"}, Inputs{Environment: "prd", VarFiles: []string{"common.tfvars"}}, "", 1},
		{"what Terraform reads by itself", []string{"terraform.tfvars", "x.auto.tfvars"}, Inputs{Environment: "prd"}, "", 0},
		{"no environment", []string{"prod.tfvars"}, Inputs{}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, recorder := actiontest.NewTestEnv(t, nil)
			test.in.Directory = t.TempDir()
			for _, name := range append(test.files, "main.tf") {
				if err := os.WriteFile(filepath.Join(test.in.Directory, name), []byte("{}"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := &session{env: env, in: test.in}
			problems := s.locate()
			if test.want == "" && len(problems) > 0 || test.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), test.want)) {
				t.Errorf("%v, want %q", problems, test.want)
			}
			if len(s.varFiles) != test.used {
				t.Errorf("%q", s.varFiles)
			}
			if test.name == "what Terraform reads by itself" && !strings.Contains(recorder.Text(), "there is no prd.tfvars") {
				t.Error("nothing is said of it")
			}
		})
	}
}

// Each error is told once: the first as the run's, at its place, the others as annotations of their own.
func TestEachErrorIsToldOnce(t *testing.T) {
	w := newWorld(t)
	w.onGitHub(nil)
	w.write("main.tf", "resource \"nope\" {}\n")
	_, recorder, err := w.run(Inputs{})
	verdict := action.VerdictOf("tf-apply", action.OutcomeOf(err), err)
	all := recorder.Text() + verdict.Title + verdict.Message + verdict.Advice
	if n := strings.Count(all, "Missing name for resource"); n != 1 || strings.Count(all, "must have 2 labels") != 1 {
		t.Errorf("it is told %d times in\n%s", n, all)
	}
	if verdict.Title != "Missing name for resource" || verdict.Place == nil || verdict.Place.File != "terraform/dev/main.tf" ||
		verdict.Place.Line != 1 {
		t.Errorf("%+v at %+v", verdict, verdict.Place)
	}
	if strings.Contains(all, "encountered problems") {
		t.Error("an error that only says that there are others is told")
	}
	w.write("main.tf", "resource \"terraform_data\" \"a\" { input = var.one }\nresource \"terraform_data\" \"b\" { input = var.two }\n")
	_, recorder, err = w.run(Inputs{})
	verdict = action.VerdictOf("tf-apply", action.OutcomeOf(err), err)
	all = recorder.Text() + verdict.Title + verdict.Message
	for _, name := range []string{"one", "two"} {
		if n := strings.Count(all, "declare variable \""+name); n != 1 && strings.Count(all, "\""+name+"\" has not been declared") != 1 {
			t.Errorf("the error about %s is told %d times in\n%s", name, n, all)
		}
	}
	if !strings.Contains(verdict.Message, "another error is above") {
		t.Errorf("%q", verdict.Message)
	}
}

// An output alone is told in the log, in the totals and in the comment.
func TestOutputsAloneAreTold(t *testing.T) {
	w := newWorld(t)
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	w.write("out.tf", "output \"fresh\" { value = \"text\" }\n")
	out, recorder := w.must(Inputs{TextFile: filepath.Join(w.root, "plan.txt"), JSONFile: filepath.Join(w.root, "plan.json"), Label: "blue"})
	if !out.Changes || out.Outcome == action.NoChange {
		t.Errorf("%+v", out)
	}
	for _, want := range []string{"0 to destroy, 1 output changes", "+ output fresh", `+ value = "text"`} {
		if !strings.Contains(recorder.Text(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if !strings.Contains(recorder.Summary(), "1 output changes") || !strings.Contains(recorder.Summary(), "Plan of dev (blue)") {
		t.Errorf("the summary is %s", recorder.Summary())
	}
	text, err := os.ReadFile(out.TextFile)
	if err != nil || !strings.Contains(string(text), "+ output fresh\n    + value = \"text\"") {
		t.Errorf("%v %s", err, text)
	}
	document, err := os.ReadFile(out.JSONFile)
	var plan struct {
		OutputChanges map[string]any `json:"output_changes"`
	}
	if err == nil {
		err = json.Unmarshal(document, &plan)
	}
	if err != nil || plan.OutputChanges["fresh"] == nil {
		t.Errorf("%v %s", err, document)
	}
}

// What Terraform marks in one attribute is hidden in one that it computes of it, in the log as in the files.
func TestComputedSecretsAreHidden(t *testing.T) {
	w := newWorld(t)
	w.write("main.tf", `variable "password" { sensitive = true }
resource "terraform_data" "a" { input = "secret ${var.password}" }
resource "terraform_data" "b" { input = { url = "https://u:${nonsensitive(var.password)}@host/" } }
resource "terraform_data" "c" {
  depends_on = [terraform_data.a]
  provisioner "local-exec" { command = "echo ${nonsensitive(var.password)}; echo no ${nonsensitive(var.password)} >&2; exit 3" }
}
`)
	files := []string{filepath.Join(w.root, "plan.txt"), filepath.Join(w.root, "plan.json")}
	in := Inputs{Mode: Apply, Approve: "auto", Variables: map[string]string{"password": "hunter2!"}, TextFile: files[0], JSONFile: files[1]}
	_, recorder, err := w.run(in)
	if err == nil {
		t.Fatal("the provisioner succeeded")
	}
	said := map[string]string{"the log": recorder.Text(), "the summary": recorder.Summary(), "the error": wholeError(err)}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil || len(text) == 0 {
			t.Error(err)
		}
		said[name] = string(text)
	}
	for where, text := range said {
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s holds the password:\n%s", where, text)
		}
	}
	if !strings.Contains(said["the log"], `https://u:(sensitive)@host/`) {
		t.Error("the rest of the URL is not shown")
	}
}

func TestRefreshOnly(t *testing.T) {
	w := newWorld(t)
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	plan, _ := w.must(Inputs{RefreshOnly: true})
	if plan.Outcome != action.NoChange {
		t.Errorf("%+v", plan)
	}
	w.write("out.tf", "output \"fresh\" { value = \"text\" }\n")
	plan, _ = w.must(Inputs{RefreshOnly: true})
	if full, _ := w.must(Inputs{}); full.PlanDigest == plan.PlanDigest {
		t.Error("a plan that only refreshes is the same as one that does all")
	}
	out, _ := w.must(Inputs{Mode: Apply, RefreshOnly: true, PlanDigest: plan.PlanDigest})
	if out.Add+out.Change+out.Destroy != 0 || !strings.Contains(w.state(), "fresh") {
		t.Errorf("%+v, state %s", out, w.state())
	}
}

func TestFmtAndValidate(t *testing.T) {
	w := newWorld(t)
	w.onGitHub(nil)
	if _, recorder := w.must(Inputs{Mode: Validate}); !strings.Contains(recorder.Text(), "is valid") {
		t.Error(recorder.Text())
	}
	w.write("sub/b.tf", "locals {\n  x = 1\na=1\n}\n")
	_, recorder := w.refused(Inputs{Mode: Fmt}, action.Invalid, "A file is not formatted", "fmt -recursive")
	if !strings.Contains(recorder.Text(), "::error file=terraform/dev/sub/b.tf,line=2,") && !strings.Contains(recorder.Text(),
		"file=terraform/dev/sub/b.tf") {
		t.Error(recorder.Text())
	}
	w.write("sub/b.tf", "locals {\n  a = 1\n}\n")
	if out, _ := w.must(Inputs{Mode: Fmt}); out.Outcome != action.NoChange {
		t.Errorf("%+v", out)
	}
	w.write("bad.tf", "output \"x\" { value = var.nowhere }\n")
	_, _, err := w.run(Inputs{Mode: Validate})
	verdict := action.VerdictOf("tf-apply", action.OutcomeOf(err), err)
	if verdict.Outcome != "invalid" || verdict.Place == nil || verdict.Place.File != "terraform/dev/bad.tf" ||
		verdict.Title != "Reference to undeclared input variable" {
		t.Errorf("%+v", verdict)
	}
	w.write("bad.tf", "output {")
	w.refused(Inputs{Mode: Fmt}, action.Invalid, "fmt failed")
	if w.state() != "" || w.locked() {
		t.Error("the state was touched")
	}
}

func TestFirstDifferences(t *testing.T) {
	got := firstDifferences("--- old/a.tf\n+++ new/a.tf\n@@ -3,4 +3,4 @@\n same\n-x\n+y\n-z\n--- old/sub/b.tf\n+++ new/sub/b.tf\n@@ -1 +1 " +
		"@@\n-a=1\n+a = 1\n@@ -9 +9 @@\n-b\n")
	if len(got) != 2 || got["a.tf"] != 4 || got["sub/b.tf"] != 1 {
		t.Errorf("%v", got)
	}
}

func TestChangedRoots(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git on the PATH")
	}
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vars := map[string]string{"PATH": os.Getenv("PATH"), "HOME": t.TempDir()}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@x"}, args...)...)
		cmd.Dir, cmd.Env = root, []string{"PATH=" + vars["PATH"], "HOME=" + vars["HOME"]}
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, text)
		}
	}
	const backend = "terraform {\n  backend \"s3\" {}\n}\n"
	write("live/dev/main.tf", backend+"module \"a\" {\n  source = \"../../modules/a\"\n}\n")
	write("live/prod/main.tf", backend)
	write("live/prod/nested/main.tf", backend)
	write("modules/a/main.tf", "module \"b\" {\n  source = \"../b\"\n}\n")
	write("modules/b/main.tf", "")
	write("README.md", "")
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-qm", "one")
	for _, test := range []struct {
		file string
		want string
	}{
		{"README.md", `[]`}, {"live/dev/x.json", `["live/dev"]`}, {"modules/b/main.tf", `["live/dev"]`},
		{"live/prod/nested/main.tf", `["live/prod/nested"]`}, {"live/prod/templates/ä b.txt", `["live/prod"]`}, {"modules/c/main.tf", `[]`},
	} {
		git("checkout", "-qB", "topic", "main")
		write(test.file, "# changed\n"+backend)
		git("add", ".")
		git("commit", "-qm", "two")
		env, _ := actiontest.NewTestEnv(t, vars)
		env.Environ = func() []string { return []string{"PATH=" + vars["PATH"], "HOME=" + vars["HOME"]} }
		out, err := Run(t.Context(), env, Inputs{Mode: Changed, ChangedSince: "main", Directory: filepath.Join(root, "live")})
		if err != nil || string(out.Matrix) != test.want || out.Changes != (test.want != "[]") {
			t.Errorf("%s: %s (%v), want %s", test.file, out.Matrix, err, test.want)
		}
	}
	env, _ := actiontest.NewTestEnv(t, vars)
	env.Environ = func() []string { return []string{"PATH=" + vars["PATH"], "HOME=" + vars["HOME"]} }
	_, err := Run(t.Context(), env, Inputs{Mode: Changed, ChangedSince: "nowhere", Directory: root})
	if action.OutcomeOf(err) != action.Invalid || !strings.Contains(wholeError(err), "fetch-depth: 0") {
		t.Errorf("%v", err)
	}
}
