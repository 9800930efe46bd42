package wire

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an answer that refuses. Code and Message are what the service sends; Fields are further members of the
// error's JSON body, as some modelled errors have.
type Error struct {
	Code    string
	Message string
	Status  int            // HTTP status; 0 means 400
	Fields  map[string]any // members beside the code and the message; JSON services alone send them
}

// Error returns "Code: Message", the form that AWS tools print.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// HTTPStatus is the status that the answer carries: 400 unless Status says otherwise.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// Errorf makes a client error (HTTP 400).
func Errorf(code string, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithStatus returns a copy that answers with another HTTP status.
func (e *Error) WithStatus(status int) *Error {
	c := *e
	c.Status = status
	return &c
}

// WithField returns a copy with one more member in its JSON body.
func (e *Error) WithField(name string, value any) *Error {
	c := *e
	c.Fields = map[string]any{name: value}
	for k, v := range e.Fields {
		c.Fields[k] = v
	}
	return &c
}

// CodeNotModelled is the error code of everything that the sandbox leaves out. No AWS service sends it, so it cannot be
// mistaken for one's answer, and its status 501 is one that no SDK retries.
const CodeNotModelled = "SandboxNotModelled"

// NotModelled says what the sandbox leaves out, for example NotModelled("ecs:CreateTaskSet").
func NotModelled(format string, args ...any) *Error {
	return &Error{
		Code:    CodeNotModelled,
		Message: "connect2 sandbox does not model " + fmt.Sprintf(format, args...),
		Status:  http.StatusNotImplemented,
	}
}

// asError turns whatever an operation returned into an answer. An error that is no *Error is a defect of the sandbox
// and says so, rather than posing as a refusal by AWS.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{
		Code:    "InternalFailure",
		Message: "connect2 sandbox failed: " + err.Error(),
		Status:  http.StatusInternalServerError,
	}
}

// dialect holds how a family of services words the refusals that are not the operation's own.
type dialect struct {
	denied, throttled, unknownToken, expiredToken, missingToken, unavailable Error
}

// jsonDialect is that of the AWS JSON services; the status 400 of denials and throttling was seen for ECR, CloudWatch
// Logs and Secrets Manager and is taken over for the others (unconfirmed there).
var jsonDialect = dialect{
	denied:       Error{Code: "AccessDeniedException"},
	throttled:    Error{Code: "ThrottlingException", Message: "Rate exceeded"},
	unknownToken: Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid."},
	expiredToken: Error{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"},
	missingToken: Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token"},
	unavailable:  Error{Code: "ServiceUnavailableException", Message: "Service is unavailable", Status: 503},
}

// queryDialect is that of STS, IAM, Elastic Load Balancing and the other query services.
var queryDialect = dialect{
	denied:       Error{Code: "AccessDenied", Status: 403},
	throttled:    Error{Code: "Throttling", Message: "Rate exceeded"},
	unknownToken: Error{Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid.", Status: 403},
	expiredToken: Error{Code: "ExpiredToken", Message: "The security token included in the request is expired", Status: 403},
	missingToken: Error{Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: 403},
	unavailable:  Error{Code: "ServiceUnavailable", Message: "Service is unavailable", Status: 503},
}

// ec2Dialect is that of EC2's query API ("Error codes for the Amazon EC2 API").
var ec2Dialect = dialect{
	denied:       Error{Code: "UnauthorizedOperation", Status: 403},
	throttled:    Error{Code: "RequestLimitExceeded", Message: "Request limit exceeded.", Status: 503},
	unknownToken: Error{Code: "AuthFailure", Message: "AWS was not able to validate the provided access credentials", Status: 401},
	expiredToken: Error{Code: "RequestExpired", Message: "Request has expired."},
	missingToken: Error{Code: "MissingParameter", Message: "Request must contain parameter AWSAccessKeyId"},
	unavailable:  Error{Code: "Unavailable", Message: "The service is unavailable. Please try again shortly.", Status: 503},
}

// registryDialect is that of ECR's registry endpoint (OCI distribution).
var registryDialect = dialect{
	denied:       Error{Code: "DENIED", Status: 403},
	throttled:    Error{Code: "TOOMANYREQUESTS", Message: "Rate exceeded", Status: 429},
	unknownToken: Error{Code: "DENIED", Message: "Your authorization token has expired. Reauthenticate and try again.", Status: 403},
	expiredToken: Error{Code: "DENIED", Message: "Your authorization token has expired. Reauthenticate and try again.", Status: 403},
	missingToken: Error{Code: "UNAUTHORIZED", Message: "Not Authorized", Status: 401},
	unavailable:  Error{Code: "UNKNOWN", Message: "Service is unavailable", Status: 503},
}
