package doctor

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/awscall"
)

// described calls a reading operation of EC2 on what is in a VPC, page by page.
func described(ctx context.Context, cfg aws.Config, operation, vpc string, page func() (out any, next *string)) error {
	query := url.Values{"Filter.1.Name": {"vpc-id"}, "Filter.1.Value.1": {vpc}}
	for {
		out, next := page()
		if err := awscall.Query(ctx, cfg, awscall.EC2, operation, query, out); err != nil {
			return err
		}
		if *next == "" {
			return nil
		}
		query.Set("NextToken", *next)
	}
}

// vpcOf reads the VPC that the subnets of the service are in.
func vpcOf(ctx context.Context, cfg aws.Config, subnets []string) (string, error) {
	query := url.Values{}
	for i, id := range subnets {
		query.Set("SubnetId."+strconv.Itoa(i+1), id)
	}
	var out struct {
		Subnets []struct {
			VPC string `xml:"vpcId"`
		} `xml:"subnetSet>item"`
	}
	if err := awscall.Query(ctx, cfg, awscall.EC2, "DescribeSubnets", query, &out); err != nil {
		return "", err
	}
	if len(out.Subnets) == 0 {
		return "", errors.New("the answer of DescribeSubnets lacks the service's subnets")
	}
	return out.Subnets[0].VPC, nil
}

// readNetwork reads what is in the VPC. What cannot be read keeps its error.
func readNetwork(ctx context.Context, cfg aws.Config, vpc string) Network {
	n := Network{VPC: vpc}
	n.Subnets.Is, n.Subnets.Err = readSubnets(ctx, cfg, vpc)
	n.Groups.Is, n.Groups.Err = readGroups(ctx, cfg, vpc)
	n.Tables.Is, n.Tables.Err = readTables(ctx, cfg, vpc)
	n.NATs.Is, n.NATs.Err = readNATs(ctx, cfg, vpc)
	n.Endpoints.Is, n.Endpoints.Err = readEndpoints(ctx, cfg, vpc)
	n.ACLs.Is, n.ACLs.Err = readACLs(ctx, cfg, vpc)
	return n
}

func readSubnets(ctx context.Context, cfg aws.Config, vpc string) (map[string]netip.Prefix, error) {
	type answer struct {
		Subnets []struct {
			ID    string `xml:"subnetId"`
			Block string `xml:"cidrBlock"`
		} `xml:"subnetSet>item"`
		Next string `xml:"nextToken"`
	}
	var pages []*answer
	err := described(ctx, cfg, "DescribeSubnets", vpc, func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	})
	found := map[string]netip.Prefix{}
	for _, page := range pages {
		for _, s := range page.Subnets {
			block, parsed := netip.ParsePrefix(s.Block)
			if parsed != nil {
				return nil, parsed
			}
			found[s.ID] = block
		}
	}
	return found, err
}

type permission struct {
	Protocol string `xml:"ipProtocol"`
	From     int    `xml:"fromPort"`
	To       int    `xml:"toPort"`
	Groups   []struct {
		ID string `xml:"groupId"`
	} `xml:"groups>item"`
	Ranges []struct {
		CIDR string `xml:"cidrIp"`
	} `xml:"ipRanges>item"`
	Lists []struct {
		ID string `xml:"prefixListId"`
	} `xml:"prefixListIds>item"`
}

func rulesOf(permissions []permission) (rules []Rule) {
	for _, p := range permissions {
		r := Rule{Protocol: p.Protocol, From: p.From, To: p.To}
		for _, g := range p.Groups {
			r.Groups = append(r.Groups, g.ID)
		}
		for _, each := range p.Ranges {
			if block, err := netip.ParsePrefix(each.CIDR); err == nil {
				r.Ranges = append(r.Ranges, block.Masked())
			}
		}
		for _, list := range p.Lists {
			r.PrefixLists = append(r.PrefixLists, list.ID)
		}
		rules = append(rules, r)
	}
	return rules
}

func readGroups(ctx context.Context, cfg aws.Config, vpc string) (map[string]Group, error) {
	type answer struct {
		Groups []struct {
			ID  string       `xml:"groupId"`
			In  []permission `xml:"ipPermissions>item"`
			Out []permission `xml:"ipPermissionsEgress>item"`
		} `xml:"securityGroupInfo>item"`
		Next string `xml:"nextToken"`
	}
	var pages []*answer
	err := described(ctx, cfg, "DescribeSecurityGroups", vpc, func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	})
	found := map[string]Group{}
	for _, page := range pages {
		for _, g := range page.Groups {
			found[g.ID] = Group{rulesOf(g.In), rulesOf(g.Out)}
		}
	}
	return found, err
}

func readTables(ctx context.Context, cfg aws.Config, vpc string) (found []RouteTable, err error) {
	type route struct {
		CIDR   string `xml:"destinationCidrBlock"`
		List   string `xml:"destinationPrefixListId"`
		State  string `xml:"state"`
		ViaIGW string `xml:"gatewayId"`
		ViaNAT string `xml:"natGatewayId"`
		ViaTGW string `xml:"transitGatewayId"`
		ViaVPC string `xml:"vpcPeeringConnectionId"`
		ViaENI string `xml:"networkInterfaceId"`
		ViaEC2 string `xml:"instanceId"`
	}
	type answer struct {
		Tables []struct {
			ID           string  `xml:"routeTableId"`
			Routes       []route `xml:"routeSet>item"`
			Associations []struct {
				Main   bool   `xml:"main"`
				Subnet string `xml:"subnetId"`
			} `xml:"associationSet>item"`
		} `xml:"routeTableSet>item"`
		Next string `xml:"nextToken"`
	}
	var pages []*answer
	err = described(ctx, cfg, "DescribeRouteTables", vpc, func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	})
	for _, page := range pages {
		for _, t := range page.Tables {
			table := RouteTable{ID: t.ID}
			for _, a := range t.Associations {
				table.Main = table.Main || a.Main
				if a.Subnet != "" {
					table.Subnets = append(table.Subnets, a.Subnet)
				}
			}
			for _, r := range t.Routes {
				table.Routes = append(table.Routes, Route{To: r.CIDR + r.List, Active: r.State != "blackhole",
					Via: first(r.ViaNAT, r.ViaIGW, r.ViaTGW, r.ViaVPC, r.ViaEC2, r.ViaENI)})
			}
			found = append(found, table)
		}
	}
	return found, err
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return "something that is not known here"
}

func readNATs(ctx context.Context, cfg aws.Config, vpc string) (map[string]NAT, error) {
	type answer struct {
		NATs []struct {
			ID      string `xml:"natGatewayId"`
			Subnet  string `xml:"subnetId"`
			State   string `xml:"state"`
			Failure string `xml:"failureMessage"`
			Kind    string `xml:"connectivityType"`
		} `xml:"natGatewaySet>item"`
		Next string `xml:"nextToken"`
	}
	var pages []*answer
	err := described(ctx, cfg, "DescribeNatGateways", vpc, func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	})
	found := map[string]NAT{}
	for _, page := range pages {
		for _, n := range page.NATs {
			found[n.ID] = NAT{n.Subnet, n.State, n.Failure, n.Kind == "private"}
		}
	}
	return found, err
}

func readEndpoints(ctx context.Context, cfg aws.Config, vpc string) (found []Endpoint, err error) {
	type answer struct {
		Endpoints []struct {
			ID         string   `xml:"vpcEndpointId"`
			Type       string   `xml:"vpcEndpointType"`
			Service    string   `xml:"serviceName"`
			State      string   `xml:"state"`
			PrivateDNS bool     `xml:"privateDnsEnabled"`
			Tables     []string `xml:"routeTableIdSet>item"`
			Subnets    []string `xml:"subnetIdSet>item"`
			Groups     []struct {
				ID string `xml:"groupId"`
			} `xml:"groupSet>item"`
		} `xml:"vpcEndpointSet>item"`
		Next string `xml:"nextToken"`
	}
	var pages []*answer
	err = described(ctx, cfg, "DescribeVpcEndpoints", vpc, func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	})
	for _, page := range pages {
		for _, e := range page.Endpoints {
			_, service, _ := strings.Cut(e.Service, "."+cfg.Region+".")
			each := Endpoint{ID: e.ID, Service: service, State: e.State, Gateway: e.Type == "Gateway", PrivateDNS: e.PrivateDNS,
				Tables: e.Tables, Subnets: e.Subnets}
			for _, g := range e.Groups {
				each.Groups = append(each.Groups, g.ID)
			}
			found = append(found, each)
		}
	}
	return found, err
}

func readACLs(ctx context.Context, cfg aws.Config, vpc string) (found []ACL, err error) {
	type answer struct {
		ACLs []struct {
			ID      string `xml:"networkAclId"`
			Entries []struct {
				Number   int    `xml:"ruleNumber"`
				Protocol string `xml:"protocol"`
				Action   string `xml:"ruleAction"`
				Egress   bool   `xml:"egress"`
				CIDR     string `xml:"cidrBlock"`
				From     int    `xml:"portRange>from"`
				To       int    `xml:"portRange>to"`
			} `xml:"entrySet>item"`
			Associations []struct {
				Subnet string `xml:"subnetId"`
			} `xml:"associationSet>item"`
		} `xml:"networkAclSet>item"`
		Next string `xml:"nextToken"`
	}
	var pages []*answer
	err = described(ctx, cfg, "DescribeNetworkAcls", vpc, func() (any, *string) {
		pages = append(pages, new(answer))
		return pages[len(pages)-1], &pages[len(pages)-1].Next
	})
	for _, page := range pages {
		for _, a := range page.ACLs {
			acl := ACL{ID: a.ID}
			for _, e := range a.Entries {
				block, parsed := netip.ParsePrefix(e.CIDR)
				if parsed != nil {
					continue // IPv6
				}
				acl.Entries = append(acl.Entries, Entry{e.Number, e.Egress, e.Protocol, e.Action == "allow", block.Masked(), e.From, e.To})
			}
			for _, each := range a.Associations {
				acl.Subnets = append(acl.Subnets, each.Subnet)
			}
			found = append(found, acl)
		}
	}
	return found, err
}

// readBastion finds the bastion by its tag Name; nil where there is none.
func readBastion(ctx context.Context, cfg aws.Config, name string) (*Party, error) {
	if name == "" {
		return nil, errors.New("its name was not given (--bastion)")
	}
	query := url.Values{"Filter.1.Name": {"tag:Name"}, "Filter.1.Value.1": {name}, "Filter.2.Name": {"instance-state-name"}}
	for i, state := range []string{"pending", "running", "stopping", "stopped"} {
		query.Set("Filter.2.Value."+strconv.Itoa(i+1), state)
	}
	var out struct {
		Instances []struct {
			Subnet string `xml:"subnetId"`
			Groups []struct {
				ID string `xml:"groupId"`
			} `xml:"groupSet>item"`
		} `xml:"reservationSet>item>instancesSet>item"`
	}
	if err := awscall.Query(ctx, cfg, awscall.EC2, "DescribeInstances", query, &out); err != nil {
		return nil, err
	}
	if len(out.Instances) == 0 {
		return nil, nil
	}
	p := &Party{Name: "the bastion", Subnets: []string{out.Instances[0].Subnet}, Sends: ofLinux}
	for _, g := range out.Instances[0].Groups {
		p.Groups = append(p.Groups, g.ID)
	}
	return p, nil
}
