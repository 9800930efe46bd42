package githubsetup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/sorted"
)

// Present is what a repository has.
type Present struct {
	ID, OwnerID  int64
	Organization bool   // whether an organization owns it
	Public       bool   // its actions and workflows are everybody's
	Access       string // who may use the actions and workflows of one that is not public: none, user, organization, enterprise
	Variables    map[string]string
	Environments map[string]Protected // those that are wanted and there
	Claims       []string             // of the identity token's sub, where they are not the default ones
}

// Protected is what an environment has.
type Protected struct {
	Wait              int // minutes
	PreventSelfReview bool
	AdminsBypass      bool
	Reviewers         []Reviewer
	Policy            policy
	Branches          []Branch
	Variables         map[string]string
}

// policy is which kind of rule an environment has on branches.
type policy string

const (
	noPolicy  policy = "every branch"
	protected policy = "protected branches"
	selected  policy = "selected branches"
)

// Reviewer is a user or a team.
type Reviewer struct {
	Type string // User or Team
	ID   int64
	Name string
}

// Branch is a rule on branches or tags.
type Branch struct {
	ID         int64
	Name, Type string // Type: branch or tag
}

// Change is one call that changes something.
type Change struct {
	Environment string // empty for the repository itself
	// One of these:
	Variable *VariableChange
	Protect  *ProtectChange
	Allow    string // a branch more
	Forbid   *Branch
	Access   string
}

// VariableChange sets a variable.
type VariableChange struct {
	Name, Value, Old string
	Exists           bool
}

// ProtectChange makes or changes an environment.
type ProtectChange struct {
	Exists bool
	To     Protected
	Says   []string // what differs, for people
}

// Options are what people decide.
type Options struct {
	Reviewers         []Reviewer // asked where Reviewed
	PreventSelfReview bool
	OnlyTheseBranches bool // rules on other branches are taken away
}

// mostReviewers is GitHub's limit for an environment.
const mostReviewers = 6

// Plan returns what is to change so that present becomes wanted, in the order of the calls, and notes on what is left as it is.
// A problem is what GitHub would refuse.
func Plan(w Wanted, p Present, o Options) (changes []Change, notes, problems []string) {
	if len(p.Claims) > 0 {
		problems = append(problems, fmt.Sprintf("%s: its identity tokens have a sub of %s, which no role of github-oidc trusts: set it "+
			"back with `gh api --method PUT repos/%s/actions/oidc/customization/sub -F use_default=true`",
			w.Repository, strings.Join(p.Claims, ", "), w.Repository))
	}
	if w.Lent != "" && !p.Public {
		switch {
		case strings.EqualFold(w.Lent, w.Repository.Owner) && p.Access == "none":
			access := "user"
			if p.Organization {
				access = "organization"
			}
			changes = append(changes, Change{Access: access})
		case !strings.EqualFold(w.Lent, w.Repository.Owner) && p.Access != "enterprise":
			problems = append(problems, fmt.Sprintf("%s is not public, and %s cannot use its workflows and actions: within one enterprise, "+
				"Settings → Actions → General → Access lets other organizations in; otherwise make it public", w.Repository, w.Lent))
		}
	}
	changes = append(changes, setAll("", w.Variables, p.Variables)...)
	for _, e := range w.Environments {
		now, exists := p.Environments[e.Name]
		more, said, wrong := protect(e, now, exists, o)
		changes = append(changes, more...)
		for _, text := range said {
			notes = append(notes, fmt.Sprintf("%s, %s: %s", w.Repository, e.Name, text))
		}
		for _, text := range wrong {
			problems = append(problems, fmt.Sprintf("%s, %s: %s", w.Repository, e.Name, text))
		}
		changes = append(changes, setAll(e.Name, e.Variables, now.Variables)...)
	}
	return changes, notes, problems
}

func setAll(environment string, wanted []Variable, now map[string]string) (changes []Change) {
	for _, v := range wanted {
		old, exists := now[v.Name]
		if exists && (old == v.Value || v.Or != "" && old == v.Or) {
			continue
		}
		changes = append(changes, Change{Environment: environment,
			Variable: &VariableChange{Name: v.Name, Value: v.Value, Old: old, Exists: exists}})
	}
	return changes
}

// protect returns the changes of an environment's rules. What it has beyond what is wanted stays.
func protect(e Environment, now Protected, exists bool, o Options) (changes []Change, notes, problems []string) {
	to := now
	var says []string
	if !exists {
		to = Protected{AdminsBypass: true, Policy: noPolicy}
	}
	if e.Branch != "" && to.Policy != selected {
		if exists {
			says = append(says, fmt.Sprintf("only the branches that are named may enter it (%s may now)", to.Policy))
		}
		to.Policy, to.Branches = selected, nil
	}
	if e.Reviewed {
		for _, r := range o.Reviewers {
			if !slices.ContainsFunc(to.Reviewers, func(other Reviewer) bool { return other.Type == r.Type && other.ID == r.ID }) {
				to.Reviewers = append(slices.Clip(to.Reviewers), r)
				says = append(says, "asks "+r.Name)
			}
		}
		if o.PreventSelfReview && !to.PreventSelfReview && len(to.Reviewers) > 0 {
			to.PreventSelfReview = true
			says = append(says, "whoever starts a run cannot approve it")
		}
		if len(to.Reviewers) > mostReviewers {
			problems = append(problems, fmt.Sprintf("%d reviewers with those that it has; GitHub takes %d at most: name a team",
				len(to.Reviewers), mostReviewers))
		}
		if len(to.Reviewers) == 0 {
			notes = append(notes, "nobody is asked before a job enters it")
		}
	}
	if !exists || len(says) > 0 {
		changes = append(changes, Change{Environment: e.Name, Protect: &ProtectChange{Exists: exists, To: to, Says: says}})
	}
	if e.Branch == "" {
		return changes, notes, problems
	}
	has := func(b Branch) bool { return b.Name == e.Branch && b.Type != "tag" }
	if !slices.ContainsFunc(to.Branches, has) {
		changes = append(changes, Change{Environment: e.Name, Allow: e.Branch})
	}
	branches := slices.Clone(to.Branches)
	sorted.Stable(branches, func(a, b Branch) int { return strings.Compare(a.Name, b.Name) })
	for _, other := range branches {
		switch {
		case has(other):
		case o.OnlyTheseBranches:
			changes = append(changes, Change{Environment: e.Name, Forbid: &other})
		default:
			notes = append(notes, fmt.Sprintf("takes the %s %s as well: --only-these-branches shuts it out", typeOf(other), other.Name))
		}
	}
	return changes, notes, problems
}

func typeOf(b Branch) string {
	if b.Type == "tag" {
		return "tag"
	}
	return "branch"
}

// lines tells a change to people: + makes, ~ changes, - takes away.
func (c Change) lines() []string {
	in := ""
	if c.Environment != "" {
		in = "environment " + c.Environment + ": "
	}
	switch {
	case c.Access != "":
		return []string{fmt.Sprintf("~ its actions and workflows are for the whole %s", c.Access)}
	case c.Variable != nil && c.Variable.Exists:
		return []string{fmt.Sprintf("~ %s%s = %s (it is %q)", in, c.Variable.Name, c.Variable.Value, c.Variable.Old)}
	case c.Variable != nil:
		return []string{fmt.Sprintf("+ %s%s = %s", in, c.Variable.Name, c.Variable.Value)}
	case c.Protect != nil:
		var lines []string
		if !c.Protect.Exists {
			lines = append(lines, "+ environment "+c.Environment)
		}
		for _, text := range c.Protect.Says {
			lines = append(lines, "~ "+in+text)
		}
		return lines
	case c.Allow != "":
		return []string{"+ " + in + "jobs of the branch " + c.Allow + " may enter it"}
	default:
		return []string{fmt.Sprintf("- %sjobs of the %s %s may enter it no more", in, typeOf(*c.Forbid), c.Forbid.Name)}
	}
}
