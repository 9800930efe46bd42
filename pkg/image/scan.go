package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/pkg/awserr"
)

// Scanner is what this package asks of Amazon ECR about scans; *ecr.Client has it.
type Scanner interface {
	DescribeImageScanFindings(context.Context, *ecr.DescribeImageScanFindingsInput,
		...func(*ecr.Options)) (*ecr.DescribeImageScanFindingsOutput, error)
	StartImageScan(context.Context, *ecr.StartImageScanInput, ...func(*ecr.Options)) (*ecr.StartImageScanOutput, error)
}

// Finding is what a scan found in an image.
type Finding struct {
	Name     string // CVE-2026-1234
	Severity string // CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNDEFINED or UNTRIAGED
	Package  string // with its version, where it is told
	Fix      string // the version that mends it, where it is told
	URI      string
}

// Scan is the scan of one image.
type Scan struct {
	Digest   string
	Findings []Finding
	Missing  string // why there are no findings to judge by, in words; empty where there was a scan
}

// waitsOfScan are the pauses between two looks at a scan, and how long one is waited for.
var waitsOfScan = backoff.Policy{First: 2 * time.Second, Most: 15 * time.Second}

const patience = 10 * time.Minute

// Scans says whether the registry scans images.
func (d *Destination) Scans() bool {
	_, ok := d.client.(Scanner)
	return ok
}

// Findings returns what the last scan of an image found, by its tag or digest, without waiting for one. An image that is not there, or
// was not scanned, has none.
func (d *Destination) Findings(ctx context.Context, tagOrDigest string) ([]Finding, error) {
	s, _, err := d.readScan(ctx, tagOrDigest)
	return s.Findings, err
}

// Scan waits for what the scan of an image finds, and begins one where there is none. ECR says that a scan is complete before its
// findings are there, so it is they that are waited for.
func (d *Destination) Scan(ctx context.Context, digest string) (Scan, error) {
	end := time.Now().Add(patience)
	started := false
	for attempt := 1; ; attempt++ {
		s, state, err := d.readScan(ctx, digest)
		switch {
		case err != nil:
			return s, err
		case state == scanEnded:
			return s, nil
		case state == scanAbsent && !started:
			started = true
			if s.Missing, err = d.startScan(ctx, digest); s.Missing != "" || err != nil {
				return s, err
			}
		}
		if time.Now().After(end) {
			s.Missing = fmt.Sprintf("no findings were there after %s (%s)", patience, cmp.Or(s.Missing, "ECR has not scanned it"))
			return s, nil
		}
		if err := backoff.Pause(ctx, waitsOfScan.Wait(attempt)); err != nil {
			return s, err
		}
	}
}

// scanState is how far a scan is.
type scanState int

const (
	scanAbsent scanState = iota
	scanGoesOn
	scanEnded // with findings, or with the reason why there are none
)

func (d *Destination) readScan(ctx context.Context, tagOrDigest string) (Scan, scanState, error) {
	s := Scan{Digest: tagOrDigest}
	id := &ecrtypes.ImageIdentifier{ImageTag: aws.String(tagOrDigest)}
	if IsDigest(tagOrDigest) {
		id = &ecrtypes.ImageIdentifier{ImageDigest: aws.String(tagOrDigest)}
	}
	in := &ecr.DescribeImageScanFindingsInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name), ImageId: id}
	state := scanEnded
	for {
		out, err := d.client.(Scanner).DescribeImageScanFindings(ctx, in)
		var absent *ecrtypes.ScanNotFoundException
		var missing *ecrtypes.ImageNotFoundException
		switch {
		case errors.As(err, &absent), errors.As(err, &missing):
			return s, scanAbsent, nil
		case err != nil:
			return s, state, fmt.Errorf("reading the scan of %s: %w", d.Ref(tagOrDigest), awserr.Explain(err))
		}
		state, s.Missing = stateOfScan(out)
		if state != scanEnded || s.Missing != "" {
			return s, state, nil
		}
		s.Findings = append(s.Findings, findingsOf(out.ImageScanFindings)...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return s, state, nil
		}
	}
}

// stateOfScan says how far a scan is, and why there will be no findings. Basic scanning ends COMPLETE, enhanced scanning never: it is
// ACTIVE from the first findings on, and before them as well. So it is the time of a scan, or a finding, that counts.
func stateOfScan(out *ecr.DescribeImageScanFindingsOutput) (scanState, string) {
	status, words := ecrtypes.ScanStatus(""), ""
	if out.ImageScanStatus != nil {
		status, words = out.ImageScanStatus.Status, aws.ToString(out.ImageScanStatus.Description)
	}
	switch status {
	case ecrtypes.ScanStatusComplete, ecrtypes.ScanStatusActive:
		f := out.ImageScanFindings
		if f == nil || f.ImageScanCompletedAt == nil && len(f.Findings)+len(f.EnhancedFindings) == 0 {
			return scanGoesOn, ""
		}
		return scanEnded, ""
	case ecrtypes.ScanStatusInProgress, ecrtypes.ScanStatusPending, "":
		return scanGoesOn, ""
	}
	return scanEnded, strings.TrimSuffix(fmt.Sprintf("ECR says %s: %s", status, words), ": ")
}

func findingsOf(f *ecrtypes.ImageScanFindings) (all []Finding) {
	for _, b := range f.Findings {
		one := Finding{Name: aws.ToString(b.Name), Severity: string(b.Severity), URI: aws.ToString(b.Uri)}
		for _, a := range b.Attributes {
			switch value := aws.ToString(a.Value); aws.ToString(a.Key) {
			case "package_name":
				one.Package = value + one.Package
			case "package_version":
				one.Package += " " + value
			}
		}
		all = append(all, one)
	}
	for _, e := range f.EnhancedFindings {
		if status := aws.ToString(e.Status); status == "SUPPRESSED" || status == "CLOSED" {
			continue // Amazon Inspector's own rules took it out
		}
		one := Finding{Name: aws.ToString(e.Title), Severity: aws.ToString(e.Severity)}
		if p := e.PackageVulnerabilityDetails; p != nil {
			one.Name, one.URI = cmp.Or(aws.ToString(p.VulnerabilityId), one.Name), aws.ToString(p.SourceUrl)
			for _, v := range p.VulnerablePackages {
				one.Package = strings.TrimSpace(aws.ToString(v.Name) + " " + aws.ToString(v.Version))
				one.Fix = aws.ToString(v.FixedInVersion)
				break
			}
		}
		all = append(all, one)
	}
	return all
}

// startScan begins a scan. refused says in words why there will be none; where ECR scans by itself it cannot be begun, and is not.
func (d *Destination) startScan(ctx context.Context, digest string) (refused string, err error) {
	_, err = d.client.(Scanner).StartImageScan(ctx, &ecr.StartImageScanInput{RegistryId: d.registryID, RepositoryName: aws.String(d.Name),
		ImageId: &ecrtypes.ImageIdentifier{ImageDigest: aws.String(digest)}})
	var unsupported *ecrtypes.UnsupportedImageTypeException
	var limit *ecrtypes.LimitExceededException
	var invalid *ecrtypes.ValidationException
	switch {
	case err == nil, errors.As(err, &limit), errors.As(err, &invalid):
		return "", nil // scanned within a day, or by enhanced scanning
	case errors.As(err, &unsupported):
		return "ECR cannot scan an image of this kind", nil
	}
	return "", fmt.Errorf("scanning %s: %w", d.Ref(digest), awserr.Explain(err))
}

// Runnable returns the digests of the images to run: those of an index, or the one. They are known when the push has stored them.
func (p *Plan) Runnable() []string {
	root := p.Source.root
	var digests []string
	root.walk(func(n *node) {
		if len(n.children) == 0 && (n == root || runnable(n.desc)) {
			digests = append(digests, n.desc.Digest.String())
		}
	})
	return digests
}
