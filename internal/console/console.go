// Package console makes addresses of the AWS console. Where it does not know a partition's console it makes none.
package console

import (
	"net/url"
	"strings"
)

// hosts are the consoles of the partitions, each behind the region.
var hosts = map[string]string{
	"aws":        "console.aws.amazon.com",
	"aws-cn":     "console.amazonaws.cn",
	"aws-us-gov": "console.amazonaws-us-gov.com",
}

// name is an ARN taken apart.
type name struct{ partition, service, region, resource string }

func parse(arn string) (n name, ok bool) {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) < 6 || fields[0] != "arn" || hosts[fields[1]] == "" || fields[3] == "" {
		return name{}, false
	}
	return name{fields[1], fields[2], fields[3], fields[5]}, true
}

// at is an address below the console of the ARN's partition and region.
func (n name) at(path, fragment string) string {
	address := "https://" + n.region + "." + hosts[n.partition] + path + "?region=" + url.QueryEscape(n.region)
	if fragment != "" {
		address += "#" + fragment
	}
	return address
}

// path joins escaped parts.
func path(parts ...string) string {
	var escaped strings.Builder
	for _, part := range parts {
		escaped.WriteString("/" + url.PathEscape(part))
	}
	return escaped.String()
}

// resource returns the parts of a resource of ECS behind its kind, if it has this many.
func resource(arn, kind string, parts int) (n name, found []string, ok bool) {
	n, ok = parse(arn)
	rest, is := strings.CutPrefix(n.resource, kind+"/")
	found = strings.Split(rest, "/")
	return n, found, ok && is && n.service == "ecs" && len(found) == parts
}

// Service returns the address of a service, by its ARN; "" for one in the old format, which does not name the cluster.
func Service(arn string) string {
	n, parts, ok := resource(arn, "service", 2)
	if !ok {
		return ""
	}
	return n.at("/ecs/v2"+path("clusters", parts[0], "services", parts[1], "health"), "")
}

// Deployment returns the address of a service deployment, by its ARN.
func Deployment(arn string) string {
	n, parts, ok := resource(arn, "service-deployment", 3)
	if !ok {
		return ""
	}
	return n.at("/ecs/v2"+path("clusters", parts[0], "services", parts[1], "deployments", parts[2]), "")
}

// Task returns the address of a task, by its ARN.
func Task(arn string) string {
	n, parts, ok := resource(arn, "task", 2)
	if !ok {
		return ""
	}
	return n.at("/ecs/v2"+path("clusters", parts[0], "tasks", parts[1], "configuration"), "")
}

// TargetGroup returns the address of a target group of a load balancer, by its ARN.
func TargetGroup(arn string) string {
	n, ok := parse(arn)
	if !ok || n.service != "elasticloadbalancing" || !strings.HasPrefix(n.resource, "targetgroup/") {
		return ""
	}
	return n.at("/ec2/home", "TargetGroup:targetGroupArn="+arn)
}

// LogStream returns the address of a log stream in the partition and region of an ARN.
func LogStream(beside, group, stream string) string {
	n, ok := parse(beside)
	if !ok || group == "" || stream == "" {
		return ""
	}
	return n.at("/cloudwatch/home", "logsV2:log-groups/log-group/"+twice(group)+"/log-events/"+twice(stream))
}

// twice escapes a name as the console of CloudWatch Logs does: twice, with $ for the second per cent sign.
func twice(text string) string {
	escaped := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	return strings.ReplaceAll(strings.ReplaceAll(escaped, "%", "%25"), "%", "$")
}
