// Command push measures ecr-push beside crane and skopeo, in one run, on one machine, against one registry: a first push of what
// docker save writes, the same again, and once more with one small layer changed.
//
//	go install github.com/google/go-containerregistry/cmd/crane@v0.22.1
//	apt-get install skopeo docker-registry
//	go run ./bench/push
//	go run ./bench/push -rtt 20ms -mbit 100
//
// The second is over a slow link, a proxy of its own between the tools and the registry; the floor is what the bytes of the first push
// take on it, with one round trip.
//
// Every tool gets an empty registry (docker-registry on loopback, storage on disk) for each round, and for each push a new home,
// as every job of a workflow has: what a tool remembers on disk (skopeo does) is gone, unless -keep-home is given. The least of
// the rounds is shown: what else the machine does only ever adds. Tools that are not installed are left out.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// shares are the layers of the image, in parts of a thousand of its size: one large, some middling, some small, as a Python
// service has them.
var shares = []int{400, 270, 160, 100, 50, 15, 4, 1}

// tool is one way to push an archive.
type tool struct {
	name    string
	program string
	args    func(archive, repository, tag string) []string
}

// step is one push of the series.
type step struct{ name, archive, tag string }

// cost is what a push took.
type cost struct {
	wall, cpu time.Duration
	memory    int64 // bytes, the peak of the resident set
}

func main() {
	size := flag.Int("size", 300, "size of the image in MB, before compression")
	rounds := flag.Int("rounds", 3, "how often everything is done")
	crane := flag.String("crane", "crane", "the crane binary")
	keep := flag.Bool("keep-home", false, "let each tool keep its home from push to push")
	slow := &link{}
	flag.DurationVar(&slow.rtt, "rtt", 0, "round trip time of the way to the registry")
	mbit := flag.Float64("mbit", 0, "bandwidth of the way to the registry, in Mbit/s; 0: loopback as it is")
	write := flag.String("write", "", "only write the archives into this folder")
	flag.Parse()
	slow.rate = *mbit * 1e6 / 8
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *write != "" {
		err = writeArchives(*write, *size)
	} else {
		err = run(ctx, *size, *rounds, *crane, *keep, slow)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/push:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, size, rounds int, crane string, keepHome bool, slow *link) error {
	dir, err := os.MkdirTemp("", "bench-push-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The tools run as somebody else, see homes.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	// In a process of its own: a child's peak memory counts from that of the process which started it.
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, self, "-write", dir, "-size", fmt.Sprint(size)).CombinedOutput(); err != nil {
		return fmt.Errorf("writing the archives: %w\n%s", err, out)
	}
	one, two := filepath.Join(dir, firstName), filepath.Join(dir, changedName)
	steps := []step{{"first push", one, "v1"}, {"the same again", one, "v1"}, {"one small layer changed", two, "v1"}}
	own := filepath.Join(dir, "ecr-push")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", own, "github.com/org/connect2/v2/cmd/ecr-push")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building ecr-push: %w\n%s", err, out)
	}
	tools := installed([]tool{
		{"ecr-push", own, func(archive, repository, tag string) []string {
			return []string{"--source", archive, "--repository", repository, "--tags", tag}
		}},
		{"crane", crane, func(archive, repository, tag string) []string {
			return []string{"push", "--insecure", archive, repository + ":" + tag}
		}},
		{"skopeo", "skopeo", func(archive, repository, tag string) []string {
			return []string{"copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", "docker-archive:" + archive,
				"docker://" + repository + ":" + tag}
		}},
	})

	least := map[string]map[string]cost{}
	stored := map[string]int64{}
	for round := range rounds {
		for _, t := range tools {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, t.name)
			if stored[t.name], err = series(ctx, &homes{dir: dir, keep: keepHome}, t, steps, least, slow); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	if err := tell(tools, steps, least, stored); err != nil || slow.rate == 0 {
		return err
	}
	for _, t := range tools {
		floor := slow.rtt + time.Duration(float64(stored[t.name])/slow.rate*float64(time.Second))
		fmt.Printf("%s: the first push took %.2f times the floor of its bytes, %.2f s\n", t.name,
			float64(least[steps[0].name][t.name].wall)/float64(floor), floor.Seconds())
	}
	return nil
}

const firstName, changedName = "first.tar", "changed.tar"

// writeArchives writes the images: the first, and the one with a small layer changed.
func writeArchives(dir string, size int) error {
	var sizes []int
	for _, share := range shares {
		sizes = append(sizes, size*1000*share)
	}
	first := imagetest.New(1, sizes...)
	changed := first
	changed.Layers = slices.Clone(first.Layers)
	changed.Layers[len(sizes)-1] = imagetest.Layer(4711, sizes[len(sizes)-1])
	return errors.Join(imagetest.TarFile(filepath.Join(dir, firstName), imagetest.Saved(first)),
		imagetest.TarFile(filepath.Join(dir, changedName), imagetest.Saved(changed)))
}

// homes gives each push a new home, or each series one. A root user's home is not where skopeo keeps its memory, so root runs
// the tools as nobody.
type homes struct {
	dir  string
	keep bool
	last string
}

func (h *homes) prepare(cmd *exec.Cmd) error {
	const nobody = 65534
	if h.last == "" || !h.keep {
		home, err := os.MkdirTemp(h.dir, "home-*")
		if err != nil {
			return err
		}
		h.last = home
	}
	cmd.Env = append(os.Environ(), "HOME="+h.last, "XDG_DATA_HOME="+h.last, "XDG_RUNTIME_DIR="+h.last, "TMPDIR="+h.last)
	cmd.Dir = h.last
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		return os.Chown(h.last, nobody, nobody)
	}
	return nil
}

// installed drops the tools that are not there.
func installed(tools []tool) []tool {
	return slices.DeleteFunc(tools, func(t tool) bool {
		_, err := exec.LookPath(t.program)
		if err != nil {
			fmt.Fprintf(os.Stderr, "left out: %v\n", err)
		}
		return err != nil
	})
}

// series lets a tool push everything into an empty registry, notes the costs where they are the least so far, and returns how
// many bytes the registry holds after the first push.
func series(ctx context.Context, at *homes, t tool, steps []step, least map[string]map[string]cost, slow *link) (stored int64, err error) {
	data, err := os.MkdirTemp(at.dir, "registry-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(data)
	address, stop, err := registry(ctx, data)
	if err != nil {
		return 0, err
	}
	defer stop()
	if slow.rate > 0 {
		ctx, hangUp := context.WithCancel(ctx)
		defer hangUp()
		if address, err = slow.listen(ctx, address); err != nil {
			return 0, err
		}
	}
	for i, s := range steps {
		cmd := exec.CommandContext(ctx, t.program, t.args(s.archive, address+"/bench/app", s.tag)...)
		if err := at.prepare(cmd); err != nil {
			return 0, err
		}
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%s: %w\n%s", s.name, err, out)
		}
		c := cost{wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			c.memory = usage.Maxrss << 10
		}
		if least[s.name] == nil {
			least[s.name] = map[string]cost{}
		}
		if before, ok := least[s.name][t.name]; !ok || c.wall < before.wall {
			least[s.name][t.name] = c
		}
		if i == 0 {
			stored = treeSize(data)
		}
	}
	return stored, nil
}

// registry starts docker-registry on a free port.
func registry(ctx context.Context, data string) (address string, stop func(), err error) {
	config := filepath.Join(data, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: '127.0.0.1:0'}\n", data)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, "docker-registry", "serve", config)
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "listening on "); ok {
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return strings.Trim(strings.Fields(rest)[0], `"`), stop, nil
		}
	}
	stop()
	return "", nil, errors.New("docker-registry ended before it listened")
}

func treeSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// tell prints the costs side by side; a ratio is the tool's wall time over that of ecr-push.
func tell(tools []tool, steps []step, least map[string]map[string]cost, stored map[string]int64) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "step\ttool\twall s\tratio\tCPU s\tpeak MB\tstored MB\t")
	for i, s := range steps {
		for _, t := range tools {
			c, own := least[s.name][t.name], least[s.name][tools[0].name]
			size := ""
			if i == 0 {
				size = fmt.Sprintf("%.1f", float64(stored[t.name])/1e6)
			}
			fmt.Fprintf(w, "%s\t%s\t%.2f\t%.1f\t%.2f\t%.0f\t%s\t\n", s.name, t.name, c.wall.Seconds(),
				float64(c.wall)/float64(cmp.Or(own.wall, 1)), c.cpu.Seconds(), float64(c.memory)/1e6, size)
		}
	}
	return w.Flush()
}
