package githubsetup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Repository is one of GitHub's.
type Repository struct{ Owner, Name string }

func (r Repository) String() string { return r.Owner + "/" + r.Name }

// same says whether two names are one repository's: GitHub does not distinguish capital letters in them.
func (r Repository) same(other Repository) bool { return strings.EqualFold(r.String(), other.String()) }

// branches are those that belong to the environments, in the order in which a change passes them. service-deploy.yml and
// infrastructure.yml say the same thing.
var branches = []struct{ environment, branch string }{{"dev", "development"}, {"staging", "staging"}, {"prod", "main"}}

// BranchOf returns the branch that belongs to an environment; "" where the workflows know no such environment.
func BranchOf(environment string) string {
	for _, b := range branches {
		if b.environment == environment {
			return b.branch
		}
	}
	return ""
}

// part is what a repository is to the others.
type part string

const (
	service part = "service" // it builds and deploys a service
	toolkit part = "toolkit" // it has the workflows, and Terraform's configuration
)

// whose is the branch that an environment takes jobs from.
type whose string

const (
	anyBranch  whose = ""     // each: pull requests and people's own branches as well
	ownBranch  whose = "own"  // the environment's branch
	mainBranch whose = "main" // the branch that forms are sent from
)

// kind is a GitHub environment that the workflows name: ENV and a suffix.
type kind struct {
	part   part
	suffix string
	from   whose
	// reviewed lists the environments (dev, staging, prod) in which people are asked.
	reviewed []string
	// variables are its variables, and the output of Terraform that each takes its value from.
	variables []variable
}

type variable struct{ name, output string }

var (
	deployRole = variable{"AWS_DEPLOY_ROLE", "deploy_role_arn"}
	cluster    = variable{"ECS_CLUSTER", "cluster_name"}
	ecsService = variable{"ECS_SERVICE", "service_name"}
	container  = variable{"ECS_CONTAINER", "container_name"}
	serviceURL = variable{"SERVICE_URL", "service_url"}
)

// kinds are all environments, as docs/GITHUB_ACTIONS.md lists them. A test compares them with the document and the workflows.
var kinds = []kind{
	{part: service, suffix: "-approval", reviewed: []string{"prod"}},
	{part: service, suffix: "", from: ownBranch, variables: []variable{deployRole, cluster, ecsService, container, serviceURL}},
	{part: service, suffix: "-rollback", from: mainBranch, variables: []variable{deployRole, cluster, ecsService}},

	{part: toolkit, suffix: "-plan", reviewed: []string{"prod"}, variables: []variable{{"AWS_PLAN_ROLE", "plan_role_arn"}}},
	{part: toolkit, suffix: "-drift", from: mainBranch, variables: []variable{{"AWS_PLAN_ROLE", "plan_role_arn"}}},
	{part: toolkit, suffix: "-apply", from: ownBranch, reviewed: []string{"dev", "staging", "prod"},
		variables: []variable{{"AWS_APPLY_ROLE", "apply_role_arn"}}},
	{part: toolkit, suffix: "", from: ownBranch, variables: []variable{deployRole, cluster, ecsService, container, serviceURL}},
}

// perEnvironment are variables of the service's repository that carry the environment's name in capitals: images are built before
// an environment is entered.
var perEnvironment = []variable{{"AWS_PUSH_ROLE_", "push_role_arn"}, {"ECR_REPOSITORY_", "repository_name"}}

// Wanted is what a repository is to have.
type Wanted struct {
	Repository   Repository
	Variables    []Variable // of the repository
	Environments []Environment
	// Lent says whose repositories run the workflows and actions of this one; empty for nobody.
	Lent string
}

// Environment is what an environment of GitHub is to have.
type Environment struct {
	Name      string
	Branch    string // the one branch whose jobs may enter it; empty leaves the rule as it is
	Reviewed  bool   // the reviewers are asked
	Variables []Variable
}

// Variable is a variable with its value.
type Variable struct {
	Name, Value string
	// Or is another value that is right as well, and left where it is found.
	Or string
}

// Want returns what each repository is to have, for the values that were read. Either repository may be the zero one, and both may
// be the same.
func Want(serviceIn, toolkitIn Repository, v Values) []Wanted {
	var all []Wanted
	if toolkitIn != (Repository{}) {
		w := Wanted{Repository: toolkitIn, Variables: []Variable{{Name: "AWS_REGION", Value: v.Region}}}
		w.Environments = append(environments(toolkit, v), Environment{Name: "release", Branch: "main"})
		if serviceIn != (Repository{}) && !serviceIn.same(toolkitIn) {
			w.Lent = serviceIn.Owner
		}
		all = append(all, w)
	}
	if serviceIn != (Repository{}) {
		w := Wanted{Repository: serviceIn, Variables: []Variable{{Name: "AWS_REGION", Value: v.Region}}}
		for _, of := range v.Environments {
			for _, each := range perEnvironment {
				w.Variables = append(w.Variables, repositoryVariable(each, of, v))
			}
		}
		w.Environments = environments(service, v)
		if len(all) > 0 && serviceIn.same(toolkitIn) {
			return []Wanted{merged(all[0], w)}
		}
		all = append(all, w)
	}
	return all
}

// repositoryVariable is a variable of the repository for one environment. Staging's repository is told with its registry where
// prod, which takes images from it, is in another account; where prod is not among the values, both forms are right.
func repositoryVariable(each variable, of Outputs, v Values) Variable {
	found := Variable{Name: each.name + strings.ToUpper(of.Environment), Value: of.Text[each.output]}
	if each.output != "repository_name" || of.Environment != "staging" {
		return found
	}
	url := of.Text["repository_url"]
	i := slices.IndexFunc(v.Environments, func(o Outputs) bool { return o.Environment == "prod" })
	switch {
	case i < 0:
		found.Or = url
	case accountOf(url) != accountOf(v.Environments[i].Text["repository_url"]):
		found.Value = url
	}
	return found
}

func environments(of part, v Values) []Environment {
	var all []Environment
	for _, outputs := range v.Environments {
		for _, k := range kinds {
			if k.part != of {
				continue
			}
			e := Environment{Name: outputs.Environment + k.suffix, Reviewed: slices.Contains(k.reviewed, outputs.Environment)}
			switch k.from {
			case ownBranch:
				e.Branch = BranchOf(outputs.Environment)
			case mainBranch:
				e.Branch = "main"
			}
			for _, each := range k.variables {
				e.Variables = append(e.Variables, Variable{Name: each.name, Value: outputs.Text[each.output]})
			}
			all = append(all, e)
		}
	}
	return all
}

// merged is what one repository is to have that is both.
func merged(a, b Wanted) Wanted {
	variables := map[string]Variable{}
	for _, v := range append(slices.Clone(a.Variables), b.Variables...) {
		variables[v.Name] = v
	}
	a.Variables = nil
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		a.Variables = append(a.Variables, variables[name])
	}
	for _, e := range b.Environments {
		if !slices.ContainsFunc(a.Environments, func(other Environment) bool { return other.Name == e.Name }) {
			a.Environments = append(a.Environments, e)
		}
	}
	return a
}

// outputsOf returns the outputs that the parts take values from, each once, in order.
func outputsOf(parts ...part) []string {
	var names []string
	add := func(v variable) {
		if !slices.Contains(names, v.output) {
			names = append(names, v.output)
		}
	}
	for _, k := range kinds {
		if slices.Contains(parts, k.part) {
			for _, v := range k.variables {
				add(v)
			}
		}
	}
	if slices.Contains(parts, service) {
		for _, v := range perEnvironment {
			add(v)
		}
	}
	return names
}

// parseRepository reads OWNER/NAME.
func parseRepository(text string) (Repository, error) {
	owner, name, ok := strings.Cut(text, "/")
	if !ok || !repositoryForm.MatchString(owner) || !repositoryForm.MatchString(name) {
		return Repository{}, fmt.Errorf("%q is not OWNER/NAME", text)
	}
	return Repository{owner, name}, nil
}
