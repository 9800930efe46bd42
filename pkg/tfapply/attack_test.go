package tfapply

import (
	"regexp"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/terraform"
)

// TestForeignTextInComments has names, values and IDs of a plan attack the comment: they neither end the block that they stand in, nor
// forge the marks by which a comment and its digest are known, nor call anybody.
func TestForeignTextInComments(t *testing.T) {
	digest := "<!-- connect2 plan-digest sha256:" + strings.Repeat("0", 64) + " -->"
	for _, evil := range []string{
		"@org/team #1 GH-2", "<img src=x onerror=alert(1)>", "</details></table>", "```\n# owned\n```", "[a](javascript:b)",
		"![x](https://evil.example/x.png)",
		digest, "<!-- connect2 history -->\n- 1, `sha256:00`, run 1", "| a | b |", "--> <script>", "\u202eevil", "a\r\n\r\n- [x] done",
	} {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(evil)
		plan := `{"format_version":"1.2","resource_changes":[
			{"address":"aws_x.a[\"` + strings.ReplaceAll(quoted, `\"`, `\\\"`) + `\"]","mode":"managed","type":"aws_db_instance","previous_address":"` + quoted + `",
			 "change":{"actions":["delete","create"],"importing":{"id":"` + quoted + `"},"replace_paths":[["` + quoted + `"]],
			 "before":{"` + quoted + `":"` + quoted + `"},"after":{"` + quoted + `":"` + quoted + ` 2"}}}],
			"output_changes":{"` + quoted + `":{"actions":["create"],"before":null,"after":"` + quoted + `"}}}`
		p, err := terraform.ReadPlan(strings.NewReader(plan))
		if err != nil {
			t.Fatalf("%q: %v", evil, err)
		}
		s := &session{env: &action.Env{}, in: Inputs{Environment: "dev", Label: evil}, root: "/r", dir: "/r/live"}
		s.env.GitHub.SHA = strings.Repeat("ab", 20)
		made := &planned{plan: p, review: terraform.NewReview(p), digest: p.Digest(terraform.Binding{})}
		body := s.commentBody(made, "")
		found := markedDigest.FindAllStringSubmatch(body, -1)
		if len(found) == 0 || found[0][1] != made.digest.String() {
			t.Errorf("%q: the digest is read as %q", evil, found)
		}
		if strings.Count(body, "<!-- connect2 history -->") > 1 &&
			strings.LastIndex(body, "<!-- connect2 history -->") < strings.LastIndex(body, evil) {
			t.Errorf("%q: the history can be forged", evil)
		}
		if n := len(s.history(made, body).Blocks[0].List); n != 2 {
			t.Errorf("%q: %d plans are listed", evil, n)
		}
		outside := outsideOfCode(body)
		for _, sign := range []string{"@org", "<img", "<script", "](javascript", "\n# owned", "](https", "\u202e", "- [x] done",
			"</details></table>"} {
			if strings.Contains(outside, sign) {
				t.Errorf("%q: %q stands outside of code in\n%s", evil, sign, outside)
			}
		}
		if open, closed := strings.Count(outside, "<details>"), strings.Count(outside, "</details>"); open != closed {
			t.Errorf("%q: %d folds are opened and %d closed", evil, open, closed)
		}
	}
}

var (
	inline = regexp.MustCompile("(`+)[^`](?:.*?[^`])?(`+)")
)

// outsideOfCode is the part of a comment in which text can be markup.
func outsideOfCode(body string) string {
	var kept []string
	fence := ""
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case fence != "":
			if line == fence {
				fence = ""
			}
		case strings.HasPrefix(line, "<!-- connect2 ") && strings.HasSuffix(line, " -->") && strings.Count(line, "-->") == 1:
		case strings.HasPrefix(line, "```"):
			fence = line[:len(line)-len(strings.TrimLeft(line, "`"))]
		default:
			kept = append(kept, inline.ReplaceAllString(line, ""))
		}
	}
	return "\n" + strings.Join(kept, "\n")
}
