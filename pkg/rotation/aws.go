package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// ECSServices is Service over the API: the services of one cluster whose tasks read the secret, taken as one.
type ECSServices struct {
	Client  *ecs.Client
	Cluster string
	Names   []string
}

// describable is how many services DescribeServices takes at once.
const describable = 10

// State implements Service: whether any of them runs, and whether one is deployed. A service has one deployment when none goes on;
// that one may still be on its way itself.
func (s ECSServices) State(ctx context.Context) (running, deploying bool, err error) {
	for names := range slices.Chunk(s.Names, describable) {
		out, err := s.Client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &s.Cluster, Services: names})
		if err != nil {
			return false, false, err
		}
		found := map[string]bool{}
		for _, service := range out.Services {
			found[aws.ToString(service.ServiceName)] = true
			running = running || service.DesiredCount > 0
			deploying = deploying || len(service.Deployments) > 1
			for _, deployment := range service.Deployments {
				deploying = deploying || deployment.RolloutState == ecstypes.DeploymentRolloutStateInProgress
			}
		}
		for _, name := range names {
			if !found[name] {
				return false, false, fmt.Errorf("service %s in cluster %s: not found", name, s.Cluster)
			}
		}
	}
	return running, deploying, nil
}

// Redeploy implements Service. One that cannot be started anew keeps none of the others from it.
func (s ECSServices) Redeploy(ctx context.Context) error {
	var problems []error
	for _, name := range s.Names {
		_, err := s.Client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &s.Cluster, Service: &name, ForceNewDeployment: true})
		if err != nil {
			problems = append(problems, fmt.Errorf("service %s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}
