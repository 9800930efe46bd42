package action

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// container is what an action's container has of its runner's files. GitHub's runner mounts the workspace and, newer ones, its
// temporary folder, and translates a value that begins with one of their paths; not a list's further lines, nor what lies elsewhere.
// Source: actions/runner, ContainerActionHandler.cs and ContainerInfo.TranslateToContainerPath.
type container struct {
	inside bool        // whether this is such a container
	mapped [][2]string // paths of the runner, and where the container has them; the longest first
	temp   string      // the runner's temporary folder where the container does not have it
	exists func(path string) bool
}

// containerOf reads what the runner says of its folders.
func containerOf(getenv func(string) string) container {
	c := container{exists: func(path string) bool { _, err := os.Stat(path); return err == nil }}
	c.inside = getenv("GITHUB_ACTIONS") == "true" && getenv("GITHUB_WORKSPACE") == "/github/workspace"
	// RUNNER_WORKSPACE lies above what is mounted, so the runner does not translate it: WORK/REPOSITORY, with the checkout in
	// WORK/REPOSITORY/REPOSITORY and the temporary folder in WORK/_temp (actions/runner, PipelineDirectoryManager.cs).
	above := getenv("RUNNER_WORKSPACE")
	_, name, ok := strings.Cut(getenv("GITHUB_REPOSITORY"), "/")
	if !c.inside || !ok || !path.IsAbs(above) || strings.HasPrefix(above, "/github/") {
		return c
	}
	temp := path.Join(path.Dir(above), "_temp")
	c.mapped = [][2]string{
		{path.Join(above, name), "/github/workspace"}, {path.Join(temp, "_github_home"), "/github/home"},
		{path.Join(temp, "_github_workflow"), "/github/workflow"}, {path.Join(temp, "_runner_file_commands"), "/github/file_commands"},
	}
	if within := getenv("RUNNER_TEMP"); strings.HasPrefix(within, "/github/") {
		c.mapped = append(c.mapped, [2]string{temp, within})
	} else {
		c.temp = temp
	}
	return c
}

// below says whether a path is a folder or lies in it.
func below(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// translated returns where the container has a path of the runner; any other text as it is.
func (c container) translated(text string) string {
	for _, m := range c.mapped {
		if below(text, m[0]) {
			return m[1] + text[len(m[0]):]
		}
	}
	return text
}

// unseen says why the container does not have a file, or "". A file that is to be written would be lost with the container.
func (c container) unseen(text string, write bool) string {
	file, _, _ := strings.Cut(text, "#") // PATH#NAME is an image of an archive
	if !c.inside || !path.IsAbs(text) || below(path.Clean(text), "/github") || !write && (c.exists(text) || c.exists(file)) {
		return ""
	}
	advice := "have an earlier step put it there, or run connect2 in a step of its own after org/connect2/actions/setup"
	if write {
		advice = "give a path in the workspace or RUNNER_TEMP"
	}
	if c.temp != "" && below(text, c.temp) {
		return "it is in the runner's temporary folder, which older runners do not show to an action's container: give a path in " +
			"the workspace, or update the runner"
	}
	return "an action's container has no more of the runner's files than the workspace and RUNNER_TEMP: " + advice
}

// see translates a value of an input that names files, and returns what is wrong with it.
func (c container) see(f Field, v given) (given, []error) {
	if !c.inside || f.Path == "" {
		return v, nil
	}
	items := []string{strings.TrimSpace(v.value)}
	switch f.Kind {
	case List:
		items = decodeList(v.value)
	case Map:
		items = splitLines(v.value)
	}
	var problems []error
	for i, item := range items {
		key := ""
		if f.Kind == Map {
			name, path, ok := strings.Cut(item, "=")
			if !ok {
				continue // it is told where the lines are read
			}
			key, item = name+"=", strings.TrimSpace(path)
		}
		seen := c.translated(item)
		items[i] = key + seen
		if why := c.unseen(seen, f.Path == "write"); why != "" {
			one := f
			one.Kind = List // an item of it, not all of its lines
			problems = append(problems, fmt.Errorf("%s: %s: %s", v.as, one.shown(item), why))
		}
	}
	v.value = strings.Join(items, "\n")
	return v, problems
}

// Unseen says why the file that a variable of the environment names cannot be read here, or "" where nothing is known against it: an
// action's container has little of its runner's files.
func (e *Env) Unseen(file string) string { return containerOf(e.Var).unseen(file, false) }

// Inside returns where an action's container has a file of its runner that stands in the middle of a value; any other path as it is.
func (e *Env) Inside(file string) string { return containerOf(e.Var).translated(file) }

// InContainer says whether this runs in the container of an action, on a GitHub runner.
func (e *Env) InContainer() bool { return containerOf(e.Var).inside }
