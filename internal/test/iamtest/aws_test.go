package iamtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// awsPolicy is what the README of AWS's own action asks for to deploy a service
// (https://github.com/aws-actions/amazon-ecs-deploy-task-definition#permissions).
const awsPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Sid": "RegisterTaskDefinition", "Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition"], "Resource": "*"},
	{"Sid": "PassRolesInTaskDefinition", "Effect": "Allow", "Action": ["iam:PassRole"],
		"Resource": ["arn:aws:iam::{account}:role/{task-role}", "arn:aws:iam::{account}:role/{execution-role}"]},
	{"Sid": "DeployService", "Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices"],
		"Resource": ["arn:aws:ecs:{region}:{account}:service/{cluster}/{service}"]}]}`

// TestAWSOwnPolicySuffices deploys a file, as AWS's action does, with what that action needs: all else costs warnings alone, one
// for each permission.
func TestAWSOwnPolicySuffices(t *testing.T) {
	file := func(s *site) (action.Outcome, error) {
		in := deployInputs("v2")
		in.TaskDefinition = filepath.Join(s.t.TempDir(), "task.json")
		s.must(os.WriteFile(in.TaskDefinition, s.document(family+":1"), 0o600))
		return deploy(in)(s)
	}
	for _, st := range []scenario{
		{name: "good", before: image(""), run: file, want: action.Succeeded},
		{name: "bad", before: image(crashing), run: file, want: action.RolledBack},
		{name: "bad without a circuit breaker", service: ", rollback: false", before: image(crashing), run: file, want: action.RolledBack},
	} {
		t.Run(st.name, func(t *testing.T) {
			r := st.play(t, st.fill(awsPolicy))
			if r.outcome != st.want {
				t.Errorf("%s, want %s: %v", r.outcome, st.want, r.err)
			}
			denied := map[string]int{}
			for _, a := range r.allowed() {
				if !a.Allowed {
					denied[a.Action] = 0
				}
			}
			for _, warning := range r.warnings {
				title, _, _ := strings.Cut(warning, ": not available")
				_, name, _ := strings.Cut(title, "Optional permission missing: ")
				name, _, _ = strings.Cut(name, ":"+" ")
				denied[name]++
			}
			if len(denied) < 5 {
				t.Errorf("only %v were denied", denied)
			}
			for name, n := range denied {
				if n != 1 {
					t.Errorf("%d warnings about %s, want 1: %q", n, name, r.warnings)
				}
			}
		})
	}
}
