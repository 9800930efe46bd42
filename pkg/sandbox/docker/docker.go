// Package docker runs the containers of the sandbox's one-off tasks on a Docker engine, through its HTTP API. A value of the
// environment, which may be a secret, so never becomes an argument of a process.
//
// Images are not pulled from the sandbox's registry: the engine may stand on another machine, or in one of its own as
// Docker Desktop does, and would have to be told to trust it. They are handed over as `docker load` does.
package docker

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/org/connect2/v2/internal/dockerengine"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// Label is on every container; its value names the sandbox that made it.
const Label = "connect2.sandbox"

// cleanup is how long taking one thing away may last.
const cleanup = 30 * time.Second

// Runner is an engine.Runner. It is safe for concurrent use.
type Runner struct {
	client  *dockerengine.Client
	network string
	id      string
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup // everything that runs

	mu     sync.Mutex
	images map[string]*fetched // by name
}

// fetched is an image that the engine has got, or is getting.
type fetched struct {
	done chan struct{}
	err  error // valid once done is closed
}

// Connect finds the engine that host names, as DOCKER_HOST does ("" is the local socket), and fails if none answers.
// Containers join the network: "host", "bridge", or one that was made before.
func Connect(ctx context.Context, host, network string) (*Runner, error) {
	c, err := dockerengine.New(host)
	if err != nil {
		return nil, err
	}
	if err := c.Ping(ctx); err != nil {
		return nil, err
	}
	r := &Runner{client: c, network: network, id: strings.ToLower(rand.Text()[:8]), images: map[string]*fetched{}}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return r, nil
}

// Close ends every container, and takes containers and images away. It returns when that is done.
func (r *Runner) Close() error {
	r.cancel()
	r.work.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.images {
		ctx, cancel := outlive.Cleanup(r.ctx, cleanup)
		err := r.client.RemoveImage(ctx, name)
		cancel()
		if err != nil {
			return fmt.Errorf("removing the image %s from the Docker engine: %w", name, err)
		}
	}
	return nil
}

// Run begins to fetch the job's image and to make its container. Its name holds the runner's own: two sandboxes with one seed give
// their tasks the same ids.
func (r *Runner) Run(job engine.Job) engine.Process {
	p := &process{runner: r, job: job, name: "connect2-" + r.id + "-" + job.Task + "-" + job.Container, start: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(r.ctx)
	r.work.Go(p.live)
	return p
}

// imageOf is the engine's name for a job's image.
func (r *Runner) imageOf(job engine.Job) string {
	if job.Save == nil {
		return job.Image // of another registry: the engine may have it
	}
	digest := strings.TrimPrefix(job.Digest, "sha256:")
	return "connect2-sandbox-" + r.id + ":" + strings.ReplaceAll(job.Platform, "/", "-") + "-" + digest[:min(len(digest), 32)]
}

// fetch gives the engine the job's image, once.
func (r *Runner) fetch(ctx context.Context, job engine.Job) error {
	if job.Save == nil {
		return nil
	}
	name := r.imageOf(job)
	r.mu.Lock()
	image := r.images[name]
	if image == nil {
		image = &fetched{done: make(chan struct{})}
		r.images[name] = image
		r.work.Go(func() {
			defer close(image.done)
			image.err = r.client.Load(r.ctx, func(w io.Writer) error { return job.Save(w, name, job.Platform) })
		})
	}
	r.mu.Unlock()
	select {
	case <-image.done:
		return image.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
