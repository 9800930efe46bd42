package sandbox

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// presets are behaviours that a person may want to see, by what they are called on the page.
var presets = map[string]engine.Behaviour{
	"starts well":         {Start: engine.Healthy, Logs: []string{"INFO  starting", "INFO  ready"}},
	"starts slowly":       {Start: engine.Slow, Logs: []string{"INFO  starting", "INFO  loading the model"}},
	"lacks a setting":     {Start: engine.Crash, After: engine.Duration(2e9), Logs: []string{"INFO  starting", "KeyError: 'DATABASE_URL'"}},
	"runs out of memory":  {Start: engine.OutOfMemory, After: engine.Duration(5e9), Logs: []string{"INFO  starting"}},
	"answers 503":         {Start: engine.Unhealthy, Check: "elb", Status: 503, Logs: []string{"INFO  ready"}},
	"never answers":       {Start: engine.Unhealthy, Logs: []string{"INFO  starting"}},
	"cannot be pulled":    {Start: engine.PullError},
	"is of another arch":  {Start: engine.WrongArch},
	"misses a secret":     {Start: engine.MissingSecret},
	"finds no capacity":   {Start: engine.NoCapacity},
	"has no such command": {Start: engine.ExecError},
}

// AsItIs is the behaviour that changes nothing about an image.
const AsItIs = "does as before"

// Presets returns the names of behaviours that Rollout knows.
func Presets() []string {
	return append([]string{AsItIs}, slices.Sorted(maps.Keys(presets))...)
}

var tagForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// Rollout deploys the image of this tag to the service, as somebody else's pipeline would: an image that is not there is pushed first.
// start is the name of a preset, what the image does from now on; empty is AsItIs.
func (s *Sandbox) Rollout(tag, start string) error {
	behaviour, known := presets[start]
	switch {
	case !tagForm.MatchString(tag):
		return fmt.Errorf("tag: %q is not an image tag", tag)
	case !known && start != "" && start != AsItIs:
		return fmt.Errorf("start: there is no behaviour %q: there are %q", start, Presets())
	}
	img, err := NewImage(tag, nil)
	if err != nil {
		return err
	}
	s.server.World.Lock()
	defer s.server.World.Unlock()
	now, v := s.clock.Now(), s.scenario.Service
	s.engine.Advance(now)
	cluster, err := s.engine.Cluster(v.Cluster)
	if err != nil {
		return err
	}
	service := cluster.Service(v.Name)
	if service == nil {
		return fmt.Errorf("the service %s is gone", v.Name)
	}
	found, missing := s.registry.Find(v.Repository + ":" + tag)
	if missing != "" {
		if _, err := s.registry.AddImage(v.Repository, tag, img, now); err != nil {
			return err
		}
		if found, missing = s.registry.Find(v.Repository + ":" + tag); missing != "" {
			return fmt.Errorf("tag: %s was pushed, and is not there", tag)
		}
	}
	if known {
		s.engine.SetBehaviour(v.Repository+":"+tag, behaviour)
	}
	by := fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/page", s.scenario.Account, s.roleName("deploy"))
	arn, err := s.register(v.Family, s.imageURI()+"@"+found.Digest, by)
	if err != nil {
		return err
	}
	return s.engine.UpdateService(service, engine.ServiceChange{TaskDefinition: arn})
}

// Tags returns the tags of the images in the service's repository.
func (s *Sandbox) Tags() []string {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	return s.registry.Tags(s.scenario.Service.Repository)
}

// CountedFault is a fault with the calls that it has met.
type CountedFault struct {
	Fault
	Seen, Hit int // calls that it was about, and those of them that it has failed
}

// Faults returns the faults in force.
func (s *Sandbox) Faults() []CountedFault {
	s.server.World.Lock()
	defer s.server.World.Unlock()
	all := make([]CountedFault, 0, len(s.faults.faults))
	for _, f := range s.faults.faults {
		all = append(all, CountedFault{f.Fault, f.seen, f.hit})
	}
	return all
}

// Answers are what a fault may answer without saying more.
func Answers() []Answer {
	return slices.DeleteFunc(slices.Clone(answers), func(a Answer) bool { return a == Refuse })
}
