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
		t.Skip("links three programs twice; that they are the same is no matter of races")
	}
	targets := []target{{"action", "linux", "amd64"}, {"connect2", runtime.GOOS, runtime.GOARCH}, {"tf-apply", "linux", "amd64"}}
	whole := os.Getenv("CONNECT2_E2E") != ""
	if whole {
		targets = released
	}
	dir := t.TempDir()
	authorities := filepath.Join(dir, "authorities.crt")
	write(t, authorities, "certificates\n")
	elsewhere := filepath.Join(dir, "elsewhere")
	sources(t, elsewhere)

	var platforms []string
	attached := 0
	for _, target := range targets {
		if target.program == "action" {
			platforms = append(platforms, target.system+"/"+target.architecture)
		}
		if target.attached() {
			attached++
		}
	}
	if whole {
		attached++ // the rotation function's zip
	}
	var results []map[string]string
	for i, from := range []string{root, elsewhere} {
		out := filepath.Join(dir, fmt.Sprint("out", i))
		b := build{root: from, out: out, version: "v2.3.4", revision: "abc", authorities: authorities,
			created: time.Unix(1_700_000_000, 0), targets: targets, rotation: whole}
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
	if said, err := check.CombinedOutput(); err != nil || strings.Count(string(sums), "\n") != attached {
		t.Errorf("checksums of what is downloaded: %v\n%s\n%s", err, sums, said)
	}
	t.Run("image", func(t *testing.T) { checkImage(t, filepath.Join(out, "image"), platforms) })
	t.Run("version", func(t *testing.T) {
		ran := 0
		for _, target := range targets {
			if target.system != runtime.GOOS || target.architecture != runtime.GOARCH {
				continue
			}
			ran++
			said, err := exec.Command(filepath.Join(out, target.file()), "--version").CombinedOutput()
			if want := target.program + " v2.3.4\n"; err != nil || string(said) != want {
				t.Errorf("%s: %q, %v, want %q", target.file(), said, err, want)
			}
		}
		if ran == 0 {
			t.Error("nothing was built for this machine")
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

// sums is a SHA256SUMS of everything that is attached.
func sums() string {
	var b strings.Builder
	for _, t := range released {
		if t.attached() {
			fmt.Fprintf(&b, "%s  %s\n", strings.Repeat("a", 64), t.file())
		}
	}
	return b.String() + strings.Repeat("b", 64) + "  " + rotationZip + "\n"
}

// TestPinOnAClone does on a throw-away clone what the release does on its commits.
func TestPinOnAClone(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "clone")
	sources(t, clone)
	before := contents(t, clone)
	p := pin{root: clone, version: "v2.3.4", repository: "org/connect2", sums: sums(),
		images: map[string]string{"Dockerfile": scratchImage, "Dockerfile.terraform": terraformImage}}
	changed, err := p.write()
	if err != nil {
		t.Fatal(err)
	}
	between := contents(t, clone)
	checkChanged(t, clone, before, between, changed)
	actions := 0
	for path, text := range between {
		if path != "action.yml" && !regexp.MustCompile(`^actions/[^/]+/action\.yml$`).MatchString(path) {
			continue
		}
		switch actions++; {
		case path == "actions/setup/action.yml":
			if text != before[path] {
				t.Errorf("%s runs no container, and was changed", path)
			}
		case strings.Count(text, "image: docker://ghcr.io/org/connect2") != 1, strings.Contains(text, "Dockerfile"):
			t.Errorf("%s is not pinned:\n%s", path, text)
		}
	}
	if actions != 8 || len(changed) != 9 {
		t.Errorf("%d actions; changed %q", actions, changed)
	}
	if want := "repository org/connect2\nversion v2.3.4\n" + sums(); between[setupRelease] != want {
		t.Errorf("actions/setup knows of its release %q, want %q", between[setupRelease], want)
	} else if between[rotationRelease] != want {
		t.Errorf("the module secret-rotation knows of its release %q, want %q", between[rotationRelease], want)
	}

	commit := strings.Repeat("c", 40)
	changed, err = pinWorkflows(clone, "v2.3.4", commit)
	if err != nil {
		t.Fatal(err)
	}
	after := contents(t, clone)
	checkChanged(t, clone, between, after, changed)
	for path, text := range after {
		if strings.HasPrefix(path, ".github/workflows/") && regexp.MustCompile(`org/connect2\S*@v2\b(?:[^.]|$)`).MatchString(text) {
			t.Errorf("%s still uses what moves", path)
		}
	}
	deploy := after[".github/workflows/service-deploy.yml"]
	if n := strings.Count(deploy, "uses: org/connect2/actions/ecr-push@"+commit+" # v2.3.4\n"); n != 3 {
		t.Errorf("service-deploy.yml uses the released ecr-push %d times, want 3", n)
	}
	if !strings.Contains(deploy, "#       uses: org/connect2/.github/workflows/service-deploy.yml@v2.3.4\n") {
		t.Error("service-deploy.yml tells its callers of something else than the release")
	}
	p.version = "v2.3.5"
	if _, err := p.write(); err == nil {
		t.Error("a release commit could be pinned again: it would keep the first release's image in part")
	}
}

// checkChanged holds that what is listed as changed is what has changed.
func checkChanged(t *testing.T, clone string, before, after map[string]string, changed []string) {
	t.Helper()
	for path, text := range after {
		touched := slices.Contains(changed, filepath.Join(clone, path))
		if touched != (text != before[path]) {
			t.Errorf("%s: listed as changed is %v, and it is not so", path, touched)
		}
	}
}

func TestPinWorkflow(t *testing.T) {
	commit := strings.Repeat("c", 40)
	for name, c := range map[string]struct{ text, want, problem string }{
		"action":   {"      - uses: org/connect2/actions/x@v2\n", "      - uses: org/connect2/actions/x@" + commit + " # v2.3.4\n", ""},
		"root":     {"        uses: org/connect2@v2\n", "        uses: org/connect2@" + commit + " # v2.3.4\n", ""},
		"comment":  {"#   uses: org/connect2/.github/workflows/a.yml@v2\n", "#   uses: org/connect2/.github/workflows/a.yml@v2.3.4\n", ""},
		"workflow": {"    uses: org/connect2/.github/workflows/a.yml@v2\n", "", "no release can pin"},
		"local":    {"    uses: ./.github/workflows/a.yml\n", "    uses: ./.github/workflows/a.yml\n", ""},
		"other":    {"    uses: other/connect2/x@v2\n", "    uses: other/connect2/x@v2\n", ""},
		"longer":   {"    uses: org/connect22@v2\n", "    uses: org/connect22@v2\n", ""},
		"pinned":   {"    uses: org/connect2/x@v2.0.0\n", "    uses: org/connect2/x@v2.0.0\n", ""},
	} {
		got, err := pinWorkflow(c.text, "v2.3.4", commit)
		if got != c.want || (c.problem == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, c.want, c.problem)
		}
	}
	for _, commit := range []string{"", "main", "cccc", strings.Repeat("C", 40)} {
		if _, err := pinWorkflows(root, "v2.3.4", commit); err == nil {
			t.Errorf("the commit %q was taken", commit)
		}
	}
}

func TestReleaseOfSetup(t *testing.T) {
	for name, c := range map[string]struct{ repository, sums, problem string }{
		"whole":         {"org/connect2", sums(), ""},
		"repository":    {"connect2", sums(), "is not OWNER/NAME"},
		"a line":        {"org/connect2", sums() + "version v9.9.9\n", "the line"},
		"none":          {"org/connect2", "", "lack connect2_linux_amd64"},
		"one is absent": {"org/connect2", strings.Replace(sums(), "darwin_arm64", "plan9_arm64", 1), "lack connect2_darwin_arm64"},
		"no zip":        {"org/connect2", sums()[:strings.LastIndex(sums(), strings.Repeat("b", 64))], "lack rotate-credentials.zip"},
		"another zip":   {"org/connect2", strings.Replace(sums(), "rotate-", "mutate-", 1), "the line"},
	} {
		_, err := pin{version: "v2.3.4", repository: c.repository, sums: c.sums}.release()
		if (c.problem == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v, want %q", name, err, c.problem)
		}
	}
}

func TestPinAction(t *testing.T) {
	images := map[string]string{"Dockerfile": scratchImage, "Dockerfile.terraform": terraformImage}
	for name, c := range map[string]struct{ text, want, problem string }{
		"root":      {"runs:\n  using: docker\n  image: Dockerfile\n", "runs:\n  using: docker\n  image: docker://" + scratchImage + "\n", ""},
		"below":     {"  image: ../../Dockerfile\n  args: [x]\n", "  image: docker://" + scratchImage + "\n  args: [x]\n", ""},
		"terraform": {"  image: ../../Dockerfile.terraform\n", "  image: docker://" + terraformImage + "\n", ""},
		"no image":  {"runs:\n  using: docker\n", "", "0 lines"},
		"composite": {"runs:\n  using: composite\n", "runs:\n  using: composite\n", ""},
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
		t.Skipf("this is not a checkout of git: %v", err)
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
