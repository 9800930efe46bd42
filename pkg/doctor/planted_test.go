package doctor_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/doctor"
	"github.com/org/connect2/v2/pkg/sandbox"
)

const domain = "domain: {zone: example.com, host: api.example.com}\n"

// examine runs the doctor at a terminal of 120 columns, and returns its exit code, its checks and all that was shown.
func examine(t *testing.T, s *sandboxtest.Site, args ...string) (code int, checks []doctor.Check, shown string) {
	t.Helper()
	return examineWith(t, s, nil, nil, args...)
}

// examineWith is examine with another way to the network (nil: the sandbox's) and with more in the environment.
func examineWith(t *testing.T, s *sandboxtest.Site, way *hub, environ map[string]string, args ...string) (code int, checks []doctor.Check,
	shown string) {
	t.Helper()
	s.Fresh()
	var screen, document strings.Builder
	env := *s.Env
	given := append([]string{"--cluster=" + sandboxtest.Cluster, "--service=" + sandboxtest.Service,
		"--bastion=connect2-api-bastion-dev"}, args...)
	in := doctor.Inputs{}
	arguments := doctor.Action.FromArguments(given, func(string) string { return "" })
	arguments.Into(&in)
	env.Stdout, env.Screen = &screen, action.Screen{Width: func() int { return 120 }}
	if way != nil {
		way.other, env.Transport = env.Transport, way
	}
	before := env.Getenv
	env.Getenv = func(name string) string { return cmp.Or(environ[name], before(name)) }
	out, err := doctor.Run(t.Context(), &env, in)
	if out.Checks == nil && err != nil {
		return action.OutcomeOf(err).ExitCode(), nil, err.Error()
	}
	if err := json.Unmarshal(out.Checks, &checks); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&document, "%s%s%s", screen.String(), s.Log.Text(), out.Checks)
	if err != nil {
		code = action.Failed.ExitCode()
	}
	return code, checks, document.String()
}

// in returns the names of the checks in a state, sorted, each once.
func in(checks []doctor.Check, state doctor.State) []string {
	names := []string{}
	for _, c := range checks {
		if c.State == state {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestNothingIsWrong: in a healthy environment nothing is wrong, and everything is looked at.
func TestNothingIsWrong(t *testing.T) {
	for name, scenario := range map[string]string{
		"plain HTTP":                "",
		"with a domain":             domain,
		"blue and green":            domain + "service: {deployment: {strategy: BLUE_GREEN}}\n",
		"no bastion":                domain + "bastion: {state: none}\n",
		"a bastion that is stopped": domain + "bastion: {state: stopped}\n",
	} {
		t.Run(name, func(t *testing.T) {
			sandboxtest.Run(t, scenario, func(t *testing.T, s *sandboxtest.Site) {
				code, checks, shown := examine(t, s, "--read-secrets")
				if wrong := in(checks, doctor.Wrong); code != 0 || len(wrong) > 0 {
					t.Errorf("exit %d, %v\n%s", code, wrong, shown)
				}
				want := []string{"github"} // there is no token
				if !strings.Contains(scenario, "domain") {
					want = []string{"dns", "github"} // nobody has said under which name
				}
				if diff := gocmp.Diff(want, in(checks, doctor.NotChecked)); diff != "" {
					t.Errorf("not checked (-want +got):\n%s%s", diff, shown)
				}
				if got := s.Mutations(); len(got) > 0 {
					t.Errorf("changed by %v", got)
				}
			})
		})
	}
}

// TestNothingIsWrongLater: nothing is wrong either where the tasks have run for hours.
func TestNothingIsWrongLater(t *testing.T) {
	sandboxtest.Run(t, domain, func(t *testing.T, s *sandboxtest.Site) {
		time.Sleep(3 * time.Hour)
		code, checks, shown := examine(t, s, "network")
		i := slices.IndexFunc(checks, func(c doctor.Check) bool { return c.Name == "targets" })
		if code != 0 || i < 0 || !strings.HasPrefix(checks[i].What, "2 of 2 targets") {
			t.Errorf("exit %d\n%s", code, shown)
		}
	})
}

// planted are the checks that find what is planted in the sandbox, by their names, and a part of what they say.
var planted = map[string]struct {
	checks []string
	says   string
}{
	"load-balancer-shut":          {[]string{"entry"}, "has no inbound rule for TCP 443"},
	"load-balancer-cannot-send":   {[]string{"way to tasks"}, "has no outbound rule for TCP 8000 to the tasks"},
	"load-balancer-inside":        {[]string{"entry", "way out"}, "has no route to 0.0.0.0/0"},
	"listener-gone":               {[]string{"load balancer"}, "no load balancer sends requests"},
	"listener-weight-zero":        {[]string{"listener"}, "no rule of connect2-api-alb-dev sends a share"},
	"tasks-shut":                  {[]string{"way to tasks"}, "has no inbound rule for TCP 8000 from the load balancer"},
	"tasks-other-port":            {[]string{"way to tasks"}, "has no inbound rule for TCP 8000 from the load balancer"},
	"tasks-cannot-leave":          {[]string{"way out"}, "has no outbound rule for TCP 443"},
	"tasks-cannot-reach-database": {[]string{"way to database"}, "has no outbound rule for TCP 5432"},
	"tasks-cannot-reach-redis":    {[]string{"way to redis"}, "has no outbound rule for TCP 6379"},
	"nat-failed":                  {[]string{"way out"}, "is failed Elastic IP address"},
	"nat-gone":                    {[]string{"way out"}, "which is gone"},
	"nat-inside":                  {[]string{"way out"}, "(the NAT gateway nat-0a1b2c3d4e5f60001), has no route"},
	"route-gone":                  {[]string{"way out"}, "neither a NAT gateway nor an endpoint for ecr.api"},
	"endpoint-missing":            {[]string{"way out"}, "neither a NAT gateway nor an endpoint for logs"},
	"endpoints-shut":              {[]string{"way out"}, "has no inbound rule for TCP 443 from the tasks"},
	"endpoint-without-dns":        {[]string{"way out"}, "for ecr.api has no private DNS"},
	"acl-database":                {[]string{"bastion to database", "way to database"}, "denies inbound TCP 5432"},
	"acl-answers": {[]string{"bastion to database", "bastion to redis", "way to database", "way to redis"},
		"denies outbound TCP 32768-60999"},
	"acl-tasks":                   {[]string{"way to tasks"}, "denies inbound TCP 8000 from 10.0.241.0/24 (rule 90)"},
	"database-shut":               {[]string{"way to database"}, "has no inbound rule for TCP 5432 from the tasks"},
	"database-shut-to-bastion":    {[]string{"bastion to database"}, "has no inbound rule for TCP 5432 from the bastion"},
	"database-stopped":            {[]string{"database"}, "connect2-api-dev is stopped"},
	"database-full":               {[]string{"database", "storage"}, "connect2-api-dev is storage-full"},
	"database-nearly-full":        {[]string{"storage"}, "1.0 of 20 GiB of connect2-api-dev are free, and it cannot grow"},
	"database-pending-reboot":     {[]string{"maintenance"}, "connect2-api-dev waits for a reboot"},
	"database-forced-maintenance": {[]string{"maintenance"}, "AWS does system-update on connect2-api-dev by"},
	"database-gone":               {[]string{"database"}, "tasks use one: DATABASE_URL of the container connect2-api"},
	"database-secret-elsewhere":   {[]string{"database secret"}, "its url names another host than connect2-api-dev (restored."},
	"redis-shut":                  {[]string{"way to redis"}, "has no inbound rule for TCP 6379 from the tasks"},
	"redis-shut-to-bastion":       {[]string{"bastion to redis"}, "has no inbound rule for TCP 6379 from the bastion"},
	"redis-failed":                {[]string{"redis"}, "connect2-api-dev-001 is incompatible-network"},
	"redis-gone":                  {[]string{"redis"}, "tasks use one: REDIS_URL of the container connect2-api"},
	"redis-secret":                {[]string{"redis secret"}, "takes TLS alone, and its url begins with redis://"},
	"certificate-expiring":        {[]string{"certificate"}, "the certificate of api.example.com ends in 5 days"},
	"certificate-expired":         {[]string{"certificate"}, "the certificate of api.example.com is EXPIRED"},
	"dns-missing":                 {[]string{"dns"}, "api.example.com has no record in the hosted zone example.com"},
	"dns-elsewhere":               {[]string{"dns"}, "api.example.com leads to old-alb-1"},
}

// TestPlanted: what is planted is found by its name, with evidence and a way to mend it, and nothing else is.
func TestPlanted(t *testing.T) {
	if len(planted) < 25 {
		t.Fatalf("%d are planted", len(planted))
	}
	for _, name := range sandbox.Plants() {
		want, ok := planted[name]
		if !ok {
			t.Errorf("%s: nobody says what finds it", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			sandboxtest.Run(t, domain+"broken: ["+name+"]\n", func(t *testing.T, s *sandboxtest.Site) {
				code, checks, shown := examine(t, s, "--read-secrets")
				if diff := gocmp.Diff(want.checks, in(checks, doctor.Wrong)); code != 2 || diff != "" {
					t.Errorf("exit %d, found by (-want +got):\n%s%s", code, diff, shown)
				}
				said := false
				for _, c := range checks {
					said = said || c.State == doctor.Wrong && strings.Contains(c.What+"\n"+strings.Join(c.Evidence, "\n"), want.says)
					if c.State == doctor.Wrong && len(c.Fix) == 0 {
						t.Errorf("%s: nothing says how to mend it", c.Name)
					}
				}
				if !said {
					t.Errorf("nobody says %q:\n%s", want.says, shown)
				}
				if strings.Contains(shown, "postgres:sandbox") || strings.Contains(shown, "redis://connect2") {
					t.Errorf("a secret is shown:\n%s", shown)
				}
				if got := s.Mutations(); len(got) > 0 {
					t.Errorf("changed by %v", got)
				}
			})
		})
	}
}

// TestAlarmsAreFound: an alarm of the environment, or one that deployments watch, is a finding once it went off, and one that is
// watched and not there; that of another environment is none.
func TestAlarmsAreFound(t *testing.T) {
	const others = "alarms: {connect2-api-alerts-prod-api-5xx: ALARM, of-another-team: ALARM, connect2-api-alerts-dev-cpu: OK}\n"
	for _, test := range []struct{ name, scenario, says string }{
		{"the environment's", "alarms: {connect2-api-alerts-dev-api-5xx: ALARM}\n", "the alarm connect2-api-alerts-dev-api-5xx went off at "},
		{"a node of Redis", "alarms: {connect2-api-dev-001-cpu: ALARM}\n", "the alarm connect2-api-dev-001-cpu went off at "},
		{"others", others, ""},
		{"one that is watched", others + watching("of-another-team"), "the alarm of-another-team went off at "},
		{"one that is watched and quiet", "alarms: {of-another-team: OK}\n" + watching("of-another-team"), ""},
		{"one that is watched and gone", others + watching("gone"), "deployments watch the alarm gone, and there is no such alarm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sandboxtest.Run(t, test.scenario, func(t *testing.T, s *sandboxtest.Site) {
				code, checks, shown := examine(t, s, "container")
				i := slices.IndexFunc(checks, func(c doctor.Check) bool { return c.State == doctor.Wrong })
				switch {
				case test.says == "":
					if code != 0 || i >= 0 {
						t.Errorf("exit %d\n%s", code, shown)
					}
				case code != 2 || i < 0 || checks[i].Name != "alarm" || !strings.Contains(checks[i].What, test.says) || len(checks[i].Fix) == 0:
					t.Errorf("exit %d, nobody says %q\n%s", code, test.says, shown)
				}
			})
		})
	}
}

// watching is a service whose deployments watch an alarm.
func watching(name string) string {
	return "service: {deployment: {alarms: {alarmNames: [" + name + "], enable: true, rollback: true}}}\n"
}

// TestDenied: what may not be read is not checked, whatever is wrong there.
func TestDenied(t *testing.T) {
	for action, broken := range map[string]string{
		"ec2:DescribeSecurityGroups": "tasks-shut", "ec2:DescribeRouteTables": "load-balancer-inside", "ec2:DescribeNatGateways": "nat-failed",
		"ec2:DescribeVpcEndpoints": "endpoint-missing", "ec2:DescribeNetworkAcls": "acl-tasks", "ec2:DescribeSubnets": "tasks-shut",
		"rds:DescribeDBInstances": "database-stopped", "rds:DescribePendingMaintenanceActions": "database-forced-maintenance",
		"elasticache:DescribeReplicationGroups": "redis-failed", "acm:DescribeCertificate": "certificate-expired",
		"elasticache:DescribeCacheClusters": "redis-failed", "elasticache:DescribeCacheSubnetGroups": "redis-failed",
		"route53:ListHostedZones": "dns-missing", "route53:ListResourceRecordSets": "dns-missing",
		"elasticloadbalancing:DescribeTargetGroups": "tasks-shut", "elasticloadbalancing:DescribeRules": "listener-weight-zero",
		"cloudwatch:GetMetricData": "database-nearly-full", "ec2:DescribeInstances": "database-shut-to-bastion",
		"secretsmanager:GetSecretValue": "redis-secret", "ecs:ListTasks": "", "ecs:DescribeTasks": "", "ecs:DescribeTaskDefinition": "",
		"elasticloadbalancing:DescribeTargetHealth": "", "ecr:DescribeImages": "", "secretsmanager:DescribeSecret": "",
		"logs:DescribeLogGroups": "", "cloudwatch:DescribeAlarms": "",
	} {
		t.Run(action, func(t *testing.T) {
			scenario := domain + "broken: [" + broken + "]\nfaults: [{action: \"" + action + "\", answer: deny}]\n"
			sandboxtest.Run(t, scenario, func(t *testing.T, s *sandboxtest.Site) {
				code, checks, shown := examine(t, s, "--read-secrets")
				if wrong := in(checks, doctor.Wrong); code != 0 || len(wrong) > 0 {
					t.Errorf("exit %d: %v found without reading\n%s", code, wrong, shown)
				}
				if len(in(checks, doctor.NotChecked)) == 0 || !strings.Contains(shown, action) {
					t.Errorf("it is not told that %s was refused:\n%s", action, shown)
				}
			})
		})
	}
}

// TestAreas: an area reads what belongs to it, and nothing else.
func TestAreas(t *testing.T) {
	for area, foreign := range map[string][]string{
		"container": {"ec2:", "rds:", "elasticache:", "route53:", "acm:"},
		"network":   {"rds:", "elasticache:", "ecr:"},
		"database":  {"elasticache:", "route53:", "acm:", "ecr:", "elasticloadbalancing:"},
		"redis":     {"rds:", "route53:", "acm:", "ecr:", "elasticloadbalancing:"},
	} {
		t.Run(area, func(t *testing.T) {
			sandboxtest.Run(t, domain, func(t *testing.T, s *sandboxtest.Site) {
				s.Sandbox.ResetJournal()
				code, checks, shown := examine(t, s, area)
				if code != 0 || len(checks) == 0 {
					t.Errorf("exit %d\n%s", code, shown)
				}
				for _, c := range checks {
					if c.Area != area {
						t.Errorf("%s is of %s", c.Name, c.Area)
					}
				}
				for _, entry := range s.Sandbox.Journal() {
					if slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(entry.Name(), prefix) }) {
						t.Errorf("called %s", entry.Name())
					}
				}
			})
		})
	}
}

// TestSecretsAreReadAtATerminal alone.
func TestSecretsAreReadAtATerminal(t *testing.T) {
	sandboxtest.Run(t, "", func(t *testing.T, s *sandboxtest.Site) {
		s.Sandbox.ResetJournal()
		_, err := doctor.Run(t.Context(), s.Env, doctor.Inputs{ReadSecrets: true, Area: "database"})
		if err == nil || !strings.Contains(err.Error(), "not a terminal") || len(s.Sandbox.Journal()) > 0 {
			t.Errorf("%v, after %d calls", err, len(s.Sandbox.Journal()))
		}
		if _, checks, shown := examine(t, s, "database"); !slices.Contains(in(checks, doctor.NotChecked), "database secret") ||
			s.Calls("secretsmanager:GetSecretValue") > 0 {
			t.Errorf("without --read-secrets:\n%s", shown)
		}
	})
}

// commandNamed is a command of connect2 in a fix, with the word behind it.
var commandNamed = regexp.MustCompile(`connect2 (?:open )?[a-z-]+`)

// TestFixesNameCommands: a fix names no command, and no page of the console, that connect2 does not have.
func TestFixesNameCommands(t *testing.T) {
	known := []string{"connect2 open targets", "connect2 push", "connect2 rollback", "connect2 logs", "connect2 status", "connect2 deploy",
		"connect2 restart", "connect2 release-hold", "connect2 doctor"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range commandNamed.FindAllString(string(source), -1) {
			if !slices.Contains(known, named) {
				t.Errorf("%s names %q", file, named)
			}
		}
	}
}
