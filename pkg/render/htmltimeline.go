package render

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/record"
)

// bar is one step on a timeline.
type bar struct {
	step record.Step
	row  int // in its lane: steps that overlap stand below each other
}

// lane is one line of a timeline.
type lane struct {
	name string
	bars []bar
	rows int
}

// timelineLanes puts the steps of a run and its parts into lanes, in the order of their first steps. A step without a lane belongs to its
// part. Sections of the log in which nothing took time are left out.
func timelineLanes(r *record.Record) []lane {
	var lanes []lane
	begun := r.Begun
	var add func(r *record.Record)
	add = func(r *record.Record) {
		for _, s := range r.Steps {
			if s.Begun.Before(begun) { // a task that ran before; it is shown from the start of the run
				s.Begun = begun
			}
			if !onTimeline(s) || !s.Ended.IsZero() && s.Ended.Before(begun) {
				continue
			}
			name := cmp.Or(s.Lane, r.Name)
			i := slices.IndexFunc(lanes, func(l lane) bool { return l.name == name })
			if i < 0 {
				lanes = append(lanes, lane{name: name})
				i = len(lanes) - 1
			}
			lanes[i].bars = append(lanes[i].bars, bar{step: s})
		}
		for _, part := range r.Parts {
			add(part)
		}
	}
	add(r)
	for i := range lanes {
		lanes[i].stack()
	}
	sorted.Stable(lanes, func(a, b lane) int { return a.begun().Compare(b.begun()) })
	return lanes
}

func (l lane) begun() time.Time { return l.bars[0].step.Begun }

// stack gives bars that overlap rows of their own.
func (l *lane) stack() {
	sorted.Stable(l.bars, func(a, b bar) int { return a.step.Begun.Compare(b.step.Begun) })
	var free []time.Time // when the last bar of each row ends
	for i, b := range l.bars {
		row := slices.IndexFunc(free, func(end time.Time) bool { return !end.After(b.step.Begun) })
		if row < 0 {
			free = append(free, time.Time{})
			row = len(free) - 1
		}
		free[row], l.bars[i].row = b.step.Ended, row
		if b.step.Ended.IsZero() { // goes on: nothing fits behind it
			free[row] = b.step.Begun.Add(1000 * time.Hour)
		}
	}
	l.rows = len(free)
}

// timeRange returns the time that a timeline shows: from the start of the run to its end, or to the last thing that is known.
func timeRange(r *record.Record, lanes []lane) (from, to time.Time) {
	from, to = r.Begun, r.Ended
	for _, l := range lanes {
		for _, b := range l.bars {
			for _, t := range []time.Time{b.step.Begun, b.step.Ended} {
				if t.After(to) {
					to = t
				}
			}
		}
	}
	return from, to
}

// ticks returns offsets for an axis over d: at most six, at intervals that people count in.
func ticks(d time.Duration) []time.Duration {
	interval := time.Second
	for _, i := range []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
		6 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		interval = i
		if d/i < 6 {
			break
		}
	}
	var all []time.Duration
	for t := time.Duration(0); t <= d && len(all) < 12; t += interval {
		all = append(all, t)
	}
	return all
}

func (p *page) timeline(r *record.Record) {
	lanes := timelineLanes(r)
	from, to := timeRange(r, lanes)
	whole := to.Sub(from)
	if len(lanes) == 0 || whole <= 0 {
		return
	}
	percent := func(d time.Duration) string { return fmt.Sprintf("%.2f%%", 100*float64(d)/float64(whole)) }
	p.raw(`<section class="timeline" aria-label="timeline"><h2>Timeline</h2><div class="axis" aria-hidden="true">`)
	for _, tick := range ticks(whole) {
		p.raw(`<span style="left:` + percent(tick) + `">` + p.escape(Took(tick)) + "</span>")
	}
	p.raw("</div>\n")
	for _, l := range lanes {
		p.raw(`<div class="lane"><h3>` + p.escape(firstUpper(l.name)) + fmt.Sprintf(`</h3><ul style="--rows:%d">`, l.rows))
		for _, b := range l.bars {
			p.bar(b, from, to, percent)
		}
		p.raw("</ul></div>\n")
	}
	p.raw("</section>\n")
}

func (p *page) bar(b bar, from, to time.Time, percent func(time.Duration) string) {
	s, end := b.step, b.step.Ended
	class := map[record.State]string{record.Done: "done", record.Failed: "failed", record.Undone: "undone"}[s.State]
	if end.IsZero() {
		end, class = to, "open"
	}
	at := Took(s.Begun.Sub(from))
	label := fmt.Sprintf("%s: at %s, for %s", s.Name, at, Took(end.Sub(s.Begun)))
	if s.Moment() {
		class += " moment"
		label = s.Name + ": at " + at
	}
	if s.State == record.Failed {
		label += ", failed"
	}
	p.raw(fmt.Sprintf(`<li class="%s" style="--row:%d;left:%s;width:%s" title="%s"><span>`, class, b.row, percent(s.Begun.Sub(from)),
		percent(end.Sub(s.Begun)), p.escape(label)))
	p.text(s.Name)
	p.raw(`</span><span class="unseen">` + p.escape(label[len(s.Name):]) + "</span></li>")
}
