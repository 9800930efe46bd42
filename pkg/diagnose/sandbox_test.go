package diagnose_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview/health"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// A release of each kind of broken image is explained from what the stand-in shows of it.
func TestReleasesThatFail(t *testing.T) {
	exit := 3
	tests := []struct {
		name  string
		image engine.Behaviour
		after time.Duration
		code  string
		quote string
	}{
		{"crash", engine.Behaviour{Start: engine.Crash, ExitCode: &exit,
			Logs: []string{"Traceback (most recent call last):", `  File "main.py"`,
				"app.Boom: no"}}, 2 * time.Minute, "app-exit", "app.Boom: no"},
		{"memory", engine.Behaviour{Start: engine.OutOfMemory}, 2 * time.Minute, "out-of-memory", "OutOfMemoryError"},
		{"pull", engine.Behaviour{Start: engine.PullError}, 8 * time.Minute, "", "CannotPullContainerError"},
		{"architecture", engine.Behaviour{Start: engine.WrongArch}, 8 * time.Minute, "architecture-mismatch", ""},
		{"secret", engine.Behaviour{Start: engine.MissingSecret}, 4 * time.Minute, "", "ResourceInitializationError"},
		{"command", engine.Behaviour{Start: engine.ExecError}, 4 * time.Minute, "command-not-found", "exec"},
		{"capacity", engine.Behaviour{Start: engine.NoCapacity}, 4 * time.Minute, "capacity-unavailable",
			"Capacity is unavailable"},
		{"network", engine.Behaviour{Start: engine.NoNetwork}, 8 * time.Minute, "registry-unreachable", ""},
		{"health check of the container", engine.Behaviour{Start: engine.Unhealthy, Check: "container"}, 6 * time.Minute,
			"container-health-failed", ""},
		{"health check answered 503", engine.Behaviour{Start: engine.Unhealthy, Check: "elb", Status: 503},
			6 * time.Minute, "elb-health-error", "503"},
		{"health check answered 404", engine.Behaviour{Start: engine.Unhealthy, Check: "elb", Status: 404},
			6 * time.Minute, "elb-health-path", "404"},
		{"health check times out", engine.Behaviour{Start: engine.Unhealthy, Check: "elb"}, 6 * time.Minute,
			"elb-health-timeout", "Request timed out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sb := sandbox.New(sandbox.Options{})
				img, err := sandbox.NewImage("v2", &tt.image)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := sb.Push("connect2-api-dev", "v2", img); err != nil {
					t.Fatal(err)
				}
				env, _ := actiontest.NewTestEnv(t, sb.Environ())
				env.Transport = sb.Transport()
				conn, err := awsconn.Connect(t.Context(), env, awsconn.Inputs{})
				if err != nil {
					t.Fatal(err)
				}
				api := ecs.NewFromConfig(conn.Config)
				definition, deployment := deploy(t, api, "v2")
				began := time.Now()
				time.Sleep(tt.after)
				e, err := diagnose.Gather(t.Context(), diagnose.Clients{ECS: api,
					Logs: cloudwatchlogs.NewFromConfig(conn.Config), Health: health.Of(elb.NewFromConfig(conn.Config))},
					diagnose.Query{Cluster: "connect2-api-cluster-dev", Service: "connect2-api-service-dev",
						Deployment: deployment, TaskDefinition: definition, Since: began, Events: env.Events})
				if err != nil {
					t.Fatal(err)
				}
				c := diagnose.Classify(e)
				if tt.code != "" && c.Code != tt.code || !c.Known() {
					t.Errorf("got %s %q, want %s; evidence %q", c.Code, c.Title, tt.code, c.Evidence)
				}
				if all := strings.Join(c.Evidence, "\n"); !strings.Contains(all, tt.quote) || all == "" {
					t.Errorf("evidence %q does not quote %q", all, tt.quote)
				}
				if len(e.Missing) > 0 {
					t.Errorf("not read: %q", e.Missing)
				}
				t.Logf("%s: %s", c.Code, c.Title)
			})
		})
	}
}

// deploy registers the newest revision with another image and starts its deployment.
func deploy(t *testing.T, api *ecs.Client, tag string) (definition, deployment string) {
	t.Helper()
	family := aws.String("connect2-api-dev")
	now, err := api.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: family})
	if err != nil {
		t.Fatal(err)
	}
	d := now.TaskDefinition
	image := aws.ToString(d.ContainerDefinitions[0].Image)
	slash := strings.LastIndexByte(image, '/')
	name, _, _ := strings.Cut(image[slash+1:], ":")
	name, _, _ = strings.Cut(name, "@")
	d.ContainerDefinitions[0].Image = aws.String(image[:slash+1] + name + ":" + tag)
	next, err := api.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: family,
		ContainerDefinitions: d.ContainerDefinitions, Cpu: d.Cpu, Memory: d.Memory,
		NetworkMode: d.NetworkMode, ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn,
		RequiresCompatibilities: d.RequiresCompatibilities})
	if err != nil {
		t.Fatal(err)
	}
	out, err := api.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("connect2-api-cluster-dev"),
		Service:        aws.String("connect2-api-service-dev"),
		TaskDefinition: next.TaskDefinition.TaskDefinitionArn})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(next.TaskDefinition.TaskDefinitionArn), aws.ToString(out.Service.Deployments[0].Id)
}
