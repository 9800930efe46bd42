package githubsetup

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// deployed is what AWS says of prod.
func deployed() Known {
	return Known{Environment: "prod", Region: "us-west-2", Account: "123456789012", Cluster: "connect2-api-cluster-prod",
		Service: "connect2-api-service-prod", Containers: []string{"connect2-api"}, Repository: "connect2-api-prod",
		RepositoryURL: "123456789012.dkr.ecr.us-west-2.amazonaws.com/connect2-api-prod"}
}

// inspect looks at GitHub's side of prod, and returns the names of what is wrong, of what was not read, and everything that was said.
func (s *standIn) inspect(t *testing.T, q Query) (wrong, unread []string, said string) {
	t.Helper()
	s.calls = nil
	q.Service, q.Known = "org/connect2-api", deployed()
	look, err := Inspect(t.Context(), "https://ghe.example/api/v3", "gh-secret-token", s, q)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.calls) > 0 {
		t.Errorf("it changed something: %q", s.calls)
	}
	for _, r := range look.Judge() {
		if r.What == "" || r.Wrong == (len(r.Fix) == 0) || r.Wrong && r.Unread {
			t.Errorf("it says too little: %+v", r)
		}
		if r.Wrong {
			wrong = append(wrong, r.Name)
		}
		if r.Unread {
			unread = append(unread, r.Name)
		}
		said += r.Name + ": " + r.What + "\n" + strings.Join(r.Evidence, "\n") + "\n" + strings.Join(r.Fix, "\n") + "\n"
	}
	if strings.Contains(said, "gh-secret-token") {
		t.Errorf("the token was told:\n%s", said)
	}
	return wrong, unread, said
}

// setUpStandIn is a GitHub that connect2 init --github has set up, with a service whose workflow calls the toolkit.
func setUpStandIn(t *testing.T) *standIn {
	t.Helper()
	s := newStandIn(t)
	if done := s.run(t, everything(t, "--yes")...); done.code != 0 {
		t.Fatalf("%+v", done)
	}
	s.visibility = map[string]string{"org/connect2": "public", "org/connect2-terraform": "public"}
	s.repositories["org/connect2-api"].files = map[string]string{".github/workflows/deploy.yml": "jobs:\n  deploy:\n" +
		"    uses: org/connect2/.github/workflows/service-deploy.yml@v2\n"}
	return s
}

// TestInspectWhatIsSetUp: what init has set up is right, on both repositories.
func TestInspectWhatIsSetUp(t *testing.T) {
	s := setUpStandIn(t)
	wrong, unread, said := s.inspect(t, Query{Infrastructure: "org/connect2"})
	if len(wrong)+len(unread) > 0 {
		t.Errorf("wrong %q, not read %q\n%s", wrong, unread, said)
	}
	for _, part := range []string{"prod-approval is as the workflows need it; people are asked first",
		"environment prod-rollback", "environment prod-apply",
		"environment prod-drift", "org/connect2 lets the repositories of its organization use", "ghcr.io/org/connect2-terraform is public"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not said:\n%s", part, said)
		}
	}
}

// TestInspectFindsOneFault plants one fault at a time: one remark alone finds it, by its name, and says what it is.
func TestInspectFindsOneFault(t *testing.T) {
	const file = "jobs:\n  rollback:\n    with:\n      file: connect2.yaml\n"
	api := func(s *standIn) *repository { return s.repositories["org/connect2-api"] }
	in := func(name string) func(s *standIn) *environment {
		return func(s *standIn) *environment { return api(s).environments[name] }
	}
	prod, approval, rollback := in("prod"), in("prod-approval"), in("prod-rollback")
	nobody := func(s *standIn) { approval(s).Reviewers = nil }
	for name, test := range map[string]struct {
		plant       func(*standIn)
		query       Query
		wrong, skip string // the remark
		says        string
	}{
		"no region": {plant: func(s *standIn) { delete(api(s).variables, "AWS_REGION") },
			wrong: "variables", says: "AWS_REGION is not set"},
		"another region": {plant: func(s *standIn) { api(s).variables["AWS_REGION"] = "eu-west-1" },
			wrong: "variables", says: "AWS_REGION is eu-west-1, and the service's is us-west-2"},
		"no role to push": {plant: func(s *standIn) { delete(api(s).variables, "AWS_PUSH_ROLE_PROD") },
			wrong: "variables", says: "AWS_PUSH_ROLE_PROD is not set"},
		"another repository": {plant: func(s *standIn) { api(s).variables["ECR_REPOSITORY_PROD"] = "other" },
			wrong: "variables", says: "ECR_REPOSITORY_PROD is other"},
		"its URL": {plant: func(s *standIn) { api(s).variables["ECR_REPOSITORY_PROD"] = deployed().RepositoryURL }},
		"the organization has it": {plant: func(s *standIn) {
			delete(api(s).variables, "AWS_REGION")
			api(s).shared = map[string]string{"AWS_REGION": "us-west-2"}
		}},
		"the repository is nearer": {plant: func(s *standIn) { api(s).shared = map[string]string{"AWS_REGION": "eu-west-1"} }},
		"a role of another account": {plant: func(s *standIn) {
			prod(s).Variables["AWS_DEPLOY_ROLE"] = "arn:aws:iam::999999999999:role/x"
		}, wrong: "environment prod", says: "AWS_DEPLOY_ROLE is of the account 999999999999, and the service is in 123456789012"},
		"no role": {plant: func(s *standIn) { prod(s).Variables["AWS_DEPLOY_ROLE"] = "connect2" },
			wrong: "environment prod", says: "not the ARN of a role"},
		"another cluster": {plant: func(s *standIn) { rollback(s).Variables["ECS_CLUSTER"] = "x" },
			wrong: "environment prod-rollback", says: "ECS_CLUSTER is x"},
		"another container": {plant: func(s *standIn) { prod(s).Variables["ECS_CONTAINER"] = "web" },
			wrong: "environment prod", says: "ECS_CONTAINER is web, and the service has connect2-api"},
		"no URL": {plant: func(s *standIn) { prod(s).Variables["SERVICE_URL"] = "api" },
			wrong: "environment prod", says: "not a URL"},
		"in the repository": {plant: func(s *standIn) {
			delete(prod(s).Variables, "SERVICE_URL")
			api(s).variables["SERVICE_URL"] = "https://x.example"
		}},
		"no environment": {plant: func(s *standIn) { delete(api(s).environments, "prod") },
			wrong: "environment prod", says: "makes it at its first use"},
		"no rule on branches": {plant: func(s *standIn) { prod(s).Policy = "" },
			wrong: "environment prod", says: "jobs of every branch may enter it"},
		"protected branches": {plant: func(s *standIn) { prod(s).Policy = "protected" },
			wrong: "environment prod", says: "all protected branches"},
		"not its branch": {plant: func(s *standIn) { prod(s).Branches[0].Name = "other" },
			wrong: "environment prod", says: "the branch main may not enter"},
		"a tag of its name": {plant: func(s *standIn) { prod(s).Branches[0].Type = "tag" },
			wrong: "environment prod", says: "the branch main may not enter"},
		"another branch as well": {plant: func(s *standIn) { prod(s).Branches = append(prod(s).Branches, branch{9, "fix", "branch"}) },
			says: "it takes the branch fix as well"},
		"nobody is asked": {plant: func(s *standIn) { nobody(s); api(s).unprotected = true },
			wrong: "environment prod-approval", says: "main is not protected either"},
		"main is the gate": {plant: nobody, says: "nobody is asked before a job enters it; main is protected"},
		"main is not read": {plant: func(s *standIn) { nobody(s); s.trouble["GET /repos/org/connect2-api/branches/main"] = 403 },
			skip: "environment prod-approval", says: "whether main is protected"},
		"people asked at night": {plant: func(s *standIn) { rollback(s).Reviewers = []reviewerRequest{{"User", 1}} },
			wrong: "environment prod-rollback", says: "people are asked"},
		"people hold the queue": {plant: func(s *standIn) { prod(s).Reviewers = []reviewerRequest{{"User", 1}} },
			wrong: "environment prod", says: "people are asked"},
		"a wait at night": {plant: func(s *standIn) { rollback(s).Wait = 30 },
			wrong: "environment prod-rollback", says: "waits 30 minutes"},
		"a wait before approval": {plant: func(s *standIn) { approval(s).Wait = 30 }},
		"names of a file": {plant: func(s *standIn) {
			api(s).files[".github/workflows/deploy.yml"] += "    with:\n      file: connect2.yaml\n"
			prod(s).Variables = map[string]string{"AWS_DEPLOY_ROLE": prod(s).Variables["AWS_DEPLOY_ROLE"], "SERVICE_URL": "https://x.example"}
			delete(api(s).variables, "ECR_REPOSITORY_PROD")
		}},
		"names of a file, and a rollback's": {plant: func(s *standIn) {
			api(s).files[".github/workflows/deploy.yml"] += "    with:\n      file: connect2.yaml\n"
			delete(rollback(s).Variables, "ECS_SERVICE")
		}, wrong: "environment prod-rollback", says: "ECS_SERVICE is not set"},
		"names of a rollback's file": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"] = file
			delete(rollback(s).Variables, "ECS_SERVICE")
		}},
		"names of the file of both forms": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"], api(s).files[".github/workflows/operate.yml"] = file, file
			rollback(s).Variables = map[string]string{"AWS_DEPLOY_ROLE": rollback(s).Variables["AWS_DEPLOY_ROLE"]}
		}},
		"names of a rollback's file, in one line": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"] = "jobs:\n  rollback:\n    with: {environment: prod, file: connect2.yaml}\n"
			delete(rollback(s).Variables, "ECS_SERVICE")
		}},
		"names of the file that is taken where none is given": {plant: func(s *standIn) {
			const uses = "jobs:\n  back:\n    uses: org/connect2/.github/workflows/service-%s.yml@v2\n"
			api(s).files[".github/workflows/rollback.yml"] = fmt.Sprintf(uses, "rollback")
			api(s).files[".github/workflows/operate.yml"] = fmt.Sprintf(uses, "operate")
			delete(rollback(s).Variables, "ECS_SERVICE")
		}},
		"another workflow of ours": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"] = "# uses: org/connect2/.github/workflows/service-rollback.yml@v2\n" +
				"jobs:\n  back:\n    uses: org/connect2/.github/workflows/rollback.yml@v2\n    with: {dockerfile: x, file: }\n"
			delete(rollback(s).Variables, "ECS_SERVICE")
		}, wrong: "environment prod-rollback", says: "ECS_SERVICE is not set"},
		"one form takes the variables": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"], api(s).files[".github/workflows/operate.yml"] = file, "jobs: {}\n"
			delete(rollback(s).Variables, "ECS_SERVICE")
		}, wrong: "environment prod-rollback", says: "ECS_SERVICE is not set"},
		"the other form takes them": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"], api(s).files[".github/workflows/operate.yml"] = "jobs: {}\n", file
			delete(rollback(s).Variables, "ECS_CLUSTER")
		}, wrong: "environment prod-rollback", says: "ECS_CLUSTER is not set"},
		"one form is not read": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"] = file
			s.trouble["GET /repos/org/connect2-api/contents/.github/workflows/operate.yml"] = 403
			delete(rollback(s).Variables, "ECS_SERVICE")
		}, wrong: "environment prod-rollback", says: "ECS_SERVICE is not set"},
		"a rollback's file, and a deployment's variables": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"] = file
			delete(prod(s).Variables, "ECS_SERVICE")
		}, wrong: "environment prod", says: "ECS_SERVICE is not set"},
		"a rollback's file, and no role": {plant: func(s *standIn) {
			api(s).files[".github/workflows/rollback.yml"] = file
			rollback(s).Variables["AWS_DEPLOY_ROLE"] = ""
		}, wrong: "environment prod-rollback", says: "AWS_DEPLOY_ROLE"},
		"another sub": {plant: func(s *standIn) { api(s).claims = []string{"repo", "context"} },
			wrong: "identity tokens", says: "repo, context"},
		"of the infrastructure": {plant: func(s *standIn) { s.repositories["org/connect2"].environments["prod-apply"].Policy = "" },
			query: Query{Infrastructure: "org/connect2"}, wrong: "environment prod-apply", says: "init --github --toolkit org/connect2"},
		"no infrastructure": {plant: func(*standIn) {}, query: Query{Infrastructure: "org/none"},
			skip: "infrastructure", says: "it does not exist, or"},
		"not lent": {plant: func(s *standIn) { s.repositories["org/connect2"].access = "none" },
			wrong: "toolkit", says: "may not use its workflows"},
		"public": {plant: func(s *standIn) {
			s.repositories["org/connect2"].access, s.repositories["org/connect2"].public = "none", true
		}},
		"of its own": {plant: func(*standIn) {}, query: Query{Toolkit: "org/connect2-api"}, says: "uses its own workflows"},
		"a private image": {plant: func(s *standIn) { s.visibility["org/connect2-terraform"] = "private" },
			wrong: "package", says: "ghcr.io/org/connect2-terraform is private"},
		"an internal image": {plant: func(s *standIn) { s.visibility["org/connect2"] = "internal" },
			wrong: "package", says: "ghcr.io/org/connect2 is internal"},
		"an unseen image": {plant: func(s *standIn) { delete(s.visibility, "org/connect2") }, skip: "package", says: "read:packages"},
		"another workflow": {plant: func(s *standIn) { api(s).files[".github/workflows/deploy.yml"] = "jobs: {}\n" },
			skip: "toolkit", says: "say whose by --toolkit"},
		"no workflow": {plant: func(s *standIn) { api(s).files = nil },
			skip: "toolkit", says: "reading .github/workflows/deploy.yml"},
		"no repository": {plant: func(s *standIn) { delete(s.repositories, "org/connect2-api") },
			skip: "github", says: "it does not exist, or"},
		"variables unread": {plant: refuse("/actions/variables"), skip: "variables", says: "answered 403"},
		"organization's unread": {plant: refuse("/actions/organization-variables"), skip: "variables",
			says: "answered 403"},
		"an environment unread": {plant: refuse("/environments/prod"), skip: "environment prod", says: "answered 403"},
		"its variables unread": {plant: refuse("/environments/prod/variables"),
			skip: "environment prod", says: "reading the variables of"},
		"its branches unread": {plant: refuse("/environments/prod/deployment-branch-policies"),
			skip: "environment prod", says: "answered 403"},
		"the sub unread": {plant: refuse("/actions/oidc/customization/sub"), skip: "identity tokens", says: "answered 403"},
		"who may use it, unread": {plant: func(s *standIn) { s.trouble["GET /repos/org/connect2/actions/permissions/access"] = 403 },
			skip: "toolkit", says: "answered 403"},
	} {
		t.Run(name, func(t *testing.T) {
			s := setUpStandIn(t)
			test.plant(s)
			wrong, unread, said := s.inspect(t, test.query)
			some := func(name string) (all []string) {
				if name != "" {
					all = append(all, name)
				}
				return all
			}
			if !slices.Equal(wrong, some(test.wrong)) || !slices.Equal(unread, some(test.skip)) || !strings.Contains(said, test.says) {
				t.Errorf("wrong %q, not read %q, want %q, %q and %q:\n%s", wrong, unread, test.wrong, test.skip, test.says, said)
			}
		})
	}
}

// refuse has GitHub refuse a read of the service's repository.
func refuse(path string) func(*standIn) {
	return func(s *standIn) { s.trouble["GET /repos/org/connect2-api"+path] = http.StatusForbidden }
}

func TestQueryCheck(t *testing.T) {
	problems := Query{Service: "a", Toolkit: "a/b/c", Infrastructure: "-/b"}.Check()
	if len(problems) != 3 || !strings.HasPrefix(problems[0], "github-repository: ") || len((Query{Service: "a/b"}).Check()) > 0 {
		t.Errorf("%q", problems)
	}
}
