package tfapply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/internal/githubapi"
	"github.com/org/connect2/v2/pkg/action"
)

// answers gives one answer after the other, the last one again and again, and keeps what was asked.
type answers struct {
	list  []any // an error, or a *http.Response
	asked []string
	said  []string // bodies
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, r.Method+" "+r.URL.RequestURI())
	text := ""
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		text = string(body)
	}
	a.said = append(a.said, text)
	next := a.list[0]
	if len(a.list) > 1 {
		a.list = a.list[1:]
	}
	if err, ok := next.(error); ok {
		return nil, err
	}
	given := *next.(*http.Response)
	given.Header = given.Header.Clone()
	given.Body = io.NopCloser(strings.NewReader(given.Status))
	given.Status = ""
	return &given, nil
}

// says is an answer; Status carries its body until it is given.
func says(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: body, Header: h}
}

func hubOver(t *testing.T, transport http.RoundTripper) hub {
	t.Helper()
	s := &session{in: Inputs{Token: "gh-token"}, env: &action.Env{Transport: transport,
		GitHub: action.GitHub{APIURL: "https://ghe.example/api/v3", Repository: "org/service"}}}
	h, ok := s.hub()
	if !ok {
		t.Fatal("there is no API")
	}
	return h
}

func TestGitHubIsAskedAgainWhereThatMayHelp(t *testing.T) {
	reset := errors.New("connection reset by peer")
	const limited = `{"message":"You have exceeded a secondary rate limit"}`
	for _, test := range []struct {
		name        string
		list        []any
		make        bool // add a comment, instead of reading them
		tries       int
		least, most time.Duration
		fails       string // in the error; empty for none
	}{
		{"a bad moment", []any{says(502, "<html>"), reset, says(200, "[]")}, false, 3, 1500 * time.Millisecond, 3 * time.Second, ""},
		{"it does not pass", []any{says(503, `{"message":"unavailable"}`)}, false, githubapi.Tries,
			3500 * time.Millisecond, 7 * time.Second, "unavailable"},
		{"too many requests", []any{says(429, `{"message":"slow down"}`, "Retry-After", "7"), says(200, "[]")}, false, 2,
			7 * time.Second, 7 * time.Second, ""},
		{"a secondary limit", []any{says(403, limited, "Retry-After", "30"), says(200, "[]")}, false, 2, 30 * time.Second, 30 * time.Second, ""},
		{"a limit that lasts", []any{says(403, limited, "Retry-After", "3000")}, false, 1, 0, 0, "secondary rate limit"},
		{"a missing permission", []any{says(403, `{"message":"Resource not accessible"}`)}, false, 1, 0, 0, "permissions:"},
		{"missing", []any{says(404, `{"message":"Not Found"}`)}, false, 1, 0, 0, "permissions:"},
		{"a comment is made", []any{says(201, "{}")}, true, 1, 0, 0, ""},
		{"a comment may have been made", []any{reset, says(201, "{}")}, true, 1, 0, 0, "connection reset"},
		{"a comment may have been made, says a proxy", []any{says(502, "<html>"), says(201, "{}")}, true, 1, 0, 0, "502"},
		{"a comment that was refused for now", []any{says(429, `{"message":"slow down"}`, "Retry-After", "5"), says(201, "{}")}, true, 2,
			5 * time.Second, 5 * time.Second, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: test.list}
				h, start := hubOver(t, a), time.Now()
				var err error
				if test.make {
					err = h.addComment(t.Context(), 12, "text")
				} else {
					_, err = h.comments(t.Context(), 12)
				}
				if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %v, want %q", err, test.fails)
				}
				if err != nil && (!strings.HasPrefix(err.Error(), "GitHub: ") || strings.Contains(err.Error(), "gh-token")) {
					t.Errorf("the error is told as %v", err)
				}
				if took := time.Since(start); len(a.asked) != test.tries || took < test.least || took > test.most {
					t.Errorf("%d tries in %s, want %d in %s to %s", len(a.asked), took, test.tries, test.least, test.most)
				}
				for i, said := range a.said {
					if test.make && strings.TrimSpace(said) != `{"body":"text"}` {
						t.Errorf("try %d sent %q", i+1, said)
					}
				}
			})
		})
	}
}

func TestGitHubIsNotWaitedForAfterAnInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		_, err := hubOver(t, &answers{list: []any{says(503, "")}}).comments(ctx, 12)
		if took := time.Since(start); !errors.Is(err, context.Canceled) || took != 100*time.Millisecond {
			t.Errorf("%v after %s", err, took)
		}
	})
}

func TestGitHubsListsAreReadToTheirEnd(t *testing.T) {
	page := func(from, n int) *http.Response {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"id":%d}`, from+i))
		}
		return says(200, "["+strings.Join(list, ",")+"]")
	}
	a := &answers{list: []any{page(0, 100), page(100, 100), page(200, 3)}}
	got, err := hubOver(t, a).comments(t.Context(), 12)
	if err != nil || len(got) != 203 || got[202].GetID() != 202 {
		t.Fatalf("%d comments, %v", len(got), err)
	}
	const path = "GET /api/v3/repos/org/service/issues/12/comments?"
	want := []string{path + "page=1&per_page=100", path + "page=2&per_page=100", path + "page=3&per_page=100"}
	if !slices.Equal(a.asked, want) {
		t.Errorf("asked %q", a.asked)
	}
	a = &answers{list: []any{says(200, "[]")}}
	const issues = "GET /api/v3/repos/org/service/issues?labels=a-label&page=1&per_page=100&state=open"
	if _, err := hubOver(t, a).openIssues(t.Context(), "a-label"); err != nil || a.asked[0] != issues {
		t.Errorf("asked %q, %v", a.asked, err)
	}
}

// An answer without an end must not fill the memory.
func TestGitHubsAnswersAreBounded(t *testing.T) {
	if _, err := hubOver(t, endlessAnswer{}).comments(t.Context(), 12); err == nil {
		t.Error("an endless answer was read")
	}
}

type endlessAnswer struct{}

func (endlessAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader(`["`), letters{}))}, nil
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
