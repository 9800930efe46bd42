package ecsrollback_test

import (
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/sandbox"
)

// TestSchedulesGoAlong takes schedules to the revision that serves after a rollback, those alone that run what was left.
func TestSchedulesGoAlong(t *testing.T) {
	for name, tt := range map[string]struct {
		schedules []string
		fault     sandbox.Fault
		rule      string
		want      action.Outcome
		told      string
	}{
		"found": {nil, sandbox.Fault{}, ":2", action.Succeeded,
			"rule:digest is pointed at connect2-api-dev:2 (it ran connect2-api-dev:3)"},
		"named":     {[]string{"rule:digest"}, sandbox.Fault{}, ":2", action.Succeeded, "rule:digest is pointed"},
		"left":      {[]string{"none"}, sandbox.Fault{}, ":3", action.Succeeded, ""},
		"not there": {[]string{"rule:none"}, sandbox.Fault{}, ":3", action.Invalid, ""},
		"may not be read": {nil, sandbox.Fault{Action: "events:*", Answer: sandbox.Deny}, ":3", action.Succeeded,
			"schedules are not looked for"},
		"cannot be read": {nil, sandbox.Fault{Action: "scheduler:ListSchedules", Answer: sandbox.Refuse, Code: "ValidationException"}, ":3",
			action.Succeeded, "whether schedules run what was left could not be read"},
		"cannot be changed": {nil, sandbox.Fault{Action: "events:PutTargets", Answer: sandbox.Deny}, ":3", action.Stuck, ""},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, fast, func(t *testing.T, s *site) {
				s.PutRule("digest", family+":3")
				s.PutRule("older", family+":1")
				s.PutRule("other", "other:3")
				if tt.fault.Action != "" {
					if err := s.Sandbox.Inject(tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				in := inputs("previous")
				in.Schedules = tt.schedules
				out, err := s.rollback(in)
				outcome := out.Outcome
				if err != nil {
					outcome = action.OutcomeOf(err)
				}
				if outcome != tt.want || !strings.Contains(s.Log.Text(), tt.told) {
					t.Errorf("outcome %s, want %s: %v\n%s", outcome, tt.want, err, s.Log.Text())
				}
				s.Sandbox.ClearFaults()
				for rule, want := range map[string]string{"digest": family + tt.rule, "older": family + ":1", "other": "other:3"} {
					if got := s.RuleRuns(rule); got != want {
						t.Errorf("%s runs %s, want %s", rule, got, want)
					}
				}
			})
		})
	}
}
