package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What the last stage of the Dockerfile sets. A test compares them.
var (
	entrypoint  = []string{"/action"}
	environment = []string{"TMPDIR=/tmp"}
)

// platform is a binary of the image.
type platform struct{ architecture, binary string }

// image writes the image that the Dockerfile describes as an OCI layout, for all platforms, and returns the index's digest.
// No builder is involved: it would write its own times into the layers, and emulate one of the two platforms.
func (b build) image(platforms []platform, to string) (digest string, err error) {
	certificates, err := os.ReadFile(b.authorities)
	if err != nil {
		return "", err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		img, err := b.single(p, certificates)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Platform: &v1.Platform{OS: "linux", Architecture: p.architecture},
		}})
	}
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	path, err := layout.Write(to, empty.Index)
	if err != nil {
		return "", err
	}
	if err := path.AppendIndex(index); err != nil {
		return "", err
	}
	h, err := index.Digest()
	return h.String(), err
}

func (b build) single(p platform, certificates []byte) (v1.Image, error) {
	binary, err := os.ReadFile(p.binary)
	if err != nil {
		return nil, err
	}
	// Two layers: the certificates seldom change, the binary with each release.
	base, err := b.layer(
		entry{name: "etc/", mode: 0o755}, entry{name: "etc/ssl/", mode: 0o755}, entry{name: "etc/ssl/certs/", mode: 0o755},
		entry{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: certificates},
		entry{name: "tmp/", mode: 0o1777},
	)
	if err != nil {
		return nil, err
	}
	program, err := b.layer(entry{name: "action", mode: 0o755, content: binary})
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: p.architecture, Created: v1.Time{Time: b.created},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Entrypoint: entrypoint, Env: environment, Labels: map[string]string{
			"org.opencontainers.image.source":   "https://github.com/org/connect2",
			"org.opencontainers.image.version":  b.version,
			"org.opencontainers.image.revision": b.revision,
		}},
	})
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(img, base, program)
}

// entry is a file of a layer, or a folder where its name ends in a slash.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// layer packs files with the date of the source and the owner root.
func (b build) layer(entries ...entry) (v1.Layer, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.content)), ModTime: b.created}
		if e.name[len(e.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
