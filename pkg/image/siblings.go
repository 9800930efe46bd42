package image

import (
	"context"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// environments are what the repositories of one application are called by in different environments, in the order in which an image
// goes through them.
var environments = [][]string{
	{"dev", "staging", "prod"},
	{"development", "staging", "production"},
	{"dev", "stage", "prod"},
	{"dev", "test", "prod"},
	{"dev", "staging", "production"},
}

// mostSiblings is how many repositories are asked for.
const mostSiblings = 3

// siblings returns what a repository is likely to be called in other environments, those before its own first: one of the words of its
// name is an environment's.
func siblings(name string) []string {
	boundary := func(r rune) bool { return strings.ContainsRune("/-_.", r) }
	own := ""
	for _, word := range strings.FieldsFunc(name, boundary) {
		if slices.ContainsFunc(environments, func(family []string) bool { return slices.Contains(family, word) }) {
			own = word // the last one, where there are several
		}
	}
	var names []string
	for _, family := range environments {
		at := slices.Index(family, own)
		if at < 0 {
			continue
		}
		others := slices.Clone(family[:at])
		slices.Reverse(others)
		for _, other := range append(others, family[at+1:]...) {
			if n := replaceWord(name, own, other, boundary); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names[:min(len(names), mostSiblings)]
}

// replaceWord replaces a word wherever it stands between boundaries.
func replaceWord(s, word, by string, boundary func(rune) bool) string {
	var out strings.Builder
	for len(s) > 0 {
		end := strings.IndexFunc(s, boundary)
		if end < 0 {
			end = len(s)
		}
		if s[:end] == word {
			out.WriteString(by)
		} else {
			out.WriteString(s[:end])
		}
		if end < len(s) {
			out.WriteByte(s[end]) // each boundary is one byte
			end++
		}
		s = s[end:]
	}
	return out.String()
}

// neighbour is another repository of the registry, and images of it.
type neighbour struct {
	at     *Destination
	images *earlier
}

// lookBeside looks into the repositories that the application has in other environments of the account, where a good part of the image
// would have to be compressed or sent. It is a courtesy: what cannot be read there is no loss, and nobody is told.
func (p *Plan) lookBeside(ctx context.Context, wanted map[v1.Hash]int64) error {
	if len(p.mounts) > 0 || p.To.client == nil || p.there || p.lacks(wanted) < worthLooking {
		return nil
	}
	what := []string{"latest"}
	for _, move := range p.Tags {
		if move.Tag != "latest" {
			what = append(what, move.Tag)
		}
	}
	if p.Source.root.raw != nil {
		what = append(what, p.Source.root.desc.Digest.String())
	}
	names := siblings(p.To.Name)
	all := make([]*neighbour, len(names))
	var group errgroup.Group
	for i, name := range names {
		group.Go(func() error {
			all[i] = p.besideAt(ctx, name, what)
			return nil
		})
	}
	_ = group.Wait()
	for _, b := range all {
		if b == nil {
			continue
		}
		p.beside = append(p.beside, *b)
		if p.learn(ctx, b.images, b.at, wanted, true) || p.lacks(wanted) < worthLooking {
			break
		}
		b.images.add(ctx, b.at, b.at.recent(ctx, b.images.seen), true)
		if p.learn(ctx, b.images, b.at, wanted, true) || p.lacks(wanted) < worthLooking {
			break
		}
	}
	return ctx.Err()
}

// besideAt looks at what some tags point at in another repository; nil where it is not there, or cannot be read.
func (p *Plan) besideAt(ctx context.Context, name string, what []string) *neighbour {
	var at *Destination
	var err error
	if p.To.Missing && p.To.host == "" { // its registry is that of the others
		if at, err = p.To.registries.Destination(ctx, name); err == nil && at.Missing {
			return nil
		}
	} else {
		at, err = p.To.sibling(name)
	}
	if err != nil {
		return nil
	}
	at.quiet = true
	found, err := at.behind(ctx, what)
	if err != nil {
		return nil
	}
	var images []*manifest
	for _, w := range what {
		images = append(images, found[w])
	}
	e := &earlier{repo: at.Repository, told: true}
	e.add(ctx, at, images, true)
	return &neighbour{at: at, images: e}
}

// lacks is how many bytes of the image's layers no registry that was looked at is known to have. A byte that is compressed already
// counts for four: to send it takes a slow link as long as it takes a processor to compress them.
func (p *Plan) lacks(wanted map[v1.Hash]int64) int64 {
	n := left(wanted, p.known.stored)
	for _, j := range p.jobs() {
		if !j.mustCompress() && !p.likely(j.Digest) && p.mountOf(j.Digest) == "" {
			n += 4 * j.Size
		}
	}
	return n
}

// mountOf returns the repository beside this one that has a blob, or nothing.
func (p *Plan) mountOf(digest v1.Hash) string {
	for _, b := range p.beside {
		if b.images.names(digest) {
			return b.at.Name
		}
	}
	return ""
}
