package image

import (
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/registry"
)

const (
	oneImage = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":` +
		`"application/vnd.oci.image.config.v1+json","digest":"` + digestA + `","size":2},"layers":[]}`
	twoPlatforms = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"DIGEST","size":1,"platform":{"os":"linux","architecture":"amd64"}},` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"DIGEST","size":1,"platform":{"os":"linux","architecture":"arm64"}},` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"DIGEST","size":1,"platform":{"os":"unknown","architecture":` +
		`"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}`
)

// store puts manifests into a repository: an image and an index of it.
func store(t *testing.T, rs *Registries, ref Reference) (image, index string) {
	t.Helper()
	repo, err := rs.Repository(ref)
	if err != nil {
		t.Fatal(err)
	}
	one := &manifest{MediaType: mediaTypeOf([]byte(oneImage), ""), Raw: []byte(oneImage)}
	image = sum(one.Raw).String()
	raw := []byte(strings.ReplaceAll(twoPlatforms, "DIGEST", image))
	two := &manifest{MediaType: mediaTypeOf(raw, ""), Raw: raw}
	for tag, m := range map[string]*manifest{image: one, "v1.0.0": one} {
		if _, err := repo.putManifest(t.Context(), tag, m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := repo.putManifest(t.Context(), "multi", two); err != nil {
		t.Fatal(err)
	}
	return image, sum(raw).String()
}

func TestResolveAtECR(t *testing.T) {
	f := newFakeECR(t, "app")
	rs := f.registries(nil)
	ref := Reference{Registry: fakeHost, Repository: "app"}
	image, index := store(t, rs, ref)

	ref.Tag = "v1.0.0"
	d, err := rs.Resolve(t.Context(), ref)
	if err != nil || d.Reference.Digest != image || d.IsIndex() || d.Reference.String() != fakeHost+"/app@"+image ||
		d.Reference.Tag != "v1.0.0" {
		t.Errorf("tag of an image resolved to %+v, %v; want %s", d, err, image)
	}
	ref.Tag = "multi"
	d, err = rs.Resolve(t.Context(), ref)
	if err != nil || d.Reference.Digest != index || !d.IsIndex() || !slices.Equal(d.Platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("tag of an index resolved to %+v, %v; want index %s of two platforms", d, err, index)
	}
	ref.Tag = "v1.0.1"
	var missing *NotFoundError
	if _, err = rs.Resolve(t.Context(), ref); !errors.As(err, &missing) || !slices.Equal(missing.Close, []string{"v1.0.0"}) {
		t.Errorf("a missing tag answered %v; want the close tag v1.0.0", err)
	}
	if _, err = rs.Resolve(t.Context(), Reference{Registry: fakeHost, Repository: "app", Digest: digestA}); !errors.As(err, &missing) ||
		!strings.Contains(err.Error(), digestA) {
		t.Errorf("a missing digest answered %v; want it named", err)
	}
	var noRepository *types.RepositoryNotFoundException
	if _, err = rs.Resolve(t.Context(), Reference{Registry: fakeHost, Repository: "other", Tag: "v1"}); !errors.As(err, &noRepository) {
		t.Errorf("a missing repository answered %v; want the API's error inside", err)
	}
}

func TestResolveAtAnotherRegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	rs := &Registries{}
	ref := Reference{Registry: strings.TrimPrefix(server.URL, "http://"), Repository: "team/app"}
	image, index := store(t, rs, ref)
	for tag, want := range map[string]string{"v1.0.0": image, "multi": index} {
		ref.Tag = tag
		if d, err := rs.Resolve(t.Context(), ref); err != nil || d.Reference.Digest != want {
			t.Errorf("%s resolved to %+v, %v; want %s", tag, d, err, want)
		}
	}
	ref.Tag = "v9"
	var missing *NotFoundError
	if _, err := rs.Resolve(t.Context(), ref); !errors.As(err, &missing) {
		t.Errorf("a missing tag answered %v; want a NotFoundError", err)
	}
}
