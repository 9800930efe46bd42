package ecsrollback_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// releases are made by people, each from a commit of its own: v2 by ada, v3 by grace, v4 by linus, whose tasks crash.
var releases = []struct{ tag, commit, by, behaviour string }{
	{"v2", "2222222222222222222222222222222222222222", "ada", ""},
	{"v3", "3333333333333333333333333333333333333333", "grace", ""},
	{"v4", "4444444444444444444444444444444444444444", "linus", "{start: crash, after: 2s}"},
	{"v5", "5555555555555555555555555555555555555555", "linus", ""},
}

// release updates the service to a new revision with this image and the tags that a release gives it.
func (s *site) release(digest string, tags map[string]string) {
	s.T.Helper()
	s.Sandbox.Inspect(func(e *engine.Engine) {
		running, err := e.TaskDefinition(family)
		if err != nil {
			s.T.Fatal(err)
		}
		text, err := json.Marshal(running.Document)
		if err != nil {
			s.T.Fatal(err)
		}
		td, err := e.RegisterTaskDefinition(regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAll(text, []byte("@"+digest)), "somebody")
		if err != nil {
			s.T.Fatal(err)
		}
		for key, value := range tags {
			td.Tags = append(td.Tags, engine.Tag{Key: "connect2:" + key, Value: value})
		}
		c, err := e.Cluster(cluster)
		if err != nil {
			s.T.Fatal(err)
		}
		if err := e.UpdateService(c.Service(service), engine.ServiceChange{TaskDefinition: td.ARN}); err != nil {
			s.T.Fatal(err)
		}
	})
}

// released is a service with these releases behind it.
func released(t *testing.T, test func(t *testing.T, s *site, digests map[string]string)) {
	t.Helper()
	digests := map[string]string{}
	at(t, "service: {healthInterval: 5s, gracePeriod: 10, deregisterAfter: 5s}\n", func(t *testing.T, s *site) {
		for _, r := range releases {
			digests[r.tag] = s.Push(r.tag, r.behaviour)
			s.release(digests[r.tag], map[string]string{"image-tag": r.tag, "commit": r.commit, "by": r.by})
			time.Sleep(time.Hour)
		}
		test(t, s, digests)
	})
}

// TestCandidatesAsATable shows whoever rolls back what there is to go back to: what each version is, whose, since when, and why one
// cannot be taken.
func TestCandidatesAsATable(t *testing.T) {
	released(t, func(t *testing.T, s *site, digests map[string]string) {
		conn, err := awsconn.Connect(t.Context(), s.Env, awsconn.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		gone, err := ecr.NewFromConfig(conn.Config).BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{
			RepositoryName: aws.String(repository), ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(digests["v2"])}}})
		if err != nil || len(gone.Failures) > 0 {
			t.Fatalf("%v, %+v", err, gone)
		}
		out, err := s.rollback(inputs(""))
		s.Log.End(out.Outcome, err)
		wantOutcome(t, out, err, action.Succeeded)
		summary := s.Log.Summary()
		for _, row := range []string{
			`\| Revision \| Image tag \| Commit \| Released \| By \| Ended \| Remark \|`,
			"\\| `" + family + ":3` \\| v3 \\| 3333333 \\| 2000-01-01 \\d\\d:\\d\\d UTC \\| grace \\| successful \\| the target \\|",
			"\\| `" + family + ":2` \\| v2 \\| 2222222 \\| 2000-01-01 \\d\\d:\\d\\d UTC \\| ada \\| successful \\| its image is gone",
			"\\| `" + family + ":1` \\|",
		} {
			if !regexp.MustCompile(row).MatchString(summary) {
				t.Errorf("the summary lacks %s:\n%s", row, summary)
			}
		}
		log := regexp.MustCompile(`\s+`).ReplaceAllString(s.Log.Text(), " ")
		for _, row := range []string{"REVISION IMAGE TAG COMMIT RELEASED BY ENDED REMARK", family + ":2 v2 2222222 2000-01-01 "} {
			if !strings.Contains(log, row) {
				t.Errorf("the log lacks %s:\n%s", row, s.Log.Text())
			}
		}
		if strings.Contains(summary, "444444") {
			t.Errorf("a version that never served is offered:\n%s", summary)
		}
	})
}

// TestToWhatPeopleQuote goes to a version by its image tag, its commit, or the commit as git shortens it.
func TestToWhatPeopleQuote(t *testing.T) {
	for _, to := range []string{"v2", releases[0].commit, "2222222"} {
		t.Run(to, func(t *testing.T) {
			released(t, func(t *testing.T, s *site, _ map[string]string) {
				out, err := s.rollback(inputs(to))
				wantOutcome(t, out, err, action.Succeeded)
				s.wantAt("2")
				if out.Commit != releases[0].commit {
					t.Errorf("commit %q", out.Commit)
				}
			})
		})
	}
}

// TestConsoleLinks leads from the summary into the console: to the service and to the deployment that was made.
func TestConsoleLinks(t *testing.T) {
	released(t, func(t *testing.T, s *site, _ map[string]string) {
		out, err := s.rollback(inputs(""))
		s.Log.End(out.Outcome, err)
		wantOutcome(t, out, err, action.Succeeded)
		const base = "https://us-west-2.console.aws.amazon.com/ecs/v2/clusters/" + cluster + "/services/" + service
		for _, want := range []string{base + "/health?region=us-west-2", base + "/deployments/", "| **Serving now** | `" + family + ":3` |"} {
			if !strings.Contains(s.Log.Summary(), want) {
				t.Errorf("the summary lacks %s:\n%s", want, s.Log.Summary())
			}
		}
	})
}

// TestTheCommitThatServes tells the commit that a rollback brings back, also where it stops a deployment that is under way.
func TestTheCommitThatServes(t *testing.T) {
	released(t, func(t *testing.T, s *site, digests map[string]string) {
		s.release(digests["v4"], map[string]string{"image-tag": "v4", "commit": releases[2].commit})
		time.Sleep(20 * time.Second)
		out, err := s.rollback(inputs(""))
		wantOutcome(t, out, err, action.Succeeded)
		if out.Commit != releases[3].commit || !strings.HasSuffix(out.TaskDefinitionARN, ":5") {
			t.Errorf("%s of commit %q", out.TaskDefinitionARN, out.Commit)
		}
	})
}
