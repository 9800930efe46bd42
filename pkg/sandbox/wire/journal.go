package wire

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Entry is one call that the sandbox received.
type Entry struct {
	Time           time.Time       `json:"time"`                     // virtual time of arrival
	Service        string          `json:"service"`                  // IAM prefix of the service, such as "ecs"
	Action         string          `json:"action"`                   // API action; registry requests carry the ECR action they stand for
	Resources      []string        `json:"resources,omitempty"`      // what was authorised, without repeats
	Caller         string          `json:"caller,omitempty"`         // ARN; empty for calls that carry no identity
	Status         int             `json:"status"`                   // HTTP status of the answer; 0 while it is being made or when the connection was cut
	Code           string          `json:"code,omitempty"`           // error code; empty on success
	Mutating       bool            `json:"mutating"`                 // whether the action may change anything, whatever the answer was
	Authorizations []Authorization `json:"authorizations,omitempty"` // in the order in which they were asked
	Fault          string          `json:"fault,omitempty"`          // the injected fault that made the answer, if one did
	Request        string          `json:"request,omitempty"`        // method and path of registry requests
}

// Authorization is one permission that a call needed.
type Authorization struct {
	Action     string            `json:"action"`
	Resource   string            `json:"resource"`
	Conditions map[string]string `json:"conditions,omitempty"` // the values of the condition keys at that moment
	Allowed    bool              `json:"allowed"`
}

// Name is "service:Action", the form of an IAM action.
func (e Entry) Name() string { return e.Service + ":" + e.Action }

// OK says whether the call succeeded.
func (e Entry) OK() bool { return e.Code == "" && e.Status >= 200 && e.Status < 400 }

// Journal collects the calls in the order of their arrival. It is safe for concurrent use; the zero value is ready.
type Journal struct {
	mu      sync.Mutex
	entries []*Entry
}

// Entries returns a copy of what was recorded so far.
func (j *Journal) Entries() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Entry, len(j.entries))
	for i, e := range j.entries {
		out[i] = *e
		out[i].Resources = slices.Clone(e.Resources)
		out[i].Authorizations = slices.Clone(e.Authorizations)
	}
	return out
}

// Last returns the call that arrived last, or nothing where there was none.
func (j *Journal) Last() Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == 0 {
		return Entry{}
	}
	return *j.entries[len(j.entries)-1]
}

// Reset forgets everything recorded so far.
func (j *Journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = nil
}

func (j *Journal) open(e *Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

func (j *Journal) edit(e *Entry, change func(*Entry)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(e)
}

// reading lists the verbs with which AWS names actions that change nothing. The Assume and Simulate families give
// answers and leave no trace that another call could see.
var reading = []string{"Describe", "List", "Get", "BatchGet", "BatchCheck", "Filter", "Head", "Assume", "Simulate", "Search", "Discover"}

// Mutating says whether an API action can change anything, by the verb of its name.
func Mutating(action string) bool {
	return !slices.ContainsFunc(reading, func(verb string) bool { return strings.HasPrefix(action, verb) })
}
