package awsconn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/org/connect2/v2/internal/regions"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
)

// Conn is a connection to one account and region, checked and ready for service clients: ecs.NewFromConfig(conn.Config).
type Conn struct {
	Config    aws.Config        // credentials renew themselves, calls are retried
	AccountID string            // 12 digits
	Region    string            // us-west-2
	CallerARN string            // who is calling, in the form that IAM policies and simulations take: a role's ARN, not its session's
	Transport http.RoundTripper // for hosts beside AWS's APIs (registries): trusts AWS_CA_BUNDLE too; never nil
}

// Connect configures AWS from the environment and the inputs, assumes the role, and checks the account. It changes nothing:
// whatever is wrong is an [action.Error] with the outcome Invalid, unless the context ends first.
func Connect(ctx context.Context, env *action.Env, in Inputs) (*Conn, error) {
	if problems := in.Validate(); len(problems) > 0 {
		return nil, &action.Error{Outcome: action.Invalid, Title: "Invalid input", Err: errors.Join(problems...)}
	}
	hideCredentials(env, aws.Credentials{SecretAccessKey: env.Var("AWS_SECRET_ACCESS_KEY"), SessionToken: env.Var("AWS_SESSION_TOKEN")})
	if err := checkFiles(env); err != nil {
		return nil, err
	}
	transport, err := newTransport(env) // before the SDK reads the same file, whose error names no variable
	if err != nil {
		return nil, invalid("AWS_CA_BUNDLE is not usable",
			"It names a file of PEM certificates; inside a container action, one that is mounted there.", err)
	}
	if err := checkEndpoint(env); err != nil {
		return nil, invalid("AWS_ENDPOINT_URL is not usable", "Write it as http://HOST:PORT or https://HOST, or unset it to use AWS itself.", err)
	}
	cfg, err := loadConfig(ctx, env, in)
	if err != nil {
		return nil, invalid("AWS configuration is not usable", "Check the AWS_ variables and the profile they name.",
			fmt.Errorf("read the AWS configuration: %w", err))
	}
	if cfg.Region == "" {
		return nil, invalid("No AWS region", "Set the input region, or AWS_REGION in the environment.",
			errors.New("the AWS region is not set: neither by the input region nor by AWS_REGION, AWS_DEFAULT_REGION or the profile"))
	}
	if wrong := regions.Wrong(cfg.Region); wrong != "" { // that of the input was looked at before
		return nil, invalid("The AWS region is misspelt", "Correct it there, or give the input region, which beats it.",
			fmt.Errorf("AWS_REGION, AWS_DEFAULT_REGION or the profile says the region is %q, which %s", cfg.Region, wrong))
	}
	role := in.role(cfg.Region)
	if role == "" {
		_, err = cfg.Credentials.Retrieve(ctx)
	} else {
		cfg.Credentials, err = assume(ctx, env, cfg, transport, role, in.RoleInputs)
	}
	if err != nil {
		return nil, noCredentials(ctx, env, role, err)
	}
	conn := &Conn{Config: cfg, Region: cfg.Region, Transport: transport}
	if err := conn.identify(ctx, role); err != nil {
		return nil, err
	}
	if in.AccountID != "" && conn.AccountID != in.AccountID {
		return nil, invalid("Wrong AWS account",
			"Use the role or the credentials of the account that is meant, or correct account-id. Nothing was changed.",
			fmt.Errorf("account-id says %s, but the credentials (%s) are of account %s", in.AccountID, conn.CallerARN, conn.AccountID))
	}
	return conn, nil
}

// assume assumes the role: with the job's OIDC token where the job may ask for one and the inputs do not chain, else with the
// credentials that are there.
func assume(ctx context.Context, env *action.Env, cfg aws.Config, transport http.RoundTripper,
	role string, in RoleInputs) (aws.CredentialsProvider, error) {
	session := in.session(env)
	if in.Chaining {
		if err := haveCredentials(ctx, cfg); err != nil {
			return nil, err
		}
	} else if tokens := newIDTokens(env, transport, in.Audience); tokens != nil {
		if err := in.withToken(); err != nil {
			return nil, err
		}
		anonymous := cfg.Copy()
		anonymous.Credentials = aws.AnonymousCredentials{}
		return roleCredentials(ctx, env, assumeWithIDToken(sts.NewFromConfig(anonymous), tokens, role, session, in))
	}
	return roleCredentials(ctx, env, assumeWithCredentials(sts.NewFromConfig(cfg), role, session, in))
}

// identify asks STS who is calling; no permission is needed for it.
func (c *Conn) identify(ctx context.Context, role string) error {
	caller, err := sts.NewFromConfig(c.Config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return invalidUnlessEnded(ctx, fmt.Errorf("ask AWS who is calling: %w", err))
	}
	c.AccountID = aws.ToString(caller.Account)
	c.CallerARN = callerARN(aws.ToString(caller.Arn), role)
	return nil
}

// callerARN turns the ARN of a session, arn:aws:sts::A:assumed-role/ROLE/SESSION, into that of its role. STS leaves the role's path
// out, so where the role that was assumed is known, its ARN is taken as it is.
func callerARN(caller, assumed string) string {
	session, err := arn.Parse(caller)
	path, isRole := strings.CutPrefix(session.Resource, "assumed-role/")
	if err != nil || !isRole {
		return caller
	}
	name, _, _ := strings.Cut(path, "/")
	if role, err := arn.Parse(assumed); err == nil && role.AccountID == session.AccountID && strings.HasSuffix(assumed, "/"+name) {
		return assumed
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", session.Partition, session.AccountID, name)
}

// noCredentials explains why there are none.
func noCredentials(ctx context.Context, env *action.Env, role string, err error) error {
	var refused *RefusedError
	var told *action.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &refused):
		advice := refused.Advice()
		if refused.byTrustPolicy() {
			advice += " This one does:\n```json\n" + refused.TrustPolicy() + "\n```"
		}
		return invalid(refused.Title(), advice, refused)
	case !nothingFound(err):
		if cause := errors.Unwrap(err); cause != nil && strings.HasPrefix(err.Error(), "failed to refresh cached credentials") {
			err = cause // the cache's words say nothing of a first try
		}
		return invalidUnlessEnded(ctx, fmt.Errorf("get AWS credentials: %w", err))
	case (env.Var("AWS_ACCESS_KEY_ID") == "") != (env.Var("AWS_SECRET_ACCESS_KEY") == ""):
		return invalid("Incomplete AWS credentials", "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a secret that is not "+
			"defined for this environment or fork is empty.",
			fmt.Errorf("%w: only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set", awserr.ErrNoCredentials))
	case role != "" && env.Var("GITHUB_ACTIONS") == "true":
		return invalid("No permission to ask for an OIDC token", "Add `permissions: id-token: write` to the job (pull requests from forks never "+
			"get it), or provide AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY that may assume the role.",
			fmt.Errorf("%w to assume %s with (input role-to-assume), and the job may not ask GitHub for an OIDC token",
				awserr.ErrNoCredentials, role))
	case role != "":
		return invalid("No AWS credentials", awserr.MissingCredentialsAdvice,
			fmt.Errorf("%w to assume %s with (input role-to-assume)", awserr.ErrNoCredentials, role))
	default:
		return invalid("No AWS credentials", awserr.MissingCredentialsAdvice, awserr.ErrNoCredentials)
	}
}

// nothingFound reports that the SDK's chain came to its end, which is the EC2 metadata service, without credentials; not
// that a source which is configured failed. The SDK has no type for it.
func nothingFound(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no EC2 IMDS role found") || strings.Contains(text, "static credentials are empty") ||
		strings.Contains(text, "access disabled to EC2 IMDS")
}

func invalid(title, advice string, err error) error {
	return &action.Error{Outcome: action.Invalid, Title: title, Advice: advice, Err: err}
}

// invalidUnlessEnded explains an error of AWS. Nothing was changed yet, so that it is Invalid whatever it is; but a run that was
// cancelled, or out of time, stays so.
func invalidUnlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	explained := awserr.Explain(err)
	title := "Cannot connect to AWS"
	var problem *awserr.Problem
	if errors.As(explained, &problem) {
		title = problem.Title
	}
	return &action.Error{Outcome: action.Invalid, Title: title, Err: explained}
}
