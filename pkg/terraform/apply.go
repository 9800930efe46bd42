package terraform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Grace is how long an apply goes on after the run was cancelled before it is interrupted: GitHub ends a cancelled job after
// five minutes, and what is interrupted needs the rest to save its state.
const Grace = 4 * time.Minute

// CutOff is a resource that was being worked on when Terraform ended.
type CutOff struct {
	Address string
	Action  string // create, update, delete, …
}

// Repair returns the command that puts it right.
func (c CutOff) Repair(engine Engine) string {
	name := engine.String()
	switch c.Action {
	case "create":
		return name + " import '" + c.Address + "' ID   # if it exists; where the plan wants to replace it: " + name + " untaint '" +
			c.Address + "'"
	case "delete":
		return name + " state rm '" + c.Address + "'   # if it is gone; otherwise the next apply destroys it"
	default:
		return name + " untaint '" + c.Address + "'   # if the next plan wants to replace it"
	}
}

// Applied is how an apply ended.
type Applied struct {
	Done        int      // resources that were completed
	Cancelled   bool     // the run was cancelled meanwhile
	Interrupted bool     // and Terraform was interrupted
	CutOff      []CutOff // what was under way when it ended
	Unsaved     string   // errored.tfstate: the state that could not be uploaded; "" is well
}

// ErrNotBegun is an apply whose run was cancelled before Terraform was started.
var ErrNotBegun = errors.New("the apply had not begun")

// Apply applies a plan. Once begun it is not interrupted when ctx ends: an interrupt makes providers abandon the call in
// hand, whose object then exists and is in no state. It goes on; only after Grace, or when insist is received from, Terraform
// gets one interrupt, and never a second one, which would end it at once.
func (r *Runner) Apply(ctx context.Context, o ApplyOptions, insist <-chan struct{}) (Applied, error) {
	var mu sync.Mutex
	var t tracker
	if ctx.Err() != nil {
		return Applied{}, fmt.Errorf("%w: %w", ErrNotBegun, context.Cause(ctx))
	}
	unsaved := filepath.Join(r.Dir, "errored.tfstate")
	if _, err := os.Stat(unsaved); err == nil {
		return Applied{Unsaved: unsaved}, &LeftoverError{unsaved}
	}
	p, err := r.start("apply", o.args(), func(m message) {
		mu.Lock()
		defer mu.Unlock()
		t.see(m)
	})
	if err != nil {
		return Applied{}, err
	}
	var a Applied
	done := ctx.Done()
	var grace <-chan struct{}
	interrupt := func(why string) {
		if !a.Interrupted {
			a.Interrupted = true
			r.Events.Warnf("Terraform is interrupted", "%s: Terraform gets one interrupt and saves what it knows", why)
			p.signal(syscall.SIGINT)
		}
	}
wait:
	for {
		select {
		case <-p.ended:
			break wait
		case <-done:
			done, a.Cancelled = nil, true
			var stop func()
			grace, stop = r.timer(Grace)
			defer stop()
			r.Events.Warnf("The apply goes on",
				"the run was cancelled, but Terraform is changing things: ending it now would lose what is under way. It is interrupted in %s if it "+
					"has not ended by then; in a terminal a second Ctrl-C interrupts it at once.", Grace)
		case <-grace:
			interrupt("four minutes after the run was cancelled")
		case <-insist:
			if a.Cancelled {
				interrupt("a second signal")
			}
		}
	}
	err = p.result()
	r.tell(err)
	for _, address := range slices.Sorted(maps.Keys(t.underWay)) {
		a.CutOff = append(a.CutOff, CutOff{address, t.underWay[address]})
	}
	if a.Interrupted {
		a.CutOff = append(a.CutOff, t.failed...) // their calls were abandoned
	}
	a.Done = t.done
	if _, statErr := os.Stat(unsaved); statErr == nil {
		a.Unsaved = unsaved
	}
	return a, err
}

// LeftoverError is a state that an earlier run could not upload: another apply on top of it would lose it.
type LeftoverError struct{ File string }

func (e *LeftoverError) Error() string {
	return e.File + " is there: an earlier apply could not upload its state; push it (terraform state push) or, if it was pushed, delete it"
}
