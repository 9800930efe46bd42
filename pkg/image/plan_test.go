package image

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// planned plans a push of an image to the repository app and fails the test where that fails.
func planned(t *testing.T, f *fakeECR, entries []imagetest.Entry, tags ...string) *Plan {
	t.Helper()
	p, err := (&pushing{f: f, repo: "app", source: saved(t, entries), tags: tags}).plan(t, t.Context())
	if err == nil {
		err = p.Check(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// push puts an image into the repository app.
func push(t *testing.T, f *fakeECR, entries []imagetest.Entry, tags ...string) Result {
	t.Helper()
	r := (&pushing{f: f, repo: "app", source: saved(t, entries), tags: tags}).mustRun(t)
	f.journal()
	return r
}

// with returns the image with one more layer.
func with(img imagetest.Image, layer []byte) imagetest.Image {
	img.Layers = append(slices.Clone(img.Layers), layer)
	return img
}

func TestPlanChecksTags(t *testing.T) {
	f := newFakeECR(t, "app")
	source := saved(t, imagetest.Layout(imagetest.New(1, 3_000)))
	for _, test := range []struct {
		tags, want []string // want: in the error
	}{
		{[]string{"v1", "latest"}, nil},
		{[]string{"not a tag"}, []string{"not a tag"}},
		{[]string{"-first", "v1", "no/slash"}, []string{"-first", "no/slash"}},
	} {
		plan, err := (&pushing{f: f, repo: "app", source: source, tags: test.tags}).plan(t, t.Context())
		if (err == nil) != (test.want == nil) || (plan == nil) != (err != nil) {
			t.Errorf("%q: got %v, %v", test.tags, plan, err)
			continue
		}
		for _, word := range test.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q: %v does not tell of %q", test.tags, err, word)
			}
		}
	}
	plan := planned(t, f, imagetest.Layout(imagetest.New(1, 3_000)), "v1", "latest", "v1")
	if len(plan.Tags) != 2 || plan.Tags[0].Tag != "v1" || plan.Tags[1].Tag != "latest" {
		t.Errorf("got %+v; want each tag once, in order", plan.Tags)
	}
}

// TestPlanFailsWhereItCannotRead refuses one kind of request at a time.
func TestPlanFailsWhereItCannotRead(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	for action, entries := range map[string][]imagetest.Entry{
		"BatchGetImage":               imagetest.Layout(with(img, imagetest.Layer(9, 10))),
		"BatchCheckLayerAvailability": imagetest.Layout(with(img, imagetest.Layer(9, 10))),
		"GetAuthorizationToken":       imagetest.Saved(with(img, imagetest.Layer(9, 10))),
	} {
		f := newFakeECR(t, "app")
		push(t, f, imagetest.Layout(img), "v1")
		f.deny(action)
		p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1"}}
		plan, err := p.plan(t, t.Context())
		if err == nil {
			err = plan.Check(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "ecr:"+action) {
			t.Errorf("%s is denied: %v", action, err)
		}
	}
	for _, path := range []string{"/manifests/v1", "/manifests/sha256:", "/blobs/sha256:"} { // of a registry that is not ECR
		f := newFakeECR(t, "app")
		push(t, f, imagetest.Layout(img), "v1")
		f.setFault(func(r *http.Request) *http.Response {
			if strings.Contains(r.URL.Path, path) {
				return refuse(403, "DENIED", "you may not")
			}
			return nil
		})
		p := &pushing{f: f, repo: "app", plain: true, source: saved(t, imagetest.Layout(with(img, imagetest.Layer(9, 10)))), tags: []string{"v1"}}
		plan, err := p.plan(t, t.Context())
		if err == nil {
			err = plan.Check(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), "you may not") {
			t.Errorf("%s is denied: %v", path, err)
		}
	}
}

// TestPlanEndsWithItsContext: the look at earlier images leaves out what it cannot read, but not that it was cancelled.
func TestPlanEndsWithItsContext(t *testing.T) {
	img := imagetest.New(1, 30_000)
	for _, at := range []string{"DescribeImages", "/blobs/"} {
		f := newFakeECR(t, "app")
		push(t, f, imagetest.Layout(img), "v1")
		ctx, cancel := context.WithCancel(t.Context())
		f.tell(func(action string) {
			if action == at {
				cancel()
			}
		})
		f.setFault(func(r *http.Request) *http.Response {
			if strings.Contains(r.URL.Path, at) {
				cancel()
				return refuse(403, "DENIED", "no")
			}
			return nil
		})
		p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(with(img, imagetest.Layer(9, 10)))), tags: []string{"v2"}}
		if plan, err := p.plan(t, ctx); !errors.Is(err, context.Canceled) || plan != nil {
			t.Errorf("cancelled at %s: got %v, %v", at, plan, err)
		}
	}
}

// TestPlanFindsTheWholeImage: it is there under its digest, or with its configuration, whoever compressed it.
func TestPlanFindsTheWholeImage(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	for _, test := range []struct {
		name      string
		stored    []imagetest.Entry
		pushed    []imagetest.Entry
		tag       string
		there     bool
		noChange  bool
		knowsItID bool // the digest is known without a push
		asks      []string
	}{
		{"compressed, under its tag", imagetest.Layout(img), imagetest.Layout(img), "v1", true, true, true, []string{"BatchGetImage"}},
		{"compressed, under another tag", imagetest.Layout(img), imagetest.Layout(img), "v2", true, false, true, []string{"BatchGetImage"}},
		{"compressed, not there", imagetest.Layout(imagetest.New(2, 100)), imagetest.Layout(img), "v2", false, false, true,
			[]string{"BatchCheckLayerAvailability", "BatchGetImage"}},
		{"uncompressed, under its tag", imagetest.Saved(img), imagetest.Saved(img), "v1", true, true, true,
			[]string{"BatchGetImage"}},
		{"uncompressed, under another tag", imagetest.Saved(img), imagetest.Saved(img), "v2", true, false, true,
			[]string{"BatchGetImage", "DescribeImages"}},
		{"uncompressed, not there", imagetest.Saved(imagetest.New(2, 100)), imagetest.Saved(img), "v2", false, false, false,
			[]string{"BatchCheckLayerAvailability", "BatchGetImage", "DescribeImages"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeECR(t, "app")
			want := push(t, f, test.stored, "v1").Digest
			plan := planned(t, f, test.pushed, test.tag)
			digest, known := plan.Digest()
			if plan.there != test.there || plan.NoChange() != test.noChange || known != test.knowsItID || test.there && digest != want {
				t.Errorf("there %v, no change %v, digest %q; stored as %s", plan.there, plan.NoChange(), digest, want)
			}
			asks := map[string]bool{}
			for _, call := range f.asked() {
				if call != "DescribeRepositories" && call != "GetAuthorizationToken" {
					asks[call] = true
				}
			}
			if got := slices.Sorted(maps.Keys(asks)); !slices.Equal(got, test.asks) {
				t.Errorf("it asked for %q, want %q", got, test.asks)
			}
			if work := plan.Work(); (work == Work{}) != test.there {
				t.Errorf("work %+v", work)
			}
		})
	}
}

// TestPlanWithoutTags: an image that is not there changes something, also where no tag does.
func TestPlanWithoutTags(t *testing.T) {
	f := newFakeECR(t, "app")
	img := imagetest.New(1, 3_000)
	if planned(t, f, imagetest.Layout(img)).NoChange() {
		t.Error("the image is not there, and nothing would change")
	}
	push(t, f, imagetest.Layout(img), "v1")
	if !planned(t, f, imagetest.Layout(img)).NoChange() {
		t.Error("the image is there and no tag is wanted: nothing changes")
	}
}

// stateOf tells of the blobs that a plan found out about: how many are there, how many are not, and how many uncompressed layers
// are stored.
func stateOf(p *Plan) (there, missing, stored int) {
	for _, has := range p.has {
		if has {
			there++
		} else {
			missing++
		}
	}
	return there, missing, len(p.known.stored)
}

func TestPlanFindsLayers(t *testing.T) {
	one, two := imagetest.New(1, 30_000), imagetest.New(1, 30_000, 2_000)
	arm := one
	arm.Architecture = "arm64"
	for _, test := range []struct {
		name                   string
		stored, pushed         []imagetest.Entry
		there, missing, paired int
		known                  bool // the digest is known without compressing
		work                   Work // in blobs
	}{
		{"compressed, a layer is new", imagetest.Layout(one), imagetest.Layout(two), 1, 2, 0, true, Work{Send: 2, Reuse: 1}},
		{"compressed, nothing is there", imagetest.Layout(imagetest.New(7, 99)), imagetest.Layout(one), 0, 2, 0, true, Work{Send: 2}},
		{"compressed, all layers are there", imagetest.Layout(two), imagetest.Layout(one), 1, 1, 0, true, Work{Send: 1, Reuse: 1}},
		{"uncompressed, a layer is new", imagetest.Saved(one), imagetest.Saved(two), 1, 1, 1, false, Work{Compress: 1, Send: 1, Reuse: 1}},
		{"uncompressed, nothing is there", imagetest.Saved(imagetest.New(7, 99)), imagetest.Saved(two), 0, 1, 0, false,
			Work{Compress: 2, Send: 1}},
		{"uncompressed, the one layer is there", imagetest.Saved(one), imagetest.Saved(arm), 1, 1, 1, true, Work{Send: 1, Reuse: 1}},
		{"uncompressed, both layers are there", imagetest.Saved(with(two, imagetest.Layer(3, 9))), imagetest.Saved(two), 2, 1, 2, true,
			Work{Send: 1, Reuse: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeECR(t, "app")
			push(t, f, test.stored, "v1")
			plan := planned(t, f, test.pushed, "v1")
			there, missing, paired := stateOf(plan)
			if there != test.there || missing != test.missing || paired != test.paired {
				t.Errorf("%d blobs are there, %d are not, %d uncompressed layers are known; want %d, %d and %d", there, missing, paired,
					test.there, test.missing, test.paired)
			}
			if _, known := plan.Digest(); known != test.known {
				t.Errorf("the digest is known: %v", known)
			}
			work := plan.Work()
			if work.Send != test.work.Send || work.Compress != test.work.Compress || work.Reuse != test.work.Reuse {
				t.Errorf("work %+v, want %+v", work, test.work)
			}
			if (work.SendBytes > 0) != (work.Send > 0) || (work.CompressBytes > 0) != (work.Compress > 0) ||
				(work.ReuseBytes > 0) != (work.Reuse > 0) {
				t.Errorf("bytes without blobs, or blobs without bytes: %+v", work)
			}
		})
	}
}

// TestPlanBelievesTheRegistry: an earlier image names a layer that the registry lost. It must be sent again.
func TestPlanBelievesTheRegistry(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	f := newFakeECR(t, "app")
	push(t, f, imagetest.Saved(img), "v1")
	f.lose()
	plan := planned(t, f, imagetest.Saved(with(img, imagetest.Layer(9, 10))), "v1")
	if there, _, paired := stateOf(plan); there != 0 || paired != 0 {
		t.Errorf("%d blobs are taken for there, %d layers for stored", there, paired)
	}
	if work := plan.Work(); work.Compress != 3 || work.Reuse != 0 {
		t.Errorf("work %+v, want all 3 layers compressed and sent", work)
	}
}

// TestPlanLeavesEarlierImagesAlone: where no layer has to be compressed, they tell nothing that is needed.
func TestPlanLeavesEarlierImagesAlone(t *testing.T) {
	img := imagetest.New(1, 30_000)
	f := newFakeECR(t, "app")
	push(t, f, imagetest.Layout(img), "v1")
	planned(t, f, imagetest.Layout(with(img, imagetest.Layer(9, 10))), "v2")
	for _, get := range f.journal(http.MethodGet) {
		if !strings.HasSuffix(get, "/manifests/v2") {
			t.Errorf("it read %s", get)
		}
	}
}

func TestPlanRefusesImmutableTags(t *testing.T) {
	other := imagetest.New(2, 2_000)
	for name, entries := range map[string][]imagetest.Entry{"compressed": imagetest.Layout(other), "uncompressed": imagetest.Saved(other)} {
		f := newFakeECR(t, "app")
		f.rule("app", ecrtypes.ImageTagMutabilityImmutable)
		has := push(t, f, imagetest.Layout(imagetest.New(1, 2_000)), "v1", "v2").Digest
		p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1", "v2", "v3"}}
		src, err := Open(t.Context(), p.source, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wanted, known := src.Digest()
		if !known {
			wanted = "image ID " + src.ImageID()
		}
		src.Close()
		_, err = p.plan(t, t.Context())
		for _, tag := range []string{"v1", "v2"} {
			want := (&ImmutableTagError{Repository: fakeHost + "/app", Tag: tag, Has: has, Wanted: wanted}).Error()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v; want %q in it", name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "v3") {
			t.Errorf("%s: a tag that is free was refused: %v", name, err)
		}
	}
}

// TestJobs: each blob once, the largest first, however often and where the image names it.
func TestJobs(t *testing.T) {
	img := imagetest.New(1, 100, 40_000)
	for _, entries := range [][]imagetest.Entry{imagetest.Layout(with(img, img.Layers[0])), imagetest.Saved(with(img, img.Layers[0]))} {
		plan := planned(t, newFakeECR(t, "app"), entries, "v1")
		var sizes []int64
		seen := map[v1.Hash]bool{}
		for _, j := range plan.jobs() {
			key := j.Digest
			if j.mustCompress() {
				key = j.diffID
			}
			if seen[key] {
				t.Errorf("%s stands twice in the work", key)
			}
			seen[key] = true
			sizes = append(sizes, max(j.Size, j.uncompressed))
		}
		if len(sizes) != 3 || !slices.IsSortedFunc(sizes, func(a, b int64) int { return int(b - a) }) {
			t.Errorf("sizes %v; want two layers and the configuration, the largest first", sizes)
		}
	}
}

// TestLookupsAreFew counts the requests that are under way at the same time.
func TestLookupsAreFew(t *testing.T) {
	for path, want := range map[string]int{"/manifests/t": 16, "/blobs/sha256:": 8} { // of a registry that is not ECR
		inBubble(t, func(t *testing.T) {
			f := newFakeECR(t, "app")
			var mu sync.Mutex
			now, most := 0, 0
			f.setFault(func(r *http.Request) *http.Response {
				if !strings.Contains(r.URL.Path, path) {
					return nil
				}
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				<-time.After(time.Second) // of the bubble: until all that can be under way are
				mu.Lock()
				now--
				mu.Unlock()
				return nil
			})
			img := imagetest.New(1)
			var tags []string
			for i := range 3 * lookups {
				img = with(img, imagetest.Layer(uint64(i), 100))
				tags = append(tags, "t"+string(rune('a'+i)))
			}
			plan, err := (&pushing{f: f, repo: "app", plain: true, source: saved(t, imagetest.Layout(img)), tags: tags}).plan(t, t.Context())
			if err == nil {
				err = plan.Check(t.Context())
			}
			if err != nil || most != want {
				t.Errorf("%s: %d requests at the same time, want %d; %v", path, most, want, err)
			}
		})
	}
}
