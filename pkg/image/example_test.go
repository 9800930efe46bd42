package image_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/org/connect2/v2/pkg/image"
)

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
