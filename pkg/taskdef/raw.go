package taskdef

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// sendRaw makes a call send this body instead of the one that the SDK wrote from its typed input. It is put right behind
// the SDK's own serialiser, so retries, endpoint rules and signing work on the replaced body.
func sendRaw(body []byte) func(*ecs.Options) {
	replace := middleware.SerializeMiddlewareFunc("ReplaceBodyByDocument", func(
		ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
	) (middleware.SerializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.SerializeOutput{}, middleware.Metadata{},
				fmt.Errorf("unexpected transport type %T", in.Request)
		}
		replaced, err := request.SetStream(bytes.NewReader(body))
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, err
		}
		in.Request = replaced
		return next.HandleSerialize(ctx, in)
	})
	return ecs.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Serialize.Insert(replace, "OperationSerializer", middleware.After)
	})
}

// keepRaw makes a call copy the body of its last successful answer to where, before the SDK reads it. A body that the
// SDK's own model cannot read is not an error then: the copy is what counts.
func keepRaw(where *[]byte) func(*ecs.Options) {
	keep := middleware.DeserializeMiddlewareFunc("KeepAnswerAsDocument", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || response.StatusCode != 200 {
			return out, metadata, err
		}
		body, err := io.ReadAll(response.Body)
		if closeErr := response.Body.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return out, metadata, &smithy.DeserializationError{Err: fmt.Errorf("reading the answer: %w", err)}
		}
		*where = body
		response.Body = io.NopCloser(bytes.NewReader(body))
		return out, metadata, nil
	})
	tolerate := middleware.DeserializeMiddlewareFunc("TolerateUnknownModel", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		var unreadable *smithy.DeserializationError
		if *where != nil && out.Result != nil && errors.As(err, &unreadable) {
			return out, metadata, nil
		}
		return out, metadata, err
	})
	return ecs.WithAPIOptions(func(stack *middleware.Stack) error {
		if err := stack.Deserialize.Insert(keep, "OperationDeserializer", middleware.After); err != nil {
			return err
		}
		return stack.Deserialize.Insert(tolerate, "OperationDeserializer", middleware.Before)
	})
}
