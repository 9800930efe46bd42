package action

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/internal/nearest"
)

// Kind is the form of an input's or output's value.
type Kind string

// The kinds, with the Go types that have them.
const (
	String   Kind = "string"   // string and types made of it
	Bool     Kind = "bool"     // bool; true, True, TRUE, false, False, FALSE
	Int      Kind = "int"      // int
	Duration Kind = "duration" // time.Duration; "90s", "1h30m"
	List     Kind = "list"     // []string; one per line, or separated by commas
	Map      Kind = "map"      // map[string]string; KEY=value lines
	JSON     Kind = "json"     // json.RawMessage; any JSON document
)

// Field is one input or output, as the tags of its struct field say:
//
//	input:"name"          the public name: lower case, digits and hyphens
//	output:"name"         the same for outputs
//	doc:"…"               what it is, for --help, action.yml and the README
//	required:"true"       must be given
//	unless:"file"         required, unless this other input is given, from which its value comes
//	default:"10m"         what holds when it is not given
//	enum:"a,b"            the only values accepted
//	min:"1" max:"10"      the range of an int or a duration, both ends included
//	zero:"auto"           a word for a duration that the action decides on; its value is 0
//	secret:"true"         the value is masked and never printed
//	path:"read"           it names files (a list: one an item; KEY=value lines: each value), or something else that is not an absolute
//	                      path; "write": to be written
//	alias:"other,old(m)"  other names under which it is accepted; "(m)" is the unit of a bare number given under that name
//	short:"f"             its flag's letter in a terminal
//	arg:"REV"             in a terminal it may be given without its flag, in the order of such fields; the text is for the usage
//	group:"AWS"           the heading under which the help lists it, behind the action's own; on an embedded struct for all its fields
//	rest:"true"           a list that takes, in a terminal, everything behind "--" as it is
//
// Fields of embedded structs are taken as if they stood there themselves. A pointer to one of the types is for outputs
// that may be unknown: nil is written as nothing.
//
// Inputs can be composed of the inputs of parts, which are fields of a struct type:
//
//	part:"true"           its inputs are inputs of the whole, but for those that the whole declares itself: these the part shares
//	rename:"name=other"   other names for them in the whole, separated by commas
//	takes:"name,other"    those whose value is that of another part's input of this name
//
// Share brings what is shared to the parts. What the whole does not want of them, it excludes by name (Excluder).
type Field struct {
	Name     string
	Kind     Kind
	Doc      string
	Required bool
	Unless   string // the other input that makes it not required
	Default  string
	Enum     []string
	Min, Max string
	Zero     string
	Secret   bool
	Path     string // read or write, where it names files
	Group    string // heading of the help, or empty for what is the action's own
	Short    string // one letter
	Arg      string // what the usage calls it, where it needs no flag
	Rest     bool
	Aliases  []Alias

	index []int
}

// Alias is another name of an input.
type Alias struct {
	Name string
	Unit string // appended to a bare number: "m" makes "30" thirty minutes
}

var (
	namePattern  = lazyregexp.New(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	aliasPattern = lazyregexp.New(`^([a-zA-Z][a-zA-Z0-9_-]*)(?:\((s|m|h)\))?$`)
)

// fieldsOf reads the tags of a struct. A wrong tag is a fault of the program, found by the first test that touches the action.
func fieldsOf(t reflect.Type, tag string) []Field {
	var fields []Field
	taken := map[string]bool{}
	add := func(field Field) {
		field.check(t, taken)
		fields = append(fields, field)
	}
	visible := reflect.VisibleFields(t)
	types := map[string]reflect.Type{} // of the whole's own, by name
	for _, f := range visible {
		if name, ok := f.Tag.Lookup(tag); ok {
			types[name] = f.Type
		}
	}
	taking := map[string]reflect.Type{}
	for _, f := range visible {
		if name, ok := f.Tag.Lookup(tag); ok {
			add(fieldOf(t, f, name))
			continue
		}
		p, ok := partOf(t, f)
		if !ok {
			continue
		}
		for _, at := range p.places(excludedBy(t)) {
			own, declared := types[at.Name]
			switch {
			case declared && own != at.typ:
				panic(fmt.Sprintf("%s: the input %s is a %s, and a %s in %s", t, at.Name, own, at.typ, at.from))
			case declared:
			case at.takes:
				taking[at.Name] = at.typ
			default:
				add(at.Field)
			}
		}
	}
	for name, typ := range taking {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		if i < 0 || t.FieldByIndex(fields[i].index).Type != typ {
			panic(fmt.Sprintf("%s: no part has an input %s of the type %s to take", t, name, typ))
		}
	}
	return fields
}

// fieldOf reads the tags of one field.
func fieldOf(t reflect.Type, f reflect.StructField, name string) Field {
	field := Field{
		Name:     name,
		Kind:     kindOf(f.Type),
		Doc:      f.Tag.Get("doc"),
		Required: f.Tag.Get("required") == "true",
		Unless:   f.Tag.Get("unless"),
		Default:  f.Tag.Get("default"),
		Min:      f.Tag.Get("min"),
		Max:      f.Tag.Get("max"),
		Zero:     f.Tag.Get("zero"),
		Secret:   f.Tag.Get("secret") == "true",
		Path:     f.Tag.Get("path"),
		Group:    groupOf(t, f),
		Short:    f.Tag.Get("short"),
		Arg:      f.Tag.Get("arg"),
		Rest:     f.Tag.Get("rest") == "true",
		Aliases:  aliasesOf(f.Tag.Get("alias")),
		index:    f.Index,
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		field.Enum = strings.Split(enum, ",")
	}
	if !f.IsExported() {
		panic(fmt.Sprintf("%s: the field tagged %q is not exported", t, name))
	}
	return field
}

// groupOf returns the heading that a field's tag gives, or else that of the innermost embedded struct that it is of.
func groupOf(t reflect.Type, f reflect.StructField) string {
	if group := f.Tag.Get("group"); group != "" {
		return group
	}
	for n := len(f.Index) - 1; n > 0; n-- {
		if group := t.FieldByIndex(f.Index[:n]).Tag.Get("group"); group != "" {
			return group
		}
	}
	return ""
}

// check panics where a field's tags contradict themselves or each other.
func (f Field) check(t reflect.Type, taken map[string]bool) {
	fail := func(format string, args ...any) {
		panic(fmt.Sprintf("%s: field tagged %q: ", t, f.Name) + fmt.Sprintf(format, args...))
	}
	if !namePattern.MatchString(f.Name) {
		fail("a name is lower-case words joined by hyphens")
	}
	if f.Kind == "" {
		fail("its type has no form as text")
	}
	names := []string{f.Name}
	for _, alias := range f.Aliases {
		names = append(names, alias.Name)
	}
	for _, name := range names {
		if taken[strings.ToUpper(name)] {
			fail("the name %s is taken", name)
		}
		taken[strings.ToUpper(name)] = true
	}
	if f.Zero != "" && f.Kind != Duration {
		fail("a word for 0, and it is not a duration")
	}
	if f.Required && f.Default != "" {
		fail("required, yet with a default")
	}
	if f.Unless != "" && !f.Required {
		fail("not required, unless another input is given")
	}
	if len(f.Short) > 1 || f.Short == "h" {
		fail("the short form is one letter, and not h")
	}
	if f.Short != "" && taken["-"+f.Short] {
		fail("the letter %s is taken", f.Short)
	}
	taken["-"+f.Short] = true
	if f.Rest && f.Kind != List {
		fail("it takes what is behind --, and is not a list")
	}
	if slices.Contains(reservedFlags, f.Name) {
		fail("the flag is reserved")
	}
	for _, limit := range []string{f.Min, f.Max} {
		if limit == "" {
			continue
		}
		if _, err := (Field{Kind: f.Kind}).decode(limit); err != nil || (f.Kind != Int && f.Kind != Duration) {
			fail("%q is not a limit for this type", limit)
		}
	}
	if f.Default != "" {
		if _, err := f.decode(f.Default); err != nil {
			fail("default: %v", err)
		}
	}
}

func aliasesOf(tag string) []Alias {
	var aliases []Alias
	for name := range strings.SplitSeq(tag, ",") {
		if name == "" {
			continue
		}
		m := aliasPattern.FindStringSubmatch(strings.TrimSpace(name))
		if m == nil {
			panic(fmt.Sprintf("alias %q: want NAME or NAME(s), NAME(m), NAME(h)", name))
		}
		aliases = append(aliases, Alias{Name: m[1], Unit: m[2]})
	}
	return aliases
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[json.RawMessage]()
)

func kindOf(t reflect.Type) Kind {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return Duration
	case t == rawType:
		return JSON
	case t.Kind() == reflect.String:
		return String
	case t.Kind() == reflect.Bool:
		return Bool
	case t.Kind() == reflect.Int:
		return Int
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return List
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String:
		return Map
	}
	return ""
}

// decode turns the text of an input into a value for its field. Its error says what is accepted, and does not repeat the
// value: the caller knows whether it may be shown.
func (f Field) decode(text string) (any, error) {
	switch f.Kind {
	case Bool:
		return decodeBool(text)
	case Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("want a whole number%s", f.rangeText())
		}
		if !within(n, f.Min, f.Max, strconv.Atoi) {
			return nil, fmt.Errorf("out of range: want a whole number%s", f.rangeText())
		}
		return n, nil
	case Duration:
		if f.Zero != "" && text == f.Zero {
			return time.Duration(0), nil
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			if _, number := strconv.Atoi(text); number == nil {
				return nil, fmt.Errorf("a duration needs its unit, as in 30s or 10m")
			}
			return nil, fmt.Errorf("want a duration such as 90s, 10m or 1h30m%s", f.rangeText())
		}
		if d < 0 || !within(d, f.Min, f.Max, time.ParseDuration) {
			return nil, fmt.Errorf("out of range: want a duration%s", f.rangeText())
		}
		return d, nil
	case List:
		items := decodeList(text)
		for _, item := range items {
			if len(f.Enum) > 0 && !slices.Contains(f.Enum, item) {
				return nil, fmt.Errorf("%s", f.enumText(item))
			}
		}
		return items, nil
	case Map:
		return decodeMap(text)
	case JSON:
		if err := checkJSON(text); err != nil {
			return nil, err
		}
		return json.RawMessage(text), nil
	default:
		if len(f.Enum) > 0 && !slices.Contains(f.Enum, text) {
			return nil, fmt.Errorf("%s", f.enumText(text))
		}
		return text, nil
	}
}

func (f Field) enumText(got string) string {
	text := "want one of " + strings.Join(f.Enum, ", ")
	if near := nearest.One(got, f.Enum); near != "" && !f.Secret {
		text += " (did you mean " + near + "?)"
	}
	return text
}

func (f Field) rangeText() string {
	if f.Zero != "" {
		return (Field{Min: f.Min, Max: f.Max}).rangeText() + ", or " + f.Zero
	}
	switch {
	case f.Min != "" && f.Max != "":
		return " from " + f.Min + " to " + f.Max
	case f.Min != "":
		return " of at least " + f.Min
	case f.Max != "":
		return " of at most " + f.Max
	}
	return ""
}

func within[N int | time.Duration](n N, low, high string, parse func(string) (N, error)) bool {
	if low != "" {
		if limit, err := parse(low); err != nil || n < limit {
			return false
		}
	}
	if high != "" {
		if limit, err := parse(high); err != nil || n > limit {
			return false
		}
	}
	return true
}

// decodeBool takes the spellings of the YAML 1.2 core schema, as GitHub's own toolkit does.
func decodeBool(text string) (bool, error) {
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, fmt.Errorf("want true or false")
}

// decodeList splits at line ends and commas; blank items are dropped.
func decodeList(text string) []string {
	var items []string
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// decodeMap reads KEY=value lines; a value is what follows the first "=", as it is.
func decodeMap(text string) (map[string]string, error) {
	m := map[string]string{}
	for i, line := range splitLines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		switch {
		case !ok || key == "":
			return nil, fmt.Errorf("line %d: want KEY=value", i+1)
		case hasKey(m, key):
			return nil, fmt.Errorf("line %d: %s is given twice", i+1, key)
		}
		m[key] = value
	}
	return m, nil
}

func hasKey(m map[string]string, key string) bool {
	_, ok := m[key]
	return ok
}

// checkJSON reports the first syntax error with its line and column (in characters, from 1).
func checkJSON(text string) error {
	var raw any
	err := json.Unmarshal([]byte(text), &raw)
	if err == nil {
		return nil
	}
	// The offset counts the bytes read when the error was noticed: the last of them is the one that is wrong.
	at := len(text)
	if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // json.Unmarshal returns it bare
		at = int(syntax.Offset)
		if !strings.HasPrefix(syntax.Error(), "unexpected end") {
			at = max(at-1, 0)
		}
	}
	before := text[:min(at, len(text))]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	return fmt.Errorf("want JSON: line %d, column %d: %w", line, column, err)
}
