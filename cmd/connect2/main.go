// Command connect2 runs every action of this module in a terminal or in a step of a workflow, and what else an operator needs.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/catalog"
	"github.com/org/connect2/v2/internal/catalog/all"
	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

// command is a subcommand that is no action. Each has a file of its own, which adds it in its init function.
type command struct {
	name    string
	summary string // one line for the list in --help
	// run gets what follows the name and returns the exit code. Its context ends with SIGINT and SIGTERM.
	run func(ctx context.Context, args []string, stdout, stderr io.Writer) int
}

var commands []command

func main() {
	ctx, stop := run.WithSignals(context.Background())
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch runs the action or the command that the first argument names, and returns the exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	actions := all.Actions()
	if len(args) == 0 {
		fmt.Fprint(stderr, usage(actions))
		return action.Invalid.ExitCode()
	}
	name, rest := args[0], args[1:]
	switch name {
	case "--version", "version":
		fmt.Fprintf(stdout, "connect2 %s\n", action.Version())
		return 0
	case "help", "--help", "-h":
		if len(rest) == 0 {
			fmt.Fprint(stdout, usage(actions))
			return 0
		}
		name, rest = rest[0], []string{"--help"}
	}
	if a := catalog.Named(actions, name); a != nil {
		return run.Command(ctx, a, rest, stdout, stderr, nil)
	}
	if i := slices.IndexFunc(commands, func(c command) bool { return c.name == name }); i >= 0 {
		return commands[i].run(ctx, rest, stdout, stderr)
	}
	fmt.Fprintln(stderr, unknown(name, actions))
	return action.Invalid.ExitCode()
}

func usage(actions []*action.Action) string {
	var b strings.Builder
	b.WriteString("connect2 ships a service to Amazon ECS: it pushes, migrates, deploys and rolls back.\n\nUsage: connect2 NAME --flag VALUE ...\n\nActions:\n")
	for _, a := range actions {
		fmt.Fprintf(&b, "  %-14s %s\n", a.Meta.Name, a.Meta.Description)
	}
	if len(commands) > 0 {
		b.WriteString("\nCommands:\n")
	}
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-14s %s\n", c.name, c.summary)
	}
	b.WriteString("\nconnect2 NAME --help lists the flags, with examples. connect2 --version says what this binary is.\n\n" + action.ExitCodes)
	return b.String()
}

func unknown(name string, actions []*action.Action) string {
	var names []string
	for _, a := range actions {
		names = append(names, a.Meta.Name)
	}
	for _, c := range commands {
		names = append(names, c.name)
	}
	if near := nearest.One(name, names); near != "" {
		return fmt.Sprintf("connect2: unknown command %q: did you mean %s?", name, near)
	}
	if strings.HasPrefix(name, "-") {
		return fmt.Sprintf("connect2: unknown flag %s: the command comes first, as in connect2 NAME --flag VALUE", name)
	}
	return fmt.Sprintf("connect2: unknown command %q: there are %s", name, strings.Join(names, ", "))
}
