package main

import (
	"context"
	"io"

	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/status"
)

func init() {
	commands = append(commands, command{
		name: status.Action.Meta.Name, summary: status.Action.Meta.Description,
		run: func(ctx context.Context, args []string, stdout, stderr io.Writer) int {
			return run.Command(ctx, status.Action, args, stdout, stderr, nil)
		},
	})
}
