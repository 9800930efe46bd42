package hold_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/record"
)

var (
	bad  = "sha256:" + strings.Repeat("b", 64)
	good = "sha256:" + strings.Repeat("a", 64)
)

// A service that was rolled back from an image is not released to it again.
func ExampleOf() {
	service := types.Service{ServiceName: aws.String("api"), Tags: []types.Tag{
		{Key: aws.String("connect2:hold"), Value: aws.String(bad)},
	}}
	h := hold.Of(service)
	fmt.Println(h.Refuse("api", bad) != nil, h.Refuse("api", good) != nil)
	fmt.Println(h.Without(bad).Refuse("api", bad) != nil)
	// Output:
	// true false
	// false
}

// A refusal says why, and what to do.
func ExampleHold_Refuse() {
	h := hold.Hold{Digests: []string{bad}, Last: hold.Rollback{By: "octocat", Reason: "orders fail"}}
	err := h.Refuse("api", bad)
	fmt.Println(strings.ReplaceAll(err.Error(), bad, "DIGEST"))
	var failure *record.Failure
	if errors.As(err, &failure) {
		fmt.Println(failure.Title)
		fmt.Println(failure.Advice)
	}
	// Output:
	// image: DIGEST is on hold for api, which was rolled back from it by octocat: orders fail
	// This image was rolled back from
	// Choose another image; or lift the hold first.
}

// What a rollback leaves is put on hold; the sidecar that stays is not.
func ExampleLeft() {
	before := map[string]string{"api": bad, "proxy": good}
	back := map[string]string{"api": "sha256:" + strings.Repeat("c", 64), "proxy": good}
	left := hold.Left(before, back)
	fmt.Println(hold.Hold{}.With(left, back).String() == bad)
	// Output: true
}
