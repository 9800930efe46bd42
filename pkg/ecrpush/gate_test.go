package ecrpush

import (
	"strings"
	"testing"
	"time"

	"github.com/org/connect2/v2/pkg/image"
)

func TestParseIgnores(t *testing.T) {
	got, problems := parseIgnores(map[string]string{"cve-2026-1": " 2026-03-01 not reachable ", "CVE-2": "soon", "CVE-3": ""})
	if len(problems) != 2 || !strings.Contains(problems[0].Error(), "CVE-2=YYYY-MM-DD") {
		t.Errorf("%q", problems)
	}
	want := ignored{until: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), reason: "not reachable"}
	if got["CVE-2026-1"] != want {
		t.Errorf("%+v", got)
	}
}

// Each row differs from the first in one thing that decides.
func TestJudge(t *testing.T) {
	now := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
	high := image.Finding{Name: "CVE-1", Severity: "HIGH"}
	until := func(day string) map[string]ignored {
		all, _ := parseIgnores(map[string]string{"CVE-1": day + " why"})
		return all
	}
	for _, test := range []struct {
		name    string
		finding image.Finding
		rules   rules
		counts  bool
		fresh   bool
		because string
	}{
		{"as grave as asked for", high, rules{severity: "HIGH"}, true, true, ""},
		{"graver", image.Finding{Name: "CVE-1", Severity: "CRITICAL"}, rules{severity: "HIGH"}, true, true, ""},
		{"less grave", image.Finding{Name: "CVE-1", Severity: "MEDIUM"}, rules{severity: "HIGH"}, false, true, ""},
		{"of a severity that nobody knows", image.Finding{Name: "CVE-1", Severity: "AWFUL"}, rules{severity: "CRITICAL"}, true, true, ""},
		{"not judged yet", image.Finding{Name: "CVE-1", Severity: "UNTRIAGED"}, rules{severity: "LOW"}, false, true, ""},
		{"known before", high, rules{severity: "HIGH", before: []image.Finding{high}}, true, false, ""},
		{"ignored, on the last day", high, rules{severity: "HIGH", ignores: until("2026-03-01")}, false, true, "ignored until 2026-03-01 why"},
		{"ignored until yesterday", high, rules{severity: "HIGH", ignores: until("2026-02-28")}, true, true, "its exception ended on 2026-02-28"},
		{"another is ignored", image.Finding{Name: "CVE-2", Severity: "HIGH"},
			rules{severity: "HIGH", ignores: until("2026-03-01")}, true, true, ""},
	} {
		got, unscanned := judge([]image.Scan{{Findings: []image.Finding{test.finding}}}, test.rules, now)
		if len(got) != 1 || len(unscanned) > 0 || got[0].Counts != test.counts || got[0].New != test.fresh || got[0].Because != test.because {
			t.Errorf("%s: %+v, %q", test.name, got, unscanned)
		}
	}
	old := image.Finding{Name: "CVE-0", Severity: "CRITICAL"}
	got, unscanned := judge([]image.Scan{{Digest: "sha256:0123456789abcdef", Missing: "ECR says FAILED"},
		{Findings: []image.Finding{{Name: "CVE-9", Severity: "LOW"}, old, high, high}}},
		rules{severity: "HIGH", before: []image.Finding{old}}, now)
	var names []string
	for _, f := range got {
		names = append(names, f.Name)
	}
	if strings.Join(names, " ") != "CVE-1 CVE-0 CVE-9" || len(unscanned) != 1 ||
		!strings.Contains(unscanned[0], "0123456789ab: ECR says FAILED") {
		t.Errorf("%q, %q; want what is new first, then the gravest, each once", names, unscanned)
	}
}
