package reach

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/term"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

const wayDoc = "It goes through the bastion by port forwarding of Session Manager (no plugin has to be installed), or by SSH with " +
	"--ssh-key. A lost " +
	"connection is made again, an idle one is kept, and a session that has ended is followed by another. "

// Tunnel is `connect2 tunnel`.
var Tunnel = action.Define(action.Meta{
	Name:        "tunnel",
	Description: "Open a local port to the database or to Redis, through the bastion",
	Doc: wayDoc + "It runs until Ctrl-C. The address comes from the secret; nothing else of it is shown. AWS's Session Manager gives " +
		"less than " +
		"1 MB/s: take SSH for a dump.",
	Examples: []action.Example{
		{Title: "The database on a free port", Args: "database --bastion connect2-api-bastion-dev"},
		{Title: "Redis on a port of your choice", Args: "redis --bastion connect2-api-bastion-dev --local-port 6380"},
	},
}, runTunnel)

// TunnelInputs are what tunnel can be told.
type TunnelInputs struct {
	To string `input:"to" required:"true" enum:"database,redis" arg:"database|redis" doc:"What to connect to."`
	Way
}

// TunnelOutputs are where it was.
type TunnelOutputs struct {
	action.Outputs
	Port string `output:"port" doc:"The port on 127.0.0.1."`
}

func runTunnel(ctx context.Context, env *action.Env, in TunnelInputs) (TunnelOutputs, error) {
	t, err := in.open(ctx, env, stores[in.To])
	if err != nil {
		return TunnelOutputs{}, err
	}
	defer t.shut()
	out := TunnelOutputs{Port: t.port()}
	out.Outcome = action.Succeeded
	env.Events.Notef("127.0.0.1:%s goes to %s (%s) through %s, until Ctrl-C", t.port(), t.login.address(), in.To, t.through)
	return out, t.serve(ctx)
}

// Psql is `connect2 psql`.
var Psql = action.Define(action.Meta{
	Name:        "psql",
	Description: "Open psql on the service's database, through the bastion",
	Doc: wayDoc + "psql has to be installed. It gets the login from the secret by its own environment: no password is asked for, " +
		"shown, or in " +
		"a command line. TLS is required unless PGSSLMODE or the secret's url says otherwise. It ends with psql's own exit code.",
	Examples: []action.Example{
		{Title: "A prompt", Args: "--bastion connect2-api-bastion-dev"},
		{Title: "One statement", Args: "--bastion connect2-api-bastion-dev -- -c 'select version_num from alembic_version'"},
	},
}, runPsql)

// Redis is `connect2 redis-cli`.
var Redis = action.Define(action.Meta{
	Name:        "redis-cli",
	Description: "Open redis-cli on the service's Redis, through the bastion",
	Doc: wayDoc + "redis-cli has to be installed. It gets the password, where there is one, from the secret by its own environment. " +
		"It ends with " +
		"redis-cli's own exit code.",
	Examples: []action.Example{
		{Title: "Is it there?", Args: "--bastion connect2-api-bastion-dev -- ping"},
	},
}, runRedis)

// ClientInputs are what psql and redis-cli can be told.
type ClientInputs struct {
	Way
	Arguments []string `input:"arguments" arg:"ARG ..." rest:"true" doc:"Arguments for the program itself."`
}

// ClientOutputs are what came of it.
type ClientOutputs struct {
	action.Outputs
	ExitCode *int `output:"exit-code" doc:"The program's exit code."`
}

func runPsql(ctx context.Context, env *action.Env, in ClientInputs) (ClientOutputs, error) {
	return in.client(ctx, env, stores["database"], "psql", "postgresql-client (Debian), libpq (Homebrew) or postgresql16 (Amazon Linux)",
		func(l login, port string) (args, environment []string) { return nil, l.psqlEnvironment(port, env.Var) })
}

func runRedis(ctx context.Context, env *action.Env, in ClientInputs) (ClientOutputs, error) {
	return in.client(ctx, env, stores["redis"], "redis-cli", "redis-tools (Debian), redis (Homebrew) or redis6 (Amazon Linux)",
		func(l login, port string) (args, environment []string) {
			if l.Password != "" {
				environment = []string{"REDISCLI_AUTH=" + l.Password}
			}
			return l.redisArguments(port), environment
		})
}

// client runs a program on the tunnel.
func (in ClientInputs) client(ctx context.Context, env *action.Env, s store, name, packages string,
	called func(l login, port string) (args, environment []string)) (ClientOutputs, error) {
	program, err := exec.LookPath(name)
	if err != nil {
		return ClientOutputs{}, &action.Error{Outcome: action.Invalid, Title: name + " is not installed",
			Err:    fmt.Errorf("find the program %s: %w", name, err),
			Advice: "Install " + packages + ", or open a port with connect2 tunnel and use another client."}
	}
	t, err := in.open(ctx, env, s)
	if err != nil {
		return ClientOutputs{}, err
	}
	defer t.shut()
	env.Events.Notef("%s on %s through %s", name, t.login.address(), t.through)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { _ = t.serve(serving) }() // where it ends, the client loses its connection and says so
	args, environment := called(t.login, t.port())
	code, err := attend(ctx, exec.CommandContext(context.WithoutCancel(ctx), program, append(args, in.Arguments...)...), env, environment)
	if err != nil {
		return ClientOutputs{}, fmt.Errorf("run %s: %w", name, err)
	}
	out := ClientOutputs{ExitCode: &code}
	out.Outcome = action.Succeeded
	if env.Exit != nil {
		*env.Exit = code
	}
	return out, nil
}

// attend runs a program that has the terminal, or whatever this process has in its place: its output is data, and goes out as it is. In
// one, Ctrl-C is the program's: psql cancels a query by it. Elsewhere the end of the
// context is passed on.
func attend(ctx context.Context, cmd *exec.Cmd, env *action.Env, environment []string) (code int, err error) {
	inherited := os.Environ()
	if env.Environ != nil {
		inherited = env.Environ()
	}
	cmd.Env = append(inherited, environment...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	typed := term.IsTerminal(int(os.Stdin.Fd()))
	if typed {
		_, release := run.HoldSignals()
		defer release()
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if !typed {
		stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
		defer stop()
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if code := exit.ExitCode(); code >= 0 {
			return code, nil
		}
		return 0, exit // a signal ended it
	}
	return 0, err
}
