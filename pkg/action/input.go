package action

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
)

// given is one value of an input, before it is decoded.
type given struct {
	as    string // the name under which it was given, for messages: "cluster", "--cluster"
	value string
}

// source is everything that was given: by the field's name, in the order of fields; and what was wrong with the giving.
type source struct {
	values   map[string][]given
	problems []error
	dashes   string          // what stands before a name: "--" for flags
	excused  map[string]bool // fields that a problem which is told keeps from being known: that they are missing is not a second one
	rest     []string        // what stands behind "--", for the field that takes it
}

// fromEnvironment collects the inputs that the runner passes to a container: INPUT_ and the name in upper case with blanks
// turned to "_" (hyphens stay). environ is in the form of os.Environ.
func fromEnvironment(fields []Field, environ []string) source {
	s := source{values: map[string][]given{}}
	names := map[string]Field{}
	aliases := map[string]Alias{}
	for _, f := range fields {
		names[inputVariable(f.Name)] = f
		for _, alias := range f.Aliases {
			names[inputVariable(alias.Name)] = f
			aliases[inputVariable(alias.Name)] = alias
		}
	}
	environ = slices.Sorted(slices.Values(environ)) // messages come in one order, whatever the environment's
	files := containerOf(func(name string) string { return valueIn(environ, name) })
	add := func(f Field, v given) {
		v, problems := files.see(f, v)
		s.values[f.Name] = append(s.values[f.Name], v)
		s.problems = append(s.problems, problems...)
	}
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, "INPUT_") || strings.TrimSpace(value) == "" {
			continue // an input that is passed empty was not given: `with: {x: ${{ inputs.x }}}`
		}
		f, ok := names[variable]
		switch alias := aliases[variable]; {
		case alias.Name != "":
			add(f, given{as: alias.Name, value: alias.apply(value)})
		case ok:
			add(f, given{as: f.Name, value: value})
		case variable == "INPUT_ARGS", variable == "INPUT_ENTRYPOINT":
			// `with: args` and `with: entrypoint` of any Docker action are the runner's own.
		default:
			written := strings.ToLower(strings.TrimPrefix(variable, "INPUT_"))
			s.unknown(written, fields)
		}
	}
	return s
}

// valueIn returns a variable of an environment in the form of os.Environ.
func valueIn(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func inputVariable(name string) string {
	return "INPUT_" + strings.ToUpper(strings.ReplaceAll(name, " ", "_"))
}

// apply adds the alias's unit to a bare number.
func (a Alias) apply(value string) string {
	value = strings.TrimSpace(value)
	if _, err := strconv.ParseUint(value, 10, 32); err == nil {
		return value + a.Unit
	}
	return value
}

// unknown notes a name that no input has, with the one that it is likely to mean.
func (s *source) unknown(written string, fields []Field) {
	var names, all []string
	for _, f := range fields {
		all = append(all, s.dashes+f.Name)
		names = append(names, f.Name)
		for _, alias := range f.Aliases {
			names = append(names, alias.Name)
		}
	}
	kind := "input"
	if s.dashes != "" {
		kind = "flag"
	}
	near := nearest.One(written, names)
	if near == "" {
		s.problems = append(s.problems, fmt.Errorf("unknown %s %s%s: there are %s", kind, s.dashes, written, strings.Join(all, ", ")))
		return
	}
	s.problems = append(s.problems, fmt.Errorf("unknown %s %s%s: did you mean %s%s?", kind, s.dashes, written, s.dashes, near))
	f, _, _ := fieldNamed(fields, near) // near is one of the names
	s.excuse(f.Name)
}

// excuse notes fields whose value a problem that is told keeps from being known.
func (s *source) excuse(names ...string) {
	if s.excused = maps.Clone(s.excused); s.excused == nil {
		s.excused = map[string]bool{}
	}
	for _, name := range names {
		s.excused[name] = true
	}
}

// missingInput is that an input has to be given.
type missingInput struct{ name, text string }

func (m missingInput) Error() string { return m.name + ": " + m.text }

// Missing says that an input has to be given, as a Validate does that finds it empty. Where a problem that is told already is why it is
// empty, it is not told.
func Missing(name, text string) error { return missingInput{name, text} }

// reservedFlags are the flags that every command has. No input may be named like one.
var reservedFlags = []string{"help", "json", "debug"}

// commandLine is what the arguments of a command ask for.
type commandLine struct {
	source
	help, json, debug bool
}

// fromFlags reads `--name value`, `--name=value`, `--switch` for a bool, and repeated flags for lists and maps. A secret is
// not taken from the command line, which other users of the machine can read: its flag names where it is, env:NAME or
// file:PATH.
func fromFlags(fields []Field, args []string, getenv func(string) string) commandLine {
	c := commandLine{source: source{values: map[string][]given{}, dashes: "--"}}
	problem := func(format string, a ...any) { c.problems = append(c.problems, fmt.Errorf(format, a...)) }
	places := slices.DeleteFunc(slices.Clone(fields), func(f Field) bool { return f.Arg == "" || f.Rest })
	takesRest := slices.ContainsFunc(fields, func(f Field) bool { return f.Rest })
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if takesRest && arg == "--" {
			c.rest = args
			break
		}
		if len(places) > 0 && (arg == "" || arg[0] != '-') {
			c.values[places[0].Name] = append(c.values[places[0].Name], given{as: places[0].Arg, value: arg})
			if places[0].Kind != List {
				places = places[1:]
			}
			continue
		}
		arg = long(arg, fields)
		name, value, hasValue := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !strings.HasPrefix(arg, "--") || name == "" {
			single, _, _ := strings.Cut(arg, "=")
			if single = strings.TrimLeft(single, "-"); strings.HasPrefix(arg, "-") && single != "" {
				problem("%s: flags are written with two hyphens: --%s", arg, single)
			} else {
				problem("unexpected argument %q: inputs are given as --name value, a switch as --name=false", arg)
			}
			continue
		}
		if slices.Contains(reservedFlags, name) {
			on := true
			if hasValue {
				var err error
				if on, err = decodeBool(value); err != nil {
					problem("--%s: %q: %w", name, value, err)
				}
			}
			switch name {
			case "help":
				c.help = on
			case "json":
				c.json = on
			case "debug":
				c.debug = on
			}
			continue
		}
		f, alias, ok := fieldNamed(fields, name)
		if !ok {
			c.unknown(name, fields)
			if !hasValue && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // its value, most likely: one problem is told once
			}
			continue
		}
		switch {
		case hasValue:
		case f.Kind == Bool:
			value = "true"
		case len(args) == 0 || strings.HasPrefix(args[0], "--"):
			problem("--%s needs a value", name)
			c.excuse(f.Name)
			continue
		default:
			value, args = args[0], args[1:]
		}
		if f.Secret {
			var err error
			if value, err = secretFrom(value, getenv); err != nil {
				problem("--%s: %w", name, err)
				c.excuse(f.Name)
				continue
			}
		}
		c.values[f.Name] = append(c.values[f.Name], given{as: "--" + name, value: alias.apply(value)})
	}
	for _, f := range fields {
		values := c.values[f.Name]
		if len(values) < 2 || (f.Kind != List && f.Kind != Map) {
			continue
		}
		all := make([]string, len(values))
		for i, v := range values {
			all[i] = v.value
		}
		c.values[f.Name] = []given{{as: values[0].as, value: strings.Join(all, "\n")}}
	}
	return c
}

// long returns the flag that a short one stands for.
func long(arg string, fields []Field) string {
	letter, value, hasValue := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
	if len(letter) != 1 || !strings.HasPrefix(arg, "-") {
		return arg
	}
	if letter == "h" {
		return "--help"
	}
	for _, f := range fields {
		if f.Short != letter {
			continue
		}
		if hasValue {
			return "--" + f.Name + "=" + value
		}
		return "--" + f.Name
	}
	return arg
}

// fieldNamed finds a field by its name or an alias.
func fieldNamed(fields []Field, name string) (Field, Alias, bool) {
	for _, f := range fields {
		if f.Name == name {
			return f, Alias{}, true
		}
		for _, alias := range f.Aliases {
			if alias.Name == name {
				return f, alias, true
			}
		}
	}
	return Field{}, Alias{}, false
}

func secretFrom(reference string, getenv func(string) string) (string, error) {
	switch kind, name, _ := strings.Cut(reference, ":"); kind {
	case "env":
		if value := getenv(name); value != "" {
			return value, nil
		}
		return "", fmt.Errorf("the environment variable %s is empty", name)
	case "file":
		b, err := os.ReadFile(name)
		return strings.TrimRight(string(b), "\r\n"), err
	}
	return "", errors.New("a secret is not written on a command line: want env:NAME or file:PATH")
}

// decodeInto fills the struct in and returns every problem that the inputs have, in the order of the fields.
func (s source) decodeInto(in reflect.Value, fields []Field) []error {
	problems := slices.Clone(s.problems)
	for _, f := range fields {
		if f.Rest && len(s.rest) > 0 {
			setField(in.FieldByIndex(f.index), s.rest) // as they are: a comma in them separates nothing
			continue
		}
		text, as, err := s.pick(f)
		if err != nil {
			problems = append(problems, err)
			s.excuse(f.Name)
			continue
		}
		if text == "" {
			if f.Required && !s.excused[f.Name] && !s.has(f.Unless) {
				problems = append(problems, fmt.Errorf("%s is required: %s", as, f.Doc))
			}
			if text = f.Default; text == "" {
				continue
			}
		}
		value, err := f.decode(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", as, f.shown(text), err))
			s.excuse(f.Name)
			continue
		}
		setField(in.FieldByIndex(f.index), value)
	}
	for _, err := range validate(in) {
		if missing := (missingInput{}); errors.As(err, &missing) && s.excused[missing.name] {
			continue
		}
		if !slices.ContainsFunc(problems, func(p error) bool { return p.Error() == err.Error() }) {
			problems = append(problems, err)
		}
	}
	return problems
}

// has reports whether something was given for an input; for none there never is.
func (s source) has(name string) bool {
	return slices.ContainsFunc(s.values[name], func(v given) bool { return strings.TrimSpace(v.value) != "" })
}

// pick chooses the text of a field among what was given under its name and its aliases. The runner passes the default that
// action.yml declares as if it had been given: an alias beside it is what the user meant.
func (s source) pick(f Field) (text, as string, err error) {
	values := s.values[f.Name]
	as = s.dashes + f.Name
	for _, v := range values {
		value := v.value
		switch {
		case strings.TrimSpace(value) == "":
			continue
		case f.Kind != JSON && f.Kind != Map:
			value = strings.TrimSpace(value)
		}
		passed := v.as == f.Name && value == f.Default
		switch {
		case text == "" || (as == f.Name && text == f.Default): // a flag is never called as its field is
			text, as = value, v.as
		case passed, value == text:
		case v.as == as:
			return "", as, fmt.Errorf("%s is given twice, as %s and as %s: give it once", as, f.shown(text), f.shown(value))
		default:
			return "", as, fmt.Errorf("%s and %s are one input, given as %s and as %s: give one of them",
				as, v.as, f.shown(text), f.shown(value))
		}
	}
	return text, as, nil
}

// shown is a value as a message may show it. The values of a map are not: among variables there is often a password.
func (f Field) shown(text string) string {
	switch {
	case f.Secret:
		return "(a secret)"
	case f.Kind == Map:
		return fmt.Sprintf("(lines: %d)", len(splitLines(text)))
	}
	if short := prefix(text, 80); short != text {
		text = short + "…"
	}
	return strconv.Quote(text)
}

// setField stores a decoded value, also in a field of a named type.
func setField(field reflect.Value, value any) {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	field.Set(reflect.ValueOf(value).Convert(field.Type()))
}

// validate calls the checks of the inputs and of the structs embedded in them.
func validate(in reflect.Value) []error {
	var problems []error
	for i := range in.NumField() {
		if f := in.Type().Field(i); f.Anonymous && f.IsExported() && f.Type.Kind() == reflect.Struct {
			problems = append(problems, validate(in.Field(i))...)
		}
	}
	if v, ok := in.Addr().Interface().(Validator); ok {
		for _, err := range v.Validate() {
			// A method that is promoted from an embedded struct is met twice.
			if err != nil && !slices.ContainsFunc(problems, func(p error) bool { return p.Error() == err.Error() }) {
				problems = append(problems, err)
			}
		}
	}
	return problems
}
