package ecsdeploy_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/sandbox"
	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

// active counts the ACTIVE revisions of the service's family.
func (s *site) active() (n int) {
	s.Sandbox.Inspect(func(e *engine.Engine) {
		for number := 1; ; number++ {
			td, err := e.TaskDefinition(fmt.Sprintf("%s:%d", family, number))
			if err != nil {
				return
			}
			if td.Status == "ACTIVE" {
				n++
			}
		}
	})
	return n
}

// A revision is registered once, whatever becomes of the answers.
func TestRegisterWithoutAnswer(t *testing.T) {
	for name, fault := range map[string]sandbox.Fault{
		"lost after it was done":       {Answer: sandbox.CutAfter, Times: 1},
		"never given, though done":     {Answer: sandbox.HangAfter, Times: 1},
		"lost before it was done":      {Answer: sandbox.Cut, Times: 2},
		"never given, nor done":        {Answer: sandbox.Hang, Times: 2},
		"unavailable":                  {Answer: sandbox.Unavailable, Times: 3},
		"another revision is made now": {Answer: sandbox.Refuse, Times: 5, Code: "ClientException", Message: crowd},
		"throttled for minutes":        {Answer: sandbox.Throttle, Times: 60},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", "")
				before := s.active()
				fault.Action = "ecs:RegisterTaskDefinition"
				if err := s.Sandbox.Inject(fault); err != nil {
					t.Fatal(err)
				}
				s.mustDeploy("v2")
				if got := s.active() - before; got != 1 {
					t.Errorf("%d new revisions are ACTIVE", got)
				}
			})
		})
	}
}

const crowd = "Too many concurrent attempts to create a new revision of the specified family."

// An update that is throttled for minutes is waited for; one that is throttled for good leaves the service as it was, and says so.
func TestUpdateThrottled(t *testing.T) {
	for name, test := range map[string]struct {
		times int
		want  action.Outcome
	}{"for minutes": {60, action.Succeeded}, "for good": {0, action.Failed}} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", "")
				if err := s.Sandbox.Inject(sandbox.Fault{Action: "ecs:UpdateService", Answer: sandbox.Throttle, Times: test.times}); err != nil {
					t.Fatal(err)
				}
				before, begun := s.active(), time.Now()
				out, err := s.deploy(inputs("v2"))
				wantOutcome(t, out, err, test.want)
				if test.want != action.Succeeded && (s.active() != before || time.Since(begun) < 20*time.Minute) {
					t.Errorf("%d revisions more, after %s", s.active()-before, time.Since(begun))
				}
			})
		})
	}
}

// refuse has the calls of a name refused whose body holds a text.
func (s *site) refuse(call, body, code, message string) {
	next := s.Env.Transport
	s.Env.Transport = transport(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+call) || !holds(r, body) {
			return next.RoundTrip(r)
		}
		return &http.Response{StatusCode: 400, Status: "400 Bad Request", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)))}, nil
	})
}

// holds reports whether the body of a call holds a text.
func holds(r *http.Request, text string) bool {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte(text))
}

// Only a template that is not there is done without. One that cannot be read would leave a change of Terraform's out in silence.
func TestTemplateThatECSCannotGiveNow(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.refuse("DescribeTaskDefinition", family+"-template", "ClientException", "The task definition is being changed.")
		out, err := s.deploy(inputs("v2"))
		wantOutcome(t, out, err, action.Invalid)
		if !strings.Contains(err.Error(), "is being changed") || len(s.Mutations()) > 0 {
			t.Errorf("error %v, changed by %v", err, s.Mutations())
		}
	})
}

// Some partitions refuse to give tags with a service.
func TestTagsThatAreRefused(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.refuse("DescribeServices", `"TAGS"`, "InvalidParameterException", "Tagging is not supported in this partition.")
		s.mustDeploy("v2")
		if got := s.Log.Warnings(); len(got) != 1 || !strings.Contains(got[0], "The service's tags cannot be read") {
			t.Errorf("warnings %q", got)
		}
	})
}

// A run that is repeated while the service is scaled out, or in, replaces nothing.
func TestAgainWhileItScales(t *testing.T) {
	for name, count := range map[string]int{"out": 6, "in": 1} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.Push("v2", "")
				s.mustDeploy("v2")
				s.Sandbox.Inspect(func(e *engine.Engine) {
					c, _ := e.Cluster(cluster)
					if err := e.UpdateService(c.Service(service), engine.ServiceChange{DesiredCount: &count}); err != nil {
						t.Error(err)
					}
				})
				s.Fresh()
				s.Sandbox.ResetJournal()
				out, err := s.deploy(inputs("v2"))
				wantOutcome(t, out, err, action.NoChange)
				if len(s.Mutations()) > 0 {
					t.Errorf("changed by %v", s.Mutations())
				}
			})
		})
	}
}

// A digest that was live before keeps its tag and gets no other.
func TestOneLiveTagForEachDigest(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		s.Push("v3", "")
		for range 2 {
			s.mustDeploy("v2")
			s.Fresh()
			s.mustDeploy("v3")
			s.Fresh()
		}
		if got := s.Calls("ecr:PutImage"); got != 2 {
			t.Errorf("%d tags were put, want one for each digest", got)
		}
	})
}

// An image that is not given is a mistake of the workflow, unless a task definition is. The one that runs is asked for by name.
func TestImageThatIsEmpty(t *testing.T) {
	for _, test := range []struct {
		in   ecsdeploy.Inputs
		want bool
	}{
		{ecsdeploy.Inputs{}, true},
		{ecsdeploy.Inputs{Image: "v2"}, false},
		{ecsdeploy.Inputs{Image: ecsdeploy.Running}, false},
		{ecsdeploy.Inputs{TaskDefinition: "f:1"}, false},
		{ecsdeploy.Inputs{ImageLater: true}, false},
	} {
		told := slices.ContainsFunc(test.in.Validate(), func(err error) bool { return strings.HasPrefix(err.Error(), "image: is empty") })
		if told != test.want {
			t.Errorf("%+v: told %v", test.in, told)
		}
	}
	at(t, fast, func(t *testing.T, s *site) {
		out, err := s.deploy(inputs(""))
		wantOutcome(t, out, err, action.Invalid)
		if len(s.Sandbox.Journal()) > 0 {
			t.Errorf("called %v", s.Sandbox.Journal())
		}
		s.Fresh()
		out, err = s.deploy(inputs(ecsdeploy.Running))
		wantOutcome(t, out, err, action.NoChange)
	})
}

// No value of a variable is in anything that is written, wherever it comes back from: the container's own log, ECS's refusal.
func TestValuesOfVariablesAreNotShown(t *testing.T) {
	const value, short = "sqlite-memory", "dev"
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", `{start: crash, after: 2s, exitCode: 1, logs: ["KeyError: no backend called sqlite-memory in dev"]}`)
		in := inputs("v2")
		in.Environment = map[string]string{"BACKEND": value, "STAGE": short}
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.RolledBack)
		for what, text := range map[string]string{"log": s.Log.Text(), "summary": s.Log.Summary()} {
			if strings.Contains(text, value) || !strings.Contains(text, "no backend called *** in dev") {
				t.Errorf("the %s shows the value, or more than it is left out:\n%s", what, text)
			}
			if strings.Contains(text, "::add-mask::"+value) {
				t.Errorf("the %s masks it on the runner", what)
			}
		}
	})
}

// leavesOut changes answers.
type leavesOut func(*http.Request) (*http.Response, error)

func (l leavesOut) RoundTrip(r *http.Request) (*http.Response, error) { return l(r) }

// TestFieldThatECSLeavesOut holds that a field which Register does not give back is told.
func TestFieldThatECSLeavesOut(t *testing.T) {
	at(t, fast, func(t *testing.T, s *site) {
		s.Push("v2", "")
		in := inputs("v2")
		in.TaskDefinition = s.file(`"name":"`+container+`"`, `"name":"`+container+`","memoryUnits":{"a":1}`)
		next := s.Env.Transport
		s.Env.Transport = leavesOut(func(r *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".RegisterTaskDefinition") {
				var body []byte
				body, err = io.ReadAll(answer.Body)
				body = bytes.ReplaceAll(body, []byte(`"memoryUnits":{"a":1}`), []byte(`"memory":null`))
				answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				answer.Header.Del("Content-Length")
			}
			return answer, err
		})
		out, err := s.deploy(in)
		wantOutcome(t, out, err, action.Succeeded)
		want := "containerDefinitions[0].memoryUnits was sent, and connect2-api-dev:2 does not have it"
		if told := s.Log.Text(); !strings.Contains(told, want) {
			t.Errorf("told:\n%s", told)
		}
	})
}
