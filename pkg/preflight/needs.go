package preflight

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
)

// needs are what the tasks of a document need.
type needs struct {
	images     []container
	secrets    []secret
	parameters []parameter
	groups     []group
	role       string // ARN of the execution role; "" where there is none
}

type container struct{ name, image string }

func (c container) String() string { return "image of " + c.name }

// ecr reports whether the image is in a private registry of ECR's.
func (c container) ecr() bool {
	return strings.Contains(c.image, ".dkr.ecr") || strings.Contains(c.image, ".dkr-ecr")
}

// secret is one of Secrets Manager.
type secret struct {
	id, name, region, account string
	key, stage, version       string
}

func (s secret) String() string { return "secret " + s.name }

// parameter is one of Parameter Store. An ARN does not tell whether a name without further slashes begins with one.
type parameter struct {
	names           []string
	region, account string // account "": the caller's
	selector        string // ":VERSION" or ":LABEL"
}

func (p parameter) String() string { return "parameter " + p.names[0] }

// unlisted says why a parameter is not among those that an account can list, or "".
func (p parameter) unlisted(account string) string {
	switch {
	case p.account != "" && p.account != account:
		return "it is another account's"
	case strings.HasPrefix(p.names[0], "/aws/"):
		return "it is AWS's own, or stands for a secret"
	}
	return ""
}

// group is a log group.
type group struct {
	name, region string
	create       bool // the first task is to make it
}

func (g group) String() string { return "log group " + g.name }

// needsOf reads the needs out of a document.
func needsOf(q Question) needs {
	type secretRef struct {
		ValueFrom string `json:"valueFrom"`
	}
	var containers []struct {
		Name                  string      `json:"name"`
		Image                 string      `json:"image"`
		Secrets               []secretRef `json:"secrets"`
		RepositoryCredentials struct {
			Parameter string `json:"credentialsParameter"`
		} `json:"repositoryCredentials"`
		Log struct {
			Driver  string            `json:"logDriver"`
			Options map[string]string `json:"options"`
			Secrets []secretRef       `json:"secretOptions"`
		} `json:"logConfiguration"`
	}
	q.Document.Field("containerDefinitions", &containers)
	n := needs{role: q.Document.ExecutionRole()}
	for _, c := range containers {
		if !slices.Contains(q.Without, c.Name) && c.Image != "" && c.RepositoryCredentials.Parameter == "" {
			n.images = append(n.images, container{c.Name, c.Image})
		}
		for _, ref := range slices.Concat(c.Secrets, c.Log.Secrets, []secretRef{{c.RepositoryCredentials.Parameter}}) {
			n.add(ref.ValueFrom, q.Region)
		}
		if name := c.Log.Options["awslogs-group"]; c.Log.Driver == "awslogs" && name != "" {
			g := group{name: name, region: c.Log.Options["awslogs-region"], create: c.Log.Options["awslogs-create-group"] == "true"}
			if g.region == "" {
				g.region = q.Region
			}
			if !slices.Contains(n.groups, g) {
				n.groups = append(n.groups, g)
			}
		}
	}
	return n
}

// add takes a valueFrom to what it names, once.
func (n *needs) add(valueFrom, region string) {
	parts := strings.Split(valueFrom, ":")
	part := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	switch {
	case valueFrom == "":
	case part(0) == "arn" && part(2) == "secretsmanager":
		s := secret{id: strings.Join(parts[:min(7, len(parts))], ":"), name: secretName(part(6)), region: part(3), account: part(4),
			key: part(7), stage: part(8), version: part(9)}
		if !slices.Contains(n.secrets, s) {
			n.secrets = append(n.secrets, s)
		}
	case part(0) == "arn" && part(2) == "ssm":
		name := strings.TrimPrefix(part(5), "parameter")
		p := parameter{names: []string{name}, region: part(3), account: part(4), selector: part(6)}
		if bare := strings.TrimPrefix(name, "/"); !strings.Contains(bare, "/") {
			p.names = append(p.names, bare)
		}
		n.addParameter(p)
	case part(0) != "arn":
		n.addParameter(parameter{names: []string{parts[0]}, region: region, selector: part(1)})
	}
}

func (n *needs) addParameter(p parameter) {
	if !slices.ContainsFunc(n.parameters, func(other parameter) bool {
		return slices.Equal(p.names, other.names) && p.region == other.region && p.account == other.account && p.selector == other.selector
	}) {
		n.parameters = append(n.parameters, p)
	}
}

// secretName cuts the six characters off that Secrets Manager puts behind a name in its ARN.
func secretName(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 && len(name)-i == 7 {
		return name[:i]
	}
	return name
}

const createLogGroup = "logs:CreateLogGroup"

// permission is a set of actions on a set of resources.
type permission struct{ actions, on []string }

// permissions are what the execution role needs for the start of a task.
func (n needs) permissions() (all []permission) {
	partition := strings.Split(n.role+"::", ":")[1]
	account := arn.Account(n.role)
	add := func(actions string, on []string) {
		if len(on) > 0 {
			all = append(all, permission{strings.Fields(actions), on})
		}
	}
	var repositories, secrets, parameters, groups, made []string
	for _, i := range n.images {
		host, path, _ := strings.Cut(i.image, "/")
		parts := strings.Split(host, ".")
		if !i.ecr() || len(parts) < 4 {
			continue
		}
		path, _, _ = strings.Cut(path, "@")
		path, _, _ = strings.Cut(path, ":")
		region := parts[3]
		if strings.HasPrefix(parts[1], "dkr-ecr") {
			region = parts[2]
		}
		repositories = append(repositories, "arn:"+partition+":ecr:"+region+":"+parts[0]+":repository/"+path)
	}
	for _, s := range n.secrets {
		secrets = append(secrets, s.id)
	}
	for _, p := range n.parameters {
		if p.account == "" {
			p.account = account
		}
		parameters = append(parameters, "arn:"+partition+":ssm:"+p.region+":"+p.account+":parameter/"+strings.TrimPrefix(p.names[0], "/"))
	}
	for _, g := range n.groups {
		arn := "arn:" + partition + ":logs:" + g.region + ":" + account + ":log-group:" + g.name
		groups = append(groups, arn+":log-stream:*")
		if g.create {
			made = append(made, arn)
		}
	}
	if len(repositories) > 0 {
		add("ecr:GetAuthorizationToken", []string{"*"})
	}
	add("ecr:BatchGetImage ecr:GetDownloadUrlForLayer", unique(repositories))
	add("secretsmanager:GetSecretValue", unique(secrets))
	add("ssm:GetParameters", unique(parameters))
	add("logs:CreateLogStream logs:PutLogEvents", groups)
	add(createLogGroup, made)
	return all
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
