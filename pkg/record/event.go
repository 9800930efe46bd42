// Package record is what a run leaves behind: what was asked, what was decided and why, what happened and when, what was found,
// and how it ended. A run is told as a stream of events, and the record is what they add up to. The log, the job summary, a
// report and the JSON lines are views of it; this package knows none of them, and nothing but the standard library.
//
// Text in a record is plain text as it came. Whoever shows it escapes it, cuts it, and takes secrets out.
package record

import "time"

// Version is the version of the events' JSON form. It rises when a field changes its meaning or goes; new fields and kinds may
// come at any time, so that a reader passes over what it does not know.
const Version = 1

// Kind sorts events.
type Kind string

// The kinds of events.
const (
	KindAsked     Kind = "asked"      // one input as it was given: Fact
	KindDecision  Kind = "decision"   // what will be done, and why: Title and Text
	KindStepBegan Kind = "step-began" // Step
	KindStepEnded Kind = "step-ended" // Step, as it was begun, with its end and state
	KindNote      Kind = "note"       // something happened or is known: Text
	KindProgress  Kind = "progress"   // how far it is; each takes the place of the one before: Text
	KindDebug     Kind = "debug"      // wanted only while looking for a fault: Text
	KindNotice    Kind = "notice"     // worth seeing outside the log: Title and Text
	KindWarning   Kind = "warning"    // somebody should look: Title and Text
	KindError     Kind = "error"      // something failed that the verdict does not say: Title and Text
	KindOutput    Kind = "output"     // one line that another program wrote: Source and Text
	KindFinding   Kind = "finding"    // why something failed: Finding
	KindFact      Kind = "fact"       // something to know at the end; one of the same name takes its place: Fact
	KindSection   Kind = "section"    // a part of the report; one of the same name takes its place: Section
	KindResult    Kind = "result"     // one output of the action: Fact
	KindVerdict   Kind = "verdict"    // how the run, or its part, ended: Verdict
)

// Event is one thing that happened. Which fields count follows from its kind.
type Event struct {
	At      time.Time `json:"at"`             // by the run's own clock; zero: when it is recorded
	Kind    Kind      `json:"kind"`           //
	Part    string    `json:"part,omitempty"` // of a run that consists of several: which; "a/b" is a part of a part
	Lane    string    `json:"lane,omitempty"` // the part of several that run at once that it is about
	Title   string    `json:"title,omitempty"`
	Text    string    `json:"text,omitempty"`
	Source  string    `json:"source,omitempty"` // who wrote an output line: a container, a program
	Place   *Place    `json:"place,omitempty"`  // the file that it is about
	Step    *Step     `json:"step,omitempty"`
	Finding *Finding  `json:"finding,omitempty"`
	Fact    *Fact     `json:"fact,omitempty"`
	Section *Section  `json:"section,omitempty"`
	Verdict *Verdict  `json:"verdict,omitempty"`

	// Once names what an event says; of several with one name in a run only the first is recorded. Empty: each counts.
	Once string `json:"-"`
}

// Place is a position in a file of the repository.
type Place struct {
	File   string `json:"file"`             // relative to the root of the repository
	Line   int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column int    `json:"column,omitempty"` // from 1; 0: none
}

// State is how a step is, or how it ended.
type State string

// The states of a step.
const (
	Active State = ""       // not ended
	Done   State = "done"   //
	Failed State = "failed" //
	Undone State = "undone" // it put something back that had failed
)

// Step is a stretch of a run, or one moment of it where Begun and Ended are equal.
type Step struct {
	ID    string    `json:"id"`             // unique in its part
	Lane  string    `json:"lane,omitempty"` // what it belongs to on a timeline: "Deployment", a task; empty: the run itself
	Name  string    `json:"name"`
	Group bool      `json:"group,omitempty"` // a section of the log, in which what is told until its end belongs
	Begun time.Time `json:"begun"`
	Ended time.Time `json:"ended,omitzero"`
	State State     `json:"state,omitempty"`
}

// Moment reports whether the step is one moment, not a stretch.
func (s Step) Moment() bool { return !s.Ended.IsZero() && !s.Ended.After(s.Begun) }

// Fault says whose fault a finding is.
type Fault string

// Whose fault a failure is.
const (
	FaultRelease        Fault = "release"        // the image, its code, its task definition
	FaultInfrastructure Fault = "infrastructure" // roles, networks, secrets, quotas, load balancers, a database
	FaultPlatform       Fault = "platform"       // AWS itself
	FaultUnclear        Fault = "unclear"        // the evidence does not tell
)

// Finding is a cause: what is wrong, the words that prove it, and what to do.
type Finding struct {
	Code      string   `json:"code"`               // a stable word, such as image-not-found
	Title     string   `json:"title"`              // the cause in one line
	Evidence  []string `json:"evidence,omitempty"` // verbatim quotes
	Fix       []string `json:"fix,omitempty"`      // what to do, in order
	Fault     Fault    `json:"fault,omitempty"`
	Certain   bool     `json:"certain,omitempty"`   // it cannot pass by itself
	Vague     bool     `json:"vague,omitempty"`     // it says that something failed, and not why
	Task      string   `json:"task,omitempty"`      // ARN of the task that showed it
	Container string   `json:"container,omitempty"` // the container that failed; empty: not one container's fault
}

// Known reports whether the finding says more than that something failed.
func (f Finding) Known() bool { return f.Code != "" && !f.Vague }

// String returns the title.
func (f Finding) String() string { return f.Title }

// Form says how a text is set.
type Form string

// The forms of text.
const (
	Plain  Form = ""       //
	Code   Form = "code"   // a name, a value, a command
	Strong Form = "strong" //
)

// Text is a piece of plain text and how it is set.
type Text struct {
	Text string `json:"text"`
	Form Form   `json:"form,omitempty"`
	Link string `json:"link,omitempty"` // http or https; anything else is not linked
}

// Fact is something to know, by name.
type Fact struct {
	Name  string `json:"name"`
	Value Text   `json:"value"`
}

// Section is a part of a report.
type Section struct {
	Name   string  `json:"name"`             // tells sections of one part apart
	Title  string  `json:"title,omitempty"`  // empty: none is shown
	Folded bool    `json:"folded,omitempty"` // opened by whoever wants to see it
	Blocks []Block `json:"blocks,omitempty"`
}

// Block is one piece of a section: exactly one of its fields is set.
type Block struct {
	Paragraph []Text   `json:"paragraph,omitempty"`
	List      [][]Text `json:"list,omitempty"`
	Table     *Table   `json:"table,omitempty"`
	Verbatim  string   `json:"verbatim,omitempty"` // text of several lines, as it is
	Language  string   `json:"language,omitempty"` // of Verbatim
	Section   *Section `json:"section,omitempty"`  // a section inside
}

// Table is a table with a head.
type Table struct {
	Head []string `json:"head"`
	Rows [][]Text `json:"rows"`
}

// Verdict is how a run or one of its parts ended.
type Verdict struct {
	Outcome string   `json:"outcome"`           // the output of that name
	OK      bool     `json:"ok"`                // it ended as it was meant to
	Title   string   `json:"title,omitempty"`   // of a failure: the root cause in one line
	Message string   `json:"message,omitempty"` // what was tried, on what, and what came back
	Advice  string   `json:"advice,omitempty"`  // what to do next
	Finding *Finding `json:"finding,omitempty"` // the cause, where it is known
	Place   *Place   `json:"place,omitempty"`   // in the repository, where the cause is there
	Exit    int      `json:"exit,omitempty"`    // the exit code, where it is that of a program that the run was for
}
