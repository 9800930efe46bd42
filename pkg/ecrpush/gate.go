package ecrpush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/record"
)

// severities are those of findings, the gravest first. What nobody has judged yet stands last.
var severities = []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"}

// rank is a severity's place; one that is not known counts as grave.
func rank(severity string) int { return max(0, slices.Index(severities, strings.ToUpper(severity))) }

// ignored is a finding that does not count until a day.
type ignored struct {
	until  time.Time // the end of its last day, in UTC
	reason string
}

// parseIgnores reads NAME=YYYY-MM-DD REASON.
func parseIgnores(lines map[string]string) (map[string]ignored, []error) {
	all := map[string]ignored{}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		day, reason, _ := strings.Cut(strings.TrimSpace(lines[name]), " ")
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			problems = append(problems, fmt.Errorf("scan-ignore: %s: %q is not a day: want %s=YYYY-MM-DD, the last day on which it does not count, "+
				"and a reason after it", name, day, name))
			continue
		}
		all[strings.ToUpper(name)] = ignored{until: at.AddDate(0, 0, 1), reason: strings.TrimSpace(reason)}
	}
	return all, problems
}

// judged is a finding with what is thought of it.
type judged struct {
	image.Finding
	New     bool   // the image that the tag points at so far does not have it
	Counts  bool   // it is as grave as what is asked for, and not ignored
	Because string // why it does not count, or that its exception has ended
}

// rules are what a scan is judged by.
type rules struct {
	severity string // from which on a finding counts
	ignores  map[string]ignored
	before   []image.Finding // of the image that runs
}

// judge judges the scans of an image. Findings that are new stand first, then the gravest. unscanned says of which images there is no
// scan to judge by, and why.
func judge(scans []image.Scan, r rules, now time.Time) (findings []judged, unscanned []string) {
	before := map[string]bool{}
	for _, f := range r.before {
		before[f.Name] = true
	}
	seen := map[string]bool{}
	for _, s := range scans {
		if s.Missing != "" {
			unscanned = append(unscanned, short(s.Digest)+": "+s.Missing)
		}
		for _, f := range s.Findings {
			if key := f.Name + " " + f.Package; seen[key] {
				continue
			} else {
				seen[key] = true
			}
			j := judged{Finding: f, New: !before[f.Name], Counts: rank(f.Severity) <= rank(r.severity)}
			if i, ok := r.ignores[strings.ToUpper(f.Name)]; ok && j.Counts {
				if now.Before(i.until) {
					j.Counts, j.Because = false, strings.TrimSpace("ignored until "+i.until.AddDate(0, 0, -1).Format(time.DateOnly)+" "+i.reason)
				} else {
					j.Because = "its exception ended on " + i.until.AddDate(0, 0, -1).Format(time.DateOnly)
				}
			}
			findings = append(findings, j)
		}
	}
	sorted.Stable(findings, func(a, b judged) int {
		first := func(yes bool) int {
			if yes {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(a.Counts), first(b.Counts)), cmp.Compare(first(a.New), first(b.New)),
			cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Name, b.Name))
	})
	return findings, unscanned
}

// scanError says that the scan stands against the image.
type scanError struct {
	severity  string
	counting  []judged
	unscanned []string
}

// Error names the gravest findings.
func (e *scanError) Error() string {
	if len(e.counting) == 0 {
		return "there is no scan to judge the image by: " + strings.Join(e.unscanned, "; ")
	}
	var names []string
	for _, f := range e.counting[:min(5, len(e.counting))] {
		name := f.Name + " (" + f.Severity
		if f.Package != "" {
			name += ", " + f.Package
		}
		if f.Fix != "" {
			name += ", mended in " + f.Fix
		}
		names = append(names, name+")")
	}
	more := ""
	if n := len(e.counting) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("the scan found %d of severity %s or graver: %s%s", len(e.counting), e.severity, strings.Join(names, ", "), more)
}

func (e *scanError) title() string {
	if len(e.counting) == 0 {
		return "The image was not scanned"
	}
	return fmt.Sprintf("The scan found %d of severity %s or graver", len(e.counting), e.severity)
}

func (e *scanError) advice() string {
	if len(e.counting) == 0 {
		return "Turn scanning on for the repository, or set scan: report. The image is in the repository, without its tags."
	}
	return "Rebuild the image with fixed packages, or except a finding for a time: scan-ignore: " + e.counting[0].Name +
		"=YYYY-MM-DD REASON. The image is in the repository, without its tags."
}

// readScanBefore reads the findings of the image that the first tag points at: what is new is told apart from them. It comes before
// anything is sent, so that a permission that is missing is told then.
func (p *Push) readScanBefore(ctx context.Context) error {
	if p.in.Scan == "" || p.in.Scan == "off" || p.nothing {
		return nil
	}
	if !p.to.Scans() {
		return errors.New("scan: only ECR scans images, and " + p.in.Repository + " is not in ECR")
	}
	if p.to.Missing {
		return nil
	}
	what := "latest"
	for _, t := range p.plan.Tags {
		if t.From != "" {
			what = t.From
			break
		}
	}
	var err error
	p.before, err = p.to.Findings(ctx, what)
	return err
}

// gateOf returns what stands between an image that is stored and its tags; nil where nothing does.
func (p *Push) gateOf(scan string) func(context.Context, image.Result) error {
	if scan == "" || scan == "off" {
		return nil
	}
	return p.gate
}

// gate waits for the scan of the image that was pushed, tells of it, and refuses it where that is wanted.
func (p *Push) gate(ctx context.Context, _ image.Result) error {
	var scans []image.Scan
	for _, digest := range p.plan.Runnable() {
		s, err := p.to.Scan(ctx, digest)
		if err != nil {
			return err
		}
		scans = append(scans, s)
	}
	ignores, _ := parseIgnores(p.in.ScanIgnore)
	findings, unscanned := judge(scans, rules{severity: p.in.Severity, ignores: ignores, before: p.before}, p.env.Clock().Now())
	counting := findings
	if i := slices.IndexFunc(findings, func(f judged) bool { return !f.Counts }); i >= 0 {
		counting = findings[:i]
	}
	p.told.scan(findings, unscanned)
	if p.in.Scan != "fail" || len(counting) == 0 && len(unscanned) == 0 {
		return nil
	}
	return &scanError{severity: p.in.Severity, counting: counting, unscanned: unscanned}
}

// scan tells what a scan found.
func (t teller) scan(findings []judged, unscanned []string) {
	counts, fresh := map[string]int{}, 0
	for _, f := range findings {
		counts[f.Severity]++
		if f.New {
			fresh++
		}
	}
	var words []string
	for _, severity := range severities {
		if n := counts[severity]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, severity))
		}
	}
	text := cmp.Or(strings.Join(words, ", "), "no findings")
	if fresh > 0 {
		text += fmt.Sprintf("; %d are new", fresh)
	}
	if len(unscanned) > 0 {
		text = "no scan of " + strings.Join(unscanned, "; ")
	}
	t.events.Notef("scan: %s", text)
	t.events.Fact("Scan", record.Text{Text: text})
	if len(findings) == 0 {
		return
	}
	table := &record.Table{Head: []string{"Finding", "Severity", "Package", "Mended in", ""}}
	for _, f := range findings[:min(50, len(findings))] {
		remark := f.Because
		if f.New {
			remark = strings.TrimSuffix("new, "+remark, ", ")
		}
		table.Rows = append(table.Rows, []record.Text{{Text: f.Name, Form: record.Code}, {Text: f.Severity}, {Text: f.Package}, {Text: f.Fix},
			{Text: remark}})
	}
	t.events.Section(record.Section{Name: "scan", Title: "Scan", Blocks: []record.Block{{Table: table}}})
}
