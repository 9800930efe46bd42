package diagnose

import (
	"fmt"
	"strconv"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
)

// healthRules explain a target that the load balancer finds unhealthy, from the description that ELB gives and ECS repeats
// in its events.
var healthRules = []rule{
	{
		code:  "elb-health-redirect",
		re:    lazyregexp.New(`Health checks failed with these codes: \[(?P<codes>30[12378])\]`),
		title: "the load balancer's health check of ${container} is answered with a redirect (${codes})",
		fix: []string{"let the health check's path answer 200 itself: a missing or extra slash at its end and a redirect to HTTPS are " +
			"the usual reasons"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "elb-health-denied",
		re:    lazyregexp.New(`Health checks failed with these codes: \[(?P<codes>40[013])\]`),
		title: "the load balancer's health check of ${container} is refused (${codes})",
		fix: []string{"leave the health check's path open: without login (401, 403), and for any Host header (400: the check sends the " +
			"task's IP address as host)"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "elb-health-path",
		re:    lazyregexp.New(`Health checks failed with these codes: \[(?P<codes>40[45])\]`),
		title: "${container} does not know the path of the load balancer's health check (${codes})",
		fix: []string{"compare the path with the routes of this release: `aws elbv2 describe-target-groups --target-group-arns ${group} " +
			"--query 'TargetGroups[].HealthCheckPath'`"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "elb-health-error",
		re:    lazyregexp.New(`Health checks failed with these codes: \[(?P<codes>[^\]]*)\]`),
		title: "${container} answers the load balancer's health check with ${codes}",
		fix: []string{"read the log for the error behind it; a health check that asks the database fails with the database",
			"compare with the accepted codes: `aws elbv2 describe-target-groups --target-group-arns ${group} --query 'TargetGroups[].Matcher'`"},
		fault: record.FaultUnclear,
	},
	{
		code:  "elb-health-timeout",
		re:    lazyregexp.New(`Request timed out`),
		title: "the load balancer's health check of ${container} gets no answer in time",
		fix: []string{"check that the service's security group allows the container's port from the load balancer's security group",
			"if the start takes long, raise `healthCheckGracePeriodSeconds` of the service; if the answer does, the target group's timeout"},
		fault: record.FaultUnclear,
	},
	{
		code:  "elb-health-refused",
		re:    lazyregexp.New(`Health checks failed`),
		title: "nothing in ${container} answers on port ${port}, where the load balancer checks it",
		fix: []string{"let the program listen on 0.0.0.0:${port}, the port of the service's load balancer setting",
			"if the start takes long, raise `healthCheckGracePeriodSeconds` of the service"},
		fault: record.FaultUnclear,
	},
}

// wrongAddress compares what the program says of its address with where the load balancer looks for it: the usual reasons
// of "Health checks failed" and of timeouts are the loopback address and another port.
func wrongAddress(v vars, c Container, port int) (record.Finding, bool) {
	for i := len(c.Logs) - 1; i >= 0; i-- {
		line := Printable(c.Logs[i])
		m := listening.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		host, logged := m[1], m[2]
		quote := Redact(c.Name + " | " + line)
		switch {
		case host == "127.0.0.1" || host == "localhost" || host == "[::1]":
			return record.Finding{
				Code: "listens-on-loopback",
				Title: fmt.Sprintf("%s listens on %s:%s, which only the container itself can reach", c.Name, host,
					logged),
				Evidence: []string{quote},
				Fix: []string{fmt.Sprintf("listen on all addresses: `--host 0.0.0.0 --port %s`",
					v.expand("${port}"))},
				Fault: record.FaultRelease, Container: c.Name,
			}, true
		case port != 0 && logged != strconv.Itoa(port):
			return record.Finding{
				Code: "listens-on-other-port",
				Title: fmt.Sprintf("%s listens on port %s, but the load balancer checks port %d", c.Name, logged,
					port),
				Evidence: []string{quote},
				Fix: []string{fmt.Sprintf("let the program listen on %d, or change containerPort of the task definition and of the service "+
					"to %s", port, logged)},
				Fault: record.FaultRelease, Container: c.Name,
			}, true
		}
		return record.Finding{}, false
	}
	return record.Finding{}, false
}
