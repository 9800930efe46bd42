package engine

import (
	"encoding/json"
	"testing"
)

// A client that lost the answer of RunTask asks again with the same token, and must not start a second task.
func TestRunTaskIsIdempotent(t *testing.T) {
	w := newWorld(t, nil)
	request := RunRequest{TaskDefinition: w.define("v1", ""), LaunchType: "FARGATE", ClientToken: "once",
		NetworkConfiguration: json.RawMessage(`{"awsvpcConfiguration": {"subnets": ["subnet-0a"]}}`)}
	first, _, err := w.RunTask(w.cluster, request)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := w.RunTask(w.cluster, request)
	if err != nil || len(again) != 1 || again[0] != first[0] {
		t.Errorf("the repeated request gave %v (%v), want the first one's task", again, err)
	}
	request.StartedBy = "somebody else"
	if _, _, err := w.RunTask(w.cluster, request); err == nil {
		t.Error("the token was accepted with other parameters")
	}
	request.ClientToken = ""
	if other, _, err := w.RunTask(w.cluster, request); err != nil || other[0] == first[0] {
		t.Errorf("without a token: %v (%v)", other, err)
	}
}
