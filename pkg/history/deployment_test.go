package history

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
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

// api is the part of ECS that history reads. Revision rN runs task definition N; "gone" is one that ECS does not know any more.
type api struct {
	listed    []types.ServiceDeploymentBrief
	described map[string]types.ServiceDeployment
	denied    map[string]error // by call
	asked     []string
}

func (a *api) ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput,
	...func(*ecs.Options)) (*ecs.ListServiceDeploymentsOutput, error) {
	return &ecs.ListServiceDeploymentsOutput{ServiceDeployments: a.listed}, a.denied["list"]
}

func (a *api) DescribeServiceDeployments(_ context.Context, in *ecs.DescribeServiceDeploymentsInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeServiceDeploymentsOutput, error) {
	a.asked = append(a.asked, in.ServiceDeploymentArns...)
	out := &ecs.DescribeServiceDeploymentsOutput{}
	if d, ok := a.described[in.ServiceDeploymentArns[0]]; ok {
		out.ServiceDeployments = append(out.ServiceDeployments, d)
	}
	return out, a.denied["describe"]
}

func (a *api) DescribeServiceRevisions(_ context.Context, in *ecs.DescribeServiceRevisionsInput,
	_ ...func(*ecs.Options)) (*ecs.DescribeServiceRevisionsOutput, error) {
	out := &ecs.DescribeServiceRevisionsOutput{}
	for _, arn := range in.ServiceRevisionArns {
		if number, ok := strings.CutPrefix(arn, "r"); ok {
			out.ServiceRevisions = append(out.ServiceRevisions, types.ServiceRevision{ServiceRevisionArn: aws.String(arn),
				TaskDefinition: aws.String(prefix + number), ContainerImages: []types.ContainerImage{{ImageDigest: aws.String(digest(number))}}})
		}
	}
	return out, a.denied["revisions"]
}

func TestReadHasTheCurrentOne(t *testing.T) {
	brief := types.ServiceDeploymentBrief{ServiceDeploymentArn: aws.String("d1"), TargetServiceRevisionArn: aws.String("r1"),
		CreatedAt: aws.Time(minuteAt(1)), Status: "SUCCESSFUL", StatusReason: aws.String("why")}
	newer := types.ServiceDeployment{ServiceDeploymentArn: aws.String("d2"), CreatedAt: aws.Time(minuteAt(2)), Status: "IN_PROGRESS",
		TargetServiceRevision: &types.ServiceRevisionSummary{Arn: aws.String("r2")}}
	older := newer
	older.CreatedAt = aws.Time(minuteAt(0))
	refused := errors.New("refused")
	for _, test := range []struct {
		name    string
		current string
		is      types.ServiceDeployment
		denied  map[string]error
		want    string
		asked   int
	}{
		{name: "none", is: newer, want: "d1"},
		{name: "one that is listed", current: "d1", is: newer, want: "d1"},
		{name: "one that is not listed yet", current: "d2", is: newer, want: "d2 d1", asked: 1},
		{name: "one that is not listed any more", current: "d2", is: older, want: "d1 d2", asked: 1},
		{name: "one that is not known", current: "d3", is: newer, want: "d1", asked: 1},
		{name: "one that may not be described", current: "d2", is: newer, denied: map[string]error{"describe": refused}, want: "d1", asked: 1},
	} {
		a := &api{listed: []types.ServiceDeploymentBrief{brief}, denied: test.denied,
			described: map[string]types.ServiceDeployment{"d2": test.is}}
		all, err := Read(t.Context(), a, "prod", "api", test.current)
		var got []string
		for _, d := range all {
			got = append(got, d.ARN)
			if d.TaskDefinition != prefix+d.ARN[1:] || len(d.Images) != 1 || d.Created.IsZero() || d.Status == "" {
				t.Errorf("%s: %+v", test.name, d)
			}
		}
		if strings.Join(got, " ") != test.want || err != nil || len(a.asked) != test.asked {
			t.Errorf("%s: got %q, %v, having described %q", test.name, got, err, a.asked)
		}
	}
	for call, part := range map[string]string{"list": "listing the service deployments of api", "revisions": "reading what service api ran"} {
		a := &api{listed: []types.ServiceDeploymentBrief{brief}, denied: map[string]error{call: refused}}
		if _, err := Read(t.Context(), a, "prod", "api", ""); !errors.Is(err, refused) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestReplaced(t *testing.T) {
	sources := func(arns ...string) (all []types.ServiceRevisionSummary) {
		for _, arn := range arns {
			all = append(all, types.ServiceRevisionSummary{Arn: aws.String(arn)})
		}
		return all
	}
	a := &api{described: map[string]types.ServiceDeployment{"d2": {SourceServiceRevisions: sources("r1", "gone", "r3")}}}
	all, err := Replaced(t.Context(), a, "d2")
	if err != nil || len(all) != 2 || all[0].TaskDefinition != td(1) || all[1].TaskDefinition != td(3) || all[0].Digests()[""] != digest("1") {
		t.Errorf("got %+v, %v", all, err)
	}
	if all, err := Replaced(t.Context(), a, "d9"); err != nil || len(all) > 0 {
		t.Errorf("of a deployment that is not known: %+v, %v", all, err)
	}
	refused := errors.New("refused")
	for _, call := range []string{"describe", "revisions"} {
		a.denied = map[string]error{call: refused}
		if all, err := Replaced(t.Context(), a, "d2"); !errors.Is(err, refused) || len(all) > 0 || !strings.Contains(err.Error(), "d2") {
			t.Errorf("%s: %+v, %v", call, all, err)
		}
	}
}

func TestFirstOf(t *testing.T) {
	all := deployed(t, "1 2- 2 1 2")
	for n, want := range map[int]string{1: began(0), 2: began(2), 3: ""} {
		if got := FirstOf(all, td(n)); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	if !slices.IsSortedFunc(all, func(a, b Deployment) int { return b.Created.Compare(a.Created) }) {
		t.Error("the deployments are in another order now")
	}
}
