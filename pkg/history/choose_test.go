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
// succeeded again. "-" was stopped, "*" is running. "3=1" is revision 3 with the image of revision 1, and "~" one that succeeded
// and whose revision ECS does not know any more.
func story(t *testing.T, text string) []Deployment {
	t.Helper()
	var all []Deployment
	for i, word := range strings.Fields(text) {
		status := types.ServiceDeploymentStatusSuccessful
		for mark, other := range map[string]types.ServiceDeploymentStatus{"!": "ROLLBACK_SUCCESSFUL", "-": "STOPPED", "*": "IN_PROGRESS",
			"?": "ROLLBACK_FAILED"} {
			if strings.HasSuffix(word, mark) {
				word, status = strings.TrimSuffix(word, mark), other
			}
		}
		revision, image, copied := strings.Cut(word, "=")
		if !copied {
			image = revision
		}
		d := Deployment{
			ARN:    fmt.Sprintf("arn:aws:ecs:us-west-2:123456789012:service-deployment/prod/api/%d", i),
			Status: status, Created: time.Date(2026, 1, 2, 3, i, 0, 0, time.UTC),
		}
		if word != "~" {
			d.TaskDefinition = prefix + revision
			d.Images = []Image{{Container: "api", Image: "repo/api@" + digest(image), Digest: digest(image)}}
		}
		all = append(all, d)
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
		{"one cannot run any more", "1 2", 2, []int{1}, 0, NoneUsable},
		{"it failed before it succeeded: that counts as never deployed", "2- 1 2", 2, nil, 1, Chosen},
		{"it never succeeded: what came after its first deployment is no target", "1 3- 2", 3, nil, 1, Chosen},
		{"it never succeeded, twice", "3- 1 3-", 3, nil, 0, NoneBefore},
		{"it never succeeded, after a rollback of others", "1 2 1 3-", 3, nil, 1, Chosen},
		{"it never succeeded, after what was deployed anew", "1 2 1 2 3-", 3, nil, 2, Chosen},
		{"a revision that is forgotten is no target", "1 ~ 2", 2, nil, 1, Chosen},
		{"nor is it what the current one came back from", "1 ~ 1", 1, nil, 0, NoneBefore},
		{"a rollback is seen across one that is forgotten", "1 2 ~ 1 3", 3, []int{1}, 0, NoneUsable},
		{"a rollback of settings alone leaves them behind", "1 2=1 1 3", 3, []int{1}, 0, NoneUsable},
		{"a rollback of images alone leaves them behind", "1 2 3=1 4", 4, []int{1, 3}, 0, NoneUsable},
		{"the same revision with an older image is no step", "2 1 1=2", 1, nil, 2, Chosen},
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

// TestChooseSaysWhy reads the sentences that a person gets.
func TestChooseSaysWhy(t *testing.T) {
	for _, test := range []struct {
		story    string
		current  int
		unusable map[string]string
		want     string
		rejected []string
	}{
		{"", 1, nil, "ECS lists no deployment of the service; it keeps them for 90 days.", nil},
		{"2 3", 1, nil, "None of the 2 deployments that ECS lists deployed api:1, which runs now.", nil},
		{"1 2!", 1, nil, "The newest deployment, of api:2 at 2026-01-02 03:01:00 UTC, was rolled back already: " +
			"api:1 is what ran before it.", nil},
		{"1 2 1 1", 1, nil, "api:1 came back by a rollback from api:2 at 2026-01-02 03:02:00 UTC, so how far to go beyond it is not for " +
			"this program to decide.", nil},
		{"1 2- 1", 1, nil, "api:1 came back by a rollback from api:2 at 2026-01-02 03:01:00 UTC, so how far to go beyond it is not for " +
			"this program to decide.", nil},
		{"1 1", 1, nil, "api:1, first deployed at 2026-01-02 03:00:00 UTC, is the oldest version that ECS knows to have succeeded.", nil},
		{"1 1 2 1 2 3 3", 3, map[string]string{td(2): "its image is gone"},
			"api:1 is the newest version that succeeded (deployed at 2026-01-02 03:03:00 UTC) before api:3 was first deployed at " +
				"2026-01-02 03:05:00 UTC.", []string{"api:2: its image is gone"}},
		{"1 2 1 3", 3, map[string]string{td(1): "its image is gone"}, "None of the versions that succeeded before api:3 can be gone back to.",
			[]string{"api:1: its image is gone", "api:2: it was rolled back from"}},
		{"1 2 1 3", 3, map[string]string{td(1): "its image is gone", td(2): "it is deregistered"},
			"None of the versions that succeeded before api:3 can be gone back to.",
			[]string{"api:1: its image is gone", "api:2: it is deregistered"}},
	} {
		deployments := story(t, test.story)
		before := slices.Clone(deployments)
		got := Choose(deployments, td(test.current), test.unusable)
		var rejected []string
		for _, r := range got.Rejected {
			rejected = append(rejected, r.Deployment.Name()+": "+r.Why)
		}
		if got.Why != test.want || !slices.Equal(rejected, test.rejected) {
			t.Errorf("%s:\ngot  %s %q\nwant %s %q", test.story, got.Why, rejected, test.want, test.rejected)
		}
		if !slices.EqualFunc(before, deployments, func(a, b Deployment) bool { return a.ARN == b.ARN }) {
			t.Errorf("%s: the caller's deployments are in another order now", test.story)
		}
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
	for _, test := range []struct{ to, want string }{
		{"3", ""}, // it was stopped
		{"2", deployments[2].ARN},
		{digest("2"), deployments[0].ARN},
		{"9", ""},
	} {
		got, err := Find(deployments, test.to, td(4))
		if err != nil || (got.Deployment == nil) != (test.want == "") || got.Deployment != nil && got.Deployment.ARN != test.want {
			t.Errorf("%s: got %+v, %v; want the deployment %q", test.to, got.Deployment, err, test.want)
		}
	}
}

func TestFindTheNewestOfSeveral(t *testing.T) {
	deployments := story(t, "1 2 1 2 3")
	for to, want := range map[string]string{"1": deployments[2].ARN, digest("2"): deployments[1].ARN, "3": deployments[0].ARN} {
		if got, err := Find(deployments, to, td(3)); err != nil || got.Deployment == nil || got.Deployment.ARN != want {
			t.Errorf("%s: got %+v, %v; want %s", to, got.Deployment, err, want)
		}
	}
}

func TestFindReadsWhatAPersonWrites(t *testing.T) {
	const hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	numbers := strings.Repeat("1234567890123456", 4)
	deployment := Deployment{
		ARN: "arn:aws:ecs:us-west-2:1:service-deployment/prod/api/x", Status: types.ServiceDeploymentStatusSuccessful, TaskDefinition: td(7),
		Images: []Image{{Container: "a", Digest: "sha256:" + hex}, {Container: "b", Image: "repo@sha256:" + numbers}},
	}
	forgotten := deployment
	forgotten.ARN, forgotten.TaskDefinition, forgotten.Images = deployment.ARN+"y", "", nil
	stopped := deployment
	stopped.Status, stopped.TaskDefinition = types.ServiceDeploymentStatusStopped, td(6)
	deployments := []Deployment{deployment, stopped, forgotten}
	for _, test := range []struct{ to, want, problem string }{
		{"  7\n", td(7), ""},
		{"1", td(1), ""},
		{"-1", "", "revision number"},
		{"", "", "revision number"},
		{"99999999999999999999", "", "revision number"},
		{"api:", "", "revision number"},
		{deployment.ARN, td(7), ""},
		{forgotten.ARN, "", "lists no deployment"}, // ECS does not know its revision any more
		{"sha256:" + hex, td(7), ""},
		{hex, td(7), ""},
		{hex[:12], td(7), ""},
		{"sha256:" + hex[:12], td(7), ""},
		{"sha256:" + hex[:11], "", "revision number"}, // too short for a digest
		{hex[:11], "", "revision number"},
		{hex + "0", "", "revision number"}, // too long for one
		{"sha256:" + hex + "0", "", "revision number"},
		{"sha256:" + strings.ToUpper(hex), "", "revision number"},
		{hex[:20] + "g", "", "revision number"},
		{"sha256:" + hex[:20] + "g", "", "revision number"},
		{numbers, td(7), ""},                   // 64 digits are a digest
		{"sha256:" + numbers[:12], td(7), ""},  // and fewer after the prefix
		{"123456789012", td(123456789012), ""}, // without it they are a number
		{numbers[:63], "", "revision number"},
	} {
		got, err := Find(deployments, test.to, td(4))
		if got.TaskDefinition != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%q: got %q, %v; want %q, %q", test.to, got.TaskDefinition, err, test.want, test.problem)
		}
	}
	if got, err := Find(deployments, "7", "api:4"); err != nil || got.TaskDefinition != "api:7" {
		t.Errorf("where no ARN says account and region: got %q, %v", got.TaskDefinition, err)
	}
}
