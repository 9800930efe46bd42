package awsconn

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/org/connect2/v2/pkg/action"
)

// fileVariables are the variables that name files for AWS's tools.
var fileVariables = []string{"AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"}

// checkFiles refuses, in the container of an action, what lies on its runner alone: the SDK's own errors say of none of it that the
// runner has it and the container not. All problems are told at once.
func checkFiles(env *action.Env) error {
	if !env.InContainer() {
		return nil
	}
	var problems []error
	for _, name := range fileVariables {
		if file := env.Var(name); file != "" {
			if why := env.Unseen(file); why != "" {
				problems = append(problems, fmt.Errorf("%s is %s: %s", name, file, why))
			}
		}
	}
	if profile := env.Var("AWS_PROFILE"); profile != "" && len(problems) == 0 && !hasProfiles(env) {
		problems = append(problems, fmt.Errorf("AWS_PROFILE is %s, but there is no file of profiles: an action's container has a home of its "+
			"own, without the runner's ~/.aws", profile))
	}
	if len(problems) == 0 {
		return nil
	}
	return invalid("The action's container does not have the runner's files", "Copy the file into RUNNER_TEMP or the workspace in an "+
		"earlier step and name it there (AWS_CONFIG_FILE for profiles), use role-to-assume in place of a profile, or run connect2 in a "+
		"step of its own after org/connect2/actions/setup.", errors.Join(problems...))
}

// hasProfiles says whether there is a file that may define a profile.
func hasProfiles(env *action.Env) bool {
	home := env.Var("HOME")
	for _, file := range []string{
		cmp.Or(env.Var("AWS_CONFIG_FILE"), filepath.Join(home, ".aws", "config")),
		cmp.Or(env.Var("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(home, ".aws", "credentials")),
	} {
		if _, err := os.Stat(file); err == nil {
			return true
		}
	}
	return false
}
