package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/org/connect2/v2/internal/arn"
)

// Refusal says why there is nothing to go back to without being told where to.
type Refusal string

// The refusals.
const (
	Chosen     Refusal = ""            // there is a target
	NoHistory  Refusal = "no history"  // the API lists nothing that helps
	CameBack   Refusal = "came back"   // what runs now was put back by a rollback already
	NoneUsable Refusal = "none usable" // the versions before cannot be run any more
	NoneBefore Refusal = "none before" // what runs now is the first that succeeded
)

// Choice is what a rollback goes back to, or why it goes nowhere.
type Choice struct {
	Target   Deployment // zero unless Refusal is Chosen
	Refusal  Refusal
	Why      string // the reason for either, in one or two sentences
	Rejected []Rejected
}

// Rejected is a deployment that succeeded before what runs now, and why it is not the target.
type Rejected struct {
	Deployment Deployment
	Why        string
}

// Choose chooses the target of a rollback to the previous version: the newest deployment that succeeded, of another task
// definition, older than the first deployment of what runs now, that was not itself rolled back from and can still run.
//
// current is the ARN of the task definition that runs now. unusable holds, by ARN, why a task definition cannot be run any
// more: deregistered and not to be registered again, or its image gone.
//
// Where what runs now was put back by a rollback, nothing is chosen: the version before that is what somebody wanted to
// leave, so going further must be somebody's decision.
func Choose(deployments []Deployment, current string, unusable map[string]string) Choice {
	deployments = slices.Clone(deployments)
	slices.SortStableFunc(deployments, func(a, b Deployment) int { return a.Created.Compare(b.Created) }) // oldest first
	if len(deployments) == 0 {
		return Choice{Refusal: NoHistory, Why: "ECS lists no deployment of the service; it keeps them for 90 days."}
	}
	if newest := deployments[len(deployments)-1]; newest.RolledBack() && newest.TaskDefinition != current {
		return Choice{Refusal: CameBack,
			Why: fmt.Sprintf("The newest deployment, of %s at %s, was rolled back already: %s is what ran before it.",
				newest.Name(), clock(newest.Created), arn.Revision(current))}
	}
	first, found := firstOf(deployments, current)
	if !found {
		return Choice{Refusal: NoHistory, Why: fmt.Sprintf("None of the %d deployments that ECS lists deployed %s, which runs now.",
			len(deployments), arn.Revision(current))}
	}
	if left, back := leftFor(deployments, current); back {
		return Choice{Refusal: CameBack, Why: fmt.Sprintf("%s came back by a rollback from %s at %s, so how far to go beyond it is not for "+
			"this program to decide.",
			arn.Revision(current), left.from.Name(), clock(left.at))}
	}
	return pickFrom(deployments, current, first, unusable)
}

func pickFrom(deployments []Deployment, current string, first time.Time, unusable map[string]string) Choice {
	choice := Choice{Refusal: NoneBefore, Why: fmt.Sprintf("%s, first deployed at %s, is the oldest version that ECS knows to have succeeded.",
		arn.Revision(current), clock(first))}
	abandoned := abandonedIn(deployments)
	seen := map[string]bool{current: true, "": true}
	for _, d := range slices.Backward(deployments) {
		if !d.Succeeded() || seen[d.TaskDefinition] || !d.Created.Before(first) {
			continue
		}
		seen[d.TaskDefinition] = true
		why := unusable[d.TaskDefinition]
		if why == "" && abandoned[d.TaskDefinition] {
			why = "it was rolled back from"
		}
		if why != "" {
			choice.Rejected = append(choice.Rejected, Rejected{d, why})
			continue
		}
		choice.Target, choice.Refusal = d, Chosen
		choice.Why = fmt.Sprintf("%s is the newest version that succeeded (deployed at %s) before %s was first deployed at %s.",
			d.Name(), clock(d.Created), arn.Revision(current), clock(first))
		return choice
	}
	if len(choice.Rejected) > 0 {
		choice.Refusal = NoneUsable
		choice.Why = fmt.Sprintf("None of the versions that succeeded before %s can be gone back to.", arn.Revision(current))
	}
	return choice
}

// Candidates returns the deployments that Choose could choose, newest first, one per task definition, so that only these need
// to be checked for whether they can still run.
func Candidates(deployments []Deployment, current string) []Deployment {
	var candidates []Deployment
	choice := Choose(deployments, current, nil)
	unusable := map[string]string{}
	for choice.Refusal == Chosen {
		candidates = append(candidates, choice.Target)
		unusable[choice.Target.TaskDefinition] = "looked at"
		choice = Choose(deployments, current, unusable)
	}
	return candidates
}

// firstOf returns when the task definition was first deployed with success, or first deployed at all if it never was.
func firstOf(oldestFirst []Deployment, taskDefinition string) (first time.Time, found bool) {
	for _, d := range oldestFirst {
		if d.TaskDefinition != taskDefinition {
			continue
		}
		if d.Succeeded() {
			return d.Created, true
		}
		if !found {
			first, found = d.Created, true
		}
	}
	return first, found
}

// departure is a rollback: which deployment was left, and when.
type departure struct {
	from Deployment
	at   time.Time
}

// departures visits each step from one task definition that succeeded to another, and says whether it was a step back: to
// a task definition, or to images, that had succeeded before those that they replaced first did. An old image that was
// deployed again under a new revision is a step back as well, however it came about: the wish was the same.
func departures(oldestFirst []Deployment, visit func(from, to Deployment, back bool)) {
	firstRevision, firstImages := map[string]time.Time{}, map[string]time.Time{}
	var before Deployment
	for _, d := range oldestFirst {
		if !d.Succeeded() || d.TaskDefinition == "" {
			continue
		}
		remember(firstRevision, d.TaskDefinition, d.Created)
		remember(firstImages, d.images(), d.Created)
		if before.TaskDefinition != "" && before.TaskDefinition != d.TaskDefinition {
			visit(before, d, firstRevision[d.TaskDefinition].Before(firstRevision[before.TaskDefinition]) ||
				firstImages[d.images()].Before(firstImages[before.images()]))
		}
		before = d
	}
}

func remember(first map[string]time.Time, key string, at time.Time) {
	if _, known := first[key]; !known {
		first[key] = at
	}
}

// leftFor returns what the current task definition came back from, if it did: it had succeeded before the last deployment of
// another, whether that one succeeded or not, or its images had.
func leftFor(oldestFirst []Deployment, current string) (left departure, back bool) {
	departures(oldestFirst, func(from, to Deployment, isBack bool) {
		if to.TaskDefinition == current {
			left, back = departure{from, to.Created}, isBack
		}
	})
	if back {
		return left, true
	}
	for i, d := range slices.Backward(oldestFirst) {
		if d.TaskDefinition == current || d.TaskDefinition == "" {
			continue
		}
		worked := slices.ContainsFunc(oldestFirst[:i], func(earlier Deployment) bool {
			return earlier.TaskDefinition == current && earlier.Succeeded()
		})
		return departure{d, d.Created}, worked
	}
	return departure{}, false
}

// abandonedIn returns the task definitions that a rollback left behind and that were not deployed anew since.
func abandonedIn(oldestFirst []Deployment) map[string]bool {
	abandoned := map[string]bool{}
	departures(oldestFirst, func(from, to Deployment, back bool) {
		abandoned[to.TaskDefinition] = false
		abandoned[from.TaskDefinition] = back
	})
	return abandoned
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
