package run

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

// Selection is how a command learns the names that it works on: the flags that every command about a service has.
type Selection struct {
	project.Selection `group:"Names"`
	Project           string `input:"project" group:"Names" doc:"What the names begin with if there is no connect2.yaml: PROJECT-cluster-ENVIRONMENT, and so on."`
}

// named are the inputs that a file can name.
var named = []string{"cluster", "repository", "bastion"}

// ExtraFields are the flags that a program adds to those of an action: where the action asks for something that a file can name.
func ExtraFields(a *action.Action) []action.Field {
	has := func(name string) bool {
		return slices.ContainsFunc(a.Inputs(), func(f action.Field) bool { return f.Name == name })
	}
	if !slices.ContainsFunc(named, has) || has("file") != has("environment") { // environment alone has a meaning of its own there
		return nil
	}
	return slices.DeleteFunc(action.FieldsOf(Selection{}), func(f action.Field) bool { return has(f.Name) })
}

// Names gives an action the names that it was not given, of connect2.yaml. What is wrong with the file, or with what was chosen in it,
// is a problem of the inputs. find looks for the file where none is given; nil is for runs that take nothing that they are not told.
func Names(a *action.Action, given *action.Given, getenv func(string) string, find func() string) {
	if !given.Asks("file") || !given.Asks("environment") || find == nil && !given.Has("file") && !given.Excused("file") {
		return
	}
	if given.Excused("file") || given.Excused("project") { // which names are meant is not known
		given.Excuse(supplied...)
		return
	}
	var chosen Selection
	given.Into(&chosen)
	from := "--environment"
	if find == nil {
		from = "environment"
	}
	if chosen.FileEnvironment == "" && !given.Excused("environment") {
		chosen.FileEnvironment, from = getenv("CONNECT2_ENVIRONMENT"), "CONNECT2_ENVIRONMENT"
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
	if chosen == (Selection{}) && len(missing) == 0 {
		return // all was said, and no file was asked for
	}
	path := chosen.File
	if path == "" && find != nil {
		path = find()
	}
	names, origin, file, problems := choose(chosen, path, from)
	for _, problem := range problems {
		none := noEnvironment{}
		if !errors.As(problem, &none) {
			given.Problem(problem)
		} else if !given.Excused("environment") {
			if chosen == (Selection{}) { // nobody asked for the file
				none.text += ", or give --" + strings.Join(missing, " and --")
			}
			given.Problem(none)
		}
	}
	if len(problems) > 0 {
		given.Excuse(supplied...)
	}
	if names == (project.Names{}) {
		return
	}
	values := map[string]string{"region": names.Region, "account-id": names.Account, "cluster": names.Cluster, "service": names.Service,
		"repository": names.Repository, "bake": names.Bake, "bastion": names.Bastion}
	switch a.Meta.Name {
	case "migrate":
		values["command"] = names.Migration
		if names.Service == "" {
			values["service"] = names.Migrates
		}
	case "release":
		values["command"] = names.Migration
		if !given.Has("source") && !given.Has("sources") {
			delete(values, "repository") // it is where source is pushed to
		}
	}
	if file != nil {
		values["file"], values["environment"] = path, names.Environment
		given.Rename("service", origin+": service", func(name string) string { return file.Called(name, names.Environment) })
		if file.Together != nil {
			values["together"] = fmt.Sprint(*file.Together)
		}
	}
	if file != nil && names.Service == "" && slices.Contains(missing, "service") && !given.Has("service") && !given.Excused("service") &&
		oneOnly(a) && values["service"] == "" {
		given.Problem(fmt.Errorf("%s has the services %s: choose one with %sservice", origin, strings.Join(file.ListServices(), ", "),
			strings.TrimSuffix(from, "environment")))
		given.Excuse("service")
	}
	for name, value := range values {
		given.Suppose(name, value, origin+": "+name)
	}
}

// supplied are the inputs that follow from a file, or from a project: they are not missed where that is wrong.
var supplied = []string{"region", "account-id", "cluster", "service", "repository", "command", "bastion", "secret"}

// oneOnly says whether an action works on one service, with a file too.
func oneOnly(a *action.Action) bool {
	return slices.ContainsFunc(a.Inputs(), func(f action.Field) bool { return f.Name == "service" && f.Required && f.Unless != "file" })
}

// noEnvironment is that none was chosen.
type noEnvironment struct{ text string }

func (n noEnvironment) Error() string { return n.text }

// FileHere returns the path of the connect2.yaml in the working folder or above it, or "".
func FileHere() string {
	folder, err := os.Getwd()
	if err != nil {
		return ""
	}
	return project.Find(folder)
}

// choose returns the names of the environment that was chosen. path is that of the file, "" where there is none; from is how the
// environment was given; origin is where the names are from, file what was
// read.
func choose(chosen Selection, path, from string) (names project.Names, origin string, file *project.File,
	problems []error) {
	switch {
	case path == "" && chosen.FileEnvironment == "" && chosen.Project == "":
		return project.Names{}, "", nil, nil // what is missing is told by its own name
	case path == "" && chosen.Project == "":
		return project.Names{}, "", nil, []error{fmt.Errorf("%s: there is no connect2.yaml here or above that says what belongs to %s: "+
			"write one, or give --project, which the names begin with", from, chosen.FileEnvironment)}
	case chosen.Project != "" && chosen.File == "" && chosen.FileEnvironment == "":
		return project.Names{}, "", nil, []error{noEnvironment{
			"--project: say which environment: --environment, or CONNECT2_ENVIRONMENT"}}
	case chosen.Project != "" && chosen.File == "":
		return project.Of(chosen.Project, chosen.FileEnvironment), "the names of " + chosen.Project, nil, nil
	case chosen.Project != "":
		return project.Names{}, "", nil, []error{errors.New("--project and --file are two ways to name things: give one of them")}
	}
	origin = shortPath(path)
	file, problems = project.Read(origin)
	if len(problems) > 0 {
		return project.Names{}, "", nil, problems
	}
	if chosen.FileEnvironment == "" {
		return project.Names{}, "", nil, []error{noEnvironment{fmt.Sprintf("%s has %s: choose one with --environment, or CONNECT2_ENVIRONMENT",
			origin, strings.Join(file.List(), ", "))}}
	}
	names, err := file.Names(chosen.FileEnvironment)
	if err != nil {
		return project.Names{}, "", nil, []error{fmt.Errorf("%s: %w", from, err)}
	}
	return names, origin, file, nil
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
