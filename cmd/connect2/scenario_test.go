package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// TestScenarios tells what the binary does to a sandbox that runs as another process. One scenario has one sandbox, whose time runs
// 200 times faster than real time.
func TestScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("scenarios start processes")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scenarios",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "sandbox": startSandbox, "image": makeImage, "cut": cut, "changed": changed, "forget": forget, "interrupt": interrupt,
			"terminal": terminal, "watched": watched, "scheduled": scheduled, "fault": fault, "killed": killed,
		},
		Setup: func(env *testscript.Env) error {
			root, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			env.Setenv("ROOT", root)
			env.Setenv("AWS_CONFIG_FILE", os.DevNull)
			env.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return programs.Inherit(env)
		},
	})
}

const speed = "200"

// startSandbox, as "sandbox [FLAG...]", runs "connect2 sandbox" for the rest of the script on a free port and sets the variables
// that it prints. When the script ends, it must stop cleanly.
func startSandbox(ts *testscript.TestScript, neg bool, args []string) {
	program, err := exec.LookPath("connect2")
	ts.Check(err)
	command := exec.Command(program, append([]string{"sandbox", "--listen=127.0.0.1:0", "--speed=" + speed}, args...)...)
	var problems strings.Builder
	command.Dir, command.Stderr = ts.Getenv("WORK"), &problems
	printed, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	ts.Defer(func() {
		// Its time begins here: a script on a busy machine may take longer than a sandbox that hangs may.
		hangs := time.AfterFunc(time.Minute, func() { _ = command.Process.Kill() })
		defer hangs.Stop()
		ts.Check(command.Process.Signal(os.Interrupt))
		if err := command.Wait(); err != nil {
			ts.Fatalf("the sandbox did not stop cleanly: %v\n%s", err, &problems)
		}
	})
	lines := bufio.NewScanner(printed)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "unset ") {
		if set, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			name, value, _ := strings.Cut(set, "=")
			ts.Setenv(name, value)
		}
	}
	if ts.Getenv("AWS_ENDPOINT_URL") == "" {
		ts.Fatalf("the sandbox named no endpoint: %s", &problems)
	}
}

// makeImage, as "image FORM PATH VERSION", writes an image, in the form layout (a folder), layout-tar, saved or saved-new (both
// of docker save). Another version is another image.
func makeImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: image layout|layout-tar|saved|saved-new PATH VERSION")
	}
	img, path := imagetest.New(uint64(len(args[2]))*1000+uint64(args[2][len(args[2])-1]), 20_000, 5_000), ts.MkAbs(args[1])
	img.Labels = map[string]string{"org.opencontainers.image.version": args[2]}
	switch args[0] {
	case "layout":
		ts.Check(imagetest.Folder(path, imagetest.Layout(img)))
	case "layout-tar":
		ts.Check(imagetest.TarFile(path, imagetest.Layout(img)))
	case "saved":
		ts.Check(imagetest.TarFile(path, imagetest.Saved(img)))
	case "saved-new":
		ts.Check(imagetest.TarFile(path, imagetest.SavedNew(img)))
	default:
		ts.Fatalf("image: no form %q", args[0])
	}
}

// cut, as "cut PATH", takes away the second half of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()/2))
}

// changed, as "changed [CALL...]", compares the calls since the last "changed" that may have changed anything, and were not refused,
// with those listed: each is named once, in order of its first time. Registry calls count as those of ECR's API.
func changed(ts *testscript.TestScript, neg bool, args []string) {
	answer, err := http.Get(ts.Getenv("AWS_ENDPOINT_URL") + "/_sandbox/journal")
	ts.Check(err)
	defer answer.Body.Close()
	var got []string
	for lines := json.NewDecoder(answer.Body); lines.More(); {
		var entry wire.Entry
		ts.Check(lines.Decode(&entry))
		if entry.Mutating && entry.OK() && !slices.Contains(got, entry.Name()) {
			got = append(got, entry.Name())
		}
	}
	if !slices.Equal(got, args) {
		ts.Fatalf("changed by %q, want %q", got, args)
	}
	forget(ts, false, nil)
}

// forget empties the sandbox's journal.
func forget(ts *testscript.TestScript, neg bool, args []string) {
	request, err := http.NewRequest(http.MethodDelete, ts.Getenv("AWS_ENDPOINT_URL")+"/_sandbox/journal", nil)
	ts.Check(err)
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	answer.Body.Close()
}

// interrupt, as "interrupt TEXT CODE COMMAND ARG...", runs a command, sends it SIGINT when it has told TEXT, and compares its exit
// code. What it told is in the file "told".
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt TEXT CODE COMMAND ARG...")
	}
	program, err := exec.LookPath(args[2])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args[3:]...)
	command.Dir = ts.Getenv("WORK")
	command.Env = append(os.Environ(), "GITHUB_ACTIONS=")
	for _, name := range []string{
		"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	events, err := command.StderrPipe()
	ts.Check(err)
	ts.Check(command.Start())
	var told strings.Builder
	sent := false
	for lines := bufio.NewScanner(events); lines.Scan(); {
		told.WriteString(lines.Text() + "\n")
		if !sent && strings.Contains(lines.Text(), args[0]) {
			sent = true
			ts.Check(command.Process.Signal(syscall.SIGINT))
		}
	}
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("told"), []byte(told.String()), 0o600))
	if code := fmt.Sprint(command.ProcessState.ExitCode()); !sent || code != args[1] {
		ts.Fatalf("exit code %s, want %s; told %q: %v; it told:\n%s", code, args[1], args[0], sent, &told)
	}
}

// terminal, as "terminal COLUMNS ROWS CODE COMMAND ARG...", runs a command on a pseudo-terminal of this size and compares its exit code.
// What it showed is the script's standard output.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 || runtime.GOOS != "linux" {
		ts.Fatalf("usage, on Linux: terminal COLUMNS ROWS CODE COMMAND ARG...")
	}
	onTerminal(ts, "", args)
}

// watched, as "watched TEXT COLUMNS ROWS CODE COMMAND ARG...", is terminal with somebody at it who presses Ctrl-C once TEXT is shown.
func watched(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 5 || args[0] == "" || runtime.GOOS != "linux" {
		ts.Fatalf("usage, on Linux: watched TEXT COLUMNS ROWS CODE COMMAND ARG...")
	}
	onTerminal(ts, args[0], args[1:])
}

// onTerminal runs a command on a pseudo-terminal, and interrupts it by the key for that once it shows a text, unless that is empty.
func onTerminal(ts *testscript.TestScript, until string, args []string) {
	columns, err := strconv.ParseUint(args[0], 10, 16)
	ts.Check(err)
	rows, err := strconv.ParseUint(args[1], 10, 16)
	ts.Check(err)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	defer master.Close()
	fd := int(master.Fd())
	ts.Check(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	ts.Check(err)
	ts.Check(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)}))
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	program, err := exec.LookPath(args[3])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args[4:]...)
	command.Dir = ts.Getenv("WORK")
	command.Env = append(os.Environ(), "GITHUB_ACTIONS=", "TERM=xterm-256color")
	for _, name := range []string{
		"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"CONNECT2_ENVIRONMENT", "NO_COLOR",
	} {
		command.Env = append(command.Env, name+"="+ts.Getenv(name))
	}
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // so that its keys reach the command
	ts.Check(command.Start())
	slave.Close()
	var shown strings.Builder
	pressed := until == ""
	for some := make([]byte, 32<<10); ; {
		n, err := master.Read(some)
		shown.Write(some[:n])
		if !pressed && strings.Contains(colours.ReplaceAllString(shown.String(), ""), until) {
			pressed = true
			_, err := master.WriteString("\x03")
			ts.Check(err)
		}
		if err != nil {
			break // a terminal whose last program has ended gives an error
		}
	}
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	text := strings.ReplaceAll(shown.String(), "\r\n", "\n")
	_, err = io.WriteString(ts.Stdout(), text)
	ts.Check(err)
	if code := strconv.Itoa(command.ProcessState.ExitCode()); code != args[2] || !pressed {
		ts.Fatalf("exit code %s, want %s; %q was shown: %t; it showed:\n%s", code, args[2], until, pressed, text)
	}
	// A live line is written over: each of what stood in a line has to fit.
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		plain := colours.ReplaceAllString(strings.TrimRight(line, "\n"), "")
		// What cannot be broken may be wider: an address, a digest.
		if len([]rune(plain)) > int(columns) && !strings.Contains(plain, "https://") && !strings.Contains(plain, "sha256:") {
			ts.Fatalf("a line of %d characters in %d columns: %q", len([]rune(plain)), columns, plain)
		}
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\r")
