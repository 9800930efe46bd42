package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/org/connect2/v2/internal/bounded"
)

// ManifestTypes are the media types of manifests and indexes that are asked for and accepted. Naming all of them keeps a
// registry from translating a manifest into another form, and so into another digest.
var ManifestTypes = []string{
	string(types.OCIImageIndex), string(types.DockerManifestList), string(types.OCIManifestSchema1), string(types.DockerManifestSchema2),
}

// maxManifest bounds what is read for a manifest: ECR and others take 4 MiB.
const maxManifest = 8 << 20

// Repository is one repository of a registry, spoken to by the OCI distribution protocol
// (https://github.com/opencontainers/distribution-spec). It is safe for concurrent use.
type Repository struct {
	Registry string // host[:port]
	Name     string // path below the host
	ECR      bool

	base    url.URL
	http    *http.Client
	token   *ecrToken // of ECR, else nil
	observe func(Event)
	sent    atomic.Int64 // bytes of blobs, for Sending
	opened  atomic.Bool  // an upload was begun
}

// Repository returns the repository that a reference names. Credentials are asked for when the first request needs them.
func (rs *Registries) Repository(ref Reference) (*Repository, error) {
	if rs.IsECR(ref.Registry) {
		client, _ := rs.ecrFor(ref.Registry)
		return rs.ecrRepository(ref, client)
	}
	r, base := rs.bare(ref)
	host := ref.Registry
	if host == DockerHub {
		host = name.DefaultRegistry
		r.base.Host = host
	}
	var options []name.Option
	if isLoopback(host) {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, fmt.Errorf("registry %q: %w", host, err)
	}
	keychain := rs.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	r.http = &http.Client{Transport: &lazyLogin{
		registry: registry, keychain: keychain, base: tlsOnly{base},
		scope: "repository:" + ref.Repository + ":",
	}, CheckRedirect: follow}
	return r, nil
}

// ecrRepository returns a repository of the ECR registry that client can log in to.
func (rs *Registries) ecrRepository(ref Reference, client ECR) (*Repository, error) {
	r, base := rs.bare(ref)
	r.ECR = true
	r.token = rs.tokenOf(client)
	r.http = &http.Client{Transport: base, CheckRedirect: follow}
	return r, nil
}

// bare returns a repository without login, and what carries its requests.
func (rs *Registries) bare(ref Reference) (*Repository, http.RoundTripper) {
	r := &Repository{Registry: ref.Registry, Name: ref.Repository, observe: rs.Observe}
	if r.observe == nil {
		r.observe = func(Event) {}
	}
	r.base = url.URL{Scheme: "https", Host: ref.Registry}
	switch {
	case rs.atEndpoint(ref.Registry):
		r.base.Scheme = rs.Endpoint.Scheme
	case isLoopback(ref.Registry):
		r.base.Scheme = "http"
	}
	transport := rs.Transport
	if transport == nil {
		transport = networkTransport()
	}
	return r, bounded.NewTransport(transport, bounded.Limits{Silence: silence})
}

// Ref returns the reference of a tag or digest in the repository.
func (r *Repository) Ref(tagOrDigest string) Reference {
	ref := Reference{Registry: r.Registry, Repository: r.Name}
	if IsDigest(tagOrDigest) {
		ref.Digest = tagOrDigest
	} else {
		ref.Tag = tagOrDigest
	}
	return ref
}

// manifest is a stored manifest or index with the bytes that its digest covers.
type manifest struct {
	Digest    v1.Hash
	MediaType types.MediaType
	Raw       []byte
}

// manifest reads the manifest behind a tag or digest; an error that notFound tells is returned when there is none.
func (r *Repository) manifest(ctx context.Context, tagOrDigest string) (*manifest, error) {
	var m *manifest
	err := r.retry(ctx, "reading manifest "+r.Ref(tagOrDigest).String(), func() error {
		res, err := r.send(ctx, http.MethodGet, r.path("manifests", tagOrDigest), nil, http.Header{"Accept": ManifestTypes}, http.StatusOK)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(io.LimitReader(res.Body, maxManifest+1))
		if err != nil {
			return err
		}
		if len(raw) > maxManifest {
			return fatalf("the manifest of %s is larger than %d bytes", r.Ref(tagOrDigest), maxManifest)
		}
		m = &manifest{Digest: sum(raw), MediaType: mediaTypeOf(raw, res.Header.Get("Content-Type")), Raw: raw}
		if IsDigest(tagOrDigest) && strings.HasPrefix(tagOrDigest, "sha256:") && m.Digest.String() != tagOrDigest {
			return fmt.Errorf("the registry answered %s for %s", m.Digest, r.Ref(tagOrDigest))
		}
		return nil
	})
	return m, err
}

// hasManifest says whether a tag or digest resolves, and to which digest where the registry tells it.
func (r *Repository) hasManifest(ctx context.Context, tagOrDigest string) (digest string, found bool, err error) {
	err = r.retry(ctx, "looking for manifest "+r.Ref(tagOrDigest).String(), func() error {
		res, err := r.send(ctx, http.MethodHead, r.path("manifests", tagOrDigest), nil, http.Header{"Accept": ManifestTypes}, http.StatusOK)
		if err != nil {
			return err
		}
		res.Body.Close()
		digest, found = res.Header.Get("Docker-Content-Digest"), true
		return nil
	})
	if notFound(err) {
		return "", false, nil
	}
	return digest, found, err
}

// putManifest stores a manifest under a tag or its digest, and returns the digest under which the registry says to have it; empty
// where it does not say.
func (r *Repository) putManifest(ctx context.Context, tagOrDigest string, m *manifest) (stored string, err error) {
	err = r.retry(ctx, "storing manifest "+r.Ref(tagOrDigest).String(), func() error {
		res, err := r.send(ctx, http.MethodPut, r.path("manifests", tagOrDigest), bytes.NewReader(m.Raw),
			http.Header{"Content-Type": {string(m.MediaType)}}, http.StatusCreated, http.StatusOK, http.StatusAccepted)
		if err != nil {
			return err
		}
		if res.StatusCode == http.StatusCreated { // another status promises nothing yet
			stored = res.Header.Get("Docker-Content-Digest")
		}
		return res.Body.Close()
	})
	return stored, err
}

// hasBlob says whether the repository has a blob.
func (r *Repository) hasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	err := r.retry(ctx, "looking for blob "+digest.String(), func() error {
		res, err := r.send(ctx, http.MethodHead, r.path("blobs", digest.String()), nil, nil, http.StatusOK)
		if err != nil {
			return err
		}
		return res.Body.Close()
	})
	if notFound(err) {
		return false, nil
	}
	return err == nil, err
}

// mostPages bounds how much of a long list is read.
const mostPages = 20

// pages reads a list of the registry page by page, from an address on. accept is the media type that is asked for, empty for any. read
// takes the body of a page; its error ends the list.
func (r *Repository) pages(ctx context.Context, doing, next, accept string, read func(io.Reader) error) error {
	header := http.Header{}
	if accept != "" {
		header.Set("Accept", accept)
	}
	for range mostPages {
		link := ""
		err := r.retry(ctx, doing, func() error {
			res, err := r.send(ctx, http.MethodGet, next, nil, header, http.StatusOK)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			link = res.Header.Get("Link")
			if err := read(io.LimitReader(res.Body, maxManifest)); err != nil {
				return fatal{err}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if next = nextPage(next, link); next == "" {
			break
		}
	}
	return nil
}

// tags lists the tags of a repository, in the registry's order.
func (r *Repository) tags(ctx context.Context) (all []string, err error) {
	first := r.base.Scheme + "://" + r.base.Host + "/v2/" + r.Name + "/tags/list?n=1000"
	err = r.pages(ctx, "listing tags", first, "", func(body io.Reader) error {
		var page struct{ Tags []string }
		err := json.NewDecoder(body).Decode(&page)
		all = append(all, page.Tags...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// openBlob starts reading a blob. The caller checks what it reads against the digest.
func (r *Repository) openBlob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := r.retry(ctx, "reading blob "+digest.String(), func() error {
		//nolint:bodyclose // the caller closes it
		res, err := r.send(ctx, http.MethodGet, r.path("blobs", digest.String()), nil, nil, http.StatusOK)
		if err != nil {
			return err
		}
		body = res.Body
		return nil
	})
	return body, err
}

// readBlob reads a small blob, such as an image's configuration, wholly and checks it.
func (r *Repository) readBlob(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if d.Size > maxManifest {
		return nil, fmt.Errorf("blob %s is larger than %d bytes", d.Digest, maxManifest)
	}
	var raw []byte
	err := r.retry(ctx, "reading blob "+d.Digest.String(), func() error {
		body, err := r.openBlob(ctx, d.Digest)
		if err != nil {
			return fatal{err}
		}
		defer body.Close()
		raw, err = io.ReadAll(io.LimitReader(body, maxManifest+1))
		if err == nil && d.Digest.Algorithm == "sha256" && sum(raw) != d.Digest {
			err = fmt.Errorf("blob %s reads as %s", d.Digest, sum(raw))
		}
		return err
	})
	return raw, err
}

// upload is a blob on its way into a repository.
type upload struct {
	blob  Blob                                         // without digest and size where later is set
	later func(context.Context) (v1.Descriptor, error) // waits until the whole content is made, and says what it is
	broke func() error                                 // why making the content failed, nil as long as it did not; set with later
	// proven waits until the content is known to be whole, and says why it is not; nil where the digest says enough
	proven func(context.Context) error
	from   string                              // a repository of the registry to mount it from; empty: it is sent
	there  func(context.Context) (bool, error) // asked while the upload begins; nil: the blob is not there
	open   context.Context                     // while it lasts, the answer to the upload's beginning is waited for; nil: as the rest
}

// upload sends a blob, or has it mounted from another repository of the registry where that is wanted and the registry agrees. The
// whole upload is begun anew when any part of it fails: ECR cannot resume one.
func (r *Repository) upload(ctx context.Context, u upload) (how EventKind, err error) {
	what := "uploading blob " + u.blob.Digest.String()
	if u.later != nil {
		what = "uploading a layer"
	}
	err = r.retry(ctx, what, func() error {
		how, err = r.uploadOnce(ctx, &u)
		if u.from != "" && (denied(err) || notFound(err)) && ctx.Err() == nil { // it may be the other repository: send it then
			u.from = ""
			how, err = r.uploadOnce(ctx, &u)
		}
		return err
	})
	return how, err
}

func (r *Repository) uploadOnce(ctx context.Context, u *upload) (how EventKind, err error) {
	res, found, err := r.beginUpload(ctx, u) //nolint:bodyclose // it is closed where it was sent
	switch {
	case err != nil:
		return "", fatal{err}
	case found:
		return Reused, nil
	case res.StatusCode == http.StatusCreated && u.from != "":
		return Mounted, nil
	}
	location, err := r.location(res)
	if err != nil {
		return "", err
	}

	// One PATCH with everything: of a chunked upload ECR answers a Range that does not move
	// (https://github.com/aws/containers-roadmap/issues/2831).
	body, err := u.blob.Open(ctx)
	if err != nil {
		return "", fatal{err}
	}
	checked := &checkedReader{from: body, want: u.blob.Descriptor, open: u.later != nil, count: r.countSent}
	defer body.Close()
	size := u.blob.Size
	if u.later != nil {
		size = -1
	}
	res, err = r.sendSized(ctx, http.MethodPatch, location, checked, size,
		http.Header{"Content-Type": {"application/octet-stream"}}, http.StatusAccepted, http.StatusCreated, http.StatusNoContent)
	if damage := checked.damage(); damage != nil {
		return "", fatal{damage}
	}
	if err != nil {
		if u.broke != nil && u.broke() != nil {
			err = fatal{u.broke()}
		}
		r.sent.Add(-checked.done())
		return "", err
	}
	res.Body.Close()
	if next, err := r.location(res); err == nil {
		location = next
	}
	whole := u.blob.Descriptor
	if u.later != nil {
		if whole, err = u.later(ctx); err != nil {
			return "", fatal{err}
		}
		if whole.Size != checked.done() {
			return "", fmt.Errorf("the registry answered after %d of %d bytes", checked.done(), whole.Size)
		}
	}
	if u.proven != nil {
		if err := u.proven(ctx); err != nil {
			r.sent.Add(-whole.Size)
			return "", fatal{err}
		}
	}
	if err := r.completeUpload(ctx, location, whole.Digest); err != nil {
		r.sent.Add(-whole.Size)
		return "", err
	}
	return Uploaded, nil
}

// beginUpload opens an upload, and where that is not known asks at the same time whether the blob is there.
func (r *Repository) beginUpload(ctx context.Context, u *upload) (begun *http.Response, found bool, err error) {
	start := r.path("blobs", "uploads") + "/"
	if u.from != "" {
		start += "?" + url.Values{"mount": {u.blob.Digest.String()}, "from": {u.from}}.Encode()
	}
	open := ctx
	if u.open != nil {
		open = u.open
	}
	var group errgroup.Group // neither ends the other: what the registry began is known when both are answered
	group.Go(func() error {
		return r.retry(ctx, "beginning it", func() error {
			if ctx.Err() != nil {
				return fatal{context.Cause(ctx)}
			}
			res, err := r.send(open, http.MethodPost, start, nil, nil, http.StatusAccepted, http.StatusCreated)
			if err != nil {
				return err
			}
			r.opened.Store(true)
			begun = res
			return res.Body.Close()
		})
	})
	if u.there != nil {
		group.Go(func() (err error) {
			found, err = u.there(ctx)
			return err
		})
	}
	err = group.Wait()
	u.there = nil // once is enough
	return begun, found, err
}

// completeUpload closes an upload under its digest.
func (r *Repository) completeUpload(ctx context.Context, location string, digest v1.Hash) error {
	commit, err := url.Parse(location)
	if err != nil {
		return fmt.Errorf("the registry's upload location %q: %w", location, err)
	}
	query := commit.Query()
	query.Set("digest", digest.String())
	commit.RawQuery = query.Encode()
	return r.retry(ctx, "completing it", func() error {
		res, err := r.send(ctx, http.MethodPut, commit.String(), nil, nil, http.StatusCreated, http.StatusNoContent, http.StatusOK)
		if throttled(err) { // it was not looked at: everything sent is still there
			return err
		}
		if err != nil {
			return fatal{err}
		}
		return res.Body.Close()
	})
}

// countSent adds to the bytes sent and tells the observer about every 4 MiB.
func (r *Repository) countSent(n int64) {
	const step = 4 << 20
	if now := r.sent.Add(n); now/step != (now-n)/step {
		r.observe(Event{Kind: Sending, Size: now})
	}
}

func (r *Repository) path(kind, what string) string {
	return r.base.Scheme + "://" + r.base.Host + "/v2/" + r.Name + "/" + kind + "/" + what
}

// location returns where an upload goes on, as an absolute URL.
func (r *Repository) location(res *http.Response) (string, error) {
	value := res.Header.Get("Location")
	u, err := url.Parse(value)
	if err != nil || value == "" {
		return "", fmt.Errorf("the registry answered %s without a usable upload location (%q)", res.Status, value)
	}
	to := res.Request.URL.ResolveReference(u)
	if err := mayGo(res.Request.URL, to); err != nil {
		return "", fatalf("the registry's upload location: %w", err)
	}
	return to.String(), nil
}

// mostRedirects is how often a request may be sent elsewhere. ECR's layers take one, from the registry to S3.
const mostRedirects = 5

// follow is http.Client's question whether a redirect is followed.
func follow(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	if len(via) > mostRedirects {
		return fatalf("the registry redirects in a circle: %d times, at last from %s to %s", len(via), withoutQuery(from.String()),
			withoutQuery(req.URL.String()))
	}
	if err := mayGo(from, req.URL); err != nil {
		return fatalf("the registry's redirect: %w", err)
	}
	return nil
}

// mayGo refuses an address that is none of the web, or that leaves TLS.
func mayGo(from, to *url.URL) error {
	switch {
	case to.Scheme != "https" && to.Scheme != "http" || to.Host == "":
		return fmt.Errorf("%s is not an address that is followed", withoutQuery(to.String()))
	case from.Scheme == "https" && to.Scheme == "http":
		return fmt.Errorf("%s is not encrypted, and %s is", withoutQuery(to.String()), from.Host)
	}
	return nil
}

// send does one request and returns the answer if its status is one of want; else a *RegistryError. The caller closes the body.
func (r *Repository) send(ctx context.Context, method, url string, body *bytes.Reader, header http.Header,
	want ...int) (*http.Response, error) {
	if body == nil {
		return r.sendSized(ctx, method, url, nil, 0, header, want...)
	}
	return r.sendSized(ctx, method, url, body, int64(body.Len()), header, want...)
}

func (r *Repository) sendSized(ctx context.Context, method, url string, body io.Reader, size int64, header http.Header,
	want ...int) (*http.Response, error) {
	if size == 0 {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, fatal{err}
	}
	req.ContentLength = size
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "connect2")
	var sentToken string
	if r.token != nil && req.URL.Host == r.base.Host {
		if sentToken, err = r.token.header(ctx); err != nil {
			return nil, fatal{err}
		}
		req.Header.Set("Authorization", sentToken)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	for _, status := range want {
		if res.StatusCode == status {
			return res, nil
		}
	}
	defer res.Body.Close()
	failure := newRegistryError(r, method, url, res)
	failure.token = sentToken
	return nil, failure
}

// lazyLogin logs in to a registry that is not ECR when the first request is made, and asks for the right to push only once
// something is written. Without a login at hand a request goes out as it is first: many registries want none.
type lazyLogin struct {
	registry name.Registry
	keychain authn.Keychain
	base     http.RoundTripper
	scope    string

	mu    sync.Mutex
	login map[string]http.RoundTripper // by the actions that were asked for
}

// RoundTrip implements http.RoundTripper.
func (l *lazyLogin) RoundTrip(req *http.Request) (*http.Response, error) {
	actions := "pull"
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		actions = "pull,push"
	}
	inner, auth, err := l.known(actions)
	if err != nil {
		return nil, err
	}
	if inner == nil && auth == authn.Anonymous && (req.Body == nil || req.Body == http.NoBody) {
		res, err := l.base.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			if err == nil {
				l.keep(actions, l.base)
			}
			return res, err
		}
		res.Body.Close()
	}
	if inner == nil {
		if inner, err = l.shakeHands(req.Context(), auth, actions); err != nil {
			return nil, err
		}
	}
	if req.Body != nil && req.Body != http.NoBody {
		once := *req
		once.Body = &sentOnce{ReadCloser: req.Body}
		req = &once
	}
	return inner.RoundTrip(req)
}

// sentOnce is the body of a request that a registry may answer with the wish for a new login after it has read some of it. What sends it
// again then has the rest alone.
type sentOnce struct {
	io.ReadCloser
	sent atomic.Bool
}

// errSentAgain says that a request was to be sent again with what is left of its body: it has to be made anew.
var errSentAgain = errors.New("the registry wanted a new login while it was sent")

// known returns the transport that was found out for the actions, or the credentials to find it out with.
func (l *lazyLogin) known(actions string) (http.RoundTripper, authn.Authenticator, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rt := l.login[actions]; rt != nil {
		return rt, nil, nil
	}
	auth, err := l.keychain.Resolve(l.registry)
	if err != nil {
		return nil, nil, fatal{fmt.Errorf("finding the credentials of %s: %w", l.registry, err)}
	}
	return nil, auth, nil
}

func (l *lazyLogin) keep(actions string, rt http.RoundTripper) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.login == nil {
		l.login = map[string]http.RoundTripper{}
	}
	l.login[actions] = rt
}

// shakeHands finds out how the registry wants to be logged in to, and does so, once for all requests that wait.
func (l *lazyLogin) shakeHands(ctx context.Context, auth authn.Authenticator, actions string) (http.RoundTripper, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rt := l.login[actions]; rt != nil && rt != l.base {
		return rt, nil
	}
	rt, err := transport.NewWithContext(ctx, l.registry, auth, l.base, []string{l.scope + actions})
	if err != nil {
		return nil, fmt.Errorf("logging in to %s: %w", l.registry, err)
	}
	if l.login == nil {
		l.login = map[string]http.RoundTripper{}
	}
	l.login[actions] = rt
	return rt, nil
}

// tlsOnly refuses plain HTTP to other machines, so that no password travels in the clear when a registry offers to, redirects without
// end, and a body that was sent before.
type tlsOnly struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t tlsOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !isLoopback(req.URL.Host) {
		return nil, fatalf("%s speaks plain HTTP, which is accepted from this machine alone", req.URL.Host)
	}
	if body, ok := req.Body.(*sentOnce); ok && body.sent.Swap(true) {
		return nil, errSentAgain
	}
	redirects := 0 // those of the login, whose client is not ours, as well
	for from := req.Response; from != nil; from = from.Request.Response {
		if redirects++; redirects > mostRedirects {
			return nil, fatalf("%s redirects in a circle", req.URL.Host)
		}
	}
	return t.base.RoundTrip(req)
}

// sum returns the sha256 of b.
func sum(b []byte) v1.Hash {
	s := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(s[:])}
}

// errDamaged marks a source whose content is not what its digests say.
var errDamaged = errors.New("the source is damaged")

// errHostile marks a source that would take more of this machine than any image does.
var errHostile = errors.New("this is not an image that anybody builds")

// Hopeless reports whether an error is about what the source holds, so that another try fails in the same way.
func Hopeless(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, errCutShort) || errors.Is(err, errHostile)
}
