package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/run"
)

// This file is all that the simulation knows of the verbs.

// answer is what a run says at its end.
type answer struct {
	Code           int
	Outcome        string `json:"outcome"`
	TaskDefinition string `json:"task-definition-arn"`
	Previous       string `json:"previous-task-definition-arn"`
	Error          string `json:"error"`
	Cause          string `json:"cause"`
	Written        string `json:"-"` // everything that was written anywhere
}

// green says whether the run calls itself a success.
func (a answer) green() bool { return a.Code == 0 }

// unsure says whether the run says itself that it does not know what is in force.
func (a answer) unsure() bool { return a.Outcome == string(action.Unknown) }

// untouched says whether the run says that it changed nothing.
func (a answer) untouched() bool { return a.Outcome == string(action.Invalid) }

// tookBack says whether the run says that another version is in force again.
func (a answer) tookBack() bool { return a.Outcome == string(action.RolledBack) }

// overtaken says whether the run says that a newer deployment took over.
func (a answer) overtaken() bool { return a.Outcome == string(action.Superseded) }

const (
	noChange    = string(action.NoChange)
	defect      = string(action.Defect)
	unpointed   = "schedule-not-pointed" // why a deployment was taken back that its schedules could not go along with
	wayBackTime = 15 * time.Minute       // what a deployment gives its way back
)

// holdTag is the service's tag that names the images that must not be deployed.
const holdTag = "connect2:hold"

// errSignal is the cause of a context that a signal has ended.
var errSignal = action.ErrInterrupted

// run runs a verb as a command line would.
func (r Run) run(ctx context.Context, t *testing.T, p *process) answer {
	args := []string{"--cluster", sandboxtest.Cluster, "--timeout", r.Timeout.String(), "--json"}
	if r.Verb == Together {
		args = append(args, "--file", p.w.history.Second.file(), "--environment", "dev", "--together", "true")
	} else {
		args = append(args, "--service", sandboxtest.Service)
	}
	if r.Along {
		args = append(args, "--schedules", "rule:"+rule+"\nschedule:"+schedule)
	}
	verb := ecsrollback.Action
	if r.Verb != Rollback {
		args = append(args, "--image", tag(r.Version), fmt.Sprint("--override-hold=", r.Lifts))
	}
	if r.Verb.deploys() {
		args = append(args, "--environment-variables", "SETTING="+settingValue, fmt.Sprint("--force=", r.Force))
	}
	switch r.Verb {
	case Deploy, Together:
		verb = ecsdeploy.Action
	case Migrate:
		verb = migrate.Action
	case Release:
		verb = release.Action
		args = append(args, "--migrate", "--migrate-timeout", r.Timeout.String())
	}
	env, told := actiontest.NewTestEnv(t, p.environ())
	env.Transport, env.Time = p, p.clockOf()
	var stdout bytes.Buffer
	a := answer{Code: run.Command(ctx, verb, args, &stdout, io.Discard, env)}
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		a.Outcome, a.Error = defect, "the outputs are not JSON: "+err.Error()
	}
	a.Written = strings.Join([]string{told.Text(), told.Summary(), stdout.String()}, "\n")
	return a
}
