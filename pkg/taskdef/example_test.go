package taskdef_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/taskdef"
)

const document = `{
	"family": "api",
	"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
	"executionRoleArn": "arn:aws:iam::123456789012:role/api-execution",
	"containerDefinitions": [
		{"name": "api", "image": "example.com/api:v1", "environment": [{"name": "LOG_LEVEL", "value": "info"}]},
		{"name": "proxy", "image": "example.com/proxy:v3", "essential": false}
	]
}`

// standIn is a client of ECS in front of a stand-in, as *ecs.Client is in front of AWS.
func standIn() *ecs.Client {
	sb := sandbox.New(sandbox.Options{})
	env := sb.Environ()
	return ecs.New(ecs.Options{
		Region:      env["AWS_REGION"],
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
		HTTPClient:  &http.Client{Transport: sb.Transport()},
	})
}

func ExampleParse() {
	d, err := taskdef.Parse([]byte(document))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Family(), d.Containers(), d.Platform())

	_, err = taskdef.Parse([]byte(`{"family": "api",}`))
	var syntax *taskdef.SyntaxError
	if errors.As(err, &syntax) {
		fmt.Println("not JSON from line", syntax.Line, "column", syntax.Column)
	}
	// Output:
	// api [api proxy] linux/amd64
	// not JSON from line 1 column 18
}

func ExampleDiff() {
	before, err := taskdef.Parse([]byte(document))
	if err != nil {
		log.Fatal(err)
	}
	after, err := before.WithImage("", "example.com/api:v2") // the only essential container
	if err != nil {
		log.Fatal(err)
	}
	if after, err = after.WithEnvironment("api", map[string]string{"LOG_LEVEL": "debug"}); err != nil {
		log.Fatal(err)
	}
	for _, change := range taskdef.Diff(before, after) {
		fmt.Println(change)
	}
	// Output:
	// ~ containerDefinitions[api].environment[LOG_LEVEL].value: (value hidden) -> (value hidden)
	// ~ containerDefinitions[api].image: "example.com/api:v1" -> "example.com/api:v2"
}

func ExampleEqual() {
	file, err := taskdef.Parse([]byte(`{"family": "api", "containerDefinitions": [{"name": "api", "image": "example.com/api:v1"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	// ECS adds defaults when it registers.
	registered, err := taskdef.Parse([]byte(`{"family": "api", "revision": 7, "status": "ACTIVE", "volumes": [],
		"containerDefinitions": [{"image": "example.com/api:v1", "name": "api", "cpu": 0, "essential": true, "environment": []}]}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(taskdef.Equal(file, registered))
	// Output: true
}

func ExampleDocument_Check() {
	d, err := taskdef.Parse([]byte(`{"family": "api", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "4096",
		"containerDefinitions": [{"name": "api", "image": "example.com/api:v1"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	for _, problem := range d.Check() {
		fmt.Println(problem)
	}
	// Output: cpu 256 with memory 4096: Fargate has 512, 1024 and 2048 MiB for it
}

func ExampleDocument_CheckPlatforms() {
	d, err := taskdef.Parse([]byte(`{"family": "api", "runtimePlatform": {"cpuArchitecture": "ARM64"},
		"containerDefinitions": [{"name": "api", "image": "example.com/api:v1"}]}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Platform(), d.CheckPlatforms([]string{"linux/amd64"}) != nil,
		d.CheckPlatforms([]string{"linux/amd64", "linux/arm64/v8"}) != nil)
	// Output: linux/arm64 true false
}

// Register a new image for what is registered already: what is not edited stays as it is.
func ExampleRegister() {
	ctx, client := context.Background(), standIn()
	current, err := taskdef.Describe(ctx, client, "connect2-api-dev")
	if err != nil {
		log.Fatal(err)
	}
	next, err := current.Document.WithImage("", "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev:v2")
	if err != nil {
		log.Fatal(err)
	}
	if current.Holds(next) {
		log.Fatal("nothing to register")
	}
	revision, err := taskdef.Register(ctx, client, next, map[string]string{"team": "api"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(current.Name(), "->", revision.Name())
	// Output: connect2-api-dev:1 -> connect2-api-dev:2
}
