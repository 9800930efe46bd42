package ecsdeploy_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
)

// staged is a service that is deployed with this deploymentConfiguration.
func staged(deployment string) string {
	return "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, deployment: " + deployment + "}\n"
}

const pausing = "lifecycleHooks: [{targetType: PAUSE, lifecycleStages: [POST_SCALE_UP], timeoutConfiguration: {timeoutInMinutes: 60, " +
	"action: ROLLBACK}}]"

var strategies = map[string]string{
	"blue/green": "{strategy: BLUE_GREEN, bakeTimeInMinutes: 2}",
	"linear":     "{strategy: LINEAR, linearConfiguration: {stepPercent: 50, stepBakeTimeInMinutes: 1}}",
	"canary":     "{strategy: CANARY, canaryConfiguration: {canaryPercent: 10, canaryBakeTimeInMinutes: 1}}",
}

func TestStagedDeployments(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			at(t, staged(strategy), func(t *testing.T, s *site) {
				s.Push("v2", "")
				s.Push("v3", "{start: unhealthy}")
				s.Push("v4", "")
				out := s.mustDeploy("v2")
				if at, running := s.Primary(); at != family+":2" || running != 2 || out.DeploymentARN == "" {
					t.Errorf("the service runs %d tasks of %s: %+v", running, at, out)
				}
				if !strings.Contains(s.Log.Text(), "stage ") {
					t.Errorf("no stage is told:\n%s", s.Log.Text())
				}

				s.Fresh()
				out, err := s.deploy(inputs("v3"))
				wantOutcome(t, out, err, action.RolledBack)
				if at, running := s.Primary(); at != family+":2" || running != 2 || out.Cause == "" {
					t.Errorf("after a failure the service runs %d tasks of %s, cause %q", running, at, out.Cause)
				}

				s.Fresh()
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(2*time.Minute, cancel).Stop() // old and new run side by side
				out, err = ecsdeploy.Run(ctx, s.Env, inputs("v4"))
				wantOutcome(t, out, err, action.Cancelled)
				time.Sleep(20 * time.Minute)
				if at, running := s.Primary(); at != family+":2" || running != 2 {
					t.Errorf("after an interruption the service runs %d tasks of %s", running, at)
				}
			})
		})
	}
}

// TestStagedIsSuperseded begins a deployment while another goes through its stages: that one says so within seconds, and the newer one
// succeeds.
func TestStagedIsSuperseded(t *testing.T) {
	for name, strategy := range strategies {
		for _, after := range []time.Duration{30 * time.Second, 130 * time.Second, 200 * time.Second} {
			t.Run(name+" "+after.String(), func(t *testing.T) {
				at(t, staged(strategy), func(t *testing.T, s *site) {
					s.Push("v2", "")
					s.Push("v3", "")
					done := make(chan struct{})
					go func() {
						defer close(done)
						time.Sleep(after)
						env, _ := s.Runner()
						if _, err := ecsdeploy.Run(t.Context(), env, inputs("v3")); err != nil {
							t.Errorf("the newer one: %v", err)
						}
					}()
					begun := time.Now()
					out, err := s.deploy(inputs("v2"))
					wantOutcome(t, out, err, action.Superseded)
					if late := time.Since(begun) - after; late > 10*time.Second {
						t.Errorf("it took %v to say so", late)
					}
					<-done
					if name, running := s.Primary(); name != family+":3" || running != 2 {
						t.Errorf("%d tasks of %s run", running, name)
					}
				})
			})
		}
	}
}

// TestPause has a deployment wait for somebody, who reads what to type in the log and lets it go on.
func TestPause(t *testing.T) {
	at(t, staged("{strategy: BLUE_GREEN, "+pausing+"}"), func(t *testing.T, s *site) {
		s.Push("v2", "")
		log := s.Log
		command := regexp.MustCompile("`aws ecs continue-service-deployment --service-deployment-arn ([^ ]+) --hook-id ([^ `]+)`")
		defer time.AfterFunc(10*time.Minute, func() {
			told := command.FindAllStringSubmatch(log.Text(), -1)
			if len(told) != 1 {
				t.Errorf("told %d times how to go on:\n%s", len(told), log.Text())
				return
			}
			conn, err := awsconn.Connect(t.Context(), s.Env, awsconn.Inputs{})
			if err != nil {
				t.Error(err)
				return
			}
			_, err = ecs.NewFromConfig(conn.Config).ContinueServiceDeployment(t.Context(), &ecs.ContinueServiceDeploymentInput{
				ServiceDeploymentArn: aws.String(told[0][1]), HookId: aws.String(told[0][2])})
			if err != nil {
				t.Error(err)
			}
		}).Stop()
		s.mustDeploy("v2")
	})
}

// TestPauseForTooLong ends by the hook's own timeout, upon which ECS rolls back: the action's clock stands while it waits.
func TestPauseForTooLong(t *testing.T) {
	at(t, staged("{strategy: CANARY, "+pausing+"}"), func(t *testing.T, s *site) {
		s.Push("v2", "")
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.RolledBack)
		if !strings.Contains(s.Log.Text(), "pause hook timed out") {
			t.Errorf("it is not told why:\n%s", s.Log.Text())
		}
		if name, running := s.Primary(); name != family+":1" || running != 2 {
			t.Errorf("the service runs %d tasks of %s", running, name)
		}
	})
}

// TestServicesOfOtherKinds rewrites what ECS answers about the service: those that cannot be deployed to are refused
// in words before anything is changed; on EC2 and on managed instances the API works as on Fargate.
func TestServicesOfOtherKinds(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		refusal  string // empty: it is served
	}{
		"CodeDeploy": {`"deploymentController":{"type":"ECS"}`, `"deploymentController":{"type":"CODE_DEPLOY"}`, "made by CodeDeploy"},
		"external":   {`"deploymentController":{"type":"ECS"}`, `"deploymentController":{"type":"EXTERNAL"}`, "made by an external controller"},
		"Express":    {`"serviceName":`, `"resourceManagementType":"ECS","serviceName":`, "managed by ECS Express Mode"},
		"deleted":    {`"status":"ACTIVE"`, `"status":"DRAINING"`, "is DRAINING, not ACTIVE"},
		"EC2":        {`"launchType":"FARGATE"`, `"launchType":"EC2"`, ""},
		"managed instances": {`"launchType":"FARGATE"`,
			`"capacityProviderStrategy":[{"capacityProvider":"managed","weight":1,"base":0}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", "")
				next := s.Env.Transport
				var rewritten atomic.Int64
				s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
					answer, err := next.RoundTrip(r)
					if err != nil || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeServices") {
						return answer, err
					}
					body, err := io.ReadAll(answer.Body)
					if err != nil {
						return nil, err
					}
					rewritten.Add(int64(bytes.Count(body, []byte(test.from))))
					body = bytes.ReplaceAll(body, []byte(test.from), []byte(test.to))
					answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
					answer.Header.Del("X-Amz-Crc32")
					answer.Header.Del("Content-Length")
					return answer, nil
				})
				out, err := s.deploy(inputs("v2"))
				if rewritten.Load() == 0 {
					t.Fatalf("no answer held %s", test.from)
				}
				if test.refusal == "" {
					wantOutcome(t, out, err, action.Succeeded)
					return
				}
				wantOutcome(t, out, err, action.Invalid)
				if !strings.Contains(err.Error(), test.refusal) || !slices.Equal(s.Mutations(), nil) {
					t.Errorf("%v; changed by %v", err, s.Mutations())
				}
			})
		})
	}
}

// TestTimeOfStages deploys with AWS's own defaults, which take about an hour: with timeout auto there is time for it, and a timeout
// that is too short is refused before anything is changed.
func TestTimeOfStages(t *testing.T) {
	at(t, staged("{strategy: LINEAR}"), func(t *testing.T, s *site) {
		s.Push("v2", "")
		in := inputs("v2")
		in.Timeout = 54 * time.Minute
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Invalid)
		if out.Changed || !strings.Contains(err.Error(), "timeout: 54m00s is too short") || !strings.Contains(err.Error(), "LINEAR") {
			t.Errorf("refused with %v, %+v", err, out)
		}

		s.Fresh()
		in.Timeout = 0
		begun := time.Now()
		if out, err = s.deploy(in); err != nil || out.Outcome != action.Succeeded {
			t.Fatalf("with timeout auto: %v, %+v", err, out)
		}
		if took := time.Since(begun); took < 54*time.Minute || took > 84*time.Minute {
			t.Errorf("it took %v", took)
		}
		const told = "it may take 1h24m00s: 54m00s of that are what the service's own deployment configuration (LINEAR) waits"
		if !strings.Contains(s.Log.Text(), told) {
			t.Errorf("its time is not told:\n%s", s.Log.Text())
		}
	})
}
