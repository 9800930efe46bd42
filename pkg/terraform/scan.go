package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// A scanner reads a JSON text once, from its beginning to its end. Whoever uses it says for each value what is to become of it: it
// is gone through, decoded, or passed over. A large plan is mostly prior state and configuration, of which next to nothing is
// wanted here, and decoding those would cost more than all the rest.
//
// What is passed over is checked for its brackets and quotes alone.
type scanner struct {
	text  []byte
	at    int
	depth int // of the value that is being decoded
}

// deepest is how deep values may be nested, as in encoding/json: a text that is nothing but brackets must not use up the stack.
const deepest = 10_000

// unexpected is the error of a text that does not go on as JSON does.
func (s *scanner) unexpected(want string) error {
	if s.at >= len(s.text) {
		return fmt.Errorf("the JSON ends at byte %d where %s is due: %w", s.at, want, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("the JSON has %q at byte %d where %s is due", s.text[s.at], s.at, want)
}

// peek returns the next byte that is not white space, without consuming it; 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take consumes the byte where it is the next one.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// null consumes a null.
func (s *scanner) null() bool {
	if s.peek() != 'n' || !bytes.HasPrefix(s.text[s.at:], []byte("null")) {
		return false
	}
	s.at += len("null")
	return true
}

// object goes through an object: member is called with each name and has to consume the value. A null has no members.
func (s *scanner) object(member func(name string) error) error {
	return s.several('{', '}', "an object", func() error {
		if s.peek() != '"' {
			return s.unexpected("a name")
		}
		name, err := s.str()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.unexpected("a colon")
		}
		return member(name)
	})
}

// list goes through a list: element is called for each element and has to consume it. A null has none.
func (s *scanner) list(element func() error) error {
	return s.several('[', ']', "a list", element)
}

func (s *scanner) several(begin, end byte, what string, one func() error) error {
	if s.null() {
		return nil
	}
	if !s.take(begin) {
		return s.unexpected(what)
	}
	if s.take(end) {
		return nil
	}
	for {
		if err := one(); err != nil {
			return err
		}
		switch {
		case s.take(','):
		case s.take(end):
			return nil
		default:
			return s.unexpected("a comma or the end of " + what)
		}
	}
}

// quoted consumes a string and returns it with its quotes; plain says that nothing in it is escaped.
func (s *scanner) quoted() (text []byte, plain bool, err error) {
	start := s.at
	plain = true
	for s.at++; s.at < len(s.text); {
		rest := s.text[s.at:]
		quote := bytes.IndexByte(rest, '"')
		if quote < 0 {
			break
		}
		escape := bytes.IndexByte(rest[:quote], '\\')
		if escape < 0 {
			s.at += quote + 1
			return s.text[start:s.at], plain, nil
		}
		plain = false
		s.at += escape + 2 // past what is escaped, which may be the quote
	}
	s.at = len(s.text)
	return nil, false, s.unexpected("the end of a string")
}

// str consumes a string and returns what it says.
func (s *scanner) str() (string, error) {
	quoted, plain, err := s.quoted()
	if err != nil {
		return "", err
	}
	if plain {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var text string
	err = json.Unmarshal(quoted, &text)
	return text, err
}

// raw passes over one value and returns its text.
func (s *scanner) raw() ([]byte, error) {
	s.peek()
	start, depth := s.at, 0
	for {
		switch s.peek() {
		case '"':
			if _, _, err := s.quoted(); err != nil {
				return nil, err
			}
		case '{', '[':
			depth++
			s.at++
			continue
		case '}', ']':
			if depth == 0 {
				return nil, s.unexpected("a value")
			}
			depth--
			s.at++
		case ',', ':':
			if depth == 0 {
				return nil, s.unexpected("a value")
			}
			s.at++
			continue
		case 0:
			return nil, s.unexpected("a value")
		default:
			s.word()
		}
		if depth == 0 {
			return s.text[start:s.at], nil
		}
	}
}

// word consumes a number or one of true, false and null, and returns it.
func (s *scanner) word() []byte {
	start := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ',', ']', '}', ':', ' ', '\n', '\t', '\r', '"', '{', '[':
			return s.text[start:s.at]
		}
		s.at++
	}
	return s.text[start:]
}

// value decodes one value: a map, a list, a string, a json.Number, a bool or nil. 64-bit numbers stay what they are.
func (s *scanner) value() (any, error) {
	if s.depth++; s.depth > deepest {
		return nil, fmt.Errorf("the JSON is nested too deeply at byte %d", s.at)
	}
	defer func() { s.depth-- }()
	switch s.peek() {
	case '"':
		return s.str()
	case '{':
		object := map[string]any{}
		err := s.object(func(name string) (err error) {
			object[name], err = s.value()
			return err
		})
		return object, err
	case '[':
		list := []any{}
		err := s.list(func() error {
			element, err := s.value()
			list = append(list, element)
			return err
		})
		return list, err
	}
	start := s.at
	switch word := s.word(); {
	case len(word) == 0:
		return nil, s.unexpected("a value")
	case string(word) == "true":
		return true, nil
	case string(word) == "false":
		return false, nil
	case string(word) == "null":
		return nil, nil
	case json.Valid(word): // no other word is JSON than a number
		return json.Number(word), nil
	}
	s.at = start
	return nil, s.unexpected("a value")
}

// into decodes one value the way encoding/json does.
func (s *scanner) into(target any) error {
	text, err := s.raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, target)
}

// end is the error of a text that goes on behind its value.
func (s *scanner) end() error {
	if s.peek() != 0 || s.at < len(s.text) {
		return s.unexpected("the end")
	}
	return nil
}
