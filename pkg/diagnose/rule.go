package diagnose

import (
	"os"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
)

// A rule turns a text into a cause. Titles and fixes are templates: ${name} is a named group of the expression or one of
// the variables of the failure (cluster, service, family, container, code, group, …).
type rule struct {
	code    string
	re      *lazyregexp.Regexp
	title   string
	fix     []string
	fault   record.Fault
	certain bool
}

// vars are the values that templates may name.
type vars map[string]string

// with returns a copy of v with the named groups of a match added; empty groups leave v's own values alone. Go refuses two
// groups of one name, so that alternatives number theirs: role2 is another way to find the role.
func (v vars) with(re *lazyregexp.Regexp, match []string) vars {
	out := make(vars, len(v)+len(match))
	for name, value := range v {
		out[name] = value
	}
	for i, name := range re.SubexpNames() {
		if name != "" && i < len(match) && match[i] != "" {
			out[strings.TrimRight(name, "23")] = match[i]
		}
	}
	return out
}

// expand fills in a template. A value that is not known becomes its name in capitals, as a command's placeholder would be.
func (v vars) expand(template string) string {
	return os.Expand(template, func(name string) string {
		if value := v[name]; value != "" {
			return value
		}
		return strings.ToUpper(strings.ReplaceAll(name, "_", "-"))
	})
}

var aside = lazyregexp.New(` \(\$\{(\w+)\}\)`)

// withoutAsides leaves out of a title what would stand in brackets, where that is not known.
func (v vars) withoutAsides(title string) string {
	return aside.ReplaceAllStringFunc(title, func(text string) string {
		if v[aside.FindStringSubmatch(text)[1]] == "" {
			return ""
		}
		return text
	})
}

// cause applies a rule whose expression has matched; quote is the text to show as evidence.
func (r rule) cause(v vars, match []string, quote string) record.Finding {
	v = v.with(r.re, match)
	c := record.Finding{Code: r.code, Title: Redact(v.expand(v.withoutAsides(r.title))), Fault: r.fault, Certain: r.certain}
	for _, fix := range r.fix {
		c.Fix = append(c.Fix, Redact(v.expand(fix)))
	}
	if quote != "" {
		c.Evidence = []string{Redact(Printable(quote))}
	}
	return c
}

// first applies the first rule that matches text. AWS writes some apostrophes typographically: both forms match.
func first(rules []rule, v vars, text string) (record.Finding, bool) {
	plain := strings.ReplaceAll(text, "’", "'")
	for _, r := range rules {
		if m := r.re.FindStringSubmatch(plain); m != nil {
			return r.cause(v, m, text), true
		}
	}
	return record.Finding{}, false
}

// inLines applies the first rule that matches any line, looking from the last line back; it returns the line's index.
func inLines(rules []rule, v vars, lines []string) (record.Finding, int) {
	for _, r := range rules {
		for i := len(lines) - 1; i >= 0; i-- {
			if m := r.re.FindStringSubmatch(lines[i]); m != nil {
				return r.cause(v, m, ""), i
			}
		}
	}
	return record.Finding{}, -1
}
