package taskdef

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// WithEnvironment returns the document with these environment variables set in the container, which is chosen as
// Container does: a variable that is there already changes its value in place, others are added in the order of their
// names. A variable that the container takes from a secret is refused: ECS does not register a name that is in both.
func (d Document) WithEnvironment(container string, variables map[string]string) (Document, error) {
	return d.withNamed(container, "environment", "value", variables, "secrets",
		"container %s takes %s from a secret already: it cannot be an environment variable too")
}

// WithSecrets returns the document with these environment variables taken from secrets: the ARN of a secret of Secrets Manager
// (with :KEY:STAGE:VERSION behind it where wanted), or the name or the ARN of a parameter. A name that is an environment variable
// already is refused, and so is what cannot be a reference; an error never repeats it, since it may be the secret itself.
func (d Document) WithSecrets(container string, from map[string]string) (Document, error) {
	for _, name := range sortedKeys(from) {
		if !isSecretReference(from[name]) {
			return Document{}, fmt.Errorf("%s is not the ARN of a secret, nor the name or the ARN of a parameter; "+
				"a secret's own value must never stand here", name)
		}
	}
	return d.withNamed(container, "secrets", "valueFrom", from, "environment",
		"container %s has %s as an environment variable already: it cannot be taken from a secret too")
}

// parameterName is the name of a parameter (https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html).
var parameterName = lazyregexp.New(`^[a-zA-Z0-9_.-]+$|^(/[a-zA-Z0-9_.-]+)+$`)

func isSecretReference(from string) bool {
	if service, ok := strings.CutPrefix(from, "arn:"); ok {
		parts := strings.SplitN(service, ":", 5)
		return len(parts) == 5 && (parts[1] == "secretsmanager" || parts[1] == "ssm")
	}
	return parameterName.MatchString(from)
}

// withNamed sets entries of a list of {name, field}. A name that stands in the other list is refused with the text clash.
func (d Document) withNamed(container, list, field string, values map[string]string, other, clash string) (Document, error) {
	name, err := d.Container(container)
	if err != nil {
		return Document{}, err
	}
	for _, entry := range d.container(name).get(other).list() {
		if _, both := values[entry.get("name").str()]; both {
			return Document{}, fmt.Errorf(clash, name, entry.get("name").str())
		}
	}
	return d.edit(name, func(c *value) *value {
		entries := &value{kind: '[', items: slices.Clone(c.get(list).list())}
		for _, key := range sortedKeys(values) {
			entries = setNamed(entries, field, key, values[key])
		}
		return c.with(list, entries)
	})
}

func setNamed(entries *value, field, name, to string) *value {
	for i, entry := range entries.items {
		if entry.get("name").str() == name {
			return entries.withItem(i, entry.with(field, stringValue(to)))
		}
	}
	added := (&value{kind: '{'}).with("name", stringValue(name)).with(field, stringValue(to))
	return &value{kind: '[', items: append(entries.items, added)}
}

// Without returns the document without the environment variables, secrets and Docker labels of these names in the container,
// which is chosen as Container does. A name that is none of these is refused.
func (d Document) Without(container string, names []string) (Document, error) {
	name, err := d.Container(container)
	if err != nil {
		return Document{}, err
	}
	c := d.container(name)
	var there []string
	for _, entry := range slices.Concat(c.get("environment").list(), c.get("secrets").list()) {
		there = append(there, entry.get("name").str())
	}
	if labels := c.get("dockerLabels"); labels != nil {
		for _, label := range labels.members {
			there = append(there, label.name)
		}
	}
	var problems []error
	for _, wanted := range names {
		if !slices.Contains(there, wanted) {
			problems = append(problems, fmt.Errorf("container %s has no environment variable, secret or Docker label %s%s",
				name, wanted, meant(wanted, there)))
		}
	}
	if len(problems) > 0 {
		return Document{}, errors.Join(problems...)
	}
	kept := func(entry *value) bool { return !slices.Contains(names, entry.get("name").str()) }
	return d.edit(name, func(c *value) *value {
		for _, list := range []string{"environment", "secrets"} {
			if entries := c.get(list); len(entries.list()) > 0 {
				c = c.with(list, &value{kind: '[', items: filtered(entries.items, kept)})
			}
		}
		if labels := c.get("dockerLabels"); labels != nil && labels.kind == '{' {
			c = c.with("dockerLabels", labels.without(names...))
		}
		return c
	})
}

func filtered(items []*value, keep func(*value) bool) []*value {
	var kept []*value
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// WithDockerLabels returns the document with these Docker labels set in the container, beside those that it has.
func (d Document) WithDockerLabels(container string, labels map[string]string) (Document, error) {
	return d.edit(container, func(c *value) *value {
		return c.with("dockerLabels", withStrings(c.get("dockerLabels"), labels))
	})
}

// WithEnvironmentFiles returns the document whose container reads these environment files, and no others: ARNs of objects in S3
// whose names end in .env, ten at most
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/use-environment-file.html).
func (d Document) WithEnvironmentFiles(container string, objects []string) (Document, error) {
	list := &value{kind: '['}
	for _, object := range objects {
		parts := strings.SplitN(object, ":", 6)
		isObject := len(parts) == 6 && parts[0] == "arn" && parts[2] == "s3" && strings.Contains(parts[5], "/")
		if !isObject || !strings.HasSuffix(object, ".env") {
			return Document{}, fmt.Errorf("%q is not the ARN of an object in S3 whose name ends in .env, such as arn:aws:s3:::bucket/app.env",
				object)
		}
		list.items = append(list.items, (&value{kind: '{'}).with("value", stringValue(object)).with("type", stringValue("s3")))
	}
	if len(list.items) > 10 {
		return Document{}, fmt.Errorf("%d environment files: ECS takes 10 at most", len(list.items))
	}
	return d.edit(container, func(c *value) *value { return c.with("environmentFiles", list) })
}

// WithCommand returns the document whose container is started with these words in place of its image's CMD.
func (d Document) WithCommand(container string, words []string) (Document, error) {
	return d.edit(container, func(c *value) *value { return c.with("command", stringsValue(words)) })
}

// WithEntryPoint returns the document whose container is started with these words in place of its image's ENTRYPOINT.
func (d Document) WithEntryPoint(container string, words []string) (Document, error) {
	return d.edit(container, func(c *value) *value { return c.with("entryPoint", stringsValue(words)) })
}

// logDrivers are the drivers that ECS has (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html);
// Fargate has the first three.
var logDrivers = []string{"awslogs", "splunk", "awsfirelens", "fluentd", "gelf", "journald", "json-file", "syslog"}

// WithLog returns the document whose container logs by this driver, with these options beside those that it has. An empty driver
// leaves the container's own. The options of another driver are dropped with it.
func (d Document) WithLog(container, driver string, options map[string]string) (Document, error) {
	name, err := d.Container(container)
	if err != nil {
		return Document{}, err
	}
	own := d.LogDriver(name)
	switch {
	case driver == "" && own == "":
		return Document{}, fmt.Errorf("container %s has no log driver whose options could be set: name one", name)
	case driver != "" && !slices.Contains(logDrivers, driver):
		return Document{}, fmt.Errorf("%q is not a log driver%s; there are %s", driver, meant(driver, logDrivers),
			strings.Join(logDrivers, ", "))
	}
	return d.edit(name, func(c *value) *value {
		log := object(c.get("logConfiguration"))
		if driver != "" && driver != own {
			log = (&value{kind: '{'}).with("logDriver", stringValue(driver))
		}
		if len(options) > 0 {
			log = log.with("options", withStrings(log.get("options"), options))
		}
		return c.with("logConfiguration", log)
	})
}

// WithSize returns the document whose task has so many CPU units and so much memory in MiB, as ECS writes them (1024 or "1 vCPU",
// 2048 or "2 GB"). Empty leaves what is there.
func (d Document) WithSize(cpu, memory string) Document {
	return d.withTexts(map[string]string{"cpu": cpu, "memory": memory})
}

// WithRoles returns the document with other roles, as names or ARNs: that of the application, and that which ECS starts the task
// with. Empty leaves what is there.
func (d Document) WithRoles(task, execution string) Document {
	return d.withTexts(map[string]string{"taskRoleArn": task, "executionRoleArn": execution})
}

// withTexts sets those top-level fields whose text is not empty.
func (d Document) withTexts(texts map[string]string) Document {
	root := d.root
	for _, name := range sortedKeys(texts) {
		if texts[name] != "" {
			root = root.with(name, stringValue(texts[name]))
		}
	}
	return Document{root: root, tags: maps.Clone(d.tags)}
}

// object returns v where it is an object, and an empty one where it is nothing or null.
func object(v *value) *value {
	if v == nil || v.kind != '{' {
		return &value{kind: '{'}
	}
	return v
}

// withStrings sets members of an object of strings, in the order of their names.
func withStrings(v *value, texts map[string]string) *value {
	v = object(v)
	for _, name := range sortedKeys(texts) {
		v = v.with(name, stringValue(texts[name]))
	}
	return v
}

func stringsValue(words []string) *value {
	list := &value{kind: '['}
	for _, word := range words {
		list.items = append(list.items, stringValue(word))
	}
	return list
}
