package reach

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/shlex"
)

// healthy is a container that takes commands.
func healthy() container {
	return container{task: "t", status: "RUNNING", enabled: true, service: "api", turnedOn: true, name: "app", running: true, agent: "RUNNING",
		role: "arn:aws:iam::123456789012:role/task"}
}

func TestBlockers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*container)
		want   []string
	}{
		"nothing":            {func(*container) {}, nil},
		"the task has ended": {func(c *container) { c.status = "STOPPED" }, []string{"task t is STOPPED"}},
		"off at the service": {func(c *container) { c.enabled, c.turnedOn = false, false }, []string{"ECS Exec is off at api"}},
		"turned on too late": {func(c *container) { c.enabled = false },
			[]string{"ECS Exec was off when task t was started, and is on at api now"}},
		"off for a lone task": {func(c *container) { c.enabled, c.turnedOn, c.service = false, false, "" },
			[]string{"ECS Exec is off for task t"}},
		"read-only root": {func(c *container) { c.readOnly, c.agent = true, "STOPPED" },
			[]string{"the root filesystem of container app is read-only"}}, // and not the agent beside it: this is why
		"no role": {func(c *container) { c.role = "" }, []string{"task t has no task role"}},
		"a role that may not": {func(c *container) { c.denied = []string{"ssmmessages:OpenDataChannel"} },
			[]string{"may not ssmmessages:OpenDataChannel"}},
		"the container stands": {func(c *container) { c.running = false }, []string{"container app of task t does not run"}},
		"the agent stands": {func(c *container) { c.agent, c.reason = "STOPPED", "it crashed" },
			[]string{"the agent of ECS Exec in container app of task t does not run (STOPPED: it crashed)"}},
		"no agent is told": {func(c *container) { c.agent = "" }, []string{"does not run (not there)"}},
		"all at once": {func(c *container) { c.enabled, c.turnedOn, c.readOnly, c.role = false, false, true, "" },
			[]string{"ECS Exec is off", "read-only", "no task role"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := healthy()
			test.change(&c)
			got := c.blockers()
			if len(got) != len(test.want) {
				t.Fatalf("%d: %v, want %q", len(got), got, test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i].Error(), want) {
					t.Errorf("%v, want %q", got[i], want)
				}
			}
		})
	}
}

func TestChoose(t *testing.T) {
	running, stopped := bastion{id: "i-1", state: "running"}, bastion{id: "i-2", state: "stopped"}
	for name, test := range map[string]struct {
		found []bastion
		id    string
		want  string
	}{
		"one":                     {[]bastion{running}, "i-1", ""},
		"a stopped one":           {[]bastion{stopped}, "i-2", ""},
		"running before stopped":  {[]bastion{stopped, running}, "i-1", ""},
		"starting before stopped": {[]bastion{stopped, {id: "i-3", state: "pending"}}, "i-3", ""},
		"none":                    {nil, "", "no instance has the tag Name=b"},
		"one that is gone":        {[]bastion{{id: "i-4", state: "terminated"}}, "", "there is no bastion"},
		"two that run": {[]bastion{running, {id: "i-5", state: "running"}}, "",
			"choose one with --instance i-1 or --instance i-5"},
		"two that stand, beside no one": {[]bastion{stopped, {id: "i-6", state: "stopping"}}, "", "2 instances"},
	} {
		got, err := choose(test.found, "b")
		if got.id != test.id || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, %v", name, got.id, err)
		}
	}
	if _, err := choose(nil, "b"); !errors.Is(err, errNoBastion) {
		t.Errorf("%v", err)
	}
}

func TestBlocker(t *testing.T) {
	for _, test := range []struct {
		state, ping string
		start       bool
		want        string
	}{
		{"running", "Online", false, ""},
		{"running", "ConnectionLost", false, "is not online (ConnectionLost)"},
		{"running", "", false, "has never been seen"},
		{"stopped", "ConnectionLost", false, "add --start"},
		{"stopped", "ConnectionLost", true, ""},
		{"stopping", "Online", true, "is stopping"},
		{"pending", "", false, ""},
	} {
		err := bastion{id: "i-1", name: "b", state: test.state, ping: test.ping}.blocker(test.start)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestParseLogin(t *testing.T) {
	for name, test := range map[string]struct {
		secret string
		want   login
		err    string
	}{
		"as Terraform writes it": {`{"username":"postgres","password":"p","host":"h","port":5432,"database":"d",` +
			`"url":"postgresql://postgres:p@h:5432/d"}`,
			login{Host: "h", Port: "5432", User: "postgres", Password: "p", Database: "d"}, ""},
		"a port as text": {`{"host":"h","port":"6380"}`, login{Host: "h", Port: "6380"}, ""},
		"a url alone": {`{"url":"rediss://:p%40@h:7000/0"}`, login{Host: "h", Port: "7000", Password: "p@", Database: "0",
			TLS: true}, ""},
		"no port": {`{"host":"h"}`, login{Host: "h", Port: "1"}, ""},
		"the url's way of TLS": {`{"url":"postgresql://u:p@h/d?sslmode=disable"}`, login{Host: "h", Port: "1", User: "u", Password: "p",
			Database: "d", Mode: "disable"}, ""},
		"no host":               {`{"password":"hidden"}`, login{}, "it says no host"},
		"not JSON":              {`hidden`, login{}, "it is not JSON"},
		"a url that is not one": {`{"url":"postgresql://u:hid den@h:x/"}`, login{}, "its url cannot be read"},
	} {
		got, err := parseLogin([]byte(test.secret), "1")
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hid") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

func TestClientsGetTheLoginByTheirEnvironment(t *testing.T) {
	l := login{Host: "h", Port: "5432", User: "u", Password: "pass word", Database: "d", TLS: true}
	getenv := func(string) string { return "" }
	if got := strings.Join(l.psqlEnvironment("99", getenv), "|"); got !=
		"PGHOST=h|PGHOSTADDR=127.0.0.1|PGPORT=99|PGUSER=u|PGPASSWORD=pass word|PGDATABASE=d|PGSSLMODE=require|PGAPPNAME=connect2" {
		t.Errorf("%s", got)
	}
	chosen := func(name string) string { return map[string]string{"PGSSLMODE": "verify-full"}[name] }
	if got := strings.Join(l.psqlEnvironment("99", chosen), "|"); !strings.Contains(got, "PGSSLMODE=verify-full") {
		t.Errorf("%s", got)
	}
	if got := strings.Join(l.redisArguments("99"), " "); got != "-h 127.0.0.1 -p 99 --tls --sni h --user u" {
		t.Errorf("%s", got)
	}
}

// TestScriptSurvivesTheAgent splits the command line as AWS's agent does, and looks at what sh would get.
func TestScriptSurvivesTheAgent(t *testing.T) {
	words, err := shlex.Split(script("T", []string{"sh", "-c", `echo "it's $HOME" && exit 3`, "", "#"}, true))
	if err != nil || len(words) != 3 || words[0] != "sh" || words[1] != "-c" {
		t.Fatalf("%q, %v", words, err)
	}
	want := `stty -echo 2>/dev/null; printf '\036T:begin\036'; 'sh' '-c' 'echo "it'\''s $HOME" && exit 3' '' '#' ; printf '\036T:%d\036' "$?"`
	if words[2] != want {
		t.Errorf("%s, want %s", words[2], want)
	}
}

func TestSentinel(t *testing.T) {
	const m = "\x1e"
	for name, test := range map[string]struct {
		pieces []string
		plain  bool
		shown  string
		begun  bool
		ended  bool
		code   int
	}{
		"whole":                   {[]string{m + "T:begin" + m + "out" + m + "T:3" + m}, false, "out", true, true, 3},
		"byte by byte":            {strings.Split("a"+m+"T:begin"+m+"b"+m+"T:137"+m, ""), false, "ab", true, true, 137},
		"nothing follows the end": {[]string{m + "T:0" + m + "late", "later"}, false, "", false, true, 0},
		"another program's mark":  {[]string{m + "x" + m + m + "T:begin" + m}, false, m + "x" + m, true, false, 0},
		"another token":           {[]string{m + "U:0" + m}, false, m + "U:0" + m, false, false, 0},
		"what is not a code": {[]string{m + "T:no" + m, m + "T:256" + m, m + "T:-1" + m}, false, m + "T:no" + m + m + "T:256" +
			m + m + "T:-1" + m, false, false, 0},
		"a code without an end":          {[]string{m + "T:0000000000"}, false, m + "T:0000000000", false, false, 0},
		"held back at the end":           {[]string{"a" + m + "T"}, false, "a" + m + "T", false, false, 0},
		"lines of a file":                {[]string{"a\r\nb\r", "\nc\r\r\nd\re\r"}, true, "a\nb\nc\r\nd\re\r", false, false, 0},
		"lines of a terminal":            {[]string{"a\r\nb"}, false, "a\r\nb", false, false, 0},
		"a line end before the sentinel": {[]string{"a\r\n" + m + "T:0" + m}, true, "a\n", false, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sentinel{token: "T", plain: test.plain}
			var shown strings.Builder
			for _, piece := range test.pieces {
				shown.Write(s.filter([]byte(piece)))
			}
			shown.Write(s.rest())
			if shown.String() != test.shown || s.begun != test.begun || s.ended != test.ended || s.code != test.code {
				t.Errorf("shown %q, begun %v, ended %v with %d", shown.String(), s.begun, s.ended, s.code)
			}
		})
	}
}

func TestWaySaysAllThatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		way  Way
		want []string
	}{
		"nothing":        {Way{}, []string{"bastion:", "secret:"}},
		"a bastion":      {Way{Bastion: "connect2-api-bastion-dev"}, nil},
		"another name":   {Way{Bastion: "jump"}, []string{"secret:"}},
		"an instance":    {Way{Instance: "i-1", Secret: "s"}, nil},
		"no id":          {Way{Instance: "jump", Secret: "s"}, []string{"instance:"}},
		"a port":         {Way{Bastion: "a-bastion-b", LocalPort: 65536}, []string{"local-port:"}},
		"a negative one": {Way{Bastion: "a-bastion-b", LocalPort: -1}, []string{"local-port:"}},
		"SSH by address": {Way{SSHKey: "k", SSHHost: "h", Secret: "s"}, nil},
		"a host alone":   {Way{Bastion: "a-bastion-b", SSHHost: "h"}, []string{"ssh-host:"}},
	} {
		got := test.way.Validate()
		if len(got) != len(test.want) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i].Error(), test.want[i]) {
				t.Errorf("%s: %v, want %s", name, got[i], test.want[i])
			}
		}
	}
	if got := (Way{Bastion: "connect2-api-bastion-dev"}).secret("rds"); got != "connect2-api/dev/rds-credentials" {
		t.Errorf("%s", got)
	}
}
