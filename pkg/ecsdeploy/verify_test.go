package ecsdeploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

// reads are the calls of verify.
var reads = []string{"secretsmanager:DescribeSecret", "ssm:DescribeParameters", "logs:DescribeLogGroups", "ec2:DescribeSubnets",
	"iam:SimulatePrincipalPolicy", "ecr:GetDownloadUrlForLayer"}

// parameter adds a secret of the parameter store to the template.
const parameter = `"secrets":[{"name":"FLAG","valueFrom":"/shop/flag"},`

// TestVerify looks at everything before the first change, and deploys.
func TestVerify(t *testing.T) {
	at(t, fast+"parameters: {/shop/flag: on}\n", func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.template(`"secrets":\[`, parameter)
		in := inputs("v2")
		in.Verify = "true"
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		var seen []string
		for _, entry := range s.Sandbox.Journal() {
			if name := entry.Name(); slices.Contains(reads, name) {
				seen = append(seen, name)
			} else if entry.Mutating {
				break
			}
		}
		for _, read := range reads {
			if !slices.Contains(seen, read) || s.Calls(read) != count(seen, read) {
				t.Errorf("%s: %d calls, %d of them before the first change", read, s.Calls(read), count(seen, read))
			}
		}
		told := s.Log.Text()
		for _, want := range []string{
			"ok: image of connect2-api: it is there for linux/amd64", "ok: secret connect2-api/dev/rds-credentials: it has a value",
			"not checked: secret connect2-api/dev/rds-credentials, key url: values are never read", "ok: parameter /shop/flag: it has a value",
			"ok: log group /ecs/connect2-api-dev: it is there", "ok: execution role connect2-api-dev-execution", "500 left, 2 needed",
		} {
			if !strings.Contains(told, want) {
				t.Errorf("the log lacks %q:\n%s", want, told)
			}
		}
		if summary := s.Log.Summary(); !strings.Contains(summary, "Would it start?") {
			t.Errorf("the summary lacks the checks:\n%s", summary)
		}
	})
}

func count(list []string, name string) (n int) {
	for _, other := range list {
		if other == name {
			n++
		}
	}
	return n
}

// TestVerifyRefuses refuses what is certainly absent, before anything is changed.
func TestVerifyRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ scenario, from, to, want string }{
		"a secret": {"", `rds-credentials-[A-Za-z0-9]{6}`, "rds-credential-AbCdEf", "verify: secret connect2-api/dev/rds-credential: does not exist"},
		"a label":  {"", `:url::`, ":url:AWSPREVIOUS:", "verify: secret connect2-api/dev/rds-credentials: no version of it is AWSPREVIOUS"},
		"a parameter": {"parameters: {/shop/flags: on}\n", `"secrets":\[`, parameter,
			"verify: parameter /shop/flag: does not exist"},
		"a log group": {"", `/ecs/connect2-api-dev`, "/ecs/connect2-api-dve", "verify: log group /ecs/connect2-api-dve: does not exist"},
		"addresses": {"service: {addresses: 1}\n", "nothing", "", "verify: addresses in subnet-0a1b2c3d4e5f60001, " +
			"subnet-0a1b2c3d4e5f60002: none is left, and the deployment starts 2 beside the tasks that run"},
		"the platform": {"", `"networkMode"`, `"runtimePlatform":{"cpuArchitecture":"ARM64"},"networkMode"`,
			"verify: image of connect2-api: there is no image for linux/arm64, which the task definition asks for; there is linux/amd64"},
		"the role": {"", `connect2-api-dev-execution`, "connect2-api-dev-executor", "verify: execution role connect2-api-dev-executor: does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			scenario := fast + tt.scenario
			if strings.HasPrefix(tt.scenario, "service:") {
				scenario = tt.scenario
			}
			at(t, scenario, func(t *testing.T, s *site) {
				s.Push("v2", "")
				s.template(tt.from, tt.to)
				for _, mode := range []string{"true", "only"} {
					in := inputs("v2")
					in.Verify = mode
					out, err := s.deploy(in)
					wantOutcome(t, out, err, action.Invalid)
					if !strings.Contains(err.Error(), tt.want) {
						t.Errorf("%v, want %q", err, tt.want)
					}
				}
				if got := s.Mutations(); len(got) != 0 {
					t.Errorf("changed by %v", got)
				}
			})
		})
	}
}

// TestVerifyWithoutRights goes on where nothing may be read, and says what it did not check; a simulated denial warns alone.
func TestVerifyWithoutRights(t *testing.T) {
	forbid := func(t *testing.T, s *site, who string, actions ...string) {
		document := `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Resource":"*","Action":["` +
			strings.Join(actions, `","`) + `"]}]}`
		parsed, err := policy.Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Sandbox.SetPolicy(who, &sandbox.Policy{Policy: parsed}); err != nil {
			t.Fatal(err)
		}
	}
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		forbid(t, s, "operator", reads...)
		in := inputs("v2")
		in.Verify = "true"
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		told := s.Log.Text()
		if n := strings.Count(told, "not checked: "); n != 6 || strings.Contains(told, " ok: ") {
			t.Errorf("%d things were not checked, want 6:\n%s", n, told)
		}
	})
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		forbid(t, s, "connect2-api-dev-execution", "secretsmanager:GetSecretValue")
		in := inputs("v2")
		in.Verify = "only"
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		if told := strings.Join(s.Log.Warnings(), "\n"); !strings.Contains(told, "denies secretsmanager:GetSecretValue") {
			t.Errorf("warned: %s", told)
		}
		if got := s.Mutations(); len(got) != 0 {
			t.Errorf("changed by %v", got)
		}
	})
}
