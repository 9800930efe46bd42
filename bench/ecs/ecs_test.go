// Package ecs measures how soon ecs-deploy notices that a deployment has arrived and how many calls that takes, beside the AWS CLI's
// waiter and the JavaScript action's; and has 200 services deployed at once under the limits that AWS documents for an account.
//
//	go test -v -count=1 ./bench/ecs -args -services 200
package ecs

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

var (
	services = flag.Int("services", 100, "how many services are deployed at once")
	rollouts = flag.Int("rollouts", 5, "how many deployments are followed one after the other")
)

// latency is how long a call takes there and back.
const latency = 40 * time.Millisecond

// account is an account with services, and what is counted of its calls.
type account struct {
	t       *testing.T
	sandbox *sandbox.Sandbox

	mu    sync.Mutex
	calls map[string]int // by service
}

// caller carries one run's calls.
type caller struct {
	*account
	service string
}

// RoundTrip answers a call after its latency, and counts it.
func (c caller) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(latency)
	c.mu.Lock()
	c.calls[c.service]++
	c.mu.Unlock()
	return c.sandbox.Transport().RoundTrip(r)
}

func open(t *testing.T, names []string, limits string) *account {
	a := &account{t: t, calls: map[string]int{}, sandbox: sandbox.New(sandbox.Options{Scenario: &sandbox.Scenario{Limits: limits}})}
	image, err := sandbox.NewImage("v2", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.sandbox.Push(sandboxtest.Repository, "v2", image); err != nil {
		t.Fatal(err)
	}
	a.sandbox.Inspect(func(e *engine.Engine) {
		cluster, err := e.Cluster(sandboxtest.Cluster)
		if err != nil {
			t.Fatal(err)
		}
		model := cluster.Service(sandboxtest.Service)
		for _, name := range names {
			document := map[string]any{}
			for member, value := range model.Spec.Definition.Document {
				document[member] = value
			}
			document["family"] = name
			text, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			definition, err := e.RegisterTaskDefinition(text, "bench")
			if err != nil {
				t.Fatal(err)
			}
			two := 2
			_, err = e.CreateService(cluster, name, engine.ServiceChange{TaskDefinition: definition.ARN, DesiredCount: &two,
				LaunchType: "FARGATE", NetworkConfiguration: model.Spec.Kept["networkConfiguration"]}, "bench")
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	time.Sleep(time.Hour) // until all of them run
	return a
}

// deployed is what became of one deployment.
type deployed struct {
	code     int
	took     time.Duration // from the start of the run to the deployment's completion
	notice   time.Duration // from there to the end of the run
	calls    int
	problems string
}

// deploy deploys v2 to a service.
func (a *account) deploy(name string, seed uint64) deployed {
	env, told := actiontest.NewTestEnv(a.t, a.sandbox.Environ())
	env.Transport, env.Time = caller{a, name}, clock.Seeded(nil, seed)
	begun := time.Now()
	code := run.Command(a.t.Context(), ecsdeploy.Action, []string{"--cluster", sandboxtest.Cluster, "--service", name, "--json",
		"--image", sandbox.DefaultHost + "/" + sandboxtest.Repository + ":v2"}, io.Discard, io.Discard, env)
	d := deployed{code: code}
	if code != 0 {
		d.problems = told.Text()
	}
	ended := time.Now()
	a.sandbox.Inspect(func(e *engine.Engine) {
		cluster, err := e.Cluster(sandboxtest.Cluster)
		if err != nil {
			a.t.Error(err)
			return
		}
		done := cluster.Service(name).Deployments[0].UpdatedAt
		d.took, d.notice = done.Sub(begun), ended.Sub(done)
	})
	a.mu.Lock()
	d.calls = a.calls[name]
	a.mu.Unlock()
	return d
}

// quantile returns the value that a share of the values does not exceed.
func quantile(values []time.Duration, share float64) time.Duration {
	values = slices.Sorted(slices.Values(values))
	return values[int(math.Ceil(share*float64(len(values))))-1].Round(10 * time.Millisecond)
}

func told(notices []time.Duration) string {
	var sum time.Duration
	for _, n := range notices {
		sum += n
	}
	return fmt.Sprintf("%8s mean, %8s p95, %8s at worst", (sum / time.Duration(len(notices))).Round(10*time.Millisecond),
		quantile(notices, 0.95), quantile(notices, 1))
}

// TestNotice follows deployments one after the other.
func TestNotice(t *testing.T) {
	var ours, cli, script []time.Duration
	var calls, cliCalls, scriptCalls int
	for n := range *rollouts {
		synctest.Test(t, func(t *testing.T) {
			a := open(t, []string{"service"}, "")
			random := rand.New(rand.NewPCG(uint64(n), 1))
			pull := 5*time.Second + time.Duration(random.Int64N(int64(time.Minute))) // so that the end comes at any time of a waiter's round
			a.sandbox.SetBehaviour("v2", engine.Behaviour{PullTime: engine.Duration(pull)})
			d := a.deploy("service", uint64(n))
			if d.code != 0 || d.notice < 0 {
				t.Fatalf("exit %d, noticed %s after the completion\n%s", d.code, d.notice, d.problems)
			}
			ours, calls = append(ours, d.notice), calls+d.calls
			notice, polls := wait(d.took, func(int) time.Duration { return 15 * time.Second })
			cli, cliCalls = append(cli, notice), cliCalls+polls
			notice, polls = wait(d.took, func(attempt int) time.Duration { return scriptDelay(random, attempt) })
			script, scriptCalls = append(script, notice), scriptCalls+polls
		})
	}
	t.Logf("%d deployments of two tasks, whose image takes from 5 s to a minute to be pulled:\n"+
		"ecs-deploy              notices after %s, %3d calls\n"+
		"AWS CLI's waiter        notices after %s, %3d calls (waiting alone)\n"+
		"JavaScript SDK's waiter notices after %s, %3d calls (waiting alone)",
		*rollouts, told(ours), calls / *rollouts, told(cli), cliCalls / *rollouts, told(script), scriptCalls / *rollouts)
	if p95 := quantile(ours, 0.95); p95 > 3500*time.Millisecond {
		t.Errorf("the end is noticed after %s (p95)", p95)
	}
}

// wait polls until the end has come, and returns how much later that is seen.
func wait(end time.Duration, delay func(attempt int) time.Duration) (notice time.Duration, polls int) {
	at := time.Duration(0)
	for polls = 1; at < end; polls++ {
		at += delay(polls)
	}
	return at - end, polls
}

// scriptDelay is how the AWS SDK for JavaScript waits for a stable service, as aws-actions/amazon-ecs-deploy-task-definition has it
// do: a random time between 15 seconds and 15 × 2ⁿ, and 120 seconds once that is reached
// (https://smithy.io/2.0/additional-specs/waiters.html#waiter-retries).
func scriptDelay(random *rand.Rand, attempt int) time.Duration {
	const least, most = 15 * time.Second, 120 * time.Second
	if attempt > 4 { // log₂(120 / 15) + 1
		return most
	}
	return least + time.Duration(random.Int64N(int64(least<<(attempt-1)-least+1)))
}

// TestCrowd deploys all services at once, under the limits of one account.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for n := range *services {
			names = append(names, fmt.Sprintf("service-%03d", n))
		}
		a := open(t, names, sandbox.DocumentedLimits)
		results := make([]deployed, len(names))
		begun := time.Now()
		var all sync.WaitGroup
		for n, name := range names {
			all.Go(func() { results[n] = a.deploy(name, uint64(n)) })
		}
		all.Wait()
		took := time.Since(begun)
		var notices []time.Duration
		calls, throttled := 0, 0
		for n, r := range results {
			if r.code != 0 {
				lines := strings.Split(strings.TrimSpace(r.problems), "\n")
				t.Errorf("%s: exit %d: %s", names[n], r.code, strings.Join(lines[max(0, len(lines)-12):], "\n"))
			}
			notices, calls = append(notices, r.notice), calls+r.calls
		}
		for _, entry := range a.sandbox.Journal() {
			if entry.Code == "ThrottlingException" {
				throttled++
			}
		}
		t.Logf("%d services deployed at once in %s: notices after %s; %d calls each, %d of all %d throttled",
			len(names), took.Round(time.Second), told(notices), calls/len(names), throttled, calls)
	})
}

// TestRelease releases all services as one, in one process, under the limits of one account, and compares that with one of them deployed
// alone, whose image takes 30 s to be pulled. AWS registers 20 task definitions at once and one a second after that, so the last of 50
// begins half a minute after the first: with an image that is pulled in 5 s it is 1.32 times as long.
func TestRelease(t *testing.T) {
	release := func(n int) (took time.Duration, calls, throttled int) {
		synctest.Test(t, func(t *testing.T) {
			var names []string
			text := "project: connect2-api\nenvironments: {dev: {region: us-west-2, cluster: " + sandboxtest.Cluster + "}}\nservices:\n"
			for i := range n {
				names = append(names, fmt.Sprintf("service-%03d", i))
				text += fmt.Sprintf("  s%03d: {service: service-%03d}\n", i, i)
			}
			file := filepath.Join(t.TempDir(), "connect2.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			a := open(t, names, sandbox.DocumentedLimits)
			a.sandbox.SetBehaviour("v2", engine.Behaviour{PullTime: engine.Duration(30 * time.Second)})
			a.sandbox.ResetJournal()
			env, told := actiontest.NewTestEnv(t, a.sandbox.Environ())
			env.Transport, env.Time = caller{a, "release"}, clock.Seeded(nil, uint64(n))
			begun := time.Now()
			code := run.Command(t.Context(), ecsdeploy.Action, []string{"--file", file, "--environment", "dev", "--json",
				"--image", sandbox.DefaultHost + "/" + sandboxtest.Repository + ":v2"}, io.Discard, io.Discard, env)
			took = time.Since(begun)
			if code != 0 {
				lines := strings.Split(strings.TrimSpace(told.Text()), "\n")
				t.Errorf("%d services: exit %d: %s", n, code, strings.Join(lines[max(0, len(lines)-20):], "\n"))
			}
			for _, entry := range a.sandbox.Journal() {
				if entry.Code == "ThrottlingException" {
					throttled++
				}
			}
			calls = a.calls["release"]
		})
		return took, calls, throttled
	}
	alone, calls, _ := release(1)
	t.Logf("one service alone: %s, %d calls", alone.Round(time.Second), calls)
	many := []int{50}
	if *services > 100 { // which is asked for by hand
		many = append(many, *services)
	}
	for _, n := range many {
		took, calls, throttled := release(n)
		t.Logf("%d services in one release: %s, %.2f times as long; %d calls, %.1f for each, %d throttled", n, took.Round(time.Second),
			float64(took)/float64(alone), calls, float64(calls)/float64(n), throttled)
		if n <= 50 && float64(took) > 1.3*float64(alone) {
			t.Errorf("%d services take %.2f times as long as one", n, float64(took)/float64(alone))
		}
	}
}
