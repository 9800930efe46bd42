package history_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/sandbox"
)

const family = "arn:aws:ecs:us-west-2:123456789012:task-definition/api:"

// deployments are newest first, as Read returns them: 1 and 3 arrived, 2 was rolled back by ECS.
func deployments() []history.Deployment {
	at := func(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }
	return []history.Deployment{
		{TaskDefinition: family + "3", Status: types.ServiceDeploymentStatusSuccessful, Created: at(12)},
		{TaskDefinition: family + "2", Status: types.ServiceDeploymentStatusRollbackSuccessful, Created: at(11)},
		{TaskDefinition: family + "1", Status: types.ServiceDeploymentStatusSuccessful, Created: at(10)},
	}
}

func ExampleChoose() {
	choice := history.Choose(deployments(), family+"3", history.Known{})
	if choice.Refusal != history.Chosen {
		log.Fatal(choice.Why)
	}
	fmt.Println(choice.Target.Name())

	choice = history.Choose(deployments(), family+"3", history.Known{
		Unusable: map[string]string{family + "1": "its image is gone"}})
	fmt.Println(choice.Refusal)
	// Output:
	// api:1
	// none usable
}

func ExampleFind() {
	found, err := history.Find(deployments(), nil, "1", family+"3")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Deployment.Name(), found.Deployment.Created.Format(time.DateTime))
	// Output: api:1 2026-03-01 10:00:00
}

func ExampleRead() {
	sb := sandbox.New(sandbox.Options{})
	env := sb.Environ()
	client := ecs.New(ecs.Options{ // in front of a stand-in; ecs.NewFromConfig gives one in front of AWS
		Region:      env["AWS_REGION"],
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
		HTTPClient:  &http.Client{Transport: sb.Transport()},
	})
	all, err := history.Read(context.Background(), client, "connect2-api-cluster-dev", "connect2-api-service-dev", "")
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range all {
		fmt.Println(d.Name(), d.Status)
	}
	// Output: connect2-api-dev:1 SUCCESSFUL
}
