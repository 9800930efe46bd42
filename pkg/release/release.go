package release

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Release is a release whose parts were checked and not begun. Close frees what its source holds.
type Release struct {
	env       *action.Env
	in        Inputs
	pushes    []push        // none where all images were pushed before
	migration *migrate.Plan // nil where none was asked for
	deploy    deployment
	chosen    project.Chosen

	migratesBy string // by which name the migration's image is pushed, as in sources; "" for that of source
}

// deployment is that of one service, or of several.
type deployment interface {
	SetImages(ctx context.Context, refs map[string]string) error
	CheckLater(name string, has []string) error
	Main(service string) (container, key string)
	Execute(ctx context.Context) (ecsdeploy.Outputs, error)
}

// several reports whether more than one service is released.
func (r *Release) several() bool { return len(r.chosen.Members) > 1 }

// The parts of a release, in its record.
const (
	partPush    = "push"
	partMigrate = "migrate"
	partDeploy  = "deploy"
)

// Prepare checks every part of the release and changes nothing. The problems of all parts are reported together.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Release, error) {
	r := &Release{env: env, in: in}
	var err error
	if r.chosen, err = in.Choose(in.Service); err != nil {
		return nil, awsconn.Refuse(ctx, "Invalid input", err)
	}
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, r.preparePushes(ctx, conn)...)
	err = r.prepareDeployment(ctx, conn)
	note(err)
	if in.Migrate && r.chosen.Migrates == "" {
		note(action.Invalidf("migrate: %s does not say which of its services migrates: write migrate: {service: NAME} there", in.File))
	} else if in.Migrate && err == nil { // a service that cannot be read would be told twice
		migration := in.migration()
		migration.Service = r.chosen.Migrates
		migration.Order = commits.Order{} // the deployment has compared the commits
		migration.Container, migration.Image = r.migrated()
		r.migration, err = migrate.Prepare(ctx, env.Part(partMigrate), conn, migration)
		note(err)
	}
	if r.deploy != nil {
		for _, p := range r.pushes {
			if err := r.deploy.CheckLater(p.name, p.Platforms()); err != nil {
				note(action.Invalidf("%s: %w", inputOf(p.name), err))
			}
		}
	}
	if len(problems) > 0 {
		r.Close()
		return nil, refusal(problems)
	}
	return r, nil
}

// migrated returns the container and the image of the migration: those of the service that migrates, which may be given by name. An image
// that is pushed is set later.
func (r *Release) migrated() (container, image string) {
	container, key := r.deploy.Main(r.chosen.Migrates)
	_, pushed := r.in.Sources[key]
	switch given := r.in.Deploy.Images[key]; {
	case pushed:
		r.migratesBy = key
		return container, ""
	case given != "":
		return container, given
	case r.in.Source == "" && r.in.Image == "":
		return container, ecsdeploy.Running
	}
	return container, r.in.Image
}

// prepareDeployment checks the deployment of the service, or of all of them.
func (r *Release) prepareDeployment(ctx context.Context, conn *awsconn.Conn) error {
	in := r.in.deploy()
	in.OfFile = &r.chosen
	if r.several() {
		all, err := ecsdeploy.PrepareFleet(ctx, r.env, conn, in, r.chosen)
		if err == nil {
			r.deploy = all
		}
		return err
	}
	in.Service = r.chosen.Members[0].Service
	one, err := ecsdeploy.Prepare(ctx, r.env.Part(partDeploy), conn, in)
	if err == nil {
		r.deploy = one
	}
	return err
}

// refusal joins the refusals of several parts. One alone keeps its title and advice.
func refusal(problems []error) error {
	if len(problems) == 1 {
		return problems[0]
	}
	joined := &action.Error{Outcome: action.Invalid, Title: "The release was not started: nothing was changed", Err: errors.Join(problems...)}
	for _, problem := range problems {
		if outcome := action.OutcomeOf(problem); outcome != action.Invalid {
			joined.Outcome = outcome
		}
	}
	return joined
}

// Close frees what the source holds open.
func (r *Release) Close() {
	for _, p := range r.pushes {
		_ = p.Close() // it was only read
	}
}

// Execute pushes, migrates and deploys, in this order, and stops at the first part that fails. The outputs are what is known
// in every case.
func (r *Release) Execute(ctx context.Context) (Outputs, error) {
	var out Outputs
	if r.several() {
		r.env.Events.Fact("Services", record.Text{Text: r.in.Cluster + " / " + r.chosen.String()})
	} else {
		r.env.Events.Fact("Service", record.Text{Text: r.in.Cluster + " / " + r.chosen.Members[0].Service})
	}
	err := r.run(ctx, &out)
	r.env.Events.Fact("Image", record.Text{Text: out.Image, Form: record.Code})
	return out, err
}

func (r *Release) run(ctx context.Context, out *Outputs) error {
	if len(r.pushes) > 0 {
		if err := r.pushImages(ctx, out); err != nil {
			return err
		}
	}
	if r.migration != nil {
		if err := r.migrate(ctx, out); err != nil {
			return err
		}
	}
	return r.deployImage(ctx, out)
}

func (r *Release) migrate(ctx context.Context, out *Outputs) error {
	if r.in.DryRun {
		r.env.Events.Notef("the migration `%s` would run here; a rehearsal runs none", r.in.Migration.Command)
		r.begin(partMigrate)(action.NoChange, nil)
		return nil
	}
	end := r.begin(partMigrate)
	migrated, err := r.migration.Execute(ctx, r.env.Part(partMigrate))
	err = afterChange(err, out.Changed)
	end(migrated.Outcome, err)
	out.ExitCode, out.Cause, out.Image = migrated.ExitCode, migrated.Cause, migrated.Image
	outcome := migrated.Outcome
	if outcome == "" {
		outcome = action.OutcomeOf(err)
	}
	out.Outcome = outcome
	if err == nil {
		out.Changed = true
	}
	return err
}

func (r *Release) deployImage(ctx context.Context, out *Outputs) error {
	if r.in.DryRun && len(r.pushes) > 0 && out.Outcome != action.NoChange {
		r.env.Events.Notef("what is pushed would be deployed to %s here", r.chosen)
		r.begin(partDeploy)(action.NoChange, nil)
		return nil
	}
	end := func(action.Outcome, error) {} // several services begin and end by themselves
	if !r.several() {
		end = r.begin(partDeploy)
	}
	deployed, err := r.deploy.Execute(ctx)
	err = afterChange(err, out.Changed)
	end(deployed.Outcome, err)
	out.Services = deployed.Services
	out.Outcome = deployed.Outcome
	if out.Outcome == action.NoChange && out.Changed {
		out.Outcome = action.Succeeded // the release as a whole did something
	}
	out.Changed = out.Changed || deployed.Changed
	out.TaskDefinitionARN, out.PreviousTaskDefinitionARN = deployed.TaskDefinitionARN, deployed.PreviousTaskDefinitionARN
	out.DeploymentARN, out.Cause = deployed.DeploymentARN, deployed.Cause
	if deployed.Image != "" {
		out.Image, out.Digest = deployed.Image, deployed.Digest
	}
	if err != nil && r.migration != nil {
		return afterMigration(err, deployed)
	}
	return err
}

// afterChange is the error of a part that was refused: that nothing was changed is not true of the release where an earlier
// part did change something.
func afterChange(err error, changed bool) error {
	if !changed || action.OutcomeOf(err) != action.Invalid {
		return err
	}
	return &action.Error{Outcome: action.Failed, Err: err}
}

// afterMigration says what a failed deployment leaves behind once the migrations have run: the schema of the new release, under
// whichever code serves.
func afterMigration(err error, deployed ecsdeploy.Outputs) error {
	serving := "what serves is not known"
	previous := deployed.PreviousTaskDefinitionARN
	failed := slices.Contains([]action.Outcome{action.RolledBack, action.Failed}, action.OutcomeOf(err))
	switch {
	case deployed.Services != nil:
		serving = "what each service serves is said above"
	case failed && strings.HasSuffix(arn.Family(previous), taskdef.TemplateSuffix): // this was the first release
		serving = "no code serves on it yet"
	case failed:
		serving = "serving on it is the code of " + arn.Revision(previous)
	case action.OutcomeOf(err) == action.Superseded:
		serving = "serving on it is what took over"
	}
	return action.Failf(action.OutcomeOf(err),
		"%w\nThe database has the schema of %s, which was not undone; %s. If that code cannot work with it, "+
			"release a fix, or migrate back with the release's image (`connect2 migrate --command 'alembic downgrade …'`)",
		err, deployed.Image, serving)
}

// begin begins a part: a step of the release's own timeline. The function that it returns ends the part with its verdict.
func (r *Release) begin(part string) (end func(action.Outcome, error)) {
	return r.env.Begin(record.Step{ID: part, Name: part}, r.env.Events.Part(part))
}
