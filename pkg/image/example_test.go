package image_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// standIn is a way to the registries of a stand-in for AWS. In front of AWS itself the configuration is that of
// config.LoadDefaultConfig, and the transport nil.
func standIn() *image.Registries {
	sb := sandbox.New(sandbox.Options{})
	env := sb.Environ()
	return image.NewRegistries(aws.Config{
		Region:       env["AWS_REGION"],
		Credentials:  credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
		BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]),
		HTTPClient:   &http.Client{Transport: sb.Transport()},
	}, sb.Transport())
}

// saved writes an archive as `docker save` does, of an image with two layers.
func saved() (file string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	file = filepath.Join(dir, "image.tar")
	if err := imagetest.TarFile(file, imagetest.Saved(imagetest.New(1, 20_000, 5_000))); err != nil {
		log.Fatal(err)
	}
	return file, func() { _ = os.RemoveAll(dir) }
}

// Push an image, and push it again: a plan says what there is to do before anything is written.
func ExamplePlan_Execute() {
	ctx, registries := context.Background(), standIn()
	file, remove := saved()
	defer remove()
	for range 2 {
		source, err := image.Open(ctx, file, image.OpenOptions{})
		if err != nil {
			log.Fatal(err)
		}
		to, err := registries.Destination(ctx, "connect2-api-dev")
		if err != nil {
			log.Fatal(err)
		}
		plan, err := image.NewPlan(ctx, source, to, image.PlanOptions{Tags: []string{"v2"}})
		if err != nil {
			log.Fatal(err)
		}
		work := plan.Work()
		result, err := plan.Execute(ctx)
		if err != nil {
			log.Fatal(err)
		}
		_ = source.Close()
		fmt.Println(work.Compress, "to compress;", result.Moved, "moved,", result.Kept, "kept, changed:", result.Changed())
	}
	// Output:
	// 2 to compress; [v2] moved, [] kept, changed: true
	// 0 to compress; [] moved, [v2] kept, changed: false
}

func ExampleRegistries_Resolve() {
	registries := standIn()
	for _, tag := range []string{"v1", "v1.0.1"} {
		ref, err := image.ParseReference(registries.Endpoint.Host + "/connect2-api-dev:" + tag)
		if err != nil {
			log.Fatal(err)
		}
		found, err := registries.Resolve(context.Background(), ref)
		var missing *image.NotFoundError
		switch {
		case errors.As(err, &missing):
			fmt.Println("there is no", missing.Reference.Tag)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(found.Reference.Tag, "has a digest:", image.IsDigest(found.Reference.Digest))
		}
	}
	// Output:
	// v1 has a digest: true
	// there is no v1.0.1
}

func ExampleParseReference() {
	ref, err := image.ParseReference("123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev:v1.2.3")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ref.Registry)
	fmt.Println(ref.Repository, ref.Tag)
	fmt.Println(ref.WithDigest("sha256:" + strings.Repeat("0", 64)).Short())

	_, err = image.ParseReference("example.com/Api:v1") // a repository's name is in lower case
	fmt.Println(err != nil)
	// Output:
	// 123456789012.dkr.ecr.us-west-2.amazonaws.com
	// connect2-api-dev v1.2.3
	// 000000000000
	// true
}

// What is left out of an image's name is taken from the image that runs.
func ExampleComplete() {
	const runs = "123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v1"
	for _, written := range []string{"v2", "other:v2", "example.com/api:v2"} {
		ref, err := image.Complete(written, runs)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ref)
	}
	// Output:
	// 123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v2
	// 123456789012.dkr.ecr.us-west-2.amazonaws.com/other:v2
	// example.com/api:v2
}

func ExampleParseRepositoryName() {
	for _, written := range []string{"team/api", "arn:aws:ecr:us-west-2:123456789012:repository/team/api"} {
		name, err := image.ParseRepositoryName(written)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q in %q of %q\n", name.Name, name.Region, name.Account)
	}
	// Output:
	// "team/api" in "" of ""
	// "team/api" in "us-west-2" of "123456789012"
}

func ExampleParseECRHost() {
	host, ok := image.ParseECRHost("123456789012.dkr.ecr.eu-central-1.amazonaws.com")
	fmt.Println(host.Account, host.Region, ok)
	// Output: 123456789012 eu-central-1 true
}
