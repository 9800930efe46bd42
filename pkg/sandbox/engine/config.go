package engine

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// DeploymentConfiguration is a service's deploymentConfiguration: what the engine acts on, and the document.
type DeploymentConfiguration struct {
	Maximum  int // maximumPercent
	Minimum  int // minimumHealthyPercent
	Breaker  CircuitBreaker
	Alarms   Alarms
	Bake     int // bakeTimeInMinutes, of deployments with alarms
	Strategy Strategy
	Document map[string]json.RawMessage // all members, known or not
}

// CircuitBreaker is a deploymentCircuitBreaker. The fields beyond Enable and Rollback are of July 2026 (developer guide,
// deployment-circuit-breaker).
type CircuitBreaker struct {
	Enable             bool  `json:"enable"`
	Rollback           bool  `json:"rollback"`
	ResetOnHealthyTask *bool `json:"resetOnHealthyTask"` // default true
	Threshold          *struct {
		Type  string `json:"type"` // BOUNDED_PERCENT, UNBOUNDED_PERCENT, COUNT
		Value int    `json:"value"`
	} `json:"thresholdConfiguration"`
}

// Alarms are the CloudWatch alarms that fail a deployment.
type Alarms struct {
	Names    []string `json:"alarmNames"`
	Rollback bool     `json:"rollback"`
	Enable   bool     `json:"enable"`
}

func defaultConfiguration() DeploymentConfiguration {
	return DeploymentConfiguration{Maximum: 200, Minimum: 100, Document: map[string]json.RawMessage{
		"deploymentCircuitBreaker": json.RawMessage(`{"enable":false,"rollback":false}`),
		"maximumPercent":           json.RawMessage("200"), "minimumHealthyPercent": json.RawMessage("100"),
		"strategy": json.RawMessage(`"ROLLING"`), "bakeTimeInMinutes": json.RawMessage("0"),
	}}
}

// with returns the configuration with the members that are given in place of its own. That members which an update
// leaves out keep their values is unconfirmed.
func (c DeploymentConfiguration) with(members map[string]json.RawMessage) (DeploymentConfiguration, error) {
	if len(members) == 0 {
		return c, nil
	}
	out := DeploymentConfiguration{Maximum: c.Maximum, Minimum: c.Minimum, Document: clone(c.Document)}
	for name, member := range members {
		if !isNull(member) {
			out.Document[name] = member
		}
	}
	for name, field := range map[string]any{
		"maximumPercent": &out.Maximum, "minimumHealthyPercent": &out.Minimum, "deploymentCircuitBreaker": &out.Breaker,
		"alarms": &out.Alarms, "bakeTimeInMinutes": &out.Bake,
	} {
		if err := decodeMember(out.Document, name, field); err != nil {
			return c, err
		}
	}
	strategy, err := readStrategy(out.Document)
	if err != nil {
		return c, err
	}
	out.Strategy = strategy
	if out.Minimum < 0 || out.Maximum < 0 || out.Maximum == 0 && out.Minimum == 0 {
		return c, invalid("maximumPercent and minimumHealthyPercent cannot both be 0.") // unconfirmed
	}
	if t := out.Breaker.Threshold; t != nil {
		percent := t.Type == "" || t.Type == "BOUNDED_PERCENT" || t.Type == "UNBOUNDED_PERCENT"
		if !percent && t.Type != "COUNT" {
			return c, invalid("thresholdConfiguration type is invalid.") // unconfirmed
		}
		if t.Value < 0 || percent && t.Value > 100 {
			return c, invalid("thresholdConfiguration value is out of range.") // unconfirmed
		}
	}
	return out, nil
}

// resets says whether a healthy task sets the breaker's count to 0.
func (b CircuitBreaker) resets() bool { return b.ResetOnHealthyTask == nil || *b.ResetOnHealthyTask }

// ThresholdFor is the number of failures that trips the breaker at a desired count: half of it, at least 3 and at most 200, unless the
// service says otherwise (developer guide, deployment-circuit-breaker). Percentages are rounded up; that UNBOUNDED_PERCENT is, and that it
// never falls below 1, is unconfirmed.
func (b CircuitBreaker) ThresholdFor(desired int) int {
	kind, value := "BOUNDED_PERCENT", 50
	if b.Threshold != nil {
		if b.Threshold.Type != "" {
			kind = b.Threshold.Type
		}
		if b.Threshold.Value > 0 {
			value = b.Threshold.Value
		}
	}
	percent := (desired*value + 99) / 100
	switch kind {
	case "COUNT":
		return value
	case "UNBOUNDED_PERCENT":
		return max(percent, 1)
	default:
		return min(max(percent, 3), 200)
	}
}

// bounds are the fewest healthy and the most running and pending tasks that a desired count allows: the one is rounded up, the other
// down (developer guide, deployment-type-ecs).
func (c DeploymentConfiguration) bounds(desired int) (lower, upper int) {
	lower = int(math.Ceil(float64(desired*c.Minimum) / 100))
	return lower, desired * c.Maximum / 100
}

// bake is how long a fully replaced deployment with alarms waits before it completes. Without bakeTimeInMinutes ECS
// chooses "less than 5 minutes" (developer guide, deployment-alarm-failure); 4 is a guess within that (unconfirmed).
func (c DeploymentConfiguration) bake() time.Duration {
	switch {
	case !c.Strategy.rolling(): // has a stage for it
		return 0
	case !c.Alarms.Enable || len(c.Alarms.Names) == 0:
		return 0
	case c.Bake > 0:
		return time.Duration(c.Bake) * time.Minute
	default:
		return 4 * time.Minute
	}
}

func (a Alarms) watches(name string) bool { return a.Enable && slices.Contains(a.Names, name) }
