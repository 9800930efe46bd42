package action

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Shared is embedded by its exported name, as a connection's inputs are.
type Shared struct {
	Area string `input:"area-code" default:"0"`
}

// Validate tells one thing twice, as a method that is promoted does.
func (s Shared) Validate() []error {
	if s.Area != "0" {
		return []error{nil, errors.New("area-code: not 0"), errors.New("area-code: not 0")}
	}
	return nil
}

// Label is embedded, and no struct.
type Label string

type choosy struct {
	Shared
	Label
	Other  Shared            // not embedded: nobody asks it
	Zone   string            `input:"zone" default:"z" alias:"area,acre,zoning" doc:"The zone."`
	Must   string            `input:"must" required:"true" doc:"Needed."`
	Need   string            `input:"need" required:"true" doc:"Needed too."`
	Limit  *int              `input:"limit"`
	Kinds  []string          `input:"kinds" enum:"plain,salted" alias:"flavours"`
	Env    map[string]string `input:"environment"`
	Text   json.RawMessage   `input:"document"`
	Secret string            `input:"secret" secret:"true"`
	Number int               `input:"number"`
}

// Validate says again what decoding has said.
func (choosy) Validate() []error { return []error{errors.New("need is required: Needed too.")} }

// TestChoice tells which of several values of one input counts, and what is said where none does.
func TestChoice(t *testing.T) {
	needed := "need is required: Needed too."
	for _, test := range []struct {
		name     string
		environ  []string // without INPUT_
		check    func(choosy) bool
		problems []string // beside needed, which Validate tells
	}{
		{name: "an alias before the default that the runner passes", environ: []string{"AREA=x", "ZONE=z"},
			check: func(c choosy) bool { return c.Zone == "x" }},
		{name: "an alias that says the default", environ: []string{"AREA=z", "ZONE=y"},
			problems: []string{`area and zone are one input, given as "z" and as "y": give one of them`}},
		{name: "two aliases, one the default", environ: []string{"ACRE=x", "AREA=z"},
			problems: []string{`acre and area are one input, given as "x" and as "z": give one of them`}},
		{name: "a value, then an alias", environ: []string{"ZONE=y", "ZONING=x"},
			problems: []string{`zone and zoning are one input, given as "y" and as "x": give one of them`}},
		{name: "the default, then an alias", environ: []string{"ACRE=z", "AREA=z"}, check: func(c choosy) bool { return c.Zone == "z" }},
		{name: "blanks within a map", environ: []string{"ENVIRONMENT=A= 1 "}, check: func(c choosy) bool { return c.Env["A"] == " 1 " }},
		{name: "a pointer", environ: []string{"LIMIT=3"}, check: func(c choosy) bool { return c.Limit != nil && *c.Limit == 3 }},
		{name: "no pointer", check: func(c choosy) bool { return c.Limit == nil }},
		{name: "the embedded check", environ: []string{"AREA-CODE=1"}, problems: []string{"area-code: not 0"}},
		{name: "a value of 80 bytes", environ: []string{"NUMBER=" + strings.Repeat("x", 80)},
			problems: []string{`number: "` + strings.Repeat("x", 80) + `": want a whole number`}},
		{name: "a longer value", environ: []string{"NUMBER=" + strings.Repeat("x", 81)},
			problems: []string{`number: "` + strings.Repeat("x", 80) + `…": want a whole number`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields := fieldsOf(reflect.TypeFor[choosy](), "input")
			environ := []string{"INPUT_MUST=x", "INPUT_NEED=x"}
			for _, entry := range test.environ {
				environ = append(environ, "INPUT_"+entry)
			}
			var got choosy
			problems := texts(fromEnvironment(fields, environ).decodeInto(reflect.ValueOf(&got).Elem(), fields))
			if diff := cmp.Diff(append(test.problems, needed), problems); diff != "" {
				t.Fatalf("problems (-want +got):\n%s", diff)
			}
			if test.check != nil && !test.check(got) {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("what is said twice is told once, and what is misspelt is not missing", func(t *testing.T) {
		fields := fieldsOf(reflect.TypeFor[choosy](), "input")
		var got choosy
		problems := texts(fromEnvironment(fields, []string{"INPUT_MUSTT=x", "INPUT_ZONNE=x"}).decodeInto(reflect.ValueOf(&got).Elem(), fields))
		want := []string{"unknown input mustt: did you mean must?", "unknown input zonne: did you mean zone?", needed}
		if diff := cmp.Diff(want, problems); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
}

func TestUnitsOfAliases(t *testing.T) {
	minutes := Alias{Name: "minutes", Unit: "m"}
	for value, want := range map[string]string{
		"30": "30m", " 30\n": "30m", "30s": "30s", "1a": "1a", "4294967295": "4294967295m", "4294967296": "4294967296", "-1": "-1", "": "",
	} {
		if got := minutes.apply(value); got != want {
			t.Errorf("%q becomes %q, want %q", value, got, want)
		}
	}
}

// TestFlagsThatEveryCommandHas reads the flags beside the inputs, and what is not one.
func TestFlagsThatEveryCommandHas(t *testing.T) {
	type flags struct{ help, json, debug bool }
	for _, test := range []struct {
		args     string
		want     flags
		problems []string
	}{
		{"", flags{}, nil},
		{"-h", flags{help: true}, nil},
		{"--help", flags{help: true}, nil},
		{"--json", flags{json: true}, nil},
		{"--debug", flags{debug: true}, nil},
		{"--json --debug=true --help=false", flags{json: true, debug: true}, nil},
		{"--json=maybe", flags{}, []string{`--json: "maybe": want true or false`}},
		{"--json false", flags{json: true}, []string{`unexpected argument "false": inputs are given as --name value, a switch as --name=false`}},
		{"h", flags{}, []string{`unexpected argument "h": inputs are given as --name value, a switch as --name=false`}},
		{"--", flags{}, []string{`unexpected argument "--": inputs are given as --name value, a switch as --name=false`}},
		{"--=x", flags{}, []string{`unexpected argument "--=x": inputs are given as --name value, a switch as --name=false`}},
		{"-", flags{}, []string{`unexpected argument "-": inputs are given as --name value, a switch as --name=false`}},
		{"-~=1", flags{}, []string{"-~=1: flags are written with two hyphens: --~"}},
		{"--nede x --json", flags{json: true}, []string{"unknown flag --nede: did you mean --need?"}},
		{"--nede", flags{}, []string{"unknown flag --nede: did you mean --need?"}},
		{"--nede --json", flags{json: true}, []string{"unknown flag --nede: did you mean --need?"}},
		{"--nede -x", flags{}, []string{"unknown flag --nede: did you mean --need?", "-x: flags are written with two hyphens: --x"}},
		{"--nede=x y", flags{},
			[]string{"unknown flag --nede: did you mean --need?",
				`unexpected argument "y": inputs are given as --name value, a switch as --name=false`}},
		{"--secret", flags{}, []string{"--secret needs a value"}},
		{"--secret --json", flags{json: true}, []string{"--secret needs a value"}},
		{"--secret=file:/no/such/file", flags{}, []string{"--secret: open /no/such/file: no such file or directory"}},
	} {
		c := fromFlags(fieldsOf(reflect.TypeFor[choosy](), "input"), strings.Fields(test.args), func(string) string { return "" })
		if diff := cmp.Diff(test.problems, texts(c.problems)); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", test.args, diff)
		}
		if got := (flags{c.help, c.json, c.debug}); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.args, got, test.want)
		}
	}
}

// TestArguments reads what has a place rather than a name, what stands behind "--", and what is not required beside something else.
func TestArguments(t *testing.T) {
	type placed struct {
		Tool    string   `input:"tool" arg:"TOOL"`
		Files   []string `input:"files" arg:"FILE ..."`
		Cluster string   `input:"cluster" required:"true" unless:"config" doc:"The cluster."`
		Config  string   `input:"config"`
		Command []string `input:"command" required:"true" arg:"CMD" rest:"true" doc:"What to run."`
	}
	fields := fieldsOf(reflect.TypeFor[placed](), "input")
	for _, test := range []struct {
		name     string
		args     []string
		want     placed
		problems []string
	}{
		{"all of it", []string{"psql", "a", "--cluster=c", "b", "--", "ls", "-l", "a,b"},
			placed{Tool: "psql", Files: []string{"a", "b"}, Cluster: "c", Command: []string{"ls", "-l", "a,b"}}, nil},
		{"a command of one word", []string{"--cluster=c", "--", "ls"}, placed{Cluster: "c", Command: []string{"ls"}}, nil},
		{"an empty argument has its place", []string{"", "a", "--cluster=c", "--", "ls"},
			placed{Files: []string{"a"}, Cluster: "c", Command: []string{"ls"}}, nil},
		{"no command", []string{"--cluster=c", "--"}, placed{}, []string{"--command is required: What to run."}},
		{"no cluster", []string{"--", "ls"}, placed{}, []string{"--cluster is required: The cluster."}},
		{"a file instead of a cluster", []string{"--config=f", "--", "ls"}, placed{Config: "f", Command: []string{"ls"}}, nil},
		{"an empty name of a file is none", []string{"--config= ", "--", "ls"}, placed{}, []string{"--cluster is required: The cluster."}},
	} {
		var got placed
		problems := fromFlags(fields, test.args, func(string) string { return "" }).decodeInto(reflect.ValueOf(&got).Elem(), fields)
		if diff := cmp.Diff(test.problems, texts(problems)); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.want, got); diff != "" && test.problems == nil {
			t.Errorf("%s: (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestValueIn(t *testing.T) {
	environ := []string{"AB=2", "A=1=x", "A=3"}
	for name, want := range map[string]string{"A": "1=x", "AB": "2", "B": "", "": ""} {
		if got := valueIn(environ, name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestFlagsThatAreRepeated(t *testing.T) {
	fields := fieldsOf(reflect.TypeFor[choosy](), "input")
	decode := func(args ...string) (choosy, []string) {
		var got choosy
		args = append(args, "--must=x", "--need=x")
		problems := texts(fromFlags(fields, args, func(string) string { return "" }).decodeInto(reflect.ValueOf(&got).Elem(), fields))
		return got, problems[:len(problems)-1] // less what Validate tells
	}
	if got, problems := decode("--zone=y", "--zone="); got.Zone != "y" || len(problems) > 0 {
		t.Errorf("an empty one behind: %+v %q", got, problems)
	}
	if got, problems := decode("--zone=", "--zone=y"); got.Zone != "y" || len(problems) > 0 {
		t.Errorf("an empty one before: %+v %q", got, problems)
	}
	if _, problems := decode("--flavours=plain", "--kinds=salty"); len(problems) != 1 || !strings.HasPrefix(problems[0], "--flavours: ") {
		t.Errorf("a list under two names: %q", problems)
	}
	if _, problems := decode("--secret=a", "--secret=env:NONE"); len(problems) != 2 {
		t.Errorf("a secret that is refused twice: %q", problems)
	}
}

func TestShown(t *testing.T) {
	if got := (Field{Secret: true}).shown("hunter2"); got != "(a secret)" {
		t.Errorf("a secret is shown as %q", got)
	}
}
