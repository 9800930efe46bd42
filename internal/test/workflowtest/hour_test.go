package workflowtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// group is a concurrency group as GitHub has it: one runs, the newest waits, and whoever waited before is cancelled.
type group struct {
	mu      sync.Mutex
	busy    bool
	waiting chan bool // tells who waits: true, it is your turn; false, you are cancelled
}

func (g *group) enter() bool {
	g.mu.Lock()
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		return true
	}
	if g.waiting != nil {
		g.waiting <- false
	}
	turn := make(chan bool, 1)
	g.waiting = turn
	g.mu.Unlock()
	return <-turn
}

func (g *group) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == nil {
		g.busy = false
		return
	}
	g.waiting <- true
	g.waiting = nil
}

// hour is a line of commits that are pushed one after the other, and the runs that release them.
type hour struct {
	*sandboxtest.Site
	group group

	mu     sync.Mutex
	pushed int   // commits on the branch
	live   []int // the commits that came into force, in order
	wrong  []string
}

func commit(n int) string { return fmt.Sprintf("%040x", n+1) }

// list writes the commits that are pushed by now.
func (h *hour) list(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	for n := h.pushed - 1; n > 0; n-- {
		fmt.Fprintln(&b, commit(n), commit(n-1))
	}
	fmt.Fprintln(&b, commit(0))
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		h.wrong = append(h.wrong, err.Error())
	}
}

// release is the deployment job of a run of service-deploy.yml. It returns "cancelled" where GitHub never started it.
func (h *hour) release(ctx context.Context, n int, asked bool, list string) action.Outcome {
	if !h.group.enter() {
		return action.Cancelled
	}
	defer h.group.leave()
	h.list(list)
	env, _ := h.Runner()
	env.GitHub.SHA = commit(n)
	out, err := ecsdeploy.Run(ctx, env, ecsdeploy.Inputs{
		Cluster: sandboxtest.Cluster, Service: sandboxtest.Service, Image: fmt.Sprintf("c%d", n), Wait: true, Timeout: 30 * time.Minute,
		Order: commits.Order{Commit: commit(n), List: list, Older: asked},
	})
	outcome := out.Outcome
	if err != nil {
		outcome = action.OutcomeOf(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if outcome == action.Succeeded || outcome == action.NoChange {
		h.live = append(h.live, n)
	} else if outcome != action.Superseded {
		h.wrong = append(h.wrong, fmt.Sprintf("commit %d: %s: %v", n, outcome, err))
	}
	return outcome
}

// TestAnHourOfPushes simulates a busy hour: pushes whose builds and approvals take their time, so that their deployments come in
// any order, and runs that are repeated. What serves only ever moves forward, and every run ends with a colour that is true.
func TestAnHourOfPushes(t *testing.T) {
	pushes := 40
	if testing.Short() {
		pushes = 12
	}
	for seed := range uint64(2) {
		sandboxtest.Run(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}", func(t *testing.T, s *sandboxtest.Site) {
			random := rand.New(rand.NewPCG(seed, 7))
			folder := t.TempDir()
			h := &hour{Site: s}
			var runs sync.WaitGroup
			outcomes := make([]action.Outcome, pushes)
			for n := range pushes {
				time.Sleep(time.Duration(random.IntN(180)) * time.Second)
				s.Push(fmt.Sprintf("c%d", n), "")
				h.mu.Lock()
				h.pushed++
				h.mu.Unlock()
				work := time.Duration(60+random.IntN(1200)) * time.Second // the build, and until somebody approves
				again := random.IntN(4) == 0
				runs.Go(func() {
					list := filepath.Join(folder, fmt.Sprint(n))
					time.Sleep(work)
					outcomes[n] = h.release(t.Context(), n, false, list)
					if again { // "Re-run all jobs", some minutes later
						time.Sleep(work / 2)
						outcomes[n] = h.release(t.Context(), n, false, list)
					}
				})
			}
			runs.Wait()
			for _, wrong := range h.wrong {
				t.Error(wrong)
			}
			for i := 1; i < len(h.live); i++ {
				if h.live[i] < h.live[i-1] {
					t.Errorf("seed %d: commit %d came into force after commit %d", seed, h.live[i], h.live[i-1])
				}
			}
			count := map[action.Outcome]int{}
			for n, outcome := range outcomes {
				count[outcome]++
				if outcome == "" {
					t.Errorf("seed %d: the run of commit %d never ended", seed, n)
				}
			}
			// The test is worth nothing if the runs came in order by themselves.
			if count[action.Superseded] == 0 || count[action.Succeeded] == 0 {
				t.Errorf("seed %d: %v", seed, count)
			}
			last := h.live[len(h.live)-1]
			if got := serves(s); got != commit(last) {
				t.Errorf("seed %d: %s serves, and the last green run was of %s", seed, got, commit(last))
			}

			// Somebody asks for an older commit, and gets it; the next push goes forward from there.
			outcome := h.release(t.Context(), 0, true, filepath.Join(folder, "asked"))
			if outcome != action.Succeeded || serves(s) != commit(0) {
				t.Errorf("seed %d: asked for the oldest commit: %s, and %s serves", seed, outcome, serves(s))
			}
			outcome = h.release(t.Context(), last, false, filepath.Join(folder, "next"))
			if outcome != action.Succeeded || serves(s) != commit(last) {
				t.Errorf("seed %d: from there to the newest: %s, and %s serves", seed, outcome, serves(s))
			}
		})
	}
}

// serves returns the commit of the revision that the service is at.
func serves(s *sandboxtest.Site) string {
	s.T.Helper()
	env, _ := s.Runner()
	conn, err := awsconn.Connect(s.T.Context(), env, awsconn.Inputs{})
	if err != nil {
		s.T.Fatal(err)
	}
	client := ecs.NewFromConfig(conn.Config)
	service, err := ecsview.Find(s.T.Context(), client, sandboxtest.Cluster, sandboxtest.Service)
	if err != nil {
		s.T.Fatal(err)
	}
	revision, err := taskdef.Describe(s.T.Context(), client, aws.ToString(service.TaskDefinition))
	if err != nil {
		s.T.Fatal(err)
	}
	return revision.Tags[commits.Tag]
}
