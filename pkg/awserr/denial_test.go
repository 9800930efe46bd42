package awserr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/awserr/awserrtest"
)

const (
	sessionARN = awserrtest.SessionARN
	serviceARN = awserrtest.ServiceARN
	sentence   = awserrtest.Denied
	scpARN     = "arn:aws:organizations::999999999999:policy/o-abc/service_control_policy/p-xyz"
)

func TestParseDenial(t *testing.T) {
	want := func(policy PolicyType, explicit bool, policyARN string) Denial {
		return Denial{Principal: sessionARN, Action: "ecs:UpdateService", Resource: serviceARN, PolicyType: policy, Explicit: explicit,
			PolicyARN: policyARN}
	}
	allows := func(policy string) string {
		return sentence + " because no " + policy + " allows the ecs:UpdateService action"
	}
	denies := func(policy string) string { return sentence + " with an explicit deny in " + policy }
	tests := []struct {
		name, text string
		want       Denial
	}{
		{"older services say no more", sentence, want("", false, "")},
		{"identity implicit", allows("identity-based policy"), want(IdentityPolicy, false, "")},
		{"resource implicit", allows("resource-based policy"), want(ResourcePolicy, false, "")},
		{"boundary implicit", allows("permissions boundary"), want(PermissionsBoundary, false, "")},
		{"session implicit", allows("session policy"), want(SessionPolicy, false, "")},
		{"VPC endpoint implicit", allows("VPC endpoint policy"), want(VPCEndpointPolicy, false, "")},
		{"SCP implicit", allows("service control policy"), want(ServiceControl, false, "")},
		{"trust implicit", "User: " + sessionARN +
			" is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/x " +
			"because no role trust policy allows the sts:AssumeRole action",
			Denial{sessionARN, "sts:AssumeRole", "arn:aws:iam::123456789012:role/x", RoleTrustPolicy, false, ""}},
		{"identity explicit", denies("an identity-based policy"), want(IdentityPolicy, true, "")},
		{"resource explicit", denies("a resource-based policy"), want(ResourcePolicy, true, "")},
		{"boundary explicit", denies("a permissions boundary"), want(PermissionsBoundary, true, "")},
		{"session explicit, plural", denies("a sessions policy"), want(SessionPolicy, true, "")},
		{"session explicit", denies("a session policy"), want(SessionPolicy, true, "")},
		{"SCP", denies("a service control policy"), want(ServiceControl, true, "")},
		{"RCP", denies("a resource control policy"), want(ResourceControl, true, "")},
		{"VPC endpoint explicit", denies("a VPC endpoint policy"), want(VPCEndpointPolicy, true, "")},
		{"trust explicit", denies("the role trust policy"), want(RoleTrustPolicy, true, "")},
		{"through another", denies("a VPC endpoint policy transitively through a service control policy"), want(ServiceControl, true, "")},
		{"SCP with its ARN", denies("a service control policy: " + scpARN), want(ServiceControl, true, scpARN)},
		{"identity explicit with its ARN", denies("an identity-based policy: arn:aws:iam::123456789012:policy/guard."),
			want(IdentityPolicy, true, "arn:aws:iam::123456789012:policy/guard")},
		{"boundary implicit with its ARN", allows("permissions boundary") + ": arn:aws:iam::123456789012:policy/edge",
			want(PermissionsBoundary, false, "arn:aws:iam::123456789012:policy/edge")},
		{"text after it", denies("an identity-based policy (Service: Ecs, Status Code: 400)"), want(IdentityPolicy, true, "")},
		{"no resource", "User: " + sessionARN + " is not authorized to perform: ecr:GetAuthorizationToken",
			Denial{Principal: sessionARN, Action: "ecr:GetAuthorizationToken"}},
		{"no resource, with context", "User: " + sessionARN + " is not authorized to perform: ecr:GetAuthorizationToken because no " +
			"identity-based " +
			"policy allows the ecr:GetAuthorizationToken action",
			Denial{Principal: sessionARN, Action: "ecr:GetAuthorizationToken", PolicyType: IdentityPolicy}},
		{"any resource", "User: " + sessionARN + " is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no " +
			"identity-based " +
			"policy allows the ecr:GetAuthorizationToken action",
			Denial{Principal: sessionARN, Action: "ecr:GetAuthorizationToken", Resource: "*", PolicyType: IdentityPolicy}},
		{"trust policy of an OIDC role", "Not authorized to perform sts:AssumeRoleWithWebIdentity",
			Denial{Action: "sts:AssumeRoleWithWebIdentity"}},
		{"inside an SDK error", "update service: operation error ECS: UpdateService, https response error StatusCode: 400, RequestID: r-1, " +
			"AccessDeniedException: " + allows("identity-based policy"), want(IdentityPolicy, false, "")},
		{"inside an error of the AWS CLI", "An error occurred (AccessDeniedException) when calling the UpdateService operation: " +
			allows("identity-based policy") + "\n", want(IdentityPolicy, false, "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseDenial(tt.text)
			if !ok {
				t.Fatalf("no denial found in %q", tt.text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	for _, text := range []string{"", "Access Denied", "access to KMS is not allowed", "the user is authorized to perform: ecs:UpdateService",
		"operation error ECS: UpdateService, https response error StatusCode: 400, RequestID: r, ServiceNotFoundException: "} {
		if d, ok := ParseDenial(text); ok {
			t.Errorf("%q: found %+v where there is no denial", text, d)
		}
	}
}

func TestDenialAdvice(t *testing.T) {
	tests := []struct {
		name    string
		denial  Denial
		holds   []string
		without []string
	}{
		{"an Allow is missing", Denial{Principal: sessionARN, Action: "ecs:UpdateService", Resource: serviceARN, PolicyType: IdentityPolicy},
			[]string{`Add {"Effect":"Allow","Action":"ecs:UpdateService","Resource":"` + serviceARN + `"}`, "role deploy"}, nil},
		{"PassRole is bound to ECS", Denial{Principal: sessionARN, Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/task"},
			[]string{`"iam:PassedToService":"ecs-tasks.amazonaws.com"`, `"Resource":"arn:aws:iam::123456789012:role/task"`}, nil},
		{"no resource named", Denial{Principal: sessionARN, Action: "ecr:GetAuthorizationToken"}, []string{`"Resource":"*"`}, nil},
		{"explicit deny", Denial{Principal: sessionARN, Action: "ecs:RunTask", PolicyType: IdentityPolicy, Explicit: true},
			[]string{"does not help", "Deny statement"}, []string{`"Effect":"Allow"`}},
		{"SCP", Denial{Principal: sessionARN, Action: "ecs:RunTask", PolicyType: ServiceControl, Explicit: true},
			[]string{"organization"}, []string{`"Effect":"Allow"`}},
		{"boundary", Denial{Principal: sessionARN, Action: "ecs:RunTask", PolicyType: PermissionsBoundary},
			[]string{"permissions boundary of role deploy", `"Action":"ecs:RunTask"`}, nil},
		{"session policy", Denial{Principal: sessionARN, Action: "ecs:RunTask", PolicyType: SessionPolicy}, []string{"session policy"}, nil},
		{"VPC endpoint", Denial{Principal: sessionARN, Action: "ecs:RunTask", PolicyType: VPCEndpointPolicy}, []string{"VPC endpoint"}, nil},
		{"role chaining", Denial{Principal: "arn:aws:iam::123456789012:user/ci/robot", Action: "sts:AssumeRole",
			Resource: "arn:aws:iam::1:role/x"},
			[]string{"user robot", "trust policy"}, nil},
		{"KMS", Denial{Principal: sessionARN, Action: "kms:Decrypt", Resource: "arn:aws:kms:us-west-2:123456789012:key/k"},
			[]string{"key policy"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			advice := tt.denial.Advice()
			for _, part := range tt.holds {
				if !strings.Contains(advice, part) {
					t.Errorf("advice lacks %q: %s", part, advice)
				}
			}
			for _, part := range tt.without {
				if strings.Contains(advice, part) {
					t.Errorf("advice must not say %q: %s", part, advice)
				}
			}
		})
	}
}
