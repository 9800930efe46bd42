package watch

import (
	"time"

	"github.com/org/connect2/v2/pkg/operate"
)

// View is everything that the page shows. Its times are moments, so that a view changes with the service alone: how long ago they
// are is for the page to say, second by second.
type View struct {
	At       time.Time     `json:"at"`    // when it was read, by the clock of the world that is watched
	Speed    float64       `json:"speed"` // how many times as fast as the wall clock that one goes
	Service  string        `json:"service"`
	Cluster  string        `json:"cluster"`
	Region   string        `json:"region,omitempty"`
	Console  string        `json:"console,omitempty"` // the service's page there
	State    operate.State `json:"state"`
	Headline string        `json:"headline"`
	Desired  int           `json:"desired"`
	Running  int           `json:"running"`
	Pending  int           `json:"pending"`
	Facts    []Fact        `json:"facts"`
	Card     *Card         `json:"card,omitempty"`
	Rollout  *Rollout      `json:"rollout,omitempty"`
	From     time.Time     `json:"from"` // the left edge of the lanes
	Lanes    []Lane        `json:"lanes"`
	Targets  []Target      `json:"targets"`
	Balanced bool          `json:"balanced"` // there is a load balancer at all
	Events   []Event       `json:"events"`
	Log      []Line        `json:"log"`
	History  []Version     `json:"history"`
	Problem  *Problem      `json:"problem,omitempty"` // why what is shown is not fresh
	Unread   []string      `json:"unread"`            // what may not be read, or not found
	Stage    *Stage        `json:"stage,omitempty"`   // of a sandbox: the world around the service
}

// Fact is something to know, by name.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Link string `json:"link,omitempty"`
}

// Card is why something fails: the cause, the words that prove it, and what to do.
type Card struct {
	Code      string    `json:"code"`
	Title     string    `json:"title"`
	Of        string    `json:"of"` // the revision whose tasks show it
	Task      string    `json:"task,omitempty"`
	Container string    `json:"container,omitempty"`
	Evidence  []string  `json:"evidence"`
	Fix       []string  `json:"fix"`
	At        time.Time `json:"at,omitzero"` // when the newest of the tasks failed; zero: it fails now
	Failed    int       `json:"failed"`      // tasks that ended
	Unhealthy int       `json:"unhealthy"`   // tasks that run
}

// Tone is how a moment or an outcome is to be seen, beside its words.
type Tone string

// The tones.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
	Open  Tone = "open" // under way
)

// Rollout is the deployment that is under way, or the newest one.
type Rollout struct {
	Title   string    `json:"title"`
	Outcome string    `json:"outcome"` // in words: in progress, successful, rollback successful
	Tone    Tone      `json:"tone"`
	Stage   string    `json:"stage,omitempty"` // of a blue/green, linear or canary one
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	Desired int       `json:"desired"`
	Healthy int       `json:"healthy"` // of the new tasks
	Started int       `json:"started"` // new tasks that run, healthy or not
	Failed  int       `json:"failed"`  // new tasks that ended by a fault
	Moments []Moment  `json:"moments"`
	Link    string    `json:"link,omitempty"`
}

// Moment is one point of a rollout's timeline.
type Moment struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Tone Tone      `json:"tone,omitempty"`
}

// Phase is what a task is doing, as the page knows it.
type Phase string

// The phases of a task, in their order.
const (
	Provisioning Phase = "provisioning" // it gets its network
	Pending      Phase = "pending"      // its image is pulled, its containers start
	Running      Phase = "running"      // its containers run, and nothing says yet that they are healthy
	Healthy      Phase = "healthy"
	Unhealthy    Phase = "unhealthy" // a check fails
	Draining     Phase = "draining"  // it gets no new requests, and is about to stop
	Stopped      Phase = "stopped"
)

// Lane is one task.
type Lane struct {
	ID       string    `json:"id"` // as much of it as commands take
	ARN      string    `json:"arn"`
	Link     string    `json:"link,omitempty"`
	Revision string    `json:"revision"`
	New      bool      `json:"new"` // it belongs to the rollout that is shown
	Zone     string    `json:"zone,omitempty"`
	Phase    Phase     `json:"phase"`
	Since    time.Time `json:"since"`
	Failed   bool      `json:"failed,omitempty"`
	Why      string    `json:"why,omitempty"` // it stopped, or is unhealthy
	Spans    []Span    `json:"spans"`
}

// Span is a stretch of a task's life. The last one of a task that goes on has no end.
type Span struct {
	Phase Phase     `json:"phase"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to,omitzero"`
}

// Target is one target of a load balancer.
type Target struct {
	ID    string `json:"id"`
	Port  int    `json:"port"`
	Group string `json:"group"`
	Task  string `json:"task,omitempty"`
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
	Tone  Tone   `json:"tone,omitempty"`
}

// Event is one line of ECS's scheduler.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Line is one line of a container's log.
type Line struct {
	At        time.Time `json:"at"`
	Task      string    `json:"task"`
	Container string    `json:"container"`
	Text      string    `json:"text"`
}

// Version is one deployment of the past, and how to go back to it.
type Version struct {
	When     time.Time `json:"when"`
	Ended    time.Time `json:"ended,omitzero"`
	Revision string    `json:"revision"`
	Tag      string    `json:"tag,omitempty"`
	Commit   string    `json:"commit,omitempty"`
	By       string    `json:"by,omitempty"`
	Outcome  string    `json:"outcome"`
	Tone     Tone      `json:"tone,omitempty"`
	Why      string    `json:"why,omitempty"`    // it did not succeed
	Back     string    `json:"back,omitempty"`   // the command that goes back to it; empty where that makes no sense
	Remark   string    `json:"remark,omitempty"` // what speaks against going back to it
	Previous bool      `json:"previous"`         // it is where a rollback to previous goes
}

// Problem is why what is shown is not fresh.
type Problem struct {
	Kind  string    `json:"kind"` // throttled, credentials, lost, denied, other
	Title string    `json:"title"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// Stage is the world of a sandbox, as far as the page shows and changes it.
type Stage struct {
	Controls   string   `json:"controls"` // the path of its controls
	Facts      []Fact   `json:"facts"`
	Tags       []string `json:"tags"`       // of the images in the repository
	Behaviours []string `json:"behaviours"` // that an image may have
	Actions    []string `json:"actions"`    // calls that a fault may be on
	Answers    []string `json:"answers"`    // what such a call may get
	Faults     []Fault  `json:"faults"`     // that are in force
	Journal    []Call   `json:"journal"`    // newest first
	Calls      int      `json:"calls"`      // how many there were
}

// Fault is one that is in force.
type Fault struct {
	Action string `json:"action"`
	Answer string `json:"answer"`
	Text   string `json:"text"` // how often it strikes, and has struck
}

// Call is one call that the sandbox was sent.
type Call struct {
	At      time.Time `json:"at"`
	Name    string    `json:"name"` // service:Action
	Caller  string    `json:"caller,omitempty"`
	Answer  string    `json:"answer"` // the status and the error's code
	Fault   string    `json:"fault,omitempty"`
	Changes bool      `json:"changes,omitempty"` // it may change something
	OK      bool      `json:"ok"`
}
