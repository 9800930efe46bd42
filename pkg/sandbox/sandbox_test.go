package sandbox_test

import (
	"testing"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestSeedWorld checks the names that users find when they start a sandbox without a scenario.
func TestSeedWorld(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	sb.Inspect(func(e *engine.Engine) {
		cluster, err := e.Cluster("connect2-api-cluster-dev")
		if err != nil {
			t.Fatal(err)
		}
		service := cluster.Service("connect2-api-service-dev")
		if service == nil {
			t.Fatal("the service does not exist")
		}
		for _, event := range service.Events {
			t.Log(event.At, event.Message)
		}
		if counts := service.Counts(); counts.Running != 2 || counts.Pending != 0 {
			t.Errorf("counts are %+v, want 2 running", counts)
		}
	})
}
