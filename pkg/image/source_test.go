package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

func TestOpenForms(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	dir := t.TempDir()
	write := func(name string, entries []imagetest.Entry) string {
		name = filepath.Join(dir, name)
		if err := imagetest.TarFile(name, entries); err != nil {
			t.Fatal(err)
		}
		return name
	}
	layout := filepath.Join(dir, "layout")
	if err := imagetest.Folder(layout, imagetest.Layout(img)); err != nil {
		t.Fatal(err)
	}
	gz := filepath.Join(dir, "image.tar.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := imagetest.WriteTar(z, imagetest.Saved(img)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gz, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	other := imagetest.New(2, 10_000)
	other.Tag = "other:v1"

	for _, c := range []struct {
		source string
		kind   Kind
		known  bool // whether the digest is known before compressing
		want   imagetest.Image
	}{
		{layout, Layout, true, img},
		{write("layout.tar", imagetest.Layout(img)), LayoutTar, true, img},
		{write("saved.tar", imagetest.Saved(img)), DockerSave, false, img},
		{gz, DockerSave, false, img},
		{write("saved25.tar", imagetest.SavedNew(img)), DockerSave, false, img},
		{write("two.tar", imagetest.Saved(img, other)) + "#other:v1", DockerSave, false, other},
	} {
		s, err := Open(t.Context(), c.source, OpenOptions{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(c.source), err)
			continue
		}
		_, known := s.Digest()
		if s.Kind != c.kind || known != c.known || s.ImageID() != imagetest.Digest(c.want.Config()) ||
			!slices.Equal(s.Platforms(), []string{"linux/amd64"}) {
			t.Errorf("%s: %s, digest known %v, image ID %s, platforms %q", filepath.Base(c.source), s.Kind, known, s.ImageID(), s.Platforms())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Some builders compress the layers of an archive: they are sent as they are. Others share a layer by a link.
func TestOpenUnusualArchives(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	entries := imagetest.Saved(img)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(entries[0].Content)
	z.Close()
	entries[0].Content = packed.Bytes()
	f := newFakeECR(t, "app")
	p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1"}}
	if r := p.mustRun(t); !slices.ContainsFunc(r.Blobs, func(b BlobResult) bool {
		return b.Digest == imagetest.Digest(packed.Bytes()) &&
			b.Read == 0
	}) {
		t.Errorf("a layer that is compressed already was not sent as it is: %+v", r.Blobs)
	}

	var linked bytes.Buffer
	w := tar.NewWriter(&linked)
	entries = imagetest.Saved(img)
	for i, e := range entries {
		h := &tar.Header{Name: e.Name, Mode: 0o644, Size: int64(len(e.Content)), Typeflag: tar.TypeReg}
		if i == 0 {
			h.Name = "shared/layer.tar"
		}
		w.WriteHeader(h)
		w.Write(e.Content)
	}
	w.WriteHeader(&tar.Header{Name: entries[0].Name, Typeflag: tar.TypeSymlink, Linkname: "../shared/layer.tar"})
	w.Close()
	name := filepath.Join(t.TempDir(), "linked.tar")
	os.WriteFile(name, linked.Bytes(), 0o600)
	p = &pushing{f: newFakeECR(t, "app"), repo: "app", source: name, tags: []string{"v1"}}
	p.mustRun(t)
}

// Wrong sources are told apart, with what was found where.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	archive := func(name string, entries []imagetest.Entry) string {
		var out bytes.Buffer
		if err := imagetest.WriteTar(&out, entries); err != nil {
			t.Fatal(err)
		}
		return file(name, out.Bytes())
	}
	replace := func(entries []imagetest.Entry, name string, change func([]byte) []byte) []imagetest.Entry {
		entries = slices.Clone(entries)
		for i := range entries {
			if entries[i].Name == name {
				entries[i].Content = change(entries[i].Content)
			}
		}
		return entries
	}
	without := func(entries []imagetest.Entry, name string) []imagetest.Entry {
		return slices.DeleteFunc(slices.Clone(entries), func(e imagetest.Entry) bool { return e.Name == name })
	}
	img := imagetest.New(1, 30_000, 2_000)
	save, layout := imagetest.Saved(img), imagetest.Layout(img)
	other := img
	other.Tag = "other:v2"
	var whole bytes.Buffer
	imagetest.WriteTar(&whole, save)
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	z.Write(whole.Bytes())
	z.Close()
	context := filepath.Join(dir, "context")
	os.MkdirAll(context, 0o755)
	os.WriteFile(filepath.Join(context, "Dockerfile"), []byte("FROM scratch"), 0o600)

	for _, c := range []struct{ source, words string }{
		{filepath.Join(dir, "missing.tar"), "no such file or folder"},
		{"./missing", "no such file or folder"},
		{"imagetar", "no such file or folder"},
		{"some/where:v1", "not a full registry reference"},
		{context, "not an OCI layout;it holds Dockerfile; a build context has to be built first"},
		{t.TempDir(), "not an OCI layout;it is empty"},
		{file("empty.tar", nil), "the file is empty"},
		{file("text.tar", []byte(strings.Repeat("this is not an archive\n", 100))), "no tar header at its beginning"},
		{file("zstd.tar", []byte("\x28\xb5\x2f\xfdxxxx")), "the source is damaged;unpacking zstd"},
		{file("xz.tar", []byte("\xfd7zXZ\x00xxxxxxxxxx")), "the source is damaged;unpacking xz"},
		{file("bzip2.tar", []byte("BZh91AY&SYxxxxxxxx")), "cut short;the bzip2 stream breaks off"},
		{file("cut.tar", whole.Bytes()[:20_000]), "cut short;begins at byte 512;ends at byte 20000"},
		{file("note.tar", []byte("a note, no image\n")), "not a tar archive;fewer than a tar header"},
		{file("cutlate.tar", whole.Bytes()[:35_000]), "cut short"},
		{file("cutend.tar", bytes.TrimRight(whole.Bytes(), "\x00")[:whole.Len()-2048]), "cut short"},
		{file("cut.tar.gz", gz.Bytes()[:gz.Len()/2]), "cut short;gzip stream breaks off"},
		{archive("nothing.tar", []imagetest.Entry{{Name: "README", Content: []byte("x")}}), "not an image;it holds README"},
		{archive("json.tar", replace(save, "manifest.json", func(b []byte) []byte { return append(b[:20:20], "{{{"...) })),
			"manifest.json;broken JSON at byte"},
		{archive("object.tar", replace(save, "manifest.json", func([]byte) []byte { return []byte(`{"schemaVersion":2}`) })), "skopeo's dir: form"},
		{archive("type.tar", replace(save, "manifest.json", func([]byte) []byte { return []byte(`[{"Config":7}]`) })), "manifest.json;number where a string belongs"},
		{archive("none.tar", replace(save, "manifest.json", func([]byte) []byte { return []byte(`[]`) })), "lists no images"},
		{archive("layerless.tar", without(save, save[0].Name)), "layer 1 of 2;does not exist"},
		{archive("configless.tar", without(save, save[2].Name)), "configuration;does not exist"},
		{archive("count.tar", replace(save, save[2].Name, func([]byte) []byte { return []byte(`{"rootfs":{"diff_ids":[]}}`) })), "lists 2 layers;counts 0"},
		{archive("badconfig.tar", replace(save, save[2].Name, func([]byte) []byte { return nil })),
			"configuration;it is empty, and should be JSON"},
		{archive("index.tar", replace(layout, "index.json", func(b []byte) []byte { return b[:len(b)-3] })), "index.json;broken JSON at byte"},
		{archive("blobless.tar", without(layout, layout[1].Name)), "layer 1 of 2;it is not there"},
		{archive("size.tar", replace(layout, layout[1].Name, func(b []byte) []byte { return b[:len(b)-1] })), "damaged;its descriptor says"},
		{archive("config.tar", replace(layout, layout[0].Name,
			func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("amd64"), []byte("AMD64")) })),
			"configuration;damaged;hashes to"},
		{archive("manifest.tar", replace(layout, layout[3].Name,
			func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("config"), []byte("CONFIG")) })),
			"manifest;damaged;hashes to"},
		{archive("two.tar", imagetest.Saved(img, other)), "lists 2 images: app:v1, other:v2;PATH#NAME"},
		{archive("two2.tar", imagetest.Saved(img, other)) + "#third:v1", "no image is named;app:v1, other:v2"},
	} {
		s, err := Open(t.Context(), c.source, OpenOptions{})
		if err == nil {
			s.Close()
			t.Errorf("%s was taken", filepath.Base(c.source))
			continue
		}
		for _, word := range strings.Split(c.words, ";") {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v\n\twant it to say %q", filepath.Base(c.source), err, word)
			}
		}
	}
}

// What only reading the layers can show stops the push before a manifest is stored.
func TestPushRefusesDamagedContent(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	for form, entries := range map[string][]imagetest.Entry{"docker save": imagetest.Saved(img), "layout": imagetest.Layout(img)} {
		for i := range entries {
			if len(entries[i].Content) > 5_000 {
				entries[i].Content = slices.Clone(entries[i].Content)
				entries[i].Content[4_000] ^= 0xff
			}
		}
		f := newFakeECR(t, "app")
		p := &pushing{f: f, repo: "app", source: saved(t, entries), tags: []string{"v1"}}
		if _, err := p.run(t); !errors.Is(err, errDamaged) {
			t.Errorf("%s with a flipped bit: %v", form, err)
		}
		if p.at("v1") != "" || len(f.pushed["app"]) > 0 {
			t.Errorf("%s: a manifest was stored", form)
		}
	}
}

// docker save of a multi-platform image holds the images that the machine has alone.
func TestOpenIncompleteIndex(t *testing.T) {
	a, b := imagetest.New(1, 30_000), imagetest.New(2, 20_000)
	a.Architecture, b.Architecture = "amd64", "arm64"
	entries, _ := imagetest.Index(a, b)
	missing := imagetest.Layout(b)
	entries = slices.DeleteFunc(entries, func(e imagetest.Entry) bool { return e.Name == missing[1].Name })
	s, err := Open(t.Context(), saved(t, entries), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !slices.Equal(s.Platforms(), []string{"linux/amd64"}) || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "linux/arm64") {
		t.Errorf("took %q with notes %q; want the one image that is there, and that said", s.Platforms(), s.Notes)
	}
	if _, err := Open(t.Context(), saved(t, entries), OpenOptions{Platform: "linux/arm64"}); !errors.Is(err, errMissing) {
		t.Errorf("asking for the missing platform: %v", err)
	}
	if _, err := Open(t.Context(), saved(t, entries), OpenOptions{Platform: "linux/s390x"}); err == nil ||
		!strings.Contains(err.Error(), "linux/arm64") {
		t.Errorf("asking for an unknown platform: %v; want the known ones named", err)
	}
}

func TestOpenDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	img := imagetest.New(1, 300_000)
	cut := false
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/images/team/app:v1/json":
			io.WriteString(w, "{}")
		case "/images/team/app:v1/get":
			if cut {
				w.Header().Set("Content-Length", "999999999")
			}
			imagetest.WriteTar(w, imagetest.SavedNew(img))
		default:
			w.WriteHeader(404)
			io.WriteString(w, `{"message":"No such image: nope"}`)
		}
	})}
	go server.Serve(listener)
	defer server.Close()
	o := OpenOptions{DaemonHost: "unix://" + socket}
	s, err := Open(t.Context(), "docker://team/app:v1", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Kind != Daemon || s.ImageID() != imagetest.Digest(img.Config()) {
		t.Errorf("%s, image %s", s.Kind, s.ImageID())
	}
	if _, err := Open(t.Context(), "docker://nope", o); err == nil || !strings.Contains(err.Error(), `no image "nope"`) {
		t.Errorf("an unknown image: %v", err)
	}
	cut = true
	if _, err := Open(t.Context(), "docker://team/app:v1", o); err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("an export that breaks off: %v", err)
	}
	if _, err := Open(t.Context(), "docker://x", OpenOptions{DaemonHost: "unix://" + socket + ".not"}); err == nil ||
		!strings.Contains(err.Error(), "the Docker engine at unix:") {
		t.Errorf("no daemon: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	img := imagetest.New(1, 3_000)
	for _, entries := range [][]imagetest.Entry{imagetest.Saved(img), imagetest.SavedNew(img), imagetest.Layout(img)} {
		var out bytes.Buffer
		imagetest.WriteTar(&out, entries)
		f.Add(out.Bytes())
		f.Add(out.Bytes()[:out.Len()/2])
	}
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	for _, content := range theirArchives(f) {
		if len(content) < 8_000 { // large ones would slow it down
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		readInPlace(t, content)
		name := filepath.Join(t.TempDir(), "image.tar")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(t.Context(), name, OpenOptions{}); err == nil {
			s.Close() // any content may be refused; none may panic or leave a source without image
			if s.root == nil {
				t.Error("a source without an image")
			}
		}
	})
}
