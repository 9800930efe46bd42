package regions

import "testing"

func TestWrong(t *testing.T) {
	const not = "is not an AWS region: "
	for region, want := range map[string]string{
		"us-west-2":      "",
		"us-west-9":      "", // a new one of a known area
		"nz-north-1":     "", // a new area
		"us-gov-east-1":  "",
		"eusc-de-east-1": "",
		"us-mars-1":      "", // far from all, and of the form: AWS says what it is
		"us-wset-2":      not + "did you mean us-west-2?",
		"us-est-1":       not + "did you mean us-east-1?",
		"eu-centrall-1":  not + "did you mean eu-central-1?",
		"us west 2":      not + "did you mean us-west-2?",
		"us-west2":       not + "did you mean us-west-2?",
		"us-west-2a":     not + "did you mean us-west-2?",
		"US-WEST-2":      not + "did you mean us-west-2?",
		"us_west_2":      not + "did you mean us-west-2?",
		"Oregon":         not + "a name such as us-west-2",
		"":               not + "a name such as us-west-2",
	} {
		if got := Wrong(region); got != want {
			t.Errorf("%q %q, want %q", region, got, want)
		}
	}
}

func TestKnownArea(t *testing.T) {
	for region, want := range map[string]bool{"us-west-2": true, "us-west-3": true, "us-wset-2": false, "nz-north-1": false, "dev": false} {
		if KnownArea(region) != want {
			t.Errorf("%s: %v", region, !want)
		}
	}
}
