// Package ec2 is what the sandbox has of Amazon EC2: the subnets of its one network, with the addresses that its tasks leave, what lies
// around them (security groups, routes, NAT, endpoints, network ACLs), and instances that are found by their tags, started and stopped.
//
// Sources: Amazon EC2 API reference 2016-11-15, "DescribeSubnets", "DescribeSecurityGroups", "DescribeRouteTables",
// "DescribeNatGateways", "DescribeVpcEndpoints", "DescribeNetworkAcls", "DescribeInstances", "StartInstances" and "Error codes for the
// Amazon EC2 API".
package ec2

import (
	"fmt"
	"slices"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service answers for subnets and instances. The world's lock guards it.
type Service struct {
	Account, Region, VPC string
	Subnets              []string                // those that exist
	Size                 int                     // addresses of each that tasks can have; a /24 has 251
	Taken                func(subnet string) int // addresses that tasks have now
	Instances            []*Instance
	Network              Network
}

// Block is the range of the VPC.
const Block = "10.0.0.0/16"

// API is the service's table of operations.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{Name: "ec2", Version: "2016-11-15", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/", Flat: true,
		Operations: map[string]wire.Operation{
			"DescribeSubnets":   s.describeSubnets,
			"DescribeInstances": s.describeInstances,
			"StartInstances":    s.startInstances,
			"StopInstances":     s.stopInstances,

			"DescribeSecurityGroups": s.describeSecurityGroups,
			"DescribeRouteTables":    s.describeRouteTables,
			"DescribeNatGateways":    s.describeNATs,
			"DescribeVpcEndpoints":   s.describeEndpoints,
			"DescribeNetworkAcls":    s.describeACLs,
		}}
}

type subnet struct {
	ID        string `xml:"subnetId"`
	ARN       string `xml:"subnetArn"`
	State     string `xml:"state"`
	VPC       string `xml:"vpcId"`
	Block     string `xml:"cidrBlock"`
	Available int    `xml:"availableIpAddressCount"`
	Zone      string `xml:"availabilityZone"`
	Owner     string `xml:"ownerId"`
}

func (s *Service) describeSubnets(r *wire.Request) (any, error) {
	var in struct {
		SubnetId []string
		Filter   []filter
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	l, err := s.look(r, in.SubnetId, in.Filter)
	if err != nil {
		return nil, err
	}
	var all []subnet
	for i, id := range s.Subnets {
		all = append(all, subnet{ID: id, Block: fmt.Sprintf("10.0.%d.0/24", i+1), Available: max(0, s.Size-s.Taken(id)),
			Zone: s.Region + string("abc"[i%3])})
	}
	for _, other := range s.Network.Subnets {
		if !slices.Contains(s.Subnets, other.ID) {
			all = append(all, subnet{ID: other.ID, Block: other.Block, Available: free, Zone: other.Zone})
		}
	}
	for _, id := range in.SubnetId {
		if !slices.ContainsFunc(all, func(v subnet) bool { return v.ID == id }) {
			return nil, wire.Errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
		}
	}
	var out struct {
		Subnets []subnet `xml:"subnetSet>item"`
	}
	for _, v := range all {
		if !l.wants(v.ID, s.VPC) {
			continue
		}
		v.State, v.VPC, v.Owner = "available", s.VPC, s.Account
		v.ARN = fmt.Sprintf("arn:aws:ec2:%s:%s:subnet/%s", s.Region, s.Account, v.ID)
		out.Subnets = append(out.Subnets, v)
	}
	return out, nil
}

// free is how many addresses a subnet of which nobody takes any has: those of a /24 without the five that AWS keeps.
const free = 251
