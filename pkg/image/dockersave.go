package image

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// savedImage is an entry of the manifest.json of a docker save archive
// (https://github.com/moby/moby/blob/master/image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format").
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// readDockerSave reads an archive of the old form, which has no registry manifest: one is made.
func readDockerSave(from files, list []byte, choice string, o OpenOptions) (*Source, error) {
	var images []savedImage
	if err := json.Unmarshal(list, &images); err != nil {
		if strings.HasPrefix(strings.TrimSpace(string(list)), "{") {
			return nil, errors.New("manifest.json is a single manifest, as skopeo's dir: form has it: write the image with oci: or " +
				"docker-archive: instead")
		}
		return nil, fmt.Errorf("manifest.json: %w", jsonError(list, err))
	}
	saved, err := chooseSaved(images, choice)
	if err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	config, err := readSmall(from, saved.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", cmp.Or(saved.Config, "(no name)"), err)
	}
	diffIDs, platform, err := configOf(config)
	switch {
	case err != nil:
		return nil, fmt.Errorf("configuration %s: %w", saved.Config, err)
	case len(diffIDs) != len(saved.Layers):
		return nil, fmt.Errorf("%w: manifest.json lists %d layers, the configuration %s counts %d", errDamaged, len(saved.Layers),
			saved.Config, len(diffIDs))
	case len(diffIDs) == 0:
		return nil, errors.New("the image has no layers, which registries refuse")
	case !namedBy(saved.Config, config):
		return nil, fmt.Errorf("%w: the content of the configuration %s hashes to %s", errDamaged, saved.Config, sum(config))
	}
	if err := checkPlatform(o.Platform, platform); err != nil {
		return nil, err
	}

	n := &node{platform: platform, desc: v1.Descriptor{MediaType: types.DockerManifestSchema2}}
	n.config = bytesBlob(v1.Descriptor{MediaType: types.DockerConfigJSON}, config)
	for i, name := range saved.Layers {
		l, err := savedLayer(from, name, diffIDs[i])
		if err != nil {
			return nil, fmt.Errorf("layer %d of %d: %w", i+1, len(saved.Layers), err)
		}
		if at := slices.IndexFunc(n.layers, l.contradicts); at >= 0 {
			return nil, fmt.Errorf("%w: the layers %d (%s) and %d (%s) are the same file, but the configuration %s names two contents, %s and %s",
				errDamaged, at+1, n.layers[at].name, i+1, name, saved.Config, n.layers[at].diffID, l.diffID)
		}
		n.layers = append(n.layers, l)
	}
	if slices.ContainsFunc(n.layers, func(l layer) bool { return l.MediaType == types.OCILayerZStd }) {
		n.toOCI()
	}
	if !slices.ContainsFunc(n.layers, layer.mustCompress) {
		n.finish(nil)
	}
	return &Source{Kind: DockerSave, root: n}, nil
}

// chooseSaved picks the one image of an archive, or the one that is named.
func chooseSaved(images []savedImage, choice string) (savedImage, error) {
	var names []string
	var found []savedImage
	for _, s := range images {
		names = append(names, s.RepoTags...)
		if len(s.RepoTags) == 0 {
			names = append(names, strings.TrimSuffix(s.Config, ".json"))
		}
		if choice == "" || slices.Contains(s.RepoTags, choice) || strings.HasPrefix(s.Config, choice) {
			found = append(found, s)
		}
	}
	switch {
	case len(images) == 0:
		return savedImage{}, errors.New("it lists no images")
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return savedImage{}, fmt.Errorf("no image is named %q; there are %s", choice, strings.Join(names, ", "))
	default:
		return savedImage{}, fmt.Errorf("it lists %d images: %s; choose one with PATH#NAME", len(found), strings.Join(names, ", "))
	}
}

// namedBy says whether a configuration may be the one that its file's name promises: most builders call it by its digest.
func namedBy(name string, config []byte) bool {
	hexes := strings.TrimPrefix(strings.TrimSuffix(path.Base(name), ".json"), "sha256:")
	named, err := v1.NewHash("sha256:" + hexes)
	return err != nil || named == sum(config)
}

// contradicts says whether two layers cannot both be: one file as it is stored has one content.
func (l layer) contradicts(other layer) bool {
	return l.Digest != (v1.Hash{}) && l.Digest == other.Digest && l.diffID != other.diffID
}

// savedLayer finds a layer of an archive. Layers that some builders have compressed already are hashed here and sent as they are, once
// they are proven to unpack to what the configuration names; plain ones are not read yet. What is compressed with anything that an
// image's layer cannot be is unpacked, to be compressed anew.
func savedLayer(from files, name string, diffID v1.Hash) (layer, error) {
	r, size, err := from.open(name)
	if err != nil {
		return layer{}, err
	}
	defer r.Close()
	open := func(context.Context) (io.ReadCloser, error) {
		r, _, err := from.open(name)
		return r, err
	}
	head := make([]byte, 10)
	k, _ := io.ReadFull(r, head)
	how := sniff(head[:k])
	l := layer{Blob: Blob{Descriptor: v1.Descriptor{MediaType: types.DockerLayer}, Open: open}, diffID: diffID, name: name}
	if how == plain {
		l.uncompressed = max(1, size)
		return l, nil
	}
	stored := l.Blob
	if stored.Digest, stored.Size, err = v1.SHA256(io.MultiReader(bytes.NewReader(head[:k]), r)); err != nil {
		return layer{}, fmt.Errorf("%s: %w", name, err)
	}
	switch how {
	case gzipped:
		l.Blob = stored
	case zstandard:
		l.Blob = stored
		l.MediaType = types.OCILayerZStd
	default:
		l.uncompressed = max(1, size)
		l.Open = func(ctx context.Context) (io.ReadCloser, error) { return openUnpacked(ctx, stored, how) }
		return l, nil
	}
	l.proof = &proof{layer: l, how: how}
	return l, nil
}

// toOCI gives a manifest to be made OCI's media types, the only ones in which a zstd layer has a name.
func (n *node) toOCI() {
	n.desc.MediaType, n.config.MediaType = types.OCIManifestSchema1, types.OCIConfigJSON
	for i := range n.layers {
		if n.layers[i].MediaType == types.DockerLayer {
			n.layers[i].MediaType = types.OCILayer
		}
	}
}

// nameLayers gives the layers of a manifest that is still to be made their types and, where it is of OCI's form, the annotations that
// tell their uncompressed digests.
func (n *node) nameLayers(codec Codec) {
	if n.raw != nil || len(n.children) > 0 {
		return
	}
	if n.template == nil {
		n.toOCI()
	} else if n.desc.MediaType != types.OCIManifestSchema1 && codec == Zstd { // Docker's form has no name for it
		n.template = nil
		n.toOCI()
	}
	for i := range n.layers {
		l := &n.layers[i]
		if n.desc.MediaType != types.OCIManifestSchema1 {
			continue
		}
		if l.mustCompress() {
			l.MediaType = codec.mediaType()
		}
		if l.diffID != (v1.Hash{}) {
			l.Annotations = maps.Clone(l.Annotations)
			if l.Annotations == nil {
				l.Annotations = map[string]string{}
			}
			l.Annotations[uncompressedKey] = l.diffID.String()
		}
	}
}

// finish makes the manifest once all layers have digests; stored are the descriptors of those that were compressed, by their
// uncompressed digests.
func (n *node) finish(stored map[v1.Hash]v1.Descriptor) {
	layers := make([]v1.Descriptor, len(n.layers))
	for i, l := range n.layers {
		layers[i] = l.Descriptor
		if d, ok := stored[l.diffID]; ok && l.mustCompress() {
			layers[i].Digest, layers[i].Size = d.Digest, d.Size
		}
		n.layers[i].Descriptor = layers[i]
	}
	n.raw = n.manifest(layers)
	n.desc.Digest, n.desc.Size = sum(n.raw), int64(len(n.raw))
}

// manifest returns the manifest's bytes with these layers: the template with its layers replaced, or a new one.
func (n *node) manifest(layers []v1.Descriptor) []byte {
	var raw []byte
	if n.template == nil {
		raw, _ = json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: n.desc.MediaType, Config: n.config.Descriptor, Layers: layers})
		return raw
	}
	fields := map[string]json.RawMessage{}
	_ = json.Unmarshal(n.template, &fields) // it was parsed before
	fields["layers"], _ = json.Marshal(layers)
	raw, _ = json.Marshal(fields)
	return raw
}

// bytesBlob returns a blob of what is in memory.
func bytesBlob(d v1.Descriptor, content []byte) Blob {
	d.Digest, d.Size = sum(content), int64(len(content))
	return Blob{Descriptor: d, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}
