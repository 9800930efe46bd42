package taskdef

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Document is a task definition as raw JSON. It is immutable: every edit returns another Document. The zero value is no
// task definition.
type Document struct {
	root *value
	tags map[string]string // those beside the task definition in an answer of DescribeTaskDefinition
}

// readOnly are the fields that DescribeTaskDefinition adds and RegisterTaskDefinition refuses
// (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html against API_RegisterTaskDefinition).
var readOnly = []string{
	"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities",
	"registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt",
}

// Parse reads a task definition: the document alone, or a whole answer of DescribeTaskDefinition, as `aws ecs
// describe-task-definition` prints it. The error tells line and column (*SyntaxError) where the text is no JSON.
func Parse(source []byte) (Document, error) {
	root, err := parseJSON(source)
	if err != nil {
		return Document{}, err
	}
	if root.kind != '{' {
		return Document{}, errors.New("a task definition is a JSON object")
	}
	doc := Document{root: root}
	if inner := root.get("taskDefinition"); inner != nil && inner.kind == '{' && root.get("containerDefinitions") == nil {
		doc = Document{root: inner, tags: tagsOf(root.get("tags"))}
	}
	containers := doc.root.get("containerDefinitions")
	if containers == nil {
		return Document{}, errors.New("the document has no containerDefinitions, so it is not a task definition")
	}
	if containers.kind != '[' || len(containers.items) == 0 {
		return Document{}, errors.New("containerDefinitions must be a list of at least one container")
	}
	for i, container := range containers.items {
		name := container.get("name")
		switch {
		case container.kind != '{' || absent(name) || name.text == `""`:
			return Document{}, fmt.Errorf("containerDefinitions[%d] must be an object with a name", i)
		case name.kind != '"':
			return Document{}, fmt.Errorf("containerDefinitions[%d].name is %s: it must be a string%s", i, kindOf(name), quotes(name, '"'))
		}
	}
	return doc, nil
}

// ReadFile reads a task definition from a file; every error names the file.
func ReadFile(path string) (Document, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return Document{}, fmt.Errorf("reading the task definition: %w", err)
	}
	doc, err := Parse(source)
	if err != nil {
		var syntax *SyntaxError
		if errors.As(err, &syntax) {
			return Document{}, fmt.Errorf("%s:%d:%d: %s", path, syntax.Line, syntax.Column, syntax.Reason)
		}
		return Document{}, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}

// IsZero reports whether there is no document.
func (d Document) IsZero() bool { return d.root == nil }

// JSON returns the document without white space; null for the zero Document.
func (d Document) JSON() []byte {
	if d.IsZero() {
		return []byte("null")
	}
	return []byte(d.root.String())
}

// Indented returns the document for people: JSON on several lines, with a line break at its end.
func (d Document) Indented() []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, d.JSON(), "", "  ") // it is JSON
	b.WriteByte('\n')
	return b.Bytes()
}

// MarshalJSON returns JSON().
func (d Document) MarshalJSON() ([]byte, error) { return d.JSON(), nil }

// Field decodes the named top-level field into v (see encoding/json). It reports false, and leaves v alone, where the
// field is missing, null or of another type.
func (d Document) Field(name string, v any) bool {
	field := d.root.get(name)
	if field == nil || field.text == "null" {
		return false
	}
	return json.Unmarshal([]byte(field.String()), v) == nil
}

// text returns a top-level string, or "".
func (d Document) text(name string) string { return d.root.get(name).str() }

// ARN returns taskDefinitionArn; empty for a document that was not registered.
func (d Document) ARN() string { return d.text("taskDefinitionArn") }

// Family returns the family; empty where the document names none.
func (d Document) Family() string { return d.text("family") }

// ExecutionRole returns executionRoleArn, or "".
func (d Document) ExecutionRole() string { return d.text("executionRoleArn") }

// TaskRole returns taskRoleArn, or "".
func (d Document) TaskRole() string { return d.text("taskRoleArn") }

// Tags returns the tags that stood beside the task definition in an answer of DescribeTaskDefinition.
func (d Document) Tags() map[string]string { return d.tags }

// Containers returns the names of the containers in their order.
func (d Document) Containers() []string {
	var names []string
	for _, container := range d.root.get("containerDefinitions").list() {
		names = append(names, container.get("name").str())
	}
	return names
}

// Image returns the image of the named container, or "".
func (d Document) Image(container string) string {
	if i := slices.Index(d.Containers(), container); i >= 0 {
		return d.root.get("containerDefinitions").items[i].get("image").str()
	}
	return ""
}

// Container returns the name of the container that a release is about: the wanted one, or, where none is wanted, the
// only one, or the only essential one. The error names the candidates.
func (d Document) Container(wanted string) (string, error) {
	names := d.Containers()
	if wanted != "" {
		if !slices.Contains(names, wanted) {
			return "", fmt.Errorf("the task definition has no container %q; it has %s", wanted, strings.Join(names, ", "))
		}
		return wanted, nil
	}
	if len(names) == 1 {
		return names[0], nil
	}
	var essential []string
	for _, container := range d.root.get("containerDefinitions").list() {
		if flag := container.get("essential"); flag == nil || flag.text != "false" { // essential unless it says otherwise
			essential = append(essential, container.get("name").str())
		}
	}
	if len(essential) == 1 {
		return essential[0], nil
	}
	return "", fmt.Errorf("the task definition has several containers that could be meant (%s): name one",
		strings.Join(names, ", "))
}

// WithFamily returns the document for another family.
func (d Document) WithFamily(family string) Document {
	return Document{root: d.root.with("family", stringValue(family)), tags: d.tags}
}

// WithImage returns the document with another image for the container, which is chosen as Container does.
func (d Document) WithImage(container, image string) (Document, error) {
	return d.edit(container, func(c *value) *value {
		return c.with("image", stringValue(image))
	})
}

// ForOneRun returns the document for a task that is over when this container is: it is not started again (restartPolicy), and no
// other container is essential, so that none of them can end the task first.
func (d Document) ForOneRun(container string) Document {
	all := &value{kind: '['}
	for _, c := range d.root.get("containerDefinitions").list() {
		if c.get("name").str() == container {
			c = c.without("restartPolicy")
		} else {
			c = c.with("essential", &value{kind: 'l', text: "false"})
		}
		all.items = append(all.items, c)
	}
	return Document{root: d.root.with("containerDefinitions", all), tags: d.tags}
}

// LogDriver returns the log driver of the named container, or "" where it names none.
func (d Document) LogDriver(container string) string {
	return d.container(container).get("logConfiguration").get("logDriver").str()
}

func (d Document) container(name string) *value {
	if i := slices.Index(d.Containers(), name); i >= 0 {
		return d.root.get("containerDefinitions").items[i]
	}
	return nil
}

// edit replaces one container by what change makes of it.
func (d Document) edit(container string, change func(*value) *value) (Document, error) {
	name, err := d.Container(container)
	if err != nil {
		return Document{}, err
	}
	all := d.root.get("containerDefinitions")
	i := slices.Index(d.Containers(), name)
	return Document{
		root: d.root.with("containerDefinitions", all.withItem(i, change(all.items[i]))),
		tags: d.tags,
	}, nil
}

// Registrable returns the document as RegisterTaskDefinition takes it: without the fields that only DescribeTaskDefinition
// knows. Everything else stays, also what this build does not know.
func (d Document) Registrable() Document {
	return Document{root: d.root.without(readOnly...), tags: d.tags}
}

func tagsOf(list *value) map[string]string {
	tags := map[string]string{}
	for _, tag := range list.list() {
		tags[tag.get("key").str()] = tag.get("value").str()
	}
	return tags
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
