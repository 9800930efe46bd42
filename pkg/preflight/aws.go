package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/pkg/awscall"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/image"
)

// AWS returns the reads by a configuration, and of images by its registries.
func AWS(cfg aws.Config, registries *image.Registries) Reads {
	in := func(region string) aws.Config {
		c := cfg.Copy()
		c.Region = region
		return c
	}
	return Reads{
		Platforms: func(ctx context.Context, name string) ([]string, error) { return platforms(ctx, registries, name) },
		Secret: func(ctx context.Context, region, id string) (SecretState, error) {
			var out struct {
				DeletedDate        *float64
				VersionIdsToStages map[string][]string
			}
			err := awscall.JSON(ctx, in(region), awscall.SecretsManager, "DescribeSecret", map[string]string{"SecretId": id}, &out)
			state := SecretState{Deleted: out.DeletedDate != nil}
			for _, stages := range out.VersionIdsToStages {
				state.Stages = append(state.Stages, stages...)
			}
			return state, err
		},
		Parameters: func(ctx context.Context, region string, names []string) (found []string, err error) {
			var out struct{ Parameters []struct{ Name string } }
			err = awscall.JSON(ctx, in(region), awscall.SSM, "DescribeParameters", map[string]any{
				"ParameterFilters": []any{map[string]any{"Key": "Name", "Option": "Equals", "Values": names}}}, &out)
			for _, p := range out.Parameters {
				found = append(found, p.Name)
			}
			return found, err
		},
		LogGroups: func(ctx context.Context, region, prefix string) (found []string, err error) {
			var out struct {
				LogGroups []struct {
					Name string `json:"logGroupName"`
				} `json:"logGroups"`
			}
			err = awscall.JSON(ctx, in(region), awscall.Logs, "DescribeLogGroups", map[string]string{"logGroupNamePrefix": prefix}, &out)
			for _, g := range out.LogGroups {
				found = append(found, g.Name)
			}
			return found, err
		},
		Addresses: func(ctx context.Context, subnets []string) (map[string]int, error) {
			return addresses(ctx, cfg, subnets)
		},
		Simulate: func(ctx context.Context, role string, actions, on []string) ([]Denial, error) {
			return simulation(ctx, cfg, role, actions, on)
		},
	}
}

// platforms returns what an image is built for.
func platforms(ctx context.Context, registries *image.Registries, name string) ([]string, error) {
	ref, err := image.ParseReference(name)
	if err != nil {
		return nil, err
	}
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = "latest" // as ECS reads it
	}
	found, err := registries.Resolve(ctx, ref)
	var missing *image.NotFoundError
	if registries.IsECR(ref.Registry) && (errors.As(err, &missing) || awserr.IsNotFound(err)) {
		return nil, &NoImageError{Err: awserr.Explain(err)}
	}
	if err != nil {
		return nil, err
	}
	return registries.Platforms(ctx, found)
}

func addresses(ctx context.Context, cfg aws.Config, subnets []string) (map[string]int, error) {
	query := url.Values{}
	for i, subnet := range subnets {
		query.Set("SubnetId."+strconv.Itoa(i+1), subnet)
	}
	var out struct {
		Subnets []struct {
			ID        string `xml:"subnetId"`
			Available int    `xml:"availableIpAddressCount"`
		} `xml:"subnetSet>item"`
	}
	if err := awscall.Query(ctx, cfg, awscall.EC2, "DescribeSubnets", query, &out); err != nil {
		return nil, err
	}
	left := map[string]int{}
	for _, s := range out.Subnets {
		left[s.ID] = s.Available
	}
	for _, subnet := range subnets {
		if _, there := left[subnet]; !there {
			return nil, fmt.Errorf("the answer of DescribeSubnets lacks %s", subnet)
		}
	}
	return left, nil
}

// simulation returns what a role's policies deny. A decision for which IAM misses values of conditions is none.
func simulation(ctx context.Context, cfg aws.Config, role string, actions, on []string) (denied []Denial, err error) {
	query := url.Values{"PolicySourceArn": {role}, "MaxItems": {"1000"}}
	for i, action := range actions {
		query.Set("ActionNames.member."+strconv.Itoa(i+1), action)
	}
	for i, resource := range on {
		query.Set("ResourceArns.member."+strconv.Itoa(i+1), resource)
	}
	var out struct {
		Results []struct {
			Action   string   `xml:"EvalActionName"`
			Resource string   `xml:"EvalResourceName"`
			Decision string   `xml:"EvalDecision"`
			Missing  []string `xml:"MissingContextValues>member"`
		} `xml:"SimulatePrincipalPolicyResult>EvaluationResults>member"`
	}
	if err := awscall.Query(ctx, cfg, awscall.IAM, "SimulatePrincipalPolicy", query, &out); err != nil {
		return nil, err
	}
	for _, r := range out.Results {
		if r.Decision != "allowed" && len(r.Missing) == 0 {
			denied = append(denied, Denial{r.Action, r.Resource})
		}
	}
	return denied, nil
}
