package adjust

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// History is `connect2 history`.
var History = action.Define(action.Meta{
	Name:        "history",
	Looks:       true,
	Description: "List the deployments of a service: when, what, by whom, how each ended and how long it took",
	Doc: "ECS keeps the deployments of the last 90 days. Commit and person come from the tags that a release puts on its revision, " +
		"and are left out where there are none.",
	Examples: []action.Example{{Title: "The last twenty", Args: "--environment prod"},
		{Title: "All that ECS keeps", Args: "--environment prod --limit 900"}},
}, runHistory)

// HistoryInputs are what history can be told.
type HistoryInputs struct {
	operate.Inputs
	Limit int `input:"limit" short:"n" default:"20" min:"1" max:"900" doc:"How many deployments, newest first."`
}

// HistoryOutputs are what was found.
type HistoryOutputs struct {
	action.Outputs
	Deployments json.RawMessage `output:"deployments" doc:"Newest first: arn, when, revision, outcome, duration in seconds, commit, by, why."`
}

// Entry is one deployment as it is listed.
type Entry struct {
	ARN      string  `json:"arn"`
	When     string  `json:"when"`
	Revision string  `json:"revision"`
	Outcome  string  `json:"outcome"`
	Duration float64 `json:"duration"` // seconds; 0 while it is under way
	Commit   string  `json:"commit"`
	By       string  `json:"by"`
	Why      string  `json:"why"`
}

func runHistory(ctx context.Context, env *action.Env, in HistoryInputs) (HistoryOutputs, error) {
	s, err := find(ctx, env, in.Inputs, false)
	if err != nil {
		return HistoryOutputs{}, err
	}
	all, err := history.Read(ctx, s.client, in.Cluster, in.Service, s.now.Current)
	if err != nil {
		return HistoryOutputs{}, awsconn.Refuse(ctx, "The deployments could not be read", err)
	}
	all = all[:min(len(all), in.Limit)]
	var wanted []string
	for _, d := range all {
		wanted = append(wanted, d.TaskDefinition)
	}
	entries := entriesOf(all, history.Describe(ctx, s.client, wanted))
	var rows [][]string
	for _, e := range entries {
		took := "-"
		if e.Duration > 0 {
			took = render.Took(all[len(rows)].Finished.Sub(all[len(rows)].Created))
		}
		rows = append(rows, []string{render.Day(all[len(rows)].Created), e.Revision, e.Outcome, took, dash(commits.Short(e.Commit)), dash(e.By),
			diagnose.Printable(e.Why)})
	}
	text := "no deployment is known\n"
	if len(rows) > 0 {
		text = render.Columns(env.Screen.Columns(), []string{"WHEN", "REVISION", "OUTCOME", "TOOK", "COMMIT", "BY", "WHY"}, rows)
	}
	if _, err := io.WriteString(operate.Out(env), text); err != nil {
		return HistoryOutputs{}, fmt.Errorf("writing the list to standard output: %w", err)
	}
	return HistoryOutputs{Deployments: operate.JSON(entries)}, nil
}

func entriesOf(all []history.Deployment, revisions map[string]*taskdef.Revision) []Entry {
	entries := []Entry{}
	for _, d := range all {
		e := Entry{ARN: d.ARN, When: d.Created.UTC().Format("2006-01-02T15:04:05Z"), Revision: d.Name(),
			Outcome: strings.ToLower(strings.ReplaceAll(string(d.Status), "_", " "))}
		if d.Finished.After(d.Created) {
			e.Duration = d.Finished.Sub(d.Created).Round(1e6).Seconds()
		}
		if !d.Succeeded() {
			e.Why = diagnose.Redact(d.Reason)
		}
		if r := revisions[d.TaskDefinition]; r != nil {
			e.Commit, e.By = r.Tags[commits.Tag], r.Tags["connect2:by"]
		}
		entries = append(entries, e)
	}
	return entries
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Diff is `connect2 diff`.
var Diff = action.Define(action.Meta{
	Name:        "diff",
	Looks:       true,
	Description: "Show what differs between two revisions of a service's task definition",
	Doc: "A revision is a number of the service's family, FAMILY:NUMBER, or an ARN; without a second one, the first is compared with what " +
		"the service is on. Values of environment variables are never shown, only their names. Defaults that ECS fills in do not count as a " +
		"difference.",
	Examples: []action.Example{{Title: "What changed between two", Args: "41 42 --environment prod"},
		{Title: "What would a rollback to 41 change?", Args: "41 --environment prod"}},
}, runDiff)

// DiffInputs are what diff can be told.
type DiffInputs struct {
	operate.Inputs
	Old string `input:"old" required:"true" arg:"REV" doc:"The revision to compare."`
	New string `input:"new" arg:"REV2" doc:"The revision to compare with. Empty: what the service is on."`
}

// DiffOutputs are what was found.
type DiffOutputs struct {
	action.Outputs
	Changes json.RawMessage `output:"changes" doc:"One line for each difference."`
}

func runDiff(ctx context.Context, env *action.Env, in DiffInputs) (DiffOutputs, error) {
	s, err := find(ctx, env, in.Inputs, false)
	if err != nil {
		return DiffOutputs{}, err
	}
	newer := s.now.TaskDefinition
	if in.New != "" {
		newer = s.revision(in.New)
	}
	before, err1 := taskdef.Describe(ctx, s.client, s.revision(in.Old))
	after, err2 := taskdef.Describe(ctx, s.client, newer)
	if err := awsconn.Refuse(ctx, "A revision could not be read", err1, err2); err != nil {
		return DiffOutputs{}, err
	}
	lines := []string{}
	var b strings.Builder
	fmt.Fprintf(&b, "from %s to %s\n", before.Name(), after.Name())
	for _, change := range taskdef.Diff(before.Document, after.Document) {
		line := diagnose.Printable(change.String())
		lines = append(lines, line)
		style := map[byte]operate.Style{'+': operate.Good, '-': operate.Bad}[line[0]]
		if style != "" {
			line = operate.Paint(env.Screen, style, line)
		}
		b.WriteString("  " + line + "\n")
	}
	if len(lines) == 0 {
		b.WriteString("  nothing differs\n")
	}
	if _, err := io.WriteString(operate.Out(env), b.String()); err != nil {
		return DiffOutputs{}, fmt.Errorf("writing the differences to standard output: %w", err)
	}
	return DiffOutputs{Changes: operate.JSON(lines)}, nil
}
