package hold_test

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/hold"
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

// What a rollback leaves is put on hold; the sidecar that stays is not.
func ExampleLeft() {
	before := map[string]string{"api": bad, "proxy": good}
	back := map[string]string{"api": "sha256:" + strings.Repeat("c", 64), "proxy": good}
	left := hold.Left(before, back)
	fmt.Println(hold.Hold{}.With(left, back).String() == bad)
	// Output: true
}
