//go:build act

package workflowtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

type ecrImage = ecrtypes.ImageIdentifier

const deployWorkflow, rollbackWorkflow = ".github/workflows/deploy.yml", ".github/workflows/rollback.yml"

// A push to each branch releases to its environment: built once, migrated, deployed by digest.
func TestDeployByBranch(t *testing.T) {
	for environment, branch := range map[string]string{"dev": "development", "staging": "staging", "prod": "main"} {
		t.Run(branch, func(t *testing.T) {
			s := newSite(t, environment, "repository: {mutability: IMMUTABLE}")
			repository := "connect2-api-" + environment
			commit := s.git("rev-parse", branch)
			tree := s.git("rev-parse", branch+"^{tree}")

			r := s.act("push", branch, deployWorkflow)
			if r.failed {
				t.Fatal("the run failed")
			}
			digest := r.outputs["push.digest"]
			r.expect(t, map[string]string{
				"plan.environment": environment, "plan.commit": commit, "plan.tree": tree, "known.outcome": "no-change", "known.digest": "",
				"push.outcome": "succeeded", "push.tags": commit + ",tree-" + tree,
				"deploy.outcome": "succeeded", "deploy.digest": digest, "deploy.changed": "true",
			})
			if r.steps["Build"] != "success" || s.tagged(repository, commit) != digest || s.tagged(repository, "tree-"+tree) != digest ||
				digest == "" {
				t.Errorf("built: %q; %s is %s, tree-%s is %s, want %s", r.steps["Build"], commit, s.tagged(repository, commit), tree,
					s.tagged(repository, "tree-"+tree), digest)
			}
			running, image := s.service()
			if !strings.HasSuffix(image, "/"+repository+"@"+digest) || running.RunningCount != 2 || len(running.Deployments) != 1 {
				t.Errorf("%s runs %d times in %d deployments, want digest %s twice in one", image, running.RunningCount,
					len(running.Deployments), digest)
			}
			if s.did("ecs:RunTask") != 1 || s.did("ecs:UpdateService") != 1 {
				t.Errorf("%d migrations and %d deployments, want one each%s%s", s.did("ecs:RunTask"), s.did("ecs:UpdateService"),
					s.calls("ecs:RunTask"), s.calls("ecs:UpdateService"))
			}
			for _, e := range s.sb.Journal() {
				if e.Mutating && !strings.Contains(e.Caller, "assumed-role/"+repository+"-deploy/") && e.Service != "sts" {
					t.Errorf("%s was called by %s, not by the role", e.Name(), e.Caller)
				}
			}
			for _, words := range []string{"## ✅ ecr-push: succeeded", "/connect2-api-" + environment + "@sha256:",
				"## ✅ migrate: succeeded", "## ✅ ecs-deploy: succeeded", "connect2-api-service-" + environment,
				"| **Deployed** | `connect2-api-" + environment + ":2` |"} {
				if !strings.Contains(r.summary, words) {
					t.Errorf("the summaries do not speak of %s:\n%s", words, r.summary)
				}
			}

			// Again, as somebody who presses "Re-run all jobs".
			s.sb.ResetJournal()
			again := s.act("push", branch, deployWorkflow)
			again.expect(t, map[string]string{"known.digest": digest, "deploy.outcome": "no-change", "deploy.changed": "false"})
			if again.failed || again.steps["Build"] == "success" || s.did("ecr:PutImage")+s.did("ecr:InitiateLayerUpload")+
				s.did("ecs:UpdateService") > 0 {
				t.Errorf("a re-run: failed %v, built %q, pushed %d times, deployed %d times", again.failed, again.steps["Build"], s.did("ecr:PutImage"),
					s.did("ecs:UpdateService"))
			}
		})
	}
}

// prod gets what staging had of the same tree, whatever staging runs now.
func TestPromotion(t *testing.T) {
	s := newSite(t, "prod", "")
	_, err := ecr.NewFromConfig(s.config()).CreateRepository(t.Context(),
		&ecr.CreateRepositoryInput{RepositoryName: aws.String("connect2-api-staging")})
	if err != nil {
		t.Fatal(err)
	}
	s.vars["ECR_REPOSITORY_STAGING"] = "connect2-api-staging"
	tree, commit := s.git("rev-parse", "main^{tree}"), s.git("rev-parse", "main")
	image, err := sandbox.NewImage("promoted", nil)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.sb.Push("connect2-api-staging", "tree-"+tree, image)
	if err != nil {
		t.Fatal(err)
	}
	r := s.act("push", "main", deployWorkflow)
	r.expect(t, map[string]string{"promoted.digest": digest, "deploy.outcome": "succeeded", "deploy.digest": digest})
	if _, running := s.service(); r.failed || r.steps["Build"] == "success" || !strings.HasSuffix(running, "/connect2-api-prod@"+digest) ||
		s.tagged("connect2-api-prod", commit) != digest {
		t.Errorf("failed: %v, built: %q, it runs %s, want %s", r.failed, r.steps["Build"], running, digest)
	}

	// A tree that staging never had, where the caller wants none built.
	s.git("checkout", "-q", "main")
	s.git("rm", "-q", "README.md")
	s.git("commit", "-q", "-m", "Another tree")
	s.sb.ResetJournal()
	path := filepath.Join(s.kit.repository, ".github/workflows/service-deploy.yml")
	r = s.act("workflow_call", "main", path, "without-promotion=stop", "environment=prod")
	r.expect(t, map[string]string{"promoted.outcome": "invalid"})
	if !r.failed || s.did("ecs:UpdateService")+s.did("ecs:RunTask")+s.did("ecr:PutImage") > 0 || r.steps["Build"] == "success" {
		t.Errorf("without a tree to promote: failed %v, built %q, deployed %d times", r.failed, r.steps["Build"], s.did("ecs:UpdateService"))
	}
}

// Another branch's commit does not get into an environment, not even by hand.
func TestOtherBranches(t *testing.T) {
	s := newSite(t, "prod", "")
	path := filepath.Join(s.kit.repository, ".github/workflows/service-deploy.yml")
	r := s.act("workflow_dispatch", "feature", path, "environment=prod")
	if !r.failed || !strings.Contains(r.log, "prod takes commits of main only") || len(s.sb.Journal()) > 0 {
		t.Errorf("failed: %v, %d calls", r.failed, len(s.sb.Journal()))
	}
	r = s.act("workflow_dispatch", "feature", path)
	if !r.failed || !strings.Contains(r.log, "No environment for this branch") || len(s.sb.Journal()) > 0 {
		t.Errorf("without an environment: failed: %v, %d calls", r.failed, len(s.sb.Journal()))
	}
}

// A run whose build was slow comes after that of the next commit: it ends before it changes anything, unless its commit was asked
// for, which the form takes in git's short form too.
func TestOlderCommit(t *testing.T) {
	s := newSite(t, "dev", "")
	older := s.git("rev-parse", "development")
	s.change("development", "README.md", "newer")
	if r := s.act("push", "development", deployWorkflow); r.failed {
		t.Fatal("the newer commit failed")
	}
	newer := s.git("rev-parse", "development")
	s.sb.ResetJournal()
	s.git("checkout", "-q", "development")
	s.git("reset", "-q", "--hard", older)
	s.git("branch", "-f", "later", newer) // the remote has it; the run's own commit is the older one
	r := s.act("push", "development", deployWorkflow)
	if !r.failed || s.did("ecs:RunTask")+s.did("ecs:UpdateService") > 0 || !strings.Contains(r.log, "A newer commit runs already") {
		t.Errorf("failed: %v, %d migrations, %d deployments", r.failed, s.did("ecs:RunTask"), s.did("ecs:UpdateService"))
	}
	s.git("reset", "-q", "--hard", newer)
	r = s.act("workflow_dispatch", "development", deployWorkflow, "environment=dev", "ref="+older[:7])
	// Both commits are of one image here, so that there is nothing to do; what counts is that it is not refused.
	r.expect(t, map[string]string{"plan.commit": older, "deploy.outcome": "no-change"})
	if r.failed {
		t.Error("the older commit, asked for, failed")
	}
}

// A rehearsal goes through all steps and changes nothing.
func TestDryRun(t *testing.T) {
	s := newSite(t, "dev", "")
	path := filepath.Join(s.kit.repository, ".github/workflows/service-deploy.yml")
	r := s.act("workflow_dispatch", "development", path, "environment=dev", "dry-run=true")
	var did []string
	for _, e := range s.sb.Journal() {
		if e.Mutating && e.Service != "sts" {
			did = append(did, e.Name())
		}
	}
	if r.failed || len(did) > 0 {
		t.Errorf("failed: %v, did %q", r.failed, did)
	}
	if r.outputs["push.outcome"] != "succeeded" || r.outputs["deploy.outcome"] == "" ||
		s.tagged("connect2-api-dev", r.outputs["plan.commit"]) != "" {
		t.Errorf("outputs %q", r.outputs)
	}
}

// A release that crashes is named, rolled back, and fails the run.
func TestBadRelease(t *testing.T) {
	s := newSite(t, "dev", "")
	_, before := s.service()
	s.sb.SetBehaviour(s.git("rev-parse", "development"),
		engine.Behaviour{Start: "crash", ExitCode: new(3), Logs: []string{"KeyError: 'DATABASE_URL'"},
			Run: map[string]engine.Run{"alembic": {}}})
	r := s.act("push", "development", deployWorkflow)
	r.expect(t, map[string]string{"deploy.outcome": "rolled-back"})
	if !r.failed || r.outputs["deploy.cause"] == "" || !strings.Contains(r.summary, "KeyError: 'DATABASE_URL'") {
		t.Errorf("failed: %v, cause %q, summary:\n%s", r.failed, r.outputs["deploy.cause"], r.summary)
	}
	if _, after := s.service(); after != before {
		t.Errorf("it runs %s, want %s", after, before)
	}
}

// A failed migration stops the release before the service is touched.
func TestFailedMigration(t *testing.T) {
	s := newSite(t, "dev", `images: {"*": {run: {"alembic": {exitCode: 1, logs: ["Can't locate revision identified by 'abc'"]}}}}`)
	r := s.act("push", "development", deployWorkflow)
	if !r.failed || s.did("ecs:RunTask") != 1 || s.did("ecs:UpdateService") != 0 ||
		!strings.Contains(r.summary+r.log, "Can't locate revision") {
		t.Errorf("failed: %v, %d migrations, %d deployments\n%s", r.failed, s.did("ecs:RunTask"), s.did("ecs:UpdateService"), r.summary)
	}
}

// The form shows the candidates, then goes back.
func TestRollback(t *testing.T) {
	s := newSite(t, "prod", "service: {releases: [v1, v2]}")
	first := s.tagged("connect2-api-prod", "v1")
	_, before := s.service()
	r := s.act("workflow_dispatch", "main", rollbackWorkflow, "environment=prod", "target=previous", "dry-run=true")
	_, after := s.service()
	if r.failed || before != after || s.did("ecs:UpdateService") != 0 || !strings.Contains(r.summary, "connect2-api-prod:1") {
		t.Errorf("showing the candidates: failed %v, %d updates, summary:\n%s", r.failed, s.did("ecs:UpdateService"), r.summary)
	}
	r = s.act("workflow_dispatch", "main", rollbackWorkflow, "environment=prod", "target=previous", "reason=Orders fail; see $(incident) 7")
	r.expect(t, map[string]string{"rollback.outcome": "succeeded", "rollback.changed": "true", "rollback.digest": first})
	running, image := s.service()
	if r.failed || !strings.HasSuffix(image, "@"+first) || running.RunningCount != 2 {
		t.Errorf("failed: %v, %s runs %d times, want %s", r.failed, image, running.RunningCount, first)
	}
	if notes := s.notes(); !strings.Contains(fmt.Sprint(notes), "Orders fail") {
		t.Errorf("the reason was not kept: %q", notes)
	}
}

// Another repository's own workflow uses an action by itself, which is built from the Dockerfile at this repository's root.
func TestCallerInAnotherRepository(t *testing.T) {
	s := newSite(t, "dev", "")
	s.branch = true
	s.write(".github/workflows/own.yml", `
on: push
jobs:
  ship:
    runs-on: ubuntu-latest
    steps:
      - id: deploy
        uses: org/connect2/actions/ecs-deploy@v2
        with:
          role-to-assume: ${{ vars.AWS_DEPLOY_ROLE }}
          region: us-west-2
          cluster: ${{ vars.ECS_CLUSTER }}
          service: ${{ vars.ECS_SERVICE }}
          image: v1
          environment-variables: GREETING=hello
      - id: after
        env:
          OUTCOME: ${{ steps.deploy.outputs.outcome }}
        run: echo "said=it $OUTCOME" >>"$GITHUB_OUTPUT"
`)
	r := s.act("push", "development", ".github/workflows/own.yml")
	r.expect(t, map[string]string{"deploy.outcome": "succeeded", "after.said": "it succeeded",
		"deploy.digest": s.tagged("connect2-api-dev", "v1")})
	if r.failed || s.did("ecs:UpdateService") != 1 {
		t.Errorf("failed: %v, %d deployments", r.failed, s.did("ecs:UpdateService"))
	}
}

// A pull request plans the environments whose files it touches: all of them for a module, none of the others for one alone.
func TestEnvironmentsOfAPullRequest(t *testing.T) {
	s := newSite(t, "dev", "")
	path := s.kit.infrastructure(t)
	all := func(environments ...string) string {
		branches := map[string]string{"dev": "development", "staging": "staging", "prod": "main"}
		var entries []string
		for _, e := range environments {
			entries = append(entries, fmt.Sprintf(`{"environment":%q,"branch":%q}`, e, branches[e]))
		}
		return "[" + strings.Join(entries, ",") + "]"
	}
	for _, c := range []struct{ event, branch, file, want string }{
		{"pull_request", "feature", "terraform/modules/rds/main.tf", all("dev", "staging", "prod")},
		{"pull_request", "feature", "terraform/environments/staging/staging.tfvars", all("staging")},
		{"pull_request", "feature", "terraform/environments/staging-old/main.tf", "[]"},
		{"pull_request", "feature", "terraform/test/run", "[]"},
		{"push", "main", "terraform/modules/rds/main.tf", all("prod")},
		{"push", "main", "docs/iam/migrate.json", all("prod")},
		{"push", "main", "terraform/environments/dev/dev.tfvars", "[]"},
		{"schedule", "main", "README.md", all("dev", "staging", "prod")},
	} {
		s.git("checkout", "-q", c.branch)
		s.base = s.git("rev-parse", "HEAD")
		if err := os.MkdirAll(filepath.Join(s.caller, filepath.Dir(c.file)), 0o755); err != nil {
			t.Fatal(err)
		}
		s.change(c.branch, c.file, c.event+c.want)
		r := s.actJob("environments", c.event, c.branch, path)
		if got := r.outputs["choose.all"]; r.failed || got != c.want {
			t.Errorf("%s with %s: %s, want %s (failed: %v)", c.event, c.file, got, c.want, r.failed)
		}
	}
}
