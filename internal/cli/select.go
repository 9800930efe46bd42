package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/project"
)

// selection is how a command learns the names that it works on: the flags that every command about a service has.
type selection struct {
	Environment string `input:"environment" short:"e" group:"Names" doc:"The environment, as connect2.yaml calls it: it gives the cluster, the service and the repository. CONNECT2_ENVIRONMENT where it is empty. There is no default."`
	Project     string `input:"project" group:"Names" doc:"What the names begin with, where there is no connect2.yaml: PROJECT-cluster-ENVIRONMENT, and so on."`
	File        string `input:"file" path:"read" group:"Names" doc:"The file that names the service's things; connect2.yaml here or above where it is empty."`
}

// named are the inputs that a file can name.
var named = []string{"cluster", "repository", "bastion"}

// extraFields are the flags that the program adds to those of an action: where the action asks for something that a file can name.
func extraFields(a *action.Action) []action.Field {
	extra := action.FieldsOf(selection{})
	for _, f := range a.Inputs() {
		if slices.ContainsFunc(extra, func(e action.Field) bool { return e.Name == f.Name }) {
			return nil // it has a meaning of its own there
		}
	}
	if !slices.ContainsFunc(a.Inputs(), func(f action.Field) bool { return slices.Contains(named, f.Name) }) {
		return nil
	}
	return extra
}

// supply gives an action the names that it was not given. What is wrong with the file, or with what was chosen in it, is a problem
// of the inputs.
func supply(a *action.Action, given *action.Given, getenv func(string) string) {
	if len(extraFields(a)) == 0 {
		return
	}
	var chosen selection
	given.Into(&chosen)
	from := "--environment"
	if chosen.Environment == "" {
		chosen.Environment, from = getenv("CONNECT2_ENVIRONMENT"), "CONNECT2_ENVIRONMENT"
	}
	var missing []string
	for _, f := range a.Inputs() {
		if f.Required && !given.Has(f.Name) && slices.Contains([]string{"cluster", "service", "repository"}, f.Name) {
			missing = append(missing, f.Name)
		}
	}
	for _, f := range a.Inputs() {
		if f.Name == "bastion" && !given.Has(f.Name) && !given.Has("instance") {
			missing = append(missing, f.Name)
		}
	}
	if chosen == (selection{}) && len(missing) == 0 {
		return // all was said, and no file was asked for
	}
	path := chosen.File
	if path == "" {
		if folder, err := os.Getwd(); err == nil {
			path = project.Find(folder)
		}
	}
	names, origin, problems := choose(chosen, path, from)
	for _, problem := range problems {
		given.Problem(problem)
	}
	if names == (project.Names{}) {
		return
	}
	values := map[string]string{"region": names.Region, "account-id": names.Account, "cluster": names.Cluster, "service": names.Service,
		"repository": names.Repository, "bake": names.Bake, "bastion": names.Bastion}
	switch a.Meta.Name {
	case "migrate":
		values["command"] = names.Migration
	case "release":
		if !given.Has("source") {
			delete(values, "repository") // it is where source is pushed to
		}
	}
	for name, value := range values {
		given.Suppose(name, value, origin+": "+name)
	}
}

// choose returns the names of the environment that was chosen. path is that of the file, "" where there is none; from is how the
// environment was given; origin is where the names are from.
func choose(chosen selection, path, from string) (names project.Names, origin string, problems []error) {
	switch {
	case path == "" && chosen.Environment == "" && chosen.Project == "":
		return project.Names{}, "", nil // what is missing is told by its own name
	case path == "" && chosen.Project == "":
		return project.Names{}, "", []error{fmt.Errorf("%s: there is no connect2.yaml here or above that says what belongs to %s: "+
			"write one, or give --project, which the names begin with", from, chosen.Environment)}
	case path == "" && chosen.Environment == "":
		return project.Names{}, "", []error{errors.New("--project: say which environment: --environment, or CONNECT2_ENVIRONMENT")}
	case path == "" || chosen.Project != "" && chosen.File == "":
		return project.Of(chosen.Project, chosen.Environment), "the names of " + chosen.Project, nil
	case chosen.Project != "":
		return project.Names{}, "", []error{errors.New("--project and --file are two ways to name things: give one of them")}
	}
	origin = shortPath(path)
	file, problems := project.Read(path)
	if len(problems) > 0 {
		return project.Names{}, "", problems
	}
	if chosen.Environment == "" {
		return project.Names{}, "", []error{fmt.Errorf("%s has %s: choose one with --environment, or CONNECT2_ENVIRONMENT",
			origin, strings.Join(file.List(), ", "))}
	}
	names, err := file.Names(chosen.Environment)
	if err != nil {
		return project.Names{}, "", []error{err}
	}
	return names, origin, nil
}

// shortPath is a path as people near it would write it.
func shortPath(path string) string {
	folder, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(folder, path); err == nil && len(short) < len(path) {
		return short
	}
	return path
}

// environments are the names that --environment may have: those of the file, or the usual ones.
func environments() []string {
	if folder, err := os.Getwd(); err == nil {
		if path := project.Find(folder); path != "" {
			if file, problems := project.Read(path); len(problems) == 0 {
				return file.List()
			}
		}
	}
	return []string{"dev", "staging", "prod"}
}
