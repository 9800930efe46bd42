package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
)

// newReadme is the README of an action that has none yet. From then on only its tables are generated.
func newReadme(a *action.Action) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", a.Meta.Name, a.Meta.Description)
	if a.Meta.Doc != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(a.Meta.Doc))
	}
	fmt.Fprintf(&b, "\n## In a workflow\n\n```yaml\njobs:\n  %s:\n    runs-on: ubuntu-latest\n", a.Meta.Name)
	b.WriteString("    permissions:\n      id-token: write # to assume the role without stored keys\n      contents: read\n    steps:\n")
	fmt.Fprintf(&b, "      - uses: org/connect2/actions/%s@v2\n        with:\n", a.Meta.Name)
	for _, f := range a.Inputs() {
		if f.Required {
			fmt.Fprintf(&b, "          %s: %s\n", f.Name, cmp.Or(samples[f.Name], "..."))
		}
	}
	for _, f := range a.Inputs() {
		if text := samples[f.Name]; !f.Required && text != "" {
			fmt.Fprintf(&b, "          %s: %s\n", f.Name, text)
		}
	}
	b.WriteString("```\n")
	if len(a.Meta.Examples) > 0 {
		b.WriteString("\n## In a terminal\n\n```sh\n")
		for _, e := range a.Meta.Examples {
			fmt.Fprintf(&b, "# %s\nconnect2 %s %s\n", e.Title, a.Meta.Name, strings.TrimSpace(e.Args))
		}
		b.WriteString("```\n")
	}
	b.WriteString("\n## Inputs\n\n<!-- inputs -->\n<!-- /inputs -->\n\n## Outputs\n\n<!-- outputs -->\n<!-- /outputs -->\n")
	b.WriteString(outcomes)
	fmt.Fprintf(&b, "\n## Where it runs\n\nOn Linux runners, as a container of one static binary; elsewhere as `connect2 %s`.\n", a.Meta.Name)
	return b.String()
}

// samples are values for the inputs that most actions have, so that an example can be copied.
var samples = map[string]string{
	"role-to-assume": "arn:aws:iam::123456789012:role/deploy",
	"region":         "us-west-2",
	"cluster":        "connect2-api-cluster-dev",
	"service":        "connect2-api-service-dev",
}

const outcomes = `
## How it ends

Outputs are written however it ends; ` + "`outcome`" + ` and the exit code say how that was.

| exit code | outcome | what it means |
|---|---|---|
| 0 | succeeded, no-change | The wanted state is in force. |
| 1 | invalid | A check failed before anything was changed. |
| 2 | failed, rolled-back | It failed, and the previous state is in force. |
| 3 | stuck | It failed and could not be put back: act now. |
| 4 | superseded | A newer deployment took over. |
| 5 | timed-out | The time given was not enough. |
| 6 | unknown | Contact or credentials were lost: look at what is running. |
| 70 | defect | A fault of the action itself. |
| 130 | cancelled | Somebody cancelled the run. |
`

// newProgram is the command of one action alone.
func newProgram(a *action.Action) string {
	pkg := strings.ReplaceAll(a.Meta.Name, "-", "")
	imports := []string{pkg, "run"}
	slices.Sort(imports)
	return fmt.Sprintf(`// Command %[1]s is the action %[1]s alone: with flags a command, without any a container's entry point.
package main

import (
	"os"

	"github.com/org/connect2/v2/pkg/%[3]s"
	"github.com/org/connect2/v2/pkg/%[4]s"
)

func main() { os.Exit(run.Entry(%[2]s.Action, os.Args[1:])) }
`, a.Meta.Name, pkg, imports[0], imports[1])
}
