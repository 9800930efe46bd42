package image

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/ztoc"
)

// files of a layer for reading lazily: small ones on both sides of where a span ends, and one over several spans. The large ones are
// repetitions, which take little time.
func lazyTar(t testing.TB, extra ...*tar.Header) ([]byte, map[string][]byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	content := map[string][]byte{}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	put := func(h *tar.Header, body []byte) {
		h.Size = int64(len(body))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	put(&tar.Header{Name: "srv/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	lines := bytes.Repeat([]byte("a line that is long\n"), 500_000)
	content["srv/before"] = lines[:4_000_000]
	put(&tar.Header{Name: "srv/before", Typeflag: tar.TypeReg}, content["srv/before"])
	for i := range 12 {
		body := make([]byte, 40_000)
		for j := range body {
			body[j] = "abcdefgh"[random.IntN(8)]
		}
		name := fmt.Sprintf("srv/%02d.txt", i)
		content[name] = body
		put(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o640, Uid: 7, Uname: "app", PAXRecords: map[string]string{
			"SCHILY.xattr.user.a": "b"}}, body)
	}
	content["srv/big"] = lines
	put(&tar.Header{Name: "srv/big", Typeflag: tar.TypeReg}, lines)
	put(&tar.Header{Name: "srv/link", Typeflag: tar.TypeSymlink, Linkname: "big"}, nil)
	for _, h := range extra {
		put(h, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), content
}

// table reads a flatbuffer's table by the numbers of its slots.
type table struct{ flatbuffers.Table }

func (t table) text(slot int) string {
	if at := t.field(slot); at != 0 {
		return string(t.ByteVector(at + t.Pos))
	}
	return ""
}

func (t table) field(slot int) flatbuffers.UOffsetT {
	return flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4 + 2*slot)))
}

func (t table) long(slot int) int64 {
	if at := t.field(slot); at != 0 {
		return t.GetInt64(at + t.Pos)
	}
	return 0
}

func (t table) tableAt(slot int) table {
	return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(t.field(slot) + t.Pos)}}
}

func (t table) tables(slot int) (all []table) {
	at := t.field(slot)
	for i := range t.VectorLen(at) {
		all = append(all, table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(t.Vector(at) + flatbuffers.UOffsetT(4*i))}})
	}
	return all
}

// openSpan reads from a checkpoint on with nothing but the compressed bytes behind it and its window.
func openSpan(t testing.TB, packed, checkpoints []byte, offset, size int64) []byte {
	t.Helper()
	const each = 8 + 8 + 1 + ztoc.Window
	n := int(binary.LittleEndian.Uint32(checkpoints))
	if len(checkpoints) != 12+n*each || binary.LittleEndian.Uint64(checkpoints[4:]) != ztoc.SpanSize {
		t.Fatalf("%d checkpoints in %d bytes", n, len(checkpoints))
	}
	at := func(i int) []byte { return checkpoints[12+i*each:] }
	i := 0
	for i+1 < n && int64(binary.LittleEndian.Uint64(at(i + 1)[8:])) <= offset {
		i++
	}
	in, out := int64(binary.LittleEndian.Uint64(at(i))), int64(binary.LittleEndian.Uint64(at(i)[8:]))
	z := flate.NewReaderDict(bytes.NewReader(packed[in:]), at(i)[17:each])
	if _, err := io.CopyN(io.Discard, z, offset-out); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, size)
	if _, err := io.ReadFull(z, got); err != nil {
		t.Fatal(err)
	}
	return got
}

// A SOCI index lets every file be read out of the middle of its layer, and binds the image by its digest.
func TestLazy(t *testing.T) {
	layerTar, content := lazyTar(t)
	img := imagetest.Image{Layers: [][]byte{layerTar, imagetest.Layer(3, 20_000)}, Tag: "app:v1"}
	attested := func() []imagetest.Entry { entries, _ := imagetest.Index(img, imagetest.New(9, 3000)); return entries }
	img.Architecture = "amd64"
	for name, entries := range map[string][]imagetest.Entry{
		"docker save": imagetest.Saved(img), "docker save of today": imagetest.SavedNew(img), "OCI layout": imagetest.Layout(img),
		"index with an attestation": attested(),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeECR(t, "app")
			file := saved(t, entries)
			push := func() (Result, *Plan) {
				rs := f.registries(nil)
				src, err := Open(t.Context(), file, OpenOptions{Registries: rs})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				if err := src.makeLazy(t.Context(), nil, 100_000); err != nil {
					t.Fatal(err)
				}
				to, err := rs.Destination(t.Context(), "app", "v1")
				if err != nil {
					t.Fatal(err)
				}
				plan, err := NewPlan(t.Context(), src, to, PlanOptions{Tags: []string{"v1"}})
				if err != nil {
					t.Fatal(err)
				}
				r, err := plan.Execute(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return r, plan
			}
			r, _ := push()
			repo := f.repository(t, "app")
			get := func(d v1.Hash) []byte {
				m, err := repo.manifest(t.Context(), d.String())
				if err != nil {
					t.Fatal(err)
				}
				return m.Raw
			}
			blob := func(d v1.Descriptor) []byte {
				body, err := repo.openBlob(t.Context(), d.Digest)
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				raw, err := io.ReadAll(body)
				if err != nil || sum(raw) != d.Digest || int64(len(raw)) != d.Size {
					t.Fatalf("blob %s: %v", d.Digest, err)
				}
				return raw
			}
			root, _ := v1.NewHash(r.Digest)
			var index v1.IndexManifest
			if err := json.Unmarshal(get(root), &index); err != nil || index.MediaType != types.OCIImageIndex {
				t.Fatalf("%v: %s", err, get(root))
			}
			at := slices.IndexFunc(index.Manifests, func(d v1.Descriptor) bool { return d.ArtifactType == sociType })
			if at < 1 || index.Manifests[at].Platform.String() != "linux/amd64" || index.Manifests[0].Platform.String() != "linux/amd64" {
				t.Fatalf("%s", get(root))
			}
			for _, d := range index.Manifests {
				if of := d.Annotations[attestedDigestKey]; of != "" && of != index.Manifests[0].Digest.String() {
					t.Errorf("the attestation is of %s, the image is %s", of, index.Manifests[0].Digest)
				}
			}
			var image, soci v1.Manifest
			if err := json.Unmarshal(get(index.Manifests[0].Digest), &image); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(get(index.Manifests[at].Digest), &soci); err != nil {
				t.Fatal(err)
			}
			if image.Annotations[sociIndexKey] != index.Manifests[at].Digest.String() || soci.Config.MediaType != sociType ||
				index.Manifests[at].Annotations[sociImageKey] != index.Manifests[0].Digest.String() || len(soci.Layers) != 1 ||
				soci.Layers[0].Annotations[sociLayerKey] != image.Layers[0].Digest.String() || image.Config.MediaType != types.OCIConfigJSON {
				t.Fatalf("image %+v\nsoci %+v\nindex %+v", image, soci, index)
			}
			checkTable(t, blob(soci.Layers[0]), blob(image.Layers[0]), content)
			if dir := os.Getenv("SOCI_OUT"); dir != "" { // for the published reader
				_ = os.WriteFile(filepath.Join(dir, "ztoc"), blob(soci.Layers[0]), 0o600)
				_ = os.WriteFile(filepath.Join(dir, "layer.tar.gz"), blob(image.Layers[0]), 0o600)
				_ = os.WriteFile(filepath.Join(dir, "big"), content["srv/big"], 0o600)
				_ = os.WriteFile(filepath.Join(dir, "03.txt"), content["srv/03.txt"], 0o600)
			}
			if again, plan := push(); again.Digest != r.Digest || !plan.NoChange() {
				t.Errorf("again: %s, not %s", again.Digest, r.Digest)
			}
		})
	}
}

func checkTable(t testing.TB, raw, packed []byte, content map[string][]byte) {
	t.Helper()
	z := table{flatbuffers.Table{Bytes: raw, Pos: flatbuffers.GetUOffsetT(raw)}}
	if z.text(0) != "0.9" || z.long(2) != int64(len(packed)) {
		t.Errorf("version %q of %d bytes, want %d", z.text(0), z.long(2), len(packed))
	}
	info := z.tableAt(5)
	checkpoints := []byte(info.text(3))
	found := 0
	for _, f := range z.tableAt(4).tables(0) {
		want, ok := content[f.text(0)]
		if f.text(0) == "srv/link" && (f.text(1) != "symlink" || f.text(4) != "big") {
			t.Errorf("the link is %q to %q", f.text(1), f.text(4))
		}
		if !ok {
			continue
		}
		found++
		if got := openSpan(t, packed, checkpoints, f.long(2), f.long(3)); !bytes.Equal(got, want) {
			t.Errorf("%s reads as something else", f.text(0))
		}
	}
	if found != len(content) {
		t.Errorf("%d of %d files are listed", found, len(content))
	}
	// Each span's bytes have the digest that is listed for it.
	const each = 8 + 8 + 1 + ztoc.Window
	n := int(binary.LittleEndian.Uint32(checkpoints))
	at := info.field(2)
	if info.VectorLen(at) != n || n < 4 {
		t.Fatalf("%d digests of %d spans", info.VectorLen(at), n)
	}
	for i := range n {
		from, to := binary.LittleEndian.Uint64(checkpoints[12+i*each:]), uint64(len(packed))
		if i+1 < n {
			to = binary.LittleEndian.Uint64(checkpoints[12+(i+1)*each:])
		}
		h := sha256.Sum256(packed[from:to])
		if got := string(info.ByteVector(info.Vector(at) + flatbuffers.UOffsetT(4*i))); got != "sha256:"+hex.EncodeToString(h[:]) {
			t.Errorf("span %d: %s", i, got)
		}
	}
}

// What gives no index leaves the source as it is, and says why.
func TestNotLazy(t *testing.T) {
	odd, _ := lazyTar(t, &tar.Header{Name: "x", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "git's"}})
	for name, c := range map[string]struct {
		layer []byte
		word  string
	}{
		"small":                   {imagetest.Layer(1, 3000), "no SOCI index is made"},
		"an entry of a kind":      {odd, "no SOCI index is made"},
		"not a tar":               {imagetest.Layer(1, 900_000)[2048:], "listing the layer's files"},
		"a SOCI index is there":   {nil, "has a SOCI index already"},
		"nothing but zeros in it": {make([]byte, 4<<20), "no SOCI index is made"},
	} {
		t.Run(name, func(t *testing.T) {
			layerTar, _ := lazyTar(t)
			if c.layer != nil {
				layerTar = c.layer
			}
			src, err := Open(t.Context(), saved(t, imagetest.Saved(imagetest.Image{Layers: [][]byte{layerTar}})), OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			least := int64(100_000)
			err = src.makeLazy(t.Context(), nil, least)
			if c.layer == nil && err == nil {
				err = src.makeLazy(t.Context(), nil, least)
			}
			said := strings.Join(src.Notes, "\n")
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, c.word) {
				t.Errorf("it says %q, want %q", said, c.word)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	layerTar, _ := lazyTar(t)
	src, err := Open(t.Context(), saved(t, imagetest.Saved(imagetest.Image{Layers: [][]byte{layerTar}})), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.MakeLazy(ctx, nil); err == nil {
		t.Error("a cancelled context did not stop it")
	}
}
