package awserr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

var answered, api = awserrtest.Answered, awserrtest.API

const (
	sessionARN  = awserrtest.SessionARN
	serviceARN  = awserrtest.ServiceARN
	sentence    = awserrtest.Denied
	expiredText = awserrtest.ExpiredText
	scpARN      = "arn:aws:organizations::999999999999:policy/o-abc/service_control_policy/p-xyz"
)

func unanswered(err error) error {
	return answered("ECS", "DescribeServices", 0,
		&smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", URL: "https://ecs.us-west-2.amazonaws.com/", Err: err}})
}

const (
	invalidText   = "The security token included in the request is invalid."
	signatureText = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and " +
		"signing method. Consult the service documentation for details."
	tooOldText  = "Signature expired: 20240217T171323Z is now earlier than 20240217T173539Z (20240217T175039Z - 15 min.)"
	tooNewText  = "Signature not yet current: 20240217T181323Z is still later than 20240217T175039Z (20240217T173539Z + 15 min.)"
	kmsLogsText = "The specified KMS key does not exist or is not allowed to be used with Arn " +
		"'arn:aws:logs:us-west-2:123456789012:log-group:/ecs/x'"
	malformedS3  = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
	passRoleText = "User: " + sessionARN + " is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/task " +
		"because no " +
		"identity-based policy allows the iam:PassRole action"
)

// Every wording that AWS is known to use, typed as the SDK types it, and what has to come out.
func TestExplain(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		kind    awserr.Kind
		outcome action.Outcome
		holds   []string
	}{
		{"denied in JSON", answered("ECS", "UpdateService", 400, &ecstypes.AccessDeniedException{Message: new(sentence +
			" because no identity-based policy allows the ecs:UpdateService action")}), awserr.KindDenied, action.Invalid,
			[]string{"ECS UpdateService", "ecs:UpdateService on " + serviceARN, "role deploy", `{"Effect":"Allow"`, "r-123"}},
		{"PassRole is not what was called", answered("ECS", "RegisterTaskDefinition", 400, api("AccessDeniedException", passRoleText)),
			awserr.KindDenied, action.Invalid, []string{
				"ECS RegisterTaskDefinition was denied: role deploy lacks the permission iam:PassRole", "because no identity-based policy",
				"iam:PassedToService"}},
		{"PassRole as ClientException", answered("ECS", "RunTask", 400, api("ClientException", passRoleText)), awserr.KindDenied, action.Invalid,
			[]string{"iam:PassRole"}},
		{"SCP", answered("ECS", "UpdateService", 400,
			api("AccessDeniedException", sentence+" with an explicit deny in a service control policy: "+scpARN)),
			awserr.KindDenied, action.Invalid, []string{scpARN, "organization"}},
		{"denied without a reason, STS and IAM", answered("IAM", "GetRole", 403, api("AccessDenied", "Access Denied")),
			awserr.KindDenied, action.Invalid,
			[]string{"iam:GetRole"}},
		{"EC2's own code", answered("EC2", "RunInstances", 403,
			api("UnauthorizedOperation", "You are not authorized to perform this operation.")),
			awserr.KindDenied, action.Invalid, nil},
		{"S3's HEAD has no body", answered("S3", "HeadBucket", 403, api("Forbidden", "Forbidden")), awserr.KindDenied, action.Invalid, nil},
		{"KMS behind Secrets Manager", answered("Secrets Manager", "GetSecretValue", 400,
			api("AccessDeniedException", "Access to KMS is not allowed")),
			awserr.KindKey, action.Invalid, []string{"key policy"}},
		{"KMS behind Logs", answered("CloudWatch Logs", "CreateLogGroup", 400, api("AccessDeniedException", kmsLogsText)),
			awserr.KindKey, action.Invalid,
			[]string{"key policy"}},
		{"KMS itself", answered("KMS", "Decrypt", 400,
			api("AccessDeniedException", "User: "+sessionARN+" is not authorized to perform: kms:Decrypt "+
				"on resource: arn:aws:kms:us-west-2:123456789012:key/k because no resource-based policy allows the kms:Decrypt action")),
			awserr.KindKey,
			action.Invalid, []string{"kms:Decrypt", "key policy"}},

		{"unknown key in JSON", answered("ECS", "DescribeServices", 400, api("UnrecognizedClientException", invalidText)),
			awserr.KindCredentials, action.Invalid,
			[]string{"AWS_ACCESS_KEY_ID"}},
		{"unknown key in query", answered("STS", "GetCallerIdentity", 403, api("InvalidClientTokenId", invalidText)),
			awserr.KindCredentials, action.Invalid, nil},
		{"unknown key in S3", answered("S3", "GetObject", 403, api("InvalidAccessKeyId",
			"The AWS Access Key Id you provided does not exist in our records.")), awserr.KindCredentials, action.Invalid, nil},
		{"wrong secret key in JSON", answered("ECS", "DescribeServices", 400, api("InvalidSignatureException", signatureText)),
			awserr.KindCredentials,
			action.Invalid, []string{"AWS_SECRET_ACCESS_KEY"}},
		{"wrong secret key in query", answered("STS", "GetCallerIdentity", 403, api("SignatureDoesNotMatch", signatureText)),
			awserr.KindCredentials,
			action.Invalid, []string{"AWS_SECRET_ACCESS_KEY"}},
		{"expired in JSON", answered("ECS", "DescribeServices", 400, api("ExpiredTokenException", expiredText)),
			awserr.KindExpired, action.Unknown,
			[]string{"role-to-assume"}},
		{"expired in query", answered("STS", "GetCallerIdentity", 403, api("ExpiredToken", expiredText)),
			awserr.KindExpired, action.Unknown, nil},
		{"expired in S3", answered("S3", "GetObject", 400, api("ExpiredToken", "The provided token has expired.")),
			awserr.KindExpired, action.Unknown, nil},
		{"expired ID token", answered("STS", "AssumeRoleWithWebIdentity", 400, api("ExpiredTokenException",
			"Token expired: current date/time 1740387458 must be before the expiration date/time 1740319004")),
			awserr.KindExpired, action.Unknown, nil},

		{"clock behind, JSON", answered("ECS", "DescribeServices", 400, api("InvalidSignatureException", tooOldText)), awserr.KindClock,
			action.Invalid, []string{"NTP"}},
		{"clock behind, query", answered("STS", "GetCallerIdentity", 403, api("SignatureDoesNotMatch", tooOldText)),
			awserr.KindClock, action.Invalid, nil},
		{"clock ahead", answered("ECS", "DescribeServices", 400, api("InvalidSignatureException", tooNewText)),
			awserr.KindClock, action.Invalid, nil},
		{"clock, S3", answered("S3", "GetObject", 403, api("RequestTimeTooSkewed",
			"The difference between the request time and the current time is too large.")), awserr.KindClock, action.Invalid, nil},
		{"region, JSON", answered("ECS", "DescribeServices", 400,
			api("InvalidSignatureException", "Credential should be scoped to a valid region.")),
			awserr.KindRegion, action.Invalid, []string{"input region"}},
		{"region, query", answered("STS", "GetCallerIdentity", 403,
			api("SignatureDoesNotMatch", "Credential should be scoped to a valid region.")),
			awserr.KindRegion, action.Invalid, nil},
		{"region, S3", answered("S3", "GetObject", 400, api("AuthorizationHeaderMalformed", malformedS3)), awserr.KindRegion, action.Invalid,
			[]string{"Use region eu-west-1"}},
		{"region is switched off", answered("STS", "AssumeRole", 403, api("RegionDisabledException", "STS is not activated in this region")),
			awserr.KindRegion,
			action.Invalid, nil},

		{"throttled, JSON", answered("ECS", "DescribeServices", 400, api("ThrottlingException", "Rate exceeded")),
			awserr.KindThrottled, action.Unknown, nil},
		{"throttled, query", answered("Elastic Load Balancing v2", "DescribeTargetHealth", 400, api("Throttling", "Rate exceeded")),
			awserr.KindThrottled,
			action.Unknown, nil},
		{"throttled, EC2", answered("EC2", "DescribeSubnets", 503, api("RequestLimitExceeded", "Request limit exceeded.")),
			awserr.KindThrottled, action.Unknown, nil},
		{"throttled, S3", answered("S3", "PutObject", 503, api("SlowDown", "Please reduce your request rate.")),
			awserr.KindThrottled, action.Unknown, nil},
		{"throttled, registry", errors.New("GET https://x/v2/: TOOMANYREQUESTS: Rate exceeded (StatusCode: 429)"),
			awserr.KindThrottled, action.Unknown, nil},
		{"concurrent change of ELBv2", answered("Elastic Load Balancing v2", "ModifyRule", 429, api("PriorRequestNotComplete", "")),
			awserr.KindThrottled,
			action.Unknown, nil},
		{"quota", answered("ECR", "StartImageScan", 400,
			api("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")),
			awserr.KindQuota, action.Invalid, []string{"Trying again does not help"}},

		{"not found", answered("ECS", "UpdateService", 400, &ecstypes.ServiceNotFoundException{}), awserr.KindNotFound,
			action.Invalid, []string{"region"}},
		{"no such task definition", answered("ECS", "DescribeTaskDefinition", 400,
			&ecstypes.ClientException{Message: new("Unable to describe task definition.")}),
			awserr.KindNotFound, action.Invalid, nil},
		{"no such role", answered("IAM", "GetRole", 404, api("NoSuchEntity", "The role with name X cannot be found.")),
			awserr.KindNotFound, action.Invalid, nil},
		{"not in this region", answered("ECS", "ListServiceDeployments", 400, &ecstypes.UnsupportedFeatureException{}),
			awserr.KindUnsupported, action.Invalid, nil},

		{"name does not resolve", unanswered(&net.OpError{Op: "dial", Net: "tcp",
			Err: &net.DNSError{Err: "no such host", Name: "ecs.us-west-2.amazonaws.com",
				IsNotFound: true}}), awserr.KindLost, action.Unknown, []string{"no such host", "the network, not a permission"}},
		{"refused", unanswered(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}), awserr.KindLost, action.Unknown, nil},
		{"reset", unanswered(&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}), awserr.KindLost, action.Unknown, nil},
		{"cut short", unanswered(io.ErrUnexpectedEOF), awserr.KindLost, action.Unknown, nil},
		{"dial timed out", unanswered(&net.OpError{Op: "dial", Net: "tcp", Err: timeout{}}), awserr.KindLost, action.Unknown, nil},
		{"certificate", unanswered(errors.New("tls: failed to verify certificate: x509: certificate signed by unknown authority")),
			awserr.KindLost, action.Unknown,
			[]string{"AWS_CA_BUNDLE"}},
		{"service fails", answered("ECS", "DescribeServices", 500, api("ServerException", "Service Unavailable. Please try again later.")),
			awserr.KindLost,
			action.Unknown, []string{"HTTP status 500"}},
		{"a proxy's page", answered("ECS", "DescribeServices", 502,
			&smithy.DeserializationError{Err: errors.New("invalid character '<' looking for " +
				"beginning of value"), Snapshot: []byte("<html>Bad Gateway</html>")}), awserr.KindLost, action.Unknown, []string{"502", "proxy"}},
		{"a captive portal's page", answered("ECS", "DescribeServices", 200,
			&smithy.DeserializationError{Err: errors.New("invalid character '<'")}),
			awserr.KindLost, action.Unknown, []string{"proxy"}},

		{"retries are spent", &smithy.OperationError{ServiceID: "ECS", OperationName: "DescribeServices", Err: fmt.Errorf(
			"exceeded maximum number of attempts, 10, %w", errors.Unwrap(answered("", "", 400, api("ThrottlingException", "Rate exceeded"))))},
			awserr.KindThrottled, action.Unknown, []string{"after all retries"}},
		{"text of another program", errors.New("Error: updating ECS Service: operation error ECS: UpdateService, https response error " +
			"StatusCode: 400, " +
			"RequestID: abc-1, AccessDeniedException: " + sentence), awserr.KindDenied, action.Invalid,
			[]string{"ECS UpdateService", "request abc-1"}},
		{"text of the AWS CLI", errors.New("An error occurred (ExpiredTokenException) when calling the DescribeServices operation: " +
			expiredText),
			awserr.KindExpired, action.Unknown, []string{"DescribeServices"}},
		{"text of a lost connection", errors.New("operation error STS: GetCallerIdentity, https response error StatusCode: 0, RequestID: , " +
			"request send " +
			"failed, Post \"https://sts\": dial tcp: lookup sts: no such host"), awserr.KindLost, action.Unknown, []string{"no such host"}},
		{"no credentials for the call", &smithy.OperationError{ServiceID: "ECS", OperationName: "DescribeServices",
			Err: errors.New("get identity: get " +
				"credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, canceled, x")},
			awserr.KindCredentials, action.Invalid, []string{"role-to-assume"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := awserr.KindOf(tt.err); got != tt.kind {
				t.Fatalf("kind %q, want %q: %v", got, tt.kind, tt.err)
			}
			if got := action.OutcomeBeforeChange(tt.err); got != tt.outcome {
				t.Errorf("outcome %q, want %q", got, tt.outcome)
			}
			explained := awserr.Explain(fmt.Errorf("update service api: %w", tt.err))
			text := explained.Error()
			for _, part := range tt.holds {
				if !strings.Contains(text, part) {
					t.Errorf("explanation lacks %q: %s", part, text)
				}
			}
			if strings.Contains(text, "\n") || strings.Contains(text, "..") || len(text) > 1500 {
				t.Errorf("not one readable paragraph (%d bytes): %s", len(text), text)
			}
			if !errors.Is(explained, tt.err) {
				t.Error("the original is not reachable any more")
			}
			var operation *smithy.OperationError
			if errors.As(tt.err, &operation) && !strings.HasPrefix(text, "update service api: ") {
				t.Errorf("what the caller wrote is lost: %s", text)
			}
			if again := awserr.Explain(fmt.Errorf("twice: %w", explained)); !strings.HasPrefix(again.Error(), "twice: ") ||
				strings.Count(again.Error(), text) != 1 {
				t.Errorf("explained twice: %v", again)
			}
			if got := action.OutcomeOf(fmt.Errorf("passed on: %w", explained)); got != tt.outcome {
				t.Errorf("outcome %q of the explained error, want %q", got, tt.outcome)
			}
			var problem *awserr.Problem
			if !errors.As(explained, &problem) || problem.Title == "" || strings.Contains(problem.Title, "\n") {
				t.Errorf("title %+v", problem)
			}
		})
	}
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// Is makes it like the net package's own: a timeout of the network matches the error of a context.
func (timeout) Is(err error) bool { return err == context.DeadlineExceeded }

func TestExplainLeavesAlone(t *testing.T) {
	cancelledCall := answered("ECS", "DescribeServices", 0, &smithy.CanceledError{Err: context.Canceled})
	for _, err := range []error{
		nil,
		errors.New("image: tag is empty"),
		answered("ECS", "UpdateService", 400, &ecstypes.InvalidParameterException{Message: new("Network Configuration must be provided")}),
		answered("ECS", "RegisterTaskDefinition", 400, &ecstypes.ClientException{Message: new("Too many concurrent attempts")}),
		cancelledCall, context.Canceled, context.DeadlineExceeded,
	} {
		if got := awserr.Explain(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
		if kind := awserr.KindOf(err); kind != "" {
			t.Errorf("%v is %q", err, kind)
		}
	}
}

func TestOutcome(t *testing.T) {
	denied := answered("ECS", "DescribeServices", 400, api("AccessDeniedException", sentence))
	lost := unanswered(io.ErrUnexpectedEOF)
	deadline := answered("ECS", "DescribeServices", 0, &smithy.CanceledError{Err: context.DeadlineExceeded})
	stopped := answered("ECS", "DescribeServices", 0, &smithy.CanceledError{Err: context.Canceled})
	tests := []struct {
		name          string
		err           error
		before, after action.Outcome
	}{
		{"nothing", nil, action.Succeeded, action.Succeeded},
		{"denied", denied, action.Invalid, action.Unknown},
		{"denied, explained", awserr.Explain(denied), action.Invalid, action.Unknown},
		{"lost", lost, action.Unknown, action.Unknown},
		{"out of time", deadline, action.TimedOut, action.TimedOut},
		{"stopped", stopped, action.Cancelled, action.Cancelled},
		{"bare deadline", context.DeadlineExceeded, action.TimedOut, action.TimedOut},
		{"decided before", action.Failf(action.Stuck, "roll back: %w", denied), action.Stuck, action.Stuck},
		{"decided outside of an explanation", fmt.Errorf("x: %w", &action.Error{Outcome: action.Stuck, Err: awserr.Explain(denied)}),
			action.Stuck, action.Stuck},
		{"decided among several", errors.Join(errors.New("x"), action.Failf(action.Superseded, "y")), action.Superseded, action.Superseded},
		{"anything else", errors.New("x"), action.Failed, action.Failed},
		{"not found", answered("ECS", "UpdateService", 400, &ecstypes.ServiceNotFoundException{}), action.Invalid, action.Failed},
	}
	for _, tt := range tests {
		if got := action.OutcomeBeforeChange(tt.err); got != tt.before {
			t.Errorf("%s: before a change %q, want %q", tt.name, got, tt.before)
		}
		if got := action.OutcomeAfterChange(tt.err); got != tt.after {
			t.Errorf("%s: after a change %q, want %q", tt.name, got, tt.after)
		}
	}
}

func TestPredicates(t *testing.T) {
	denied := answered("ECS", "DescribeServices", 400, api("AccessDeniedException", sentence))
	tests := []struct {
		name string
		is   func(error) bool
		yes  error
	}{
		{"denied", awserr.IsDenied, denied},
		{"key is denied", awserr.IsDenied, answered("Secrets Manager", "GetSecretValue", 400,
			api("AccessDeniedException", "Access to KMS is not allowed"))},
		{"throttled", awserr.IsThrottled, answered("ECS", "X", 400, api("ThrottlingException", "Rate exceeded"))},
		{"expired", awserr.IsExpired, answered("ECS", "X", 400, api("ExpiredTokenException", expiredText))},
		{"credentials", awserr.IsCredentials, answered("ECS", "X", 400, api("UnrecognizedClientException", invalidText))},
		{"not found", awserr.IsNotFound, answered("ECS", "X", 400, &ecstypes.ClusterNotFoundException{})},
		{"lost", awserr.IsLost, unanswered(io.ErrUnexpectedEOF)},
		{"unsupported", awserr.IsUnsupported, answered("ECS", "X", 400, &ecstypes.UnsupportedFeatureException{})},
	}
	for _, tt := range tests {
		if !tt.is(tt.yes) || !tt.is(awserr.Explain(tt.yes)) {
			t.Errorf("%s: not recognised, plain %t, explained %t", tt.name, tt.is(tt.yes), tt.is(awserr.Explain(tt.yes)))
		}
		if tt.is(nil) || tt.is(errors.New("x")) || tt.is(context.Canceled) {
			t.Errorf("%s: says yes to anything", tt.name)
		}
	}
}
