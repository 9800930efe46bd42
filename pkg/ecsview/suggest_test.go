package ecsview

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

func TestElsewhere(t *testing.T) {
	const next = ". If it is in another region, give that one: input region, or AWS_REGION"
	for name, test := range map[string]struct {
		there []string
		want  string
	}{
		"not known": {nil, next},
		"none":      {[]string{}, "; there are no clusters" + next},
		"others":    {[]string{"main"}, "; there is main" + next},
		"near":      {[]string{"main", "payments"}, ": did you mean payments?"},
	} {
		if got := elsewhere("paymetns", test.there); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := regionOf(ecs.New(ecs.Options{Region: "eu-west-1"})); got != "eu-west-1" {
		t.Errorf("the region is %s", got)
	}
	if got := regionOf(ecs.New(ecs.Options{})); got != "region" {
		t.Errorf("without one: %s", got)
	}
}

func TestOthers(t *testing.T) {
	for _, test := range []struct {
		written string
		there   []string
		want    string
	}{
		{"api", nil, ""},
		{"connect2-api-servce-dev", []string{"connect2-api-service-dev", "other"}, ": did you mean connect2-api-service-dev?"},
		{"arn:aws:ecs:us-west-2:123456789012:service/main/connect2-api-servce-dev", []string{"connect2-api-service-dev"},
			": did you mean connect2-api-service-dev?"},
		{"payments", []string{"connect2-api-service-dev", "worker"}, "; there is connect2-api-service-dev, worker"},
		{"payments", []string{"alpha", "bravo1", "charlie", "delta12", "echo1234", "foxtrott"},
			"; there are alpha, bravo1, charlie, delta12, echo1234 and others"},
	} {
		if got := others(test.written, test.there); got != test.want {
			t.Errorf("%s of %v: %q, want %q", test.written, test.there, got, test.want)
		}
	}
}
