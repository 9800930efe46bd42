package taskdef

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/nearest"
)

// fargateSizes are the memory sizes in MiB that Fargate has for each amount of CPU units: the first, the last and the step
// between them (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html). The three of the
// smallest CPU, which no step describes, stand in checkSize.
var fargateSizes = map[int]struct{ from, to, step int }{
	256:   {},
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
	d.checkNames(add)
	d.checkSize(add)
	d.checkShares(add)
	if mode := d.root.get("networkMode"); stringOrNone(mode) && !strings.EqualFold(mode.str(), "awsvpc") {
		add("networkMode is %q: Fargate needs awsvpc", mode.str())
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
		if image := c.get("image"); stringOrNone(image) && image.str() == "" {
			add("container %s has no image", name)
		}
		for _, port := range c.get("portMappings").list() {
			host, inside := port.get("hostPort"), port.get("containerPort")
			if isNumber(host) && isNumber(inside) && number(host.text) != "0" && number(host.text) != number(inside.text) {
				add("container %s maps host port %s to %s: with awsvpc both must be the same", name, host, inside)
			}
		}
	}
	if !essential {
		add("no container is essential: at least one must be")
	}
}

// checkNames looks for what containers name and the document does not have.
func (d Document) checkNames(add func(string, ...any)) {
	var volumes []string
	for _, v := range d.root.get("volumes").list() {
		volumes = append(volumes, v.get("name").str())
	}
	for i, c := range d.root.get("containerDefinitions").list() {
		name := c.get("name").str()
		for j, from := range c.get("volumesFrom").list() {
			if other := from.get("sourceContainer").str(); other != "" && !slices.Contains(d.Containers(), other) {
				add("containerDefinitions[%d].volumesFrom[%d].sourceContainer of %s is %q: there is no such container%s", i, j, name, other,
					meant(other, d.Containers()))
			}
		}
		for j, mount := range c.get("mountPoints").list() {
			if volume := mount.get("sourceVolume").str(); volume != "" && !slices.Contains(volumes, volume) {
				add("containerDefinitions[%d].mountPoints[%d].sourceVolume of %s is %q: there is no such volume%s", i, j, name, volume,
					meant(volume, volumes))
			}
		}
		for j, on := range c.get("dependsOn").list() {
			if on.kind != '{' || !stringOrNone(on.get("containerName")) {
				continue
			}
			other := on.get("containerName").str()
			switch {
			case other == name:
				add("containerDefinitions[%d].dependsOn[%d] of %s is the container itself", i, j, name)
			case !slices.Contains(d.Containers(), other):
				add("containerDefinitions[%d].dependsOn[%d] of %s is %q: there is no such container%s", i, j, name, other,
					meant(other, d.Containers()))
			}
		}
	}
}

// meant names what was probably meant.
func meant(name string, among []string) string {
	if near := nearest.One(name, among); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// checkShares compares what the containers take with what the task has.
func (d Document) checkShares(add func(string, ...any)) {
	cpu, memory := 0, 0
	for _, c := range d.root.get("containerDefinitions").list() {
		hard, soft := amount(c, "memory"), amount(c, "memoryReservation")
		if hard > 0 && soft > hard {
			add("container %s reserves %d MiB of memory and may have %d", c.get("name").str(), soft, hard)
		}
		if soft == 0 {
			soft = hard
		}
		cpu, memory = cpu+amount(c, "cpu"), memory+soft
	}
	if task := d.size("cpu", "vcpu"); task > 0 && cpu > task {
		add("the containers take %d CPU units, and the task has %d", cpu, task)
	}
	if task := d.size("memory", "gb"); task > 0 && memory > task {
		add("the containers reserve %d MiB of memory, and the task has %d", memory, task)
	}
}

// amount returns a whole number of a container, or 0.
func amount(c *value, field string) int {
	v := c.get(field)
	if v == nil {
		return 0
	}
	n, err := strconv.Atoi(v.text) // a string has its quotes
	if err != nil {
		return 0
	}
	return n
}

// CheckPort returns what is wrong with a container and a port of it that a service sends traffic to, or "".
func (d Document) CheckPort(container string, port int) string {
	c := d.container(container)
	if c == nil {
		return fmt.Sprintf("there is no container %q%s", container, meant(container, d.Containers()))
	}
	var ports []string
	for _, mapping := range c.get("portMappings").list() {
		if from, to, ok := portRange(mapping.get("containerPortRange").str()); ok {
			if from <= port && port <= to {
				return ""
			}
			ports = append(ports, fmt.Sprintf("%d-%d", from, to))
			continue
		}
		if given := mapping.get("containerPort"); !absent(given) && !isNumber(given) {
			return "" // CheckTypes tells it: it may be this port
		}
		number := amount(mapping, "containerPort")
		if number == port {
			return ""
		}
		ports = append(ports, strconv.Itoa(number))
	}
	return fmt.Sprintf("container %s has no port %d; it has %s", container, port, orNone(ports))
}

// portRange reads FROM-TO.
func portRange(text string) (from, to int, ok bool) {
	first, last, _ := strings.Cut(text, "-")
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	return from, to, err == nil && err2 == nil
}

// CheckVolume returns what is wrong with the name of a volume that a service configures at launch, or "".
func (d Document) CheckVolume(name string) string {
	var names []string
	for _, v := range d.root.get("volumes").list() {
		if v.get("name").str() == name {
			if flag := v.get("configuredAtLaunch"); flag == nil || flag.text != "true" {
				return fmt.Sprintf("volume %s is not marked configuredAtLaunch", name)
			}
			return ""
		}
		names = append(names, v.get("name").str())
	}
	return fmt.Sprintf("there is no volume %q%s", name, meant(name, names))
}

// CheckPortName returns what is wrong with the name of a port that a service offers by Service Connect, or "".
func (d Document) CheckPortName(name string) string {
	var names []string
	for _, c := range d.root.get("containerDefinitions").list() {
		for _, mapping := range c.get("portMappings").list() {
			if given := mapping.get("name").str(); given != "" {
				names = append(names, given)
			}
		}
	}
	if slices.Contains(names, name) {
		return ""
	}
	return fmt.Sprintf("no port is named %q; there is %s", name, orNone(names))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// checkSize compares CPU and memory with the sizes that Fargate has.
func (d Document) checkSize(add func(string, ...any)) {
	cpu, memory := d.size("cpu", "vcpu"), d.size("memory", "gb")
	if cpu == 0 || memory == 0 {
		if given := d.root.get("cpu"); cpu == 0 && (stringOrNone(given) || isNumber(given)) {
			add("cpu of the task is %s: Fargate needs a number of CPU units", orNothing(given))
		}
		if given := d.root.get("memory"); memory == 0 && (stringOrNone(given) || isNumber(given)) {
			add("memory of the task is %s: Fargate needs a number of MiB", orNothing(given))
		}
		return
	}
	if strings.HasPrefix(d.Platform(), "windows/") && (cpu < 1024 || cpu > 4096) {
		add("cpu %d: Fargate has Windows with 1024, 2048 and 4096", cpu)
		return
	}
	sizes, known := fargateSizes[cpu]
	switch {
	case cpu > 16384: // larger sizes may have come since
	case !known:
		add("cpu %d: Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384", cpu)
	case cpu == 256:
		if memory != 512 && memory != 1024 && memory != 2048 {
			add("cpu 256 with memory %d: Fargate has 512, 1024 and 2048 MiB for it", memory)
		}
	case memory < sizes.from || memory > sizes.to || memory%sizes.step != 0:
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
	size, _ := strconv.ParseFloat(text, 64) // 0 or an infinity beside an error
	if size != math.Trunc(size) || size < 1 || size > math.MaxInt32 {
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

// stringOrNone reports whether the value has the type of a string, or is absent. What has another type is told by CheckTypes.
func stringOrNone(v *value) bool { return absent(v) || v.kind == '"' }

func isNumber(v *value) bool { return v != nil && v.kind == 'n' }

// absent reports whether there is no value, or null; a string has its quotes.
func absent(v *value) bool { return v == nil || v.text == "null" }

func orNothing(v *value) string {
	if absent(v) {
		return "not set"
	}
	return v.String()
}
