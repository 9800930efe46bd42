package ecsdeploy

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestNativeBake says what ECS itself bakes: a rolling deployment only where alarms watch it.
func TestNativeBake(t *testing.T) {
	watched := &types.DeploymentAlarms{Enable: true}
	for name, tt := range map[string]struct {
		config *types.DeploymentConfiguration
		want   time.Duration
	}{
		"nothing":                  {nil, 0},
		"blue/green":               {&types.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(5)}, 5 * time.Minute},
		"canary without":           {&types.DeploymentConfiguration{Strategy: "CANARY"}, 0},
		"rolling without alarms":   {&types.DeploymentConfiguration{Strategy: "ROLLING", BakeTimeInMinutes: aws.Int32(5)}, 0},
		"no strategy, none":        {&types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5)}, 0},
		"rolling, alarms are off":  {&types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5), Alarms: &types.DeploymentAlarms{}}, 0},
		"rolling with alarms":      {&types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5), Alarms: watched}, 5 * time.Minute},
		"rolling, ECS chooses how": {&types.DeploymentConfiguration{Strategy: "ROLLING", Alarms: watched}, 0},
	} {
		if got := nativeBake(tt.config); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
