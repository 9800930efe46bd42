package doctor

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/awscall"
)

// readBalancer reads the load balancer of the target groups, and other ports that their health checks ask; nil where there is none.
func readBalancer(ctx context.Context, cfg aws.Config, groups []string) (*Balancer, []int, error) {
	client := elb.NewFromConfig(cfg)
	described, err := client.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: groups})
	if err != nil {
		return nil, nil, err
	}
	var balancers []string
	var checks []int
	for _, g := range described.TargetGroups {
		balancers = append(balancers, g.LoadBalancerArns...)
		if port := aws.ToString(g.HealthCheckPort); port != "traffic-port" && port != "" {
			checks = append(checks, number(port))
		}
	}
	if len(balancers) == 0 {
		return nil, checks, nil
	}
	found, err := client.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: balancers[:1]})
	if err != nil {
		return nil, checks, err
	}
	if len(found.LoadBalancers) == 0 {
		return nil, checks, nil
	}
	lb := found.LoadBalancers[0]
	b := &Balancer{Name: aws.ToString(lb.LoadBalancerName), DNS: aws.ToString(lb.DNSName),
		Public: lb.Scheme == elbtypes.LoadBalancerSchemeEnumInternetFacing,
		Party:  Party{Name: "the load balancer", Groups: lb.SecurityGroups, Sends: ofGateways}}
	if lb.State != nil {
		b.State = string(lb.State.Code)
	}
	for _, zone := range lb.AvailabilityZones {
		b.Party.Subnets = append(b.Party.Subnets, aws.ToString(zone.SubnetId))
	}
	b.Listeners, err = readListeners(ctx, cfg, client, lb.LoadBalancerArn)
	return b, checks, err
}

func number(text string) (n int) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

func readListeners(ctx context.Context, cfg aws.Config, client *elb.Client, balancer *string) ([]Listener, error) {
	var all []Listener
	for pages := elb.NewDescribeListenersPaginator(client, &elb.DescribeListenersInput{LoadBalancerArn: balancer}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, l := range page.Listeners {
			each := Listener{Port: int(aws.ToInt32(l.Port)), Protocol: string(l.Protocol), Shares: map[string]int{}}
			for _, c := range l.Certificates {
				each.Certificates = append(each.Certificates, readCertificate(ctx, cfg, aws.ToString(c.CertificateArn)))
			}
			for rules := elb.NewDescribeRulesPaginator(client, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn}); rules.HasMorePages(); {
				page, err := rules.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				for _, rule := range page.Rules {
					each.add(rule.Actions)
				}
			}
			all = append(all, each)
		}
	}
	return all, nil
}

// add counts the shares that actions give to target groups.
func (l *Listener) add(actions []elbtypes.Action) {
	for _, a := range actions {
		switch {
		case a.Type == elbtypes.ActionTypeEnumRedirect:
			l.Redirects = true
		case a.ForwardConfig != nil && len(a.ForwardConfig.TargetGroups) > 0:
			for _, g := range a.ForwardConfig.TargetGroups {
				weight := 1 // of one that has none
				if g.Weight != nil {
					weight = int(*g.Weight)
				}
				l.Shares[aws.ToString(g.TargetGroupArn)] += weight
			}
		case a.TargetGroupArn != nil:
			l.Shares[*a.TargetGroupArn]++
		}
	}
}

func readCertificate(ctx context.Context, cfg aws.Config, id string) Certificate {
	c := Certificate{ARN: id}
	if !strings.Contains(id, ":acm:") {
		c.Err = errors.New("it is not one of Certificate Manager: when it ends is not read")
		return c
	}
	var out struct {
		Certificate struct {
			DomainName, Status, Type string
			SubjectAlternativeNames  []string
			NotAfter                 float64
			RenewalSummary           struct{ RenewalStatus string }
		}
	}
	if c.Err = awscall.JSON(ctx, cfg, awscall.ACM, "DescribeCertificate", map[string]string{"CertificateArn": id}, &out); c.Err != nil {
		return c
	}
	c.Names = []string{out.Certificate.DomainName}
	for _, name := range out.Certificate.SubjectAlternativeNames {
		if !slices.Contains(c.Names, name) {
			c.Names = append(c.Names, name)
		}
	}
	c.Status, c.Renewal = out.Certificate.Status, out.Certificate.RenewalSummary.RenewalStatus
	c.Amazon = out.Certificate.Type == "AMAZON_ISSUED"
	if out.Certificate.NotAfter > 0 {
		c.Expires = time.UnixMilli(int64(out.Certificate.NotAfter * 1000))
	}
	return c
}

// hostsOf are the names to look for: the one that was given, or those of the certificates.
func hostsOf(given string, b *Balancer) []string {
	if given != "" {
		return []string{strings.TrimSuffix(strings.ToLower(given), ".")}
	}
	var hosts []string
	if b == nil {
		return nil
	}
	for _, l := range b.Listeners {
		for _, c := range l.Certificates {
			for _, name := range c.Names {
				if name != "" && !strings.HasPrefix(name, "*.") && !slices.Contains(hosts, name) {
					hosts = append(hosts, name)
				}
			}
		}
	}
	return hosts
}

type hostedZone struct {
	ID      string `xml:"Id"`
	Name    string
	Private bool `xml:"Config>PrivateZone"`
}

// readNames looks for the records of names in the hosted zones of the account.
func readNames(ctx context.Context, cfg aws.Config, hosts []string) ([]Name, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	var zones []hostedZone
	for marker := ""; ; {
		query := url.Values{"maxitems": {"100"}}
		if marker != "" {
			query.Set("marker", marker)
		}
		var out struct {
			Zones []hostedZone `xml:"HostedZones>HostedZone"`
			More  bool         `xml:"IsTruncated"`
			Next  string       `xml:"NextMarker"`
		}
		if err := awscall.Get(ctx, cfg, awscall.Route53, "ListHostedZones", "hostedzone", query, &out); err != nil {
			return nil, err
		}
		zones = append(zones, out.Zones...)
		if !out.More || out.Next == "" {
			break
		}
		marker = out.Next
	}
	var found []Name
	for _, host := range hosts {
		n := Name{Host: host}
		if zone, ok := zoneOf(zones, host); ok {
			n.Zone = strings.TrimSuffix(zone.Name, ".")
			n.To, n.Err = readRecords(ctx, cfg, arn.Last(zone.ID), host)
		}
		found = append(found, n)
	}
	return found, nil
}

// zoneOf returns the public zone that a name belongs to: the one with the longest name.
func zoneOf(zones []hostedZone, host string) (best hostedZone, ok bool) {
	for _, z := range zones {
		name := strings.TrimSuffix(strings.ToLower(z.Name), ".")
		if !z.Private && (host == name || strings.HasSuffix(host, "."+name)) && len(z.Name) > len(best.Name) {
			best, ok = z, true
		}
	}
	return best, ok
}

// readRecords returns what the records of a name lead to.
func readRecords(ctx context.Context, cfg aws.Config, zone, host string) ([]string, error) {
	var out struct {
		Sets []struct {
			Name, Type string
			Alias      string   `xml:"AliasTarget>DNSName"`
			Values     []string `xml:"ResourceRecords>ResourceRecord>Value"`
		} `xml:"ResourceRecordSets>ResourceRecordSet"`
	}
	query := url.Values{"name": {host}, "type": {"A"}, "maxitems": {"20"}}
	if err := awscall.Get(ctx, cfg, awscall.Route53, "ListResourceRecordSets", "hostedzone/"+zone+"/rrset", query, &out); err != nil {
		return nil, err
	}
	var to []string
	for _, set := range out.Sets {
		if strings.TrimSuffix(strings.ToLower(set.Name), ".") != host || set.Type != "A" && set.Type != "AAAA" && set.Type != "CNAME" {
			continue
		}
		if set.Alias != "" {
			to = append(to, set.Alias)
		}
		to = append(to, set.Values...)
	}
	return to, nil
}
