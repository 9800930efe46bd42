package terraform

import (
	"errors"
	"strings"
	"time"
)

// Lock is a lock of a state, as whoever holds it wrote it down.
type Lock struct {
	ID        string
	Path      string
	Operation string
	Who       string // USER@HOST; in a container that is the container's ID
	Version   string
	Created   time.Time
}

// HeldLock returns the lock that kept a command from starting. It is false where the lock could not be written for another
// reason, such as a missing permission, which Terraform tells under the same title: there is nothing to release then.
func HeldLock(err error) (Lock, bool) {
	var failure *Failure
	if !errors.As(err, &failure) || !failure.Says("error acquiring the state lock") {
		return Lock{}, false
	}
	for _, d := range failure.Diagnostics {
		if lock, ok := parseLock(d.Detail); ok {
			return lock, true
		}
	}
	return parseLock(failure.Text)
}

// parseLock reads Terraform's block "Lock Info:".
func parseLock(text string) (Lock, bool) {
	_, block, ok := strings.Cut(text, "Lock Info:")
	if !ok {
		return Lock{}, false
	}
	var l Lock
	for line := range strings.Lines(block) {
		name, value, ok := strings.Cut(strings.Trim(line, " │\n"), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch name {
		case "ID":
			l.ID = value
		case "Path":
			l.Path = value
		case "Operation":
			l.Operation = value
		case "Who":
			l.Who = value
		case "Version":
			l.Version = value
		case "Created":
			l.Created, _ = time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", value)
		}
	}
	return l, l.ID != ""
}
