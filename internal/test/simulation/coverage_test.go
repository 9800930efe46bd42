package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// coverage counts what the histories held. It is safe for concurrent use.
type coverage struct {
	mu        sync.Mutex
	begun     time.Time
	histories int
	runs      int
	rows      map[string]map[string]int // by what there was beside a run, and how the run ended
	cells     map[cell]bool
	known     map[string]int
	unknown   map[string]*example // by invariant
	first     string              // the first of them
	slowest   time.Duration
	slow      string
}

func newCoverage() *coverage {
	return &coverage{begun: time.Now(), rows: map[string]map[string]int{},
		cells: map[cell]bool{}, known: map[string]int{}, unknown: map[string]*example{}}
}

// example is the smallest history that showed a violation, of so many.
type example struct {
	times int
	text  string
	size  int
}

// found says whether a violation was found that is not known.
func (c *coverage) found() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first != ""
}

// violates keeps a violation that is not known, and says whether it is the first.
func (c *coverage) violates(w *world, v violation) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.unknown[v.invariant]
	if e == nil {
		e = &example{}
		c.unknown[v.invariant] = e
	}
	e.times++
	if first = c.first == ""; first {
		c.first = fmt.Sprintf("found after %d histories: %s", c.histories, v.invariant)
	}
	if size := len(w.history.String()); e.text == "" || size < e.size {
		e.size, e.text = size, w.history.String()+"\n\n"+w.account(v)
	}
	return first
}

func (c *coverage) add(w *world, found []violation, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.histories++
	if took > c.slowest {
		c.slowest, c.slow = took, w.history.String()
	}
	for _, v := range found {
		if v.known != "" {
			c.known[v.known]++
		}
	}
	for _, r := range w.runs {
		c.runs++
		for _, cell := range w.cells(r) {
			c.cells[cell] = true
		}
		column := string(r.run.Verb) + " " + r.answer.Outcome
		if r.killed {
			column = string(r.run.Verb) + " killed"
		}
		for row := range w.beside(r) {
			if c.rows[row] == nil {
				c.rows[row] = map[string]int{}
			}
			c.rows[row][column]++
		}
	}
}

// cell is what came together: who acted beside a run, whose calls got which answer, under which strategy, in which state of the
// rollout. Nobody and no fault are "".
type cell struct {
	actor What
	fault string
	shift Shift
	state string
}

// cells is what came together while a run went on.
func (w *world) cells(r *report) (all []cell) {
	faults := []string{""}
	if r.faulty {
		for _, f := range r.run.Faults {
			faults = append(faults, f.Answer)
		}
	}
	beside := []acted{{state: r.first.state}}
	for _, act := range w.acts {
		if !act.at.Before(r.begun) && !act.at.After(r.ended) {
			beside = append(beside, act)
		}
	}
	for _, act := range beside {
		for _, fault := range faults {
			all = append(all, cell{act.what, fault, w.history.Shift, act.state})
		}
	}
	return all
}

// beside is what there was beside a run: who acted meanwhile, what went wrong, and which task's fate it met.
func (w *world) beside(r *report) map[string]bool {
	rows := map[string]bool{}
	for _, act := range w.acts {
		if !act.at.Before(r.begun) && !act.at.After(r.ended) {
			rows["actor: "+string(act.what)] = true
		}
	}
	for _, other := range w.runs {
		if other != r && !other.repeat && !r.repeat && !other.begun.After(r.ended) && !other.ended.Before(r.begun) {
			rows["actor: another run of ours"] = true
		}
	}
	if r.faulty {
		for _, f := range r.run.Faults {
			rows["fault: "+f.Answer] = true
		}
	}
	if !r.signal.IsZero() {
		rows["end: a signal"] = true
	}
	if r.killed && r.signal.IsZero() {
		rows["end: a kill"] = true
	}
	if r.again {
		rows["again after its end"] = true
	}
	if r.repeat {
		rows["again after its success"] = true
	}
	if n := r.run.Version - w.history.Past; r.run.Verb == Deploy && n > 0 {
		fate, lasts := w.history.Fates[n-1], "lasting"
		if fate.First > 0 {
			lasts = "passing"
		}
		if fate.Kind == Works {
			rows["tasks: work"] = true
		} else {
			rows["tasks: "+string(fate.Kind)+", "+lasts] = true
		}
	}
	if w.history.Shift != Rolling {
		rows["shift: "+string(w.history.Shift)] = true
	}
	if len(rows) == 0 {
		rows["nothing"] = true
	}
	return rows
}

// String is the coverage as a table: what there was beside a run, by how the run ended.
func (c *coverage) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	columns := map[string]bool{}
	for _, row := range c.rows {
		for column := range row {
			columns[column] = true
		}
	}
	var b strings.Builder
	took := time.Since(c.begun)
	fmt.Fprintf(&b, "%d histories with %d runs in %v (%.1f histories a second)\n", c.histories, c.runs, took.Round(time.Millisecond),
		float64(c.histories)/took.Seconds())
	for i, column := range slices.Sorted(maps.Keys(columns)) {
		fmt.Fprintf(&b, "%-28s%s%s\n", "", strings.Repeat("    │", i), "    ┌ "+column)
	}
	for _, row := range slices.Sorted(maps.Keys(c.rows)) {
		fmt.Fprintf(&b, "%-28s", row)
		for _, column := range slices.Sorted(maps.Keys(columns)) {
			if n := c.rows[row][column]; n > 0 {
				fmt.Fprintf(&b, "%5d", n)
			} else {
				fmt.Fprintf(&b, "    ·")
			}
		}
		fmt.Fprintln(&b)
	}
	most := (len(acts) + 1) * (len(answers) + 1) * 4 * 3 // four strategies; IN_PROGRESS, COMPLETED, FAILED
	fmt.Fprintf(&b, "%d of %d cells of actor × fault × strategy × state of the rollout were met:", len(c.cells), most)
	for _, shift := range []Shift{Rolling, BlueGreen, Linear, Canary} {
		met := 0
		for cell := range c.cells {
			if cell.shift == shift {
				met++
			}
		}
		fmt.Fprintf(&b, " %s %d", cmp.Or(shift, "ROLLING"), met)
	}
	fmt.Fprintln(&b)
	for _, name := range slices.Sorted(maps.Keys(c.known)) {
		fmt.Fprintf(&b, "known, %d times: %s\n", c.known[name], name)
	}
	if c.first != "" {
		fmt.Fprintln(&b, c.first)
	}
	for _, invariant := range slices.Sorted(maps.Keys(c.unknown)) {
		e := c.unknown[invariant]
		fmt.Fprintf(&b, "NOT KNOWN, %d times: %s. The smallest:\n%s\n", e.times, invariant, e.text)
	}
	fmt.Fprintf(&b, "the slowest took %v:\n%s\n", c.slowest.Round(time.Millisecond), c.slow)
	return b.String()
}
