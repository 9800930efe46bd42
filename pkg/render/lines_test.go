package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/record"
)

// TestLinesAddUpToTheRecord holds that a reader of the file knows all that the run's own record holds.
func TestLinesAddUpToTheRecord(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var file bytes.Buffer
	recorder := record.NewRecorder("release", func() time.Time { return start })
	var lines *Lines
	recorder.Read(func(r *record.Record) { lines = NewLines(&file, r, nil) })
	recorder.Show(lines.Emit)
	tellFailedRelease(recorder, &start)
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	got, err := ReadLines(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	recorder.Read(func(want *record.Record) {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-told +read):\n%s", diff)
		}
	})
	for n, line := range strings.Split(strings.TrimSpace(file.String()), "\n") {
		if !json.Valid([]byte(line)) || strings.Contains(line, "\\u003c") {
			t.Errorf("line %d: %s", n+1, line)
		}
	}
}

func TestLinesHideSecrets(t *testing.T) {
	var file bytes.Buffer
	var secrets Secrets
	secrets.Add("hunter2!")
	lines := NewLines(&file, &record.Record{Name: "x"}, &secrets)
	lines.Emit(record.Event{Kind: record.KindOutput, Source: "app", Text: "password hunter2!"})
	lines.Emit(record.Event{Kind: record.KindFinding, Finding: &record.Finding{Code: "c", Evidence: []string{"hunter2!"}}})
	if strings.Contains(file.String(), "hunter2!") || strings.Count(file.String(), "***") != 2 {
		t.Error(file.String())
	}
}

type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestLinesStopAtTheFirstFailure(t *testing.T) {
	w := &full{left: 200}
	lines := NewLines(w, &record.Record{Name: "x"}, nil)
	lines.Emit(record.Event{Kind: record.KindNote, Text: strings.Repeat("long ", 100)})
	w.left = 1000
	lines.Emit(record.Event{Kind: record.KindNote, Text: "short"})
	if !errors.Is(lines.Err(), errFull) || w.left != 1000 {
		t.Errorf("%v, %d bytes left", lines.Err(), w.left)
	}
}

func TestReadLinesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":     "header",
		"{}\n": "version 0",
		`{"schema":"connect2.events","version":99}`:                      "version 99",
		`{"schema":"other","version":1}`:                                 `"other"`,
		`{"schema":"connect2.events","version":1}` + "\n{}\n{\"at\": 5}": "event 2",
	} {
		if _, err := ReadLines(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want one about %q", text, err, want)
		}
	}
}

// TestEventsAreDocumented holds that docs/EVENTS.md names each kind and each field, and nothing that is not there.
func TestEventsAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../../docs/EVENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../record/event.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`Kind\w+ +Kind = "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		known[m[1]] = true
	}
	if len(known) < 10 {
		t.Fatalf("read only the kinds %v", known)
	}
	for _, of := range []any{Header{}, record.Event{}, record.Place{}, record.Step{}, record.Finding{}, record.Fact{}, record.Text{},
		record.Section{}, record.Block{}, record.Table{}, record.Verdict{}} {
		for i := range reflect.TypeOf(of).NumField() {
			name, _, _ := strings.Cut(reflect.TypeOf(of).Field(i).Tag.Get("json"), ",")
			if name != "-" {
				known[name] = true
			}
		}
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(document), -1) {
		named[m[1]] = true
	}
	if diff := cmp.Diff(known, named); diff != "" {
		t.Errorf("(-in the code +in docs/EVENTS.md):\n%s", diff)
	}
}
