package ecr

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is what a puller learns about an image.
type Image struct {
	Digest    string            // of what the reference names: an index stays an index
	Tags      []string          // all that point at the digest, sorted
	Index     bool              // whether the reference names an index
	Platforms []string          // "linux/amd64"
	Labels    map[string]string // of the config; of an index, those of linux/amd64, or of its first platform
}

// Find looks an image up by "repository:tag", "repository@digest" or both, without a registry host; a reference without
// tag and digest means "latest". missing says what is not there: "repository" or "image"; it is "" on success.
func (s *Service) Find(reference string) (found Image, missing string) {
	name, digest, _ := strings.Cut(reference, "@")
	name, tag, tagged := strings.Cut(name, ":")
	repo := s.repositories[name]
	if repo == nil {
		return Image{}, "repository"
	}
	id := imageID{ImageDigest: digest}
	if digest == "" {
		id.ImageTag = "latest"
		if tagged {
			id.ImageTag = tag
		}
	}
	img, failure := repo.lookup(id)
	if failure != nil {
		return Image{}, "image"
	}
	return s.inspect(repo, img), ""
}

func (s *Service) inspect(repo *repository, img *image) Image {
	found := Image{Digest: img.digest, Tags: repo.tagsOf(img.digest)}
	if len(img.children) == 0 {
		config, err := s.config(img)
		if err != nil {
			return found
		}
		found.Labels = config.Config.Labels
		if platform := config.Platform(); platform != nil {
			found.Platforms = []string{platform.OS + "/" + platform.Architecture}
		}
		return found
	}
	found.Index = true
	for _, digest := range img.children {
		child := s.inspect(repo, repo.images[digest])
		if found.Labels == nil || slices.Contains(child.Platforms, "linux/amd64") {
			found.Labels = child.Labels
		}
		// What describes an image (provenance, SBOM) is listed beside the images, for the platform unknown/unknown.
		for _, platform := range child.Platforms {
			if platform != "unknown/unknown" && !slices.Contains(found.Platforms, platform) {
				found.Platforms = append(found.Platforms, platform)
			}
		}
	}
	return found
}

// config reads the config file of an image; an artifact has none.
func (s *Service) config(img *image) (*v1.ConfigFile, error) {
	if img.config == "" || img.artifactType != "" {
		return nil, fmt.Errorf("%s has no image config", img.digest)
	}
	content, err := s.content(img.config)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	var file v1.ConfigFile
	return &file, json.Unmarshal(data, &file)
}

// configMediaType is the media type of an image's config, which ECR reports as the artifact's.
func (s *Service) configMediaType(img *image) string {
	var manifest struct {
		Config struct{ MediaType types.MediaType }
	}
	if json.Unmarshal(img.manifest, &manifest) != nil {
		return ""
	}
	return string(manifest.Config.MediaType)
}
