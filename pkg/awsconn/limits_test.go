package awsconn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/internal/bounded"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/awserr"
)

// hanging never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A call that is never answered is given up while there is time to act, and says so; its caller's signal ends it at once.
func TestCallsThatAreNeverAnswered(t *testing.T) {
	calls := map[string]struct {
		call   func(context.Context, aws.Config) error
		atMost time.Duration
	}{
		"a read": {func(ctx context.Context, cfg aws.Config) error {
			_, err := ecs.NewFromConfig(cfg).DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{"x"}})
			return err
		}, silentAttempts*silenceOfRead + 2*time.Second},
		"a read in XML": {func(ctx context.Context, cfg aws.Config) error {
			_, err := elb.NewFromConfig(cfg).DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String("x")})
			return err
		}, silentAttempts*silenceOfRead + 2*time.Second},
		"a change": {func(ctx context.Context, cfg aws.Config) error {
			_, err := ecs.NewFromConfig(cfg).UpdateService(ctx, &ecs.UpdateServiceInput{Service: aws.String("x")})
			return err
		}, silentAttempts*silenceOfChange + 2*time.Second},
	}
	for name, tt := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				env, _ := actiontest.NewTestEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-west-2"})
				env.Transport = hanging{}
				cfg, err := loadConfig(t.Context(), env, Inputs{})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				err = tt.call(t.Context(), cfg)
				var silent *bounded.TimeoutError
				if took := time.Since(began); !errors.As(err, &silent) || !awserr.IsLost(err) || took > tt.atMost {
					t.Errorf("after %s, want %s at most: %v", took, tt.atMost, err)
				}
				if text := fmt.Sprint(awserr.Explain(err)); !strings.Contains(text, "got no answer") || !strings.Contains(text, "nothing came for ") {
					t.Errorf("told as %s", text)
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				began = time.Now()
				if err := tt.call(ctx, cfg); time.Since(began) != time.Second || !awserr.Cancelled(err) {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}

func TestIsRead(t *testing.T) {
	for operation, want := range map[string]bool{"DescribeServices": true, "ListTasks": true, "GetLogEvents": true, "BatchGetImage": true,
		"BatchCheckLayerAvailability": true, "HeadObject": true, "SimulatePrincipalPolicy": true, "AssumeRoleWithWebIdentity": true,
		"UpdateService": false, "BatchDeleteImage": false, "PutImage": false, "RunTask": false, "": false} {
		if got := isRead(operation); got != want {
			t.Errorf("%s: read %v", operation, got)
		}
	}
}

// A patient client waits out throttling for the time that it is given, and everything else as ever.
func TestPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &counting{answer: jsonError(400, "ThrottlingException", "Rate exceeded")}
		env, log := actiontest.NewTestEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-west-2"})
		env.Transport = n
		cfg, err := loadConfig(t.Context(), env, Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(cfg aws.Config) (time.Duration, error) {
			began := time.Now()
			_, err := ecs.NewFromConfig(cfg).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Services: []string{"x"}})
			return time.Since(began), err
		}
		took, err := ask(Patient(cfg, 30*time.Minute))
		if !awserr.IsThrottled(err) || took < 30*time.Minute || took > 31*time.Minute {
			t.Errorf("gave up after %s: %v", took, err)
		}
		if took, err := ask(cfg); !awserr.IsThrottled(err) || took > 66*time.Second {
			t.Errorf("the configuration itself gave up after %s: %v", took, err)
		}
		if told := log.Text(); strings.Count(told, "asking again, for up to") != 1 {
			t.Errorf("told\n%s", told)
		}
		if took, _ := ask(Patient(cfg, 0)); took < 29*time.Minute || took > 32*time.Minute {
			t.Errorf("without a time of its own it gave up after %s", took)
		}
		if took, _ := ask(Patient(cfg, time.Second)); took < 5*time.Second || took > 66*time.Second {
			t.Errorf("with hardly any patience it gave up after %s", took)
		}
		shared := Patient(cfg, 10*time.Minute)
		once, _ := ask(shared)
		twice, _ := ask(shared)
		if both := once + twice; both < 10*time.Minute || both > 12*time.Minute {
			t.Errorf("two clients waited %s and %s", once, twice)
		}
		n.n, n.answer = 0, jsonError(500, "ServerException", "x")
		if _, err := ask(Patient(cfg, 30*time.Minute)); n.n != transientAttempts || !awserr.IsLost(err) {
			t.Errorf("%d attempts: %v", n.n, err)
		}
		n.n, n.answer = 0, jsonError(400, "ClientException", "Too many concurrent attempts to create a new revision of the specified family.")
		if _, err := ask(cfg); n.n != throttleAttempts || !awserr.IsThrottled(err) {
			t.Errorf("%d attempts: %v", n.n, err)
		}
	})
}

// endless are answers that never end, by what is repeated in them.
var endless = map[string]struct{ head, piece string }{
	"objects":        {`{"services":[{}`, `,{}`},
	"strings":        {`{"serviceArns":[""`, `,""`},
	"events":         {`{"events":[{"message":"x"}`, `,{"message":"x"}`},
	"nested":         {`{"services":`, `[`},
	"one string":     {`{"nextToken":"`, `xxxxxxxxxxxxxxxx`},
	"unknown fields": {`{"a":1`, `,"a":1`},
	"white space":    {`{`, "                "},
	"digits":         {`{"a":1`, `1111111111111111`},
	"elements":       {`<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>`, `<member/>`},
	"deep elements":  {`<DescribeTargetHealthResponse>`, `<a>`},
	"no protocol":    {``, `Service Unavailable `},
}

// TestMemory reads each of the answers in a process of its own: it ends, and it never holds 256 MB.
func TestMemory(t *testing.T) {
	if what := os.Getenv("CONNECT2_TEST_ENDLESS"); what != "" {
		readEndless(t, what)
		return
	}
	if raceDetector {
		t.Skip("the race detector's own memory is several times that of the program")
	}
	for what := range endless {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemory$", "-test.v")
			child.Env = append(os.Environ(), "CONNECT2_TEST_ENDLESS="+what, "GOGC=100")
			out, err := child.CombinedOutput()
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok {
				t.Skip("this system does not tell the memory of a process")
			}
			if most := usage.Maxrss >> 10; most > 256 {
				t.Errorf("%d MiB", most)
			} else {
				t.Logf("%d MiB", most)
			}
		})
	}
}

func readEndless(t *testing.T, what string) {
	answer := endless[what]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, err := fmt.Fprint(w, answer.head)
		for chunk := strings.Repeat(answer.piece, 1<<12); err == nil; {
			_, err = fmt.Fprint(w, chunk)
		}
	}))
	defer server.Close()
	env, _ := actiontest.NewTestEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-west-2",
		"AWS_ENDPOINT_URL": server.URL})
	cfg, err := loadConfig(t.Context(), env, Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"services": func() error {
			_, err := ecs.NewFromConfig(cfg).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Services: []string{"x"}})
			return err
		},
		"list": func() error {
			_, err := ecs.NewFromConfig(cfg).ListServices(t.Context(), &ecs.ListServicesInput{})
			return err
		},
		"log": func() error {
			_, err := cloudwatchlogs.NewFromConfig(cfg).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogStreamName: aws.String("x")})
			return err
		},
		"targets": func() error {
			_, err := elb.NewFromConfig(cfg).DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String("x")})
			return err
		},
	} {
		if err := call(); err == nil {
			t.Errorf("%s: an answer without an end is none", name)
		} else if !awserr.IsLost(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
