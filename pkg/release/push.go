package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/record"
)

// push is one image of the release that was checked and not pushed.
type push struct {
	*ecrpush.Push
	name string // of the build or container that it is for, as in sources; "" for that of source
	part string // of the record
}

// sourced returns the names under which images are pushed: "" for source, then those of sources.
func (in Inputs) sourced() (names []string) {
	if in.Source != "" {
		names = append(names, "")
	}
	return append(names, slices.Sorted(maps.Keys(in.Sources))...)
}

// inputOf is where in the inputs an image stands that is pushed under a name.
func inputOf(name string) string {
	if name == "" {
		return "source"
	}
	return "sources: " + name
}

// pushes says whether anything is pushed.
func (in Inputs) pushes() bool { return in.Source != "" || len(in.Sources) > 0 }

// pushOf returns the inputs of the push of one image. Of a build that has a repository of its own the tags are as they are given; the
// others share one, in which the name of the build stands before each tag, but for the image of source or else of the first build.
func (in Inputs) pushOf(name string, builds []project.Build) ecrpush.Inputs {
	push := in.push()
	if name == "" {
		return push
	}
	push.Source, push.Attach = strings.TrimSpace(in.Sources[name]), nil
	switch i := slices.IndexFunc(builds, func(b project.Build) bool { return b.Name == name }); {
	case i >= 0 && builds[i].Repository != "":
		push.Repository, push.Also = builds[i].Repository, nil
		return push
	case i == 0 && in.Source == "":
		return push
	}
	push.Tags = slices.Clone(push.Tags)
	for i, tag := range push.Tags {
		push.Tags[i] = name + "-" + tag
	}
	return push
}

// checkSources returns what is wrong with the images that are pushed, and with how they are named.
func (in Inputs) checkSources() (problems []error) {
	told := map[string]bool{}
	for _, name := range in.sourced() {
		for _, problem := range in.pushOf(name, nil).Validate() {
			if told[problem.Error()] {
				continue
			}
			told[problem.Error()] = true
			if name != "" && strings.HasPrefix(problem.Error(), "source: ") {
				problem = fmt.Errorf("%s: %w", inputOf(name), problem)
			}
			problems = append(problems, problem)
		}
		if _, given := in.Deploy.Images[name]; given && name != "" {
			problems = append(problems, fmt.Errorf("%s: it is in images too: what is pushed is deployed, leave it out there",
				inputOf(name)))
		}
		if name != "" && strings.TrimSpace(in.Sources[name]) == "" {
			problems = append(problems, fmt.Errorf("%s: it is empty: was the step skipped that builds it?", inputOf(name)))
		}
	}
	if in.Source == "" && len(in.Sources) > 0 && len(in.Push.Attach) > 0 {
		problems = append(problems, errors.New("attach: the files are attached to the image of source, which is not given"))
	}
	return problems
}

// preparePushes checks all images that are to be pushed.
func (r *Release) preparePushes(ctx context.Context, conn *awsconn.Conn) (problems []error) {
	for _, name := range r.in.sourced() {
		one := push{name: name, part: strings.TrimSpace(partPush + " " + name)}
		in := r.in.pushOf(name, r.chosen.Builds)
		if len(in.Also) < len(r.in.Push.Also) {
			problems = append(problems, action.Invalidf("also: build %s has a repository of its own (%s), and where else it belongs is not "+
				"said: push it there with ecr-push", name, in.Repository))
		}
		var err error
		if one.Push, err = ecrpush.Prepare(ctx, r.env.Part(one.part), conn, in); err != nil {
			if name != "" {
				err = about(inputOf(name), err)
			}
			problems = append(problems, err)
			continue
		}
		r.pushes = append(r.pushes, one)
	}
	return problems
}

// about is an error with what it is about before it.
func about(what string, err error) error {
	named := &action.Error{Outcome: action.OutcomeOf(err), Err: fmt.Errorf("%s: %w", what, err)}
	var known *action.Error
	if errors.As(err, &known) {
		named.Title, named.Advice = known.Title, known.Advice
	}
	return named
}

// pushImages pushes all images, and tells the deployment and the migration of them.
func (r *Release) pushImages(ctx context.Context, out *Outputs) error {
	refs := map[string]string{}
	var lines []string
	for _, p := range r.pushes {
		end := r.begin(p.part)
		if p.name != "" {
			r.env.Events.Notef("pushing %s from %s", p.name, strings.TrimSpace(r.in.Sources[p.name]))
		}
		pushed, err := p.Execute(ctx)
		err = afterChange(err, out.Changed)
		end(pushed.Outcome, err)
		if out.Outcome == "" || out.Outcome == action.NoChange || err != nil {
			out.Outcome = pushed.Outcome
		}
		out.Changed = out.Changed || pushed.Changed
		if p.name == "" {
			out.Digest, out.Image = pushed.Digest, pushed.Image
		} else if pushed.Image != "" {
			lines = append(lines, p.name+"="+pushed.Image)
			out.Images = strings.Join(lines, "\n")
			r.env.Events.Fact("Image of "+p.name, record.Text{Text: pushed.Image, Form: record.Code})
		}
		if err != nil {
			return err
		}
		refs[p.name] = pushed.Image
	}
	if r.in.DryRun && out.Outcome != action.NoChange {
		return nil // an image that is not in the registry cannot be rendered
	}
	if err := r.deploy.SetImages(ctx, refs); err != nil {
		return afterPush(refs, err)
	}
	if ref := refs[r.migratesBy]; r.migration != nil && ref != "" {
		if err := r.migration.SetImage(ctx, ref); err != nil {
			return afterPush(refs, err)
		}
	}
	return nil
}

// afterPush is the error of a check that could only be made once the images were pushed.
func afterPush(refs map[string]string, err error) error {
	advice := "The service was not touched."
	var refused *action.Error
	if errors.As(err, &refused) && refused.Advice != "" {
		advice += " " + refused.Advice
	}
	images := slices.Sorted(maps.Values(refs))
	was := "was"
	if len(images) > 1 {
		was = "were"
	}
	return &action.Error{Outcome: action.Failed, Advice: advice,
		Err: fmt.Errorf("%s %s pushed, and cannot be deployed: %w", strings.Join(images, ", "), was, err)}
}
