package ecr

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

type imageID struct {
	ImageDigest string `json:"imageDigest,omitempty"`
	ImageTag    string `json:"imageTag,omitempty"`
}

type failure struct {
	ImageID       imageID `json:"imageId"`
	FailureCode   string  `json:"failureCode"`
	FailureReason string  `json:"failureReason"`
}

func newFailure(id imageID, code, reason string) *failure {
	return &failure{ImageID: id, FailureCode: code, FailureReason: reason}
}

// lookup finds an image by digest, tag, or both; the failure has the codes of BatchGetImage and BatchDeleteImage.
func (repo *repository) lookup(id imageID) (*image, *failure) {
	digest := id.ImageDigest
	switch {
	case digest == "" && id.ImageTag == "":
		return nil, newFailure(id, "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
	case digest != "" && !isDigest(digest):
		return nil, newFailure(id, "InvalidImageDigest",
			"Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	case digest == "":
		digest = repo.imageTags[id.ImageTag]
	case id.ImageTag != "" && repo.imageTags[id.ImageTag] != digest:
		if at := repo.imageTags[id.ImageTag]; at != "" {
			// wording unconfirmed
			return nil, newFailure(id, "ImageTagDoesNotMatchDigest",
				fmt.Sprintf("Requested tag '%s' does not match the digest '%s'", id.ImageTag, digest))
		}
		return nil, newFailure(id, "ImageNotFound", "Requested image not found")
	}
	if img := repo.images[digest]; img != nil {
		return img, nil
	}
	return nil, newFailure(id, "ImageNotFound", "Requested image not found")
}

func isDigest(text string) bool {
	_, sum, ok := strings.Cut(text, "sha256:")
	return ok && len(sum) == sha256.Size*2 && strings.Trim(sum, "0123456789abcdef") == ""
}

func (s *Service) describeImages(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		ImageIDs       []imageID
		NextToken      string
		MaxResults     int
		Filter         struct{ TagStatus, ImageStatus string }
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if len(in.ImageIDs) > 100 {
		return nil, invalid("imageIds", "Member must have length less than or equal to 100")
	}
	if len(in.ImageIDs) > 0 {
		details := []any{}
		for _, id := range in.ImageIDs {
			img, failure := repo.lookup(id)
			if failure != nil {
				return nil, s.imageNotFound(repo, id.ImageDigest, id.ImageTag)
			}
			details = append(details, s.detail(repo, img, r))
		}
		return map[string]any{"imageDetails": details}, nil
	}
	images := slices.DeleteFunc(repo.inOrder(), func(img *image) bool {
		return !statusMatches(in.Filter.TagStatus, len(repo.tagsOf(img.digest)) > 0) ||
			in.Filter.ImageStatus != "" && in.Filter.ImageStatus != "ACTIVE" && in.Filter.ImageStatus != "ANY"
	})
	page, next, err := pageOf(images, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"imageDetails": collect(page, func(img *image) any { return s.detail(repo, img, r) })}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

func statusMatches(filter string, tagged bool) bool {
	return filter == "" || filter == "ANY" || (filter == "TAGGED") == tagged
}

// detail is the API's ImageDetail. Scan fields are left to DescribeImageScanFindings, as basic scanning does now.
func (s *Service) detail(repo *repository, img *image, r *wire.Request) map[string]any {
	out := map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "imageDigest": img.digest,
		"imageSizeInBytes": img.size, "imagePushedAt": wire.Time(img.pushedAt), "imageManifestMediaType": img.mediaType,
		"imageStatus": "ACTIVE",
	}
	if tags := repo.tagsOf(img.digest); len(tags) > 0 {
		out["imageTags"] = tags
	}
	if img.artifactType != "" {
		out["artifactMediaType"] = img.artifactType
	} else if config := s.configMediaType(img); config != "" {
		out["artifactMediaType"] = config
	}
	if img.subject != "" {
		out["subjectManifestDigest"] = img.subject
	}
	if !img.pulledAt.IsZero() {
		out["lastRecordedPullTime"] = wire.Time(img.pulledAt)
	}
	return out
}

func (s *Service) listImages(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		NextToken      string
		MaxResults     int
		Filter         struct{ TagStatus, ImageStatus string }
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	var ids []imageID
	for _, img := range repo.inOrder() {
		tags := repo.tagsOf(img.digest)
		if !statusMatches(in.Filter.TagStatus, len(tags) > 0) {
			continue
		}
		for _, tag := range tags {
			ids = append(ids, imageID{img.digest, tag})
		}
		if len(tags) == 0 {
			ids = append(ids, imageID{ImageDigest: img.digest})
		}
	}
	page, next, err := pageOf(ids, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"imageIds": append([]imageID{}, page...)}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

func (s *Service) batchGetImage(r *wire.Request) (any, error) {
	var in struct {
		RegistryID         string
		RepositoryName     string
		ImageIDs           []imageID
		AcceptedMediaTypes []string // conversions between manifest forms are not modelled
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	images, failures := []any{}, []*failure{}
	for _, id := range in.ImageIDs {
		img, failure := repo.lookup(id)
		if failure != nil {
			failures = append(failures, failure)
			continue
		}
		images = append(images, s.apiImage(repo, img, id.ImageTag))
	}
	return map[string]any{"images": images, "failures": failures}, nil
}

func (s *Service) apiImage(repo *repository, img *image, tag string) map[string]any {
	return map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "imageId": imageID{img.digest, tag},
		"imageManifest": string(img.manifest), "imageManifestMediaType": img.mediaType,
	}
}

func (s *Service) putImage(r *wire.Request) (any, error) {
	var in struct {
		RegistryID                            string
		RepositoryName                        string
		ImageManifest, ImageManifestMediaType string
		ImageTag, ImageDigest                 string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(in.ImageManifest))
	if in.ImageDigest != "" && in.ImageDigest != "sha256:"+hex.EncodeToString(sum[:]) {
		// wording unconfirmed
		return nil, wire.Errorf("ImageDigestDoesNotMatchException",
			"The specified image digest does not match the digest calculated for the image.")
	}
	img, err := s.put(repo, []byte(in.ImageManifest), in.ImageManifestMediaType, in.ImageTag, r.Now)
	if err != nil {
		return nil, err
	}
	return map[string]any{"image": s.apiImage(repo, img, in.ImageTag)}, nil
}

func (s *Service) batchDeleteImage(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		ImageIDs       []imageID
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	ids, failures := []imageID{}, []*failure{}
	for _, id := range in.ImageIDs {
		removed, failure := repo.remove(id)
		if failure != nil {
			failures = append(failures, failure)
		}
		ids = append(ids, removed...)
	}
	return map[string]any{"imageIds": ids, "failures": failures}, nil
}

// Repositories lists the names of the registry's repositories, sorted.
func (s *Service) Repositories() []string { return slices.Sorted(maps.Keys(s.repositories)) }

// Tags lists the tags of a repository; none where there is no such repository.
func (s *Service) Tags(repository string) []string {
	repo := s.repositories[repository]
	if repo == nil {
		return []string{}
	}
	return slices.Sorted(maps.Keys(repo.imageTags))
}
