package action

import (
	"bytes"
	"io"
	"strings"
)

// longestLine is where a foreign line without an end is broken, in bytes: output must not be held back, or kept in memory,
// without a bound.
const longestLine = 64 << 10

// Foreign returns a writer for text that somebody else wrote: an application's log, a child's output. The text is written
// line by line, as text: it can neither act as a workflow command nor show a masked secret. The name stands before each
// line; it may be empty. Close writes what is left of the last line. The writer never fails.
func (l *Log) Foreign(name string) io.WriteCloser {
	return &foreign{log: l, name: oneLine(name)}
}

type foreign struct {
	log  *Log
	name string
	rest []byte // a line that has no end yet
}

func (f *foreign) Write(p []byte) (int, error) {
	if f.log == nil {
		return len(p), nil
	}
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	f.rest = append(f.rest, p...)
	var ready []string
	for {
		end := bytes.IndexByte(f.rest, '\n')
		if end < 0 && len(f.rest) > longestLine {
			end = len(cutBytes(string(f.rest[:longestLine]), longestLine)) - 1
		}
		if end < 0 {
			break
		}
		ready = append(ready, string(f.rest[:end+1]))
		f.rest = f.rest[end+1:]
	}
	f.print(ready)
	return len(p), nil
}

// Close writes an unfinished last line and lets the runner take commands again.
func (f *foreign) Close() error {
	if f.log == nil {
		return nil
	}
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	if len(f.rest) > 0 {
		f.print([]string{string(f.rest)})
		f.rest = nil
	}
	f.log.resumeCommands()
	return nil
}

func (f *foreign) print(texts []string) {
	var out []string
	for _, text := range texts {
		for _, line := range cleanLines(f.log.hidden.redact(text), f.log.options.Colour || f.log.options.GitHub) {
			line = f.log.hidden.redact(line)
			f.log.record(Entry{Kind: "foreign", Title: f.name, Text: line})
			switch {
			case f.name != "":
				line = f.name + " | " + line
			case strings.HasPrefix(strings.TrimSpace(line), "::"):
				line = "| " + line // should the stop not be in force, for whatever reason
			}
			if strings.Contains(line, "\x1b[") {
				line += "\x1b[0m" // a colour ends with its line
			}
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return
	}
	f.log.stopCommands()
	f.log.lines(out...)
}
