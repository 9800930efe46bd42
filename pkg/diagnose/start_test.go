package diagnose

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/record"
)

const (
	host       = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
	manifest   = "CannotPullContainerError: pull image manifest has been retried 7 time(s): "
	secretARN  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:api/db-AbCdEf"
	fetchFrame = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: " +
		"unable to retrieve secret from asm: service call has been retried 1 time(s): "
	fetch = fetchFrame + "failed to fetch secret " + secretARN + " from secrets manager: operation error Secrets Manager: GetSecretValue, " +
		"https response error StatusCode: 400, RequestID: 7c6d2a3f-1111-4222-8333-944455556666, "
	ssmFrame = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: " +
		"unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
)

// startFailures are stopped reasons as ECS on Fargate writes them.
var startFailures = []struct {
	name, reason string
	code         string
	title        string // part of it
	fault        record.Fault
	certain      bool
}{
	{"tag missing", manifest + "failed to resolve ref " + host + "/api:v42: " + host + "/api:v42: not found",
		"image-not-found", host + "/api:v42 does not exist", record.FaultRelease, true},
	{"digest gone", manifest + "failed to resolve ref " + host + "/api:v42@sha256:0123abcd: " + host +
		"/api:v42@sha256:0123abcd: not found",
		"image-digest-gone", "api@sha256:0123abcd", record.FaultRelease, true},
	{"repository missing or no login", manifest + "failed to resolve ref docker.io/library/x:latest: pull access denied, repository does " +
		"not " +
		"exist or may require authorization: server message: insufficient_scope: authorization failed.",
		"image-pull-denied", "docker.io/library/x:latest", record.FaultInfrastructure, false},
	{"repository missing in ECR", manifest + "failed to resolve ref " + host + "/nope:1: " + host +
		"/nope:1: name unknown: The repository with " +
		"name 'nope' does not exist in the registry with id '111122223333'", "repository-missing", "repository nope", record.FaultRelease, true},
	{"ECR refuses", manifest + "failed to resolve ref " + host +
		"/app:tag: unexpected status from HEAD request to https://" + host +
		"/v2/app/manifests/tag: 403 Forbidden", "image-pull-denied", "app:tag", record.FaultInfrastructure, false},
	{"ECR refuses, heading only", "CannotPullContainerError: The task can’t pull the image. Check that the role has the permissions to pull " +
		"images from the registry.", "image-pull-denied", "refused", record.FaultInfrastructure, false},
	{"architecture", manifest + "image Manifest does not contain descriptor matching platform 'linux/amd64'",
		"architecture-mismatch", "linux/amd64", record.FaultRelease, true},
	{"architecture, older text", "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
		"architecture-mismatch", "linux/arm64", record.FaultRelease, true},
	{"no route to the registry", manifest + "failed to resolve ref " + host +
		"/app:tag: failed to do request: Head \"https://" + host +
		"/v2/app/manifests/tag\": dial tcp 10.0.3.17:443: i/o timeout", "registry-unreachable", host, record.FaultInfrastructure, false},
	{"layers refused", "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: " +
		"unexpected status code https://x/: 500", "image-pull-failed", "could not be pulled", record.FaultUnclear, false},
	{"layers refused by the endpoint", "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: " +
		"failed open: " +
		"unexpected status code https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/0123?X-Amz-Date=1: 403 Forbidden",
		"layer-denied", "S3 refused a layer", record.FaultInfrastructure, false},
	{"layers refused by the registry", "CannotPullContainerError: failed to copy: httpReadSeeker: failed open: unexpected status code " +
		"https://" + host + "/v2/api/blobs/sha256:0123: 403 Forbidden", "image-pull-denied", host, record.FaultInfrastructure, false},
	{"layers, no route", "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: " +
		"failed to do request: " +
		"Get https://prod-us-west-2-starport-layer-bucket.s3.us-west-2.amazonaws.com/0123?X-Amz-Date=1: dial tcp 52.218.0.1:443: i/o timeout",
		"layers-unreachable", "route to S3 (prod-us-west-2-starport", record.FaultInfrastructure, false},
	{"layers, no handshake", "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: " +
		"failed to do request: Get \"https://starport.s3.us-west-2.amazonaws.com/0123?X-Amz-Date=1\": " +
		"net/http: TLS handshake timeout",
		"layers-unreachable", "route to S3 (starport.s3.us-west-2", record.FaultInfrastructure, false},
	{"layers, the kernel gives up", "CannotPullContainerError: ref pull has been retried 5 time(s): " +
		"failed to copy: httpReadSeeker: failed open: " +
		"failed to do request: Get \"https://starport.s3.us-west-2.amazonaws.com/0123?X-Amz-Date=1\": " +
		"dial tcp 52.218.0.1:443: connect: connection timed out",
		"layers-unreachable", "route to S3 (starport.s3.us-west-2", record.FaultInfrastructure, false},
	{"layers, no way", "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: " +
		"failed to do request: Get \"https://starport.s3.us-west-2.amazonaws.com/0123?X-Amz-Date=1\": " +
		"dial tcp 52.218.0.1:443: connect: no route to host",
		"layers-unreachable", "route to S3 (starport.s3.us-west-2", record.FaultInfrastructure, false},
	{"layers, no network", "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: " +
		"failed to do request: Get \"https://starport.s3.us-west-2.amazonaws.com/0123?X-Amz-Date=1\": " +
		"dial tcp 52.218.0.1:443: connect: network is unreachable",
		"layers-unreachable", "route to S3 (starport.s3.us-west-2", record.FaultInfrastructure, false},
	{"layers, no answer of DNS", "CannotPullContainerError: ref pull has been retried 5 time(s): " +
		"failed to copy: httpReadSeeker: failed open: " +
		"failed to do request: Get \"https://starport.s3.us-west-2.amazonaws.com/0123?X-Amz-Date=1\": " +
		"dial tcp: lookup starport.s3.us-west-2.amazonaws.com on 10.0.0.2:53: server misbehaving",
		"layers-unreachable", "route to S3 (starport.s3.us-west-2", record.FaultInfrastructure, false},
	{"a manifest, the kernel gives up", "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref " +
		host + "/api:v1: failed to do request: Head \"https://" + host + "/v2/api/manifests/v1\": dial tcp 10.0.0.1:443: " +
		"connect: connection timed out", "registry-unreachable", host, record.FaultInfrastructure, false},
	{"infrastructure role", "ECS was unable to assume the configured ECS Infrastructure Role 'arn:aws:iam::1:role/R'. Please verify that " +
		"the role being passed " +
		"has the proper trust relationship with Amazon ECS", "infrastructure-role-not-assumable", "role/R", record.FaultInfrastructure, false},
	{"EBS denied", "User: arn:aws:sts::1:assumed-role/R/ECSTaskVolumesForEBS is not authorized to perform: ec2:CreateVolume on resource: x",
		"ebs-denied", "ec2:CreateVolume", record.FaultInfrastructure, false},
	{"EBS attachment", "TaskFailedToStart: Timed out while attaching the EBS volume to the task", "ebs-attachment-failed", "EBS volume",
		record.FaultInfrastructure, false},
	{"a file of variables that is not there", "ResourceInitializationError: failed to download env files: file download command: non " +
		"empty error stream: " +
		"NotFound: Not Found status code: 404", "env-file-missing", "does not exist", record.FaultRelease, true},
	{"a file of variables that is odd", "ResourceInitializationError: failed to download env files: odd", "env-file-failed", "could not read",
		record.FaultUnclear, false},
	{"mixed compression", "CannotPullContainerError: ref pull has been retried 1 time(s): number of layers and diffIDs don't match: 3 != 15",
		"image-corrupt", "15 layers", record.FaultRelease, false},
	{"EC2 manifest unknown", "CannotPullContainerError: Error response from daemon: manifest for " + host +
		"/app:v1 not found: manifest " +
		"unknown: Requested image not found", "image-not-found", host + "/app:v1", record.FaultRelease, true},
	{"rate limit", manifest + "failed to resolve ref docker.io/library/redis:7: unexpected status code: 429 Too Many Requests - Server " +
		"message: " +
		"toomanyrequests: You have reached your unauthenticated pull rate limit.", "registry-rate-limited", "rate limit",
		record.FaultInfrastructure, false},
	{"login, no route", "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from " +
		"Amazon " +
		"ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: " +
		"GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, " +
		"Post \"https://api.ecr.eu-west-1.amazonaws.com/\": dial tcp 13.53.180.123:443: i/o timeout",
		"registry-unreachable", "Amazon ECR", record.FaultInfrastructure, false},
	{"login denied", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to " +
		"retrieve ecr registry auth: service call has been retried 1 time(s): operation error ECR: GetAuthorizationToken, https response error " +
		"StatusCode: 400, RequestID: x, api error AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/exec/abc is not " +
		"authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the " +
		"ecr:GetAuthorizationToken action", "registry-auth-denied", "log in to ECR", record.FaultInfrastructure, false},
	{"secret denied", fetch + "api error AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/exec-role/0f9d1c2b is not " +
		"authorized to " +
		"perform: secretsmanager:GetSecretValue on resource: " + secretARN + " because no identity-based policy allows the " +
		"secretsmanager:GetSecretValue action", "secret-denied", "exec-role may not read the secret " + secretARN,
		record.FaultInfrastructure, false},
	{"secret missing", fetch + "ResourceNotFoundException: The task can't retrieve the secret with ARN '" + secretARN +
		"' from AWS Secrets Manager. " +
		"Check whether the secret exists in the specified Region: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
		"secret-missing", secretARN, record.FaultInfrastructure, true},
	{"secret missing, typographic", "ResourceNotFoundException: The task can’t retrieve the secret with ARN '" +
		secretARN + "' from AWS Secrets Manager. " +
		"Secrets Manager can’t find the specified secret.", "secret-missing", secretARN, record.FaultInfrastructure, true},
	{"secret missing, ARN in the frame", fetch + "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
		"secret-missing", secretARN, record.FaultInfrastructure, true},
	{"secret deleted", fetch + "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion.",
		"secret-deleted", secretARN, record.FaultInfrastructure, true},
	{"JSON key missing", fetchFrame + "retrieved secret from Secrets Manager did not contain json key url",
		"secret-key-missing", "JSON key url", record.FaultRelease, true},
	{"not JSON", fetchFrame + "invalid character 'p' in literal true (expecting 'r')", "secret-not-json", "plain text",
		record.FaultRelease, true},
	{"secret, no route", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: " +
		"unable to " +
		"retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network " +
		"configuration. " +
		"failed to fetch secret " + secretARN + " from secrets manager: operation error Secrets Manager: GetSecretValue, https response error " +
		"StatusCode: 0, RequestID: , canceled, context deadline exceeded", "secrets-unreachable", "Secrets Manager",
		record.FaultInfrastructure, false},
	{"parameter missing", ssmFrame + "invalid ssm parameters: /api/dev/url", "parameter-missing", "/api/dev/url",
		record.FaultInfrastructure, true},
	{"parameter denied", ssmFrame + "api error AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/exec/abc is not " +
		"authorized to " +
		"perform: ssm:GetParameters on resource: arn:aws:ssm:eu-west-1:111122223333:parameter/a because no identity-based policy allows the " +
		"ssm:GetParameters action", "parameter-denied", "parameter/a", record.FaultInfrastructure, false},
	{"parameter, no route", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: " +
		"The task " +
		"cannot pull secrets from AWS Systems Manager. There is a connection issue between the task and AWS Systems Manager Parameter Store. " +
		"Check your task network configuration. RequestCanceled: request context canceled caused by: context deadline exceeded",
		"parameters-unreachable", "Systems Manager", record.FaultInfrastructure, false},
	{"KMS", fetch + "api error AccessDeniedException: Access to KMS is not allowed", "kms-denied", "KMS", record.FaultInfrastructure,
		false},
	{"network interface", "Timeout waiting for network interface provisioning to complete.", "network-interface-timeout",
		"network interface", record.FaultPlatform, false},
	{"storage", "Timeout waiting for EphemeralStorage provisioning to complete.", "storage-timeout", "ephemeral storage",
		record.FaultPlatform, false},
	{"subnet full", "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet " +
		"'subnet-0a1b2c': InsufficientFreeAddressesInSubnet", "subnet-full", "subnet-0a1b2c", record.FaultInfrastructure, false},
	{"log group missing", "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to " +
		"create " +
		"Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
		"log-group-missing", "/ecs/api", record.FaultInfrastructure, false},
	{"log group missing, newer frame", "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 " +
		"times: failed " +
		"to create Cloudwatch log stream: operation error CloudWatch Logs: CreateLogStream, https response error StatusCode: 400, RequestID: " +
		"x, " +
		"ResourceNotFoundException: The specified log group does not exist.", "log-group-missing", "/ecs/api", record.FaultInfrastructure, false},
	{"logs, no route", "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group " +
		"defined " +
		"in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : " +
		"signal: killed",
		"logs-unreachable", "CloudWatch Logs", record.FaultInfrastructure, false},
	{"logs, no region", "ResourceInitializationError: failed to validate logger args: unable to get awslogs driver arguments: " +
		"awslogs-region is required",
		"log-driver-invalid", "awslogs-region is required", record.FaultRelease, true},
	{"logs denied", "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to " +
		"create Cloudwatch " +
		"log stream: AccessDeniedException: User: arn:aws:sts::1:assumed-role/exec/x is not authorized to perform: logs:CreateLogStream on " +
		"resource: y",
		"logs-denied", "/ecs/api", record.FaultInfrastructure, false},
	{"EFS", "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve " +
		"\"fs-0123.efs.eu-west-1.amazonaws.com\"", "volume-mount-failed", "EFS", record.FaultInfrastructure, false},
	{"command", "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create " +
		"shim task: OCI " +
		"runtime create failed: runc create failed: unable to start container process: exec: \"uvicorm\": executable file not found in $PATH",
		"command-not-found", "uvicorm", record.FaultRelease, true},
	{"command without its mode", "CannotStartContainerError: ResourceInitializationError: failed to create shim task: OCI runtime create " +
		"failed: runc " +
		"create failed: unable to start container process: exec: \"/srv/start\": permission denied",
		"command-not-executable", "/srv/start", record.FaultRelease, true},
	{"binary of another architecture", "CannotStartContainerError: ResourceInitializationError: exec /srv/start: exec format error",
		"architecture-mismatch", "another CPU architecture", record.FaultRelease, true},
	{"container refused", "CannotStartContainerError: Error response from daemon: invalid user",
		"container-start-failed", "could not be started", record.FaultRelease, false},
	{"no room for the image", "CannotPullContainerError: failed to register layer: write /srv/model.bin: no space left on device",
		"disk-full", "ephemeral storage", record.FaultRelease, false},
	{"start timeout", "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: reason",
		"container-start-timeout",
		"did not start", record.FaultPlatform, false},
	{"role", "ECS was unable to assume the role 'arn:aws:iam::111122223333:role/R' that was provided for this task. Please verify that " +
		"the role being " +
		"passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.",
		"role-not-assumable", "role/R", record.FaultInfrastructure, false},
	{"placement in the task", "TaskFailedToStart: RESOURCE:MEMORY", "no-container-instance", "MEMORY", record.FaultInfrastructure,
		false},
	{"placement, empty provider", "TaskFailedToStart: EMPTY CAPACITY PROVIDER", "no-container-instance",
		"no container instance", record.FaultInfrastructure, false},
	{"never seen", "BrandNewError: something else", "task-start-failed", "BrandNewError: something else", record.FaultUnclear, false},
}

func TestStartFailures(t *testing.T) {
	for _, tt := range startFailures {
		t.Run(tt.name, func(t *testing.T) {
			check := func(where string, e Evidence) {
				t.Helper()
				c := Classify(e)
				if c.Code != tt.code || c.Fault != tt.fault || c.Certain != tt.certain ||
					!strings.Contains(c.Title, tt.title) {
					t.Errorf("%s: got %s %q (%s, certain %v), want %s with %q (%s, certain %v)",
						where, c.Code, c.Title, c.Fault, c.Certain, tt.code, tt.title, tt.fault, tt.certain)
				}
				if len(c.Fix) == 0 || !c.Known() {
					t.Errorf("%s: no advice or not known: %+v", where, c)
				}
				if len(c.Evidence) == 0 || !strings.Contains(c.Evidence[0], tt.reason) {
					t.Errorf("%s: evidence %q does not quote %q", where, c.Evidence, tt.reason)
				}
				for _, text := range append(c.Fix, c.Title) {
					if strings.Contains(text, "${") {
						t.Errorf("%s: a template was left unfilled: %q", where, text)
					}
				}
			}
			containers := []Container{{Name: "app", LogGroup: "/ecs/api"}}
			check("in the task's reason", Evidence{Service: "api", Tasks: []Task{{
				ARN: "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f9d", LastStatus: "STOPPED", StopCode: "TaskFailedToStart", Reason: tt.reason,
				Containers: containers}}})
			check("in the container's reason", Evidence{Service: "api", Tasks: []Task{{
				LastStatus: "STOPPED", StopCode: "TaskFailedToStart", Reason: "Task failed to start",
				Containers: []Container{{Name: "app", LogGroup: "/ecs/api", Reason: tt.reason}}}}})
			if tt.code == "task-start-failed" {
				return // in an event it is a placement failure
			}
			check("in an event", Evidence{Service: "api",
				Tasks:  []Task{{LastStatus: "PENDING", Containers: containers}},
				Events: []Event{{Text: "(service api) was unable to place a task. Reason: " + tt.reason + "."}}})
		})
	}
}
