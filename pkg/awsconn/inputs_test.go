package awsconn

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/action"
)

// The inputs must be such that an action can embed them, and checked without the action doing anything for it.
func TestInputsEmbed(t *testing.T) {
	type inputs struct {
		Inputs
		Cluster string `input:"cluster" doc:"The cluster."`
	}
	var _ action.Validator = inputs{}
	a := action.Define(action.Meta{Name: "x", Description: "x"}, func(context.Context, *action.Env, inputs) (action.Outputs, error) {
		return action.Outputs{}, nil
	})
	var names []string
	for _, field := range a.Inputs() {
		names = append(names, field.Name)
	}
	want := []string{"region", "role-to-assume", "account-id", "role-chaining", "role-session-name", "role-duration", "role-external-id",
		"inline-session-policy", "managed-session-policies", "role-session-tags", "audience", "cluster", "events", "report"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
