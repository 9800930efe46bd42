package sandbox_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/org/connect2/v2/pkg/sandbox"
)

// open makes a sandbox from a scenario's text.
func open(t *testing.T, scenario string) *sandbox.Sandbox {
	t.Helper()
	parsed, err := sandbox.ParseScenario([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	sb, err := sandbox.Open(sandbox.Options{Scenario: parsed})
	if err != nil {
		t.Fatal(err)
	}
	return sb
}

// as is the configuration of an SDK client with an access key.
func as(sb *sandbox.Sandbox, accessKey string) aws.Config {
	return aws.Config{
		Region: "us-west-2", BaseEndpoint: aws.String(sb.Environ()["AWS_ENDPOINT_URL"]),
		HTTPClient:  &http.Client{Transport: sb.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, "any", ""),
	}
}

func operator(sb *sandbox.Sandbox) aws.Config { return as(sb, sandbox.AccessKeyID) }

// login returns go-containerregistry's options for the sandbox's registry, with a token of the caller's.
func login(t *testing.T, sb *sandbox.Sandbox, config aws.Config) []remote.Option {
	t.Helper()
	out, err := ecr.NewFromConfig(config).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(token), ":")
	return []remote.Option{
		remote.WithTransport(sb.Transport()), remote.WithContext(context.Background()),
		remote.WithAuth(&authn.Basic{Username: user, Password: password}),
	}
}

// code is the AWS error code of an error, or "" for success.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("no error of an AWS API: %v", err)
	}
	return api.ErrorCode()
}

// message is the text of an AWS error.
func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// describeSecret returns the ARN of the seed's database secret.
func describeSecret(t *testing.T, sb *sandbox.Sandbox) string {
	t.Helper()
	out, err := secretsmanager.NewFromConfig(operator(sb)).DescribeSecret(t.Context(),
		&secretsmanager.DescribeSecretInput{SecretId: aws.String("connect2-api/dev/rds-credentials")})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}
