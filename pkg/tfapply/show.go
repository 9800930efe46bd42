package tfapply

import (
	"net/url"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/terraform"
)

// leftOut stands below a review that does not fit.
const leftOut = "… %d more changes do not fit here; the totals above count them, and the job's log lists them."

// summary reports the review of a plan, and below it what is to stand there in any case.
func (s *session) summary(p *planned, what string, below ...record.Section) {
	review := p.review.Section(s.title(what))
	review.Name = "review"
	for _, section := range append([]record.Section{review}, below...) {
		s.env.Events.Section(section)
	}
}

// review is the Markdown of a plan's review, cut so that all of it takes at most limit bytes: hidden lines above, and sections below.
func (s *session) review(p *planned, what string, limit int, hidden string, below ...record.Section) string {
	tail := ""
	for _, section := range below {
		if section.Name == historyName {
			tail += render.Hidden(historyMark)
		}
		tail += render.Section(section)
	}
	return hidden + render.Cut(p.review.Section(s.title(what)), limit-len(hidden)-len(tail), leftOut) + tail
}

// digestSection is the plan's digest, to be handed to the run that applies.
func (p *planned) digestSection() record.Section {
	return record.Section{Name: "digest", Title: "Digest of this plan", Folded: true, Blocks: []record.Block{{Verbatim: p.digest.String()}}}
}

// cutOffSection lists what was under way when Terraform was interrupted, with what repairs it.
func (s *session) cutOffSection(a terraform.Applied) record.Section {
	section := record.Section{Name: "cut-off"}
	if !a.Interrupted && a.Unsaved == "" || len(a.CutOff) == 0 {
		return section
	}
	table := record.Table{Head: []string{"Cut off", "While", "Repair"}}
	for _, c := range a.CutOff {
		table.Rows = append(table.Rows, []record.Text{
			{Text: c.Address, Form: record.Code}, {Text: c.Action}, {Text: c.Repair(s.in.Engine), Form: record.Code},
		})
	}
	section.Blocks = []record.Block{{Table: &table}}
	return section
}

// marker is the hidden line by which a comment is known again: one for each directory, environment and workspace.
func (s *session) marker() string {
	name := s.place() + " " + s.in.Environment + " " + s.in.Workspace
	if s.in.Label != "" {
		name += " " + s.in.Label
	}
	return strings.TrimSuffix(render.Hidden("connect2 tf-apply "+url.PathEscape(name)), "\n")
}

// run is this run as a link.
func (s *session) run() record.Text {
	return record.Text{Text: "run " + s.env.GitHub.RunNumber, Link: s.env.GitHub.RunURL()}
}

// commentBody is the comment of a pull request as Markdown: the review, and one folded line for each plan before. before is the
// comment as it was.
func (s *session) commentBody(p *planned, before string) string {
	commit := record.Text{Text: "Commit " + s.env.GitHub.SHA[:min(12, len(s.env.GitHub.SHA))] + ", "}
	return s.review(p, "Plan", render.CommentLimit, s.marker()+"\n"+render.Hidden("connect2 plan-digest "+p.digest.String()),
		record.Section{Name: "run", Blocks: []record.Block{{Paragraph: []record.Text{commit, s.run()}}}},
		s.history(p, before))
}

// driftBody is the issue about drift as Markdown.
func (s *session) driftBody(p *planned) string {
	return s.review(p, "Drift", render.CommentLimit, s.marker()+"\n",
		record.Section{Name: "run", Blocks: []record.Block{{Paragraph: []record.Text{s.run()}}}})
}

// driftGone is the last comment of the issue about drift.
func (s *session) driftGone() record.Section {
	return record.Section{Name: "gone", Blocks: []record.Block{{Paragraph: []record.Text{{Text: "The drift is gone. "}, s.run()}}}}
}

const (
	historyName = "history"
	historyMark = "connect2 history" // the list of plans stands below it in the comment
	historyMost = 20
)

// historyLine is one plan of the list, as the comment that is there has it.
var historyLine = lazyregexp.New("^- ([0-9a-z, ]+), `(sha256:[0-9a-f]+)`, (?:\\[(run ?[0-9]*)\\]\\((\\S+)\\)|(run ?[0-9]*))$")

// history lists the plans so far, the newest first: this one, and those that the comment lists.
func (s *session) history(p *planned, before string) record.Section {
	item := func(totals, digest string, run record.Text) []record.Text {
		return []record.Text{{Text: totals + ", "}, {Text: digest, Form: record.Code}, {Text: ", "}, run}
	}
	plans := [][]record.Text{item(p.review.Totals.String(), p.digest.Whole[:19], s.run())}
	mark := render.Hidden(historyMark)
	if at := strings.LastIndex(before, mark); at >= 0 {
		for line := range strings.Lines(before[at+len(mark):]) {
			if m := historyLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil && len(plans) < historyMost {
				plans = append(plans, item(m[1], m[2], record.Text{Text: m[3] + m[5], Link: m[4]}))
			}
		}
	}
	return record.Section{Name: historyName, Title: "Plans so far", Folded: true, Blocks: []record.Block{{List: plans}}}
}
