package workflowtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/internal/test/programs"
)

// publishing runs the last job of release.yml: its scripts, in a clone of this repository, with a repository on disk as the origin.
type publishing struct {
	t                    *testing.T
	dir, origin, publish string
	scripts              []string
	environ              map[string]string
}

// ghOfRelease keeps a release as files of $RECORD: state is draft or out; assets are beside it. With $STOPS it ends after its first file.
const ghOfRelease = `#!/bin/bash
set -euo pipefail
echo "gh $*" >>"$RECORD/calls"
case "$1 $2" in
"api meta") echo "github.com ssh-ed25519 AAAA" ;;
"release view")
  [[ -e $RECORD/state ]] || { echo "release not found" >&2; exit 1; }
  [[ $(<"$RECORD/state") == draft ]] && echo true || echo false ;;
"release create" | "release upload")
  git ls-remote --exit-code origin "refs/tags/$3" >/dev/null
  echo draft >"$RECORD/state"
  mkdir -p "$RECORD/assets"
  for argument in "${@:4}"; do
    [[ $argument == --* ]] && continue
    cp "$argument" "$RECORD/assets"
    [[ -z ${STOPS:-} ]] || exit 1
  done
  [[ $2 == upload ]] || echo out >"$RECORD/state" ;;
"release edit") [[ $4 == --draft=false ]] && echo out >"$RECORD/state" ;;
"release download") cp "$RECORD/assets/SHA256SUMS" "$7" ;;
*) echo "gh $*: unknown here" >&2; exit 1 ;;
esac
`

func newPublishing(t *testing.T) *publishing {
	t.Helper()
	p := &publishing{t: t, dir: t.TempDir()}
	p.origin, p.publish = filepath.Join(p.dir, "origin.git"), programs.Build(t, "internal/gen/publish")
	run := func(dir, name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
	tree := filepath.Join(p.dir, "tree")
	// Deleted files are still listed.
	run(root, "sh", "-c", `mkdir "$0" &&
git ls-files -z .github actions action.yml terraform/modules/secret-rotation | xargs -0 tar c --ignore-failed-read 2>/dev/null | tar x -C "$0"`, tree)
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "main"}} {
		run(tree, "git", args...)
	}
	run(p.dir, "git", "clone", "-q", "--bare", tree, p.origin)

	for _, s := range glob(t, ".github/workflows/release.yml")[0].Jobs["publish"].Steps {
		if s.Run != "" {
			p.scripts = append(p.scripts, s.Run)
		}
	}
	if len(p.scripts) != 2 {
		t.Fatalf("the job has %d scripts, want 2", len(p.scripts))
	}
	bin := filepath.Join(p.dir, "bin")
	for name, text := range map[string]string{
		"gh": ghOfRelease,
		"go": "#!/bin/sh\n[ \"$1 $2\" = 'run ./internal/gen/publish' ] && shift 2 && exec \"$PUBLISH\" \"$@\"\n",
		"ssh": `#!/bin/bash
while [[ $1 == -* ]]; do shift 2; done
echo "ssh $*" >>"$RECORD/calls"
exec git-receive-pack "$ORIGIN"
`,
	} {
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(p.dir, "record"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.environ = map[string]string{"PATH": bin + ":" + os.Getenv("PATH"), "PUBLISH": p.publish, "ORIGIN": p.origin,
		"RECORD": filepath.Join(p.dir, "record"), "IMAGE": "ghcr.io/org/connect2", "TERRAFORM_IMAGE": "ghcr.io/org/connect2-terraform",
		"DIGEST": "sha256:" + strings.Repeat("1", 64), "TERRAFORM_DIGEST": "sha256:" + strings.Repeat("2", 64), "RELEASE_KEY": "key",
		"GITHUB_REPOSITORY": "org/connect2", "HOME": p.dir}
	return p
}

// run is one attempt of the job, in a fresh clone, and returns what it said.
func (p *publishing) run(version string, environ ...string) (said string, ok bool) {
	p.t.Helper()
	work, err := os.MkdirTemp(p.dir, "work")
	if err != nil {
		p.t.Fatal(err)
	}
	if out, err := exec.Command("git", "clone", "-q", "--branch", "main", "file://"+p.origin, work).CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(work, "dist"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	sums := ""
	for _, name := range []string{"connect2_darwin_amd64", "connect2_darwin_arm64", "connect2_linux_amd64", "connect2_linux_arm64",
		"rotate-credentials.zip"} {
		if err := os.WriteFile(filepath.Join(work, "dist", name), []byte(version), 0o755); err != nil {
			p.t.Fatal(err)
		}
		sums += strings.Repeat("a", 64) + "  " + name + "\n"
	}
	if err := os.WriteFile(filepath.Join(work, "dist", "SHA256SUMS"), []byte(sums), 0o644); err != nil {
		p.t.Fatal(err)
	}
	var all strings.Builder
	for _, script := range p.scripts {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
		cmd.Dir = work
		temp, err := os.MkdirTemp(p.dir, "temp")
		if err != nil {
			p.t.Fatal(err)
		}
		for name, value := range p.environ {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Env = append(append(cmd.Env, "VERSION="+version, "RUNNER_TEMP="+temp), environ...)
		out, err := cmd.CombinedOutput()
		all.Write(out)
		if _, left := os.Stat(filepath.Join(temp, "key")); left == nil {
			p.t.Error("the deploy key stays on the runner")
		}
		if err != nil {
			return all.String(), false
		}
	}
	return all.String(), true
}

// git asks the origin.
func (p *publishing) git(args ...string) string {
	p.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", p.origin}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Sprint("git: ", err)
	}
	return strings.TrimSpace(string(out))
}

func (p *publishing) calls(name string) int {
	p.t.Helper()
	text, _ := os.ReadFile(filepath.Join(p.dir, "record", "calls"))
	return strings.Count(string(text), name)
}

func (p *publishing) state(file string) string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "record", file))
	return strings.TrimSpace(string(text))
}

// TestAReleaseThatStoppedGoesOn re-runs the last job of a release from wherever it stopped.
func TestAReleaseThatStoppedGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("links a program, and clones a repository a dozen times")
	}
	p := newPublishing(t)
	if said, ok := p.run("v2.0.1", "STOPS=1"); ok || p.state("state") != "draft" {
		t.Fatalf("the first attempt went on after half its files (%s):\n%s", p.state("state"), said)
	}
	release := p.git("rev-parse", "refs/tags/v2.0.1")
	if main := p.git("rev-parse", "main"); p.git("rev-parse", release+"~2") != main || p.git("rev-parse", "refs/tags/v2") == release {
		t.Fatalf("v2.0.1 is %s, of main %s, and v2 %s", release, main, p.git("rev-parse", "refs/tags/v2"))
	}
	said, ok := p.run("v2.0.1")
	if !ok || p.git("rev-parse", "refs/tags/v2.0.1") != release || p.git("rev-parse", "refs/tags/v2") != release || p.state("state") != "out" {
		t.Fatalf("the second attempt, with the release %s:\n%s", p.state("state"), said)
	}
	if p.calls("gh release create") != 1 || p.calls("gh release upload") != 1 || p.calls("gh release edit v2.0.1 --draft=false") != 1 {
		t.Errorf("calls: %s", p.state("calls"))
	}
	// The workflows name the actions by the commit before, and the actions their images.
	text := p.git("show", release+":.github/workflows/rollback.yml")
	if want := "uses: org/connect2/actions/ecs-rollback@" + p.git("rev-parse", release+"^") + " # v2.0.1"; !strings.Contains(text, want) {
		t.Errorf("rollback.yml does not say %q", want)
	}
	text = p.git("show", release+"^:actions/ecs-rollback/action.yml")
	if !strings.Contains(text, "docker://ghcr.io/org/connect2@sha256:1111") {
		t.Errorf("the commit that the workflows name has actions without their images:\n%s", text)
	}

	// Everything was done: an attempt more changes nothing.
	before := p.git("show-ref")
	if said, ok := p.run("v2.0.1"); !ok || p.git("show-ref") != before || p.calls("gh release create") != 1 {
		t.Errorf("a third attempt:\n%s", said)
	}
	// Other images under the same version are another release.
	said, ok = p.run("v2.0.1", "DIGEST=sha256:"+strings.Repeat("3", 64))
	if ok || !strings.Contains(said, "title=Another release") || p.git("show-ref") != before {
		t.Errorf("other bytes under the same version:\n%s", said)
	}

	// The next release, and then an attempt of the first one again: v2 does not go back.
	if err := os.RemoveAll(filepath.Join(p.dir, "record", "state")); err != nil {
		t.Fatal(err)
	}
	if said, ok := p.run("v2.0.10"); !ok || p.git("rev-parse", "refs/tags/v2") != p.git("rev-parse", "refs/tags/v2.0.10") {
		t.Fatalf("the next release:\n%s", said)
	}
	before = p.git("show-ref")
	if said, ok := p.run("v2.0.1"); !ok || !strings.Contains(said, "v2 stays at v2.0.10") || p.git("show-ref") != before {
		t.Errorf("the first release again:\n%s", said)
	}
	// Files that are out and are not this run's stop before v2.
	if err := os.WriteFile(filepath.Join(p.dir, "record", "assets", "SHA256SUMS"), []byte("other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, ok := p.run("v2.0.10"); ok || !strings.Contains(said, "The files of v2.0.10 are not this run's") {
		t.Errorf("other files:\n%s", said)
	}
}
