package image

import (
	"net/http"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

func TestSiblings(t *testing.T) {
	for name, want := range map[string]string{
		"connect2-api-prod":    "connect2-api-staging connect2-api-dev connect2-api-stage",
		"connect2-api-staging": "connect2-api-dev connect2-api-prod connect2-api-development",
		"connect2-api-dev":     "connect2-api-staging connect2-api-prod connect2-api-stage",
		"production/api":       "staging/api development/api dev/api",
		"stage_api":            "dev_api prod_api",
		"dev/api-dev":          "staging/api-staging prod/api-prod stage/api-stage",
		"prod.test.x":          "prod.dev.x prod.prod.x",
		"device-api":           "",
		"products":             "",
		"api":                  "",
	} {
		if got := strings.Join(siblings(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// mounting lets the fake mount what is wanted of a repository.
func mounting(f *fakeECR, from string) {
	f.setFault(func(r *http.Request) *http.Response {
		if query := r.URL.Query(); r.Method == http.MethodPost && query.Get("from") == from && query.Get("mount") != "" {
			return refuse(201, "", "")
		}
		return nil
	})
}

// Layers that stand in the repository of another environment are neither compressed nor sent, whatever the image is called there.
func TestSiblingsAreMountedFrom(t *testing.T) {
	img := imagetest.New(1, 6_000_000, 2_000)
	for _, test := range []struct {
		name    string
		entries []imagetest.Entry
		there   []string // its tags in the other repository
		into    []string // the repositories that there are
		mounts  int
		sends   bool
	}{
		{"docker save, under the same tag", imagetest.Saved(img), []string{"v1"}, []string{"app-dev", "app-prod"}, 3, false},
		{"docker save, under another tag", imagetest.Saved(img), []string{"4f2c9e1"}, []string{"app-dev", "app-prod"}, 3, false},
		{"OCI, under the same tag", imagetest.Layout(img), []string{"v1"}, []string{"app-dev", "app-prod"}, 3, false},
		{"OCI, under another tag", imagetest.Layout(img), []string{"4f2c9e1"}, []string{"app-dev", "app-prod"}, 3, false},
		{"into a repository that is created", imagetest.Saved(img), []string{"v1"}, []string{"app-dev"}, 3, false},
		{"beside another application", imagetest.Saved(img), []string{"v1"}, []string{"other-dev", "app-prod"}, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeECR(t, test.into...)
			(&pushing{f: f, repo: test.into[0], source: saved(t, imagetest.Saved(img)), tags: test.there}).mustRun(t)
			source := saved(t, test.entries)
			if strings.HasPrefix(test.name, "OCI") {
				(&pushing{f: f, repo: test.into[0], source: source, tags: test.there}).mustRun(t)
			}
			f.lose() // storage shared by repositories would hide what mounting does
			mounting(f, test.into[0])
			p := &pushing{f: f, repo: "app-prod", source: source, tags: []string{"v1"}}
			f.journal()
			r := p.mustRun(t)
			// A configuration may be sent: it is small, and not what a manifest of layers pairs.
			if n := p.events.count(Mounted); n < min(test.mounts, 2) || (p.events.count(Compressed) > 0) != test.sends ||
				!test.sends && r.Sent > 10_000 {
				t.Errorf("mounted %d, compressed %d, sent %d bytes", n, p.events.count(Compressed), r.Sent)
			}
			if p.events.count(Remarked) > 0 {
				t.Errorf("remarks: %v", p.events.all)
			}
		})
	}
}

// Nobody is asked where little is at stake, where the repository has it, or where another one was named; and a refusal is no failure.
func TestSiblingsAreAskedForLargeImagesAlone(t *testing.T) {
	large, small := imagetest.Saved(imagetest.New(1, 6_000_000)), imagetest.Saved(imagetest.New(1, 60_000))
	for _, test := range []struct {
		name    string
		entries []imagetest.Entry
		again   bool
		mount   string
		plain   bool
		asked   bool
	}{
		{"large", large, false, "", false, true},
		{"small", small, false, "", false, false},
		{"there already", large, true, "", false, false},
		{"another repository was named", large, false, "base", false, false},
		{"a registry that is not ECR", large, false, "", true, false},
	} {
		f := newFakeECR(t, "app-dev", "app-prod", "base")
		p := &pushing{f: f, repo: "app-prod", source: saved(t, test.entries), tags: []string{"v1"}, mount: test.mount, plain: test.plain}
		if test.again {
			p.mustRun(t)
		}
		f.journal()
		if _, err := p.plan(t, t.Context()); err != nil {
			t.Fatal(err)
		}
		// Its own repository is asked for its tags; one that is empty is asked for the newest images, too.
		if n := count(f.asked(), "BatchGetImage"); n > 1 != test.asked {
			t.Errorf("%s: %d times BatchGetImage", test.name, n)
		}
	}
	f := newFakeECR(t, "app-dev", "app-prod")
	source := saved(t, large)
	(&pushing{f: f, repo: "app-dev", source: source, tags: []string{"v1"}}).mustRun(t)
	f.setFault(func(r *http.Request) *http.Response {
		if r.URL.Query().Get("from") != "" || strings.Contains(r.URL.Path, "/app-dev/") {
			return refuse(403, "DENIED", "not authorized")
		}
		return nil
	})
	if r := (&pushing{f: f, repo: "app-prod", source: source, tags: []string{"v1"}}).mustRun(t); !r.Stored {
		t.Errorf("a refused mount: %+v", r)
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}
