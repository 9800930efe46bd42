// Package ssm is the sandbox's Systems Manager: Parameter Store, and the API of Session Manager.
//
// Sources: Systems Manager API reference, and answers recorded from the service. Labels, policies, tiers and the rest of
// Systems Manager are not modelled.
package ssm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Options of the service. Account and region are required.
type Options struct {
	Account, Region string
	Sessions        Sessions  // nil: sessions are not modelled
	Instances       Instances // nil: there are none
}

// Service holds the parameters of one account and region. The world's lock guards it.
type Service struct {
	options    Options
	parameters map[string]*parameter
}

type parameter struct {
	name, kind, description string
	versions                []version
}

type version struct {
	value string
	at    time.Time
	by    string
}

// New makes a service without parameters.
func New(options Options) *Service {
	return &Service{options: options, parameters: map[string]*parameter{}}
}

// API is the service's table of operations.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "ssm", TargetPrefix: "AmazonSSM", Operations: map[string]wire.Operation{
		"PutParameter":        s.putParameter,
		"GetParameter":        s.getParameter,
		"GetParameters":       s.getParameters,
		"GetParametersByPath": s.getParametersByPath,
		"DescribeParameters":  s.describeParameters,
		"DeleteParameter":     s.deleteParameter,

		"DescribeInstanceInformation": s.describeInstanceInformation,
		"StartSession":                s.startSession,
		"ResumeSession":               s.resumeSession,
		"TerminateSession":            s.terminateSession,
	}}
}

// Put creates a parameter, or adds a version to it.
func (s *Service) Put(name, kind, value string, now time.Time, by string) {
	p := s.parameters[name]
	if p == nil {
		p = &parameter{name: name}
		s.parameters[name] = p
	}
	p.kind = kind
	p.versions = append(p.versions, version{value, now, by})
}

// arn of a parameter: the slash that begins a hierarchical name is not doubled.
func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:parameter/%s", s.options.Region, s.options.Account, strings.TrimPrefix(name, "/"))
}

// errNotFound has no message, as the service sends it.
func errNotFound() *wire.Error { return &wire.Error{Code: "ParameterNotFound"} }

// find takes a name or ARN, with ":VERSION" behind it or not. number counts from 1.
func (s *Service) find(id string) (p *parameter, number int, err error) {
	for _, candidate := range s.parameters {
		for _, name := range []string{candidate.name, s.arn(candidate.name)} {
			selector, ok := strings.CutPrefix(id, name)
			switch {
			case !ok:
			case selector == "":
				return candidate, len(candidate.versions), nil
			case selector[0] == ':':
				n, err := strconv.Atoi(selector[1:])
				if err != nil || n < 1 || n > len(candidate.versions) {
					return nil, 0, wire.Errorf("ParameterVersionNotFound",
						"Systems Manager could not find version %s of %s. Verify the version and try again.", selector[1:], candidate.name)
				}
				return candidate, n, nil
			}
		}
	}
	return nil, 0, errNotFound()
}

// Read resolves an ECS valueFrom (name, ARN, with a version or not). The error is worded as ECS words what keeps a task
// from starting.
func (s *Service) Read(valueFrom string) (string, error) {
	p, number, err := s.find(valueFrom)
	if err != nil {
		return "", fmt.Errorf("unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: %s",
			valueFrom)
	}
	return p.versions[number-1].value, nil
}

func (s *Service) authorize(r *wire.Request, id string) error {
	resource := id
	if !strings.HasPrefix(id, "arn:") {
		name, _, _ := strings.Cut(id, ":")
		resource = s.arn(name)
	}
	return r.Authorize("ssm:"+r.Action, resource)
}

func (s *Service) putParameter(r *wire.Request) (any, error) {
	var in struct {
		Name, Value, Type, Description string
		Overwrite                      bool
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := s.authorize(r, in.Name); err != nil {
		return nil, err
	}
	existing := s.parameters[in.Name]
	switch {
	case in.Name == "" || in.Value == "":
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'name' and 'value' failed to satisfy constraint: "+
			"Member must have length greater than or equal to 1")
	case existing != nil && !in.Overwrite:
		return nil, wire.Errorf("ParameterAlreadyExists",
			"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case existing == nil && !slices.Contains([]string{"String", "StringList", "SecureString"}, in.Type):
		return nil, wire.Errorf("ValidationException", "A parameter type is required when you create a parameter.")
	case len(in.Value) > 4096:
		return nil, wire.Errorf("ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters.")
	}
	kind := in.Type
	if existing != nil {
		kind = cmp.Or(kind, existing.kind)
	}
	s.Put(in.Name, kind, in.Value, r.Now, r.Caller.ARN)
	p := s.parameters[in.Name]
	p.description = cmp.Or(in.Description, p.description)
	return map[string]any{"Version": len(p.versions), "Tier": "Standard"}, nil
}

func (s *Service) describe(p *parameter, number int, selector string) map[string]any {
	v := p.versions[number-1]
	out := map[string]any{
		"Name": p.name, "Type": p.kind, "Value": v.value, "Version": number, "LastModifiedDate": wire.Time(v.at),
		"ARN": s.arn(p.name), "DataType": "text",
	}
	if selector != "" {
		out["Selector"] = selector
	}
	return out
}

func (s *Service) getParameter(r *wire.Request) (any, error) {
	var in struct{ Name string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := s.authorize(r, in.Name); err != nil {
		return nil, err
	}
	p, number, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Parameter": s.describe(p, number, "")}, nil
}

// getParameters never fails for what is missing: it lists it.
func (s *Service) getParameters(r *wire.Request) (any, error) {
	var in struct{ Names []string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'names' failed to satisfy constraint: Member "+
			"must have length less than or equal to 10")
	}
	found, missing := []any{}, []string{}
	for _, name := range in.Names {
		if err := s.authorize(r, name); err != nil {
			return nil, err
		}
		p, number, err := s.find(name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		found = append(found, s.describe(p, number, ""))
	}
	return map[string]any{"Parameters": found, "InvalidParameters": missing}, nil
}

func (s *Service) names(prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.parameters)), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

func (s *Service) getParametersByPath(r *wire.Request) (any, error) {
	var in struct {
		Path, NextToken string
		Recursive       bool
		MaxResults      *int
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := s.authorize(r, in.Path); err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(in.Path, "/") + "/"
	names := slices.DeleteFunc(s.names(path), func(name string) bool {
		return !in.Recursive && strings.Contains(strings.TrimPrefix(name, path), "/")
	})
	page, next, err := paged(names, in.NextToken, in.MaxResults, 10)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range page {
		p := s.parameters[name]
		list = append(list, s.describe(p, len(p.versions), ""))
	}
	return withToken(map[string]any{"Parameters": list}, next), nil
}

func (s *Service) describeParameters(r *wire.Request) (any, error) {
	var in struct {
		NextToken        string
		MaxResults       *int
		Filters          []any
		ParameterFilters []struct {
			Key, Option string
			Values      []string
		}
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ssm:DescribeParameters", "*"); err != nil {
		return nil, err
	}
	names := s.names("")
	for _, f := range in.ParameterFilters {
		if f.Key != "Name" || f.Option != "" && f.Option != "Equals" && f.Option != "BeginsWith" {
			return nil, wire.NotModelled("the filter %s %s of ssm:DescribeParameters: Name with Equals or BeginsWith alone", f.Key, f.Option)
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			return !slices.ContainsFunc(f.Values, func(v string) bool { return name == v || f.Option == "BeginsWith" && strings.HasPrefix(name, v) })
		})
	}
	if len(in.Filters) > 0 {
		return nil, wire.NotModelled("Filters of ssm:DescribeParameters: use ParameterFilters")
	}
	page, next, err := paged(names, in.NextToken, in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range page {
		p := s.parameters[name]
		last := p.versions[len(p.versions)-1]
		list = append(list, map[string]any{
			"Name": p.name, "ARN": s.arn(p.name), "Type": p.kind, "Version": len(p.versions), "Tier": "Standard", "Policies": []any{},
			"DataType": "text", "LastModifiedDate": wire.Time(last.at), "LastModifiedUser": last.by, "Description": p.description,
		})
	}
	return withToken(map[string]any{"Parameters": list}, next), nil
}

func (s *Service) deleteParameter(r *wire.Request) (any, error) {
	var in struct{ Name string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := s.authorize(r, in.Name); err != nil {
		return nil, err
	}
	if s.parameters[in.Name] == nil {
		return nil, errNotFound()
	}
	delete(s.parameters, in.Name)
	return nil, nil
}

func paged(names []string, token string, size *int, most int) ([]string, string, error) {
	n := most
	if size != nil {
		n = min(max(*size, 1), most)
	}
	page, next, ok := wire.Page(names, token, n)
	if !ok {
		return nil, "", wire.Errorf("InvalidNextToken", "The specified token is not valid.")
	}
	return page, next, nil
}

func withToken(out map[string]any, next string) map[string]any {
	if next != "" {
		out["NextToken"] = next
	}
	return out
}
