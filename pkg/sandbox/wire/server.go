package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxBody bounds the body of an API call. The largest that any modelled operation takes is ECR's UploadLayerPart: 20 MiB
// in base64.
const maxBody = 32 << 20

// Errors with which Server.Identify refuses a caller.
var (
	ErrUnknownCredentials = errors.New("credentials are not known")
	ErrExpiredCredentials = errors.New("credentials have expired")
)

// Server finds and runs the operation that a request asks for. All fields but Unsigned, Intercept and Advance are required.
type Server struct {
	Account, Region string
	Now             func() time.Time                                        // virtual time
	Identify        func(accessKeyID string, now time.Time) (Caller, error) // ErrUnknownCredentials, ErrExpiredCredentials
	Advance         func(now time.Time)                                     // runs everything in the world that is due by now
	Intercept       func(*Request) error                                    // injected faults; asked before the operation runs
	Unsigned        map[string]bool                                         // "sts:AssumeRoleWithWebIdentity": operations without a signature
	GlobalServices  map[string]bool                                         // services whose scope may name any region
	NewID           func() string                                           // request ids, UUIDs
	JSON            []*JSONService
	Query           []*QueryService
	REST            []*RESTService

	Journal Journal
	World   sync.Mutex // held while anything of the world is read or changed
}

// service is what a JSONService and a QueryService have in common for the server.
type service struct {
	name       string
	dialect    *dialect
	operations map[string]Operation
	result     func(w http.ResponseWriter, v any) error
	fail       func(w http.ResponseWriter, e *Error)
}

// ServeHTTP answers one API call.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	id := s.Stamp(w)
	body, err := io.ReadAll(io.LimitReader(hr.Body, maxBody+1))
	if err != nil {
		http.Error(w, "request body: "+err.Error(), http.StatusBadRequest)
		return
	}
	if len(body) > maxBody {
		http.Error(w, "request body is larger than 32 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	call, err := s.route(hr, body, id)
	if err != nil {
		s.noteUnrouted(hr, err)
		fail(w, hr, asError(err))
		return
	}
	result, err := s.run(call)
	if err == nil {
		err = call.service.result(w, result)
	}
	if err != nil {
		call.service.fail(w, asError(err))
	}
}

// Stamp writes the headers that every answer carries and returns the request's id. The Date is that of virtual time:
// SDKs correct their clocks by it.
func (s *Server) Stamp(w http.ResponseWriter) string {
	id := s.NewID()
	w.Header().Set("Date", s.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("x-amzn-RequestId", id)
	return id
}

type call struct {
	service   *service
	operation Operation
	request   *Request
	region    string
	signed    bool
	key       string
}

// route finds the operation that a request names: X-Amz-Target for JSON services, Action with Version for query ones.
func (s *Server) route(hr *http.Request, body []byte, id string) (*call, error) {
	scope, signed := credentialOf(hr)
	c := &call{signed: signed, key: scope.AccessKeyID, region: scope.Region}
	request := &Request{Context: hr.Context(), Region: s.Region, Account: s.Account, Host: hr.Host, Body: body, HTTP: hr}
	if signed {
		request.Region = scope.Region
	}
	if name, action, ok := cborTarget(hr); ok {
		for _, js := range s.JSON {
			if js.TargetPrefix != name {
				continue
			}
			c.service = &service{
				name: js.Name, dialect: &jsonDialect, operations: js.Operations,
				result: func(w http.ResponseWriter, v any) error {
					document, err := encodeJSON(v)
					if err != nil {
						return err
					}
					return writeCBOR(w, http.StatusOK, document)
				},
				fail: func(w http.ResponseWriter, e *Error) {
					document, err := encodeJSON(map[string]any{"__type": e.Code, "message": e.Message})
					if err == nil {
						_ = writeCBOR(w, e.HTTPStatus(), document) // a client that has gone needs no answer
					}
				},
			}
			document, err := jsonOfCBOR(body)
			if err != nil {
				return nil, err
			}
			request.Action, request.Body = action, document
		}
		if c.service == nil {
			return nil, NotModelled("the service %q in CBOR", name)
		}
	} else if target := hr.Header.Get("X-Amz-Target"); target != "" {
		prefix, action, _ := strings.Cut(target, ".")
		for _, js := range s.JSON {
			if js.TargetPrefix == prefix {
				c.service = &service{
					name: js.Name, dialect: &jsonDialect, operations: js.Operations,
					result: func(w http.ResponseWriter, v any) error { return js.writeResult(w, hr, v) },
					fail:   func(w http.ResponseWriter, e *Error) { js.writeError(w, hr, e) },
				}
				request.Action = action
			}
		}
		if c.service == nil {
			return nil, NotModelled("the service behind X-Amz-Target %q", target)
		}
	} else if form, ok := formOf(hr, body); ok {
		action, version := form.Get("Action"), form.Get("Version")
		for _, qs := range s.Query {
			if qs.Version == version && (!signed || scope.Service == qs.Name || qs.Operations[action] != nil) {
				c.service = &service{
					name: qs.Name, dialect: &queryDialect, operations: qs.Operations,
					result: func(w http.ResponseWriter, v any) error { return qs.writeResult(w, action, id, v) },
					fail:   func(w http.ResponseWriter, e *Error) { qs.writeError(w, id, e) },
				}
				if qs.Flat {
					c.service.dialect = &ec2Dialect
				}
				request.Action, request.Form = action, form
			}
		}
		if c.service == nil {
			return nil, NotModelled("the query API %s of version %s (service %q)", action, version, scope.Service)
		}
	} else if rs := s.rest(scope.Service); rs != nil {
		action, operation, parameters := rs.find(hr)
		c.service = &service{
			name: rs.Name, dialect: rs.dialect(), operations: map[string]Operation{action: operation},
			result: func(w http.ResponseWriter, v any) error { return rs.writeResult(w, action, v) },
			fail:   func(w http.ResponseWriter, e *Error) { rs.writeError(w, id, e) },
		}
		request.Action, request.Parameters = action, parameters
	} else {
		return nil, NotModelled("%s %s (service %q)", hr.Method, hr.URL.Path, scope.Service)
	}
	request.Service, request.dialect = c.service.name, c.service.dialect
	c.operation, c.request = c.service.operations[request.Action], request
	return c, nil
}

// rest returns the REST service that a signature names, or nil.
func (s *Server) rest(name string) *RESTService {
	for _, rs := range s.REST {
		if rs.Name == name {
			return rs
		}
	}
	return nil
}

// run executes a call with the world locked and writes its journal entry.
func (s *Server) run(c *call) (result any, err error) {
	s.World.Lock()
	defer s.World.Unlock()
	r := c.request
	onlooker := r.Context != nil && r.Context.Value(onlookerKey{}) != nil
	s.open(r)
	defer func() {
		if p := recover(); p != nil {
			if p == any(http.ErrAbortHandler) || p == any(Silence{}) { // no answer: there is no status to record
				panic(p)
			}
			err = fmt.Errorf("%s:%s: %v", r.Service, r.Action, p)
		}
		r.Finish(err)
	}()
	if onlooker {
		r.Caller = Caller{Account: s.Account, ARN: "arn:aws:iam::" + s.Account + ":user/onlooker"}
	} else if err := s.admit(c); err != nil {
		return nil, err
	}
	if s.Intercept != nil && !onlooker {
		if err := s.Intercept(r); err != nil {
			return nil, err
		}
	}
	if c.operation == nil {
		return nil, NotModelled("%s:%s", r.Service, r.Action)
	}
	result, err = c.operation(r)
	r.Lost()
	return result, err
}

// admit says who the caller is, or refuses as the service would.
func (s *Server) admit(c *call) error {
	r := c.request
	if s.Unsigned[r.Service+":"+r.Action] {
		return nil
	}
	if !c.signed {
		e := r.dialect.missingToken
		return &e
	}
	caller, err := s.Identify(c.key, r.Now)
	if refusal := r.refuse(err); refusal != nil {
		return refusal
	}
	r.Caller = caller
	r.Note(func(e *Entry) { e.Caller = caller.ARN })
	if c.region != s.Region && !s.GlobalServices[r.Service] {
		return NotModelled("the region %q: this sandbox is %s in account %s", c.region, s.Region, s.Account)
	}
	return nil
}

func (r *Request) refuse(err error) error {
	var refusal Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrExpiredCredentials):
		refusal = r.dialect.expiredToken
	case errors.Is(err, ErrUnknownCredentials):
		refusal = r.dialect.unknownToken
	default:
		return err
	}
	return &refusal
}

// open gives the request its time, moves the world up to it, and begins its journal entry.
func (s *Server) open(r *Request) {
	r.Now = s.Now()
	if s.Advance != nil {
		s.Advance(r.Now)
	}
	r.journal = &s.Journal
	r.entry = &Entry{Time: r.Now, Service: r.Service, Action: r.Action, Caller: r.Caller.ARN, Mutating: Mutating(r.Action)}
	if r.Context == nil || r.Context.Value(onlookerKey{}) == nil {
		s.Journal.open(r.entry)
	}
}

// onlookerKey marks the context of a call by somebody who only looks on.
type onlookerKey struct{}

// Onlooker returns a context whose calls are those of somebody outside the world: they may do everything, meet no fault, use up no
// limit, and are in no journal.
func Onlooker(ctx context.Context) context.Context {
	return context.WithValue(ctx, onlookerKey{}, true)
}

// Finish writes the outcome into the journal entry; err is nil for success.
func (r *Request) Finish(err error) {
	r.Note(func(e *Entry) {
		if err == nil {
			e.Status = http.StatusOK
			return
		}
		refusal := asError(err)
		e.Status, e.Code = refusal.HTTPStatus(), refusal.Code
	})
}

// noteUnrouted writes the journal entry of a request for a service that is not modelled.
func (s *Server) noteUnrouted(hr *http.Request, err error) {
	scope, _ := credentialOf(hr)
	action := hr.Method + " " + hr.URL.Path
	if _, name, ok := strings.Cut(hr.Header.Get("X-Amz-Target"), "."); ok {
		action = name
	}
	entry := &Entry{Time: s.Now(), Service: scope.Service, Action: action}
	entry.Mutating = hr.Method != http.MethodGet && hr.Method != http.MethodHead && Mutating(action)
	refusal := asError(err)
	entry.Status, entry.Code = refusal.HTTPStatus(), refusal.Code
	s.Journal.open(entry)
}

// Registry opens a request to the image registry, which stands for one action of the ECR API in permissions, quotas and
// the journal. The holder of the world's lock calls it; the returned error is an injected fault or nil, and the caller
// ends the request with Finish. Requests of nobody (a zero Caller) get no faults: they are refused anyway.
func (s *Server) Registry(hr *http.Request, action string, caller Caller) (*Request, error) {
	r := &Request{
		Context: hr.Context(), Service: "ecr", Action: action, Region: s.Region, Account: s.Account,
		Host: hr.Host, Caller: caller, HTTP: hr, dialect: &registryDialect,
	}
	s.open(r)
	r.Note(func(e *Entry) { e.Request = hr.Method + " " + hr.URL.RequestURI() })
	if s.Intercept != nil && caller.ARN != "" {
		return r, s.Intercept(r)
	}
	return r, nil
}

// fail answers a request that no service could be found for, in the envelope that its client most likely reads: XML for
// forms and for the REST-XML services, JSON with the code in a header for all others.
func fail(w http.ResponseWriter, hr *http.Request, e *Error) {
	scope, _ := credentialOf(hr)
	_, isQuery := formOf(hr, nil)
	form := strings.HasPrefix(hr.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if isQuery || form || scope.Service == "s3" || scope.Service == "route53" || scope.Service == "cloudfront" {
		(&QueryService{}).writeError(w, "", e)
		return
	}
	w.Header().Set("X-Amzn-ErrorType", e.Code)
	(&JSONService{}).writeError(w, hr, e)
}

// formOf returns the parameters of a query request, sent as a form or in the URL.
func formOf(hr *http.Request, body []byte) (url.Values, bool) {
	form := hr.URL.Query()
	if strings.HasPrefix(hr.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, false
		}
		form = posted
	}
	return form, form.Get("Action") != ""
}
