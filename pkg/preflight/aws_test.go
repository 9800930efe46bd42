package preflight

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

type answers func(body string) string

func (a answers) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body: io.NopCloser(strings.NewReader(a(string(body)))), Request: r}, nil
}

func reads(answer func(body string) string) Reads {
	return AWS(aws.Config{Region: "eu-west-1", HTTPClient: answers(answer), Credentials: aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"}, nil
		})}, nil)
}

// TestPages reads lists to their end: an empty page is not the last one, and proves nothing.
func TestPages(t *testing.T) {
	read := reads(func(body string) string {
		switch {
		case strings.Contains(body, `"NextToken":"second"`):
			return `{"Parameters":[{"Name":"/api/url"}]}`
		case strings.Contains(body, `"nextToken":"second"`):
			return `{"logGroups":[{"logGroupName":"/ecs/api"}],"nextToken":"third"}`
		case strings.Contains(body, "third"):
			t.Error("a group that is found is looked for further")
		}
		return `{"Parameters":[],"NextToken":"second","logGroups":[{"logGroupName":"/ecs/api-2"}],"nextToken":"second"}`
	})
	found, err := read.Parameters(t.Context(), "eu-west-1", []string{"/api/url"})
	if err != nil || fmt.Sprint(found) != "[/api/url]" {
		t.Errorf("parameters: %q, %v", found, err)
	}
	found, err = read.LogGroups(t.Context(), "eu-west-1", "/ecs/api")
	if err != nil || fmt.Sprint(found) != "[/ecs/api-2 /ecs/api]" {
		t.Errorf("log groups: %q, %v", found, err)
	}
}

// TestPagesWithoutEnd is not checked: nothing is concluded from a list that was not read to its end.
func TestPagesWithoutEnd(t *testing.T) {
	read := reads(func(string) string { return `{"NextToken":"more","nextToken":"more"}` })
	found, err := read.Parameters(t.Context(), "eu-west-1", []string{"/api/url"})
	if check := parameterCheck(parameter{names: []string{"/api/url"}}, found, err); check.State != NotChecked {
		t.Errorf("%+v", check)
	}
	found, err = read.LogGroups(t.Context(), "eu-west-1", "/ecs/api")
	if check := groupCheck(group{name: "/ecs/api"}, found, err, nil); check.State != NotChecked {
		t.Errorf("%+v", check)
	}
}
