package awsconn

import (
	"net/http"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"

	"github.com/org/connect2/v2/internal/bounded"
)

// What one attempt of a call may take. AWS answers within a second or two. A read that is not answered is repeated soon: it is
// what a rollout is watched by. A call that changes something is given longer, since it may have had its effect.
const (
	silenceOfRead   = 10 * time.Second
	wholeOfRead     = 30 * time.Second
	silenceOfChange = 25 * time.Second
	wholeOfChange   = 60 * time.Second
)

// How large an answer may be. The largest of those that are asked for is a page of a log: 10,000 lines, 1 MiB, which JSON makes
// six times as much if every byte of it is escaped.
const (
	maxAnswer  = 8 << 20
	maxObjects = 60_000
	maxValues  = 400_000
)

// limitsOf returns the limits of one attempt of a call.
func limitsOf(r *http.Request) bounded.Limits {
	limits := bounded.Limits{Silence: silenceOfChange, Whole: wholeOfChange, Size: maxAnswer, Objects: maxObjects, Values: maxValues}
	if isRead(awsmiddleware.GetOperationName(r.Context())) {
		limits.Silence, limits.Whole = silenceOfRead, wholeOfRead
	}
	return limits
}

// isRead reports whether an operation changes nothing, by its name.
func isRead(operation string) bool {
	for _, verb := range []string{"Describe", "List", "Get", "BatchGet", "BatchCheck", "Head", "Simulate", "AssumeRole"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}
