package taskdef

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// TestDocuments says the right thing of each document of testdata/documents. Those that begin with ec2 are not for Fargate.
func TestDocuments(t *testing.T) {
	source, err := os.ReadFile("testdata/documents/answers.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, name := map[string][]string{}, ""
	for line := range strings.Lines(string(source)) {
		line = strings.TrimSuffix(line, "\n")
		switch text, answer := strings.CutPrefix(line, "\t"); {
		case answer:
			want[name] = append(want[name], text)
		case !strings.HasPrefix(line, "#"):
			name = line
			want[name] = nil
		}
	}
	files, err := filepath.Glob("testdata/documents/*.json")
	if err != nil || len(files) != len(want) || len(files) < 40 {
		t.Fatalf("%d files and %d answers, %v", len(files), len(want), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		answer, there := want[name]
		if !there {
			t.Errorf("%s has no answer", file)
			continue
		}
		if got := said(file, name); strings.Join(got, "\n") != strings.Join(answer, "\n") {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", file, strings.Join(got, "\n"), strings.Join(answer, "\n"))
		}
	}
}

func said(file, name string) []string {
	source, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	d, err := Parse(source)
	if err != nil {
		return []string{err.Error()}
	}
	lines := d.CheckTypes()
	for _, u := range d.Unknown() {
		lines = append(lines, u.String())
	}
	if !strings.HasPrefix(name, "ec2-") {
		lines = append(lines, d.Check()...)
	}
	return lines
}

// TestModelIsTheSDKs lets the SDK write a request in which every field is set, and finds each of its fields in the model.
func TestModelIsTheSDKs(t *testing.T) {
	in := &ecs.RegisterTaskDefinitionInput{}
	fill(reflect.ValueOf(in).Elem())
	var body []byte
	sent := errors.New("sent")
	client := ecs.New(ecs.Options{Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1,
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			body, _ = io.ReadAll(r.Body)
			return nil, sent
		})})
	if _, err := client.RegisterTaskDefinition(context.Background(), in); !errors.Is(err, sent) {
		t.Fatal(err)
	}
	d, err := Parse(body)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if wrong, unknown := d.CheckTypes(), d.Unknown(); len(wrong)+len(unknown) > 0 {
		t.Errorf("%q, %v", wrong, unknown)
	}
	if n := strings.Count(string(body), `":`); n < 150 {
		t.Errorf("only %d fields were written: %s", n, body)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// fill sets every field.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1.5)
	}
}

func TestNumbers(t *testing.T) {
	for number, want := range map[string]string{
		"1": "", "1.0": "", "1e3": "", "2147483647": "", "-2147483647": "", "null": "",
		"2147483648":   "cpu is 2147483648: it must be a whole number of at most 2147483647",
		"1e999":        "cpu is 1e999: it must be a whole number of at most 2147483647",
		"1e-999":       "cpu is 1e-999: it must be a whole number of at most 2147483647",
		"0.5":          "cpu is 0.5: it must be a whole number",
		"2147483648.5": "cpu is 2147483648.5: it must be a whole number",
		"true":         "cpu is true: it must be a number",
	} {
		d := mustParse(t, `{"containerDefinitions":[{"name":"a","cpu":`+number+`}]}`)
		got := strings.TrimPrefix(strings.Join(d.CheckTypes(), "\n"), "containerDefinitions[0].")
		if got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
	if (Document{}).CheckTypes() != nil || (Document{}).Unknown() != nil {
		t.Error("no document has problems")
	}
}

func TestTypo(t *testing.T) {
	d := mustParse(t, `{"containerDefinitions":[{"name":"a","enviroment":[],"envFile":1,"environments":2,"memoryLimits":3,"memories":4}]}`)
	var got []string
	for _, u := range d.Unknown() {
		got = append(got, u.Name+" "+u.Near)
		if u.Typo != (u.Name == "enviroment" || u.Name == "environments") {
			t.Errorf("%+v", u)
		}
	}
	if want := "enviroment environment, envFile , environments environment, memoryLimits , memories memory"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}

func TestDropped(t *testing.T) {
	sent := mustParse(t, `{"family":"f","tags":[{"key":"a","value":"b"}],"revision":7,"ipcMode":"","empty":[],"none":null,"zero":0.0,"off":false,
		"hollow":{"a":{"b":[]}},"newer":{"a":1},"containerDefinitions":[{"name":"a","image":"i","enviroment":[{"name":"A"}],
		"portMappings":[{"containerPort":80,"protocol":"tcp","speed":"fast"}]},{"name":"b","image":"j","on":true,"user":"1",
		"dockerLabels":{"a":"b"},"command":["a"]}]}`)
	answer := mustParse(t, `{"family":"f","containerDefinitions":[{"name":"a","image":"i","environment":[],"cpu":0,
		"portMappings":[{"containerPort":80,"protocol":"tcp"}]},{"name":"b","image":"j","dockerLabels":[],"command":"a"}]}`)
	var got []string
	for _, u := range sent.dropped(answer) {
		got = append(got, u.Path+" "+u.Near)
	}
	want := "newer , containerDefinitions[0].enviroment environment, containerDefinitions[0].portMappings[0].speed , " +
		"containerDefinitions[1].on , containerDefinitions[1].user "
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if lost := sent.dropped(sent); lost != nil {
		t.Errorf("what was given back is lost: %v", lost)
	}
	lists := mustParse(t, `{"containerDefinitions":[{"name":"a"},{"name":"b","x":1}]}`)
	if lost := lists.dropped(mustParse(t, `{"containerDefinitions":[{"name":"a"}]}`)); lost != nil {
		t.Errorf("lists of different length were compared: %v", lost)
	}
}

// TestTypesOfTheModel compares values with types that the model has nowhere today, or nowhere yet.
func TestTypesOfTheModel(t *testing.T) {
	for _, test := range []struct {
		name, value string
		as          reflect.Type
		want        string
	}{
		{"a long number", `9223372036854775807`, reflect.TypeFor[int64](), ""},
		{"a longer number", `9223372036854775808`, reflect.TypeFor[*int64](),
			"x is 9223372036854775808: it must be a whole number of at most 9223372036854775807"},
		{"a type that is not known", `1`, reflect.TypeFor[any](), ""},
	} {
		v, err := parseJSON([]byte(test.value))
		if err != nil {
			t.Fatal(err)
		}
		var w walk
		if w.value("x", v, test.as); strings.Join(w.wrong, "\n") != test.want {
			t.Errorf("%s: %q, want %q", test.name, w.wrong, test.want)
		}
	}
}

// TestFieldsOf reads those fields alone that a request has, in one order: of two that are as near the first is meant.
func TestFieldsOf(t *testing.T) {
	f := fieldsOf(reflect.TypeFor[ecs.RegisterTaskDefinitionInput]())
	if !slices.IsSorted(f.names) || !slices.Contains(f.names, "containerDefinitions") || slices.Contains(f.names, "noSmithyDocumentSerde") ||
		len(f.names) != len(f.types) {
		t.Errorf("got %q", f.names)
	}
}

func TestIndented(t *testing.T) {
	const want = "{\n  \"containerDefinitions\": [\n    {\n      \"name\": \"a\"\n    }\n  ]\n}\n"
	if got := string(mustParse(t, `{"containerDefinitions":[{"name":"a"}]}`).Indented()); got != want {
		t.Errorf("got %s", got)
	}
}
