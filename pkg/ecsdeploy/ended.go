package ecsdeploy

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// lookAfter reads the service once more where ECS ended this deployment for a reason that somebody may have given; nil where it did not,
// or where it cannot be read.
func (c *current) lookAfter(ctx context.Context, result rollout.Result) *types.Service {
	ends := []rollout.End{rollout.EndRolledBack, rollout.EndSuperseded}
	if ctx.Err() != nil || result.By != rollout.ByECS || !slices.Contains(ends, result.End) {
		return nil
	}
	service, err := ecsview.Find(ctx, c.client, c.in.Cluster, c.in.Service)
	if err != nil {
		c.env.Events.Debugf("whether somebody rolled the deployment back is not known: %v", err)
		return nil
	}
	return &service
}

// tellWhoEnded says who has rolled this deployment back, and why, where a rollback has written that down. Without it the run would
// only know that it was stopped, or that another deployment took over.
func (c *current) tellWhoEnded(service *types.Service, result rollout.Result, begun time.Time) {
	if service == nil {
		return
	}
	rollback := hold.Of(*service).Last
	if !rollback.Ended(arn.Revision(result.Target.TaskDefinition), begun) {
		return
	}
	text := "to " + rollback.To + rollback.String()
	c.env.Events.Warnf("The deployment was rolled back by "+orSomebody(rollback.By), "%s was rolled back %s", rollback.From, text)
	c.env.Events.Fact("Rolled back", record.Text{Text: strings.TrimSpace(text)})
}

func orSomebody(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}
