package workflowtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestRecordDeployment runs what record-deployment.yml runs, against a stand-in of GitHub's API for deployments: the commit that
// serves becomes the environment's deployment, and a success, by the token, which is in no argument. What GitHub refuses is a warning.
func TestRecordDeployment(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	f := glob(t, ".github/workflows/record-deployment.yml")[0]
	script := f.Jobs["record"].Steps[0].Run
	commit := strings.Repeat("2", 40)
	for name, tt := range map[string]struct {
		commit, environment string
		refuse              string // the path's end that is answered with an error
		asked               []string
		told                string
	}{
		"recorded": {commit, "prod", "", []string{"/repos/org/api/deployments", "/repos/org/api/deployments/7/statuses"},
			"prod has 2222222: recorded as its deployment"},
		"not in the repository": {commit, "prod", "/deployments", []string{"/repos/org/api/deployments"},
			"::warning title=GitHub was not told what serves::a deployment of " + commit + " to prod was refused"},
		"no status": {commit, "prod", "/statuses", []string{"/repos/org/api/deployments", "/repos/org/api/deployments/7/statuses"},
			"could not be called a success"},
		"a short commit":           {"2222222", "prod", "", nil, "2222222 is not a commit in full"},
		"a name that is not plain": {commit, `prod","x":"`, "", nil, "the name of the environment"},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				asked = append(asked, r.URL.Path)
				mu.Unlock()
				if r.Header.Get("Authorization") != "Bearer s3cret" || r.Method != http.MethodPost {
					t.Errorf("%s %s by %q", r.Method, r.URL, r.Header.Get("Authorization"))
				}
				want := `{"ref":"` + commit + `","environment":"prod","auto_merge":false,"required_contexts":[],"description":"rolled back"}`
				if strings.HasSuffix(r.URL.Path, "/statuses") {
					want = `{"state":"success","auto_inactive":true,"log_url":"https://github.com/org/api/actions/runs/9",` +
						`"description":"rolled back"}`
				}
				if string(body) != want {
					t.Errorf("%s: %s, want %s", r.URL, body, want)
				}
				if tt.refuse != "" && strings.HasSuffix(r.URL.Path, tt.refuse) {
					w.WriteHeader(http.StatusUnprocessableEntity)
					fmt.Fprintf(w, `{"message": "No ref found for: %s"}`, commit)
					return
				}
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, "{\n  \"url\": \"%[1]s/repos/org/api/deployments/7\",\n  \"id\": 7,\n  \"creator\": {\"id\": 1},\n"+
					"  \"statuses_url\": \"%[1]s/repos/org/api/deployments/7/statuses\",\n  \"repository_url\": \"%[1]s/repos/org/api\"\n}\n",
					"http://"+r.Host)
			}))
			defer server.Close()
			run := exec.CommandContext(t.Context(), "bash", "-c", script)
			run.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TOKEN=s3cret", "ENVIRONMENT=" + tt.environment, "COMMIT=" + tt.commit,
				"GITHUB_API_URL=" + server.URL, "GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=org/api", "GITHUB_RUN_ID=9"}
			out, err := run.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tt.told) || strings.Contains(string(out), "s3cret") {
				t.Errorf("%v\n%s\nwant %q", err, out, tt.told)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(asked, tt.asked) {
				t.Errorf("asked %q, want %q", asked, tt.asked)
			}
		})
	}
}

// TestNobodyIsAskedAtNight holds that what runs by a schedule enters no environment that may wait for people.
func TestNobodyIsAskedAtNight(t *testing.T) {
	scheduled := 0
	for _, w := range workflows(t) {
		for id, j := range w.Jobs {
			if !strings.Contains(j.If, "'schedule'") || j.Environment == nil {
				continue
			}
			scheduled++
			for _, suffix := range []string{"-plan", "-apply", "-approval"} {
				if strings.HasSuffix(j.Environment.Name, suffix) {
					t.Errorf("%s %s enters %s, which may have reviewers", w.path, id, j.Environment.Name)
				}
			}
		}
	}
	if scheduled == 0 {
		t.Error("no job runs by a schedule: the condition is written in another way")
	}
}
