package image

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// A status is not believed before there are findings, or the time of a scan.
func TestStateOfScan(t *testing.T) {
	at := &types.ImageScanFindings{ImageScanCompletedAt: aws.Time(time.Unix(0, 0))}
	basic := &types.ImageScanFindings{Findings: []types.ImageScanFinding{{}}}
	enhanced := &types.ImageScanFindings{EnhancedFindings: []types.EnhancedImageScanFinding{{}}}
	for _, test := range []struct {
		status   types.ScanStatus
		findings *types.ImageScanFindings
		want     scanState
		missing  bool
	}{
		{types.ScanStatusComplete, at, scanEnded, false},
		{types.ScanStatusComplete, basic, scanEnded, false},
		{types.ScanStatusComplete, nil, scanGoesOn, false},
		{types.ScanStatusComplete, &types.ImageScanFindings{}, scanGoesOn, false},
		{types.ScanStatusActive, enhanced, scanEnded, false},
		{types.ScanStatusActive, at, scanEnded, false},
		{types.ScanStatusActive, nil, scanGoesOn, false},
		{types.ScanStatusPending, enhanced, scanGoesOn, false},
		{types.ScanStatusInProgress, at, scanGoesOn, false},
		{types.ScanStatusFailed, nil, scanEnded, true},
		{types.ScanStatusUnsupportedImage, nil, scanEnded, true},
		{types.ScanStatusScanEligibilityExpired, enhanced, scanEnded, true},
		{types.ScanStatusFindingsUnavailable, nil, scanEnded, true},
		{"SOMETHING_NEW", nil, scanEnded, true},
	} {
		state, missing := stateOfScan(&ecr.DescribeImageScanFindingsOutput{ImageScanStatus: &types.ImageScanStatus{Status: test.status},
			ImageScanFindings: test.findings})
		if state != test.want || (missing != "") != test.missing {
			t.Errorf("%s with %+v: %v, %q", test.status, test.findings, state, missing)
		}
	}
}

func TestFindings(t *testing.T) {
	got := findingsOf(&types.ImageScanFindings{
		Findings: []types.ImageScanFinding{{Name: aws.String("CVE-1"), Severity: types.FindingSeverityHigh, Attributes: []types.Attribute{
			{Key: aws.String("package_version"), Value: aws.String("1.2")}, {Key: aws.String("package_name"), Value: aws.String("zlib")}}}},
		EnhancedFindings: []types.EnhancedImageScanFinding{
			{Title: aws.String("CVE-2 - openssl"), Severity: aws.String("CRITICAL"), PackageVulnerabilityDetails: &types.PackageVulnerabilityDetails{
				VulnerabilityId: aws.String("CVE-2"), VulnerablePackages: []types.VulnerablePackage{
					{Name: aws.String("openssl"), Version: aws.String("3.0"), FixedInVersion: aws.String("3.1")}}}},
			{Title: aws.String("CVE-3"), Status: aws.String("SUPPRESSED")},
			{Title: aws.String("CVE-4"), Status: aws.String("ACTIVE"), Severity: aws.String("LOW")},
		},
	})
	want := []Finding{{Name: "CVE-1", Severity: "HIGH", Package: "zlib 1.2"},
		{Name: "CVE-2", Severity: "CRITICAL", Package: "openssl 3.0", Fix: "3.1"},
		{Name: "CVE-4", Severity: "LOW"}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%+v", got)
	}
}
