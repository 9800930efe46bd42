package ecsview

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestOnFargate(t *testing.T) {
	provider := func(names ...string) (s types.Service) {
		for _, name := range names {
			s.CapacityProviderStrategy = append(s.CapacityProviderStrategy, types.CapacityProviderStrategyItem{CapacityProvider: aws.String(name)})
		}
		return s
	}
	for _, test := range []struct {
		name    string
		service types.Service
		want    bool
	}{
		{"launch type", types.Service{LaunchType: types.LaunchTypeFargate}, true},
		{"EC2", types.Service{LaunchType: types.LaunchTypeEc2}, false},
		{"providers", provider("FARGATE", "FARGATE_SPOT"), true},
		{"managed instances", provider("my-instances"), false},
		{"mixed", provider("FARGATE", "my-instances"), false},
	} {
		if got := OnFargate(test.service); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestComplete(t *testing.T) {
	at := func(id, td, state, reason string, after time.Duration) Deployment {
		return Deployment{ID: id, TaskDefinition: td, State: state, Reason: reason, Created: epoch.Add(after)}
	}
	for _, test := range []struct {
		name        string
		deployments []Deployment
		except      string
		want        string
	}{
		{"nothing", nil, "", ""},
		{"nothing is complete", []Deployment{at("2", "b", "IN_PROGRESS", "", 1), at("1", "a", "FAILED", "", 0)}, "", ""},
		{"what is replaced", []Deployment{at("2", "b", "IN_PROGRESS", "", 1), at("1", "a", "COMPLETED", "", 0)}, "b", "a"},
		{"not the one that is excepted", []Deployment{at("2", "b", "COMPLETED", "", 1)}, "b", ""},
		{"the newest", []Deployment{at("1", "a", "COMPLETED", "", 0), at("3", "c", "COMPLETED", "", 2),
			at("2", "b", "COMPLETED", "", 1)}, "", "c"},
		{"what ECS rolls back to", []Deployment{at("ecs-svc/1", "a", "IN_PROGRESS",
			"ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.", 0)}, "b", "a"},
		{"not what another is rolled back to", []Deployment{at("ecs-svc/1", "a", "IN_PROGRESS",
			"ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/11.", 0)}, "b", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Snapshot{TaskDefinition: "own", Deployments: test.deployments}
			if got := s.Complete(test.except); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if want := s.Complete(""); want == "" && s.Worked() != "own" || want != "" && s.Worked() != want {
				t.Errorf("Worked is %q", s.Worked())
			}
		})
	}
}

func TestSettled(t *testing.T) {
	good := func() Snapshot {
		return Snapshot{Desired: 2, Running: 2, Deployments: []Deployment{{Status: "PRIMARY", State: "COMPLETED"}}}
	}
	if !good().Settled() {
		t.Error("one complete deployment with all of its tasks is not settled")
	}
	for name, change := range map[string]func(*Snapshot){
		"no deployment":     func(s *Snapshot) { s.Deployments = nil },
		"two deployments":   func(s *Snapshot) { s.Deployments = append(s.Deployments, Deployment{Status: "ACTIVE"}) },
		"in progress":       func(s *Snapshot) { s.Deployments[0].State = "IN_PROGRESS" },
		"a task is missing": func(s *Snapshot) { s.Running = 1 },
		"a task starts":     func(s *Snapshot) { s.Pending = 1 },
	} {
		s := good()
		if change(&s); s.Settled() {
			t.Errorf("%s: settled", name)
		}
	}
}

func TestSnapshotOf(t *testing.T) {
	s := SnapshotOf(types.Service{
		Status: aws.String("ACTIVE"), CurrentServiceDeployment: aws.String("arn:sd"),
		LoadBalancers: []types.LoadBalancer{{TargetGroupArn: aws.String("blue"),
			AdvancedConfiguration: &types.AdvancedConfiguration{AlternateTargetGroupArn: aws.String("green")}},
			{LoadBalancerName: aws.String("classic")}},
		Deployments: []types.Deployment{{Id: aws.String("ecs-svc/1"), FailedTasks: 3}},
	})
	if fmt.Sprint(s.TargetGroups) != "[blue green]" || s.Current != "arn:sd" || s.Find("ecs-svc/1").Failed != 3 || s.Find("") != nil {
		t.Errorf("%+v", s)
	}
}

// past lists many deployments, and describes revisions.
type past struct {
	n       int
	batches []int
}

func (p *past) ListServiceDeployments(_ context.Context, in *ecs.ListServiceDeploymentsInput,
	_ ...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error) {
	from := 0
	if in.NextToken != nil {
		if _, err := fmt.Sscan(*in.NextToken, &from); err != nil {
			return nil, err
		}
	}
	out := &ecs.ListServiceDeploymentsOutput{}
	to := min(from+int(*in.MaxResults), p.n)
	for i := from; i < to; i++ {
		out.ServiceDeployments = append(out.ServiceDeployments, types.ServiceDeploymentBrief{
			ServiceDeploymentArn: aws.String(fmt.Sprintf("sd/%d", i)), CreatedAt: aws.Time(epoch.Add(time.Duration(i) * time.Minute)),
			TargetServiceRevisionArn: aws.String(fmt.Sprintf("sr/%d", i%50))})
	}
	if to < p.n {
		out.NextToken = aws.String(fmt.Sprint(to))
	}
	return out, nil
}

func (p *past) DescribeServiceRevisions(_ context.Context, in *ecs.DescribeServiceRevisionsInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error) {
	p.batches = append(p.batches, len(in.ServiceRevisionArns))
	out := &ecs.DescribeServiceRevisionsOutput{}
	for _, arn := range in.ServiceRevisionArns {
		if arn != "sr/7" { // ECS has forgotten it
			out.ServiceRevisions = append(out.ServiceRevisions,
				types.ServiceRevision{ServiceRevisionArn: aws.String(arn), TaskDefinition: aws.String("td" + arn)})
		}
	}
	return out, nil
}

func TestServiceDeploymentsAreReadToTheEnd(t *testing.T) {
	p := &past{n: 250}
	for most, want := range map[int]int{0: 250, 1: 100, 100: 100, 101: 200} {
		all, err := ListServiceDeployments(t.Context(), p, "c", "api", time.Time{}, most)
		if err != nil || len(all) != want || !all[0].Created.After(all[1].Created) {
			t.Errorf("at most %d: %d, %v", most, len(all), err)
		}
	}
}

func TestRevisionsInBatches(t *testing.T) {
	p := &past{}
	arns := []string{"", "sr/1", "sr/1"}
	for i := range 45 {
		arns = append(arns, fmt.Sprintf("sr/%d", i))
	}
	found, err := DescribeRevisions(t.Context(), p, arns)
	if err != nil || len(found) != 44 || found["sr/3"].TaskDefinition != "tdsr/3" || fmt.Sprint(p.batches) != "[20 20 5]" {
		t.Errorf("%d found by %v: %v", len(found), p.batches, err)
	}
}
