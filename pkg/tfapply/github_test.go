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

// gitHub plays the REST API: comments and issues of one repository, and the pull requests of commits.
type gitHub struct {
	t        *testing.T
	comments map[int][]note
	issues   []note
	closed   map[int]bool
	commits  map[string]int // commit -> merged pull request
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
	if !strings.Contains(body, "**2 to add") || strings.Count(body, "\n- 1 to add") != 1 || strings.Count(body, "\n- 2 to add") != 1 || len(body) > 65536 {
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
