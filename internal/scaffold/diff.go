package scaffold

import "strings"

// around is how many lines of what stays are shown before and after a change.
const around = 2

// Diff returns the lines that go, with "- ", and those that come, with "+ ", with a few of what stays around them and "…" where more is
// left out; nothing where the texts are the same.
func Diff(was, is string) (lines []string) {
	if was == is {
		return nil
	}
	a, b := split(was), split(is)
	// longest[i][j] is how many lines a[i:] and b[j:] have in common, in order.
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var all []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			all = append(all, "- "+a[i])
			i++
		default:
			all = append(all, "+ "+b[j])
			j++
		}
	}
	near := make([]bool, len(all))
	for i, line := range all {
		if line[0] != ' ' {
			for k := max(0, i-around); k <= min(len(all)-1, i+around); k++ {
				near[k] = true
			}
		}
	}
	for i, line := range all {
		switch {
		case near[i]:
			lines = append(lines, line)
		case i == 0 || near[i-1]:
			lines = append(lines, "  …")
		}
	}
	return lines
}

// split returns the lines of a text. That the last one does not end is told, as it is the only difference of some.
func split(text string) []string {
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		text += " (no end of line)\n"
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
