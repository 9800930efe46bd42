package watch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/render"
)

// Action is `connect2 watch`.
var Action = action.Define(action.Meta{
	Name:        "watch",
	Description: "Show a service on a page in the browser, live: tasks, rollout, health, events, log, and why something fails",
	Doc: "The page is served on this machine alone (127.0.0.1), under an address that nobody can guess, until Ctrl-C. It changes nothing: " +
		"for a rollback it shows the command. However many windows are open, AWS is read once for all of them, and not at all while " +
		"none is. Throttling and expired credentials are shown on the page, which recovers when they are over. It reads what " +
		"connect2 status reads, by the same permissions (docs/iam/status.json).",
	Looks: true,
	Examples: []action.Example{
		{Title: "Open the page", Args: "--environment prod --open"},
		{Title: "On a port of your choice", Args: "--environment prod --port 8123"},
	},
}, Run)

// Inputs are what watch can be told.
type Inputs struct {
	operate.Inputs
	Open bool `input:"open" short:"o" default:"false" doc:"Open the page in the browser."`
	Port int  `input:"port" default:"0" min:"0" max:"65535" doc:"The port on 127.0.0.1 that the page is served on; 0 picks a free one."`
}

// Outputs are what came of it.
type Outputs struct {
	action.Outputs
	Address string `output:"address" doc:"The address that the page had."`
}

// Run serves the page until the context ends.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	secrets := &render.Secrets{}
	mask := env.Mask
	hiding := *env
	hiding.Mask = func(values ...string) {
		secrets.Add(values...)
		if mask != nil {
			mask(values...)
		}
	}
	conn, err := awsconn.Connect(ctx, &hiding, in.Inputs.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	service, err := ecsview.Find(ctx, ecs.NewFromConfig(conn.Config), in.Cluster, in.Service)
	if err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "The service could not be read", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(in.Port)))
	if err != nil {
		return Outputs{}, awsconn.Refuse(ctx, "The page cannot be served",
			fmt.Errorf("port: listening on 127.0.0.1:%d: %w; choose another with --port, or leave it out", in.Port, err))
	}
	names := Names{Cluster: in.Cluster, Service: in.Service, Region: conn.Region, ARN: aws.ToString(service.ServiceArn), Flags: flagsOf(in)}
	page := New(Options{Names: names, Config: conn.Config, Now: env.Clock().Now, Redact: secrets.Redact,
		Speed: func() float64 { return clock.Speed(env.Clock()) }})
	key := "/" + rand.Text() + "/"
	out := Outputs{Address: "http://" + listener.Addr().String() + key}
	if _, err := fmt.Fprintln(operate.Out(env), out.Address); err != nil {
		listener.Close()
		return out, fmt.Errorf("writing the address to standard output: %w", err)
	}
	env.Events.Notef("the page is served until Ctrl-C")
	if in.Open {
		if err := operate.Browse(ctx, out.Address); err != nil {
			env.Events.Notef("no browser was found (%v): open the address by hand", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle(key, http.StripPrefix(key[:len(key)-1], page))
	return out, serve(ctx, listener, mux, page)
}

// flagsOf are the flags by which other commands mean the same service.
func flagsOf(in Inputs) string {
	flags := "--cluster " + quoted(in.Cluster) + " --service " + quoted(in.Service)
	if in.Region != "" {
		flags += " --region " + quoted(in.Region)
	}
	return flags
}

// serve serves the page until the context ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, page *Page) error {
	looking, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return looking }}
	go page.Run(looking)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serving the page: %w", err)
	case <-ctx.Done():
	}
	stop() // ends the streams, which would go on
	grace, cancel := outlive.Cleanup(ctx, time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the page: %w", err)
	}
	return nil
}
