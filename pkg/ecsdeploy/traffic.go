package ecsdeploy

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// checkFile returns what is wrong with the fields of a task definition that a file holds: their types, and names that can only be
// misspelt. A field that this version merely does not know may be newer than it, and is worth a warning.
func checkFile(events record.Sink, name string, doc taskdef.Document) (problems []error) {
	for _, problem := range doc.CheckTypes() {
		problems = append(problems, fmt.Errorf("task-definition: %s: %s", name, problem))
	}
	for _, field := range doc.Unknown() {
		if field.Typo {
			problems = append(problems, fmt.Errorf("task-definition: %s: %s", name, field))
			continue
		}
		events.Warnf("Unknown field", "ECS leaves out what it does not know: %s: %s", name, field)
	}
	return problems
}

// tellDropped warns of what ECS did not take of a task definition.
func tellDropped(events record.Sink, revision *taskdef.Revision) {
	for _, field := range revision.Dropped {
		text := field.Path + " was sent, and " + revision.Name() + " does not have it"
		if field.Near != "" {
			text += ": did you mean " + field.Near + "?"
		}
		events.Warnf("Field left out by ECS", "%s", text)
	}
}

// named returns what the service names and the document does not have: ports that it sends traffic to or that are looked up, and
// volumes that it configures. ECS would refuse the update.
func named(service types.Service, doc taskdef.Document) (problems []string) {
	port := func(who string, container *string, port *int32) {
		if container == nil || port == nil {
			return
		}
		if problem := doc.CheckPort(*container, int(*port)); problem != "" {
			problems = append(problems, fmt.Sprintf("%s port %d of container %s: %s", who, *port, *container, problem))
		}
	}
	for _, lb := range service.LoadBalancers {
		port("the service's load balancer sends to", lb.ContainerName, lb.ContainerPort)
	}
	for _, registry := range service.ServiceRegistries {
		port("the service registers with Cloud Map", registry.ContainerName, registry.ContainerPort)
	}
	if len(service.Deployments) == 0 {
		return problems
	}
	primary := service.Deployments[0]
	portName := func(who string, name *string) {
		if problem := doc.CheckPortName(aws.ToString(name)); problem != "" {
			problems = append(problems, who+": "+problem)
		}
	}
	if connect := primary.ServiceConnectConfiguration; connect != nil {
		for _, offered := range connect.Services {
			portName("the service offers a port by Service Connect", offered.PortName)
		}
	}
	for _, lattice := range primary.VpcLatticeConfigurations {
		portName("the service offers a port by VPC Lattice", lattice.PortName)
	}
	for _, volume := range primary.VolumeConfigurations {
		if problem := doc.CheckVolume(aws.ToString(volume.Name)); problem != "" {
			problems = append(problems, "the service configures a volume: "+problem)
		}
	}
	return problems
}
