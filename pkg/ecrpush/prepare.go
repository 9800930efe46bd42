package ecrpush

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/image"
)

// Push is a push that was checked and not begun. Close frees what its source holds.
type Push struct {
	env  *action.Env
	in   Inputs
	src  *image.Source
	plan *image.Plan
	told teller
	to   *image.Destination
	also []*image.Destination

	signature string // where the signature that counts is, if one is asked for

	before []image.Finding // of the image that a tag points at so far, for the scan
	// nothing is set where the source is not there and that is not a failure: src and plan are nil then.
	nothing bool
}

// Close frees what the source holds open.
func (p *Push) Close() error { return p.src.Close() }

// Nothing says whether there is nothing to push: the source is not in its registry, and the inputs call that no failure.
func (p *Push) Nothing() bool { return p.nothing }

// Digest returns the digest of the image, if it is known before its layers are compressed.
func (p *Push) Digest() (digest string, ok bool) {
	if p.nothing {
		return "", false
	}
	return p.plan.Digest()
}

// Repository returns the URI of the repository, empty while it does not exist.
func (p *Push) Repository() string { return p.to.URI }

// Platforms returns the platforms of the image or index.
func (p *Push) Platforms() []string {
	if p.nothing {
		return nil
	}
	return p.src.Platforms()
}

// Prepare checks everything that a push rests on and writes nothing: the source, whole but for the content of its layers; the
// repository; the tags and whether they may move. All problems are reported together, with the outcome Invalid. A nil
// connection serves registries that are not on AWS.
func Prepare(ctx context.Context, env *action.Env, conn *awsconn.Conn, in Inputs) (*Push, error) {
	p := &Push{env: env, in: in, told: teller{events: env.Events}}
	registries := p.registries(conn)

	var srcErr, toErr, tagErr error
	if in.Tags, tagErr = knownIn(env).tags(in.Tags); tagErr != nil {
		return nil, problems(ctx, tagErr)
	}
	p.in = in
	lookUp := sync.OnceValues(func() (*image.Destination, error) { return destination(ctx, registries, in, in.Repository) })
	p.also = make([]*image.Destination, len(in.Also))
	alsoErrs := make([]error, len(in.Also))
	var all sync.WaitGroup
	all.Go(func() { p.src, srcErr = p.openSource(ctx, registries, lookUp) })
	all.Go(func() { p.to, toErr = lookUp() })
	for i, name := range in.Also {
		all.Go(func() { p.also[i], alsoErrs[i] = destination(ctx, registries, in, name) })
	}
	attach, _ := parseAttach(in.Attach) // checked with the inputs
	for i, a := range attach {
		attach[i].Path = env.Inside(a.Path)
	}
	var keys image.PublicKeys
	var keysErr error
	if in.VerifySignature != "" {
		keys, keysErr = readKeys(in.VerifySignature)
	}
	loginErr := publicLogin(registries.Keychain, append([]string{in.Repository}, in.Also...)...)
	all.Wait()
	toErr = errors.Join(append([]error{toErr}, alsoErrs...)...)
	if absent(srcErr) && toErr == nil && in.IfAbsent == "skip" {
		p.nothing = true
		return p, nil
	}
	if err := problems(ctx, srcErr, toErr, keysErr, loginErr); err != nil {
		p.src.Close()
		return nil, err
	}
	err := p.verify(ctx, keys)
	if err != nil {
		p.src.Close()
		return nil, problems(ctx, err)
	}
	if in.SOCI {
		if err := p.src.MakeLazy(ctx, p.told.event); err != nil {
			p.src.Close()
			return nil, problems(ctx, err)
		}
	}
	p.plan, err = image.NewPlan(ctx, p.src, p.to, image.PlanOptions{Tags: in.Tags, MountFrom: in.MountFrom,
		Codec: image.Codec(in.Compression), Also: p.also, Before: p.gateOf(in.Scan),
		Referrers: image.Referrers(in.Referrers), Attach: attach})
	if err == nil {
		err = p.readScanBefore(ctx)
	}
	if err == nil && in.DryRun {
		err = p.plan.Check(ctx)
	}
	if err != nil {
		p.src.Close()
		return nil, problems(ctx, err)
	}
	return p, nil
}

// registries returns the way to the registries: through the connection, or without AWS.
func (p *Push) registries(conn *awsconn.Conn) *image.Registries {
	rs := &image.Registries{Transport: p.env.Transport}
	if conn != nil {
		transport := p.env.Transport
		if transport == nil {
			transport = conn.Transport
		}
		rs = image.NewRegistries(conn.Config, transport)
	}
	rs.Keychain = logins(p.in.Credentials).keychain()
	p.env.Hide(logins(p.in.Credentials).secrets()...)
	rs.Mask = p.env.Hide
	rs.Observe = p.told.event
	return rs
}

// knownIn returns what tags may have placeholders for. Of a pull request the branch is its own, not the merge's.
func knownIn(env *action.Env) known {
	k := known{sha: env.Var("GITHUB_SHA"), branch: env.Var("GITHUB_HEAD_REF"), day: env.Clock().Now()}
	if k.branch == "" {
		k.branch = env.Var("GITHUB_REF_NAME")
	}
	return k
}

// destination looks a repository up. A missing one is a problem unless it is to be created.
func destination(ctx context.Context, registries *image.Registries, in Inputs, name string) (*image.Destination, error) {
	to, err := registries.Destination(ctx, name, in.Tags...)
	if err != nil {
		return nil, err
	}
	if to.Missing && !in.CreateRepository {
		return nil, &missingRepository{name: to.Name, near: to.Near(ctx)}
	}
	return to, nil
}

// missingRepository says that ECR has no such repository.
type missingRepository struct {
	name string
	near []string

	source bool // something was to be read from it
}

func (e *missingRepository) Error() string {
	msg := fmt.Sprintf("the ECR repository %q does not exist in this account and region", e.name)
	if e.source {
		msg += "; one that a pull-through cache makes with the first pull is given with its host, HOST/" + e.name + ":TAG"
	}
	if len(e.near) > 0 {
		msg += fmt.Sprintf(" (there is %q)", e.near)
	}
	return msg
}

// problems joins what is wrong into one refusal. What ends the context is passed on as it is.
func problems(ctx context.Context, all ...error) error {
	err := errors.Join(all...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &action.Error{Outcome: action.OutcomeOf(ctx.Err()), Title: "Stopped before anything was sent", Err: context.Cause(ctx)}
	}
	failure := &action.Error{Outcome: action.Invalid, Title: titleOf(err), Advice: adviceOf(err), Err: awserr.Explain(err)}
	return failure
}
