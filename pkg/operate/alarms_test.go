package operate

import (
	"reflect"
	"testing"

	"github.com/org/connect2/v2/pkg/alarm"
)

func TestEnvironment(t *testing.T) {
	for _, test := range []struct {
		cluster, service, project, environment string
	}{
		{"connect2-api-cluster-dev", "anything", "connect2-api", "dev"},
		{"arn:aws:ecs:us-west-2:123456789012:cluster/connect2-api-cluster-dev", "anything", "connect2-api", "dev"},
		{"shared", "connect2-api-service-prod", "connect2-api", "prod"},
		{"shared", "arn:aws:ecs:us-west-2:123456789012:service/shared/connect2-api-service-prod", "connect2-api", "prod"},
		{"a-cluster-dev", "b-service-prod", "a", "dev"},
		{"-cluster-dev", "b-service-prod", "b", "prod"},
		{"a-cluster-", "b-service-prod", "b", "prod"},
		{"shared", "api", "", ""},
	} {
		project, environment, ok := Environment(test.cluster, test.service)
		if project != test.project || environment != test.environment || ok != (test.project != "") {
			t.Errorf("%s, %s: %s, %s, %t", test.cluster, test.service, project, environment, ok)
		}
	}
}

func TestBelongs(t *testing.T) {
	for name, want := range map[string]bool{
		"connect2-api-alerts-dev-api-5xx":       true,
		"connect2-api-dev-001-cpu":              true,
		"connect2-api-dev":                      true,
		"connect2-api-rotate-dev":               true,
		"connect2-api-alerts-devel-api-5xx":     false,
		"connect2-api-devel-001-cpu":            false,
		"connect2-api-alerts-prod-api-5xx":      false,
		"connect2-api-admin-alerts-dev-api-5xx": false, // of the project connect2-api-admin
		"connect2-apidev-alerts-dev":            false,
		"other-dev":                             false,
	} {
		if got := belongs(name, "connect2-api", "dev"); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestAlarmsInOrder(t *testing.T) {
	is := func(name string, state alarm.State) alarm.Alarm { return alarm.Alarm{Name: name, State: state} }
	found := []alarm.Alarm{is("c", alarm.OK), is("e", alarm.Fired), is("d", alarm.NoData), is("b", alarm.Fired), is("b", alarm.Fired),
		is("a", alarm.OK)}
	want := []Alarm{{is("b", alarm.Fired), false}, {is("e", alarm.Fired), false}, {is("gone", alarm.Missing), true},
		{is("d", alarm.NoData), true}, {is("a", alarm.OK), false}, {is("c", alarm.OK), true}}
	if got := inOrder(found, []string{"gone", "c", "d", "gone"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := inOrder(nil, nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}
