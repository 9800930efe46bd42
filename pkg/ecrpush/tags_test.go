package ecrpush

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTags(t *testing.T) {
	all := known{sha: "4f2c9e1", branch: "feature/ÄB_c.1", day: time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("", 3600))}
	for _, test := range []struct {
		k    known
		tag  string
		want string // or words of the error after a !
	}{
		{all, "v1", "v1"},
		{all, "{sha}", "4f2c9e1"},
		{all, "{branch}", "feature--B_c.1"},
		{all, "{date}", "20260228"},
		{all, "{branch}-{sha}-{date}-{sha}", "feature--B_c.1-4f2c9e1-20260228-4f2c9e1"},
		{all, "{commit}", "!there is no {commit}; known are {sha}, {branch} and {date}"},
		{all, "{SHA}", "!there is no {SHA}"},
		{all, "{sha", "!is not a tag"},
		{all, "a/{sha}", "!is not a tag"},
		{known{branch: "main"}, "{sha}", "!GITHUB_SHA is not set"},
		{known{sha: "1"}, "{branch}", "!the branch is not known"},
		{known{branch: "-.x"}, "{branch}", "x"},
		{known{branch: "///"}, "{branch}", "!the branch is not known"},
		{known{branch: strings.Repeat("b", 300)}, "{branch}", strings.Repeat("b", 100)},
	} {
		got, err := test.k.tags([]string{test.tag})
		words, fails := strings.CutPrefix(test.want, "!")
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), words)):
			t.Errorf("%s: %q, %v; want an error with %q", test.tag, got, err, words)
		case !fails && (err != nil || !slices.Equal(got, []string{test.want})):
			t.Errorf("%s: %q, %v; want %s", test.tag, got, err, test.want)
		}
	}
	if problems := checkTags([]string{"{sha}-{branch}", "{date}", "{x}", "{sha}/a"}); len(problems) != 2 {
		t.Errorf("%q", problems)
	}
}
