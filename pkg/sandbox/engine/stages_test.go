package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stages follows a staged deployment: seconds since the update, stage, production weight, and the tasks of both sides.
func (w *world) stages(s *Service, begin time.Time, until time.Duration) []string {
	var out []string
	last := ""
	r := s.History[len(s.History)-1]
	for {
		at, ok := w.Next()
		if !ok || at.Sub(begin) > until {
			w.Advance(begin.Add(until))
			return out
		}
		w.Advance(at)
		if now := fmt.Sprintf("%s %g %s", r.Stage, r.Weight, r.Status); now != last {
			last = now
			var counts []string
			for _, d := range s.Deployments {
				counts = append(counts, fmt.Sprint(s.DeploymentCounts(d).Running))
			}
			out = append(out, fmt.Sprintf("%.0f %s %s", at.Sub(begin).Seconds(), now, strings.Join(counts, "+")))
		}
	}
}

func (w *world) staged(config string) (*Service, time.Time) {
	w.t.Helper()
	s := w.service(settings{desired: 2})
	w.pass(10 * time.Minute)
	w.knows(s)
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(config), &members); err != nil {
		w.t.Fatal(err)
	}
	begin := w.Now()
	w.update(s, ServiceChange{TaskDefinition: w.define("v2", ""), DeploymentConfiguration: members})
	return s, begin
}

func TestStages(t *testing.T) {
	for config, want := range map[string][]string{
		`{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2}`: {
			"2  0 IN_PROGRESS 0+2", "15 PRE_SCALE_UP 0 IN_PROGRESS 0+2", "20 SCALE_UP 0 IN_PROGRESS 0+2", "99 POST_SCALE_UP 0 IN_PROGRESS 2+2",
			"104 TEST_TRAFFIC_SHIFT 0 IN_PROGRESS 2+2", "119 POST_TEST_TRAFFIC_SHIFT 0 IN_PROGRESS 2+2",
			"124 PRODUCTION_TRAFFIC_SHIFT 0 IN_PROGRESS 2+2",
			"139 POST_PRODUCTION_TRAFFIC_SHIFT 100 IN_PROGRESS 2+2", "144 BAKE_TIME 100 IN_PROGRESS 2+2", "264 CLEAN_UP 100 IN_PROGRESS 2+2",
			"286 CLEAN_UP 100 SUCCESSFUL 2",
		},
		`{"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 20, "canaryBakeTimeInMinutes": 1}}`: {
			"2  0 IN_PROGRESS 0+2", "15 PRE_SCALE_UP 0 IN_PROGRESS 0+2", "20 SCALE_UP 0 IN_PROGRESS 0+2", "99 POST_SCALE_UP 0 IN_PROGRESS 2+2",
			"104 TEST_TRAFFIC_SHIFT 0 IN_PROGRESS 2+2", "119 POST_TEST_TRAFFIC_SHIFT 0 IN_PROGRESS 2+2",
			"124 PRODUCTION_TRAFFIC_SHIFT 0 IN_PROGRESS 2+2",
			"139 POST_PRODUCTION_TRAFFIC_SHIFT 20 IN_PROGRESS 2+2", "199 PRODUCTION_TRAFFIC_SHIFT 20 IN_PROGRESS 2+2",
			"214 POST_PRODUCTION_TRAFFIC_SHIFT 100 IN_PROGRESS 2+2", "219 CLEAN_UP 100 IN_PROGRESS 2+2",
			"241 CLEAN_UP 100 SUCCESSFUL 2",
		},
	} {
		w := newWorld(t, nil)
		s, begin := w.staged(config)
		if diff := cmp.Diff(want, w.stages(s, begin, 20*time.Minute)); diff != "" {
			t.Errorf("%s\n%s", config, diff)
		}
	}
}

// TestStagesSuperseded begins a deployment while another goes through its stages: it first takes away the revision that has no
// production traffic, and is set beside the other one.
func TestStagesSuperseded(t *testing.T) {
	const config = `{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 2}`
	for _, test := range []struct {
		name  string
		after time.Duration
		gone  int // the version that is taken away: 1 or 2
	}{
		{"before its tasks run", 30 * time.Second, 2},
		{"before its traffic is shifted", 130 * time.Second, 2},
		{"while it bakes", 200 * time.Second, 1},
	} {
		w := newWorld(t, nil)
		s, begin := w.staged(config)
		w.Advance(begin.Add(test.after))
		first, second := s.Deployments[1], s.Deployments[0]
		gone, stays := second, first
		if test.gone == 1 {
			gone, stays = first, second
		}
		old := s.History[1]
		begin = w.Now()
		w.update(s, ServiceChange{TaskDefinition: w.define("v3", "")})
		var seen []string
		for _, line := range w.stages(s, begin, 20*time.Minute) {
			seen = append(seen, strings.Fields(line)[1])
			if strings.Contains(line, PreScaleUp) && slices.Contains(s.Deployments, gone) {
				t.Errorf("%s: %s, and %s is there still", test.name, line, gone.ID)
			}
		}
		r := s.History[2]
		if r.Status != RolloutSuccessful || old.Status != RolloutStopped || !slices.Contains(seen, Reconcile) ||
			slices.Index(seen, Reconcile) > slices.Index(seen, PreScaleUp) {
			t.Errorf("%s: %s, the one before %s, through %v", test.name, r.Status, old.Status, seen)
		}
		if len(s.Deployments) != 1 || s.Deployments[0] != r.deployment || s.Counts().Running != 2 ||
			r.deployment.alternate == stays.alternate {
			t.Errorf("%s: %s", test.name, w.list(s))
		}
	}
}

func TestLinearSteps(t *testing.T) {
	var s Strategy
	s.Name = strategyLinear
	s.Linear.Percent = new(40.0)
	if weights, pause := s.steps(); fmt.Sprint(weights, pause) != "[40 80 100] 6m0s" {
		t.Error(weights, pause)
	}
}

// TestPause answers, refuses and forgets a pause hook.
func TestPause(t *testing.T) {
	const config = `{"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"],
		"timeoutConfiguration": {"timeoutInMinutes": 30}}]}`
	for action, want := range map[string]struct{ status, reason string }{
		"CONTINUE": {RolloutSuccessful, ""},
		"ROLLBACK": {RolloutRollbackSuccessful, "Service deployment rolled back because POST_SCALE_UP pause hook was rejected."},
		"nothing":  {RolloutRollbackSuccessful, "Service deployment rolled back because POST_SCALE_UP pause hook timed out."},
	} {
		w := newWorld(t, nil)
		s, _ := w.staged(config)
		r := s.History[1]
		w.pass(10 * time.Minute)
		if r.Stage != PostScaleUp || len(r.Hooks) != 1 || r.Hooks[0].Status != hookAwaits || s.Counts().Running != 4 {
			t.Fatalf("%s: stage %s, hooks %v, %+v", action, r.Stage, r.Hooks, s.Counts())
		}
		if action != "nothing" {
			if err := w.ContinueServiceDeployment(r, r.Hooks[0].ID, action); err != nil {
				t.Error(err)
			}
		}
		w.pass(time.Hour)
		if r.Status != want.status || r.StatusReason != want.reason || s.Counts().Running != 2 || len(s.Deployments) != 1 {
			t.Errorf("%s: %s %q, %s", action, r.Status, r.StatusReason, w.list(s))
		}
		if err := w.ContinueServiceDeployment(r, r.Hooks[0].ID, ""); err == nil {
			t.Error("a hook of what is over was answered")
		}
	}
}

// TestBlueGreenTargets serves two releases from the two target groups in turn; a third one fails and is rolled back.
func TestBlueGreenTargets(t *testing.T) {
	const other = targetGroup + "0"
	w := newWorld(t, func(_ *Options, p *ports) { p.others = map[string]bool{other: true} })
	s := w.service(settings{desired: 1, targets: true, breaker: rollbackBreaker})
	w.pass(10 * time.Minute)
	blueGreen := map[string]json.RawMessage{"strategy": json.RawMessage(`"BLUE_GREEN"`)}
	if err := w.UpdateService(s, ServiceChange{TaskDefinition: w.define("v2", ""), DeploymentConfiguration: blueGreen}); err == nil ||
		err.Error() != "InvalidParameterException: "+missingAdvanced {
		t.Error(err)
	}
	balancers := json.RawMessage(`[{"targetGroupArn": "` + targetGroup + `", "containerName": "app", "containerPort": 8000,
		"advancedConfiguration": {"alternateTargetGroupArn": "` + other + `"}}]`)
	var groups []string
	w.SetBehaviour("v4", Behaviour{Start: Crash})
	for _, tag := range []string{"v2", "v3", "v4"} {
		w.update(s, ServiceChange{TaskDefinition: w.define(tag, ""), DeploymentConfiguration: blueGreen, LoadBalancers: balancers})
		w.pass(time.Hour)
		for _, task := range s.Tasks() {
			if task.DesiredStatus == Running {
				groups = append(groups, task.targets[0].group[len(targetGroup):]+" "+s.History[len(s.History)-1].Status)
			}
		}
	}
	if got := strings.Join(groups, ", "); got != "0 SUCCESSFUL,  SUCCESSFUL,  ROLLBACK_SUCCESSFUL" {
		t.Errorf("the releases were served from %s", got)
	}
}
