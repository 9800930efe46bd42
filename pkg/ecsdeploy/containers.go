package ecsdeploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
)

// imagesOf returns the images of the containers of one service beside its main one, by container: what is given for the container, or for
// the build that it runs as the file says; the image of the main container where that runs the same build; and otherwise, of what the
// file builds, the one that runs. given are the keys of the input images, builds what each container runs.
func imagesOf(given, builds map[string]string, has []string, main, image string, running func(container string) string) map[string]string {
	images := map[string]string{}
	for _, container := range has {
		build := builds[container]
		ref, named := given[container]
		if !named && build != "" {
			ref, named = given[build]
		}
		switch {
		case named:
			images[container] = ref
		case build == "" || container == main:
		case image != "" && image != Running && build == builds[main]:
			images[container] = image
		default:
			if ref := running(container); ref != "" {
				images[container] = ref
			}
		}
	}
	return images
}

// strangers are the names of containers, in the file and in the input images, that none of the task definitions has. has are the
// containers of all services that are deployed.
func strangers(in Inputs, has []string) (problems []error) {
	var builds map[string]string
	if in.OfFile != nil {
		builds = in.OfFile.Containers
	}
	unknown := func(what, name string, names []string) {
		text := fmt.Sprintf("%s: no task definition that is deployed has a container %s", what, name)
		if near := nearest.One(name, names); near != "" {
			text += ": did you mean " + near + "?"
		} else {
			text += ": there are " + strings.Join(names, ", ")
		}
		problems = append(problems, fmt.Errorf("%s", text))
	}
	if in.OfFile != nil && len(in.OfFile.Members) > 0 && !in.OfFile.Partial {
		for _, container := range slices.Sorted(maps.Keys(builds)) {
			if !slices.Contains(has, container) {
				unknown(in.File+": containers", container, has)
			}
		}
	}
	builtBy := slices.Sorted(maps.Values(builds))
	for _, name := range slices.Sorted(maps.Keys(in.Images)) {
		if !slices.Contains(has, name) && !slices.Contains(builtBy, name) {
			unknown("images", name, slices.Compact(slices.Concat(has, builtBy)))
		}
	}
	return problems
}
