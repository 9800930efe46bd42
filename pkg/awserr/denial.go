package awserr

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/lazyregexp"
)

// PolicyType names the kind of policy that decided a denial, in IAM's own terms.
type PolicyType string

// The policy types that AWS names in its messages.
// Source: IAM User Guide, "Troubleshoot access denied error messages".
const (
	IdentityPolicy      PolicyType = "identity-based policy"
	ResourcePolicy      PolicyType = "resource-based policy"
	PermissionsBoundary PolicyType = "permissions boundary"
	SessionPolicy       PolicyType = "session policy"
	ServiceControl      PolicyType = "service control policy"
	ResourceControl     PolicyType = "resource control policy"
	VPCEndpointPolicy   PolicyType = "VPC endpoint policy"
	RoleTrustPolicy     PolicyType = "role trust policy"
)

// Denial is what an access-denied message of AWS says.
type Denial struct {
	Principal  string     // ARN of the caller; empty where the message names none
	Action     string     // IAM action, such as ecs:UpdateService; not always the API call that was made
	Resource   string     // ARN or "*"; empty where the message names none
	PolicyType PolicyType // empty where the service does not tell
	Explicit   bool       // a Deny statement decided, rather than a missing Allow
	PolicyARN  string     // ARN of the deciding policy; only within one account or organization, and not from every service
}

var (
	// The sentence is the same in every service; what follows the action is optional and grew over the years.
	denialSentence = lazyregexp.New(`(?i)(?:User: (\S+) is )?not authorized to perform:? ([a-z0-9-]+:[A-Za-z0-9*]+)` +
		`(?: on (?:the )?resources?: ?(\S+))?((?s:.*))$`)
	implicitDeny = lazyregexp.New(`(?i)^[ ,]*because no (.+?) allows the [a-z0-9-]+:[A-Za-z0-9*]+ action(?:: ?(arn:\S+))?`)
	explicitDeny = lazyregexp.New(`(?i)^[ ,]*with an explicit deny in (?:an? |the )?([A-Za-z -]+?(?:policy|boundary))(?: transitively` +
		` through an? ([A-Za-z -]+policy))?(?:: ?(arn:\S+)|[^A-Za-z -]|\s|$)`)
)

// ParseDenial finds AWS's access-denied sentence anywhere in text (an error string of an SDK or of the AWS CLI, a stopped
// reason, a service event) and takes it apart. It returns false where there is no such sentence.
func ParseDenial(text string) (Denial, bool) {
	sentence := denialSentence.FindStringSubmatch(text)
	if sentence == nil {
		return Denial{}, false
	}
	d := Denial{Principal: sentence[1], Action: sentence[2], Resource: trimSentence(sentence[3])}
	rest := sentence[4]
	if m := implicitDeny.FindStringSubmatch(rest); m != nil {
		d.PolicyType, d.PolicyARN = policyType(m[1]), trimSentence(m[2])
		return d, true
	}
	if m := explicitDeny.FindStringSubmatch(rest); m != nil {
		d.Explicit, d.PolicyType, d.PolicyARN = true, policyType(m[1]), trimSentence(m[3])
		// An endpoint policy that an organization imposes can only be lifted there.
		if m[2] != "" {
			d.PolicyType = policyType(m[2])
		}
	}
	return d, true
}

// policyType maps the words of a message to one of the types, whatever their number, case or article.
func policyType(words string) PolicyType {
	words = strings.ToLower(strings.TrimSpace(words))
	words = strings.TrimPrefix(words, "a ")
	words = strings.Replace(words, "sessions policy", "session policy", 1)
	for _, known := range []PolicyType{IdentityPolicy, ResourcePolicy, PermissionsBoundary, SessionPolicy, ServiceControl,
		ResourceControl, VPCEndpointPolicy, RoleTrustPolicy} {
		if words == strings.ToLower(string(known)) {
			return known
		}
	}
	return PolicyType(words)
}

// trimSentence drops what ends a sentence or a quotation, none of which ends an ARN.
func trimSentence(s string) string { return strings.TrimRight(s, `.,;:)"'`+"`") }

// Reason tells which policy decided, and how, as a clause that goes with "because"; empty where the message does not say.
func (d Denial) Reason() string {
	var reason string
	switch {
	case d.PolicyType == "":
		return ""
	case d.Explicit && d.PolicyType == ServiceControl:
		// AWS words every denial by an SCP as explicit, also where only an Allow is missing there.
		reason = "a service control policy of the organization denies it or does not allow it"
	case d.Explicit:
		reason = fmt.Sprintf("there is an explicit deny in %s %s", article(string(d.PolicyType)), d.PolicyType)
	default:
		reason = fmt.Sprintf("no %s allows it", d.PolicyType)
	}
	if d.PolicyARN != "" {
		reason += " (" + d.PolicyARN + ")"
	}
	return reason
}

// Statement returns the IAM policy statement, as compact JSON, that would allow the action. For iam:PassRole it holds
// the condition that keeps the role from being passed to anything but ECS tasks.
func (d Denial) Statement() string {
	type statement struct {
		Effect    string
		Action    string
		Resource  string
		Condition map[string]map[string]string `json:",omitempty"`
	}
	s := statement{Effect: "Allow", Action: d.Action, Resource: d.Resource}
	if s.Resource == "" {
		s.Resource = "*"
	}
	if d.isPassRole() {
		s.Condition = map[string]map[string]string{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and maps of strings always marshal
	}
	return string(text)
}

// Advice tells in one or two sentences what would lift the denial.
func (d Denial) Advice() string {
	who := Principal(d.Principal)
	switch {
	case d.Action == "sts:AssumeRole":
		return fmt.Sprintf("Two policies must agree: that of %s must allow sts:AssumeRole on the role, and the role's trust policy "+
			"must name %s as its principal.", who, orElse(d.Principal, "the caller"))
	case strings.HasPrefix(d.Action, "kms:"):
		return fmt.Sprintf("The key policy of the KMS key must allow %s for %s, or leave it to IAM and its identity policy hold %s.",
			d.Action, who, d.Statement())
	case d.PolicyType == ServiceControl || d.PolicyType == ResourceControl:
		return fmt.Sprintf("No policy in this account can lift that: ask who administers the organization to allow %s in that %s.",
			d.Action, d.PolicyType)
	case d.Explicit:
		return fmt.Sprintf("Adding an Allow does not help against an explicit deny: change or remove the Deny statement for %s in that %s.",
			d.Action, d.PolicyType)
	case d.PolicyType == PermissionsBoundary:
		return fmt.Sprintf("The permissions boundary of %s must allow it as well as its identity policy: add %s to the boundary.",
			who, d.Statement())
	case d.PolicyType == SessionPolicy:
		return fmt.Sprintf("The session of %s was narrowed when the role was assumed: allow %s in the session policy that was passed then.",
			who, d.Action)
	case d.PolicyType == ResourcePolicy:
		return fmt.Sprintf("The policy on the resource itself must allow %s for %s.", d.Action, who)
	case d.PolicyType == VPCEndpointPolicy:
		return fmt.Sprintf("The policy of the VPC endpoint that the call went through must allow %s for %s.", d.Action, who)
	case d.PolicyType == RoleTrustPolicy:
		return fmt.Sprintf("The role's trust policy must allow %s for %s.", d.Action, who)
	case d.isPassRole():
		return fmt.Sprintf("ECS checks that the caller may pass this role to tasks: add %s to the policy of %s.", d.Statement(), who)
	default:
		return fmt.Sprintf("Add %s to the policy of %s.", d.Statement(), who)
	}
}

// String tells the denial in a sentence: "role deploy lacks the permission ecs:UpdateService on arn:…, because no … allows it".
func (d Denial) String() string {
	text := Principal(d.Principal) + " lacks the permission " + d.Action
	if d.Resource != "" {
		text += " on " + d.Resource
	}
	if reason := d.Reason(); reason != "" {
		text += ", because " + reason
	}
	return text
}

func (d Denial) isPassRole() bool { return strings.EqualFold(d.Action, "iam:PassRole") }

// Principal names a caller the way people do: "role deploy", "user anna".
func Principal(principal string) string {
	_, path, found := cutARN(principal)
	if !found {
		return orElse(principal, "the caller")
	}
	kind, name, _ := strings.Cut(path, "/")
	switch kind {
	case "assumed-role":
		role, _, _ := strings.Cut(name, "/")
		return "role " + role
	case "role", "user":
		return kind + " " + arn.Last(name)
	case "root":
		return "the account's root user"
	default:
		return principal
	}
}

// cutARN splits an ARN into its first five fields and the resource part.
func cutARN(arn string) (fields []string, resource string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return nil, "", false
	}
	return parts[:5], parts[5], true
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an"
	}
	return "a"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
