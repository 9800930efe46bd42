package sandbox_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/org/connect2/v2/pkg/sandbox"
)

// TestPushByTheAPI uploads an image's layers and manifest by the ECR API alone, as SDK-based pushers do.
func TestPushByTheAPI(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	client, img := ecr.NewFromConfig(operator(sb)), image(t, 2)
	put := func(tag string) error {
		manifest, _ := img.RawManifest()
		_, err := client.PutImage(t.Context(),
			&ecr.PutImageInput{RepositoryName: aws.String(repository), ImageManifest: aws.String(string(manifest)), ImageTag: &tag})
		return err
	}
	if err := put("api"); code(t, err) != "LayersNotFoundException" {
		t.Fatalf("a manifest before its layers: %v", err)
	}
	layers, _ := img.Layers()
	for _, layer := range layers {
		content, _ := layer.Compressed()
		upload(t, client, content)
	}
	config, _ := img.RawConfigFile()
	upload(t, client, io.NopCloser(strings.NewReader(string(config))))
	if err := put("api"); err != nil {
		t.Fatal(err)
	}
	if err := put("api"); code(t, err) != "ImageAlreadyExistsException" {
		t.Errorf("the same again: %v", err)
	}
	if err := put("second"); err != nil {
		t.Errorf("another tag: %v", err)
	}
	pulled, err := remote.Image(reference(t, repository+":second"), login(t, sb, operator(sb))...)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := img.Digest(); digestOf(t, pulled) != want.String() {
		t.Errorf("pulled %s, want %s", digestOf(t, pulled), want)
	}
}

func digestOf(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// upload sends a layer in one part, after a part at a wrong offset that must be refused.
func upload(t *testing.T, client *ecr.Client, content io.ReadCloser) {
	t.Helper()
	data, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	name := aws.String(repository)
	begun, err := client.InitiateLayerUpload(t.Context(), &ecr.InitiateLayerUploadInput{RepositoryName: name})
	if err != nil {
		t.Fatal(err)
	}
	part := &ecr.UploadLayerPartInput{RepositoryName: name, UploadId: begun.UploadId, LayerPartBlob: data}
	part.PartFirstByte, part.PartLastByte = aws.Int64(7), aws.Int64(int64(len(data))+6)
	if _, err := client.UploadLayerPart(t.Context(), part); code(t, err) != "InvalidLayerPartException" {
		t.Errorf("a part at a wrong offset: %v", err)
	}
	part.PartFirstByte, part.PartLastByte = aws.Int64(0), aws.Int64(int64(len(data))-1)
	if _, err := client.UploadLayerPart(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	digest, _, _ := v1.SHA256(strings.NewReader(string(data)))
	wrong := strings.Repeat("0", 64)
	end := &ecr.CompleteLayerUploadInput{RepositoryName: name, UploadId: begun.UploadId, LayerDigests: []string{"sha256:" + wrong}}
	if _, err := client.CompleteLayerUpload(t.Context(), end); code(t, err) != "InvalidLayerException" {
		t.Errorf("a wrong digest: %v", err)
	}
	end.LayerDigests = []string{digest.String()}
	if _, err := client.CompleteLayerUpload(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	available, err := client.BatchCheckLayerAvailability(t.Context(),
		&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: name, LayerDigests: []string{digest.String(), "sha256:" + wrong}})
	if err != nil || available.Layers[0].LayerAvailability != types.LayerAvailabilityAvailable ||
		available.Layers[1].LayerAvailability != types.LayerAvailabilityUnavailable {
		t.Errorf("availability: %+v, %v", available, err)
	}
}

// TestImmutableTags: PutImage refuses even the digest that the tag has; other tags of the same image are free.
func TestImmutableTags(t *testing.T) {
	sb := open(t, "repository: {mutability: IMMUTABLE}")
	client := ecr.NewFromConfig(operator(sb))
	got, err := client.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String(repository),
		ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]string{"v1": "ImageTagAlreadyExistsException", "live-20260101": ""} {
		_, err := client.PutImage(t.Context(),
			&ecr.PutImageInput{RepositoryName: aws.String(repository), ImageManifest: got.Images[0].ImageManifest, ImageTag: &tag})
		if code(t, err) != want {
			t.Errorf("tag %s: %v, want %q", tag, err, want)
		}
	}
}

func TestDeletingImages(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	client, one := ecr.NewFromConfig(operator(sb)), image(t, 1)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: one})
	if err := remote.WriteIndex(reference(t, repository+":multi"), index, login(t, sb, operator(sb))...); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct{ tag, digest, failure, deleted string }{
		{"", digestOf(t, one), "ImageReferencedByManifestList", ""},
		{"none", "", "ImageNotFound", ""},
		{"", "sha256:abc", "InvalidImageDigest", ""},
		{"", "", "MissingDigestAndTag", ""},
		{"latest", "", "", "latest"},
		{"v1", "", "", "v1"},
		{"v1", "", "ImageNotFound", ""},
		{"multi", "", "", "multi"},
		{"", digestOf(t, one), "", "<none>"},
	} {
		id := types.ImageIdentifier{}
		if tt.tag != "" {
			id.ImageTag = &tt.tag
		}
		if tt.digest != "" {
			id.ImageDigest = &tt.digest
		}
		out, err := client.BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String(repository),
			ImageIds: []types.ImageIdentifier{id}})
		if err != nil {
			t.Fatal(err)
		}
		failure, deleted := "", ""
		for _, f := range out.Failures {
			failure = string(f.FailureCode)
		}
		for _, d := range out.ImageIds {
			deleted = aws.ToString(d.ImageTag)
			if d.ImageTag == nil {
				deleted = "<none>"
			}
		}
		if failure != tt.failure || deleted != tt.deleted {
			t.Errorf("%d: failure %q, deleted %q; want %q, %q", i, failure, deleted, tt.failure, tt.deleted)
		}
	}
	left, err := client.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String(repository)})
	if err != nil || len(left.ImageDetails) != 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

func TestRepositories(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	client := ecr.NewFromConfig(operator(sb))
	made, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{
		RepositoryName: aws.String("team/app"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
		ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
		ImageTagMutabilityExclusionFilters: []types.ImageTagMutabilityExclusionFilter{
			{FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard, Filter: aws.String("latest*")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := sandbox.DefaultHost + "/team/app"; *made.Repository.RepositoryUri != want {
		t.Errorf("URI %s, want the host that was asked: %s", *made.Repository.RepositoryUri, want)
	}
	tags, err := client.ListTagsForResource(t.Context(), &ecr.ListTagsForResourceInput{ResourceArn: made.Repository.RepositoryArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "a" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	if _, err := client.CreateRepository(t.Context(),
		&ecr.CreateRepositoryInput{RepositoryName: aws.String("team/app")}); code(t, err) != "RepositoryAlreadyExistsException" {
		t.Errorf("the same again: %v", err)
	}
	if _, err := client.CreateRepository(t.Context(),
		&ecr.CreateRepositoryInput{RepositoryName: aws.String("Team")}); code(t, err) != "InvalidParameterException" {
		t.Errorf("upper case: %v", err)
	}
	for i := range 5 {
		if _, err := client.CreateRepository(t.Context(),
			&ecr.CreateRepositoryInput{RepositoryName: aws.String(fmt.Sprintf("r%d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for pager := ecr.NewDescribeRepositoriesPaginator(client,
		&ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(3)}); pager.HasMorePages(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Repositories)
	}
	if seen != 7 {
		t.Errorf("%d repositories in pages of three, want 7", seen)
	}
	if _, err := client.DeleteRepository(t.Context(),
		&ecr.DeleteRepositoryInput{RepositoryName: aws.String(repository)}); code(t, err) != "RepositoryNotEmptyException" {
		t.Errorf("deleting one that has images: %v", err)
	}
}
