package ecsview

import (
	"slices"
	"time"
)

const (
	// startsTogether is how far apart tasks may start that are counted as started at the same moment: ECS starts those of one batch
	// within some seconds.
	startsTogether = 15 * time.Second
	// wavesApart is how long after the beginning of one wave the next can begin at the earliest. ECS starts the replacement of a
	// task that exits at once after 30 to 50 s.
	wavesApart = 20 * time.Second
)

// Waves returns how many observations independent of each other these failed tasks are. Tasks that start together see the same
// moment of everything that they depend on, and so does one that starts before they have ended: together they are one wave.
func Waves(failed []Task) int {
	waves := 0
	for _, wave := range WaveOf(failed) {
		waves = max(waves, wave)
	}
	return waves
}

// WaveOf returns the number of each failed task's wave, from 1 for the oldest.
func WaveOf(failed []Task) []int {
	order := make([]int, len(failed))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return failed[a].CreatedAt.Compare(failed[b].CreatedAt) })
	of, wave := make([]int, len(failed)), 0
	var begun, over time.Time // of the wave: its first task's start, and the end of those that started together with it
	for _, i := range order {
		t := failed[i]
		switch {
		case wave == 0, !t.CreatedAt.Before(over) && !t.CreatedAt.Before(begun.Add(wavesApart)):
			wave++
			begun, over = t.CreatedAt, t.Ended()
		case t.CreatedAt.Sub(begun) <= startsTogether:
			over = latest(over, t.Ended())
		}
		of[i] = wave
	}
	return of
}

// Ended returns when the task began to end: when ECS decided to stop it, or its containers had ended. Zero for one that goes on.
func (t Task) Ended() time.Time {
	for _, at := range []time.Time{t.StoppingAt, t.EndedAt, t.StoppedAt} {
		if !at.IsZero() {
			return at
		}
	}
	return time.Time{}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
