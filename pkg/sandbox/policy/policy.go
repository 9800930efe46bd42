// Package policy evaluates identity-based IAM policies in the measure that the sandbox needs: Allow and Deny, wildcards
// in Action, NotAction, Resource and NotResource, the string conditions, Bool and Null, and the set operators. The order
// of evaluation is that of the IAM user guide ("Policy evaluation logic"): an explicit deny wins, then an allow, and what
// nothing allows is denied.
package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Policy is one or more policy documents in force together. A nil *Policy allows everything.
type Policy struct {
	statements []statement
	withheld   []string // action patterns that no statement can allow
}

// Without returns the policy less the actions that match the patterns: nothing allows them any more.
func (p *Policy) Without(actions ...string) *Policy {
	c := &Policy{withheld: actions}
	if p == nil {
		c.statements = []statement{{actions: []string{"*"}, resources: []string{"*"}}}
		return c
	}
	c.statements, c.withheld = p.statements, append(slices.Clone(p.withheld), actions...)
	return c
}

type statement struct {
	sid                    string
	deny                   bool
	actions, notActions    []string
	resources, notResource []string
	conditions             []condition
}

type condition struct {
	operator string
	key      string
	values   []string
}

// Decision is the outcome of an evaluation.
type Decision int

// The three outcomes that IAM knows.
const (
	ImplicitDeny Decision = iota // nothing allows it
	ExplicitDeny                 // a Deny statement matches
	Allowed
)

// String is the spelling of IAM's policy simulator.
func (d Decision) String() string {
	return [...]string{"implicitDeny", "explicitDeny", "allowed"}[d]
}

// Because is the last part of AWS's denial message; it is empty for Allowed. Wording: IAM user guide, "Troubleshoot
// access denied error messages".
func (d Decision) Because(action string) string {
	switch d {
	case ImplicitDeny:
		return fmt.Sprintf("because no identity-based policy allows the %s action", action)
	case ExplicitDeny:
		return "with an explicit deny in an identity-based policy"
	default:
		return ""
	}
}

// operators are the condition operators that are modelled; each says whether the value in the request satisfies the
// policy's value.
var operators = map[string]func(have, want string) bool{
	"StringEquals":           func(have, want string) bool { return have == want },
	"StringEqualsIgnoreCase": strings.EqualFold,
	"StringLike":             Match,
	"ArnEquals":              Match,
	"ArnLike":                Match,
	"Bool":                   strings.EqualFold,
}

// negated are the operators that hold when no value matches, a missing key included.
var negated = map[string]string{"StringNotEquals": "StringEquals", "StringNotLike": "StringLike",
	"ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike"}

// Parse reads JSON policy documents. Anything that the evaluator does not model (another condition operator, a
// principal) is an error, since passing over it would change what the policy means.
func Parse(documents ...[]byte) (*Policy, error) {
	p := &Policy{}
	for _, document := range documents {
		var raw struct {
			Version   string
			ID        string `json:"Id"`
			Statement oneOrMany[rawStatement]
		}
		if err := json.Unmarshal(document, &raw); err != nil {
			return nil, fmt.Errorf("IAM policy is not valid JSON of the policy grammar: %w", err)
		}
		for i, s := range raw.Statement {
			parsed, err := s.parse()
			if err != nil {
				return nil, fmt.Errorf("IAM policy, statement %d (%s): %w", i+1, s.Sid, err)
			}
			p.statements = append(p.statements, parsed)
		}
	}
	return p, nil
}

// Evaluate decides whether the policies allow action on resource when the request's condition keys have these values.
func (p *Policy) Evaluate(action, resource string, context map[string]string) Decision {
	values := make(map[string][]string, len(context))
	for key, value := range context {
		values[key] = []string{value}
	}
	return p.Decide(action, resource, values)
}

// Decide is Evaluate for condition keys that have several values at once, such as aws:TagKeys.
func (p *Policy) Decide(action, resource string, context map[string][]string) Decision {
	if p == nil {
		return Allowed
	}
	decision := ImplicitDeny
	for _, s := range p.statements {
		switch {
		case !s.matches(action, resource, context):
		case s.deny:
			return ExplicitDeny
		default:
			decision = Allowed
		}
	}
	if slices.ContainsFunc(p.withheld, func(pattern string) bool { return Match(strings.ToLower(action), strings.ToLower(pattern)) }) {
		return ImplicitDeny
	}
	return decision
}

func (s statement) matches(action, resource string, context map[string][]string) bool {
	matchAction := func(pattern string) bool { return Match(strings.ToLower(action), strings.ToLower(pattern)) }
	matchResource := func(pattern string) bool { return Match(resource, pattern) }
	if s.actions != nil && !slices.ContainsFunc(s.actions, matchAction) ||
		slices.ContainsFunc(s.notActions, matchAction) ||
		s.resources != nil && !slices.ContainsFunc(s.resources, matchResource) ||
		slices.ContainsFunc(s.notResource, matchResource) {
		return false
	}
	return !slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(context) })
}

// holds says whether the condition is met, as the IAM user guide has it: a key of one value is compared with any of the
// policy's; ForAllValues is met by a key that is not there, ForAnyValue is not.
func (c condition) holds(context map[string][]string) bool {
	operator, ifExists := strings.CutSuffix(c.operator, "IfExists")
	have, present := lookup(context, c.key)
	if operator == "Null" {
		return slices.Contains(c.values, strconv.FormatBool(!present))
	}
	if !present && ifExists {
		return true
	}
	set, name, isSet := strings.Cut(operator, ":")
	if !isSet {
		set, name = "", operator
	}
	meets := func(value string) bool {
		if positive, ok := negated[name]; ok {
			return !slices.ContainsFunc(c.values, func(want string) bool { return operators[positive](value, want) })
		}
		return slices.ContainsFunc(c.values, func(want string) bool { return operators[name](value, want) })
	}
	switch {
	case set == "ForAllValues":
		return !slices.ContainsFunc(have, func(value string) bool { return !meets(value) })
	case set == "" && negated[name] != "":
		return !present || !slices.ContainsFunc(have, func(value string) bool { return !meets(value) })
	default:
		return slices.ContainsFunc(have, meets)
	}
}

// lookup finds a condition key; IAM compares their names without case.
func lookup(context map[string][]string, key string) ([]string, bool) {
	for k, v := range context {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return nil, false
}

// Match compares text with a pattern in which * stands for any run of characters and ? for one.
func Match(text, pattern string) bool {
	t, p := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

type rawStatement struct {
	Sid          string
	Effect       string
	Action       oneOrMany[string]
	NotAction    oneOrMany[string]
	Resource     oneOrMany[string]
	NotResource  oneOrMany[string]
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Condition    map[string]map[string]oneOrMany[string]
}

func (r rawStatement) parse() (statement, error) {
	s := statement{sid: r.Sid, actions: r.Action, notActions: r.NotAction, resources: r.Resource, notResource: r.NotResource}
	switch {
	case r.Effect != "Allow" && r.Effect != "Deny":
		return s, fmt.Errorf("effect %q is neither Allow nor Deny", r.Effect)
	case (r.Action == nil) == (r.NotAction == nil):
		return s, fmt.Errorf("exactly one of Action and NotAction is required")
	case (r.Resource == nil) == (r.NotResource == nil):
		return s, fmt.Errorf("exactly one of Resource and NotResource is required")
	case r.Principal != nil || r.NotPrincipal != nil:
		return s, fmt.Errorf("identity-based policies have no Principal")
	}
	s.deny = r.Effect == "Deny"
	for operator, keys := range r.Condition {
		base := strings.TrimSuffix(operator, "IfExists")
		for _, set := range []string{"ForAllValues:", "ForAnyValue:"} {
			base = strings.TrimPrefix(base, set)
		}
		if operators[base] == nil && negated[base] == "" && operator != "Null" {
			return s, fmt.Errorf("condition operator %q is not modelled by the sandbox", operator)
		}
		for key, values := range keys {
			s.conditions = append(s.conditions, condition{operator: operator, key: key, values: values})
		}
	}
	return s, nil
}

// oneOrMany reads what the policy grammar lets be one value or a list of them.
type oneOrMany[T any] []T

func (o *oneOrMany[T]) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]T)(o))
	}
	var one T
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*o = oneOrMany[T]{one}
	return nil
}
