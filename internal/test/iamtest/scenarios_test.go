package iamtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/doctor"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/image/imagetest"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/runtask"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/status"
)

// What images do that are no good.
const (
	crashing  = `{start: crash, after: 2s, exitCode: 3, logs: ["ModuleNotFoundError: No module named 'payments'"]}`
	unhealthy = `{start: unhealthy}`
	crashLate = `{start: crash, after: 2s, exitCode: 3, logs: ["ModuleNotFoundError: No module named 'payments'"], run: {"*": {after: 2s}}}`
	failing   = `{run: {"*": {after: 5s, exitCode: 1, logs: ["no such table"]}}}`
)

func push(in ecrpush.Inputs) func(*site) (action.Outcome, error) {
	return func(s *site) (action.Outcome, error) { return pushed(s, in) }
}

func pushed(s *site, in ecrpush.Inputs) (action.Outcome, error) {
	if in.Repository == "" {
		in.Repository = repository
	}
	out, err := ecrpush.Run(s.ctx, s.env, in)
	return out.Outcome, err
}

// three is an image of three layers whose last one can be another.
func three(last uint64) imagetest.Image {
	img := imagetest.New(1, 60_000, 5_000)
	img.Layers = append(slices.Clone(img.Layers), imagetest.Layer(last, 4_000))
	return img
}

func pushScenarios() []scenario {
	archive := func(last uint64, in ecrpush.Inputs) func(*site) (action.Outcome, error) {
		return func(s *site) (action.Outcome, error) {
			in := in // a scenario is played by several tests at once
			in.Source = s.saved(three(last))
			return pushed(s, in)
		}
	}
	v2 := ecrpush.Inputs{Tags: []string{"v2", "latest"}}
	before := func(s *site) {
		_, err := archive(7, v2)(s)
		s.must(err)
	}
	return []scenario{
		{name: "new image", run: archive(7, v2), want: action.Succeeded},
		{name: "another tag for what is there", run: push(ecrpush.Inputs{Source: "tag:v1", Tags: []string{"stable"}}), want: action.Succeeded},
		{name: "no change", before: before, run: archive(7, v2), want: action.NoChange},
		{name: "one layer differs", before: before, run: archive(8, ecrpush.Inputs{Tags: []string{"v3"}}), want: action.Succeeded},
		{name: "OCI layout", run: func(s *site) (action.Outcome, error) {
			return pushed(s, ecrpush.Inputs{Source: s.layout("v2", ""), Tags: []string{"v2"}})
		}, want: action.Succeeded},
		{name: "repository by its URI", run: archive(7, ecrpush.Inputs{Repository: "127.0.0.1:4566/" + repository, Tags: []string{"v2"}}),
			want: action.Succeeded},
		{name: "create-repository", repository: newRepository,
			run: archive(7, ecrpush.Inputs{Repository: newRepository, Tags: []string{"v1"}, CreateRepository: true}), want: action.Succeeded},
		{name: "from another repository", before: elsewhere,
			run: push(ecrpush.Inputs{Source: "ecr:" + otherSource + ":v5", Tags: []string{"v5"}}), want: action.Succeeded},
		{name: "mount-from", before: elsewhere, run: func(s *site) (action.Outcome, error) {
			return pushed(s, ecrpush.Inputs{Source: s.layout("v5", ""), Tags: []string{"v5"}, MountFrom: otherSource})
		}, want: action.Succeeded},
		{name: "scan", run: archive(7, ecrpush.Inputs{Tags: []string{"v2"}, Scan: "fail", Severity: "HIGH"}), want: action.Succeeded},
		{name: "absent source", run: push(ecrpush.Inputs{Source: "tag:v99", Tags: []string{"v99"}, IfAbsent: "skip"}), want: action.NoChange},
		{name: "misspelt repository", repository: "quartz-repositry",
			run: archive(7, ecrpush.Inputs{Repository: "quartz-repositry", Tags: []string{"v1"}}), want: action.Invalid},
		{name: "dry-run", run: archive(7, ecrpush.Inputs{Tags: []string{"v2"}, DryRun: true}), want: action.Succeeded},
	}
}

// elsewhere makes the other repository with an image in it.
func elsewhere(s *site) {
	_, err := ecrpush.Run(s.ctx, s.env, ecrpush.Inputs{Source: s.layout("v5", ""), Repository: otherSource,
		Tags: []string{"v5"}, CreateRepository: true})
	s.must(err)
}

func deployInputs(image string) ecsdeploy.Inputs {
	return ecsdeploy.Inputs{Cluster: cluster, Service: service, Image: image, Wait: true, Timeout: 30 * time.Minute}
}

func deploy(in ecsdeploy.Inputs) func(*site) (action.Outcome, error) {
	return func(s *site) (action.Outcome, error) {
		out, err := ecsdeploy.Run(s.ctx, s.env, in)
		return out.Outcome, err
	}
}

// image puts v2 with a behaviour into the repository.
func image(behaviour string) func(*site) { return func(s *site) { s.put(repository, "v2", behaviour) } }

func deployScenarios() []scenario {
	v2 := deployInputs("v2")
	impatient := v2
	impatient.Wait = false
	hurried := v2
	hurried.Timeout = 2 * time.Minute
	insisting := v2
	insisting.OverrideHold = true
	return []scenario{
		{name: "success", before: image(""), run: deploy(v2), want: action.Succeeded},
		{name: "crash, explained and rolled back", before: image(crashing), run: deploy(v2), want: action.RolledBack},
		{name: "unhealthy until the circuit breaker", before: image(unhealthy), run: deploy(v2), want: action.RolledBack},
		{name: "no circuit breaker", service: ", circuitBreaker: false", before: image(crashing), run: deploy(v2), want: action.RolledBack},
		{name: "no change", run: deploy(deployInputs("v1")), want: action.NoChange},
		{name: "first release", before: func(s *site) {
			image("")(s)
			s.deployed(family + "-template")
			time.Sleep(10 * time.Minute)
		}, run: deploy(v2), want: action.Succeeded},
		{name: "no template", service: ", template: false", before: image(""), run: deploy(v2), want: action.Succeeded},
		{name: "registered revision as it is", before: func(s *site) {
			image("")(s)
			_, err := deploy(v2)(s)
			s.must(err)
		}, run: func(s *site) (action.Outcome, error) {
			in := deployInputs("")
			in.TaskDefinition = family + ":1"
			return deploy(in)(s)
		}, want: action.Succeeded},
		{name: "same deployment in progress", before: func(s *site) {
			image("")(s)
			_, err := deploy(impatient)(s)
			s.must(err)
		}, run: deploy(v2), want: action.Succeeded},
		{name: "cancelled", before: image(""), cancel: 25 * time.Second, run: deploy(v2), want: action.Cancelled},
		{name: "timeout", service: ", circuitBreaker: false", before: image(`{start: slow, healthyAfter: 1h}`), run: deploy(hurried), want: action.TimedOut},
		{name: "image that does not exist", run: deploy(deployInputs("v9")), want: action.Invalid},
		{name: "in spite of a hold", before: func(s *site) {
			image("")(s)
			_, err := deploy(v2)(s)
			s.must(err)
			_, err = rollback("previous")(s)
			s.must(err)
		}, run: deploy(insisting), want: action.Succeeded},
	}
}

// bakeScenarios are runs that go on watching.
func bakeScenarios() []scenario {
	in := deployInputs("v2")
	in.Bake.For, in.Bake.Alarms = 4*time.Minute, []string{"errors"}
	return []scenario{{name: "bake", more: "alarms: {errors: OK}\ntraffic: {rate: 20}\n",
		before: image(""), run: deploy(in), want: action.Succeeded}}
}

// scheduled makes a rule and a schedule that run a revision of the service's family.
func (s *site) scheduled(revision string) {
	config := aws.Config{Region: region, BaseEndpoint: aws.String(s.sb.Environ()["AWS_ENDPOINT_URL"]),
		HTTPClient:  &http.Client{Transport: s.sb.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider(sandbox.AccessKeyID, "any", "")}
	target := func(role string) map[string]any {
		return map[string]any{"Id": "a", "Arn": "arn:aws:ecs:" + region + ":" + account + ":cluster/" + cluster,
			"RoleArn": "arn:aws:iam::" + account + ":role/" + role, "EcsParameters": map[string]any{
				"TaskDefinitionArn": "arn:aws:ecs:" + region + ":" + account + ":task-definition/" + family + ":" + revision}}
	}
	var out map[string]any
	put := func(operation string, in map[string]any) {
		s.must(awscall.JSON(s.ctx, config, awscall.EventBridge, operation, in, &out))
	}
	put("PutRule", map[string]any{"Name": timer, "ScheduleExpression": "rate(1 day)"})
	put("PutTargets", map[string]any{"Rule": timer, "Targets": []any{target(ruleRole)}})
	s.must(awscall.REST(s.ctx, config, awscall.Scheduler, "CreateSchedule", http.MethodPost, "/schedules/"+timer, nil, map[string]any{
		"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "Target": target(scheduleRole)}, &out))
}

// scheduleScenarios are runs that take schedules along.
func scheduleScenarios() []scenario {
	in := deployInputs("v2")
	in.Schedules.Names = []string{"rule:" + timer, "schedule:" + timer}
	return []scenario{{name: "schedules", before: func(s *site) { image("")(s); s.scheduled("1") }, run: deploy(in), want: action.Succeeded}}
}

// countScenarios are runs that say how many tasks there are to be.
func countScenarios() []scenario {
	in, three := deployInputs("v2"), 3
	in.Settings.DesiredCount = &three
	return []scenario{{name: "desired count", before: image(""), run: deploy(in), want: action.Succeeded}}
}

// keepScenarios are runs that deregister older revisions.
func keepScenarios() []scenario {
	registered, in := deployInputs("v2"), deployInputs("v2")
	registered.RegisterOnly, registered.Environment = true, map[string]string{"NEVER": "deployed"}
	in.Revisions.Keep = 1
	return []scenario{{name: "keep", before: func(s *site) {
		image("")(s)
		s.scheduled("1")
		_, err := deploy(registered)(s)
		s.must(err)
	}, run: deploy(in), want: action.Succeeded}}
}

// scheduleRollbackScenarios are rollbacks that find schedules, and that are told them.
func scheduleRollbackScenarios() []scenario {
	named := rollbackInputs("previous")
	named.Schedules = []string{"rule:" + timer, "schedule:" + timer}
	var scenarios []scenario
	for name, in := range map[string]ecsrollback.Inputs{"schedules found": rollbackInputs("previous"), "schedules named": named} {
		scenarios = append(scenarios, scenario{name: name, service: ", releases: [v1, v2]", before: func(s *site) { s.scheduled("2") },
			run: func(s *site) (action.Outcome, error) {
				out, err := ecsrollback.Run(s.ctx, s.env, in)
				return out.Outcome, err
			}, want: action.Succeeded})
	}
	return scenarios
}

// verifyScenarios are runs of verify, with a template that names all that it looks at.
func verifyScenarios() []scenario {
	verifying := func(mode string) scenario {
		in := deployInputs("v2")
		in.Verify = mode
		return scenario{name: "verify: " + mode, more: "parameters: {/quartz/flag: on}\n", before: func(s *site) {
			image("")(s)
			text := bytes.Replace(s.document(family+"-template"), []byte(`"secrets":[`),
				[]byte(`"secrets":[{"name":"FLAG","valueFrom":"/quartz/flag"},`), 1)
			s.engine(func(e *engine.Engine, _ *engine.Service) error {
				_, err := e.RegisterTaskDefinition(text, "terraform")
				return err
			})
		}, run: deploy(in), want: action.Succeeded}
	}
	return []scenario{verifying("true"), verifying("only")}
}

func rollbackInputs(to string) ecsrollback.Inputs {
	return ecsrollback.Inputs{Cluster: cluster, Service: service, To: to, Timeout: 30 * time.Minute, Reason: "checkout fails"}
}

func rollback(to string) func(*site) (action.Outcome, error) {
	return func(s *site) (action.Outcome, error) {
		out, err := ecsrollback.Run(s.ctx, s.env, rollbackInputs(to))
		return out.Outcome, err
	}
}

// rollingOut begins a deployment of v4, which does this, and does not wait for it.
func rollingOut(behaviour string) func(*site) {
	return func(s *site) {
		digest := s.put(repository, "v4", behaviour)
		next := regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAll(s.document(family), []byte("@"+digest))
		s.engine(func(e *engine.Engine, svc *engine.Service) error {
			td, err := e.RegisterTaskDefinition(next, "somebody")
			s.must(err)
			return e.UpdateService(svc, engine.ServiceChange{TaskDefinition: td.ARN})
		})
	}
}

func rollbackScenarios() []scenario {
	const releases = ", releases: [v1, v2, v3]"
	return []scenario{
		{name: "to the version before", service: releases, run: rollback("previous"), want: action.Succeeded},
		{name: "to a revision", service: releases, run: rollback("1"), want: action.Succeeded},
		{name: "no change", service: releases, run: rollback("3"), want: action.NoChange},
		{name: "stops what is being deployed", service: releases, before: func(s *site) {
			rollingOut("")(s)
			time.Sleep(15 * time.Second)
		}, run: rollback("previous"), want: action.Succeeded},
		{name: "to a deregistered revision", service: releases, before: func(s *site) {
			s.engine(func(e *engine.Engine, _ *engine.Service) error {
				td, err := e.TaskDefinition(family + ":2")
				s.must(err)
				e.DeregisterTaskDefinition(td)
				return nil
			})
		}, run: rollback("2"), want: action.Succeeded},
		{name: "to a version that does not start any more", service: releases, before: func(s *site) {
			s.sb.SetBehaviour(repository+":v2", *s.behaviour(crashing))
		}, run: rollback("previous"), want: action.RolledBack},
		{name: "while ECS rolls back", service: releases, before: func(s *site) {
			rollingOut(unhealthy)(s)
			for tripped := false; !tripped; time.Sleep(time.Second) {
				s.engine(func(_ *engine.Engine, svc *engine.Service) error {
					tripped = strings.Contains(svc.Events[0].Message, "rolling back")
					return nil
				})
			}
		}, run: rollback("previous"), want: action.Succeeded},
		{name: "nothing to go back to", run: rollback("previous"), want: action.Invalid},
	}
}

// taskScenarios are tasks that end by themselves, and one that is stopped.
func taskScenarios() []scenario {
	run := func(command string, limit time.Duration) func(s *site) (action.Outcome, error) {
		return func(s *site) (action.Outcome, error) {
			out, err := runtask.Run(s.ctx, s.env, runtask.Inputs{Cluster: cluster, Service: service, Command: command, Count: 1,
				Tags: map[string]string{"team": "a"}, StartedBy: "iamtest", Timeout: limit})
			return out.Outcome, err
		}
	}
	before := func(s *site) {
		s.sb.SetBehaviour("*", *s.behaviour(`{run: {"true": {after: 5s, logs: ["done"]}, "sleep": {after: 1h}}}`))
	}
	return []scenario{
		{name: "ends", before: before, run: run("true", 10*time.Minute), want: action.Succeeded},
		{name: "takes too long", before: before, run: run("sleep", time.Minute), want: action.TimedOut},
	}
}

func statusScenarios() []scenario {
	run := func(s *site) (action.Outcome, error) {
		out, err := status.Run(s.ctx, s.env, status.Inputs{Cluster: cluster, Service: service})
		return out.Outcome, err
	}
	return []scenario{
		{name: "steady", run: run, want: action.Succeeded},
		{name: "with schedules", before: func(s *site) { s.scheduled("1") }, run: run, want: action.Succeeded},
		{name: "with alarms", before: watchesAlarm, run: run, want: action.Succeeded},
		{name: "tasks fail", before: tasksFail, run: run, want: action.Succeeded},
		{name: "while a deployment runs", before: func(s *site) {
			rollingOut("")(s)
			time.Sleep(15 * time.Second)
		}, run: run, want: action.Succeeded},
	}
}

// watchesAlarm lets deployments of the service watch an alarm, which is quiet.
func watchesAlarm(s *site) {
	s.sb.SetAlarm("errors", "OK")
	s.engine(func(_ *engine.Engine, service *engine.Service) error {
		service.Config.Document["alarms"] = json.RawMessage(`{"alarmNames":["errors"],"enable":true,"rollback":true}`)
		return nil
	})
}

// tasksFail lets the tasks of the service crash for some minutes.
func tasksFail(s *site) {
	s.sb.SetBehaviour(repository+":v1", *s.behaviour(crashing))
	s.engine(func(e *engine.Engine, _ *engine.Service) error {
		c, err := e.Cluster(cluster)
		s.must(err)
		e.StopTask(c.Tasks[0], "somebody's wish")
		return nil
	})
	time.Sleep(5 * time.Minute)
}

// doctorScenarios are looks at a service with a domain: at all of it, while its tasks fail, and with its secrets.
func doctorScenarios() []scenario {
	run := func(secrets bool) func(s *site) (action.Outcome, error) {
		return func(s *site) (action.Outcome, error) {
			env := *s.env
			env.Screen = action.Screen{Width: func() int { return 120 }}
			in := doctor.Inputs{Area: doctor.All, Bastion: "quartz-bastion-dev", ReadSecrets: secrets}
			in.Cluster, in.Service = cluster, service
			out, err := doctor.Run(s.ctx, &env, in)
			if err == nil && out.Outcome == "" {
				out.Outcome = action.Succeeded
			}
			return out.Outcome, err
		}
	}
	const domain = "domain: {zone: example.com, host: api.example.com}\n"
	return []scenario{
		{name: "all is well", more: domain, before: watchesAlarm, run: run(false), want: action.Succeeded},
		{name: "secrets are read", more: domain, run: run(true), want: action.Succeeded},
		{name: "tasks fail", more: domain, before: tasksFail, run: run(false), want: action.Failed},
	}
}

func migrateInputs() migrate.Inputs {
	return migrate.Inputs{Cluster: cluster, Service: service, Image: "v2", Command: "alembic upgrade head", Timeout: 15 * time.Minute}
}

func migration(in migrate.Inputs) func(*site) (action.Outcome, error) {
	return func(s *site) (action.Outcome, error) {
		out, err := migrate.Run(s.ctx, s.env, in)
		if err == nil && out.Outcome == "" {
			out.Outcome = action.Succeeded
		}
		return out.Outcome, err
	}
}

func migrateScenarios() []scenario {
	in, missing := migrateInputs(), migrateInputs()
	missing.Image = "v9"
	slow := `{run: {"*": {after: 10m}}}`
	return []scenario{
		{name: "success", before: image(""), run: migration(in), want: action.Succeeded},
		{name: "command fails", before: image(failing), run: migration(in), want: action.Failed},
		{name: "the same image again", before: func(s *site) {
			image("")(s)
			_, err := migration(in)(s)
			s.must(err)
		}, run: migration(in), want: action.Succeeded},
		{name: "no template", service: ", template: false", before: image(""), run: migration(in), want: action.Succeeded},
		{name: "cancelled", before: image(slow), cancel: time.Minute, run: migration(in), want: action.Cancelled},
		{name: "two at the same moment", before: image(slow), run: func(s *site) (action.Outcome, error) {
			s.meanwhile()
			return migration(in)(s)
		}, want: action.Invalid},
		{name: "image that does not exist", run: migration(missing), want: action.Invalid},
	}
}

// meanwhile has somebody else start the same migration while the run, which has seen none, asks for its own.
func (s *site) meanwhile() {
	var once sync.Once
	next := s.env.Transport
	s.env.Transport = transport(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".RunTask") {
			once.Do(func() {
				body, err := io.ReadAll(r.Body)
				s.must(err)
				var request engine.RunRequest
				s.must(json.Unmarshal(body, &request))
				request.ClientToken = ""
				s.sb.Inspect(func(e *engine.Engine) {
					c, err := e.Cluster(cluster)
					s.must(err)
					_, _, err = e.RunTask(c, request)
					s.must(err)
				})
				time.Sleep(time.Second)
				r.Body = io.NopCloser(bytes.NewReader(body))
			})
		}
		return next.RoundTrip(r)
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func releaseInputs(source string) release.Inputs {
	return release.Inputs{Cluster: cluster, Service: service, Source: source, Repository: repository,
		Push: ecrpush.Inputs{Tags: []string{"v2"}, Scan: "fail", Severity: "HIGH"}, Migrate: true,
		Migration: migrate.Inputs{Command: "alembic upgrade head", Timeout: 15 * time.Minute},
		Deploy:    ecsdeploy.Inputs{Wait: true, Timeout: 30 * time.Minute}}
}

func releaseScenarios() []scenario {
	run := func(s *site, in release.Inputs) (action.Outcome, error) {
		out, err := release.Run(s.ctx, s.env, in)
		return out.Outcome, err
	}
	of := func(behaviour string) func(*site) (action.Outcome, error) {
		return func(s *site) (action.Outcome, error) { return run(s, releaseInputs(s.layout("v2", behaviour))) }
	}
	archive := func(last uint64) func(*site) (action.Outcome, error) {
		return func(s *site) (action.Outcome, error) { return run(s, releaseInputs(s.saved(three(last)))) }
	}
	there := func(change func(*release.Inputs)) func(*site) (action.Outcome, error) {
		return func(s *site) (action.Outcome, error) {
			in := releaseInputs("")
			in.Repository, in.Push.Tags, in.Image = "", nil, "v2"
			if change != nil {
				change(&in)
			}
			return run(s, in)
		}
	}
	return []scenario{
		{name: "push, migrate, deploy", run: of(""), want: action.Succeeded},
		{name: "a service deployment that is listed late", more: "lag: {serviceDeployments: 12s}\n", run: of(""), want: action.Succeeded},
		{name: "another tag for what is there", run: func(s *site) (action.Outcome, error) { return run(s, releaseInputs("tag:v1")) },
			want: action.Succeeded},
		{name: "one layer differs", before: func(s *site) {
			_, err := archive(7)(s)
			s.must(err)
		}, run: archive(8), want: action.Succeeded},
		{name: "migration fails", run: of(failing), want: action.Failed},
		{name: "crash after the migration", run: of(crashLate), want: action.RolledBack},
		{name: "cancelled in the migration", cancel: time.Minute, run: of(`{run: {"*": {after: 10m}}}`), want: action.Cancelled},
		{name: "image that is there", before: image(""), run: there(nil), want: action.Succeeded},
		{name: "image that does not exist", run: there(func(in *release.Inputs) { in.Image = "v9" }), want: action.Invalid},
		{name: "in spite of a hold", before: func(s *site) {
			image("")(s)
			_, err := there(nil)(s)
			s.must(err)
			_, err = rollback("previous")(s)
			s.must(err)
		}, run: there(func(in *release.Inputs) { in.Deploy.OverrideHold = true }), want: action.Succeeded},
		{name: "from another repository", before: elsewhere, run: func(s *site) (action.Outcome, error) {
			return run(s, releaseInputs("ecr:"+otherSource+":v5"))
		}, want: action.Succeeded},
		{name: "create-repository", repository: newRepository, run: func(s *site) (action.Outcome, error) {
			in := releaseInputs(s.layout("v2", ""))
			in.Repository, in.Push.CreateRepository, in.Migrate = newRepository, true, false
			return run(s, in)
		}, want: action.Succeeded},
		{name: "two migrations at the same moment", before: image(`{run: {"*": {after: 10m}}}`), run: func(s *site) (action.Outcome, error) {
			s.meanwhile()
			return there(nil)(s)
		}, want: action.Invalid},
	}
}
