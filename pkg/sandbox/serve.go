package sandbox

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/org/connect2/v2/internal/flags"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/sandbox/docker"
)

const serveUsage = `connect2 sandbox stands in for AWS on this machine: ECS, ECR with its registry, and what is around them.

Usage: connect2 sandbox [--listen HOST:PORT] [--scenario FILE] [--outputs FILE] [--speed N] [--seed N]
                        [--run-tasks docker [--task-network NAME]]
                        [--sessions process [--forward HOST[:PORT]=HOST:PORT]...]

It prints the lines that point a shell at it, answers until Ctrl-C, and forgets everything then.

  connect2 sandbox --speed 20                      in one terminal; then, with its lines pasted into another:
  aws ecs describe-services --cluster connect2-api-cluster-dev --services connect2-api-service-dev

  terraform output -json >dev.json                 in terraform/environments/dev; then rehearse its first release:
  connect2 sandbox --speed 20 --outputs dev.json

  connect2 sandbox --run-tasks docker              migrations and other one-off tasks really run, in Docker
  connect2 sandbox --sessions process              what connect2 exec runs is a process on this machine, and connect2 psql reaches a
                                                   port: --forward connect2-api-dev.sandbox.internal:5432=127.0.0.1:5432

Flags:
`

// Serve is the command "connect2 sandbox" without a page.
func Serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return ServeWith(nil)(ctx, args, stdout, stderr)
}

// ServeWith returns the command with what makes the page about a sandbox's service: it calls ShowPage, and keeps the page up to date
// until the context ends.
func ServeWith(show func(context.Context, *Sandbox)) func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
		return serveCommand(ctx, args, show, stdout, stderr)
	}
}

// serveCommand is the command: it listens, prints the environment of the sandbox as shell lines once it
// answers, and serves until the context ends or SIGINT or SIGTERM arrives. It returns the exit code: 0 after a clean stop,
// 1 for arguments, scenarios and addresses that cannot be used.
func serveCommand(ctx context.Context, args []string, show func(context.Context, *Sandbox), stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("connect2 sandbox", flag.ContinueOnError)
	listen := set.String("listen", DefaultHost,
		"`HOST:PORT` to listen on; anything but this machine's loopback lets others in, and nothing is checked")
	file := set.String("scenario", "", "YAML `FILE` that describes the world and its faults")
	outputs := set.String("outputs", "", "JSON `FILE` that terraform output -json wrote in an environment: the world is that environment; "+
		"what the scenario says stands")
	speed := set.Float64("speed", 0, "run virtual time `N` times faster than real time")
	seed := set.Uint64("seed", 0, "`N` decides every identifier and every throw of the dice")
	runTasks := set.String("run-tasks", "",
		"`docker`: the Docker engine of DOCKER_HOST, or this machine's, really runs the containers of one-off tasks")
	network := set.String("task-network", "host",
		"`NAME` of the Docker network that they join; host lets them reach what listens on this machine")
	run := set.String("sessions", "",
		"`process`: commands of sessions (ECS Exec, Session Manager) run on this machine as its user, and ports of it can be reached "+
			"through them")
	forward := map[string]string{}
	set.Func("forward", "`HOST[:PORT]=HOST:PORT`: where connections of sessions to the first really go; may be given again",
		func(value string) error {
			from, to, _ := strings.Cut(value, "=")
			forward[from] = to
			return Sessions{Forward: map[string]string{from: to}}.check()
		})
	if code, done := flags.Parse(set, serveUsage, args, stdout, stderr); done {
		return code
	}
	if set.NArg() > 0 {
		fmt.Fprintf(stderr, "connect2 sandbox: unexpected argument %q\n", set.Arg(0))
		return 1
	}
	options := Options{Speed: *speed, Seed: *seed}
	if *file != "" {
		scenario, err := LoadScenario(*file)
		if err != nil {
			fmt.Fprintf(stderr, "connect2 sandbox: %v\n", err)
			return 1
		}
		options.Scenario = scenario
	}
	if *outputs != "" {
		or(&options.Scenario, &Scenario{})
		if err := options.Scenario.LoadOutputs(*outputs); err != nil {
			fmt.Fprintf(stderr, "connect2 sandbox: %v\n", err)
			return 1
		}
	}
	if *runTasks != "" && *runTasks != "docker" {
		fmt.Fprintf(stderr, "connect2 sandbox: --run-tasks %q: only docker can run tasks\n", *runTasks)
		return 1
	}
	if *runTasks != "" {
		runner, err := docker.Connect(ctx, os.Getenv("DOCKER_HOST"), *network)
		if err != nil {
			fmt.Fprintf(stderr, "connect2 sandbox: --run-tasks docker: %v\n", err)
			return 1
		}
		defer func() {
			if err := runner.Close(); err != nil {
				fmt.Fprintf(stderr, "connect2 sandbox: %v\n", err)
			}
		}()
		options.Runner = runner
	}
	switch {
	case *run != "" && *run != "process":
		fmt.Fprintf(stderr, "connect2 sandbox: --sessions %q: only process can run them\n", *run)
		return 1
	case *run == "" && len(forward) > 0:
		fmt.Fprintln(stderr, "connect2 sandbox: --forward is for sessions: add --sessions process")
		return 1
	case *run != "":
		options.Sessions = &Sessions{Forward: forward}
	}
	if err := serve(ctx, *listen, options, show, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "connect2 sandbox: %v\n", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, address string, options Options, show func(context.Context, *Sandbox), stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	layers, err := os.MkdirTemp("", "connect2-sandbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(layers)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; choose another with --listen", address, err)
	}
	bound := listener.Addr().(*net.TCPAddr)
	if !bound.IP.IsLoopback() && options.Sessions != nil {
		listener.Close()
		return fmt.Errorf("%s can be reached from other machines, and with --sessions process whoever reaches it runs commands here: "+
			"listen on 127.0.0.1", bound)
	}
	if !bound.IP.IsLoopback() {
		fmt.Fprintf(stderr, "connect2 sandbox: %s can be reached from other machines, and the sandbox checks no signature\n", bound)
	}
	options.BlobDir, options.Host = layers, reachable(bound)
	sandbox, err := Open(options)
	if err != nil {
		listener.Close()
		return err
	}
	defer sandbox.Close()
	looking, stopLooking := context.WithCancel(ctx)
	defer stopLooking()
	server := &http.Server{Handler: sandbox, ReadHeaderTimeout: 10 * time.Second}
	if show != nil {
		show(looking, sandbox)
		server.BaseContext = func(net.Listener) context.Context { return looking } // a page's stream ends with the sandbox
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	fmt.Fprint(stdout, sandbox.shellLines())
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends the process at once
	stopLooking()
	grace, cancel := outlive.Cleanup(ctx, time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	fmt.Fprintln(stderr, "connect2 sandbox: stopped")
	return nil
}

// reachable is how a client on this machine addresses a listener.
func reachable(bound *net.TCPAddr) string {
	if bound.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", bound.Port)
	}
	return bound.String()
}

// shellLines sets up a shell; what is not a command is a comment.
func (s *Sandbox) shellLines() string {
	v := s.scenario.Service
	out := fmt.Sprintf("# account %s, cluster %s, service %s, image %s/%s, time x%v\n",
		s.scenario.Account, v.Cluster, v.Name, s.host, v.Repository, s.scenario.Speed)
	if s.page != nil {
		out += fmt.Sprintf("# page http://%s%s\n", s.host, PagePath)
	}
	environ := s.Environ()
	for _, name := range sortedKeys(environ) {
		out += fmt.Sprintf("export %s=%s\n", name, environ[name])
	}
	return out + "unset AWS_SESSION_TOKEN AWS_PROFILE\n"
}
