package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// tokenPath is where a workflow asks for its identity token.
const tokenPath = "/_sandbox/github/token"

func durationOf(d engine.Duration) time.Duration { return time.Duration(d) }

// GitHubEnviron is the part of a workflow run's environment from which actions get an identity token: that of the
// scenario's repository, ref and environment.
func (s *Sandbox) GitHubEnviron() map[string]string {
	return map[string]string{
		"ACTIONS_ID_TOKEN_REQUEST_URL":   "http://" + s.host + tokenPath + "?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "sandbox-request-token",
	}
}

// controlToken plays GitHub's token endpoint: {"value": JWT}. The token is not signed; the sandbox's STS reads its claims.
func (s *Sandbox) controlToken(w http.ResponseWriter, r *http.Request) error {
	if len(strings.Fields(r.Header.Get("Authorization"))) != 2 {
		return errors.New("the request for an identity token carries no bearer token")
	}
	g, now := s.scenario.GitHub, s.clock.Now()
	owner, _, _ := strings.Cut(g.Repository, "/")
	audience := r.URL.Query().Get("audience")
	or(&audience, "https://github.com/"+owner)
	claims := object{
		"iss": "https://" + githubIssuer, "aud": audience, "sub": g.subject(), "jti": s.requests.UUID(),
		"iat": now.Unix(), "nbf": now.Add(-10 * time.Minute).Unix(), "exp": now.Add(durationOf(g.Life)).Unix(),
		"repository": g.Repository, "repository_owner": owner, "ref": g.Ref, "event_name": "push", "runner_environment": "github-hosted",
	}
	if g.Environment != "" {
		claims["environment"] = g.Environment
	}
	for key, value := range g.Claims {
		claims[key] = value
	}
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(encode(v)) }
	jwt := part(object{"alg": "RS256", "typ": "JWT", "kid": "connect2-sandbox"}) + "." + part(claims) + "." + part("not signed")
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(object{"value": jwt})
}

// subject is the claim sub: the environment stands above the ref.
func (g GitHubScenario) subject() string {
	switch {
	case g.Subject != "":
		return g.Subject
	case g.Environment != "":
		return "repo:" + g.Repository + ":environment:" + strings.ReplaceAll(g.Environment, ":", "%3A")
	default:
		return "repo:" + g.Repository + ":ref:" + g.Ref
	}
}
