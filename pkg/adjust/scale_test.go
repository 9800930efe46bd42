package adjust

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/operate"
)

func TestScalable(t *testing.T) {
	s := &site{service: types.Service{ServiceArn: aws.String("arn:aws:ecs:us-west-2:123456789012:service/c/s"),
		ClusterArn: aws.String("arn:aws:ecs:us-west-2:123456789012:cluster/c")}}
	for _, test := range []struct {
		name   string
		limits *operate.Limits
		err    error
		want   string
	}{
		{"nothing scales it", nil, nil, ""},
		{"it is not known", nil, errors.New("denied"), "whether a scalable target owns the number of tasks of s: denied"},
		{"a target does", &operate.Limits{Min: 2, Max: 6}, nil,
			"--resource-id service/c/s --min-capacity 4 --max-capacity 6"},
		{"up to less", &operate.Limits{Min: 1, Max: 3}, nil, "--min-capacity 4 --max-capacity 4"},
	} {
		err := scalable(s, 4, test.limits, test.err)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
