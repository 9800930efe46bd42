package ecsrollback

import (
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// running is what of several services tells which of them the newest release has changed.
type running struct {
	release string    // of the version that would be left: which release of several services has made it; "": none has
	since   time.Time // when it was first deployed
	before  time.Time // when the version before it was; zero where that is not known
}

// released says which of several services the newest release has changed: the one that was deployed last, and those of the same release.
// A release that brings back what an earlier one had is called the same: what was deployed before the version that the newest one
// replaced is not of it.
func released(all []running) []bool {
	newest := running{}
	for _, r := range all {
		if r.since.After(newest.since) {
			newest = r
		}
	}
	of := make([]bool, len(all))
	for i, r := range all {
		of[i] = r.release == newest.release && (newest.release == "" || !r.since.Before(newest.before))
	}
	return of
}

// runningOf is what a service runs, for the choice among several.
func runningOf(seen read, left string, revision *taskdef.Revision) running {
	r := running{}
	made := left
	if revision != nil {
		r.release = revision.Tags[fleet.ReleaseTag]
		if of := revision.Tags[copyTag]; of != "" {
			made = arn.Sibling(left, of) // a rollback has registered it: its content is older
		}
	}
	if primary := seen.Service.Primary(); primary != nil {
		r.since = primary.Created
	}
	if first := oldest(seen.Deployments, made); !first.IsZero() {
		r.since = first
	}
	for _, d := range seen.Deployments { // newest first
		if d.Succeeded() && d.TaskDefinition != left && d.Created.Before(r.since) {
			r.before = oldest(seen.Deployments, d.TaskDefinition)
			break
		}
	}
	return r
}

// oldest returns when the first of a task definition's deployments began; zero where none is listed.
func oldest(deployments []history.Deployment, taskDefinition string) time.Time {
	var first time.Time
	for _, d := range deployments {
		if d.TaskDefinition == taskDefinition {
			first = d.Created
		}
	}
	return first
}
