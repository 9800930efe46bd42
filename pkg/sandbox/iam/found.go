package iam

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// What an account needs before Terraform can run in it: the provider of GitHub's tokens, a first role, a policy on it.

// administrator is the one managed policy whose content the sandbox knows.
const administrator = "arn:aws:iam::aws:policy/AdministratorAccess"

func (d *Directory) providerARN(issuer string) string {
	return "arn:aws:iam::" + d.Account + ":oidc-provider/" + issuer
}

type arnEntry struct{ Arn string }

func (d *Directory) listProviders(r *wire.Request) (any, error) {
	if err := r.Authorize("iam:ListOpenIDConnectProviders", d.providerARN("*")); err != nil {
		return nil, err
	}
	list := wire.List[arnEntry]{}
	for _, p := range d.Providers {
		list = append(list, arnEntry{d.providerARN(p.Issuer)})
	}
	return struct {
		OpenIDConnectProviderList wire.List[arnEntry]
	}{list}, nil
}

func (d *Directory) createProvider(r *wire.Request) (any, error) {
	var in struct {
		Url          string
		ClientIDList []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	issuer, ok := strings.CutPrefix(in.Url, "https://")
	if !ok || issuer == "" {
		return nil, wire.Errorf("ValidationError", "Invalid Open ID Connect Provider URL")
	}
	arn := d.providerARN(issuer)
	if err := r.Authorize("iam:CreateOpenIDConnectProvider", arn); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(d.Providers, func(p Provider) bool { return p.Issuer == issuer }) {
		return nil, wire.Errorf("EntityAlreadyExists", "Provider with url https://%s already exists.", issuer).WithStatus(409)
	}
	d.Providers = append(d.Providers, Provider{Issuer: issuer, Audiences: in.ClientIDList})
	return struct{ OpenIDConnectProviderArn string }{arn}, nil
}

func (d *Directory) getProvider(r *wire.Request) (any, error) {
	var in struct{ OpenIDConnectProviderArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("iam:GetOpenIDConnectProvider", in.OpenIDConnectProviderArn); err != nil {
		return nil, err
	}
	for _, p := range d.Providers {
		if d.providerARN(p.Issuer) == in.OpenIDConnectProviderArn {
			return struct {
				Url          string
				ClientIDList wire.List[string]
			}{p.Issuer, p.Audiences}, nil
		}
	}
	return nil, wire.Errorf("NoSuchEntity", "OpenIDConnect Provider not found for arn %s", in.OpenIDConnectProviderArn).WithStatus(404)
}

func (d *Directory) deleteProvider(r *wire.Request) (any, error) {
	var in struct{ OpenIDConnectProviderArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("iam:DeleteOpenIDConnectProvider", in.OpenIDConnectProviderArn); err != nil {
		return nil, err
	}
	// One that is not there is as good as deleted, to IAM too.
	d.Providers = slices.DeleteFunc(d.Providers, func(p Provider) bool { return d.providerARN(p.Issuer) == in.OpenIDConnectProviderArn })
	return struct{}{}, nil
}

func (d *Directory) createRole(r *wire.Request) (any, error) {
	var in struct{ RoleName, Path, AssumeRolePolicyDocument string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if in.Path == "" {
		in.Path = "/"
	}
	if err := r.Authorize("iam:CreateRole", "arn:aws:iam::"+d.Account+":role"+in.Path+in.RoleName); err != nil {
		return nil, err
	}
	if d.roles[in.RoleName] != nil {
		return nil, wire.Errorf("EntityAlreadyExists", "Role with name %s already exists.", in.RoleName).WithStatus(409)
	}
	trust, err := parseTrust(in.AssumeRolePolicyDocument)
	if err != nil {
		return nil, err
	}
	// Until a policy is attached, it may do nothing.
	d.AddRole(Role{Name: in.RoleName, Path: in.Path, Trust: trust, Policy: &policy.Policy{}, CreatedAt: r.Now,
		document: in.AssumeRolePolicyDocument})
	result, err := d.result(d.roles[in.RoleName])
	return struct{ Role roleResult }{result}, err
}

// texts is a string or a list of strings, as policies have them.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// parseTrust reads what a trust policy allows. Of its conditions it knows those on the subject and the audience of a token.
func parseTrust(document string) (Trust, error) {
	var in struct {
		Statement []struct {
			Effect    string
			Principal struct{ Service, AWS, Federated texts }
			Condition map[string]map[string]texts
		}
	}
	if err := json.Unmarshal([]byte(document), &in); err != nil {
		return Trust{}, wire.Errorf("MalformedPolicyDocument", "This policy contains invalid Json: %v", err)
	}
	var trust Trust
	for _, st := range in.Statement {
		if st.Effect != "Allow" {
			return Trust{}, wire.NotModelled("a trust policy with Effect %q", st.Effect)
		}
		if len(st.Principal.Federated) == 0 && len(st.Condition) > 0 {
			return Trust{}, wire.NotModelled("conditions on a trust that is not a web identity's")
		}
		trust.Services = append(trust.Services, st.Principal.Service...)
		trust.Principals = append(trust.Principals, st.Principal.AWS...)
		for _, provider := range st.Principal.Federated {
			_, issuer, _ := strings.Cut(provider, ":oidc-provider/")
			web := WebTrust{Provider: issuer}
			for operator, keys := range st.Condition {
				for key, values := range keys {
					switch {
					case (operator == "StringLike" || operator == "StringEquals") && key == issuer+":sub":
						web.Subjects = values
					case operator == "StringEquals" && key == issuer+":aud":
						web.Audience = values
					default:
						return Trust{}, wire.NotModelled("the condition %s on %s in a trust policy", operator, key)
					}
				}
			}
			trust.Web = append(trust.Web, web)
		}
	}
	return trust, nil
}

// roleFor finds the role that a request names, and checks that its caller may do this with it.
func (d *Directory) roleFor(r *wire.Request, action, name string) (*Role, error) {
	role, arn := d.roles[name], "arn:aws:iam::"+d.Account+":role/"+name
	if role != nil {
		arn = d.ARN(role)
	}
	if err := r.Authorize("iam:"+action, arn); err != nil {
		return nil, err
	}
	if role == nil {
		return nil, wire.Errorf("NoSuchEntity", "The role with name %s cannot be found.", name).WithStatus(404)
	}
	return role, nil
}

func (d *Directory) attachRolePolicy(r *wire.Request) (any, error) {
	var in struct{ RoleName, PolicyArn string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	role, err := d.roleFor(r, "AttachRolePolicy", in.RoleName)
	if err != nil {
		return nil, err
	}
	if in.PolicyArn != administrator {
		return nil, wire.NotModelled("the managed policy %s: AdministratorAccess is the one that it knows", in.PolicyArn)
	}
	if !slices.Contains(role.attached, in.PolicyArn) {
		role.attached = append(role.attached, in.PolicyArn)
		role.Policy = nil // everything is allowed
	}
	return struct{}{}, nil
}

type attachedPolicy struct{ PolicyName, PolicyArn string }

func (d *Directory) listAttachedRolePolicies(r *wire.Request) (any, error) {
	var in struct{ RoleName string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	role, err := d.roleFor(r, "ListAttachedRolePolicies", in.RoleName)
	if err != nil {
		return nil, err
	}
	list := wire.List[attachedPolicy]{}
	for _, policy := range role.attached {
		list = append(list, attachedPolicy{arn.Last(policy), policy})
	}
	return struct {
		AttachedPolicies wire.List[attachedPolicy]
		IsTruncated      bool
	}{list, false}, nil
}
