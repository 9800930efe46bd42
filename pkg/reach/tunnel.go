package reach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/session"
)

// Way is how the database and Redis are reached.
type Way struct {
	awsconn.Inputs `group:"AWS"`
	Bastion        string `input:"bastion" doc:"The Name tag of the bastion, such as PROJECT-bastion-ENVIRONMENT; the secret's name follows from it."`
	Instance       string `input:"instance" doc:"The bastion's instance id, instead of its name."`
	Secret         string `input:"secret" doc:"The secret with host, port and login: its name or ARN. Empty: PROJECT/ENVIRONMENT/rds-credentials or redis-credentials, if the bastion's name contains project and environment."`
	LocalPort      int    `input:"local-port" doc:"The port on 127.0.0.1; 0 picks a free one."`
	Start          bool   `input:"start" doc:"Start the bastion if it is stopped. It stays running afterwards."`
	SSHKey         string `input:"ssh-key" path:"read" doc:"Use SSH with this private key instead of Session Manager: to the bastion's public address, whose host key must be in ~/.ssh/known_hosts."`
	SSHUser        string `input:"ssh-user" default:"ec2-user" doc:"The SSH user."`
	SSHHost        string `input:"ssh-host" doc:"The bastion's address for SSH, HOST or HOST:PORT. Empty: the instance's public address."`
}

// Validate says what is wrong with the inputs together.
func (w Way) Validate() []error {
	problems := w.Inputs.Validate()
	problem := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	if w.Bastion == "" && w.Instance == "" && (w.SSHKey == "" || w.SSHHost == "") {
		problems = append(problems, action.Missing("bastion", "name the bastion by its tag Name, as connect2-api-bastion-dev, or its "+
			"instance id with --instance"))
	}
	problem(w.Instance != "" && !strings.HasPrefix(w.Instance, "i-"),
		"instance: %q is not the id of an instance, such as i-0a1b2c3d4e5f60001", w.Instance)
	if w.Secret == "" && w.secret("") == "" {
		problems = append(problems, action.Missing("secret", "name the secret with the address and the login: it does not follow from "+
			"the bastion's name"))
	}
	problem(w.LocalPort < 0 || w.LocalPort > 65535, "local-port: %d is not a port: 1 to 65535, or 0 for a free one", w.LocalPort)
	problem(w.SSHKey == "" && w.SSHHost != "", "ssh-host: it goes with --ssh-key")
	return problems
}

// secret is the name of a store's secret.
func (w Way) secret(store string) string {
	if w.Secret != "" {
		return w.Secret
	}
	project, environment, ok := strings.Cut(w.Bastion, "-bastion-")
	if !ok || project == "" || environment == "" {
		return ""
	}
	return project + "/" + environment + "/" + store + "-credentials"
}

// store is one of the two things behind the bastion.
type store struct{ name, secret, port string }

var stores = map[string]store{
	"database": {"the database", "rds", "5432"},
	"redis":    {"Redis", "redis", "6379"},
}

// tunnel is an open way to a store.
type tunnel struct {
	env      *action.Env
	login    login
	listener net.Listener
	dial     func(ctx context.Context) (io.ReadWriteCloser, error)
	close    func()
	through  string
	clients  sync.WaitGroup
}

// open finds the bastion, reads the secret, opens the way, and listens. Everything that can be known is checked before the session is
// started, or the instance.
func (w Way) open(ctx context.Context, env *action.Env, s store) (*tunnel, error) {
	conn, err := awsconn.Connect(ctx, env, w.Inputs)
	if err != nil {
		return nil, err
	}
	t := &tunnel{env: env}
	b, problem := w.find(ctx, env, conn)
	blocked := problem
	if blocked == nil && w.SSHKey == "" {
		blocked = b.blocker(w.Start)
	}
	t.login, problem = readLogin(ctx, env, conn, w.secret(s.secret), s.port)
	if err := awsconn.Refuse(ctx, "There is no way to "+s.name, blocked, problem); err != nil {
		return nil, err
	}
	if t.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.LocalPort))); err != nil {
		return nil, &action.Error{Outcome: action.Invalid, Title: "The local port cannot be used", Err: err,
			Advice: "Something listens there already: choose another --local-port, or 0 for a free one."}
	}
	if b.state == "stopped" || b.state == "pending" {
		if err := w.wake(ctx, env, conn, b); err != nil {
			t.listener.Close()
			return nil, err
		}
	}
	if w.SSHKey != "" {
		err = t.bySSH(ctx, w, b)
	} else {
		err = t.bySession(ctx, conn, b)
	}
	if err != nil {
		t.listener.Close()
		return nil, err
	}
	return t, nil
}

// find looks for the bastion and for what Systems Manager knows of it.
func (w Way) find(ctx context.Context, env *action.Env, conn *awsconn.Conn) (bastion, error) {
	if w.SSHKey != "" && w.SSHHost != "" {
		return bastion{name: w.SSHHost, state: "running"}, nil
	}
	found, err := w.instances(ctx, conn.Config)
	if err != nil {
		return bastion{}, err
	}
	if w.Instance != "" && len(found) == 1 && found[0].state != "running" && found[0].state != "stopped" && found[0].state != "pending" &&
		found[0].state != "stopping" {
		return bastion{}, fmt.Errorf("instance: %s is %s", w.Instance, found[0].state)
	}
	b, err := choose(found, w.Bastion)
	if err != nil || w.SSHKey != "" {
		return b, err
	}
	b.ping, err = ping(ctx, conn.Config, b.id)
	if awserr.Optional(env.Events, "Whether the bastion's agent is online (it is taken for that, and the session says what it is)", err) {
		b.ping, err = "Online", nil
	}
	return b, err
}

// instances lists those that may be the bastion.
func (w Way) instances(ctx context.Context, cfg aws.Config) (found []bastion, err error) {
	query := url.Values{"InstanceId.1": {w.Instance}}
	if w.Instance == "" {
		query = url.Values{"Filter.1.Name": {"tag:Name"}, "Filter.1.Value.1": {w.Bastion}, "Filter.2.Name": {"instance-state-name"}}
		for i, state := range []string{"pending", "running", "stopping", "stopped"} {
			query.Set("Filter.2.Value."+strconv.Itoa(i+1), state)
		}
	}
	for {
		var page struct {
			Instances []struct {
				ID       string `xml:"instanceId"`
				PublicIP string `xml:"ipAddress"`
				State    string `xml:"instanceState>name"`
			} `xml:"reservationSet>item>instancesSet>item"`
			Next string `xml:"nextToken"`
		}
		if err := awscall.Query(ctx, cfg, awscall.EC2, "DescribeInstances", query, &page); err != nil {
			return nil, err
		}
		for _, i := range page.Instances {
			found = append(found, bastion{id: i.ID, name: w.Bastion, publicIP: i.PublicIP, state: i.State})
		}
		if page.Next == "" {
			return found, nil
		}
		query.Set("NextToken", page.Next)
	}
}

// ping is what Systems Manager says of an instance's agent.
func ping(ctx context.Context, cfg aws.Config, id string) (string, error) {
	in := map[string]any{"Filters": []map[string]any{{"Key": "InstanceIds", "Values": []string{id}}}}
	var out struct {
		InstanceInformationList []struct{ PingStatus string }
	}
	err := awscall.JSON(ctx, cfg, awscall.SSM, "DescribeInstanceInformation", in, &out)
	if err != nil || len(out.InstanceInformationList) == 0 {
		return "", err
	}
	return out.InstanceInformationList[0].PingStatus, nil
}

// wakeTime bounds the wait for an instance that was started.
const wakeTime = 5 * time.Minute

// wake starts the instance, and waits for its agent.
func (w Way) wake(ctx context.Context, env *action.Env, conn *awsconn.Conn, b bastion) error {
	if b.state == "stopped" {
		env.Events.Notef("Starting the bastion %s", b.label())
		if err := awscall.Query(ctx, conn.Config, awscall.EC2, "StartInstances", url.Values{"InstanceId.1": {b.id}}, &struct{}{}); err != nil {
			return awsconn.Refuse(ctx, "The bastion could not be started", err)
		}
	}
	clock := env.Clock()
	for deadline := clock.Now().Add(wakeTime); ; {
		status, err := ping(ctx, conn.Config, b.id)
		switch {
		case err == nil && status == "Online":
			env.Events.Progressf("")
			return nil
		case clock.Now().After(deadline):
			return &action.Error{Outcome: action.TimedOut, Title: "The bastion's agent did not come",
				Err: fmt.Errorf("wait for the agent of Session Manager on %s: it is not online after %v (%s)", b.label(), wakeTime,
					orNone(status, err)),
				Advice: "Look at the instance's status checks, and at its way to ssm and ssmmessages."}
		}
		env.Events.Progressf("waiting for the agent of Session Manager on %s", b.label())
		if err := clock.Sleep(ctx, 3*time.Second); err != nil {
			return err
		}
	}
}

func orNone(status string, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case status == "":
		return "never seen"
	}
	return status
}

// readLogin reads a secret. Its values are hidden in all that is shown from then on.
func readLogin(ctx context.Context, env *action.Env, conn *awsconn.Conn, name, port string) (login, error) {
	var out struct{ SecretString string }
	err := awscall.JSON(ctx, conn.Config, awscall.SecretsManager, "GetSecretValue", map[string]string{"SecretId": name}, &out)
	if err != nil {
		return login{}, fmt.Errorf("read the secret %s: %w", name, err)
	}
	var values map[string]any
	if json.Unmarshal([]byte(out.SecretString), &values) == nil {
		for _, key := range []string{"password", "url"} {
			if value, ok := values[key].(string); ok && value != "" {
				env.Hide(value)
			}
		}
	}
	l, err := parseLogin([]byte(out.SecretString), port)
	if err != nil {
		return login{}, fmt.Errorf("secret %s: %w", name, err)
	}
	if l.Password != "" {
		env.Hide(l.Password)
	}
	return l, nil
}

// bySession forwards by Session Manager. A session that has ended is followed by a new one, for as long as the tunnel is wanted.
func (t *tunnel) bySession(ctx context.Context, conn *awsconn.Conn, b bastion) error {
	open := func(ctx context.Context) (*session.Ports, error) {
		var started struct{ SessionId, StreamUrl, TokenValue *string }
		err := awscall.JSON(ctx, conn.Config, awscall.SSM, "StartSession", map[string]any{
			"Target": b.id, "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost", "Reason": "connect2",
			"Parameters": map[string][]string{"host": {t.login.Host}, "portNumber": {t.login.Port}, "localPortNumber": {"0"}},
		}, &started)
		if err != nil {
			return nil, awserr.Explain(err)
		}
		start := startOf(started.SessionId, started.StreamUrl, started.TokenValue)
		t.env.Hide(start.Token)
		s, err := session.Open(context.WithoutCancel(ctx), start, options(t.env, conn, start.ID,
			map[string]string{"aws:ssm:SessionId": start.ID, "aws:ssm:TargetId": b.id}))
		if err != nil {
			return nil, err
		}
		ports, err := session.NewPorts(s, func() {
			t.env.Events.Warnf("The bastion could not connect", "the bastion %s could not connect to %s: its security group and that of the "+
				"other end have to allow it", b.label(), t.login.address())
		})
		if err != nil {
			s.Close()
		}
		return ports, err
	}
	first, err := open(ctx)
	if err != nil {
		return &action.Error{Outcome: action.Failed, Title: "The session could not be started", Err: fmt.Errorf("start a session on %s: %w",
			b.label(), err)}
	}
	r := &renewed{open: open, tell: t.env.Events.Notef, ports: first}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() { defer close(watched); r.watch(ctx) }()
	t.dial, t.through = r.dial, b.label()
	t.close = func() { cancel(); <-watched; r.close() }
	return nil
}

// renewed is a session that is opened again when it has ended.
type renewed struct {
	open func(ctx context.Context) (*session.Ports, error)
	tell func(format string, args ...any)

	mu    sync.Mutex
	ports *session.Ports // nil after a try that failed
}

// dial opens a connection, on a new session where the old one has ended.
func (r *renewed) dial(ctx context.Context) (io.ReadWriteCloser, error) {
	ports, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	return ports.Dial()
}

func (r *renewed) current(ctx context.Context) (*session.Ports, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ports != nil && r.ports.Err() == nil {
		return r.ports, nil
	}
	if r.ports != nil {
		r.tell("The session has ended (%v): starting another", r.ports.Err())
		_ = r.ports.Close()
		r.ports = nil
	}
	ports, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	r.ports = ports
	return ports, nil
}

// watch opens a new session as soon as one has ended, with longer and longer waits where that fails.
func (r *renewed) watch(ctx context.Context) {
	wait := time.Second
	for {
		r.mu.Lock()
		ports := r.ports
		r.mu.Unlock()
		if ports != nil {
			select {
			case <-ctx.Done():
				return
			case <-ports.Ended():
			}
		}
		if _, err := r.current(ctx); err == nil {
			wait = time.Second
			continue
		} else if ctx.Err() == nil {
			r.tell("A new session could not be started (%v): trying again in %v", err, wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			wait = min(2*wait, 30*time.Second)
		}
	}
}

func (r *renewed) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ports != nil {
		_ = r.ports.Close()
	}
}

// port is the one that the tunnel listens on.
func (t *tunnel) port() string { return strconv.Itoa(t.listener.Addr().(*net.TCPAddr).Port) }

// serve carries connections until the context ends.
func (t *tunnel) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { t.listener.Close() })
	defer stop()
	for {
		local, err := t.listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("listen on %s: %w", t.listener.Addr(), err)
		}
		t.clients.Go(func() {
			remote, err := t.dial(ctx)
			if err != nil {
				t.env.Events.Warnf("No connection", "connect to %s through %s: %v", t.login.address(), t.through, err)
				local.Close()
				return
			}
			end := context.AfterFunc(ctx, func() { local.Close(); remote.Close() })
			defer end()
			session.Join(remote, local)
		})
	}
}

// shut ends the tunnel and what goes through it.
func (t *tunnel) shut() {
	t.listener.Close()
	t.close()
}
