package lazyregexp

import "testing"

func TestCompilesOnFirstUse(t *testing.T) {
	wrong := New("(")
	defer func() {
		if recover() == nil {
			t.Error("a wrong pattern is used without a panic")
		}
	}()
	if m := New(`^a(?P<digits>\d+)$`).FindStringSubmatch("a12"); len(m) != 2 || m[1] != "12" {
		t.Errorf("got %q", m)
	}
	wrong.MatchString("x")
}

func TestNewDoesNotCompile(t *testing.T) {
	pattern := `(?i)(?:one|two|three) (?P<name>[a-z]{1,50})`
	if n := testing.AllocsPerRun(10, func() { New(pattern) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}
