package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

const module = "github.com/org/connect2/v2"

// Build returns the program in a folder of the module, linked for this machine as a release links it. go run keeps what it links in
// the build cache: the tests of several packages share one link, and while nothing has changed there is none.
func Build(t testing.TB, folder string) string {
	t.Helper()
	return build(t, folder, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
}

// BuildForLinux returns the program in a folder of the module as the image holds it, linked for linux/amd64 wherever the test runs.
func BuildForLinux(t testing.TB, folder string) string {
	t.Helper()
	return build(t, folder, "GOOS=linux", "GOARCH=amd64")
}

func build(t testing.TB, folder string, environ ...string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(folder))
	// -exec has go run call "cp PROGRAM TO" instead of PROGRAM.
	cmd := exec.CommandContext(t.Context(), "go", "run", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-exec=cp", module+"/"+folder, to)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("linking %s: %v\n%s", folder, err, out)
	}
	return to
}
