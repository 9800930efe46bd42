package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
)

const prefix = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:"

func td(n int) string { return fmt.Sprintf("%s%d", prefix, n) }

// story reads "1 2! 1" as deployments, oldest first, a minute apart: revision 1 succeeded, 2 was rolled back by ECS, 1
// succeeded again. "-" was stopped, "*" is running. "3=1" is revision 3 with the image of revision 1.
func story(t *testing.T, text string) []Deployment {
	t.Helper()
	var all []Deployment
	for i, word := range strings.Fields(text) {
		status := types.ServiceDeploymentStatusSuccessful
		for mark, other := range map[string]types.ServiceDeploymentStatus{"!": "ROLLBACK_SUCCESSFUL", "-": "STOPPED", "*": "IN_PROGRESS", "?": "ROLLBACK_FAILED"} {
			if strings.HasSuffix(word, mark) {
				word, status = strings.TrimSuffix(word, mark), other
			}
		}
		revision, image, copied := strings.Cut(word, "=")
		if !copied {
			image = revision
		}
		created := time.Date(2026, 1, 2, 3, i, 0, 0, time.UTC)
		all = append(all, Deployment{
			ARN: fmt.Sprintf("arn:aws:ecs:us-west-2:123456789012:service-deployment/prod/api/%d", i), Status: status, Created: created,
			TaskDefinition: prefix + revision,
			Images:         []Image{{Container: "api", Image: "repo/api@" + digest(image), Digest: digest(image)}},
		})
	}
	slices.Reverse(all) // as the API lists them
	return all
}

func digest(n string) string { return "sha256:" + strings.Repeat(n[:1], 64) }

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		name     string
		story    string
		current  int
		unusable []int
		want     int // 0: refused
		refusal  Refusal
	}{
		{"the one before", "1 2 3", 3, nil, 2, Chosen},
		{"not by number", "7 2 9", 9, nil, 2, Chosen},
		{"one that never succeeded is no target", "1 2- 3", 3, nil, 1, Chosen},
		{"nor one that ECS rolled back", "1 2! 3", 3, nil, 1, Chosen},
		{"redeployed: older than its first deployment", "1 2 3 3 3", 3, nil, 2, Chosen},
		{"retried after a failure: older than its first success", "1 2! 1 2", 2, nil, 1, Chosen},
		{"ECS has put the current one back", "1 2!", 1, nil, 0, CameBack},
		{"two rollbacks in a row do not flip", "1 2 1", 1, nil, 0, CameBack},
		{"nor when the old one was put back after a failure", "0 1 2- 1", 1, nil, 0, CameBack},
		{"nor when it was deployed anew after ECS rolled back", "0 1 2! 1", 1, nil, 0, CameBack},
		{"nor when the failed one is the newest", "0 1 2-", 1, nil, 0, CameBack},
		{"nor after a redeployment", "1 2 1 1", 1, nil, 0, CameBack},
		{"nor when the old image came back under a new revision", "1 2 3=1", 3, nil, 0, CameBack},
		{"never back to what a rollback left behind", "1 2 1 3", 3, nil, 1, Chosen},
		{"not even if the better one is gone", "1 2 1 3", 3, []int{1}, 0, NoneUsable},
		{"left behind, but deployed anew since", "1 2 1 2 3", 3, nil, 2, Chosen},
		{"a change of settings alone can be taken back", "1 2=1", 2, nil, 1, Chosen},
		{"and is known as taken back", "1 2=1 1", 1, nil, 0, CameBack},
		{"the newest cannot run any more", "1 2 3", 3, []int{2}, 1, Chosen},
		{"none can run any more", "1 2 3", 3, []int{1, 2}, 0, NoneUsable},
		{"the first release", "1", 1, nil, 0, NoneBefore},
		{"the first that succeeded", "1- 2! 3", 3, nil, 0, NoneBefore},
		{"no history", "", 1, nil, 0, NoHistory},
		{"history does not reach back to it", "2 3", 1, nil, 0, NoHistory},
		{"the rollback failed", "1 2 3?", 3, nil, 2, Chosen},
	} {
		t.Run(test.name, func(t *testing.T) {
			unusable := map[string]string{}
			for _, n := range test.unusable {
				unusable[td(n)] = "gone"
			}
			got := Choose(story(t, test.story), td(test.current), unusable)
			want := ""
			if test.want > 0 {
				want = td(test.want)
			}
			if got.Target.TaskDefinition != want || got.Refusal != test.refusal || got.Why == "" {
				t.Errorf("got %q, %q: %s; want %q, %q", got.Target.Name(), got.Refusal, got.Why, arn.Revision(want), test.refusal)
			}
		})
	}
}

// TestSecondRollbackNeverReturnsToTheFirstOnesOrigin rolls back twice at the end of several histories.
func TestSecondRollbackNeverReturnsToTheFirstOnesOrigin(t *testing.T) {
	for _, text := range []string{"1 2", "1 2 3", "1 2! 3 4", "5 3 9", "1 2 1 3", "1 1 2 2"} {
		before := story(t, text)
		bad := before[0].TaskDefinition
		choice := Choose(before, bad, nil)
		if choice.Refusal != Chosen {
			t.Errorf("%s: refused: %s", text, choice.Why)
			continue
		}
		_, number, _ := strings.Cut(choice.Target.Name(), ":")
		after := story(t, text+" "+number)
		if second := Choose(after, choice.Target.TaskDefinition, nil); second.Refusal != CameBack {
			t.Errorf("%s: a second rollback goes to %q (%s)", text, second.Target.Name(), second.Why)
		}
	}
}

func TestCandidates(t *testing.T) {
	var names []string
	for _, d := range Candidates(story(t, "1 2 1 3 4- 5 3 6"), td(6)) {
		names = append(names, d.Name())
	}
	if got := strings.Join(names, " "); got != "api:3 api:1" {
		t.Errorf("got %s; 2 and 5 were rolled back from, 4 never succeeded", got)
	}
}

func TestFind(t *testing.T) {
	deployments := story(t, "1 2 3- 4=2")
	for _, test := range []struct{ to, want, problem string }{
		{"2", td(2), ""},
		{"api:2", td(2), ""},
		{"web:5", strings.Replace(td(5), "api", "web", 1), ""},
		{td(1), td(1), ""},
		{"3", td(3), ""}, // a person may insist
		{deployments[3].ARN, td(1), ""},
		{digest("2"), td(4), ""},
		{digest("1")[:7+12], td(1), ""},
		{"111111111111a", "", "no deployment that succeeded"},
		{digest("3"), "", "no deployment that succeeded"},
		{deployments[3].ARN + "x", "", "lists no deployment"},
		{"v1.2.3", "", "no revision number"},
		{"0", "", "no revision number"},
	} {
		got, err := Find(deployments, test.to, td(4))
		if got.TaskDefinition != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: got %q, %v; want %q, %q", test.to, got.TaskDefinition, err, test.want, test.problem)
		}
	}
	if got, _ := Find(deployments, "3", td(4)); got.Deployment != nil {
		t.Error("a deployment that was stopped is taken for one that succeeded")
	}
}
