package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// document is what manifests and indexes have in common, as far as pushing needs it. The bytes themselves are never written
// anew from it: what this build does not know stays.
type document struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        *v1.Descriptor  `json:"config"`
	Layers        []v1.Descriptor `json:"layers"`
	Manifests     []v1.Descriptor `json:"manifests"`
}

// parseManifest reads a manifest or an index.
func parseManifest(raw []byte) (*document, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, jsonError(raw, err)
	}
	switch {
	case d.SchemaVersion == 1:
		return nil, errors.New("it is a Docker schema 1 manifest, which registries no longer take: rebuild the image")
	case d.Config == nil && d.Manifests == nil:
		return nil, errors.New(`it is neither an image manifest (no "config") nor an index (no "manifests")`)
	}
	return &d, nil
}

func (d *document) isIndex() bool { return d.Config == nil }

// mediaTypeOf returns the media type of a manifest: what it says of itself, else what it was served as, else what its content
// shows.
func mediaTypeOf(raw []byte, served string) types.MediaType {
	var d document
	known := json.Unmarshal(raw, &d) == nil
	if known && d.MediaType != "" {
		return d.MediaType
	}
	served, _, _ = strings.Cut(served, ";")
	if served = strings.TrimSpace(served); slices.Contains(ManifestTypes, served) {
		return types.MediaType(served)
	}
	if known && d.Manifests != nil {
		return types.OCIImageIndex
	}
	return types.OCIManifestSchema1
}

// runnable says whether an index entry is an image to run, not an attestation or another artifact that rides along.
func runnable(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "" && (d.Platform == nil || d.Platform.OS != "unknown") &&
		d.ArtifactType == ""
}

// jsonError says where in raw the JSON breaks, and what stands there.
func jsonError(raw []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(strings.TrimSpace(string(raw))) == 0:
		return errors.New("it is empty, and should be JSON")
	case errors.As(err, &syntax):
		at := int(syntax.Offset)
		from, to := max(0, at-20), min(len(raw), at+20)
		return fmt.Errorf("broken JSON at byte %d of %d, near %q: %w", at, len(raw), raw[from:to], err)
	case errors.As(err, &kind):
		return fmt.Errorf("at byte %d of %d, field %q: %s where a %s belongs: %w", kind.Offset, len(raw), kind.Field, kind.Value, kind.Type, err)
	default:
		return fmt.Errorf("reading its JSON: %w", err)
	}
}
