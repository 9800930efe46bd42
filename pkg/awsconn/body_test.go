package awsconn

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/action/actiontest"
)

// keeping is a transport that looks at the body once more after it has answered, as net/http's may.
type keeping struct {
	body io.ReadCloser
	sent string
}

func (k *keeping) RoundTrip(request *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(request.Body)
	k.body, k.sent = request.Body, string(text)
	if err != nil {
		return nil, err
	}
	return response(200, "{}"), nil
}

// A body that has an error at its end would have net/http close the connection in the middle of the answer.
func TestBodyOutlivesTheAnswer(t *testing.T) {
	transport := &keeping{}
	env, _ := actiontest.NewTestEnv(t, map[string]string{"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY": staticCanary})
	env.Transport = transport
	cfg, err := loadConfig(t.Context(), env, Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ecs.NewFromConfig(cfg).UpdateService(t.Context(), &ecs.UpdateServiceInput{Service: aws.String("api")}); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, transport.body); n != 0 || err != nil || transport.sent != `{"service":"api"}` {
		t.Errorf("sent %s; then %d more bytes and %v, want none", transport.sent, n, err)
	}
}

// A large body is handed on as it is.
func TestLargeBodyIsStreamed(t *testing.T) {
	body := http.NoBody
	request := &http.Request{Method: http.MethodPut, Body: body, ContentLength: wholeBodyLimit + 1}
	var got io.ReadCloser
	client := wholeBodies{clientFunc(func(r *http.Request) (*http.Response, error) {
		got = r.Body
		return response(200, ""), nil
	})}
	if _, err := client.Do(request); err != nil || got != io.ReadCloser(body) {
		t.Errorf("%T, %v", got, err)
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
