package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Referrers says what happens to what refers to an image: signatures, SBOMs, provenance.
type Referrers string

// What may happen to it.
const (
	CopyReadable  Referrers = ""     // what can be read goes along; where that is refused, a remark says so
	CopyReferrers Referrers = "copy" // all of it goes along, or nothing is pushed
	SkipReferrers Referrers = "skip" // the image goes alone
)

// What is read of an image's referrers at most: one has a handful.
const mostReferrers = 500

// referrer is a manifest that refers to another one: by naming it as its subject, or by a tag made of its digest.
type referrer struct {
	*node
	on   v1.Hash // what it refers to
	tag  string  // the tag that says so, such as sha256-HEX.sig of cosign; empty: its subject does
	kind string  // its artifact type
}

// listedReferrer is the word of a registry or a layout that something refers to a manifest.
type listedReferrer struct {
	v1.Descriptor
	tag string
}

// referrerLister is contents that know what refers to them.
type referrerLister interface {
	contents
	referrersOf(ctx context.Context, digest v1.Hash) ([]listedReferrer, error)
}

// fallbackTag is the tag of the index that lists a manifest's referrers where a registry does not know of them
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema).
func fallbackTag(d v1.Hash) string { return d.Algorithm + "-" + d.Hex }

// cosignTags are the tags under which cosign keeps what belongs to a manifest.
func cosignTags(d v1.Hash) []string {
	return []string{fallbackTag(d) + ".sig", fallbackTag(d) + ".att", fallbackTag(d) + ".sbom"}
}

var referrerTag = regexp.MustCompile(`^sha256-([0-9a-f]{64})(\.(?:sig|att|sbom))?$`)

// subjectOf reads what a manifest refers to, and what kind of thing it is.
func subjectOf(raw []byte) (subject *v1.Descriptor, kind string) {
	var head struct {
		ArtifactType string         `json:"artifactType"`
		Subject      *v1.Descriptor `json:"subject"`
		Config       *v1.Descriptor `json:"config"`
		Layers       []struct {
			MediaType string `json:"mediaType"`
		} `json:"layers"`
	}
	if json.Unmarshal(raw, &head) != nil {
		return nil, ""
	}
	kind = head.ArtifactType
	if kind == "" && head.Config != nil && !head.Config.MediaType.IsConfig() {
		kind = string(head.Config.MediaType)
	}
	if kind == "" && len(head.Layers) > 0 { // cosign's have an image's configuration, and the layers say what they are
		kind = head.Layers[0].MediaType
	}
	return head.Subject, kind
}

// referrers lists the manifests whose subject is this digest: by the registry's own list, or where it has none by the tag that stands
// in for it. listed says whether the registry has one.
func (r *Repository) referrers(ctx context.Context, digest v1.Hash) (all []v1.Descriptor, listed bool, err error) {
	doing := "listing the referrers of " + r.Ref(digest.String()).String()
	err = r.pages(ctx, doing, r.path("referrers", digest.String()), string(types.OCIImageIndex), func(body io.Reader) error {
		var page struct {
			Manifests []v1.Descriptor `json:"manifests"`
		}
		if err := json.NewDecoder(body).Decode(&page); err != nil {
			return errNoList
		}
		if all = append(all, page.Manifests...); len(all) > mostReferrers {
			return errTooMany
		}
		return nil
	})
	switch {
	case noReferrers(err):
		all, err := r.listedByTag(ctx, digest)
		return all, false, err
	case errors.Is(err, errTooMany):
		return nil, true, tooManyReferrers(digest)
	case err != nil:
		return nil, false, err
	}
	return all, true, nil
}

var errTooMany = errors.New("more referrers than are read")

var errNoList = errors.New("the answer is not a list of referrers")

func tooManyReferrers(on v1.Hash) error {
	return fmt.Errorf("%w: more than %d manifests refer to %s (referrers: skip pushes the image alone)", errHostile, mostReferrers, on)
}

// noReferrers says whether the registry does not know of referrers: it does not know the address, or answers something else there.
func noReferrers(err error) bool {
	var refusal *RegistryError
	if errors.As(err, &refusal) {
		return refusal.Status >= 400 && refusal.Status < 500 && !denied(err) && !refusal.Passing()
	}
	return errors.Is(err, errNoList)
}

// listedByTag reads the index that stands in for a registry's list.
func (r *Repository) listedByTag(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	m, err := r.manifest(ctx, fallbackTag(digest))
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return listIn(m.Raw), nil
}

// listIn returns the entries of an index; none of what is not one.
func listIn(raw []byte) []v1.Descriptor {
	if doc, err := parseManifest(raw); err == nil && doc.isIndex() {
		return doc.Manifests
	}
	return nil
}

// nextPage returns the address of a list's next page by its Link header, and "" where there is none or it is not to be followed.
func nextPage(at, link string) string {
	address, _, linked := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	more, unreadable := url.Parse(address)
	if !linked || unreadable != nil {
		return ""
	}
	from, _ := url.Parse(at) // it was made here, or parsed before
	to := from.ResolveReference(more)
	if to.Host != from.Host || mayGo(from, to) != nil || to.String() == at {
		return ""
	}
	return to.String()
}

func (c registryContents) referrersOf(ctx context.Context, digest v1.Hash) ([]listedReferrer, error) {
	tags := cosignTags(digest)
	tagged := make([]*manifest, len(tags))
	var subjects []v1.Descriptor
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		subjects, _, err = c.repo.referrers(groupCtx, digest)
		return err
	})
	for i, tag := range tags {
		group.Go(func() error {
			m, err := c.repo.manifest(groupCtx, tag)
			if notFound(err) {
				return nil
			}
			tagged[i] = m
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []listedReferrer
	for _, d := range subjects {
		all = append(all, listedReferrer{Descriptor: d})
	}
	for i, m := range tagged {
		if m != nil {
			all = append(all, listedReferrer{v1.Descriptor{Digest: m.Digest, MediaType: m.MediaType, Size: int64(len(m.Raw))}, tags[i]})
		}
	}
	return all, nil
}

// layoutReferrers is an OCI layout: what refers to an image stands in index.json beside it.
type layoutReferrers struct {
	layoutContents
	entries []v1.Descriptor
	root    v1.Hash // the image that was chosen
}

// cosignSaved are the kinds of entries that cosign save writes beside the one image of a layout, and the tags' ends that they stand for.
var cosignSaved = map[string]string{
	"dev.cosignproject.cosign/sigs": ".sig", "dev.cosignproject.cosign/atts": ".att", "dev.cosignproject.cosign/sboms": ".sbom",
}

// referrerTagOf returns the tag of a layout's entry that names what it refers to, as registries and cosign have it.
func referrerTagOf(e v1.Descriptor) string {
	for _, key := range []string{"org.opencontainers.image.ref.name", "io.containerd.image.name"} {
		name := e.Annotations[key]
		name = name[strings.LastIndexByte(name, ':')+1:]
		if referrerTag.MatchString(name) {
			return name
		}
	}
	return ""
}

// isReferrer says whether a layout's entry is told by its name to belong to another one.
func isReferrer(e v1.Descriptor) bool {
	return referrerTagOf(e) != "" || cosignSaved[e.Annotations["kind"]] != ""
}

func (l layoutReferrers) referrersOf(ctx context.Context, digest v1.Hash) ([]listedReferrer, error) {
	var all []listedReferrer
	for _, e := range l.entries {
		tag := referrerTagOf(e)
		if end := cosignSaved[e.Annotations["kind"]]; tag == "" && end != "" && digest == l.root {
			tag = fallbackTag(digest) + end
		}
		plain := v1.Descriptor{Digest: e.Digest, MediaType: e.MediaType, Size: e.Size}
		if tag != "" && tag != fallbackTag(digest) {
			if slices.Contains(cosignTags(digest), tag) {
				all = append(all, listedReferrer{plain, tag})
			}
			continue
		}
		raw, err := l.manifest(ctx, e)
		switch {
		case errors.Is(err, errMissing):
		case err != nil:
			return nil, fmt.Errorf("manifest %s: %w", e.Digest, err)
		case tag != "":
			for _, d := range listIn(raw) {
				all = append(all, listedReferrer{Descriptor: d})
			}
		default:
			if subject, _ := subjectOf(raw); subject != nil && subject.Digest == digest {
				all = append(all, listedReferrer{Descriptor: plain})
			}
		}
	}
	return all, nil
}

// keeping is a referrerLister whose manifests were read ahead, several at a time.
type keeping struct {
	referrerLister
	mu   sync.Mutex
	kept map[v1.Hash][]byte
}

func (k *keeping) manifest(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	k.mu.Lock()
	raw := k.kept[d.Digest]
	k.mu.Unlock()
	if raw != nil {
		return raw, nil
	}
	raw, err := k.referrerLister.manifest(ctx, d)
	if err == nil {
		k.mu.Lock()
		k.kept[d.Digest] = raw
		k.mu.Unlock()
	}
	return raw, err
}

// level asks what refers to each of some manifests, and reads it.
func (k *keeping) level(ctx context.Context, on []v1.Hash) ([][]listedReferrer, error) {
	found := make([][]listedReferrer, len(on))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, digest := range on {
		group.Go(func() (err error) {
			found[i], err = k.referrersOf(groupCtx, digest)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	group, groupCtx = errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for i, list := range found {
		if len(list) > mostReferrers {
			return nil, tooManyReferrers(on[i])
		}
		for _, h := range list {
			group.Go(func() error {
				_, _ = k.manifest(groupCtx, h.Descriptor) // what fails here is read once more where it is wanted, and told there
				return nil
			})
		}
	}
	return found, group.Wait()
}

// gather reads everything that refers to some manifests, and to those in turn, in an order in which it may be stored. What is not
// whole, or does not refer to what its list says, is left out with a note.
func gather(ctx context.Context, from referrerLister, on []v1.Hash, notes *[]string) ([]*referrer, error) {
	k := &keeping{referrerLister: from, kept: map[v1.Hash][]byte{}}
	r := reader{from: k, notes: notes, bare: true}
	asked, seen := map[v1.Hash]bool{}, map[string]bool{}
	note := func(format string, args ...any) { *notes = append(*notes, fmt.Sprintf(format, args...)) }
	for _, digest := range on {
		asked[digest] = true
	}
	var all []*referrer
	for floor := 0; len(on) > 0; floor++ {
		if floor > mostFloors {
			return nil, fmt.Errorf("%w: what refers to the image is nested more than %d deep", errHostile, mostFloors)
		}
		found, err := k.level(ctx, on)
		if err != nil {
			return nil, err
		}
		var next []v1.Hash
		for i, list := range found {
			for _, h := range list {
				if key := h.Digest.String() + h.tag; seen[key] {
					continue
				} else {
					seen[key] = true
				}
				if len(all) == mostReferrers {
					return nil, tooManyReferrers(on[i])
				}
				if raw, err := k.manifest(ctx, h.Descriptor); err == nil {
					if _, err := parseManifest(raw); err != nil { // such as the artifact manifest of OCI 1.1's drafts
						note("%s refers to %s and stays behind: %v", h.Digest, on[i], err)
						continue
					}
				}
				n, err := r.node(ctx, h.Descriptor, "")
				switch {
				case errors.Is(err, errMissing):
					note("what refers to %s is not whole and stays behind: %v", on[i], err)
					continue
				case err != nil:
					return nil, fmt.Errorf("what refers to %s: %w", on[i], err)
				case n.desc.Digest != h.Digest:
					continue // an index that is not whole; the reader has noted it
				}
				subject, kind := subjectOf(n.raw)
				if h.tag == "" && (subject == nil || subject.Digest != on[i]) {
					note("%s is listed as referring to %s and does not name it: it stays behind", h.Digest, on[i])
					continue
				}
				all = append(all, &referrer{node: n, on: on[i], tag: h.tag, kind: kind})
				n.walk(func(n *node) {
					if !asked[n.desc.Digest] {
						asked[n.desc.Digest] = true
						next = append(next, n.desc.Digest)
					}
				})
			}
		}
		on = next
	}
	return all, nil
}

// foundReferrers is what refers to a source, asked for once.
type foundReferrers struct {
	find  func(context.Context, *[]string) ([]*referrer, error)
	once  sync.Once
	all   []*referrer
	notes []string // what stays behind, and why
	err   error
}

// read returns what refers to a source that was opened; the first context is the one that counts.
func (h *foundReferrers) read(ctx context.Context) ([]*referrer, error) {
	if h == nil {
		return nil, nil
	}
	h.once.Do(func() { h.all, h.err = h.find(ctx, &h.notes) })
	return h.all, h.err
}

// findReferrersOf prepares to find what refers to a source whose digests are those that it has now.
func (s *Source) findReferrersOf(on referrerLister) {
	s.opened = s.root.desc.Digest
	var digests []v1.Hash
	s.root.walk(func(n *node) { digests = append(digests, n.desc.Digest) })
	slices.Reverse(digests) // what refers to the image itself goes first
	s.referrers = &foundReferrers{find: func(ctx context.Context, notes *[]string) ([]*referrer, error) {
		return gather(ctx, on, digests, notes)
	}}
}
