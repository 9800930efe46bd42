package ecs

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) registerTaskDefinition(r *wire.Request) (any, error) {
	var in struct {
		Family           string       `json:"family"`
		TaskRoleARN      string       `json:"taskRoleArn"`
		ExecutionRoleARN string       `json:"executionRoleArn"`
		Tags             []engine.Tag `json:"tags"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:RegisterTaskDefinition", "*"); err != nil { // denials that users published name "*"
		return nil, err
	}
	if err := mayTag(r, s.engine.ARN("ecs", "task-definition/"+in.Family+":*"), in.Tags); err != nil {
		return nil, err
	}
	if err := passRoles(r, in.TaskRoleARN, in.ExecutionRoleARN); err != nil {
		return nil, err
	}
	td, err := s.engine.RegisterTaskDefinition(r.Body, r.Caller.ARN)
	if err != nil {
		return nil, err
	}
	out := object{"taskDefinition": definitionView(td)}
	if len(td.Tags) > 0 {
		out["tags"] = td.Tags
	}
	return out, nil
}

// definitionView is the document as it was registered, with the members that ECS adds.
func definitionView(td *engine.TaskDefinition) object {
	attributes := []object{}
	for _, name := range td.RequiresAttributes() {
		attributes = append(attributes, object{"name": name})
	}
	return object{
		"taskDefinitionArn": td.ARN, "revision": td.Revision, "status": td.Status, "requiresAttributes": attributes,
		"compatibilities": td.Compatible, "registeredAt": wire.Time(td.RegisteredAt), "registeredBy": td.RegisteredBy,
	}.set("deregisteredAt", wire.Time(td.DeregisteredAt)).set("deleteRequestedAt", wire.Time(td.DeleteAt)).setAll(td.Document)
}

func (s *Service) describeTaskDefinition(r *wire.Request) (any, error) {
	var in struct {
		TaskDefinition string   `json:"taskDefinition"`
		Include        []string `json:"include"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:DescribeTaskDefinition", "*"); err != nil {
		return nil, err
	}
	if in.TaskDefinition == "" {
		return nil, client("TaskDefinition can not be blank.") // unconfirmed
	}
	td, err := s.engine.TaskDefinition(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	out := object{"taskDefinition": definitionView(td)}
	if slices.Contains(in.Include, "TAGS") {
		out["tags"] = list(td.Tags)
	}
	return out, nil
}

func (s *Service) deregisterTaskDefinition(r *wire.Request) (any, error) {
	var in struct {
		TaskDefinition string `json:"taskDefinition"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:DeregisterTaskDefinition", "*"); err != nil {
		return nil, err
	}
	if !strings.Contains(arn.Last(in.TaskDefinition), ":") {
		return nil, client("Revision is missing.") // unconfirmed
	}
	td, err := s.engine.TaskDefinition(in.TaskDefinition)
	if err != nil {
		// unconfirmed
		return nil, client("The specified task definition does not exist. Specify a valid account, family, revision and try again.")
	}
	s.engine.DeregisterTaskDefinition(td)
	return object{"taskDefinition": definitionView(td)}, nil
}

func (s *Service) deleteTaskDefinitions(r *wire.Request) (any, error) {
	var in struct {
		TaskDefinitions []string `json:"taskDefinitions"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.TaskDefinitions) == 0 || len(in.TaskDefinitions) > 10 {
		return nil, invalid("taskDefinitions must have between 1 and 10 elements.") // unconfirmed
	}
	deleted, failures := []object{}, []engine.Failure{}
	for _, name := range in.TaskDefinitions {
		arn := s.engine.ARN("ecs", "task-definition/"+arn.Last(name))
		if err := r.Authorize("ecs:DeleteTaskDefinitions", arn); err != nil {
			return nil, err
		}
		td, err := s.engine.TaskDefinition(name)
		if err != nil {
			failures = append(failures, failure(arn, "The specified task definition does not exist.")) // unconfirmed
			continue
		}
		if err := s.engine.DeleteTaskDefinition(td); err != nil {
			failures = append(failures, failure(arn, messageOf(err)))
			continue
		}
		deleted = append(deleted, definitionView(td))
	}
	return object{"taskDefinitions": deleted, "failures": failures}, nil
}

func (s *Service) listTaskDefinitions(r *wire.Request) (any, error) {
	var in struct {
		paging
		FamilyPrefix string `json:"familyPrefix"`
		Status       string `json:"status"`
		Sort         string `json:"sort"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:ListTaskDefinitions", "*"); err != nil {
		return nil, err
	}
	if in.Status == "" {
		in.Status = engine.Active
	}
	var arns []string
	for _, f := range s.families() {
		if in.FamilyPrefix != "" && f.Name != in.FamilyPrefix { // a whole name, whatever its own name says
			continue
		}
		for _, td := range f.Revisions {
			if td.Status == in.Status {
				arns = append(arns, td.ARN)
			}
		}
	}
	if in.Sort == "DESC" {
		slices.Reverse(arns)
	}
	return page(in.paging, "taskDefinitionArns", arns, 100, 100)
}

// families returns the families by name.
func (s *Service) families() []*engine.Family {
	sorted := slices.Clone(s.engine.Families())
	slices.SortFunc(sorted, func(a, b *engine.Family) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}

func (s *Service) listTaskDefinitionFamilies(r *wire.Request) (any, error) {
	var in struct {
		paging
		FamilyPrefix string `json:"familyPrefix"`
		Status       string `json:"status"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:ListTaskDefinitionFamilies", "*"); err != nil {
		return nil, err
	}
	var names []string
	for _, f := range s.families() {
		active := slices.ContainsFunc(f.Revisions, func(td *engine.TaskDefinition) bool { return td.Status == engine.Active })
		wanted := in.Status != "ACTIVE" && in.Status != "INACTIVE" || active == (in.Status == "ACTIVE")
		if wanted && len(f.Revisions) > 0 && strings.HasPrefix(f.Name, in.FamilyPrefix) {
			names = append(names, f.Name)
		}
	}
	return page(in.paging, "families", names, 100, 100)
}

// last is the part of an ARN behind its last slash, or a name as it is.
