package terraform

import (
	"slices"
	"testing"

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
