package operate

import (
	"reflect"
	"testing"
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
	found := []Alarm{{Name: "c", State: AlarmOK}, {Name: "e", State: AlarmFired}, {Name: "d", State: AlarmNoData},
		{Name: "b", State: AlarmFired}, {Name: "b", State: AlarmFired}, {Name: "a", State: AlarmOK}}
	want := []Alarm{{Name: "b", State: AlarmFired}, {Name: "e", State: AlarmFired}, {Name: "gone", State: AlarmMissing, Watched: true},
		{Name: "d", State: AlarmNoData, Watched: true}, {Name: "a", State: AlarmOK}, {Name: "c", State: AlarmOK, Watched: true}}
	if got := inOrder(found, []string{"gone", "c", "d", "gone"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := inOrder(nil, nil); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
}
