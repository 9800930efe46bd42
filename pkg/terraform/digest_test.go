package terraform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// digestOf returns the digest of a plan, and what stands in it as a plain hash: everything but what went through argon2id.
func digestOf(t *testing.T, changes []object, more object) (d Digest, plain string) {
	t.Helper()
	p := read(t, planOf(t, changes, more))
	for _, f := range p.trace.changes {
		plain += fmt.Sprintf("%q %x\n", f.address, f.sum.Sum(nil))
	}
	return p.Digest(Binding{Configuration: "c"}), plain
}

// TestDigestSaltsEverySecret changes a secret that only one thing tells to be one. The digest differs, but not where it is a plain
// hash: whoever has a guess would only need to hash it.
func TestDigestSaltsEverySecret(t *testing.T) {
	for _, test := range []struct {
		name string
		plan func(secret string) ([]object, object)
	}{
		{"by its name", func(s string) ([]object, object) {
			return []object{change("aws_x.a", create, nil, object{"master_password": s})}, nil
		}},
		{"by its name, before", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"auth_token": s}, object{"auth_token": "new"})}, nil
		}},
		{"by its name, inside a document", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"doc": `{"api_key":"old"}`}, object{"doc": `{"api_key":"` + s + `"}`})}, nil
		}},
		{"by its name, inside what is told as a whole", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"list": "none"}, object{"list": []any{object{"api_key": s}}},
				object{"after_sensitive": object{"list": []any{object{"api_key": true}}}})}, nil
		}},
		{"by its name, inside a list that is new", func(s string) ([]object, object) {
			return []object{change("aws_x.a", create, nil, object{"list": []any{object{"api_key": s}}})}, nil
		}},
		{"by its name, inside a list that was", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"list": []any{object{"api_key": s}}}, object{"list": "none"})}, nil
		}},
		{"by its name, inside a document that is new", func(s string) ([]object, object) {
			return []object{change("aws_x.a", create, nil, object{"doc": ` [{"a":{"api_key":"` + s + `"}}]`})}, nil
		}},
		{"marked before", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"v": s}, object{"v": "new"}, object{"before_sensitive": object{"v": true}})}, nil
		}},
		{"marked after", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"v": "old"}, object{"v": s}, object{"after_sensitive": object{"v": true}})}, nil
		}},
		{"a part that is marked before", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"v": []any{"open", s}}, object{"v": "none"},
				object{"before_sensitive": object{"v": []any{false, true}}})}, nil
		}},
		{"a part that is marked after", func(s string) ([]object, object) {
			return []object{change("aws_x.a", update, object{"v": "none"}, object{"v": []any{"open", s}},
				object{"after_sensitive": object{"v": []any{false, true}}})}, nil
		}},
		{"known from elsewhere, before", func(s string) ([]object, object) {
			return []object{change("aws_x.b", create, nil, object{"v": s}, object{"after_sensitive": object{"v": true}}),
				change("aws_x.a", update, object{"v": s}, object{"v": "new"})}, nil
		}},
		{"known from elsewhere, after", func(s string) ([]object, object) {
			return []object{change("aws_x.b", create, nil, object{"v": s}, object{"after_sensitive": object{"v": true}}),
				change("aws_x.a", update, object{"v": "old"}, object{"v": s})}, nil
		}},
		{"an output", func(s string) ([]object, object) {
			return nil, object{"output_changes": object{"o": object{"actions": create, "before": nil, "after": s, "after_sensitive": true}}}
		}},
		{"a variable", func(s string) ([]object, object) {
			return nil, object{"variables": object{"x": object{"value": s}}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changes, more := test.plan("s3cr3t-1")
			one, plainOne := digestOf(t, changes, more)
			changes, more = test.plan("s3cr3t-2")
			two, plainTwo := digestOf(t, changes, more)
			if one.Same(two) {
				t.Error("two plans with different secrets have the same digest")
			}
			if plainOne != plainTwo {
				t.Errorf("the secret stands in a plain hash:\n%s\n%s", plainOne, plainTwo)
			}
		})
	}
}

// What of a value is open, although a part of it is secret or not known yet, is not a secret.
func TestDigestOfOpenParts(t *testing.T) {
	marks := object{"after_sensitive": object{"v": []any{false, true}}, "after_unknown": object{"v": []any{false, false, true}}}
	list := func(open string) []object {
		return []object{change("aws_x.a", update, object{"v": "none"}, object{"v": []any{open, "secret", nil}}, marks)}
	}
	_, one := digestOf(t, list("1"), nil)
	_, two := digestOf(t, list("2"), nil)
	if one == two {
		t.Error("the open part of a value with a secret does not count")
	}
	unknown := func(more ...object) []object {
		return []object{change("aws_x.a", update, object{"v": "none"}, object{"v": []any{"x", nil}}, more...)}
	}
	_, one = digestOf(t, unknown(), nil)
	_, two = digestOf(t, unknown(object{"after_unknown": object{"v": []any{false, true}}}), nil)
	if one == two {
		t.Error("a part that is not known yet counts as one that is null")
	}
	null := func(v object) []object {
		return []object{change("aws_x.a", update, object{"v": "none"}, object{"v": []any{v}})}
	}
	_, one = digestOf(t, null(object{}), nil)
	_, two = digestOf(t, null(object{"a": nil}), nil)
	if one == two {
		t.Error("a null counts as nothing")
	}
	old := func(v any, more ...object) []object {
		more = append(more, object{"after_unknown": object{"v": true}})
		return []object{change("aws_x.a", update, object{"v": v}, object{}, more...)}
	}
	first, _ := digestOf(t, old("1"), nil)
	second, _ := digestOf(t, old("2"), nil)
	if !first.Same(second) {
		t.Error("the old value of what becomes known during apply counts")
	}
	first, _ = digestOf(t, old(object{"open": "1", "k": "a"}, object{"before_sensitive": object{"v": object{"k": true}}}), nil)
	second, _ = digestOf(t, old(object{"open": "2", "k": "b"}, object{"before_sensitive": object{"v": object{"k": true}}}), nil)
	if !first.Same(second) {
		t.Error("the old value of what becomes known during apply counts where a part of it is secret")
	}
}

// TestDigestTellsWhatHappens changes one thing of a change at a time.
func TestDigestTellsWhatHappens(t *testing.T) {
	base := func() object { return change("aws_x.a", update, object{"v": "1"}, object{"v": "2"}) }
	reference, _ := digestOf(t, []object{base()}, nil)
	for _, test := range []struct {
		name string
		edit func(object)
		told string
	}{
		{"the type", func(c object) { c["type"] = "aws_y" }, "values"},
		{"a move", func(c object) { c["previous_address"] = "aws_x.before" }, "values"},
		{"an import", func(c object) { c["change"].(object)["importing"] = object{"id": "i"} }, "values"},
		{"the action", func(c object) { c["change"].(object)["actions"] = safely }, "what happens"},
		{"the address", func(c object) { c["address"] = "aws_x.b" }, "what happens"},
		{"what an interrupted replacement left", func(c object) { c["deposed"] = "0a1b" }, "what happens"},
	} {
		c := base()
		test.edit(c)
		got, _ := digestOf(t, []object{c}, nil)
		if told := strings.Join(got.Differs(reference), "; "); !strings.Contains(told, test.told) {
			t.Errorf("%s: differs in %q, want %q", test.name, told, test.told)
		}
	}
}

// The order in which Terraform lists resources does not count, also where there are secrets.
func TestDigestIsInOneOrder(t *testing.T) {
	changes := func() []object {
		return []object{
			change("aws_x.a", create, nil, object{"password": "1", "v": "1"}), change("aws_x.b", create, nil, object{"password": "2", "v": "2"}),
			change("aws_x.c", create, nil, object{"password": "3", "v": "3"}),
		}
	}
	reference, _ := digestOf(t, changes(), nil)
	reversed := changes()
	slices.Reverse(reversed)
	if got, _ := digestOf(t, reversed, nil); !got.Same(reference) {
		t.Errorf("differs in %q", got.Differs(reference))
	}
}

// TestDigestIsTheSameInEveryVersion holds the format: a plan is reviewed by one version of this program and may be applied by the
// next, which reads the digest from a comment.
func TestDigestIsTheSameInEveryVersion(t *testing.T) {
	p := read(t, planOf(t, []object{
		change("aws_x.a", update, object{"v": "<1>", "pw": "a"}, object{"v": "2&", "pw": "b"}, object{"before_sensitive": object{"pw": true},
			"after_sensitive": object{"pw": true}}),
		change("aws_x.b", replace, object{"id": "i", "v": 1}, object{"v": 9007199254740993}, object{"after_unknown": object{"id": true}}),
		change("aws_x.c", remove, object{"id": "c"}, nil),
	}, object{
		"variables":      object{"x": object{"value": "1"}},
		"output_changes": object{"gone": object{"actions": remove, "before": "x", "after": nil}},
	}))
	const want = "sha256:a108a6058809b37569bf23ec52bd74da0b273e9f999fe8d377b92eae272e8a50;configuration=2e7d2c03;" +
		"versions=4c94485e;inputs=6e0953b8;actions=abc89b95;values=3b2cca67"
	if got := p.Digest(Binding{Configuration: "c", Versions: "v", Inputs: "i"}).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := stretched(nil, "c"); got != nil {
		t.Errorf("nothing is stretched to %x", got)
	}
	if one, two := stretched([]byte("a"), "c"), stretched([]byte("a"), "d"); len(one) != 32 || bytes.Equal(one, two) {
		t.Errorf("%x and %x", one, two)
	}
	if got := canonical(func() {}); got != "?" {
		t.Errorf("what is not JSON is written as %q", got)
	}
}

// TestCanonical writes text as JSON does, whichever way it takes.
func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"plain ~":  `"plain ~"`,
		"<1> & 2":  `"<1> & 2"`,
		"<1>\n":    `"<1>\n"`, // HTML is not written otherwise beside what has to be
		`a"b`:      `"a\"b"`,
		`"`:        `"\""`,
		`\`:        `"\\"`,
		`a\b`:      `"a\\b"`,
		"a\x1fb":   `"a\u001fb"`,
		"a\u2028b": `"a\u2028b"`,
		"a\xffb":   `"a\ufffdb"`,
	} {
		if got := canonical(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// TestDigestOfActionsThatDrifted counts what changed outside of Terraform only where that is what is applied.
func TestDigestOfActionsThatDrifted(t *testing.T) {
	drifted := func(name string) *Plan {
		return read(t, planOf(t, nil, object{"resource_drift": []object{change(name, update, object{"v": "1"}, object{"v": "2"})}}))
	}
	one, other := drifted("aws_x.a"), drifted("aws_x.b")
	if !one.Digest(Binding{}).Same(other.Digest(Binding{})) {
		t.Error("drift counts in an ordinary plan")
	}
	if told := one.Digest(Binding{Drift: true}).Differs(other.Digest(Binding{Drift: true})); len(told) != 2 {
		t.Errorf("with another resource that drifted the digests differ in %q, want what happens, and the values", told)
	}
}

func TestDigestDiffers(t *testing.T) {
	whole := Digest{Whole: "sha256:1", Configuration: "a", Versions: "a", Inputs: "a", Actions: "a", Values: "a"}
	with := func(edit func(*Digest)) Digest {
		d := whole
		d.Whole = "sha256:2"
		edit(&d)
		return d
	}
	for _, test := range []struct {
		name        string
		one, other  Digest
		differences int
		says        string
	}{
		{"the same", whole, whole, 0, ""},
		{"the same, as far as one knows", whole, Digest{Whole: "sha256:1", Actions: "b"}, 0, ""},
		{"one part", whole, with(func(d *Digest) { d.Versions = "b" }), 1, "the version"},
		{"two parts", whole, with(func(d *Digest) { d.Versions, d.Actions = "b", "b" }), 2, "what happens"},
		{"the other does not know it", whole, with(func(d *Digest) { d.Versions = "" }), 0, ""},
		{"this one does not know it", with(func(d *Digest) { d.Versions = "" }), whole, 0, ""},
	} {
		got := test.one.Differs(test.other)
		if len(got) != test.differences || !strings.Contains(strings.Join(got, "; "), test.says) {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
