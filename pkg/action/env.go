package action

import (
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/sethvargo/go-githubactions"

	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
)

// Env is everything of the outside world that a run may touch. Package run fills it from the process; tests and the demo fill it by
// hand, so that a run can be driven without changing the process's own environment.
type Env struct {
	Events    record.Sink             // where the run tells what happens; nil discards
	Mask      func(secrets ...string) // hides secrets in everything that is shown from now on; nil: nothing is shown. Call Hide
	Redact    func(values ...string)  // takes values that are not secrets out of what is shown; nil: they are. Call Conceal
	Time      clock.Clock             // what the run goes by; nil: the wall clock. A rehearsal tells a *clock.Rehearsal how fast it goes
	Getenv    func(string) string     // nil: os.Getenv
	Environ   func() []string         // what a child process inherits, as NAME=VALUE; nil: os.Environ
	Stdout    io.Writer               // where text that is a result belongs (a document, a plan); nil discards
	Screen    Screen                  // what Stdout is shown on
	Transport http.RoundTripper       // nil: the network; otherwise it takes every call, AWS's and a registry's alike
	GitHub    GitHub                  // the workflow run that this is part of; zero outside GitHub
	Exit      *int                    // takes the exit code of a program that the run was for: the process ends with it
}

// Screen is a terminal that results are shown on; zero is none: a pipe or a file.
type Screen struct {
	Width   func() int // in columns; nil where there is no terminal
	Colours bool       // it shows them, and nobody asked for none
}

// Columns returns how wide a line may be; 0 is as wide as it gets.
func (s Screen) Columns() int {
	if s.Width == nil {
		return 0
	}
	return s.Width()
}

// Hide hides these secrets in everything that is shown from now on, and has the runner do the same.
func (e *Env) Hide(secrets ...string) {
	if e.Mask != nil {
		e.Mask(secrets...)
	}
}

// leastConcealed is the length in bytes from which a value is concealed: a shorter one is an ordinary word, or a number.
const leastConcealed = 8

// Conceal takes values out of everything that is shown from now on. The runner is not told: a mask there would blank other jobs'
// outputs that hold the same word.
func (e *Env) Conceal(values ...string) {
	for _, value := range values {
		if e.Redact != nil && len(value) >= leastConcealed {
			e.Redact(value)
		}
	}
}

// Part returns the environment for a part of the run: what it tells belongs to that part of the record.
func (e *Env) Part(name string) *Env {
	part := *e
	part.Events = e.Events.Part(name)
	return &part
}

// Lane is Part for a part that runs beside others.
func (e *Env) Lane(name string) *Env {
	part := *e
	part.Events = e.Events.Lane(name)
	return &part
}

// Clock returns what the run goes by: the wall clock, unless another is given.
func (e *Env) Clock() clock.Clock { return clock.Or(e.Time) }

// Var returns the environment variable name, or "" where it is not set. It works on an Env without Getenv as well.
func (e *Env) Var(name string) string {
	if e == nil || e.Getenv == nil {
		return os.Getenv(name)
	}
	return e.Getenv(name)
}

// Inherited returns the environment that a child process gets, as NAME=VALUE.
func (e *Env) Inherited() []string {
	if e == nil || e.Environ == nil {
		return os.Environ()
	}
	return e.Environ()
}

// GitHub is the part of the workflow run's context that is worth telling or tagging. Every field is empty outside GitHub.
// The values are those of the variables named beside them.
type GitHub struct {
	Server          string // GITHUB_SERVER_URL, https://github.com or an Enterprise server's
	APIURL          string // GITHUB_API_URL
	Repository      string // GITHUB_REPOSITORY, OWNER/NAME
	SHA             string // GITHUB_SHA; of a pull_request event it is the merge commit, not the head
	Ref             string // GITHUB_REF, refs/heads/main
	RefName         string // GITHUB_REF_NAME, main
	EventName       string // GITHUB_EVENT_NAME
	EventPath       string // GITHUB_EVENT_PATH
	Workflow        string // GITHUB_WORKFLOW
	Job             string // GITHUB_JOB
	RunID           string // GITHUB_RUN_ID
	RunNumber       string // GITHUB_RUN_NUMBER
	RunAttempt      string // GITHUB_RUN_ATTEMPT, 1 for the first
	Actor           string // GITHUB_ACTOR: who started the run
	TriggeringActor string // GITHUB_TRIGGERING_ACTOR: who re-ran it
	Workspace       string // GITHUB_WORKSPACE
}

// RunURL returns the address of this attempt of the run, or "" outside GitHub.
func (g GitHub) RunURL() string {
	if g.Server == "" || g.Repository == "" || g.RunID == "" {
		return ""
	}
	url := g.Server + "/" + g.Repository + "/actions/runs/" + g.RunID
	if g.RunAttempt != "" {
		url += "/attempts/" + g.RunAttempt
	}
	return url
}

// CommitURL returns the address of the run's commit, or "" outside GitHub.
func (g GitHub) CommitURL() string {
	if g.Server == "" || g.Repository == "" || g.SHA == "" {
		return ""
	}
	return g.Server + "/" + g.Repository + "/commit/" + g.SHA
}

// GitHubOf reads the context of the workflow run. The event's payload is kept out of it: nothing here needs it, and a file
// that is no JSON would fail the whole context.
func GitHubOf(getenv func(string) string) GitHub {
	if getenv("GITHUB_ACTIONS") != "true" {
		return GitHub{}
	}
	withoutEvent := func(name string) string {
		if name == "GITHUB_EVENT_PATH" {
			return ""
		}
		return getenv(name)
	}
	c, _ := githubactions.New(githubactions.WithGetenv(withoutEvent)).Context() // its errors name numbers that stay zero
	if c == nil {
		return GitHub{}
	}
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	return GitHub{
		Server: c.ServerURL, APIURL: c.APIURL, Repository: c.Repository, SHA: c.SHA, Ref: c.Ref, RefName: c.RefName,
		EventName: c.EventName, EventPath: getenv("GITHUB_EVENT_PATH"), Workflow: c.Workflow, Job: c.Job,
		RunID: number(c.RunID), RunNumber: number(c.RunNumber), RunAttempt: number(c.RunAttempt),
		Actor: c.Actor, TriggeringActor: c.TriggeringActor, Workspace: c.Workspace,
	}
}
