package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

// Silence is what a handler panics with where a call is never answered: the connection stays open until the client gives up.
// [Hold] catches it.
type Silence struct{}

// Hold serves a request, and keeps it waiting for as long as its client does where the handler falls silent.
func Hold(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case Silence{}:
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		default:
			panic(p)
		}
	}()
	handler.ServeHTTP(w, r)
}

// Lost ends the handler of a request whose operation took effect and whose answer is lost.
func (r *Request) Lost() {
	switch {
	case r.Cut:
		panic(http.ErrAbortHandler)
	case r.Hang:
		panic(Silence{})
	}
}

// Request is one call of an API operation.
type Request struct {
	Context context.Context
	Service string // IAM prefix: "ecs", "elasticloadbalancing"
	Action  string // "DescribeServices"
	Region  string // from the credential scope, or the sandbox's own for unsigned calls
	Account string // the sandbox's account
	Host    string // host and port that the client addressed
	Caller  Caller
	Now     time.Time  // virtual time
	Body    []byte     // JSON services
	Form    url.Values // query services
	// Parameters are those of the path and the query of REST services.
	Parameters url.Values
	HTTP       *http.Request
	Cut        bool // set by Server.Intercept: the operation takes effect, and its answer is lost with the connection
	Hang       bool // set by Server.Intercept: the operation takes effect, and its answer never comes

	dialect *dialect
	journal *Journal
	entry   *Entry
}

// Caller is who sent a request.
type Caller struct {
	AccessKeyID string
	Account     string
	ARN         string         // of the user, or of the assumed role's session
	UserID      string         // unique id, with ":SESSION" for assumed roles
	RoleARN     string         // the assumed role; empty for users
	Expires     time.Time      // virtual time at which the credentials end; zero: never
	Policy      *policy.Policy // what the caller may do; nil: everything
}

// Decode reads the operation's input into the struct that v points to: the JSON body, or the form of the query
// protocol. Members that v does not have are passed over. A member of the wrong type is a SerializationException
// (JSON) or MalformedInput (query), as the services answer.
func (r *Request) Decode(v any) error {
	if r.Form != nil {
		return decodeForm(r.Form, v)
	}
	if len(r.Body) == 0 {
		return nil
	}
	err := json.Unmarshal(r.Body, v)
	if err == nil {
		return nil
	}
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Errorf("SerializationException", "%s at %q can not be converted to %s",
			mismatch.Value, mismatch.Field, mismatch.Type.Kind())
	}
	return Errorf("SerializationException", "the request body is not valid JSON: %v", err)
}

// Authorize records in the journal that the call needs action on resource (an ARN, or "*"), with condition values
// written "key=value". It returns AWS's own denial if the caller's policy does not allow it.
func (r *Request) Authorize(action, resource string, conditions ...string) error {
	values := make(map[string]string, len(conditions))
	for _, c := range conditions {
		key, value, _ := strings.Cut(c, "=")
		values[key] = value
	}
	decision := r.Caller.Policy.Evaluate(action, resource, values)
	authorization := Authorization{Action: action, Resource: resource, Allowed: decision == policy.Allowed}
	if len(values) > 0 {
		authorization.Conditions = values
	}
	r.Note(func(e *Entry) {
		e.Authorizations = append(e.Authorizations, authorization)
		if resource != "*" && !slices.Contains(e.Resources, resource) {
			e.Resources = append(e.Resources, resource)
		}
	})
	if decision == policy.Allowed {
		return nil
	}
	denial := r.dialect.denied
	denial.Message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s",
		r.Caller.ARN, action, resource, decision.Because(action))
	return &denial
}

// Note lets the holder of the request add to its journal entry.
func (r *Request) Note(change func(*Entry)) {
	if r.journal != nil {
		r.journal.edit(r.entry, change)
	}
}

// Throttled is the refusal with which this request's service slows a client down.
func (r *Request) Throttled() *Error { e := r.dialect.throttled; return &e }

// Unavailable is the service's answer when it is the service that fails.
func (r *Request) Unavailable() *Error { e := r.dialect.unavailable; return &e }

// Expired is the refusal of credentials that were good once.
func (r *Request) Expired() *Error { e := r.dialect.expiredToken; return &e }

// Denied is a denial in the service's own envelope, for those that no identity policy decides.
func (r *Request) Denied(format string, args ...any) *Error {
	e := r.dialect.denied
	e.Message = fmt.Sprintf(format, args...)
	return &e
}
