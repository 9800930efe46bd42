package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// total returns how many requests were made since the last call, of the registry and of ECR's API.
func (f *fakeECR) total() int {
	f.mu.Lock()
	n := len(f.requests) + len(f.calls)
	f.mu.Unlock()
	f.journal()
	return n
}

// An unchanged image costs three requests at most.
func TestUnchangedIsThreeRequests(t *testing.T) {
	img := imagetest.New(1, 30_000, 20_000, 10_000)
	for form, entries := range map[string][]imagetest.Entry{"docker save": imagetest.Saved(img), "OCI layout": imagetest.Layout(img)} {
		for _, plain := range []bool{false, true} {
			f := newFakeECR(t, "app")
			p := &pushing{f: f, repo: "app", plain: plain, source: saved(t, entries), tags: []string{"v1"}}
			p.mustRun(t)
			f.total()
			if r := p.mustRun(t); r.Changed() {
				t.Errorf("%s: %+v", form, r)
			}
			if n := f.total(); n > 3 {
				t.Errorf("%s, ECR %v: %d requests", form, !plain, n)
			}
		}
	}
}

// The layers of an image are found whoever pushed it, and however many images were pushed since.
func TestNothingIsForgotten(t *testing.T) {
	img := imagetest.New(1, 30_000, 20_000)
	arm := img
	arm.Architecture = "arm64"
	amd := img
	amd.Architecture = "amd64"
	index, _ := imagetest.Index(amd, imagetest.New(77, 900))
	for _, test := range []struct {
		name   string
		stored []imagetest.Entry
		plain  bool
		pushed imagetest.Image
	}{
		{"by us", imagetest.Saved(img), false, img},
		{"by us, in a registry that is not ECR", imagetest.Saved(img), true, img},
		{"by buildx", imagetest.Layout(img), false, img},
		{"by buildx, in a registry that is not ECR", imagetest.Layout(img), true, img},
		{"for another architecture", imagetest.Saved(arm), false, img},
		{"in an index with an attestation", index, false, img},
		{"in an index with an attestation, in a registry that is not ECR", index, true, img},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeECR(t, "app")
			(&pushing{f: f, repo: "app", plain: test.plain, source: saved(t, test.stored), tags: []string{"v1"}}).mustRun(t)
			for i := range 30 {
				other := imagetest.New(uint64(1000+i), 500)
				(&pushing{f: f, repo: "app", plain: test.plain, source: saved(t, imagetest.Saved(other)),
					tags: []string{fmt.Sprint("other-", i), "latest"}}).mustRun(t)
			}
			f.journal()
			p := &pushing{f: f, repo: "app", plain: test.plain, source: saved(t, imagetest.Saved(test.pushed)), tags: []string{"again"}}
			p.mustRun(t)
			if n := p.events.count(Compressed); n != 0 {
				t.Errorf("%d layers were compressed again", n)
			}
			for _, patch := range f.journal(http.MethodPatch) {
				t.Logf("sent %s", patch)
			}
			if sent := p.events.count(Uploaded); sent > 1 { // a configuration of its own
				t.Errorf("%d blobs were sent", sent)
			}
		})
	}
}

// One small layer changes: it takes no look at anything but what the tags point at.
func TestOneLayerChangedTakesFewRequests(t *testing.T) {
	img := imagetest.New(1, 30_000, 20_000, 10_000)
	f := newFakeECR(t, "app")
	push(t, f, imagetest.Saved(img), "latest")
	changed := img
	changed.Layers = append(slices.Clone(img.Layers[:2]), imagetest.Layer(99, 900))
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(changed)), tags: []string{"v2"}}
	f.total()
	p.mustRun(t)
	f.mu.Lock()
	calls, requests := slices.Clone(f.calls), slices.Clone(f.requests)
	f.mu.Unlock()
	slices.Sort(calls)
	want := []string{"BatchCheckLayerAvailability", "BatchGetImage", "DescribeRepositories", "GetAuthorizationToken"}
	if !slices.Equal(calls, want) {
		t.Errorf("calls of the API: %q, want %q", calls, want)
	}
	// Two blobs, each begun, sent and closed, one of them asked for; the manifest and the tag.
	if len(requests) != 2*3+1+2 {
		t.Errorf("%d requests: %q", len(requests), requests)
	}
}

// A push that was killed after its layers were sent, and run again: they are found under their digests once they are compressed.
func TestKilledPushSendsNoLayerTwice(t *testing.T) {
	f := newFakeECR(t, "app")
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 30_000, 20_000))), tags: []string{"v1"}}
	f.setFault(func(r *http.Request) *http.Response {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			return refuse(400, "MANIFEST_INVALID", "no")
		}
		return nil
	})
	if _, err := p.run(t); err == nil {
		t.Fatal("it was not stopped")
	}
	f.setFault(nil)
	f.journal()
	p.events = events{}
	if p.mustRun(t); p.events.count(Uploaded) != 0 || len(f.journal(http.MethodPatch)) != 0 {
		t.Errorf("%d blobs were sent again", p.events.count(Uploaded))
	}
}

// An image is stored wholly in the codec that is asked for, its layers under the same uncompressed digests.
func TestCodec(t *testing.T) {
	img := imagetest.New(1, 3_000_000, 20_000)
	for form, entries := range map[string][]imagetest.Entry{
		"docker save": imagetest.Saved(img), "docker save 25": imagetest.SavedNew(img), "OCI layout": imagetest.Layout(img),
	} {
		for _, codec := range []Codec{Gzip, Zstd} {
			t.Run(form+" "+string(codec), func(t *testing.T) {
				f := newFakeECR(t, "app")
				p := &pushing{f: f, repo: "app", codec: codec, source: saved(t, entries), tags: []string{"v1"}}
				r := p.mustRun(t)
				d, err := f.registries(nil).Resolve(t.Context(), Reference{Registry: fakeHost, Repository: "app", Tag: "v1"})
				if err != nil || d.Reference.Digest != r.Digest {
					t.Fatal(err)
				}
				doc, err := parseManifest(d.Manifest)
				if err != nil || doc.Config.Digest != sum(img.Config()) || len(doc.Layers) != len(img.Layers) {
					t.Fatalf("%v: %s", err, d.Manifest)
				}
				repo, err := f.registries(nil).Repository(Reference{Registry: fakeHost, Repository: "app"})
				if err != nil {
					t.Fatal(err)
				}
				for i, l := range doc.Layers {
					how := gzipped
					if codec == Zstd {
						how = zstandard
					}
					if !codec.of(l.MediaType) {
						t.Errorf("layer %d is %s", i, l.MediaType)
					}
					body, err := repo.openBlob(t.Context(), l.Digest)
					if err != nil {
						t.Fatal(err)
					}
					z, err := reading(body, how)
					if err != nil {
						t.Fatal(err)
					}
					if back, err := io.ReadAll(z); err != nil || !bytes.Equal(back, img.Layers[i]) {
						t.Errorf("layer %d reads back as %d bytes, %v", i, len(back), err)
					}
				}
				if form != "OCI layout" || codec == Zstd {
					if uncompressedOf(doc.Layers[0]) != sum(img.Layers[0]) {
						t.Errorf("the manifest does not tell the uncompressed digests: %s", d.Manifest)
					}
				}
				f.journal()
				again := &pushing{f: f, repo: "app", codec: codec, source: p.source, tags: []string{"v2"}}
				if r2 := again.mustRun(t); r2.Digest != r.Digest || again.events.count(Compressed)+again.events.count(Uploaded) > 0 {
					t.Errorf("again: %+v", r2)
				}
			})
		}
	}
}

// The digests of an index's images cannot change, so their layers stay as they are.
func TestCodecOfIndex(t *testing.T) {
	f := newFakeECR(t, "app")
	entries, _ := imagetest.Index(imagetest.New(1, 3_000), imagetest.New(2, 2_000))
	p := &pushing{f: f, repo: "app", codec: Zstd, source: saved(t, entries), tags: []string{"v1"}}
	if _, err := p.run(t); err == nil || !strings.Contains(err.Error(), "push one platform") {
		t.Errorf("got %v", err)
	}
	p.codec = Gzip
	p.mustRun(t)
}

// An image in the other codec is not taken for the one that is wanted.
func TestCodecsAreTold(t *testing.T) {
	f := newFakeECR(t, "app")
	source := saved(t, imagetest.Saved(imagetest.New(1, 30_000)))
	one := (&pushing{f: f, repo: "app", codec: Zstd, source: source, tags: []string{"v1"}}).mustRun(t)
	p := &pushing{f: f, repo: "app", source: source, tags: []string{"v1"}}
	if two := p.mustRun(t); two.Digest == one.Digest || p.events.count(Compressed) != 1 {
		t.Errorf("%+v", two)
	}
}

// A layer that is sent while it is compressed arrives whole, also where the first try is cut in its middle.
func TestStreamedLayer(t *testing.T) {
	big := imagetest.Layer(1, 9<<20)
	img := imagetest.Image{Layers: [][]byte{big}}
	f := newFakeECR(t, "app")
	cut, chunked := 0, 0
	f.setFault(func(r *http.Request) *http.Response {
		if r.Method != http.MethodPatch {
			return nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.ContentLength < 0 {
			if chunked++; cut == 0 {
				cut++
				io.CopyN(io.Discard, r.Body, 1<<20)
				return &http.Response{}
			}
		}
		return nil
	})
	p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(img)), tags: []string{"v1"}}
	plan, err := p.plan(t, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	plan.streamFrom = 1 << 20
	r, err := plan.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if chunked == 0 || cut != 1 || p.events.count(Retried) != 1 || p.events.count(Compressed) != 1 || p.at("v1") != r.Digest {
		t.Errorf("%d streams, %d cut, %d tries more, compressed %d times", chunked, cut, p.events.count(Retried), p.events.count(Compressed))
	}
	var m struct{ Layers []struct{ Size int64 } }
	d, err := f.registries(nil).Resolve(t.Context(), Reference{Registry: fakeHost, Repository: "app", Tag: "v1"})
	if err == nil {
		err = json.Unmarshal(d.Manifest, &m)
	}
	if err != nil || d.MediaType != string(types.OCIManifestSchema1) || len(m.Layers) != 1 ||
		!slices.ContainsFunc(r.Blobs, func(b BlobResult) bool { return b.Size == m.Layers[0].Size }) {
		t.Errorf("%v, %s", err, d.Manifest)
	}
}
