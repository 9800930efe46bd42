package render

import (
	"fmt"
	"strings"
)

// maxRows is how many rows a table shows; it says how many it left out.
const maxRows = 200

// Cell is Markdown that goes into a table as it is. Make one with Text, Code, WithCode or Link, or from a constant.
type Cell = string

// Table returns a Markdown table. The head and the cells are Markdown: pass foreign text through Text or Code. Short rows
// are filled up, surplus cells are dropped. No rows, no table.
func Table(head []Cell, rows ...[]Cell) string {
	if len(rows) == 0 || len(head) == 0 {
		return ""
	}
	var b strings.Builder
	line := func(cells []Cell) {
		for i := range head {
			b.WriteString("| ")
			if i < len(cells) {
				b.WriteString(strings.ReplaceAll(cells[i], "\n", " "))
			}
			b.WriteByte(' ')
		}
		b.WriteString("|\n")
	}
	line(head)
	for range head {
		b.WriteString("|---")
	}
	b.WriteString("|\n")
	for i, row := range rows {
		if i == maxRows {
			line([]Cell{fmt.Sprintf("… and %d more", len(rows)-maxRows)})
			break
		}
		line(row)
	}
	return b.String() + "\n"
}

// Facts returns a two-column table of name and value. Pairs with an empty value are left out. Values are Markdown.
func Facts(pairs ...[2]Cell) string {
	var rows [][]Cell
	for _, pair := range pairs {
		if pair[1] != "" {
			rows = append(rows, []Cell{"**" + pair[0] + "**", pair[1]})
		}
	}
	return Table([]Cell{"", ""}, rows...)
}

// Link returns a Markdown link with this text. An address that is not http or https gives the text alone.
func Link(text, address string) Cell {
	if !isLink(address) {
		return Text(text)
	}
	address = strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "|", "%7C", " ", "%20", "\n",
		"").Replace(visible(address))
	return "[" + Text(text) + "](" + address + ")"
}

func isLink(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

// Heading returns a second-level heading of plain text.
func Heading(title string) string { return "## " + Text(title) + "\n\n" }

// Details returns a fold: the summary is plain text, the body is Markdown.
func Details(summary, body string) string {
	if strings.TrimSpace(body) == "" {
		return ""
	}
	// The blank line lets the body be read as Markdown again.
	return "<details><summary>" + Text(summary) + "</summary>\n\n" + strings.TrimRight(body, "\n") + "\n\n</details>\n\n"
}

// Join puts pieces of Markdown one under the other and keeps the whole within limit bytes (0: GitHub's 1 MiB): pieces at
// the end that no longer fit are left out, and the text says so.
func Join(limit int, pieces ...string) string {
	const notice = "_The rest is left out: a job summary holds at most 1 MiB._\n"
	if limit <= 0 {
		limit = SummaryLimit
	}
	limit -= len(notice)
	var b strings.Builder
	for _, piece := range pieces {
		if strings.TrimSpace(piece) == "" {
			continue
		}
		piece = strings.TrimRight(piece, "\n") + "\n\n"
		if b.Len()+len(piece) > limit {
			b.WriteString(notice)
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}
