package ecsdeploy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// TestImagesOf has a row for each condition that flips it alone.
func TestImagesOf(t *testing.T) {
	runs := map[string]string{"api": "app", "jobs": "app", "nginx": "proxy"}
	has := []string{"api", "jobs", "nginx", "agent"}
	running := func(container string) string {
		if container == "agent" || container == "nginx" || container == "jobs" {
			return container + "@running"
		}
		return ""
	}
	type images = map[string]string
	for name, tt := range map[string]struct {
		given, builds images
		has           []string
		main, image   string
		want          images
	}{
		"the main image, for all that run it": {nil, runs, has, "api", "v2", images{"jobs": "v2", "nginx": "nginx@running"}},
		"what runs":                           {nil, runs, has, "api", Running, images{"jobs": "jobs@running", "nginx": "nginx@running"}},
		"no image yet":                        {nil, runs, has, "api", "", images{"jobs": "jobs@running", "nginx": "nginx@running"}},
		"by the build":                        {images{"proxy": "p2"}, runs, has, "api", "v2", images{"jobs": "v2", "nginx": "p2"}},
		"all containers of a build": {images{"app": "v3"}, runs, has, "api", "",
			images{"api": "v3", "jobs": "v3", "nginx": "nginx@running"}},
		"a container before its build": {images{"proxy": "p2", "nginx": "n2"}, runs, has, "api", "v2",
			images{"jobs": "v2", "nginx": "n2"}},
		"one that no build makes": {images{"agent": "a2"}, runs, has, "api", "v2",
			images{"jobs": "v2", "nginx": "nginx@running", "agent": "a2"}},
		"what this service has not":      {images{"proxy": "p2"}, runs, []string{"api"}, "api", "v2", images{}},
		"nothing that runs":              {nil, runs, []string{"api", "jobs"}, "jobs", Running, images{}},
		"a main container of no build":   {nil, runs, has, "agent", "v2", images{"jobs": "jobs@running", "nginx": "nginx@running"}},
		"what is pushed later":           {images{"proxy": ""}, runs, has, "api", "v2", images{"jobs": "v2"}},
		"a file that says nothing of it": {images{"nginx": "n2"}, nil, has, "api", "v2", images{"nginx": "n2"}},
	} {
		if diff := cmp.Diff(tt.want, imagesOf(tt.given, tt.builds, tt.has, tt.main, tt.image, running)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStrangers(t *testing.T) {
	of := func(partial bool, members int) *project.Chosen {
		return &project.Chosen{Members: make([]project.Member, members), Partial: partial,
			Containers: map[string]string{"api": "app", "nginx": "proxy"}}
	}
	for name, tt := range map[string]struct {
		images map[string]string
		of     *project.Chosen
		has    string
		want   string
	}{
		"all are there": {nil, of(false, 2), "api nginx", ""},
		"a container of the file": {nil, of(false, 2), "api ngins",
			"c.yaml: containers: no task definition that is deployed has a container nginx: did you mean ngins?"},
		"of another service, when one is named": {nil, of(true, 1), "api", ""},
		"a part of a release":                   {nil, of(false, 0), "api", ""},
		"a build":                               {map[string]string{"proxy": "x"}, of(true, 1), "api", ""},
		"neither": {map[string]string{"web": "x"}, of(true, 1), "api",
			"images: no task definition that is deployed has a container web: there are api, app, proxy"},
	} {
		got := errors.Join(strangers(Inputs{Selection: project.Selection{File: "c.yaml"}, Edits: Edits{Images: tt.images}, OfFile: tt.of},
			strings.Fields(tt.has))...)
		if got == nil && tt.want != "" || got != nil && got.Error() != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestUnclear has a row for each condition that flips it alone.
func TestUnclear(t *testing.T) {
	for name, tt := range map[string]struct {
		all  []mainImage
		want string
	}{
		"one build": {[]mainImage{{"api", "app", false}, {"worker", "app", false}}, ""},
		"two": {[]mainImage{{"api", "app", false}, {"edge", "proxy", false}},
			"image: which build is it? api runs app and edge runs proxy"},
		"one by its name": {[]mainImage{{"api", "app", false}, {"edge", "proxy", true}}, ""},
		"all by name":     {[]mainImage{{"api", "app", true}, {"edge", "proxy", true}}, "image: every main container gets another image"},
		"one of no build": {[]mainImage{{"api", "app", false}, {"edge", "", false}}, ""},
	} {
		err := unclear("image", tt.all)
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMainContainer has a row for each condition that flips it alone.
func TestMainContainer(t *testing.T) {
	two := &project.Chosen{Builds: []project.Build{{Name: "other"}, {Name: "app"}, {Name: "proxy"}},
		Containers: map[string]string{"api": "app", "nginx": "proxy"}}
	twice := &project.Chosen{Builds: two.Builds, Containers: map[string]string{"api": "app", "nginx": "app"}}
	const both = `{"name":"nginx"},{"name":"api"}`
	for name, tt := range map[string]struct {
		containers, given string
		of                *project.Chosen
		want              string // "" for a problem
	}{
		"the build that stands first": {both, "", two, "api"},
		"what is given":               {both, "nginx", two, "nginx"},
		"what is not there":           {both, "web", two, ""},
		"no file":                     {both, "", nil, ""},
		"two of one build":            {both, "", twice, ""},
		"the file says nothing":       {both, "", &project.Chosen{Builds: two.Builds}, ""},
		"the only essential one":      {`{"name":"nginx"},{"name":"api","essential":false}`, "", two, "nginx"},
	} {
		doc, err := taskdef.Parse([]byte(`{"family":"f","containerDefinitions":[` + tt.containers + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Inputs{Container: tt.given, OfFile: tt.of}.mainContainer(doc)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
