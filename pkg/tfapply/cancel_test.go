//go:build e2e

package tfapply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/programs"
)

// The runner's timing: SIGINT, 7.5 s later SIGTERM, and 2.5 s later it kills the docker client, which the container survives.
const untilTerm = 7500 * time.Millisecond

// moments is how many applies are cancelled, each a little later than the one before.
const moments = 50

// cancelled runs the real binary and cancels it after a while, as the runner does. It returns what it printed and its exit code.
func cancelled(t *testing.T, binary, dir string, env []string, after time.Duration) (string, int) {
	t.Helper()
	cmd := exec.Command(binary, "--mode", "apply", "--approve", "auto", "--directory", dir)
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return "", -1
	}
	interrupt := time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGINT) })
	term := time.AfterFunc(after+untilTerm, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer interrupt.Stop()
	defer term.Stop()
	_ = cmd.Wait() // the exit code says how
	return out.String(), cmd.ProcessState.ExitCode()
}

// stateNames returns the resources of a state, and whether any is tainted.
func stateNames(t *testing.T, text []byte) (names []string, tainted bool) {
	t.Helper()
	var state struct {
		Resources []struct {
			Type, Name string
			Instances  []struct {
				Status     string
				Attributes struct{ Name string }
			}
		}
	}
	if len(text) == 0 {
		return nil, false
	}
	if err := json.Unmarshal(text, &state); err != nil {
		t.Errorf("the state is broken: %v", err)
	}
	for _, r := range state.Resources {
		for _, i := range r.Instances {
			names = append(names, r.Type+"."+r.Name+" "+i.Attributes.Name)
			tainted = tainted || i.Status == "tainted"
		}
	}
	return names, tainted
}

// TestCancelAtManyMoments cancels applies of three resources that take three seconds each.
func TestCancelAtManyMoments(t *testing.T) {
	binary := programs.Build(t, "cmd/tf-apply") // before the world, whose HOME has no build cache
	w := newWorld(t)
	environ := append(w.environ(), "GITHUB_ACTIONS=true")
	var applied, untouched int
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 10)
	for i := range moments {
		name := fmt.Sprintf("cancel-%d", i)
		dir := filepath.Join(w.root, name)
		key := name + ".tfstate"
		w.dir = dir
		w.write("main.tf", `terraform {
  backend "s3" {
    bucket         = "`+bucket+`"
    key            = "`+key+`"
    region         = "us-west-2"
    use_lockfile   = true
    use_path_style = true
  }
}
resource "terraform_data" "a" {
  provisioner "local-exec" { command = "sleep 3; touch made-a" }
}
resource "terraform_data" "b" {
  depends_on = [terraform_data.a]
  provisioner "local-exec" { command = "sleep 3; touch made-b" }
}
resource "terraform_data" "c" {
  depends_on = [terraform_data.b]
  provisioner "local-exec" { command = "sleep 3; touch made-c" }
}
`)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out, code := cancelled(t, binary, dir, environ, time.Duration(i)*10*time.Second/moments)
			text, _ := w.sb.S3().Object(bucket, key)
			names, tainted := stateNames(t, text)
			made, _ := filepath.Glob(filepath.Join(dir, "made-*"))
			_, locked := w.sb.S3().Object(bucket, key+".tflock")
			if locked || tainted || len(made) != len(names) || len(made) != 0 && len(made) != 3 {
				t.Errorf("cancelled at %d/%d: exit code %d, locked %v, tainted %v, made %d, in the state %q\n%s", i, moments, code, locked,
					tainted, len(made), names, out)
			}
			// Before the process takes signals, the first one ends it as any other: nothing has begun by then.
			if want := map[int]int{0: 130, 3: 0}[len(made)]; code != want && !(code == -1 && out == "") {
				t.Errorf("cancelled at %d/%d: exit code %d, want %d\n%s", i, moments, code, want, out)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(made) == 0 {
				untouched++
			} else {
				applied++
			}
		})
	}
	wg.Wait()
	t.Logf("%d applies were finished, %d never began", applied, untouched)
	if applied == 0 {
		t.Error("no moment fell into an apply")
	}
}

// TestCancelTheRealProvider does the same with the AWS provider and a server that takes four seconds to make a log group: what
// an interrupt would lose. TF_CLI_CONFIG_FILE of the caller must make the provider installable.
func TestCancelTheRealProvider(t *testing.T) {
	rc := os.Getenv("CONNECT2_TERRAFORMRC")
	if rc == "" {
		t.Skip("CONNECT2_TERRAFORMRC names no Terraform CLI configuration with the AWS provider")
	}
	binary := programs.Build(t, "cmd/tf-apply")
	w := newWorld(t)
	w.vars["TF_CLI_CONFIG_FILE"] = rc
	logs := &slowLogs{groups: map[string]bool{}}
	server := httptest.NewServer(logs)
	t.Cleanup(server.Close)
	environ := append(w.environ(), "GITHUB_ACTIONS=true", "AWS_ENDPOINT_URL_LOGS="+server.URL, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS="+server.URL)
	runs := moments
	if text := os.Getenv("CONNECT2_PROVIDER_MOMENTS"); text != "" {
		var err error
		if runs, err = strconv.Atoi(text); err != nil || runs < 1 {
			t.Fatalf("CONNECT2_PROVIDER_MOMENTS: %q is not a number of moments", text)
		}
	}
	var finished atomic.Int32
	var wg sync.WaitGroup
	slots := make(chan struct{}, 5) // each is a provider of its own, of some 200 MB
	for i := range runs {
		name := fmt.Sprintf("provider-%d", i)
		key := name + ".tfstate"
		dir := filepath.Join(w.root, name)
		w.dir = dir
		w.write("main.tf", `terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
  backend "s3" {
    bucket         = "`+bucket+`"
    key            = "`+key+`"
    region         = "us-west-2"
    use_lockfile   = true
    use_path_style = true
  }
}
provider "aws" {
  region                      = "us-west-2"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
resource "aws_cloudwatch_log_group" "a" { name = "`+name+`-a" }
resource "aws_cloudwatch_log_group" "b" {
  name       = "`+name+`-b"
  depends_on = [aws_cloudwatch_log_group.a]
}
`)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			// Init and plan take a while with this provider: the moments are counted from the first call that makes something.
			begun := logs.next(name)
			out, code := cancelledWhen(t, binary, dir, environ, begun, time.Duration(i)*8*time.Second/time.Duration(runs))
			text, _ := w.sb.S3().Object(bucket, key)
			names, tainted := stateNames(t, text)
			_, locked := w.sb.S3().Object(bucket, key+".tflock")
			if made := logs.made(name); locked || tainted || len(names) != made || made != 2 || code != 0 ||
				!strings.Contains(out, "The apply goes on") {
				t.Errorf("cancelled at %d/%d: exit code %d, locked %v, tainted %v, %d groups were made, in the state %q\n%s", i, runs, code, locked,
					tainted, made, names, out)
			} else {
				finished.Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d applies were finished, with everything in the state", finished.Load(), runs)
}

// cancelledWhen is cancelled with the clock starting at an event.
func cancelledWhen(t *testing.T, binary, dir string, env []string, begun <-chan struct{}, after time.Duration) (string, int) {
	t.Helper()
	cmd := exec.Command(binary, "--mode", "apply", "--approve", "auto", "--directory", dir)
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return "", -1
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-begun:
		case <-ended:
			return
		}
		time.Sleep(after)
		_ = cmd.Process.Signal(syscall.SIGINT)
		time.Sleep(untilTerm)
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}()
	_ = cmd.Wait()
	close(ended)
	return out.String(), cmd.ProcessState.ExitCode()
}

// slowLogs is a CloudWatch Logs whose groups take four seconds, and are made whether or not the caller waits.
type slowLogs struct {
	mu     sync.Mutex
	groups map[string]bool
	wait   map[string]chan struct{}
}

func (s *slowLogs) next(prefix string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait == nil {
		s.wait = map[string]chan struct{}{}
	}
	s.wait[prefix] = make(chan struct{})
	return s.wait[prefix]
}

func (s *slowLogs) made(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.groups {
		if strings.HasPrefix(name, prefix+"-") {
			n++
		}
	}
	return n
}

func (s *slowLogs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var in struct{ LogGroupName, LogGroupNamePrefix string }
	_ = json.Unmarshal(text, &in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch action {
	case "CreateLogGroup":
		s.mu.Lock()
		prefix := in.LogGroupName[:strings.LastIndex(in.LogGroupName, "-")]
		if c := s.wait[prefix]; c != nil {
			close(c)
			delete(s.wait, prefix)
		}
		s.mu.Unlock()
		time.Sleep(4 * time.Second)
		s.mu.Lock()
		s.groups[in.LogGroupName] = true
		s.mu.Unlock()
		_, _ = io.WriteString(w, "{}")
	case "DescribeLogGroups":
		s.mu.Lock()
		defer s.mu.Unlock()
		list := []map[string]any{}
		for name := range s.groups {
			if strings.HasPrefix(name, in.LogGroupNamePrefix) {
				list = append(list, map[string]any{"logGroupName": name, "arn": "arn:aws:logs:us-west-2:123456789012:log-group:" + name + ":*",
					"logGroupClass": "STANDARD"})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"logGroups": list})
	default:
		_, _ = io.WriteString(w, `{"tags":{}}`)
	}
}
