package rollout

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/record"
)

// TestStopMeetsTheBreaker gives a deployment up just when the circuit breaker does, with StopServiceDeployment throttled: the breaker's
// rollback is seen and followed, and nothing is put over it, with the states that ECS gives and behind a Classic Load Balancer, where
// it gives none.
func TestStopMeetsTheBreaker(t *testing.T) {
	for _, test := range []struct {
		name    string
		classic bool // no rolloutState, and no service-deployments API
	}{{"with states", false}, {"without states", true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stateless := func(w *world) {
					if test.classic {
						for i := range w.service.Deployments {
							w.service.Deployments[i].RolloutState, w.service.Deployments[i].RolloutStateReason = "", nil
						}
					}
				}
				w := newWorld(
					scene{20 * time.Second, func(w *world) { w.crash("1"); stateless(w) }},
					scene{70 * time.Second, func(w *world) { w.crash("2"); w.find(newID).FailedTasks = 2 }},
					scene{76 * time.Second, func(w *world) { w.rollBack("the breaker tripped"); stateless(w) }},
					scene{110 * time.Second, func(w *world) { w.rolledBack("the breaker tripped"); stateless(w) }})
				w.fail = func(action string, _ int) error {
					switch {
					case action == "StopServiceDeployment":
						return throttled()
					case test.classic && strings.Contains(action, "ServiceDeployment"):
						return denied(action)
					}
					return nil
				}
				w.onUpdate = func(w *world, taskDefinition string) { // what is there already begins nothing
					if aws.ToString(w.service.TaskDefinition) != taskDefinition {
						w.begin(taskDefinition, laterID)
						w.script = nil
						w.script = append(w.script, scene{time.Since(w.begun) + 30*time.Second, func(w *world) {
							w.drop(newID)
							w.drop(oldID)
							w.find(laterID).RolloutState, w.find(laterID).RunningCount = "COMPLETED", 2
							stateless(w)
						}})
					}
				}
				judge := func(context.Context, Case) (Diagnosis, bool) {
					return Diagnosis{Finding: record.Finding{Code: "exit", Title: "exits at once", Certain: true}, Alike: len(w.tasks), Waves: 1}, true
				}
				result, events, err := drive(t.Context(), t, w, Diagnose(judge))
				if result.End != EndRolledBack || result.Serving != oldTD {
					t.Fatalf("got %v, serving %s: %v\n%s", result.End, result.Serving, err, texts(events))
				}
				if result.Took > 3*time.Minute {
					t.Errorf("took %v", result.Took)
				}
			})
		})
	}
}
