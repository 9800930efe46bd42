package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseBehaviour(t *testing.T) {
	for text, want := range map[string]Behaviour{
		`{"start": "crash", "after": "3s", "exitCode": 0, "logs": ["a", "b"]}`: {
			Start: Crash, After: Duration(3 * time.Second), ExitCode: new(0), Logs: []string{"a", "b"}},
		"start: unhealthy\ncheck: elb\nstatus: 503": {Start: Unhealthy, Check: "elb", Status: 503},
		"healthyAfter: 90":                          {HealthyAfter: Duration(90 * time.Second)},
		`{run: {"alembic upgrade": {after: 1m, exitCode: 3}, "*": {}}}`: {Run: map[string]Run{
			"alembic upgrade": {After: Duration(time.Minute), ExitCode: 3}, "*": {}}},
		"": {},
	} {
		got, err := ParseBehaviour([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestParseBehaviourRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"start: crashes":                `unknown kind "crashes"`,
		"starts: crash":                 `unknown member "starts"`,
		"after: soon":                   `"soon" is not a duration`,
		"after: -3s":                    "cannot be negative",
		"exitCode: 300":                 "outside 0 to 255",
		"{start: crash, status: 1000}":  "no HTTP status",
		"check: http":                   "neither container nor elb",
		"run: {x: {code: 1}}":           `unknown member "code"`,
		"run: {x: {start: never}}":      `unknown kind "never"`,
		"healthy":                       "is a mapping",
		"logs: {a: b}":                  "cannot unmarshal",
		"{start: crash, exitCode: one}": "cannot unmarshal",
	} {
		if _, err := ParseBehaviour([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestImageKeys(t *testing.T) {
	for _, test := range []struct {
		ref, digest string
		tags        []string
		want        string
	}{
		{"localhost:4566/team/api:v2", "sha256:aa", nil, "localhost:4566/team/api:v2 team/api:v2 sha256:aa team/api@sha256:aa v2 team/api *"},
		{"api", "", nil, "api api *"},
		{"r.example/api:v2@sha256:bb", "", nil, "r.example/api:v2@sha256:bb api:v2 sha256:bb api@sha256:bb v2 api *"},
		{"api@sha256:cc", "sha256:cc", []string{"latest", "v2"}, "api@sha256:cc sha256:cc api@sha256:cc api:latest latest api:v2 v2 api *"},
		{"api:v2", "sha256:cc", []string{"latest", "v2"}, "api:v2 api:v2 sha256:cc api@sha256:cc v2 api:latest latest api *"},
	} {
		if got := strings.Join(imageKeys(test.ref, Image{Digest: test.digest, Tags: test.tags}), " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.ref, got, test.want)
		}
	}
}
