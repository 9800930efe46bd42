package diagnose

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/record"
)

// Cause is what a code of a finding means.
type Cause struct {
	Code     string
	Meaning  string   // the titles, with what is filled in by name
	Evidence []string // where it is read: see the constants below
	Fix      []string
	Faults   []record.Fault
	Certain  bool // in at least one of its forms
}

// Where causes are read.
const (
	fromStart      = "why a task or container did not start"
	fromPlacement  = "an event of the service, or why a task could not be placed"
	fromLog        = "the log of a container that ended"
	fromHealth     = "the health of a load balancer's target"
	fromDeployment = "the deployment's own reason"
	fromEvent      = "an event of the service"
	fromExit       = "how a container or a task ended"
	fromCheck      = "the health of a container"
	fromBake       = "what was watched after the deployment was complete (`bake`)"
)

// judged are the causes that no single text tells: they are found by looking at several things.
var judged = []Cause{
	{"alarm", "a CloudWatch alarm of the service went off during the deployment", []string{fromDeployment, fromEvent},
		[]string{"see which alarm: `aws cloudwatch describe-alarm-history`"}, []record.Fault{record.FaultRelease}, false},
	{"app-exit", "CONTAINER exited with code CODE: its last words", []string{fromExit},
		[]string{"read the quoted lines; try the image with the task's settings"}, []record.Fault{record.FaultRelease, record.FaultUnclear},
		false},
	{"bake-alarm", "a CloudWatch alarm went off after the deployment", []string{fromBake},
		[]string{"see why: `aws cloudwatch describe-alarm-history`"}, []record.Fault{record.FaultRelease}, false},
	{"bake-errors", "HTTP 5xx rose after the deployment, against the hour before", []string{fromBake},
		[]string{"look for the requests in the log of the new version"}, []record.Fault{record.FaultRelease}, false},
	{"bake-latency", "answers take longer after the deployment, against the hour before", []string{fromBake},
		[]string{"look for the requests in the log of the new version"}, []record.Fault{record.FaultRelease}, false},
	{"bake-probe", "the probe gets no good answer any more", []string{fromBake},
		[]string{"ask the probe's URL, and look for the request in the log of the new version"}, []record.Fault{record.FaultRelease}, false},
	{"bake-targets", "the load balancer finds tasks unhealthy after the deployment that were healthy before", []string{fromBake},
		[]string{"see what the health check's path answers, and look for its requests in the log of the new version"},
		[]record.Fault{record.FaultRelease}, false},
	{"bake-tasks", "tasks failed after the deployment was complete", []string{fromBake}, []string{"read the log of these tasks"},
		[]record.Fault{record.FaultRelease}, false},
	{"schedule-not-pointed", "a schedule could not be pointed at the new revision", []string{"the calls that change schedules (`schedules`)"},
		[]string{"give the run's role the permissions of `docs/iam/ecs-deploy-schedules.json`"},
		[]record.Fault{record.FaultInfrastructure}, true},
	{"circuit-breaker", "tasks of the new revision keep failing, and what AWS still shows does not say why", []string{fromDeployment},
		[]string{"read the log; ECS shows stopped tasks for about an hour"}, []record.Fault{record.FaultUnclear}, false},
	{"container-health-failed", "the container health check of CONTAINER fails", []string{fromCheck},
		[]string{"run the check beside the started image", "raise `startPeriod` if the start takes long"},
		[]record.Fault{record.FaultRelease}, false},
	{"elb-health-failed", "the load balancer finds CONTAINER unhealthy, and does not say why", []string{fromHealth},
		[]string{"see why: `aws elbv2 describe-target-health`"}, []record.Fault{record.FaultUnclear}, false},
	{"exited-zero", "CONTAINER ended by itself with exit code 0, but a service's container must keep running", []string{fromExit},
		[]string{"run the server in the foreground", "set `essential: false` if the container is meant to end"},
		[]record.Fault{record.FaultRelease}, false},
	{"killed", "CONTAINER was killed (exit code 137, SIGKILL)", []string{fromExit},
		[]string{"most often memory; else it ignored SIGTERM for longer than `stopTimeout`"}, []record.Fault{record.FaultUnclear}, false},
	{"listens-on-loopback", "CONTAINER listens on 127.0.0.1 alone, where the load balancer cannot reach it", []string{fromHealth, fromLog},
		[]string{"listen on all addresses: `--host 0.0.0.0`"}, []record.Fault{record.FaultRelease}, false},
	{"listens-on-other-port", "CONTAINER listens on another port than the load balancer checks", []string{fromHealth, fromLog},
		[]string{"let the program listen on the port of the task definition, or correct that one"}, []record.Fault{record.FaultRelease}, false},
	{"maintenance", "AWS retired the host of the task", []string{fromExit}, []string{"ECS starts another one by itself"},
		[]record.Fault{record.FaultPlatform}, false},
	{"out-of-memory", "CONTAINER ran out of memory", []string{fromExit}, []string{"raise `memory` of the task definition, or start fewer " +
		"workers"},
		[]record.Fault{record.FaultRelease}, false},
	{"placement-failed", "ECS cannot place tasks, for a reason that is not known here", []string{fromEvent}, []string{"read the quoted event"},
		[]record.Fault{record.FaultUnclear}, false},
	{"segmentation-fault", "CONTAINER crashed with a segmentation fault (exit code 139)", []string{fromExit},
		[]string{"compare the versions of native libraries and of the base image with the last release that worked"},
		[]record.Fault{record.FaultRelease}, false},
	{"spot-interrupted", "AWS took back the Spot capacity of the task", []string{fromExit},
		[]string{"ECS starts another one by itself; give the service a FARGATE base beside FARGATE_SPOT"},
		[]record.Fault{record.FaultPlatform}, false},
	{"stopped-by-user", "the task was stopped on request", []string{fromExit}, []string{"CloudTrail's event StopTask says who did it"},
		[]record.Fault{record.FaultUnclear}, false},
	{"task-start-failed", "the task could not start, for a reason that is not known here", []string{fromStart},
		[]string{"read the quoted reason"},
		[]record.Fault{record.FaultUnclear}, false},
	{"task-stopped", "the task stopped, and no container has an exit code", []string{fromExit},
		[]string{"`aws ecs describe-tasks` shows all of the task for about an hour"}, []record.Fault{record.FaultUnclear}, false},
	{"terminated", "CONTAINER was asked to stop and did (exit code 143, SIGTERM)", []string{fromExit},
		[]string{"see in the service events who stopped the task"}, []record.Fault{record.FaultUnclear}, false},
	{"unknown", "no failed task, event or reason was found that explains it", nil, []string{"look at the service's events and log"},
		[]record.Fault{record.FaultUnclear}, false},
}

// Causes lists every code that Classify can give, and those of a bake, in their order.
func Causes() []Cause {
	all := map[string]Cause{}
	add := func(c Cause) {
		known, ok := all[c.Code]
		if !ok {
			all[c.Code] = c
			return
		}
		if !strings.Contains(known.Meaning, c.Meaning) {
			known.Meaning += "; " + c.Meaning
		}
		known.Evidence, known.Fix = merged(known.Evidence, c.Evidence), merged(known.Fix, c.Fix)
		known.Faults, known.Certain = merged(known.Faults, c.Faults), known.Certain || c.Certain
		all[c.Code] = known
	}
	for _, c := range judged {
		add(c)
	}
	for _, list := range []struct {
		rules []rule
		from  string
	}{
		{startRules, fromStart}, {placementRules, fromPlacement}, {logRules, fromLog}, {taskLogRules(), fromLog}, {healthRules, fromHealth},
		{deploymentRules, fromDeployment}, {eventRules, fromEvent},
	} {
		for _, r := range list.rules {
			c := Cause{Code: r.code, Meaning: vars{}.expand(r.title), Evidence: []string{list.from}, Faults: []record.Fault{r.fault},
				Certain: r.certain}
			for _, fix := range r.fix {
				c.Fix = append(c.Fix, vars{}.expand(fix))
			}
			add(c)
		}
	}
	var sorted []Cause
	for _, c := range all {
		sorted = append(sorted, c)
	}
	slices.SortFunc(sorted, func(a, b Cause) int { return strings.Compare(a.Code, b.Code) })
	return sorted
}

func merged[T comparable](list, more []T) []T {
	list = slices.Clone(list)
	for _, one := range more {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}
