package iamtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// need is a permission that a run asked for, in terms of placeholders.
type need struct{ action, resource, conditions string }

// observed maps what the runs asked for to the scenarios that did, in the scenarios' order.
type observed map[need][]scenario

// add takes note of what a scenario asked for.
func (o observed) add(st scenario, r told) {
	for _, a := range r.allowed() {
		n := need{action: a.Action, resource: st.general(a.Resource)}
		n.conditions = conditionsOf(&n, st, a.Conditions)
		if users := o[n]; len(users) == 0 || users[len(users)-1].name != st.name {
			o[n] = append(users, st)
		}
	}
}

// sorted returns what was asked for, in a fixed order.
func (o observed) sorted() []need {
	return slices.SortedFunc(maps.Keys(o), func(a, b need) int {
		return cmp.Or(cmp.Compare(a.action, b.action), cmp.Compare(a.resource, b.resource), cmp.Compare(a.conditions, b.conditions))
	})
}

// names maps what the world is made of to placeholders.
func (st scenario) names() []string {
	return []string{
		account, "{account}", region, "{region}", "arn:aws:", "arn:{partition}:", cluster, "{cluster}", service, "{service}", family, "{name}",
		st.pushes(), "{repository}", otherSource, "{source-repository}", logGroup, "{log-group}", execution,
		"{execution-role}", ruleRole, "{rule-role}", scheduleRole, "{schedule-role}", timer, "{schedule}",
		taskRole, "{task-role}", secretsFolder, "{secrets}",
	}
}

// pushes returns the repository that the scenario is about.
func (st scenario) pushes() string {
	if st.repository != "" {
		return st.repository
	}
	return repository
}

// parts of ARNs that are another in each run.
var changing = []*regexp.Regexp{
	regexp.MustCompile(`(:task-definition/[^:]+:)\d+$`),
	regexp.MustCompile(`(:task/[^/]+/)[^/]+$`),
	regexp.MustCompile(`(:service-(?:deployment|revision)/[^/]+/[^/]+/)[^/]+$`),
	regexp.MustCompile(`(:log-stream:).+$`),
	regexp.MustCompile(`(:certificate/).+$`),
	regexp.MustCompile(`(:hostedzone/).+$`),
	regexp.MustCompile(`(:secret:[^:]+/).+$`),
}

// general puts placeholders into an ARN.
func (st scenario) general(resource string) string {
	for _, part := range changing {
		resource = part.ReplaceAllString(resource, "${1}*")
	}
	return strings.NewReplacer(st.names()...).Replace(resource)
}

// fill puts the world's names in the place of a policy's placeholders.
func (st scenario) fill(document string) string {
	names := st.names()
	slices.Reverse(names)
	return strings.NewReplacer(names...).Replace(document)
}

// operators of the conditions that the policies may have.
var operators = map[string]string{"ecs:cluster": "ArnEquals", "ecs:CreateAction": "StringEquals", "iam:PassedToService": "StringEquals"}

// conditionsOf returns the policy's Condition as JSON, "" for none. Where the resource names the cluster already, a condition
// on it would say nothing more. ListTasks is asked of container instances, in a form that AWS has told as an ARN and as "*"
// (https://github.com/cdklabs/construct-hub/pull/1207): there the condition alone narrows it to the cluster.
func conditionsOf(n *need, st scenario, values map[string]string) string {
	if n.action == "ecs:ListTasks" {
		n.resource = "*"
	}
	conditions := map[string]map[string]string{}
	for key, value := range values {
		operator, known := operators[key]
		if !known {
			panic(fmt.Sprintf("%s: condition %s has no operator", n.action, key))
		}
		if key == "ecs:cluster" && strings.Contains(n.resource, "{cluster}") {
			continue
		}
		if conditions[operator] == nil {
			conditions[operator] = map[string]string{}
		}
		conditions[operator][key] = st.general(value)
	}
	if len(conditions) == 0 {
		return ""
	}
	text, err := json.Marshal(conditions)
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return string(text)
}

// policyStatement is a statement as IAM takes it.
type policyStatement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition json.RawMessage `json:",omitempty"`
}

// document makes the policy of the statements from what was observed. It reports what is asked for and in no statement, and
// what is in a statement and was never asked for.
func document(statements []statement, seen observed) (text string, problems []string) {
	placed := map[need]bool{}
	var rendered []policyStatement
	for _, st := range statements {
		out := policyStatement{Sid: st.sid, Effect: "Allow"}
		for _, g := range st.actions {
			found := false
			for _, n := range seen.sorted() {
				if g.action != n.action || !strings.Contains(n.resource, g.on) || isLeftOut(n) {
					continue
				}
				if len(out.Resource) > 0 && string(out.Condition) != n.conditions {
					problems = append(problems, fmt.Sprintf("%s: %s needs other conditions than the rest of it: %q, not %q", st.sid, g.action,
						n.conditions, out.Condition))
				}
				found, placed[n] = true, true
				out.Condition = json.RawMessage(n.conditions)
				if !slices.Contains(out.Resource, n.resource) {
					out.Resource = append(out.Resource, n.resource)
				}
			}
			if !found {
				problems = append(problems, fmt.Sprintf("%s lists %s %s, which no run asked for", st.sid, g.action, g.on))
			}
			out.Action = append(out.Action, g.action)
		}
		if len(out.Resource) > 1 && slices.Contains(out.Resource, "*") {
			problems = append(problems, fmt.Sprintf("%s is for everything, since * stands beside %v: make it two statements", st.sid, out.Resource))
		}
		slices.Sort(out.Action)
		slices.Sort(out.Resource)
		rendered = append(rendered, out)
	}
	for n, users := range seen {
		if !placed[n] && !isLeftOut(n) {
			problems = append(problems, fmt.Sprintf("%s on %s was asked for (%s) and is in no statement", n.action, n.resource, users[0].name))
		}
	}
	slices.Sort(problems)
	return encode(rendered), problems
}

func isLeftOut(n need) bool {
	return slices.ContainsFunc(leftOut, func(g grant) bool { return g.action == n.action && strings.HasSuffix(n.resource, g.on) })
}

func encode(statements []policyStatement) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Version   string
		Statement []policyStatement
	}{"2012-10-17", statements})
	if err != nil {
		panic(err) // strings and their lists always marshal
	}
	return b.String()
}

// without returns the statements less one action of one of them.
func without(statements []statement, sid string, g grant) []statement {
	var rest []statement
	for _, st := range statements {
		if st.sid == sid {
			st.actions = slices.DeleteFunc(slices.Clone(st.actions), func(other grant) bool { return other == g })
		}
		if len(st.actions) > 0 {
			rest = append(rest, st)
		}
	}
	return rest
}

// users returns the scenarios that asked for the grant.
func (o observed) users(scenarios []scenario, g grant) (found []scenario) {
	for _, st := range scenarios {
		for n, users := range o {
			asked := slices.ContainsFunc(users, func(other scenario) bool { return other.name == st.name })
			if asked && n.action == g.action && strings.Contains(n.resource, g.on) && !isLeftOut(n) {
				found = append(found, st)
				break
			}
		}
	}
	return found
}
