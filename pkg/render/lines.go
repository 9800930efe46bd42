package render

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/org/connect2/v2/pkg/record"
)

// Header is the first line of a file of events.
type Header struct {
	Schema  string    `json:"schema"`  // always "connect2.events"
	Version int       `json:"version"` // [record.Version]
	Name    string    `json:"name"`    // of the action
	Begun   time.Time `json:"begun"`
}

// Lines writes the events of a run as JSON lines, one event each, below a header. Secrets are taken out of every text. It is not safe
// for concurrent use: a recorder calls its views one at a time.
type Lines struct {
	encoder *json.Encoder
	secrets *Secrets
	err     error
}

// NewLines writes the header of a record to w and returns what writes the events that follow.
func NewLines(w io.Writer, r *record.Record, secrets *Secrets) *Lines {
	l := &Lines{encoder: json.NewEncoder(w), secrets: secrets}
	l.encoder.SetEscapeHTML(false) // "&" in a link stays one that can be read
	l.write(Header{Schema: "connect2.events", Version: record.Version, Name: r.Name, Begun: r.Begun})
	return l
}

// Emit writes one event.
func (l *Lines) Emit(e record.Event) { l.write(redactedEvent(e, l.secrets)) }

// write writes one line. After one that failed nothing more is written: a file with a hole would read as a whole one.
func (l *Lines) write(line any) {
	if l.err == nil {
		l.err = l.encoder.Encode(line)
	}
}

// Err returns why the file is not complete, or nil.
func (l *Lines) Err() error {
	if l.err != nil {
		return fmt.Errorf("write the events: %w", l.err)
	}
	return nil
}

// ReadLines returns the record that a file of events adds up to.
func ReadLines(r io.Reader) (*record.Record, error) {
	decoder := json.NewDecoder(r)
	var header Header
	if err := decoder.Decode(&header); err != nil {
		return nil, fmt.Errorf("read the header of the events: %w", err)
	}
	if header.Schema != "connect2.events" || header.Version != record.Version {
		return nil, fmt.Errorf("the events are %q of version %d, want %q of version %d", header.Schema, header.Version,
			"connect2.events", record.Version)
	}
	read := &record.Record{Name: header.Name, Begun: header.Begun}
	for line := 2; ; line++ {
		var e record.Event
		switch err := decoder.Decode(&e); err {
		case nil:
			read.Apply(e)
		case io.EOF:
			return read, nil
		default:
			return nil, fmt.Errorf("read event %d: %w", line-1, err)
		}
	}
}
