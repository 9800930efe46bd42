package ecr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// minPart is the smallest part of a chunked upload that is not its last (service quotas).
const minPart = 5 << 20

// route is what a registry request is about, and the ECR API action that permits it. The mapping of DELETE and
// tags/list, _catalog and referrers is unconfirmed.
type route struct {
	action     string
	repository string
	reference  string // tag, digest or upload id
	handle     func(*Service, http.ResponseWriter, *wire.Request, route) error
}

var paths = []struct {
	pattern *regexp.Regexp
	routes  map[string]route // by method
}{
	{regexp.MustCompile(`^/v2/(.+)/manifests/([^/]+)$`), map[string]route{
		"GET":    {action: "BatchGetImage", handle: (*Service).serveManifest},
		"HEAD":   {action: "BatchGetImage", handle: (*Service).serveManifest},
		"PUT":    {action: "PutImage", handle: (*Service).acceptManifest},
		"DELETE": {action: "BatchDeleteImage", handle: (*Service).deleteManifest},
	}},
	{regexp.MustCompile(`^/v2/(.+)/blobs/uploads/?()$`), map[string]route{
		"POST": {action: "InitiateLayerUpload", handle: (*Service).beginUpload},
	}},
	{regexp.MustCompile(`^/v2/(.+)/blobs/uploads/([^/]+)$`), map[string]route{
		"PATCH": {action: "UploadLayerPart", handle: (*Service).receivePart},
		"PUT":   {action: "CompleteLayerUpload", handle: (*Service).completeUpload},
	}},
	{regexp.MustCompile(`^/v2/(.+)/blobs/([^/]+)$`), map[string]route{
		"HEAD": {action: "BatchCheckLayerAvailability", handle: (*Service).statBlob},
		"GET":  {action: "GetDownloadUrlForLayer", handle: (*Service).redirectToBlob},
	}},
	{regexp.MustCompile(`^/v2/(.+)/tags/list()$`), map[string]route{
		"GET": {action: "ListImages", handle: (*Service).listTags},
	}},
	{regexp.MustCompile(`^/v2/(.+)/referrers/([^/]+)$`), map[string]route{
		"GET": {action: "ListImageReferrers", handle: (*Service).listReferrers},
	}},
}

// ServeHTTP answers the OCI distribution API under /v2/.
func (s *Service) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	s.options.Server.Stamp(w)
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	rt, found := findRoute(hr)
	r, err := s.admit(hr, rt)
	switch {
	case err != nil:
	case !found:
		err = &wire.Error{Code: "UNSUPPORTED", Message: "connect2 sandbox does not model " + hr.Method + " " + hr.URL.Path, Status: 405}
	case rt.handle == nil:
		w.WriteHeader(http.StatusOK) // the version check
	default:
		err = rt.handle(s, w, r, rt)
	}
	if r.Cut {
		panic(http.ErrAbortHandler)
	}
	r.Finish(err)
	if err != nil {
		writeError(w, hr, err)
	}
}

// findRoute matches method and path. The version check has no handler and no action of its own in IAM.
func findRoute(hr *http.Request) (route, bool) {
	if hr.URL.Path == "/v2" || hr.URL.Path == "/v2/" {
		return route{action: "HeadRegistry"}, true
	}
	if hr.URL.Path == "/v2/_catalog" && hr.Method == "GET" {
		return route{action: "DescribeRepositories", repository: "*", handle: (*Service).listCatalog}, true
	}
	for _, p := range paths {
		if m := p.pattern.FindStringSubmatch(hr.URL.Path); m != nil {
			rt, ok := p.routes[hr.Method]
			rt.repository, rt.reference = m[1], m[2]
			return rt, ok
		}
	}
	return route{}, false
}

// admit opens the journal entry, checks the login, asks for the permission and for the repository, in ECR's order.
func (s *Service) admit(hr *http.Request, rt route) (*wire.Request, error) {
	s.options.Server.World.Lock()
	defer s.options.Server.World.Unlock()
	caller, known, expired := s.login(hr, s.options.Server.Now())
	r, err := s.options.Server.Registry(hr, rt.action, caller)
	if !known {
		return r, errNotLoggedIn
	}
	if err != nil {
		return r, err
	}
	if expired {
		return r, &wire.Error{Code: "DENIED", Message: "Your authorization token has expired. Reauthenticate and try again.", Status: 403}
	}
	if rt.repository == "" {
		return r, nil
	}
	if err := r.Authorize("ecr:"+rt.action, s.arn(rt.repository)); err != nil {
		return r, err
	}
	if rt.repository == "*" {
		return r, nil
	}
	_, err = s.find("", rt.repository)
	return r, err
}

// errNotLoggedIn is answered as plain text, unlike all others.
var errNotLoggedIn = &wire.Error{Code: "UNAUTHORIZED", Message: "Not Authorized", Status: http.StatusUnauthorized}

// with runs f with the world locked and the route's repository looked up anew: it may have gone meanwhile.
func (s *Service) with(rt route, f func(*repository) error) error {
	s.options.Server.World.Lock()
	defer s.options.Server.World.Unlock()
	repo, err := s.find("", rt.repository)
	if err != nil {
		return err
	}
	return f(repo)
}

func (s *Service) serveManifest(w http.ResponseWriter, r *wire.Request, rt route) error {
	var img *image
	err := s.with(rt, func(repo *repository) error {
		var failure *failure
		if img, failure = repo.lookup(idOf(rt.reference)); failure != nil {
			return s.imageNotFound(repo, "", rt.reference)
		}
		if r.HTTP.Method == http.MethodGet && r.Now.Sub(img.pulledAt) >= 24*time.Hour {
			img.pulledAt = r.Now
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", img.mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(img.manifest)))
	if r.HTTP.Method == http.MethodHead {
		w.Header().Set("Docker-Content-Digest", img.digest) // ECR leaves it out of GET answers
		w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err = w.Write(img.manifest)
	return err
}

func idOf(reference string) imageID {
	if isDigest(reference) {
		return imageID{ImageDigest: reference}
	}
	return imageID{ImageTag: reference}
}

func (s *Service) acceptManifest(w http.ResponseWriter, r *wire.Request, rt route) error {
	manifest, err := io.ReadAll(io.LimitReader(r.HTTP.Body, maxManifest+1))
	if err != nil {
		return err
	}
	return s.with(rt, func(repo *repository) error {
		id := idOf(rt.reference)
		img, err := s.parse(repo, manifest, r.HTTP.Header.Get("Content-Type"))
		if err != nil {
			return err
		}
		if id.ImageDigest != "" && id.ImageDigest != img.digest {
			return &wire.Error{Code: "DIGEST_INVALID", Message: "provided digest did not match uploaded content"} // wording unconfirmed
		}
		img, err = s.put(repo, manifest, r.HTTP.Header.Get("Content-Type"), id.ImageTag, r.Now)
		if refusal, ok := errors.AsType[*wire.Error](err); ok && refusal.Code == "ImageAlreadyExistsException" {
			err = nil // pushing the same again is success at the registry
		}
		if err != nil {
			return err
		}
		w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repo.name+"/manifests/"+img.digest)
		w.Header().Set("Docker-Content-Digest", img.digest)
		if img.subject != "" {
			w.Header().Set("OCI-Subject", img.subject)
		}
		w.WriteHeader(http.StatusCreated)
		return nil
	})
}

func (s *Service) deleteManifest(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		if _, failure := repo.remove(idOf(rt.reference)); failure != nil {
			if failure.FailureCode == "ImageReferencedByManifestList" {
				return &wire.Error{Code: "DENIED", Message: failure.FailureReason, Status: 403} // status and code unconfirmed
			}
			return s.imageNotFound(repo, "", rt.reference)
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	})
}

func (s *Service) statBlob(w http.ResponseWriter, _ *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		size, ok := repo.layers[rt.reference]
		if !ok {
			return s.layerNotFound(repo, rt.reference)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.Header().Set("Docker-Content-Digest", rt.reference)
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// redirectToBlob sends the client to the layer's download address, as ECR sends it to a bucket. The status is unconfirmed.
func (s *Service) redirectToBlob(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		if _, ok := repo.layers[rt.reference]; !ok {
			return s.layerNotFound(repo, rt.reference)
		}
		w.Header().Set("Location", downloadURL(r, rt.reference))
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil
	})
}

// ServeLayer answers the download addresses; like presigned URLs they ask for no login.
func (s *Service) ServeLayer(w http.ResponseWriter, hr *http.Request) {
	s.options.Server.Stamp(w)
	content, err := s.content(strings.TrimPrefix(hr.URL.Path, DownloadPath))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer content.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if seeker, ok := content.(io.ReadSeeker); ok {
		http.ServeContent(w, hr, "", time.Time{}, seeker)
		return
	}
	io.Copy(w, content)
}

func (s *Service) beginUpload(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		query := r.HTTP.URL.Query()
		if digest := query.Get("mount"); digest != "" && s.mount(repo, digest, query.Get("from")) {
			w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repo.name+"/blobs/"+digest)
			w.Header().Set("Docker-Content-Digest", digest)
			w.WriteHeader(http.StatusCreated)
			return nil
		}
		id, err := s.startUpload(repo.name)
		if err != nil {
			return err
		}
		s.writeUpload(w, r, rt.repository, id, "0-0", http.StatusAccepted)
		return nil
	})
}

// mount takes a layer over from another repository: only with the account setting, and only if an image there uses it.
func (s *Service) mount(to *repository, digest, from string) bool {
	source := s.repositories[from]
	if !s.options.BlobMounting || source == nil {
		return false
	}
	for _, img := range source.images {
		if slices.Contains(img.layers, digest) {
			to.layers[digest] = source.layers[digest]
			return true
		}
	}
	return false
}

func (s *Service) writeUpload(w http.ResponseWriter, r *wire.Request, repository, id, span string, status int) {
	w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repository+"/blobs/uploads/"+id)
	w.Header().Set("Docker-Upload-Uuid", id)
	w.Header().Set("Range", span)
	w.WriteHeader(status)
}

// open finds the upload that a request continues and checks that its content goes where the upload ends.
func (s *Service) open(r *wire.Request, rt route) (u *upload, err error) {
	err = s.with(rt, func(repo *repository) error {
		u, err = s.uploadOf(repo, rt.reference)
		return err
	})
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	first, _, ranged := strings.Cut(r.HTTP.Header.Get("Content-Range"), "-")
	if start, err := strconv.ParseInt(strings.TrimPrefix(first, "bytes "), 10, 64); ranged && err == nil && start != u.size {
		return nil, &wire.Error{Code: "BLOB_UPLOAD_INVALID", Status: http.StatusRequestedRangeNotSatisfiable,
			Message: fmt.Sprintf("First byte of the layer part is %d instead of %d", start, u.size)}
	}
	return u, nil
}

// receivePart takes a chunk. The answer is ECR's: 201 where the specification has 202, and a Range that stays at the end
// of the first chunk.
func (s *Service) receivePart(w http.ResponseWriter, r *wire.Request, rt route) error {
	u, err := s.open(r, rt)
	if err != nil {
		return err
	}
	if u.lastPart > 0 && u.lastPart < minPart {
		return &wire.Error{Code: "BLOB_UPLOAD_INVALID", Message: fmt.Sprintf("Layer part is too small: %d bytes, at least %d", u.lastPart, minPart)} // status and wording unconfirmed
	}
	if err := u.write(r.HTTP.Body); err != nil {
		return err
	}
	s.writeUpload(w, r, rt.repository, rt.reference, fmt.Sprintf("0-%d", max(u.firstChunk-1, 0)), http.StatusCreated)
	return nil
}

func (s *Service) completeUpload(w http.ResponseWriter, r *wire.Request, rt route) error {
	u, err := s.open(r, rt)
	if err != nil {
		return err
	}
	if err := u.write(r.HTTP.Body); err != nil {
		return err
	}
	return s.with(rt, func(repo *repository) error {
		digest := r.HTTP.URL.Query().Get("digest")
		if digest != u.digest() {
			return wire.Errorf("InvalidLayerException", "None of the provided layer digests match the calculated layer digest")
		}
		delete(s.uploads, rt.reference)
		if err := s.finish(u, digest); err != nil {
			return err
		}
		repo.layers[digest] = u.size
		w.Header().Set("Location", schemeOf(r.HTTP)+"://"+r.Host+"/v2/"+repo.name+"/blobs/"+digest)
		w.Header().Set("Docker-Content-Digest", digest)
		w.WriteHeader(http.StatusCreated)
		return nil
	})
}

// listTags pages through the tags: 100 at a time by default, with the next page in a Link header.
func (s *Service) listTags(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		var tags []string
		for tag := range repo.imageTags {
			tags = append(tags, tag)
		}
		return writeNames(w, r, "tags", tags, map[string]any{"name": repo.name})
	})
}

func (s *Service) listCatalog(w http.ResponseWriter, r *wire.Request, _ route) error {
	s.options.Server.World.Lock()
	defer s.options.Server.World.Unlock()
	return writeNames(w, r, "repositories", s.Repositories(), map[string]any{})
}

func writeNames(w http.ResponseWriter, r *wire.Request, key string, names []string, body map[string]any) error {
	query := r.HTTP.URL.Query()
	size := 100
	if n := query.Get("n"); n != "" {
		var err error
		if size, err = strconv.Atoi(n); err != nil || size < 1 || size > 1000 {
			return invalid("maxResults", "Member must have value less than or equal to 1000")
		}
	}
	slices.Sort(names)
	start, found := slices.BinarySearch(names, query.Get("last"))
	if found {
		start++
	}
	names = names[start:]
	if len(names) > size {
		names = names[:size]
		next := url.Values{"n": {strconv.Itoa(size)}, "last": {names[size-1]}}
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.HTTP.URL.Path, next.Encode()))
	}
	body[key] = append([]string{}, names...)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return json.NewEncoder(w).Encode(body)
}

func (s *Service) listReferrers(w http.ResponseWriter, r *wire.Request, rt route) error {
	return s.with(rt, func(repo *repository) error {
		manifests := []any{}
		for _, img := range repo.inOrder() {
			if img.subject == rt.reference {
				manifests = append(manifests, map[string]any{
					"mediaType": img.mediaType, "digest": img.digest, "size": len(img.manifest), "artifactType": img.artifactType,
				})
			}
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		return json.NewEncoder(w).Encode(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
		})
	})
}

// registryErrors translates the API's error codes into those of the registry. Statuses marked 404 for uploads are
// unconfirmed.
var registryErrors = map[string]wire.Error{
	"RepositoryNotFoundException":       {Code: "NAME_UNKNOWN", Status: 404},
	"ImageNotFoundException":            {Code: "MANIFEST_UNKNOWN", Message: "Requested image not found", Status: 404},
	"ImageTagAlreadyExistsException":    {Code: "TAG_INVALID", Status: 400},
	"LayersNotFoundException":           {Code: "BLOB_UPLOAD_UNKNOWN", Status: 404},
	"ReferencedImagesNotFoundException": {Code: "MANIFEST_BLOB_UNKNOWN", Status: 404},
	"InvalidParameterException":         {Code: "UNSUPPORTED", Status: 405},
	"UploadNotFoundException":           {Code: "BLOB_UPLOAD_UNKNOWN", Status: 404},
	"InvalidLayerException":             {Code: "BLOB_UPLOAD_INVALID", Status: 400},
}

func writeError(w http.ResponseWriter, hr *http.Request, err error) {
	if err == error(errNotLoggedIn) {
		w.Header().Set("Www-Authenticate", fmt.Sprintf(`Basic realm="%s://%s/",service="ecr.amazonaws.com"`, schemeOf(hr), hr.Host))
		http.Error(w, "Not Authorized", http.StatusUnauthorized)
		return
	}
	refusal, ok := errors.AsType[*wire.Error](err)
	if !ok {
		refusal = &wire.Error{Code: "UNKNOWN", Message: "connect2 sandbox failed: " + err.Error(), Status: 500}
	}
	if known, ok := registryErrors[refusal.Code]; ok {
		if known.Message == "" {
			known.Message = refusal.Message
		}
		refusal = &known
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(refusal.HTTPStatus())
	if hr.Method != http.MethodHead {
		json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": refusal.Code, "message": refusal.Message}}})
	}
}
