package sandbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// TestWhatDoesNotExist checks AWS's own code and text for everything that is asked for and is not there.
func TestWhatDoesNotExist(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	config, ctx := operator(sb), t.Context()
	registry, logs, balancing := ecr.NewFromConfig(config), cloudwatchlogs.NewFromConfig(config), elasticloadbalancingv2.NewFromConfig(config)
	secrets, parameters, scaling := secretsmanager.NewFromConfig(config), ssm.NewFromConfig(config),
		applicationautoscaling.NewFromConfig(config)
	group := aws.String("/ecs/connect2-api-dev")
	tests := []struct {
		name, code, message string
		call                func() error
	}{
		{"repository", "RepositoryNotFoundException", "The repository with name 'x' does not exist in the registry with id '123456789012'",
			func() error {
				_, err := registry.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String("x")})
				return err
			}},
		{"image", "ImageNotFoundException", "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository " +
			"with name 'connect2-api-dev' in the registry with id '123456789012'", func() error {
			_, err := registry.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String(repository),
				ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("v9")}}})
			return err
		}},
		{"scan", "ScanNotFoundException", "Image scan does not exist for the image with", func() error {
			_, err := registry.DescribeImageScanFindings(ctx, &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String(repository),
				ImageId: &ecrtypes.ImageIdentifier{ImageTag: aws.String("v1")}})
			return err
		}},
		{"lifecycle policy", "LifecyclePolicyNotFoundException", "Lifecycle policy does not exist for the repository", func() error {
			_, err := registry.GetLifecyclePolicy(ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: aws.String(repository)})
			return err
		}},
		{"log group", "ResourceNotFoundException", "The specified log group does not exist.", func() error {
			_, err := logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/x")})
			return err
		}},
		{"log stream", "ResourceNotFoundException", "The specified log stream does not exist.", func() error {
			_, err := logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: aws.String("x")})
			return err
		}},
		{"log token", "InvalidParameterException", "The specified nextToken is invalid.", func() error {
			_, err := logs.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, NextToken: aws.String("x")})
			return err
		}},
		{"target group", "TargetGroupNotFound", "One or more target groups not found", func() error {
			_, err := balancing.DescribeTargetHealth(ctx,
				&elasticloadbalancingv2.DescribeTargetHealthInput{
					TargetGroupArn: aws.String("arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/x/0"),
				})
			return err
		}},
		{"load balancer", "LoadBalancerNotFound", "Load balancers '[x]' not found", func() error {
			_, err := balancing.DescribeLoadBalancers(ctx, &elasticloadbalancingv2.DescribeLoadBalancersInput{Names: []string{"x"}})
			return err
		}},
		{"secret", "ResourceNotFoundException", "Secrets Manager can't find the specified secret.", func() error {
			_, err := secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("x")})
			return err
		}},
		{"secret version", "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
			func() error {
				_, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("connect2-api/dev/rds-credentials"),
					VersionStage: aws.String("AWSPREVIOUS")})
				return err
			}},
		{"parameter", "ParameterNotFound", "", func() error {
			_, err := parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/x")})
			return err
		}},
		{"service to scale", "ValidationException", "ECS service doesn't exist: service/c/s", func() error {
			_, err := scaling.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
				ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
				ResourceId: aws.String("service/c/s"), MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(2),
			})
			return err
		}},
		{"role", "NoSuchEntity", "The role with name x cannot be found.", func() error {
			_, err := iam.NewFromConfig(config).GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("x")})
			return err
		}},
		{"operation", wire.CodeNotModelled, "connect2 sandbox does not model logs:StartQuery", func() error {
			_, err := logs.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{QueryString: aws.String("fields @message"),
				StartTime: aws.Int64(0), EndTime: aws.Int64(1)})
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call()
			if got := code(t, err); got != tt.code || !strings.Contains(message(err), tt.message) {
				t.Errorf("got %s %q\nwant %s %q", got, message(err), tt.code, tt.message)
			}
		})
	}
}

// TestLogTailSeesEveryLineOnce follows a stream by its forward token while lines go on arriving with the modelled lag.
func TestLogTailSeesEveryLineOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		client, group, stream := cloudwatchlogs.NewFromConfig(operator(sb)), aws.String("/ecs/connect2-api-dev"), aws.String("ecs/app/1")
		if _, err := client.CreateLogStream(t.Context(),
			&cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}); err != nil {
			t.Fatal(err)
		}
		var got []string
		var token *string
		read := func() {
			for {
				out, err := client.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
					LogGroupName: group, LogStreamName: stream, StartFromHead: aws.Bool(true), NextToken: token, Limit: aws.Int32(3),
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range out.Events {
					got = append(got, *e.Message)
				}
				if token != nil && *out.NextForwardToken == *token {
					return
				}
				token = out.NextForwardToken
			}
		}
		for i := range 20 {
			put(t, client, *group, *stream, time.Now(), fmt.Sprintf("line %d", i))
			read()
			if i < 3 && len(got) > 0 {
				t.Errorf("after %d s, within the lag, %d lines are visible", i, len(got))
			}
			time.Sleep(time.Second)
		}
		time.Sleep(3 * time.Second)
		read()
		want := make([]string, 20)
		for i := range want {
			want[i] = fmt.Sprintf("line %d", i)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the tail saw %d lines: %q", len(got), got)
		}
	})
}

func put(t *testing.T, client *cloudwatchlogs.Client, group, stream string, at time.Time, lines ...string) {
	t.Helper()
	var events []logstypes.InputLogEvent
	for _, line := range lines {
		events = append(events, logstypes.InputLogEvent{Message: aws.String(line), Timestamp: aws.Int64(at.UnixMilli())})
	}
	if _, err := client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream,
		LogEvents: events}); err != nil {
		t.Fatal(err)
	}
}

func TestFilterLogEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		client, group := cloudwatchlogs.NewFromConfig(operator(sb)), "/ecs/connect2-api-dev"
		for _, stream := range []string{"a/1", "a/2", "b/1"} {
			if _, err := client.CreateLogStream(t.Context(),
				&cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream}); err != nil {
				t.Fatal(err)
			}
			put(t, client, group, stream, time.Now(), stream+" INFO started", stream+" ERROR no database", stream+" ERROR no cache")
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Second)
		for _, tt := range []struct {
			pattern, prefix string
			streams         []string
			want            int
		}{
			{"", "", nil, 9}, {"ERROR", "", nil, 6}, {`"no database"`, "", nil, 3}, {"ERROR -cache", "", nil, 3}, {"?INFO ?cache", "a/", nil, 4},
			{"", "a/", nil, 6}, {"INFO", "", []string{"b/1"}, 1}, {"nothing", "", nil, 0},
		} {
			in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, LogStreamNames: tt.streams, Limit: aws.Int32(2)}
			if tt.pattern != "" {
				in.FilterPattern = &tt.pattern
			}
			if tt.prefix != "" {
				in.LogStreamNamePrefix = &tt.prefix
			}
			ids := map[string]bool{}
			for pager := cloudwatchlogs.NewFilterLogEventsPaginator(client, in); pager.HasMorePages(); {
				page, err := pager.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Events {
					ids[*e.EventId] = true
				}
			}
			if len(ids) != tt.want {
				t.Errorf("pattern %q, prefix %q, streams %v: %d events, want %d", tt.pattern, tt.prefix, tt.streams, len(ids), tt.want)
			}
		}
		if _, err := client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, FilterPattern: aws.String(`{$.a=1}`)}); code(t, err) != wire.CodeNotModelled {
			t.Errorf("a JSON pattern is not refused: %v", err)
		}
	})
}

func TestTargetHealthOfTheSeed(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	client := elasticloadbalancingv2.NewFromConfig(operator(sb))
	groups, err := client.DescribeTargetGroups(t.Context(),
		&elasticloadbalancingv2.DescribeTargetGroupsInput{Names: []string{"connect2-api-tg-dev"}})
	if err != nil {
		t.Fatal(err)
	}
	health, err := client.DescribeTargetHealth(t.Context(),
		&elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: groups.TargetGroups[0].TargetGroupArn})
	if err != nil {
		t.Fatal(err)
	}
	if len(health.TargetHealthDescriptions) != 2 {
		t.Fatalf("%d targets, want those of the two tasks", len(health.TargetHealthDescriptions))
	}
	for _, d := range health.TargetHealthDescriptions {
		if d.TargetHealth.State != "healthy" || d.TargetHealth.Reason != "" || *d.Target.Port != 8000 {
			t.Errorf("target %+v is %+v", *d.Target, *d.TargetHealth)
		}
	}
	listeners, err := client.DescribeListeners(t.Context(),
		&elasticloadbalancingv2.DescribeListenersInput{LoadBalancerArn: &groups.TargetGroups[0].LoadBalancerArns[0]})
	if err != nil || len(listeners.Listeners) != 1 ||
		*listeners.Listeners[0].DefaultActions[0].TargetGroupArn != *groups.TargetGroups[0].TargetGroupArn {
		t.Errorf("listeners: %+v, %v", listeners, err)
	}
}

func TestSecretsMoveTheirLabels(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	client, id := secretsmanager.NewFromConfig(operator(sb)), aws.String("connect2-api/dev/rds-credentials")
	first, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id})
	if err != nil || !strings.Contains(*first.SecretString, `"url":"postgresql://`) {
		t.Fatalf("%+v, %v", first, err)
	}
	if suffix := strings.TrimPrefix(*first.ARN, "arn:aws:secretsmanager:us-west-2:123456789012:secret:"+*id+"-"); len(suffix) != 6 {
		t.Errorf("ARN %s does not end in six characters", *first.ARN)
	}
	for _, value := range []string{"second", "third"} {
		if _, err := client.PutSecretValue(t.Context(),
			&secretsmanager.PutSecretValueInput{SecretId: first.ARN, SecretString: &value}); err != nil {
			t.Fatal(err)
		}
	}
	for stage, want := range map[string]string{"AWSCURRENT": "third", "AWSPREVIOUS": "second"} {
		got, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id, VersionStage: &stage})
		if err != nil || *got.SecretString != want {
			t.Errorf("%s is %v, %v; want %s", stage, got, err, want)
		}
	}
	if _, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id}); err != nil {
		t.Fatal(err)
	}
	_, err = client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id})
	if code(t, err) != "InvalidRequestException" || !strings.Contains(message(err), "marked for deletion") {
		t.Errorf("reading a deleted secret: %v", err)
	}
}

func TestParameters(t *testing.T) {
	sb := open(t, `parameters: {/app/mode: fast, /app/size: 3}`)
	client := ssm.NewFromConfig(operator(sb))
	if _, err := client.PutParameter(t.Context(),
		&ssm.PutParameterInput{Name: aws.String("/app/mode"), Value: aws.String("slow")}); code(t, err) != "ParameterAlreadyExists" {
		t.Errorf("overwriting without being told: %v", err)
	}
	if _, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/app/mode"), Value: aws.String("slow"),
		Overwrite: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/app/mode", "/app/mode:1", "/app/none"}})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Parameters[0].Value != "slow" || *out.Parameters[1].Value != "fast" ||
		!slices.Equal(out.InvalidParameters, []string{"/app/none"}) {
		t.Errorf("parameters %v, invalid %v", out.Parameters, out.InvalidParameters)
	}
	if want := "arn:aws:ssm:us-west-2:123456789012:parameter/app/mode"; *out.Parameters[0].ARN != want {
		t.Errorf("ARN %s, want %s", *out.Parameters[0].ARN, want)
	}
}

func TestRegisteringAScalableTargetMovesTheDesiredCount(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	client, id := applicationautoscaling.NewFromConfig(operator(sb)), "service/connect2-api-cluster-dev/connect2-api-service-dev"
	_, err := client.RegisterScalableTarget(t.Context(), &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
		ResourceId: &id, MinCapacity: aws.Int32(3), MaxCapacity: aws.Int32(20),
	})
	if err != nil {
		t.Fatal(err)
	}
	sb.Inspect(func(e *engine.Engine) {
		c, _ := e.Cluster("connect2-api-cluster-dev")
		if got := c.Service("connect2-api-service-dev").Desired; got != 3 {
			t.Errorf("desired count is %d, want the minimum 3", got)
		}
	})
	out, err := client.DescribeScalableTargets(t.Context(),
		&applicationautoscaling.DescribeScalableTargetsInput{ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceIds: []string{id}})
	if err != nil || len(out.ScalableTargets) != 1 || *out.ScalableTargets[0].MaxCapacity != 20 {
		t.Errorf("targets %+v, %v", out, err)
	}
}

func TestScanFindsWhatTheScenarioSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := open(t, `repository: {findings: [{image: v1, name: CVE-2026-1, severity: HIGH}, {image: v1, name: CVE-2026-2, severity: LOW}, {image: v2, name: CVE-2026-3, severity: LOW}]}`)
		client, id := ecr.NewFromConfig(operator(sb)), &ecrtypes.ImageIdentifier{ImageTag: aws.String("v1")}
		if _, err := client.StartImageScan(t.Context(), &ecr.StartImageScanInput{RepositoryName: aws.String(repository),
			ImageId: id}); err != nil {
			t.Fatal(err)
		}
		in := &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String(repository), ImageId: id}
		out, err := ecr.NewImageScanCompleteWaiter(client).WaitForOutput(t.Context(), in, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if counts := out.ImageScanFindings.FindingSeverityCounts; len(counts) != 2 || counts["HIGH"] != 1 || counts["LOW"] != 1 {
			t.Errorf("counts are %v", counts)
		}
		if _, err := client.StartImageScan(t.Context(), &ecr.StartImageScanInput{RepositoryName: aws.String(repository),
			ImageId: id}); code(t, err) != "LimitExceededException" {
			t.Errorf("a second scan within 24 h: %v", err)
		}
	})
}

func TestWebIdentity(t *testing.T) {
	sb := open(t, `
github: {repository: org/connect2-api, environment: dev}
roles:
  strict:
    trust: {subjects: ["repo:org/connect2-api:environment:prod"]}
  deployer:
    trust: {subjects: ["repo:org/connect2-api:environment:dev"]}
    policy: {Statement: [{Effect: Allow, Action: "ecs:Describe*", Resource: "*"}]}
`)
	token := identityToken(t, sb, "sts.amazonaws.com")
	config := operator(sb)
	config.Credentials = nil
	client := sts.NewFromConfig(config)
	assume := func(role, token, session string) error {
		_, err := client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String("arn:aws:iam::123456789012:role/" + role), RoleSessionName: &session, WebIdentityToken: &token,
		}, func(o *sts.Options) { o.RetryMaxAttempts = 1 })
		return err
	}
	for _, tt := range []struct{ name, role, token, session, code, message string }{
		{"accepted", "deployer", token, "run-1", "", ""},
		{"another subject is trusted", "strict", token, "run-1", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"no such role", "none", token, "run-1", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		{"another audience", "deployer", identityToken(t, sb, "api.example.com"), "run-1", "InvalidIdentityToken", "Incorrect token audience"},
		{"session name", "deployer", token, "a:b", "ValidationError", `1 validation error detected: Value 'a:b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"no token at all", "deployer", "x", "run-1", "InvalidIdentityToken", ""},
	} {
		err := assume(tt.role, tt.token, tt.session)
		if got := code(t, err); got != tt.code || !strings.Contains(message(err), tt.message) {
			t.Errorf("%s: %s %q, want %s %q", tt.name, got, message(err), tt.code, tt.message)
		}
	}
	sb.Forward(6 * time.Minute)
	if err := assume("deployer", token, "run-1"); code(t, err) != "ExpiredTokenException" ||
		!strings.Contains(message(err), "Token expired: current date/time ") {
		t.Errorf("an old token: %v", err)
	}
}

func identityToken(t *testing.T, sb *sandbox.Sandbox, audience string) string {
	t.Helper()
	answer := exchange(t, sb, "", "GET", "/_sandbox/github/token?api-version=2.0&audience="+audience, "", "Authorization", "bearer x")
	var body struct{ Value string }
	decode(t, answer, &body)
	return body.Value
}

func TestAssumedRoleIsHeldToItsPolicy(t *testing.T) {
	sb := open(t, `
roles:
  reader:
    trust: {principals: ["arn:aws:iam::123456789012:user/operator"]}
    policy: {Statement: [{Effect: Allow, Action: "ecr:DescribeImages", Resource: "*"}, {Effect: Deny, Action: "logs:*", Resource: "*"}]}
`)
	out, err := sts.NewFromConfig(operator(sb)).AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/reader"), RoleSessionName: aws.String("test")})
	if err != nil {
		t.Fatal(err)
	}
	config := as(sb, *out.Credentials.AccessKeyId)
	identity, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *identity.Arn != "arn:aws:sts::123456789012:assumed-role/reader/test" {
		t.Fatalf("identity %+v, %v", identity, err)
	}
	if _, err := ecr.NewFromConfig(config).DescribeImages(t.Context(),
		&ecr.DescribeImagesInput{RepositoryName: aws.String(repository)}); err != nil {
		t.Errorf("what the policy allows is refused: %v", err)
	}
	_, err = ecr.NewFromConfig(config).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	want := "User: arn:aws:sts::123456789012:assumed-role/reader/test is not authorized to perform: ecr:DescribeRepositories on resource: " +
		"arn:aws:ecr:us-west-2:123456789012:repository/* because no identity-based policy allows the ecr:DescribeRepositories action"
	if code(t, err) != "AccessDeniedException" || message(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	_, err = cloudwatchlogs.NewFromConfig(config).DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
	if !strings.HasSuffix(message(err), "with an explicit deny in an identity-based policy") {
		t.Errorf("explicit deny: %v", err)
	}
	sb.Forward(time.Hour)
	if _, err := ecr.NewFromConfig(config).DescribeImages(context.Background(),
		&ecr.DescribeImagesInput{RepositoryName: aws.String(repository)}); code(t, err) != "ExpiredTokenException" {
		t.Errorf("after the session's hour: %v", err)
	}
	simulated, err := iam.NewFromConfig(operator(sb)).SimulatePrincipalPolicy(t.Context(), &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::123456789012:role/reader"),
		ActionNames:     []string{"ecr:DescribeImages", "ecr:PutImage", "logs:GetLogEvents"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var decisions []string
	for _, r := range simulated.EvaluationResults {
		decisions = append(decisions, string(r.EvalDecision))
	}
	if !slices.Equal(decisions, []string{"allowed", "implicitDeny", "explicitDeny"}) {
		t.Errorf("simulation says %v", decisions)
	}
}
