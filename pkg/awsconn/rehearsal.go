package awsconn

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
)

// speedHeader is the header by which a sandbox tells how many times faster than the wall clock its world runs. AWS sends none.
const speedHeader = "X-Connect2-Sandbox-Speed"

// rehearse has the run's clock go by what a sandbox tells in its answers. Where the calls go to AWS itself, nothing is listened to: no
// answer can change how a real run waits.
func rehearse(env *action.Env, client aws.HTTPClient) aws.HTTPClient {
	rehearsal, ok := env.Time.(*clock.Rehearsal)
	if !ok || env.Var("AWS_ENDPOINT_URL") == "" || strings.Contains(env.Var("AWS_ENDPOINT_URL"), ".amazonaws.com") {
		return client
	}
	return listener{client, rehearsal}
}

type listener struct {
	client    aws.HTTPClient
	rehearsal *clock.Rehearsal
}

// Do sends a request and looks at its answer's headers.
func (l listener) Do(request *http.Request) (*http.Response, error) {
	response, err := l.client.Do(request)
	if err == nil {
		if speed, bad := strconv.ParseFloat(response.Header.Get(speedHeader), 64); bad == nil && speed <= 1e6 {
			l.rehearsal.Run(speed)
		}
	}
	return response, err
}
