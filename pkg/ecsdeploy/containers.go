package ecsdeploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// pushesLater says whether an image that is to be deployed is not pushed yet.
func (in Inputs) pushesLater() bool { return in.ImageLater || len(in.ImagesLater) > 0 }

// given returns the images that are given by names of containers and builds; one that is pushed later is empty.
func (in Inputs) given() map[string]string {
	all := maps.Clone(in.Images)
	if all == nil {
		all = map[string]string{}
	}
	for _, key := range in.ImagesLater {
		all[key] = ""
	}
	return all
}

// builds returns which container runs which build, as the file says.
func (in Inputs) builds() map[string]string {
	if in.OfFile == nil {
		return nil
	}
	return in.OfFile.Containers
}

// givenFor returns by which name a container's image is given: its own, or that of the build that it runs.
func (in Inputs) givenFor(container string) (key string, ok bool) {
	given := in.given()
	for _, key := range []string{container, in.builds()[container]} {
		if _, ok := given[key]; ok && key != "" {
			return key, true
		}
	}
	return "", false
}

// mainContainer returns the container that the release is of. Where the task definition alone does not say it, it is the one whose build
// stands first in the file.
func (in Inputs) mainContainer(doc taskdef.Document) (string, error) {
	container, err := doc.Container(in.Container)
	if err == nil || in.Container != "" || in.OfFile == nil {
		return container, err
	}
	for _, build := range in.OfFile.Builds {
		var runs []string
		for _, name := range doc.Containers() {
			if in.OfFile.Containers[name] == build.Name {
				runs = append(runs, name)
			}
		}
		switch len(runs) {
		case 0:
		case 1:
			return runs[0], nil
		default:
			return "", err
		}
	}
	return "", err
}

// imagesOf returns the images of the containers of one service beside its main one, by container: what is given for the container, or for
// the build that it runs as the file says; the image of the main container where that runs the same build; and otherwise, of what the
// file builds, the one that runs. given are the keys of the input images, with "" for what is pushed later; builds is what each container
// runs.
func imagesOf(given, builds map[string]string, has []string, main, image string, running func(container string) string) map[string]string {
	images := map[string]string{}
	for _, container := range has {
		build := builds[container]
		ref, named := given[container]
		if !named && build != "" {
			ref, named = given[build]
		}
		switch {
		case named && ref == "":
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
	builds := in.builds()
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
	for _, name := range slices.Sorted(maps.Keys(in.given())) {
		if !slices.Contains(has, name) && !slices.Contains(builtBy, name) {
			what := "images"
			if slices.Contains(in.ImagesLater, name) {
				what = "sources"
			}
			unknown(what, name, slices.Compact(slices.Concat(has, builtBy)))
		}
	}
	return problems
}

// mainImage is how the main container of one service of several gets its image.
type mainImage struct {
	service string // its name in the file
	build   string // what the container runs, as the file says; "" where it does not
	named   bool   // its image is given by name
}

// unclear returns what speaks against one image for the main containers of several services. Those whose image is given by name do not
// get it.
func unclear(input string, all []mainImage) error {
	by := map[string]string{} // a service of each build
	used := false
	for _, m := range all {
		if m.named {
			continue
		}
		used = true
		if _, seen := by[m.build]; !seen && m.build != "" {
			by[m.build] = m.service
		}
	}
	switch builds := slices.Sorted(maps.Keys(by)); {
	case !used:
		return fmt.Errorf("%s: every main container gets another image by its name already: leave it out", input)
	case len(builds) > 1:
		return fmt.Errorf("%s: which build is it? %s runs %s and %s runs %s: give what belongs to one by its name, as in sources or images: "+
			"%s=…", input, by[builds[0]], builds[0], by[builds[1]], builds[1], builds[1])
	}
	return nil
}
