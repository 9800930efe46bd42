package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// registryContents is a repository to copy from. Blobs are taken to be there, as a registry promises for a manifest that it
// has, and are read when they are needed.
type registryContents struct{ repo *Repository }

func (c registryContents) manifest(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	m, err := c.repo.manifest(ctx, d.Digest.String())
	if notFound(err) {
		return nil, fmt.Errorf("%w: %w", errMissing, err)
	}
	if err != nil {
		return nil, err
	}
	return m.Raw, nil
}

func (c registryContents) blob(_ context.Context, d v1.Descriptor) (Blob, error) {
	return Blob{Descriptor: d, Open: func(ctx context.Context) (io.ReadCloser, error) {
		return c.repo.openBlob(ctx, d.Digest)
	}}, nil
}

// openRegistry takes an image from a registry.
func openRegistry(ctx context.Context, ref Reference, o OpenOptions) (*Source, error) {
	if o.Registries == nil {
		return nil, errors.New("no registry can be reached from here")
	}
	if ref.Tag == "" && ref.Digest == "" {
		return nil, fmt.Errorf("name a tag or a digest of %s", ref.Name())
	}
	repo, err := o.Registries.Repository(ref)
	if err != nil {
		return nil, err
	}
	root, err := repo.manifest(ctx, cmp.Or(ref.Digest, ref.Tag))
	if notFound(err) {
		return nil, &NotFoundError{Reference: ref}
	}
	if err != nil {
		return nil, err
	}
	s := &Source{Kind: RegistryCopy, from: repo}
	r := reader{from: registryContents{repo}, notes: &s.Notes}
	if s.root, err = r.node(ctx, v1.Descriptor{Digest: root.Digest, MediaType: root.MediaType}, o.Platform); err != nil {
		return nil, err
	}
	s.findReferrersOf(registryContents{repo})
	return s, nil
}
