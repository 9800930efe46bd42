package awsconn

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/action"
)

// TestChaining: what is there assumes the role in a job that may ask for a token, because the inputs say so, and with all of them.
func TestChaining(t *testing.T) {
	w := newWorld(t)
	env, recorder := inJob(w, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY="+staticCanary)
	conn, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume, RoleInputs: RoleInputs{Chaining: true, SessionName: "night",
		Duration: 20 * time.Minute, ExternalID: "ext-1", Policy: `{"Version":"2012-10-17"}`,
		Policies:    []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/own"},
		SessionTags: map[string]string{"team": "shop", "app": "api"}}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AssumeRole", "GetCallerIdentity"}, w.calls); diff != "" || conn.CallerARN != roleToAssume {
		t.Errorf("caller %s; calls -want +got\n%s", conn.CallerARN, diff)
	}
	form := w.roles["AssumeRole"]
	for name, want := range map[string]string{"RoleSessionName": "night", "DurationSeconds": "1200", "ExternalId": "ext-1",
		"Policy": `{"Version":"2012-10-17"}`, "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
		"PolicyArns.member.2.arn": "arn:aws:iam::123456789012:policy/own", "Tags.member.1.Key": "app", "Tags.member.1.Value": "api",
		"Tags.member.2.Key": "team", "Tags.member.2.Value": "shop"} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	noCanary(t, recorder.Text())
}

func TestChainingNeedsCredentials(t *testing.T) {
	w := newWorld(t)
	env, _ := inJob(w)
	_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume, RoleInputs: RoleInputs{Chaining: true}})
	wantFailure(t, err, action.Invalid, "No AWS credentials to assume the role with",
		"role-chaining: true takes the credentials of an earlier step")
	if len(w.calls) > 0 {
		t.Errorf("it called %q", w.calls)
	}
}

// TestARoleByToken: the session's inputs reach STS, and what a token cannot have is refused at once.
func TestARoleByToken(t *testing.T) {
	w := newWorld(t)
	w.audience = "sts.amazonaws.com.cn"
	env, _ := inJob(w)
	if _, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume, RoleInputs: RoleInputs{SessionName: "night",
		Duration: 2 * time.Hour, Policy: "{}", Policies: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Audience: "sts.amazonaws.com.cn"}}); err != nil {
		t.Fatal(err)
	}
	form := w.roles["AssumeRoleWithWebIdentity"]
	for name, want := range map[string]string{"RoleSessionName": "night", "DurationSeconds": "7200", "Policy": "{}",
		"PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	w = newWorld(t)
	env, _ = inJob(w)
	if _, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"DurationSeconds", "Policy", "PolicyArns.member.1.arn"} {
		if _, sent := w.roles["AssumeRoleWithWebIdentity"][name]; sent {
			t.Errorf("%s is sent without an input", name)
		}
	}

	w = newWorld(t)
	env, _ = inJob(w)
	_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume, RoleInputs: RoleInputs{ExternalID: "ext",
		SessionTags: map[string]string{"a": "b"}}})
	wantFailure(t, err, action.Invalid, "role-external-id", "role-session-tags", "role-chaining: true")
	if len(w.calls) > 0 {
		t.Errorf("it called %q", w.calls)
	}
}

// A refusal speaks of the audience that was asked for.
func TestARefusalNamesTheAudience(t *testing.T) {
	w := newWorld(t)
	w.audience = "https://acme.example"
	w.sts = func(call string, _ int) *stsAnswer {
		return &stsAnswer{status: 403, code: "AccessDenied", message: "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
	}
	env, _ := inJob(w)
	_, err := Connect(t.Context(), env, Inputs{RoleToAssume: roleToAssume, RoleInputs: RoleInputs{Audience: "https://acme.example"}})
	wantFailure(t, err, action.Invalid, `accepts aud https://acme.example`, `"token.actions.githubusercontent.com:aud": "https://acme.example"`)
}

func TestRoleInputs(t *testing.T) {
	long := strings.Repeat("x", 2050)
	for name, c := range map[string]struct {
		in   RoleInputs
		role bool
		says []string // each in a problem of its own
	}{
		"nothing": {RoleInputs{}, false, nil},
		"all": {RoleInputs{true, "ab", 12 * time.Hour, "e:/1", "{}",
			[]string{"arn:aws-cn:iam::aws:policy/x"}, map[string]string{"a": ""}, "aud"}, true, nil},
		"without a role": {RoleInputs{true, "ab", time.Hour, "ex", "{}",
			[]string{"arn:aws:iam::aws:policy/x"}, map[string]string{"a": "b"}, "aud"}, false,
			[]string{"role-chaining", "role-session-name", "role-duration", "role-external-id", "inline-session-policy",
				"managed-session-policies", "role-session-tags", "audience"}},
		"a short session":  {RoleInputs{Duration: 15*time.Minute - time.Second}, true, []string{"15m to 12h"}},
		"a long session":   {RoleInputs{Duration: 12*time.Hour + time.Second}, true, []string{"15m to 12h"}},
		"the shortest":     {RoleInputs{Duration: 15 * time.Minute}, true, nil},
		"a name":           {RoleInputs{SessionName: "a b"}, true, []string{"role-session-name"}},
		"a short name":     {RoleInputs{SessionName: "a"}, true, []string{"role-session-name"}},
		"an id":            {RoleInputs{ExternalID: "a b"}, true, []string{"role-external-id"}},
		"a long id":        {RoleInputs{ExternalID: long[:1225]}, true, []string{"role-external-id"}},
		"no policy":        {RoleInputs{Policy: "[]"}, true, []string{"not a JSON object"}},
		"a large policy":   {RoleInputs{Policy: `{"a":"` + long + `"}`}, true, []string{"2058 characters"}},
		"policy names":     {RoleInputs{Policies: []string{"ReadOnlyAccess"}}, true, []string{`"ReadOnlyAccess"`}},
		"policies":         {RoleInputs{Policies: make11()}, true, []string{"there are 11"}},
		"a long tag":       {RoleInputs{SessionTags: map[string]string{long[:129]: ""}}, true, []string{"128 characters"}},
		"a long tag value": {RoleInputs{SessionTags: map[string]string{"a": long[:257]}}, true, []string{"a value 256"}},
	} {
		problems := c.in.problems(c.role)
		if len(problems) != len(c.says) {
			t.Errorf("%s: %q, want %q", name, problems, c.says)
			continue
		}
		for i, want := range c.says {
			if !strings.Contains(problems[i].Error(), want) {
				t.Errorf("%s: %q does not say %q", name, problems[i], want)
			}
		}
	}
}

func make11() (policies []string) {
	for range 11 {
		policies = append(policies, "arn:aws:iam::aws:policy/ReadOnlyAccess")
	}
	return policies
}
