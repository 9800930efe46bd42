package awsconn

import (
	"fmt"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/internal/regions"
)

// Inputs are the inputs that every action shares. They are embedded in each action's own; an action that has a Validate of
// its own calls this one from it.
type Inputs struct {
	Region       string `input:"region" alias:"aws-region" doc:"AWS region. Empty: AWS_REGION, AWS_DEFAULT_REGION or the profile's region."`
	RoleToAssume string `input:"role-to-assume" doc:"IAM role to assume: its ARN, or its name together with account-id. With 'permissions: id-token: write' the job's OIDC token is used; without it, the existing credentials assume the role."`
	AccountID    string `input:"account-id" doc:"The AWS account that the run is meant for, 12 digits. In another account the run ends before anything else happens."`
	RoleInputs
}

var (
	accountID = lazyregexp.New(`^\d{12}$`)
	roleARN   = lazyregexp.New(`^arn:(aws[a-z-]*):iam::(\d{12}):role/((?:[\x21-\x7E]+/)?[\w+=,.@-]{1,64})$`)
	roleName  = lazyregexp.New(`^[\w+=,.@-]{1,64}$`)
)

// Validate returns what is wrong with the inputs by themselves, each problem naming its input.
func (in Inputs) Validate() []error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	problems = append(problems, in.problems(in.RoleToAssume != "")...)

	if in.AccountID != "" && !accountID.MatchString(in.AccountID) {
		problem("account-id: %q is not an AWS account id: 12 digits without blanks or hyphens (quote it in YAML, or leading zeros are lost)",
			in.AccountID)
	}
	if in.Region != "" {
		if wrong := regions.Wrong(in.Region); wrong != "" {
			problem("region: %q %s", in.Region, wrong)
		}
	}
	switch role := roleARN.FindStringSubmatch(in.RoleToAssume); {
	case in.RoleToAssume == "":
	case role != nil:
		if accountID.MatchString(in.AccountID) && role[2] != in.AccountID {
			problem("role-to-assume: the role is of account %s, but account-id says %s", role[2], in.AccountID)
		}
	case strings.HasPrefix(in.RoleToAssume, "arn:"):
		problem("role-to-assume: %q is not the ARN of an IAM role: arn:aws:iam::123456789012:role/NAME", in.RoleToAssume)
	case !roleName.MatchString(in.RoleToAssume):
		problem("role-to-assume: %q is neither an ARN nor the name of an IAM role", in.RoleToAssume)
	case in.AccountID == "":
		problem("role-to-assume: %q is a name: give the role's ARN, or account-id as well", in.RoleToAssume)
	}
	return problems
}

// role returns the ARN of the role to assume, or "" for none. A bare name is of the input account, in the region's partition.
func (in Inputs) role(region string) string {
	if in.RoleToAssume == "" || strings.HasPrefix(in.RoleToAssume, "arn:") {
		return in.RoleToAssume
	}
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", partitionOf(region), in.AccountID, in.RoleToAssume)
}

// partitionOf returns the partition of the ARNs in a region.
func partitionOf(region string) string {
	for prefix, partition := range map[string]string{
		"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b", "eu-isoe-": "aws-iso-e",
		"us-isof-": "aws-iso-f", "eusc-": "aws-eusc",
	} {
		if strings.HasPrefix(region, prefix) {
			return partition
		}
	}
	return "aws"
}
