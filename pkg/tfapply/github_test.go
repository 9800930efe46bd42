package tfapply

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// note is a comment of an issue or a pull request, or an issue itself.
type note struct {
	ID     int64  `json:"id"`
	Number int    `json:"number"`
	Body   string `json:"body"`
	User   struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"user"`
	PullRequest *struct{} `json:"pull_request"`
}

// gitHub plays the REST API: comments and issues of one repository, and the pull requests of commits.
type gitHub struct {
	t        *testing.T
	comments map[int][]note
	issues   []note
	closed   map[int]bool
	commits  map[string]int    // commit -> merged pull request
	runs     map[string]string // RUN/attempts/N -> status
	next     int64
}

func (g *gitHub) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	path := strings.TrimPrefix(r.URL.Path, "/repos/org/service")
	var in note
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&in)
	}
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	number, id := 0, int64(0)
	scan := func(format string, args ...any) bool {
		n, _ := fmt.Sscanf(path+"\n", format+"\n", args...)
		return n == len(args)
	}
	if r.Header.Get("Authorization") != "Bearer gh-token" {
		w.WriteHeader(http.StatusForbidden)
		return w.Result(), nil
	}
	in.User.Type, in.User.Login = "Bot", "github-actions[bot]"
	switch {
	case strings.HasPrefix(path, "/actions/runs/"):
		status, ok := g.runs[strings.TrimPrefix(path, "/actions/runs/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			break
		}
		answer(map[string]string{"status": status})
	case strings.HasPrefix(path, "/commits/"):
		pull, ok := g.commits[strings.Split(path, "/")[2]]
		if !ok {
			answer([]any{})
			break
		}
		answer([]any{map[string]any{"number": pull, "merged_at": "2026-01-01T00:00:00Z"}})
	case r.Method == http.MethodGet && scan("/issues/%d/comments", &number):
		answer(g.comments[number])
	case r.Method == http.MethodPost && scan("/issues/%d/comments", &number):
		g.next++
		in.ID = g.next
		g.comments[number] = append(g.comments[number], in)
	case r.Method == http.MethodPatch && scan("/issues/comments/%d", &id):
		for _, list := range g.comments {
			for i := range list {
				if list[i].ID == id {
					list[i].Body = in.Body
				}
			}
		}
	case r.Method == http.MethodGet && path == "/issues":
		var open []note
		for _, n := range g.issues {
			if !g.closed[n.Number] {
				open = append(open, n)
			}
		}
		answer(open)
	case r.Method == http.MethodPost && path == "/issues":
		in.Number = len(g.issues) + 1
		g.issues = append(g.issues, in)
	case r.Method == http.MethodPatch && scan("/issues/%d", &number):
		if in.Body == "" {
			g.closed[number] = true
		} else {
			g.issues[number-1].Body = in.Body
		}
	default:
		g.t.Errorf("GitHub was asked %s %s", r.Method, path)
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

func (w *world) gitHub() *gitHub {
	g := &gitHub{t: w.t, comments: map[int][]note{}, closed: map[int]bool{}, commits: map[string]int{}}
	w.transport = g
	return g
}

// TestCommentOfThePullRequestIsTheReview plans in a pull request twice, merges it, and applies by the comment alone.
func TestCommentOfThePullRequestIsTheReview(t *testing.T) {
	w := newWorld(t)
	g := w.gitHub()
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"number":12}`), 0o644); err != nil {
		t.Fatal(err)
	}
	w.onGitHub(map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event})
	forged := note{ID: 99, Body: "<!-- connect2 tf-apply terraform%2Fdev%20dev%20 -->\nforged"}
	forged.User.Type = "User"
	g.comments[12] = []note{forged}
	one := Inputs{Environment: "dev", Token: "gh-token", Variables: map[string]string{"size": "1"}}
	two := one
	two.Variables = map[string]string{"size": "2"}
	w.must(one)
	w.must(two)
	if len(g.comments[12]) != 2 || g.comments[12][0].Body != forged.Body {
		t.Fatalf("the comments are %+v", g.comments[12])
	}
	body := g.comments[12][1].Body
	if !strings.Contains(body, "**2 to add") || strings.Count(body, "\n- 1 to add") != 1 || strings.Count(body, "\n- 2 to add") != 1 ||
		len(body) > 65536 {
		t.Errorf("the comment is %s", body)
	}

	w.onGitHub(map[string]string{"GITHUB_EVENT_NAME": "push"})
	apply := func(in Inputs) Inputs { in.Mode = Apply; return in }
	w.refused(apply(two), action.Invalid, "no merged pull request belongs to commit")
	g.commits[strings.Repeat("ab", 20)] = 12
	w.refused(apply(one), action.Invalid, "the comment of pull request #12", "a variable")
	elsewhere := apply(two)
	elsewhere.Environment = "prod"
	w.refused(elsewhere, action.Invalid, "has no plan of terraform/dev")
	w.must(apply(two))
	if !strings.Contains(w.state(), `"a1"`) {
		t.Errorf("the state is %s", w.state())
	}
}

func TestDriftKeepsOneIssue(t *testing.T) {
	w := newWorld(t)
	g := w.gitHub()
	w.onGitHub(nil)
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	drift := func(size string) {
		t.Helper()
		w.must(Inputs{Mode: Drift, Token: "gh-token", Variables: map[string]string{"size": size}})
	}
	drift("1")
	if len(g.issues) != 0 {
		t.Fatalf("an issue without drift: %+v", g.issues)
	}
	drift("2")
	drift("3")
	if len(g.issues) != 1 || !strings.Contains(g.issues[0].Body, "2 to add") || g.closed[1] {
		t.Fatalf("%+v", g.issues)
	}
	drift("1")
	if !g.closed[1] || !strings.Contains(g.comments[1][0].Body, "The drift is gone") {
		t.Errorf("%+v %v", g.comments, g.closed)
	}
}

func TestCommentFailureIsNoFailureOfThePlan(t *testing.T) {
	w := newWorld(t)
	w.gitHub()
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(`{"number":12}`), 0o644); err != nil {
		t.Fatal(err)
	}
	w.onGitHub(map[string]string{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event})
	_, recorder := w.must(Inputs{Token: "another token"})
	if len(recorder.Warnings()) != 1 || !strings.Contains(recorder.Warnings()[0], "may lack a permission") {
		t.Errorf("%q", recorder.Warnings())
	}
}

// deadRun leaves a lock and its record as a run that was killed does.
func (w *world) deadRun(lockedBy, recorded string) {
	w.t.Helper()
	w.lock(`{"ID":"11111111-2222-3333-4444-555555555555","Operation":"OperationTypeApply","Info":"","Who":"` + lockedBy +
		`","Version":"1.11.4","Created":"2026-01-02T03:04:05Z","Path":"` + bucket + `/terraform.tfstate"}`)
	if recorded != "" {
		w.object("PUT", "terraform.tfstate.tflock.run",
			`{"server":"https://github.com","repository":"org/service","run_id":"66","run_attempt":"2","actor":"mona","who":"`+recorded+`","since":"2026-01-02T03:04:04Z"}`)
	}
}

func TestUnlockOnlyWhatIsKnownToBeDead(t *testing.T) {
	w := newWorld(t)
	g := w.gitHub()
	w.onGitHub(map[string]string{"GITHUB_ACTOR": "hubot"})
	unlock := Inputs{Mode: Unlock, Token: "gh-token"}
	if out, _ := w.must(unlock); out.Outcome != action.NoChange {
		t.Errorf("without a lock: %+v", out)
	}
	for _, test := range []struct {
		name, recorded, status, token, want string
	}{
		{"no record", "", "completed", "gh-token", "no record beside the lock"},
		{"another's record", "root@other", "completed", "gh-token", "the record beside the lock is of root@other"},
		{"still at work", "root@dead", "in_progress", "gh-token", "is in_progress"},
		{"GitHub does not know it", "root@dead", "", "gh-token", "404"},
		{"no token", "root@dead", "completed", "", "no token"},
		{"a token without the right", "root@dead", "completed", "other", "403"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.object("DELETE", "terraform.tfstate.tflock.run", "")
			w.deadRun("root@dead", test.recorded)
			g.runs = map[string]string{}
			if test.status != "" {
				g.runs["66/attempts/2"] = test.status
			}
			w.refused(Inputs{Mode: Unlock, Token: test.token}, action.Invalid, test.want, "left alone")
			if !w.locked() {
				t.Error("the lock is gone")
			}
		})
	}
	w.deadRun("root@dead", "root@dead")
	g.runs = map[string]string{"66/attempts/2": "in_progress"}
	w.refused(Inputs{Mode: Apply, Approve: "auto", Token: "gh-token"}, action.Invalid, "root@dead holds the lock for apply since",
		"run 66 of org/service, started by mona", "/actions/runs/66/attempts/2")
	if _, ok := w.sb.S3().Object(bucket, "terraform.tfstate.tflock.run"); !ok {
		t.Error("the record of the dead run was taken away")
	}
	g.runs = map[string]string{"66/attempts/2": "completed"}
	w.must(unlock)
	if _, ok := w.sb.S3().Object(bucket, "terraform.tfstate.tflock.run"); ok || w.locked() {
		t.Errorf("locked %v, record %v", w.locked(), ok)
	}
	w.must(Inputs{Mode: Apply, Approve: "auto"})
	if _, ok := w.sb.S3().Object(bucket, "terraform.tfstate.tflock.run"); ok {
		t.Error("the record of a run that has ended is still there")
	}
}

// TestTheRecordNamesWhoTerraformNames looks at both while an apply is at work.
func TestTheRecordNamesWhoTerraformNames(t *testing.T) {
	w := newWorld(t)
	w.onGitHub(map[string]string{"GITHUB_ACTOR": "hubot"})
	w.write("main.tf", slow)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(Inputs{Mode: Apply, Approve: "auto"})
	}()
	var lock struct{ Who string }
	var r lockOwner
	eventually(t, "a lock", func() bool {
		text, ok := w.sb.S3().Object(bucket, "terraform.tfstate.tflock")
		return ok && json.Unmarshal(text, &lock) == nil && lock.Who != ""
	})
	text, _ := w.sb.S3().Object(bucket, "terraform.tfstate.tflock.run")
	if err := json.Unmarshal(text, &r); err != nil || r.Who != lock.Who || r.RunID != "77" || r.Actor != "hubot" {
		t.Errorf("the lock is of %q, the record %+v (%v)", lock.Who, r, err)
	}
	<-done
}
