package diagnose_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/taskdef"
)

const cluster = "connect2-api-cluster-dev"

// failedTask starts a task whose program gives up, and lets time pass until it has. In front of AWS itself the configuration is that
// of config.LoadDefaultConfig.
func failedTask(ctx context.Context) (client *ecs.Client, logs *cloudwatchlogs.Client, definition, task string) {
	now, exit := time.Now(), 1
	sb := sandbox.New(sandbox.Options{Now: func() time.Time { return now }})
	img, err := sandbox.NewImage("v2", &engine.Behaviour{Start: engine.Crash, ExitCode: &exit,
		Logs: []string{"Traceback (most recent call last):", "ModuleNotFoundError: No module named 'payments'"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := sb.Push("connect2-api-dev", "v2", img); err != nil {
		log.Fatal(err)
	}
	env := sb.Environ()
	cfg := aws.Config{
		Region:      env["AWS_REGION"],
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
		HTTPClient:  &http.Client{Transport: sb.Transport()},
	}
	client, logs = ecs.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	serves, err := taskdef.Describe(ctx, client, "connect2-api-dev")
	if err != nil {
		log.Fatal(err)
	}
	document, err := serves.Document.WithImage("", "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev:v2")
	if err != nil {
		log.Fatal(err)
	}
	revision, err := taskdef.Register(ctx, client, document, nil)
	if err != nil {
		log.Fatal(err)
	}
	service, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(cluster),
		Services: []string{"connect2-api-service-dev"}})
	if err != nil {
		log.Fatal(err)
	}
	out, err := client.RunTask(ctx, &ecs.RunTaskInput{Cluster: aws.String(cluster), TaskDefinition: aws.String(revision.ARN),
		LaunchType: "FARGATE", NetworkConfiguration: service.Services[0].NetworkConfiguration})
	if err != nil {
		log.Fatal(err)
	}
	now = now.Add(5 * time.Minute)
	return client, logs, revision.ARN, aws.ToString(out.Tasks[0].TaskArn)
}

// What AWS still knows of a task that failed is read, and then explained.
func ExampleGather() {
	ctx := context.Background()
	client, logs, definition, task := failedTask(ctx)
	evidence, err := diagnose.Gather(ctx, diagnose.Clients{ECS: client, Logs: logs},
		diagnose.Query{Cluster: cluster, TaskDefinition: definition, Tasks: []string{task}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(evidence.Tasks[0].StopCode)
	cause := diagnose.Classify(evidence)
	fmt.Println(cause.Title)
	fmt.Println(cause.Fault)
	// Output:
	// EssentialContainerExited
	// connect2-api cannot import its own code or a dependency: ModuleNotFoundError: No module named 'payments'
	// release
}

// Two tasks in a row that fail for one certain cause are reason enough to give a rollout up.
func ExampleStreak() {
	failed := diagnose.Task{StopCode: "EssentialContainerExited", LastStatus: "STOPPED", Containers: []diagnose.Container{{
		Name: "api", ExitCode: aws.Int(1), Logs: []string{"KeyError: 'DATABASE_URL'"},
	}}}
	row := diagnose.Streak(diagnose.Evidence{Service: "api", Tasks: []diagnose.Task{failed, failed}})
	fmt.Println(row.Finding.Code, row.Finding.Certain, row.Alike, row.Waves)
	// Output: app-config-invalid true 2 1
}

func ExampleClassify() {
	exit := 1
	cause := diagnose.Classify(diagnose.Evidence{
		Cluster: "prod", Service: "api",
		Tasks: []diagnose.Task{{
			ARN:        "arn:aws:ecs:us-west-2:123456789012:task/prod/0f9d",
			LastStatus: "STOPPED", StopCode: "EssentialContainerExited", Reason: "Essential container in task exited",
			Containers: []diagnose.Container{{
				Name: "api", ExitCode: &exit,
				Logs: []string{"Traceback (most recent call last):", "KeyError: 'DATABASE_URL'"},
			}},
		}},
	})
	fmt.Println(cause.Code)
	fmt.Println(cause.Title)
	for _, line := range cause.Evidence {
		fmt.Println(">", line)
	}
	// Output:
	// app-config-invalid
	// api needs the environment variable DATABASE_URL, which is not set
	// > Essential container in task exited
	// > api: exit code 1
	// > api | Traceback (most recent call last):
	// > api | KeyError: 'DATABASE_URL'
}

func ExampleRedact() {
	fmt.Println(diagnose.Redact("connecting to postgres://app:hunter2@db.internal/app with token=abc123"))
	// Output: connecting to postgres://app:***@db.internal/app with token=***
}

func ExampleCallFailure() {
	cause, known := diagnose.CallFailure("Capacity is unavailable at this time. Please try again later or in a different availability zone")
	fmt.Println(cause.Code, known)
	// Output: capacity-unavailable true
}

func ExamplePlacementFailure() {
	cause := diagnose.PlacementFailure("RESOURCE:MEMORY", "")
	fmt.Println(cause.Code)
	fmt.Println(cause.Title)
	// Output:
	// no-container-instance
	// no container instance of the cluster has what the task needs (MEMORY)
}
