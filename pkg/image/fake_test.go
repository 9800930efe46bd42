package image

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
)

// fakeHost is the ECR registry of the tests. Nothing in the code under test may build it.
const fakeHost = "123456789012.dkr.ecr.us-west-2.amazonaws.com"

// fakeECR is a registry in this process with ECR's API beside it. Its storage is go-containerregistry's; what it adds is the
// token, the journal, and faults.
type fakeECR struct {
	handler http.Handler

	mu       sync.Mutex                         // of all that follows: a push asks for images and token in goroutines of its own
	tokens   int                                // given out so far; only the newest is valid
	fault    func(*http.Request) *http.Response // answers instead of the registry when not nil
	requests []string                           // METHOD PATH of the registry
	repos    map[string]*ecrtypes.Repository    // by name
	pushed   map[string]map[string]time.Time    // repository: digest: when
	tags     map[string]map[string]string       // repository: tag: digest
	denyAPI  map[string]bool                    // API actions that are refused
	calls    []string                           // API actions, in their order
	lost     bool                               // no layer is there, whatever was sent
	called   func(action string)                // told of each call of the API, where not nil
	open     bool                               // the registry wants no login
}

func newFakeECR(t testing.TB, repositories ...string) *fakeECR {
	t.Helper()
	f := &fakeECR{
		handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)),
		repos:   map[string]*ecrtypes.Repository{}, pushed: map[string]map[string]time.Time{}, tags: map[string]map[string]string{},
		denyAPI: map[string]bool{},
	}
	for _, name := range repositories {
		f.add(name)
	}
	return f
}

// add adds a repository, and returns it as it is then.
func (f *fakeECR) add(name string) ecrtypes.Repository {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repos[name] = &ecrtypes.Repository{
		RepositoryName: aws.String(name), RepositoryUri: aws.String(fakeHost + "/" + name), RegistryId: aws.String("123456789012"),
		ImageTagMutability: ecrtypes.ImageTagMutabilityMutable,
	}
	f.pushed[name], f.tags[name] = map[string]time.Time{}, map[string]string{}
	return *f.repos[name]
}

// has returns a repository as it is now.
func (f *fakeECR) has(name string) (repo ecrtypes.Repository, found bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.repos[name] == nil {
		return repo, false
	}
	return *f.repos[name], true
}

// registries returns the way to the fake; events are handed to observe.
func (f *fakeECR) registries(observe func(Event)) *Registries {
	return &Registries{ECR: func(string) ECR { return f }, Transport: f, Observe: observe}
}

// elsewhere returns the way to the fake as to a registry that is not ECR and wants no login; its host is plainHost.
func (f *fakeECR) elsewhere(observe func(Event)) *Registries {
	f.open = true
	return &Registries{Transport: f, Observe: observe, Keychain: authn.NewMultiKeychain()}
}

const plainHost = "registry.example.com"

// RoundTrip serves a registry request.
func (f *fakeECR) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.requests = append(f.requests, req.Method+" "+req.URL.Path)
	fault, valid := f.fault, f.tokens
	f.mu.Unlock()
	answer := func(status int, body string) (*http.Response, error) {
		rec := httptest.NewRecorder()
		rec.WriteHeader(status)
		if req.Method != http.MethodHead {
			io.WriteString(rec, body)
		}
		res := rec.Result()
		res.Request = req
		return res, nil
	}
	if !f.open && req.Header.Get("Authorization") != "Basic "+fakeToken(valid) {
		return answer(403, `{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}`)
	}
	if fault != nil {
		if res := fault(req); res != nil {
			if res.StatusCode == 0 {
				return nil, io.ErrUnexpectedEOF // the connection is cut
			}
			res.Request = req
			return res, nil
		}
	}
	_, rest, _ := strings.Cut(req.URL.Path, "/v2/")
	if name, what, found := strings.Cut(rest, "/manifests/"); found && req.Method == http.MethodPut && !IsDigest(what) {
		repo, _ := f.has(name)
		f.mu.Lock()
		held := f.tags[name][what]
		f.mu.Unlock()
		if held != "" && repo.ImageTagMutability == ecrtypes.ImageTagMutabilityImmutable {
			return answer(400, fmt.Sprintf(`{"errors":[{"code":"TAG_INVALID","message":"The image tag '%s' already exists in the '%s' `+
				`repository and cannot be overwritten because the tag is immutable."}]}`, what, name))
		}
	}
	rec := httptest.NewRecorder()
	clone := req.Clone(req.Context())
	if clone.Body == nil {
		clone.Body = http.NoBody
	}
	f.handler.ServeHTTP(rec, clone)
	if rec.Code == http.StatusCreated && req.Method == http.MethodPut && strings.Contains(rest, "/manifests/") {
		name, what, _ := strings.Cut(rest, "/manifests/")
		digest := rec.Header().Get("Docker-Content-Digest")
		f.mu.Lock()
		f.pushed[name][digest] = time.Now()
		if !IsDigest(what) {
			f.tags[name][what] = digest
		}
		f.mu.Unlock()
	}
	res := rec.Result()
	res.Request = req
	return res, nil
}

// journal returns the requests since the last call, of one method or of all.
func (f *fakeECR) journal(methods ...string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.requests {
		method, _, _ := strings.Cut(r, " ")
		if len(methods) == 0 || slices.Contains(methods, method) {
			out = append(out, r)
		}
	}
	f.requests, f.calls = nil, nil
	return out
}

func (f *fakeECR) setFault(fault func(*http.Request) *http.Response) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// deny refuses an action of the API from now on.
func (f *fakeECR) deny(action string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.denyAPI[action] = true
}

// tell has each call of the API told from now on.
func (f *fakeECR) tell(called func(action string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.called = called
}

// lose has no layer there from now on, whatever was sent.
func (f *fakeECR) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = true
}

// asked returns the calls of the API since the journal was last read.
func (f *fakeECR) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// rule sets which tags of a repository move from now on.
func (f *fakeECR) rule(name string, mutability ecrtypes.ImageTagMutability, but ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.repos[name].ImageTagMutability, f.repos[name].ImageTagMutabilityExclusionFilters = mutability, nil
	for _, filter := range but {
		f.repos[name].ImageTagMutabilityExclusionFilters = append(f.repos[name].ImageTagMutabilityExclusionFilters,
			ecrtypes.ImageTagMutabilityExclusionFilter{Filter: aws.String(filter),
				FilterType: ecrtypes.ImageTagMutabilityExclusionFilterTypeWildcard})
	}
}

func refuse(status int, code, message string) *http.Response {
	rec := httptest.NewRecorder()
	rec.WriteHeader(status)
	fmt.Fprintf(rec, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
	return rec.Result()
}

func fakeToken(n int) string {
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("AWS:secret-password-%d", n)))
}

// denied notes a call of the API, and refuses it where that is wanted.
func (f *fakeECR) denied(action string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, action)
	if f.called != nil {
		f.called(action)
	}
	if f.denyAPI[action] {
		return fmt.Errorf("AccessDeniedException: not authorized to perform: ecr:%s", action)
	}
	return nil
}

func (f *fakeECR) GetAuthorizationToken(context.Context, *ecr.GetAuthorizationTokenInput,
	...func(*ecr.Options)) (*ecr.GetAuthorizationTokenOutput, error) {
	if err := f.denied("GetAuthorizationToken"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens++
	return &ecr.GetAuthorizationTokenOutput{AuthorizationData: []ecrtypes.AuthorizationData{{
		AuthorizationToken: aws.String(fakeToken(f.tokens)), ExpiresAt: aws.Time(time.Now().Add(12 * time.Hour)),
	}}}, nil
}

func (f *fakeECR) BatchGetImage(_ context.Context, in *ecr.BatchGetImageInput, _ ...func(*ecr.Options)) (*ecr.BatchGetImageOutput, error) {
	if err := f.denied("BatchGetImage"); err != nil {
		return nil, err
	}
	if _, found := f.has(aws.ToString(in.RepositoryName)); !found {
		return nil, &ecrtypes.RepositoryNotFoundException{Message: aws.String("no such repository")}
	}
	if len(in.ImageIds) == 0 || len(in.ImageIds) > 100 {
		return nil, fmt.Errorf("InvalidParameterException: %d image ids", len(in.ImageIds))
	}
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		f.image(aws.ToString(in.RepositoryName), id, out)
	}
	return out, nil
}

// image adds an image, or that there is none, to an answer.
func (f *fakeECR) image(name string, id ecrtypes.ImageIdentifier, out *ecr.BatchGetImageOutput) {
	what := aws.ToString(id.ImageDigest)
	if what == "" {
		what = aws.ToString(id.ImageTag)
	}
	req := httptest.NewRequest(http.MethodGet,
		(&url.URL{Scheme: "https", Host: fakeHost, Path: "/v2/" + name + "/manifests/" + what}).String(), nil)
	rec := httptest.NewRecorder()
	f.handler.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		out.Failures = append(out.Failures, ecrtypes.ImageFailure{ImageId: &id, FailureCode: ecrtypes.ImageFailureCodeImageNotFound,
			FailureReason: aws.String("Requested image not found")})
		return
	}
	raw := rec.Body.String()
	out.Images = append(out.Images, ecrtypes.Image{
		ImageId:       &ecrtypes.ImageIdentifier{ImageDigest: aws.String(sum([]byte(raw)).String()), ImageTag: id.ImageTag},
		ImageManifest: aws.String(raw), ImageManifestMediaType: aws.String(rec.Header().Get("Content-Type")),
	})
}

func (f *fakeECR) BatchCheckLayerAvailability(ctx context.Context, in *ecr.BatchCheckLayerAvailabilityInput,
	_ ...func(*ecr.Options)) (*ecr.BatchCheckLayerAvailabilityOutput, error) {
	if err := f.denied("BatchCheckLayerAvailability"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	lost := f.lost
	f.mu.Unlock()
	out := &ecr.BatchCheckLayerAvailabilityOutput{}
	for _, digest := range in.LayerDigests {
		req := httptest.NewRequest(http.MethodHead, "https://"+fakeHost+"/v2/"+aws.ToString(in.RepositoryName)+"/blobs/"+digest, nil)
		rec := httptest.NewRecorder()
		f.handler.ServeHTTP(rec, req)
		there := ecrtypes.LayerAvailabilityUnavailable
		if rec.Code == http.StatusOK && !lost {
			there = ecrtypes.LayerAvailabilityAvailable
		}
		out.Layers = append(out.Layers, ecrtypes.Layer{LayerDigest: aws.String(digest), LayerAvailability: there})
	}
	return out, nil
}

func (f *fakeECR) ListImages(_ context.Context, in *ecr.ListImagesInput, _ ...func(*ecr.Options)) (*ecr.ListImagesOutput, error) {
	if err := f.denied("ListImages"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &ecr.ListImagesOutput{}
	for _, tag := range slices.Sorted(maps.Keys(f.tags[aws.ToString(in.RepositoryName)])) {
		out.ImageIds = append(out.ImageIds, ecrtypes.ImageIdentifier{ImageTag: aws.String(tag)})
	}
	return out, nil
}

func (f *fakeECR) DescribeImages(_ context.Context, in *ecr.DescribeImagesInput,
	_ ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error) {
	if err := f.denied("DescribeImages"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &ecr.DescribeImagesOutput{}
	for digest, at := range f.pushed[aws.ToString(in.RepositoryName)] {
		out.ImageDetails = append(out.ImageDetails, ecrtypes.ImageDetail{ImageDigest: aws.String(digest), ImagePushedAt: aws.Time(at)})
	}
	return out, nil
}

func (f *fakeECR) DescribeRepositories(_ context.Context, in *ecr.DescribeRepositoriesInput,
	_ ...func(*ecr.Options)) (*ecr.DescribeRepositoriesOutput, error) {
	if err := f.denied("DescribeRepositories"); err != nil {
		return nil, err
	}
	repo, found := f.has(in.RepositoryNames[0])
	if !found {
		return nil, &ecrtypes.RepositoryNotFoundException{Message: aws.String("no such repository")}
	}
	return &ecr.DescribeRepositoriesOutput{Repositories: []ecrtypes.Repository{repo}}, nil
}

func (f *fakeECR) CreateRepository(_ context.Context, in *ecr.CreateRepositoryInput,
	_ ...func(*ecr.Options)) (*ecr.CreateRepositoryOutput, error) {
	if err := f.denied("CreateRepository"); err != nil {
		return nil, err
	}
	repo := f.add(aws.ToString(in.RepositoryName))
	return &ecr.CreateRepositoryOutput{Repository: &repo}, nil
}
