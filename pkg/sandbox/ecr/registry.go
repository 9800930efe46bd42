package ecr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// route is what a registry request is about, and the ECR API action that permits it. The mapping of DELETE and tags/list and _catalog
// is unconfirmed. That of referrers is what the API reference says of ListImageReferrers: it takes ecr:BatchGetImage.
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
		"GET": {action: "BatchGetImage", handle: (*Service).listReferrers},
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
	r.Lost()
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
	if errors.Is(err, errNotLoggedIn) {
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
		body := map[string]any{"errors": []any{map[string]string{"code": refusal.Code, "message": refusal.Message}}}
		_ = json.NewEncoder(w).Encode(body) // a client that has gone needs no answer
	}
}
