package operate

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/alarm"
)

// Alarm is a CloudWatch alarm of a service or of its environment.
type Alarm struct {
	alarm.Alarm
	Watched bool `json:"watched"` // deployments of the service watch it
}

// Environment returns project and environment of a service by its names, PROJECT-cluster-ENVIRONMENT or PROJECT-service-ENVIRONMENT. ok
// is false where neither is called so.
func Environment(cluster, service string) (project, environment string, ok bool) {
	for _, each := range [][2]string{{cluster, "-cluster-"}, {service, "-service-"}} {
		project, environment, ok = strings.Cut(arn.Last(each[0]), each[1])
		if ok && project != "" && environment != "" {
			return project, environment, true
		}
	}
	return "", "", false
}

// belongs reports whether an alarm is called as those of an environment are: PROJECT-ENVIRONMENT or PROJECT-KIND-ENVIRONMENT, and what
// follows.
func belongs(name, project, environment string) bool {
	rest, ok := strings.CutPrefix(name, project+"-")
	if !ok {
		return false
	}
	_, behind, _ := strings.Cut(rest, "-")
	for _, text := range []string{rest, behind} {
		if text == environment || strings.HasPrefix(text, environment+"-") {
			return true
		}
	}
	return false
}

// Alarms reads the CloudWatch alarms of a service: those that its deployments watch, and those that are called as the environment's are.
// First come those that are in ALARM, then what is missing or has no data, by name.
func Alarms(ctx context.Context, cfg aws.Config, cluster, service string, watched []string) ([]Alarm, error) {
	found, err := alarm.Named(ctx, cfg, watched)
	if err != nil {
		return nil, err
	}
	if project, environment, ok := Environment(cluster, service); ok {
		some, err := alarm.Prefixed(ctx, cfg, project+"-")
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(some, func(a alarm.Alarm) bool { return !belongs(a.Name, project, environment) })...)
	}
	return inOrder(found, watched), nil
}

// inOrder sorts alarms, without those that are there twice and with those that are watched and not there.
func inOrder(found []alarm.Alarm, watched []string) []Alarm {
	var all []Alarm
	known := map[string]bool{}
	for _, a := range found {
		if !known[a.Name] {
			known[a.Name], all = true, append(all, Alarm{a, slices.Contains(watched, a.Name)})
		}
	}
	for _, name := range watched {
		if !known[name] {
			known[name], all = true, append(all, Alarm{alarm.Alarm{Name: name, State: alarm.Missing}, true})
		}
	}
	rank := []alarm.State{alarm.Fired, alarm.Missing, alarm.NoData}
	place := func(a Alarm) int {
		if i := slices.Index(rank, a.State); i >= 0 {
			return i
		}
		return len(rank)
	}
	sorted.Stable(all, func(a, b Alarm) int {
		if c := place(a) - place(b); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}
