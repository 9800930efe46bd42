package ecsdeploy

import (
	"slices"
	"testing"
)

// TestRetirable flips each reason to keep a revision alone.
func TestRetirable(t *testing.T) {
	const prefix = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:"
	active := []string{prefix + "10", prefix + "2", prefix + "9", prefix + "1"}
	held := []string{"sha256:b"}
	images := map[string][]string{prefix + "1": {"app@sha256:a", "proxy@sha256:c"}, prefix + "2": {"app@sha256:d", "proxy@sha256:b"}}
	for _, test := range []struct {
		name  string
		keep  int
		needs needs
		want  []string
	}{
		{"nothing is needed", 2, needs{}, []string{":1", ":2"}},
		{"by number, not by text, and the newest stays", 1, needs{}, []string{":1", ":2", ":9"}},
		{"exactly so many", 4, needs{}, nil},
		{"fewer than are kept", 5, needs{}, nil},
		{"none is to be kept beside the one to come", 0, needs{}, []string{":1", ":2", ":9", ":10"}},
		{"a service is at it", 2, needs{services: []string{prefix + "1"}}, []string{":2"}},
		{"a task runs it", 2, needs{tasks: []string{prefix + "1"}}, []string{":2"}},
		{"a deployment was of it", 2, needs{history: []string{prefix + "1"}}, []string{":2"}},
		{"a deployment replaced it", 2, needs{replaced: []string{prefix + "1"}}, []string{":2"}},
		{"a schedule runs it", 2, needs{schedules: []string{prefix + "1"}}, []string{":2"}},
		{"a schedule names it without its ARN", 2, needs{schedules: []string{"api:1"}}, []string{":2"}},
		{"a schedule runs the newest", 2, needs{schedules: []string{"api"}}, []string{":1", ":2"}},
		{"a schedule runs another family", 2, needs{schedules: []string{"worker:1"}}, []string{":1", ":2"}},
		{"the last rollback names it", 2, needs{rollback: []string{"api:1", ""}}, []string{":2"}},
		{"a sidecar's image is on hold", 2, needs{held: held, images: images}, []string{":1"}},
		{"another image is on hold", 2, needs{held: []string{"sha256:e"}, images: images}, []string{":1", ":2"}},
		{"an image without digest while one is on hold", 2, needs{held: held, images: map[string][]string{prefix + "1": {"app"},
			prefix + "2": {}}}, []string{":1", ":2"}},
		{"its images are not known while one is on hold", 2,
			needs{held: held, images: map[string][]string{prefix + "2": {"app"}}}, []string{":2"}},
		{"its images are not known, and none is on hold", 2, needs{}, []string{":1", ":2"}},
		{"what is needed is not counted among the newest", 1, needs{tasks: []string{prefix + "9"}}, []string{":1", ":2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, revision := range retirable(active, test.keep, test.needs) {
				got = append(got, revision[len(prefix)-1:])
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if slices.IsSorted(active) || active[0] != prefix+"10" {
		t.Error("the list that was given was changed")
	}
}

func TestListed(t *testing.T) {
	all := slices.Repeat([]string{"api:7"}, 12)
	for n, want := range map[int]string{1: ":7", 2: ":7, :7"} {
		if got := listed(all[:n]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if twelve, more := listed(all), listed(append(all, "api:8")); more != twelve+" and 1 more" || len(twelve) != 46 {
		t.Errorf("%q, then %q", twelve, more)
	}
}
