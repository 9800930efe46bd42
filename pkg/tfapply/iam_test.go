package tfapply

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// gate stands between the runs and AWS like IAM: it lets through what a policy of docs/iam allows, and notes what was asked for.
type gate struct {
	mu      sync.Mutex
	allowed []string // "s3:GetObject arn:…", one for each action on each resource
	asked   map[string]bool
	refused []string
}

// policy reads a policy, with the names of this world in its placeholders.
func policy(t *testing.T, name string) *gate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/iam", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("{partition}", "aws", "{region}", "us-west-2", "{account}", "123456789012",
		"{state-bucket}", bucket, "{state-key}", "terraform.tfstate", "{plan-key}", "plan").Replace(string(text))
	var document struct {
		Statement []struct {
			Action, Resource []string
			Condition        any
		}
	}
	if err := json.Unmarshal([]byte(filled), &document); err != nil {
		t.Fatal(err)
	}
	g := &gate{asked: map[string]bool{}}
	for _, statement := range document.Statement {
		if statement.Condition != nil {
			t.Fatalf("%s has a condition, which nothing here looks at: %v", name, statement.Condition)
		}
		for _, action := range statement.Action {
			for _, resource := range statement.Resource {
				g.allowed = append(g.allowed, action+" "+resource)
			}
		}
	}
	return g
}

// permission names what a request needs. S3's permissions are those of the API's reference: HEAD is s3:GetObject as well. The
// caller's own identity needs none.
func permission(r *http.Request) string {
	if _, call, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "TrentService."); ok {
		return "kms:" + call + " arn:aws:kms:us-west-2:123456789012:key/plan"
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name != bucket {
		return ""
	}
	on := "arn:aws:s3:::" + bucket
	if key == "" {
		return "s3:ListBucket " + on
	}
	return map[string]string{"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject",
		"DELETE": "s3:DeleteObject"}[r.Method] + " " + on + "/" + key
}

// answer takes what it refuses, and what the sandbox does not know; ok is false for what is to go on.
func (g *gate) answer(w http.ResponseWriter, r *http.Request) (ok bool) {
	needs := permission(r)
	if needs == "" {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked[needs] = true
	if !slices.Contains(g.allowed, needs) {
		g.refused = append(g.refused, needs)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		return true
	}
	if strings.HasPrefix(needs, "kms:") {
		key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789ABCDEF"))
		fmt.Fprintf(w, `{"KeyId": "arn:aws:kms:us-west-2:123456789012:key/plan", "Plaintext": %q, "CiphertextBlob": %q}`, key, key)
		return true
	}
	return false
}

// through makes a world's runs, the action's own calls and Terraform's, pass the gate.
func (w *world) through(g *gate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intercept = g.answer
	if g == nil {
		w.intercept = nil
	}
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if g.answer(recorder, r) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		return recorder.Result(), nil
	}
	return nil, nil
}

// TestPoliciesAreEnoughAndNoMore plays the runs of both roles and holds docs/iam to them: nothing that they ask for is missing, and
// nothing is allowed that no run asks for.
func TestPoliciesAreEnoughAndNoMore(t *testing.T) {
	w := newWorld(t)
	w.gitHub().runs = map[string]string{"66/attempts/2": "completed"}
	w.onGitHub(map[string]string{"GITHUB_ACTOR": "hubot"})
	sealed := filepath.Join(t.TempDir(), "plan.sealed")
	size := func(n string) map[string]string { return map[string]string{"size": n} }
	planner, applier := policy(t, "tf-apply-plan"), policy(t, "tf-apply-apply")

	// as gives a run the rights of one role alone.
	as := func(g *gate, run func()) {
		t.Helper()
		w.through(g)
		w.gate = g
		run()
		w.through(nil)
		w.gate = nil
	}
	as(planner, func() { w.must(Inputs{Mode: Plan, Variables: size("1"), PlanFile: sealed, PlanKey: "alias/plan"}) })
	as(applier, func() { w.must(Inputs{Mode: Apply, Variables: size("1"), PlanFile: sealed, PlanKey: "alias/plan"}) })
	as(applier, func() { w.must(Inputs{Mode: Apply, Approve: "auto", Variables: size("1")}) })
	var plan Outputs
	as(planner, func() { plan, _ = w.must(Inputs{Mode: Plan, Variables: size("2")}) })
	as(planner, func() { w.must(Inputs{Mode: Drift, Variables: size("2")}) })
	as(applier, func() { w.must(Inputs{Mode: Apply, Variables: size("2"), PlanDigest: plan.PlanDigest}) })

	// A plan needs no lock, so one that is held does not stop it; an apply is told whose it is, and once that run is dead it is
	// released.
	w.deadRun("root@dead", "root@dead")
	as(planner, func() { w.must(Inputs{Mode: Plan, Variables: size("3")}) })
	as(applier, func() {
		w.refused(Inputs{Mode: Apply, Approve: "auto", Variables: size("3")}, action.Invalid, "run 66 of org/service")
	})
	as(applier, func() { w.must(Inputs{Mode: Unlock, Token: "gh-token"}) })
	as(applier, func() { w.must(Inputs{Mode: Destroy, Confirm: "dev", Protect: []string{}}) })

	for name, g := range map[string]*gate{"tf-apply-plan": planner, "tf-apply-apply": applier} {
		for _, needs := range g.refused {
			t.Errorf("%s does not allow %s", name, needs)
		}
		for _, allowed := range g.allowed {
			if !g.asked[allowed] {
				t.Errorf("%s allows %s, which no run asks for", name, allowed)
			}
		}
	}
}
