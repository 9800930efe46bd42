package terraform

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// failing is a plan whose nth read or seek fails.
type failing struct {
	*strings.Reader
	calls, at int
}

var errBroken = errors.New("broken")

func (f *failing) next() error {
	if f.calls++; f.calls == f.at {
		return errBroken
	}
	return nil
}

func (f *failing) Read(b []byte) (int, error) {
	if err := f.next(); err != nil {
		return 0, err
	}
	return f.Reader.Read(b)
}

func (f *failing) Seek(offset int64, whence int) (int64, error) {
	if err := f.next(); err != nil {
		return 0, err
	}
	return f.Reader.Seek(offset, whence)
}

// A plan that cannot be read to its end is not half a plan: wherever its file fails, reading it does.
func TestReadPlanTellsEveryFault(t *testing.T) {
	text := planOf(t, []object{change("aws_x.a", update, object{"v": "1"}, object{"v": "2"})}, object{
		"timestamp": "2026-01-01T00:00:00Z", "variables": object{"x": object{"value": "1"}}, "errored": false,
		"resource_drift": []any{change("aws_x.a", update, object{"v": "0"}, object{"v": "1"}, object{"mode": "managed"})},
		"output_changes": object{"o": object{"actions": create, "before": nil, "after": "x"}},
		"prior_state": object{"values": object{"root_module": object{"resources": []any{object{"type": "aws_caller_identity",
			"values": object{"arn": "arn:aws:iam::1:role/x"}}}}}},
	})
	whole := &failing{Reader: strings.NewReader(text)}
	p, err := ReadPlan(whole)
	if err != nil || len(p.Changes) != 1 || len(p.Drift) != 1 || len(p.Outputs) != 1 {
		t.Fatalf("%+v: %v", p, err)
	}
	for at := 1; at <= whole.calls; at++ {
		p, err := ReadPlan(&failing{Reader: strings.NewReader(text), at: at})
		if !errors.Is(err, errBroken) || p != nil {
			t.Errorf("call %d of %d fails: %v, %v", at, whole.calls, p, err)
		}
	}
}

func TestReadPlanRefusesWhatIsNotAPlan(t *testing.T) {
	for name, member := range map[string]string{
		"terraform_version": `1`, "complete": `"yes"`, "errored": `1`, "timestamp": `1`, "variables": `[]`, "resource_changes": `{}`,
		"resource_drift": `[{"address":1}]`, "output_changes": `[]`,
		"prior_state": `{"values":{"root_module":{"resources":{"type":"aws_caller_identity"}}}}`,
	} {
		text := fmt.Sprintf(`{"format_version":"1.2",%q:%s}`, name, member)
		if name == "resource_changes" { // an object where a list is due: its first member is not a change
			text = `{"format_version":"1.2","resource_changes":{"a":1}}`
		}
		_, err := ReadPlan(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), "reading the plan") {
			t.Errorf("%s: %v", text, err)
		}
	}
	// What is passed over at first is decoded where it is needed.
	for name, values := range map[string]string{
		"a value":        `"before":null,"after":{"v":tru}`,
		"a secret value": `"before":null,"after":{"v":tru},"after_sensitive":{"v":true}`,
		"a mark":         `"before":null,"after":{"v":"x"},"after_sensitive":{"v":true,"w":tru}`,
	} {
		text := `{"format_version":"1.2","resource_changes":[{"address":"aws_x.a","change":{"actions":["create"],` + values + `}}]}`
		if _, err := ReadPlan(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "aws_x.a: the JSON has") {
			t.Errorf("%s that is not JSON: %v", name, err)
		}
	}
	for _, format := range []string{"1", "1.0", "1.99"} {
		if _, err := ReadPlan(strings.NewReader(`{"format_version":"` + format + `"}`)); err != nil {
			t.Errorf("format %s: %v", format, err)
		}
	}
	for _, format := range []string{"", "0.2", "2.0", "10.1"} {
		if _, err := ReadPlan(strings.NewReader(`{"format_version":"` + format + `"}`)); err == nil || !strings.Contains(err.Error(),
			"this program knows 1.x") {
			t.Errorf("format %s: %v", format, err)
		}
	}
}

func TestPlanIsIncomplete(t *testing.T) {
	for member, want := range map[string]bool{"": false, `,"complete":true`: false, `,"complete":false`: true, `,"complete":null`: false} {
		if p := read(t, `{"format_version":"1.2"`+member+`}`); p.Incomplete != want || p.Errored {
			t.Errorf("%s: incomplete is %t", member, p.Incomplete)
		}
	}
	if p := read(t, `{"format_version":"1.2","errored":true,"resource_changes":null,"terraform_version":"1.11.4"}`); !p.Errored ||
		p.TerraformVersion != "1.11.4" {
		t.Errorf("%+v", p)
	}
}

func TestActionOf(t *testing.T) {
	for _, test := range []struct {
		actions            tfjson.Actions
		want               Action
		destroys, replaces bool
	}{
		{tfjson.Actions{"no-op"}, None, false, false},
		{tfjson.Actions{"create"}, Create, false, false},
		{tfjson.Actions{"read"}, Read, false, false},
		{tfjson.Actions{"update"}, Update, false, false},
		{tfjson.Actions{"delete"}, Delete, true, false},
		{tfjson.Actions{"delete", "create"}, Replace, true, true},
		{tfjson.Actions{"create", "delete"}, ReplaceSafely, true, true},
		{tfjson.Actions{"forget"}, Forget, false, false},
		{tfjson.Actions{"create", "forget"}, Create, false, false},
		{tfjson.Actions{"open"}, None, false, false},
		{nil, None, false, false},
	} {
		got := actionOf(test.actions)
		if got != test.want || got.Destroys() != test.destroys || got.Replaces() != test.replaces {
			t.Errorf("%q: %s, destroys %t, replaces %t", test.actions, got, got.Destroys(), got.Replaces())
		}
	}
}

// What does not change is counted and not listed; a move or an import alone is listed.
func TestWhatIsListed(t *testing.T) {
	same := object{"v": "1"}
	for _, test := range []struct {
		name      string
		change    object
		listed    bool
		unchanged int
		moved     bool
		imported  string
	}{
		{"nothing happens", change("aws_x.a", nothing, same, same), false, 1, false, ""},
		{"nothing happens to a data source", change("data.aws_x.a", nothing, same, same, object{"mode": "data"}), false, 0, false, ""},
		{"a change", change("aws_x.a", update, same, object{"v": "2"}), true, 0, false, ""},
		{"a move", change("aws_x.a", nothing, same, same, object{"previous_address": "aws_x.b"}), true, 0, true, ""},
		{"the same address as before", change("aws_x.a", nothing, same, same, object{"previous_address": "aws_x.a"}), false, 1, false, ""},
		{"a change at the same address", change("aws_x.a", update, same, object{"v": "2"}, object{"previous_address": "aws_x.a"}), true, 0, false,
			""},
		{"an import", change("aws_x.a", nothing, same, same, object{"importing": object{"id": "i"}}), true, 0, false, "i"},
	} {
		p := read(t, planOf(t, []object{test.change}, nil))
		if (len(p.Changes) == 1) != test.listed || p.Unchanged != test.unchanged {
			t.Errorf("%s: %d listed, %d unchanged", test.name, len(p.Changes), p.Unchanged)
		} else if test.listed && (p.Changes[0].Moved() != test.moved || p.Changes[0].Importing != test.imported ||
			p.Changes[0].Imported != (test.imported != "")) {
			t.Errorf("%s: %+v", test.name, p.Changes[0])
		} else if test.listed && !test.moved && p.Changes[0].Previous != "" {
			t.Errorf("%s: a previous address: %q", test.name, p.Changes[0].Previous)
		}
		if p.trace.variables != nil {
			t.Errorf("%s: there are no variables, and %s counts", test.name, p.trace.variables)
		}
	}
	if (Change{Address: "a", Previous: "a"}).Moved() {
		t.Error("an address that stays is a move")
	}
}

// Lists come in the order of their addresses, and of several objects at one address in that of their keys.
func TestPlanIsInOrder(t *testing.T) {
	list := func(mode ...object) []object {
		of := func(address string, more ...object) object {
			return change(address, update, object{"v": "1"}, object{"v": "2"}, append(more, mode...)...)
		}
		return []object{of("aws_x.b"), of("aws_x.a", object{"deposed": "2"}), of("aws_x.a", object{"deposed": "1"}), of("aws_x.a")}
	}
	outputs, drift := object{}, []any{}
	for _, name := range []string{"d", "a", "c", "b", "f", "e"} {
		outputs[name] = object{"actions": create, "before": nil, "after": name}
	}
	outputs["same"] = object{"actions": nothing, "before": "x", "after": "x"}
	for _, c := range list(object{"mode": "managed"}) {
		drift = append(drift, c)
	}
	drift = append(drift, change("aws_x.same", nothing, object{"v": "1"}, object{"v": "1"}, object{"mode": "managed"}))
	p := read(t, planOf(t, list(), object{"output_changes": outputs, "resource_drift": drift}))
	for _, test := range []struct {
		what string
		list []Change
		want string
	}{
		{"changes", p.Changes, "aws_x.a/ aws_x.a/1 aws_x.a/2 aws_x.b/"}, {"drift", p.Drift, "aws_x.a/ aws_x.a/1 aws_x.a/2 aws_x.b/"}, {"outputs",
			p.Outputs, "a/ b/ c/ d/ e/ f/"},
	} {
		var got []string
		for _, c := range test.list {
			got = append(got, c.Address+"/"+c.Deposed)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
	if got := p.Outputs[0].Lines(); !slices.Equal(got, []string{`+ value = "a"`}) || p.Unchanged != 0 {
		t.Errorf("an output is told as %q; %d unchanged", got, p.Unchanged)
	}
}

func TestDifferencesAreBounded(t *testing.T) {
	for n, hidden := range map[int]int{59: 0, 60: 0, 61: 1, 75: 15} {
		values := object{}
		for i := range n {
			values[fmt.Sprintf("a%02d", i)] = "x"
		}
		c := read(t, planOf(t, []object{change("aws_x.a", create, nil, values)}, nil)).Changes[0]
		if len(c.Attributes) != n-hidden || c.Hidden != hidden {
			t.Errorf("of %d differences %d are listed and %d hidden", n, len(c.Attributes), c.Hidden)
		}
	}
}

func TestFamilyOfTaskDefinitions(t *testing.T) {
	for _, test := range []struct{ before, after, want string }{
		{"a", "b", "b"}, {"a", "", "a"}, {"", "b", "b"}, {"", "", ""},
	} {
		c := read(t, planOf(t, []object{change("aws_ecs_task_definition.a", update, object{"family": test.before}, object{"family": test.after,
			"x": "1"})}, nil)).Changes[0]
		if c.family != test.want || c.before != nil || c.after != nil {
			t.Errorf("%+v: %q; the values are kept: %t", test, c.family, c.before != nil)
		}
	}
}

func TestCallersOfAPlan(t *testing.T) {
	identity := func(values string) string {
		return `{"format_version":"1.2","prior_state":{"values":{"root_module":{"resources":[{"type":"aws_x","values":{"arn":"arn:aws:iam::1:role/other"}},` +
			`{"type":"aws_caller_identity","values":"?"},{"type":"aws_caller_identity","values":` + values + `}]}}},` +
			`"timestamp":"2026-01-01T00:00:00Z"}`
	}
	for _, test := range []struct{ values, text, want string }{
		{`{"arn":"arn:aws:iam::1:role/me"}`, "arn:aws:iam::1:role/me and arn:aws:iam::1:role/other",
			"<the caller> and arn:aws:iam::1:role/other"},
		{`{"user_id":"123456789"}`, "123456789", "<the caller>"},
		{`{"user_id":"12345678"}`, "12345678", "12345678"},
		{`{}`, "2026-01-01T00:00:00Z", "<the plan's time>"},
	} {
		d := planDecoder{s: scanner{text: []byte(identity(test.values))}, plan: &Plan{}}
		if err := d.decode(); err != nil {
			t.Fatal(err)
		}
		if got := d.clean.Replace(test.text); got != test.want {
			t.Errorf("%s: %q becomes %q, want %q", test.values, test.text, got, test.want)
		}
	}
	d := planDecoder{s: scanner{text: []byte(`{"format_version":"1.2"}`)}, plan: &Plan{}}
	if err := d.decode(); err != nil || d.clean.Replace("abc") != "abc" {
		t.Errorf("without a time and a state %q: %v", d.clean.Replace("abc"), err)
	}
}
