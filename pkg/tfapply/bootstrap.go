package tfapply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/record"
)

// buckets are the calls of S3 that bootstrap makes.
type buckets interface {
	HeadBucket(context.Context, *s3.HeadBucketInput, ...func(*s3.Options)) (*s3.HeadBucketOutput, error)
	CreateBucket(context.Context, *s3.CreateBucketInput, ...func(*s3.Options)) (*s3.CreateBucketOutput, error)
	GetBucketVersioning(context.Context, *s3.GetBucketVersioningInput, ...func(*s3.Options)) (*s3.GetBucketVersioningOutput, error)
	PutBucketVersioning(context.Context, *s3.PutBucketVersioningInput, ...func(*s3.Options)) (*s3.PutBucketVersioningOutput, error)
	GetBucketEncryption(context.Context, *s3.GetBucketEncryptionInput, ...func(*s3.Options)) (*s3.GetBucketEncryptionOutput, error)
	PutBucketEncryption(context.Context, *s3.PutBucketEncryptionInput, ...func(*s3.Options)) (*s3.PutBucketEncryptionOutput, error)
	GetPublicAccessBlock(context.Context, *s3.GetPublicAccessBlockInput, ...func(*s3.Options)) (*s3.GetPublicAccessBlockOutput, error)
	PutPublicAccessBlock(context.Context, *s3.PutPublicAccessBlockInput, ...func(*s3.Options)) (*s3.PutPublicAccessBlockOutput, error)
	GetBucketPolicy(context.Context, *s3.GetBucketPolicyInput, ...func(*s3.Options)) (*s3.GetBucketPolicyOutput, error)
	PutBucketPolicy(context.Context, *s3.PutBucketPolicyInput, ...func(*s3.Options)) (*s3.PutBucketPolicyOutput, error)
	GetBucketLifecycleConfiguration(context.Context, *s3.GetBucketLifecycleConfigurationInput,
		...func(*s3.Options)) (*s3.GetBucketLifecycleConfigurationOutput, error)
	PutBucketLifecycleConfiguration(context.Context, *s3.PutBucketLifecycleConfigurationInput,
		...func(*s3.Options)) (*s3.PutBucketLifecycleConfigurationOutput, error)
}

// roles are the calls of IAM that bootstrap makes.
type roles interface {
	ListOpenIDConnectProviders(context.Context, *iam.ListOpenIDConnectProvidersInput,
		...func(*iam.Options)) (*iam.ListOpenIDConnectProvidersOutput, error)
	CreateOpenIDConnectProvider(context.Context, *iam.CreateOpenIDConnectProviderInput,
		...func(*iam.Options)) (*iam.CreateOpenIDConnectProviderOutput, error)
	GetRole(context.Context, *iam.GetRoleInput, ...func(*iam.Options)) (*iam.GetRoleOutput, error)
	CreateRole(context.Context, *iam.CreateRoleInput, ...func(*iam.Options)) (*iam.CreateRoleOutput, error)
	ListAttachedRolePolicies(context.Context, *iam.ListAttachedRolePoliciesInput,
		...func(*iam.Options)) (*iam.ListAttachedRolePoliciesOutput, error)
	AttachRolePolicy(context.Context, *iam.AttachRolePolicyInput, ...func(*iam.Options)) (*iam.AttachRolePolicyOutput, error)
}

const (
	githubIssuer   = "token.actions.githubusercontent.com"
	keepOldDays    = 90
	lifecycleRule  = "connect2-expire-old-versions"
	bootstrapTitle = "Bootstrap"
)

// foundation makes what has to be there before the first run: it keeps whatever is as it should be, and notes what it changed.
type foundation struct {
	buckets   buckets
	roles     roles
	bucket    string
	account   string
	region    string
	partition string
	issuer    string   // of GitHub's tokens, without https://
	done      []string // what was changed, in words
	kept      []string
}

// bootstrap is the mode bootstrap. Repeating it is safe.
func bootstrap(ctx context.Context, env *action.Env, in Inputs, out *Outputs) error {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return err
	}
	bucket, from, err := in.stateBucket()
	if err != nil {
		return &action.Error{Outcome: action.Invalid, Title: "The bucket's name could not be read", Err: err,
			Advice: "Mend what is named, or give state-bucket."}
	}
	env.Events.Notef("bucket of the state: %s (%s)", bucket, from)
	f := &foundation{
		roles: iam.NewFromConfig(conn.Config), bucket: bucket, account: conn.AccountID, region: conn.Region,
		partition: partitionOf(conn.CallerARN), issuer: issuerOf(in.BootstrapIssuer, env.Var("GITHUB_SERVER_URL"), env.Var("GH_HOST")),
		buckets: s3.NewFromConfig(conn.Config, func(o *s3.Options) {
			o.UsePathStyle = env.Var("AWS_ENDPOINT_URL") != "" || env.Var("AWS_ENDPOINT_URL_S3") != ""
		}),
	}
	err = f.lay(ctx, in)
	table := record.Table{Head: []string{"What", ""}}
	for _, text := range f.done {
		env.Events.Notef("changed: %s", text)
		table.Rows = append(table.Rows, []record.Text{{Text: text}, {Text: "changed"}})
	}
	for _, text := range f.kept {
		env.Events.Notef("as it should be: %s", text)
		table.Rows = append(table.Rows, []record.Text{{Text: text}, {Text: "as it was"}})
	}
	if len(table.Rows) > 0 {
		env.Events.Section(record.Section{Name: "bootstrap", Title: bootstrapTitle + " of " + in.Environment,
			Blocks: []record.Block{{Table: &table}}})
	}
	if err != nil {
		outcome := action.Invalid
		if len(f.done) > 0 {
			outcome = action.Failed // it can be repeated: what is there is kept
		}
		return &action.Error{Outcome: outcome, Title: "Bootstrap is not complete", Err: awserr.Explain(err),
			Advice: "Mend the cause and repeat it: what is there already is kept."}
	}
	out.Changes = len(f.done) > 0
	if !out.Changes {
		out.Outcome = action.NoChange
	}
	env.Events.Notef("backend \"s3\" { bucket = %q, key = \"terraform.tfstate\", region = %q, encrypt = true, use_lockfile = true }",
		f.bucket, f.region)
	return nil
}

func partitionOf(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 1 && parts[1] != "" {
		return parts[1]
	}
	return "aws"
}

// issuers are the forms that an issuer of GitHub's tokens has. terraform/modules/github-oidc takes the same ones.
var issuers = regexp.MustCompile(`^https://(token\.actions\.githubusercontent\.com(/[A-Za-z0-9-]+)?` +
	`|token\.actions\.[a-z0-9-]+\.ghe\.com(/[A-Za-z0-9-]+)?|[a-z0-9-]+(\.[a-z0-9-]+)+/_services/token)$`)

// issuerOf returns who signs the tokens of jobs, without https://, as IAM names it: what was said, or what belongs to the host of the
// run's GitHub, or of the GitHub that the GitHub CLI was told.
func issuerOf(said, server, host string) string {
	if said != "" {
		return strings.TrimPrefix(said, "https://")
	}
	if u, err := url.Parse(server); err == nil && u.Hostname() != "" {
		host = u.Hostname() // IAM takes no port
	}
	host = strings.ToLower(host)
	switch {
	case host == "" || host == "github.com":
		return githubIssuer
	case strings.HasSuffix(host, ".ghe.com"):
		return "token.actions." + host
	}
	return host + "/_services/token"
}

// lay does one thing after the other.
func (f *foundation) lay(ctx context.Context, in Inputs) error {
	steps := []func(context.Context) error{f.makeBucket, f.version, f.encrypt, f.block, f.requireTLS, f.expire}
	if in.BootstrapRole != "" {
		steps = append(steps, f.provider, func(ctx context.Context) error { return f.role(ctx, in) })
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *foundation) note(changed bool, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); changed {
		f.done = append(f.done, text)
	} else {
		f.kept = append(f.kept, text)
	}
}

// code returns AWS's code of an error.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// makeBucket makes the bucket, or adopts one that this account owns: a bucket's name is anybody's, and state in a stranger's
// bucket is a stranger's.
func (f *foundation) makeBucket(ctx context.Context) error {
	_, err := f.buckets.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &f.bucket, ExpectedBucketOwner: &f.account})
	switch {
	case err == nil:
		f.note(false, "bucket %s is there and belongs to account %s", f.bucket, f.account)
		return nil
	case code(err) == "Forbidden" || code(err) == "AccessDenied":
		return fmt.Errorf("bucket %s: it belongs to another account, or this role may not look at it (s3:ListBucket): %w", f.bucket, err)
	case !awserr.IsNotFound(err) && code(err) != "NotFound":
		return fmt.Errorf("bucket %s: %w", f.bucket, err)
	}
	create := &s3.CreateBucketInput{Bucket: &f.bucket}
	if f.region != "us-east-1" { // there, and only there, the region must not be named
		create.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(f.region)}
	}
	if _, err := f.buckets.CreateBucket(ctx, create); err != nil {
		return fmt.Errorf("making bucket %s: %w", f.bucket, err)
	}
	f.note(true, "bucket %s was made in %s", f.bucket, f.region)
	return nil
}

func (f *foundation) version(ctx context.Context) error {
	now, err := f.buckets.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &f.bucket, ExpectedBucketOwner: &f.account})
	if err != nil {
		return fmt.Errorf("versioning of %s: %w", f.bucket, err)
	}
	if now.Status == types.BucketVersioningStatusEnabled {
		f.note(false, "earlier versions are kept")
		return nil
	}
	_, err = f.buckets.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &f.bucket, ExpectedBucketOwner: &f.account,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		return fmt.Errorf("versioning of %s: %w", f.bucket, err)
	}
	f.note(true, "earlier versions are kept")
	return nil
}

func (f *foundation) encrypt(ctx context.Context) error {
	_, err := f.buckets.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &f.bucket, ExpectedBucketOwner: &f.account})
	if err == nil { // whatever it is, a key of the account's own included, it was chosen
		f.note(false, "objects are encrypted")
		return nil
	}
	if code(err) != "ServerSideEncryptionConfigurationNotFoundError" {
		return fmt.Errorf("encryption of %s: %w", f.bucket, err)
	}
	_, err = f.buckets.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
		Bucket: &f.bucket, ExpectedBucketOwner: &f.account,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256},
		}}},
	})
	if err != nil {
		return fmt.Errorf("encryption of %s: %w", f.bucket, err)
	}
	f.note(true, "objects are encrypted")
	return nil
}

func (f *foundation) block(ctx context.Context) error {
	now, err := f.buckets.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &f.bucket, ExpectedBucketOwner: &f.account})
	if err != nil && code(err) != "NoSuchPublicAccessBlockConfiguration" {
		return fmt.Errorf("public access of %s: %w", f.bucket, err)
	}
	if err == nil {
		if c := now.PublicAccessBlockConfiguration; c != nil && aws.ToBool(c.BlockPublicAcls) && aws.ToBool(c.BlockPublicPolicy) &&
			aws.ToBool(c.IgnorePublicAcls) && aws.ToBool(c.RestrictPublicBuckets) {
			f.note(false, "public access is blocked")
			return nil
		}
	}
	_, err = f.buckets.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: &f.bucket, ExpectedBucketOwner: &f.account,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true),
			RestrictPublicBuckets: aws.Bool(true),
		},
	})
	if err != nil {
		return fmt.Errorf("public access of %s: %w", f.bucket, err)
	}
	f.note(true, "public access is blocked")
	return nil
}

func (f *foundation) requireTLS(ctx context.Context) error {
	var policy string
	now, err := f.buckets.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &f.bucket, ExpectedBucketOwner: &f.account})
	switch {
	case err == nil:
		policy = aws.ToString(now.Policy)
	case code(err) != "NoSuchBucketPolicy":
		return fmt.Errorf("policy of %s: %w", f.bucket, err)
	}
	wanted, changed, err := withTLS(policy, fmt.Sprintf("arn:%s:s3:::%s", f.partition, f.bucket))
	if err != nil {
		return fmt.Errorf("policy of %s: %w", f.bucket, err)
	}
	if changed {
		_, err = f.buckets.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &f.bucket, ExpectedBucketOwner: &f.account, Policy: &wanted})
		if err != nil {
			return fmt.Errorf("policy of %s: %w", f.bucket, err)
		}
	}
	f.note(changed, "connections without TLS are refused")
	return nil
}

// withTLS adds the statement that refuses connections without TLS to a policy, and keeps its others.
func withTLS(policy, bucket string) (text string, changed bool, err error) {
	document := map[string]json.RawMessage{"Version": json.RawMessage(`"2012-10-17"`)}
	var statements []json.RawMessage
	if policy != "" {
		if err := json.Unmarshal([]byte(policy), &document); err != nil {
			return "", false, fmt.Errorf("the existing policy is not valid JSON: %w", err)
		}
		if err := json.Unmarshal(document["Statement"], &statements); err != nil {
			statements = []json.RawMessage{document["Statement"]} // one statement may stand without a list
		}
	}
	for _, s := range statements {
		var statement struct {
			Effect    string
			Condition map[string]map[string]any
		}
		if json.Unmarshal(s, &statement) == nil && statement.Effect == "Deny" &&
			fmt.Sprint(statement.Condition["Bool"]["aws:SecureTransport"]) == "false" {
			return policy, false, nil
		}
	}
	deny, err := json.Marshal(map[string]any{
		"Sid": "RefuseConnectionsWithoutTLS", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": []string{bucket, bucket + "/*"},
		"Condition": map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}},
	})
	if err != nil {
		return "", false, err
	}
	if document["Statement"], err = json.Marshal(append(statements, deny)); err != nil {
		return "", false, err
	}
	all, err := json.Marshal(document)
	return string(all), true, err
}

// expire has earlier versions go after a while: each lock leaves one, and state holds secrets.
func (f *foundation) expire(ctx context.Context) error {
	var rules []types.LifecycleRule
	now, err := f.buckets.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &f.bucket,
		ExpectedBucketOwner: &f.account})
	switch {
	case err == nil:
		rules = now.Rules
	case code(err) != "NoSuchLifecycleConfiguration":
		return fmt.Errorf("lifecycle of %s: %w", f.bucket, err)
	}
	expires := func(r types.LifecycleRule) bool {
		return r.Status == types.ExpirationStatusEnabled && r.NoncurrentVersionExpiration != nil
	}
	if slices.ContainsFunc(rules, expires) {
		f.note(false, "earlier versions expire")
		return nil
	}
	rules = append(slices.DeleteFunc(rules, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == lifecycleRule }),
		types.LifecycleRule{
			ID: aws.String(lifecycleRule), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
			NoncurrentVersionExpiration:    &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(keepOldDays)},
			Expiration:                     &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)},
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)},
		})
	_, err = f.buckets.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &f.bucket, ExpectedBucketOwner: &f.account, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	})
	if err != nil {
		return fmt.Errorf("lifecycle of %s: %w", f.bucket, err)
	}
	f.note(true, "earlier versions expire after %d days", keepOldDays)
	return nil
}

// provider finds or makes the account's one OIDC provider of GitHub.
func (f *foundation) provider(ctx context.Context) error {
	all, err := f.roles.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil {
		return fmt.Errorf("the account's OIDC providers: %w", err)
	}
	for _, p := range all.OpenIDConnectProviderList {
		if strings.HasSuffix(aws.ToString(p.Arn), ":oidc-provider/"+f.issuer) {
			f.note(false, "the account trusts the OIDC tokens of %s", f.issuer)
			return nil
		}
	}
	_, err = f.roles.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://" + f.issuer), ClientIDList: []string{"sts.amazonaws.com"},
	})
	if err != nil {
		return fmt.Errorf("making the OIDC provider of %s: %w", f.issuer, err)
	}
	f.note(true, "the account trusts the OIDC tokens of %s", f.issuer)
	return nil
}

// trust is the trust policy of the first role: jobs of this environment of this repository, in both forms of the subject
// (repositories made after July 2026 have their numbers in it).
func (f *foundation) trust(repository, environment string) (string, error) {
	owner, name, _ := strings.Cut(repository, "/")
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": map[string]string{"Federated": fmt.Sprintf("arn:%s:iam::%s:oidc-provider/%s", f.partition, f.account, f.issuer)},
		"Condition": map[string]any{
			"StringEquals": map[string]string{f.issuer + ":aud": "sts.amazonaws.com"},
			"StringLike": map[string]any{f.issuer + ":sub": []string{
				"repo:" + owner + "/" + name + ":environment:" + environment,
				"repo:" + owner + "@*/" + name + "@*:environment:" + environment,
			}},
		},
	}}})
	return string(text), err
}

// role makes the environment's first role. One that is there keeps its trust policy: it may have been narrowed.
func (f *foundation) role(ctx context.Context, in Inputs) error {
	name := in.BootstrapRole
	_, err := f.roles.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case err == nil:
		f.note(false, "role %s is there; its trust policy was left alone", name)
	case awserr.IsNotFound(err) || code(err) == "NoSuchEntity":
		trust, err := f.trust(in.BootstrapRepository, in.Environment)
		if err != nil {
			return err
		}
		_, err = f.roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust,
			Description: aws.String("Terraform of " + in.BootstrapRepository + ", environment " + in.Environment)})
		if err != nil {
			return fmt.Errorf("making role %s: %w", name, err)
		}
		f.note(true, "role %s was made for jobs of environment %s of %s", name, in.Environment, in.BootstrapRepository)
	default:
		return fmt.Errorf("role %s: %w", name, err)
	}
	attached, err := f.roles.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	if err != nil {
		return fmt.Errorf("policies of role %s: %w", name, err)
	}
	for _, p := range attached.AttachedPolicies {
		if aws.ToString(p.PolicyArn) == in.BootstrapPolicy {
			f.note(false, "role %s has %s", name, in.BootstrapPolicy)
			return nil
		}
	}
	if _, err := f.roles.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: &in.BootstrapPolicy}); err != nil {
		return fmt.Errorf("attaching %s to role %s: %w", in.BootstrapPolicy, name, err)
	}
	f.note(true, "role %s has %s", name, in.BootstrapPolicy)
	return nil
}
