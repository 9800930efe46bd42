package terraform

import (
	"slices"
	"strings"
	"testing"
)

// TestRules flips each condition of each rule by itself: a row that finds something stands beside the rows that differ from it in one
// thing and find nothing, or something else.
func TestRules(t *testing.T) {
	data := object{"mode": "data"}
	moved := object{"previous_address": "aws_x.before"}
	ingress := func(rules ...any) object { return object{"ingress": rules} }
	open := func(port int, more ...object) object {
		r := object{"cidr_blocks": []any{"0.0.0.0/0"}, "from_port": port, "to_port": port, "protocol": "tcp"}
		for _, m := range more {
			for name, value := range m {
				r[name] = value
			}
		}
		return r
	}
	versioned := func(status any) object { return object{"versioning_configuration": []any{object{"status": status}}} }
	policy := func(text string) object { return object{"policy": text} }
	const everything = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	for _, test := range []struct {
		name   string
		change object
		want   []string
	}{
		// What happens to the object itself.
		{"stateful, replaced", change("aws_s3_bucket.a", replace, object{"id": "a"}, object{}),
			[]string{"Data loss: replaced: the bucket is destroyed and made empty"}},
		{"stateful, replaced the other way", change("aws_s3_bucket.a", safely, object{"id": "a"}, object{}),
			[]string{"Data loss: replaced: the bucket is destroyed and made empty"}},
		{"stateful, deleted", change("aws_s3_bucket.a", remove, object{"id": "a"}, nil), []string{"Data loss: destroyed: the bucket is lost"}},
		{"stateful, changed", change("aws_s3_bucket.a", update, object{"tags": object{"a": "1"}}, object{"tags": object{"a": "2"}}), nil},
		{"stateful, made", change("aws_s3_bucket.a", create, nil, object{"bucket": "a"}), nil},
		{"serving, deleted", change("aws_lb.a", remove, object{"id": "a"}, nil),
			[]string{"Downtime: destroyed: the load balancer and its address go"}},
		{"serving, replaced", change("aws_lb.a", replace, object{"id": "a"}, object{}), []string{"Replacement: replaced",
			"Downtime: destroyed before it is recreated: until then the load balancer and its address go"}},
		{"serving, replaced the other way", change("aws_lb.a", safely, object{"id": "a"}, object{}), []string{"Replacement: replaced"}},
		{"serving, changed", change("aws_lb.a", update, object{"name": "a"}, object{"name": "b"}), nil},
		{"neither, deleted", change("aws_x.a", remove, object{"id": "a"}, nil), nil},
		{"neither, replaced", change("aws_x.a", replace, object{"id": "a"}, object{}), []string{"Replacement: replaced"}},
		{"a data source", change("data.aws_s3_bucket.a", remove, object{"id": "a"}, nil, data), nil},
		{"a read", change("aws_x.a", []string{"read"}, nil, object{"publicly_accessible": true}), nil},
		{"a move", change("aws_x.a", nothing, object{"publicly_accessible": false}, object{"publicly_accessible": true}, moved), nil},
		{"the same with a change", change("aws_x.a", update, object{"publicly_accessible": false}, object{"publicly_accessible": true}),
			[]string{"Security opening: can be reached from the internet"}},

		// Protection against deletion.
		{"by its second name", change("aws_dynamodb_table.a", update, object{"deletion_protection_enabled": true},
			object{"deletion_protection_enabled": false}), []string{"Data loss: loses its protection against deletion"}},
		{"by its third name", change("aws_lb.a", update, object{"enable_deletion_protection": true}, object{"enable_deletion_protection": false}),
			[]string{"Data loss: loses its protection against deletion"}},
		{"it was not there", change("aws_lb.a", update, object{"name": "a"}, object{"enable_deletion_protection": false}), nil},
		{"it is not known", change("aws_lb.a", update, object{"enable_deletion_protection": true}, object{"name": "a"}), nil},
		{"another type", change("aws_x.a", update, object{"enable_deletion_protection": true}, object{"enable_deletion_protection": false}), nil},
		{"a type whose name begins alike", change("aws_lb_listener.a", update, object{"enable_deletion_protection": true},
			object{"enable_deletion_protection": false}), nil},

		// Backups, snapshots, what may be destroyed although it is full.
		{"no snapshot at the end", change("aws_rds_cluster.a", update, object{"skip_final_snapshot": false}, object{"skip_final_snapshot": true}),
			[]string{"Data loss: will leave no final snapshot when it is destroyed"}},
		{"a new one without a snapshot at the end", change("aws_rds_cluster.a", create, nil, object{"skip_final_snapshot": true}), nil},
		{"a bucket may go when full", change("aws_s3_bucket.a", update, object{"force_destroy": false}, object{"force_destroy": true}),
			[]string{"Data loss: may from now on be destroyed although it is not empty"}},
		{"images may go", change("aws_ecr_repository.a", update, object{"name": "a"}, object{"force_delete": true}),
			[]string{"Data loss: may from now on be destroyed although it is not empty"}},
		{"it might before", change("aws_ecr_repository.a", update, object{"force_delete": true, "name": "a"}, object{"force_delete": true,
			"name": "b"}), nil},
		{"a new one may", change("aws_ecr_repository.a", create, nil, object{"force_delete": true}), nil},
		{"it may no longer", change("aws_ecr_repository.a", update, object{"force_delete": true}, object{"force_delete": false}), nil},
		{"it still may not", change("aws_ecr_repository.a", update, object{"force_delete": false, "name": "a"}, object{"force_delete": false,
			"name": "b"}), nil},

		// Versions of a bucket's objects.
		{"versions end", change("aws_s3_bucket_versioning.a", update, versioned("Enabled"), versioned("Suspended")),
			[]string{"Data loss: objects keep no earlier versions any more"}},
		{"their block goes", change("aws_s3_bucket_versioning.a", update, versioned("Enabled"), object{"versioning_configuration": []any{}}),
			[]string{"Data loss: objects keep no earlier versions any more"}},
		{"their resource goes", change("aws_s3_bucket_versioning.a", remove, versioned("Suspended"), nil),
			[]string{"Data loss: objects keep no earlier versions any more"}},
		{"it is only forgotten", change("aws_s3_bucket_versioning.a", []string{"forget"}, versioned("Enabled"), nil), nil},
		{"they stay", change("aws_s3_bucket_versioning.a", update, object{"versioning_configuration": []any{object{"status": "Enabled"}},
			"x": "1"}, object{"versioning_configuration": []any{object{"status": "Enabled"}}, "x": "2"}), nil},
		{"there were none", change("aws_s3_bucket_versioning.a", update, versioned("Suspended"), versioned("Disabled")), nil},
		{"there are none from the start", change("aws_s3_bucket_versioning.a", create, nil, versioned("Suspended")), nil},
		{"they begin", change("aws_s3_bucket_versioning.a", update, versioned("Suspended"), versioned("Enabled")), nil},

		// Logs.
		{"logs that were kept for ever", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 0},
			object{"retention_in_days": 7}), []string{"Data loss: logs older than 7 days are deleted"}},
		{"logs are kept for ever", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 30}, object{"retention_in_days": 0}),
			nil},
		{"logs of one day", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 30}, object{"retention_in_days": 1}),
			[]string{"Data loss: logs older than 1 days are deleted"}},
		{"logs of more than one day", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 1},
			object{"retention_in_days": 3}), nil},
		{"logs stay", change("aws_cloudwatch_log_group.a", update, object{"retention_in_days": 7, "x": "1"}, object{"retention_in_days": 7,
			"x": "2"}), nil},
		{"new logs", change("aws_cloudwatch_log_group.a", create, nil, object{"retention_in_days": 7}), nil},

		// What stops, or could.
		{"a cache's nodes", change("aws_elasticache_cluster.a", update, object{"node_type": "a"}, object{"node_type": "b"}),
			[]string{"Downtime: node_type: restarts in its maintenance window"}},
		{"two things at once", change("aws_db_instance.a", update, object{"instance_class": "a", "storage_type": "a"},
			object{"instance_class": "b", "storage_type": "b",
				"apply_immediately": true}), []string{"Downtime: instance_class, storage_type: restarts at once"}},
		{"nothing that restarts", change("aws_db_instance.a", update, object{"x": "a"}, object{"x": "b", "apply_immediately": true}), nil},
		{"a standby goes", change("aws_db_instance.a", update, object{"multi_az": true}, object{"multi_az": false}),
			[]string{"Downtime: has no standby any more"}},
		{"a standby comes", change("aws_db_instance.a", update, object{"multi_az": false}, object{"multi_az": true}), nil},
		{"none from the start", change("aws_db_instance.a", create, nil, object{"multi_az": false}), nil},
		{"fail-over goes", change("aws_elasticache_replication_group.a", update, object{"automatic_failover_enabled": true},
			object{"automatic_failover_enabled": false}), []string{"Downtime: does not fail over by itself any more"}},
		{"fail-over comes", change("aws_elasticache_replication_group.a", update, object{"automatic_failover_enabled": false},
			object{"automatic_failover_enabled": true}), nil},
		{"an instance's type", change("aws_instance.a", update, object{"instance_type": "a"}, object{"instance_type": "b"}),
			[]string{"Downtime: instance_type: the instance is stopped for it"}},

		// What opens.
		{"a public one from the start", change("aws_x.a", create, nil, object{"publicly_accessible": true}),
			[]string{"Security opening: can be reached from the internet"}},
		{"it was public", change("aws_x.a", update, object{"publicly_accessible": true, "x": "1"}, object{"publicly_accessible": true, "x": "2"}),
			nil},
		{"it is closed", change("aws_x.a", update, object{"publicly_accessible": true}, object{"publicly_accessible": false}), nil},
		{"storage in the clear", change("aws_db_instance.a", create, nil, object{"storage_encrypted": false}),
			[]string{"Security opening: is not encrypted"}},
		{"storage is encrypted", change("aws_db_instance.a", create, nil, object{"storage_encrypted": true}), nil},
		{"files in the clear", change("aws_efs_file_system.a", create, nil, object{"encrypted": false}),
			[]string{"Security opening: is not encrypted"}},
		{"files are encrypted", change("aws_efs_file_system.a", create, nil, object{"encrypted": true}), nil},
		{"a cache without TLS", change("aws_elasticache_replication_group.a", create, nil, object{"transit_encryption_enabled": false}),
			[]string{"Security opening: takes connections without TLS"}},
		{"a cache with TLS", change("aws_elasticache_replication_group.a", create, nil, object{"transit_encryption_enabled": true}), nil},
		{"a block is off", change("aws_s3_bucket_public_access_block.a", update, object{"restrict_public_buckets": true},
			object{"restrict_public_buckets": false}), []string{"Security opening: restrict_public_buckets is off: the bucket can be made public"}},
		{"a block is off from the start", change("aws_s3_account_public_access_block.a", create, nil, object{"block_public_acls": true,
			"block_public_policy": false}), []string{"Security opening: block_public_policy is off: the bucket can be made public"}},
		{"a block was off", change("aws_s3_bucket_public_access_block.a", update, object{"ignore_public_acls": false, "x": "1"},
			object{"ignore_public_acls": false, "x": "2"}), nil},
		{"a block is on", change("aws_s3_bucket_public_access_block.a", update, object{"ignore_public_acls": false},
			object{"ignore_public_acls": true}), nil},
		{"a block is forgotten", change("aws_s3_bucket_public_access_block.a", []string{"forget"}, object{"ignore_public_acls": true}, nil), nil},
		{"everybody may read", change("aws_s3_bucket_acl.a", update, object{"acl": "private"}, object{"acl": "public-read"}),
			[]string{"Security opening: everybody may use the bucket: public-read"}},
		{"everybody might read", change("aws_s3_bucket_acl.a", update, object{"acl": "public-read", "x": "1"}, object{"acl": "public-read",
			"x": "2"}), nil},
		{"some may read", change("aws_s3_bucket_acl.a", update, object{"acl": "private"}, object{"acl": "authenticated-read"}), nil},
		{"HTTPS becomes HTTP", change("aws_lb_listener.a", update, object{"protocol": "HTTPS"}, object{"protocol": "HTTP"}),
			[]string{"Security opening: answers without TLS"}},
		{"it was HTTP", change("aws_lb_listener.a", update, object{"protocol": "HTTP", "x": "1"}, object{"protocol": "HTTP", "x": "2"}), nil},
		{"HTTP becomes HTTPS", change("aws_lb_listener.a", update, object{"protocol": "HTTP"}, object{"protocol": "HTTPS"}), nil},
		{"tags move", change("aws_ecr_repository.a", update, object{"image_tag_mutability": "IMMUTABLE"},
			object{"image_tag_mutability": "MUTABLE"}), []string{"Security opening: tags can be moved to other images"}},
		{"a user is made", change("aws_iam_user.a", create, nil, object{"name": "a"}),
			[]string{"Security opening: long-lived credentials are made"}},
		{"a user is renamed", change("aws_iam_user.a", update, object{"name": "a"}, object{"name": "b"}), nil},

		// Who is let in by address.
		{"two ports, in order", change("aws_security_group.a", create, nil, ingress(open(443), open(22), open(443))),
			[]string{"Security opening: the whole internet may reach port 22", "Security opening: the whole internet may reach port 443"}},
		{"one more port", change("aws_security_group.a", update, ingress(open(443)), ingress(open(443), open(22))),
			[]string{"Security opening: the whole internet may reach port 22"}},
		{"the default group", change("aws_default_security_group.a", create, nil, ingress(open(22))),
			[]string{"Security opening: the whole internet may reach port 22"}},
		{"by IPv6", change("aws_security_group.a", create, nil, ingress(open(22, object{"cidr_blocks": nil, "ipv6_cidr_blocks": []any{"::/0"}}))),
			[]string{"Security opening: the whole internet may reach port 22"}},
		{"a network", change("aws_security_group.a", create, nil, ingress(open(22, object{"cidr_blocks": []any{"10.0.0.0/8"}}))), nil},
		{"ports in a row", change("aws_security_group.a", create, nil, ingress(open(22, object{"to_port": 25}))),
			[]string{"Security opening: the whole internet may reach ports 22 to 25"}},
		{"every port, as a rule of its own", change("aws_security_group_rule.a", create, nil, open(0,
			object{"type": "ingress", "protocol": "-1"})), []string{"Security opening: the whole internet may reach every port"}},
		{"every port, in the newer form", change("aws_vpc_security_group_ingress_rule.a", create, nil, object{"cidr_ipv6": "::/0",
			"ip_protocol": "-1"}), []string{"Security opening: the whole internet may reach every port"}},
		{"another type with such attributes", change("aws_x.a", create, nil, open(22, object{"type": "ingress"})), nil},
		{"a replacement opens", change("aws_security_group.a", safely, object{"id": "a"}, ingress(open(22))), []string{"Replacement: replaced",
			"Security opening: the whole internet may reach port 22"}},

		// Policies.
		{"one statement", change("aws_x.a", create, nil, policy(`{"Statement":`+everything+`}`)),
			[]string{"Security opening: a policy allows every action on everything"}},
		{"the second of two", change("aws_x.a", create, nil, policy(`{"Statement":[{"Effect":"Deny"},`+everything+`]}`)),
			[]string{"Security opening: a policy allows every action on everything"}},
		{"as lists", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Action":["a:b","*"],"Resource":["*"]}}`)),
			[]string{"Security opening: a policy allows every action on everything"}},
		{"a denial", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Principal":"*"}}`)), nil},
		{"every action on one thing", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"a"}}`)),
			nil},
		{"one action on everything", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Action":["a:b"],"Resource":"*"}}`)),
			nil},
		{"everybody", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Principal":"*"}}`)),
			[]string{"Security opening: a policy allows everybody (Principal *) without a condition"}},
		{"everybody of AWS", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"}}}`)),
			[]string{"Security opening: a policy allows everybody (Principal *) without a condition"}},
		{"everybody of AWS, as a list", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Principal":{"AWS":["*"]}}}`)),
			[]string{"Security opening: a policy allows everybody (Principal *) without a condition"}},
		{"everybody on a condition", change("aws_x.a", create, nil,
			policy(`{"Statement":{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`)), nil},
		{"everybody on no condition", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Principal":"*","Condition":{}}}`)),
			[]string{"Security opening: a policy allows everybody (Principal *) without a condition"}},
		{"somebody", change("aws_x.a", create, nil, policy(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"}}}`)), nil},
		{"under another name", change("aws_x.a", create, nil, object{"document": `{"Statement":` + everything + `}`}), nil},
		{"under a longer name", change("aws_x.a", create, nil, object{"assume_role_policy": `{"Statement":` + everything + `}`}),
			[]string{"Security opening: a policy allows every action on everything"}},
		{"in no statement", change("aws_x.a", create, nil, policy(`{"Statement":"x"}`)), nil},
		{"not a document", change("aws_x.a", create, nil, object{"policy": []any{"x"}, "policy_arn": "arn:aws:iam::aws:policy/x"}), nil},
		{"one more wide statement", change("aws_x.a", update, policy(`{"Statement":`+everything+`}`),
			policy(`{"Statement":[`+everything+`,{"Effect":"Allow","Principal":"*"}]}`)), []string{"Security opening: a policy allows everybody " +
			"(Principal *) without a condition"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range NewReview(read(t, planOf(t, []object{test.change}, nil))).Findings {
				got = append(got, f.Risk.String()+": "+f.Text)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestChecksOfRules(t *testing.T) {
	type values = map[string]any
	attribute := func(paths ...string) (list []Attribute) {
		for _, p := range paths {
			list = append(list, Attribute{Path: p})
		}
		return list
	}
	for _, test := range []struct {
		name   string
		check  func(Change) string
		change Change
		want   string
	}{
		{"becomes", becomes("a", "x", "told"), Change{Action: Update, before: values{"a": "y"}, after: values{"a": "x"}}, "told"},
		{"becomes, of a new object", becomes("a", "x", "told"), Change{Action: Create, after: values{"a": "x"}}, "told"},
		{"becomes nothing, of a new object", becomes("a", nil, "told"), Change{Action: Create, after: values{}}, "told"},
		{"it has another value", becomes("a", "x", "told"), Change{Action: Update, before: values{}, after: values{"a": "y"}}, ""},
		{"it had the value", becomes("a", "x", "told"), Change{Action: Update, before: values{"a": "x"}, after: values{"a": "x"}}, ""},
		{"nothing is left of it", becomes("a", nil, "told"), Change{Action: Forget, before: values{"a": "x"}}, ""},
		{"it is deleted", becomes("a", "x", "told"), Change{Action: Delete, before: values{}, after: values{"a": "x"}}, ""},
		{"turns", turns("a", "x", "told"), Change{Action: Update, before: values{}, after: values{"a": "x"}}, "told"},
		{"turns, of a new object", turns("a", "x", "told"), Change{Action: Create, after: values{"a": "x"}}, ""},
		{"changes", changes("told", "a", "b", "c"), Change{Action: Update, Attributes: attribute("c", "x", "a")}, "a, c: told"},
		{"changes something else", changes("told", "a"), Change{Action: Update, Attributes: attribute("x", "a.b")}, ""},
		{"is made", changes("told", "a"), Change{Action: Create, Attributes: attribute("a")}, ""},
	} {
		if got := test.check(test.change); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestBecause(t *testing.T) {
	forced := func(paths ...string) (list []Attribute) {
		list = []Attribute{{Path: "other"}}
		for _, p := range paths {
			list = append(list, Attribute{Path: p, Forces: true})
		}
		return list
	}
	for _, test := range []struct {
		change Change
		want   string
	}{
		{Change{}, ""},
		{Change{Reason: "it was asked for", Attributes: forced()}, ", because it was asked for"},
		{Change{Reason: "it was asked for", Attributes: forced("a")}, ", because a changes"},
		{Change{Attributes: forced("a", "b")}, ", because a, b change"},
		{Change{Attributes: forced("a", "b", "c")}, ", because a, b, c change"},
		{Change{Attributes: forced("a", "b", "c", "d")}, ", because a, b, c and 1 more change"},
		{Change{Attributes: forced("a", "b", "c", "d", "e")}, ", because a, b, c and 2 more change"},
	} {
		if got := because(test.change); got != test.want {
			t.Errorf("%+v: %q, want %q", test.change, got, test.want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		patterns, name string
		want           bool
	}{
		{"aws_lb", "aws_lb", true},
		{"aws_lb", "aws_lb_listener", false},
		{"aws_lb*", "aws_lb_listener", true},
		{"aws_lb*", "aws_vpc", false},
		{"aws_vpc|aws_lb*|aws_x", "aws_x", true},
		{"aws_vpc|aws_lb*|aws_x", "aws_y", false},
		{"", "aws_lb", false},
	} {
		if got := matches(test.patterns, test.name); got != test.want {
			t.Errorf("matches(%q, %q) = %t", test.patterns, test.name, got)
		}
	}
}

func TestWorse(t *testing.T) {
	lost, lives := Finding{Risk: DataLoss, destroys: true}, Finding{Risk: DataLoss}
	for _, test := range []struct {
		name string
		a, b Finding
		want int
	}{
		{"the same", lost, lost, 0},
		{"neither is destroyed", lives, lives, 0},
		{"destroyed first", lost, lives, -1},
		{"and the other way", lives, lost, 1},
		{"the risk counts before", lives, Finding{Risk: Replacement, destroys: true}, -1},
		{"and the other way", Finding{Risk: Downtime, destroys: true}, lives, 2},
	} {
		if got := worse(test.a, test.b); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestStateful(t *testing.T) {
	types := Stateful()
	if !slices.IsSorted(types) || len(types) != len(stateful) || !slices.Contains(types, "aws_db_instance") {
		t.Errorf("%s", strings.Join(types, ", "))
	}
}
