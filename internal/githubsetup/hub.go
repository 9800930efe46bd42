package githubsetup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v92/github"

	"github.com/org/connect2/v2/internal/githubapi"
)

// hub reads and changes repositories by GitHub's API.
type hub struct{ api *github.Client }

// mostVariables is how many variables GitHub gives in a page; of other lists it gives 100.
const mostVariables, mostEntries = 30, 100

// read returns what a repository has of what is wanted.
func (h hub) read(ctx context.Context, w Wanted, asApp bool) (Present, error) {
	r := w.Repository
	repository, _, err := h.api.Repositories.Get(ctx, r.Owner, r.Name)
	if err != nil {
		return Present{}, told("reading", r, "", err)
	}
	// An app's token has no user, and is told no rights here.
	if rights := repository.GetPermissions(); !asApp && rights != nil && !rights.GetAdmin() {
		return Present{}, fmt.Errorf("%s: the token's user does not administer it, and only an administrator may set up environments", r)
	}
	p := Present{ID: repository.GetID(), OwnerID: repository.GetOwner().GetID(), Public: !repository.GetPrivate(),
		Organization: repository.GetOwner().GetType() == "Organization", Environments: map[string]Protected{}}
	if w.Lent != "" && !p.Public {
		access, _, err := h.api.Repositories.GetActionsAccessLevel(ctx, r.Owner, r.Name)
		if err != nil {
			return p, told("reading who may use the actions of", r, "", err)
		}
		p.Access = access.GetAccessLevel()
	}
	p.Variables, err = variablesOf(func(page *github.ListOptions) (*github.ActionsVariables, *github.Response, error) {
		return h.api.Actions.ListRepoVariables(ctx, r.Owner, r.Name, page)
	})
	if err != nil {
		return p, told("reading the variables of", r, "", err)
	}
	if p.Claims, err = h.claims(ctx, r); err != nil {
		return p, told("reading how the identity tokens are made of", r, "", err)
	}
	var failures []error
	for _, e := range w.Environments {
		now, exists, err := h.environment(ctx, r, e.Name)
		if err != nil {
			failures = append(failures, told("reading", r, e.Name, err))
		}
		if exists {
			p.Environments[e.Name] = now
		}
	}
	return p, errors.Join(failures...)
}

// claims are those of the identity token's sub, where they are not the default ones.
func (h hub) claims(ctx context.Context, r Repository) ([]string, error) {
	template, _, err := h.api.Actions.GetRepoOIDCSubjectClaimCustomTemplate(ctx, r.Owner, r.Name)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case template.UseDefault != nil && !*template.UseDefault:
		return append([]string{}, template.IncludeClaimKeys...), nil
	}
	return nil, nil
}

func variablesOf(read func(*github.ListOptions) (*github.ActionsVariables, *github.Response, error)) (map[string]string, error) {
	all, err := githubapi.All(mostVariables, func(page github.ListOptions) ([]*github.ActionsVariable, *github.Response, error) {
		found, response, err := read(&page)
		if err != nil {
			return nil, response, err
		}
		return found.Variables, response, nil
	})
	found := map[string]string{}
	for _, v := range all {
		found[v.Name] = v.Value
	}
	return found, err
}

// environment reads the rules and the variables of an environment.
func (h hub) environment(ctx context.Context, r Repository, name string) (p Protected, exists bool, err error) {
	p, exists, err = h.rules(ctx, r, name)
	if exists && err == nil {
		p.Variables, err = h.variablesIn(ctx, r, name)
	}
	return p, exists, err
}

func (h hub) variablesIn(ctx context.Context, r Repository, name string) (map[string]string, error) {
	return variablesOf(func(page *github.ListOptions) (*github.ActionsVariables, *github.Response, error) {
		return h.api.Actions.ListEnvVariables(ctx, r.Owner, r.Name, url.PathEscape(name), page)
	})
}

func (h hub) rules(ctx context.Context, r Repository, name string) (p Protected, exists bool, err error) {
	e, _, err := h.api.Repositories.GetEnvironment(ctx, r.Owner, r.Name, name)
	if statusOf(err) == http.StatusNotFound {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	p = protectedFrom(e)
	if p.Policy == selected {
		list, err := githubapi.All(mostEntries, func(page github.ListOptions) ([]*github.DeploymentBranchPolicy, *github.Response, error) {
			found, response, err := h.api.Repositories.ListDeploymentBranchPolicies(ctx, r.Owner, r.Name, name, &page)
			if err != nil {
				return nil, response, err
			}
			return found.BranchPolicies, response, nil
		})
		if err != nil {
			return p, true, err
		}
		for _, b := range list {
			p.Branches = append(p.Branches, Branch{ID: b.GetID(), Name: b.GetName(), Type: b.GetType()})
		}
	}
	return p, true, nil
}

func protectedFrom(e *github.Environment) Protected {
	p := Protected{AdminsBypass: e.CanAdminsBypass == nil || *e.CanAdminsBypass, Policy: noPolicy}
	if b := e.DeploymentBranchPolicy; b != nil {
		p.Policy = protected
		if b.GetCustomBranchPolicies() {
			p.Policy = selected
		}
	}
	for _, rule := range e.ProtectionRules {
		switch rule.GetType() {
		case "wait_timer":
			p.Wait = rule.GetWaitTimer()
		case "required_reviewers":
			p.PreventSelfReview = rule.GetPreventSelfReview()
			for _, reviewer := range rule.Reviewers {
				switch who := reviewer.Reviewer.(type) {
				case *github.User:
					p.Reviewers = append(p.Reviewers, Reviewer{"User", who.GetID(), who.GetLogin()})
				case *github.Team:
					p.Reviewers = append(p.Reviewers, Reviewer{"Team", who.GetID(), who.GetSlug()})
				}
			}
		}
	}
	return p
}

// reviewer finds a user, or a team told as ORGANIZATION/TEAM.
func (h hub) reviewer(ctx context.Context, name string) (Reviewer, error) {
	organization, slug, isTeam := strings.Cut(name, "/")
	if isTeam {
		team, _, err := h.api.Teams.GetTeamBySlug(ctx, organization, slug)
		if err != nil {
			return Reviewer{}, fmt.Errorf("the reviewer %s: %w", name, plain("looking for the team", err))
		}
		return Reviewer{"Team", team.GetID(), name}, nil
	}
	user, _, err := h.api.Users.Get(ctx, name)
	if err != nil {
		return Reviewer{}, fmt.Errorf("the reviewer %s: %w", name, plain("looking for the user", err))
	}
	return Reviewer{"User", user.GetID(), user.GetLogin()}, nil
}

// mayRead says whether a reviewer has at least read access to a repository that is not public, as GitHub asks of reviewers.
func (h hub) mayRead(ctx context.Context, r Repository, who Reviewer) (bool, error) {
	if organization, slug, isTeam := strings.Cut(who.Name, "/"); isTeam {
		_, _, err := h.api.Teams.IsTeamRepoBySlug(ctx, organization, slug, r.Owner, r.Name)
		if statusOf(err) == http.StatusNotFound {
			return false, nil
		}
		return err == nil, err
	}
	ok, _, err := h.api.Repositories.IsCollaborator(ctx, r.Owner, r.Name, who.Name)
	return ok, err
}

// carryOut makes one change.
func (h hub) carryOut(ctx context.Context, r Repository, c Change) error {
	var err error
	switch {
	case c.Access != "":
		_, err = h.api.Repositories.EditActionsAccessLevel(ctx, r.Owner, r.Name,
			github.RepositoryActionsAccessLevel{AccessLevel: &c.Access})
	case c.Variable != nil:
		err = h.setVariable(ctx, r, c.Environment, *c.Variable)
	case c.Protect != nil:
		err = h.protect(ctx, r, c.Environment, c.Protect.To)
	case c.Allow != "":
		_, _, err = h.api.Repositories.CreateDeploymentBranchPolicy(ctx, r.Owner, r.Name, c.Environment,
			github.CreateDeploymentBranchPolicyRequest{Name: c.Allow, Type: new("branch")})
	case c.Forbid != nil:
		_, err = h.api.Repositories.DeleteDeploymentBranchPolicy(ctx, r.Owner, r.Name, c.Environment, c.Forbid.ID)
		if statusOf(err) == http.StatusNotFound {
			err = nil
		}
	}
	return err
}

// setVariable makes or changes a variable. One that somebody has made meanwhile is changed.
func (h hub) setVariable(ctx context.Context, r Repository, environment string, v VariableChange) (err error) {
	fresh := github.ActionsCreateVariableRequest{Name: v.Name, Value: v.Value}
	changed := github.ActionsUpdateVariableRequest{Value: &v.Value}
	in := url.PathEscape(environment)
	if !v.Exists {
		if environment == "" {
			_, err = h.api.Actions.CreateRepoVariable(ctx, r.Owner, r.Name, fresh)
		} else {
			_, err = h.api.Actions.CreateEnvVariable(ctx, r.Owner, r.Name, in, fresh)
		}
		if statusOf(err) != http.StatusConflict {
			return err
		}
	}
	if environment == "" {
		_, err = h.api.Actions.UpdateRepoVariable(ctx, r.Owner, r.Name, v.Name, changed)
	} else {
		_, err = h.api.Actions.UpdateEnvVariable(ctx, r.Owner, r.Name, in, v.Name, changed)
	}
	return err
}

// environmentRequest is the body of the call that makes or changes an environment. What a plan of GitHub may lack is sent only
// where it is used: such a plan refuses the very field. deployment_branch_policy is null for no rule.
type environmentRequest struct {
	WaitTimer         int                  `json:"wait_timer,omitempty"`
	PreventSelfReview bool                 `json:"prevent_self_review,omitempty"`
	Reviewers         []reviewerRequest    `json:"reviewers,omitempty"`
	AdminsBypass      *bool                `json:"can_admins_bypass,omitempty"`
	Policy            *github.BranchPolicy `json:"deployment_branch_policy"`
}

type reviewerRequest struct {
	Type string `json:"type"`
	ID   int64  `json:"id"`
}

// protect makes or changes an environment. go-github's own call sends the request again without reviewers where GitHub refuses
// them, and would leave an environment that nobody guards.
func (h hub) protect(ctx context.Context, r Repository, environment string, to Protected) error {
	body := environmentRequest{WaitTimer: to.Wait, PreventSelfReview: to.PreventSelfReview}
	for _, who := range to.Reviewers {
		body.Reviewers = append(body.Reviewers, reviewerRequest{who.Type, who.ID})
	}
	if !to.AdminsBypass {
		body.AdminsBypass = new(false)
	}
	if to.Policy != noPolicy {
		body.Policy = &github.BranchPolicy{ProtectedBranches: new(to.Policy == protected), CustomBranchPolicies: new(to.Policy == selected)}
	}
	request, err := h.api.NewRequest(ctx, http.MethodPut,
		fmt.Sprintf("repos/%s/%s/environments/%s", r.Owner, r.Name, url.PathEscape(environment)), body)
	if err != nil {
		return err
	}
	_, err = h.api.Do(request, nil)
	return err
}

func statusOf(err error) int {
	if refusal, ok := errors.AsType[*github.ErrorResponse](err); ok && refusal.Response != nil {
		return refusal.Response.StatusCode
	}
	return 0
}

// told says what was tried, on what, what came back, and what to do.
func told(tried string, r Repository, environment string, err error) error {
	at := r.String()
	if environment != "" {
		at += ", " + environment
	}
	return fmt.Errorf("%s: %w", at, plain(tried, err))
}

// plain tells GitHub's answer in a sentence. Without its URL and headers: neither says more.
func plain(tried string, err error) error {
	refusal, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return fmt.Errorf("%s: GitHub: %w", tried, err)
	}
	text := refusal.Message
	for _, e := range refusal.Errors {
		if e.Message != "" {
			text += "; " + e.Message
		}
	}
	advice := ""
	switch status := statusOf(err); {
	case status == http.StatusUnprocessableEntity && strings.Contains(text, "billing plan"):
		advice = ": required reviewers of a private repository need GitHub Enterprise; " +
			"give --no-reviewers, and ask for an approved pull request on main instead"
	case status == http.StatusUnauthorized:
		advice = ": the token is not valid, or has expired"
	case status == http.StatusForbidden:
		advice = ": " + permissions
	case status == http.StatusNotFound:
		advice = ": it does not exist, or the token may not see it; " + permissions
	}
	return fmt.Errorf("%s: GitHub answered %d, %s%s", tried, statusOf(err), strings.TrimSuffix(text, "."), advice)
}

// permissions are what the calls of this package ask for, by GitHub's documentation of each.
const permissions = "a classic token needs the scope repo, and read:org for teams; a fine-grained one the repository's " +
	"Administration, Environments and Variables (write) and Actions (read), and the organization's Members (read) for teams"
