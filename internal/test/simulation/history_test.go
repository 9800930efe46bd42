package simulation

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// History is what happens to one service: what was there, who does what when, and what goes wrong.
type History struct {
	Seed    uint64        // of how long each call takes, and of every wait that is spread
	Desired int           // tasks
	Past    int           // versions that were released before the beginning: 1 to Past, the last of which serves
	Breaker Breaker       // the service's circuit breaker
	Shift   Shift         // how its traffic goes from one version to the next
	Lag     time.Duration // until a service deployment is listed; 0: the sandbox's 1.5 s
	Reads   time.Duration // how old the state is that DescribeServices shows
	Others  []Act         // everybody else's
	Busy    float64       // the share that other callers use of what AWS documents as the account's limits; 0: there are no limits
	Skew    time.Duration // AWS's clock is so far ahead of ours
	Fates   []Fate        // of the versions after Past
	Runs    []Run         // ours

	Restarts bool // containers of what is released have a restart policy, which starts one again that ran for a minute

	Second    Second // another service of the same image, and how a release of both goes
	Scheduled bool   // a rule and a schedule run what serves
}

// A change is a moment at which the service's PRIMARY deployment becomes another or goes into another rolloutState. They are
// counted from the beginning, from 1.

// Breaker is how a circuit breaker is set.
type Breaker string

// The settings of a circuit breaker.
const (
	RollsBack Breaker = ""      // it ends a failing deployment and rolls back
	Stops     Breaker = "stops" // it ends a failing deployment and leaves it
	Off       Breaker = "off"
)

// Shift is a deployment strategy.
type Shift string

// The strategies, with steps and bakes of a minute.
const (
	Rolling   Shift = ""
	BlueGreen Shift = "BLUE_GREEN"
	Linear    Shift = "LINEAR"
	Canary    Shift = "CANARY"
)

// Fate is what becomes of the tasks of a version.
type Fate struct {
	Kind  Kind
	First int // it befalls the first so many tasks alone; 0: all
	Job   Job // what its migration does

	Second Kind // what becomes of those of the second service, all of them
}

// Job is what a migration does.
type Job string

// The jobs.
const (
	Short Job = ""      // is done after 20 seconds
	Fails Job = "fails" // exits with 1 after 20 seconds
	Long  Job = "long"  // takes four minutes, and exits with 0 when it is stopped
)

// Kind is a kind of fate. A passing and a lasting one never wear the same words.
type Kind string

// The kinds of fates.
const (
	Works     Kind = ""
	Slow      Kind = "slow"      // its first good answer comes late
	Crashes   Kind = "crashes"   // exits at once
	Faints    Kind = "faints"    // exits after its first good health checks
	Unhealthy Kind = "unhealthy" // runs and never answers its health checks
	NoPull    Kind = "no pull"   // its image cannot be pulled
	NoRoom    Kind = "no room"   // Fargate has no capacity
)

// Verb is what a run of ours does.
type Verb string

// The verbs.
const (
	Deploy   Verb = "deploy"
	Rollback Verb = "rollback"
	Migrate  Verb = "migrate"
	Release  Verb = "release" // the root action: migrates and deploys

	Together Verb = "together" // deploys both services as one release
)

// deploys says whether the verb brings a version into service.
func (v Verb) deploys() bool { return v == Deploy || v == Release || v == Together }

// migrates says whether the verb runs a migration.
func (v Verb) migrates() bool { return v == Migrate || v == Release }

// Run is one run of a verb, and perhaps the same run once more.
type Run struct {
	Change  int           // it begins at this change of the service; 0: at the beginning of the history …
	At      time.Duration // … and so long after that
	Verb    Verb
	Version int  // of a deployment
	Force   bool // it deploys even what is in force
	Lifts   bool // it deploys in spite of a hold
	Timeout time.Duration
	Faults  []Fault
	End     End
	Call    int           // End comes at this call of the run, counted from 1,
	Late    bool          // which is carried out, so that its answer is lost; …
	Until   int           // … or, where Call is 0, at this change after the beginning of the run; 0: at its beginning …
	After   time.Duration // … and so long after that
	Grow    int           // where it is repeated after a success, somebody scales to so many tasks right before; 0: nobody does
	Again   time.Duration // so long after its end the same is run again, without faults; 0: it is not
	Along   bool          // a deployment takes the schedules along
}

// End is how a run is ended from outside.
type End string

// The ends.
const (
	ItsOwn End = ""       // not at all
	Cancel End = "cancel" // as GitHub's runner does: a signal, and ten seconds later the end
	Kill   End = "kill"   // at once
)

// Fault makes calls of one run fail.
type Fault struct {
	Action string // pattern, such as "ecs:Describe*"
	Answer string // throttle, unavailable, cut, cut-after, hang, hang-after, expired, refuse
	Skip   int    // matching calls that pass first
	Times  int    // so many calls fail
}

// Act is something that somebody else does.
type Act struct {
	Change int           // it is done at this change of the service; 0: at the beginning of the history …
	At     time.Duration // … and so long after that
	What   What
	N      int // the version, the number of tasks, or which of the running tasks
}

// What somebody else does.
type What string

// The acts.
const (
	ColleagueDeploys   What = "colleague deploys"    // version N, by UpdateService
	ColleagueForces    What = "colleague forces"     // a new deployment of what the service is at
	ColleagueRollsBack What = "colleague rolls back" // stops the deployment in progress; where there is none, nothing
	OperatorStops      What = "operator stops"       // the Nth of the running tasks
	SpotTakes          What = "Spot takes"           // the Nth of the running tasks
	OperatorStopsJob   What = "operator stops the migration"
	SpotTakesJob       What = "Spot takes the migration"
	TerraformSettings  What = "Terraform changes settings" // of the service, which begin no deployment
	TerraformNetwork   What = "Terraform changes the network"
	TerraformTemplate  What = "Terraform changes the template"
	Scales             What = "scales" // to N tasks

	ColleagueDeploysSecond What = "colleague deploys the second" // version N of the second service
)

// String writes the history as a Go literal, without the fields that are zero.
func (h History) String() string { return literal(reflect.ValueOf(h), "") }

func literal(v reflect.Value, indent string) string {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		return durationLiteral(time.Duration(v.Int()))
	case v.Kind() == reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && (f.Kind() != reflect.Slice || f.Len() > 0) {
				fields = append(fields, v.Type().Field(i).Name+": "+literal(v.Field(i), indent+"\t"))
			}
		}
		if v.Type() != reflect.TypeFor[History]() {
			return "{" + strings.Join(fields, ", ") + "}"
		}
		return "History{\n\t" + strings.Join(fields, ",\n\t") + ",\n}"
	case v.Kind() == reflect.Slice:
		var b strings.Builder
		fmt.Fprintf(&b, "[]%s{", v.Type().Elem().Name())
		for i := range v.Len() {
			fmt.Fprintf(&b, "\n%s\t%s,", indent, literal(v.Index(i), indent+"\t"))
		}
		return b.String() + "\n" + indent + "}"
	case v.Kind() == reflect.String:
		return fmt.Sprintf("%q", v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

func durationLiteral(d time.Duration) string {
	switch {
	case d%time.Minute == 0:
		return fmt.Sprintf("%d * time.Minute", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%d * time.Second", d/time.Second)
	default:
		return fmt.Sprintf("%d * time.Millisecond", d/time.Millisecond)
	}
}
