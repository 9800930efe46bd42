package record

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Sink takes the events of a run as they happen. It is safe for concurrent use as far as the function behind it is; the ones that
// this package makes are. A nil Sink discards.
type Sink func(Event)

// Emit hands one event on.
func (s Sink) Emit(e Event) {
	if s != nil {
		s(e)
	}
}

// Notef tells one thing that happened. A format without arguments is text: a percent sign in it is not a verb.
func (s Sink) Notef(format string, args ...any) { s.tell(KindNote, "", format, args) }

// Debugf tells what is wanted only while looking for a fault.
func (s Sink) Debugf(format string, args ...any) { s.tell(KindDebug, "", format, args) }

// Progressf tells how far it is. Each takes the place of the one before; an empty one takes it away.
func (s Sink) Progressf(format string, args ...any) { s.tell(KindProgress, "", format, args) }

// Noticef tells what is worth seeing outside the log. The title is one short line; it may be empty.
func (s Sink) Noticef(title, format string, args ...any) { s.tell(KindNotice, title, format, args) }

// Warnf tells what somebody should look at.
func (s Sink) Warnf(title, format string, args ...any) { s.tell(KindWarning, title, format, args) }

// Errorf tells of a failure that the run's verdict does not say.
func (s Sink) Errorf(title, format string, args ...any) { s.tell(KindError, title, format, args) }

// WarnOncef is Warnf, but of several warnings with this name only the first of a run counts.
func (s Sink) WarnOncef(once, title, format string, args ...any) {
	s.Emit(Event{Kind: KindWarning, Title: title, Text: sprintf(format, args), Once: once})
}

// WarnAt is Warnf about a place in a file.
func (s Sink) WarnAt(at Place, title, format string, args ...any) {
	s.Emit(Event{Kind: KindWarning, Title: title, Text: sprintf(format, args), Place: &at})
}

// ErrorAt is Errorf about a place in a file.
func (s Sink) ErrorAt(at Place, title, format string, args ...any) {
	s.Emit(Event{Kind: KindError, Title: title, Text: sprintf(format, args), Place: &at})
}

// Decided tells what will be done, and why.
func (s Sink) Decided(what, why string) { s.Emit(Event{Kind: KindDecision, Title: what, Text: why}) }

// Fact tells something to know at the end of the run. One with an empty value is not told.
func (s Sink) Fact(name string, value Text) {
	if value.Text != "" {
		s.Emit(Event{Kind: KindFact, Fact: &Fact{Name: name, Value: value}})
	}
}

// Found tells a cause.
func (s Sink) Found(f Finding) { s.Emit(Event{Kind: KindFinding, Finding: &f}) }

// Section adds a part to the report. One without blocks is not told.
func (s Sink) Section(section Section) {
	if len(section.Blocks) > 0 {
		s.Emit(Event{Kind: KindSection, Section: &section})
	}
}

// Group begins a section of the log and returns the function that ends it, which may be called more than once. Whoever records the
// events gives the times.
func (s Sink) Group(name string) (end func()) {
	step := Step{Name: name, Group: true}
	s.Emit(Event{Kind: KindStepBegan, Step: &step})
	return sync.OnceFunc(func() {
		ended := step
		ended.State = Done
		s.Emit(Event{Kind: KindStepEnded, Step: &ended})
	})
}

// Part returns the sink for a part of the run.
func (s Sink) Part(name string) Sink {
	if s == nil {
		return nil
	}
	return func(e Event) {
		if e.Part != "" {
			e.Part = name + "/" + e.Part
		} else {
			e.Part = name
		}
		s(e)
	}
}

// Lane returns the sink for a part that runs beside others. Its steps stand in one lane of the timeline, and whoever shows events as
// they come says which lane each is of.
func (s Sink) Lane(name string) Sink {
	part := s.Part(name)
	if part == nil {
		return nil
	}
	return func(e Event) {
		if e.Lane = name; e.Step != nil {
			step := *e.Step
			step.Lane, e.Step = name, &step
		}
		part(e)
	}
}

func (s Sink) tell(kind Kind, title, format string, args []any) {
	if s != nil {
		s(Event{Kind: kind, Title: title, Text: sprintf(format, args)})
	}
}

func sprintf(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// longestLine is where a line without an end is broken, in bytes: output must not be held back, or kept in memory, without a bound.
const longestLine = 64 << 10

// Output returns a writer for what another program writes. Each line is one event; Close tells what is left of the last one. It
// never fails, and is safe for concurrent use.
func (s Sink) Output(source string) io.WriteCloser { return &output{sink: s, source: source} }

type output struct {
	mu     sync.Mutex
	sink   Sink
	source string
	rest   []byte // a line that has no end yet
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest = append(o.rest, p...)
	for {
		end, next := bytes.IndexByte(o.rest, '\n'), 1
		if end < 0 && len(o.rest) > longestLine {
			end, next = longestLine, 0
			for end > 0 && !utf8.RuneStart(o.rest[end]) {
				end--
			}
		}
		if end < 0 {
			return len(p), nil
		}
		o.line(string(o.rest[:end]))
		o.rest = o.rest[end+next:]
	}
}

func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) > 0 {
		o.line(string(o.rest))
		o.rest = nil
	}
	return nil
}

func (o *output) line(text string) {
	o.sink.Emit(Event{Kind: KindOutput, Source: o.source, Text: strings.TrimSuffix(text, "\r")})
}
