package diagnose

import (
	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
)

// deploymentRules explain why a service deployment failed or was rolled back, from its statusReason.
var deploymentRules = []rule{
	{
		code:  "hook-not-invocable",
		re:    lazyregexp.New(`(?P<stage>[A-Z_]+) lifecycle hook\(s\) failed\..*unable to invoke hook target (?P<target>\S+) due to (?P<why>.+)`),
		title: "ECS could not call the ${stage} hook ${target}",
		fix:   []string{"allow `lambda:InvokeFunction` on ${target} in the hook's role, and let ECS (`ecs.amazonaws.com`) assume that role"},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code:  "hook-answer-invalid",
		re:    lazyregexp.New(`(?P<stage>[A-Z_]+) lifecycle hook\(s\) failed\..*unable to parse the response from (?P<target>\S+)`),
		title: "the ${stage} hook ${target} gave an answer that ECS cannot read",
		fix:   []string{"let the function return `{\"hookStatus\": \"SUCCEEDED\"}` (or FAILED, IN_PROGRESS)"},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code:  "hook-role-not-assumable",
		re:    lazyregexp.New(`(?P<stage>[A-Z_]+) lifecycle hook\(s\) failed\..*unable to assume role (?P<role>\S+)`),
		title: "ECS may not assume the role of the ${stage} hook (${role})",
		fix:   []string{"let the role's trust policy allow `sts:AssumeRole` to `ecs.amazonaws.com`"},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code:  "hook-failed",
		re:    lazyregexp.New(`(?P<stage>[A-Z_]+) lifecycle hook\(s\) failed\.(?:.*hook target (?P<target>\S+) returned FAILED)?`),
		title: "the ${stage} hook ${target} said no to this release",
		fix:   []string{"read the log of the hook's function; what it tests failed against the new revision"},
		fault: record.FaultRelease,
	},
	{
		code:  "hook-timed-out",
		re:    lazyregexp.New(`(?P<stage>[A-Z_]+) pause hook timed out`),
		title: "nobody let the deployment go on at ${stage} before its pause ended",
		fix:   []string{"release again and approve it in time, or give the pause hook a longer timeout or the action CONTINUE"},
		fault: record.FaultUnclear,
	},
	{
		code:  "load-balancer-denied",
		re:    lazyregexp.New(`unable to manage the ELB resources due to missing permissions on ECS Infrastructure Role '(?P<role>[^']+)'`),
		title: "the ECS infrastructure role ${role} may not move the load balancer's traffic",
		fix:   []string{"attach the managed policy AmazonECSInfrastructureRolePolicyForLoadBalancers to the role"},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code: "listener-rules-invalid",
		re: lazyregexp.New(`invalid networking configuration\.? ?:?(?P<why>.*)|` +
			`(?P<why2>is not associated with either productionListenerRule.*|should have exactly one target group serving traffic.*|One or more rules not found)`),
		title: "the listener rules do not fit a blue/green deployment: ${why}",
		fix: []string{"let the production rule forward to the service's two target groups, all traffic to one of them; see " +
			"`loadBalancers[].advancedConfiguration` of the service"},
		fault: record.FaultInfrastructure, certain: true,
	},
}

// alarmed finds a deployment that an alarm failed. ECS's event says "alarm detected"; the wording of the service
// deployment's own reason is not documented, so any mention of an alarm is taken for one.
var alarmed = lazyregexp.New(`(?i)\balarms?\b`)

// broken finds what says that the circuit breaker or ECS itself gave the deployment up, and no more.
var broken = lazyregexp.New(`circuit breaker|tasks? failed to start|deployment failed: deployment failure|unable to consistently start tasks`)

// eventRules explain service events that are neither about placing a task nor about one task's health.
var eventRules = []rule{
	{
		code:  "deployment-cannot-move",
		re:    lazyregexp.New(`unable to stop or start tasks during a deployment because of the service deployment configuration`),
		title: "minimumHealthyPercent and maximumPercent of the service leave the deployment no room to move",
		fix: []string{"allow one task more or one less: `aws ecs update-service --cluster ${cluster} --service ${service} " +
			"--deployment-configuration maximumPercent=200,minimumHealthyPercent=100` (or change it in Terraform)",
			"where they allow that already, tasks of a deployment before this one take the room: it goes on once ECS has stopped them"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "tasks-protected",
		re:    lazyregexp.New(`unable to scale in due to \(reason (?P<n>\d+) tasks? under protection\)`),
		title: "${n} tasks of the old revision are protected from scale-in and cannot be replaced",
		fix: []string{"wait until their protection ends, or end it: `aws ecs update-task-protection --cluster ${cluster} --tasks TASK " +
			"--no-protection-enabled`"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "target-group-missing",
		re:    lazyregexp.New(`target-group \(?(?P<group>[^\s)]+)\)? due to TARGET (?:GROUP )?IS NOT FOUND`),
		title: "the service's target group ${group}, or the task in it, no longer exists",
		fix:   []string{"correct `loadBalancers` of the service, or make the target group again"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "target-registration-denied",
		re:    lazyregexp.New(`failed to (?:register targets|describe target health).*not authorized to perform: (?P<action>elasticloadbalancing:\w+)`),
		title: "ECS may not call ${action} for the service",
		fix:   []string{"restore the service-linked role AWSServiceRoleForECS, or allow ${action} in the service's infrastructure role"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "target-registration-failed",
		re:    lazyregexp.New(`failed to (?P<what>register targets in|deregister targets in|describe target health on) \(?target-group (?P<group>[^\s)]+)\)? with \(error (?P<why>.*)\)`),
		title: "ECS could not reach the target group: ${why}",
		fix: []string{"see that the target group ${group} exists, is of target type ip, and is attached to a load balancer in the " +
			"service's VPC"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "service-iam-broken",
		re:    lazyregexp.New(`IAM (?P<what>permissions policies|trust relationship) ha(?:s|ve) been misconfigured or changed`),
		title: "ECS can no longer maintain the service: its IAM ${what} changed",
		fix:   []string{"restore the service-linked role AWSServiceRoleForECS and the roles of the task definition"},
		fault: record.FaultInfrastructure,
	},
}

var (
	unplaced        = lazyregexp.New(`unable to place a task\. Reason: (?P<why>(?s:.+))`)
	unlaunched      = lazyregexp.New(`failed to launch a task with \(error (?P<why>(?s:.+))\)`)
	containerCheck  = lazyregexp.New(`\(task (?P<task>[0-9a-f]+)\) failed container health checks`)
	failedBecause   = lazyregexp.New(`deployment failed: (?P<why>.+)`)
	throttledByAWS  = lazyregexp.New(`operations are being throttled`)
	genericFailures = lazyregexp.New(`^(?:tasks failed to start|deployment failure)\.?$`)
)

// deploymentCause explains the deployment from its own reasons.
func deploymentCause(e Evidence) candidate {
	for _, reason := range []string{e.StatusReason, e.RolloutReason} {
		if c, ok := first(deploymentRules, e.varsOf(Task{}, ""), reason); ok {
			return candidate{Finding: c, rank: rankDeployment}
		}
		if alarmed.MatchString(reason) {
			return candidate{Finding: alarmCause(reason), rank: rankAlarm}
		}
	}
	return candidate{}
}

// eventCause explains one service event; most events explain nothing.
func eventCause(e Evidence, event Event) candidate {
	v := e.varsOf(e.anyTask(), "")
	if m := unplaced.FindStringSubmatch(event.Text); m != nil {
		return reasonCause(v, event.Text, m[1])
	}
	if m := unlaunched.FindStringSubmatch(event.Text); m != nil {
		return reasonCause(v, event.Text, m[1])
	}
	if m := failedBecause.FindStringSubmatch(event.Text); m != nil && !genericFailures.MatchString(m[1]) {
		if c, ok := first(deploymentRules, v, event.Text); ok {
			return candidate{Finding: c, rank: rankDeployment}
		}
		if alarmed.MatchString(m[1]) {
			return candidate{Finding: alarmCause(event.Text), rank: rankAlarm}
		}
	}
	if m := unhealthyEvent.FindStringSubmatch(event.Text); m != nil {
		if t, ok := e.task(m[1]); ok {
			return targetCause(e, t, "")
		}
		return targetCause(Evidence{Cluster: e.Cluster, Service: e.Service, Events: []Event{event}}, Task{ARN: m[1]}, "")
	}
	if m := containerCheck.FindStringSubmatch(event.Text); m != nil {
		t, _ := e.task(m[1])
		return containerHealthCause(e, t, event.Text)
	}
	if c, ok := first(eventRules, v, event.Text); ok {
		return candidate{Finding: c, rank: rankPlacement}
	}
	if c, ok := first(placementRules, v, event.Text); ok {
		if throttledByAWS.MatchString(event.Text) {
			return candidate{Finding: c, rank: rankPlatform}
		}
		return candidate{Finding: c, rank: rankPlacement}
	}
	return candidate{}
}

// reasonCause explains the reason in an event about a task that could not be placed or launched. ECS uses the same event
// for tasks that it placed and that then failed to start, with their stopped reason in it.
func reasonCause(v vars, message, why string) candidate {
	if c, ok := first(startRules, v, why); ok {
		c.Evidence = quotes(message)
		return candidate{Finding: c, rank: rankStart}
	}
	for _, text := range []string{why, message} {
		if c, ok := first(placementRules, v, text); ok {
			c.Evidence = quotes(message)
			return candidate{Finding: c, rank: rankPlacement}
		}
	}
	return candidate{rank: rankPlacement, Finding: record.Finding{
		Code: "placement-failed", Title: "ECS cannot place tasks: " + brief(why), Fault: record.FaultUnclear, Evidence: quotes(message),
		Fix: []string{"read the quoted reason; ECS goes on trying, with longer and longer pauses"},
	}}
}

// PlacementFailure explains the reason that RunTask gives in failures[] for a task that it did not start.
func PlacementFailure(reason, detail string) record.Finding {
	text := reason
	if detail != "" {
		text += ": " + detail
	}
	return reasonCause(vars{"capacity": "Fargate"}, text, text).Finding
}

// alarmCause is the cause of a deployment that an alarm failed.
func alarmCause(reason string) record.Finding {
	return record.Finding{
		Code: "alarm", Title: "a CloudWatch alarm of the service went off during the deployment", Fault: record.FaultRelease,
		Evidence: quotes(reason),
		Fix: []string{"see which: `aws cloudwatch describe-alarms --state-value ALARM`, and what its metric shows since the " +
			"deployment began"},
	}
}

// nothing is the verdict where no candidate was found.
func nothing(e Evidence) record.Finding {
	said := []string{e.StatusReason, e.RolloutReason}
	for _, event := range e.Events {
		said = append(said, event.Text)
	}
	for _, text := range said {
		if broken.MatchString(text) {
			return record.Finding{
				Code: "circuit-breaker", Vague: true, Title: "tasks of the new revision keep failing, and what AWS still shows does not say why",
				Fault:    record.FaultUnclear,
				Evidence: quotes(text),
				Fix: []string{"stopped tasks stay visible for about an hour: `aws ecs list-tasks --cluster " + orElse(arn.Last(e.Cluster), "CLUSTER") +
					" --service-name " + orElse(e.Service, "SERVICE") + " --desired-status STOPPED`", "read the containers' logs of that time"},
			}
		}
	}
	return record.Finding{
		Code: "unknown", Vague: true, Title: "no failed task, event or reason was found that explains it", Fault: record.FaultUnclear,
		Fix: []string{"see the service's events: `aws ecs describe-services --cluster " + orElse(arn.Last(e.Cluster), "CLUSTER") +
			" --services " +
			orElse(e.Service, "SERVICE") + " --query 'services[].events[:20]'`"},
	}
}

// task returns the task with this id.
func (e Evidence) task(id string) (Task, bool) {
	for _, t := range e.Tasks {
		if id != "" && t.ID() == id {
			return t, true
		}
	}
	return Task{}, false
}

// anyTask returns the newest task, for the settings that all tasks of a revision share.
func (e Evidence) anyTask() Task {
	if len(e.Tasks) > 0 {
		return e.Tasks[0]
	}
	return Task{}
}

// CallFailure explains the message of a refused RunTask or StartTask call, and reports whether it is one that is known.
func CallFailure(message string) (record.Finding, bool) {
	v := vars{"capacity": "Fargate"}
	if c, ok := first(startRules, v, message); ok {
		return c, true
	}
	return first(placementRules, v, message)
}
