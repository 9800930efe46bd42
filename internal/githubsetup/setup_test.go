package githubsetup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// outputsFile writes what `terraform output -json` prints for an environment.
func outputsFile(t *testing.T, dir, environment, account string) string {
	t.Helper()
	role := func(name string) string {
		return fmt.Sprintf(`{"sensitive":false,"type":"string","value":"arn:aws:iam::%s:role/connect2-api-%s-%s"}`, account, environment, name)
	}
	text := func(value string) string { return fmt.Sprintf(`{"sensitive":false,"type":"string","value":%q}`, value) }
	fields := map[string]string{
		"plan_role_arn": role("plan"), "apply_role_arn": role("apply"), "push_role_arn": role("push"), "deploy_role_arn": role("deploy"),
		"cluster_name": text("connect2-api-cluster-" + environment), "service_name": text("connect2-api-service-" + environment),
		"container_name": text("connect2-api"), "repository_name": text("connect2-api-" + environment),
		"repository_url": text(account + ".dkr.ecr.us-west-2.amazonaws.com/connect2-api-" + environment),
		"service_url":    text("https://api-" + environment + ".connect.com"),
		"released":       `{"sensitive":false,"type":"bool","value":false}`, "name_servers": `{"sensitive":false,"type":"dynamic","value":null}`,
		"differences": `{"sensitive":false,"type":["object",{"a":"string"}],"value":{"a":"b"}}`,
	}
	var lines []string
	for name, value := range fields {
		lines = append(lines, fmt.Sprintf("%q: %s", name, value))
	}
	path := filepath.Join(dir, environment+".json")
	if err := os.WriteFile(path, []byte("{"+strings.Join(lines, ",")+"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ran is a run of the command.
type ran struct {
	code        int
	out, errors string
}

func (s *standIn) run(t *testing.T, args ...string) ran {
	t.Helper()
	return s.runAsked(t, nil, args...)
}

func (s *standIn) runAsked(t *testing.T, ask func(string) (string, error), args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	environ := map[string]string{"GITHUB_TOKEN": "gh-secret-token", "GITHUB_API_URL": "https://ghe.example/api/v3"}
	code := Run(t.Context(), args, Env{Getenv: func(name string) string { return environ[name] }, Stdout: &out, Stderr: &errs, Ask: ask,
		Transport: s})
	r := ran{code, out.String(), errs.String()}
	if strings.Contains(r.out+r.errors, "gh-secret-token") {
		t.Errorf("the token was printed:\n%s%s", r.out, r.errors)
	}
	return r
}

// everything are the flags that set both repositories up for all environments.
func everything(t *testing.T, more ...string) []string {
	dir := t.TempDir()
	args := []string{"--github", "--service", "org/connect2-api", "--toolkit", "org/connect2", "--reviewer", "org/operations"}
	for _, environment := range []string{"dev", "staging", "prod"} {
		args = append(args, "--outputs", environment+"="+outputsFile(t, dir, environment, "123456789012"))
	}
	return append(args, more...)
}

// TestBothRepositoriesFromNothing shows, sets up, and finds nothing more to do; whatever GitHub makes of fields that are left out.
func TestBothRepositoriesFromNothing(t *testing.T) {
	for _, resets := range []bool{false, true} {
		t.Run(fmt.Sprint("resets ", resets), func(t *testing.T) {
			s := newStandIn(t)
			s.resets = resets
			args := everything(t)

			shown := s.run(t, args...)
			if shown.code != 0 || len(s.calls) != 0 || !strings.Contains(shown.out, "Nothing was changed. --yes makes the ") {
				t.Fatalf("without --yes: %+v, calls %q", shown, s.calls)
			}
			done := s.run(t, append(args, "--yes")...)
			if done.code != 0 || done.errors != "" || !strings.Contains(done.out, "Done: ") {
				t.Fatalf("%+v", done)
			}
			if a, b := strings.Count(shown.out, "\n  "), strings.Count(done.out, "\n  "); a != b || a < 60 {
				t.Errorf("it showed %d lines and then %d", a, b)
			}
			s.check(t)
			if compared := s.repositories["org/connect2"]; compared.access != "organization" {
				t.Errorf("the service may not use the toolkit's workflows: access is %q", compared.access)
			}

			s.calls = nil
			again := s.run(t, append(args, "--yes")...)
			if again.code != 0 || len(s.calls) != 0 || !strings.HasSuffix(again.out, "Nothing to change.\n") {
				t.Errorf("a second run: %+v\ncalls %q", again, s.calls)
			}
		})
	}
}

// check compares both repositories with what docs/GITHUB_ACTIONS.md asks for, written down by hand.
func (s *standIn) check(t *testing.T) {
	t.Helper()
	type have struct {
		Branches, Variables string
		Reviewed            bool
	}
	want := map[string]map[string]have{"org/connect2": {"release": {Branches: "main"}}, "org/connect2-api": {}}
	const all = "AWS_DEPLOY_ROLE ECS_CLUSTER ECS_CONTAINER ECS_SERVICE SERVICE_URL"
	for environment, branch := range map[string]string{"dev": "development", "staging": "staging", "prod": "main"} {
		want["org/connect2-api"][environment+"-approval"] = have{Reviewed: environment == "prod"}
		want["org/connect2-api"][environment] = have{Branches: branch, Variables: all}
		want["org/connect2-api"][environment+"-rollback"] = have{Branches: "main", Variables: "AWS_DEPLOY_ROLE ECS_CLUSTER ECS_SERVICE"}
		want["org/connect2"][environment+"-drift"] = have{Branches: "main", Variables: "AWS_PLAN_ROLE"}
		want["org/connect2"][environment+"-plan"] = have{Variables: "AWS_PLAN_ROLE", Reviewed: environment == "prod"}
		want["org/connect2"][environment+"-apply"] = have{Branches: branch, Variables: "AWS_APPLY_ROLE", Reviewed: true}
		want["org/connect2"][environment] = have{Branches: branch, Variables: all}
	}
	got := map[string]map[string]have{}
	for name, repo := range s.repositories {
		got[name] = map[string]have{}
		for environment, e := range repo.environments {
			h := have{Reviewed: slices.Equal(e.Reviewers, []reviewerRequest{{"Team", 11}})}
			for _, b := range e.Branches {
				h.Branches = strings.TrimSpace(h.Branches + " " + b.Name)
			}
			if (e.Policy == "custom") != (h.Branches != "") {
				t.Errorf("%s, %s: the policy is %q and the branches %q", name, environment, e.Policy, h.Branches)
			}
			h.Variables = names(e.Variables)
			got[name][environment] = h
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environments (-want +got):\n%s", diff)
	}
	const push = "AWS_PUSH_ROLE_DEV AWS_PUSH_ROLE_PROD AWS_PUSH_ROLE_STAGING AWS_REGION " +
		"ECR_REPOSITORY_DEV ECR_REPOSITORY_PROD ECR_REPOSITORY_STAGING"
	if got := names(s.repositories["org/connect2-api"].variables); got != push {
		t.Errorf("the service's variables are %q", got)
	}
	if got := names(s.repositories["org/connect2"].variables); got != "AWS_REGION" {
		t.Errorf("the toolkit's variables are %q", got)
	}
	api := s.repositories["org/connect2-api"]
	for _, c := range []struct{ got, want string }{
		{api.variables["AWS_REGION"], "us-west-2"}, {api.variables["ECR_REPOSITORY_STAGING"], "connect2-api-staging"},
		{api.variables["AWS_PUSH_ROLE_PROD"], "arn:aws:iam::123456789012:role/connect2-api-prod-push"},
		{api.environments["prod"].Variables["AWS_DEPLOY_ROLE"], "arn:aws:iam::123456789012:role/connect2-api-prod-deploy"},
		{api.environments["dev"].Variables["SERVICE_URL"], "https://api-dev.connect.com"},
		{api.environments["dev-rollback"].Variables["ECS_CLUSTER"], "connect2-api-cluster-dev"},
		{s.repositories["org/connect2"].environments["dev-apply"].Variables["AWS_APPLY_ROLE"],
			"arn:aws:iam::123456789012:role/connect2-api-dev-apply"},
	} {
		if c.got != c.want {
			t.Errorf("a value is %q, want %q", c.got, c.want)
		}
	}
}

func names(variables map[string]string) string {
	var all []string
	for name := range variables {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestWhatIsThereStays sets up over what people have set up by hand.
func TestWhatIsThereStays(t *testing.T) {
	for _, resets := range []bool{false, true} {
		s := newStandIn(t)
		s.resets = resets
		api := s.repositories["org/connect2-api"]
		for i := range 45 { // more than a page
			api.variables[fmt.Sprintf("MINE_%02d", i)] = "x"
		}
		api.variables["AWS_REGION"], api.variables["ECR_REPOSITORY_DEV"] = "us-west-2", "old"
		api.environments["prod-approval"] = &environment{Wait: 30, Self: true, Bypass: false, Policy: "protected",
			Reviewers: []reviewerRequest{{"User", 2}}, Variables: map[string]string{}}
		api.environments["prod"] = &environment{Wait: 5, Bypass: true, Policy: "custom", Variables: map[string]string{"MINE": "x"},
			Branches: []branch{{ID: 1, Name: "release/*", Type: "branch"}, {ID: 2, Name: "main", Type: "tag"}}}
		api.environments["dev"] = &environment{Bypass: true, Policy: "protected", Variables: map[string]string{}}
		api.environments["other"] = &environment{Bypass: true, Variables: map[string]string{}}

		r := s.run(t, everything(t, "--yes")...)
		if r.code != 0 {
			t.Fatalf("%+v", r)
		}
		approval := api.environments["prod-approval"]
		if approval.Wait != 30 || !approval.Self || approval.Bypass || approval.Policy != "protected" ||
			!slices.Equal(approval.Reviewers, []reviewerRequest{{"User", 2}, {"Team", 11}}) {
			t.Errorf("resets %v: prod-approval is %+v", resets, *approval)
		}
		prod := api.environments["prod"]
		if prod.Wait != 5 || prod.Variables["MINE"] != "x" || len(prod.Branches) != 3 || prod.Branches[2].Name != "main" {
			t.Errorf("prod is %+v", *prod)
		}
		if dev := api.environments["dev"]; dev.Policy != "custom" || len(dev.Branches) != 1 || dev.Branches[0].Name != "development" {
			t.Errorf("dev is %+v", *dev)
		}
		if api.variables["ECR_REPOSITORY_DEV"] != "connect2-api-dev" || len(api.variables) != 45+7 || api.environments["other"] == nil {
			t.Errorf("variables %q", api.variables)
		}
		for _, say := range []string{
			`~ ECR_REPOSITORY_DEV = connect2-api-dev (it is "old")`,
			"~ environment prod-approval: asks org/operations",
			"~ environment dev: only the branches that are named may enter it (protected branches may now)",
			"Note: org/connect2-api, prod: takes the branch release/* as well: --only-these-branches shuts it out",
			"Note: org/connect2-api, prod: takes the tag main as well",
			"owner_id = 7, id = 72",
		} {
			if !strings.Contains(r.out, say) {
				t.Errorf("it does not say %q:\n%s", say, r.out)
			}
		}
		s.calls = nil
		if r := s.run(t, everything(t, "--yes", "--only-these-branches")...); r.code != 0 || len(s.calls) != 2 {
			t.Errorf("--only-these-branches: %+v, calls %q", r, s.calls)
		}
		if left := api.environments["prod"].Branches; len(left) != 1 || left[0].Name != "main" || left[0].Type != "branch" {
			t.Errorf("prod takes %+v", left)
		}
	}
}

// TestEveryProblemAtOnce: nothing is changed, and all that is wrong is said.
func TestEveryProblemAtOnce(t *testing.T) {
	dir := t.TempDir()
	dev, prod := outputsFile(t, dir, "dev", "123456789012"), outputsFile(t, dir, "prod", "123456789012")
	text, err := os.ReadFile(dev)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	without := file("without.json", strings.Replace(string(text), `"value":"arn:aws:iam::123456789012:role/connect2-api-dev-deploy"`,
		`"value":null`, 1))
	basic := []string{"--github", "--service", "org/connect2-api", "--toolkit", "org/connect2", "--reviewer", "alice"}
	for name, c := range map[string]struct {
		args []string
		set  func(*standIn)
		says []string
	}{
		"nothing": {nil, nil, []string{"say what to set up: --github", "say which repository", "say which environment",
			"say who is asked"}},
		"flags": {[]string{"--github", "--service", "api", "--toolkit", "a/b/c", "--no-reviewers", "--reviewer", "a b", "--prevent-self-review",
			"--outputs", "dev", "--outputs", "qa=" + dev, "--value", "dev.x", "--value", "dev.cluster_nam=x", "extra"}, nil,
			[]string{`--service: "api" is not OWNER/NAME`, `--toolkit: "a/b/c" is not`, "exclude each other", `--reviewer "a b"`,
				"--outputs dev: give ENV=FILE", `"qa" is not an environment`, "--value dev.x: give", "did you mean cluster_name?",
				`"extra" is not understood`}},
		"files": {append(slices.Clone(basic), "--outputs", "dev="+filepath.Join(dir, "none"), "--outputs", "prod="+file("empty.json", "{}"),
			"--outputs", "staging="+file("state.json", `{"version": 4}`), "--outputs", "staging="+file("text.json", "cluster = x")), nil,
			[]string{"no such file", "apply the environment first", "is not what `terraform output -json` prints"}},
		"twice": {append(slices.Clone(basic), "--outputs", "dev="+dev, "--outputs", "dev="+dev), nil, []string{"dev is given twice"}},
		"values": {append(slices.Clone(basic), "--outputs", "dev="+without, "--outputs", "prod="+prod, "--value", "dev.service_url=api.com",
			"--value", "prod.cluster_name=a b", "--value", "prod.plan_role_arn=plan", "--region", "us-east-1"), nil,
			[]string{"dev: the output deploy_role_arn is missing or null: name the repositories under github", `"api.com", which is not a URL`,
				`"a b", which is not a name`, `"plan", which is not the ARN of a role`, "dev is in us-west-2, not in us-east-1",
				"prod is in us-west-2"}},
		"mixed up": {append(slices.Clone(basic), "--outputs", "dev="+dev, "--outputs", "prod="+dev), nil,
			[]string{"dev and prod have the same deploy_role_arn: the outputs of one are given for the other"}},
		"no region": {append(slices.Clone(basic), "--outputs", "dev="+file("url.json", strings.Replace(string(text), ".dkr.ecr.", ".", 1))), nil,
			[]string{"the region is not known: give --region"}},
		"region": {append(slices.Clone(basic), "--outputs", "dev="+dev, "--region", "Oregon"), nil, []string{`the region "Oregon"`}},
		"github": {append(slices.Clone(basic), "--outputs", "dev="+dev, "--reviewer", "carol", "--reviewer", "org/nobody", "--reviewer", "bob"),
			func(s *standIn) {
				s.repositories["org/connect2"].notAdmin = true
				s.repositories["org/connect2-api"].readers = []string{"alice"}
				s.repositories["org/connect2-api"].claims = []string{"repo", "ref"}
			},
			[]string{"the reviewer carol: looking for the user: GitHub answered 404", "the reviewer org/nobody: looking for the team",
				"org/connect2: the token's user does not administer it", "org/connect2-api: the reviewer bob may not read it",
				"identity tokens have a sub of repo, ref"}},
		"absent": {[]string{"--github", "--service", "org/absent", "--toolkit", "org/none", "--reviewer", "alice",
			"--outputs", "dev=" + dev}, nil,
			[]string{"org/absent: reading: GitHub answered 404, Not Found: it does not exist, or the token may not see it", "org/none: reading"}},
		"another organization": {[]string{"--github", "--service", "other/api", "--toolkit", "org/connect2", "--reviewer", "alice",
			"--outputs", "dev=" + dev},
			func(s *standIn) { s.repositories["other/api"] = newRepository(3) },
			[]string{"org/connect2 is not public, and other cannot use its workflows"}},
		"forbidden": {append(slices.Clone(basic), "--outputs", "dev="+dev),
			func(s *standIn) { s.trouble["GET /repos/org/connect2-api/environments/dev"] = 403 },
			[]string{"org/connect2-api, dev: reading: GitHub answered 403, Resource not accessible by personal access token: " +
				"a classic token needs"}},
		"reviewers": {append(slices.Clone(basic), "--outputs", "dev="+dev),
			func(s *standIn) {
				s.repositories["org/connect2"].environments["dev-apply"] = &environment{Bypass: true, Variables: map[string]string{},
					Reviewers: []reviewerRequest{{"User", 21}, {"User", 22}, {"User", 23}, {"User", 24}, {"User", 25}, {"User", 26}}}
			},
			[]string{"org/connect2, dev-apply: 7 reviewers with those that it has; GitHub takes 6"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t)
			if c.set != nil {
				c.set(s)
			}
			r := s.run(t, append(c.args, "--yes")...)
			if r.code != 1 || len(s.calls) != 0 {
				t.Errorf("exit code %d, calls %q", r.code, s.calls)
			}
			for _, say := range c.says {
				if !strings.Contains(r.errors, say) {
					t.Errorf("it does not say %q:\n%s", say, r.errors)
				}
			}
		})
	}
}

func TestNoToken(t *testing.T) {
	var out, errs bytes.Buffer
	code := Run(t.Context(), everything(t), Env{Getenv: func(string) string { return "" }, Stdout: &out, Stderr: &errs})
	if code != 1 || !strings.Contains(errs.String(), "set GITHUB_TOKEN or GH_TOKEN") {
		t.Errorf("%d: %s", code, errs.String())
	}
	s := newStandIn(t)
	environ := map[string]string{"GITHUB_TOKEN": "wrong", "GH_TOKEN": "gh-secret-token"}
	code = Run(t.Context(), everything(t), Env{Getenv: func(name string) string { return environ[name] }, Stdout: &out, Stderr: &errs,
		Transport: s})
	if code != 0 || !s.tokens["Bearer gh-secret-token"] || len(s.tokens) != 1 {
		t.Errorf("%d, tokens %v: GH_TOKEN wins, as it does for gh", code, s.tokens)
	}
	environ["GH_TOKEN"] = "expired"
	errs.Reset()
	code = Run(t.Context(), everything(t), Env{Getenv: func(name string) string { return environ[name] }, Stdout: &out, Stderr: &errs,
		Transport: s})
	if code != 1 || !strings.Contains(errs.String(), "401, Bad credentials: the token is not valid") {
		t.Errorf("%d: %s", code, errs.String())
	}
}

// TestATerminalIsAsked: only yes goes on.
func TestATerminalIsAsked(t *testing.T) {
	for answer, changed := range map[string]bool{"yes\n": true, "y\n": false, "\n": false, "no\n": false} {
		s := newStandIn(t)
		asked := ""
		r := s.runAsked(t, func(question string) (string, error) { asked = question; return answer, nil }, everything(t)...)
		if (len(s.calls) > 0) != changed || (r.code == 0) != changed || !strings.Contains(asked, " changes. Type yes") {
			t.Errorf("%q to %q: %+v, %d calls", answer, asked, r, len(s.calls))
		}
		if !changed && !strings.Contains(r.errors, "nothing was changed") {
			t.Errorf("%+v", r)
		}
	}
	s := newStandIn(t)
	if r := s.runAsked(t, func(string) (string, error) { return "", errors.New("EOF") }, everything(t)...); r.code != 1 || len(s.calls) > 0 {
		t.Errorf("%+v", r)
	}
	never := func(string) (string, error) { t.Error("asked in spite of --yes"); return "", nil }
	if r := newStandIn(t).runAsked(t, never, everything(t, "--yes")...); r.code != 0 {
		t.Errorf("%+v", r)
	}
}

// TestHalfWayIsGoneOnWith fails one call after the other: a run says what failed, never leaves an environment with variables and
// without rules, and the next run makes the rest.
func TestHalfWayIsGoneOnWith(t *testing.T) {
	first := newStandIn(t)
	if r := first.run(t, everything(t, "--yes")...); r.code != 0 {
		t.Fatal(r.errors)
	}
	for i, call := range first.calls {
		if i%20 != 0 && !strings.HasPrefix(call, "PUT ") {
			continue
		}
		s := newStandIn(t)
		s.trouble[call] = 403
		r := s.run(t, everything(t, "--yes")...)
		if r.code != 2 || !strings.Contains(r.errors, "GitHub answered 403") ||
			!strings.Contains(r.errors, "the same command again makes the rest") {
			t.Errorf("%s: %+v", call, r)
		}
		if environment, ok := strings.CutPrefix(call, "PUT /repos/org/connect2-api/environments/"); ok {
			for _, made := range s.calls {
				if strings.Contains(made, "connect2-api/environments/"+environment+"/") {
					t.Errorf("%s failed, and then it called %s", call, made)
				}
			}
		}
		if r := s.run(t, everything(t, "--yes")...); r.code != 0 {
			t.Errorf("after %s: %+v", call, r)
		}
		s.check(t)
	}
}

// A plan of GitHub without required reviewers refuses them: no environment is left that nobody guards without a word.
func TestAPlanWithoutReviewers(t *testing.T) {
	s := newStandIn(t)
	s.noReviewers = true
	r := s.run(t, everything(t, "--yes")...)
	if r.code != 2 || !strings.Contains(r.errors, "required reviewers of a private repository need GitHub Enterprise; give --no-reviewers") {
		t.Errorf("%+v", r)
	}
	if e := s.repositories["org/connect2"].environments["prod-apply"]; e != nil {
		t.Errorf("prod-apply was made without its reviewers: %+v", *e)
	}
	args := slices.DeleteFunc(everything(t, "--yes", "--no-reviewers"),
		func(a string) bool { return a == "--reviewer" || a == "org/operations" })
	r = s.run(t, args...)
	if r.code != 0 || !strings.Contains(r.out, "Note: org/connect2, prod-apply: nobody is asked before a job enters it") {
		t.Errorf("%+v", r)
	}
	if e := s.repositories["org/connect2"].environments["prod-apply"]; e == nil || e.Policy != "custom" {
		t.Errorf("prod-apply is %+v", e)
	}
}

// TestAnAnswerThatIsLost: what was made without an answer is there the next time, and nothing is made twice.
func TestAnAnswerThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStandIn(t)
		s.lossy["POST /repos/org/connect2-api/actions/variables"] = true
		s.lossy["POST /repos/org/connect2-api/environments/dev/deployment-branch-policies"] = true
		if r := s.run(t, everything(t, "--yes")...); r.code != 2 || !strings.Contains(r.errors, "unexpected EOF") {
			t.Errorf("%+v", r)
		}
		if r := s.run(t, everything(t, "--yes")...); r.code != 0 {
			t.Errorf("%+v", r)
		}
		s.check(t)
	})
}

// What GitHub has a bad moment for is asked again; a variable that somebody makes meanwhile is set.
func TestBadMomentsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStandIn(t)
		s.trouble["GET /repos/org/connect2"] = 502
		s.trouble["PUT /repos/org/connect2/environments/dev"] = 503
		s.trouble["PATCH /repos/org/connect2-api/actions/variables/AWS_REGION"] = 502
		s.repositories["org/connect2-api"].variables["AWS_REGION"] = "eu-west-1"
		if r := s.run(t, everything(t, "--yes")...); r.code != 0 {
			t.Errorf("%+v", r)
		}
		s.check(t)
	})
	s := newStandIn(t)
	wanted := Repository{"org", "connect2-api"}
	s.repositories[wanted.String()].variables["AWS_REGION"] = "somebody-else-1"
	h := hubOver(t, s)
	err := h.carryOut(t.Context(), wanted, Change{Variable: &VariableChange{Name: "AWS_REGION", Value: "us-west-2"}})
	if err != nil || s.repositories[wanted.String()].variables["AWS_REGION"] != "us-west-2" {
		t.Errorf("%v, %q", err, s.repositories[wanted.String()].variables)
	}
}

func TestCancelled(t *testing.T) {
	s := newStandIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	stop := transport(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			cancel()
		}
		return s.RoundTrip(r)
	})
	var out, errs bytes.Buffer
	environ := map[string]string{"GITHUB_TOKEN": "gh-secret-token"}
	code := Run(ctx, everything(t, "--yes"), Env{Getenv: func(name string) string { return environ[name] }, Stdout: &out, Stderr: &errs,
		Transport: stop})
	if code != 130 || len(s.calls) != 1 || !strings.Contains(errs.String(), "cancelled") {
		t.Errorf("%d after %q: %s", code, s.calls, errs.String())
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHelpAndUnknownFlags(t *testing.T) {
	s := newStandIn(t)
	if r := s.run(t, "--help"); r.code != 0 || !strings.Contains(r.out, "-only-these-branches") ||
		!strings.Contains(r.out, "Usage: connect2 init") {
		t.Errorf("%+v", r)
	}
	if r := s.run(t, "--nope"); r.code != 1 || !strings.Contains(r.errors, "-nope") {
		t.Errorf("%+v", r)
	}
}
