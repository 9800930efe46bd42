package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// tableECR answers from a table and notes what it is asked for. It has no layers' contents.
type tableECR struct {
	ECR
	mu     sync.Mutex
	images map[string]*manifest    // by NAME/TAG or NAME/DIGEST
	newest map[string][]string     // digests by repository
	lost   map[string]bool         // layers that are not there
	calls  []string                // ACTION REPOSITORY WHAT…
	on     func(call string) error // of each call; may be nil
}

func (e *tableECR) called(what ...string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	call := strings.Join(what, " ")
	e.calls = append(e.calls, call)
	if e.on != nil {
		return e.on(call)
	}
	return nil
}

func (e *tableECR) BatchGetImage(_ context.Context, in *ecr.BatchGetImageInput, _ ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error) {
	what := []string{"get", *in.RepositoryName}
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		name := aws.ToString(id.ImageTag) + aws.ToString(id.ImageDigest)
		what = append(what, name)
		if m := e.images[*in.RepositoryName+"/"+name]; m != nil {
			out.Images = append(out.Images, ecrtypes.Image{ImageId: &id, ImageManifest: aws.String(string(m.Raw)),
				ImageManifestMediaType: aws.String(string(m.MediaType))})
		}
	}
	return out, e.called(what...)
}

func (e *tableECR) BatchCheckLayerAvailability(_ context.Context, in *ecr.BatchCheckLayerAvailabilityInput,
	_ ...func(*ecr.Options)) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	out := &ecr.BatchCheckLayerAvailabilityOutput{}
	for _, digest := range in.LayerDigests {
		there := ecrtypes.LayerAvailabilityAvailable
		if e.lost[digest] {
			there = ecrtypes.LayerAvailabilityUnavailable
		}
		out.Layers = append(out.Layers, ecrtypes.Layer{LayerDigest: aws.String(digest), LayerAvailability: there})
	}
	return out, e.called(append([]string{"layers", *in.RepositoryName}, in.LayerDigests...)...)
}

func (e *tableECR) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput,
	_ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	out := &ecr.DescribeImagesOutput{}
	for i, digest := range e.newest[*in.RepositoryName] {
		out.ImageDetails = append(out.ImageDetails, ecrtypes.ImageDetail{ImageDigest: aws.String(digest),
			ImagePushedAt: aws.Time(time.Unix(int64(1000-i), 0))})
	}
	return out, e.called("newest", *in.RepositoryName)
}

func (e *tableECR) GetAuthorizationToken(context.Context, *ecr.GetAuthorizationTokenInput,
	...func(*ecr.Options)) (*ecr.GetAuthorizationTokenOutput, error) {
	return &ecr.GetAuthorizationTokenOutput{AuthorizationData: []ecrtypes.AuthorizationData{{
		AuthorizationToken: aws.String(fakeToken(1))}}}, e.called("token")
}

// has gives a repository an image, under its digest and these tags.
func (e *tableECR) has(repository string, m *manifest, tags ...string) {
	if e.images == nil {
		e.images = map[string]*manifest{}
	}
	for _, name := range append(tags, m.Digest.String()) {
		e.images[repository+"/"+name] = m
	}
}

// noNetwork refuses each request of a registry.
type noNetwork struct{}

func (noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.WriteHeader(http.StatusForbidden)
	io.WriteString(rec, `{"errors":[{"code":"DENIED","message":"no network"}]}`)
	res := rec.Result()
	res.Request = r
	return res, nil
}

// at is a repository that ECR has.
func (e *tableECR) at(t *testing.T, name string) *Destination {
	t.Helper()
	rs := &Registries{ECR: func(string) ECR { return e }, Transport: noNetwork{}}
	repository, err := rs.ecrRepository(Reference{Registry: fakeHost, Repository: name}, e)
	if err != nil {
		t.Fatal(err)
	}
	return &Destination{Repository: repository, Name: name, URI: fakeHost + "/" + name, registries: rs, client: e}
}

// missing is a repository that ECR does not have, named with this host or by its bare name.
func (e *tableECR) missing(t *testing.T, name, host string) *Destination {
	d := e.at(t, name)
	d.Repository, d.URI, d.Missing, d.host = nil, "", true, host
	return d
}

// looseLayer is a layer that has to be compressed.
func looseLayer(name string, bytes int64) layer {
	return layer{Blob: Blob{Descriptor: v1.Descriptor{MediaType: types.OCILayer}}, diffID: sum([]byte(name)), uncompressed: bytes}
}

// storedLayer is a layer that is sent as it is, and what a manifest calls the loose layer of this name.
func storedLayer(name string) v1.Descriptor {
	return v1.Descriptor{MediaType: types.OCILayer, Digest: sum([]byte("packed " + name)), Size: int64(len(name)),
		Annotations: map[string]string{uncompressedKey: sum([]byte(name)).String()}}
}

func asIs(name string) layer { return layer{Blob: Blob{Descriptor: storedLayer(name)}} }

// configured is an image's configuration.
func configured(name string) Blob {
	return bytesBlob(v1.Descriptor{MediaType: types.OCIConfigJSON}, []byte(name))
}

// imageOf is a source's image with this configuration. One without a layer to compress has its manifest.
func imageOf(config string, layers ...layer) *node {
	n := &node{config: configured(config), layers: layers, desc: v1.Descriptor{MediaType: types.OCIManifestSchema1}}
	if len(n.toCompress()) == 0 {
		n.finish(nil)
	}
	return n
}

// earlierOne is an image of a repository.
func earlierOne(config string, layers ...v1.Descriptor) earlierImage {
	c := configured(config).Descriptor
	c.MediaType = "" // so that nobody tries to read it
	doc := &document{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: &c, Layers: layers}
	raw, _ := json.Marshal(doc)
	return earlierImage{manifest: &manifest{Digest: sum(raw), MediaType: doc.MediaType, Raw: raw}, doc: doc}
}

func indexOf(images ...earlierImage) *manifest {
	doc := document{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	for _, i := range images {
		doc.Manifests = append(doc.Manifests, v1.Descriptor{Digest: i.Digest, MediaType: i.MediaType})
	}
	raw, _ := json.Marshal(doc)
	return &manifest{Digest: sum(raw), MediaType: doc.MediaType, Raw: raw}
}

func knownOf(in *Destination, layers ...v1.Descriptor) *knownLayers {
	k := &knownLayers{stored: map[v1.Hash]v1.Descriptor{}, holder: map[v1.Hash]*Destination{}}
	for _, l := range layers {
		k.add(map[v1.Hash]v1.Descriptor{uncompressedOf(l): l}, in)
	}
	return k
}

// planOf is a plan for which nothing was asked yet.
func planOf(root *node, to *Destination, tags ...string) *Plan {
	p := &Plan{Source: &Source{root: root}, To: to, codec: Gzip, known: knownOf(nil), seen: &earlier{repo: to.Repository},
		has: map[v1.Hash]bool{}, along: &along{}}
	for _, tag := range tags {
		p.Tags = append(p.Tags, TagMove{Tag: tag})
	}
	return p
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// Who is found first to have a layer is asked for it.
func TestKnownLayersKeepTheFirst(t *testing.T) {
	one, two := &Destination{Name: "one"}, &Destination{Name: "two"}
	k := knownOf(one, storedLayer("a"))
	other := storedLayer("a")
	other.Size = 99
	k.add(map[v1.Hash]v1.Descriptor{uncompressedOf(other): other, uncompressedOf(storedLayer("b")): storedLayer("b")}, two)
	a, b := sum([]byte("a")), sum([]byte("b"))
	same(t, "size of a", k.stored[a].Size, storedLayer("a").Size)
	same(t, "holders", []string{k.holder[a].Name, k.holder[b].Name}, "[one two]")
}

func TestLayersToCompress(t *testing.T) {
	child := imageOf("arm", looseLayer("c", 30))
	root := imageOf("amd", asIs("s"), looseLayer("a", 10), looseLayer("b", 20))
	root.children = []*node{child}
	same(t, "bytes", root.toCompress(), map[v1.Hash]int64{sum([]byte("a")): 10, sum([]byte("b")): 20, sum([]byte("c")): 30})
	same(t, "all packed", len(imageOf("x", asIs("s")).toCompress()), 0)
}

// TestLearn: when what an earlier image says is enough to stop looking.
func TestLearn(t *testing.T) {
	const large = worthLooking
	for _, test := range []struct {
		name    string
		layers  []layer // of the source
		known   []v1.Descriptor
		earlier []earlierImage
		alone   bool // layers are not wanted
		done    bool
		stored  int
		whole   bool // the earlier image is taken for the source's
	}{
		{"the whole image", []layer{looseLayer("a", 9)}, nil, []earlierImage{earlierOne("app", storedLayer("a"))}, false, true, 1, true},
		{"the whole image, no layers wanted", []layer{looseLayer("a", 9)}, nil, []earlierImage{earlierOne("app",
			storedLayer("a"))}, true, true, 1, true},
		{"the source has a manifest", []layer{asIs("a")}, nil, []earlierImage{earlierOne("app", storedLayer("a"))}, false, false, 0, false},
		{"another configuration", []layer{looseLayer("a", 9)}, nil, []earlierImage{earlierOne("x", storedLayer("a"))}, false, true, 1, false},
		{"another, no layers wanted", []layer{looseLayer("a", 9)}, nil, []earlierImage{earlierOne("x", storedLayer("a"))},
			true, false, 0, false},
		{"the configuration with other layers", []layer{looseLayer("a", 9)}, nil,
			[]earlierImage{earlierOne("app", storedLayer("a"), storedLayer("b"))}, false, true, 1, false},
		{"nothing", []layer{looseLayer("a", 9)}, nil, []earlierImage{earlierOne("x", storedLayer("b"))}, false, false, 0, false},
		{"half", []layer{looseLayer("a", 9), looseLayer("b", 9)}, nil, []earlierImage{earlierOne("x", storedLayer("b"))},
			false, false, 1, false},
		{"most, little is left", []layer{looseLayer("a", 9), looseLayer("b", large), looseLayer("c", large-1)}, nil,
			[]earlierImage{earlierOne("x", storedLayer("a"), storedLayer("b"))}, false, true, 2, false},
		{"most, much is left", []layer{looseLayer("a", 9), looseLayer("b", 9), looseLayer("c", large)}, nil,
			[]earlierImage{earlierOne("x", storedLayer("a"), storedLayer("b"))}, false, false, 2, false},
		{"the rest", []layer{looseLayer("a", 9), looseLayer("b", large)}, []v1.Descriptor{storedLayer("b")},
			[]earlierImage{earlierOne("x", storedLayer("a"))}, false, true, 2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := (&tableECR{}).at(t, "app")
			p := planOf(imageOf("app", test.layers...), to)
			raw := string(p.Source.root.raw)
			p.known = knownOf(to, test.known...)
			done := p.learn(t.Context(), &earlier{images: test.earlier}, to, p.Source.root.toCompress(), !test.alone)
			same(t, "done", done, test.done)
			same(t, "stored", len(p.known.stored), test.stored)
			if test.whole {
				raw = string(test.earlier[0].Raw)
			}
			same(t, "manifest", string(p.Source.root.raw), raw)
		})
	}
}

// A layer that is known is not looked for: nothing is read for its sake.
func TestLearnLooksForTheRestAlone(t *testing.T) {
	to := (&tableECR{}).at(t, "app")
	p := planOf(imageOf("app", looseLayer("a", 9), looseLayer("b", worthLooking)), to)
	p.known = knownOf(to, storedLayer("a"), storedLayer("b"))
	image := earlierOne("x", v1.Descriptor{MediaType: types.OCILayer, Digest: sum([]byte("?"))})
	image.doc.Config.MediaType = types.OCIConfigJSON
	e := &earlier{repo: to.Repository, images: []earlierImage{image}}
	p.learn(t.Context(), e, to, p.Source.root.toCompress(), true)
	same(t, "the configuration was read", e.images[0].read, false)
}

func TestTakeWhole(t *testing.T) {
	for _, test := range []struct {
		name   string
		source []layer
		stored []v1.Descriptor
		beside bool // the image is another repository's
		taken  bool
		knows  []string // layers with the digests of the image
	}{
		{"compressed", []layer{looseLayer("a", 9), looseLayer("b", 9)}, []v1.Descriptor{storedLayer("a"), storedLayer("b")},
			false, true, []string{"a", "b"}},
		{"of another repository", []layer{looseLayer("a", 9)}, []v1.Descriptor{storedLayer("a")}, true, true, []string{"a"}},
		{"fewer layers", []layer{looseLayer("a", 9), looseLayer("b", 9)}, []v1.Descriptor{storedLayer("a")}, false, false, nil},
		{"more layers", []layer{looseLayer("a", 9)}, []v1.Descriptor{storedLayer("a"), storedLayer("b")}, false, false, nil},
		{"one is stored as it is", []layer{looseLayer("a", 9), asIs("s")}, []v1.Descriptor{storedLayer("a"), storedLayer("s")},
			false, true, []string{"a"}},
		{"one was stored otherwise", []layer{looseLayer("a", 9), asIs("s")}, []v1.Descriptor{storedLayer("a"), storedLayer("x")},
			false, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			to, other := e.at(t, "app"), e.at(t, "other")
			p := planOf(imageOf("app", test.source...), to)
			before := storedLayer("a")
			before.Digest = sum([]byte("packed by somebody else"))
			p.known = knownOf(to, before)
			in := to
			if test.beside {
				in = other
			}
			image := earlierOne("app", test.stored...)
			same(t, "taken", p.takeWhole(image, in), test.taken)
			own := test.taken && !test.beside
			same(t, "there", p.there, own)
			if digest, _ := p.Digest(); (digest == image.Digest.String()) != own || (digest != "") != own {
				t.Errorf("digest %q, the image has %s", digest, image.Digest)
			}
			if own && (p.Source.root.desc.Size != int64(len(image.Raw)) || p.Source.root.desc.MediaType != image.MediaType) {
				t.Errorf("described as %+v", p.Source.root.desc)
			}
			if !test.taken {
				same(t, "what was known", p.known.stored[sum([]byte("a"))].Digest, before.Digest)
				return
			}
			same(t, "layers known", len(p.known.stored), len(test.knows))
			for _, name := range test.knows {
				same(t, name, p.known.stored[sum([]byte(name))].Digest, storedLayer(name).Digest)
				same(t, "who has "+name, p.known.holder[sum([]byte(name))] == in, true)
			}
		})
	}
}

// TestLookBack: what is asked for, and in which order.
func TestLookBack(t *testing.T) {
	whole, part := earlierOne("app", storedLayer("a")), earlierOne("x", storedLayer("z"))
	index := indexOf(part)
	for _, test := range []struct {
		name    string
		missing bool
		host    string // of the missing repository, where it was written
		mounts  []string
		seen    []earlierImage
		newest  map[string]*manifest // the newest image, by repository
		want    []string
	}{
		{"what the tags have is enough", false, "", []string{"base"}, []earlierImage{whole}, nil, nil},
		{"then the newest images", false, "", nil, []earlierImage{part}, map[string]*manifest{"app": part.manifest},
			[]string{"newest app", "get app " + part.Digest.String()}},
		{"and those of an index", false, "", nil, nil, map[string]*manifest{"app": index},
			[]string{"newest app", "get app " + index.Digest.String(), "get app " + part.Digest.String()}},
		{"the newest are enough", false, "", []string{"base"}, nil, map[string]*manifest{"app": whole.manifest},
			[]string{"newest app", "get app " + whole.Digest.String()}},
		{"then another repository", false, "", []string{"base"}, nil, map[string]*manifest{"base": index},
			[]string{"newest app", "newest base", "get base " + index.Digest.String(), "get base " + part.Digest.String()}},
		{"which is enough", false, "", []string{"base", "other"}, nil, map[string]*manifest{"base": whole.manifest, "other": whole.manifest},
			[]string{"newest app", "newest base", "get base " + whole.Digest.String()}},
		{"or not", false, "", []string{"base", "other"}, nil, map[string]*manifest{"other": whole.manifest},
			[]string{"newest app", "newest base", "newest other", "get other " + whole.Digest.String()}},
		{"of a repository that is missing, the other alone", true, fakeHost, []string{"base"}, nil,
			map[string]*manifest{"base": whole.manifest},
			[]string{"newest base", "get base " + whole.Digest.String()}},
		{"of a missing one in an unknown registry nothing", true, "", []string{"base"}, nil,
			map[string]*manifest{"base": whole.manifest}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{newest: map[string][]string{}}
			for name, m := range test.newest {
				e.has(name, m)
				e.newest[name] = []string{m.Digest.String()}
			}
			e.has("app", part.manifest)
			e.has("base", part.manifest)
			to := e.at(t, "app")
			if test.missing {
				to = e.missing(t, "app", test.host)
			}
			p := planOf(imageOf("app", looseLayer("a", worthLooking)), to)
			p.mounts, p.seen.images = test.mounts, test.seen
			if err := p.lookBack(t.Context(), p.Source.root.toCompress(), true); err != nil {
				t.Fatal(err)
			}
			same(t, "asked", e.calls, fmt.Sprint(test.want))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := p.lookBack(ctx, p.Source.root.toCompress(), true); !errors.Is(err, context.Canceled) {
				t.Errorf("after a cancel: %v", err)
			}
		})
	}
}

// A repository to mount from that cannot be spoken to ends the plan.
func TestLookBackRefusesAHost(t *testing.T) {
	p := planOf(imageOf("app", looseLayer("a", 9)), &Destination{Name: "app", Missing: true, host: "no host", registries: &Registries{}})
	p.mounts = []string{"base"}
	if err := p.lookBack(t.Context(), p.Source.root.toCompress(), true); err == nil || !strings.Contains(err.Error(), "no host") {
		t.Errorf("got %v", err)
	}
}

func TestLookForRoot(t *testing.T) {
	root := imageOf("app", asIs("a"))
	stored := &manifest{Digest: root.desc.Digest, MediaType: root.desc.MediaType, Raw: root.raw}
	for _, test := range []struct {
		name  string
		with  func(*Plan, *tableECR)
		there bool
		asks  bool
		fails bool
	}{
		{"not asked for, there", func(_ *Plan, e *tableECR) { e.has("app", stored) }, true, true, false},
		{"not asked for, not there", func(*Plan, *tableECR) {}, false, true, false},
		{"known to be there", func(p *Plan, _ *tableECR) { p.there = true }, true, false, false},
		{"asked for", func(p *Plan, _ *tableECR) { p.asked = root.desc.Digest }, false, false, false},
		{"another was asked for", func(p *Plan, _ *tableECR) { p.asked = sum(nil) }, false, true, false},
		{"no repository", func(p *Plan, e *tableECR) { e.has("app", stored); p.To.Missing = true }, false, false, false},
		{"seen", func(p *Plan, _ *tableECR) { p.seen.seen = map[v1.Hash]bool{root.desc.Digest: true} }, true, false, false},
		{"another was seen", func(p *Plan, _ *tableECR) { p.seen.seen = map[v1.Hash]bool{sum(nil): true} }, false, true, false},
		{"behind a tag", func(p *Plan, _ *tableECR) { p.Tags = []TagMove{{Tag: "v1", From: root.desc.Digest.String()}} }, true, false, false},
		{"another behind the tag", func(p *Plan, _ *tableECR) { p.Tags = []TagMove{{Tag: "v1", From: sum(nil).String()}} },
			false, true, false},
		{"refused", func(_ *Plan, e *tableECR) { e.on = func(string) error { return errors.New("you may not") } }, false, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			p := planOf(root, e.at(t, "app"))
			test.with(p, e)
			err := p.lookForRoot(t.Context())
			same(t, "there, asks, fails", []bool{p.there, len(e.calls) > 0, err != nil}, []bool{test.there, test.asks, test.fails})
		})
	}
}

func TestReadTags(t *testing.T) {
	packedImage, plainImage := imageOf("app", asIs("a")), imageOf("app", looseLayer("a", 9))
	own := &manifest{Digest: packedImage.desc.Digest, MediaType: packedImage.desc.MediaType, Raw: packedImage.raw}
	child := earlierOne("x", storedLayer("b"))
	index := indexOf(child)
	for _, test := range []struct {
		name  string
		root  *node
		tags  []string
		has   map[string]*manifest // by tag
		http  bool                 // the registry is not ECR
		asks  []string
		from  []string
		there bool
		seen  []v1.Hash
	}{
		{"of ECR, the newest as well", plainImage, []string{"v1", "v2"}, nil, false, []string{"latest v1 v2"}, []string{"", ""}, false, nil},
		{"once", plainImage, []string{"v1", "latest", "v2"}, nil, false, []string{"latest v1 v2"}, []string{"", "", ""}, false, nil},
		{"what they point at", plainImage, []string{"v1"}, map[string]*manifest{"v1": child.manifest, "latest": own}, false,
			[]string{"latest v1"}, []string{child.Digest.String()}, false, []v1.Hash{child.Digest, own.Digest}},
		{"the images of an index", plainImage, []string{"v1"}, map[string]*manifest{"v1": index}, false,
			[]string{"latest v1", child.Digest.String()}, []string{index.Digest.String()}, false, []v1.Hash{child.Digest, index.Digest}},
		{"but not where nothing is compressed", packedImage, []string{"v1"}, map[string]*manifest{"v1": index}, false,
			[]string{own.Digest.String() + " v1"}, []string{index.Digest.String()}, false, []v1.Hash{index.Digest}},
		{"the image itself", packedImage, []string{"v1"}, map[string]*manifest{"v1": own, "other": own}, false,
			[]string{own.Digest.String() + " v1"}, []string{own.Digest.String()}, true, []v1.Hash{own.Digest}},
		{"of another registry, one tag", plainImage, []string{"v1"}, nil, true, []string{"v1", "latest"}, []string{""}, false, nil},
		{"of another registry, two tags", plainImage, []string{"v1", "v2"}, nil, true, []string{"v1", "v2"}, []string{"", ""}, false, nil},
		{"of another registry, no tag", plainImage, nil, nil, true, []string{"latest"}, nil, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			e.has("app", child.manifest)
			for tag, m := range test.has {
				e.has("app", m, tag)
			}
			to := e.at(t, "app")
			if test.http {
				f := newFakeECR(t)
				rs := f.elsewhere(nil)
				r, err := rs.Repository(Reference{Registry: plainHost, Repository: "app"})
				if err != nil {
					t.Fatal(err)
				}
				to = &Destination{Repository: r, Name: "app", registries: rs}
				t.Cleanup(func() {
					var asks []string
					for _, request := range f.journal() {
						asks = append(asks, request[strings.LastIndex(request, "/")+1:])
					}
					slices.Sort(asks)
					slices.Sort(test.asks)
					same(t, "asked", asks, test.asks)
				})
			}
			p := planOf(test.root, to, test.tags...)
			if err := p.readTags(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !test.http {
				var asks []string
				for _, call := range e.calls {
					asks = append(asks, strings.TrimPrefix(call, "get app "))
				}
				same(t, "asked", fmt.Sprintf("%q", asks), fmt.Sprintf("%q", test.asks))
			}
			var from []string
			for _, move := range p.Tags {
				from = append(from, move.From)
			}
			same(t, "from", from, test.from)
			same(t, "there", p.there, test.there)
			same(t, "asked for itself", p.asked == p.Source.root.desc.Digest, test.root == packedImage || p.asked == v1.Hash{})
			if test.root == packedImage {
				same(t, "asked for", p.asked, own.Digest)
			}
			want := map[v1.Hash]bool{}
			for _, d := range test.seen {
				want[d] = true
			}
			same(t, "seen", maps.Equal(p.seen.seen, want), true)
		})
	}
}

// What is read beside the tags is left out where it cannot be read, but not a cancel.
func TestReadTagsIsCancelled(t *testing.T) {
	child := earlierOne("x", storedLayer("b"))
	e := &tableECR{}
	e.has("app", indexOf(child), "v1")
	ctx, cancel := context.WithCancel(t.Context())
	e.on = func(call string) error {
		if strings.Contains(call, child.Digest.String()) {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if err := planOf(imageOf("app", looseLayer("a", 9)), e.at(t, "app"), "v1").readTags(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestLook: what its parts find out is put together, and what ends one of them ends it.
func TestLook(t *testing.T) {
	layers := []layer{looseLayer("a", 9), looseLayer("b", 9)}
	both := imageOf("app", layers...)
	both.finish(knownOf(nil, storedLayer("a"), storedLayer("b")).stored)
	other := earlierOne("x", storedLayer("a"), storedLayer("b"))
	for _, test := range []struct {
		name  string
		root  *node
		has   []*manifest
		stop  string // a call that is refused
		known bool
		there bool
		fails bool
		last  string // the last call
	}{
		{"all layers are known, and so the image", imageOf("app", slices.Clone(layers)...), []*manifest{other.manifest}, "",
			true, false, false,
			"get app " + both.desc.Digest.String()},
		{"which is there", imageOf("app", slices.Clone(layers)...),
			[]*manifest{other.manifest, {Digest: both.desc.Digest, MediaType: both.desc.MediaType, Raw: both.raw}}, "", true, true, false,
			"get app " + both.desc.Digest.String()},
		{"or cannot be asked for", imageOf("app", slices.Clone(layers)...), []*manifest{other.manifest},
			both.desc.Digest.String(), true, false,
			true, "get app " + both.desc.Digest.String()},
		{"one layer is not known", imageOf("app", layers[0], looseLayer("c", 9)), []*manifest{other.manifest}, "",
			false, false, false, "newest app"},
		{"a manifest", imageOf("app", asIs("a")), nil, "", true, false, false, "get app " + imageOf("app",
			asIs("a")).desc.Digest.String() + " v1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			for _, m := range test.has {
				e.has("app", m)
			}
			e.has("app", other.manifest, "latest")
			e.on = func(call string) error {
				if test.stop != "" && strings.Contains(call, test.stop) {
					return errors.New("you may not")
				}
				return nil
			}
			p := planOf(test.root, e.at(t, "app"), "v1")
			err := p.look(t.Context())
			_, known := p.Digest()
			same(t, "known, there, fails", []bool{known, p.there, err != nil}, []bool{test.known, test.there, test.fails})
			same(t, "the last call", e.calls[len(e.calls)-1], test.last)
		})
	}
}

// Each destination is asked for the image, and one that does not exist for nothing.
func TestLookAsksEachDestination(t *testing.T) {
	e := &tableECR{}
	root := imageOf("app", looseLayer("a", 9))
	p := planOf(root, e.at(t, "app"))
	q, none := planOf(root, e.at(t, "second")), planOf(root, e.missing(t, "third", ""), "v1")
	q.known, none.known = p.known, p.known
	p.Also = []*Plan{q, none}
	p.known.add(map[v1.Hash]v1.Descriptor{sum([]byte("a")): storedLayer("a")}, p.To)
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	digest, _ := p.Digest()
	for _, name := range []string{"app", "second"} {
		same(t, "asked "+name, slices.Contains(e.calls, "get "+name+" "+digest), true)
	}
	if i := slices.IndexFunc(e.calls, func(call string) bool { return strings.Contains(call, "third") }); i >= 0 {
		t.Errorf("asked a repository that does not exist: %s", e.calls[i])
	}
}

// A cancel while the newest images are read ends the look, whatever they were.
func TestLookBackIsCancelled(t *testing.T) {
	e := &tableECR{}
	whole := earlierOne("app", storedLayer("a"))
	e.has("app", whole.manifest)
	e.newest = map[string][]string{"app": {whole.Digest.String()}}
	ctx, cancel := context.WithCancel(t.Context())
	e.on = func(call string) error {
		if strings.HasPrefix(call, "get ") {
			cancel()
		}
		return nil
	}
	p := planOf(imageOf("app", looseLayer("a", 9)), e.at(t, "app"))
	if err := p.lookBack(ctx, p.Source.root.toCompress(), true); !errors.Is(err, context.Canceled) || !p.there {
		t.Errorf("got %v, there %v", err, p.there)
	}
}

func TestDecideTags(t *testing.T) {
	own, other := imageOf("app", asIs("a")).desc.Digest.String(), sum(nil).String()
	for _, test := range []struct {
		name    string
		from    string
		rules   TagRules
		loose   bool // the image is not compressed yet
		keep    bool
		refused string
	}{
		{"it points at the image", own, TagRules{}, false, true, ""},
		{"it points at the image, immutable", own, TagRules{Immutable: true}, false, true, ""},
		{"it points at another", other, TagRules{}, false, false, ""},
		{"it points at another, immutable", other, TagRules{Immutable: true}, false, false, "the source is another image, " + own},
		{"but not this tag", other, TagRules{Immutable: true, Exceptions: []string{"v*"}}, false, false, ""},
		{"it is free", "", TagRules{Immutable: true}, false, false, ""},
		{"the image has no digest yet", other, TagRules{Immutable: true}, true, false,
			"another image, image ID " + configured("app").Digest.String()},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := imageOf("app", asIs("a"))
			if test.loose {
				root = imageOf("app", looseLayer("a", 9))
			}
			p := planOf(root, (&tableECR{}).at(t, "app"), "v1")
			p.To.Rules, p.Tags[0].From = test.rules, test.from
			err := p.decideTags()
			same(t, "keeps it", p.Tags[0].Keep, test.keep)
			if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("got %v, want %q", err, test.refused)
			}
		})
	}
}

// An index has no configuration: its jobs are those of its images.
func TestJobsOfAnIndex(t *testing.T) {
	root := &node{children: []*node{imageOf("arm", asIs("a")), imageOf("amd", asIs("b"))}, raw: []byte("{}"),
		desc: v1.Descriptor{Digest: sum([]byte("{}"))}}
	p := planOf(root, (&tableECR{}).at(t, "app"))
	for _, j := range p.jobs() {
		same(t, "has a digest", j.Digest != v1.Hash{}, true)
	}
	same(t, "jobs", len(p.jobs()), 4)
}

// A layer that has to be compressed is named by its uncompressed digest in the manifest that is to be made.
func TestNewPlanNamesLayers(t *testing.T) {
	for _, codec := range []Codec{"", Zstd} {
		e := &tableECR{}
		root := imageOf("app", looseLayer("a", 9))
		if _, err := NewPlan(t.Context(), &Source{root: root}, e.at(t, "app"), PlanOptions{Codec: codec}); err != nil {
			t.Fatal(err)
		}
		same(t, "uncompressed digest", uncompressedOf(root.layers[0].Descriptor), sum([]byte("a")))
		same(t, "media type", root.layers[0].MediaType, map[Codec]types.MediaType{"": types.OCILayer, Zstd: types.OCILayerZStd}[codec])
	}
}

// The look at another environment's repository ends with the run.
func TestLookBesideIsCancelled(t *testing.T) {
	e := &tableECR{}
	ctx, cancel := context.WithCancel(t.Context())
	e.on = func(call string) error {
		if strings.HasPrefix(call, "get app-staging") {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if err := planOf(imageOf("app", looseLayer("a", worthLooking)), e.at(t, "app-prod"), "v1").look(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCheckAsks(t *testing.T) {
	a, config := storedLayer("a"), configured("app").Digest
	for _, test := range []struct {
		name string
		with func(*Plan, *tableECR)
		asks int // how many blobs
		has  map[v1.Hash]bool
		err  bool
	}{
		{"for each blob", func(*Plan, *tableECR) {}, 2, map[v1.Hash]bool{a.Digest: true, config: true}, false},
		{"one is lost", func(_ *Plan, e *tableECR) { e.lost = map[string]bool{a.Digest.String(): true} }, 2,
			map[v1.Hash]bool{a.Digest: false, config: true}, false},
		{"but not again", func(p *Plan, _ *tableECR) { p.has[a.Digest] = false }, 1, map[v1.Hash]bool{a.Digest: false, config: true}, false},
		{"nor where all was asked for", func(p *Plan, _ *tableECR) { p.has[a.Digest], p.has[config] = true, true }, 0,
			map[v1.Hash]bool{a.Digest: true, config: true}, false},
		{"nor for an image that is there", func(p *Plan, _ *tableECR) { p.there = true }, 0, nil, false},
		{"nor without a repository", func(p *Plan, _ *tableECR) { p.To.Missing = true }, 0, nil, false},
		{"nor in a new one", func(p *Plan, _ *tableECR) { p.To.created = true }, 0, nil, false},
		{"refused", func(_ *Plan, e *tableECR) { e.on = func(string) error { return errors.New("you may not") } }, 2, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			p := planOf(imageOf("app", asIs("a")), e.at(t, "app"))
			test.with(p, e)
			err := p.check(t.Context())
			asked := 0
			for _, call := range e.calls {
				asked += strings.Count(call, "sha256:")
			}
			same(t, "asked", asked, test.asks)
			same(t, "fails", err != nil, test.err)
			if !maps.Equal(p.has, test.has) {
				t.Errorf("has %v, want %v", p.has, test.has)
			}
		})
	}
}

// A layer that has no digest yet is not asked for.
func TestUnasked(t *testing.T) {
	p := planOf(imageOf("app", looseLayer("a", 9), looseLayer("b", 9), asIs("s")), (&tableECR{}).at(t, "app"))
	p.known = knownOf(p.To, storedLayer("b"))
	p.has[storedLayer("s").Digest] = true
	got := p.unasked()
	for _, want := range []v1.Hash{storedLayer("b").Digest, configured("app").Digest} {
		same(t, "asks for "+want.String(), slices.Contains(got, want), true)
	}
	same(t, "in all", len(got), 2)
}

func TestForget(t *testing.T) {
	e := &tableECR{}
	to, other := e.at(t, "app"), e.at(t, "other")
	for _, test := range []struct {
		name   string
		holder *Destination
		has    map[v1.Hash]bool
		lost   bool
	}{
		{"the repository lost it", to, map[v1.Hash]bool{storedLayer("a").Digest: false}, true},
		{"it has it", to, map[v1.Hash]bool{storedLayer("a").Digest: true}, false},
		{"it was not asked", to, map[v1.Hash]bool{storedLayer("b").Digest: false}, false},
		{"another has it", other, map[v1.Hash]bool{storedLayer("a").Digest: false}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := planOf(imageOf("app", looseLayer("a", 9)), to)
			p.known, p.has = knownOf(test.holder, storedLayer("a")), test.has
			p.Source.root.finish(p.known.stored)
			p.forget()
			_, known := p.Digest()
			same(t, "layers, holders, digest", fmt.Sprint(len(p.known.stored), len(p.known.holder), known),
				map[bool]string{true: "0 0 false", false: "1 1 true"}[test.lost])
			// What is forgotten is compressed again, whatever digest the manifest had for it.
			same(t, "compresses", p.Work().Compress == 1, test.lost)
		})
	}
}

// TestWork: what counts as sent, compressed and there, in blobs and bytes. The configuration is there in each.
func TestWork(t *testing.T) {
	config := configured("app").Digest
	noDigest := storedLayer("a")
	noDigest.Digest = v1.Hash{}
	for _, test := range []struct {
		name    string
		layer   layer
		known   []v1.Descriptor
		has     map[v1.Hash]bool
		earlier []earlierImage
		there   bool
		want    Work
	}{
		{"nobody has it", asIs("a"), nil, nil, nil, false, Work{Send: 1, SendBytes: 1}},
		{"the image is there", asIs("a"), nil, nil, nil, true, Work{}},
		{"the repository says so", asIs("a"), nil, map[v1.Hash]bool{storedLayer("a").Digest: true}, nil, false, Work{Reuse: 1,
			ReuseBytes: 1}},
		{"an earlier image names it", asIs("a"), nil, nil, []earlierImage{earlierOne("x", storedLayer("a"))},
			false, Work{Reuse: 1, ReuseBytes: 1}},
		{"but the repository lost it", asIs("a"), nil, map[v1.Hash]bool{storedLayer("a").Digest: false},
			[]earlierImage{earlierOne("x", storedLayer("a"))}, false, Work{Send: 1, SendBytes: 1}},
		{"an earlier image names another", asIs("a"), nil, nil, []earlierImage{earlierOne("x", storedLayer("b"))}, false,
			Work{Send: 1, SendBytes: 1}},
		{"it has to be compressed", looseLayer("a", 9), nil, nil, nil, false, Work{Compress: 1, CompressBytes: 9}},
		{"it is compressed somewhere", looseLayer("a", 9), []v1.Descriptor{storedLayer("a")}, nil, nil, false, Work{Send: 1, SendBytes: 1}},
		{"it is compressed here", looseLayer("a", 9), []v1.Descriptor{storedLayer("a")},
			map[v1.Hash]bool{storedLayer("a").Digest: true}, nil, false,
			Work{Reuse: 1, ReuseBytes: 1}},
		{"an earlier image names one without a digest", looseLayer("a", 9), nil, nil, []earlierImage{earlierOne("x", noDigest)}, false,
			Work{Compress: 1, CompressBytes: 9}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := planOf(imageOf("app", test.layer), (&tableECR{}).at(t, "app"))
			p.there, p.seen.images = test.there, test.earlier
			p.known = knownOf(p.To, test.known...)
			maps.Copy(p.has, test.has)
			p.has[config] = true
			got := p.Work()
			if !test.there { // the configuration
				got.Reuse, got.ReuseBytes = got.Reuse-1, got.ReuseBytes-int64(len("app"))
			}
			same(t, "work", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", test.want))
		})
	}
}

// TestNothingToDo: each of what a destination may lack is a change, and one destination that lacks it is one of all.
func TestNothingToDo(t *testing.T) {
	for _, test := range []struct {
		name string
		with func(*Plan)
		want bool
	}{
		{"all is there", func(*Plan) {}, true},
		{"without tags", func(p *Plan) { p.Tags = nil }, true},
		{"the image is not there", func(p *Plan) { p.there = false }, false},
		{"a tag moves", func(p *Plan) { p.Tags[1].Keep = false }, false},
		{"something that refers to it is not there", func(p *Plan) { p.along.all = []*referrer{{}} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			whole := func() *Plan {
				p := planOf(imageOf("app", asIs("a")), (&tableECR{}).at(t, "app"), "v1", "v2")
				p.there, p.Tags[0].Keep, p.Tags[1].Keep = true, true, true
				return p
			}
			p, q := whole(), whole()
			test.with(p)
			same(t, "here", p.Unchanged(), test.want)
			same(t, "alone", p.NoChange(), test.want)
			q.Also = []*Plan{whole(), p}
			same(t, "also elsewhere", q.NoChange(), test.want)
		})
	}
}

// TestAdmitAsksForTheToken where something is to be written.
func TestAdmitAsksForTheToken(t *testing.T) {
	for _, test := range []struct {
		name string
		with func(*Plan)
		asks bool
	}{
		{"to write", func(*Plan) {}, true},
		{"nothing to write", func(p *Plan) { p.there = true }, false},
		{"no repository yet", func(p *Plan) { p.To.Missing = true }, false},
		{"a registry without such a token", func(p *Plan) { p.To.token = nil }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			p := planOf(imageOf("app", asIs("a")), e.at(t, "app"))
			test.with(p)
			if err := p.admit(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, "asks", len(e.calls) > 0, test.asks)
			q := planOf(imageOf("app", asIs("a")), e.at(t, "other"))
			q.there, q.Also = true, []*Plan{p}
			p.there = p.there || test.asks // the other way round: the first has nothing to do
			e.calls = nil
			if err := q.admit(t.Context()); err != nil || len(e.calls) > 0 {
				t.Errorf("nothing to write: asked %q, %v", e.calls, err)
			}
		})
	}
}

// A plan's options reach it, and what cannot be is refused before anybody is asked.
func TestNewPlanTakesItsOptions(t *testing.T) {
	tags := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint("t", i))
		}
		return all
	}
	zstd := storedLayer("z")
	zstd.MediaType = types.OCILayerZStd
	for _, test := range []struct {
		name  string
		layer layer
		o     PlanOptions
		also  bool
		want  string // in the error
		moves int
	}{
		{"as many tags as ECR takes", asIs("a"), PlanOptions{Tags: tags(mostTags)}, false, "", 1000},
		{"one tag more", asIs("a"), PlanOptions{Tags: tags(mostTags + 1)}, false, "1001 tags for one image: ECR takes 1000", 0},
		{"a bad tag", asIs("a"), PlanOptions{Tags: []string{"no tag"}}, false, "no tag", 0},
		{"a tag twice", asIs("a"), PlanOptions{Tags: []string{"v1", "v2", "v1"}}, false, "", 2},
		{"a codec that the layers cannot be put into", asIs("a"), PlanOptions{Codec: Zstd}, false,
			"configuration " + configured("app").Digest.String(), 0},
		{"a file that is not there", asIs("a"), PlanOptions{Attach: []Attachment{{Type: "text/plain", Path: "none"}}}, false, "none", 0},
		{"as the layers are compressed", layer{Blob: Blob{Descriptor: zstd}}, PlanOptions{}, false, "", 0},
		{"mounting", asIs("a"), PlanOptions{MountFrom: "base"}, false, "", 0},
		{"to several", asIs("a"), PlanOptions{Before: func(context.Context, Result) error { return nil }}, true, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &tableECR{}
			if test.also {
				test.o.Also = []*Destination{e.at(t, "second"), e.at(t, "third")}
			}
			root := imageOf("app", test.layer)
			digest := root.desc.Digest.String()
			p, err := NewPlan(t.Context(), &Source{root: root}, e.at(t, "app"), test.o)
			if test.want != "" {
				if p != nil || err == nil || !strings.Contains(err.Error(), test.want) || len(e.calls) > 0 {
					t.Errorf("%v, after asking %q; want %q", err, e.calls, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, "tags", len(p.Tags), test.moves)
			got, _ := p.Digest()
			same(t, "digest", got, digest)
			same(t, "mounts", fmt.Sprintf("%q", p.mounts), map[bool]string{true: `["base"]`, false: "[]"}[test.o.MountFrom != ""])
			same(t, "asked before tags move", p.before != nil, test.o.Before != nil)
			var names []string
			for _, q := range p.Also {
				names = append(names, q.To.Name)
				same(t, "what refers to it was looked for at "+q.To.Name, q.met != nil, true)
			}
			same(t, "also", names, map[bool]string{true: "[second third]", false: "[]"}[test.also])
		})
	}
}

// What refers to the image is asked for at each destination; a registry that does not answer ends the plan.
func TestNewPlanAsksForReferrers(t *testing.T) {
	inBubble(t, testNewPlanAsksForReferrers)
}

func testNewPlanAsksForReferrers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sbom.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFakeECR(t, "app")
	f.setFault(func(r *http.Request) *http.Response {
		if strings.Contains(r.URL.Path, "/referrers/") {
			return refuse(500, "UNKNOWN", "the registry is out of order")
		}
		return nil
	})
	rs := f.registries(nil)
	to, err := rs.Destination(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(t.Context(), &Source{root: imageOf("app", asIs("a"))}, to, PlanOptions{Tags: []string{"v1"},
		Attach: []Attachment{{Type: "application/json", Path: file}}})
	if p != nil || err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("got %v, %v", p, err)
	}
}
