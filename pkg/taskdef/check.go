package taskdef

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fargateSizes are the memory sizes in MiB that Fargate has for each amount of CPU units: the first, the last and the step
// between them (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html). The smallest
// CPU has three sizes that no step describes.
var fargateSizes = map[int]struct{ from, to, step int }{
	256:   {512, 2048, 0},
	512:   {1024, 4096, 1024},
	1024:  {2048, 8192, 1024},
	2048:  {4096, 16384, 1024},
	4096:  {8192, 30720, 1024},
	8192:  {16384, 61440, 4096},
	16384: {32768, 122880, 8192},
}

// Check returns what RegisterTaskDefinition, or a Fargate service that gets this definition, would certainly refuse, one
// text per problem, so that it can be told before anything is changed. What might be allowed is left for the API to judge:
// more CPU than is known here, for instance.
func (d Document) Check() []string {
	if d.IsZero() {
		return nil
	}
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	d.checkContainers(add)
	d.checkSize(add)
	if mode := d.text("networkMode"); !strings.EqualFold(mode, "awsvpc") {
		add("networkMode is %q: Fargate needs awsvpc", mode)
	}
	if list := d.root.get("requiresCompatibilities"); list != nil && len(list.items) > 0 &&
		!slices.ContainsFunc(list.items, func(v *value) bool { return v.str() == "FARGATE" }) {
		add("requiresCompatibilities is %s: a Fargate service needs FARGATE in it", list)
	}
	if d.ExecutionRole() == "" {
		d.checkRoleless(add)
	}
	return problems
}

func (d Document) checkContainers(add func(string, ...any)) {
	seen, essential := map[string]bool{}, false
	for _, c := range d.root.get("containerDefinitions").list() {
		name := c.get("name").str()
		if seen[name] {
			add("container name %s is used twice", name)
		}
		seen[name] = true
		if flag := c.get("essential"); flag == nil || flag.text != "false" {
			essential = true
		}
		if c.get("image").str() == "" {
			add("container %s has no image", name)
		}
		for _, port := range c.get("portMappings").list() {
			host, inside := port.get("hostPort"), port.get("containerPort")
			if host != nil && inside != nil && host.text != "0" && number(host.text) != number(inside.text) {
				add("container %s maps host port %s to %s: with awsvpc both must be the same", name, host, inside)
			}
		}
	}
	if !essential {
		add("no container is essential: at least one must be")
	}
}

// checkSize compares CPU and memory with the sizes that Fargate has.
func (d Document) checkSize(add func(string, ...any)) {
	cpu, memory := d.size("cpu", "vcpu"), d.size("memory", "gb")
	if cpu == 0 || memory == 0 {
		if cpu == 0 {
			add("cpu of the task is %s: Fargate needs a number of CPU units", orNothing(d.root.get("cpu")))
		}
		if memory == 0 {
			add("memory of the task is %s: Fargate needs a number of MiB", orNothing(d.root.get("memory")))
		}
		return
	}
	sizes, known := fargateSizes[cpu]
	switch {
	case !known && cpu > 16384: // larger sizes may have come since
	case !known:
		add("cpu %d: Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384", cpu)
	case cpu == 256 && memory != 512 && memory != 1024 && memory != 2048:
		add("cpu 256 with memory %d: Fargate has 512, 1024 and 2048 MiB for it", memory)
	case memory < sizes.from || memory > sizes.to || sizes.step > 0 && memory%sizes.step != 0:
		add("cpu %d with memory %d: Fargate has %d to %d MiB in steps of %d for it", cpu, memory, sizes.from, sizes.to, sizes.step)
	}
}

// size returns a task-level size as a number, or 0 where there is none that can be read.
func (d Document) size(field, unit string) int {
	v := d.root.get(field)
	if v == nil {
		return 0
	}
	text := v.text // a bare number; the API wants a string, but says so itself
	if v.kind == '"' {
		text = units(v, unit, 1024).str()
	}
	size, err := strconv.ParseFloat(text, 64)
	if err != nil || size != math.Trunc(size) || size < 0 || size > math.MaxInt32 {
		return 0
	}
	return int(size)
}

// checkRoleless names what cannot work without an execution role.
func (d Document) checkRoleless(add func(string, ...any)) {
	for _, c := range d.root.get("containerDefinitions").list() {
		name := c.get("name").str()
		if strings.Contains(c.get("image").str(), ".dkr.ecr.") {
			add("container %s pulls from ECR, but the task definition has no executionRoleArn", name)
		}
		if len(c.get("secrets").list()) > 0 {
			add("container %s has secrets, but the task definition has no executionRoleArn", name)
		}
		if c.get("logConfiguration").get("logDriver").str() == "awslogs" {
			add("container %s logs with awslogs, but the task definition has no executionRoleArn", name)
		}
	}
}

func orNothing(v *value) string {
	if v == nil {
		return "not set"
	}
	return v.String()
}
