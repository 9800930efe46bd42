package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/diagnose"
)

// causes is docs/CAUSES.md: what every code of a diagnosis means.
func causes() file {
	var b strings.Builder
	b.WriteString(`# Causes

When a release or a one-off task fails, the card in the job summary names one cause. This is every code that it can have. Words in
capitals are filled in. A cause is *certain* only where the same revision cannot pass by itself: then a roll-out is stopped at once
instead of being tried again. This file is generated from ` + "`pkg/diagnose`" + `.

| Code | What it means | Read from | Whose fault | Certain | What to do |
|---|---|---|---|---|---|
`)
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;").Replace
	for _, c := range diagnose.Causes() {
		var faults []string
		for _, f := range c.Faults {
			faults = append(faults, string(f))
		}
		slices.Sort(faults)
		certain := ""
		if c.Certain {
			certain = "can be"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", c.Code, cell(c.Meaning), strings.Join(c.Evidence, "; "),
			strings.Join(faults, ", "), certain, cell(strings.Join(c.Fix, "; ")))
	}
	return file{"docs/CAUSES.md", b.String()}
}
