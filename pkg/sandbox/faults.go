package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Fault makes calls fail. A call that several faults match gets the first one that applies.
type Fault struct {
	Action string  `yaml:"action"` // pattern of service:Action, such as "ecs:Describe*"; registry requests have the ECR action they stand for
	Answer Answer  `yaml:"answer"`
	Caller string  `yaml:"caller"` // pattern of the caller's ARN; empty: everybody
	Skip   int     `yaml:"skip"`   // matching calls that pass first
	Every  int     `yaml:"every"`  // of the calls after that, every Nth fails; 0 means each
	Rate   float64 `yaml:"rate"`   // instead of every: the share that fails, 0 to 1, drawn by the seed
	Times  int     `yaml:"times"`  // at most so many failures; 0: without end

	Code    string `yaml:"code"`    // of the answer "refuse": the error's code, such as ClientException
	Message string `yaml:"message"` // of the answer "refuse"
}

// Answer is what a faulty call gets.
type Answer string

// The answers. Deny withholds the permission, so it also fits actions that are authorised without being called, such as
// iam:PassRole.
const (
	Throttle    Answer = "throttle"    // the service's throttling error
	Deny        Answer = "deny"        // AWS's denial: no identity-based policy allows the action
	Unavailable Answer = "unavailable" // HTTP 503 of the service
	Expired     Answer = "expired"     // the credentials are refused as expired
	Cut         Answer = "cut"         // the connection is reset before the call has any effect
	CutAfter    Answer = "cut-after"   // the call takes effect, and the connection is reset instead of an answer
	Hang        Answer = "hang"        // the call has no effect, and no answer: the connection stays open
	HangAfter   Answer = "hang-after"  // the call takes effect, and no answer comes
	Refuse      Answer = "refuse"      // the error of Code and Message, HTTP 400
)

var answers = []Answer{Throttle, Deny, Unavailable, Expired, Cut, CutAfter, Hang, HangAfter, Refuse}

// check says what is wrong with a fault.
func (f Fault) check() error {
	switch {
	case !strings.Contains(f.Action, ":") && f.Action != "*":
		return fmt.Errorf("fault: action %q is not of the form service:Action", f.Action)
	case !slices.Contains(answers, f.Answer):
		return fmt.Errorf("fault on %s: answer %q is not one of %v", f.Action, f.Answer, answers)
	case f.Rate < 0 || f.Rate > 1:
		return fmt.Errorf("fault on %s: rate %v is not between 0 and 1", f.Action, f.Rate)
	case f.Every < 0 || f.Skip < 0 || f.Times < 0:
		return fmt.Errorf("fault on %s: every, skip and times cannot be negative", f.Action)
	case f.Rate > 0 && f.Every > 0:
		return fmt.Errorf("fault on %s: rate and every exclude each other", f.Action)
	case (f.Answer == Refuse) != (f.Code != "") || f.Message != "" && f.Answer != Refuse:
		return fmt.Errorf("fault on %s: the answer refuse has a code, and a message where that is known; no other answer has", f.Action)
	case f.Answer == Deny && (f.Every > 0 || f.Rate > 0 || f.Skip > 0 || f.Times > 0):
		return fmt.Errorf("fault on %s: a denial is in force for every call; every, rate, skip and times do not go with it", f.Action)
	}
	return nil
}

// injector decides which calls fail. The world's lock guards it.
type injector struct {
	faults  []*countedFault
	dice    *ids
	buckets []*bucket
}

type countedFault struct {
	Fault
	seen, hit int
}

func (i *injector) add(faults ...Fault) {
	for _, f := range faults {
		i.faults = append(i.faults, &countedFault{Fault: f})
	}
}

// intercept is asked for each call before it runs.
func (i *injector) intercept(r *wire.Request) error {
	var withheld []string
	for _, f := range i.faults {
		if f.Caller != "" && !policy.Match(r.Caller.ARN, f.Caller) {
			continue
		}
		if f.Answer == Deny {
			withheld = append(withheld, f.Action)
		}
	}
	if len(withheld) > 0 {
		r.Caller.Policy = r.Caller.Policy.Without(withheld...)
	}
	name := r.Service + ":" + r.Action
	if r.Caller.ARN == "" && r.Caller.Policy.Evaluate(name, "*", nil) != policy.Allowed {
		return r.Denied("Not authorized to perform %s", name) // unsigned calls have no policy that could say so
	}
	for _, f := range i.faults {
		if f.Answer == Deny || !policy.Match(name, f.Action) || f.Caller != "" && !policy.Match(r.Caller.ARN, f.Caller) || !f.strikes(i.dice) {
			continue
		}
		r.Note(func(e *wire.Entry) { e.Fault = string(f.Answer) })
		switch f.Answer {
		case Throttle:
			return r.Throttled()
		case Unavailable:
			return r.Unavailable()
		case Expired:
			return r.Expired()
		case Cut:
			panic(http.ErrAbortHandler)
		case CutAfter:
			r.Cut = true
			return nil
		case Hang:
			panic(wire.Silence{})
		case HangAfter:
			r.Hang = true
			return nil
		case Refuse:
			return wire.Errorf(f.Code, "%s", f.Message)
		}
	}
	for _, b := range i.buckets {
		if b.actions[name] && !b.take(r.Now) {
			r.Note(func(e *wire.Entry) { e.Fault = string(Throttle) })
			return r.Throttled()
		}
	}
	return nil
}

// strikes counts a matching call and says whether it fails.
func (f *countedFault) strikes(dice *ids) bool {
	if f.Times > 0 && f.hit >= f.Times {
		return false
	}
	f.seen++
	n := f.seen - f.Skip
	switch {
	case n <= 0, f.Rate > 0 && dice.Float() >= f.Rate, f.Every > 0 && n%f.Every != 0:
		return false
	}
	f.hit++
	return true
}
