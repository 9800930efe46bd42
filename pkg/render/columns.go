package render

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/org/connect2/v2/pkg/action"
)

// Columns writes a table for a terminal: columns that are as wide as their texts, and no line wider than width (0: any). What does not
// fit into the last column goes on below it, broken between words; a word that is wider than its place stays whole.
func Columns(width int, head []string, rows [][]string) string {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(visible(cell)))
		}
	}
	last := len(head) - 1
	indent := 2
	for _, w := range widths[:last] {
		indent += w + 2
	}
	var b strings.Builder
	for _, row := range append([][]string{head}, rows...) {
		b.WriteString("  ")
		for i, cell := range row[:last] {
			cell = oneLine(cell)
			b.WriteString(cell + strings.Repeat(" ", widths[i]-min(widths[i], utf8.RuneCountInString(cell))+2))
		}
		lines := Wrap(oneLine(row[last]), max(width-indent, 0))
		b.WriteString(strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
		text := strings.TrimRight(b.String(), " ")
		b.Reset()
		b.WriteString(text + "\n")
	}
	return b.String()
}

// ScreenOf returns the terminal that a writer leads to, or none.
func ScreenOf(w io.Writer, getenv func(string) string) action.Screen {
	o := LogOptionsFor(w, getenv)
	return action.Screen{Width: o.Width, Colours: o.Colour}
}

// leastWrapped is the least number of columns that a text is broken for: in less, it is better left to the terminal.
const leastWrapped = 16

// Wrap breaks a text between words into lines of at most width characters; 0, or too few for words, leaves it whole.
func Wrap(text string, width int) []string {
	if width < leastWrapped {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Age writes how long ago something was, as short as lists want it: 45s, 12m, 3h, 5d; nothing where it is not known.
func Age(d time.Duration, known bool) string {
	d = max(d, 0)
	switch {
	case !known:
		return "-"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours())/24) + "d"
}
