package taskdef

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// exchange is one request that the test's transport saw.
type exchange struct{ action, body, signature string }

// dial returns the SDK's client whose requests are answered, in order, by these answers; "THROTTLE" is an answer that is
// retried, "DENY:x" a denial of x.
func dial(t *testing.T, answers ...string) (*ecs.Client, *[]exchange) {
	t.Helper()
	var seen []exchange
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength {
			t.Errorf("the length is %d, the body %d bytes long (%v)", r.ContentLength, len(body), err)
		}
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		seen = append(seen, exchange{action, string(body), r.Header.Get("Authorization")})
		if len(seen) > len(answers) {
			t.Fatalf("unexpected call %s", action)
		}
		status, answer := 200, answers[len(seen)-1]
		if answer == "LOST" {
			return nil, io.ErrUnexpectedEOF
		}
		if answer == "THROTTLE" {
			status, answer = 400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`
		} else if what, denied := strings.CutPrefix(answer, "DENY:"); denied {
			status, answer = 400, `{"__type":"AccessDeniedException","message":"User: u is not authorized to perform: `+what+` on resource: *"}`
		} else if message, missing := strings.CutPrefix(answer, "CLIENT:"); missing {
			status, answer = 400, `{"__type":"ClientException","message":"`+message+`"}`
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(answer))), Request: r}, nil
	})
	client := ecs.New(ecs.Options{
		Region:      "us-west-2",
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		HTTPClient:  &http.Client{Transport: transport},
		Retryer:     aws.NopRetryer{},
	})
	return client, &seen
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestUnknownFieldsSurviveDescribeEditRegister(t *testing.T) {
	client, seen := dial(t,
		`{"taskDefinition": `+odd+`, "tags": [{"key": "team", "value": "web"}]}`,
		`{"taskDefinition": {"taskDefinitionArn": "arn:aws:ecs:us-west-2:123456789012:task-definition/web:1", "family": "web", "revision": 1, "status": "ACTIVE", "containerDefinitions": [{"name": "api"}]}}`)
	base, err := Describe(t.Context(), client, "api")
	if err != nil {
		t.Fatal(err)
	}
	if base.Name() != "api:7" || !base.Active || base.Tags["team"] != "web" {
		t.Errorf("got %s, active %v, tags %v", base.Name(), base.Active, base.Tags)
	}
	edited, err := base.Document.WithFamily("web").WithImage("api", "repo@sha256:2")
	if err != nil {
		t.Fatal(err)
	}
	revision, err := Register(t.Context(), client, edited, map[string]string{"connect2:x": "y"})
	if err != nil {
		t.Fatal(err)
	}
	if revision.Name() != "web:1" || revision.Untagged != nil {
		t.Errorf("got %s, %v", revision.Name(), revision.Untagged)
	}
	sent := (*seen)[1]
	for _, want := range []string{
		`"connect2Unknown":{"a":[],"b":null}`, `"futureNumber":12345678901234567890.10`, `"volumes":[]`, `"value":"1\u003c2 & \/"`,
		`"image":"repo@sha256:2"`, `"family":"web"`, `"tags":[{"key":"connect2:x","value":"y"}]`,
	} {
		if !strings.Contains(sent.body, want) {
			t.Errorf("the body lacks %s:\n%s", want, sent.body)
		}
	}
	for _, never := range []string{"taskDefinitionArn", `"revision"`, "registeredAt", "compatibilities\":[\"FARGATE\"],\"registered"} {
		if strings.Contains(sent.body, never) {
			t.Errorf("the body has %s:\n%s", never, sent.body)
		}
	}
	if !strings.HasPrefix(sent.signature, "AWS4-HMAC-SHA256") {
		t.Errorf("the replaced body is not signed: %q", sent.signature)
	}
}

// TestRetriesSendTheWholeDocument holds that a retried call sends the document again, not an empty rest.
func TestRetriesSendTheWholeDocument(t *testing.T) {
	client, seen := dial(t, "THROTTLE", `{"taskDefinition": `+odd+`}`)
	withRetry := ecs.New(client.Options(), func(o *ecs.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})
	if _, err := Register(t.Context(), withRetry, mustParse(t, odd), nil); err != nil {
		t.Fatal(err)
	}
	if len(*seen) != 2 || (*seen)[0].body != (*seen)[1].body || !strings.Contains((*seen)[1].body, "connect2Unknown") {
		t.Errorf("got %q", *seen)
	}
}

func TestDescribeSurvivesAModelThatItCannotRead(t *testing.T) {
	client, _ := dial(t, `{"taskDefinition": {"family": {"of": "the future"}, "containerDefinitions": [{"name": "a", "cpu": "many"}]}}`)
	revision, err := Describe(t.Context(), client, "api")
	if err != nil || revision.Document.Containers()[0] != "a" {
		t.Errorf("got %v, %v", revision, err)
	}
}

func TestDescribeErrors(t *testing.T) {
	client, _ := dial(t, "CLIENT:Unable to describe task definition.", "DENY:ecs:DescribeTaskDefinition")
	if _, err := Describe(t.Context(), client, "api"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "api") {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := Describe(t.Context(), client, "api"); err == nil || errors.Is(err, ErrNotFound) ||
		!strings.Contains(err.Error(), "not authorized") {
		t.Errorf("got %v, want the denial", err)
	}
}

func TestRegisterWithoutPermissionToTag(t *testing.T) {
	client, seen := dial(t, "DENY:ecs:TagResource", `{"taskDefinition": `+odd+`}`)
	revision, err := Register(t.Context(), client, mustParse(t, odd), map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	if revision.Untagged == nil || strings.Contains((*seen)[1].body, `"tags"`) {
		t.Errorf("got %v, second body %s", revision.Untagged, (*seen)[1].body)
	}
	client, seen = dial(t, "DENY:ecs:RegisterTaskDefinition")
	if _, err := Register(t.Context(), client, mustParse(t, odd), map[string]string{"a": "b"}); err == nil || len(*seen) != 1 {
		t.Errorf("a denied registration: got %v after %d calls", err, len(*seen))
	}
}

func TestRegisterNeedsAFamily(t *testing.T) {
	client, _ := dial(t)
	if _, err := Register(t.Context(), client, mustParse(t, `{"containerDefinitions":[{"name":"a"}]}`), nil); err == nil {
		t.Error("a document without a family is sent")
	}
}

// A call whose answer is lost is repeated only after a look, as often as there is sense in it; any other refusal is the end.
func TestRegisterLooksBeforeItRepeats(t *testing.T) {
	const (
		lost  = "LOST"
		old   = `{"taskDefinition":{"family":"f","revision":1,"status":"ACTIVE","containerDefinitions":[{"name":"a","image":"old"}]}}`
		made  = `{"taskDefinition":{"family":"f","revision":2,"status":"ACTIVE","containerDefinitions":[{"name":"a","image":"new"}]}}`
		gone  = `{"taskDefinition":{"family":"f","revision":2,"status":"INACTIVE","containerDefinitions":[{"name":"a","image":"new"}]}}`
		other = `{"taskDefinition":{"family":"f","revision":3,"status":"ACTIVE","containerDefinitions":[{"name":"a","image":"other"}]}}`
		many  = `{"taskDefinition":{"family":"f","revision":9,"status":"ACTIVE","containerDefinitions":[{"name":"a","image":"other"}]}}`
		never = "CLIENT:Unable to describe task definition."
	)
	d, err := Parse([]byte(`{"family":"f","containerDefinitions":[{"name":"a","image":"new"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		answers []string
		calls   string // R for Register, D for Describe
		number  int    // 0: an error
	}{
		"the answer comes":                {[]string{made}, "R", 2},
		"it was made":                     {[]string{lost, made}, "RD", 2},
		"it was not":                      {[]string{lost, old, made}, "RDR", 2},
		"there was none":                  {[]string{lost, never, made}, "RDR", 2},
		"it was taken away":               {[]string{lost, gone, old, made}, "RDDR", 2},
		"somebody registered after it":    {[]string{lost, other, made}, "RDD", 2},
		"somebody did, and it was not":    {[]string{lost, other, gone, old, made}, "RDDDR", 2},
		"what is between was deleted":     {[]string{lost, other, never, old, made}, "RDDDR", 2},
		"what is between cannot be read":  {[]string{lost, other, lost}, "RDD", 0},
		"many did":                        {[]string{lost, many, old, old, old, old, old, made}, "RDDDDDDR", 2},
		"lost twice, and made":            {[]string{lost, old, lost, made}, "RDRD", 2},
		"nobody may look":                 {[]string{lost, "DENY:ecs:DescribeTaskDefinition", made}, "RDR", 2},
		"nobody can look":                 {[]string{lost, lost}, "RD", 0},
		"something else is wrong with it": {[]string{lost, "CLIENT:busy"}, "RD", 0},
		"always lost":                     {[]string{lost, old, lost, old, lost, old, lost, old}, "RDRDRDRD", 0},
		"refused":                         {[]string{"CLIENT:bad"}, "R", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, seen := dial(t, tt.answers...)
				revision, err := Register(t.Context(), client, d, nil)
				calls := ""
				for _, e := range *seen {
					calls += e.action[:1]
				}
				if calls != tt.calls {
					t.Errorf("calls %s, want %s", calls, tt.calls)
				}
				if tt.number == 0 && err == nil || tt.number != 0 && (err != nil || revision.Number != tt.number) {
					t.Errorf("%+v, %v", revision, err)
				}
			})
		})
	}
}

// What is found behind the newest revision is only taken where it has the tags that were sent: the same content may have been registered
// before, for another run.
func TestMadeBeforeHasItsTags(t *testing.T) {
	const newest = `{"taskDefinition":{"family":"f","revision":3,"status":"ACTIVE","containerDefinitions":[{"name":"a","image":"other"}]}}`
	d := mustParse(t, `{"family":"f","containerDefinitions":[{"name":"a","image":"new"}],
		"tags":[{"key":"run","value":"7"},{"key":"by","value":"ada"}]}`)
	for tags, want := range map[string]int{
		`{"key":"run","value":"7"},{"key":"by","value":"ada"}`:                                 2,
		`{"key":"run","value":"7"},{"key":"by","value":"ada"},{"key":"team","value":"orders"}`: 2,
		`{"key":"run","value":"6"},{"key":"by","value":"ada"}`:                                 0,
		`{"key":"run","value":"7"}`:                                                            0,
	} {
		client, _ := dial(t, newest, `{"taskDefinition":{"family":"f","revision":2,"status":"ACTIVE",
			"containerDefinitions":[{"name":"a","image":"new"}]},"tags":[`+tags+`]}`, "CLIENT:Unable to describe task definition.")
		made, err := madeBefore(t.Context(), client, d)
		if err != nil || want == 0 && made != nil || want != 0 && (made == nil || made.Number != want) {
			t.Errorf("%s: %+v, %v", tags, made, err)
		}
	}
}

func TestOtherClientExceptionsAreNotAbsence(t *testing.T) {
	client, _ := dial(t, "CLIENT:The request could not be processed.")
	if _, err := Describe(t.Context(), client, "f"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
}
