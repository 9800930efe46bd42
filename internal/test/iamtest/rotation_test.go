package iamtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/org/connect2/v2/pkg/rotation"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

// The rotation function calls AWS with a role that Terraform makes, within the environment's boundary. Two rotations of both secrets are
// played with the function's own code against a stand-in, and what it called is held against the policies as they were rendered.

const (
	databaseCredentials = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/rds-credentials-AbCdEf"
	databasePassword    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/rds-password-AbCdEf"
	cacheCredentials    = "arn:aws:secretsmanager:us-west-2:123456789012:secret:connect2-api/prod/redis-credentials-AbCdEf"
	environmentsKey     = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
	rotatedService      = "arn:aws:ecs:us-west-2:123456789012:service/connect2-api-cluster-prod/connect2-api-service-prod"
	rotatedGroup        = "arn:aws:elasticache:us-west-2:123456789012:replicationgroup:connect2-api-redis-prod"
)

// rotated is Secrets Manager, ECS and ElastiCache as far as a rotation needs them, with a journal of the permissions that the calls need.
type rotated struct {
	t       *testing.T
	secrets map[string]map[string]string // secret -> version -> value; "" is a version without one
	labels  map[string]map[string]string // secret -> label -> version
	tokens  []string                     // of the cache, oldest first
	journal []permit
}

// needs writes down a permission. What belongs to the environment has its tags.
func (r *rotated) needs(action, resource string, more ...string) {
	conditions := maps.Clone(tagged("prod"))
	for i := 0; i < len(more); i += 2 {
		conditions[more[i]] = values{more[i+1]}
	}
	r.journal = append(r.journal, permit{action, resource, conditions})
}

// key is what Secrets Manager does with the secret's key in the caller's name
// (https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html).
func (r *rotated) key(actions ...string) {
	for _, action := range actions {
		r.needs(action, environmentsKey, "kms:ViaService", "secretsmanager.us-west-2.amazonaws.com")
	}
}

func (r *rotated) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	respond := func(status int, kind, text string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(text)),
			Request: q}, nil
	}
	target, operation, isJSON := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
	if !isJSON {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		r.needs("elasticache:"+form.Get("Action"), "arn:aws:elasticache:us-west-2:123456789012:replicationgroup:"+form.Get("ReplicationGroupId"))
		if form.Get("Action") == "ModifyReplicationGroup" {
			r.tokens = append(r.tokens[max(0, len(r.tokens)-1):], form.Get("AuthToken"))
		}
		group := "<ReplicationGroup><Status>available</Status></ReplicationGroup>"
		return respond(http.StatusOK, "text/xml", fmt.Sprintf("<%[1]sResponse><%[1]sResult><ReplicationGroups>%[2]s</ReplicationGroups>%[2]s"+
			"</%[1]sResult></%[1]sResponse>", form.Get("Action"), group))
	}
	var in struct {
		SecretID, VersionID, VersionStage, ClientRequestToken, SecretString string
		Cluster, Service                                                    string
		Services                                                            []string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	if strings.HasPrefix(target, "AmazonEC2ContainerService") {
		r.needs("ecs:"+operation, "arn:aws:ecs:us-west-2:123456789012:service/"+in.Cluster+"/"+in.Service+strings.Join(in.Services, ","))
		return respond(http.StatusOK, "application/x-amz-json-1.1",
			`{"services":[{"serviceName":"connect2-api-service-prod","desiredCount":3,"deployments":[{"rolloutState":"COMPLETED"}]}],"service":{}}`)
	}
	var out any = struct{}{}
	r.needs("secretsmanager:"+operation, in.SecretID)
	labels := r.labels[in.SecretID]
	switch operation {
	case "DescribeSecret":
		stages := map[string][]string{}
		for label, version := range labels {
			stages[version] = append(stages[version], label)
		}
		out = map[string]any{"RotationEnabled": true, "VersionIdsToStages": stages}
	case "GetSecretValue":
		version := labels[in.VersionStage]
		value := r.secrets[in.SecretID][version]
		if value == "" || in.VersionID != "" && in.VersionID != version {
			return respond(http.StatusBadRequest, "application/x-amz-json-1.1", `{"__type":"ResourceNotFoundException","message":"no such version"}`)
		}
		r.key("kms:Decrypt")
		out = map[string]any{"SecretString": value, "VersionId": version, "CreatedDate": len(r.secrets[in.SecretID])}
	case "PutSecretValue":
		r.key("kms:GenerateDataKey", "kms:Decrypt")
		r.secrets[in.SecretID][in.ClientRequestToken] = in.SecretString
	case "UpdateSecretVersionStage":
		labels["AWSPREVIOUS"], labels["AWSCURRENT"] = labels["AWSCURRENT"], labels["AWSPENDING"]
		delete(labels, "AWSPENDING")
	default:
		r.t.Errorf("unexpected call %s", operation)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return respond(http.StatusOK, "application/x-amz-json-1.1", string(text))
}

// standIn is a database that takes everybody.
type standIn struct{}

func (standIn) Prepare(context.Context, string, string, string) error { return nil }
func (standIn) Try(context.Context, string) error                     { return nil }
func (standIn) Close(context.Context) error                           { return nil }

// rotationJournal is what switching rotation on and two rotations of both secrets call, and what Lambda calls around them.
func rotationJournal(t *testing.T) []permit {
	t.Helper()
	r := &rotated{t: t, tokens: []string{"token0"},
		secrets: map[string]map[string]string{
			databaseCredentials: {"v0": `{"username":"postgres","password":"p","host":"db","port":5432,"database":"d",` +
				`"url":"postgresql://postgres:p@db:5432/d"}`},
			databasePassword: {"v0": "p"},
			cacheCredentials: {"v0": `{"password":"token0","host":"redis","port":6379,"url":"rediss://:token0@redis:6379"}`},
		},
		labels: map[string]map[string]string{
			databaseCredentials: {"AWSCURRENT": "v0"}, databasePassword: {"AWSCURRENT": "v0"}, cacheCredentials: {"AWSCURRENT": "v0"},
		}}
	configuration := aws.Config{Region: region, HTTPClient: &http.Client{Transport: r},
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "key", "")}
	database := rotation.Rotator{
		Secrets: rotation.SecretsManager{Client: secretsmanager.NewFromConfig(configuration)},
		Service: rotation.ECSServices{Client: ecs.NewFromConfig(configuration), Cluster: "connect2-api-cluster-prod",
			Names: []string{"connect2-api-service-prod"}},
		Connect:     func(context.Context, string) (rotation.Database, error) { return standIn{}, nil },
		AdminSecret: databasePassword, AdminUser: "postgres", Users: [2]string{"connect2_a", "connect2_b"}, Owner: "connect2_owner",
		Poll: time.Millisecond,
	}
	cache := rotation.RedisRotator{Rotator: database,
		Cache: rotation.ReplicationGroup{Client: elasticache.NewFromConfig(configuration), ID: "connect2-api-redis-prod"},
		Login: func(_ context.Context, address string) error {
			u, err := url.Parse(address)
			if err != nil {
				return err
			}
			if token, _ := u.User.Password(); !slices.Contains(r.tokens, token) {
				return rotation.ErrWrongToken
			}
			return nil
		}}
	handlers := map[string]func(context.Context, rotation.Event) error{databaseCredentials: database.Handle, cacheCredentials: cache.Handle}
	for secret, handle := range handlers {
		do := func(token string, steps ...string) {
			t.Helper()
			r.labels[secret]["AWSPENDING"] = token
			for _, step := range steps {
				if err := handle(t.Context(), rotation.Event{Step: step, SecretID: secret, ClientRequestToken: token}); err != nil {
					t.Fatalf("%s, %s: %v", secret, step, err)
				}
			}
		}
		do("switched-on", "testSecret") // rotate_immediately = false
		if r.labels[secret]["AWSCURRENT"] != "v0" {
			t.Fatal("switching rotation on rotated")
		}
		do("v1", "createSecret", "setSecret", "testSecret", "finishSecret")
		do("v2", "createSecret", "setSecret", "testSecret", "finishSecret")
		if r.labels[secret]["AWSCURRENT"] != "v2" || r.labels[secret]["AWSPREVIOUS"] != "v1" {
			t.Fatalf("two rotations of %s ended with %v", secret, r.labels[secret])
		}
	}
	// Lambda's own, with the function's role.
	group := "arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/connect2-api-rotate-prod:log-stream:2026/11/27/[1]0"
	r.needs("logs:CreateLogStream", group)
	r.needs("logs:PutLogEvents", group)
	for _, action := range []string{"CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets", "DeleteNetworkInterface",
		"AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"} {
		r.journal = append(r.journal, permit{"ec2:" + action, "*", nil})
	}
	return r.journal
}

// rotationRole returns what the function's role gives, and the most that it can.
func rotationRole(t *testing.T) (own, boundary *policy.Policy, r renderedRole) {
	t.Helper()
	e := recorded(t, "prod")
	r, found := e.roles["connect2-api-rotate-prod"]
	if !found {
		t.Fatal("prod's rotation has no role: terraform/test/render --write prod")
	}
	if len(r.Boundary) == 0 || string(r.Boundary) == "null" {
		t.Fatal("prod's rotation has no permissions boundary")
	}
	return parsed(t, r.Policies...), parsed(t, r.Boundary), r
}

// TestARotationIsAllowedToItsRole: by the function's own policy and by the boundary, each call; and there is no right that none needs.
func TestARotationIsAllowedToItsRole(t *testing.T) {
	own, boundary, role := rotationRole(t)
	journal := rotationJournal(t)
	counts := map[string]int{}
	for _, need := range journal {
		counts[need.Action]++
		for name, p := range map[string]*policy.Policy{"its role": own, "the boundary": boundary} {
			if p.Decide(need.Action, need.Resource, need.context()) != policy.Allowed {
				t.Errorf("%s on %s with %v is refused by %s", need.Action, need.Resource, need.Conditions, name)
			}
		}
	}
	var given []string
	for _, document := range role.Policies {
		var d struct {
			Statement []struct{ Action values }
		}
		if err := json.Unmarshal(document, &d); err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Statement {
			given = append(given, s.Action...)
		}
	}
	slices.Sort(given)
	for _, action := range slices.Compact(given) {
		if counts[action] == 0 {
			t.Errorf("the role has %s, which no rotation calls", action)
		}
		// Taking any of them away stops a rotation: the journal needs each.
		stripped := own.Without(action)
		if !slices.ContainsFunc(journal, func(n permit) bool { return stripped.Decide(n.Action, n.Resource, n.context()) != policy.Allowed }) {
			t.Errorf("without %s everything is still allowed", action)
		}
	}
	if counts["elasticache:ModifyReplicationGroup"] != 2 || counts["secretsmanager:UpdateSecretVersionStage"] != 4 {
		t.Errorf("two rotations of each secret called %v", counts)
	}
}

// TestARotationReachesNothingElse: what somebody could want who has the function's role, or who has changed its code.
func TestARotationReachesNothingElse(t *testing.T) {
	own, boundary, _ := rotationRole(t)
	inFunction := map[string]values{"lambda:SourceFunctionArn": {"arn:aws:lambda:us-west-2:123456789012:function:connect2-api-rotate-prod"}}
	for _, try := range []struct {
		what string
		need permit
	}{
		{"write the master password", permit{"secretsmanager:PutSecretValue", databasePassword, tagged("prod")}},
		{"read another secret of the environment", permit{"secretsmanager:GetSecretValue",
			strings.Replace(databasePassword, "rds-password", "redis-token", 1), tagged("prod")}},
		{"read staging's credentials", permit{"secretsmanager:GetSecretValue", strings.Replace(databaseCredentials, "/prod/", "/staging/", 1),
			tagged("staging")}},
		{"delete a secret", permit{"secretsmanager:DeleteSecret", databaseCredentials, tagged("prod")}},
		{"change staging's cache", permit{"elasticache:ModifyReplicationGroup",
			strings.Replace(rotatedGroup, "-prod", "-staging", 1), tagged("staging")}},
		{"delete the cache", permit{"elasticache:DeleteReplicationGroup", rotatedGroup, tagged("prod")}},
		{"deploy to staging", permit{"ecs:UpdateService", strings.ReplaceAll(rotatedService, "-prod", "-staging"), tagged("staging")}},
		{"register another task definition", permit{"ecs:RegisterTaskDefinition", "*", nil}},
		{"use the key past Secrets Manager", permit{"kms:Decrypt", environmentsKey, tagged("prod")}},
		{"make network interfaces from the code", permit{"ec2:CreateNetworkInterface", "*", inFunction}},
	} {
		if own.Decide(try.need.Action, try.need.Resource, try.need.context()) == policy.Allowed &&
			boundary.Decide(try.need.Action, try.need.Resource, try.need.context()) == policy.Allowed {
			t.Errorf("the rotation's role may %s: %+v", try.what, try.need)
		}
	}
}
