// Package actiontest gives tests an environment to run actions in.
package actiontest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// Recorder keeps what a run told. It is safe for concurrent use.
type Recorder struct {
	secrets  *render.Secrets
	recorder *record.Recorder

	mu      sync.Mutex
	raw     strings.Builder
	entries []Entry
}

// Entry is one thing that was told, secrets redacted.
type Entry struct {
	Kind  string // event, debug, notice, warning, error, group, foreign
	Title string // of an annotation; the name of foreign text
	Text  string
}

// NewTestEnv returns an environment that touches nothing of the process: the variables are those of the map (nil has none),
// everything that is written goes to the recorder and, when the test fails, into its log. Transport is left nil: set it to
// a sandbox's, since nil is the network. With GITHUB_ACTIONS=true in the map the log speaks in workflow commands.
func NewTestEnv(t testing.TB, getenv map[string]string) (*action.Env, *Recorder) {
	t.Helper()
	lookup := func(name string) string { return getenv[name] }
	r := &Recorder{secrets: &render.Secrets{}}
	env := &action.Env{Getenv: lookup, Stdout: &locked{r: r}, GitHub: action.GitHubOf(lookup)}
	env.Time = env.Clock()
	options := render.LogOptionsFor(&locked{r: r}, lookup)
	options.Secrets, options.Name = r.secrets, t.Name()
	log := render.NewLog(&locked{r: r}, options)
	r.recorder = record.NewRecorder(t.Name(), env.Time.Now, log.Emit, r.keep)
	env.Events, env.Mask, env.Redact = r.recorder.Sink(), log.Mask, r.secrets.Conceal
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the run told:\n%s", r.Text())
		}
	})
	return env, r
}

// keep keeps an event as an entry.
func (r *Recorder) keep(e record.Event) {
	entry := Entry{Kind: string(e.Kind), Title: e.Title, Text: e.Text}
	switch e.Kind {
	case record.KindNote:
		entry.Kind = "event"
	case record.KindDecision:
		entry.Kind, entry.Title, entry.Text = "event", "", strings.TrimPrefix(e.Title+": "+e.Text, ": ")
	case record.KindFinding:
		entry.Kind, entry.Text = "event", e.Finding.Title
	case record.KindDebug, record.KindNotice, record.KindWarning, record.KindError:
	case record.KindOutput:
		entry.Kind, entry.Title = "foreign", e.Source
	case record.KindStepBegan:
		if !e.Step.Group {
			return
		}
		entry.Kind, entry.Text = "group", e.Step.Name
	default:
		return
	}
	entry.Title, entry.Text = r.secrets.Redact(entry.Title), r.secrets.Redact(entry.Text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entry)
}

type locked struct{ r *Recorder }

func (w *locked) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.raw.Write(p)
}

// Text returns everything that was written to the log and to Stdout, as it was written.
func (r *Recorder) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}

// Entries returns everything that was told, in order.
func (r *Recorder) Entries() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries)
}

// Of returns the entries of these kinds, in order.
func (r *Recorder) Of(kinds ...string) []Entry {
	return slices.DeleteFunc(r.Entries(), func(e Entry) bool { return !slices.Contains(kinds, e.Kind) })
}

// Events returns the texts of the event lines.
func (r *Recorder) Events() []string { return texts(r.Of("event")) }

// Warnings returns the warnings' titles and texts as "title: text".
func (r *Recorder) Warnings() []string { return titled(r.Of("warning")) }

// Errors returns the errors' titles and texts as "title: text".
func (r *Recorder) Errors() []string { return titled(r.Of("error")) }

// Foreign returns the foreign text, line by line, without the name before it.
func (r *Recorder) Foreign() string { return strings.Join(texts(r.Of("foreign")), "\n") }

// Record calls see with the record of the run so far.
func (r *Recorder) Record(see func(*record.Record)) { r.recorder.Read(see) }

// End records how the run ended, as package run does.
func (r *Recorder) End(outcome action.Outcome, err error) {
	switch {
	case err != nil:
		outcome = action.OutcomeOf(err)
	case outcome == "":
		outcome = action.Succeeded
	}
	verdict := action.VerdictOf("test", outcome, err)
	r.recorder.Emit(record.Event{Kind: record.KindVerdict, Verdict: &verdict})
}

// Summary returns the job summary's Markdown.
func (r *Recorder) Summary() string {
	var text string
	r.recorder.Read(func(rec *record.Record) { text = render.Summary(rec, r.secrets) })
	return text
}

func texts(entries []Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Text)
	}
	return all
}

func titled(entries []Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Title+": "+e.Text)
	}
	return all
}
