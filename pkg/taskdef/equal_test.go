package taskdef

import (
	"strings"
	"testing"
)

// written is a file as a person writes it; registered is what the API makes of it.
const (
	written = `{"family": "api", "networkMode": "awsvpc", "cpu": ".25 vCPU", "memory": "0.5GB", "tags": [{"key": "a", "value": "b"}],
		"requiresCompatibilities": ["FARGATE"],
		"containerDefinitions": [{"name": "api", "image": "r@sha256:1", "portMappings": [{"containerPort": 8000}],
		"environment": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
		"healthCheck": {"command": ["CMD", "true"]},
		"logConfiguration": {"logDriver": "awslogs", "options": {"b": "1", "a": "2"}}}]}`
	registered = `{"taskDefinitionArn": "arn", "family": "api", "revision": 3, "status": "ACTIVE", "networkMode": "awsvpc", "cpu": "256",
		"memory": "512", "volumes": [], "placementConstraints": [], "requiresCompatibilities": ["FARGATE"], "enableFaultInjection": false,
		"containerDefinitions": [{"name": "api", "image": "r@sha256:1", "cpu": 0, "essential": true, "mountPoints": [],
		"volumesFrom": [], "systemControls": [], "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
		"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
		"healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3},
		"logConfiguration": {"logDriver": "awslogs", "options": {"a": "2", "b": "1"}, "secretOptions": []}}]}`
)

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to string // replaced in registered
		want     bool
	}{
		{"defaults that the API fills in", "", "", true},
		{"read-only fields", `"revision": 3`, `"revision": 4`, true},
		{"how a number is written", `"interval": 30`, `"interval": 3.0e1`, true},
		{"how a string is escaped", `"CMD"`, `"\u0043MD"`, true},
		{"another image", "sha256:1", "sha256:2", false},
		{"another variable", `"value": "1"`, `"value": "3"`, false},
		{"another family", `"family": "api"`, `"family": "web"`, false},
		{"another health check", `"retries": 3`, `"retries": 4`, false},
		{"another port", `8000, "hostPort": 8000`, `8001, "hostPort": 8001`, false},
		{"another protocol", `"tcp"`, `"udp"`, false},
		{"not essential", `"essential": true`, `"essential": false`, false},
		{"an unknown field", `"cpu": 0`, `"cpu": 0, "connect2Unknown": {"a": []}`, false},
		{"a command's order", `["CMD", "true"]`, `["true", "CMD"]`, false},
		{"memory", `"512"`, `"1024"`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := mustParse(t, written), mustParse(t, strings.Replace(registered, test.from, test.to, 1))
			if got := Equal(a, b); got != test.want {
				t.Errorf("got %v\n%s\n%s", got, a.canonical(), b.canonical())
			}
			if got := a.ContentHash() == b.ContentHash(); got != test.want {
				t.Errorf("the hashes are equal: %v", got)
			}
		})
	}
}

// TestEqualItem compares two documents that differ in one thing: of the task, or of its container.
func TestEqualItem(t *testing.T) {
	const awsvpc, bridge = `"networkMode": "awsvpc"`, `"networkMode": "bridge"`
	ports := func(list string) string { return `"portMappings":[` + list + `]` }
	port80 := ports(`{"containerPort":80}`)
	host := func(port string) string { return ports(`{"containerPort":80,"hostPort":` + port + `}`) }
	for _, test := range []struct {
		name      string
		task      string // of both
		container bool   // what differs belongs to the container
		a, b      string
		want      bool
	}{
		{"bridge: host port 0 is any port, as none is", bridge, true, port80, host(`0`), true},
		{"bridge: a fixed host port is not", bridge, true, port80, host(`80`), false},
		{"bridge: two fixed host ports", bridge, true, ports(`{"hostPort":81}`), ports(`{"hostPort":82}`), false},
		{"awsvpc: the host port is the container's", awsvpc, true, port80, host(`8e1`), true},
		{"awsvpc: another host port is told", awsvpc, true, port80, host(`81`), false},
		{"awsvpc: host port 0", awsvpc, true, port80, host(`0`), true},
		{"awsvpc: a host port alone", awsvpc, true, ports(`{}`), ports(`{"hostPort":81}`), false},
		{"awsvpc: ports that are not numbers", awsvpc, true, ports(`{"containerPort":"x"}`), ports(`{"containerPort":"x","hostPort":"x"}`), true},
		{"the network mode in capitals", `"networkMode": "AWSVPC"`, true, port80, host(`80`), true},
		{"null is absent", bridge, true, ``, `"environment":null`, true},
		{"an empty list is absent", bridge, true, ``, `"environment":[]`, true},
		{"an empty object is absent", bridge, true, ``, `"dockerLabels":{}`, true},
		{"an object is not", bridge, true, ``, `"dockerLabels":{"a":"1"}`, false},
		{"a list is not", bridge, true, ``, `"dnsServers":["10.0.0.2"]`, false},
		{"an empty list that nobody knows may mean something", bridge, true, ``, `"connect2Unknown":[]`, false},
		{"a word instead of the log's settings", bridge, true, `"logConfiguration":"x"`, `"logConfiguration":"y"`, false},
		{"a word instead of the ports", bridge, true, `"portMappings":"x"`, `"portMappings":"y"`, false},
		{"numbers instead of ports", bridge, true, ports(`1`), ports(`2`), false},
		{"a word instead of the environment", bridge, true, `"environment":"x"`, `"environment":"y"`, false},
		{"the order of secrets", bridge, true, `"secrets":[{"name":"A"},{"name":"B"}]`, `"secrets":[{"name":"B"},{"name":"A"}]`, true},
		{"of two variables of one name the last counts", bridge, true, `"environment":[{"name":"A","value":"1"},{"name":"A","value":"2"}]`,
			`"environment":[{"name":"A","value":"2"},{"name":"A","value":"1"}]`, false},
		{"the defaults of a health check", bridge, true, `"healthCheck":{}`, `"healthCheck":{"interval":30,"timeout":5,"retries":3}`, true},
		{"another interval", bridge, true, `"healthCheck":{}`, `"healthCheck":{"interval":31}`, false},
		{"another timeout", bridge, true, `"healthCheck":{}`, `"healthCheck":{"timeout":6}`, false},
		{"a cpu share", bridge, true, ``, `"cpu":1`, false},
		{"a volume of the host's choice", bridge, false, `"volumes":[{"name":"v"}]`, `"volumes":[{"name":"v","host":{}}]`, true},
		{"a volume of the host", bridge, false, `"volumes":[{"name":"v"}]`, `"volumes":[{"name":"v","host":{"sourcePath":"/x"}}]`, false},
		{"fault injection", bridge, false, ``, `"enableFaultInjection":true`, false},
		{"no fault injection", bridge, false, ``, `"enableFaultInjection":false`, true},
		{"tags are no content", bridge, false, ``, `"tags":[{"key":"a","value":"b"}]`, true},
		{"vCPUs", bridge, false, `"cpu":"512"`, `"cpu":" .5 VCPU "`, true},
		{"vCPUs that are none", bridge, false, `"cpu":"x vCPU"`, `"cpu":"y vCPU"`, false},
		{"gigabytes", bridge, false, `"memory":"2048"`, `"memory":"2gb"`, true},
		{"a unit that is not the API's", bridge, false, `"memory":"2048"`, `"memory":"2gib"`, false},
		{"numbers above the limit of exponents", bridge, false, `"x":8000`, `"x":8000.0`, true},
		{"a small exponent", bridge, false, `"x":1e400`, `"x":1e0400`, true},
		{"a small negative exponent", bridge, false, `"x":1e-400`, `"x":1E-0400`, true},
		{"an absurd exponent is left as it is written", bridge, false, `"x":1e401`, `"x":1e0401`, false},
		{"an absurd negative exponent too", bridge, false, `"x":1e-401`, `"x":1e-0401`, false},
		{"one beyond an integer too", bridge, false, `"x":1e99999999999999999999`, `"x":1e099999999999999999999`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			document := func(item string) Document {
				task, container := test.task, `"name":"c"`
				switch {
				case item == "":
				case test.container:
					container += "," + item
				default:
					task += "," + item
				}
				return mustParse(t, `{`+task+`,"containerDefinitions":[{`+container+`}]}`)
			}
			a, b := document(test.a), document(test.b)
			if Equal(a, b) != test.want || Equal(b, a) != test.want {
				t.Errorf("got %v and %v\n%s\n%s", Equal(a, b), Equal(b, a), a.canonical(), b.canonical())
			}
			if (a.ContentHash() == b.ContentHash()) != test.want {
				t.Error("the hashes say otherwise")
			}
		})
	}
}

func TestEqualToNothing(t *testing.T) {
	d := mustParse(t, written)
	if !Equal(Document{}, Document{}) || Equal(Document{}, d) || Equal(d, Document{}) || !Equal(d, d) {
		t.Error("no document is equal to no document alone")
	}
}

func TestEqualKeepsBigNumbersApart(t *testing.T) {
	a := mustParse(t, `{"containerDefinitions":[{"name":"a","x":12345678901234567890}]}`)
	b := mustParse(t, `{"containerDefinitions":[{"name":"a","x":12345678901234567891}]}`)
	if Equal(a, b) {
		t.Error("numbers that differ beyond a float's precision are taken for equal")
	}
}

func TestHoldsByContentTag(t *testing.T) {
	d := mustParse(t, `{"family":"api","containerDefinitions":[{"name":"a"}]}`)
	changedByAPI := mustParse(t, `{"family":"api","containerDefinitions":[{"name":"a","filledIn":"later"}]}`)
	revision := &Revision{Family: "api", Document: changedByAPI, Tags: map[string]string{ContentTag: d.ContentHash()}}
	if !revision.Holds(d) {
		t.Error("the hash of what was sent is not looked at")
	}
	revision.Tags[ContentTag] = strings.Repeat("0", 64)
	if revision.Holds(d) {
		t.Error("another hash and other content are taken for equal")
	}
	if (*Revision)(nil).Holds(d) {
		t.Error("no revision holds something")
	}
}

func TestDiffHidesValues(t *testing.T) {
	before := mustParse(t, strings.Replace(written, `"tags"`, `"x"`, 1))
	after := mustParse(t, strings.NewReplacer(`"tags"`, `"x"`, "sha256:1", "sha256:2", `"value": "2"`, `"value": "hush"`,
		"8000", "8080", `"b": "1"`, `"b": "hush"`).Replace(written))
	var lines []string
	for _, change := range Diff(before, after) {
		lines = append(lines, change.String())
	}
	got := strings.Join(lines, "\n")
	want := strings.Join([]string{
		`~ containerDefinitions[api].environment[B].value: (value hidden) -> (value hidden)`,
		`~ containerDefinitions[api].image: "r@sha256:1" -> "r@sha256:2"`,
		`~ containerDefinitions[api].logConfiguration.options.b: (value hidden) -> (value hidden)`,
		`~ containerDefinitions[api].portMappings: [{"containerPort":8000}] -> [{"containerPort":8080}]`,
	}, "\n")
	if strings.Contains(got, "hush") || got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	sidecar := mustParse(t, `{"containerDefinitions":[{"name":"a"},{"name":"b","environment":[{"name":"P","value":"hush"}]}]}`)
	alone := mustParse(t, `{"containerDefinitions":[{"name":"a"}]}`)
	if got := Diff(alone, sidecar); len(got) != 1 || strings.Contains(got[0].String(), "hush") {
		t.Errorf("a new container: got %v", got)
	}
}

func TestCheck(t *testing.T) {
	good := `{"family":"api","networkMode":"awsvpc","cpu":"256","memory":"512","requiresCompatibilities":["FARGATE"],"executionRoleArn":"r",
		"containerDefinitions":[{"name":"a","image":"1.dkr.ecr.us-west-2.amazonaws.com/a:1","logConfiguration":{"logDriver":"awslogs"},
		"secrets":[{"name":"S","valueFrom":"arn"}],"portMappings":[{"containerPort":80,"hostPort":80}]}]}`
	for _, test := range []struct {
		name, from, to string
		want           []string
	}{
		{"sound", "", "", nil},
		{"units", `"cpu":"256","memory":"512"`, `"cpu":"1 vCPU","memory":"2 GB"`, nil},
		{"no pair", `"memory":"512"`, `"memory":"4096"`, []string{"cpu 256 with memory 4096"}},
		{"no step", `"cpu":"256","memory":"512"`, `"cpu":"1024","memory":"2500"`, []string{"cpu 1024 with memory 2500"}},
		{"no such cpu", `"cpu":"256"`, `"cpu":"300"`, []string{"cpu 300"}},
		{"larger than is known here", `"cpu":"256","memory":"512"`, `"cpu":"65536","memory":"999424"`, nil},
		{"no size", `"cpu":"256","memory":"512",`, ``, []string{"cpu of the task is not set", "memory of the task is not set"}},
		{"bridge", "awsvpc", "bridge", []string{"networkMode"}},
		{"EC2 alone", `["FARGATE"]`, `["EC2"]`, []string{"requiresCompatibilities"}},
		{"no execution role", `"executionRoleArn":"r",`, ``, []string{"pulls from ECR", "has secrets", "awslogs"}},
		{"ports", `"hostPort":80`, `"hostPort":81`, []string{"host port 81 to 80"}},
		{"nothing essential", `"name":"a"`, `"name":"a","essential":false`, []string{"no container is essential"}},
		{"no image", `"image":"1.dkr.ecr.us-west-2.amazonaws.com/a:1",`, ``, []string{"has no image"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mustParse(t, strings.Replace(good, test.from, test.to, 1)).Check()
			if len(got) != len(test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for i := range got {
				if !strings.Contains(got[i], test.want[i]) {
					t.Errorf("got %q, want %q in it", got[i], test.want[i])
				}
			}
		})
	}
}
