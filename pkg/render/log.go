package render

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sethvargo/go-githubactions"
	"golang.org/x/term"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
)

const (
	// annotationLimit is the length at which the runner cuts an annotation's message, in UTF-16 units.
	annotationLimit = 4096
	// annotationsPerStep is how many annotations of one kind the runner keeps of a step. What comes after is lost without a
	// word, so it is written as plain lines instead.
	annotationsPerStep = 10
)

// Log shows the events of a run as they happen. On GitHub it speaks in workflow commands, in a terminal in colour with a live line,
// elsewhere in plain lines. Whatever text it is given, it prints as text: no message can act as a workflow command, move the cursor,
// or show a masked secret. It is safe for concurrent use; a nil *Log discards.
type Log struct {
	mu      sync.Mutex
	w       io.Writer
	options LogOptions
	start   time.Time
	counts  map[string]int
	groups  int
	resume  string // the token that ends a stop-commands in force
	live    string // the line that shows how far the run is
	over    bool   // the verdict was written
}

// LogOptions say where a Log writes and how.
type LogOptions struct {
	Name    string        // of the action, for the last line
	GitHub  bool          // write workflow commands
	Debug   bool          // write debug events
	Colour  bool          // ANSI colours
	Live    bool          // progress rewrites one line of a terminal
	Width   func() int    // the terminal's width in columns, for Live; nil: 80
	Quiet   bool          // a run that ended well has no last line: it has shown what it was asked for
	Start   time.Time     // what relative times count from; zero: the first event
	Secrets *Secrets      // what must not be shown; nil: a set of its own
	Random  func() string // makes tokens; nil: crypto/rand
}

// NewLog returns a Log that writes to w.
func NewLog(w io.Writer, options LogOptions) *Log {
	if options.Random == nil {
		options.Random = rand.Text
	}
	if options.Secrets == nil {
		options.Secrets = &Secrets{}
	}
	return &Log{w: w, options: options, start: options.Start, counts: map[string]int{}}
}

// LogOptionsFor chooses the options that suit the environment and where w leads to.
func LogOptionsFor(w io.Writer, getenv func(string) string) LogOptions {
	o := LogOptions{
		GitHub: getenv("GITHUB_ACTIONS") == "true",
		Debug:  getenv("RUNNER_DEBUG") == "1",
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

// Folds reports whether something long may be written because it is folded away, or asked for.
func (l *Log) Folds() bool { return l != nil && (l.options.GitHub || l.options.Debug) }

// Mask hides these secrets in everything that is written from now on, and has the runner do the same.
func (l *Log) Mask(secrets ...string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, value := range l.options.Secrets.Add(secrets...) {
		if l.options.GitHub {
			// Not through command: it redacts what it writes, and this is the one place that must not.
			l.resumeCommands()
			l.writeLine(command("add-mask", githubactions.CommandProperties{}, value))
		}
	}
}

// End is called when the run is over: what is told after it by work that nobody waits for is not written.
func (l *Log) End() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = nil
}

// Emit writes one event in the way of its kind. What is for the record alone is passed over.
func (l *Log) Emit(e record.Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if l.start.IsZero() {
		l.start = e.At
	}
	if e.Lane != "" {
		e = inLane(e)
	}
	switch e.Kind {
	case record.KindNote:
		l.event(e.At, e.Text)
	case record.KindDecision:
		l.event(e.At, joined(e.Title, e.Text))
	case record.KindFinding:
		l.event(e.At, findingText(*e.Finding))
	case record.KindAsked:
		l.debug(e.At, "input "+e.Fact.Name+": "+e.Fact.Value.Text)
	case record.KindDebug:
		l.debug(e.At, e.Text)
	case record.KindProgress:
		l.progress(e.Text)
	case record.KindNotice, record.KindWarning, record.KindError:
		// The last error of a step is kept for the root cause.
		limit := annotationsPerStep
		if e.Kind == record.KindError && !l.over {
			limit--
		}
		l.annotation(e, limit)
	case record.KindOutput:
		l.output(e)
	case record.KindStepBegan:
		switch {
		case e.Step.Group && e.Lane != "":
			l.event(e.At, e.Lane+": "+e.Step.Name) // lines of other lanes come between, so it is no group
		case e.Step.Group:
			l.openGroup(e.Step.Name)
		}
	case record.KindStepEnded:
		if e.Step.Group && e.Lane == "" {
			l.closeGroup()
		}
	case record.KindVerdict:
		if e.Part == "" {
			l.verdict(e)
		}
	}
}

// inLane returns an event of several parts that run at once with the name of its part before what it says.
func inLane(e record.Event) record.Event {
	before := e.Lane + ": "
	switch e.Kind {
	case record.KindDecision:
		e.Title = before + e.Title
	case record.KindFinding:
		finding := *e.Finding
		finding.Title = before + finding.Title
		e.Finding = &finding
	case record.KindOutput:
		e.Source = e.Lane + "/" + e.Source
	case record.KindNote, record.KindNotice, record.KindWarning, record.KindError, record.KindProgress, record.KindDebug:
		if e.Text != "" {
			e.Text = before + e.Text
		}
	}
	return e
}

// debug writes a line that is only wanted while looking for a fault: with RUNNER_DEBUG=1 ("Enable debug logging" when a run
// is repeated), or with --debug in a terminal.
func (l *Log) debug(at time.Time, text string) {
	switch {
	case !l.options.Debug:
	case l.options.GitHub:
		l.command("debug", githubactions.CommandProperties{}, visible(l.redact(text)))
	default:
		l.timestamped(at, text, "\x1b[2m")
	}
}

// openGroup opens a section that GitHub folds. Groups do not nest there: one inside another is a heading within it.
func (l *Log) openGroup(title string) {
	title = oneLine(l.redact(title))
	l.groups++
	switch {
	case l.options.GitHub && l.groups == 1:
		l.command("group", githubactions.CommandProperties{}, title)
	case l.options.Colour:
		l.lines("\x1b[1m" + title + "\x1b[0m")
	default:
		l.lines("== " + title)
	}
}

func (l *Log) closeGroup() {
	if l.groups == 0 {
		return // the run is over: its verdict has closed it
	}
	if l.groups--; l.groups == 0 && l.options.GitHub {
		l.command("endgroup", githubactions.CommandProperties{}, "")
	}
}

// progress shows what is going on right now, in one line that the next one replaces. It is for terminals and writes nothing
// elsewhere; an empty text takes the line away.
func (l *Log) progress(text string) {
	if !l.options.Live {
		return
	}
	l.erase()
	l.live = oneLine(l.redact(text))
	l.draw()
}

// annotation writes what shows on the run's page, at its place in a file where it has one. Elsewhere, and over the runner's limits,
// it is a plain line with the place before the text.
func (l *Log) annotation(e record.Event, limit int) {
	e.Title, e.Text = oneLine(l.redact(e.Title)), visible(l.redact(e.Text))
	if e.Place != nil {
		place := *e.Place
		place.File = oneLine(l.redact(place.File))
		e.Place = &place
	}
	kind := string(e.Kind)
	if l.options.GitHub && l.counts[kind] < limit {
		l.counts[kind]++
		l.annotate(e)
		return
	}
	text := e.Text
	if e.Place != nil && e.Place.File != "" {
		file := e.Place.File
		if e.Place.Line > 0 {
			file = fmt.Sprintf("%s:%d", file, e.Place.Line)
		}
		text = file + ": " + text
	}
	switch {
	case e.Title != "" && strings.Contains(text, "\n"):
		text = e.Title + "\n" + text
	case e.Title != "":
		text = e.Title + ": " + text
	}
	style := map[string]string{"error": "\x1b[31m", "warning": "\x1b[33m", "notice": "\x1b[36m"}[kind]
	l.timestamped(e.At, kind+": "+text, style)
}

// annotate gives the runner an annotation. One that is too long for it is cut, and all of it goes into the log.
func (l *Log) annotate(e record.Event) {
	properties := githubactions.CommandProperties{}
	if e.Title != "" {
		properties["title"] = e.Title
	}
	if e.Place != nil && e.Place.File != "" {
		properties["file"] = e.Place.File
		if e.Place.Line > 0 {
			properties["line"] = strconv.Itoa(e.Place.Line)
		}
		if e.Place.Column > 0 {
			properties["col"] = strconv.Itoa(e.Place.Column)
		}
	}
	const note = "\n(cut here: all of it is in the log)"
	short, whole := cutUTF16(e.Text, annotationLimit)
	if whole {
		l.command(string(e.Kind), properties, e.Text)
		return
	}
	short, _ = cutUTF16(short, annotationLimit-len(note))
	l.command(string(e.Kind), properties, short+note)
	l.event(e.At, e.Text)
}

// output writes one line that another program wrote. It can neither act as a workflow command nor show a masked secret: what stops
// the runner from obeying it stays in force until a command has to be given.
func (l *Log) output(e record.Event) {
	source := oneLine(l.redact(e.Source))
	lines := cleanLines(l.redact(e.Text), l.options.Colour || l.options.GitHub)
	for i, line := range lines {
		line = l.redact(line)
		if source != "" {
			line = source + " | " + line
		}
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			line = "| " + line // should the stop not be in force, for whatever reason
		}
		if strings.Contains(line, "\x1b[") {
			line += "\x1b[0m" // a colour ends with its line
		}
		lines[i] = line
	}
	l.stopCommands()
	l.lines(lines...)
}

// verdict ends the log: one error with the root cause as its title where the run failed, and one line that says how it ended. First
// it ends what a run that failed may have left open: the live line, a group that would fold the error away, the output of another
// program during which the runner takes no commands.
func (l *Log) verdict(e record.Event) {
	l.erase()
	l.live = ""
	l.resumeCommands()
	if l.groups > 0 && l.options.GitHub {
		l.command("endgroup", githubactions.CommandProperties{}, "")
	}
	l.groups, l.over = 0, true
	v := *e.Verdict
	end := fmt.Sprintf("%s: %s after %s", l.options.Name, v.Outcome, Took(e.At.Sub(l.start)))
	if !v.OK {
		l.annotation(record.Event{At: e.At, Kind: record.KindError, Title: v.Title, Text: VerdictText(v), Place: v.Place}, annotationsPerStep)
		end += fmt.Sprintf(" (exit %d)", cmp.Or(v.Exit, action.Outcome(v.Outcome).ExitCode()))
	}
	if !v.OK || !l.options.Quiet {
		l.event(e.At, end)
	}
}

func (l *Log) redact(s string) string { return l.options.Secrets.Redact(s) }

func (l *Log) event(at time.Time, text string) { l.timestamped(at, text, "") }

// timestamped writes lines with the relative time before the first. The bar before the others keeps one that begins with a
// command from being obeyed: the runner ignores blanks before it.
func (l *Log) timestamped(at time.Time, text, style string) {
	stamp := relative(at.Sub(l.start))
	if pad := 8 - len(stamp); pad > 0 {
		stamp = strings.Repeat(" ", pad) + stamp
	}
	var lines []string
	for _, line := range cleanLines(l.redact(text), false) {
		lines = append(lines, l.wrapped(l.redact(line))...)
	}
	for i, line := range lines {
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

// stampWidth is how many columns stand before the text of a line.
const stampWidth = 10

// wrapped breaks a line that is wider than the terminal between its words, and leaves others as they are. What follows is indented as the
// line is.
func (l *Log) wrapped(line string) []string {
	if l.options.Width == nil || utf8.RuneCountInString(line) <= l.options.Width()-stampWidth {
		return []string{line}
	}
	text := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(text)]
	lines := Wrap(text, max(l.options.Width()-stampWidth-len(indent), 0))
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return lines
}

// command writes a workflow command, ending a stop-commands that is in force.
func (l *Log) command(name string, properties githubactions.CommandProperties, message string) {
	l.resumeCommands()
	l.writeLine(command(name, properties, message))
}

// command spells a workflow command; everything in it is escaped as the runner reads it.
func command(name string, properties githubactions.CommandProperties, message string) string {
	c := githubactions.Command{Name: name, Message: strings.ReplaceAll(message, "##[", "# #["), Properties: properties}
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

func joined(title, text string) string {
	switch {
	case title == "":
		return text
	case text == "":
		return title
	}
	return title + ": " + text
}
