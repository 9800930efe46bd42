package ecr

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// tokenLife is how long an authorization token is good (ECR API reference, GetAuthorizationToken).
const tokenLife = 12 * time.Hour

type token struct {
	caller  wire.Caller
	expires time.Time
}

// getAuthorizationToken hands out the password of the user "AWS". It acts for the caller of this operation until it ends.
func (s *Service) getAuthorizationToken(r *wire.Request) (any, error) {
	if err := r.Authorize("ecr:GetAuthorizationToken", "*"); err != nil {
		return nil, err
	}
	// Passwords of ECR are long: clients that cut them show it here.
	password := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(s.options.NewID(), 8)))
	expires := r.Now.Add(tokenLife)
	s.tokens[password] = token{caller: r.Caller, expires: expires}
	return map[string]any{"authorizationData": []any{map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
		"expiresAt":          wire.Time(expires),
		"proxyEndpoint":      schemeOf(r.HTTP) + "://" + r.Host,
	}}}, nil
}

// login says whose token a registry request carries. known is false where there is none, or one that was never issued.
func (s *Service) login(hr *http.Request, now time.Time) (caller wire.Caller, known, expired bool) {
	user, password, ok := hr.BasicAuth()
	if !ok || user != "AWS" {
		return wire.Caller{}, false, false
	}
	t, ok := s.tokens[password]
	if now, err := s.options.Server.Identify(t.caller.AccessKeyID, now); err == nil {
		t.caller = now // what the caller may do can have changed since
	}
	return t.caller, ok, ok && !now.Before(t.expires)
}

// schemeOf is the scheme by which a client reached the sandbox. Requests of the in-process transport have it in their URL.
func schemeOf(hr *http.Request) string {
	if hr.TLS != nil || hr.URL.Scheme == "https" {
		return "https"
	}
	return "http"
}
