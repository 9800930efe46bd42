package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/internal/regions"
)

// Name is what the file is called.
const Name = "connect2.yaml"

// File is what connect2.yaml says.
type File struct {
	Path         string                 `yaml:"-"`
	Project      string                 `yaml:"project"`
	Repository   string                 `yaml:"repository"`
	Environments map[string]Environment `yaml:"environments"`
	Migrate      struct {
		Service string `yaml:"service"`
		Command string `yaml:"command"`
	} `yaml:"migrate"`
	Services   map[string]Service  `yaml:"services"`
	Schedules  map[string]Schedule `yaml:"schedules"`
	Builds     map[string]Build    `yaml:"builds"`     // the images that the repository builds
	Containers map[string]string   `yaml:"containers"` // which container runs which build
	Together   *bool               `yaml:"together"`   // whether all services of a release go back when one of them fails; nil is true
	Bastion    struct {
		Tag string `yaml:"tag"`
	} `yaml:"bastion"`

	order    []string // of the environments, as they stand in the file
	services []string // likewise
	builds   []string
}

// Environment is what differs in one of them.
type Environment struct {
	Region     string `yaml:"region"`
	Account    string `yaml:"account"`
	Cluster    string `yaml:"cluster"`
	Service    string `yaml:"service"`
	Repository string `yaml:"repository"`
	Bake       string `yaml:"bake"`
}

// Service is one ECS service.
type Service struct {
	Service string `yaml:"service"`
	After   list   `yaml:"after"` // the names of those that are deployed before it
}

// Schedule is what starts tasks at set times: one of the two is given.
type Schedule struct {
	Rule     string `yaml:"rule"`     // of EventBridge
	Schedule string `yaml:"schedule"` // of EventBridge Scheduler
}

// Build is an image that the repository builds.
type Build struct {
	Name       string `yaml:"-"`          // in the file
	Folder     string `yaml:"folder"`     // from that of the file
	Repository string `yaml:"repository"` // in ECR, where it has one of its own
	Dockerfile string `yaml:"dockerfile"` // from the folder
	Target     string `yaml:"target"`     // the Dockerfile's stage
}

// UnmarshalYAML takes a text for the folder alone.
func (b *Build) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		b.Folder = node.Value
		return nil
	}
	type plain Build
	return node.Decode((*plain)(b))
}

// list is one text or several.
type list []string

// UnmarshalYAML takes a text for a list of one.
func (l *list) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = list{node.Value}
		return nil
	}
	return node.Decode((*[]string)(l))
}

// Problem is something that is wrong in the file, and where.
type Problem struct {
	Path         string
	Line, Column int
	Text         string
}

// Error names the place.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Path + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Path, p.Line, p.Column, p.Text)
}

// Find returns the path of the file in a folder or the nearest one above it within the same repository; "" where there is none.
func Find(folder string) string {
	for {
		path := filepath.Join(folder, Name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
		_, err := os.Stat(filepath.Join(folder, ".git"))
		parent := filepath.Dir(folder)
		if err == nil || parent == folder {
			return ""
		}
		folder = parent
	}
}

// Read reads a file and returns everything that is wrong with it.
func Read(path string) (*File, []error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, []error{Problem{Path: path, Text: "there is no such file"}}
	case err != nil:
		return nil, []error{err}
	}
	return Parse(path, text)
}

// Parse reads the text of a file. path is for messages.
func Parse(path string, text []byte) (*File, []error) {
	// Within {…} YAML would end the value at the placeholder's brace. What stands for it is as long, so that places stay right.
	if strings.Contains(string(text), insideMark) {
		return nil, []error{Problem{Path: path, Text: insideMark + " has no meaning: the placeholder is " + environmentMark}}
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), environmentMark, insideMark)), &document); err != nil {
		return nil, []error{Problem{Path: path, Text: "it is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	if len(document.Content) == 0 {
		return nil, []error{Problem{Path: path, Text: "it is empty: want project and environments"}}
	}
	r := reader{path: path, after: map[string][]*yaml.Node{}, ecs: map[string]string{}}
	r.read(file, document.Content[0], "")
	r.checkOrder()
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	f := &File{Path: path}
	if err := document.Decode(f); err != nil {
		return nil, []error{Problem{Path: path, Text: err.Error()}}
	}
	f.order, f.services, f.builds = r.environments, r.services, r.builds
	return f, nil
}

// reader checks a document against what the file may hold.
type reader struct {
	path         string
	problems     []error
	environments []string
	services     []string
	builds       []string
	after        map[string][]*yaml.Node // what a service waits for, by its name
	refers       []reference             // other places that name a service
	ecs          map[string]string       // the name in the file of each ECS service
}

// reference is a place that names one of services, or of builds.
type reference struct {
	node *yaml.Node
	path string
	of   string
}

func (r *reader) wrong(at *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.path, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// read checks the value of a key. name is that of the key, as messages call it.
func (r *reader) read(k key, node *yaml.Node, name string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case k.flag:
		r.flag(node, name)
		return
	case k.list && node.Kind == yaml.SequenceNode:
		r.list(k, node, name)
		return
	case k.keys == nil && k.each == nil:
		r.text(k, node, name)
		return
	case k.short != "" && node.Kind == yaml.ScalarNode:
		r.text(k.inShort(), node, name)
		return
	}
	if node.Kind != yaml.MappingNode {
		what := name
		if what == "" {
			what = "the file"
		}
		r.wrong(node, "%s: want keys with values", what)
		return
	}
	seen, meant := map[string]bool{}, map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		at, value := node.Content[i], node.Content[i+1]
		written := at.Value
		path := strings.TrimPrefix(name+"."+written, ".")
		if seen[written] {
			r.wrong(at, "%s is given twice", path)
			continue
		}
		seen[written] = true
		if k.each != nil {
			r.named(k, at, value, name, path)
			continue
		}
		j := slices.IndexFunc(k.keys, func(k key) bool { return k.name == written })
		if j < 0 {
			meant[r.unknown(k, at, path)] = true
			continue
		}
		r.read(k.keys[j], value, path)
		if path == "migrate.service" {
			r.refers = append(r.refers, reference{value, path, "services"})
		}
	}
	for _, below := range k.keys {
		if below.needed && !seen[below.name] && !meant[below.name] {
			r.wrong(node, "%s is missing: %s", strings.TrimPrefix(name+"."+below.name, "."), below.doc)
		}
	}
	if k.each != nil && len(node.Content) == 0 {
		r.wrong(node, "%s: want at least one", name)
	}
	if k.one && len(seen) != 1 {
		var names []string
		for _, below := range k.keys {
			names = append(names, below.name)
		}
		r.wrong(node, "%s: want one of %s", name, strings.Join(names, " and "))
	}
}

// named checks one of several things that have names.
func (r *reader) named(k key, at, value *yaml.Node, name, path string) {
	switch {
	case name == "environments" && !environment.MatchString(at.Value):
		r.wrong(at, "%s: %q is not a name for an environment: want lower-case letters, digits and hyphens", name, at.Value)
	case name == "environments":
		r.environments = append(r.environments, at.Value)
	case name == "services":
		r.services = append(r.services, at.Value)
	case name == "builds":
		r.builds = append(r.builds, at.Value)
	}
	if k.each.refers != "" {
		r.refers = append(r.refers, reference{value, path, k.each.refers})
	}
	if name == "services" {
		r.note(at.Value, value)
	}
	if value.Kind == yaml.ScalarNode && value.Tag == "!!null" && k.each.keys != nil && k.each.short == "" {
		if k.each.one {
			r.read(*k.each, &yaml.Node{Kind: yaml.MappingNode, Line: value.Line, Column: value.Column}, path)
			return
		}
		if slices.ContainsFunc(k.each.keys, func(k key) bool { return k.needed }) {
			r.wrong(value, "%s: want keys with values", path)
		}
		return // an environment with nothing of its own
	}
	r.read(*k.each, value, path)
}

// unknown tells a key that there is not, and returns the one that it likely stands for, or "".
func (r *reader) unknown(k key, at *yaml.Node, path string) (meant string) {
	var names []string
	for _, below := range k.keys {
		names = append(names, below.name)
	}
	if near := nearest.One(at.Value, names); near != "" {
		r.wrong(at, "unknown key %s: did you mean %s?", path, near)
		return near
	}
	r.wrong(at, "unknown key %s: there are %s", path, strings.Join(names, ", "))
	return ""
}

// text checks one value.
func (r *reader) text(k key, node *yaml.Node, name string) {
	switch {
	case node.Kind != yaml.ScalarNode:
		r.wrong(node, "%s: want %s", name, k.want)
		return
	case node.Tag == "!!null" || node.Value == "":
		r.wrong(node, "%s: it is empty: want %s", name, k.want)
		return
	case node.Tag != "!!str":
		r.wrong(node, "%s: %s is not a text: put it in quotes", name, node.Value)
		return
	}
	value := node.Value
	written := strings.ReplaceAll(value, insideMark, environmentMark)
	if k.plain {
		if strings.Contains(value, insideMark) {
			r.wrong(node, "%s: %s has no meaning here", name, environmentMark)
			return
		}
	} else {
		value = strings.ReplaceAll(value, insideMark, "dev")
		if i := strings.IndexAny(value, "{}"); i >= 0 && k.pattern != anyText {
			r.wrong(node, "%s: %q: the only placeholder is %s", name, written, environmentMark)
			return
		}
	}
	if !k.pattern.MatchString(value) {
		r.wrong(node, "%s: %q: want %s%s", name, written, k.want, near(k, value))
		return
	}
	if k.pattern == regionText && !regions.KnownArea(value) {
		r.wrong(node, "%s: %q is not a region of AWS%s", name, written, near(k, value))
	}
}

func near(k key, value string) string {
	if k.pattern == regionText {
		if region := regions.Nearest(value); region != "" {
			return ": did you mean " + region + "?"
		}
	}
	return ""
}
