package tfapply

import (
	"context"
	"fmt"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/terraform"
)

// unlock is the mode unlock: it releases a lock whose run is known to have ended. Whatever is not known keeps the lock.
func (s *session) unlock(ctx context.Context, out *Outputs) error {
	refuse := func(title string, format string, args ...any) error {
		return &action.Error{
			Outcome: action.Invalid, Title: title, Err: fmt.Errorf(format, args...),
			Advice: "The lock was left alone. If you know that nobody works on this state, `terraform force-unlock` releases it by its ID.",
		}
	}
	l, err := s.locker(ctx)
	if err != nil {
		return err
	}
	if l == nil {
		return refuse("There is no lock to look at", "the state of %s is not in S3 with use_lockfile", s.place())
	}
	text, held, err := l.read(ctx, l.state.LockKey())
	if err != nil {
		return awserr.Explain(fmt.Errorf("reading the lock s3://%s/%s: %w", l.state.Bucket, l.state.LockKey(), err))
	}
	if !held {
		s.env.Events.Notef("nobody holds the lock")
		out.Outcome = action.NoChange
		return nil
	}
	lock, err := terraform.ParseLock(text)
	if err != nil {
		return refuse("The lock cannot be read", "s3://%s/%s: %w", l.state.Bucket, l.state.LockKey(), err)
	}
	s.env.Events.Notef("%s", tellLock(lock))
	r, ok := l.owner(ctx)
	switch {
	case !ok:
		return refuse("It is not known which run holds the lock", "%s, and no record beside the lock names a run", tellLock(lock))
	case r.Who != lock.Who:
		return refuse("It is not known which run holds the lock", "%s, and the record beside the lock is of %s", tellLock(lock), r.Who)
	}
	status, err := s.runStatus(ctx, r)
	if err != nil {
		return refuse("It is not known whether the run has ended", "run %s of %s: %w", r.RunID, r.Repository, err)
	}
	if status != "completed" {
		return refuse("The run that holds the lock is still at work", "run %s of %s is %s: %s", r.RunID, r.Repository, status, r.url())
	}
	if err := s.runner.Unlock(ctx, lock.ID); err != nil {
		return refuse("The lock was not released", "%w", err)
	}
	if err := l.forget(ctx); err != nil {
		s.env.Events.Debugf("the record beside the lock is left: %v", err)
	}
	s.env.Events.Noticef("The lock was released",
		"run %s of %s has ended without releasing it; look at the next plan: what it was making may be missing from the state",
		r.RunID, r.Repository)
	return nil
}

// runStatus asks GitHub how an attempt of a run stands: queued, in_progress, completed and so on.
func (s *session) runStatus(ctx context.Context, r lockOwner) (string, error) {
	h, ok := s.hub()
	if !ok {
		return "", fmt.Errorf("there is no token to ask GitHub with (actions: read)")
	}
	if r.Server != s.env.GitHub.Server {
		return "", fmt.Errorf("it is of another GitHub: %s", r.Server)
	}
	status, err := h.runStatus(ctx, r.Repository, r.RunID, r.Attempt)
	if err != nil {
		return "", err
	}
	if status == "" {
		return "", fmt.Errorf("GitHub's answer names no status")
	}
	return status, nil
}
