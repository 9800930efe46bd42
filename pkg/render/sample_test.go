package render

import (
	"time"

	"github.com/org/connect2/v2/pkg/record"
)

// failedRelease is the record of a release whose tasks crash after the migration, with texts that must not act as markup.
func failedRelease() *record.Record {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	r := record.NewRecorder("release", func() time.Time { return now })
	tellFailedRelease(r, &now)
	var made *record.Record
	r.Read(func(kept *record.Record) { made = kept })
	return made
}

// tellFailedRelease tells that release to a recorder that goes by now.
func tellFailedRelease(r *record.Recorder, now *time.Time) {
	all, start := r.Sink(), *now
	at := func(d time.Duration) { *now = start.Add(d) }
	step := func(s record.Sink, lane, name string, from, to time.Duration, state record.State) {
		s.Emit(record.Event{Kind: record.KindStepEnded,
			Step: &record.Step{Lane: lane, Name: name, Begun: start.Add(from), Ended: start.Add(to), State: state}})
	}
	all.Emit(record.Event{Kind: record.KindAsked, Fact: &record.Fact{Name: "service", Value: record.Text{Text: "connect2-api-service-dev"}}})
	all.Fact("Service", record.Text{Text: "connect2-api-cluster-dev / connect2-api-service-dev"})
	all.Fact("Deployed", record.Text{Text: "connect2-api-dev:12", Form: record.Code})
	all.Fact("Serving now", record.Text{Text: "connect2-api-dev:11", Form: record.Code})

	push := all.Part("push")
	push.Decided("push 2 of 5 layers", "the repository has the others")
	step(push, "", "push", 0, 4*time.Second, record.Done)
	push.Section(record.Section{Name: "layers", Title: "Layers", Blocks: []record.Block{{Table: &record.Table{
		Head: []string{"Digest", "Size", "What"},
		Rows: [][]record.Text{{{Text: "sha256:0f1e2d3c", Form: record.Code}, {Text: "12.3 MB"}, {Text: "sent"}},
			{{Text: "sha256:4b5a6978", Form: record.Code}, {Text: "1.2 MB"}, {Text: "reused"}}}}}}})
	push.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "succeeded", OK: true}})

	at(5 * time.Second)
	migrate := all.Part("migrate")
	step(migrate, "", "alembic upgrade head", 5*time.Second, 21*time.Second, record.Done)
	migrate.Emit(record.Event{Kind: record.KindOutput, Source: "connect2-api",
		Text: "INFO [alembic] Running upgrade 41 -> 42, <script>alert(1)</script>"})
	at(21 * time.Second)
	migrate.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "succeeded", OK: true}})

	at(22 * time.Second)
	deploy := all.Part("deploy")
	step(deploy, "Deployment", "rolling", 22*time.Second, 70*time.Second, record.Failed)
	step(deploy, "Deployment", "rolling back", 70*time.Second, 95*time.Second, record.Undone)
	step(deploy, "ECS", "deployment completed", 95*time.Second, 95*time.Second, record.Done)
	for i, id := range []string{"ab12cd34", "ef56ab78"} {
		from := 24*time.Second + time.Duration(i)*time.Second
		step(deploy, "task "+id, "pull", from, from+9*time.Second, record.Done)
		step(deploy, "task "+id, "start", from+9*time.Second, from+12*time.Second, record.Done)
		step(deploy, "task "+id, "health", from+12*time.Second, from+40*time.Second, record.Failed)
	}
	deploy.Section(record.Section{Name: "diff", Title: "Task definition", Blocks: []record.Block{{Language: "diff",
		Verbatim: "-image: connect2-api-dev@sha256:aaa\n+image: connect2-api-dev@sha256:bbb\n"}}})
	deploy.Warnf("Optional permission missing: logs:GetLogEvents", "The tasks' logs: not available, going on without.")
	deploy.Notef("ECS: has started 2 tasks")
	at(96 * time.Second)
	finding := &record.Finding{Code: "missing-variable", Title: "connect2-api needs the environment variable DATABASE_URL",
		Evidence: []string{`connect2-api | KeyError: 'DATABASE_URL' *bold* <b>& "quoted"`, "connect2-api | exit code 1\u202e"},
		Fix:      []string{"set `DATABASE_URL` in `secrets` of the template", "release again"},
		Fault:    record.FaultRelease, Certain: true, Task: "arn:aws:ecs:us-west-2:123456789012:task/c/ab12cd34", Container: "connect2-api"}
	deploy.Found(*finding)
	deploy.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "rolled-back", Title: finding.Title,
		Finding: finding}})
	all.Emit(record.Event{Kind: record.KindVerdict, Verdict: &record.Verdict{Outcome: "rolled-back", Title: finding.Title,
		Message: "the deployment of connect2-api-dev:12 did not succeed; connect2-api-dev:11 serves again",
		Advice:  "The database has the schema of the new image, which was not undone.", Finding: finding}})
}
