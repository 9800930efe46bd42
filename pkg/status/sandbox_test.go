package status_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/alarm"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/status"
)

const fast = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2, v3]}\n"

// look looks with a new terminal, and holds that a look changes nothing.
func look(t *testing.T, s *sandboxtest.Site) (status.Outputs, string) {
	t.Helper()
	s.Fresh()
	before := len(s.Mutations())
	out, err := status.Run(t.Context(), s.Env, status.Inputs{Cluster: sandboxtest.Cluster, Service: sandboxtest.Service})
	if err != nil {
		t.Fatal(err)
	}
	if out.Outcome != action.Succeeded || len(s.Mutations()) != before {
		t.Errorf("outcome %s, changed by %v", out.Outcome, s.Mutations()[before:])
	}
	return out, s.Log.Summary()
}

// inEngine does what somebody else does to the service.
func inEngine(t *testing.T, s *sandboxtest.Site, do func(*engine.Engine, *engine.Service) error) {
	t.Helper()
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(sandboxtest.Cluster)
		if err == nil {
			err = do(e, c.Service(sandboxtest.Service))
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not told:\n%s", part, text)
		}
	}
}

func TestSteady(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		out, told := look(t, s)
		if out.State != status.Steady || out.Running != 2 || out.Desired != 2 || out.FailedTasks != 0 || out.Cause != "" || out.Hold != "" ||
			!strings.HasSuffix(out.TaskDefinitionARN, ":3") || !strings.HasSuffix(out.RollbackTarget, ":2") ||
			!strings.Contains(out.Image, "@sha256:") {
			t.Errorf("outputs %+v", out)
		}
		want(t, told, "is steady at connect2-api-dev:3", "2 of 2 tasks run", "would go to connect2-api-dev:2")
		if since, err := time.Parse(time.RFC3339, out.Since); err != nil || time.Since(since) <= 0 || string(out.Events) != "[]" ||
			out.Failure != nil || string(out.AlarmStates) != "[]" || !strings.Contains(out.Console, sandboxtest.Service) ||
			!strings.HasPrefix(out.Rollback, "would go to connect2-api-dev:2") {
			t.Errorf("outputs %+v", out)
		}
	})
}

// TestSchedules tells what runs the service's family at set times, and which of it runs an older revision.
func TestSchedules(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		s.PutRule("digest", sandboxtest.Family+":2")
		s.PutSchedule("report", sandboxtest.Family+":3")
		s.PutRule("other", "other:1")
		out, told := look(t, s)
		want(t, told, "rule:digest  connect2-api-dev:2: next run", "(not what the service runs)", "schedule:report  connect2-api-dev:3: next run")
		if list := string(out.Schedules); strings.Contains(list, "other") || !strings.Contains(list, `"serves":true`) ||
			!strings.Contains(list, `"serves":false`) {
			t.Errorf("outputs %s", list)
		}
	})
}

// TestAlarms tells what has gone off of the alarms of the service and of its environment, however many pages they fill, and what its
// deployments watch and is not there.
func TestAlarms(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		for i := range 130 {
			s.Sandbox.SetAlarm(fmt.Sprintf("connect2-api-alerts-dev-n%03d", i), "OK")
		}
		s.Sandbox.SetAlarm("connect2-api-alerts-prod-api-5xx", "ALARM")
		s.Sandbox.SetAlarm("of-another-team", "OK")
		s.Sandbox.SetAlarm("connect2-api-dev-001-cpu", "INSUFFICIENT_DATA")
		s.Sandbox.SetAlarm("connect2-api-alerts-dev-n129", "ALARM")
		inEngine(t, s, func(_ *engine.Engine, service *engine.Service) error {
			service.Config.Document["alarms"] = json.RawMessage(
				`{"alarmNames":["of-another-team","gone"],"enable":true,"rollback":true}`)
			return nil
		})
		time.Sleep(3 * time.Minute)
		out, told := look(t, s)
		want(t, told, "1 of 133 went off, 1 without data, 1 missing; its deployments watch of-another-team, gone",
			"connect2-api-alerts-dev-n129  ALARM for 3m: set in the sandbox", "gone  missing: the service's deployments watch it")
		var states []operate.Alarm
		if err := json.Unmarshal(out.AlarmStates, &states); err != nil {
			t.Fatal(err)
		}
		watched := operate.Alarm{}
		for _, a := range states {
			if a.Name == "of-another-team" {
				watched = a
			}
		}
		if len(states) != 133 || states[0].Name != "connect2-api-alerts-dev-n129" || states[0].Since.IsZero() || states[1].Name != "gone" ||
			!states[1].Watched || !watched.Watched || watched.State != alarm.OK || strings.Contains(string(out.AlarmStates), "-prod-") {
			t.Errorf("%d: %s", len(states), out.AlarmStates)
		}
	})
}

// TestAlarmsUnread says that the alarms were not read, and tells the rest.
func TestAlarmsUnread(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		forbidden, err := policy.Parse([]byte(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"Deny","Resource":"*","Action":"cloudwatch:DescribeAlarms"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Sandbox.SetPolicy("operator", &sandbox.Policy{Policy: forbidden}); err != nil {
			t.Fatal(err)
		}
		inEngine(t, s, func(_ *engine.Engine, service *engine.Service) error {
			service.Config.Document["alarms"] = json.RawMessage(`{"alarmNames":["one"],"enable":true,"rollback":true}`)
			return nil
		})
		out, told := look(t, s)
		want(t, told, "not read; its deployments watch one", "is steady at")
		if out.AlarmStates != nil || len(out.Alarms) != 1 || !slices.ContainsFunc(s.Log.Warnings(), func(w string) bool {
			return strings.Contains(w, "cloudwatch:DescribeAlarms")
		}) {
			t.Errorf("outputs %s, %v; warnings %v", out.AlarmStates, out.Alarms, s.Log.Warnings())
		}
	})
}

func TestHold(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		inEngine(t, s, func(_ *engine.Engine, service *engine.Service) error {
			service.Tags = []engine.Tag{{Key: "connect2:hold", Value: "sha256:" + strings.Repeat("a", 64)},
				{Key: "connect2:rollback-reason", Value: "orders fail"}}
			return nil
		})
		out, told := look(t, s)
		if !strings.HasPrefix(out.Hold, "sha256:aa") {
			t.Errorf("outputs %+v", out)
		}
		want(t, told, out.Hold, "orders fail")
		want(t, out.HoldReason, "orders fail")
		if !strings.HasPrefix(out.HoldReason, "since the rollback") {
			t.Errorf("hold-reason: %q", out.HoldReason)
		}
	})
}

// TestFailingTasks looks at a service whose tasks begin to fail long after it was deployed: there is no deployment to blame, and
// no run that explains it.
func TestFailingTasks(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		crash, err := engine.ParseBehaviour([]byte(`{start: crash, after: 2s, exitCode: 3, logs: ["KeyError: 'DATABASE_URL'"]}`))
		if err != nil {
			t.Fatal(err)
		}
		s.Sandbox.SetBehaviour(sandboxtest.Repository+":v3", crash)
		inEngine(t, s, func(e *engine.Engine, _ *engine.Service) error {
			c, err := e.Cluster(sandboxtest.Cluster)
			if err != nil {
				return err
			}
			for _, task := range slices.Clone(c.Tasks) {
				e.StopTask(task, "somebody's wish")
			}
			return nil
		})
		time.Sleep(5 * time.Minute)
		out, told := look(t, s)
		if out.State != status.Degraded || out.Running == 2 || out.FailedTasks == 0 || out.Cause == "" {
			t.Errorf("outputs %+v", out)
		}
		want(t, told, "us-west-2.console.aws.amazon.com/ecs/v2/clusters/"+sandboxtest.Cluster+"/tasks/", "#logsV2:log-groups/log-group/",
			"#TargetGroup:targetGroupArn=arn:aws:elasticloadbalancing:us-west-2:")
		want(t, string(out.Failure), `"cause":"`+out.Cause, "DATABASE_URL", "failed within the last hour", `"fix":["`)
		if string(out.Events) == "[]" {
			t.Error("no events")
		}
		want(t, told, "is degraded", "failed within the last hour", "DATABASE_URL", "What ECS said last")
	})
}

func TestDeploying(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		slow, err := engine.ParseBehaviour([]byte(`{start: slow, healthyAfter: 10m}`))
		if err != nil {
			t.Fatal(err)
		}
		s.Sandbox.SetBehaviour(sandboxtest.Repository+":v1", slow)
		inEngine(t, s, func(e *engine.Engine, service *engine.Service) error {
			return e.UpdateService(service, engine.ServiceChange{TaskDefinition: sandboxtest.Family + ":1"})
		})
		time.Sleep(30 * time.Second)
		out, told := look(t, s)
		if out.State != status.Deploying || out.DeploymentARN == "" || !strings.HasSuffix(out.TaskDefinitionARN, ":1") {
			t.Errorf("outputs %+v", out)
		}
		want(t, told, "connect2-api-dev:1 is being deployed", "would stop that deployment", "in progress")
	})
}

func TestMisspelt(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		_, err := status.Run(t.Context(), s.Env, status.Inputs{Cluster: sandboxtest.Cluster, Service: "connect2-api-servce-dev"})
		if action.OutcomeOf(err) != action.Invalid || !strings.Contains(err.Error(), `no service "connect2-api-servce-dev"`) {
			t.Errorf("got %v", err)
		}
	})
}
