package project

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// key is one key of the file: what the reader checks and the schema says of it.
type key struct {
	name    string
	doc     string
	pattern *lazyregexp.Regexp // of a text, with its placeholders filled in
	want    string             // what the pattern accepts, in words
	keys    []key              // of an object
	each    *key               // of an object whose keys are names
	list    bool               // a text, or a list of them
	flag    bool               // true or false
	one     bool               // of an object: exactly one of its keys is given
	short   string             // of an object: the key that a text in its place stands for
	refers  string             // of a text: it is one of the names of this key of the file
	plain   bool               // a text without {environment}: it stands within one environment, or is not for one
	needed  bool
}

var (
	nameText     = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$`)
	arnOrName    = lazyregexp.New(`^(arn:[^ ]+|[A-Za-z0-9][A-Za-z0-9_.-]{0,254})$`)
	repository   = lazyregexp.New(`^[a-z0-9][a-z0-9._/-]{0,255}$`)
	scheduleText = lazyregexp.New(`^([/._A-Za-z0-9-]{1,256}/)?[._A-Za-z0-9-]{1,64}$`)
	environment  = lazyregexp.New(`^[a-z][a-z0-9-]{0,31}$`)
	regionText   = lazyregexp.New(`^[a-z]{2,}(-[a-z]+)+-\d+$`)
	accountText  = lazyregexp.New(`^\d{12}$`)
	durationText = lazyregexp.New(`^(\d+(\.\d+)?(ms|s|m|h))+$`)
	anyText      = lazyregexp.New(`.`)
)

// environmentMark stands for the environment's name in the file; insideMark stands for it while the file is read.
const (
	environmentMark = "{environment}"
	insideMark      = "<environment>"
)

// file is the whole.
var file = key{keys: []key{
	{name: "project", doc: "What the names begin with, as in Terraform's variable project_name.", pattern: nameText, plain: true, needed: true,
		want: "letters, digits, hyphens, dots and underscores"},
	{name: "repository", doc: "The ECR repository.", pattern: repository, want: "lower-case letters, digits, hyphens, dots and slashes"},
	{name: "environments", doc: "What differs between the environments, by their names.", needed: true, each: &key{keys: []key{
		{name: "region", doc: "The AWS region.", pattern: regionText, want: "a region such as us-west-2", plain: true},
		{name: "account", doc: "The AWS account that it is in: 12 digits, in quotes.", pattern: accountText,
			want: "12 digits, in quotes", plain: true},
		{name: "cluster", doc: "The ECS cluster. Without it: PROJECT-cluster-ENVIRONMENT.", pattern: arnOrName, want: "a name or an ARN"},
		{name: "service", doc: "The ECS service, where it differs from that of services.", pattern: arnOrName, want: "a name or an ARN"},
		{name: "repository", doc: "The ECR repository, where it differs from the one above.", pattern: repository,
			want: "lower-case letters, digits, hyphens, dots and slashes"},
		{name: "bake", doc: "How long a deployment is watched before it counts as done.", pattern: durationText,
			want: "a duration such as 30s or 10m", plain: true},
	}}},
	{name: "migrate", doc: "How the database is migrated.", keys: []key{
		{name: "service", doc: "Which of services does it.", pattern: nameText, want: "a name of services", plain: true},
		{name: "command", doc: "The command.", pattern: anyText, want: "a command", plain: true},
	}},
	{name: "services", doc: "The ECS services, by their names in this file. A release is of all of them.", each: &key{keys: []key{
		{name: "service", doc: "The ECS service.", pattern: arnOrName, want: "a name or an ARN", needed: true},
		{name: "after", doc: "Which of services are deployed before it: a name, or a list. Those that wait for none are deployed at once.",
			pattern: nameText, want: "a name of services", plain: true, list: true},
	}}},
	{name: "schedules", doc: "What starts tasks of the services' families at set times, by its name in this file. It is pointed at the new " +
		"revision once all services stand.", each: &key{one: true, keys: []key{
		{name: "rule", doc: "A rule of EventBridge: NAME, or BUS/NAME.", pattern: scheduleText, want: "a name, or BUS/NAME"},
		{name: "schedule", doc: "A schedule of EventBridge Scheduler: NAME, or GROUP/NAME.", pattern: scheduleText,
			want: "a name, or GROUP/NAME"},
	}}},
	{name: "builds", doc: "The images that this repository builds, by their names in this file: the folder of each Dockerfile, or more.",
		each: &key{short: "folder", keys: []key{
			{name: "folder", doc: "The folder, from that of this file.", pattern: anyText, want: "a folder", plain: true, needed: true},
			{name: "repository", doc: "The ECR repository, where it is one of its own. Without it: the release's, with BUILD- before each tag " +
				"but for the first build's.",
				pattern: repository, want: "lower-case letters, digits, hyphens, dots and slashes"},
			{name: "dockerfile", doc: "The Dockerfile, from the folder. Without it: Dockerfile, or docker/Dockerfile.", pattern: anyText,
				want: "a file", plain: true},
			{name: "target", doc: "The stage of the Dockerfile. Without it: the last one.", pattern: nameText, want: "a stage's name", plain: true},
		}}},
	{name: "containers", doc: "Which container runs which of builds. What is given for a build goes to all containers that run it.",
		each: &key{doc: "The build.", pattern: nameText, want: "a name of builds", plain: true, refers: "builds"}},
	{name: "together", doc: "Whether all services of a release go back when one of them fails. Without it: true.", flag: true},
	{name: "bastion", doc: "The host that reaches the database.", keys: []key{
		{name: "tag", doc: "Its tag Name.", pattern: anyText, want: "a tag's value"},
	}},
}}

// Schema returns the JSON Schema of the file.
func Schema() []byte {
	schema := schemaOf(file)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["$id"] = "https://raw.githubusercontent.com/org/connect2/main/docs/connect2.schema.json"
	schema["title"] = "connect2.yaml"
	document, _ := json.MarshalIndent(schema, "", "  ") // of maps, lists and texts: it always marshals
	return append(document, '\n')
}

// inShort is the key of an object that a text in its place stands for.
func (k key) inShort() key {
	return k.keys[slices.IndexFunc(k.keys, func(below key) bool { return below.name == k.short })]
}

func schemaOf(k key) map[string]any {
	schema := map[string]any{}
	if k.doc != "" {
		schema["description"] = k.doc
	}
	switch {
	case k.each != nil:
		schema["type"], schema["minProperties"] = "object", 1
		schema["additionalProperties"] = schemaOf(*k.each)
	case k.short != "":
		text := k.inShort()
		k.short = ""
		schema["oneOf"] = []any{schemaOf(text), schemaOf(k)}
	case k.keys != nil:
		properties := map[string]any{}
		required := []string{}
		for _, below := range k.keys {
			properties[below.name] = schemaOf(below)
			if below.needed {
				required = append(required, below.name)
			}
		}
		schema["type"], schema["properties"], schema["additionalProperties"] = "object", properties, false
		if len(required) > 0 {
			schema["required"] = required
		}
		if k.one {
			schema["minProperties"], schema["maxProperties"] = 1, 1
		}
	case k.flag:
		schema["type"] = "boolean"
	case k.list:
		one := textSchema(k)
		schema["oneOf"] = []any{one, map[string]any{"type": "array", "items": one, "minItems": 1, "uniqueItems": true}}
	default:
		maps.Copy(schema, textSchema(k))
	}
	return schema
}

func textSchema(k key) map[string]any {
	pattern := k.pattern.String()
	if !k.plain && k.pattern != anyText {
		pattern = "^(" + regexp.QuoteMeta(environmentMark) + "|[^{}])+$" // the reader checks what comes of it
	}
	return map[string]any{"type": "string", "pattern": pattern}
}
