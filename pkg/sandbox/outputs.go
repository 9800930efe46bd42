package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// outputs are the outputs of an environment that shape a world. Others are left alone.
type outputs struct {
	Cluster       string `json:"cluster_name"`
	Service       string `json:"service_name"`
	Container     string `json:"container_name"`
	Repository    string `json:"repository_name"`
	Template      string `json:"template_family"`
	LogGroup      string `json:"log_group_name"`
	ExecutionRole string `json:"execution_role_arn"`
	TaskRole      string `json:"task_role_arn"`
	PushRole      string `json:"push_role_arn"`   // null without service repositories
	DeployRole    string `json:"deploy_role_arn"` // null without service repositories
	TargetGroup   string `json:"target_group_arn"`
	Database      string `json:"database_secret_arn"`
	Redis         string `json:"redis_secret_arn"`
	Released      bool   `json:"released"`
	Differences   struct {
		Tasks     string `json:"fargate_tasks"` // "2" or "2-6"
		CPUMemory string `json:"cpu_memory"`    // "256/512"
		Spot      bool   `json:"spot"`
	} `json:"differences"`
}

// LoadOutputs reads a file with what `terraform output -json` prints in an environment, and has the scenario describe that
// environment; see AddOutputs.
func (s *Scenario) LoadOutputs(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	if err := s.AddOutputs(text); err != nil {
		return fmt.Errorf("outputs %s: %w", path, err)
	}
	return nil
}

// AddOutputs fills what the scenario leaves out with the names and sizes of an environment of terraform/modules/environment:
// text is what `terraform output -json` prints there. What the scenario says stands. A service that no release has reached
// (the output released is false) is born without one, unless the scenario has releases. Outputs that are missing or have
// another form than the module gives them are errors, all reported together, and leave the scenario as it was.
func (s *Scenario) AddOutputs(text []byte) error {
	out, err := readOutputs(text)
	if err != nil {
		return err
	}
	var problems []error
	part := func(name, value, pattern string) []string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(value)
		if found == nil {
			problems = append(problems, fmt.Errorf("%s: %q is not of the form that the module environment gives it, %s", name, value, pattern))
			found = make([]string, 10)
		}
		return found
	}
	const role = `^arn:[\w-]+:iam::\d{12}:role/(?:.+/)?[^/]+$`
	group := part("target_group_arn", out.TargetGroup, `^arn:[\w-]+:elasticloadbalancing:([^:]+):(\d{12}):targetgroup/((.+)-(?:blue|green))/[0-9a-z]+$`)
	family := part("template_family", out.Template, `^(.+)-template$`)
	database := part("database_secret_arn", out.Database, `^arn:[\w-]+:secretsmanager:[^:]+:\d{12}:secret:(.+)/([^/]+)/rds-credentials-\w{6}$`)
	part("redis_secret_arn", out.Redis, `:secret:`+regexp.QuoteMeta(database[1]+"/"+database[2])+`/redis-credentials-\w{6}$`)
	part("execution_role_arn", out.ExecutionRole, role)
	part("task_role_arn", out.TaskRole, role)
	tasks := part("differences.fargate_tasks", out.Differences.Tasks, `^(\d+)(?:-\d+)?$`)
	size := part("differences.cpu_memory", out.Differences.CPUMemory, `^(\d+)/(\d+)$`)
	for name, value := range map[string]string{
		"cluster_name": out.Cluster, "service_name": out.Service, "container_name": out.Container,
		"repository_name": out.Repository, "log_group_name": out.LogGroup,
	} {
		part(name, value, `.`)
	}
	roles := map[string]RoleScenario{}
	for name, arn := range map[string]string{"push_role_arn": out.PushRole, "deploy_role_arn": out.DeployRole} {
		if arn != "" {
			found := part(name, arn, `:role(/(?:.+/)?)([^/]+)$`)
			roles[found[2]] = s.deliveryRole(found[1], group[2], database[1])
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}

	or(&s.Account, group[2])
	or(&s.Region, group[1])
	or(&s.Project, database[1])
	or(&s.Environment, database[2])
	v := &s.Service
	or(&v.Cluster, out.Cluster)
	or(&v.Name, out.Service)
	or(&v.Family, family[1])
	or(&v.Repository, out.Repository)
	or(&v.Container, out.Container)
	or(&v.LogGroup, out.LogGroup)
	or(&v.TargetGroup, group[3])
	or(&v.LoadBalancer, group[4])
	or(&v.ExecutionRole, out.ExecutionRole)
	or(&v.TaskRole, out.TaskRole)
	or(&v.CPU, number(size[1]))
	or(&v.Memory, number(size[2]))
	orPointer(&v.DesiredCount, number(tasks[1]))
	provider := "FARGATE"
	if out.Differences.Spot {
		provider = "FARGATE_SPOT"
	}
	or(&v.CapacityProvider, provider)
	if !out.Released && len(v.Releases) == 0 {
		v.Unreleased = true
	}
	for name, r := range roles {
		if _, ok := s.Roles[name]; !ok {
			if s.Roles == nil {
				s.Roles = map[string]RoleScenario{}
			}
			s.Roles[name] = r
		}
	}
	return nil
}

// deliveryRole is a role of the workflows: GitHub's tokens of the scenario's repository may take it, and the account's users,
// which is how it is tried out without GitHub. The outputs do not have its policy, so that it may do everything.
func (s *Scenario) deliveryRole(path, account, project string) RoleScenario {
	r := RoleScenario{Path: path}
	repository := s.GitHub.Repository
	or(&repository, "org/"+project)
	r.Trust.Subjects = []string{"repo:" + repository + ":*"}
	r.Trust.Principals = []string{"arn:aws:iam::" + account + ":user/*"}
	return r
}

// readOutputs takes the values out of {"NAME": {"sensitive": …, "type": …, "value": …}}.
func readOutputs(text []byte) (*outputs, error) {
	var wrapped map[string]struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &wrapped); err != nil {
		return nil, fmt.Errorf("this is not what `terraform output -json` prints: %w", err)
	}
	values := map[string]json.RawMessage{}
	for name, w := range wrapped {
		if w.Value != nil {
			values[name] = w.Value
		}
	}
	plain, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	var out outputs
	if err := json.Unmarshal(plain, &out); err != nil {
		return nil, fmt.Errorf("these are not the outputs of an environment: %w", err)
	}
	return &out, nil
}

// number reads digits, which a pattern has found.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
