package render

import "testing"

// What is concealed is hidden here and not announced; that it is a secret all the same is announced when that turns out.
func TestConceal(t *testing.T) {
	var s Secrets
	s.Conceal("first line\nsecond line", "plain-value", "x")
	if got, want := s.Redact("a plain-value, a second line, x"), "a ***, a ***, x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := s.Add("plain-value"); len(got) != 1 || got[0] != "plain-value" {
		t.Errorf("announced %q", got)
	}
	s.Conceal("plain-value")
	if got := s.Add("plain-value"); len(got) != 0 {
		t.Errorf("announced %q again", got)
	}
}
