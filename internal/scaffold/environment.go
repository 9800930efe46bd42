package scaffold

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/project"
)

// Environment is what is known of one.
type Environment struct {
	Name       string // dev, staging or prod
	Region     string // "" where nothing says it
	Account    string // likewise
	Cluster    string
	Repository string
	Services   map[string]string // the ECS services, by what connect2.yaml calls them
	notes      []string          // what people should know of it
}

// only is what connect2.yaml calls the one service, as Terraform's outputs do.
const only = "api"

// imageForm is an image of ECR, or the URL of a repository: account, region and repository. sandboxForm is an image of the stand-in, which
// has its registry on this machine.
var (
	imageForm   = lazyregexp.New(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+/([a-z0-9][a-z0-9._/-]*)`)
	sandboxForm = lazyregexp.New(`^(?:localhost|127\.0\.0\.1|\[::1\]):[0-9]+/([a-z0-9][a-z0-9._/-]*)`)
)

// Named is an environment whose names follow from the project's.
func Named(projectName, name, region, account string) *Environment {
	n := project.Of(projectName, name)
	return &Environment{Name: name, Region: region, Account: account, Cluster: n.Cluster, Repository: n.Repository,
		Services: map[string]string{only: n.Service}}
}

// FromOutputs reads what `terraform output -json` printed of an environment. problems are all that is missing in it.
func FromOutputs(name string, text []byte) (e *Environment, problems []string) {
	all, err := githubsetup.ReadOutputs(text)
	if err != nil {
		return e, []string{err.Error()}
	}
	of := func(output string, needed bool) (value string) {
		if json.Unmarshal(all[output], &value) != nil || value == "" {
			value = "" // null, or no text
			if needed {
				problems = append(problems, fmt.Sprintf("the output %s is missing: apply the environment first", output))
			}
		}
		return value
	}
	e = &Environment{Name: name, Cluster: of("cluster_name", true), Repository: of("repository_name", true),
		Services: map[string]string{only: of("service_name", true)}}
	url := of("repository_url", false)
	if m := imageForm.FindStringSubmatch(url); m != nil {
		e.Account, e.Region = m[1], m[2]
	}
	var further map[string]struct {
		Service string `json:"service_name"`
		URL     string `json:"repository_url"`
	}
	if raw, ok := all["services"]; ok {
		if err := json.Unmarshal(raw, &further); err != nil {
			problems = append(problems, fmt.Sprintf("the output services is not a map of services: %v", err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(further)) {
		switch s := further[key]; {
		case key == only:
		case s.Service == "":
			problems = append(problems, fmt.Sprintf("the output services has no service_name for %s", key))
		case s.URL != url:
			e.notes = append(e.notes, fmt.Sprintf("%s: the service %s has images of its own (%s): a release of this repository leaves it out",
				name, key, s.URL))
		default:
			e.Services[key] = s.Service
		}
	}
	return e, problems
}

// FromService takes the names from a service that runs and from its task definition.
func FromService(name string, service types.Service, definition types.TaskDefinition) (e *Environment, problems []string) {
	e = &Environment{Name: name, Cluster: arn.Last(aws.ToString(service.ClusterArn)),
		Services: map[string]string{only: aws.ToString(service.ServiceName)}}
	if parts := strings.Split(aws.ToString(service.ServiceArn), ":"); len(parts) > 5 {
		e.Region, e.Account = parts[3], parts[4]
	}
	family := aws.ToString(definition.Family)
	var container, images []string
	for _, c := range definition.ContainerDefinitions {
		images = append(images, aws.ToString(c.Image))
		m := imageForm.FindStringSubmatch(aws.ToString(c.Image))
		if own := sandboxForm.FindStringSubmatch(aws.ToString(c.Image)); own != nil {
			m = []string{"", e.Account, e.Region, own[1]}
		}
		if m == nil {
			continue
		}
		container = append(container, aws.ToString(c.Name))
		e.Repository = m[3]
		if m[1] != e.Account || m[2] != e.Region {
			e.notes = append(e.notes, fmt.Sprintf("%s: the image is from the registry of account %s in %s: connect2 push takes %s of %s in %s",
				name, m[1], m[2], m[3], e.Account, e.Region))
		}
	}
	switch len(container) {
	case 0:
		problems = append(problems, fmt.Sprintf("no container of %s has an image from ECR, which would name the repository: it has %s",
			family, strings.Join(images, ", ")))
	case 1:
		e.notes = append(e.notes, fmt.Sprintf("%s: the family is %s, the container %s (ECS_CONTAINER)", name, family, container[0]))
	default:
		problems = append(problems, fmt.Sprintf("several containers of %s have images from ECR, %s: which one is this repository's "+
			"is for you to say: name the environment by --outputs", family, strings.Join(container, ", ")))
	}
	return e, problems
}
