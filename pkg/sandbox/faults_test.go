package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/org/connect2/v2/pkg/sandbox"
)

func decode(t *testing.T, answer *http.Response, v any) {
	t.Helper()
	if answer.StatusCode != 200 {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("status %d: %s", answer.StatusCode, body)
	}
	if err := json.NewDecoder(answer.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// once calls DescribeRepositories without retries.
func once(t *testing.T, sb *sandbox.Sandbox) error {
	_, err := ecr.NewFromConfig(operator(sb), func(o *ecr.Options) { o.RetryMaxAttempts = 1 }).
		DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
	return err
}

func TestFaultsStrikeAsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault sandbox.Fault
		want  string // one letter a call: x fails
	}{
		{"every third", sandbox.Fault{Every: 3}, "..x..x..x"},
		{"each", sandbox.Fault{}, "xxxxxxxxx"},
		{"skip two, then twice", sandbox.Fault{Skip: 2, Times: 2}, "..xx....."},
		{"another caller", sandbox.Fault{Caller: "arn:aws:sts::*"}, "........."},
		{"three of nine by the dice of seed 1", sandbox.Fault{Rate: 0.5}, ".x.x....x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sb := sandbox.New(sandbox.Options{})
			tt.fault.Action, tt.fault.Answer = "ecr:Describe*", sandbox.Throttle
			if err := sb.Inject(tt.fault); err != nil {
				t.Fatal(err)
			}
			got := ""
			for range len(tt.want) {
				switch err := once(t, sb); {
				case err == nil:
					got += "."
				case code(t, err) == "ThrottlingException":
					got += "x"
				}
			}
			if got != tt.want {
				t.Errorf("calls: %s, want %s", got, tt.want)
			}
			sb.ClearFaults()
			if err := once(t, sb); err != nil {
				t.Errorf("after the faults were cleared: %v", err)
			}
		})
	}
}

func TestFaultAnswers(t *testing.T) {
	for answer, want := range map[sandbox.Answer]string{
		sandbox.Throttle:    "StatusCode: 400, RequestID",
		sandbox.Deny:        "no identity-based policy allows the ecr:DescribeRepositories action",
		sandbox.Unavailable: "StatusCode: 503",
		sandbox.Expired:     "The security token included in the request is expired",
		sandbox.Cut:         "connection reset by peer",
		sandbox.CutAfter:    "connection reset by peer",
	} {
		sb := sandbox.New(sandbox.Options{})
		if err := sb.Inject(sandbox.Fault{Action: "ecr:DescribeRepositories", Answer: answer}); err != nil {
			t.Fatal(err)
		}
		if err := once(t, sb); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
	}
}

// TestCutConnections tells the two cuts apart: after one nothing was done, after the other everything was.
func TestCutConnections(t *testing.T) {
	for answer, exists := range map[sandbox.Answer]bool{sandbox.Cut: false, sandbox.CutAfter: true} {
		sb := sandbox.New(sandbox.Options{})
		if err := sb.Inject(sandbox.Fault{Action: "ecr:CreateRepository", Answer: answer}); err != nil {
			t.Fatal(err)
		}
		client := ecr.NewFromConfig(operator(sb), func(o *ecr.Options) { o.RetryMaxAttempts = 1 })
		if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("new")}); err == nil {
			t.Errorf("%s: the call succeeded", answer)
		}
		_, err := client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"new"}})
		if (err == nil) != exists {
			t.Errorf("%s: the repository exists: %v (%v)", answer, err == nil, err)
		}
	}
}

func TestEachProtocolThrottlesInItsOwnWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		options := login(t, sb, operator(sb))
		if err := sb.Inject(sandbox.Fault{Action: "*", Answer: sandbox.Throttle}); err != nil {
			t.Fatal(err)
		}
		_, err := elasticloadbalancingv2.NewFromConfig(operator(sb), func(o *elasticloadbalancingv2.Options) { o.RetryMaxAttempts = 1 }).
			DescribeTargetGroups(t.Context(), &elasticloadbalancingv2.DescribeTargetGroupsInput{})
		if code(t, err) != "Throttling" || message(err) != "Rate exceeded" {
			t.Errorf("query: %v", err)
		}
		_, err = remote.Get(reference(t, repository+":v1"), append(options, remote.WithRetryBackoff(remote.Backoff{Steps: 1}))...)
		if err == nil || !strings.Contains(err.Error(), "TOOMANYREQUESTS: Rate exceeded") {
			t.Errorf("registry: %v", err)
		}
	})
}

// TestSDKRetriesThrottling shows a client and the sandbox on one fake clock: back-off takes time and no wall clock.
func TestSDKRetriesThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{})
		if err := sb.Inject(sandbox.Fault{Action: "ecr:DescribeRepositories", Answer: sandbox.Throttle, Times: 2}); err != nil {
			t.Fatal(err)
		}
		if _, err := ecr.NewFromConfig(operator(sb)).DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil {
			t.Error(err)
		}
		if calls := len(sb.Journal()); calls != 3 {
			t.Errorf("%d calls, want two that were throttled and one that was not", calls)
		}
	})
}

func TestExpiringCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := open(t, `credentials: {expireAfter: 90s}`)
		time.Sleep(89 * time.Second)
		if err := once(t, sb); err != nil {
			t.Errorf("after 89 s: %v", err)
		}
		time.Sleep(time.Second)
		if err := once(t, sb); code(t, err) != "ExpiredTokenException" {
			t.Errorf("after 90 s: %v", err)
		}
	})
}

func TestSpeedMultipliesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sb := sandbox.New(sandbox.Options{Speed: 60})
		before := sb.Now()
		time.Sleep(time.Second)
		if got := sb.Now().Sub(before); got != time.Minute {
			t.Errorf("one second is %v at speed 60", got)
		}
	})
}

func TestControls(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	post := func(path, body string) int { return exchange(t, sb, "", "POST", "/_sandbox/"+path, body).StatusCode }
	if got := post("faults", `{"action": "ecr:*", "answer": "throttle"}`); got != 200 {
		t.Errorf("a fault gets %d", got)
	}
	if err := once(t, sb); code(t, err) != "ThrottlingException" {
		t.Errorf("the fault is not in force: %v", err)
	}
	if got := exchange(t, sb, "", "DELETE", "/_sandbox/faults", "").StatusCode; got != 200 {
		t.Errorf("clearing gets %d", got)
	}
	if got := post("policy", `{"name": "operator", "policy": {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}}`); got != 200 {
		t.Errorf("a policy gets %d", got)
	}
	if err := once(t, sb); code(t, err) != "AccessDeniedException" {
		t.Errorf("the policy is not in force: %v", err)
	}
	before := sb.Now()
	if got := post("time", `forward: 10m`); got != 200 || sb.Now().Sub(before) < 10*time.Minute {
		t.Errorf("moving time gets %d and moves it by %v", got, sb.Now().Sub(before))
	}
	for path, body := range map[string]string{
		"faults": `{"action": "ecr:*", "answer": "explode"}`, "policy": `{"name": "nobody"}`, "behaviour": `{"image": "v1", "behaviour": {"start": "dance"}}`,
		"time": `{"backward": "1m"}`,
	} {
		if got := post(path, body); got != 400 {
			t.Errorf("%s %s gets %d, want 400", path, body, got)
		}
	}
	if got := post("nothing", "{}"); got != 404 {
		t.Errorf("an unknown control gets %d, want 404", got)
	}
	var entries []string
	decoder := json.NewDecoder(exchange(t, sb, "", "GET", "/_sandbox/journal", "").Body)
	for decoder.More() {
		var entry struct{ Service, Action, Code, Fault string }
		if err := decoder.Decode(&entry); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry.Service+":"+entry.Action+" "+entry.Code+" "+entry.Fault)
	}
	want := []string{"ecr:DescribeRepositories ThrottlingException throttle", "ecr:DescribeRepositories AccessDeniedException "}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}
