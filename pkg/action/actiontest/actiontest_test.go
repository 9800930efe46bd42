package actiontest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/record"
)

func TestRecorderKeepsWhatWasTold(t *testing.T) {
	env, told := NewTestEnv(t, map[string]string{"AWS_REGION": "us-west-2", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r"})
	env.Hide("hunter2!")
	end := env.Events.Group("Group")
	env.Events.Notef("one %d", 1)
	env.Events.Debugf("only when asked for, yet recorded")
	end()
	env.Events.Warnf("Title", "careful with hunter2!")
	w := env.Events.Output("app")
	fmt.Fprint(w, "a\nb")
	w.Close()
	env.Events.Fact("Name", record.Text{Text: "hunter2!", Form: record.Code})
	fmt.Fprintln(env.Stdout, "document")

	if env.Getenv("AWS_REGION") != "us-west-2" || env.Var("PATH") != "" || env.GitHub.Repository != "o/r" {
		t.Error("the environment is not the map's")
	}
	for name, got := range map[string][]string{
		"one 1":                             told.Events(),
		"Title: careful with ***":           told.Warnings(),
		"a\nb":                              {told.Foreign()},
		"only when asked for, yet recorded": texts(told.Of("debug")),
		"Group":                             texts(told.Of("group")),
	} {
		if !slices.Equal(got, []string{name}) {
			t.Errorf("got %q, want %q", got, name)
		}
	}
	if summary := told.Summary(); !strings.Contains(summary, "| **Name** | `***` |") {
		t.Errorf("the summary: %s", summary)
	}
	if text := told.Text(); !strings.Contains(text, "::group::Group\n") || !strings.HasSuffix(text, "document\n") ||
		strings.Contains(text, "yet recorded") {
		t.Errorf("written:\n%s", text)
	}
	if len(told.Errors()) != 0 {
		t.Errorf("errors: %q", told.Errors())
	}
}
