package ecsrollback_test

import (
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
)

// TestStagedRollbacks rolls back by blue/green, linear and canary deployments: a version that was deployed, and one that is
// being deployed.
func TestStagedRollbacks(t *testing.T) {
	for name, strategy := range map[string]string{
		"blue/green": "{strategy: BLUE_GREEN, bakeTimeInMinutes: 5}",
		"linear":     "{strategy: LINEAR, linearConfiguration: {stepPercent: 50, stepBakeTimeInMinutes: 2}}",
		"canary":     "{strategy: CANARY, canaryConfiguration: {canaryPercent: 10, canaryBakeTimeInMinutes: 2}}",
		"paused": "{strategy: BLUE_GREEN, lifecycleHooks: [{targetType: PAUSE, lifecycleStages: [POST_PRODUCTION_TRAFFIC_SHIFT], " +
			"timeoutConfiguration: {timeoutInMinutes: 10, action: CONTINUE}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			at(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2], deployment: "+strategy+"}\n",
				func(t *testing.T, s *site) {
					out, err := s.rollback(inputs(""))
					if err != nil || out.Outcome != action.Succeeded {
						t.Fatalf("%+v, %v", out, err)
					}
					if at, running := s.Primary(); at != family+":1" || running != 2 {
						t.Errorf("the service runs %d tasks of %s", running, at)
					}
					s.deploy("v3", nil)
					time.Sleep(3 * time.Minute) // both versions run
					out, err = s.rollback(inputs(""))
					if err != nil || out.Outcome != action.Succeeded || !out.Changed {
						t.Fatalf("while a deployment is in progress: %+v, %v", out, err)
					}
					if at, running := s.Primary(); at != family+":1" || running != 2 {
						t.Errorf("after a deployment was stopped the service runs %d tasks of %s", running, at)
					}
				})
		})
	}
}
