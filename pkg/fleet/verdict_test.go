package fleet_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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
		{"two fail, and the later one is stuck", []fleet.Standing{{Name: "api", After: fleet.Ended, Place: 2, Err: failed(action.Stuck)},
			{Name: "worker", After: fleet.Ended, Place: 1, Err: failed(action.TimedOut)}}, false, true, action.Stuck, "worker: ", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := fleet.Outcome(test.all, test.interrupted, test.changed); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			err := fleet.Verdict(test.all, test.interrupted, test.changed)
			if action.OutcomeOf(err) != test.want && err != nil || (err == nil) != (test.title == "") {
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

// TestVerdictTells has the whole of what a verdict says: the one at fault first, and each of the others once.
func TestVerdictTells(t *testing.T) {
	why := func(outcome action.Outcome) error {
		return &action.Error{Outcome: outcome, Title: "The image is not there", Advice: "Push it.", Finding: &record.Finding{Code: "image"},
			Place: &record.Place{File: "connect2.yaml"}, Err: errors.New("no such image")}
	}
	worker := func(after fleet.After, err error) fleet.Standing {
		return fleet.Standing{Name: "worker", After: after, Place: 1, Err: err}
	}
	api := func(after fleet.After, err error) fleet.Standing {
		return fleet.Standing{Name: "api", After: after, Revision: "api:1", Place: 2, Err: err, BackErr: errors.New("denied")}
	}
	const act = "Act now: look at the services that could not be put back, and deploy a version of them that is known to work."
	for _, test := range []struct {
		name                   string
		all                    []fleet.Standing
		title, advice, message string
	}{
		{"one fails", []fleet.Standing{worker(fleet.Ended, why(action.Failed)), api(fleet.Arrived, nil)},
			"worker: The image is not there", "Push it.", "worker: no such image\napi stays at api:1"},
		{"one fails and is put back", []fleet.Standing{worker(fleet.Back, why(action.Failed)), api(fleet.Back, nil)},
			"worker: The image is not there", "Push it.", "worker: no such image\nworker is back on what it was\napi is back on api:1"},
		{"another was stopped", []fleet.Standing{worker(fleet.Ended, why(action.Failed)), api(fleet.Back, fleet.ErrStopped)},
			"worker: The image is not there", "Push it.", "worker: no such image\napi is back on api:1"},
		{"another fails too", []fleet.Standing{worker(fleet.Ended, why(action.Failed)), api(fleet.Ended, errors.New("no way"))},
			"worker: The image is not there", "Push it.", "worker: no such image\napi: failed; it failed too: no way"},
		{"another cannot be put back", []fleet.Standing{worker(fleet.Ended, why(action.Failed)), api(fleet.Stranded, nil)},
			"worker: The image is not there", act, "worker: no such image\napi could not be put back: denied"},
		{"another cannot be put back, and the one at fault is stuck", []fleet.Standing{worker(fleet.Ended, why(action.Stuck)),
			api(fleet.Stranded, nil)}, "worker: The image is not there", "Push it.", "worker: no such image\napi could not be put back: denied"},
		{"one cannot be put back, and none is at fault", []fleet.Standing{api(fleet.Stranded, nil)},
			"The run was interrupted", act, "api could not be put back: denied"},
		{"nobody has named the cause", []fleet.Standing{worker(fleet.Ended, action.Failf(action.Unknown, "no answer"))},
			"worker lost sight of what is running", "Look at the service before repeating the run: the change may or may not have arrived.",
			"worker: no answer\n"},
	} {
		err := fleet.Verdict(test.all, false, true)
		var told *action.Error
		if !errors.As(err, &told) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if told.Title != test.title || told.Advice != test.advice || told.Error() != test.message {
			t.Errorf("%s: %q, %q\n%s", test.name, told.Title, told.Advice, told)
		}
		if known := strings.HasSuffix(test.title, "is not there"); (told.Finding != nil) != known || (told.Place != nil) != known {
			t.Errorf("%s: %+v at %+v", test.name, told.Finding, told.Place)
		}
	}
}

// TestFault finds the one that failed first by itself.
func TestFault(t *testing.T) {
	bad := errors.New("bad")
	for _, test := range []struct {
		name string
		all  []fleet.Standing
		want string
	}{
		{"none failed", []fleet.Standing{{Name: "a", Place: 1}}, ""},
		{"the first to end", []fleet.Standing{{Name: "a", Place: 2, Err: bad}, {Name: "b", Place: 1, Err: bad}}, "b"},
		{"not a later one", []fleet.Standing{{Name: "a", Place: 1, Err: bad}, {Name: "b", Place: 2, Err: bad}}, "a"},
		{"of those that did not begin the first", []fleet.Standing{{Name: "a", Err: bad}, {Name: "b", Err: bad}}, "a"},
		{"not one that was stopped", []fleet.Standing{{Name: "a", Place: 1, Err: fleet.ErrStopped}, {Name: "b", Place: 2, Err: bad}}, "b"},
		{"not one that went well", []fleet.Standing{{Name: "a", Place: 1}, {Name: "b", Place: 2, Err: bad}}, "b"},
	} {
		got := ""
		if fault := fleet.Fault(test.all); fault != nil {
			got = fault.Name
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestTellOfAllThatArrived: where all ended well, nothing "stays", since nothing went.
func TestTellOfAllThatArrived(t *testing.T) {
	arrived := fleet.Standing{Name: "api", After: fleet.Arrived, Revision: "api:2"}
	bare := fleet.Standing{Name: "mail", After: fleet.Arrived}
	failed := fleet.Standing{Name: "worker", After: fleet.Ended, Err: action.Failf(action.Failed, "no")}
	for _, test := range []struct {
		all  []fleet.Standing
		want []string
	}{
		{[]fleet.Standing{arrived, bare}, []string{"api is on api:2", "mail is on what was deployed"}},
		{[]fleet.Standing{arrived, failed}, []string{"api stays at api:2"}},
	} {
		var told []string
		fleet.Tell(func(e record.Event) {
			if e.Kind == record.KindNote {
				told = append(told, e.Text)
			}
		}, test.all)
		if !slices.Equal(told, test.want) {
			t.Errorf("%q, want %q", told, test.want)
		}
	}
}

// TestStandings shows each way that a member can be in words, with its revision and without, and as an outcome.
func TestStandings(t *testing.T) {
	bad := action.Failf(action.TimedOut, "it took too long")
	for _, test := range []struct {
		after        fleet.After
		err          error
		with, bare   string
		outcome      action.Outcome
		saidByItself bool // its own run has said how it is
	}{
		{fleet.Untouched, nil, "api was not begun, and is on api:2", "api was not begun", action.Cancelled, false},
		{fleet.Unchanged, nil, "api has api:2 already", "api has it already", action.NoChange, false},
		{fleet.Arrived, bad, "api stays at api:2", "api stays at what was deployed", action.Succeeded, false},
		{fleet.Ended, bad, "api: timed-out", "api: timed-out", action.TimedOut, true},
		{fleet.Back, bad, "api is back on api:2", "api is back on what it was", action.RolledBack, false},
		{fleet.GoingBack, bad, "api goes back to api:2; that is not waited for", "api goes back to what it was; that is not waited for",
			action.RolledBack, false},
		{fleet.Changed, bad, "api was changed by somebody since, and was left alone at api:2",
			"api was changed by somebody since, and was left alone", action.Superseded, false},
		{fleet.Stranded, bad, "api could not be put back: denied", "api could not be put back: denied", action.Stuck, false},
		{fleet.Restored, bad, "api is back on api:2", "api is back on an earlier version", action.Succeeded, false},
		{fleet.Apart, nil, "api stays on api:2: the newest release has not changed it", "api stays: the newest release has not changed it",
			action.NoChange, false},
		{fleet.Halfway, bad, "api is on api:2", "what api is on could not be read", action.TimedOut, false},
		{fleet.Rehearsed, bad, "api would be on api:2: nothing was changed", "api would be on a new revision: nothing was changed",
			action.Succeeded, false},
	} {
		one := fleet.Standing{Name: "api", Service: "api-prod", After: test.after, Revision: "api:2", Err: test.err,
			BackErr: errors.New("denied")}
		bare := one
		bare.Revision = ""
		if one.String() != test.with || bare.String() != test.bare {
			t.Errorf("%s: %q, %q", test.after, one, bare)
		}
		want := `[{"name":"api","service":"api-prod","outcome":"` + string(test.outcome) + `","revision":"api:2"}]`
		if got := string(fleet.JSON([]fleet.Standing{one})); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		recorder := record.NewRecorder("release", time.Now)
		fleet.Tell(recorder.Sink(), []fleet.Standing{one})
		recorder.Read(func(r *record.Record) {
			if len(r.Sections) != 1 || r.Sections[0].Name != "services" || len(r.Sections[0].Blocks) != 1 {
				t.Fatalf("%s: %+v", test.after, r.Sections)
			}
			var cells []string
			for _, row := range r.Sections[0].Blocks[0].Table.Rows {
				for _, cell := range row {
					cells = append(cells, cell.Text)
				}
			}
			if got := strings.Join(cells, "|"); got != "api|"+string(test.outcome)+"|api:2|"+test.with {
				t.Errorf("%s: %s", test.after, got)
			}
			said := slices.ContainsFunc(r.Events, func(e record.Event) bool { return e.Kind == record.KindNote && e.Text == test.with })
			if said == test.saidByItself {
				t.Errorf("%s: told in the log: %t", test.after, said)
			}
		})
	}
	if got := string(fleet.JSON(nil)); got != "[]" {
		t.Errorf("none: %s", got)
	}
}

// TestBegin tells a member's verdict in a lane of its own, and its step in the run's.
func TestBegin(t *testing.T) {
	recorder := record.NewRecorder("release", time.Now)
	lane, end := fleet.Begin(&action.Env{Events: recorder.Sink()}, "api")
	lane.Events.Notef("at work")
	end(action.Failed, nil)
	recorder.Read(func(r *record.Record) {
		if len(r.Steps) != 1 || r.Steps[0].Name != "api" || r.Steps[0].Lane != "api" || r.Steps[0].State != record.Failed {
			t.Errorf("%+v", r.Steps)
		}
		part := r.Part("api")
		if part == nil || len(part.Events) != 1 || part.Events[0].Lane != "api" || part.Verdict.Outcome != "failed" || r.Verdict.Outcome != "" {
			t.Errorf("%+v", part)
		}
	})
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
	if v := action.VerdictOf("release", action.Invalid, err); v.Title != "t" {
		t.Errorf("the title of several is %q", v.Title)
	}
	err = fleet.Refusal("t", names, []error{failed(action.Superseded), action.Failf(action.Superseded, "x"), nil})
	if action.OutcomeOf(err) != action.Superseded {
		t.Errorf("two of one outcome: %s", action.OutcomeOf(err))
	}
	if err := fleet.Refusal("t", names, []error{failed(action.Superseded), nil, nil}); action.OutcomeOf(err) != action.Superseded {
		t.Errorf("%v", err)
	}
}

// TestRefusalOfOneReason tells what several members were refused for once, with the services it holds for.
func TestRefusalOfOneReason(t *testing.T) {
	names := []string{"api", "worker", "mail"}
	titled := func(outcome action.Outcome, title, text string) error {
		return &action.Error{Outcome: outcome, Title: title, Advice: "about " + title, Err: errors.New(text)}
	}
	older := func(runs string) error {
		return titled(action.Superseded, "A newer commit runs already", "commit: 1 is an ancestor of 2, which was released as "+runs)
	}
	held := func(service string) error {
		return titled(action.Invalid, "On hold", "image: sha256:1 is on hold for "+service+", which was rolled back")
	}
	for _, test := range []struct {
		name     string
		problems []error
		outcome  action.Outcome
		title    string
		says     string
	}{
		{"another revision each", []error{older("api:1"), older("worker:3"), nil}, action.Superseded, "A newer commit runs already",
			"api, worker: commit: 1 is an ancestor of 2, which was released as api:1, worker:3"},
		{"all three, two of which have one", []error{older("api:1"), older("worker:3"), older("api:1")}, action.Superseded,
			"A newer commit runs already", "api, worker, mail: commit: 1 is an ancestor of 2, which was released as api:1, worker:3"},
		{"a word before a comma", []error{held("a-dev"), nil, held("m-dev")}, action.Invalid, "On hold",
			"api, mail: image: sha256:1 is on hold for a-dev, m-dev, which was rolled back"},
		{"more than a word is another", []error{titled(action.Invalid, "On hold", "a b c"), titled(action.Invalid, "On hold", "x b y"), nil},
			action.Invalid, "On hold", "api: a b c\nworker: x b y"},
		{"another word in the third", []error{titled(action.Invalid, "On hold", "a b c"), titled(action.Invalid, "On hold", "x b c"),
			titled(action.Invalid, "On hold", "a y c")}, action.Invalid, "On hold", "api, worker: a, x b c\nmail: a y c"},
		{"another number of words", []error{titled(action.Invalid, "On hold", "a b"), titled(action.Invalid, "On hold", "a b c"), nil},
			action.Invalid, "On hold", "api: a b\nworker: a b c"},
		{"another title", []error{titled(action.Invalid, "On hold", "a b"), titled(action.Invalid, "Gone", "a c"), nil}, action.Invalid, "t",
			"api: a b\nworker: a c"},
		{"the title of all refusals", []error{&action.Error{Outcome: action.Invalid, Title: "t", Err: errors.New("a b")},
			&action.Error{Outcome: action.Invalid, Title: "t", Err: errors.New("a c")}, nil}, action.Invalid, "t",
			"api: a b\nworker: a c"},
		{"another one besides", []error{older("api:1"), older("worker:3"), errors.New("x")}, action.Invalid, "t",
			"api, worker: commit: 1 is an ancestor of 2, which was released as api:1, worker:3\nmail: x"},
		{"several of one service", []error{
			&action.Error{Outcome: action.Superseded, Title: "A newer commit runs already", Err: errors.Join(older("api:1"), errors.New("y"))},
			older("worker:3"), nil}, action.Superseded, "A newer commit runs already",
			"api, worker: commit: 1 is an ancestor of 2, which was released as api:1, worker:3\n" +
				"api: y"},
		{"joined within words", []error{fmt.Errorf("both: %w", errors.Join(errors.New("x"), errors.New("y"))), nil, nil}, action.Failed, "",
			"api: both: x\ny"},
	} {
		err := fleet.Refusal("t", names, test.problems)
		v := action.VerdictOf("release", action.OutcomeOf(err), err)
		if err.Error() != test.says || action.OutcomeOf(err) != test.outcome || test.title != "" && v.Title != test.title {
			t.Errorf("%s: %s, %q: %v", test.name, action.OutcomeOf(err), v.Title, err)
		}
		if advised := v.Advice == "about "+v.Title; advised != (test.title != "t" && test.title != "") {
			t.Errorf("%s: advice %q", test.name, v.Advice)
		}
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
