package iam

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// API is the service's table of operations.
func (d *Directory) API() *wire.QueryService {
	return &wire.QueryService{
		Name: "iam", Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
		Operations: map[string]wire.Operation{
			"AttachRolePolicy":            d.attachRolePolicy,
			"CreateOpenIDConnectProvider": d.createProvider,
			"CreateRole":                  d.createRole,
			"DeleteOpenIDConnectProvider": d.deleteProvider,
			"GetOpenIDConnectProvider":    d.getProvider,
			"GetRole":                     d.getRole,
			"ListAttachedRolePolicies":    d.listAttachedRolePolicies,
			"ListOpenIDConnectProviders":  d.listProviders,
			"SimulatePrincipalPolicy":     d.simulatePrincipalPolicy,
		},
	}
}

type roleResult struct {
	Path, RoleName, RoleId, Arn string
	CreateDate                  wire.Time
	AssumeRolePolicyDocument    string
	MaxSessionDuration          int
}

func (d *Directory) getRole(r *wire.Request) (any, error) {
	var in struct{ RoleName string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	role := d.roles[in.RoleName]
	arn := "arn:aws:iam::" + d.Account + ":role/" + in.RoleName
	if role != nil {
		arn = d.ARN(role)
	}
	if err := r.Authorize("iam:GetRole", arn); err != nil {
		return nil, err
	}
	if role == nil {
		return nil, wire.Errorf("NoSuchEntity", "The role with name %s cannot be found.", in.RoleName).WithStatus(404)
	}
	result, err := d.result(role)
	return struct{ Role roleResult }{result}, err
}

// result is a role as IAM answers it.
func (d *Directory) result(role *Role) (roleResult, error) {
	document := []byte(role.document)
	if role.document == "" {
		var err error
		if document, err = json.Marshal(trustDocument(d.Account, role.Trust)); err != nil {
			return roleResult{}, err
		}
	}
	return roleResult{
		Path: role.Path, RoleName: role.Name, RoleId: uniqueID("AROA", role.Name), Arn: d.ARN(role), CreateDate: wire.Time(role.CreatedAt),
		AssumeRolePolicyDocument: strings.ReplaceAll(url.QueryEscape(string(document)), "+", "%20"),
		MaxSessionDuration:       int(role.MaxSession / time.Second),
	}, nil
}

// single is how IAM keeps a list: one element as a string, and strict clients expect that.
func single(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// trustDocument writes a trust as the policy document that IAM would hold.
func trustDocument(account string, t Trust) map[string]any {
	statements := []any{}
	if len(t.Services) > 0 {
		statements = append(statements, map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole",
			"Principal": map[string]any{"Service": single(t.Services)}})
	}
	if len(t.Principals) > 0 {
		statements = append(statements, map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole",
			"Principal": map[string]any{"AWS": single(t.Principals)}})
	}
	for _, web := range t.Web {
		statements = append(statements, map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
			"Principal": map[string]any{"Federated": "arn:aws:iam::" + account + ":oidc-provider/" + web.Provider},
			"Condition": map[string]any{
				"StringLike":   map[string]any{web.Provider + ":sub": single(web.Subjects)},
				"StringEquals": map[string]any{web.Provider + ":aud": single(web.Audience)},
			},
		})
	}
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

type evaluation struct {
	EvalActionName, EvalResourceName, EvalDecision string
	MatchedStatements, MissingContextValues        wire.List[string]
}

// simulatePrincipalPolicy evaluates the policy that the sandbox enforces for a role or user. MatchedStatements stay empty:
// which statement decided is not kept.
func (d *Directory) simulatePrincipalPolicy(r *wire.Request) (any, error) {
	var in struct {
		PolicySourceArn           string
		ActionNames, ResourceArns []string
		ContextEntries            []struct {
			ContextKeyName   string
			ContextKeyValues []string
		}
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("iam:SimulatePrincipalPolicy", in.PolicySourceArn); err != nil {
		return nil, err
	}
	p, err := d.policyOf(in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	context := map[string]string{}
	for _, entry := range in.ContextEntries {
		if len(entry.ContextKeyValues) > 0 {
			context[entry.ContextKeyName] = entry.ContextKeyValues[0]
		}
	}
	if len(in.ResourceArns) == 0 {
		in.ResourceArns = []string{"*"}
	}
	var results wire.List[evaluation]
	for _, action := range in.ActionNames {
		for _, resource := range in.ResourceArns {
			results = append(results, evaluation{
				EvalActionName: action, EvalResourceName: resource, EvalDecision: p.Evaluate(action, resource, context).String(),
			})
		}
	}
	return struct {
		IsTruncated       bool
		EvaluationResults wire.List[evaluation]
	}{false, results}, nil
}

func (d *Directory) policyOf(arn string) (*policy.Policy, error) {
	if role := d.Role(arn); role != nil {
		return role.Policy, nil
	}
	for _, u := range d.users {
		if arn == "arn:aws:iam::"+d.Account+":user/"+u.Name {
			return u.Policy, nil
		}
	}
	return nil, wire.Errorf("NoSuchEntity", "Invalid Entity Arn: %s does not exist.", arn).WithStatus(404) // wording unconfirmed
}
