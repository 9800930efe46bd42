package workflowtest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// releases stands in for GitHub: the files of one release for everybody, or for a token alone and from another host, as GitHub
// answers for repositories that are not public.
type releases struct {
	t       *testing.T
	private bool
	names   []string // of the files; all have the same content
	content []byte
	storage *httptest.Server // where the API sends people for a file
	asked   []string
	failing int // how many requests fail before one does not

	// served is held while a request is answered. run takes it before and after, so that the test may look at the rest between runs.
	served sync.Mutex
}

// seen waits until no request is being answered.
func (r *releases) seen() {
	r.served.Lock()
	defer r.served.Unlock()
}

const setupToken = "setup-secret-token"

func (r *releases) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.served.Lock()
	defer r.served.Unlock()
	r.asked = append(r.asked, q.URL.Path)
	if r.failing > 0 {
		r.failing--
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	file, direct := strings.CutPrefix(q.URL.Path, "/org/kit/releases/download/v2.3.4/")
	authorized := q.Header.Get("Authorization") == "Bearer "+setupToken
	switch {
	case direct && !r.private && slices.Contains(r.names, file):
		_, _ = w.Write(r.content)
	case q.URL.Path == "/api/v3/repos/org/kit/releases/tags/v2.3.4" && authorized:
		base := "http://" + q.Host + "/api/v3/repos/org/kit/releases"
		var assets []string
		for i, name := range r.names {
			assets = append(assets, fmt.Sprintf(`{"url":"%s/assets/%d","id":%d,"node_id":"x","name":"%s","label":"","uploader":`+
				`{"login":"bot","id":1,"url":"https://api.github.com/users/bot"},"content_type":"application/octet-stream","size":3,`+
				`"browser_download_url":"https://github.com/org/kit/releases/download/v2.3.4/%s"}`, base, 40+i, 40+i, name, name))
		}
		fmt.Fprintf(w, `{"url":"%s/7","assets_url":"%s/7/assets","id":7,"name":"connect2_linux_amd64",`+
			`"author":{"url":"https://api.github.com/u"},"assets": [%s],"body":"notes: {\"url\": \"%s/assets/99\", \"name\": \"connect2_linux_amd64\"}, \"name\": \"x\""}`,
			base, base, strings.Join(assets, ","), base)
	case strings.HasPrefix(q.URL.Path, "/api/v3/repos/org/kit/releases/assets/") && authorized &&
		q.Header.Get("Accept") == "application/octet-stream":
		http.Redirect(w, q, r.storage.URL+"/"+filepath.Base(q.URL.Path), http.StatusFound)
	default:
		http.NotFound(w, q)
	}
}

// binary is a connect2 that says its version, as a script.
func binary(version string) []byte {
	return fmt.Appendf(nil, "#!/bin/sh\n[ \"$1\" = --version ] && echo connect2 %s\n", version)
}

type setupWorld struct {
	t                 *testing.T
	dir, action       string
	server, storage   *httptest.Server
	releases          *releases
	environ           map[string]string
	storageSawSecrets bool
	output, path      string
}

// newSetup has the action's folder as a release's commit has it, and a runner.
func newSetup(t *testing.T, content []byte) *setupWorld {
	t.Helper()
	w := &setupWorld{t: t, dir: t.TempDir()}
	w.storage = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		w.releases.served.Lock()
		defer w.releases.served.Unlock()
		w.storageSawSecrets = w.storageSawSecrets || q.Header.Get("Authorization") != ""
		if q.URL.Path == "/99" {
			http.NotFound(rw, q)
			return
		}
		_, _ = rw.Write(w.releases.content)
	}))
	t.Cleanup(w.storage.Close)
	w.releases = &releases{t: t, content: content, storage: w.storage,
		names: []string{"SHA256SUMS", "connect2_darwin_amd64", "connect2_darwin_arm64", "connect2_linux_amd64", "connect2_linux_arm64"}}
	w.server = httptest.NewServer(w.releases)
	t.Cleanup(w.server.Close)

	w.action = filepath.Join(w.dir, "kit", "actions", "setup")
	for _, folder := range []string{w.action, filepath.Join(w.dir, "temp"), filepath.Join(w.dir, "tools")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile(filepath.Join(root, "actions/setup/setup.sh"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(filepath.Join(w.action, "setup.sh"), string(script))
	release := "repository org/kit\nversion v2.3.4\n"
	for _, name := range w.releases.names[1:] {
		release += fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name)
	}
	w.write(filepath.Join(w.action, "release"), release)
	w.environ = map[string]string{"PATH": os.Getenv("PATH"), "GITHUB_PATH": filepath.Join(w.dir, "path"),
		"GITHUB_OUTPUT": filepath.Join(w.dir, "output"), "RUNNER_TEMP": filepath.Join(w.dir, "temp"),
		"RUNNER_TOOL_CACHE": filepath.Join(w.dir, "tools"), "GITHUB_SERVER_URL": w.server.URL, "no_proxy": "*"}
	return w
}

func (w *setupWorld) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// run runs the action's script by sh -e, as the runner does, and returns what it said.
func (w *setupWorld) run() (said string, ok bool) {
	w.t.Helper()
	cmd := exec.Command("sh", "-e", "-c", `sh "$GITHUB_ACTION_PATH/setup.sh"`)
	cmd.Env = []string{"GITHUB_ACTION_PATH=" + w.action}
	for name, value := range w.environ {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	w.releases.seen() // what the test has changed is seen by what serves from here on
	err := cmd.Run()
	w.releases.seen() // and what that has noted is seen by the test
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(w.dir, name))
		return string(text)
	}
	w.path, w.output = strings.TrimSpace(read("path")), read("output")
	if strings.Contains(both.String(), setupToken) {
		w.t.Errorf("the token was printed:\n%s", both.String())
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*/connect2/*/*/.connect2.*")); len(left) > 0 {
		w.t.Errorf("it left %q", left)
	}
	return both.String(), err == nil
}

// installed holds that the binary is on the PATH, and nothing is where it failed.
func (w *setupWorld) installed(t *testing.T) {
	t.Helper()
	out, err := exec.Command(filepath.Join(w.path, "connect2"), "--version").Output()
	if err != nil || string(out) != "connect2 v2.3.4\n" || w.output != "version=v2.3.4\npath="+w.path+"\n" {
		t.Errorf("on the PATH is %q: %q, %v; outputs %q", w.path, out, err, w.output)
	}
}

func requireCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
}

func TestSetupFromAPublicRelease(t *testing.T) {
	requireCurl(t)
	w := newSetup(t, binary("v2.3.4"))
	if said, ok := w.run(); !ok {
		t.Fatal(said)
	}
	w.installed(t)
	if want := filepath.Join(w.dir, "tools", "connect2", "2.3.4", runtime.GOARCH); w.path != want || len(w.releases.asked) != 1 {
		t.Errorf("it is in %s, want %s, after %q", w.path, want, w.releases.asked)
	}

	// The next job finds it, and checks it.
	if said, ok := w.run(); !ok || len(w.releases.asked) != 1 || !strings.Contains(said, "is in the tool cache") {
		t.Errorf("again, after %q: %s", w.releases.asked, said)
	}
	w.write(filepath.Join(w.dir, "tools", "connect2", "2.3.4", runtime.GOARCH, "connect2"), "#!/bin/sh\necho evil\n")
	if said, ok := w.run(); !ok || len(w.releases.asked) != 2 || strings.Contains(said, "evil") {
		t.Errorf("over a changed binary, after %q: %s", w.releases.asked, said)
	}
	out, err := exec.Command(filepath.Join(w.dir, "tools", "connect2", "2.3.4", runtime.GOARCH, "connect2"), "--version").Output()
	if err != nil || string(out) != "connect2 v2.3.4\n" {
		t.Errorf("the changed binary stayed: %q, %v", out, err)
	}
}

func TestSetupFromAPrivateRelease(t *testing.T) {
	requireCurl(t)
	w := newSetup(t, binary("v2.3.4"))
	w.releases.private = true
	if said, ok := w.run(); ok || !strings.Contains(said, "answered 404") || !strings.Contains(said, "give token") || w.path+w.output != "" {
		t.Errorf("without a token: %v, %s", ok, said)
	}
	w.environ["TOKEN"] = "another"
	if said, ok := w.run(); ok || !strings.Contains(said, "The token needs contents: read on org/kit") {
		t.Errorf("with another token: %v, %s", ok, said)
	}
	w.environ["TOKEN"] = setupToken
	if said, ok := w.run(); !ok {
		t.Fatal(said)
	}
	w.installed(t)
	if w.storageSawSecrets {
		t.Error("the storage that the API sends to was given the token")
	}
	asset := fmt.Sprint("/api/v3/repos/org/kit/releases/assets/",
		40+slices.Index(w.releases.names, "connect2_"+runtime.GOOS+"_"+runtime.GOARCH))
	if last := w.releases.asked[len(w.releases.asked)-1]; last != asset {
		t.Errorf("it took %s, want %s", last, asset)
	}
}

func TestSetupRefuses(t *testing.T) {
	requireCurl(t)
	for name, c := range map[string]struct {
		change func(w *setupWorld)
		says   []string
	}{
		"other bytes": {func(w *setupWorld) { w.releases.content = []byte("#!/bin/sh\ntouch \"$RUNNER_TEMP/ran\"\n") },
			[]string{"Not the released bytes", "Nothing was run"}},
		"an error page": {func(w *setupWorld) { w.releases.names = nil }, []string{"answered 404"}},
		"no such file": {func(w *setupWorld) { w.releases.names, w.environ["TOKEN"] = w.releases.names[:1], setupToken },
			[]string{"has no file connect2_"}},
		"another version": {func(w *setupWorld) {
			w.write(filepath.Join(w.action, "release"), strings.ReplaceAll(w.read("release"), "v2.3.4", "v2.3.5"))
			w.releases.names = nil
		}, []string{"/v2.3.5/", "answered 404"}},
		"half a release": {func(w *setupWorld) {
			w.write(filepath.Join(w.action, "release"), "repository org/kit\nversion v2.3.4\n")
		},
			[]string{"The release is incomplete"}},
		"no release, no Go": {func(w *setupWorld) {
			if err := os.Remove(filepath.Join(w.action, "release")); err != nil {
				w.t.Fatal(err)
			}
			w.environ["PATH"] = "/usr/bin:/bin"
		}, []string{"Not a release", "use @v2"}},
		"not https":  {func(w *setupWorld) { w.environ["SERVER_URL"] = "http://ghe.example" }, []string{"is not an https:// address"}},
		"no network": {func(w *setupWorld) { w.environ["SERVER_URL"] = "https://127.0.0.1:1" }, []string{"curl: exit"}},
		"Windows":    {func(w *setupWorld) { w.machine("MINGW64_NT-10.0", "x86_64") }, []string{"No connect2 for Windows", "WSL"}},
		"FreeBSD":    {func(w *setupWorld) { w.machine("FreeBSD", "amd64") }, []string{"No connect2 for FreeBSD"}},
		"RISC-V":     {func(w *setupWorld) { w.machine("Linux", "riscv64") }, []string{"No connect2 for riscv64"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newSetup(t, binary("v2.3.4"))
			c.change(w)
			said, ok := w.run()
			if ok || w.path+w.output != "" {
				t.Errorf("it went on: PATH %q, outputs %q", w.path, w.output)
			}
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if _, err := os.Stat(filepath.Join(w.dir, "temp", "ran")); err == nil {
				t.Error("what was downloaded was run unchecked")
			}
		})
	}
}

func (w *setupWorld) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.action, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// machine has uname say another system.
func (w *setupWorld) machine(system, machine string) {
	w.t.Helper()
	bin := filepath.Join(w.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(bin, "uname")
	w.write(path, fmt.Sprintf("#!/bin/sh\ncase $1 in -s) echo %s ;; -m) echo %s ;; *) echo %s %s ;; esac\n", system, machine, system, machine))
	if err := os.Chmod(path, 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.environ["PATH"] = bin + ":" + w.environ["PATH"]
}

// A Mac has shasum and no sha256sum, and its machine is told as arm64.
func TestSetupOnAMac(t *testing.T) {
	requireCurl(t)
	w := newSetup(t, binary("v2.3.4"))
	bin := filepath.Join(w.dir, "bin")
	w.machine("Darwin", "arm64")
	for _, tool := range []string{"sh", "sed", "cut", "dirname", "curl", "mkdir", "chmod", "mv", "rm", "tr", "awk"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("sha256sum is not installed")
	}
	w.write(filepath.Join(bin, "shasum"), "#!/bin/sh\n[ \"$1 $2\" = \"-a 256\" ] && exec "+sum+" \"$3\"\n")
	if err := os.Chmod(filepath.Join(bin, "shasum"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.environ["PATH"] = bin
	if said, ok := w.run(); !ok {
		t.Fatal(said)
	}
	w.installed(t)
	if want := "/org/kit/releases/download/v2.3.4/connect2_darwin_arm64"; w.releases.asked[0] != want {
		t.Errorf("it asked for %q", w.releases.asked)
	}
}

// A self-hosted machine may have a tool cache that the job cannot write, or none.
func TestSetupWithoutAToolCache(t *testing.T) {
	requireCurl(t)
	for _, cache := range []string{"", "/proc/nowhere"} {
		w := newSetup(t, binary("v2.3.4"))
		w.environ["RUNNER_TOOL_CACHE"] = cache
		if said, ok := w.run(); !ok || !strings.HasPrefix(w.path, filepath.Join(w.dir, "temp")) {
			t.Errorf("with the cache %q it is in %q: %s", cache, w.path, said)
		}
		w.installed(t)
	}
}

// A bad moment of GitHub's passes.
func TestSetupAsksAgain(t *testing.T) {
	requireCurl(t)
	w := newSetup(t, binary("v2.3.4"))
	w.releases.failing = 1
	if said, ok := w.run(); !ok || len(w.releases.asked) != 2 {
		t.Errorf("after %q: %s", w.releases.asked, said)
	}
	w.installed(t)
}

// On a branch there is no release: with Go it is built from the sources beside it.
func TestSetupOfABranch(t *testing.T) {
	if testing.Short() {
		t.Skip("links connect2")
	}
	w := newSetup(t, nil)
	path, err := filepath.Abs(filepath.Join(root, "actions/setup"))
	if err != nil {
		t.Fatal(err)
	}
	w.action = path
	for _, name := range []string{"HOME", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY"} {
		w.environ[name] = os.Getenv(name)
	}
	said, ok := w.run()
	if !ok || !strings.Contains(w.output, "version=devel\n") {
		t.Fatalf("%v, outputs %q:\n%s", ok, w.output, said)
	}
	out, err := exec.Command(filepath.Join(w.path, "connect2"), "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "connect2 ") {
		t.Errorf("%q, %v", out, err)
	}
}
