package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/org/connect2/v2/internal/backoff"
)

// Attachment is a file that is attached to the image, such as an SBOM.
type Attachment struct {
	Type string // its artifact type, such as application/vnd.cyclonedx+json
	Path string
}

// Referrer is something that refers to an image, and what a push does with it.
type Referrer struct {
	Digest string
	Type   string    // its artifact type; empty where it has none
	On     string    // the digest of what it refers to
	Tag    string    // of cosign, such as sha256-HEX.sig; empty where its subject says what it refers to
	How    EventKind // Attached, or Reused where it was there
}

// emptyConfig is the configuration of an artifact, as the OCI specification has it.
var emptyConfig = []byte("{}")

const emptyType = types.MediaType("application/vnd.oci.empty.v1+json")

// attached is a file to attach to the image, read once.
type attached struct {
	Attachment
	blob Blob
}

// readAttachments reads the files that are to be attached: they have to be there, and their digests are wanted.
func readAttachments(files []Attachment) (all []attached, err error) {
	var problems []error
	for _, a := range files {
		digest, size, err := hashFile(a.Path)
		if err != nil {
			problems = append(problems, fmt.Errorf("attach %s: %w", a.Type, err))
			continue
		}
		d := v1.Descriptor{MediaType: types.MediaType(a.Type), Digest: digest, Size: size,
			Annotations: map[string]string{"org.opencontainers.image.title": filepath.Base(a.Path)}}
		all = append(all, attached{a, Blob{d, func(context.Context) (io.ReadCloser, error) { return os.Open(a.Path) }}})
	}
	return all, errors.Join(problems...)
}

// hashFile returns the digest and size of a regular file.
func hashFile(name string) (v1.Hash, int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	if !info.Mode().IsRegular() { // a named pipe would be waited for
		return v1.Hash{}, 0, fmt.Errorf("%s is not a file (%s)", name, info.Mode().Type())
	}
	f, err := os.Open(name)
	if err != nil {
		return v1.Hash{}, 0, err
	}
	defer f.Close()
	return v1.SHA256(f)
}

// on returns the artifact that attaches the file to a manifest. Equal files give equal artifacts.
func (a attached) on(subject *node) *referrer {
	raw, _ := json.Marshal(struct { // strings, numbers and maps alone
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		ArtifactType  string          `json:"artifactType"`
		Config        v1.Descriptor   `json:"config"`
		Layers        []v1.Descriptor `json:"layers"`
		Subject       v1.Descriptor   `json:"subject"`
	}{2, types.OCIManifestSchema1, a.Type, v1.Descriptor{MediaType: emptyType, Digest: sum(emptyConfig), Size: int64(len(emptyConfig)),
		Data: emptyConfig}, []v1.Descriptor{a.blob.Descriptor},
		v1.Descriptor{MediaType: subject.desc.MediaType, Digest: subject.desc.Digest, Size: int64(len(subject.raw))}})
	config := Blob{v1.Descriptor{MediaType: emptyType, Digest: sum(emptyConfig), Size: int64(len(emptyConfig))},
		func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(string(emptyConfig))), nil
		}}
	return &referrer{on: subject.desc.Digest, kind: a.Type, node: &node{raw: raw, config: config, layers: []layer{{Blob: a.blob}},
		desc: v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: sum(raw), Size: int64(len(raw))}}}
}

// along is what goes along with the image to all destinations.
type along struct {
	copied []*referrer // of the source
	files  []attached
	on     v1.Hash     // the image's digest for which all was made
	all    []*referrer // copied and files, in an order in which they may be stored
}

// of brings them up to date with the image, whose digest may be known only after its layers were compressed.
func (c *along) of(root *node) {
	if root.raw == nil || c.on == root.desc.Digest {
		return
	}
	c.on, c.all = root.desc.Digest, slices.Clone(c.copied)
	for _, f := range c.files {
		c.all = append(c.all, f.on(root))
	}
}

// survivors returns the referrers of what is pushed under the digest that it has in the source, and how many refer to what gets another.
func survivors(root *node, all []*referrer) (stay []*referrer, lost int) {
	alive := map[v1.Hash]bool{}
	root.walk(func(n *node) { alive[n.desc.Digest] = n.raw != nil })
	for _, r := range all {
		if !alive[r.on] {
			lost++
			continue
		}
		stay = append(stay, r)
		r.walk(func(n *node) { alive[n.desc.Digest] = true })
	}
	return stay, lost
}

// findReferrers reads what refers to the source and is to go along.
func (p *Plan) findReferrers(ctx context.Context, how Referrers) ([]*referrer, error) {
	elsewhere := func(q *Plan) bool {
		from := p.Source.from
		return from == nil || q.To.Missing || from.Registry != q.To.Registry || from.Name != q.To.Repository.Name
	}
	if how == SkipReferrers || !slices.ContainsFunc(append([]*Plan{p}, p.Also...), elsewhere) {
		return nil, nil
	}
	all, err := p.Source.referrers.read(ctx)
	var refusal *RegistryError
	switch {
	case err == nil && p.Source.referrers != nil && len(p.Source.referrers.notes) > 0:
		text := strings.Join(p.Source.referrers.notes, "; ")
		if how == CopyReferrers {
			return nil, fmt.Errorf("not all that refers to the image can be copied (referrers: copy asks for all of it): %s", text)
		}
		p.remark("%s", text)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case how == CopyReadable && errors.As(err, &refusal):
		p.remark("signatures, SBOMs and the like of the image are not copied: its registry does not say what refers to it (%v)", err)
		return nil, nil
	}
	return all, err
}

func (p *Plan) remark(format string, args ...any) {
	p.Source.Notes = append(p.Source.Notes, fmt.Sprintf(format, args...))
}

// keepReferrers settles what goes along, now that it is known what becomes of the image.
func (p *Plan) keepReferrers(found []*referrer, how Referrers) error {
	stay, lost := survivors(p.Source.root, found)
	p.along.copied = stay
	if lost == 0 {
		return nil
	}
	text := fmt.Sprintf("%d signatures, SBOMs or the like refer to %s, which gets another digest by compression or soci",
		lost, p.Source.opened)
	if how == CopyReferrers {
		return errors.New(text + ": they cannot be copied (referrers: copy); push the image as it is, without compression and soci")
	}
	p.remark("%s: they stay behind", text)
	return nil
}

// lookForReferrers asks the repository what of the image's referrers it has.
func (p *Plan) lookForReferrers(ctx context.Context) error {
	p.along.of(p.Source.root)
	p.met = map[*referrer]bool{}
	p.metOn = p.along.on
	if len(p.along.all) == 0 || p.To.Missing || p.To.fresh() {
		return nil
	}
	listed, err := p.listReferrers(ctx)
	if err != nil && !denied(err) {
		return err
	}
	tagged := map[string]*manifest{}
	var tags []string
	for _, r := range p.along.all {
		if r.tag != "" {
			tags = append(tags, r.tag)
		}
	}
	if len(tags) > 0 {
		if tagged, err = p.To.behind(ctx, tags); err != nil {
			return err
		}
	}
	for _, r := range p.along.all {
		if r.tag == "" {
			p.met[r] = listed[r.on][r.desc.Digest]
			continue
		}
		have := tagged[r.tag]
		switch beside(have, r.node, p.To.Rules.Movable(r.tag)) {
		case standing:
			p.met[r] = true
		case keepsOther:
			p.met[r] = true
			p.remark("%s of %s holds other signatures or attestations than the source's and stays as it is: sign the image there", r.tag, p.To.URI)
		case moving:
		}
	}
	return nil
}

// What becomes of a tag of cosign.
type tagFate int

const (
	moving     tagFate = iota // it is set, or moved
	standing                  // it has all that the source has
	keepsOther                // it has something that the source has not: it stays
)

// beside decides about a tag under which the destination may have something. Each layer of what cosign keeps there is one signature or
// attestation: what has all of the source's stays, and what the source has all of is replaced.
func beside(have *manifest, want *node, movable bool) tagFate {
	if have == nil {
		return moving
	}
	if have.Digest == want.desc.Digest {
		return standing
	}
	doc, err := parseManifest(have.Raw)
	if err != nil || doc.isIndex() || len(want.children) > 0 {
		return keepsOther
	}
	all := func(some []v1.Hash, in []v1.Hash) bool {
		return !slices.ContainsFunc(some, func(d v1.Hash) bool { return !slices.Contains(in, d) })
	}
	var theirs, ours []v1.Hash
	for _, l := range doc.Layers {
		theirs = append(theirs, l.Digest)
	}
	for _, l := range want.layers {
		ours = append(ours, l.Digest)
	}
	switch {
	case all(ours, theirs):
		return standing
	case all(theirs, ours) && movable:
		return moving
	default:
		return keepsOther
	}
}

// listReferrers asks what refers to each manifest that something is to refer to, by digests.
func (p *Plan) listReferrers(ctx context.Context) (map[v1.Hash]map[v1.Hash]bool, error) {
	listed := map[v1.Hash]map[v1.Hash]bool{}
	var on []v1.Hash
	for _, r := range p.along.all {
		if r.tag == "" && !slices.Contains(on, r.on) {
			on = append(on, r.on)
		}
	}
	found := make([][]v1.Descriptor, len(on))
	known := make([]bool, len(on))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, digest := range on {
		group.Go(func() (err error) {
			found[i], known[i], err = p.To.referrers(groupCtx, digest)
			return err
		})
	}
	err := group.Wait()
	for i, digest := range on {
		listed[digest] = map[v1.Hash]bool{}
		for _, d := range found[i] {
			listed[digest][d.Digest] = true
		}
		p.unlisted = p.unlisted || !known[i] && err == nil
	}
	return listed, err
}

// Referrers lists the referrers that go along with the image, as far as that is known, and what this destination has of it.
func (p *Plan) Referrers() (all []Referrer) {
	for _, r := range p.along.all {
		all = append(all, r.told(p.met[r]))
	}
	return all
}

func (r *referrer) told(there bool) Referrer {
	h := Referrer{Digest: r.desc.Digest.String(), Type: r.kind, On: r.on.String(), Tag: r.tag, How: Attached}
	if there {
		h.How = Reused
	}
	return h
}

// complete says whether the repository has all of the image's referrers.
func (p *Plan) complete() bool {
	return (len(p.along.files) == 0 || p.metOn == p.Source.root.desc.Digest) &&
		!slices.ContainsFunc(p.along.all, func(r *referrer) bool { return !p.met[r] })
}

// sendReferrers has all of the image's referrers in the repository, and checks it there. The image is there already.
func (p *Plan) sendReferrers(ctx context.Context, r *Result) error {
	if p.along.of(p.Source.root); len(p.along.all) == 0 {
		return nil
	}
	if p.metOn != p.along.on || p.To.fresh() {
		if err := p.lookForReferrers(ctx); err != nil {
			return err
		}
	}
	var send []*referrer
	for _, one := range p.along.all {
		r.Referrers = append(r.Referrers, one.told(p.met[one]))
		if !p.met[one] {
			send = append(send, one)
		}
	}
	if len(send) == 0 {
		return nil
	}
	if err := p.sendReferrerBlobs(ctx, send, r); err != nil {
		return err
	}
	for _, one := range send {
		for _, floor := range one.floors() {
			for _, n := range floor {
				under := n.desc.Digest.String()
				if n == one.node && one.tag != "" {
					under = one.tag
				}
				if _, err := p.To.putManifest(ctx, under, &manifest{Digest: n.desc.Digest, MediaType: n.desc.MediaType, Raw: n.raw}); err != nil {
					return fmt.Errorf("attaching %s to %s: %w", one.desc.Digest, one.on, err)
				}
			}
		}
		p.To.observe(Event{Kind: Attached, Digest: one.desc.Digest.String(), Size: one.desc.Size, Text: one.kind})
	}
	r.Stored = true
	return p.checkReferrers(ctx, send)
}

// sendReferrerBlobs sends what the manifests consist of, as far as the repository lacks it.
func (p *Plan) sendReferrerBlobs(ctx context.Context, send []*referrer, r *Result) error {
	blobs := map[v1.Hash]Blob{}
	var digests []v1.Hash
	add := func(b Blob) {
		if _, ok := blobs[b.Digest]; !ok {
			blobs[b.Digest] = b
			digests = append(digests, b.Digest)
		}
	}
	for _, one := range send {
		one.walk(func(n *node) {
			for _, l := range n.layers {
				add(l.Blob)
			}
			if n.config.Open != nil {
				add(n.config)
			}
		})
	}
	missing := map[v1.Hash]bool{}
	if !p.To.fresh() {
		var err error
		if missing, err = p.To.missingBlobs(ctx, digests); err != nil {
			return err
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	sizes := make([]int64, len(digests))
	for i, digest := range digests {
		if !missing[digest] && !p.To.fresh() {
			continue
		}
		group.Go(func() error {
			u := upload{blob: blobs[digest]}
			if from := p.Source.from; from != nil && from.Registry == p.To.Registry && from.Name != p.To.Repository.Name {
				u.from = from.Name
			}
			how, err := p.To.upload(groupCtx, u)
			if err == nil && how == Uploaded {
				sizes[i] = blobs[digest].Size
			}
			return err
		})
	}
	err := group.Wait()
	for _, n := range sizes {
		r.Sent += n
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// listingTries is how often it is looked whether what was attached to the image is listed: a registry may take a moment, and somebody else
// may write the list that stands in for the registry's own at the same time.
const listingTries = 4

// checkReferrers makes sure that what was stored is found where it belongs. Where the registry lists nothing by itself, the list is written
// first.
func (p *Plan) checkReferrers(ctx context.Context, sent []*referrer) error {
	var lacking []string
	wrote := false
	for try := range listingTries {
		if try > 0 && !wrote {
			if err := backoff.Pause(ctx, time.Duration(try)*time.Second); err != nil {
				return err
			}
		}
		listed, err := p.listReferrers(ctx)
		if denied(err) {
			p.To.observe(Event{Kind: Remarked, Err: err, Text: "what refers to the image was sent; whether the registry lists it cannot be read"})
			return nil
		}
		if err != nil {
			return fmt.Errorf("checking the referrers of the image: %w", err)
		}
		lacking = nil
		var unlisted []*referrer
		for _, one := range sent {
			if one.tag != "" {
				got, found, err := p.To.hasManifest(ctx, one.tag)
				if err != nil {
					return fmt.Errorf("checking the referrers of the image: %w", err)
				}
				if !found || got != "" && got != one.desc.Digest.String() {
					lacking = append(lacking, one.tag)
				}
			} else if !listed[one.on][one.desc.Digest] {
				lacking = append(lacking, one.desc.Digest.String())
				unlisted = append(unlisted, one)
			}
		}
		if len(lacking) == 0 {
			return nil
		}
		if wrote = p.unlisted && len(unlisted) > 0; wrote {
			if err := p.list(ctx, unlisted); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("checking the referrers of the image: the registry took %s and does not list it", strings.Join(lacking, ", "))
}

// list adds referrers to the indexes that stand in for the registry's own lists.
func (p *Plan) list(ctx context.Context, all []*referrer) error {
	by := map[v1.Hash][]*referrer{}
	var on []v1.Hash
	for _, r := range all {
		if by[r.on] == nil {
			on = append(on, r.on)
		}
		by[r.on] = append(by[r.on], r)
	}
	for _, digest := range on {
		tag := fallbackTag(digest)
		have, err := p.To.manifest(ctx, tag)
		if err != nil && !notFound(err) {
			return fmt.Errorf("reading the list %s: %w", tag, err)
		}
		raw, err := withEntries(have, by[digest])
		if err != nil {
			return fmt.Errorf("the list %s: %w", tag, err)
		}
		if _, err := p.To.putManifest(ctx, tag, &manifest{Digest: sum(raw), MediaType: types.OCIImageIndex, Raw: raw}); err != nil {
			return fmt.Errorf("writing the list %s of what refers to the image: %w", tag, err)
		}
	}
	return nil
}

// withEntries returns the index that lists referrers, with some more. What it has stays as it is written.
func withEntries(have *manifest, more []*referrer) ([]byte, error) {
	index := struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
	}{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	if have != nil {
		if err := json.Unmarshal(have.Raw, &index); err != nil {
			return nil, jsonError(have.Raw, err)
		}
		if index.Manifests == nil || index.MediaType != types.OCIImageIndex {
			return nil, errors.New("something else than an index is there")
		}
	}
	for _, r := range more {
		d := v1.Descriptor{MediaType: r.desc.MediaType, Digest: r.desc.Digest, Size: r.desc.Size, ArtifactType: r.kind}
		var head struct {
			Annotations map[string]string `json:"annotations"`
		}
		if json.Unmarshal(r.raw, &head) == nil {
			d.Annotations = head.Annotations
		}
		entry, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		index.Manifests = append(index.Manifests, entry)
	}
	return json.Marshal(index)
}
