package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/operate"
)

// Delivery is GitHub's side of a service.
type Delivery struct {
	Look *githubsetup.Look
	Err  error // why it was not looked at
}

// delivery reads GitHub's side of the service. AWS's side of it is known already.
func (r reader) delivery(in Inputs, service types.Service, definition *types.TaskDefinition) Delivery {
	token := cmp.Or(r.env.Var("GH_TOKEN"), r.env.Var("GITHUB_TOKEN"))
	if token == "" {
		return Delivery{Err: errors.New("there is no token for GitHub: set GITHUB_TOKEN or GH_TOKEN, as in GITHUB_TOKEN=$(gh auth token)")}
	}
	r.env.Hide(token)
	repository := cmp.Or(in.GitHubRepository, r.env.GitHub.Repository, repositoryHere())
	if repository == "" {
		return Delivery{Err: errors.New("the service's repository at GitHub is not known: say --github-repository OWNER/NAME")}
	}
	known := r.known(in, service, definition)
	if githubsetup.BranchOf(known.Environment) == "" {
		return Delivery{Err: fmt.Errorf("which of dev, staging and prod this is does not follow from the names %s and %s, and no workflow has "+
			"another environment", arn.Last(in.Cluster), arn.Last(in.Service))}
	}
	base := cmp.Or(r.env.GitHub.APIURL, r.env.Var("GITHUB_API_URL"))
	look, err := githubsetup.Inspect(r.ctx, base, token, r.env.Transport, githubsetup.Query{
		Service: repository, Toolkit: in.Toolkit, Infrastructure: in.Infrastructure, Known: known})
	if err != nil {
		return Delivery{Err: err}
	}
	return Delivery{Look: &look}
}

// known is what AWS says of the service.
func (r reader) known(in Inputs, service types.Service, definition *types.TaskDefinition) githubsetup.Known {
	_, environment, _ := operate.Environment(in.Cluster, in.Service)
	known := githubsetup.Known{Environment: environment, Region: r.cfg.Region, Account: arn.Account(aws.ToString(service.ServiceArn)),
		Cluster: arn.Last(in.Cluster), Service: arn.Last(in.Service)}
	if definition == nil {
		return known
	}
	several := false
	for _, c := range definition.ContainerDefinitions {
		known.Containers = append(known.Containers, aws.ToString(c.Name))
		ref, err := image.ParseReference(aws.ToString(c.Image))
		if err != nil || !r.isECR(ref.Registry) {
			continue
		}
		several = several || known.Repository != "" && known.Repository != ref.Repository
		known.Repository, known.RepositoryURL = ref.Repository, ref.Registry+"/"+ref.Repository
	}
	if several {
		known.Repository, known.RepositoryURL = "", "" // which one is the repository's own is not known
	}
	return known
}

// originForm is the address of a repository at GitHub, in the configuration of a clone.
var originForm = lazyregexp.New(`(?m)^\s*url\s*=\s*(?:https://|ssh://)?(?:[^@\s/]+@)?github\.[A-Za-z0-9.-]+` +
	`[:/]([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?\s*$`)

// repositoryHere returns OWNER/NAME of the clone in the working directory, by its remote origin; "" where there is none.
func repositoryHere() string {
	text, err := os.ReadFile(".git/config")
	if err != nil {
		return ""
	}
	return originOf(string(text))
}

// originOf reads OWNER/NAME of the remote origin in the configuration of a clone.
func originOf(config string) string {
	_, section, ok := strings.Cut(config, `[remote "origin"]`)
	if !ok {
		return ""
	}
	section, _, _ = strings.Cut(section, "\n[")
	if m := originForm.FindStringSubmatch(section); m != nil {
		return m[1]
	}
	return ""
}

// checks are what was found of GitHub's side.
func (d Delivery) checks() []Check {
	if d.Err != nil || d.Look == nil {
		what := "it was not looked at"
		if d.Err != nil {
			what = d.Err.Error()
		}
		return []Check{{Area: "delivery", Name: "github", State: NotChecked, What: what}}
	}
	var all []Check
	for _, r := range d.Look.Judge() {
		c := Check{Area: "delivery", Name: r.Name, State: OK, What: r.What, Evidence: r.Evidence, Fix: r.Fix}
		switch {
		case r.Wrong:
			c.State = Wrong
		case r.Unread:
			c.State = NotChecked
		}
		all = append(all, c)
	}
	return all
}
