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
//
// A group's token is changed by ModifyReplicationGroup with one of three strategies:
//
//   - ROTATE adds a token and keeps the one before it. Where there are two already the oldest goes, so that a group
//     accepts the two most recent ones (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html).
//   - SET leaves one token alone valid. It must be the one that was rotated to last (same page), and is "allowed only after
//     ROTATE" (https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyReplicationGroup.html).
//   - DELETE is for going over to role-based access control (same page).
//
// Only ROTATE is used here. SET would end the token that running tasks have read, and neither a group that was never
// rotated nor one whose last rotation was taken back would accept it for the current one. The page says not what ROTATE
// does with a token that is valid already, which a rotation after one that was taken back relies on: that it becomes the
// newest. If it were refused, the rotation would stop before it has changed anything.
//
// The group takes a change while it is "available", and then shows the change as pending until it is done.
type ReplicationGroup struct {
	Client *elasticache.Client
	ID     string
}

// Available implements Cache.
func (g ReplicationGroup) Available(ctx context.Context) (bool, error) {
	out, err := g.Client.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &g.ID})
	if err != nil {
		return false, fmt.Errorf("describe replication group %s: %w", g.ID, err)
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
	_, err := g.Client.ModifyReplicationGroup(ctx, &elasticache.ModifyReplicationGroupInput{
		ReplicationGroupId: &g.ID, AuthToken: &token, AuthTokenUpdateStrategy: ectypes.AuthTokenUpdateStrategyTypeRotate,
		ApplyImmediately: aws.Bool(true),
	})
	var busy *ectypes.InvalidReplicationGroupStateFault
	if errors.As(err, &busy) {
		return fmt.Errorf("%w: %w", ErrCacheBusy, err)
	}
	if err != nil {
		return fmt.Errorf("rotate the auth token of replication group %s: %w", g.ID, err)
	}
	return nil
}
