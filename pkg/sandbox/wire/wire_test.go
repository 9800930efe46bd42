package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 250e6, time.UTC)

// newServer serves one JSON and one query service whose operations answer with what they decoded.
func newServer(t *testing.T) *wire.Server {
	t.Helper()
	readOnly, err := policy.Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"ecs:Describe*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	ids := 0
	return &wire.Server{
		Account: "123456789012", Region: "us-west-2",
		Now: func() time.Time { return noon },
		Identify: func(key string, _ time.Time) (wire.Caller, error) {
			switch key {
			case "ADMIN":
				return wire.Caller{ARN: "arn:aws:iam::123456789012:user/admin"}, nil
			case "READER":
				return wire.Caller{ARN: "arn:aws:iam::123456789012:user/reader", Policy: readOnly}, nil
			case "OLD":
				return wire.Caller{}, wire.ErrExpiredCredentials
			}
			return wire.Caller{}, wire.ErrUnknownCredentials
		},
		Unsigned: map[string]bool{"sts:AssumeRoleWithWebIdentity": true},
		NewID:    func() string { ids++; return fmt.Sprintf("id-%d", ids) },
		JSON: []*wire.JSONService{{Name: "ecs", TargetPrefix: "ECS_1", Operations: map[string]wire.Operation{
			"DescribeServices": func(r *wire.Request) (any, error) {
				var in struct{ Services []string }
				if err := r.Decode(&in); err != nil {
					return nil, err
				}
				if err := r.Authorize("ecs:DescribeServices", "arn:aws:ecs:s", "ecs:cluster=arn:c"); err != nil {
					return nil, err
				}
				return map[string]any{"services": in.Services, "at": wire.Time(r.Now)}, nil
			},
			"UpdateService": func(r *wire.Request) (any, error) {
				return nil, r.Authorize("ecs:UpdateService", "arn:aws:ecs:s")
			},
			"DeleteService": func(r *wire.Request) (any, error) {
				return nil, wire.Errorf("ClusterNotFoundException", "Cluster not found.").WithField("hint", 7)
			},
			"Broken": func(r *wire.Request) (any, error) { return nil, errors.New("wires crossed") },
		}}},
		Query: []*wire.QueryService{{Name: "sts", Version: "2011-06-15", Namespace: "urn:sts", Operations: map[string]wire.Operation{
			"AssumeRoleWithWebIdentity": func(r *wire.Request) (any, error) {
				var in struct {
					Names []string
					Limit *int
					Tags  []struct{ Key, Value string }
				}
				if err := r.Decode(&in); err != nil {
					return nil, err
				}
				limit := 0
				if in.Limit != nil {
					limit = *in.Limit
				}
				return struct {
					Names wire.List[string]
					Empty wire.List[string]
					Limit int
					Tag   string
				}{in.Names, nil, limit, in.Tags[0].Key + "=" + in.Tags[0].Value}, nil
			},
			"GetCallerIdentity": func(r *wire.Request) (any, error) {
				return nil, wire.Errorf("AccessDenied", "a < b").WithStatus(403)
			},
		}}},
	}
}

type request struct {
	key, region, target, body string
}

func send(s http.Handler, r request) *httptest.ResponseRecorder {
	hr := httptest.NewRequest("POST", "/", strings.NewReader(r.body))
	if r.target != "" {
		hr.Header.Set("X-Amz-Target", r.target)
		hr.Header.Set("Content-Type", "application/x-amz-json-1.1")
	} else {
		hr.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	if r.region == "" {
		r.region = "us-west-2"
	}
	if r.key != "" {
		hr.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+r.key+"/20260102/"+r.region+
			"/x/aws4_request, SignedHeaders=host, Signature=00")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, hr)
	return w
}

func TestServer(t *testing.T) {
	tests := []struct {
		name    string
		request request
		status  int
		body    string // a part of the answer
	}{
		{"json result", request{key: "ADMIN", target: "ECS_1.DescribeServices", body: `{"services":["a<b"],"other":1}`}, 200, `{"at":1767355200.25,"services":["a<b"]}`},
		{"json error with a field", request{key: "ADMIN", target: "ECS_1.DeleteService"}, 400, `{"__type":"ClusterNotFoundException","hint":7,"message":"Cluster not found."}`},
		{"json of the wrong type", request{key: "ADMIN", target: "ECS_1.DescribeServices", body: `{"services":"a"}`}, 400, `"__type":"SerializationException"`},
		{"no json at all", request{key: "ADMIN", target: "ECS_1.DescribeServices", body: `{"services":`}, 400, `"__type":"SerializationException"`},
		{"operation that is not modelled", request{key: "ADMIN", target: "ECS_1.CreateTaskSet"}, 501, `connect2 sandbox does not model ecs:CreateTaskSet`},
		{"service that is not modelled", request{key: "ADMIN", target: "Lambda_1.Invoke"}, 501, `does not model the service behind X-Amz-Target \"Lambda_1.Invoke\"`},
		{"region that is not modelled", request{key: "ADMIN", region: "eu-west-1", target: "ECS_1.DescribeServices"}, 501, `eu-west-1`},
		{"defect of the sandbox", request{key: "ADMIN", target: "ECS_1.Broken"}, 500, `connect2 sandbox failed: wires crossed`},
		{"denied", request{key: "READER", target: "ECS_1.UpdateService"}, 400, `"User: arn:aws:iam::123456789012:user/reader is not authorized to perform: ecs:UpdateService on resource: arn:aws:ecs:s because no identity-based policy allows the ecs:UpdateService action"`},
		{"not signed", request{target: "ECS_1.DescribeServices"}, 400, `MissingAuthenticationTokenException`},
		{"unknown key", request{key: "NOBODY", target: "ECS_1.DescribeServices"}, 400, `"__type":"UnrecognizedClientException"`},
		{"expired key", request{key: "OLD", target: "ECS_1.DescribeServices"}, 400, `"__type":"ExpiredTokenException"`},
		{"query result, unsigned",
			request{body: "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&Names.member.1=x&Names.member.2=y&Limit=3" +
				"&Tags.member.1.Key=k&Tags.member.1.Value=v"}, 200,
			`<AssumeRoleWithWebIdentityResult><Names><member>x</member><member>y</member></Names><Empty></Empty><Limit>3</Limit><Tag>k=v</Tag></AssumeRoleWithWebIdentityResult>`},
		{"query error is escaped", request{key: "ADMIN", body: "Action=GetCallerIdentity&Version=2011-06-15"}, 403, `<Message>a &lt; b</Message>`},
		{"query number that is none", request{body: "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&Limit=x"}, 400, `<Code>MalformedInput</Code>`},
		{"query, unknown key", request{key: "NOBODY", body: "Action=GetCallerIdentity&Version=2011-06-15"}, 403, `<Code>InvalidClientTokenId</Code>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := send(newServer(t), tt.request)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if got := w.Header().Get("Date"); got != "Fri, 02 Jan 2026 12:00:00 GMT" {
				t.Errorf("Date is %q, want that of virtual time", got)
			}
		})
	}
}

func TestJournalSaysWhatWasAskedAndAnswered(t *testing.T) {
	s := newServer(t)
	send(s, request{key: "ADMIN", target: "ECS_1.DescribeServices"})
	send(s, request{key: "READER", target: "ECS_1.UpdateService"})
	send(s, request{key: "ADMIN", target: "Lambda_1.Invoke"})
	reader, admin := "arn:aws:iam::123456789012:user/reader", "arn:aws:iam::123456789012:user/admin"
	want := []wire.Entry{
		{Time: noon, Service: "ecs", Action: "DescribeServices", Resources: []string{"arn:aws:ecs:s"}, Caller: admin, Status: 200,
			Authorizations: []wire.Authorization{{Action: "ecs:DescribeServices", Resource: "arn:aws:ecs:s",
				Conditions: map[string]string{"ecs:cluster": "arn:c"}, Allowed: true}}},
		{Time: noon, Service: "ecs", Action: "UpdateService", Resources: []string{"arn:aws:ecs:s"}, Caller: reader, Status: 400,
			Code: "AccessDeniedException", Mutating: true,
			Authorizations: []wire.Authorization{{Action: "ecs:UpdateService", Resource: "arn:aws:ecs:s"}}},
		{Time: noon, Service: "x", Action: "Invoke", Status: 501, Code: wire.CodeNotModelled, Mutating: true},
	}
	if diff := cmp.Diff(want, s.Journal.Entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestTimeRoundTrip(t *testing.T) {
	data, err := json.Marshal(wire.Time(noon))
	if err != nil {
		t.Fatal(err)
	}
	var back wire.Time
	if err := json.Unmarshal(data, &back); err != nil || !time.Time(back).Equal(noon) {
		t.Errorf("%s reads back as %v, %v", data, time.Time(back), err)
	}
}

func TestMutating(t *testing.T) {
	for action, want := range map[string]bool{
		"DescribeServices": false, "GetAuthorizationToken": false, "BatchCheckLayerAvailability": false, "FilterLogEvents": false,
		"AssumeRole": false, "UpdateService": true, "PutImage": true, "RunTask": true, "BatchDeleteImage": true, "StopServiceDeployment": true,
	} {
		if wire.Mutating(action) != want {
			t.Errorf("Mutating(%q) is not %v", action, want)
		}
	}
}
