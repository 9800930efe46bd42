package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
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
		Parameters: func(ctx context.Context, region string, names []string) ([]string, error) {
			return parameters(ctx, in(region), names)
		},
		LogGroups: func(ctx context.Context, region, prefix string) ([]string, error) {
			return logGroups(ctx, in(region), prefix)
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

// mostPages bounds how many pages of a list are read.
const mostPages = 50

// pages reads a list to its end. A page may be empty and another one follow it all the same, so that only the last page of a list proves
// that something is not in it.
func pages(what string, read func(token string) (next string, err error)) error {
	token := ""
	for range mostPages {
		next, err := read(token)
		if err != nil || next == "" {
			return err
		}
		token = next
	}
	return fmt.Errorf("%s does not end after %d pages", what, mostPages)
}

// parameters returns those of the names that exist.
func parameters(ctx context.Context, cfg aws.Config, names []string) (found []string, err error) {
	err = pages("DescribeParameters", func(token string) (string, error) {
		query := map[string]any{"ParameterFilters": []any{map[string]any{"Key": "Name", "Option": "Equals", "Values": names}}}
		if token != "" {
			query["NextToken"] = token
		}
		var out struct {
			Parameters []struct{ Name string }
			NextToken  string
		}
		err := awscall.JSON(ctx, cfg, awscall.SSM, "DescribeParameters", query, &out)
		for _, p := range out.Parameters {
			found = append(found, p.Name)
		}
		return out.NextToken, err
	})
	return found, err
}

// logGroups returns the log groups whose names begin so.
func logGroups(ctx context.Context, cfg aws.Config, prefix string) (found []string, err error) {
	err = pages("DescribeLogGroups", func(token string) (string, error) {
		query := map[string]string{"logGroupNamePrefix": prefix}
		if token != "" {
			query["nextToken"] = token
		}
		var out struct {
			LogGroups []struct {
				Name string `json:"logGroupName"`
			} `json:"logGroups"`
			Next string `json:"nextToken"`
		}
		err := awscall.JSON(ctx, cfg, awscall.Logs, "DescribeLogGroups", query, &out)
		for _, g := range out.LogGroups {
			found = append(found, g.Name)
		}
		if slices.Contains(found, prefix) { // the question is answered
			return "", err
		}
		return out.Next, err
	})
	return found, err
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
