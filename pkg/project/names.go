package project

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
)

// Names are those of one environment.
type Names struct {
	Environment string
	Region      string // "" where nothing says it
	Account     string
	Cluster     string
	Service     string
	Repository  string
	Migration   string // the command that migrates the database
	Migrates    string // the ECS service that does it, where Service is ""
	Bake        string
	Bastion     string // the tag Name of the host that reaches the database
}

// Of returns the names that follow from a project and an environment where there is no file: those that the Terraform modules give.
func Of(project, environment string) Names {
	name := func(kind string) string { return project + "-" + kind + environment }
	return Names{Environment: environment, Cluster: name("cluster-"), Service: name("service-"), Repository: name(""),
		Bastion: name("bastion-")}
}

// List returns the environments in the order of the file.
func (f *File) List() []string { return f.order }

// ListServices returns the names of the services in the order of the file.
func (f *File) ListServices() []string { return f.services }

// Names returns those of an environment, and what keeps them from being known.
func (f *File) Names(environment string) (Names, error) {
	e, ok := f.Environments[environment]
	if !ok {
		text := fmt.Sprintf("there is no environment %q", environment)
		if near := meant(environment, f.order); near != "" {
			return Names{}, Problem{Path: f.Path, Text: text + ": did you mean " + near + "?"}
		}
		return Names{}, Problem{Path: f.Path, Text: text + ": there are " + strings.Join(f.order, ", ")}
	}
	n := Of(f.Project, environment)
	fill := func(text string) string { return strings.ReplaceAll(text, insideMark, environment) }
	n.Region, n.Account, n.Bake, n.Migration = e.Region, e.Account, e.Bake, f.Migrate.Command
	n.Cluster = cmp.Or(fill(e.Cluster), n.Cluster)
	n.Repository = cmp.Or(fill(e.Repository), fill(f.Repository), n.Repository)
	n.Bastion = cmp.Or(fill(f.Bastion.Tag), n.Bastion)
	switch names := slices.Sorted(maps.Keys(f.Services)); {
	case e.Service != "":
		n.Service = fill(e.Service)
	case len(names) == 1:
		n.Service = fill(f.Services[names[0]].Service)
	case len(names) > 1:
		n.Service = "" // which one is for the caller to say
		n.Migrates = f.Called(f.Migrate.Service, environment)
	}
	return n, nil
}

// meant is the environment that a name likely stands for: the nearest, or the one that it begins with, as production does.
func meant(written string, names []string) string {
	if near := nearest.One(written, names); near != "" {
		return near
	}
	if some := nearest.Some(written, names, 1); len(some) > 0 {
		return some[0]
	}
	return ""
}
