package tfapply

import (
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/org/connect2/v2/internal/test/programs"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// emptyAccount is a sandbox behind a socket, with the binary that works on it.
type emptyAccount struct {
	t      *testing.T
	sb     *sandbox.Sandbox
	binary string
	vars   []string
}

// newEmptyAccount makes an account without GitHub's provider. It builds the binary.
func newEmptyAccount(t *testing.T) *emptyAccount {
	t.Helper()
	if testing.Short() {
		t.Skip("builds tf-apply")
	}
	a := &emptyAccount{t: t, sb: sandbox.New(sandbox.Options{}), binary: programs.Build(t, "cmd/tf-apply")}
	server := httptest.NewServer(a.sb)
	t.Cleanup(server.Close)
	vars := map[string]string{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "AWS_EC2_METADATA_DISABLED": "true"}
	maps.Copy(vars, a.sb.Environ())
	vars["AWS_ENDPOINT_URL"] = server.URL
	for name, value := range vars {
		a.vars = append(a.vars, name+"="+value)
	}
	return a
}

// bootstrap runs the mode, and returns what it printed and its exit code.
func (a *emptyAccount) bootstrap() (string, int) {
	a.t.Helper()
	c := exec.CommandContext(a.t.Context(), a.binary, "--mode", "bootstrap", "--environment", "dev", "--bootstrap-role", "terraform-dev",
		"--bootstrap-policy", "arn:aws:iam::aws:policy/AdministratorAccess", "--bootstrap-repository", "org/service")
	c.Dir, c.Env = a.t.TempDir(), a.vars
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		a.t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// calls are the IAM calls that changed something.
func (a *emptyAccount) calls() (names []string) {
	for _, e := range a.sb.Journal() {
		if e.Service == "iam" && e.Mutating {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestBootstrapBinary runs the binary twice against the sandbox, and looks at what it made with the AWS CLI.
func TestBootstrapBinary(t *testing.T) {
	a := newEmptyAccount(t)
	aws := programs.NewAWSCLI(t, append(os.Environ(), a.vars...))
	const provider = "arn:aws:iam::" + me + ":oidc-provider/" + githubIssuer
	cli := func(args ...string) string {
		t.Helper()
		out, code := aws.Run(t, append(args, "--output", "json")...)
		if code != 0 {
			t.Fatalf("aws %s: exit %d: %s", strings.Join(args, " "), code, out)
		}
		return strings.Join(strings.Fields(out), " ")
	}
	cli("iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", provider)
	a.sb.ResetJournal()
	out, code := a.bootstrap()
	if code != 0 || !strings.Contains(out, "changed: bucket "+bucket+" was made") {
		t.Fatalf("exit %d: %s", code, out)
	}
	if got := strings.Join(a.calls(), " "); got != "iam:CreateOpenIDConnectProvider iam:CreateRole iam:AttachRolePolicy" {
		t.Errorf("it made %s", got)
	}
	for _, look := range []struct {
		args string
		want []string
	}{
		{"s3api get-bucket-versioning --bucket " + bucket, []string{`"Status": "Enabled"`}},
		{"s3api get-bucket-encryption --bucket " + bucket, []string{`"SSEAlgorithm": "AES256"`}},
		{"s3api get-public-access-block --bucket " + bucket, []string{`"BlockPublicAcls": true`, `"IgnorePublicAcls": true`,
			`"BlockPublicPolicy": true`, `"RestrictPublicBuckets": true`}},
		{"s3api get-bucket-policy --bucket " + bucket, []string{`aws:SecureTransport\":\"false`, `\"Effect\":\"Deny\"`, "arn:aws:s3:::" + bucket +
			"/*"}},
		{"s3api get-bucket-lifecycle-configuration --bucket " + bucket, []string{`"NoncurrentDays": 90`, `"Status": "Enabled"`}},
		{"iam get-open-id-connect-provider --open-id-connect-provider-arn " + provider, []string{`"Url": "` + githubIssuer, "sts.amazonaws.com"}},
		{"iam get-role --role-name terraform-dev",
			[]string{"repo:org/service:environment:dev", "repo:org@*/service@*:environment:dev", provider}},
		{"iam list-attached-role-policies --role-name terraform-dev", []string{"arn:aws:iam::aws:policy/AdministratorAccess"}},
	} {
		got := cli(strings.Fields(look.args)...)
		for _, want := range look.want {
			if !strings.Contains(got, want) {
				t.Errorf("aws %s: %q is not in %s", look.args, want, got)
			}
		}
	}

	a.sb.ResetJournal()
	out, code = a.bootstrap()
	if code != 0 || strings.Contains(out, "changed: ") || !strings.Contains(out, "bucket "+bucket+" is there and belongs to account "+me) ||
		len(a.calls()) > 0 {
		t.Errorf("again: exit %d, %v: %s", code, a.calls(), out)
	}
}

// TestBootstrapBinaryTakesNobodyElsesBucket has the name taken by another account.
func TestBootstrapBinaryTakesNobodyElsesBucket(t *testing.T) {
	a := newEmptyAccount(t)
	if err := a.sb.S3().CreateForeignBucket(bucket); err != nil {
		t.Fatal(err)
	}
	out, code := a.bootstrap()
	if code != 1 || !strings.Contains(out, "belongs to another account") || len(a.calls()) > 0 {
		t.Errorf("exit %d, %v: %s", code, a.calls(), out)
	}
}
