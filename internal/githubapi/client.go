// Package githubapi is the way to GitHub's REST API: go-github's client, which asks again where that may help, waits no longer than is
// of use, and reads no answer without an end.
package githubapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/internal/bounded"
)

// New returns a client for the API at base, such as https://api.github.com or https://ghe.example/api/v3. A nil transport is the
// default one. The error is about base.
func New(base, token string, transport http.RoundTripper) (*github.Client, error) {
	base = strings.TrimRight(base, "/") + "/"
	return github.NewClient(github.WithHTTPClient(patientClient(transport)), github.WithAuthToken(token), github.WithURLs(&base, nil))
}

// Tries is how often a request to GitHub is tried.
const Tries = 4

// waits are those between two tries.
var waits = backoff.Policy{First: time.Second, Most: 20 * time.Second}

// longestWait is what a wait that GitHub asks for may last; beyond it the refusal is told.
const longestWait = time.Minute

// patientClient returns a client that repeats what may pass. Over transport, nil for the default one.
func patientClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{Transport: either{&retryablehttp.RoundTripper{Client: &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: bounded.NewTransport(transport, limits)},
		RetryMax:     Tries - 1,
		CheckRetry:   repeatable,
		Backoff:      pause,
		ErrorHandler: retryablehttp.PassthroughErrorHandler, // the last answer is the one to tell
	}}}}
}

// either gives an answer or an error, as a RoundTripper must: net/http logs one that gives both.
type either struct{ http.RoundTripper }

func (e either) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := e.RoundTripper.RoundTrip(r)
	if err != nil && response != nil {
		response.Body.Close()
		response = nil
	}
	return response, err
}

// limits are those of one request: more than the largest page of comments, and longer than any takes.
var limits = bounded.Limits{Silence: 20 * time.Second, Whole: time.Minute, Size: 32 << 20, Objects: 100_000, Values: 1_000_000}

// repeatable says whether a request is worth another try. One that makes something is repeated only where GitHub says that it
// has not been looked at: what was made without an answer would be made twice.
func repeatable(ctx context.Context, response *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if response != nil && err == nil && response.Header.Get("Retry-After") != "" {
		if response.StatusCode == http.StatusForbidden || response.StatusCode == http.StatusTooManyRequests {
			return askedWait(response) <= longestWait, nil
		}
	}
	var failed *url.Error
	if response != nil && response.Request.Method == http.MethodPost || errors.As(err, &failed) && failed.Op == "Post" {
		return false, nil
	}
	return retryablehttp.DefaultRetryPolicy(ctx, response, err)
}

func pause(_, _ time.Duration, attempt int, response *http.Response) time.Duration {
	return max(waits.Wait(attempt+1), min(askedWait(response), longestWait))
}

// askedWait is what an answer's Retry-After asks for.
func askedWait(response *http.Response) time.Duration {
	if response == nil {
		return 0
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(max(seconds, 0)) * time.Second
}

// All reads every page of a list. most is how many entries GitHub gives at most in a page of it.
func All[T any](most int, read func(github.ListOptions) ([]T, *github.Response, error)) ([]T, error) {
	var found []T
	for page := 1; ; page++ {
		some, _, err := read(github.ListOptions{Page: page, PerPage: most})
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
		if len(some) < most {
			return found, nil
		}
	}
}
