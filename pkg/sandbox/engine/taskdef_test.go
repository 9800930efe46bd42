package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRegisterRefuses(t *testing.T) {
	fargate := func(rest string) string {
		return `{"family": "api", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
			"containerDefinitions": [{"name": "app", "image": "123456789012.dkr.ecr.us-west-2.amazonaws.com/api:v1"}]` + rest + `}`
	}
	for document, want := range map[string]string{
		`[]`:                "SerializationException: the task definition is not a JSON object",
		`{"family": 1}`:     "SerializationException: the task definition cannot be read",
		`{}`:                "ClientException: TaskDefinition.family should not be null or empty.",
		`{"family": "a b"}`: "ClientException: Family contains invalid characters.",
		`{"family": "api"}`: "ClientException: Container list cannot be empty.",
		`{"family": "api", "containerDefinitions": [{"name": "app"}]}`:                                 "ClientException: Container.image should not be null or empty.",
		`{"family": "api", "containerDefinitions": [{"image": "app"}]}`:                                "ClientException: Container.name should not be null or empty.",
		`{"family": "api", "containerDefinitions": [{"name": "a", "image": "a", "essential": false}]}`: "ClientException: TaskDefinition contains no essential container.",
		`{"family": "api", "containerDefinitions": [{"name": "a", "image": "a"}], "tags": {"a": "b"}}`: "SerializationException: tags cannot be read",
		fargate(``): "ClientException: Fargate requires task definition to have execution role ARN to support ECR images.",
		fargate(`, "executionRoleArn": "r", "memory": "3072"`):        "ClientException: No Fargate configuration exists for given values.",
		fargate(`, "executionRoleArn": "r", "cpu": "quarter"`):        "ClientException: Invalid 'cpu' setting for task.",
		fargate(`, "executionRoleArn": "r", "networkMode": "bridge"`): "ClientException: Fargate only supports network mode",
	} {
		_, err := New(Options{Start: t0}).RegisterTaskDefinition([]byte(document), "")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
}

func TestRevisions(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.define("v1", ""), w.define("v2", "")
	if td, err := w.TaskDefinition("api"); err != nil || td.ARN != second {
		t.Errorf("the family's newest: %v, %v", td, err)
	}
	td, err := w.TaskDefinition("api:2")
	if err != nil {
		t.Fatal(err)
	}
	w.DeregisterTaskDefinition(td)
	if td, err := w.TaskDefinition("api"); err != nil || td.ARN != first {
		t.Errorf("the newest ACTIVE one: %v, %v", td, err)
	}
	if err := w.DeleteTaskDefinition(td); err != nil || td.Status != DeleteInProgress {
		t.Errorf("deleting what is INACTIVE: %v, %s", err, td.Status)
	}
	w.pass(time.Hour)
	if _, err := w.TaskDefinition("api:2"); err == nil {
		t.Error("a deleted revision is still there")
	}
	if third := w.define("v3", ""); !strings.HasSuffix(third, "api:3") {
		t.Errorf("numbers are used again: %s", third)
	}
	for _, missing := range []string{"other", "api:9", "arn:aws:ecs:us-west-2:123456789012:task-definition/api",
		"arn:aws:ecs:eu-west-1:123456789012:task-definition/api:1"} {
		if _, err := w.TaskDefinition(missing); err == nil {
			t.Errorf("%s was found", missing)
		}
	}
	inUse := w.service(settings{desired: 1, definition: first})
	td, err = w.TaskDefinition(first)
	if err != nil {
		t.Fatal(err)
	}
	w.DeregisterTaskDefinition(td)
	if err := w.DeleteTaskDefinition(td); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	if td.Status != DeleteInProgress || inUse.Counts().Running != 1 {
		t.Errorf("a revision in use is %s, the service runs %+v", td.Status, inUse.Counts())
	}
}

// FuzzRegister looks for documents that break the register or lose members that it does not know.
func FuzzRegister(f *testing.F) {
	f.Add([]byte(`{"family": "api", "containerDefinitions": [{"name": "app", "image": "app", "connect2Unknown": {"a": []}}]}`))
	f.Add([]byte(`{"family": "api", "x": [1.0, null, {"y": ""}], "containerDefinitions": [{"name": "app", "image": "app", "portMappings": [{"containerPort": 80}, {}]}], "tags": []}`))
	f.Add([]byte(`{"family": "api", "cpu": "1 vCPU", "memory": "2GB", "volumes": null, "containerDefinitions": [{"name": "app", "image": "app", "cpu": 10}]}`))
	f.Add([]byte(`{"family": "api", "containerDefinitions": [null]}`))
	f.Add([]byte(`{"family": "api", "containerDefinitions": [{"name": "app", "image": "app", "portMappings": [null]}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		td, err := New(Options{Start: t0}).RegisterTaskDefinition(document, "")
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var given map[string]json.RawMessage
		if err := json.Unmarshal(document, &given); err != nil {
			t.Fatal(err)
		}
		for name, value := range given {
			known := strings.Contains("tags taskDefinitionArn revision status requiresAttributes compatibilities registeredAt registeredBy "+
				"deregisteredAt deleteRequestedAt cpu memory containerDefinitions", name)
			if kept, ok := td.Document[name]; !known && string(value) != "null" && (!ok || string(kept) != string(value)) {
				t.Errorf("member %q became %s", name, kept)
			}
		}
		if !json.Valid(td.Document["containerDefinitions"]) {
			t.Errorf("containers became %s", td.Document["containerDefinitions"])
		}
	})
}
