// Package imagetest makes container images for tests and benchmarks, in the forms in which builds leave them. Equal arguments
// give equal bytes.
package imagetest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Image is an image to be written.
type Image struct {
	Tag          string            // "app:v1"; may be empty
	Architecture string            // amd64 where empty
	Labels       map[string]string // of the configuration
	Layers       [][]byte          // uncompressed tar archives
}

// New returns an image whose layers have about these sizes in bytes. A layer is decided by the seed, its position and its size:
// images of one seed share the layers that agree in both.
func New(seed uint64, sizes ...int) Image {
	img := Image{Tag: "app:v1"}
	for i, size := range sizes {
		img.Layers = append(img.Layers, Layer(seed+uint64(i)*1000, size))
	}
	return img
}

// Layer returns a tar archive of files of about size bytes together, which compresses about as application layers do: some text,
// some structure, some that is compressed already.
func Layer(seed uint64, size int) []byte {
	content := Mixed(seed, size)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	const fileSize = 1 << 20
	for i := 0; i == 0 || i*fileSize < len(content); i++ {
		part := content[i*fileSize : min((i+1)*fileSize, len(content))]
		_ = w.WriteHeader(&tar.Header{Name: fmt.Sprintf("srv/%d/file-%03d", seed, i), Mode: 0o644, Size: int64(len(part)), Typeflag: tar.TypeReg})
		_, _ = w.Write(part)
	}
	_ = w.Close()
	return out.Bytes()
}

// Mixed returns size bytes that compress to about a third.
func Mixed(seed uint64, size int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = fmt.Appendf(nil, "%x.%s ", rng.Uint32(), []string{"python", "site-packages", "import", "self", "__init__"}[i%5])
	}
	out := make([]byte, 0, size+2048)
	for len(out) < size {
		if rng.IntN(4) == 0 {
			for range 64 {
				out = append(out, byte(rng.Uint32()))
			}
			continue
		}
		for range 24 {
			out = append(out, words[int(float64(len(words))*rng.Float64()*rng.Float64())]...)
		}
	}
	return out[:size]
}

// Digest returns the sha256 digest of content.
func Digest(content []byte) string {
	s := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(s[:])
}

// Config returns the image's configuration.
func (img Image) Config() []byte {
	var diffIDs []string
	for _, l := range img.Layers {
		diffIDs = append(diffIDs, Digest(l))
	}
	arch := img.Architecture
	if arch == "" {
		arch = "amd64"
	}
	raw, _ := json.Marshal(map[string]any{
		"architecture": arch, "os": "linux", "config": map[string]any{"Labels": img.Labels, "Cmd": []string{"/srv/app"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	return raw
}

// Entry is a file of an archive or a layout.
type Entry struct {
	Name    string
	Content []byte
}

// Saved returns the files of docker save's old form: manifest.json, the configuration, and layers as plain tar.
func Saved(images ...Image) []Entry {
	var entries []Entry
	var list []map[string]any
	for _, img := range images {
		config := img.Config()
		name := strings.TrimPrefix(Digest(config), "sha256:") + ".json"
		var layers []string
		for _, l := range img.Layers {
			layer := strings.TrimPrefix(Digest(l), "sha256:") + "/layer.tar"
			layers = append(layers, layer)
			entries = append(entries, Entry{layer, l})
		}
		entries = append(entries, Entry{name, config})
		saved := map[string]any{"Config": name, "Layers": layers, "RepoTags": nil}
		if img.Tag != "" {
			saved["RepoTags"] = []string{img.Tag}
		}
		list = append(list, saved)
	}
	raw, _ := json.Marshal(list)
	return append(entries, Entry{"manifest.json", raw})
}

// SavedNew returns the files of docker save's form since Docker 25 with the classic image store: an OCI layout, its layers plain
// tar, and manifest.json beside it.
func SavedNew(img Image) []Entry {
	manifest, entries := img.blobs(false)
	index, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": []any{descriptor("application/vnd.oci.image.manifest.v1+json", manifest, map[string]any{
			"annotations": map[string]string{"io.containerd.image.name": "docker.io/library/" + img.Tag, "org.opencontainers.image.ref.name": "v1"},
		})},
	})
	list, _ := json.Marshal([]map[string]any{{"Config": blobName(img.Config()), "RepoTags": []string{img.Tag}, "Layers": layerNames(img)}})
	return slices.Concat(entries, []Entry{{blobName(manifest), manifest}, {"index.json", index}, layoutMark, {"manifest.json", list}})
}

// Layout returns the files of an OCI layout with one image, its layers compressed.
func Layout(img Image) []Entry {
	manifest, entries := img.blobs(true)
	index, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "manifests": []any{descriptor("application/vnd.oci.image.manifest.v1+json", manifest, nil)},
	})
	return slices.Concat(entries, []Entry{{blobName(manifest), manifest}, {"index.json", index}, layoutMark})
}

// Index returns the files of an OCI layout with a multi-platform index of these images and an attestation for the first, as
// buildx writes it, and the index's digest.
func Index(images ...Image) (entries []Entry, digest string) {
	var list []any
	for i, img := range images {
		manifest, blobs := img.blobs(true)
		entries = append(append(entries, blobs...), Entry{blobName(manifest), manifest})
		list = append(list, descriptor("application/vnd.oci.image.manifest.v1+json", manifest,
			map[string]any{"platform": map[string]string{"os": "linux", "architecture": img.Architecture}}))
		if i == 0 {
			statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"}}]}`, Digest(manifest)[7:])
			config := []byte(`{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}`)
			attestation, _ := json.Marshal(map[string]any{
				"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
				"config": descriptor("application/vnd.oci.image.config.v1+json", config, nil),
				"layers": []any{descriptor("application/vnd.in-toto+json", statement, nil)},
			})
			entries = append(entries, Entry{blobName(config), config}, Entry{blobName(statement), statement},
				Entry{blobName(attestation), attestation})
			list = append(list, descriptor("application/vnd.oci.image.manifest.v1+json", attestation, map[string]any{
				"platform":    map[string]string{"os": "unknown", "architecture": "unknown"},
				"annotations": map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": Digest(manifest)},
			}))
		}
	}
	index, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": list})
	top, _ := json.Marshal(map[string]any{"schemaVersion": 2,
		"manifests": []any{descriptor("application/vnd.oci.image.index.v1+json", index, nil)}})
	return append(entries, Entry{blobName(index), index}, Entry{"index.json", top}, layoutMark), Digest(index)
}

var layoutMark = Entry{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}

// blobs returns the image's manifest in OCI form and the blobs that it names.
func (img Image) blobs(compress bool) (manifest []byte, entries []Entry) {
	config := img.Config()
	entries = append(entries, Entry{blobName(config), config})
	mediaType := "application/vnd.oci.image.layer.v1.tar"
	if compress {
		mediaType += "+gzip"
	}
	var layers []any
	for _, l := range img.Layers {
		if compress {
			var out bytes.Buffer
			w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
			_, _ = w.Write(l)
			_ = w.Close()
			l = out.Bytes()
		}
		entries = append(entries, Entry{blobName(l), l})
		layers = append(layers, descriptor(mediaType, l, nil))
	}
	manifest, _ = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": descriptor("application/vnd.oci.image.config.v1+json", config, nil), "layers": layers,
	})
	return manifest, entries
}

func layerNames(img Image) []string {
	var names []string
	for _, l := range img.Layers {
		names = append(names, blobName(l))
	}
	return names
}

func blobName(content []byte) string {
	return "blobs/sha256/" + strings.TrimPrefix(Digest(content), "sha256:")
}

func descriptor(mediaType string, content []byte, more map[string]any) map[string]any {
	d := map[string]any{"mediaType": mediaType, "digest": Digest(content), "size": len(content)}
	for k, v := range more {
		d[k] = v
	}
	return d
}

// WriteTar writes files as a tar archive.
func WriteTar(to io.Writer, entries []Entry) error {
	w := tar.NewWriter(to)
	for _, e := range entries {
		if err := w.WriteHeader(&tar.Header{Name: e.Name, Mode: 0o644, Size: int64(len(e.Content)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := w.Write(e.Content); err != nil {
			return err
		}
	}
	return w.Close()
}

// TarFile writes files as a tar archive named name.
func TarFile(name string, entries []Entry) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := WriteTar(f, entries); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Folder writes files below a folder.
func Folder(dir string, entries []Entry) error {
	for _, e := range entries {
		name := filepath.Join(dir, filepath.FromSlash(e.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, e.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
