package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Lifecycle stages of blue/green, linear and canary deployments, in their order. RECONCILE_SERVICE is gone through only where a
// deployment begins while more than one revision has tasks (API reference, ServiceDeployment.lifecycleStage).
const (
	Reconcile           = "RECONCILE_SERVICE"
	PreScaleUp          = "PRE_SCALE_UP"
	ScaleUp             = "SCALE_UP"
	PostScaleUp         = "POST_SCALE_UP"
	TestTraffic         = "TEST_TRAFFIC_SHIFT"
	PostTestTraffic     = "POST_TEST_TRAFFIC_SHIFT"
	ProductionTraffic   = "PRODUCTION_TRAFFIC_SHIFT"
	PostProduction      = "POST_PRODUCTION_TRAFFIC_SHIFT"
	BakeTime            = "BAKE_TIME"
	CleanUp             = "CLEAN_UP"
	hookAwaits          = "AWAITING_ACTION"
	hookSucceeded       = "SUCCEEDED"
	hookFailed          = "FAILED"
	hookTimedOut        = "TIMED_OUT"
	strategyRolling     = "ROLLING"
	strategyBlueGreen   = "BLUE_GREEN"
	strategyLinear      = "LINEAR"
	strategyCanary      = "CANARY"
	defaultHookTimeout  = 1440 // minutes
	stageTransition     = 5 * time.Second
	trafficShiftTakes   = 15 * time.Second // a guess that fits the one measured total
	missingAdvanced     = "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy"
	continueRefusedOver = "Continuing a service deployment is not allowed for service deployment in terminal states."
	hookUnknown         = "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN"
)

var stageOrder = []string{PreScaleUp, ScaleUp, PostScaleUp, TestTraffic, PostTestTraffic, ProductionTraffic,
	PostProduction, BakeTime, CleanUp}

// Strategy is how a deployment takes over, as far as it is not ROLLING.
type Strategy struct {
	Name   string
	Hooks  []PauseHook
	Linear struct {
		Percent *float64 `json:"stepPercent"`
		Bake    *int     `json:"stepBakeTimeInMinutes"`
	}
	Canary struct {
		Percent *float64 `json:"canaryPercent"`
		Bake    *int     `json:"canaryBakeTimeInMinutes"`
	}
}

// PauseHook is a lifecycle hook that waits for somebody's word.
type PauseHook struct {
	TargetType string   `json:"targetType"`
	Stages     []string `json:"lifecycleStages"`
	Timeout    struct {
		Minutes int    `json:"timeoutInMinutes"`
		Action  string `json:"action"` // ROLLBACK unless given
	} `json:"timeoutConfiguration"`
}

// Hook is a pause hook of a running stage.
type Hook struct {
	ID      string
	Status  string
	Expires time.Time
	Action  string // at the timeout
	stage   string
}

// rolling says whether the deployment replaces tasks one by one, without stages.
func (s Strategy) rolling() bool { return s.Name == "" || s.Name == strategyRolling }

// readStrategy takes the strategy's members out of a deploymentConfiguration.
func readStrategy(document map[string]json.RawMessage) (Strategy, error) {
	var s Strategy
	for name, field := range map[string]any{
		"strategy": &s.Name, "lifecycleHooks": &s.Hooks, "linearConfiguration": &s.Linear, "canaryConfiguration": &s.Canary,
	} {
		if err := decodeMember(document, name, field); err != nil {
			return s, err
		}
	}
	if !s.rolling() && !slices.Contains([]string{strategyBlueGreen, strategyLinear, strategyCanary}, s.Name) {
		return s, invalid("Invalid deployment strategy: " + s.Name) // unconfirmed
	}
	for _, hook := range s.Hooks {
		switch hook.TargetType {
		case "PAUSE":
		case "AWS_LAMBDA", "":
			return s, notModelled("lifecycle hooks that call Lambda functions")
		default:
			return s, invalid("Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE")
		}
		for _, stage := range hook.Stages {
			if !slices.Contains(stageOrder, stage) || stage == TestTraffic || stage == ProductionTraffic {
				return s, invalid("Invalid lifecycle stage provided for Pause Hook")
			}
		}
	}
	return s, nil
}

// steps are the shares of production traffic that the new revision gets one after the other, and how long each lasts
// before the next. The last is always 100. The defaults, and the least step of 3 per cent, are the API model's.
func (s Strategy) steps() (weights []float64, pause time.Duration) {
	number := func(v *float64, otherwise float64) float64 {
		if v != nil {
			return *v
		}
		return otherwise
	}
	minutes := func(v *int, otherwise int) time.Duration { return seconds(v, otherwise) * 60 }
	switch s.Name {
	case strategyLinear:
		step := math.Max(number(s.Linear.Percent, 10), 3)
		for w := step; w < 100; w += step {
			weights = append(weights, w)
		}
		pause = minutes(s.Linear.Bake, 6)
	case strategyCanary:
		weights, pause = []float64{number(s.Canary.Percent, 5)}, minutes(s.Canary.Bake, 10)
	}
	return append(weights, 100), pause
}

// staged returns the primary's rollout if it goes through stages and is under way.
func (s *Service) staged() *ServiceDeployment {
	d := s.primary()
	if d == nil || d.State != InProgress || d.Rollout.deployment != d || d.Rollout.Over() || d.Rollout.back != nil ||
		d.Rollout.Config.Strategy.rolling() {
		return nil
	}
	return d.Rollout
}

// source returns the deployment that a new one is set beside: the one that production traffic goes to. The developer guide does not say
// which one stays where a deployment is superseded in mid-way (unconfirmed).
func (s *Service) source() *Deployment {
	if s.serving != nil && slices.Contains(s.Deployments, s.serving) {
		return s.serving
	}
	return s.primary()
}

// reconciling says whether revisions have tasks that a new deployment takes away before it begins (API reference,
// ServiceDeployment.lifecycleStage).
func (s *Service) reconciling() bool {
	return slices.ContainsFunc(s.Deployments, func(d *Deployment) bool { return d.leaving })
}

// beside says whether old and new tasks are to run side by side, until the old ones are taken away at the end (developer guide,
// blue-green-deployment-how-it-works).
func (s *Service) beside() bool {
	r := s.staged()
	return r != nil && r.Stage != CleanUp
}

// advance moves a staged deployment on, when its stage has nothing more to wait for, in the order of the developer guide
// (blue-green-deployment-how-it-works); linear and canary ones go through the two production stages once for each step.
func (s *Service) advance() {
	e, r := s.engine, s.staged()
	if r == nil || e.now.Before(r.deployment.notBefore) && r.Stage == "" || e.now.Before(r.stageUntil) || r.paused() || r.Stage == CleanUp {
		return
	}
	if r.Stage == ScaleUp && s.healthyTasks(r.deployment) < s.Desired {
		return
	}
	if r.Stage == Reconcile && s.reconciling() {
		return
	}
	weights, pause := r.Config.Strategy.steps()
	next := stageOrder[slices.Index(stageOrder, r.Stage)+1]
	wait := stageTransition
	switch {
	case r.Stage == "" && s.reconciling():
		next = Reconcile
		s.wake(0)
	case r.Stage == PostProduction && r.step+1 < len(weights):
		r.step++
		next, wait = ProductionTraffic, trafficShiftTakes
	case next == TestTraffic:
		wait = trafficShiftTakes
	case next == PostTestTraffic:
		r.TestWeight = 100
	case next == ProductionTraffic:
		wait = trafficShiftTakes
	case next == PostProduction:
		if r.Weight = weights[r.step]; r.Weight == 100 {
			s.serving = r.deployment
		}
		if r.step+1 < len(weights) {
			wait = pause
		}
	case next == BakeTime:
		wait = time.Duration(r.Config.Bake) * time.Minute
	}
	r.Stage, r.UpdatedAt, r.stageUntil = next, e.now, e.now.Add(wait)
	s.pause(r)
	s.wake(wait)
}

// paused says whether a hook of the stage still waits.
func (d *ServiceDeployment) paused() bool {
	return slices.ContainsFunc(d.Hooks, func(h *Hook) bool { return h.stage == d.Stage && h.Status == hookAwaits })
}

// pause opens the stage's hooks; each closes by ContinueServiceDeployment or by its timeout, a day unless it says otherwise, which rolls
// back unless it says CONTINUE (developer guide, pause-lifecycle-hooks).
func (s *Service) pause(r *ServiceDeployment) {
	e := s.engine
	for _, hook := range r.Config.Strategy.Hooks {
		if !slices.Contains(hook.Stages, r.Stage) {
			continue
		}
		timeout := hook.Timeout.Minutes
		if timeout == 0 {
			timeout = defaultHookTimeout
		}
		h := &Hook{ID: "ecs-pause-" + e.ids.pick(43, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"), Status: hookAwaits,
			Expires: e.now.Add(time.Duration(timeout) * time.Minute), Action: hook.Timeout.Action, stage: r.Stage}
		if h.Action == "" {
			h.Action = "ROLLBACK"
		}
		r.Hooks = append(r.Hooks, h)
		e.until(h.Expires, func() {
			if h.Status == hookAwaits && s.staged() == r {
				s.answer(r, h, hookTimedOut, h.Action, fmt.Sprintf("Service deployment rolled back because %s pause hook timed out.", h.stage))
			}
		})
	}
}

// answer closes a hook and goes on, or back: one that rolls back decides for all of its stage (developer guide,
// deployment-lifecycle-hooks).
func (s *Service) answer(r *ServiceDeployment, h *Hook, status, action, reason string) {
	h.Status = status
	if action == "ROLLBACK" {
		s.fail(failure{event: reason, state: "ECS deployment failed.", reason: reason, rollback: true}) // state unconfirmed
		return
	}
	s.wake(0)
}

// ContinueServiceDeployment answers a pause hook: "CONTINUE" (or "") or "ROLLBACK".
func (e *Engine) ContinueServiceDeployment(d *ServiceDeployment, hookID, action string) error {
	if d.Over() {
		return invalid(continueRefusedOver)
	}
	for _, h := range d.Hooks {
		if h.ID != hookID || h.Status != hookAwaits || d.Service.staged() != d {
			continue
		}
		switch action {
		case "", "CONTINUE":
			d.Service.answer(d, h, hookSucceeded, "CONTINUE", "")
		case "ROLLBACK":
			reason := fmt.Sprintf("Service deployment rolled back because %s pause hook was rejected.", h.stage) // unconfirmed
			d.Service.answer(d, h, hookFailed, "ROLLBACK", reason)
		default:
			return invalid("Invalid action. Valid values are: CONTINUE, ROLLBACK") // unconfirmed
		}
		return nil
	}
	return invalid(hookUnknown)
}
