package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// violation is an invariant that does not hold for a run.
type violation struct {
	invariant string
	run       *report
	text      string
	known     string // the name of the known fault that it is, if it is one
}

// The invariants.
const (
	greenIsInForce   = "green means that what was asked for was in force, and its tasks stood, between the newest read and the exit"
	redIsNotInForce  = "red means that what the run began is not in force, or that it says that it does not know"
	rolledBackIsBack = "rolled-back means that another version was PRIMARY and COMPLETED between the newest read and the exit"
	overtakenIsTrue  = "superseded means that somebody else's newer deployment was PRIMARY between the newest read and the exit"
	rollbackLeaves   = "a rollback that says success does not end on the version that it was to leave"
	holdIsOnLeft     = "a rollback that says success does not put on hold what serves"
	endsInTime       = "a run ends within its timeout, that of the way back, and a minute"
	repeatIsNoChange = "a deployment repeated right after its success is no-change and replaces no task"
	signalEndsIt     = "a run ends within 7 seconds of a signal"
	nothingLost      = "nothing is overwritten that was there 2 seconds and the reads' lag before, and what was replaced later is told"
	goodIsLeft       = "once a run was let finish, the service is not left on a FAILED revision or without tasks"
	rollbacksAgree   = "rollbacks at once, one after the other, or after a kill end where one would"
	oracle           = "what ECS alone brings to a good end within the timeout is not taken back"
	migrationDone    = "a migration that is called a success came to its own end, and nothing is deployed after another one"
	oneMigration     = "two migrations of a service never run at once"
	oneRevision      = "an uninterrupted run leaves one new ACTIVE revision at most, and none that failed is the newest of its family"
	noSecret         = "no secret is in anything that is written"
	noDefect         = "no run meets a defect of its own"
	asItWas          = "after a release that is not green everything that it touched is as it was"
	noScheduleLeft   = "a schedule never runs a revision that was rolled back"
)

// slack is what a run may take beside its timeouts.
const slack = time.Minute

// check returns what does not hold in a history that has happened.
func (w *world) check() []violation {
	var found []violation
	for _, r := range w.runs {
		for _, held := range []struct{ invariant, problem string }{
			{noDefect, r.sound()},
			{endsInTime, r.inTime()},
			{noSecret, r.secret()},
			{greenIsInForce, w.green(r)},
			{redIsNotInForce, w.red(r)},
			{rolledBackIsBack, w.back(r)},
			{overtakenIsTrue, w.overtaken(r)},
			{rollbackLeaves, w.left(r)},
			{holdIsOnLeft, w.holds(r)},
			{repeatIsNoChange, w.repeated(r)},
			{signalEndsIt, r.endedBySignal()},
			{nothingLost, w.overwrote(r)},
			{goodIsLeft, w.leaves(r)},
			{rollbacksAgree, w.agrees(r)},
			{oneRevision, w.revisions(r)},
			{migrationDone, r.migrated()},
			{oneMigration, w.migrations(r)},
			{oracle, w.cutOff(r)},
			{asItWas, w.asItWas(r)},
			{asItWas, w.schedulesStay(r)},
			{noScheduleLeft, w.schedulesLeave(r)},
			{goodIsLeft, w.leavesSecond(r)},
		} {
			if held.problem == "" {
				continue
			}
			v := violation{invariant: held.invariant, run: r, text: held.problem}
			v.known = knownFault(w, v)
			found = append(found, v)
		}
	}
	return found
}

// between returns what was true at any moment from the newest read of a run to its exit.
func (w *world) between(r *report) []moment { return w.since(r.newest, r) }

// since returns what was true at any moment from a read of a run to its exit.
func (w *world) since(read moment, r *report) []moment {
	moments := []moment{read, r.last}
	for _, m := range w.timeline {
		if !m.at.Before(read.at) && !m.at.After(r.last.at) {
			moments = append(moments, m)
		}
	}
	return moments
}

func (w *world) green(r *report) string {
	if r.killed || !r.answer.green() || r.run.Verb == Migrate {
		return ""
	}
	if r.run.Verb == Together {
		return w.greenTogether(r)
	}
	for _, m := range w.between(r) {
		if m.inForce(r.answer.TaskDefinition) && (m.standing() || w.disturbed(m.at)) && (!r.run.Verb.deploys() || m.version == r.run.Version) {
			return ""
		}
	}
	return fmt.Sprintf("%s, and %s was not in force: at the newest read %s; at the exit %s",
		r.answer.Outcome, name(r.answer.TaskDefinition), r.newest, r.last)
}

func (w *world) red(r *report) string {
	if r.run.Verb == Together && !r.killed && !r.answer.green() && !r.answer.unsure() {
		return w.redTogether(r)
	}
	if r.killed || r.answer.green() || r.answer.untouched() || r.answer.unsure() || r.began == "" {
		return ""
	}
	const inForce = " was being deployed; it was complete before it could be stopped, and is in force"
	if strings.Contains(r.answer.Error, name(r.answer.TaskDefinition)+inForce) {
		return "" // it says that it is
	}
	for _, m := range w.between(r) {
		if m.primary != r.began || m.state != engine.Completed || r.run.Verb == Rollback && m.taskDefinition != r.answer.TaskDefinition {
			return ""
		}
	}
	return fmt.Sprintf("%s, and what it began is in force: %s (%s)", r.answer.Outcome, r.last, r.answer.Error)
}

func (w *world) back(r *report) string {
	if r.killed || !r.answer.tookBack() || r.run.Verb == Together { // of several services it is looked at long after
		return ""
	}
	for _, m := range w.between(r) {
		if m.primary != r.began && m.state == engine.Completed {
			return ""
		}
	}
	if since := "Since then a deployment of " + name(r.newest.taskDefinition) + " has begun"; strings.Contains(r.answer.Error, since) &&
		w.wasBack(r) {
		return "" // it has read that as well, and says so
	}
	return fmt.Sprintf("%s; at the newest read %s; at the exit %s (%s)", r.answer.Outcome, r.newest, r.last, r.answer.Error)
}

// wasBack says whether another version was PRIMARY and COMPLETED within the two seconds before a run's newest read, and the reads' lag.
func (w *world) wasBack(r *report) bool {
	earliest := r.newest.at.Add(-2*time.Second - w.history.Reads)
	for i, m := range w.timeline {
		ended := r.newest.at // a moment lasts until the next one
		if i+1 < len(w.timeline) {
			ended = w.timeline[i+1].at
		}
		if m.at.Before(r.newest.at) && ended.After(earliest) && m.primary != r.began && m.state == engine.Completed {
			return true
		}
	}
	return false
}

func (w *world) overtaken(r *report) string {
	if r.killed || !r.answer.overtaken() || r.run.Verb == Together {
		return ""
	}
	for _, m := range w.between(r) {
		if m.primary != r.began && w.sees(r, m) {
			return ""
		}
	}
	return fmt.Sprintf("%s; at the newest read %s; at the exit %s (%s)", r.answer.Outcome, r.newest, r.last, r.answer.Error)
}

// sees says whether the PRIMARY deployment of a moment was not there before the run. What ECS rolls back to was.
func (w *world) sees(r *report, m moment) bool {
	for _, earlier := range w.timeline {
		if earlier.primary == m.primary {
			from := r.begun.Add(-w.history.Reads).Truncate(time.Millisecond) // AWS's times are in milliseconds
			return !earlier.at.Before(from)
		}
	}
	return false
}

func (w *world) left(r *report) string {
	if r.run.Verb != Rollback || r.killed || r.answer.Outcome != "succeeded" {
		return ""
	}
	for _, m := range w.between(r) {
		if m.taskDefinition != r.leave {
			return ""
		}
	}
	return fmt.Sprintf("succeeded, and %s, which was to be left, serves: %s", name(r.leave), r.last)
}

func (w *world) holds(r *report) string {
	if r.run.Verb != Rollback || r.killed || r.answer.Outcome != "succeeded" {
		return ""
	}
	for _, m := range w.between(r) {
		if !m.held || m.primary != r.began && w.sees(r, m) { // somebody deploys in spite of the hold
			return ""
		}
	}
	return fmt.Sprintf("succeeded, and what serves is on hold: %s", r.last)
}

func (r *report) inTime() string {
	limit := r.run.Timeout + max(wayBackTime, r.run.Timeout) + slack
	switch {
	case r.run.Verb.migrates():
		limit += r.run.Timeout + slack
	case r.run.Verb == Together: // each service has its own time, and they may come one after the other
		limit *= 2
	}
	if took := r.ended.Sub(r.begun); took > limit {
		return fmt.Sprintf("took %v, longer than %v", took.Round(time.Second), limit)
	}
	return ""
}

func (w *world) repeated(r *report) string {
	if !r.repeat || !r.alone || !r.before.alone || !r.before.standing() || r.before.sick {
		return ""
	}
	if slices.ContainsFunc(w.acts, func(a acted) bool { return a.what == TerraformTemplate }) {
		return "" // the template may hold something new
	}
	for _, other := range w.runs {
		if other.number != r.number && !other.begun.After(r.ended) && !other.ended.Before(r.begun) {
			return "" // it may have changed something
		}
	}
	if r.answer.Outcome != noChange || r.last.deployments != r.before.deployments || !r.before.kept(r.last) {
		return fmt.Sprintf("%s; %d deployments and tasks %s before, %d and %s after. %s", r.answer.Outcome,
			r.before.deployments, r.before.tasks, r.last.deployments, r.last.tasks, r.answer.Error)
	}
	return ""
}

// kept says whether each task that ran at one moment runs at a later one too, unless there were too many, or it failed by its own fault
// meanwhile: nobody has replaced that one.
func (m moment) kept(later moment) bool {
	if m.stands > m.desired {
		return true
	}
	return m.gone(later) <= max(later.fallen-m.fallen, 0)
}

// gone is how many of the tasks that ran at one moment run no more at a later one.
func (m moment) gone(later moment) (n int) {
	for _, task := range strings.Fields(m.tasks) {
		if !strings.Contains(later.tasks, task) {
			n++
		}
	}
	return n
}

// disturbed says whether people, Spot or scaling can be why tasks are missing at a moment.
func (w *world) disturbed(at time.Time) bool {
	return slices.ContainsFunc(w.acts, func(a acted) bool {
		return (a.what == OperatorStops || a.what == SpotTakes || a.what == Scales) && !a.at.After(at) && at.Sub(a.at) < 5*time.Minute
	})
}

// endedBySignal checks the time between a signal and the end.
func (r *report) endedBySignal() string {
	if r.signal.IsZero() {
		return ""
	}
	if took := r.ended.Sub(r.signal); took > 7*time.Second {
		return fmt.Sprintf("it went on for %v after the signal", took.Round(time.Millisecond))
	}
	return ""
}

// overwrote checks that each update knew what it replaced.
func (w *world) overwrote(r *report) string {
	if r.killed {
		return ""
	}
	own := map[string]bool{}
	for _, u := range r.updates {
		there := u.at.Sub(u.before.since) > 2*time.Second+w.lag()
		foreign := !own[u.before.primary] && w.sees(r, u.before)
		own[u.after.primary] = true
		what := fmt.Sprintf("at %v it replaced %s with %s", u.at.Sub(w.begun).Round(time.Millisecond), u.before, u.after)
		switch {
		case there && !u.read && foreign:
			return what + ", which it had not read"
		case w.followedToItsFailure(r, u): // also where it is the first update of a run that took up what another one had begun
		case there && u.first && foreign && r.run.Verb.deploys() && u.before.leaves == "" && u.before.taskDefinition != r.first.taskDefinition:
			return what + ", which somebody had begun while it prepared"
		case there && !u.first && foreign:
			return what + ", which somebody else had begun since"
		case !there && !u.read && foreign && !strings.Contains(r.answer.Written, name(u.before.taskDefinition)):
			return what + ", and says nothing of it"
		}
	}
	return ""
}

// followedToItsFailure says whether what an update replaced was a deployment of the very revision that the run was asked for, which ECS had
// given up and left. Whoever began it: a run that follows it puts the version that worked back, as the run that began it would (which may
// be dead by then), so that the service is not left on what failed.
func (w *world) followedToItsFailure(r *report, u update) bool {
	return r.run.Verb.deploys() && u.read && u.before.state == engine.Failed && u.before.taskDefinition == r.answer.TaskDefinition
}

// leaves checks how the service stands long after the last run, if that was let finish.
func (w *world) leaves(r *report) string {
	if !w.lastOfAll(r) {
		return ""
	}
	m := w.settled
	if w.fate(m.version).Kind == Faints && m.state == engine.Completed {
		return "" // its tasks come and go, and ECS calls that a success
	}
	if m.state == engine.Failed || m.running == 0 && m.desired > 0 {
		return fmt.Sprintf("%s, and %v later %s (%s)", r.answer.Outcome, settling, m, r.answer.Error)
	}
	return ""
}

// lastOfAll says whether a run was let finish, changed something or found it as it should be, and nobody did anything since it began.
func (w *world) lastOfAll(r *report) bool {
	if r.killed || !r.signal.IsZero() || r.faulty || r.answer.untouched() {
		return false
	}
	for _, other := range w.runs {
		if other != r && !other.ended.Before(r.begun) {
			return false
		}
	}
	for _, a := range w.acts {
		if !a.at.Before(r.begun) {
			return false
		}
	}
	return true
}

// agrees checks a history of nothing but rollbacks against what one of them does.
func (w *world) agrees(r *report) string {
	if len(w.history.Others) > 0 || w.history.Past < 2 || r != w.runs[len(w.runs)-1] {
		return ""
	}
	succeeded := false
	for _, r := range w.runs {
		if r.run.Verb != Rollback {
			return ""
		}
		succeeded = succeeded || !r.killed && r.answer.Outcome == "succeeded"
	}
	if want := w.history.Past - 1; succeeded && w.settled.version != want {
		return fmt.Sprintf("one would end on v%d; in the end %s", want, w.settled)
	}
	return ""
}

// migrated checks a migration against its task.
func (r *report) migrated() string {
	if r.killed || !r.run.Verb.migrates() {
		return ""
	}
	end := "none was started"
	for _, j := range r.jobs {
		if end = j.end; end == "" {
			return ""
		}
	}
	switch {
	case r.answer.green() && r.answer.Outcome != noChange:
		return fmt.Sprintf("%s, and of its migration: %s", r.answer.Outcome, end)
	case len(r.updates) > 0:
		return fmt.Sprintf("it deployed at %v, and of its migration: %s", r.updates[0].at, end)
	}
	return ""
}

// migrations checks that this run's migration was alone.
func (w *world) migrations(r *report) string {
	if len(r.jobs) == 0 {
		return ""
	}
	for _, m := range w.timeline {
		if m.jobs > 1 && !m.at.Before(r.begun) && !m.at.After(r.ended) {
			return fmt.Sprintf("at %v %d run", m.at.Sub(w.begun).Round(time.Millisecond), m.jobs)
		}
	}
	return ""
}

// revisions checks what a run leaves of the task definitions that it registered.
func (w *world) revisions(r *report) string {
	if r.killed || !r.signal.IsZero() {
		return ""
	}
	problem := ""
	for i, one := range r.left {
		for _, other := range r.left[:i] {
			if one.family == other.family && one.document == other.document {
				problem = fmt.Sprintf("it leaves %s and %s, which are the same", name(other.arn), name(one.arn))
			}
		}
	}
	failed := r.answer.tookBack() || r.answer.Outcome == "failed"
	ours := slices.ContainsFunc(r.updates, func(u update) bool { return u.after.primary == r.last.primary })
	for _, one := range r.left { // the migration's own, which has run well by then, is none that failed
		if one.arn == r.last.taskDefinition && !ours && w.sees(r, r.last) {
			continue // another run has begun to deploy it again
		}
		if one.arn == r.last.second.taskDefinition {
			continue // whether it should is looked at long after
		}
		if (one.used || w.goesBackTo(r, one)) && strings.Contains(r.answer.Error, "worker was changed by somebody since") {
			continue // it had arrived: what somebody has begun since replaces it, and ECS may go back to it
		}
		told := strings.Contains(r.answer.Written, name(one.arn)+" failed and is still ACTIVE")
		if problem == "" && failed && !r.undone && !told && len(r.updates) > 0 && !strings.HasSuffix(one.family, "-migrate") {
			problem = fmt.Sprintf("%s, and it leaves %s, which it registered", r.answer.Outcome, name(one.arn))
		}
	}
	return problem
}

// goesBackTo says whether a task definition is what the second service was last COMPLETED on at the end of a run: what ECS goes back to
// where the deployment fails that somebody has begun.
func (w *world) goesBackTo(r *report, one revision) bool {
	worked := ""
	for _, m := range w.timeline {
		if m.second.rollout == engine.Completed && !m.at.After(r.last.at) {
			worked = m.second.taskDefinition
		}
	}
	return worked == one.arn
}

// cutOff asks ECS alone about a deployment that a run took back by itself before its time was over.
func (w *world) cutOff(r *report) string {
	by := r.begun.Add(r.run.Timeout)
	if r.run.Verb == Release && len(r.updates) > 0 { // the deployment's time begins after the migration
		by = r.updates[0].at.Add(r.run.Timeout)
	}
	if r.killed || !r.run.Verb.deploys() || r.began == "" || r.gaveUp.IsZero() || !r.gaveUp.Before(by) {
		return ""
	}
	if r.run.Verb == Together && !strings.HasPrefix(r.answer.Error, "api: ") {
		return "" // it was taken back since the other one failed
	}
	if !r.signal.IsZero() && !r.signal.After(r.gaveUp) {
		return ""
	}
	if r.run.Along && r.answer.Cause == unpointed {
		return "" // its schedules were asked to go along and could not: of what is not green nothing stays
	}
	if w.completes(r.began, r.gaveUp, by) {
		return fmt.Sprintf("it took its deployment back at %v, and ECS alone completes it (%s)", r.gaveUp.Sub(w.begun).Round(time.Millisecond),
			r.answer.Error)
	}
	return ""
}

func (r *report) secret() string {
	for _, secret := range []string{secretKey, password, settingValue} {
		if _, after, found := strings.Cut(r.answer.Written, secret); found {
			before := r.answer.Written[:len(r.answer.Written)-len(after)-len(secret)]
			return fmt.Sprintf("%q was written after %q", secret, before[max(0, len(before)-80):])
		}
	}
	return ""
}

func (r *report) sound() string {
	if r.answer.Outcome == defect {
		return r.answer.Error
	}
	return ""
}

// account tells what happened, for a person.
func (w *world) account(found violation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\nRun %d (%s %s): %s\n\n", found.invariant, found.run.number, found.run.run.Verb, versionOf(found.run.run), found.text)
	for _, line := range w.log {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b, "\nthe service:")
	last, lastSecond := "", ""
	for _, m := range w.timeline {
		at := m.at.Sub(w.begun).Round(time.Millisecond)
		if line := fmt.Sprintf("v%d %s %d/%d", m.version, m.state, m.running, m.desired); line != last {
			fmt.Fprintf(&b, "%9s  %s\n", at, m)
			last = line
		}
		if line := m.second.String(); m.second.primary != "" && line != lastSecond {
			fmt.Fprintf(&b, "%9s  %s\n", at, line)
			lastSecond = line
		}
	}
	fmt.Fprintf(&b, "\nwhat run %d wrote:\n%s\n", found.run.number, found.run.answer.Written)
	return b.String()
}
