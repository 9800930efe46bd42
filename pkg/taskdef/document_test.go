package taskdef

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// odd is a task definition as an API of the future might return it.
const odd = `{
  "taskDefinitionArn": "arn:aws:ecs:us-west-2:123456789012:task-definition/api:7", "revision": 7, "status": "ACTIVE",
  "requiresAttributes": [{"name": "x"}], "compatibilities": ["FARGATE"], "registeredAt": 1.7e9, "registeredBy": "me",
  "family": "api", "cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
  "executionRoleArn": "arn:aws:iam::123456789012:role/x",
  "futureNumber": 12345678901234567890.10, "volumes": [],
  "containerDefinitions": [
    {"name": "api", "image": "repo:1", "essential": true, "environment": [{"name": "A", "value": "1\u003c2 & \/"}],
     "connect2Unknown": {"a": [], "b": null}},
    {"name": "log", "image": "log:1", "essential": false}
  ]
}`

func mustParse(t *testing.T, source string) Document {
	t.Helper()
	d, err := Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEditsTouchOnlyWhatTheyName(t *testing.T) {
	d := mustParse(t, odd)
	d, err := d.WithFamily("web").WithImage("", `repo@sha256:abc`)
	if err != nil {
		t.Fatal(err)
	}
	got := string(d.Registrable().JSON())
	want := `{"family":"web","cpu":"256","memory":"512","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],` +
		`"executionRoleArn":"arn:aws:iam::123456789012:role/x","futureNumber":12345678901234567890.10,"volumes":[],` +
		`"containerDefinitions":[{"name":"api","image":"repo@sha256:abc","essential":true,` +
		`"environment":[{"name":"A","value":"1\u003c2 & \/"}],"connect2Unknown":{"a":[],"b":null}},` +
		`{"name":"log","image":"log:1","essential":false}]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEditLeavesTheOriginalAlone(t *testing.T) {
	d := mustParse(t, odd)
	before := string(d.JSON())
	if _, err := d.WithImage("api", "other"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.WithEnvironment("api", map[string]string{"A": "2", "B": "3"}); err != nil {
		t.Fatal(err)
	}
	d.WithFamily("other")
	if string(d.JSON()) != before {
		t.Errorf("an edit changed the document it was made from")
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ name, source, want string }{
		{"empty", " \n", "line 1, column 1: the document is empty"},
		{"trailing comma", "{\n  \"a\": 1,\n}", "line 3, column 1: "},
		{"cut short", "{\n  \"family\": \"ä", "line 2, column 15: the document ends too early"},
		{"two values", "{} {}", "line 1, column 4: "},
		{"repeated field", "{\"containerDefinitions\": [{\"name\": \"a\",\n \"image\": \"x\", \"image\": \"y\"}]}", `line 2, column 16: the field "image" is given twice`},
		{"a list", "[1]", "a task definition is a JSON object"},
		{"another object", `{"services": []}`, "no containerDefinitions"},
		{"no containers", `{"containerDefinitions": []}`, "at least one container"},
		{"an answer that holds none", `{"taskDefinition": "api:1"}`, "no containerDefinitions"},
		{"containers by name", `{"containerDefinitions": {"a": {"image": "x"}}}`, "at least one container"},
		{"a word for a container", `{"containerDefinitions": ["a"]}`, "containerDefinitions[0] must be an object with a name"},
		{"the second is nameless", `{"containerDefinitions": [{"name": "a"}, {"name": ""}]}`, "containerDefinitions[1] must be"},
		{"a number for a name", `{"containerDefinitions": [{"name": 1}]}`, "containerDefinitions[0].name is a number: it must be a string, in quotes"},
		{"no name", `{"containerDefinitions": [{"name": null}]}`, "containerDefinitions[0] must be an object with a name"},
		{"an empty name", `{"containerDefinitions": [{"name": ""}]}`, "containerDefinitions[0] must be an object with a name"},
		{"nameless", `{"containerDefinitions": [{"image": "x"}]}`, "containerDefinitions[0] must be an object with a name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.source))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestReadFileNamesFileAndPosition(t *testing.T) {
	path := filepath.Join(t.TempDir(), "task.json")
	if err := os.WriteFile(path, []byte("{\n \"a\": tru }"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadFile(path)
	if err == nil || !strings.HasPrefix(err.Error(), path+":2:") {
		t.Errorf("got %v, want %s:2:…", err, path)
	}
	if _, err := ReadFile(path + ".missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
	if err := os.WriteFile(path, []byte("[1]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || err.Error() != path+": a task definition is a JSON object" {
		t.Errorf("JSON that is not a task definition: got %v", err)
	}
	if err := os.WriteFile(path, []byte(odd), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := ReadFile(path); err != nil || d.Family() != "api" {
		t.Errorf("a good file: got %q, %v", d.Family(), err)
	}
}

func TestParseTakesAWholeAnswer(t *testing.T) {
	d := mustParse(t, "\xef\xbb\xbf"+`{"taskDefinition": `+odd+`, "tags": [{"key": "team", "value": "web"}]}`)
	if d.Family() != "api" || d.Tags()["team"] != "web" {
		t.Errorf("got family %q, tags %v", d.Family(), d.Tags())
	}
}

// TestParseTakesTheOuterTaskDefinition: a document that is one itself is not looked into.
func TestParseTakesTheOuterTaskDefinition(t *testing.T) {
	d := mustParse(t, `{"family": "outer", "containerDefinitions": [{"name": "a"}],
		"taskDefinition": {"family": "inner", "containerDefinitions": [{"name": "b"}]}}`)
	if d.Family() != "outer" {
		t.Errorf("got %s", d.Family())
	}
}

func TestZeroDocument(t *testing.T) {
	var d Document
	family := "untouched"
	if !d.IsZero() || string(d.JSON()) != "null" || d.Family() != "" || d.Containers() != nil || d.Image("a") != "" ||
		d.Field("family", &family) || family != "untouched" {
		t.Errorf("no document says something: %s, family %q, containers %v", d.JSON(), family, d.Containers())
	}
}

func TestField(t *testing.T) {
	d := mustParse(t, `{"family": "api", "cpu": null, "ephemeralStorage": {"sizeInGiB": 30}, "containerDefinitions": [{"name": "a"}]}`)
	for _, test := range []struct {
		field, want string
		found       bool
	}{
		{"family", "api", true},
		{"cpu", "before", false},
		{"missing", "before", false},
		{"ephemeralStorage", "before", false}, // of another type
	} {
		got := "before"
		if found := d.Field(test.field, &got); found != test.found || got != test.want {
			t.Errorf("%s: got %v, %q; want %v, %q", test.field, found, got, test.found, test.want)
		}
	}
	var storage struct{ SizeInGiB int }
	if !d.Field("ephemeralStorage", &storage) || storage.SizeInGiB != 30 {
		t.Errorf("got %+v", storage)
	}
}

func TestImage(t *testing.T) {
	d := mustParse(t, odd)
	for container, want := range map[string]string{"api": "repo:1", "log": "log:1", "other": "", "": ""} {
		if got := d.Image(container); got != want {
			t.Errorf("%q: got %q, want %q", container, got, want)
		}
	}
}

func TestEditsNeedTheirContainer(t *testing.T) {
	d := mustParse(t, odd)
	if got, err := d.WithImage("other", "x"); err == nil || !got.IsZero() {
		t.Errorf("the image of no container: got %s, %v", got.JSON(), err)
	}
	if got, err := d.WithEnvironment("other", map[string]string{"A": "x"}); err == nil || !got.IsZero() {
		t.Errorf("a variable of no container: got %s, %v", got.JSON(), err)
	}
}

func TestContainer(t *testing.T) {
	container := func(name, rest string) string { return `{"name": "` + name + `"` + rest + `}` }
	for _, test := range []struct {
		name, containers, wanted, got, problem string
	}{
		{"named", container("a", "") + "," + container("b", ""), "b", "b", ""},
		{"the only one", container("a", `, "essential": false`), "", "a", ""},
		{"the only essential one", container("a", `, "essential": false`) + "," + container("b", ""), "", "b", ""},
		{"two essential", container("a", "") + "," + container("b", `, "essential": true`), "", "", "several containers that could be meant (a, b)"},
		{"unknown", container("a", "") + "," + container("b", ""), "c", "", `no container "c"; it has a, b`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := mustParse(t, `{"containerDefinitions": [`+test.containers+`]}`).Container(test.wanted)
			if got != test.got || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestWithEnvironment(t *testing.T) {
	d := mustParse(t, `{"containerDefinitions": [{"name": "a", "environment": [{"name": "B", "value": "1", "x": 1}],
		"secrets": [{"name": "S", "valueFrom": "arn"}]}]}`)
	changed, err := d.WithEnvironment("", map[string]string{"C": "<3>", "A": "a=b", "B": "2"})
	if err != nil {
		t.Fatal(err)
	}
	want := `"environment":[{"name":"B","value":"2","x":1},{"name":"A","value":"a=b"},{"name":"C","value":"<3>"}]`
	if !strings.Contains(string(changed.JSON()), want) {
		t.Errorf("got %s, want %s in it", changed.JSON(), want)
	}
	if _, err := d.WithEnvironment("", map[string]string{"S": "x"}); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("a variable that is a secret already: got %v", err)
	}
}

func FuzzParseKeepsEveryValue(f *testing.F) {
	f.Add([]byte(odd))
	f.Add([]byte(`{"containerDefinitions":[{"name":"a\"]","x":[[],{}, -1e5 , "\\" ]}]}`))
	f.Fuzz(func(t *testing.T, source []byte) {
		d, err := Parse(source)
		if err != nil {
			return
		}
		again, err := Parse(d.JSON())
		if err != nil {
			t.Fatalf("%s does not parse again: %v", d.JSON(), err)
		}
		if string(again.JSON()) != string(d.JSON()) || !Equal(d, again) {
			t.Errorf("%s became %s", d.JSON(), again.JSON())
		}
	})
}

func TestForOneRun(t *testing.T) {
	d, err := Parse([]byte(`{"family":"f","containerDefinitions":[{"name":"app","restartPolicy":{"enabled":true},"essential":true},
		{"name":"proxy","restartPolicy":{"enabled":true}},{"name":"log","essential":false}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"family":"f","containerDefinitions":[{"name":"app","essential":true},` +
		`{"name":"proxy","restartPolicy":{"enabled":true},"essential":false},{"name":"log","essential":false}]}`
	if got := string(d.ForOneRun("app").JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLogDriver(t *testing.T) {
	d, err := Parse([]byte(`{"containerDefinitions":[{"name":"app","logConfiguration":{"logDriver":"awsfirelens"}},{"name":"proxy"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for container, want := range map[string]string{"app": "awsfirelens", "proxy": "", "nobody": ""} {
		if got := d.LogDriver(container); got != want {
			t.Errorf("%s: %q", container, got)
		}
	}
}
