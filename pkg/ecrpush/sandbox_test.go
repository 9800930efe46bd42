package ecrpush_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox"
)

const repository = sandboxtest.Repository

// site is a sandbox with a runner in front of it.
type site struct{ *sandboxtest.Site }

// at runs a test in a bubble where the sandbox and the action share one clock.
func at(t *testing.T, scenario string, test func(t *testing.T, s *site)) {
	t.Helper()
	sandboxtest.Run(t, scenario, func(t *testing.T, s *sandboxtest.Site) { test(t, &site{s}) })
}

// fresh gives the site a new runner and forgets the calls made so far.
func (s *site) fresh() {
	s.Fresh()
	s.Sandbox.ResetJournal()
}

// saved writes an image as docker save would.
func (s *site) saved(img imagetest.Image) string {
	s.T.Helper()
	name := filepath.Join(s.T.TempDir(), "image.tar")
	if err := imagetest.TarFile(name, imagetest.Saved(img)); err != nil {
		s.T.Fatal(err)
	}
	return name
}

func (s *site) push(ctx context.Context, in ecrpush.Inputs) (ecrpush.Outputs, error) {
	return ecrpush.Run(ctx, s.Env, in)
}

func (s *site) mustPush(in ecrpush.Inputs) ecrpush.Outputs {
	s.T.Helper()
	out, err := s.push(s.T.Context(), in)
	if err != nil {
		s.T.Fatal(err)
	}
	return out
}

// tag returns the digest behind a tag, asked by pushing nothing: a dry run of the tag's own image.
func (s *site) tag(tag string) string {
	s.T.Helper()
	out, err := s.push(s.T.Context(), ecrpush.Inputs{Source: sandbox.DefaultHost + "/" + repository + ":" + tag, Repository: repository,
		Tags: []string{tag}, DryRun: true})
	if err != nil {
		return ""
	}
	return out.Digest
}

func TestPush(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		img := imagetest.New(1, 300_000, 1_500_000, 5_000)
		in := ecrpush.Inputs{Source: s.saved(img), Repository: repository, Tags: []string{"v2", "latest"}}
		out := s.mustPush(in)
		if out.Outcome != action.Succeeded || !out.Changed || out.Tags != "v2,latest" || out.LayersUploaded != 4 || out.BytesUploaded == 0 ||
			out.Image != sandbox.DefaultHost+"/"+repository+"@"+out.Digest {
			t.Errorf("first push: %+v", out)
		}
		if got := s.tag("v2"); got != out.Digest {
			t.Errorf("v2 is %s, want %s", got, out.Digest)
		}

		s.fresh()
		again := s.mustPush(in)
		if again.Outcome != action.NoChange || again.Changed || again.Digest != out.Digest || again.Tags != "v2,latest" ||
			again.BytesUploaded != 0 {
			t.Errorf("the same again: %+v", again)
		}
		if did := s.Mutations(); len(did) > 0 {
			t.Errorf("the same again did %q", did)
		}

		s.fresh()
		img.Layers = append(slices.Clone(img.Layers[:2]), imagetest.Layer(77, 6_000))
		changed := s.mustPush(ecrpush.Inputs{Source: s.saved(img), Repository: "arn:aws:ecr:us-west-2:123456789012:repository/" + repository,
			Tags: []string{"v3"}})
		if changed.LayersUploaded != 2 || changed.LayersReused != 2 || changed.Digest == out.Digest {
			t.Errorf("one layer changed: %+v", changed)
		}
		if text := s.Log.Text(); !strings.Contains(text, "reused") || !strings.Contains(text, "compressed") ||
			!strings.Contains(text, "tag v3 points at") {
			t.Errorf("the log does not tell what was done:\n%s", text)
		}
		if summary := s.Log.Summary(); !strings.Contains(summary, changed.Digest) || !strings.Contains(summary, "Tags moved") {
			t.Errorf("summary: %s", summary)
		}
	})
}

func TestPushDryRun(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		in := ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: "new/repository", Tags: []string{"v1"},
			CreateRepository: true, DryRun: true}
		out := s.mustPush(in)
		if out.Changed || out.Outcome != action.Succeeded || len(s.Mutations()) > 0 {
			t.Errorf("dry run: %+v, did %q", out, s.Mutations())
		}
		if text := s.Log.Text(); !strings.Contains(text, "repository new/repository is created") || !strings.Contains(text, "tag v1 is new") {
			t.Errorf("it does not say what it would do:\n%s", text)
		}
		in.DryRun = false
		if out = s.mustPush(in); !strings.HasSuffix(out.Repository, "/new/repository") || s.Calls("ecr:CreateRepository") != 1 {
			t.Errorf("creating: %+v", out)
		}
	})
}

// Everything that is wrong is told at once, and nothing is written.
func TestPushInvalid(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "cut.tar")
	if err := imagetest.TarFile(broken, imagetest.Saved(imagetest.New(1, 50_000))); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(broken, 20_000); err != nil {
		t.Fatal(err)
	}
	at(t, "", func(t *testing.T, s *site) {
		for _, c := range []struct {
			in    ecrpush.Inputs
			words []string
		}{
			{ecrpush.Inputs{Source: broken, Repository: "connect2-api-dve", Tags: []string{"v1"}},
				[]string{"cut short", `"connect2-api-dve" does not exist`, repository}},
			{ecrpush.Inputs{Source: dir, Repository: repository, Tags: []string{"v1"}}, []string{"not an OCI layout"}},
			{ecrpush.Inputs{Source: "image.tar", Repository: repository, Tags: []string{"v1"}}, []string{"no such file"}},
			{ecrpush.Inputs{Source: sandbox.DefaultHost + "/" + repository + ":v99", Repository: repository, Tags: []string{"v1"}}, []string{"v99"}},
		} {
			s.fresh()
			_, err := s.push(t.Context(), c.in)
			if action.OutcomeOf(err) != action.Invalid {
				t.Errorf("%+v: %v", c.in, err)
				continue
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v\n\tdoes not say %q", err, word)
				}
			}
			if did := s.Mutations(); len(did) > 0 {
				t.Errorf("%+v did %q", c.in, did)
			}
		}
	})
}

func TestInputs(t *testing.T) {
	in := ecrpush.Inputs{Source: "x", Repository: "app:v1", Tags: []string{"v1", "-bad", "a/b"}, Platform: "amd64", MountFrom: "h.io/x",
		Attach: []string{"sbom.json"}, VerifySignature: "-----BEGIN CERTIFICATE-----"}
	problems := in.Validate()
	var text []string
	for _, p := range problems {
		text = append(text, p.Error())
	}
	all := strings.Join(text, "\n")
	for _, word := range []string{"repository: ", `tags: "-bad"`, `tags: "a/b"`, "platform: ", "mount-from: ", "attach: ", "verify-signature: "} {
		if !strings.Contains(all, word) {
			t.Errorf("no problem says %q:\n%s", word, all)
		}
	}
	if len(problems) != 7 {
		t.Errorf("%d problems, want 7:\n%s", len(problems), all)
	}
	good := ecrpush.Inputs{Source: "x", Repository: "123456789012.dkr-ecr.eu-west-1.on.aws/team/app", Tags: []string{"v1"},
		Platform: "linux/arm64/v8", MountFrom: "base"}
	if problems := good.Validate(); len(problems) > 0 {
		t.Errorf("good inputs: %v", problems)
	}
}

func TestPushToImmutableRepository(t *testing.T) {
	at(t, "repository: {mutability: IMMUTABLE}", func(t *testing.T, s *site) {
		in := ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: repository, Tags: []string{"v2"}}
		first := s.mustPush(in)
		if again := s.mustPush(in); again.Outcome != action.NoChange {
			t.Errorf("the same image: %+v", again)
		}
		s.fresh()
		_, err := s.push(t.Context(), ecrpush.Inputs{Source: s.saved(imagetest.New(2, 30_000)), Repository: repository, Tags: []string{"v2"}})
		if action.OutcomeOf(err) != action.Invalid || !strings.Contains(err.Error(), first.Digest) || len(s.Mutations()) > 0 {
			t.Errorf("another image: %v; did %q", err, s.Mutations())
		}
	})
}

func TestPushThroughFaults(t *testing.T) {
	for name, faults := range map[string][]sandbox.Fault{
		"throttled": {{Action: "ecr:*", Answer: sandbox.Throttle, Every: 3}},
		"unavailable": {{Action: "ecr:UploadLayerPart", Answer: sandbox.Unavailable, Times: 2},
			{Action: "ecr:PutImage", Answer: sandbox.Unavailable, Times: 2}},
		"cut": {{Action: "ecr:UploadLayerPart", Answer: sandbox.Cut, Times: 3}},
		"cut after": {{Action: "ecr:CompleteLayerUpload", Answer: sandbox.CutAfter, Times: 2},
			{Action: "ecr:PutImage", Answer: sandbox.CutAfter, Times: 2}},
		"expired token": {{Action: "ecr:UploadLayerPart", Answer: sandbox.Expired, Skip: 1, Times: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, "", func(t *testing.T, s *site) {
				if err := s.Sandbox.Inject(faults...); err != nil {
					t.Fatal(err)
				}
				out := s.mustPush(ecrpush.Inputs{Source: s.saved(imagetest.New(1, 300_000, 20_000, 5_000)),
					Repository: repository, Tags: []string{"v2"}})
				hit := 0
				for _, e := range s.Sandbox.Journal() {
					if e.Fault != "" {
						hit++
					}
				}
				s.Sandbox.ClearFaults()
				if hit == 0 || s.tag("v2") != out.Digest {
					t.Errorf("%d calls failed; v2 is %s, want %s", hit, s.tag("v2"), out.Digest)
				}
			})
		})
	}
}

// What a role may not do is named, and the tags stay where they were.
func TestPushDenied(t *testing.T) {
	for permission, early := range map[string]bool{
		"ecr:InitiateLayerUpload": false, "ecr:UploadLayerPart": false, "ecr:CompleteLayerUpload": false, "ecr:PutImage": false,
		"ecr:BatchGetImage": true, "ecr:GetAuthorizationToken": true, "ecr:BatchCheckLayerAvailability": true,
	} {
		t.Run(permission, func(t *testing.T) {
			at(t, "", func(t *testing.T, s *site) {
				before := s.tag("v1")
				if err := s.Sandbox.Inject(sandbox.Fault{Action: permission, Answer: sandbox.Deny}); err != nil {
					t.Fatal(err)
				}
				s.fresh()
				out, err := s.push(t.Context(), ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: repository, Tags: []string{"v1"}})
				// What the repository has is asked for beside the first uploads: one of them may have begun by then, and is told.
				begun := len(s.Mutations()) > 0
				if early && begun && permission != "ecr:BatchCheckLayerAvailability" {
					t.Errorf("%q before the refusal", s.Mutations())
				}
				want := action.Failed
				if early && !begun {
					want = action.Invalid
				}
				if action.OutcomeOf(err) != want || !strings.Contains(err.Error(), permission) || out.Tags != "" {
					t.Errorf("%s: %v", action.OutcomeOf(err), err)
				}
				if want == action.Failed && !strings.Contains(err.Error(), "no tag was moved") {
					t.Errorf("it does not say that no tag was moved: %v", err)
				}
				s.Sandbox.ClearFaults()
				if got := s.tag("v1"); got != before {
					t.Errorf("v1 moved from %s to %s", before, got)
				}
			})
		})
	}
}

// A push role as AWS documents it knows nothing of describing: the URI is enough for it.
func TestPushWithLeastPermissions(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		for _, permission := range []string{"ecr:DescribeRepositories", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"} {
			if err := s.Sandbox.Inject(sandbox.Fault{Action: permission, Answer: sandbox.Deny}); err != nil {
				t.Fatal(err)
			}
		}
		in := ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: sandbox.DefaultHost + "/" + repository, Tags: []string{"v2"}}
		if out := s.mustPush(in); out.Outcome != action.Succeeded || len(s.Log.Of("warning")) == 0 {
			t.Errorf("%+v with warnings %+v", out, s.Log.Of("warning"))
		}
		in.Repository = repository
		if _, err := s.push(t.Context(), in); err == nil || !strings.Contains(err.Error(), "repository's URI") {
			t.Errorf("by name alone: %v; want the URI advised", err)
		}
	})
}

func TestPushCancelled(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		before := s.tag("v1")
		ctx, cancel := context.WithCancelCause(t.Context())
		var uploads atomic.Int32
		s.Env.Transport = hook{s.Sandbox.Transport(), func(r *http.Request) {
			if r.Method == http.MethodPatch {
				if uploads.Add(1) == 2 {
					cancel(errors.New("the runner was told to stop"))
				}
			}
		}}
		_, err := s.push(ctx, ecrpush.Inputs{Source: s.saved(imagetest.New(1, 300_000, 200_000, 100_000)),
			Repository: repository, Tags: []string{"v1"}})
		if action.OutcomeOf(err) != action.Cancelled || !strings.Contains(err.Error(), "no tag was moved") {
			t.Errorf("%s: %v", action.OutcomeOf(err), err)
		}
		if got := s.tag("v1"); got != before {
			t.Errorf("v1 moved from %s to %s", before, got)
		}
	})
}

// hook sees the requests that pass, several at once: a push asks ahead and uploads in goroutines of its own.
type hook struct {
	http.RoundTripper
	see func(*http.Request)
}

func (h hook) RoundTrip(r *http.Request) (*http.Response, error) {
	h.see(r)
	return h.RoundTripper.RoundTrip(r)
}

// The registry's password is masked before anything could print it.
func TestPushMasksToken(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		vars := s.Sandbox.Environ()
		vars["GITHUB_ACTIONS"] = "true"
		s.Env, s.Log = actiontest.NewTestEnv(t, vars)
		var sent atomic.Value
		s.Env.Transport = hook{s.Sandbox.Transport(), func(r *http.Request) {
			if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && scheme == "Basic" {
				sent.Store(token)
			}
		}}
		s.mustPush(ecrpush.Inputs{Source: s.saved(imagetest.New(1, 3_000)), Repository: repository, Tags: []string{"v2"}})
		text := s.Log.Text()
		token, _ := sent.Load().(string)
		if token == "" || !strings.Contains(text, "::add-mask::"+token) || strings.Count(text, token) != 1 {
			t.Errorf("the token appears %d times in the log, masked %v", strings.Count(text, token), strings.Contains(text, "::add-mask::"+token))
		}
	})
}

// A registry that is not on AWS needs no AWS credentials.
func TestPushElsewhere(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	env, _ := actiontest.NewTestEnv(t, map[string]string{})
	name := filepath.Join(t.TempDir(), "layout.tar")
	a, b := imagetest.New(1, 30_000), imagetest.New(2, 20_000)
	a.Architecture, b.Architecture = "amd64", "arm64"
	entries, digest := imagetest.Index(a, b)
	if err := imagetest.TarFile(name, entries); err != nil {
		t.Fatal(err)
	}
	out, err := ecrpush.Run(t.Context(), env, ecrpush.Inputs{Source: name, Repository: host + "/team/app", Tags: []string{"v1"}})
	if err != nil || out.Digest != digest || out.Image != host+"/team/app@"+digest {
		t.Fatalf("%+v, %v", out, err)
	}
	copied, err := ecrpush.Run(t.Context(), env, ecrpush.Inputs{Source: out.Image, Repository: host + "/other/app", Tags: []string{"v1"}})
	if err != nil || copied.Digest != digest {
		t.Errorf("copying: %+v, %v", copied, err)
	}
}

// A token of twelve hours that ends while the push waits is replaced without anybody noticing.
func TestPushOutlivesToken(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		var slept atomic.Bool
		s.Env.Transport = hook{s.Sandbox.Transport(), func(r *http.Request) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256:") && slept.CompareAndSwap(false, true) {
				time.Sleep(13 * time.Hour)
			}
		}}
		out := s.mustPush(ecrpush.Inputs{Source: s.saved(imagetest.New(1, 3_000)), Repository: repository, Tags: []string{"v2"}})
		if n := s.Calls("ecr:GetAuthorizationToken"); n < 2 || s.tag("v2") != out.Digest {
			t.Errorf("%d tokens were asked for", n)
		}
	})
}

// Several repositories get one image: the source is compressed once, and no tag moves before all of them have it.
func TestPushToSeveral(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	env, sink := actiontest.NewTestEnv(t, map[string]string{"GITHUB_SHA": "4f2c9e1", "GITHUB_REF_NAME": "feature/x"})
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := imagetest.TarFile(name, imagetest.Saved(imagetest.New(1, 60_000, 30_000))); err != nil {
		t.Fatal(err)
	}
	in := ecrpush.Inputs{Source: name, Repository: host + "/one/app", Also: []string{host + "/two/app", host + "/three/app"},
		Tags: []string{"{branch}-{sha}"}}
	out, err := ecrpush.Run(t.Context(), env, in)
	if err != nil || out.Tags != "feature-x-4f2c9e1" || strings.Count(out.Images, out.Digest) != 3 || !out.Changed {
		t.Fatalf("%+v, %v", out, err)
	}
	if n := strings.Count(sink.Text(), " compressed: "); n != 2 {
		t.Errorf("%d layers were compressed, want 2:\n%s", n, sink.Text())
	}
	env, _ = actiontest.NewTestEnv(t, map[string]string{"GITHUB_SHA": "4f2c9e1", "GITHUB_REF_NAME": "feature/x"})
	if again, err := ecrpush.Run(t.Context(), env, in); err != nil || again.Outcome != action.NoChange || again.Digest != out.Digest {
		t.Errorf("again: %+v, %v", again, err)
	}
	// A fourth gets what the others have, from them.
	in.Also = append(in.Also, host+"/four/app")
	if four, err := ecrpush.Run(t.Context(), env, in); err != nil || four.Digest != out.Digest || strings.Count(four.Images, out.Digest) != 4 {
		t.Errorf("one more: %+v, %v", four, err)
	}
	// One that refuses keeps the tags of all where they were.
	if err := imagetest.TarFile(name, imagetest.Saved(imagetest.New(7, 60_000))); err != nil {
		t.Fatal(err)
	}
	env, _ = actiontest.NewTestEnv(t, map[string]string{})
	env.Transport = refusing{http.DefaultTransport, "/two/app/manifests/"}
	in.Tags = []string{"v9"}
	refused, err := ecrpush.Run(t.Context(), env, in)
	if action.OutcomeOf(err) != action.Failed || refused.Tags != "" || !strings.Contains(err.Error(), "no tag was moved") {
		t.Errorf("one refuses: %+v, %v", refused, err)
	}
}

// refusing refuses to store manifests below a path.
type refusing struct {
	http.RoundTripper
	path string
}

func (r refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPut && strings.Contains(req.URL.Path, r.path) {
		return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	}
	return r.RoundTripper.RoundTrip(req)
}

const findings = "repository: {findings: [{image: v1, name: CVE-2026-1, severity: HIGH}, {name: CVE-2026-2, severity: CRITICAL}, " +
	"{name: CVE-2026-3, severity: LOW}]}"

// The scan stands between the image and its tags.
func TestPushScans(t *testing.T) {
	for _, test := range []struct {
		name     string
		scenario string
		in       ecrpush.Inputs
		outcome  action.Outcome
		words    []string // in the error, or in the log
	}{
		{"nothing was found", "", ecrpush.Inputs{Scan: "fail", Severity: "LOW"}, action.Succeeded, []string{"scan: no findings"}},
		{"found and reported", findings, ecrpush.Inputs{Scan: "report", Severity: "LOW"}, action.Succeeded,
			[]string{"1 CRITICAL, 1 LOW; 2 are new"}},
		{"found", findings, ecrpush.Inputs{Scan: "fail", Severity: "HIGH"}, action.Failed,
			[]string{"no tag was moved", "found 1 of severity HIGH or graver: CVE-2026-2 (CRITICAL)"}},
		{"found less", "repository: {findings: [{name: CVE-2026-3, severity: LOW}]}", ecrpush.Inputs{Scan: "fail", Severity: "HIGH"},
			action.Succeeded, []string{"1 LOW"}},
		{"ignored", findings, ecrpush.Inputs{Scan: "fail", Severity: "HIGH", ScanIgnore: map[string]string{"CVE-2026-2": "2999-01-01 unused"}},
			action.Succeeded, []string{"1 CRITICAL"}},
		{"ignored too long ago", findings, ecrpush.Inputs{Scan: "fail", Severity: "HIGH",
			ScanIgnore: map[string]string{"CVE-2026-2": "1999-01-01 unused"}}, action.Failed, []string{"CVE-2026-2"}},
		{"the scan takes longer than anybody waits", "repository: {scanTime: 1h}", ecrpush.Inputs{Scan: "fail", Severity: "HIGH"}, action.Failed,
			[]string{"no findings were there after 10m0s"}},
		{"the scan takes longer, and is reported alone", "repository: {scanTime: 1h}", ecrpush.Inputs{Scan: "report", Severity: "HIGH"},
			action.Succeeded, []string{"no scan of"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			at(t, test.scenario, func(t *testing.T, s *site) {
				test.in.Source, test.in.Repository, test.in.Tags = s.saved(imagetest.New(1, 30_000)), repository, []string{"v2"}
				out, err := s.push(t.Context(), test.in)
				text := s.Log.Text()
				if err != nil {
					text = err.Error()
				}
				if action.OutcomeOf(err) != test.outcome && out.Outcome != test.outcome {
					t.Errorf("%s: %v", out.Outcome, err)
				}
				for _, word := range test.words {
					if !strings.Contains(text, word) {
						t.Errorf("it does not say %q:\n%s", word, text)
					}
				}
				if tagged := s.tag("v2") != ""; tagged != (test.outcome == action.Succeeded) {
					t.Errorf("the tag moved: %v", tagged)
				}
			})
		})
	}
}

// An index is scanned by its images.
func TestPushScansIndex(t *testing.T) {
	at(t, findings, func(t *testing.T, s *site) {
		a, b := imagetest.New(1, 30_000), imagetest.New(2, 20_000)
		a.Architecture, b.Architecture = "amd64", "arm64"
		entries, _ := imagetest.Index(a, b)
		name := filepath.Join(t.TempDir(), "index.tar")
		if err := imagetest.TarFile(name, entries); err != nil {
			t.Fatal(err)
		}
		_, err := s.push(t.Context(), ecrpush.Inputs{Source: name, Repository: repository, Tags: []string{"v2"}, Scan: "fail", Severity: "HIGH"})
		if action.OutcomeOf(err) != action.Failed || !strings.Contains(err.Error(), "CVE-2026-2") || s.Calls("ecr:StartImageScan") != 2 {
			t.Errorf("%v after %d scans", err, s.Calls("ecr:StartImageScan"))
		}
	})
}

// A promotion takes along what refers to the image, and nothing of it begins where the image is not signed with a key that is trusted.
func TestPromotionTakesAlong(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		sbom := filepath.Join(t.TempDir(), "sbom.json")
		if err := os.WriteFile(sbom, []byte(`{"spdxVersion":"SPDX-2.3"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		in := ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: repository, Tags: []string{"v2"},
			Attach: []string{"application/spdx+json=" + sbom}}
		built := s.mustPush(in)
		if !strings.HasSuffix(built.Referrers, " application/spdx+json") || !strings.Contains(s.Log.Summary(), "1 SBOM") {
			t.Errorf("%q refers to it; the summary:\n%s", built.Referrers, s.Log.Summary())
		}
		s.fresh()
		if again := s.mustPush(in); again.Outcome != action.NoChange || len(s.Mutations()) > 0 || again.Referrers != built.Referrers {
			t.Errorf("the same again: %+v, did %q", again, s.Mutations())
		}

		s.fresh()
		promote := ecrpush.Inputs{Source: "ecr:" + repository + ":v2", Repository: "prod/app", Tags: []string{"v2"}, CreateRepository: true}
		signed := promote
		signed.VerifySignature = cosignKey
		_, err := s.push(t.Context(), signed)
		if action.OutcomeOf(err) != action.Invalid || !strings.Contains(err.Error(), "is not signed") || len(s.Mutations()) > 0 {
			t.Errorf("unsigned: %v; did %q", err, s.Mutations())
		}

		s.fresh()
		out := s.mustPush(promote)
		if out.Digest != built.Digest || out.Referrers != built.Referrers {
			t.Errorf("promoted: %+v; want what refers to %+v", out, built)
		}
		s.fresh()
		if again := s.mustPush(promote); again.Outcome != action.NoChange || len(s.Mutations()) > 0 {
			t.Errorf("promoted again: %+v, did %q", again, s.Mutations())
		}
	})
}

const cosignKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEuC+/CTul5gIqeO7dPsgX2qylqehH
VW0ZZws+aX9/AVUe7x0QK5QQ1kZFEig7twZ3+dsHhM48I3OLpgooBwqAVQ==
-----END PUBLIC KEY-----`

// An image without a layer that is worth a SOCI index is pushed as it is, and the log says so.
func TestPushSOCI(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		in := ecrpush.Inputs{Source: s.saved(imagetest.New(1, 30_000)), Repository: repository, Tags: []string{"v2"}}
		plain := s.mustPush(in)
		s.fresh()
		in.SOCI = true
		if out := s.mustPush(in); out.Digest != plain.Digest || !strings.Contains(s.Log.Text(), "no SOCI index is made") {
			t.Errorf("%+v\n%s", out, s.Log.Text())
		}
		in.Compression = "zstd"
		if problems := in.Validate(); len(problems) != 1 || !strings.Contains(problems[0].Error(), "soci: ") {
			t.Errorf("soci with zstd: %v", problems)
		}
	})
}
