package fleet

import (
	"errors"
	"fmt"
	"strings"
)

// refusal is a problem, and the members that have it.
type refusal struct {
	names []string
	err   error
}

func add(all []refusal, name string, err error) []refusal {
	for i, known := range all {
		if known.err.Error() == err.Error() {
			all[i].names = append(all[i].names, name)
			return all
		}
	}
	return append(all, refusal{[]string{name}, err})
}

// joined is an error of a line for each problem, with the names before it.
func joined(all []refusal) error {
	var errs []error
	for _, r := range all {
		errs = append(errs, fmt.Errorf("%s: %w", strings.Join(r.names, ", "), r.err))
	}
	return errors.Join(errs...)
}
