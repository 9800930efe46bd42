package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/diagnose"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/ecsview/health"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/operate"
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
	f := Facts{Area: in.Area, Service: ecsview.SnapshotOf(service)}
	if h := hold.Of(service); h.String() != "" {
		f.Held = strings.TrimSpace(h.String() + " " + h.Why)
	}
	if f.wants("container", "network") {
		if err := f.evidence(ctx, env, conn, in); err != nil {
			return Facts{}, err
		}
	}
	r := reader{ctx, env, conn.Config, image.NewRegistries(conn.Config, conn.Transport).IsECR}
	var definition *types.TaskDefinition
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &f.Service.TaskDefinition})
	if err != nil {
		f.DefinitionErr = r.told("What the task definition names", err)
	} else {
		definition = out.TaskDefinition
	}
	if f.wants("container") && definition != nil {
		f.names(ctx, conn, definition)
		r.tellAll("Whether images are there", f.Images)
		r.tellAll("Whether secrets are there", f.Secrets)
		r.tellAll("Whether log groups are there", f.Groups)
	}
	if f.wants("container") {
		f.Alarms.Is, f.Alarms.Err = operate.Alarms(ctx, conn.Config, in.Cluster, in.Service, ecsview.WatchedAlarms(service))
		f.Alarms.Err = r.told("The state of the alarms", f.Alarms.Err)
	}
	if f.wants("network", "database", "redis") {
		f.Around = r.around(in, f, service, definition)
	}
	if f.wants("delivery") {
		f.Delivery = r.delivery(in, service, definition)
	}
	return f, context.Cause(ctx)
}

// evidence reads the tasks of the current deployment, and their targets.
func (f *Facts) evidence(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (err error) {
	query := diagnose.Query{Cluster: in.Cluster, Service: arn.Last(in.Service), Since: env.Clock().Now().Add(-window), Clock: env.Clock(),
		Snapshot: &f.Service, Events: env.Events}
	if primary := f.Service.Primary(); primary != nil {
		query.Deployment, query.TaskDefinition = primary.ID, primary.TaskDefinition
	}
	// The evidence has the targets of tasks of the last hour alone: those that run for longer are looked at here as well.
	var targets []ecsview.Target
	read := health.Of(elb.NewFromConfig(conn.Config))
	clients := diagnose.Clients{ECS: ecs.NewFromConfig(conn.Config), Logs: cloudwatchlogs.NewFromConfig(conn.Config),
		Health: func(ctx context.Context, group string) ([]ecsview.Target, error) {
			found, err := read(ctx, group)
			targets = append(targets, found...)
			return found, err
		}}
	f.Evidence, err = diagnose.Gather(ctx, clients, query)
	if err != nil {
		return err
	}
	for _, t := range f.Evidence.Tasks {
		if t.Failed() {
			f.Failed++
		}
	}
	if f.Failed > 0 {
		f.Cause = diagnose.Classify(f.Evidence)
	}
	f.Evidence.Targets = targets
	return nil
}

// reader reads what lies around a service. What may not be read is warned of once, and not checked.
type reader struct {
	ctx context.Context
	env *action.Env
	cfg aws.Config

	isECR func(registry string) bool
}

// told warns of a read that is denied, and explains the error of one that failed.
func (r reader) told(what string, err error) error {
	if err == nil {
		return nil
	}
	awserr.Optional(r.env.Events, what, err)
	return awserr.Explain(err)
}

// tellAll warns of looks that are denied.
func (r reader) tellAll(what string, things []Thing) {
	for i := range things {
		things[i].Err = r.told(what, things[i].Err)
	}
}

// around reads the surroundings: what the area needs, and nothing else.
func (r reader) around(in Inputs, f Facts, service types.Service, d *types.TaskDefinition) Surroundings {
	s := Surroundings{Now: r.env.Clock().Now(), Groups: f.Service.TargetGroups,
		Tasks: Party{Name: "the tasks", Sends: ofLinux}}
	if c := service.NetworkConfiguration; c != nil && c.AwsvpcConfiguration != nil {
		s.Tasks.Groups, s.Tasks.Subnets = c.AwsvpcConfiguration.SecurityGroups, c.AwsvpcConfiguration.Subnets
		s.PublicIP = c.AwsvpcConfiguration.AssignPublicIp == types.AssignPublicIpEnabled
	}
	for _, lb := range service.LoadBalancers {
		if port := int(aws.ToInt32(lb.ContainerPort)); port > 0 && !slices.Contains(s.Ports, port) {
			s.Ports = append(s.Ports, port)
		}
	}
	vpc := ""
	err := errors.New("the service names no subnets")
	if len(s.Tasks.Subnets) > 0 {
		vpc, err = vpcOf(r.ctx, r.cfg, s.Tasks.Subnets)
	}
	if err != nil {
		err = r.told("The network around the tasks", err)
		n := &s.Network
		n.Subnets.Err, n.Groups.Err, n.Tables.Err, n.NATs.Err, n.Endpoints.Err, n.ACLs.Err = err, err, err, err, err, err
	} else {
		s.Network = r.network(vpc)
	}
	if f.wants("network") {
		s.Needs = needs(d, r.isECR)
		r.front(in, &s)
	}
	if f.wants("database", "redis") {
		r.stores(in, f, vpc, err, d, &s)
	}
	return s
}

// front reads the load balancer and what leads to it.
func (r reader) front(in Inputs, s *Surroundings) {
	if len(s.Groups) > 0 {
		var err error
		s.Balancer.Is, s.Checks, err = readBalancer(r.ctx, r.cfg, s.Groups)
		s.Balancer.Err = r.told("The load balancer", err)
	}
	if b := s.Balancer.Is; b != nil {
		for i := range b.Listeners {
			for j := range b.Listeners[i].Certificates {
				c := &b.Listeners[i].Certificates[j]
				c.Err = r.told("The certificate of the load balancer", c.Err)
			}
		}
	}
	var err error
	s.Names, err = readNames(r.ctx, r.cfg, hostsOf(in.Host, s.Balancer.Is))
	s.NamesErr = r.told("The records of the service's name", err)
	for i := range s.Names {
		s.Names[i].Err = r.told("The records of the service's name", s.Names[i].Err)
	}
}

// stores reads the database, Redis, the bastion, and what the tasks are told of them.
func (r reader) stores(in Inputs, f Facts, vpc string, vpcErr error, d *types.TaskDefinition, s *Surroundings) {
	var all []told
	s.Uses, all = uses(d)
	if f.wants("database") {
		s.Databases.Err = vpcErr
		if vpcErr == nil || in.Database != "" {
			s.Databases.Is, s.Databases.Err = readDatabases(r.ctx, r.cfg, vpc, in.Database, s.Now)
			s.Databases.Err = r.told("The database", s.Databases.Err)
		}
		for i := range s.Databases.Is {
			st := &s.Databases.Is[i]
			st.FreeErr, st.MaintenanceErr = r.told("The free storage of the database", st.FreeErr), r.told("What AWS has planned", st.MaintenanceErr)
		}
		if in.Database != "" && s.Databases.Err == nil && len(s.Databases.Is) == 0 {
			s.Uses.Database = "--database names " + in.Database
		}
	}
	if f.wants("redis") {
		s.Caches.Err = vpcErr
		if vpcErr == nil || in.Redis != "" {
			s.Caches.Is, s.Caches.Err = readCaches(r.ctx, r.cfg, vpc, in.Redis)
			s.Caches.Err = r.told("Redis", s.Caches.Err)
		}
		if in.Redis != "" && s.Caches.Err == nil && len(s.Caches.Is) == 0 {
			s.Uses.Redis = "--redis names " + in.Redis
		}
	}
	s.Bastion.Is, s.Bastion.Err = readBastion(r.ctx, r.cfg, in.Bastion)
	s.Bastion.Err = r.told("The bastion", s.Bastion.Err)
	if s.Compared = in.ReadSecrets; !s.Compared {
		return
	}
	for _, each := range all {
		stores := map[string]Known[[]Store]{"database": s.Databases, "redis": s.Caches}[each.area]
		if f.wants(each.area) && stores.Err == nil && len(stores.Is) > 0 {
			secret := readSecret(r.ctx, r.cfg, r.env.Hide, each, stores.Is)
			secret.Err = r.told("What the tasks are told", secret.Err)
			s.Secrets = append(s.Secrets, secret)
		}
	}
}

// network reads the network around the tasks.
func (r reader) network(vpc string) Network {
	n := readNetwork(r.ctx, r.cfg, vpc)
	n.Subnets.Err = r.told("The subnets", n.Subnets.Err)
	n.Groups.Err = r.told("The security groups", n.Groups.Err)
	n.Tables.Err = r.told("The route tables", n.Tables.Err)
	n.NATs.Err = r.told("The NAT gateways", n.NATs.Err)
	n.Endpoints.Err = r.told("The endpoints of the VPC", n.Endpoints.Err)
	n.ACLs.Err = r.told("The network ACLs", n.ACLs.Err)
	return n
}

// needs lists the services of AWS that Fargate and the containers ask before and while they run, as their endpoints are called.
func needs(d *types.TaskDefinition, isECR func(registry string) bool) []string {
	if d == nil {
		return nil
	}
	var all []string
	add := func(names ...string) {
		for _, name := range names {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	for _, c := range d.ContainerDefinitions {
		if ref, err := image.ParseReference(aws.ToString(c.Image)); err == nil && isECR(ref.Registry) {
			add("ecr.api", "ecr.dkr", "s3")
		}
		if c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwslogs {
			add("logs")
		}
		for _, s := range c.Secrets {
			if strings.Contains(aws.ToString(s.ValueFrom), ":secretsmanager:") {
				add("secretsmanager")
			} else {
				add("ssm")
			}
		}
	}
	return all
}

// names looks for what the task definition names.
func (f *Facts) names(ctx context.Context, conn *awsconn.Conn, d *types.TaskDefinition) {
	f.Definition = Definition{Name: arn.Revision(aws.ToString(d.TaskDefinitionArn)), ExecutionRole: aws.ToString(d.ExecutionRoleArn)}
	registries := image.NewRegistries(conn.Config, conn.Transport)
	registry, groups := ecr.NewFromConfig(conn.Config), cloudwatchlogs.NewFromConfig(conn.Config)
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
				f.Secrets = append(f.Secrets, lookForSecret(ctx, conn.Config, from, name))
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

func lookForSecret(ctx context.Context, cfg aws.Config, from, container string) Thing {
	t := Thing{Name: arn.Last(secretOf(from)), For: container}
	if !strings.Contains(from, ":secretsmanager:") {
		t.Skipped = "a parameter of Systems Manager, which is not read by this version"
		return t
	}
	id := secretOf(from)
	var out struct{ DeletedDate float64 } // seconds since 1970
	err := awscall.JSON(ctx, cfg, awscall.SecretsManager, "DescribeSecret", map[string]string{"SecretId": id}, &out)
	if err == nil && out.DeletedDate != 0 {
		t.Missing = "is to be deleted since " + time.Unix(int64(out.DeletedDate), 0).UTC().Format("2006-01-02 15:04 MST")
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
		t.Err = err
	}
	return t
}
