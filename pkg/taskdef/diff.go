package taskdef

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one difference between two task definitions.
type Change struct {
	Path   string // such as containerDefinitions[api].image
	Before string // JSON; empty where the field is new
	After  string // JSON; empty where the field goes
}

// String writes the change as one line.
func (c Change) String() string {
	switch {
	case c.Before == "":
		return fmt.Sprintf("+ %s: %s", c.Path, c.After)
	case c.After == "":
		return fmt.Sprintf("- %s: %s", c.Path, c.Before)
	default:
		return fmt.Sprintf("~ %s: %s -> %s", c.Path, c.Before, c.After)
	}
}

// hidden stands for a value that is not shown.
const hidden = "(value hidden)"

// Diff lists what changes from one task definition to another, in the order of the fields' names. Defaults that the API
// fills in are no difference (see Equal). Values of environment variables are never shown, and neither are those of
// fields that are not known here to be harmless inside a container: credentials are kept in stranger places.
func Diff(before, after Document) []Change {
	if before.IsZero() || after.IsZero() {
		return nil
	}
	var changes []Change
	compare("", before.normalised(), after.normalised(), &changes)
	return changes
}

func compare(path string, before, after *value, changes *[]Change) {
	switch {
	case before == nil && after == nil, before != nil && after != nil && before.String() == after.String():
	case before != nil && after != nil && before.kind == '{' && after.kind == '{':
		compareMembers(path, before, after, changes)
	case before != nil && after != nil && before.kind == '[' && after.kind == '[' && named(before) && named(after):
		compareNamed(path, before, after, changes)
	default:
		*changes = append(*changes, Change{Path: path, Before: shown(path, before), After: shown(path, after)})
	}
}

func compareMembers(path string, before, after *value, changes *[]Change) {
	var names []string
	for _, m := range slices.Concat(before.members, after.members) {
		names = append(names, m.name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		compare(strings.TrimPrefix(path+"."+name, "."), before.get(name), after.get(name), changes)
	}
}

// named reports whether every item of the list is an object with a name of its own.
func named(list *value) bool {
	seen := map[string]bool{}
	for _, item := range list.items {
		name := item.get("name").str()
		if name == "" || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

func compareNamed(path string, before, after *value, changes *[]Change) {
	find := func(list *value, name string) *value {
		for _, item := range list.items {
			if item.get("name").str() == name {
				return item
			}
		}
		return nil
	}
	for _, item := range before.items {
		name := item.get("name").str()
		compare(path+"["+name+"]", item, find(after, name), changes)
	}
	for _, item := range after.items {
		if name := item.get("name").str(); find(before, name) == nil {
			compare(path+"["+name+"]", nil, item, changes)
		}
	}
}

// open are the fields of a container whose values may be shown.
var open = []string{
	"cpu", "memory", "memoryReservation", "essential", "image", "name", "portMappings", "readonlyRootFilesystem", "user",
	"workingDirectory", "startTimeout", "stopTimeout", "dependsOn", "mountPoints", "volumesFrom", "ulimits", "privileged",
	"interactive", "pseudoTerminal", "secrets", "healthCheck", "versionConsistency", "restartPolicy", "logConfiguration.logDriver",
}

// shown returns the JSON of a value, or hides it.
func shown(path string, v *value) string {
	if v == nil {
		return ""
	}
	_, field, inContainer := strings.Cut(path, "].")
	if !inContainer && strings.HasPrefix(path, "containerDefinitions") {
		if v.kind == '{' {
			return "(container " + v.get("name").str() + ")"
		}
		return hidden
	}
	if !strings.HasPrefix(path, "containerDefinitions") ||
		slices.ContainsFunc(open, func(name string) bool {
			return field == name || strings.HasPrefix(field, name+".") || strings.HasPrefix(field, name+"[")
		}) {
		return v.String()
	}
	return hidden
}
