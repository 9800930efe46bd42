package status_test

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestReleased tells by whom, by which run and under which tag the revision was released, as its tags say.
func TestReleased(t *testing.T) {
	sandboxtest.Run(t, fast, func(t *testing.T, s *sandboxtest.Site) {
		run := "https://github.com/org/connect2-api/actions/runs/7"
		inEngine(t, s, func(_ *engine.Engine, service *engine.Service) error {
			definition := service.Deployments[0].Revision.Spec.Definition
			definition.Tags = append(definition.Tags, engine.Tag{Key: "connect2:image-tag", Value: "v3"},
				engine.Tag{Key: "connect2:by", Value: "mona"}, engine.Tag{Key: "connect2:run", Value: run},
				engine.Tag{Key: "connect2:commit", Value: strings.Repeat("c", 40)})
			return nil
		})
		out, told := look(t, s)
		want(t, told, "image tag", "v3", "released by", "mona ", strings.Repeat("c", 40))
		if out.ImageTag != "v3" || out.By != "mona" || out.Run != run || out.Commit != strings.Repeat("c", 40) {
			t.Errorf("outputs %+v", out)
		}
	})
}
