// Package doctor looks for what is wrong with a service, as the section on troubleshooting would have a person do it: it reads, judges,
// and says of each thing whether it is right, wrong or was not looked at.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/render"
)

// Action is `connect2 doctor`.
var Action = action.Define(action.Meta{
	Name:        "doctor",
	Looks:       true,
	Description: "Find what is wrong with a service: tasks, image, secrets, network, database, Redis, GitHub",
	Doc: "Each check says what was found, the evidence, and what to do. What may not be read is \"not checked\", and never green. The " +
		"ways from the load balancer to the tasks, and from them and the bastion to the database and Redis, are walked rule by rule. With a " +
		"token in GITHUB_TOKEN or GH_TOKEN, GitHub's side is looked at: environments, their branches, people and variables, and who may see " +
		"the toolkit. It changes nothing, and ends with 2 where something is wrong, so that a nightly workflow can run it.",
	Examples: []action.Example{{Title: "What is wrong?", Args: "--environment prod"},
		{Title: "The ways alone", Args: "network --environment prod"},
		{Title: "Is GitHub set up?", Args: "delivery --environment prod --github-repository org/connect2-api"},
		{Title: "Are the tasks told the right database?", Args: "database --environment prod --read-secrets"}},
}, Run)

// Inputs are what doctor can be told.
type Inputs struct {
	operate.Inputs
	Area             string `input:"area" default:"all" enum:"all,container,database,redis,network,delivery" arg:"AREA" doc:"What to look at."`
	Database         string `input:"database" doc:"The RDS instance. Empty: those in the tasks' network."`
	Redis            string `input:"redis" doc:"The ElastiCache replication group. Empty: those in the tasks' network."`
	Bastion          string `input:"bastion" doc:"The Name tag of the bastion, such as PROJECT-bastion-ENVIRONMENT."`
	Host             string `input:"host" doc:"The host name that clients use, such as api.example.com. Empty: the names on its certificate."`
	GitHubRepository string `input:"github-repository" doc:"OWNER/NAME of the service's repository on GitHub. Empty: that of the workflow, or of the clone in the working directory."`
	Toolkit          string `input:"toolkit" doc:"OWNER/NAME of the repository whose workflows the service calls. Empty: as its deploy.yml says."`
	Infrastructure   string `input:"infrastructure" doc:"OWNER/NAME of the repository that infrastructure.yml runs in: its environments are looked at as well."`
	ReadSecrets      bool   `input:"read-secrets" doc:"Read the secrets that tell the tasks where the database and Redis are, and compare them with what exists. Only at a terminal; nothing of them is shown."`
}

// All is the area of everything.
const All = "all"

// Outputs are what was found.
type Outputs struct {
	action.Outputs
	Wrong      int             `output:"wrong" doc:"How many checks found something wrong."`
	NotChecked int             `output:"not-checked" doc:"How many things were not checked."`
	Checks     json.RawMessage `output:"checks" doc:"All checks: area, name, state (ok, wrong, not checked), what, evidence, fix."`
}

// Run reads, judges and tells.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	problems := githubsetup.Query{Service: in.GitHubRepository, Toolkit: in.Toolkit, Infrastructure: in.Infrastructure}.Check()
	if len(problems) > 0 {
		return Outputs{}, &action.Error{Outcome: action.Invalid, Title: "The inputs are not right", Err: errors.New(strings.Join(problems, "\n"))}
	}
	if in.ReadSecrets && env.Screen.Width == nil {
		return Outputs{}, &action.Error{Outcome: action.Invalid, Title: "Secrets are read at a terminal alone",
			Err:    errors.New("read-secrets: standard output is not a terminal"),
			Advice: "Leave --read-secrets out: what the tasks are told is then not checked."}
	}
	conn, err := awsconn.Connect(ctx, env, in.Inputs.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	facts, err := read(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "The service could not be read", err)
	}
	var out Outputs
	checks := []Check{}
	for _, c := range Examine(facts) {
		checks = append(checks, c)
		switch c.State {
		case Wrong:
			out.Wrong++
		case NotChecked:
			out.NotChecked++
		}
	}
	out.Checks = operate.JSON(checks)
	if _, err := io.WriteString(operate.Out(env), report(env.Screen, checks)); err != nil {
		return out, fmt.Errorf("writing the report to standard output: %w", err)
	}
	if out.Wrong > 0 {
		return out, &action.Error{Outcome: action.Failed, Title: "Something is wrong with the service",
			Err: errors.New(operate.Count(out.Wrong, "check") + " of " + fmt.Sprint(len(checks)) + " found something wrong")}
	}
	return out, nil
}

// report shows the checks: what is right first, what is wrong last, where it stands above the prompt.
func report(screen action.Screen, checks []Check) string {
	var b strings.Builder
	width, name := screen.Columns(), 0
	for _, c := range checks {
		name = max(name, len(c.Name))
	}
	indent := 12 + 1 + name + 2
	styles := map[State]operate.Style{OK: operate.Good, Wrong: operate.Bad, NotChecked: operate.Dim}
	for _, state := range []State{OK, NotChecked, Wrong} {
		for _, c := range checks {
			if c.State != state {
				continue
			}
			what := strings.Join(render.Wrap(diagnose.Printable(c.What), max(width-indent, 0)), "\n"+strings.Repeat(" ", indent))
			fmt.Fprintf(&b, "%s%s %-*s  %s\n", operate.Paint(screen, styles[state], string(state)), strings.Repeat(" ", 12-len(state)),
				name, c.Name, what)
			for _, line := range c.Evidence {
				b.WriteString("  | " + diagnose.Printable(line) + "\n")
			}
			for _, step := range c.Fix {
				b.WriteString("  - " + strings.Join(render.Wrap(diagnose.Printable(step), max(width-4, 0)), "\n    ") + "\n")
			}
		}
	}
	return b.String()
}
