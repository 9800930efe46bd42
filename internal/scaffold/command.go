package scaffold

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/flags"
	"github.com/org/connect2/v2/internal/githubsetup"
	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/project"
)

// Env is what a run meets.
type Env struct {
	Stdout, Stderr io.Writer
	// Ask shows a question and returns what was typed; nil where nobody is there to answer.
	Ask func(question string) (string, error)
	// Service reads a service that runs, and its task definition. region is empty where nothing says it.
	Service func(ctx context.Context, region, cluster, service string) (types.Service, types.TaskDefinition, error)
}

const usage = `Usage: connect2 init --outputs ENV=FILE...            [--dir DIR] [--yes]
       connect2 init --from-terraform DIR             [--dir DIR] [--yes]
       connect2 init --from-service ENV=CLUSTER/NAME... [--dir DIR] [--yes]
       connect2 init                                  [--dir DIR] [--yes]
       connect2 init --terraform DIR --project NAME --domain ZONE ... [--yes]

Writes what a service's repository needs for its releases: connect2.yaml, and the workflows deploy.yml, rollback.yml, operate.yml and,
where nothing checks pull requests yet, ci.yml in .github/workflows. The names come from Terraform's outputs, from services that run
(read with the credentials that are there), or from --project and what is asked in a terminal. It shows what it would write, as a
difference where a file is there, and writes after --yes, or when a terminal's user says so. A connect2.yaml that says nothing else
stays as it is. A second run finds nothing to change.

With --terraform it writes whose a copy of the toolkit's folder terraform is into its environments: project, domain, region, accounts,
bucket of the state and repositories. What is not given stays, and so do the modules.

  terraform -chdir=terraform/environments/dev output -json >dev.json
  connect2 init --outputs dev=dev.json
  connect2 init --from-service dev=connect2-api-cluster-dev/connect2-api-service-dev --region us-west-2
  connect2 init --project connect2-api --region us-west-2 --environments dev,prod
  connect2 init --terraform terraform --project shop-api --domain example.com --region eu-central-1 \
    --account dev=111111111111,staging=111111111111,prod=222222222222 --toolkit acme/platform --service-repository acme/shop-api

`

// asked are the flags.
type asked struct {
	yes                                                             bool
	dir, terraform, project, region, account, environments, toolkit string
	migrate                                                         string
	copy, domain, bucket, service                                   string
	outputs, services                                               flags.List
	given                                                           map[string]bool
}

var (
	toolkitForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	accountForm = lazyregexp.New(`^[0-9]{12}$`)
)

// order is that of the environments, as a change passes them.
var order = []string{"dev", "staging", "prod"}

// Run carries the command out and returns the exit code.
func Run(ctx context.Context, args []string, env Env) int {
	var in asked
	set := flag.NewFlagSet("connect2 init", flag.ContinueOnError)
	set.Var(&in.outputs, "outputs", "`ENV=FILE`, what terraform output -json printed for dev, staging or prod; repeatable")
	set.StringVar(&in.terraform, "from-terraform", "", "`DIR` with terraform output -json as dev.json, staging.json, prod.json, or some")
	set.Var(&in.services, "from-service", "`ENV=CLUSTER/NAME` of a service that runs in dev, staging or prod; repeatable")
	set.StringVar(&in.project, "project", "", "`NAME` that the names begin with, where the clusters are not called NAME-cluster-ENV")
	set.StringVar(&in.environments, "environments", "", "`LIST` of environments, such as dev,prod, where nothing is read")
	set.StringVar(&in.region, "region", "", "AWS `REGION`, where what is read does not tell it")
	set.StringVar(&in.account, "account", "", "`ID` of the AWS account of all environments, where nothing is read; with --terraform also "+
		"dev=ID,staging=ID,prod=ID")
	set.StringVar(&in.copy, "terraform", "", "`DIR`, the folder terraform of a copy of the toolkit's repository, that is to be a company's")
	set.StringVar(&in.domain, "domain", "", "`ZONE` such as example.com, with --terraform")
	set.StringVar(&in.bucket, "bucket", "", "`NAME` of the bucket of the state with {environment} in it, with --terraform; "+
		"PROJECT-terraform-state-{environment} where it is empty")
	set.StringVar(&in.service, "service-repository", "", "`OWNER/NAME` of the service's repository, with --terraform")
	set.StringVar(&in.migrate, "migrate", "", "`COMMAND` that migrates the database, such as 'alembic upgrade head'")
	set.StringVar(&in.toolkit, "toolkit", Toolkit, "`OWNER/NAME` of the repository whose workflows are called; with --terraform "+
		"the one that has the folder")
	set.StringVar(&in.dir, "dir", ".", "`DIR` of the service's repository")
	set.BoolVar(&in.yes, "yes", false, "write without asking")
	if code, done := flags.Parse(set, usage, args, env.Stdout, env.Stderr); done {
		return code
	}
	in.given = map[string]bool{}
	set.Visit(func(f *flag.Flag) { in.given[f.Name] = true })
	outcome, err := run(ctx, in, set.Args(), env)
	flags.Tell(env.Stderr, set.Name(), err)
	return outcome.ExitCode()
}

// change is a file that is to be written.
type change struct {
	File
	at    string // its path on this machine
	was   string
	there bool
}

func run(ctx context.Context, in asked, rest []string, env Env) (action.Outcome, error) {
	if in.given["terraform"] {
		changes, notes, problems := renamed(in, rest, env)
		return carryOut(in, env, changes, notes, problems, "Next: docs/INFRASTRUCTURE.md, Making an environment.")
	}
	environments, problems := gather(ctx, &in, rest, env)
	if ctx.Err() != nil {
		return action.Cancelled, errors.New("cancelled: nothing was written")
	}
	var files []File
	if len(problems) == 0 {
		files, problems = compose(in, environments)
	}
	changes, notes, more := compare(in, files, environments)
	problems = append(problems, more...)
	next := ""
	if len(environments) > 0 {
		next = fmt.Sprintf("Next: connect2 config show --environment %s tells the names; connect2 init --github sets GitHub up.",
			environments[0].Name)
	}
	return carryOut(in, env, changes, notes, problems, next)
}

// carryOut shows the changes, and makes them where that is wanted.
func carryOut(in asked, env Env, changes []change, notes, problems []string, next string) (action.Outcome, error) {
	if len(problems) > 0 {
		return action.Invalid, errors.New(strings.Join(problems, "\n"))
	}
	show(env.Stdout, changes, notes)
	switch {
	case len(changes) == 0:
		fmt.Fprintln(env.Stdout, "Nothing to change.")
		return action.NoChange, nil
	case in.yes:
	case env.Ask == nil:
		fmt.Fprintf(env.Stdout, "Nothing was written. --yes writes the %s.\n", number(len(changes)))
		return action.NoChange, nil
	default:
		answer, err := env.Ask(fmt.Sprintf("%s. Type yes to write: ", number(len(changes))))
		if err != nil {
			return action.Invalid, fmt.Errorf("nothing was written: reading the answer: %w", err)
		}
		if strings.TrimSpace(answer) != "yes" {
			return action.Invalid, errors.New("nothing was written: the answer was not yes")
		}
	}
	for i, c := range changes {
		if err := write(c); err != nil {
			return action.Failed, fmt.Errorf("%w\n%d of %s written: the same command again writes the rest", err, i, number(len(changes)))
		}
	}
	fmt.Fprintf(env.Stdout, "Done: %s written.\n", number(len(changes)))
	fmt.Fprintln(env.Stdout, next)
	return action.Succeeded, nil
}

func number(count int) string {
	if count == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", count)
}

// gather finds the environments, and everything that is wrong with what was given.
func gather(ctx context.Context, in *asked, rest []string, env Env) (environments []*Environment, problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, extra := range rest {
		wrong("%q is not understood: every value belongs to a flag", extra)
	}
	for _, flag := range companyFlags {
		if in.given[flag] {
			wrong("--%s belongs to --terraform DIR", flag)
		}
	}
	if !toolkitForm.MatchString(in.toolkit) {
		wrong("--toolkit: %q is not OWNER/NAME", in.toolkit)
	}
	if strings.ContainsAny(in.migrate, "\r\n") {
		wrong("--migrate: the command has several lines: put them in a script of the image")
	}
	if info, err := os.Stat(in.dir); err != nil || !info.IsDir() {
		wrong("--dir: %q is not a folder", in.dir)
	}
	var sources []string
	for _, each := range []struct {
		flag  string
		given bool
	}{{"--outputs", len(in.outputs) > 0}, {"--from-terraform", in.terraform != ""}, {"--from-service", len(in.services) > 0}} {
		if each.given {
			sources = append(sources, each.flag)
		}
	}
	if len(sources) > 1 {
		wrong("%s exclude each other", strings.Join(sources, " and "))
		return nil, problems
	}
	if len(sources) == 1 {
		for _, each := range [][2]string{{"environments", in.environments}, {"account", in.account}} {
			if each[1] != "" {
				wrong("--%s and %s exclude each other: what is read tells it", each[0], sources[0])
			}
		}
	}
	var more []string
	switch {
	case len(in.services) > 0 && len(problems) > 0: // nothing is called while something is wrong
	case len(in.services) > 0:
		environments, more = fromServices(ctx, *in, env)
	case len(sources) == 1:
		environments, more = fromFiles(*in)
	default:
		environments, more = fromAnswers(in, env)
	}
	problems = append(problems, more...)
	environments = inOrder(environments)
	for i := range environments {
		switch e := environments[i]; {
		case e.Region == "" && in.region == "":
			wrong("%s: the region is not known: give --region", e.Name)
		case e.Region == "":
			e.Region = in.region
		case in.region != "" && in.region != e.Region:
			wrong("%s is in %s, and --region says %s: leave it out", e.Name, e.Region, in.region)
		}
	}
	return environments, append(problems, twice(environments)...)
}

// inOrder sorts the environments as a change passes them.
func inOrder(environments []*Environment) (sorted []*Environment) {
	for _, name := range order {
		for _, e := range environments {
			if e.Name == name {
				sorted = append(sorted, e)
			}
		}
	}
	return sorted
}

// twice finds the names of one environment given for another.
func twice(environments []*Environment) (problems []string) {
	for i, a := range environments {
		for _, b := range environments[i+1:] {
			if a.Name != b.Name && a.Services[only] != "" && a.Services[only] == b.Services[only] && a.Cluster == b.Cluster &&
				a.Account == b.Account && a.Region == b.Region {
				problems = append(problems, fmt.Sprintf("%s and %s are the same service, %s of %s: one is given for the other",
					a.Name, b.Name, a.Services[only], a.Cluster))
			}
		}
	}
	return problems
}

// pairs reads ENV=VALUE flags.
func pairs(flag, example string, given []string) (found [][2]string, problems []string) {
	seen := map[string]bool{}
	for _, each := range given {
		name, value, ok := strings.Cut(each, "=")
		switch {
		case !ok || value == "":
			problems = append(problems, fmt.Sprintf("--%s %s: give ENV=%s", flag, each, example))
		case githubsetup.BranchOf(name) == "":
			problems = append(problems, fmt.Sprintf("--%s: %q is not an environment of the workflows: dev, staging and prod are", flag, name))
		case seen[name]:
			problems = append(problems, fmt.Sprintf("--%s: %s is given twice", flag, name))
		default:
			seen[name] = true
			found = append(found, [2]string{name, value})
		}
	}
	return found, problems
}

// fromFiles reads Terraform's outputs.
func fromFiles(in asked) (environments []*Environment, problems []string) {
	files, problems := pairs("outputs", "FILE, such as dev=dev.json", in.outputs)
	flag := "--outputs"
	if in.terraform != "" {
		flag = "--from-terraform"
		for _, name := range order {
			at := filepath.Join(in.terraform, name+".json")
			if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
				files = append(files, [2]string{name, at})
			}
		}
		if len(files) == 0 {
			problems = append(problems, fmt.Sprintf("--from-terraform: %s has none of dev.json, staging.json and prod.json: "+
				"write them with terraform output -json in the environments' folders", in.terraform))
		}
	}
	for _, each := range files {
		text, err := os.ReadFile(each[1])
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s %s: %v", flag, each[0], err))
			continue
		}
		e, wrong := FromOutputs(each[0], text)
		for _, problem := range wrong {
			problems = append(problems, fmt.Sprintf("%s %s: %s: %s", flag, each[0], each[1], problem))
		}
		if len(wrong) == 0 {
			environments = append(environments, e)
		}
	}
	return environments, problems
}

// fromServices reads services that run.
func fromServices(ctx context.Context, in asked, env Env) (environments []*Environment, problems []string) {
	const example = "CLUSTER/NAME, such as dev=connect2-api-cluster-dev/connect2-api-service-dev"
	given, problems := pairs("from-service", example, in.services)
	for _, each := range given {
		if cluster, service, ok := strings.Cut(each[1], "/"); !ok || cluster == "" || service == "" || strings.Contains(service, "/") {
			problems = append(problems, fmt.Sprintf("--from-service %s=%s: give ENV=%s", each[0], each[1], example))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	for _, each := range given {
		cluster, name, _ := strings.Cut(each[1], "/")
		service, definition, err := env.Service(ctx, in.region, cluster, name)
		if err != nil {
			problems = append(problems, fmt.Sprintf("--from-service %s: %v", each[0], err))
			continue
		}
		e, wrong := FromService(each[0], service, definition)
		for _, problem := range wrong {
			problems = append(problems, fmt.Sprintf("--from-service %s: %s", each[0], problem))
		}
		if len(wrong) == 0 {
			environments = append(environments, e)
		}
	}
	return environments, problems
}

// fromAnswers asks for what the flags do not say, where somebody is there, and did not say yes to everything.
func fromAnswers(in *asked, env Env) (environments []*Environment, problems []string) {
	ask := env.Ask != nil && !in.yes
	if !ask && in.project == "" {
		return nil, []string{"say where the names come from: --outputs ENV=FILE, --from-terraform DIR, --from-service ENV=CLUSTER/NAME, " +
			"or --project NAME and --region REGION"}
	}
	if ask {
		if in.project == "" && in.environments == "" && in.region == "" && in.account == "" {
			fmt.Fprintln(env.Stderr, "Nothing says where to read the names, so that they follow from a few answers.")
		}
		for _, each := range []struct {
			into           *string
			question, none string
		}{
			{&in.project, "Project, what the names begin with: ", ""},
			{&in.environments, "Environments (dev,staging,prod): ", strings.Join(order, ",")},
			{&in.region, "AWS region: ", ""},
			{&in.account, "AWS account, 12 digits (empty leaves it out): ", ""},
		} {
			if *each.into != "" {
				continue
			}
			answer, err := env.Ask(each.question)
			if err != nil {
				return nil, []string{fmt.Sprintf("reading the answer to %q: %v", strings.TrimSpace(each.question), err)}
			}
			*each.into = cmp.Or(strings.TrimSpace(answer), each.none)
		}
	}
	if in.project == "" {
		problems = append(problems, "the project's name is missing: give --project")
	}
	if in.account != "" && !accountForm.MatchString(in.account) {
		problems = append(problems, fmt.Sprintf("--account: %q is not an account: want 12 digits", in.account))
	}
	for name := range strings.SplitSeq(cmp.Or(in.environments, strings.Join(order, ",")), ",") {
		name = strings.TrimSpace(name)
		switch {
		case githubsetup.BranchOf(name) == "":
			problems = append(problems, fmt.Sprintf("--environments: %q is not an environment of the workflows: dev, staging and prod are", name))
		case slices.ContainsFunc(environments, func(e *Environment) bool { return e.Name == name }):
			problems = append(problems, fmt.Sprintf("--environments: %s is given twice", name))
		default:
			environments = append(environments, Named(in.project, name, in.region, in.account))
		}
	}
	return environments, problems
}

// compose writes the texts of the files.
func compose(in asked, environments []*Environment) (files []File, problems []string) {
	name := cmp.Or(in.project, ProjectOf(environments))
	if name == "" {
		return nil, []string{fmt.Sprintf("the project's name does not follow from the clusters, %s: give --project NAME",
			listed(environments, func(e *Environment) string { return e.Cluster }))}
	}
	config, problems := Config(name, in.migrate, in.toolkit, environments)
	workflows, err := Workflows(in.toolkit, environments)
	if err != nil {
		problems = append(problems, err.Error())
	}
	if name, _ := checkedBy(in.dir); name == "" {
		_, noPython := os.Stat(filepath.Join(in.dir, "pyproject.toml"))
		checks, err := Checks(in.toolkit, noPython == nil)
		if err != nil {
			problems = append(problems, err.Error())
		}
		workflows = append(workflows, checks)
	}
	return append([]File{{Path: project.Name, Text: config}}, workflows...), problems
}

// checkedBy returns the workflow of the repository that checks pull requests already, and whether it is one that calls the toolkit's; ""
// where there is none. What people have there is theirs: ci.yml is written once, and never over another.
func checkedBy(dir string) (found string, ours bool) {
	folder := filepath.Join(dir, ".github", "workflows")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", false // there is none; what cannot be read is told when a file is written there
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if ext != ".yml" && ext != ".yaml" || e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if e.Name() == path.Base(checksName) || err == nil && found == "" && requests.MatchString(string(text)) {
			found, ours = e.Name(), strings.Contains(string(text), "/.github/workflows/service-ci.yml@")
		}
	}
	return found, ours
}

// requests finds the event of pull requests in a workflow.
var requests = lazyregexp.New(`\bpull_request\b`)

// compare finds the files that are to change, and what keeps one from being written.
func compare(in asked, files []File, environments []*Environment) (changes []change, notes, problems []string) {
	for _, e := range environments {
		notes = append(notes, e.notes...)
	}
	if name, ours := checkedBy(in.dir); name != "" && !ours {
		notes = append(notes, fmt.Sprintf(".github/workflows/%s checks pull requests, and stays as it is", name))
	}
	for _, f := range files {
		c := change{File: f, at: filepath.Join(in.dir, filepath.FromSlash(f.Path))}
		if problem := inTheWay(in.dir, f.Path); problem != "" {
			problems = append(problems, problem)
			continue
		}
		text, err := os.ReadFile(c.at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			problems = append(problems, err.Error())
			continue
		default:
			c.was, c.there = string(text), true
		}
		switch {
		case c.there && c.was == f.Text:
		case c.there && f.Path == project.Name && agrees(c.was, f.Text, environments):
			notes = append(notes, f.Path+" stays as it is: nothing in it says otherwise")
		default:
			changes = append(changes, c)
		}
	}
	return changes, notes, problems
}

// inTheWay says what stands where a file or a folder of it belongs, "" where nothing does.
func inTheWay(dir, path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		at := filepath.Join(dir, filepath.Join(parts[:i+1]...))
		info, err := os.Lstat(at)
		switch {
		case err != nil: // what cannot be read is told when it is read
			return ""
		case i < len(parts)-1 && !info.IsDir():
			return fmt.Sprintf("%s is a file or a link, and %s belongs into a folder there: move it away", at, path)
		case i == len(parts)-1 && !info.Mode().IsRegular():
			return fmt.Sprintf("%s is not a regular file: move it away", at)
		}
	}
	return ""
}

// show prints what would be written.
func show(out io.Writer, changes []change, notes []string) {
	for _, c := range changes {
		what := "new"
		if c.there {
			what = "changes"
		}
		fmt.Fprintf(out, "%s (%s)\n", c.Path, what)
		for _, line := range Diff(c.was, c.Text) {
			fmt.Fprintf(out, "  %s\n", strings.TrimRight(line, " "))
		}
	}
	for _, note := range notes {
		fmt.Fprintf(out, "Note: %s\n", note)
	}
}

// write puts a file in its place, whole or not at all.
func write(c change) error {
	if now, err := os.ReadFile(c.at); err == nil && (!c.there || string(now) != c.was) {
		return fmt.Errorf("%s was changed by somebody else just now: it was left alone", c.at)
	}
	folder := filepath.Dir(c.at)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(folder, ".connect2-init-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // in vain, once it has its name
	_, err = temporary.WriteString(c.Text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", c.at, err)
	}
	return os.Rename(temporary.Name(), c.at)
}
