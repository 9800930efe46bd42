package awsconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/internal/bounded"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
	"github.com/org/connect2/v2/pkg/record"
)

// delays are the SDK's own waits, by the random numbers of a clock.
type delays struct{ clock clock.Clock }

// BackoffDelay returns how long to wait after the n-th attempt failed.
func (d delays) BackoffDelay(attempt int, err error) (time.Duration, error) {
	base := baseRetryDelay
	if isThrottle(err) {
		base = throttleRetryDelay
	}
	most := maxRetryDelay
	if doublings := max(attempt-1, 0); doublings < 20 {
		most = min(base<<doublings, maxRetryDelay)
	}
	return time.Duration(clock.Random(d.clock) * float64(most)), nil
}

// How often one call is sent, the first time included. Throttling is waited out for longer than anything else: the buckets
// of ECS refill at 1 to 20 a second, and a rollout that is watched for minutes must not die of somebody else's burst. The delays are
// those of the SDK: 1 s × 2ⁿ for throttling and 250 ms × 2ⁿ for the rest, each times a random factor of 0 to 1, and the
// x-amz-retry-after header overrules them.
const (
	throttleAttempts   = 10
	transientAttempts  = 6
	silentAttempts     = 3                // not answered in time: all of them together must leave time to act
	maxRetryDelay      = 10 * time.Second // so ten throttled attempts take 65 s at most, 33 s on average
	baseRetryDelay     = 250 * time.Millisecond
	throttleRetryDelay = time.Second
)

// newRetryer returns the retry policy of one service client. The waits are spread by the clock's random numbers.
func newRetryer(c clock.Clock, events record.Sink) aws.Retryer {
	return &retryer{events: events, RetryerV2: retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = delays{c}
		o.RateLimiter = ratelimit.None // the attempts are counted here: a bucket of the client's own would end them early
		// The SDK takes LimitExceededException for throttling. ECS, ECR and Logs mean a quota by it, which no retry lifts.
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(quotaIsFinal), retry.IsErrorRetryableFunc(crowded)},
			o.Retryables...)
	})}
}

// retryer is the standard one with fewer attempts for everything but throttling.
type retryer struct {
	aws.RetryerV2
	events   record.Sink
	patience *patience // beyond the usual attempts of a call that is throttled; nil: none
}

// usualPatience is that of a run to which nobody gave a time: what a deployment gets.
const usualPatience = 30 * time.Minute

// Patient returns the configuration for clients that send throttled calls again until they have waited for about as long as this in
// all; 0 is half an hour. A throttled call has changed nothing, and a run that was given half an hour need not fail because a hundred
// others began with it. That it waits is told once.
func Patient(cfg aws.Config, limit time.Duration) aws.Config {
	if limit <= 0 {
		limit = usualPatience
	}
	shared := &patience{left: limit}
	patient := cfg.Copy()
	patient.Retryer = func() aws.Retryer {
		made := cfg.Retryer()
		if own, ok := made.(*retryer); ok {
			own.patience = shared
		}
		return made
	}
	return patient
}

// patience is the time that clients may wait for throttled calls, all of them together.
type patience struct {
	mu   sync.Mutex
	left time.Duration
	told bool
}

// tellThrottled is the attempt after which it is told that throttling is waited for: some seconds have passed by then.
const tellThrottled = 5

// lasts reports whether any time is left.
func (p *patience) lasts() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left > 0
}

// take takes the wait after the n-th attempt from the time that is left, and tells once that it is waited for.
func (p *patience) take(attempt int, wait time.Duration, events record.Sink) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if attempt >= tellThrottled && p.left > 0 && !p.told {
		p.told = true
		events.Notef("AWS answers that too many calls are made in this account and region: asking again, for up to %s", clock.Took(p.left))
	}
	p.left -= wait
}

// MaxAttempts returns that there is no such number: RetryDelay ends the attempts.
func (r *retryer) MaxAttempts() int { return 0 }

// RetryDelay returns how long to wait after the n-th attempt failed, or an error to give up.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if r.last(attempt, err) {
		return 0, &retry.MaxAttemptsError{Attempt: attempt, Err: err}
	}
	wait, delayErr := r.RetryerV2.RetryDelay(attempt, err)
	if isThrottle(err) {
		r.patience.take(attempt, wait, r.events)
	}
	return wait, delayErr
}

// last reports whether the n-th attempt, which failed, was the last.
func (r *retryer) last(attempt int, err error) bool {
	var silent *bounded.TimeoutError
	switch {
	case isThrottle(err):
		return attempt >= throttleAttempts && !r.patience.lasts()
	case identityIsFinal(err):
		return true
	case errors.As(err, &silent):
		return attempt >= silentAttempts
	}
	return attempt >= transientAttempts
}

func isThrottle(err error) bool {
	return crowded(err) == aws.TrueTernary || retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}

// crowded finds the refusal that ECS words as a fault of the client, though it passes as throttling does: of several revisions of one
// family that are registered at the same moment it takes one.
func crowded(err error) aws.Ternary {
	if awserr.IsCrowded(err) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

func quotaIsFinal(err error) aws.Ternary {
	var api smithy.APIError
	if errors.As(err, &api) && awserr.IsQuotaCode(api.ErrorCode()) && !strings.Contains(api.ErrorMessage(), "Rate exceeded") {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// identityIsFinal finds the refusals that share a code with a passing fault: the SDK's web identity provider retries
// InvalidIdentityToken, but only a provider whose keys cannot be fetched just now is worth it.
func identityIsFinal(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "InvalidIdentityToken" &&
		!strings.Contains(api.ErrorMessage(), "Couldn't retrieve verification key")
}

// transientWaits are those between the tries of what the SDK's clients do not retry.
var transientWaits = backoff.Policy{First: baseRetryDelay, Most: maxRetryDelay}

// transient runs try until it succeeds, fails for good, or has failed transientAttempts times. It waits 250 ms, 500 ms, 1 s … in
// between, less up to half at random.
func transient(ctx context.Context, try func() (again bool, err error)) error {
	for attempt := 1; ; attempt++ {
		again, err := try()
		if err == nil || !again || attempt == transientAttempts || ctx.Err() != nil {
			return err
		}
		if backoff.Pause(ctx, transientWaits.Wait(attempt)) != nil {
			return &aws.RequestCanceledError{Err: fmt.Errorf("%w, while retrying after: %w", ctx.Err(), err)}
		}
	}
}
