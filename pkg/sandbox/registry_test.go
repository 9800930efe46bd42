package sandbox_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/org/connect2/v2/pkg/sandbox"
)

const repository = "connect2-api-dev"

func reference(t *testing.T, text string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(sandbox.DefaultHost + "/" + text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func image(t *testing.T, layers int64) v1.Image {
	t.Helper()
	img, err := random.Image(2048, layers)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

func TestRegistryTakesAndGivesImagesAndIndexes(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	options := login(t, sb, operator(sb))
	one, two := image(t, 2), image(t, 1)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: one}, mutate.IndexAddendum{Add: two})

	if err := remote.WriteIndex(reference(t, repository+":multi"), index, options...); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(reference(t, repository+":multi"), options...)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Errorf("the index that comes back is damaged: %v", err)
	}
	want, _ := index.Digest()
	out, err := ecr.NewFromConfig(operator(sb)).DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String(repository), ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("multi")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	detail := out.ImageDetails[0]
	if *detail.ImageDigest != want.String() || !slices.Equal(detail.ImageTags, []string{"multi"}) {
		t.Errorf("DescribeImages shows %s %v, want %s [multi]", *detail.ImageDigest, detail.ImageTags, want)
	}
	tags, err := remote.List(reference(t, repository).Context(), options...)
	if err != nil || !slices.Equal(tags, []string{"latest", "multi", "v1"}) {
		t.Errorf("tags are %v, %v", tags, err)
	}
}

// TestRegistryRefusals checks ECR's own codes and statuses.
func TestRegistryRefusals(t *testing.T) {
	sb := open(t, `
repository: {mutability: IMMUTABLE_WITH_EXCLUSION, exclusions: [latest, "dev-*"]}
users:
  writer:
    accessKey: WRITER
    policy:
      Statement:
        - {Effect: Allow, Action: "ecr:GetAuthorizationToken", Resource: "*"}
        - {Effect: Allow, Action: ["ecr:BatchCheckLayerAvailability", "ecr:*LayerUpload", "ecr:UploadLayerPart"], Resource: "*"}
`)
	options := login(t, sb, operator(sb))
	push := func(ref string, img v1.Image, o ...remote.Option) error {
		return remote.Write(reference(t, ref), img, o...)
	}
	tests := []struct {
		name   string
		err    error
		status int
		text   string
	}{
		{"repository that does not exist", push("nowhere:v1", image(t, 1), options...), 404,
			"NAME_UNKNOWN: The repository with name 'nowhere' does not exist in the registry with id '123456789012'"},
		{"immutable tag", push(repository+":v1", image(t, 1), options...), 400,
			"TAG_INVALID: The image tag 'v1' already exists in the 'connect2-api-dev' repository and cannot be overwritten because the tag is " +
				"immutable."},
		{"excluded tag", push(repository+":latest", image(t, 1), options...), 0, ""},
		{"tag that matches a filter", errors.Join(push(repository+":dev-1", image(t, 1), options...),
			push(repository+":dev-1", image(t, 1), options...)), 0, ""},
		{"no layers", push(repository+":empty", empty.Image, options...), 405, "UNSUPPORTED: Image has to have at least 1 layer"},
		{"no permission for the manifest", push(repository+":v9", image(t, 1), login(t, sb, as(sb, "WRITER"))...), 403,
			"is not authorized to perform: ecr:PutImage on resource: arn:aws:ecr:us-west-2:123456789012:repository/connect2-api-dev because no " +
				"identity-based policy allows the ecr:PutImage action"},
		{"no login", push(repository+":v9", image(t, 1), remote.WithTransport(sb.Transport())), 401, "401 Unauthorized"},
	}
	_, missing := remote.Get(reference(t, repository+":v404"), options...)
	tests = append(tests, struct {
		name   string
		err    error
		status int
		text   string
	}{"tag that does not exist", missing, 404, "MANIFEST_UNKNOWN: Requested image not found"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.status == 0 {
				if tt.err != nil {
					t.Errorf("refused: %v", tt.err)
				}
				return
			}
			refusal, ok := errors.AsType[*transport.Error](tt.err)
			if !ok {
				t.Fatalf("no error of a registry: %v", tt.err)
			}
			if refusal.StatusCode != tt.status || !strings.Contains(tt.err.Error(), tt.text) {
				t.Errorf("got %d %v\nwant %d %s", refusal.StatusCode, tt.err, tt.status, tt.text)
			}
		})
	}
}

// exchange sends one raw registry request as the operator.
func exchange(t *testing.T, sb *sandbox.Sandbox, password, method, path, body string, header ...string) *http.Response {
	t.Helper()
	hr := httptest.NewRequest(method, path, strings.NewReader(body))
	hr.Host = sandbox.DefaultHost
	if password != "" {
		hr.SetBasicAuth("AWS", password)
	}
	for i := 0; i+1 < len(header); i += 2 {
		hr.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	sb.ServeHTTP(w, hr)
	return w.Result()
}

func TestChunkedUploadAnswersAsECRDoes(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	password := passwordOf(t, sb)
	start := exchange(t, sb, password, "POST", "/v2/"+repository+"/blobs/uploads/", "")
	location := start.Header.Get("Location")
	if start.StatusCode != 202 || !strings.HasPrefix(location, "http://"+sandbox.DefaultHost+"/v2/") {
		t.Fatalf("POST answers %d, Location %q; want 202 and an absolute one", start.StatusCode, location)
	}
	path := strings.TrimPrefix(location, "http://"+sandbox.DefaultHost)
	const part = 5 << 20
	chunk := strings.Repeat("x", part)
	first := exchange(t, sb, password, "PATCH", path, chunk, "Content-Range", fmt.Sprintf("0-%d", part-1))
	second := exchange(t, sb, password, "PATCH", path, chunk, "Content-Range", fmt.Sprintf("%d-%d", part, 2*part-1))
	wantRange := fmt.Sprintf("0-%d", part-1)
	if first.StatusCode != 201 || second.StatusCode != 201 || second.Header.Get("Range") != wantRange {
		t.Errorf("PATCH answers %d and %d with Range %q; want 201, 201 and the stale %q", first.StatusCode, second.StatusCode,
			second.Header.Get("Range"), wantRange)
	}
	again := exchange(t, sb, password, "PATCH", path, chunk, "Content-Range", fmt.Sprintf("%d-%d", part, 2*part-1))
	body, _ := io.ReadAll(again.Body)
	if again.StatusCode != 416 || !strings.Contains(string(body),
		fmt.Sprintf("First byte of the layer part is %d instead of %d", part, 2*part)) {
		t.Errorf("a repeated chunk gets %d %s", again.StatusCode, body)
	}
	h, _, _ := v1.SHA256(strings.NewReader(chunk + chunk + "tail"))
	end := exchange(t, sb, password, "PUT", path+"?digest="+h.String(), "tail")
	if end.StatusCode != 201 {
		t.Errorf("PUT answers %d, want 201", end.StatusCode)
	}
	if stat := exchange(t, sb, password, "HEAD",
		"/v2/"+repository+"/blobs/"+h.String(), ""); stat.Header.Get("Content-Length") != fmt.Sprint(2*part+4) {
		t.Errorf("the blob has %s bytes, want %d", stat.Header.Get("Content-Length"), 2*part+4)
	}
}

func passwordOf(t *testing.T, sb *sandbox.Sandbox) string {
	t.Helper()
	out, err := ecr.NewFromConfig(operator(sb)).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	hr := httptest.NewRequest("GET", "/", nil)
	hr.Header.Set("Authorization", "Basic "+*out.AuthorizationData[0].AuthorizationToken)
	_, password, _ := hr.BasicAuth()
	return password
}

// TestManifestDigestHeader holds what clients trip over: ECR sends Docker-Content-Digest with HEAD and not with GET.
func TestManifestDigestHeader(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	password, path := passwordOf(t, sb), "/v2/"+repository+"/manifests/v1"
	if got := exchange(t, sb, password, "HEAD", path, "").Header.Get("Docker-Content-Digest"); !strings.HasPrefix(got, "sha256:") {
		t.Errorf("HEAD has the digest %q", got)
	}
	if got := exchange(t, sb, password, "GET", path, "").Header.Get("Docker-Content-Digest"); got != "" {
		t.Errorf("GET has the digest %q, and should have none", got)
	}
	refused := exchange(t, sb, "wrong", "GET", path, "")
	want := `Basic realm="http://` + sandbox.DefaultHost + `/",service="ecr.amazonaws.com"`
	if body, _ := io.ReadAll(refused.Body); refused.Header.Get("Www-Authenticate") != want || string(body) != "Not Authorized\n" {
		t.Errorf("a bad password gets %q and %q", refused.Header.Get("Www-Authenticate"), body)
	}
}

// TestTagsArePaged walks 250 tags of one image in ECR's pages of 100.
func TestTagsArePaged(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	img := image(t, 1)
	for i := range 250 {
		if _, err := sb.Push(repository, fmt.Sprintf("t%03d", i), img); err != nil {
			t.Fatal(err)
		}
	}
	password, pages, path := passwordOf(t, sb), 0, "/v2/"+repository+"/tags/list"
	seen := map[string]bool{}
	for path != "" {
		answer := exchange(t, sb, password, "GET", path, "")
		body, _ := io.ReadAll(answer.Body)
		for _, field := range strings.FieldsFunc(string(body), func(r rune) bool { return strings.ContainsRune(`",[]{}:`, r) }) {
			if strings.HasPrefix(field, "t") && len(field) == 4 && field != "tags" {
				seen[field] = true
			}
		}
		link := answer.Header.Get("Link")
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		pages++
	}
	if len(seen) != 250 || pages != 3 {
		t.Errorf("%d tags on %d pages, want 250 on 3", len(seen), pages)
	}
	if answer := exchange(t, sb, password, "GET", "/v2/"+repository+"/tags/list?n=1001", ""); answer.StatusCode != 405 {
		t.Errorf("n=1001 gets %d, want 405", answer.StatusCode)
	}
}

func TestMountNeedsTheAccountSetting(t *testing.T) {
	for _, tt := range []struct {
		scenario string
		want     int
	}{{"", 202}, {"repository: {blobMounting: true}", 201}} {
		sb := open(t, tt.scenario)
		client := ecr.NewFromConfig(operator(sb))
		if _, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("other")}); err != nil {
			t.Fatal(err)
		}
		img := image(t, 1)
		if _, err := sb.Push(repository, "m", img); err != nil {
			t.Fatal(err)
		}
		layers, _ := img.Layers()
		digest, _ := layers[0].Digest()
		answer := exchange(t, sb, passwordOf(t, sb), "POST", "/v2/other/blobs/uploads/?mount="+digest.String()+"&from="+repository, "")
		if answer.StatusCode != tt.want {
			t.Errorf("scenario %q: mount answers %d, want %d", tt.scenario, answer.StatusCode, tt.want)
		}
	}
}

// TestRegistryRequestsAreJournalledAsTheirActions checks what the least policy of a push is made of.
func TestRegistryRequestsAreJournalledAsTheirActions(t *testing.T) {
	sb := sandbox.New(sandbox.Options{})
	options := login(t, sb, operator(sb))
	sb.ResetJournal()
	if err := remote.Write(reference(t, repository+":v2"), image(t, 1), append(options, remote.WithJobs(1))...); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range sb.Journal() {
		for _, a := range entry.Authorizations {
			if !slices.Contains(got, a.Action) {
				got = append(got, a.Action)
			}
			if a.Resource != "arn:aws:ecr:us-west-2:123456789012:repository/"+repository {
				t.Errorf("%s on %s", a.Action, a.Resource)
			}
		}
	}
	slices.Sort(got)
	want := []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload",
		"ecr:PutImage", "ecr:UploadLayerPart"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions of a push (-want +got):\n%s", diff)
	}
}
