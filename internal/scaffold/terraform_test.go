package scaffold

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copied is a copy of this repository's folder terraform, without its modules.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const from = "../../terraform"
	err := filepath.WalkDir(filepath.Join(from, "environments"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		put(t, filepath.Join(dir, name), read(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var acme = []string{"--project", "shop-api", "--domain", "example.com", "--region", "eu-central-1",
	"--account", "dev=111111111111,staging=111111111111,prod=222222222222", "--toolkit", "acme/platform",
	"--service-repository", "acme/shop-api"}

// told is the lines of a file of the copy that have one of these words.
func told(t *testing.T, dir, file string, words ...string) string {
	t.Helper()
	var found []string
	for line := range strings.SplitSeq(read(t, filepath.Join(dir, file)), "\n") {
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}

// TestTerraform makes a copy a company's: shown first, written when told, found right afterwards, and another company's after that.
func TestTerraform(t *testing.T) {
	dir := copied(t)
	args := append([]string{"--terraform", dir}, acme...)
	before := read(t, filepath.Join(dir, "environments/prod/prod.tfvars"))
	shown := initIn(t, Env{}, args...)
	if shown.code != 0 || !strings.Contains(shown.out, "Nothing was written. --yes writes the 9 files.") ||
		!strings.Contains(shown.out, "environments/prod/prod.tfvars (changes)") ||
		!strings.Contains(shown.out, `+   host        = "api.example.com"`) ||
		read(t, filepath.Join(dir, "environments/prod/prod.tfvars")) != before {
		t.Fatalf("%+v", shown)
	}
	if done := initIn(t, Env{}, append(args, "--yes")...); done.code != 0 || !strings.Contains(done.out, "Done: 9 files written.") {
		t.Fatalf("%+v", done)
	}
	for _, test := range []struct{ file, want string }{
		{"environments/dev/backend.tf", `bucket       = "shop-api-terraform-state-dev"` + "\n" + `region       = "eu-central-1"`},
		{"environments/prod/prod.tfvars", `account_id  = "222222222222"
zone        = "example.com"
host        = "api.example.com"
repository = { owner = "acme", name = "platform" }
{ owner = "acme", name = "shop-api", branches = ["main"] },
{ owner = "acme", name = "platform", branches = ["main"] },`},
		{"environments/dev/dev.tfvars", `account_id  = "111111111111"
zone = "example.com"
host = "api-dev.example.com"
repository = { owner = "acme", name = "platform" }
{ owner = "acme", name = "shop-api", branches = ["development"] },
{ owner = "acme", name = "platform", branches = ["development"] },`},
	} {
		if got := told(t, dir, test.file, "bucket ", "region ", "account_id ", "  zone", "host ",
			"owner ="); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.file, got, test.want)
		}
	}
	variables := read(t, filepath.Join(dir, "environments/dev/variables.tf"))
	for _, name := range []string{"staging", "prod"} {
		if read(t, filepath.Join(dir, "environments", name, "variables.tf")) != variables {
			t.Errorf("%s's variables.tf is not dev's any more", name)
		}
	}
	if strings.Contains(variables, "connect2-api") || strings.Contains(variables, "us-west-2") ||
		!strings.Contains(variables, `default     = "shop-api"`) {
		t.Error("variables.tf has names of the copy")
	}
	if again := initIn(t, Env{}, args...); again.code != 0 || !strings.Contains(again.out, "Nothing to change.") {
		t.Errorf("again: %+v", again)
	}
	other := initIn(t, Env{}, "--terraform", dir, "--project", "other", "--toolkit", "b/kit", "--domain", "other.org", "--yes")
	if other.code != 0 || told(t, dir, "environments/dev/backend.tf", "bucket ") != `bucket       = "other-terraform-state-dev"` ||
		told(t, dir, "environments/dev/dev.tfvars", "host ", "owner =") != `host = "api-dev.other.org"
repository = { owner = "b", name = "kit" }
{ owner = "acme", name = "shop-api", branches = ["development"] },
{ owner = "b", name = "kit", branches = ["development"] },` {
		t.Errorf("%+v\n%s", other, read(t, filepath.Join(dir, "environments/dev/dev.tfvars")))
	}
}

// TestTerraformBucket: a bucket of another name is told to the roles too, and stays when the project gets another name.
func TestTerraformBucket(t *testing.T) {
	dir := copied(t)
	if done := initIn(t, Env{}, append([]string{"--terraform", dir, "--yes"}, acme...)...); done.code != 0 {
		t.Fatalf("%+v", done)
	}
	run := func(want string, args ...string) {
		t.Helper()
		done := initIn(t, Env{}, append([]string{"--terraform", dir, "--yes"}, args...)...)
		got := told(t, dir, "environments/prod/backend.tf", "bucket ") + " " + told(t, dir, "environments/prod/prod.tfvars", "state_bucket")
		if done.code != 0 || got != want {
			t.Errorf("%q: %+v\n%s, want %s", args, done, got, want)
		}
	}
	run(`bucket       = "acme-state-prod" state_bucket = "acme-state-prod"`, "--bucket", "acme-state-{environment}")
	run(`bucket       = "acme-state-prod" state_bucket = "acme-state-prod"`, "--bucket", "acme-state-{environment}")
	run(`bucket       = "acme-state-prod" state_bucket = "acme-state-prod"`, "--project", "shop")
	run(`bucket       = "tf-prod" state_bucket = "tf-prod"`, "--bucket", "tf-{environment}")
	if program, err := exec.LookPath("terraform"); err == nil {
		if out, err := exec.Command(program, "fmt", "-check", "-recursive", "-diff", dir).CombinedOutput(); err != nil {
			t.Errorf("terraform fmt: %v\n%s", err, out)
		}
	}
	dir = copied(t)
	run(`bucket       = "shop-terraform-state-prod" `, "--project", "shop", "--bucket", "shop-terraform-state-{environment}")
}

// TestTerraformProblems: all that is wrong is said at once, and nothing is written.
func TestTerraformProblems(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		change [3]string // a file of the copy, what stands in it, what is put there
		says   []string
	}{
		"nothing": {says: []string{"say what the copy is to be called"}},
		"wrong values": {args: []string{"--project", "Shop", "--domain", "example", "--region", "europe", "--account", "1,qa=222222222222",
			"--bucket", "B_{environment}", "--toolkit", "acme", "--service-repository", "shop"},
			says: []string{`--project: "Shop"`, `--domain: "example"`, `--region: "europe"`, `--account: "1"`, `no environment "qa"`,
				`--bucket: "B_dev"`, `--toolkit: "acme"`, `--service-repository: "shop"`}},
		"a long name":      {args: []string{"--project", "twenty-one-characters"}, says: []string{"at most 20 lower-case letters"}},
		"one bucket":       {args: []string{"--bucket", "state"}, says: []string{"would be that of dev, staging, prod: write {environment}"}},
		"an account twice": {args: []string{"--account", "dev=111111111111,dev=111111111111"}, says: []string{"dev is given twice"}},
		"one repository":   {args: []string{"--toolkit", "a/b", "--service-repository", "a/b"}, says: []string{"a/b has the Terraform already"}},
		"other flags": {args: []string{"--dir", ".", "--migrate", "x", "more"},
			says: []string{"--dir and", "--migrate and", `"more" is not`}},
		"no domain": {args: []string{"--domain", "b.org"}, change: [3]string{"dev/dev.tfvars", "  zone =", "  zones ="},
			says: []string{"domain.zone is not there"}},
		"no default": {args: []string{"--project", "b2"}, change: [3]string{"dev/variables.tf", `"project"`, `"product"`},
			says: []string{"the default of project is not there"}},
		"numbers": {args: []string{"--toolkit", "a/b"}, change: [3]string{"dev/dev.tfvars", `name = "connect2" }`, `name = "connect2", id = 7 }`},
			says: []string{"owner_id and id are those of org/connect2"}},
		"several services": {args: []string{"--service-repository", "a/b"}, change: [3]string{"dev/dev.tfvars", "service_repositories = [",
			`service_repositories = [{ owner = "x", name = "y", branches = [] },`}, says: []string{"has 2 of services"}},
		"no environment": {args: []string{"--account", "111111111111"}, change: [3]string{"dev/dev.tfvars", "environment = ", "env = "},
			says: []string{"set account_id by hand"}},
		"another folder": {args: []string{"--terraform", "nowhere", "--project", "shop"}, says: []string{"nowhere has no environments/dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copied(t)
			if test.change[0] != "" {
				at := filepath.Join(dir, "environments", test.change[0])
				text := read(t, at)
				if !strings.Contains(text, test.change[1]) {
					t.Fatalf("%s has no %q", at, test.change[1])
				}
				put(t, at, strings.Replace(text, test.change[1], test.change[2], 1))
			}
			before := read(t, filepath.Join(dir, "environments/prod/prod.tfvars"))
			done := initIn(t, Env{}, append([]string{"--terraform", dir, "--yes"}, test.args...)...)
			if done.code != 1 || read(t, filepath.Join(dir, "environments/prod/prod.tfvars")) != before {
				t.Errorf("%+v", done)
			}
			for _, words := range test.says {
				if !strings.Contains(done.errors, words) {
					t.Errorf("nobody says %q:\n%s", words, done.errors)
				}
			}
		})
	}
	if done := initIn(t, Env{}, "--project", "shop", "--region", "us-west-2", "--domain", "b.org"); done.code != 1 ||
		!strings.Contains(done.errors, "--domain belongs to --terraform DIR") {
		t.Errorf("%+v", done)
	}
}

// TestTerraformIsAsked: in a terminal it asks, and writes after a yes alone.
func TestTerraformIsAsked(t *testing.T) {
	for _, test := range []struct {
		last string
		code int
		want string
	}{{"yes", 0, "shop"}, {"no", 1, "connect2-api"}} {
		dir := copied(t)
		answers := []string{"shop", "", "", "", "", "", test.last}
		var questions []string
		done := initIn(t, Env{Ask: func(question string) (string, error) {
			questions = append(questions, question)
			return answers[len(questions)-1] + "\n", nil
		}}, "--terraform", dir)
		want := `bucket       = "` + test.want + `-terraform-state-dev"`
		if got := told(t, dir, "environments/dev/backend.tf", "bucket "); done.code != test.code || got != want || len(questions) != 7 {
			t.Errorf("%+v after %q: %s", done, questions, got)
		}
	}
}

// TestTerraformOfOneEnvironment: others need not be there, and what people wrote in comments is no value.
func TestTerraformOfOneEnvironment(t *testing.T) {
	dir := copied(t)
	for _, name := range []string{"dev", "staging"} {
		if err := os.RemoveAll(filepath.Join(dir, "environments", name)); err != nil {
			t.Fatal(err)
		}
	}
	at := filepath.Join(dir, "environments/prod/prod.tfvars")
	put(t, at, "# domain = { zone = \"a\" } \"\n/* github = {\n*/\n// } account_id = \"1\"\n"+
		strings.Replace(read(t, at), "domain = {", "domain = { # zone = \"old.org\" }", 1))
	done := initIn(t, Env{}, append([]string{"--terraform", dir, "--yes", "--bucket", "state"}, acme[:2]...)...)
	if done.code != 0 || told(t, dir, "environments/prod/backend.tf", "bucket ") != `bucket       = "state"` {
		t.Errorf("%+v", done)
	}
	done = initIn(t, Env{}, "--terraform", dir, "--yes", "--domain", "example.com", "--account", "222222222222")
	if want := "  zone        = \"example.com\"\n"; done.code != 0 || !strings.Contains(read(t, at), want) ||
		!strings.Contains(read(t, at), `{ # zone = "old.org" }`) || !strings.Contains(read(t, at), "\naccount_id  = \"222222222222\"\n") {
		t.Errorf("%+v\n%s", done, read(t, at))
	}
}
