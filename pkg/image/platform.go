package image

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Platforms returns what a resolved image is built for, as OS/ARCHITECTURE with a variant or version behind it. An index says it itself;
// of a single image the configuration is read from the registry, which in ECR needs ecr:GetDownloadUrlForLayer. It returns nothing for
// an image that does not say.
func (rs *Registries) Platforms(ctx context.Context, d Descriptor) ([]string, error) {
	if d.IsIndex() {
		return d.Platforms, nil
	}
	manifest, err := parseManifest(d.Manifest)
	if err != nil {
		return nil, fmt.Errorf("the manifest of %s: %w", d.Reference, err)
	}
	if manifest.Config == nil {
		return d.Platforms, nil
	}
	repo, err := rs.Repository(d.Reference)
	if err != nil {
		return nil, err
	}
	raw, err := repo.readBlob(ctx, *manifest.Config)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of %s: %w", d.Reference, err)
	}
	var config v1.Platform // the names are those of an image's configuration
	var named struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		OSVersion    string `json:"os.version"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		return nil, fmt.Errorf("the configuration of %s: %w", d.Reference, jsonError(raw, err))
	}
	if named.OS == "" || named.Architecture == "" {
		return nil, nil
	}
	config.OS, config.Architecture, config.Variant, config.OSVersion = named.OS, named.Architecture, named.Variant, named.OSVersion
	return []string{config.String()}, nil
}
