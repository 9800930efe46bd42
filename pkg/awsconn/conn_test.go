package awsconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

func asFailure(err error, target **action.Error) bool { return errors.As(err, target) }

// wantFailure checks an error of Connect: its outcome, and what it must tell between title, message and advice.
func wantFailure(t *testing.T, err error, outcome action.Outcome, holds ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got := action.OutcomeOf(err); got != outcome {
		t.Errorf("outcome %q, want %q: %v", got, outcome, err)
	}
	told := err.Error()
	var failure *action.Error
	if errors.As(err, &failure) {
		told = failure.Title + "\n" + told + "\n" + failure.Advice
	}
	for _, part := range holds {
		if !strings.Contains(told, part) {
			t.Errorf("the error lacks %q:\n%s", part, told)
		}
	}
}

func TestConnectWithStaticKeys(t *testing.T) {
	w := newWorld(t)
	env, recorder := inEnv(w, "AWS_DEFAULT_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary)
	conn, err := Connect(t.Context(), env, Inputs{AccountID: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	if conn.Region != "eu-west-1" || conn.Config.Region != "eu-west-1" || conn.AccountID != "123456789012" ||
		conn.CallerARN != "arn:aws:iam::123456789012:user/robot" || conn.Transport != http.RoundTripper(w) {
		t.Errorf("got %+v", conn)
	}
	if got := w.hosts["GetCallerIdentity"]; got != "sts.eu-west-1.amazonaws.com" {
		t.Errorf("STS was called at %s, not in the region", got)
	}
	env.Events.Notef("the key is %s", staticCanary) // masked from the start
	noCanary(t, recorder.Text())
}

func TestConnectPrefersTheInputRegion(t *testing.T) {
	env, _ := inEnv(newWorld(t), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary)
	conn, err := Connect(t.Context(), env, Inputs{Region: "us-west-2"})
	if err != nil || conn.Region != "us-west-2" {
		t.Fatal(conn, err)
	}
}

func TestConnectWithIDToken(t *testing.T) {
	w := newWorld(t)
	env, recorder := inJob(w)
	conn, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume, AccountID: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"github", "AssumeRoleWithWebIdentity", "GetCallerIdentity"}, w.calls); diff != "" {
		t.Errorf("calls -want +got\n%s", diff)
	}
	form := w.roles["AssumeRoleWithWebIdentity"]
	if form.Get("RoleArn") != roleToAssume || form.Get("RoleSessionName") != "acme-shop@4711-2" ||
		form.Get("WebIdentityToken") != w.tokens[0] {
		t.Errorf("STS was asked with %v", form)
	}
	if conn.CallerARN != roleToAssume {
		t.Errorf("caller %s, want the role with its path", conn.CallerARN)
	}
	env.Events.Notef("leak: %s %s %s %s", w.tokens[0], secretCanary, sessionCanary, bearerCanary)
	noCanary(t, recorder.Text())
}

func TestConnectWithRoleName(t *testing.T) {
	w := newWorld(t)
	env, _ := inJob(w)
	conn, err := Connect(t.Context(), env, Inputs{RoleToAssume: "deploy", AccountID: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.roles["AssumeRoleWithWebIdentity"].Get("RoleArn"); got != "arn:aws:iam::123456789012:role/deploy" || conn.CallerARN != got {
		t.Errorf("assumed %s, caller %s", got, conn.CallerARN)
	}
}

// Without the permission to ask for a token, the credentials that are there assume the role.
func TestConnectChainsRoles(t *testing.T) {
	w := newWorld(t)
	env, _ := inEnv(w, "GITHUB_ACTIONS=true", "AWS_REGION=us-west-2", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY="+staticCanary)
	if _, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AssumeRole", "GetCallerIdentity"}, w.calls); diff != "" {
		t.Errorf("calls -want +got\n%s", diff)
	}
}

func TestConnectRefusedChain(t *testing.T) {
	w := newWorld(t)
	w.sts = func(call string, _ int) *stsAnswer {
		return &stsAnswer{status: 403, code: "AccessDenied", message: "User: arn:aws:iam::123456789012:user/robot is not authorized to " +
			"perform: sts:AssumeRole on resource: " + roleToAssume}
	}
	env, _ := inEnv(w, "AWS_REGION=us-west-2", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary)
	_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume})
	wantFailure(t, err, action.Invalid, "Missing permission sts:AssumeRole", "user robot", "trust policy", roleToAssume)
	if w.count("AssumeRole") != 1 {
		t.Errorf("a refusal was tried %d times", w.count("AssumeRole"))
	}
}

func TestConnectWrongAccount(t *testing.T) {
	w := newWorld(t)
	w.account = "999999999999"
	env, _ := inJob(w, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary)
	_, err := Connect(t.Context(), env, Inputs{AccountID: "123456789012"})
	wantFailure(t, err, action.Invalid, "Wrong AWS account", "123456789012", "999999999999", "user/robot")
}

func TestConnectWithoutRegion(t *testing.T) {
	env, _ := inEnv(newWorld(t), "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary)
	_, err := Connect(t.Context(), env, Inputs{})
	wantFailure(t, err, action.Invalid, "AWS_REGION", "input region")
}

func TestConnectWithAMisspeltRegion(t *testing.T) {
	for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		w := newWorld(t)
		env, _ := inEnv(w, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary, variable+"=us-wset-2")
		_, err := Connect(t.Context(), env, Inputs{})
		wantFailure(t, err, action.Invalid, variable, `"us-wset-2", which is not an AWS region: did you mean us-west-2?`)
		if _, err := Connect(t.Context(), env, Inputs{Region: "us-west-2"}); err != nil || len(w.calls) != 1 {
			t.Errorf("with the input region: %v, calls %v", err, w.calls)
		}
	}
}

func TestConnectWithoutCredentials(t *testing.T) {
	hosted := []string{"GITHUB_ACTIONS=true", "RUNNER_ENVIRONMENT=github-hosted", "AWS_REGION=us-west-2"}
	tests := []struct {
		name  string
		env   []string
		in    Inputs
		holds []string
	}{
		{"in a job", hosted, Inputs{}, []string{"role-to-assume", "permissions: id-token: write", "AWS_ACCESS_KEY_ID"}},
		{"in a job without the permission", hosted, Inputs{RoleToAssume: roleToAssume},
			[]string{roleToAssume, "permissions: id-token: write", "forks"}},
		{"at a terminal", []string{"AWS_REGION=us-west-2"}, Inputs{}, []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID"}},
		{"at a terminal with a role", []string{"AWS_REGION=us-west-2"}, Inputs{RoleToAssume: roleToAssume},
			[]string{"AWS_PROFILE", roleToAssume}},
		{"half of a key", append(hosted, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"), Inputs{}, []string{"only one of", "AWS_SECRET_ACCESS_KEY"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				env, _ := inEnv(w, tt.env...)
				start := time.Now()
				_, err := Connect(t.Context(), env, tt.in)
				wantFailure(t, err, action.Invalid, tt.holds...)
				if took := time.Since(start); took > time.Second {
					t.Errorf("took %s to see that nothing is there", took)
				}
				if len(w.calls) > 0 {
					t.Errorf("calls %v, want none", w.calls)
				}
			})
		})
	}
}

// The metadata service exists on self-hosted runners, and looking for it takes seconds on GitHub's.
func TestOnHostedRunner(t *testing.T) {
	tests := []struct {
		env  []string
		want bool
	}{
		{nil, false},
		{[]string{"GITHUB_ACTIONS=true"}, true},
		{[]string{"GITHUB_ACTIONS=true", "RUNNER_ENVIRONMENT=github-hosted"}, true},
		{[]string{"GITHUB_ACTIONS=true", "RUNNER_ENVIRONMENT=self-hosted"}, false},
		{[]string{"GITHUB_ACTIONS=true", "AWS_EC2_METADATA_DISABLED=False"}, false},
	}
	for _, tt := range tests {
		env, _ := inEnv(newWorld(t), tt.env...)
		if got := onHostedRunner(env); got != tt.want {
			t.Errorf("%v: %t", tt.env, got)
		}
	}
}

// A refusal is final: told at once, once, with the claims and a trust policy that would accept them.
func TestConnectRefusedRole(t *testing.T) {
	tests := []struct {
		name, code, message string
		status              int
		holds               []string
	}{
		{"trust policy", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403, []string{
			"trust policy of role deploy", roleToAssume, `sub "repo:acme/shop:environment:prod"`, `aud "sts.amazonaws.com"`, "StringEquals",
			"repo:acme@7/shop@42:environment:prod", "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}},
		{"no provider", "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com",
			400,
			[]string{"no OIDC provider", "create-open-id-connect-provider", "--client-id-list sts.amazonaws.com"}},
		{"audience", "InvalidIdentityToken", "Incorrect token audience", 400, []string{"add-client-id-to-open-id-connect-provider"}},
		{"duration", "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400,
			[]string{"MaxSessionDuration"}},
		{"rejected claim", "IDPRejectedClaim", "The identity provider rejected the claim", 403, []string{"rejected the claim"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.sts = func(string, int) *stsAnswer { return &stsAnswer{status: tt.status, code: tt.code, message: tt.message} }
				env, recorder := inJob(w)
				start := time.Now()
				_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume})
				wantFailure(t, err, action.Invalid, append(tt.holds, strings.TrimSuffix(tt.message, "."))...)
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("told after %s", took)
				}
				if diff := cmp.Diff([]string{"github", "AssumeRoleWithWebIdentity"}, w.calls); diff != "" {
					t.Errorf("calls -want +got\n%s", diff)
				}
				var refused *RefusedError
				if !errors.As(err, &refused) || refused.Subject != "repo:acme/shop:environment:prod" {
					t.Errorf("claims are lost: %+v", refused)
				}
				noCanary(t, recorder.Text(), err)
			})
		})
	}
}

// STS quotes parameters that it does not like, a token among them.
func TestConnectKeepsAQuotedTokenOut(t *testing.T) {
	w := newWorld(t)
	w.sts = func(string, int) *stsAnswer {
		return &stsAnswer{status: 400, code: "ValidationError",
			message: "1 validation error detected: Value '" + w.tokens[0] + "' at 'webIdentityToken' failed"}
	}
	env, recorder := inJob(w)
	_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume})
	wantFailure(t, err, action.Invalid, "webIdentityToken")
	noCanary(t, recorder.Text(), err)
	if strings.Contains(err.Error(), w.tokens[0][:20]) {
		t.Errorf("part of the token can be read: %v", err)
	}
}

func TestTrustPolicy(t *testing.T) {
	token := func(claims string) string { return "e30." + b64(claims) + ".sig" }
	tests := []struct {
		name, claims string
		subjects     []string
		provider     string
	}{
		{"old form", `{"sub":"repo:o/r:ref:refs/heads/main","repository":"o/r","repository_id":"1","repository_owner_id":"2"}`,
			[]string{"repo:o/r:ref:refs/heads/main", "repo:o@2/r@1:ref:refs/heads/main"}, "token.actions.githubusercontent.com"},
		{"new form", `{"sub":"repo:o@2/r@1:pull_request","repository":"o/r","repository_id":"1","repository_owner_id":"2"}`,
			[]string{"repo:o@2/r@1:pull_request", "repo:o/r:pull_request"}, "token.actions.githubusercontent.com"},
		{"customised", `{"sub":"job_workflow_ref:o/r/.github/workflows/x.yml@main","repository":"o/r","repository_id":"1","repository_owner_id":"2"}`,
			[]string{"job_workflow_ref:o/r/.github/workflows/x.yml@main"}, "token.actions.githubusercontent.com"},
		{"Enterprise Server, list of audiences", `{"iss":"https://ghe.example/_services/token","aud":["sts.amazonaws.com"],"sub":"repo:o/r:pull_request"}`,
			[]string{"repo:o/r:pull_request"}, "ghe.example/_services/token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused := newRefusedError("arn:aws-us-gov:iam::123456789012:role/x", token(tt.claims), usualAudience,
				awserrtest.API("AccessDenied", "no"))
			var policy struct {
				Statement []struct {
					Effect, Action string
					Principal      struct{ Federated string }
					Condition      struct{ StringEquals map[string]any }
				}
			}
			if err := json.Unmarshal([]byte(refused.TrustPolicy()), &policy); err != nil {
				t.Fatal(err)
			}
			s := policy.Statement[0]
			if s.Effect != "Allow" || s.Action != "sts:AssumeRoleWithWebIdentity" ||
				s.Condition.StringEquals[tt.provider+":aud"] != "sts.amazonaws.com" ||
				s.Principal.Federated != "arn:aws-us-gov:iam::123456789012:oidc-provider/"+tt.provider {
				t.Errorf("%+v", s)
			}
			got := fmt.Sprint(s.Condition.StringEquals[tt.provider+":sub"])
			if got != fmt.Sprint(tt.subjects) {
				t.Errorf("subjects %s, want %v", got, tt.subjects)
			}
		})
	}
	for _, token := range []string{"", "x", "a.b", "a.!.c", "a." + b64("[]") + ".c"} {
		if _, err := claimsOf(token); err == nil {
			t.Errorf("%q was read as a token", token)
		}
	}
}

// Faults that pass by themselves do not end a run, wherever they come from.
func TestConnectRetriesTransientFaults(t *testing.T) {
	twice := func(a *stsAnswer) func(string, int) *stsAnswer {
		return func(call string, n int) *stsAnswer {
			if call == "AssumeRoleWithWebIdentity" && n <= 2 {
				return a
			}
			return nil
		}
	}
	gitHubTwice := func(status int, err error) func(int) (int, string, error) {
		return func(n int) (int, string, error) {
			if n <= 2 {
				return status, "oops", err
			}
			return 0, "", nil
		}
	}
	tests := []struct {
		name   string
		github func(int) (int, string, error)
		sts    func(string, int) *stsAnswer
	}{
		{"GitHub answers 503", gitHubTwice(503, nil), nil},
		{"GitHub throttles", gitHubTwice(429, nil), nil},
		{"GitHub's connection is reset", gitHubTwice(0, syscall.ECONNRESET), nil},
		{"STS answers 500", nil, twice(&stsAnswer{status: 500, code: "InternalFailure"})},
		{"STS is behind a proxy that fails", nil, twice(&stsAnswer{status: 502, html: true})},
		{"STS throttles", nil, twice(&stsAnswer{status: 400, code: "Throttling", message: "Rate exceeded"})},
		{"STS's connection is reset", nil, twice(&stsAnswer{err: syscall.ECONNRESET})},
		{"STS cannot reach GitHub", nil, twice(&stsAnswer{status: 400, code: "IDPCommunicationError", message: "x"})},
		{"STS cannot fetch the keys", nil, twice(&stsAnswer{status: 400, code: "InvalidIdentityToken",
			message: "Couldn't retrieve verification key from your " +
				"identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.github, w.sts = tt.github, tt.sts
				env, recorder := inJob(w)
				start := time.Now()
				if _, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took == 0 || took > 5*time.Second {
					t.Errorf("took %s", took)
				}
				noCanary(t, recorder.Text())
			})
		})
	}
}

func TestConnectGivesUp(t *testing.T) {
	for name, a := range map[string]*stsAnswer{
		"keys":    {status: 400, code: "InvalidIdentityToken", message: "Couldn't retrieve verification key from your identity provider"},
		"network": {err: syscall.ECONNREFUSED},
		"proxy":   {status: 502, html: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.sts = func(string, int) *stsAnswer { return a }
				env, recorder := inJob(w)
				start := time.Now()
				_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume})
				wantFailure(t, err, action.Invalid, roleToAssume)
				if n, took := w.count("AssumeRoleWithWebIdentity"), time.Since(start); n != transientAttempts || took > 15*time.Second {
					t.Errorf("%d attempts in %s", n, took)
				}
				if w.count("github") != transientAttempts {
					t.Errorf("%d tokens for %d attempts", w.count("github"), transientAttempts)
				}
				noCanary(t, recorder.Text(), err)
			})
		})
	}
}

func TestConnectTokenRefused(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
		holds  string
	}{
		"forbidden": {403, `{"message":"canary-body"}`, "permissions: id-token: write"},
		"no token":  {200, `{"other":"canary-body"}`, "no token in the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.github = func(int) (int, string, error) { return answer.status, answer.body, nil }
			env, recorder := inJob(w)
			_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume})
			wantFailure(t, err, action.Invalid, "OIDC token", answer.holds)
			if len(w.calls) != 1 {
				t.Errorf("calls %v", w.calls)
			}
			noCanary(t, recorder.Text(), err)
		})
	}
}

func TestConnectCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.sts = func(string, int) *stsAnswer { return &stsAnswer{err: syscall.ECONNREFUSED} }
		env, _ := inJob(w)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := Connect(ctx, env, Inputs{RoleToAssume: roleToAssume})
		if took := time.Since(start); err == nil || took > 400*time.Millisecond {
			t.Errorf("ended %s after the start: %v", took, err)
		}
		if got := action.OutcomeBeforeChange(err); got != action.TimedOut {
			t.Errorf("outcome %q: %v", got, err)
		}
	})
}

// A run of three hours with credentials of one hour: each renewal asks GitHub for a token of its own.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		env, recorder := inJob(w)
		conn := mustConnect(t, env)
		client := sts.NewFromConfig(conn.Config)
		for end := time.Now().Add(3 * time.Hour); time.Now().Before(end); time.Sleep(30 * time.Second) {
			if _, err := client.GetCallerIdentity(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count("AssumeRoleWithWebIdentity"); n != 4 { // every 55 minutes
			t.Errorf("assumed %d times in 3 hours, want 4", n)
		}
		if len(w.tokens) != 4 || !slices.Equal(w.tokens, w.presented) || len(slices.Compact(slices.Sorted(slices.Values(w.presented)))) != 4 {
			t.Errorf("tokens were used twice: %d given, %d presented", len(w.tokens), len(w.presented))
		}
		noCanary(t, recorder.Text())
	})
}

// GitHub or STS failing at the time of a renewal does not end the run while the credentials in use last.
func TestRenewalBridgesAFault(t *testing.T) {
	for name, fault := range map[string]*stsAnswer{
		"no answer": {err: syscall.ECONNRESET},
		"refused":   {status: 403, code: "AccessDenied", message: "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				w.sts = func(call string, _ int) *stsAnswer {
					since := time.Since(start)
					if call == "AssumeRoleWithWebIdentity" && since > 50*time.Minute && since < 58*time.Minute {
						return fault
					}
					return nil
				}
				env, recorder := inJob(w)
				client := sts.NewFromConfig(mustConnect(t, env).Config)
				for time.Since(start) < 2*time.Hour {
					if _, err := client.GetCallerIdentity(t.Context(), nil); err != nil {
						t.Fatalf("after %s: %v", time.Since(start), err)
					}
					time.Sleep(5 * time.Second)
				}
				noCanary(t, recorder.Text())
			})
		})
	}
}

// When they have ended and cannot be had again, the call says so, as a matter of credentials and not of its own permission.
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		w.sts = func(call string, _ int) *stsAnswer {
			if call == "AssumeRoleWithWebIdentity" && time.Since(start) > time.Minute {
				return &stsAnswer{status: 403, code: "AccessDenied", message: "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
			}
			return nil
		}
		env, recorder := inJob(w)
		client := ecs.NewFromConfig(mustConnect(t, env).Config)
		time.Sleep(61 * time.Minute)
		_, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Services: []string{"x"}})
		if err == nil || awserr.IsDenied(err) || !awserr.IsCredentials(err) || awserr.Optional(env.Events, "Services", err) {
			t.Fatalf("kind %q: %v", awserr.KindOf(err), err)
		}
		text := awserr.Explain(err).Error()
		for _, part := range []string{"ECS DescribeServices got no credentials", roleToAssume, "repo:acme/shop:environment:prod"} {
			if !strings.Contains(text, part) {
				t.Errorf("lacks %q: %s", part, text)
			}
		}
		if got := action.OutcomeAfterChange(err); got != action.Unknown {
			t.Errorf("outcome %q", got)
		}
		noCanary(t, recorder.Text(), err, awserr.Explain(err))
	})
}

func mustConnect(t *testing.T, env *action.Env) *Conn {
	t.Helper()
	conn, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// The SDK refuses a client of one's own while AWS_CA_BUNDLE is set; a test's transport must work all the same.
func TestTransportWithCABundle(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", writeFile(t, "ca.pem", testCertificate))
	w := newWorld(t)
	env, _ := inJob(w)
	if _, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume}); err != nil {
		t.Fatal(err)
	}
	if len(w.calls) != 3 {
		t.Errorf("calls %v did not go through the transport", w.calls)
	}
}

func TestCABundle(t *testing.T) {
	load := func(bundle string) error {
		env, _ := actiontest.NewTestEnv(t, map[string]string{"AWS_REGION": "us-west-2", "AWS_CA_BUNDLE": bundle, "GITHUB_ACTIONS": "true"})
		if _, err := loadConfig(t.Context(), env, Inputs{}); err != nil {
			return err
		}
		transport, err := newTransport(env)
		if err == nil && transport.(*http.Transport).TLSClientConfig.RootCAs == nil {
			t.Error("the bundle is not among the roots")
		}
		return err
	}
	if err := load(writeFile(t, "ca.pem", testCertificate)); err != nil {
		t.Error(err)
	}
	if err := load(filepath.Join(t.TempDir(), "missing.pem")); err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("a bundle that is not there: %v", err)
	}
	if err := load(writeFile(t, "bad.pem", "no certificate")); err == nil {
		t.Error("a bundle without a certificate was taken")
	}
}

// What cannot be used is named by its variable, before anything is asked of anybody.
func TestConnectWithUnusableVariables(t *testing.T) {
	for variable, value := range map[string]string{
		"AWS_CA_BUNDLE": filepath.Join(t.TempDir(), "missing.pem"), "AWS_ENDPOINT_URL": "127.0.0.1:4566",
	} {
		env, _ := inEnv(newWorld(t), "AWS_REGION=us-west-2", "GITHUB_ACTIONS=true", variable+"="+value)
		if variable == "AWS_CA_BUNDLE" {
			env.Transport = nil // a test's transport needs no certificates
		}
		_, err := Connect(t.Context(), env, Inputs{})
		wantFailure(t, err, action.Invalid, variable+" is not usable", variable+": ", value)
	}
}

func TestEndpoints(t *testing.T) {
	w := newWorld(t)
	env, _ := inEnv(w, "AWS_REGION=us-west-2", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary,
		"AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_ENDPOINT_URL_STS=http://127.0.0.1:9999")
	conn, err := Connect(t.Context(), env, Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.hosts["GetCallerIdentity"]; got != "127.0.0.1:9999" {
		t.Errorf("STS at %s", got)
	}
	_, _ = ecs.NewFromConfig(conn.Config).ListClusters(t.Context(), &ecs.ListClustersInput{})
	if got := w.hosts[""]; got != "127.0.0.1:4566" {
		t.Errorf("ECS at %q", got)
	}
}

// The process's own environment is the SDK's to read: profiles, and web identity as in a pod.
func TestProcessEnvironment(t *testing.T) {
	process := func(t *testing.T, w *world) *action.Env {
		env, _ := inEnv(w)
		env.Getenv = nil
		return env
	}
	t.Run("profile", func(t *testing.T) {
		t.Setenv("AWS_PROFILE", "prod")
		t.Setenv("AWS_CONFIG_FILE", writeFile(t, "config", "[profile prod]\nregion = eu-central-1\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n"+
			"aws_secret_access_key = "+staticCanary+"\n"))
		w := newWorld(t)
		conn, err := Connect(t.Context(), process(t, w), Inputs{})
		if err != nil || conn.Region != "eu-central-1" {
			t.Fatal(conn, err)
		}
	})
	t.Run("missing profile", func(t *testing.T) {
		t.Setenv("AWS_PROFILE", "nowhere")
		_, err := Connect(t.Context(), process(t, newWorld(t)), Inputs{})
		wantFailure(t, err, action.Invalid, "nowhere")
	})
	t.Run("web identity", func(t *testing.T) {
		w := newWorld(t)
		t.Setenv("AWS_REGION", "us-west-2")
		t.Setenv("AWS_ROLE_ARN", roleToAssume)
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", writeFile(t, "token", "the-token"))
		if _, err := Connect(t.Context(), process(t, w), Inputs{}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(w.presented, []string{"the-token"}) {
			t.Errorf("presented %v", w.presented)
		}
	})
	t.Run("web identity refused at once", func(t *testing.T) {
		t.Setenv("AWS_REGION", "us-west-2")
		t.Setenv("AWS_ROLE_ARN", roleToAssume)
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", writeFile(t, "token", "the-token"))
		w := newWorld(t)
		w.sts = func(string, int) *stsAnswer {
			return &stsAnswer{status: 400, code: "InvalidIdentityToken", message: "Incorrect token audience"}
		}
		_, err := Connect(t.Context(), process(t, w), Inputs{})
		wantFailure(t, err, action.Invalid, "Incorrect token audience")
		if len(w.calls) != 1 {
			t.Errorf("tried %d times", len(w.calls))
		}
	})
}

func TestValidate(t *testing.T) {
	tests := []struct {
		in    Inputs
		holds []string // one for each problem
	}{
		{Inputs{}, nil},
		{Inputs{Region: "us-gov-west-1", RoleToAssume: "arn:aws-us-gov:iam::123456789012:role/a/b/c", AccountID: "123456789012"}, nil},
		{Inputs{RoleToAssume: "deploy", AccountID: "012345678901"}, nil},
		{Inputs{AccountID: "1234"}, []string{`account-id: "1234"`}},
		{Inputs{AccountID: "1234-5678-9012"}, []string{"account-id"}},
		{Inputs{Region: "Oregon"}, []string{`region: "Oregon" is not an AWS region: a name such as us-west-2`}},
		{Inputs{Region: "us-wset-2"}, []string{`region: "us-wset-2" is not an AWS region: did you mean us-west-2?`}},
		{Inputs{Region: "us west 2"}, []string{`region: "us west 2" is not an AWS region: did you mean us-west-2?`}},
		{Inputs{RoleToAssume: "arn:aws:iam::123456789012:user/x"}, []string{"role-to-assume"}},
		{Inputs{RoleToAssume: "deploy"}, []string{"account-id as well"}},
		{Inputs{RoleToAssume: "de ploy", AccountID: "123456789012"}, []string{"neither an ARN nor the name"}},
		{Inputs{RoleToAssume: roleToAssume, AccountID: "999999999999"}, []string{"of account 123456789012"}},
		{Inputs{Region: "x", RoleToAssume: "arn:x", AccountID: "y"}, []string{"account-id", "region", "role-to-assume"}},
	}
	for _, tt := range tests {
		problems := tt.in.Validate()
		if len(problems) != len(tt.holds) {
			t.Errorf("%+v: %v", tt.in, problems)
			continue
		}
		for i, part := range tt.holds {
			if !strings.Contains(problems[i].Error(), part) {
				t.Errorf("%+v: problem lacks %q: %v", tt.in, part, problems[i])
			}
		}
	}
	w := newWorld(t)
	env, _ := inJob(w)
	_, err := Connect(t.Context(), env, Inputs{AccountID: "1", Region: "x"})
	wantFailure(t, err, action.Invalid, "account-id", "region")
	if len(w.calls) > 0 {
		t.Errorf("calls %v with inputs that are wrong", w.calls)
	}
}

func TestRoleOfPartition(t *testing.T) {
	for region, want := range map[string]string{
		"us-west-2": "arn:aws:iam::1:role/r", "cn-north-1": "arn:aws-cn:iam::1:role/r", "us-gov-east-1": "arn:aws-us-gov:iam::1:role/r",
		"us-isob-east-1": "arn:aws-iso-b:iam::1:role/r",
	} {
		if got := (Inputs{RoleToAssume: "r", AccountID: "1"}).role(region); got != want {
			t.Errorf("%s: %s", region, got)
		}
	}
}

func TestCallerARN(t *testing.T) {
	tests := []struct{ arn, assumed, want string }{
		{"arn:aws:sts::1:assumed-role/deploy/s", "", "arn:aws:iam::1:role/deploy"},
		{"arn:aws:sts::1:assumed-role/deploy/s", "arn:aws:iam::1:role/ci/deploy", "arn:aws:iam::1:role/ci/deploy"},
		{"arn:aws:sts::1:assumed-role/other/s", "arn:aws:iam::1:role/ci/deploy", "arn:aws:iam::1:role/other"},
		{"arn:aws:sts::2:assumed-role/deploy/s", "arn:aws:iam::1:role/ci/deploy", "arn:aws:iam::2:role/deploy"},
		{"arn:aws-cn:sts::1:assumed-role/deploy/s", "", "arn:aws-cn:iam::1:role/deploy"},
		{"arn:aws:iam::1:user/u", "", "arn:aws:iam::1:user/u"},
		{"arn:aws:iam::1:root", "", "arn:aws:iam::1:root"},
	}
	for _, tt := range tests {
		if got := callerARN(tt.arn, tt.assumed); got != tt.want {
			t.Errorf("%s, assumed %q: %s, want %s", tt.arn, tt.assumed, got, tt.want)
		}
	}
}

func TestSessionName(t *testing.T) {
	long := strings.Repeat("very-long-", 10)
	tests := []struct {
		env  []string
		want string
	}{
		{[]string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=12", "GITHUB_RUN_ATTEMPT=3"}, "acme-shop@12-3"},
		{[]string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/" + long, "GITHUB_RUN_ID=17123456789", "GITHUB_RUN_ATTEMPT=1"},
			("acme-" + long)[:50] + "@17123456789-1"},
		{[]string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_RUN_ID=12", "GITHUB_RUN_ATTEMPT="}, "acme-shop@12-1"},
		{[]string{"USER=jörg müller"}, "connect2-j-rg-m-ller"},
		{[]string{"AWS_ROLE_SESSION_NAME=a:b"}, "a-b"},
		{[]string{"AWS_ROLE_SESSION_NAME=x"}, "connect2-x"},
		{nil, "connect2-cli"},
	}
	for _, tt := range tests {
		env, _ := inEnv(newWorld(t), tt.env...)
		got := sessionName(env)
		if got != tt.want || len(got) < 2 || len(got) > 64 || notSessionName.MatchString(got) {
			t.Errorf("%v: %q, want %q", tt.env, got, tt.want)
		}
	}
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The SDK's own chain, with no transport of a test's: on a machine of GitHub's it must come to its end without the network.
func TestNothingFoundByTheSDK(t *testing.T) {
	env, _ := inEnv(newWorld(t), "GITHUB_ACTIONS=true", "AWS_REGION=us-west-2")
	env.Transport = nil
	_, err := Connect(t.Context(), env, Inputs{})
	wantFailure(t, err, action.Invalid, "permissions: id-token: write")
	if !errors.Is(err, awserr.ErrNoCredentials) {
		t.Errorf("not recognised as missing credentials: %v", err)
	}
}

func BenchmarkConnect(b *testing.B) {
	w := &world{account: "123456789012", lifetime: time.Hour, hosts: map[string]string{}, roles: map[string]url.Values{}}
	env := &action.Env{Transport: w, Getenv: func(name string) string {
		return map[string]string{"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
			"AWS_SECRET_ACCESS_KEY": staticCanary}[name]
	}}
	for b.Loop() {
		if _, err := Connect(b.Context(), env, Inputs{}); err != nil {
			b.Fatal(err)
		}
	}
}
