// Package release is a whole release in one process: push the image, run its migrations if asked, deploy it. Every step is
// checked before the first one changes anything.
package release

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/project"
)

// Action is the root action, and `connect2 release`.
var Action = action.Define(action.Meta{
	Name:        "release",
	Description: "Release an image to Amazon ECS: push it, run its migrations, deploy it, and say why if it fails.",
	Doc: "Push, migrate (only when asked) and deploy in one step and one process, with one set of credentials. All three are " +
		"checked before the first of them changes anything, so a misspelt service is reported before a layer is sent. Without a source the " +
		"image is one that was pushed before. A failure after the migration says which schema the database has and which code serves.\n\n" +
		"With a connect2.yaml that has several services, all of them are released: in the order of `after`, those that do not depend on each " +
		"other at once. When one fails, all that this release has changed go back, each to what it was, unless somebody has changed it since; " +
		"the database never.",
	Icon:  "upload-cloud",
	Color: "orange",
	Examples: []action.Example{
		{Title: "Push, migrate and deploy what docker save wrote", Args: "--source image.tar --repository connect2-api-dev --tags v1.2.3 " +
			"--cluster connect2-api-cluster-dev --service connect2-api-service-dev --migrate"},
		{Title: "Deploy an image that is there already, with its migrations",
			Args: "--image v1.2.3 --cluster connect2-api-cluster-dev --service connect2-api-service-dev --migrate"},
		{Title: "Release all services of a connect2.yaml", Args: "--file connect2.yaml --environment dev --image v1.2.3"},
		{Title: "Push two images, and deploy each to its containers", Args: "--file connect2.yaml --environment dev --tags v1.2.3 " +
			"--sources app=app.tar --sources proxy=proxy.tar"},
		{Title: "Check a release and change nothing", Args: "--source image.tar --repository connect2-api-dev --tags v1.2.3 --cluster " +
			"connect2-api-cluster-dev --service connect2-api-service-dev --migrate --dry-run"},
	},
}, Run)

// Inputs are those of the three parts, and what decides between them. What is declared here is shared with the parts that have
// an input of the same name.
type Inputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	commits.Order
	Cluster    string            `input:"cluster" required:"true" unless:"file" doc:"The ECS cluster: name or ARN."`
	Service    string            `input:"service" required:"true" unless:"file" doc:"The ECS service: name or ARN, or its name in the file. With file and without service: all services of the file."`
	Source     string            `input:"source" path:"read" doc:"The image to push, as ecr-push takes it: a folder or tar with an OCI layout, the output of docker save, docker://NAME, or a registry reference."`
	Sources    map[string]string `input:"sources" path:"read" doc:"Images of more builds or containers to push and deploy, BUILD=SOURCE or CONTAINER=SOURCE lines, each in the same form as source. Each goes to the repository that the file has for the build; without one, to repository, with BUILD- before each tag (except for the first of builds, if source is not given). With or without source."`
	Repository string            `input:"repository" alias:"repo,ecr-repository" doc:"Where to push: an ECR repository's name, URI or ARN. Needed with source and sources."`
	Push       ecrpush.Inputs    `part:"true"`
	Image      string            `input:"image" doc:"Instead of source: the image to deploy, as ecs-deploy takes it (full reference, REPOSITORY@sha256:…, tag or digest; running: the image that runs)."`
	Migrate    bool              `input:"migrate" default:"false" doc:"Run the migrations before the deployment."`
	Migration  migrate.Inputs    `part:"true" rename:"timeout=migrate-timeout" takes:"override-hold"`
	Container  string            `input:"container" alias:"container-name" doc:"The container that gets the image. Empty: the only one, or the only essential one."`
	Deploy     ecsdeploy.Inputs  `part:"true" rename:"command=container-command"`
	DryRun     bool              `input:"dry-run" default:"false" doc:"Check everything and print what would change, but change nothing."`
}

// Excluded names the inputs of the parts that a release does not have, with the reason of each.
func (Inputs) Excluded() map[string]string {
	return map[string]string{
		"Deploy.queue":         "a release waits for nothing: a roll-out that may wait is one of ecs-deploy alone",
		"Deploy.render-only":   "a release deploys: the document alone is written by ecs-deploy",
		"Deploy.register-only": "a release deploys: a revision alone is registered by ecs-deploy",
		"Push.if-absent":       "a source that is not there leaves a release nothing to deploy: it is a failure",
	}
}

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	var problems []error
	pushes := in.Repository != "" || len(in.Push.Tags) > 0 || in.Push.CreateRepository || in.Push.Platform != "" ||
		in.Push.MountFrom != "" || in.Push.Compression != "" || len(in.Push.Also) > 0 ||
		in.Push.SOCI || in.Push.Referrers != "" || len(in.Push.Attach) > 0 || in.Push.VerifySignature != "" ||
		in.Push.Scan != "" && in.Push.Scan != "off"
	switch {
	case !in.pushes() && in.Image == "":
		problems = append(problems, errors.New("source: neither source nor image is given: one of them says what is released"))
	case in.Source != "" && in.Image != "":
		problems = append(problems, errors.New("image: given together with source: source is pushed and deployed, image was pushed before"))
	case in.pushes() && in.Repository == "":
		problems = append(problems, action.Missing("repository", "source needs a repository to be pushed to"))
	case !in.pushes() && pushes:
		problems = append(problems,
			errors.New("repository, also, tags, platform, compression, create-repository, mount-from, scan, soci, referrers, attach, "+
				"verify-signature: "+
				"they belong to source, which is not given"))
	}
	if in.pushes() {
		problems = append(problems, in.checkSources()...) // holds those of the connection too
	} else {
		problems = append(problems, in.Inputs.Validate()...)
	}
	deploy := in.deploy()
	deploy.Inputs = awsconn.Inputs{}
	deploy.ImageLater = deploy.ImageLater || !in.pushes() && in.Image == "" // that there is none is told by then
	problems = append(problems, deploy.Validate()...)
	if in.Migrate {
		migration := in.migration()
		migration.Inputs, migration.Order, migration.Selection = awsconn.Inputs{}, commits.Order{}, project.Selection{}
		problems = append(problems, migration.Validate()...)
	}
	return problems
}

func (in Inputs) push() ecrpush.Inputs {
	action.Share(&in)
	return in.Push
}

func (in Inputs) migration() migrate.Inputs {
	action.Share(&in)
	return in.Migration
}

func (in Inputs) deploy() ecsdeploy.Inputs {
	action.Share(&in)
	in.Deploy.ImageLater, in.Deploy.ImagesLater = in.Source != "", slices.Sorted(maps.Keys(in.Sources))
	return in.Deploy
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	Digest                    string `output:"digest" doc:"The digest of the image."`
	Image                     string `output:"image" doc:"The image, pinned to its digest. If the account id is masked, GitHub blanks it as a job output: pass digest between jobs instead."`
	Images                    string `output:"images" doc:"The images of sources, pinned to their digests: BUILD=IMAGE lines as the input images takes them. If the account id is masked, GitHub blanks it as a job output."`
	ExitCode                  *int   `output:"exit-code" doc:"Exit code of the migration; empty if none ran."`
	TaskDefinitionARN         string `output:"task-definition-arn" doc:"The revision that was deployed, or that is in force already."`
	PreviousTaskDefinitionARN string `output:"previous-task-definition-arn" doc:"The revision that ran before."`
	DeploymentARN             string `output:"deployment-arn" doc:"The service deployment, if the account has that API."`
	Changed                   bool   `output:"changed" doc:"Whether anything was pushed or deployed."`
	Cause                     string `output:"cause" doc:"Why the release failed, as a stable word such as image-not-found; empty otherwise."`

	Services json.RawMessage `output:"services" doc:"With several services: a JSON list of the name, service, outcome and revision in force of each; otherwise empty."`
}

// Run releases.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	in.DryRun = in.DryRun || in.Deploy.VerifiesOnly()
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return Outputs{}, err
	}
	r, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	defer r.Close()
	return r.Execute(ctx)
}
