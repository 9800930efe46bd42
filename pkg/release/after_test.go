package release

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
)

// TestAfterMigration says what serves on the new schema.
func TestAfterMigration(t *testing.T) {
	const arn = "arn:aws:ecs:us-west-2:123456789012:task-definition/"
	for _, test := range []struct {
		outcome  action.Outcome
		previous string
		want     string
	}{
		{action.RolledBack, "api:7", "serving on it is the code of api:7"},
		{action.Failed, "api:7", "serving on it is the code of api:7"},
		{action.RolledBack, "api-template:1", "no code serves on it yet"},
		{action.Superseded, "api:7", "serving on it is what took over"},
		{action.Superseded, "api-template:1", "serving on it is what took over"},
		{action.Stuck, "api:7", "what serves is not known"},
	} {
		err := afterMigration(action.Failf(test.outcome, "no"), ecsdeploy.Outputs{PreviousTaskDefinitionARN: arn + test.previous})
		if !strings.Contains(err.Error(), test.want) || action.OutcomeOf(err) != test.outcome {
			t.Errorf("%s after %s: %v", test.outcome, test.previous, err)
		}
	}
}
