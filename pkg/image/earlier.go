package image

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Bounds of the look at earlier images: more of them seldom share more layers.
const (
	newestImages = 3
	newestPages  = 5 // of 1,000 images; ECR lists them in no order
	indexImages  = 4 // images looked at of one index
)

// earlier is the images that a repository has already, as far as they may share layers with the one to push: what the tags point
// at, `latest`, and the newest.
type earlier struct {
	repo   *Repository
	newest func(context.Context) []string // digests
	known  []*manifest

	read []earlierImage
	done bool
}

// earlierImage is a single image of the repository.
type earlierImage struct {
	*manifest
	doc *document
}

// images returns the single images, those behind the tags first. What cannot be read is left out: it costs time alone.
func (e *earlier) images(ctx context.Context) ([]earlierImage, error) {
	if e.done {
		return e.read, nil
	}
	e.done = true
	if m := e.get(ctx, "latest"); m != nil {
		e.known = append(e.known, m)
	}
	for _, digest := range e.newest(ctx) {
		if !slices.ContainsFunc(e.known, func(m *manifest) bool { return m.Digest.String() == digest }) {
			if m := e.get(ctx, digest); m != nil {
				e.known = append(e.known, m)
			}
		}
	}
	seen := map[v1.Hash]bool{}
	var add func(m *manifest, depth int)
	add = func(m *manifest, depth int) {
		if m == nil || seen[m.Digest] {
			return
		}
		seen[m.Digest] = true
		doc, err := parseManifest(m.Raw)
		switch {
		case err != nil:
		case !doc.isIndex():
			e.read = append(e.read, earlierImage{m, doc})
		case depth < 2:
			n := 0
			for _, child := range doc.Manifests {
				if runnable(child) && n < indexImages {
					n++
					add(e.get(ctx, child.Digest.String()), depth+1)
				}
			}
		}
	}
	for _, m := range e.known {
		add(m, 0)
	}
	return e.read, ctx.Err()
}

func (e *earlier) get(ctx context.Context, tagOrDigest string) *manifest {
	m, err := e.repo.manifest(ctx, tagOrDigest)
	if err != nil {
		return nil
	}
	return m
}

// layers returns under which digests the wanted layers, given by their uncompressed digests, are stored in the repository.
//
// That a configuration and a manifest pair them is the word of whoever pushed that image. It cannot smuggle in foreign content: a
// container runtime checks each layer against the configuration of the image that it unpacks, which is ours.
func (e *earlier) layers(ctx context.Context, wanted map[v1.Hash]bool) (map[v1.Hash]v1.Descriptor, error) {
	images, err := e.images(ctx)
	if err != nil {
		return nil, err
	}
	configs := make([][]v1.Hash, len(images))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	var told sync.Once // of a permission that is missing for all of them
	for i, image := range images {
		if !image.doc.Config.MediaType.IsConfig() {
			continue
		}
		group.Go(func() error {
			raw, err := e.repo.readBlob(groupCtx, *image.doc.Config)
			if denied(err) {
				told.Do(func() {
					e.repo.observe(Event{Kind: Remarked, Err: err,
						Text: "layers of earlier images cannot be recognised before they are compressed: reading their configuration is denied"})
				})
				return nil
			}
			if err == nil && json.Valid(raw) {
				configs[i], _, _ = configOf(raw)
			}
			return nil
		})
	}
	_ = group.Wait()
	found := map[v1.Hash]v1.Descriptor{}
	for i, image := range images {
		for diffID, d := range pair(configs[i], image.doc.Layers) {
			if _, ok := found[diffID]; !ok && wanted[diffID] {
				found[diffID] = d
			}
		}
	}
	return found, ctx.Err()
}

// pair says under which descriptor each uncompressed digest is stored. It pairs gzip layers alone, in which form ours are stored
// too, and nothing when the counts differ.
func pair(diffIDs []v1.Hash, layers []v1.Descriptor) map[v1.Hash]v1.Descriptor {
	pairs := map[v1.Hash]v1.Descriptor{}
	if len(diffIDs) != len(layers) {
		return pairs
	}
	for i, l := range layers {
		if l.MediaType == types.OCILayer || l.MediaType == types.DockerLayer {
			pairs[diffIDs[i]] = l
		}
	}
	return pairs
}

// newest returns the digests of the images pushed last. It is a courtesy of ECR's API; without the permission there are none.
func (d *Destination) newest(ctx context.Context) []string {
	if d.client == nil {
		return nil
	}
	var all []ecrtypes.ImageDetail
	in := &ecr.DescribeImagesInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name), MaxResults: aws.Int32(1000)}
	for range newestPages {
		out, err := d.client.DescribeImages(ctx, in)
		if err != nil {
			d.registries.remark("layers are compared with the images behind the tags alone: the newest images cannot be listed (%v)", err)
			break
		}
		all = append(all, out.ImageDetails...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	slices.SortFunc(all, func(a, b ecrtypes.ImageDetail) int {
		return aws.ToTime(b.ImagePushedAt).Compare(aws.ToTime(a.ImagePushedAt))
	})
	var digests []string
	for _, image := range all[:min(newestImages, len(all))] {
		digests = append(digests, aws.ToString(image.ImageDigest))
	}
	return digests
}
