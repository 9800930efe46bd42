package scaffold

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/examples"
	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/pkg/project"
)

// Toolkit is the repository whose workflows are called where no other is named.
const Toolkit = "org/connect2"

// mark stands for the environment's name in connect2.yaml.
const mark = "{environment}"

// ProjectOf returns what the names begin with, where the clusters are called PROJECT-cluster-ENVIRONMENT; "" where they are not.
func ProjectOf(environments []*Environment) (name string) {
	for i, e := range environments {
		found, ok := strings.CutSuffix(e.Cluster, "-cluster-"+e.Name)
		if !ok || i > 0 && found != name {
			return ""
		}
		name = found
	}
	return name
}

// Config returns connect2.yaml, and what keeps it from being written: problems of project.Parse among them.
func Config(projectName, migrate, toolkit string, environments []*Environment) (text string, problems []string) {
	var b strings.Builder
	fmt.Fprintf(&b, "# yaml-language-server: $schema=https://raw.githubusercontent.com/%s/main/docs/connect2.schema.json\n", toolkit)
	fmt.Fprintf(&b, "project: %s\n", scalar(projectName))
	repository, shared := pattern(environments, func(e *Environment) string { return e.Repository })
	if shared {
		fmt.Fprintf(&b, "repository: %s\n", scalar(repository))
	}
	names, problems := servicesOf(environments)
	var services strings.Builder
	everywhere, alike := len(problems) == 0, true
	for _, name := range names {
		service, ok := pattern(environments, func(e *Environment) string { return e.Services[name] })
		if !ok && len(names) > 1 && everywhere {
			problems = append(problems, fmt.Sprintf("the service %s is called %s: connect2.yaml has one name for several services, which may "+
				"differ by %s alone", name, listed(environments, func(e *Environment) string { return e.Services[name] }), mark))
		}
		alike = alike && ok
		fmt.Fprintf(&services, "  %s: {service: %s}\n", scalar(name), scalar(service))
	}
	b.WriteString("environments:\n")
	for _, e := range environments {
		var pairs []string
		add := func(key, value string) {
			if value != "" {
				pairs = append(pairs, key+": "+scalar(value))
			}
		}
		add("region", e.Region)
		add("account", e.Account)
		if e.Cluster != project.Of(projectName, e.Name).Cluster {
			add("cluster", e.Cluster)
		}
		if !alike && len(names) == 1 {
			add("service", e.Services[names[0]])
		}
		if !shared {
			add("repository", e.Repository)
		}
		fmt.Fprintf(&b, "  %s: {%s}\n", e.Name, strings.Join(pairs, ", "))
	}
	if migrate != "" {
		fmt.Fprintf(&b, "migrate:\n  service: %s\n  command: %s\n", scalar(only), scalar(migrate))
	}
	fmt.Fprintf(&b, "services:\n%s", services.String())
	if len(problems) == 0 {
		_, wrong := project.Parse(project.Name, []byte(b.String()))
		for _, err := range wrong {
			problems = append(problems, "it would not be right: "+err.Error())
		}
	}
	return b.String(), problems
}

// servicesOf returns the names of the services, api first. A release is of the same ones everywhere.
func servicesOf(environments []*Environment) (names, problems []string) {
	all := map[string]bool{}
	for _, e := range environments {
		for name := range e.Services {
			all[name] = true
		}
	}
	names = slices.Sorted(maps.Keys(all))
	if i := slices.Index(names, only); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, only)
	}
	for _, name := range names {
		var with, without []string
		for _, e := range environments {
			if e.Services[name] != "" {
				with = append(with, e.Name)
			} else {
				without = append(without, e.Name)
			}
		}
		if len(without) > 0 {
			problems = append(problems, fmt.Sprintf("the service %s is in %s and not in %s: a release is of the same services everywhere, "+
				"so apply Terraform there first", name, strings.Join(with, ", "), strings.Join(without, ", ")))
		}
	}
	return names, problems
}

// pattern returns one text for a name in several environments, with {environment} where that is how they differ. Where nothing fits
// all of them it returns the first and false.
func pattern(environments []*Environment, of func(*Environment) string) (text string, ok bool) {
	fits := func(text string) bool {
		return !slices.ContainsFunc(environments, func(e *Environment) bool { return strings.ReplaceAll(text, mark, e.Name) != of(e) })
	}
	first := of(environments[0])
	for at := len(first); ; {
		at = strings.LastIndex(first[:at], environments[0].Name)
		if at < 0 {
			return first, fits(first)
		}
		end := at + len(environments[0].Name)
		alone := (at == 0 || !letter(first[at-1])) && (end == len(first) || !letter(first[end]))
		if text := first[:at] + mark + first[end:]; alone && fits(text) {
			return text, true
		}
	}
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }

// listed tells a name in each environment.
func listed(environments []*Environment, of func(*Environment) string) string {
	var all []string
	for _, e := range environments {
		all = append(all, fmt.Sprintf("%s in %s", of(e), e.Name))
	}
	return strings.Join(all, ", ")
}

// scalar writes a text as YAML, in quotes where it would be read as something else. (The encoder of the YAML package would be linked for
// this alone.)
func scalar(text string) string {
	var read map[string]yaml.Node
	err := yaml.Unmarshal([]byte("{text: "+strings.ReplaceAll(text, mark, "environment")+"}"), &read)
	if node := read["text"]; err != nil || len(read) != 1 || node.Tag != "!!str" || node.Style != 0 ||
		node.Value != strings.ReplaceAll(text, mark, "environment") {
		return strconv.Quote(text)
	}
	return text
}

// File is one that is to be in the repository.
type File struct {
	Path string // from the repository's folder, with slashes
	Text string
}

// Workflows returns those of the example service, for these environments alone, calling the toolkit's of this repository.
func Workflows(toolkit string, environments []*Environment) (files []File, err error) {
	var names, branches []string
	for _, e := range environments {
		names = append(names, e.Name)
		branches = append(branches, githubsetup.BranchOf(e.Name))
	}
	change := strings.NewReplacer(
		"options: [dev, staging, prod]", "options: ["+strings.Join(names, ", ")+"]",
		"branches: [development, staging, main]", "branches: ["+strings.Join(branches, ", ")+"]",
		"uses: "+Toolkit+"/", "uses: "+toolkit+"/")
	for _, name := range []string{"deploy.yml", "rollback.yml", "operate.yml"} {
		at := path.Join(".github/workflows", name)
		text, err := examples.Workflows.ReadFile(path.Join("api", at))
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: at, Text: change.Replace(string(text))})
	}
	return files, nil
}

// checksName is the workflow that checks pull requests.
const checksName = ".github/workflows/ci.yml"

// Checks returns the example's workflow for pull requests, calling the toolkit's of this repository. Without python it builds the image
// and does nothing else.
func Checks(toolkit string, python bool) (File, error) {
	text, err := examples.Workflows.ReadFile(path.Join("api", checksName))
	if err != nil {
		return File{}, err
	}
	written := strings.ReplaceAll(string(text), "uses: "+Toolkit+"/", "uses: "+toolkit+"/")
	if !python {
		written += "    with: {python: false}\n"
	}
	return File{Path: checksName, Text: written}, nil
}

// agrees says whether a connect2.yaml that is there says nothing else than the one that would be written. People add to it: what they
// added stays then. An account is compared where both name one.
func agrees(have, want string, environments []*Environment) bool {
	was, wrong := project.Parse(project.Name, []byte(have))
	if len(wrong) > 0 {
		return false
	}
	is, wrong := project.Parse(project.Name, []byte(want))
	if len(wrong) > 0 || was.Project != is.Project || len(was.List()) != len(is.List()) {
		return false
	}
	for _, e := range environments {
		a, errA := was.Names(e.Name)
		b, errB := is.Names(e.Name)
		switch {
		case errA != nil || errB != nil:
			return false
		case a.Cluster != b.Cluster, a.Service != b.Service, a.Repository != b.Repository, a.Region != b.Region:
			return false
		case a.Account != "" && b.Account != "" && a.Account != b.Account:
			return false
		case b.Migration != "" && a.Migration != b.Migration:
			return false
		case b.Service == "" && !slices.Equal(called(was, e.Name), called(is, e.Name)):
			return false
		}
	}
	return true
}

// called are the ECS services of a file that has several.
func called(f *project.File, environment string) (services []string) {
	for name := range f.Services {
		services = append(services, f.Called(name, environment))
	}
	slices.Sort(services)
	return services
}
