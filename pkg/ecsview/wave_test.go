package ecsview

import (
	"testing"
	"time"
)

// TestWaves counts independent observations: each row differs from a neighbour in one thing.
func TestWaves(t *testing.T) {
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(second int) time.Time { return epoch.Add(time.Duration(second) * time.Second) }
	// life is a task that is created at one second and stopped at another.
	life := func(from, to int) Task { return Task{CreatedAt: at(from), StoppingAt: at(to)} }
	for _, test := range []struct {
		name  string
		tasks []Task
		want  int
	}{
		{"none", nil, 0},
		{"one", []Task{life(0, 5)}, 1},
		{"two in the same second", []Task{life(0, 5), life(0, 6)}, 1},
		{"within the moment of one batch", []Task{life(0, 5), life(15, 20)}, 1},
		{"the replacement of one that ended", []Task{life(0, 5), life(20, 25)}, 2},
		{"too soon to be another moment", []Task{life(0, 5), life(19, 25)}, 1},
		{"started while the first still ran", []Task{life(0, 60), life(59, 70)}, 1},
		{"started when the first ended", []Task{life(0, 60), life(60, 70)}, 2},
		{"started while the other of the first two ran", []Task{life(0, 5), life(0, 60), life(30, 40)}, 1},
		{"started after both", []Task{life(0, 5), life(0, 60), life(61, 70)}, 2},
		{"a late one does not make the wave longer", []Task{life(0, 30), life(16, 200), life(31, 40)}, 2},
		{"one of the batch does", []Task{life(0, 30), life(15, 200), life(31, 40)}, 1},
		{"three", []Task{life(100, 110), life(50, 60), life(0, 10)}, 3},
		{"in any order", []Task{life(50, 60), life(100, 110), life(0, 10)}, 3},
		{"the ends of the second wave count", []Task{life(0, 10), life(50, 120), life(100, 110)}, 2},
		{"without times", []Task{{}, {}}, 1},
	} {
		if got := Waves(test.tasks); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestEnded(t *testing.T) {
	one, two, three := time.Unix(1, 0), time.Unix(2, 0), time.Unix(3, 0)
	for _, test := range []struct {
		task Task
		want time.Time
	}{
		{Task{StoppingAt: one, EndedAt: two, StoppedAt: three}, one},
		{Task{EndedAt: two, StoppedAt: three}, two},
		{Task{StoppedAt: three}, three},
		{Task{}, time.Time{}},
	} {
		if got := test.task.Ended(); !got.Equal(test.want) {
			t.Errorf("%+v ended at %v", test.task, got)
		}
	}
}

// TestCompleteCountsWhatECSWentBackTo holds that a deployment which a rollback has brought back counts as one that worked.
func TestCompleteCountsWhatECSWentBackTo(t *testing.T) {
	const line = "(service api) rolling back to deployment ecs-svc/1."
	for _, test := range []struct {
		name, reason, event, want string
	}{
		{"a circuit breaker says so", "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.", "", "v1"},
		{"the scheduler says so", "ECS deployment ecs-svc/1 in progress.", line, "v1"},
		{"it went back to another", "", "(service api) rolling back to deployment ecs-svc/12.", ""},
		{"nobody says so", "ECS deployment ecs-svc/1 in progress.", "", ""},
	} {
		s := Snapshot{Deployments: []Deployment{{ID: "ecs-svc/1", TaskDefinition: "v1", State: "IN_PROGRESS", Reason: test.reason}},
			Events: []ServiceEvent{{Text: test.event}}}
		if got := s.Complete("v2"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
