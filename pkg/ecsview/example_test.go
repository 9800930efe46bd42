package ecsview_test

import (
	"fmt"

	"github.com/org/connect2/v2/pkg/ecsview"
)

func ExampleTask_Failed() {
	one := 1
	task := ecsview.Task{
		ARN:        "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d1c2b",
		StopCode:   "EssentialContainerExited",
		Reason:     "Essential container in task exited",
		Containers: []ecsview.Container{{Name: "api", ExitCode: &one}},
	}
	if task.Failed() {
		fmt.Println(task.Failure())
	}
	// Output: task 0f9d1c2b failed: api exited with 1
}
