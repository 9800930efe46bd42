package iamtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/sandbox/policy"
)

const (
	tablesBegin = "<!-- permissions -->\n"
	tablesEnd   = "<!-- /permissions -->\n"
)

// TestPolicyTables holds the tables of docs/iam/README.md to the policies.
func TestPolicyTables(t *testing.T) {
	old, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(old), tablesBegin)
	_, after, ended := strings.Cut(rest, tablesEnd)
	if !found || !ended {
		t.Fatalf("docs/iam/README.md: no %q and %q to write the tables between", tablesBegin, tablesEnd)
	}
	var tables strings.Builder
	for _, p := range all() {
		p.table(t, &tables)
	}
	upToDate(t, "README.md", before+tablesBegin+tables.String()+tablesEnd+after)
}

// table writes what an action's permissions are for.
func (p permissions) table(t *testing.T, to *strings.Builder) {
	t.Helper()
	name := p.file()
	fmt.Fprintf(to, "### %s\n\n[%[1]s.json](%[1]s.json)\n\n| statement | permissions | on | what for |\n|---|---|---|---|\n", name)
	for _, st := range read(t, name) {
		i := slices.IndexFunc(p.statements, func(about statement) bool { return about.sid == st.Sid })
		if i < 0 {
			t.Fatalf("docs/iam/%s.json: nothing is known of the statement %s", name, st.Sid)
		}
		about := p.statements[i]
		what := about.why
		if about.only != "" {
			what += "; needed for " + about.only
		}
		if about.optional() {
			what = "*optional*: without it, " + what
		}
		var on []string
		for _, resource := range st.Resource {
			on = append(on, short(resource))
		}
		slices.Sort(on)
		if strings.Contains(string(st.Condition), "ecs:cluster") {
			on = append(on, "in `{cluster}`")
		}
		fmt.Fprintf(to, "| %s | %s | %s | %s |\n", st.Sid, "`"+strings.Join(st.Action, "`, `")+"`", strings.Join(on, ", "), what)
	}
	to.WriteString("\n")
}

// short leaves out of an ARN what is the same in all.
func short(resource string) string {
	if resource == "*" {
		return "`*`"
	}
	parts := strings.SplitN(resource, ":", 6)
	return "`" + parts[len(parts)-1] + "`"
}

// read reads a policy of docs/iam.
func read(t *testing.T, name string) []policyStatement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Statement []policyStatement }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	return document.Statement
}

// mostCharacters is how long a managed policy may be, white space not counted
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
const mostCharacters = 6144

// TestPolicyForm holds what IAM asks of a policy's form, and that the README explains every placeholder.
func TestPolicyForm(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	sid, placeholder := regexp.MustCompile(`^[A-Za-z0-9]+$`), regexp.MustCompile(`\{[a-z-]+\}`)
	for _, p := range all() {
		name := p.file()
		text, err := os.ReadFile(filepath.Join(folder, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Parse(text); err != nil {
			t.Errorf("%s.json: %v", name, err)
		}
		for _, found := range placeholder.FindAllString(string(text), -1) {
			if !strings.Contains(string(readme), "| `"+found+"` |") {
				t.Errorf("docs/iam/README.md does not explain %s", found)
			}
		}
		filled := strings.NewReplacer("{partition}", "aws-us-gov", "{account}", account, "{region}", "us-gov-east-1").Replace(string(text))
		filled = placeholder.ReplaceAllString(filled, strings.Repeat("x", 40)) // longer than most names
		if n := len(strings.Join(strings.Fields(filled), "")); n > mostCharacters {
			t.Errorf("%s.json: %d characters when it is filled in: IAM takes %d", name, n, mostCharacters)
		}
		seen := map[string]bool{}
		for _, st := range read(t, name) {
			if !sid.MatchString(st.Sid) || seen[st.Sid] {
				t.Errorf("%s.json: Sid %q is there twice or holds what IAM does not take", name, st.Sid)
			}
			seen[st.Sid] = true
		}
	}
}
