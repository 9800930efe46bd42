package workflowtest

import (
	"strings"
	"testing"
)

// terraformActions are the inputs of three actions for Terraform, in the order of their action.yml at the commit that is named, and what
// becomes of each: an input of ours as `action: input`, the way instead, or the reason why not. UPDATE=1 writes the document from it.
const terraformActions = `
dflook/terraform-github-actions terraform-plan/action.yaml bbf4020
path | tf-apply: directory |
workspace | tf-apply: workspace |
label | tf-apply: label |
variables | tf-apply: variables |
var_file | tf-apply: var-files |
backend_config | tf-apply: backend-config |
backend_config_file | tf-apply: backend-config |
replace | tf-apply: replace |
target | tf-apply: targets |
destroy | | mode: destroy
refresh | | TF_CLI_ARGS_plan: -refresh=false in the step's env
add_github_comment | tf-apply: comment |
parallelism | tf-apply: parallelism |
dflook/terraform-github-actions terraform-apply/action.yaml bbf4020
path | tf-apply: directory |
workspace | tf-apply: workspace |
label | tf-apply: label |
variables | tf-apply: variables |
var_file | tf-apply: var-files |
backend_config | tf-apply: backend-config |
backend_config_file | tf-apply: backend-config |
replace | tf-apply: replace |
target | tf-apply: targets |
destroy | | mode: destroy
refresh | | TF_CLI_ARGS_plan: -refresh=false in the step's env
plan_path | tf-apply: plan-file |
auto_approve | tf-apply: approve |
parallelism | tf-apply: parallelism |
OP5dev/TF-via-PR action.yml a616d28
command | tf-apply: mode |
comment-method | | nothing: one comment of a plan is kept up to date
comment-pr | tf-apply: comment |
expand-diff | | nothing: the comment has the risks on top and the rest folded
expand-summary | | nothing: the comment has the risks on top and the rest folded
format | | mode: fmt, in a step of its own
hide-args | | nothing: no command line is shown
plan-encrypt | tf-apply: plan-key |
plan-file | tf-apply: plan-file |
plan-parity | tf-apply: plan-digest |
pr-number | | refused: a plan is told to the pull request that it was made for
preserve-plan | tf-apply: plan-file |
retention-days | | retention-days of actions/upload-artifact, where plan-file is kept
show-args | | nothing: no command line is shown
tag-actor | | refused: whoever should look is asked for a review by GitHub
token | tf-apply: token |
tool | tf-apply: engine |
upload-plan | | actions/upload-artifact with plan-file and plan-key; with plan-digest nothing has to be kept
validate | | mode: validate, in a step of its own
working-directory | tf-apply: directory |
arg-auto-approve | tf-apply: approve |
arg-backend-config | tf-apply: backend-config |
arg-backend | | refused: without its backend a plan would want to make everything again
arg-backup | | refused: the state is the backend's
arg-chdir | tf-apply: directory |
arg-check | | nothing: mode: fmt only checks
arg-compact-warnings | | nothing: warnings are told once
arg-concise | | nothing: reading what is there is not told line by line
arg-destroy | | mode: destroy
arg-detailed-exitcode | | the output changes
arg-diff | | nothing: mode: fmt shows what differs
arg-force-copy | | refused: a state is moved by hand, by somebody who watches
arg-from-module | | refused: the configuration is that of the directory
arg-generate-config-out | | refused: run it by hand, since the file belongs into the repository
arg-get | | refused: modules have to be there
arg-list | | nothing: mode: fmt names each file
arg-lock-timeout | tf-apply: lock-timeout |
arg-lock | | refused: an apply without a lock can lose the state, and a plan takes none here
arg-lockfile | tf-apply: lockfile |
arg-migrate-state | | refused: a state is moved by hand, by somebody who watches
arg-no-tests | | nothing: mode: validate looks at the configuration alone
arg-parallelism | tf-apply: parallelism |
arg-plugin-dir | | TF_CLI_ARGS_init: -plugin-dir=FOLDER in the step's env
arg-reconfigure | | TF_CLI_ARGS_init: -reconfigure in the step's env
arg-recursive | | nothing: mode: fmt goes through all folders
arg-refresh-only | tf-apply: refresh-only |
arg-refresh | | TF_CLI_ARGS_plan: -refresh=false in the step's env
arg-replace | tf-apply: replace |
arg-state-out | | refused: the state is the backend's
arg-state | | refused: the state is the backend's
arg-target | tf-apply: targets |
arg-test-directory | | nothing: no tests are run
arg-upgrade | | lockfile: update
arg-var-file | tf-apply: var-files |
arg-var | tf-apply: variables |
arg-workspace | tf-apply: workspace |
arg-write | | refused: mode: fmt only checks, and a workflow that writes into the repository is another step
hashicorp/setup-terraform action.yml 17d23a4
cli_config_credentials_hostname | tf-apply: registry-tokens |
cli_config_credentials_token | tf-apply: registry-tokens |
terraform_version | tf-apply: terraform-version |
terraform_version_file | | nothing: without terraform-version the directory's .terraform-version is read
terraform_wrapper | | nothing: outputs, text-file and json-file have what the wrapper's outputs had
`

// TestTerraformActions holds that every input of ours that the table names is one, and that the document is the table.
func TestTerraformActions(t *testing.T) {
	inputTable{
		document: "docs/FROM_TERRAFORM_ACTIONS.md", table: terraformActions, rows: 89,
		head: "# The inputs of other actions for Terraform\n\nWhat becomes of each input of dflook's plan and apply, of TF-via-PR and of " +
			"setup-terraform, as their `action.yml`\nhas them. [GITHUB_ACTIONS.md](GITHUB_ACTIONS.md) has the steps. Written by\n" +
			"`UPDATE=1 go test ./internal/test/workflowtest -run TerraformActions`.\n",
		link: func(heading string) (title, at string) {
			words := strings.Fields(heading)
			repository, path, commit := words[0], words[1], words[2]
			title = repository
			if folder, _, nested := strings.Cut(path, "/"); nested {
				title += " " + folder
			}
			return title, "[" + commit + "](https://github.com/" + repository + "/blob/" + commit + "/" + path + ")"
		},
	}.hold(t)
}
