package engine

import (
	"fmt"
	"strings"
)

// Texts of stopped reasons (developer guide, stopped-task-error-codes and the pages that it names). They are what Fargate platform 1.4 was
// seen to write; the ones that nobody captured whole are marked. Retry counts vary in captures (1, 3, 5, 7).

const (
	capacityReason = "Capacity is unavailable at this time. Please try again later or in a different availability zone"

	essentialExited = "Essential container in task exited"
	outOfMemory     = "OutOfMemoryError: Container killed due to memory usage"

	failedContainerCheck = "Task failed container health checks"

	logGroupMissing = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: " +
		"failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."

	secretFrame = "ResourceInitializationError: unable to pull secrets or registry auth: "

	shimFailure  = "failed to create shim task: "
	startFailure = "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: " + shimFailure

	pullRetried = "CannotPullContainerError: pull image manifest has been retried 7 time(s): "
)

func imageMissing(ref string) string {
	return fmt.Sprintf("%sfailed to resolve ref %s: %s: not found", pullRetried, ref, ref)
}

func repositoryMissing(ref string) string {
	return fmt.Sprintf("%sfailed to resolve ref %s: pull access denied, repository does not exist or may require "+
		"authorization: server message: insufficient_scope: authorization failed.", pullRetried, ref)
}

// imageDenied is unconfirmed.
func imageDenied(ref string) string {
	host, name, _ := strings.Cut(ref, "/")
	repository, tag, _ := strings.Cut(name, ":")
	return fmt.Sprintf("%sfailed to resolve ref %s: unexpected status from HEAD request to https://%s/v2/%s/manifests/%s: "+
		"403 Forbidden", pullRetried, ref, host, repository, tag)
}

func platformMissing(platform string) string {
	return fmt.Sprintf("%simage Manifest does not contain descriptor matching platform '%s'", pullRetried, platform)
}

func pullUnreachable(ref string, err error) string {
	return fmt.Sprintf("%sfailed to resolve ref %s: failed to do request: %v", pullRetried, ref, err)
}

func noRoute(region string) string {
	return "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from " +
		"Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. " +
		"operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, " +
		"RequestID: , request send failed, Post \"https://api.ecr." + region + ".amazonaws.com/\": dial tcp 13.53.180.123:443: i/o timeout"
}

// missingSecret is the text for the first secret of a container; the frame around the agent's own words is unconfirmed.
func missingSecret(c *Container) string {
	name := "arn:aws:secretsmanager:us-west-2:123456789012:secret:missing"
	if len(c.definition.Secrets) > 0 {
		name = c.definition.Secrets[0].ValueFrom
	}
	if !strings.Contains(name, ":secretsmanager:") {
		return "execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 " +
			"time(s): invalid ssm parameters: " + name
	}
	return fmt.Sprintf("execution resource retrieval failed: unable to retrieve secret from asm: service call has been "+
		"retried 1 time(s): ResourceNotFoundException: The task can't retrieve the secret with ARN '%s' from AWS Secrets "+
		"Manager. Check whether the secret exists in the specified Region: ResourceNotFoundException: Secrets Manager can't "+
		"find the specified secret.", name)
}

// unreadableSecret puts ECS's words around the reason why a secret cannot be read.
func unreadableSecret(err error) string {
	if strings.HasPrefix(err.Error(), "ResourceInitializationError") {
		return err.Error()
	}
	return secretFrame + "execution resource retrieval failed: " + err.Error()
}

// commandMissing has an unconfirmed tail, from `exec:` on.
func commandMissing(command []string) string {
	name := "entrypoint"
	if len(command) > 0 {
		name = command[0]
	}
	return fmt.Sprintf(startFailure+"OCI runtime create failed: runc create failed: unable to start container process: "+
		"exec: %q: executable file not found in $PATH", name)
}

func failedTargetCheck(group string) string {
	return fmt.Sprintf("Task failed ELB health checks in (target-group %s)", group)
}
