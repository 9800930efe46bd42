package project_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/project"
)

const whole = `project: connect2-api
repository: connect2-api-{environment}
environments:
  dev:  {region: us-west-2, account: "123456789012", cluster: connect2-api-cluster-dev}
  staging:
  prod: {cluster: "cluster-of-{environment}", bake: 10m, repository: api}
migrate: {service: api, command: alembic upgrade head}
services:
  api: {service: connect2-api-service-{environment}}
bastion: {tag: "bastion of {environment}"}
`

func TestNames(t *testing.T) {
	f, problems := project.Parse("connect2.yaml", []byte(whole))
	if problems != nil {
		t.Fatal(problems)
	}
	for _, want := range []project.Names{
		{Environment: "dev", Region: "us-west-2", Account: "123456789012", Cluster: "connect2-api-cluster-dev",
			Service: "connect2-api-service-dev", Repository: "connect2-api-dev", Migration: "alembic upgrade head", Bastion: "bastion of dev"},
		{Environment: "staging", Cluster: "connect2-api-cluster-staging", Service: "connect2-api-service-staging",
			Repository: "connect2-api-staging", Migration: "alembic upgrade head", Bastion: "bastion of staging"},
		{Environment: "prod", Cluster: "cluster-of-prod", Service: "connect2-api-service-prod", Repository: "api", Bake: "10m",
			Migration: "alembic upgrade head", Bastion: "bastion of prod"},
	} {
		got, err := f.Names(want.Environment)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Environment, diff)
		}
	}
	for name, want := range map[string]string{
		"production": `connect2.yaml: there is no environment "production": did you mean prod?`,
		"stging":     `connect2.yaml: there is no environment "stging": did you mean staging?`,
		"europe":     `connect2.yaml: there is no environment "europe": there are dev, staging, prod`,
	} {
		if _, err := f.Names(name); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	want := project.Names{Environment: "dev", Cluster: "a-cluster-dev", Service: "a-service-dev", Repository: "a-dev",
		Bastion: "a-bastion-dev"}
	if got := project.Of("a", "dev"); got != want {
		t.Errorf("got %+v", got)
	}
}

func TestSeveralServices(t *testing.T) {
	f, problems := project.Parse("f", []byte(
		"project: a\nenvironments: {dev: {}, prod: {service: w}}\nservices: {x: {service: x}, y: {service: y}}\n"))
	if problems != nil {
		t.Fatal(problems)
	}
	for environment, want := range map[string]string{"dev": "", "prod": "w"} {
		if n, err := f.Names(environment); err != nil || n.Service != want {
			t.Errorf("%s: %+v, %v", environment, n, err)
		}
	}
}

// TestProblems tells what is refused, each with its place, and that all of it comes at once.
func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{"f: it is empty: want project and environments"}},
		{"a list", "- a\n", []string{"f:1:1: the file: want keys with values"}},
		{"no YAML", "a: [", []string{"f: it is not YAML: line 1: did not find expected node content"}},
		{"what is missing", "repository: x\n", []string{
			"f:1:1: project is missing: What the names begin with, as in Terraform's variable project_name.",
			"f:1:1: environments is missing: What differs between the environments, by their names."}},
		{"many at once", `project: connect2-api
enviroments:
  dev: {}
environments:
  Dev: {}
  prod: {region: us-wset-2, account: 123456789012, cluser: x, bake: soon}
  test: {region: Oregon, cluster: "a-{env}"}
services: {api: {}}
coffee: 1
`, []string{
			"f:2:1: unknown key enviroments: did you mean environments?",
			`f:5:3: environments: "Dev" is not a name for an environment: want lower-case letters, digits and hyphens`,
			`f:6:18: environments.prod.region: "us-wset-2" is not a region of AWS: did you mean us-west-2?`,
			"f:6:38: environments.prod.account: 123456789012 is not a text: put it in quotes",
			"f:6:52: unknown key environments.prod.cluser: did you mean cluster?",
			`f:6:69: environments.prod.bake: "soon": want a duration such as 30s or 10m`,
			`f:7:18: environments.test.region: "Oregon": want a region such as us-west-2`,
			`f:7:35: environments.test.cluster: "a-{env}": the only placeholder is {environment}`,
			"f:8:17: services.api.service is missing: The ECS service.",
			"f:9:1: unknown key coffee: there are project, repository, environments, migrate, services, schedules, " +
				"builds, containers, together, bastion",
		}},
		{"a region to come", "project: a\nenvironments: {dev: {region: us-west-9}}\n", nil},
		{"twice", "project: a\nproject: b\nenvironments: {dev: {}}\n", []string{"f:2:1: project is given twice"}},
		{"a placeholder where none is", "project: a-{environment}\nenvironments: {dev: {}}\n",
			[]string{"f:1:10: project: {environment} has no meaning here"}},
		{"an empty name", "project: ''\nenvironments: {dev: {}}\n",
			[]string{"f:1:10: project: it is empty: want letters, digits, hyphens, dots and underscores"}},
		{"a service that says nothing", "project: a\nenvironments: {dev: {}}\nservices: {api: }\n",
			[]string{"f:3:17: services.api: want keys with values"}},
		{"what the reader puts in its place", "project: a\nenvironments: {dev: {cluster: a-<environment>}}\n",
			[]string{"f: <environment> has no meaning: the placeholder is {environment}"}},
		{"no environment", "project: a\nenvironments: {}\n", []string{"f:2:15: environments: want at least one"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, problems := project.Parse("f", []byte(test.text))
			var got []string
			for _, p := range problems {
				got = append(got, p.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" || (f == nil) != (test.want != nil) {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	repository := filepath.Join(root, "repository")
	for _, folder := range []string{filepath.Join(repository, ".git"), filepath.Join(repository, "a", "b")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(path string) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, project.Name)) // outside the repository: it is somebody else's
	deep := filepath.Join(repository, "a", "b")
	if got := project.Find(deep); got != "" {
		t.Errorf("found %q outside the repository", got)
	}
	write(filepath.Join(repository, project.Name))
	if got, want := project.Find(deep), filepath.Join(repository, project.Name); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSchema holds the published schema to the reader's own rules.
func TestSchema(t *testing.T) {
	published, err := os.ReadFile("../../docs/connect2.schema.json")
	if err != nil || string(published) != string(project.Schema()) {
		t.Errorf("docs/connect2.schema.json is not what `go generate ./...` writes (%v)", err)
	}
	var schema struct {
		Properties map[string]struct {
			AdditionalProperties any `json:"additionalProperties"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	if err := json.Unmarshal(project.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(schema.Required, " "); got != "project environments" || len(schema.Properties) != 10 {
		t.Errorf("required: %s; properties: %d", got, len(schema.Properties))
	}
}

// TestExample reads the file that the documentation points to.
func TestExample(t *testing.T) {
	f, problems := project.Read("../../examples/api/connect2.yaml")
	if problems != nil {
		t.Fatal(problems)
	}
	for _, environment := range f.List() {
		got, err := f.Names(environment)
		want := project.Of("connect2-api", environment)
		if err != nil || got.Cluster != want.Cluster || got.Service != want.Service || got.Repository != want.Repository {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// TestSchedulesAndContainers reads what goes along with the services, and tells all that is wrong with it at once.
func TestSchedulesAndContainers(t *testing.T) {
	const file = whole + "schedules:\n  digest: {rule: digest-{environment}}\n  sweep: {schedule: jobs/sweep-{environment}}\n" +
		"builds:\n  proxy: ./proxy\n  app: .\n  jobs: {folder: jobs, repository: 'jobs-{environment}', dockerfile: Dockerfile.jobs, " +
		"target: production}\ncontainers: {connect2-api: app, nginx: proxy}\n"
	path := filepath.Join(t.TempDir(), project.Name)
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	builds := []project.Build{{Name: "proxy", Folder: "./proxy"}, {Name: "app", Folder: "."},
		{Name: "jobs", Folder: "jobs", Repository: "jobs-dev", Dockerfile: "Dockerfile.jobs", Target: "production"}}
	for service, partial := range map[string]bool{"": false, "connect2-api-service-dev": false, "other": true} {
		got, err := project.Selection{File: path, FileEnvironment: "dev"}.Choose(service)
		if err != nil || got.Partial != partial || strings.Join(got.Schedules, " ") != "rule:digest-dev schedule:jobs/sweep-dev" ||
			got.Containers["nginx"] != "proxy" || !slices.Equal(got.Builds, builds) {
			t.Errorf("%q: %+v, %v", service, got, err)
		}
	}
	text := whole + "schedules:\n  digest: {rul: digest, schedule: a/b/c d}\n  both: {rule: a, schedule: b}\n  none:\n" +
		"builds: {app: , proxy: ./proxy, jobs: {target: production, repositry: x}, web: {folder: ./web, repository: Web}, none: {}}\n" +
		"containers: {connect2-api: ap, nginx: 3}\n"
	_, problems := project.Parse("f", []byte(text))
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		"f:12:12: unknown key schedules.digest.rul: did you mean rule?",
		`f:12:35: schedules.digest.schedule: "a/b/c d": want a name, or GROUP/NAME`,
		"f:12:11: schedules.digest: want one of rule and schedule",
		"f:13:9: schedules.both: want one of rule and schedule",
		"f:14:8: schedules.none: want one of rule and schedule",
		"f:15:15: builds.app: it is empty: want a folder",
		"f:15:60: unknown key builds.jobs.repositry: did you mean repository?",
		"f:15:39: builds.jobs.folder is missing: The folder, from that of this file.",
		`f:15:108: builds.web.repository: "Web": want lower-case letters, digits, hyphens, dots and slashes`,
		"f:15:120: builds.none.folder is missing: The folder, from that of this file.",
		"f:16:39: containers.nginx: 3 is not a text: put it in quotes",
		`f:16:28: containers.connect2-api: "ap" is not one of builds: did you mean app?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
