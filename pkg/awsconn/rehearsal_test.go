package awsconn

import (
	"net/http"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/clock"
)

// TestRehearse holds who may say how fast the run's clock goes: a sandbox that was named as the endpoint, and nobody else.
func TestRehearse(t *testing.T) {
	for _, test := range []struct {
		name, endpoint, header string
		want                   float64
	}{
		{"a sandbox", "http://127.0.0.1:4566", "60", 60},
		{"a sandbox at real speed", "http://127.0.0.1:4566", "", 1},
		{"AWS", "", "60", 1},
		{"AWS by an endpoint of its own", "https://ecs.us-west-2.amazonaws.com", "60", 1},
		{"nonsense", "http://127.0.0.1:4566", "fast", 1},
		{"too much", "http://127.0.0.1:4566", "1e9", 1},
		{"slower than the wall clock", "http://127.0.0.1:4566", "0.1", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			time := &clock.Rehearsal{}
			env := &action.Env{Time: time, Getenv: func(name string) string {
				return map[string]string{"AWS_ENDPOINT_URL": test.endpoint}[name]
			}}
			answer := response(http.StatusOK, "{}")
			answer.Header.Set(speedHeader, test.header)
			transport := &counting{answer: func(int) (*http.Response, error) { return answer, nil }}
			client := rehearse(env, wholeBodies{&http.Client{Transport: transport}})
			request, err := http.NewRequest(http.MethodPost, "http://sandbox/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Do(request); err != nil {
				t.Fatal(err)
			}
			if got := clock.Speed(time); got != test.want {
				t.Errorf("the clock goes at %g, want %g", got, test.want)
			}
		})
	}
	env := &action.Env{Time: clock.System}
	if _, listens := rehearse(env, http.DefaultClient).(listener); listens {
		t.Error("a clock that was given is changed by an answer")
	}
}
