package schedule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/record"
)

// Set are the schedules that a release takes along, and what it has changed in them.
type Set struct {
	client *Client
	list   []Schedule
	done   []Change // in the order in which they were made; the last one may not have arrived
}

// Change is one target that was pointed at another revision.
type Change struct {
	Name     Name
	Target   string // ID of a rule's target; empty for a schedule
	From, To string // as they are written in the target
}

// Open reads the schedules that are named, and returns what is wrong with each: that it is not there, is an AWS service's own, or runs
// no task of the families that are released.
func (c *Client) Open(ctx context.Context, names []Name, families ...string) (*Set, []error) {
	set := &Set{client: c}
	var problems []error
	seen := map[Name]bool{}
	for _, name := range names {
		if seen[name.same()] {
			continue
		}
		seen[name.same()] = true
		s, err := c.Read(ctx, name)
		if err == nil {
			err = refuse(s, families)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("schedules: %w", err))
			continue
		}
		set.list = append(set.list, s)
	}
	return set, problems
}

// Take makes a set of schedules that were read already.
func (c *Client) Take(schedules []Schedule) *Set { return &Set{client: c, list: schedules} }

// Schedules returns those of the set, as they were read.
func (s *Set) Schedules() []Schedule { return s.list }

// Points says whether Point would change any schedule of the set, as they were read.
func (s *Set) Points(family, revision string) bool {
	return slices.ContainsFunc(s.list, func(one Schedule) bool {
		return decide(one, family, revision, s.client.clock.Now()) == point
	})
}

// Changes returns what was changed so far.
func (s *Set) Changes() []Change { return slices.Clone(s.done) }

// Point points all targets of the set that run a family at a revision of it (an ARN), and tells each with its next run. Each schedule is
// read again right before it is changed, so that what somebody else has changed in it stays. On an error those before it are changed:
// Back takes them back.
func (s *Set) Point(ctx context.Context, events record.Sink, family, revision string) error {
	for _, known := range s.list {
		if len(known.Of(family)) == 0 {
			continue
		}
		if err := s.pointOne(ctx, events, known.Name, family, revision); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) pointOne(ctx context.Context, events record.Sink, name Name, family, revision string) error {
	now, mark := s.client.clock.Now(), len(s.done)
	was, err := s.client.change(ctx, name, func(fresh Schedule) []write {
		s.done = s.done[:mark] // of an attempt that was refused
		if decide(fresh, family, revision, now) != point {
			return nil
		}
		var writes []write
		for _, t := range fresh.Of(family) {
			if !t.Runs(revision) {
				// It is remembered before it is made: the answer may be lost.
				s.done = append(s.done, Change{Name: name, Target: t.ID, From: t.TaskDefinition, To: revision})
				writes = append(writes, write{t, revision})
			}
		}
		return writes
	})
	short := arn.Revision(revision)
	switch {
	case errors.Is(err, ErrNotFound):
		events.Warnf("A schedule is gone", "%s was deleted while the release was under way, so it is not pointed at %s", name, short)
		return nil
	case err != nil:
		return fmt.Errorf("pointing %s at %s: %w", name, short, err)
	}
	switch decide(was, family, revision, now) {
	case over:
		events.Notef("%s will not run again, and stays on %s", name, runsNow(was, family))
	case keep:
		events.Notef("%s runs %s already; %s", name, short, was.When(now))
	case point:
		events.Notef("%s is pointed at %s (it ran %s); %s", name, short, runsNow(was, family), was.When(now))
	}
	if decide(was, family, revision, now) != over {
		events.Fact(name.String(), record.Text{Text: short + "; " + was.When(now)})
	}
	if !was.Enabled {
		events.Noticef("A schedule is disabled", "%s is disabled: it is pointed at %s like the others, and runs nothing until it is enabled",
			name, short)
	}
	return nil
}

// runsNow names what the targets of a family run.
func runsNow(s Schedule, family string) string {
	var names []string
	for _, t := range s.Of(family) {
		name := arn.Revision(t.TaskDefinition)
		if t.Newest() {
			name = "the newest revision of " + name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " and ")
}

// Back points at what it was everything that Point has changed, the newest first. What somebody else has pointed elsewhere since stays
// and is told. All are tried; the error names those that could not be pointed back.
func (s *Set) Back(ctx context.Context, events record.Sink) error {
	var failed []error
	for len(s.done) > 0 {
		last := s.done[len(s.done)-1]
		if err := s.backOne(ctx, events, last); err != nil {
			failed = append(failed, err)
		}
		s.done = s.done[:len(s.done)-1]
	}
	return errors.Join(failed...)
}

func (s *Set) backOne(ctx context.Context, events record.Sink, c Change) error {
	was, err := s.client.change(ctx, c.Name, func(fresh Schedule) []write {
		t, there := fresh.target(c.Target)
		if !there || !t.Runs(c.To) || t.Runs(c.From) {
			return nil
		}
		return []write{{t, c.From}}
	})
	from, to := arn.Revision(c.From), arn.Revision(c.To)
	if errors.Is(err, ErrNotFound) {
		events.Notef("%s is gone: there is nothing to point back", c.Name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("pointing %s back at %s: %w", c.Name, from, err)
	}
	switch t, there := was.target(c.Target); {
	case !there:
		events.Warnf("A schedule was changed by somebody else", "%s has no target %s any more: it is left as it is", c.Name, c.Target)
	case t.Runs(c.From): // the change has not arrived, or is back already
		events.Debugf("%s runs %s", c.Name, from)
	case !t.Runs(c.To):
		events.Warnf("A schedule was changed by somebody else", "%s was pointed at %s meanwhile: it is left there, and not pointed back at %s",
			c.Name, arn.Revision(t.TaskDefinition), from)
	default:
		when := was.When(s.client.clock.Now())
		events.Notef("%s is pointed back at %s (it was at %s); %s", c.Name, from, to, when)
		events.Fact(c.Name.String(), record.Text{Text: from + "; " + when})
	}
	return nil
}

// target returns the target with an ID.
func (s Schedule) target(id string) (Target, bool) {
	i := slices.IndexFunc(s.Targets, func(t Target) bool { return t.ID == id })
	if i < 0 {
		return Target{}, false
	}
	return s.Targets[i], true
}

// write is one target and what it is to run.
type write struct {
	target         Target
	taskDefinition string
}

// attempts is how often a change is made that meets another one.
const attempts = 5

// change reads a schedule, asks what is to be written in it, and writes that. Where AWS says that somebody else changes it at the same
// moment, it is read again. It returns the schedule as it was before.
func (c *Client) change(ctx context.Context, name Name, plan func(Schedule) []write) (Schedule, error) {
	for attempt := 1; ; attempt++ {
		fresh, err := c.Read(ctx, name)
		if err != nil {
			return fresh, err
		}
		writes := plan(fresh)
		if len(writes) == 0 {
			return fresh, nil
		}
		if err = c.write(ctx, fresh, writes); err == nil {
			return fresh, nil
		}
		if !conflicts(err) || attempt == attempts {
			return fresh, awserr.Explain(err)
		}
		if err := c.clock.Sleep(ctx, time.Second); err != nil {
			return fresh, err
		}
	}
}

// conflicts reports whether a change was refused since another one is under way.
func conflicts(err error) bool {
	code, _ := awserr.Answer(err)
	return code == "ConcurrentModificationException" || code == "ConflictException"
}

func (c *Client) write(ctx context.Context, s Schedule, writes []write) error {
	if s.Name.Rule != "" {
		return c.putTargets(ctx, s.Name, writes)
	}
	return c.updateSchedule(ctx, s, writes[0])
}

func (c *Client) putTargets(ctx context.Context, n Name, writes []write) error {
	var targets []object
	for _, w := range writes {
		targets = append(targets, w.target.running(w.taskDefinition))
	}
	in := map[string]any{"Rule": n.Rule, "Targets": targets}
	if n.Bus != "" {
		in["EventBusName"] = n.Bus
	}
	var out struct {
		FailedEntries []struct{ TargetID, ErrorCode, ErrorMessage string }
	}
	if err := awscall.JSON(ctx, c.cfg, awscall.EventBridge, "PutTargets", in, &out); err != nil {
		return err
	}
	var failed []error
	for _, f := range out.FailedEntries {
		failed = append(failed, fmt.Errorf("EventBridge did not take target %s: %s: %s", f.TargetID, f.ErrorCode, f.ErrorMessage))
	}
	return errors.Join(failed...)
}

func (c *Client) updateSchedule(ctx context.Context, s Schedule, w write) error {
	document := s.document.without("Arn", "Name", "CreationDate", "LastModificationDate").
		with("Target", w.target.running(w.taskDefinition).json())
	put := func(document object) error {
		var out object
		return awscall.REST(ctx, c.cfg, awscall.Scheduler, "UpdateSchedule", http.MethodPut, "/schedules/"+url.PathEscape(s.Name.Schedule),
			nil, document, &out)
	}
	err := put(document)
	if err == nil {
		return nil
	}
	// "The StartDate you specify cannot be earlier than 5 minutes ago", also where it is the one that the schedule has. What has begun
	// needs none.
	code, message := awserr.Answer(err)
	if code == "ValidationException" && strings.Contains(message, "StartDate") && s.Start.Before(c.clock.Now()) {
		return put(document.without("StartDate"))
	}
	return err
}
