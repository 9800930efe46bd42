package ecr

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Save returns a function that writes an image as `docker load` reads it, under a name; of an index, the image of the
// platform ("linux/amd64"). The reference is Find's. The function needs no lock: what it writes is immutable.
func (s *Service) Save(reference string) func(w io.Writer, name, platform string) error {
	repository, _, _ := strings.Cut(reference, "@")
	repository, _, _ = strings.Cut(repository, ":")
	repo := s.repositories[repository]
	found, missing := s.Find(reference)
	if repo == nil || missing != "" {
		return nil
	}
	candidates := []*image{repo.images[found.Digest]}
	for _, child := range candidates[0].children {
		candidates = append(candidates, repo.images[child])
	}
	return func(w io.Writer, name, platform string) error {
		img, err := s.choose(candidates, platform)
		if err != nil {
			return err
		}
		return s.save(w, img, name)
	}
}

// choose picks the image of a platform. A single image is taken whatever its platform is, as Fargate does.
func (s *Service) choose(candidates []*image, platform string) (*image, error) {
	if len(candidates) == 1 {
		return candidates[0], nil
	}
	for _, img := range candidates[1:] {
		config, err := s.config(img)
		if err != nil {
			continue // an artifact
		}
		if p := config.Platform(); p != nil && p.OS+"/"+p.Architecture == platform {
			return img, nil
		}
	}
	return nil, fmt.Errorf("image Manifest does not contain descriptor matching platform '%s'", platform)
}

// save writes what is in the registry as it is: `docker load` finds out by itself how a layer is compressed.
func (s *Service) save(w io.Writer, img *image, name string) error {
	var manifest v1.Manifest
	if err := json.Unmarshal(img.manifest, &manifest); err != nil {
		return fmt.Errorf("reading the manifest %s: %w", img.digest, err)
	}
	archive := tar.NewWriter(w)
	entry := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{manifest.Config.Digest.Hex + ".json", []string{name}, []string{}}
	if err := s.archive(archive, entry.Config, manifest.Config); err != nil {
		return err
	}
	written := map[string]bool{}
	for _, layer := range manifest.Layers {
		file := layer.Digest.Hex + "/layer.tar"
		entry.Layers = append(entry.Layers, file)
		if written[file] {
			continue
		}
		written[file] = true
		if err := s.archive(archive, file, layer); err != nil {
			return err
		}
	}
	list, err := json.Marshal([]any{entry})
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: "manifest.json", Mode: 0o644, Size: int64(len(list))}); err != nil {
		return err
	}
	if _, err := archive.Write(list); err != nil {
		return err
	}
	return archive.Close()
}

func (s *Service) archive(archive *tar.Writer, name string, blob v1.Descriptor) error {
	content, err := s.content(blob.Digest.String())
	if err != nil {
		return fmt.Errorf("reading %s: %w", blob.Digest, err)
	}
	defer content.Close()
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: blob.Size}); err != nil {
		return err
	}
	_, err = io.Copy(archive, content)
	return err
}
