package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/hold"
)

const prefix = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:"

func td(n int) string { return fmt.Sprintf("%s%d", prefix, n) }

// deployed reads "1 2! 1" as deployments, oldest first, a minute apart: revision 1 succeeded, 2 was rolled back by ECS, 1
// succeeded again. "%" was for an alarm, "^" on somebody's wish, "-" was stopped, "*" is running, "~~" is being rolled back. "3=1" is
// revision 3 with the image of revision 1, and "~" one that succeeded and whose revision ECS does not know any more.
func deployed(t *testing.T, text string) []Deployment {
	t.Helper()
	var all []Deployment
	for i, word := range strings.Fields(text) {
		status := types.ServiceDeploymentStatusSuccessful
		reason := ""
		switch word[len(word)-1] {
		case '!':
			reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
		case '%':
			reason = "Service deployment rolled back because of an ALARM."
		}
		for mark, other := range map[string]types.ServiceDeploymentStatus{"!": "ROLLBACK_SUCCESSFUL", "-": "STOPPED", "*": "IN_PROGRESS",
			"?": "ROLLBACK_FAILED", "^": "ROLLBACK_SUCCESSFUL", "%": "ROLLBACK_SUCCESSFUL", "~~": "ROLLBACK_IN_PROGRESS"} {
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
			Status: status, Reason: reason, Created: minuteAt(i),
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

// minuteAt is the moment of a deployment.
func minuteAt(i int) time.Time { return time.Date(2026, 1, 2, 3, i, 0, 0, time.UTC) }

func digest(n string) string { return "sha256:" + strings.Repeat(n[:1], 64) }

func TestChoose(t *testing.T) {
	wroteDown := func(from, to, minute int) Known {
		return Known{Back: hold.Rollback{From: fmt.Sprintf("api:%d", from), To: fmt.Sprintf("api:%d", to), At: minuteAt(minute)}}
	}
	for _, test := range []struct {
		name    string
		past    string
		current int
		known   Known
		want    int // 0: refused
		refusal Refusal
	}{
		{"the one before", "1 2 3", 3, Known{}, 2, Chosen},
		{"not by number", "7 2 9", 9, Known{}, 2, Chosen},
		{"one that never succeeded is not a target", "1 2- 3", 3, Known{}, 1, Chosen},
		{"nor one that ECS rolled back", "1 2! 3", 3, Known{}, 1, Chosen},
		{"redeployed: older than its first deployment", "1 2 3 3 3", 3, Known{}, 2, Chosen},
		{"retried after a failure: older than its first success", "1 2! 1 2", 2, Known{}, 1, Chosen},
		{"the newest cannot run any more", "1 2 3", 3, gone(2), 1, Chosen},
		{"none can run any more", "1 2 3", 3, gone(1, 2), 0, NoneUsable},
		{"one cannot run any more", "1 2", 2, gone(1), 0, NoneUsable},
		{"the first release", "1", 1, Known{}, 0, NoneBefore},
		{"the first that succeeded", "1- 2! 3", 3, Known{}, 0, NoneBefore},
		{"no history", "", 1, Known{}, 0, NoHistory},
		{"history does not reach back to it", "2 3", 1, Known{}, 0, NoHistory},
		{"the rollback failed", "1 2 3?", 3, Known{}, 2, Chosen},
		{"it failed before it succeeded: that counts as never deployed", "2- 1 2", 2, Known{}, 1, Chosen},
		{"it never succeeded: what came after its first deployment is not a target", "1 3- 2", 3, Known{}, 1, Chosen},
		{"it never succeeded, twice", "3- 1 3-", 3, Known{}, 0, NoneBefore},
		{"it never succeeded, after a rollback of others", "1 2 1 3-", 3, Known{}, 1, Chosen},
		{"it never succeeded, after what was deployed anew", "1 2 1 2 3-", 3, Known{}, 2, Chosen},
		{"a revision that is forgotten is not a target", "1 ~ 2", 2, Known{}, 1, Chosen},
		{"nor is it what the current one came back from", "1 ~ 1", 1, Known{}, 0, NoneBefore},
		{"a deployment in progress is forced, and what it replaces is the same", "1 2 2*", 2, Known{}, 1, Chosen},

		{"a failed release, and nothing before", "1 2!", 1, Known{}, 0, CameBack},
		{"a bad release and a fix that ECS rolled back: one is left", "1 2 3!", 2, Known{}, 1, Chosen},
		{"one is left, which was deployed twice", "1 1 2 3!", 2, Known{}, 1, Chosen},
		{"an alarm rolled it back", "1 2 3%", 2, Known{}, 1, Chosen},
		{"the only release was rolled back", "1!", 1, Known{}, 0, NoneBefore},
		{"a release took its revision away once, and it succeeded since", "1 2 3", 3, Known{Failed: map[string]bool{td(2): true}}, 2, Chosen},
		{"a rollback that was written down and never arrived", "2 3 1", 1, wroteDown(2, 1, 0), 3, Chosen},
		{"a release that failed after a rollback", "0 2 1 3!", 1, wroteDown(2, 1, 2), 0, CameBack},
		{"the same, deployed anew since", "0 1 2! 1", 1, Known{}, 0, Chosen},
		{"two are left: which is for a person to say", "0 1 2 3!", 2, Known{}, 0, CameBack},
		{"two are left, of which one is gone", "0 1 2 3!", 2, gone(1), 0, Chosen},
		{"one is left, and it is gone", "1 2 3!", 2, gone(1), 0, NoneUsable},
		{"somebody wished the fix away", "1 2 3^", 2, Known{}, 0, CameBack},
		{"its release took it away since it failed", "1 2 3^", 2, Known{Failed: map[string]bool{td(3): true}}, 1, Chosen},
		{"a rollback wished it away, as is written down", "1 2 3!", 2, wroteDown(3, 2, 2), 0, CameBack},
		{"it was stopped", "0 1 2-", 1, Known{}, 0, CameBack},
		{"it was stopped, and the one before deployed anew", "0 1 2- 1", 1, Known{}, 0, CameBack},
		{"ECS went back further than its list", "2!", 1, Known{}, 0, NoHistory},
		{"further than its list, on somebody's wish", "2^", 1, Known{}, 0, CameBack},
		{"what failed since it succeeded is passed over", "1 2 3 2!", 3, Known{}, 1, Chosen},
		{"what was stopped since is not", "1 2 3 2- 4", 4, Known{}, 3, Chosen},
		{"what is being deployed again is not", "1 2 3 2*", 3, Known{}, 0, CameBack},

		{"two rollbacks in a row do not flip", "1 2 1", 1, wroteDown(2, 1, 1), 0, CameBack},
		{"nor where nothing was written down", "0 1 2 1", 1, Known{}, 0, CameBack},
		{"nor after a redeployment", "1 2 1 1", 1, wroteDown(2, 1, 1), 0, CameBack},
		{"nor if another is left", "0 1 2 1", 1, wroteDown(2, 1, 2), 0, CameBack},
		{"a rollback long ago says nothing about a release since", "1 2 1 3", 3, wroteDown(2, 1, 1), 1, Chosen},
		{"nor about the same version deployed after another", "1 2 1 3 1", 1, wroteDown(2, 1, 1), 0, CameBack},
		{"nor does one of others", "1 2 3", 3, wroteDown(2, 1, 0), 2, Chosen},
		{"one that goes nowhere is none", "1 2", 2, wroteDown(2, 2, 1), 1, Chosen},
		{"the copy that a rollback registered", "1 2 3=1", 3, Known{Copy: "api:1"}, 0, CameBack},

		{"an ordinary release of an older image", "1 2 3=1", 3, Known{}, 2, Chosen},
		{"the same after a rollback", "1 2 1 3=2", 3, Known{}, 1, Chosen},
		{"a change of settings alone can be taken back", "1 2=1", 2, Known{}, 1, Chosen},
		{"and is known as taken back", "1 2=1 1", 1, wroteDown(2, 1, 1), 0, CameBack},
		{"the same revision with an older image is not a step", "2 1 1=2", 1, Known{}, 2, Chosen},

		{"never back to what a rollback left behind", "1 2 1 3", 3, Known{}, 1, Chosen},
		{"not even if the better one is gone", "1 2 1 3", 3, gone(1), 0, NoneUsable},
		{"left behind, but deployed anew since", "1 2 1 2 3", 3, Known{}, 2, Chosen},
		{"a rollback is seen across one that is forgotten", "1 2 ~ 1 3", 3, gone(1), 0, NoneUsable},
		{"what is on hold is passed over", "1 2 3", 3, Known{Held: []string{digest("2")}}, 1, Chosen},
		{"what is written down as left is passed over", "1 2 3", 3, wroteDown(2, 1, 1), 1, Chosen},
		{"unless it was deployed anew since", "1 2 3 2 4", 4, wroteDown(2, 1, 1), 2, Chosen},

		{"the list has only what runs now", "2", 2, Known{Replaced: ran(1)}, 1, Chosen},
		{"the list has nothing", "", 2, Known{Replaced: ran(1)}, 1, Chosen},
		{"it replaced itself alone", "2", 2, Known{Replaced: ran(2)}, 0, NoneBefore},
		{"it replaced itself and another", "2", 2, Known{Replaced: ran(2, 1, 1)}, 1, Chosen},
		{"it replaced several", "", 3, Known{Replaced: ran(1, 2)}, 0, NoHistory},
		{"it replaced several, of which one is on hold", "", 3, Known{Replaced: ran(1, 2), Held: []string{digest("1")}}, 2, Chosen},
		{"what it replaced is not known", "", 3, Known{Replaced: []Deployment{{}}}, 0, NoHistory},
		{"the list knows better", "1 2 3", 3, Known{Replaced: ran(1)}, 2, Chosen},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Choose(deployed(t, test.past), td(test.current), test.known)
			want := ""
			if test.refusal == Chosen {
				want = td(test.want)
			}
			if got.Target.TaskDefinition != want || got.Refusal != test.refusal || got.Why == "" {
				t.Errorf("got %q, %q: %s; want %q, %q", got.Target.Name(), got.Refusal, got.Why, arn.Revision(want), test.refusal)
			}
		})
	}
}

// TestHeldByItsPin passes over a version that is pinned to an image on hold, which ECS did not resolve.
func TestHeldByItsPin(t *testing.T) {
	deployments := deployed(t, "1 2 3")
	deployments[1].Images = []Image{{Container: "api", Image: "repo/api@" + digest("2")}}
	if got := Choose(deployments, td(3), Known{Held: []string{digest("2")}}); got.Target.TaskDefinition != td(1) {
		t.Errorf("got %s: %s", got.Target.Name(), got.Why)
	}
}

// gone knows of revisions that cannot run any more.
func gone(numbers ...int) Known {
	k := Known{Unusable: map[string]string{}}
	for _, n := range numbers {
		k.Unusable[td(n)] = "gone"
	}
	return k
}

// ran are the deployments that revisions are all that is known of.
func ran(numbers ...int) (all []Deployment) {
	for _, n := range numbers {
		all = append(all, Deployment{TaskDefinition: td(n), Images: []Image{{Container: "api", Digest: digest(fmt.Sprint(n))}}})
	}
	return all
}

// TestChooseSaysWhy reads the sentences that a person gets.
func TestChooseSaysWhy(t *testing.T) {
	for _, test := range []struct {
		past    string
		current int
		known   Known
		want    string
		options []string
	}{
		{"", 1, Known{}, "ECS lists no deployment of the service; it keeps them for 90 days.", nil},
		{"2 3", 1, Known{}, "None of the 2 deployments that ECS lists deployed api:1, which runs now.", []string{
			"api:3: it is newer than what runs now", "api:2: it is newer than what runs now"}},
		{"1 2!", 1, Known{}, "The newest deployment of another version, of api:2 at 2026-01-02 03:01:00 UTC, was rolled back already: " +
			"api:1 is what ran before it.", nil},
		{"1 2 1 1", 1, Known{Back: hold.Rollback{From: "api:2", To: "api:1", At: minuteAt(2)}},
			"api:1 came back by a rollback from api:2 at 2026-01-02 03:02:00 UTC. How far to go beyond it is for you to say.",
			[]string{"api:2: it was rolled back from"}},
		{"1 2 1 1", 1, Known{}, "api:1 was deployed again in place of api:2, which was deployed at 2026-01-02 03:01:00 UTC: whether that one " +
			"may be gone back to is not written down anywhere.", []string{"api:2: it was rolled back from"}},
		{"1 2 3=1", 3, Known{Copy: "api:1"}, "api:3 came back by a rollback: it is a copy of api:1, which a rollback registered. How far to go " +
			"beyond it is for you to say.", []string{"api:2: ", "api:1: "}},
		{"1 1", 1, Known{}, "api:1, first deployed at 2026-01-02 03:00:00 UTC, is the oldest version that ECS knows to have succeeded.", nil},
		{"1 1 2 1 2 3 3", 3, Known{Unusable: map[string]string{td(2): "its image is gone"}},
			"api:1 is the newest version that succeeded (deployed at 2026-01-02 03:03:00 UTC) before api:3 was first deployed at " +
				"2026-01-02 03:05:00 UTC.", []string{"api:2: its image is gone", "api:1: "}},
		{"1 2 1 3", 3, Known{Unusable: map[string]string{td(1): "its image is gone"}},
			"None of the versions that succeeded before api:3 can be gone back to.",
			[]string{"api:1: its image is gone", "api:2: it was rolled back from"}},
		{"1 2 3 2! 4 5", 5, Known{Held: []string{digest("3")}},
			"api:4 is the newest version that succeeded (deployed at 2026-01-02 03:04:00 UTC) before api:5 was first deployed at " +
				"2026-01-02 03:05:00 UTC.",
			[]string{"api:4: ", "api:3: its image is on hold since a rollback", "api:2: its newest deployment failed", "api:1: "}},
		{"2", 2, Known{Replaced: ran(1, 1, 2)}, "api:1 is what api:2 replaced, as its deployment says.", []string{"api:1: "}},
		{"", 3, Known{Replaced: append(ran(1), Deployment{})}, "api:1 is what api:3 replaced, as its deployment says.", []string{"api:1: "}},
		{"~ 1 2", 2, Known{Met: map[string]bool{td(1): true}}, "None of the versions that succeeded before api:2 can be gone back to.",
			[]string{"api:1: it was to be left when this run began"}},
		{"1 2 3", 2, Known{}, "api:2 was deployed again in place of api:3, which was deployed at 2026-01-02 03:02:00 UTC: whether that one " +
			"may be gone back to is not written down anywhere.", []string{"api:3: it is newer than what runs now", "api:1: "}},
		{"", 3, Known{Replaced: ran(1, 2)}, "api:3 replaced several versions at once.", []string{"api:1: ", "api:2: "}},
	} {
		deployments := deployed(t, test.past)
		before := slices.Clone(deployments)
		got := Choose(deployments, td(test.current), test.known)
		var options []string
		for _, o := range got.Options {
			options = append(options, o.Deployment.Name()+": "+o.Why)
		}
		if got.Why != test.want || !slices.Equal(options, test.options) {
			t.Errorf("%s:\ngot  %s %q\nwant %s %q", test.past, got.Why, options, test.want, test.options)
		}
		if !slices.EqualFunc(before, deployments, func(a, b Deployment) bool { return a.ARN == b.ARN }) {
			t.Errorf("%s: the caller's deployments are in another order now", test.past)
		}
	}
}

// TestSecondRollbackNeverReturnsToTheFirstOnesOrigin rolls back twice at the end of several histories, whether it was written down
// or not.
func TestSecondRollbackNeverReturnsToTheFirstOnesOrigin(t *testing.T) {
	for _, text := range []string{"1 2", "1 2 3", "1 2! 3 4", "5 3 9", "1 2 1 3", "1 1 2 2"} {
		before := deployed(t, text)
		bad := before[0].TaskDefinition
		choice := Choose(before, bad, Known{})
		if choice.Refusal != Chosen {
			t.Errorf("%s: refused: %s", text, choice.Why)
			continue
		}
		_, number, _ := strings.Cut(choice.Target.Name(), ":")
		after := deployed(t, text+" "+number)
		written := Known{Back: hold.Rollback{From: arn.Revision(bad), To: choice.Target.Name(), At: after[0].Created}}
		for _, known := range []Known{{}, written} {
			if second := Choose(after, choice.Target.TaskDefinition, known); second.Refusal != CameBack {
				t.Errorf("%s: a second rollback goes to %q (%s)", text, second.Target.Name(), second.Why)
			}
		}
	}
}

func TestFind(t *testing.T) {
	deployments := deployed(t, "1 2 3- 4=2")
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
		{"v1.2.3", "", "not a revision number"},
		{"0", "", "not a revision number"},
	} {
		got, err := Find(deployments, nil, test.to, td(4))
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
		got, err := Find(deployments, nil, test.to, td(4))
		if err != nil || (got.Deployment == nil) != (test.want == "") || got.Deployment != nil && got.Deployment.ARN != test.want {
			t.Errorf("%s: got %+v, %v; want the deployment %q", test.to, got.Deployment, err, test.want)
		}
	}
}

func TestFindTheNewestOfSeveral(t *testing.T) {
	deployments := deployed(t, "1 2 1 2 3")
	for to, want := range map[string]string{"1": deployments[2].ARN, digest("2"): deployments[1].ARN, "3": deployments[0].ARN} {
		if got, err := Find(deployments, nil, to, td(3)); err != nil || got.Deployment == nil || got.Deployment.ARN != want {
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
		{"-1", "", "not a revision number"},
		{"", "", "not a revision number"},
		{"99999999999999999999", "", "not a revision number"},
		{"api:", "", "not a revision number"},
		{":5", "", "not a revision number"},
		{deployment.ARN, td(7), ""},
		{forgotten.ARN, "", "lists no deployment"}, // ECS does not know its revision any more
		{"sha256:" + hex, td(7), ""},
		{hex, td(7), ""},
		{hex[:12], td(7), ""},
		{"sha256:" + hex[:12], td(7), ""},
		{"sha256:" + hex[:11], "", "not a revision number"}, // too short for a digest
		{hex[:11], "", "not a revision number"},
		{hex + "0", "", "not a revision number"}, // too long for one
		{"sha256:" + hex + "0", "", "not a revision number"},
		{"sha256:" + strings.ToUpper(hex), "", "not a revision number"},
		{hex[:20] + "g", "", "not a revision number"},
		{"sha256:" + hex[:20] + "g", "", "not a revision number"},
		{numbers, td(7), ""},                   // 64 digits are a digest
		{"sha256:" + numbers[:12], td(7), ""},  // and fewer after the prefix
		{"123456789012", td(123456789012), ""}, // without it they are a number
		{numbers[:63], "", "not a revision number"},
	} {
		got, err := Find(deployments, nil, test.to, td(4))
		if got.TaskDefinition != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%q: got %q, %v; want %q, %q", test.to, got.TaskDefinition, err, test.want, test.problem)
		}
	}
	if got, err := Find(deployments, nil, "7", "api:4"); err != nil || got.TaskDefinition != "api:7" {
		t.Errorf("where no ARN says account and region: got %q, %v", got.TaskDefinition, err)
	}
}
