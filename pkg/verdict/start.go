package verdict

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// startTimes are how long the slowest of a deployment's tasks took to start, as the rollout told their steps.
type startTimes struct {
	mu          sync.Mutex
	pull, start time.Duration
	ran         time.Time // when the last of them ran
}

// watch takes what the rollout tells of tasks on its way to events.
func (s *startTimes) watch(events record.Sink) record.Sink {
	return func(e record.Event) {
		if e.Step != nil && strings.HasPrefix(e.Step.Lane, "task ") {
			s.note(*e.Step)
		}
		events.Emit(e)
	}
}

// note takes one step of a task. What failed says nothing of how long a start takes.
func (s *startTimes) note(step record.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case step.Name == "run" && step.Begun.After(s.ran):
		s.ran = step.Begun
	case step.State != record.Done:
	case step.Name == "pull":
		s.pull = max(s.pull, step.Ended.Sub(step.Begun))
	case step.Name == "start":
		s.start = max(s.start, step.Ended.Sub(step.Begun))
	}
}

// From when on a part of a start is said to be long. What Fargate takes for itself is below.
const (
	longPull  = 20 * time.Second
	longStart = time.Minute
	longWait  = 3 * time.Minute
)

// shorten says what would make each part of a start shorter that was long.
func shorten(pull, start, wait time.Duration) (advice []string) {
	if pull >= longPull {
		advice = append(advice, fmt.Sprintf("The image was pulled for %s. A smaller one is pulled sooner: a slim base, no build tools, and "+
			"compression: zstd where all hosts read it. With soci: true Fargate starts a large one before its layers are there; ecr-push takes "+
			"an image that is in a registry already as its source, too.", clock.Took(pull)))
	}
	if start >= longStart {
		advice = append(advice, fmt.Sprintf("%s went by from the pull to the task's RUNNING. A container that waits for another "+
			"(dependsOn, HEALTHY) waits for its health check: a shorter interval, or START where that is enough.", clock.Took(start)))
	}
	if wait >= longWait {
		advice = append(advice, fmt.Sprintf("%s went by from when the last task ran to the end of the deployment. A shorter interval of the "+
			"health checks finds new tasks healthy sooner, and a shorter deregistration delay of the target group (300 s where nobody set it) "+
			"ends the old ones sooner.", clock.Took(wait)))
	}
	return advice
}

// tell tells how long the start took and what would shorten it, of a deployment that arrived and where something was long.
func (s *startTimes) tell(events record.Sink, result rollout.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if result.End != rollout.EndSucceeded || s.ran.IsZero() {
		return
	}
	wait := max(0, result.Started.Add(result.Took).Sub(s.ran))
	advice := shorten(s.pull, s.start, wait)
	if len(advice) == 0 {
		return
	}
	events.Fact("Slowest start", record.Text{Text: fmt.Sprintf("pull %s, start %s, then %s until the deployment was done",
		clock.Took(s.pull), clock.Took(s.start), clock.Took(wait))})
	blocks := make([]record.Block, len(advice))
	for i, text := range advice {
		blocks[i].Paragraph = []record.Text{{Text: text}}
	}
	events.Section(record.Section{Name: "start", Title: "What would shorten the start", Folded: true, Blocks: blocks})
}
