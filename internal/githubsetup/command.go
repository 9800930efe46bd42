package githubsetup

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/flags"
	"github.com/org/connect2/v2/internal/githubapi"
	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/pkg/action"
)

// Env is what a run meets.
type Env struct {
	Getenv         func(string) string
	Stdout, Stderr io.Writer
	// Ask shows a question and returns what was typed; nil where nobody is there to answer.
	Ask func(question string) (string, error)
	// Transport carries the requests to GitHub; nil for the default one.
	Transport http.RoundTripper
}

const usage = `Usage: connect2 init --github --service OWNER/NAME --toolkit OWNER/NAME --outputs ENV=FILE... [--yes]

Sets GitHub up for releases: variables, environments, the branches that may enter them, and who is asked first. It shows what
would change, and changes it after --yes, or when a terminal's user says so. A second run finds nothing to change.

  terraform -chdir=terraform/environments/dev output -json >dev.json
  connect2 init --github --service org/connect2-api --toolkit org/connect2 --outputs dev=dev.json --reviewer org/operations

GITHUB_TOKEN or GH_TOKEN is the token, as ` + "`gh auth token`" + ` prints it. GITHUB_API_URL is for GitHub Enterprise, such as
https://ghe.example/api/v3.

`

// asked are the flags.
type asked struct {
	github, yes, noReviewers, preventSelfReview, onlyTheseBranches bool
	service, toolkit, region                                       string
	outputs, values, reviewers                                     flags.List
}

// Run carries the command out and returns the exit code.
func Run(ctx context.Context, args []string, env Env) int {
	var in asked
	set := flag.NewFlagSet("connect2 init", flag.ContinueOnError)
	set.BoolVar(&in.github, "github", false, "set GitHub up; without it, connect2 init writes the files of a repository")
	set.StringVar(&in.service, "service", "", "the service's `OWNER/NAME`")
	set.StringVar(&in.toolkit, "toolkit", "", "`OWNER/NAME` of the repository with infrastructure.yml: the toolkit's, or your own")
	set.Var(&in.outputs, "outputs", "`ENV=FILE`, what terraform output -json printed for dev, staging or prod; repeatable")
	set.Var(&in.values, "value", "`ENV.OUTPUT=VALUE` in place of an output, such as dev.cluster_name=api; repeatable")
	set.StringVar(&in.region, "region", "", "AWS `REGION`, where the outputs do not tell it")
	set.Var(&in.reviewers, "reviewer", "`NAME` of a user, or ORGANIZATION/TEAM, asked before prod and each apply; repeatable")
	set.BoolVar(&in.noReviewers, "no-reviewers", false, "nobody is asked: main's pull requests are the gate")
	set.BoolVar(&in.preventSelfReview, "prevent-self-review", false, "whoever starts a run cannot approve it")
	set.BoolVar(&in.onlyTheseBranches, "only-these-branches", false, "take away rules that let other branches in")
	set.BoolVar(&in.yes, "yes", false, "change without asking")
	if code, done := flags.Parse(set, usage, args, env.Stdout, env.Stderr); done {
		return code
	}
	outcome, err := run(ctx, in, set.Args(), env)
	flags.Tell(env.Stderr, set.Name(), err)
	return outcome.ExitCode()
}

// run reads everything and refuses what is wrong, before the first change.
func run(ctx context.Context, in asked, rest []string, env Env) (action.Outcome, error) {
	s, problems := prepare(in, rest, env)
	if len(problems) > 0 {
		return action.Invalid, joined(problems)
	}
	plans, err := s.look(ctx)
	if err != nil {
		return ended(ctx, action.Invalid), err
	}
	count := s.show(plans)
	if count == 0 {
		fmt.Fprintln(env.Stdout, "Nothing to change.")
		return action.NoChange, nil
	}
	switch {
	case in.yes:
	case env.Ask == nil:
		fmt.Fprintf(env.Stdout, "Nothing was changed. --yes makes the %s.\n", number(count))
		return action.NoChange, nil
	default:
		if err := confirmed(env, count); err != nil {
			return action.Invalid, err
		}
	}
	return s.change(ctx, plans)
}

// setup is a run whose flags are in order.
type setup struct {
	env     Env
	hub     hub
	wanted  []Wanted
	names   []string // of reviewers
	options Options
	asApp   bool
}

// plan is what is to change in one repository.
type plan struct {
	wanted  Wanted
	present Present
	changes []Change
	notes   []string
}

// prepare checks the flags and what they name, all at once.
func prepare(in asked, rest []string, env Env) (s *setup, problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !in.github {
		wrong("say what to set up: --github")
	}
	for _, extra := range rest {
		wrong("%q is not understood: every value belongs to a flag", extra)
	}
	var parts []part
	repositories := map[part]Repository{}
	for _, each := range []struct {
		part part
		text string
	}{{service, in.service}, {toolkit, in.toolkit}} {
		if each.text == "" {
			continue
		}
		r, err := parseRepository(each.text)
		if err != nil {
			wrong("--%s: %v", each.part, err)
		}
		repositories[each.part] = r
		parts = append(parts, each.part)
	}
	if len(parts) == 0 {
		wrong("say which repository: --service OWNER/NAME, --toolkit OWNER/NAME or both")
	}
	values, more := gather(in)
	problems = append(problems, more...)
	if len(values.Environments) > 0 && len(more) == 0 {
		problems = append(problems, values.Check(parts...)...)
	}
	problems = append(problems, checkReviewers(in)...)

	token := env.Getenv("GH_TOKEN")
	if token == "" {
		token = env.Getenv("GITHUB_TOKEN")
	}
	if token == "" {
		wrong("there is no token: set GITHUB_TOKEN or GH_TOKEN, as in GITHUB_TOKEN=$(gh auth token); %s", permissions)
	}
	base := env.Getenv("GITHUB_API_URL")
	if base == "" {
		base = "https://api.github.com"
	}
	api, err := githubapi.New(base, token, env.Transport)
	if err != nil && token != "" {
		wrong("GITHUB_API_URL %q: %v", base, err)
	}
	return &setup{env: env, hub: hub{api}, wanted: Want(repositories[service], repositories[toolkit], values), names: in.reviewers,
		options: Options{PreventSelfReview: in.preventSelfReview, OnlyTheseBranches: in.onlyTheseBranches},
		asApp:   strings.HasPrefix(token, "ghs_")}, problems
}

// gather reads the files and values of the environments.
func gather(in asked) (v Values, problems []string) {
	text := map[string]map[string]string{}
	of := func(environment, flag string) map[string]string {
		if BranchOf(environment) == "" {
			problems = append(problems, fmt.Sprintf("--%s: %q is not an environment of the workflows: dev, staging and prod are",
				flag, environment))
			return map[string]string{}
		}
		if text[environment] == nil {
			text[environment] = map[string]string{}
		}
		return text[environment]
	}
	for _, each := range in.outputs {
		environment, file, ok := strings.Cut(each, "=")
		if !ok || file == "" {
			problems = append(problems, fmt.Sprintf("--outputs %s: give ENV=FILE, such as dev=dev.json", each))
			continue
		}
		into := of(environment, "outputs")
		if len(into) > 0 {
			problems = append(problems, fmt.Sprintf("--outputs: %s is given twice", environment))
		}
		content, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, fmt.Sprintf("--outputs %s: %v", environment, err))
			continue
		}
		found, err := textOutputs(content)
		if err != nil {
			problems = append(problems, fmt.Sprintf("--outputs %s: %s: %v", environment, file, err))
			continue
		}
		for name, value := range found {
			into[name] = value
		}
	}
	known := append(outputsOf(service, toolkit), "repository_url")
	for _, each := range in.values {
		name, value, ok := strings.Cut(each, "=")
		environment, output, dotted := strings.Cut(name, ".")
		if !ok || !dotted || value == "" {
			problems = append(problems, fmt.Sprintf("--value %s: give ENV.OUTPUT=VALUE, such as dev.cluster_name=api", each))
			continue
		}
		if !slices.Contains(known, output) {
			hint := strings.Join(known, ", ") + " are"
			if near := nearest.One(output, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			problems = append(problems, fmt.Sprintf("--value %s: %q is not an output that is used: %s", name, output, hint))
			continue
		}
		of(environment, "value")[output] = value
	}
	if len(in.outputs)+len(in.values) == 0 {
		problems = append(problems, "say which environment: --outputs dev=dev.json, from terraform output -json in the environment's folder")
	}
	v.Region = in.region
	for _, b := range branches {
		if text[b.environment] == nil {
			continue
		}
		v.Environments = append(v.Environments, Outputs{Environment: b.environment, Text: text[b.environment]})
		if v.Region == "" {
			v.Region = regionOf(text[b.environment]["repository_url"])
		}
	}
	return v, problems
}

func checkReviewers(in asked) (problems []string) {
	switch {
	case in.noReviewers && len(in.reviewers) > 0:
		problems = append(problems, "--reviewer and --no-reviewers exclude each other")
	case in.noReviewers && in.preventSelfReview:
		problems = append(problems, "--prevent-self-review and --no-reviewers exclude each other")
	case !in.noReviewers && len(in.reviewers) == 0:
		problems = append(problems, "say who is asked before prod and before each apply: --reviewer NAME or ORGANIZATION/TEAM; "+
			"--no-reviewers where GitHub's plan has none")
	}
	for _, name := range in.reviewers {
		for each := range strings.SplitSeq(name, "/") {
			if !repositoryForm.MatchString(each) || strings.Count(name, "/") > 1 {
				problems = append(problems, fmt.Sprintf("--reviewer %q is neither a user's name nor ORGANIZATION/TEAM", name))
				break
			}
		}
	}
	return problems
}

// look reads the repositories and the reviewers, and plans. All that GitHub would refuse is in the error.
func (s *setup) look(ctx context.Context) ([]plan, error) {
	var failures []error
	for _, name := range s.names {
		r, err := s.hub.reviewer(ctx, name)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if !slices.ContainsFunc(s.options.Reviewers, func(o Reviewer) bool { return o.Type == r.Type && o.ID == r.ID }) {
			s.options.Reviewers = append(s.options.Reviewers, r)
		}
	}
	var plans []plan
	for _, w := range s.wanted {
		present, err := s.hub.read(ctx, w, s.asApp)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if !present.Public {
			failures = append(failures, s.readers(ctx, w.Repository)...)
		}
		changes, notes, problems := Plan(w, present, s.options)
		for _, text := range problems {
			failures = append(failures, errors.New(text))
		}
		plans = append(plans, plan{wanted: w, present: present, changes: changes, notes: notes})
	}
	return plans, errors.Join(failures...)
}

// readers finds the reviewers that may not read a repository, which GitHub would refuse.
func (s *setup) readers(ctx context.Context, r Repository) (failures []error) {
	for _, who := range s.options.Reviewers {
		ok, err := s.hub.mayRead(ctx, r, who)
		switch {
		case err != nil:
			failures = append(failures, told("reading whether "+who.Name+" may read", r, "", err))
		case !ok:
			failures = append(failures, fmt.Errorf("%s: the reviewer %s may not read it: give read access first", r, who.Name))
		}
	}
	return failures
}

// show prints the plans and returns how many changes they have.
func (s *setup) show(plans []plan) (count int) {
	out := s.env.Stdout
	for _, p := range plans {
		fmt.Fprintf(out, "%s (for github in ENV.tfvars: owner_id = %d, id = %d)\n", p.wanted.Repository, p.present.OwnerID, p.present.ID)
		for _, c := range p.changes {
			for _, line := range c.lines() {
				fmt.Fprintf(out, "  %s\n", line)
			}
		}
		count += len(p.changes)
	}
	for _, p := range plans {
		for _, note := range p.notes {
			fmt.Fprintf(out, "Note: %s\n", note)
		}
	}
	return count
}

// confirmed asks whether to go on; the error says that nothing was changed.
func confirmed(env Env, count int) error {
	answer, err := env.Ask(fmt.Sprintf("%s. Type yes to make them: ", number(count)))
	if err != nil {
		return fmt.Errorf("nothing was changed: reading the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was changed: the answer was not yes")
	}
	return nil
}

func number(count int) string {
	if count == 1 {
		return "1 change"
	}
	return fmt.Sprintf("%d changes", count)
}

// change carries the plans out, then looks again: what GitHub says afterwards is what counts. Where an environment's rules cannot be
// set, nothing else of it is.
func (s *setup) change(ctx context.Context, plans []plan) (action.Outcome, error) {
	var failures []error
	made := 0
	for _, p := range plans {
		without := map[string]bool{}
		for _, c := range p.changes {
			if without[c.Environment] || ctx.Err() != nil {
				continue
			}
			if err := s.hub.carryOut(ctx, p.wanted.Repository, c); err != nil {
				failures = append(failures, told(strings.Join(c.lines(), ", "), p.wanted.Repository, "", err))
				without[c.Environment] = c.Protect != nil
				continue
			}
			made++
		}
	}
	if ctx.Err() != nil {
		return action.Cancelled, fmt.Errorf("cancelled after %s: the same command again makes the rest", number(made))
	}
	if len(failures) > 0 {
		failures = append(failures, fmt.Errorf("%s made, %d failed: the same command again makes the rest", number(made), len(failures)))
		return action.Failed, errors.Join(failures...)
	}
	again, err := s.look(ctx)
	if err != nil {
		return ended(ctx, action.Failed), fmt.Errorf("%s made, but looking again failed:\n%w", number(made), err)
	}
	for _, p := range again {
		for _, c := range p.changes {
			failures = append(failures, fmt.Errorf("%s: GitHub took it and does not have it: %s",
				p.wanted.Repository, strings.Join(c.lines(), ", ")))
		}
	}
	if len(failures) > 0 {
		return action.Failed, errors.Join(failures...)
	}
	fmt.Fprintf(s.env.Stdout, "Done: %s, and GitHub has all of it.\n", number(made))
	return action.Succeeded, nil
}

// ended is the outcome of what failed: an interrupt is the reason where there was one.
func ended(ctx context.Context, otherwise action.Outcome) action.Outcome {
	if ctx.Err() != nil {
		return action.Cancelled
	}
	return otherwise
}

func joined(problems []string) error {
	var all []error
	for _, text := range problems {
		all = append(all, errors.New(text))
	}
	return errors.Join(all...)
}
