package record

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is what the events of a run add up to.
type Record struct {
	Name      string    `json:"name"` // of the action or the part
	Begun     time.Time `json:"begun"`
	Ended     time.Time `json:"ended,omitzero"`
	Asked     []Fact    `json:"asked,omitempty"`
	Decisions []Event   `json:"decisions,omitempty"`
	Steps     []Step    `json:"steps,omitempty"`
	Events    []Event   `json:"events,omitempty"` // notes, notices, warnings, errors, and the other kinds as they came; no output lines
	Output    []Event   `json:"output,omitempty"` // the last lines of other programs, MaxOutput of each source
	Findings  []Finding `json:"findings,omitempty"`
	Facts     []Fact    `json:"facts,omitempty"`
	Sections  []Section `json:"sections,omitempty"`
	Results   []Fact    `json:"results,omitempty"` // the outputs of the action
	Verdict   Verdict   `json:"verdict"`
	Parts     []*Record `json:"parts,omitempty"`
}

// Took returns how long the run took, or zero while it goes on.
func (r *Record) Took() time.Duration {
	if r.Ended.IsZero() {
		return 0
	}
	return r.Ended.Sub(r.Begun)
}

// Part returns the part of this name, or nil.
func (r *Record) Part(name string) *Record {
	i := slices.IndexFunc(r.Parts, func(p *Record) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return r.Parts[i]
}

// Apply adds one event to the record, or to the part that the event names.
func (r *Record) Apply(e Event) {
	if e.Part != "" {
		name, rest, _ := strings.Cut(e.Part, "/")
		part := r.Part(name)
		if part == nil {
			part = &Record{Name: name, Begun: e.At}
			r.Parts = append(r.Parts, part)
		}
		e.Part = rest
		part.Apply(e)
		return
	}
	if r.Begun.IsZero() {
		r.Begun = e.At
	}
	switch e.Kind {
	case KindAsked:
		r.Asked = append(r.Asked, *e.Fact)
	case KindDecision:
		r.Decisions = append(r.Decisions, e)
	case KindStepBegan, KindStepEnded:
		if e.Step.Group && e.Kind == KindStepBegan { // always a new one; a large plan has thousands
			r.Steps = append(r.Steps, *e.Step)
			break
		}
		r.step(*e.Step)
	case KindFinding:
		r.Findings = append(r.Findings, *e.Finding)
	case KindFact:
		r.Facts = replace(r.Facts, *e.Fact, func(f Fact) string { return f.Name })
	case KindResult:
		r.Results = replace(r.Results, *e.Fact, func(f Fact) string { return f.Name })
	case KindSection:
		r.Sections = replace(r.Sections, *e.Section, func(s Section) string { return s.Name })
	case KindVerdict:
		r.Verdict, r.Ended = *e.Verdict, e.At
	case KindOutput:
		r.Output = append(r.Output, e)
		r.dropOutput(e.Source)
	case KindProgress, KindDebug: // many, and told as they come
	default:
		r.Events = append(r.Events, e)
	}
}

// MaxOutput is how many lines of another program's output a record keeps, the last ones of each source.
const MaxOutput = 200

// dropOutput leaves out the oldest line of a source that has too many.
func (r *Record) dropOutput(source string) {
	of := func(e Event) bool { return e.Source == source }
	kept := 0
	for _, e := range r.Output {
		if of(e) {
			kept++
		}
	}
	if kept > MaxOutput {
		i := slices.IndexFunc(r.Output, of)
		r.Output = slices.Delete(r.Output, i, i+1)
	}
}

// step adds a step, or puts its end to the one that was begun.
func (r *Record) step(s Step) {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if r.Steps[i].ID == s.ID {
			r.Steps[i] = s
			return
		}
	}
	r.Steps = append(r.Steps, s)
}

// replace puts an item in the place of the one with its name, or at the end.
func replace[T any](items []T, item T, name func(T) string) []T {
	i := slices.IndexFunc(items, func(other T) bool { return name(other) == name(item) })
	if i < 0 {
		return append(items, item)
	}
	items[i] = item
	return items
}

// Recorder keeps the record of a run and hands each event on as it happens. It gives events their times and steps their names,
// and drops what was told once already. It is safe for concurrent use.
type Recorder struct {
	now   func() time.Time
	views []Sink

	mu     sync.Mutex
	record *Record
	once   map[string]bool
	steps  int
	open   map[string][]Step // groups that are open, by part
}

// NewRecorder returns a recorder of a run of this action by a clock. The views get each event, complete, one at a time; they must
// not emit.
func NewRecorder(name string, now func() time.Time, views ...Sink) *Recorder {
	return &Recorder{now: now, views: views, record: &Record{Name: name, Begun: now()}, once: map[string]bool{}, open: map[string][]Step{}}
}

// Show hands what happens from now on to one more view.
func (r *Recorder) Show(view Sink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views = append(r.views, view)
}

// Emit is the recorder as a Sink.
func (r *Recorder) Emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Once != "" {
		if r.once[e.Once] {
			return
		}
		r.once[e.Once] = true
	}
	if e.At.IsZero() {
		e.At = r.now()
	}
	if e.Step != nil {
		step := *e.Step
		r.complete(e, &step)
		e.Step = &step
	}
	r.record.Apply(e)
	for _, view := range r.views {
		view.Emit(e)
	}
}

// complete gives a step what its teller left out: its name, and its times.
func (r *Recorder) complete(e Event, s *Step) {
	if e.Kind == KindStepBegan {
		if s.ID == "" {
			r.steps++
			s.ID = fmt.Sprintf("%d", r.steps)
		}
		if s.Begun.IsZero() {
			s.Begun = e.At
		}
		if s.Group {
			r.open[e.Part] = append(r.open[e.Part], *s)
		}
		return
	}
	if s.ID == "" && s.Group { // the innermost group of this name that is open
		open := r.open[e.Part]
		for i := len(open) - 1; i >= 0; i-- {
			if open[i].Name == s.Name {
				s.ID, s.Begun = open[i].ID, open[i].Begun
				r.open[e.Part] = slices.Delete(open, i, i+1)
				break
			}
		}
	}
	if s.ID == "" { // a moment, or a stretch that is told at its end
		r.steps++
		s.ID = fmt.Sprintf("%d", r.steps)
	}
	if s.Ended.IsZero() {
		s.Ended = e.At
	}
	if s.Begun.IsZero() {
		s.Begun = s.Ended
	}
}

// Sink returns the recorder as a Sink; that of a nil one discards.
func (r *Recorder) Sink() Sink {
	if r == nil {
		return nil
	}
	return r.Emit
}

// Read calls see with the record as it is now; nothing is recorded meanwhile. see must not keep the record while the run goes on.
func (r *Recorder) Read(see func(*Record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	see(r.record)
}
