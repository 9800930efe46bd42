package ecsdeploy

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/record"
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
		{"a container that is looked up without a port", types.Service{ServiceRegistries: []types.ServiceRegistry{
			{ContainerName: aws.String("gone")}}}, ""},
		{"a port of the task that is looked up", types.Service{ServiceRegistries: []types.ServiceRegistry{
			{ContainerPort: aws.Int32(53)}}}, ""},
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

// TestCheckFile refuses what can only be misspelt, and warns of what may be newer than this version, each once.
func TestCheckFile(t *testing.T) {
	doc, err := taskdef.Parse([]byte(`{"family":"api","containerDefinitions":[{"name":"app","image":"a","memmory":5}],"fromTheFuture":1}`))
	if err != nil {
		t.Fatal(err)
	}
	var told []record.Event
	problems := checkFile(func(e record.Event) { told = append(told, e) }, "task.json", doc)
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "memmory") {
		t.Errorf("refused: %v", problems)
	}
	if len(told) != 1 || !strings.Contains(told[0].Text, "fromTheFuture") {
		t.Errorf("told: %+v", told)
	}
}

func TestTellDropped(t *testing.T) {
	var told []string
	tellDropped(func(e record.Event) { told = append(told, e.Text) }, &taskdef.Revision{Family: "api", Number: 2,
		Dropped: []taskdef.Unknown{{Path: "memmory", Near: "memory"}, {Path: "fromTheFuture"}}})
	want := "memmory was sent, and api:2 does not have it: did you mean memory?\nfromTheFuture was sent, and api:2 does not have it"
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("got %s", got)
	}
}
