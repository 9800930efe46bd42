package ecsdeploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
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

// TestNeedsOf takes each part of what was read of a service away, and has the revision deregistered for which it was kept.
func TestNeedsOf(t *testing.T) {
	const prefix = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:"
	active := []string{prefix + "1", prefix + "2", prefix + "3", prefix + "4", prefix + "5", prefix + "6", prefix + "7", prefix + "8",
		prefix + "9"}
	for _, test := range []struct{ name, without, gone string }{
		{"everything", "", "9"},
		{"not what the service is at", "at", "1 9"},
		{"not what is deployed or drained", "deployment", "2 9"},
		{"not what it ran before this deployment", "before", "3 9"},
		{"not what worked before that", "worked", "4 9"},
		{"not what an earlier attempt replaced", "attempt", "5 9"},
		{"not what ECS lists", "history", "6 9"},
		{"not what the last rollback left", "from", "7 9"},
		{"not what the last rollback went back to", "to", "8 9"},
	} {
		of := func(part, number string) string {
			if part == test.without {
				return ""
			}
			return prefix + number
		}
		var n needs
		now := ecsview.Snapshot{TaskDefinition: of("at", "1"), Deployments: []ecsview.Deployment{{TaskDefinition: of("deployment", "2")}}}
		before := ecsview.Snapshot{TaskDefinition: of("before", "3"),
			Deployments: []ecsview.Deployment{{TaskDefinition: of("worked", "4"), State: "COMPLETED"}}}
		n.ofService(now, before, of("attempt", "5"))
		n.ofHistory([]history.Deployment{{TaskDefinition: of("history", "6")}})
		n.ofHold(hold.Hold{Digests: []string{"sha256:a"}, Last: hold.Rollback{From: of("from", "7"), To: of("to", "8")}})
		if !slices.Equal(n.held, []string{"sha256:a"}) {
			t.Errorf("%s: held are %q", test.name, n.held)
		}
		n.held = nil
		var gone []string
		for _, revision := range retirable(active, 0, n) {
			gone = append(gone, strings.TrimPrefix(revision, prefix))
		}
		if got := strings.Join(gone, " "); got != test.gone {
			t.Errorf("%s: %s would go, want %s", test.name, got, test.gone)
		}
	}
}

// TestNotTold asks what was replaced by the service's present deployment, and by the first one of what it is at.
func TestNotTold(t *testing.T) {
	past := []history.Deployment{{ARN: "d3", TaskDefinition: "api:2", Status: types.ServiceDeploymentStatusSuccessful},
		{ARN: "d2", TaskDefinition: "api:2", Status: types.ServiceDeploymentStatusSuccessful},
		{ARN: "d1", TaskDefinition: "api:1", Status: types.ServiceDeploymentStatusSuccessful}}
	for _, test := range []struct {
		name string
		past []history.Deployment
		now  ecsview.Snapshot
		want []string
	}{
		{"both are known", past, ecsview.Snapshot{TaskDefinition: "api:2", Current: "d4"}, []string{"d2", "d4"}},
		{"ECS lists none", nil, ecsview.Snapshot{TaskDefinition: "api:2", Current: "d4"}, []string{"d4"}},
		{"an account without that API", nil, ecsview.Snapshot{TaskDefinition: "api:2"}, nil},
		{"nothing is under way", past, ecsview.Snapshot{TaskDefinition: "api:1"}, []string{"d1"}},
	} {
		if got := notTold(test.past, test.now); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
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
