package schedule

import "testing"

func TestParseName(t *testing.T) {
	for text, want := range map[string]Name{
		"rule:digest":                        {Rule: "digest"},
		"rule:default/digest":                {Rule: "digest", Bus: "default"},
		"rule:aws.partner/x.com/acme/digest": {Rule: "digest", Bus: "aws.partner/x.com/acme"},
		"schedule:digest":                    {Schedule: "digest"},
		"schedule:api/digest":                {Schedule: "digest", Group: "api"},
		"arn:aws:events:eu-west-1:123456789012:rule/digest":      {Rule: "digest"},
		"arn:aws:events:eu-west-1:123456789012:rule/team/digest": {Rule: "digest", Bus: "team"},
		"arn:aws:scheduler:eu-west-1:123456789012:schedule/g/n":  {Schedule: "n", Group: "g"},
	} {
		if got, err := ParseName(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"digest", "rule:", "schedule:/x", "schedule:a b", "schedule:a/b/c", "bus:x", "arn:aws:events",
		"arn:aws:events:eu-west-1:123456789012:schedule/g/n", "arn:aws:ecs:eu-west-1:123456789012:rule/x", "rule:" + string(make([]byte, 65))} {
		if got, err := ParseName(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
	for name, want := range map[Name]string{{Rule: "a"}: "rule:a", {Rule: "a", Bus: "default"}: "rule:a", {Rule: "a", Bus: "b"}: "rule:b/a",
		{Schedule: "a"}: "schedule:a", {Schedule: "a", Group: "g"}: "schedule:g/a"} {
		if name.String() != want {
			t.Errorf("got %s, want %s", name, want)
		}
	}
	for _, wrong := range []Name{{}, {Rule: "a", Schedule: "b"}, {Rule: "a", Group: "g"}, {Schedule: "a", Bus: "b"},
		{Schedule: "a", Group: "g/h"}} {
		if wrong.Check() == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}
