package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// ecsClient is the part of the ECS API that a migration needs.
type ecsClient interface {
	oneoff.ECS
	taskdef.Client
	ecsview.Services
}

// clients are the APIs that a migration calls.
type clients struct {
	ecs      ecsClient
	logs     diagnose.Logs
	registry interface {
		Resolve(context.Context, image.Reference) (image.Descriptor, error)
	}
}

// Plan is a checked migration: what Execute will run, and where.
type Plan struct {
	clients   clients
	cluster   string
	service   string
	family    string // of the migration's own task definition
	current   string // ARN of the revision that the service is at
	container string
	command   []string
	timeout   time.Duration
	settings  oneoff.Settings
	spot      bool      // the service runs on Spot, and the migration will not
	hold      hold.Hold // what the service was rolled back from; zero where it is overridden

	base     *taskdef.Revision // the template, or the service's revision where there is none
	existing *taskdef.Revision // the newest revision of the migration's family; nil if there is none
	image    image.Reference   // with its digest; zero until it is known
}

// Prepare checks everything that can be checked without changing anything. Its error reports all problems together, with the
// outcome Invalid. Inputs without an image are accepted: then SetImage has to be called before Execute.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Plan, error) {
	registries := image.NewRegistries(conn.Config, conn.Transport)
	registries.Mask = env.Hide
	return prepare(ctx, env, clients{ecs: ecs.NewFromConfig(awsconn.Patient(conn.Config, in.Timeout)),
		logs:     cloudwatchlogs.NewFromConfig(conn.Config),
		registry: registries}, in)
}

func prepare(ctx context.Context, env *action.Env, c clients, in Inputs) (*Plan, error) {
	p := &Plan{clients: c, cluster: in.Cluster, service: in.Service, timeout: in.Timeout}
	var problems []error
	add := func(errs ...error) { problems = append(problems, errs...) }
	words, err := taskdef.SplitCommand(in.Command)
	if err != nil {
		add(fmt.Errorf("command: %w", err))
	}
	p.command = words
	service, err := ecsview.Find(ctx, c.ecs, in.Cluster, in.Service, hold.Unread(env.Events))
	add(err)
	if err == nil {
		if !in.OverrideHold {
			p.hold = hold.Of(service)
		}
		add(p.settle(service)...)
		if err := p.findBase(ctx, aws.ToString(service.TaskDefinition)); err != nil {
			add(err)
		} else {
			add(p.refuseOlder(ctx, env, in, aws.ToString(service.TaskDefinition)))
			add(p.chooseContainer(in.Container), p.findExisting(ctx), p.refuseIfBusy(ctx, env))
			if in.Image != "" && p.container != "" {
				add(p.SetImage(ctx, in.Image))
			}
		}
	}
	return p, refuse(ctx, problems)
}

// settle copies the settings of the service.
func (p *Plan) settle(service types.Service) (problems []error) {
	p.settings, p.spot = oneoff.SettingsOf(service).OnDemand()
	if p.settings.LaunchType == types.LaunchTypeExternal {
		problems = append(problems, fmt.Errorf("service: %s runs on machines of your own (EXTERNAL), where this action cannot choose one "+
			"for a migration", p.service))
	}
	if p.settings.Fargate() && p.settings.Network == nil {
		problems = append(problems, fmt.Errorf("service: %s has no network configuration that a task on Fargate could use", p.service))
	}
	return problems
}

// findBase finds the task definition that the migration is rendered from: the newest revision of NAME-template, where NAME is
// the family of the service's revision; where there is no template, that revision itself.
func (p *Plan) findBase(ctx context.Context, current string) error {
	p.current = current
	name := strings.TrimSuffix(arn.Family(current), taskdef.TemplateSuffix)
	p.family = name + "-migrate"
	base, err := taskdef.Describe(ctx, p.clients.ecs, name+taskdef.TemplateSuffix)
	if errors.Is(err, taskdef.ErrNotFound) {
		base, err = taskdef.Describe(ctx, p.clients.ecs, current)
	}
	if err != nil {
		return awserr.Explain(err)
	}
	p.base = base
	return nil
}

// chooseContainer finds the container that runs the command.
func (p *Plan) chooseContainer(wanted string) error {
	name, err := p.base.Document.Container(wanted)
	if err != nil {
		return fmt.Errorf("container: %w", err)
	}
	var containers []struct {
		Name      string `json:"name"`
		Essential *bool  `json:"essential"`
	}
	p.base.Document.Field("containerDefinitions", &containers)
	for _, c := range containers {
		if c.Name == name && c.Essential != nil && !*c.Essential {
			return fmt.Errorf("container: %s is not essential in %s, so that the task would go on after its command has ended; name an "+
				"essential container", name, p.base.Name())
		}
	}
	p.container = name
	return nil
}

// findExisting finds what the migration's family holds already.
func (p *Plan) findExisting(ctx context.Context) error {
	existing, err := taskdef.Describe(ctx, p.clients.ecs, p.family)
	if errors.Is(err, taskdef.ErrNotFound) {
		return nil
	}
	if err != nil {
		return awserr.Explain(err)
	}
	p.existing = existing
	return nil
}

// refuseIfBusy looks for a migration of the service that is still running. Waiting for it would be the wrong help: the runs
// that collide are of different releases more often than not, and which of them is to win is not ours to guess.
func (p *Plan) refuseIfBusy(ctx context.Context, env *action.Env) error {
	running, err := oneoff.Running(ctx, p.clients.ecs, p.cluster, p.family)
	switch {
	case awserr.Optional(env.Events, "Whether another migration is running", err):
		return nil
	case err != nil:
		return awserr.Explain(err)
	case len(running) > 0:
		return busyError(p.cluster, p.service, running[0])
	}
	return nil
}

func busyError(cluster, service, arn string) error {
	return fmt.Errorf("a migration of %s is running already: %w; wait for it to end, or stop it: `aws ecs stop-task --cluster %s --task %s`",
		service, &oneoff.BusyError{TaskARN: arn}, cluster, arn)
}

// running is what the input image says for the image that runs.
const running = "running"

// SetImage sets the image of the migration, in any form that the input takes, and resolves it to its digest. The image must
// exist. It changes nothing.
func (p *Plan) SetImage(ctx context.Context, written string) error {
	if written == running {
		revision, err := taskdef.Describe(ctx, p.clients.ecs, p.current)
		if err != nil {
			return fmt.Errorf("image: %w", err)
		}
		if written = revision.Document.Image(p.container); written == "" {
			return fmt.Errorf("image: %s runs none in container %s", revision.Name(), p.container)
		}
	}
	own := p.base.Document.Image(p.container)
	if image.IsPlaceholder(own) {
		if revision, err := taskdef.Describe(ctx, p.clients.ecs, p.current); err == nil {
			own = revision.Document.Image(p.container)
		}
	}
	ref, err := image.Complete(written, own)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	resolved, err := p.clients.registry.Resolve(ctx, ref)
	if err != nil {
		return fmt.Errorf("image: %w", awserr.Explain(err))
	}
	if err := p.base.Document.CheckPlatforms(resolved.Platforms); err != nil {
		return fmt.Errorf("image: %s: %w", resolved.Reference, err)
	}
	p.image = resolved.Reference
	if err := p.refuseHeld(); err != nil {
		return err
	}
	_, err = p.document()
	return err
}

// refuseHeld refuses an image that the service was rolled back from.
func (p *Plan) refuseHeld() error {
	err := p.hold.Refuse(p.service, p.image.Digest)
	var held *record.Failure
	if !errors.As(err, &held) {
		return err
	}
	return &action.Error{Outcome: action.Invalid, Title: held.Title, Err: err,
		Advice: "Choose another image; or go on in spite of the hold with override-hold: true."}
}

// document renders the task definition of the migration.
func (p *Plan) document() (taskdef.Document, error) {
	d, err := p.base.Document.WithFamily(p.family).WithImage(p.container, p.image.String())
	if err != nil {
		return taskdef.Document{}, fmt.Errorf("container: %w", err)
	}
	return d.ForOneRun(p.container).Registrable(), nil
}

// refuse is the error for all problems, or nil.
func refuse(ctx context.Context, problems []error) error {
	title := "The migration was not started: nothing was changed"
	var busy *oneoff.BusyError
	if errors.As(errors.Join(problems...), &busy) {
		title = "Another migration of this service is running"
	}
	return awsconn.Refuse(ctx, title, problems...)
}
