package terraform

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func newSigner(t *testing.T) (signer *openpgp.Entity, public string) {
	t.Helper()
	signer, err := openpgp.NewEntity("releases", "", "releases@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w, err := armor.Encode(&text, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return signer, text.String()
}

// zipped is an archive with an executable that answers `version -json`.
func zipped(t *testing.T, version string) []byte {
	t.Helper()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"terraform": "#!/bin/sh\necho '{\"terraform_version\":\"" + version + "\"}'\n",
		"LICENSE.txt": "a licence"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// publish makes the files of a release site that has these versions; change may spoil a file that is served.
func publish(t *testing.T, signer *openpgp.Entity, versions []string, change func(path string, content []byte) []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	put := func(path string, content []byte) {
		if change != nil {
			content = change(path, content)
		}
		if content != nil {
			files[path] = content
		}
	}
	index := map[string]any{}
	for _, v := range versions {
		folder := "/terraform/" + v + "/"
		name := fmt.Sprintf("terraform_%s_%s_%s.zip", v, runtime.GOOS, runtime.GOARCH)
		sumsName := "terraform_" + v + "_SHA256SUMS"
		archive := zipped(t, v)
		sums := fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(archive), name)
		var signature bytes.Buffer
		if err := openpgp.DetachSign(&signature, signer, bytes.NewReader(sums), nil); err != nil {
			t.Fatal(err)
		}
		release := map[string]any{
			"name": "terraform", "version": v, "shasums": sumsName, "shasums_signature": sumsName + ".sig",
			"builds": []any{map[string]any{"name": "terraform", "version": v, "os": runtime.GOOS, "arch": runtime.GOARCH, "filename": name,
				"url": folder + name}},
		}
		index[v] = release
		text, err := json.Marshal(release)
		if err != nil {
			t.Fatal(err)
		}
		put(folder+"index.json", text)
		put(folder+name, archive)
		put(folder+sumsName, sums)
		put(folder+sumsName+".sig", signature.Bytes())
	}
	text, err := json.Marshal(map[string]any{"name": "terraform", "versions": index})
	if err != nil {
		t.Fatal(err)
	}
	put("/terraform/index.json", text)
	return files
}

func TestDownloadIsVerified(t *testing.T) {
	signer, public := newSigner(t)
	_, stranger := newSigner(t)
	spoil := func(suffix string, with func([]byte) []byte) func(string, []byte) []byte {
		return func(path string, content []byte) []byte {
			if strings.HasSuffix(path, suffix) {
				return with(bytes.Clone(content))
			}
			return content
		}
	}
	for _, test := range []struct {
		name      string
		asked     string
		installed string
		earlier   string // is in the cache, as the newest of another run
		key       string // "": the signer's
		change    func(path string, content []byte) []byte
		down      bool   // nothing listens there
		want      string // version; "" is an error
		asks      bool   // whether the site is asked at all
		says      []string
	}{
		{name: "a version", asked: "1.12.1", installed: "1.11.4", want: "1.12.1", asks: true},
		{name: "the newest of a constraint", asked: "~> 1.12.0", installed: "1.11.4", want: "1.12.3", asks: true},
		{name: "no pre-release for a constraint", asked: ">= 1.13", want: "1.13.0", asks: true},
		{name: "none is installed and none asked for", want: "1.13.0", asks: true},
		{name: "an installed one will do", asked: ">= 1.11", installed: "1.11.4", want: "1.11.4"},
		{name: "an installed one will do without a network", installed: "1.11.4", down: true, want: "1.11.4"},
		{name: "no such version", asked: "1.99.0", asks: true, says: []string{"404"}},
		{name: "no version in the constraint", asked: "> 2", asks: true, says: []string{"no matching version"}},
		{name: "another archive", asked: "1.12.1", asks: true, change: spoil(".zip", func(b []byte) []byte { return append(b, 0) }),
			says: []string{"its checksum is not the signed one"}},
		{name: "another archive beside an earlier version", asked: ">= 1.13", earlier: "1.12.1", asks: true, change: spoil(".zip",
			func(b []byte) []byte { return append(b, 0) }), says: []string{"its checksum is not the signed one"}},
		{name: "other checksums", asked: "1.12.1", asks: true, change: spoil("_SHA256SUMS", func(b []byte) []byte { b[0] ^= 1; return b }),
			says: []string{"unable to verify checksums signature"}},
		{name: "checksums without the archive", asked: "1.12.1", asks: true, change: spoil("index.json", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(runtime.GOARCH+".zip"), []byte(runtime.GOARCH+"-other.zip"))
		}), says: []string{"no checksum found"}},
		{name: "no signature", asked: "1.12.1", asks: true, change: spoil(".sig", func([]byte) []byte { return nil }),
			says: []string{"failed to download signature"}},
		{name: "somebody else's signature", asked: "1.12.1", asks: true, key: stranger, says: []string{"unable to verify checksums signature"}},
		{name: "somebody else's signature on the newest", asked: ">= 1.12", asks: true, key: stranger,
			says: []string{"unable to verify checksums signature"}},
		{name: "not to be reached", asked: "1.12.1", installed: "1.11.4", down: true,
			says: []string{`terraform-version asks for "1.12.1"`, "installed: 1.11.4", "connection refused", "ask for a version that is installed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := publish(t, signer, []string{"1.11.4", "1.12.1", "1.12.3", "1.13.0", "1.14.0-rc1"}, test.change)
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				content, ok := files[r.URL.Path]
				if !ok {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Type", map[string]string{".json": "application/json", ".zip": "application/zip"}[filepath.Ext(r.URL.Path)])
				_, _ = w.Write(content)
			}))
			t.Cleanup(server.Close)
			if test.down {
				server.Close()
			}
			key := test.key
			if key == "" {
				key = public
			}
			root := t.TempDir()
			cache, bin := filepath.Join(root, "cache"), filepath.Join(root, "bin")
			if test.installed != "" {
				install(t, bin, "terraform", test.installed)
			}
			if test.earlier != "" {
				install(t, filepath.Join(cache, "newest"), "terraform", test.earlier)
			}
			find := Finder{
				Engine: HashiCorp, Version: test.asked, Dir: root, Root: root, Path: bin, Cache: cache,
				Install: releaseSite{url: server.URL, key: key, client: &http.Client{}}.download, // hc-install's own client tries for 15 s
			}
			found, err := find.Find(t.Context())
			if found.Version != test.want || (err == nil) != (test.want != "") || (requests.Load() > 0) != test.asks {
				t.Fatalf("found %+v after %d requests: %v", found, requests.Load(), err)
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v does not say %q", err, text)
				}
			}
			left, _ := filepath.Glob(filepath.Join(cache, "[.0-9]*", "*"))
			if err != nil && len(left) > 0 {
				t.Errorf("refused, and left behind: %q", left)
			}
			if err != nil || !test.asks || test.asked == "" {
				return
			}
			// What was installed serves the next run, which asks nobody.
			before := requests.Load()
			if again, err := find.Find(t.Context()); err != nil || again != found || requests.Load() != before {
				t.Errorf("again: %+v after %d more requests: %v", again, requests.Load()-before, err)
			}
		})
	}
}

// TestTheRealKeyIsTheDefault has a site signed by somebody else refused where no key is given: HashiCorp's counts.
func TestTheRealKeyIsTheDefault(t *testing.T) {
	signer, _ := newSigner(t)
	files := publish(t, signer, []string{"1.12.1"}, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(files[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	cache := t.TempDir()
	_, err := Finder{
		Engine: HashiCorp, Version: "1.12.1", Dir: cache, Root: cache, Cache: cache, Install: releaseSite{url: server.URL}.download,
	}.Find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unable to verify checksums signature") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(cache, "1.12.1", "terraform")); err == nil {
		t.Error("it was installed")
	}
}
