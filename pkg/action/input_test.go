package action

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type strategy string

type connection struct {
	Region string `input:"region" doc:"The region." alias:"aws-region"`
}

type everything struct {
	connection2
	Cluster  string            `input:"cluster" required:"true" doc:"The cluster's name."`
	Strategy strategy          `input:"strategy" enum:"rolling,canary" default:"rolling"`
	Wait     bool              `input:"wait" default:"true" alias:"wait-for-service-stability"`
	Count    int               `input:"count" min:"1" max:"10"`
	Timeout  time.Duration     `input:"timeout" default:"10m" min:"1s" max:"6h" alias:"wait-for-minutes(m)"`
	Grace    time.Duration     `input:"grace" default:"auto" zero:"auto" min:"1m"`
	Tags     []string          `input:"tags"`
	Env      map[string]string `input:"environment"`
	Document json.RawMessage   `input:"document"`
	Token    string            `input:"token" secret:"true"`
	Flavours []string          `input:"flavours" enum:"plain,salted"`
}

type connection2 = connection

// TestDecode tells for each kind of input what is accepted and how it is refused, from the environment.
func TestDecode(t *testing.T) {
	defaults := func(change func(*everything)) everything {
		e := everything{Cluster: "c", Strategy: "rolling", Wait: true, Timeout: 10 * time.Minute}
		if change != nil {
			change(&e)
		}
		return e
	}
	for _, test := range []struct {
		name     string
		environ  []string
		want     everything
		problems []string
	}{
		{name: "defaults", environ: []string{"INPUT_CLUSTER=c"}, want: defaults(nil)},
		{name: "a word for 0", environ: []string{"INPUT_CLUSTER=c", "INPUT_GRACE=auto"}, want: defaults(nil)},
		{name: "instead of the word", environ: []string{"INPUT_CLUSTER=c", "INPUT_GRACE=2m"},
			want: defaults(func(e *everything) { e.Grace = 2 * time.Minute })},
		{name: "neither the word nor in range", environ: []string{"INPUT_CLUSTER=c", "INPUT_GRACE=0s"},
			problems: []string{"grace: \"0s\": out of range: want a duration of at least 1m, or auto"}},
		{name: "another word", environ: []string{"INPUT_CLUSTER=c", "INPUT_GRACE=Auto", "INPUT_TIMEOUT=auto"},
			problems: []string{"timeout: \"auto\": want a duration such as 90s, 10m or 1h30m from 1s to 6h",
				"grace: \"Auto\": want a duration such as 90s, 10m or 1h30m of at least 1m, or auto"}},
		{name: "blanks around a value", environ: []string{"INPUT_CLUSTER= c\n"}, want: defaults(nil)},
		{name: "empty is not given", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIMEOUT=", "INPUT_UNHEARD-OF="}, want: defaults(nil)},
		{name: "missing", problems: []string{"cluster is required: The cluster's name."}},
		{name: "empty, so missing", environ: []string{"INPUT_CLUSTER= "}, problems: []string{"cluster is required: The cluster's name."}},
		{name: "embedded", environ: []string{"INPUT_CLUSTER=c", "INPUT_REGION=eu-central-1"},
			want: defaults(func(e *everything) { e.Region = "eu-central-1" })},
		{name: "alias", environ: []string{"INPUT_CLUSTER=c", "INPUT_AWS-REGION=eu-central-1"},
			want: defaults(func(e *everything) { e.Region = "eu-central-1" })},
		{name: "alias and name agree", environ: []string{"INPUT_CLUSTER=c", "INPUT_REGION=r", "INPUT_AWS-REGION=r"},
			want: defaults(func(e *everything) { e.Region = "r" })},
		{name: "alias and name differ", environ: []string{"INPUT_CLUSTER=c", "INPUT_REGION=r", "INPUT_AWS-REGION=s"},
			problems: []string{`aws-region and region are one input, given as "s" and as "r": give one of them`}},
		{name: "alias with a unit", environ: []string{"INPUT_CLUSTER=c", "INPUT_WAIT-FOR-MINUTES=30"},
			want: defaults(func(e *everything) { e.Timeout = 30 * time.Minute })},
		{name: "alias with its own unit", environ: []string{"INPUT_CLUSTER=c", "INPUT_WAIT-FOR-MINUTES=30s"},
			want: defaults(func(e *everything) { e.Timeout = 30 * time.Second })},
		{name: "alias beside the default that the runner passes", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIMEOUT=10m",
			"INPUT_WAIT-FOR-MINUTES=30"},
			want: defaults(func(e *everything) { e.Timeout = 30 * time.Minute })},
		{name: "bool", environ: []string{"INPUT_CLUSTER=c", "INPUT_WAIT=FALSE"}, want: defaults(func(e *everything) { e.Wait = false })},
		{name: "bool of YAML 1.1", environ: []string{"INPUT_CLUSTER=c", "INPUT_WAIT=yes"}, problems: []string{`wait: "yes": want true or false`}},
		{name: "bool as a number", environ: []string{"INPUT_CLUSTER=c", "INPUT_WAIT=0"}, problems: []string{`wait: "0": want true or false`}},
		{name: "int", environ: []string{"INPUT_CLUSTER=c", "INPUT_COUNT=10"}, want: defaults(func(e *everything) { e.Count = 10 })},
		{name: "int out of range", environ: []string{"INPUT_CLUSTER=c", "INPUT_COUNT=11"},
			problems: []string{`count: "11": out of range: want a whole number from 1 to 10`}},
		{name: "no int", environ: []string{"INPUT_CLUSTER=c", "INPUT_COUNT=1.5"},
			problems: []string{`count: "1.5": want a whole number from 1 to 10`}},
		{name: "duration without unit", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIMEOUT=10"},
			problems: []string{`timeout: "10": a duration needs its unit, as in 30s or 10m`}},
		{name: "duration too long", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIMEOUT=7h"},
			problems: []string{`timeout: "7h": out of range: want a duration from 1s to 6h`}},
		{name: "negative duration", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIMEOUT=-1m"},
			problems: []string{`timeout: "-1m": out of range: want a duration from 1s to 6h`}},
		{name: "no duration", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIMEOUT=soon"},
			problems: []string{`timeout: "soon": want a duration such as 90s, 10m or 1h30m from 1s to 6h`}},
		{name: "enum", environ: []string{"INPUT_CLUSTER=c", "INPUT_STRATEGY=canary"},
			want: defaults(func(e *everything) { e.Strategy = "canary" })},
		{name: "not in the enum", environ: []string{"INPUT_CLUSTER=c", "INPUT_STRATEGY=canarry"},
			problems: []string{`strategy: "canarry": want one of rolling, canary (did you mean canary?)`}},
		{name: "list", environ: []string{"INPUT_CLUSTER=c", "INPUT_TAGS=a, b\r\nc,\n\nd "},
			want: defaults(func(e *everything) { e.Tags = []string{"a", "b", "c", "d"} })},
		{name: "list of an enum", environ: []string{"INPUT_CLUSTER=c", "INPUT_FLAVOURS=plain,salty"},
			problems: []string{`flavours: "plain,salty": want one of plain, salted (did you mean salted?)`}},
		{name: "map", environ: []string{"INPUT_CLUSTER=c", "INPUT_ENVIRONMENT=A=1\n\n B=x=y, z \nC="},
			want: defaults(func(e *everything) { e.Env = map[string]string{"A": "1", "B": "x=y, z ", "C": ""} })},
		{name: "map without =", environ: []string{"INPUT_CLUSTER=c", "INPUT_ENVIRONMENT=A=1\nB"},
			problems: []string{`environment: (lines: 2): line 2: want KEY=value`}},
		{name: "map with a key twice", environ: []string{"INPUT_CLUSTER=c", "INPUT_ENVIRONMENT=A=1\nA=2"},
			problems: []string{`environment: (lines: 2): line 2: A is given twice`}},
		{name: "json", environ: []string{"INPUT_CLUSTER=c", `INPUT_DOCUMENT={"a": []}`},
			want: defaults(func(e *everything) { e.Document = json.RawMessage(`{"a": []}`) })},
		{name: "json cut short", environ: []string{"INPUT_CLUSTER=c", "INPUT_DOCUMENT={\n \"a\": ["},
			problems: []string{`document: "{\n \"a\": [": want JSON: line 2, column 8: unexpected end of JSON input`}},
		{name: "json with a comma too many", environ: []string{"INPUT_CLUSTER=c", "INPUT_DOCUMENT={\"ä\": 1,\n}"},
			problems: []string{`document: "{\"ä\": 1,\n}": want JSON: line 2, column 1: invalid character '}' looking for beginning of object key string`}},
		{name: "runner's own inputs", environ: []string{"INPUT_CLUSTER=c", "INPUT_ARGS=x", "INPUT_ENTRYPOINT=/y", "INPUTX=z"},
			want: defaults(nil)},
		{name: "unknown, near", environ: []string{"INPUT_CLUSTER=c", "INPUT_TIME_OUT=5m"},
			problems: []string{"unknown input time_out: did you mean timeout?"}},
		{name: "misspelt and required is one problem", environ: []string{"INPUT_CLUSTRE=c"},
			problems: []string{"unknown input clustre: did you mean cluster?"}},
		{name: "unknown, far", environ: []string{"INPUT_CLUSTER=c", "INPUT_FLUX-CAPACITOR=on"},
			problems: []string{"unknown input flux-capacitor: there are region, cluster, strategy, wait, count, timeout, grace, tags, " +
				"environment, document, token, flavours"}},
		{name: "underscores for hyphens", environ: []string{"INPUT_CLUSTER=c", "INPUT_AWS_REGION=x"},
			problems: []string{"unknown input aws_region: did you mean aws-region?"}},
		{name: "all at once", environ: []string{"INPUT_COUNT=x", "INPUT_TIMEOUT=1", "INPUT_WAIT=on", "INPUT_TAG=a"}, problems: []string{
			"unknown input tag: did you mean tags?",
			"cluster is required: The cluster's name.",
			`wait: "on": want true or false`,
			`count: "x": want a whole number from 1 to 10`,
			`timeout: "1": a duration needs its unit, as in 30s or 10m`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields := fieldsOf(reflect.TypeFor[everything](), "input")
			var got everything
			problems := fromEnvironment(fields, test.environ).decodeInto(reflect.ValueOf(&got).Elem(), fields)
			if diff := cmp.Diff(test.problems, texts(problems)); diff != "" {
				t.Fatalf("problems (-want +got):\n%s", diff)
			}
			if len(test.problems) == 0 {
				if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(everything{})); diff != "" {
					t.Errorf("inputs (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestFlags tells the same for a command line.
func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		args     []string
		check    func(everything) bool
		problems []string
	}{
		{name: "both forms", args: []string{"--cluster", "c", "--count=3"}, check: func(e everything) bool {
			return e.Cluster == "c" &&
				e.Count == 3
		}},
		{name: "a value with =", args: []string{"--cluster=a=b"}, check: func(e everything) bool { return e.Cluster == "a=b" }},
		{name: "a value that begins with a hyphen", args: []string{"--cluster", "-c"},
			check: func(e everything) bool { return e.Cluster == "-c" }},
		{name: "switch", args: []string{"--cluster=c", "--wait"}, check: func(e everything) bool { return e.Wait }},
		{name: "switch off", args: []string{"--cluster=c", "--wait=false"}, check: func(e everything) bool { return !e.Wait }},
		{name: "switch with a word after it", args: []string{"--cluster=c", "--wait", "false"},
			problems: []string{`unexpected argument "false": inputs are given as --name value, a switch as --name=false`}},
		{name: "repeated list", args: []string{"--cluster=c", "--tags=a,b", "--tags", "c"},
			check: func(e everything) bool { return strings.Join(e.Tags, " ") == "a b c" }},
		{name: "repeated map", args: []string{"--cluster=c", "--environment=A=1,2", "--environment=B=3"},
			check: func(e everything) bool { return e.Env["A"] == "1,2" && e.Env["B"] == "3" }},
		{name: "repeated text", args: []string{"--cluster=c", "--cluster=d"},
			problems: []string{`--cluster is given twice, as "c" and as "d": give it once`}},
		{name: "alias", args: []string{"--cluster=c", "--wait-for-minutes=5"},
			check: func(e everything) bool { return e.Timeout == 5*time.Minute }},
		{name: "default beside an alias is a contradiction", args: []string{"--cluster=c", "--timeout=10m", "--wait-for-minutes=5"},
			problems: []string{`--timeout and --wait-for-minutes are one input, given as "10m" and as "5m": give one of them`}},
		{name: "misspelt", args: []string{"--clutser", "c"}, problems: []string{"unknown flag --clutser: did you mean --cluster?"}},
		{name: "one hyphen", args: []string{"-cluster=c", "--cluster=c"},
			problems: []string{"-cluster=c: flags are written with two hyphens: --cluster"}},
		{name: "no value", args: []string{"--cluster"}, problems: []string{"--cluster needs a value"}},
		{name: "no value before a flag", args: []string{"--count", "--cluster=c"}, problems: []string{"--count needs a value"}},
		{name: "secret from a variable", args: []string{"--cluster=c", "--token=env:TOKEN"},
			check: func(e everything) bool { return e.Token == "from-a-variable" }},
		{name: "secret from a file", args: []string{"--cluster=c", "--token", "file:" + file},
			check: func(e everything) bool { return e.Token == "from-a-file" }},
		{name: "secret in clear", args: []string{"--cluster=c", "--token=hunter22"},
			problems: []string{"--token: a secret is not written on a command line: want env:NAME or file:PATH"}},
		{name: "secret from nowhere", args: []string{"--cluster=c", "--token=env:NONE"},
			problems: []string{"--token: the environment variable NONE is empty"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields := fieldsOf(reflect.TypeFor[everything](), "input")
			var got everything
			getenv := func(name string) string { return map[string]string{"TOKEN": "from-a-variable"}[name] }
			problems := fromFlags(fields, test.args, getenv).decodeInto(reflect.ValueOf(&got).Elem(), fields)
			if diff := cmp.Diff(test.problems, texts(problems)); diff != "" {
				t.Fatalf("problems (-want +got):\n%s", diff)
			}
			if test.check != nil && !test.check(got) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSecretValuesAreNotRepeated(t *testing.T) {
	type in struct {
		Key      json.RawMessage `input:"key" secret:"true" alias:"credential"`
		Strength string          `input:"strength" secret:"true" enum:"hunter1,hunter3"`
	}
	fields := fieldsOf(reflect.TypeFor[in](), "input")
	for _, environ := range [][]string{
		{"INPUT_KEY=hunter2!"},
		{"INPUT_KEY=hunter2", "INPUT_CREDENTIAL=hunter22"},
		{"INPUT_STRENGTH=hunter2"},
	} {
		problems := fromEnvironment(fields, environ).decodeInto(reflect.ValueOf(&in{}).Elem(), fields)
		if len(problems) != 1 || strings.Contains(problems[0].Error(), "hunter2") {
			t.Errorf("%v: %v", environ, problems)
		}
	}
}

type checked struct {
	checkedToo
	From string `input:"from"`
	To   string `input:"to"`
}

type checkedToo struct {
	Low  int `input:"low"`
	High int `input:"high"`
}

func (c checked) Validate() []error {
	if c.From != "" && c.From == c.To {
		return append(c.checkedToo.Validate(), errors.New("from and to are the same"))
	}
	return c.checkedToo.Validate()
}

func (c checkedToo) Validate() []error {
	if c.Low > c.High {
		return []error{errors.New("low is above high")}
	}
	return nil
}

func TestValidateJoinsTheOtherProblems(t *testing.T) {
	fields := fieldsOf(reflect.TypeFor[checked](), "input")
	given := fromEnvironment(fields, []string{"INPUT_FROM=a", "INPUT_TO=a", "INPUT_LOW=2", "INPUT_HIGH=x"})
	got := texts(given.decodeInto(reflect.ValueOf(&checked{}).Elem(), fields))
	want := []string{`high: "x": want a whole number`, "low is above high", "from and to are the same"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrongTagsPanic(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"upper case": reflect.TypeFor[struct {
			A string `input:"Cluster"`
		}](),
		"taken": reflect.TypeFor[struct {
			A string `input:"a"`
			B string `input:"b" alias:"a"`
		}](),
		"type": reflect.TypeFor[struct {
			A float64 `input:"a"`
		}](),
		"default out of range": reflect.TypeFor[struct {
			A int `input:"a" max:"3" default:"4"`
		}](),
		"required with a default": reflect.TypeFor[struct {
			A int `input:"a" required:"true" default:"4"`
		}](),
		"reserved": reflect.TypeFor[struct {
			A bool `input:"json"`
		}](),
		"alias": reflect.TypeFor[struct {
			A bool `input:"a" alias:"b(d)"`
		}](),
		"range that is none": reflect.TypeFor[struct {
			A int `input:"a" min:"low"`
		}](),
		"unexported": reflect.TypeFor[struct {
			a int `input:"a"`
		}](),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			fieldsOf(typ, "input")
		})
	}
}

func texts(errs []error) []string {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}
