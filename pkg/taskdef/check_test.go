package taskdef

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckNamesAndShares(t *testing.T) {
	document := func(more, containers string) string {
		return `{"family":"f","networkMode":"awsvpc","cpu":"512","memory":"1024"` + more + `,"containerDefinitions":[` + containers + `]}`
	}
	const app = `{"name":"app","image":"i","cpu":256,"memory":512`
	for name, tt := range map[string]struct{ document, want string }{
		"nothing is wrong": {document(`,"volumes":[{"name":"data"}]`, app+`,"mountPoints":[{"sourceVolume":"data"}],"dependsOn":[{"containerName":"log"}]},
			{"name":"log","image":"i","cpu":256,"memoryReservation":512,"memory":1024}`), ""},
		"a volume": {document(`,"volumes":[{"name":"data"}]`, app+`,"mountPoints":[{"sourceVolume":"dta"}]}`),
			`containerDefinitions[0].mountPoints[0].sourceVolume of app is "dta": there is no such volume; did you mean data?`},
		"no volume at all": {document("", app+`,"mountPoints":[{"sourceVolume":"data"}]}`),
			`containerDefinitions[0].mountPoints[0].sourceVolume of app is "data": there is no such volume`},
		"a container": {document("", app+`},{"name":"log","image":"i","dependsOn":[{"containerName":"ap"}]}`),
			`containerDefinitions[1].dependsOn[0] of log is "ap": there is no such container; did you mean app?`},
		"volumes of a container": {document("", app+`,"volumesFrom":[{"sourceContainer":"lg"}]},{"name":"log","image":"i"}`),
			`containerDefinitions[0].volumesFrom[0].sourceContainer of app is "lg": there is no such container; did you mean log?`},
		"its volumes":  {document("", app+`,"volumesFrom":[{"sourceContainer":"log"}]},{"name":"log","image":"i"}`), ""},
		"itself":       {document("", app+`,"dependsOn":[{"containerName":"app"}]}`), `containerDefinitions[0].dependsOn[0] of app is the container itself`},
		"too much CPU": {document("", app+`},{"name":"log","image":"i","cpu":257}`), `the containers take 513 CPU units, and the task has 512`},
		"too much memory": {document("", app+`},{"name":"log","image":"i","memory":513}`),
			`the containers reserve 1025 MiB of memory, and the task has 1024`},
		"reserves more than it may have": {document("", `{"name":"app","image":"i","memory":512,"memoryReservation":513}`),
			`container app reserves 513 MiB of memory and may have 512`},
		"what is reserved counts": {document("", `{"name":"app","image":"i","memory":1024,"memoryReservation":512},
			{"name":"log","image":"i","memory":1024,"memoryReservation":512}`), ""},
	} {
		d, err := Parse([]byte(tt.document))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Check(), "\n"); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, tt.want)
		}
	}
}

func TestCheckPort(t *testing.T) {
	d, err := Parse([]byte(`{"containerDefinitions":[{"name":"app","portMappings":[{"containerPort":8080,"name":"http"},{"containerPort":9090}]},
		{"name":"range","portMappings":[{"containerPortRange":"100-200"}]},{"name":"none"},
		{"name":"quoted","portMappings":[{"containerPort":"8080"}]},{"name":"null","portMappings":[{"containerPort":null}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		container string
		port      int
		want      string
	}{
		{"app", 8080, ""},
		{"app", 9090, ""},
		{"range", 150, ""},
		{"app", 80, "container app has no port 80; it has 8080, 9090"},
		{"none", 80, "container none has no port 80; it has none"},
		{"quoted", 8080, ""}, // CheckTypes tells that it is a string
		{"null", 8080, "container null has no port 8080; it has 0"},
		{"ap", 8080, `there is no container "ap"; did you mean app?`},
	} {
		if got := d.CheckPort(tt.container, tt.port); got != tt.want {
			t.Errorf("%s %d: %q, want %q", tt.container, tt.port, got, tt.want)
		}
	}
	if got := d.CheckPortName("http"); got != "" {
		t.Errorf("got %q", got)
	}
	if got, want := d.CheckPortName("web"), `no port is named "web"; there is http`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNullsAreAbsent(t *testing.T) {
	parse := func(text string) Document {
		d, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	written := parse(`{"family":"f","taskRoleArn":null,"containerDefinitions":[{"name":"a","image":"i","user":null,"healthCheck":null,
		"linuxParameters":{"swappiness":null,"initProcessEnabled":true}}]}`)
	plain := parse(`{"family":"f","containerDefinitions":[{"name":"a","image":"i","linuxParameters":{"initProcessEnabled":true}}]}`)
	other := parse(`{"family":"f","containerDefinitions":[{"name":"a","image":"i","linuxParameters":{"initProcessEnabled":false}}]}`)
	if !Equal(written, plain) || written.ContentHash() != plain.ContentHash() || len(Diff(plain, written)) > 0 {
		t.Errorf("nulls are a change: %v", Diff(plain, written))
	}
	named := func(c Change) bool { return strings.Contains(c.Path, "initProcessEnabled") }
	if Equal(written, other) || !slices.ContainsFunc(Diff(plain, other), named) {
		t.Errorf("false is no change: %v", Diff(plain, other))
	}
}
