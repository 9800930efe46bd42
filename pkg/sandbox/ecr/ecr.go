// Package ecr is the sandbox's container registry: the ECR API, and the OCI distribution endpoint behind it under /v2/
// with ECR's own manners (Basic authentication with an API token, an IAM action for each request, immutable tags, its
// error bodies). Layers live in a blob store of go-containerregistry's registry package.
//
// Sources: the ECR API reference and user guide ("Private registry authentication", "Image tag mutability", "Service
// quotas", "Common errors with Docker commands"), and error bodies published by users; what nobody confirmed is marked.
package ecr

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Blobs is a store of layers and configs by digest. Both stores of go-containerregistry serve.
type Blobs interface {
	ggcr.BlobHandler
	ggcr.BlobStatHandler
	ggcr.BlobPutHandler
}

// Options of a registry. Account, Region, Server and NewID are required.
type Options struct {
	Account, Region string
	Server          *wire.Server  // journal, faults and lock of the registry endpoint
	NewID           func() string // upload ids and the like, UUIDs
	BlobDir         string        // folder for layers; "" keeps them in memory
	BlobMounting    bool          // the account setting of the same name: cross-repository mounts answer 201
	ScanTime        time.Duration // virtual time that an image scan takes; 0 means 5 s
	Findings        []Finding     // what scans find
}

// Service is one account's registry in one region. The world's lock guards it, except for uploads in flight.
type Service struct {
	options      Options
	blobs        Blobs
	repositories map[string]*repository
	tokens       map[string]token
	uploads      map[string]*upload
	pushes       int // numbers images in the order of their arrival
}

// New makes an empty registry.
func New(options Options) *Service {
	if options.ScanTime == 0 {
		options.ScanTime = 5 * time.Second
	}
	s := &Service{
		options: options, repositories: map[string]*repository{}, tokens: map[string]token{}, uploads: map[string]*upload{},
	}
	s.blobs = ggcr.NewInMemoryBlobHandler().(Blobs)
	if options.BlobDir != "" {
		s.blobs = ggcr.NewDiskBlobHandler(options.BlobDir).(Blobs)
	}
	return s
}

// API is the service's table of operations.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "ecr", TargetPrefix: "AmazonEC2ContainerRegistry_V20150921", Operations: map[string]wire.Operation{
		"GetAuthorizationToken":         s.getAuthorizationToken,
		"CreateRepository":              s.createRepository,
		"DescribeRepositories":          s.describeRepositories,
		"DeleteRepository":              s.deleteRepository,
		"PutImageTagMutability":         s.putImageTagMutability,
		"PutImageScanningConfiguration": s.putImageScanningConfiguration,
		"TagResource":                   s.tagResource,
		"UntagResource":                 s.untagResource,
		"ListTagsForResource":           s.listTagsForResource,
		"PutLifecyclePolicy":            s.putLifecyclePolicy,
		"GetLifecyclePolicy":            s.getLifecyclePolicy,
		"DeleteLifecyclePolicy":         s.deleteLifecyclePolicy,
		"GetRepositoryPolicy":           s.getRepositoryPolicy,
		"DescribeImages":                s.describeImages,
		"ListImages":                    s.listImages,
		"BatchGetImage":                 s.batchGetImage,
		"BatchDeleteImage":              s.batchDeleteImage,
		"PutImage":                      s.putImage,
		"BatchCheckLayerAvailability":   s.batchCheckLayerAvailability,
		"GetDownloadUrlForLayer":        s.getDownloadURLForLayer,
		"InitiateLayerUpload":           s.initiateLayerUpload,
		"UploadLayerPart":               s.uploadLayerPart,
		"CompleteLayerUpload":           s.completeLayerUpload,
		"StartImageScan":                s.startImageScan,
		"DescribeImageScanFindings":     s.describeImageScanFindings,
	}}
}

type repository struct {
	name        string
	createdAt   time.Time
	mutability  string
	exclusions  []exclusion
	scanOnPush  bool
	encryption  any
	tags        map[string]string
	lifecycle   string
	lifecycleAt time.Time
	images      map[string]*image // by digest
	imageTags   map[string]string // tag to digest
	layers      map[string]int64  // digest to size, of what was uploaded to this repository
}

type exclusion struct {
	FilterType string `json:"filterType"`
	Filter     string `json:"filter"`
}

type image struct {
	digest, mediaType string
	manifest          []byte
	size              int64 // compressed layers and config
	artifactType      string
	subject           string
	children          []string // manifests of an index
	layers            []string // config first
	config            string
	pushedAt          time.Time
	pulledAt          time.Time
	order             int
	scan              *scan
}

// The values of imageTagMutability.
const (
	mutable                = "MUTABLE"
	immutable              = "IMMUTABLE"
	mutableWithExclusion   = "MUTABLE_WITH_EXCLUSION"
	immutableWithExclusion = "IMMUTABLE_WITH_EXCLUSION"
)

func newRepository(name string, now time.Time) *repository {
	return &repository{
		name: name, createdAt: now, mutability: mutable, tags: map[string]string{},
		images: map[string]*image{}, imageTags: map[string]string{}, layers: map[string]int64{},
	}
}

// immutableTag says whether a tag that exists may not move.
func (repo *repository) immutableTag(tag string) bool {
	excluded := slices.ContainsFunc(repo.exclusions, func(e exclusion) bool { return wildcard(tag, e.Filter) })
	switch repo.mutability {
	case immutable:
		return true
	case immutableWithExclusion:
		return !excluded
	case mutableWithExclusion:
		return excluded
	default:
		return false
	}
}

func wildcard(text, filter string) bool {
	pattern := regexp.QuoteMeta(filter)
	return regexp.MustCompile("^" + regexp.MustCompile(`\\\*`).ReplaceAllString(pattern, ".*") + "$").MatchString(text)
}

// tagsOf lists the tags that point at a digest, sorted.
func (repo *repository) tagsOf(digest string) []string {
	var tags []string
	for tag, d := range repo.imageTags {
		if d == digest {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

// inOrder lists the images in the order in which they were pushed.
func (repo *repository) inOrder() []*image {
	return slices.SortedFunc(maps.Values(repo.images), func(a, b *image) int { return cmp.Compare(a.order, b.order) })
}

func (s *Service) arn(repository string) string {
	return fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", s.options.Region, s.options.Account, repository)
}

// find returns a repository of this account, or ECR's error for one that does not exist.
func (s *Service) find(registryID, name string) (*repository, error) {
	if name == "" {
		return nil, invalid("repositoryName", "must not be null")
	}
	if registryID == "" {
		registryID = s.options.Account
	}
	if r := s.repositories[name]; r != nil && registryID == s.options.Account {
		return r, nil
	}
	return nil, wire.Errorf("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", name, registryID)
}

// on authorises an action on a repository and then looks it up, in the order in which AWS refuses.
func (s *Service) on(r *wire.Request, registryID, name string) (*repository, error) {
	if name == "" {
		return nil, invalid("repositoryName", "must not be null")
	}
	if err := r.Authorize("ecr:"+r.Action, s.arn(name)); err != nil {
		return nil, err
	}
	return s.find(registryID, name)
}

func invalid(parameter, constraint string) *wire.Error {
	return wire.Errorf("InvalidParameterException",
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", parameter, constraint)
}

func (s *Service) imageNotFound(r *repository, digest, tag string) *wire.Error {
	null := func(text string) string { return cmp.Or(text, "null") }
	return wire.Errorf("ImageNotFoundException",
		"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository "+
			"with name '%s' in the registry with id '%s'",
		null(digest), null(tag), r.name, s.options.Account)
}
