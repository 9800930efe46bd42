package history

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestStatus(t *testing.T) {
	type is struct{ succeeded, running, rolledBack bool }
	for status, want := range map[types.ServiceDeploymentStatus]is{
		types.ServiceDeploymentStatusPending:            {running: true},
		types.ServiceDeploymentStatusInProgress:         {running: true},
		types.ServiceDeploymentStatusStopRequested:      {running: true},
		types.ServiceDeploymentStatusRollbackRequested:  {running: true, rolledBack: true},
		types.ServiceDeploymentStatusRollbackInProgress: {running: true, rolledBack: true},
		types.ServiceDeploymentStatusRollbackSuccessful: {rolledBack: true},
		types.ServiceDeploymentStatusRollbackFailed:     {rolledBack: true},
		types.ServiceDeploymentStatusSuccessful:         {succeeded: true},
		types.ServiceDeploymentStatusStopped:            {},
		"":                                              {},
	} {
		d := Deployment{Status: status}
		if got := (is{d.Succeeded(), d.Running(), d.RolledBack()}); got != want {
			t.Errorf("%s: got %+v, want %+v", status, got, want)
		}
	}
}

func TestDigests(t *testing.T) {
	d := Deployment{Images: []Image{{Container: "api", Digest: digest("1")}, {Container: "log", Image: "log:1"}}}
	if got := d.Digests(); !maps.Equal(got, map[string]string{"api": digest("1")}) {
		t.Errorf("got %v", got)
	}
}
