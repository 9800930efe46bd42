package workflowtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// awsActions are the inputs of AWS's four actions, in the order of their action.yml at the commit that is named, and what becomes of
// each: an input of ours as `action: input`, the way instead, or the reason why not. UPDATE=1 writes the document from it.
const awsActions = `
configure-aws-credentials bcd4089
aws-region | every action: region |
aws-profile | | AWS_PROFILE with AWS_CONFIG_FILE in the workspace
overwrite-aws-profile | | refused: no action writes a profile
role-to-assume | every action: role-to-assume |
aws-access-key-id | | AWS_ACCESS_KEY_ID in the step's env, from a secret
aws-secret-access-key | | AWS_SECRET_ACCESS_KEY in the step's env, from a secret
aws-session-token | | AWS_SESSION_TOKEN in the step's env, from a secret
web-identity-token-file | | AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN
role-chaining | every action: role-chaining |
audience | every action: audience |
http-proxy | | HTTPS_PROXY in the step's env
no-proxy | | NO_PROXY in the step's env
mask-aws-account-id | | refused: an account id is not a secret, and masking it blanks outputs
role-duration-seconds | every action: role-duration |
role-external-id | every action: role-external-id |
role-session-name | every action: role-session-name |
role-skip-session-tagging | | nothing: there are no tags but those of role-session-tags
transitive-tag-keys | | refused: no action hands its session on
inline-session-policy | every action: inline-session-policy |
managed-session-policies | every action: managed-session-policies |
output-credentials | | refused: credentials stay in the step
output-env-credentials | | refused: credentials stay in the step
unset-current-credentials | | nothing: role-to-assume goes before what is there
disable-retry | | refused: what may pass is tried again, within the timeout
retry-max-attempts | | refused: what may pass is tried again, within the timeout
special-characters-workaround | | nothing: every key is taken as it is
use-existing-credentials | | leave role-to-assume out
allowed-account-ids | every action: account-id |
force-skip-oidc | every action: role-chaining |
action-timeout-s | | timeout-minutes of the step
custom-tags | every action: role-session-tags |
sts-endpoint | | AWS_ENDPOINT_URL_STS in the step's env
amazon-ecr-login 03f1aad
http-proxy | | HTTPS_PROXY in the step's env
mask-password | | nothing: tokens are always masked
registries | ecr-push: repository |
registry-type | | images of public.ecr.aws are read without a login; to push there, registry-credentials with public.ecr.aws=AWS:PASSWORD
skip-logout | | nothing: no login is left behind
amazon-ecs-render-task-definition 138c24f
task-definition | ecs-deploy: task-definition |
task-definition-arn | ecs-deploy: task-definition |
task-definition-family | ecs-deploy: task-definition |
task-definition-revision | ecs-deploy: task-definition |
container-name | ecs-deploy: container |
image | ecs-deploy: image |
environment-variables | ecs-deploy: environment-variables |
log-configuration-log-driver | ecs-deploy: log-driver |
log-configuration-options | ecs-deploy: log-options |
docker-labels | ecs-deploy: docker-labels |
command | ecs-deploy: command |
task-role-arn | ecs-deploy: task-role |
execution-role-arn | ecs-deploy: execution-role |
env-files | ecs-deploy: environment-files |
secrets | ecs-deploy: secrets |
amazon-ecs-deploy-task-definition c465972
task-definition | ecs-deploy: task-definition |
desired-count | ecs-deploy: desired-count |
service | ecs-deploy: service |
cluster | ecs-deploy: cluster |
wait-for-service-stability | ecs-deploy: wait |
wait-for-minutes | ecs-deploy: timeout |
wait-max-delay-seconds | | nothing: the deployment is looked at about every second while it moves
codedeploy-appspec | | refused: ECS's own blue/green deployments are followed, not CodeDeploy's
codedeploy-application | | refused: ECS's own blue/green deployments are followed, not CodeDeploy's
codedeploy-deployment-group | | refused: ECS's own blue/green deployments are followed, not CodeDeploy's
codedeploy-deployment-description | | refused: ECS's own blue/green deployments are followed, not CodeDeploy's
codedeploy-deployment-config | | refused: ECS's own blue/green deployments are followed, not CodeDeploy's
force-new-deployment | ecs-deploy: force |
service-managed-ebs-volume-name | | refused: volumes belong to the service, which Terraform makes
service-managed-ebs-volume | | refused: volumes belong to the service, which Terraform makes
run-task | | the action run-task
run-task-container-overrides | run-task: command |
run-task-security-groups | run-task: security-groups |
run-task-subnets | run-task: subnets |
run-task-assign-public-IP | run-task: assign-public-ip |
run-task-capacity-provider-strategy | run-task: capacity-providers |
run-task-launch-type | run-task: launch-type |
run-task-started-by | run-task: started-by |
run-task-tags | run-task: tags |
run-task-managed-ebs-volume-name | run-task: managed-ebs-volume-name |
run-task-managed-ebs-volume | run-task: managed-ebs-volume |
wait-for-task-stopped | | nothing: a task is always followed to its end
enable-ecs-managed-tags | ecs-deploy: enable-ecs-managed-tags |
propagate-tags | ecs-deploy: propagate-tags |
keep-null-value-keys | | nothing: what the document has is kept as it is
max-retries | | refused: what may pass is tried again, within the timeout
`

// TestAWSActions holds that every input of ours that the table names is one, under the old name too where that is accepted, and that
// the document is the table.
func TestAWSActions(t *testing.T) {
	inputTable{
		document: "docs/FROM_AWS_ACTIONS.md", table: awsActions, rows: 83,
		head: "# The inputs of AWS's actions\n\nWhat becomes of each input of AWS's four actions, as their `action.yml` has them. " +
			"[GITHUB_ACTIONS.md](GITHUB_ACTIONS.md)\nhas the steps. Written by `UPDATE=1 go test ./internal/test/workflowtest -run AWSActions`.\n",
		link: func(heading string) (title, at string) {
			name, commit, _ := strings.Cut(heading, " ")
			return name, fmt.Sprintf("[%s](https://github.com/aws-actions/%s/blob/%s/action.yml)", commit, name, commit)
		},
	}.hold(t)
	for _, m := range regexp.MustCompile("`?\\b(registry-credentials|role-session-tags)\\b").FindAllStringSubmatch(awsActions, -1) {
		if _, ok := actions(t)["org/connect2/actions/ecr-push@v2"].Inputs[m[1]]; !ok {
			t.Errorf("there is no input %s", m[1])
		}
	}
}

// inputTable is a document that says what becomes of other actions' inputs.
type inputTable struct {
	document, head, table string
	rows                  int                                     // of all their inputs
	link                  func(heading string) (title, at string) // of a heading of the table
}

func (d inputTable) hold(t *testing.T) {
	t.Helper()
	known := actions(t)
	var b strings.Builder
	b.WriteString(d.head)
	rows := 0
	for line := range strings.Lines(strings.TrimSpace(d.table)) {
		line = strings.TrimSpace(line)
		parts := strings.Split(line, "|")
		if len(parts) == 1 {
			title, at := d.link(line)
			fmt.Fprintf(&b, "\n## %s\n\nAt %s.\n\n", title, at)
			b.WriteString("| input | ours | otherwise |\n|---|---|---|\n")
			continue
		}
		rows++
		input, ours, otherwise := strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])
		if len(parts) != 3 || input == "" || (ours == "") == (otherwise == "") {
			t.Fatalf("%q is not an input with one way", line)
		}
		shown := "–"
		if action, name, ok := strings.Cut(ours, ": "); ok {
			used := []string{"org/connect2/actions/" + action + "@v2"}
			if action == "every action" {
				used = nil
				for use, a := range known {
					if a.Runs.Using == "docker" {
						used = append(used, use)
					}
				}
			}
			for _, use := range used {
				if _, ok := known[use].Inputs[name]; !ok {
					t.Errorf("%s: %s has no input %s", input, use, name)
				}
			}
			shown = fmt.Sprintf("%s: `%s`", action, name)
			if _, same := known[used[0]].Inputs[input]; same && input != name {
				shown += ", as `" + input + "` too"
			}
		} else if ours != "" {
			t.Fatalf("%q names no action and input", ours)
		}
		if otherwise == "" {
			otherwise = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", input, shown, otherwise)
	}
	if rows != d.rows {
		t.Errorf("%d inputs, want all %d", rows, d.rows)
	}
	path := filepath.Join(root, d.document)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != b.String() {
		t.Errorf("%s differs from the table (%v): UPDATE=1 writes it", d.document, err)
	}
}
