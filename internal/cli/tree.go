package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/pkg/action"
)

// Main runs the command that the arguments name, and returns the exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	t := &tree{commands: Commands(), stdout: stdout, stderr: stderr}
	t.completing = len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
	root := t.root()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(stderr, "connect2: %v\n", err)
		return action.Invalid.ExitCode()
	}
	return t.code
}

// tree is the command line of one run.
type tree struct {
	commands       []Command
	stdout, stderr io.Writer
	completing     bool // a shell asks what could stand at the prompt
	code           int
}

// root makes cobra's tree of the commands. Flags are declared to it for completion alone: an action reads its arguments itself, with
// the words and the rules that it has in a workflow.
func (t *tree) root() *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use: "connect2", Short: "connect2 ships a service to Amazon ECS, and shows how it is doing",
		Args: cobra.ArbitraryArgs, DisableFlagParsing: true, SilenceErrors: true, SilenceUsage: true,
		Run: func(cmd *cobra.Command, args []string) { t.code = t.first(cmd.Context(), args) },
		ValidArgsFunction: func(_ *cobra.Command, _ []string, part string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range t.commands {
				for _, alias := range c.Aliases {
					if strings.HasPrefix(alias, part) {
						names = append(names, alias+"\t"+c.Describe())
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	root.SetOut(t.stdout)
	root.SetErr(t.stderr)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { t.code = t.help(cmd.Context(), pathOf(cmd)) })
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command", DisableFlagParsing: true,
		Run: func(cmd *cobra.Command, args []string) { t.code = t.help(cmd.Context(), args) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			c, ok := find(t.commands, args)
			if len(args) > 0 && !ok {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			below := t.commands
			if ok {
				below = c.Commands
			}
			var names []string
			for _, c := range below {
				if strings.HasPrefix(c.Name, part) {
					names = append(names, c.Name+"\t"+c.Describe())
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	})
	for _, c := range t.commands {
		root.AddCommand(t.branch(nil, c))
	}
	root.InitDefaultCompletionCmd(root.Name())
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Short = "Write the completion of commands and flags for bash, zsh, fish or PowerShell"
	}
	return root
}

// branch makes cobra's command of one of ours and of what is below it.
func (t *tree) branch(path []string, c Command) *cobra.Command {
	path = append(slices.Clone(path), c.Name)
	cmd := &cobra.Command{
		Use: c.Name, Aliases: c.Aliases, Short: c.Describe(), Args: cobra.ArbitraryArgs, DisableFlagParsing: true,
		Run: func(cmd *cobra.Command, args []string) { t.code = t.run(cmd.Context(), path, c, args) },
	}
	if t.completing {
		declare(cmd, c)
	}
	for _, below := range c.Commands {
		cmd.AddCommand(t.branch(path, below))
	}
	return cmd
}

// pathOf returns the names that lead to a command, without the program's.
func pathOf(cmd *cobra.Command) []string { return strings.Fields(cmd.CommandPath())[1:] }

// find returns the command that the names lead to.
func find(commands []Command, path []string) (c Command, ok bool) {
	for _, name := range path {
		i := slices.IndexFunc(commands, func(c Command) bool { return c.Name == name || slices.Contains(c.Aliases, name) })
		if i < 0 {
			return Command{}, false
		}
		c, commands, ok = commands[i], commands[i].Commands, true
	}
	return c, ok
}

// first answers arguments that lead to no command.
func (t *tree) first(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(t.stderr, usage(t.commands))
		return action.Invalid.ExitCode()
	}
	switch args[0] {
	case "--version":
		return runVersion(ctx, nil, t.stdout, t.stderr)
	case "--help", "-h":
		return t.help(ctx, args[1:])
	}
	fmt.Fprintln(t.stderr, "connect2: "+unknown("", args[0], t.commands))
	return action.Invalid.ExitCode()
}

// run runs a command.
func (t *tree) run(ctx context.Context, path []string, c Command, args []string) int {
	switch {
	case c.Name == "ecs-deploy" && len(args) > 0 && !strings.HasPrefix(args[0], "-"):
		return deployFolder(ctx, args[0], args[1:], t.stdout, t.stderr)
	case c.Action != nil:
		return runAction(ctx, c, args, t.stdout, t.stderr)
	case c.Run != nil:
		return c.Run(ctx, args, t.stdout, t.stderr)
	case len(args) > 0 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Fprint(t.stdout, below(path, c))
		return 0
	case len(args) > 0:
		fmt.Fprintf(t.stderr, "connect2 %s: %s\n", strings.Join(path, " "), unknown(strings.Join(path, " "), args[0], c.Commands))
	default:
		fmt.Fprint(t.stderr, below(path, c))
	}
	return action.Invalid.ExitCode()
}

// help tells about the command that the names lead to, on standard output.
func (t *tree) help(ctx context.Context, path []string) int {
	if len(path) == 0 {
		fmt.Fprint(t.stdout, usage(t.commands))
		return 0
	}
	c, ok := find(t.commands, path)
	if !ok {
		fmt.Fprintln(t.stderr, "connect2: "+unknown("", strings.Join(path, " "), t.commands))
		return action.Invalid.ExitCode()
	}
	return t.run(ctx, path, c, []string{"--help"})
}

// usage lists the commands.
func usage(commands []Command) string {
	var b strings.Builder
	b.WriteString("connect2 ships a service to Amazon ECS: it pushes, migrates, deploys and rolls back, and shows how the service " +
		"is doing.\n\nUsage: connect2 NAME --flag VALUE ...\n")
	for _, group := range Groups {
		fmt.Fprintf(&b, "\n%s:\n", group)
		for _, c := range commands {
			if c.Group != group {
				continue
			}
			name := strings.Join(append([]string{c.Name}, c.Aliases...), ", ")
			fmt.Fprintf(&b, "  %-22s %s\n", name, c.Describe())
		}
		if group == SetUp {
			fmt.Fprintf(&b, "  %-22s %s\n", "completion", "Write the completion for bash, zsh, fish or PowerShell")
		}
	}
	b.WriteString("\nconnect2 NAME --help lists the flags, with examples. connect2 --version says what this binary is.\n\n" + action.ExitCodes)
	return b.String()
}

// below lists the commands below one.
func below(path []string, c Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: connect2 %s NAME --flag VALUE ...\n\nCommands:\n", c.Summary, strings.Join(path, " "))
	for _, c := range c.Commands {
		fmt.Fprintf(&b, "  %-14s %s\n", c.Name, c.Describe())
	}
	return b.String()
}

// unknown says that there is no such command, and which one is likely meant.
func unknown(path, name string, commands []Command) string {
	var names, all []string
	for _, c := range commands {
		if slices.Contains(c.Words, strings.ToLower(name)) {
			return fmt.Sprintf("unknown command %q: did you mean %s?", name, meant(path, c))
		}
		all = append(all, c.Name)
		names = append(append(names, c.Name), c.Aliases...)
	}
	if strings.HasPrefix(name, "-") {
		return fmt.Sprintf("unknown flag %s: the command comes first, as in connect2 NAME --flag VALUE", name)
	}
	if near := nearest.One(name, names); near != "" {
		return fmt.Sprintf("unknown command %q: did you mean %s?", name, near)
	}
	return fmt.Sprintf("unknown command %q: there are %s", name, strings.Join(all, ", "))
}

// meant is how a command that is suggested is called: by its short name where it has one.
func meant(path string, c Command) string {
	name := c.Name
	if len(c.Aliases) > 0 {
		name = c.Aliases[0]
	}
	return strings.TrimSpace(path + " " + name)
}
