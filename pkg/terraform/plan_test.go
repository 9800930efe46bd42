package terraform

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/record"
)

type object = map[string]any

// planOf makes the JSON of a plan with these changes.
func planOf(t testing.TB, changes []object, more object) string {
	t.Helper()
	for _, c := range changes {
		if c["mode"] == nil {
			c["mode"] = "managed"
		}
	}
	plan := object{"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes, "complete": true}
	for name, value := range more {
		plan[name] = value
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func change(address string, actions []string, before, after object, more ...object) object {
	kind, _, _ := strings.Cut(address[strings.LastIndex(address, "aws_"):], ".")
	values := object{"actions": actions, "before": before, "after": after}
	if before == nil {
		values["before"] = nil
	}
	if after == nil {
		values["after"] = nil
	}
	c := object{"address": address, "type": kind, "change": values}
	for _, m := range more {
		for name, value := range m {
			if slices.Contains([]string{"after_unknown", "before_sensitive", "after_sensitive", "replace_paths", "importing"}, name) {
				values[name] = value
			} else {
				c[name] = value
			}
		}
	}
	return c
}

var (
	create  = []string{"create"}
	update  = []string{"update"}
	remove  = []string{"delete"}
	replace = []string{"delete", "create"}
	safely  = []string{"create", "delete"}
	nothing = []string{"no-op"}
)

func read(t testing.TB, text string) *Plan {
	t.Helper()
	p, err := ReadPlan(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReviewFindings(t *testing.T) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	wide := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	for _, test := range []struct {
		name   string
		change object
		want   []string // "Risk: text"
	}{
		{"a database is replaced", change("module.db.aws_db_instance.this", replace, object{"id": "db", "identifier": "a"},
			object{"identifier": "b"}, object{"replace_paths": []any{[]any{"identifier"}}}),
			[]string{"Data loss: replaced: the database is destroyed and made empty, because identifier changes"}},
		{"a bucket is deleted", change("aws_s3_bucket.a", remove, object{"id": "a"}, nil,
			object{"action_reason": "delete_because_no_resource_config"}),
			[]string{"Data loss: destroyed: the bucket is lost, because it is no longer in the configuration"}},
		{"a task definition is replaced", change("aws_ecs_task_definition.a", replace, object{"cpu": "256"}, object{"cpu": "512"},
			object{"replace_paths": []any{[]any{"cpu"}}}),
			[]string{"Replacement: replaced, because cpu changes"}},
		{"a service is replaced in place", change("aws_ecs_service.a", replace, object{"name": "a"}, object{"name": "b"},
			object{"replace_paths": []any{[]any{"name"}}}),
			[]string{"Replacement: replaced, because name changes", "Downtime: destroyed before it is recreated: until then the service stops"}},
		{"a service is replaced the other way", change("aws_ecs_service.a", safely, object{"name": "a"}, object{"name": "b"}),
			[]string{"Replacement: replaced"}},
		{"deletion protection goes", change("aws_db_instance.a", update, object{"deletion_protection": true},
			object{"deletion_protection": false}),
			[]string{"Data loss: loses its protection against deletion"}},
		{"deletion protection comes", change("aws_db_instance.a", update, object{"deletion_protection": false},
			object{"deletion_protection": true}), nil},
		{"backups end", change("aws_db_instance.a", update, object{"backup_retention_period": 7}, object{"backup_retention_period": 0}),
			[]string{"Data loss: keeps no automatic backups any more"}},
		{"an engine at once", change("aws_db_instance.a", update, object{"engine_version": "16.3"}, object{"engine_version": "16.4",
			"apply_immediately": true}),
			[]string{"Downtime: engine_version: restarts at once"}},
		{"an engine in the window", change("aws_db_instance.a", update, object{"engine_version": "16.3", "apply_immediately": false},
			object{"engine_version": "16.4", "apply_immediately": false}),
			[]string{"Downtime: engine_version: restarts in its maintenance window"}},
		{"logs are shortened", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 30}, object{"retention_in_days": 7}),
			[]string{"Data loss: logs older than 7 days are deleted"}},
		{"logs are kept longer", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 7}, object{"retention_in_days": 30}),
			nil},
		{"the internet is let in", change("aws_vpc_security_group_ingress_rule.a", create, nil, object{"cidr_ipv4": "0.0.0.0/0", "from_port": 22,
			"to_port": 22, "ip_protocol": "tcp"}),
			[]string{"Security opening: the whole internet may reach port 22"}},
		{"the internet was in", change("aws_security_group.a", update,
			object{"ingress": []any{object{"cidr_blocks": []any{"0.0.0.0/0"}, "from_port": 443, "to_port": 443, "protocol": "tcp"}}},
			object{"name": "x", "ingress": []any{object{"cidr_blocks": []any{"0.0.0.0/0"}, "from_port": 443, "to_port": 443,
				"protocol": "tcp"}}}), nil},
		{"the way out is open", change("aws_security_group_rule.a", create, nil, object{"type": "egress", "cidr_blocks": []any{"0.0.0.0/0"},
			"from_port": 0, "to_port": 0, "protocol": "-1"}), nil},
		{"a policy opens", change("aws_iam_policy.a", update, object{"policy": policy}, object{"policy": wide}),
			[]string{"Security opening: a policy allows every action on everything"}},
		{"a policy was open", change("aws_iam_policy.a", update, object{"policy": wide, "name": "a"}, object{"policy": wide, "name": "b"}), nil},
		{"a database goes public", change("aws_db_instance.a", update, object{"publicly_accessible": false}, object{"publicly_accessible": true}),
			[]string{"Security opening: can be reached from the internet"}},
		{"nothing happens", change("aws_db_instance.a", nothing, object{"publicly_accessible": true}, object{"publicly_accessible": true}), nil},
		{"a bucket loses its block", change("aws_s3_bucket_public_access_block.a", remove, object{"id": "a"}, nil),
			[]string{"Security opening: nothing keeps the bucket from being made public any more"}},
		{"a service is emptied", change("aws_ecs_service.a", update, object{"desired_count": 2}, object{"desired_count": 0}),
			[]string{"Downtime: has no tasks any more"}},
		{"HTTP in the clear", change("aws_lb_listener.a", create, nil, object{"protocol": "HTTP",
			"default_action": []any{object{"type": "forward"}}}),
			[]string{"Security opening: answers without TLS"}},
		{"HTTP that redirects", change("aws_lb_listener.a", create, nil, object{"protocol": "HTTP",
			"default_action": []any{object{"type": "redirect"}}}), nil},
		{"a database is forgotten", change("aws_db_instance.a", []string{"forget"}, object{"id": "a"}, nil), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewReview(read(t, planOf(t, []object{test.change}, nil)))
			var got []string
			for _, f := range r.Findings {
				got = append(got, f.Risk.String()+": "+f.Text)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

// Within a risk, what is destroyed stands above what lives on; among equals the address decides.
func TestReviewOrder(t *testing.T) {
	logs := func(name string) object {
		return change("aws_cloudwatch_log_group."+name, update, object{"retention_in_days": 30}, object{"retention_in_days": 7})
	}
	r := NewReview(read(t, planOf(t, []object{
		change("aws_vpc_security_group_ingress_rule.a", create, nil, object{"cidr_ipv4": "0.0.0.0/0", "from_port": 22, "to_port": 22}),
		logs("a"), logs("b"),
		change("aws_db_instance.c", replace, object{"id": "c"}, object{}),
		change("aws_s3_bucket.d", remove, object{"id": "d"}, nil),
	}, nil)))
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Address)
	}
	want := []string{"aws_db_instance.c", "aws_s3_bucket.d", "aws_cloudwatch_log_group.a", "aws_cloudwatch_log_group.b",
		"aws_vpc_security_group_ingress_rule.a"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestFolded(t *testing.T) {
	made := func(known object, unknown ...string) Change {
		marks := object{}
		for _, name := range unknown {
			marks[name] = true
		}
		return read(t, planOf(t, []object{change("aws_x.a", create, nil, known, object{"after_unknown": marks})}, nil)).Changes[0]
	}
	for _, test := range []struct {
		name   string
		change Change
		want   []string
	}{
		{"several in one line", made(object{"name": "a"}, "arn", "id", "tags_all"), []string{`+ name = "a"`,
			"+ (known after apply): arn, id, tags_all"}},
		{"one as it is", made(object{"name": "a"}, "id"), []string{"+ id = (known after apply)", `+ name = "a"`}},
		{"nothing else", made(object{}, "arn", "id"), []string{"+ (known after apply): arn, id"}},
		{"long ones are broken", made(object{}, strings.Repeat("a", 60), strings.Repeat("b", 60)),
			[]string{"+ (known after apply): " + strings.Repeat("a", 60) + ",", "+   " + strings.Repeat("b", 60)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.change.Folded(); !slices.Equal(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestReviewServices(t *testing.T) {
	r := NewReview(read(t, planOf(t, []object{
		change("aws_ecs_service.a", update, object{"task_definition": "a:1"}, object{"task_definition": "a:2"}),
		change("aws_ecs_service.b", update, object{"tags": object{"x": "1"}}, object{"tags": object{"x": "2"}}),
		change("aws_ecs_task_definition.c", safely, object{"family": "api-template", "cpu": "256"}, object{"family": "api-template",
			"cpu": "512"}),
		change("aws_ecs_service.d", update, object{"network_configuration": []any{object{"subnets": []any{"a"}}}},
			object{"network_configuration": []any{object{"subnets": []any{"b"}}}}),
	}, nil)))
	var got []string
	for _, f := range r.Services {
		got = append(got, f.Address+" "+f.Text)
	}
	want := []string{
		"aws_ecs_service.a rolls out new tasks now, because task_definition changes",
		"aws_ecs_service.b changes without new tasks",
		"aws_ecs_service.d rolls out new tasks now, because network_configuration changes",
		"aws_ecs_task_definition.c a new revision of the template: nothing restarts, the next deploy renders it",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestMovesAndImportsStandApart(t *testing.T) {
	r := NewReview(read(t, planOf(t, []object{
		change("aws_s3_bucket.new", nothing, object{"id": "a"}, object{"id": "a"}, object{"previous_address": "aws_s3_bucket.old"}),
		change("aws_s3_bucket.in", nothing, object{"id": "b"}, object{"id": "b"}, object{"importing": object{"id": "b"}}),
		change("aws_s3_bucket.same", nothing, object{"id": "c"}, object{"id": "c"}),
	}, nil)))
	if len(r.Moves) != 1 || r.Moves[0].Previous != "aws_s3_bucket.old" || len(r.Imports) != 1 || r.Imports[0].Importing != "b" ||
		len(r.Resources) != 0 || r.Unchanged != 1 || !r.Changes() {
		t.Errorf("%+v", r)
	}
	if got, want := r.Totals.String(), "0 to add, 0 to change, 0 to destroy, 1 to import, 1 moved"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDifferencesHideSecrets(t *testing.T) {
	const canary = "s3cr3t-canary"
	p := read(t, planOf(t, []object{
		change("aws_x.marked", update, object{"a": canary + "1", "list": []any{canary}}, object{"a": canary + "2", "list": []any{canary, canary}},
			object{"before_sensitive": object{"a": true, "list": []any{true}}, "after_sensitive": object{"a": true, "list": true}}),
		change("aws_x.named", update, object{"master_password": canary + "1"}, object{"master_password": canary + "2"}),
		change("aws_x.nested", create, nil, object{"block": []any{object{"key": canary, "open": "seen"}}},
			object{"after_sensitive": object{"block": []any{object{"key": true}}}}),
		change("aws_x.unmarked", create, nil, object{"block": []any{object{"api_key": canary, "port": 5432}}, "doc": `{"user":"u","api_key":"` +
			canary + `"}`}),
		change("aws_x.unmarked", update, object{"doc": "none"}, object{"doc": `[{"auth_token":"` + canary + `"}]`}),
		change("aws_x.whole", create, nil, object{"a": canary}, object{"after_sensitive": true}),
	}, object{
		"variables": object{"pw": object{"value": canary}},
		"output_changes": object{"o": object{"actions": update, "before": canary + "1", "after": canary + "2", "before_sensitive": true,
			"after_sensitive": true}},
	}))
	r := NewReview(p)
	shown := plainText(r.Section("Plan")) + strings.Join(r.Text(), "\n") + p.Digest(Binding{}).String()
	if strings.Contains(shown, canary) {
		t.Errorf("a secret is shown:\n%s", shown)
	}
	for _, want := range []string{"! a = (sensitive) -> (sensitive)", "! master_password = (sensitive)", `"open":"seen"`, `"port":5432`,
		`\"user\":\"u\"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in:\n%s", want, shown)
		}
	}
}

func TestDifferences(t *testing.T) {
	p := read(t, planOf(t, []object{change("aws_x.a", replace,
		object{"name": "a", "tags": object{"Env": "dev", "a.b": "1"}, "doc": `{"b":1,"a":[1,2]}`, "n": json.Number("9007199254740993")},
		object{"name": "b", "tags": object{"Env": "prod", "a.b": "1", "New": "x"}, "doc": `{"a":[1,3],"b":1}`,
			"n": json.Number("9007199254740993")},
		object{"after_unknown": object{"id": true}, "replace_paths": []any{[]any{"name"}}})}, nil))
	want := []string{
		"! doc.a[1] = 2 -> 3",
		"+ id = (known after apply)",
		`! name = "a" -> "b"   # forces the replacement`,
		`! tags.Env = "dev" -> "prod"`,
		`+ tags.New = "x"`,
	}
	if got := p.Changes[0].Lines(); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestGuard(t *testing.T) {
	p := read(t, planOf(t, []object{
		change("module.a.aws_db_instance.this[0]", replace, object{"id": "x"}, object{}),
		change("aws_s3_bucket.b", remove, object{"id": "b"}, nil),
		change("aws_lb.c", remove, object{"id": "c"}, nil),
		change("aws_s3_bucket.d", update, object{"x": "1"}, object{"x": "2"}),
	}, nil))
	for _, test := range []struct {
		name    string
		guard   Guard
		want    []string
		wantIdl []string
	}{
		{"the stateful ones", Guard{Protect: []string{"stateful"}}, []string{"aws_s3_bucket.b", "module.a.aws_db_instance.this[0]"}, nil},
		{"one is allowed", Guard{Protect: []string{"stateful"}, Allow: []string{"aws_s3_bucket.b"}}, []string{"module.a.aws_db_instance.this[0]"},
			nil},
		{"an instance must be named exactly", Guard{Protect: []string{"stateful"}, Allow: []string{"module.a.aws_db_instance.this",
			"aws_s3_bucket.b"}},
			[]string{"module.a.aws_db_instance.this[0]"}, []string{"module.a.aws_db_instance.this"}},
		{"a type", Guard{Protect: []string{"aws_lb"}}, []string{"aws_lb.c"}, nil},
		{"a module", Guard{Protect: []string{"module.a"}}, []string{"module.a.aws_db_instance.this[0]"}, nil},
		{"a pattern", Guard{Protect: []string{"aws_s3_*"}}, []string{"aws_s3_bucket.b"}, nil},
		{"nothing", Guard{}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			violations, idle := test.guard.Check(p)
			var got []string
			for _, v := range violations {
				got = append(got, v.Address)
			}
			if !slices.Equal(got, test.want) || !slices.Equal(idle, test.wantIdl) {
				t.Errorf("%q, idle %q; want %q, %q", got, idle, test.want, test.wantIdl)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	const caller = "arn:aws:sts::123456789012:assumed-role/plan/run-1"
	base := func() ([]object, object) {
		return []object{
				change("aws_x.a", update, object{"v": "1", "same": "q", "by": caller, "at": "2026-01-01T00:00:00Z"}, object{"v": "2", "same": "q",
					"by": caller + "x", "at": "2026-01-01T00:00:00Z!"}),
				change("aws_x.b", update, object{"pw": "a"}, object{"pw": "b"}, object{"before_sensitive": object{"pw": true},
					"after_sensitive": object{"pw": true}}),
				change("aws_x.c", replace, object{"id": "c", "computed": "1"}, object{}, object{"after_unknown": object{"computed": true, "id": true}}),
				change("aws_x.d", remove, object{"id": "d", "seen": "1"}, nil),
			}, object{
				"timestamp": "2026-01-01T00:00:00Z", "variables": object{"x": object{"value": "1"}},
				"prior_state": object{"values": object{"root_module": object{"child_modules": []any{object{"resources": []any{
					object{"type": "aws_caller_identity", "values": object{"arn": caller, "user_id": "AROA123456:run-1",
						"account_id": "123456789012"}}}}}}}},
			}
	}
	digest := func(edit func([]object, object) []object, b Binding) Digest {
		changes, more := base()
		if edit != nil {
			changes = edit(changes, more)
		}
		return read(t, planOf(t, changes, more)).Digest(b)
	}
	values := func(c object) object { return c["change"].(object) }
	binding := Binding{Configuration: "c", Versions: "v", Inputs: "i"}
	reference := digest(nil, binding)
	for _, test := range []struct {
		name   string
		edit   func([]object, object) []object
		b      Binding
		differ []string // nil: the same
	}{
		{"the same", nil, binding, nil},
		{"another order", func(c []object, _ object) []object { slices.Reverse(c); return c }, binding, nil},
		{"another time and caller", func(c []object, more object) []object {
			text, _ := json.Marshal(object{"c": c, "m": more})
			s := strings.NewReplacer("2026-01-01T00:00:00Z", "2026-02-02T11:11:11Z", "role/plan/run-1", "role/apply/run-2", "AROA123456:run-1",
				"AROA999999:run-2").Replace(string(text))
			var both struct {
				C []object
				M object
			}
			_ = json.Unmarshal([]byte(s), &both)
			for name, value := range both.M {
				more[name] = value
			}
			return both.C
		}, binding, nil},
		{"a count that is ignored", func(c []object, _ object) []object {
			values(c[0])["before"].(object)["same"], values(c[0])["after"].(object)["same"] = "z", "z"
			return c
		}, binding, nil},
		{"a computed value that goes", func(c []object, _ object) []object {
			values(c[2])["before"].(object)["computed"], values(c[3])["before"].(object)["seen"] = "2", "2"
			return c
		}, binding, nil},
		{"another value", func(c []object, _ object) []object { values(c[0])["after"].(object)["v"] = "3"; return c }, binding,
			[]string{"values"}},
		{"another old value", func(c []object, _ object) []object { values(c[0])["before"].(object)["v"] = "0"; return c }, binding,
			[]string{"values"}},
		{"another secret", func(c []object, _ object) []object { values(c[1])["after"].(object)["pw"] = "c"; return c }, binding,
			[]string{"values"}},
		{"another object", func(c []object, _ object) []object { values(c[3])["before"].(object)["id"] = "e"; return c }, binding,
			[]string{"values"}},
		{"one more", func(c []object, _ object) []object {
			return append(c, change("aws_x.e", create, nil, object{"a": "b"}))
		}, binding, []string{"what happens", "values"}},
		{"another variable", func(c []object, more object) []object {
			more["variables"] = object{"x": object{"value": "2"}}
			return c
		}, binding, []string{"variable"}},
		{"another configuration", nil, Binding{Configuration: "d", Versions: "v", Inputs: "i"}, []string{"configuration"}},
		{"another version", nil, Binding{Configuration: "c", Versions: "w", Inputs: "i"}, []string{"version"}},
		{"another target", nil, Binding{Configuration: "c", Versions: "v", Inputs: "j"}, []string{"variable"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := digest(test.edit, test.b)
			parsed, err := ParseDigest(got.String())
			if err != nil || parsed != got {
				t.Fatalf("%v is read back as %v: %v", got, parsed, err)
			}
			if same := got.Same(reference); same != (test.differ == nil) {
				t.Fatalf("same = %v", same)
			}
			told := strings.Join(got.Differs(reference), "; ")
			for _, want := range test.differ {
				if !strings.Contains(told, want) {
					t.Errorf("%q is not told in %q", want, told)
				}
			}
		})
	}
}

func TestParseDigestRefuses(t *testing.T) {
	for _, text := range []string{"", "sha256:", "sha256:abc", "deadbeef", strings.Repeat("a", 64), "sha256:" + strings.Repeat("g", 64),
		"sha256:" + strings.Repeat("a", 62), "sha256:" + strings.Repeat("a", 65), "sha512:" + strings.Repeat("a", 64)} {
		if d, err := ParseDigest(text); err == nil {
			t.Errorf("%q is read as %v", text, d)
		}
	}
}

func TestReadPlanRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", "{", `{"format_version":"2.0"}`, `{"format_version":"1.2","resource_changes":[{"address":1}]}`,
		`{"format_version":"1.2","resource_changes":[`, `{"format_version" "1.2"}`, `{1:2}`} {
		if _, err := ReadPlan(strings.NewReader(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// plainText is all that a section says, a line for each piece.
func plainText(s record.Section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] folded=%t\n", s.Title, s.Folded)
	row := func(texts []record.Text) {
		for _, t := range texts {
			fmt.Fprintf(&b, "%s(%s) ", t.Text, t.Form)
		}
		b.WriteByte('\n')
	}
	for _, block := range s.Blocks {
		switch {
		case block.Table != nil:
			fmt.Fprintf(&b, "%s\n", strings.Join(block.Table.Head, " | "))
			for _, texts := range block.Table.Rows {
				row(texts)
			}
		case block.Section != nil:
			b.WriteString(plainText(*block.Section))
		case block.Verbatim != "":
			fmt.Fprintf(&b, "%s: %s\n", block.Language, block.Verbatim)
		default:
			row(block.Paragraph)
		}
	}
	return b.String()
}

// TestReviewSection holds what a report of a plan says, in its order, and that what is text by nature is handed on as it is.
func TestReviewSection(t *testing.T) {
	p := read(t, planOf(t, []object{
		change("aws_s3_bucket.gone", remove, object{"id": "a"}, nil, object{"action_reason": "delete_because_no_resource_config"}),
		change("aws_x.new[\"<b>\"]", create, nil, object{"name": "a_b"}),
		change("aws_ecs_service.a", update, object{"desired_count": 1}, object{"desired_count": 2}),
		change("aws_x.to", nothing, object{"id": "a"}, object{"id": "a"}, object{"previous_address": "aws_x.from"}),
		change("aws_x.in", nothing, object{"id": "b"}, object{"id": "b"}, object{"importing": object{"id": "i-1"}}),
		change("aws_x.same", nothing, object{"id": "c"}, object{"id": "c"}),
		change("aws_x.left", remove, object{"id": "d"}, nil, object{"deposed": "0a1b"}),
	}, object{
		"complete": false,
		"resource_drift": []any{change("aws_x.odd", update, object{"a": "1", "b": "1", "c": "1", "d": "1", "e": "1", "f": "1"}, object{},
			object{"mode": "managed"})},
		"output_changes": object{"url": object{"actions": update, "before": "a", "after": "b"}},
	}))
	want := `[Plan of dev] folded=false
1 to add, 1 to change, 2 to destroy, 1 to import, 1 moved, 1 output changes.(strong)  1 stay as they are. ` +
		`The plan is partial: another one is needed afterwards.()` + ` 
[Risks] folded=false
Risk | Resource | What happens
Data loss(strong) aws_s3_bucket.gone(code) destroyed: the bucket is lost, because it is no longer in the configuration() 
[Running services] folded=false
Resource | What happens
aws_ecs_service.a(code) changes without new tasks() 
[Moved] folded=false
From | To
aws_x.from(code) aws_x.to(code) 
[Imported] folded=false
Resource | ID
aws_x.in(code) i-1(code) 
[Changed outside of Terraform] folded=false
Resource | What
aws_x.odd(code) update: a, b, c, d, e, …() 
[By resource] folded=false
[~ aws_ecs_service.a] folded=true
diff: ! desired_count = 1 -> 2
[- aws_s3_bucket.gone] folded=true
It is no longer in the configuration.() 
diff: - id = "a"
[- aws_x.left] folded=true
diff: - id = "d"
[+ aws_x.new["<b>"]] folded=true
diff: + name = "a_b"
[~ output url] folded=true
diff: ! value = "a" -> "b"
`
	s := NewReview(p).Section("Plan of dev")
	if got := plainText(s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	resources := s.Blocks[len(s.Blocks)-1].Section
	if got := resources.Blocks[2].Section.Name; got != "aws_x.left (deposed 0a1b)" {
		t.Errorf("what an interrupted replacement left behind is called %q", got)
	}

	none := NewReview(read(t, planOf(t, []object{change("aws_x.same", nothing, object{"id": "c"}, object{"id": "c"})}, nil))).Section("Plan")
	const noChanges = "[Plan] folded=false\nNo changes.(strong)  1 resources are as the configuration wants them.() \n"
	if got := plainText(none); got != noChanges {
		t.Errorf("of nothing: %q, want %q", got, noChanges)
	}
}

// large makes a plan of n resources of the size that the AWS provider gives them, with as much prior state and
// configuration beside it.
func large(t testing.TB, n int) string {
	var changes []object
	var state []any
	for i := range n {
		tags := object{"Name": fmt.Sprint("resource-", i), "Environment": "dev", "Project": "connect2-api"}
		before := object{"id": fmt.Sprint("id-", i), "name": fmt.Sprint("name-", i), "tags": tags, "tags_all": tags,
			"description": strings.Repeat("x", 300),
			"policy":      `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":"*"}]}`}
		for j := range 30 {
			before[fmt.Sprint("attribute_", j)] = fmt.Sprint("value-", i, "-", j)
		}
		after := object{}
		for name, value := range before {
			after[name] = value
		}
		after["description"] = "short"
		actions, kind := update, "aws_iam_policy"
		switch i % 4 {
		case 1:
			actions, after, kind = remove, nil, "aws_db_instance"
		case 2:
			actions, before, kind = create, nil, "aws_s3_bucket"
		}
		changes = append(changes, change(fmt.Sprintf("module.m[%d].%s.this", i, kind), actions, before, after))
		state = append(state, object{"address": fmt.Sprint("x.", i), "type": "aws_x", "values": after})
	}
	return planOf(t, changes, object{
		"planned_values": object{"root_module": object{"resources": state}},
		"prior_state":    object{"values": object{"root_module": object{"resources": state}}},
	})
}

// watched takes the size of the heap whenever the plan is read on, which is all through the review.
type watched struct {
	io.ReadSeeker
	peak uint64
}

func (w *watched) look() {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	w.peak = max(w.peak, sample[0].Value.Uint64())
}

func (w *watched) Read(b []byte) (int, error) {
	w.look()
	return w.ReadSeeker.Read(b)
}

// TestReviewOfLargePlans holds the budget of memory, garbage included: 100 MB at the most, beyond the plan's own text. The time
// is the benchmark's to tell.
func TestReviewOfLargePlans(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a plan of 5,000 resources")
	}
	file := filepath.Join(t.TempDir(), "plan.json") // as Terraform hands it over: its text is in no memory of ours
	if err := os.WriteFile(file, []byte(large(t, 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as in a run, whatever the environment says
	runtime.GC()
	w := &watched{ReadSeeker: text}
	w.look()
	before := w.peak
	p, err := ReadPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReview(p)
	section := r.Section("Plan")
	digest := p.Digest(Binding{})
	w.look()
	t.Logf("%.1f MB of JSON, %.1f MB at the most", float64(size(t, text))/1e6, float64(w.peak-before)/1e6)
	if w.peak > before+100_000_000 {
		t.Errorf("the review takes %d bytes", w.peak-before)
	}
	if r.Totals.Add != 1250 || r.Totals.Change != 2500 || r.Totals.Destroy != 1250 {
		t.Errorf("the totals are %s", r.Totals)
	}
	if resources := section.Blocks[len(section.Blocks)-1].Section; len(resources.Blocks) != 5000 {
		t.Errorf("%d resources are listed", len(resources.Blocks))
	}
	runtime.KeepAlive(p)
	runtime.KeepAlive(digest)
}

func size(t *testing.T, f *os.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func BenchmarkReview(b *testing.B) {
	for _, n := range []int{1, 100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text := large(b, n)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p := read(b, text)
				NewReview(p).Section("Plan")
				p.Digest(Binding{})
			}
		})
	}
}

// TestReviewWaitsForDelegation warns of a plan whose apply would wait for name servers that nobody has set. One thing flips at a time.
func TestReviewWaitsForDelegation(t *testing.T) {
	zone := change("module.a.aws_route53_zone.this[0]", []string{"create"}, nil, object{"name": "connect.com"})
	waits := change("module.b.aws_acm_certificate_validation.this[0]", []string{"create"}, nil, object{})
	record := func(kind string) object {
		return change("aws_route53_record.this", []string{"create"}, nil, object{"type": kind, "name": "connect.com"})
	}
	standing := change("module.a.aws_route53_zone.this[0]", []string{"no-op"}, object{"name": "connect.com"}, object{"name": "connect.com"})
	issued := change("module.b.aws_acm_certificate_validation.this[0]", []string{"no-op"}, object{}, object{})
	for name, tt := range map[string]struct {
		changes []object
		warned  bool
	}{
		"both are made":                    {[]object{zone, waits}, true},
		"with a record of another type":    {[]object{zone, waits, record("CNAME")}, true},
		"the zone above delegates to it":   {[]object{zone, waits, record("NS")}, false},
		"the zone is there":                {[]object{standing, waits}, false},
		"the certificate is there":         {[]object{zone, issued}, false},
		"a zone without a certificate":     {[]object{zone}, false},
		"a certificate without a new zone": {[]object{waits}, false},
	} {
		warned := false
		for _, f := range NewReview(read(t, planOf(t, tt.changes, nil))).Findings {
			warned = warned || f.Address == "module.b.aws_acm_certificate_validation.this[0]" &&
				strings.Contains(f.Text, "the name servers of module.a.aws_route53_zone.this[0], which this plan makes")
		}
		if warned != tt.warned {
			t.Errorf("%s: warned %v, want %v", name, warned, tt.warned)
		}
	}
}
