package awsconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

// deployActionPolicy is what the README of aws-actions/amazon-ecs-deploy-task-definition documents as the minimum for running
// a service: many teams' roles hold just this.
const deployActionPolicy = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition"], "Resource": "*"},
	{"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": ["arn:aws:iam::123456789012:role/task", "arn:aws:iam::123456789012:role/execution"]},
	{"Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices"], "Resource":
		["arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-dev/connect2-api-service-dev"]}]}`

// gate answers calls with {} where the policy allows them, and with AWS's denial where it does not.
type gate struct{ allowed []string }

func newGate(t *testing.T, policy string) *gate {
	var document struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	for _, s := range document.Statement {
		g.allowed = append(g.allowed, s.Action...)
	}
	return g
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	prefix := map[string]string{"AmazonEC2ContainerServiceV20141113": "ecs", "Logs_20140328": "logs"}
	target, operation, isJSON := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	permission := prefix[target] + ":" + operation
	if !isJSON {
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		permission = map[string]string{"2015-12-01": "elasticloadbalancing", "2010-05-08": "iam"}[r.Form.Get("Version")] + ":" +
			r.Form.Get("Action")
	}
	denial := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: * because no identity-based policy allows the %[2]s action",
		awserrtest.SessionARN, permission)
	switch allowed := slices.Contains(g.allowed, permission); {
	case allowed:
		return response(200, "{}"), nil
	case isJSON:
		return response(400, fmt.Sprintf(`{"__type":"AccessDeniedException","Message":%q}`, denial)), nil
	default:
		return response(403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>"+denial+
			"</Message></Error><RequestId>r</RequestId></ErrorResponse>"), nil
	}
}

func gatedConn(t *testing.T) (*Conn, *action.Env, func() []string) {
	t.Helper()
	env, recorder := inEnv(newWorld(t), "AWS_REGION=us-west-2", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY="+staticCanary)
	env.Transport = newGate(t, deployActionPolicy)
	cfg, err := loadConfig(t.Context(), env, Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	return &Conn{Config: cfg}, env, recorder.Warnings
}

// With the policy of AWS's own deploy action, what a deployment needs works, and every read beyond it is one warning.
func TestOptionalWithThePolicyOfTheDeployAction(t *testing.T) {
	conn, env, warnings := gatedConn(t)
	ctx, name := t.Context(), "connect2-api-service-dev"
	tasks, logs := ecs.NewFromConfig(conn.Config), cloudwatchlogs.NewFromConfig(conn.Config)
	balancer, identity := elasticloadbalancingv2.NewFromConfig(conn.Config), iam.NewFromConfig(conn.Config)

	if _, err := tasks.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{name}}); err != nil {
		t.Errorf("a required read failed: %v", err)
	}
	if _, err := tasks.UpdateService(ctx, &ecs.UpdateServiceInput{Service: &name}); err != nil {
		t.Errorf("the change failed: %v", err)
	}
	reads := []struct {
		permission string
		read       func(context.Context) error
	}{
		{"ecs:ListServiceDeployments", func(ctx context.Context) error {
			_, err := tasks.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: &name})
			return err
		}},
		{"ecs:DescribeServiceDeployments", func(ctx context.Context) error {
			_, err := tasks.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{"a"}})
			return err
		}},
		{"ecs:ListTasks", func(ctx context.Context) error {
			_, err := tasks.ListTasks(ctx, &ecs.ListTasksInput{ServiceName: &name})
			return err
		}},
		{"logs:GetLogEvents", func(ctx context.Context) error {
			_, err := logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogStreamName: &name})
			return err
		}},
		{"elasticloadbalancing:DescribeTargetHealth", func(ctx context.Context) error {
			_, err := balancer.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: &name})
			return err
		}},
		{"iam:SimulatePrincipalPolicy", func(ctx context.Context) error {
			_, err := identity.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &name, ActionNames: []string{"a:b"}})
			return err
		}},
	}
	for _, r := range reads {
		for range 3 { // a poll repeats it
			if err := r.read(ctx); !awserr.Optional(env.Events, "What "+path.Base(r.permission)+" shows", err) {
				t.Errorf("%s: not taken for a denied optional read: %v", r.permission, err)
			}
		}
	}
	told := warnings()
	if len(told) != len(reads) {
		t.Fatalf("%d warnings for %d permissions:\n%s", len(told), len(reads), strings.Join(told, "\n"))
	}
	for i, r := range reads {
		if !strings.Contains(told[i], r.permission) || !strings.Contains(told[i], `"Effect":"Allow"`) || !strings.Contains(told[i], "role deploy") {
			t.Errorf("%s: %s", r.permission, told[i])
		}
	}
}

func TestOptionalIsForDenialsAlone(t *testing.T) {
	_, env, warnings := gatedConn(t)
	for _, err := range []error{
		nil, errors.New("x"), context.Canceled,
		awserrtest.Answered("ECS", "ListTasks", 400, awserrtest.API("ThrottlingException", "Rate exceeded")),
		awserrtest.Answered("ECS", "ListTasks", 400, awserrtest.API("ExpiredTokenException", awserrtest.ExpiredText)),
		awserrtest.Answered("ECS", "ListTasks", 400, awserrtest.API("ClusterNotFoundException", "Cluster not found.")),
	} {
		if awserr.Optional(env.Events, "Tasks", err) {
			t.Errorf("went on without, after: %v", err)
		}
	}
	if told := warnings(); len(told) > 0 {
		t.Errorf("warned: %v", told)
	}
	denied := awserrtest.Answered("ECS", "ListTasks", 400, awserrtest.API("AccessDeniedException", "no reason given"))
	if !awserr.Optional(nil, "Tasks", denied) {
		t.Error("a nil log must only be silent")
	}
	_, other, otherWarnings := gatedConn(t)
	if !awserr.Optional(env.Events, "Tasks", denied) || !awserr.Optional(other.Events, "Tasks", awserr.Explain(denied)) {
		t.Error("a denial without a reason is one too")
	}
	if len(warnings()) != 1 || len(otherWarnings()) != 1 || !strings.Contains(warnings()[0], "ecs:ListTasks") {
		t.Errorf("each run is to be warned once: %v, %v", warnings(), otherWarnings())
	}
}
