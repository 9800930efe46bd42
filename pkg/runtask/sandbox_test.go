package runtask_test

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/runtask"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const running = `{run: {"python": {after: 5s, logs: ["sent 3 digests"]}, "false": {after: 1s, exitCode: 7, logs: ["no such table"]}, ` +
	`"sleep": {after: 1h}}}`

func inputs(command string) runtask.Inputs {
	return runtask.Inputs{Cluster: sandboxtest.Cluster, Service: sandboxtest.Service, Command: command, Count: 1, StartedBy: "test",
		Timeout: 10 * time.Minute}
}

// tasks returns what a test has started.
func tasks(t *testing.T, s *sandboxtest.Site) (found []*engine.Task) {
	t.Helper()
	s.Sandbox.Inspect(func(e *engine.Engine) {
		c, err := e.Cluster(sandboxtest.Cluster)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range c.Tasks {
			if task.StartedBy == "test" {
				found = append(found, task)
			}
		}
	})
	return found
}

func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*runtask.Inputs)
		want   action.Outcome
		exit   int // -1: none
		tasks  int
		told   []string
		check  func(t *testing.T, task *engine.Task)
	}{
		"the service's own": {nil, action.Succeeded, 0, 1, []string{"sent 3 digests"}, func(t *testing.T, task *engine.Task) {
			if task.Interface.Subnet == "" || task.Group != "family:"+sandboxtest.Family {
				t.Errorf("it runs in %q as %s", task.Interface.Subnet, task.Group)
			}
		}},
		"a family, with what is overridden": {func(in *runtask.Inputs) {
			in.Service, in.TaskDefinition, in.LaunchType = "", sandboxtest.Family+":1", "FARGATE"
			in.Subnets, in.SecurityGroups = []string{"subnet-0a1b2c3d4e5f60001"}, []string{"sg-0a1b2c3d4e5f60001"}
			in.Environment, in.CPU, in.Memory = map[string]string{"DRY": "1"}, "512", "2048"
			in.Tags = map[string]string{"team": "a"}
		}, action.Succeeded, 0, 1, nil, func(t *testing.T, task *engine.Task) {
			raw := string(task.OverridesRaw)
			for _, want := range []string{`"cpu":"512"`, `"memory":"2048"`, `"name":"DRY"`, `"command":["python","-m","app.digest"]`} {
				if !strings.Contains(raw, want) {
					t.Errorf("%s lacks %s", raw, want)
				}
			}
			if len(task.Tags) != 1 || task.Interface.Subnet != "subnet-0a1b2c3d4e5f60001" {
				t.Errorf("tags %v in %s", task.Tags, task.Interface.Subnet)
			}
		}},
		"several":       {func(in *runtask.Inputs) { in.Count = 3 }, action.Succeeded, 0, 3, []string{"connect2-api 3"}, nil},
		"another code":  {func(in *runtask.Inputs) { in.Command = "false" }, action.Failed, 7, 1, []string{"no such table"}, nil},
		"two of them":   {func(in *runtask.Inputs) { in.Command, in.Count = "false", 2 }, action.Failed, 7, 2, nil, nil},
		"too long":      {func(in *runtask.Inputs) { in.Command, in.Timeout = "sleep", time.Minute }, action.TimedOut, -1, 1, nil, nil},
		"a dry run":     {func(in *runtask.Inputs) { in.DryRun = true }, action.Succeeded, -1, 0, []string{"would run"}, nil},
		"no service":    {func(in *runtask.Inputs) { in.Service = "none" }, action.Invalid, -1, 0, nil, nil},
		"no definition": {func(in *runtask.Inputs) { in.TaskDefinition = "none" }, action.Invalid, -1, 0, nil, nil},
		"no container":  {func(in *runtask.Inputs) { in.Container = "none" }, action.Invalid, -1, 0, nil, nil},
		"no network":    {func(in *runtask.Inputs) { in.Service, in.TaskDefinition = "", sandboxtest.Family }, action.Invalid, -1, 0, nil, nil},
		"no such volume": {func(in *runtask.Inputs) {
			in.VolumeName, in.Volume = "data", `{"roleArn": "arn:aws:iam::123456789012:role/ebs", "sizeInGiB": 10}`
		}, action.Invalid, -1, 0, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sandboxtest.Run(t, "", func(t *testing.T, s *sandboxtest.Site) {
				b, err := engine.ParseBehaviour([]byte(running))
				if err != nil {
					t.Fatal(err)
				}
				s.Sandbox.SetBehaviour("*", b)
				in := inputs("python -m app.digest")
				if tt.change != nil {
					tt.change(&in)
				}
				if problems := in.Validate(); len(problems) > 0 {
					t.Fatal(problems)
				}
				before := len(s.Mutations())
				out, err := runtask.Run(t.Context(), s.Env, in)
				outcome := out.Outcome
				if err != nil {
					outcome = action.OutcomeOf(err)
				}
				code := 0
				if outcome == action.Failed {
					code = tt.exit
				}
				if got := action.VerdictOf("run-task", outcome, err).Exit; got != code {
					t.Errorf("the process ends with %d, want %d", got, code)
				}
				if outcome != tt.want {
					t.Errorf("outcome %s, want %s: %v", outcome, tt.want, err)
				}
				if tt.exit >= 0 && (out.ExitCode == nil || *out.ExitCode != tt.exit) || len(out.TaskARNs) != tt.tasks {
					t.Errorf("outputs %+v", out)
				}
				for _, want := range tt.told {
					if !strings.Contains(s.Log.Text(), want) {
						t.Errorf("%q is not told:\n%s", want, s.Log.Text())
					}
				}
				started := tasks(t, s)
				if len(started) != tt.tasks || tt.tasks == 0 && len(s.Mutations()) != before {
					t.Errorf("%d tasks were started", len(started))
				}
				if tt.check != nil && len(started) > 0 {
					tt.check(t, started[0])
				}
			})
		})
	}
}

// TestValidate has a row for each condition that flips it alone.
// TestVolumes: the volume that a task definition leaves to the launch is configured by the inputs, or by the service, and by nothing else.
func TestVolumes(t *testing.T) {
	const ebs = `{"roleArn": "arn:aws:iam::123456789012:role/ebs", "sizeInGiB": 10}`
	leave := func(volumes string) func(t *testing.T, s *sandboxtest.Site) string {
		return func(t *testing.T, s *sandboxtest.Site) (arn string) {
			s.Sandbox.Inspect(func(e *engine.Engine) {
				td, err := e.RegisterTaskDefinition([]byte(`{"family":"report","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],`+
					`"cpu":"256","memory":"512","volumes":`+volumes+`,"containerDefinitions":[{"name":"report","image":"`+
					sandboxtest.Family+`:v1"}]}`), "somebody")
				if err != nil {
					t.Fatal(err)
				}
				arn = td.ARN
			})
			return arn
		}
	}
	atLaunch, plain := leave(`[{"name":"data","configuredAtLaunch":true}]`), leave(`[{"name":"data"}]`)
	for name, tt := range map[string]struct {
		definition func(*testing.T, *sandboxtest.Site) string
		name       string // of the volume that is configured
		service    string // what the service configures
		told       string // the refusal; empty: it is run
	}{
		"configured":                      {atLaunch, "data", "", ""},
		"not configured":                  {atLaunch, "", "", "the volume data of report:1 is configured at launch: say how"},
		"another name":                    {atLaunch, "dat", "", `managed-ebs-volume-name: report:1: there is no volume "dat"; did you mean data?`},
		"not left to the start":           {plain, "data", "", "volume data is not marked configuredAtLaunch"},
		"by the service":                  {atLaunch, "", "data", ""},
		"the service's of another family": {plain, "", "other", ""},
		"the service's of another name":   {atLaunch, "", "other", "the volume data of report:1 is configured at launch"},
	} {
		t.Run(name, func(t *testing.T) {
			sandboxtest.Run(t, "", func(t *testing.T, s *sandboxtest.Site) {
				in := inputs("")
				in.TaskDefinition = tt.definition(t, s)
				if tt.name != "" {
					in.VolumeName, in.Volume = tt.name, ebs
				}
				if tt.service != "" {
					s.Sandbox.Inspect(func(e *engine.Engine) {
						c, err := e.Cluster(sandboxtest.Cluster)
						if err == nil {
							err = e.UpdateService(c.Service(sandboxtest.Service), engine.ServiceChange{
								VolumeConfigurations: []byte(`[{"name":"` + tt.service + `","managedEBSVolume":` + ebs + `}]`)})
						}
						if err != nil {
							t.Fatal(err)
						}
					})
				}
				_, err := runtask.Run(t.Context(), s.Env, in)
				if tt.told == "" && (err != nil || len(tasks(t, s)) != 1) {
					t.Errorf("%d tasks, %v", len(tasks(t, s)), err)
				}
				if tt.told != "" && (err == nil || !strings.Contains(err.Error(), tt.told) || len(tasks(t, s)) > 0) {
					t.Errorf("%d tasks, %v, want %q", len(tasks(t, s)), err, tt.told)
				}
			})
		})
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*runtask.Inputs){
		"service":       func(in *runtask.Inputs) { in.Service = "" },
		"launch":        func(in *runtask.Inputs) { in.LaunchType, in.Capacity = "FARGATE", []string{"FARGATE_SPOT"} },
		"weight":        func(in *runtask.Inputs) { in.Capacity = []string{"FARGATE=x"} },
		"much weight":   func(in *runtask.Inputs) { in.Capacity = []string{"FARGATE=1001"} },
		"base":          func(in *runtask.Inputs) { in.Capacity = []string{"FARGATE=1:-1"} },
		"provider":      func(in *runtask.Inputs) { in.Capacity = []string{"=1"} },
		"started":       func(in *runtask.Inputs) { in.StartedBy = strings.Repeat("x", 37) },
		"volume":        func(in *runtask.Inputs) { in.VolumeName = "data" },
		"volume's role": func(in *runtask.Inputs) { in.VolumeName, in.Volume = "data", `{"sizeInGiB": 1}` },
		"volume's size": func(in *runtask.Inputs) { in.VolumeName, in.Volume = "data", `{"roleArn": "a"}` },
		"volume's keys": func(in *runtask.Inputs) { in.VolumeName, in.Volume = "data", `{"roleArn": "a", "sizeInGb": 1}` },
		"command":       func(in *runtask.Inputs) { in.Command = `sh -c "` },
		"cpu":           func(in *runtask.Inputs) { in.CPU = "0" },
		"memory":        func(in *runtask.Inputs) { in.Memory = "1 GB" },
		"variable":      func(in *runtask.Inputs) { in.Environment = map[string]string{"A B": "1"} },
	} {
		in := inputs("python -m app.digest")
		if problems := in.Validate(); len(problems) != 0 {
			t.Fatal(problems)
		}
		if change(&in); len(in.Validate()) != 1 {
			t.Errorf("%s: %v", name, in.Validate())
		}
	}
	in := inputs("")
	in.Capacity = []string{"FARGATE=1:1", "FARGATE_SPOT=3", "OWN"}
	in.VolumeName, in.Volume = "data", `{"roleArn": "a", "snapshotId": "snap-1", "filesystemType": "xfs"}`
	if problems := in.Validate(); len(problems) != 0 {
		t.Error(problems)
	}
}
