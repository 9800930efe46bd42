// Package render shows the record of a run: as a log in a terminal or a workflow, as a job summary, as JSON lines. It is the one place
// that escapes text, takes out control characters and secrets, cuts what is too long, and formats durations, sizes and times.
//
// What it is given is plain text as it came. Nothing that it returns can act as a workflow command, move a cursor, break out of its
// cell or fence, or show a masked secret.
package render
