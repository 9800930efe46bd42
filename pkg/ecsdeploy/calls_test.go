package ecsdeploy_test

import (
	"testing"
	"time"
)

// TestCallsOfARollout counts what a deployment that ends well asks of AWS while it is followed, and when it notices the end.
func TestCallsOfARollout(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		s.Push("v2", "")
		begun := time.Now()
		s.mustDeploy("v2")
		took := time.Since(begun)
		var rollout, busiest int
		var window []time.Time
		names := map[string]int{}
		for _, entry := range s.Sandbox.Journal() {
			if entry.Service != "ecs" || entry.Time.Before(begun.Add(time.Second)) {
				continue
			}
			rollout++
			names[entry.Action]++
			window = append(window, entry.Time)
			for window[0].Before(entry.Time.Add(-time.Minute)) {
				window = window[1:]
			}
			busiest = max(busiest, len(window))
		}
		perMinute := float64(rollout) / took.Minutes()
		t.Logf("%d calls in %v, %.1f a minute, %d in the busiest: %v", rollout, took, perMinute, busiest, names)
		if busiest > 45 || perMinute > 33 {
			t.Errorf("%.1f calls a minute, %d in the busiest", perMinute, busiest)
		}
	})
}
