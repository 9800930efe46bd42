package render

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/org/connect2/v2/pkg/record"
)

// logged is a run that is told in a log.
type logged struct {
	*Log
	record.Sink
}

// told returns a run that is told in a log with these options, and what the log wrote.
func told(options LogOptions) (logged, *bytes.Buffer) {
	var b bytes.Buffer
	log := NewLog(&b, options)
	return logged{log, record.NewRecorder("probe", time.Now, log.Emit).Sink()}, &b
}

// fail ends the run with a root cause.
func (s logged) fail(title, text string) {
	s.Sink.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "failed", Title: title, Message: text}})
}

// onGitHub returns a run that is told as in a workflow, with tokens that count up, and what the log wrote.
func onGitHub() (logged, *bytes.Buffer) {
	n := 0
	return told(LogOptions{Name: "probe", GitHub: true, Random: func() string { n++; return fmt.Sprintf("token%d", n) }})
}

func TestTimesAreRelative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, b := told(LogOptions{})
		for _, pause := range []time.Duration{0, 12340 * time.Millisecond, 47 * time.Second, 59*time.Minute + 1660*time.Millisecond, 0} {
			time.Sleep(pause)
			log.Notef("now")
		}
		want := "   +0.0s  now\n  +12.3s  now\n  +59.3s  now\n+1h00m01s  now\n+1h00m01s  now\n"
		if b.String() != want {
			t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
		}
	})
}

func TestRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "+0.0s", 59949 * time.Millisecond: "+59.9s", 59950 * time.Millisecond: "+1m00s", 187 * time.Second: "+3m07s",
		3599600 * time.Millisecond: "+1h00m00s", 25*time.Hour + time.Second: "+25h00m01s",
	} {
		if got := relative(d); got != want {
			t.Errorf("relative(%v) = %s, want %s", d, got, want)
		}
	}
}

// TestNoTextActsAsACommand feeds what a hostile branch name or log line could hold to everything that writes, and then reads
// the log as the runner does.
func TestNoTextActsAsACommand(t *testing.T) {
	hostile := []string{
		"::set-output name=role::evil", "  ::add-mask::a", "\t::error::x", "a\n::set-env name=PATH::/evil", "a\r::error::x", "a\r\n::error::x",
		"x ##[set-output name=a;]b", "#\x1b[0m#[error]x", "##\x00[error]x", "##\u202e[error]x", "%0A::error::x", "::stop-commands::x",
		"::token1::", "\x1b]0;title\x07::error::x", "::endgroup::",
	}
	for _, text := range hostile {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			log, b := onGitHub()
			log.options.Debug = true
			log.Notef("%s", text)
			log.Debugf("%s", text)
			log.Warnf(text, "%s", text)
			end := log.Group(text)
			end()
			w := log.Output("")
			fmt.Fprintf(w, "%s\n", text)
			w.Close()
			named := log.Output(text)
			fmt.Fprint(named, text)
			named.Close()
			log.fail(text, text)
			want := []string{"debug", "warning", "group", "endgroup", "stop-commands", "token1", "error"}
			if got := obeyed(b.String()); strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("the runner obeys %q, want %q, in:\n%s", got, want, b.String())
			}
		})
	}
}

// obeyed lists the commands that the runner obeys in a log: at the start of a line, blanks ignored, or as "##[" anywhere;
// between stop-commands and its token only the token counts.
func obeyed(log string) []string {
	var names []string
	stopped := ""
	for _, line := range strings.FieldsFunc(log, func(r rune) bool { return r == '\n' || r == '\r' }) {
		name := ""
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "::"); ok {
			name, rest, _ = strings.Cut(rest, "::")
			name, _, _ = strings.Cut(name, " ")
			if stopped == "" && name == "stop-commands" {
				stopped = rest
				names = append(names, name)
				continue
			}
		} else if strings.Contains(line, "##[") {
			name = line
		}
		switch {
		case name == "":
		case stopped == "":
			names = append(names, name)
		case name == stopped:
			names = append(names, name)
			stopped = ""
		}
	}
	return names
}

func TestAnnotations(t *testing.T) {
	log, b := onGitHub()
	log.Warnf("100%: a, b\nc", "first\nsecond, %d%%", 5)
	if want := "::warning title=100%25%3A a%2C b c::first%0Asecond, 5%25\n"; b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func TestAnnotationsStopAtTheRunnersLimits(t *testing.T) {
	log, b := onGitHub()
	for i := range 12 {
		log.Errorf("", "problem %d", i)
		log.Noticef("", "notice %d", i)
	}
	log.fail("The cause", "is told all the same")
	got := b.String()
	if n := strings.Count(got, "::notice::"); n != 10 {
		t.Errorf("%d notices are annotations, want 10", n)
	}
	if n := strings.Count(got, "::error"); n != 10 {
		t.Errorf("%d errors are annotations, want 10", n)
	}
	if !strings.Contains(got, "::error title=The cause::is told all the same\n") {
		t.Error("the root cause is not an annotation")
	}
	for _, rest := range []string{"  error: problem 11\n", "  notice: notice 11\n"} {
		if !strings.Contains(got, rest) {
			t.Errorf("no plain line %q", rest)
		}
	}
}

func TestLongAnnotationIsCutAndToldInFull(t *testing.T) {
	log, b := onGitHub()
	text := strings.Repeat("𝄞", 3000) // two UTF-16 units each
	log.Errorf("Long", "%s", text)
	lines := strings.Split(b.String(), "\n")
	message, _ := strings.CutPrefix(lines[0], "::error title=Long::")
	message = strings.ReplaceAll(message, "%0A", "\n")
	units := 0
	for _, r := range message {
		units += len([]rune{r})
		if r > 0xffff {
			units++
		}
	}
	if units > annotationLimit || units < annotationLimit-100 {
		t.Errorf("%d UTF-16 units, want just below %d", units, annotationLimit)
	}
	if !strings.Contains(lines[1], text) {
		t.Error("the whole text is not in the log")
	}
}

func TestMasking(t *testing.T) {
	log, b := onGitHub()
	log.Mask("hunter2!", "", "  ", "abc", "true", "hunter2!",
		"line one\nline two\n", "{\n  \"password\": \"pass word\",\n  \"engine\": \"postgres\",\n  \"port\": 5432\n}")
	announced := b.String()
	want := "::add-mask::hunter2!\n::add-mask::line one%0Aline two\n" +
		"::add-mask::\"password\": \"pass word\",\n::add-mask::\"engine\": \"postgres\",\n::add-mask::\"port\": 5432\n::add-mask::pass word\n"
	if announced != want {
		t.Errorf("announced:\n%s\nwant:\n%s", announced, want)
	}
	b.Reset()
	log.Notef("abc true hunter2! %q postgres", "hunter2!")
	log.Warnf("hunter2!", "line one, then line two")
	log.Notef("%s", "line one\nline two")
	w := log.Output("app")
	fmt.Fprint(w, "pass=pass")
	fmt.Fprint(w, " word; basic aHVudGVyMiE=, ?p=pass+word\n")
	w.Close()
	log.Notef("split by a colour: hunt\x1b[0mer2!")
	got := b.String()
	for _, secret := range []string{"hunter2", "line one", "line two", "pass word", "aHVudGVyMiE=", "pass+word"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is shown in:\n%s", secret, got)
		}
	}
	if !strings.Contains(got, "abc true *** \"***\" postgres") {
		t.Errorf("too much is hidden in:\n%s", got)
	}
}

func TestLongerSecretWins(t *testing.T) {
	var r redactor
	r.add("secret", "secret-and-more", "et-and")
	if got := r.redact("a secret-and-more, a secret"); got != "a ***, a ***" {
		t.Error(got)
	}
}

func TestForeignText(t *testing.T) {
	log, b := onGitHub()
	w := log.Output("api")
	fmt.Fprint(w, "one\ntw")
	log.Notef("meanwhile")
	fmt.Fprint(w, "o\n")
	log.Warnf("", "careful")
	fmt.Fprint(w, "\x1b[31mred\nrest")
	w.Close()
	log.Noticef("", "end")
	want := "::stop-commands::token1\napi | one\n   +0.0s  meanwhile\napi | two\n::token1::\n::warning::careful\n" +
		"::stop-commands::token2\napi | \x1b[31mred\x1b[0m\napi | rest\n::token2::\n::notice::end\n"
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestForeignLineWithoutEndIsBroken(t *testing.T) {
	log, b := told(LogOptions{})
	w := log.Output("")
	for range 40 {
		fmt.Fprint(w, strings.Repeat("ä", 2500))
	}
	w.Close()
	if !utf8.Valid(b.Bytes()) || strings.Contains(b.String(), "\uFFFD") {
		t.Error("broken inside a character")
	}
	if n := strings.Count(b.String(), "ä"); n != 100_000 {
		t.Errorf("%d characters arrived, want 100000", n)
	}
	if lines := strings.Count(b.String(), "\n"); lines < 3 {
		t.Errorf("%d lines", lines)
	}
}

func TestTerminal(t *testing.T) {
	log, b := told(LogOptions{Live: true, Width: func() int { return 10 }})
	log.Progressf("waiting for %s", "godot")
	log.Notef("came")
	log.Progressf("")
	log.Errorf("Title", "text")
	end := log.Group("A group")
	end()
	want := "waiting …\r\x1b[K   +0.0s  came\nwaiting …\r\x1b[K   +0.0s  error: Title: text\n== A group\n"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

// A command that only looks ends with what it has shown; how it failed is said all the same.
func TestQuietEnd(t *testing.T) {
	for _, test := range []struct {
		quiet, ok, want bool
	}{{false, true, true}, {true, true, false}, {true, false, true}} {
		log, b := told(LogOptions{Name: "probe", Quiet: test.quiet})
		log.Sink.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{OK: test.ok, Outcome: "ended"}})
		if got := strings.Contains(b.String(), "probe: ended after"); got != test.want {
			t.Errorf("%+v: %q", test, b)
		}
	}
}

func TestGroupsDoNotNestOnGitHub(t *testing.T) {
	log, b := onGitHub()
	outer := log.Group("outer")
	inner := log.Group("inner")
	inner()
	inner()
	outer()
	if want := "::group::outer\n== inner\n::endgroup::\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestNilLogDiscards(t *testing.T) {
	var log *Log
	log.Emit(record.Event{Kind: record.KindNote, Text: "x"})
	log.Mask("secret")
	if log.Folds() {
		t.Error("it folds")
	}
	var secrets *Secrets
	if secrets.Redact("x") != "x" {
		t.Error("changed")
	}
}

func TestNothingIsWrittenAfterTheEnd(t *testing.T) {
	log, b := onGitHub()
	log.Notef("before")
	before := b.String()
	log.End()
	log.Mask("a secret that came late")
	log.Notef("after")
	if b.String() != before || before == "" {
		t.Errorf("%q became %q", before, b)
	}
	if got := log.options.Secrets.Redact("a secret that came late"); got != "***" {
		t.Errorf("it is not hidden any more: %s", got)
	}
	(*Log)(nil).End()
}

func TestLogIsSafeForConcurrentUse(t *testing.T) {
	log, b := onGitHub()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			w := log.Output(fmt.Sprint(i))
			for range 50 {
				log.Notef("event")
				fmt.Fprintln(w, "::error::foreign")
				log.Warnf("t", "warning")
				log.Mask(fmt.Sprintf("secret-%d", i))
				log.Group("g")()
			}
			w.Close()
		})
	}
	all.Wait()
	for _, name := range obeyed(b.String()) {
		if name == "error" {
			t.Fatal("a foreign line was obeyed")
		}
	}
}

// FuzzLogText looks for text that acts as a command, through any of the ways that text gets into the log.
func FuzzLogText(f *testing.F) {
	for _, seed := range []string{"::error::x", "a\r::x", "##[x]", "#\x1b#[x]", "\x1b[::error::", "\x1b]::error::x", "\xff##\xff[",
		"##\u2066[", "\u0085::error::x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		log, b := onGitHub()
		log.Notef("%s", text)
		w := log.Output("")
		fmt.Fprint(w, text)
		w.Close()
		for _, name := range obeyed(b.String()) {
			if name != "stop-commands" && name != "token1" {
				t.Errorf("%q acts as %q in %q", text, name, b.String())
			}
		}
	})
}

// TestLinesFitTheTerminal breaks a line of the log between words where the terminal ends, and leaves what fits, and what is no terminal,
// as it is.
func TestLinesFitTheTerminal(t *testing.T) {
	const long = "  ~ the service connect2-api-service-dev runs connect2-api-dev:2   (2 of 2 tasks)"
	for name, test := range map[string]struct {
		width func() int
		text  string
		want  string
	}{
		"no terminal": {nil, long, "   +0.0s  " + long + "\n"},
		"it fits":     {func() int { return 10 + len(long) }, long, "   +0.0s  " + long + "\n"},
		"one too few": {func() int { return 9 + len(long) }, long,
			"   +0.0s    ~ the service connect2-api-service-dev runs connect2-api-dev:2 (2 of 2 tasks)\n"},
		"narrow": {func() int { return 50 }, long, "   +0.0s    ~ the service connect2-api-service-dev\n" +
			"        |   runs connect2-api-dev:2 (2 of 2 tasks)\n"},
		"a word that is wider": {func() int { return 40 }, "image sha256:" + strings.Repeat("0", 64) + " is there",
			"   +0.0s  image\n        | sha256:" + strings.Repeat("0", 64) + "\n        | is there\n"},
		"too narrow for words": {func() int { return 20 }, "a b c d e f g h", "   +0.0s  a b c d e f g h\n"},
	} {
		t.Run(name, func(t *testing.T) {
			log, b := told(LogOptions{Width: test.width})
			log.Notef("%s", test.text)
			if got := b.String(); got != test.want {
				t.Errorf("got:\n%swant:\n%s", got, test.want)
			}
		})
	}
}
