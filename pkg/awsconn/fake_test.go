package awsconn

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
)

// TestMain takes AWS's variables of whoever runs the tests out of the process; a test sets those that it is about.
func TestMain(m *testing.M) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "ACTIONS_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

const (
	roleToAssume = "arn:aws:iam::123456789012:role/ci/deploy"
	tokenURL     = "https://pipelines.example/token?api-version=2.0"
	// Canaries: none of these may be seen anywhere but in a request to whom it is for.
	bearerCanary  = "canary-bearer-5d0c1f2e7a"
	secretCanary  = "canary-secret-access-key-77aa01"
	sessionCanary = "canary-session-token-91bb02"
	staticCanary  = "canary-static-secret-key-13cc03"
)

// world answers for GitHub's token service and for STS, and remembers what it was asked.
type world struct {
	t *testing.T

	mu          sync.Mutex
	tokens      []string                                       // ID tokens given out
	presented   []string                                       // ID tokens that STS was shown
	calls       []string                                       // "github", "AssumeRoleWithWebIdentity" …
	hosts       map[string]string                              // call to host
	roles       map[string]url.Values                          // call to its newest parameters
	github      func(n int) (status int, body string, e error) // nil: a token; n counts from 1
	sts         func(action string, n int) *stsAnswer          // nil, or a nil answer: success
	lifetime    time.Duration                                  // of credentials
	claimsExtra map[string]any
	account     string
	audience    string // that GitHub is to be asked for
}

type stsAnswer struct {
	status        int
	code, message string
	err           error
	html          bool
}

func newWorld(t *testing.T) *world {
	return &world{t: t, lifetime: time.Hour, account: "123456789012", audience: usualAudience,
		hosts: map[string]string{}, roles: map[string]url.Values{}}
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	if strings.HasPrefix(r.URL.Host, "pipelines.") {
		return w.answerGitHub(r)
	}
	form, _ := url.ParseQuery(string(body))
	return w.answerSTS(r, form)
}

func (w *world) count(call string) int {
	n := 0
	for _, c := range w.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (w *world) answerGitHub(r *http.Request) (*http.Response, error) {
	w.calls = append(w.calls, "github")
	if got, want := r.Header.Get("Authorization"), "bearer "+bearerCanary; got != want {
		w.t.Errorf("GitHub was shown %q", got)
	}
	if q := r.URL.Query(); q.Get("audience") != w.audience || q.Get("api-version") != "2.0" {
		w.t.Errorf("GitHub was asked with the query %q", r.URL.RawQuery)
	}
	if w.github != nil {
		if status, body, err := w.github(w.count("github")); err != nil || status != 0 {
			if err != nil {
				return nil, err
			}
			return response(status, body), nil
		}
	}
	token := w.idToken(len(w.tokens) + 1)
	w.tokens = append(w.tokens, token)
	return response(200, fmt.Sprintf(`{"count":1,"value":%q}`, token)), nil
}

func (w *world) idToken(n int) string {
	claims := map[string]any{
		"iss": "https://token.actions.githubusercontent.com", "aud": w.audience, "sub": "repo:acme/shop:environment:prod",
		"repository": "acme/shop", "repository_id": "42", "repository_owner_id": "7", "jti": fmt.Sprintf("canary-jti-%d", n),
	}
	for k, v := range w.claimsExtra {
		claims[k] = v
	}
	payload, _ := json.Marshal(claims)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode(payload) + "." + encode([]byte("canary-signature"))
}

func (w *world) answerSTS(r *http.Request, form url.Values) (*http.Response, error) {
	call := form.Get("Action")
	w.calls = append(w.calls, call)
	w.hosts[call], w.roles[call] = r.URL.Host, form
	if call == "AssumeRoleWithWebIdentity" {
		w.presented = append(w.presented, form.Get("WebIdentityToken"))
		if r.Header.Get("Authorization") != "" {
			w.t.Error("the exchange of an ID token must not be signed")
		}
	}
	if w.sts != nil {
		if a := w.sts(call, w.count(call)); a != nil {
			switch {
			case a.err != nil:
				return nil, a.err
			case a.html:
				return response(a.status, "<html><body>Bad Gateway</body></html>"), nil
			}
			return response(a.status, fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>`+
				`<RequestId>r-9</RequestId></ErrorResponse>`, a.code, a.message)), nil
		}
	}
	if call == "GetCallerIdentity" {
		arn := "arn:aws:iam::" + w.account + ":user/robot"
		if strings.Contains(r.Header.Get("X-Amz-Security-Token"), "canary") {
			arn = "arn:aws:sts::" + w.account + ":assumed-role/deploy/session"
		}
		return response(200, fmt.Sprintf(`<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn><Account>%s</Account>`+
			`</GetCallerIdentityResult></GetCallerIdentityResponse>`, arn, w.account)), nil
	}
	return response(200, fmt.Sprintf(`<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>%[2]s</SecretAccessKey>`+
		`<SessionToken>%[3]s</SessionToken><Expiration>%[4]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
		call, secretCanary, sessionCanary, time.Now().Add(w.lifetime).UTC().Format(time.RFC3339))), nil
}

func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Header: http.Header{"X-Amzn-Requestid": {"r-9"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// inJob is the environment of a job on a machine of GitHub's that may ask for OIDC tokens.
func inJob(w *world, more ...string) (*action.Env, *actiontest.Recorder) {
	return inEnv(w, append([]string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=4711",
		"GITHUB_RUN_ATTEMPT=2", "RUNNER_DEBUG=1",
		"RUNNER_ENVIRONMENT=github-hosted", "AWS_REGION=us-west-2", "ACTIONS_ID_TOKEN_REQUEST_URL=" + tokenURL,
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + bearerCanary}, more...)...)
}

func inEnv(w *world, entries ...string) (*action.Env, *actiontest.Recorder) {
	variables := map[string]string{}
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		variables[name] = value
	}
	env, recorder := actiontest.NewTestEnv(w.t, variables)
	env.Transport = w
	return env, recorder
}

// noCanary fails the test when a secret can be read in what a run told. Masking commands are what keeps it from being read.
func noCanary(t *testing.T, told string, errs ...error) {
	t.Helper()
	var kept []string
	for _, line := range strings.Split(told, "\n") {
		if !strings.HasPrefix(line, "::add-mask::") {
			kept = append(kept, line)
		}
	}
	told = strings.Join(kept, "\n")
	for _, err := range errs {
		if err != nil {
			var failure *action.Error
			if told += "\n" + err.Error(); asFailure(err, &failure) {
				told += "\n" + failure.Title + "\n" + failure.Advice
			}
		}
	}
	for _, canary := range []string{bearerCanary, secretCanary, sessionCanary, staticCanary, "canary-",
		base64.RawURLEncoding.EncodeToString([]byte("canary-signature"))} {
		if strings.Contains(told, canary) {
			t.Errorf("a secret (%s) can be read in:\n%s", canary, told)
		}
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
