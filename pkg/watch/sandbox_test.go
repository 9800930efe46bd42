package watch

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/sandbox"
)

const world = "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s, releases: [v1, v2]}\n"

// pageOf is a page about the site's service whose calls are like anybody's.
func pageOf(s *sandboxtest.Site) *Page {
	return New(Options{Names: Names{Cluster: sandboxtest.Cluster, Service: sandboxtest.Service, Flags: "--environment dev"},
		Config: aws.Config{Region: "us-west-2", HTTPClient: &http.Client{Transport: s.Sandbox.Transport()},
			Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, sandbox.SecretAccessKey, "")},
		Now: time.Now, Speed: func() float64 { return 1 }, Redact: func(text string) string {
			return strings.ReplaceAll(text, "known-secret",
				"***")
		}})
}

// shown is what the page shows after one more look.
func (p *Page) after(t *testing.T) View {
	t.Helper()
	p.Look(t.Context())
	var v View
	if err := json.Unmarshal(p.shown, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFailingRollout follows a release that fails: what the page shows at each step, and that it changes nothing.
func TestFailingRollout(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		p := pageOf(s)
		v := p.after(t)
		if v.State != operate.Steady || v.Card != nil || v.Problem != nil || len(v.Lanes) != 2 || len(v.Targets) != 2 || len(v.Unread) != 0 {
			t.Errorf("at first: %+v", v)
		}
		if h := v.History; len(h) != 2 || h[0].Back != "" || !h[1].Previous || !strings.HasSuffix(h[1].Back,
			"--to connect2-api-dev:1 --reason 'WHY'") {
			t.Errorf("history %+v", h)
		}
		before := len(s.Mutations())
		if err := s.Sandbox.Rollout("v3", "lacks a setting"); err != nil {
			t.Fatal(err)
		}
		states, phases, cards := []operate.State{}, map[Phase]bool{}, []string{}
		outcome := ""
		for range 300 {
			v = p.after(t)
			if len(states) == 0 || states[len(states)-1] != v.State {
				states = append(states, v.State)
			}
			for _, l := range v.Lanes {
				phases[l.Phase] = true
			}
			if v.Card != nil && !slices.Contains(cards, v.Card.Title) {
				cards = append(cards, v.Card.Title)
			}
			outcome = v.Rollout.Outcome
			time.Sleep(2 * time.Second)
		}
		if !slices.Equal(states, []operate.State{operate.Deploying, operate.RollingBack, operate.Steady}) {
			t.Errorf("states %q", states)
		}
		for _, want := range []Phase{Provisioning, Pending, Healthy, Stopped} {
			if !phases[want] {
				t.Errorf("no task was %s", want)
			}
		}
		if len(cards) == 0 || !strings.Contains(cards[len(cards)-1], "DATABASE_URL") || v.Card == nil || v.Card.Of != "connect2-api-dev:3" {
			t.Errorf("cards %q, at the end %+v", cards, v.Card)
		}
		if outcome != "rollback successful" || v.Rollout.Tone != Bad || v.Rollout.Failed < 3 {
			t.Errorf("rollout %+v", v.Rollout)
		}
		if !slices.ContainsFunc(v.Rollout.Moments, func(m Moment) bool { return strings.Contains(m.Text, "failures at which it gives up") }) ||
			!slices.IsSortedFunc(v.Rollout.Moments, func(a, b Moment) int { return a.At.Compare(b.At) }) {
			t.Errorf("moments %+v", v.Rollout.Moments)
		}
		if !slices.ContainsFunc(v.Log, func(l Line) bool { return l.Text == "KeyError: 'DATABASE_URL'" }) {
			t.Errorf("log %+v", v.Log)
		}
		if got := s.Mutations()[before:]; len(got) != 0 {
			t.Errorf("changed by %v", got)
		}
	})
}

// TestOldTasksTurnUnhealthy: tasks that have run for longer than an hour count once they are unhealthy, and the card says why.
func TestOldTasksTurnUnhealthy(t *testing.T) {
	sandboxtest.Run(t, world+"images: {v2: {unhealthyAfter: 65m, check: elb, status: 503}}\n", func(t *testing.T, s *sandboxtest.Site) {
		p := pageOf(s)
		if v := p.after(t); v.State != operate.Steady || v.Card != nil {
			t.Fatalf("at first: %s, %+v", v.State, v.Card)
		}
		v := View{State: operate.Steady}
		for i := 0; v.State == operate.Steady && i < 200; i++ {
			time.Sleep(5 * time.Second)
			if bad := p.after(t); bad.State != operate.Steady {
				v = bad
			}
		}
		if v.State != operate.Degraded || v.Card == nil || v.Card.Unhealthy == 0 || !strings.Contains(strings.Join(v.Card.Evidence, " "), "503") {
			t.Errorf("%s at %s, %s, card %+v", v.State, v.At, v.Headline, v.Card)
		}
	})
}

// TestUnreadable throttles the page, ends its credentials, and takes permissions away: it says so, keeps what it shows, and goes on.
func TestUnreadable(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		p := pageOf(s)
		first := p.after(t)
		if err := s.Sandbox.Inject(sandbox.Fault{Action: "ecs:*", Answer: sandbox.Throttle, Times: 8}); err != nil {
			t.Fatal(err)
		}
		calls := s.Calls("ecs:DescribeServices")
		v := p.after(t)
		if v.Problem == nil || v.Problem.Kind != "throttled" || len(v.Lanes) != len(first.Lanes) || v.Headline != first.Headline {
			t.Errorf("throttled: %+v", v)
		}
		if got := s.Calls("ecs:DescribeServices") - calls; got != attempts {
			t.Errorf("a look that is throttled sent its call %d times, want %d", got, attempts)
		}
		var waits []time.Duration
		since := v.Problem.Since
		for range 5 {
			wait := p.Look(t.Context())
			waits = append(waits, wait)
			time.Sleep(wait)
		}
		if waits[1] <= waits[0] || p.problem != nil {
			t.Errorf("waits %v, problem %+v since %s", waits, p.problem, since)
		}
		s.Sandbox.ExpireCredentials(0)
		if v := p.after(t); v.Problem == nil || v.Problem.Kind != "credentials" || len(v.Lanes) != 2 {
			t.Errorf("expired: %+v", v.Problem)
		}
	})
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		for _, action := range []string{"ecs:ListServiceDeployments", "logs:*", "elasticloadbalancing:*", "application-autoscaling:*"} {
			if err := s.Sandbox.Inject(sandbox.Fault{Action: action, Answer: sandbox.Deny}); err != nil {
				t.Fatal(err)
			}
		}
		p := pageOf(s)
		for range 2 {
			v := p.after(t)
			told := strings.Join(v.Unread, "; ")
			if v.Problem != nil || len(v.Lanes) != 2 || !strings.Contains(told, "logs:GetLogEvents is missing") ||
				!strings.Contains(told, "ecs:ListServiceDeployments is missing") || !strings.Contains(told,
				"elasticloadbalancing:DescribeTargetHealth") {
				t.Errorf("denied: %+v, %q", v.Problem, told)
			}
		}
	})
}

// TestSecrets has secrets in what the page reads of the outside.
func TestSecrets(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		s.Push("v7", `{start: crash, after: 2s, logs: ["known-secret", "postgres://app:hunter2secret@db/app", "<script>alert(1)</script>",
			"-----BEGIN PRIVATE KEY-----", "MIIabc", "-----END PRIVATE KEY-----", "the end"]}`)
		p := pageOf(s)
		if err := s.Sandbox.Rollout("v7", ""); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			p.Look(t.Context())
			time.Sleep(2 * time.Second)
		}
		shown := string(p.shown)
		for _, secret := range []string{"known-secret", "hunter2secret", "MIIabc", "<script>"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is on the page", secret)
			}
		}
		if !strings.Contains(shown, "the end") {
			t.Errorf("the log is not on the page: %s", shown)
		}
	})
}

// TestOneReaderForAll has two viewers: AWS is read once for both, and not at all when they have gone.
func TestOneReaderForAll(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		p := pageOf(s)
		go p.Run(t.Context())
		time.Sleep(time.Minute)
		if n := s.Calls("ecs:DescribeServices"); n != 0 {
			t.Errorf("%d reads without a viewer", n)
		}
		one, two := make(chan struct{}, 1), make(chan struct{}, 1)
		p.mu.Lock()
		p.viewers[one], p.viewers[two] = true, true
		p.mu.Unlock()
		p.Wake()
		time.Sleep(10 * time.Minute)
		n := s.Calls("ecs:ListTasks") / 2
		if n < 60 || n > 90 {
			t.Errorf("%d looks in ten minutes in which nothing changes, want one in about 8 s", n)
		}
		p.mu.Lock()
		clear(p.viewers)
		p.mu.Unlock()
		time.Sleep(10 * time.Second)
		n = s.Calls("ecs:ListTasks")
		time.Sleep(time.Minute)
		if got := s.Calls("ecs:ListTasks"); got != n {
			t.Errorf("%d reads after the last viewer has gone", got-n)
		}
	})
}
