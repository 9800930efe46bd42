package render

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/pkg/record"
)

// The most that GitHub takes, in bytes. It drops the whole summary of a step that is larger. For a comment it counts characters, which
// are never more.
const (
	SummaryLimit = 1 << 20
	CommentLimit = 65_536
)

// Section returns a section of a report as Markdown: its title as a heading, or the summary of a fold, and its blocks below. What
// does not fit into a job summary is left out, as Cut leaves it out.
func Section(s record.Section) string { return Cut(s, SummaryLimit, "") }

// Cut is Section within limit bytes. What comes first is kept whole: the title and the first paragraph. A table may take half of the
// room that is left, and says how many rows it lacks, so that a later one is never lost to an earlier. Of the folded sections those
// that no longer fit are left out, each whole, and counted: left is the sentence that says so, with %d for their number; "" is one
// that fits everywhere.
func Cut(s record.Section, limit int, left string) string {
	if left == "" {
		left = "… %d more do not fit here."
	}
	return cut(s, 2, limit, left)
}

func cut(s record.Section, level, limit int, left string) string {
	c := &cutter{room: limit - len(left) - 40} // of what is said about what was left out
	c.section(s, level)
	switch {
	case c.folds > 0:
		fmt.Fprintf(&c.b, "\n"+left+"\n", c.folds)
	case c.lost > 0:
		c.b.WriteString("\n… the rest does not fit here.\n")
	}
	return c.b.String()
}

// Hidden returns a line that GitHub keeps and does not show, for programs that read a comment again.
func Hidden(text string) string {
	return "<!-- " + strings.ReplaceAll(oneLine(text), "-->", "--&gt;") + " -->\n"
}

// cutter writes blocks as long as there is room.
type cutter struct {
	b     strings.Builder
	room  int
	title string // headings that are not written before something comes below them
	folds int    // folded sections that were left out
	lost  int    // other blocks that were left out
}

// add writes a block below the headings that wait for it. The first one always has room.
func (c *cutter) add(text string) bool {
	if c.b.Len() > 0 && len(c.title)+len(text) > c.room {
		return false
	}
	c.room -= len(c.title) + len(text)
	c.b.WriteString(c.title + text)
	c.title = ""
	return true
}

func (c *cutter) section(s record.Section, level int) {
	if s.Folded {
		// What comes behind one that was left out is left out too: a reader sees where the list ends.
		if text := Details(s.Title, blocksText(s.Blocks)); text != "" && (c.folds > 0 || !c.add(text)) {
			c.folds++
		}
		return
	}
	before := c.title
	if s.Title != "" {
		c.title += heading(level, s.Title)
	}
	for _, block := range s.Blocks {
		switch {
		case block.Section != nil:
			c.section(*block.Section, level+1)
		case block.Table != nil:
			c.table(*block.Table)
		default:
			if text := blockText(block); text != "" && !c.add(text) {
				c.lost++
			}
		}
	}
	if c.title != "" { // nothing came below it
		c.title = before
	}
}

// table adds as many rows as fit into half of the remaining room.
func (c *cutter) table(t record.Table) {
	if len(t.Rows) == 0 {
		return
	}
	kept := t.Rows[:min(len(t.Rows), maxRows)]
	text := tableText(t.Head, kept)
	for len(text) > c.room/2 && len(kept) > 1 {
		kept = kept[:len(kept)/2]
		text = tableText(t.Head, kept)
	}
	if n := len(t.Rows) - len(kept); n > 0 {
		text += fmt.Sprintf("… and %d more\n\n", n)
	}
	if !c.add(text) {
		c.lost++
	}
}

// blocksText returns blocks without a limit of their own; what is in a fence is bounded there.
func blocksText(blocks []record.Block) string {
	c := &cutter{room: SummaryLimit}
	c.section(record.Section{Blocks: blocks}, 3)
	return c.b.String()
}

func blockText(b record.Block) string {
	switch {
	case len(b.Paragraph) > 0:
		return inline(b.Paragraph...) + "\n\n"
	case len(b.List) > 0:
		var text strings.Builder
		for _, item := range b.List {
			text.WriteString("- " + inline(item...) + "\n")
		}
		return text.String() + "\n"
	case b.Verbatim != "":
		return Fence(b.Language, b.Verbatim) + "\n"
	}
	return ""
}

func tableText(head []string, rows [][]record.Text) string {
	cells := make([]Cell, len(head))
	for i, name := range head {
		cells[i] = Text(name)
	}
	lines := make([][]Cell, len(rows))
	for i, row := range rows {
		for _, text := range row {
			lines[i] = append(lines[i], inline(text))
		}
	}
	return Table(cells, lines...)
}

func heading(level int, title string) string {
	return strings.Repeat("#", min(level, 6)) + " " + Text(title) + "\n\n"
}

// inline returns pieces of text in one line, each in its form. A blank at the end of a piece parts it from the next.
func inline(pieces ...record.Text) string {
	var b strings.Builder
	for i, piece := range pieces {
		text := oneLine(piece.Text)
		if text == "" {
			continue
		}
		marked := escape(text)
		switch {
		case isLink(piece.Link):
			marked = Link(text, piece.Link)
		case piece.Form == record.Code:
			marked = Code(text)
		}
		if piece.Form == record.Strong {
			marked = "**" + marked + "**"
		}
		if i > 0 && isBlank(piece.Text[0]) && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(marked)
		if i < len(pieces)-1 && isBlank(piece.Text[len(piece.Text)-1]) {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' }
