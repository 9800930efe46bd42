package history

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// versions are, newest first, 3 of tag v3, 2 of tag v2 and a commit, 1 of tag v2 as well and of another commit.
func versions() []Version {
	version := func(n int, tag, commit string) Version {
		return Version{Option: Option{Deployment: Deployment{TaskDefinition: td(n)}}, Tag: tag, Commit: commit}
	}
	return []Version{version(3, "v3", ""), version(2, "v2", commit), version(1, "v2", "fedcba9"+commit[7:])}
}

func TestFindByName(t *testing.T) {
	for _, test := range []struct{ to, want string }{
		{"v3", td(3)},
		{"v2", td(2)}, // the newest
		{" v3 ", td(3)},
		{commit, td(2)},
		{commit[:12], td(2)}, // though it could be a digest
		{"fedcba9", td(1)},
		{"fedcba", ""}, // too short for a commit
		{"fedcba9x", ""},
		{"v", ""},
		{"", ""},
		{"2", td(2)},       // a revision
		{"0123456", td(2)}, // a commit that is shortened to digits alone
		{"0999999", ""},    // no revision's number begins so
		{"1234567", td(1234567)},
		{"7777777", td(5)},
		{"999999", td(999999)},
		{strings.ToUpper(commit), ""},
	} {
		known := append(versions(), Version{Option: Option{Deployment: Deployment{TaskDefinition: td(5)}}, Commit: strings.Repeat("7", 40)})
		got, err := Find(nil, known, test.to, td(4))
		if got.TaskDefinition != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: got %q, %v; want %q", test.to, got.TaskDefinition, err, test.want)
		}
	}
	untagged := []Version{{Option: Option{Deployment: Deployment{TaskDefinition: td(1)}}}}
	if got, err := Find(nil, untagged, "", td(4)); err == nil {
		t.Errorf("nothing means %+v", got)
	}
	deployments := deployed(t, "1 2")
	if got, err := Find(deployments, versions(), "v2", td(4)); err != nil || got.Deployment == nil || got.Deployment.ARN != began(1) {
		t.Errorf("got %+v, %v", got, err)
	}
	tagged := versions()
	tagged[2].Tag = commit[:12] // a tag counts for more than a commit
	if got, err := Find(nil, tagged, commit[:12], td(4)); err != nil || got.TaskDefinition != td(1) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := Find(nil, nil, commit[:12], td(4)); err == nil || !strings.Contains(err.Error(), "or was made from that commit") {
		t.Errorf("got %v", err)
	}
}

func TestByName(t *testing.T) {
	for to, want := range map[string]bool{
		"v1.2.3": true, " v1 ": true, "main-1": true, commit: true, "abcdef0": true, "abcdefabcdef": true,
		"0123456": true, "": false, "  ": false, "7": false, "1234567": false,
		" 7 ": false, "api:7": false, "sha256:" + commit[:12]: false, td(1): false, began(1): false,
	} {
		if got := ByName(to); got != want {
			t.Errorf("%q: %v, want %v", to, got, want)
		}
	}
}

func TestVersionOf(t *testing.T) {
	parse := func(image string) taskdef.Document {
		doc, err := taskdef.Parse([]byte(`{"family": "api", "containerDefinitions": [{"name": "api", "image": "` + image + `"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	option := Option{Deployment: Deployment{TaskDefinition: td(1), Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Status: "SUCCESSFUL"}}
	tags := map[string]string{tagImage: "v1", commits.Tag: commit, tagBy: "octocat", tagRun: "https://github.com/o/r/actions/runs/1"}
	released := VersionOf(option, &taskdef.Revision{Document: parse("repo/api@" + digest("1")), Tags: tags})
	if got := released.String(); got != "api:1 (v1, 0123456, 2026-01-02 03:04 UTC)" {
		t.Error(got)
	}
	for image, want := range map[string]string{"host:5000/api:v2": "v2", "host:5000/api": "", "api:v2@" + digest("1"): "", "api": ""} {
		if got := VersionOf(option, &taskdef.Revision{Document: parse(image)}).Tag; got != want {
			t.Errorf("%s: the tag is %q, want %q", image, got, want)
		}
	}
	for name, test := range map[string]struct{ document, want string }{
		"the only essential container": {`{"containerDefinitions": [{"name": "log", "image": "log:v8", "essential": false},
			{"name": "api", "image": "api:v3"}]}`, "v3"},
		"of several essential ones the first": {`{"containerDefinitions": [{"name": "api", "image": "api:v3"}, {"name": "log", "image": "log:v8"}]}`,
			"v3"},
	} {
		doc, err := taskdef.Parse([]byte(test.document))
		if err != nil {
			t.Fatal(err)
		}
		if got := VersionOf(option, &taskdef.Revision{Document: doc}).Tag; got != test.want {
			t.Errorf("%s: the tag is %q, want %q", name, got, test.want)
		}
	}
	bare := VersionOf(Option{Deployment: Deployment{TaskDefinition: td(4)}}, &taskdef.Revision{Tags: map[string]string{
		commits.Tag: strings.Repeat("x", 40)}})
	if got := bare.String(); got != "api:4 ("+strings.Repeat("x", 40)+")" {
		t.Errorf("a revision without a document, of what is not a commit's hash: %s", got)
	}
	unread := VersionOf(Option{Deployment: Deployment{TaskDefinition: td(2), Status: "ROLLBACK_SUCCESSFUL"}, Why: "its image is gone"}, nil)
	if got := unread.String(); got != "api:2: its image is gone" {
		t.Error(got)
	}
	byRun := released
	byRun.By, byRun.Deployment.TaskDefinition = "", td(3)
	table := Table([]Version{released, unread, byRun}, td(3))
	var rows []string
	for _, row := range table.Rows {
		rows = append(rows, join(row))
	}
	want := []string{
		"api:1|v1|0123456|2026-01-02 03:04 UTC|octocat|successful|",
		"api:2|||||rollback successful|its image is gone",
		"api:3|v1|0123456|2026-01-02 03:04 UTC|https://github.com/o/r/actions/runs/1|successful|the target",
	}
	if got := strings.Join(rows, "\n"); got != strings.Join(want, "\n") || len(table.Head) != 7 {
		t.Errorf("got\n%s", got)
	}
}

func join(row []record.Text) string {
	var cells []string
	for _, cell := range row {
		cells = append(cells, cell.Text)
	}
	return strings.Join(cells, "|")
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestDescribe reads more revisions than it reads at once, and leaves out the one that cannot be read.
func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := ecs.New(ecs.Options{Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}, RetryMaxAttempts: 1,
			HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
				text, _ := io.ReadAll(r.Body)
				var in struct{ TaskDefinition string }
				if err := json.Unmarshal(text, &in); err != nil || in.TaskDefinition == "api:3" {
					return nil, errors.New("no answer")
				}
				time.Sleep(time.Second)
				body := `{"taskDefinition": {"taskDefinitionArn": "` + in.TaskDefinition + `", "containerDefinitions": [{"name": "api"}]}}`
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
			})})
		began := time.Now()
		found := Describe(t.Context(), client, []string{"api:1", "api:2", "api:3", "api:4", "api:5", "api:6"})
		var got []string
		for name, revision := range found {
			got = append(got, name+" "+revision.ARN)
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != "api:1 api:1, api:2 api:2, api:4 api:4, api:5 api:5, api:6 api:6" {
			t.Errorf("got %q", got)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("five revisions of a second each took %s", took)
		}
	})
}
