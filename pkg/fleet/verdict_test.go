package fleet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/record"
)

func failed(outcome action.Outcome) error {
	return &action.Error{Outcome: outcome, Title: "The image is not there", Advice: "Push it.",
		Finding: &record.Finding{Code: "image-not-found"},
		Err:     errors.New("starting tasks: no such image")}
}

func TestVerdict(t *testing.T) {
	arrived := fleet.Standing{Name: "api", After: fleet.Arrived, Revision: "api:2", Place: 1}
	back := fleet.Standing{Name: "api", After: fleet.Back, Revision: "api:1", Place: 1}
	bad := func(outcome action.Outcome) fleet.Standing {
		return fleet.Standing{Name: "worker", After: fleet.Ended, Place: 2, Err: failed(outcome)}
	}
	stopped := fleet.Standing{Name: "mail", After: fleet.Back, Place: 3, Err: fleet.ErrStopped}
	for _, test := range []struct {
		name                 string
		all                  []fleet.Standing
		interrupted, changed bool
		want                 action.Outcome
		title                string
		holds                []string
	}{
		{"all arrived", []fleet.Standing{arrived}, false, true, action.Succeeded, "", nil},
		{"nothing to do", []fleet.Standing{{Name: "api", After: fleet.Unchanged}}, false, false, action.NoChange, "", nil},
		{"one fails and all are back", []fleet.Standing{back, bad(action.RolledBack), stopped}, false, true, action.RolledBack,
			"worker: The image is not there", []string{"worker: starting tasks: no such image", "api is back on api:1", "mail is back"}},
		{"one could not begin, and all are back", []fleet.Standing{back, bad(action.Failed)}, false, true, action.RolledBack, "worker: ", nil},
		{"one was refused, and all are back", []fleet.Standing{back, bad(action.Invalid)}, false, true, action.RolledBack, "worker: ", nil},
		{"one was refused, and others stay", []fleet.Standing{arrived, bad(action.Invalid)}, false, true, action.Failed, "worker: ",
			[]string{"api stays at api:2"}},
		{"one was refused, and nothing was changed", []fleet.Standing{{Name: "api", After: fleet.Untouched}, bad(action.Invalid)}, false, false,
			action.Invalid, "worker: ", []string{"api was not begun"}},
		{"one is superseded", []fleet.Standing{back, bad(action.Superseded)}, false, true, action.Superseded, "worker: ", nil},
		{"one is stuck", []fleet.Standing{back, bad(action.Stuck)}, false, true, action.Stuck, "worker: ", nil},
		{"sight of one is lost", []fleet.Standing{back, bad(action.Unknown)}, true, true, action.Unknown, "worker: ", nil},
		{"one cannot be put back", []fleet.Standing{{Name: "api", After: fleet.Stranded, BackErr: errors.New("denied")}, bad(action.RolledBack)},
			false, true, action.Stuck, "worker: ", []string{"api could not be put back: denied"}},
		{"changed by somebody", []fleet.Standing{{Name: "api", After: fleet.Changed, Revision: "api:9"}, bad(action.RolledBack)}, false, true,
			action.RolledBack, "worker: ", []string{"api was changed by somebody since, and was left alone at api:9"}},
		{"interrupted", []fleet.Standing{{Name: "api", After: fleet.GoingBack, Revision: "api:1", Place: 1}}, true, true, action.Cancelled,
			"The run was interrupted", []string{"api goes back to api:1; that is not waited for"}},
		{"two fail", []fleet.Standing{{Name: "api", After: fleet.Ended, Place: 2, Err: failed(action.TimedOut)},
			{Name: "worker", After: fleet.Ended, Place: 1, Err: failed(action.RolledBack)}}, false, true, action.RolledBack, "worker: ",
			[]string{"api: timed-out; it failed too"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fleet.Outcome(test.all, test.interrupted, test.changed); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			err := fleet.Verdict(test.all, test.interrupted, test.changed)
			if action.OutcomeOf(err) != test.want && err != nil || err == nil && test.title != "" {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			v := action.VerdictOf("release", test.want, err)
			if !strings.HasPrefix(v.Title, test.title) {
				t.Errorf("title %q", v.Title)
			}
			for _, want := range test.holds {
				if !strings.Contains(v.Message, want) {
					t.Errorf("no %q in:\n%s", want, v.Message)
				}
			}
		})
	}
}

func TestRefusal(t *testing.T) {
	names := []string{"api", "worker", "mail"}
	if err := fleet.Refusal("t", names, make([]error, 3)); err != nil {
		t.Error(err)
	}
	err := fleet.Refusal("t", names, []error{nil, failed(action.Invalid), failed(action.Invalid)})
	if v := action.VerdictOf("release", action.Invalid, err); v.Title != "The image is not there" ||
		err.Error() != "worker, mail: starting tasks: no such image" {
		t.Errorf("%+v", v)
	}
	err = fleet.Refusal("t", names, []error{failed(action.Superseded), errors.New("x"), nil})
	if action.OutcomeOf(err) != action.Invalid || err.Error() != "api: starting tasks: no such image\nworker: x" {
		t.Errorf("%s: %v", action.OutcomeOf(err), err)
	}
	if err := fleet.Refusal("t", names, []error{failed(action.Superseded), nil, nil}); action.OutcomeOf(err) != action.Superseded {
		t.Errorf("%v", err)
	}
}

// TestEndedWell flips each condition alone.
func TestEndedWell(t *testing.T) {
	arrived := fleet.Standing{After: fleet.Arrived}
	for _, test := range []struct {
		other fleet.Standing
		want  bool
	}{
		{arrived, true},
		{fleet.Standing{After: fleet.Unchanged}, true},
		{fleet.Standing{After: fleet.Untouched}, false},
		{fleet.Standing{After: fleet.Arrived, Err: failed(action.Cancelled)}, false},
	} {
		if got := fleet.EndedWell([]fleet.Standing{arrived, test.other}); got != test.want {
			t.Errorf("%+v: %t", test.other, got)
		}
	}
}

// TestHalfABack holds that a rollback of several which has brought some back and others not is stuck, and one that changed nothing is not.
func TestHalfABack(t *testing.T) {
	on := func(after fleet.After, err error) fleet.Standing {
		return fleet.Standing{Name: "api", After: after, Err: err, Revision: "api:2", Place: 1}
	}
	for _, test := range []struct {
		all  []fleet.Standing
		want action.Outcome
	}{
		{[]fleet.Standing{on(fleet.Restored, nil), on(fleet.Apart, nil)}, action.Succeeded},
		{[]fleet.Standing{on(fleet.Apart, nil), on(fleet.Unchanged, nil)}, action.NoChange},
		{[]fleet.Standing{on(fleet.Rehearsed, nil)}, action.Succeeded},
		{[]fleet.Standing{on(fleet.Restored, nil), on(fleet.Halfway, failed(action.Failed))}, action.Stuck},
		{[]fleet.Standing{on(fleet.Restored, nil), on(fleet.Halfway, failed(action.RolledBack))}, action.Stuck},
		{[]fleet.Standing{on(fleet.Restored, nil), on(fleet.Halfway, failed(action.Invalid))}, action.Stuck},
		{[]fleet.Standing{on(fleet.Restored, nil), on(fleet.Halfway, failed(action.TimedOut))}, action.TimedOut},
		{[]fleet.Standing{on(fleet.Unchanged, nil), on(fleet.Halfway, failed(action.Failed))}, action.Failed},
	} {
		if got := fleet.Outcome(test.all, false, false); got != test.want {
			t.Errorf("%+v: got %s, want %s", test.all, got, test.want)
		}
	}
	for after, want := range map[fleet.After]string{
		fleet.Restored: "api is back on api:2", fleet.Apart: "api stays on api:2: the newest release has not changed it",
		fleet.Halfway: "api is on api:2", fleet.Rehearsed: "api would be on api:2: nothing was changed",
		fleet.Untouched: "api was not begun, and is on api:2",
	} {
		if got := on(after, nil).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (fleet.Standing{Name: "api", After: fleet.Halfway}).String(); got != "what api is on could not be read" {
		t.Errorf("got %q", got)
	}
	if got := (fleet.Standing{Name: "api", After: fleet.Rehearsed}).String(); got != "api would be on a new revision: nothing was changed" {
		t.Errorf("got %q", got)
	}
}
