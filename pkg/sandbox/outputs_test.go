package sandbox_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/sandbox"
)

const devOutputs = "../../internal/test/rehearsaltest/testdata/dev.json"

func TestOutputsDescribeTheirEnvironment(t *testing.T) {
	var s sandbox.Scenario
	if err := s.LoadOutputs(devOutputs); err != nil {
		t.Fatal(err)
	}
	v := s.Service
	got := []any{
		s.Account, s.Region, s.Project, s.Environment, v.Cluster, v.Name, v.Family, v.Repository, v.Container, v.LogGroup,
		v.TargetGroup, v.LoadBalancer,
		v.ExecutionRole, v.TaskRole, v.CPU, v.Memory, *v.DesiredCount, v.Unreleased, s.Roles["connect2-api-dev-github-deploy"].Path,
	}
	want := []any{
		"123456789012", "us-west-2", "connect2-api", "dev", "connect2-api-cluster-dev", "connect2-api-service-dev",
		"connect2-api-dev", "connect2-api-dev",
		"connect2-api", "/ecs/connect2-api-dev", "connect2-api-alb-dev-blue", "connect2-api-alb-dev",
		"arn:aws:iam::123456789012:role/connect2-api/dev/connect2-api-dev-execution",
		"arn:aws:iam::123456789012:role/connect2-api/dev/connect2-api-dev-task",
		256, 512, 2, true, "/connect2-api-github/dev/",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
	if _, err := sandbox.Open(sandbox.Options{Scenario: &s}); err != nil {
		t.Error(err)
	}
}

func TestAScenarioStandsAboveOutputs(t *testing.T) {
	s, err := sandbox.ParseScenario([]byte("service: {cluster: mine, desiredCount: 0, releases: [v7]}\nroles: " +
		"{connect2-api-dev-github-deploy: {path: /mine/}}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.LoadOutputs(devOutputs); err != nil {
		t.Fatal(err)
	}
	if s.Service.Cluster != "mine" || *s.Service.DesiredCount != 0 || s.Service.Unreleased || s.Service.Name != "connect2-api-service-dev" ||
		s.Roles["connect2-api-dev-github-deploy"].Path != "/mine/" {
		t.Errorf("%+v, %+v", s.Service, s.Roles)
	}
}

func TestOutputsThatDescribeNoEnvironment(t *testing.T) {
	good, err := os.ReadFile(devOutputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", []string{"not what `terraform output -json` prints"}},
		{"{}", []string{"cluster_name", "target_group_arn", "differences.cpu_memory"}},
		{`{"cluster_name": {"value": 3}}`, []string{"not the outputs of an environment"}},
		{strings.Replace(string(good), `"256/512"`, `"small"`, 1), []string{`differences.cpu_memory: "small"`}},
		{strings.Replace(string(good), "connect2-api/dev/redis-", "connect2-api/prod/redis-", 1), []string{"redis_secret_arn"}},
		{strings.ReplaceAll(string(good), "connect2-api-dev-template", "connect2-api-dev"), []string{"template_family"}},
	} {
		var s sandbox.Scenario
		err := s.AddOutputs([]byte(tt.text))
		if err == nil || !reflect.DeepEqual(s, sandbox.Scenario{}) {
			t.Errorf("%.60s: %v, scenario %+v", tt.text, err, s)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%.60s: %v does not speak of %q", tt.text, err, want)
			}
		}
	}
}
