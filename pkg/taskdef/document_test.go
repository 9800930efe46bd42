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
}

func TestParseTakesAWholeAnswer(t *testing.T) {
	d := mustParse(t, "\xef\xbb\xbf"+`{"taskDefinition": `+odd+`, "tags": [{"key": "team", "value": "web"}]}`)
	if d.Family() != "api" || d.Tags()["team"] != "web" {
		t.Errorf("got family %q, tags %v", d.Family(), d.Tags())
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
