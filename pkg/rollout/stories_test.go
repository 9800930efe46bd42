package rollout

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

var rewrite = flag.Bool("update", false, "write testdata/decisions.txt anew")

// decisions is what Next decides in some histories, look by look. A line says when it was asked, what it was shown, and what it
// decided: the phase, what it tells, what is changed, what is read next and how long after.
const decisions = "testdata/decisions.txt"

// told are histories in words: each is a look at the service and the site of the model that it shows, with what else is found out then
// behind a slash. *N is so many looks. Before the first it may say what is otherwise: there is no version before (none), none had tasks
// (first), it is only followed (committed), it is left to ECS when the run is interrupted (leave).
var told = []struct{ name, history string }{
	{"it arrives", "starts starts/found starts*8 settles*4 done"},
	{"it is listed late", "starts*12 starts/found settles*2 done"},
	{"its own entry is a little older than it", "starts/early*6 settles/early*4 done/early"},
	{"a service deployment that cannot be read for a while", "starts/found starts/ownlost*3 starts settles/ownlost*2 done"},
	{"one that cannot be read at all", "starts/found starts/ownlost*6 settles*2 done"},
	{"one that may not be read", "starts/denied settles*3 done"},
	{"a certain cause", "starts/found fails/crash,certain*6 tripped*3 undone"},
	{"a certain cause, and the stop is throttled", "starts/found fails/crash,certain*4 fails/stop=throttled*3 fails tripped undone"},
	{"a certain cause, and the stop is not allowed", "starts/found fails/crash,certain*4 fails/stop=refused*3 puts*3 put"},
	{"a certain cause, and every stop is throttled", "starts/found fails/crash,certain*4 fails/stop=throttled*9 puts put"},
	{"a certain cause, and the deployment has ended", "starts/found fails/crash,certain*4 fails/stop=over done"},
	{"a cause that may pass, in two waves", "starts/found fails/crash,passing*6 tripped undone"},
	{"another cause later", "starts/found fails/crash,certain fails*3 fails/crash,other*3 given*4 puts put"},
	{"nothing is known of the failures", "starts/found fails/crash fails*4 fails/crash*3 tripped undone/certain"},
	{"tasks may not be read", "starts/found,notasks fails/notasks*9 settles done"},
	{"tasks cannot be read for a while", "starts/found,tasklost fails/tasklost*7 settles/crash*6 done"},
	{"no way to place a task, and its cause is certain", "starts/found,event fails/certain*9 tripped undone"},
	{"the breaker gives it up", "starts/found fails given*2 given/put=throttled given/put=lost puts*3 put"},
	{"nothing puts it back, and that is refused", "starts/found given*3/put=refused given/put=refused given/certain"},
	{"there is nothing to put back", "none starts/found given*3 given/certain"},
	{"there is nothing to put back but by history", "none starts/found given/past*3 puts put"},
	{"without the API it is given up", "starts/denied fails given*9 puts*2 put"},
	{"the way back fails", "starts/found given*2 puts*2 unput*9/certain"},
	{"the way back fails, without the API", "starts/denied given*9 puts unput*9"},
	{"ECS's own way back fails", "starts/found tripped*2 unundone*3 puts put"},
	{"the service is back while it is put back", "starts/found given*2/unnamed undone*3"},
	{"somebody deploys", "starts/found settles newer newer"},
	{"somebody deploys while it goes back", "starts/found given*2 puts newer newest"},
	{"the service is deleted", "starts/found deleted deleted"},
	{"the service is deleted while it goes back", "starts/found given*2 puts deleted"},
	{"tasks of the complete deployment fail", "starts/found settles falls/crash*3 done*30"},
	{"and none stands in their place", "starts/found settles falls/crash,passing falls*90 puts put"},
	{"they fail after the end of its time", "starts/found starts*9 settles*60 falls/crash*9 puts put"},
	{"they are missing and did not fail", "starts/found settles replaced*6"},
	{"a first release fails", "first starts/found given*2 given puts put"},
	{"a first release fails, and cannot be emptied", "first starts/found given*2/empty=refused given puts put"},
	{"nothing can be read", "starts/found starts/lost*40"},
	{"reads are throttled for a while", "starts/found starts/throttled*7 starts settles done"},
	{"nothing can be read for a while", "starts/found starts/lost*6 starts settles done"},
	{"credentials that end", "starts/found starts/expired starts/expired*40"},
	{"its time is over", "starts/found starts*17 asked tripped*2 undone"},
	{"its time is over, and ECS takes its own", "starts/found starts*17 tripped*60"},
	{"ECS takes its own without having been asked", "starts/found tripped*120"},
	{"it is complete late, and its end is not listed", "starts/found starts*9 settles*40 done/ownlost*9 done"},
	{"it was stopped already, and is only followed", "committed starts/found asked tripped undone"},
	{"it was stopped already, and nothing puts the version before back", "committed starts/found given*3 puts put"},
	{"interrupted", "starts/found settles interrupted"},
	{"interrupted before it was seen", "starts interrupted/found"},
	{"interrupted before it was seen, and it is not found", "starts interrupted interrupted"},
	{"interrupted, and it cannot be stopped", "starts/found settles interrupted/stop=refused"},
	{"interrupted, and nothing works", "starts/found settles interrupted/stop=refused,put=refused"},
	{"interrupted, and there is nothing to put back", "none starts/denied settles interrupted"},
	{"interrupted, and it had arrived", "starts/found settles interrupted/stop=over,at=done"},
	{"interrupted, and it had all but arrived", "starts/found settles interrupted/stop=over,at=falls"},
	{"interrupted, and it had failed", "starts/found settles interrupted/stop=over,at=given"},
	{"interrupted, and its end cannot be read", "starts/found settles interrupted/stop=over,lost"},
	{"interrupted while it goes back", "starts/found tripped interrupted"},
	{"interrupted while it is put back", "starts/found given*2 puts interrupted"},
	{"interrupted, a first release", "first starts/found settles interrupted"},
	{"interrupted, and left to ECS", "leave starts/found settles interrupted"},
}

// teller lets one history happen.
type teller struct {
	t     *testing.T
	state State
	now   time.Time
	out   strings.Builder
	words []string // looks that are left
	word  string   // the one that goes on
	more  []string // what else is found out at it
	left  bool     // the run is interrupted
	tasks int
	last  string // what was written last, without its time,
	same  int    // and how many times more it was
}

// has reports whether something is found out at this look, and takes it where it happens once.
func (h *teller) has(what string) bool { return slices.Contains(h.more, what) }

func (h *teller) once(what string) bool {
	i := slices.Index(h.more, what)
	if i >= 0 {
		h.more = slices.Delete(h.more, i, i+1)
	}
	return i >= 0
}

// next goes on to the next look. It reports false at the end of the history.
func (h *teller) next() bool {
	if len(h.words) == 0 {
		return false
	}
	name, more, _ := strings.Cut(h.words[0], "/")
	h.words = h.words[1:]
	h.word, h.more = name, nil
	if more != "" {
		h.more = strings.Split(more, ",")
	}
	return true
}

func (h *teller) site() site {
	name := h.word
	for _, m := range h.more {
		if at, ok := strings.CutPrefix(m, "at="); ok {
			name = at
		}
	}
	return site(slices.Index(siteNames[:], name))
}

// snapshot is what DescribeServices shows.
func (h *teller) snapshot() *ecsview.Snapshot {
	if h.word == "replaced" { // a task of the complete deployment is missing, and none has failed
		s := shown[atDone]
		s.Deployments = []ecsview.Deployment{deployment(newID, "PRIMARY", "COMPLETED", running(1))}
		return &s
	}
	at := h.site()
	if at < 0 {
		return &shown[atSettles]
	}
	s := shown[at]
	if h.has("event") {
		s.Events = []ecsview.ServiceEvent{{ID: "e1", At: h.now, Text: "(service api) was unable to place a task."}}
	}
	return &s
}

// observation is what comes of reading something.
func (h *teller) observation(r Reads) Observation {
	o := Observation{Read: r}
	lost := Trouble{Err: errModel, Lost: true}
	switch {
	case r.Service && h.has("lost"):
		o.ServiceTrouble = lost
	case r.Service && h.has("throttled"):
		o.ServiceTrouble = Trouble{Err: errModel, Throttled: true}
	case r.Service && h.has("expired"):
		o.ServiceTrouble = Trouble{Err: errModel, Credentials: true}
	case r.Service:
		o.Service = h.snapshot()
		switch {
		case h.has("ownlost"):
			o.OwnTrouble = lost
		case h.has("denied"):
			o.OwnTrouble = Trouble{Err: errModel, Refused: true}
		case r.Own != "" && h.state.ownDue(*o.Service, h.now):
			o.Own = ownShown[max(h.site(), 0)]
			if h.word == "replaced" {
				o.Own = ownShown[atDone]
			}
		default:
			o.OwnLeft = r.Own != ""
		}
	case r.Tasks && h.has("notasks"):
		o.TasksTrouble = Trouble{Err: errModel, Refused: true}
	case r.Tasks && h.has("tasklost"):
		o.TasksTrouble = lost
	case r.Tasks && h.once("crash"):
		o.Tasks = []ecsview.Task{{ARN: fmt.Sprint("arn:task/", h.tasks), StartedBy: newID, StopCode: "EssentialContainerExited",
			LastStatus: "STOPPED", Reason: "Essential container in task exited", StartedAt: h.now.Add(-30 * time.Second),
			StoppingAt: h.now.Add(-time.Second), StoppedAt: h.now}}
		h.tasks++
	case r.Diagnosis:
		h.diagnose(&o)
	case r.Past && h.has("past"):
		o.Past = oldTD
	}
	if r.Find && h.has("found") {
		o.Found = []Candidate{{ownARN, epoch, newTD, nil}}
	} else if r.Find && h.has("early") {
		o.Found = []Candidate{{ownARN, epoch.Add(-createdSlack), newTD, nil}}
	}
	return o
}

func (h *teller) diagnose(o *Observation) {
	d := Diagnosis{Finding: record.Finding{Code: "exit", Title: "exits at once"}, Alike: h.tasks, Waves: h.tasks}
	switch {
	case h.has("certain"):
		d.Finding.Certain, d.Waves = true, min(h.tasks, 1)
	case h.has("other"):
		d.Finding.Code, d.Finding.Title, d.Waves, d.Alike = "import", "cannot import a module", 1, 1
	case !h.has("passing"):
		return
	}
	o.Diagnosis = &d
}

// answer is what a change comes to.
func (h *teller) answer(effect Effect) Answer {
	a, kind := Answer{To: effect}, "stop="
	if _, empties := effect.(Empty); empties {
		kind = "empty="
	}
	if _, back := effect.(PutBack); back {
		kind = "put="
		a.Target = Target{Cluster: "prod", Service: "api", TaskDefinition: oldTD, ID: backID, Created: epoch.Add(30 * time.Second),
			Known: []string{oldID, newID}}
	}
	if h.has("unnamed") {
		a.Target.ID = ""
	}
	for _, m := range h.more {
		switch how, _ := strings.CutPrefix(m, kind); how {
		case "throttled":
			a.Trouble = Trouble{Err: errModel, Throttled: true}
		case "refused":
			a.Trouble = Trouble{Err: errModel, Refused: true}
		case "lost":
			a.Trouble = Trouble{Err: errModel, Lost: true}
		case "over":
			a.Over = true
		}
	}
	return a
}

// tell writes what Next decided.
func (h *teller) tell(shown string, effects []Effect, r Reads) {
	before := h.out.Len()
	defer func() { h.fold(before) }()
	fmt.Fprintf(&h.out, "%8s  %-10s %s\n", h.now.Sub(epoch), shown, h.state.verdict.Phase)
	for _, effect := range effects {
		tell, ok := effect.(Tell)
		if !ok {
			continue
		}
		e := tell.Event
		switch {
		case e.Step != nil:
			fmt.Fprintf(&h.out, "%10s%s %s/%s %s, %s to %s\n", "", e.Kind, e.Step.Lane, e.Step.Name, e.Step.State, e.Step.Begun.Sub(epoch),
				endOf(e.Step.Ended))
		case e.Finding != nil:
			fmt.Fprintf(&h.out, "%10s%s %s\n", "", e.Kind, e.Finding.Code)
		default:
			fmt.Fprintf(&h.out, "%10s%s: %s\n", "", e.Kind, strings.TrimPrefix(e.Title+": "+e.Text, ": "))
		}
	}
	if what := changes(effects, r); what != "" {
		fmt.Fprintf(&h.out, "%10s→ %s", "", what)
		if r.After > 0 {
			fmt.Fprintf(&h.out, " in %s", r.After)
		}
		switch {
		case r.Own != "":
			fmt.Fprint(&h.out, ", with its service deployment")
		case r.Find && r.Service:
			fmt.Fprint(&h.out, ", and look for its service deployment")
		}
		fmt.Fprintln(&h.out)
	}
}

// fold takes what was written since then away again where it says nothing but another time than what was written before it.
func (h *teller) fold(before int) {
	const column = 8 // behind the time
	text := h.out.String()
	if last := text[before+column:]; last != h.last {
		h.last, h.same = last, 0
		return
	}
	text = text[:before]
	if h.same > 0 {
		text = text[:strings.LastIndexByte(text[:len(text)-1], '\n')+1]
	}
	h.same++
	h.out.Reset()
	fmt.Fprintf(&h.out, "%s%10s%d times more, until %s\n", text, "", h.same, h.now.Sub(epoch))
}

func endOf(t time.Time) string {
	if t.IsZero() {
		return "…"
	}
	return t.Sub(epoch).String()
}

// happen lets the history happen, and returns what was decided in it.
func (h *teller) happen() string {
	var reads Reads
	asked, all := target, settings{timeout: 2 * time.Minute, rollbackTimeout: time.Minute, lostAfter: 30 * time.Second, diagnoses: true}
	switch h.words[0] {
	case "none":
		asked.Previous = ""
	case "first":
		asked.Empty = true
	case "committed":
		all.committed = true
	case "leave":
		all.leave = true
	default:
		h.words = slices.Insert(h.words, 0, "")
	}
	h.words = h.words[1:]
	h.state, reads = begin(asked, epoch, all)
	h.now = epoch
	for n := 0; !h.state.Done(); n++ {
		if n > 5000 {
			h.t.Fatalf("it does not end:\n%s", h.out.String())
		}
		h.now = h.now.Add(reads.After)
		if reads.Service && !(h.left && len(h.words) == 0) && !h.next() {
			fmt.Fprintln(&h.out, "          and so on")
			break
		}
		if h.word == "interrupted" {
			h.left = true
		}
		o := h.observation(reads)
		shown := h.word
		switch {
		case reads.Tasks:
			shown = "tasks"
		case reads.Diagnosis:
			shown = "cause"
		case reads.Running, reads.Past, reads.Find && !reads.Service:
			shown = "more"
		}
		for {
			if h.left {
				o.Interrupted = errModel
			}
			var effects []Effect
			h.state, effects, reads = Next(h.state, o, h.now)
			h.tell(shown, effects, reads)
			o = Observation{}
			for _, effect := range effects {
				if effect.changes() {
					o.Answers = append(o.Answers, h.answer(effect))
				}
			}
			if shown = "answered"; len(o.Answers) == 0 {
				break
			}
		}
	}
	result, err := h.state.Result()
	fmt.Fprintf(&h.out, "%8s  end %q by %q after %s, %s is at %s, %d failed, put back to %q: %v\n", "", result.End, result.By, result.Took,
		result.Verdict, result.Serving, len(result.Failed), h.state.back.ID, err)
	return h.out.String()
}

// TestDecisions holds what is decided in each history, look by look, to what was read and found right once.
func TestDecisions(t *testing.T) {
	var all strings.Builder
	for _, test := range told {
		h := &teller{t: t}
		for word := range strings.FieldsSeq(test.history) {
			name, n := word, 1
			if before, after, many := strings.Cut(word, "*"); many {
				times, more, _ := strings.Cut(after, "/")
				name = strings.TrimSuffix(before+"/"+more, "/")
				if _, err := fmt.Sscan(times, &n); err != nil {
					t.Fatal(word, err)
				}
			}
			h.words = append(h.words, slices.Repeat([]string{name}, n)...)
		}
		fmt.Fprintf(&all, "== %s: %s\n%s\n", test.name, test.history, h.happen())
	}
	if *rewrite {
		if err := os.WriteFile(decisions, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(decisions)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(all.String(), "\n")); diff != "" {
		t.Errorf("it decides otherwise (-was +is); once that is right: go test ./pkg/rollout -run TestDecisions -update\n%s", diff)
	}
}
