package doctor

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awscall"
)

// listed calls a reading operation of the query protocol, page by page.
func listed(ctx context.Context, cfg aws.Config, service awscall.Service, operation string, page func() (out any, next *string)) error {
	query := url.Values{}
	for {
		out, next := page()
		if err := awscall.Query(ctx, cfg, service, operation, query, out); err != nil {
			return err
		}
		if *next == "" {
			return nil
		}
		query.Set("Marker", *next)
	}
}

// names are those of the elements that something holds.
type names []string

// UnmarshalXML reads the names of the elements, and passes over what they hold.
func (n *names) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			*n = append(*n, t.Name.Local)
			if err := d.Skip(); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// readDatabases reads the instances of a VPC, or the one that is named.
func readDatabases(ctx context.Context, cfg aws.Config, vpc, name string, now time.Time) ([]Store, error) {
	type answer struct {
		Instances []struct {
			ID        string `xml:"DBInstanceIdentifier"`
			ARN       string `xml:"DBInstanceArn"`
			Status    string `xml:"DBInstanceStatus"`
			Address   string `xml:"Endpoint>Address"`
			Port      int    `xml:"Endpoint>Port"`
			Allocated int    `xml:"AllocatedStorage"`
			Most      int    `xml:"MaxAllocatedStorage"`
			VPC       string `xml:"DBSubnetGroup>VpcId"`
			Subnets   []struct {
				ID string `xml:"SubnetIdentifier"`
			} `xml:"DBSubnetGroup>Subnets>Subnet"`
			Groups []struct {
				ID string `xml:"VpcSecurityGroupId"`
			} `xml:"VpcSecurityGroups>VpcSecurityGroupMembership"`
			Parameters []struct {
				Name   string `xml:"DBParameterGroupName"`
				Status string `xml:"ParameterApplyStatus"`
			} `xml:"DBParameterGroups>DBParameterGroup"`
			Pending names `xml:"PendingModifiedValues"`
		} `xml:"DescribeDBInstancesResult>DBInstances>DBInstance"`
		Next string `xml:"DescribeDBInstancesResult>Marker"`
	}
	var pages []*answer
	if err := listed(ctx, cfg, awscall.RDS, "DescribeDBInstances", func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	}); err != nil {
		return nil, err
	}
	planned, plannedErr := readMaintenance(ctx, cfg)
	var all []Store
	for _, page := range pages {
		for _, i := range page.Instances {
			if name != "" && i.ID != name || name == "" && i.VPC != vpc {
				continue
			}
			st := Store{Name: i.ID, Status: i.Status, Address: i.Address, Port: i.Port, VPC: i.VPC, Allocated: i.Allocated, Most: i.Most,
				Pending: i.Pending, Maintenance: planned[i.ARN], MaintenanceErr: plannedErr,
				Party: Party{Name: "the database", Somewhere: true, Sends: ofLinux}}
			for _, s := range i.Subnets {
				st.Party.Subnets = append(st.Party.Subnets, s.ID)
			}
			for _, g := range i.Groups {
				st.Party.Groups = append(st.Party.Groups, g.ID)
			}
			for _, p := range i.Parameters {
				if p.Status == "pending-reboot" {
					st.Reboot = append(st.Reboot, p.Name)
				}
			}
			st.Free, st.FreeErr = readFree(ctx, cfg, i.ID, now)
			all = append(all, st)
		}
	}
	return all, nil
}

// readMaintenance reads what AWS has planned, by the ARN of the instance.
func readMaintenance(ctx context.Context, cfg aws.Config) (map[string][]Maintenance, error) {
	type answer struct {
		Resources []struct {
			ID      string `xml:"ResourceIdentifier"`
			Details []struct {
				Action, Description string
				Forced              *time.Time `xml:"ForcedApplyDate"`
				Auto                *time.Time `xml:"AutoAppliedAfterDate"`
			} `xml:"PendingMaintenanceActionDetails>PendingMaintenanceAction"`
		} `xml:"DescribePendingMaintenanceActionsResult>PendingMaintenanceActions>ResourcePendingMaintenanceActions"`
		Next string `xml:"DescribePendingMaintenanceActionsResult>Marker"`
	}
	var pages []*answer
	if err := listed(ctx, cfg, awscall.RDS, "DescribePendingMaintenanceActions", func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	}); err != nil {
		return nil, err
	}
	found := map[string][]Maintenance{}
	for _, page := range pages {
		for _, r := range page.Resources {
			for _, d := range r.Details {
				m := Maintenance{What: d.Action}
				for _, at := range []*time.Time{d.Forced, d.Auto} {
					if at != nil && (m.Forced.IsZero() || at.Before(m.Forced)) {
						m.Forced = *at
					}
				}
				found[r.ID] = append(found[r.ID], m)
			}
		}
	}
	return found, nil
}

// lately is how far back the free storage is asked for: CloudWatch has a figure each minute, some minutes late.
const lately = 15 * time.Minute

// readFree reads the newest figure of a database's free storage, in bytes.
func readFree(ctx context.Context, cfg aws.Config, id string, now time.Time) (float64, error) {
	const at = "MetricDataQueries.member.1"
	query := url.Values{
		"StartTime": {now.Add(-lately).UTC().Format(time.RFC3339)}, "EndTime": {now.UTC().Format(time.RFC3339)},
		at + ".Id": {"free"}, at + ".MetricStat.Period": {"60"}, at + ".MetricStat.Stat": {"Minimum"},
		at + ".MetricStat.Metric.Namespace": {"AWS/RDS"}, at + ".MetricStat.Metric.MetricName": {"FreeStorageSpace"},
		at + ".MetricStat.Metric.Dimensions.member.1.Name":  {"DBInstanceIdentifier"},
		at + ".MetricStat.Metric.Dimensions.member.1.Value": {id},
	}
	var out struct {
		Values []float64 `xml:"GetMetricDataResult>MetricDataResults>member>Values>member"`
	}
	if err := awscall.Query(ctx, cfg, awscall.CloudWatch, "GetMetricData", query, &out); err != nil {
		return 0, err
	}
	if len(out.Values) == 0 {
		return 0, fmt.Errorf("CloudWatch has no figure of the last %v", lately)
	}
	return out.Values[0], nil // the newest first
}

// readCaches reads the replication groups of a VPC, or the one that is named.
func readCaches(ctx context.Context, cfg aws.Config, vpc, name string) ([]Store, error) {
	type subnetGroup struct {
		Name    string `xml:"CacheSubnetGroupName"`
		VPC     string `xml:"VpcId"`
		Subnets []struct {
			ID string `xml:"SubnetIdentifier"`
		} `xml:"Subnets>Subnet"`
	}
	type subnetAnswer struct {
		Groups []subnetGroup `xml:"DescribeCacheSubnetGroupsResult>CacheSubnetGroups>CacheSubnetGroup"`
		Next   string        `xml:"DescribeCacheSubnetGroupsResult>Marker"`
	}
	var subnetPages []*subnetAnswer
	if err := listed(ctx, cfg, awscall.ElastiCache, "DescribeCacheSubnetGroups", func() (any, *string) {
		subnetPages = append(subnetPages, new(subnetAnswer))
		return subnetPages[len(subnetPages)-1], &subnetPages[len(subnetPages)-1].Next
	}); err != nil {
		return nil, err
	}
	places := map[string]subnetGroup{}
	for _, page := range subnetPages {
		for _, g := range page.Groups {
			places[g.Name] = g
		}
	}
	type cluster struct {
		ID      string `xml:"CacheClusterId"`
		Group   string `xml:"ReplicationGroupId"`
		Status  string `xml:"CacheClusterStatus"`
		Place   string `xml:"CacheSubnetGroupName"`
		Members []struct {
			ID string `xml:"SecurityGroupId"`
		} `xml:"SecurityGroups>member"`
	}
	type clusterAnswer struct {
		Clusters []cluster `xml:"DescribeCacheClustersResult>CacheClusters>CacheCluster"`
		Next     string    `xml:"DescribeCacheClustersResult>Marker"`
	}
	var clusterPages []*clusterAnswer
	if err := listed(ctx, cfg, awscall.ElastiCache, "DescribeCacheClusters", func() (any, *string) {
		clusterPages = append(clusterPages, new(clusterAnswer))
		return clusterPages[len(clusterPages)-1], &clusterPages[len(clusterPages)-1].Next
	}); err != nil {
		return nil, err
	}
	of := map[string][]cluster{}
	for _, page := range clusterPages {
		for _, c := range page.Clusters {
			of[c.Group] = append(of[c.Group], c)
		}
	}
	type groupAnswer struct {
		Groups []struct {
			ID     string `xml:"ReplicationGroupId"`
			Status string
			Nodes  []struct {
				Status  string
				Address string `xml:"PrimaryEndpoint>Address"`
				Port    int    `xml:"PrimaryEndpoint>Port"`
			} `xml:"NodeGroups>NodeGroup"`
			Address string `xml:"ConfigurationEndpoint>Address"`
			Port    int    `xml:"ConfigurationEndpoint>Port"`
			TLS     bool   `xml:"TransitEncryptionEnabled"`
			Mode    string `xml:"TransitEncryptionMode"`
			Pending names  `xml:"PendingModifiedValues"`
		} `xml:"DescribeReplicationGroupsResult>ReplicationGroups>ReplicationGroup"`
		Next string `xml:"DescribeReplicationGroupsResult>Marker"`
	}
	var groupPages []*groupAnswer
	if err := listed(ctx, cfg, awscall.ElastiCache, "DescribeReplicationGroups", func() (any, *string) {
		groupPages = append(groupPages, new(groupAnswer))
		return groupPages[len(groupPages)-1], &groupPages[len(groupPages)-1].Next
	}); err != nil {
		return nil, err
	}
	var all []Store
	for _, page := range groupPages {
		for _, g := range page.Groups {
			st := Store{Name: g.ID, Status: g.Status, Address: g.Address, Port: g.Port, TLS: g.TLS && g.Mode != "preferred", Pending: g.Pending,
				Party: Party{Name: "Redis", Somewhere: true, Sends: ofLinux}}
			if st.Address == "" && len(g.Nodes) > 0 {
				st.Address, st.Port = g.Nodes[0].Address, g.Nodes[0].Port
			}
			for _, c := range of[g.ID] {
				place := places[c.Place]
				st.VPC = place.VPC
				if !slices.Contains(usable, c.Status) {
					st.Other = append(st.Other, "the node "+c.ID+" is "+c.Status)
				}
				for _, s := range place.Subnets {
					if !slices.Contains(st.Party.Subnets, s.ID) {
						st.Party.Subnets = append(st.Party.Subnets, s.ID)
					}
				}
				for _, m := range c.Members {
					if !slices.Contains(st.Party.Groups, m.ID) {
						st.Party.Groups = append(st.Party.Groups, m.ID)
					}
				}
			}
			if name != "" && g.ID != name || name == "" && st.VPC != vpc {
				continue
			}
			all = append(all, st)
		}
	}
	return all, nil
}

// told is a secret that tells the tasks where a store is.
type told struct{ area, from string }

// uses looks which of the stores the containers are told of, and by what.
func uses(d *types.TaskDefinition) (Uses, []told) {
	var u Uses
	var all []told
	if d == nil {
		return u, nil
	}
	for _, c := range d.ContainerDefinitions {
		for _, s := range c.Secrets {
			from := aws.ToString(s.ValueFrom)
			text := strings.ToLower(aws.ToString(s.Name) + " " + arn.Last(secretOf(from)))
			says := fmt.Sprintf("%s of the container %s", aws.ToString(s.Name), aws.ToString(c.Name))
			area := ""
			switch {
			case strings.Contains(text, "redis") || strings.Contains(text, "cache"):
				area, u.Redis = "redis", says
			case strings.Contains(text, "database") || strings.Contains(text, "rds") || strings.Contains(text, "postgres"):
				area, u.Database = "database", says
			}
			if area != "" && strings.Contains(from, ":secretsmanager:") && !slices.Contains(all, told{area, from}) {
				all = append(all, told{area, from})
			}
		}
	}
	return u, all
}

// readSecret reads what a container is told, hides it, and compares it with the stores. Nothing of it is returned.
func readSecret(ctx context.Context, cfg aws.Config, hide func(...string), t told, stores []Store) Secret {
	id := secretOf(t.from)
	s := Secret{Name: arn.Last(id), Of: t.area}
	var out struct{ SecretString string }
	if err := awscall.JSON(ctx, cfg, awscall.SecretsManager, "GetSecretValue", map[string]string{"SecretId": id}, &out); err != nil {
		s.Err = err
		return s
	}
	hide(out.SecretString)
	text := out.SecretString
	var values map[string]any
	if json.Unmarshal([]byte(text), &values) == nil {
		for _, value := range values {
			if each, ok := value.(string); ok {
				hide(each)
			}
		}
		key := "url"
		if parts := strings.Split(t.from, ":"); len(parts) > 7 && parts[7] != "" {
			key = parts[7]
		}
		each, ok := values[key].(string)
		if !ok {
			s.Differences = []string{fmt.Sprintf("it has no key %q", key)}
			return s
		}
		text = each
	}
	if !strings.Contains(text, "://") {
		s.Err = fmt.Errorf("what the container gets of it is not a url")
		return s
	}
	s.Differences, s.Err = compare(text, stores)
	return s
}
