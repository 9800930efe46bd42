package programs

import (
	"bufio"
	_ "embed" // the program below
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"
)

//go:embed awscli.py
var driver string

// AWSCLI runs commands of the AWS CLI.
type AWSCLI struct {
	environ []string
	input   io.Writer // of the process that runs one command after the other; nil: each has a process of its own
	answers *bufio.Reader
}

// NewAWSCLI returns the AWS CLI in this environment, and skips the test where it is not installed. Version 1 is a Python package: its
// commands run in one process, by the function that its script calls. Version 2 brings a Python of its own, and is started each time.
func NewAWSCLI(t testing.TB, environ []string) *AWSCLI {
	t.Helper()
	if testing.Short() {
		t.Skip("other programs are not run in short mode")
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed here")
	}
	cli := &AWSCLI{environ: environ}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", driver)
	cmd.Env = environ
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		return cli
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait() // its answers have said how its commands ended
	})
	answers := bufio.NewReader(output)
	if line, err := answers.ReadString('\n'); err == nil && line == "ready\n" {
		cli.input, cli.answers = input, answers
	}
	return cli
}

// Run runs a command, and returns what it printed and its exit code.
func (c *AWSCLI) Run(t testing.TB, args ...string) (output string, exit int) {
	t.Helper()
	if c.input == nil {
		cmd := exec.CommandContext(t.Context(), "aws", args...)
		cmd.Env = c.environ
		out, err := cmd.CombinedOutput()
		if isExit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &isExit) {
			t.Fatalf("aws %q: %v", args, err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	line, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.input.Write(append(line, '\n')); err != nil {
		t.Fatalf("aws %q: %v", args, err)
	}
	answer, err := c.answers.ReadBytes('\n')
	if err != nil {
		t.Fatalf("aws %q: no answer: %v", args, err)
	}
	var said struct {
		Exit   int
		Output string
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		t.Fatalf("aws %q: %v in %q", args, err, answer)
	}
	return said.Output, said.Exit
}
