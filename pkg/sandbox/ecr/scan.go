package ecr

import (
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Finding is what a scan reports about an image. The sandbox looks into no image: it reports what it was told to.
type Finding struct {
	Repository  string // repository name
	Image       string // tag or digest; "" for every image of the repository
	Name        string // such as CVE-2026-1234
	Severity    string // CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNDEFINED
	Description string
	URI         string
}

type scan struct{ startedAt time.Time }

func (s *Service) startImageScan(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		ImageID        imageID
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	img, failure := repo.lookup(in.ImageID)
	switch {
	case failure != nil:
		return nil, s.imageNotFound(repo, in.ImageID.ImageDigest, in.ImageID.ImageTag)
	case len(img.children) > 0:
		return nil, wire.Errorf("UnsupportedImageTypeException", "The operation cannot be performed on an image index.") // wording unconfirmed
	case img.scan != nil && r.Now.Sub(img.scan.startedAt) < 24*time.Hour:
		return nil, wire.Errorf("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	}
	img.scan = &scan{startedAt: r.Now}
	return map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "imageId": imageID{img.digest, in.ImageID.ImageTag},
		"imageScanStatus": map[string]any{"status": "IN_PROGRESS"},
	}, nil
}

func (s *Service) describeImageScanFindings(r *wire.Request) (any, error) {
	var in struct {
		RegistryID     string
		RepositoryName string
		ImageID        imageID
		NextToken      string
		MaxResults     int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	repo, err := s.on(r, in.RegistryID, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	img, failure := repo.lookup(in.ImageID)
	switch {
	case failure != nil:
		return nil, s.imageNotFound(repo, in.ImageID.ImageDigest, in.ImageID.ImageTag)
	case img.scan == nil:
		return nil, wire.Errorf("ScanNotFoundException",
			"Image scan does not exist for the image with '{imageDigest:'%s', imageTag:'%s'}' in the repository with name '%s' in the registry "+
				"with id '%s'",
			img.digest, in.ImageID.ImageTag, repo.name, s.options.Account)
	}
	out := map[string]any{
		"registryId": s.options.Account, "repositoryName": repo.name, "imageId": imageID{img.digest, in.ImageID.ImageTag},
	}
	done := img.scan.startedAt.Add(s.options.ScanTime)
	if r.Now.Before(done) {
		out["imageScanStatus"] = map[string]any{"status": "IN_PROGRESS"}
		return out, nil
	}
	findings, next, err := pageOf(s.findingsOf(repo, img), in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, f := range s.findingsOf(repo, img) {
		counts[f.Severity]++
	}
	out["imageScanStatus"] = map[string]any{"status": "COMPLETE", "description": "The scan was completed successfully."}
	out["imageScanFindings"] = map[string]any{
		"imageScanCompletedAt": wire.Time(done), "vulnerabilitySourceUpdatedAt": wire.Time(img.scan.startedAt),
		"findingSeverityCounts": counts,
		"findings": collect(findings, func(f Finding) any {
			return map[string]any{"name": f.Name, "severity": f.Severity, "description": f.Description, "uri": f.URI, "attributes": []any{}}
		}),
	}
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}

func (s *Service) findingsOf(repo *repository, img *image) []Finding {
	var found []Finding
	for _, f := range s.options.Findings {
		if f.Repository == repo.name && (f.Image == "" || f.Image == img.digest || repo.imageTags[f.Image] == img.digest) {
			found = append(found, f)
		}
	}
	return found
}
