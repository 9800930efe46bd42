package workflowtest

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const rotationZip = "rotate-credentials.zip"

// getter is the module secret-rotation in a release's tree, with the server that has the release.
type getter struct {
	*setupWorld
	module, out string
}

func newGetter(t *testing.T, content []byte) *getter {
	t.Helper()
	g := &getter{setupWorld: newSetup(t, content)}
	g.releases.names = append(g.releases.names, rotationZip)
	g.module = filepath.Join(g.dir, "kit", "terraform", "modules", "secret-rotation")
	if err := os.MkdirAll(g.module, 0o755); err != nil {
		t.Fatal(err)
	}
	g.out = filepath.Join(g.module, rotationZip)
	text, err := os.ReadFile(filepath.Join(root, "terraform/modules/secret-rotation/get"))
	if err != nil {
		t.Fatal(err)
	}
	g.write(filepath.Join(g.module, "get"), string(text))
	g.write(filepath.Join(g.module, "release"),
		fmt.Sprintf("repository org/kit\nversion v2.3.4\n%x  %s\n", sha256.Sum256(content), rotationZip))
	return g
}

// get runs the script and returns what it said.
func (g *getter) get(environ ...string) (said string, ok bool) {
	g.t.Helper()
	cmd := exec.Command("bash", filepath.Join(g.module, "get"))
	for name, value := range g.environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, environ...)
	g.releases.seen()
	out, err := cmd.CombinedOutput()
	g.releases.seen()
	if strings.Contains(string(out), setupToken) {
		g.t.Errorf("the token was printed:\n%s", out)
	}
	return string(out), err == nil
}

// TestTheRotationFunctionOfARelease downloads the zip as infrastructure.yml does: public and private, once, and never other bytes.
func TestTheRotationFunctionOfARelease(t *testing.T) {
	requireCurl(t)
	content := []byte("the function's zip")
	for name, environ := range map[string][]string{"public": nil, "private": {"TOKEN=" + setupToken}} {
		t.Run(name, func(t *testing.T) {
			g := newGetter(t, content)
			g.releases.private = name == "private"
			if said, ok := g.get(environ...); !ok {
				t.Fatal(said)
			}
			if got, err := os.ReadFile(g.out); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%q, %v", got, err)
			}
			g.server.Close() // what is there already is checked, not fetched again
			if said, ok := g.get(environ...); !ok || g.storageSawSecrets {
				t.Errorf("again: %s; the storage saw the token: %t", said, g.storageSawSecrets)
			}
		})
	}
	for name, c := range map[string]struct {
		spoil func(*getter)
		want  string
	}{
		"other bytes": {func(g *getter) { g.releases.content = []byte("somebody else's") }, "it is not kept"},
		"private":     {func(g *getter) { g.releases.private = true }, "give TOKEN"},
		"no checksum": {func(g *getter) {
			g.write(filepath.Join(g.module, "release"), "repository org/kit\nversion v2.3.4\n")
		}, "does not name"},
		"plain HTTP":    {func(g *getter) { g.environ["SERVER_URL"] = "http://example.com" }, "is not an https:// address"},
		"not a release": {func(g *getter) { os.Remove(filepath.Join(g.module, "release")) }, "neither of a release nor beside the sources"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGetter(t, content)
			c.spoil(g)
			said, ok := g.get()
			if _, err := os.Stat(g.out); ok || err == nil || !strings.Contains(said, c.want) {
				t.Errorf("ok %t, a file is there: %t, want %q: %s", ok, err == nil, c.want, said)
			}
		})
	}
}

// TestTheRotationFunctionFromItsSources builds the zip where nothing is released: what Lambda starts, for the machine that the module
// says. A release does the same twice and compares.
func TestTheRotationFunctionFromItsSources(t *testing.T) {
	if os.Getenv("CONNECT2_E2E") == "" {
		t.Skip("links a program for another machine; CONNECT2_E2E=1 does it")
	}
	out := filepath.Join(t.TempDir(), "elsewhere", "function.zip")
	cmd := exec.Command(filepath.Join(root, "terraform/modules/secret-rotation/get"), out)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	r, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode()&0o111 != 0o111 {
		t.Fatalf("want one program called bootstrap: %+v", r.File)
	}
	f, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); err != nil || !bytes.HasPrefix(head, []byte("\x7fELF")) || head[18] != 183 {
		t.Errorf("% x, %v: not an ELF program for arm64", head, err)
	}
}
