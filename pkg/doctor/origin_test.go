package doctor

import "testing"

func TestOriginOf(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/org/connect2-api.git":    "org/connect2-api",
		"https://github.com/org/connect2-api":        "org/connect2-api",
		"https://mona:token@github.com/org/api.git/": "org/api",
		"git@github.com:org/connect2.api.git":        "org/connect2.api",
		"ssh://git@github.com/org/api":               "org/api",
		"git@github.example.com:org/api.git":         "org/api",
		"https://gitlab.com/org/api.git":             "",
		"https://github.com/org":                     "",
		"https://example.com/github.com/org/api/x":   "",
		"https://nogithub.com/org/api":               "",
		"/home/mona/connect2-api":                    "",
	} {
		config := "[core]\n\tbare = false\n[remote \"fork\"]\n\turl = https://github.com/mona/fork\n[remote \"origin\"]\n\turl = " + url +
			"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[remote \"other\"]\n\turl = https://github.com/other/other\n"
		if got := originOf(config); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	if got := originOf("[core]\n"); got != "" {
		t.Errorf("without a remote: %q", got)
	}
}
