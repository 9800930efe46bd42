package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/org/connect2/v2/pkg/awserr"
)

// Bounds of the look at earlier images.
const (
	recentImages = 200
	recentPages  = 5   // of 1,000 images; ECR lists them in no order
	atOnce       = 100 // images that ECR gives in one answer
	indexImages  = 16  // images looked at of one index
	fewImages    = 32  // as many as are always looked at, and configurations read, whatever it may save
	// From how many uncompressed bytes on it pays to look further than at what the tags point at, where that has most layers.
	worthLooking = 4 << 20
)

// earlier is the images that a repository has already, as far as they were looked at.
type earlier struct {
	repo   *Repository
	images []earlierImage
	seen   map[v1.Hash]bool
	told   bool // of a permission that is missing for all configurations

	reading    sync.Mutex
	configured map[v1.Hash][]v1.Hash // by their manifests, the configurations that were read once the push went on
}

// earlierImage is a single image of a repository.
type earlierImage struct {
	*manifest
	doc     *document
	diffIDs []v1.Hash // of its configuration, where that was read
	read    bool      // or was tried
}

// add takes manifests into account, and reads the images of indexes where that is wanted.
func (e *earlier) add(ctx context.Context, d *Destination, all []*manifest, withChildren bool) {
	var children []string
	for _, m := range all {
		if m == nil || e.seen[m.Digest] {
			continue
		}
		if e.seen == nil {
			e.seen = map[v1.Hash]bool{}
		}
		e.seen[m.Digest] = true
		doc, err := parseManifest(m.Raw)
		if err != nil {
			continue
		}
		if !doc.isIndex() {
			e.images = append(e.images, earlierImage{manifest: m, doc: doc})
			continue
		}
		n := 0
		for _, child := range doc.Manifests {
			if runnable(child) && !e.seen[child.Digest] && n < indexImages {
				n++
				children = append(children, child.Digest.String())
			}
		}
	}
	if len(children) == 0 || !withChildren || len(e.seen) > 2*recentImages {
		return
	}
	found, _ := d.behind(ctx, children) // what cannot be read costs time alone
	var more []*manifest
	for _, digest := range children {
		more = append(more, found[digest])
	}
	e.add(ctx, d, more, withChildren)
}

// whole returns the image with this configuration whose layers are all in the codec.
func (e *earlier) whole(config v1.Hash, codec Codec) (earlierImage, bool) {
	for _, image := range e.images {
		if image.doc.Config.Digest == config && len(image.doc.Layers) > 0 &&
			!slices.ContainsFunc(image.doc.Layers, func(l v1.Descriptor) bool { return !codec.of(l.MediaType) }) {
			return image, true
		}
	}
	return earlierImage{}, false
}

// names says whether an image that was looked at has a blob of this digest.
func (e *earlier) names(digest v1.Hash) bool {
	return slices.ContainsFunc(e.images, func(i earlierImage) bool {
		return i.doc.Config.Digest == digest ||
			slices.ContainsFunc(i.doc.Layers, func(l v1.Descriptor) bool { return l.Digest == digest })
	})
}

// layers returns under which digests the wanted layers, given by their uncompressed digests, are stored in the codec.
//
// That a manifest, or a configuration and a manifest, pair them is the word of whoever pushed that image. It cannot smuggle in
// foreign content: a container runtime checks each layer against the configuration of the image that it unpacks, which is ours.
func (e *earlier) layers(ctx context.Context, wanted map[v1.Hash]int64, codec Codec) map[v1.Hash]v1.Descriptor {
	found := map[v1.Hash]v1.Descriptor{}
	collect := func() {
		for _, image := range e.images {
			for diffID, d := range pair(image.diffIDs, image.doc.Layers, codec) {
				if _, ok := found[diffID]; !ok && wanted[diffID] > 0 {
					found[diffID] = d
				}
			}
		}
	}
	collect()
	for read := 0; read < recentImages && len(found) < len(wanted) && (read < fewImages || left(wanted, found) >= worthLooking); {
		n := e.readConfigs(ctx, codec, lookups)
		if n == 0 {
			break
		}
		read += n
		collect()
	}
	return found
}

// left is how many bytes of the wanted layers were not found.
func left(wanted map[v1.Hash]int64, found map[v1.Hash]v1.Descriptor) (n int64) {
	for diffID, size := range wanted {
		if _, ok := found[diffID]; !ok {
			n += size
		}
	}
	return n
}

// readConfigs reads the configurations of some images whose manifests do not say by themselves which layers they have, and
// returns how many.
func (e *earlier) readConfigs(ctx context.Context, codec Codec, most int) (read int) {
	known := map[v1.Hash]bool{} // stored layers whose uncompressed digest is known
	for _, image := range e.images {
		for _, d := range pair(image.diffIDs, image.doc.Layers, codec) {
			known[d.Digest] = true
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	var once sync.Once
	for i := range e.images {
		image := &e.images[i]
		if image.read || read == most || !image.doc.Config.MediaType.IsConfig() {
			continue
		}
		if !slices.ContainsFunc(image.doc.Layers, func(l v1.Descriptor) bool { return codec.of(l.MediaType) && !known[l.Digest] }) {
			continue
		}
		for _, l := range image.doc.Layers {
			known[l.Digest] = true
		}
		image.read = true
		read++
		group.Go(func() error {
			raw, err := e.repo.readBlob(groupCtx, *image.doc.Config)
			if denied(err) && !e.told {
				once.Do(func() {
					e.repo.observe(Event{Kind: Remarked, Err: err,
						Text: "layers of earlier images cannot be recognised before they are compressed: reading their configuration is denied"})
				})
			}
			if err == nil && json.Valid(raw) {
				image.diffIDs, _, _ = configOf(raw)
			}
			if denied(err) {
				return err // so it is for all
			}
			return nil
		})
	}
	if err := group.Wait(); denied(err) {
		e.told = true
		return 0
	}
	return read
}

// pair says under which descriptor each uncompressed digest is stored in the codec: by the descriptors' own word, or by the
// configuration's, and nothing where that counts other layers.
func pair(diffIDs []v1.Hash, layers []v1.Descriptor, codec Codec) map[v1.Hash]v1.Descriptor {
	pairs := map[v1.Hash]v1.Descriptor{}
	for i, l := range layers {
		if !codec.of(l.MediaType) {
			continue
		}
		if own := uncompressedOf(l); own != (v1.Hash{}) {
			pairs[own] = l
		} else if len(diffIDs) == len(layers) {
			pairs[diffIDs[i]] = l
		}
	}
	return pairs
}

// behind returns the manifests behind those of the tags and digests that exist.
func (d *Destination) behind(ctx context.Context, what []string) (map[string]*manifest, error) {
	if d.client == nil {
		return d.read(ctx, what)
	}
	var mu sync.Mutex
	found := map[string]*manifest{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for chunk := range slices.Chunk(what, atOnce) {
		group.Go(func() error {
			in := &ecr.BatchGetImageInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name), AcceptedMediaTypes: ManifestTypes}
			for _, w := range chunk {
				id := ecrtypes.ImageIdentifier{ImageTag: aws.String(w)}
				if IsDigest(w) {
					id = ecrtypes.ImageIdentifier{ImageDigest: aws.String(w)}
				}
				in.ImageIds = append(in.ImageIds, id)
			}
			out, err := d.client.BatchGetImage(ctx, in)
			if err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return fmt.Errorf("reading manifests of %s: %w", d.Name, awserr.Explain(err))
			}
			mu.Lock()
			defer mu.Unlock()
			for _, image := range out.Images {
				raw := []byte(aws.ToString(image.ImageManifest))
				m := &manifest{Digest: sum(raw), MediaType: mediaTypeOf(raw, aws.ToString(image.ImageManifestMediaType)), Raw: raw}
				found[m.Digest.String()] = m
				if image.ImageId != nil && image.ImageId.ImageTag != nil {
					found[*image.ImageId.ImageTag] = m
				}
			}
			return nil
		})
	}
	return found, group.Wait()
}

// read is behind for registries that give one manifest at a time.
func (d *Destination) read(ctx context.Context, what []string) (map[string]*manifest, error) {
	var mu sync.Mutex
	found := map[string]*manifest{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * lookups)
	for _, w := range what {
		group.Go(func() error {
			m, err := d.manifest(ctx, w)
			if notFound(err) {
				return nil
			}
			if err == nil {
				mu.Lock()
				found[w] = m
				mu.Unlock()
			}
			return err
		})
	}
	return found, group.Wait()
}

// recent returns the images pushed last, without those that are known. It is a courtesy: without the permission there are none.
// A registry that is not ECR does not say when an image was pushed; of it the images behind the last of its tags are taken.
func (d *Destination) recent(ctx context.Context, known map[v1.Hash]bool) []*manifest {
	var names []string
	if d.client != nil {
		names = d.newest(ctx)
	} else if tags, err := d.tags(ctx); err == nil {
		names = tags[max(0, len(tags)-recentImages):]
		slices.Reverse(names)
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		h, err := v1.NewHash(name)
		return err == nil && known[h]
	})
	found, err := d.behind(ctx, names)
	if err != nil && !d.quiet && !errors.Is(err, context.Canceled) {
		d.registries.remark("not all earlier images could be looked at: %v", err)
	}
	var all []*manifest
	for _, name := range names {
		all = append(all, found[name])
	}
	return all
}

// newest returns the digests of the images that were pushed to an ECR repository last, the newest first.
func (d *Destination) newest(ctx context.Context) []string {
	var all []ecrtypes.ImageDetail
	in := &ecr.DescribeImagesInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name), MaxResults: aws.Int32(1000)}
	for range recentPages {
		out, err := d.client.DescribeImages(ctx, in)
		if err != nil {
			if ctx.Err() == nil && !d.quiet {
				d.registries.remark("layers are compared with the images behind the tags alone: the newest images cannot be listed (%v)", err)
			}
			break
		}
		all = append(all, out.ImageDetails...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	// Not slices.SortFunc: it is compiled anew for each type, which is 21 KB of every program for this one.
	sort.Slice(all, func(i, j int) bool { return aws.ToTime(all[i].ImagePushedAt).After(aws.ToTime(all[j].ImagePushedAt)) })
	var digests []string
	for _, image := range all[:min(recentImages, len(all))] {
		digests = append(digests, aws.ToString(image.ImageDigest))
	}
	return digests
}

// LookError says that a repository could not be asked for the layers that it has.
type LookError struct {
	Repository string
	Err        error
}

// Error says which repository it is.
func (e *LookError) Error() string {
	return fmt.Sprintf("looking for layers in %s: %v", e.Repository, e.Err)
}

// Unwrap returns why it could not be asked.
func (e *LookError) Unwrap() error { return e.Err }

// missingBlobs returns which of these blobs the repository does not have, at once where the registry can tell so.
func (d *Destination) missingBlobs(ctx context.Context, digests []v1.Hash) (map[v1.Hash]bool, error) {
	var mu sync.Mutex
	missing := map[v1.Hash]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	note := func(digest v1.Hash, there bool) {
		mu.Lock()
		defer mu.Unlock()
		if !there {
			missing[digest] = true
		}
	}
	if d.client == nil {
		for _, digest := range digests {
			group.Go(func() error {
				found, err := d.hasBlob(ctx, digest)
				note(digest, found)
				return err
			})
		}
		return missing, group.Wait()
	}
	for chunk := range slices.Chunk(digests, atOnce) {
		group.Go(func() error {
			in := &ecr.BatchCheckLayerAvailabilityInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name)}
			for _, digest := range chunk {
				in.LayerDigests = append(in.LayerDigests, digest.String())
			}
			out, err := d.client.BatchCheckLayerAvailability(ctx, in)
			if err != nil {
				return &LookError{Repository: d.Name, Err: awserr.Explain(err)}
			}
			there := map[string]bool{}
			for _, l := range out.Layers {
				there[aws.ToString(l.LayerDigest)] = l.LayerAvailability == ecrtypes.LayerAvailabilityAvailable
			}
			for _, digest := range chunk {
				note(digest, there[digest.String()])
			}
			return nil
		})
	}
	return missing, group.Wait()
}
