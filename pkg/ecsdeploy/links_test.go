package ecsdeploy_test

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// TestLinksOfAFailure leads whoever reads the summary of a failed release to the deployment, the task, its log and its target group.
func TestLinksOfAFailure(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "{start: unhealthy, status: 500}")
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		const region = "https://us-west-2.console.aws.amazon.com/"
		for what, want := range map[string]string{
			"Deployment":          "(" + region + "ecs/v2/clusters/" + cluster + "/services/" + service + "/deployments/",
			"Failed task":         "(" + region + "ecs/v2/clusters/" + cluster + "/tasks/",
			"Log of connect2-api": "(" + region + "cloudwatch/home?region=us-west-2#logsV2:log-groups/log-group/",
			"Target group":        "(" + region + "ec2/home?region=us-west-2#TargetGroup:targetGroupArn=arn:aws:elasticloadbalancing:",
		} {
			found := false
			for line := range strings.Lines(s.Log.Summary()) {
				found = found || strings.Contains(line, "**"+what+"**") && strings.Contains(line, want)
			}
			if !found {
				t.Errorf("the summary lacks %s with %s:\n%s", what, want, s.Log.Summary())
			}
		}
	})
}
