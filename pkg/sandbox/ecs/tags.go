package ecs

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// resource finds what an ARN names, for the tagging operations.
func (s *Service) resource(arn string) (*[]engine.Tag, error) {
	_, path, ok := strings.Cut(arn, ":ecs:")
	parts := strings.SplitN(path, ":", 3)
	if !ok || len(parts) != 3 {
		return nil, invalid("Invalid ARN: %s", arn) // unconfirmed
	}
	kind, name, _ := strings.Cut(parts[2], "/")
	cluster, _, _ := strings.Cut(name, "/")
	switch kind {
	case "cluster":
		if c, err := s.engine.Cluster(arn); err == nil {
			return &c.Tags, nil
		}
		return nil, wire.Errorf("ClusterNotFoundException", "Cluster not found.")
	case "service":
		if c, err := s.engine.Cluster(cluster); err == nil {
			if service := c.Service(arn); service != nil && service.Status != engine.Inactive {
				return &service.Tags, nil
			}
		}
		return nil, invalid("The specified service is inactive. Specify an active service and try again.") // unconfirmed
	case "task-definition":
		if td, err := s.engine.TaskDefinition(arn); err == nil {
			return &td.Tags, nil
		}
		return nil, invalid("The specified task definition was not found.") // unconfirmed
	case "task":
		if c, err := s.engine.Cluster(cluster); err == nil {
			if t := c.Task(arn); t != nil && t.LastStatus != engine.Stopped {
				return &t.Tags, nil
			}
		}
		return nil, invalid("The specified task is stopped. Specify a running task and try again.") // unconfirmed
	}
	return nil, wire.NotModelled("tags of %s", arn)
}

func (s *Service) tagResource(r *wire.Request) (any, error) {
	var in struct {
		ARN  string       `json:"resourceArn"`
		Tags []engine.Tag `json:"tags"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:TagResource", in.ARN); err != nil {
		return nil, err
	}
	tags, err := s.resource(in.ARN)
	if err != nil {
		return nil, err
	}
	next := engine.SetTags(*tags, in.Tags)
	if len(next) > 50 {
		return nil, invalid("Too many tags: at most 50 tags per resource.") // unconfirmed
	}
	*tags = next
	return nil, nil
}

func (s *Service) untagResource(r *wire.Request) (any, error) {
	var in struct {
		ARN  string   `json:"resourceArn"`
		Keys []string `json:"tagKeys"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:UntagResource", in.ARN); err != nil {
		return nil, err
	}
	tags, err := s.resource(in.ARN)
	if err != nil {
		return nil, err
	}
	*tags = slices.DeleteFunc(slices.Clone(*tags), func(tag engine.Tag) bool { return slices.Contains(in.Keys, tag.Key) })
	return nil, nil
}

func (s *Service) listTagsForResource(r *wire.Request) (any, error) {
	var in struct {
		ARN string `json:"resourceArn"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ecs:ListTagsForResource", in.ARN); err != nil {
		return nil, err
	}
	tags, err := s.resource(in.ARN)
	if err != nil {
		return nil, err
	}
	return object{"tags": list(*tags)}, nil
}
