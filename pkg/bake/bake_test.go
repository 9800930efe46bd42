package bake

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// One condition flips at a time.
// TestDecideOfSeveralAlarms names the same alarm each time.
func TestDecideOfSeveralAlarms(t *testing.T) {
	before, now := Before{Alarms: map[string]string{}}, observation{alarms: map[string]string{}}
	for name := range strings.SplitSeq("errors latency queue saturation traffic", " ") {
		before.Alarms[name], now.alarms[name] = "OK", "ALARM"
	}
	before.Alarms["errors"] = "ALARM" // and so it is not judged
	for range 20 {
		if f := decide(before, now); f == nil || f.Title != "The CloudWatch alarm latency went off after the deployment" {
			t.Fatalf("%+v", f)
		}
	}
}

func TestDecide(t *testing.T) {
	ok := Before{Alarms: map[string]string{"a": "OK"}}
	down := errors.New("status 503")
	one, two := []ecsview.Task{{}}, []ecsview.Task{{}, {}}
	for name, tt := range map[string]struct {
		before Before
		now    observation
		want   string
	}{
		"nothing":                   {ok, observation{}, ""},
		"an alarm":                  {ok, observation{alarms: map[string]string{"a": "ALARM"}}, "bake-alarm"},
		"no alarm":                  {ok, observation{alarms: map[string]string{"a": "INSUFFICIENT_DATA"}}, ""},
		"an alarm before":           {Before{Alarms: map[string]string{"a": "ALARM"}}, observation{alarms: map[string]string{"a": "ALARM"}}, ""},
		"an alarm not known before": {Before{}, observation{alarms: map[string]string{"a": "ALARM"}}, ""},
		"traffic":                   {ok, observation{traffic: Judgement{Problem: "bake-errors"}}, "bake-errors"},
		"one task":                  {ok, observation{failed: one}, ""},
		"two tasks":                 {ok, observation{failed: two}, "bake-tasks"},
		"two bad answers":           {ok, observation{bad: 2, probe: down}, ""},
		"three bad answers":         {ok, observation{bad: 3, probe: down}, "bake-probe"},
		"two sick looks":            {Before{Targets: &Targets{}}, observation{sick: 2}, ""},
		"three sick looks":          {Before{Targets: &Targets{}}, observation{sick: 3}, "bake-targets"},
		"not read before":           {ok, observation{sick: 3}, ""},
		"bad before too":            {Before{Probe: down}, observation{bad: 3, probe: down}, ""},
	} {
		code := ""
		if f := decide(tt.before, tt.now); f != nil {
			code = f.Code
		}
		if code != tt.want {
			t.Errorf("%s: %q, want %q", name, code, tt.want)
		}
	}
}

// TestTargets compares what a load balancer finds with what it found before. One condition flips at a time.
func TestTargets(t *testing.T) {
	for name, tt := range map[string]struct {
		before, now Targets
		want        bool
	}{
		"all well":                         {Targets{Healthy: 3}, Targets{Healthy: 3}, false},
		"fewer":                            {Targets{Healthy: 3}, Targets{Healthy: 1}, false},
		"none":                             {Targets{Healthy: 3}, Targets{}, false},
		"one of several":                   {Targets{Healthy: 3}, Targets{Healthy: 2, Unhealthy: 1}, false},
		"two of several":                   {Targets{Healthy: 3}, Targets{Healthy: 1, Unhealthy: 2}, true},
		"the last":                         {Targets{Healthy: 1}, Targets{Unhealthy: 1}, true},
		"one was before":                   {Targets{Healthy: 3, Unhealthy: 1}, Targets{Healthy: 2, Unhealthy: 2}, false},
		"the only one was before":          {Targets{Unhealthy: 1}, Targets{Unhealthy: 1}, false},
		"two more than the one before":     {Targets{Healthy: 3, Unhealthy: 1}, Targets{Healthy: 1, Unhealthy: 3}, true},
		"less than before, and none is ok": {Targets{Unhealthy: 3}, Targets{Unhealthy: 2}, false},
	} {
		if got := tt.now.Worse(tt.before); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	states := []ecsview.Target{{State: "healthy"}, {State: "unhealthy", Reason: "Target.Timeout"}, {State: "draining"}, {State: "initial"},
		{State: "unused"}, {State: "unavailable"}, {State: "unhealthy", Reason: "Target.Timeout", Description: "Request timed out"}}
	if got, want := *targetsOf(states), (Targets{Healthy: 1, Unhealthy: 2, Reason: "Request timed out"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestProbe(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
		case "/down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/away":
			http.Redirect(w, r, "/down", http.StatusFound)
		default:
			_, _ = w.Write([]byte("all is well")) // the client reads it, or fails
		}
	}))
	defer server.Close()
	for text, want := range map[string]string{
		"/":                                "",
		"/ text=is well":                   "",
		"/ text=ill":                       `the answer does not hold "ill"`,
		"/down":                            "status 503",
		"/down status=503":                 "",
		"/ status=204":                     "status 200",
		"/away":                            "",
		"/slow within=20ms":                "no answer within 20ms",
		"/ status=200 within=5s text=well": "",
	} {
		probe, err := ParseProbe(server.URL + text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := ""
		if err := probe.Ask(nil)(context.Background()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
