package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/internal/nearest"
	"github.com/org/connect2/v2/pkg/awserr"
)

// RepositoryName is what a person wrote for a repository, taken apart.
type RepositoryName struct {
	Host    string // of a URI, else empty
	Name    string
	Account string // 12 digits, of an ARN or an ECR host, else empty
	Region  string // of an ARN or an ECR host, else empty
}

// ParseRepositoryName reads a repository's name, its URI (HOST/NAME) or its ARN.
func ParseRepositoryName(s string) (RepositoryName, error) {
	if strings.HasPrefix(s, "arn:") {
		a, err := arn.Parse(s)
		name, ok := strings.CutPrefix(a.Resource, "repository/")
		if err != nil || !ok || a.Service != "ecr" || !repositoryForm.MatchString(name) {
			if err == nil && ok && a.Service == "ecr-public" {
				return RepositoryName{}, fmt.Errorf("%q is a repository of ECR Public: write its URI, public.ecr.aws/ALIAS/NAME", s)
			}
			return RepositoryName{}, fmt.Errorf("%q is not the ARN of an ECR repository (arn:aws:ecr:REGION:ACCOUNT:repository/NAME)", s)
		}
		return RepositoryName{Name: name, Account: a.AccountID, Region: a.Region}, nil
	}
	host, name, ok := strings.Cut(s, "/")
	if !ok || !looksLikeHost(host) {
		host, name = "", s
	}
	scheme, rest, address := strings.Cut(s, "://")
	switch {
	case address:
		return RepositoryName{}, fmt.Errorf("%q is an address: write it without %s://, as %s", s, scheme, strings.Trim(rest, "/"))
	case strings.Contains(name, "@"):
		return RepositoryName{}, fmt.Errorf("%q names an image: leave out the digest after the repository", s)
	case strings.Contains(name, ":"):
		return RepositoryName{}, fmt.Errorf("%q names an image: give its tag as a tag, not with the repository", s)
	case host != "" && !hostForm.MatchString(host):
		return RepositoryName{}, fmt.Errorf("%q: %q is not a registry host", s, host)
	case len(name) > 255 || !repositoryForm.MatchString(name):
		return RepositoryName{}, fmt.Errorf("%q is not a repository name "+
			"(lower-case letters, digits and single ., _, - inside, parts joined by /)",
			name)
	}
	at, _ := ParseECRHost(host)
	return RepositoryName{Host: host, Name: name, Account: at.Account, Region: at.Region}, nil
}

// Destination is a repository to push to, with what ECR says about it.
type Destination struct {
	*Repository        // nil while the repository does not exist and is to be created
	Name        string // of the repository
	URI         string // HOST/NAME; empty while it does not exist
	Missing     bool   // ECR has no such repository
	quiet       bool   // what cannot be read of it is not told
	created     bool   // by us, a moment ago: nothing is in it
	Rules       TagRules
	host        string // of the registry, as it was written; empty for a bare name

	registries *Registries
	client     ECR // nil where the registry is not ECR
	registryID *string
	begun      *beginning // what was asked for while the repository was looked up
}

// beginning is a look at what some tags point at.
type beginning struct {
	tags  []string
	found func() (map[string]*manifest, error)
}

// begin asks for the images behind the tags while the repository is looked up, and for the token of the registry: nearly every push
// needs it next, and it would cost a round trip of its own then.
func (d *Destination) begin(ctx context.Context, tags []string) {
	d.begun = &beginning{tags: append(slices.Clone(tags), "latest")}
	d.begun.found = once(func() (map[string]*manifest, error) { return d.behind(ctx, d.begun.tags) })
	go func() { _, _ = d.begun.found() }() // who needs it asks again, and gets the same answer
	go func() { _, _ = d.registries.tokenOf(d.client).header(ctx) }()
}

// ahead is behind, by what was asked for already where that covers it.
func (d *Destination) ahead(ctx context.Context, what []string) (map[string]*manifest, error) {
	if d.begun == nil {
		return d.behind(ctx, what)
	}
	rest := slices.DeleteFunc(slices.Clone(what), func(w string) bool { return slices.Contains(d.begun.tags, w) })
	first, err := d.begun.found()
	if err != nil {
		return nil, err
	}
	all := maps.Clone(first)
	rest = slices.DeleteFunc(rest, func(w string) bool { return all[w] != nil })
	if len(rest) > 0 {
		more, err := d.behind(ctx, rest)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, more)
	}
	return all, nil
}

// sibling returns another repository of the same registry.
func (d *Destination) sibling(name string) (*Destination, error) {
	host := d.host
	if d.Repository != nil {
		host = d.Registry
	}
	ref := Reference{Registry: host, Repository: name}
	s := &Destination{Name: name, URI: ref.Name(), registries: d.registries, client: d.client, registryID: d.registryID}
	var err error
	if d.client != nil {
		s.Repository, err = d.registries.ecrRepository(ref, d.client)
	} else {
		s.Repository, err = d.registries.Repository(ref)
	}
	return s, err
}

// TagRules are a repository's rules on moving tags.
type TagRules struct {
	Immutable  bool     // tags do not move…
	Exceptions []string // …but those that match one of these do; the other way round where Immutable is false. * is any text
}

// Movable says whether a tag that exists may be moved to another image.
func (t TagRules) Movable(tag string) bool {
	for _, pattern := range t.Exceptions {
		if wildcard(pattern, tag) {
			return t.Immutable
		}
	}
	return !t.Immutable
}

// wildcard matches s against a pattern in which each * stands for any text.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(s, first) || len(s) < len(first)+len(last) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// Destination looks up the repository that a name, URI or ARN names. A name or an ARN, and a URI on ECR, is asked of ECR's
// API; a repository that ECR does not have comes back as Missing, not as an error. Repositories of other registries are
// taken as they are, since most make them on push.
//
// The tags are those that a plan will ask for: what they point at is read at the same time where ECR's API tells it.
func (rs *Registries) Destination(ctx context.Context, name string, tags ...string) (*Destination, error) {
	at, err := ParseRepositoryName(name)
	if err != nil {
		return nil, err
	}
	d := &Destination{Name: at.Name, registries: rs, host: at.Host}
	if at.Host != "" && !rs.IsECR(at.Host) {
		d.URI = at.Host + "/" + at.Name
		d.Repository, err = rs.Repository(Reference{Registry: at.Host, Repository: at.Name})
		return d, err
	}
	if rs.ECR == nil {
		return nil, fmt.Errorf("repository %q: there is no connection to AWS", name)
	}
	d.client = rs.ECR(at.Region)
	if at.Account != "" {
		d.registryID = aws.String(at.Account)
	}
	if len(tags) > 0 {
		d.begin(ctx, tags)
	}
	out, err := d.client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: d.registryID,
		RepositoryNames: []string{at.Name}})
	var missing *ecrtypes.RepositoryNotFoundException
	switch {
	case errors.As(err, &missing):
		d.Missing = true
		return d, nil
	case awserr.IsDenied(err) && at.Host != "":
		// AWS documents a push policy without this permission. The URI is all that is needed; what is lost is the early look
		// at the rules on tags.
		rs.remark("whether tags may move is not known before the push (%v)", awserr.Explain(err))
		d.URI = at.Host + "/" + at.Name
		d.Repository, err = rs.Repository(Reference{Registry: at.Host, Repository: at.Name})
		return d, err
	case awserr.IsDenied(err):
		return nil, fmt.Errorf("looking up the repository %s: %w; without that permission give the repository's URI", name, awserr.Explain(err))
	case err != nil:
		return nil, fmt.Errorf("looking up the repository %s: %w", name, awserr.Explain(err))
	case len(out.Repositories) == 0:
		return nil, fmt.Errorf("looking up the repository %s: ECR answered neither a repository nor an error", name)
	}
	return d, d.take(out.Repositories[0])
}

// Create makes the repository, with the registry's defaults. One that somebody else has made meanwhile is as good.
func (d *Destination) Create(ctx context.Context) error {
	out, err := d.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name)})
	var exists *ecrtypes.RepositoryAlreadyExistsException
	switch {
	case errors.As(err, &exists):
		there, err := d.client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: d.registryID,
			RepositoryNames: []string{d.Name}})
		if err != nil {
			return fmt.Errorf("looking up the repository %s: %w", d.Name, awserr.Explain(err))
		}
		if len(there.Repositories) == 0 {
			return fmt.Errorf("ECR says that the repository %s exists, and does not list it", d.Name)
		}
		return d.take(there.Repositories[0])
	case err != nil:
		return fmt.Errorf("creating the repository %s: %w", d.Name, awserr.Explain(err))
	case out.Repository == nil:
		return fmt.Errorf("creating the repository %s: ECR answered without it", d.Name)
	}
	d.created = true
	return d.take(*out.Repository)
}

// fresh says whether the repository cannot have anything yet.
func (d *Destination) fresh() bool { return d.created }

// take notes what ECR says about the repository. Its URI is the only source of the registry's host.
func (d *Destination) take(r ecrtypes.Repository) error {
	ref, err := ParseReference(aws.ToString(r.RepositoryUri))
	if err != nil {
		return fmt.Errorf("the URI that ECR gives for the repository %s: %w", d.Name, err)
	}
	d.URI, d.Missing = ref.Name(), false
	d.Rules.Immutable = strings.HasPrefix(string(r.ImageTagMutability), "IMMUTABLE")
	for _, f := range r.ImageTagMutabilityExclusionFilters {
		d.Rules.Exceptions = append(d.Rules.Exceptions, aws.ToString(f.Filter))
	}
	d.Repository, err = d.registries.ecrRepository(ref, d.client)
	return err
}

func (rs *Registries) remark(format string, args ...any) {
	if rs.Observe != nil {
		rs.Observe(Event{Kind: Remarked, Text: fmt.Sprintf(format, args...)})
	}
}

// Near returns names of repositories in the registry that are close to one that is missing. It is a courtesy: any failure
// yields none.
func (d *Destination) Near(ctx context.Context) []string {
	out, err := d.client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RegistryId: d.registryID, MaxResults: aws.Int32(1000)})
	if err != nil {
		return nil
	}
	var names []string
	for _, r := range out.Repositories {
		names = append(names, aws.ToString(r.RepositoryName))
	}
	return nearest.Some(d.Name, names, 3)
}
