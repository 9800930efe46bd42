package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/ztoc"
)

// What the SOCI snapshotter, and Fargate with it, looks for (https://github.com/awslabs/soci-snapshotter/blob/main/soci/soci_index.go).
const (
	sociType          = "application/vnd.amazon.soci.index.v2+json"
	sociIndexKey      = "com.amazon.soci.index-digest"
	sociImageKey      = "com.amazon.soci.image-manifest-digest"
	sociToolKey       = "com.amazon.soci.build-tool-identifier"
	sociLayerTypeKey  = "com.amazon.soci.image-layer-mediaType"
	sociLayerKey      = "com.amazon.soci.image-layer-digest"
	sociSpanKey       = "com.amazon.soci.span-size"
	sociTool          = "connect2"
	sociLayerSize     = 10 << 20 // compressed bytes; a smaller layer is loaded whole sooner than in parts
	attestedDigestKey = "vnd.docker.reference.digest"
)

// lazyLayer is a layer that can be loaded lazily.
type lazyLayer struct {
	blob Blob
	toc  []byte // nil: it is to be loaded whole
}

// MakeLazy gives the images of the source a SOCI index each (version 2), with which Fargate starts them before their layers are
// loaded, and makes an image index that holds both, which everything else reads as before. Layers that are not compressed get gzip,
// and gzip of others from 10 MiB on is compressed anew, since where it can be read from is not known; both are kept in temporary files
// until the source is closed. The images' digests change. Without a layer that is worth it the source stays as it is; a note says so.
func (s *Source) MakeLazy(ctx context.Context, observe func(Event)) error {
	return s.makeLazy(ctx, observe, sociLayerSize)
}

func (s *Source) makeLazy(ctx context.Context, observe func(Event), least int64) error {
	if observe == nil {
		observe = func(Event) {}
	}
	if slices.ContainsFunc(s.root.children, func(c *node) bool { return c.desc.ArtifactType == sociType }) {
		s.Notes = append(s.Notes, "the source has a SOCI index already: it is pushed as it is")
		return nil
	}
	images := []*node{s.root}
	if len(s.root.children) > 0 {
		images = slices.DeleteFunc(slices.Clone(s.root.children), func(c *node) bool { return !runnable(c.desc) })
	}
	l := &lazying{pack: newCompressor(Gzip), done: map[v1.Hash]lazyLayer{}, least: least, observe: observe}
	s.closer = closers{l, s.closer}
	made := map[*node]*node{} // SOCI indexes by their images
	for _, image := range images {
		if len(image.children) > 0 || !image.config.MediaType.IsConfig() {
			continue
		}
		index, err := l.image(ctx, image)
		if err != nil {
			return err
		}
		if index != nil {
			made[image] = index
		}
	}
	if len(made) == 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("no SOCI index is made: no layer has %d MiB or more that can be read lazily", least>>20))
		return nil
	}
	root, err := bind(s.root, images, made)
	if err == nil {
		s.root = root
	}
	return err
}

// lazying makes layers lazy, each once.
type lazying struct {
	pack    *compressor
	done    map[v1.Hash]lazyLayer // by the digest of the uncompressed layer
	spools  closers
	least   int64
	observe func(Event)
}

// Close frees the temporary files.
func (l *lazying) Close() error { return l.spools.Close() }

// image makes the layers of an image lazy and gives it the manifest that says so. It returns the SOCI index; nil where no layer is
// worth one, and then the image is left alone.
func (l *lazying) image(ctx context.Context, n *node) (*node, error) {
	config, err := readAll(ctx, n.config)
	if err != nil {
		return nil, err
	}
	diffIDs, platform, err := configOf(config)
	switch {
	case err != nil:
		return nil, fmt.Errorf("configuration %s: %w", n.config.Digest, err)
	case len(diffIDs) != len(n.layers):
		return nil, nil // foreign layers: nothing here says which is which
	}
	layers := slices.Clone(n.layers)
	var tocs []layer
	for i, from := range layers {
		from.diffID = diffIDs[i]
		lazy, err := l.layer(ctx, from)
		if err != nil {
			return nil, err
		}
		if lazy.blob.Open == nil {
			continue // it stays as it is
		}
		d := lazy.blob.Descriptor
		d.MediaType, d.Annotations = types.OCILayer, maps.Clone(from.Annotations)
		if d.Annotations == nil {
			d.Annotations = map[string]string{}
		}
		d.Annotations[uncompressedKey] = from.diffID.String()
		layers[i] = layer{Blob: Blob{d, lazy.blob.Open}, diffID: from.diffID}
		if lazy.toc == nil {
			continue
		}
		toc := bytesBlob(v1.Descriptor{MediaType: "application/octet-stream", Annotations: map[string]string{
			sociLayerTypeKey: string(d.MediaType), sociLayerKey: d.Digest.String(), sociSpanKey: strconv.Itoa(ztoc.SpanSize)}}, lazy.toc)
		tocs = append(tocs, layer{Blob: toc})
	}
	if len(tocs) == 0 {
		return nil, nil
	}
	index := sociIndex(tocs)
	if n.raw != nil {
		n.template = n.raw
	}
	n.layers, n.platform = layers, platform
	return index, n.annotate(index.desc.Digest)
}

// layer compresses a layer while its table is made. A layer whose blob cannot be opened stays as it is.
func (l *lazying) layer(ctx context.Context, from layer) (lazyLayer, error) {
	if done, ok := l.done[from.diffID]; ok {
		return done, nil
	}
	open := from.Open
	if !from.mustCompress() {
		if !Gzip.of(from.MediaType) || from.Size < l.least {
			return lazyLayer{}, nil
		}
		open = func(ctx context.Context) (io.ReadCloser, error) { return openUnpacked(ctx, from.Blob, gzipped) }
	}
	content, err := open(ctx)
	if err != nil {
		return lazyLayer{}, fmt.Errorf("reading %s: %w", from.label(), err)
	}
	defer content.Close()
	to, err := newSpool()
	if err != nil {
		return lazyLayer{}, err
	}
	l.spools = append(l.spools, to)
	began := time.Now()
	recorder := ztoc.NewRecorder(sociTool)
	out, err := l.pack.record(ctx, to, content, recorder)
	to.end(err)
	if err != nil {
		recorder.Close()
		return lazyLayer{}, fmt.Errorf("compressing %s: %w", from.label(), err)
	}
	if err := from.holds(out.DiffID, out.Read); err != nil {
		recorder.Close()
		return lazyLayer{}, err
	}
	l.observe(Event{Kind: Compressed, Digest: out.Digest.String(), Size: out.Size, Read: out.Read, Took: time.Since(began)})
	made := lazyLayer{blob: to.blob(v1.Descriptor{Digest: out.Digest, Size: out.Size})}
	toc, err := recorder.Finish()
	switch {
	case out.Size < l.least:
	case errors.Is(err, ztoc.ErrEntry):
		l.observe(Event{Kind: Noted, Text: fmt.Sprintf("layer %s is loaded whole: %v", from.diffID, err)})
	case err != nil:
		return lazyLayer{}, fmt.Errorf("%w: layer %s: %w", errDamaged, from.diffID, err)
	default:
		made.toc = toc
	}
	l.done[from.diffID] = made
	return made, nil
}

// sociIndex makes the manifest that lists the tables of an image's layers.
func sociIndex(tocs []layer) *node {
	n := &node{layers: tocs, config: bytesBlob(v1.Descriptor{MediaType: sociType}, emptyConfig)}
	var layers []v1.Descriptor
	for _, t := range tocs {
		layers = append(layers, t.Descriptor)
	}
	n.raw, _ = json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: n.config.Descriptor, Layers: layers,
		Annotations: map[string]string{sociToolKey: sociTool}})
	n.desc = v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: sum(n.raw), Size: int64(len(n.raw)), ArtifactType: sociType}
	return n
}

// annotate writes the manifest of an image anew, with its layers and the digest of its SOCI index. It is one of OCI then: registries
// do not like both forms in an index.
func (n *node) annotate(index v1.Hash) error {
	fields := map[string]json.RawMessage{}
	var annotations map[string]string
	if n.template != nil {
		if err := json.Unmarshal(n.template, &fields); err != nil {
			return jsonError(n.template, err)
		}
		if had := fields["annotations"]; had != nil {
			if err := json.Unmarshal(had, &annotations); err != nil {
				return jsonError(n.template, err)
			}
		}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[sociIndexKey] = index.String()
	n.config.MediaType = types.OCIConfigJSON
	layers := make([]v1.Descriptor, len(n.layers))
	for i := range n.layers {
		if n.layers[i].MediaType == types.DockerLayer {
			n.layers[i].MediaType = types.OCILayer
		}
		layers[i] = n.layers[i].Descriptor
	}
	for key, value := range map[string]any{"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "config": n.config.Descriptor,
		"layers": layers, "annotations": annotations} {
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fields[key] = raw
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	n.raw, n.template = raw, nil
	n.desc.MediaType, n.desc.Digest, n.desc.Size = types.OCIManifestSchema1, sum(raw), int64(len(raw))
	if n.desc.Annotations = maps.Clone(n.desc.Annotations); n.desc.Annotations == nil {
		n.desc.Annotations = map[string]string{}
	}
	n.desc.Annotations[sociIndexKey] = index.String()
	if n.desc.Platform == nil {
		n.desc.Platform, err = v1.ParsePlatform(n.platform)
	}
	return err
}

// bind makes the index of images and their SOCI indexes: of one image a new one, else the one that there is, with what has changed.
func bind(root *node, images []*node, made map[*node]*node) (*node, error) {
	type doc = map[string]json.RawMessage
	index := doc{}
	var entries []doc
	children := root.children
	if len(root.children) == 0 {
		children = []*node{root}
		entries = []doc{{}}
	} else {
		if err := json.Unmarshal(root.raw, &index); err != nil {
			return nil, jsonError(root.raw, err)
		}
		if err := json.Unmarshal(index["manifests"], &entries); err != nil {
			return nil, jsonError(root.raw, err)
		}
		if len(entries) != len(children) {
			return nil, fmt.Errorf("the index %s is not whole: %d of %d manifests are there", root.desc.Digest, len(children), len(entries))
		}
	}
	put := func(to doc, key string, value any) {
		raw, _ := json.Marshal(value) // strings, numbers and descriptors
		to[key] = raw
	}
	now := map[string]string{} // digests of images by those that they had
	for i, c := range children {
		if made[c] != nil {
			var was v1.Hash
			if json.Unmarshal(entries[i]["digest"], &was) == nil {
				now[was.String()] = c.desc.Digest.String()
			}
			put(entries[i], "mediaType", c.desc.MediaType)
			put(entries[i], "digest", c.desc.Digest)
			put(entries[i], "size", c.desc.Size)
			put(entries[i], "platform", c.desc.Platform)
			put(entries[i], "annotations", c.desc.Annotations)
		}
	}
	for i, c := range children { // an attestation names the image that it is of
		if to := now[c.desc.Annotations[attestedDigestKey]]; to != "" {
			annotations := maps.Clone(c.desc.Annotations)
			annotations[attestedDigestKey] = to
			put(entries[i], "annotations", annotations)
		}
	}
	for _, image := range images {
		if soci := made[image]; soci != nil {
			soci.desc.Platform = image.desc.Platform
			soci.desc.Annotations = map[string]string{sociImageKey: image.desc.Digest.String()}
			entry := doc{}
			raw, _ := json.Marshal(soci.desc)
			_ = json.Unmarshal(raw, &entry)
			entries, children = append(entries, entry), append(slices.Clone(children), soci)
		}
	}
	put(index, "schemaVersion", 2)
	put(index, "mediaType", types.OCIImageIndex)
	put(index, "manifests", entries)
	raw, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	return &node{raw: raw, children: children,
		desc: v1.Descriptor{MediaType: types.OCIImageIndex, Digest: sum(raw), Size: int64(len(raw))}}, nil
}
