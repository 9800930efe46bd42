package ecs

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

func (s *Service) listServiceDeployments(r *wire.Request) (any, error) {
	var in struct {
		paging
		Cluster   string   `json:"cluster"`
		Service   string   `json:"service"`
		Status    []string `json:"status"`
		CreatedAt struct {
			After  wire.Time `json:"after"`
			Before wire.Time `json:"before"`
		} `json:"createdAt"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	service, err := s.service(r, "ecs:ListServiceDeployments", in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	found := []object{}
	for _, d := range reversed(service.History) {
		if !d.Visible() || len(in.Status) > 0 && !slices.Contains(in.Status, d.Status) ||
			!in.CreatedAt.After.IsZero() && d.CreatedAt.Before(timeOf(in.CreatedAt.After)) ||
			!in.CreatedAt.Before.IsZero() && d.CreatedAt.After(timeOf(in.CreatedAt.Before)) {
			continue
		}
		found = append(found, object{
			"serviceDeploymentArn": d.ARN, "serviceArn": service.ARN, "clusterArn": service.Cluster.ARN,
			"createdAt": wire.Time(d.CreatedAt), "targetServiceRevisionArn": d.Target.ARN, "status": d.Status,
		}.set("startedAt", wire.Time(d.StartedAt)).set("finishedAt", wire.Time(d.FinishedAt)).set("statusReason", d.StatusReason))
	}
	return page(in.paging, "serviceDeployments", found, 20, 100)
}

func (s *Service) describeServiceDeployments(r *wire.Request) (any, error) {
	var in struct {
		ARNs []string `json:"serviceDeploymentArns"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := upTo20(in.ARNs, "serviceDeploymentArns"); err != nil {
		return nil, err
	}
	found, failures := []object{}, []engine.Failure{}
	for _, arn := range in.ARNs {
		if err := r.Authorize("ecs:DescribeServiceDeployments", arn); err != nil {
			return nil, err
		}
		d := s.engine.ServiceDeployment(arn)
		if d == nil || !d.Visible() {
			failures = append(failures, failure(arn, "MISSING"))
			continue
		}
		found = append(found, rolloutView(d))
	}
	return object{"serviceDeployments": found, "failures": failures}, nil
}

func upTo20(arns []string, name string) error {
	if len(arns) == 0 || len(arns) > 20 {
		return invalid("%s must have between 1 and 20 elements.", name) // unconfirmed
	}
	return nil
}

func rolloutView(d *engine.ServiceDeployment) object {
	service := d.Service
	sources := []object{}
	for _, source := range d.Sources {
		sources = append(sources, revisionSummary(service, source))
	}
	target := revisionSummary(service, d.Target)
	threshold := d.Config.Breaker.ThresholdFor(service.Desired)
	alarms := object{"status": d.AlarmStatus, "alarmNames": list(d.Config.Alarms.Names)}
	if len(d.TriggeredAlarms) > 0 {
		alarms["triggeredAlarmNames"] = d.TriggeredAlarms
	}
	out := object{
		"serviceDeploymentArn": d.ARN, "serviceArn": service.ARN, "clusterArn": service.Cluster.ARN, "status": d.Status,
		"createdAt": wire.Time(d.CreatedAt), "updatedAt": wire.Time(d.UpdatedAt), "sourceServiceRevisions": sources,
		"targetServiceRevision": target, "deploymentConfiguration": d.Config.Document,
		"deploymentCircuitBreaker": object{"status": d.BreakerStatus, "failureCount": d.FailureCount, "threshold": threshold},
		"alarms":                   alarms,
	}
	out.set("startedAt", wire.Time(d.StartedAt)).set("finishedAt", wire.Time(d.FinishedAt))
	out.set("stoppedAt", wire.Time(d.StoppedAt)).set("statusReason", d.StatusReason)
	if d.Rollback != nil {
		rollback := object{"reason": d.Rollback.Reason, "startedAt": wire.Time(d.Rollback.StartedAt)}
		if d.Rollback.Revision != nil {
			rollback["serviceRevisionArn"] = d.Rollback.Revision.ARN
		}
		out["rollback"] = rollback
	}
	staging(out, d, sources, target)
	return out
}

func (s *Service) describeServiceRevisions(r *wire.Request) (any, error) {
	var in struct {
		ARNs []string `json:"serviceRevisionArns"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := upTo20(in.ARNs, "serviceRevisionArns"); err != nil {
		return nil, err
	}
	found, failures := []object{}, []engine.Failure{}
	for _, arn := range in.ARNs {
		if err := r.Authorize("ecs:DescribeServiceRevisions", arn); err != nil {
			return nil, err
		}
		revision, service := s.engine.Revision(arn)
		if revision == nil {
			failures = append(failures, failure(arn, "MISSING"))
			continue
		}
		found = append(found, revisionView(revision, service))
	}
	return object{"serviceRevisions": found, "failures": failures}, nil
}

func revisionView(revision *engine.Revision, service *engine.Service) object {
	images := []object{}
	for _, image := range revision.Images {
		images = append(images, object{"containerName": image.Container, "image": image.Image}.set("imageDigest", image.Digest))
	}
	out := object{
		"serviceRevisionArn": revision.ARN, "serviceArn": service.ARN, "clusterArn": service.Cluster.ARN,
		"taskDefinition": revision.Spec.Definition.ARN, "platformVersion": "1.4.0", "platformFamily": "Linux",
		"containerImages": images, "createdAt": wire.Time(revision.CreatedAt), "guardDutyEnabled": false,
	}
	capacity(out, revision.Spec)
	return out.setAll(revision.Spec.Kept)
}

func (s *Service) stopServiceDeployment(r *wire.Request) (any, error) {
	var in struct {
		ARN      string `json:"serviceDeploymentArn"`
		StopType string `json:"stopType"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	d, err := s.serviceDeployment(r, "ecs:StopServiceDeployment", in.ARN)
	if err != nil {
		return nil, err
	}
	if err := s.engine.StopServiceDeployment(d, in.StopType); err != nil {
		return nil, err
	}
	return object{"serviceDeploymentArn": d.ARN}, nil
}

func (s *Service) serviceDeployment(r *wire.Request, action, arn string) (*engine.ServiceDeployment, error) {
	if !strings.Contains(arn, ":service-deployment/") {
		return nil, invalid("Invalid identifier: %s", arn) // unconfirmed
	}
	if err := r.Authorize(action, arn); err != nil {
		return nil, err
	}
	d := s.engine.ServiceDeployment(arn)
	if d == nil {
		return nil, wire.Errorf("ServiceDeploymentNotFoundException", "The service deployment does not exist.")
	}
	return d, nil
}

func (s *Service) continueServiceDeployment(r *wire.Request) (any, error) {
	var in struct {
		ARN    string `json:"serviceDeploymentArn"`
		HookID string `json:"hookId"`
		Action string `json:"action"`
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	d, err := s.serviceDeployment(r, "ecs:ContinueServiceDeployment", in.ARN)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.HookID, "ecs-") || strings.Count(in.HookID, "-") < 2 {
		return nil, invalid("Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}")
	}
	if err := s.engine.ContinueServiceDeployment(d, in.HookID, in.Action); err != nil {
		return nil, err
	}
	return object{"serviceDeploymentArn": d.ARN}, nil
}

// staging adds what deployments in stages have more than rolling ones.
func staging(out object, d *engine.ServiceDeployment, sources []object, target object) {
	if d.Stage == "" {
		return
	}
	out["lifecycleStage"] = d.Stage
	target["requestedProductionTrafficWeight"], target["requestedTestTrafficWeight"] = d.Weight, d.TestWeight
	for _, source := range sources {
		source["requestedProductionTrafficWeight"], source["requestedTestTrafficWeight"] = 100-d.Weight, 100-d.TestWeight
	}
	hooks := []object{}
	for _, h := range d.Hooks {
		hooks = append(hooks, object{
			"hookId": h.ID, "targetType": "PAUSE", "status": h.Status, "expiresAt": wire.Time(h.Expires), "timeoutAction": h.Action,
		})
	}
	out["lifecycleHookDetails"] = hooks
}
