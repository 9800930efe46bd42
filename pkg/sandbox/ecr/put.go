package ecr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// maxManifest is ECR's limit for a manifest.
const maxManifest = 4 << 20

// put stores a manifest under its digest and, if tag is not empty, moves the tag to it. It checks what ECR checks: that
// the manifest is JSON, that the repository has everything it refers to, and that an immutable tag stays where it is.
// Putting what is there already is an ImageAlreadyExistsException.
func (s *Service) put(repo *repository, manifest []byte, mediaType, tag string, now time.Time) (*image, error) {
	img, err := s.parse(repo, manifest, mediaType)
	if err != nil {
		return nil, err
	}
	at, tagged := repo.imageTags[tag]
	existing := repo.images[img.digest]
	switch {
	case tagged && repo.immutableTag(tag):
		// PutImage refuses even the digest that the tag has already. Whether the registry's PUT does so as well is
		// unconfirmed; the stricter answer is given.
		return nil, wire.Errorf("ImageTagAlreadyExistsException",
			"The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, repo.name)
	case existing != nil && (tag == "" || at == img.digest):
		return existing, wire.Errorf("ImageAlreadyExistsException",
			"Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'",
			img.digest, tag, repo.name, s.options.Account)
	case existing != nil:
		img = existing
	default:
		s.pushes++
		img.pushedAt, img.order = now, s.pushes
		repo.images[img.digest] = img
		if repo.scanOnPush && len(img.children) == 0 {
			img.scan = &scan{startedAt: now}
		}
	}
	if tag != "" {
		repo.imageTags[tag] = img.digest
	}
	return img, nil
}

// parse reads a manifest and checks that the repository holds what it refers to.
func (s *Service) parse(repo *repository, manifest []byte, mediaType string) (*image, error) {
	var head struct {
		MediaType    types.MediaType
		ArtifactType string
		Subject      *v1.Descriptor
		Config       *v1.Descriptor
		Layers       []v1.Descriptor
		Manifests    []v1.Descriptor
	}
	if len(manifest) > maxManifest || json.Unmarshal(manifest, &head) != nil {
		return nil, invalid("ImageManifest", "Invalid JSON syntax")
	}
	digest, _, err := v1.SHA256(bytes.NewReader(manifest))
	if err != nil {
		return nil, err
	}
	if mediaType == "" {
		mediaType = string(head.MediaType)
	}
	img := &image{digest: digest.String(), mediaType: mediaType, manifest: bytes.Clone(manifest), artifactType: head.ArtifactType}
	if head.Subject != nil {
		img.subject = head.Subject.Digest.String()
	}
	if types.MediaType(mediaType).IsIndex() {
		return img, s.addChildren(repo, img, head.Manifests)
	}
	if len(head.Layers) == 0 {
		return nil, wire.Errorf("InvalidParameterException", "Image has to have at least 1 layer") // code unconfirmed
	}
	if head.Config != nil {
		img.config = head.Config.Digest.String()
		if img.artifactType == "" && !head.Config.MediaType.IsConfig() {
			img.artifactType = string(head.Config.MediaType)
		}
		head.Layers = slices.Insert(head.Layers, 0, *head.Config)
	}
	var missing []string
	for _, layer := range head.Layers {
		size, ok := repo.layers[layer.Digest.String()]
		if !ok && !layer.MediaType.IsDistributable() && layer.MediaType.IsLayer() {
			continue // a foreign layer lies elsewhere; ECR takes its manifest without it (unconfirmed)
		}
		if !ok {
			missing = append(missing, layer.Digest.String())
		}
		img.layers, img.size = append(img.layers, layer.Digest.String()), img.size+size
	}
	if len(missing) > 0 {
		return nil, wire.Errorf("LayersNotFoundException",
			"Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
			strings.Join(missing, ", "), repo.name, s.options.Account)
	}
	return img, nil
}

// addChildren fills an index. Its size is the sum of its children's (unconfirmed).
func (s *Service) addChildren(repo *repository, img *image, manifests []v1.Descriptor) error {
	var missing []string
	for _, m := range manifests {
		child := repo.images[m.Digest.String()]
		if child == nil {
			missing = append(missing, m.Digest.String())
			continue
		}
		img.children, img.size = append(img.children, child.digest), img.size+child.size
	}
	if len(missing) > 0 {
		return wire.Errorf("ReferencedImagesNotFoundException",
			"Images with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist",
			strings.Join(missing, ", "), repo.name, s.options.Account)
	}
	return nil
}

// remove deletes a tag, or an image with all its tags when ref names a digest alone. The failure has the codes of
// BatchDeleteImage; it is nil on success.
func (repo *repository) remove(id imageID) (removed []imageID, failure *failure) {
	img, failure := repo.lookup(id)
	if failure != nil {
		return nil, failure
	}
	if id.ImageTag != "" {
		delete(repo.imageTags, id.ImageTag)
		if len(repo.tagsOf(img.digest)) > 0 {
			return []imageID{{ImageDigest: img.digest, ImageTag: id.ImageTag}}, nil
		}
		removed = []imageID{{ImageDigest: img.digest, ImageTag: id.ImageTag}}
	}
	if parent := repo.parentOf(img.digest); parent != "" {
		if id.ImageTag != "" {
			return removed, nil // the tag is gone; what an index refers to stays
		}
		return nil, newFailure(id, "ImageReferencedByManifestList",
			fmt.Sprintf("Requested image referenced by manifest list: [%s]", parent))
	}
	for _, tag := range repo.tagsOf(img.digest) {
		delete(repo.imageTags, tag)
		removed = append(removed, imageID{ImageDigest: img.digest, ImageTag: tag})
	}
	delete(repo.images, img.digest)
	if len(removed) == 0 {
		removed = []imageID{{ImageDigest: img.digest}}
	}
	return removed, nil
}

// parentOf returns the digest of an index that refers to an image, or "".
func (repo *repository) parentOf(digest string) string {
	for _, img := range repo.inOrder() {
		if slices.Contains(img.children, digest) {
			return img.digest
		}
	}
	return ""
}
