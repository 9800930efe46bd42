package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// quotedLines is how many of a container's last lines a cause quotes: a Python traceback of three frames and what led to it.
const quotedLines = 15

// How much a finding explains. A candidate of a higher rank wins; among equals the newest does.
const (
	rankNothing    = iota
	rankGeneric    // the deployment failed, no more is said
	rankPlatform   // a task was stopped by a person or by AWS: it may have nothing to do with the release
	rankPlacement  // tasks cannot be placed, or the deployment cannot move
	rankAlarm      // a CloudWatch alarm failed the deployment
	rankUnhealthy  // a task runs and its health check fails
	rankExit       // a container ended, its log says nothing that we understand
	rankExitSaid   // a container ended and its log says why
	rankStart      // a task could not start, and ECS says why
	rankDeployment // the deployment itself says why it failed: a hook, a listener rule
)

// candidate is one possible cause.
type candidate struct {
	record.Finding
	rank int
}

// Classify names the one cause that explains the evidence best. It is a pure function: the same evidence gives the same
// cause. Its evidence is redacted: the service's words first, then log lines written as "container | line". It is certain where
// the failure cannot pass by itself: the image or what the task definition names is missing or cannot run. Whatever may have hung on
// the moment (a network, a database, a permission that takes a minute to be known, memory) is not, however likely it stays. Without
// usable evidence the code is "unknown", or "circuit-breaker" where that is all ECS says; Finding.Known tells.
func Classify(e Evidence) record.Finding {
	best := candidate{Finding: nothing(e)}
	consider := func(c candidate) {
		if c.rank > best.rank {
			best = c
		}
	}
	consider(deploymentCause(e))
	for _, t := range e.Tasks {
		consider(taskCause(e, t))
	}
	for _, event := range e.Events {
		consider(eventCause(e, event))
	}
	if best.rank < rankExitSaid {
		best.Fix = append(best.Fix, missingAdvice(e)...)
	}
	return best.Finding
}

// Row is the cause that the newest failed tasks of a revision share.
type Row struct {
	Finding record.Finding
	Alike   int // how many tasks in a row show it
	Waves   int // how many independent observations they are: see ecsview.Waves
}

// Streak returns the row of the newest failed tasks. Tasks that AWS or a person stopped, that could not be placed, or whose logs were
// not read, say nothing about the revision and are passed over; a healthy task ends the row, and so does another failure.
func Streak(e Evidence) Row {
	var row Row
	var alike []Task
	for _, t := range e.Tasks {
		if !t.Stopped() {
			if e.healthy(t) {
				break
			}
			continue
		}
		c := taskCause(e, t)
		if slices.Contains(e.Unread, t.ARN) {
			continue
		}
		if c.rank <= rankPlacement && c.rank != rankGeneric || c.Fault == record.FaultPlatform || c.Code == "terminated" {
			continue
		}
		if len(alike) > 0 && !sameFailure(row.Finding, c.Finding) {
			break
		}
		if len(alike) == 0 {
			row.Finding = c.Finding
		}
		alike = append(alike, t)
	}
	row.Alike, row.Waves = len(alike), ecsview.Waves(alike)
	return row
}

// sameFailure reports whether two tasks failed in the same way. Of a cause that is certain its code says so; any other has to be told
// in the same words, apart from numbers and ids in them.
func sameFailure(a, b record.Finding) bool {
	return a.Code == b.Code && a.Container == b.Container && a.Certain == b.Certain &&
		(a.Certain || changing.ReplaceAllString(a.Title, "#") == changing.ReplaceAllString(b.Title, "#"))
}

// changing is what differs between two tellings of one failure: numbers, ids, times.
var changing = lazyregexp.New(`[0-9a-fA-F]*[0-9][0-9a-fA-F]*`)

// healthy reports whether a running task has passed the checks that there are.
func (e Evidence) healthy(t Task) bool {
	if t.LastStatus != "RUNNING" || t.Health == "UNHEALTHY" {
		return false
	}
	for _, target := range e.Targets {
		if target.ID == t.IP && t.IP != "" {
			return target.State == "healthy"
		}
	}
	return t.Health == "HEALTHY"
}

// taskCause explains one task. Its rank is rankNothing for a task that has not failed.
func taskCause(e Evidence, t Task) candidate {
	c := candidate{}
	switch {
	case !t.Stopped():
		c = unhealthyCause(e, t)
	case strings.HasPrefix(t.Reason, "Scaling activity initiated by"):
		return c // scale-in, or replaced by the rollout: no failure
	default:
		c = stoppedCause(e, t)
	}
	if c.rank > rankNothing && c.Task == "" {
		c.Task = t.ARN
	}
	return c
}

// stoppedCause explains a task that has ended.
func stoppedCause(e Evidence, t Task) candidate {
	if c, ok := startCause(e, t); ok {
		return c
	}
	switch {
	case t.StopCode == "SpotInterruption", t.StopCode == "TerminationNotice", strings.Contains(t.Reason,
		"Spot Task was interrupted"):
		return candidate{rank: rankPlatform, Finding: record.Finding{
			Code: "spot-interrupted", Title: "AWS took back the Spot capacity of the task", Fault: record.FaultPlatform,
			Evidence: quotes(t.Reason),
			Fix:      []string{"ECS starts another one by itself; give the service a FARGATE base beside FARGATE_SPOT if that is too unsteady"},
		}}
	case strings.Contains(t.Reason, "ECS is performing maintenance"):
		return candidate{rank: rankPlatform, Finding: record.Finding{
			Code: "maintenance", Title: "AWS retired the host of the task", Fault: record.FaultPlatform, Evidence: quotes(t.Reason),
			Fix: []string{"ECS starts another one by itself; nothing in the release is at fault"},
		}}
	case t.StopCode == "UserInitiated":
		return candidate{rank: rankPlatform, Finding: record.Finding{
			Code: "stopped-by-user", Title: "the task was stopped on request: " + Redact(orElse(Printable(t.Reason),
				"no reason given")), Fault: record.FaultUnclear,
			Evidence: quotes(t.Reason),
			Fix:      []string{"CloudTrail's event StopTask says who did it"},
		}}
	case strings.HasPrefix(t.Reason, "Task failed container health checks"):
		return containerHealthCause(e, t, t.Reason)
	case strings.HasPrefix(t.Reason, "Task failed ELB health checks"):
		return targetCause(e, t, t.Reason)
	}
	return exitCause(e, t)
}

// startCause explains a task that never started, from its own reason or from that of a container.
func startCause(e Evidence, t Task) (candidate, bool) {
	texts := []struct{ container, text string }{{"", t.Reason}}
	for _, c := range t.Containers {
		texts = append(texts, struct{ container, text string }{c.Name, c.Reason})
	}
	for _, in := range texts {
		v := e.varsOf(t, in.container)
		if c, ok := first(startRules, v, in.text); ok {
			c.Container = in.container
			return candidate{Finding: c, rank: rankStart}, true
		}
		if c, ok := first(placementRules, v, in.text); ok && t.StopCode != "EssentialContainerExited" {
			return candidate{Finding: c, rank: rankPlacement}, true
		}
	}
	if t.StopCode != "TaskFailedToStart" {
		return candidate{}, false
	}
	reason := t.Reason
	for _, c := range t.Containers {
		if c.Reason != "" && (reason == "" || reason == "Task failed to start") {
			reason = c.Reason
		}
	}
	return candidate{rank: rankStart, Finding: record.Finding{
		Code: "task-start-failed", Title: "the task could not start: " + brief(orElse(reason,
			"ECS gives no reason")), Fault: record.FaultUnclear,
		Evidence: quotes(reason), Fix: []string{"read the quoted reason; `aws ecs describe-tasks` shows all of the task for about an hour"},
	}}, true
}

// exitCause explains a task that ended because a container did.
func exitCause(e Evidence, t Task) candidate {
	c, ok := culprit(t)
	if !ok {
		if t.Reason == "" && t.StopCode == "" {
			return candidate{}
		}
		return candidate{rank: rankGeneric, Finding: record.Finding{
			Code: "task-stopped", Title: "the task stopped, and no container has an exit code: " + brief(orElse(t.Reason,
				t.StopCode)), Fault: record.FaultUnclear,
			Evidence: quotes(t.Reason), Fix: []string{"`aws ecs describe-tasks` shows all of the task for about an hour"},
		}}
	}
	v := e.varsOf(t, c.Name)
	lines := RedactLines(c.Logs)
	base := record.Finding{Container: c.Name, Fault: record.FaultRelease, Evidence: exitQuotes(t, c, lines)}
	// finish gives the findings that every exit shares to a cause that a rule has made.
	finish := func(found record.Finding, rank int) candidate {
		found.Container, found.Evidence = base.Container, base.Evidence
		return candidate{Finding: found, rank: rank}
	}
	code := exitCode(c)
	if strings.HasPrefix(c.Reason, "OutOfMemory") {
		base.Code = "out-of-memory"
		base.Title = fmt.Sprintf("%s ran out of memory (%s)", c.Name, v["memory"])
		base.Fix = []string{"raise `memory` of the task definition, or start fewer workers"}
		return candidate{Finding: base, rank: rankExitSaid}
	}
	rules := logRules
	if e.Service == "" {
		rules = taskLogRules()
	}
	found, at := inLines(rules, v, lines)
	if at >= 0 && believable(found, code) {
		found.Certain = found.Certain && final(lines, at)
		if tail := lastLines(lines, quotedLines); !slices.Contains(tail, lines[at]) {
			base.Evidence = append(base.Evidence, c.Name+" | "+lines[at])
		}
		return finish(found, rankExitSaid)
	}
	switch code {
	case 0:
		base.Code = "exited-zero"
		base.Title = fmt.Sprintf("%s ended by itself with exit code 0, but a service's container must keep running",
			c.Name)
		base.Fix = []string{"run the server in the foreground as the container's command",
			"if this container is meant to end, set `essential: false` in the task definition"}
		return candidate{Finding: base, rank: rankExit}
	case 137:
		base.Code, base.Fault = "killed", record.FaultUnclear
		base.Title = fmt.Sprintf("%s was killed (exit code 137, SIGKILL)", c.Name)
		base.Fix = []string{"most often it used more memory than the task has (" + v["memory"] +
			"): see MemoryUtilization in Container Insights",
			"or it ignored SIGTERM for longer than `stopTimeout` (30 s by default)"}
		return candidate{Finding: base, rank: rankExit}
	case 139:
		base.Code = "segmentation-fault"
		base.Title = fmt.Sprintf("%s crashed with a segmentation fault (exit code 139)", c.Name)
		base.Fix = []string{"a native library is at fault: compare the versions of libraries and of the base image with the last release " +
			"that worked"}
		return candidate{Finding: base, rank: rankExitSaid}
	case 143:
		base.Code, base.Fault = "terminated", record.FaultUnclear
		base.Title = fmt.Sprintf("%s was asked to stop and did (exit code 143, SIGTERM)", c.Name)
		base.Fix = []string{"it did not fail by itself: see in the service events who stopped the task"}
		return candidate{Finding: base, rank: rankExit}
	}
	words := lastWords(lines)
	base.Code = "app-exit"
	base.Title = fmt.Sprintf("%s exited with code %d", c.Name, code)
	base.Fix = []string{"try the image with the task's settings: `docker run --rm IMAGE`"}
	if e.Service == "" { // a migration needs its database: the image alone shows nothing
		base.Fix = []string{"the quoted lines are the command's own: mend what they name, and run it again"}
	}
	if words == "" {
		base.Fault = record.FaultUnclear
		if c.LogGroup != "" {
			base.Fix = []string{fmt.Sprintf("read its log: `aws logs tail %s --log-stream-names %s`", c.LogGroup,
				c.Stream)}
		}
		return candidate{Finding: base, rank: rankExit}
	}
	base.Title += ": " + brief(words)
	return candidate{Finding: base, rank: rankExitSaid}
}

// otherError is a line that may say another reason for the end than an earlier line did, and lastRites one with which a server only
// tells that it ends because of it.
var (
	otherError = lazyregexp.New(`(?i)\b(?:error|fail(?:ed|ure|s)?|exception|\w*(?:error|exception)\b|time(?:d[ -]?)?out|refused|reset by peer|` +
		`un(?:available|reachable|able)|not (?:available|ready)|cannot|could not|can't|giv(?:ing|e) up|denied|throttl\w+|exceeded|` +
		`starting up|no such host|panic|fatal|lost (?:the )?connection)`)
	lastRites = lazyregexp.New(`(?i)\bworker\b.*\b(?:exit\w*|failed to boot|boot)|shutting down|application startup failed|errors\.pydantic\.dev|` +
		`\bexit(?:ed|ing)?\b.*\b(?:code|status)\b|npm err|node\.js v|lifecycle script|command failed`)
)

// final reports whether a line is the last word on why the program ended: no later line tells of another error. What was logged and
// survived, an optional import that is missing, is not why a program ends that loses its database afterwards.
func final(lines []string, at int) bool {
	return !slices.ContainsFunc(lines[at+1:], func(line string) bool {
		return otherError.MatchString(line) && !lastRites.MatchString(line) && line != lines[at]
	})
}

// believable reports whether what a log line says can be why a container ended with this code. A container that was ended
// from outside may have logged any error before; one that was killed may have run out of memory.
func believable(found record.Finding, code int) bool {
	switch code {
	case 137:
		return found.Code == "out-of-memory"
	case 0, 139, 143:
		return false
	}
	return true
}

// culprit picks the container whose end ended the task. AWS does not say which ended first, but those that ECS stopped
// along with it show SIGTERM (143) or SIGKILL (137) or end cleanly (0).
func culprit(t Task) (Container, bool) {
	weight := func(c Container) int {
		if c.ExitCode == nil && !strings.HasPrefix(c.Reason, "OutOfMemory") {
			return 0
		}
		w := 2
		switch code := exitCode(c); {
		case strings.HasPrefix(c.Reason, "OutOfMemory"):
			w = 6
		case code == 137:
			w = 4
		case code == 143:
			w = 3
		case code != 0:
			w = 5
		}
		if !c.Sidecar {
			w += 10
		}
		return w
	}
	var best Container
	most := 0
	for _, c := range t.Containers {
		if w := weight(c); w > most {
			best, most = c, w
		}
	}
	return best, most > 0
}

// exitCode returns the container's exit code; one that was killed for memory and has none is counted as 137.
func exitCode(c Container) int {
	if c.ExitCode == nil {
		return 137
	}
	return *c.ExitCode
}

// exitQuotes quotes the stop reason, the container's own words and its last lines.
func exitQuotes(t Task, c Container, lines []string) []string {
	out := quotes(t.Reason)
	end := fmt.Sprintf("%s: exit code %d", c.Name, exitCode(c))
	if c.Reason != "" {
		end += ", " + Redact(Printable(c.Reason))
	}
	return append(append(out, end), prefixed(c.Name, lastLines(lines, quotedLines))...)
}

// unhealthyCause explains a running task whose checks fail.
func unhealthyCause(e Evidence, t Task) candidate {
	if t.Health == "UNHEALTHY" {
		return containerHealthCause(e, t, "")
	}
	for _, target := range e.Targets {
		if target.ID == t.IP && t.IP != "" && target.State == "unhealthy" {
			return targetCause(e, t, "")
		}
	}
	return candidate{}
}

// containerHealthCause explains a task whose container's own health check fails.
func containerHealthCause(e Evidence, t Task, quote string) candidate {
	c := mainContainer(t)
	for _, other := range t.Containers {
		if other.Health == "UNHEALTHY" {
			c = other
			break
		}
	}
	lines := RedactLines(c.Logs)
	cause := record.Finding{Code: "container-health-failed", Container: c.Name, Fault: record.FaultRelease, Task: t.ARN,
		Title:    fmt.Sprintf("the container health check of %s fails", c.Name),
		Evidence: append(quotes(quote), prefixed(c.Name, lastLines(lines, quotedLines))...),
		Fix: []string{"start the image and run the check beside it: `docker run -d --name app IMAGE`, then `docker exec app " +
			orElse(c.Check, "CHECK") +
			"`; slim images have no curl",
			"if the start takes long, raise `startPeriod` (up to 300 s) of the health check"},
	}
	if why, at := inLines(logRules, e.varsOf(t, c.Name), lines); at >= 0 {
		cause.Title += ": " + why.Title
		cause.Fix = append(why.Fix, cause.Fix...)
		cause.Fault = why.Fault
	}
	return candidate{Finding: cause, rank: rankUnhealthy}
}

// unhealthyEvent is what ECS says of a target that a load balancer finds unhealthy; before 2025 without the task.
var unhealthyEvent = lazyregexp.New(`(?:\(task (?P<task>[0-9a-f]+)\) )?(?:\(instance \S+\) )?\(port (?P<port>\d+)\) is unhealthy in ` +
	`\(target-group (?P<group>[^)]+)\) due to \(reason (?P<why>.*?)\.?\)`)

// targetCause explains a task that a load balancer finds unhealthy, from the target's own description or from the event
// that repeats it, and from what the program says of its address.
func targetCause(e Evidence, t Task, quote string) candidate {
	v := e.varsOf(t, "")
	why, words := "", quotes(quote)
	port := 0
	for _, target := range e.Targets {
		if target.ID != "" && target.ID == t.IP && target.State == "unhealthy" {
			why, port = target.Description, target.Port
			v["group"] = target.Group
			words = append(words, quotes(target.Reason+": "+target.Description)...)
			break
		}
	}
	for _, event := range e.Events {
		m := unhealthyEvent.FindStringSubmatch(event.Text)
		if m == nil || m[1] != "" && m[1] != t.ID() {
			continue
		}
		if why == "" {
			why = m[4]
			v["group"] = m[3]
			port, _ = strconv.Atoi(m[2])
		}
		words = append(words, quotes(event.Text)...)
		break
	}
	c := mainContainer(t)
	for _, other := range t.Containers {
		if slices.Contains(other.Ports, port) {
			c = other
		}
	}
	if port == 0 && len(c.Ports) > 0 {
		port = c.Ports[0]
	}
	v["container"], v["port"] = c.Name, strconv.Itoa(port)
	lines := RedactLines(c.Logs)
	tail := prefixed(c.Name, lastLines(lines, quotedLines))
	if !strings.Contains(why, "with these codes") {
		if cause, ok := wrongAddress(v, c, port); ok {
			for _, line := range tail {
				if line != cause.Evidence[0] {
					words = append(words, line)
				}
			}
			cause.Evidence = append(cause.Evidence, words...)
			cause.Task = t.ARN
			return candidate{Finding: cause, rank: rankUnhealthy}
		}
	}
	cause, ok := first(healthRules, v, why)
	if !ok {
		cause = record.Finding{Code: "elb-health-failed", Title: "the load balancer finds " + c.Name + " unhealthy",
			Fault: record.FaultUnclear,
			Fix:   []string{"see why: `aws elbv2 describe-target-health --target-group-arn " + v.expand("${group}") + "`"}}
	}
	explicit := cause.Certain // what the load balancer says of the path or the port needs no log line beside it
	cause.Certain = false     // and yet a health check that fails may pass: dependencies start, caches fill
	if said, at := inLines(logRules, v, lines); at >= 0 && !explicit {
		cause.Title += "; its log: " + said.Title
		cause.Fix = append(said.Fix, cause.Fix...)
		cause.Fault = said.Fault
	}
	cause.Container, cause.Task, cause.Evidence = c.Name, t.ARN, append(words, tail...)
	return candidate{Finding: cause, rank: rankUnhealthy}
}

// mainContainer returns the container that serves: the first essential one with a port, else the first essential one.
func mainContainer(t Task) Container {
	var best Container
	for _, c := range t.Containers {
		switch {
		case c.Sidecar:
		case best.Name == "", len(best.Ports) == 0 && len(c.Ports) > 0:
			best = c
		}
	}
	if best.Name == "" && len(t.Containers) > 0 {
		best = t.Containers[0]
	}
	if best.Name == "" {
		best.Name = "the task"
	}
	return best
}

// varsOf returns what templates may name for this task, and for its container of this name ("" for the main one).
func (e Evidence) varsOf(t Task, container string) vars {
	c := mainContainer(t)
	for _, other := range t.Containers {
		if other.Name == container {
			c = other
		}
	}
	v := vars{"cluster": arn.Last(e.Cluster), "service": e.Service, "family": arn.Family(e.TaskDefinition), "container": c.Name,
		"image":     c.Image,
		"log_group": c.LogGroup, "memory": "limit not known", "arch": orElse(c.Arch,
			"X86_64"), "platform_arch": "amd64", "capacity": "Fargate"}
	for _, other := range t.Containers {
		if v["log_group"] == "" {
			v["log_group"] = other.LogGroup
		}
	}
	if c.Memory > 0 {
		v["memory"] = fmt.Sprintf("limit %d MiB", c.Memory)
	}
	if c.Arch == "ARM64" {
		v["platform_arch"] = "arm64"
	}
	return v
}

// missingAdvice says what would have told more.
func missingAdvice(e Evidence) []string {
	var out []string
	for _, m := range e.Missing {
		out = append(out, "not read: "+Redact(Printable(m)))
	}
	return out
}

// quotes returns the redacted text as one quote, or none if it is empty.
func quotes(text string) []string {
	text = strings.TrimSpace(Redact(Printable(text)))
	if text == "" {
		return nil
	}
	return []string{text}
}

// prefixed writes lines as log quotes: "container | line".
func prefixed(container string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = container + " | " + line
	}
	return out
}

// brief returns the first line of text, redacted, cut to what fits a title.
func brief(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(Redact(Printable(text))), "\n")
	const most = 200
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
