package ecsdeploy

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/preflight"
	"github.com/org/connect2/v2/pkg/record"
)

// What the input verify can say.
const (
	verifyFirst = "true" // before anything is changed
	verifyOnly  = "only" // and nothing else
)

// VerifiesOnly reports whether the run is to check and change nothing.
func (in Inputs) VerifiesOnly() bool { return in.Verify == verifyOnly }

// verifyLimit is how long all reads of a check may take. What has not been answered by then is not checked.
const verifyLimit = time.Minute

// verify looks whether the tasks would start, tells what was found, and returns what is certainly absent.
func verify(ctx context.Context, events record.Sink, read preflight.Reads, question preflight.Question) (problems []error) {
	limited, done := context.WithTimeout(ctx, verifyLimit)
	defer done()
	end := events.Group("Would it start?")
	defer end()
	table := record.Table{Head: []string{"Checked", "Result", "Found"}}
	for _, check := range preflight.Run(limited, read, question) {
		table.Rows = append(table.Rows, []record.Text{{Text: check.What}, {Text: string(check.State), Form: record.Strong},
			{Text: check.Detail}})
		switch check.State {
		case preflight.Absent:
			problems = append(problems, fmt.Errorf("verify: %s", check))
			fallthrough
		default:
			events.Notef("%s: %s: %s", check.State, check.What, check.Detail)
			awserr.Optional(events, "Whether the tasks would start, in part", check.Err)
		case preflight.Doubtful:
			events.Warnf("The tasks may not start", "%s", check)
		}
	}
	events.Section(record.Section{Name: "verify", Title: "Would it start?", Folded: len(problems) == 0,
		Blocks: []record.Block{{Table: &table}}})
	return problems
}

// surgeOf returns how many tasks a deployment starts beside those that run, and whether it stops none of these before.
func surgeOf(service types.Service, desired int) (surge int, keepsAll bool) {
	most, least, staged := 200, 100, false
	if c := service.DeploymentConfiguration; c != nil {
		if c.MaximumPercent != nil {
			most = int(*c.MaximumPercent)
		}
		if c.MinimumHealthyPercent != nil {
			least = int(*c.MinimumHealthyPercent)
		}
		staged = c.Strategy != "" && c.Strategy != types.DeploymentStrategyRolling
	}
	if staged {
		return desired, true
	}
	surge = desired*most/100 - desired
	if surge <= 0 && desired > 0 && least < 100 {
		return 0, false
	}
	return max(surge, min(desired, 1)), least >= 100
}

// subnetsOf returns the subnets that the service's tasks start in.
func subnetsOf(service types.Service) []string {
	if service.NetworkConfiguration == nil || service.NetworkConfiguration.AwsvpcConfiguration == nil {
		return nil
	}
	return service.NetworkConfiguration.AwsvpcConfiguration.Subnets
}

// verify looks whether the tasks of what is rendered would start, where that is asked for.
func (p *plan) verify(ctx context.Context) []error {
	if p.in.Verify != verifyFirst && p.in.Verify != verifyOnly {
		return nil
	}
	question := preflight.Question{Document: p.rendered, Region: p.conn.Region, Account: p.conn.AccountID, Subnets: subnetsOf(p.service)}
	for _, container := range p.rendered.Containers() {
		if p.comesLater(container) {
			question.Without = append(question.Without, container)
		}
	}
	question.Surge, question.KeepsAll = surgeOf(p.service, p.wants())
	return verify(ctx, p.env.Events, preflight.AWS(p.conn.Config, p.registries), question)
}
