package render

import (
	"fmt"
	"os"
	"strings"
)

// summaryNote ends a summary that was cut. Its length is kept free.
const summaryNote = "\n\n> **This summary was cut** at GitHub's limit of 1 MiB. The step's log has the rest.\n"

// AppendSummary appends Markdown to the file of the step's job summary. Where the file would grow over GitHub's limit of 1 MiB, which
// would lose all of it, the text is cut and says so. An empty file name writes nothing.
func AppendSummary(file, markdown string) error {
	if file == "" || strings.TrimSpace(markdown) == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	defer f.Close()
	info, err := f.Stat() // other commands of the same step write to the same file
	if err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	text, _ := fitSummary(markdown, int(min(info.Size(), SummaryLimit)))
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("write the job summary: append to %s: %w", file, err)
	}
	return f.Close()
}

// fitSummary returns what of the Markdown may be appended to a file that has used bytes already. A text that is cut ends
// after a whole line, with its code fence and its folded section closed, so that the note is readable.
func fitSummary(markdown string, used int) (text string, whole bool) {
	markdown = strings.ToValidUTF8(strings.TrimRight(markdown, "\n"), "\uFFFD") + "\n\n"
	const fence, fold, folds = "\n```\n", "\n</details>\n", 8
	budget := SummaryLimit - used - len(summaryNote) - len(fence) - folds*len(fold)
	if len(markdown) <= budget {
		return markdown, true
	}
	if budget <= 0 {
		return "", false
	}
	text = cutBytes(markdown, budget)
	if end := strings.LastIndexByte(text, '\n'); end >= 0 {
		text = text[:end+1]
	}
	if openFence(text) {
		text += fence
	}
	open := strings.Count(text, "<details") - strings.Count(text, "</details")
	return text + strings.Repeat(fold, min(max(open, 0), folds)) + summaryNote, false
}

func openFence(markdown string) bool {
	open := false
	for line := range strings.Lines(markdown) {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
			open = !open
		}
	}
	return open
}
