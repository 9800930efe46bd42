package render

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/record"
)

// HTML writes the record of a run as one file that needs no network: the verdict and the cause on top, one timeline of all parts,
// what was asked and found, the parts' own sections, and the log. It is readable on a phone, in light and dark, and by a screen
// reader. Secrets are taken out of every text.
func HTML(w io.Writer, r *record.Record, secrets *Secrets) error {
	r = redacted(r, secrets)
	p := &page{}
	p.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">" +
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">" +
		"<meta name=\"referrer\" content=\"no-referrer\"><title>")
	p.text(headline(r))
	p.raw("</title><style>" + stylesheet + "</style></head><body><main>\n")
	p.verdict(r)
	p.facts(r.Facts)
	p.timeline(r)
	p.body(r, "h2")
	for _, part := range r.Parts {
		p.part(part)
	}
	p.inputs(r)
	p.log(r)
	p.raw("</main></body></html>\n")
	if _, err := io.WriteString(w, p.b.String()); err != nil {
		return fmt.Errorf("write the HTML report: %w", err)
	}
	return nil
}

// headline is the report's title: what ran, and how it ended.
func headline(r *record.Record) string {
	if r.Verdict.Outcome == "" {
		return r.Name + ": still running"
	}
	return r.Name + ": " + r.Verdict.Outcome
}

// page builds the document. raw takes markup of this package's own; everything else is text.
type page struct{ b strings.Builder }

func (p *page) raw(markup string) { p.b.WriteString(markup) }

func (p *page) text(s string) { p.b.WriteString(p.escape(s)) }

func (p *page) escape(s string) string { return html.EscapeString(visible(s)) }

// element writes a text in an element of this tag and class; an empty text writes nothing.
func (p *page) element(tag, class, text string) {
	if text == "" {
		return
	}
	p.raw("<" + tag)
	if class != "" {
		p.raw(` class="` + class + `"`)
	}
	p.raw(">")
	p.text(text)
	p.raw("</" + tag + ">\n")
}

func (p *page) verdict(r *record.Record) {
	v := r.Verdict
	class, mark := "bad", "✕"
	switch {
	case v.Outcome == "":
		class, mark = "open", "…"
	case v.OK:
		class, mark = "good", "✓"
	}
	p.raw(`<header class="` + class + `"><p class="badge"><span aria-hidden="true">` + mark + `</span> `)
	p.text(headline(r))
	p.raw("</p>\n")
	if title := cmp.Or(v.Title, findingTitle(v.Finding)); title != "" {
		p.raw("<h1>" + p.withCode(firstUpper(title)) + "</h1>\n")
	} else {
		p.element("h1", "", r.Name)
	}
	p.raw(`<p class="when"><time datetime="` + r.Begun.UTC().Format(time.RFC3339) + `">` + r.Begun.UTC().Format("2006-01-02 15:04:05 "+
		"MST") + "</time>")
	if !r.Ended.IsZero() {
		p.text(" · took " + Took(r.Took()))
	}
	p.raw("</p>\n")
	p.finding(v.Finding)
	if v.Finding == nil {
		p.element("pre", "message", v.Message)
	} else if v.Message != "" {
		p.paragraphs(v.Message)
		p.raw("\n")
	}
	if v.Advice != "" {
		p.raw(`<div class="advice">`)
		p.paragraphs(v.Advice)
		p.raw("</div>\n")
	}
	p.raw("</header>\n")
}

// paragraphs writes each line of a text as a paragraph.
func (p *page) paragraphs(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		p.raw("<p>" + p.withCode(line) + "</p>")
	}
}

func findingTitle(f *record.Finding) string {
	if f == nil {
		return ""
	}
	return f.Title
}

// finding writes a cause below its title: the words that prove it, and what to do.
func (p *page) finding(f *record.Finding) {
	if f == nil {
		return
	}
	p.raw(`<section class="cause" aria-label="cause">`)
	if len(f.Evidence) > 0 {
		p.element("pre", "evidence", strings.Join(f.Evidence, "\n"))
	}
	if len(f.Fix) > 0 {
		p.raw("<h2>What to do</h2><ol>")
		for _, fix := range f.Fix {
			p.raw("<li>" + p.withCode(fix) + "</li>")
		}
		p.raw("</ol>")
	}
	p.raw(`<p class="meta">`)
	p.raw(p.code(f.Code))
	if f.Fault != "" {
		p.text(" · lies with " + faults[f.Fault])
	}
	if f.Container != "" {
		p.raw(" · container " + p.code(f.Container))
	}
	if f.Task != "" {
		p.raw(" · task " + p.code(arn.Last(f.Task)))
	}
	p.raw("</p></section>\n")
}

// withCode escapes a text in which `code` in backquotes is markup.
func (p *page) withCode(s string) string {
	return markCode(s, p.escape, p.code)
}

func (p *page) code(s string) string { return "<code>" + p.escape(s) + "</code>" }

func (p *page) facts(facts []record.Fact) {
	if len(facts) == 0 {
		return
	}
	p.raw(`<dl class="facts">`)
	for _, f := range facts {
		p.raw("<div><dt>" + p.escape(f.Name) + "</dt><dd>" + p.inline(f.Value) + "</dd></div>")
	}
	p.raw("</dl>\n")
}

// inline writes pieces of text, each in its form.
func (p *page) inline(pieces ...record.Text) string {
	var b strings.Builder
	for _, piece := range pieces {
		text := p.escape(piece.Text)
		switch piece.Form {
		case record.Code:
			text = p.code(piece.Text)
		case record.Strong:
			text = "<strong>" + text + "</strong>"
		}
		if isLink(piece.Link) {
			text = `<a rel="noreferrer" href="` + p.escape(piece.Link) + `">` + text + "</a>"
		}
		b.WriteString(text)
	}
	return b.String()
}

// part writes one part of a run in a section of its own.
func (p *page) part(r *record.Record) {
	p.raw(`<section class="part"><h2>`)
	p.text(firstUpper(r.Name))
	if r.Verdict.Outcome != "" {
		class := "bad"
		if r.Verdict.OK {
			class = "good"
		}
		p.raw(` <span class="outcome ` + class + `">`)
		p.text(r.Verdict.Outcome)
		p.raw("</span>")
	}
	p.raw("</h2>\n")
	p.facts(r.Facts)
	p.body(r, "h3")
	for _, part := range r.Parts {
		p.part(part)
	}
	p.raw("</section>\n")
}

// body writes what should be seen of a run or a part beside its verdict: warnings, and its sections.
func (p *page) body(r *record.Record, heading string) {
	for _, e := range r.Events {
		if e.Kind == record.KindWarning || e.Kind == record.KindError || e.Kind == record.KindNotice {
			p.raw(`<div class="note ` + string(e.Kind) + `" role="note">`)
			p.element("strong", "", e.Title)
			p.paragraphs(e.Text)
			p.raw("</div>\n")
		}
	}
	for _, s := range r.Sections {
		p.section(s, heading)
	}
}

func (p *page) section(s record.Section, heading string) {
	if s.Folded {
		p.raw("<details><summary>" + p.escape(cmp.Or(s.Title, s.Name)) + "</summary>\n")
		defer p.raw("</details>\n")
	} else {
		p.raw("<section>")
		p.element(heading, "", s.Title)
		defer p.raw("</section>\n")
	}
	for _, block := range s.Blocks {
		p.block(block, heading)
	}
}

func (p *page) block(b record.Block, heading string) {
	switch {
	case b.Table != nil:
		p.table(*b.Table)
	case b.Section != nil:
		p.section(*b.Section, heading)
	case len(b.Paragraph) > 0:
		p.raw("<p>" + p.inline(b.Paragraph...) + "</p>\n")
	case len(b.List) > 0:
		p.raw("<ul>")
		for _, item := range b.List {
			p.raw("<li>" + p.inline(item...) + "</li>")
		}
		p.raw("</ul>\n")
	case b.Language == "diff":
		p.diff(b.Verbatim)
	default:
		p.element("pre", "", b.Verbatim)
	}
}

// diff colours the lines of a difference by their first character.
func (p *page) diff(text string) {
	p.raw(`<pre class="diff">`)
	for _, line := range splitLines(text) {
		tag := ""
		switch {
		case strings.HasPrefix(line, "+"):
			tag = "ins"
		case strings.HasPrefix(line, "-"):
			tag = "del"
		}
		if tag == "" {
			p.text(line)
		} else {
			p.raw("<" + tag + ">" + p.escape(line) + "</" + tag + ">")
		}
		p.raw("\n")
	}
	p.raw("</pre>\n")
}

// table writes a table that scrolls by itself where the screen is too narrow for it.
func (p *page) table(t record.Table) {
	p.raw(`<div class="scroll" tabindex="0"><table><thead><tr>`)
	for _, head := range t.Head {
		p.raw(`<th scope="col">` + p.escape(head) + "</th>")
	}
	p.raw("</tr></thead><tbody>")
	for _, row := range t.Rows {
		p.raw("<tr>")
		for i := range t.Head {
			p.raw("<td>")
			if i < len(row) {
				p.raw(p.inline(row[i]))
			}
			p.raw("</td>")
		}
		p.raw("</tr>")
	}
	p.raw("</tbody></table></div>\n")
}

// inputs writes the inputs as they were given.
func (p *page) inputs(r *record.Record) {
	if len(r.Asked) == 0 {
		return
	}
	p.raw("<details><summary>What was asked</summary>")
	p.facts(r.Asked)
	p.raw("</details>\n")
}

// logEntry is one line of the log of a run, from any of its parts.
type logEntry struct {
	event record.Event
	part  string
}

func logEntries(r *record.Record, part string) []logEntry {
	var all []logEntry
	for _, e := range slices.Concat(r.Decisions, r.Events, r.Output) {
		all = append(all, logEntry{e, part})
	}
	for _, child := range r.Parts {
		all = append(all, logEntries(child, strings.TrimPrefix(part+"/"+child.Name, "/"))...)
	}
	sorted.Stable(all, func(a, b logEntry) int { return a.event.At.Compare(b.event.At) })
	return all
}

// log writes the log of the run, each line with the time since the run began.
func (p *page) log(r *record.Record) {
	entries := logEntries(r, "")
	if len(entries) == 0 {
		return
	}
	p.raw(fmt.Sprintf("<details class=\"log\"><summary>What happened (%d lines)</summary><ol>", len(entries)))
	for _, entry := range entries {
		e := entry.event
		p.raw(`<li class="` + string(e.Kind) + `"><time>` + p.escape(relative(e.At.Sub(r.Begun))) + "</time> <span>")
		if who := cmp.Or(e.Source, entry.part); who != "" {
			p.element("i", "", who)
		}
		p.text(strings.Join(nonEmpty(e.Title, e.Text), ": "))
		p.raw("</span></li>\n")
	}
	p.raw("</ol></details>\n")
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}
