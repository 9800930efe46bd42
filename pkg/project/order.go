package project

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/internal/nearest"
)

// Member is one of the services of a release.
type Member struct {
	Name    string   // in the file
	Service string   // in ECS
	After   []string // the names of those that are deployed before it
}

// Release returns the services of a release to an environment, in the order of the file. A file without services names the one that
// follows from the project, or that the environment has.
func (f *File) Release(environment string) ([]Member, error) {
	names, err := f.Names(environment)
	if err != nil {
		return nil, err
	}
	if own := f.Environments[environment].Service; own != "" || len(f.services) == 0 {
		return []Member{{Name: f.Project, Service: names.Service}}, nil
	}
	var members []Member
	for _, name := range f.services {
		service := f.Services[name]
		members = append(members, Member{Name: name, Service: strings.ReplaceAll(service.Service, insideMark, environment),
			After: service.After})
	}
	return members, nil
}

// Cycle returns names that wait for each other in a circle, the first one again at the end, or nil.
func Cycle(names []string, after func(name string) []string) []string {
	done := map[string]bool{} // what is in no circle
	var walk func(path []string) []string
	walk = func(path []string) []string {
		last := path[len(path)-1]
		for _, next := range after(last) {
			if done[next] {
				continue
			}
			if i := slices.Index(path, next); i >= 0 {
				return append(slices.Clone(path[i:]), next)
			}
			if found := walk(append(slices.Clone(path), next)); found != nil {
				return found
			}
		}
		done[last] = true
		return nil
	}
	for _, name := range names {
		if done[name] {
			continue
		}
		if found := walk([]string{name}); found != nil {
			return found
		}
	}
	return nil
}

// note keeps what a service says that only the whole of them can be checked for.
func (r *reader) note(name string, value *yaml.Node) {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		at := value.Content[i+1]
		switch value.Content[i].Value {
		case "service":
			if other, ok := r.ecs[at.Value]; ok && at.Kind == yaml.ScalarNode && other != name {
				r.wrong(at, "services.%s.service: services.%s is the same ECS service", name, other)
				continue
			}
			r.ecs[at.Value] = name
		case "after":
			if at.Kind == yaml.AliasNode {
				at = at.Alias
			}
			switch at.Kind {
			case yaml.ScalarNode:
				r.after[name] = append(r.after[name], at)
			case yaml.SequenceNode:
				r.after[name] = append(r.after[name], at.Content...)
			}
		}
	}
}

// checkOrder checks the names by which services refer to each other, and containers to builds.
func (r *reader) checkOrder() {
	known := func(of reference) {
		names := map[string][]string{"services": r.services, "builds": r.builds}[of.of]
		at := of.node
		if at.Kind == yaml.AliasNode {
			at = at.Alias
		}
		if at.Kind != yaml.ScalarNode || at.Tag != "!!str" || at.Value == "" || slices.Contains(names, at.Value) {
			return // another form was told already
		}
		if near := nearest.One(at.Value, names); near != "" {
			r.wrong(at, "%s: %q is not one of %s: did you mean %s?", of.path, at.Value, of.of, near)
			return
		}
		have := "the file has none"
		if len(names) > 0 {
			have = "there are " + strings.Join(names, ", ")
		}
		r.wrong(at, "%s: %q is not one of %s: %s", of.path, at.Value, of.of, have)
	}
	for _, name := range r.services {
		for _, at := range r.after[name] {
			known(reference{at, "services." + name + ".after", "services"})
		}
	}
	for _, of := range r.refers {
		known(of)
	}
	cut := map[string]bool{} // one step of each circle that was told, so that the next one is found
	for {
		circle := Cycle(r.services, func(name string) (all []string) {
			for _, at := range r.after[name] {
				if !cut[name+" "+at.Value] {
					all = append(all, at.Value)
				}
			}
			return all
		})
		if circle == nil {
			return
		}
		cut[circle[0]+" "+circle[1]] = true
		at := r.after[circle[0]][0]
		if len(circle) == 2 {
			r.wrong(at, "services.%s.after: %s waits for itself", circle[0], circle[0])
			continue
		}
		r.wrong(at, "services.%s.after: they wait for each other: %s", circle[0], strings.Join(circle, " after "))
	}
}

// list checks several texts.
func (r *reader) list(k key, node *yaml.Node, name string) {
	if len(node.Content) == 0 {
		r.wrong(node, "%s: want at least one", name)
	}
	seen := map[string]bool{}
	for _, item := range node.Content {
		r.text(k, item, name)
		if seen[item.Value] {
			r.wrong(item, "%s: %s is given twice", name, item.Value)
		}
		seen[item.Value] = true
	}
}

// flag checks what is true or false.
func (r *reader) flag(node *yaml.Node, name string) {
	if node.Kind != yaml.ScalarNode || node.Tag != "!!bool" {
		r.wrong(node, "%s: want true or false", name)
	}
}
