package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// Option says how a deployment is followed.
type Option func(*options)

type options struct {
	settings settings
	events   record.Sink
	clock    clock.Clock
	diagnose func(context.Context, Case) (Diagnosis, bool)
	noteBack func(context.Context, PutBack)
}

// settings are the options that decisions hang on.
type settings struct {
	timeout         time.Duration
	rollbackTimeout time.Duration
	lostAfter       time.Duration
	committed       bool
	leave           bool
	patient         bool
	diagnoses       bool
}

// defaults are what holds where no option says otherwise.
var defaults = settings{timeout: 30 * time.Minute, rollbackTimeout: 15 * time.Minute, lostAfter: 3 * time.Minute}

// Case is what there is to diagnose.
type Case struct {
	Target  Target
	Service ecsview.Snapshot    // as it was read last
	Tasks   *ecsview.TaskReader // knows the tasks that were read
	Last    bool                // the deployment has ended: there is no hurry any more
}

// Timeout is how long the deployment may take; 0 is 30 minutes. After it the deployment is stopped with a rollback.
func Timeout(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.settings.timeout = d
		}
	}
}

// TimeFor returns how long a deployment of a service may take: what was asked for or, where that is 0, 30 minutes and what the service's
// deployment configuration waits by itself. It is an error to ask for less than that alone.
func TimeFor(asked time.Duration, s ecsview.Snapshot) (time.Duration, error) {
	switch {
	case asked == 0:
		return defaults.timeout + s.Bakes, nil
	case asked <= s.Bakes && s.Strategy != "" && s.Strategy != "ROLLING":
		return 0, fmt.Errorf("%s is too short: the service's deployment configuration (%s) alone waits for %s between and after its steps; "+
			"leave it at auto, which gives %s", clock.Took(asked), s.Strategy, clock.Took(s.Bakes), clock.Took(defaults.timeout+s.Bakes))
	}
	return asked, nil
}

// RollbackTimeout is how long the way back is followed after that; 0 is 15 minutes.
func RollbackTimeout(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.settings.rollbackTimeout = d
		}
	}
}

// LostAfter is how long reads may fail in a row before what is running counts as unknown; 0 is 3 minutes.
func LostAfter(d time.Duration) Option {
	return func(o *options) {
		if d > 0 {
			o.settings.lostAfter = d
		}
	}
}

// Events are told what happens; the default is nobody.
func Events(sink record.Sink) Option { return func(o *options) { o.events = sink } }

// Clock is the one of the world that is followed; the default is the wall clock. All times of the Result are its.
func Clock(c clock.Clock) Option { return func(o *options) { o.clock = clock.Or(c) } }

// Diagnose is asked when tasks have failed, or when the scheduler reports that it cannot start any, and once more at the end of a
// deployment that failed for no known cause. It reports false where it does not know. The service is not read meanwhile. Without
// it no deployment is given up early.
func Diagnose(ask func(context.Context, Case) (Diagnosis, bool)) Option {
	return func(o *options) { o.diagnose, o.settings.diagnoses = ask, ask != nil }
}

// NoteBack is told right before the service is updated to the version before, so that it can be written down: whoever meets that under way
// could take it for an ordinary deployment. It is told again where the update is sent again.
func NoteBack(note func(context.Context, PutBack)) Option {
	return func(o *options) { o.noteBack = note }
}

// Committed says that the deployment is itself a way back, or was stopped already: it is only followed, never stopped.
func Committed() Option { return func(o *options) { o.settings.committed = true } }

// LeaveOnInterrupt says that a run which is interrupted leaves the deployment to ECS instead of having it rolled back.
func LeaveOnInterrupt() Option { return func(o *options) { o.settings.leave = true } }

// Patient says that the deployment is never given up before its time is over, whatever its tasks fail of: that is left to ECS.
func Patient() Option { return func(o *options) { o.settings.patient = true } }
