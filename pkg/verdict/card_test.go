package verdict_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
	"github.com/org/connect2/v2/pkg/verdict"
)

// slowly answers each call after a while.
type slowly struct{ http.RoundTripper }

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(80 * time.Millisecond)
	return s.RoundTripper.RoundTrip(r)
}

// TestCardIsPrompt holds that a failure is explained within 5 seconds of being seen, whatever kind it is of, and whatever its log holds.
func TestCardIsPrompt(t *testing.T) {
	for name, behaviour := range map[string]string{
		"a cause that the log names":      `{start: crash, logs: ["ModuleNotFoundError: No module named 'payments'"]}`,
		"lines that explain nothing":      `{start: crash, exitCode: 3, logs: ["starting", "app.Boom: no"]}`,
		"no line at all":                  `{start: crash, exitCode: 3}`,
		"memory":                          `{start: oom}`,
		"an image that cannot be pulled":  `{start: pull-error}`,
		"another architecture":            `{start: wrong-arch}`,
		"a secret that does not exist":    `{start: missing-secret}`,
		"a command that is not there":     `{start: exec-error}`,
		"no capacity":                     `{start: no-capacity}`,
		"no network":                      `{start: no-network}`,
		"a container's health check":      `{start: unhealthy, check: container}`,
		"a health check that answers 503": `{start: unhealthy, check: elb, status: 503}`,
		"a health check without answer":   `{start: unhealthy, check: elb}`,
	} {
		t.Run(name, func(t *testing.T) {
			sandboxtest.Run(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}\n", func(t *testing.T, s *sandboxtest.Site) {
				s.Push("v2", behaviour)
				cfg := s.Config()
				cfg.HTTPClient = &http.Client{Transport: slowly{s.Sandbox.Transport()}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var seen, told time.Time
				tell := s.Env.Events
				s.Env.Events = func(e record.Event) {
					bad := strings.HasPrefix(e.Text, "✗ ") || strings.Contains(e.Text, "unable to place")
					switch {
					case bad && seen.IsZero():
						seen = time.Now()
					case e.Kind == record.KindFinding && told.IsZero():
						told = time.Now()
						cancel()
					}
					tell(e)
				}
				_, err := verdict.Follow(ctx, s.Env, cfg, start(t, ecs.NewFromConfig(cfg), "v2"), rollout.Timeout(20*time.Minute))
				if seen.IsZero() || told.IsZero() {
					t.Fatalf("seen at %v, explained at %v: %v\n%s", seen, told, err, s.Log.Text())
				}
				if took := told.Sub(seen); took < 0 || took > 5*time.Second {
					t.Errorf("explained %s after it was seen\n%s", took, s.Log.Text())
				}
			})
		})
	}
}

// start deploys another image to the service.
func start(t *testing.T, api *ecs.Client, tag string) rollout.Target {
	t.Helper()
	before, err := ecsview.Read(t.Context(), api, sandboxtest.Cluster, sandboxtest.Service)
	if err != nil {
		t.Fatal(err)
	}
	now, err := api.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(before.TaskDefinition)})
	if err != nil {
		t.Fatal(err)
	}
	d := now.TaskDefinition
	image := aws.ToString(d.ContainerDefinitions[0].Image)
	repository := image[:strings.LastIndex(image, "/")+1] + sandboxtest.Repository
	d.ContainerDefinitions[0].Image = aws.String(repository + ":" + tag)
	next, err := api.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: d.Family,
		ContainerDefinitions: d.ContainerDefinitions, Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode,
		ExecutionRoleArn: d.ExecutionRoleArn, TaskRoleArn: d.TaskRoleArn, RequiresCompatibilities: d.RequiresCompatibilities})
	if err != nil {
		t.Fatal(err)
	}
	target, err := rollout.Start(t.Context(), api, rollout.Update{Cluster: sandboxtest.Cluster, Service: sandboxtest.Service, Before: before,
		TaskDefinition: aws.ToString(next.TaskDefinition.TaskDefinitionArn)})
	if err != nil {
		t.Fatal(err)
	}
	return target
}
