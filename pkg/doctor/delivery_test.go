package doctor_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/doctor"
)

// hub answers for GitHub by path, 404 for what it does not know, and hands everything else on.
type hub struct {
	answers map[string]string
	other   http.RoundTripper
	mu      sync.Mutex // several checks ask side by side
	asked   []string
}

func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "api.github.com" {
		return h.other.RoundTrip(r)
	}
	h.mu.Lock()
	h.asked = append(h.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	h.mu.Unlock()
	status, body := http.StatusOK, h.answers[r.URL.Path]
	if body == "" {
		status, body = http.StatusNotFound, `{"message": "Not Found"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body))}, nil
}

// TestDelivery looks at GitHub's side alone, with what AWS says of the service to compare with.
func TestDelivery(t *testing.T) {
	sandboxtest.Run(t, "", func(t *testing.T, s *sandboxtest.Site) {
		const repo = "/repos/org/connect2-api"
		h := &hub{answers: map[string]string{}}
		look := func(args ...string) (int, []doctor.Check, string) {
			return examineWith(t, s, h, map[string]string{"GITHUB_TOKEN": "gh-secret-token"}, append([]string{"delivery"}, args...)...)
		}
		code, checks, shown := look("--github-repository=org/connect2-api")
		if code != 0 || !slices.Equal(in(checks, doctor.NotChecked), []string{"github"}) || len(checks) != 1 ||
			!strings.Contains(shown, "it does not exist, or the token may not see it") {
			t.Errorf("a repository that is not there: exit %d\n%s", code, shown)
		}
		if len(h.asked) == 0 || !strings.HasSuffix(h.asked[0], " Bearer gh-secret-token") {
			t.Errorf("asked %q", h.asked)
		}
		h.answers[repo] = `{"id": 7, "name": "connect2-api", "private": false, "owner": {"login": "org", "id": 3, "type": "Organization"}}`
		h.answers[repo+"/actions/variables"] = `{"total_count": 3, "variables": [{"name": "AWS_REGION", "value": "us-west-2"},
			{"name": "AWS_PUSH_ROLE_DEV", "value": "arn:aws:iam::123456789012:role/push"},
			{"name": "ECR_REPOSITORY_DEV", "value": "connect2-api-dev"}]}`
		h.answers[repo+"/actions/organization-variables"] = `{"total_count": 0, "variables": []}`
		h.answers[repo+"/environments/dev"] = `{"name": "dev", "deployment_branch_policy": null, "protection_rules": []}`
		h.answers[repo+"/environments/dev/variables"] = `{"total_count": 1, "variables": [{"name": "ECS_SERVICE", "value": "other"}]}`
		code, checks, shown = look("--github-repository=org/connect2-api", "--toolkit=org/connect2-api")
		environments := []string{"environment dev", "environment dev-approval", "environment dev-rollback"}
		if code == 0 || !slices.Equal(in(checks, doctor.Wrong), environments) ||
			!slices.Equal(in(checks, doctor.OK), []string{"identity tokens", "toolkit", "variables"}) ||
			!slices.Equal(in(checks, doctor.NotChecked), []string{"package"}) {
			t.Errorf("exit %d\n%s", code, shown)
		}
		for _, part := range []string{"jobs of every branch may enter it", "ECS_SERVICE is other, and the service's is connect2-api-service-dev",
			"ECS_CONTAINER is not set", "- connect2 init --github --service org/connect2-api"} {
			if !strings.Contains(shown, part) {
				t.Errorf("%q is not shown:\n%s", part, shown)
			}
		}
		code, checks, shown = look()
		if code != 0 || !slices.Equal(in(checks, doctor.NotChecked), []string{"github"}) ||
			!strings.Contains(shown, "--github-repository OWNER/NAME") {
			t.Errorf("which repository is not known: exit %d\n%s", code, shown)
		}
		h.asked = nil
		code, _, shown = look("--github-repository=org", "--toolkit=x")
		if code != action.Invalid.ExitCode() || len(h.asked) > 0 || !strings.Contains(shown, `toolkit: "x" is not OWNER/NAME`) {
			t.Errorf("exit %d, asked %q\n%s", code, h.asked, shown)
		}
		if got := s.Mutations(); len(got) > 0 {
			t.Errorf("changed by %v", got)
		}
	})
}
