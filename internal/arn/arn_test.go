package arn

import "testing"

const definition = "arn:aws:ecs:us-west-2:123456789012:task-definition/api-dev:12"

func TestNames(t *testing.T) {
	for _, test := range []struct{ name, last, revision, family string }{
		{definition, "api-dev:12", "api-dev:12", "api-dev"},
		{"api-dev:3", "api-dev:3", "api-dev:3", "api-dev"},
		{"api-dev", "api-dev", "api-dev", "api-dev"},
		{"", "", "", ""},
		{"arn:aws:ecs:us-west-2:123456789012:task/cluster/0123456789abcdef", "0123456789abcdef",
			"arn:aws:ecs:us-west-2:123456789012:task/cluster/0123456789abcdef", "arn"},
		{"arn:aws-us-gov:ecs:us-gov-west-1:123456789012:task-definition/a:1", "a:1", "a:1", "a"},
	} {
		if got := Last(test.name); got != test.last {
			t.Errorf("Last(%q) = %q, want %q", test.name, got, test.last)
		}
		if got := Revision(test.name); got != test.revision {
			t.Errorf("Revision(%q) = %q, want %q", test.name, got, test.revision)
		}
		if got := Family(test.name); got != test.family {
			t.Errorf("Family(%q) = %q, want %q", test.name, got, test.family)
		}
	}
}

func TestNumberAndAccount(t *testing.T) {
	for _, test := range []struct {
		name    string
		number  int
		account string
	}{
		{definition, 12, "123456789012"},
		{"api-dev:3", 3, ""},
		{"api-dev", 0, ""},
		{"", 0, ""},
		{"api-dev:x", 0, ""},
		{"arn:aws:iam::123456789012:role/deploy", 0, "123456789012"},
		{"arn:aws:s3:::bucket", 0, ""},
		{"arn:aws:ecs:us-west-2:123456789012", 0, ""},
	} {
		if got := Number(test.name); got != test.number {
			t.Errorf("Number(%q) = %d, want %d", test.name, got, test.number)
		}
		if got := Account(test.name); got != test.account {
			t.Errorf("Account(%q) = %q, want %q", test.name, got, test.account)
		}
	}
}

func TestSibling(t *testing.T) {
	if got, want := Sibling(definition, "api-dev:11"), "arn:aws:ecs:us-west-2:123456789012:task-definition/api-dev:11"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Sibling("api-dev:12", "api-dev:11"); got != "api-dev:11" {
		t.Errorf("a name that is not an ARN gives no account: got %q", got)
	}
}
