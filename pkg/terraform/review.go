package terraform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/sorted"
)

// Totals count what a plan does. A replacement counts as one to add and one to destroy, as Terraform counts it.
type Totals struct{ Add, Change, Destroy, Replace, Import, Move, Forget, Outputs int }

// Any says whether there is anything to apply.
func (t Totals) Any() bool { return t.Add+t.Change+t.Destroy+t.Import+t.Move+t.Forget+t.Outputs > 0 }

// String tells the totals in one line.
func (t Totals) String() string {
	parts := []string{fmt.Sprintf("%d to add", t.Add), fmt.Sprintf("%d to change", t.Change), fmt.Sprintf("%d to destroy", t.Destroy)}
	for _, more := range []struct {
		n    int
		word string
	}{{t.Replace, "of them replaced"}, {t.Import, "to import"}, {t.Move, "moved"}, {t.Forget, "to forget"}} {
		if more.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more.n, more.word))
		}
	}
	switch {
	case t.Outputs == 1:
		parts = append(parts, "1 output changes")
	case t.Outputs > 1:
		parts = append(parts, fmt.Sprintf("%d outputs change", t.Outputs))
	}
	return strings.Join(parts, ", ")
}

// Review is a plan in the order in which a person should read it.
type Review struct {
	Totals    Totals
	Findings  []Finding // worst first
	Services  []Finding // what it does to running services; the risk has no meaning
	Moves     []Change
	Imports   []Change
	Resources []Change // everything else, by address
	Outputs   []Change
	Drift     []Change
	Unchanged int
	Partial   bool // the plan is incomplete: another one is needed
}

// Changes says whether applying would do anything, outputs included.
func (r Review) Changes() bool { return r.Totals.Any() }

// NewReview sorts a plan.
func NewReview(p *Plan) Review {
	r := Review{Outputs: p.Outputs, Drift: p.Drift, Unchanged: p.Unchanged, Partial: p.Incomplete}
	for _, c := range p.Changes {
		r.Totals.count(c)
		r.Findings = append(r.Findings, c.findings...)
		if c.Moved() {
			r.Moves = append(r.Moves, c)
		}
		if c.Imported {
			r.Imports = append(r.Imports, c)
		}
		if c.Action != None {
			r.Resources = append(r.Resources, c)
		}
	}
	r.Totals.Outputs = len(p.Outputs)
	r.Findings = append(r.Findings, waitsForDelegation(p.Changes)...)
	r.Services = services(p.Changes)
	sorted.Stable(r.Findings, worse)
	return r
}

func (t *Totals) count(c Change) {
	if c.Data {
		return
	}
	switch c.Action {
	case Create:
		t.Add++
	case Update:
		t.Change++
	case Delete:
		t.Destroy++
	case Replace, ReplaceSafely:
		t.Add++
		t.Destroy++
		t.Replace++
	case Forget:
		t.Forget++
	}
	if c.Moved() {
		t.Move++
	}
	if c.Imported {
		t.Import++
	}
}

// waitsForDelegation finds certificates that are waited for while the zone that is to prove their names is made by the same plan: ACM
// issues none before the domain is pointed at the zone's name servers, which nobody knows yet, and the provider waits for 75 minutes.
// Where the plan writes the delegation itself, into the zone above, nothing is said.
func waitsForDelegation(changes []Change) (found []Finding) {
	zone := ""
	for _, c := range changes {
		switch {
		case c.Type == "aws_route53_zone" && c.Action == Create:
			zone = c.Address
		case c.Type == "aws_route53_record" && c.Action == Create && c.value("type") == `"NS"`:
			return nil
		}
	}
	for _, c := range changes {
		if zone != "" && c.Type == "aws_acm_certificate_validation" && c.Action == Create {
			found = append(found, Finding{Risk: Downtime, Address: c.Address, Text: "the apply waits up to 75 minutes for this certificate, and " +
				"fails: it is issued once the domain is pointed at the name servers of " + zone + ", which this plan makes. Make the zone first " +
				"(of these modules: `delegated = false` in `domain`), set its name servers where the domain is registered, and apply again"})
		}
	}
	return found
}

// value returns what an attribute becomes, as the plan writes it, or "".
func (c Change) value(name string) string {
	for _, a := range c.Attributes {
		if a.Path == name {
			return a.After
		}
	}
	return ""
}

// templateSuffix marks the families of task definitions that the next deploy renders.
const templateSuffix = "-template"

// rollsOut are the attributes of an ECS service whose change starts a deployment. Source: "UpdateService" in the ECS API
// reference.
var rollsOut = []string{
	"task_definition", "network_configuration", "platform_version", "force_new_deployment", "load_balancer", "service_registries",
	"capacity_provider_strategy", "enable_execute_command", "service_connect_configuration", "volume_configuration",
}

// services tells what happens to running ECS services, and when.
func services(changes []Change) []Finding {
	var found []Finding
	add := func(c Change, text string) { found = append(found, Finding{Address: c.Address, Text: text}) }
	for _, c := range changes {
		switch {
		case c.Type == "aws_ecs_service" && c.Action == Update:
			var why []string
			for _, a := range c.Attributes {
				top, _, _ := strings.Cut(a.Path, ".")
				top, _, _ = strings.Cut(top, "[")
				if slices.Contains(rollsOut, top) && !slices.Contains(why, top) {
					why = append(why, top)
				}
			}
			if len(why) > 0 {
				add(c, "rolls out new tasks now, because "+strings.Join(why, ", ")+" changes")
			} else {
				add(c, "changes without new tasks")
			}
		case c.Type == "aws_ecs_service" && c.Action == Create:
			add(c, "starts")
		case c.Type == "aws_ecs_service" && c.Action.Destroys():
			add(c, "its tasks are stopped")
		case c.Type == "aws_ecs_task_definition" && (c.Action == Update || c.Action.Replaces()):
			if strings.HasSuffix(c.family, templateSuffix) {
				add(c, "a new revision of the template: nothing restarts, the next deploy renders it")
			} else {
				add(c, "a new revision: it runs where a service or a schedule takes it up")
			}
		}
	}
	return found
}

// Guard says what must not be destroyed.
type Guard struct {
	Protect []string // resource types and addresses; "stateful" stands for Stateful(); a trailing * matches the rest
	Allow   []string // exact addresses that may be destroyed all the same
}

// Violation is a protected resource that a plan destroys.
type Violation struct {
	Address   string
	Action    Action
	Protected string // the entry that protects it
}

// Check returns what the plan would destroy although it is protected, and the allowances that match nothing in the plan:
// those are likely misspelt, or left over.
func (g Guard) Check(p *Plan) (violations []Violation, idle []string) {
	used := map[string]bool{}
	for _, c := range p.Changes {
		if !c.Action.Destroys() || c.Data {
			continue
		}
		if slices.Contains(g.Allow, c.Address) {
			used[c.Address] = true
			continue
		}
		if by := g.protects(c); by != "" {
			violations = append(violations, Violation{c.Address, c.Action, by})
		}
	}
	for _, address := range g.Allow {
		if !used[address] {
			idle = append(idle, address)
		}
	}
	return violations, idle
}

func (g Guard) protects(c Change) string {
	for _, entry := range g.Protect {
		if entry == "stateful" {
			if _, ok := stateful[c.Type]; ok {
				return c.Type
			}
			continue
		}
		// An address covers its instances: module.a covers module.a.x, x.y covers x.y[0].
		if matches(entry, c.Type) || matches(entry, c.Address) ||
			strings.HasPrefix(c.Address, entry+".") || strings.HasPrefix(c.Address, entry+"[") {
			return entry
		}
	}
	return ""
}
