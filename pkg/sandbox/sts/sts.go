// Package sts is the sandbox's Security Token Service: who am I, and assuming roles, by a signature or by a web identity
// token such as GitHub's.
//
// The signatures of requests and of tokens are not verified; the claims of a token, its expiry and the role's trust are.
// Sources: STS API reference, IAM user guide ("IAM identifiers"), and answers published by users.
package sts

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/iam"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service answers from a directory of identities.
type Service struct{ Directory *iam.Directory }

// API is the service's table of operations.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{
		Name: "sts", Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Operations: map[string]wire.Operation{
			"GetCallerIdentity":         s.getCallerIdentity,
			"AssumeRole":                s.assumeRole,
			"AssumeRoleWithWebIdentity": s.assumeRoleWithWebIdentity,
		},
	}
}

// getCallerIdentity needs no permission.
func (s *Service) getCallerIdentity(r *wire.Request) (any, error) {
	return struct{ UserId, Account, Arn string }{r.Caller.UserID, r.Caller.Account, r.Caller.ARN}, nil
}

type credentials struct {
	AccessKeyId, SecretAccessKey, SessionToken string
	Expiration                                 wire.Time
}

type assumedRoleUser struct{ AssumedRoleId, Arn string }

type input struct {
	RoleArn, RoleSessionName string
	DurationSeconds          *int
	WebIdentityToken         string
}

func (s *Service) assumeRole(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	life, err := in.check()
	if err != nil {
		return nil, err
	}
	if err := r.Authorize("sts:AssumeRole", in.RoleArn); err != nil {
		return nil, r.Denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", r.Caller.ARN, in.RoleArn)
	}
	role := s.Directory.Role(in.RoleArn)
	if role == nil || !slices.ContainsFunc(role.Trust.Principals, func(p string) bool { return policy.Match(r.Caller.ARN, p) }) {
		return nil, r.Denied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", r.Caller.ARN, in.RoleArn)
	}
	if r.Caller.RoleARN != "" && life > time.Hour {
		return nil, wire.Errorf("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	issued, user, err := s.issue(r, role, in, life)
	if err != nil {
		return nil, err
	}
	return struct {
		AssumedRoleUser  assumedRoleUser
		Credentials      credentials
		PackedPolicySize int
	}{user, issued, 0}, nil
}

// check refuses what the service refuses before it looks at trust.
func (in input) check() (time.Duration, error) {
	if !regexp.MustCompile(`^[\w+=,.@-]*$`).MatchString(in.RoleSessionName) {
		return 0, wire.Errorf("ValidationError",
			`1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`, in.RoleSessionName)
	}
	if len(in.RoleSessionName) < 2 || len(in.RoleSessionName) > 64 {
		return 0, wire.Errorf("ValidationError",
			"1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must have length between 2 and 64, "+
				"inclusive", in.RoleSessionName)
	}
	if !regexp.MustCompile(`^arn:aws[\w-]*:iam::\d{12}:role/.+$`).MatchString(in.RoleArn) {
		return 0, wire.Errorf("ValidationError", "%s is invalid", in.RoleArn)
	}
	seconds := 3600
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	if seconds < 900 || seconds > 43200 {
		return 0, wire.Errorf("ValidationError",
			"1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: "+
				"Member must have value between 900 and 43200", seconds)
	}
	return time.Duration(seconds) * time.Second, nil
}

func (s *Service) issue(r *wire.Request, role *iam.Role, in input, life time.Duration) (credentials, assumedRoleUser, error) {
	if life > role.MaxSession {
		return credentials{}, assumedRoleUser{},
			wire.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	c, caller := s.Directory.Issue(role, in.RoleSessionName, r.Now, life)
	return credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, wire.Time(c.Expires)}, assumedRoleUser{caller.UserID, caller.ARN}, nil
}

// claims of a web identity token that decide.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expires  int64    `json:"exp"`
}

// audience is one string or a list of them (RFC 7519, section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func (s *Service) assumeRoleWithWebIdentity(r *wire.Request) (any, error) {
	var in input
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	r.Note(func(e *wire.Entry) { e.Resources = append(e.Resources, in.RoleArn) })
	life, err := in.check()
	if err != nil {
		return nil, err
	}
	token, err := parse(in.WebIdentityToken)
	if err != nil {
		// unconfirmed
		return nil, wire.Errorf("InvalidIdentityToken",
			"The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	issuer := strings.TrimPrefix(token.Issuer, "https://")
	provider := slices.IndexFunc(s.Directory.Providers, func(p iam.Provider) bool { return p.Issuer == issuer })
	overlap := func(accepted []string) bool {
		return slices.ContainsFunc(token.Audience, func(a string) bool { return slices.Contains(accepted, a) })
	}
	switch {
	case provider < 0:
		return nil, wire.Errorf("InvalidIdentityToken", "No OpenIDConnect provider found in your account for %s", token.Issuer)
	case !overlap(s.Directory.Providers[provider].Audiences):
		return nil, wire.Errorf("InvalidIdentityToken", "Incorrect token audience")
	case token.Expires <= r.Now.Unix():
		return nil, wire.Errorf("ExpiredTokenException",
			"Token expired: current date/time %d must be before the expiration date/time %d", r.Now.Unix(), token.Expires)
	}
	role := s.Directory.Role(in.RoleArn)
	if role == nil || !slices.ContainsFunc(role.Trust.Web, func(t iam.WebTrust) bool {
		return t.Provider == issuer && overlap(t.Audience) &&
			slices.ContainsFunc(t.Subjects, func(pattern string) bool { return policy.Match(token.Subject, pattern) })
	}) {
		return nil, r.Denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	issued, user, err := s.issue(r, role, in, life)
	if err != nil {
		return nil, err
	}
	return struct {
		SubjectFromWebIdentityToken, Audience string
		AssumedRoleUser                       assumedRoleUser
		Credentials                           credentials
		Provider                              string
	}{token.Subject, token.Audience[0], user, issued, token.Issuer}, nil
}

func parse(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, fmt.Errorf("a JWT has three parts, this has %d", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, err
	}
	var c claims
	err = json.Unmarshal(payload, &c)
	return c, err
}
