//go:build act

package workflowtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// What a cancelled job gives a container before it is killed (actions/runner, src/Runner.Sdk/ProcessInvoker.cs): the signals go
// to the docker client, which hands them on to the container's first process.
const untilTerm, untilKill = 7500 * time.Millisecond, 2500 * time.Millisecond

// TestCancelledContainers cancels each action in the middle of its work, as the runner does, with the binary as PID 1.
func TestCancelledContainers(t *testing.T) {
	for _, c := range []struct {
		action, scenario string
		inputs           map[string]string
		cancelAt         func(s *site) bool // what must have happened before the cancel
		check            func(t *testing.T, s *site, before string)
	}{
		{"ecs-deploy", "service: {releases: [v1, v2]}", map[string]string{"IMAGE": "v1"},
			func(s *site) bool { return s.did("ecs:UpdateService") == 1 },
			func(t *testing.T, s *site, before string) {
				// Nobody watches it any more, so it is taken back: stopped, or updated back where ECS does not list it yet.
				undone := s.did("ecs:StopServiceDeployment") + s.did("ecs:UpdateService") - 1
				if _, after := s.service(); undone != 1 || after != before {
					t.Errorf("it was taken back %d times; it runs %s, want %s", undone, after, before)
				}
			}},
		{"ecs-rollback", "service: {releases: [v1, v2]}", nil,
			func(s *site) bool { return s.did("ecs:UpdateService") == 1 },
			func(t *testing.T, s *site, before string) {
				// It goes on: taking it back would bring the bad release again.
				if _, after := s.service(); s.did("ecs:StopServiceDeployment") != 0 || after == before {
					t.Errorf("%d deployments were stopped; it runs %s still", s.did("ecs:StopServiceDeployment"), after)
				}
			}},
		{"migrate", `images: {"*": {run: {"*": {after: 1h}}}}`, map[string]string{"IMAGE": "v1"},
			func(s *site) bool { return s.did("ecs:DescribeTasks") >= 2 },
			func(t *testing.T, s *site, _ string) {
				if s.did("ecs:RunTask") != 1 || s.did("ecs:StopTask") != 1 {
					t.Errorf("%d tasks were started and %d stopped, want one each", s.did("ecs:RunTask"), s.did("ecs:StopTask"))
				}
			}},
		{"ecr-push", `faults: [{action: "ecr:UploadLayerPart", answer: unavailable}]`,
			map[string]string{"SOURCE": "image.tar", "REPOSITORY": "connect2-api-dev", "TAGS": "v9"},
			func(s *site) bool { return s.called("ecr:UploadLayerPart") >= 2 },
			func(t *testing.T, s *site, _ string) {
				if tag := s.tagged("connect2-api-dev", "v9"); tag != "" || s.did("ecr:PutImage") > 0 {
					t.Errorf("tag v9 points at %s", tag)
				}
			}},
	} {
		t.Run(c.action, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "dev", "speed: 1\n"+c.scenario)
			_, before := s.service()
			s.sb.ResetJournal()
			workspace := t.TempDir()
			if err := imagetest.TarFile(filepath.Join(workspace, "image.tar"), imagetest.Saved(imagetest.New(3, 50_000))); err != nil {
				t.Fatal(err)
			}
			code, took, log := s.cancel(c.action, workspace, c.inputs, c.cancelAt)
			if code != 130 || took > untilTerm {
				t.Errorf("exit code %d after %s, want 130 before SIGTERM at %s\n%s", code, took, untilTerm, log)
			}
			c.check(t, s, before)
			files, err := os.ReadDir(workspace)
			if err != nil || len(files) != 1 {
				t.Errorf("the workspace has %v, %v: an action of this image leaves nothing there", files, err)
			}
			outputs, err := os.ReadFile(filepath.Join(filepath.Dir(workspace), "files-"+c.action, "output"))
			if err != nil || !strings.Contains(string(outputs), "cancelled") {
				t.Errorf("outputs %q, %v: want the outcome cancelled", outputs, err)
			}
		})
	}
}

// called counts the calls of a name, answered or not.
func (s *site) called(name string) (n int) {
	for _, e := range s.sb.Journal() {
		if e.Name() == name {
			n++
		}
	}
	return n
}

// cancel runs an action as the runner does and cancels it once ready. It returns its exit code, and the time from the first signal.
func (s *site) cancel(action, workspace string, inputs map[string]string,
	ready func(*site) bool) (code int, took time.Duration, log string) {
	s.t.Helper()
	files := filepath.Join(filepath.Dir(workspace), "files-"+action)
	if err := os.MkdirAll(files, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"output", "summary"} {
		if err := os.WriteFile(filepath.Join(files, name), nil, 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	name := fmt.Sprintf("connect2-cancel-%s-%d", action, os.Getpid())
	args := []string{"run", "--rm", "--name", name, "--network", "host", "--workdir", "/github/workspace",
		"-v", workspace + ":/github/workspace", "-v", files + ":/github/file_commands",
		"-e", "GITHUB_ACTIONS=true", "-e", "GITHUB_OUTPUT=/github/file_commands/output",
		"-e", "GITHUB_STEP_SUMMARY=/github/file_commands/summary",
		"-e", "AWS_ENDPOINT_URL=http://" + s.host, "-e", "AWS_REGION=us-west-2",
		"-e", "AWS_ACCESS_KEY_ID=" + sandbox.AccessKeyID, "-e", "AWS_SECRET_ACCESS_KEY=" + sandbox.SecretAccessKey}
	if action != "ecr-push" {
		args = append(args, "-e", "INPUT_CLUSTER="+s.vars["ECS_CLUSTER"], "-e", "INPUT_SERVICE="+s.vars["ECS_SERVICE"])
	}
	for input, value := range inputs {
		args = append(args, "-e", "INPUT_"+input+"="+value)
	}
	var out bytes.Buffer
	cmd := exec.Command("docker", append(args, actionImage, action)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { exec.Command("docker", "rm", "--force", name).Run() }) // it outlives its client
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); !ready(s); {
		select {
		case err := <-ended:
			s.t.Fatalf("it ended before it was cancelled: %v\n%s", err, out.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			<-ended
			s.t.Fatalf("it did not get to what was waited for\n%s", out.String())
		}
	}
	began := time.Now()
	for _, next := range []struct {
		signal   os.Signal
		patience time.Duration
	}{{os.Interrupt, untilTerm}, {syscall.SIGTERM, untilKill}, {os.Kill, time.Minute}} {
		cmd.Process.Signal(next.signal)
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			return code, time.Since(began), out.String()
		case <-time.After(next.patience):
		}
	}
	s.t.Fatalf("the docker client cannot be killed\n%s", out.String())
	return 0, 0, ""
}

// TestImageSize holds the image that the Dockerfile makes to the same budget as the released one, layer by layer after gzip.
func TestImageSize(t *testing.T) {
	if _, err := tools(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", `dir=$(mktemp -d) && docker save "$0" | tar x -C "$dir" &&
		for layer in $(find "$dir" -name layer.tar); do gzip -9 <"$layer" | wc -c; done; rm -rf "$dir"`, actionImage).Output()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, field := range strings.Fields(string(out)) {
		var n int
		if _, err := fmt.Sscan(field, &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if t.Logf("%d bytes of compressed layers", sum); sum == 0 || sum > 7_000_000 {
		t.Errorf("%d bytes of compressed layers, want at most 7,000,000", sum)
	}
}
