package diagnose

import (
	"slices"
	"strings"
	"testing"
)

// How a published text reached whoever published it.
const (
	asReason = iota // the stopped reason of a task, or a container's
	asEvent         // an event of the service
	asLog           // a line of the container's log; the exit code was 1
)

// published are failures as people have met and published them, with what they found out to be the cause. Quotes are cut to what
// matters, and names of accounts are replaced.
var published = []struct {
	where   int
	text    string
	source  string
	code    string
	certain bool
}{
	// Logging in to a registry.
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post "https://api.ecr.us-east-2.amazonaws.com/": dial tcp 10.0.0.1:443: i/o timeout. Please check your task network configuration.`,
		"https://github.com/doctorray117/minecraft-ondemand/issues/74", "registry-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 5 time(s): RequestError: send request failed caused by: Post https://api.ecr....`,
		"https://github.com/aws/aws-app-mesh-examples/issues/413", "registry-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): RequestError: send request failed caused by: Post https://api.ecr....`,
		"https://github.com/aws-samples/aws-fargate-pipeline-lambda-autoscaling/issues/3", "registry-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post "https://api.ecr.us-west-2.amazonaws.com/": dial tcp 34.223.27.76:443: i/o timeout. Please check your task network configuration.`,
		"https://github.com/aws-samples/generative-ai-sagemaker-cdk-demo/issues/4", "registry-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s)`,
		"https://github.com/globaldothealth/list/issues/2662", "registry-login-failed", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. RequestError: send request failed caused by: Post "https://api.ecr.us-east-1.amazonaws.com/"`,
		"https://chariotsolutions.com/?p=19094", "registry-unreachable", false},
	{asReason, `CannotPullECRContainerError: ThrottlingException: Rate exceeded status code: 400, request id: 75567eb3-6abb-11e6-9d4c-cb4ccd1cee97`,
		"https://github.com/aws/amazon-ecs-agent/issues/498", "registry-throttled", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to get registry auth from asm: service call has been retried 5 time(s): asm fetching secret from the service for ...`,
		"https://github.com/aws-samples/keycloak-on-aws/issues/222", "registry-credentials-unreadable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to get registry auth from asm: service call has been retried 1 time(s): asm fetching secret from the service for registry-login: RequestError: ...`,
		"https://dev-solve.com/zh/posts/3a6d4d4", "registry-credentials-unreadable", false},
	{asReason, `CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref "artifactory.example.com/backend:20220128.2": failed to authorize: failed to fetch anonymous token`,
		"https://github.com/aws/containers-roadmap/issues/1658", "image-pull-denied", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed`,
		"https://www.repost.aws/fr/knowledge-center/ecs-unable-to-pull-secrets", "secret-unreadable", false},

	// The image.
	{asReason, `CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 366590864501.dkr.ecr.us-west-2.amazonaws.com/bedrock-proxy-api-ecs:latest@sha256:5de487da: unexpected status from HEAD request to https://366590864501.dkr.ecr.us-west-2.amazonaws.com/v2/bedrock-proxy-api-ecs/blobs/sha256:5de487da: 403 Forbidden`,
		"https://github.com/aws-samples/bedrock-access-gateway/issues/114", "image-pull-denied", false},
	{asReason, `CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref "xxxxx.xxx": unexpected status code [manifests 6981141]: 403 Forbidden`,
		"https://github.com/aws/aws-cdk/issues/14457", "image-pull-denied", false},
	{asReason, `CannotPullContainerError: ref pull has been retried 1 time(s): failed to pull and unpack image "123456789.dkr.ecr.us-east-1.amazonaws.com/myapp:latest": failed to resolve reference: unexpected status code 403 Forbidden`,
		"https://www.fixdevs.com/blog/aws-ecs-task-failed-to-start/", "image-pull-denied", false},
	{asReason, `CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/amazon/aws-xray-daemon/manifests/sha256:2d964e1dbe7a...`,
		"https://github.com/aws/aws-xray-daemon/issues/146", "image-pull-failed", false},
	{asReason, `CannotPullContainerError: failed to find a descriptor for platform {linux/amd64}`,
		"https://github.com/aws/containers-roadmap/issues/1120", "architecture-mismatch", false},
	{asEvent, `(service relay-temporal-worker) was unable to place a task. Reason: CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'.`,
		"https://github.com/aviswerdlow/relay/issues/71", "architecture-mismatch", true},
	{asReason, `CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref quay.io/deepfenceio/cloud-scanner:latest: failed to do request: Head "https://quay.io/v2/deepfenceio/cloud-scanner/manifests/latest": dial tcp 3.210.148.47:443: i/o timeout`,
		"https://github.com/deepfence/terraform-aws-cloud-scanner/issues/13", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: API error (500): Get https://111122223333.dkr.ecr.ap-southeast-2.amazonaws.com/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		"https://github.com/aws/amazon-ecs-agent/issues/1680", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: API error (500): Get https://registry-1.docker.io/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		"https://github.com/aws/amazon-ecs-agent/issues/1128", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: API error (500): Get https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)\n`,
		"https://github.com/JetBrains/teamcity-amazon-ecs-plugin/issues/17", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		"https://github.com/aws/amazon-ecs-agent/issues/2061", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: API error (500): Get https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		"https://github.com/aws/amazon-ecs-agent/issues/1266", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: API error (500): Get https://111222333444.dkr.ecr.eu-west-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		"https://github.com/aws-samples/aws-modern-application-workshop/issues/71", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/library/nginx/manifests/latest: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
		"https://github.com/globaldothealth/list/issues/2662", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: The task cannot pull the image. Check whether the image exists. Error response from daemon: manifest for 111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:v1 not found: manifest unknown: Requested image not found`,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html", "image-not-found", true},
	{asReason, `CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: Get https://111122223333.dkr.ecr.us-west-2.amazonaws.com/v2/app/blobs/sha256:0123: dial tcp 111.222.333.444:443: i/o timeout`,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html", "layers-unreachable", false},
	{asReason, `CannotPullContainerError: failed to copy: httpReadSeeker: failed open: unexpected status code 403 Forbidden`,
		"https://zenn.dev/carenet/articles/5db608fea5ca51", "layer-denied", false},
	{asReason, `CannotPullContainerError: ref pull has been retried 1 time(s): number of layers and diffIDs don't match: 3 != 15`,
		"https://vrnithinkumar.github.io/2025/02/17/aws-ecs-docker-pull-error", "image-corrupt", false},
	{asReason, `Cannotpullcontainererror: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/username/repo: failed to do request: Head "https://registry-1.docker.io/v2/username/repo/manifests/latest": dial tcp 44.205.64.79:443: i/o timeout`,
		"https://openillumi.com/?p=106123", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:v42": failed to do request: Head "https://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/api/manifests/v42": dial tcp 10.0.3.17:443: i/o timeout`,
		"https://devopsaitoolkit.com/blog/aws-error-cannot-pull-container-error-ecs/", "registry-unreachable", false},
	{asReason, `CannotPullContainerError: pull image manifest has been retried 5 time(s): toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading`,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html", "registry-rate-limited", false},
	{asReason, `CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob111111111: no space left on device`,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html", "disk-full", false},

	// Secrets and parameters.
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadli...`,
		"https://github.com/aws-samples/serverless-jenkins-on-aws-fargate/issues/7", "parameters-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration.`,
		"https://github.com/hashicorp/terraform-provider-aws/issues/33044", "parameters-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 5 time(s): failed to fetch secret arn:aws:secretsmanager:us-west-2:111122223333:secret:DBPasswordSecret-AbCdEf from secrets manager: RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration.`,
		"https://github.com/Releem/releem-agent/issues/195", "secrets-unreachable", false},
	{asReason, `TaskFailedToStart: ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:123456789...`,
		"https://github.com/docker-archive/compose-cli/issues/1510", "secret-unreadable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /api//new-relic-license-key`,
		"https://github.com/HHS/simpler-grants-gov/pull/4330", "parameter-missing", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): invalid character '\'' looking for beginning of value`,
		"https://github.com/rileydakota/valheim-ecs-fargate-cdk/issues/9", "secret-not-json", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:ap-southeast-1:111122223333:secret:test-secret from secrets manager: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/DifyOnAwsStack-Role4406CA16/abc is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:ap-southeast-1:111122223333:secret:test-secret because no identity-based policy allows the secretsmanager:GetSecretValue action status code: 400,`,
		"https://github.com/aws-samples/dify-self-hosted-on-aws/pull/35", "secret-denied", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): AccessDeniedException`,
		"https://www.fixdevs.com/blog/aws-ecs-task-failed-to-start/", "secret-denied", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT`,
		"https://github.com/ansible/ansible/issues/69710", "secret-empty", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING`,
		"https://github.com/aws/aws-sdk-js-v3/issues/7701", "secret-version-missing", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: 99542ad5-90bb-466a-b94b-d68e0c48f712`,
		"https://github.com/aws-samples/aws-aurora-cloudformation-samples/issues/1", "secret-version-missing", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't find the specified secret.`,
		"https://github.com/aws/aws-cdk/issues/17792", "secret-missing", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: operation error SSM: GetParameters, exceeded maximum number of attempts, 3, https response error StatusCode: 400, RequestID: 12f20059, api error ThrottlingException: Rate exceeded`,
		"https://github.com/anomalyco/ion/issues/1138", "secrets-throttled", false},

	// Files of variables.
	{asReason, `ResourceInitializationError: failed to download env files: file download command: non empty error stream: RequestCanceled: request context canceled caused by: context deadline exceeded`,
		"https://github.com/aws/aws-cli/issues/6470", "env-file-unreachable", false},
	{asReason, `ResourceInitializationError: failed to download env files: file download command: non-empty error stream: RequestCanceled: request context cancelled caused by: context deadline exceeded`,
		"https://github.com/aws/aws-cdk/issues/12720", "env-file-unreachable", false},
	{asReason, `ResourceInitializationError: failed to download env files: file download command: non-empty error stream: failed to download file 1.env: failed to write to a temporary file: AccessDenied: Access Denied`,
		"https://github.com/aws/aws-cdk/issues/12720", "env-file-denied", false},

	// The log driver.
	{asReason, `CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.`,
		"https://github.com/ryfeus/stepfunctions2processing/issues/5", "log-group-missing", false},
	{asReason, `CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. status code: 400, request id: 7463029c-9f12-4e3f-b914-f`,
		"https://github.com/cn-terraform/terraform-aws-ecs-fargate-task-definition/issues/1", "log-group-missing", false},
	{asReason, `ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : signal: killed`,
		"https://github.com/civiform/civiform/issues/7648", "logs-unreachable", false},

	// Volumes.
	{asReason, `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: Connection reset by peer : unsuccessful EFS utils command execution; code: 32`,
		"https://github.com/docker-archive/compose-cli/issues/1490", "volume-mount-failed", false},
	{asReason, `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting fs-0123.efs.eu-west-1.amazonaws.com:/grafana failed, reason given by server: No such file or directory' : unsuccessful EFS utils command execution; code: 32`,
		"https://github.com/acp-io/terraform-grafana/issues/4", "volume-mount-failed", false},

	// Starting the container.
	{asReason, `CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed: container_linux.go:370: starting container process caused: exec: "/opt/sonarqube/bin/run.sh": stat /opt/sonarqube/bin/run.sh: no such file or directory`,
		"https://github.com/aws/amazon-ecs-agent/issues/2954", "command-not-found", true},
	{asReason, `CannotStartContainerError: API error (500): Cannot start container 54b6caa1: [8] System error: exec: "node index.js -t sockets_transport -i 0": executable file not found in $PATH`,
		"https://github.com/aws/amazon-ecs-cli/issues/78", "command-not-found", true},
	{asReason, `CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "-url": executable file not found in $PATH`,
		"https://github.com/jenkinsci/amazon-ecs-plugin/issues/258", "command-not-found", true},
	{asReason, `CannotStartContainerError: Error response from daemon: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "python": executable file not found in $PATH: unknown`,
		"https://github.com/aws/amazon-ecs-cli/issues/1136", "command-not-found", true},
	{asReason, `CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error creating device nodes: mknod rootfs/dev/null: errno 524: unknown`,
		"https://github.com/aws/amazon-ecs-agent/issues/3526", "container-start-failed", false},
	{asReason, `CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed: container_linux.go:349: starting container process caused "process_linux.go:449: container init caused \"rootfs_linux.go:58`,
		"https://github.com/aws/amazon-ecs-agent/issues/2442", "container-start-failed", false},
	{asReason, `CannotStartContainerError: API error (500): error while mounting volume '/var/lib/docker/plugins/2ec1ac/rootfs': VolumeDriver.Mount: Mount failed`,
		"https://github.com/cloudstax/firecamp/issues/46", "volume-failed", false},
	{asReason, `ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: reason`,
		"https://docs.aws.amazon.com/AmazonECS/latest/userguide/stopped-task-error-codes.html", "container-start-timeout", false},

	// Placing tasks.
	{asEvent, `(service api) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.`,
		"https://github.com/sil-org/ecs-deploy/issues/277", "capacity-unavailable", false},
	{asEvent, `service authentication_services was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your cluster.`,
		"https://github.com/ptokito/ECSClusterWithTerraform/issues/3", "no-container-instance", false},
	{asEvent, `service ComfyUIService was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were found in your capacity provider. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`,
		"https://github.com/aws-samples/cost-effective-aws-deployment-of-comfyui/issues/39", "no-container-instance", false},
	{asEvent, `(service deploy-ecs-frontend) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance 47d5cb9a) is already using a port required by your task.`,
		"https://github.com/Shippable/support/issues/4462", "no-container-instance", false},

	// Health.
	{asEvent, `(service civictechjobs-fullstack-stage) (port 8000) is unhealthy in (target-group arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/stage/555a47e25c5a1850) due to (reason Health checks failed).`,
		"https://github.com/hackforla/CivicTechJobs/issues/436", "elb-health-refused", false},
	{asEvent, `(service corpdirectory) (port 5005) is unhealthy in (target-group arn:aws:elasticloadbalancing:ap-south-1:111122223333:targetgroup/corpd/e938d1c7734d02a2) due to (reason Health checks failed).`,
		"https://github.com/aws/copilot-cli/issues/3772", "elb-health-refused", false},
	{asEvent, `(service gateway) (port 8443) is unhealthy in (target-group arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/gw/555a47e25c5a1850) due to (reason Health checks failed with these codes: [503]).`,
		"https://github.com/hashicorp/terraform-aws-consul-ecs/issues/323", "elb-health-error", false},

	// Logs of containers that ended.
	{asLog, `[2020-09-12 05:37:52 +0000] [18] [ERROR] Worker (pid:21) was sent SIGKILL! Perhaps out of memory?`,
		"https://github.com/benoitc/gunicorn/pull/2419", "out-of-memory", false},
	{asLog, `ModuleNotFoundError: No module named 'asyncpg'`,
		"https://github.com/TechSquidTV/Hermes/issues/40", "app-import-error", true},
	{asLog, `socket.gaierror: [Errno -3] Temporary failure in name resolution`,
		"https://github.com/prostomarkeloff/fastapi-tortoise/issues/6", "dependency-unreachable", false},
	{asLog, `"OSError: [Errno 12] Cannot allocate memory"`,
		"https://github.com/benoitc/gunicorn/issues/1377", "app-exit", false},

	// Further ones: cut texts, agents of container instances, roles and volumes.
	{asReason, `CannotStartContainerError: ResourceInitializationError: unable to create new container: mount callback failed on /tmp/containerd-mount916692511: open /tmp/containerd-mount916692511/etc/passwd: no such file or directory`,
		"https://github.com/aws-samples/net-modernization/issues/13", "container-start-failed", false},
	{asReason, `ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: MissingEndpoint: 'Endpoint' configuration is required for t`,
		"https://github.com/TechToSpeech/terraform-aws-serverless-static-wordpress/issues/74", "log-driver-invalid", true},
	{asReason, `CannotStartContainerError: ResourceInitializationError: failed to initialize logging driver: failed to get fluentd log driver arguments: logging driver specified of container xxxxxxxx, but no log configuration specified`,
		"https://github.com/splunk/splunk-connect-for-kubernetes/issues/423", "log-driver-failed", false},
	{asReason, `CannotStartContainerError: Error response from daemon: failed to initialize logging driver: CredentialsEndpointError: failed to load credentials caused by: RequestError: send request failed caused by: Get http://169.254.170.2/v2/credentials/0f9d`,
		"https://github.com/aws/amazon-ecs-cli/issues/752", "log-driver-failed", false},
	{asReason, `ResourceInitializationError: failed to validate logger args: : signal: killed`,
		"https://gist.github.com/bradleybeddoes/7b568d87d20c5e4ebfe31de9a8dc08c7", "logs-unreachable", false},
	{asReason, `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve "fs-06642d00e4ec726.efs.ap-northeast-1.amazonaws.com" - check that your file system ID is correct, and ensure that the VPC has an EFS mount target for this file system ID. See https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail. Attempting to lookup mount target ip address using botocore. Failed to import necessary dependency botocore, please install botocore first. : unsuccessful EFS utils command execution; code: 1`,
		"https://github.com/aws/copilot-cli/issues/5419", "volume-mount-failed", false},
	{asReason, `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve "fs-00000000.efs.us-east-1.amazonaws.com" - check that your file system ID is correct.`,
		"https://github.com/aws/amazon-ecs-cli/issues/1083", "volume-mount-failed", false},
	{asReason, `ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve "fs-0867a83d8ed398433.efs.`,
		"https://github.com/cn-terraform/terraform-aws-jenkins/issues/23", "volume-mount-failed", false},
	{asReason, `Error response from daemon: create ecs-simple-server-16-configs-faf8bc8696dee78e3e00: Post http://%2Frun%2Fdocker%2Fplugins%2Famazon-ecs-volume-plugin.sock/VolumeDriver.Create: context deadline exceeded`,
		"https://github.com/aws/amazon-ecs-agent/issues/2570", "volume-failed", false},
	{asReason, `Error response from daemon: create-Custom-b4b49fd4e3d9c8dcb301: error looking up volume plugin amazon-ecs-volume-plugin: plugin "amazon-ecs-volume-plugin" not found.`,
		"https://github.com/aws/elastic-beanstalk-roadmap/issues/244", "volume-failed", false},
	{asReason, `Error response from daemon: create ecs-td-metabase-6-metabase-volume-9eb7f486c9c6ae8d4600: VolumeDriver.Create: mounting volume failed: Failed to resolve "fs-02417eff7308d5026.efs.ap-northeast-1.amazonaws.com" - check that your file system ID is correct, and ensure that the VPC has an EFS mount target for this file system ID.`,
		"https://github.com/ydamni/cloud-is-free/issues/3", "volume-mount-failed", false},
	{asEvent, `service MythicalMysfits-Service failed to launch a task with (error ECS was unable to assume the role 'arn:aws:iam::111122223333:role/MythicalMysfitsCoreStack-ECSTaskRole-FXO3A6J08BN' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.).`,
		"https://github.com/aws-samples/aws-modern-application-workshop/issues/88", "role-not-assumable", false},
	{asEvent, `service webapp-1 failed to launch a task with (error ECS was unable to assume the role 'arn:aws:iam::123456789:role/null' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.).`,
		"https://github.com/boto/boto3/issues/1878", "role-not-assumable", false},
	{asReason, `Unable to assume the service linked role. Please verify that the ECS service linked role exists.`,
		"https://github.com/jonrau1/ElectricEye/issues/9", "service-linked-role-missing", false},
	{asEvent, `service my-service was unable to place a task because no container instance met all of its requirements. The closest matching container-instance af580523fe1022f095e doesn't have the agent connected. For more information, see the Troubleshooting section.`,
		"https://github.com/aws-actions/amazon-ecs-deploy-task-definition/issues/260", "no-container-instance", false},
	{asEvent, `service ComfyUIService was unable to place a task because no container instance met all of its requirements. The closest matching container-instance cca2a08b7a57472f9626b51debdc8595 is missing an attribute required by your task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`,
		"https://github.com/aws-samples/cost-effective-aws-deployment-of-comfyui/issues/8", "no-container-instance", false},
	{asEvent, `(service stg01-ap2168-EcsWorker-1BWP4RS3MVGNR) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance d20a57cd-80a3-4bef-98a3-ddac785d9d7e) has insufficient CPU units available. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`,
		"https://github.com/boto/boto3/issues/1942", "no-container-instance", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-central-1:111122223333:secret:algo-dev-directus-secret20240626183203358800000004-EaPYTy from secrets manager: AccessDeniedException: Access to KMS is not allowed status code: 400, request id: a87a66d9-f839-4353-b8c2-9984b1465695`,
		"https://github.com/GiamPy5/terraform-aws-directus/issues/10", "kms-denied", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time...`,
		"https://github.com/aws/copilot-cli/issues/2095", "secret-unreadable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/django-app-test-django-ExecutionRole-0GkTVxbLE8AS/10f3cb5a956e423b81737b131abd962d is`,
		"https://github.com/aws/copilot-cli/issues/5639", "parameter-denied", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: ....`,
		"https://github.com/aws/copilot-cli/issues/3104", "parameter-denied", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:db from secrets manager: InvalidParameter: 1 validation error(s) found. – (minimum field size of 32/ maximum field size of 64), GetSecretValueInput.VersionId.`,
		"https://www.repost.aws/fr/knowledge-center/ecs-unable-to-pull-secrets", "secret-reference-invalid", true},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 5 time(s): failed to fetch secret arn:aws:secretsmanager:us-east-2:111122223333:secret:ecs-ci/CPTLSCert/962_1-TxmoDc from secrets manager: RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration.`,
		"https://github.com/Kong/kong-mesh-ecs/pull/44", "secrets-unreachable", false},
	{asReason, `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 5 time(s): failed to fetch`,
		"https://github.com/aws-samples/dataops-platform-airflow-dbt/issues/12", "secret-unreadable", false},
	{asReason, `CannotStartContainerError: bind for 0.0.0.0:8080 failed: port is already allocated`,
		"https://www.fixdevs.com/blog/aws-ecs-task-failed-to-start/", "container-start-failed", false},
	{asReason, `CannotStartContainerError: Error response from daemon: driver failed programming external connectivity on endpoint ecs-BazelClusterStackBazelRemoteCacheTaskDefD45D67B6-8-bazel-remote-cache-server-aecccec899b9909b040`,
		"https://github.com/aws/containers-roadmap/issues/1133", "container-start-failed", false},
	{asReason, `CannotPullContainerError: Error response from daemon: pull access denied`,
		"https://oneuptime.com/blog/post/2026-02-12-fix-ecs-cannotpullcontainererror-errors/view", "image-pull-denied", false},
	{asReason, `CannotPullContainerError: Error response from daemon: repository does not exist`,
		"https://oneuptime.com/blog/post/2026-02-12-fix-ecs-cannotpullcontainererror-errors/view", "image-pull-denied", false},
	{asReason, `CannotPullContainerError: inspect image has been retried 5 time(s): `,
		"https://github.com/aws/amazon-ecs-agent/issues/3035", "image-pull-failed", false},
	{asReason, `CannotCreateContainerError: API error (500): Untar`,
		"https://github.com/aws/amazon-ecs-cli/issues/194", "container-start-failed", false},
	{asReason, `CannotPullContainerError: Error response from daemon: net/http: request canceled`,
		"https://oneuptime.com/blog/post/2026-02-12-fix-ecs-cannotpullcontainererror-errors/view", "registry-unreachable", false},
	{asReason, `CannotStartContainerError: failed to get container status: <reason>`,
		"https://docs.aws.amazon.com/AmazonECS/latest/userguide/stopped-task-error-codes.html", "container-start-failed", false},
	{asReason, `CannotInspectContainerError: Could not transition to inspecting; timed out after waiting 30s`,
		"https://docs.aws.amazon.com/AmazonECS/latest/userguide/stopped-task-error-codes.html", "container-start-timeout", false},
	{asReason, `CannotCreateVolumeError: <reason>`,
		"https://docs.aws.amazon.com/AmazonECS/latest/userguide/stopped-task-error-codes.html", "volume-failed", false},
	{asReason, `DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s`,
		"https://www.repost.aws/knowledge-center/ecs-fargate-docker-timeout-error", "container-start-timeout", false},
	{asReason, `TaskFailedToStart: AGENT`,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html", "no-container-instance", false},
	{asReason, `TaskFailedToStart: MemberOf placement constraint unsatisfied.`,
		"https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html", "no-container-instance", false},
}

func TestPublishedFailures(t *testing.T) {
	sources := map[string]bool{}
	for _, test := range published {
		sources[test.source] = true
		e := Evidence{Service: "api", Cluster: "prod"}
		switch test.where {
		case asReason:
			e.Tasks = []Task{{ARN: taskARN, LastStatus: "STOPPED", StopCode: "TaskFailedToStart", Reason: test.text,
				Containers: []Container{{Name: "app", LogGroup: "/ecs/api"}}}}
		case asEvent:
			e.Events = []Event{said(test.text)}
		case asLog:
			e.Tasks = []Task{alone(1, test.text)}
		}
		c := Classify(e)
		if c.Code != test.code || c.Certain != test.certain {
			t.Errorf("%s\n%s\ngot %s (certain %t) %q, want %s (certain %t)", test.source, test.text, c.Code, c.Certain, c.Title, test.code,
				test.certain)
		}
		if len(c.Fix) == 0 || len(c.Evidence) == 0 || strings.Contains(c.Title+strings.Join(c.Fix, ""), "${") || strings.Contains(c.Title,
			"HOST") {
			t.Errorf("%s: incomplete: %+v", test.source, c)
		}
		if slices.ContainsFunc(c.Fix, func(fix string) bool { return strings.Contains(fix, "PLATFORM") }) {
			t.Errorf("%s: a fix names nothing: %q", test.source, c.Fix)
		}
	}
	if len(published) < 105 || len(sources) < 75 {
		t.Errorf("%d texts of %d sources", len(published), len(sources))
	}
}
