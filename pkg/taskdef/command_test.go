package taskdef

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitCommand(t *testing.T) {
	tests := []struct {
		in   string
		want []string
		err  string // part of the error; empty for none
	}{
		{"alembic upgrade head", []string{"alembic", "upgrade", "head"}, ""},
		{"  python\t-m app\n", []string{"python", "-m", "app"}, ""},
		{`sh -c 'alembic upgrade head && echo "$DONE"'`, []string{"sh", "-c", `alembic upgrade head && echo "$DONE"`},
			""},
		{`echo "a \"b\" \\ \n $X" ''`, []string{"echo", `a "b" \ \n $X`, ""}, ""},
		{`a\ b c\"d`, []string{"a b", `c"d`}, ""},
		{`--x='a b'c`, []string{"--x=a bc"}, ""},
		{`echo '&&' "|"`, []string{"echo", "&&", "|"}, ""},
		{`price 5$ $ 3`, []string{"price", "5$", "$", "3"}, ""},
		{`["alembic", "upgrade", "head && x"]`, []string{"alembic", "upgrade", "head && x"}, ""},
		{"", nil, "empty"},
		{"   ", nil, "empty"},
		{"a 'b", nil, "a ' is not closed"},
		{`a "b`, nil, `a " is not closed`},
		{`a \`, nil, "lone"},
		{"alembic upgrade head && x", nil, "sh -c"},
		{"a | b", nil, "sh -c"},
		{"a; b", nil, "sh -c"},
		{"a > /tmp/x", nil, "sh -c"},
		{"a 2>&1", nil, "sh -c"},
		{"echo $HOME", nil, "sh -c"},
		{"echo ${HOME}", nil, "sh -c"},
		{"echo $(id)", nil, "sh -c"},
		{"echo `id`", nil, "sh -c"},
		{`["a", 1]`, nil, "JSON array of strings"},
		{`["a"`, nil, "JSON array of strings"},
		{`["a"] b`, nil, "behind"},
		{`[]`, nil, "no program"},
	}
	for _, tt := range tests {
		got, err := SplitCommand(tt.in)
		switch {
		case tt.err == "" && err != nil:
			t.Errorf("%q: %v", tt.in, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%q: error %v, want one with %q", tt.in, err, tt.err)
		case !slices.Equal(got, tt.want):
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// What SplitCommand accepts, it accepts again from the form in which the command is shown.
func FuzzSplitCommand(f *testing.F) {
	f.Add(`sh -c 'a "b" \\ c' ''`)
	f.Fuzz(func(t *testing.T, in string) {
		words, err := SplitCommand(in)
		if err != nil || !strings.ContainsAny(in, "[=:") && len(words) == 0 {
			return
		}
		quoted := make([]string, len(words))
		for i, word := range words {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		again, err := SplitCommand(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Errorf("%q gives %q, and that %q (%v)", in, words, again, err)
		}
	})
}
