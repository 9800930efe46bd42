package image

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// DockerHub is the registry of a reference that names none, as every container runtime reads it.
const DockerHub = "docker.io"

// Reference names an image: REGISTRY/REPOSITORY[:TAG][@DIGEST].
type Reference struct {
	Registry   string // host[:port]
	Repository string // path below the registry
	Tag        string // may be empty
	Digest     string // "sha256:…", may be empty; where set, it decides and the tag is a remark
}

var (
	repositoryForm = lazyregexp.New(`^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestForm     = lazyregexp.New(`^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$`)
	hostForm       = lazyregexp.New(`^(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?$|^\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?$`)
)

// Name returns the reference without tag and digest.
func (r Reference) Name() string { return r.Registry + "/" + r.Repository }

// String returns the whole reference. With a digest the tag is left out: not every reader accepts both.
func (r Reference) String() string {
	switch {
	case r.Digest != "":
		return r.Name() + "@" + r.Digest
	case r.Tag != "":
		return r.Name() + ":" + r.Tag
	default:
		return r.Name()
	}
}

// WithDigest returns the reference pinned to a digest. The tag is kept for messages.
func (r Reference) WithDigest(digest string) Reference {
	r.Digest = digest
	return r
}

// Short returns what tells this image from others of its repository: the digest's first 12 hex digits, or the tag.
func (r Reference) Short() string {
	if _, hex, ok := strings.Cut(r.Digest, ":"); ok && len(hex) >= 12 {
		return hex[:12]
	}
	return r.Tag
}

// ParseReference reads a full reference. As container runtimes do, it takes a first part without dot, colon or "localhost" as
// part of a Docker Hub name; unlike them it adds no tag where none is given.
func ParseReference(s string) (Reference, error) {
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		return Reference{}, fmt.Errorf("image %q is an address: write it without %s://, as %s", s, scheme, strings.Trim(rest, "/"))
	}
	rest := s
	var r Reference
	if host, path, ok := strings.Cut(rest, "/"); ok && looksLikeHost(host) {
		r.Registry, rest = host, path
	} else {
		r.Registry = DockerHub
	}
	if name, digest, ok := strings.Cut(rest, "@"); ok {
		rest, r.Digest = name, digest
		if !digestForm.MatchString(digest) {
			return Reference{}, fmt.Errorf("image %q: %q after the @ is not a digest (sha256: and 64 hex digits)", s, digest)
		}
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		rest, r.Tag = rest[:i], rest[i+1:]
		if err := CheckTag(r.Tag); err != nil {
			return Reference{}, fmt.Errorf("image %q: %w", s, err)
		}
	}
	r.Repository = rest
	if r.Registry == DockerHub && !strings.Contains(rest, "/") {
		r.Repository = "library/" + rest
	}
	if !hostForm.MatchString(r.Registry) {
		return Reference{}, fmt.Errorf("image %q: %q is not a registry host", s, r.Registry)
	}
	if rest == "" || len(r.Repository) > 255 || !repositoryForm.MatchString(r.Repository) {
		return Reference{}, fmt.Errorf("image %q: %q is not a repository name (lower-case letters, digits and single ., _, - inside, "+
			"parts joined by /)", s, rest)
	}
	return r, nil
}

// CheckTag returns an error unless the tag is one that registries take
// (https://github.com/opencontainers/distribution-spec, "Pulling manifests").
func CheckTag(tag string) error {
	if tagForm.MatchString(tag) {
		return nil
	}
	return fmt.Errorf("%q is not a tag (1 to 128 letters, digits, _, . or -, not starting with . or -)", tag)
}

// IsDigest says whether s is a whole digest, "sha256:" and 64 hex digits.
func IsDigest(s string) bool { return digestForm.MatchString(s) }

// looksLikeHost tells a registry host from the first part of a repository path, by the rule of all container tools.
func looksLikeHost(s string) bool {
	return s == "localhost" || strings.ContainsAny(s, ".:") || strings.HasPrefix(s, "[")
}

// Complete reads what a person or a job wrote for an image, with base, a full reference, giving what was left out:
//
//   - a full reference (its first part is a host) stands as it is;
//   - REPOSITORY@DIGEST and REPOSITORY:TAG and PATH/REPOSITORY[:TAG] take the registry from base;
//   - a digest, @DIGEST, a tag or :TAG take registry and repository from base.
//
// A Docker Hub image is therefore written with its host, docker.io/library/nginx, unless base is there too. Short forms
// matter because GitHub blanks a job output that holds a masked value, such as the account id in an ECR host.
//
// A base that only holds the place of an image (IsPlaceholder) is passed over, and the next one taken: nginx:latest in a template
// does not mean that the service's images are in nginx's repository.
func Complete(input string, bases ...string) (Reference, error) {
	in := strings.TrimSpace(input)
	switch {
	case in == "":
		return Reference{}, errors.New("the image is empty; if it comes from another job's output, GitHub blanks outputs that hold " +
			"a masked value such as an account id: pass the digest or repository@digest instead")
	case strings.Contains(in, "***"):
		return Reference{}, fmt.Errorf("the image %q holds a masked value: pass the digest or repository@digest between jobs", in)
	}
	if host, _, ok := strings.Cut(in, "/"); ok && looksLikeHost(host) {
		return full(ParseReference(in))
	}

	base := ""
	if i := slices.IndexFunc(bases, func(b string) bool { return b != "" && !IsPlaceholder(b) }); i >= 0 {
		base = bases[i]
	} else if len(bases) > 0 {
		if base = bases[0]; base != "" {
			return Reference{}, fmt.Errorf("%q is not a full image reference, and %s in the task definition only holds the place of an "+
				"image: write REGISTRY/REPOSITORY and the tag or digest", in, base)
		}
	}
	from, err := ParseReference(strings.TrimSpace(base))
	if err != nil {
		return Reference{}, fmt.Errorf("%q is not a full image reference and there is nothing usable to complete it from: %w", in, err)
	}
	short := Reference{Registry: from.Registry, Repository: from.Repository}
	bare := strings.TrimLeft(in, "@:")
	switch {
	case IsDigest(bare):
		short.Digest = bare
		return short, nil
	case strings.HasPrefix(in, "@"), strings.HasPrefix(in, "sha256:"):
		return Reference{}, fmt.Errorf("image %q: this is not a digest (sha256: and 64 hex digits)", in)
	case strings.HasPrefix(in, ":"), !strings.ContainsAny(in, "/:@"):
		if err := CheckTag(bare); err != nil {
			return Reference{}, fmt.Errorf("image %q: %w", in, err)
		}
		short.Tag = bare
		return short, nil
	default:
		return full(ParseReference(from.Registry + "/" + in))
	}
}

// placeholders are the repositories of images that templates and tutorials begin with, and that nobody's own releases are in: Docker's
// official images, and the samples of AWS and others. One that ends in / stands for all below it.
var placeholders = []string{
	"docker.io/library/", "docker.io/amazon/", "docker.io/nginxdemos/", "docker.io/nginxinc/", "docker.io/traefik/whoami",
	"docker.io/hashicorp/http-echo", "public.ecr.aws/docker/library/", "public.ecr.aws/nginx/", "public.ecr.aws/amazonlinux/",
	"public.ecr.aws/ecs-sample-image/", "public.ecr.aws/aws-containers/", "mcr.microsoft.com/", "registry.k8s.io/", "k8s.gcr.io/",
	"gcr.io/google-samples/",
}

// IsPlaceholder reports whether an image is one that only holds the place of a service's own, such as nginx:latest.
func IsPlaceholder(image string) bool {
	ref, err := ParseReference(strings.TrimSpace(image))
	if err != nil {
		return false
	}
	if ref.Registry == "index.docker.io" || ref.Registry == "registry-1.docker.io" {
		ref.Registry = DockerHub
	}
	return slices.ContainsFunc(placeholders, func(p string) bool {
		return ref.Name() == p || strings.HasSuffix(p, "/") && strings.HasPrefix(ref.Name(), p)
	})
}

// full asks of a reference that it names one image: "latest" by omission is not something to deploy by accident.
func full(r Reference, err error) (Reference, error) {
	if err != nil {
		return Reference{}, err
	}
	if r.Tag == "" && r.Digest == "" {
		return Reference{}, fmt.Errorf("image %q: name a tag or a digest (:TAG or @sha256:…)", r.Name())
	}
	return r, nil
}

// ECRHost is what the host of a private ECR registry says about it.
type ECRHost struct {
	Account   string // 12 digits
	Region    string
	FIPS      bool
	DualStack bool
}

// The host forms of private ECR: ACCOUNT.dkr.ecr[-fips].REGION.SUFFIX, and ACCOUNT.dkr-ecr[-fips].REGION.SUFFIX with IPv6. The
// suffixes are those of the partitions in the AWS SDK's endpoint rules.
var (
	ecrForm     = lazyregexp.New(`^([0-9]{12})\.dkr([.-])ecr(-fips)?\.([a-z0-9-]+)\.([a-z0-9.-]+)$`)
	ecrSuffixes = map[string]bool{ // suffix: whether it is of the dual-stack form
		"amazonaws.com": false, "amazonaws.com.cn": false, "amazonaws.eu": false,
		"c2s.ic.gov": false, "sc2s.sgov.gov": false, "cloud.adc-e.uk": false, "csp.hci.ic.gov": false,
		"on.aws": true, "on.amazonwebservices.com.cn": true, "on.amazonwebservices.eu": true,
	}
)

// ParseECRHost says whether host is that of a private ECR registry of any partition, and whose.
func ParseECRHost(host string) (ECRHost, bool) {
	m := ecrForm.FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return ECRHost{}, false
	}
	dual, known := ecrSuffixes[m[5]]
	if !known || dual != (m[2] == "-") {
		return ECRHost{}, false
	}
	return ECRHost{Account: m[1], Region: m[4], FIPS: m[3] != "", DualStack: dual}, true
}

// isLoopback says whether host[:port] is this machine, which registries serve without TLS.
func isLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback()
}
