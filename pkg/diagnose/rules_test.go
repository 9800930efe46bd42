package diagnose

import (
	"regexp"
	"strings"
	"testing"
)

var tables = map[string][]rule{"start": startRules, "placement": placementRules, "log": logRules, "log of a task": taskLogRules(),
	"health":     healthRules,
	"deployment": deploymentRules, "event": eventRules}

// The patterns compile on first use, and templates name only what a match or the failure can fill in: a mistake in a rule
// that hardly ever matches must not wait for that day.
func TestRulesAreSound(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	name := regexp.MustCompile(`\$\{(\w+)\}`)
	known := Evidence{}.varsOf(Task{}, "")
	known["port"], known["group"] = "", ""
	for table, rules := range tables {
		for _, r := range rules {
			groups := map[string]bool{}
			for _, group := range r.re.SubexpNames() {
				groups[strings.TrimRight(group, "23")] = true
			}
			if !code.MatchString(r.code) || r.title == "" || len(r.fix) == 0 || r.fault == "" {
				t.Errorf("%s: incomplete rule %+v", table, r)
			}
			for _, text := range append([]string{r.title}, r.fix...) {
				if got := Redact(text); got != text {
					t.Errorf("%s, %s: of our own words %q only %q would be shown", table, r.code, text, got)
				}
				for _, m := range name.FindAllStringSubmatch(text, -1) {
					if _, ok := known[m[1]]; !ok && !groups[m[1]] {
						t.Errorf("%s, %s: nothing fills in %s in %q", table, r.code, m[0], text)
					}
				}
			}
		}
	}
}
