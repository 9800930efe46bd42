package ecsdeploy

import (
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// refuseOlder ends the release of a commit that is older than the one that runs, where the order of commits can be told.
func (d *Deployment) refuseOlder() error {
	var running commits.Running
	if !strings.HasSuffix(arn.Family(d.before.TaskDefinition), taskdef.TemplateSuffix) {
		running.Revision = arn.Revision(d.before.TaskDefinition)
	}
	if d.running != nil {
		running.Commit = d.running.Tags[commits.Tag]
	}
	return verdict.Older(d.in.Order.Check(d.env.Events, d.commit(), running))
}

// commit is the commit that is released. Rolling a changed template out with the image that runs releases no other one, whatever
// repository does it.
func (d *Deployment) commit() string {
	if d.keepsImage() && d.running != nil {
		return d.in.Order.Released(d.running.Tags[commits.Tag])
	}
	return d.in.Order.Released(d.env.GitHub.SHA)
}

// keepsImage says whether the image that runs is deployed again.
func (d *Deployment) keepsImage() bool {
	return !d.in.ImageLater && (d.in.Image == Running || d.in.Image == "" && d.in.TaskDefinition == "")
}
