package githubsetup

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
)

// Remark is one thing of GitHub's side that was looked at.
type Remark struct {
	Name     string
	What     string
	Evidence []string
	Fix      []string
	Wrong    bool
	Unread   bool // it was not, or not wholly, read
}

// Judge says of each thing whether it is as docs/GITHUB_ACTIONS.md asks for. It is pure.
func (l Look) Judge() []Remark {
	if l.Service.Err != nil {
		return []Remark{{Name: "github", What: l.Service.Err.Error(), Unread: true}}
	}
	l.Service.Wanted = l.Service.Wanted.withoutNames(l.Known.Environment, l.Named, l.NamedAtNight)
	all := l.Service.judge(l.Known)
	if l.Infrastructure != nil {
		if l.Infrastructure.Err != nil {
			all = append(all, Remark{Name: "infrastructure", What: l.Infrastructure.Err.Error(), Unread: true})
		} else {
			all = append(all, l.Infrastructure.judge(l.Known)...)
		}
	}
	all = append(all, l.Toolkit.judge(l.Service.Wanted.Repository))
	for _, p := range l.Packages {
		all = append(all, p.judge())
	}
	return all
}

// withoutNames is what is wanted where deploy.yml reads the names from a file, and where the workflows that enter the environment of
// rollbacks do. Staging's repository is named all the same: prod looks for its images there.
func (w Wanted) withoutNames(environment string, named, atNight bool) Wanted {
	if named {
		w.Variables = slices.DeleteFunc(slices.Clone(w.Variables), func(v Variable) bool {
			return strings.HasPrefix(v.Name, "ECR_REPOSITORY_") && environment != "staging"
		})
	}
	w.Environments = slices.Clone(w.Environments)
	for i, e := range w.Environments {
		if named && e.Name == environment || atNight && e.Name == environment+"-rollback" {
			w.Environments[i].Variables = slices.DeleteFunc(slices.Clone(e.Variables), func(v Variable) bool {
				return strings.HasPrefix(v.Name, "ECS_")
			})
		}
	}
	return w
}

// setUp is the way to mend what connect2 init --github mends.
func setUp(w Wanted, known Known) string {
	flag := "--service"
	if slices.ContainsFunc(w.Environments, func(e Environment) bool { return strings.HasSuffix(e.Name, "-apply") }) {
		flag = "--toolkit"
	}
	return fmt.Sprintf("connect2 init --github %s %s --outputs %s=%s.json --reviewer NAME shows what is to change, and changes it",
		flag, w.Repository, known.Environment, known.Environment)
}

func (s Seen) judge(known Known) []Remark {
	fix := []string{setUp(s.Wanted, known)}
	tokens := Remark{Name: "identity tokens", What: fmt.Sprintf("the sub of %s's tokens has its default form", s.Wanted.Repository)}
	switch {
	case s.ClaimsErr != nil:
		tokens.Unread, tokens.What = true, s.ClaimsErr.Error()
	case len(s.Claims) > 0:
		tokens.Wrong = true
		tokens.What = fmt.Sprintf("the sub of %s's tokens is made of %s, which no role of github-oidc trusts", s.Wanted.Repository,
			strings.Join(s.Claims, ", "))
		tokens.Fix = []string{fmt.Sprintf("gh api --method PUT repos/%s/actions/oidc/customization/sub -F use_default=true", s.Wanted.Repository)}
	}
	variables := Remark{Name: "variables", What: fmt.Sprintf("%s has what builds need", s.Wanted.Repository)}
	if s.VariablesErr != nil {
		variables.Unread, variables.What = true, s.VariablesErr.Error()
	} else if variables.Evidence = wrongVariables(s.Wanted.Variables, known, s.Variables); len(variables.Evidence) > 0 {
		variables.Wrong, variables.What = true, fmt.Sprintf("%s lacks variables, or has wrong ones", s.Wanted.Repository)
		variables.Fix = fix
	}
	all := []Remark{tokens, variables}
	for _, e := range s.Wanted.Environments {
		r := s.environment(e, known)
		if r.Wrong {
			r.Fix = fix
		}
		all = append(all, r)
	}
	return all
}

// environment judges one environment of the repository.
func (s Seen) environment(e Environment, known Known) Remark {
	r := Remark{Name: "environment " + e.Name}
	seen := s.Environments[e.Name]
	at := fmt.Sprintf("%s, %s", s.Wanted.Repository, e.Name)
	switch {
	case seen.Err != nil:
		r.Unread, r.What = true, seen.Err.Error()
		return r
	case !seen.Exists:
		r.Wrong, r.What = true, at+" does not exist: GitHub makes it at its first use, without any protection"
		return r
	}
	wrong := wrongBranches(e, seen.Is)
	var unread, notes []string
	switch asked := len(seen.Is.Reviewers) > 0; {
	case e.Reviewed && asked:
		notes = append(notes, "people are asked first")
	case e.Reviewed && s.MainErr != nil:
		unread = append(unread, "nobody is asked before a job enters it, and whether main is protected instead is not known: "+s.MainErr.Error())
	case e.Reviewed && !s.Main:
		wrong = append(wrong, "nobody is asked before a job enters it, and main is not protected either")
	case e.Reviewed:
		notes = append(notes, "nobody is asked before a job enters it; main is protected")
	case asked && e.quick():
		wrong = append(wrong, "people are asked before a job enters it: it is there for jobs that wait for nobody")
	}
	if e.quick() && seen.Is.Wait > 0 {
		wrong = append(wrong, fmt.Sprintf("a job waits %d minutes before it enters it", seen.Is.Wait))
	}
	var variables []string
	have := map[string]string{}
	maps.Copy(have, s.Variables)
	maps.Copy(have, seen.Is.Variables)
	if len(e.Variables) > 0 {
		variables = wrongVariables(e.Variables, known, have)
		if err := seen.VariablesErr; err != nil && len(variables) > 0 {
			unread, variables = append(unread, err.Error()), nil
		}
	}
	r.Evidence = slices.Concat(wrong, variables)
	switch {
	case len(r.Evidence) > 0:
		r.Wrong, r.What = true, at+" is not as the workflows need it"
		r.Evidence = append(r.Evidence, unread...)
	case len(unread) > 0:
		r.Unread, r.What = true, at+": "+strings.Join(unread, "; ")
	default:
		r.What = strings.Join(append([]string{at + " is as the workflows need it"}, append(notes, others(e, seen.Is)...)...), "; ")
	}
	return r
}

// quick reports whether jobs of the environment wait for nobody: it holds a place in the queue, or is for the night.
func (e Environment) quick() bool {
	return !e.Reviewed && !strings.HasSuffix(e.Name, "-approval") && !strings.HasSuffix(e.Name, "-plan")
}

// wrongBranches says what is wrong with the branches that may enter an environment.
func wrongBranches(e Environment, is Protected) []string {
	if e.Branch == "" {
		return nil
	}
	takes := slices.ContainsFunc(is.Branches, func(b Branch) bool { return b.Name == e.Branch && b.Type != "tag" })
	switch {
	case is.Policy == noPolicy:
		return []string{"jobs of every branch may enter it: the rule on deployment branches is what keeps others than " + e.Branch + " out"}
	case is.Policy == protected:
		return []string{"jobs of all protected branches may enter it: it is to name " + e.Branch}
	case !takes:
		return []string{"jobs of the branch " + e.Branch + " may not enter it"}
	}
	return nil
}

// others tells which branches may enter an environment beside its own.
func others(e Environment, is Protected) (notes []string) {
	for _, b := range is.Branches {
		if e.Branch != "" && (b.Name != e.Branch || b.Type == "tag") {
			notes = append(notes, fmt.Sprintf("it takes the %s %s as well", typeOf(b), b.Name))
		}
	}
	return notes
}

// wrongVariables says which variables are missing, or are not what they are to be as far as that is known.
func wrongVariables(wanted []Variable, known Known, have map[string]string) (wrong []string) {
	for _, v := range wanted {
		is, ok := have[v.Name]
		switch {
		case !ok || is == "":
			wrong = append(wrong, v.Name+" is not set")
		case strings.Contains(v.Name, "ROLE") && wrongValue("x_role_arn", is) != "":
			wrong = append(wrong, fmt.Sprintf("%s is %q, which is not the ARN of a role", v.Name, is))
		case strings.Contains(v.Name, "ROLE") && known.Account != "" && arn.Account(is) != known.Account:
			wrong = append(wrong, fmt.Sprintf("%s is of the account %s, and the service is in %s", v.Name, arn.Account(is), known.Account))
		case v.Name == serviceURL.name && wrongValue(serviceURL.output, is) != "":
			wrong = append(wrong, fmt.Sprintf("%s is %q, which is not a URL", v.Name, is))
		case v.Name == container.name && len(known.Containers) > 0 && !slices.Contains(known.Containers, is):
			wrong = append(wrong, fmt.Sprintf("%s is %s, and the service has %s", v.Name, is, strings.Join(known.Containers, ", ")))
		case v.Name != container.name && v.Value != "" && is != v.Value && (v.Or == "" || is != v.Or):
			wrong = append(wrong, fmt.Sprintf("%s is %s, and the service's is %s", v.Name, is, v.Value))
		}
	}
	return wrong
}

// judge says whether the service may use the toolkit's workflows and actions.
func (l Lender) judge(from Repository) Remark {
	r := Remark{Name: "toolkit"}
	switch {
	case l.Err != nil:
		r.Unread, r.What = true, l.Err.Error()
	case l.Public:
		r.What = fmt.Sprintf("%s is public: %s may use its workflows and actions", l.Repository, from)
	case l.Repository.same(from):
		r.What = fmt.Sprintf("%s uses its own workflows and actions", from)
	case l.AccessErr != nil:
		r.Unread, r.What = true, l.AccessErr.Error()
	case l.Access == "enterprise", l.Access != "none" && strings.EqualFold(l.Repository.Owner, from.Owner):
		r.What = fmt.Sprintf("%s lets the repositories of its %s use its workflows and actions", l.Repository, l.Access)
	default:
		r.Wrong = true
		r.What = fmt.Sprintf("%s is not public, and %s may not use its workflows and actions (access: %s)", l.Repository, from, l.Access)
		r.Fix = []string{fmt.Sprintf("in %s: Settings → Actions → General → Access; connect2 init --github --service %s --toolkit %s "+
			"does it within one organization", l.Repository, from, l.Repository)}
	}
	return r
}

// judge says whether runners can pull an image.
func (p Package) judge() Remark {
	r := Remark{Name: "package"}
	switch {
	case p.Err != nil:
		r.Unread, r.What = true, p.Err.Error()
	case p.Visibility == "public":
		r.What = "ghcr.io/" + p.Name + " is public"
	default:
		r.Wrong = true
		r.What = fmt.Sprintf("ghcr.io/%s is %s: runners pull an action's image without a login", p.Name, p.Visibility)
		r.Fix = []string{"make it public (Package settings → Change visibility), or use actions/setup, which downloads the binary with a token"}
	}
	return r
}
