package image

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// events collects what a push tells.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) observe(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) count(kind EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// saved writes an image as docker save would and returns the file.
func saved(t testing.TB, entries []imagetest.Entry) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := imagetest.TarFile(name, entries); err != nil {
		t.Fatal(err)
	}
	return name
}

// pushing is one push against a fake.
type pushing struct {
	f      *fakeECR
	repo   string
	source string
	tags   []string
	mount  string
	codec  Codec
	plain  bool // the registry is not ECR
	events events

	referrers Referrers
	attach    []Attachment
}

func (p *pushing) plan(t testing.TB, ctx context.Context) (*Plan, error) {
	t.Helper()
	rs, repo := p.f.registries(p.events.observe), p.repo
	if p.plain {
		rs, repo = p.f.elsewhere(p.events.observe), plainHost+"/"+p.repo
	}
	src, err := Open(ctx, p.source, OpenOptions{Registries: rs})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { src.Close() })
	to, err := rs.Destination(ctx, repo, p.tags...)
	if err != nil {
		return nil, err
	}
	return NewPlan(ctx, src, to, PlanOptions{Tags: p.tags, MountFrom: p.mount, Codec: p.codec, Referrers: p.referrers,
		Attach: p.attach})
}

func (p *pushing) run(t testing.TB) (Result, error) {
	t.Helper()
	plan, err := p.plan(t, t.Context())
	if err != nil {
		return Result{}, err
	}
	return plan.Execute(t.Context())
}

func (p *pushing) mustRun(t testing.TB) Result {
	t.Helper()
	r, err := p.run(t)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// at returns what a tag of the fake points at.
func (p *pushing) at(tag string) string {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	return p.f.tags[p.repo][tag]
}

func TestPushAndPushAgain(t *testing.T) {
	for form, entries := range map[string][]imagetest.Entry{
		"docker save":       imagetest.Saved(imagetest.New(1, 300_000, 2_000_000, 5_000)),
		"docker save 25":    imagetest.SavedNew(imagetest.New(1, 300_000, 2_000_000, 5_000)),
		"OCI layout in tar": imagetest.Layout(imagetest.New(1, 300_000, 2_000_000, 5_000)),
	} {
		t.Run(form, func(t *testing.T) {
			f := newFakeECR(t, "app")
			p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1", "latest"}}
			r := p.mustRun(t)
			if !r.Changed() || r.Digest == "" || p.at("v1") != r.Digest || p.at("latest") != r.Digest || len(r.Blobs) != 4 || r.Reused != 0 {
				t.Fatalf("first push: %+v; v1 at %s", r, p.at("v1"))
			}
			// One PATCH for each blob, and the tags after everything else.
			writes := f.journal(http.MethodPatch, http.MethodPut)
			patches := slices.DeleteFunc(slices.Clone(writes), func(s string) bool { return !strings.HasPrefix(s, "PATCH") })
			if len(patches) != 4 {
				t.Errorf("%d PATCH requests for 4 blobs: %q", len(patches), patches)
			}
			if tail := writes[len(writes)-3:]; !strings.Contains(tail[0], "/manifests/sha256:") || !strings.HasSuffix(tail[1], "/manifests/v1") ||
				!strings.HasSuffix(tail[2], "/manifests/latest") {
				t.Errorf("the last writes are %q; want the manifest by digest, then the tags", tail)
			}

			again := &pushing{f: f, repo: "app", source: p.source, tags: p.tags}
			plan, err := again.plan(t, t.Context())
			if err != nil || !plan.NoChange() {
				t.Fatalf("planning the same again: %v, no change %v", err, plan != nil && plan.NoChange())
			}
			r2, err := plan.Execute(t.Context())
			if err != nil || r2.Changed() || r2.Digest != r.Digest || !slices.Equal(r2.Kept, p.tags) {
				t.Errorf("the same again: %+v, %v", r2, err)
			}
			if writes := f.journal(http.MethodPost, http.MethodPatch, http.MethodPut); len(writes) > 0 {
				t.Errorf("the same again wrote %q", writes)
			}
		})
	}
}

// One small layer of three has changed: only it is compressed and sent, whoever stored the others, and under a tag that is new.
func TestPushSendsOnlyWhatIsNew(t *testing.T) {
	f := newFakeECR(t, "app")
	first := imagetest.New(1, 300_000, 2_000_000, 5_000)
	(&pushing{f: f, repo: "app", source: saved(t, imagetest.Layout(first)), tags: []string{"v1"}}).mustRun(t)
	f.journal()

	second := first
	second.Layers = slices.Clone(first.Layers)
	second.Layers[2] = imagetest.Layer(99, 6_000)
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(second)), tags: []string{"v2"}}
	r := p.mustRun(t)
	if n := p.events.count(Compressed); n != 1 {
		t.Errorf("%d layers were compressed, want 1", n)
	}
	if n := p.events.count(Reused); n != 2 || r.Reused == 0 {
		t.Errorf("%d blobs (%d bytes) were reused, want the 2 old layers", n, r.Reused)
	}
	if posts := f.journal(http.MethodPost); len(posts) != 2 {
		t.Errorf("uploads %q; want the new layer and the configuration", posts)
	}
}

// Without the permissions that looking at earlier images takes, a push is slower and not broken.
func TestPushWithoutReadPermissions(t *testing.T) {
	f := newFakeECR(t, "app")
	img := imagetest.New(1, 30_000, 20_000)
	(&pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(img)), tags: []string{"v1"}}).mustRun(t)
	img.Layers = append(slices.Clone(img.Layers), imagetest.Layer(5, 1000))
	f.deny("DescribeImages")
	f.setFault(func(r *http.Request) *http.Response {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			return refuse(403, "DENIED", "not authorized to perform: ecr:GetDownloadUrlForLayer")
		}
		return nil
	})
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(img)), tags: []string{"v2"}}
	r := p.mustRun(t)
	// The layers are found after compressing, since equal content has equal bytes.
	if p.events.count(Compressed) != 3 || p.events.count(Uploaded) != 2 || p.events.count(Remarked) == 0 || p.at("v2") != r.Digest {
		t.Errorf("compressed %d, uploaded %d, remarks %d", p.events.count(Compressed), p.events.count(Uploaded), p.events.count(Remarked))
	}
}

func TestPushIndexKeepsDigestsAndOrder(t *testing.T) {
	arm := imagetest.New(2, 20_000, 1_000)
	arm.Architecture = "arm64"
	amd := imagetest.New(1, 30_000, 2_000)
	amd.Architecture = "amd64"
	entries, digest := imagetest.Index(amd, arm)
	f := newFakeECR(t, "app")
	p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1"}}
	r := p.mustRun(t)
	if r.Digest != digest || p.at("v1") != digest {
		t.Errorf("pushed as %s, tag at %s; want the index's own digest %s", r.Digest, p.at("v1"), digest)
	}
	var manifests []string
	for _, put := range f.journal(http.MethodPut) {
		if _, what, ok := strings.Cut(put, "/manifests/"); ok {
			manifests = append(manifests, what)
		}
	}
	if len(manifests) != 5 || manifests[3] != digest || manifests[4] != "v1" {
		t.Errorf("manifests stored in the order %q; want two images and the attestation, the index, the tag", manifests)
	}

	one := &pushing{f: f, repo: "app", tags: []string{"arm"}}
	rs := f.registries(one.events.observe)
	src, err := Open(t.Context(), p.source, OpenOptions{Registries: rs, Platform: "linux/arm64"})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if got := src.Platforms(); !slices.Equal(got, []string{"linux/arm64"}) {
		t.Errorf("platform linux/arm64 chose %q", got)
	}
}

func TestPushFromRegistry(t *testing.T) {
	f := newFakeECR(t, "from", "to")
	a, b := imagetest.New(1, 30_000), imagetest.New(2, 20_000)
	a.Architecture, b.Architecture = "amd64", "arm64"
	entries, digest := imagetest.Index(a, b)
	(&pushing{f: f, repo: "from", source: saved(t, entries), tags: []string{"v1"}}).mustRun(t)
	p := &pushing{f: f, repo: "to", source: fakeHost + "/from:v1", tags: []string{"v1"}}
	if r := p.mustRun(t); r.Digest != digest || p.at("v1") != digest {
		t.Errorf("copied as %s, want %s", r.Digest, digest)
	}
	p.source = fakeHost + "/from:v2"
	var missing *NotFoundError
	if _, err := p.run(t); !errors.As(err, &missing) {
		t.Errorf("a missing source image answered %v", err)
	}
}

func TestPushToImmutableTag(t *testing.T) {
	for name, forms := range map[string]func(imagetest.Image) []imagetest.Entry{
		"uncompressed": func(i imagetest.Image) []imagetest.Entry { return imagetest.Saved(i) },
		"compressed":   imagetest.Layout,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeECR(t, "app")
			f.rule("app", ecrtypes.ImageTagMutabilityImmutable)
			first := &pushing{f: f, repo: "app", source: saved(t, forms(imagetest.New(1, 30_000))), tags: []string{"v1"}}
			r := first.mustRun(t)
			if again := first.mustRun(t); again.Changed() || again.Digest != r.Digest {
				t.Errorf("the same image under its immutable tag: %+v", again)
			}
			f.journal()

			other := &pushing{f: f, repo: "app", source: saved(t, forms(imagetest.New(2, 30_000))), tags: []string{"v1", "v2"}}
			_, err := other.run(t)
			var immutable *ImmutableTagError
			if !errors.As(err, &immutable) || immutable.Has != r.Digest || !strings.Contains(immutable.Wanted, "sha256:") {
				t.Fatalf("another image under an immutable tag answered %v", err)
			}
			if writes := f.journal(http.MethodPost, http.MethodPatch, http.MethodPut); len(writes) > 0 {
				t.Errorf("it was noticed only after %q", writes)
			}

			f.rule("app", ecrtypes.ImageTagMutabilityImmutableWithExclusion, "v*")
			if moved := other.mustRun(t); other.at("v1") != moved.Digest {
				t.Error("an excluded tag did not move")
			}
		})
	}
}

// The tag appears between the plan and the push, as when two runs of one commit race.
func TestPushLosesRaceForImmutableTag(t *testing.T) {
	for _, same := range []bool{true, false} {
		f := newFakeECR(t, "app")
		f.rule("app", ecrtypes.ImageTagMutabilityImmutable)
		ours := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000))), tags: []string{"v1"}}
		plan, err := ours.plan(t, t.Context())
		if err != nil {
			t.Fatal(err)
		}
		theirs := &pushing{f: f, repo: "app", source: ours.source, tags: []string{"v1"}}
		if !same {
			theirs.source = saved(t, imagetest.Saved(imagetest.New(2, 30_000)))
		}
		want := theirs.mustRun(t).Digest
		r, err := plan.Execute(t.Context())
		var immutable *ImmutableTagError
		switch {
		case same && (err != nil || !slices.Equal(r.Kept, []string{"v1"})):
			t.Errorf("the same image won the race: %+v, %v", r, err)
		case !same && (!errors.As(err, &immutable) || immutable.Has != want):
			t.Errorf("another image won the race: %v; want both digests named", err)
		}
	}
}

func TestPushCreatesRepository(t *testing.T) {
	f := newFakeECR(t)
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000))), tags: []string{"v1"}}
	plan, err := p.plan(t, t.Context())
	if err != nil || !plan.To.Missing || len(f.journal()) > 0 {
		t.Fatalf("planning for a missing repository: %v, %+v", err, plan)
	}
	if _, found := f.has("app"); found {
		t.Error("planning created the repository")
	}
	r, err := plan.Execute(t.Context())
	if err != nil || !r.Created || plan.To.URI != fakeHost+"/app" || p.at("v1") != r.Digest {
		t.Errorf("creating: %+v, %v", r, err)
	}
}

func TestPushMounts(t *testing.T) {
	f := newFakeECR(t, "from", "to")
	img := saved(t, imagetest.Layout(imagetest.New(1, 30_000, 2_000)))
	(&pushing{f: f, repo: "from", source: img, tags: []string{"v1"}}).mustRun(t)
	f.journal()
	f.lose() // storage shared by repositories would hide what mounting does
	f.setFault(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPost && r.URL.Query().Get("from") == "from" && r.URL.Query().Get("mount") != "" {
			return refuse(201, "", "")
		}
		return nil
	})
	p := &pushing{f: f, repo: "to", source: img, tags: []string{"v1"}, mount: "from"}
	if r := p.mustRun(t); p.events.count(Mounted) != 3 || r.Sent != 0 {
		t.Errorf("mounted %d blobs and sent %d bytes; want 3 and none", p.events.count(Mounted), r.Sent)
	}
	if patches := f.journal(http.MethodPatch); len(patches) > 0 {
		t.Errorf("mounting sent %q", patches)
	}
}

// inBubble gives a test virtual time: what it waits for costs nothing.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestPushSurvivesFaults(t *testing.T) {
	source := saved(t, imagetest.Saved(imagetest.New(1, 300_000, 20_000)))
	for name, fault := range map[string]func(n int, r *http.Request) *http.Response{
		"throttled": func(n int, _ *http.Request) *http.Response {
			if n%3 == 0 {
				return refuse(429, "TOOMANYREQUESTS", "Rate exceeded")
			}
			return nil
		},
		"unavailable": func(n int, _ *http.Request) *http.Response {
			if n%4 == 1 {
				return refuse(503, "UNAVAILABLE", "")
			}
			return nil
		},
		"every first upload is cut in the middle": func() func(int, *http.Request) *http.Response {
			var mu sync.Mutex
			cut := 0
			return func(_ int, r *http.Request) *http.Response {
				mu.Lock()
				defer mu.Unlock()
				if r.Method != http.MethodPatch || cut == 3 {
					return nil
				}
				cut++
				io.CopyN(io.Discard, r.Body, r.ContentLength/2)
				return &http.Response{} // status 0: no answer
			}
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFakeECR(t, "app")
				var mu sync.Mutex
				n := 0
				f.setFault(func(r *http.Request) *http.Response {
					mu.Lock()
					n++
					now := n
					mu.Unlock()
					return fault(now, r)
				})
				p := &pushing{f: f, repo: "app", source: source, tags: []string{"v1"}}
				r, err := p.run(t)
				if err != nil || p.at("v1") != r.Digest || p.events.count(Retried) == 0 {
					t.Errorf("%+v, %v after %d retries", r, err, p.events.count(Retried))
				}
			})
		})
	}
}

func TestPushRenewsExpiredToken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFakeECR(t, "app")
		patches := 0
		f.setFault(func(r *http.Request) *http.Response {
			f.mu.Lock()
			defer f.mu.Unlock()
			if r.Method == http.MethodPatch {
				if patches++; patches == 2 {
					f.tokens += 100 // the token that everybody holds is worth nothing from now on
					return refuse(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
				}
			}
			return nil
		})
		p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000, 20_000, 10_000))), tags: []string{"v1"}}
		began := time.Now()
		if r, err := p.run(t); err != nil || p.at("v1") != r.Digest {
			t.Errorf("%+v, %v", r, err)
		}
		if f.tokens < 101 || time.Since(began) > time.Second {
			t.Errorf("%d tokens were given out in %v; want a new one at once", f.tokens, time.Since(began))
		}
	})
}

func TestPushDenied(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFakeECR(t, "app")
		f.setFault(func(r *http.Request) *http.Response {
			if r.Method == http.MethodPost {
				return refuse(403, "DENIED", "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: ecr:InitiateLayerUpload")
			}
			return nil
		})
		p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000))), tags: []string{"v1"}}
		began := time.Now()
		_, err := p.run(t)
		if err == nil || !strings.Contains(err.Error(), "ecr:InitiateLayerUpload") || time.Since(began) > time.Second {
			t.Errorf("a denial answered %v after %v; want the permission named at once", err, time.Since(began))
		}
		if p.at("v1") != "" {
			t.Error("a tag moved")
		}
	})
}

func TestPushGivesUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFakeECR(t, "app")
		f.setFault(func(r *http.Request) *http.Response {
			if r.Method == http.MethodPatch {
				return refuse(500, "INTERNAL", "an internal error")
			}
			return nil
		})
		p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000))), tags: []string{"v1"}}
		_, err := p.run(t)
		var refusal *RegistryError
		if !errors.As(err, &refusal) || refusal.Status != 500 || !strings.Contains(err.Error(), "tried 7 times") {
			t.Errorf("a registry that always fails answered %v", err)
		}
	})
}

func TestPushCancelled(t *testing.T) {
	stopped := errors.New("the runner cancelled the job")
	inBubble(t, func(t *testing.T) {
		f := newFakeECR(t, "app")
		p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000, 20_000))), tags: []string{"v1"}}
		ctx, cancel := context.WithCancelCause(t.Context())
		f.setFault(func(r *http.Request) *http.Response {
			if r.Method == http.MethodPatch {
				cancel(stopped)
			}
			return nil
		})
		plan, err := p.plan(t, ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := plan.Execute(ctx); !errors.Is(err, stopped) || len(r.Moved) > 0 || p.at("v1") != "" {
			t.Errorf("cancelled while uploading: %+v, %v", r, err)
		}
	})
	// Between two tags it goes on to the end: half of them moved is what nobody wants.
	inBubble(t, func(t *testing.T) {
		f := newFakeECR(t, "app")
		p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000))), tags: []string{"v1", "v2", "v3"}}
		ctx, cancel := context.WithCancelCause(t.Context())
		f.setFault(func(r *http.Request) *http.Response {
			if strings.HasSuffix(r.URL.Path, "/manifests/v1") && r.Method == http.MethodPut {
				cancel(stopped)
			}
			return nil
		})
		plan, err := p.plan(t, ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := plan.Execute(ctx); err != nil || len(r.Moved) != 3 {
			t.Errorf("cancelled between tags: %+v, %v", r, err)
		}
	})
}

func TestPushStopsBetweenTags(t *testing.T) {
	f := newFakeECR(t, "app")
	f.setFault(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/v2") {
			return refuse(400, "MANIFEST_INVALID", "no")
		}
		return nil
	})
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000))), tags: []string{"v1", "v2", "v3"}}
	_, err := p.run(t)
	var tags *TagsError
	if !errors.As(err, &tags) || !slices.Equal(tags.Moved, []string{"v1"}) || !slices.Equal(tags.Left, []string{"v2", "v3"}) {
		t.Errorf("stopped at the second tag: %v", err)
	}
}

func TestMovable(t *testing.T) {
	for _, c := range []struct {
		rules TagRules
		tag   string
		want  bool
	}{
		{TagRules{}, "v1", true},
		{TagRules{Immutable: true}, "v1", false},
		{TagRules{Immutable: true, Exceptions: []string{"latest"}}, "latest", true},
		{TagRules{Immutable: true, Exceptions: []string{"latest"}}, "latest2", false},
		{TagRules{Immutable: true, Exceptions: []string{"dev-*", "*-snapshot"}}, "dev-", true},
		{TagRules{Immutable: true, Exceptions: []string{"dev-*", "*-snapshot"}}, "1-snapshot", true},
		{TagRules{Exceptions: []string{"v*.*"}}, "v1.2", false},
		{TagRules{Exceptions: []string{"v*.*"}}, "v12", true},
		{TagRules{Exceptions: []string{"*"}}, "x", false},
		{TagRules{Exceptions: []string{"a*a"}}, "a", true},
	} {
		if got := c.rules.Movable(c.tag); got != c.want {
			t.Errorf("%+v: tag %q movable %v, want %v", c.rules, c.tag, got, c.want)
		}
	}
}
