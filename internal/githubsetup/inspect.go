package githubsetup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-github/v92/github"

	"github.com/org/connect2/v2/internal/githubapi"
	"github.com/org/connect2/v2/internal/lazyregexp"
)

// Query says what is looked at.
type Query struct {
	Service        string // OWNER/NAME of the service's repository
	Toolkit        string // OWNER/NAME; empty: the one that the service's deploy.yml calls
	Infrastructure string // OWNER/NAME of the repository that infrastructure.yml runs in; empty: it is not looked at
	Known          Known
}

// Known is what is known of an environment beside GitHub, to compare with. What is empty is not compared.
type Known struct {
	Environment, Region, Account string
	Cluster, Service             string
	Containers                   []string
	Repository, RepositoryURL    string // of the image: its name, and with its registry
}

// Check returns what is wrong with a query, all at once.
func (q Query) Check() (problems []string) {
	for _, each := range []struct{ name, text string }{
		{"github-repository", q.Service}, {"toolkit", q.Toolkit}, {"infrastructure", q.Infrastructure},
	} {
		if each.text == "" {
			continue
		}
		if _, err := parseRepository(each.text); err != nil {
			problems = append(problems, each.name+": "+err.Error())
		}
	}
	return problems
}

// Look is what GitHub's side of an environment looks like.
type Look struct {
	Service        Seen
	Infrastructure *Seen
	Toolkit        Lender
	Packages       []Package
	Named          bool // deploy.yml reads the names from a file of the repository
	NamedAtNight   bool // so do rollback.yml and, where it is there, operate.yml
	Known          Known
}

// Seen is what a repository has, as far as the token may see it.
type Seen struct {
	Wanted       Wanted // values where they are known
	Err          error  // of the repository itself; nothing else is read then
	Claims       []string
	ClaimsErr    error
	Variables    map[string]string // of the organization, and over them those of the repository
	VariablesErr error
	Main         bool // the branch main is protected; read where nobody is asked
	MainErr      error
	Environments map[string]SeenEnvironment
}

// SeenEnvironment is what an environment has.
type SeenEnvironment struct {
	Exists       bool
	Is           Protected
	Err          error // of its rules
	VariablesErr error
}

// Lender is the repository whose workflows and actions are used.
type Lender struct {
	Repository Repository
	Err        error // which one, or what it is, is not known
	Public     bool
	Access     string
	AccessErr  error
}

// Package is an image of the toolkit's actions.
type Package struct {
	Name       string
	Visibility string // public, internal or private
	Err        error
}

// packages are the images that the toolkit's actions are.
var packages = []string{"connect2", "connect2-terraform"}

// calls finds the toolkit in the service's deploy.yml.
var calls = lazyregexp.New(`(?m)^\s*uses:\s*["']?([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+)/\.github/workflows/service-deploy\.ya?ml@`)

// Inspect reads GitHub's side of an environment with a token. What it may not see is in the errors of the parts.
func Inspect(ctx context.Context, base, token string, transport http.RoundTripper, q Query) (Look, error) {
	if base == "" {
		base = "https://api.github.com"
	}
	api, err := githubapi.New(base, token, transport)
	if err != nil {
		return Look{}, err
	}
	h := hub{api}
	from, err := parseRepository(q.Service)
	if err != nil {
		return Look{}, err
	}
	look := Look{Known: q.Known, Service: h.see(ctx, wantedOf(service, from, q.Known))}
	if look.Service.Err != nil {
		return look, context.Cause(ctx)
	}
	if q.Infrastructure != "" {
		where, err := parseRepository(q.Infrastructure)
		if err != nil {
			return look, err
		}
		seen := h.see(ctx, wantedOf(toolkit, where, q.Known))
		look.Infrastructure = &seen
	}
	named := q.Toolkit
	text, err := h.workflow(ctx, from, "deploy.yml")
	if err != nil {
		err = told("reading .github/workflows/deploy.yml of", from, "", err)
	}
	look.NamedAtNight = h.namedAtNight(ctx, from)
	if look.Named = fileForm.MatchString(text); named == "" && err == nil {
		named, err = called(from, text)
	}
	if named == "" {
		look.Toolkit.Err = err
	} else {
		look.Toolkit = h.lender(ctx, from, named)
	}
	if look.Toolkit.Repository != (Repository{}) {
		for _, name := range packages {
			look.Packages = append(look.Packages, h.packageOf(ctx, look.Toolkit.Repository.Owner, name))
		}
	}
	return look, context.Cause(ctx)
}

// wantedOf is what a repository is to have for one environment. Values that are not known are empty.
func wantedOf(what part, where Repository, known Known) Wanted {
	text := map[string]string{cluster.output: known.Cluster, ecsService.output: known.Service, "repository_name": known.Repository,
		"repository_url": known.RepositoryURL}
	if len(known.Containers) == 1 {
		text[container.output] = known.Containers[0]
	}
	values := Values{Region: known.Region, Environments: []Outputs{{Environment: known.Environment, Text: text}}}
	var w Wanted
	if what == service {
		w = Want(where, Repository{}, values)[0]
		for i, v := range w.Variables {
			if strings.HasPrefix(v.Name, "ECR_REPOSITORY_") {
				w.Variables[i].Or = known.RepositoryURL
			}
		}
		return w
	}
	w = Want(Repository{}, where, values)[0]
	w.Environments = slices.DeleteFunc(w.Environments, func(e Environment) bool { return e.Name == "release" })
	return w
}

// see reads what a repository has of what is wanted.
func (h hub) see(ctx context.Context, w Wanted) Seen {
	r := w.Repository
	s := Seen{Wanted: w, Environments: map[string]SeenEnvironment{}}
	repository, _, err := h.api.Repositories.Get(ctx, r.Owner, r.Name)
	if err != nil {
		s.Err = told("reading", r, "", err)
		return s
	}
	s.Variables, s.VariablesErr = h.variables(ctx, r, repository.GetOwner().GetType() == "Organization")
	if s.VariablesErr != nil {
		s.VariablesErr = told("reading the variables of", r, "", s.VariablesErr)
	}
	if s.Claims, err = h.claims(ctx, r); err != nil {
		s.ClaimsErr = told("reading how the identity tokens are made of", r, "", err)
	}
	unasked := false
	for _, e := range w.Environments {
		var seen SeenEnvironment
		if seen.Is, seen.Exists, err = h.rules(ctx, r, e.Name); err != nil {
			seen.Err = told("reading", r, e.Name, err)
		}
		if seen.Exists {
			if seen.Is.Variables, err = h.variablesIn(ctx, r, e.Name); err != nil {
				seen.VariablesErr = told("reading the variables of", r, e.Name, err)
			}
		}
		unasked = unasked || e.Reviewed && seen.Exists && len(seen.Is.Reviewers) == 0
		s.Environments[e.Name] = seen
	}
	if unasked {
		var branch struct{ Protected bool }
		err := h.get(ctx, fmt.Sprintf("repos/%s/%s/branches/main", r.Owner, r.Name), &branch)
		if s.Main = branch.Protected; err != nil {
			s.MainErr = told("reading the branch main of", r, "", err)
		}
	}
	return s
}

// variables are those that a workflow of the repository sees outside an environment.
func (h hub) variables(ctx context.Context, r Repository, organization bool) (map[string]string, error) {
	all := map[string]string{}
	if organization {
		shared, err := variablesOf(func(page *github.ListOptions) (*github.ActionsVariables, *github.Response, error) {
			return h.api.Actions.ListRepoOrgVariables(ctx, r.Owner, r.Name, page)
		})
		if err != nil {
			return nil, err
		}
		all = shared
	}
	own, err := variablesOf(func(page *github.ListOptions) (*github.ActionsVariables, *github.Response, error) {
		return h.api.Actions.ListRepoVariables(ctx, r.Owner, r.Name, page)
	})
	maps.Copy(all, own)
	return all, err
}

// lender finds the repository whose workflows are called, and who may use them.
func (h hub) lender(ctx context.Context, from Repository, named string) Lender {
	r, err := parseRepository(named)
	if err != nil {
		return Lender{Err: err}
	}
	l := Lender{Repository: r}
	repository, _, err := h.api.Repositories.Get(ctx, r.Owner, r.Name)
	if err != nil {
		l.Err = told("reading", r, "", err)
		return l
	}
	if l.Public = !repository.GetPrivate(); l.Public || r.same(from) {
		return l
	}
	access, _, err := h.api.Repositories.GetActionsAccessLevel(ctx, r.Owner, r.Name)
	if l.Access = access.GetAccessLevel(); err != nil {
		l.AccessErr = told("reading who may use the actions of", r, "", err)
	}
	return l
}

// fileForm finds the input file of a workflow, in a mapping of one line too.
var fileForm = lazyregexp.New(`(?m)^([^#\n]*[{,])?\s*file:\s*[^\s,}]`)

// ofTheService finds the call of a workflow that reads connect2.yaml whether file is given or not.
var ofTheService = lazyregexp.New(`(?m)^[^#\n]*\buses:\s*\S+/\.github/workflows/service-(rollback|operate)\.ya?ml@`)

// workflow reads one of the service's workflows.
func (h hub) workflow(ctx context.Context, from Repository, name string) (string, error) {
	var file struct{ Content []byte } // base64
	err := h.get(ctx, fmt.Sprintf("repos/%s/%s/contents/.github/workflows/%s", from.Owner, from.Name, name), &file)
	return string(file.Content), err
}

// namedAtNight says whether the workflows that enter the environment of rollbacks read the names from a file. That of operate.yml may be
// missing.
func (h hub) namedAtNight(ctx context.Context, from Repository) bool {
	named := func(text string) bool { return ofTheService.MatchString(text) || fileForm.MatchString(text) }
	back, err := h.workflow(ctx, from, "rollback.yml")
	if err != nil || !named(back) {
		return false
	}
	operate, err := h.workflow(ctx, from, "operate.yml")
	return statusOf(err) == http.StatusNotFound || named(operate)
}

// called is the repository whose service-deploy.yml a deploy.yml calls.
func called(from Repository, text string) (string, error) {
	m := calls.FindStringSubmatch(text)
	if m == nil {
		return "", errors.New(from.String() + ": .github/workflows/deploy.yml calls no service-deploy.yml: say whose by --toolkit OWNER/NAME")
	}
	return m[1], nil
}

// packageOf reads who may see an image of an organization or, where there is none of that name, of a user.
func (h hub) packageOf(ctx context.Context, owner, name string) Package {
	p := Package{Name: owner + "/" + name}
	var found struct{ Visibility string }
	err := h.get(ctx, fmt.Sprintf("orgs/%s/packages/container/%s", owner, name), &found)
	if statusOf(err) == http.StatusNotFound {
		err = h.get(ctx, fmt.Sprintf("users/%s/packages/container/%s", owner, name), &found)
	}
	if err != nil {
		p.Err = plain("reading the package "+p.Name, err)
		if status := statusOf(err); status == http.StatusNotFound || status == http.StatusForbidden {
			p.Err = errors.New("the package " + p.Name + " is not there, or the token may not see it: that needs the scope read:packages")
		}
		return p
	}
	p.Visibility = found.Visibility
	return p
}

// get reads what is at a path of the API. go-github's own calls of what is read here bring a hundred types that nobody looks at.
func (h hub) get(ctx context.Context, path string, into any) error {
	request, err := h.api.NewRequest(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	_, err = h.api.Do(request, into)
	return err
}
