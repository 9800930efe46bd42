package ecsview

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestBakes(t *testing.T) {
	linear := func(percent *float64, minutes *int32) *types.LinearConfiguration {
		return &types.LinearConfiguration{StepPercent: percent, StepBakeTimeInMinutes: minutes}
	}
	for _, test := range []struct {
		name string
		c    *types.DeploymentConfiguration
		want int // minutes
	}{
		{"none", nil, 0},
		{"rolling", &types.DeploymentConfiguration{Strategy: "ROLLING"}, 0},
		{"rolling by default", &types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5)}, 0},
		{"rolling with alarms", &types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5),
			Alarms: &types.DeploymentAlarms{Enable: true}}, 5},
		{"rolling with alarms and their own time", &types.DeploymentConfiguration{Alarms: &types.DeploymentAlarms{Enable: true}}, alarmBake},
		{"rolling with alarms that are off", &types.DeploymentConfiguration{BakeTimeInMinutes: aws.Int32(5),
			Alarms: &types.DeploymentAlarms{}}, 0},
		{"blue/green", &types.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(45)}, 45},
		{"blue/green without", &types.DeploymentConfiguration{Strategy: "BLUE_GREEN"}, 0},
		{"linear by default", &types.DeploymentConfiguration{Strategy: "LINEAR"}, 54},
		{"linear by default, and a bake", &types.DeploymentConfiguration{Strategy: "LINEAR", BakeTimeInMinutes: aws.Int32(15)}, 69},
		{"linear without values", &types.DeploymentConfiguration{Strategy: "LINEAR", LinearConfiguration: linear(nil, nil)}, 54},
		{"linear in quarters", &types.DeploymentConfiguration{Strategy: "LINEAR",
			LinearConfiguration: linear(aws.Float64(25), aws.Int32(20))}, 60},
		{"linear in thirds and a rest", &types.DeploymentConfiguration{Strategy: "LINEAR",
			LinearConfiguration: linear(aws.Float64(33), aws.Int32(10))}, 30},
		{"linear at once", &types.DeploymentConfiguration{Strategy: "LINEAR",
			LinearConfiguration: linear(aws.Float64(100), aws.Int32(10))}, 0},
		{"linear without waiting", &types.DeploymentConfiguration{Strategy: "LINEAR",
			LinearConfiguration: linear(aws.Float64(10), aws.Int32(0))}, 0},
		{"canary by default", &types.DeploymentConfiguration{Strategy: "CANARY"}, 10},
		{"canary without values", &types.DeploymentConfiguration{Strategy: "CANARY", CanaryConfiguration: &types.CanaryConfiguration{}}, 10},
		{"canary, and a bake", &types.DeploymentConfiguration{Strategy: "CANARY", BakeTimeInMinutes: aws.Int32(15),
			CanaryConfiguration: &types.CanaryConfiguration{CanaryBakeTimeInMinutes: aws.Int32(120)}}, 135},
	} {
		if got := bakes(test.c); got != time.Duration(test.want)*time.Minute {
			t.Errorf("%s: %v, want %d minutes", test.name, got, test.want)
		}
	}
	s := SnapshotOf(types.Service{DeploymentConfiguration: &types.DeploymentConfiguration{Strategy: "CANARY"}})
	if s.Bakes != 10*time.Minute || s.Strategy != "CANARY" {
		t.Errorf("a snapshot has %v of %s", s.Bakes, s.Strategy)
	}
}
