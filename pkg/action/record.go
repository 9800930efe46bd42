package action

import (
	"sync"

	"github.com/org/connect2/v2/pkg/record"
)

// Sink returns the log as a sink of events; that of a nil log discards.
func (l *Log) Sink() record.Sink {
	if l == nil {
		return nil
	}
	return l.Emit
}

// Emit writes one event in the way of its kind. Kinds that are for the record alone are passed over.
func (l *Log) Emit(e record.Event) {
	if l == nil || e.Once != "" && !l.first(e.Once) {
		return
	}
	switch e.Kind {
	case record.KindNote:
		l.Eventf("%s", e.Text)
	case record.KindDebug:
		l.Debugf("%s", e.Text)
	case record.KindProgress:
		l.Progressf("%s", e.Text)
	case record.KindNotice, record.KindWarning, record.KindError:
		l.annotateAt(string(e.Kind), placeOf(e), e.Title, "%s", e.Text)
	case record.KindOutput:
		l.output(e)
	case record.KindStepBegan:
		if e.Step.Group {
			l.openGroup(*e.Step)
		}
	case record.KindStepEnded:
		if e.Step.Group {
			l.closeGroup(*e.Step)
		}
	}
}

func placeOf(e record.Event) Place {
	if e.Place == nil {
		return Place{}
	}
	return Place{File: e.Place.File, Line: e.Place.Line, Column: e.Place.Column}
}

// output writes one line of another program. What stops the runner from obeying it stays in force until something else is told.
func (l *Log) output(e record.Event) {
	f := &foreign{log: l, name: oneLine(e.Source)}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.print([]string{e.Text})
}

// first reports whether an event of this name has not been told yet.
func (l *Log) first(once string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.once[once] {
		return false
	}
	if l.once == nil {
		l.once = map[string]bool{}
	}
	l.once[once] = true
	return true
}

// openGroups are the groups that were opened by events, by name, the innermost last.
type openGroups struct {
	mu   sync.Mutex
	ends map[string][]func()
}

func (l *Log) openGroup(s record.Step) {
	end := l.Group(s.Name)
	l.opened.mu.Lock()
	defer l.opened.mu.Unlock()
	if l.opened.ends == nil {
		l.opened.ends = map[string][]func(){}
	}
	l.opened.ends[s.Name] = append(l.opened.ends[s.Name], end)
}

func (l *Log) closeGroup(s record.Step) {
	l.opened.mu.Lock()
	ends := l.opened.ends[s.Name]
	var end func()
	if n := len(ends); n > 0 {
		end, l.opened.ends[s.Name] = ends[n-1], ends[:n-1]
	}
	l.opened.mu.Unlock()
	if end != nil {
		end()
	}
}
