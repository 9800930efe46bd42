package terraform

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What Terraform marks as sensitive in one place is hidden in every other, whatever a provider has made of it.
func TestSecretsAreKnownByTheirValue(t *testing.T) {
	const secret = `s3cr?t/p"w`
	quoted, _ := json.Marshal(secret)
	inner := string(quoted[1 : len(quoted)-1])
	same := object{"password": secret, "other": "x"}
	marks := object{"before_sensitive": object{"password": true}, "after_sensitive": object{"password": true}}
	for name, more := range map[string]struct {
		changes []object
		more    object
	}{
		"marked after": {[]object{change("aws_x.secret", create, nil, object{"v": secret}, object{"after_sensitive": object{"v": true}})}, nil},
		"marked before": {[]object{change("aws_x.secret", remove, object{"v": []any{"a", secret}}, nil,
			object{"before_sensitive": object{"v": []any{false, true}}})}, nil},
		"marked before, in place": {[]object{change("aws_x.secret", update, object{"v": secret}, object{"v": "new"},
			object{"before_sensitive": object{"v": true}})}, nil},
		"marked as a whole": {[]object{change("aws_x.secret", create, nil, object{"v": object{"deep": []any{secret}}},
			object{"after_sensitive": true})}, nil},
		"a document": {[]object{change("aws_x.secret", create, nil, object{"v": `{"password":"` + inner + `"}`},
			object{"after_sensitive": object{"v": true}})}, nil},
		"of a resource that stays as it is": {[]object{change("aws_x.secret", nothing, same, same, marks)}, object{
			"prior_state": object{"values": object{"root_module": object{"child_modules": []any{object{"resources": []any{
				object{"type": "aws_x", "values": same, "sensitive_values": object{"password": true}}}}}}}}}},
		"of a data source": {nil, object{"prior_state": object{"values": object{"root_module": object{"resources": []any{
			object{"type": "aws_secret", "values": object{"text": secret}, "sensitive_values": object{"text": true}}}}}}}},
		"of an output": {nil, object{"prior_state": object{"values": object{"outputs": object{
			"o": object{"sensitive": true, "value": secret}}}}}},
		"of an output that changes": {nil, object{"output_changes": object{
			"o": object{"actions": create, "before": nil, "after": secret, "after_sensitive": true}}}},
		"of a variable": {nil, object{"variables": object{"v": object{"value": object{"k": secret}}},
			"configuration": object{"root_module": object{"variables": object{"v": object{"sensitive": true}}}}}},
		"of what changed outside": {nil, object{"resource_drift": []any{
			change("aws_x.secret", update, object{"v": "old"}, object{"v": secret}, object{"after_sensitive": object{"v": true}})}}},
	} {
		t.Run(name, func(t *testing.T) {
			computed := object{
				"whole": secret, "url": "postgres://app:" + secret + "@db/app", "escaped": "postgres://app:s3cr%3Ft%2Fp%22w@db/app",
				"document": `{"a":"` + inner + `"}`, "list": []any{"a", secret}, "object": object{"k": secret}, secret: "as a name",
				"encoded":   base64.StdEncoding.EncodeToString([]byte(secret)),
				"user_data": base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\nexport PASSWORD=" + secret + "\n")),
			}
			old := object{}
			for name := range computed {
				old[name] = "old"
			}
			changes := append([]object{change("aws_x.new", create, nil, computed), change("aws_x.changed", update, old, computed)}, more.changes...)
			p := read(t, planOf(t, changes, more.more))
			var shown []string
			for _, c := range append(append(p.Changes, p.Drift...), p.Outputs...) {
				shown = append(shown, c.Lines()...)
				shown = append(shown, c.Folded()...)
			}
			text := strings.Join(shown, "\n")
			for _, form := range []string{secret, inner, "s3cr", "p%22w", base64.StdEncoding.EncodeToString([]byte(secret))[:10], "IyEvYmlu"} {
				if strings.Contains(text, form) {
					t.Errorf("%s stands in\n%s", form, text)
				}
			}
			for _, want := range []string{`url = "postgres://app:(sensitive)@db/app"`, `escaped = "postgres://app:(sensitive)@db/app"`,
				`"old" -> `} {
				if !strings.Contains(text, want) {
					t.Errorf("%s does not stand in\n%s", want, text)
				}
			}
			if got := p.Redact("Error: " + secret + " is too short"); got != "Error: (sensitive) is too short" {
				t.Error(got)
			}
		})
	}
}

// What a finding quotes of a value is hidden where it is a secret.
func TestFindingsHideSecrets(t *testing.T) {
	p := read(t, planOf(t, []object{
		change("aws_x.secret", create, nil, object{"v": "read-s3cr3t"}, object{"after_sensitive": object{"v": true}}),
		change("aws_s3_bucket_acl.a", create, nil, object{"acl": "public-read-s3cr3t"}),
	}, nil))
	const want = "everybody may use the bucket: public-(sensitive)"
	if len(p.Changes) != 2 || len(p.Changes[0].findings) != 1 || p.Changes[0].findings[0].Text != want {
		t.Errorf("%+v", p.Changes)
	}
}

// The digest may be shown: what is known by its value to be secret goes into it as a secret does.
func TestDigestSaltsSecretsKnownByTheirValue(t *testing.T) {
	plan := func(secret, beside string) []object {
		return []object{change("aws_x.a", create, nil, object{"v": secret}, object{"after_sensitive": object{"v": true}}),
			change("aws_x.b", create, nil, object{"url": "https://u:" + secret + "@h/" + beside})}
	}
	one, plain := digestOf(t, plan("hunter2-one", "x"), nil)
	two, plainToo := digestOf(t, plan("hunter2-two", "x"), nil)
	other, plainOther := digestOf(t, plan("hunter2-one", "y"), nil)
	if one.Same(two) || one.Same(other) || plain != plainToo || plain == plainOther {
		t.Errorf("the secret counts in the open part: %t; it counts at all: %t; the rest counts: %t", plain != plainToo, !one.Same(two),
			plain != plainOther)
	}
}

func TestHider(t *testing.T) {
	for _, test := range []struct{ secret, text, want string }{
		{"abcdef", "abcdef", SensitiveText},
		{"abcdef", "x abcdef y", "x (sensitive) y"},
		{"abcde", "abcde", SensitiveText},
		{"abcde", "x abcde y", "x abcde y"}, // too short to be looked for within a text
		{"abcd", "abcd", SensitiveText},
		{"abc", "abc", "abc"},
		{"äöü", "äöü", "äöü"},
		{"true", "true", "true"}, {"default", "default", "default"},
		{"abcdef", "", ""},
		{"abcdef", base64.StdEncoding.EncodeToString([]byte("it is abcdef here")), SensitiveText},
		{"abcdef", base64.RawURLEncoding.EncodeToString([]byte("it is abcdef here, ÿÿ>?")), SensitiveText},
		{"abcdef", base64.StdEncoding.EncodeToString([]byte("it is another one")),
			base64.StdEncoding.EncodeToString([]byte("it is another one"))},
		{"abcdef", base64.StdEncoding.EncodeToString([]byte("\xff it is abcdef here")),
			base64.StdEncoding.EncodeToString([]byte("\xff it is abcdef here"))},
	} {
		var h hider
		h.add(test.secret)
		h.add(test.secret)
		if got := h.hide(test.text); got != test.want {
			t.Errorf("%q in %q: %q, want %q", test.secret, test.text, got, test.want)
		}
		if got := h.within([]any{object{"k": test.text}}); got != (test.want != test.text) {
			t.Errorf("%q within %q: %t", test.secret, test.text, got)
		}
	}
	var h hider
	h.add([]any{"abcdef", "abcdefghi", json.Number("123456"), nil, false})
	if got := h.hide("abcdefghi and 123456"); got != "(sensitive) and (sensitive)" {
		t.Errorf("of two that begin alike: %q", got)
	}
	value := object{"n": json.Number("123456"), "m": json.Number("654321"), "b": true, "l": []any{"x", "abcdef"}, "abcdef": nil}
	if got, want := fmt.Sprint(h.clear(value)), "map[(sensitive):<nil> b:true l:[x (sensitive)] m:654321 n:(sensitive)]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fmt.Sprint(value["l"]); got != "[x abcdef]" {
		t.Errorf("the value itself was changed: %s", got)
	}
	for _, none := range []*hider{nil, {}} {
		if none.hide("abcdef") != "abcdef" || none.within("abcdef") || none.clear("abcdef") != "abcdef" {
			t.Error("without secrets something is hidden")
		}
	}
}

func TestNamesSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"password": true, "Master_Password": true, "db_password_wo": true, "PASSWORD_WO": true, "auth_token": true, "secret_string": true,
		"passwords": false, "mypassword": false, "password_length": false, "": false, "_wo": false, "wo": false, "password_w": false,
		"x_api_key": true,
	} {
		if got := namesSecret(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

// What changed outside of Terraform counts where it is what is applied, and only there.
func TestDigestOfDrift(t *testing.T) {
	plan := func(v string) *Plan {
		return read(t, planOf(t, nil, object{"resource_drift": []any{change("aws_x.a", update, object{"v": "1"}, object{"v": v},
			object{"mode": "managed"})}}))
	}
	for drift, same := range map[bool]bool{false: true, true: false} {
		b := Binding{Drift: drift}
		if got := plan("2").Digest(b).Same(plan("3").Digest(b)); got != same {
			t.Errorf("drift %t: the same is %t", drift, got)
		}
	}
}
