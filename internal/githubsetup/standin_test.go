package githubsetup

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// standIn plays the part of GitHub's REST API that setting up needs, by its documentation:
//
//   - environments: https://docs.github.com/rest/deployments/environments (PUT makes or changes; the two kinds of a branch policy
//     cannot have the same value; reviewers have read access and are six at most; wait_timer is 0 to 43200)
//   - branch policies: https://docs.github.com/rest/deployments/branch-policies (404 unless the environment has custom ones, 303 for
//     a name that is there)
//   - variables: https://docs.github.com/rest/actions/variables (30 a page at most; POST of one that is there is a conflict, 409)
//   - what doctor reads besides: …/rest/branches/branches, …/rest/repos/contents, …/rest/packages/packages (404 for one that the
//     token may not see), …/rest/actions/variables#list-repository-organization-variables
//   - access: https://docs.github.com/rest/actions/permissions (of repositories that are not public alone)
//
// Where the documentation does not say what a field that is left out means, resets chooses.
type standIn struct {
	t            *testing.T
	repositories map[string]*repository
	users        map[string]int64
	teams        map[string]int64
	resets       bool // fields that PUT of an environment leaves out are set back; otherwise they stay
	noReviewers  bool // the plan has no required reviewers in private repositories: the field is refused

	mu      sync.Mutex
	calls   []string // METHOD path of what changes something
	asked   int
	next    int64
	trouble map[string]int // METHOD path -> status, given once
	lossy   map[string]bool
	bodies  []string
	tokens  map[string]bool

	visibility map[string]string // of packages, by OWNER/NAME
}

type repository struct {
	id           int64
	public       bool
	notAdmin     bool
	user         bool // a user owns it
	access       string
	variables    map[string]string
	environments map[string]*environment
	readers      []string
	claims       []string
	shared       map[string]string // variables of the organization
	unprotected  bool              // the branch main
	files        map[string]string
}

type environment struct {
	Wait      int
	Self      bool
	Bypass    bool
	Reviewers []reviewerRequest
	Policy    string // "", protected, custom
	Branches  []branch
	Variables map[string]string
}

type branch struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func newStandIn(t *testing.T) *standIn {
	return &standIn{t: t, next: 100, trouble: map[string]int{}, lossy: map[string]bool{}, tokens: map[string]bool{},
		users: map[string]int64{"alice": 1, "bob": 2}, teams: map[string]int64{"org/operations": 11},
		repositories: map[string]*repository{
			"org/connect2":     newRepository(71),
			"org/connect2-api": newRepository(72),
		}}
}

func newRepository(id int64) *repository {
	return &repository{id: id, access: "none", variables: map[string]string{}, environments: map[string]*environment{},
		readers: []string{"alice", "bob", "org/operations"}}
}

// RoundTrip gives the handler's answer without a socket.
func (s *standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.tokens[r.Header.Get("Authorization")] = true
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	name := r.Method + " " + path
	if r.Method != http.MethodGet {
		s.calls = append(s.calls, name)
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if status, ok := s.trouble[name]; ok {
		delete(s.trouble, name)
		fail(w, status, "Resource not accessible by personal access token")
		return w.Result(), nil
	}
	if r.Header.Get("Authorization") != "Bearer gh-secret-token" {
		fail(w, http.StatusUnauthorized, "Bad credentials")
		return w.Result(), nil
	}
	s.serve(w, r, path)
	if s.lossy[name] { // done, and the answer is lost
		delete(s.lossy, name)
		return nil, io.ErrUnexpectedEOF
	}
	return w.Result(), nil
}

func fail(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

var (
	repositoryPath = regexp.MustCompile(`^/repos/([^/]+/[^/]+)(/.*)?$`)
	environmentAt  = regexp.MustCompile(`^/environments/([^/]+)(/.*)?$`)
	packageAt      = regexp.MustCompile(`^/(orgs|users)/([^/]+)/packages/container/([^/]+)$`)
	variableForm   = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
)

func (s *standIn) serve(w http.ResponseWriter, r *http.Request, path string) {
	body := map[string]json.RawMessage{}
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Error(err)
		}
		if len(text) > 0 {
			s.bodies = append(s.bodies, string(text))
			if err := json.Unmarshal(text, &body); err != nil {
				fail(w, http.StatusBadRequest, "Problems parsing JSON")
				return
			}
		}
	}
	if name, ok := strings.CutPrefix(path, "/users/"); ok && !strings.Contains(name, "/") {
		id, ok := s.users[strings.ToLower(name)]
		if !ok {
			fail(w, http.StatusNotFound, "Not Found")
			return
		}
		answer(w, map[string]any{"id": id, "login": strings.ToLower(name), "type": "User"})
		return
	}
	if m := packageAt.FindStringSubmatch(path); m != nil {
		visibility, ok := s.visibility[m[2]+"/"+m[3]]
		if !ok || m[1] != "orgs" {
			fail(w, http.StatusNotFound, "Package not found.")
			return
		}
		answer(w, map[string]any{"id": 1, "name": m[3], "package_type": "container", "visibility": visibility})
		return
	}
	if rest, ok := strings.CutPrefix(path, "/orgs/"); ok {
		s.team(w, rest)
		return
	}
	m := repositoryPath.FindStringSubmatch(path)
	if m == nil || s.repositories[m[1]] == nil {
		fail(w, http.StatusNotFound, "Not Found")
		return
	}
	repo, rest := s.repositories[m[1]], m[2]
	owner, name, _ := strings.Cut(m[1], "/")
	switch {
	case rest == "" && r.Method == http.MethodGet:
		kind := "Organization"
		if repo.user {
			kind = "User"
		}
		answer(w, map[string]any{"id": repo.id, "name": name, "private": !repo.public,
			"owner": map[string]any{"login": owner, "id": 7, "type": kind}, "permissions": map[string]bool{"admin": !repo.notAdmin}})
	case rest == "/actions/permissions/access":
		s.access(w, r, repo, body)
	case rest == "/actions/oidc/customization/sub" && r.Method == http.MethodGet:
		answer(w, map[string]any{"use_default": repo.claims == nil, "include_claim_keys": repo.claims})
	case rest == "/branches/main" && r.Method == http.MethodGet:
		answer(w, map[string]any{"name": "main", "protected": !repo.unprotected})
	case rest == "/actions/organization-variables":
		s.variables(w, r, repo.shared, "", body)
	case strings.HasPrefix(rest, "/contents/") && r.Method == http.MethodGet:
		text, ok := repo.files[strings.TrimPrefix(rest, "/contents/")]
		if !ok {
			fail(w, http.StatusNotFound, "Not Found")
			return
		}
		answer(w, map[string]any{"type": "file", "encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(text))[:8] + "\n" +
			base64.StdEncoding.EncodeToString([]byte(text))[8:]})
	case strings.HasPrefix(rest, "/actions/variables"):
		s.variables(w, r, repo.variables, strings.TrimPrefix(rest, "/actions/variables"), body)
	case strings.HasPrefix(rest, "/collaborators/"):
		if !slices.Contains(repo.readers, strings.TrimPrefix(rest, "/collaborators/")) {
			fail(w, http.StatusNotFound, "Not Found")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case environmentAt.MatchString(rest):
		m := environmentAt.FindStringSubmatch(rest)
		name, _ := url.PathUnescape(m[1])
		s.environment(w, r, repo, name, m[2], body)
	default:
		s.t.Errorf("GitHub was asked %s %s", r.Method, path)
		fail(w, http.StatusNotFound, "Not Found")
	}
}

func answer(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

// team answers /orgs/ORG/teams/SLUG, and …/repos/OWNER/NAME where the team may read it.
func (s *standIn) team(w http.ResponseWriter, rest string) {
	parts := strings.Split(rest, "/")
	if len(parts) < 3 || parts[1] != "teams" {
		s.t.Errorf("GitHub was asked /orgs/%s", rest)
		return
	}
	team := parts[0] + "/" + parts[2]
	id, ok := s.teams[team]
	if ok && len(parts) == 6 {
		repo := s.repositories[parts[4]+"/"+parts[5]]
		if ok = repo != nil && slices.Contains(repo.readers, team); ok {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if !ok {
		fail(w, http.StatusNotFound, "Not Found")
		return
	}
	answer(w, map[string]any{"id": id, "slug": parts[2]})
}

func (s *standIn) access(w http.ResponseWriter, r *http.Request, repo *repository, body map[string]json.RawMessage) {
	if repo.public {
		fail(w, http.StatusUnprocessableEntity, "Access policy only applies to internal and private repositories.")
		return
	}
	if r.Method == http.MethodGet {
		answer(w, map[string]string{"access_level": repo.access})
		return
	}
	level := textOf(body["access_level"])
	if allowed := []string{"none", "user", "organization", "enterprise"}; !slices.Contains(allowed, level) ||
		repo.user && level != "user" && level != "none" || !repo.user && level == "user" {
		fail(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	repo.access = level
	w.WriteHeader(http.StatusNoContent)
}

func textOf(raw json.RawMessage) (text string) {
	_ = json.Unmarshal(raw, &text)
	return text
}

func (s *standIn) variables(w http.ResponseWriter, r *http.Request, all map[string]string, rest string, body map[string]json.RawMessage) {
	name := strings.TrimPrefix(rest, "/")
	_, exists := all[name]
	switch {
	case r.Method == http.MethodGet && rest == "":
		names := slices.Sorted(maps.Keys(all))
		per, page := pageOf(r, 10, 30)
		var list []map[string]string
		for _, name := range names[min(len(names), per*(page-1)):min(len(names), per*page)] {
			list = append(list, map[string]string{"name": name, "value": all[name]})
		}
		answer(w, map[string]any{"total_count": len(names), "variables": list})
	case r.Method == http.MethodPost && rest == "":
		name, value := textOf(body["name"]), textOf(body["value"])
		switch _, exists := all[name]; {
		case exists:
			fail(w, http.StatusConflict, "Already exists - Variable already exists")
		case !variableForm.MatchString(name) || strings.HasPrefix(name, "GITHUB_") || value == "":
			fail(w, http.StatusUnprocessableEntity, "Validation Failed")
		default:
			all[name] = value
			w.WriteHeader(http.StatusCreated)
			answer(w, map[string]any{})
		}
	case r.Method == http.MethodPatch && exists:
		all[name] = textOf(body["value"])
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusNotFound, "Not Found")
	}
}

// pageOf reads which page is wanted. More than most entries are never given.
func pageOf(r *http.Request, ordinary, most int) (per, page int) {
	per, page = ordinary, 1
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil {
		per = min(n, most)
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		page = n
	}
	return per, page
}

func (s *standIn) environment(w http.ResponseWriter, r *http.Request, repo *repository, name, rest string,
	body map[string]json.RawMessage) {
	e := repo.environments[name]
	switch {
	case rest == "" && r.Method == http.MethodPut:
		s.put(w, repo, name, body)
	case e == nil:
		fail(w, http.StatusNotFound, "Not Found")
	case rest == "" && r.Method == http.MethodGet:
		answer(w, s.told(name, e))
	case strings.HasPrefix(rest, "/variables"):
		s.variables(w, r, e.Variables, strings.TrimPrefix(rest, "/variables"), body)
	case e.Policy != "custom":
		fail(w, http.StatusNotFound, "Not Found")
	case rest == "/deployment-branch-policies" && r.Method == http.MethodGet:
		per, page := pageOf(r, 30, 100)
		answer(w, map[string]any{"total_count": len(e.Branches),
			"branch_policies": e.Branches[min(len(e.Branches), per*(page-1)):min(len(e.Branches), per*page)]})
	case rest == "/deployment-branch-policies" && r.Method == http.MethodPost:
		b := branch{ID: s.id(), Name: textOf(body["name"]), Type: textOf(body["type"])}
		if slices.ContainsFunc(e.Branches, func(o branch) bool { return o.Name == b.Name && o.Type == b.Type }) {
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		e.Branches = append(e.Branches, b)
		answer(w, b)
	case r.Method == http.MethodDelete:
		i := slices.IndexFunc(e.Branches, func(b branch) bool { return rest == fmt.Sprint("/deployment-branch-policies/", b.ID) })
		if i < 0 {
			fail(w, http.StatusNotFound, "Not Found")
			return
		}
		e.Branches = slices.Delete(e.Branches, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.t.Errorf("GitHub was asked %s %s of an environment", r.Method, rest)
		fail(w, http.StatusNotFound, "Not Found")
	}
}

func (s *standIn) id() int64 {
	s.next++
	return s.next
}

// put makes or changes an environment.
func (s *standIn) put(w http.ResponseWriter, repo *repository, name string, body map[string]json.RawMessage) {
	e := &environment{Bypass: true, Variables: map[string]string{}}
	if old := repo.environments[name]; old != nil {
		e.Variables = old.Variables
		if !s.resets {
			*e = *old
		} else {
			e.Bypass, e.Branches = old.Bypass, old.Branches
		}
	}
	read := func(field string, to any) {
		if raw, ok := body[field]; ok && json.Unmarshal(raw, to) != nil {
			s.t.Errorf("%s of an environment is %s", field, raw)
		}
	}
	read("wait_timer", &e.Wait)
	read("prevent_self_review", &e.Self)
	read("can_admins_bypass", &e.Bypass)
	if _, ok := body["reviewers"]; ok {
		e.Reviewers = nil
	}
	read("reviewers", &e.Reviewers)
	_, some := body["reviewers"]
	_, wait := body["wait_timer"]
	if s.noReviewers && !repo.public && (some || wait) {
		fail(w, http.StatusUnprocessableEntity, "Failed to create the environment protection rule. "+
			"Please ensure the billing plan supports the required reviewers protection rule.")
		return
	}
	if len(e.Reviewers) > 6 || e.Wait < 0 || e.Wait > 43200 {
		fail(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	for _, who := range e.Reviewers {
		if !repo.public && !s.reads(repo, who) {
			fail(w, http.StatusUnprocessableEntity, "Validation Failed")
			return
		}
	}
	if raw, ok := body["deployment_branch_policy"]; ok {
		var p *struct {
			Protected bool `json:"protected_branches"`
			Custom    bool `json:"custom_branch_policies"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			s.t.Error(err)
		}
		switch {
		case p == nil:
			e.Policy, e.Branches = "", nil
		case p.Protected == p.Custom:
			fail(w, http.StatusUnprocessableEntity, "protected_branches and custom_branch_policies cannot have the same value")
			return
		case p.Protected:
			e.Policy, e.Branches = "protected", nil
		default:
			if e.Policy != "custom" && !s.resets {
				e.Branches = nil
			}
			e.Policy = "custom"
		}
	}
	repo.environments[name] = e
	answer(w, s.told(name, e))
}

func (s *standIn) reads(repo *repository, who reviewerRequest) bool {
	all := s.users
	if who.Type == "Team" {
		all = s.teams
	}
	for name, id := range all {
		if id == who.ID {
			return slices.Contains(repo.readers, name)
		}
	}
	return false
}

// told is an environment as GitHub tells it.
func (s *standIn) told(name string, e *environment) map[string]any {
	rules := []any{}
	if e.Wait > 0 {
		rules = append(rules, map[string]any{"id": 1, "type": "wait_timer", "wait_timer": e.Wait})
	}
	if len(e.Reviewers) > 0 {
		var reviewers []any
		for _, who := range e.Reviewers {
			reviewer := map[string]any{"id": who.ID, "login": "user", "slug": "team"}
			reviewers = append(reviewers, map[string]any{"type": who.Type, "reviewer": reviewer})
		}
		rules = append(rules, map[string]any{"id": 2, "type": "required_reviewers", "prevent_self_review": e.Self, "reviewers": reviewers})
	}
	found := map[string]any{"id": 1, "name": name, "can_admins_bypass": e.Bypass, "deployment_branch_policy": nil}
	if e.Policy != "" {
		rules = append(rules, map[string]any{"id": 3, "type": "branch_policy"})
		found["deployment_branch_policy"] = map[string]bool{"protected_branches": e.Policy == "protected",
			"custom_branch_policies": e.Policy == "custom"}
	}
	found["protection_rules"] = rules
	return found
}
