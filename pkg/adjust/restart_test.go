package adjust_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/test/sandboxtest"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/adjust"
	"github.com/org/connect2/v2/pkg/run"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// TestRestartOfSeveral restarts the services of a file in their order, and leaves out what has no tasks.
func TestRestartOfSeveral(t *testing.T) {
	sandboxtest.Run(t, world+"services: {worker-dev: {}, mail-dev: {desiredCount: 0}}\n", func(t *testing.T, s *sandboxtest.Site) {
		file := filepath.Join(t.TempDir(), "connect2.yaml")
		text := "project: connect2-api\nenvironments: {dev: {region: us-west-2}}\nservices:\n" +
			"  worker: {service: 'worker-{environment}'}\n  api: {service: 'connect2-api-service-{environment}', after: worker}\n" +
			"  mail: {service: 'mail-{environment}'}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		restart := func(args ...string) (code int, told string) {
			s.Fresh()
			env := *s.Env
			env.Stdout = nil
			s.Sandbox.ResetJournal()
			var out bytes.Buffer
			code = run.Command(t.Context(), adjust.Restart, append(args, "--file="+file, "--environment=dev", "--json"), &out, io.Discard, &env)
			return code, s.Log.Text() + out.String()
		}
		updated := func() (services []string) {
			for _, entry := range s.Sandbox.Journal() {
				if entry.Name() == "ecs:UpdateService" {
					services = append(services, arn.Last(entry.Resources[0]))
				}
			}
			return services
		}
		if code, told := restart(); code != 0 || !strings.Contains(told, "mail-dev is to have no tasks: there is nothing to restart") ||
			!strings.Contains(told, `"name":"api","service":"connect2-api-service-dev","outcome":"succeeded","revision":"connect2-api-dev:3"`) {
			t.Errorf("exit %d: %s", code, told)
		}
		if got := updated(); !slices.Equal(got, []string{"worker-dev", sandboxtest.Service}) {
			t.Errorf("updated %v", got)
		}
		if code, told := restart("--service=worker"); code != 0 || !slices.Equal(updated(), []string{"worker-dev"}) {
			t.Errorf("exit %d, %v: %s", code, updated(), told)
		}
		if err := s.Sandbox.Inject(sandbox.Fault{Action: "ecs:UpdateService", Answer: sandbox.Deny}); err != nil {
			t.Fatal(err)
		}
		if code, told := restart(); code != action.Failed.ExitCode() && code != action.Invalid.ExitCode() ||
			!strings.Contains(told, "api was not begun, and is on connect2-api-dev:3") {
			t.Errorf("exit %d: %s", code, told)
		}
		s.Sandbox.ClearFaults()
		s.Sandbox.Inspect(func(e *engine.Engine) {
			c, err := e.Cluster(sandboxtest.Cluster)
			if err == nil {
				err = e.UpdateService(c.Service(sandboxtest.Service), engine.ServiceChange{TaskDefinition: "connect2-api-dev:2"})
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if code, told := restart(); code != 1 || !strings.Contains(told, "api: connect2-api-dev:2 is being deployed") || len(updated()) > 0 {
			t.Errorf("exit %d, %v: %s", code, updated(), told)
		}
	})
}

// TestRestartWithTheTemplate rolls out what has changed in the template, with the image that runs.
func TestRestartWithTheTemplate(t *testing.T) {
	sandboxtest.Run(t, world, func(t *testing.T, s *sandboxtest.Site) {
		if code, _, told := call(t, s, adjust.Restart, "--template"); code != 0 {
			t.Errorf("exit %d: %s", code, told)
		}
		if name, _ := s.Primary(); name != "connect2-api-dev:3" {
			t.Errorf("nothing has changed in the template, and %s serves", name)
		}
		s.Sandbox.Inspect(func(e *engine.Engine) {
			template, err := e.TaskDefinition("connect2-api-dev-template")
			if err != nil {
				t.Fatal(err)
			}
			document := maps.Clone(template.Document)
			document["cpu"], document["memory"] = json.RawMessage(`"512"`), json.RawMessage(`"1024"`)
			text, err := json.Marshal(document)
			if err == nil {
				_, err = e.RegisterTaskDefinition(text, "terraform")
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		code, _, told := call(t, s, adjust.Restart, "--template")
		if name, _ := s.Primary(); code != 0 || name != "connect2-api-dev:4" {
			t.Errorf("exit %d, %s serves: %s", code, name, told)
		}
	})
}
