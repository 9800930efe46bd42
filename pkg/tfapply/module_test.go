package tfapply

import (
	"encoding/base64"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

// gitServer serves a repository with one module over HTTP, to whoever has the token.
func gitServer(t *testing.T, token string) *httptest.Server {
	t.Helper()
	out, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, statErr := os.Stat(backend); err != nil || statErr != nil {
		t.Skip("git has no git-http-backend here")
	}
	root := t.TempDir()
	work := filepath.Join(root, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, "main.tf"), []byte("resource \"terraform_data\" \"private\" {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "module"},
		{"clone", "-q", "--bare", ".", filepath.Join(root, "org", "module.git")},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = work
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	handler := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}}
	want := "basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Authorization"), want) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestPrivateModuleOverGit(t *testing.T) {
	const token = "git-canary-4711"
	w := newWorld(t)
	server := gitServer(t, token)
	w.onGitHub(map[string]string{"GITHUB_SERVER_URL": server.URL})
	w.write("module.tf", "module \"private\" { source = \"git::"+server.URL+"/org/module.git\" }\n")
	w.refused(Inputs{}, action.Invalid, "Failed to download module")
	out, recorder := w.must(Inputs{GitToken: token})
	if out.Add != 2 {
		t.Errorf("%+v", out)
	}
	// An address that is written with ssh takes the token too.
	w.write("module.tf", "module \"private\" { source = \"git::ssh://git@"+strings.TrimPrefix(server.URL, "http://")+"/org/module.git\" }\n")
	again, _ := w.must(Inputs{GitToken: token})
	if again.Add != 2 {
		t.Errorf("%+v", again)
	}
	if strings.Contains(recorder.Text()+recorder.Summary(), token) {
		t.Error("the token is in the log")
	}
}
