package image

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/image/imagetest"
)

// errKilled is why a push of these tests ends.
var errKilled = errors.New("killed")

// moment is where in a request the push is killed.
type moment int

const (
	beforeIt moment = iota // nothing of it has arrived
	inBody                 // half of its body has
	afterIt                // it was carried out, and the answer is lost
)

// killer stands before a fake and kills the push at one of its calls: nothing arrives from then on. It keeps what was sent.
type killer struct {
	to     *fakeECR
	cancel context.CancelCauseFunc
	at     int // the call, counted from 1; 0: none
	when   moment
	slow   bool // sending takes a second, anything else no time

	mu       sync.Mutex
	calls    int
	dead     bool
	bodies   int             // PATCH requests that began
	complete map[string]bool // digests of blobs whose upload was closed
}

// step counts a call, and says what becomes of it.
func (k *killer) step(patch bool) (dead, dies bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return true, false
	}
	k.calls++
	if patch {
		k.bodies++
	}
	if k.calls != k.at {
		return false, false
	}
	k.dead = true
	k.cancel(errKilled)
	return false, true
}

// RoundTrip implements http.RoundTripper.
func (k *killer) RoundTrip(req *http.Request) (*http.Response, error) {
	dead, dies := k.step(req.Method == http.MethodPatch)
	if dead || dies && k.when == beforeIt {
		return nil, errKilled
	}
	if dies && k.when == inBody && req.Body != nil && req.ContentLength != 0 {
		_, _ = io.CopyN(io.Discard, req.Body, max(1, req.ContentLength/2))
		return nil, errKilled
	}
	if k.slow && req.Method == http.MethodPatch {
		select {
		case <-time.After(time.Second): // of the bubble
		case <-req.Context().Done():
		}
	}
	if err := req.Context().Err(); err != nil && !dies {
		return nil, err
	}
	res, err := k.to.RoundTrip(req.WithContext(context.WithoutCancel(req.Context()))) // what has arrived is carried out
	if err == nil && req.Method == http.MethodPut && res.StatusCode == http.StatusCreated {
		if digest := req.URL.Query().Get("digest"); digest != "" {
			k.mu.Lock()
			k.complete[digest] = true
			k.mu.Unlock()
		}
	}
	if dies {
		return nil, errKilled
	}
	return res, err
}

// push pushes through the killer, which kills at a call; 0 for none.
func (k *killer) push(t *testing.T, source string, streamed bool, at int, when moment) (Result, *events, error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	k.mu.Lock()
	k.cancel, k.at, k.when, k.calls, k.dead, k.bodies = cancel, at, when, 0, false, 0
	k.mu.Unlock()
	k.to.tell(func(string) { k.step(false) }) // calls of the API read, or create what is created once
	defer k.to.tell(nil)
	told := &events{}
	rs := k.to.registries(told.observe)
	rs.Transport = k
	src, err := Open(ctx, source, OpenOptions{Registries: rs})
	if err != nil {
		return Result{}, told, err
	}
	defer src.Close()
	to, err := rs.Destination(ctx, "app", "v1", "latest")
	if err != nil {
		return Result{}, told, err
	}
	plan, err := NewPlan(ctx, src, to, PlanOptions{Tags: []string{"v1", "latest"}})
	if err != nil {
		return Result{}, told, err
	}
	if streamed {
		plan.streamFrom = 1
	}
	r, err := plan.Execute(ctx)
	return r, told, err
}

// A push that is killed at any call, in the middle of what it sends or when the answer is lost, moves no tag to what is not whole, and
// run again sends no blob twice that had arrived: where its digest is known before it is compressed, and where it is compressed before
// it is sent. A layer that is sent while it is compressed is told only then: so many are sent twice as are on their way at once.
func TestKilledAnywhere(t *testing.T) {
	arm, amd := imagetest.New(3, 5_000, 900), imagetest.New(1, 4_000, 2_000, 300)
	arm.Architecture, amd.Architecture = "arm64", "amd64"
	index, _ := imagetest.Index(amd, arm)
	many := imagetest.New(1, 3_000, 2_900, 2_800, 2_700, 2_600, 2_500, 2_400, 2_300, 2_200, 2_100)
	for _, c := range []struct {
		name     string
		entries  []imagetest.Entry
		earlier  []imagetest.Entry // what was pushed before
		streamed bool
		twice    int // uploads at most of what had arrived
	}{
		{"docker save", imagetest.Saved(amd), nil, false, 0},
		{"docker save of today", imagetest.SavedNew(amd), nil, false, 0},
		{"docker save, layers known", imagetest.Saved(amd), imagetest.Saved(imagetest.New(1, 4_000, 2_000)), false, 0},
		{"docker save, sent while compressed", imagetest.Saved(many), nil, true, transfers},
		{"OCI layout", imagetest.Layout(amd), nil, false, 0},
		{"index with an attestation", index, nil, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := saved(t, c.entries)
			inBubble(t, func(t *testing.T) {
				fresh := func() *killer {
					k := &killer{to: newFakeECR(t, "app"), complete: map[string]bool{}, slow: c.streamed}
					if c.earlier != nil {
						(&pushing{f: k.to, repo: "app", source: saved(t, c.earlier), tags: []string{"v0", "latest"}}).mustRun(t)
					}
					return k
				}
				whole := fresh()
				want, _, err := whole.push(t, source, c.streamed, 0, beforeIt)
				if err != nil {
					t.Fatal(err)
				}
				blobs := len(whole.complete)
				if c.earlier != nil && blobs != 2 || blobs < 2 {
					t.Fatalf("%d blobs were sent", blobs)
				}
				step := 1
				if c.streamed {
					step = 3 // ten layers make the calls many and alike
				}
				if programs.Race {
					step *= 4 // what is shared is the same at every call
				}
				for at := 1; at <= whole.calls; at += step {
					for _, when := range []moment{beforeIt, inBody, afterIt} {
						k := fresh()
						old := k.to.tags["app"]["latest"]
						if _, _, err := k.push(t, source, c.streamed, at, when); err == nil && k.dead {
							continue // it was the last answer that was lost, or one that nobody waited for
						}
						arrived := len(k.complete)
						for tag, digest := range k.to.tags["app"] {
							if digest != want.Digest && digest != old || digest == want.Digest && arrived < blobs {
								t.Errorf("call %d, moment %d: the tag %s is at %s with %d of %d blobs", at, when, tag, digest, arrived, blobs)
							}
						}
						r, _, err := k.push(t, source, c.streamed, 0, beforeIt)
						if err != nil || r.Digest != want.Digest || k.to.tags["app"]["v1"] != want.Digest ||
							k.to.tags["app"]["latest"] != want.Digest {
							t.Fatalf("call %d, moment %d: run again: %+v, %v", at, when, r, err)
						}
						if twice := k.bodies - (blobs - arrived); twice > c.twice || twice < 0 {
							t.Errorf("call %d, moment %d: %d of %d blobs had arrived, run again sent %d", at, when, arrived, blobs, k.bodies)
						}
					}
				}
				t.Logf("%d calls, %d blobs", whole.calls, blobs)
			})
		})
	}
}

// A layer of a push that was broken off is found when it is compressed; from then on nothing is sent before it was asked for.
func TestNothingIsStreamedOnceOneIsThere(t *testing.T) {
	sizes := make([]int, 3*transfers)
	for i := range sizes {
		sizes[i] = 4_000 - i
	}
	source := saved(t, imagetest.Saved(imagetest.New(1, sizes...)))
	inBubble(t, func(t *testing.T) {
		k := &killer{to: newFakeECR(t, "app"), complete: map[string]bool{}, slow: true}
		k.to.setFault(func(r *http.Request) *http.Response {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
				return refuse(400, "MANIFEST_INVALID", "no")
			}
			return nil
		})
		if _, _, err := k.push(t, source, true, 0, beforeIt); err == nil || len(k.complete) != len(sizes)+1 {
			t.Fatalf("%d of %d blobs arrived, %v", len(k.complete), len(sizes)+1, err)
		}
		k.to.setFault(nil)
		_, told, err := k.push(t, source, true, 0, beforeIt)
		if err != nil || k.bodies > transfers || told.count(Reused) != len(sizes)+1 {
			t.Errorf("%d uploads were begun again of %d layers, want at most %d; %d were there: %v", k.bodies, len(sizes), transfers,
				told.count(Reused), err)
		}
	})
}
