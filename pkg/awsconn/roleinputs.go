package awsconn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
)

// RoleInputs say how the role is assumed. They are named as those of aws-actions/configure-aws-credentials.
type RoleInputs struct {
	Chaining    bool              `input:"role-chaining" default:"false" doc:"Assume the role with the existing credentials, from an earlier step or the machine, even if the job may request an OIDC token."`
	SessionName string            `input:"role-session-name" doc:"Name of the role's session, which CloudTrail shows. Empty: AWS_ROLE_SESSION_NAME, or OWNER-REPOSITORY@RUN-ATTEMPT."`
	Duration    time.Duration     `input:"role-duration" alias:"role-duration-seconds(s)" doc:"How long the role's credentials last, 15m to 12h and no longer than the role allows. Empty: 1h. They are renewed before they expire."`
	ExternalID  string            `input:"role-external-id" doc:"External id that the role's trust policy requires. Only for a role that is assumed with credentials: an OIDC token has none."`
	Policy      string            `input:"inline-session-policy" doc:"An IAM policy, in JSON, that limits the session's permissions."`
	Policies    []string          `input:"managed-session-policies" doc:"ARNs of managed policies that limit the session's permissions."`
	SessionTags map[string]string `input:"role-session-tags" doc:"Tags of the session. Only for a role that is assumed with credentials, and that allows sts:TagSession."`
	Audience    string            `input:"audience" doc:"Audience of the OIDC token. Empty: sts.amazonaws.com."`
}

// Limits of STS: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var (
	sessionNameForm = lazyregexp.New(`^[\w+=,.@-]{2,64}$`)
	externalIDForm  = lazyregexp.New(`^[\w+=,.@:/-]{2,}$`)
	policyARN       = lazyregexp.New(`^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/\S+$`)
)

const (
	shortestSession, longestSession = 15 * time.Minute, 12 * time.Hour
	longestPolicy                   = 2048 // characters
	longestExternalID               = 1224
	mostPolicies, mostTags          = 10, 50
)

// problems returns what is wrong with the inputs by themselves.
func (in RoleInputs) problems(role bool) (all []error) {
	problem := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	for _, each := range []struct {
		name  string
		given bool
	}{
		{"role-chaining", in.Chaining}, {"role-session-name", in.SessionName != ""}, {"role-duration", in.Duration != 0},
		{"role-external-id", in.ExternalID != ""}, {"inline-session-policy", in.Policy != ""},
		{"managed-session-policies", len(in.Policies) > 0}, {"role-session-tags", len(in.SessionTags) > 0}, {"audience", in.Audience != ""},
	} {
		if each.given && !role {
			problem("%s: there is no role-to-assume that it could belong to", each.name)
		}
	}
	if in.SessionName != "" && !sessionNameForm.MatchString(in.SessionName) {
		problem("role-session-name: %q is not one: 2 to 64 letters, digits and _+=,.@-", in.SessionName)
	}
	if in.Duration != 0 && (in.Duration < shortestSession || in.Duration > longestSession) {
		problem("role-duration: %s is out of range: 15m to 12h", in.Duration)
	}
	if in.ExternalID != "" && (len(in.ExternalID) > longestExternalID || !externalIDForm.MatchString(in.ExternalID)) {
		problem("role-external-id: it has 2 to 1224 letters, digits and _+=,.@:/-")
	}
	var document map[string]any
	switch {
	case in.Policy == "":
	case json.Unmarshal([]byte(in.Policy), &document) != nil:
		problem("inline-session-policy: it is not a JSON object")
	case len(in.Policy) > longestPolicy:
		problem("inline-session-policy: it has %d characters, and STS takes %d: a managed policy has room for more", len(in.Policy),
			longestPolicy)
	}
	if len(in.Policies) > mostPolicies {
		problem("managed-session-policies: there are %d, and STS takes %d", len(in.Policies), mostPolicies)
	}
	for _, policy := range in.Policies {
		if !policyARN.MatchString(policy) {
			problem("managed-session-policies: %q is not the ARN of a policy", policy)
		}
	}
	if len(in.SessionTags) > mostTags {
		problem("role-session-tags: there are %d, and STS takes %d", len(in.SessionTags), mostTags)
	}
	for key, value := range in.SessionTags {
		if len(key) > 128 || len(value) > 256 {
			problem("role-session-tags: %q: a key has at most 128 characters, a value 256", key)
		}
	}
	return all
}

// withToken refuses what a role that is assumed with an OIDC token cannot be given: AssumeRoleWithWebIdentity has no such parameters.
func (in RoleInputs) withToken() error {
	var problems []error
	if in.ExternalID != "" {
		problems = append(problems, errors.New("role-external-id: the role is assumed with the job's OIDC token, which has none"))
	}
	if len(in.SessionTags) > 0 {
		problems = append(problems, errors.New("role-session-tags: the role is assumed with the job's OIDC token, whose tags are its own"))
	}
	if len(problems) == 0 {
		return nil
	}
	return invalid("An input does not fit the way to the role", "Leave it out, or set role-chaining: true to assume the role with the "+
		"credentials of an earlier step.", errors.Join(problems...))
}

// seconds is the duration as STS takes it; nil is its default, an hour.
func (in RoleInputs) seconds() *int32 {
	if in.Duration == 0 {
		return nil
	}
	return aws.Int32(int32(in.Duration / time.Second)) // at most 43,200
}

func (in RoleInputs) policies() (inline *string, managed []types.PolicyDescriptorType) {
	if in.Policy != "" {
		inline = &in.Policy
	}
	for _, policy := range in.Policies {
		managed = append(managed, types.PolicyDescriptorType{Arn: &policy})
	}
	return inline, managed
}

// identity is the request for the role with a token.
func (in RoleInputs) identity(role, session, token string) *sts.AssumeRoleWithWebIdentityInput {
	request := &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: &session, WebIdentityToken: &token,
		DurationSeconds: in.seconds()}
	request.Policy, request.PolicyArns = in.policies()
	return request
}

// chained is the request for the role with credentials.
func (in RoleInputs) chained(role, session string) *sts.AssumeRoleInput {
	request := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &session, DurationSeconds: in.seconds()}
	request.Policy, request.PolicyArns = in.policies()
	if in.ExternalID != "" {
		request.ExternalId = &in.ExternalID
	}
	for _, key := range slices.Sorted(maps.Keys(in.SessionTags)) {
		request.Tags = append(request.Tags, types.Tag{Key: &key, Value: aws.String(strings.TrimSpace(in.SessionTags[key]))})
	}
	return request
}

// session is the name of the role's session.
func (in RoleInputs) session(env *action.Env) string {
	if in.SessionName != "" {
		return in.SessionName
	}
	return sessionName(env)
}

// haveCredentials refuses a chain that has nothing to begin with.
func haveCredentials(ctx context.Context, cfg aws.Config) error {
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil && nothingFound(err) {
		return invalid("No AWS credentials to assume the role with", "role-chaining: true takes the credentials of an earlier step or the "+
			"machine. Have one set AWS_ACCESS_KEY_ID and its like, or leave role-chaining out: then the job's OIDC token is used.", err)
	}
	return nil
}
