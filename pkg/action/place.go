package action

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

// Place is a position in a file of the repository, for annotations that GitHub shows beside the line.
type Place struct {
	File   string // relative to the root of the repository
	Line   int    // from 1; 0: the file as a whole
	Column int    // from 1; 0: none
}

// ErrorAt writes an error that GitHub shows at a place of a file, in the run and in the pull request. Elsewhere the place
// stands before the text.
func (l *Log) ErrorAt(at Place, title, format string, args ...any) {
	l.annotateAt("error", at, title, format, args...)
}

// WarnAt is ErrorAt for warnings.
func (l *Log) WarnAt(at Place, title, format string, args ...any) {
	l.annotateAt("warning", at, title, format, args...)
}

func (l *Log) annotateAt(kind string, at Place, title, format string, args ...any) {
	if l == nil {
		return
	}
	if at.File == "" {
		l.annotatef(kind, title, format, args...)
		return
	}
	l.mu.Lock()
	text := strings.Join(cleanLines(l.text(format, args...), false), "\n")
	title = oneLine(l.hidden.redact(title))
	// The last error of a step is kept for the root cause, as everywhere.
	placed := l.options.GitHub && l.counts[kind] < annotationsPerStep-1
	if placed {
		defer l.mu.Unlock()
		l.counts[kind]++
		l.record(Entry{Kind: kind, Title: title, Text: text})
		short, _ := cutUTF16(text, annotationLimit)
		properties := githubactions.CommandProperties{"title": title, "file": at.File}
		if at.Line > 0 {
			properties["line"] = strconv.Itoa(at.Line)
		}
		if at.Column > 0 {
			properties["col"] = strconv.Itoa(at.Column)
		}
		c := githubactions.Command{Name: kind, Message: strings.ReplaceAll(short, "##[", "# #["), Properties: properties}
		l.resumeCommands()
		l.writeLine(c.String())
		return
	}
	l.mu.Unlock()
	where := at.File
	if at.Line > 0 {
		where = fmt.Sprintf("%s:%d", at.File, at.Line)
	}
	l.annotatef(kind, title, "%s", where+": "+text)
}
