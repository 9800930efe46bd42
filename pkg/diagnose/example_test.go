package diagnose_test

import (
	"fmt"

	"github.com/org/connect2/v2/pkg/diagnose"
)

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
