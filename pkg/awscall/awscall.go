// Package awscall calls AWS services of which one or two reads are wanted: by the query protocol (EC2, RDS, ElastiCache, IAM,
// CloudWatch), by JSON (Secrets Manager, Parameter Store, Logs, KMS, EventBridge, Certificate Manager, Application Auto Scaling), by REST
// with JSON (EventBridge Scheduler) and by REST with XML (Route 53), with the credentials, HTTP client and retries of an aws.Config,
// and with errors of the same types as those of the SDK's clients. The clients themselves bring hundreds of operations; EC2's alone
// takes minutes to build.
package awscall

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/internal/backoff"
)

// Service is a service and how it is spoken to.
type Service struct {
	id      string // the SDK's, as errors and AWS_ENDPOINT_URL_<ID> name it
	name    string // of the endpoint
	signing string
	version string // of the query protocol
	target  string // of the JSON protocol; "" for the query protocol
	global  bool   // one endpoint for each partition
}

// The services.
var (
	EC2            = Service{id: "EC2", name: "ec2", signing: "ec2", version: "2016-11-15"}
	IAM            = Service{id: "IAM", name: "iam", signing: "iam", version: "2010-05-08", global: true}
	CloudWatch     = Service{id: "CloudWatch", name: "monitoring", signing: "monitoring", version: "2010-08-01"}
	SecretsManager = Service{id: "Secrets Manager", name: "secretsmanager", signing: "secretsmanager", target: "secretsmanager"}
	Logs           = Service{id: "CloudWatch Logs", name: "logs", signing: "logs", target: "Logs_20140328"}
	SSM            = Service{id: "SSM", name: "ssm", signing: "ssm", target: "AmazonSSM"}
	EventBridge    = Service{id: "EventBridge", name: "events", signing: "events", target: "AWSEvents"}
	Scheduler      = Service{id: "Scheduler", name: "scheduler", signing: "scheduler"}
	RDS            = Service{id: "RDS", name: "rds", signing: "rds", version: "2014-10-31"}
	ElastiCache    = Service{id: "ElastiCache", name: "elasticache", signing: "elasticache", version: "2015-02-02"}
	KMS            = Service{id: "KMS", name: "kms", signing: "kms", target: "TrentService"}
	ACM            = Service{id: "ACM", name: "acm", signing: "acm", target: "CertificateManager"}
	AutoScaling    = Service{id: "Application Auto Scaling", name: "application-autoscaling", signing: "application-autoscaling",
		target: "AnyScaleFrontendService"}
	Route53 = Service{id: "Route 53", name: "route53", signing: "route53", version: "2013-04-01", global: true}
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 8 << 20

// Query calls an operation of the query protocol and reads the XML of its answer into out.
func Query(ctx context.Context, cfg aws.Config, service Service, operation string, parameters url.Values, out any) error {
	form := url.Values{"Action": {operation}, "Version": {service.version}}
	for name, values := range parameters {
		form[name] = values
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	return call(ctx, cfg, service, request{operation: operation, header: header, body: []byte(form.Encode())},
		func(body []byte) error { return xml.Unmarshal(body, out) })
}

// JSON calls an operation of the JSON protocol with in, and reads its answer into out.
func JSON(ctx context.Context, cfg aws.Config, service Service, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", service.id, operation, err)
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {service.target + "." + operation}}
	return call(ctx, cfg, service, request{operation: operation, header: header, body: body},
		func(answer []byte) error { return json.Unmarshal(answer, out) })
}

// REST calls an operation that is a method and a path, with in as its body (nil: without one), and reads its answer into out. The
// segments of the path are escaped by the caller.
func REST(ctx context.Context, cfg aws.Config, service Service, operation, method, path string, query url.Values, in, out any) error {
	r := request{operation: operation, method: method, path: path, header: http.Header{}}
	if len(query) > 0 {
		r.path += "?" + query.Encode()
	}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", service.id, operation, err)
		}
		r.body = body
		r.header.Set("Content-Type", "application/json")
	}
	return call(ctx, cfg, service, r, func(answer []byte) error { return json.Unmarshal(answer, out) })
}

// Get calls a reading operation of a REST service with XML by its path, below the version, and reads its answer into out.
func Get(ctx context.Context, cfg aws.Config, service Service, operation, path string, query url.Values, out any) error {
	r := request{operation: operation, method: http.MethodGet, path: "/" + service.version + "/" + path, header: http.Header{}}
	if len(query) > 0 {
		r.path += "?" + query.Encode()
	}
	return call(ctx, cfg, service, r, func(answer []byte) error { return xml.Unmarshal(answer, out) })
}

// request is one call of an operation.
type request struct {
	operation string
	method    string // empty: POST
	path      string // behind the endpoint, with its query; empty: none
	header    http.Header
	body      []byte
}

// at returns where the request goes.
func (r request) at(endpoint string) string {
	if r.path == "" {
		return endpoint
	}
	return strings.TrimSuffix(endpoint, "/") + r.path
}

// call sends the request until it is answered, as often as the configuration's retryer says.
func call(ctx context.Context, cfg aws.Config, service Service, r request, read func([]byte) error) error {
	operation := r.operation
	ctx = middleware.WithOperationName(ctx, operation) // the client's limits go by it
	endpoint, region, err := service.endpoint(ctx, cfg)
	if err != nil {
		return &smithy.OperationError{ServiceID: service.id, OperationName: operation, Err: err}
	}
	retryer := aws.Retryer(aws.NopRetryer{})
	if cfg.Retryer != nil {
		retryer = cfg.Retryer()
	}
	for attempt := 1; ; attempt++ {
		err := once(ctx, cfg, service, endpoint, region, r, read)
		if err == nil {
			return nil
		}
		failed := &smithy.OperationError{ServiceID: service.id, OperationName: operation, Err: err}
		if most := retryer.MaxAttempts(); ctx.Err() != nil || !retryer.IsErrorRetryable(err) || most > 0 && attempt >= most {
			return failed
		}
		wait, err := retryer.RetryDelay(attempt, failed.Err)
		if err != nil || backoff.Pause(ctx, wait) != nil {
			return failed
		}
	}
}

// once sends the request once.
func once(ctx context.Context, cfg aws.Config, service Service, endpoint, region string, r request, read func([]byte) error) error {
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodPost), r.at(endpoint), bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	request.Header = r.header.Clone()
	if cfg.Credentials == nil {
		return errors.New("get credentials: there are none")
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(r.body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), service.signing, region, time.Now()); err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	client := cfg.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return &smithyhttp.RequestSendError{Err: err}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &smithyhttp.RequestSendError{Err: err}
	case len(answer) > maxAnswer:
		return &smithy.DeserializationError{Err: fmt.Errorf("the answer is larger than %d bytes", maxAnswer)}
	case response.StatusCode/100 == 2:
		if err := read(answer); err != nil {
			return refused(response, &smithy.DeserializationError{Err: err, Snapshot: answer})
		}
		return nil
	}
	return refused(response, errorOf(response, answer))
}

func refused(response *http.Response, err error) error {
	return &awshttp.ResponseError{RequestID: response.Header.Get("X-Amzn-Requestid"),
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: response}, Err: err}}
}

// errorOf reads a refusal: EC2 has it in a list, the query protocol alone, and JSON in two members.
func errorOf(response *http.Response, answer []byte) error {
	var text struct {
		Listed []struct{ Code, Message string } `xml:"Errors>Error"`
		Error  struct{ Code, Message string }
	}
	var object struct {
		Type    string `json:"__type"`
		Message string
	}
	code, message := "", ""
	switch {
	case json.Unmarshal(answer, &object) == nil:
		code, message = object.Type, object.Message
		if named := response.Header.Get("X-Amzn-Errortype"); named != "" {
			code, _, _ = strings.Cut(named, ":")
		}
		code = code[strings.LastIndexByte(code, '#')+1:]
	case xml.Unmarshal(answer, &text) == nil:
		code, message = text.Error.Code, text.Error.Message
		if len(text.Listed) > 0 {
			code, message = text.Listed[0].Code, text.Listed[0].Message
		}
	}
	if code == "" {
		return &smithy.DeserializationError{Err: fmt.Errorf("HTTP status %d without an error of the service", response.StatusCode)}
	}
	return &smithy.GenericAPIError{Code: code, Message: message}
}

// endpoint returns where the service is, and the region that its requests are signed for.
func (s Service) endpoint(ctx context.Context, cfg aws.Config) (address, region string, err error) {
	region = cfg.Region
	if s.global {
		region = globalRegion(cfg.Region)
	}
	for _, source := range cfg.ConfigSources {
		overrides, ok := source.(interface {
			GetServiceBaseEndpoint(context.Context, string) (string, bool, error)
		})
		if !ok {
			continue
		}
		if address, found, err := overrides.GetServiceBaseEndpoint(ctx, s.id); err != nil || found {
			return address, region, err
		}
	}
	if cfg.BaseEndpoint != nil {
		return *cfg.BaseEndpoint, region, nil
	}
	name := s.name
	for _, source := range cfg.ConfigSources {
		if fips, ok := source.(interface {
			GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error)
		}); ok {
			if state, found, err := fips.GetUseFIPSEndpoint(ctx); err == nil && found && state == aws.FIPSEndpointStateEnabled {
				name += "-fips"
				break
			}
		}
	}
	return "https://" + s.host(name, region), region, nil
}

// host returns the name of the service's host in a region. IAM's has no region in AWS's first partition and in GovCloud.
func (s Service) host(name, region string) string {
	suffix := "amazonaws.com"
	for _, partition := range []struct{ prefix, suffix string }{
		{"cn-", "amazonaws.com.cn"}, {"us-iso-", "c2s.ic.gov"}, {"us-isob-", "sc2s.sgov.gov"}, {"eusc-", "amazonaws.eu"},
	} {
		if strings.HasPrefix(region, partition.prefix) {
			suffix = partition.suffix
		}
	}
	switch {
	case s.global && region == "us-east-1":
		return name + "." + suffix
	case s.global && region == "us-gov-west-1":
		return name + ".us-gov." + suffix
	}
	return name + "." + region + "." + suffix
}

// globalRegion returns the region that IAM is in, for the partition of a region.
func globalRegion(region string) string {
	for _, partition := range []struct{ prefix, home string }{
		{"cn-", "cn-north-1"}, {"us-gov-", "us-gov-west-1"}, {"us-iso-", "us-iso-east-1"}, {"us-isob-", "us-isob-east-1"},
		{"eusc-", "eusc-de-east-1"},
	} {
		if strings.HasPrefix(region, partition.prefix) {
			return partition.home
		}
	}
	return "us-east-1"
}
