package policy_test

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

func TestEvaluate(t *testing.T) {
	const service = "arn:aws:ecs:us-west-2:123456789012:service/c/s"
	const document = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ecs:Describe*","ECS:updateservice"],"Resource":"arn:aws:ecs:*:123456789012:service/c/*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":["ecs-tasks.amazonaws.com"]}}},
		{"Effect":"Allow","Action":"ecs:RunTask","Resource":"*","Condition":{"ArnEqualsIfExists":{"ecs:cluster":"arn:*:cluster/c"}}},
		{"Effect":"Allow","NotAction":"iam:*","NotResource":["arn:aws:ecs:*","arn:aws:iam:*","arn:aws:ecr:*"]},
		{"Effect":"Deny","Action":"ecr:Delete*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"ops"}}},
		{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`
	tests := []struct {
		name, action, resource string
		context                map[string]string
		want                   policy.Decision
	}{
		{"wildcard action and resource", "ecs:DescribeServices", service, nil, policy.Allowed},
		{"action names ignore case", "ecs:UpdateService", service, nil, policy.Allowed},
		{"other action", "ecs:DeleteService", service, nil, policy.ImplicitDeny},
		{"resources keep case", "ecs:DescribeServices", "arn:aws:ecs:us-west-2:123456789012:service/C/s", nil, policy.ImplicitDeny},
		{"condition holds", "iam:PassRole", "arn:aws:iam::1:role/r", map[string]string{"iam:passedtoservice": "ecs-tasks.amazonaws.com"},
			policy.Allowed},
		{"condition fails", "iam:PassRole", "arn:aws:iam::1:role/r", map[string]string{"iam:PassedToService": "ec2.amazonaws.com"},
			policy.ImplicitDeny},
		{"condition key is missing", "iam:PassRole", "arn:aws:iam::1:role/r", nil, policy.ImplicitDeny},
		{"IfExists and missing", "ecs:RunTask", "arn:aws:ecs:x", nil, policy.Allowed},
		{"IfExists and other", "ecs:RunTask", "arn:aws:ecs:x", map[string]string{"ecs:cluster": "arn:aws:ecs:r:a:cluster/d"},
			policy.ImplicitDeny},
		{"NotAction and NotResource", "logs:GetLogEvents", "arn:aws:logs:r:a:log-group:g", nil, policy.Allowed},
		{"NotAction excludes", "iam:GetRole", "arn:aws:s3:::b", nil, policy.ImplicitDeny},
		{"deny wins over a later allow", "ecr:DeleteRepository", "arn:aws:ecr:r:a:repository/n", nil, policy.ExplicitDeny},
		{"deny does not apply", "ecr:DeleteRepository", "arn:aws:ecr:r:a:repository/n", map[string]string{"aws:PrincipalTag/team": "ops"},
			policy.Allowed},
	}
	p, err := policy.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.Evaluate(tt.action, tt.resource, tt.context); got != tt.want {
				t.Errorf("Evaluate(%s, %s) = %s, want %s", tt.action, tt.resource, got, tt.want)
			}
		})
	}
	var none *policy.Policy
	if got := none.Evaluate("any:Thing", "*", nil); got != policy.Allowed {
		t.Errorf("no policy at all: %s, want allowed", got)
	}
}

func TestParseRefusesWhatItCannotEvaluate(t *testing.T) {
	for document, want := range map[string]string{
		`{"Statement":{"Effect":"Maybe","Action":"a:B","Resource":"*"}}`:                                                         "Maybe",
		`{"Statement":{"Effect":"Allow","Resource":"*"}}`:                                                                        "Action",
		`{"Statement":{"Effect":"Allow","Action":"a:B"}}`:                                                                        "Resource",
		`{"Statement":{"Effect":"Allow","Action":"a:B","Resource":"*","Principal":"*"}}`:                                         "Principal",
		`{"Statement":{"Effect":"Allow","Action":"a:B","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"x"}}}}`: "DateGreaterThan",
		`{"Statement":`: "JSON",
	} {
		if _, err := policy.Parse([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%s) = %v, want an error that names %q", document, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		text, pattern string
		want          bool
	}{
		{"", "", true}, {"", "*", true}, {"a", "", false}, {"abc", "a*c", true}, {"abc", "a?c", true}, {"ac", "a?c", false},
		{"secret:db-AbCdEf", "secret:db-??????", true}, {"secret:db-AbCdE", "secret:db-??????", false},
		{"aXbXc", "a*X*c", true}, {"ab", "*b*a", false}, {"mississippi", "m*iss*ip*", true},
	} {
		if got := policy.Match(tt.text, tt.pattern); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.text, tt.pattern, got)
		}
	}
}
