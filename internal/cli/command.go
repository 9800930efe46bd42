package cli

import (
	"context"
	"io"

	"github.com/org/connect2/v2/internal/catalog/all"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/adjust"
	"github.com/org/connect2/v2/pkg/doctor"
	"github.com/org/connect2/v2/pkg/logs"
	"github.com/org/connect2/v2/pkg/reach"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/status"
	"github.com/org/connect2/v2/pkg/watch"
)

// Group is a heading in the list of commands.
type Group string

// The groups, in the order in which they are listed.
const (
	Actions Group = "Actions"
	Operate Group = "Operate"
	SetUp   Group = "Set up and rehearse"
)

// Groups lists them.
var Groups = []Group{Actions, Operate, SetUp}

// Command is one command. It is described by an action, or has a function of its own, or is there for the commands below it.
type Command struct {
	Name    string
	Group   Group    // of a command of the first level
	Aliases []string // other names under which it is called
	Words   []string // what people type when they mean it: suggested, and not accepted

	Action *action.Action // what it does, where an action describes it

	Summary string // one line for the list, where no action describes it
	// Run does it, where no action describes it. args are what follows the name; --help among them is Run's to answer. Its context
	// ends with SIGINT and SIGTERM.
	Run func(ctx context.Context, args []string, stdout, stderr io.Writer) int

	Commands []Command // below it
}

// Describe returns the command's line for the list.
func (c Command) Describe() string {
	if c.Action != nil {
		return c.Action.Meta.Description
	}
	return c.Summary
}

// Commands returns all commands of the first level. A new one gets its line here.
func Commands() []Command {
	var commands []Command
	for _, a := range all.Actions() {
		c := Command{Name: a.Meta.Name, Group: Actions, Action: a}
		c.Aliases, c.Words = actionNames[a.Meta.Name].aliases, actionNames[a.Meta.Name].words
		commands = append(commands, c)
	}
	return append(commands,
		Command{Name: "status", Group: Operate, Action: status.Action, Words: []string{"info", "describe", "ps", "show", "state"}},
		Command{Name: "watch", Group: Operate, Action: watch.Action, Words: []string{"page", "dashboard", "live", "ui"}},
		Command{Name: "logs", Group: Operate, Action: logs.Action, Words: []string{"log", "tail", "journal", "output"}},
		Command{Name: "doctor", Group: Operate, Action: doctor.Action, Words: []string{"check", "health", "diagnose", "why", "troubleshoot"}},
		Command{Name: "history", Group: Operate, Action: adjust.History, Words: []string{"deployments", "releases", "versions", "revisions"}},
		Command{Name: "diff", Group: Operate, Action: adjust.Diff, Words: []string{"compare", "changes"}},
		Command{Name: "restart", Group: Operate, Action: adjust.Restart, Words: []string{"reboot", "redeploy", "bounce", "recreate"}},
		Command{Name: "scale", Group: Operate, Action: adjust.Scale, Words: []string{"resize", "count", "replicas"}},
		Command{Name: "hold", Group: Operate, Action: adjust.Hold, Words: []string{"freeze", "lock", "pause"}},
		Command{Name: "release-hold", Group: Operate, Action: adjust.ReleaseHold, Words: []string{"unhold", "unfreeze", "unlock", "resume"}},
		Command{Name: "open", Group: Operate, Action: adjust.Open, Words: []string{"console", "browse", "web"}},
		Command{Name: "exec", Group: Operate, Action: reach.Exec, Words: []string{"shell", "sh", "bash", "execute-command", "attach"}},
		Command{Name: "tunnel", Group: Operate, Action: reach.Tunnel, Words: []string{"forward", "port-forward", "proxy", "bastion"}},
		Command{Name: "psql", Group: Operate, Action: reach.Psql, Words: []string{"postgres", "db", "database", "sql"}},
		Command{Name: "redis-cli", Group: Operate, Action: reach.Redis, Words: []string{"redis", "cache"}},
		config,
		Command{Name: "init", Group: SetUp, Run: runInit,
			Summary: "Write connect2.yaml and the workflows of a repository, name a copy of the Terraform, or set GitHub up",
			Words:   []string{"setup", "new", "create", "scaffold", "bootstrap"}},
		Command{Name: "sandbox", Group: SetUp, Summary: "Stand in for AWS on this machine, to rehearse releases",
			Run:   sandbox.ServeWith(showSandbox),
			Words: []string{"emulator", "localstack", "mock"}},
		Command{Name: "demo", Group: SetUp, Summary: "Play through a release, a failed one and a rollback, on a stand-in for AWS", Run: runDemo,
			Words: []string{"example", "tour"}},
		Command{Name: "version", Group: SetUp, Summary: "Show the version of this binary", Run: runVersion},
	)
}

// actionNames are what else people call the actions.
var actionNames = map[string]struct{ aliases, words []string }{
	"ecs-deploy":   {[]string{"deploy"}, []string{"rollout", "update", "ship", "apply-service"}},
	"ecs-rollback": {[]string{"rollback"}, []string{"undo", "revert", "back"}},
	"ecr-push":     {[]string{"push"}, []string{"upload", "publish", "image"}},
	"migrate":      {nil, []string{"migration", "migrations", "alembic"}},
	"run-task":     {nil, []string{"task", "one-off", "oneoff", "job", "command"}},
	"release":      {nil, []string{"promote"}},
	"tf-apply":     {nil, []string{"terraform", "apply", "plan", "tofu"}},
}
