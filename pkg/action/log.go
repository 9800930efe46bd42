package action

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sethvargo/go-githubactions"
	"golang.org/x/term"
)

const (
	// annotationLimit is the length at which the runner cuts an annotation's message, in UTF-16 units.
	annotationLimit = 4096
	// annotationsPerStep is how many annotations of one kind the runner keeps of a step. What comes after is lost without a
	// word, so it is written as plain lines instead.
	annotationsPerStep = 10
)

// Log tells a run's story. On GitHub it speaks in workflow commands, in a terminal in colour with a live line, elsewhere in
// plain lines. Whatever text it is given, it prints as text: no message can act as a workflow command, move the cursor, or
// show a masked secret. It is safe for concurrent use; a nil *Log discards.
type Log struct {
	mu      sync.Mutex
	w       io.Writer
	options LogOptions
	start   time.Time
	hidden  redactor
	counts  map[string]int
	groups  int
	resume  string // the token that ends a stop-commands in force
	live    string // the line shown by Progressf
	summary summary
	once    map[string]bool // names of events that are told once
	opened  openGroups
}

// LogOptions say where a Log writes and how.
type LogOptions struct {
	GitHub  bool             // write workflow commands
	Debug   bool             // write what Debugf is given
	Colour  bool             // ANSI colours
	Live    bool             // Progressf rewrites one line of a terminal
	Width   func() int       // the terminal's width in columns, for Live; nil: 80
	Summary string           // the file of the job summary; "" has none
	Start   time.Time        // what relative times count from; zero: the first thing written
	Record  func(Entry)      // called with each entry, secrets redacted, in order; must not call the Log
	Random  func() string    // makes tokens; nil: crypto/rand
	Now     func() time.Time // nil: time.Now
}

// Entry is one thing that was written, as LogOptions.Record gets it.
type Entry struct {
	Kind  string // event, debug, notice, warning, error, group, foreign, summary
	Title string // of an annotation; the name of foreign text
	Text  string
}

// NewLog returns a Log that writes to w.
func NewLog(w io.Writer, options LogOptions) *Log {
	if options.Random == nil {
		options.Random = rand.Text
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Log{w: w, options: options, start: options.Start, counts: map[string]int{}, summary: summary{file: options.Summary}}
}

// logOptionsFor chooses the options that suit the environment and where w leads to.
func logOptionsFor(w io.Writer, getenv func(string) string) LogOptions {
	o := LogOptions{
		GitHub:  getenv("GITHUB_ACTIONS") == "true",
		Debug:   getenv("RUNNER_DEBUG") == "1",
		Summary: getenv("GITHUB_STEP_SUMMARY"),
	}
	if file, ok := w.(*os.File); ok && !o.GitHub && getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd())) {
		o.Live = true
		o.Colour = getenv("NO_COLOR") == ""
		o.Width = func() int {
			if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				return width
			}
			return 80
		}
	}
	return o
}

// Eventf writes one line with the time since the start of the run. Further lines of the text are indented below it.
func (l *Log) Eventf(format string, args ...any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.event(l.text(format, args...))
}

// Debugf writes a line that is only wanted while looking for a fault: with RUNNER_DEBUG=1 ("Enable debug logging" when a run
// is repeated), or with --debug in a terminal.
func (l *Log) Debugf(format string, args ...any) {
	if l == nil || (!l.options.Debug && l.options.Record == nil) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text(format, args...)
	l.record(Entry{Kind: "debug", Text: text})
	if !l.options.Debug {
		return
	}
	if l.options.GitHub {
		l.command("debug", "", strings.Join(cleanLines(text, false), "\n"))
		return
	}
	l.stamped(text, "\x1b[2m")
}

// Noticef writes an annotation of the lowest rank. The title is one short line; it may be empty.
func (l *Log) Noticef(title, format string, args ...any) {
	l.annotatef("notice", title, format, args...)
}

// Warnf writes a warning that shows on the run's page.
func (l *Log) Warnf(title, format string, args ...any) {
	l.annotatef("warning", title, format, args...)
}

// Errorf writes an error that shows on the run's page. A run that fails gets one from Main, with the root cause as its
// title: use it only for what the returned error does not say.
func (l *Log) Errorf(title, format string, args ...any) {
	l.annotatef("error", title, format, args...)
}

// Group opens a section that GitHub folds, and returns the function that closes it. Groups do not nest there: one inside
// another is a heading within it.
func (l *Log) Group(title string) (end func()) {
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	title = oneLine(l.hidden.redact(title))
	l.record(Entry{Kind: "group", Text: title})
	l.groups++
	switch {
	case l.options.GitHub && l.groups == 1:
		l.command("group", "", title)
	case l.options.Colour:
		l.lines("\x1b[1m" + title + "\x1b[0m")
	default:
		l.lines("== " + title)
	}
	var once sync.Once
	return func() {
		once.Do(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.groups == 0 {
				return // the run is over: settle has closed it
			}
			if l.groups--; l.groups == 0 && l.options.GitHub {
				l.command("endgroup", "", "")
			}
		})
	}
}

// Progressf shows what is going on right now, in one line that the next one replaces. It is for terminals and writes nothing
// elsewhere; an empty text takes the line away.
func (l *Log) Progressf(format string, args ...any) {
	if l == nil || !l.options.Live {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.live = oneLine(l.text(format, args...))
	l.draw()
}

// Mask hides these secrets in everything that is written from now on, also in errors, summaries and outputs, and has the
// runner do the same. A secret of several lines is hidden line by line, a JSON document also by its passwords and tokens.
// Values below 4 bytes and words like "true" are not masked: that would only make the log unreadable.
func (l *Log) Mask(secrets ...string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, value := range l.hidden.add(secrets...) {
		if l.options.GitHub {
			// Not through command: it redacts what it writes, and this is the one place that must not.
			l.resumeCommands()
			l.writeLine(command("add-mask", "", value))
		}
	}
}

// Redact returns s without any masked secret.
func (l *Log) Redact(s string) string {
	if l == nil {
		return s
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hidden.redact(s)
}

// Summary appends Markdown to the job summary. Where the step's file would grow over GitHub's limit of 1 MiB, which would
// lose all of it, the text is cut and says so. Where there is no summary file, nothing is written.
func (l *Log) Summary(markdown string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	markdown = l.hidden.redact(markdown)
	l.record(Entry{Kind: "summary", Text: markdown})
	if err := l.summary.append(markdown); err != nil {
		l.event(fmt.Sprintf("the job summary could not be written: %v", err))
	}
}

func (l *Log) annotatef(kind, title, format string, args ...any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// The last error of a step is kept for the root cause.
	limit := annotationsPerStep
	if kind == "error" {
		limit--
	}
	l.annotation(kind, title, l.text(format, args...), limit)
}

// rootCause writes the one error that says why the run failed. It always becomes an annotation.
func (l *Log) rootCause(title, text string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.annotation("error", title, l.hidden.redact(text), annotationsPerStep)
}

func (l *Log) annotation(kind, title, text string, limit int) {
	title = oneLine(l.hidden.redact(title))
	text = strings.Join(cleanLines(text, false), "\n")
	l.record(Entry{Kind: kind, Title: title, Text: text})
	if l.options.GitHub && l.counts[kind] < limit {
		l.counts[kind]++
		const note = "\n(cut here: all of it is in the log)"
		if short, whole := cutUTF16(text, annotationLimit); !whole {
			short, _ = cutUTF16(short, annotationLimit-len(note))
			l.command(kind, title, short+note)
			l.event(text)
			return
		}
		l.command(kind, title, text)
		return
	}
	told := text
	if title != "" {
		told = title + "\n" + text
		if !strings.Contains(text, "\n") {
			told = title + ": " + text
		}
	}
	style := map[string]string{"error": "\x1b[31m", "warning": "\x1b[33m", "notice": "\x1b[36m"}[kind]
	l.stamped(kind+": "+told, style)
}

// text formats and redacts. A format without arguments is text: a percent sign in it is no verb.
func (l *Log) text(format string, args ...any) string {
	if len(args) == 0 {
		return l.hidden.redact(format)
	}
	return l.hidden.redact(fmt.Sprintf(format, args...))
}

func (l *Log) record(e Entry) {
	if l.options.Record != nil {
		l.options.Record(e)
	}
}

func (l *Log) event(text string) {
	l.record(Entry{Kind: "event", Text: text})
	l.stamped(text, "")
}

// stamped writes lines with the relative time before the first. The bar before the others keeps one that begins with a
// command from being obeyed: the runner ignores blanks before it.
func (l *Log) stamped(text, style string) {
	now := l.options.Now()
	if l.start.IsZero() {
		l.start = now
	}
	stamp := relative(now.Sub(l.start))
	if pad := 8 - len(stamp); pad > 0 {
		stamp = strings.Repeat(" ", pad) + stamp
	}
	lines := cleanLines(text, false)
	for i, line := range lines {
		line = l.hidden.redact(line)
		if l.options.Colour {
			if style != "" {
				line = style + line + "\x1b[0m"
			}
			if i == 0 {
				lines[i] = "\x1b[2m" + stamp + "\x1b[0m  " + line
				continue
			}
		}
		if i == 0 {
			lines[i] = stamp + "  " + line
		} else {
			lines[i] = "        | " + line
		}
	}
	l.lines(lines...)
}

// command writes a workflow command, ending a stop-commands that is in force.
func (l *Log) command(name, title, message string) {
	l.resumeCommands()
	l.writeLine(command(name, title, message))
}

// command spells a workflow command; everything in it is escaped as the runner reads it.
func command(name, title, message string) string {
	c := githubactions.Command{Name: name, Message: strings.ReplaceAll(message, "##[", "# #[")}
	if title != "" {
		c.Properties = githubactions.CommandProperties{"title": title}
	}
	return c.String()
}

// stopCommands has the runner take every line as text until resumeCommands.
func (l *Log) stopCommands() {
	if !l.options.GitHub || l.resume != "" {
		return
	}
	l.resume = l.options.Random()
	l.writeLine("::stop-commands::" + l.resume)
}

func (l *Log) resumeCommands() {
	if l.resume == "" {
		return
	}
	l.writeLine("::" + l.resume + "::")
	l.resume = ""
}

// lines writes whole lines and puts the live line back below them.
func (l *Log) lines(lines ...string) {
	l.erase()
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	l.write(b.Bytes())
	l.draw()
}

func (l *Log) writeLine(line string) { l.write([]byte(line + "\n")) }

// write ignores errors: a log that cannot be written (a closed pipe) must not end a rollout half way.
func (l *Log) write(b []byte) {
	if l.w != nil {
		_, _ = l.w.Write(b)
	}
}

func (l *Log) erase() {
	if l.live != "" {
		l.write([]byte("\r\x1b[K"))
	}
}

func (l *Log) draw() {
	if l.live == "" {
		return
	}
	width := 80
	if l.options.Width != nil {
		width = l.options.Width()
	}
	line := []rune(l.live)
	if len(line) >= width {
		line = append(line[:max(width-2, 0)], '…')
	}
	l.write([]byte(string(line)))
}

// oneLine joins the lines of a text by blanks, for titles and other places that hold one line.
func oneLine(s string) string { return strings.Join(cleanLines(s, false), " ") }

func cleanLines(s string, colours bool) []string {
	lines := splitLines(s)
	for i, line := range lines {
		lines[i] = plain(line, colours)
	}
	return lines
}
