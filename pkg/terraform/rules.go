package terraform

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Risk sorts what can go wrong, worst first.
type Risk int

// The risks.
const (
	DataLoss Risk = iota
	Replacement
	Downtime
	Exposure
)

// String returns the risk's name for people.
func (r Risk) String() string {
	return [...]string{"Data loss", "Replacement", "Downtime", "Security opening"}[r]
}

// Finding is one risk of one change.
type Finding struct {
	Risk    Risk
	Address string
	Text    string // what happens, in one clause

	destroys bool // the object ceases to exist; what else is lost of it stays until then
}

// worse orders findings: by risk, then what is destroyed before what stays.
func worse(a, b Finding) int {
	switch {
	case a.Risk != b.Risk:
		return int(a.Risk - b.Risk)
	case a.destroys == b.destroys:
		return 0
	case a.destroys:
		return -1
	}
	return 1
}

// stateful are the types whose objects hold what nothing can make anew. Their destruction is guarded by default.
var stateful = map[string]string{
	"aws_db_instance":                   "the database",
	"aws_rds_cluster":                   "the database cluster",
	"aws_rds_cluster_instance":          "an instance of the database cluster",
	"aws_db_snapshot":                   "the snapshot",
	"aws_rds_global_cluster":            "the global database",
	"aws_docdb_cluster":                 "the document database",
	"aws_neptune_cluster":               "the graph database",
	"aws_redshift_cluster":              "the warehouse",
	"aws_dynamodb_table":                "the table",
	"aws_elasticache_replication_group": "the cache",
	"aws_elasticache_cluster":           "the cache",
	"aws_elasticache_serverless_cache":  "the cache",
	"aws_memorydb_cluster":              "the in-memory database",
	"aws_opensearch_domain":             "the search domain",
	"aws_elasticsearch_domain":          "the search domain",
	"aws_s3_bucket":                     "the bucket",
	"aws_efs_file_system":               "the file system",
	"aws_fsx_lustre_file_system":        "the file system",
	"aws_fsx_ontap_file_system":         "the file system",
	"aws_ebs_volume":                    "the volume",
	"aws_ecr_repository":                "the images of the repository",
	"aws_kms_key":                       "the key, and with it everything that it encrypts",
	"aws_secretsmanager_secret":         "the secret",
	"aws_ssm_parameter":                 "the parameter",
	"aws_cloudwatch_log_group":          "the logs",
	"aws_sqs_queue":                     "the queue and its messages",
	"aws_kinesis_stream":                "the stream",
	"aws_msk_cluster":                   "the Kafka cluster",
	"aws_mq_broker":                     "the message broker",
	"aws_cognito_user_pool":             "the users of the pool",
	"aws_backup_vault":                  "the backups of the vault",
	"aws_route53_zone":                  "the zone, whose name servers change",
	"aws_acmpca_certificate_authority":  "the certificate authority",
}

// Stateful returns the protected types in order.
func Stateful() []string {
	var types []string
	for name := range stateful {
		types = append(types, name)
	}
	slices.Sort(types)
	return types
}

// serving are the types without which requests are not answered.
var serving = map[string]string{
	"aws_ecs_service":                     "the service stops",
	"aws_ecs_cluster":                     "its services stop",
	"aws_lb":                              "the load balancer and its address go",
	"aws_alb":                             "the load balancer and its address go",
	"aws_lb_listener":                     "nothing listens on the port",
	"aws_lb_listener_rule":                "its requests take another way",
	"aws_lb_target_group":                 "its targets get no requests",
	"aws_route53_record":                  "the name no longer resolves",
	"aws_nat_gateway":                     "private subnets lose their way out",
	"aws_internet_gateway":                "the VPC loses its way in and out",
	"aws_route":                           "its traffic has no way",
	"aws_route_table_association":         "the subnet falls back to the main route table",
	"aws_subnet":                          "what is in the subnet goes",
	"aws_vpc":                             "everything in the VPC goes",
	"aws_vpc_endpoint":                    "private subnets lose the way to the service",
	"aws_acm_certificate":                 "listeners lose their certificate",
	"aws_cloudfront_distribution":         "the distribution stops",
	"aws_lambda_function":                 "the function stops",
	"aws_instance":                        "the instance stops",
	"aws_autoscaling_group":               "its instances stop",
	"aws_iam_role":                        "whoever assumes the role is refused",
	"aws_iam_role_policy":                 "the role loses the policy's rights",
	"aws_iam_role_policy_attachment":      "the role loses the policy's rights",
	"aws_vpc_security_group_ingress_rule": "its traffic is refused",
	"aws_vpc_security_group_egress_rule":  "its traffic is refused",
	"aws_security_group_rule":             "its traffic is refused",
	"aws_eip":                             "the address is given back",
	"aws_db_proxy":                        "connections through the proxy end",
}

// findings returns what can go wrong with one change, worst first.
func findings(c Change) []Finding {
	var found []Finding
	add := func(r Risk, format string, args ...any) {
		found = append(found, Finding{r, c.Address, fmt.Sprintf(format, args...), c.Action.Destroys()})
	}
	if c.Data || c.Action == None || c.Action == Read {
		return nil
	}
	what, holdsData := stateful[c.Type]
	stops, serves := serving[c.Type]
	switch {
	case c.Action.Replaces() && holdsData:
		add(DataLoss, "replaced: %s is destroyed and made empty%s", what, because(c))
	case c.Action == Delete && holdsData:
		add(DataLoss, "destroyed: %s is lost%s", what, because(c))
	case c.Action.Replaces():
		add(Replacement, "replaced%s", because(c))
	}
	switch {
	case c.Action == Delete && serves:
		add(Downtime, "destroyed: %s", stops)
	case c.Action == Replace && serves:
		add(Downtime, "destroyed before it is recreated: until then %s", stops)
	}
	for _, rule := range rules {
		if rule.types != "" && !matches(rule.types, c.Type) {
			continue
		}
		if text := rule.check(c); text != "" {
			add(rule.risk, "%s", text)
		}
	}
	if c.Action == Create || c.Action == Update || c.Action.Replaces() {
		for _, text := range openings(c) {
			add(Exposure, "%s", text)
		}
	}
	return found
}

// because names what forces a replacement, or why something goes.
func because(c Change) string {
	var forces []string
	for _, a := range c.Attributes {
		if a.Forces {
			forces = append(forces, a.Path)
		}
	}
	switch {
	case len(forces) > 3:
		return fmt.Sprintf(", because %s and %d more change", strings.Join(forces[:3], ", "), len(forces)-3)
	case len(forces) == 1:
		return fmt.Sprintf(", because %s changes", forces[0])
	case len(forces) > 0:
		return fmt.Sprintf(", because %s change", strings.Join(forces, ", "))
	case c.Reason != "":
		return ", because " + c.Reason
	}
	return ""
}

// rule looks at the top-level values of a change.
type rule struct {
	types string // "a|b"; a trailing * matches the rest; empty: every type
	risk  Risk
	check func(Change) string
}

func matches(patterns, name string) bool {
	for p := range strings.SplitSeq(patterns, "|") { // without a copy: each change is held against each rule
		if prefix, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(name, prefix) || p == name {
			return true
		}
	}
	return false
}

// becomes checks that an attribute is given a value that it did not have.
func becomes(name string, value any, text string) func(Change) string {
	return func(c Change) string {
		if c.after == nil || c.Action == Delete || !equal(c.after[name], value) {
			return ""
		}
		if c.before != nil && equal(c.before[name], value) {
			return ""
		}
		return text
	}
}

// turns is becomes for objects that exist already.
func turns(name string, value any, text string) func(Change) string {
	check := becomes(name, value, text)
	return func(c Change) string {
		if c.before == nil {
			return ""
		}
		return check(c)
	}
}

// changes checks that an existing object gets another value of an attribute.
func changes(text string, names ...string) func(Change) string {
	return func(c Change) string {
		if c.Action != Update {
			return ""
		}
		var changed []string
		for _, name := range names {
			if slices.ContainsFunc(c.Attributes, func(a Attribute) bool { return a.Path == name }) {
				changed = append(changed, name)
			}
		}
		if len(changed) == 0 {
			return ""
		}
		return strings.Join(changed, ", ") + ": " + text
	}
}

const databases = "aws_db_instance|aws_rds_cluster*|aws_docdb_cluster*|aws_neptune_cluster*"

var rules = []rule{
	{databases + "|aws_lb|aws_dynamodb_table", DataLoss, func(c Change) string {
		for _, name := range []string{"deletion_protection", "deletion_protection_enabled", "enable_deletion_protection"} {
			if c.before[name] == true && c.after[name] == false {
				return "loses its protection against deletion"
			}
		}
		return ""
	}},
	{databases, DataLoss, turns("backup_retention_period", json.Number("0"), "keeps no automatic backups any more")},
	{databases, DataLoss, turns("skip_final_snapshot", true, "will leave no final snapshot when it is destroyed")},
	{"aws_s3_bucket|aws_ecr_repository", DataLoss, func(c Change) string {
		for _, name := range []string{"force_destroy", "force_delete"} {
			if c.before != nil && c.before[name] != true && c.after[name] == true {
				return "may from now on be destroyed although it is not empty"
			}
		}
		return ""
	}},
	{"aws_s3_bucket_versioning", DataLoss, func(c Change) string {
		if c.Action == Delete || status(c.before) == "Enabled" && status(c.after) != "Enabled" && c.after != nil {
			return "objects keep no earlier versions any more"
		}
		return ""
	}},
	{"aws_cloudwatch_log_group", DataLoss, func(c Change) string {
		before, after := number(c.before["retention_in_days"]), number(c.after["retention_in_days"])
		if c.Action == Update && after > 0 && (before == 0 || after < before) {
			return fmt.Sprintf("logs older than %v days are deleted", after)
		}
		return ""
	}},
	{databases + "|aws_elasticache_*", Downtime, func(c Change) string {
		when := "in its maintenance window"
		if c.after["apply_immediately"] == true {
			when = "at once"
		}
		return changes("restarts "+when, "instance_class", "engine_version", "node_type", "parameter_group_name", "storage_type")(c)
	}},
	{"aws_db_instance", Downtime, turns("multi_az", false, "has no standby any more")},
	{"aws_elasticache_replication_group", Downtime, turns("automatic_failover_enabled", false, "does not fail over by itself any more")},
	{"aws_ecs_service", Downtime, turns("desired_count", json.Number("0"), "has no tasks any more")},
	{"aws_instance", Downtime, changes("the instance is stopped for it", "instance_type", "user_data")},
	{"", Exposure, becomes("publicly_accessible", true, "can be reached from the internet")},
	{databases + "|aws_efs_file_system", Exposure, func(c Change) string {
		return becomes("storage_encrypted", false, "is not encrypted")(c) + becomes("encrypted", false, "is not encrypted")(c)
	}},
	{"aws_elasticache_replication_group", Exposure, becomes("transit_encryption_enabled", false, "takes connections without TLS")},
	{"aws_s3_bucket_public_access_block|aws_s3_account_public_access_block", Exposure, func(c Change) string {
		if c.Action == Delete {
			return "nothing keeps the bucket from being made public any more"
		}
		for _, name := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
			if c.after != nil && c.after[name] == false && c.before[name] != false {
				return name + " is off: the bucket can be made public"
			}
		}
		return ""
	}},
	{"aws_s3_bucket_acl", Exposure, func(c Change) string {
		if acl, _ := c.after["acl"].(string); strings.HasPrefix(acl, "public-") && c.before["acl"] != acl {
			return "everybody may use the bucket: " + acl
		}
		return ""
	}},
	{"aws_lb_listener", Exposure, func(c Change) string {
		if c.after["protocol"] == "HTTP" && c.before["protocol"] != "HTTP" && !strings.Contains(canonical(c.after["default_action"]),
			`"redirect"`) {
			return "answers without TLS"
		}
		return ""
	}},
	{"aws_ecr_repository", Exposure, turns("image_tag_mutability", "MUTABLE", "tags can be moved to other images")},
	{"aws_iam_user|aws_iam_access_key|aws_iam_user_login_profile", Exposure, func(c Change) string {
		if c.Action == Create {
			return "long-lived credentials are made"
		}
		return ""
	}},
}

func status(values map[string]any) any {
	list, _ := values["versioning_configuration"].([]any)
	if len(list) == 0 {
		return nil
	}
	first, _ := list[0].(map[string]any)
	return first["status"]
}

func number(v any) float64 {
	n, _ := v.(json.Number)
	f, _ := n.Float64()
	return f
}

// openings finds who is let in: addresses of the whole internet, and statements of policies that allow everything or
// everybody. What was open before is not a finding.
func openings(c Change) []string {
	var found []string
	before := worldwide(c.before, c.Type)
	for _, text := range worldwide(c.after, c.Type) {
		if !slices.Contains(before, text) {
			found = append(found, text)
		}
	}
	for name, value := range c.after {
		if !strings.Contains(name, "policy") {
			continue
		}
		document, _ := value.(string)
		old, _ := c.before[name].(string)
		known := wide(old)
		for _, text := range wide(document) {
			if !slices.Contains(known, text) {
				found = append(found, text)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// worldwide lists what the whole internet may reach.
func worldwide(values map[string]any, kind string) []string {
	var found []string
	rule := func(r map[string]any) {
		for _, name := range []string{"cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6"} {
			text := canonical(r[name])
			if strings.Contains(text, `"0.0.0.0/0"`) || strings.Contains(text, `"::/0"`) {
				found = append(found, "the whole internet may reach "+ports(r))
			}
		}
	}
	switch kind {
	case "aws_security_group", "aws_default_security_group":
		list, _ := values["ingress"].([]any)
		for _, element := range list {
			r, _ := element.(map[string]any)
			rule(r)
		}
	case "aws_security_group_rule":
		if values["type"] == "ingress" {
			rule(values)
		}
	case "aws_vpc_security_group_ingress_rule":
		rule(values)
	}
	return found
}

func ports(r map[string]any) string {
	from, to := canonical(r["from_port"]), canonical(r["to_port"])
	protocol, _ := r["protocol"].(string)
	if protocol == "" {
		protocol, _ = r["ip_protocol"].(string)
	}
	switch {
	case protocol == "-1":
		return "every port"
	case from == to:
		return "port " + from
	default:
		return "ports " + from + " to " + to
	}
}

// wide lists what an IAM policy document opens wide.
func wide(document string) []string {
	var policy struct {
		Statement json.RawMessage
	}
	_ = json.Unmarshal([]byte(document), &policy) // what is not a policy has no statement
	type statement struct {
		Effect            string
		Action, Principal any
		Resource          any
		Condition         map[string]any // an empty one is none
	}
	var list []statement
	if json.Unmarshal(policy.Statement, &list) != nil {
		var one statement
		_ = json.Unmarshal(policy.Statement, &one) // and what is not a statement allows nothing
		list = []statement{one}
	}
	var found []string
	for _, s := range list {
		if s.Effect != "Allow" {
			continue
		}
		principal := canonical(s.Principal)
		if len(s.Condition) == 0 && (principal == `"*"` || principal == `{"AWS":"*"}` || principal == `{"AWS":["*"]}`) {
			found = append(found, "a policy allows everybody (Principal *) without a condition")
		}
		if all(s.Action) && all(s.Resource) {
			found = append(found, "a policy allows every action on everything")
		}
	}
	return found
}

func all(v any) bool {
	if list, ok := v.([]any); ok {
		return slices.Contains(list, any("*"))
	}
	return v == "*"
}
