package operate

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
)

func TestJudge(t *testing.T) {
	at := func(desired, running int, state, reason string) ecsview.Snapshot {
		return ecsview.Snapshot{Desired: desired, Running: running, Deployments: []ecsview.Deployment{
			{Status: "PRIMARY", State: state, Reason: reason, Desired: desired, Running: running}}}
	}
	under := func(status types.ServiceDeploymentStatus) *history.Deployment {
		return &history.Deployment{Status: status}
	}
	sick := diagnose.Evidence{Tasks: []diagnose.Task{{LastStatus: "RUNNING", Health: "UNHEALTHY"}}}
	behind := diagnose.Evidence{Tasks: []diagnose.Task{{LastStatus: "RUNNING", IP: "10.1.0.5"}},
		Targets: []diagnose.Target{{ID: "10.1.0.5", State: "unhealthy"}}}
	gone := diagnose.Evidence{Tasks: []diagnose.Task{{LastStatus: "STOPPED", StopCode: "EssentialContainerExited", Health: "UNHEALTHY"}}}
	for _, test := range []struct {
		name     string
		service  ecsview.Snapshot
		running  *history.Deployment
		evidence diagnose.Evidence
		want     State
	}{
		{"all run", at(2, 2, "COMPLETED", ""), nil, diagnose.Evidence{}, Steady},
		{"one is missing", at(2, 1, "COMPLETED", ""), nil, diagnose.Evidence{}, Degraded},
		{"one is unhealthy by its own check", at(2, 2, "COMPLETED", ""), nil, sick, Degraded},
		{"one is unhealthy behind the load balancer", at(2, 2, "COMPLETED", ""), nil, behind, Degraded},
		{"one was, and is gone", at(2, 2, "COMPLETED", ""), nil, gone, Steady},
		{"wants none", at(0, 0, "COMPLETED", ""), nil, diagnose.Evidence{}, Empty},
		{"wants none, and has one yet", at(0, 1, "COMPLETED", ""), nil, diagnose.Evidence{}, Steady},
		{"a deployment is under way", at(2, 1, "IN_PROGRESS", ""), under("IN_PROGRESS"), diagnose.Evidence{}, Deploying},
		{"the same without the API", at(2, 1, "IN_PROGRESS", ""), nil, diagnose.Evidence{}, Deploying},
		{"stopped, and not yet rolled back", at(2, 1, "IN_PROGRESS", ""), under("STOP_REQUESTED"), diagnose.Evidence{}, Deploying},
		{"a rollback is under way", at(2, 1, "IN_PROGRESS", ""), under("ROLLBACK_IN_PROGRESS"), diagnose.Evidence{}, RollingBack},
		{"the same without the API", at(2, 1, "IN_PROGRESS", "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."), nil,
			diagnose.Evidence{}, RollingBack},
		{"no deployment at all", ecsview.Snapshot{Desired: 2}, nil, diagnose.Evidence{}, Degraded},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Judge(test.service, test.running, test.evidence.Tasks, test.evidence.Targets); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFailed(t *testing.T) {
	for _, test := range []struct {
		code, reason string
		want         bool
	}{
		{"TaskFailedToStart", "CannotPullContainerError: …", true},
		{"EssentialContainerExited", "Essential container in task exited", true},
		{"ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group …)", true},
		{"ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", false},
		{"UserInitiated", "somebody's wish", false},
		{"SpotInterruption", "Your Spot Task was interrupted.", false},
		{"", "", false},
	} {
		tasks := []ecsview.Task{{StopCode: test.code, Reason: test.reason}}
		if got := len(FailedTasks(tasks)) == 1; got != test.want {
			t.Errorf("%s, %q: %v", test.code, test.reason, got)
		}
	}
}
