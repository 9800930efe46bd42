package sandbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/ecr"
	"github.com/org/connect2/v2/pkg/sandbox/elbv2"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/iam"
)

// releaseTime is the virtual time between two releases of the past: enough for the slowest rollout of the defaults.
const releaseTime = time.Hour

const (
	githubIssuer   = "token.actions.githubusercontent.com"
	githubAudience = "sts.amazonaws.com"
	vpc            = "vpc-0a1b2c3d4e5f60001"
)

// beginning is when the world's history starts: early enough for the releases before the sandbox's own start.
func (s *Sandbox) beginning() time.Time {
	return s.clock.start.UTC().Truncate(time.Millisecond).Add(-time.Duration(max(1, len(s.scenario.Service.Releases))) * releaseTime)
}

// populate fills the world with what the scenario describes and lets its past happen.
func (s *Sandbox) populate() error {
	at := s.beginning()
	s.addIdentities(at)
	balancers := s.addLoadBalancer(at)
	s.logs.CreateGroup(s.scenario.Service.LogGroup, at)
	s.addSecrets(at)
	s.addBastion(at)
	s.addNetwork()
	s.addStores()
	if err := s.addRepository(at); err != nil {
		return err
	}
	if err := s.release(balancers); err != nil {
		return err
	}
	if err := s.addSchedules(); err != nil {
		return err
	}
	for _, name := range s.scenario.Broken {
		plants[name].do(s)
	}
	return nil
}

// role names, made like the others of project and environment.
func (s *Sandbox) roleName(what string) string {
	return s.scenario.Project + "-" + s.scenario.Environment + "-" + what
}

func (s *Sandbox) roleARN(what string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", s.scenario.Account, s.roleName(what))
}

// splitRole takes the path, which begins and ends with a slash, and the name out of a role's ARN.
func splitRole(arn string) (path, name string) {
	_, local, _ := strings.Cut(arn, ":role/")
	cut := strings.LastIndexByte(local, '/') + 1
	return "/" + local[:cut], local[cut:]
}

func (s *Sandbox) addIdentities(at time.Time) {
	var expires time.Time
	if after := time.Duration(s.scenario.Credentials.ExpireAfter); after > 0 {
		expires = s.clock.Now().Add(after)
	}
	s.directory.Providers = []iam.Provider{{Issuer: githubIssuer, Audiences: []string{githubAudience}}}
	s.directory.AddUser(iam.User{Name: "operator", AccessKeyID: AccessKeyID, Expires: expires})
	for name, u := range s.scenario.Users {
		user := iam.User{Name: name, AccessKeyID: u.AccessKey, Expires: expires}
		if u.Policy != nil {
			user.Policy = u.Policy.Policy
		}
		s.directory.AddUser(user)
	}
	tasks := iam.Trust{Services: []string{"ecs-tasks.amazonaws.com"}}
	for _, arn := range []string{s.scenario.Service.ExecutionRole, s.scenario.Service.TaskRole} {
		path, name := splitRole(arn)
		s.directory.AddRole(iam.Role{Name: name, Path: path, Trust: tasks, CreatedAt: at})
	}
	s.directory.AddRole(iam.Role{Name: s.roleName("deploy"), CreatedAt: at, Trust: iam.Trust{
		Principals: []string{"arn:aws:iam::" + s.scenario.Account + ":user/*"},
		Web: []iam.WebTrust{{Provider: githubIssuer, Subjects: []string{"repo:" + s.scenario.GitHub.Repository + ":*"},
			Audience: []string{githubAudience}}},
	}})
	for name, r := range s.scenario.Roles {
		role := iam.Role{Name: name, Path: r.Path, MaxSession: time.Duration(r.MaxSession), CreatedAt: at}
		if r.Policy != nil {
			role.Policy = r.Policy.Policy
		}
		role.Trust.Services, role.Trust.Principals = r.Trust.Services, r.Trust.Principals
		if len(r.Trust.Subjects) > 0 {
			audience := r.Trust.Audience
			if audience == nil {
				audience = []string{githubAudience}
			}
			role.Trust.Web = []iam.WebTrust{{Provider: githubIssuer, Subjects: r.Trust.Subjects, Audience: audience}}
		}
		s.directory.AddRole(role)
	}
}

// addLoadBalancer returns the service's loadBalancers. Where the scenario says how the service is deployed, there is a second
// target group, which blue/green, linear and canary deployments need.
func (s *Sandbox) addLoadBalancer(at time.Time) []object {
	v := s.scenario.Service
	delay := time.Duration(v.DeregisterAfter)
	add := func(name string) string {
		return s.balancing.AddTargetGroup(elbv2.TargetGroup{
			Name: name, VPC: vpc, Path: "/health", Port: v.Port, Interval: time.Duration(v.HealthInterval), DeregistrationDelay: &delay,
		}).ARN
	}
	group := add(v.TargetGroup)
	listener := &elbv2.Listener{Port: 80, Protocol: "HTTP", Default: []elbv2.Weighted{{TargetGroup: group, Weight: 1}}}
	balancer := elbv2.LoadBalancer{
		Name: v.LoadBalancer, VPC: vpc, Subnets: publicSubnets, SecurityGroups: []string{balancerGroup}, CreatedAt: at,
		Listeners: []*elbv2.Listener{listener},
	}
	if s.scenario.Domain.Host != "" {
		listener.Port, listener.Protocol, listener.CertificateARN = 443, "HTTPS", s.certificate()
		balancer.Listeners = append(balancer.Listeners, &elbv2.Listener{Port: 80, Protocol: "HTTP", Redirect: true})
	}
	ours := object{"targetGroupArn": group, "containerName": v.Container, "containerPort": v.Port}
	if v.Deployment == nil {
		s.addDomain(s.balancing.AddLoadBalancer(balancer), at)
		return []object{ours}
	}
	alternate := add(v.TargetGroup + "-2")
	rule := &elbv2.Rule{Priority: 1, Paths: []string{"/*"},
		Forward: []elbv2.Weighted{{TargetGroup: group, Weight: 1}, {TargetGroup: alternate}}}
	listener.Rules = []*elbv2.Rule{rule}
	s.addDomain(s.balancing.AddLoadBalancer(balancer), at)
	ours["advancedConfiguration"] = object{
		"alternateTargetGroupArn": alternate, "productionListenerRule": rule.ARN, "roleArn": s.roleARN("infrastructure"),
	}
	return []object{ours}
}

func (s *Sandbox) addSecrets(at time.Time) {
	host := s.storeHost()
	database := fmt.Sprintf(`{"username":"postgres","password":"sandbox","host":%q,"port":5432,"database":"connect2",`+
		`"url":"postgresql://postgres:sandbox@%s:5432/connect2"}`, host, host)
	s.secrets.Add(s.secretName("rds"), database, at)
	s.secrets.Add(s.secretName("redis"), fmt.Sprintf(`{"host":%q,"port":6379,"url":"redis://%s:6379/0"}`, host, host), at)
	for _, name := range sortedKeys(s.scenario.Secrets) {
		s.secrets.Add(name, string(s.scenario.Secrets[name]), at)
	}
	for _, name := range sortedKeys(s.scenario.Parameters) {
		s.params.Put(name, "String", string(s.scenario.Parameters[name]), at, s.roleARN("deploy"))
	}
}

func (s *Sandbox) secretName(store string) string {
	return s.scenario.Project + "/" + s.scenario.Environment + "/" + store + "-credentials"
}

func (s *Sandbox) findings() []ecr.Finding {
	var out []ecr.Finding
	for _, f := range s.scenario.Repository.Findings {
		or(&f.Repository, s.scenario.Service.Repository)
		out = append(out, ecr.Finding{Repository: f.Repository, Image: f.Image, Name: f.Name, Severity: f.Severity,
			Description: f.Description, URI: f.URI})
	}
	return out
}

// addRepository creates the service's repository with an image for each release of the past; "latest" is the newest.
func (s *Sandbox) addRepository(at time.Time) error {
	r := s.scenario.Repository
	name := s.scenario.Service.Repository
	if err := s.registry.AddRepository(name, ecr.Settings{ScanOnPush: r.ScanOnPush}, at); err != nil {
		return err
	}
	for i, version := range s.scenario.Service.Releases {
		img, err := NewImage(version, nil)
		if err != nil {
			return err
		}
		for _, tag := range []string{version, "latest"} {
			if _, err := s.registry.AddImage(name, tag, img, at.Add(time.Duration(i)*releaseTime)); err != nil {
				return err
			}
		}
	}
	return s.registry.AddRepository(name, ecr.Settings{Mutability: r.Mutability, Exclusions: r.Exclusions, ScanOnPush: r.ScanOnPush}, at)
}

// release makes the cluster and the service and deploys one release after another, each with the time that it needs.
func (s *Sandbox) release(balancers []object) error {
	v := s.scenario.Service
	cluster := s.engine.CreateCluster(v.Cluster)
	cluster.CapacityProviders = []string{"FARGATE", "FARGATE_SPOT"}
	by := fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/terraform", s.scenario.Account, s.roleName("deploy"))
	if *v.Template {
		if _, err := s.register(v.Family+"-template", s.imageURI()+":latest", by); err != nil {
			return err
		}
	}
	if v.Unreleased {
		newborn := s.firstDeployment(v.Family+"-template", balancers)
		newborn.DesiredCount = new(int)
		newborn.Tags = []engine.Tag{{Key: "connect2-first-count", Value: strconv.Itoa(*v.DesiredCount)}}
		if _, err := s.engine.CreateService(cluster, v.Name, newborn, by); err != nil {
			return err
		}
		if err := s.releaseOthers(cluster, "", by); err != nil {
			return err
		}
		s.engine.Advance(s.engine.Now().Add(releaseTime))
	}
	for i, version := range v.Releases {
		found, missing := s.registry.Find(v.Repository + ":" + version)
		if missing != "" {
			return fmt.Errorf("release %s has no image", version)
		}
		arn, err := s.register(v.Family, s.imageURI()+"@"+found.Digest, by)
		if err != nil {
			return err
		}
		if i == 0 {
			_, err = s.engine.CreateService(cluster, v.Name, s.firstDeployment(arn, balancers), by)
		} else {
			err = s.engine.UpdateService(cluster.Service(v.Name), engine.ServiceChange{TaskDefinition: arn})
		}
		if err == nil {
			err = s.releaseOthers(cluster, s.imageURI()+"@"+found.Digest, by)
		}
		if err != nil {
			return err
		}
		s.engine.Advance(s.engine.Now().Add(releaseTime))
	}
	if members, err := v.deployment(); err != nil {
		return err
	} else if found := cluster.Service(v.Name); found != nil && len(members) > 0 { // not before: a pause hook would hold up the past
		if err := s.engine.UpdateService(found, engine.ServiceChange{DeploymentConfiguration: members}); err != nil {
			return fmt.Errorf("service.deployment: %w", err)
		}
	}
	s.engine.Advance(s.clock.Now())
	if s.scenario.Scaling != nil && len(v.Releases) > 0 {
		return s.scaling.Register(v.Cluster, v.Name, s.scenario.Scaling.Min, s.scenario.Scaling.Max, s.clock.Now())
	}
	return nil
}

// releaseOthers deploys an image to the further services of the scenario. Without one they are made as Terraform makes them.
func (s *Sandbox) releaseOthers(cluster *engine.Cluster, image, by string) error {
	for _, name := range sortedKeys(s.scenario.Services) {
		more := s.scenario.Services[name]
		or(&more.Family, name)
		orPointer(&more.DesiredCount, 1)
		register := func(family, image string) (string, error) {
			definition := s.taskDefinition(family, image)
			container := definition["containerDefinitions"].([]object)[0]
			delete(container, "portMappings")
			if more.Container != "" {
				container["name"] = more.Container
			}
			if len(more.Command) > 0 {
				container["command"] = more.Command
			}
			return s.registerDocument(definition, by)
		}
		service := cluster.Service(name)
		if service == nil {
			template, err := register(more.Family+"-template", s.imageURI()+":latest")
			if err != nil {
				return fmt.Errorf("services: %s: %w", name, err)
			}
			first := s.firstDeployment(template, nil)
			first.LoadBalancers, first.HealthCheckGracePeriodSeconds, first.DesiredCount = nil, nil, more.DesiredCount
			if image == "" {
				first.DesiredCount = new(int)
				first.Tags = []engine.Tag{{Key: "connect2-first-count", Value: strconv.Itoa(*more.DesiredCount)}}
			} else if first.TaskDefinition, err = register(more.Family, image); err != nil {
				return fmt.Errorf("services: %s: %w", name, err)
			}
			if _, err := s.engine.CreateService(cluster, name, first, by); err != nil {
				return fmt.Errorf("services: %s: %w", name, err)
			}
			continue
		}
		arn, err := register(more.Family, image)
		if err == nil {
			err = s.engine.UpdateService(service, engine.ServiceChange{TaskDefinition: arn})
		}
		if err != nil {
			return fmt.Errorf("services: %s: %w", name, err)
		}
	}
	return nil
}

// addSchedules makes the schedules of the scenario, each with a role, as Terraform's module does. They run what the service runs now.
func (s *Sandbox) addSchedules() error {
	at := s.clock.Now()
	cluster, err := s.engine.Cluster(s.scenario.Service.Cluster)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(s.scenario.Schedules) {
		v := s.scenario.Schedules[name]
		or(&v.Timezone, "UTC")
		or(&v.Service, s.scenario.Service.Name)
		service := cluster.Service(v.Service)
		if service == nil {
			return fmt.Errorf("schedules: %s: there is no service %s to begin with", name, v.Service)
		}
		runs := service.Spec.Definition
		role := iam.Role{Name: name + "-schedule", Path: "/", Trust: iam.Trust{Services: []string{"scheduler.amazonaws.com"}}, CreatedAt: at}
		s.directory.AddRole(role)
		target := object{
			"Arn": cluster.ARN, "RoleArn": fmt.Sprintf("arn:aws:iam::%s:role/%s", s.scenario.Account, role.Name),
			"EcsParameters": object{
				"TaskDefinitionArn": runs.ARN, "TaskCount": 1, "LaunchType": "FARGATE",
				"NetworkConfiguration": object{"awsvpcConfiguration": object{
					"Subnets": s.scenario.Service.Subnets, "SecurityGroups": s.scenario.Service.SecurityGroups, "AssignPublicIp": "DISABLED",
				}},
			},
		}
		if len(v.Command) > 0 {
			container := runs.Definition.Containers[0].Name
			target["Input"] = string(encode(object{"containerOverrides": []object{{"name": container, "command": v.Command}}}))
		}
		if err := s.scheduler.Add(name, v.Expression, v.Timezone, encode(target), at); err != nil {
			return fmt.Errorf("schedules: %s: %w", name, err)
		}
	}
	return nil
}

// imageURI is the repository as task definitions of the past name it.
func (s *Sandbox) imageURI() string { return s.host + "/" + s.scenario.Service.Repository }

func (s *Sandbox) register(family, image, by string) (arn string, err error) {
	return s.registerDocument(s.taskDefinition(family, image), by)
}

func (s *Sandbox) registerDocument(definition object, by string) (arn string, err error) {
	document, err := json.Marshal(definition)
	if err != nil {
		return "", err
	}
	registered, err := s.engine.RegisterTaskDefinition(document, by)
	if err != nil {
		return "", err
	}
	return registered.ARN, nil
}

// object is a JSON object whose members are written down here and nowhere read.
type object = map[string]any

func (s *Sandbox) taskDefinition(family, image string) object {
	v := s.scenario.Service
	check := fmt.Sprintf(`import urllib.request as u; u.urlopen("http://localhost:%d/health", timeout=3)`, v.Port)
	definition := object{
		"family": family, "networkMode": "awsvpc", "requiresCompatibilities": []string{"FARGATE"},
		"cpu": fmt.Sprint(v.CPU), "memory": fmt.Sprint(v.Memory),
		"executionRoleArn": v.ExecutionRole, "taskRoleArn": v.TaskRole,
		"containerDefinitions": []object{{
			"name": v.Container, "image": image, "essential": true,
			"portMappings": []object{{"containerPort": v.Port, "protocol": "tcp"}},
			"environment":  []object{{"name": "ENVIRONMENT", "value": s.scenario.Environment}},
			"secrets": []object{
				{"name": "DATABASE_URL", "valueFrom": s.secrets.ARN(s.secretName("rds")) + ":url::"},
				{"name": "REDIS_URL", "valueFrom": s.secrets.ARN(s.secretName("redis")) + ":url::"},
			},
			"healthCheck": object{"command": []string{"CMD", "python", "-c", check}, "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 30},
			"logConfiguration": object{"logDriver": "awslogs", "options": object{
				"awslogs-group": v.LogGroup, "awslogs-region": s.scenario.Region, "awslogs-stream-prefix": "ecs",
			}},
		}},
	}
	if v.ReadOnlyRoot {
		definition["containerDefinitions"].([]object)[0]["readonlyRootFilesystem"] = true
	}
	return definition
}

func (s *Sandbox) firstDeployment(definition string, balancers []object) engine.ServiceChange {
	v := s.scenario.Service
	change := engine.ServiceChange{
		EnableExecuteCommand: encode(v.Execute), TaskDefinition: definition, DesiredCount: v.DesiredCount, LaunchType: "FARGATE",
		HealthCheckGracePeriodSeconds: &v.GracePeriod,
		DeploymentConfiguration: map[string]json.RawMessage{
			"minimumHealthyPercent":    encode(*v.MinimumPercent),
			"maximumPercent":           encode(*v.MaximumPercent),
			"deploymentCircuitBreaker": encode(object{"enable": *v.CircuitBreaker, "rollback": *v.CircuitBreaker && *v.Rollback}),
		},
		NetworkConfiguration: encode(object{"awsvpcConfiguration": object{
			"subnets": v.Subnets, "securityGroups": v.SecurityGroups, "assignPublicIp": "DISABLED",
		}}),
		LoadBalancers: encode(balancers),
	}
	if v.CapacityProvider != "" {
		change.LaunchType = ""
		change.CapacityProviderStrategy = []engine.StrategyItem{{CapacityProvider: v.CapacityProvider, Weight: 1}}
	}
	return change
}
