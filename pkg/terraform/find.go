package terraform

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
)

// Engine is which program it is.
type Engine string

// The engines. OpenTofu is used where it is installed; it is never downloaded.
const (
	HashiCorp Engine = "terraform"
	OpenTofu  Engine = "tofu"
)

// String returns the program's name, as it is typed.
func (e Engine) String() string { return cmp.Or(string(e), string(HashiCorp)) }

// Finder finds the executable.
type Finder struct {
	Engine  Engine
	Version string // what was asked for: a version or a constraint; "" looks at the configuration
	Dir     string // the configuration
	Root    string // of the repository: .terraform-version, or .opentofu-version, is looked for up to here
	Path    string // PATH, and folders of installed versions before it
	Cache   string // where versions are installed: CACHE/VERSION/terraform
	Events  record.Sink
	// Install puts a version into a folder and returns the executable; nil: hc-install does.
	Install func(ctx context.Context, wanted version.Constraints, exact *version.Version, dir string) (string, error)
	// Told are versions that executables said before; nil: each is asked each time.
	Told *Versions
}

// Versions remembers what executables said of their version, each for as long as its file stays as it is: to be asked, the program is
// started. The zero value remembers nothing yet. It may be used by several goroutines at once.
type Versions struct {
	mu   sync.Mutex
	told map[file]string
}

// file is an executable as it was when it was asked.
type file struct {
	path    string
	size    int64
	mode    fs.FileMode
	changed time.Time
}

// of returns the version that an executable says, which it is asked for unless it has said so before.
func (v *Versions) of(ctx context.Context, path string, info fs.FileInfo) (Executable, bool) {
	if v == nil {
		return ask(ctx, path)
	}
	key := file{path, info.Size(), info.Mode(), info.ModTime()}
	v.mu.Lock()
	said, ok := v.told[key]
	v.mu.Unlock()
	if ok {
		return Executable{path, said}, true
	}
	e, ok := ask(ctx, path)
	if ok { // what failed may pass the next time
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.told == nil {
			v.told = map[file]string{}
		}
		v.told[key] = e.Version
	}
	return e, ok
}

// releaseSite is where versions are installed from, and whose signature counts; the zero value is releases.hashicorp.com.
type releaseSite struct {
	url    string
	key    string // armoured
	client *http.Client
}

// Executable is a Terraform that was found.
type Executable struct {
	Path    string
	Version string
}

var requiredVersion = lazyregexp.New(`(?m)^\s*required_version\s*=\s*"([^"]+)"`)

// wanted returns the constraint and where it is from: the input, the version file, required_version; "" wants nothing.
func (f Finder) wanted() (text, from string, err error) {
	if f.Version != "" {
		return f.Version, "the input terraform-version", nil
	}
	if text, file := f.pinned(); text != "" {
		return text, file, nil
	}
	var files []string
	for _, pattern := range f.sources() {
		found, err := filepath.Glob(filepath.Join(f.Dir, pattern))
		if err != nil {
			return "", "", err
		}
		files = append(files, found...)
	}
	var all []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", "", err
		}
		for _, found := range requiredVersion.FindAllStringSubmatch(string(b), -1) {
			all, from = append(all, found[1]), file
		}
	}
	return strings.Join(all, ", "), from, nil
}

// pinned reads the version file that version managers read as well: that of the nearest folder up to the root.
func (f Finder) pinned() (text, file string) {
	for dir := f.Dir; ; dir = filepath.Dir(dir) {
		file = filepath.Join(dir, f.versionFile())
		if b, err := os.ReadFile(file); err == nil {
			if text = strings.TrimSpace(string(b)); strings.HasPrefix(text, "latest") {
				text = ""
			}
			return text, file
		}
		if dir == f.Root || dir == filepath.Dir(dir) {
			return "", ""
		}
	}
}

func (f Finder) versionFile() string {
	if f.Engine == OpenTofu {
		return ".opentofu-version" // .terraform-version counts another product's versions
	}
	return ".terraform-version"
}

// sources are the files that a configuration is written in; a .tofu file takes the place of the .tf file of the same name.
func (f Finder) sources() []string {
	if f.Engine == OpenTofu {
		return []string{"*.tofu", "*.tf"}
	}
	return []string{"*.tf"}
}

// Find returns the newest installed executable that will do. Where none does, the version is installed with hc-install, which
// verifies HashiCorp's signature.
func (f Finder) Find(ctx context.Context) (Executable, error) {
	text, from, err := f.wanted()
	if err != nil {
		return Executable{}, err
	}
	var constraint version.Constraints
	var exact *version.Version
	if text != "" {
		if constraint, err = version.NewConstraint(text); err != nil {
			return Executable{}, fmt.Errorf("%q from %s is neither a version nor a constraint: %w", text, from, err)
		}
		exact, _ = version.NewVersion(strings.TrimSpace(strings.TrimPrefix(text, "=")))
	}
	installed := f.installed(ctx)
	var best Executable
	var newest *version.Version
	for _, e := range installed {
		v, err := version.NewVersion(e.Version)
		if err != nil || constraint != nil && !constraint.Check(v.Core()) || newest != nil && !v.GreaterThan(newest) {
			continue
		}
		best, newest = e, v
	}
	if best.Path != "" {
		f.Events.Notef("%s %s (%s)", f.Engine, best.Version, best.Path)
		return best, nil
	}
	have := "none is installed"
	if len(installed) > 0 {
		var versions []string
		for _, e := range installed {
			versions = append(versions, e.Version)
		}
		have = "installed: " + strings.Join(versions, ", ")
	}
	asked := "no version is asked for"
	if text != "" {
		asked = fmt.Sprintf("%s asks for %q", from, text)
	}
	if f.Engine == OpenTofu {
		return Executable{}, fmt.Errorf("tofu: %s, %s: install it in an earlier step, such as opentofu/setup-opentofu", asked, have)
	}
	f.Events.Notef("installing Terraform: %s, %s", asked, have)
	install := f.Install
	if install == nil {
		install = releaseSite{}.download
	}
	path, err := install(ctx, constraint, exact, f.Cache)
	if err != nil {
		return Executable{}, fmt.Errorf("terraform: %s, %s, and it could not be installed from releases.hashicorp.com: %w; ask for a version "+
			"that is installed, or let this machine reach that host", asked, have, err)
	}
	found, ok := ask(ctx, path)
	if !ok {
		return Executable{}, fmt.Errorf("%s was installed and does not tell its version", path)
	}
	f.Events.Notef("terraform %s was installed and its signature verified", found.Version)
	return found, nil
}

// installed asks every executable there is for its version, in the order of the path. One that several names lead to is asked once: in
// an image where /bin is /usr/bin, each answer would take as long as all else that tf-apply does beside Terraform.
func (f Finder) installed(ctx context.Context) []Executable {
	var found []Executable
	folders := filepath.SplitList(f.Path)
	if f.Cache != "" {
		cached, _ := filepath.Glob(filepath.Join(f.Cache, "*"))
		folders = append(folders, cached...)
	}
	seen := map[string]bool{}
	for _, folder := range folders {
		path, err := filepath.Abs(filepath.Join(folder, string(f.Engine)))
		if err != nil {
			continue
		}
		target, err := filepath.EvalSymlinks(path)
		if err != nil || seen[target] {
			continue
		}
		seen[target] = true
		info, err := os.Stat(path)
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			continue
		}
		if e, ok := f.Told.of(ctx, path, info); ok {
			found = append(found, e)
		}
	}
	return found
}

func ask(ctx context.Context, path string) (Executable, bool) {
	cmd := exec.CommandContext(ctx, path, "version", "-json")
	cmd.Dir = os.TempDir() // a configuration's own required_version must not speak here
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	out, err := cmd.Output()
	var answer struct {
		Version string `json:"terraform_version"`
	}
	if err != nil || json.Unmarshal(out, &answer) != nil || answer.Version == "" {
		return Executable{}, false
	}
	return Executable{path, answer.Version}, true
}

// download installs a version into CACHE/VERSION. It is unpacked in a folder of its own: hc-install 0.10 loses the error of a wrong
// checksum, and in a folder that holds an earlier version it would hand that one out as the one that was asked for.
func (site releaseSite) download(ctx context.Context, wanted version.Constraints, exact *version.Version, cache string) (string, error) {
	if cache == "" {
		return "", errors.New("there is no folder to install it into")
	}
	parts := filepath.Join(cache, ".parts") // deeper than where installed versions are looked for
	if err := os.MkdirAll(parts, 0o755); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(parts, "")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(part) }() // what is left there is never used
	path, err := site.unpack(ctx, wanted, exact, part)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the archive was refused: its checksum is not the signed one, or there is no terraform in it (%w)", err)
	}
	if err != nil {
		return "", err
	}
	unpacked, ok := ask(ctx, path)
	if !ok {
		return "", errors.New("what was downloaded does not tell its version: it cannot run here, or the disk is full")
	}
	final := filepath.Join(cache, unpacked.Version, "terraform")
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return "", err
	}
	return final, os.Rename(path, final)
}

func (site releaseSite) unpack(ctx context.Context, wanted version.Constraints, exact *version.Version, dir string) (string, error) {
	if exact != nil {
		return (&releases.ExactVersion{
			Product: product.Terraform, Version: exact, InstallDir: dir, ApiBaseURL: site.url, ArmoredPublicKey: site.key, HTTPClient: site.client,
		}).Install(ctx)
	}
	return (&releases.LatestVersion{
		Product: product.Terraform, Constraints: wanted, InstallDir: dir, ApiBaseURL: site.url, ArmoredPublicKey: site.key,
		HTTPClient: site.client,
	}).Install(ctx)
}
