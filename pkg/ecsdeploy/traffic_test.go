package ecsdeploy

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/taskdef"
)

func TestTraffic(t *testing.T) {
	doc, err := taskdef.Parse([]byte(`{"containerDefinitions":[{"name":"app","portMappings":[{"containerPort":8080,"name":"http"}]}]}`))
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
		{"no Service Connect", types.Service{Deployments: []types.Deployment{{}}}, ""},
	} {
		if got := strings.Join(traffic(tt.service, doc), "\n"); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
