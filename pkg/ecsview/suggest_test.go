package ecsview

import "testing"

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
