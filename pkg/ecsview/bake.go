package ecsview

import (
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// What ECS takes where a service's deployment configuration does not say.
const (
	linearPercent = 10.0
	linearBake    = 6 // minutes
	canaryBake    = 10
	alarmBake     = 5 // ECS computes less than that from the alarms' own periods
)

// bakes returns how long a deployment waits by its own configuration: between the steps in which it shifts its traffic, and after
// them. What starting and stopping tasks takes comes on top.
func bakes(c *types.DeploymentConfiguration) time.Duration {
	if c == nil {
		return 0
	}
	minutes := int(aws.ToInt32(c.BakeTimeInMinutes))
	switch c.Strategy {
	case types.DeploymentStrategyLinear:
		percent, bake := linearPercent, linearBake
		if l := c.LinearConfiguration; l != nil {
			if p := aws.ToFloat64(l.StepPercent); p > 0 {
				percent = p
			}
			bake = orDefault(l.StepBakeTimeInMinutes, bake)
		}
		steps := int(math.Ceil(100/percent - 1e-9))
		minutes += (steps - 1) * bake // it does not bake at 100 percent
	case types.DeploymentStrategyCanary:
		bake := canaryBake
		if canary := c.CanaryConfiguration; canary != nil {
			bake = orDefault(canary.CanaryBakeTimeInMinutes, bake)
		}
		minutes += bake
	case types.DeploymentStrategyBlueGreen:
	default: // a rolling one bakes where alarms watch it
		switch {
		case c.Alarms == nil || !c.Alarms.Enable:
			return 0
		case minutes == 0:
			minutes = alarmBake
		}
	}
	return time.Duration(minutes) * time.Minute
}

func orDefault(minutes *int32, standard int) int {
	if minutes == nil {
		return standard
	}
	return int(*minutes)
}

// WatchedAlarms returns the names of the CloudWatch alarms that deployments of a service watch.
func WatchedAlarms(service types.Service) []string {
	if c := service.DeploymentConfiguration; c != nil && c.Alarms != nil && c.Alarms.Enable {
		return c.Alarms.AlarmNames
	}
	return nil
}
