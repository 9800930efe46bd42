package rollout

import (
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/record"
)

// Reads say what is read next, and when. The zero value reads nothing.
type Reads struct {
	After     time.Duration // how long to wait before that
	Before    time.Time     // when that wait is over at the latest; zero: the wait is not cut short
	Service   bool          // the service
	Find      bool          // the service deployments that could be the followed one's
	Own       string        // ARN of the service deployment to describe, where the service asks for it; empty: none
	Tasks     bool          // the tasks that have stopped since they were last read
	Draining  bool          // how far the tasks of other deployments have come that are being stopped
	Running   bool          // the tasks that run or are stopping, for the record
	Past      bool          // the task definition that worked last, by the service's history
	Diagnosis bool          // why tasks fail
	Last      bool          // of a diagnosis: it is the last one, and may take its time
	Within    time.Duration // how long all of it may take; 0: as long as each call may
}

// any reports whether anything is to be read.
func (r Reads) any() bool {
	return r.Service || r.Find || r.Own != "" || r.Tasks || r.Draining || r.Running || r.Past || r.Diagnosis
}

// Observation is what came of one round: of carrying out what was decided, and of reading what was asked for.
type Observation struct {
	Read      Reads                      // what was asked for
	Service   *ecsview.Snapshot          // nil: not read
	Found     []Candidate                // the service deployments that were listed
	Own       *ecsview.ServiceDeployment // nil: not read, or not known to ECS
	OwnLeft   bool                       // it was not read, since the service shows nothing new of it
	Tasks     []ecsview.Task             // that stopped since they were last read, or that run
	Diagnosis *Diagnosis                 // nil: not made, or it found nothing
	Past      string                     // ARN of the task definition that worked last; empty: none is known

	Draining bool // a task of another deployment is being taken out of its target groups
	Calls    int  // that reading took of ECS

	ServiceTrouble, OwnTrouble, TasksTrouble, DrainTrouble Trouble // why something was not read

	Answers     []Answer // what the effects that were carried out came to
	Interrupted error    // why the run is to end; nil: it goes on
}

// Trouble is a call that failed; the zero value is one that worked.
type Trouble struct {
	Err       error
	Refused   bool // a permission is missing, or the API is not to be had: asking again does not help
	Throttled bool // too many calls: nothing was done
	Lost      bool // no answer: whether anything was done is not known

	Credentials bool // AWS does not take the credentials, or not any more
}

// Candidate is a service deployment that could be the followed one's.
type Candidate struct {
	ARN            string
	Created        time.Time
	TaskDefinition string   // of its target revision
	Sources        []string // ARNs of the task definitions that ran when it began; nil: not known
}

// Diagnosis is why tasks of a deployment fail.
type Diagnosis struct {
	Finding record.Finding
	Alike   int // how many tasks in a row have failed of it
	Waves   int // how many independent observations those are: tasks that started together are one
}

// known reports whether the diagnosis says anything.
func (d Diagnosis) known() bool { return d.Finding.Known() }

// certain reports whether the cause cannot pass by itself, so that other tasks of the release will fail of it as well.
func (d Diagnosis) certain() bool {
	return d.known() && d.Finding.Certain && d.Finding.Fault != record.FaultPlatform
}

// lasting reports whether the cause is certain, or did not pass from one wave of tasks to the next.
func (d Diagnosis) lasting() bool {
	return d.certain() || d.known() && d.Finding.Fault != record.FaultPlatform && d.Waves > 1
}

// Effect is something that Next wants done.
type Effect interface{ changes() bool }

// Tell tells what happened or is known.
type Tell struct{ Event record.Event }

// Stop asks ECS to stop a service deployment and to put the previous version back.
type Stop struct{ ServiceDeployment string }

// PutBack updates the service to a version that worked.
type PutBack struct {
	Before         ecsview.Snapshot // the service as it was seen last
	TaskDefinition string           // ARN
}

// Empty sets the desired count to 0.
type Empty struct{}

func (Tell) changes() bool    { return false }
func (Stop) changes() bool    { return true }
func (PutBack) changes() bool { return true }
func (Empty) changes() bool   { return true }

// Answer is what an effect came to.
type Answer struct {
	To      Effect
	Trouble Trouble
	Over    bool   // of a Stop: the deployment has ended, so that there was nothing to stop
	Target  Target // of a PutBack: the deployment that it began
}
