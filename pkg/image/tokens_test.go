package image

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// ending stands before a fake, and ends the token that everybody holds at one call: of ECR, or the bearer token of another registry. Half
// of the call's body is read by then. As net/http's transport does, it closes the body of every request.
type ending struct {
	to     *fakeECR
	bearer bool
	at     int

	mu    sync.Mutex
	calls int
	given int // bearer tokens; only the newest is valid
	asked int // logins
	first int // of these, those before the token ended
}

// RoundTrip implements http.RoundTripper.
func (e *ending) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bearer {
		if answer := e.login(req); answer != nil {
			answer.Request = req
			return answer, nil
		}
	}
	e.calls++
	if e.calls == e.at {
		if req.Body != nil {
			_, _ = io.CopyN(io.Discard, req.Body, max(1, req.ContentLength/2))
		}
		e.given++
		e.first = e.asked
		e.to.mu.Lock()
		e.to.tokens += 100
		e.to.mu.Unlock()
	}
	if e.bearer && req.Header.Get("Authorization") != fmt.Sprint("Bearer t", e.given) {
		return e.challenge(req), nil
	}
	return e.to.RoundTrip(req)
}

// login answers what is asked before the first request, and where a token is given out.
func (e *ending) login(req *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	switch req.URL.Path {
	case "/v2/":
		return e.challenge(req)
	case "/token":
		if user, password, _ := req.BasicAuth(); user != "me" || password != "secret" {
			rec.WriteHeader(http.StatusUnauthorized)
			return rec.Result()
		}
		e.asked++
		fmt.Fprintf(rec, `{"token":"t%d"}`, e.given)
		return rec.Result()
	}
	return nil
}

func (e *ending) challenge(req *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("WWW-Authenticate", `Bearer realm="https://`+plainHost+`/token",service="registry"`)
	rec.WriteHeader(http.StatusUnauthorized)
	res := rec.Result()
	res.Request = req
	return res
}

// A token that ends at any call of a push is asked for anew, and the push comes to its end: the blob that was being sent is sent again
// from its beginning, also one that is compressed meanwhile.
func TestTokensThatEndAnywhere(t *testing.T) {
	entries := imagetest.Saved(imagetest.New(1, 4_000, 2_000))
	for _, c := range []struct {
		name     string
		bearer   bool
		streamed bool
	}{{"ECR", false, false}, {"ECR, streamed", false, true}, {"bearer", true, false}, {"bearer, streamed", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			source := saved(t, entries)
			inBubble(t, func(t *testing.T) {
				push := func(at int) (*ending, Result) {
					e := &ending{to: newFakeECR(t, "app"), bearer: c.bearer, at: at}
					rs, repo := e.to.registries(nil), "app"
					if c.bearer {
						rs, repo = e.to.elsewhere(nil), plainHost+"/app"
						rs.Keychain = onlyLogin{}
					}
					rs.Transport = e
					src, err := Open(t.Context(), source, OpenOptions{Registries: rs})
					if err != nil {
						t.Fatal(err)
					}
					defer src.Close()
					to, err := rs.Destination(t.Context(), repo, "v1")
					if err != nil {
						t.Fatal(err)
					}
					plan, err := NewPlan(t.Context(), src, to, PlanOptions{Tags: []string{"v1"}})
					if err != nil {
						t.Fatalf("call %d: %v", at, err)
					}
					if c.streamed {
						plan.streamFrom = 1
					}
					r, err := plan.Execute(t.Context())
					if err != nil {
						t.Fatalf("call %d: %v", at, err)
					}
					return e, r
				}
				_, want := push(0)
				step := 1
				if programs.Race {
					step = 3
				}
				at := 1
				for ; ; at += step {
					e, r := push(at)
					if e.calls < at {
						break // how many calls there are differs by one: a layer whose digest is known before its turn is asked for
					}
					if r.Digest != want.Digest || e.to.tags["app"]["v1"] != want.Digest {
						t.Errorf("call %d: %+v", at, r)
					}
					if c.bearer && e.asked <= e.first {
						t.Errorf("call %d: no new token was asked for", at)
					}
				}
				t.Logf("%d calls", at-1)
			})
		})
	}
}

// onlyLogin is the login of the registry of these tests.
type onlyLogin struct{}

// Resolve implements authn.Keychain.
func (onlyLogin) Resolve(at authn.Resource) (authn.Authenticator, error) {
	if at.RegistryStr() != plainHost {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{Username: "me", Password: "secret"}), nil
}

// pullThrough is an ECR whose repository is made by the first pull, and whose layers come from the upstream registry at first.
type pullThrough struct {
	*fakeECR
	bring func()
	once  sync.Once

	mu       sync.Mutex
	upstream int    // blobs that were read there
	shown    string // an Authorization header that the upstream was shown
}

// RoundTrip implements http.RoundTripper.
func (p *pullThrough) RoundTrip(req *http.Request) (*http.Response, error) {
	const cached = "/v2/docker-hub/library/nginx/"
	switch {
	case req.URL.Host == "upstream.example.com":
		p.mu.Lock()
		p.upstream++
		p.shown += req.Header.Get("Authorization")
		p.mu.Unlock()
		rec := httptest.NewRecorder()
		p.handler.ServeHTTP(rec, req)
		res := rec.Result()
		res.Request = req
		return res, nil
	case req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, cached+"manifests/"):
		p.once.Do(p.bring)
	case req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, cached+"blobs/"):
		res := refuse(http.StatusTemporaryRedirect, "", "")
		res.Header.Set("Location", "https://upstream.example.com"+req.URL.Path)
		res.Request = req
		return res, nil
	}
	return p.fakeECR.RoundTrip(req)
}

// An image of a pull-through cache is copied by its full reference, also when no repository holds it yet; the registry's login stays there.
func TestPullThroughCache(t *testing.T) {
	f := newFakeECR(t, "app")
	source := saved(t, imagetest.Layout(imagetest.New(1, 4_000, 2_000)))
	p := &pullThrough{fakeECR: f}
	p.bring = func() {
		f.add("docker-hub/library/nginx")
		(&pushing{f: f, repo: "docker-hub/library/nginx", source: source, tags: []string{"1"}}).mustRun(t)
	}
	rs := f.registries(nil)
	rs.Transport = p
	if _, found := f.has("docker-hub/library/nginx"); found {
		t.Fatal("the repository is there before the first pull")
	}
	src, err := Open(t.Context(), fakeHost+"/docker-hub/library/nginx:1", OpenOptions{Registries: rs})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	f.lose() // the storage that the fake's repositories share has the layers
	to, err := rs.Destination(t.Context(), "app", "v1")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := NewPlan(t.Context(), src, to, PlanOptions{Tags: []string{"v1"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := plan.Execute(t.Context())
	if err != nil || f.tags["app"]["v1"] != r.Digest || r.Sent == 0 || p.upstream == 0 || p.shown != "" {
		t.Errorf("%+v, %v; %d blobs read upstream, which was shown %q", r, err, p.upstream, p.shown)
	}
}
