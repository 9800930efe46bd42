// Package route53 is what the sandbox has of Amazon Route 53: hosted zones and their records, which can be looked at. No name is
// answered for.
//
// Source: Amazon Route 53 API reference 2013-04-01, "ListHostedZones", "ListHostedZonesByName" and "ListResourceRecordSets".
package route53

import (
	"slices"
	"strconv"
	"strings"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Service holds the zones. The world's lock guards it.
type Service struct{ Zones []*Zone }

// Zone is a hosted zone.
type Zone struct {
	ID, Name string // the name ends with a dot
	Private  bool
	Records  []Record // by their order in Route 53: the labels of the name from the right, then the type
}

// Record is a set of records of one name and type.
type Record struct {
	Name, Type string
	Values     []string
	Alias      string // the name that it stands for, in place of values
	AliasZone  string
}

// API is the service's table of operations.
func (s *Service) API() *wire.RESTService {
	return &wire.RESTService{Name: "route53", Namespace: "https://route53.amazonaws.com/doc/2013-04-01/", Routes: []wire.Route{
		{Method: "GET", Path: "/2013-04-01/hostedzone", Action: "ListHostedZones", Do: s.zones},
		{Method: "GET", Path: "/2013-04-01/hostedzonesbyname", Action: "ListHostedZonesByName", Do: s.zonesByName},
		{Method: "GET", Path: "/2013-04-01/hostedzone/{Id}/rrset", Action: "ListResourceRecordSets", Do: s.records},
	}}
}

type zone struct {
	Id, Name, CallerReference string
	Config                    struct{ PrivateZone bool }
	ResourceRecordSetCount    int
}

func view(z *Zone) zone {
	v := zone{Id: "/hostedzone/" + z.ID, Name: z.Name, CallerReference: z.ID, ResourceRecordSetCount: len(z.Records)}
	v.Config.PrivateZone = z.Private
	return v
}

func (s *Service) zones(r *wire.Request) (any, error) {
	if err := r.Authorize("route53:ListHostedZones", "*"); err != nil {
		return nil, err
	}
	var out struct {
		Zones       []zone `xml:"HostedZones>HostedZone"`
		IsTruncated bool
		MaxItems    string
	}
	for _, z := range s.Zones {
		out.Zones = append(out.Zones, view(z))
	}
	out.MaxItems = "100"
	return out, nil
}

// order is that of names in Route 53: the labels from the right.
func order(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// most reads how many items are wanted.
func most(r *wire.Request) (int, error) {
	text := r.Parameters.Get("maxitems")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, wire.Errorf("InvalidInput", "%s is not a number of items", text)
	}
	return min(n, 300), nil
}

func (s *Service) zonesByName(r *wire.Request) (any, error) {
	if err := r.Authorize("route53:ListHostedZonesByName", "*"); err != nil {
		return nil, err
	}
	n, err := most(r)
	if err != nil {
		return nil, err
	}
	from := r.Parameters.Get("dnsname")
	var out struct {
		Zones       []zone `xml:"HostedZones>HostedZone"`
		DNSName     string `xml:",omitempty"`
		IsTruncated bool
		NextDNSName string `xml:",omitempty"`
		MaxItems    string
	}
	out.DNSName, out.MaxItems = from, strconv.Itoa(n)
	sorted := slices.SortedFunc(slices.Values(s.Zones), func(a, b *Zone) int { return strings.Compare(order(a.Name), order(b.Name)) })
	for _, z := range sorted {
		switch {
		case from != "" && order(z.Name) < order(from):
		case len(out.Zones) == n:
			out.IsTruncated, out.NextDNSName = true, z.Name
			return out, nil
		default:
			out.Zones = append(out.Zones, view(z))
		}
	}
	return out, nil
}

type value struct{ Value string }

type alias struct {
	HostedZoneId, DNSName string
	EvaluateTargetHealth  bool
}

type recordSet struct {
	Name, Type  string
	TTL         int     `xml:",omitempty"`
	Values      []value `xml:"ResourceRecords>ResourceRecord,omitempty"`
	AliasTarget *alias  `xml:",omitempty"`
}

func (s *Service) records(r *wire.Request) (any, error) {
	id := r.Parameters.Get("Id")
	if err := r.Authorize("route53:ListResourceRecordSets", "arn:aws:route53:::hostedzone/"+id); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Zones, func(z *Zone) bool { return z.ID == id })
	if i < 0 {
		return nil, wire.Errorf("NoSuchHostedZone", "No hosted zone found with ID: %s", id).WithStatus(404)
	}
	n, err := most(r)
	if err != nil {
		return nil, err
	}
	from := r.Parameters.Get("name")
	if from != "" {
		from = order(from) + " " + r.Parameters.Get("type")
	}
	var out struct {
		Sets           []recordSet `xml:"ResourceRecordSets>ResourceRecordSet"`
		IsTruncated    bool
		NextRecordName string `xml:",omitempty"`
		NextRecordType string `xml:",omitempty"`
		MaxItems       string
	}
	out.MaxItems = strconv.Itoa(n)
	key := func(r Record) string { return order(r.Name) + " " + r.Type }
	records := slices.Clone(s.Zones[i].Records)
	sorted.Stable(records, func(a, b Record) int { return strings.Compare(key(a), key(b)) })
	for _, record := range records {
		switch {
		case key(record) < from:
			continue
		case len(out.Sets) == n:
			out.IsTruncated, out.NextRecordName, out.NextRecordType = true, record.Name, record.Type
			return out, nil
		}
		set := recordSet{Name: record.Name, Type: record.Type}
		if record.Alias != "" {
			set.AliasTarget = &alias{record.AliasZone, record.Alias, true}
		} else {
			set.TTL = 300
			for _, text := range record.Values {
				set.Values = append(set.Values, value{text})
			}
		}
		out.Sets = append(out.Sets, set)
	}
	return out, nil
}
