package image

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/internal/nearest"
)

// Descriptor is what a reference resolved to.
type Descriptor struct {
	Reference Reference // with the digest; the tag is kept where one was asked for
	MediaType string
	Size      int64    // bytes of the manifest
	Platforms []string // "linux/amd64", …, of an index; empty for a single image
	Manifest  []byte   // the bytes that the digest is of
}

// IsIndex says whether the image is a multi-platform index.
func (d Descriptor) IsIndex() bool {
	return strings.HasSuffix(d.MediaType, "image.index.v1+json") || strings.HasSuffix(d.MediaType, "manifest.list.v2+json")
}

// NotFoundError says that a repository has no such image.
type NotFoundError struct {
	Reference Reference
	Close     []string // tags of the repository that look alike
}

// Error names the image and the tags that come close.
func (e *NotFoundError) Error() string {
	what := "tag " + e.Reference.Tag
	if e.Reference.Digest != "" {
		what = "image " + e.Reference.Digest
	}
	msg := fmt.Sprintf("the repository %s has no %s", e.Reference.Name(), what)
	if len(e.Close) > 0 {
		msg += "; it has " + strings.Join(e.Close, ", ")
	}
	return msg
}

// Resolve returns the digest behind a reference: through ecr:BatchGetImage where the registry is ECR, else by asking the
// registry. An index stays an index. The error is a *NotFoundError when there is no such image; a refused permission or a
// missing repository comes as the API's own error, wrapped.
func (rs *Registries) Resolve(ctx context.Context, ref Reference) (Descriptor, error) {
	if ref.Tag == "" && ref.Digest == "" {
		return Descriptor{}, fmt.Errorf("image %q: name a tag or a digest", ref)
	}
	if rs.IsECR(ref.Registry) {
		client, registryID := rs.ecrFor(ref.Registry)
		return resolveECR(ctx, client, registryID, ref)
	}
	repo, err := rs.Repository(ref)
	if err != nil {
		return Descriptor{}, err
	}
	m, err := repo.manifest(ctx, cmp.Or(ref.Digest, ref.Tag))
	if notFound(err) {
		return Descriptor{}, &NotFoundError{Reference: ref}
	}
	if err != nil {
		return Descriptor{}, fmt.Errorf("resolving %s: %w", ref, err)
	}
	return describe(ref, m.Digest.String(), string(m.MediaType), m.Raw), nil
}

func resolveECR(ctx context.Context, client ECR, registryID *string, ref Reference) (Descriptor, error) {
	id := ecrtypes.ImageIdentifier{ImageDigest: aws.String(ref.Digest)}
	if ref.Digest == "" {
		id = ecrtypes.ImageIdentifier{ImageTag: aws.String(ref.Tag)}
	}
	out, err := client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RegistryId: registryID, RepositoryName: aws.String(ref.Repository),
		ImageIds: []ecrtypes.ImageIdentifier{id}, AcceptedMediaTypes: ManifestTypes,
	})
	if err != nil {
		return Descriptor{}, fmt.Errorf("resolving %s: %w", ref, err)
	}
	if len(out.Images) > 0 && out.Images[0].ImageId != nil {
		got := out.Images[0]
		raw := []byte(aws.ToString(got.ImageManifest))
		mediaType := cmp.Or(aws.ToString(got.ImageManifestMediaType), string(mediaTypeOf(raw, "")))
		return describe(ref, aws.ToString(got.ImageId.ImageDigest), mediaType, raw), nil
	}
	if len(out.Failures) == 0 {
		return Descriptor{}, fmt.Errorf("resolving %s: ECR answered neither an image nor a reason", ref)
	}
	failure := out.Failures[0]
	if failure.FailureCode == ecrtypes.ImageFailureCodeImageNotFound {
		return Descriptor{}, &NotFoundError{Reference: ref, Close: closeTags(ctx, client, registryID, ref)}
	}
	return Descriptor{}, fmt.Errorf("resolving %s: ECR answered %s: %s", ref, failure.FailureCode, aws.ToString(failure.FailureReason))
}

func describe(ref Reference, digest, mediaType string, raw []byte) Descriptor {
	d := Descriptor{Reference: ref.WithDigest(digest), MediaType: mediaType, Size: int64(len(raw)), Manifest: raw}
	if doc, err := parseManifest(raw); err == nil {
		for _, m := range doc.Manifests {
			if m.Platform != nil && runnable(m) {
				d.Platforms = append(d.Platforms, m.Platform.String())
			}
		}
	}
	return d
}

// closeTags returns tags of the repository that a missing one may have been meant to be. It is a courtesy: any failure yields
// none.
func closeTags(ctx context.Context, client ECR, registryID *string, ref Reference) []string {
	if ref.Tag == "" {
		return nil
	}
	out, err := client.ListImages(ctx, &ecr.ListImagesInput{
		RegistryId: registryID, RepositoryName: aws.String(ref.Repository), MaxResults: aws.Int32(1000),
		Filter: &ecrtypes.ListImagesFilter{TagStatus: ecrtypes.TagStatusTagged},
	})
	if err != nil {
		return nil
	}
	var tags []string
	for _, id := range out.ImageIds {
		tags = append(tags, aws.ToString(id.ImageTag))
	}
	return nearest.Some(ref.Tag, tags, 5)
}
