package ecsview

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
)

// untaggable refuses calls that ask for tags with this code, and calls that do not with the other, if there is one.
type untaggable struct{ tags, plain string }

func (u untaggable) DescribeServices(_ context.Context, in *ecs.DescribeServicesInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	code := u.plain
	if slices.Contains(in.Include, types.ServiceFieldTags) {
		code = u.tags
	}
	if code != "" {
		return nil, &smithy.GenericAPIError{Code: code, Message: "x"}
	}
	return &ecs.DescribeServicesOutput{Services: []types.Service{{ServiceName: aws.String("api"), Status: aws.String("ACTIVE")}}}, nil
}

// A service whose tags are refused is read without them, which is told; what is refused either way is an error.
func TestFindWithoutTags(t *testing.T) {
	for _, test := range []struct {
		tags, plain string
		found, told bool
	}{
		{"", "", true, false},
		{"InvalidParameterException", "", true, true},
		{"ClientException", "", true, true},
		{"ValidationException", "", true, true},
		{"UnsupportedFeatureException", "", true, true},
		{"AccessDeniedException", "", true, true},
		{"AccessDeniedException", "AccessDeniedException", false, false},
		{"InvalidParameterException", "ServerException", false, false},
		{"ServerException", "", false, false},
		{"ThrottlingException", "", false, false},
	} {
		told := 0
		_, err := Find(t.Context(), untaggable{test.tags, test.plain}, "c", "api", func(error) { told++ })
		if (err == nil) != test.found || (told == 1) != test.told {
			t.Errorf("%s, then %q: %v, told %d times", test.tags, test.plain, err, told)
		}
	}
}
