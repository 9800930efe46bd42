package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const root = "../../.."

// TestTwoBuildsAreTheSame builds a release of this commit in two places, the second time from a copy of the sources in another
// folder, and compares every byte. The image for one platform and the program for this machine stand for the rest; with
// CONNECT2_E2E=1 all that is released is built.
func TestTwoBuildsAreTheSame(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("links two programs twice; that they are the same is no matter of races")
	}
	targets := []target{{"action", "linux", "amd64"}, {"connect2", runtime.GOOS, runtime.GOARCH}}
	if os.Getenv("CONNECT2_E2E") != "" {
		targets = released
	}
	dir := t.TempDir()
	authorities := filepath.Join(dir, "authorities.crt")
	write(t, authorities, "certificates\n")
	elsewhere := filepath.Join(dir, "elsewhere")
	sources(t, elsewhere)

	var platforms []string
	for _, target := range targets {
		if target.program == "action" {
			platforms = append(platforms, target.system+"/"+target.architecture)
		}
	}
	var results []map[string]string
	for i, from := range []string{root, elsewhere} {
		out := filepath.Join(dir, fmt.Sprint("out", i))
		b := build{root: from, out: out, version: "v2.3.4", revision: "abc", authorities: authorities,
			created: time.Unix(1_700_000_000, 0), targets: targets}
		if err := b.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		results = append(results, contents(t, out))
	}
	if diff := cmp.Diff(results[0], results[1]); diff != "" {
		t.Errorf("two builds of the same sources differ (-one +other):\n%s", diff)
	}

	out := filepath.Join(dir, "out0")
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = out
	if said, err := check.CombinedOutput(); err != nil || strings.Count(string(sums), "\n") != len(targets)-len(platforms) {
		t.Errorf("checksums of what is downloaded: %v\n%s\n%s", err, sums, said)
	}
	t.Run("image", func(t *testing.T) { checkImage(t, filepath.Join(out, "image"), platforms) })
	t.Run("version", func(t *testing.T) {
		said, err := exec.Command(filepath.Join(out, "connect2_"+runtime.GOOS+"_"+runtime.GOARCH), "--version").CombinedOutput()
		if err != nil || string(said) != "connect2 v2.3.4\n" {
			t.Errorf("%q, %v", said, err)
		}
	})
}

// checkImage reads the released image back: valid, for its platforms, within the budget, and what the Dockerfile says.
func checkImage(t *testing.T, path string, want []string) {
	top, err := layout.ImageIndexFromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := top.IndexManifest()
	if err != nil || len(m.Manifests) != 1 {
		t.Fatalf("%+v, %v: want one index", m, err)
	}
	index, err := top.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	m, err = index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range m.Manifests {
		platforms = append(platforms, d.Platform.String())
		img, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkSingle(t, img, d.Platform.String())
	}
	if !slices.Equal(platforms, want) {
		t.Errorf("platforms %v, want %v", platforms, want)
	}
}

func checkSingle(t *testing.T, img v1.Image, platform string) {
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, l := range m.Layers {
		size += l.Size
	}
	// Every job that uses an action waits for its pull.
	if t.Logf("%s: %d bytes of compressed layers", platform, size); size > 7_000_000 {
		t.Errorf("%s: %d bytes of compressed layers, want at most 7,000,000", platform, size)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for archive := tar.NewReader(r); ; {
			h, err := archive.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, fmt.Sprintf("%04o %s", h.Mode, h.Name))
		}
	}
	for _, want := range []string{"0755 action", "0644 etc/ssl/certs/ca-certificates.crt", "1777 tmp/"} {
		if !slices.Contains(files, want) {
			t.Errorf("%s: no %q in %q", platform, want, files)
		}
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Config.Entrypoint, entrypoint) || !slices.Equal(c.Config.Env, environment) || c.Config.User != "" {
		t.Errorf("%s: configuration %+v", platform, c.Config)
	}
}

// TestImageIsTheDockerfiles holds the two ways to the image together: from a branch GitHub builds the Dockerfile, from a
// release it pulls what this program made.
func TestImageIsTheDockerfiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the last stage is not FROM scratch")
	}
	for directive, want := range map[string]string{"ENV": strings.Join(environment, " "), "ENTRYPOINT": fmt.Sprintf("[%q]", entrypoint[0])} {
		m := regexp.MustCompile(`(?m)^` + directive + ` (.*)$`).FindStringSubmatch(last)
		if m == nil || m[1] != want {
			t.Errorf("the Dockerfile has %s %q, the release %q", directive, m, want)
		}
	}
	for _, directive := range []string{"USER", "CMD", "WORKDIR", "VOLUME", "LABEL", "EXPOSE", "HEALTHCHECK"} {
		if regexp.MustCompile(`(?m)^` + directive + ` `).MatchString(last) {
			t.Errorf("the Dockerfile's last stage has %s, the release does not", directive)
		}
	}
}

var (
	scratchImage   = "ghcr.io/org/connect2@sha256:" + strings.Repeat("1", 64)
	terraformImage = "ghcr.io/org/connect2-terraform@sha256:" + strings.Repeat("2", 64)
)

// TestPinOnAClone does on a throw-away clone what the release does on its commit.
func TestPinOnAClone(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "clone")
	sources(t, clone)
	before := contents(t, clone)
	changed, err := pin(clone, "v2.3.4", map[string]string{"Dockerfile": scratchImage, "Dockerfile.terraform": terraformImage})
	if err != nil {
		t.Fatal(err)
	}
	after := contents(t, clone)
	for path, text := range after {
		name, err := filepath.Rel(clone, filepath.Join(clone, path))
		if err != nil {
			t.Fatal(err)
		}
		touched := slices.Contains(changed, filepath.Join(clone, name))
		if touched != (text != before[path]) {
			t.Errorf("%s: listed as changed is %v, and it is not so", path, touched)
		}
		action := path == "action.yml" || regexp.MustCompile(`^actions/[^/]+/action\.yml$`).MatchString(path)
		switch {
		case action && strings.Count(text, "image: docker://ghcr.io/org/connect2") != 1, action && strings.Contains(text, "Dockerfile"):
			t.Errorf("%s is not pinned:\n%s", path, text)
		case strings.HasPrefix(path, ".github/workflows/") && regexp.MustCompile(`(?m)^\s*(- )?uses: org/connect2/\S+@v2$`).MatchString(text):
			t.Errorf("%s still uses what moves", path)
		}
	}
	deploy := after[".github/workflows/service-deploy.yml"]
	if n := strings.Count(deploy, "uses: org/connect2/actions/ecr-push@v2.3.4\n"); n != 3 {
		t.Errorf("service-deploy.yml uses the released ecr-push %d times, want 3", n)
	}
	if _, err := pin(clone, "v2.3.5", map[string]string{"Dockerfile": scratchImage, "Dockerfile.terraform": terraformImage}); err == nil {
		t.Error("a release commit could be pinned again: it would keep the first release's image in part")
	}
}

func TestPinAction(t *testing.T) {
	images := map[string]string{"Dockerfile": scratchImage, "Dockerfile.terraform": terraformImage}
	for name, c := range map[string]struct{ text, want, problem string }{
		"root":      {"runs:\n  using: docker\n  image: Dockerfile\n", "runs:\n  using: docker\n  image: docker://" + scratchImage + "\n", ""},
		"below":     {"  image: ../../Dockerfile\n  args: [x]\n", "  image: docker://" + scratchImage + "\n  args: [x]\n", ""},
		"terraform": {"  image: ../../Dockerfile.terraform\n", "  image: docker://" + terraformImage + "\n", ""},
		"no image":  {"runs:\n  using: composite\n", "", "0 lines"},
		"two":       {"  image: Dockerfile\n  image: Dockerfile\n", "", "2 lines"},
		"pinned":    {"  image: docker://" + scratchImage + "\n", "", "already"},
		"unknown":   {"  image: ../../Dockerfile.other\n", "", "Dockerfile.other"},
		"input image": {"inputs:\n    image: Dockerfile\n  image: Dockerfile\n", "inputs:\n    image: Dockerfile\n  image: docker://" +
			scratchImage + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pinAction(c.text, images)
			if got != c.want || (c.problem == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%q, %v; want %q, %q", got, err, c.want, c.problem)
			}
		})
	}
	for _, image := range []string{"", "ghcr.io/org/connect2:v2", "ghcr.io/org/connect2@sha256:12",
		"connect2@sha256:" + strings.Repeat("1", 64)} {
		if _, err := pinAction("  image: Dockerfile\n", map[string]string{"Dockerfile": image}); err == nil {
			t.Errorf("image %q was taken", image)
		}
	}
}

func TestVersions(t *testing.T) {
	for version, ok := range map[string]bool{
		"v2.0.0": true, "v2.10.3": true, "2.0.0": false, "v1.0.0": false, "v3.0.0": false, "v2.0": false, "v2": false, "v2.01.0": false,
		"v2.0.0-rc1": false, "": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
	if at, err := sourceDate("1700000000"); err != nil || at.Unix() != 1_700_000_000 {
		t.Errorf("%v, %v", at, err)
	}
	if _, err := sourceDate("yesterday"); err == nil {
		t.Error("a date that is none was taken")
	}
}

// sources copies what git has of this repository, as it is in the working folder.
func sources(t *testing.T, to string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Skipf("this is no checkout of git: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		from := filepath.Join(root, name)
		info, err := os.Lstat(from)
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted in the working folder, or a link
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, string(text))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// contents reads a folder: texts as they are, large files by their checksum.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if len(text) > 1<<20 {
			sum, err := sumOf(path)
			files[name] = sum
			return err
		}
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
