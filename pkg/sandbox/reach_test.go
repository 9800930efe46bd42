package sandbox_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/session"
)

// reachable makes a sandbox of a scenario that can be reached over a socket, as data channels need it.
func reachable(t *testing.T, scenario string, sessions *sandbox.Sessions) (*sandbox.Sandbox, aws.Config) {
	t.Helper()
	parsed, err := sandbox.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	sb, err := sandbox.Open(sandbox.Options{Scenario: parsed, Sessions: sessions})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sb)
	t.Cleanup(func() { sb.Close(); server.Close() })
	return sb, aws.Config{
		Region: "us-west-2", BaseEndpoint: aws.String(server.URL), HTTPClient: http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, "any", ""),
	}
}

// task returns the id of a running task.
func task(t *testing.T, client *ecs.Client) string {
	t.Helper()
	list, err := client.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String(cluster)})
	if err != nil || len(list.TaskArns) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	return list.TaskArns[0]
}

func execute(t *testing.T, client *ecs.Client, command string) (*ecs.ExecuteCommandOutput, error) {
	t.Helper()
	return client.ExecuteCommand(t.Context(), &ecs.ExecuteCommandInput{
		Cluster: aws.String(cluster), Task: aws.String(task(t, client)), Command: aws.String(command), Interactive: true,
	})
}

// TestExecuteCommandRunsAProcess: it has the container's environment, its secrets among it, and a terminal.
func TestExecuteCommandRunsAProcess(t *testing.T) {
	_, config := reachable(t, "service: {execute: true}", &sandbox.Sessions{Directory: t.TempDir()})
	out, err := execute(t, ecs.NewFromConfig(config), `sh -c 'echo "$ENVIRONMENT $DATABASE_URL"'`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(t.Context(), session.Start{ID: *out.Session.SessionId, URL: *out.Session.StreamUrl, Token: *out.Session.TokenValue},
		session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := s.Next(t.Context())
	if want := "dev postgresql://postgres:sandbox@connect2-api-dev.sandbox.internal:5432/connect2\r\n"; err != nil ||
		string(m.Payload) != want {
		t.Errorf("%q, %v, want %q", m.Payload, err, want)
	}
}

func TestExecuteCommandRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		scenario string
		sessions *sandbox.Sessions
		code     string
	}{
		"off at the service":          {"", &sandbox.Sessions{}, "InvalidParameterException"},
		"a root that takes no writes": {"service: {execute: true, readOnlyRoot: true}", &sandbox.Sessions{}, "InvalidParameterException"},
		"no sessions":                 {"service: {execute: true}", nil, "SandboxNotModelled"},
	} {
		t.Run(name, func(t *testing.T) {
			_, config := reachable(t, test.scenario, test.sessions)
			if _, err := execute(t, ecs.NewFromConfig(config), "ls"); code(t, err) != test.code {
				t.Errorf("%v, want %s", err, test.code)
			}
		})
	}
}

// TestBastion finds the instance by its tag, stops and starts it, and waits for its agent.
func TestBastion(t *testing.T) {
	sb := open(t, "bastion: {state: stopped, publicIP: 203.0.113.7}")
	instances, manager := ec2.NewFromConfig(operator(sb)), ssm.NewFromConfig(operator(sb))
	find := func(name string) []ec2types.Reservation {
		t.Helper()
		out, err := instances.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
			{Name: aws.String("tag:Name"), Values: []string{name}},
			{Name: aws.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out.Reservations
	}
	if found := find("another"); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	state := func() string {
		t.Helper()
		found := find("connect2-api-bastion-*")
		if len(found) != 1 || len(found[0].Instances) != 1 {
			t.Fatalf("found %v", found)
		}
		i := found[0].Instances[0]
		info, err := manager.DescribeInstanceInformation(t.Context(),
			&ssm.DescribeInstanceInformationInput{Filters: []ssmtypes.InstanceInformationStringFilter{
				{Key: aws.String("InstanceIds"), Values: []string{*i.InstanceId}},
			}})
		if err != nil || len(info.InstanceInformationList) != 1 {
			t.Fatalf("%v, %v", info, err)
		}
		return string(i.State.Name) + " " + string(info.InstanceInformationList[0].PingStatus) + " " + aws.ToString(i.PublicIpAddress)
	}
	id := []string{*find("connect2-api-bastion-dev")[0].Instances[0].InstanceId}
	if got := state(); got != "stopped ConnectionLost " {
		t.Errorf("at first %q", got)
	}
	if _, err := manager.StartSession(t.Context(), &ssm.StartSessionInput{Target: &id[0]}); code(t, err) != "TargetNotConnected" {
		t.Errorf("a session on what is stopped: %v", err)
	}
	if _, err := instances.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: id}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pending ConnectionLost 203.0.113.7", "running ConnectionLost 203.0.113.7", "running Online 203.0.113.7"} {
		if got := state(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		sb.Forward(15 * time.Second)
	}
	_, err := instances.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{"i-0"}})
	if code(t, err) != "InvalidInstanceID.NotFound" {
		t.Errorf("an instance that is not there: %v", err)
	}
	nothing, err := policy.Parse([]byte(`{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := sb.SetPolicy("operator", &sandbox.Policy{Policy: nothing}); err != nil {
		t.Fatal(err)
	}
	_, err = instances.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	if code(t, err) != "UnauthorizedOperation" {
		t.Errorf("a denial: %v", err)
	}
}

// TestStartSessionReachesAPort forwards the database's address to a server of this process, through AWS's document.
func TestStartSessionReachesAPort(t *testing.T) {
	database := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("reached")) }))
	defer database.Close()
	const host = "connect2-api-dev.sandbox.internal"
	sb, config := reachable(t, "", &sandbox.Sessions{Forward: map[string]string{host + ":5432": strings.TrimPrefix(database.URL, "http://")}})
	manager := ssm.NewFromConfig(config)
	start := func(document string, parameters map[string][]string) (*ssm.StartSessionOutput, error) {
		return manager.StartSession(t.Context(), &ssm.StartSessionInput{Target: aws.String("i-0a1b2c3d4e5f60001"), DocumentName: &document,
			Parameters: parameters})
	}
	const document = "AWS-StartPortForwardingSessionToRemoteHost"
	for want, parameters := range map[string]map[string][]string{
		"Parameter host":       {"portNumber": {"5432"}},
		"Parameter portNumber": {"host": {host}, "portNumber": {"x"}},
	} {
		if _, err := start(document, parameters); code(t, err) != "ValidationException" || !strings.Contains(message(err), want) {
			t.Errorf("%v, want one of %s", err, want)
		}
	}
	if _, err := start("No-Such", nil); code(t, err) != "InvalidDocument" {
		t.Errorf("a document that is not there: %v", err)
	}
	get := func(host, port string) (string, bool) {
		t.Helper()
		out, err := start(document, map[string][]string{"host": {host}, "portNumber": {port}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := session.Open(t.Context(), session.Start{ID: *out.SessionId, URL: *out.StreamUrl, Token: *out.TokenValue}, session.Options{
			Resume: func(ctx context.Context) (string, error) {
				resumed, err := manager.ResumeSession(ctx, &ssm.ResumeSessionInput{SessionId: out.SessionId})
				return aws.ToString(resumed.TokenValue), err
			}})
		if err != nil {
			t.Fatal(err)
		}
		refused := make(chan struct{}, 1)
		p, err := session.NewPorts(s, func() { refused <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		conn, err := p.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		sb.DropSessions() // it is resumed
		_, _ = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		var answer bytes.Buffer
		_, _ = answer.ReadFrom(conn)
		if answer.Len() > 0 {
			return answer.String(), len(refused) == 0
		}
		select {
		case <-refused:
			return "", false
		case <-time.After(20 * time.Second): // it need not come before the connection's end
			return "", true
		}
	}
	if answer, ok := get(host, "5432"); !ok || !strings.HasSuffix(answer, "reached") {
		t.Errorf("answered %q", answer)
	}
	if _, ok := get("example.com", "443"); ok {
		t.Error("the sandbox connected to what it was not told to")
	}
}

// TestTerminatedSessionCannotBeResumed: the service answers without a token.
func TestTerminatedSessionCannotBeResumed(t *testing.T) {
	_, config := reachable(t, "", &sandbox.Sessions{})
	manager := ssm.NewFromConfig(config)
	out, err := manager.StartSession(t.Context(), &ssm.StartSessionInput{Target: aws.String("i-0a1b2c3d4e5f60001")})
	if err != nil {
		t.Fatal(err)
	}
	resume := func() string {
		t.Helper()
		resumed, err := manager.ResumeSession(t.Context(), &ssm.ResumeSessionInput{SessionId: out.SessionId})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(resumed.TokenValue)
	}
	if token := resume(); token == "" || token == *out.TokenValue {
		t.Errorf("the token %q", token)
	}
	if _, err := manager.TerminateSession(t.Context(), &ssm.TerminateSessionInput{SessionId: out.SessionId}); err != nil {
		t.Fatal(err)
	}
	if token := resume(); token != "" {
		t.Errorf("the token %q of a session that has ended", token)
	}
}
