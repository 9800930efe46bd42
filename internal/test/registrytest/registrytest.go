// Package registrytest starts a container registry that this project did not write.
package registrytest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Docker starts the reference implementation of the registry protocol (Debian: docker-registry) on the loopback for as long as
// the test runs, and returns its HOST:PORT; installed is false where it is not on the PATH.
func Docker(t testing.TB) (host string, installed bool) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return "", false
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: '127.0.0.1:0'}\n",
		filepath.Join(dir, "data"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "serve", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "listening on "); ok {
			go func() { _, _ = io.Copy(io.Discard, stderr) }() // the pipe must not fill up
			return strings.Trim(strings.Fields(rest)[0], `"`), true
		}
	}
	t.Fatal("docker-registry ended before it listened")
	return "", true
}
