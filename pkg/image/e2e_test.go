package image_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/connect2/v2/internal/test/registrytest"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// dockerRegistry starts the reference implementation of the protocol, where it is installed, and returns its address.
func dockerRegistry(t testing.TB) string {
	t.Helper()
	host, installed := registrytest.Docker(t)
	if !installed {
		t.Skip("docker-registry is not installed")
	}
	return host
}

func pushTo(t testing.TB, source, repository string, tags ...string) image.Result {
	t.Helper()
	rs := &image.Registries{}
	src, err := image.Open(t.Context(), source, image.OpenOptions{Registries: rs})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	to, err := rs.Destination(t.Context(), repository)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := image.NewPlan(t.Context(), src, to, image.PlanOptions{Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	r, err := plan.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is pushed is judged by programs that are not ours: the registry itself, crane's validation, and skopeo.
func TestDockerRegistry(t *testing.T) {
	address := dockerRegistry(t)
	img := imagetest.New(1, 3_000_000, 200_000, 5_000)
	amd, arm := imagetest.New(1, 300_000), imagetest.New(2, 20_000)
	amd.Architecture, arm.Architecture = "amd64", "arm64"
	index, indexDigest := imagetest.Index(amd, arm)
	for form, entries := range map[string][]imagetest.Entry{
		"saved": imagetest.Saved(img), "saved25": imagetest.SavedNew(img), "layout": imagetest.Layout(img), "index": index,
	} {
		t.Run(form, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image.tar")
			if err := imagetest.TarFile(file, entries); err != nil {
				t.Fatal(err)
			}
			repository := address + "/team/" + form
			r := pushTo(t, file, repository, "v1")
			if again := pushTo(t, file, repository, "v1"); again.Changed() || again.Digest != r.Digest {
				t.Errorf("the same again: %+v", again)
			}
			ref, err := name.ParseReference(repository+"@"+r.Digest, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			if form == "index" {
				if r.Digest != indexDigest {
					t.Errorf("pushed as %s, want the index's own %s", r.Digest, indexDigest)
				}
				idx, err := remote.Index(ref)
				if err != nil {
					t.Fatal(err)
				}
				manifest, err := idx.IndexManifest()
				if err != nil || len(manifest.Manifests) != 3 {
					t.Fatalf("%d entries, %v; want two images and an attestation", len(manifest.Manifests), err)
				}
				for _, m := range manifest.Manifests {
					if m.Platform.OS == "unknown" {
						continue // an attestation is not an image to validate
					}
					child, err := idx.Image(m.Digest)
					if err == nil {
						err = validate.Image(child)
					}
					if err != nil {
						t.Error(err)
					}
				}
				return
			}
			remoteImage, err := remote.Image(ref)
			if err == nil {
				err = validate.Image(remoteImage)
			}
			if err != nil {
				t.Error(err)
			}
			skopeoReadsBack(t, repository+":v1", img)
		})
	}
}

// skopeoReadsBack copies an image out with skopeo, where it is installed, and compares its configuration.
func skopeoReadsBack(t *testing.T, ref string, img imagetest.Image) {
	t.Helper()
	program, err := exec.LookPath("skopeo")
	if err != nil {
		t.Log("skopeo is not installed")
		return
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command(program, "copy", "--insecure-policy", "--src-tls-verify=false", "docker://"+ref,
		"oci:"+dir+":v1").CombinedOutput(); err != nil {
		t.Fatalf("skopeo: %v\n%s", err, out)
	}
	src, err := image.Open(t.Context(), dir, image.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var want, got struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(img.Config(), &want); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(src.ImageID(), "sha256:")))
	if err == nil {
		err = json.Unmarshal(raw, &got)
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("skopeo read layers %v, %v; want %v", got.RootFS.DiffIDs, err, want.RootFS.DiffIDs)
	}
}
