package preflight

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// NoImageError says that a registry has no such image.
type NoImageError struct{ Err error }

// Error returns the registry's words.
func (e *NoImageError) Error() string { return e.Err.Error() }

// Unwrap returns the registry's own error.
func (e *NoImageError) Unwrap() error { return e.Err }

// imageCheck judges what an image is built for.
func imageCheck(c container, platform string, has []string, err error) Check {
	check := Check{What: c.String()}
	var missing *NoImageError
	switch {
	case errors.As(err, &missing):
		check.State, check.Detail = Absent, missing.Error()
	case err != nil:
		if check = failedRead(check, err); check.State == Absent { // the registry may be one that only the tasks can log in to
			check.State, check.Detail = NotChecked, "its registry does not show it to this run"
		}
	case len(has) == 0:
		check.State, check.Detail = NotChecked, "it does not say what it is built for"
	default:
		check.State, check.Detail = Found, "it is there for "+platform
		if wrong := taskdef.CheckPlatform(platform, has); wrong != nil {
			check.State, check.Detail = Absent, wrong.Error()
		}
	}
	return check
}

// current is the label of a secret's version that is read where none is named.
const current = "AWSCURRENT"

// secretCheck judges a secret by its description. The keys of its JSON stand in its value, which is not read.
func secretCheck(s secret, state SecretState, err error) []Check {
	check := Check{What: s.String()}
	stage := s.stage
	if stage == "" {
		stage = current
	}
	switch has := slices.Contains(state.Stages, stage); {
	case err != nil:
		check = failedRead(check, err)
	case state.Deleted:
		check.State, check.Detail = Absent, "it is marked for deletion, so that nobody can read it"
	case s.version != "":
		check.State, check.Detail = NotChecked, "it is there; whether it has the version "+s.version+" is not checked"
	case !has && stage == current:
		check.State, check.Detail = Absent, "it has no current value (no version is "+current+")"
	case !has:
		check.State, check.Detail = Absent, "no version of it is "+stage
	default:
		check.State, check.Detail = Found, "it has a value ("+stage+")"
	}
	checks := []Check{check}
	if s.key != "" && check.State == Found {
		checks = append(checks, Check{What: s.String() + ", key " + s.key, State: NotChecked, Detail: "values are never read"})
	}
	return checks
}

// parameterCheck judges whether a parameter was listed.
func parameterCheck(p parameter, found []string, err error) Check {
	check := Check{What: p.String()}
	switch there := slices.ContainsFunc(p.names, func(name string) bool { return slices.Contains(found, name) }); {
	case err != nil:
		return failedRead(check, err)
	case !there:
		check.State, check.Detail = Absent, "does not exist"
	case p.selector != "":
		check.State, check.Detail = NotChecked, "it is there; whether it has "+p.selector+" is not checked"
	default:
		check.State, check.Detail = Found, "it has a value"
	}
	return check
}

// groupCheck judges whether a log group is there, or may be made. create is what speaks against the latter; nil: nothing.
func groupCheck(g group, groups []string, err error, create *Check) Check {
	check := Check{What: g.String()}
	switch {
	case err != nil:
		return failedRead(check, err)
	case slices.Contains(groups, g.name):
		check.State, check.Detail = Found, "it is there"
	case g.create && create != nil:
		check.State, check.Detail = create.State, "it does not exist and is to be made (awslogs-create-group): "+create.Detail
	case g.create:
		check.State, check.Detail = Found, "it does not exist and is made by the first task (awslogs-create-group)"
	default:
		check.State, check.Detail = Absent, "does not exist"
		if near := nearest.One(g.name, groups); near != "" {
			check.Detail += "; there is " + near
		}
	}
	return check
}

// addressCheck judges whether the subnets have addresses for the tasks that are started beside those that run.
func addressCheck(q Question, left map[string]int, err error) Check {
	check := Check{What: "addresses in " + strings.Join(q.Subnets, ", ")}
	if err != nil {
		return failedRead(check, err)
	}
	sum := 0
	for _, subnet := range q.Subnets {
		sum += left[subnet]
	}
	check.State, check.Detail = Found, fmt.Sprintf("%d left, %d needed beside the tasks that run", sum, q.Surge)
	switch {
	case sum >= q.Surge:
	case sum == 0 && q.KeepsAll:
		check.State, check.Detail = Absent, fmt.Sprintf("none is left, and the deployment starts %d beside the tasks that run", q.Surge)
	default:
		check.State = Doubtful
	}
	return check
}
