package awsconn

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/action"
)

// usualAudience is what AWS expects in the token's aud claim; GitHub's default is the repository owner's address.
const usualAudience = "sts.amazonaws.com"

// idTokenTimeout bounds one request to GitHub; there are at most transientAttempts of them.
const idTokenTimeout = 10 * time.Second

// idTokens asks GitHub for the job's OIDC tokens. A token lives five minutes, so each renewal asks for its own.
type idTokens struct {
	client      *http.Client
	url, bearer string // ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN, which the runner sets with `permissions: id-token: write`
	audience    string
	hide        func(secrets ...string) // in everything that is shown from now on
}

// newIDTokens returns nil where the job has no permission to ask for tokens.
func newIDTokens(env *action.Env, transport http.RoundTripper, audience string) *idTokens {
	t := &idTokens{
		audience: cmp.Or(audience, usualAudience),
		client:   &http.Client{Transport: transport},
		url:      env.Var("ACTIONS_ID_TOKEN_REQUEST_URL"),
		bearer:   env.Var("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
		hide:     env.Hide,
	}
	if t.url == "" || t.bearer == "" {
		return nil
	}
	t.hide(t.bearer)
	return t
}

// get returns a fresh token, masked before anything can print it. Server errors and broken connections are retried.
func (t *idTokens) get(ctx context.Context) (token string, err error) {
	err = transient(ctx, func() (again bool, err error) {
		token, again, err = t.ask(ctx)
		return again, err
	})
	return token, err
}

func (t *idTokens) ask(ctx context.Context) (token string, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, idTokenTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, withAudience(t.url, t.audience), nil)
	if err != nil {
		// The address may hold anything, a secret too: what is wrong with it is not repeated.
		return "", false, errors.New("ask GitHub for an OIDC token: ACTIONS_ID_TOKEN_REQUEST_URL is not a URL")
	}
	request.Header.Set("Authorization", "bearer "+t.bearer)
	request.Header.Set("Accept", "application/json")
	response, err := t.client.Do(request)
	if err != nil {
		return "", true, fmt.Errorf("ask GitHub for an OIDC token: no answer: %w", withoutURL(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	switch {
	case err != nil:
		return "", true, fmt.Errorf("ask GitHub for an OIDC token: the answer broke off: %w", err)
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusRequestTimeout:
		return "", true, fmt.Errorf("ask GitHub for an OIDC token: HTTP status %s", response.Status)
	case response.StatusCode != http.StatusOK:
		return "", false, fmt.Errorf("ask GitHub for an OIDC token: HTTP status %s; the job needs `permissions: id-token: write`, "+
			"and must still be running", response.Status)
	}
	var answer struct {
		Value string `json:"value"`
	}
	// The body is never quoted: it is the token, or may hold it.
	if json.Unmarshal(body, &answer) != nil || answer.Value == "" {
		return "", false, fmt.Errorf("ask GitHub for an OIDC token: HTTP status %s, but no token in the answer (%d bytes)",
			response.Status, len(body))
	}
	t.hide(answer.Value)
	return answer.Value, false, nil
}

// withAudience adds the audience to an address that has a query already.
func withAudience(address, audience string) string {
	separator := "&"
	if !strings.Contains(address, "?") {
		separator = "?"
	}
	return address + separator + "audience=" + url.QueryEscape(audience)
}

// withoutURL drops the address, which identifies the job, from an error of net/http.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// claims are the parts of GitHub's OIDC token that a trust policy looks at.
// Source: GitHub Docs, "OpenID Connect reference".
type claims struct {
	Issuer       string   `json:"iss"`
	Subject      string   `json:"sub"`
	Audience     oneOrAll `json:"aud"`
	Repository   string   `json:"repository"`
	RepositoryID string   `json:"repository_id"`
	OwnerID      string   `json:"repository_owner_id"`
}

// oneOrAll is a claim that may be one string or a list of them.
type oneOrAll []string

// UnmarshalJSON takes both forms.
func (a *oneOrAll) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = oneOrAll{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// claimsOf reads a token without verifying it: it is only told to the user, and AWS does the verifying.
func claimsOf(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, errors.New("not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return claims{}, errors.New("the JWT's payload is not base64")
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return claims{}, errors.New("the JWT's payload is not JSON of the usual claims")
	}
	return c, nil
}

// subjects lists the sub claims that mean this token's job: the one it carries first, then the same in the other form that
// GitHub uses. Repositories made, renamed or transferred after 2026-07-15 have the numeric ids of owner and repository in it.
func (c claims) subjects() []string {
	subjects := []string{c.Subject}
	owner, repository, ok := strings.Cut(c.Repository, "/")
	if !ok || c.OwnerID == "" || c.RepositoryID == "" {
		return subjects
	}
	plain := "repo:" + c.Repository + ":"
	withIDs := fmt.Sprintf("repo:%s@%s/%s@%s:", owner, c.OwnerID, repository, c.RepositoryID)
	if rest, found := strings.CutPrefix(c.Subject, plain); found {
		return append(subjects, withIDs+rest)
	}
	if rest, found := strings.CutPrefix(c.Subject, withIDs); found {
		return append(subjects, plain+rest)
	}
	return subjects // a customised subject has no other form
}
