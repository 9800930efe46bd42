package ecsdeploy_test

import (
	"strings"
	"testing"
)

// Whoever pushed the image: a pull that takes long is told with what would shorten it, a short one is not.
func TestSlowStartIsTold(t *testing.T) {
	for behaviour, told := range map[string]bool{"{pullTime: 40s}": true, "": false} {
		at(t, "", func(t *testing.T, s *site) {
			s.Push("v2", behaviour)
			s.mustDeploy("v2")
			summary := s.Log.Summary()
			if strings.Contains(summary, "What would shorten the start") != told || strings.Contains(summary, "pull 40.0s") != told ||
				strings.Contains(summary, "soci: true") != told {
				t.Errorf("%q: %s", behaviour, summary)
			}
		})
	}
}
