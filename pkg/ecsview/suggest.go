package ecsview

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/nearest"
)

// lister lists what there is, for the message on a name that is misspelt. A client that cannot, or may not, costs nothing but
// the hint. It is for people with wide rights in a terminal: a role that may use one service alone is denied a misspelt one
// before it is looked for, so the policies in docs/iam do not ask for these calls.
type lister interface {
	ListServices(context.Context, *ecs.ListServicesInput, ...func(*ecs.Options)) (*ecs.ListServicesOutput, error)
	ListClusters(context.Context, *ecs.ListClustersInput, ...func(*ecs.Options)) (*ecs.ListClustersOutput, error)
}

// services returns the names of the cluster's services, a hundred at most.
func services(ctx context.Context, client Services, cluster string) []string {
	l, ok := client.(lister)
	if !ok {
		return nil
	}
	out, err := l.ListServices(ctx, &ecs.ListServicesInput{Cluster: aws.String(cluster), MaxResults: aws.Int32(100)})
	if err != nil {
		return nil
	}
	return names(out.ServiceArns)
}

// clusters returns the names of the account's clusters in the region, a hundred at most.
func clusters(ctx context.Context, client Services) []string {
	l, ok := client.(lister)
	if !ok {
		return nil
	}
	out, err := l.ListClusters(ctx, &ecs.ListClustersInput{MaxResults: aws.Int32(100)})
	if err != nil {
		return nil
	}
	return names(out.ClusterArns)
}

// names are the last parts of ARNs, in their order.
func names(arns []string) []string {
	all := make([]string, 0, len(arns))
	for _, one := range arns {
		all = append(all, arn.Last(one))
	}
	slices.Sort(all)
	return all
}

// shownNames is how many names a message lists; more would not be read.
const shownNames = 5

// regionOf is the region that a client asks, as a message names it.
func regionOf(client Services) string {
	if c, ok := client.(interface{ Options() ecs.Options }); ok && c.Options().Region != "" {
		return c.Options().Region
	}
	return "region"
}

// elsewhere says which cluster was meant, or what to look at next: there is nil where it is not known.
func elsewhere(written string, there []string) string {
	said := others(written, there)
	switch {
	case strings.HasSuffix(said, "?"):
		return said
	case there != nil && len(there) == 0:
		said = "; there are no clusters"
	}
	return said + ". If it is in another region, give that one: input region, or AWS_REGION"
}

// others says what there is instead of a name: the one that was meant, or the few that there are. It is empty where nothing
// is known.
func others(written string, there []string) string {
	written = arn.Last(written)
	switch near := nearest.One(written, there); {
	case near != "":
		return ": did you mean " + near + "?"
	case len(there) > shownNames:
		return "; there are " + strings.Join(there[:shownNames], ", ") + " and others"
	case len(there) > 0:
		return "; there is " + strings.Join(there, ", ")
	}
	return ""
}
