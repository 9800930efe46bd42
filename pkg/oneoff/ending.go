package oneoff

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ownEnd reports whether a task ended because its container did, by itself. A container that was sent SIGTERM (by a person, by
// Fargate for want of capacity, or since another essential container had ended) may exit with 0 all the same, in the middle of
// its work. outrun says that another container was seen to have ended the task while this one still ran.
//
// The stop code is what ECS decided first and stays. A stand-in may leave it out; then the reason decides, and where there is
// none either, nobody has said that the task was stopped.
func ownEnd(t types.Task, outrun bool) bool {
	if outrun {
		return false
	}
	if t.StopCode == "" {
		reason := aws.ToString(t.StoppedReason)
		return reason == "" || strings.HasPrefix(reason, "Essential container in task exited")
	}
	return t.StopCode == types.TaskStopCodeEssentialContainerExited
}

// outruns returns the name of a container that ended the task while the named one still runs, or "". essential says which
// containers take the task with them; where that is not known, the stop code has to say that one did.
func outruns(t types.Task, container string, essential map[string]bool) string {
	for _, c := range t.Containers {
		if aws.ToString(c.Name) == container && hasEnded(c) {
			return ""
		}
	}
	ended := t.StopCode == types.TaskStopCodeEssentialContainerExited
	for _, c := range t.Containers {
		name := aws.ToString(c.Name)
		if name == container || !hasEnded(c) {
			continue
		}
		if takes, known := essential[name]; takes || !known && ended {
			return name
		}
	}
	return ""
}

// hasEnded reports whether a container ran and runs no more.
func hasEnded(c types.Container) bool {
	return c.ExitCode != nil || aws.ToString(c.LastStatus) == "STOPPED"
}

// essentials returns which containers of a definition end their task when they end; nil where it is not known.
func essentials(definition *types.TaskDefinition) map[string]bool {
	if definition == nil {
		return nil
	}
	all := map[string]bool{}
	for _, c := range definition.ContainerDefinitions {
		all[aws.ToString(c.Name)] = c.Essential == nil || *c.Essential
	}
	return all
}

// givesWayTo returns the task that own must leave the field to, or nil. own has not run its container yet.
//
// Of two tasks that are being set up, the one that was created first stays, and of the same moment the one whose ARN comes
// first, so that both runs come to the same result. One whose container runs stays in any case, also while it is being stopped.
// One that is being stopped before its container ran has given way itself. ECS gives the time of creation when a task becomes
// PENDING: one without it is later than one that has it, and of two without it nothing is known yet.
func givesWayTo(own types.Task, others []types.Task) *types.Task {
	for i, other := range others {
		switch {
		case aws.ToString(other.TaskArn) == aws.ToString(own.TaskArn), isOver(other):
		case hasBegun(other):
			return &others[i]
		case aws.ToString(other.DesiredStatus) == string(types.DesiredStatusStopped):
		case createdBefore(other, own):
			return &others[i]
		}
	}
	return nil
}

// createdBefore reports whether a is known to have been created before b.
func createdBefore(a, b types.Task) bool {
	switch {
	case a.CreatedAt == nil:
		return false
	case b.CreatedAt == nil:
		return true
	}
	if c := a.CreatedAt.Compare(*b.CreatedAt); c != 0 {
		return c < 0
	}
	return aws.ToString(a.TaskArn) < aws.ToString(b.TaskArn)
}

// isOver reports whether nothing of a task runs any more.
func isOver(t types.Task) bool {
	switch aws.ToString(t.LastStatus) {
	case "STOPPED", "DELETED":
		return true
	}
	return t.ExecutionStoppedAt != nil
}

// hasBegun reports whether a container of the task runs or has run.
func hasBegun(t types.Task) bool {
	return t.StartedAt != nil || aws.ToString(t.LastStatus) == "RUNNING"
}

// settingUp reports whether a task's containers do not run yet.
func settingUp(status string) bool {
	return status == "PROVISIONING" || status == "PENDING" || status == "ACTIVATING"
}
