package awsconn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
)

const (
	// renewBefore is how long before their end credentials are renewed: long enough to wait out a fault of GitHub or STS.
	renewBefore = 5 * time.Minute
	// renewAgain is when a renewal that failed is tried anew, while the credentials that are there still last.
	renewAgain = 30 * time.Second
	// assumeTimeout bounds the first assumption of the role, with the retries in it.
	assumeTimeout = 90 * time.Second
	// renewTimeout bounds one renewal: a rollout goes on meanwhile, and its next call waits for it.
	renewTimeout = 30 * time.Second
)

// roleCredentials assumes the role and returns its credentials, renewed for as long as they are asked for. ctx ends the first
// attempt only: what a cancelled run has to clean up needs credentials too.
func roleCredentials(ctx context.Context, env *action.Env, assume func(context.Context) (*types.Credentials, error),
) (aws.CredentialsProvider, error) {
	p := &roleProvider{env: env, assume: assume}
	first, err := p.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	p.first = &first
	return aws.NewCredentialsCache(p, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = renewBefore }), nil
}

// roleProvider makes SDK credentials of an STS answer, and bridges a renewal that fails.
type roleProvider struct {
	env    *action.Env
	assume func(context.Context) (*types.Credentials, error)

	mu      sync.Mutex
	first   *aws.Credentials // assumed before there was a cache, and not fetched by it yet
	expires time.Time        // of the newest credentials, as STS said it: the cache moves its own copy
	failed  bool             // the newest renewal did, and that was told
}

// Retrieve assumes the role.
func (p *roleProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if first := p.takeFirst(); first != nil {
		return *first, nil
	}
	limit, ends := assumeTimeout, p.ends()
	if !ends.IsZero() {
		limit = renewTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	got, err := p.assume(ctx)
	switch {
	case err != nil && !ends.IsZero() && !time.Now().Before(ends):
		return aws.Credentials{}, fmt.Errorf("the AWS credentials of this run ended at %s and could not be renewed: %w", clockTime(ends), err)
	case err != nil:
		return aws.Credentials{}, err
	}
	if got == nil {
		return aws.Credentials{}, errors.New("assume role: the answer of STS holds no credentials")
	}
	credentials := aws.Credentials{
		AccessKeyID:     aws.ToString(got.AccessKeyId),
		SecretAccessKey: aws.ToString(got.SecretAccessKey),
		SessionToken:    aws.ToString(got.SessionToken),
		Source:          "role-to-assume",
		CanExpire:       true,
		Expires:         aws.ToTime(got.Expiration),
	}
	hideCredentials(p.env, credentials)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed:
		p.env.Events.Notef("the AWS credentials are renewed after all, they last until %s", clockTime(credentials.Expires))
	case !p.expires.IsZero():
		p.env.Events.Debugf("AWS credentials renewed, they last until %s", clockTime(credentials.Expires))
	}
	p.expires, p.failed = credentials.Expires, false
	return credentials, nil
}

// ends returns when the credentials end that are there; zero where there are none yet.
func (p *roleProvider) ends() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expires
}

func clockTime(t time.Time) string { return t.UTC().Format(time.TimeOnly + " UTC") }

func (p *roleProvider) takeFirst() *aws.Credentials {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.first
	p.first = nil
	return first
}

// HandleFailToRefresh goes on with the previous credentials while they last: renewal starts minutes before their end, and
// a fault of GitHub or STS in that time must not end a rollout.
func (p *roleProvider) HandleFailToRefresh(_ context.Context, previous aws.Credentials, err error) (aws.Credentials, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := time.Until(p.expires)
	if !previous.HasKeys() || left <= 0 {
		return aws.Credentials{}, err
	}
	p.tellFailed(left, err)
	// The cache takes renewBefore off again, so that it asks anew after renewAgain, or when they end.
	previous.Expires = time.Now().Add(min(renewAgain, left) + renewBefore)
	return previous, nil
}

// tellFailed says at once what is about to be lost and how long it is tried; of a row of failures the first is told.
func (p *roleProvider) tellFailed(left time.Duration, err error) {
	if p.failed {
		p.env.Events.Debugf("AWS credentials not renewed, those in use last another %s: %v", left.Round(time.Second), err)
		return
	}
	p.failed = true
	p.env.Events.Warnf("AWS credentials not renewed",
		"those in use last until %s, and it is tried again every %s until then; after that no call "+
			"to AWS is answered, and what ECS is doing by then it goes on with: %v", clockTime(p.expires), renewAgain, awserr.Explain(err))
}

// hideCredentials hides what must not be seen; the access key id is not a secret and helps in looking through CloudTrail.
func hideCredentials(env *action.Env, c aws.Credentials) {
	// Stand-ins take "test" for a secret. As a mask it would eat every such word of the log, and protect nothing.
	for _, secret := range []string{c.SecretAccessKey, c.SessionToken} {
		if len(secret) >= 16 {
			env.Hide(secret)
		}
	}
}

// assumeWithIDToken exchanges a fresh OIDC token of the job for credentials of the role. Transient faults of STS are retried
// with a new token, refusals are not: they are a [RefusedError].
func assumeWithIDToken(client *sts.Client, tokens *idTokens, role, session string,
	in RoleInputs) func(context.Context) (*types.Credentials, error) {
	return func(ctx context.Context) (got *types.Credentials, err error) {
		err = transient(ctx, func() (again bool, err error) {
			token, err := tokens.get(ctx)
			if err != nil {
				return false, err // retried in there
			}
			out, err := client.AssumeRoleWithWebIdentity(ctx, in.identity(role, session, token),
				func(o *sts.Options) { o.Retryer = aws.NopRetryer{} })
			var answer smithy.APIError
			if err != nil && !errors.As(err, &answer) {
				return identityIsTransient(err), fmt.Errorf("assume role %s with the job's OIDC token: %w", role, err)
			}
			if err != nil {
				return identityIsTransient(err), newRefusedError(role, token, tokens.audience, err)
			}
			got = out.Credentials
			return false, nil
		})
		return got, err
	}
}

// assumeWithCredentials assumes the role with credentials that are there already (role chaining: AWS limits the session to an
// hour, which the renewal makes up for).
func assumeWithCredentials(client *sts.Client, role, session string, in RoleInputs,
) func(context.Context) (*types.Credentials, error) {
	return func(ctx context.Context) (*types.Credentials, error) {
		out, err := client.AssumeRole(ctx, in.chained(role, session))
		if err != nil {
			return nil, fmt.Errorf("assume role %s: %w", role, err)
		}
		return out.Credentials, nil
	}
}

// identityIsTransient reports a failed exchange that may pass by itself.
func identityIsTransient(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "IDPCommunicationError":
			return true
		case "InvalidIdentityToken":
			return !identityIsFinal(err)
		}
	}
	kind := awserr.KindOf(err)
	return kind == awserr.KindLost || kind == awserr.KindThrottled
}

// RefusedError is a role that could not be assumed with the job's OIDC token: what the token said, and what would have
// been accepted.
type RefusedError struct {
	Role     string   // ARN
	Subject  string   // the token's sub claim; empty where the token could not be read
	Audience []string // the token's aud claim
	Err      error    // as STS answered

	asked  string // the audience that the token was asked for with
	claims claims
	token  string // to be kept out of every message; STS quotes it in validation errors
}

func newRefusedError(role, token, audience string, err error) *RefusedError {
	c, _ := claimsOf(token) // unreadable: told as unknown
	return &RefusedError{Role: role, Subject: c.Subject, Audience: c.Audience, Err: err, claims: c, token: token, asked: audience}
}

// Error names the role, the token's claims, and what STS answered. It never holds the token.
func (e *RefusedError) Error() string {
	answer := awserr.Said(e.Err)
	return fmt.Sprintf("assume role %s with the job's OIDC token (sub %q, aud %q): %s", e.Role, cmp.Or(e.Subject, "unknown"),
		cmp.Or(strings.Join(e.Audience, " "), "unknown"), strings.ReplaceAll(cmp.Or(answer, e.Err.Error()), e.token, "***"))
}

// Is makes it one of the errors of a run without credentials.
func (e *RefusedError) Is(target error) bool { return target == awserr.ErrNoCredentials }

// Unwrap returns the answer of STS.
func (e *RefusedError) Unwrap() error { return e.Err }

// Title returns the root cause in one line.
func (e *RefusedError) Title() string {
	name := awserr.Principal(e.Role)
	switch {
	case e.is("No OpenIDConnect provider"):
		return "The account has no OIDC provider for GitHub"
	case e.is("Incorrect token audience"):
		return "The account's OIDC provider does not accept the audience " + e.asked
	case e.byTrustPolicy():
		return fmt.Sprintf("The trust policy of %s does not accept this job", name)
	case identityIsTransient(e.Err):
		return "AWS could not verify the OIDC token of the job"
	default:
		return fmt.Sprintf("AWS refuses to give out %s", name)
	}
}

// Advice tells what to change. Where it is the trust policy, [RefusedError.TrustPolicy] has one to copy.
func (e *RefusedError) Advice() string {
	issuer, account := e.issuer(), e.account()
	switch {
	case e.is("No OpenIDConnect provider"):
		return fmt.Sprintf("Create it once in account %s: aws iam create-open-id-connect-provider --url https://%s --client-id-list %s",
			account, issuer, e.asked)
	case e.is("Incorrect token audience"):
		return fmt.Sprintf("Add it once in account %s: aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn %s "+
			"--client-id %s", account, e.provider(), e.asked)
	case e.byTrustPolicy():
		return fmt.Sprintf("Check that the role exists under exactly this name, and that its trust policy accepts aud %s and one of sub %s "+
			"(the two forms of GitHub's subject; letter case counts).", e.asked, strings.Join(e.claims.subjects(), ", "))
	case identityIsTransient(e.Err):
		return "This passes by itself as a rule, and was retried: run again."
	default:
		return "The message of STS above says what it does not accept."
	}
}

// TrustPolicy returns the JSON of a trust policy that would accept the token, and no other subject: the one it carries, in
// both forms that GitHub uses.
func (e *RefusedError) TrustPolicy() string {
	type statement struct {
		Effect    string
		Principal map[string]string
		Action    string
		Condition map[string]map[string]any
	}
	policy := struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{
		Effect:    "Allow",
		Principal: map[string]string{"Federated": e.provider()},
		Action:    "sts:AssumeRoleWithWebIdentity",
		Condition: map[string]map[string]any{"StringEquals": {
			e.issuer() + ":aud": e.asked,
			e.issuer() + ":sub": e.claims.subjects(),
		}},
	}}}
	text, err := json.MarshalIndent(policy, "", "  ")
	if err != nil {
		panic(err) // strings and maps of strings always marshal
	}
	return string(text)
}

func (e *RefusedError) issuer() string {
	return cmp.Or(strings.TrimPrefix(e.claims.Issuer, "https://"), "token.actions.githubusercontent.com")
}

func (e *RefusedError) account() string {
	role, _ := arn.Parse(e.Role) // of what is no ARN nothing is known
	return role.AccountID
}

func (e *RefusedError) provider() string {
	role, err := arn.Parse(e.Role)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", role.Partition, role.AccountID, e.issuer())
}

// byTrustPolicy reports the refusal that STS words alike for a trust policy that does not match and a role that is not there.
func (e *RefusedError) byTrustPolicy() bool {
	code, _ := awserr.Answer(e.Err)
	return code == "AccessDenied"
}

func (e *RefusedError) is(text string) bool {
	_, message := awserr.Answer(e.Err)
	return strings.Contains(message, text)
}

var notSessionName = lazyregexp.New(`[^\w+=,.@-]+`)

// sessionName names the role's session after the run, so that CloudTrail leads back to it: OWNER-REPO@RUN-ATTEMPT. STS takes 2
// to 64 characters of [\w+=,.@-]; where that is too short, the repository is cut and the run is kept.
func sessionName(env *action.Env) string {
	if name := env.Var("AWS_ROLE_SESSION_NAME"); name != "" {
		return fitSessionName(name, "")
	}
	if env.GitHub.Repository == "" {
		return fitSessionName("connect2-"+cmp.Or(env.Var("USER"), "cli"), "")
	}
	return fitSessionName(env.GitHub.Repository, "@"+env.GitHub.RunID+"-"+cmp.Or(env.GitHub.RunAttempt, "1"))
}

func fitSessionName(name, end string) string {
	const limit = 64
	name, end = notSessionName.ReplaceAllString(name, "-"), notSessionName.ReplaceAllString(end, "-")
	end = end[:min(len(end), limit/2)]
	name = name[:min(len(name), limit-len(end))] + end
	if len(name) < 2 {
		name = "connect2-" + name
	}
	return name
}
