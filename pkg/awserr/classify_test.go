package awserr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

// silent is an error whose text tells nothing of what it wraps.
type silent struct{ error }

func (silent) Error() string   { return "it failed" }
func (s silent) Unwrap() error { return s.error }

// slow is a network's timeout.
type slow struct{ is error }

func (slow) Error() string          { return "i/o timeout" }
func (slow) Timeout() bool          { return true }
func (slow) Temporary() bool        { return true }
func (s slow) Is(target error) bool { return s.is != nil && target == s.is }

// notCancelled has the method of a cancelled call, and is none.
type notCancelled struct{}

func (notCancelled) Error() string       { return "it failed" }
func (notCancelled) CanceledError() bool { return false }

// What is known of an error is read from its types where it has them, and from its text where that is all there is.
func TestFactsOf(t *testing.T) {
	said := awserrtest.API("SomeCode", "some text")
	for _, test := range []struct {
		name string
		err  error
		want facts
	}{
		{"typed", silent{awserrtest.Answered("ECS", "UpdateService", 418, said)},
			facts{service: "ECS", operation: "UpdateService", code: "SomeCode", message: "some text", status: 418, requestID: "r-123"}},
		{"not sent", silent{&smithyhttp.RequestSendError{Err: errors.New("x")}}, facts{unanswered: true}},
		{"a file that is not there", silent{&fs.PathError{Op: "open", Path: "image.tar", Err: syscall.ENOENT}}, facts{}},
		{"a bare system call", silent{syscall.ECONNRESET}, facts{}},
		{"a daemon that does not run", silent{&url.Error{Op: "Get", URL: "http://%2Fvar%2Frun%2Fdocker.sock/v1.47/info",
			Err: &net.OpError{Op: "dial", Net: "unix", Err: syscall.ENOENT}}}, facts{}},
		{"somebody else's host", silent{&url.Error{Op: "Get", URL: "https://ghcr.io/v2/",
			Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}}, facts{}},
		{"a host with AWS's name in it", silent{&url.Error{Op: "Get", URL: "https://amazonaws.com.example.org/", Err: slow{}}}, facts{}},
		{"AWS's host", silent{&url.Error{Op: "Get", URL: "https://1.dkr.ecr.eu-west-1.amazonaws.com/v2/",
			Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}}, facts{unanswered: true}},
		{"an address that cannot be read", silent{&url.Error{Op: "Get", URL: "https://[", Err: slow{}}}, facts{unanswered: true}},
		{"an address without a host", silent{&url.Error{Op: "Get", URL: "/v2/", Err: slow{}}}, facts{unanswered: true}},
		{"a network's error", silent{&net.OpError{Op: "read", Err: syscall.ECONNRESET}}, facts{unanswered: true}},
		{"a network's error behind an answer", silent{awserrtest.Answered("", "", 500, &net.OpError{Op: "read", Err: syscall.ECONNRESET})},
			facts{status: 500, requestID: "r-123"}},
		{"a network's error behind the lowest status", silent{awserrtest.Answered("", "", 1, &net.OpError{Op: "read", Err: syscall.ECONNRESET})},
			facts{status: 1, requestID: "r-123"}},
		{"a call that the caller ended", silent{&url.Error{Err: context.Canceled}}, facts{}},
		{"garbled", silent{&smithy.DeserializationError{Err: errors.New("x")}}, facts{garbled: true}},
		{"no credentials", silent{ErrNoCredentials}, facts{noCredentials: true}},
		{"no credentials, as text", errors.New("get identity: get credentials: x"), facts{noCredentials: true}},
		{"credentials that were not renewed, as text", errors.New("failed to refresh cached credentials, x"), facts{noCredentials: true}},
		{"another text", errors.New("x"), facts{}},
		{"text of the SDK",
			errors.New("operation error S3: PutObject, https response error StatusCode: 503, RequestID: abc-1, " +
				"HostID: h/=, api error SlowDown: Please\nwait"),
			facts{service: "S3", operation: "PutObject", code: "SlowDown", message: "Please\nwait", status: 503, requestID: "abc-1"}},
		{"text of the SDK without a message", errors.New("api error SlowDown"), facts{code: "SlowDown"}},
		{"text of an unanswered call", errors.New("https response error StatusCode: 0, RequestID: , x"), facts{unanswered: true}},
		{"text of the AWS CLI",
			errors.New("An error occurred (SlowDown) when calling the PutObject operation (reached max retries: 4): Please wait"),
			facts{operation: "PutObject", code: "SlowDown", message: "Please wait"}},
		{"text of another program", errors.New("cannot push: ExpiredToken: it is over"), facts{code: "ExpiredToken", message: "it is over"}},
		{"prose", errors.New("cannot push: Token expired: it is over"), facts{}},
	} {
		test.want.text = test.err.Error()
		if got := factsOf(test.err); got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", test.name, got, test.want)
		}
	}
}

// TestKindOfFacts flips what a kind depends on, one thing at a time.
func TestKindOfFacts(t *testing.T) {
	for _, test := range []struct {
		name string
		of   facts
		want Kind
	}{
		{"no credentials", facts{noCredentials: true}, KindCredentials},
		{"no credentials, because they are over", facts{noCredentials: true, code: "ExpiredToken"}, KindExpired},
		{"a denial that speaks of an expired token", facts{code: "AccessDenied", message: awserrtest.ExpiredText}, KindDenied},
		{"a renewal that was refused", facts{noCredentials: true, code: "AccessDenied"}, KindCredentials},

		{"a key, of a parameter", facts{code: "InvalidParameterException", message: "The KMS key is not usable"}, KindKey},
		{"a key, by its own code", facts{code: "KMSAccessDeniedException", message: "KMS says no"}, KindKey},
		{"a key, by its old name", facts{code: "AccessDeniedException", message: "no customer master key"}, KindKey},
		{"a key, in another error", facts{code: "SomeException", message: "The KMS key is not usable"}, ""},
		{"a parameter that is not a key", facts{code: "InvalidParameterException", message: "x"}, ""},
		{"another service's action", facts{code: "AccessDeniedException", message: awserrtest.Denied + " and KMS"}, KindDenied},

		{"denied, by text alone", facts{text: awserrtest.Denied}, KindDenied},
		{"denied, in a general error", facts{code: "ClientException", text: awserrtest.Denied}, KindDenied},
		{"the text in another error", facts{code: "SomeException", text: awserrtest.Denied}, ""},
		{"a status alone", facts{status: 403}, KindDenied},
		{"a status and its name", facts{status: 403, code: "Forbidden"}, KindDenied},
		{"a status and no name", facts{status: 403, code: "UnknownError"}, KindDenied},
		{"a status and another name", facts{status: 403, code: "SomeException"}, ""},
		{"another status", facts{status: 400}, ""},

		{"expired, by its text", facts{code: "SomeException", message: awserrtest.ExpiredText}, KindExpired},
		{"a clock", facts{code: "AuthFailure", message: "Signature expired: x"}, KindClock},
		{"a clock's text in another error", facts{code: "SomeException", message: "Signature expired: x"}, ""},
		{"a region", facts{code: "AuthFailure", message: "scoped to a valid region"}, KindRegion},
		{"a region's text in another error", facts{code: "SomeException", message: "scoped to a valid region"}, ""},
		{"a signature", facts{code: "AuthFailure", message: "x"}, KindCredentials},

		{"a quota", facts{code: "LimitExceededException", message: "x"}, KindQuota},
		{"a quota's rate", facts{code: "LimitExceededException", message: "Rate exceeded"}, KindThrottled},
		{"a rate in another error", facts{code: "SomeException", message: "Rate exceeded"}, ""},
		{"a rate, by status", facts{status: 429}, KindThrottled},
		{"another revision is being registered", facts{code: "ClientException", message: crowded}, KindThrottled},
		{"its text in another error", facts{code: "SomeException", message: crowded}, ""},

		{"not found, by status", facts{status: 404}, KindNotFound},
		{"not found, by status and another name", facts{status: 404, code: "SomeException"}, ""},
		{"not found, in the older form", facts{code: "QueueDoesNotExist"}, KindNotFound},
		{"not there", facts{code: "NoSuchBucket"}, KindNotFound},
		{"not found, in words", facts{code: "ClusterNotFoundException"}, KindNotFound},
		{"a method that is not allowed", facts{status: 405}, ""},
		{"a general error", facts{code: "ClientException", message: "x"}, ""},

		{"unanswered", facts{unanswered: true}, KindLost},
		{"a failing service", facts{status: 500, code: "SomeException"}, KindLost},
		{"almost a failing service", facts{status: 499, code: "SomeException"}, ""},
		{"garbled", facts{garbled: true, status: 200}, KindLost},
		{"garbled, with a code", facts{garbled: true, status: 200, code: "SomeException"}, ""},
		{"nothing is known", facts{}, ""},
	} {
		if got := test.of.kind(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// crowded is what ECS says while it registers another revision of the family.
const crowded = "Too many concurrent attempts to create a new revision of the specified family."

func TestIsCrowded(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"another revision is being registered", awserrtest.API("ClientException", crowded), true},
		{"another fault of the client", awserrtest.API("ClientException", "Family contains invalid characters."), false},
		{"the text in another error", awserrtest.API("SomeException", crowded), false},
	} {
		if got := IsCrowded(test.err); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// A call counts as cancelled where the caller's context ended it, and not where the network took too long.
func TestCancelled(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"another error", errors.New("x"), false},
		{"the SDK says so", &smithy.CanceledError{Err: errors.New("x")}, true},
		{"the SDK says no", notCancelled{}, false},
		{"the context is cancelled", fmt.Errorf("x: %w", context.Canceled), true},
		{"the context's time is over", fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{"the client says so", &url.Error{Op: "Get", Err: context.Canceled}, true},
		{"the client says that the time is over", &url.Error{Op: "Get", Err: context.DeadlineExceeded}, true},
		{"a connection timed out", &net.OpError{Op: "dial", Err: slow{context.DeadlineExceeded}}, false},
		{"sending timed out", &smithyhttp.RequestSendError{Err: slow{context.DeadlineExceeded}}, false},
		{"a timeout of its own", slow{}, false},
		{"a connection that timed out, in a cancelled call",
			errors.Join(&net.OpError{Op: "dial", Err: slow{context.DeadlineExceeded}}, context.Canceled), true},
		{"a connection that was refused, and the time is over",
			errors.Join(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, context.DeadlineExceeded), true},
	} {
		if got := Cancelled(test.err); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestSaid(t *testing.T) {
	for want, err := range map[string]error{
		"SomeCode: some text": awserrtest.API("SomeCode", "some text."),
		"SomeCode":            awserrtest.API("SomeCode", ""),
		"some text":           awserrtest.API("UnknownError", "some text"),
	} {
		if got := Said(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestExpiredCredentialsAreNone(t *testing.T) {
	expired := awserrtest.Answered("ECS", "X", 400, awserrtest.API("ExpiredTokenException", awserrtest.ExpiredText))
	unknown := awserrtest.Answered("ECS", "X", 400, awserrtest.API("UnrecognizedClientException", "x"))
	denied := awserrtest.Answered("ECS", "X", 400, awserrtest.API("AccessDeniedException", "x"))
	if !IsCredentials(expired) || !IsCredentials(unknown) || IsCredentials(denied) {
		t.Errorf("expired %t, unknown %t, denied %t", IsCredentials(expired), IsCredentials(unknown), IsCredentials(denied))
	}
	if IsExpired(unknown) || IsDenied(expired) {
		t.Error("kinds of credentials are mixed up")
	}
}
