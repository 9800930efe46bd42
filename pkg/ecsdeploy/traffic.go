package ecsdeploy

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/taskdef"
)

// traffic returns what the service sends traffic to and the document does not have: ECS would refuse the update.
func traffic(service types.Service, doc taskdef.Document) (problems []string) {
	for _, lb := range service.LoadBalancers {
		if lb.ContainerName == nil || lb.ContainerPort == nil {
			continue
		}
		if problem := doc.CheckPort(aws.ToString(lb.ContainerName), int(aws.ToInt32(lb.ContainerPort))); problem != "" {
			problems = append(problems, "the service's load balancer sends to "+
				fmt.Sprintf("port %d of container %s: %s", aws.ToInt32(lb.ContainerPort), aws.ToString(lb.ContainerName), problem))
		}
	}
	if len(service.Deployments) == 0 || service.Deployments[0].ServiceConnectConfiguration == nil {
		return problems
	}
	for _, offered := range service.Deployments[0].ServiceConnectConfiguration.Services {
		if problem := doc.CheckPortName(aws.ToString(offered.PortName)); problem != "" {
			problems = append(problems, "the service offers a port by Service Connect: "+problem)
		}
	}
	return problems
}
