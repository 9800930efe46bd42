package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

func scan(text string) *scanner { return &scanner{text: []byte(text)} }

// jsonTexts are texts that are JSON and texts that are not.
var jsonTexts = []string{
	`{}`, `[]`, `null`, `true`, `false`, `0`, `-1.5e3`, `""`, `"a"`,
	` { "a" : {"x":"}\"]"} ,"b":[1,[2]], "c": -1.5e3 , "d":"q\\", "e":null } `,
	`[{"a":[]},{"a":[[]]},"\\\\","\\\"","\u0041\"","é€",18446744073709551615]`, "[1,\n\t\r 2]", `{"a":1,"a":2}`, `[null,[null]]`,
	``, ` `, `{`, `[`, `"`, `"\"`, `"\`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,`, `[1,]`, `[1 2]`, `{a:1}`, `{"a" 1}`, `{1:2}`,
	`}`, `]`, `,`, `:`, `[}`, `{]`, `nul`, `nulll`, `truefalse`, `01`, `+1`, `.5`, `"\x"`, `1 2`, `{} {}`, `[1]]`, `{"a":1}}`, `[,1]`,
	`{,"a":1}`,
}

// What encoding/json reads, the scanner reads, and to the same; what it refuses is refused.
func TestScannerReadsJSON(t *testing.T) {
	for _, text := range jsonTexts {
		againstEncodingJSON(t, text)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { againstEncodingJSON(t, text) })
}

func againstEncodingJSON(t *testing.T, text string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var want any
	valid := json.Valid([]byte(text))
	if valid {
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
	}
	s := scan(text)
	got, err := s.value()
	if err == nil {
		err = s.end()
	}
	switch {
	case valid && (err != nil || !reflect.DeepEqual(got, want)):
		t.Errorf("%q: %#v (%v), want %#v", text, got, err, want)
	case !valid && err == nil && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\uFFFD' }):
		t.Errorf("%q is read as %#v", text, got) // control characters in strings are the one thing that is let pass
	}
	s = scan(text)
	passed, err := s.raw()
	if valid && (err != nil || !bytes.Equal(passed, bytes.Trim([]byte(text), " \n\t\r"))) {
		t.Errorf("%q: passing over it gives %q (%v)", text, passed, err)
	}
}

// What is not JSON is told with the place and with what was due there.
func TestScannerTellsWhere(t *testing.T) {
	value := func(s *scanner) error { _, err := s.value(); return err }
	raw := func(s *scanner) error { _, err := s.raw(); return err }
	object := func(s *scanner) error { return s.object(func(string) error { return raw(s) }) }
	list := func(s *scanner) error { return s.list(func() error { return raw(s) }) }
	for _, test := range []struct {
		name string
		read func(*scanner) error
		text string
		want string
	}{
		{"value", value, ``, "the JSON ends at byte 0 where a value is due"},
		{"value", value, ` x`, `has 'x' at byte 1 where a value is due`},
		{"value", value, `[1,x]`, `has 'x' at byte 3 where a value is due`},
		{"value", value, `"abc`, "ends at byte 4 where the end of a string is due"},
		{"raw", raw, `  `, "ends at byte 2 where a value is due"},
		{"raw", raw, `{"a":[1}`, "ends at byte 8 where a value is due"},
		{"raw", raw, `,1`, "has ',' at byte 0 where a value is due"},
		{"raw", raw, `]`, "has ']' at byte 0 where a value is due"},
		{"object", object, `[1]`, "has '[' at byte 0 where an object is due"},
		{"object", object, `{1:2}`, "has '1' at byte 1 where a name is due"},
		{"object", object, `{"a",2}`, "has ',' at byte 4 where a colon is due"},
		{"object", object, `{"a":1 "b":2}`, "has '\"' at byte 7 where a comma or the end of an object is due"},
		{"object", object, `{"\x":1}`, "invalid character 'x' in string escape code"},
		{"list", list, `{}`, "has '{' at byte 0 where a list is due"},
		{"list", list, `[1 2]`, "comma or the end of a list"},
		{"end", (*scanner).end, " x", "has 'x' at byte 1 where the end is due"},
		{"end", (*scanner).end, " \x00", "at byte 1 where the end is due"},
		{"depth", value, strings.Repeat("[", deepest+1), "nested too deeply at byte 10000"},
	} {
		err := test.read(scan(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %.20q: %v, want %q", test.name, test.text, err, test.want)
		}
		if cut := strings.Contains(test.want, "ends at"); cut != errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s of %.20q: %v", test.name, test.text, err)
		}
	}
	for text, read := range map[string]func(*scanner) error{" null ": object, "null": list, "[]": list, "{}": object, " ": (*scanner).end} {
		s := scan(text)
		if err := read(s); err != nil || s.end() != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := value(scan(strings.Repeat("[", deepest) + strings.Repeat("]", deepest))); err != nil {
		t.Error(err)
	}
}

func TestScannerPassesErrorsOn(t *testing.T) {
	s := scan(`{"a":[1,2]}`)
	err := s.object(func(string) error {
		return s.list(func() error { return fmt.Errorf("at %d: %w", s.at, errBroken) })
	})
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "at 6") {
		t.Error(err)
	}
}
