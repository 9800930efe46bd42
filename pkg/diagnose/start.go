package diagnose

import (
	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
)

// ref matches an image reference and names its parts. A registry's host has a dot or a port in it.
const ref = `(?P<ref>(?:(?P<host>[^/\s]+[.:][^/\s]+)/)?(?P<repo>[^\s:@]+)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]+))?)`

// ecrRef matches a reference to an image of a private registry of ECR's, and resolveECR what containerd says of it.
const (
	ecrRef = `(?P<ref>(?P<host>\d{12}\.dkr[.-]ecr[.-][^/\s]+)/(?P<repo>[^\s:@]+)(?::(?P<tag>[\w][\w.-]*))?` +
		`(?:@(?P<digest>sha256:[0-9a-f]+))?)`
	resolveECR = `failed to resolve ref (?:")?` + ecrRef + `(?:")?: `
)

// refused is how a registry says that it gives nothing to whoever asks.
const refused = `.*(?:pull access denied|insufficient_scope|authorization failed|403 Forbidden|401 Unauthorized|no basic auth credentials)`

// resolve is how containerd begins what it says of a reference that it could not turn into a manifest.
const resolve = `failed to resolve ref (?:")?` + ref + `(?:")?: `

// noAnswer is how a call ends that reached nobody: no DNS answer, no route, or a security group that drops packets.
const noAnswer = `(?:i/o timeout|deadline exceeded|connection issue between the task|no such host|connection refused|StatusCode: 0|signal: killed|` +
	`send request failed|request canceled while waiting|Client\.Timeout|request context cancell?ed|context deadli\.\.\.|` +
	`TLS handshake timeout|connection timed out|no route to host|network is unreachable|server misbehaving)`

// throttled is how a call ends of which there were too many.
const throttled = `(?:ThrottlingException|TooManyRequestsException|Rate exceeded)`

// secret matches the ARN of a secret, as far as the JSON key and version that a task definition may append to it.
const secret = `arn:[^:\s']+:secretsmanager:[^:\s']*:\d*:secret:[^:\s']+)[^\s']*`

const (
	fixGroups = "check that the task's security groups allow outbound 443, and that the endpoints' security groups allow " +
		"inbound 443 from the tasks"
	fixRepeat = "then run the release again"
	fixWayOut = "give the task's subnets a way out: a NAT gateway, a public IP, or VPC endpoints for ecr.api, ecr.dkr and S3"
	fixLogin  = "for a private registry set `repositoryCredentials` of the container: a secret, as JSON, with `username` and `password`"
)

// startRules explain why a task never started. The order matters: what names a missing thing or a missing permission goes
// before what only says that a call failed.
var startRules = []rule{
	// Image.
	{
		code:  "registry-auth-denied",
		re:    lazyregexp.New(`(?s)GetAuthorizationToken.*(?:AccessDenied|not authorized)`),
		title: "the execution role may not log in to ECR (ecr:GetAuthorizationToken)",
		fix: []string{"allow `ecr:GetAuthorizationToken` on `*` in the task definition's execution role (the managed policy " +
			"AmazonECSTaskExecutionRolePolicy has it)", fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "registry-throttled",
		re:    lazyregexp.New(`(?s)(?:ecr registry auth|GetAuthorizationToken|CannotPullECR\w*).*` + throttled),
		title: "Amazon ECR throttles the logins of this account's tasks",
		fix: []string{"ECS starts the task again by itself; start fewer tasks at the same time if it repeats",
			"`aws service-quotas list-service-quotas --service-code ecr` shows the quota of GetAuthorizationToken"},
		fault: record.FaultPlatform,
	},
	{
		code:  "registry-unreachable",
		re:    lazyregexp.New(`(?s)(?:pull registry auth|retrieve ecr registry auth|GetAuthorizationToken).*` + noAnswer),
		title: "the task has no network route to Amazon ECR (login)",
		fix:   []string{fixWayOut, fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "registry-login-failed",
		re:    lazyregexp.New(`(?:retrieve|get) ecr registry auth`),
		title: "the task could not log in to Amazon ECR",
		fix: []string{"most often the network: give the task's subnets a way out, a NAT gateway, a public IP, or VPC endpoints for ecr.api, " +
			"ecr.dkr " +
			"and S3", "otherwise the execution role: it needs `ecr:GetAuthorizationToken` on `*`"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "architecture-mismatch",
		re:    lazyregexp.New(`failed to find a descriptor for platform \{?(?P<platform>[^}"\s]+)`),
		title: "the registry offers no manifest of the image for ${platform}",
		fix: []string{"build for it: `docker buildx build --platform ${platform} …`",
			"if the image is for it, build it in Docker's format: `buildah build --format docker`, `kaniko` and others write OCI manifests that " +
				"older " +
				"platform versions do not take"},
		fault: record.FaultRelease,
	},
	{
		code:  "architecture-mismatch",
		re:    lazyregexp.New(`does not contain descriptor matching platform '(?P<platform>[^']+)'`),
		title: "the image has no variant for ${platform}, which the task definition asks for",
		fix: []string{"build for it: `docker buildx build --platform ${platform} …`",
			"or set `runtimePlatform.cpuArchitecture` of the task definition to the architecture of the image"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "image-digest-gone",
		re:    lazyregexp.New(resolve + `.*@sha256:[0-9a-f]+: not found`),
		title: "the image digest ${repo}@${digest} is no longer in the registry",
		fix: []string{"see whether a lifecycle rule expired it: `aws ecr describe-images --repository-name ${repo} --image-ids " +
			"imageDigest=${digest}`",
			"push the image again, or deploy a digest that is still there"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "repository-missing",
		re:    lazyregexp.New(`(?i)` + resolve + `.*(?:name[ _]unknown|RepositoryNotFound|repository with name .* does not exist)`),
		title: "the repository ${repo} does not exist in ${host}",
		fix: []string{"check the repository's name, account and region in the image reference ${ref}",
			"list what is there: `aws ecr describe-repositories`"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "image-not-found",
		re:    lazyregexp.New(resolve + `.*: not found`),
		title: "the image ${ref} does not exist: no such tag in ${repo}",
		fix: []string{"see what is there: `aws ecr list-images --repository-name ${repo} --filter tagStatus=TAGGED`",
			"push the tag ${tag}, or deploy one that exists"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "image-not-found",
		re:    lazyregexp.New(`manifest for ` + ref + ` not found|manifest unknown|Requested image not found`),
		title: "the image ${ref} does not exist in the registry",
		fix:   []string{"push it, or deploy a tag that exists"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "registry-rate-limited",
		re:    lazyregexp.New(`(?i)toomanyrequests|pull rate limit`),
		title: "the registry refuses more pulls for now (rate limit)",
		fix: []string{"copy the image to ECR, or use an ECR pull-through cache that logs in, since anonymous pulls from " +
			"public registries are limited per address", fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "image-pull-denied",
		re:    lazyregexp.New(`(?s)failed to copy: .*https://(?P<host>[^/\s"]+)/v2/.*(?:401|403)`),
		title: "${host} refused a part of the image",
		fix: []string{"allow `ecr:BatchGetImage` and `ecr:GetDownloadUrlForLayer` in the execution role; for a registry other than ECR set " +
			"`repositoryCredentials`"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "layer-denied",
		re:    lazyregexp.New(`(?s)failed to copy: httpRead(?:er)?Seeker: failed open: unexpected status code .*\b403\b`),
		title: "S3 refused a layer of the image (403)",
		fix: []string{"the image's manifest was read, so the role may pull: let the policy of the VPC's S3 endpoint allow `s3:GetObject` on " +
			"ECR's " +
			"bucket of layers: `arn:aws:s3:::prod-REGION-starport-layer-bucket/*`",
			"if there is no endpoint, see what else the bucket's traffic passes through: a proxy, a firewall"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "layers-unreachable",
		re:    lazyregexp.New(`(?s)failed to copy: .*https://(?P<host>[^/\s"]*\.s3[^/\s"]*)[/\s].*` + noAnswer),
		title: "the task has no network route to S3 (${host}), where ECR keeps the layers of images",
		fix: []string{"give the task's subnets a way out, or an S3 gateway endpoint in their route tables: the endpoints for ecr.api and " +
			"ecr.dkr are not enough",
			"check that the task's security groups allow outbound 443 to S3 (with a gateway endpoint: to its prefix list)"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "layers-unreachable",
		re:    lazyregexp.New(`(?s)failed to copy: (?:.*?https://(?P<host>[^/\s"]+)/)?.*` + noAnswer),
		title: "the connection to ${host} broke off while layers of the image were read",
		fix:   []string{fixWayOut, fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "image-pull-denied",
		re:    lazyregexp.New(`(?:` + resolve + `)?.*failed to authorize: failed to fetch (?:anonymous|oauth) token`),
		title: "the registry of ${ref} gives this task no token",
		fix: []string{fixLogin,
			"check the image's name"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "image-pull-denied",
		re:    lazyregexp.New(resolveECR + refused),
		title: "pulling ${ref} was refused: no permission, or the repository does not exist",
		fix: []string{"allow `ecr:BatchGetImage`, `ecr:GetDownloadUrlForLayer` and `ecr:GetAuthorizationToken` in the execution role",
			"if the repository ${repo} is in another account, its repository policy must allow this account too"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "image-pull-denied",
		re:    lazyregexp.New(resolve + refused),
		title: "pulling ${ref} was refused: the registry does not show it to the task, or has no such repository",
		fix: []string{"check the image's name",
			fixLogin},
		fault: record.FaultInfrastructure,
	},
	{
		code: "image-pull-denied",
		re: lazyregexp.New(`(?i)role has the permissions to pull images|pull access denied|` +
			`not authorized to perform: ecr:\w+|CannotPull.*(?:403 Forbidden|repository .*does not exist)`),
		title: "pulling the image was refused by the registry",
		fix: []string{"allow `ecr:BatchGetImage`, `ecr:GetDownloadUrlForLayer` and `ecr:GetAuthorizationToken` in the execution role",
			"if the repository is in another account, its repository policy must allow this account too"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "registry-unreachable",
		re:    lazyregexp.New(`(?s)` + resolve + `.*` + noAnswer),
		title: "the task has no network route to the registry ${host}",
		fix: []string{fixWayOut,
			fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "registry-unreachable",
		re:    lazyregexp.New(`(?s)CannotPull\w*: .*(?:Get|Head) "?https://(?P<host>[^/"\s]+)/v2/.*` + noAnswer),
		title: "the task has no network route to the registry ${host}",
		fix: []string{fixWayOut,
			fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "registry-unreachable",
		re:    lazyregexp.New(`CannotPull\w*: .*net/http: (?:request canceled|TLS handshake timeout)`),
		title: "the task has no network route to the image's registry",
		fix: []string{fixWayOut,
			fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "image-corrupt",
		re:    lazyregexp.New(`number of layers and diffIDs don't match: (?P<have>\d+) != (?P<want>\d+)`),
		title: "the image is inconsistent: its configuration names ${want} layers, ${have} could be unpacked",
		fix: []string{"build and push it again with one compression for all layers (gzip and zstd must not be mixed): " +
			"`docker buildx build --output type=image,compression=gzip,force-compression=true …`"},
		fault: record.FaultRelease,
	},
	{
		code:  "disk-full",
		re:    lazyregexp.New(`(?i)no space left on device`),
		title: "the task's ephemeral storage is too small for the image",
		fix:   []string{"set `ephemeralStorage.sizeInGiB` (21–200) in the task definition, or make the image smaller"},
		fault: record.FaultRelease,
	},
	{
		code:  "image-pull-failed",
		re:    lazyregexp.New(`(?i)CannotPull\w*|failed to copy: httpReaderSeeker|ref pull has been retried`),
		title: "the image could not be pulled",
		fix: []string{"read the quoted reason; unexpected status codes while layers are copied mean S3 refused or was not " +
			"reached: check the S3 gateway endpoint's policy", fixRepeat},
		fault: record.FaultUnclear,
	},

	// Secrets Manager and Parameter Store.
	{
		code:  "secrets-throttled",
		re:    lazyregexp.New(`(?s)(?:from (?P<store>ssm|asm)|ssm:|secretsmanager:|Secrets Manager|Systems Manager|GetParameters|GetSecretValue).*` + throttled),
		title: "AWS throttles the reading of secrets and parameters in this account",
		fix: []string{"ECS starts the task again by itself; start fewer tasks at the same time if it repeats",
			"keep what a task needs in one secret instead of many parameters, or raise Parameter Store's throughput: " +
				"`aws ssm update-service-setting --setting-id /ssm/parameter-store/high-throughput-enabled --setting-value true`"},
		fault: record.FaultPlatform,
	},
	{
		code:  "kms-denied",
		re:    lazyregexp.New(`(?i)Access to KMS is not allowed|not authorized to perform: kms:\w+|KMS key .*(?:not allowed|disabled)`),
		title: "the execution role may not decrypt the secret with its KMS key",
		fix: []string{"allow `kms:Decrypt` on the secret's key in the execution role, and let the key's own policy name that role",
			"check that the key is enabled"},
		fault: record.FaultInfrastructure,
	},
	{
		code: "secret-denied",
		re: lazyregexp.New(`assumed-role/(?P<role>[^/\s]+)/\S+ is not authorized to perform: (?P<action>secretsmanager:\w+) ` +
			`on resource: (?P<secret>\S+)`),
		title: "the execution role ${role} may not read the secret ${secret}",
		fix: []string{"allow `${action}` on `${secret}` in the role ${role} (an ARN in the policy needs the six-character suffix, or `-??????`)",
			fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code: "parameter-denied",
		re: lazyregexp.New(`assumed-role/(?P<role>[^/\s]+)/\S+ is not authorized to perform: (?P<action>ssm:\w+) ` +
			`on resource: (?P<parameter>\S+)`),
		title: "the execution role ${role} may not read the parameter ${parameter}",
		fix:   []string{"allow `${action}` on `${parameter}` in the role ${role}", fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "secret-denied",
		re:    lazyregexp.New(`(?s)retrieve secrets? from asm.*AccessDenied`),
		title: "the execution role may not read a secret of the task definition",
		fix: []string{"allow `secretsmanager:GetSecretValue` on the secrets in the execution role, and `kms:Decrypt` where they have a key of " +
			"their own",
			fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "parameter-denied",
		re:    lazyregexp.New(`(?s)retrieve secrets? from ssm.*AccessDenied`),
		title: "the execution role may not read a parameter of the task definition",
		fix: []string{"allow `ssm:GetParameters` on the parameters in the execution role, and `kms:Decrypt` where they have a key of " +
			"their own",
			fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "secret-reference-invalid",
		re:    lazyregexp.New(`GetSecretValueInput\.VersionId`),
		title: "a `valueFrom` of the task definition ends in something that is not the id of a secret's version",
		fix: []string{"the form is ARN:KEY:STAGE:VERSION, where each of the last three may be empty: most often a colon is missing, " +
			"as in ARN:KEY:: for a key"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "secret-deleted",
		re:    lazyregexp.New(`(?s)(?:secret (?P<secret>` + secret + ` from.*)?marked for deletion`),
		title: "the secret ${secret} is scheduled for deletion",
		fix:   []string{"restore it: `aws secretsmanager restore-secret --secret-id ${secret}`", fixRepeat},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code:  "secret-key-missing",
		re:    lazyregexp.New(`did not contain json key (?P<key>\S+)`),
		title: "the secret has no JSON key ${key}",
		fix: []string{"add the key ${key} to the secret's value, or correct the name at the end of `valueFrom` in the task definition",
			"see the keys: `aws secretsmanager get-secret-value --secret-id SECRET --query SecretString --output text | jq keys`"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "secret-not-json",
		re:    lazyregexp.New(`(?s)from asm:.*(?:invalid character|cannot unmarshal|unexpected end of JSON)`),
		title: "the secret is plain text, but the task definition asks for a JSON key of it",
		fix:   []string{"store a JSON object, or drop the `:key::` part from `valueFrom` in the task definition"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code: "secret-empty",
		re: lazyregexp.New(`(?s)(?:secret with ARN '(?P<secret>` + secret + `'.*|secret (?P<secret2>` + secret + ` from.*)?` +
			`can't find the specified secret value for staging label: AWSCURRENT`),
		title: "the secret ${secret} exists and has no value yet",
		fix:   []string{"give it one: `aws secretsmanager put-secret-value --secret-id ${secret} --secret-string file://VALUE`", fixRepeat},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code: "secret-version-missing",
		re: lazyregexp.New(`(?s)(?:secret with ARN '(?P<secret>` + secret + `'.*|secret (?P<secret2>` + secret + ` from.*)?` +
			`can't find the specified secret value for (?P<which>staging label|VersionId): (?P<version>[^\s,"]+)`),
		title: "the secret ${secret} has no version with the ${which} ${version}",
		fix: []string{"see its versions: `aws secretsmanager list-secret-version-ids --secret-id ${secret}`",
			"correct the version at the end of `valueFrom`, or leave it away for the current one"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code: "secret-missing",
		re: lazyregexp.New(`(?s)(?:secret with ARN '(?P<secret>` + secret + `'.*|secret (?P<secret2>` + secret +
			` from.*)?` +
			`Secrets Manager can't find the specified secret`),
		title: "the secret ${secret} does not exist in this region",
		fix: []string{"check the name, region and six-character suffix in `valueFrom`: a secret that was made again has another suffix",
			"see it: `aws secretsmanager describe-secret --secret-id ${secret}`"},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code:  "parameter-missing",
		re:    lazyregexp.New(`invalid ssm parameters: (?P<parameter>[^\s,]+(?:, ?[^\s,]+)*)`),
		title: "the SSM parameter ${parameter} does not exist in this region, or cannot be decrypted",
		fix: []string{"see it: `aws ssm get-parameters --names ${parameter}`",
			"a `valueFrom` that does not begin with `arn:` is taken for a parameter's name: a secret needs its full ARN"},
		fault: record.FaultInfrastructure, certain: true,
	},
	{
		code:  "secrets-unreachable",
		re:    lazyregexp.New(`(?s)(?:from asm|Secrets Manager).*` + noAnswer),
		title: "the task has no network route to AWS Secrets Manager",
		fix:   []string{"give the task's subnets a way out: a NAT gateway, a public IP, or a VPC endpoint for secretsmanager", fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "parameters-unreachable",
		re:    lazyregexp.New(`(?s)(?:from ssm|Systems Manager).*` + noAnswer),
		title: "the task has no network route to AWS Systems Manager (parameters)",
		fix: []string{"give the task's subnets a way out: a NAT gateway, a public IP, or a VPC endpoint for ssm",
			fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "registry-credentials-unreadable",
		re:    lazyregexp.New(`(?s)registry auth from asm(?:.*fetching secret from the service for (?P<secret>[^\s:]+[^.\s]*))?`),
		title: "ECS could not read the credentials of the image's registry (`repositoryCredentials`)",
		fix: []string{"check that the secret exists in this region and is JSON with `username` and `password`",
			"allow `secretsmanager:GetSecretValue` on it in the execution role, and `kms:Decrypt` where it has a key of its own",
			"check that the task's network reaches Secrets Manager: a NAT gateway, a public IP, or a VPC endpoint for secretsmanager"},
		fault: record.FaultInfrastructure,
	},

	// Files of environment variables.
	{
		code:  "env-file-denied",
		re:    lazyregexp.New(`(?s)download env files.*(?:download(?:ing)? file (?P<file>[^:\s]+).*)?(?:AccessDenied|Access Denied|403|Forbidden)`),
		title: "the execution role may not read a file of environment variables in S3",
		fix: []string{"allow `s3:GetObject` on the file and `s3:GetBucketLocation` on its bucket in the execution role; without " +
			"`s3:ListBucket` a missing file is reported like this too",
			"with its own key: allow `kms:Decrypt`; with an S3 endpoint: let its policy allow the bucket"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "env-file-missing",
		re:    lazyregexp.New(`(?s)download env files.*(?:NoSuchKey|NoSuchBucket|specified key does not exist|404|NotFound|Not Found)`),
		title: "a file of environment variables of the task definition (`environmentFiles`) does not exist",
		fix:   []string{"see what is there: `aws s3 ls`; upload it, or correct `environmentFiles` of the container"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "env-file-unreachable",
		re:    lazyregexp.New(`(?s)download env files.*` + noAnswer),
		title: "the task has no network route to S3, where its files of environment variables are",
		fix:   []string{"give the task's subnets a way out, or an S3 gateway endpoint in their route tables", fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "env-file-failed",
		re:    lazyregexp.New(`download env files`),
		title: "ECS could not read the files of environment variables (`environmentFiles`)",
		fix:   []string{"read the quoted reason; each line of the file is NAME=VALUE, and its name ends with .env"},
		fault: record.FaultUnclear,
	},
	{
		code:  "secret-unreadable",
		re:    lazyregexp.New(`unable to retrieve secrets? from (?P<store>asm|ssm)|unable to pull secrets or registry auth`),
		title: "ECS could not read the secrets of the task definition",
		fix:   []string{"read the quoted reason; check the secret, the execution role and the network route", fixRepeat},
		fault: record.FaultInfrastructure,
	},

	// Log driver.
	{
		code:  "log-group-missing",
		re:    lazyregexp.New(`(?s)(?:logger args|logging driver).*log group does not exist`),
		title: "the log group ${log_group} of the task definition does not exist",
		fix: []string{"create it: `aws logs create-log-group --log-group-name ${log_group}`",
			"or set `awslogs-create-group: \"true\"` and allow `logs:CreateLogGroup` in the execution role"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "logs-denied",
		re:    lazyregexp.New(`(?s)(?:logger args|logging driver).*(?:AccessDenied|not authorized to perform: (?P<action>logs:\w+))`),
		title: "the execution role may not write to the log group ${log_group}",
		fix:   []string{"allow `logs:CreateLogStream` and `logs:PutLogEvents` on the log group ${log_group} in the execution role", fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "log-driver-failed",
		re:    lazyregexp.New(`(?s)(?:logger args|logging driver).*169\.254\.170\.2`),
		title: "the log driver got no credentials from the ECS agent of the container instance",
		fix: []string{"let containers of the instance reach 169.254.170.2, and set `ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true` in its " +
			"/etc/ecs/ecs.config"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "logs-unreachable",
		re:    lazyregexp.New(`(?s)(?:logger args|logging driver).*` + noAnswer),
		title: "the task has no network route to CloudWatch Logs",
		fix: []string{"give the task's subnets a way out: a NAT gateway, a public IP, or a VPC endpoint for logs",
			fixGroups},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "log-driver-invalid",
		re:    lazyregexp.New(`(?:logger args|logging driver).*?: (?P<why>[^:]+ is required|[^:]*unknown log opt[^:]*)`),
		title: "the log driver's options are wrong: ${why}",
		fix:   []string{"set the option in `logConfiguration.options` of the task definition"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "log-driver-failed",
		re:    lazyregexp.New(`failed to validate logger args|failed to initialize logging driver`),
		title: "the log driver could not be set up",
		fix:   []string{"read the quoted reason; check `logConfiguration` of the task definition, the log group and the execution role"},
		fault: record.FaultUnclear,
	},

	// Volumes.
	{
		code:  "volume-mount-failed",
		re:    lazyregexp.New(`(?s)EFS (?:utils|volumes)|mount\.nfs4|Failed to resolve "(?P<fs>fs-[^"]+)"`),
		title: "the EFS volume could not be mounted",
		fix: []string{"check that the file system has a mount target in every subnet of the service, and that its security group " +
			"allows 2049 from the tasks", "with IAM authorisation, the task role needs `elasticfilesystem:ClientMount`"},
		fault: record.FaultInfrastructure,
	},

	{
		code:  "volume-failed",
		re:    lazyregexp.New(`VolumeDriver\.\w+|volume plugin|CannotCreateVolume`),
		title: "a volume of the task could not be made or mounted",
		fix: []string{"read the quoted reason; on a container instance see that the volume's driver runs (for EFS: " +
			"`systemctl enable --now amazon-ecs-volume-plugin`)",
			"for EFS check that the file system has a mount target in the task's zone, and that its security group allows 2049 from there"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "infrastructure-role-not-assumable",
		re:    lazyregexp.New(`(?i)unable to assume the (?:configured )?ECS Infrastructure Role '(?P<role>[^']+)'`),
		title: "ECS may not assume the infrastructure role ${role}, with which it makes the task's volumes",
		fix:   []string{"let the role's trust policy allow `sts:AssumeRole` to the service `ecs.amazonaws.com`; check that the role exists"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "ebs-denied",
		re:    lazyregexp.New(`(?s)(?i)(?:EBS|infrastructure role).*not authorized to perform: (?P<action>ec2:\w+)|not authorized to perform: (?P<action2>ec2:(?:CreateVolume|AttachVolume|DescribeVolumes))`),
		title: "the infrastructure role may not make the task's EBS volume (${action})",
		fix: []string{"attach the managed policy AmazonECSInfrastructureRolePolicyForVolumes to the role",
			"with a key of its own: let the key's policy allow the role"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "ebs-attachment-failed",
		re:    lazyregexp.New(`(?i)(?:timed out|timeout|failed|unable|issues?|could not|not)\b.*\bEBS\b|\bEBS volumes?\b.*(?:timed out|timeout|failed|unable|not)\b`),
		title: "the task's EBS volume could not be made or attached",
		fix: []string{"read the quoted reason; see the volume: `aws ec2 describe-volumes --filters Name=tag:AmazonECSCreated,Values=true`",
			"check the volume's size, type and snapshot, the account's quota of EBS, and the infrastructure role"},
		fault: record.FaultInfrastructure,
	},

	// Command.
	{
		code:  "command-not-found",
		re:    lazyregexp.New(`exec: "(?P<exec>[^"]+)": (?P<why>executable file not found in \$PATH|stat \S+: no such file or directory|no such file or directory)`),
		title: "the container has no executable ${exec}",
		fix: []string{"check `entryPoint` and `command` of the container ${container} and those of the image: " +
			"`docker run --rm --entrypoint sh IMAGE -c 'command -v ${exec}'`",
			"a volume that is mounted over its folder hides what the image has there"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "command-not-executable",
		re:    lazyregexp.New(`exec: "(?P<exec>[^"]+)": permission denied`),
		title: "${exec} in the image is not executable by the container's user",
		fix:   []string{"set the mode in the Dockerfile (`COPY --chmod=0755 …`), or run it through its interpreter"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "architecture-mismatch",
		re:    lazyregexp.New(`exec format error`),
		title: "the image was built for another CPU architecture than the task's (${arch})",
		fix: []string{"build for it: `docker buildx build --platform linux/${platform_arch} …`",
			"or set `runtimePlatform.cpuArchitecture` of the task definition to the architecture of the image"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "container-start-timeout",
		re:    lazyregexp.New(`ContainerRuntimeTimeout|Could not transition to \w+; timed out`),
		title: "the container did not start within the time that ECS gives it",
		fix: []string{"run the release again; if it repeats, give the task more CPU, or look for a dependency (`dependsOn`) that never " +
			"gets ready",
			"on platform versions before 1.4 a task without a network route shows like this too: a NAT gateway, a public IP, or VPC endpoints"},
		fault: record.FaultPlatform,
	},
	{
		code:  "container-start-failed",
		re:    lazyregexp.New(`CannotStartContainer\w*|CannotCreateContainer\w*|OCI runtime create failed`),
		title: "the container could not be started",
		fix:   []string{"read the quoted reason; check `entryPoint`, `command`, `user`, `workingDirectory` and mounts of the container"},
		fault: record.FaultRelease,
	},

	// Network and storage of the task.
	{
		code:  "subnet-full",
		re:    lazyregexp.New(`(?:subnet '?(?P<subnet>subnet-\w+)'?.*)?InsufficientFreeAddressesInSubnet`),
		title: "the subnet ${subnet} has no free IP addresses",
		fix: []string{"see what is free: `aws ec2 describe-subnets --subnet-ids ${subnet} --query 'Subnets[].AvailableIpAddressCount'`",
			"add a larger subnet to the service, or lower maximumPercent so that fewer tasks run side by side"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "network-interface-failed",
		re:    lazyregexp.New(`Unexpected EC2 error while attempting to (?P<what>[^:]+): (?P<why>.+)`),
		title: "EC2 refused the task's network interface: ${why}",
		fix:   []string{"check that the service's subnets and security groups exist, belong to one VPC, and are within their quotas"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "network-interface-timeout",
		re:    lazyregexp.New(`Timeout waiting for network interface provisioning`),
		title: "AWS did not provide the task's network interface in time",
		fix:   []string{"run the release again; if it repeats, see the AWS Health Dashboard and the ECS service-linked role"},
		fault: record.FaultPlatform,
	},
	{
		code:  "storage-timeout",
		re:    lazyregexp.New(`Timeout waiting for EphemeralStorage provisioning`),
		title: "AWS did not provide the task's ephemeral storage in time",
		fix:   []string{"run the release again; if it repeats, see the AWS Health Dashboard"},
		fault: record.FaultPlatform,
	},

	// Role.
	{
		code:  "service-linked-role-missing",
		re:    lazyregexp.New(`Unable to assume the service linked role`),
		title: "ECS has no service-linked role in this account",
		fix:   []string{"make it: `aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com`", fixRepeat},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "role-not-assumable",
		re:    lazyregexp.New(`unable to assume the role '(?P<role>[^']+)'|(?:unable|not able) to assume role (?P<role2>arn:\S+)`),
		title: "ECS may not assume the role ${role} of the task definition",
		fix: []string{"let the role's trust policy allow `sts:AssumeRole` to the service `ecs-tasks.amazonaws.com`; check that the role exists",
			"a role that was made seconds ago may need a minute: then run the release again"},
		fault: record.FaultInfrastructure,
	},
}

// placementRules explain why ECS could not even place a task. They match the reason of a task, of RunTask's failures[] and
// of service events alike.
var placementRules = []rule{
	{
		code:  "account-blocked",
		re:    lazyregexp.New(`account is currently blocked`),
		title: "AWS has blocked this account from starting tasks",
		fix:   []string{"open a case with AWS Support (account and billing): nothing in the release can change this"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "quota-tasks",
		re:    lazyregexp.New(`(?i)reached the limit on the number of (?P<what>tasks|vCPUs) you can run concurrently`),
		title: "the account's quota of concurrent Fargate ${what} is used up",
		fix: []string{"see it: `aws service-quotas list-service-quotas --service-code fargate`; ask for more there",
			"stop tasks that nobody needs"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "quota-size",
		re:    lazyregexp.New(`requested (?P<what>CPU|MEMORY) configuration is above your limit`),
		title: "the task asks for more ${what} than the account's limit allows",
		fix:   []string{"lower `cpu` or `memory` of the task definition, or ask AWS Support to raise the limit"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "provisioning-limit",
		re:    lazyregexp.New(`tasks provisioning capacity limit was exceeded`),
		title: "the cluster has 500 tasks waiting for capacity already",
		fix:   []string{"wait until the cluster's other tasks have started, or scale the capacity provider"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "capacity-unavailable",
		re:    lazyregexp.New(`Capacity is unavailable at this time|RESOURCE:FARGATE|could not launch \d+ tasks? for deployment`),
		title: "AWS has no ${capacity} capacity free in the service's availability zones",
		fix: []string{"run the release again later; ECS itself goes on trying",
			"give the service more subnets in other zones, or a FARGATE base beside FARGATE_SPOT"},
		fault: record.FaultPlatform,
	},
	{
		code:  "no-container-instance",
		re:    lazyregexp.New(`no container instance met all of its requirements(?:\. (?P<why>.+))?|NO ACTIVE INSTANCES|EMPTY CAPACITY PROVIDER|MemberOf placement constraint`),
		title: "no container instance of the cluster can take the task",
		fix:   []string{"see the closest match in the quoted text; scale the cluster, or correct the placement constraints"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "no-container-instance",
		re:    lazyregexp.New(`\bRESOURCE:(?P<what>CPU|MEMORY|PORTS|ENI|GPU)|\b(?P<what2>AGENT|LOCATION|ATTRIBUTE)\b`),
		title: "no container instance of the cluster has what the task needs (${what})",
		fix:   []string{"scale the cluster, or lower what the task definition asks for"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "placement-internal-error",
		re:    lazyregexp.New(`unable to place a task\. Reason: Internal error|Reason: Internal error\.`),
		title: "ECS could not place the task and gives no reason (internal error)",
		fix: []string{"check that Fargate is offered in the zones of the service's subnets; a subnet in an unsupported zone shows like this",
			"otherwise run the release again"},
		fault: record.FaultPlatform,
	},
	{
		code:  "throttled",
		re:    lazyregexp.New(`operations are being throttled(?: on (?P<what>\w+))?`),
		title: "AWS throttles the calls that ECS makes for the service",
		fix:   []string{"wait: ECS goes on by itself; spread out releases that run at the same time in this account"},
		fault: record.FaultPlatform,
	},
}
