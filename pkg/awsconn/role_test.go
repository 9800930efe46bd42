package awsconn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

// A secret is masked from 16 bytes on: shorter ones are a stand-in's, and words of the log.
func TestMaskCredentials(t *testing.T) {
	for _, test := range []struct {
		name, secret string
		hidden       bool
	}{
		{"15 bytes", "abcdefghijklmno", false},
		{"16 bytes", "abcdefghijklmnop", true},
		{"17 bytes", "abcdefghijklmnopq", true},
		{"a stand-in's", "test", false},
	} {
		for _, c := range []aws.Credentials{{SecretAccessKey: test.secret}, {SessionToken: test.secret}} {
			c.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
			env, recorder := inEnv(newWorld(t))
			hideCredentials(env, c)
			env.Events.Notef("%s", "key AKIAIOSFODNN7EXAMPLE, secret <"+test.secret+">")
			events := strings.Join(recorder.Events(), "\n")
			if strings.Contains(events, "<"+test.secret+">") == test.hidden || !strings.Contains(events, "AKIAIOSFODNN7EXAMPLE") {
				t.Errorf("%s: %q", test.name, events)
			}
		}
	}
}

// answers makes an assume of these answers, one for each call.
func answers(t *testing.T, all ...any) func(context.Context) (*types.Credentials, error) {
	limit := 90 * time.Second // the first; a renewal holds up a rollout
	return func(ctx context.Context) (*types.Credentials, error) {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != limit {
			t.Errorf("a renewal has until %s, not %s", deadline, limit)
		}
		limit = 30 * time.Second
		next := all[0]
		all = all[1:]
		switch next := next.(type) {
		case error:
			return nil, next
		case time.Time:
			return &types.Credentials{AccessKeyId: aws.String("AKIA"), SecretAccessKey: aws.String("secret"), Expiration: &next}, nil
		}
		return nil, nil
	}
}

func debug(r *actiontest.Recorder) string {
	var lines []string
	for _, e := range r.Of("debug") {
		lines = append(lines, e.Text)
	}
	return strings.Join(lines, "\n")
}

func TestRetrieve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, recorder := inEnv(newWorld(t))
		ends := time.Now().Add(time.Hour)
		broken := errors.New("broken")
		p := &roleProvider{env: env, assume: answers(t, ends, ends.Add(time.Hour), nil, broken)}
		first, err := p.Retrieve(t.Context())
		if err != nil || first.AccessKeyID != "AKIA" || !first.CanExpire || !first.Expires.Equal(ends) {
			t.Errorf("%+v: %v", first, err)
		}
		if strings.Contains(debug(recorder), "renewed") {
			t.Errorf("the first ones are told as renewed: %s", debug(recorder))
		}
		if _, err := p.Retrieve(t.Context()); err != nil {
			t.Error(err)
		}
		want := "AWS credentials renewed, they last until " + ends.Add(time.Hour).UTC().Format(time.TimeOnly) + " UTC"
		if strings.Count(debug(recorder), want) != 1 {
			t.Errorf("%q is not told in %s", want, debug(recorder))
		}
		if c, err := p.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "holds no credentials") || c.HasKeys() {
			t.Errorf("an answer without credentials: %+v, %v", c, err)
		}
		if _, err := p.Retrieve(t.Context()); !errors.Is(err, broken) || err.Error() != "broken" {
			t.Errorf("%v", err)
		}
	})
}

// What is lost is said as soon as a renewal fails, once; and that it came after all; and, when they have ended, which ones did.
func TestCredentialsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, recorder := inEnv(newWorld(t))
		broken := errors.New("broken")
		ends := time.Now().Add(time.Hour)
		p := &roleProvider{env: env, assume: answers(t, ends, ends.Add(time.Hour), broken, broken)}
		keys, err := p.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := p.HandleFailToRefresh(t.Context(), keys, broken); err != nil {
				t.Error(err)
			}
		}
		want := "those in use last until 01:00:00 UTC, and it is tried again every 30s"
		if got := recorder.Warnings(); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("warnings %q", got)
		}
		if _, err := p.Retrieve(t.Context()); err != nil {
			t.Error(err)
		}
		if got := strings.Join(recorder.Events(), "\n"); !strings.Contains(got, "are renewed after all, they last until 02:00:00 UTC") {
			t.Errorf("told %s", got)
		}
		time.Sleep(2*time.Hour - 1)
		if _, err := p.Retrieve(t.Context()); err == nil || err.Error() != "broken" {
			t.Errorf("a moment before: %v", err)
		}
		time.Sleep(time.Nanosecond)
		want = "ended at 02:00:00 UTC and could not be renewed"
		if _, err := p.Retrieve(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v", err)
		}
	})
}

// TestHandleFailToRefresh says for how long the credentials in use do, when no others can be had: until they end, and asked anew
// half a minute later.
func TestHandleFailToRefresh(t *testing.T) {
	refused := errors.New("refused")
	keys := aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret", CanExpire: true}
	for _, test := range []struct {
		name     string
		previous aws.Credentials
		left     time.Duration
		again    time.Duration // 0: they do no more
	}{
		{"they last", keys, 4 * time.Minute, 30 * time.Second},
		{"they last for less than half a minute", keys, 10 * time.Second, 10 * time.Second},
		{"they last for eleven seconds", keys, 11 * time.Second, 11 * time.Second},
		{"they last for a moment", keys, 1, 1},
		{"they end now", keys, 0, 0},
		{"they have ended", keys, -time.Second, 0},
		{"there are none", aws.Credentials{}, 4 * time.Minute, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			env, recorder := inEnv(newWorld(t))
			p := &roleProvider{env: env, expires: time.Now().Add(test.left)}
			got, err := p.HandleFailToRefresh(t.Context(), test.previous, refused)
			if test.again == 0 {
				if !errors.Is(err, refused) || got.HasKeys() {
					t.Errorf("%s: %+v, %v", test.name, got, err)
				}
				return
			}
			if again := time.Until(got.Expires) - 5*time.Minute; err != nil || got.AccessKeyID != "AKIA" || again != test.again {
				t.Errorf("%s: asked anew after %s, want %s: %v", test.name, again, test.again, err)
			}
			want := "those in use last until " + p.expires.UTC().Format(time.TimeOnly) + " UTC"
			if told := recorder.Warnings(); len(told) != 1 || !strings.Contains(told[0], want) || !strings.HasSuffix(told[0], "refused") {
				t.Errorf("%s: %q is not told in %q", test.name, want, told)
			}
			_, _ = p.HandleFailToRefresh(t.Context(), test.previous, refused)
			want = "AWS credentials not renewed, those in use last another " + test.left.Round(time.Second).String() + ": refused"
			if !strings.Contains(debug(recorder), want) || len(recorder.Warnings()) != 1 {
				t.Errorf("%s: %q is not told in %s", test.name, want, debug(recorder))
			}
		})
	}
}

// The role is assumed once, its credentials are used until five minutes before their end, and renewed then.
func TestRoleCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, _ := inEnv(newWorld(t))
		begun := time.Now()
		p, err := roleCredentials(t.Context(), env, answers(t, begun.Add(time.Hour), begun.Add(2*time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			at   time.Duration
			ends time.Duration // of the credentials that are used; the cache takes the five minutes off
		}{
			{0, 55 * time.Minute},
			{55*time.Minute - 1, 55 * time.Minute},
			{55 * time.Minute, 115 * time.Minute},
			{115*time.Minute - 1, 115 * time.Minute},
		} {
			time.Sleep(time.Until(begun.Add(test.at)))
			if got, err := p.Retrieve(t.Context()); err != nil || got.Expires.Sub(begun) != test.ends {
				t.Errorf("after %s: they last %s, want %s: %v", test.at, got.Expires.Sub(begun), test.ends, err)
			}
		}
	})
	env, _ := inEnv(newWorld(t))
	broken := errors.New("broken")
	if p, err := roleCredentials(t.Context(), env, func(context.Context) (*types.Credentials, error) { return nil, broken }); !errors.Is(err,
		broken) || p != nil {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestIdentityIsTransient(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"the issuer does not answer", awserrtest.API("IDPCommunicationError", "x"), true},
		{"its keys cannot be read", awserrtest.API("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"),
			true},
		{"the token is refused", awserrtest.API("InvalidIdentityToken", "Incorrect token audience"), false},
		{"throttled", awserrtest.API("ThrottlingException", "Rate exceeded"), true},
		{"the role is refused", awserrtest.API("AccessDenied", "x"), false},
		{"STS fails", awserrtest.Answered("STS", "AssumeRoleWithWebIdentity", 503, awserrtest.API("InternalFailure", "x")), true},
		{"something else", errors.New("x"), false},
	} {
		if got := identityIsTransient(test.err); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRefusedErrorIsToldByItsAnswer(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/deploy"
	for _, test := range []struct{ name, code, message, title, advice string }{
		{"no provider", "InvalidIdentityToken", "No OpenIDConnect provider found",
			"The account has no OIDC provider for GitHub", "Create it once in account 123456789012: "},
		{"audience", "InvalidIdentityToken", "Incorrect token audience",
			"The account's OIDC provider does not accept the audience sts.amazonaws.com", "Add it once in account 123456789012: "},
		{"trust policy", "AccessDenied", "x",
			"The trust policy of role deploy does not accept this job", "Check that the role exists under exactly this name, "},
		{"in passing", "IDPCommunicationError", "x",
			"AWS could not verify the OIDC token of the job", "This passes by itself as a rule, and was retried: run again."},
		{"anything else", "ValidationError", "x",
			"AWS refuses to give out role deploy", "The message of STS above says what it does not accept."},
	} {
		cause := awserrtest.API(test.code, test.message)
		e := newRefusedError(role, "", usualAudience, cause)
		if e.Title() != test.title || !strings.HasPrefix(e.Advice(), test.advice) || !errors.Is(e, cause) {
			t.Errorf("%s: %q, %q, %v", test.name, e.Title(), e.Advice(), errors.Unwrap(e))
		}
	}
	if e := newRefusedError("deploy", "", usualAudience, awserrtest.API("AccessDenied", "x")); e.provider() != "" || e.account() != "" {
		t.Errorf("of what is not an ARN: provider %q, account %q", e.provider(), e.account())
	}
}

func TestFitSessionName(t *testing.T) {
	long := strings.Repeat("a", 80)
	for _, test := range []struct{ name, end, want string }{
		{"ab", "", "ab"},
		{"a", "", "connect2-a"},
		{"", "@1", "@1"},
		{long, "", long[:64]},
		{long, "@12-1", long[:59] + "@12-1"},
		{"acme", "@" + long, "acme@" + long[:31]},
		{long, "@" + long, long[:32] + "@" + long[:31]},
		{"a/b", "@1 2", "a-b@1-2"},
	} {
		if got := fitSessionName(test.name, test.end); got != test.want {
			t.Errorf("%q and %q: %q, want %q", test.name, test.end, got, test.want)
		}
	}
}
