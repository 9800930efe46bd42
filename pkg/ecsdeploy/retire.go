package ecsdeploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/history"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/operate"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/schedule"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Revisions says how many revisions of the service's family are kept.
type Revisions struct {
	Keep int `input:"keep-revisions" default:"0" min:"0" max:"1000000" doc:"How many ACTIVE revisions of the service's family to keep. After the deployment has succeeded, older ones are deregistered, but never one that runs, that a deployment still listed by ECS deployed or replaced, that a rule or schedule of the cluster runs, or that a hold names. If any of this cannot be read, nothing is deregistered. 0: keep all."`
}

// checkRevisions returns what is wrong with keep-revisions by itself.
func (in Inputs) checkRevisions() []error {
	if in.Revisions.Keep == 0 || in.Wait && !in.RegisterOnly && in.RenderOnly == "" {
		return nil
	}
	return []error{errors.New("keep-revisions: older revisions are deregistered once the new one is deployed: this needs wait: true, and " +
		"neither register-only nor render-only")}
}

// retireMost is how many revisions one run deregisters: ECS takes 20 at once and one a second after that. retireLimit is how long that and
// the reads for it may take.
const (
	retireMost  = 50
	retireLimit = 3 * time.Minute
)

// retire deregisters the family's revisions that nothing needs any more. It is optional: whatever fails is a warning, and leaves the rest
// to the next run.
func (c *candidate) retire(ctx context.Context) {
	if c.in.Revisions.Keep == 0 || ctx.Err() != nil {
		return
	}
	ctx, done := context.WithTimeout(ctx, retireLimit)
	defer done()
	old, err := c.surplus(ctx, c.in.Revisions.Keep)
	if err != nil {
		c.notRetired("None was deregistered", err)
		return
	}
	if len(old) == 0 {
		c.env.Events.Notef("no revision of %s is to be deregistered", c.family)
		return
	}
	var gone []string
	for _, revision := range old[:min(len(old), retireMost)] {
		if err = taskdef.Deregister(ctx, c.client, revision); err != nil {
			break
		}
		gone = append(gone, revision)
	}
	if len(gone) > 0 {
		text := fmt.Sprintf("%s of %s: %s", operate.Count(len(gone), "revision"), c.family, listed(gone))
		c.env.Events.Notef("deregistered %s", text)
		c.env.Events.Fact("Deregistered", record.Text{Text: text})
	}
	left := len(old) - len(gone)
	switch {
	case err != nil:
		c.notRetired(fmt.Sprintf("%s that nothing needs are still ACTIVE", operate.Count(left, "revision")), err)
	case left > 0:
		c.env.Events.Notef("%s more are left to the next run: one run deregisters %d", operate.Count(left, "revision"), retireMost)
	}
}

// notRetired warns that revisions were left registered.
func (c *candidate) notRetired(what string, err error) {
	if awserr.Optional(c.env.Events, "Deregistering older revisions (keep-revisions)", err) {
		return
	}
	c.env.Events.Warnf("Older revisions left", "%s of %s: %v. The next deployment tries again.", what, c.family, awserr.Explain(err))
}

// tellRetire says what a dry run would deregister. fresh says that one more revision would be registered before.
func (c *candidate) tellRetire(ctx context.Context, fresh bool) {
	keep := c.in.Revisions.Keep
	if keep == 0 {
		return
	}
	if fresh {
		keep--
	}
	switch old, err := c.surplus(ctx, keep); {
	case err != nil:
		c.notRetired("It is not known which revisions would be deregistered", err)
	case len(old) == 0:
		c.env.Events.Notef("no revision of %s would be deregistered", c.family)
	default:
		old = old[:min(len(old), retireMost)]
		c.env.Events.Notef("%s of %s would be deregistered: %s", operate.Count(len(old), "revision"), c.family, listed(old))
	}
}

// surplus reads the family's revisions, and then what they are needed for: what comes to be used meanwhile is seen by that. It returns
// those that can be deregistered.
func (c *candidate) surplus(ctx context.Context, keep int) ([]string, error) {
	active, err := ecsview.ActiveRevisions(ctx, c.client, c.family)
	if err != nil || len(active) <= keep {
		return nil, err
	}
	needed, err := c.needed(ctx)
	if err != nil {
		return nil, err
	}
	held := needed.held
	needed.held = nil
	old := retirable(active, keep, needed)
	if len(held) == 0 || len(old) == 0 {
		return old, nil
	}
	needed.held, needed.images = held, map[string][]string{}
	for name, revision := range history.Describe(ctx, c.client, old[:min(len(old), retireMost)]) {
		images := []string{}
		for _, container := range revision.Document.Containers() {
			images = append(images, revision.Document.Image(container))
		}
		needed.images[name] = images
	}
	return retirable(active, keep, needed), nil
}

// needed reads what revisions of the family are needed for: by this service, by those of the same release that share the family, and by
// whatever else runs in the cluster.
func (c *candidate) needed(ctx context.Context) (needs, error) {
	var n needs
	for _, service := range append([]user{{&c.current, c.replaces}}, c.sharing...) {
		if err := service.addNeeds(ctx, &n); err != nil {
			return n, err
		}
	}
	running, err := c.runningRevisions(ctx)
	if err != nil {
		return n, err
	}
	n.tasks = running
	found, err := schedule.New(c.conn.Config, c.env.Clock()).Find(ctx, aws.ToString(c.service.ClusterArn))
	if err != nil {
		return n, err
	}
	for _, s := range found {
		for _, target := range s.Targets {
			n.schedules = append(n.schedules, target.TaskDefinition)
		}
	}
	return n, nil
}

// user is a service whose revisions are needed.
type user struct {
	*current
	replaces string // what it ran before an earlier attempt at this release, FAMILY:NUMBER
}

// addNeeds reads and adds what one service needs: for what runs, for a rollback, and for its hold.
func (u *user) addNeeds(ctx context.Context, n *needs) error {
	var untold error
	service, err := ecsview.Lookup(ctx, u.client, u.in.Cluster, u.in.Service, func(err error) { untold = err })
	if err != nil {
		return err
	}
	if untold != nil {
		return fmt.Errorf("reading the tags of service %s, and so its hold: %w", u.in.Service, untold)
	}
	now := ecsview.SnapshotOf(service)
	past, err := history.Read(ctx, u.client, u.in.Cluster, u.in.Service, now.Current)
	if err != nil {
		return err
	}
	n.ofService(now, u.before, u.replaces)
	n.ofHold(hold.Of(service))
	n.ofHistory(past)
	for _, deployment := range notTold(past, now) {
		before, err := history.Replaced(ctx, u.client, deployment)
		if err != nil {
			return err
		}
		for _, one := range before {
			n.replaced = append(n.replaced, one.TaskDefinition)
		}
	}
	return nil
}

// runningRevisions returns what the tasks of the family run that are in the cluster.
func (c *current) runningRevisions(ctx context.Context) (all []string, err error) {
	running, err := oneoff.Running(ctx, c.client, c.in.Cluster, c.family)
	if err != nil {
		return nil, err
	}
	tasks, err := ecsview.DescribeTasks(ctx, c.client, c.in.Cluster, running)
	for _, task := range tasks {
		all = append(all, task.TaskDefinition)
	}
	return all, err
}
