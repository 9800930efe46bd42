package scaffold

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/pkg/project"
)

const account = "123456789012"

// outputs are those of an environment as Terraform prints them, changed by name; nil takes one away.
func outputs(t *testing.T, name string, change map[string]any) string {
	t.Helper()
	url := account + ".dkr.ecr.us-west-2.amazonaws.com/shop-" + name
	values := map[string]any{
		"cluster_name": "shop-cluster-" + name, "service_name": "shop-service-" + name, "repository_name": "shop-" + name,
		"repository_url": url, "bastion_instance_id": "", "kms_key_arn": nil,
		"services": map[string]any{"api": map[string]any{"service_name": "shop-service-" + name, "repository_url": url}},
	}
	for output, value := range change {
		values[output] = value
		if value == nil {
			delete(values, output)
		}
	}
	all := map[string]any{}
	for output, value := range values {
		all[output] = map[string]any{"sensitive": false, "type": "string", "value": value}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// result is what a run did.
type result struct {
	code        int
	out, errors string
}

func initIn(t *testing.T, env Env, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	env.Stdout, env.Stderr = &out, &errs
	code := Run(t.Context(), args, env)
	return result{code, out.String(), errs.String()}
}

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// world is a folder of outputs and one of a repository.
func world(t *testing.T) (terraform, dir string) {
	t.Helper()
	terraform, dir = t.TempDir(), t.TempDir()
	for _, name := range []string{"dev", "staging", "prod"} {
		put(t, filepath.Join(terraform, name+".json"), outputs(t, name, nil))
	}
	return terraform, dir
}

const wanted = `# yaml-language-server: $schema=https://raw.githubusercontent.com/org/connect2/main/docs/connect2.schema.json
project: shop
repository: shop-{environment}
environments:
  dev: {region: us-west-2, account: "123456789012"}
  staging: {region: us-west-2, account: "123456789012"}
  prod: {region: us-west-2, account: "123456789012"}
services:
  api: {service: shop-service-{environment}}
`

func TestFromTerraformAndAgain(t *testing.T) {
	terraform, dir := world(t)
	flags := []string{"--from-terraform", terraform, "--dir", dir}
	if r := initIn(t, Env{}, flags...); r.code != 0 || !strings.Contains(r.out, "connect2.yaml (new)\n") ||
		!strings.Contains(r.out, "  + project: shop\n") || !strings.Contains(r.out, "Nothing was written. --yes writes the 5 files.") {
		t.Fatalf("%+v", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("%v, %v", left, err)
	}
	if r := initIn(t, Env{}, append(flags, "--yes")...); r.code != 0 || !strings.Contains(r.out, "Done: 5 files written.") || r.errors != "" {
		t.Fatalf("%+v", r)
	}
	if got := read(t, filepath.Join(dir, "connect2.yaml")); got != wanted {
		t.Errorf("connect2.yaml:\n%s", got)
	}
	for _, name := range []string{"deploy.yml", "rollback.yml", "operate.yml"} {
		at := filepath.Join(".github", "workflows", name)
		if read(t, filepath.Join(dir, at)) != read(t, filepath.Join("../../examples/api", at)) {
			t.Errorf("%s is another text than the example's", at)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".github", "workflows")); err != nil || len(left) != 4 {
		t.Errorf("%v, %v", left, err)
	}
	if r := initIn(t, Env{}, append(flags, "--yes")...); r.code != 0 || r.out != "Nothing to change.\n" {
		t.Errorf("%+v", r)
	}
}

func TestNothingIsOverwrittenUnseen(t *testing.T) {
	terraform, dir := world(t)
	own := put(t, filepath.Join(dir, ".github/workflows/deploy.yml"), "name: My own\n")
	flags := []string{"--from-terraform", terraform, "--dir", dir}
	var question string
	for _, test := range []struct {
		name, answer string
		err          error
		code         int
		says         string
	}{
		{"no", "no\n", nil, 1, "nothing was written: the answer was not yes"},
		{"a yes to something else", "y\n", nil, 1, "the answer was not yes"},
		{"the input ended", "yes", errors.New("EOF"), 1, "nothing was written: reading the answer: EOF"},
		{"yes", "yes\n", nil, 0, ""},
	} {
		r := initIn(t, Env{Ask: func(text string) (string, error) { question = text; return test.answer, test.err }}, flags...)
		if r.code != test.code || !strings.Contains(r.errors, test.says) || question != "5 files. Type yes to write: " ||
			!strings.Contains(r.out, "deploy.yml (changes)\n  - name: My own\n  + name: Deploy\n") {
			t.Errorf("%s: %+v after %q", test.name, r, question)
		}
		if now := read(t, own); (now == "name: My own\n") != (test.code != 0) {
			t.Errorf("%s: it is now %q", test.name, now)
		}
	}
}

// TestSomebodyElseWrites holds that what was not shown is not overwritten either.
func TestSomebodyElseWrites(t *testing.T) {
	terraform, dir := world(t)
	at := filepath.Join(dir, "connect2.yaml")
	r := initIn(t, Env{Ask: func(string) (string, error) { put(t, at, "project: theirs\n"); return "yes\n", nil }},
		"--from-terraform", terraform, "--dir", dir)
	if r.code != 2 || !strings.Contains(r.errors, "was changed by somebody else just now") ||
		!strings.Contains(r.errors, "0 of 5 files written") || read(t, at) != "project: theirs\n" {
		t.Errorf("%+v", r)
	}
}

func TestWhatPeopleAddedStays(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		stays          bool
	}{
		{"the same", "", "", true},
		{"a comment", "project: shop", "# ours\nproject: shop", true},
		{"a migration", "services:", "migrate: {service: api, command: make migrate}\nservices:", true},
		{"another name for the service in the file", "  api:", "  web:", true},
		{"no account", `dev: {region: us-west-2, account: "123456789012"}`, "dev: {region: us-west-2}", true},
		{"another account", `dev: {region: us-west-2, account: "123456789012"}`, `dev: {region: us-west-2, account: "999999999999"}`, false},
		{"another region", "dev: {region: us-west-2", "dev: {region: us-east-1", false},
		{"another cluster", "dev: {", "dev: {cluster: other, ", false},
		{"another repository", "shop-{environment}\nenv", "store-{environment}\nenv", false},
		{"another service", "shop-service-", "shop-web-", false},
		{"another project", "project: shop", "project: store", false},
		{"one service more", "services:", "services:\n  more: {service: shop-more-{environment}}", false},
		{"an environment less", "  prod: {region: us-west-2, account: \"123456789012\"}\n", "", false},
		{"an environment by another name", "  prod: {", "  live: {", false},
		{"not a file that can be read", "project: shop", "projekt: shop", false},
	} {
		have := strings.Replace(wanted, test.from, test.to, 1)
		if have == wanted && test.from != "" {
			t.Fatalf("%s: nothing was changed", test.name)
		}
		terraform, dir := world(t)
		at := put(t, filepath.Join(dir, "connect2.yaml"), have)
		r := initIn(t, Env{}, "--from-terraform", terraform, "--dir", dir, "--yes")
		if r.code != 0 || (read(t, at) == have) != test.stays {
			t.Errorf("%s: %+v; it is now\n%s", test.name, r, read(t, at))
		}
		again := initIn(t, Env{}, "--from-terraform", terraform, "--dir", dir, "--yes")
		if !strings.HasSuffix(again.out, "Nothing to change.\n") {
			t.Errorf("%s, again: %+v", test.name, again)
		}
	}
	terraform, dir := world(t)
	at := put(t, filepath.Join(dir, "connect2.yaml"), wanted)
	r := initIn(t, Env{}, "--from-terraform", terraform, "--dir", dir, "--yes", "--migrate", "make migrate")
	if r.code != 0 || !strings.Contains(read(t, at), "migrate:\n  service: api\n  command: make migrate\n") {
		t.Errorf("%+v", r)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	terraform, dir := world(t)
	file := put(t, filepath.Join(t.TempDir(), "file"), "")
	link := t.TempDir()
	if err := os.Symlink("elsewhere", filepath.Join(link, "connect2.yaml")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(link, ".github"), "")
	broken := put(t, filepath.Join(t.TempDir(), "broken.json"), "{}")
	less := put(t, filepath.Join(t.TempDir(), "less.json"), outputs(t, "dev", map[string]any{"cluster_name": nil, "service_name": nil}))
	dev := "dev=" + filepath.Join(terraform, "dev.json")
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"nothing", nil, []string{"say where the names come from: --outputs ENV=FILE"}},
		{"nothing that is right", []string{"--toolkit", "x", "--migrate", "a\nb", "--dir", file, "--outputs", "qa=x", "--outputs", "dev", "more"},
			[]string{`"more" is not understood`, `--toolkit: "x" is not OWNER/NAME`, "--migrate: the command has several lines",
				"is not a folder", `--outputs: "qa" is not an environment`, "--outputs dev: give ENV=FILE"}},
		{"twice", []string{"--outputs", dev, "--outputs", dev}, []string{"--outputs: dev is given twice"}},
		{"one for another", []string{"--outputs", dev, "--outputs", "prod=" + filepath.Join(terraform, "dev.json")},
			[]string{"dev and prod are the same service, shop-service-dev of shop-cluster-dev"}},
		{"files", []string{"--outputs", "dev=" + less, "--outputs", "prod=" + broken, "--outputs", "staging=nowhere"},
			[]string{"the output cluster_name is missing", "the output service_name is missing", "it has no outputs", "nowhere: no such file"}},
		{"an empty folder", []string{"--from-terraform", t.TempDir()}, []string{"has none of dev.json, staging.json and prod.json"}},
		{"two sources", []string{"--from-terraform", terraform, "--outputs", dev}, []string{"--outputs and --from-terraform exclude each other"}},
		{"what is read tells it", []string{"--outputs", dev, "--account", account, "--environments", "dev"},
			[]string{"--account and --outputs exclude", "--environments and --outputs exclude"}},
		{"another region", []string{"--outputs", dev, "--region", "us-east-1"}, []string{"dev is in us-west-2, and --region says us-east-1"}},
		{"in the way", []string{"--outputs", dev, "--dir", link}, []string{"connect2.yaml is not a regular file", ".github is a file or a link"}},
		{"names", []string{"--project", "shop", "--environments", "dev,qa,dev", "--account", "12"},
			[]string{`--environments: "qa" is not`, "--environments: dev is given twice", `--account: "12" is not an account`,
				"dev: the region is not known"}},
		{"what connect2.yaml would refuse", []string{"--project", "a b", "--region", "us-wset-2"},
			[]string{`project: "a b"`, `"us-wset-2" is not a region of AWS: did you mean us-west-2?`}},
		{"form of a service", []string{"--from-service", "dev=x", "--from-service", "prod=a/b/c"},
			[]string{"--from-service dev=x: give ENV=CLUSTER/NAME", "--from-service prod=a/b/c: give"}},
	} {
		args := test.args
		if !slices.Contains(args, "--dir") {
			args = append([]string{"--dir", dir}, args...)
		}
		r := initIn(t, Env{}, append([]string{"--yes"}, args...)...)
		if r.code != 1 || r.out != "" {
			t.Errorf("%s: %+v", test.name, r)
		}
		for _, want := range test.want {
			if !strings.Contains(r.errors, want) {
				t.Errorf("%s: nothing says %q:\n%s", test.name, want, r.errors)
			}
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("%s: %v, %v", test.name, left, err)
		}
	}
	if r := initIn(t, Env{}, "--help"); r.code != 0 || !strings.Contains(r.out, "--from-terraform DIR") {
		t.Errorf("%+v", r)
	}
	if r := initIn(t, Env{}, "--outptus", "x"); r.code != 1 || !strings.Contains(r.errors, "did you mean --outputs?") {
		t.Errorf("%+v", r)
	}
}

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	answers := map[string]string{
		"Project": "shop", "Environments": "prod, dev", "AWS region": "us-west-2", "AWS account": "", "5 files": "yes",
	}
	var questions []string
	ask := func(question string) (string, error) {
		questions = append(questions, question)
		for begins, answer := range answers {
			if strings.HasPrefix(question, begins) {
				return answer + "\n", nil
			}
		}
		return "", fmt.Errorf("%q was not expected", question)
	}
	r := initIn(t, Env{Ask: ask}, "--dir", dir)
	if got := read(t, filepath.Join(dir, "connect2.yaml")); r.code != 0 || len(questions) != 5 ||
		!strings.Contains(got, "environments:\n  dev: {region: us-west-2}\n  prod: {region: us-west-2}\nservices:") {
		t.Errorf("%+v after %q:\n%s", r, questions, got)
	}
	questions = nil
	r = initIn(t, Env{Ask: ask}, "--dir", dir, "--project", "shop", "--environments", "dev,prod", "--region", "us-west-2", "--yes")
	if r.code != 0 || len(questions) > 0 || r.out != "Nothing to change.\n" {
		t.Errorf("with --yes: %+v after %q", r, questions)
	}
	failing := func(string) (string, error) { return "", errors.New("EOF") }
	if r := initIn(t, Env{Ask: failing}, "--dir", dir); r.code != 1 || !strings.Contains(r.errors, "reading the answer") {
		t.Errorf("%+v", r)
	}
}

func TestConfig(t *testing.T) {
	of := func(name string, change func(*Environment)) *Environment {
		e := Named("shop", name, "us-west-2", account)
		if change != nil {
			change(e)
		}
		return e
	}
	for _, test := range []struct {
		name         string
		environments []*Environment
		has, lacks   []string
		problem      string
	}{
		{name: "names that follow", environments: []*Environment{of("dev", nil), of("prod", nil)},
			has:   []string{"repository: shop-{environment}\n", "api: {service: shop-service-{environment}}", "prod: {region: us-west-2, account: "},
			lacks: []string{"cluster"}},
		{name: "one environment", environments: []*Environment{of("dev", nil)}, has: []string{"repository: shop-{environment}\n"}},
		{name: "another cluster", environments: []*Environment{of("dev", nil), of("prod", func(e *Environment) { e.Cluster = "live" })},
			has: []string{`prod: {region: us-west-2, account: "123456789012", cluster: live}`, `dev: {region: us-west-2, account: "123456789012"}`}},
		{name: "another service", environments: []*Environment{of("dev", nil), of("prod", func(e *Environment) { e.Services["api"] = "live" })},
			has: []string{"service: live}", "account: \"123456789012\", service: shop-service-dev}"}},
		{name: "one repository for all", environments: []*Environment{of("dev", func(e *Environment) { e.Repository = "shop" }),
			of("prod", func(e *Environment) { e.Repository = "shop" })}, has: []string{"repository: shop\nenv"}},
		{name: "repositories of no pattern", environments: []*Environment{of("dev", func(e *Environment) { e.Repository = "one" }),
			of("prod", func(e *Environment) { e.Repository = "two" })}, has: []string{"repository: one}", "repository: two}"},
			lacks: []string{"\nrepository:"}},
		{name: "the name within the name", environments: []*Environment{of("dev", func(e *Environment) { e.Repository = "devices/dev" }),
			of("prod", func(e *Environment) { e.Repository = "devices/prod" })}, has: []string{"repository: devices/{environment}\n"}},
		{name: "a name that YAML takes for a number", environments: []*Environment{of("dev", func(e *Environment) { e.Cluster = "123" })},
			has: []string{`cluster: "123"`}},
		{name: "a worker", environments: []*Environment{of("dev", func(e *Environment) { e.Services["worker"] = "shop-worker-dev" })},
			has: []string{"services:\n  api: {service: shop-service-{environment}}\n  worker: {service: shop-worker-{environment}}\n"}},
		{name: "a worker that sorts first", environments: []*Environment{of("dev", func(e *Environment) { e.Services["aaa"] = "shop-aaa-dev" })},
			has: []string{"services:\n  api:"}},
		{name: "a worker in dev alone", environments: []*Environment{of("dev", func(e *Environment) { e.Services["worker"] = "shop-worker-dev" }),
			of("prod", nil)}, problem: "the service worker is in dev and not in prod"},
		{name: "workers of no pattern", environments: []*Environment{of("dev", func(e *Environment) { e.Services["worker"] = "one" }),
			of("prod", func(e *Environment) { e.Services["worker"] = "two" })}, problem: "the service worker is called one in dev, two in prod"},
		{name: "a name that is not one", environments: []*Environment{of("dev", func(e *Environment) { e.Cluster = "a b" })},
			problem: "it would not be right: connect2.yaml:5:"},
	} {
		text, problems := Config("shop", "", Toolkit, test.environments)
		if test.problem != "" {
			if len(problems) != 1 || !strings.Contains(problems[0], test.problem) {
				t.Errorf("%s: %q", test.name, problems)
			}
			continue
		}
		if len(problems) > 0 {
			t.Errorf("%s: %q in\n%s", test.name, problems, text)
			continue
		}
		for _, part := range test.has {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is missing:\n%s", test.name, part, text)
			}
		}
		for _, part := range test.lacks {
			if strings.Contains(text, part) {
				t.Errorf("%s: %q is in it:\n%s", test.name, part, text)
			}
		}
		// What is read back is what went in.
		f, wrong := project.Parse("connect2.yaml", []byte(text))
		if len(wrong) > 0 {
			t.Fatalf("%s: %v", test.name, wrong)
		}
		for _, e := range test.environments {
			n, err := f.Names(e.Name)
			service := n.Service
			if len(e.Services) > 1 {
				service = f.Called("api", e.Name)
			}
			if err != nil || n.Cluster != e.Cluster || n.Repository != e.Repository || service != e.Services["api"] ||
				n.Region != e.Region || n.Account != e.Account {
				t.Errorf("%s: %+v from %+v, %v", test.name, n, e, err)
			}
		}
	}
}

func TestInOrder(t *testing.T) {
	var names []string
	for _, e := range inOrder([]*Environment{{Name: "prod"}, {Name: "dev"}, {Name: "staging"}}) {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, []string{"dev", "staging", "prod"}) {
		t.Errorf("%q", names)
	}
}

func TestProjectOf(t *testing.T) {
	for _, test := range []struct {
		clusters [2]string
		want     string
	}{
		{[2]string{"shop-cluster-dev", "shop-cluster-prod"}, "shop"},
		{[2]string{"shop-cluster-dev", "store-cluster-prod"}, ""},
		{[2]string{"shop-cluster-dev", "live"}, ""},
		{[2]string{"live", "shop-cluster-prod"}, ""},
	} {
		got := ProjectOf([]*Environment{{Name: "dev", Cluster: test.clusters[0]}, {Name: "prod", Cluster: test.clusters[1]}})
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.clusters, got, test.want)
		}
	}
}

func TestFromOutputs(t *testing.T) {
	url := account + ".dkr.ecr.us-west-2.amazonaws.com/"
	worker := func(service, repository string) map[string]any {
		return map[string]any{"services": map[string]any{"worker": map[string]any{"service_name": service, "repository_url": url + repository}}}
	}
	for _, test := range []struct {
		name          string
		change        map[string]any
		services      int
		region        string
		note, problem string
	}{
		{name: "as it is", services: 1, region: "us-west-2"},
		{name: "without a URL", change: map[string]any{"repository_url": nil, "services": nil}, services: 1},
		{name: "a worker", change: worker("shop-worker-dev", "shop-dev"), services: 2, region: "us-west-2"},
		{name: "a worker with its own images", change: worker("shop-worker-dev", "shop-worker-dev"), services: 1, region: "us-west-2",
			note: "dev: the service worker has images of its own"},
		{name: "a worker without a name", change: worker("", "shop-dev"), problem: "no service_name for worker"},
		{name: "services that are none", change: map[string]any{"services": "x"}, problem: "not a map of services"},
		{name: "no repository", change: map[string]any{"repository_name": nil}, problem: "the output repository_name is missing"},
	} {
		e, problems := FromOutputs("dev", []byte(outputs(t, "dev", test.change)))
		if test.problem != "" {
			if len(problems) != 1 || !strings.Contains(problems[0], test.problem) {
				t.Errorf("%s: %q", test.name, problems)
			}
			continue
		}
		if len(problems) > 0 || len(e.Services) != test.services || e.Region != test.region || (test.note == "") != (len(e.notes) == 0) ||
			!strings.Contains(strings.Join(e.notes, ""), test.note) {
			t.Errorf("%s: %+v, %q", test.name, e, problems)
		}
	}
}

func TestFromService(t *testing.T) {
	service := types.Service{
		ClusterArn:  aws.String("arn:aws:ecs:us-west-2:123456789012:cluster/main"),
		ServiceArn:  aws.String("arn:aws:ecs:us-west-2:123456789012:service/main/web"),
		ServiceName: aws.String("web"),
	}
	const own, proxy = account + ".dkr.ecr.us-west-2.amazonaws.com/team/web:v1", "public.ecr.aws/nginx/nginx:1"
	for _, test := range []struct {
		name   string
		images []string
		want   string // the repository, or a part of the problem
		ok     bool
		note   string
	}{
		{"by tag", []string{own}, "team/web", true, "dev: the family is web, the container c0 (ECS_CONTAINER)"},
		{"by digest, beside a proxy", []string{proxy, account + ".dkr.ecr.us-west-2.amazonaws.com/web@sha256:0"}, "web", true,
			"the container c1 "},
		{"of another account", []string{"999999999999.dkr.ecr.us-west-2.amazonaws.com/web:v1"}, "web", true, "registry of account 999999999999"},
		{"of another region", []string{account + ".dkr.ecr.us-east-1.amazonaws.com/web:v1"}, "web", true, "in us-east-1"},
		{"of the sandbox", []string{"127.0.0.1:4000/web@sha256:0"}, "web", true, "the container c0 "},
		{"of a port elsewhere", []string{"10.0.0.1:4000/web:v1"}, "no container of web has an image from ECR", false, ""},
		{"none of ECR", []string{proxy}, "no container of web has an image from ECR", false, ""},
		{"two of ECR", []string{own, own}, "several containers of web have images from ECR, c0, c1", false, ""},
	} {
		definition := types.TaskDefinition{Family: aws.String("web")}
		for i, image := range test.images {
			definition.ContainerDefinitions = append(definition.ContainerDefinitions,
				types.ContainerDefinition{Name: aws.String(fmt.Sprintf("c%d", i)), Image: aws.String(image)})
		}
		e, problems := FromService("dev", service, definition)
		if !test.ok {
			if len(problems) != 1 || !strings.Contains(problems[0], test.want) {
				t.Errorf("%s: %q", test.name, problems)
			}
			continue
		}
		if len(problems) > 0 || e.Repository != test.want || e.Cluster != "main" || e.Services["api"] != "web" || e.Region != "us-west-2" ||
			e.Account != account || !strings.Contains(strings.Join(e.notes, "\n"), test.note) {
			t.Errorf("%s: %+v, %q", test.name, e, problems)
		}
	}
}

func TestServicesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	refused := func(_ context.Context, region, cluster, service string) (types.Service, types.TaskDefinition, error) {
		return types.Service{}, types.TaskDefinition{}, fmt.Errorf("%s %s/%s was refused", region, cluster, service)
	}
	r := initIn(t, Env{Service: refused}, "--dir", dir, "--region", "us-west-2", "--from-service", "dev=a/b", "--from-service", "prod=c/d")
	if r.code != 1 || !strings.Contains(r.errors, "--from-service dev: us-west-2 a/b was refused") ||
		!strings.Contains(r.errors, "--from-service prod: us-west-2 c/d was refused") {
		t.Errorf("%+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, []string{"--dir", dir, "--from-service", "dev=a/b", "--yes"}, Env{Stdout: &out, Stderr: &errs, Service: refused})
	if code != 130 || !strings.Contains(errs.String(), "cancelled: nothing was written") {
		t.Errorf("%d: %s", code, errs.String())
	}
	other := func(context.Context, string, string, string) (types.Service, types.TaskDefinition, error) {
		return types.Service{ClusterArn: aws.String("arn:aws:ecs:us-west-2:123456789012:cluster/main"), ServiceName: aws.String("web"),
				ServiceArn: aws.String("arn:aws:ecs:us-west-2:123456789012:service/main/web")},
			types.TaskDefinition{Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{
				{Name: aws.String("web"), Image: aws.String(account + ".dkr.ecr.us-west-2.amazonaws.com/web:v1")}}}, nil
	}
	if r := initIn(t, Env{Service: other}, "--dir", dir, "--from-service", "prod=main/web"); r.code != 1 ||
		!strings.Contains(r.errors, "the project's name does not follow from the clusters, main in prod: give --project NAME") {
		t.Errorf("%+v", r)
	}
	if r := initIn(t, Env{Service: other}, "--dir", dir, "--from-service", "prod=main/web", "--project", "shop", "--yes"); r.code != 0 ||
		!strings.Contains(read(t, filepath.Join(dir, "connect2.yaml")), `prod: {region: us-west-2, account: "123456789012", cluster: main}`) {
		t.Errorf("%+v", r)
	}
}

func TestScalar(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"alembic upgrade head", "alembic upgrade head"},
		{"shop-{environment}", "shop-{environment}"},
		{"arn:aws:ecs:us-west-2:123456789012:cluster/main", "arn:aws:ecs:us-west-2:123456789012:cluster/main"},
		{"make && ./run --to 'x y'", "make && ./run --to 'x y'"},
		{"123456789012", `"123456789012"`},
		{"true", `"true"`},
		{"null", `"null"`},
		{"~", `"~"`},
		{"1e3", `"1e3"`},
		{"a, b: c", `"a, b: c"`},
		{"a # b", `"a # b"`},
		{"a: b", `"a: b"`},
		{"[a]", `"[a]"`},
		{`"a"`, `"\"a\""`},
		{"'a'", `"'a'"`},
		{"& a", `"& a"`},
		{"!x a", `"!x a"`},
		{" a", `" a"`},
		{"a\tb", "a\tb"},
		{`sh -c "a \ b"`, `sh -c "a \ b"`},
		{"a}", `"a}"`},
	} {
		got := scalar(test.text)
		var read map[string]string
		err := yaml.Unmarshal([]byte("text: "+got), &read)
		if got != test.want || err != nil || read["text"] != test.text {
			t.Errorf("%q is written %s, want %s, and read as %q, %v", test.text, got, test.want, read["text"], err)
		}
	}
}

func TestDiff(t *testing.T) {
	for _, test := range []struct{ was, is, want string }{
		{"a\n", "a\n", ""},
		{"", "a\nb\n", "+ a|+ b"},
		{"a\n", "", "- a"},
		{"a\nb\nc\n", "a\nx\nc\n", "  a|- b|+ x|  c"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\n6\n7\n8\n", "  …|  3|  4|- 5|+ x|  6|  7|  …"},
		{"a\n1\n2\n3\n4\n5\n6\nz\n", "b\n1\n2\n3\n4\n5\n6\ny\n", "- a|+ b|  1|  2|  …|  5|  6|- z|+ y"},
		{"a", "a\n", "- a (no end of line)|+ a"},
	} {
		if got := strings.Join(Diff(test.was, test.is), "|"); got != test.want {
			t.Errorf("%q to %q: %q, want %q", test.was, test.is, got, test.want)
		}
	}
}
