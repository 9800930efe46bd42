package ecsdeploy

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/rollout"
)

// tellWhoEnded says who has rolled this deployment back, and why, where a rollback has written that down. Without it the run would
// only know that it was stopped, or that another deployment took over.
func (d *Deployment) tellWhoEnded(ctx context.Context, result rollout.Result, begun time.Time) {
	ends := []rollout.End{rollout.EndRolledBack, rollout.EndSuperseded}
	if ctx.Err() != nil || result.By != rollout.ByECS || !slices.Contains(ends, result.End) {
		return
	}
	service, err := ecsview.Find(ctx, d.client, d.in.Cluster, d.in.Service)
	if err != nil {
		d.env.Events.Debugf("whether somebody rolled the deployment back is not known: %v", err)
		return
	}
	rollback := hold.Of(service).Last
	if !rollback.Ended(arn.Revision(result.Target.TaskDefinition), begun) {
		return
	}
	text := "to " + rollback.To + rollback.String()
	d.env.Events.Warnf("The deployment was rolled back by "+orSomebody(rollback.By), "%s was rolled back %s", rollback.From, text)
	d.env.Events.Fact("Rolled back", record.Text{Text: strings.TrimSpace(text)})
}

func orSomebody(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}
