package console

import "testing"

func TestAddresses(t *testing.T) {
	const aws = "arn:aws:ecs:eu-west-1:123456789012:"
	for _, test := range []struct{ what, got, want string }{
		{"a service", Service(aws + "service/prod/api"),
			"https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/services/api/health?region=eu-west-1"},
		{"a service in China", Service("arn:aws-cn:ecs:cn-north-1:123456789012:service/prod/api"),
			"https://cn-north-1.console.amazonaws.cn/ecs/v2/clusters/prod/services/api/health?region=cn-north-1"},
		{"a service in GovCloud", Service("arn:aws-us-gov:ecs:us-gov-west-1:123456789012:service/prod/api"),
			"https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters/prod/services/api/health?region=us-gov-west-1"},
		{"a service in a partition without a known console", Service("arn:aws-iso:ecs:us-iso-east-1:123456789012:service/prod/api"), ""},
		{"a service in the old format", Service(aws + "service/api"), ""},
		{"a service by its name", Service("api"), ""},
		{"a service without a region", Service("arn:aws:ecs::123456789012:service/prod/api"), ""},
		{"a task as a service", Service(aws + "task/prod/0123"), ""},
		{"another service's resource", Service("arn:aws:elasticache:eu-west-1:123456789012:service/prod/api"), ""},
		{"a deployment", Deployment(aws + "service-deployment/prod/api/Qw3rTy"),
			"https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/services/api/deployments/Qw3rTy?region=eu-west-1"},
		{"no deployment", Deployment(""), ""},
		{"a task", Task(aws + "task/prod/0123"),
			"https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/prod/tasks/0123/configuration?region=eu-west-1"},
		{"a service as a task", Task(aws + "service/prod/api"), ""},
		{"a target group", TargetGroup("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/9a5c"),
			"https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#TargetGroup:targetGroupArn=" +
				"arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/9a5c"},
		{"a load balancer as a target group", TargetGroup("arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/api/9a5c"), ""},
		{"no target group", TargetGroup(""), ""},
		{"a log stream", LogStream(aws+"task/prod/0123", "/ecs/api dev", "api/api/0123"),
			"https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Fecs$252Fapi$2520dev/" +
				"log-events/api$252Fapi$252F0123"},
		{"a log stream without a group", LogStream(aws+"task/prod/0123", "", "api"), ""},
		{"a log stream without a name", LogStream(aws+"task/prod/0123", "api", ""), ""},
		{"a log stream beside nothing", LogStream("", "api", "api"), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.what, test.got, test.want)
		}
	}
}
