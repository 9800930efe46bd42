package cli

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/watch"
)

// onStage is how often the page of a sandbox looks: it costs no call of anybody's, and shows a clock that is pushed forward.
const onStage = 500 * time.Millisecond

// showSandbox has a sandbox show its service on the page of connect2 watch, with the controls of its world beside it.
func showSandbox(ctx context.Context, s *sandbox.Sandbox) {
	page := pageOf(s)
	s.ShowPage(page, page.Wake)
	go page.Run(ctx)
}

// pageOf is the page about a sandbox's service. It looks on from outside: no fault and no limit of the world is its own, and its
// calls are not in the journal.
func pageOf(s *sandbox.Sandbox) *watch.Page {
	scenario := s.Scenario()
	v := scenario.Service
	return watch.New(watch.Options{
		Names: watch.Names{Cluster: v.Cluster, Service: v.Name, Region: scenario.Region,
			Flags: "--cluster " + v.Cluster + " --service " + v.Name},
		Config: aws.Config{Region: scenario.Region, BaseEndpoint: aws.String(s.Environ()["AWS_ENDPOINT_URL"]),
			HTTPClient:  &http.Client{Transport: s.Onlooker()},
			Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, sandbox.SecretAccessKey, "")},
		Now:   s.Now,
		Speed: func() float64 { return scenario.Speed },
		Stage: func() *watch.Stage { return stageOf(s) },
		Every: onStage,
	})
}

// shownCalls is how many calls of the journal the page shows.
const shownCalls = 60

// faultActions are calls that a fault may be on: what a release and a look at a service are made of.
var faultActions = []string{"ecs:*", "ecs:Describe*", "ecs:UpdateService", "ecs:RegisterTaskDefinition", "ecs:DescribeServices",
	"ecs:DescribeTasks",
	"ecs:ListTasks", "ecs:RunTask", "ecs:StopServiceDeployment", "ecr:*", "ecr:PutImage", "logs:*", "logs:GetLogEvents",
	"elasticloadbalancing:*", "iam:PassRole", "sts:*", "*"}

// stageOf is the world of a sandbox as its page shows it.
func stageOf(s *sandbox.Sandbox) *watch.Stage {
	scenario := s.Scenario()
	v := scenario.Service
	stage := &watch.Stage{Controls: sandbox.ControlPath, Tags: s.Tags(), Behaviours: sandbox.Presets(), Actions: faultActions,
		Faults: []watch.Fault{}, Journal: []watch.Call{}}
	fact := func(name, format string, args ...any) {
		stage.Facts = append(stage.Facts, watch.Fact{Name: name, Text: fmt.Sprintf(format, args...)})
	}
	fact("account", "%s, %s", scenario.Account, scenario.Region)
	fact("seed", "%d", scenario.Seed)
	fact("repository", "%s", v.Repository)
	fact("breaker", "%s", map[bool]string{true: "on", false: "off"}[*v.CircuitBreaker])
	for _, reference := range slices.Sorted(maps.Keys(scenario.Images)) {
		if start := scenario.Images[reference].Start; start != "" {
			fact("image "+reference, "%s", start)
		}
	}
	for _, answer := range sandbox.Answers() {
		stage.Answers = append(stage.Answers, string(answer))
	}
	for _, f := range s.Faults() {
		stage.Faults = append(stage.Faults, watch.Fault{Action: f.Action, Answer: string(f.Answer), Text: strikes(f)})
	}
	journal := s.Journal()
	stage.Calls = len(journal)
	for _, entry := range slices.Backward(journal[max(len(journal)-shownCalls, 0):]) {
		answer := strconv.Itoa(entry.Status)
		if entry.Status == 0 {
			answer = "no answer"
		}
		_, caller, _ := strings.Cut(entry.Caller, "::"+scenario.Account+":")
		stage.Journal = append(stage.Journal, watch.Call{At: entry.Time, Name: entry.Name(), Caller: caller, Fault: entry.Fault,
			Answer: strings.TrimSpace(answer + " " + entry.Code), Changes: entry.Mutating, OK: entry.OK()})
	}
	return stage
}

// strikes says how often a fault strikes, and has struck.
func strikes(f sandbox.CountedFault) string {
	var parts []string
	switch {
	case f.Rate > 0:
		parts = append(parts, fmt.Sprintf("%.0f %% of the calls", 100*f.Rate))
	case f.Every > 1:
		parts = append(parts, fmt.Sprintf("every %d calls", f.Every))
	}
	if f.Skip > 0 {
		parts = append(parts, fmt.Sprintf("after %d calls", f.Skip))
	}
	switch {
	case f.Answer == sandbox.Deny: // nobody counts what is not allowed
	case f.Times > 0:
		parts = append(parts, fmt.Sprintf("%d of %d times so far", f.Hit, f.Times))
	default:
		parts = append(parts, fmt.Sprintf("%d times so far", f.Hit))
	}
	return strings.Join(parts, ", ")
}
