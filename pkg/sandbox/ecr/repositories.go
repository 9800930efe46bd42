package ecr

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// nameForm is the repository name constraint of the API model.
var nameForm = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

type keyValue struct{ Key, Value string }

func (s *Service) createRepository(r *wire.Request) (any, error) {
	var in struct {
		RegistryID                         string `json:"registryId"`
		RepositoryName                     string
		Tags                               []keyValue
		ImageTagMutability                 string
		ImageTagMutabilityExclusionFilters []exclusion
		ImageScanningConfiguration         struct{ ScanOnPush bool }
		EncryptionConfiguration            any
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if !nameForm.MatchString(in.RepositoryName) || len(in.RepositoryName) < 2 || len(in.RepositoryName) > 256 {
		return nil, invalid("repositoryName", "must satisfy regular expression '"+strings.Trim(nameForm.String(), "^$")+"'")
	}
	if err := r.Authorize("ecr:CreateRepository", s.arn(in.RepositoryName)); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := r.Authorize("ecr:TagResource", s.arn(in.RepositoryName)); err != nil {
			return nil, err
		}
	}
	if s.repositories[in.RepositoryName] != nil {
		return nil, wire.Errorf("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", in.RepositoryName, s.options.Account)
	}
	repo := newRepository(in.RepositoryName, r.Now)
	if in.ImageTagMutability != "" {
		if err := repo.setMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
			return nil, err
		}
	}
	repo.scanOnPush = in.ImageScanningConfiguration.ScanOnPush
	repo.encryption = in.EncryptionConfiguration
	for _, tag := range in.Tags {
		repo.tags[tag.Key] = tag.Value
	}
	s.repositories[repo.name] = repo
	return map[string]any{"repository": s.describe(r, repo)}, nil
}

// describe is the API's Repository. Its URI is the host that the client reached, so that a client that takes registry
// names from here, and builds none, works against any endpoint.
func (s *Service) describe(r *wire.Request, repo *repository) map[string]any {
	encryption := repo.encryption
	if encryption == nil {
		encryption = map[string]any{"encryptionType": "AES256"}
	}
	out := map[string]any{
		"repositoryArn": s.arn(repo.name), "registryId": s.options.Account, "repositoryName": repo.name,
		"repositoryUri": r.Host + "/" + repo.name, "createdAt": wire.Time(repo.createdAt),
		"imageTagMutability":         repo.mutability,
		"imageScanningConfiguration": map[string]any{"scanOnPush": repo.scanOnPush},
		"encryptionConfiguration":    encryption,
	}
	if len(repo.exclusions) > 0 {
		out["imageTagMutabilityExclusionFilters"] = repo.exclusions
	}
	return out
}

func (s *Service) describeRepositories(r *wire.Request) (any, error) {
	var in struct {
		RegistryID      string `json:"registryId"`
		RepositoryNames []string
		NextToken       string
		MaxResults      int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	var found []*repository
	for _, name := range in.RepositoryNames {
		repo, err := s.on(r, in.RegistryID, name)
		if err != nil {
			return nil, err
		}
		found = append(found, repo)
	}
	if len(in.RepositoryNames) == 0 {
		if err := r.Authorize("ecr:DescribeRepositories", s.arn("*")); err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(s.repositories)) {
			found = append(found, s.repositories[name])
		}
	}
	page, next, err := pageOf(found, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"repositories": collect(page, func(repo *repository) any { return s.describe(r, repo) })}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

func (s *Service) deleteRepository(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string `json:"registryId"`
		RepositoryName string
		Force          bool
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if len(repo.images) > 0 && !in.Force {
		return nil, wire.Errorf("RepositoryNotEmptyException",
			"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images",
			repo.name, s.options.Account)
	}
	delete(s.repositories, repo.name)
	return map[string]any{"repository": s.describe(r, repo)}, nil
}

// setMutability checks and takes over a tag mutability with its exclusion filters (one to five, wildcards alone).
func (repo *repository) setMutability(mutability string, filters []exclusion) error {
	withFilters := mutability == mutableWithExclusion || mutability == immutableWithExclusion
	switch {
	case !slices.Contains([]string{mutable, immutable, mutableWithExclusion, immutableWithExclusion}, mutability):
		return invalid("imageTagMutability",
			"Member must satisfy enum value set: [IMMUTABLE_WITH_EXCLUSION, IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION]")
	case withFilters && (len(filters) < 1 || len(filters) > 5):
		return invalid("imageTagMutabilityExclusionFilters", "Member must have length between 1 and 5")
	case !withFilters && len(filters) > 0:
		// wording unconfirmed
		return invalid("imageTagMutabilityExclusionFilters", "Exclusion filters require a mutability setting with exclusion")
	}
	for _, f := range filters {
		if f.FilterType != "WILDCARD" || !regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`).MatchString(f.Filter) {
			return invalid("imageTagMutabilityExclusionFilters", "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._*-]{1,128}$")
		}
	}
	repo.mutability, repo.exclusions = mutability, filters
	return nil
}

func (s *Service) putImageTagMutability(r *wire.Request) (any, error) {
	var in struct {
		RegistryID                         string `json:"registryId"`
		RepositoryName, ImageTagMutability string
		ImageTagMutabilityExclusionFilters []exclusion
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := repo.setMutability(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters); err != nil {
		return nil, err
	}
	return map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "imageTagMutability": repo.mutability,
		"imageTagMutabilityExclusionFilters": append([]exclusion{}, repo.exclusions...),
	}, nil
}

func (s *Service) putImageScanningConfiguration(r *wire.Request) (any, error) {
	var in struct {
		RegistryID                 string `json:"registryId"`
		RepositoryName             string
		ImageScanningConfiguration struct{ ScanOnPush bool }
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	repo.scanOnPush = in.ImageScanningConfiguration.ScanOnPush
	return map[string]any{"registryId": s.options.Account, "repositoryName": repo.name,
		"imageScanningConfiguration": map[string]any{"scanOnPush": repo.scanOnPush}}, nil
}

// byARN finds the repository that a tagging operation names.
func (s *Service) byARN(r *wire.Request, arn string) (*repository, error) {
	name, ok := strings.CutPrefix(arn, s.arn(""))
	if !ok {
		return nil, invalid("resourceArn", "must be the ARN of a repository of this account and region") // wording unconfirmed
	}
	return s.on(r, "", name)
}

func (s *Service) tagResource(r *wire.Request) (any, error) {
	var in struct {
		ResourceArn string
		Tags        []keyValue
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.byARN(r, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, tag := range in.Tags {
		repo.tags[tag.Key] = tag.Value
	}
	return nil, nil
}

func (s *Service) untagResource(r *wire.Request) (any, error) {
	var in struct {
		ResourceArn string
		TagKeys     []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.byARN(r, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(repo.tags, key)
	}
	return nil, nil
}

func (s *Service) listTagsForResource(r *wire.Request) (any, error) {
	var in struct{ ResourceArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.byARN(r, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := []any{}
	for _, key := range slices.Sorted(maps.Keys(repo.tags)) {
		tags = append(tags, map[string]any{"Key": key, "Value": repo.tags[key]})
	}
	return map[string]any{"tags": tags}, nil
}

// putLifecyclePolicy keeps the policy and gives it back; the sandbox never runs it.
func (s *Service) putLifecyclePolicy(r *wire.Request) (any, error) {
	var in struct {
		RegistryID                          string `json:"registryId"`
		RepositoryName, LifecyclePolicyText string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	var policy struct{ Rules []map[string]any }
	if err := json.Unmarshal([]byte(in.LifecyclePolicyText), &policy); err != nil || len(policy.Rules) == 0 {
		return nil, wire.Errorf("InvalidParameterException",
			"Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %s'",
			"the policy is not a JSON object with rules")
	}
	repo.lifecycle, repo.lifecycleAt = in.LifecyclePolicyText, r.Now
	return map[string]any{"registryId": s.options.Account, "repositoryName": repo.name, "lifecyclePolicyText": repo.lifecycle}, nil
}

func (s *Service) withLifecyclePolicy(r *wire.Request, then func(*repository)) (any, error) {
	var in struct {
		RegistryID     string `json:"registryId"`
		RepositoryName string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if repo.lifecycle == "" {
		return nil, wire.Errorf("LifecyclePolicyNotFoundException",
			"Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", repo.name, s.options.Account)
	}
	out := map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "lifecyclePolicyText": repo.lifecycle,
		"lastEvaluatedAt": wire.Time(repo.lifecycleAt),
	}
	then(repo)
	return out, nil
}

func (s *Service) getLifecyclePolicy(r *wire.Request) (any, error) {
	return s.withLifecyclePolicy(r, func(*repository) {})
}

func (s *Service) deleteLifecyclePolicy(r *wire.Request) (any, error) {
	return s.withLifecyclePolicy(r, func(repo *repository) { repo.lifecycle = "" })
}

// getRepositoryPolicy never finds one: resource policies are not modelled, and none can be put.
func (s *Service) getRepositoryPolicy(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string `json:"registryId"`
		RepositoryName string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return nil, wire.Errorf("RepositoryPolicyNotFoundException",
		"Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", repo.name, s.options.Account)
}

// pageOf cuts a page with ECR's bounds: 100 by default, at most 1000.
func pageOf[T any](items []T, token string, size int) ([]T, string, error) {
	if size < 0 || size > 1000 {
		return nil, "", invalid("maxResults", "Member must have value less than or equal to 1000")
	}
	if size == 0 {
		size = 100
	}
	page, next, ok := wire.Page(items, token, size)
	if !ok {
		// wording unconfirmed
		return nil, "", wire.Errorf("InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
	}
	return page, next, nil
}

// collect maps a list; the result is never nil, so that an empty list is written as [].
func collect[T any](items []T, f func(T) any) []any {
	out := make([]any, 0, len(items))
	for _, item := range items {
		out = append(out, f(item))
	}
	return out
}
