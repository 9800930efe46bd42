package rotation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Serve answers invocations of a Lambda function until ctx ends or the runtime API fails. host is AWS_LAMBDA_RUNTIME_API.
// The API is four plain HTTP calls (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), so no library is needed.
// A margin before the deadline is kept for saying how the work ended.
func Serve(ctx context.Context, client *http.Client, host string, handle func(context.Context, Event) error) error {
	base := "http://" + host + "/2018-06-01/runtime/invocation/"
	for ctx.Err() == nil {
		if err := serveOne(ctx, client, base, handle); err != nil {
			return err
		}
	}
	return ctx.Err()
}

const margin = 5 * time.Second

func serveOne(ctx context.Context, client *http.Client, base string, handle func(context.Context, Event) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"next", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask for the next invocation: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the invocation: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for the next invocation: HTTP status %s", response.Status)
	}
	id := response.Header.Get("Lambda-Runtime-Aws-Request-Id")

	work, cancel := ctx, context.CancelFunc(func() {})
	if ms, err := strconv.ParseInt(response.Header.Get("Lambda-Runtime-Deadline-Ms"), 10, 64); err == nil {
		work, cancel = context.WithDeadline(ctx, time.UnixMilli(ms).Add(-margin))
	}
	defer cancel()

	var event Event
	failure := json.Unmarshal(body, &event)
	if failure == nil {
		failure = handle(work, event)
	}
	path, answer := id+"/response", []byte("null")
	if failure != nil {
		path = id + "/error"
		if answer, err = json.Marshal(map[string]string{"errorType": "RotationFailed", "errorMessage": failure.Error()}); err != nil {
			return err
		}
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(answer))
	if err != nil {
		return err
	}
	done, err := client.Do(post)
	if err != nil {
		return fmt.Errorf("answer invocation %s: %w", id, err)
	}
	defer done.Body.Close()
	if done.StatusCode/100 != 2 {
		return fmt.Errorf("answer invocation %s: HTTP status %s", id, done.Status)
	}
	return nil
}
