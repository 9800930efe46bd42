package engine

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Runner really runs the containers of one-off tasks, somewhere outside of the engine. The engine waits for nothing: it
// asks the processes whenever somebody looks at the world, so what they did becomes known then.
type Runner interface {
	// Run begins to fetch a container's image and to make the container, and returns at once.
	Run(Job) Process
}

// Process is one container of a Runner. No method waits.
type Process interface {
	Start()                   // starts the container, once it is Made
	Poll() Progress           // where the container is, with the lines that it wrote since the last Poll
	Stop(grace time.Duration) // sends SIGTERM, and SIGKILL after the grace, which is real time
	Remove()                  // ends the container if it runs, and takes away what is left of it
}

// Phase is how far a process has come.
type Phase int

// The phases of a process, in their order.
const (
	Fetching  Phase = iota // its image is being fetched
	Made                   // it can be started
	Started                // it runs
	Exited                 // it has ended: Progress.ExitCode
	NotPulled              // its image could not be fetched: Progress.Failure
	NotMade                // the container could not be made of it: Progress.Failure
	NotBegun               // the container could not be started: Progress.Failure
)

// Progress is what a process tells of itself.
type Progress struct {
	Phase       Phase
	Lines       []string
	ExitCode    int
	OutOfMemory bool
	Failure     string // the runner's own words
}

// Job is a container to be run.
type Job struct {
	Task, Container     string // the task's id, the container's name
	Image               string // as the task definition names it
	Digest, Platform    string // "sha256:…", "linux/amd64"
	Save                func(w io.Writer, name, platform string) error
	EntryPoint, Command []string          // nil: the image's own
	Environment         map[string]string // with the values of the secrets
	User, WorkingDir    string            // "": the image's own
	ReadOnly            bool              // the root filesystem
	Init, Privileged    bool
	Tmpfs               map[string]string // options by path: "size=64m,mode=1777"
	DropCaps, AddCaps   []string
	Memory              int64 // bytes
}

// stage is how far the engine has come with a task that is really run.
type stage int

const (
	modelled stage = iota // the task is not really run
	fetching
	fetched
	beginning
	working
	ending
	over
	discarded
)

// forReal says whether a task's containers are to be run by the runner: those of one-off tasks are, unless the scenario or
// a label says how one of their images behaves.
func (t *Task) forReal() bool {
	if t.engine.options.Runner == nil || t.Service != nil {
		return false
	}
	return !slices.ContainsFunc(t.Containers, func(c *Container) bool { return c.behaviour.described() })
}

// fetch hands the task's containers to the runner.
func (t *Task) fetch() {
	var jobs []Job
	for _, c := range t.Containers {
		job, reason := t.jobOf(c)
		if reason != "" {
			t.failStart(c, reason)
			return
		}
		jobs = append(jobs, job)
	}
	t.stage = fetching
	t.engine.running = append(t.engine.running, t)
	for i, c := range t.Containers {
		c.process = t.engine.options.Runner.Run(jobs[i])
	}
}

// Environment is what the environment of a container has, with the values of its secrets; reason says why it cannot be had.
func (t *Task) Environment(c *Container) (environment map[string]string, reason string) {
	job, reason := t.jobOf(c)
	return job.Environment, reason
}

// jobOf describes a container to the runner, or says what keeps it from being run. Overrides stand above the definition;
// whether they stand above a secret of the same name is unconfirmed.
func (t *Task) jobOf(c *Container) (job Job, reason string) {
	d, memory := c.definition, mebibytes(t.Definition.Definition.Memory)
	if t.Overrides.Memory != "" {
		memory = mebibytes(t.Overrides.Memory)
	}
	if d.Memory != nil {
		memory = int64(*d.Memory) << 20
	}
	job = Job{
		Task: t.ID, Container: c.Name, Image: c.Image, Digest: c.resolved.Digest, Save: c.resolved.Save,
		Platform: t.Definition.Definition.platform(), EntryPoint: d.EntryPoint, Command: d.Command,
		Environment: map[string]string{}, User: d.User, WorkingDir: d.WorkingDirectory, ReadOnly: d.ReadOnlyRoot,
		Init: d.Linux.Init, Privileged: d.Privileged, DropCaps: d.Linux.Capabilities.Drop, AddCaps: d.Linux.Capabilities.Add,
		Tmpfs: map[string]string{}, Memory: memory,
	}
	if len(d.MountPoints) > 0 {
		return job, "CannotCreateContainerError: connect2 sandbox runs no containers with mountPoints"
	}
	for _, variable := range d.Environment {
		job.Environment[variable.Name] = variable.Value
	}
	for _, secret := range d.Secrets {
		value, err := t.engine.options.Secrets.Read(secret.ValueFrom)
		if err != nil {
			return job, unreadableSecret(err)
		}
		job.Environment[secret.Name] = value
	}
	for _, o := range t.Overrides.Containers {
		if o.Name != c.Name {
			continue
		}
		if len(o.Command) > 0 {
			job.Command = o.Command
		}
		for _, variable := range o.Environment {
			job.Environment[variable.Name] = variable.Value
		}
		if o.Memory != nil {
			job.Memory = int64(*o.Memory) << 20
		}
	}
	for _, mount := range d.Linux.Tmpfs {
		job.Tmpfs[mount.ContainerPath] = strings.Join(append(slices.Clone(mount.MountOptions), fmt.Sprintf("size=%dm", mount.Size)), ",")
	}
	return job, ""
}

// mebibytes reads the memory of a task, "512" or "1 GB" as task definitions write it; 0 where it is neither.
func mebibytes(text string) int64 {
	var n float64
	if count, unit, found := strings.Cut(strings.ToUpper(text), "GB"); found && unit == "" {
		_, _ = fmt.Sscan(count, &n)
		return int64(n * (1 << 30))
	}
	_, _ = fmt.Sscan(text, &n)
	return int64(n * (1 << 20))
}

// begin starts the containers.
func (t *Task) begin() {
	t.stage = beginning
	for _, c := range t.Containers {
		c.process.Start()
	}
}

// look takes in what the processes did since the last look.
func (e *Engine) look() {
	for _, t := range slices.Clone(e.running) {
		t.look()
	}
}

func (t *Task) look() {
	progress := map[*Container]Progress{}
	for _, c := range t.Containers {
		p := c.process.Poll()
		progress[c] = p
		if group, stream, ok := t.LogStream(c); ok {
			for _, line := range p.Lines {
				t.engine.options.Logs.Append(group, stream, t.engine.now, line)
			}
		}
	}
	all := func(least Phase) bool {
		return !slices.ContainsFunc(slices.Collect(maps.Values(progress)), func(p Progress) bool { return p.Phase < least })
	}
	if t.stage == fetching || t.stage == beginning {
		for _, c := range t.Containers {
			if reason := progress[c].failed(); reason != "" {
				if t.stage == fetching {
					t.PullStoppedAt = t.engine.now
				}
				t.failStart(c, reason)
				return
			}
		}
	}
	switch {
	case t.stage == fetching && all(Made):
		t.stage = fetched
		t.pulled()
	case t.stage == beginning && all(Started):
		t.stage = working
		t.run()
	}
	if t.stage == working || t.stage == ending {
		for _, c := range t.Containers {
			if p := progress[c]; p.Phase == Exited && c.LastStatus == Running {
				t.exited(c, p)
			}
		}
	}
	if t.stage == ending && !slices.ContainsFunc(t.Containers, func(c *Container) bool { return c.LastStatus == Running }) {
		t.stage = over
		t.afterwards()
	}
}

// failed words a process that never ran.
func (p Progress) failed() string {
	switch p.Phase {
	case NotPulled:
		return "CannotPullContainerError: ref pull has been retried 1 time(s): " + p.Failure
	case NotMade:
		return "CannotCreateContainerError: " + p.Failure
	case NotBegun:
		return startFailure + strings.TrimPrefix(p.Failure, shimFailure)
	default:
		return ""
	}
}

// exited notes a container's end. It ends the task if nobody else did before.
func (t *Task) exited(c *Container, p Progress) {
	reason := ""
	if p.OutOfMemory {
		reason = outOfMemory
	}
	if t.DesiredStatus == Running {
		t.exit(c, p.ExitCode, reason)
		return
	}
	c.LastStatus, c.ExitCode, c.Reason = Stopped, &p.ExitCode, reason
	t.Version++
}

// stopAll ends the containers that still run; afterwards runs when the last of them is gone.
func (t *Task) stopAll(afterwards func()) {
	t.stage, t.afterwards = ending, afterwards
	for _, c := range t.Containers {
		if c.LastStatus == Running {
			c.process.Stop(c.graceOf(t.StopCode, t.engine.options.Timing))
		}
	}
}

// discard takes away what is left of the task's containers.
func (t *Task) discard() {
	if t.stage == modelled || t.stage == discarded {
		return
	}
	t.stage = discarded
	t.engine.running = slices.DeleteFunc(t.engine.running, func(other *Task) bool { return other == t })
	for _, c := range t.Containers {
		c.process.Remove()
	}
}
