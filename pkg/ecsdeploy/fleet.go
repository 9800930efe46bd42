package ecsdeploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/fleet"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/schedule"
)

// Fleet is the deployment of several services that was checked and can be executed.
type Fleet struct {
	env      *action.Env
	names    []string
	members  []fleet.Member
	services []*Deployment
	together bool

	schedules *schedule.Set // what goes along; nil where nothing does
}

// PrepareFleet is Prepare for several services. What was read of one is not read again for another. The problems of all of them are
// returned together.
func PrepareFleet(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs, chosen project.Chosen) (*Fleet, error) {
	if err := awsconn.Refuse(ctx, refused, in.alone(chosen)...); err != nil {
		return nil, err
	}
	sharing := *conn
	sharing.Config = ecsview.Share(conn.Config, awsconn.Patient(conn.Config, in.Timeout), env.Clock())
	f := &Fleet{env: env, together: in.Together != "false", services: make([]*Deployment, len(chosen.Members))}
	images := &resolved{}
	problems := make([]error, len(chosen.Members))
	f.members, f.names = fleet.MembersOf(chosen.Members)
	// The schedules are of all together.
	containers := project.Chosen{Builds: chosen.Builds, Containers: chosen.Containers, Partial: true}
	in.OfFile = &chosen
	fleet.Each(len(chosen.Members), fleet.AtOnce, func(i int) {
		own := in
		own.Service = chosen.Members[i].Service
		own.Schedules, own.OfFile = Schedules{}, &containers
		f.services[i], problems[i] = prepare(ctx, env.Lane(f.names[i]), &sharing, own, images)
	})
	if err := f.refusal(ctx, problems); err != nil {
		return nil, err
	}
	if err := awsconn.Refuse(ctx, refused, slices.Concat(f.openSchedules(ctx, in), f.strangers(in), one(f.unclear(in)))...); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Fleet) refusal(ctx context.Context, problems []error) error {
	if err := fleet.Refusal(refused, f.names, problems); err != nil {
		return awsconn.Refuse(ctx, refused, err)
	}
	return nil
}

// unclear returns what speaks against one image for all services.
func (f *Fleet) unclear(in Inputs) error {
	input := "image"
	if in.ImageLater {
		input = "source"
	} else if in.Image == "" || in.Image == Running {
		return nil
	}
	var all []mainImage
	for i, d := range f.services {
		_, named := in.givenFor(d.container)
		all = append(all, mainImage{f.names[i], in.builds()[d.container], named})
	}
	return unclear(input, all)
}

// alone returns what the inputs ask for that makes sense for one service alone.
func (in Inputs) alone(chosen project.Chosen) (problems []error) {
	for _, only := range []struct {
		input string
		given bool
	}{{"task-definition", in.TaskDefinition != ""}, {"render-only", in.RenderOnly != ""}, {"register-only", in.RegisterOnly},
		{"queue", in.Queue > 0}, {"wait: false", !in.Wait},
		{"desired-count, propagate-tags, enable-ecs-managed-tags", in.Settings.given()}} {
		if only.given {
			problems = append(problems, fmt.Errorf("%s: it is for one service, and %s has %d: name one with service", only.input, in.File,
				len(chosen.Members)))
		}
	}
	return problems
}

// SetImages is that of all deployments.
func (f *Fleet) SetImages(ctx context.Context, refs map[string]string) error {
	problems := make([]error, len(f.services))
	fleet.Each(len(f.services), fleet.AtOnce, func(i int) { problems[i] = f.services[i].SetImages(ctx, refs) })
	return f.refusal(ctx, problems)
}

// Main is that of the deployment of a service, by its name in ECS.
func (f *Fleet) Main(service string) (container, key string) {
	for _, d := range f.services {
		if d.in.Service == service {
			return d.Main(service)
		}
	}
	return "", ""
}

// CheckLater refuses an image that has nothing for the tasks' platform of a service that gets it.
func (f *Fleet) CheckLater(name string, has []string) error {
	problems := make([]error, len(f.services))
	for i, d := range f.services {
		problems[i] = d.CheckLater(name, has)
	}
	return fleet.Refusal("", f.names, problems)
}

// Execute deploys the services in their order. Where one fails, what this run has changed is put back, if they belong together.
func (f *Fleet) Execute(ctx context.Context) (Outputs, error) {
	members := f.memberships(f.env.Clock().Now())
	outs, ends := make([]Outputs, len(f.services)), make([]ended, len(f.services))
	for i, d := range f.services { // of one that is not begun, what an earlier attempt did is known
		ends[i].candidate = d.candidate(members[i])
	}
	results := fleet.Run(ctx, f.members, f.together, func(ctx context.Context, i int) error {
		_, end := fleet.Begin(f.env, f.names[i])
		var err error
		outs[i], ends[i], err = f.services[i].execute(ctx, members[i])
		if err != nil && errors.Is(context.Cause(ctx), fleet.ErrStopped) && action.OutcomeOf(err) == action.Cancelled {
			err = &action.Error{Outcome: action.Cancelled, Title: "Stopped, since another service failed", Err: fleet.ErrStopped}
		}
		end(outs[i].Outcome, err)
		return err
	})
	standings := f.standings(results, outs, ends)
	interrupted := ctx.Err() != nil
	if f.together && !f.services[0].in.DryRun && goesBack(standings, interrupted) {
		f.goBack(ctx, standings, outs, ends)
		return f.conclude(standings, outs, interrupted, nil)
	}
	changed, unpointed := f.point(ctx, standings, ends)
	left := f.unpointed(ctx, unpointed, standings, outs, ends)
	out, err := f.conclude(standings, outs, ctx.Err() != nil, left)
	out.Changed = out.Changed || changed
	if err == nil && changed {
		out.Outcome = action.Succeeded
	}
	if err == nil {
		f.retire(ctx, standings, outs, ends)
	}
	return out, err
}

// share tells the services of one family of each other: what one of them needs is not deregistered for another.
func (f *Fleet) share(all []membership) {
	for i, d := range f.services {
		all[i].retiresLater = true
		for j, other := range f.services {
			if i != j && other.family == d.family {
				all[i].sharing = append(all[i].sharing, user{&other.current, all[j].replaces})
			}
		}
	}
}

// retire deregisters older revisions of what was deployed, each family once.
func (f *Fleet) retire(ctx context.Context, all []fleet.Standing, outs []Outputs, ends []ended) {
	done := map[string]bool{}
	for i, d := range f.services {
		if all[i].After == fleet.Arrived && outs[i].Changed && !done[d.family] && !d.in.DryRun {
			done[d.family] = true
			ends[i].retire(ctx)
		}
	}
}

// standings are how the services are when all deployments have ended.
func (f *Fleet) standings(results []fleet.Result, outs []Outputs, ends []ended) []fleet.Standing {
	all := make([]fleet.Standing, len(results))
	for i, r := range results {
		d := f.services[i]
		all[i] = fleet.Standing{Name: f.names[i], Service: d.in.Service, Place: r.Place, Err: r.Err, After: fleet.Ended}
		switch {
		case r.State == fleet.Skipped:
			all[i].After, all[i].Revision = fleet.Untouched, arn.Revision(d.before.TaskDefinition)
		case r.Err == nil && outs[i].Outcome == action.NoChange:
			all[i].After, all[i].Revision = fleet.Unchanged, arn.Revision(outs[i].TaskDefinitionARN)
		case r.Err == nil && d.in.DryRun:
			all[i].After, all[i].Revision = fleet.Rehearsed, arn.Revision(outs[i].TaskDefinitionARN)
		case r.Err == nil:
			all[i].After, all[i].Revision = fleet.Arrived, arn.Revision(outs[i].TaskDefinitionARN)
		case ends[i].arrived && action.OutcomeOf(r.Err) == action.Cancelled: // interrupted during its bake
			all[i].After, all[i].Revision = fleet.Arrived, arn.Revision(outs[i].TaskDefinitionARN)
		case ends[i].result.Serving != "":
			all[i].Revision = arn.Revision(ends[i].result.Serving)
		}
	}
	return all
}

// goBack puts back what this release has changed, in reverse order.
func (f *Fleet) goBack(ctx context.Context, all []fleet.Standing, outs []Outputs, ends []ended) {
	fault := fleet.Fault(all)
	f.env.Events.Decided("the services that this release has changed go back", "one of them did not arrive, and they belong together")
	fleet.Run(context.WithoutCancel(ctx), fleet.Reversed(f.members), false, func(_ context.Context, i int) error {
		if ends[i].revision == nil || !isPutBack(all[i], fault, outs[i].Changed, ends[i].replaces != "") {
			return nil
		}
		after, revision, err := ends[i].goBack(ctx)
		if after == fleet.Back || after == fleet.GoingBack {
			if unpointed := f.pointBack(ctx, ends[i]); unpointed != nil {
				after, err = fleet.Stranded, unpointed
			}
		}
		if after == fleet.Back && all[i].Err != nil && !errors.Is(all[i].Err, fleet.ErrStopped) {
			all[i].Revision = revision
			return nil // it was put back by its own run
		}
		all[i].After, all[i].Revision, all[i].BackErr = after, revision, err
		return nil
	})
}

// conclude tells how all ended; schedules is what became of them where that was not well.
func (f *Fleet) conclude(all []fleet.Standing, outs []Outputs, interrupted bool, schedules *fleet.Standing) (Outputs, error) {
	fleet.Tell(f.env.Events, all)
	var out Outputs
	for _, one := range outs {
		out.Changed = out.Changed || one.Changed
		if out.Image == "" {
			out.Image, out.Digest = one.Image, one.Digest
		}
	}
	if fault := fleet.Fault(all); fault != nil {
		for i := range all {
			if all[i].Name == fault.Name {
				out.Cause = outs[i].Cause
			}
		}
	}
	out.Services = fleet.JSON(all)
	if schedules != nil {
		out.Cause = unpointedCode
		all = append(slices.Clip(all), *schedules)
	}
	interrupted = interrupted && !fleet.EndedWell(all)
	out.Outcome = fleet.Outcome(all, interrupted, out.Changed)
	if f.services[0].in.DryRun {
		out.Outcome = action.Succeeded
	}
	return out, fleet.Verdict(all, interrupted, out.Changed)
}

// memberships are what each service is in this release: what is written into what is registered for it, which of them an earlier attempt
// at this very release has changed already, and which share a family. A release that has nothing left to do, with services and schedules,
// came to its end: what it has changed stays.
func (f *Fleet) memberships(now time.Time) []membership {
	all := make([]membership, len(f.services))
	var content strings.Builder
	open := false
	for _, d := range f.services {
		fmt.Fprintf(&content, "%s/%s %s\n", arn.Last(d.in.Cluster), arn.Last(d.in.Service), d.rendered.ContentHash())
		open = open || d.todo() != nothing || f.schedules != nil && d.existing != nil && f.schedules.Points(d.family, d.existing.ARN)
	}
	sum := sha256.Sum256([]byte(content.String()))
	id := hex.EncodeToString(sum[:8])
	for i, d := range f.services {
		before := arn.Revision(d.before.Worked())
		all[i].tags = map[string]string{fleet.ReleaseTag: id, fleet.ReplacesTag: before}
		if d.existing == nil || !open || d.todo() != nothing && d.todo() != follow {
			continue
		}
		if attempt(d.existing.Tags, id, d.env.GitHub.RunID, d.before.Primary(), now) {
			all[i].replaces = d.existing.Tags[fleet.ReplacesTag]
			d.env.Events.Notef("an earlier attempt at this release has deployed %s in place of %s", d.existing.Name(), all[i].replaces)
		}
	}
	f.share(all)
	return all
}

// attemptAge is how long ago an attempt at a release may have deployed a service for a repeated run to go on with it, where no workflow
// run says that they are one.
const attemptAge = time.Hour

// attempt decides whether an earlier attempt at a release has deployed what a service runs: by the tags of its revision. Of the same run
// of a workflow it is, whenever that was.
func attempt(tags map[string]string, id, run string, primary *ecsview.Deployment, now time.Time) bool {
	if tags[fleet.ReleaseTag] != id || tags[fleet.ReplacesTag] == "" || primary == nil {
		return false
	}
	if run != "" && strings.Contains(tags["connect2:run"]+"/", "/runs/"+run+"/") {
		return true
	}
	return now.Sub(primary.Created) < attemptAge
}

// resolved are images that were looked up for one service and hold for the others.
type resolved struct {
	mu    sync.Mutex
	found map[string]*lookup
}

// lookup is an image that is being looked up, or was.
type lookup struct {
	done  chan struct{} // closed once it was
	image image.Descriptor
	err   error
}

// once looks an image up, or waits for whoever does already.
func (r *resolved) once(ref string, look func() (image.Descriptor, error)) (image.Descriptor, error) {
	if r == nil {
		return look()
	}
	r.mu.Lock()
	if r.found == nil {
		r.found = map[string]*lookup{}
	}
	found, begun := r.found[ref]
	if !begun {
		found = &lookup{done: make(chan struct{})}
		r.found[ref] = found
	}
	r.mu.Unlock()
	if begun {
		<-found.done
		return found.image, found.err
	}
	defer close(found.done)
	found.image, found.err = look()
	return found.image, found.err
}
