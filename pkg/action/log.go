package action

import (
	"fmt"
	"io"

	"github.com/org/connect2/v2/pkg/record"
)

// Log tells events by Env.Events, for code that does not take a record.Sink yet. A nil *Log discards.
type Log struct {
	events  record.Sink
	mask    func(...string)
	summary func(markdown string)
}

// NewLog returns a Log that tells events, masks secrets and takes the Markdown of a job summary by these functions.
func NewLog(events record.Sink, mask func(...string), summary func(markdown string)) *Log {
	return &Log{events: events, mask: mask, summary: summary}
}

// Sink returns where the events go; that of a nil log discards.
func (l *Log) Sink() record.Sink {
	if l == nil {
		return nil
	}
	return l.events
}

// Eventf tells one thing that happened.
func (l *Log) Eventf(format string, args ...any) { l.Sink().Notef(format, args...) }

// Debugf tells what is wanted only while looking for a fault.
func (l *Log) Debugf(format string, args ...any) { l.Sink().Debugf(format, args...) }

// Progressf tells how far it is.
func (l *Log) Progressf(format string, args ...any) { l.Sink().Progressf(format, args...) }

// Noticef tells what is worth seeing outside the log.
func (l *Log) Noticef(title, format string, args ...any) { l.Sink().Noticef(title, format, args...) }

// Warnf tells what somebody should look at.
func (l *Log) Warnf(title, format string, args ...any) { l.Sink().Warnf(title, format, args...) }

// Errorf tells of a failure that the returned error does not say.
func (l *Log) Errorf(title, format string, args ...any) { l.Sink().Errorf(title, format, args...) }

// WarnAt is Warnf about a place in a file.
func (l *Log) WarnAt(at Place, title, format string, args ...any) {
	l.Sink().Emit(record.Event{Kind: record.KindWarning, Title: title, Text: fmt.Sprintf(format, args...), Place: placeOf(at)})
}

// ErrorAt is Errorf about a place in a file.
func (l *Log) ErrorAt(at Place, title, format string, args ...any) {
	l.Sink().Emit(record.Event{Kind: record.KindError, Title: title, Text: fmt.Sprintf(format, args...), Place: placeOf(at)})
}

func placeOf(at Place) *Place {
	if at.File == "" {
		return nil
	}
	return &at
}

// Place is a position in a file of the repository.
type Place = record.Place

// Group begins a section of the log and returns the function that ends it.
func (l *Log) Group(title string) (end func()) { return l.Sink().Group(title) }

// Foreign returns a writer for what another program writes.
func (l *Log) Foreign(name string) io.WriteCloser { return l.Sink().Output(name) }

// Mask hides these secrets in everything that is told from now on.
func (l *Log) Mask(secrets ...string) {
	if l != nil && l.mask != nil {
		l.mask(secrets...)
	}
}

// Summary appends Markdown to the job summary.
func (l *Log) Summary(markdown string) {
	if l != nil && l.summary != nil {
		l.summary(markdown)
	}
}
