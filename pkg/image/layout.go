package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// contents is where manifests and blobs are found by digest. What it does not have it answers with an error that errMissing is
// in the chain of.
type contents interface {
	manifest(ctx context.Context, d v1.Descriptor) ([]byte, error)
	blob(ctx context.Context, d v1.Descriptor) (Blob, error)
}

var errMissing = errors.New("it is not there")

// layoutContents is the blobs folder of an OCI layout
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
type layoutContents struct{ from files }

func (l layoutContents) path(d v1.Descriptor) (string, error) {
	if d.Digest.Hex == "" {
		return "", errors.New("a descriptor has no digest")
	}
	return "blobs/" + d.Digest.Algorithm + "/" + d.Digest.Hex, nil
}

func (l layoutContents) manifest(_ context.Context, d v1.Descriptor) ([]byte, error) {
	name, err := l.path(d)
	if err != nil {
		return nil, err
	}
	raw, err := readSmall(l.from, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %w", errMissing, err)
	case err != nil:
		return nil, err
	case d.Size > 0 && int64(len(raw)) != d.Size:
		return nil, fmt.Errorf("%w: %s has %d bytes, its descriptor says %d", errDamaged, name, len(raw), d.Size)
	case d.Digest.Algorithm == "sha256" && sum(raw) != d.Digest:
		return nil, fmt.Errorf("%w: the content of %s hashes to %s", errDamaged, name, sum(raw))
	}
	return raw, nil
}

func (l layoutContents) blob(_ context.Context, d v1.Descriptor) (Blob, error) {
	name, err := l.path(d)
	if err != nil {
		return Blob{}, err
	}
	r, size, err := l.from.open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Blob{}, fmt.Errorf("%w: %w", errMissing, err)
	case err != nil:
		return Blob{}, err
	}
	r.Close()
	if size != d.Size {
		return Blob{}, fmt.Errorf("%w: %s has %d bytes, its descriptor says %d", errDamaged, name, size, d.Size)
	}
	return Blob{Descriptor: d, Open: func(context.Context) (io.ReadCloser, error) {
		r, _, err := l.from.open(name)
		return r, err
	}}, nil
}

// readLayout reads an OCI layout from its index.json.
func readLayout(ctx context.Context, from files, index []byte, choice string, o OpenOptions) (*Source, error) {
	var list struct {
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(index, &list); err != nil {
		return nil, fmt.Errorf("index.json: %w", jsonError(index, err))
	}
	s := &Source{}
	r := reader{from: layoutContents{from}, notes: &s.Notes}
	images, err := r.images(ctx, list.Manifests)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	if choice == "" && flat(images) {
		if s.root, err = r.flat(ctx, index, images, o.Platform); err != nil {
			return nil, err
		}
		s.findReferrersOf(layoutReferrers{layoutContents{from}, list.Manifests, s.root.desc.Digest})
		return s, nil
	}
	root, err := chooseEntry(images, choice)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	s.root, err = r.node(ctx, root, o.Platform)
	if err != nil {
		return nil, err
	}
	s.findReferrersOf(layoutReferrers{layoutContents{from}, list.Manifests, s.root.desc.Digest})
	return s, s.root.replaceUncompressed(ctx)
}

// images returns the entries of a layout that are images or indexes of them: not what refers to one, such as a signature or an SBOM,
// which names it as its subject. Where there is nothing else, all of them.
func (r *reader) images(ctx context.Context, entries []v1.Descriptor) ([]v1.Descriptor, error) {
	if len(entries) < 2 {
		return entries, nil
	}
	var images []v1.Descriptor
	for _, e := range entries {
		if !runnable(e) || isReferrer(e) {
			continue
		}
		raw, err := r.from.manifest(ctx, e)
		switch {
		case errors.Is(err, errMissing): // told if it is the one that is taken
		case err != nil:
			return nil, fmt.Errorf("manifest %s: %w", e.Digest, err)
		default:
			if subject, _ := subjectOf(raw); subject != nil {
				continue
			}
		}
		images = append(images, e)
	}
	if len(images) == 0 {
		return entries, nil
	}
	return images, nil
}

// flat says whether a layout's index.json itself is the index of one multi-platform image: some tools list the platforms' manifests
// there, without an index between.
func flat(entries []v1.Descriptor) bool {
	platforms := map[string]bool{}
	names := map[string]bool{}
	for _, e := range entries {
		if e.Platform == nil || platforms[e.Platform.String()] {
			return false
		}
		platforms[e.Platform.String()] = true
		names[e.Annotations["io.containerd.image.name"]+e.Annotations["org.opencontainers.image.ref.name"]] = true
	}
	return len(entries) > 1 && len(names) == 1
}

// flat reads the image whose index is the layout's index.json, or one platform of it. What refers to the images stays out of the
// index that is pushed, as it does where an image is chosen; the entries are kept as they are written.
func (r *reader) flat(ctx context.Context, index []byte, images []v1.Descriptor, platform string) (*node, error) {
	raw := index
	var list struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(index, &list); err != nil {
		return nil, fmt.Errorf("index.json: %w", jsonError(index, err))
	}
	if len(list.Manifests) != len(images) {
		kept := struct {
			SchemaVersion int               `json:"schemaVersion"`
			MediaType     types.MediaType   `json:"mediaType"`
			Manifests     []json.RawMessage `json:"manifests"`
		}{2, types.OCIImageIndex, nil}
		for _, entry := range list.Manifests {
			var d v1.Descriptor
			if json.Unmarshal(entry, &d) == nil && slices.ContainsFunc(images, func(e v1.Descriptor) bool { return e.Digest == d.Digest }) {
				kept.Manifests = append(kept.Manifests, entry)
			}
		}
		var err error
		if raw, err = json.Marshal(kept); err != nil {
			return nil, err
		}
	}
	doc, err := parseManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	n := &node{raw: raw, desc: v1.Descriptor{MediaType: mediaTypeOf(raw, ""), Digest: sum(raw), Size: int64(len(raw))}}
	return r.index(ctx, n, doc, platform, 1)
}

// chooseEntry picks the one image of a layout, or the one that is named by name, tag or digest.
func chooseEntry(entries []v1.Descriptor, choice string) (v1.Descriptor, error) {
	var found []v1.Descriptor
	var names []string
	for _, e := range entries {
		name := e.Annotations["io.containerd.image.name"]
		tag := e.Annotations["org.opencontainers.image.ref.name"]
		digest := e.Digest.String()
		switch {
		case name != "":
			names = append(names, name)
		case tag != "":
			names = append(names, tag)
		default:
			names = append(names, digest)
		}
		if choice != "" && choice != name && choice != tag && choice != digest && !strings.HasSuffix(name, "/"+choice) {
			continue
		}
		// One image with two tags is listed twice.
		if len(found) == 0 || found[len(found)-1].Digest != e.Digest {
			found = append(found, e)
		}
	}
	switch {
	case len(entries) == 0:
		return v1.Descriptor{}, errors.New("it lists no images")
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return v1.Descriptor{}, fmt.Errorf("no image is named %q; there are %s", choice, strings.Join(names, ", "))
	default:
		return v1.Descriptor{}, fmt.Errorf("it lists %d images: %s; choose one with PATH#NAME", len(found), strings.Join(names, ", "))
	}
}

// What is read of one image at most. An index of indexes is rare, and more than two floors of them are nobody's image.
const (
	mostFloors    = 8
	mostManifests = 1000
)

// reader reads manifests and all that is below them, each digest once: an index may name one child many times, on every floor.
type reader struct {
	from  contents
	notes *[]string // what the user should know
	bare  bool      // configurations are not read: they need not be an image's
	read  map[v1.Hash]*node
}

// node reads a manifest or index and all below it. Where images of an index are not at hand, as after docker save of a
// multi-platform image on a machine that pulled its own platform alone, and exactly one is, that one is taken, as docker
// push does.
func (r *reader) node(ctx context.Context, d v1.Descriptor, platform string) (*node, error) {
	return r.below(ctx, d, platform, 0)
}

// below is node some floors down.
func (r *reader) below(ctx context.Context, d v1.Descriptor, platform string, floor int) (*node, error) {
	if known := r.read[d.Digest]; known != nil && platform == "" {
		again := *known // it is named by another descriptor, which may say another platform
		again.desc.Platform, again.desc.Annotations, again.desc.ArtifactType = d.Platform, d.Annotations, d.ArtifactType
		return &again, nil
	}
	switch {
	case floor > mostFloors:
		return nil, fmt.Errorf("manifest %s: %w: indexes are nested more than %d deep", d.Digest, errHostile, mostFloors)
	case len(r.read) >= mostManifests:
		return nil, fmt.Errorf("manifest %s: %w: there are more than %d manifests", d.Digest, errHostile, mostManifests)
	}
	n, err := r.manifest(ctx, d, platform, floor)
	if err == nil && platform == "" {
		if r.read == nil {
			r.read = map[v1.Hash]*node{}
		}
		r.read[d.Digest] = n
	}
	return n, err
}

func (r *reader) manifest(ctx context.Context, d v1.Descriptor, platform string, floor int) (*node, error) {
	from := r.from
	raw, err := from.manifest(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	doc, err := parseManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	n := &node{desc: d, raw: raw}
	n.desc.Size = int64(len(raw))
	n.desc.MediaType = mediaTypeOf(raw, string(d.MediaType))
	if doc.isIndex() {
		return r.index(ctx, n, doc, platform, floor+1)
	}

	if n.config, err = from.blob(ctx, *doc.Config); err != nil {
		return nil, fmt.Errorf("configuration %s of manifest %s: %w", doc.Config.Digest, d.Digest, err)
	}
	for i, l := range doc.Layers {
		if isForeign(l) {
			continue
		}
		b, err := from.blob(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("layer %d of %d (%s) of manifest %s: %w", i+1, len(doc.Layers), l.Digest, d.Digest, err)
		}
		n.layers = append(n.layers, layer{Blob: b})
	}
	if doc.Config.MediaType.IsConfig() && !r.bare {
		config, err := readAll(ctx, n.config)
		var diffIDs []v1.Hash
		if err == nil {
			diffIDs, n.platform, err = configOf(config)
		}
		if err == nil && miscounted(doc.Layers, diffIDs, n.platform) {
			err = fmt.Errorf("%w: it counts %d layers, the manifest %d, so that no container could start from it", errDamaged, len(diffIDs),
				len(doc.Layers))
		}
		if err != nil {
			return nil, fmt.Errorf("configuration %s of manifest %s: %w", doc.Config.Digest, d.Digest, err)
		}
		if err := checkPlatform(platform, n.platform); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// miscounted says whether an image's configuration and its manifest disagree about how many layers it has: then no runtime unpacks it.
// What is not an image may have a configuration of an image's type: an artifact that names no platform, an attestation, and whatever
// has layers that are not file systems.
func miscounted(layers []v1.Descriptor, diffIDs []v1.Hash, platform string) bool {
	return len(layers) != len(diffIDs) && platform != "" && !strings.HasPrefix(platform, "unknown/") &&
		!slices.ContainsFunc(layers, func(l v1.Descriptor) bool { return !l.MediaType.IsLayer() })
}

func (r *reader) index(ctx context.Context, n *node, doc *document, platform string, floor int) (*node, error) {
	var missing error
	var missed, has []string
	for _, m := range doc.Manifests {
		if platform != "" {
			if !samePlatform(platform, m.Platform) || !runnable(m) {
				if m.Platform != nil && runnable(m) {
					has = append(has, m.Platform.String())
				}
				continue
			}
			return r.below(ctx, m, "", floor)
		}
		child, err := r.below(ctx, m, "", floor)
		switch {
		case err == nil:
			n.children = append(n.children, child)
		case errors.Is(err, errMissing):
			missing = err
			if m.Platform != nil {
				missed = append(missed, m.Platform.String())
			}
		default:
			return nil, err
		}
	}
	switch {
	case platform != "":
		return nil, fmt.Errorf("the index %s has no image for %s; it has %s", n.desc.Digest, platform, strings.Join(has, ", "))
	case missing == nil:
		return n, nil
	}
	var whole []*node
	for _, c := range n.children {
		if runnable(c.desc) {
			whole = append(whole, c)
		}
	}
	if len(whole) != 1 {
		return nil, fmt.Errorf("the index %s lists images that are not all there: %w", n.desc.Digest, missing)
	}
	*r.notes = append(*r.notes, fmt.Sprintf("the index %s lists %s as well, but only the image for %s is there: it is taken alone",
		n.desc.Digest, strings.Join(missed, ", "), whole[0].platform))
	return whole[0], nil
}

// replaceUncompressed prepares a single image whose manifest lists plain tar layers, as docker save writes them from the
// classic image store, to get compressed ones: its configuration, and with it the image's ID, stays. The images of an index
// are left alone, since other documents name their digests.
func (n *node) replaceUncompressed(ctx context.Context) error {
	plainTar := false
	for _, l := range n.layers {
		plainTar = plainTar || isUncompressed(l.MediaType)
	}
	if !plainTar {
		return nil
	}
	config, err := readAll(ctx, n.config)
	if err != nil {
		return err
	}
	diffIDs, _, err := configOf(config)
	if err != nil {
		return fmt.Errorf("configuration %s: %w", n.config.Digest, err)
	}
	if len(diffIDs) != len(n.layers) {
		return fmt.Errorf("%w: the configuration %s counts %d layers, the manifest %d", errDamaged, n.config.Digest, len(diffIDs), len(n.layers))
	}
	for i, l := range n.layers {
		n.layers[i].diffID = diffIDs[i]
		if !isUncompressed(l.MediaType) {
			continue
		}
		if l.Digest != diffIDs[i] {
			return fmt.Errorf("%w: layer %d is %s in the manifest and %s in the configuration", errDamaged, i+1, l.Digest, diffIDs[i])
		}
		to := types.OCILayer
		if l.MediaType != types.OCIUncompressedLayer {
			to = types.DockerLayer
		}
		n.layers[i].uncompressed = max(1, l.Size)
		n.layers[i].Descriptor = v1.Descriptor{MediaType: to, Annotations: l.Annotations}
	}
	n.template, n.raw = n.raw, nil
	n.desc.Digest, n.desc.Size = v1.Hash{}, 0
	return nil
}

// readAll reads a small blob wholly and checks it.
func readAll(ctx context.Context, b Blob) ([]byte, error) {
	if b.Size > maxManifest {
		return nil, fmt.Errorf("blob %s has %d bytes, too many for a configuration", b.Digest, b.Size)
	}
	r, err := b.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(&checkedReader{from: r, want: b.Descriptor})
}
