package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsview"
)

func task(id string, at time.Duration) ecsview.Task {
	return ecsview.Task{ARN: "arn:aws:ecs:us-west-2:123456789012:task/api/" + id, CreatedAt: time.Unix(0, 0).Add(at)}
}

func TestShortIDs(t *testing.T) {
	for name, test := range map[string]struct{ ids, want []string }{
		"none":                     {nil, nil},
		"eight characters do":      {[]string{"0123456789abcdef", "fedcba9876543210"}, []string{"01234567", "fedcba98"}},
		"as many as it takes":      {[]string{"0123456789abcdef", "0123456789abcdee"}, []string{"0123456789abcdef", "0123456789abcdee"}},
		"nine, for two of three":   {[]string{"012345678x", "012345679x", "x"}, []string{"012345678", "012345679", "x"}},
		"one begins as the other":  {[]string{"0123456789", "012345678"}, []string{"0123456789", "012345678"}},
		"shorter than eight":       {[]string{"0123"}, []string{"0123"}},
		"eight that are all of it": {[]string{"01234567"}, []string{"01234567"}},
	} {
		t.Run(name, func(t *testing.T) {
			var tasks []ecsview.Task
			for _, id := range test.ids {
				tasks = append(tasks, task(id, 0))
			}
			short := ShortIDs(tasks)
			for i, each := range tasks {
				if got := short[each.ARN]; got != test.want[i] {
					t.Errorf("%s: %s, want %s", each.ID(), got, test.want[i])
				}
			}
			if len(short) != len(test.want) {
				t.Errorf("got %v", short)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	tasks := []ecsview.Task{task("0123456789abcdef", 0), task("0123456999999999", 0), task("fedcba9876543210", 0)}
	for _, test := range []struct {
		written, want, problem string
		tasks                  []ecsview.Task
	}{
		{written: "fed", want: "fedcba9876543210", tasks: tasks},
		{written: "fedcba9876543210", want: "fedcba9876543210", tasks: tasks},
		{written: tasks[0].ARN, want: "0123456789abcdef", tasks: tasks},
		{written: "01234567", want: "0123456789abcdef", tasks: tasks},
		{written: "012345", problem: `2 tasks begin with "012345": write more of the id`, tasks: tasks},
		{written: "abc", problem: `there is no task "abc": there are 01234567, 01234569, fedcba98`, tasks: tasks},
		{written: "fedcba98765432100", problem: "there is no task", tasks: tasks},
		{written: "abc", problem: `there is no task "abc": the service has none`},
	} {
		got, err := Named(test.tasks, test.written)
		switch {
		case test.problem == "" && (err != nil || got.ID() != test.want):
			t.Errorf("%q: %s, %v, want %s", test.written, got.ID(), err, test.want)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%q: %s, %v, want %q", test.written, got.ID(), err, test.problem)
		}
	}
}

// targets answers for scalable targets, and keeps what it was asked.
type targets struct {
	found string // of the answer
	err   error
	asked []string
}

func (s *targets) call(_ context.Context, operation string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var asked struct {
		ServiceNamespace, ScalableDimension string
		ResourceIds                         []string
	}
	if err := json.Unmarshal(raw, &asked); err != nil {
		return err
	}
	s.asked = append(s.asked, asked.ResourceIds...)
	if operation != "DescribeScalableTargets" || asked.ServiceNamespace != "ecs" || asked.ScalableDimension != "ecs:service:DesiredCount" {
		return errors.New("asked for other things than the tasks of a service")
	}
	if s.err != nil {
		return s.err
	}
	return json.Unmarshal([]byte(`{"ScalableTargets": [`+s.found+`]}`), out)
}

func TestLimitsOf(t *testing.T) {
	const service = "arn:aws:ecs:us-west-2:123456789012:service/cluster/api"
	denied := errors.New("denied")
	for name, test := range map[string]struct {
		arn   string
		has   targets
		want  *Limits
		asked string
		err   error
	}{
		"two to four": {service, targets{found: `{"MinCapacity": 2, "MaxCapacity": 4}`},
			&Limits{2, 4}, "service/cluster/api", nil},
		"nothing scales it":             {service, targets{}, nil, "service/cluster/api", nil},
		"it may not be read":            {service, targets{err: denied}, nil, "service/cluster/api", denied},
		"the old format has no cluster": {"arn:aws:ecs:us-west-2:123456789012:service/api", targets{}, nil, "", nil},
		"a name alone":                  {"api", targets{}, nil, "", nil},
		"limits that are left out":      {service, targets{found: `{}`}, &Limits{}, "service/cluster/api", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := LimitsOf(t.Context(), test.has.call, test.arn)
			if !errors.Is(err, test.err) || (got == nil) != (test.want == nil) || got != nil && *got != *test.want {
				t.Errorf("%v, %v, want %v, %v", got, err, test.want, test.err)
			}
			if err != nil && !strings.Contains(err.Error(), "service/cluster/api") {
				t.Errorf("%v does not name the service", err)
			}
			if asked := strings.Join(test.has.asked, " "); asked != test.asked {
				t.Errorf("asked for %q, want %q", asked, test.asked)
			}
		})
	}
}

// cluster answers for tasks.
type cluster struct {
	tasks    []types.Task
	list     error
	describe error
}

func (c cluster) ListTasks(_ context.Context, in *ecs.ListTasksInput, _ ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	out := &ecs.ListTasksOutput{}
	if in.DesiredStatus != types.DesiredStatusRunning {
		return nil, errors.New("asked for tasks that are to stop")
	}
	for _, t := range c.tasks {
		out.TaskArns = append(out.TaskArns, *t.TaskArn)
	}
	return out, c.list
}

func (c cluster) DescribeTasks(context.Context, *ecs.DescribeTasksInput, ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return &ecs.DescribeTasksOutput{Tasks: c.tasks}, c.describe
}

func TestTasks(t *testing.T) {
	of := func(id string, at int64) types.Task {
		return types.Task{TaskArn: aws.String("arn:aws:ecs:us-west-2:1:task/c/" + id), CreatedAt: aws.Time(time.Unix(at, 0)),
			DesiredStatus: aws.String("RUNNING"), LastStatus: aws.String("RUNNING")}
	}
	got, err := Tasks(t.Context(), cluster{tasks: []types.Task{of("c", 2), of("b", 1), of("a", 2)}}, "c", "s")
	var ids []string
	for _, each := range got {
		ids = append(ids, each.ID())
	}
	if order := strings.Join(ids, " "); err != nil || order != "b a c" {
		t.Errorf("%s, %v: want the oldest first, and those of one moment by their ids", order, err)
	}
	denied := errors.New("denied")
	for _, c := range []cluster{{list: denied}, {tasks: []types.Task{of("a", 1)}, describe: denied}} {
		if _, err := Tasks(t.Context(), c, "c", "s"); !errors.Is(err, denied) {
			t.Errorf("%v, want what came back", err)
		}
	}
}

func TestPaint(t *testing.T) {
	for _, test := range []struct {
		colours    bool
		text, want string
	}{{true, "ok", "\x1b[32mok\x1b[0m"}, {true, "", ""}, {false, "ok", "ok"}} {
		if got := Paint(action.Screen{Colours: test.colours}, Good, test.text); got != test.want {
			t.Errorf("%v %q: %q, want %q", test.colours, test.text, got, test.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 tasks", 1: "1 task", 2: "2 tasks"} {
		if got := Count(n, "task"); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	if got := string(JSON(map[string]int{"a": 1})); got != `{"a":1}` {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("what has no form in JSON was taken")
		}
	}()
	JSON(func() {})
}

func TestOut(t *testing.T) {
	var screen bytes.Buffer
	if got := Out(&action.Env{Stdout: &screen}); got != &screen {
		t.Error("at a terminal a report goes elsewhere than to standard output")
	}
	if _, err := Out(&action.Env{}).Write([]byte("x")); err != nil {
		t.Errorf("where nobody reads: %v", err)
	}
	env := &action.Env{Stdout: &screen, GitHub: action.GitHub{Actor: "ana"}}
	if got := Out(env); got == &screen {
		t.Error("in a step of a workflow a report goes to standard output, where a line of it could be a command")
	}
}
