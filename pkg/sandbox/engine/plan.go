package engine

import "slices"

// condition is what the scheduler knows of a task that is meant to run.
type condition int

const (
	starting  condition = iota // not RUNNING, or RUNNING and not known to be healthy yet
	healthy                    // RUNNING, and every check passes
	unhealthy                  // RUNNING, and a check fails after the grace period
)

// group is a deployment as the scheduler sees it.
type group struct {
	tasks  []condition // of tasks that are meant to run, oldest first
	failed bool        // gets no new tasks
	held   bool        // gets no new tasks for the moment: just accepted, or backing off
	worked bool        // completed once: worth keeping alive until it is replaced
	empty  bool        // was replaced while it had no tasks: nothing of it is to be kept alive
}

// situation is all that a scheduling decision depends on.
type situation struct {
	desired      int
	lower, upper int
	beside       bool // old tasks stay until traffic has moved, whatever new ones are healthy
	stay         bool // a failed primary without rollback: what runs goes on
	groups       []group
}

// stop is a decision to stop a task: the index of its group, and of the task in it.
type stop struct{ group, task int }

// decision is one step of the scheduler.
type decision struct {
	stops  []stop
	starts []int // number of tasks to start, by group
	stuck  bool  // the percentages leave no way to go on
}

// planner keeps the counts while a decision is built.
type planner struct {
	situation
	decision
	active, healthy int
	gone            map[stop]bool
}

// plan decides what the scheduler does next. The primary is groups[0]. Rules (developer guide, deployment-type-ecs, and the
// API model on minimumHealthyPercent and maximumPercent):
//   - running and pending tasks never exceed upper by a start, healthy ones never fall below lower by a stop;
//   - new tasks start while upper has room; a healthy new one frees an old one;
//   - without room, an old task is stopped first, if lower allows it;
//   - an unhealthy task is replaced first and stopped when the replacement is healthy, or at once where there is no room.
func plan(s situation) decision {
	p := &planner{situation: s, gone: map[stop]bool{}}
	p.starts = make([]int, len(s.groups))
	for _, g := range s.groups {
		p.active += len(g.tasks)
		p.healthy += tally(g.tasks, healthy)
	}
	if len(s.groups) == 0 {
		return p.decision
	}
	p.dropFailed()
	p.trimPrimary()
	p.freeOld()
	p.keepOldAlive()
	p.grow()
	return p.decision
}

func tally(tasks []condition, c condition) int {
	n := 0
	for _, t := range tasks {
		if t == c {
			n++
		}
	}
	return n
}

// stopSome stops up to n tasks of a group that are in a condition, the newest first, and returns how many. Healthy ones
// are stopped only above the lower bound.
func (p *planner) stopSome(group int, c condition, n int) int {
	stopped := 0
	tasks := p.groups[group].tasks
	for i := len(tasks) - 1; i >= 0 && stopped < n; i-- {
		candidate := stop{group, i}
		if tasks[i] != c || p.gone[candidate] || c == healthy && p.healthy <= p.lower {
			continue
		}
		p.gone[candidate] = true
		p.stops = append(p.stops, candidate)
		p.active--
		if c == healthy {
			p.healthy--
		}
		stopped++
	}
	return stopped
}

// left counts the tasks of a group in a condition that are not stopped in this step.
func (p *planner) left(group int, c condition) int {
	n := 0
	for i, t := range p.groups[group].tasks {
		if t == c && !p.gone[stop{group, i}] {
			n++
		}
	}
	return n
}

// dropFailed empties deployments that failed and are no longer primary.
func (p *planner) dropFailed() {
	for i, g := range p.groups {
		if !g.failed || i == 0 {
			continue
		}
		p.stopSome(i, unhealthy, len(g.tasks))
		p.stopSome(i, starting, len(g.tasks))
		p.stopSome(i, healthy, len(g.tasks))
	}
	if p.groups[0].failed {
		p.stopSome(0, unhealthy, len(p.groups[0].tasks))
	}
}

// trimPrimary scales in, and ends unhealthy tasks whose replacement is healthy.
func (p *planner) trimPrimary() {
	if excess := p.left(0, starting) + p.left(0, healthy) - p.desired; excess > 0 {
		excess -= p.stopSome(0, starting, excess)
		p.stopSome(0, healthy, excess)
	}
	if p.left(0, healthy) >= p.desired {
		p.stopSome(0, unhealthy, p.left(0, unhealthy))
	}
}

// freeOld stops the old tasks that healthy new ones replace.
func (p *planner) freeOld() {
	if p.stay || p.beside {
		return
	}
	allowed := max(0, p.desired-p.left(0, healthy))
	excess := -allowed
	for i := 1; i < len(p.groups); i++ {
		excess += p.left(i, starting) + p.left(i, healthy) + p.left(i, unhealthy)
	}
	for _, c := range []condition{unhealthy, starting, healthy} {
		for i := len(p.groups) - 1; i >= 1 && excess > 0; i-- { // the oldest deployment first
			excess -= p.stopSome(i, c, excess)
		}
	}
}

// keepOldAlive replaces tasks of the version that worked, while too few healthy ones are left.
func (p *planner) keepOldAlive() {
	for i := 1; i < len(p.groups); i++ {
		g := p.groups[i]
		if g.failed || g.held || !g.worked || g.empty {
			continue
		}
		need := min(p.lower-p.healthy-p.left(i, starting), p.desired-p.left(0, healthy)-p.left(i, healthy)-p.left(i, starting))
		if p.beside {
			need = p.desired - p.left(i, healthy) - p.left(i, starting)
		}
		if need <= 0 {
			return
		}
		if short := need - (p.upper - p.active); short > 0 {
			p.stopSome(i, unhealthy, short)
		}
		p.start(i, need)
		return // only the newest of them
	}
}

// grow starts what the primary lacks, making room where it must.
func (p *planner) grow() {
	if p.groups[0].failed || p.groups[0].held {
		return
	}
	need := p.desired - p.left(0, starting) - p.left(0, healthy)
	if need <= 0 {
		return
	}
	before := len(p.stops)
	short := func() int { return need - max(0, p.upper-p.active) }
	p.stopSome(0, unhealthy, short())
	for _, c := range []condition{unhealthy, starting, healthy} {
		for i := len(p.groups) - 1; i >= 1; i-- {
			if p.beside && (p.groups[i].worked || c == healthy) {
				continue
			}
			p.stopSome(i, c, short())
		}
	}
	moving := slices.ContainsFunc(p.groups, func(g group) bool { return tally(g.tasks, starting) > 0 })
	started := p.start(0, need)
	p.stuck = started == 0 && len(p.stops) == before && !moving
}

func (p *planner) start(group, n int) int {
	n = min(n, max(0, p.upper-p.active))
	p.starts[group] += n
	p.active += n
	return n
}
