package terraform

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-shellwords"
)

// Arguments are what TF_CLI_ARGS variables ask for, as far as it is known to be safe.
type Arguments struct {
	Init        []string // further arguments of init, as they were given
	Plan        []string // and of plan
	VarFiles    []string
	Targets     []string
	Replace     []string
	Parallelism int           // 0: not given
	LockTimeout time.Duration // 0: not given
}

// argumentsVariable is the environment variable that Terraform adds to every command; with _ and a command's name to that one.
const argumentsVariable = "TF_CLI_ARGS"

// flag is what becomes of one of Terraform's flags.
type flag struct {
	name   string
	apply  func(a *Arguments, value, whole string) error // nil: it changes nothing here, and is let pass
	refuse string                                        // why it is refused, and what to do instead
}

// idle are flags that do not change what a command does here: the output is JSON, and nobody is there to be asked.
var idle = []flag{{name: "no-color"}, {name: "compact-warnings"}, {name: "input=false"}, {name: "json"}}

func further(list func(*Arguments) *[]string) func(*Arguments, string, string) error {
	return func(a *Arguments, _, whole string) error {
		*list(a) = append(*list(a), whole)
		return nil
	}
}

func listed(list func(*Arguments) *[]string) func(*Arguments, string, string) error {
	return func(a *Arguments, value, _ string) error {
		if value == "" {
			return errors.New("it has no value")
		}
		*list(a) = append(*list(a), value)
		return nil
	}
}

func parallelism(a *Arguments, value, _ string) (err error) {
	if a.Parallelism, err = strconv.Atoi(value); err != nil || a.Parallelism < 1 {
		return fmt.Errorf("%q is not a number above 0", value)
	}
	return nil
}

func lockTimeout(a *Arguments, value, _ string) (err error) {
	if a.LockTimeout, err = time.ParseDuration(value); err != nil || a.LockTimeout < 0 {
		return fmt.Errorf("%q is not a duration", value)
	}
	return nil
}

func initArgs(a *Arguments) *[]string { return &a.Init }
func planArgs(a *Arguments) *[]string { return &a.Plan }

// flags are the flags of the commands that are run here. A value in a name ("lock=true") is the one that is meant.
var flags = map[string][]flag{
	"init": {
		{name: "backend-config", apply: further(initArgs)}, {name: "plugin-dir", apply: further(initArgs)}, {name: "get=true"},
		{name: "backend=true"}, {name: "reconfigure"}, {name: "lock=true"},
		{name: "lock-timeout", apply: further(initArgs)},
		{name: "upgrade", refuse: "set `lockfile: update`"},
		{name: "lockfile", refuse: "set the input lockfile"},
		{name: "migrate-state", refuse: "a state is moved by hand, by somebody who watches"},
		{name: "force-copy", refuse: "a state is moved by hand, by somebody who watches"},
		{name: "from-module", refuse: "the configuration is that of the directory"},
		{name: "backend", refuse: "without its backend a plan would want to make everything again"},
		{name: "get", refuse: "modules have to be there"},
	},
	"plan": {
		{name: "refresh", apply: further(planArgs)}, {name: "var-file", apply: listed(func(a *Arguments) *[]string { return &a.VarFiles })},
		{name: "target", apply: listed(func(a *Arguments) *[]string { return &a.Targets })},
		{name: "replace", apply: listed(func(a *Arguments) *[]string { return &a.Replace })},
		{name: "parallelism", apply: parallelism}, {name: "lock-timeout", apply: lockTimeout}, {name: "lock=true"}, {name: "detailed-exitcode"},
		{name: "var", refuse: "its value would stand in the list of processes: set the input variables, or TF_VAR_NAME"},
		{name: "out", refuse: "set plan-file"},
		{name: "destroy", refuse: "set `mode: destroy`"},
		{name: "refresh-only", refuse: "set `refresh-only: true`"},
		{name: "lock", refuse: "a plan takes no lock here, and an apply always does"},
		{name: "state", refuse: "the state is the backend's"},
		{name: "generate-config-out", refuse: "run it by hand: the file belongs into the repository"},
	},
	"apply": {
		{name: "parallelism", apply: parallelism}, {name: "lock-timeout", apply: lockTimeout}, {name: "lock=true"}, {name: "auto-approve"},
		{name: "var-file", refuse: "set var-files, or TF_CLI_ARGS_plan: a plan that was reviewed is applied as it is"},
		{name: "target", refuse: "set targets, or TF_CLI_ARGS_plan: a plan that was reviewed is applied as it is"},
		{name: "replace", refuse: "set replace, or TF_CLI_ARGS_plan: a plan that was reviewed is applied as it is"},
		{name: "var", refuse: "its value would stand in the list of processes: set the input variables, or TF_VAR_NAME"},
		{name: "destroy", refuse: "set `mode: destroy`"},
		{name: "refresh-only", refuse: "set `refresh-only: true`"},
		{name: "refresh", refuse: "give it to the plan: TF_CLI_ARGS_plan"},
		{name: "lock", refuse: "an apply without a lock can lose the state"},
		{name: "state", refuse: "the state is the backend's"},
		{name: "state-out", refuse: "the state is the backend's"},
		{name: "backup", refuse: "the state is the backend's"},
	},
	// What the other commands are asked here is read by this program.
	"show": nil, "output": nil, "version": nil, "workspace": nil, "state": nil, "force-unlock": nil, "validate": nil, "fmt": nil,
}

// ReadArguments reads the TF_CLI_ARGS variables of an environment, NAME=VALUE. Each flag that it does not know to be safe is a problem,
// with what to do instead. Variables of commands that are not run here mean nothing, as they do to Terraform.
func ReadArguments(environ []string) (Arguments, []error) {
	var all Arguments
	var problems []error
	given := map[string]string{}
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, argumentsVariable) {
			given[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		command := strings.TrimPrefix(strings.TrimPrefix(name, argumentsVariable), "_")
		known, run := flags[command]
		if command != "" && !run {
			continue
		}
		words, err := shellwords.Parse(given[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: it cannot be split into words: %w", name, err))
			continue
		}
		for len(words) > 0 {
			var told string
			told, words, err = all.take(append(slices.Clone(known), idle...), words)
			if err != nil && command == "" && strings.Contains(err.Error(), unknownFlag) {
				err = errors.New("it would reach every command, and not all of them take it: use " + argumentsVariable + "_plan or the like")
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %s: %w", name, told, err))
			}
		}
	}
	return all, problems
}

const unknownFlag = "it is not known to be safe here"

// take consumes one flag, with its value where that is a word of its own, and returns the flag without its value: that may be a secret.
func (a *Arguments) take(known []flag, words []string) (told string, rest []string, err error) {
	whole, rest := words[0], words[1:]
	if !strings.HasPrefix(whole, "-") {
		return "an argument", rest, errors.New("only flags are understood, as -NAME=VALUE")
	}
	name, value, assigned := strings.Cut(strings.TrimLeft(whole, "-"), "=")
	for _, f := range known {
		wantName, wantValue, exact := strings.Cut(f.name, "=")
		if wantName != name || exact && value != wantValue && (assigned || wantValue != "true") {
			continue
		}
		if f.apply == nil && f.refuse == "" {
			return "-" + name, rest, nil
		}
		if !assigned && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			value, whole, rest = rest[0], whole+"="+rest[0], rest[1:]
		}
		if f.refuse != "" {
			return "-" + name, rest, fmt.Errorf("it is refused: %s", f.refuse)
		}
		return "-" + name, rest, f.apply(a, value, whole)
	}
	if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		rest = rest[1:] // its value, which may be a secret, is not told
	}
	return "-" + name, rest, errors.New(unknownFlag)
}
