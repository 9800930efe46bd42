package awscall

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/awserr"
)

// answers gives one answer after another, and keeps the requests.
type answers struct {
	status []int
	bodies []string
	asked  []*http.Request
	sent   []string
}

func (a *answers) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n := min(len(a.asked), len(a.status)-1)
	a.asked, a.sent = append(a.asked, r), append(a.sent, string(body))
	if a.status[n] == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: a.status[n], Header: http.Header{"X-Amzn-Requestid": {"r-1"}},
		Body: io.NopCloser(strings.NewReader(a.bodies[n]))}, nil
}

// twice sends what failed of the network once more.
type twice struct{ aws.NopRetryer }

func (twice) MaxAttempts() int                { return 2 }
func (twice) IsErrorRetryable(err error) bool { return awserr.IsLost(err) || awserr.IsThrottled(err) }
func (twice) RetryDelay(int, error) (time.Duration, error) {
	return 0, nil
}

func configOf(a *answers, region string) aws.Config {
	return aws.Config{Region: region, HTTPClient: a, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", "token"),
		Retryer: func() aws.Retryer { return twice{} }}
}

func TestQuery(t *testing.T) {
	a := &answers{status: []int{0, 200}, bodies: []string{"", `<R><subnetSet><item><subnetId>s-1</subnetId></item></subnetSet></R>`}}
	var out struct {
		Subnets []struct {
			ID string `xml:"subnetId"`
		} `xml:"subnetSet>item"`
	}
	err := Query(context.Background(), configOf(a, "eu-west-1"), EC2, "DescribeSubnets", url.Values{"SubnetId.1": {"s-1"}}, &out)
	if err != nil || len(out.Subnets) != 1 || out.Subnets[0].ID != "s-1" || len(a.asked) != 2 {
		t.Fatalf("%+v, %v, %d requests", out, err, len(a.asked))
	}
	r := a.asked[1]
	if r.URL.Host != "ec2.eu-west-1.amazonaws.com" || a.sent[1] != "Action=DescribeSubnets&SubnetId.1=s-1&Version=2016-11-15" ||
		!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/ec2/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "token" {
		t.Errorf("%s %q %v", r.URL, a.sent[1], r.Header)
	}
}

func TestJSON(t *testing.T) {
	a := &answers{status: []int{200}, bodies: []string{`{"Name":"n"}`}}
	var out struct{ Name string }
	in := struct{ SecretId string }{"n"}
	err := JSON(context.Background(), configOf(a, "cn-north-1"), SecretsManager, "DescribeSecret", in, &out)
	if err != nil || out.Name != "n" {
		t.Fatalf("%+v, %v", out, err)
	}
	r := a.asked[0]
	if r.URL.Host != "secretsmanager.cn-north-1.amazonaws.com.cn" || a.sent[0] != `{"SecretId":"n"}` ||
		r.Header.Get("X-Amz-Target") != "secretsmanager.DescribeSecret" {
		t.Errorf("%s %q %v", r.URL, a.sent[0], r.Header)
	}
}

// TestErrors holds that errors are of the types that the rest of the module reads.
func TestErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		status     int
		body, code string
		kind       awserr.Kind
	}{
		"EC2": {403, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>`,
			"UnauthorizedOperation", awserr.KindDenied},
		"query": {403, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`,
			"AccessDenied", awserr.KindDenied},
		"JSON": {400, `{"__type":"com.amazon#ResourceNotFoundException","Message":"gone"}`,
			"ResourceNotFoundException", awserr.KindNotFound},
		"throttled": {400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, "ThrottlingException", awserr.KindThrottled},
		"a proxy":   {502, `<html>bad gateway</html>`, "", awserr.KindLost},
		"garbled":   {200, `<html>`, "", awserr.KindLost},
		"no answer": {0, ``, "", awserr.KindLost},
	} {
		a := &answers{status: []int{tt.status}, bodies: []string{tt.body}}
		var out struct{ X string }
		err := Query(context.Background(), configOf(a, "us-east-1"), IAM, "SimulatePrincipalPolicy", nil, &out)
		var api smithy.APIError
		code := ""
		if errors.As(err, &api) {
			code = api.ErrorCode()
		}
		if code != tt.code || awserr.KindOf(err) != tt.kind {
			t.Errorf("%s: code %q, kind %q of %v", name, code, awserr.KindOf(err), err)
		}
		if want := map[bool]int{true: 2, false: 1}[tt.kind == awserr.KindLost || tt.kind == awserr.KindThrottled]; len(a.asked) != want {
			t.Errorf("%s: %d requests, want %d", name, len(a.asked), want)
		}
	}
}

func TestWithoutCredentials(t *testing.T) {
	cfg := configOf(&answers{}, "us-east-1")
	cfg.Credentials = nil
	if err := Query(context.Background(), cfg, EC2, "DescribeSubnets", nil, &struct{}{}); awserr.KindOf(err) != awserr.KindCredentials {
		t.Errorf("%v", err)
	}
}

type source struct{ endpoint string }

func (s source) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	return s.endpoint, id == "CloudWatch", nil
}

type fips struct{}

func (fips) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, true, nil
}

func TestEndpoints(t *testing.T) {
	for _, tt := range []struct {
		service     Service
		region      string
		host, signs string
	}{
		{IAM, "eu-west-1", "iam.amazonaws.com", "us-east-1"},
		{IAM, "cn-northwest-1", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{IAM, "us-gov-east-1", "iam.us-gov.amazonaws.com", "us-gov-west-1"},
		{IAM, "us-iso-west-1", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
		{IAM, "us-isob-east-1", "iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"},
		{IAM, "eusc-de-east-1", "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
		{CloudWatch, "us-gov-west-1", "monitoring.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{SSM, "cn-north-1", "ssm.cn-north-1.amazonaws.com.cn", "cn-north-1"},
	} {
		address, region, err := tt.service.endpoint(context.Background(), aws.Config{Region: tt.region})
		if err != nil || address != "https://"+tt.host || region != tt.signs {
			t.Errorf("%s in %s: %s for %s, %v", tt.service.id, tt.region, address, region, err)
		}
	}
	cfg := aws.Config{Region: "us-east-1", ConfigSources: []any{fips{}, source{"http://other"}}, BaseEndpoint: aws.String("http://base")}
	for service, want := range map[Service]string{CloudWatch: "http://other", EC2: "http://base"} {
		if got, _, err := service.endpoint(context.Background(), cfg); err != nil || got != want {
			t.Errorf("%s: %s, %v", service.id, got, err)
		}
	}
	cfg.BaseEndpoint = nil
	if got, _, err := EC2.endpoint(context.Background(), cfg); err != nil || got != "https://ec2-fips.us-east-1.amazonaws.com" {
		t.Errorf("%s, %v", got, err)
	}
}
