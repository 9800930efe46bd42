// Package preflight looks whether the tasks of a task definition would start: whether what they name is there. It reads, and changes
// nothing. Every read may be denied or fail: then what it was to tell is not checked, and nothing is concluded from it. Values of secrets
// and parameters are never read.
package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// State is what was found out about one thing.
type State string

// The states.
const (
	Found      State = "ok"          // it is there
	Absent     State = "absent"      // it is certainly not there, so that no task could start
	Doubtful   State = "doubtful"    // something speaks against it, and does not prove it
	NotChecked State = "not checked" // it could not be read, or nobody may look
)

// Check is one thing that was looked at.
type Check struct {
	What   string // such as "secret shop/db"
	State  State
	Detail string // what was found, or why it was not checked
	Err    error  // the denial or failure of the read, where there was one
}

// String returns "WHAT: DETAIL".
func (c Check) String() string { return c.What + ": " + c.Detail }

// Question is what is to be looked at.
type Question struct {
	Document taskdef.Document
	Without  []string // the containers whose image is not looked at: it is not pushed yet
	Region   string   // of the service
	Account  string   // 12 digits

	Subnets  []string // that the tasks start in
	Surge    int      // tasks that the deployment starts beside those that run
	KeepsAll bool     // it stops none of those before the new ones run
}

// SecretState is what a secret's description says.
type SecretState struct {
	Deleted bool     // it is marked for deletion
	Stages  []string // labels of its versions, such as AWSCURRENT
}

// Denial is a permission that a simulation does not give.
type Denial struct{ Action, Resource string }

// Reads are the reads of AWS. An error that says "not found" (awserr.IsNotFound) is definite; any other is not.
type Reads struct {
	Platforms  func(ctx context.Context, image string) ([]string, error)                      // *NoImageError where it is not there
	Secret     func(ctx context.Context, region, id string) (SecretState, error)              //
	Parameters func(ctx context.Context, region string, names []string) ([]string, error)     // those that exist
	LogGroups  func(ctx context.Context, region, prefix string) ([]string, error)             //
	Addresses  func(ctx context.Context, subnets []string) (map[string]int, error)            // left in each subnet
	Simulate   func(ctx context.Context, role string, actions, on []string) ([]Denial, error) //
}

// Run looks at everything that the question names.
func Run(ctx context.Context, read Reads, q Question) []Check {
	needs := needsOf(q)
	var checks []Check
	for _, image := range needs.images {
		has, err := read.Platforms(ctx, image.image)
		checks = append(checks, imageCheck(image, q.Document.Platform(), has, err))
	}
	for _, secret := range needs.secrets {
		if secret.account != q.Account {
			checks = append(checks, Check{What: secret.String(), State: NotChecked, Detail: "it is another account's"})
			continue
		}
		state, err := read.Secret(ctx, secret.region, secret.id)
		checks = append(checks, secretCheck(secret, state, err)...)
	}
	for _, parameter := range needs.parameters {
		if reason := parameter.unlisted(q.Account); reason != "" {
			checks = append(checks, Check{What: parameter.String(), State: NotChecked, Detail: reason})
			continue
		}
		found, err := read.Parameters(ctx, parameter.region, parameter.names)
		checks = append(checks, parameterCheck(parameter, found, err))
	}
	var denied []Denial
	var simulated error
	if needs.role != "" {
		var check Check
		denied, check, simulated = simulate(ctx, read, needs)
		checks = append(checks, check)
	}
	for _, group := range needs.groups {
		groups, err := read.LogGroups(ctx, group.region, group.name)
		checks = append(checks, groupCheck(group, groups, err, mayCreate(denied, simulated, needs.role)))
	}
	if len(q.Subnets) > 0 && q.Surge > 0 {
		left, err := read.Addresses(ctx, q.Subnets)
		checks = append(checks, addressCheck(q, left, err))
	}
	return checks
}

// simulate asks for the execution role's permissions. A simulation sees neither the policies of keys and secrets nor those of an
// organisation's conditions, so that it proves nothing.
func simulate(ctx context.Context, read Reads, n needs) (denied []Denial, check Check, err error) {
	check = Check{What: "execution role " + n.role[strings.LastIndexByte(n.role, '/')+1:]}
	for _, set := range n.permissions() {
		missing, failed := read.Simulate(ctx, n.role, set.actions, set.on)
		if failed != nil {
			return nil, failedRead(check, failed), failed
		}
		denied = append(denied, missing...)
	}
	return denied, roleCheck(check, denied), nil
}

// roleCheck says what a simulation denies. That a log group may not be made is told with the group.
func roleCheck(check Check, denied []Denial) Check {
	var texts []string
	for _, d := range denied {
		if d.Action == createLogGroup {
			continue
		}
		text := d.Action
		if d.Resource != "*" {
			text += " on " + d.Resource
		}
		texts = append(texts, text)
	}
	check.State, check.Detail = Found, "a simulation of its policies allows what the tasks' start needs"
	if len(texts) > 0 {
		check.State = Doubtful
		check.Detail = "a simulation of its policies denies " + strings.Join(texts, ", ") +
			" (policies of keys and secrets are not in it, so that it may be allowed all the same)"
	}
	return check
}

// mayCreate says what is known of the right to make a log group: nil, or why it is doubtful or not known.
func mayCreate(denied []Denial, simulated error, role string) *Check {
	switch {
	case role == "":
		return &Check{State: NotChecked, Detail: "the task definition names no execution role"}
	case simulated != nil:
		return &Check{State: NotChecked, Detail: "whether the execution role may make it is not checked"}
	case slices.ContainsFunc(denied, func(d Denial) bool { return d.Action == createLogGroup }):
		return &Check{State: Doubtful, Detail: "a simulation denies the execution role " + createLogGroup}
	}
	return nil
}

// failedRead is the check of what could not be read. Only "not found" says something of the thing itself.
func failedRead(check Check, err error) Check {
	check.State, check.Err = NotChecked, err
	switch {
	case awserr.IsNotFound(err):
		check.State, check.Detail = Absent, "does not exist"
	case awserr.IsDenied(err):
		check.Detail = "reading it is denied"
	default:
		check.Detail = fmt.Sprintf("reading it failed: %v", awserr.Explain(err))
	}
	return check
}
