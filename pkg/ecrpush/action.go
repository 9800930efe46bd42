// Package ecrpush pushes an image to a repository of Amazon ECR, or of another registry: it checks everything first, sends only
// what the repository lacks, and moves the tags last.
package ecrpush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/project"
)

// Action is ecr-push, as a GitHub action and as a command.
var Action = action.Define(action.Meta{
	Name:        "ecr-push",
	Description: "Push an image to Amazon ECR: each layer is compressed once, and only what is missing is sent.",
	Doc: "The source is an OCI layout (a folder or a tar), what docker save writes, an image of the Docker daemon, " +
		"or an image of a registry. " +
		"It is checked wholly before anything is sent. Layers that the repository has already are not even compressed. The tags move when the " +
		"registry has confirmed the image under its digest, so a push that fails or is cancelled leaves them where they were; a tag that " +
		"has the image already is a success that sends nothing.",
	Icon:  "package",
	Color: "orange",
	Examples: []action.Example{
		{Title: "Push what docker save wrote under two tags", Args: "--source image.tar --repository connect2-api-dev --tags v1.2.3,latest"},
		{Title: "Push from the Docker daemon", Args: "--source docker://connect2-api:build --repository connect2-api-dev --tags v1.2.3"},
		{Title: "See what would be sent", Args: "--source oci-layout/ --repository connect2-api-dev --tags v1.2.3 --dry-run"},
		{Title: "Ask whether a commit was built already, and give its image one more tag",
			Args: "--source tag:4f2c9e1 --repository connect2-api-dev --tags nightly --if-absent skip"},
		{Title: "Promote an image by its digest, without rebuilding it",
			Args: "--source 123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-dev@sha256:… --repository connect2-api-prod --tags v1.2.3"},
	},
}, Run)

// Inputs are what ecr-push can be told.
type Inputs struct {
	awsconn.Inputs    `group:"AWS"`
	project.Selection `group:"Names"`
	Source            string            `input:"source" required:"true" path:"read" doc:"The image: a folder with an OCI layout, a tar of one or from docker save (plain, or compressed with gzip, bzip2, xz or zstd), docker://NAME from the Docker daemon, a full registry reference, ecr:REPOSITORY:TAG for another ECR repository, or tag:TAG for this one. PATH#NAME chooses one of several images in a tar."`
	Repository        string            `input:"repository" required:"true" unless:"file" alias:"repo,ecr-repository" doc:"Where to push: an ECR repository's name, URI or ARN, or HOST/NAME of another registry (credentials from registry-credentials, or the Docker configuration; public.ecr.aws too wants some to push)."`
	Tags              []string          `input:"tags" alias:"image-tags,image-tag" doc:"The tags to point at the image. {sha} stands for the run's commit, {branch} for its branch (with - for characters that a tag cannot hold), {date} for the day in UTC, such as 20260131. Without tags the image is pushed by digest only."`
	Also              []string          `input:"also" doc:"More repositories, in the same form as repository, that get the same image and tags: in other regions, accounts (whose repository policy allows it) or registries. The source is read and compressed once, and no tag moves before all of them have the image."`
	Platform          string            `input:"platform" doc:"Push only the image for this platform, such as linux/arm64, of a multi-platform source. Empty: the whole index."`
	Compression       string            `input:"compression" enum:"gzip,zstd" doc:"The codec of all layers. Without it, uncompressed layers are compressed with gzip, and compressed layers stay as they are. zstd is a few percent smaller than gzip, and faster to compress and decompress: Fargate from platform version 1.4, containerd from 1.5, Docker from 23 and Podman read it; older Docker hosts, and Lambda, do not. The layers of a multi-platform index cannot be changed."`
	SOCI              bool              `input:"soci" default:"false" doc:"Make a SOCI index (version 2) for the image, so that Fargate starts it before its layers are loaded. Layers are compressed with gzip; those of 10 MiB or more, compressed, are indexed, and such layers that another tool compressed are compressed again. The image's digest changes: an image index is pushed, which all other clients read as before. The layers are compressed before anything is sent, even those that the repository has, and kept in TMPDIR meanwhile."`
	CreateRepository  bool              `input:"create-repository" default:"false" alias:"create-repo,create_repo" doc:"Create the ECR repository if it does not exist."`
	MountFrom         string            `input:"mount-from" doc:"A repository of the same registry, such as that of the previous environment, whose layers are reused instead of being compressed and sent. ECR mounts them if the account setting BLOB_MOUNTING is on. Not needed for an image copied within a registry, nor for ECR repositories whose names differ only in the environment (dev, staging, prod): those are looked at anyway, if the role may read them and 4 MiB or more would have to be compressed."`
	IfAbsent          string            `input:"if-absent" default:"fail" enum:"fail,skip" doc:"What to do when a registry does not have the source: fail, or skip, which succeeds with outcome no-change and an empty digest. This is how a workflow asks whether an image has been built already."`
	Scan              string            `input:"scan" default:"off" enum:"off,report,fail" doc:"What to do with ECR's scan of the image: report shows its findings; fail also moves no tag if there are findings of the severity or above, or if there was no scan. The run waits for the scan, up to 10 minutes per image; basic scanning is started if necessary, enhanced scanning starts by itself."`
	Severity          string            `input:"severity" default:"HIGH" enum:"CRITICAL,HIGH,MEDIUM,LOW,INFORMATIONAL,UNDEFINED" doc:"The lowest severity that counts, with scan: fail."`
	ScanIgnore        map[string]string `input:"scan-ignore" doc:"Findings to ignore for a time: CVE-2026-1234=YYYY-MM-DD REASON, with the last day (in UTC) on which it is ignored."`
	Referrers         string            `input:"referrers" enum:"copy,skip" doc:"What to do with the referrers of the image and of the images in its index (signatures, SBOMs, provenance), found by the OCI referrers API, its tag schema, or cosign's tags, in a registry or in an OCI layout. Empty: copy what can be read, and warn about what cannot. copy: push nothing unless all of them can be copied. skip: leave them. Referrers are in the destination, and listed there, before a tag moves."`
	Attach            []string          `input:"attach" doc:"Files to attach to the image as OCI artifacts, TYPE=PATH, such as application/vnd.cyclonedx+json=sbom.json, one per line. TYPE is the artifact type; attaching the same file again changes nothing."`
	VerifySignature   string            `input:"verify-signature" path:"read" doc:"Cosign public keys (PEM, one or more), or a file of them: nothing is sent unless one of them signed the source, under the digest that it has there. Signatures are looked for in the places that referrers names. ECDSA, RSA and Ed25519; keyless signatures are not verified."`
	DryRun            bool              `input:"dry-run" default:"false" doc:"Check everything and print what would be sent, but send nothing."`

	Credentials map[string]string `input:"registry-credentials" secret:"true" doc:"Logins for registries other than ECR that the image comes from or goes to, HOST=USER:PASSWORD lines. An action's container does not see the logins that docker login left on the runner."`
}

// Validate returns what is wrong with the inputs by themselves.
func (in Inputs) Validate() []error {
	problems := in.Inputs.Validate()
	if _, _, err := parseNamed(in.Source); err != nil {
		problems = append(problems, fmt.Errorf("source: %w", err))
	}
	if in.Repository != "" {
		if _, err := image.ParseRepositoryName(in.Repository); err != nil {
			problems = append(problems, fmt.Errorf("repository: %w", err))
		}
	}
	problems = append(append(problems, checkPublic("repository", in.Repository)...), checkPublic("also", in.Also...)...)
	problems = append(problems, logins(in.Credentials).check()...)
	for i, name := range in.Also {
		if _, err := image.ParseRepositoryName(name); err != nil {
			problems = append(problems, fmt.Errorf("also: %w", err))
		}
		if name == in.Repository || slices.Contains(in.Also[:i], name) {
			problems = append(problems, fmt.Errorf("also: %q is named twice", name))
		}
	}
	problems = append(problems, checkTags(in.Tags)...)
	_, bad := parseIgnores(in.ScanIgnore)
	problems = append(problems, bad...)
	_, bad = parseAttach(in.Attach)
	problems = append(append(problems, bad...), checkKeys(in.VerifySignature)...)
	if in.Platform != "" {
		if p, err := v1.ParsePlatform(in.Platform); err != nil || p.Architecture == "" {
			problems = append(problems, fmt.Errorf("platform: %q is not a platform: OS/ARCHITECTURE, such as linux/arm64", in.Platform))
		}
	}
	if in.SOCI && in.Compression == "zstd" {
		problems = append(problems, errors.New("soci: it takes layers in gzip; compression says zstd"))
	}
	if in.MountFrom != "" {
		if from, err := image.ParseRepositoryName(in.MountFrom); err != nil || from.Host != "" {
			problems = append(problems, fmt.Errorf("mount-from: %q is not a repository name (without host: it is of the registry that is pushed to)",
				in.MountFrom))
		}
	}
	return problems
}

// Outputs are what is known at the end, also of a run that failed.
type Outputs struct {
	action.Outputs
	Digest         string `output:"digest" doc:"The digest of the image, or of the index if the source is one."`
	Image          string `output:"image" doc:"REPOSITORY_URI@DIGEST. If the account id is masked, GitHub blanks it as a job output: pass digest between jobs instead."`
	Images         string `output:"images" doc:"REPOSITORY_URI@DIGEST for every repository (repository and also), one per line."`
	Repository     string `output:"repository" doc:"The repository's URI."`
	Tags           string `output:"tags" doc:"The tags that point at the image now, separated by commas."`
	Referrers      string `output:"referrers" doc:"The image's referrers in the repository that came from the source or from attach: tag or digest, and type, one per line."`
	Changed        bool   `output:"changed" doc:"Whether anything in the repository was changed."`
	BytesUploaded  int    `output:"bytes-uploaded" doc:"Bytes of layers and configurations that were sent."`
	BytesReused    int    `output:"bytes-reused" doc:"Bytes of layers and configurations that the repository had already."`
	LayersUploaded int    `output:"layers-uploaded" doc:"How many layers and configurations were sent."`
	LayersReused   int    `output:"layers-reused" doc:"How many layers and configurations the repository had already."`
}

// Run pushes.
func Run(ctx context.Context, env *action.Env, in Inputs) (Outputs, error) {
	var conn *awsconn.Conn
	if usesAWS(env, in) {
		var err error
		if conn, err = awsconn.Connect(ctx, env, in.Inputs); err != nil {
			return Outputs{}, err
		}
	}
	push, err := Prepare(ctx, env, conn, in)
	if err != nil {
		return Outputs{}, err
	}
	defer push.Close()
	return push.Execute(ctx)
}

// usesAWS says whether the run needs AWS: not when an image goes to another registry than ECR, and comes from none on ECR.
func usesAWS(env *action.Env, in Inputs) bool {
	if in.RoleToAssume != "" || in.AccountID != "" {
		return true
	}
	onAWS := func(host string) bool {
		if _, ok := image.ParseECRHost(host); ok {
			return true
		}
		for _, name := range []string{"AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"} {
			if endpoint := env.Var(name); endpoint != "" && hostOf(endpoint) == host {
				return true
			}
		}
		return false
	}
	for _, name := range append([]string{in.Repository}, in.Also...) {
		to, err := image.ParseRepositoryName(name)
		if err != nil || to.Host == "" || onAWS(to.Host) {
			return true
		}
	}
	if strings.HasPrefix(in.Source, "ecr:") {
		return true
	}
	from, err := image.ParseReference(strings.TrimPrefix(in.Source, "registry://"))
	return err == nil && onAWS(from.Registry)
}

func hostOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, _, _ := strings.Cut(address, "/")
	return host
}
