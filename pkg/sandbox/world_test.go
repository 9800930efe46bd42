package sandbox_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const (
	cluster = "connect2-api-cluster-dev"
	service = "connect2-api-service-dev"
)

// release registers a revision with another image and deploys it.
func release(t *testing.T, client *ecs.Client, image string) {
	t.Helper()
	described, err := client.DescribeTaskDefinition(t.Context(),
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("connect2-api-dev")})
	if err != nil {
		t.Fatal(err)
	}
	td := described.TaskDefinition
	td.ContainerDefinitions[0].Image = &image
	registered, err := client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: td.Family, ContainerDefinitions: td.ContainerDefinitions, NetworkMode: td.NetworkMode, Cpu: td.Cpu, Memory: td.Memory,
		ExecutionRoleArn: td.ExecutionRoleArn, TaskRoleArn: td.TaskRoleArn, RequiresCompatibilities: td.RequiresCompatibilities,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String(cluster), Service: aws.String(service),
		TaskDefinition: registered.TaskDefinition.TaskDefinitionArn})
	if err != nil {
		t.Fatal(err)
	}
}

// stopped returns the reasons of the tasks that stopped before now.
func stopped(t *testing.T, client *ecs.Client) []string {
	t.Helper()
	list, err := client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String(cluster), DesiredStatus: ecstypes.DesiredStatusStopped})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.TaskArns) == 0 {
		return nil
	}
	described, err := client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: list.TaskArns})
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, task := range described.Tasks {
		reasons = append(reasons, aws.ToString(task.StoppedReason))
	}
	return reasons
}

// TestPushedImageBehavesAsItsLabelSays joins registry, engine and logs: what was pushed decides what the service does.
func TestPushedImageBehavesAsItsLabelSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		client := ecs.NewFromConfig(operator(sb))
		img, err := sandbox.NewImage("v2", &engine.Behaviour{Start: engine.Crash, Logs: []string{"no database"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(reference(t, repository+":v2"), img, append(login(t, sb, operator(sb)), remote.WithJobs(1))...); err != nil {
			t.Fatal(err)
		}
		release(t, client, sandbox.DefaultHost+"/"+repository+":v2")
		time.Sleep(15 * time.Minute)
		deployments, err := client.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{Cluster: aws.String(cluster),
			Service: aws.String(service)})
		if err != nil {
			t.Fatal(err)
		}
		if got := deployments.ServiceDeployments[0].Status; got != ecstypes.ServiceDeploymentStatusRollbackSuccessful {
			t.Errorf("the deployment is %s, want ROLLBACK_SUCCESSFUL", got)
		}
		lines, err := cloudwatchlogs.NewFromConfig(operator(sb)).FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/ecs/connect2-api-dev"), FilterPattern: aws.String(`"no database"`),
		})
		if err != nil || len(lines.Events) < 3 {
			t.Errorf("%d lines of the crashes, want one of each: %v", len(lines.Events), err)
		}
	})
}

// TestWhatTasksNeedIsLookedUp: images, secrets and their keys are read where the API shows them.
func TestWhatTasksNeedIsLookedUp(t *testing.T) {
	for _, tt := range []struct {
		name, image, want string
		spoil             func(t *testing.T, sb *sandbox.Sandbox)
	}{
		{"tag that does not exist", repository + ":v9", "CannotPullContainerError: pull image manifest has been retried", nil},
		{"secret without the key", repository + ":v1", "retrieved secret from Secrets Manager did not contain json key url",
			func(t *testing.T, sb *sandbox.Sandbox) {
				_, err := secretsmanager.NewFromConfig(operator(sb)).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
					SecretId: aws.String("connect2-api/dev/rds-credentials"), SecretString: aws.String(`{"host":"db"}`),
				})
				if err != nil {
					t.Fatal(err)
				}
			}},
		{"secret marked for deletion", repository + ":v1", "api error InvalidRequestException: You can't perform this operation on the secret " +
			"because it was marked for deletion.", func(t *testing.T, sb *sandbox.Sandbox) {
			_, err := secretsmanager.NewFromConfig(operator(sb)).DeleteSecret(t.Context(),
				&secretsmanager.DeleteSecretInput{SecretId: aws.String("connect2-api/dev/redis-credentials")})
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"log group that does not exist", repository + ":v1", "The specified log group does not exist.", func(t *testing.T, sb *sandbox.Sandbox) {
			_, err := cloudwatchlogs.NewFromConfig(operator(sb)).DeleteLogGroup(t.Context(),
				&cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/ecs/connect2-api-dev")})
			if err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sb := sandbox.New(sandbox.Options{})
				if tt.spoil != nil {
					tt.spoil(t, sb)
				}
				client := ecs.NewFromConfig(operator(sb))
				release(t, client, sandbox.DefaultHost+"/"+tt.image)
				time.Sleep(4 * time.Minute)
				if reasons := strings.Join(stopped(t, client), "\n"); !strings.Contains(reasons, tt.want) {
					t.Errorf("stopped reasons:\n%s\nwant %q", reasons, tt.want)
				}
			})
		})
	}
}
