//go:build act

package workflowtest

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/connect2/v2/internal/test/registrytest"
)

const releaseWorkflow = ".github/workflows/release.yml"

// releaseKey is what the secret RELEASE_KEY holds here.
const releaseKey = "-----BEGIN STAND-IN-----\nkey\n-----END STAND-IN-----"

// programs of GitHub's runners, as far as the release calls them. They note each call in $RECORD/calls.
var runnerPrograms = map[string]string{
	"gh": `
echo "gh $*" >>"$RECORD/calls"
case "$1 $2" in
"release view") echo "release not found" >&2; exit 1 ;;
"api meta") jq --raw-output "$4" <<<'{"ssh_keys": ["ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 BBBB"]}' ;;
"release create")
  git ls-remote --exit-code origin "refs/tags/$3" >/dev/null # --verify-tag
  git ls-remote origin refs/tags/v2 >"$RECORD/v2-meanwhile"
  mkdir "$RECORD/assets"
  for argument in "${@:4}"; do [[ $argument == --* ]] || cp "$argument" "$RECORD/assets"; done ;;
*) echo "gh $*: unknown here" >&2; exit 1 ;;
esac`,
	// The way to GitHub's SSH server, which takes the deploy key from a file of its owner alone and has the keys that gh told.
	"ssh": `
echo "ssh" >>"$RECORD/calls"
while getopts i:o: option; do
  case $option$OPTARG in
  i*) key=$OPTARG ;;
  oUserKnownHostsFile=*) known=${OPTARG#*=} ;;
  esac
done
shift $((OPTIND - 1))
[[ $1 == git@github.com && $2 == "git-receive-pack 'org/connect2.git'" ]]
[[ $(stat -c %a "$key") == 600 && $(<"$key") == "$(<"$RECORD/key")" && -n $(tail -c 1 "$key" | tr -d '[:print:]' | od -An -c) ]]
[[ $(<"$known") == $'github.com ssh-ed25519 AAAA\ngithub.com ecdsa-sha2-nistp256 BBBB' ]]
exec git-receive-pack "$CALLER"`,
	"cosign-installer/cosign": `
echo "cosign $*" >>"$RECORD/calls"`,
}

// releases sets the clone up for releases: a registry in place of GitHub's, the programs of a runner, and a CI that passes.
func (s *site) releases() (record, host string) {
	s.t.Helper()
	record, host = s.t.TempDir(), startRegistry(s.t)
	for name, text := range runnerPrograms {
		path := filepath.Join(record, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/bash\nset -euo pipefail"+text+"\n"), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(record, "key"), []byte(releaseKey+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.path = record
	environ := map[string]string{
		"RECORD": record, "ARTIFACTS": s.t.TempDir(),
		// act lets these win over the workflow's own env.
		"IMAGE": host + "/org/connect2", "TERRAFORM_IMAGE": host + "/org/connect2-terraform",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB"} { // the steps have a home of their own
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			s.t.Fatal(err)
		}
		environ[name] = strings.TrimSpace(string(out))
	}
	for name, value := range environ {
		s.flags = append(s.flags, "--env", name+"="+value)
	}
	// Checkouts come from the origin, where act would copy the clone instead.
	s.flags = append(s.flags, "--no-skip-checkout", "--env", "CALLER="+s.origin, "--secret", "GITHUB_TOKEN=token",
		"--secret", "RELEASE_KEY="+releaseKey)

	// What CI does is another test's; here it passes.
	s.change("main", ".github/workflows/ci.yml",
		"on: workflow_call\njobs:\n  pass:\n    runs-on: ubuntu-latest\n    steps: [{run: \"true\"}]\n")
	return record, host
}

// startRegistry starts Debian's docker-registry where it is installed, or go-containerregistry's.
func startRegistry(t *testing.T) string {
	t.Helper()
	if host, installed := registrytest.Docker(t); installed {
		return host
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// refs returns the origin's branches and tags with their commits.
func (s *site) refs() map[string]string {
	s.t.Helper()
	refs := map[string]string{}
	for line := range strings.Lines(s.git("ls-remote", s.origin, "refs/heads/*", "refs/tags/*")) {
		commit, ref, _ := strings.Cut(strings.TrimSpace(line), "\t")
		refs[ref] = commit
	}
	return refs
}

// A release, from the form to the tags. GitHub's registry is a local one; what attests, signs and lists the contents notes down
// what it is given; tf-apply's image is built for this machine alone.
func TestRelease(t *testing.T) {
	s := newToolkit(t)
	if err := withTerraform(); err != nil { // the same build finds its layers
		t.Fatal(err)
	}
	record, host := s.releases()
	for _, tag := range []string{"v2.0.0", "v2"} { // the release before
		s.git("tag", tag, "HEAD~1")
	}
	s.git("branch", "feature")
	s.publish()
	before := s.refs()

	t.Run("refuses", func(t *testing.T) {
		for _, c := range []struct{ branch, version, says string }{
			{"main", "2.0.1", "No version"}, {"main", "v2.01.0", "No version"}, {"main", "v3.0.0", "No version"},
			{"main", "v2.0.1-rc1", "No version"},
			{"feature", "v2.0.1", "Not main"}, {"main", "v2.0.0", "It exists"},
		} {
			r := s.act("workflow_dispatch", c.branch, releaseWorkflow, "version="+c.version)
			if !r.failed || !strings.Contains(r.log, c.says) || r.steps["Build twice and compare"] != "" {
				t.Errorf("%s from %s: failed %v, want %q", c.version, c.branch, r.failed, c.says)
			}
		}
		with := s.flags
		defer func() { s.flags = with }()
		s.flags = slices.DeleteFunc(slices.Clone(with), func(flag string) bool { return strings.HasPrefix(flag, "RELEASE_KEY=") })
		s.flags = s.flags[:len(s.flags)-1] // its --secret
		if r := s.act("workflow_dispatch", "main", releaseWorkflow, "version=v2.0.1"); !r.failed || !strings.Contains(r.log, "No key") {
			t.Errorf("without a key: failed %v", r.failed)
		}
		if diff := cmp.Diff(before, s.refs()); diff != "" {
			t.Errorf("what was refused changed the origin:\n%s", diff)
		}
	})

	r := s.act("workflow_dispatch", "main", releaseWorkflow, "version=v2.0.1")
	if r.failed {
		t.Fatal("the release failed")
	}
	after := s.refs()
	release := after["refs/tags/v2.0.1"]
	want := map[string]string{"refs/tags/v2.0.1": release, "refs/tags/v2": release, "refs/tags/v2.0.0": before["refs/tags/v2.0.0"],
		"refs/heads/main": before["refs/heads/main"], "refs/heads/feature": before["refs/heads/feature"]}
	if diff := cmp.Diff(want, after); diff != "" || release == "" || release == before["refs/heads/main"] {
		t.Errorf("the origin's branches and tags (-want +got):\n%s", diff)
	}
	s.git("fetch", "-q", "--force", s.origin, "+refs/tags/*:refs/tags/*")
	if parent := s.git("rev-parse", "v2.0.1~2"); parent != before["refs/heads/main"] {
		t.Errorf("the release stands on %s, not on main", parent)
	}

	image, terraform := held(t, host+"/org/connect2:v2.0.1"), held(t, host+"/org/connect2-terraform:v2.0.1")
	t.Run("pins", func(t *testing.T) { s.pinned(t, image, terraform) })
	t.Run("attests", func(t *testing.T) { attested(t, record, image, terraform) })
	t.Run("publishes", func(t *testing.T) { published(t, record, before["refs/tags/v2"]) })
	t.Run("works", func(t *testing.T) { s.usable(t, image) })
	t.Run("once", func(t *testing.T) {
		r := s.act("workflow_dispatch", "main", releaseWorkflow, "version=v2.0.1")
		if diff := cmp.Diff(after, s.refs()); !r.failed || !strings.Contains(r.log, "It exists") || diff != "" {
			t.Errorf("the same version again: failed %v\n%s", r.failed, diff)
		}
	})
}

// held returns NAME@DIGEST of what the registry has under a tag, once all of it is there.
func held(t *testing.T, tag string) string {
	t.Helper()
	ref, err := name.ParseReference(tag)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Get(ref)
	if err != nil {
		t.Fatal(err)
	}
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
	return ref.Context().Name() + "@" + found.Digest.String()
}

// pinned: every action of the release names its image by digest, every workflow the actions by the release, and nothing else
// differs from main.
func (s *site) pinned(t *testing.T, image, terraform string) {
	changed := strings.Fields(s.git("diff", "--name-only", "main", "v2.0.1"))
	commit := s.git("rev-parse", "v2.0.1^")
	for _, path := range strings.Fields(s.git("ls-tree", "-r", "--name-only", "v2.0.1")) {
		action := filepath.Base(path) == "action.yml" && !strings.Contains(path, "testdata")
		workflow := strings.HasPrefix(path, ".github/workflows/")
		if path == "actions/setup/release" || path == "terraform/modules/secret-rotation/release" {
			continue // new, and read below
		}
		if !action && !workflow {
			if slices.Contains(changed, path) {
				t.Errorf("%s differs from main", path)
			}
			continue
		}
		text := s.git("show", "v2.0.1:"+path)
		want := image
		if strings.HasPrefix(path, "actions/tf-apply/") {
			want = terraform
		}
		if action && !strings.HasPrefix(path, "actions/setup/") && !strings.Contains(text, "\n  image: docker://"+want+"\n") {
			t.Errorf("%s does not name %s", path, want)
		}
		for _, m := range usesLine.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "org/connect2/") && !strings.HasSuffix(m[1], "@"+commit) {
				t.Errorf("%s uses %s", path, m[1])
			}
		}
	}
	if setup := s.git("show", "v2.0.1:actions/setup/release"); !strings.HasPrefix(setup, "repository org/connect2\nversion v2.0.1\n") ||
		strings.Count(setup, "\n") < 5 {
		t.Errorf("actions/setup knows its release as %q", setup)
	}
	if len(changed) < 8 {
		t.Errorf("%d files differ from main: %q", len(changed), changed)
	}
}

// attested: each image has its provenance and its contents attested, and is signed, by the digest that the registry holds.
func attested(t *testing.T, record, image, terraform string) {
	text, err := os.ReadFile(filepath.Join(record, "uses"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		var use struct {
			Uses string
			With map[string]any
		}
		if err := json.Unmarshal([]byte(line), &use); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch with := use.With; use.Uses {
		case "actions/attest-build-provenance":
			told[use.Uses] = append(told[use.Uses], fmt.Sprint(with["subject-name"], "@", with["subject-digest"], " ", with["subject-checksums"],
				" ", with["push-to-registry"]))
		case "actions/attest":
			told[use.Uses] = append(told[use.Uses], fmt.Sprint(with["subject-name"], "@", with["subject-digest"], " ", with["sbom-path"], " ",
				with["push-to-registry"]))
		case "anchore/sbom-action":
			told[use.Uses] = append(told[use.Uses], fmt.Sprint(with["image"], " ", with["output-file"], " ", with["format"]))
		case "docker/login-action":
			told[use.Uses] = append(told[use.Uses], fmt.Sprint(with["registry"], " ", with["password"]))
		}
	}
	want := map[string][]string{
		"actions/attest-build-provenance": {image + "  true", terraform + "  true", "@ dist/SHA256SUMS "},
		"actions/attest":                  {image + " dist/connect2.spdx.json true", terraform + " dist/connect2-terraform.spdx.json true"},
		"anchore/sbom-action": {image + " dist/connect2.spdx.json spdx-json",
			terraform + " dist/connect2-terraform.spdx.json spdx-json"},
		"docker/login-action": {"ghcr.io token"},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("what the actions were given (-want +got):\n%s", diff)
	}
	if calls := calls(t, record); !slices.Contains(calls, "cosign sign --yes --recursive "+image+" "+terraform) {
		t.Errorf("nothing signed both images: %q", calls)
	}
}

func calls(t *testing.T, record string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(record, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// published: what is attached is whole, and v2 moved after it was there.
func published(t *testing.T, record, last string) {
	told := calls(t, record)
	var order []string
	for _, call := range told {
		order = append(order, strings.Join(strings.Fields(call)[:min(2, len(strings.Fields(call)))], " "))
	}
	if want := []string{"cosign sign", "gh api", "ssh", "gh release", "gh release", "ssh"}; !slices.Equal(order, want) {
		t.Errorf("it called %q, want %q", order, want)
	}
	if create := told[len(told)-2]; !strings.HasPrefix(create, "gh release create v2.0.1 --verify-tag ") {
		t.Errorf("the release was made by %q", create)
	}
	if meanwhile, err := os.ReadFile(filepath.Join(record, "v2-meanwhile")); err != nil || !strings.HasPrefix(string(meanwhile), last) {
		t.Errorf("while the release was made, v2 was %q, %v, not the release before", meanwhile, err)
	}
	assets := filepath.Join(record, "assets")
	entries, err := os.ReadDir(assets)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	want := []string{"SHA256SUMS", "connect2-terraform.spdx.json", "connect2.spdx.json",
		"connect2_darwin_amd64", "connect2_darwin_arm64", "connect2_linux_amd64", "connect2_linux_arm64", "rotate-credentials.zip"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("what is attached (-want +got):\n%s", diff)
	}
	if err := command(assets, "sha256sum", "--check", "--strict", "SHA256SUMS"); err != nil {
		t.Error(err)
	}
	sums, err := os.ReadFile(filepath.Join(assets, "SHA256SUMS"))
	if err != nil || strings.Count(string(sums), "\n") != 5 {
		t.Errorf("checksums: %v\n%s", err, sums)
	}
}

// usable: a service's repository releases by the release's workflows and actions, whose image comes from the registry.
func (s *site) usable(t *testing.T, image string) {
	dir := filepath.Join(t.TempDir(), "v2.0.1")
	s.git("worktree", "add", "--quiet", dir, "v2.0.1")
	user := newSite(t, "dev", "")
	released := *user.kit
	released.released = dir
	user.kit, user.flags = &released, []string{"--local-repository", "org/connect2@v2.0.1=" + dir,
		"--local-repository", "org/connect2@" + s.git("rev-parse", "v2.0.1^") + "=" + dir}
	t.Cleanup(func() { exec.Command("docker", "image", "rm", image).Run() })
	r := user.act("push", "development", deployWorkflow)
	r.expect(t, map[string]string{"deploy.outcome": "succeeded", "deploy.changed": "true"})
	if _, running := user.service(); r.failed || !strings.HasSuffix(running, "@"+r.outputs["push.digest"]) {
		t.Errorf("failed: %v, it runs %s", r.failed, running)
	}
	if err := command(dir, "docker", "image", "inspect", image); err != nil {
		t.Errorf("the released image was not what ran: %v", err)
	}
}
