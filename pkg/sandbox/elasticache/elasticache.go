// Package elasticache is what the sandbox has of Amazon ElastiCache: replication groups that can be looked at. Nothing connects to them.
//
// Sources: Amazon ElastiCache API reference 2015-02-02, "DescribeReplicationGroups", "DescribeCacheClusters" and
// "DescribeCacheSubnetGroups".
package elasticache

import (
	"fmt"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service holds the groups. The world's lock guards it.
type Service struct {
	Account, Region string
	Groups          []*Group
}

// Group is a replication group, with its clusters and its subnet group.
type Group struct {
	ID, Status, NodeType, Version string
	Nodes                         int
	NodeStatus                    string // of the first cluster; that of the others is available
	Address                       string
	Port                          int
	TLS, Password                 bool
	VPC                           string
	Subnets, SecurityGroups       []string
	PendingFailover               string // enabled or disabled, where that is to change
}

// API is the service's table of operations.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{Name: "elasticache", Version: "2015-02-02", Namespace: "http://elasticache.amazonaws.com/doc/2015-02-02/",
		Operations: map[string]wire.Operation{
			"DescribeReplicationGroups": s.describeGroups,
			"DescribeCacheClusters":     s.describeClusters,
			"DescribeCacheSubnetGroups": s.describeSubnetGroups,
		}}
}

func (s *Service) arn(kind, id string) string {
	if id == "" {
		id = "*"
	}
	return fmt.Sprintf("arn:aws:elasticache:%s:%s:%s:%s", s.Region, s.Account, kind, id)
}

type address struct {
	Address string
	Port    int
}

type nodeGroup struct {
	NodeGroupId, Status string
	PrimaryEndpoint     address
}

type replicationGroup struct {
	ReplicationGroupId, Description, Status, CacheNodeType, ARN, AutomaticFailover, MultiAZ string
	Members                                                                                 []string    `xml:"MemberClusters>ClusterId"`
	NodeGroups                                                                              []nodeGroup `xml:"NodeGroups>NodeGroup"`
	PendingModifiedValues                                                                   struct {
		AutomaticFailoverStatus string `xml:",omitempty"`
	}
	ClusterEnabled, TransitEncryptionEnabled, AuthTokenEnabled, AtRestEncryptionEnabled bool
	TransitEncryptionMode                                                               string `xml:",omitempty"`
}

func (s *Service) describeGroups(r *wire.Request) (any, error) {
	var in struct{ ReplicationGroupId, Marker string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticache:DescribeReplicationGroups", s.arn("replicationgroup", in.ReplicationGroupId)); err != nil {
		return nil, err
	}
	var out struct {
		Groups []replicationGroup `xml:"ReplicationGroups>ReplicationGroup"`
	}
	for _, g := range s.Groups {
		if in.ReplicationGroupId != "" && in.ReplicationGroupId != g.ID {
			continue
		}
		v := replicationGroup{ReplicationGroupId: g.ID, Description: "Cache shared by all tasks", Status: g.Status, CacheNodeType: g.NodeType,
			ARN: s.arn("replicationgroup", g.ID), AutomaticFailover: "disabled", MultiAZ: "disabled", TransitEncryptionEnabled: g.TLS,
			AuthTokenEnabled: g.Password, AtRestEncryptionEnabled: true,
			NodeGroups: []nodeGroup{{"0001", g.Status, address{g.Address, g.Port}}}}
		if g.Nodes > 1 {
			v.AutomaticFailover, v.MultiAZ = "enabled", "enabled"
		}
		if g.TLS {
			v.TransitEncryptionMode = "required"
		}
		v.PendingModifiedValues.AutomaticFailoverStatus = g.PendingFailover
		for n := range g.Nodes {
			v.Members = append(v.Members, g.cluster(n))
		}
		out.Groups = append(out.Groups, v)
	}
	if in.ReplicationGroupId != "" && len(out.Groups) == 0 {
		return nil, wire.Errorf("ReplicationGroupNotFoundFault", "ReplicationGroup %s not found.", in.ReplicationGroupId).WithStatus(404)
	}
	return out, nil
}

func (g *Group) cluster(n int) string { return fmt.Sprintf("%s-%03d", g.ID, n+1) }

type cluster struct {
	CacheClusterId, ReplicationGroupId, CacheClusterStatus, CacheNodeType, Engine, EngineVersion, CacheSubnetGroupName string
	NumCacheNodes                                                                                                      int
	SecurityGroups                                                                                                     wire.List[membership]
	PendingModifiedValues                                                                                              struct{}
	TransitEncryptionEnabled                                                                                           bool
}

type membership struct{ SecurityGroupId, Status string }

func (s *Service) describeClusters(r *wire.Request) (any, error) {
	var in struct {
		CacheClusterId, Marker string
		ShowCacheNodeInfo      bool
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticache:DescribeCacheClusters", s.arn("cluster", in.CacheClusterId)); err != nil {
		return nil, err
	}
	var out struct {
		Clusters []cluster `xml:"CacheClusters>CacheCluster"`
	}
	for _, g := range s.Groups {
		for n := range g.Nodes {
			if in.CacheClusterId != "" && in.CacheClusterId != g.cluster(n) {
				continue
			}
			v := cluster{CacheClusterId: g.cluster(n), ReplicationGroupId: g.ID, CacheClusterStatus: "available", CacheNodeType: g.NodeType,
				Engine: "redis", EngineVersion: g.Version, CacheSubnetGroupName: g.ID, NumCacheNodes: 1, TransitEncryptionEnabled: g.TLS}
			if n == 0 && g.NodeStatus != "" {
				v.CacheClusterStatus = g.NodeStatus
			}
			for _, id := range g.SecurityGroups {
				v.SecurityGroups = append(v.SecurityGroups, membership{id, "active"})
			}
			out.Clusters = append(out.Clusters, v)
		}
	}
	if in.CacheClusterId != "" && len(out.Clusters) == 0 {
		return nil, wire.Errorf("CacheClusterNotFound", "CacheCluster not found: %s", in.CacheClusterId).WithStatus(404)
	}
	return out, nil
}

type subnet struct {
	SubnetIdentifier string
	Zone             string `xml:"SubnetAvailabilityZone>Name"`
}

type subnetGroup struct {
	CacheSubnetGroupName, CacheSubnetGroupDescription, VpcId, ARN string
	Subnets                                                       []subnet `xml:"Subnets>Subnet"`
}

func (s *Service) describeSubnetGroups(r *wire.Request) (any, error) {
	var in struct{ CacheSubnetGroupName, Marker string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("elasticache:DescribeCacheSubnetGroups", s.arn("subnetgroup", in.CacheSubnetGroupName)); err != nil {
		return nil, err
	}
	var out struct {
		Groups []subnetGroup `xml:"CacheSubnetGroups>CacheSubnetGroup"`
	}
	for _, g := range s.Groups {
		if in.CacheSubnetGroupName != "" && in.CacheSubnetGroupName != g.ID {
			continue
		}
		v := subnetGroup{CacheSubnetGroupName: g.ID, CacheSubnetGroupDescription: "Data subnets of " + g.ID, VpcId: g.VPC,
			ARN: s.arn("subnetgroup", g.ID)}
		for n, id := range g.Subnets {
			v.Subnets = append(v.Subnets, subnet{id, s.Region + string("abc"[n%3])})
		}
		out.Groups = append(out.Groups, v)
	}
	if in.CacheSubnetGroupName != "" && len(out.Groups) == 0 {
		return nil, wire.Errorf("CacheSubnetGroupNotFoundFault", "Cache Subnet Group %s does not exist.", in.CacheSubnetGroupName)
	}
	return out, nil
}
