package tfapply

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// account plays the S3 and IAM of one account. What is not set answers with the codes that AWS answers with.
type account struct {
	id         string
	owner      string // of the bucket; "" where there is none
	location   string
	versioning types.BucketVersioningStatus
	encryption bool
	block      *types.PublicAccessBlockConfiguration
	policy     string
	lifecycle  []types.LifecycleRule
	providers  []string
	issuer     string // GitHub's; empty: github.com's
	trust      map[string]string
	attached   map[string][]string
	writes     []string
	deny       string // a call that is refused
}

func refusal(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "as AWS says it"}
}

func (a *account) write(name string) error {
	if a.deny == name {
		return refusal("AccessDenied")
	}
	a.writes = append(a.writes, name)
	return nil
}

// owned checks the owner that every call must name.
func (a *account) owned(expected *string) error {
	if aws.ToString(expected) != a.owner {
		return refusal("AccessDenied")
	}
	return nil
}

type s3opt = func(*s3.Options)
type iamopt = func(*iam.Options)

func (a *account) HeadBucket(_ context.Context, in *s3.HeadBucketInput, _ ...s3opt) (*s3.HeadBucketOutput, error) {
	if a.owner == "" {
		return nil, refusal("NotFound")
	}
	if a.owned(in.ExpectedBucketOwner) != nil {
		return nil, refusal("Forbidden")
	}
	return &s3.HeadBucketOutput{}, nil
}
func (a *account) CreateBucket(_ context.Context, in *s3.CreateBucketInput, _ ...s3opt) (*s3.CreateBucketOutput, error) {
	if in.CreateBucketConfiguration != nil {
		a.location = string(in.CreateBucketConfiguration.LocationConstraint)
	}
	a.owner, a.encryption = a.id, true
	return &s3.CreateBucketOutput{}, a.write("CreateBucket")
}
func (a *account) GetBucketVersioning(_ context.Context, in *s3.GetBucketVersioningInput,
	_ ...s3opt) (*s3.GetBucketVersioningOutput, error) {
	return &s3.GetBucketVersioningOutput{Status: a.versioning}, a.owned(in.ExpectedBucketOwner)
}
func (a *account) PutBucketVersioning(_ context.Context, in *s3.PutBucketVersioningInput,
	_ ...s3opt) (*s3.PutBucketVersioningOutput, error) {
	a.versioning = in.VersioningConfiguration.Status
	return nil, errors.Join(a.owned(in.ExpectedBucketOwner), a.write("PutBucketVersioning"))
}
func (a *account) GetBucketEncryption(_ context.Context, in *s3.GetBucketEncryptionInput,
	_ ...s3opt) (*s3.GetBucketEncryptionOutput, error) {
	if !a.encryption {
		return nil, refusal("ServerSideEncryptionConfigurationNotFoundError")
	}
	return &s3.GetBucketEncryptionOutput{}, a.owned(in.ExpectedBucketOwner)
}
func (a *account) PutBucketEncryption(_ context.Context, in *s3.PutBucketEncryptionInput,
	_ ...s3opt) (*s3.PutBucketEncryptionOutput, error) {
	a.encryption = true
	return nil, errors.Join(a.owned(in.ExpectedBucketOwner), a.write("PutBucketEncryption"))
}
func (a *account) GetPublicAccessBlock(_ context.Context, in *s3.GetPublicAccessBlockInput,
	_ ...s3opt) (*s3.GetPublicAccessBlockOutput, error) {
	if a.block == nil {
		return nil, refusal("NoSuchPublicAccessBlockConfiguration")
	}
	return &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: a.block}, a.owned(in.ExpectedBucketOwner)
}
func (a *account) PutPublicAccessBlock(_ context.Context, in *s3.PutPublicAccessBlockInput,
	_ ...s3opt) (*s3.PutPublicAccessBlockOutput, error) {
	a.block = in.PublicAccessBlockConfiguration
	return nil, errors.Join(a.owned(in.ExpectedBucketOwner), a.write("PutPublicAccessBlock"))
}
func (a *account) GetBucketPolicy(_ context.Context, in *s3.GetBucketPolicyInput, _ ...s3opt) (*s3.GetBucketPolicyOutput, error) {
	if a.policy == "" {
		return nil, refusal("NoSuchBucketPolicy")
	}
	return &s3.GetBucketPolicyOutput{Policy: &a.policy}, a.owned(in.ExpectedBucketOwner)
}
func (a *account) PutBucketPolicy(_ context.Context, in *s3.PutBucketPolicyInput, _ ...s3opt) (*s3.PutBucketPolicyOutput, error) {
	a.policy = *in.Policy
	return nil, errors.Join(a.owned(in.ExpectedBucketOwner), a.write("PutBucketPolicy"))
}
func (a *account) GetBucketLifecycleConfiguration(_ context.Context, in *s3.GetBucketLifecycleConfigurationInput,
	_ ...s3opt) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	if a.lifecycle == nil {
		return nil, refusal("NoSuchLifecycleConfiguration")
	}
	return &s3.GetBucketLifecycleConfigurationOutput{Rules: a.lifecycle}, a.owned(in.ExpectedBucketOwner)
}
func (a *account) PutBucketLifecycleConfiguration(_ context.Context, in *s3.PutBucketLifecycleConfigurationInput,
	_ ...s3opt) (*s3.PutBucketLifecycleConfigurationOutput, error) {
	a.lifecycle = in.LifecycleConfiguration.Rules
	return nil, errors.Join(a.owned(in.ExpectedBucketOwner), a.write("PutBucketLifecycleConfiguration"))
}
func (a *account) ListOpenIDConnectProviders(context.Context, *iam.ListOpenIDConnectProvidersInput,
	...iamopt) (*iam.ListOpenIDConnectProvidersOutput, error) {
	out := &iam.ListOpenIDConnectProvidersOutput{}
	for _, url := range a.providers {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList,
			iamtypes.OpenIDConnectProviderListEntry{Arn: aws.String("arn:aws:iam::" + a.id + ":oidc-provider/" + url)})
	}
	return out, nil
}
func (a *account) CreateOpenIDConnectProvider(_ context.Context, in *iam.CreateOpenIDConnectProviderInput,
	_ ...iamopt) (*iam.CreateOpenIDConnectProviderOutput, error) {
	a.providers = append(a.providers, strings.TrimPrefix(*in.Url, "https://"))
	return nil, a.write("CreateOpenIDConnectProvider")
}
func (a *account) GetRole(_ context.Context, in *iam.GetRoleInput, _ ...iamopt) (*iam.GetRoleOutput, error) {
	if a.trust[*in.RoleName] == "" {
		return nil, &iamtypes.NoSuchEntityException{}
	}
	return &iam.GetRoleOutput{}, nil
}
func (a *account) CreateRole(_ context.Context, in *iam.CreateRoleInput, _ ...iamopt) (*iam.CreateRoleOutput, error) {
	a.trust[*in.RoleName] = *in.AssumeRolePolicyDocument
	return nil, a.write("CreateRole")
}
func (a *account) ListAttachedRolePolicies(_ context.Context, in *iam.ListAttachedRolePoliciesInput,
	_ ...iamopt) (*iam.ListAttachedRolePoliciesOutput, error) {
	out := &iam.ListAttachedRolePoliciesOutput{}
	for _, arn := range a.attached[*in.RoleName] {
		out.AttachedPolicies = append(out.AttachedPolicies, iamtypes.AttachedPolicy{PolicyArn: &arn})
	}
	return out, nil
}
func (a *account) AttachRolePolicy(_ context.Context, in *iam.AttachRolePolicyInput, _ ...iamopt) (*iam.AttachRolePolicyOutput, error) {
	a.attached[*in.RoleName] = append(a.attached[*in.RoleName], *in.PolicyArn)
	return nil, a.write("AttachRolePolicy")
}

const me = "123456789012"

func newAccount() *account {
	return &account{id: me, trust: map[string]string{}, attached: map[string][]string{}}
}

func (a *account) lay(t *testing.T, region string) (*foundation, error) {
	t.Helper()
	f := &foundation{buckets: a, roles: a, bucket: "connect2-api-terraform-state-dev", account: me, region: region, partition: "aws",
		issuer: cmp.Or(a.issuer, githubIssuer)}
	return f, f.lay(t.Context(), Inputs{Environment: "dev", BootstrapRole: "terraform-dev",
		BootstrapPolicy: "arn:aws:iam::aws:policy/AdministratorAccess", BootstrapRepository: "org/service"})
}

func TestBootstrapFromNothingAndAgain(t *testing.T) {
	a := newAccount()
	f, err := a.lay(t, "us-west-2")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.done) != 8 || len(f.kept) != 1 || a.location != "us-west-2" || a.versioning != "Enabled" ||
		!aws.ToBool(a.block.RestrictPublicBuckets) {
		t.Errorf("changed %q, kept %q, %+v", f.done, f.kept, a)
	}
	var trust struct {
		Statement []struct{ Condition map[string]map[string]any }
	}
	if err := json.Unmarshal([]byte(a.trust["terraform-dev"]), &trust); err != nil {
		t.Fatal(err)
	}
	want := []any{"repo:org/service:environment:dev", "repo:org@*/service@*:environment:dev"}
	if got, _ := trust.Statement[0].Condition["StringLike"]["token.actions.githubusercontent.com:sub"].([]any); !slices.Equal(got, want) {
		t.Errorf("the role trusts %v", got)
	}
	a.writes = nil
	again, err := a.lay(t, "us-west-2")
	if err != nil || len(again.done) != 0 || len(a.writes) != 0 || len(again.kept) != 9 {
		t.Errorf("again: changed %q, wrote %q: %v", again.done, a.writes, err)
	}
}

func TestBootstrapInTheFirstRegionNamesNone(t *testing.T) {
	a := newAccount()
	if _, err := a.lay(t, "us-east-1"); err != nil || a.location != "" {
		t.Errorf("location %q: %v", a.location, err)
	}
}

func TestBootstrapTakesNobodyElsesBucket(t *testing.T) {
	a := newAccount()
	a.owner = "999999999999"
	if _, err := a.lay(t, "us-west-2"); err == nil || !strings.Contains(err.Error(), "belongs to another account") || len(a.writes) != 0 {
		t.Errorf("%v, wrote %q", err, a.writes)
	}
}

func TestBootstrapKeepsWhatIsThere(t *testing.T) {
	a := newAccount()
	a.owner, a.encryption, a.versioning = me, true, types.BucketVersioningStatusSuspended
	a.policy = `{"Version":"2012-10-17","Statement":{"Sid":"Mine","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:*","Resource":"*"}}`
	a.lifecycle = []types.LifecycleRule{{ID: aws.String("mine"), Status: types.ExpirationStatusEnabled}}
	a.block = &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)}
	a.providers = []string{githubIssuer}
	a.trust["terraform-dev"] = "narrow"
	f, err := a.lay(t, "us-west-2")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(a.policy, `"Mine"`) || !strings.Contains(a.policy, "aws:SecureTransport") || len(a.lifecycle) != 2 ||
		a.trust["terraform-dev"] != "narrow" {
		t.Errorf("%+v", a)
	}
	if want := []string{"PutBucketVersioning", "PutPublicAccessBlock", "PutBucketPolicy", "PutBucketLifecycleConfiguration",
		"AttachRolePolicy"}; !slices.Equal(a.writes, want) {
		t.Errorf("wrote %q, told %q", a.writes, f.done)
	}
}

// TestBootstrapTrustsTheIssuerOfItsGitHub: github.com's provider, which is there, is another.
func TestBootstrapTrustsTheIssuerOfItsGitHub(t *testing.T) {
	a := newAccount()
	a.providers = []string{githubIssuer}
	a.issuer = "github.example.com/_services/token"
	if _, err := a.lay(t, "us-west-2"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.providers, []string{githubIssuer, a.issuer}) {
		t.Errorf("the account has the providers %q", a.providers)
	}
	trust := a.trust["terraform-dev"]
	for _, want := range []string{`"arn:aws:iam::123456789012:oidc-provider/` + a.issuer + `"`, `"` + a.issuer + `:aud"`,
		`"` + a.issuer + `:sub"`} {
		if !strings.Contains(trust, want) {
			t.Errorf("the role's trust lacks %s: %s", want, trust)
		}
	}
	if strings.Contains(trust, githubIssuer) {
		t.Errorf("the role trusts tokens of github.com: %s", trust)
	}
}

func TestIssuerOf(t *testing.T) {
	for _, test := range []struct{ said, server, host, want string }{
		{"", "", "", githubIssuer},
		{"", "https://github.com", "", githubIssuer},
		{"", "https://company.ghe.com", "", "token.actions.company.ghe.com"},
		{"", "https://GitHub.Example.com/", "", "github.example.com/_services/token"},
		{"", "https://github.example.com:8443", "", "github.example.com/_services/token"},
		{"", "", "company.ghe.com", "token.actions.company.ghe.com"},
		{"", "", "github.com", githubIssuer},
		{"", "https://github.com", "company.ghe.com", githubIssuer},
		{"https://token.actions.githubusercontent.com/company", "https://company.ghe.com", "", githubIssuer + "/company"},
	} {
		got := issuerOf(test.said, test.server, test.host)
		if got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
		if !issuers.MatchString("https://" + got) {
			t.Errorf("%+v: %s is refused as an input", test, got)
		}
	}
}

func TestBootstrapStopsAtADenial(t *testing.T) {
	a := newAccount()
	a.deny = "PutBucketPolicy"
	f, err := a.lay(t, "us-west-2")
	if err == nil || len(f.done) != 3 {
		t.Fatalf("%v, %q", err, f.done)
	}
	a.deny, a.policy = "", ""
	if _, err := a.lay(t, "us-west-2"); err != nil || a.policy == "" {
		t.Errorf("repeated: %v", err)
	}
}

func TestBootstrapInputs(t *testing.T) {
	for _, test := range []struct {
		in   Inputs
		want string
	}{
		{Inputs{}, "environment"},
		{Inputs{Environment: "dev", BootstrapRole: "r", BootstrapRepository: "o/r"}, "bootstrap-policy"},
		{Inputs{Environment: "dev", BootstrapRole: "r", BootstrapPolicy: "arn:x", BootstrapRepository: "o/*"}, "bootstrap-repository"},
		{Inputs{Environment: "dev", BootstrapRole: "r", BootstrapPolicy: "arn:x", BootstrapRepository: "o/r"}, ""},
		{Inputs{Environment: "dev"}, ""},
		{Inputs{Environment: "dev", BootstrapRole: "r", BootstrapPolicy: "arn:x", BootstrapRepository: "o/r",
			BootstrapIssuer: "https://token.actions.githubusercontent.com/"}, "bootstrap-issuer"},
		{Inputs{Environment: "dev", BootstrapRole: "r", BootstrapPolicy: "arn:x", BootstrapRepository: "o/r",
			BootstrapIssuer: "github.example.com/_services/token"}, "bootstrap-issuer"},
		{Inputs{Environment: "dev", BootstrapRole: "r", BootstrapPolicy: "arn:x", BootstrapRepository: "o/r",
			BootstrapIssuer: "https://github.example.com/_services/token"}, ""},
	} {
		test.in.Mode = Bootstrap
		err := errors.Join(test.in.Validate()...)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.in, err)
		}
	}
}
