package awserr

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// Kind sorts what AWS answered, or did not, by what has to be done about it.
type Kind string

// The kinds. The empty Kind is everything that speaks for itself: validation errors, conflicts, cancelled calls.
const (
	KindDenied      Kind = "denied"              // a permission is missing
	KindKey         Kind = "kms key"             // a KMS key's policy is missing a permission
	KindExpired     Kind = "expired"             // the credentials were good and are not any more
	KindCredentials Kind = "invalid credentials" // there are none, AWS does not know them, or the role refuses
	KindClock       Kind = "clock skew"          // this machine's clock is wrong
	KindRegion      Kind = "wrong region"        // the request went to a region that the credentials or resource do not serve
	KindThrottled   Kind = "throttled"           // too many requests, after all retries
	KindQuota       Kind = "quota"               // a limit of the account is reached; retrying does not help
	KindNotFound    Kind = "not found"           // what the call names does not exist
	KindUnsupported Kind = "unsupported"         // this region, partition or stand-in does not have the API
	KindLost        Kind = "lost"                // no answer, or one that a proxy or a failing service made
)

// ErrNoCredentials is in the chain of errors of a run that has no credentials: none were found, or the role refuses.
var ErrNoCredentials = errors.New("no AWS credentials were found")

// facts are what an error says, whether it is typed (an SDK call) or only text (a log line, another program's output).
type facts struct {
	service, operation string // "ECS", "UpdateService"
	code, message      string // "AccessDeniedException", its text
	status             int    // HTTP status; 0 where nothing was answered or nothing is known
	requestID          string
	unanswered         bool   // the request got no HTTP response
	garbled            bool   // there was a response, but not one of the service's protocol
	noCredentials      bool   // the call was not even sent: signing found no credentials
	text               string // the whole error as text
}

var (
	operationText = lazyregexp.New(`operation error ([^:]+): ([A-Za-z0-9]+),`)
	statusText    = lazyregexp.New(`StatusCode: (\d+)`)
	requestIDText = lazyregexp.New(`RequestID: ([A-Za-z0-9-]+)`)
	apiErrorText  = lazyregexp.New(`(?s)(?:api error |RequestID: [^,]*, (?:HostID: [^,]*, )?(?:api error )?)([A-Z][A-Za-z0-9]+)(?:: (.*))?$`)
	cliErrorText  = lazyregexp.New(`(?s)An error occurred \(([A-Za-z0-9.]+)\) when calling the ([A-Za-z0-9]+) operation(?: \([^)]*\))?: (.*)$`)
	// Last resort, for text that other programs made of an AWS error: only names that cannot be a word of prose.
	exceptionText = lazyregexp.New(`(?s)\b([A-Z][A-Za-z0-9]*(?:Exception|TokenId|Token|AccessDenied)): (.*)$`)
)

func factsOf(err error) facts {
	f := facts{text: err.Error()}
	f.readText()

	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		f.service, f.operation = operation.Service(), operation.Operation()
	}
	f.noCredentials = errors.Is(err, ErrNoCredentials) ||
		strings.Contains(f.text, "get credentials: ") || strings.Contains(f.text, "failed to refresh cached credentials")
	var api smithy.APIError
	if errors.As(err, &api) {
		f.code, f.message = api.ErrorCode(), api.ErrorMessage()
	}
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) {
		f.status = response.HTTPStatusCode()
	}
	var request interface{ ServiceRequestID() string }
	if errors.As(err, &request) {
		f.requestID = request.ServiceRequestID()
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) || f.status == 0 && !errors.Is(err, context.Canceled) && unreached(err) {
		f.unanswered = true
	}
	var deserialization *smithy.DeserializationError
	if errors.As(err, &deserialization) {
		f.garbled = true
	}
	return f
}

// unreached reports a connection to AWS that failed. A file that is not there, a daemon's socket and somebody else's host are none:
// every error of a system call counts as one of the network in Go's library.
func unreached(err error) bool {
	var network net.Error
	var operation *net.OpError
	if !errors.As(err, &network) || errors.As(err, &operation) && strings.HasPrefix(operation.Net, "unix") {
		return false
	}
	if _, bare := network.(syscall.Errno); bare { //nolint:errorlint // what is found first is what counts
		return false
	}
	var request *url.Error
	if errors.As(err, &request) {
		return ofAWS(request.URL)
	}
	return true
}

// ofAWS says whether an address is one of AWS's; one that cannot be read, or names no host, may be.
func ofAWS(address string) bool {
	at, err := url.Parse(address)
	if err != nil || at.Hostname() == "" {
		return true
	}
	host := "." + at.Hostname()
	return slices.ContainsFunc([]string{".amazonaws.com", ".amazonaws.com.cn", ".aws"}, func(domain string) bool {
		return strings.HasSuffix(host, domain)
	})
}

// readText fills the facts from the error's text alone; typed errors in the chain overrule it.
func (f *facts) readText() {
	if m := operationText.FindStringSubmatch(f.text); m != nil {
		f.service, f.operation = m[1], m[2]
	}
	if m := requestIDText.FindStringSubmatch(f.text); m != nil {
		f.requestID = m[1]
	}
	if m := statusText.FindStringSubmatch(f.text); m != nil {
		f.status, _ = strconv.Atoi(m[1])
		f.unanswered = f.status == 0
	}
	if m := apiErrorText.FindStringSubmatch(f.text); m != nil {
		f.code, f.message = m[1], m[2]
	} else if m := cliErrorText.FindStringSubmatch(f.text); m != nil {
		f.code, f.operation, f.message = m[1], m[2], m[3]
	} else if m := exceptionText.FindStringSubmatch(f.text); m != nil {
		f.code, f.message = m[1], m[2]
	}
}

// KindOf sorts an error. Nil, a cancelled call, and what needs no explanation are the empty Kind.
func KindOf(err error) Kind {
	if err == nil || Cancelled(err) {
		return ""
	}
	return factsOf(err).kind()
}

// Cancelled reports whether the caller's own context ended the call. A connection that timed out by itself is no such
// case, although it matches context.DeadlineExceeded too: the SDK wraps the caller's alone in a CanceledError.
func Cancelled(err error) bool {
	var canceled interface{ CanceledError() bool }
	if errors.As(err, &canceled) && canceled.CanceledError() {
		return true
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() && !errors.Is(err, context.Canceled) {
		// context.DeadlineExceeded itself is a net.Error: only one below a connection is the network's.
		var operation *net.OpError
		var send *smithyhttp.RequestSendError
		return errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &operation) && !errors.As(err, &send)
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func (f facts) kind() Kind {
	// The order matters: a renewal that was refused carries the code AccessDenied, but it is not the call that is denied;
	// a signature error's text decides between clock, region and a wrong key.
	switch {
	case f.noCredentials && f.isExpired():
		return KindExpired
	case f.noCredentials:
		return KindCredentials
	case f.isKey():
		return KindKey
	case f.isDenied():
		return KindDenied
	case f.isExpired():
		return KindExpired
	case f.isClock():
		return KindClock
	case f.isRegion():
		return KindRegion
	case credentialCodes[f.code]:
		return KindCredentials
	case f.isThrottled():
		return KindThrottled
	case f.isQuota():
		return KindQuota
	case unsupportedCodes[f.code]:
		return KindUnsupported
	case f.isNotFound():
		return KindNotFound
	case f.unanswered || f.status >= 500 || (f.garbled && f.code == ""):
		return KindLost
	default:
		return ""
	}
}

var (
	deniedCodes = set("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError",
		"AuthorizationErrorException", "NotAuthorized", "NotAuthorizedException", "UnauthorizedAccess", "DENIED")
	expiredCodes    = set("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
	clockCodes      = set("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture")
	signatureCodes  = set("InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure")
	regionCodes     = set("AuthorizationHeaderMalformed", "PermanentRedirect", "RegionDisabledException", "OptInRequired")
	credentialCodes = set("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken",
		"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "IncompleteSignature", "IncompleteSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidIdentityToken", "IDPRejectedClaim")
	throttleCodes = set("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"TooManyRequestsException", "TooManyRequests", "TOOMANYREQUESTS", "RequestLimitExceeded", "BandwidthLimitExceeded", "SlowDown",
		"EC2ThrottledException", "PriorRequestNotComplete", "TransactionInProgressException", "ProvisionedThroughputExceededException")
	quotaCodes       = set("LimitExceededException", "LimitExceeded", "ServiceQuotaExceededException", "QuotaExceededException")
	unsupportedCodes = set("UnsupportedFeatureException", "UnknownOperationException", "UnsupportedOperationException",
		"UnsupportedOperation", "InvalidAction", "UnrecognizedOperation", "NotImplemented")
)

// isKey reports a KMS key that this principal, or the service on its behalf, may not use. The texts are those of Secrets
// Manager, CloudWatch Logs and KMS itself.
func (f facts) isKey() bool {
	if d, ok := ParseDenial(f.message); ok {
		return strings.HasPrefix(d.Action, "kms:")
	}
	denied := deniedCodes[f.code] || f.code == "InvalidParameterException" || f.code == "KMSAccessDeniedException"
	return denied && (strings.Contains(f.message, "KMS") || strings.Contains(f.message, "customer master key"))
}

func (f facts) isDenied() bool {
	if deniedCodes[f.code] {
		return true
	}
	if _, ok := ParseDenial(f.text); ok && (f.code == "" || strings.HasSuffix(f.code, "ClientException")) {
		return true
	}
	// S3's HEAD has no body: the status is all there is.
	return f.status == 403 && (f.code == "" || f.code == "Forbidden" || f.code == "UnknownError")
}

func (f facts) isExpired() bool {
	return expiredCodes[f.code] || strings.Contains(f.message, "security token included in the request is expired")
}

func (f facts) isClock() bool {
	return clockCodes[f.code] || (signatureCodes[f.code] &&
		(strings.Contains(f.message, "Signature expired") || strings.Contains(f.message, "Signature not yet current")))
}

func (f facts) isRegion() bool {
	return regionCodes[f.code] || (signatureCodes[f.code] && strings.Contains(f.message, "scoped to a valid region"))
}

func (f facts) isThrottled() bool {
	return f.isCrowded() || throttleCodes[f.code] || f.status == 429 || (quotaCodes[f.code] && strings.Contains(f.message, "Rate exceeded"))
}

// isCrowded reports that ECS was registering another revision of the same family. It calls that a fault of the client
// (terraform-provider-aws#9777); it passes, and nothing was registered.
func (f facts) isCrowded() bool {
	return f.code == "ClientException" && strings.HasPrefix(f.message, "Too many concurrent attempts to create a new revision")
}

func (f facts) isQuota() bool { return quotaCodes[f.code] }

func (f facts) isNotFound() bool {
	// ECS reports a missing task definition as a ClientException with this text and no code of its own.
	if f.code == "ClientException" {
		return strings.HasPrefix(f.message, "Unable to describe task definition")
	}
	return strings.Contains(f.code, "NotFound") || strings.HasPrefix(f.code, "NoSuch") || strings.HasSuffix(f.code, "DoesNotExist") ||
		(f.status == 404 && f.code == "")
}

// IsDenied reports that the caller lacks a permission, a KMS key's included; not that its credentials are bad.
func IsDenied(err error) bool { k := KindOf(err); return k == KindDenied || k == KindKey }

// IsThrottled reports that AWS refused the call for its rate. The retries of the SDK are spent by then.
func IsThrottled(err error) bool { return KindOf(err) == KindThrottled }

// IsCrowded reports that ECS registered another revision of the family at that moment: a kind of throttling.
func IsCrowded(err error) bool { return err != nil && factsOf(err).isCrowded() }

// IsExpired reports credentials that have expired, an ID token's included.
func IsExpired(err error) bool { return KindOf(err) == KindExpired }

// IsCredentials reports that there are no usable credentials: none, unknown to AWS, wrongly signed, expired, or refused by
// the role that was to be assumed.
func IsCredentials(err error) bool { k := KindOf(err); return k == KindCredentials || k == KindExpired }

// IsNotFound reports that what the call names does not exist.
func IsNotFound(err error) bool { return KindOf(err) == KindNotFound }

// IsUnsupported reports that the service here (region, partition, stand-in) does not know the operation or feature.
func IsUnsupported(err error) bool { return KindOf(err) == KindUnsupported }

// IsLost reports that no answer came, or that a proxy or a failing service answered instead (HTTP 5xx, HTML). Whether the
// call took effect is not known.
func IsLost(err error) bool { return KindOf(err) == KindLost }

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// Answer returns the code and the message of AWS in an error; both are empty where it gave none.
func Answer(err error) (code, message string) {
	f := factsOf(err)
	return f.code, f.message
}

// Said returns what AWS answered, or that nothing came back, as Explain quotes it.
func Said(err error) string { return strings.TrimPrefix(factsOf(err).said(), ": ") }

// IsQuotaCode reports whether an error code means that a limit of the account is reached, unless the message says "Rate exceeded".
func IsQuotaCode(code string) bool { return quotaCodes[code] }
