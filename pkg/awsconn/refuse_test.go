package awsconn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/record"
)

func TestRefuse(t *testing.T) {
	plain, other := errors.New("image: there is none"), errors.New("service: there is none")
	throttled := fmt.Errorf("reading: %w", &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"})
	own := &action.Error{Outcome: action.Invalid, Title: "Its own title", Err: plain}
	for name, test := range map[string]struct {
		problems []error
		title    string
		err      string
	}{
		"one":                   {[]error{nil, plain}, "Not started", "image: there is none"},
		"several":               {[]error{plain, other}, "Not started", "image: there is none\nservice: there is none"},
		"one of AWS":            {[]error{throttled}, "AWS throttles the calls", ""},
		"one of AWS and others": {[]error{throttled, plain}, "Not started", ""},
		"one that has a title":  {[]error{own}, "Its own title", "image: there is none"},
		"a failure":             {[]error{&record.Failure{Title: "Its title", Err: plain}}, "Its title", "image: there is none"},
		"one without a title":   {[]error{&record.Failure{Err: plain}}, "Not started", "image: there is none"},
		"one of AWS in it":      {[]error{&record.Failure{Err: throttled}}, "AWS throttles the calls", ""},
	} {
		err := awsconn.Refuse(t.Context(), "Not started", test.problems...)
		var failure *action.Error
		if !errors.As(err, &failure) || failure.Title != test.title || failure.Outcome != action.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if test.err != "" && failure.Err.Error() != test.err {
			t.Errorf("%s: %q, want %q", name, failure.Err, test.err)
		}
	}
	if err := awsconn.Refuse(t.Context(), "Not started", nil, nil); err != nil {
		t.Errorf("no problem: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := awsconn.Refuse(ended, "Not started", plain); action.OutcomeOf(err) != action.Cancelled {
		t.Errorf("of a cancelled run: %v", err)
	}
}
