package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// isLayer says whether a file of the forms below is a layer.
func isLayer(e imagetest.Entry) bool {
	return !bytes.HasPrefix(e.Content, []byte("{")) && !bytes.HasPrefix(e.Content, []byte("["))
}

// repacked returns the files of docker save with their layers compressed, as builders other than Docker write them.
func repacked(entries []imagetest.Entry, pack func([]byte) []byte) []imagetest.Entry {
	entries = slices.Clone(entries)
	for i, e := range entries {
		if isLayer(e) {
			entries[i].Content = pack(e.Content)
		}
	}
	return entries
}

func gzipOf(content []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(content)
	_ = z.Close()
	return out.Bytes()
}

func zstdOf(content []byte) []byte {
	z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	return z.EncodeAll(content, nil)
}

// flatLayout returns the files of a layout whose index.json lists the images of several platforms.
func flatLayout(images ...imagetest.Image) (entries []imagetest.Entry) {
	var list []any
	for _, img := range images {
		for _, e := range imagetest.Layout(img) {
			if e.Name != "index.json" {
				entries = append(entries, e)
				continue
			}
			var index struct{ Manifests []map[string]any }
			_ = json.Unmarshal(e.Content, &index)
			index.Manifests[0]["platform"] = map[string]string{"os": "linux", "architecture": img.Architecture}
			list = append(list, index.Manifests[0])
		}
	}
	raw, _ := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": list})
	return append(entries, imagetest.Entry{Name: "index.json", Content: raw})
}

// imageForms are the forms in which an image lies in files, each of the same two layers.
func imageForms() map[string][]imagetest.Entry {
	amd, arm := imagetest.New(1, 3_000, 2_000), imagetest.New(2, 2_500)
	amd.Architecture, arm.Architecture = "amd64", "arm64"
	index, _ := imagetest.Index(amd, arm)
	return map[string][]imagetest.Entry{
		"docker save":              imagetest.Saved(amd),
		"docker save, gzip layers": repacked(imagetest.Saved(amd), gzipOf),
		"docker save, zstd layers": repacked(imagetest.Saved(amd), zstdOf),
		"docker save of today":     imagetest.SavedNew(amd),
		"OCI":                      imagetest.Layout(amd),
		"OCI index":                index,
		"flat index":               flatLayout(amd, arm),
	}
}

// damages are what may have happened to the files of an image. Each takes the files of an image for amd64, and returns nil where it
// cannot happen to a form; name is the file that the error has to name.
var damages = map[string]func([]imagetest.Entry) (damaged []imagetest.Entry, name string){
	"a flipped bit in a layer":        onLayer(func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b }),
	"a flipped bit at a layer's end":  onLayer(func(b []byte) []byte { b[len(b)-1] ^= 0x01; return b }),
	"a layer that is cut":             onLayer(func(b []byte) []byte { return b[:len(b)*2/3] }),
	"a layer without its last byte":   onLayer(func(b []byte) []byte { return b[:len(b)-1] }),
	"an empty layer":                  onLayer(func([]byte) []byte { return nil }),
	"a layer that goes on":            onLayer(func(b []byte) []byte { return append(b, "garbage"...) }),
	"a layer that goes on with zeros": onLayer(func(b []byte) []byte { return append(b, make([]byte, 512)...) }),
	"a layer that is not there":       without(isLayer),
	"two layers swapped": func(entries []imagetest.Entry) ([]imagetest.Entry, string) {
		i := slices.IndexFunc(entries, isLayer)
		j := i + 1 + slices.IndexFunc(entries[i+1:], isLayer)
		entries[i].Content, entries[j].Content = entries[j].Content, entries[i].Content
		return entries, entries[i].Name
	},
	"a flipped bit in the configuration": onFile(isConfig, func(b []byte) []byte {
		return bytes.Replace(b, []byte("amd64"), []byte("Amd64"), 1)
	}),
	"a configuration that is cut":       onFile(isConfig, func(b []byte) []byte { return b[:len(b)-1] }),
	"a configuration that is not there": without(isConfig),
	"a flipped bit in the manifest": onFile(isManifest, func(b []byte) []byte {
		if bytes.Contains(b, []byte("layer.tar")) {
			return bytes.Replace(b, []byte("layer.tar"), []byte("Layer.tar"), 1)
		}
		return bytes.Replace(b, []byte(`"size"`), []byte(`"Size"`), 1)
	}),
	"a manifest that is cut":       onFile(isManifest, func(b []byte) []byte { return b[:len(b)-1] }),
	"a manifest that is not there": without(isManifest),
}

func isConfig(e imagetest.Entry) bool { return bytes.Contains(e.Content, []byte(`"diff_ids"`)) }

// isManifest is the manifest of a layout, or the list of an archive that has none.
func isManifest(e imagetest.Entry) bool {
	return bytes.HasPrefix(e.Content, []byte("{")) && bytes.Contains(e.Content, []byte(`"layers"`)) && !isConfig(e) ||
		bytes.Contains(e.Content, []byte("/layer.tar"))
}

func onFile(which func(imagetest.Entry) bool, change func([]byte) []byte) func([]imagetest.Entry) ([]imagetest.Entry, string) {
	return func(entries []imagetest.Entry) ([]imagetest.Entry, string) {
		i := slices.IndexFunc(entries, which)
		entries[i].Content = change(bytes.Clone(entries[i].Content))
		return entries, entries[i].Name
	}
}

func onLayer(change func([]byte) []byte) func([]imagetest.Entry) ([]imagetest.Entry, string) {
	return onFile(isLayer, change)
}

func without(which func(imagetest.Entry) bool) func([]imagetest.Entry) ([]imagetest.Entry, string) {
	return func(entries []imagetest.Entry) ([]imagetest.Entry, string) {
		i := slices.IndexFunc(entries, which)
		return slices.Delete(entries, i, i+1), entries[i].Name
	}
}

// watched is a push that tells which uploads were closed, and what became of it.
type watched struct {
	*pushing
	mu     sync.Mutex
	closed map[string]bool // digests
}

func watch(t *testing.T, source string) *watched {
	t.Helper()
	w := &watched{pushing: &pushing{f: newFakeECR(t, "app"), repo: "app", source: source, tags: []string{"v1"}}, closed: map[string]bool{}}
	w.f.setFault(func(r *http.Request) *http.Response {
		if digest := r.URL.Query().Get("digest"); r.Method == http.MethodPut && digest != "" {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.closed[digest] = true
		}
		return nil
	})
	return w
}

// refused fails unless the push of the source ends for what the source holds, in words that name a file, without a manifest or a tag,
// and without an upload of the damaged content.
func (w *watched) refused(t *testing.T, name string, damaged []byte) {
	t.Helper()
	w.f.mu.Lock()
	before := len(w.f.pushed["app"])
	w.f.mu.Unlock()
	at := w.at("v1")
	_, err := w.run(t)
	if err == nil || !Hopeless(err) && !errors.Is(err, errMissing) && !errors.Is(err, os.ErrNotExist) &&
		!strings.Contains(err.Error(), "JSON") && !strings.Contains(err.Error(), "not an image") {
		t.Errorf("it was not refused: %v", err)
		return
	}
	w.f.mu.Lock()
	after := len(w.f.pushed["app"])
	w.f.mu.Unlock()
	if w.at("v1") != at || after != before {
		t.Errorf("a manifest was stored: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if damaged != nil && w.closed[imagetest.Digest(damaged)] {
		t.Errorf("the damaged content was stored: %v", err)
	}
	if !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), w.source) {
		t.Errorf("%v\n\twant it to name %s", err, name)
	}
}

// Whatever form an image lies in and whatever is damaged of it: nothing damaged is stored and no tag moves.
func TestDamage(t *testing.T) {
	name := filepath.Join(t.TempDir(), "image.tar")
	written := func(entries []imagetest.Entry) string {
		if err := imagetest.TarFile(name, entries); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for form, whole := range imageForms() {
		w := watch(t, written(whole))
		if r := w.mustRun(t); w.at("v1") != r.Digest {
			t.Fatalf("%s, not damaged: %+v", form, r)
		}
		for what, damage := range damages {
			entries, name := damage(slices.Clone(whole))
			if strings.HasSuffix(form, "index") && strings.Contains(what, "not there") {
				continue // of an index, the images that are there are taken: see TestOpenIncompleteIndex
			}
			if i := strings.LastIndexByte(name, '/'); strings.HasPrefix(name, "blobs/") {
				name = name[i+1:]
			}
			var content []byte
			if i := slices.IndexFunc(entries, func(e imagetest.Entry) bool { return strings.HasSuffix(e.Name, name) }); i >= 0 {
				content = entries[i].Content
			}
			t.Run(form+", "+what, func(t *testing.T) { watch(t, written(entries)).refused(t, name, content) })
			if form != "OCI" {
				continue
			}
			t.Run("OCI in a folder, "+what, func(t *testing.T) {
				folder := t.TempDir()
				if err := imagetest.Folder(folder, entries); err != nil {
					t.Fatal(err)
				}
				watch(t, folder).refused(t, name, content)
			})
		}
	}
}

// packers pack an archive as people do.
func packers(t *testing.T) map[string]func([]byte) []byte {
	all := map[string]func([]byte) []byte{"gzip": gzipOf, "zstd": zstdOf}
	for _, program := range []string{"bzip2", "xz"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("%s is not installed: not tried", program)
			continue
		}
		all[program] = func(content []byte) []byte {
			cmd := exec.Command(program, "-c", "-1")
			cmd.Stdin = bytes.NewReader(content)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v", program, err)
			}
			return packed
		}
	}
	return all
}

// The same within an archive that is packed, and where the packed archive itself is damaged.
func TestPackedDamage(t *testing.T) {
	tarOf := func(entries []imagetest.Entry) []byte {
		var out bytes.Buffer
		if err := imagetest.WriteTar(&out, entries); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	folder := t.TempDir()
	write := func(content []byte) string {
		name := filepath.Join(folder, "image.tar")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	all := packers(t)
	forms := imageForms()
	for _, form := range []string{"docker save, gzip layers", "OCI", "flat index"} { // once unpacked, they are as TestDamage has them all
		whole := forms[form]
		plain := watch(t, saved(t, whole)).mustRun(t).Digest
		damaged, name := damages["a flipped bit in a layer"](slices.Clone(whole))
		name = strings.TrimPrefix(name, "blobs/sha256/")
		for program, pack := range all {
			t.Run(form+" in "+program, func(t *testing.T) {
				packed := pack(tarOf(whole))
				if got := watch(t, write(packed)).mustRun(t).Digest; got != plain {
					t.Errorf("it is %s, and %s without %s", got, plain, program)
				}
				watch(t, write(pack(tarOf(damaged)))).refused(t, name, nil)
				flipped := bytes.Clone(packed)
				flipped[len(flipped)/2] ^= 0x10
				watch(t, write(flipped)).refused(t, "image.tar", nil)
				watch(t, write(packed[:len(packed)-1])).refused(t, "image.tar", nil)
			})
		}
	}
}

// What the configuration of an archive says of a layer that is compressed is held against what the layer unpacks to.
func TestSavedLayersAreProven(t *testing.T) {
	img := imagetest.New(1, 3_000, 2_000)
	first := img.Layers[0]
	for _, tt := range []struct {
		name  string
		layer []byte // the first, as it is stored
		taken bool
	}{
		{"gzip", gzipOf(first), true},
		{"gzip of several members", slices.Concat(gzipOf(first[:700]), gzipOf(nil), gzipOf(first[700:])), true},
		{"zstd", zstdOf(first), true},
		{"zstd of several frames", slices.Concat(zstdOf(first[:700]), zstdOf(first[700:])), true},
		{"zstd with a frame to skip", slices.Concat([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), zstdOf(first)), false}, // no reader knows it
		{"zstd with a frame to skip at its end", slices.Concat(zstdOf(first), []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc")), true},
		{"gzip of another content", gzipOf(img.Layers[1]), false},
		{"gzip of nothing", gzipOf(nil), false},
		{"zstd of another content", zstdOf(img.Layers[1]), false},
		{"gzip of less", gzipOf(first[:len(first)-1]), false},
		{"gzip of more", gzipOf(append(bytes.Clone(first), 0)), false},
		{"gzip and a member more", slices.Concat(gzipOf(first), gzipOf([]byte("x"))), false},
		{"gzip and garbage", append(gzipOf(first), "garbage"...), false},
		{"a gzip header alone", gzipOf(first)[:10], false},
		{"gzip without its checksum", gzipOf(first)[:len(gzipOf(first))-8], false},
		{"zstd and garbage", append(zstdOf(first), "garbage"...), false},
		{"zstd, cut", zstdOf(first)[:1_000], false},
	} {
		entries := imagetest.Saved(img)
		entries[0].Content = tt.layer
		w := watch(t, saved(t, entries))
		if !tt.taken {
			t.Run(tt.name, func(t *testing.T) { w.refused(t, entries[0].Name, tt.layer) })
			continue
		}
		if r := w.mustRun(t); !w.closed[imagetest.Digest(tt.layer)] || w.at("v1") != r.Digest {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

// savedWith returns an archive whose configuration is what another tool, or nobody, would write.
func savedWith(img imagetest.Image, layers []string, diffIDs ...string) []imagetest.Entry {
	config, _ := json.Marshal(map[string]any{"os": "linux", "architecture": "amd64",
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}})
	list, _ := json.Marshal([]any{map[string]any{"Config": "config.json", "Layers": layers}})
	return []imagetest.Entry{{Name: "0.tar.gz", Content: gzipOf(img.Layers[0])}, {Name: "1.tar.gz", Content: gzipOf(img.Layers[1])},
		{Name: "config.json", Content: config}, {Name: "manifest.json", Content: list}}
}

// The configuration of an archive and its list of layers have to agree.
func TestSavedConfiguration(t *testing.T) {
	img := imagetest.New(1, 3_000, 2_000)
	zero, one := imagetest.Digest(img.Layers[0]), imagetest.Digest(img.Layers[1])
	both := []string{"0.tar.gz", "1.tar.gz"}
	for _, tt := range []struct {
		name    string
		entries []imagetest.Entry
		words   string // "" where it is taken
	}{
		{"as it should be", savedWith(img, both, zero, one), ""},
		{"a layer twice", savedWith(img, []string{"0.tar.gz", "1.tar.gz", "0.tar.gz"}, zero, one, zero), ""},
		{"one too few", savedWith(img, both, zero), "lists 2 layers, the configuration config.json counts 1"},
		{"one too many", savedWith(img, both, zero, one, one), "lists 2 layers, the configuration config.json counts 3"},
		{"the wrong order", savedWith(img, both, one, zero), ".tar.gz"},
		{"one file of two contents", savedWith(img, []string{"0.tar.gz", "0.tar.gz"}, zero, one), "are the same file"},
		{"another algorithm", savedWith(img, both, zero, "sha512:"+strings.Repeat("0", 128)), "(1.tar.gz) by another algorithm than sha256"},
		{"not a digest", savedWith(img, both, zero, "one"), "configuration config.json"},
	} {
		w := watch(t, saved(t, tt.entries))
		_, err := w.run(t)
		if (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) || (w.at("v1") != "") != (err == nil) {
			t.Errorf("%s: %v, v1 at %q", tt.name, err, w.at("v1"))
		}
	}
	for name, want := range map[string]bool{
		"x/" + zero[7:]: false, zero: false, zero[7:] + ".json": false, "config.json": true, "": true, "abc.json": true, zero[8:] + ".json": true,
		imagetest.Digest([]byte("{}"))[7:] + ".json": true, imagetest.Digest([]byte("{}")): true,
	} {
		if namedBy(name, []byte("{}")) != want {
			t.Errorf("a configuration %q: %v", name, !want)
		}
	}
}

// Of an image whose blobs are what their digests say, the layers are unpacked only where they are compressed anew. How many they are is
// looked at always.
func TestLayoutConfiguration(t *testing.T) {
	img := imagetest.New(1, 3_000, 2_000)
	lies := img
	lies.Layers = []([]byte){img.Layers[0], imagetest.Layer(9, 100)} // the second is not what is stored
	layout := func(config imagetest.Image) []imagetest.Entry {
		var entries []imagetest.Entry
		old, now := img.Config(), config.Config()
		for _, e := range imagetest.Layout(img) {
			if bytes.Equal(e.Content, old) {
				e.Content = now
			}
			entries = append(entries, e)
		}
		return redigested(entries, old, now)
	}
	few := img
	few.Layers = img.Layers[:1]
	for _, tt := range []struct {
		name  string
		from  []imagetest.Entry
		codec Codec
		soci  bool
		words string
	}{
		{"as it should be", layout(img), "", false, ""},
		{"as it should be, in another codec", layout(img), Zstd, false, ""},
		{"another content", layout(lies), "", false, ""}, // as crane does
		{"another content, in the same codec", layout(lies), Gzip, false, ""},
		{"another content, in another codec", layout(lies), Zstd, false, "uncompressed bytes hash to"},
		{"another content, made lazy", layout(lies), "", true, "uncompressed bytes hash to"},
		{"too few", layout(few), "", false, "counts 1 layers, the manifest 2"},
	} {
		w := watch(t, saved(t, tt.from))
		src, err := Open(t.Context(), w.source, OpenOptions{})
		if err == nil && tt.soci {
			err = src.makeLazy(t.Context(), nil, 1)
		}
		if err == nil && !tt.soci {
			w.codec = tt.codec
			_, err = w.run(t)
		}
		src.Close()
		if (err == nil) != (tt.words == "") ||
			err != nil && (!strings.Contains(err.Error(), tt.words) || !Hopeless(err) || w.at("v1") != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// redigested returns a layout in which one blob was replaced by another, and everything that names it names that.
func redigested(entries []imagetest.Entry, old, now []byte) []imagetest.Entry {
	for !bytes.Equal(old, now) {
		was, is := imagetest.Digest(old)[7:], imagetest.Digest(now)[7:]
		var oldParent, newParent []byte
		for i, e := range entries {
			entries[i].Name = strings.Replace(e.Name, was, is, 1)
			if bytes.HasPrefix(e.Content, []byte("{")) && bytes.Contains(e.Content, []byte(was)) {
				var fields map[string]any
				_ = json.Unmarshal(e.Content, &fields)
				visit(fields, was, is, len(now))
				entries[i].Content, _ = json.Marshal(fields)
				if strings.HasPrefix(e.Name, "blobs/") {
					oldParent, newParent = e.Content, entries[i].Content
				}
			}
		}
		old, now = oldParent, newParent
	}
	return entries
}

func visit(value any, was, is string, size int) {
	switch v := value.(type) {
	case map[string]any:
		if v["digest"] == "sha256:"+was {
			v["digest"], v["size"] = "sha256:"+is, size
		}
		for _, below := range v {
			visit(below, was, is, size)
		}
	case []any:
		for _, below := range v {
			visit(below, was, is, size)
		}
	}
}

// A layer that the repository has is proven as well, unless an image there pairs it with what the configuration names.
func TestWhatIsThereIsProven(t *testing.T) {
	img := imagetest.New(1, 3_000, 2_000, 1_000)
	f := newFakeECR(t, "app")
	first := &pushing{f: f, repo: "app", source: saved(t, repacked(imagetest.Saved(img), gzipOf)), tags: []string{"v1"}}
	first.mustRun(t)

	more := img
	more.Layers = append(slices.Clone(img.Layers), imagetest.Layer(7, 500))
	good := &pushing{f: f, repo: "app", source: saved(t, repacked(imagetest.Saved(more), gzipOf)), tags: []string{"v2", "v1"}}
	plan, err := good.plan(t, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range plan.Source.root.layers {
		next := plan.Source.root.layers[(i+1)%len(more.Layers)]
		if got, want := plan.seen.pairs(t.Context(), l.Digest, l.diffID), i < len(img.Layers); got != want {
			t.Errorf("layer %d is known: %v, want %v", i+1, got, want)
		}
		if plan.seen.pairs(t.Context(), l.Digest, next.diffID) {
			t.Errorf("layer %d is known to be what it is not", i+1)
		}
	}
	r, err := plan.Execute(t.Context())
	if err != nil || r.Reused == 0 || len(r.Blobs) != len(more.Layers)+1 {
		t.Errorf("%+v, %v", r, err)
	}

	swapped, name := damages["two layers swapped"](repacked(imagetest.Saved(img), gzipOf))
	w := &watched{pushing: &pushing{f: f, repo: "app", source: saved(t, swapped), tags: []string{"v1"}}}
	w.refused(t, name, nil)
}
