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

func TestImagesTellVersionsApart(t *testing.T) {
	for _, test := range []struct {
		name   string
		images []Image
		want   string
	}{
		{"what ECS resolved", []Image{{Container: "api", Image: "repo:1", Digest: digest("1")}}, "api=" + digest("1")},
		{"what the task definition pins", []Image{{Container: "api", Image: "repo@" + digest("2")}}, "api=" + digest("2")},
		{"what ECS resolved counts", []Image{{Container: "api", Image: "repo@" + digest("2"), Digest: digest("1")}}, "api=" + digest("1")},
		{"in any order", []Image{{Container: "web", Digest: digest("2")}, {Container: "api", Digest: digest("1")}},
			"api=" + digest("1") + " web=" + digest("2")},
		{"one that nobody knows", []Image{{Container: "api", Digest: digest("1")}, {Container: "web", Image: "repo:1"}}, "the revision"},
		{"none", nil, "the revision"},
	} {
		if got := (Deployment{TaskDefinition: "the revision", Images: test.images}).images(); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
