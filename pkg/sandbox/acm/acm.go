// Package acm is what the sandbox has of AWS Certificate Manager: certificates that can be looked at.
//
// Source: AWS Certificate Manager API reference, "DescribeCertificate" and "ListCertificates".
package acm

import (
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service holds the certificates. The world's lock guards it.
type Service struct{ Certificates []*Certificate }

// Certificate is one that Amazon issued.
type Certificate struct {
	ARN, Status     string // ISSUED, EXPIRED, PENDING_VALIDATION, VALIDATION_TIMED_OUT, …
	Domain          string
	Begins, Expires time.Time
	Renewal         string // PENDING_VALIDATION, FAILED, …; "" where none is under way
	Users           []string
}

// API is the service's table of operations.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "acm", TargetPrefix: "CertificateManager", Operations: map[string]wire.Operation{
		"DescribeCertificate": s.describe, "ListCertificates": s.list,
	}}
}

type certificate struct {
	CertificateArn, DomainName, Status, Type, KeyAlgorithm string
	SubjectAlternativeNames                                []string
	NotBefore, NotAfter                                    wire.Time `json:",omitzero"`
	InUseBy                                                []string
	RenewalEligibility                                     string
	RenewalSummary                                         map[string]any `json:",omitempty"`
}

func (s *Service) describe(r *wire.Request) (any, error) {
	var in struct{ CertificateArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("acm:DescribeCertificate", in.CertificateArn); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Certificates, func(c *Certificate) bool { return c.ARN == in.CertificateArn })
	if i < 0 {
		return nil, wire.Errorf("ResourceNotFoundException", "Could not find certificate %s.", in.CertificateArn)
	}
	c := s.Certificates[i]
	v := certificate{CertificateArn: c.ARN, DomainName: c.Domain, Status: c.Status, Type: "AMAZON_ISSUED", KeyAlgorithm: "RSA-2048",
		SubjectAlternativeNames: []string{c.Domain}, NotBefore: wire.Time(c.Begins), NotAfter: wire.Time(c.Expires),
		InUseBy: append([]string{}, c.Users...), RenewalEligibility: "ELIGIBLE"}
	if c.Renewal != "" {
		v.RenewalSummary = map[string]any{"RenewalStatus": c.Renewal, "DomainValidationOptions": []any{}, "UpdatedAt": wire.Time(r.Now)}
	}
	return map[string]any{"Certificate": v}, nil
}

func (s *Service) list(r *wire.Request) (any, error) {
	if err := r.Authorize("acm:ListCertificates", "*"); err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, c := range s.Certificates {
		out = append(out, map[string]any{"CertificateArn": c.ARN, "DomainName": c.Domain, "Status": c.Status})
	}
	return map[string]any{"CertificateSummaryList": out}, nil
}
