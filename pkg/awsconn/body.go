package awsconn

import (
	"bytes"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// wholeBodyLimit bounds the bodies that are held in memory once more, in bytes. Calls that change something are far below it.
const wholeBodyLimit = 1 << 20

// wholeBodies hands the body of a request on as bytes in memory.
//
// The SDK closes its own body as soon as the answer's header is there. net/http may still look for the body's end at that time,
// on a busy machine, and a closed one tells it the error EOF (smithy-go 1.28, transport/http/internal/io/safe.go, WriteTo). It
// then closes the connection while the answer is being read, and the SDK repeats a call that had succeeded: of 150 deployments on
// two busy cores, one updated its service twice.
type wholeBodies struct{ aws.HTTPClient }

func (c wholeBodies) Do(request *http.Request) (*http.Response, error) {
	if request.Body == nil || request.ContentLength <= 0 || request.ContentLength > wholeBodyLimit {
		return c.HTTPClient.Do(request)
	}
	text, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	_ = request.Body.Close() // what it held has been read
	request.Body = io.NopCloser(bytes.NewReader(text))
	return c.HTTPClient.Do(request)
}
