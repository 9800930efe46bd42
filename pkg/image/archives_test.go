package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// theirArchives returns archives as tools write them, by name (testdata/archives/README.md).
func theirArchives(t testing.TB) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/archives/archives.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	archives := map[string][]byte{}
	for _, f := range z.File {
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if archives[f.Name], err = io.ReadAll(from); err != nil {
			t.Fatal(err)
		}
		from.Close()
	}
	return archives
}

// What tools write is read as the image that it is. The digests are those that the tools' own files name.
func TestTheirArchives(t *testing.T) {
	const (
		app      = "sha256:738e50a781620cc13894b69f69599ef5c5834b31ddf4c2c9f16d7feb05e52568" // the ID of the image of most
		manifest = "sha256:cf006f594bb3056e9727c5651a8ebb7506278cbc049ad20f910b19e2138b8007" // its manifest in OCI's form
		index    = "sha256:5ad2bce2b8d1dc487813369682997aea748462665e5a10c5bedb7f218d9a4225" // containerd's, around it
		built    = "sha256:a7a0f3574cbe45888689fceafbec63d7d87384f1bdd682d29337643341b5bd9a"
		buildah  = "sha256:c6968d8b015c839067f028a48cd1e89d1edd48b72b0b0d919cb9382ce225244e"
	)
	type want struct {
		id, digest string
		layers     int
		err        string // words, divided by semicolons
	}
	special := map[string]want{
		"buildah-docker-archive.tar": {id: buildah, layers: 1},
		"buildah-oci-archive.tar": {id: buildah, layers: 1,
			digest: "sha256:b02d54593ac9a076a707ad86f9fa46d4c8fbcf42af8d16817c7285bcf5c93f64"},
		"containerd-export-all.tar":  {digest: index},
		"containerd-export-skip.tar": {digest: index},
		"containerd-export.tar":      {digest: index},
		"docker-save-built.tar":      {id: built, layers: 4},
		"docker-save-two.tar":        {err: "lists 2 images: app:v1, app:v2; choose one"},
		"docker-save-two.tar#app:v1": {id: app, layers: 3},
		"docker-save-two.tar#app:v2": {id: built, layers: 4},
		"skopeo-dir.tar":             {err: "skopeo's dir: form;oci: or docker-archive:"},
		"skopeo-oci-archive-zstd.tar": {id: app, layers: 3,
			digest: "sha256:3daaf9ec5cc63d1d30eafec90050faa6bbf77c014abb6a363373d63ee1893175"},
		"skopeo-oci-v2s2.tar": {id: app, layers: 3,
			digest: "sha256:1af1d1c505d0789fccc5845abb791f3fd5a79790a4438aa0d3e5d74860910572"},
		"umoci-new.tar": {id: "sha256:d040f7643df6da8a8717817743d1a4c9531e2024715d9e47f01b9e00cf37b27d", layers: 1,
			digest: "sha256:846e59d233aa6089b1ee5d26482996e32cd0025e816425ac2373a7089db23f25"},
		"crane-tarball.tar": {id: app, layers: 3, digest: "made"}, // its layers are compressed, and there is no manifest
	}
	archives, dir := theirArchives(t), t.TempDir()
	if len(archives) != 73 {
		t.Fatalf("%d archives, want 73", len(archives))
	}
	for name, content := range archives {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok := special[name]; ok {
			continue
		}
		w := want{id: app, layers: 3}
		if !strings.Contains(name, "docker") && name != "crane-legacy.tar" { // those have no manifest, and layers to compress
			w.digest = manifest
		}
		special[name] = w
	}
	if len(special) != 73+2 {
		t.Fatalf("%d cases, want one of each archive and two of a part of one", len(special))
	}
	for _, name := range slices.Sorted(maps.Keys(special)) {
		w := special[name]
		s, err := Open(t.Context(), filepath.Join(dir, name), OpenOptions{})
		if err != nil || w.err != "" {
			for word := range strings.SplitSeq(w.err, ";") {
				if w.err == "" || err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %v, want %q", name, err, w.err)
				}
			}
			s.Close()
			continue
		}
		digest, known := s.Digest()
		if w.digest == "made" && known {
			w.digest = digest
		}
		platforms := []string{"linux/amd64"}
		if w.digest == index { // it names none
			platforms = nil
		}
		if s.ImageID() != w.id || digest != w.digest || len(s.root.layers) != w.layers || !slices.Equal(s.Platforms(), platforms) {
			t.Errorf("%s: image %s, digest %q, %d layers, platforms %q; want %+v", name, s.ImageID(), digest, len(s.root.layers), s.Platforms(), w)
		}
		s.root.walk(func(n *node) {
			for i, l := range n.layers {
				if got := hashOf(t, l.Blob); got != l.Digest && (!l.mustCompress() || got != l.diffID) {
					t.Errorf("%s: layer %d hashes to %s, want %s or, uncompressed, %s", name, i, got, l.Digest, l.diffID)
				}
			}
		})
		s.Close()
	}
}

// hashOf reads a blob.
func hashOf(t *testing.T, b Blob) v1.Hash {
	t.Helper()
	from, err := b.Open(t.Context())
	if err != nil {
		t.Error(err)
		return v1.Hash{}
	}
	defer from.Close()
	got, _, err := v1.SHA256(from)
	if err != nil {
		t.Error(err)
	}
	return got
}

// readInPlace says whether what is read of an archive in place is what archive/tar reads of it from its beginning to its end.
func readInPlace(t *testing.T, content []byte) {
	t.Helper()
	tarball, err := opened(t, content)
	if err != nil {
		return
	}
	const most = 1 << 20
	want, in := map[string][]byte{}, tar.NewReader(bytes.NewReader(content))
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("archive/tar cannot read what was opened: %v", err)
		}
		name := cleaned(h.Name)
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
			if h.Size > most {
				return
			}
			if want[name], err = io.ReadAll(in); err != nil { // it cannot go on
				return
			}
		case tar.TypeXGlobalHeader:
		default:
			delete(want, name)
		}
	}
	for name, w := range want {
		if tarball.entries[name].refused != "" {
			continue
		}
		from, size, err := tarball.open(name)
		if err != nil {
			t.Errorf("%q cannot be opened: %v", name, err)
			continue
		}
		got, err := io.ReadAll(from)
		if err != nil || !bytes.Equal(got, w) || size != int64(len(got)) {
			t.Errorf("%q reads as %q, %v, of %d bytes; archive/tar reads %q", name, got, err, size, w)
		}
	}
}

// Every archive that is not compressed reads in place as it does from its beginning to its end.
func TestTheirArchivesInPlace(t *testing.T) {
	for name, content := range theirArchives(t) {
		if strings.HasSuffix(name, ".tar") {
			readInPlace(t, content)
		}
	}
}
