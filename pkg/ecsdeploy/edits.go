package ecsdeploy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/taskdef"
)

// Edits are the inputs that change the task definition besides the image and the environment variables. They are made in the order
// in which they stand here, what is removed first. The names that AWS's own render action has are taken too.
type Edits struct {
	Remove           []string          `input:"remove" doc:"Names of environment variables, secrets and Docker labels to take out of the container, before anything else is set."`
	Secrets          map[string]string `input:"secrets" doc:"Environment variables to take from secrets, NAME=REFERENCE lines: the ARN of a secret (ARN:KEY:: for one key of it) or the name or ARN of a parameter. Never the value."`
	EnvironmentFiles []string          `input:"environment-files" alias:"env-files" doc:"Environment files of the container, replacing those it has: ARNs of objects in S3, one per line."`
	DockerLabels     map[string]string `input:"docker-labels" doc:"Docker labels to set in the container, KEY=value lines."`
	EntryPoint       string            `input:"entry-point" doc:"Replaces the image's ENTRYPOINT: words, split as a shell would, or a JSON array of strings."`
	Command          string            `input:"command" doc:"Replaces the image's CMD: words, split as a shell would, or a JSON array of strings."`
	LogDriver        string            `input:"log-driver" alias:"log-configuration-log-driver" doc:"Log driver of the container, such as awslogs. If the driver changes, the old driver's options are dropped."`
	LogOptions       map[string]string `input:"log-options" alias:"log-configuration-options" doc:"Options of the log driver, KEY=value lines, added to those that are set."`
	CPU              string            `input:"cpu" doc:"CPU units of the task, such as 512, or \"0.5 vCPU\"."`
	Memory           string            `input:"memory" doc:"Memory of the task in MiB, such as 1024, or \"1 GB\"."`
	TaskRole         string            `input:"task-role" alias:"task-role-arn" doc:"Role of the application: name or ARN. The role of this run needs iam:PassRole for it."`
	ExecutionRole    string            `input:"execution-role" alias:"execution-role-arn" doc:"Role that ECS uses to start the task: name or ARN. The role of this run needs iam:PassRole for it."`
	Images           map[string]string `input:"images" doc:"Images for more containers, CONTAINER=REFERENCE lines; or BUILD=REFERENCE, for the containers that run this build according to the file. What a reference leaves out is taken from the container's own image."`
}

// edit is a change of the task definition that an input asks for.
type edit struct {
	input  string
	wanted bool
	apply  func(doc taskdef.Document, container string) (taskdef.Document, error)
}

// edits returns what the inputs change besides images, in the order in which it is done.
func (in Inputs) edits() []edit {
	return []edit{
		{"remove", len(in.Remove) > 0, func(doc taskdef.Document, container string) (taskdef.Document, error) {
			return doc.Without(container, in.Remove)
		}},
		{"environment-variables", len(in.Environment) > 0, func(doc taskdef.Document, container string) (taskdef.Document, error) {
			return doc.WithEnvironment(container, in.Environment)
		}},
		{"secrets", len(in.Secrets) > 0, func(doc taskdef.Document, container string) (taskdef.Document, error) {
			return doc.WithSecrets(container, in.Secrets)
		}},
		{"environment-files", len(in.EnvironmentFiles) > 0, func(doc taskdef.Document, container string) (taskdef.Document, error) {
			return doc.WithEnvironmentFiles(container, in.EnvironmentFiles)
		}},
		{"docker-labels", len(in.DockerLabels) > 0, func(doc taskdef.Document, container string) (taskdef.Document, error) {
			return doc.WithDockerLabels(container, in.DockerLabels)
		}},
		{"entry-point", in.EntryPoint != "", func(doc taskdef.Document, container string) (taskdef.Document, error) {
			words, err := taskdef.SplitCommand(in.EntryPoint)
			if err != nil {
				return doc, err
			}
			return doc.WithEntryPoint(container, words)
		}},
		{"command", in.Command != "", func(doc taskdef.Document, container string) (taskdef.Document, error) {
			words, err := taskdef.SplitCommand(in.Command)
			if err != nil {
				return doc, err
			}
			return doc.WithCommand(container, words)
		}},
		{"log-driver, log-options", in.LogDriver != "" || len(in.LogOptions) > 0,
			func(doc taskdef.Document, container string) (taskdef.Document, error) {
				return doc.WithLog(container, in.LogDriver, in.LogOptions)
			}},
		{"cpu, memory", in.CPU != "" || in.Memory != "", func(doc taskdef.Document, _ string) (taskdef.Document, error) {
			return doc.WithSize(in.CPU, in.Memory), nil
		}},
		{"task-role, execution-role", in.TaskRole != "" || in.ExecutionRole != "",
			func(doc taskdef.Document, _ string) (taskdef.Document, error) {
				return doc.WithRoles(in.TaskRole, in.ExecutionRole), nil
			}},
	}
}

// changesDocument reports whether any input changes the document that it is rendered from.
func (in Inputs) changesDocument() bool {
	return in.Image != "" || len(in.Images) > 0 || slices.ContainsFunc(in.edits(), func(e edit) bool { return e.wanted })
}

// edited applies the edits to a document. Those that cannot be made are left out of it, and told.
func (in Inputs) edited(doc taskdef.Document, container string) (taskdef.Document, []error) {
	var problems []error
	for _, e := range in.edits() {
		if !e.wanted {
			continue
		}
		changed, err := e.apply(doc, container)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", e.input, err))
			continue
		}
		doc = changed
	}
	return doc, problems
}

// checkEdits returns what is wrong with the edits by themselves.
func (in Inputs) checkEdits() []error {
	var problems []error
	for _, words := range []struct{ input, text string }{{"entry-point", in.EntryPoint}, {"command", in.Command}} {
		if words.text == "" {
			continue
		}
		if _, err := taskdef.SplitCommand(words.text); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", words.input, err))
		}
	}
	for _, set := range []struct {
		input string
		names map[string]string
	}{{"environment-variables", in.Environment}, {"secrets", in.Secrets}} {
		for _, name := range slices.Sorted(maps.Keys(set.names)) {
			if strings.TrimSpace(name) == "" || strings.ContainsAny(name, " \t=") {
				problems = append(problems, fmt.Errorf("%s: %q is not a name of a variable", set.input, name))
			}
		}
	}
	for _, container := range slices.Sorted(maps.Keys(in.Images)) {
		if in.Images[container] == "" {
			problems = append(problems, fmt.Errorf("images: the image of %s is empty: was the step skipped that gives it, or its output blanked?",
				container))
		}
	}
	if in.RenderOnly != "" && in.RegisterOnly {
		problems = append(problems, errors.New("render-only, register-only: one of them at most"))
	}
	return problems
}
