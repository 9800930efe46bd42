package image

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

func publicPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func signWith(t testing.TB, key crypto.Signer, message []byte) []byte {
	t.Helper()
	digest, options := sha256.Sum256(message), crypto.SignerOpts(crypto.SHA256)
	signed := digest[:]
	if _, ok := key.(ed25519.PrivateKey); ok {
		signed, options = message, crypto.Hash(0)
	}
	signature, err := key.Sign(rand.Reader, signed, options)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

func TestVerifySignature(t *testing.T) {
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsa2048, _ := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	payload := func(kind, digest string) string {
		return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"x/y"},"image":{"docker-manifest-digest":%q},"type":%q}}`,
			digest, kind)
	}
	const image = "cosign container image signature"
	simpleOf := func(key crypto.Signer, kind string) func(v1.Hash) artifact {
		return func(d v1.Hash) artifact {
			text := payload(kind, d.String())
			return artifact{layer: simple, content: text, notes: map[string]string{
				"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signWith(t, key, []byte(text)))}}
		}
	}
	bundleOf := func(key crypto.Signer, predicate string) func(v1.Hash) artifact {
		return func(d v1.Hash) artifact {
			statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","predicateType":%q,"subject":[{"digest":{"sha256":%q}}]}`,
				predicate, d.Hex)
			const kind = "application/vnd.in-toto+json"
			message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(statement), statement)
			raw, _ := json.Marshal(map[string]any{"mediaType": bundleType, "dsseEnvelope": map[string]any{"payloadType": kind,
				"payload": statement, "signatures": []any{map[string]any{"sig": signWith(t, key, message)}}}})
			return artifact{kind: bundleType, content: string(raw)}
		}
	}
	wrongImage := func(v1.Hash) artifact { return simpleOf(p256, image)(sum([]byte("another"))) }
	unsigned := func(d v1.Hash) artifact { return artifact{layer: simple, content: payload(image, d.String())} }
	for name, c := range map[string]struct {
		made    func(v1.Hash) artifact
		subject bool // it refers by its subject, else by cosign's tag
		keys    []crypto.Signer
		refused string // empty: it counts
	}{
		"ECDSA":               {simpleOf(p256, image), false, []crypto.Signer{p256}, ""},
		"ECDSA P-384":         {simpleOf(p384, image), false, []crypto.Signer{p384}, ""},
		"RSA":                 {simpleOf(rsa2048, image), false, []crypto.Signer{rsa2048}, ""},
		"Ed25519":             {simpleOf(ed, image), false, []crypto.Signer{ed}, ""},
		"one of several keys": {simpleOf(p256, image), false, []crypto.Signer{ed, other, p256}, ""},
		"by its subject":      {simpleOf(p256, image), true, []crypto.Signer{p256}, ""},
		"a bundle":            {bundleOf(p256, signStatement), true, []crypto.Signer{p256}, ""},
		"another key":         {simpleOf(p256, image), false, []crypto.Signer{other}, "made with another key"},
		"another image":       {wrongImage, false, []crypto.Signer{p256}, "what was signed is sha256:"},
		"another thing":       {simpleOf(p256, "a promise"), false, []crypto.Signer{p256}, `"a promise"`},
		"no signature":        {unsigned, false, []crypto.Signer{p256}, "no signature that can be read"},
		"none at all":         {nil, false, []crypto.Signer{p256}, "is not signed"},
		"an SBOM": {func(v1.Hash) artifact { return artifact{kind: spdx, content: "{}"} }, true, []crypto.Signer{p256},
			"is not signed"},
		"a bundle, another key": {bundleOf(other, signStatement), true, []crypto.Signer{p256},
			"made with another key, or without one (keyless)"},
		"a bundle of provenance": {bundleOf(p256, "https://slsa.dev/provenance/v1"), true, []crypto.Signer{p256}, "statement of another kind"},
		"a bundle of another image": {func(v1.Hash) artifact { return bundleOf(p256, signStatement)(sum([]byte("another"))) }, true,
			[]crypto.Signer{p256}, "what was signed is another image"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeECR(t, "dev")
			d := (&pushing{f: f, repo: "dev", source: saved(t, imagetest.Layout(imagetest.New(1, 3000))), tags: []string{"v1"}}).mustRun(t)
			digest, _ := v1.NewHash(d.Digest)
			if c.made != nil {
				a, tag := c.made(digest), fallbackTag(digest)+".sig"
				if c.subject {
					a.subject, tag = v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: 1}, ""
				}
				f.attach(t, "dev", tag, a)
			}
			var text strings.Builder
			for _, k := range c.keys {
				text.WriteString(publicPEM(t, k))
			}
			keys, err := ParsePublicKeys([]byte(text.String()))
			if err != nil || len(keys) != len(c.keys) {
				t.Fatal(err)
			}
			f.journal()
			src, err := Open(t.Context(), fakeHost+"/dev:v1", OpenOptions{Registries: f.registries(nil)})
			if err != nil {
				t.Fatal(err)
			}
			where, err := src.VerifySignature(t.Context(), keys)
			var refusal *SignatureError
			switch {
			case c.refused == "" && (err != nil || where == ""):
				t.Errorf("%q, %v", where, err)
			case c.refused != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), c.refused)):
				t.Errorf("%v, want it refused with %q", err, c.refused)
			}
			if wrote := f.journal(http.MethodPost, http.MethodPut, http.MethodPatch); len(wrote) > 0 {
				t.Errorf("it wrote %q", wrote)
			}
		})
	}
	src, err := Open(t.Context(), saved(t, imagetest.Saved(imagetest.New(1, 3000))), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := src.VerifySignature(t.Context(), PublicKeys{p256.Public()}); err == nil || !strings.Contains(err.Error(), "has no digest") {
		t.Errorf("what docker save wrote: %v", err)
	}
}

func TestPublicKeys(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("secret words")}))
	}
	good := publicPEM(t, key)
	for name, c := range map[string]struct{ text, refused string }{
		"one":               {good, ""},
		"two":               {good + good, ""},
		"none":              {"", "no public key"},
		"something else":    {"cosign.pub", "not a public key in PEM"},
		"something behind":  {good + "x", "not a public key in PEM"},
		"a private key":     {block("ENCRYPTED SIGSTORE PRIVATE KEY"), "private key"},
		"a certificate":     {block("CERTIFICATE"), "keyless"},
		"another block":     {block("MESSAGE"), `"MESSAGE"`},
		"broken":            {block("PUBLIC KEY"), "key 1: it cannot be read"},
		"the second broken": {good + block("PUBLIC KEY"), "key 2"},
	} {
		keys, err := ParsePublicKeys([]byte(c.text))
		if c.refused == "" && (err != nil || len(keys) == 0) || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v, want %q", name, err, c.refused)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the key is told: %v", name, err)
		}
	}
	if small != nil {
		if _, err := ParsePublicKeys([]byte(publicPEM(t, small))); err == nil || !strings.Contains(err.Error(), "1024 bits") {
			t.Errorf("a small key: %v", err)
		}
	}
}
