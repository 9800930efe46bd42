package migrate

import (
	"context"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/taskdef"
	"github.com/org/connect2/v2/pkg/verdict"
)

// refuseOlder ends the migration of a commit that is older than the one that runs, where the order of commits can be told: its
// release would be refused as well, and the newer one has migrated already.
func (p *Plan) refuseOlder(ctx context.Context, env *action.Env, in Inputs, current string) error {
	if in.Order.List == "" || strings.HasSuffix(arn.Family(current), taskdef.TemplateSuffix) {
		return nil
	}
	running := commits.Running{Revision: arn.Revision(current)}
	revision, err := taskdef.Describe(ctx, p.clients.ecs, current)
	switch {
	case err == nil:
		running.Commit = revision.Tags[commits.Tag]
	case !awserr.Optional(env.Events, "The commit that runs", err):
		return awserr.Explain(err)
	}
	return verdict.Older(in.Order.Check(env.Events, in.Order.Released(env.GitHub.SHA), running))
}
