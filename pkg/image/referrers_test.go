package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// artifact is something to attach to an image.
type artifact struct {
	kind, content string
	layer         types.MediaType
	notes         map[string]string // of its layer
	subject       v1.Descriptor     // zero: it refers by its tag
}

func (a artifact) files() (manifest []byte, blobs [][]byte) {
	config := []byte(`{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]}}`)
	if a.layer == "" {
		a.layer = types.MediaType(a.kind)
	}
	describe := func(t types.MediaType, raw []byte) v1.Descriptor {
		return v1.Descriptor{MediaType: t, Digest: sum(raw), Size: int64(len(raw))}
	}
	layer := describe(a.layer, []byte(a.content))
	layer.Annotations = a.notes
	doc := map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "config": describe(types.OCIConfigJSON, config),
		"layers": []v1.Descriptor{layer}, "annotations": map[string]string{"made": "by a test"}}
	if a.kind != "" {
		doc["artifactType"] = a.kind
	}
	if a.subject.Digest != (v1.Hash{}) {
		doc["subject"] = a.subject
	}
	raw, _ := json.Marshal(doc)
	return raw, [][]byte{config, []byte(a.content)}
}

// attach stores an artifact in a repository of the fake, and returns its descriptor.
func (f *fakeECR) attach(t testing.TB, repo, tag string, a artifact) v1.Descriptor {
	t.Helper()
	raw, blobs := a.files()
	r := f.repository(t, repo)
	for _, b := range blobs {
		if _, err := r.upload(t.Context(), upload{blob: inMemory(b)}); err != nil {
			t.Fatal(err)
		}
	}
	d := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: sum(raw), Size: int64(len(raw))}
	if tag == "" {
		tag = d.Digest.String()
	}
	if _, err := r.putManifest(t.Context(), tag, &manifest{Digest: d.Digest, MediaType: d.MediaType, Raw: raw}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (f *fakeECR) repository(t testing.TB, repo string) *Repository {
	t.Helper()
	r, err := f.registries(nil).Repository(Reference{Registry: fakeHost, Repository: repo})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func inMemory(b []byte) Blob {
	return Blob{v1.Descriptor{Digest: sum(b), Size: int64(len(b))}, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

// isReferrers says whether a request asks for referrers.
func isReferrers(r *http.Request) bool { return strings.Contains(r.URL.Path, "/referrers/") }

// unknowing makes the fake a registry that knows nothing of referrers, in the repositories named.
func (f *fakeECR) unknowing(repos ...string) {
	f.setFault(func(r *http.Request) *http.Response {
		if isReferrers(r) && slices.ContainsFunc(repos, func(n string) bool { return strings.Contains(r.URL.Path, "/"+n+"/") }) {
			return refuse(404, "", "404 page not found")
		}
		return nil
	})
}

// listedAt returns what a repository says to refer to a digest.
func (f *fakeECR) listedAt(t testing.TB, repo, digest string) (all []string) {
	t.Helper()
	h, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := f.repository(t, repo).referrers(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		all = append(all, d.Digest.String())
	}
	return all
}

const (
	spdx       = "application/spdx+json"
	provenance = "application/vnd.in-toto+json"
	simple     = "application/vnd.dev.cosign.simplesigning.v1+json"
)

// Signatures, SBOMs and provenance go along, on the index and its images, on each other, whether the registries know of referrers or not.
func TestReferrersGoAlong(t *testing.T) {
	for name, unknowing := range map[string][]string{
		"listed": nil, "by tag": {"dev", "prod"}, "into a tag": {"prod"}, "out of a tag": {"dev"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeECR(t, "dev", "prod")
			a, b := imagetest.New(1, 30_000), imagetest.New(2, 20_000)
			a.Architecture, b.Architecture = "amd64", "arm64"
			entries, digest := imagetest.Index(a, b)
			dev := &pushing{f: f, repo: "dev", source: saved(t, entries), tags: []string{"v1"}}
			dev.mustRun(t)
			m, err := f.repository(t, "dev").manifest(t.Context(), "v1")
			if err != nil {
				t.Fatal(err)
			}
			doc, _ := parseManifest(m.Raw)
			root := v1.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: int64(len(m.Raw))}
			f.unknowing(unknowing...)
			byTag := slices.Contains(unknowing, "dev")
			attach := func(a artifact) string {
				d := f.attach(t, "dev", "", a)
				if byTag { // as a client of such a registry does
					r := f.repository(t, "dev")
					have, _ := r.manifest(t.Context(), fallbackTag(a.subject.Digest))
					raw, err := withEntries(have, []*referrer{{node: &node{desc: d}, kind: a.kind}})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := r.putManifest(t.Context(), fallbackTag(a.subject.Digest),
						&manifest{Digest: sum(raw), MediaType: types.OCIImageIndex, Raw: raw}); err != nil {
						t.Fatal(err)
					}
				}
				return d.Digest.String()
			}
			sbom := attach(artifact{kind: spdx, content: "an SBOM", subject: root})
			sbomHash, _ := v1.NewHash(sbom)
			deep := attach(artifact{kind: "application/vnd.cncf.notary.signature", content: "of the SBOM", subject: v1.Descriptor{
				MediaType: types.OCIManifestSchema1, Digest: sbomHash, Size: 1}})
			child := attach(artifact{kind: provenance, content: "of an image", subject: doc.Manifests[1]})
			sig := f.attach(t, "dev", fallbackTag(root.Digest)+".sig", artifact{layer: simple, content: "{}"})
			att := f.attach(t, "dev", fallbackTag(doc.Manifests[0].Digest)+".att",
				artifact{layer: "application/vnd.dsse.envelope.v1+json", content: "{}1"})

			prod := &pushing{f: f, repo: "prod", source: fakeHost + "/dev:v1", tags: []string{"v1"}}
			r := prod.mustRun(t)
			if r.Digest != digest || len(r.Referrers) != 5 {
				t.Fatalf("%d manifests refer to it, want 5: %+v", len(r.Referrers), r.Referrers)
			}
			for on, want := range map[string]string{digest: sbom, sbom: deep, doc.Manifests[1].Digest.String(): child} {
				if got := f.listedAt(t, "prod", on); !slices.Equal(got, []string{want}) {
					t.Errorf("to %s refer %q, want %s", on, got, want)
				}
			}
			if prod.at(fallbackTag(root.Digest)+".sig") != sig.Digest.String() ||
				prod.at(fallbackTag(doc.Manifests[0].Digest)+".att") != att.Digest.String() {
				t.Error("the tags of cosign are missing")
			}

			f.journal()
			if again, err := prod.plan(t, t.Context()); err != nil || !again.NoChange() {
				t.Errorf("the same again is not no change: %v", err)
			}
			if wrote := f.journal(http.MethodPost, http.MethodPut, http.MethodPatch); len(wrote) > 0 {
				t.Errorf("planning wrote %q", wrote)
			}
			// Something new goes to the image that is there, and nothing else is sent.
			late := attach(artifact{kind: spdx, content: "a later SBOM", subject: root})
			f.journal()
			r = prod.mustRun(t)
			if got := f.listedAt(t, "prod", digest); len(got) != 2 || !slices.Contains(got, late) {
				t.Errorf("%q refer to the image, want %s too", got, late)
			}
			if !r.Changed() || len(r.Moved) > 0 || r.Sent > 1000 {
				t.Errorf("one more attached: %+v", r)
			}
		})
	}
}

func TestReferrersSkipped(t *testing.T) {
	f := newFakeECR(t, "dev", "prod")
	dev := &pushing{f: f, repo: "dev", source: saved(t, imagetest.Layout(imagetest.New(1, 3000))), tags: []string{"v1"}}
	digest := dev.mustRun(t).Digest
	h, _ := v1.NewHash(digest)
	f.attach(t, "dev", "", artifact{kind: spdx, content: "an SBOM",
		subject: v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: 1}})
	prod := &pushing{f: f, repo: "prod", source: fakeHost + "/dev:v1", tags: []string{"v1"}, referrers: SkipReferrers}
	f.journal()
	r := prod.mustRun(t)
	for _, request := range f.journal() {
		if strings.Contains(request, "/referrers/") || strings.Contains(request, ".sig") {
			t.Errorf("%s, though nothing is to be copied", request)
		}
	}
	if got := f.listedAt(t, "prod", digest); len(got)+len(r.Referrers) > 0 {
		t.Errorf("%q refer to the image", got)
	}
}

// A registry that does not say what refers to an image is told of, or is the end where all of it was asked for.
func TestReferrersRefused(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*http.Request) *http.Response
		how   Referrers
		ok    bool
		word  string // in the error or the notes
	}{
		"denied": {func(r *http.Request) *http.Response {
			return refuse(403, "DENIED", "not authorized to perform: ecr:BatchGetImage")
		},
			CopyReadable, true, "are not copied"},
		"denied, and all are asked for": {func(r *http.Request) *http.Response {
			return refuse(403, "DENIED", "not authorized to perform: ecr:BatchGetImage")
		}, CopyReferrers, false, "403"},
		"too many":  {func(r *http.Request) *http.Response { return manyReferrers(mostReferrers + 1) }, CopyReadable, false, "more than 500"},
		"not there": {func(r *http.Request) *http.Response { return manyReferrers(1) }, CopyReadable, true, "not whole"},
		"not there, and all are asked for": {func(r *http.Request) *http.Response { return manyReferrers(1) }, CopyReferrers, false,
			"referrers: copy asks for all"},
		"a page of a web site": {func(r *http.Request) *http.Response {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<html>"))}
		}, CopyReferrers, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeECR(t, "dev", "prod")
			dev := &pushing{f: f, repo: "dev", source: saved(t, imagetest.Layout(imagetest.New(1, 3000))), tags: []string{"v1"}}
			dev.mustRun(t)
			f.setFault(func(r *http.Request) *http.Response {
				if isReferrers(r) && strings.Contains(r.URL.Path, "/dev/") {
					return c.fault(r)
				}
				return nil
			})
			f.journal()
			prod := &pushing{f: f, repo: "prod", source: fakeHost + "/dev:v1", tags: []string{"v1"}, referrers: c.how}
			plan, err := prod.plan(t, t.Context())
			if (err == nil) != c.ok {
				t.Fatalf("planning: %v", err)
			}
			said := fmt.Sprint(err)
			if c.ok {
				said = strings.Join(plan.Source.Notes, "\n")
				if _, err := plan.Execute(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else if wrote := f.journal(http.MethodPost, http.MethodPut, http.MethodPatch); len(wrote) > 0 {
				t.Errorf("it wrote %q", wrote)
			}
			if !strings.Contains(said, c.word) {
				t.Errorf("%q is not said:\n%s", c.word, said)
			}
		})
	}
}

func manyReferrers(n int) *http.Response {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for i := range n {
		index.Manifests = append(index.Manifests,
			v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: sum([]byte{byte(i), byte(i >> 8)}), Size: 5})
	}
	raw, _ := json.Marshal(index)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(raw))}
}

// What refers to an image in an OCI layout goes along: by its subject, by the tags of cosign, and as cosign save writes it.
func TestReferrersOfLayout(t *testing.T) {
	img := imagetest.New(1, 3000)
	entries := imagetest.Layout(img)
	at := slices.IndexFunc(entries, func(e imagetest.Entry) bool { return e.Name == "index.json" })
	var index struct {
		Manifests []map[string]any `json:"manifests"`
	}
	if err := json.Unmarshal(entries[at].Content, &index); err != nil {
		t.Fatal(err)
	}
	digest := index.Manifests[0]["digest"].(string)
	h, _ := v1.NewHash(digest)
	add := func(a artifact, annotations map[string]string) string {
		raw, blobs := a.files()
		for _, b := range append(blobs, raw) {
			entries = append(entries, imagetest.Entry{Name: "blobs/sha256/" + sum(b).Hex, Content: b})
		}
		index.Manifests = append(index.Manifests, map[string]any{"mediaType": types.OCIManifestSchema1, "digest": sum(raw).String(),
			"size": len(raw), "annotations": annotations})
		return sum(raw).String()
	}
	sbom := add(artifact{kind: spdx, content: "an SBOM",
		subject: v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: 1}}, nil)
	sig := add(artifact{layer: simple, content: "{}"}, map[string]string{"kind": "dev.cosignproject.cosign/sigs",
		"org.opencontainers.image.ref.name": "example.com/app:v1"})
	att := add(artifact{layer: "application/vnd.dsse.envelope.v1+json", content: "{}1"},
		map[string]string{"org.opencontainers.image.ref.name": fallbackTag(h) + ".att"})
	other := add(artifact{layer: simple, content: "{}2"},
		map[string]string{"org.opencontainers.image.ref.name": "sha256-" + strings.Repeat("0", 64) + ".sig"})
	entries[at].Content, _ = json.Marshal(map[string]any{"schemaVersion": 2, "manifests": index.Manifests})

	f := newFakeECR(t, "app")
	p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1"}}
	r := p.mustRun(t)
	if r.Digest != digest || p.at("v1") != digest || len(r.Referrers) != 3 {
		t.Fatalf("%s with %+v", r.Digest, r.Referrers)
	}
	if got := f.listedAt(t, "app", digest); !slices.Equal(got, []string{sbom}) {
		t.Errorf("%q refer to the image", got)
	}
	if p.at(fallbackTag(h)+".sig") != sig || p.at(fallbackTag(h)+".att") != att || strings.Contains(fmt.Sprint(r.Referrers), other) {
		t.Errorf("the tags of cosign: %+v", r.Referrers)
	}
	// Compressed anew it has another digest, which nothing refers to.
	p = &pushing{f: newFakeECR(t, "app"), repo: "app", source: p.source, tags: []string{"v1"}, codec: Zstd}
	plan, err := p.plan(t, t.Context())
	if err != nil || !strings.Contains(strings.Join(plan.Source.Notes, "\n"), "they stay behind") {
		t.Errorf("in another codec: %v", err)
	}
	p.referrers = CopyReferrers
	if _, err := p.plan(t, t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be copied") {
		t.Errorf("in another codec, all asked for: %v", err)
	}
}

// What a tag of cosign has at the destination is neither lost nor doubled.
func TestBeside(t *testing.T) {
	digest := func(s string) v1.Hash { return sum([]byte(s)) }
	want := func(layers ...string) *node {
		n := &node{desc: v1.Descriptor{Digest: digest("source")}}
		for _, l := range layers {
			n.layers = append(n.layers, layer{Blob: Blob{Descriptor: v1.Descriptor{Digest: digest(l)}}})
		}
		return n
	}
	have := func(layers ...string) *manifest {
		doc := v1.Manifest{SchemaVersion: 2, Config: v1.Descriptor{Digest: digest("config")}}
		for _, l := range layers {
			doc.Layers = append(doc.Layers, v1.Descriptor{Digest: digest(l)})
		}
		raw, _ := json.Marshal(doc)
		return &manifest{Digest: sum(raw), Raw: raw}
	}
	index, _ := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{{Digest: digest("x")}}})
	for name, c := range map[string]struct {
		have    *manifest
		want    *node
		movable bool
		fate    tagFate
	}{
		"nothing there":             {nil, want("a"), true, moving},
		"nothing there, immutable":  {nil, want("a"), false, moving},
		"the same":                  {&manifest{Digest: digest("source")}, want("a"), false, standing},
		"more there":                {have("a", "b"), want("a"), true, standing},
		"fewer there":               {have("a"), want("a", "b"), true, moving},
		"fewer there, immutable":    {have("a"), want("a", "b"), false, keepsOther},
		"another there":             {have("b"), want("a"), true, keepsOther},
		"one of each":               {have("a", "b"), want("a", "c"), true, keepsOther},
		"an index there":            {&manifest{Digest: sum(index), Raw: index}, want("a"), true, keepsOther},
		"something unreadable":      {&manifest{Digest: digest("y"), Raw: []byte("{")}, want("a"), true, keepsOther},
		"an index of one's own too": {have("a"), &node{children: []*node{want("a")}}, true, keepsOther},
	} {
		if got := beside(c.have, c.want, c.movable); got != c.fate {
			t.Errorf("%s: %d, want %d", name, got, c.fate)
		}
	}
}

// A file refers to the image, and the same file again changes nothing, also where the image's digest is known after compression alone.
func TestAttach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sbom.json")
	for name, plain := range map[string]bool{"ECR": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(`{"spdxVersion":"SPDX-2.3"}`), 0o600); err != nil {
				t.Fatal(err)
			}
			f := newFakeECR(t, "app")
			p := &pushing{f: f, repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 3000))), tags: []string{"v1"}, plain: plain,
				attach: []Attachment{{spdx, file}}}
			r := p.mustRun(t)
			if len(r.Referrers) != 1 || r.Referrers[0].On != r.Digest || r.Referrers[0].How != Attached {
				t.Fatalf("%+v", r)
			}
			f.open = true
			raw, err := f.repository(t, "app").manifest(t.Context(), r.Referrers[0].Digest)
			if err != nil {
				t.Fatal(err)
			}
			var doc struct {
				ArtifactType string
				Subject      v1.Descriptor
				Config       v1.Descriptor
				Layers       []v1.Descriptor
			}
			if err := json.Unmarshal(raw.Raw, &doc); err != nil || doc.ArtifactType != spdx || doc.Subject.Digest.String() != r.Digest ||
				doc.Subject.Size == 0 || doc.Config.MediaType != emptyType || len(doc.Layers) != 1 ||
				doc.Layers[0].Annotations["org.opencontainers.image.title"] != "sbom.json" {
				t.Errorf("%s, %v", raw.Raw, err)
			}
			f.open = plain
			f.journal()
			if plan, err := p.plan(t, t.Context()); err != nil || !plan.NoChange() {
				t.Errorf("again: %v", err)
			}
			if err := os.WriteFile(file, []byte(`{"spdxVersion":"SPDX-2.4"}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if more := p.mustRun(t); len(more.Moved) > 0 || !more.Changed() || more.Referrers[0].Digest == r.Referrers[0].Digest {
				t.Errorf("another file: %+v", more)
			}
		})
	}
	p := &pushing{f: newFakeECR(t, "app"), repo: "app", source: saved(t, imagetest.Saved(imagetest.New(1, 3000))), tags: []string{"v1"},
		attach: []Attachment{{spdx, "nowhere.json"}, {spdx, t.TempDir()}}}
	if _, err := p.plan(t, t.Context()); err == nil || !strings.Contains(err.Error(), "nowhere.json") ||
		!strings.Contains(err.Error(), "is not a file") {
		t.Errorf("files that are not there: %v", err)
	}
}
