package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/org/connect2/v2/internal/githubsetup"
)

func runInit(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	env := githubsetup.Env{Getenv: os.Getenv, Stdout: stdout, Stderr: stderr}
	if term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())) {
		env.Ask = func(question string) (string, error) {
			fmt.Fprint(stderr, question)
			return bufio.NewReader(os.Stdin).ReadString('\n')
		}
	}
	return githubsetup.Run(ctx, args, env)
}
