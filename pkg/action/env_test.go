package action

import (
	"encoding/json"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGitHubOf(t *testing.T) {
	variables := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GITHUB_SHA": "abc", "GITHUB_RUN_ID": "42", "GITHUB_RUN_ATTEMPT": "2",
		"GITHUB_ACTOR": "mona", "GITHUB_EVENT_PATH": "/no/such/file", "GITHUB_RUN_NUMBER": "not a number", "GITHUB_RETENTION_DAYS": "x",
	}
	got := GitHubOf(func(name string) string { return variables[name] })
	want := GitHub{Server: "https://github.com", APIURL: "https://api.github.com", Repository: "o/r", SHA: "abc", RunID: "42",
		RunAttempt: "2", Actor: "mona", EventPath: "/no/such/file"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if url := got.RunURL(); url != "https://github.com/o/r/actions/runs/42/attempts/2" {
		t.Error(url)
	}
	if url := got.CommitURL(); url != "https://github.com/o/r/commit/abc" {
		t.Error(url)
	}

	delete(variables, "GITHUB_ACTIONS")
	got = GitHubOf(func(name string) string { return variables[name] })
	if got != (GitHub{}) || got.RunURL() != "" || got.CommitURL() != "" {
		t.Errorf("outside GitHub: %+v", got)
	}
}

func TestVersion(t *testing.T) {
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	for _, test := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v2.1.0", nil, "v2.1.0"},
		{"(devel)", nil, "devel"},
		{"", []debug.BuildSetting{setting("vcs.revision", "0123456789abcdef")}, "devel-0123456789ab"},
		{"(devel)", []debug.BuildSetting{setting("vcs.revision", "0123"), setting("vcs.modified", "true")}, "devel-0123+dirty"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: test.version}, Settings: test.settings}
		if got := versionOf(info); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if Version() == "" {
		t.Error("empty")
	}
}

// FuzzJSON checks that what is refused is exactly what is no JSON, and that no position falls outside the text.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "{", "nul", "{\"a\":1}", "[1,]", "\"\n\"", "1 2", "\xff", "{\n\n\"ä\"}", "\"\\u12"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := checkJSON(text); (err == nil) != json.Valid([]byte(text)) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
