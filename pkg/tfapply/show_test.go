package tfapply

import (
	"fmt"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/render"
	"github.com/org/connect2/v2/pkg/terraform"
)

// changing returns a session on GitHub and a plan of n resources.
func changing(n int, run string) (*session, *planned) {
	s := &session{
		env: &action.Env{GitHub: action.GitHub{Server: "https://github.com", Repository: "org/service", RunID: "7" + run, RunNumber: run,
			SHA: strings.Repeat("ab", 20)}},
		in: Inputs{Environment: "dev"}, dir: "/r/terraform/dev", root: "/r",
	}
	p := &planned{digest: terraform.Digest{Whole: "sha256:" + strings.Repeat("0f", 32), Actions: "12345678"}}
	p.review.Totals = terraform.Totals{Change: n}
	for i := range n {
		p.review.Findings = append(p.review.Findings, terraform.Finding{Risk: terraform.Exposure, Address: fmt.Sprint("aws_x.r", i),
			Text: "can be reached from the internet"})
		p.review.Resources = append(p.review.Resources, terraform.Change{
			Address: fmt.Sprint("aws_x.r", i), Action: terraform.Update, Attributes: []terraform.Attribute{{Path: "a", Before: "1",
				After: "<!-- connect2 history -->"}},
		})
	}
	return s, p
}

func TestCommentBody(t *testing.T) {
	s, p := changing(1, "1")
	want := `<!-- connect2 tf-apply terraform%2Fdev%20dev%20 -->
<!-- connect2 plan-digest ` + p.digest.String() + ` -->
## Plan of dev

**0 to add, 1 to change, 0 to destroy.**

### Risks

| Risk | Resource | What happens |
|---|---|---|
| **Security opening** | ` + "`aws_x.r0`" + ` | can be reached from the internet |

### By resource

<details><summary>&#126; aws&#95;x.r0</summary>

` + "```diff\n! a = 1 -> <!-- connect2 history -->\n```" + `

</details>

Commit abababababab, [run 1](https://github.com/org/service/actions/runs/71)

<!-- connect2 history -->
<details><summary>Plans so far</summary>

- 0 to add, 1 to change, 0 to destroy, ` + "`sha256:0f0f0f0f0f0f`" + `, [run 1](https://github.com/org/service/actions/runs/71)

</details>

`
	if got := s.commentBody(p, ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if m := markedDigest.FindStringSubmatch(want); m == nil || m[1] != p.digest.String() {
		t.Errorf("the digest in the comment is read as %q", m)
	}
}

// However many plans there were and however large they are, a comment stays within GitHub's limit, and lists the newest plans.
func TestCommentKeepsWithinTheLimitAndItsHistory(t *testing.T) {
	body := ""
	for run := 1; run <= 30; run++ {
		s, p := changing(1500+run, fmt.Sprint(run))
		body = s.commentBody(p, body)
		if len(body) > render.CommentLimit {
			t.Fatalf("run %d: %d bytes", run, len(body))
		}
	}
	listed := strings.Count(body, "<details>") - 1
	if want := fmt.Sprintf("… %d more changes do not fit here; the totals above count them, and the job's log lists them.\n",
		1530-listed); !strings.Contains(body, want) {
		t.Errorf("%d are listed, and %q is not said", listed, want)
	}
	_, history, _ := strings.Cut(body, "Plans so far")
	var got, want []string
	for line := range strings.Lines(history) {
		if strings.HasPrefix(line, "- ") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	for run := 30; run > 10; run-- {
		want = append(want, fmt.Sprintf("- 0 to add, %d to change, 0 to destroy, `sha256:0f0f0f0f0f0f`, [run "+
			"%d](https://github.com/org/service/actions/runs/7%[2]d)", 1500+run, run))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the plans so far are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A comment whose list stands in the fold, as they were written first, keeps its plans; what is not a line of a plan does not come along.
func TestHistoryReadsOnlyPlans(t *testing.T) {
	s, p := changing(1, "9")
	before := "<details><summary>Plans so far</summary>\n\n<!-- connect2 history -->\n" +
		"- 1 to add, 0 to change, 0 to destroy, `sha256:0123`, [run 8](https://github.com/o/r/actions/runs/1)\n" +
		"- 1 to add, `sha256:0123`, [run 7](javascript:alert)\n- **bold**\n- 2 to add, `sha256:0124`, run \n\n</details>\n"
	got := render.Section(s.history(p, before))
	for text, want := range map[string]bool{
		"- 1 to add, 0 to change, 0 to destroy, `sha256:0123`, [run 8](https://github.com/o/r/actions/runs/1)\n": true,
		"- 2 to add, `sha256:0124`, run\n": true, "- 1 to add, `sha256:0123`, run 7\n": true, "bold": false, "javascript": false,
	} {
		if strings.Contains(got, text) != want {
			t.Errorf("%q is there: %t, in\n%s", text, !want, got)
		}
	}
}

func TestDriftBodyKeepsWithinTheLimit(t *testing.T) {
	s, p := changing(2000, "4")
	body := s.driftBody(p)
	if len(body) > render.CommentLimit || !strings.HasPrefix(body, s.marker()+"\n## Drift of dev\n") ||
		!strings.HasSuffix(body, "\n[run 4](https://github.com/org/service/actions/runs/74)\n\n") {
		t.Errorf("%d bytes: %.100q … %q", len(body), body, body[len(body)-100:])
	}
}

func TestCutOffSection(t *testing.T) {
	s, _ := changing(0, "1")
	cut := []terraform.CutOff{{Address: `aws_x.a["b|c"]`, Action: "delete"}}
	for _, test := range []struct {
		name    string
		applied terraform.Applied
		want    bool
	}{
		{"interrupted", terraform.Applied{Interrupted: true, CutOff: cut}, true},
		{"its state is not saved", terraform.Applied{Unsaved: "errored.tfstate", CutOff: cut}, true},
		{"neither", terraform.Applied{CutOff: cut}, false},
		{"nothing was under way", terraform.Applied{Interrupted: true}, false},
	} {
		got := render.Section(s.cutOffSection(test.applied))
		if strings.Contains(got, "<code>aws&#95;x.a&#91;\"b&#124;c\"&#93;</code> | delete | ") != test.want || (got == "") == test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
