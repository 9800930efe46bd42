package engine

import (
	"container/heap"
	"fmt"
	"time"
)

// Options are what a world of ECS is made of. Only Start must be given.
type Options struct {
	Account   string    // 12 digits; 123456789012 unless given
	Region    string    // us-west-2 unless given
	Partition string    // aws unless given
	Seed      uint64    // one seed gives one history
	Start     time.Time // virtual time at which the world begins

	Images  Images  // nil: every reference resolves, to a digest made from its text
	Logs    Logs    // nil: every group exists, and what is written is lost
	Secrets Secrets // nil: every secret can be read
	Targets Targets // nil: every target group exists, with Elastic Load Balancing's defaults
	Runner  Runner  // nil: no container is really run, each does what its Behaviour says

	// Behaviours by image: a whole reference, the same without its host, "REPOSITORY:TAG", a tag, a digest, or "*". They
	// stand above the images' own label.
	Behaviours map[string]Behaviour
	Timing     Timing // zero fields take DefaultTiming's
	Lag        Lag
	Seen       func() // called at each moment before and after which the world may differ; nil: nobody wants to know
}

// Lag is the eventual consistency of the API: how long reads miss what was just made. Zero fields take the defaults;
// a negative one means none.
type Lag struct {
	ServiceDeployments time.Duration // 1.5 s: until a service deployment is listed
	Tasks              time.Duration // none: until DescribeTasks knows a task that RunTask returned
}

// Engine is one account's ECS in one region.
type Engine struct {
	options    Options
	now        time.Time
	queue      queue
	planned    uint64
	ids        ids
	behaviours map[string]Behaviour
	acted      map[string]int // how often a behaviour with Times was followed, by its key
	clusters   []*Cluster
	families   []*Family
	addresses  int     // private addresses given out
	running    []*Task // those whose containers the runner has
}

// New makes an empty world at Options.Start.
func New(o Options) *Engine {
	o.fill()
	e := &Engine{options: o, now: o.Start, ids: newIDs(o.Seed), behaviours: map[string]Behaviour{}, acted: map[string]int{}}
	for _, image := range sortedKeys(o.Behaviours) {
		e.SetBehaviour(image, o.Behaviours[image])
	}
	return e
}

func (o *Options) fill() {
	defaults := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	defaults(&o.Account, "123456789012")
	defaults(&o.Region, "us-west-2")
	defaults(&o.Partition, "aws")
	if o.Lag.ServiceDeployments == 0 {
		o.Lag.ServiceDeployments = 1500 * time.Millisecond
	}
	o.Timing = o.Timing.filled()
	if o.Images == nil {
		o.Images = anyImage{}
	}
	if o.Logs == nil {
		o.Logs = noLogs{}
	}
	if o.Secrets == nil {
		o.Secrets = anySecret{}
	}
	if o.Targets == nil {
		o.Targets = anyTarget{}
	}
}

// Now is the virtual time up to which the world has moved.
func (e *Engine) Now() time.Time { return e.now }

// Advance runs every transition that is due at or before now, in order, and takes in what really running containers did
// meanwhile. A time in the past changes nothing.
func (e *Engine) Advance(now time.Time) {
	e.seen() // what was done since, by a call
	e.runDue(now)
	if len(e.running) > 0 {
		e.look()
		e.runDue(now)
	}
}

func (e *Engine) runDue(now time.Time) {
	for len(e.queue) > 0 && !e.queue[0].at.After(now) {
		due := heap.Pop(&e.queue).(planned)
		e.now = due.at
		due.run()
		e.seen()
	}
	if now.After(e.now) {
		e.now = now
	}
}

func (e *Engine) seen() {
	if e.options.Seen != nil {
		e.options.Seen()
	}
}

// Next returns the time of the earliest transition that is planned, or false when nothing will ever happen by itself.
func (e *Engine) Next() (time.Time, bool) {
	if len(e.queue) == 0 {
		return time.Time{}, false
	}
	return e.queue[0].at, true
}

// SetBehaviour says what images do from now on; see Options.Behaviours for the forms of image.
func (e *Engine) SetBehaviour(image string, b Behaviour) {
	e.behaviours[image] = b
	delete(e.acted, image)
}

// after plans a change of the world.
func (e *Engine) after(d time.Duration, run func()) {
	e.planned++
	heap.Push(&e.queue, planned{at: e.now.Add(max(d, 0)), order: e.planned, run: run})
}

// until plans a change at a point in time, which is now if that has passed.
func (e *Engine) until(at time.Time, run func()) { e.after(at.Sub(e.now), run) }

// At plans something that happens from outside at a point in time, such as a schedule that starts tasks.
func (e *Engine) At(at time.Time, run func()) { e.until(at, run) }

// ARN makes the ARN of a resource of this account and region, such as ARN("ecs", "cluster/prod").
func (e *Engine) ARN(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", e.options.Partition, service, e.options.Region, e.options.Account, resource)
}

// planned is one entry of the heap.
type planned struct {
	at    time.Time
	order uint64 // of planning: what was planned first runs first
	run   func()
}

type queue []planned

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(planned)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = planned{}
	*q = (*q)[:last]
	return x
}

// Tag is a key and a value on a resource.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// SetTags adds tags to a list or replaces the values of those that are there.
func SetTags(tags []Tag, more []Tag) []Tag {
	out := append([]Tag{}, tags...)
next:
	for _, tag := range more {
		for i := range out {
			if out[i].Key == tag.Key {
				out[i].Value = tag.Value
				continue next
			}
		}
		out = append(out, tag)
	}
	return out
}
