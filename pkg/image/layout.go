package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	root, err := chooseEntry(list.Manifests, choice)
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	s := &Source{}
	s.root, err = readNode(ctx, layoutContents{from}, root, o.Platform, &s.Notes)
	if err != nil {
		return nil, err
	}
	return s, s.root.replaceUncompressed(ctx)
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

// readNode reads a manifest or index and all below it. Where images of an index are not at hand, as after docker save of a
// multi-platform image on a machine that pulled its own platform alone, and exactly one is, that one is taken, as docker
// push does.
func readNode(ctx context.Context, from contents, d v1.Descriptor, platform string, notes *[]string) (*node, error) {
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
		return readIndex(ctx, from, n, doc, platform, notes)
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
	if doc.Config.MediaType.IsConfig() {
		config, err := readAll(ctx, n.config)
		if err == nil {
			_, n.platform, err = configOf(config)
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

func readIndex(ctx context.Context, from contents, n *node, doc *document, platform string, notes *[]string) (*node, error) {
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
			return readNode(ctx, from, m, "", notes)
		}
		child, err := readNode(ctx, from, m, "", notes)
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
	*notes = append(*notes, fmt.Sprintf("the index %s lists %s as well, but only the image for %s is there: it is taken alone",
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
		n.layers[i].uncompressed = l.Size
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
