// Package iam is the sandbox's directory of users, roles, trust and issued credentials, with the small part of the IAM
// API that reads them. Who may do what is a matter of identity-based policies alone: resource policies, permission
// boundaries, session policies and organisation policies are not modelled.
package iam

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// User is a caller with a long-lived access key.
type User struct {
	Name        string
	AccessKeyID string
	Expires     time.Time      // virtual time at which the key stops working; zero: never
	Policy      *policy.Policy // nil: everything is allowed
}

// Role is an IAM role.
type Role struct {
	Name       string
	Path       string         // "/" where empty
	MaxSession time.Duration  // 1 h where zero
	Policy     *policy.Policy // nil: everything is allowed
	Trust      Trust
	CreatedAt  time.Time

	document string   // the trust policy as CreateRole got it; "" where Trust was set directly
	attached []string // ARNs of managed policies
}

// Trust says who may assume a role. Patterns know * and ?.
type Trust struct {
	Services   []string // service principals, "ecs-tasks.amazonaws.com"
	Principals []string // patterns of caller ARNs; "*" is everybody of the account
	Web        []WebTrust
}

// WebTrust accepts web identity tokens of a provider whose subject and audience match.
type WebTrust struct {
	Provider string   // issuer without https://
	Subjects []string // patterns of the claim sub; matching is by letter case
	Audience []string // values of the claim aud
}

// Provider is an OpenID Connect identity provider of the account.
type Provider struct {
	Issuer    string // without https://
	Audiences []string
}

// Credentials are what a role's session works with.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// Directory holds the identities of one account. The world's lock guards it.
type Directory struct {
	Account   string
	NewID     func() string
	Providers []Provider

	users    map[string]User // by access key
	roles    map[string]*Role
	sessions map[string]wire.Caller // by access key
}

// NewDirectory makes an account without identities.
func NewDirectory(account string, newID func() string) *Directory {
	return &Directory{Account: account, NewID: newID, users: map[string]User{}, roles: map[string]*Role{}, sessions: map[string]wire.Caller{}}
}

// AddUser adds a user, or replaces the one with the same access key.
func (d *Directory) AddUser(u User) { d.users[u.AccessKeyID] = u }

// AddRole adds a role, or replaces the one with the same name.
func (d *Directory) AddRole(r Role) {
	r.Path = cmp.Or(r.Path, "/")
	r.MaxSession = cmp.Or(r.MaxSession, time.Hour)
	d.roles[r.Name] = &r
}

// Role finds a role by name or ARN; nil where there is none.
func (d *Directory) Role(nameOrARN string) *Role {
	if role := d.roles[nameOrARN]; role != nil {
		return role
	}
	for _, role := range d.roles {
		if d.ARN(role) == nameOrARN {
			return role
		}
	}
	return nil
}

// ARN of a role.
func (d *Directory) ARN(r *Role) string {
	return fmt.Sprintf("arn:aws:iam::%s:role%s%s", d.Account, r.Path, r.Name)
}

// CanService says whether a role exists and an AWS service may assume it.
func (d *Directory) CanService(roleARN, service string) (exists, trusted bool) {
	role := d.Role(roleARN)
	return role != nil, role != nil && slices.Contains(role.Trust.Services, service)
}

// SetPolicy changes what a role (by name) or user (by access key) may do; ok is false where neither is there.
func (d *Directory) SetPolicy(name string, p *policy.Policy) (ok bool) {
	if role := d.Role(name); role != nil {
		role.Policy = p
		return true
	}
	for key, u := range d.users {
		if key == name || u.Name == name {
			u.Policy = p
			d.users[key] = u
			ok = true
		}
	}
	return ok
}

// Expire ends all credentials issued or known so far at a point in time.
func (d *Directory) Expire(at time.Time) {
	for key, u := range d.users {
		u.Expires = at
		d.users[key] = u
	}
	for key, session := range d.sessions {
		session.Expires = at
		d.sessions[key] = session
	}
}

// Identify says who calls with an access key. Errors: wire.ErrUnknownCredentials, wire.ErrExpiredCredentials.
func (d *Directory) Identify(accessKeyID string, now time.Time) (wire.Caller, error) {
	caller, ok := d.sessions[accessKeyID]
	if user, isUser := d.users[accessKeyID]; isUser {
		caller, ok = wire.Caller{
			AccessKeyID: accessKeyID, Account: d.Account, ARN: fmt.Sprintf("arn:aws:iam::%s:user/%s", d.Account, user.Name),
			UserID: uniqueID("AIDA", user.Name), Expires: user.Expires, Policy: user.Policy,
		}, true
	}
	switch {
	case !ok:
		return wire.Caller{}, wire.ErrUnknownCredentials
	case !caller.Expires.IsZero() && !now.Before(caller.Expires):
		return wire.Caller{}, wire.ErrExpiredCredentials
	}
	if role := d.Role(caller.RoleARN); role != nil {
		caller.Policy = role.Policy // as it is now, not as it was when the session began
	}
	return caller, nil
}

// Issue starts a session of a role.
func (d *Directory) Issue(role *Role, session string, now time.Time, life time.Duration) (Credentials, wire.Caller) {
	id := strings.ToUpper(strings.ReplaceAll(d.NewID(), "-", ""))
	credentials := Credentials{
		AccessKeyID: "ASIA" + id[:16], SecretAccessKey: "sandbox/" + strings.ToLower(id), SessionToken: "sandbox-session-" + d.NewID(),
		Expires: now.Add(life),
	}
	caller := wire.Caller{
		AccessKeyID: credentials.AccessKeyID, Account: d.Account, RoleARN: d.ARN(role), Expires: credentials.Expires, Policy: role.Policy,
		ARN:    fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", d.Account, role.Name, session),
		UserID: uniqueID("AROA", role.Name) + ":" + session,
	}
	d.sessions[credentials.AccessKeyID] = caller
	return credentials, caller
}

// uniqueID makes an identifier of AWS's form from a name, the same each time.
func uniqueID(prefix, name string) string {
	letters := regexp.MustCompile(`[^A-Z2-7]`).ReplaceAllString(strings.ToUpper(name), "X")
	return prefix + (letters + strings.Repeat("X", 17))[:17]
}
