package schedule

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// Name is the name of a rule of EventBridge, or of a schedule of EventBridge Scheduler: one of Rule and Schedule is set.
type Name struct {
	Rule     string
	Bus      string // of the rule; empty: default
	Schedule string
	Group    string // of the schedule; empty: default
}

// Default is the event bus, and the group of schedules, that a name without one means.
const Default = "default"

// nameText is what AWS accepts: "Pattern: [\.\-_A-Za-z0-9]+", of PutRule and CreateSchedule alike.
var nameText = lazyregexp.New(`^[.\-_A-Za-z0-9]{1,64}$`)

// busText is wider: the buses of partners have slashes.
var busText = lazyregexp.New(`^[/.\-_A-Za-z0-9]{1,256}$`)

// ParseNames reads several names, and returns what is wrong with them; what says where they stand.
func ParseNames(what string, texts []string) (names []Name, problems []error) {
	for _, text := range texts {
		name, err := ParseName(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
			continue
		}
		names = append(names, name)
	}
	return names, problems
}

// ParseName reads rule:NAME, rule:BUS/NAME, schedule:NAME, schedule:GROUP/NAME, or the ARN of either.
func ParseName(text string) (Name, error) {
	want := fmt.Errorf("%q is not a schedule: want rule:NAME, rule:BUS/NAME, schedule:NAME, schedule:GROUP/NAME or an ARN", text)
	kind, rest, found := strings.Cut(text, ":")
	if kind == "arn" {
		parts := strings.SplitN(text, ":", 6)
		if len(parts) < 6 {
			return Name{}, want
		}
		kind, rest, found = strings.Cut(parts[5], "/")
		if service := parts[2]; service != map[string]string{"rule": "events", "schedule": "scheduler"}[kind] {
			return Name{}, want
		}
	}
	in, name := "", rest
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		in, name = rest[:i], rest[i+1:]
		if in == "" {
			return Name{}, want
		}
	}
	var n Name
	switch {
	case !found:
		return Name{}, want
	case kind == "rule":
		n = Name{Rule: name, Bus: in}
	case kind == "schedule":
		n = Name{Schedule: name, Group: in}
	default:
		return Name{}, want
	}
	if err := n.Check(); err != nil {
		return Name{}, err
	}
	return n, nil
}

// Check returns what is wrong with a name by itself.
func (n Name) Check() error {
	name := cmp.Or(n.Rule, n.Schedule)
	switch {
	case n.Rule != "" && n.Schedule != "":
		return fmt.Errorf("%s and %s: a rule or a schedule, and not both", n.Rule, n.Schedule)
	case n.Rule == "" && n.Bus != "", n.Schedule == "" && n.Group != "":
		return fmt.Errorf("%s: a bus goes with a rule, and a group with a schedule", cmp.Or(n.Bus, n.Group))
	case !nameText.MatchString(name):
		return fmt.Errorf("%q is not a name: want 1 to 64 letters, digits, hyphens, dots and underscores", name)
	case n.Group != "" && !nameText.MatchString(n.Group), n.Bus != "" && !busText.MatchString(n.Bus):
		return fmt.Errorf("%q is not a name of a bus or a group", cmp.Or(n.Bus, n.Group))
	}
	return nil
}

// String returns the name as ParseName reads it.
func (n Name) String() string {
	kind, in, name := "schedule:", n.Group, n.Schedule
	if n.Rule != "" {
		kind, in, name = "rule:", n.Bus, n.Rule
	}
	if in == "" || in == Default {
		return kind + name
	}
	return kind + in + "/" + name
}

// same is the name with its defaults filled in, by which two names can be compared.
func (n Name) same() Name {
	if n.Rule != "" {
		n.Bus = cmp.Or(n.Bus, Default)
	} else {
		n.Group = cmp.Or(n.Group, Default)
	}
	return n
}
