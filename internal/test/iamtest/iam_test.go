package iamtest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/release"
)

var update = flag.Bool("update", false, "write docs/iam from the runs")

const folder = "../../../docs/iam"

// TestPolicies plays each action's runs and holds its policy to them: it says what they asked for, it is enough, each of its
// required permissions is required, and each optional one optional.
func TestPolicies(t *testing.T) {
	for _, p := range all() {
		t.Run(p.of.Meta.Name, func(t *testing.T) {
			t.Parallel()
			p.test(t)
		})
	}
}

func (p permissions) test(t *testing.T) {
	scenarios, seen := p.scenarios(), observed{}
	for _, st := range scenarios {
		r := st.play(t, "")
		if r.outcome != st.want || len(r.warnings) > 0 && r.outcome == action.Succeeded {
			t.Fatalf("%s: %s, want %s; error %v, warnings %q", st.name, r.outcome, st.want, r.err, r.warnings)
		}
		seen.add(st, r)
	}
	for n := range seen {
		if slices.ContainsFunc(p.elsewhere, func(g grant) bool { return g.action == n.action }) {
			delete(seen, n)
		}
	}
	base := ""
	if p.beside != "" {
		base = p.besides(t, seen)
	}
	policy, problems := document(p.statements, seen)
	for _, problem := range problems {
		t.Error(problem)
	}
	if t.Failed() {
		t.FailNow()
	}
	upToDate(t, p.file()+".json", policy)
	if strings.Contains(policy, "quartz") || strings.Contains(policy, account) || strings.Contains(policy, region) {
		t.Errorf("a name has no placeholder:\n%s", policy)
	}

	t.Run("enough", func(t *testing.T) {
		t.Parallel()
		for _, st := range scenarios {
			p.enough(t, st, joined(t, base, policy))
		}
	})
	if raceDetector && p.of == release.Action {
		return // its parts are tried on their own, in the same code, and all of it takes a minute
	}
	for _, st := range p.statements {
		for _, g := range st.actions {
			t.Run(st.sid+"/"+g.action, func(t *testing.T) {
				t.Parallel()
				less, _ := document(without(p.statements, st.sid, g), seen)
				less = joined(t, base, less)
				if st.optional() {
					p.dispensable(t, st, g, less, seen.users(scenarios, g))
				} else {
					p.indispensable(t, g, less, seen.users(scenarios, g))
				}
			})
		}
	}
}

// file is the name of the policy's file.
func (p permissions) file() string {
	if p.beside != "" {
		return p.name
	}
	return p.of.Meta.Name
}

// besides takes what another policy gives already out of what was asked for, and returns that policy.
func (p permissions) besides(t *testing.T, seen observed) string {
	t.Helper()
	for _, st := range read(t, p.beside) {
		for n := range seen {
			if slices.Contains(st.Action, n.action) && (slices.Contains(st.Resource, n.resource) || slices.Contains(st.Resource, "*")) {
				delete(seen, n)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, p.beside+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// joined puts the statements of two policies into one.
func joined(t *testing.T, base, policy string) string {
	t.Helper()
	if base == "" {
		return policy
	}
	var a, b struct{ Statement []policyStatement }
	for text, to := range map[string]any{base: &a, policy: &b} {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			t.Fatal(err)
		}
	}
	return encode(slices.Concat(a.Statement, b.Statement))
}

// upToDate compares a file of docs/iam with what it should be, or writes it.
func upToDate(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/iam/%s is not what `go generate ./...` writes (-want +got):\n%s", name, diff)
	}
}

// enough plays a scenario under the policy: it ends as without one, and nothing is denied.
func (p permissions) enough(t *testing.T, st scenario, policy string) {
	t.Helper()
	r := st.play(t, st.fill(policy))
	if r.outcome != st.want {
		t.Errorf("%s: %s under the policy, want %s: %v", st.name, r.outcome, st.want, r.err)
	}
	for _, warning := range r.warnings {
		if strings.Contains(warning, "ermission") {
			t.Errorf("%s: warned: %s", st.name, warning)
		}
	}
	for _, a := range r.allowed() {
		elsewhere := slices.ContainsFunc(p.elsewhere, func(g grant) bool { return g.action == a.Action })
		if !a.Allowed && !elsewhere && !isLeftOut(need{action: a.Action, resource: a.Resource}) {
			t.Errorf("%s: the policy denies %s on %s", st.name, a.Action, a.Resource)
		}
	}
}

// indispensable plays the scenarios that use a permission without it. One of them fails for it, with an error that names it and
// the outcome that tells what was changed; those before it do not need it, and end as ever.
func (p permissions) indispensable(t *testing.T, g grant, policy string, users []scenario) {
	t.Helper()
	for _, st := range users {
		r := st.play(t, st.fill(policy))
		named := r.err != nil && strings.Contains(r.err.Error(), g.action)
		if !named {
			if r.outcome != st.want {
				t.Errorf("%s: %s, and the error does not name %s: %v", st.name, r.outcome, g.action, r.err)
			}
			continue
		}
		if want := refusals(g, r.changed()); !slices.Contains(want, r.outcome) {
			t.Errorf("%s without %s: %s after %v, want %s: %v", st.name, g.action, r.outcome, r.changed(), want, r.err)
		}
		return
	}
	t.Errorf("no run fails without %s", g.action)
}

// refusals returns the outcomes that may be told when this is denied after these changes: invalid says that nothing was
// changed, and unknown that a task was started which can be neither watched nor stopped.
func refusals(g grant, changed []string) []action.Outcome {
	watch := g.action == "ecs:DescribeTasks" || g.action == "ecs:StopTask"
	switch {
	case len(changed) > 0 && isSchedules(g): // what has arrived goes back, or stays where it was itself a way back
		return []action.Outcome{action.RolledBack, action.Stuck}
	case watch && slices.Contains(changed, "ecs:RunTask"):
		return []action.Outcome{action.Unknown}
	case len(changed) > 0:
		return []action.Outcome{action.Failed}
	case isChange(g.action):
		return []action.Outcome{action.Invalid, action.Failed}
	default:
		return []action.Outcome{action.Invalid}
	}
}

// isSchedules says whether the permission is one for changing schedules.
func isSchedules(g grant) bool {
	return g.action == "events:PutTargets" || g.action == "scheduler:UpdateSchedule" ||
		g.action == "iam:PassRole" && (g.on == "{rule-role}" || g.on == "{schedule-role}")
}

// isChange says whether the action changes something: its denial may come after the checks.
func isChange(name string) bool {
	_, verb, _ := strings.Cut(name, ":")
	return !slices.ContainsFunc([]string{"Describe", "List", "Get", "Batch"},
		func(prefix string) bool { return strings.HasPrefix(verb, prefix) })
}

// dispensable plays the first scenarios that use an optional permission without it. They end as ever, with one warning.
func (p permissions) dispensable(t *testing.T, statement statement, g grant, policy string, users []scenario) {
	t.Helper()
	most := 2
	if p.of == release.Action || raceDetector { // the parts of a release are tried on their own
		most = 1
	}
	for _, st := range users[:min(most, len(users))] {
		r := st.play(t, st.fill(policy))
		if r.outcome != st.want {
			t.Errorf("%s: %s without %s, want %s: %v", st.name, r.outcome, g.action, st.want, r.err)
		}
		warned := 0
		for _, warning := range r.warnings {
			if strings.Contains(warning, g.action) {
				warned++
			}
		}
		if warned != 1 && !statement.quiet {
			t.Errorf("%s without %s: %d warnings name it, want 1: %q", st.name, g.action, warned, r.warnings)
		}
	}
}

// The policies that are pushed and deployed with are copied into the module that makes the roles, which so stands alone. It comes after
// TestPolicies, whose files it copies.
func TestTheModuleHasThePolicies(t *testing.T) {
	for _, name := range delivered {
		want, err := os.ReadFile(filepath.Join(folder, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("../../../terraform/modules/github-oidc/policies", name+".json")
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what `go generate ./...` writes (-want +got):\n%s", path, diff)
		}
	}
}

// TestMain trades memory for time: the runs make much garbage, and live for milliseconds.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
