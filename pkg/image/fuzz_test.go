package image

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// What a registry or an archive calls a manifest may be anything.
func FuzzManifest(f *testing.F) {
	entries, _ := imagetest.Index(imagetest.New(1, 300), imagetest.New(2, 300))
	for _, e := range append(entries, imagetest.SavedNew(imagetest.New(1, 300))...) {
		if json := e.Content; len(json) < 10_000 && bytes.HasPrefix(json, []byte("{")) {
			f.Add(json)
		}
	}
	f.Add([]byte(`{"schemaVersion":1}`))
	f.Add([]byte(`{"manifests":null,"config":{"digest":"sha256:x"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := parseManifest(raw)
		mediaTypeOf(raw, "")
		subjectOf(raw)
		_, _, _ = configOf(raw)
		if list := listIn(raw); err != nil && len(list) > 0 {
			t.Errorf("%d entries of what is not a manifest", len(list))
		}
		if err != nil {
			return
		}
		for _, d := range doc.Manifests {
			runnable(d)
			isReferrer(d)
		}
		pair(nil, doc.Layers, Gzip)
		one := &referrer{node: &node{desc: v1.Descriptor{Digest: sum(raw)}}}
		if more, err := withEntries(&manifest{Raw: raw}, []*referrer{one}); err == nil && doc.isIndex() {
			if again := listIn(more); len(again) != len(doc.Manifests)+1 {
				t.Errorf("a list of %d has %d entries with one more", len(doc.Manifests), len(again))
			}
		}
	})
}

// Names come from workflows and from registries.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"app", "h.io/team/app:v1", "arn:aws:ecr:us-west-2:123456789012:repository/app", "https://h/x", "a@b",
		"[::1]:5/x", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseRepositoryName(s); err == nil {
			written := n.Name
			if n.Host != "" {
				written = n.Host + "/" + n.Name
			}
			if again, err := ParseRepositoryName(written); err != nil || again.Name != n.Name || again.Host != n.Host {
				t.Errorf("%q reads as %+v, and %q as %+v, %v", s, n, written, again, err)
			}
		}
		if ref, err := ParseReference(s); err == nil {
			if again, err := ParseReference(ref.String()); err != nil || again.String() != ref.String() {
				t.Errorf("%q reads as %q, which reads back as %q, %v", s, ref, again, err)
			}
		}
		_ = CheckTag(s)
		wildcard(s, s)
	})
}

// Keys and signatures are others' words, and none of them may be taken for more than it is: no input here is signed with the key.
func FuzzSignature(f *testing.F) {
	key, err := ParsePublicKeys([]byte("-----BEGIN PUBLIC KEY-----\n" +
		"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":"sha256:0"}}}`), "c2ln")
	f.Add([]byte(`{"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"c2ln"}]}}`), "")
	f.Add([]byte(`{"dsseEnvelope":{}}`), "=")
	f.Fuzz(func(t *testing.T, content []byte, signature string) {
		d := v1.Descriptor{Annotations: map[string]string{"dev.cosignproject.cosign/signature": signature}}
		if simpleSigning(key, d, content, sum(content)) == nil || bundled(key, d, content, sum(content)) == nil {
			t.Error("it counts as a signature")
		}
		_, _ = ParsePublicKeys(content)
	})
}

// What is compressed unpacks to what the readers of the standard library say, or is refused.
func FuzzUnpack(f *testing.F) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte("some text, some text"))
	_ = w.Close()
	f.Add(out.Bytes())
	f.Add([]byte("BZh91AY&SY"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00"))
	f.Add([]byte("\xfd7zXZ\x00\x00\x04"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 1 << 20
		kind := sniff(packed)
		var got bytes.Buffer
		err := unpack(&got, bytes.NewReader(packed), kind, int64(len(packed)), most)
		if got.Len() > most+1 {
			t.Errorf("%d bytes came out, want %d at most", got.Len(), most)
		}
		var reference io.Reader
		switch kind {
		case gzipped:
			z, headerErr := gzip.NewReader(bytes.NewReader(packed))
			if headerErr != nil {
				return
			}
			reference = z
		case bzipped:
			reference = bzip2.NewReader(bytes.NewReader(packed))
		default:
			return
		}
		want, wantErr := io.ReadAll(io.LimitReader(reference, most+1))
		if err == nil && (wantErr != nil || !bytes.Equal(want, got.Bytes())) {
			t.Errorf("%q unpacks to %q, %v; want %q", packed, got.Bytes(), err, want)
		}
	})
}
