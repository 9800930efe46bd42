package ecsdeploy

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestSurge(t *testing.T) {
	rolling := func(least, most int32) types.Service {
		return types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(least),
			MaximumPercent: aws.Int32(most)}}
	}
	for _, tt := range []struct {
		name     string
		service  types.Service
		desired  int
		surge    int
		keepsAll bool
	}{
		{"as ECS has it", types.Service{}, 4, 4, true},
		{"half as many more", rolling(100, 150), 4, 2, true},
		{"half a task more", rolling(100, 150), 1, 1, true},
		{"some stop first", rolling(50, 150), 4, 2, false},
		{"all stop first", rolling(0, 100), 4, 0, false},
		{"blue/green", types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{Strategy: types.DeploymentStrategyBlueGreen,
			MaximumPercent: aws.Int32(100), MinimumHealthyPercent: aws.Int32(0)}}, 3, 3, true},
		{"nothing", rolling(100, 200), 0, 0, true},
	} {
		if surge, keepsAll := surgeOf(tt.service, tt.desired); surge != tt.surge || keepsAll != tt.keepsAll {
			t.Errorf("%s: %d %v, want %d %v", tt.name, surge, keepsAll, tt.surge, tt.keepsAll)
		}
	}
}
