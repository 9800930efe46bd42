package oneoff_test

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
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/taskdef"
)

const (
	speed   = 100 // of the stand-in's world: a minute takes 0.6 s
	cluster = "connect2-api-cluster-dev"
)

// standIn is a stand-in for AWS, in which the command `count` of the image v2 writes two lines and ends with exit code 3. In front
// of AWS itself the configuration is that of config.LoadDefaultConfig.
func standIn() (*ecs.Client, *cloudwatchlogs.Client) {
	sb := sandbox.New(sandbox.Options{Speed: speed})
	img, err := sandbox.NewImage("v2", &engine.Behaviour{Run: map[string]engine.Run{
		"count": {After: engine.Duration(5 * time.Second), ExitCode: 3, Logs: []string{"one", "app.CountError: two is missing"}}}})
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
	return ecs.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
}

// Run a command with the settings of a service, and show its log. Against AWS itself, Options need no clock.
func ExampleRun() {
	ctx := context.Background()
	client, logs := standIn()
	service, revision := describe(ctx, client), register(ctx, client)
	settings, _ := oneoff.SettingsOf(service).OnDemand()

	result, err := oneoff.Run(ctx, oneoff.Clients{ECS: client, Logs: logs}, oneoff.Spec{
		Cluster: cluster, TaskDefinition: revision.ARN, Settings: settings,
		Container: "connect2-api", Command: []string{"count"}, Timeout: 10 * time.Minute,
	}, oneoff.Options{
		Events: func(e record.Event) {
			if e.Kind == record.KindOutput {
				fmt.Println(e.Source, "|", e.Text)
			}
		},
		Clock: clock.Faster(speed),
	})
	if err != nil { // the container did not end by itself, and result.End says how it ended
		log.Fatal(err)
	}
	fmt.Println(result.End, *result.ExitCode)
	fmt.Println(result.Cause)
	// Output:
	// connect2-api | one
	// connect2-api | app.CountError: two is missing
	// exited 3
	// connect2-api exited with code 3: app.CountError: two is missing
}

func ExampleRunning() {
	client, _ := standIn()
	tasks, err := oneoff.Running(context.Background(), client, cluster, "connect2-api-dev-migrate")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(tasks))
	// Output: 0
}

// A task that must not be interrupted is not run on Spot, whatever the service does.
func ExampleSettings_OnDemand() {
	service := types.Service{CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT")}}}
	settings, wasSpot := oneoff.SettingsOf(service).OnDemand()
	fmt.Println(settings.LaunchType, wasSpot)
	// Output: FARGATE true
}

// register registers the service's task definition with the image v2, for a task of its own.
func register(ctx context.Context, client *ecs.Client) *taskdef.Revision {
	serves, err := taskdef.Describe(ctx, client, "connect2-api-dev")
	if err != nil {
		log.Fatal(err)
	}
	document, err := serves.Document.WithImage("", "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev:v2")
	if err != nil {
		log.Fatal(err)
	}
	revision, err := taskdef.Register(ctx, client, document.WithFamily("connect2-api-dev-count"), nil)
	if err != nil {
		log.Fatal(err)
	}
	return revision
}

func describe(ctx context.Context, client *ecs.Client) types.Service {
	out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(cluster),
		Services: []string{"connect2-api-service-dev"}})
	if err != nil {
		log.Fatal(err)
	}
	return out.Services[0]
}
