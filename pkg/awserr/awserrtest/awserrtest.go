// Package awserrtest makes errors as the clients of AWS's SDK return them, for tests.
package awserrtest

import (
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// What AWS says, in its own words.
const (
	SessionARN  = "arn:aws:sts::123456789012:assumed-role/deploy/run-1"
	ServiceARN  = "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-dev/connect2-api-service-dev"
	Denied      = "User: " + SessionARN + " is not authorized to perform: ecs:UpdateService on resource: " + ServiceARN
	ExpiredText = "The security token included in the request is expired"
)

// Answered makes the error that a client returns for an answer of the service with this HTTP status; 0 stands for no answer.
func Answered(service, operation string, status int, err error) error {
	return &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &awshttp.ResponseError{RequestID: "r-123",
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err}}}
}

// API makes the error of an answer with this code and message.
func API(code, message string) error { return &smithy.GenericAPIError{Code: code, Message: message} }
