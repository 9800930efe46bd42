package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/backoff"
)

// How often a registry request is tried, and the waits between two tries.
const maxAttempts = 7

var waits = backoff.Policy{First: 500 * time.Millisecond, Most: 20 * time.Second}

// RegistryError is a registry's refusal.
type RegistryError struct {
	Method, URL string
	Status      int
	Code        string // of the first error in the body: "MANIFEST_UNKNOWN", …; may be empty
	Message     string // the registry's words; may be empty, as after every HEAD
	Permission  string // the IAM action behind the request, for ECR

	wait  time.Duration // what Retry-After asked for
	token string        // the credentials that were sent, to know whether newer ones were tried
}

// Error says what was asked, what came back and, for a refusal by ECR, which permission it takes.
func (e *RegistryError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d %s", e.Method, e.URL, e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		fmt.Fprintf(&b, ", %s", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Status == http.StatusForbidden && e.Permission != "" {
		fmt.Fprintf(&b, " (this takes the permission %s on the repository", e.Permission)
		if e.Permission == "ecr:PutImage" {
			b.WriteString("; ECR also answers 403 when the repository's image quota is reached")
		}
		b.WriteString(")")
	}
	return b.String()
}

// expired says whether ECR refused the token for its age, which it tells with the status of a missing permission.
func (e *RegistryError) expired() bool {
	return e.Status == http.StatusForbidden && strings.Contains(e.Message, "token has expired")
}

// Passing says whether the refusal is one of the moment, so that another try may end otherwise.
func (e *RegistryError) Passing() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return e.expired()
}

// aboutToken says whether a new token may help: not where ECR names the permission that is missing. To a HEAD it says nothing.
func (e *RegistryError) aboutToken() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden && !strings.Contains(e.Message, "not authorized to perform")
}

func newRegistryError(r *Repository, method, address string, res *http.Response) *RegistryError {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 16<<10))
	e := &RegistryError{Method: method, URL: withoutQuery(address), Status: res.StatusCode}
	var parsed struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(body, &parsed) == nil && len(parsed.Errors) > 0 {
		e.Code, e.Message = parsed.Errors[0].Code, parsed.Errors[0].Message
	} else if !strings.Contains(res.Header.Get("Content-Type"), "html") {
		e.Message = strings.TrimSpace(string(body))
	}
	if r.ECR && !e.expired() {
		e.Permission = ecrPermission(method, address)
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.wait = min(time.Duration(seconds)*time.Second, time.Minute)
	}
	return e
}

// ecrPermission maps a registry request to the API action that ECR authorizes it as
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html).
func ecrPermission(method, address string) string {
	switch {
	case strings.Contains(address, "/blobs/uploads/"):
		switch method {
		case http.MethodPost:
			return "ecr:InitiateLayerUpload"
		case http.MethodPut:
			return "ecr:CompleteLayerUpload"
		default:
			return "ecr:UploadLayerPart"
		}
	case strings.Contains(address, "/blobs/") && method == http.MethodHead:
		return "ecr:BatchCheckLayerAvailability"
	case strings.Contains(address, "/blobs/"):
		return "ecr:GetDownloadUrlForLayer"
	case method == http.MethodPut:
		return "ecr:PutImage"
	default:
		return "ecr:BatchGetImage"
	}
}

// withoutQuery keeps upload states and signatures out of messages.
func withoutQuery(address string) string {
	if u, err := url.Parse(address); err == nil {
		u.RawQuery, u.User = "", nil
		return u.String()
	}
	return address
}

// notFound says whether the registry answered that there is no such repository, manifest or blob.
func notFound(err error) bool {
	var refusal *RegistryError
	return errors.As(err, &refusal) && refusal.Status == http.StatusNotFound
}

// denied says whether the registry refused for lack of permission.
func denied(err error) bool {
	var refusal *RegistryError
	return errors.As(err, &refusal) && (refusal.Status == http.StatusForbidden || refusal.Status == http.StatusUnauthorized)
}

// throttled says whether the registry refused a request for coming too soon.
func throttled(err error) bool {
	var refusal *RegistryError
	return errors.As(err, &refusal) && refusal.Status == http.StatusTooManyRequests
}

// fatal marks an error that trying again does not help.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

func fatalf(format string, args ...any) error { return fatal{fmt.Errorf(format, args...)} }

// retry calls try until it succeeds, fails for good, or has failed maxAttempts times. A refusal that may be about the token is
// answered with a new one at once.
func (r *Repository) retry(ctx context.Context, what string, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		var refusal *RegistryError
		if r.token != nil && errors.As(err, &refusal) && refusal.aboutToken() && r.token.renew(ctx, refusal.token) {
			r.observe(Event{Kind: Retried, Text: what + " with a new token", Err: err})
			continue
		}
		if errors.Is(err, errSentAgain) && attempt < maxAttempts { // there is a new token by now
			r.observe(Event{Kind: Retried, Text: what + " with a new token", Err: err})
			continue
		}
		pause, again := after(err, attempt)
		if !again {
			var stop fatal
			if errors.As(err, &stop) {
				err = stop.error
			}
			if attempt > 1 {
				return fmt.Errorf("%s, tried %d times: %w", what, attempt, err)
			}
			return fmt.Errorf("%s: %w", what, err)
		}
		r.observe(Event{Kind: Retried, Text: what, Err: err, Took: pause})
		if err := backoff.Pause(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// after decides whether a request that failed is tried again, and when.
func after(err error, attempt int) (pause time.Duration, again bool) {
	wait := waits.Wait(attempt)
	var stop fatal
	var refusal *RegistryError
	var dns *net.DNSError
	var dial *net.OpError
	switch {
	case errors.As(err, &stop), attempt >= maxAttempts:
		return 0, false
	case errors.As(err, &refusal) && refusal.Passing():
		return max(wait, refusal.wait), true
	case errors.As(err, &refusal):
		return 0, false
	case errors.As(err, &dns) && dns.IsNotFound:
		return 0, false
	case errors.As(err, &dial) && dial.Op == "dial" && attempt >= 3: // nobody listens: a wrong host is more likely than a bad moment
		return 0, false
	default:
		return wait, true
	}
}
