package docker

import (
	"context"
	"sync"
	"time"

	"github.com/org/connect2/v2/internal/dockerengine"
	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// process is the container of one job, and the life that it leads: one goroutine follows it from the fetching of its image
// to its removal.
type process struct {
	runner  *Runner
	job     engine.Job
	name    string          // of the container
	ctx     context.Context // ends with Remove
	cancel  context.CancelFunc
	start   chan struct{} // closed by Start
	started sync.Once

	mu       sync.Mutex
	progress engine.Progress
}

// Start starts the container once it is made.
func (p *process) Start() { p.started.Do(func() { close(p.start) }) }

// Remove ends the container and takes it away.
func (p *process) Remove() { p.cancel() }

// Poll hands out what happened since the last call.
func (p *process) Poll() engine.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.progress
	p.progress.Lines = nil
	return out
}

// Stop sends SIGTERM, or the image's own stop signal, and SIGKILL after the grace.
func (p *process) Stop(grace time.Duration) {
	p.runner.work.Go(func() {
		_ = p.runner.client.Stop(p.ctx, p.name, grace) // a container that has ended by itself shows it in its progress
	})
}

func (p *process) at(phase engine.Phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.Phase = phase
}

func (p *process) failed(phase engine.Phase, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.Phase, p.progress.Failure = phase, err.Error()
}

func (p *process) wrote(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.Lines = append(p.progress.Lines, line)
}

// live runs the container through its life. Making, starting and removing it are not cut short, so that no container comes
// to be after its removal.
func (p *process) live() {
	client, whole := p.runner.client, context.WithoutCancel(p.ctx)
	defer p.cancel()
	if err := p.runner.fetch(p.ctx, p.job); err != nil {
		p.failed(engine.NotPulled, err)
		return
	}
	if p.ctx.Err() != nil {
		return
	}
	defer func() {
		ctx, cancel := outlive.Cleanup(p.ctx, cleanup)
		defer cancel()
		_ = client.RemoveContainer(ctx, p.name) // whatever is left has the label, which docs/SANDBOX.md tells how to find
	}()
	switch err := client.Create(whole, p.name, p.runner.spec(p.job)); {
	case dockerengine.IsMissing(err):
		p.failed(engine.NotPulled, err)
		return
	case err != nil:
		p.failed(engine.NotMade, err)
		return
	}
	p.at(engine.Made)
	select {
	case <-p.start:
	case <-p.ctx.Done():
		return
	}
	if err := client.Start(whole, p.name); err != nil {
		p.failed(engine.NotBegun, err)
		return
	}
	p.at(engine.Started)
	p.follow()
	<-p.ctx.Done()
}

// follow reads what the container writes until it ends, and then how it ended.
func (p *process) follow() {
	client := p.runner.client
	if err := logs(p.ctx, client, p.name, p.wrote); err != nil && p.ctx.Err() == nil {
		p.wrote("connect2 sandbox: the log of this container broke off: " + err.Error())
	}
	end, err := client.Wait(p.ctx, p.name)
	if p.ctx.Err() != nil {
		return
	}
	if err != nil {
		p.wrote("connect2 sandbox: the end of this container is not known: " + err.Error())
		end.Code = 255
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.Phase, p.progress.ExitCode, p.progress.OutOfMemory = engine.Exited, end.Code, end.OutOfMemory
}

// spec is the job in the words of the engine's API.
func (r *Runner) spec(job engine.Job) map[string]any {
	environment := []string{}
	for _, name := range sortedKeys(job.Environment) {
		environment = append(environment, name+"="+job.Environment[name])
	}
	spec := map[string]any{
		"Image": r.imageOf(job), "Env": environment, "User": job.User, "WorkingDir": job.WorkingDir,
		"Labels":      map[string]string{Label: r.id, Label + ".task": job.Task},
		"Healthcheck": map[string]any{"Test": []string{"NONE"}}, // ECS ignores that of the image
		"HostConfig": map[string]any{
			"NetworkMode": r.network, "ReadonlyRootfs": job.ReadOnly, "Tmpfs": job.Tmpfs, "Init": job.Init,
			"Privileged": job.Privileged, "CapDrop": job.DropCaps, "CapAdd": job.AddCaps,
			"Memory": job.Memory, "MemorySwap": job.Memory, "LogConfig": map[string]any{"Type": "json-file"},
		},
	}
	if len(job.EntryPoint) > 0 {
		spec["Entrypoint"] = job.EntryPoint
	}
	if len(job.Command) > 0 {
		spec["Cmd"] = job.Command
	}
	return spec
}
