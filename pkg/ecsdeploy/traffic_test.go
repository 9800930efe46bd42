package ecsdeploy

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/taskdef"
)

func TestNamed(t *testing.T) {
	doc, err := taskdef.Parse([]byte(`{"containerDefinitions":[{"name":"app","portMappings":[{"containerPort":8080,"name":"http"}]}],
		"volumes":[{"name":"data","configuredAtLaunch":true},{"name":"tmp"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	balanced := func(container string, port int32) types.Service {
		return types.Service{LoadBalancers: []types.LoadBalancer{{ContainerName: aws.String(container), ContainerPort: aws.Int32(port)}}}
	}
	connected := func(name string) types.Service {
		return types.Service{Deployments: []types.Deployment{{ServiceConnectConfiguration: &types.ServiceConnectConfiguration{
			Services: []types.ServiceConnectService{{PortName: aws.String(name)}}}}}}
	}
	configured := func(name string) types.Service {
		return types.Service{Deployments: []types.Deployment{{
			VolumeConfigurations: []types.ServiceVolumeConfiguration{{Name: aws.String(name)}}}}}
	}
	for _, tt := range []struct {
		name    string
		service types.Service
		want    string
	}{
		{"neither", types.Service{}, ""},
		{"a port that is there", balanced("app", 8080), ""},
		{"another port", balanced("app", 80),
			"the service's load balancer sends to port 80 of container app: container app has no port 80; it has 8080"},
		{"another container", balanced("api", 8080),
			`the service's load balancer sends to port 8080 of container api: there is no container "api"`},
		{"a classic one without a container", types.Service{LoadBalancers: []types.LoadBalancer{{}}}, ""},
		{"a name that is there", connected("http"), ""},
		{"another name", connected("web"), `the service offers a port by Service Connect: no port is named "web"; there is http`},
		{"a port that is looked up", types.Service{ServiceRegistries: []types.ServiceRegistry{
			{ContainerName: aws.String("app"), ContainerPort: aws.Int32(53)}}},
			"the service registers with Cloud Map port 53 of container app: container app has no port 53; it has 8080"},
		{"an address that is looked up", types.Service{ServiceRegistries: []types.ServiceRegistry{{}}}, ""},
		{"VPC Lattice", types.Service{Deployments: []types.Deployment{{
			VpcLatticeConfigurations: []types.VpcLatticeConfiguration{{PortName: aws.String("web")}}}}},
			`the service offers a port by VPC Lattice: no port is named "web"; there is http`},
		{"a volume", configured("data"), ""},
		{"a volume that is not there", configured("dat"), `the service configures a volume: there is no volume "dat"; did you mean data?`},
		{"a volume of another kind", configured("tmp"), "the service configures a volume: volume tmp is not marked configuredAtLaunch"},
		{"no Service Connect", types.Service{Deployments: []types.Deployment{{}}}, ""},
	} {
		if got := strings.Join(named(tt.service, doc), "\n"); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
