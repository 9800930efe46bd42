// Package ec2 is what the sandbox has of Amazon EC2: the subnets of its one network, with the addresses that its tasks leave, and
// instances that are found by their tags, started and stopped.
//
// Sources: Amazon EC2 API reference 2016-11-15, "DescribeSubnets", "DescribeInstances", "StartInstances" and "Error codes for the Amazon
// EC2 API".
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
}

// API is the service's table of operations.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{Name: "ec2", Version: "2016-11-15", Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/", Flat: true,
		Operations: map[string]wire.Operation{
			"DescribeSubnets":   s.describeSubnets,
			"DescribeInstances": s.describeInstances,
			"StartInstances":    s.startInstances,
			"StopInstances":     s.stopInstances,
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
		Filter   []struct{ Name string }
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ec2:DescribeSubnets", "*"); err != nil {
		return nil, err
	}
	if len(in.Filter) > 0 {
		return nil, wire.NotModelled("filters of ec2:DescribeSubnets: name the subnets")
	}
	for _, id := range in.SubnetId {
		if !slices.Contains(s.Subnets, id) {
			return nil, wire.Errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
		}
	}
	var out struct {
		Subnets []subnet `xml:"subnetSet>item"`
	}
	for i, id := range s.Subnets {
		if len(in.SubnetId) > 0 && !slices.Contains(in.SubnetId, id) {
			continue
		}
		out.Subnets = append(out.Subnets, subnet{ID: id, State: "available", VPC: s.VPC, Block: fmt.Sprintf("10.0.%d.0/24", i+1),
			Available: max(0, s.Size-s.Taken(id)), Zone: s.Region + string("abc"[i%3]), Owner: s.Account,
			ARN: fmt.Sprintf("arn:aws:ec2:%s:%s:subnet/%s", s.Region, s.Account, id)})
	}
	return out, nil
}
