package render

import (
	"strings"
	"unicode/utf8"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// escaper writes the characters that have a meaning in Markdown as entities: unlike a backslash these also hold within
// tables, links and HTML blocks.
var escaper = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;", "*", "&#42;", "_", "&#95;", "~", "&#126;",
	"[", "&#91;", "]", "&#93;", "\\", "&#92;", "@", "&#64;", "$", "&#36;", "!", "&#33;", "#", "&#35;",
)

// Text returns s as Markdown that shows s and nothing else, in one line.
func Text(s string) string {
	return escape(oneLine(s))
}

// GitHub looks for mentions, references and addresses in what Markdown has become, where an entity is the character again. In a
// comment they would call people, and leave a trace in other issues. A space without width, which nobody sees, keeps them apart.
var autolinks = []struct {
	re   *lazyregexp.Regexp
	with string
}{
	{lazyregexp.New(`(^|[^A-Za-z0-9_])@([A-Za-z0-9])`), "${1}@\u200b${2}"},
	{lazyregexp.New(`#([0-9])`), "#\u200b${1}"},
	{lazyregexp.New(`(?i)\b(GH-)([0-9])`), "${1}\u200b${2}"},
	{lazyregexp.New(`(?i)\b(https?|ftp)://`), "${1}:\u200b//"},
	{lazyregexp.New(`(?i)\b(www)\.`), "${1}\u200b."},
	{lazyregexp.New(`(?i)\b(mailto|xmpp):`), "${1}\u200b:"},
}

// escape returns s as Markdown that shows s and does nothing.
func escape(s string) string {
	for _, d := range autolinks {
		s = d.re.ReplaceAllString(s, d.with)
	}
	return escaper.Replace(s)
}

// WithCode returns s as Markdown in which only `code` in backquotes is markup: the form that titles and advice of this
// program's own packages have. What stands between may be foreign text.
func WithCode(s string) string {
	return markCode(oneLine(s), escape, Code)
}

// markCode writes a text in which `code` in backquotes is markup. With an odd number of backquotes none of them is.
func markCode(s string, text, code func(string) string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 {
		return text(s)
	}
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 {
			b.WriteString(code(part))
		} else {
			b.WriteString(text(part))
		}
	}
	return b.String()
}

// Code returns s as inline code, in one line. The delimiter is longer than any run of backquotes in s. A vertical bar is
// escaped, since GitHub splits table cells before it looks for code; outside tables the backslash would show, so that code
// with a bar is written as an HTML element instead.
func Code(s string) string {
	s = oneLine(s)
	switch {
	case s == "":
		return ""
	case strings.ContainsAny(s, "|"):
		return "<code>" + escaper.Replace(s) + "</code>"
	}
	delimiter := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return delimiter + s + delimiter
}

// Fence returns text as a fenced block whose fence is longer than any run of backquotes in it. Of a long text the end is
// kept, where programs say why they stopped. The language may be "".
func Fence(language, text string) string {
	text = strings.TrimRight(visible(text), "\n")
	text = tail(text, maxFence)
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return fence + language + "\n" + text + "\n" + fence + "\n"
}

// maxFence is the most bytes of text in one fenced block: a job summary has room for several.
const maxFence = 64 << 10

// tail returns the last lines of text that fit into n bytes, and says so if some were left out.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := text[len(text)-n:]
	if i := strings.IndexByte(cut, '\n'); i >= 0 && i+1 < len(cut) {
		cut = cut[i+1:]
	} else {
		for len(cut) > 0 && !utf8.RuneStart(cut[0]) {
			cut = cut[1:]
		}
	}
	return "… (the beginning is left out)\n" + cut
}

// longestRun returns the length of the longest run of c in s.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
