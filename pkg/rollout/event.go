package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
)

// Kind sorts what Follow tells.
type Kind string

// The kinds of events.
const (
	KindService  Kind = "service"  // a line of ECS's scheduler
	KindProgress Kind = "progress" // task counts have changed
	KindState    Kind = "state"    // the deployment is in another State now
	KindTask     Kind = "task"     // a task of this deployment has failed
	KindCause    Kind = "cause"    // why tasks fail, as Options.Judge sees it
	KindNote     Kind = "note"     // what this program does or knows
	KindWarning  Kind = "warning"  // the same, where somebody should look
)

// Event is one thing that Follow tells while it follows.
type Event struct {
	Kind  Kind
	At    time.Time // when it happened, by the clock of whoever saw it: ECS's for a service event, ours otherwise
	Text  string
	State State // of the deployment, as far as it is known
}

// Step is a stretch of a rollout for its timeline.
type Step struct {
	Name      string // the State's name
	From, To  time.Time
	Failed    bool // it ended in a failure
	RollsBack bool
}

// news returns the events that were not told yet, oldest first. The API returns at most a hundred, newest first, and
// repeats them at each read.
func news(told map[string]bool, since time.Time, events []ecsview.ServiceEvent) []ecsview.ServiceEvent {
	var fresh []ecsview.ServiceEvent
	for _, e := range events {
		if !told[e.ID] && !e.At.Before(since) {
			fresh = append(fresh, e)
		}
		told[e.ID] = true
	}
	slices.Reverse(fresh)
	return fresh
}

// shorten leaves out of a service event what every line repeats.
func shorten(service, text string) string {
	name := arn.Last(service)
	text = strings.TrimPrefix(text, "(service "+name+") ")
	return strings.TrimSuffix(groupNames(text), ".")
}

// groupNames writes the ARNs of target groups as their names.
func groupNames(text string) string {
	before, rest, found := strings.Cut(text, "(target-group arn:")
	if !found {
		return text
	}
	arn, after, closed := strings.Cut(rest, ")")
	_, path, isGroup := strings.Cut(arn, ":targetgroup/")
	if !closed || !isGroup {
		return text
	}
	group, _, _ := strings.Cut(path, "/")
	return before + "(target-group " + group + ")" + groupNames(after)
}

// counts describes the progress of the deployment in one line.
func counts(t Target, s ecsview.Snapshot) string {
	own := s.Find(t.ID)
	if own == nil {
		return ""
	}
	var old int
	for _, d := range s.Deployments {
		if d.ID != t.ID {
			old += d.Running
		}
	}
	if own.Desired == 0 && own.Running == 0 && old > 0 {
		return fmt.Sprintf("no new tasks, %d old running", old)
	}
	parts := []string{fmt.Sprintf("%d of %d new tasks running", own.Running, max(own.Desired, own.Running))}
	if own.Pending > 0 {
		parts = append(parts, fmt.Sprintf("%d starting", own.Pending))
	}
	if own.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed in a row", own.Failed))
	}
	if old > 0 {
		parts = append(parts, fmt.Sprintf("%d old still running", old))
	}
	if s.Own != nil && s.Own.Stage != "" {
		parts = append(parts, "stage "+s.Own.Stage)
	}
	if s.Own != nil && s.Own.Weight > 0 && s.Own.Strategy != "ROLLING" {
		parts = append(parts, fmt.Sprintf("%g%% of the traffic", s.Own.Weight))
	}
	return strings.Join(parts, ", ")
}
