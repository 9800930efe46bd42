package rotation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// runtimeAPI is Lambda's side: it hands out invocations, and ends the function with a status after the last.
type runtimeAPI struct {
	invocations []string
	end         int
	deadline    time.Time

	posted []string
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const base = "/2018-06-01/runtime/invocation/"
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.posted = append(a.posted, strings.TrimPrefix(r.URL.Path, base)+" "+string(body))
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if r.URL.Path != base+"next" || len(a.invocations) == 0 {
		w.WriteHeader(a.end)
		return
	}
	w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id"+strconv.Itoa(len(a.posted)+1))
	w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(a.deadline.UnixMilli(), 10))
	_, _ = io.WriteString(w, a.invocations[0])
	a.invocations = a.invocations[1:]
}

// asFunction is set where the test's binary is started again as the function.
const asFunction = "ROTATION_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) == "" {
		os.Exit(m.Run())
	}
	Serve(context.Background(), func(ctx context.Context, event Event) error {
		until, _ := ctx.Deadline()
		if err := json.NewEncoder(os.Stdout).Encode(handed{event, until}); err != nil {
			return err
		}
		if event.Step == "testSecret" {
			return errors.New("the user cannot connect")
		}
		return nil
	})
}

// handed is what the function got.
type handed struct {
	Event Event
	Until time.Time
}

// serve runs the function against the API until it ends, which it must do with an error.
func serve(t *testing.T, api *runtimeAPI) (got []handed, stderr string) {
	t.Helper()
	server := httptest.NewServer(api)
	defer server.Close()
	function := exec.CommandContext(t.Context(), os.Args[0])
	function.Env = append(os.Environ(), asFunction+"=1", "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"))
	var said strings.Builder
	function.Stderr = &said
	out, err := function.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("the function ended with %v, want exit code 1\n%s", err, said.String())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var one handed
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return got, said.String()
		} else if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		got = append(got, one)
	}
}

func TestServeHandsInvocationsOverAndTellsHowTheyEnded(t *testing.T) {
	api := &runtimeAPI{end: http.StatusGone, deadline: time.Now().Add(time.Minute), invocations: []string{
		`{"Step":"createSecret","SecretId":"arn:secret","ClientRequestToken":"t1"}`,
		`{"Step":"testSecret","SecretId":"arn:secret","ClientRequestToken":"t1"}`,
		`not JSON`,
	}}
	got, _ := serve(t, api)
	var events []Event
	for _, one := range got {
		events = append(events, one.Event)
		if !one.Until.Equal(api.deadline.Truncate(time.Millisecond).Add(-margin)) {
			t.Errorf("the work may take until %v; it must end %v before Lambda does, at %v", one.Until, margin, api.deadline)
		}
	}
	want := []Event{
		{Step: "createSecret", SecretID: "arn:secret", ClientRequestToken: "t1"},
		{Step: "testSecret", SecretID: "arn:secret", ClientRequestToken: "t1"},
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
	if len(api.posted) != 3 || api.posted[0] != "id1/response null" {
		t.Fatalf("posted %q", api.posted)
	}
	if api.posted[1] != `id2/error {"errorMessage":"the user cannot connect","errorType":"RotationFailed"}` {
		t.Errorf("a failed step was answered by %q", api.posted[1])
	}
	if !strings.HasPrefix(api.posted[2], "id3/error ") {
		t.Errorf("an event that is not JSON was answered by %q", api.posted[2])
	}
}

func TestServeEndsWhenTheRuntimeRefuses(t *testing.T) {
	if got, stderr := serve(t, &runtimeAPI{end: http.StatusForbidden}); len(got) > 0 || !strings.Contains(stderr, "403") {
		t.Errorf("handed %v, said %q: an endless loop of refused calls must not be", got, stderr)
	}
}

// fakeAWS answers the JSON protocols by operation and keeps what it was asked.
type fakeAWS struct {
	answers map[string]*http.Response
	asked   map[string]map[string]any
}

func (f *fakeAWS) config() aws.Config {
	return aws.Config{
		Region:      "us-west-2",
		Credentials: credentialsFor("key"),
		HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			var in map[string]any
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return nil, err
			}
			f.asked[operation] = in
			if response, ok := f.answers[operation]; ok {
				return response, nil
			}
			return answer(http.StatusOK, "{}"), nil
		})},
	}
}

func credentialsFor(key string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(key, "secret", "")
}

func TestSecretsManagerIsAskedForExactlyTheVersions(t *testing.T) {
	missing := func() *http.Response {
		return answer(http.StatusBadRequest, `{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret value for staging label: AWSPENDING"}`)
	}
	f := &fakeAWS{asked: map[string]map[string]any{}, answers: map[string]*http.Response{
		"GetSecretValue": missing(),
		"DescribeSecret": answer(http.StatusOK, `{"RotationEnabled":true,"VersionIdsToStages":{"v1":["AWSCURRENT"],"v2":["AWSPENDING"]}}`),
	}}
	s := SecretsManager{secretsmanager.NewFromConfig(f.config())}

	if _, err := s.Get(t.Context(), "rds", "v2", pending); !errors.Is(err, ErrNoVersion) {
		t.Errorf("a missing version reads as %v", err)
	}
	if diff := cmp.Diff(map[string]any{"SecretId": "rds", "VersionId": "v2", "VersionStage": "AWSPENDING"},
		f.asked["GetSecretValue"]); diff != "" {
		t.Error(diff)
	}
	f.answers["GetSecretValue"] = missing()
	if _, err := s.Written(t.Context(), "rds", previous); !errors.Is(err, ErrNoVersion) {
		t.Errorf("when a missing version was written reads as %v", err)
	}
	if diff := cmp.Diff(map[string]any{"SecretId": "rds", "VersionStage": "AWSPREVIOUS"}, f.asked["GetSecretValue"]); diff != "" {
		t.Error(diff)
	}
	f.answers["GetSecretValue"] = answer(http.StatusOK, `{"SecretString":"value","CreatedDate":1700000000}`)
	if written, err := s.Written(t.Context(), "rds", current); err != nil || !written.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("written %v, %v", written, err)
	}
	labels, rotates, err := s.Labels(t.Context(), "rds")
	if err != nil || !rotates || !has(labels["v2"], pending) {
		t.Errorf("labels %v, rotates %v, %v", labels, rotates, err)
	}
	if err := s.Put(t.Context(), "rds", "v2", "value"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"SecretId": "rds", "ClientRequestToken": "v2", "SecretString": "value", "VersionStages": []any{"AWSPENDING"},
	}, f.asked["PutSecretValue"]); diff != "" {
		t.Error(diff)
	}
	if err := s.MakeCurrent(t.Context(), "rds", "v2", "v1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{
		"SecretId": "rds", "VersionStage": "AWSCURRENT", "MoveToVersionId": "v2", "RemoveFromVersionId": "v1",
	}, f.asked["UpdateSecretVersionStage"]); diff != "" {
		t.Error(diff)
	}
}

func TestTheServicesAreReadAndStartedAnew(t *testing.T) {
	const steady = `{"serviceName":"s","desiredCount":2,"deployments":[{"rolloutState":"COMPLETED"}]}`
	for name, test := range map[string]struct {
		names              []string
		services           string
		running, deploying bool
		fails              string
	}{
		"steady": {[]string{"s"}, steady, true, false, ""},
		"its one deployment runs": {[]string{"s"},
			`{"serviceName":"s","desiredCount":2,"deployments":[{"rolloutState":"IN_PROGRESS"}]}`, true, true, ""},
		"two deployments": {[]string{"s"},
			`{"serviceName":"s","desiredCount":2,"deployments":[{"rolloutState":"COMPLETED"},{"rolloutState":"COMPLETED"}]}`, true, true, ""},
		"no tasks": {[]string{"s"}, `{"serviceName":"s","desiredCount":0,"deployments":[{"rolloutState":"COMPLETED"}]}`, false, false, ""},
		"missing":  {[]string{"s"}, ``, false, false, "service s in cluster c"},
		"a second one has tasks alone": {[]string{"w", "s"},
			`{"serviceName":"w","desiredCount":0,"deployments":[{"rolloutState":"COMPLETED"}]},` + steady, true, false, ""},
		"a second one is deployed": {[]string{"s", "w"},
			steady + `,{"serviceName":"w","desiredCount":0,"deployments":[{"rolloutState":"IN_PROGRESS"}]}`, true, true, ""},
		"a second one is missing": {[]string{"s", "w"}, steady, false, false, "service w in cluster c"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAWS{asked: map[string]map[string]any{}, answers: map[string]*http.Response{
				"DescribeServices": answer(http.StatusOK, `{"services":[`+test.services+`]}`),
			}}
			s := ECSServices{Client: ecs.NewFromConfig(f.config()), Cluster: "c", Names: test.names}
			running, deploying, err := s.State(t.Context())
			if running != test.running || deploying != test.deploying || (err != nil) != (test.fails != "") {
				t.Errorf("running %v, deploying %v, %v", running, deploying, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("the error does not name what is missing: %v", err)
			}
			if err := s.Redeploy(t.Context()); err != nil {
				t.Fatal(err)
			}
			last := test.names[len(test.names)-1]
			if diff := cmp.Diff(map[string]any{"cluster": "c", "service": last, "forceNewDeployment": true}, f.asked["UpdateService"]); diff != "" {
				t.Errorf("a redeployment must name neither count nor revision: %s", diff)
			}
		})
	}
}

func TestOneServiceThatFailsKeepsNoOtherFromBeingStartedAnew(t *testing.T) {
	f := &fakeAWS{asked: map[string]map[string]any{}, answers: map[string]*http.Response{
		"UpdateService": answer(http.StatusBadRequest, `{"__type":"ServiceNotActiveException"}`),
	}}
	err := ECSServices{Client: ecs.NewFromConfig(f.config()), Cluster: "c", Names: []string{"s", "w"}}.Redeploy(t.Context())
	if err == nil || !strings.Contains(err.Error(), "service s:") || !strings.Contains(err.Error(), "service w:") {
		t.Errorf("both were tried, and both failed: %v", err)
	}
}
