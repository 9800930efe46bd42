package sandbox

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/ec2"
	"github.com/org/connect2/v2/pkg/sandbox/sessions"
)

// Sessions lets the sandbox run the commands of sessions on this machine, as its user, and connect to ports.
type Sessions struct {
	Directory string            // where the commands run; "": where the sandbox does
	Forward   map[string]string // where connections to HOST or HOST:PORT really go: HOST:PORT. This machine's own ports need no entry
}

// target is where connections to an address go; ok is false for what the sandbox may not reach.
func (s Sessions) target(address string) (to string, ok bool) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	for _, name := range []string{address, host} {
		if to, ok := s.Forward[name]; ok {
			return to, true
		}
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return address, true
	}
	return "", false
}

// check says what is wrong with the addresses.
func (s Sessions) check() error {
	for _, from := range sortedKeys(s.Forward) {
		if host, port, err := net.SplitHostPort(s.Forward[from]); from == "" || err != nil || host == "" || port == "" {
			return fmt.Errorf("the forward %s=%s is not HOST[:PORT]=HOST:PORT", from, s.Forward[from])
		}
	}
	return nil
}

// nowhere is an address that nothing answers on.
const nowhere = "127.0.0.1:0"

// manager starts sessions for the APIs of ECS and Systems Manager.
type manager struct {
	sessions *sessions.Service
	options  Sessions
}

// sessionID is AWS's form: who, and seventeen digits.
func (m manager) sessionID(of string) string {
	return of + "-" + strings.ReplaceAll(m.sessions.ID(), "-", "")[:17]
}

// URL is the address of a session's data channel.
func (m manager) URL(host, id string) string {
	return "ws://" + host + sessions.Path + id + "?role=publish_subscribe"
}

// Execute starts a command in a container.
func (m manager) Execute(host, command string, environment map[string]string) any {
	id := m.sessionID("ecs-execute-command")
	token := m.sessions.Create(id, sessions.Kind{Command: command, Environment: environment, Directory: m.options.Directory})
	return object{"sessionId": id, "streamUrl": m.URL(host, id), "tokenValue": token}
}

// Start starts a session on an instance.
func (m manager) Start(command, address string, properties any) (id, token string) {
	kind := sessions.Kind{Command: command, Shell: true, Port: properties, Directory: m.options.Directory}
	if address != "" {
		kind.Address = nowhere
		if to, ok := m.options.target(address); ok {
			kind.Address = to
		}
	}
	id = m.sessionID("operator")
	return id, m.sessions.Create(id, kind)
}

func (m manager) Resume(id string) (token string, ok bool) { return m.sessions.Resume(id) }

func (m manager) Terminate(id string) { m.sessions.Terminate(id, "") }

// instances are EC2's for Systems Manager.
type instances struct{ compute *ec2.Service }

func (i instances) IDs() []string {
	var ids []string
	for _, instance := range i.compute.Instances {
		ids = append(ids, instance.ID)
	}
	return ids
}

func (i instances) ARN(id string) string { return i.compute.ARN(id) }

func (i instances) Ping(id string, now time.Time) string {
	if instance := i.compute.Instance(id); instance != nil {
		return instance.Ping(now)
	}
	return ""
}

// addBastion adds the instance that people reach the databases through.
func (s *Sandbox) addBastion(at time.Time) {
	b := s.scenario.Bastion
	if b.State == BastionNone {
		return
	}
	bastion := &ec2.Instance{
		ID: "i-0a1b2c3d4e5f60001", Image: "ami-0a1b2c3d4e5f60001", Type: "t4g.nano", VPC: vpc, Subnet: s.scenario.Service.Subnets[0],
		Zone: s.scenario.Region + "a", PrivateIP: "10.0.0.10", PublicIP: b.PublicIP, SecurityGroups: []string{bastionGroup},
		Tags:  map[string]string{"Name": b.Name, "Project": s.scenario.Project, "Environment": s.scenario.Environment},
		Agent: b.Agent, Launched: at,
	}
	if b.State == BastionStopped {
		bastion.Stop()
	}
	s.compute.Instances = append(s.compute.Instances, bastion)
}
