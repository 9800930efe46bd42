package tfapply

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/org/connect2/v2/pkg/action"
)

// status is how an apply tells the post step of its job, which runs in another container, that it is still at work: when a
// job is cancelled, the runner kills its client of this container, and the container works on with nobody listening.
type status struct {
	file string
	mu   sync.Mutex
	last Status
	stop chan struct{}
	done sync.WaitGroup
}

// Status is what the file holds.
type Status struct {
	Place   string         `json:"place"` // the directory
	Beat    time.Time      `json:"beat"`  // when the apply was last known to be at work
	Ended   bool           `json:"ended"`
	Outcome action.Outcome `json:"outcome,omitempty"`
	Text    string         `json:"text,omitempty"`
}

// beat is how often the file is written.
const beat = 5 * time.Second

// stateName is the name under which the post step finds the file: STATE_ and this.
const stateName = "connect2-status"

// beginStatus starts the file. What fails here is no reason not to apply.
func (s *session) beginStatus(p *planned) *status {
	st := &status{stop: make(chan struct{}), last: Status{Place: s.place(), Text: "applying: " + p.review.Totals.String()}}
	state := s.env.Var("GITHUB_STATE")
	if state == "" {
		return st
	}
	dir, err := os.MkdirTemp(s.runnerTemp(), "connect2-tf-apply-status-")
	if err != nil {
		s.env.Events.Debugf("no status for the post step: %v", err)
		return st
	}
	st.file = filepath.Join(dir, "status.json")
	st.write()
	f, err := os.OpenFile(state, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(f, "%s=%s\n", stateName, st.file)
		f.Close()
	}
	if err != nil {
		s.env.Events.Debugf("no status for the post step: %v", err)
	}
	st.done.Go(func() {
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-st.stop:
				return
			case <-ticker.C:
				st.write()
			}
		}
	})
	return st
}

// write replaces the file at once, so that nobody reads half of it.
func (st *status) write() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.file == "" {
		return
	}
	st.last.Beat = time.Now()
	text, err := json.Marshal(st.last)
	if err != nil {
		return
	}
	if os.WriteFile(st.file+".new", text, 0o644) == nil {
		_ = os.Rename(st.file+".new", st.file)
	}
}

func (st *status) end(outcome action.Outcome, text string) {
	close(st.stop)
	st.done.Wait()
	st.mu.Lock()
	st.last.Ended, st.last.Outcome, st.last.Text = true, outcome, text
	st.mu.Unlock()
	st.write()
}
