package image

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// PublicKeys are the keys of which one has to have signed an image.
type PublicKeys []crypto.PublicKey

// leastRSA is how many bits an RSA key has at least.
const leastRSA = 2048

// ParsePublicKeys reads public keys as cosign writes them: PEM blocks, one after the other, of ECDSA, RSA or Ed25519.
func ParsePublicKeys(text []byte) (PublicKeys, error) {
	var keys PublicKeys
	for n := 1; ; n++ {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		key, err := publicKey(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", n, err)
		}
		keys, text = append(keys, key), rest
	}
	switch {
	case len(bytes.TrimSpace(text)) > 0:
		return nil, errors.New("it is not a public key in PEM (-----BEGIN PUBLIC KEY-----)")
	case len(keys) == 0:
		return nil, errors.New("it holds no public key")
	}
	return keys, nil
}

func publicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch {
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it is a private key: verifying takes the public one (cosign public-key)")
	case block.Type == "CERTIFICATE":
		return nil, errors.New("it is a certificate: signatures without a key of their own (keyless) are not verified here")
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("it is a PEM block of %q, not of PUBLIC KEY", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return key, nil
	case *rsa.PublicKey:
		if key.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("it is an RSA key of %d bits; %d are the least", key.N.BitLen(), leastRSA)
		}
		return key, nil
	default:
		return nil, fmt.Errorf("it is a key of a kind that does not sign images (%T)", key)
	}
}

// signed says whether one of the keys made the signature of a message, as cosign makes them: of its SHA-256, or with Ed25519 of the
// message itself.
func (k PublicKeys) signed(message, signature []byte) bool {
	digest := sha256.Sum256(message)
	return slices.ContainsFunc(k, func(key crypto.PublicKey) bool {
		switch key := key.(type) {
		case *ecdsa.PublicKey:
			return ecdsa.VerifyASN1(key, digest[:], signature)
		case ed25519.PublicKey:
			return ed25519.Verify(key, message, signature)
		case *rsa.PublicKey:
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil ||
				rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, nil) == nil
		default:
			return false
		}
	})
}

// SignatureError says that an image has no signature by one of the keys.
type SignatureError struct {
	Digest string   // of the image
	Keys   int      // how many there are
	Found  []string // what was found in place of a signature that counts, and why it does not
}

// Error says what was found.
func (e *SignatureError) Error() string {
	if len(e.Found) == 0 {
		return fmt.Sprintf("the image %s is not signed: there is no signature of cosign beside it", e.Digest)
	}
	return fmt.Sprintf("the image %s has no signature by one of the %d keys: %s", e.Digest, e.Keys, strings.Join(e.Found, "; "))
}

// What is read of signatures at most.
const (
	mostSignatures = 100
	mostPayload    = 1 << 20
)

// VerifySignature makes sure that cosign signed the source under the digest that it has there, with one of the keys. It returns where
// the signature is: its tag, or its manifest's digest. The error is a *SignatureError where there is none that counts.
//
// Of a multi-platform source it is the index that has to be signed, or the one image of it that was taken.
func (s *Source) VerifySignature(ctx context.Context, keys PublicKeys) (where string, err error) {
	if s.opened == (v1.Hash{}) {
		return "", fmt.Errorf("a %s has no digest that could have been signed: give an OCI layout with its signature, or a registry reference",
			s.Kind)
	}
	all, err := s.referrers.read(ctx)
	if err != nil {
		return "", fmt.Errorf("looking for signatures of %s: %w", s.opened, err)
	}
	refused := &SignatureError{Digest: s.opened.String(), Keys: len(keys)}
	checked := 0
	for _, r := range all {
		if r.on != s.opened {
			continue
		}
		where := r.tag
		if where == "" {
			where = r.desc.Digest.String()
		}
		for _, l := range r.layers {
			form := formOf(l.Descriptor)
			if form == nil {
				continue
			}
			if checked++; checked > mostSignatures {
				return "", fmt.Errorf("%w: %s has more than %d signatures", errHostile, s.opened, mostSignatures)
			}
			content, err := readPayload(ctx, l.Blob)
			if err != nil {
				return "", fmt.Errorf("reading the signature %s: %w", where, err)
			}
			if err := form(keys, l.Descriptor, content, s.opened); err != nil {
				refused.Found = append(refused.Found, where+": "+err.Error())
				continue
			}
			return where, nil
		}
	}
	return "", refused
}

// readPayload reads what was signed, and checks it.
func readPayload(ctx context.Context, b Blob) ([]byte, error) {
	if b.Size > mostPayload {
		return nil, fmt.Errorf("%w: blob %s has %d bytes, more than any signature", errHostile, b.Digest, b.Size)
	}
	return readAll(ctx, b)
}

// formOf returns how a layer of this type holds a signature; nil where it holds none.
func formOf(d v1.Descriptor) func(PublicKeys, v1.Descriptor, []byte, v1.Hash) error {
	switch {
	case d.MediaType == "application/vnd.dev.cosign.simplesigning.v1+json":
		return simpleSigning
	case strings.HasPrefix(string(d.MediaType), "application/vnd.dev.sigstore.bundle"):
		return bundled
	default:
		return nil
	}
}

// simpleSigning checks a signature in cosign's form up to version 2: the payload names the image, an annotation has the signature.
func simpleSigning(keys PublicKeys, d v1.Descriptor, payload []byte, image v1.Hash) error {
	signature, err := base64.StdEncoding.DecodeString(d.Annotations["dev.cosignproject.cosign/signature"])
	switch {
	case err != nil || len(signature) == 0:
		return errors.New("it has no signature that can be read")
	case !keys.signed(payload, signature):
		return errors.New("it was made with another key")
	}
	var says struct {
		Critical struct {
			Type  string `json:"type"`
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	switch err := json.Unmarshal(payload, &says); {
	case err != nil:
		return fmt.Errorf("what was signed cannot be read: %w", jsonError(payload, err))
	case says.Critical.Type != "cosign container image signature":
		return fmt.Errorf("what was signed is %q, not an image", says.Critical.Type)
	case says.Critical.Image.Digest != image.String():
		return fmt.Errorf("what was signed is %s", says.Critical.Image.Digest)
	}
	return nil
}

// signStatement is the type of statement that cosign 3 signs for "this image is signed". Others, such as provenance, say other things.
const signStatement = "https://sigstore.dev/cosign/sign/v1"

// bundled checks a signature in cosign's form of version 3: a Sigstore bundle whose envelope holds a statement about the image.
func bundled(keys PublicKeys, _ v1.Descriptor, content []byte, image v1.Hash) error {
	var bundle struct {
		Envelope *struct {
			Type       string `json:"payloadType"`
			Payload    []byte `json:"payload"`
			Signatures []struct {
				Sig []byte `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(content, &bundle); err != nil {
		return fmt.Errorf("the bundle cannot be read: %w", jsonError(content, err))
	}
	e := bundle.Envelope
	if e == nil {
		return errors.New("the bundle has no envelope")
	}
	// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.Type), e.Type, len(e.Payload), e.Payload)
	verified := false
	for _, s := range e.Signatures[:min(len(e.Signatures), mostSignatures)] {
		verified = verified || keys.signed(message, s.Sig)
	}
	if !verified {
		return errors.New("it was made with another key, or without one (keyless), which is not verified here")
	}
	var says struct {
		Predicate string `json:"predicateType"`
		Subject   []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := json.Unmarshal(e.Payload, &says); err != nil {
		return fmt.Errorf("what was signed cannot be read: %w", jsonError(e.Payload, err))
	}
	if e.Type != "application/vnd.in-toto+json" || says.Predicate != signStatement {
		return fmt.Errorf("what was signed is a statement of another kind (%s)", says.Predicate)
	}
	for _, s := range says.Subject {
		if s.Digest[image.Algorithm] == image.Hex {
			return nil
		}
	}
	return errors.New("what was signed is another image")
}
