package sandbox_test

import (
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// listening is a sandbox that other programs reach, with the environment that points them at it.
type listening struct {
	*sandbox.Sandbox
	host    string
	environ []string
}

// serve starts a sandbox on a free port of this machine, with an image v2 beside the seed. It is stopped with the test.
func serve(t *testing.T, options sandbox.Options) listening {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	options.Host = listener.Addr().String()
	sb, err := sandbox.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	server, done := &http.Server{Handler: sb}, make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	img, err := sandbox.NewImage("v2", &engine.Behaviour{Run: map[string]engine.Run{"alembic": {Logs: []string{"upgrading", "done"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Push(repository, "v2", img); err != nil {
		t.Fatal(err)
	}
	environ := append(os.Environ(), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_PAGER=",
		"AWS_EC2_METADATA_DISABLED=true")
	for name, value := range sb.Environ() {
		environ = append(environ, name+"="+value)
	}
	return listening{sb, options.Host, environ}
}

// run executes a program against the sandbox and returns what it printed.
func (l listening) run(t *testing.T, stdin string, name string, args ...string) (output string, exit int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Env, command.Stdin = l.environ, strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		t.Fatal(err)
	}
	return string(out), command.ProcessState.ExitCode()
}

// needs skips a test where a program is not installed.
func needs(t *testing.T, program string, probe ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("other programs are not run in short mode")
	}
	if exec.Command(program, probe...).Run() != nil {
		t.Skipf("not installed here: %s %s", program, strings.Join(probe, " "))
	}
}

// TestBoto3 has AWS's own Python SDK judge the answers by AWS's own models: rollouts, waiters, paging and error codes.
func TestBoto3(t *testing.T) {
	needs(t, "python3", "-c", "import boto3")
	l := serve(t, sandbox.Options{Speed: 300, Scenario: &sandbox.Scenario{Traffic: sandbox.TrafficScenario{Rate: 20},
		Alarms: map[string]string{"judge": "OK"}, Domain: sandbox.DomainScenario{Zone: "example.com", Host: "api.example.com"}}})
	output, exit := l.run(t, "", "python3", filepath.Join("testdata", "judge.py"))
	if exit != 0 || !strings.Contains(output, "checks passed") {
		t.Errorf("exit %d\n%s", exit, output)
	}
	t.Log(output)
	for _, entry := range l.Journal() {
		if entry.OK() && len(entry.Authorizations) == 0 && entry.Name() != "sts:GetCallerIdentity" {
			t.Errorf("%s succeeded, and no permission was asked for", entry.Name())
		}
	}
}

// TestAWSCLI runs what an operator would type. With CONNECT2_E2E set it runs the waiters too, whose 15 s between polls
// are real.
func TestAWSCLI(t *testing.T) {
	l := serve(t, sandbox.Options{Speed: 300})
	cli := programs.NewAWSCLI(t, l.environ)
	group := "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/connect2-api-tg-dev/"
	const succeeds, fails = false, true // exit codes of refusals differ between versions 1 and 2
	on := "--cluster connect2-api-cluster-dev "
	tests := []cliTest{
		{"ecr get-login-password", succeeds, "MWZm", false},
		{"ecs describe-services --services connect2-api-service-dev --query services[0].deployments[0].rolloutState " + on, succeeds, `"COMPLETED"`, false},
		{"elbv2 describe-target-health --target-group-arn " + group + "0", fails, "TargetGroupNotFound", false},
		{"ecs describe-services --services x --cluster x", fails, "ClusterNotFoundException", false},
		{"ecs update-service --force-new-deployment --service connect2-api-service-dev --query service.status " + on, succeeds, `"ACTIVE"`, true},
		{"ecs wait services-stable --services connect2-api-service-dev " + on, succeeds, "", true},
		{"logs filter-log-events --log-group-name /none", fails, "ResourceNotFoundException", true},
		{"logs get-log-events --log-group-name /ecs/connect2-api-dev --log-stream-name none", fails,
			"The specified log stream does not exist.", true},
		{"secretsmanager describe-secret --secret-id connect2-api/dev/rds-credentials --query Name", succeeds, `"connect2-api/dev/rds-credentials"`, true},
		{"cloudwatch describe-alarms --query MetricAlarms", succeeds, "[]", false},
		{"ec2 describe-subnets --query Subnets[0].State", succeeds, `"available"`, false},
		{"ec2 describe-security-groups --query SecurityGroups[0].VpcId", succeeds, `"vpc-`, false},
		{"rds describe-db-instances --query DBInstances[0].DBInstanceStatus", succeeds, `"available"`, true},
		{"elasticache describe-replication-groups --query ReplicationGroups[0].Status", succeeds, `"available"`, true},
		{"route53 list-hosted-zones --query HostedZones", succeeds, "[]", true},
		{"acm list-certificates --query CertificateSummaryList", succeeds, "[]", true},
		{"ssm describe-parameters --query Parameters", succeeds, "[]", false},
		{"events list-rules --query Rules", succeeds, "[]", false},
		{"scheduler get-schedule --name none", fails, "ResourceNotFoundException", false},
		{"ecr describe-images --repository-name none", fails, "RepositoryNotFoundException", true},
	}
	patient := os.Getenv("CONNECT2_E2E") != ""
	if patient {
		tests = append(everyCommand(t, l, cli), tests...) // first: at this speed a stopped task is forgotten after 12 s
	}
	for _, tt := range tests {
		if tt.slow && !patient {
			continue
		}
		t.Run(tt.command, func(t *testing.T) {
			if output, exit := cli.Run(t, strings.Fields(tt.command)...); (exit != 0) != tt.fails || !strings.Contains(output, tt.want) {
				t.Errorf("exit %d, %s\nwant a failure: %v, and %q", exit, output, tt.fails, tt.want)
			}
		})
	}
}

// cliTest is a command line, whether it has to fail, and a part of what it has to print.
type cliTest struct {
	command string
	fails   bool
	want    string
	slow    bool
}

// everyCommand is what operators' runbooks type most, in one scenario: an update, its deployment and revision, and a task.
func everyCommand(t *testing.T, l listening, cli *programs.AWSCLI) []cliTest {
	const on = " --cluster connect2-api-cluster-dev "
	const service = " --service connect2-api-service-dev "
	const deployment = "arn:aws:ecs:us-west-2:123456789012:service-deployment/connect2-api-cluster-dev/connect2-api-service-dev/"
	const revision = "arn:aws:ecs:us-west-2:123456789012:service-revision/connect2-api-cluster-dev/connect2-api-service-dev/"
	group, definition := text(t, cli, "elbv2 describe-target-groups --query TargetGroups[0].TargetGroupArn"),
		filepath.Join(t.TempDir(), "definition.json")
	document := `{"family": "judged", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
		"executionRoleArn": "arn:aws:iam::123456789012:role/connect2-api-dev-execution",
		"containerDefinitions": [{"name": "connect2-api", "image": "` + l.host + "/" + repository + `:v2", "essential": true}]}`
	if err := os.WriteFile(definition, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	run := "ecs run-task --launch-type FARGATE --started-by judge --task-definition judged" + on +
		"--network-configuration awsvpcConfiguration={subnets=[subnet-0a1b2c3d4e5f60001]} "
	l.SetBehaviour("v1", engine.Behaviour{Run: map[string]engine.Run{"alembic": {Logs: []string{"upgraded"}}}})
	task := text(t, cli, "ecs run-task --launch-type FARGATE --task-definition connect2-api-dev --query tasks[0].taskArn"+on+
		"--network-configuration awsvpcConfiguration={subnets=[subnet-0a1b2c3d4e5f60001]} "+
		`--overrides {"containerOverrides":[{"name":"connect2-api","command":["alembic"]}]}`)
	stream := "ecs/connect2-api/" + arn.Last(task)
	newest := text(t, cli, "ecs list-service-deployments --query serviceDeployments[0].serviceDeploymentArn"+on+service)
	return []cliTest{
		{"ecs wait tasks-stopped --tasks " + task + on, false, "", true},
		{"ecs describe-tasks --query tasks[0].containers[0].exitCode --tasks " + task + on, false, "0", true},
		{"logs get-log-events --log-group-name /ecs/connect2-api-dev --log-stream-name " + stream, false, `"upgraded"`, true},
		{"ecs register-task-definition --cli-input-json file://" + definition + " --query taskDefinition.status", false, `"ACTIVE"`, true},
		{"ecs list-service-deployments" + on + service + "--query serviceDeployments[0].status", false, `"SUCCESSFUL"`, true},
		{"ecs list-service-deployments" + on + "--service none", true, "ServiceNotFoundException", true},
		{"ecs describe-service-deployments --service-deployment-arns " + deployment + "aaaaaaaaaaaaaaaaaaaaa", false, "MISSING", true},
		{"ecs describe-service-revisions --service-revision-arns " + revision + "1", false, "MISSING", true},
		{"ecs stop-service-deployment --service-deployment-arn " + deployment + "aaaaaaaaaaaaaaaaaaaaa", true,
			"ServiceDeploymentNotFoundException", true},
		{"ecs describe-service-deployments --query serviceDeployments[0].status --service-deployment-arns " + newest, false, `"SUCCESSFUL"`, true},
		{"ecs stop-service-deployment --service-deployment-arn " + newest, true, "ConflictException", true},
		{run + "--query tasks[0].lastStatus", false, `"PROVISIONING"`, true},
		{"ecs run-task --task-definition none" + on, true, "ClientException", true},
		{"ecs describe-tasks --tasks 00000000000000000000000000000000" + on, false, "MISSING", true},
		{"ecr describe-images --repository-name connect2-api-dev --query imageDetails[].imageTags[]", false, `"v2"`, true},
		{"ecr describe-images --repository-name connect2-api-dev --image-ids imageTag=none", true, "ImageNotFoundException", true},
		{"logs filter-log-events --log-group-name /ecs/connect2-api-dev", false, `"events"`, true},
		{"elbv2 describe-target-health --query TargetHealthDescriptions[].TargetHealth.State --target-group-arn " + group, false, `"healthy"`, true},
		{"secretsmanager describe-secret --secret-id none", true, "ResourceNotFoundException", true},
	}
}

// text is what a command of the AWS CLI prints with --output text.
func text(t *testing.T, cli *programs.AWSCLI, command string) string {
	t.Helper()
	out, exit := cli.Run(t, append(strings.Fields(command), "--output", "text")...)
	if exit != 0 {
		t.Fatalf("aws %s: %s", command, out)
	}
	return strings.TrimSpace(out)
}

// password is a login for the sandbox's registry.
func (l listening) password(t *testing.T) string {
	t.Helper()
	out, err := ecr.NewFromConfig(operator(l.Sandbox)).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(string(token), "AWS:")
}

func TestCrane(t *testing.T) {
	l := serve(t, sandbox.Options{BlobDir: t.TempDir()})
	login := crane.WithAuth(&authn.Basic{Username: "AWS", Password: l.password(t)})
	img := image(t, 3)
	if err := crane.Push(img, l.host+"/"+repository+":crane", login); err != nil {
		t.Fatal(err)
	}
	pulled, err := crane.Pull(l.host+"/"+repository+":crane", login)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Errorf("the image that comes back is damaged: %v", err)
	}
	if err := crane.Tag(l.host+"/"+repository+":crane", "moved", login); err != nil {
		t.Error(err)
	}
	if err := crane.Push(img, l.host+"/nowhere:v1", login); err == nil || !strings.Contains(err.Error(), "NAME_UNKNOWN") {
		t.Errorf("pushing to a repository that does not exist: %v", err)
	}
}

func TestSkopeo(t *testing.T) {
	needs(t, "skopeo", "--version")
	l := serve(t, sandbox.Options{})
	source, login := "docker://"+l.host+"/"+repository, "AWS:"+l.password(t)
	folder := "oci:" + filepath.Join(t.TempDir(), "layout") + ":x"
	for _, args := range [][]string{
		{"copy", "--insecure-policy", "--src-tls-verify=false", "--src-creds", login, source + ":v1", folder},
		{"copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", login, folder, source + ":skopeo"},
	} {
		if output, exit := l.run(t, "", "skopeo", args...); exit != 0 {
			t.Fatalf("skopeo %s\n%s", args[0], output)
		}
	}
	output, exit := l.run(t, "", "skopeo", "inspect", "--tls-verify=false", "--creds", login,
		"--format", "{{.Name}} {{.Labels}}", source+":skopeo")
	if exit != 0 || !strings.Contains(output, "org.opencontainers.image.version:v1") {
		t.Errorf("exit %d, %s", exit, output)
	}
}
