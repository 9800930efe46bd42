package reach

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/term"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/session"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Exec is `connect2 exec`.
var Exec = action.Define(action.Meta{
	Name:        "exec",
	Description: "Run a command in a container of a running task, with a terminal and with its exit code",
	Doc: "It goes by ECS Exec and speaks the protocol of Session Manager itself: no plugin has to be installed. In a terminal the command " +
		"has one too, of the same size. It ends with the command's own exit code, without a terminal as well, which ECS Exec by itself does " +
		"not pass on; if the command could not be run, with the codes below. The container needs sh.\n\n" +
		"What keeps it from working is reported before it is tried: ECS Exec off at the service, or when the task was started, the agent not " +
		"running, a task role without ssmmessages, a read-only root filesystem.",
	Examples: []action.Example{
		{Title: "A shell", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev -- sh"},
		{Title: "A migration by hand", Args: "--cluster connect2-api-cluster-dev --service connect2-api-service-dev -- alembic upgrade head"},
	},
}, RunExec)

// ExecInputs are what exec can be told.
type ExecInputs struct {
	awsconn.Inputs `group:"AWS"`
	Cluster        string   `input:"cluster" required:"true" doc:"The ECS cluster: name or ARN."`
	Service        string   `input:"service" doc:"The ECS service, by name or ARN; its newest task that can take a command is used."`
	Task           string   `input:"task" doc:"The task, by id or ARN, instead of the service's newest."`
	Container      string   `input:"container" doc:"The container. Empty: the main one."`
	Command        []string `input:"command" required:"true" arg:"CMD [ARG ...]" rest:"true" doc:"What to run, word by word; no shell interprets it, unless the command is one."`
}

// Validate says what is wrong with the inputs together.
func (in ExecInputs) Validate() []error {
	problems := in.Inputs.Validate()
	if in.Service == "" && in.Task == "" {
		problems = append(problems, action.Missing("service", "name the service, or a task with --task"))
	}
	return problems
}

// ExecOutputs are what came of it.
type ExecOutputs struct {
	action.Outputs
	Task     string `output:"task" doc:"The id of the task."`
	ExitCode *int   `output:"exit-code" doc:"The command's exit code; empty if its end was not seen."`
}

// RunExec runs the command.
func RunExec(ctx context.Context, env *action.Env, in ExecInputs) (ExecOutputs, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return ExecOutputs{}, err
	}
	e := executor{env: env, conn: conn, in: in, ecs: ecs.NewFromConfig(conn.Config)}
	place, err := e.find(ctx)
	if err != nil {
		return ExecOutputs{}, awsconn.Refuse(ctx, "No container to run the command in", err)
	}
	if place.unchecked != nil {
		env.Events.Notef("What the task role may do was not checked: %v", awserr.Explain(place.unchecked))
	}
	if problems := place.blockers(); len(problems) > 0 {
		return ExecOutputs{}, awsconn.Refuse(ctx, "The command cannot be run", problems...)
	}
	out := ExecOutputs{Task: place.task}
	code, err := e.run(ctx, place)
	if err != nil {
		return out, err
	}
	out.ExitCode, out.Outcome = &code, action.Succeeded
	if env.Exit != nil {
		*env.Exit = code
	}
	return out, nil
}

type executor struct {
	env  *action.Env
	conn *awsconn.Conn
	in   ExecInputs
	ecs  *ecs.Client
}

// find looks at the task and the container.
func (e executor) find(ctx context.Context) (container, error) {
	c := container{}
	var tasks []string
	if e.in.Service != "" {
		service, err := ecsview.Find(ctx, e.ecs, e.in.Cluster, e.in.Service)
		if err != nil {
			return c, err
		}
		c.service, c.turnedOn = aws.ToString(service.ServiceName), service.EnableExecuteCommand
	}
	if e.in.Task != "" {
		tasks = []string{e.in.Task}
	} else {
		var err error
		if tasks, err = ecsview.ListTasks(ctx, e.ecs, e.in.Cluster, e.in.Service, types.DesiredStatusRunning); err != nil {
			return c, err
		}
		if len(tasks) == 0 {
			return c, fmt.Errorf("service: %s has no running task to run a command in", e.in.Service)
		}
	}
	out, err := e.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &e.in.Cluster, Tasks: tasks[:min(len(tasks), 100)]})
	if err != nil {
		return c, err
	}
	if len(out.Tasks) == 0 {
		return c, fmt.Errorf("task: there is no task %s in cluster %s, or it has stopped more than an hour ago", arn.Last(tasks[0]), e.in.Cluster)
	}
	task := slices.MaxFunc(out.Tasks, func(a, b types.Task) int { return better(a, b) })
	c.task, c.status, c.enabled = arn.Last(aws.ToString(task.TaskArn)), aws.ToString(task.LastStatus), task.EnableExecuteCommand
	revision, err := taskdef.Describe(ctx, e.ecs, aws.ToString(task.TaskDefinitionArn))
	if err != nil {
		return c, err
	}
	if c.name, err = revision.Document.Container(e.in.Container); err != nil {
		return c, err
	}
	c.settings(revision.Document)
	if task.Overrides != nil && aws.ToString(task.Overrides.TaskRoleArn) != "" {
		c.role = *task.Overrides.TaskRoleArn
	}
	for _, there := range task.Containers {
		if aws.ToString(there.Name) != c.name {
			continue
		}
		c.running, c.runtime = aws.ToString(there.LastStatus) == "RUNNING", aws.ToString(there.RuntimeId)
		for _, agent := range there.ManagedAgents {
			if agent.Name == types.ManagedAgentNameExecuteCommandAgent {
				c.agent, c.reason = aws.ToString(agent.LastStatus), aws.ToString(agent.Reason)
			}
		}
	}
	if c.role != "" {
		c.denied, c.unchecked = denials(ctx, iam.NewFromConfig(e.conn.Config), c.role)
	}
	return c, nil
}

// settings reads what the task definition says.
func (c *container) settings(document taskdef.Document) {
	var containers []struct {
		Name     string `json:"name"`
		ReadOnly bool   `json:"readonlyRootFilesystem"`
	}
	if document.Field("containerDefinitions", &containers) {
		for _, d := range containers {
			if d.Name == c.name {
				c.readOnly = d.ReadOnly
			}
		}
	}
	c.role = document.TaskRole()
}

// better compares two tasks: which of them a command should rather run in.
func better(a, b types.Task) int {
	rank := func(t types.Task) int {
		n := 0
		if aws.ToString(t.LastStatus) == "RUNNING" {
			n += 4
		}
		if t.EnableExecuteCommand {
			n += 2
		}
		if t.HealthStatus != types.HealthStatusUnhealthy {
			n++
		}
		return n
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return aws.ToTime(a.StartedAt).Compare(aws.ToTime(b.StartedAt))
}

// denials asks IAM which of the agent's calls the role may not make.
func denials(ctx context.Context, client iam.SimulatePrincipalPolicyAPIClient, role string) ([]string, error) {
	out, err := client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &role, ActionNames: messages})
	if err != nil {
		return nil, err
	}
	var denied []string
	for _, r := range out.EvaluationResults {
		if r.EvalDecision != iamtypes.PolicyEvaluationDecisionTypeAllowed {
			denied = append(denied, aws.ToString(r.EvalActionName))
		}
	}
	return denied, nil
}

// run starts the session and stays with it until the command has ended.
func (e executor) run(ctx context.Context, place container) (code int, err error) {
	in, out := int(os.Stdin.Fd()), int(os.Stdout.Fd())
	typed := term.IsTerminal(in) && term.IsTerminal(out)
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	watch := &sentinel{token: "connect2-" + hex.EncodeToString(secret[:]), plain: !typed}
	started, err := e.ecs.ExecuteCommand(ctx, &ecs.ExecuteCommandInput{
		Cluster: &e.in.Cluster, Task: &place.task, Container: &place.name, Interactive: true,
		Command: aws.String(script(watch.token, e.in.Command, !typed)),
	})
	if err != nil {
		return 0, awsconn.Refuse(ctx, "The command could not be started", err)
	}
	start := startOf(started.Session.SessionId, started.Session.StreamUrl, started.Session.TokenValue)
	e.env.Hide(start.Token)
	e.env.Events.Notef("Running in container %s of task %s (session %s)", place.name, place.task, start.ID)
	s, err := session.Open(context.WithoutCancel(ctx), start, options(e.env, e.conn, start.ID,
		map[string]string{"aws:ssm:SessionId": start.ID, "aws:ssm:TargetId": fmt.Sprintf("ecs:%s_%s_%s", arn.Last(e.in.Cluster), place.task,
			place.runtime)}))
	if err != nil {
		return 0, &action.Error{Outcome: action.Unknown, Title: "The session could not be opened", Err: err,
			Advice: "The command may have been started: look at the task before running it again."}
	}
	defer s.Close()
	release := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		s.Terminate(bounded)
		s.End(context.Cause(ctx))
	})
	defer release()
	if typed {
		before, err := term.MakeRaw(in)
		if err == nil {
			defer func() { _ = term.Restore(in, before) }()
		}
	}
	e.terminal(s, out)
	if err := e.show(s, watch, typed); err != nil && !watch.ended {
		return 0, unseen(ctx, watch, err)
	}
	return watch.code, nil
}

func startOf(id, url, token *string) session.Start {
	return session.Start{ID: aws.ToString(id), URL: aws.ToString(url), Token: aws.ToString(token)}
}

// unseen explains a session that ended before the command's exit code came.
func unseen(ctx context.Context, watch *sentinel, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !watch.begun {
		return &action.Error{Outcome: action.Failed, Title: "The command was not run",
			Err:    fmt.Errorf("the session ended before the command began: %w", err),
			Advice: "The container needs sh: an image without a shell takes no commands by this way."}
	}
	return &action.Error{Outcome: action.Unknown, Title: "The command's end was not seen",
		Err:    fmt.Errorf("the session ended while it ran: %w", err),
		Advice: "It may have gone on, or have ended: look before running it again."}
}

// terminal tells the agent the size of the terminal, and each change of it. Where there is none, it is one that breaks no lines.
func (e executor) terminal(s *session.Session, out int) {
	columns, rows, err := term.GetSize(out)
	if err != nil {
		_ = s.Resize(300, 100) // as AWS's client does
		return
	}
	_ = s.Resize(columns, rows)
	go func() {
		ticker := time.NewTicker(300 * time.Millisecond) // a signal tells of it too, and not on every system
		defer ticker.Stop()
		for {
			select {
			case <-s.Ended():
				return
			case <-ticker.C:
				if c, r, err := term.GetSize(out); err == nil && (c != columns || r != rows) {
					columns, rows = c, r
					_ = s.Resize(c, r)
				}
			}
		}
	}()
}

// show prints the session's output until the command has ended, and sends it what is typed, or piped, once it has begun.
func (e executor) show(s *session.Session, watch *sentinel, typed bool) error {
	out := e.env.Stdout
	if typed {
		out = os.Stdout // byte by byte, as a terminal wants it
	}
	if out == nil {
		out = io.Discard
	}
	feeding := false
	for !watch.ended {
		m, err := s.Next(context.Background())
		if err != nil {
			_, _ = out.Write(watch.rest())
			return err
		}
		if m.Kind != session.Output && m.Kind != session.StdErr {
			continue
		}
		if _, err := out.Write(watch.filter(m.Payload)); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
		if watch.begun && !feeding {
			feeding = true
			go feed(s, os.Stdin, typed)
		}
	}
	return nil
}

// feed sends the session what comes in. The end of a file is what a terminal calls so.
func feed(s *session.Session, in io.Reader, typed bool) {
	last := byte('\n')
	buffer := make([]byte, session.ChunkSize)
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			last = buffer[n-1]
			if _, err := s.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	if typed {
		return
	}
	end := []byte{4}
	if last != '\n' {
		end = []byte{4, 4} // the first one only sends what the line has
	}
	_, _ = s.Write(end)
}

// options are those of every session.
func options(env *action.Env, conn *awsconn.Conn, id string, about map[string]string) session.Options {
	return session.Options{
		Resume: func(ctx context.Context) (string, error) {
			var out struct{ TokenValue string }
			err := awscall.JSON(ctx, conn.Config, awscall.SSM, "ResumeSession", map[string]string{"SessionId": id}, &out)
			switch {
			case err != nil && (awserr.IsDenied(err) || awserr.IsNotFound(err)):
				return "", fmt.Errorf("%w (%w)", session.ErrEnded, err)
			case err != nil:
				return "", err
			case out.TokenValue == "":
				return "", session.ErrEnded
			}
			env.Hide(out.TokenValue)
			return out.TokenValue, nil
		},
		DataKey: func(ctx context.Context, key string) (plain, sealed []byte, err error) {
			in := map[string]any{"KeyId": key, "NumberOfBytes": 64, "EncryptionContext": about}
			var out struct{ Plaintext, CiphertextBlob []byte }
			if err := awscall.JSON(ctx, conn.Config, awscall.KMS, "GenerateDataKey", in, &out); err != nil {
				return nil, nil, awserr.Explain(err)
			}
			return out.Plaintext, out.CiphertextBlob, nil
		},
		Tell: func(format string, args ...any) { env.Events.Notef(format, args...) },
	}
}
