package ecr

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Settings of a repository that the world begins with.
type Settings struct {
	Mutability string   // MUTABLE where empty
	Exclusions []string // wildcard filters of the …_WITH_EXCLUSION mutabilities
	ScanOnPush bool
}

// AddRepository creates a repository without asking for permission; one that exists takes the settings.
func (s *Service) AddRepository(name string, settings Settings, now time.Time) error {
	repo := s.repositories[name]
	if repo == nil {
		repo = newRepository(name, now)
		s.repositories[name] = repo
	}
	repo.scanOnPush = settings.ScanOnPush
	if settings.Mutability == "" {
		return nil
	}
	var filters []exclusion
	for _, filter := range settings.Exclusions {
		filters = append(filters, exclusion{"WILDCARD", filter})
	}
	return repo.setMutability(settings.Mutability, filters)
}

// AddImage stores an image under a tag without asking for permission, and returns its digest.
func (s *Service) AddImage(repository, tag string, img v1.Image, now time.Time) (string, error) {
	repo := s.repositories[repository]
	if repo == nil {
		return "", fmt.Errorf("the sandbox has no repository %q", repository)
	}
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return "", err
	}
	configName, err := img.ConfigName()
	if err != nil {
		return "", err
	}
	repo.layers[configName.String()] = int64(len(config))
	if err := s.blobs.Put(context.Background(), repository, configName, io.NopCloser(bytes.NewReader(config))); err != nil {
		return "", err
	}
	for _, layer := range layers {
		if err := s.addLayer(repo, layer); err != nil {
			return "", err
		}
	}
	manifest, err := img.RawManifest()
	if err != nil {
		return "", err
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return "", err
	}
	stored, err := s.put(repo, manifest, string(mediaType), tag, now)
	if err != nil && stored == nil {
		return "", err
	}
	return stored.digest, nil
}

func (s *Service) addLayer(repo *repository, layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	if err := s.blobs.Put(context.Background(), repo.name, digest, content); err != nil {
		return err
	}
	repo.layers[digest.String()] = size
	return nil
}
