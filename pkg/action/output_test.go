package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type results struct {
	Outputs
	Digest  string            `output:"digest"`
	Changed bool              `output:"changed"`
	Code    *int              `output:"exit-code"`
	Count   int               `output:"count"`
	Tags    []string          `output:"tags"`
	Labels  map[string]string `output:"labels"`
	Plan    json.RawMessage   `output:"plan"`
}

func TestOutputs(t *testing.T) {
	code := 3
	full := results{
		Outputs: Outputs{Outcome: Failed, Duration: 93412 * time.Millisecond}, Digest: "a<b\n\"c\" hunter2", Changed: true, Code: &code,
		Count: -1, Tags: []string{"x", "y"}, Labels: map[string]string{"k": "v"}, Plan: json.RawMessage("{\n \"z\": 1, \"a\": []}"),
	}
	for _, test := range []struct {
		name       string
		out        results
		text, json string
	}{
		{"nothing known", results{},
			"outcome=|duration=0|digest=|changed=false|exit-code=|count=0|tags=|labels=|plan=",
			`{"outcome": "", "duration": 0, "digest": "", "changed": false, "exit-code": null, "count": 0, "tags": [], "labels": {}, "plan": null}`},
		{"all", full,
			"outcome=failed|duration=93.412|digest=a<b\n\"c\" " +
				"***|changed=true|exit-code=3|count=-1|tags=[\"x\",\"y\"]|labels={\"k\":\"v\"}|plan={\"z\":1,\"a\":[]}",
			`{"outcome": "failed", "duration": 93.412, "digest": "a<b\n\"c\" ***", "changed": true, "exit-code": 3, "count": -1, "tags": ["x","y"], "labels": {"k":"v"}, "plan": {"z":1,"a":[]}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			redact := func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
			outputs := outputsOf(reflect.ValueOf(test.out), fieldsOf(reflect.TypeFor[results](), "output"), redact)
			var got []string
			for _, o := range outputs {
				got = append(got, o.Name+"="+o.Text)
			}
			if text := strings.Join(got, "|"); text != test.text {
				t.Errorf("got  %s\nwant %s", text, test.text)
			}
			printed := strings.ReplaceAll(string(PrintJSON(outputs, "")), "\n  ", " ")
			if printed = strings.Replace(strings.Replace(printed, "{ ", "{", 1), "\n}\n", "}", 1); printed != test.json {
				t.Errorf("got  %s\nwant %s", printed, test.json)
			}
		})
	}
}

func TestMaskedNumberStaysJSON(t *testing.T) {
	got := redactJSON([]byte(`{"pin":123456}`), func(s string) string { return strings.ReplaceAll(s, "123456", "***") })
	if string(got) != `"{\"pin\":***}"` {
		t.Errorf("got %s", got)
	}
}

func TestFileCommand(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"digest", "sha256:0", "digest=sha256:0\n"},
		{"digest", "", "digest=\n"},
		{"digest", "a<<b=c", "digest=a<<b=c\n"},
		{"digest", "a\nb\n", "digest<<connect2_R\na\nb\n\nconnect2_R\n"},
		{"digest", "a\rb", "digest<<connect2_R\na\rb\nconnect2_R\n"},
	} {
		got, err := fileCommand(test.name, test.value, func() string { return "R" })
		if err != nil || got != test.want {
			t.Errorf("%q: %q, %v; want %q", test.value, got, err, test.want)
		}
	}
	for _, name := range []string{"", "a=b", "a<<b", "a\nb", "a b", "-a"} {
		if got, err := fileCommand(name, "v", func() string { return "R" }); err == nil {
			t.Errorf("name %q is accepted: %q", name, got)
		}
	}
	if got, err := fileCommand("a", "x\nconnect2_R\nrole=evil", func() string { return "R" }); err == nil {
		t.Errorf("a value that holds the delimiter is accepted: %q", got)
	}
}

// FuzzOutputFile writes any value and reads the file back as the runner does: nothing but this one output may come out.
func FuzzOutputFile(f *testing.F) {
	for _, seed := range []string{"", "x", "a\nb", "a\n\n", "\n", "\r", "a\r\nb",
		"_GitHubActionsFileCommandDelimeter_\nrole-arn<<X\nevil\nX", "x<<EOF\ny\nEOF", "a=b\nc=d", "connect2_\nx", "\x00", "\xff\n",
		"é\n\u2028"} {
		f.Add(seed)
	}
	file := filepath.Join(f.TempDir(), "output")
	f.Fuzz(func(t *testing.T, value string) {
		os.Remove(file)
		before := Output{Name: "first", Text: "1"}
		if err := WriteOutputs(file, []Output{before, {Name: "it", Text: value}, {Name: "last", Text: "2"}}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAsRunner(string(b))
		if err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if len(got) != 3 || got["first"] != "1" || got["it"] != value || got["last"] != "2" {
			t.Errorf("value %q arrives as %q", value, got)
		}
	})
}

// readAsRunner parses an output file by the rules of the runner's FileCommandManager: NAME=VALUE where "=" comes before
// "<<", NAME<<DELIMITER otherwise, and a line feed alone ends a line.
func readAsRunner(file string) (map[string]string, error) {
	values := map[string]string{}
	for file != "" {
		var line string
		line, file, _ = strings.Cut(file, "\n")
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case line == "":
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			values[line[:equals]] = line[equals+1:]
		case heredoc >= 0:
			name, delimiter := line[:heredoc], line[heredoc+2:]
			var lines []string
			for {
				if file == "" {
					return nil, fmt.Errorf("no delimiter %q", delimiter)
				}
				line, file, _ = strings.Cut(file, "\n")
				if line == delimiter {
					break
				}
				lines = append(lines, line)
			}
			values[name] = strings.Join(lines, "\n")
		default:
			return nil, fmt.Errorf("invalid format %q", line)
		}
	}
	return values, nil
}

func TestOutcomes(t *testing.T) {
	codes := map[Outcome]int{Succeeded: 0, NoChange: 0, Invalid: 1, Failed: 2, RolledBack: 2, Stuck: 3, Superseded: 4, TimedOut: 5,
		Unknown: 6, Defect: 70, Cancelled: 130, "": 70, "unheard-of": 70}
	for outcome, code := range codes {
		if got := outcome.ExitCode(); got != code {
			t.Errorf("%s: exit code %d, want %d", outcome, got, code)
		}
	}
}

func TestOutcomeOf(t *testing.T) {
	broke := errors.New("it broke")
	for name, test := range map[string]struct {
		err  error
		want Outcome
	}{
		"nil":                    {nil, Succeeded},
		"plain":                  {broke, Failed},
		"cancelled":              {fmt.Errorf("wait: %w", context.Canceled), Cancelled},
		"the cause of a signal":  {fmt.Errorf("wait: %w", ErrInterrupted), Cancelled},
		"deadline":               {fmt.Errorf("wait: %w", context.DeadlineExceeded), TimedOut},
		"outermost":              {fmt.Errorf("a: %w", &Error{Outcome: Stuck, Err: &Error{Outcome: Failed, Err: broke}}), Stuck},
		"without one, the inner": {&Error{Title: "t", Err: fmt.Errorf("b: %w", &Error{Outcome: Unknown, Err: broke})}, Unknown},
		"without any, the cause": {&Error{Title: "t", Err: context.Canceled}, Cancelled},
		"joined":                 {errors.Join(broke, Failf(Superseded, "by another")), Superseded},
		"Invalidf wraps":         {Invalidf("no cluster: %w", broke), Invalid},
		"an Error of nothing":    {&Error{Title: "t"}, Failed},
	} {
		if got := OutcomeOf(test.err); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
