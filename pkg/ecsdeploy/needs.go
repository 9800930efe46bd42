package ecsdeploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
)

// needs are what revisions of a family are needed for, each by its ARN, or as it is written elsewhere: FAMILY:NUMBER, or FAMILY for the
// newest.
type needs struct {
	services  []string            // what services are at, deploy or go back from
	tasks     []string            // what runs in the cluster, of whatever service or none
	history   []string            // what the deployments were to run that ECS still lists
	replaced  []string            // what ran before them, and before this deployment
	schedules []string            // what rules and schedules run
	rollback  []string            // what the tags of the last rollback name
	held      []string            // digests of images on hold
	images    map[string][]string // by ARN, the images of a revision; those that are not here are not known
}

// retirable decides which of a family's ACTIVE revisions (ARNs) can be deregistered, the oldest first: those that are not among the
// newest ones to keep, and that nothing needs.
func retirable(active []string, keep int, n needs) []string {
	needed := map[string]bool{}
	for _, names := range [][]string{n.services, n.tasks, n.history, n.replaced, n.schedules, n.rollback} {
		for _, name := range names {
			needed[arn.Revision(name)] = true
		}
	}
	byAge := slices.SortedFunc(slices.Values(active), func(a, b string) int { return arn.Number(a) - arn.Number(b) })
	var gone []string
	for _, name := range byAge[:max(0, len(byAge)-keep)] {
		if !needed[arn.Revision(name)] && !n.holds(name) {
			gone = append(gone, name)
		}
	}
	return gone
}

// holds reports whether a revision runs an image on hold, or may.
func (n needs) holds(revision string) bool {
	images, known := n.images[revision]
	return len(n.held) > 0 && (!known || slices.ContainsFunc(images, func(image string) bool {
		_, digest, _ := strings.Cut(image, "@")
		return slices.Contains(n.held, digest)
	}))
}

// ofService adds what a service is at, deploys or goes back from, and what it ran before this deployment. replaces is what it ran before
// an earlier attempt at the release.
func (n *needs) ofService(now, before ecsview.Snapshot, replaces string) {
	n.services = append(n.services, now.TaskDefinition)
	for _, one := range now.Deployments {
		n.services = append(n.services, one.TaskDefinition)
	}
	n.replaced = append(n.replaced, before.TaskDefinition, before.Worked(), replaces)
}

// ofHold adds what a service's tags name.
func (n *needs) ofHold(h hold.Hold) {
	n.held = append(n.held, h.Digests...)
	n.rollback = append(n.rollback, h.Last.From, h.Last.To)
}

// ofHistory adds what the deployments were to run that ECS lists.
func (n *needs) ofHistory(past []history.Deployment) {
	for _, one := range past {
		n.history = append(n.history, one.TaskDefinition)
	}
}

// notTold returns the deployments (ARNs) of which it is to be asked what they replaced, since a rollback goes by that where the list does
// not reach back to what ran before.
func notTold(past []history.Deployment, now ecsview.Snapshot) []string {
	return slices.DeleteFunc([]string{history.FirstOf(past, now.TaskDefinition), now.Current}, func(arn string) bool { return arn == "" })
}

// listed names revisions by their numbers, and not more than a line holds.
func listed(all []string) string {
	const most = 12
	var names []string
	for _, revision := range all[:min(len(all), most)] {
		names = append(names, ":"+strconv.Itoa(arn.Number(revision)))
	}
	text := strings.Join(names, ", ")
	if len(all) > most {
		text += fmt.Sprintf(" and %d more", len(all)-most)
	}
	return text
}
