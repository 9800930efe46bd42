// Package rds is what the sandbox has of Amazon RDS: database instances that can be looked at. Nothing connects to them.
//
// Sources: Amazon RDS API reference 2014-10-31, "DescribeDBInstances" and "DescribePendingMaintenanceActions".
package rds

import (
	"fmt"
	"slices"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service holds the instances. The world's lock guards it.
type Service struct {
	Account, Region string
	Instances       []*Instance
}

// Instance is a database instance.
type Instance struct {
	ID, Status, Class, Engine, Version string
	User, Database, Address            string
	Port                               int
	Storage, MaxStorage                int   // GiB
	Free                               int64 // bytes of storage that are free, as CloudWatch tells them
	MultiAZ                            bool
	VPC                                string
	Subnets, Groups                    []string
	ParameterGroup, Parameters         string // its name, and in-sync or pending-reboot
	PendingClass                       string // the class that it will have after its maintenance window
	Maintenance                        []Maintenance
}

// Maintenance is work that AWS wants to do on an instance.
type Maintenance struct {
	Action, Description string
	Forced              time.Time // when it is done whatever anybody says; zero: never
}

// API is the service's table of operations.
func (s *Service) API() *wire.QueryService {
	return &wire.QueryService{Name: "rds", Version: "2014-10-31", Namespace: "http://rds.amazonaws.com/doc/2014-10-31/",
		Operations: map[string]wire.Operation{
			"DescribeDBInstances":               s.describeInstances,
			"DescribePendingMaintenanceActions": s.describeMaintenance,
		}}
}

func (s *Service) arn(id string) string {
	return "arn:aws:rds:" + s.Region + ":" + s.Account + ":db:" + id
}

type subnet struct {
	ID   string `xml:"SubnetIdentifier"`
	Zone string `xml:"SubnetAvailabilityZone>Name"`
	Is   string `xml:"SubnetStatus"`
}

type member struct {
	ID     string `xml:"VpcSecurityGroupId"`
	Status string
}

type parameters struct {
	Name   string `xml:"DBParameterGroupName"`
	Status string `xml:"ParameterApplyStatus"`
}

type endpoint struct {
	Address      string
	Port         int
	HostedZoneId string
}

type instance struct {
	DBInstanceIdentifier, DBInstanceArn, DBInstanceClass, DBInstanceStatus string
	Engine, EngineVersion, MasterUsername, DBName                          string
	Endpoint                                                               *endpoint `xml:",omitempty"`
	AllocatedStorage                                                       int
	MaxAllocatedStorage                                                    int `xml:",omitempty"`
	StorageType                                                            string
	StorageEncrypted, MultiAZ, PubliclyAccessible                          bool
	SubnetGroup                                                            struct {
		DBSubnetGroupName, VpcId, SubnetGroupStatus string
		Subnets                                     []subnet `xml:"Subnets>Subnet"`
	} `xml:"DBSubnetGroup"`
	Groups                []member     `xml:"VpcSecurityGroups>VpcSecurityGroupMembership"`
	Parameters            []parameters `xml:"DBParameterGroups>DBParameterGroup"`
	PendingModifiedValues struct {
		DBInstanceClass string `xml:",omitempty"`
	}
}

func (s *Service) describeInstances(r *wire.Request) (any, error) {
	var in struct {
		DBInstanceIdentifier, Marker string
		Filters                      []struct{ Name string }
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	on := in.DBInstanceIdentifier
	if on == "" {
		on = "*"
	}
	if err := r.Authorize("rds:DescribeDBInstances", s.arn(on)); err != nil {
		return nil, err
	}
	if len(in.Filters) > 0 {
		return nil, wire.NotModelled("filters of rds:DescribeDBInstances")
	}
	var out struct {
		Instances []instance `xml:"DBInstances>DBInstance"`
	}
	for _, i := range s.Instances {
		if in.DBInstanceIdentifier == "" || in.DBInstanceIdentifier == i.ID {
			out.Instances = append(out.Instances, s.view(i))
		}
	}
	if in.DBInstanceIdentifier != "" && len(out.Instances) == 0 {
		return nil, wire.Errorf("DBInstanceNotFound", "DBInstance %s not found.", in.DBInstanceIdentifier).WithStatus(404)
	}
	return out, nil
}

func (s *Service) view(i *Instance) instance {
	v := instance{DBInstanceIdentifier: i.ID, DBInstanceArn: s.arn(i.ID), DBInstanceClass: i.Class, DBInstanceStatus: i.Status,
		Engine: i.Engine, EngineVersion: i.Version, MasterUsername: i.User, DBName: i.Database, AllocatedStorage: i.Storage,
		MaxAllocatedStorage: i.MaxStorage, StorageType: "gp3", StorageEncrypted: true, MultiAZ: i.MultiAZ}
	if i.Status != "creating" { // there is none before
		v.Endpoint = &endpoint{i.Address, i.Port, "Z1PVIF0B656C1W"}
	}
	v.SubnetGroup.DBSubnetGroupName, v.SubnetGroup.VpcId, v.SubnetGroup.SubnetGroupStatus = i.ID, i.VPC, "Complete"
	for n, id := range i.Subnets {
		v.SubnetGroup.Subnets = append(v.SubnetGroup.Subnets, subnet{id, s.Region + string("abc"[n%3]), "Active"})
	}
	for _, id := range i.Groups {
		v.Groups = append(v.Groups, member{id, "active"})
	}
	v.Parameters = []parameters{{i.ParameterGroup, i.Parameters}}
	v.PendingModifiedValues.DBInstanceClass = i.PendingClass
	return v
}

type maintenance struct {
	Action, Description, OptInStatus string    `xml:",omitempty"`
	ForcedApplyDate                  wire.Time `xml:",omitempty"`
}

type resource struct {
	ID      string        `xml:"ResourceIdentifier"`
	Details []maintenance `xml:"PendingMaintenanceActionDetails>PendingMaintenanceAction"`
}

func (s *Service) describeMaintenance(r *wire.Request) (any, error) {
	var in struct{ ResourceIdentifier, Marker string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	on := in.ResourceIdentifier
	if on == "" {
		on = s.arn("*")
	}
	if err := r.Authorize("rds:DescribePendingMaintenanceActions", on); err != nil {
		return nil, err
	}
	if on != s.arn("*") && !slices.ContainsFunc(s.Instances, func(i *Instance) bool { return s.arn(i.ID) == on }) {
		return nil, wire.Errorf("ResourceNotFoundFault", "%s", fmt.Sprintf("The specified resource %s was not found.", on)).WithStatus(404)
	}
	var out struct {
		Resources []resource `xml:"PendingMaintenanceActions>ResourcePendingMaintenanceActions"`
	}
	for _, i := range s.Instances {
		if len(i.Maintenance) == 0 || on != s.arn("*") && on != s.arn(i.ID) {
			continue
		}
		found := resource{ID: s.arn(i.ID)}
		for _, m := range i.Maintenance {
			found.Details = append(found.Details, maintenance{Action: m.Action, Description: m.Description,
				ForcedApplyDate: wire.Time(m.Forced)})
		}
		out.Resources = append(out.Resources, found)
	}
	return out, nil
}
