package taskdef

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Equal reports whether registering d would make a revision with the same content as the registered one: the family, the
// containers and everything else that RegisterTaskDefinition takes.
//
// ECS fills defaults in when it registers (essential, cpu, hostPort, protocol, empty lists, the numbers of a health
// check), so a file never reads like its own revision. The same defaults are filled in here on both sides; members of
// objects, environment variables and secrets are compared without regard to their order, numbers by their value. A field
// that is not known here must be exactly equal: at worst, content that is the same is registered once more, but a change is
// never missed.
func Equal(d, registered Document) bool {
	if d.IsZero() || registered.IsZero() {
		return d.IsZero() == registered.IsZero()
	}
	return d.canonical() == registered.canonical()
}

// ContentHash names the content of the document for comparison: documents that are Equal have the same hash.
func (d Document) ContentHash() string {
	sum := sha256.Sum256([]byte(d.canonical()))
	return hex.EncodeToString(sum[:])
}

// canonical writes the document in one form for all documents that mean the same.
func (d Document) canonical() string { return d.normalised().String() }

// emptyMeansAbsent are lists and objects that the API returns empty where nothing was given.
// Read from answers of DescribeTaskDefinition to documents that had none of them.
var emptyMeansAbsent = struct{ task, container, log, volume []string }{
	task: []string{"volumes", "placementConstraints", "requiresCompatibilities", "inferenceAccelerators"},
	container: []string{"environment", "environmentFiles", "secrets", "portMappings", "mountPoints", "volumesFrom", "systemControls", "links",
		"dnsServers", "dnsSearchDomains", "extraHosts", "dockerSecurityOptions", "dockerLabels", "ulimits", "dependsOn",
		"resourceRequirements", "credentialSpecs"},
	log:    []string{"options", "secretOptions"},
	volume: []string{"host"},
}

func (d Document) normalised() *value {
	task := d.Registrable().root.without("tags")
	task = dropEmpty(task, emptyMeansAbsent.task)
	task = dropDefault(task, "enableFaultInjection", "false")
	task = mapMember(task, "cpu", func(v *value) *value { return units(v, "vcpu", 1024) })
	task = mapMember(task, "memory", func(v *value) *value { return units(v, "gb", 1024) })
	task = mapItems(task, "volumes", func(v *value) *value { return dropEmpty(v, emptyMeansAbsent.volume) })
	awsvpc := strings.EqualFold(task.get("networkMode").str(), "awsvpc")
	task = mapItems(task, "containerDefinitions", func(v *value) *value { return normalContainer(v, awsvpc) })
	return sorted(task)
}

func normalContainer(c *value, awsvpc bool) *value {
	c = dropEmpty(c, emptyMeansAbsent.container)
	c = dropDefault(c, "essential", "true")
	c = dropDefault(c, "cpu", "0")
	c = mapItems(c, "portMappings", func(port *value) *value { return normalPort(port, awsvpc) })
	c = mapMember(c, "logConfiguration", func(v *value) *value { return dropEmpty(v, emptyMeansAbsent.log) })
	c = mapMember(c, "healthCheck", func(v *value) *value {
		v = dropDefault(v, "interval", "30")
		v = dropDefault(v, "timeout", "5")
		return dropDefault(v, "retries", "3")
	})
	c = mapMember(c, "environment", byName)
	return mapMember(c, "secrets", byName)
}

// normalPort drops the protocol tcp, and with awsvpc the host port, which must be the container's own.
func normalPort(port *value, awsvpc bool) *value {
	port = dropDefault(port, "protocol", `"tcp"`)
	host, container := port.get("hostPort"), port.get("containerPort")
	if host != nil && (host.text == "0" || awsvpc && container != nil && number(host.text) == number(container.text)) {
		port = port.without("hostPort")
	}
	return port
}

// dropEmpty removes the named members where they are an empty list or an empty object.
func dropEmpty(v *value, names []string) *value {
	if v.kind != '{' {
		return v
	}
	var drop []string
	for _, m := range v.members {
		empty := m.value.kind == '[' && len(m.value.items) == 0 || m.value.kind == '{' && len(m.value.members) == 0
		if empty && slices.Contains(names, m.name) {
			drop = append(drop, m.name)
		}
	}
	return v.without(drop...)
}

// dropDefault removes the member where it has this source text (numbers: this value).
func dropDefault(v *value, name, text string) *value {
	field := v.get(name)
	if field == nil {
		return v
	}
	same := field.text == text || field.kind == 'n' && number(field.text) == number(text)
	if !same {
		return v
	}
	return v.without(name)
}

// mapMember replaces a member by what change makes of it, where it is there.
func mapMember(v *value, name string, change func(*value) *value) *value {
	if field := v.get(name); field != nil {
		return v.with(name, change(field))
	}
	return v
}

// mapItems replaces each object of a list by what change makes of it.
func mapItems(v *value, name string, change func(*value) *value) *value {
	return mapMember(v, name, func(list *value) *value {
		if list.kind != '[' {
			return list
		}
		changed := &value{kind: '['}
		for _, item := range list.items {
			if item.kind == '{' {
				item = change(item)
			}
			changed.items = append(changed.items, item)
		}
		return changed
	})
}

// byName sorts a list of objects by their names; the sort is stable, since of two variables of one name the last counts.
func byName(list *value) *value {
	if list.kind != '[' {
		return list
	}
	changed := &value{kind: '[', items: slices.Clone(list.items)}
	slices.SortStableFunc(changed.items, func(a, b *value) int {
		return cmp.Compare(a.get("name").str(), b.get("name").str())
	})
	return changed
}

// units turns "1 vCPU" and "2 GB" into the plain numbers that the API stores.
func units(v *value, unit string, factor float64) *value {
	text := strings.ToLower(strings.TrimSpace(v.str()))
	amount, found := strings.CutSuffix(text, unit)
	if !found {
		return v
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(amount), 64)
	if err != nil {
		return v
	}
	return stringValue(strconv.FormatFloat(f*factor, 'f', -1, 64))
}

// sorted returns the value with members in the order of their names, strings re-quoted, and numbers in one form. A member that is
// null is left out: consoles write all that a form has, and the API takes null for absent.
func sorted(v *value) *value {
	switch v.kind {
	case '{':
		changed := &value{kind: '{'}
		for _, m := range v.members {
			if absent(m.value) {
				continue
			}
			changed.members = append(changed.members, member{m.name, quote(m.name), sorted(m.value)})
		}
		slices.SortFunc(changed.members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
		return changed
	case '[':
		changed := &value{kind: '['}
		for _, item := range v.items {
			changed.items = append(changed.items, sorted(item))
		}
		return changed
	case '"':
		return stringValue(v.str())
	case 'n':
		return &value{kind: 'n', text: number(v.text)}
	default:
		return v
	}
}

// number writes a JSON number as an exact fraction, so that 1, 1.0 and 1e0 are the same and big ones stay apart. An
// exponent that would need a fraction of absurd size is left as it is written.
func number(text string) string {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exponent, err := strconv.Atoi(text[i+1:]); err != nil || exponent > 400 || exponent < -400 {
			return text
		}
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	return exact.RatString()
}
