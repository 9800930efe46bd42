package action

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/record"
)

// tell closes the story: one error with the root cause as its title where the run failed, one line where it did not. The job
// summary gets what the run did not write itself: the outputs where it wrote nothing (summaries counts what came before
// it), the root cause where no summary names it.
func (a *Action) tell(log *Log, summaries int, outcome Outcome, outputs []output, err error, took time.Duration) {
	log.settle()
	if outcome.ExitCode() == 0 {
		log.Eventf("%s: %s after %s", a.Meta.Name, outcome, Took(took))
		if log.summaries() == summaries {
			log.Summary(a.successSummary(outcome, outputs))
		}
		return
	}
	title, message, advice := failureTexts(a.Meta.Name, outcome, err)
	if outcome == Invalid && isInputProblem(err) {
		advice = fmt.Sprintf("`connect2 %s --help` lists the inputs. Nothing was changed.", a.Meta.Name)
	}
	text := message
	if advice != "" {
		text += "\n" + advice
	}
	log.rootCause(title, text)
	log.Eventf("%s: %s after %s (exit %d)", a.Meta.Name, outcome, Took(took), outcome.ExitCode())
	if !log.summaryNames(title) {
		log.Summary(a.failureSummary(outcome, title, message, advice))
	}
}

func isInputProblem(err error) bool {
	var problems problemsError
	return errors.As(err, &problems)
}

// failureTexts returns what a failure is told with. The title is the root cause where somebody found it, otherwise what the
// outcome means.
func failureTexts(name string, outcome Outcome, err error) (title, message, advice string) {
	walk(err, func(e error) bool {
		switch e := e.(type) { //nolint:errorlint // walk unwraps
		case *Error:
			title, advice = cmp.Or(title, e.Title), cmp.Or(advice, e.Advice)
		case *record.Failure:
			title, advice = cmp.Or(title, e.Title), cmp.Or(advice, e.Advice)
		case *awserr.Problem:
			title = cmp.Or(title, e.Title) // its advice is in the message
		}
		return false
	})
	if title == "" {
		title = name + " " + outcomeTitles[outcome]
	}
	message = "The run reported no error."
	if err != nil {
		message = err.Error()
	}
	if advice == "" {
		advice = outcomeAdvice[outcome]
	}
	return oneLine(title), message, advice
}

var outcomeTitles = map[Outcome]string{
	Invalid:    "stopped before anything was changed",
	Failed:     "failed; the previous state is in force",
	RolledBack: "failed and was rolled back",
	Stuck:      "failed and could not be put back",
	Superseded: "was superseded by a newer deployment",
	TimedOut:   "ran out of time",
	Unknown:    "lost sight of what is running",
	Cancelled:  "was cancelled",
	Defect:     "met a defect of its own",
}

var outcomeAdvice = map[Outcome]string{
	Stuck:   "Act now: what runs is neither the old state nor the new one.",
	Unknown: "Look at the service before repeating the run: the change may or may not have arrived.",
}

func (a *Action) successSummary(outcome Outcome, outputs []output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### ✅ %s: %s\n\n| output | value |\n|---|---|\n", a.Meta.Name, outcome)
	for _, o := range outputs {
		if o.text != "" && o.name != "outcome" {
			fmt.Fprintf(&b, "| %s | %s |\n", o.name, codeCell(o.text))
		}
	}
	return b.String()
}

func (a *Action) failureSummary(outcome Outcome, title, message, advice string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### ❌ %s: %s\n\n**%s**\n\n%s\n", a.Meta.Name, outcome, escapeMarkdown(title), codeBlock(message))
	if advice != "" {
		fmt.Fprintf(&b, "\n%s\n", advice)
	}
	return b.String()
}

// codeCell is a text as code in a cell of a Markdown table.
func codeCell(s string) string {
	s = cutBytes(oneLine(s), 300)
	s = strings.ReplaceAll(strings.ReplaceAll(s, "`", "'"), "|", `\|`)
	return "`" + s + "`"
}

// codeBlock is a text as it is, in a fence that is longer than any in the text.
func codeBlock(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "text\n" + strings.Join(cleanLines(s, false), "\n") + "\n" + fence
}

// escapeMarkdown keeps text from being read as Markdown or HTML.
func escapeMarkdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", ">", "&gt;", "[", `\[`, "|", `\|`).Replace(s)
}

// summaries counts what was handed in for the job summary.
func (l *Log) summaries() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.summary.texts)
}

// summaryNames says whether the job summary tells the title already.
func (l *Log) summaryNames(title string) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	title = l.hidden.redact(title)
	return slices.ContainsFunc(l.summary.texts, func(text string) bool {
		return strings.Contains(text, title) || strings.Contains(text, escapeMarkdown(title))
	})
}

// settle ends what a run that failed may have left open: the live line, a group that would fold the error away, foreign
// text during which the runner takes no commands.
func (l *Log) settle() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.live = ""
	l.resumeCommands()
	if l.groups > 0 && l.options.GitHub {
		l.command("endgroup", "", "")
	}
	l.groups = 0
}

// folds says whether something long may be printed because it is folded away, or asked for.
func (l *Log) folds() bool { return l != nil && (l.options.GitHub || l.options.Debug) }
