package ecrpush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"os"
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/image"
)

// parseAttach reads lines of TYPE=PATH.
func parseAttach(lines []string) (all []image.Attachment, problems []error) {
	for _, line := range lines {
		kind, path, ok := strings.Cut(line, "=")
		kind, path = strings.TrimSpace(kind), strings.TrimSpace(path)
		media, parameters, err := mime.ParseMediaType(kind)
		switch a := (image.Attachment{Type: kind, Path: path}); {
		case !ok || path == "":
			problems = append(problems, fmt.Errorf("attach: %q: want TYPE=PATH, such as application/vnd.cyclonedx+json=sbom.json", line))
		case err != nil || len(parameters) > 0 || media != kind || !strings.Contains(kind, "/"):
			problems = append(problems, fmt.Errorf("attach: %q is not a media type, such as application/vnd.cyclonedx+json", kind))
		case slices.Contains(all, a):
			problems = append(problems, fmt.Errorf("attach: %q is given twice", line))
		default:
			all = append(all, a)
		}
	}
	return all, problems
}

const pemMark = "-----BEGIN "

// checkKeys returns what is wrong with public keys that are given as they are, not as a file.
func checkKeys(text string) []error {
	if !strings.Contains(text, pemMark) {
		return nil
	}
	if _, err := image.ParsePublicKeys([]byte(text)); err != nil {
		return []error{fmt.Errorf("verify-signature: %w", err)}
	}
	return nil
}

// mostKeys is the largest file of keys that is read.
const mostKeys = 1 << 20

// readKeys returns the public keys of the input, which has them or names a file of them.
func readKeys(text string) (image.PublicKeys, error) {
	raw := []byte(text)
	if !strings.Contains(text, pemMark) {
		info, err := os.Stat(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("verify-signature: it is neither a public key in PEM nor a file with one: %w", err)
		case !info.Mode().IsRegular() || info.Size() > mostKeys:
			return nil, fmt.Errorf("verify-signature: %s is not a file of public keys", text)
		}
		if raw, err = os.ReadFile(text); err != nil {
			return nil, fmt.Errorf("verify-signature: %w", err)
		}
	}
	keys, err := image.ParsePublicKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("verify-signature: %w", err)
	}
	return keys, nil
}

// verify refuses a source that has no signature by one of the keys that were given.
func (p *Push) verify(ctx context.Context, keys image.PublicKeys) error {
	if len(keys) == 0 {
		return nil
	}
	where, err := p.src.VerifySignature(ctx, keys)
	if err == nil {
		p.signature = where
	}
	return err
}

// names of what refers to images, by parts of their artifact types. The first that fits counts.
var kinds = []struct{ part, one, many string }{
	{"simplesigning", "signature", "signatures"}, {"cosign.artifact.sig", "signature", "signatures"}, {"notary", "signature", "signatures"},
	{"signature", "signature", "signatures"}, {"sigstore.bundle", "signature or attestation", "signatures or attestations"},
	{"spdx", "SBOM", "SBOMs"}, {"cyclonedx", "SBOM", "SBOMs"}, {"syft", "SBOM", "SBOMs"}, {"sbom", "SBOM", "SBOMs"},
	{"in-toto", "attestation", "attestations"}, {"dsse", "attestation", "attestations"}, {"provenance", "attestation", "attestations"},
	{"", "other artifact", "other artifacts"},
}

// referrersText says what refers to an image, by kinds: "1 signature, 2 SBOMs".
func referrersText(all []image.Referrer) string {
	counts := make([]int, len(kinds))
	for _, h := range all {
		counts[slices.IndexFunc(kinds, func(k struct{ part, one, many string }) bool {
			return strings.Contains(strings.ToLower(h.Type), k.part)
		})]++
	}
	var words []string
	by := map[string]int{}
	for i, k := range kinds {
		if counts[i] > 0 && by[k.one] == 0 {
			words = append(words, k.one)
		}
		by[k.one] += counts[i]
	}
	for i, one := range words {
		n, name := by[one], one
		if n > 1 {
			name = kinds[slices.IndexFunc(kinds, func(k struct{ part, one, many string }) bool { return k.one == one })].many
		}
		words[i] = fmt.Sprintf("%d %s", n, name)
	}
	return strings.Join(words, ", ")
}

// sentToo returns those that are not there yet.
func sentToo(all []image.Referrer) []image.Referrer {
	return slices.DeleteFunc(slices.Clone(all), func(h image.Referrer) bool { return h.How == image.Reused })
}

// referrersOutput lists what refers to the image, a line each: TAG or DIGEST, and its type.
func referrersOutput(all []image.Referrer) string {
	var lines []string
	for _, h := range all {
		lines = append(lines, strings.TrimSpace(cmp.Or(h.Tag, h.Digest)+" "+h.Type))
	}
	return strings.Join(lines, "\n")
}

// unsigned says whether an error is about the image's signature.
func unsigned(err error) bool {
	var signature *image.SignatureError
	return errors.As(err, &signature)
}
