// Package actiontest gives tests an environment to run actions in.
package actiontest

import (
	"strings"
	"sync"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// Recorder keeps what a run told. It is safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	raw     strings.Builder
	entries []action.Entry
}

// NewTestEnv returns an environment that touches nothing of the process: the variables are those of the map (nil has none),
// everything that is written goes to the recorder and, when the test fails, into its log. Transport is left nil: set it to
// a sandbox's, since nil is the network. With GITHUB_ACTIONS=true in the map the log speaks in workflow commands.
func NewTestEnv(t testing.TB, getenv map[string]string) (*action.Env, *Recorder) {
	t.Helper()
	r := &Recorder{}
	log := action.NewLog(&locked{r: r}, action.LogOptions{
		GitHub:  getenv["GITHUB_ACTIONS"] == "true",
		Debug:   getenv["RUNNER_DEBUG"] == "1",
		Summary: getenv["GITHUB_STEP_SUMMARY"],
		Record: func(e action.Entry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.entries = append(r.entries, e)
		},
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the run told:\n%s", r.Text())
		}
	})
	lookup := func(name string) string { return getenv[name] }
	return &action.Env{Log: log, Getenv: lookup, Stdout: &locked{r: r}, GitHub: action.GitHubOf(lookup)}, r
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
func (r *Recorder) Entries() []action.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]action.Entry(nil), r.entries...)
}

// Of returns the entries of these kinds (event, debug, notice, warning, error, group, foreign, summary), in order.
func (r *Recorder) Of(kinds ...string) []action.Entry {
	var found []action.Entry
	for _, e := range r.Entries() {
		for _, kind := range kinds {
			if e.Kind == kind {
				found = append(found, e)
			}
		}
	}
	return found
}

// Events returns the texts of the event lines.
func (r *Recorder) Events() []string { return texts(r.Of("event")) }

// Warnings returns the warnings' titles and texts as "title: text".
func (r *Recorder) Warnings() []string { return titled(r.Of("warning")) }

// Errors returns the errors' titles and texts as "title: text".
func (r *Recorder) Errors() []string { return titled(r.Of("error")) }

// Foreign returns the foreign text, line by line, without the name before it.
func (r *Recorder) Foreign() string { return strings.Join(texts(r.Of("foreign")), "\n") }

// Summary returns the job summary's Markdown.
func (r *Recorder) Summary() string { return strings.Join(texts(r.Of("summary")), "\n") }

func texts(entries []action.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Text)
	}
	return all
}

func titled(entries []action.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Title+": "+e.Text)
	}
	return all
}
