package ecrpush

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/image"
)

func TestParseAttach(t *testing.T) {
	for line, refused := range map[string]string{
		"application/spdx+json=sbom.json": "",
		"text/plain = notes = final.txt":  "",
		"sbom.json":                       "want TYPE=PATH",
		"application/spdx+json=":          "want TYPE=PATH",
		"spdx=sbom.json":                  "not a media type",
		"text/plain; a=b.txt":             "not a media type",
		"Text/Plain=a.txt":                "not a media type",
	} {
		all, problems := parseAttach([]string{line})
		if refused == "" && (len(problems) > 0 || len(all) != 1) {
			t.Errorf("%q: %v", line, problems)
		}
		if refused != "" && (len(problems) != 1 || len(all) != 0 || !strings.Contains(problems[0].Error(), refused)) {
			t.Errorf("%q: %v, want %q", line, problems, refused)
		}
	}
	all, problems := parseAttach([]string{"a/b=c", "a/b=c", "a/b=d", "x"})
	if len(all) != 2 || len(problems) != 2 {
		t.Errorf("%v, %v; want two of each", all, problems)
	}
}

func TestReferrersText(t *testing.T) {
	of := func(types ...string) (all []image.Referrer) {
		for _, kind := range types {
			all = append(all, image.Referrer{Type: kind})
		}
		return all
	}
	for want, all := range map[string][]image.Referrer{
		"":            nil,
		"1 signature": of("application/vnd.dev.cosign.simplesigning.v1+json"),
		"2 signatures, 1 SBOM": of("application/vnd.cncf.notary.signature", "application/spdx+json",
			"application/vnd.dev.cosign.artifact.sig.v1+json"),
		"1 attestation":            of("application/vnd.in-toto+json"),
		"2 other artifacts":        of("", "text/plain"),
		"2 SBOMs":                  of("application/vnd.cyclonedx+json", "text/spdx"),
		"1 SBOM, 1 other artifact": of("text/x", "text/spdx"),
	} {
		if got := referrersText(all); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
