package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Selection is how a verb learns names that it is not given; its inputs embed it.
type Selection struct {
	File            string `input:"file" path:"read" doc:"A connect2.yaml (docs/DEPLOYMENT.md) that supplies the names not given here: region, cluster, repository, services. In a terminal it is found in this folder or one above."`
	FileEnvironment string `input:"environment" short:"e" doc:"Which environment of the file. Empty: CONNECT2_ENVIRONMENT. There is no default."`
}

// Chosen are the services that a verb works on.
type Chosen struct {
	Members  []Member
	Migrates string // the ECS service whose settings migrations run with; "" where the file does not say it

	Schedules  []string          // those of the file: rule:NAME or schedule:NAME
	Builds     []Build           // those of the file, in its order
	Containers map[string]string // which container runs which build, as the file says
	Partial    bool              // the file has more services: not all schedules and containers are of those that are chosen
}

// Choose returns the services that are meant: the one that is given by its name in ECS, or all of the file. Without a file, that is the
// one that is given.
func (s Selection) Choose(service string) (Chosen, error) {
	alone := Chosen{Members: []Member{{Name: service, Service: service}}, Migrates: service}
	if s.File == "" {
		return alone, nil
	}
	f, problems := Read(s.File)
	if len(problems) > 0 {
		return Chosen{}, problems[0] // all of them were told when the inputs were read
	}
	members, err := f.Release(s.FileEnvironment)
	if err != nil {
		return Chosen{}, err
	}
	names, err := f.Names(s.FileEnvironment)
	if err != nil {
		return Chosen{}, err
	}
	alone.Schedules, alone.Containers, alone.Builds = f.schedules(s.FileEnvironment), f.Containers, f.BuildsOf(s.FileEnvironment)
	if service != "" {
		alone.Partial = len(members) != 1 || members[0].Service != service
		if i := slices.IndexFunc(members, func(m Member) bool { return m.Service == service }); i >= 0 {
			alone.Members[0].Name = members[i].Name
		}
		return alone, nil
	}
	alone.Members, alone.Migrates = members, orOnly(names.Migrates, members)
	return alone, nil
}

// BuildsOf returns the images that the repository builds, in the order of the file, with an environment's repositories.
func (f *File) BuildsOf(environment string) (all []Build) {
	for _, name := range f.builds {
		b := f.Builds[name]
		b.Name, b.Repository = name, strings.ReplaceAll(b.Repository, insideMark, environment)
		all = append(all, b)
	}
	return all
}

// schedules are those of an environment, in the order of their names in the file.
func (f *File) schedules(environment string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(f.Schedules)) {
		s, kind := f.Schedules[name], "rule:"
		text := s.Rule
		if s.Schedule != "" {
			kind, text = "schedule:", s.Schedule
		}
		all = append(all, kind+strings.ReplaceAll(text, insideMark, environment))
	}
	return all
}

func orOnly(name string, members []Member) string {
	if name == "" && len(members) == 1 {
		return members[0].Service
	}
	return name
}

// Called returns the ECS service that a name of the file stands for in an environment, or "".
func (f *File) Called(name, environment string) string {
	return strings.ReplaceAll(f.Services[name].Service, insideMark, environment)
}

// String lists the services by their names in the file.
func (c Chosen) String() string {
	var names []string
	for _, m := range c.Members {
		names = append(names, fmt.Sprintf("%s (%s)", m.Name, m.Service))
	}
	return strings.Join(names, ", ")
}
