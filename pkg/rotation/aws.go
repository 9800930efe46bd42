package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// SecretsManager is Secrets over the API.
type SecretsManager struct{ Client *secretsmanager.Client }

// Get implements Secrets.
func (s SecretsManager) Get(ctx context.Context, secret, token, label string) (string, error) {
	out, err := s.version(ctx, secret, token, label)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

// Written implements Secrets.
func (s SecretsManager) Written(ctx context.Context, secret, label string) (time.Time, error) {
	out, err := s.version(ctx, secret, "", label)
	if err != nil {
		return time.Time{}, err
	}
	return aws.ToTime(out.CreatedDate), nil
}

func (s SecretsManager) version(ctx context.Context, secret, token, label string) (*secretsmanager.GetSecretValueOutput, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &secret, VersionStage: &label}
	if token != "" {
		in.VersionId = &token
	}
	out, err := s.Client.GetSecretValue(ctx, in)
	var missing *smtypes.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("%w: %w", ErrNoVersion, err)
	}
	return out, err
}

// Put implements Secrets.
func (s SecretsManager) Put(ctx context.Context, secret, token, value string) error {
	_, err := s.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &secret, ClientRequestToken: &token, SecretString: &value, VersionStages: []string{pending},
	})
	return err
}

// Labels implements Secrets.
func (s SecretsManager) Labels(ctx context.Context, secret string) (map[string][]string, bool, error) {
	out, err := s.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &secret})
	if err != nil {
		return nil, false, err
	}
	return out.VersionIdsToStages, aws.ToBool(out.RotationEnabled), nil
}

// MakeCurrent implements Secrets.
func (s SecretsManager) MakeCurrent(ctx context.Context, secret, token, from string) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &secret, VersionStage: aws.String(current), MoveToVersionId: &token,
	}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	_, err := s.Client.UpdateSecretVersionStage(ctx, in)
	return err
}

// ECSService is Service over the API.
type ECSService struct {
	Client        *ecs.Client
	Cluster, Name string
}

// State implements Service. A service has one deployment when none goes on; that one may still be on its way itself.
func (s ECSService) State(ctx context.Context) (running, deploying bool, err error) {
	out, err := s.Client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &s.Cluster, Services: []string{s.Name}})
	if err != nil {
		return false, false, err
	}
	if len(out.Services) != 1 {
		return false, false, fmt.Errorf("service %s in cluster %s: not found", s.Name, s.Cluster)
	}
	service := out.Services[0]
	for _, deployment := range service.Deployments {
		if deployment.RolloutState == ecstypes.DeploymentRolloutStateInProgress {
			deploying = true
		}
	}
	return service.DesiredCount > 0, deploying || len(service.Deployments) > 1, nil
}

// Redeploy implements Service.
func (s ECSService) Redeploy(ctx context.Context) error {
	_, err := s.Client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &s.Cluster, Service: &s.Name, ForceNewDeployment: true})
	return err
}
