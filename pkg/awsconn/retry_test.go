package awsconn

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/action/actiontest"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

type answerer func(n int) (*http.Response, error)

type counting struct {
	n      int
	answer answerer
}

func (c *counting) RoundTrip(*http.Request) (*http.Response, error) { c.n++; return c.answer(c.n) }

func jsonError(status int, code, message string) answerer {
	return func(int) (*http.Response, error) {
		return response(status, fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)), nil
	}
}

// What is retried, how often, and for how long at most.
func TestRetries(t *testing.T) {
	after := func(n int, a answerer) answerer {
		return func(i int) (*http.Response, error) {
			if i > n {
				return response(200, "{}"), nil
			}
			return a(i)
		}
	}
	throttled, internal := jsonError(400, "ThrottlingException", "Rate exceeded"), jsonError(500, "ServerException", "x")
	reset := func(int) (*http.Response, error) { return nil, syscall.ECONNRESET }
	retryAfter := func(int) (*http.Response, error) {
		r, err := throttled(0)
		r.Header.Set("x-amz-retry-after", "4000") // milliseconds
		return r, err
	}
	tests := []struct {
		name     string
		answer   answerer
		attempts int
		kind     awserr.Kind
		atLeast  time.Duration
		atMost   time.Duration
	}{
		{"throttling is waited out", after(8, throttled), 9, "", time.Second, 60 * time.Second},
		{"throttling without end", throttled, throttleAttempts, awserr.KindThrottled, time.Second, 66 * time.Second},
		{"the service says when", after(1, retryAfter), 2, "", 4 * time.Second, 7 * time.Second},
		{"failures pass", after(3, internal), 4, "", 0, 2 * time.Second},
		{"failures without end", internal, transientAttempts, awserr.KindLost, 0, 8 * time.Second},
		{"connections reset", after(3, reset), 4, "", 0, 2 * time.Second},
		{"connections reset without end", reset, transientAttempts, awserr.KindLost, 0, 8 * time.Second},
		{"429 without a code", after(1, func(int) (*http.Response, error) { return response(429, "{}"), nil }), 2, "", 0, 2 * time.Second},
		{"a quota is final", jsonError(400, "LimitExceededException", "The quota is exceeded."), 1, awserr.KindQuota, 0, 0},
		{"a denial is final", jsonError(400, "AccessDeniedException", awserrtest.Denied), 1, awserr.KindDenied, 0, 0},
		{"bad input is final", jsonError(400, "InvalidParameterException", "x"), 1, "", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := &counting{answer: tt.answer}
				env, _ := actiontest.NewTestEnv(t, map[string]string{"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
					"AWS_SECRET_ACCESS_KEY": staticCanary})
				env.Transport = transport
				cfg, err := loadConfig(t.Context(), env, Inputs{})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err = ecs.NewFromConfig(cfg).ListClusters(t.Context(), &ecs.ListClustersInput{})
				took := time.Since(start)
				if transport.n != tt.attempts {
					t.Errorf("%d attempts, want %d: %v", transport.n, tt.attempts, err)
				}
				if got := awserr.KindOf(err); got != tt.kind {
					t.Errorf("kind %q, want %q: %v", got, tt.kind, err)
				}
				if took < tt.atLeast || took > tt.atMost {
					t.Errorf("took %s, want %s to %s", took, tt.atLeast, tt.atMost)
				}
			})
		})
	}
}

func TestTransient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, start := 0, time.Now()
		fault := errors.New("again")
		if err := transient(t.Context(), func() (bool, error) { tries++; return true, fault }); !errors.Is(err, fault) {
			t.Error(err)
		}
		// 250 ms, 500 ms, 1 s, 2 s, 4 s, each between its half and its whole.
		if took := time.Since(start); tries != transientAttempts || took < 3875*time.Millisecond || took > 7750*time.Millisecond {
			t.Errorf("%d tries in %s", tries, took)
		}
	})
}
