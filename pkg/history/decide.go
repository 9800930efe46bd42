package history

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/hold"
)

// Do is what a rollback to the previous version does.
type Do string

// What a rollback does.
const (
	Stop   Do = "stop"   // stop the deployment that is in progress, with a rollback
	Await  Do = "await"  // follow the rollback that ECS has begun
	Join   Do = "join"   // follow the deployment that goes back already
	Finish Do = "finish" // it has arrived, though the run that began it did not see that
	Update Do = "update" // update the service to an earlier version
	Ask    Do = "ask"    // it has to be told where to go
)

// Plan is what a rollback to the previous version does, and why.
type Plan struct {
	Do         Do
	Left       string      // ARN of the task definition that is left
	Back       string      // ARN of the one that serves afterwards; "" where it has to be asked for
	Ran        *Deployment // of Back, the deployment that succeeded, with its images; nil where none is listed
	Deployment string      // ARN of the service deployment that is stopped or followed; "" where it is not known
	Noted      bool        // it is the rollback that was written down
	Why        string
	Choice     Choice // by history: what there is to go back to, whatever is done
}

// recent is how long after a rollback was begun a run counts as a repetition of it.
const recent = time.Hour

// Decide says what a rollback to the previous version does. It never ends on the version that it is to leave: what ECS would go back
// to by itself is taken only if it is another version, and not one that a rollback left behind.
func Decide(s Seen, known Known) Plan {
	now := SituationOf(s)
	p := Plan{Left: now.Left, Back: now.Back, Deployment: now.Deployment, Noted: now.Noted, Choice: Choose(s.Deployments, now.Left, known)}
	primary, goesBack := s.Service.Primary(), sound(s, known, now)
	switch {
	case now.State == Joining:
		p.Do = Join
		p.Why = fmt.Sprintf("The service is on its way from %s to %s already.", arn.Revision(now.Left), arn.Revision(now.Back))
	case now.State == Returning && now.Left != now.Back:
		p.Do = Await
		p.Why = fmt.Sprintf("The deployment of %s is being rolled back to %s already.", arn.Revision(now.Left), arn.Revision(now.Back))
	case goesBack && now.Deployment != "":
		p.Do = Stop
		p.Why = fmt.Sprintf("A deployment of %s is in progress, and %s is what ECS goes back to.", arn.Revision(now.Left), arn.Revision(now.Back))
	case goesBack:
		p.Do = Update
		p.Why = fmt.Sprintf("A deployment of %s is in progress, and %s, which it replaces, is complete.", arn.Revision(now.Left),
			arn.Revision(now.Back))
	case primary != nil && primary.State == "COMPLETED" && brings(s.Last, *primary) && s.Now.Sub(s.Last.At) < recent:
		p.Do, p.Left, p.Back, p.Noted = Finish, arn.Sibling(now.Left, s.Last.From), now.Left, true
		p.Why = fmt.Sprintf("The rollback from %s to %s that was begun at %s has arrived.", s.Last.From, s.Last.To, clock(s.Last.At))
	case now.State == Idle && len(known.Met) > 0 && !known.Met[now.Left]:
		p.Do, p.Left, p.Back = Finish, slices.Sorted(maps.Keys(known.Met))[0], now.Left
		p.Why = fmt.Sprintf("%s serves since this run began: what was to be left is gone.", arn.Revision(now.Left))
	case p.Choice.Refusal == Chosen:
		p.Do, p.Back, p.Deployment, p.Why = Update, p.Choice.Target.TaskDefinition, "", p.Choice.Why
	default:
		p.Do, p.Back, p.Deployment, p.Why = Ask, "", "", p.Choice.Why
	}
	p.Ran = found(s.Deployments, p.Back).Deployment
	if p.Do == Update && p.Back == p.Choice.Target.TaskDefinition {
		p.Ran = &p.Choice.Target // which may not be listed
	}
	return p
}

// sound reports whether what ECS goes back to by itself is a version to go back to.
func sound(s Seen, known Known, now Situation) bool {
	if now.State != Deploying || now.Back == "" || now.Back == now.Left {
		return false
	}
	d := Deployment{TaskDefinition: now.Back}
	if ran := found(s.Deployments, now.Back).Deployment; ran != nil {
		d = *ran
	}
	p := newPast(s.Deployments, now.Left, known)
	left := d.Name() == known.Back.From && !d.Created.After(known.Back.At)
	return !left && !known.Met[d.TaskDefinition] && !p.left[d.TaskDefinition] && !p.held(d)
}

// KnownOf returns what a service's hold tells of its past.
func KnownOf(h hold.Hold) Known { return Known{Back: h.Last, Held: h.Digests} }
