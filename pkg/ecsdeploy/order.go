package ecsdeploy

import (
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// refuseOlder ends the release of a commit that is older than the one that runs, where the order of commits can be told.
func (s *source) refuseOlder() error {
	var running commits.Running
	if !strings.HasSuffix(arn.Family(s.before.TaskDefinition), taskdef.TemplateSuffix) {
		running.Revision = arn.Revision(s.before.TaskDefinition)
	}
	if s.running != nil {
		running.Commit = s.running.Tags[commits.Tag]
	}
	return verdict.Older(s.in.Order.Check(s.env.Events, s.commit(), running))
}

// commit is the commit that is released. Rolling a changed template out with the image that runs releases no other one, whatever
// repository does it.
func (s *source) commit() string {
	if s.keepsImage() && s.running != nil {
		return s.in.Order.Released(s.running.Tags[commits.Tag])
	}
	return s.in.Order.Released(s.env.GitHub.SHA)
}

// keepsImage says whether the image that runs is deployed again.
func (s *source) keepsImage() bool {
	if container, err := s.in.mainContainer(s.base.document); err == nil {
		if _, named := s.in.givenFor(container); named {
			return false
		}
	}
	return !s.in.ImageLater && (s.in.Image == Running || s.in.Image == "" && s.in.TaskDefinition == "")
}
