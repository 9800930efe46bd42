package ecsdeploy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// registeredTo registers revisions :2 to :N that are never deployed, and returns a deployment that keeps two.
func (s *site) registeredTo(last int) ecsdeploy.Inputs {
	s.T.Helper()
	for n := 2; n <= last; n++ {
		s.Push(fmt.Sprintf("r%d", n), `{run: {"*": {after: 1h}}}`)
		in := inputs(fmt.Sprintf("r%d", n))
		in.RegisterOnly = true
		if out, err := s.deploy(in); err != nil || !strings.HasSuffix(out.TaskDefinitionARN, fmt.Sprintf(":%d", n)) {
			s.T.Fatalf("registering: %s, %v", out.TaskDefinitionARN, err)
		}
	}
	s.Fresh()
	s.Push("new", "")
	in := inputs("new")
	in.Revisions.Keep = 2
	return in
}

// activeNumbers returns the numbers of the family's ACTIVE revisions.
func (s *site) activeNumbers() string {
	s.T.Helper()
	out, err := ecs.NewFromConfig(s.Config()).ListTaskDefinitions(s.T.Context(),
		&ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String(family)})
	if err != nil {
		s.T.Fatal(err)
	}
	var numbers []string
	for _, revision := range out.TaskDefinitionArns {
		numbers = append(numbers, strings.TrimPrefix(arn.Revision(revision), family+":"))
	}
	return strings.Join(numbers, " ")
}

// TestKeepRevisions deregisters what nothing needs, once the deployment stands, and no more of it.
func TestKeepRevisions(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		in := s.registeredTo(7)
		s.PutRule("digest", family+":2")
		s.PutSchedule("report", family+":4")
		client := ecs.NewFromConfig(s.Config())
		ran, err := client.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String(cluster), TaskDefinition: aws.String(family + ":5"),
			LaunchType: types.LaunchTypeFargate, NetworkConfiguration: &types.NetworkConfiguration{
				AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-0a1b2c3d4e5f60001"}}}})
		if err != nil || len(ran.Tasks) != 1 {
			t.Fatalf("%+v: %v", ran, err)
		}
		dry := in
		dry.DryRun = true
		if _, err := s.deploy(dry); err != nil || !strings.Contains(s.Log.Text(), "2 revisions of "+family+" would be deregistered: :3, :6") {
			t.Errorf("dry run: %v\n%s", err, s.Log.Text())
		}
		s.Fresh()
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		// :1 ran before, :2 and :4 are scheduled, :5 runs, :7 and :8 are the newest two.
		if got := s.activeNumbers(); got != "1 2 4 5 7 8" {
			t.Errorf("ACTIVE are %s", got)
		}
		for _, told := range []string{s.Log.Text(), s.Log.Summary()} {
			if want := "2 revisions of " + family + ": :3, :6"; !strings.Contains(told, want) {
				t.Errorf("it lacks %q:\n%s", want, told)
			}
		}
		if warnings := s.Log.Warnings(); len(warnings) > 0 {
			t.Errorf("warned of %q", warnings)
		}
		s.Push("bad", "{start: crash, exitCode: 3}")
		in.Image = "bad"
		s.PutRule("digest", family+":7")
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.RolledBack)
		if got := s.activeNumbers(); got != "1 2 4 5 7 8" { // :9 failed; what failed clears up nothing else
			t.Errorf("ACTIVE are %s after a failure", got)
		}
	})
}

// TestKeepRevisionsAfterHistory deregisters what ran before the history that ECS keeps, and not what a rollback still needs.
func TestKeepRevisionsAfterHistory(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		in := s.registeredTo(2)
		in.Revisions.Keep = 1
		s.mustDeploy("r2")
		time.Sleep(20 * time.Minute)
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if got := s.activeNumbers(); got != "1 2 3" { // all within 90 days
			t.Errorf("ACTIVE are %s", got)
		}
		time.Sleep(91 * 24 * time.Hour)
		s.Fresh()
		s.Push("later", "")
		in.Image = "later"
		out, err = s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if got := s.activeNumbers(); got != "3 4" { // what ran before is what a rollback goes back to
			t.Errorf("ACTIVE are %s after 91 days", got)
		}
	})
}

// TestKeepRevisionsRefused leaves all that is registered where anything cannot be read or done, and is only warned of it.
func TestKeepRevisionsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		fault sandbox.Fault
		want  string
	}{
		"list":        {sandbox.Fault{Action: "ecs:ListTaskDefinitions", Answer: sandbox.Deny}, "ecs:ListTaskDefinitions"},
		"tasks":       {sandbox.Fault{Action: "ecs:ListTasks", Answer: sandbox.Deny}, "ecs:ListTasks"},
		"history":     {sandbox.Fault{Action: "ecs:ListServiceDeployments", Answer: sandbox.Deny}, "ecs:ListServiceDeployments"},
		"rules":       {sandbox.Fault{Action: "events:ListRuleNamesByTarget", Answer: sandbox.Deny}, "events:ListRuleNamesByTarget"},
		"schedules":   {sandbox.Fault{Action: "scheduler:ListSchedules", Answer: sandbox.Deny}, "scheduler:ListSchedules"},
		"denied":      {sandbox.Fault{Action: "ecs:DeregisterTaskDefinition", Answer: sandbox.Deny}, "ecs:DeregisterTaskDefinition"},
		"throttled":   {sandbox.Fault{Action: "ecs:DeregisterTaskDefinition", Answer: sandbox.Throttle}, "2 revisions that nothing needs"},
		"unavailable": {sandbox.Fault{Action: "ecs:ListTaskDefinitions", Answer: sandbox.Unavailable}, "None was deregistered"},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				in := s.registeredTo(4)
				s.inject(test.fault)
				out, err := s.deploy(in)
				wantOutcome(t, out, err, action.Succeeded)
				if err := s.Sandbox.Inject(); err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(s.Log.Text(), test.want) {
					t.Errorf("not told %q:\n%s", test.want, s.Log.Text())
				}
				for _, call := range s.Mutations() {
					if call == "ecs:DeregisterTaskDefinition" && name != "throttled" && name != "denied" {
						t.Error("a revision was deregistered")
					}
				}
			})
		})
	}
}

// TestKeepRevisionsAlone refuses it where nothing is followed to its end.
func TestKeepRevisionsAlone(t *testing.T) {
	for _, change := range []func(*ecsdeploy.Inputs){
		func(in *ecsdeploy.Inputs) { in.Wait = false },
		func(in *ecsdeploy.Inputs) { in.RegisterOnly = true },
		func(in *ecsdeploy.Inputs) { in.RenderOnly = "file.json" },
	} {
		in := inputs("v2")
		in.Revisions.Keep = 3
		if problems := in.Validate(); len(problems) != 0 {
			t.Errorf("refused: %v", problems)
		}
		change(&in)
		if problems := in.Validate(); len(problems) != 1 || !strings.Contains(problems[0].Error(), "keep-revisions: ") {
			t.Errorf("problems: %v", problems)
		}
		in.Revisions.Keep = 0
		if problems := in.Validate(); len(problems) != 0 {
			t.Errorf("off, and refused: %v", problems)
		}
	}
}

// TestKeepRevisionsOnHold leaves a revision that was never deployed, and whose image is on hold.
func TestKeepRevisionsOnHold(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		in := s.registeredTo(4)
		client := ecs.NewFromConfig(s.Config())
		revision, err := client.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(family + ":3")})
		if err != nil {
			t.Fatal(err)
		}
		_, digest, _ := strings.Cut(aws.ToString(revision.TaskDefinition.ContainerDefinitions[0].Image), "@")
		s.hold(digest)
		in.Revisions.Keep = 1
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if got := s.activeNumbers(); got != "1 3 5" {
			t.Errorf("ACTIVE are %s", got)
		}
	})
}

// TestKeepRevisionsOfSeveral waits for all services of the release, and leaves everything where one of them fails.
func TestKeepRevisionsOfSeveral(t *testing.T) {
	for _, behaviour := range []string{bad, ""} {
		sandboxtest.Run(t, several, func(t *testing.T, s *sandboxtest.Site) {
			run := func(in ecsdeploy.Inputs) (ecsdeploy.Outputs, error) { return ecsdeploy.Run(t.Context(), s.Env, in) }
			s.Push("never", "")
			for _, name := range []string{service, worker} {
				in := inputs("never")
				in.Service, in.RegisterOnly = name, true
				if _, err := run(in); err != nil {
					t.Fatal(err)
				}
			}
			s.Fresh()
			s.Push("v2", behaviour)
			in := ofSeveral(t, "v2")
			in.Revisions.Keep = 1
			_, err := run(in)
			told := s.Log.Text()
			api, jobs := "deregistered 1 revision of "+family+": :2", "deregistered 1 revision of "+worker+": :2"
			if gone := strings.Contains(told, api) && strings.Contains(told, jobs); gone != (behaviour == "") || (err == nil) != gone {
				t.Errorf("with %q: %v\n%s", behaviour, err, told)
			}
			if behaviour != "" && strings.Contains(told, ": :2") {
				t.Errorf("deregistered after a failure:\n%s", told)
			}
		})
	}
}
