package simulation

import (
	"os"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// draw makes up a history.
func draw(t *rapid.T) History {
	h := History{
		Seed:    rapid.Uint64Range(0, 1000).Draw(t, "seed"),
		Desired: rapid.SampledFrom([]int{1, 2, 2, 3}).Draw(t, "desired"),
		Past:    rapid.SampledFrom([]int{2, 2, 3, 1}).Draw(t, "past"),
		Breaker: rapid.SampledFrom([]Breaker{RollsBack, RollsBack, RollsBack, Stops, Off}).Draw(t, "breaker"),
		Shift:   rapid.SampledFrom([]Shift{Rolling, Rolling, Rolling, Rolling, BlueGreen, Linear, Canary}).Draw(t, "shift"),
		Lag:     rapid.SampledFrom([]time.Duration{0, 0, 0, 5 * time.Second}).Draw(t, "lag"),
		Reads:   rapid.SampledFrom([]time.Duration{0, 0, 0, 2 * time.Second}).Draw(t, "reads"),
		Busy:    rapid.SampledFrom([]float64{0, 0, 0, 0, 0, 0.5, 0.9}).Draw(t, "busy"),
		Skew:    rapid.SampledFrom([]time.Duration{0, 0, 0, 3 * time.Second, -3 * time.Second}).Draw(t, "skew"),
	}
	h.Fates = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Fate { return drawFate(t, h.Desired) }), 1, 3).Draw(t, "fates")
	versions := h.Past + len(h.Fates)
	h.Runs = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Run { return drawRun(t, h.Past, versions) }), 1, 3).Draw(t, "runs")
	h.Runs[0].Change = 0 // somebody has to begin
	h.Others = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Act { return drawAct(t, h.Past, versions) }), 0, 3).Draw(t, "others")
	h.Restarts = rapid.SampledFrom([]bool{false, false, false, false, true}).Draw(t, "restarts")
	if os.Getenv("RELEASES") != "" {
		drawReleases(t, &h, versions)
	}
	return h
}

// drawReleases makes releases of more than one service of some deployments, and has some take schedules along.
func drawReleases(t *rapid.T, h *History, versions int) {
	h.Second = rapid.SampledFrom([]Second{NoSecond, NoSecond, NoSecond, AtOnce, Afterwards}).Draw(t, "second")
	h.Scheduled = rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "scheduled")
	for i := range h.Runs {
		r := &h.Runs[i]
		switch {
		case r.Verb != Deploy:
		case h.Second != NoSecond && rapid.IntRange(0, 2).Draw(t, "together") > 0:
			r.Verb, r.Grow = Together, 0
		case h.Scheduled:
			if r.Along = rapid.Bool().Draw(t, "along"); r.Along {
				r.Faults = append(r.Faults, rapid.SliceOfN(rapid.Custom(drawSchedulingFault), 0, 1).Draw(t, "faults of schedules")...)
			}
		}
	}
	if h.Second == NoSecond {
		return
	}
	for i := range h.Fates {
		h.Fates[i].Second = rapid.SampledFrom([]Kind{Works, Works, Works, Crashes, Faints, NoPull, NoRoom}).Draw(t, "kind of the second")
	}
	if rapid.IntRange(0, 3).Draw(t, "acts on the second") == 3 {
		a := Act{What: ColleagueDeploysSecond, N: drawVersion(t, h.Past, versions)}
		a.Change, a.At = drawWhen(t)
		h.Others = append(h.Others, a)
	}
}

// drawWhen is a moment: a time after the beginning, or a short time after a change of the service. Most things happen while a
// rollout is under way, which takes some minutes.
func drawWhen(t *rapid.T) (change int, after time.Duration) {
	change = rapid.IntRange(0, 5).Draw(t, "change")
	switch {
	case change == 0:
		return 0, time.Duration(rapid.IntRange(0, 48).Draw(t, "time")) * 5 * time.Second
	case rapid.Bool().Draw(t, "soon"):
		return change, time.Duration(rapid.IntRange(0, 12).Draw(t, "time")) * 250 * time.Millisecond
	default:
		return change, time.Duration(rapid.IntRange(0, 24).Draw(t, "time")) * 5 * time.Second
	}
}

func drawFate(t *rapid.T, desired int) Fate {
	kinds := []Kind{Works, Works, Works, Slow, Crashes, Faints, Unhealthy, NoPull, NoRoom}
	f := Fate{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	f.Job = rapid.SampledFrom([]Job{Short, Short, Fails, Long}).Draw(t, "job")
	if f.Kind != Works && rapid.Bool().Draw(t, "passing") {
		f.First = desired
	}
	return f
}

// drawVersion prefers versions that are new.
func drawVersion(t *rapid.T, past, versions int) int {
	if rapid.IntRange(0, 4).Draw(t, "old") == 4 {
		return rapid.IntRange(1, past).Draw(t, "version")
	}
	return rapid.IntRange(past+1, versions).Draw(t, "version")
}

var verbs = []Verb{Deploy, Deploy, Deploy, Deploy, Rollback, Rollback, Rollback, Release, Migrate}

func drawRun(t *rapid.T, past, versions int) Run {
	r := Run{
		Verb:    rapid.SampledFrom(verbs).Draw(t, "verb"),
		Timeout: rapid.SampledFrom([]time.Duration{10 * time.Minute, 4 * time.Minute, 4 * time.Minute}).Draw(t, "timeout"),
	}
	r.Change, r.At = drawWhen(t)
	if r.Verb != Rollback {
		r.Version = drawVersion(t, past, versions)
		r.Lifts = rapid.SampledFrom([]bool{true, true, false}).Draw(t, "lifts")
		r.Force = rapid.SampledFrom([]bool{false, false, false, false, false, true}).Draw(t, "force")
	}
	if r.Verb == Deploy && rapid.IntRange(0, 3).Draw(t, "grows") == 3 {
		r.Grow = rapid.IntRange(1, 5).Draw(t, "grow")
	}
	r.Faults = rapid.SliceOfN(rapid.Custom(drawFault), 0, 2).Draw(t, "faults")
	r.End = rapid.SampledFrom([]End{ItsOwn, ItsOwn, ItsOwn, Cancel, Kill}).Draw(t, "end")
	if r.End == ItsOwn {
		return r
	}
	if rapid.Bool().Draw(t, "at a call") {
		r.Call, r.Late = rapid.IntRange(1, 120).Draw(t, "call"), rapid.Bool().Draw(t, "late")
	} else {
		r.Until, r.After = drawWhen(t)
	}
	if rapid.Bool().Draw(t, "again") {
		r.Again = time.Duration(rapid.SampledFrom([]int{1, 5, 20, 60, 200}).Draw(t, "pause")) * time.Second
	}
	return r
}

var actions = []string{
	"ecs:DescribeServices", "ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions",
	"ecs:UpdateService", "ecs:StopServiceDeployment", "ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition",
	"ecs:RunTask", "ecs:StopTask", "ecs:DescribeTaskDefinition", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:TagResource",
	"ecs:*", "ecr:*", "logs:*",
	"elasticloadbalancing:*", "sts:*", "*",
}

// scheduling are the actions of what schedules are.
var scheduling = []string{"events:*", "scheduler:*", "events:PutTargets", "scheduler:UpdateSchedule"}

// drawSchedulingFault is drawFault of a call that reads or points schedules.
func drawSchedulingFault(t *rapid.T) Fault {
	return Fault{
		Action: rapid.SampledFrom(scheduling).Draw(t, "action"),
		Answer: rapid.SampledFrom([]string{"throttle", "unavailable", "cut", "cut-after", "hang", "hang-after"}).Draw(t, "answer"),
		Times:  rapid.SampledFrom([]int{1, 2, 5, 40}).Draw(t, "times"),
		Skip:   rapid.IntRange(0, 4).Draw(t, "skip"),
	}
}

// answers are what a call may get in place of its own.
var answers = []string{"throttle", "unavailable", "cut", "cut-after", "hang", "hang-after", "expired", "refuse"}

// lasts is how many calls fail where it is for good.
const lasts = 1 << 20

func drawFault(t *rapid.T) Fault {
	f := Fault{
		Action: rapid.SampledFrom(actions).Draw(t, "action"),
		Answer: rapid.SampledFrom(answers).Draw(t, "answer"),
		Times:  rapid.SampledFrom([]int{1, 2, 5, 12, 40}).Draw(t, "times"),
	}
	most := 2 // what changes something is called once or twice in a run
	if strings.Contains(f.Action, "*") || strings.HasPrefix(f.Action, "ecs:Describe") || strings.HasPrefix(f.Action, "ecs:List") {
		most = 40
	}
	f.Skip = rapid.IntRange(0, most).Draw(t, "skip")
	switch f.Answer {
	case "expired": // credentials that ended do not come back
		f.Action, f.Times, f.Skip = "*", lasts, rapid.IntRange(0, 120).Draw(t, "until")
	case "refuse": // what AWS refuses for a moment
		f.Action, f.Skip, f.Times = "ecs:RegisterTaskDefinition", 0, min(f.Times, 5)
	}
	return f
}

var acts = []What{ColleagueDeploys, ColleagueForces, ColleagueRollsBack, OperatorStops, Scales, SpotTakes, OperatorStopsJob, SpotTakesJob,
	TerraformSettings, TerraformNetwork, TerraformTemplate}

func drawAct(t *rapid.T, past, versions int) Act {
	a := Act{What: rapid.SampledFrom(acts).Draw(t, "what")}
	a.Change, a.At = drawWhen(t)
	switch a.What {
	case ColleagueDeploys:
		a.N = drawVersion(t, past, versions)
	case OperatorStops, SpotTakes:
		a.N = rapid.IntRange(0, 5).Draw(t, "task")
	case Scales:
		a.N = rapid.IntRange(1, 4).Draw(t, "desired")
	}
	return a
}
