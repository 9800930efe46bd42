package sandbox

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// NewImage builds a small linux/amd64 image of one layer. The same version and behaviour give the same digest; another
// version gives another. A behaviour other than nil is put into the image's label, where the sandbox looks for it.
func NewImage(version string, behaviour *engine.Behaviour) (v1.Image, error) {
	layer, err := versionLayer(version)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON),
		types.OCIManifestSchema1), layer)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	file.Config.Labels = map[string]string{"org.opencontainers.image.version": version}
	file.Config.Cmd = []string{"/app", "serve"}
	if behaviour != nil {
		label, err := json.Marshal(behaviour)
		if err != nil {
			return nil, fmt.Errorf("behaviour of image %s: %w", version, err)
		}
		file.Config.Labels[engine.BehaviourLabel] = string(label)
	}
	return mutate.ConfigFile(img, file)
}

// versionLayer is an uncompressed layer with one file that names the version.
func versionLayer(version string) (v1.Layer, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	text := []byte(version + "\n")
	if err := archive.WriteHeader(&tar.Header{Name: "app/VERSION", Mode: 0o644, Size: int64(len(text))}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(text); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(content.Bytes(), types.OCIUncompressedLayer), nil
}

// Push stores an image in the sandbox's registry under a tag, past all permissions and faults, and returns its digest.
// The repository must exist.
func (s *Sandbox) Push(repository, tag string, img v1.Image) (digest string, err error) {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	return s.registry.AddImage(repository, tag, img, s.clock.Now())
}
