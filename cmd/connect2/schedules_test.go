package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// operator is what somebody configures who changes things beside the runs.
func operator(ts *testscript.TestScript) aws.Config {
	return aws.Config{Region: "us-west-2", BaseEndpoint: aws.String(ts.Getenv("AWS_ENDPOINT_URL")), HTTPClient: http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider(ts.Getenv("AWS_ACCESS_KEY_ID"), ts.Getenv("AWS_SECRET_ACCESS_KEY"), "")}
}

const definitions = "arn:aws:ecs:us-west-2:123456789012:task-definition/"

// scheduled, as "scheduled rule:NAME|schedule:NAME FAMILY:REVISION", makes a schedule that runs a revision; where there is one of this
// name, it compares what that runs.
func scheduled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: scheduled rule:NAME|schedule:NAME FAMILY:REVISION")
	}
	kind, name, _ := strings.Cut(args[0], ":")
	target := map[string]any{"Arn": "arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev",
		"RoleArn": "arn:aws:iam::123456789012:role/connect2-api-dev-execution",
		"EcsParameters": map[string]any{"TaskDefinitionArn": definitions + args[1], "TaskCount": 1, "LaunchType": "FARGATE",
			"NetworkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{"Subnets": []string{"subnet-0a1b2c3d4e5f60001"}}}}}
	runs := func(of map[string]any) {
		parameters, _ := of["EcsParameters"].(map[string]any)
		if got, _ := parameters["TaskDefinitionArn"].(string); strings.TrimPrefix(got, definitions) != args[1] {
			ts.Fatalf("%s runs %s, want %s", args[0], strings.TrimPrefix(got, definitions), args[1])
		}
	}
	if kind == "rule" {
		events := func(operation string, in any) (out struct{ Targets []map[string]any }, err error) {
			return out, awscall.JSON(context.Background(), operator(ts), awscall.EventBridge, operation, in, &out)
		}
		if there, err := events("ListTargetsByRule", map[string]any{"Rule": name}); err == nil && len(there.Targets) > 0 {
			runs(there.Targets[0])
			return
		}
		target["Id"] = "task"
		_, err := events("PutRule", map[string]any{"Name": name, "ScheduleExpression": "cron(0 7 * * ? *)"})
		ts.Check(err)
		_, err = events("PutTargets", map[string]any{"Rule": name, "Targets": []any{target}})
		ts.Check(err)
		return
	}
	schedules := func(operation, method string, query url.Values, in any) (out struct{ Target map[string]any }, err error) {
		return out, awscall.REST(context.Background(), operator(ts), awscall.Scheduler, operation, method, "/schedules/"+name, query, in, &out)
	}
	if there, err := schedules("GetSchedule", http.MethodGet, url.Values{"groupName": {"default"}}, nil); err == nil {
		runs(there.Target)
		return
	}
	_, err := schedules("CreateSchedule", http.MethodPost, nil, map[string]any{"ScheduleExpression": "cron(0 8 * * ? *)",
		"FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "Target": target})
	ts.Check(err)
}

// fault, as "fault {ACTION: …, ANSWER: …}", has the sandbox answer calls in another way; as "fault none" no longer.
func fault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fault none|YAML")
	}
	method, body := http.MethodPost, []byte(args[0])
	if args[0] == "none" {
		method, body = http.MethodDelete, nil
	}
	request, err := http.NewRequest(method, ts.Getenv("AWS_ENDPOINT_URL")+"/_sandbox/faults", bytes.NewReader(body))
	ts.Check(err)
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusMultipleChoices {
		ts.Fatalf("the sandbox answered %s", answer.Status)
	}
}

// killed, as "killed CALL NUMBER COMMAND ARG...", runs a command and kills it once a call of this name was made so many times since the
// journal was emptied. That call takes effect and is not answered, so that nothing comes after it, however late the kill is: nothing of
// the command can tell, clean up or put back.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: killed CALL NUMBER COMMAND ARG...")
	}
	number, err := strconv.Atoi(args[1])
	ts.Check(err)
	program, err := exec.LookPath(args[2])
	ts.Check(err)
	fault(ts, false, []string{fmt.Sprintf("{action: %q, answer: hang-after, skip: %d, times: 1}", args[0], number-1-calls(ts, args[0]))})
	command := exec.Command(program, args[3:]...)
	command.Dir = ts.Getenv("WORK")
	command.Env = append(os.Environ(), "GITHUB_ACTIONS=")
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE",
		"AWS_SHARED_CREDENTIALS_FILE", "CONNECT2_ENVIRONMENT"} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	var told bytes.Buffer
	command.Stdout, command.Stderr = &told, &told
	ts.Check(command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for look := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case err := <-ended:
			ts.Fatalf("it came to its end (%v) before %s was called %d times:\n%s", err, args[0], number, &told)
		case <-look.C:
		}
		if calls(ts, args[0]) >= number {
			look.Stop()
			break
		}
	}
	ts.Check(command.Process.Signal(syscall.SIGKILL))
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.ExitCode() != -1 {
		ts.Fatalf("it was not killed: %v\n%s", err, &told)
	}
}

// calls counts the calls of a name in the sandbox's journal.
func calls(ts *testscript.TestScript, name string) (n int) {
	answer, err := http.Get(ts.Getenv("AWS_ENDPOINT_URL") + "/_sandbox/journal")
	ts.Check(err)
	defer answer.Body.Close()
	var all []string
	for lines := json.NewDecoder(answer.Body); lines.More(); {
		var entry wire.Entry
		ts.Check(lines.Decode(&entry))
		all = append(all, entry.Name())
	}
	return len(slices.DeleteFunc(all, func(one string) bool { return one != name }))
}
