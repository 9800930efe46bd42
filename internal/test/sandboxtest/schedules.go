package sandboxtest

import (
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// Definition is the beginning of the ARNs of the task definitions.
const Definition = "arn:aws:ecs:us-west-2:123456789012:task-definition/"

const clusterARN = "arn:aws:ecs:us-west-2:123456789012:cluster/" + Cluster

// Config is that of a client of the operator's.
func (s *Site) Config() aws.Config {
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: aws.String(s.Sandbox.Environ()["AWS_ENDPOINT_URL"]),
		HTTPClient:  &http.Client{Transport: s.Sandbox.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, "any", ""),
	}
}

// target is what a schedule starts: one task of a revision (FAMILY:REVISION) with a command of its own.
func target(revision string) map[string]any {
	return map[string]any{
		"Arn": clusterARN, "RoleArn": "arn:aws:iam::123456789012:role/connect2-api-dev-execution",
		"Input": `{"containerOverrides":[{"name":"` + Container + `","command":["python","-m","app.digest"]}]}`,
		"EcsParameters": map[string]any{"TaskDefinitionArn": Definition + revision, "TaskCount": 1, "LaunchType": "FARGATE",
			"NetworkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{"Subnets": []string{"subnet-0a1b2c3d4e5f60001"}}}},
	}
}

// PutRule makes or replaces a rule of EventBridge that runs a revision (FAMILY:REVISION) every day at 7.
func (s *Site) PutRule(name, revision string) {
	s.T.Helper()
	of := target(revision)
	of["Id"] = "task"
	s.events("PutRule", map[string]any{"Name": name, "ScheduleExpression": "cron(0 7 * * ? *)"})
	s.events("PutTargets", map[string]any{"Rule": name, "Targets": []any{of}})
}

func (s *Site) events(operation string, in any) (out map[string]any) {
	s.T.Helper()
	if err := awscall.JSON(s.T.Context(), s.Config(), awscall.EventBridge, operation, in, &out); err != nil {
		s.T.Fatal(err)
	}
	return out
}

// RuleRuns returns what the first target of a rule runs, as FAMILY:REVISION.
func (s *Site) RuleRuns(name string) string {
	s.T.Helper()
	of := s.events("ListTargetsByRule", map[string]any{"Rule": name})["Targets"].([]any)[0].(map[string]any)
	return arn.Last(of["EcsParameters"].(map[string]any)["TaskDefinitionArn"].(string))
}

// PutSchedule makes a schedule of EventBridge Scheduler that runs a revision (FAMILY:REVISION) every day at 8 in Berlin.
func (s *Site) PutSchedule(name, revision string) {
	s.T.Helper()
	in := map[string]any{"ScheduleExpression": "cron(0 8 * * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin",
		"FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "Target": target(revision)}
	s.scheduler("CreateSchedule", http.MethodPost, name, nil, in)
}

// ScheduleRuns returns what a schedule runs, as FAMILY:REVISION.
func (s *Site) ScheduleRuns(name string) string {
	s.T.Helper()
	of := s.scheduler("GetSchedule", http.MethodGet, name, url.Values{"groupName": {"default"}}, nil)["Target"].(map[string]any)
	return arn.Last(of["EcsParameters"].(map[string]any)["TaskDefinitionArn"].(string))
}

func (s *Site) scheduler(operation, method, name string, query url.Values, in any) (out map[string]any) {
	s.T.Helper()
	err := awscall.REST(s.T.Context(), s.Config(), awscall.Scheduler, operation, method, "/schedules/"+name, query, in, &out)
	if err != nil {
		s.T.Fatal(err)
	}
	return out
}
