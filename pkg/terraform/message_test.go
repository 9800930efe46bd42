package terraform

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"github.com/org/connect2/v2/pkg/record"
)

// TestUntypedMessages tells messages without a type, as OpenTofu 1.11 sends them: without marks for colours, and without the error that
// only says that there are others. An error is kept for a failure that no diagnostic explains.
func TestUntypedMessages(t *testing.T) {
	const announcing = "OpenTofu encountered problems during initialization, including problems\\nwith the configuration, described below."
	for _, test := range []struct {
		name, line string
		kind       record.Kind
		text       string
		kept       []string
	}{
		{"an error that says something", `{"@level":"error","@message":"[red][bold]No such module"}`, record.KindNote, "No such module",
			[]string{"No such module"}},
		{"one that only announces", `{"@level":"error","@message":"[reset]` + announcing + `"}`, record.KindDebug,
			"OpenTofu encountered problems during initialization, including problems\nwith the configuration, described below.",
			[]string{"OpenTofu encountered problems during initialization, including problems\nwith the configuration, described below."}},
		{"information", `{"@level":"info","@message":"[light_red]Reading"}`, record.KindNote, "Reading", nil},
		{"brackets of its own", `{"@level":"info","@message":"module.a[0] is read"}`, record.KindNote, "module.a[0] is read", nil},
		{"a typed message is as it is", `{"@level":"info","@message":"[red]x","type":"init_output"}`, record.KindNote, "[red]x", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var told []record.Event
			teller := &teller{runner: &Runner{Events: func(e record.Event) { told = append(told, e) }}}
			teller.line(test.line)
			if len(told) != 1 || told[0].Kind != test.kind || told[0].Text != test.text || !slices.Equal(teller.plain, test.kept) {
				t.Errorf("told %+v, kept %q", told, teller.plain)
			}
		})
	}
}

// TestParseMessage reads what tf-apply wants of a line, and passes over the rest of it.
func TestParseMessage(t *testing.T) {
	diagnosed := message{Level: "error", Message: "Error: No", Type: "diagnostic",
		Diagnostic: &tfjson.Diagnostic{Severity: "error", Summary: "No"}}
	creating := message{Level: "info", Message: "a: Creating...", Type: "apply_start", Hook: &hook{Action: "create"}}
	creating.Hook.Resource.Address, creating.Hook.Resource.Type = "a.b[\"x\"]", "a"
	for _, test := range []struct {
		line string
		want message
		ok   bool
	}{
		{`{"@level":"info","@message":"x","type":"planned_change","change":{"resource":{"addr":"a"},"action":"create","x":[1,{"y":"}"}]}}`,
			message{Level: "info", Message: "x", Type: "planned_change"}, true},
		{`{"@level":"error","@message":"Error: No","type":"diagnostic","diagnostic":{"severity":"error","summary":"No"}}`, diagnosed, true},
		{`{"@level":"info","@message":"a: Creating...","hook":{"resource":{"addr":"a.b[\"x\"]","resource_type":"a"},"action":"create"},` +
			`"type":"apply_start"}`, creating, true},
		{` {"@level":"info"}`, message{}, false}, // it would be JSON, and no message begins so
		{`{"@level":"info","@message":"tab\tquote\" é"}`, message{Level: "info", Message: "tab\tquote\" é"}, true},
		{`{"@message":"without a level"}`, message{Message: "without a level"}, false},
		{`{"@level":7}`, message{}, false},
		{`{"@level":"info","@message":"cut o`, message{Level: "info"}, false},
		{`{"@level":"info"} and more`, message{Level: "info"}, false},
		{`{"@level":"info","hook":{"action":3}}`, message{Level: "info", Hook: &hook{}}, false},
		{`{`, message{}, false},
		{`Error: plain`, message{}, false},
	} {
		got, ok := parseMessage(test.line)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(hook{})); ok != test.ok || ok && diff != "" {
			t.Errorf("%s: %t\n%s", test.line, ok, diff)
		}
	}
}
