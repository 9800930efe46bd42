package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
)

// service reads "2* 1" as a service's deployments, PRIMARY first: revision 2 is in progress and 1 complete; "2x" FAILED, "2<" is being
// rolled back to by ECS. They have the ids ecs-svc/2 and ecs-svc/1, and began at the minutes given, by revision.
func service(text string, minutes map[string]int) ecsview.Snapshot {
	s := ecsview.Snapshot{Desired: 2, Running: 2}
	for i, word := range strings.Fields(text) {
		d := ecsview.Deployment{Status: "ACTIVE", State: "COMPLETED", Running: 2, Desired: 2}
		if i == 0 {
			d.Status = "PRIMARY"
		}
		name := strings.TrimRight(word, "*x<")
		switch word[len(name):] {
		case "*":
			d.State = "IN_PROGRESS"
		case "x":
			d.State = "FAILED"
		case "<":
			d.State, d.Reason = "IN_PROGRESS", "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/"+name+"."
		}
		number, _, _ := strings.Cut(name, "'") // 2' is another deployment of revision 2
		d.ID, d.TaskDefinition, d.Created = "ecs-svc/"+name, prefix+number, minuteAt(minutes[name])
		s.Deployments = append(s.Deployments, d)
	}
	if len(s.Deployments) > 0 {
		s.TaskDefinition = s.Deployments[0].TaskDefinition
	}
	return s
}

func began(minute int) string {
	return fmt.Sprintf("arn:aws:ecs:us-west-2:123456789012:service-deployment/prod/api/%d", minute)
}

// TestSituation holds what a service is said to be doing. A row says what was read, and what would be left for what.
func TestSituation(t *testing.T) {
	begun := hold.Rollback{From: "api:2", To: "api:1", Left: "ecs-svc/2", Step: hold.Begun, At: minuteAt(2)}
	with := func(change func(*hold.Rollback)) hold.Rollback {
		r := begun
		change(&r)
		return r
	}
	for _, test := range []struct {
		name    string
		service string
		minutes map[string]int
		past    string
		seen    Seen
		want    Situation
	}{
		{"nothing at all", "", nil, "", Seen{}, Situation{State: Idle}},
		{"nothing is under way", "2", map[string]int{"2": 1}, "1 2", Seen{}, Situation{State: Idle, Left: td(2)}},
		{"it failed, and nothing was put back", "2x 1", map[string]int{"2": 1}, "1 2-", Seen{}, Situation{State: Idle, Left: td(2)}},
		{"it failed, and its end is not listed yet", "2x 1", map[string]int{"2": 1}, "1 2*", Seen{}, Situation{State: Idle, Left: td(2)}},
		{"a newer one is listed that the service does not show", "1", map[string]int{"1": 0}, "1 2*", Seen{},
			Situation{State: Idle, Left: td(1), Unclear: true}},
		{"a newer one is listed that is over", "1", map[string]int{"1": 0}, "1 2-", Seen{}, Situation{State: Idle, Left: td(1)}},
		{"one is listed that is older than what the service shows", "3", map[string]int{"3": 5}, "1 2*", Seen{},
			Situation{State: Idle, Left: td(3)}},

		{"a deployment", "2* 1", map[string]int{"2": 1}, "1 2*", Seen{},
			Situation{State: Deploying, Left: td(2), Back: td(1), Deployment: began(1)}},
		{"the API is half a second behind", "2* 1", map[string]int{"2": 1}, "1 2*", Seen{Service: ecsview.Snapshot{Pending: 1}},
			Situation{State: Deploying, Left: td(2), Back: td(1), Deployment: began(1)}},
		{"it is not listed yet", "3* 2* 1", map[string]int{"3": 2, "2": 1}, "1 2*", Seen{},
			Situation{State: Deploying, Left: td(3), Back: td(1), Unclear: true}},
		{"one of the same revision is listed, from before", "2* 2' 1", map[string]int{"2": 3, "2'": 1}, "1 2*", Seen{},
			Situation{State: Deploying, Left: td(2), Back: td(2), Unclear: true}},
		{"nothing can be listed", "2* 1", map[string]int{"2": 1}, "", Seen{Unread: true},
			Situation{State: Deploying, Left: td(2), Back: td(1)}},
		{"the first release", "1*", map[string]int{"1": 0}, "1*", Seen{}, Situation{State: Deploying, Left: td(1), Deployment: began(0)}},
		{"several are complete: the newest", "3* 1 2", map[string]int{"3": 2, "2": 1}, "1 2 3*", Seen{},
			Situation{State: Deploying, Left: td(3), Back: td(2), Deployment: began(2)}},
		{"it is listed as over", "2* 1", map[string]int{"2": 1}, "1 2-", Seen{},
			Situation{State: Deploying, Left: td(2), Back: td(1), Unclear: true}},

		{"ECS rolls back", "1* 2x", map[string]int{"1": 3, "2": 1}, "1 2~~", Seen{Undoing: td(1)},
			Situation{State: Returning, Left: td(2), Back: td(1), Deployment: began(1)}},
		{"it does not say where to", "1* 2x", map[string]int{"1": 3, "2": 1}, "1 2~~", Seen{},
			Situation{State: Returning, Left: td(2), Back: td(1), Deployment: began(1)}},
		{"it has only been asked to", "2* 1", map[string]int{"2": 1}, "1 2~~", Seen{},
			Situation{State: Returning, Left: td(2), Back: td(1), Deployment: began(1)}},
		{"and says where to", "2* 1 0", map[string]int{"2": 1}, "0 1 2~~", Seen{Undoing: td(0)},
			Situation{State: Returning, Left: td(2), Back: td(0), Deployment: began(2)}},
		{"a forced deployment is rolled back", "2* 2'", map[string]int{"2": 2, "2'": 1}, "1 2 2~~", Seen{Undoing: td(2)},
			Situation{State: Returning, Left: td(2), Back: td(2), Deployment: began(2)}},
		{"it is written down", "1* 2x", map[string]int{"1": 3, "2": 1}, "1 2~~", Seen{Last: begun},
			Situation{State: Returning, Left: td(2), Back: td(1), Deployment: began(1), Noted: true}},
		{"a newer deployment is under way that is not listed", "3* 1* 2x", map[string]int{"3": 4, "1": 3, "2": 1}, "1 2~~",
			Seen{Undoing: td(1)},
			Situation{State: Deploying, Left: td(3), Unclear: true}},
		{"the only one that is listed is rolled back", "1* 2x", map[string]int{"1": 3, "2": 0}, "2~~", Seen{},
			Situation{State: Returning, Left: td(2), Back: td(1), Deployment: began(0)}},
		{"the only one that is listed is another", "2* 1", map[string]int{"2": 1}, "1", Seen{},
			Situation{State: Deploying, Left: td(2), Back: td(1), Unclear: true}},
		{"it failed, and is listed as begun a minute later", "2x 1", nil, "1 2*", Seen{}, Situation{State: Idle, Left: td(2)}},
		{"the same without the API, beside one that is complete", "1< 3 2x", map[string]int{"1": 4, "3": 2, "2": 1}, "", Seen{},
			Situation{State: Returning, Left: td(2), Back: td(1)}},
		{"beside an older one of the same revision that failed", "1< 1'x 2x", map[string]int{"1": 4, "1'": 2, "2": 1}, "", Seen{},
			Situation{State: Returning, Left: td(2), Back: td(1)}},
		{"ECS rolls back, and the API is not to be had", "1< 2x", map[string]int{"1": 3, "2": 1}, "", Seen{},
			Situation{State: Returning, Left: td(2), Back: td(1)}},
		{"the same, as is written down", "1< 2x", map[string]int{"1": 3, "2": 1}, "", Seen{Last: begun},
			Situation{State: Returning, Left: td(2), Back: td(1), Noted: true}},
		{"the same, of several that failed: the newest", "1< 3x 2x", map[string]int{"1": 3, "2": 1, "3": 2}, "", Seen{},
			Situation{State: Returning, Left: td(3), Back: td(1)}},
		{"what failed is not listed any more", "1<", map[string]int{"1": 3}, "", Seen{},
			Situation{State: Returning, Left: td(1), Back: td(1)}},

		{"a rollback that was written down", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*", Seen{Last: begun},
			Situation{State: Joining, Left: td(2), Back: td(1), Noted: true}},
		{"with the deployment that it began", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: with(func(r *hold.Rollback) { r.Began = "ecs-svc/1" })},
			Situation{State: Joining, Left: td(2), Back: td(1), Noted: true}},
		{"with another one", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: with(func(r *hold.Rollback) { r.Began = "ecs-svc/9" })},
			Situation{State: Deploying, Left: td(1), Back: td(2), Deployment: began(3)}},
		{"that is done", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: with(func(r *hold.Rollback) { r.Step = hold.Done })},
			Situation{State: Deploying, Left: td(1), Back: td(2), Deployment: began(3)}},
		{"to another version", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: with(func(r *hold.Rollback) { r.To = "api:0" })},
			Situation{State: Deploying, Left: td(1), Back: td(2), Deployment: began(3)}},
		{"to itself", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: with(func(r *hold.Rollback) { r.From = "api:1" })},
			Situation{State: Deploying, Left: td(1), Back: td(2), Deployment: began(3)}},
		{"that was about to leave this very deployment", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: with(func(r *hold.Rollback) { r.Left = "ecs-svc/1" })},
			Situation{State: Deploying, Left: td(1), Back: td(2), Deployment: began(3)}},

		{"an older version, by hand", "1* 2", map[string]int{"1": 2, "2": 1}, "1 2 1*", Seen{},
			Situation{State: Deploying, Left: td(1), Back: td(2), Deployment: began(2)}},
		{"the same where nothing can be written down", "1* 2", map[string]int{"1": 2, "2": 1}, "1 2 1*", Seen{Unwritten: true},
			Situation{State: Joining, Left: td(2), Back: td(1)}},
		{"a release that failed puts back what it replaced", "1* 2x 1'", map[string]int{"1": 2, "2": 1}, "1 2- 1*", Seen{},
			Situation{State: Joining, Left: td(2), Back: td(1)}},
		{"what it replaced is back already, and is deployed anew", "1* 1'", map[string]int{"1": 2, "1'": 0}, "1 2^ 1*", Seen{},
			Situation{State: Deploying, Left: td(1), Back: td(1), Deployment: began(2)}},
		{"the way back of ECS failed, and a release puts it back", "1* 2x 1'", map[string]int{"1": 2, "2": 1}, "1 2? 1*", Seen{},
			Situation{State: Joining, Left: td(2), Back: td(1)}},
		{"a newer version goes forward again", "2* 1", map[string]int{"2": 3, "1": 2}, "1 2 1 2*", Seen{Unwritten: true},
			Situation{State: Deploying, Left: td(2), Back: td(1), Deployment: began(3)}},
		{"a forced deployment after an older one came back", "1* 1'", map[string]int{"1": 3, "1'": 2}, "1 2 1 1*", Seen{Unwritten: true},
			Situation{State: Deploying, Left: td(1), Back: td(1), Deployment: began(3)}},
		{"a new version", "3* 2", map[string]int{"3": 2, "2": 1}, "1 2 3*", Seen{Unwritten: true},
			Situation{State: Deploying, Left: td(3), Back: td(2), Deployment: began(2)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := test.seen
			seen.Service, seen.Deployments = service(test.service, test.minutes), deployed(t, test.past)
			if got := SituationOf(seen); got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestOwn tells a deployment's own entry from those of others.
func TestOwn(t *testing.T) {
	d := ecsview.Deployment{TaskDefinition: td(2), Created: minuteAt(5)}
	listed := func(arn string, n int, status types.ServiceDeploymentStatus, off time.Duration) Deployment {
		return Deployment{ARN: arn, TaskDefinition: td(n), Status: status, Created: minuteAt(5).Add(off)}
	}
	for _, test := range []struct {
		name   string
		listed []Deployment
		want   string
	}{
		{"at the same moment", []Deployment{listed("a", 2, "IN_PROGRESS", 0)}, "a"},
		{"a second before", []Deployment{listed("a", 2, "IN_PROGRESS", -time.Second)}, "a"},
		{"more than a second before", []Deployment{listed("a", 2, "IN_PROGRESS", -time.Second-1)}, ""},
		{"of another revision", []Deployment{listed("a", 1, "IN_PROGRESS", 0)}, ""},
		{"that is over", []Deployment{listed("a", 2, "SUCCESSFUL", 0)}, ""},
		{"the first of several", []Deployment{listed("b", 2, "IN_PROGRESS", time.Minute), listed("a", 2, "PENDING", time.Second)}, "a"},
		{"none", nil, ""},
	} {
		if got := ownOf(d, test.listed); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestDecide holds what a rollback to the previous version does.
func TestDecide(t *testing.T) {
	begun := hold.Rollback{From: "api:2", To: "api:1", Left: "ecs-svc/2", Step: hold.Begun, At: minuteAt(2)}
	done := begun
	done.Step = hold.Done
	for _, test := range []struct {
		name     string
		service  string
		minutes  map[string]int
		past     string
		seen     Seen
		known    Known
		do       Do
		left     int
		back     int // 0: none
		ran      int // the minute of the deployment that is gone back to; -1: none is listed
		deployed string
	}{
		{"to the version before", "3", map[string]int{"3": 2}, "1 2 3", Seen{}, Known{}, Update, 3, 2, 1, ""},
		{"nowhere to go", "1", map[string]int{"1": 0}, "1", Seen{}, Known{}, Ask, 1, 0, -1, ""},
		{"the API tells nothing", "2", map[string]int{"2": 1}, "", Seen{Unread: true}, Known{}, Ask, 2, 0, -1, ""},
		{"what the running deployment replaced", "2", map[string]int{"2": 1}, "", Seen{}, Known{Replaced: ran(1)}, Update, 2, 1, -2, ""},

		{"a deployment is stopped", "3* 2", map[string]int{"3": 2, "2": 1}, "1 2 3*", Seen{}, Known{}, Stop, 3, 2, 1, began(2)},
		{"or replaced, where the API is not to be had", "3* 2", map[string]int{"3": 2, "2": 1}, "",
			Seen{Unread: true}, Known{}, Update, 3, 2, -1, ""},
		{"ECS would go back to the same version", "2* 2'", map[string]int{"2": 2, "2'": 1}, "1 2 2*", Seen{}, Known{}, Update, 2, 1, 0, ""},
		{"ECS has nothing to go back to", "3* 2* 1*", map[string]int{"3": 2, "2": 1}, "1 2 3*", Seen{}, Known{}, Update, 3, 2, 1, ""},
		{"nothing to go back to, after a rollback of others", "3* 2* 1*", map[string]int{"3": 4, "2": 1}, "0 1 2 1 3*",
			Seen{}, Known{Back: done},
			Update, 3, 1, 3, ""},
		{"the API is not to be had, and what is complete was left", "3* 2", map[string]int{"3": 4, "2": 1}, "", Seen{Unread: true},
			Known{Back: done}, Ask, 3, 0, -1, ""},
		{"ECS would go back to what is on hold", "3* 2", map[string]int{"3": 2, "2": 1}, "1 2 3*",
			Seen{}, Known{Held: []string{digest("2")}},
			Update, 3, 1, 0, ""},
		{"to what a rollback left", "3* 2", map[string]int{"3": 3, "2": 1}, "1 2 1- 3*",
			Seen{Last: begun}, Known{Back: begun}, Update, 3, 1, 0, ""},
		{"to what was left, as the list shows", "3* 2", map[string]int{"3": 3, "2": 1}, "1 2 1 3*", Seen{}, Known{}, Update, 3, 1, 2, ""},
		{"to what was to be left at an earlier look", "3* 2", map[string]int{"3": 2, "2": 1}, "1 2 3*", Seen{},
			Known{Met: map[string]bool{td(2): true}}, Update, 3, 1, 0, ""},
		{"to what was left, but deployed anew since", "3* 2", map[string]int{"3": 4, "2": 3}, "1 2 1 2 3*",
			Seen{}, Known{Back: done}, Stop, 3, 2, 3,
			began(4)},

		{"ECS rolls back already", "1* 2x", map[string]int{"1": 3, "2": 1}, "1 2~~",
			Seen{Undoing: td(1)}, Known{}, Await, 2, 1, 0, began(1)},
		{"to the very version that is to be left", "2* 2'", map[string]int{"2": 2, "2'": 1}, "1 2 2~~", Seen{Undoing: td(2)}, Known{},
			Update, 2, 1, 0, ""},
		{"a rollback is on its way", "1* 2", map[string]int{"1": 3, "2": 1}, "1 2 ~ 1*",
			Seen{Last: begun}, Known{Back: begun}, Join, 2, 1, 0, ""},
		{"it has arrived", "1", map[string]int{"1": 3}, "1 2 1",
			Seen{Last: begun, Now: minuteAt(50)}, Known{Back: begun}, Finish, 2, 1, 2, ""},
		{"it has arrived, and says so", "1", map[string]int{"1": 3}, "1 2 1",
			Seen{Last: done, Now: minuteAt(50)}, Known{Back: done}, Ask, 1, 0, -1, ""},
		{"it arrived long ago", "1", map[string]int{"1": 3}, "1 2 1",
			Seen{Last: begun, Now: minuteAt(62)}, Known{Back: begun}, Ask, 1, 0, -1, ""},
		{"it has failed", "1x", map[string]int{"1": 3}, "1 2 1-",
			Seen{Last: begun, Now: minuteAt(5)}, Known{Back: begun}, Ask, 1, 0, -1, ""},
		{"what was to be left is gone by itself", "1", map[string]int{"1": 3}, "1 2^", Seen{}, Known{Met: map[string]bool{td(2): true}},
			Finish, 2, 1, 0, ""},
		{"what was to be left is there", "2", map[string]int{"2": 1}, "1 2",
			Seen{}, Known{Met: map[string]bool{td(2): true}}, Update, 2, 1, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := test.seen
			seen.Service, seen.Deployments = service(test.service, test.minutes), deployed(t, test.past)
			got := Decide(seen, test.known)
			want := ""
			if test.back > 0 {
				want = td(test.back)
			}
			if got.Do != test.do || got.Left != td(test.left) || got.Back != want || got.Deployment != test.deployed || got.Why == "" {
				t.Errorf("got %s from %s to %s by %q: %s", got.Do, arn.Revision(got.Left), arn.Revision(got.Back), got.Deployment, got.Why)
			}
			switch {
			case test.ran >= 0 && (got.Ran == nil || got.Ran.ARN != began(test.ran)), test.ran == -1 && got.Ran != nil,
				test.ran == -2 && (got.Ran == nil || len(got.Ran.Images) == 0):
				t.Errorf("what ran is %+v", got.Ran)
			}
			if noted := got.Do == Join || got.Do == Finish && len(test.known.Met) == 0; got.Noted != noted {
				t.Errorf("that it is written down is said to be %v", got.Noted)
			}
		})
	}
}

// TestDecideAboutNothing holds that a service without a deployment is asked about.
func TestDecideAboutNothing(t *testing.T) {
	if got := Decide(Seen{Last: hold.Rollback{From: "api:2", To: "api:1", Step: hold.Begun}}, Known{}); got.Do != Ask || got.Why == "" {
		t.Errorf("got %+v", got)
	}
}
