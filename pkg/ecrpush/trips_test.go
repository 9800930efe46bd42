package ecrpush_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// How many requests a push makes one after the other, each waiting for the one before: every one takes a second of virtual time here,
// and nothing else takes any. Who the caller is, which every action asks first, is not counted.
func TestRoundTrips(t *testing.T) {
	at(t, "", func(t *testing.T, s *site) {
		img := imagetest.New(1, 300_000, 1_500_000, 5_000)
		push := func(what string, img imagetest.Image, most int, tags ...string) (requests int) {
			s.fresh()
			s.Env.Transport = hook{s.Sandbox.Transport(), func(r *http.Request) {
				if !strings.Contains(r.Header.Get("Authorization"), "/sts/") {
					time.Sleep(time.Second)
				}
			}}
			source := s.saved(img)
			began := time.Now()
			s.mustPush(ecrpush.Inputs{Source: source, Repository: repository, Tags: tags})
			if trips := int(time.Since(began) / time.Second); trips > most {
				t.Errorf("%s took %d dependent round trips, want %d at most", what, trips, most)
			}
			for _, e := range s.Sandbox.Journal() {
				if e.Service == "ecr" {
					requests++
				}
			}
			return requests
		}
		push("a first push", img, 8, "v2", "latest")
		if n := push("the same again", img, 1, "v2", "latest"); n > 3 {
			t.Errorf("the same again took %d requests, want 3 at most", n)
		}
		img.Layers = append(slices.Clone(img.Layers[:2]), imagetest.Layer(77, 6_000))
		push("one layer changed", img, 6, "v3")
	})
}
