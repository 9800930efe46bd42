package awsconn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"github.com/org/connect2/v2/internal/bounded"
	"github.com/org/connect2/v2/pkg/action"
)

// headerTimeout is for hosts beside AWS's APIs, once a request is sent: a registry takes its time to put a large layer together.
const headerTimeout = 90 * time.Second

// maxHeader is how many bytes the header of an answer may have.
const maxHeader = 1 << 20

// dialTimeout bounds one attempt to connect; the SDK's own 30 s make six attempts last minutes.
const dialTimeout = 10 * time.Second

// loadConfig reads the configuration as every AWS tool does: environment, profiles, endpoint overrides, CA bundle, web
// identity, container credentials. The SDK reads the process's own environment; what env says otherwise goes before it.
func loadConfig(ctx context.Context, env *action.Env, in Inputs) (aws.Config, error) {
	webIdentity := &lateSTS{}
	options := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return newRetryer(env.Clock(), env.Events) }),
		config.WithLogger(logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) { env.Events.Debugf(format, args...) })),
	}
	if region := firstOf(in.Region, env.Var("AWS_REGION"), env.Var("AWS_DEFAULT_REGION")); region != "" {
		options = append(options, config.WithRegion(region))
	}
	if env.Transport == nil {
		// It must be a BuildableClient: with AWS_CA_BUNDLE set, the SDK refuses every other client at this point.
		// Its own timeout is for the calls that the SDK's providers of credentials send while the configuration is read.
		options = append(options, config.WithHTTPClient(buildable().WithTimeout(wholeOfChange)))
	} else {
		options = append(options,
			config.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) { o.Client = webIdentity }))
	}
	if env.Transport != nil || onHostedRunner(env) {
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	options = append(options, differences(env)...)

	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, err
	}
	if env.Transport != nil {
		cfg.HTTPClient = &http.Client{Transport: env.Transport}
	}
	cfg.HTTPClient = rehearse(env, wholeBodies{bounded.NewClient(cfg.HTTPClient, limitsOf)})
	cfg.AppID = cmp.Or(cfg.AppID, "connect2") // ends up in CloudTrail's userAgent
	cfg.ConfigSources = append([]any{serviceEndpoints{env}}, cfg.ConfigSources...)
	webIdentity.client = sts.NewFromConfig(cfg)
	return cfg, nil
}

// buildable returns the SDK's client with bounds for what comes before the body of an answer.
func buildable() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout, t.MaxResponseHeaderBytes = headerTimeout, maxHeader
		})
}

// differences are the options for what env says and the process's environment, which the SDK reads, does not.
func differences(env *action.Env) []func(*config.LoadOptions) error {
	var options []func(*config.LoadOptions) error
	own := func(name string) (value string, differs bool) {
		value = env.Var(name)
		return value, value != "" && value != os.Getenv(name)
	}
	key, keyDiffers := own("AWS_ACCESS_KEY_ID")
	secret, secretDiffers := own("AWS_SECRET_ACCESS_KEY")
	if key != "" && secret != "" && (keyDiffers || secretDiffers) {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(key, secret, env.Var("AWS_SESSION_TOKEN"))))
	}
	if profile, differs := own("AWS_PROFILE"); differs {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	if file, differs := own("AWS_CONFIG_FILE"); differs {
		options = append(options, config.WithSharedConfigFiles([]string{file}))
	}
	if file, differs := own("AWS_SHARED_CREDENTIALS_FILE"); differs {
		options = append(options, config.WithSharedCredentialsFiles([]string{file}))
	}
	if endpoint, differs := own("AWS_ENDPOINT_URL"); differs {
		options = append(options, config.WithBaseEndpoint(endpoint))
	}
	if file, differs := own("AWS_CA_BUNDLE"); differs && env.Transport == nil {
		options = append(options, func(o *config.LoadOptions) error {
			pem, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
			}
			o.CustomCABundle = bytes.NewReader(pem)
			return nil
		})
	}
	return options
}

// onHostedRunner reports a machine of GitHub's: there is no EC2 metadata service there, and looking for it costs seconds. A
// self-hosted runner may well get its credentials from it, and AWS_EC2_METADATA_DISABLED=false asks for it anywhere.
func onHostedRunner(env *action.Env) bool {
	return env.Var("GITHUB_ACTIONS") == "true" && env.Var("RUNNER_ENVIRONMENT") != "self-hosted" &&
		!strings.EqualFold(env.Var("AWS_EC2_METADATA_DISABLED"), "false")
}

// serviceEndpoints gives the SDK AWS_ENDPOINT_URL_<SERVICE> as env has it.
type serviceEndpoints struct{ env *action.Env }

// GetServiceBaseEndpoint returns the endpoint for a service by its SDK id, such as "Elastic Load Balancing v2".
func (s serviceEndpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	if strings.EqualFold(s.env.Var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return "", false, nil
	}
	endpoint := s.env.Var("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(sdkID, " ", "_")))
	return endpoint, endpoint != "", nil
}

// checkEndpoint refuses an endpoint that is no URL. The SDK would say so at the first call, and without the variable's name.
func checkEndpoint(env *action.Env) error {
	endpoint := env.Var("AWS_ENDPOINT_URL")
	if endpoint == "" {
		return nil
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("AWS_ENDPOINT_URL: %q is not a URL", endpoint)
	}
	return nil
}

// lateSTS is the STS client of a web identity provider that is made before the configuration is complete.
type lateSTS struct{ client *sts.Client }

// AssumeRoleWithWebIdentity passes the call on.
func (l *lateSTS) AssumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput, optFns ...func(*sts.Options),
) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	return l.client.AssumeRoleWithWebIdentity(ctx, in, optFns...)
}

// newTransport returns the transport for hosts that are not AWS's APIs: GitHub, registries. It trusts the system's
// certificate authorities and, beyond them, those of AWS_CA_BUNDLE: a company's proxy inspects all of the traffic.
func newTransport(env *action.Env) (http.RoundTripper, error) {
	if env.Transport != nil {
		return env.Transport, nil
	}
	transport := buildable().GetTransport()
	file := env.Var("AWS_CA_BUNDLE")
	if file == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a scratch image without certificates: the bundle is all there is
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate in PEM form", file)
	}
	transport.TLSClientConfig.RootCAs = roots
	return transport, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
