// Package report renders what a run did as GitHub Markdown for the job summary, and as plain text for a terminal.
//
// Everything is a pure function from values to text. Arguments are plain text and are escaped here: a log line, a tag or
// a commit message can neither break out of its cell or fence nor inject HTML. Each piece is bounded in size; GitHub drops
// a job summary of more than 1 MiB altogether.
package report
