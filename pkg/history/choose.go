package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/hold"
)

// Refusal says why there is nothing to go back to without being told where to.
type Refusal string

// The refusals.
const (
	Chosen     Refusal = ""            // there is a target
	NoHistory  Refusal = "no history"  // the API lists nothing that helps
	CameBack   Refusal = "came back"   // what runs now was put back already
	NoneUsable Refusal = "none usable" // the versions before cannot be run any more
	NoneBefore Refusal = "none before" // what runs now is the first that succeeded
)

// Choice is what a rollback goes back to, or why it goes nowhere.
type Choice struct {
	Target  Deployment // zero unless Refusal is Chosen
	Refusal Refusal
	Why     string   // the reason for either, in one or two sentences
	Options []Option // every other version that succeeded, newest first
}

// Option is a version that succeeded. A person may name each; Why says why it is not taken without being named, "" for the target
// and for those that are older than it.
type Option struct {
	Deployment Deployment // the newest of this version that succeeded
	Why        string
}

// Known is what is known besides the list of deployments. The zero value knows nothing.
type Known struct {
	Back     hold.Rollback     // the last rollback, as it was written down
	Held     []string          // digests that a rollback has put on hold
	Copy     string            // what runs now is a copy of this revision, registered by a rollback; "" if it is not
	Unusable map[string]string // by ARN, why a task definition cannot be run any more: deregistered, or its image gone
	Failed   map[string]bool   // by ARN, the task definitions that the release which made them took away, since they failed
	Met      map[string]bool   // by ARN, what this run was to leave at an earlier look
	Replaced []Deployment      // what ran when the deployment of what runs now began; older than what ECS lists
}

// Choose chooses the target of a rollback to the previous version: the newest deployment that succeeded, of another task
// definition, older than the first deployment of what runs now, that was not itself rolled back from and can still run.
//
// current is the ARN of the task definition that is to be left. That it came back by a rollback is known from what the rollback
// wrote, or from the same task definition having been deployed again. Then nothing is chosen: the version before that is what
// somebody wanted to leave, so going further must be somebody's decision. A newer version that failed by itself is no such wish;
// where one version alone is left to go back to, it is chosen.
func Choose(deployments []Deployment, current string, known Known) Choice {
	p := newPast(deployments, current, known)
	choice := p.choose()
	choice.Options = p.options()
	return choice
}

func newPast(deployments []Deployment, current string, known Known) past {
	p := past{current: current, known: known}
	p.all = slices.SortedStableFunc(slices.Values(deployments), func(a, b Deployment) int { return a.Created.Compare(b.Created) })
	p.left = p.leftBehind()
	p.first, p.listed = firstOf(p.all, current)
	return p
}

// past is the history of a service, as a choice looks at it.
type past struct {
	all     []Deployment // oldest first
	current string
	known   Known
	left    map[string]bool // task definitions that a rollback left behind and that were not deployed anew since
	first   time.Time       // when the current one was first deployed
	listed  bool            // it is in the list at all
}

func (p past) choose() Choice {
	if why := p.cameBack(); why != "" {
		return Choice{Refusal: CameBack, Why: why + " How far to go beyond it is for you to say."}
	}
	failed, why := p.lastTry()
	if why != "" {
		return Choice{Refusal: CameBack, Why: why}
	}
	choice := p.pick()
	if choice.Refusal != Chosen {
		choice = p.replaced(choice)
	}
	several := len(p.usable()) > 1
	if failed != nil && (several || choice.Refusal == NoneBefore) {
		return Choice{Refusal: CameBack, Why: p.rolledBack(*failed)}
	}
	return choice
}

// cameBack says by which rollback the current task definition came back, or "".
func (p past) cameBack() string {
	back, name := p.known.Back, arn.Revision(p.current)
	if back.To == name && back.From != name && !p.succeededAfter(back.At) {
		return fmt.Sprintf("%s came back by a rollback from %s at %s.", name, back.From, clock(back.At))
	}
	if p.known.Copy != "" {
		return fmt.Sprintf("%s came back by a rollback: it is a copy of %s, which a rollback registered.", name, p.known.Copy)
	}
	return ""
}

// succeededAfter reports whether another version than the current one was deployed with success after a moment.
func (p past) succeededAfter(at time.Time) bool {
	return slices.ContainsFunc(p.all, func(d Deployment) bool {
		return d.Succeeded() && d.TaskDefinition != p.current && d.Created.After(at)
	})
}

// lastTry looks at the last deployment of another version, if the current one was in force before it and is so again: whether it
// failed by itself, or why it is not clear what to go back to.
func (p past) lastTry() (failed *Deployment, why string) {
	i := len(p.all) - 1
	for i >= 0 && (p.all[i].TaskDefinition == p.current || p.all[i].TaskDefinition == "") {
		i--
	}
	if i < 0 {
		return nil, ""
	}
	last := p.all[i]
	worked := slices.ContainsFunc(p.all[:i], func(d Deployment) bool { return d.TaskDefinition == p.current && d.Succeeded() })
	newest := i == len(p.all)-1
	switch {
	case !worked && !(newest && last.RolledBack()):
		return nil, ""
	case last.Succeeded():
		return nil, fmt.Sprintf("%s was deployed again in place of %s, which was deployed at %s: whether that one may be gone back to is not "+
			"written down anywhere.", arn.Revision(p.current), last.Name(), clock(last.Created))
	case !p.failedByItself(last):
		return nil, p.rolledBack(last)
	}
	return &last, ""
}

func (p past) rolledBack(last Deployment) string {
	return fmt.Sprintf("The newest deployment of another version, of %s at %s, was rolled back already: %s is what ran before it.",
		last.Name(), clock(last.Created), arn.Revision(p.current))
}

// failedByItself reports whether a deployment ended without anybody's wish to leave it: ECS gave it up, or the release that made its
// revision took it away.
func (p past) failedByItself(d Deployment) bool {
	reason := strings.ToLower(d.Reason)
	return strings.Contains(reason, "circuit breaker") || strings.Contains(reason, "alarm") || p.known.Failed[d.TaskDefinition]
}

// pick takes the newest version that can be gone back to.
func (p past) pick() Choice {
	if len(p.all) == 0 {
		return Choice{Refusal: NoHistory, Why: "ECS lists no deployment of the service; it keeps them for 90 days."}
	}
	if !p.listed {
		return Choice{Refusal: NoHistory, Why: fmt.Sprintf("None of the %d deployments that ECS lists deployed %s, which runs now.",
			len(p.all), arn.Revision(p.current))}
	}
	older := p.older()
	if len(older) == 0 {
		return Choice{Refusal: NoneBefore, Why: fmt.Sprintf("%s, first deployed at %s, is the oldest version that ECS knows to have succeeded.",
			arn.Revision(p.current), clock(p.first))}
	}
	for _, d := range older {
		if p.whyNot(d) == "" {
			return Choice{Target: d, Why: fmt.Sprintf("%s is the newest version that succeeded (deployed at %s) before %s was first deployed at %s.",
				d.Name(), clock(d.Created), arn.Revision(p.current), clock(p.first))}
		}
	}
	return Choice{Refusal: NoneUsable,
		Why: fmt.Sprintf("None of the versions that succeeded before %s can be gone back to.", arn.Revision(p.current))}
}

// replaced goes by what the deployment of the current version replaced, where the list does not reach back that far.
func (p past) replaced(refused Choice) Choice {
	var all []Deployment
	for _, d := range p.known.Replaced {
		other := func(o Deployment) bool { return o.TaskDefinition == d.TaskDefinition }
		if d.TaskDefinition != "" && d.TaskDefinition != p.current && p.whyNot(d) == "" && !slices.ContainsFunc(all, other) {
			all = append(all, d)
		}
	}
	switch len(all) {
	case 0:
		return refused
	case 1:
		return Choice{Target: all[0], Why: fmt.Sprintf("%s is what %s replaced, as its deployment says.", all[0].Name(), arn.Revision(p.current))}
	}
	return Choice{Refusal: refused.Refusal, Why: fmt.Sprintf("%s replaced several versions at once.", arn.Revision(p.current))}
}

// succeeded returns the newest deployment that succeeded of each other version, newest first.
func (p past) succeeded() []Deployment {
	var all []Deployment
	seen := map[string]bool{p.current: true, "": true}
	for _, d := range slices.Backward(p.all) {
		if d.Succeeded() && !seen[d.TaskDefinition] {
			seen[d.TaskDefinition] = true
			all = append(all, d)
		}
	}
	return all
}

// older returns, newest first, the newest deployment of each other version that succeeded before the current one was first deployed.
func (p past) older() []Deployment {
	var all []Deployment
	seen := map[string]bool{"": true}
	for _, d := range slices.Backward(p.all) {
		if d.Succeeded() && !seen[d.TaskDefinition] && d.Created.Before(p.first) {
			seen[d.TaskDefinition] = true
			all = append(all, d)
		}
	}
	return all
}

// usable returns those of the older versions that nothing speaks against.
func (p past) usable() []Deployment {
	return slices.DeleteFunc(p.older(), func(d Deployment) bool { return p.whyNot(d) != "" })
}

// whyNot says why a version that succeeded is not gone back to, or "".
func (p past) whyNot(d Deployment) string {
	switch why := p.known.Unusable[d.TaskDefinition]; {
	case why != "":
		return why
	case p.known.Met[d.TaskDefinition]:
		return "it was to be left when this run began"
	case p.left[d.TaskDefinition]:
		return "it was rolled back from"
	case p.held(d):
		return "its image is on hold since a rollback"
	case p.failedSince(d):
		return "its newest deployment failed"
	}
	return ""
}

func (p past) held(d Deployment) bool {
	return slices.ContainsFunc(d.Images, func(image Image) bool {
		_, pinned, _ := strings.Cut(image.Image, "@")
		return slices.ContainsFunc(p.known.Held, func(held string) bool { return held == image.Digest || held == pinned })
	})
}

// failedSince reports whether the newest deployment of a version that succeeded once failed by itself.
func (p past) failedSince(d Deployment) bool {
	for _, newer := range slices.Backward(p.all) {
		if newer.TaskDefinition == d.TaskDefinition {
			return !newer.Succeeded() && p.failedByItself(newer)
		}
	}
	return false
}

func (p past) options() []Option {
	var all []Option
	older := p.older()
	for _, d := range p.succeeded() {
		why := p.whyNot(d)
		was := func(o Deployment) bool { return o.TaskDefinition == d.TaskDefinition }
		if why == "" && !slices.ContainsFunc(older, was) {
			why = "it is newer than what runs now"
		}
		all = append(all, Option{d, why})
	}
	for _, d := range p.known.Replaced {
		listed := slices.ContainsFunc(all, func(o Option) bool { return o.Deployment.TaskDefinition == d.TaskDefinition })
		if d.TaskDefinition != "" && d.TaskDefinition != p.current && !listed {
			all = append(all, Option{d, p.whyNot(d)})
		}
	}
	return all
}

// leftBehind returns the task definitions that a rollback left behind and that were not deployed anew since: the one that was
// written down, and each that an older one took the place of by being deployed again.
func (p past) leftBehind() map[string]bool {
	left, firstAt := map[string]bool{}, map[string]time.Time{}
	before := ""
	for _, d := range p.all {
		if !d.Succeeded() || d.TaskDefinition == "" {
			continue
		}
		if _, known := firstAt[d.TaskDefinition]; !known {
			firstAt[d.TaskDefinition] = d.Created
		}
		left[d.TaskDefinition] = d.Name() == p.known.Back.From && !d.Created.After(p.known.Back.At)
		left[before] = left[before] || firstAt[d.TaskDefinition].Before(firstAt[before])
		before = d.TaskDefinition
	}
	return left
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

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
