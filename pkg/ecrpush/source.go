package ecrpush

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/org/connect2/v2/pkg/image"
)

// named is a source that is written by what it is in ECR, without the registry's host: a workflow knows its commit's tag and
// the repository's name, but the host holds the account id, which GitHub blanks wherever it is masked.
type named struct {
	repository string // name, URI or ARN; empty is the repository that is pushed to
	choice     string // ":TAG" or "@DIGEST", as it follows the repository
}

// parseNamed reads tag:TAG and ecr:REPOSITORY:TAG (or @DIGEST); ok is false for a source of any other form.
func parseNamed(source string) (n named, ok bool, err error) {
	if tag, is := strings.CutPrefix(source, "tag:"); is {
		return named{choice: ":" + tag}, true, image.CheckTag(tag)
	}
	rest, is := strings.CutPrefix(source, "ecr:")
	if !is {
		return named{}, false, nil
	}
	if name, digest, is := strings.Cut(rest, "@"); is {
		n = named{repository: name, choice: "@" + digest}
		if !image.IsDigest(digest) {
			err = fmt.Errorf("%q is not a digest (sha256: and 64 hex digits)", digest)
		}
	} else {
		// The last colon: an ARN has others.
		i := strings.LastIndexByte(rest, ':')
		if i < 0 {
			return named{}, true, errors.New("name a tag or a digest: ecr:REPOSITORY:TAG or ecr:REPOSITORY@DIGEST")
		}
		n = named{repository: rest[:i], choice: rest[i:]}
		err = image.CheckTag(rest[i+1:])
	}
	_, bad := image.ParseRepositoryName(n.repository)
	return n, true, errors.Join(bad, err)
}

// openSource opens the source. Where it is written by its name in ECR, the repository is looked up first: only ECR's answer
// says which host it is on. to returns the repository that is pushed to; its failure is its own caller's to report.
func (p *Push) openSource(ctx context.Context, registries *image.Registries, to func() (*image.Destination, error)) (*image.Source, error) {
	source := p.in.Source
	n, ok, err := parseNamed(source)
	if err != nil {
		return nil, fmt.Errorf("source %q: %w", source, err)
	}
	if ok {
		from, err := to()
		if n.repository != "" {
			if from, err = registries.Destination(ctx, n.repository); err == nil && from.Missing {
				err = &missingRepository{name: from.Name, near: from.Near(ctx), source: true}
			}
			if err != nil {
				return nil, fmt.Errorf("source %q: %w", source, err)
			}
		}
		switch {
		case err != nil:
			return nil, nil //nolint:nilerr // the destination's failure is told by whoever asked for it
		case from.Missing:
			return nil, fmt.Errorf("source %q: the repository is to be created, so it has no image yet", source)
		}
		source = "registry://" + from.URI + n.choice
	}
	return image.Open(ctx, source, image.OpenOptions{Platform: p.in.Platform, Registries: registries, DaemonHost: p.env.Var("DOCKER_HOST")})
}

// absent says whether the source is an image that its registry does not have.
func absent(err error) bool {
	var missing *image.NotFoundError
	return errors.As(err, &missing)
}
