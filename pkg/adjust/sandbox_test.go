package adjust_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/adjust"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const world = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2, v3]}\n"

// call runs a command on the sandbox's service, and returns its exit code, what it printed and what it told.
func call(t *testing.T, s *sandboxtest.Site, a *action.Action, args ...string) (code int, stdout, told string) {
	t.Helper()
	s.Fresh()
	var out, errs bytes.Buffer
	env := *s.Env
	env.Stdout = nil
	given := append(args, "--cluster="+sandboxtest.Cluster, "--service="+sandboxtest.Service)
	code = run.Command(t.Context(), a, given, &out, io.Discard, &env)
	errs.WriteString(s.Log.Text())
	return code, out.String(), errs.String()
}

func TestHistoryAndDiff(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		code, out, told := call(t, s, adjust.History)
		if code != 0 || strings.Count(out, "successful") != 3 || !strings.Contains(out, "connect2-api-dev:3") {
			t.Errorf("exit %d\n%s%s", code, out, told)
		}
		if _, out, _ := call(t, s, adjust.History, "-n", "1"); strings.Count(out, "\n") != 2 || !strings.Contains(out, ":3") {
			t.Errorf("the newest alone:\n%s", out)
		}
		if _, out, _ := call(t, s, adjust.Diff, "2"); !strings.Contains(out, "from connect2-api-dev:2 to connect2-api-dev:3\n") ||
			!strings.Contains(out, "~ containerDefinitions[connect2-api].image") {
			t.Errorf("got %s", out)
		}
		if _, out, _ := call(t, s, adjust.Diff, "2", "connect2-api-dev:2"); !strings.Contains(out, "nothing differs") {
			t.Errorf("got %s", out)
		}
		if code, _, told := call(t, s, adjust.Diff, "9"); code != 1 || !strings.Contains(told, "connect2-api-dev:9") {
			t.Errorf("exit %d: %s", code, told)
		}
		if got := s.Mutations(); len(got) != 0 {
			t.Errorf("changed by %v", got)
		}
	})
}

func TestRestart(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		if code, _, told := call(t, s, adjust.Restart); code != 0 {
			t.Errorf("exit %d: %s", code, told)
		}
		if name, running := s.Primary(); name != "connect2-api-dev:3" || running != 2 {
			t.Errorf("%s with %d tasks", name, running)
		}
		if got := s.Mutations(); !slices.Equal(got, []string{"ecs:UpdateService"}) {
			t.Errorf("changed by %v", got)
		}
		if code, _, told := call(t, s, adjust.Scale, "0"); code != 0 {
			t.Errorf("exit %d: %s", code, told)
		}
		if code, _, told := call(t, s, adjust.Restart); code != 1 || !strings.Contains(told, "is to have no tasks") {
			t.Errorf("exit %d: %s", code, told)
		}
	})
}

func TestScale(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		for _, step := range []struct {
			args []string
			code int
			told string
		}{
			{[]string{"4"}, 0, "is to have 4 tasks, and had 2"},
			{[]string{"4"}, 0, "has 4 tasks already"},
			{[]string{"1"}, 0, "is to have 1 task, and had 4"},
			{[]string{"many"}, 1, `N: "many": want a whole number from 0 to 5000`},
			{nil, 1, "--tasks is required"},
		} {
			if code, _, told := call(t, s, adjust.Scale, step.args...); code != step.code || !strings.Contains(told, step.told) {
				t.Errorf("scale %q: exit %d: %s", step.args, code, told)
			}
		}
		if _, running := s.Primary(); running != 1 {
			t.Errorf("%d tasks run", running)
		}
	})
}

// TestHold reads what the commands wrote as every deployment reads it.
func TestHold(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		refused := func() string {
			var tags []types.Tag
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, err := e.Cluster(sandboxtest.Cluster)
				if err != nil {
					t.Fatal(err)
				}
				for _, tag := range c.Service(sandboxtest.Service).Tags {
					tags = append(tags, types.Tag{Key: &tag.Key, Value: &tag.Value})
				}
			})
			if err := hold.Of(types.Service{Tags: tags}).Refuse(sandboxtest.Service, ""); err != nil {
				return err.Error()
			}
			return ""
		}
		if code, _, told := call(t, s, adjust.Hold, "--reason=incident 42"); code != 0 || !strings.Contains(told, "on hold: incident 42") {
			t.Errorf("exit %d: %s", code, told)
		}
		if got := refused(); !strings.Contains(got, "every release of "+sandboxtest.Service+" is on hold: incident 42") {
			t.Errorf("refused with %q", got)
		}
		if code, _, told := call(t, s, adjust.ReleaseHold); code != 0 || !strings.Contains(told, "can be released again; on hold was: all") {
			t.Errorf("exit %d: %s", code, told)
		}
		if got := refused(); got != "" {
			t.Errorf("refused with %q", got)
		}
		if code, _, told := call(t, s, adjust.ReleaseHold, "--json"); code != 0 || !strings.Contains(told, "nothing of "+sandboxtest.Service) {
			t.Errorf("exit %d: %s", code, told)
		}
		if code, _, told := call(t, s, adjust.Hold); code != 1 || !strings.Contains(told, "--reason is required") {
			t.Errorf("exit %d: %s", code, told)
		}
	})
}

func TestOpen(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		const base = "https://us-west-2.console.aws.amazon.com/"
		for thing, want := range map[string]string{
			"service": base + "ecs/v2/clusters/connect2-api-cluster-dev/services/connect2-api-service-dev/health",
			"task":    base + "ecs/v2/clusters/connect2-api-cluster-dev/tasks/",
			"log":     base + "cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/",
			"targets": base + "ec2/home?region=us-west-2#TargetGroup:targetGroupArn=",
		} {
			if code, out, told := call(t, s, adjust.Open, thing); code != 0 || !strings.HasPrefix(out, want) {
				t.Errorf("%s: exit %d: %s%s", thing, code, out, told)
			}
		}
		if code, _, told := call(t, s, adjust.Open, "targts"); code != 1 || !strings.Contains(told, "did you mean targets?") {
			t.Errorf("exit %d: %s", code, told)
		}
		if code, _, told := call(t, s, adjust.Open, "task", "--task=zz"); code != 1 || !strings.Contains(told, `there is no task "zz"`) {
			t.Errorf("exit %d: %s", code, told)
		}
	})
}

// TestRefusalsChangeNothing: what is refused is refused before the first call that changes anything, with what was in the way.
func TestRefusalsChangeNothing(t *testing.T) {
	const scaled, deny = "scaling: {min: 2, max: 4}\n", "faults: [{action: \"%s\", answer: deny}]\n"
	for _, test := range []struct {
		name, world string
		before      func(*sandboxtest.Site)
		action      *action.Action
		args        []string
		told        string
	}{
		{"scale what a target owns", scaled, nil, adjust.Scale, []string{"6"}, "--min-capacity 6 --max-capacity 6"},
		{"scale what a target owns to what it has", scaled, nil, adjust.Scale, []string{"2"}, "scales by itself from 2 to 4 tasks"},
		{"scale without knowing", strings.Replace(deny, "%s", "application-autoscaling:DescribeScalableTargets", 1), nil, adjust.Scale,
			[]string{"3"}, "whether a scalable target owns the number of tasks"},
		{"scale a part of a task", "", nil, adjust.Scale, []string{"1.5"}, "want a whole number from 0 to 5000"},
		{"scale to less than none", "", nil, adjust.Scale, []string{"-1"}, ""},
		{"restart while one is under way", "", func(s *sandboxtest.Site) {
			s.Sandbox.Inspect(func(e *engine.Engine) {
				c, err := e.Cluster(sandboxtest.Cluster)
				if err == nil {
					err = e.UpdateService(c.Service(sandboxtest.Service), engine.ServiceChange{TaskDefinition: "connect2-api-dev:2"})
				}
				if err != nil {
					s.T.Error(err)
				}
			})
		}, adjust.Restart, nil, "is being deployed to"},
		{"restart in too little time", "", nil, adjust.Restart, []string{"--timeout=1s"}, "timeout"},
		{"restart what cannot be read", strings.Replace(deny, "%s", "ecs:DescribeServices", 1), nil, adjust.Restart, nil, "ecs:DescribeServices"},
		{"hold without a reason", "", nil, adjust.Hold, nil, "reason"},
		{"hold what cannot be read", strings.Replace(deny, "%s", "ecs:DescribeServices", 1), nil, adjust.Hold, []string{"--reason=x"},
			"ecs:DescribeServices"},
		{"release what cannot be read", strings.Replace(deny, "%s", "ecs:DescribeServices", 1), nil, adjust.ReleaseHold, nil,
			"ecs:DescribeServices"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sandboxtest.Run(t, world+test.world, func(t *testing.T, s *sandboxtest.Site) {
				if test.before != nil {
					test.before(s)
				}
				s.Sandbox.ResetJournal()
				code, _, told := call(t, s, test.action, test.args...)
				if code != action.Invalid.ExitCode() || !strings.Contains(told, test.told) {
					t.Errorf("exit %d, %s\nwant a refusal with %q", code, told, test.told)
				}
				if got := s.Mutations(); len(got) != 0 {
					t.Errorf("changed by %v", got)
				}
			})
		})
	}
}
