package tfapply

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// strict is an account whose new buckets have nothing by themselves, so that bootstrap must ask for every setting; it keeps the
// requests whose content the account forgets.
type strict struct {
	*account
	created   *s3.CreateBucketInput
	encrypted *types.ServerSideEncryptionConfiguration
}

func (a *strict) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, o ...s3opt) (*s3.CreateBucketOutput, error) {
	out, err := a.account.CreateBucket(ctx, in, o...)
	a.created, a.encryption = in, false
	return out, err
}

func (a *strict) PutBucketEncryption(ctx context.Context, in *s3.PutBucketEncryptionInput,
	o ...s3opt) (*s3.PutBucketEncryptionOutput, error) {
	a.encrypted = in.ServerSideEncryptionConfiguration
	return a.account.PutBucketEncryption(ctx, in, o...)
}

// TestTheModuleAndBootstrapMakeOneBucket holds what bootstrap asks S3 for against terraform/modules/state-bucket, whose values
// are read from its text: whoever makes the bucket by the module gets the one that bootstrap makes. A setting of the module that
// nothing here looks at fails the test.
func TestTheModuleAndBootstrapMakeOneBucket(t *testing.T) {
	m := readModule(t, "../../terraform/modules/state-bucket")
	a := &strict{account: newAccount()}
	f := &foundation{buckets: a, roles: a, bucket: bucket, account: me, region: "us-west-2", partition: "aws"}
	if err := f.lay(t.Context(), Inputs{Environment: "dev"}); err != nil {
		t.Fatal(err)
	}
	same := func(what string, bootstrap, module any) {
		t.Helper()
		if !reflect.DeepEqual(bootstrap, module) {
			t.Errorf("%s:\nbootstrap %s\nthe module %s", what, shown(bootstrap), shown(module))
		}
	}

	same("versioning", string(a.versioning), m.text("aws_s3_bucket_versioning.versioning_configuration.status"))

	// Without a key of one's own, which bootstrap does not know.
	const rule = "aws_s3_bucket_server_side_encryption_configuration.rule."
	algorithm := regexp.MustCompile(`^var\.kms_key_arn == null \? "(.*)" : "aws:kms"$`).FindStringSubmatch(m.take(rule +
		"apply_server_side_encryption_by_default.sse_algorithm"))
	if algorithm == nil {
		t.Fatal("the module's encryption is not the choice that this test knows")
	}
	same("encryption", a.encrypted, &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
		ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryption(algorithm[1])},
	}}})
	same("the key, without one", m.variable("kms_key_arn"), "null")
	m.is(rule+"apply_server_side_encryption_by_default.kms_master_key_id", "var.kms_key_arn")
	m.is(rule+"bucket_key_enabled", "var.kms_key_arn != null") // a bucket key saves calls of KMS, of which S3's own encryption makes none

	const access = "aws_s3_bucket_public_access_block."
	same("public access", a.block, &types.PublicAccessBlockConfiguration{
		BlockPublicAcls: m.boolean(access + "block_public_acls"), BlockPublicPolicy: m.boolean(access + "block_public_policy"),
		IgnorePublicAcls: m.boolean(access + "ignore_public_acls"), RestrictPublicBuckets: m.boolean(access + "restrict_public_buckets"),
	})

	// S3 gives a new bucket this ownership by itself (since April 2023), unless the request names another.
	ownership := string(a.created.ObjectOwnership)
	if ownership == "" {
		ownership = string(types.ObjectOwnershipBucketOwnerEnforced)
	}
	same("ownership", ownership, m.text("aws_s3_bucket_ownership_controls.rule.object_ownership"))

	const expire = "aws_s3_bucket_lifecycle_configuration.rule."
	m.is(expire+"filter", "{}")
	m.take(expire + "id") // each has its own, by which it finds its rule
	if len(a.lifecycle) != 1 {
		t.Fatalf("bootstrap has %d lifecycle rules, the module one", len(a.lifecycle))
	}
	old := a.lifecycle[0]
	old.ID = nil
	same("lifecycle", old, types.LifecycleRule{
		Status: types.ExpirationStatus(m.text(expire + "status")),
		Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}, // the API's way to write {}
		NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: m.days(expire +
			"noncurrent_version_expiration.noncurrent_days")},
		Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: m.boolean(expire +
			"expiration.expired_object_delete_marker")},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: m.days(expire +
			"abort_incomplete_multipart_upload.days_after_initiation")},
	})

	const statement = "aws_iam_policy_document.statement."
	var policy struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(a.policy), &policy); err != nil || len(policy.Statement) != 1 {
		t.Fatalf("bootstrap's policy %s: %v", a.policy, err)
	}
	delete(policy.Statement[0], "Sid")
	m.take(statement + "sid")
	m.is(statement+"resources", `[aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]`)
	m.is(statement+"principals.type", `"*"`)
	same("policy", policy.Statement[0], map[string]any{
		"Effect": m.text(statement + "effect"), "Principal": m.only(statement + "principals.identifiers"),
		"Action":   m.only(statement + "actions"),
		"Resource": []any{"arn:aws:s3:::" + bucket, "arn:aws:s3:::" + bucket + "/*"},
		"Condition": map[string]any{m.text(statement + "condition.test"): map[string]any{
			m.text(statement + "condition.variable"): m.only(statement + "condition.values"),
		}},
	})

	for _, name := range m.left() {
		t.Errorf("the module sets %s, and nothing holds it against bootstrap", name)
	}
	want := []string{"CreateBucket", "PutBucketVersioning", "PutBucketEncryption", "PutPublicAccessBlock", "PutBucketPolicy",
		"PutBucketLifecycleConfiguration"}
	if !slices.Equal(a.writes, want) {
		t.Errorf("bootstrap also sets what nothing holds against the module: %q", a.writes)
	}
}

// module is the text of a Terraform module: its settings by path (type of the resource or data source, blocks, argument) as the
// expressions that stand there, and the defaults of its variables.
type module struct {
	t        *testing.T
	settings map[string]string
	defaults map[string]string
	taken    map[string]bool
}

var (
	openBlock = regexp.MustCompile(`^(\w+)((?: "[^"]*")*) \{$`)
	emptyName = regexp.MustCompile(`^(\w+) (\{\})$`)
	argument  = regexp.MustCompile(`^(\w+)\s*= (.+)$`)
	label     = regexp.MustCompile(`"([^"]*)"`)
)

// readModule reads a module in the form that terraform fmt gives it, with every argument on one line; another line fails the test.
func readModule(t *testing.T, folder string) *module {
	t.Helper()
	m := &module{t: t, settings: map[string]string{}, defaults: map[string]string{}, taken: map[string]bool{}}
	for file, into := range map[string]map[string]string{"main.tf": m.settings, "variables.tf": m.defaults} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		var path []string
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			open, empty, set := openBlock.FindStringSubmatch(line), emptyName.FindStringSubmatch(line), argument.FindStringSubmatch(line)
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case line == "}":
				path = path[:len(path)-1]
			case open != nil:
				name := open[1]
				if labels := label.FindStringSubmatch(open[2]); labels != nil {
					name = labels[1]
				}
				path = append(path, name)
			case empty != nil || set != nil:
				if set == nil {
					set = empty
				}
				name := strings.Join(append(slices.Clone(path), set[1]), ".")
				if _, twice := into[name]; twice {
					t.Fatalf("%s: %s stands there twice", file, name)
				}
				into[name] = set[2]
			default:
				t.Fatalf("%s: this test cannot read the line %q", file, line)
			}
		}
	}
	return m
}

// take returns the expression of a setting, which counts as looked at.
func (m *module) take(name string) string {
	m.t.Helper()
	value, ok := m.settings[name]
	if !ok {
		m.t.Errorf("the module does not set %s", name)
	}
	m.taken[name] = true
	return value
}

func (m *module) is(name, want string) {
	m.t.Helper()
	if got := m.take(name); got != want {
		m.t.Errorf("the module's %s is %s, not %s", name, got, want)
	}
}

func (m *module) variable(name string) string { return m.defaults[name+".default"] }

// text returns a string.
func (m *module) text(name string) string {
	m.t.Helper()
	value, err := strconv.Unquote(m.take(name))
	if err != nil {
		m.t.Errorf("%s is not a plain string", name)
	}
	return value
}

// only returns the one member of a list of strings.
func (m *module) only(name string) string {
	m.t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(m.take(name)), &list); err != nil || len(list) != 1 {
		m.t.Errorf("%s is not a list of one string", name)
		return ""
	}
	return list[0]
}

func (m *module) boolean(name string) *bool {
	m.t.Helper()
	value, err := strconv.ParseBool(m.take(name))
	if err != nil {
		m.t.Errorf("%s is neither true nor false", name)
	}
	return &value
}

// days returns a number, or the default of the variable that stands there.
func (m *module) days(name string) *int32 {
	m.t.Helper()
	text := m.take(name)
	if variable, ok := strings.CutPrefix(text, "var."); ok {
		text = m.variable(variable)
	}
	value, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		m.t.Errorf("%s is not a number", name)
	}
	return aws.Int32(int32(value))
}

// left lists the settings that nobody looked at, without those that only tie resources together.
func (m *module) left() []string {
	var names []string
	for name := range m.settings {
		last := name[strings.LastIndexByte(name, '.')+1:]
		if !m.taken[name] && last != "bucket" && last != "depends_on" && name != "aws_s3_bucket_policy.policy" &&
			name != "aws_s3_bucket.lifecycle.prevent_destroy" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func shown(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
