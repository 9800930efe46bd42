package migrate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/oneoff"
	"github.com/org/connect2/v2/pkg/taskdef"
)

func TestSettle(t *testing.T) {
	network := &types.NetworkConfiguration{}
	tests := []struct {
		name    string
		service types.Service
		problem string // empty for none
	}{
		{"Fargate", types.Service{LaunchType: types.LaunchTypeFargate, NetworkConfiguration: network}, ""},
		{"EC2 with bridge networking", types.Service{LaunchType: types.LaunchTypeEc2}, ""},
		{"Fargate without a network", types.Service{LaunchType: types.LaunchTypeFargate}, "no network configuration"},
		{"external", types.Service{LaunchType: types.LaunchTypeExternal, NetworkConfiguration: network}, "EXTERNAL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &Plan{service: "api"}
			got := errors.Join(p.settle(tt.service)...)
			if (got == nil) != (tt.problem == "") || got != nil && !strings.Contains(got.Error(), tt.problem) {
				t.Errorf("got %v, want %q", got, tt.problem)
			}
		})
	}
}

func TestContainerAndPlatform(t *testing.T) {
	const two = `{"family":"api-template","containerDefinitions":[{"name":"app","image":"h.example/api:1"},{"name":"log-router","image":"x","essential":false}]%s}`
	tests := []struct {
		extra, wanted, container, platform, problem string
	}{
		{"", "", "app", "linux/amd64", ""},
		{`,"runtimePlatform":{"cpuArchitecture":"ARM64","operatingSystemFamily":"LINUX"}`, "app", "app", "linux/arm64",
			""},
		{`,"runtimePlatform":{"operatingSystemFamily":"WINDOWS_SERVER_2022_CORE"}`, "app", "app", "windows/amd64", ""},
		{"", "log-router", "", "linux/amd64", "not essential"},
		{"", "nope", "", "linux/amd64", `no container "nope"`},
	}
	for _, tt := range tests {
		d, err := taskdef.Parse(fmt.Appendf(nil, two, tt.extra))
		if err != nil {
			t.Fatal(err)
		}
		p := &Plan{base: &taskdef.Revision{Family: "api-template", Number: 1, Document: d}}
		err = p.chooseContainer(tt.wanted)
		if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%q: problem %v, want %q", tt.wanted, err, tt.problem)
		}
		if p.container != tt.container || p.base.Document.Platform() != tt.platform {
			t.Errorf("%q: container %q, platform %q", tt.wanted, p.container, p.base.Document.Platform())
		}
	}
}

func TestRefuse(t *testing.T) {
	if err := refuse(t.Context(), []error{nil, nil}); err != nil {
		t.Errorf("no problem gives %v", err)
	}
	err := refuse(t.Context(), []error{errors.New("a"), nil, fmt.Errorf("b: %w", &oneoff.BusyError{TaskARN: "arn:x"})})
	var failure *action.Error
	if !errors.As(err, &failure) || failure.Outcome != action.Invalid || failure.Title != "Another migration of this service is running" ||
		err.Error() != "a\nb: another task of this family is running: arn:x" {
		t.Errorf("got %v", err)
	}
}
