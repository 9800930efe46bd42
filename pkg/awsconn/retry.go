package awsconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/internal/bounded"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/clock"
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
func newRetryer(c clock.Clock) aws.Retryer {
	return &retryer{throttled: throttleAttempts, RetryerV2: retry.NewStandard(func(o *retry.StandardOptions) {
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
	throttled int // how often a call that is throttled is sent
}

// MaxAttempts returns how often a call is sent at most.
func (r *retryer) MaxAttempts() int { return r.throttled }

// Patient returns the configuration for clients whose calls are sent again for about as long as this while AWS throttles them: a
// throttled call has changed nothing, and a run that was given half an hour need not fail because a hundred others began with it.
func Patient(cfg aws.Config, limit time.Duration) aws.Config {
	const usual = maxRetryDelay / 2 // what one wait takes on average, from the fifth on
	patient := cfg.Copy()
	patient.Retryer = func() aws.Retryer {
		made := cfg.Retryer()
		if own, ok := made.(*retryer); ok {
			own.throttled = max(throttleAttempts, int(limit/usual))
		}
		return made
	}
	return patient
}

// RetryDelay returns how long to wait after the n-th attempt failed, or an error to give up.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	var silent *bounded.TimeoutError
	if (attempt >= transientAttempts && !isThrottle(err)) || identityIsFinal(err) || attempt >= silentAttempts && errors.As(err, &silent) {
		return 0, &retry.MaxAttemptsError{Attempt: attempt, Err: err}
	}
	return r.RetryerV2.RetryDelay(attempt, err)
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
