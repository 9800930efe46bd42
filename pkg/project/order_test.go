package project_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/project"
)

func TestRelease(t *testing.T) {
	const text = `project: a
environments: {dev: {}, prod: {service: one}}
services:
  worker: {service: "worker-{environment}", after: [api, mail]}
  api: {service: "api-{environment}"}
  mail: {service: mail, after: api}
together: false
`
	f, problems := project.Parse("f", []byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	want := []project.Member{{Name: "worker", Service: "worker-dev", After: []string{"api", "mail"}}, {Name: "api", Service: "api-dev"},
		{Name: "mail", Service: "mail", After: []string{"api"}}}
	got, err := f.Release("dev")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if f.Together == nil || *f.Together {
		t.Error("together: false is not read")
	}
	if got, err := f.Release("prod"); err != nil || len(got) != 1 || got[0].Service != "one" {
		t.Errorf("an environment with a service of its own: %+v, %v", got, err)
	}
	if _, err := f.Release("test"); err == nil {
		t.Error("an environment that is not there is no error")
	}
	f, _ = project.Parse("f", []byte("project: a\nenvironments: {dev: {}}\n"))
	if got, err := f.Release("dev"); err != nil || len(got) != 1 || got[0].Service != "a-service-dev" || f.Together != nil {
		t.Errorf("a file without services: %+v, %v", got, err)
	}
}

// TestOrderProblems tells which orders are refused, each with its place.
func TestOrderProblems(t *testing.T) {
	const head = "project: a\nenvironments: {dev: {}}\nservices:\n"
	for _, test := range []struct{ name, text, want string }{
		{"a name that is not there", "  x: {service: x, after: z1}\n", `f:4:26: services.x.after: "z1" is not one of services: there are x`},
		{"a misspelt name", "  api: {service: x}\n  worker: {service: y, after: [apy]}\n",
			`f:5:32: services.worker.after: "apy" is not one of services: did you mean api?`},
		{"itself", "  x: {service: x, after: x}\n", "f:4:26: services.x.after: x waits for itself"},
		{"a circle", "  w: {service: w, after: x}\n  x: {service: x, after: y}\n  y: {service: y, after: x}\n",
			"f:5:26: services.x.after: they wait for each other: x after y after x"},
		{"twice", "  x: {service: x}\n  y: {service: y, after: [x, x]}\n", "f:5:30: services.y.after: x is given twice"},
		{"an empty list", "  x: {service: x, after: []}\n", "f:4:26: services.x.after: want at least one"},
		{"a map", "  x: {service: x, after: {a: b}}\n", "f:4:26: services.x.after: want a name of services"},
		{"a number", "  x: {service: x, after: 1}\n", "1 is not a text"},
		{"one service twice", "  x: {service: x}\n  y: {service: x}\n", "f:5:16: services.y.service: services.x is the same ECS service"},
		{"together", "  x: {service: x}\ntogether: maybe\n", "f:5:11: together: want true or false"},
		{"who migrates", "  x: {service: x}\nmigrate: {service: y1}\n", `f:5:20: migrate.service: "y1" is not one of services: there are x`},
		{"none", "  x: {service: x, after: none}\n  y: {service: y}\n", "there are x, y"},
	} {
		_, problems := project.Parse("f", []byte(head+test.text))
		var lines []string
		for _, problem := range problems {
			lines = append(lines, problem.Error())
		}
		if told := strings.Join(lines, "\n"); !strings.Contains(told, test.want) || strings.Count(told, "\n") > 0 && test.name != "a number" {
			t.Errorf("%s: got %s\nwant %s", test.name, told, test.want)
		}
	}
}

// TestAllCircles holds that every circle is told, also beside a name that is not there.
func TestAllCircles(t *testing.T) {
	_, problems := project.Parse("f", []byte("project: a\nenvironments: {dev: {}}\nservices:\n  a: {service: a, after: [b, nowhere]}\n"+
		"  b: {service: b, after: a}\n  c: {service: c, after: c}\n"))
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		`f:4:30: services.a.after: "nowhere" is not one of services: there are a, b, c`,
		"f:4:27: services.a.after: they wait for each other: a after b after a",
		"f:6:26: services.c.after: c waits for itself",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
