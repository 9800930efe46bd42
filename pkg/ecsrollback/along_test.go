package ecsrollback

import "testing"

// TestGoesAlong has a row for each condition that flips it alone.
func TestGoesAlong(t *testing.T) {
	for _, tt := range []struct {
		runs, left, back string
		want             bool
	}{
		{"api:3", "api:3", "api:2", true},
		{"api:2", "api:3", "api:2", false},
		{"api:1", "api:3", "api:2", false},
		{"api:4", "api:3", "api:2", true},  // came after the target, and was left by an earlier rollback
		{"api:3", "api:3", "api:5", true},  // a copy with a higher number
		{"api:4", "api:3", "api:5", false}, //
		{"api:10", "api:9", "api:2", true}, // numbers, not texts
		{"other:3", "api:3", "api:2", false},
		{"api:2", "arn:aws:ecs:us-west-2:123456789012:task-definition/api:2", "arn:aws:ecs:us-west-2:123456789012:task-definition/api:3", true},
		{"api:3", "arn:aws:ecs:us-west-2:123456789012:task-definition/api:2", "arn:aws:ecs:us-west-2:123456789012:task-definition/api:3", false},
		{"api", "api:3", "api:2", false}, // it runs the newest, whichever that is
	} {
		if got := goesAlong(tt.runs, tt.left, tt.back); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}
