package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/image"
)

// window is how far back failed tasks are of interest. ECS itself forgets stopped tasks after about an hour.
const window = time.Hour

// read reads what is judged. Only a service that cannot be read is an error.
func read(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (Facts, error) {
	client := ecs.NewFromConfig(conn.Config)
	service, err := ecsview.Find(ctx, client, in.Cluster, in.Service, hold.Unread(env.Events))
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Service: ecsview.SnapshotOf(service)}
	if h := hold.Of(service); h.String() != "" {
		f.Held = strings.TrimSpace(h.String() + " " + h.Why)
	}
	query := diagnose.Query{Cluster: in.Cluster, Service: arn.Last(in.Service), Since: env.Clock().Now().Add(-window), Clock: env.Clock(),
		Snapshot: &f.Service}
	if primary := f.Service.Primary(); primary != nil {
		query.Deployment, query.TaskDefinition = primary.ID, primary.TaskDefinition
	}
	f.Evidence, err = diagnose.Gather(ctx, diagnose.Clients{ECS: client, Logs: cloudwatchlogs.NewFromConfig(conn.Config),
		ELB: elb.NewFromConfig(conn.Config)}, query)
	if err != nil {
		return Facts{}, err
	}
	for _, t := range f.Evidence.Tasks {
		if t.Failed() {
			f.Failed++
		}
	}
	if f.Failed > 0 {
		f.Cause = diagnose.Classify(f.Evidence)
	}
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &f.Service.TaskDefinition})
	if err != nil {
		f.DefinitionErr = awserr.Explain(err)
		return f, nil
	}
	f.names(ctx, conn, out.TaskDefinition)
	return f, nil
}

// names looks for what the task definition names.
func (f *Facts) names(ctx context.Context, conn *awsconn.Conn, d *types.TaskDefinition) {
	f.Definition = Definition{Name: arn.Revision(aws.ToString(d.TaskDefinitionArn)), ExecutionRole: aws.ToString(d.ExecutionRoleArn)}
	registries := image.NewRegistries(conn.Config, conn.Transport)
	registry, secrets, groups := ecr.NewFromConfig(conn.Config), secretsmanager.NewFromConfig(conn.Config),
		cloudwatchlogs.NewFromConfig(conn.Config)
	seen := map[string]bool{}
	once := func(kind, name string) bool {
		was := seen[kind+name]
		seen[kind+name] = true
		return !was && name != ""
	}
	for _, c := range d.ContainerDefinitions {
		name := aws.ToString(c.Name)
		if once("image", aws.ToString(c.Image)) {
			f.Images = append(f.Images, lookForImage(ctx, registries, registry, aws.ToString(c.Image), name))
		}
		for _, s := range c.Secrets {
			if from := aws.ToString(s.ValueFrom); once("secret", secretOf(from)) {
				f.Secrets = append(f.Secrets, lookForSecret(ctx, secrets, from, name))
				f.needs("secrets")
			}
		}
		if c.LogConfiguration == nil || c.LogConfiguration.LogDriver != types.LogDriverAwslogs {
			continue
		}
		f.needs("logs")
		if group := c.LogConfiguration.Options["awslogs-group"]; once("group", group) {
			f.Groups = append(f.Groups, lookForGroup(ctx, groups, group, name, c.LogConfiguration.Options))
		}
	}
}

func (f *Facts) needs(what string) {
	for _, known := range f.Definition.NeedsRole {
		if known == what {
			return
		}
	}
	f.Definition.NeedsRole = append(f.Definition.NeedsRole, what)
}

func lookForImage(ctx context.Context, registries *image.Registries, client *ecr.Client, written, container string) Thing {
	t := Thing{Name: written, For: container}
	ref, err := image.ParseReference(written)
	if err != nil {
		t.Missing = "is not a reference of an image: " + err.Error()
		return t
	}
	host, _ := image.ParseECRHost(ref.Registry)
	if !registries.IsECR(ref.Registry) {
		t.Skipped = "its registry is not ECR"
		return t
	}
	id := ecrtypes.ImageIdentifier{ImageTag: &ref.Tag}
	if ref.Digest != "" {
		id = ecrtypes.ImageIdentifier{ImageDigest: &ref.Digest}
	}
	in := &ecr.DescribeImagesInput{RepositoryName: &ref.Repository, ImageIds: []ecrtypes.ImageIdentifier{id}}
	if host.Account != "" {
		in.RegistryId = &host.Account
	}
	_, err = client.DescribeImages(ctx, in, func(o *ecr.Options) {
		if host.Region != "" {
			o.Region = host.Region
		}
	})
	return missing(t, err, "is not in ECR any more")
}

// secretOf is the ARN or name of a secret without the key, stage and version that may follow.
func secretOf(from string) string {
	if parts := strings.Split(from, ":"); strings.HasPrefix(from, "arn:") && len(parts) > 7 {
		return strings.Join(parts[:7], ":")
	}
	return from
}

func lookForSecret(ctx context.Context, client *secretsmanager.Client, from, container string) Thing {
	t := Thing{Name: arn.Last(secretOf(from)), For: container}
	if !strings.Contains(from, ":secretsmanager:") {
		t.Skipped = "a parameter of Systems Manager, which is not read by this version"
		return t
	}
	id := secretOf(from)
	out, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err == nil && out.DeletedDate != nil {
		t.Missing = "is to be deleted since " + out.DeletedDate.UTC().Format("2006-01-02 15:04 MST")
		return t
	}
	return missing(t, err, "does not exist")
}

func lookForGroup(ctx context.Context, client *cloudwatchlogs.Client, group, container string, options map[string]string) Thing {
	t := Thing{Name: group, For: container}
	if options["awslogs-create-group"] == "true" {
		t.Skipped = "it is made when the first container starts"
		return t
	}
	elsewhere := func(o *cloudwatchlogs.Options) {
		if region := options["awslogs-region"]; region != "" {
			o.Region = region
		}
	}
	out, err := client.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &group}, elsewhere)
	if err != nil {
		return missing(t, err, "does not exist")
	}
	for _, g := range out.LogGroups {
		if aws.ToString(g.LogGroupName) == group {
			return t
		}
	}
	t.Missing = "does not exist"
	return t
}

// missing turns the error of a look into what it says of the thing: that it is not there, or that it is not known.
func missing(t Thing, err error, words string) Thing {
	var noImage *ecrtypes.ImageNotFoundException
	switch {
	case err == nil:
	case errors.As(err, &noImage), awserr.IsNotFound(err):
		t.Missing = words
	default:
		t.Err = awserr.Explain(err)
	}
	return t
}
