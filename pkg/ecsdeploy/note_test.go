package ecsdeploy

import (
	"fmt"
	"io"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/rollout"
)

// TestIsOver says of each end whether ECS may still be at what the run has put back.
func TestIsOver(t *testing.T) {
	under := ecsview.Snapshot{Deployments: []ecsview.Deployment{{Status: "PRIMARY", State: "IN_PROGRESS"}}}
	failed := ecsview.Snapshot{Deployments: []ecsview.Deployment{{Status: "PRIMARY", State: "FAILED"},
		{Status: "ACTIVE", State: "IN_PROGRESS"}}}
	for _, test := range []struct {
		end  rollout.End
		last ecsview.Snapshot
		want bool
	}{
		{rollout.EndSucceeded, under, true},
		{rollout.EndRolledBack, under, true},
		{rollout.EndTimedOut, under, true},
		{rollout.EndFailed, under, true},
		{rollout.EndSuperseded, under, true},
		{rollout.EndDeleted, ecsview.Snapshot{}, true},
		{rollout.EndStuck, failed, true},
		{rollout.EndStuck, ecsview.Snapshot{}, true},
		{rollout.EndStuck, under, false},
		{rollout.EndOverdue, failed, false},
		{rollout.EndUnknown, failed, false},
		{rollout.EndInterrupted, failed, false},
	} {
		if got := isOver(rollout.Result{End: test.end, Last: test.last}); got != test.want {
			t.Errorf("%s, at %v: %v", test.end, test.last.Deployments, got)
		}
	}
}

func TestNotSent(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&rollout.OvertakenError{Service: "api"}, true},
		{fmt.Errorf("%w: reading: %w", rollout.ErrNotSent, io.EOF), true},
		{&smithy.OperationError{ServiceID: "ECS", OperationName: "UpdateService", Err: &smithy.GenericAPIError{Code: "AccessDeniedException"}},
			true},
		{&smithy.OperationError{ServiceID: "ECS", OperationName: "UpdateService",
			Err: &smithyhttp.RequestSendError{Err: io.EOF}}, false}, // its answer was lost
	} {
		if got := notSent(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}
