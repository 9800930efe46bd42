package reach

import (
	"errors"
	"fmt"
	"strings"
)

// container is what is known of the place that a command is to run in, before it is tried.
type container struct {
	task      string // its id
	status    string // of the task
	enabled   bool   // ECS Exec was on when the task was started
	service   string // "" where the task is none of a service's
	turnedOn  bool   // it is on at the service now
	name      string
	runtime   string // the container's id within the task
	running   bool
	agent     string // status of the agent of ECS Exec in the container; "" where ECS tells none
	reason    string // of the agent
	readOnly  bool   // the container's root filesystem
	role      string // of the task; "" where it has none
	denied    []string
	unchecked error // why the role was not looked at; nil where it was
}

// messages are what the agent needs.
var messages = []string{"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
	"ssmmessages:OpenDataChannel"}

// blockers says what keeps a command from running in a container: all of it, each with what to do.
func (c container) blockers() []error {
	var found []error
	blocks := func(format string, args ...any) { found = append(found, fmt.Errorf(format, args...)) }
	if c.status != "RUNNING" {
		blocks("task %s is %s, and a command runs in a running one alone: choose another with --task", c.task, c.status)
	}
	switch {
	case c.enabled:
	case c.turnedOn:
		blocks("ECS Exec was off when task %s was started, and is on at %s now: its next deployment's tasks have it (connect2 deploy, or "+
			"aws ecs update-service --force-new-deployment)", c.task, c.service)
	case c.service != "":
		blocks("ECS Exec is off at %s: set execute_command = true in the environment's service (Terraform), or "+
			"aws ecs update-service --enable-execute-command --force-new-deployment; tasks that run already never get it", c.service)
	default:
		blocks("ECS Exec is off for task %s: run it again with enableExecuteCommand", c.task)
	}
	if c.readOnly {
		blocks("the root filesystem of container %s is read-only, and the agent of ECS Exec has to write to it: set "+
			"readonlyRootFilesystem to false (readonly_root_filesystem = false in Terraform) while commands are to be run", c.name)
	}
	switch {
	case c.role == "":
		blocks("task %s has no task role, by which the agent of ECS Exec signs its calls: give it one that allows %s", c.task,
			strings.Join(messages, ", "))
	case len(c.denied) > 0:
		blocks("the task role %s may not %s, which the agent of ECS Exec needs: allow it on resource *", c.role, strings.Join(c.denied, ", "))
	}
	if c.status == "RUNNING" && !c.running {
		blocks("container %s of task %s does not run", c.name, c.task)
	}
	if c.status == "RUNNING" && c.running && c.enabled && len(found) == 0 && c.agent != "RUNNING" {
		why := c.agent
		if why == "" {
			why = "not there"
		}
		if c.reason != "" {
			why += ": " + c.reason
		}
		blocks("the agent of ECS Exec in container %s of task %s does not run (%s): the task needs a way to ssmmessages, by a NAT gateway or "+
			"an endpoint; a new task starts a new agent", c.name, c.task, why)
	}
	return found
}

var errNoBastion = errors.New("there is no bastion")

// bastion is what is known of the instance that connections go through.
type bastion struct {
	id, name, state string
	publicIP        string
	ping            string // what Systems Manager says of its agent; "" where it does not know the instance
}

// choose takes the one instance of those found that connections can go through: running before stopped ones.
func choose(found []bastion, name string) (bastion, error) {
	var best []bastion
	for _, states := range [][]string{{"running"}, {"pending"}, {"stopped", "stopping"}} {
		for _, b := range found {
			for _, s := range states {
				if b.state == s {
					best = append(best, b)
				}
			}
		}
		if len(best) > 0 {
			break
		}
	}
	switch len(best) {
	case 1:
		return best[0], nil
	case 0:
		return bastion{}, fmt.Errorf("%w: no instance has the tag Name=%s. Set enable_bastion = true in the environment, or name another with "+
			"--bastion or --instance", errNoBastion, name)
	}
	var ids []string
	for _, b := range best {
		ids = append(ids, b.id)
	}
	return bastion{}, fmt.Errorf("%d instances have the tag Name=%s and are %s: choose one with --instance %s", len(best), name, best[0].state,
		strings.Join(ids, " or --instance "))
}

// blocker says what keeps a session from being started on the instance; start says that it may be started for it.
func (b bastion) blocker(start bool) error {
	switch {
	case b.state == "stopped" && !start:
		return fmt.Errorf("the bastion %s is stopped: add --start to have it started (it costs by the hour until somebody stops it)", b.label())
	case b.state == "stopping":
		return fmt.Errorf("the bastion %s is stopping: try again with --start in a minute", b.label())
	case b.state == "stopped", b.state == "pending":
		return nil // its agent is waited for
	case b.ping == "":
		return fmt.Errorf("the agent of Session Manager on the bastion %s has never been seen: its role needs AmazonSSMManagedInstanceCore, and "+
			"the instance a way to ssm and ssmmessages (443)", b.label())
	case b.ping != "Online":
		return fmt.Errorf("the agent of Session Manager on the bastion %s is not online (%s): start it (systemctl restart amazon-ssm-agent), or "+
			"reboot the instance", b.label(), b.ping)
	}
	return nil
}

func (b bastion) label() string {
	if b.name == "" {
		return b.id
	}
	return b.id + " (" + b.name + ")"
}
