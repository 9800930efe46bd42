package rotation

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
)

// Serve answers invocations of a Lambda function. It does not return: the process ends with an error when the runtime API fails
// or is not there (AWS_LAMBDA_RUNTIME_API). ctx is the parent of each invocation's context.
func Serve(ctx context.Context, handle func(context.Context, Event) error) {
	lambda.StartWithOptions(handler(handle), lambda.WithContext(ctx))
}

// margin is kept before Lambda's deadline for saying how the work ended.
const margin = 5 * time.Second

// handler is handle with the margin, and with one type for every error that it returns.
func handler(handle func(context.Context, Event) error) func(context.Context, Event) error {
	return func(ctx context.Context, event Event) error {
		if deadline, ok := ctx.Deadline(); ok {
			earlier, cancel := context.WithDeadline(ctx, deadline.Add(-margin))
			defer cancel()
			ctx = earlier
		}
		if err := handle(ctx, event); err != nil {
			return messages.InvokeResponse_Error{Type: "RotationFailed", Message: err.Error()}
		}
		return nil
	}
}
