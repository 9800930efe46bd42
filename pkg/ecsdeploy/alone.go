package ecsdeploy

import (
	"context"
	"fmt"
	"os"

	"github.com/org/connect2/v2/internal/ownership"
	"github.com/org/connect2/v2/pkg/action"
)

// writeDocument writes the rendered task definition to a file, for what registers it elsewhere, and changes nothing.
func (p *plan) writeDocument(out Outputs) (Outputs, error) {
	// Environment variables may hold what is nobody else's business: the file is for one user alone.
	if err := os.WriteFile(p.in.RenderOnly, p.rendered.Indented(), 0o600); err != nil {
		return out, action.Invalidf("render-only: writing the task definition: %w", err)
	}
	ownership.Inherit(p.in.RenderOnly)
	out.Outcome, out.TaskDefinition = action.Succeeded, p.in.RenderOnly
	p.tellFacts()
	p.tellChanges(p.changes())
	p.env.Events.Decided(fmt.Sprintf("wrote the task definition of %s to %s", p.family, p.in.RenderOnly), "nothing was registered or deployed")
	return out, nil
}

// registerAlone registers the rendered task definition where no revision has its content, and leaves the service as it is.
func (p *plan) registerAlone(ctx context.Context, out Outputs) (Outputs, error) {
	p.tellFacts()
	p.tellChanges(p.changes())
	switch {
	case p.existing != nil:
		p.env.Events.Decided("nothing to register", p.existing.Name()+" has this content")
		out.Outcome = action.NoChange
		return out, nil
	case p.in.DryRun:
		p.env.Events.Noticef("Dry run", "a revision of %s would be registered, and the service left as it is. Nothing was changed.", p.family)
		out.Outcome = action.Succeeded
		return out, nil
	}
	p.env.Events.Decided("registering a revision of "+p.family, "no registered revision has this content; the service is left as it is")
	revision, err := p.register(ctx, nil)
	if err != nil {
		return out, notRegistered(err)
	}
	out.Outcome, out.TaskDefinitionARN = action.Succeeded, revision.ARN
	return out, nil
}
