package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// counted counts how often manifests are read.
type counted struct {
	contents
	reads int
}

func (c *counted) manifest(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	c.reads++
	return c.contents.manifest(ctx, d)
}

// nest wraps an image into indexes: floors of them, each of which names the one below twice.
func nest(t *testing.T, folder string, floors int) (root v1.Descriptor) {
	t.Helper()
	put := func(raw []byte) v1.Hash {
		h := sum(raw)
		name := filepath.Join(folder, "blobs", h.Algorithm, h.Hex)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, raw, 0o600)); err != nil {
			t.Fatal(err)
		}
		return h
	}
	config := []byte(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}`)
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"size":%d,"digest":%q},"layers":[]}`,
		types.OCIManifestSchema1, types.OCIConfigJSON, len(config), put(config))
	root = v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: put(manifest), Size: int64(len(manifest))}
	for range floors {
		entry, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		index := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[%s,%s]}`, types.OCIImageIndex, entry, entry)
		root = v1.Descriptor{MediaType: types.OCIImageIndex, Digest: put(index), Size: int64(len(index))}
	}
	return root
}

// A child that is named many times is read once; indexes without end are refused.
func TestNestedIndexes(t *testing.T) {
	for floors, refused := range map[int]bool{0: false, 1: false, 7: false, 8: false, 9: true, 18: true} {
		dir := t.TempDir()
		descriptor := nest(t, dir, floors)
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var files files = folder{root}
		from := &counted{contents: layoutContents{files}}
		r := reader{from: from, notes: new([]string)}
		n, err := r.node(t.Context(), descriptor, "")
		if errors.Is(err, errHostile) != refused || (err != nil) != refused || refused != Hopeless(err) {
			t.Errorf("%d floors: %v", floors, err)
			continue
		}
		if from.reads > floors+1 {
			t.Errorf("%d floors: %d manifests were read", floors, from.reads)
		}
		if refused {
			continue
		}
		visited := 0
		n.walk(func(*node) { visited++ })
		if visited != floors+1 {
			t.Errorf("%d floors: %d manifests would be pushed", floors, visited)
		}
	}
}

// An index may name more manifests than anybody's image has.
func TestTooManyManifests(t *testing.T) {
	folder := t.TempDir()
	var entries []string
	for i := range mostManifests + 1 {
		raw := fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[],"annotations":{"n":"%d"}}`, i)
		h := sum(raw)
		name := filepath.Join(folder, "blobs", h.Algorithm, h.Hex)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, raw, 0o600)); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, types.OCIImageIndex, h, len(raw)))
	}
	index := fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[%s]}`, strings.Join(entries, ","))
	h := sum(index)
	if err := os.WriteFile(filepath.Join(folder, "blobs", h.Algorithm, h.Hex), index, 0o600); err != nil {
		t.Fatal(err)
	}
	layout := fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, types.OCIImageIndex, h, len(index))
	if err := os.WriteFile(filepath.Join(folder, "index.json"), layout, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), folder, OpenOptions{}); !errors.Is(err, errHostile) {
		t.Errorf("%d manifests: %v", mostManifests+1, err)
	}
}

// A named pipe in a layout is not waited for.
func TestNamedPipe(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, "index.json"), 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Open(t.Context(), folder, OpenOptions{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

// What unpacks beyond all measure stops there, and says so in numbers.
func TestUnpackStops(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.CopyN(z, zeros{}, 3<<20); err != nil {
		t.Fatal(err)
	}
	z.Close()
	for limit, refused := range map[int64]bool{1 << 20: true, 3<<20 - 1: true, 3 << 20: false, 4 << 20: false} {
		var to bytes.Buffer
		err := unpack(&to, bytes.NewReader(packed.Bytes()), gzipped, int64(packed.Len()), limit)
		if errors.Is(err, errHostile) != refused || (err != nil) != refused || int64(to.Len()) > limit+1 {
			t.Errorf("at most %d: %v after %d bytes", limit, err, to.Len())
		}
	}
	for size, want := range map[int64]int64{0: mostUnpacked, 1 << 20: mostUnpacked, 1 << 30: 200 << 30} {
		if got := most(size); got != want {
			t.Errorf("an archive of %d bytes may unpack to %d, want %d", size, got, want)
		}
	}
}

// An archive may be packed by any of the programs that people use.
func TestPackedArchives(t *testing.T) {
	img := imagetest.New(1, 30_000, 2_000)
	var whole bytes.Buffer
	if err := imagetest.WriteTar(&whole, imagetest.Layout(img)); err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, program := range []string{"cat", "gzip", "bzip2"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("%s is not installed: not tried", program)
			continue
		}
		cmd := exec.Command(program)
		if program != "cat" {
			cmd.Args = append(cmd.Args, "-c")
		}
		cmd.Stdin = bytes.NewReader(whole.Bytes())
		packed, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		name := filepath.Join(t.TempDir(), "image.tar")
		if err := os.WriteFile(name, packed, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), name, OpenOptions{})
		if err != nil {
			t.Errorf("%s: %v", program, err)
			continue
		}
		digest, _ := s.Digest()
		s.Close()
		if want == "" {
			want = digest
		}
		if digest != want {
			t.Errorf("%s: %s, want %s", program, digest, want)
		}
		if program == "cat" {
			continue
		}
		if err := os.WriteFile(name, packed[:len(packed)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(t.Context(), name, OpenOptions{}); err == nil || !Hopeless(err) {
			s.Close()
			t.Errorf("%s, cut short: %v", program, err)
		}
	}
}

// Some tools list the platforms' manifests in index.json itself, and beside the image what refers to it.
func TestFlatLayout(t *testing.T) {
	folder := t.TempDir()
	put := func(raw []byte) (v1.Hash, int) {
		h := sum(raw)
		name := filepath.Join(folder, "blobs", h.Algorithm, h.Hex)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, raw, 0o600)); err != nil {
			t.Fatal(err)
		}
		return h, len(raw)
	}
	entry := func(arch, more string) string {
		config := fmt.Appendf(nil, `{"os":"linux","architecture":%q,"rootfs":{"type":"layers","diff_ids":[]}}`, arch)
		c, n := put(config)
		m, size := put(fmt.Appendf(nil, `{"schemaVersion":2,"config":{"mediaType":%q,"size":%d,"digest":%q},"layers":[]%s}`,
			types.OCIConfigJSON, n, c, more))
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":%q}}`,
			types.OCIManifestSchema1, m, size, arch)
	}
	referrer := func(subject string) string {
		m, size := put(fmt.Appendf(nil, `{"schemaVersion":2,"artifactType":"application/x","subject":{"digest":%q,"size":2,"mediaType":%q},"config":%s,"layers":[]}`,
			subject, types.OCIManifestSchema1, `{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"`+string(empty(put))+`"}`))
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, types.OCIManifestSchema1, m, size)
	}
	amd, arm := entry("amd64", ""), entry("arm64", "")
	var first v1.Descriptor
	if err := json.Unmarshal([]byte(amd), &first); err != nil {
		t.Fatal(err)
	}
	signature := referrer(first.Digest.String())
	for _, tt := range []struct {
		name, platform string
		entries        []string
		platforms      string // of what is taken
		err            string
	}{
		{"two platforms", "", []string{amd, arm}, "linux/amd64 linux/arm64", ""},
		{"one of two platforms", "linux/arm64", []string{amd, arm}, "linux/arm64", ""},
		{"a platform that is not there", "linux/s390x", []string{amd, arm}, "", "no image for linux/s390x"},
		{"an image and its signature", "", []string{amd, signature}, "linux/amd64", ""},
		{"two platforms and a signature", "", []string{amd, signature, arm}, "linux/amd64 linux/arm64", ""},
		{"two images of one platform", "", []string{amd, entry("amd64", `,"annotations":{"a":"b"}`)}, "", "lists 2 images"},
		{"a signature alone", "", []string{signature}, "", ""},
	} {
		index := `{"schemaVersion":2,"manifests":[` + strings.Join(tt.entries, ",") + `]}`
		if err := os.WriteFile(filepath.Join(folder, "index.json"), []byte(index), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), folder, OpenOptions{Platform: tt.platform})
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil {
			continue
		}
		if got := strings.Join(s.Platforms(), " "); got != tt.platforms {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.platforms)
		}
		if digest, ok := s.Digest(); !ok || len(s.root.children) > 0 && digest != sum(s.root.raw).String() {
			t.Errorf("%s: digest %s of %s", tt.name, digest, s.root.raw)
		}
		s.Close()
	}
}

func empty(put func([]byte) (v1.Hash, int)) []byte {
	h, _ := put([]byte("{}"))
	return []byte(h.String())
}

// A registry that sends a request in a circle, out of the web or out of TLS is not asked again and again.
func TestFollow(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		before   int
		refused  string
	}{
		{"https://r/v2/", "https://s3.example/x", 1, ""},
		{"http://r/v2/", "http://s3.example/x", 1, ""},
		{"http://r/v2/", "https://s3.example/x", 1, ""},
		{"https://r/v2/", "http://s3.example/x?secret=1", 1, "http://s3.example/x is not encrypted"},
		{"https://r/v2/", "file:///etc/passwd", 1, "file:///etc/passwd is not an address"},
		{"https://r/v2/", "https:///x", 1, "is not an address"},
		{"https://r/v2/", "https://r/v2/", mostRedirects, ""},
		{"https://r/v2/", "https://r/v2/", mostRedirects + 1, "in a circle"},
	} {
		request := func(address string) *http.Request {
			req, err := http.NewRequest(http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			return req
		}
		var via []*http.Request
		for range tt.before {
			via = append(via, request(tt.from))
		}
		err := follow(request(tt.to), via)
		_, again := after(err, 1)
		switch {
		case (err == nil) != (tt.refused == ""), err != nil && !strings.Contains(err.Error(), tt.refused):
			t.Errorf("%s to %s: %v, want %q", tt.from, tt.to, err, tt.refused)
		case err != nil && (again || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s to %s is tried again, or shows its query: %v", tt.from, tt.to, err)
		}
	}
}

// Through a client, the redirect is refused with the first answer.
func TestCircleEndsAtOnce(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	_, err := Open(t.Context(), host+"/app:v1", OpenOptions{Registries: &Registries{}})
	if err == nil || !strings.Contains(err.Error(), "in a circle") || asked > mostRedirects+2 {
		t.Errorf("%d requests: %v", asked, err)
	}
}

// People copy an address from a browser.
func TestAddresses(t *testing.T) {
	const uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/app"
	for _, address := range []string{"https://" + uri, "http://" + uri + "/", "HTTPS://" + uri} {
		if _, err := ParseRepositoryName(address); err == nil || !strings.Contains(err.Error(), "as "+uri) {
			t.Errorf("repository %s: %v", address, err)
		}
		if _, err := ParseReference(address + ":v1"); err == nil || !strings.Contains(err.Error(), "is an address") {
			t.Errorf("image %s: %v", address, err)
		}
	}
	if got, err := ParseRepositoryName(uri); err != nil || got.Name != "app" {
		t.Errorf("%+v, %v", got, err)
	}
}
