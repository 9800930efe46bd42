package ecsdeploy

import (
	"context"
	"fmt"
	"os"

	"github.com/org/connect2/v2/internal/ownership"
	"github.com/org/connect2/v2/pkg/action"
)

// writeDocument writes the rendered task definition to a file, for what registers it elsewhere, and changes nothing.
func (d *Deployment) writeDocument(out Outputs) (Outputs, error) {
	// Environment variables may hold what is nobody else's business: the file is for one user alone.
	if err := os.WriteFile(d.in.RenderOnly, d.rendered.Indented(), 0o600); err != nil {
		return out, action.Invalidf("render-only: writing the task definition: %w", err)
	}
	ownership.Inherit(d.in.RenderOnly)
	out.Outcome, out.TaskDefinition = action.Succeeded, d.in.RenderOnly
	d.tellFacts()
	d.tellChanges(d.changes())
	d.env.Events.Decided(fmt.Sprintf("wrote the task definition of %s to %s", d.family, d.in.RenderOnly), "nothing was registered or deployed")
	return out, nil
}

// registerAlone registers the rendered task definition where no revision has its content, and leaves the service as it is.
func (d *Deployment) registerAlone(ctx context.Context, out Outputs) (Outputs, error) {
	d.tellFacts()
	d.tellChanges(d.changes())
	switch {
	case d.existing != nil:
		d.env.Events.Decided("nothing to register", d.existing.Name()+" has this content")
		out.Outcome = action.NoChange
		return out, nil
	case d.in.DryRun:
		d.env.Events.Noticef("Dry run", "a revision of %s would be registered, and the service left as it is. Nothing was changed.", d.family)
		out.Outcome = action.Succeeded
		return out, nil
	}
	d.env.Events.Decided("registering a revision of "+d.family, "no registered revision has this content; the service is left as it is")
	revision, err := d.register(ctx)
	if err != nil {
		return out, d.notRegistered(err)
	}
	out.Outcome, out.TaskDefinitionARN = action.Succeeded, revision.ARN
	return out, nil
}
