package ecs_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestPausedBlueGreen stops at a pause hook, lets the deployment go on, and reads stage and weights on the way.
func TestPausedBlueGreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a := newAccount(t, engine.Options{})
		a.create("api", 1)
		time.Sleep(5 * time.Minute)
		if rolling := a.rolloutOf("api"); rolling.LifecycleStage != "" || rolling.TargetServiceRevision.RequestedProductionTrafficWeight != nil {
			t.Errorf("a rolling deployment has stages: %+v", rolling)
		}
		if _, err := a.UpdateService(ctx, &awsecs.UpdateServiceInput{
			Cluster: aws.String("prod"), Service: aws.String("api"), ForceNewDeployment: true,
			DeploymentConfiguration: &types.DeploymentConfiguration{
				Strategy: types.DeploymentStrategyBlueGreen, BakeTimeInMinutes: aws.Int32(1),
				LifecycleHooks: []types.DeploymentLifecycleHook{{
					TargetType:      types.DeploymentLifecycleHookTargetTypePause,
					LifecycleStages: []types.DeploymentLifecycleHookStage{types.DeploymentLifecycleHookStagePostProductionTrafficShift},
				}},
			},
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		waiting := a.rolloutOf("api")
		if waiting.LifecycleStage != types.ServiceDeploymentLifecycleStagePostProductionTrafficShift || len(waiting.LifecycleHookDetails) != 1 ||
			*waiting.TargetServiceRevision.RequestedProductionTrafficWeight != 100 ||
			*waiting.SourceServiceRevisions[0].RequestedProductionTrafficWeight != 0 {
			t.Fatalf("at the hook: %+v", waiting)
		}
		hook := waiting.LifecycleHookDetails[0]
		if !strings.HasPrefix(*hook.HookId, "ecs-pause-") || hook.Status != types.DeploymentLifecycleHookStatusAwaitingAction {
			t.Errorf("hook: %+v", hook)
		}
		for _, test := range []struct{ id, message string }{
			{"pause", "Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}"},
			{"ecs-pause-other", "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN"},
		} {
			_, err := a.ContinueServiceDeployment(ctx, &awsecs.ContinueServiceDeploymentInput{
				ServiceDeploymentArn: waiting.ServiceDeploymentArn, HookId: aws.String(test.id)})
			if err == nil || !strings.Contains(err.Error(), "InvalidParameterException: "+test.message) {
				t.Errorf("hook %q: %v", test.id, err)
			}
		}
		if _, err := a.ContinueServiceDeployment(ctx, &awsecs.ContinueServiceDeploymentInput{
			ServiceDeploymentArn: waiting.ServiceDeploymentArn, HookId: hook.HookId}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if end := a.rolloutOf("api"); end.Status != types.ServiceDeploymentStatusSuccessful {
			t.Errorf("ended %s in stage %s", end.Status, end.LifecycleStage)
		}
		if s := a.describe("api"); len(s.Deployments) != 1 || s.RunningCount != 1 {
			t.Errorf("left: %+v", s.Deployments)
		}
	})
}
