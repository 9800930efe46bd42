package ecs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/sandbox/ecs"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// account is a server of the ECS API alone, with a client of the Go SDK that calls it without a socket.
type account struct {
	*awsecs.Client
	t      *testing.T
	engine *engine.Engine
	server *wire.Server
	policy *policy.Policy
}

func newAccount(t *testing.T, options engine.Options) *account {
	options.Start = time.Now()
	a := &account{t: t, engine: engine.New(options)}
	n := 0
	a.server = &wire.Server{
		Account: "123456789012", Region: "us-west-2", Now: time.Now, Advance: a.engine.Advance,
		NewID: func() string { n++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) },
		Identify: func(string, time.Time) (wire.Caller, error) {
			return wire.Caller{Account: "123456789012", ARN: "arn:aws:sts::123456789012:assumed-role/deployer/run", Policy: a.policy}, nil
		},
		JSON: []*wire.JSONService{ecs.New(a.engine, 0).API()},
	}
	a.Client = awsecs.New(awsecs.Options{
		Region: "us-west-2", BaseEndpoint: aws.String("http://sandbox.test"), HTTPClient: a,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	cluster := a.engine.CreateCluster("prod")
	cluster.CapacityProviders = []string{"FARGATE", "FARGATE_SPOT"}
	return a
}

func (a *account) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a.server.ServeHTTP(w, r)
	return w.Result(), nil
}

func (a *account) define(family string, change func(*awsecs.RegisterTaskDefinitionInput)) string {
	a.t.Helper()
	in := &awsecs.RegisterTaskDefinitionInput{
		Family: &family, Cpu: aws.String("0.25 vCPU"), Memory: aws.String("512"), NetworkMode: types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ExecutionRoleArn:        aws.String("arn:aws:iam::123456789012:role/exec"),
		TaskRoleArn:             aws.String("arn:aws:iam::123456789012:role/task"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("app"), Image: aws.String("123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v1"),
			PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(8000)}},
		}},
	}
	if change != nil {
		change(in)
	}
	out, err := a.RegisterTaskDefinition(context.Background(), in)
	if err != nil {
		a.t.Fatal(err)
	}
	return *out.TaskDefinition.TaskDefinitionArn
}

var network = &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
	Subnets: []string{"subnet-0a", "subnet-0b"}, SecurityGroups: []string{"sg-0a"},
}}

func (a *account) create(name string, desired int32) *types.Service {
	a.t.Helper()
	out, err := a.CreateService(context.Background(), &awsecs.CreateServiceInput{
		Cluster: aws.String("prod"), ServiceName: &name, TaskDefinition: aws.String(a.define("api", nil)), DesiredCount: &desired,
		CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE"), Weight: 1}},
		NetworkConfiguration:     network, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("api")}},
		DeploymentConfiguration: &types.DeploymentConfiguration{
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true},
		},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return out.Service
}

func (a *account) describe(name string) types.Service {
	a.t.Helper()
	out, err := a.DescribeServices(context.Background(), &awsecs.DescribeServicesInput{
		Cluster: aws.String("prod"), Services: []string{name}, Include: []types.ServiceField{types.ServiceFieldTags},
	})
	if err != nil || len(out.Services) != 1 {
		a.t.Fatalf("DescribeServices: %v, %v", err, out)
	}
	return out.Services[0]
}

// rolloutOf waits until the newest service deployment is another one than before, and describes it.
func (a *account) rolloutOf(service string) types.ServiceDeployment {
	a.t.Helper()
	listed, err := a.ListServiceDeployments(context.Background(), &awsecs.ListServiceDeploymentsInput{
		Cluster: aws.String("prod"), Service: &service,
	})
	if err != nil || len(listed.ServiceDeployments) == 0 {
		a.t.Fatalf("ListServiceDeployments: %v, %v", err, listed)
	}
	out, err := a.DescribeServiceDeployments(context.Background(), &awsecs.DescribeServiceDeploymentsInput{
		ServiceDeploymentArns: []string{*listed.ServiceDeployments[0].ServiceDeploymentArn},
	})
	if err != nil || len(out.ServiceDeployments) != 1 {
		a.t.Fatalf("DescribeServiceDeployments: %v, %v", err, out)
	}
	return out.ServiceDeployments[0]
}

// TestRolloutThroughSDK follows a release, a failing release, and the rollback of a third one, as a client sees them.
func TestRolloutThroughSDK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAccount(t, engine.Options{Seed: 3, Behaviours: map[string]engine.Behaviour{"v3": {Start: engine.Crash}}})
		created := a.create("api", 2)
		if created.Deployments[0].RolloutState != types.DeploymentRolloutStateInProgress || created.LaunchType != "" {
			t.Errorf("created: %+v", created.Deployments[0])
		}
		if err := awsecs.NewServicesStableWaiter(a).Wait(ctx, &awsecs.DescribeServicesInput{
			Cluster: aws.String("prod"), Services: []string{"api"}}, 10*time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		first := a.rolloutOf("api")
		if first.Status != types.ServiceDeploymentStatusSuccessful || first.FinishedAt == nil || len(first.SourceServiceRevisions) != 0 {
			t.Errorf("first rollout: %+v", first)
		}

		v2 := a.define("api", func(in *awsecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Image = aws.String("123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v2")
		})
		updated, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: aws.String("prod"),
			Service: aws.String("api"), TaskDefinition: &v2})
		if err != nil {
			t.Fatal(err)
		}
		d := updated.Service.Deployments
		if len(d) != 2 || *d[0].Status != "PRIMARY" || *d[1].Status != "ACTIVE" || d[1].RolloutState != types.DeploymentRolloutStateCompleted ||
			d[1].RunningCount != 2 || d[0].DesiredCount != 2 || *d[0].RolloutStateReason != "ECS deployment "+*d[0].Id+" in progress." {
			t.Errorf("right after the update: %+v", d)
		}
		if again := a.rolloutOf("api"); *again.ServiceDeploymentArn != *first.ServiceDeploymentArn {
			t.Error("the new service deployment is listed at once; it must appear a moment later")
		}
		time.Sleep(2 * time.Second)
		second := a.rolloutOf("api")
		if second.Status != types.ServiceDeploymentStatusInProgress || second.DeploymentCircuitBreaker.Threshold != 3 ||
			second.DeploymentCircuitBreaker.Status != types.ServiceDeploymentRollbackMonitorsStatusMonitoring {
			t.Errorf("second rollout: %+v", second)
		}
		time.Sleep(5 * time.Minute)
		if got := a.rolloutOf("api"); got.Status != types.ServiceDeploymentStatusSuccessful {
			t.Errorf("second rollout ended %s", got.Status)
		}
		revisions, err := a.DescribeServiceRevisions(ctx, &awsecs.DescribeServiceRevisionsInput{
			ServiceRevisionArns: []string{*second.TargetServiceRevision.Arn, "arn:aws:ecs:us-west-2:123456789012:service-revision/prod/api/1"},
		})
		if err != nil || len(revisions.ServiceRevisions) != 1 || len(revisions.Failures) != 1 || *revisions.Failures[0].Reason != "MISSING" {
			t.Fatalf("%v, %+v", err, revisions)
		}
		image := revisions.ServiceRevisions[0].ContainerImages[0]
		if *image.ContainerName != "app" || !strings.HasPrefix(aws.ToString(image.ImageDigest), "sha256:") {
			t.Errorf("image of the revision: %+v", image)
		}

		v3 := a.define("api", func(in *awsecs.RegisterTaskDefinitionInput) {
			in.ContainerDefinitions[0].Image = aws.String("123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v3")
		})
		if _, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: aws.String("prod"), Service: aws.String("api"),
			TaskDefinition: &v3}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		third := a.rolloutOf("api")
		if third.Status != types.ServiceDeploymentStatusRollbackSuccessful || third.Rollback == nil ||
			*third.Rollback.ServiceRevisionArn != *second.TargetServiceRevision.Arn ||
			*third.StatusReason != "Service deployment rolled back because the circuit breaker threshold was exceeded." {
			t.Errorf("third rollout: %+v", third)
		}
		back := a.describe("api")
		if *back.TaskDefinition != v2 || len(back.Deployments) != 1 || *back.Deployments[0].Id != *d[0].Id || back.RunningCount != 2 {
			t.Errorf("after the rollback: %s, %+v", *back.TaskDefinition, back.Deployments)
		}
		stopped, err := a.ListTasks(ctx, &awsecs.ListTasksInput{Cluster: aws.String("prod"), ServiceName: aws.String("api"),
			DesiredStatus: types.DesiredStatusStopped})
		if err != nil {
			t.Fatal(err)
		}
		tasks, err := a.DescribeTasks(ctx, &awsecs.DescribeTasksInput{Cluster: aws.String("prod"), Tasks: stopped.TaskArns})
		if err != nil {
			t.Fatal(err)
		}
		crashed := 0
		for _, task := range tasks.Tasks {
			if *task.TaskDefinitionArn == v3 && task.StopCode == types.TaskStopCodeEssentialContainerExited &&
				*task.StoppedReason == "Essential container in task exited" && *task.Containers[0].ExitCode == 1 {
				crashed++
			}
		}
		if crashed < 3 {
			t.Errorf("%d crashed tasks are visible, want at least 3", crashed)
		}
		if _, err := a.StopServiceDeployment(ctx,
			&awsecs.StopServiceDeploymentInput{ServiceDeploymentArn: third.ServiceDeploymentArn}); code(err) != "ConflictException" {
			t.Errorf("stopping what is over: %v", err)
		}
	})
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// TestOneOff runs a task to its end, as a migration does, with reads that lag behind.
func TestOneOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAccount(t, engine.Options{
			Lag: engine.Lag{Tasks: 3 * time.Second},
			Behaviours: map[string]engine.Behaviour{"v1": {Run: map[string]engine.Run{
				"alembic": {After: engine.Duration(9 * time.Second), ExitCode: 3},
			}}},
		})
		a.define("api-migrate", nil)
		ran, err := a.RunTask(ctx, &awsecs.RunTaskInput{
			Cluster: aws.String("prod"), TaskDefinition: aws.String("api-migrate"), LaunchType: types.LaunchTypeFargate,
			NetworkConfiguration: network, StartedBy: aws.String("run-1"),
			Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
				Name: aws.String("app"), Command: []string{"alembic", "upgrade", "head"}}}},
		})
		if err != nil || len(ran.Tasks) != 1 {
			t.Fatal(err, ran)
		}
		arn := ran.Tasks[0].TaskArn
		read := &awsecs.DescribeTasksInput{Cluster: aws.String("prod"), Tasks: []string{*arn}}
		early, err := a.DescribeTasks(ctx, read)
		if err != nil || len(early.Tasks) != 0 || len(early.Failures) != 1 || *early.Failures[0].Reason != "MISSING" {
			t.Errorf("read at once: %v, %+v", err, early)
		}
		if err := awsecs.NewTasksStoppedWaiter(a).Wait(ctx, read, 10*time.Minute); err != nil {
			t.Fatal(err)
		}
		end, err := a.DescribeTasks(ctx, read)
		if err != nil {
			t.Fatal(err)
		}
		task := end.Tasks[0]
		if *task.Containers[0].ExitCode != 3 || *task.Group != "family:api-migrate" || *task.StartedBy != "run-1" ||
			task.Overrides.ContainerOverrides[0].Command[0] != "alembic" || task.StartedAt.After(*task.StoppedAt) {
			t.Errorf("%+v", task)
		}
		time.Sleep(2 * time.Hour)
		late, err := a.DescribeTasks(ctx, read)
		if err != nil || len(late.Failures) != 1 {
			t.Errorf("after two hours: %v, %+v", err, late)
		}
	})
}

// TestRefusals are the codes and words for what cannot be done.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAccount(t, engine.Options{})
		a.create("api", 1)
		inactive := a.define("old", nil)
		if _, err := a.DeregisterTaskDefinition(ctx, &awsecs.DeregisterTaskDefinitionInput{TaskDefinition: &inactive}); err != nil {
			t.Fatal(err)
		}
		prod := aws.String("prod")
		for name, test := range map[string]struct {
			call          func() error
			code, message string
		}{
			"unknown cluster": {func() error {
				_, err := a.DescribeServices(ctx, &awsecs.DescribeServicesInput{Cluster: aws.String("nope"), Services: []string{"api"}})
				return err
			}, "ClusterNotFoundException", "Cluster not found."},
			"unknown service": {func() error {
				_, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: prod, Service: aws.String("nope")})
				return err
			}, "ServiceNotFoundException", ""},
			"service not idempotent": {func() error {
				_, err := a.CreateService(ctx, &awsecs.CreateServiceInput{Cluster: prod, ServiceName: aws.String("api"),
					TaskDefinition: aws.String("api")})
				return err
			}, "InvalidParameterException", "Creation of service was not idempotent."},
			"unknown task definition": {func() error {
				_, err := a.DescribeTaskDefinition(ctx, &awsecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("nope")})
				return err
			}, "ClientException", "Unable to describe task definition."},
			"inactive definition in UpdateService": {func() error {
				_, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: prod, Service: aws.String("api"), TaskDefinition: &inactive})
				return err
			}, "ClientException", "TaskDefinition is inactive"},
			"inactive definition in RunTask": {func() error {
				_, err := a.RunTask(ctx, &awsecs.RunTaskInput{Cluster: prod, TaskDefinition: &inactive, NetworkConfiguration: network})
				return err
			}, "InvalidParameterException", "TaskDefinition is inactive"},
			"no network": {func() error {
				_, err := a.RunTask(ctx, &awsecs.RunTaskInput{Cluster: prod, TaskDefinition: aws.String("api"), LaunchType: types.LaunchTypeFargate})
				return err
			}, "InvalidParameterException", "Network Configuration must be provided when networkMode 'awsvpc' is specified."},
			"provider of another cluster": {func() error {
				_, err := a.RunTask(ctx, &awsecs.RunTaskInput{Cluster: prod, TaskDefinition: aws.String("api"), NetworkConfiguration: network,
					CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("mine")}}})
				return err
			}, "InvalidParameterException", "The specified capacity provider strategy cannot contain a capacity provider that is not associated " +
				"with the cluster. Associate the capacity provider with the cluster and try again."},
			"size that Fargate has not": {func() error {
				_, err := a.RegisterTaskDefinition(ctx, &awsecs.RegisterTaskDefinitionInput{
					Family: aws.String("big"), Cpu: aws.String("256"), Memory: aws.String("4096"), NetworkMode: types.NetworkModeAwsvpc,
					RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
					ContainerDefinitions:    []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("app")}}})
				return err
			}, "ClientException", "No Fargate configuration exists for given values."},
			"unknown service deployment": {func() error {
				_, err := a.StopServiceDeployment(ctx, &awsecs.StopServiceDeploymentInput{
					ServiceDeploymentArn: aws.String("arn:aws:ecs:us-west-2:123456789012:service-deployment/prod/api/none")})
				return err
			}, "ServiceDeploymentNotFoundException", "The service deployment does not exist."},
			"tasks of an unknown service": {func() error {
				_, err := a.ListTasks(ctx, &awsecs.ListTasksInput{Cluster: prod, ServiceName: aws.String("nope")})
				return err
			}, "ServiceNotFoundException", "Service not found."},
			"deleting what runs": {func() error {
				_, err := a.DeleteService(ctx, &awsecs.DeleteServiceInput{Cluster: prod, Service: aws.String("api")})
				return err
			}, "InvalidParameterException", "The service cannot be stopped while it is scaled above 0."},
			"not modelled": {func() error {
				_, err := a.CreateTaskSet(ctx, &awsecs.CreateTaskSetInput{Cluster: prod, Service: aws.String("api"), TaskDefinition: aws.String("api")})
				return err
			}, "SandboxNotModelled", "connect2 sandbox does not model ecs:CreateTaskSet"},
			"lifecycle hooks that call functions": {func() error {
				_, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: prod, Service: aws.String("api"),
					DeploymentConfiguration: &types.DeploymentConfiguration{LifecycleHooks: []types.DeploymentLifecycleHook{{
						HookTargetArn:   aws.String("arn:aws:lambda:us-west-2:123456789012:function:check"),
						RoleArn:         aws.String("arn:aws:iam::123456789012:role/hook"),
						LifecycleStages: []types.DeploymentLifecycleHookStage{types.DeploymentLifecycleHookStagePreScaleUp}}}}})
				return err
			}, "SandboxNotModelled", "connect2 sandbox does not model lifecycle hooks that call Lambda functions"},
		} {
			err := test.call()
			api, ok := errors.AsType[smithy.APIError](err)
			if !ok || api.ErrorCode() != test.code || api.ErrorMessage() != test.message {
				t.Errorf("%s: %v; want %s: %s", name, err, test.code, test.message)
			}
		}
	})
}

// TestUnknownMembersSurvive registers what no SDK knows and reads it back.
func TestUnknownMembersSurvive(t *testing.T) {
	a := newAccount(t, engine.Options{})
	call := func(action, body string) map[string]any {
		r := httptest.NewRequest("POST", "http://sandbox.test/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113."+action)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260302/us-west-2/ecs/aws4_request, SignedHeaders=host, "+
			"Signature=0")
		w, _ := a.Do(r)
		var out map[string]any
		if err := json.NewDecoder(w.Body).Decode(&out); err != nil || w.StatusCode != 200 {
			t.Fatalf("%s: %d %v %v", action, w.StatusCode, err, out)
		}
		return out
	}
	call("RegisterTaskDefinition", `{"family": "api", "connect2Unknown": [1.50, null], "containerDefinitions": [
		{"name": "app", "image": "app", "memory": 128, "connect2Unknown": {"a": []}, "environment": [], "portMappings": [{"containerPort": 80}]}]}`)
	got := call("DescribeTaskDefinition", `{"taskDefinition": "api"}`)["taskDefinition"].(map[string]any)
	container := got["containerDefinitions"].([]any)[0].(map[string]any)
	if fmt.Sprint(got["connect2Unknown"], container["connect2Unknown"]) != "[1.5 <nil>] map[a:[]]" {
		t.Errorf("unknown members: %v, %v", got["connect2Unknown"], container["connect2Unknown"])
	}
	if container["essential"] != true || container["cpu"] != 0.0 || got["revision"] != 1.0 || got["status"] != "ACTIVE" {
		t.Errorf("what ECS adds is missing: %v", got)
	}
}

// TestPermissions looks at what each call asks for, implied permissions included, and at a denial's words.
func TestPermissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAccount(t, engine.Options{})
		a.create("api", 0)
		asked := func(call func() error) string {
			a.server.Journal.Reset()
			if err := call(); err != nil {
				t.Error(err)
			}
			var out []string
			for _, z := range a.server.Journal.Entries()[0].Authorizations {
				text := z.Action + " " + z.Resource[strings.LastIndexByte(z.Resource, ':')+1:]
				if service := z.Conditions["iam:PassedToService"]; service != "" {
					text += " to " + service
				}
				out = append(out, text)
			}
			return strings.Join(out, ", ")
		}
		passes := "iam:PassRole role/task to ecs-tasks.amazonaws.com, iam:PassRole role/exec to ecs-tasks.amazonaws.com"
		for name, test := range map[string]struct {
			call func() error
			want string
		}{
			"register with tags": {func() error {
				a.define("tagged", func(in *awsecs.RegisterTaskDefinitionInput) {
					in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
				})
				return nil
			}, "ecs:RegisterTaskDefinition *, ecs:TagResource *, " + passes},
			"update": {func() error {
				_, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: aws.String("prod"), Service: aws.String("api"),
					TaskDefinition: aws.String("api")})
				return err
			}, "ecs:UpdateService service/prod/api, " + passes},
			"scale": {func() error {
				_, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: aws.String("prod"), Service: aws.String("api"),
					DesiredCount: aws.Int32(0)})
				return err
			}, "ecs:UpdateService service/prod/api"},
			"run": {func() error {
				_, err := a.RunTask(ctx, &awsecs.RunTaskInput{Cluster: aws.String("prod"), TaskDefinition: aws.String("api"),
					NetworkConfiguration: network, LaunchType: types.LaunchTypeFargate})
				return err
			}, "ecs:RunTask 1, " + passes},
			"list tasks": {func() error {
				_, err := a.ListTasks(ctx, &awsecs.ListTasksInput{Cluster: aws.String("prod")})
				return err
			}, "ecs:ListTasks container-instance/prod/*"},
		} {
			if got := asked(test.call); got != test.want {
				t.Errorf("%s asks for\n%s\nwant\n%s", name, got, test.want)
			}
		}
		restricted, err := policy.Parse([]byte(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		a.policy = restricted
		_, err = a.UpdateService(ctx, &awsecs.UpdateServiceInput{Cluster: aws.String("prod"), Service: aws.String("api"),
			TaskDefinition: aws.String("api")})
		want := "User: arn:aws:sts::123456789012:assumed-role/deployer/run is not authorized to perform: iam:PassRole on resource: " +
			"arn:aws:iam::123456789012:role/task because no identity-based policy allows the iam:PassRole action"
		if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "AccessDeniedException" || api.ErrorMessage() != want {
			t.Errorf("denied: %v\nwant %s", err, want)
		}
	})
}

// TestTagsAndPages changes tags, and walks the pages of a list.
func TestTagsAndPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAccount(t, engine.Options{})
		s := a.create("api", 0)
		if _, err := a.TagResource(ctx, &awsecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{
			{Key: aws.String("connect2:hold"), Value: aws.String("true")}, {Key: aws.String("team"), Value: aws.String("core")}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.UntagResource(ctx, &awsecs.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: []string{"connect2:hold"}}); err != nil {
			t.Fatal(err)
		}
		if got := a.describe("api").Tags; len(got) != 1 || *got[0].Value != "core" {
			t.Errorf("tags: %+v", got)
		}
		for range 7 {
			a.define("paged", nil)
		}
		pages := awsecs.NewListTaskDefinitionsPaginator(a, &awsecs.ListTaskDefinitionsInput{
			FamilyPrefix: aws.String("paged"), MaxResults: aws.Int32(3), Sort: types.SortOrderDesc})
		var sizes []int
		var first string
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = page.TaskDefinitionArns[0]
			}
			sizes = append(sizes, len(page.TaskDefinitionArns))
		}
		if fmt.Sprint(sizes) != "[3 3 1]" || !strings.HasSuffix(first, "paged:7") {
			t.Errorf("pages of %v, the first begins with %s", sizes, first)
		}
	})
}
