package render

import (
	"strings"
	"unicode/utf8"
)

// splitLines splits at every line end that GitHub's runner knows: it reads with .NET's stream reader, for which a carriage
// return alone ends a line too. A last empty line is dropped.
func splitLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// plain removes what a terminal or the runner would act on instead of showing: control characters, escape sequences, and the
// runner's old command form "##[…]", which is obeyed in the middle of a line as well. Colours (SGR sequences) stay if wanted.
// The text is one line; tabs stay.
func plain(line string, colours bool) string {
	line = strings.ReplaceAll(line, "##[", "# #[")
	clean := true
	for i := 0; i < len(line); i++ {
		if (line[i] < ' ' && line[i] != '\t') || line[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return line
	}
	var b strings.Builder
	for i := 0; i < len(line); {
		if n := escapeLength(line[i:]); n > 0 {
			if sequence := line[i : i+n]; colours && isColour(sequence) {
				b.WriteString(sequence)
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteRune('\uFFFD')
		case r == '\t':
			b.WriteByte('\t')
		case r < ' ', r >= 0x7f && r < 0xa0: // C0, DEL, C1
		case r == '\u202a', r == '\u202b', r == '\u202c', r == '\u202d', r == '\u202e',
			r >= '\u2066' && r <= '\u2069': // text that reads differently from what it is
		default:
			b.WriteRune(r)
		}
		i += n
	}
	// Taking something out can put a command together that was not there before.
	return strings.ReplaceAll(b.String(), "##[", "# #[")
}

// escapeLength returns the length of the escape sequence at the start of s, or 0 where there is none.
func escapeLength(s string) int {
	if len(s) < 2 || s[0] != 0x1b {
		return 0
	}
	switch s[1] {
	case '[': // CSI: parameters, then one final byte
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x3f {
				return i
			}
		}
		return len(s)
	case ']', 'P', '_', '^', 'X': // OSC, DCS and their kin: text up to BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 1 // the escape itself; what follows is shown
}

func isColour(sequence string) bool {
	return strings.HasPrefix(sequence, "\x1b[") && strings.HasSuffix(sequence, "m")
}

// cutUTF16 returns the longest prefix of s that has at most limit UTF-16 units (GitHub counts in these), and whether it
// is all of s. It never cuts through a character.
func cutUTF16(s string, limit int) (prefix string, whole bool) {
	units := 0
	for i, r := range s {
		units++
		if r > 0xffff {
			units++
		}
		if units > limit {
			return s[:i], false
		}
	}
	return s, true
}

// cutBytes returns the longest prefix of s that has at most limit bytes and ends between characters.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	limit = max(limit, 0)
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// visible returns a text of several lines without what a terminal or a runner would act on.
func visible(s string) string { return strings.Join(cleanLines(s, false), "\n") }

// oneLine joins the words of a text by single blanks, for titles and other places that hold one line.
func oneLine(s string) string { return strings.Join(strings.Fields(visible(s)), " ") }

func cleanLines(s string, colours bool) []string {
	lines := splitLines(s)
	for i, line := range lines {
		lines[i] = plain(line, colours)
	}
	return lines
}

// firstUpper returns s with its first letter in upper case, unless the first word is a name with a dot, dash or slash.
func firstUpper(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.ContainsAny(word, "./-_:0123456789") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
