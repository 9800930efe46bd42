package taskdef

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// value is one JSON value. Scalars keep their source text, so that writing a value back changes no digit and no escape.
type value struct {
	kind    byte     // '{' object, '[' array, '"' string, 'n' number, 'l' literal (true, false, null)
	text    string   // source text of a scalar
	members []member // of an object, in the order of the source
	items   []*value // of an array
}

// member is one field of an object.
type member struct {
	name  string // decoded
	quote string // source text of the name
	value *value
}

// SyntaxError says where a document stops being JSON.
type SyntaxError struct {
	Line, Column int // from 1; columns count characters
	Reason       string
}

// Error returns "line L, column C: reason".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// parseJSON reads exactly one JSON value. The syntax is checked by encoding/json; what follows here only cuts the text
// that is known to be valid, and refuses a field that is given twice in one object: the API would keep one of the two.
func parseJSON(source []byte) (*value, error) {
	text := string(bytes.TrimPrefix(source, []byte("\xef\xbb\xbf"))) // some editors write a byte order mark
	if err := checkSyntax(text); err != nil {
		return nil, err
	}
	cut := &cutter{text: text}
	v := cut.value()
	return v, cut.err
}

func checkSyntax(text string) error {
	if strings.TrimSpace(text) == "" {
		return &SyntaxError{Line: 1, Column: 1, Reason: "the document is empty"}
	}
	var all json.RawMessage
	err := json.Unmarshal([]byte(text), &all)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	reason := err.Error()
	offset := int(syntax.Offset) - 1 // the offset counts the offending byte
	if reason == "unexpected end of JSON input" {
		reason, offset = "the document ends too early", len(text)
	}
	return at(text, offset, reason)
}

// at makes a SyntaxError for a byte offset.
func at(text string, offset int, reason string) *SyntaxError {
	offset = min(max(offset, 0), len(text))
	before := text[:offset]
	line := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{Line: line, Column: utf8.RuneCountInString(before[start:]) + 1, Reason: reason}
}

// cutter walks through valid JSON and notes where each value begins and ends.
type cutter struct {
	text string
	pos  int
	err  error // first repeated field
}

func (c *cutter) space() {
	for c.pos < len(c.text) && strings.IndexByte(" \t\r\n", c.text[c.pos]) >= 0 {
		c.pos++
	}
}

func (c *cutter) value() *value {
	c.space()
	switch c.text[c.pos] {
	case '{':
		return c.object()
	case '[':
		return c.array()
	case '"':
		return &value{kind: '"', text: c.quoted()}
	}
	start := c.pos
	for c.pos < len(c.text) && strings.IndexByte(" \t\r\n,]}", c.text[c.pos]) < 0 {
		c.pos++
	}
	kind := byte('n')
	if strings.IndexByte("tfn", c.text[start]) >= 0 {
		kind = 'l'
	}
	return &value{kind: kind, text: c.text[start:c.pos]}
}

func (c *cutter) object() *value {
	v := &value{kind: '{'}
	seen := map[string]bool{}
	for c.open('}') {
		nameAt := c.pos
		quote := c.quoted()
		name := unquote(quote)
		if seen[name] && c.err == nil {
			c.err = at(c.text, nameAt, fmt.Sprintf("the field %q is given twice", name))
		}
		seen[name] = true
		c.space()
		c.pos++ // the colon
		v.members = append(v.members, member{name, quote, c.value()})
	}
	return v
}

func (c *cutter) array() *value {
	v := &value{kind: '['}
	for c.open(']') {
		v.items = append(v.items, c.value())
	}
	return v
}

// open moves over the bracket or comma at the cursor and reports whether an element follows; otherwise it moves over the
// closing bracket.
func (c *cutter) open(closing byte) bool {
	c.space()
	if c.text[c.pos] != closing { // an opening bracket or a comma
		c.pos++
		c.space()
	}
	if c.text[c.pos] == closing {
		c.pos++
		return false
	}
	return true
}

func (c *cutter) quoted() string {
	start := c.pos
	for c.pos++; c.text[c.pos] != '"'; c.pos++ {
		if c.text[c.pos] == '\\' {
			c.pos++
		}
	}
	c.pos++
	return c.text[start:c.pos]
}

func unquote(quoted string) string {
	var s string
	_ = json.Unmarshal([]byte(quoted), &s) // valid by construction
	return s
}

// quote writes a string as JSON, leaving <, > and & as they are.
func quote(s string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // strings always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// write prints the value without white space.
func (v *value) write(w io.StringWriter) {
	put := func(s string) { _, _ = w.WriteString(s) } // the writers here are buffers
	switch v.kind {
	case '{':
		put("{")
		for i, m := range v.members {
			if i > 0 {
				put(",")
			}
			put(m.quote)
			put(":")
			m.value.write(w)
		}
		put("}")
	case '[':
		put("[")
		for i, item := range v.items {
			if i > 0 {
				put(",")
			}
			item.write(w)
		}
		put("]")
	default:
		put(v.text)
	}
}

func (v *value) String() string {
	var b strings.Builder
	v.write(&b)
	return b.String()
}

// get returns the member of this name, or nil where v is not an object or has none.
func (v *value) get(name string) *value {
	if v == nil {
		return nil
	}
	for _, m := range v.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// str returns the decoded string, or "" where v is not a string.
func (v *value) str() string {
	if v == nil || v.kind != '"' {
		return ""
	}
	return unquote(v.text)
}

// list returns the items of an array, or nil where v is none.
func (v *value) list() []*value {
	if v == nil {
		return nil
	}
	return v.items
}

// with returns a copy of the object in which the member has this value, at its old place or at the end.
func (v *value) with(name string, to *value) *value {
	changed := &value{kind: '{', members: append([]member(nil), v.members...)}
	for i := range changed.members {
		if changed.members[i].name == name {
			changed.members[i].value = to
			return changed
		}
	}
	changed.members = append(changed.members, member{name, quote(name), to})
	return changed
}

// without returns a copy of the object that lacks the named members.
func (v *value) without(names ...string) *value {
	changed := &value{kind: '{'}
next:
	for _, m := range v.members {
		for _, name := range names {
			if m.name == name {
				continue next
			}
		}
		changed.members = append(changed.members, m)
	}
	return changed
}

// withItem returns a copy of the array with another item at the index.
func (v *value) withItem(index int, to *value) *value {
	changed := &value{kind: '[', items: append([]*value(nil), v.items...)}
	changed.items[index] = to
	return changed
}

func stringValue(s string) *value { return &value{kind: '"', text: quote(s)} }
