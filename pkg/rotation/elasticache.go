package rotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ectypes "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
)

// ReplicationGroup is Cache over the API.
type ReplicationGroup struct {
	Client *elasticache.Client
	ID     string
}

// Available implements Cache.
func (g ReplicationGroup) Available(ctx context.Context) (bool, error) {
	out, err := g.Client.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &g.ID})
	if err != nil {
		return false, err
	}
	if len(out.ReplicationGroups) != 1 {
		return false, fmt.Errorf("replication group %s: not found", g.ID)
	}
	group := out.ReplicationGroups[0]
	changing := group.PendingModifiedValues != nil && group.PendingModifiedValues.AuthTokenStatus != ""
	return aws.ToString(group.Status) == "available" && !changing, nil
}

// AddToken implements Cache.
func (g ReplicationGroup) AddToken(ctx context.Context, token string) error {
	return g.modify(ctx, token, ectypes.AuthTokenUpdateStrategyTypeRotate)
}

// OnlyToken implements Cache.
func (g ReplicationGroup) OnlyToken(ctx context.Context, token string) error {
	return g.modify(ctx, token, ectypes.AuthTokenUpdateStrategyTypeSet)
}

func (g ReplicationGroup) modify(ctx context.Context, token string, strategy ectypes.AuthTokenUpdateStrategyType) error {
	_, err := g.Client.ModifyReplicationGroup(ctx, &elasticache.ModifyReplicationGroupInput{
		ReplicationGroupId: &g.ID, AuthToken: &token, AuthTokenUpdateStrategy: strategy, ApplyImmediately: aws.Bool(true),
	})
	var busy *ectypes.InvalidReplicationGroupStateFault
	if errors.As(err, &busy) {
		return fmt.Errorf("%w: %w", ErrCacheBusy, err)
	}
	return err
}
