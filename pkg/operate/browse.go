package operate

import (
	"context"
	"os/exec"
	"runtime"
)

// Browse asks the desktop's browser to show a page.
func Browse(ctx context.Context, address string) error {
	program := map[string]string{"darwin": "open", "windows": "explorer"}[runtime.GOOS]
	if program == "" {
		program = "xdg-open"
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, address) // it outlives the command that asked for it
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // how it ends is its own affair
	return nil
}
