package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// values are a change's two sides, with the marks of what is secret and what is not known yet.
type values struct {
	before, after                   any
	unknown                         any
	beforeSensitive, afterSensitive any
	forces                          []string // paths that force a replacement
}

// pathOf writes a path of the plan ("ingress", 0, "cidr_blocks") as people do.
func pathOf(steps []any) string {
	var path string
	for _, step := range steps {
		switch s := step.(type) {
		case string:
			path = join(path, s)
		case json.Number:
			path += "[" + s.String() + "]"
		}
	}
	return path
}

func join(path, name string) string {
	if strings.ContainsAny(name, ". /:[") {
		return path + "[" + strconv.Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// visible returns the top-level values of both sides without what is sensitive, for the risk rules.
func (v values) visible() (before, after map[string]any) {
	open := func(value, marks any) map[string]any {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		if marks == true {
			return map[string]any{}
		}
		marked, _ := marks.(map[string]any)
		if !isMarked(marked) { // nearly always: nothing is to be left out
			return object
		}
		clear := make(map[string]any, len(object))
		for name, value := range object {
			if mark, ok := marked[name]; ok && isMarked(mark) {
				continue
			}
			clear[name] = value
		}
		return clear
	}
	return open(v.before, v.beforeSensitive), open(v.after, v.afterSensitive)
}

// isMarked says whether anything in a tree of marks is set.
func isMarked(marks any) bool {
	switch m := marks.(type) {
	case bool:
		return m
	case map[string]any:
		for _, child := range m {
			if isMarked(child) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, isMarked)
	}
	return false
}

// secretNames are attributes that hold secrets although a provider may not mark them, alone or behind an underscore.
var secretNames = []string{
	"password", "passwd", "secret_string", "secret_binary", "private_key", "auth_token", "client_secret", "secret_key", "api_key",
}

// namesSecret says whether a name is that of a secret; of a write-only argument, too.
func namesSecret(name string) bool {
	const writeOnly = "_wo"
	if n := len(name) - len(writeOnly); n > 0 && strings.EqualFold(name[n:], writeOnly) {
		name = name[:n]
	}
	return slices.ContainsFunc(secretNames, func(secret string) bool {
		n := len(name) - len(secret)
		return n >= 0 && strings.EqualFold(name[n:], secret) && (n == 0 || name[n-1] == '_')
	})
}

// side is one value of a difference with its marks.
type side struct {
	value     any
	sensitive any
	unknown   any
}

func child[K string | int](tree any, key K) any {
	switch k := any(key).(type) {
	case string:
		if m, ok := tree.(map[string]any); ok {
			return m[k]
		}
	case int:
		if l, ok := tree.([]any); ok && k < len(l) {
			return l[k]
		}
	}
	if tree == true { // a mark that covers everything below it
		return true
	}
	return nil
}

func (s side) at(name string) side {
	return side{child(s.value, name), child(s.sensitive, name), child(s.unknown, name)}
}

func (s side) index(i int) side {
	return side{child(s.value, i), child(s.sensitive, i), child(s.unknown, i)}
}

// differences lists what differs, by path, with secrets hidden: those that are marked, and those that are known by their value.
// Each is given to leaf as well, whole.
func (v values) differences(leaf leafFunc, secrets *hider) []Attribute {
	d := differ{forces: v.forces, leaf: leaf, secrets: secrets}
	before, after := side{v.before, v.beforeSensitive, nil}, side{v.after, v.afterSensitive, v.unknown}
	d.compare("", before, after)
	return d.out
}

// leafFunc gets a difference with its values.
type leafFunc func(path string, before, after side, secret bool)

type differ struct {
	out     []Attribute
	leaf    leafFunc
	forces  []string
	secrets *hider
	depth   int
}

func (d *differ) compare(path string, before, after side) {
	switch {
	case before.sensitive == true || after.sensitive == true || namesSecret(lastName(path)):
		d.secret(path, before, after)
		return
	case after.unknown == true:
		d.add(path, before, side{unknown: true}, d.secrets.show(before), UnknownText)
		return
	}
	names := objectNames(before.value, after.value, after.unknown)
	if names != nil && isObject(before.value) && isObject(after.value) {
		for _, name := range names {
			b, a := before.at(name), after.at(name)
			if a.unknown == nil && same(b.value, a.value) { // most attributes of most changes
				continue
			}
			d.compare(join(path, name), b, a)
		}
		return
	}
	b, bList := before.value.([]any)
	a, aList := after.value.([]any)
	if bList && aList {
		for i := range max(len(a), len(b)) {
			d.compare(fmt.Sprintf("%s[%d]", path, i), before.index(i), after.index(i))
		}
		return
	}
	if equal(before.value, after.value) {
		return
	}
	if d.document(path, before, after) {
		return
	}
	d.add(path, before, after, d.secrets.show(before), d.secrets.show(after))
}

// isObject counts nothing as an object: creating and deleting list what is made and what goes.
func isObject(v any) bool {
	if v == nil {
		return true
	}
	_, ok := v.(map[string]any)
	return ok
}

// objectNames returns the names that any of the trees has, in order; nil where there is none.
func objectNames(trees ...any) []string {
	var names []string
	for _, tree := range trees {
		object, ok := tree.(map[string]any)
		if ok && names == nil {
			names = make([]string, 0, len(object))
		}
		for name := range object {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// document compares JSON within strings (policies, container definitions) by what it says rather than as one long line.
func (d *differ) document(path string, before, after side) bool {
	b, okB := before.value.(string)
	a, okA := after.value.(string)
	if !okA || !okB || d.depth > 0 {
		return false
	}
	left, okB := documentOf(b)
	right, okA := documentOf(a)
	if !okA || !okB {
		return false
	}
	dotted := func(inner string) string {
		if inner == "" || strings.HasPrefix(inner, "[") {
			return path + inner
		}
		return path + "." + inner
	}
	inner := differ{depth: d.depth + 1, secrets: d.secrets, leaf: func(at string, before, after side, secret bool) {
		d.leaf(dotted(at), before,
			after, secret)
	}}
	inner.compare("", side{value: left}, side{value: right})
	for _, attribute := range inner.out {
		attribute.Path = dotted(attribute.Path)
		attribute.Forces = d.forcing(path)
		d.out = append(d.out, attribute)
	}
	return true
}

// documentOf decodes a string that is a JSON object or list.
func documentOf(s string) (document any, ok bool) {
	if s = strings.TrimSpace(s); !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
		return nil, false
	}
	err := json.Unmarshal([]byte(s), &document)
	return document, err == nil
}

func (d *differ) secret(path string, before, after side) {
	shown := hidden(after.value)
	if after.unknown == true {
		after, shown = side{unknown: true}, UnknownText
	} else if equal(before.value, after.value) {
		return
	}
	d.leaf(path, before, after, true)
	d.out = append(d.out, Attribute{Path: d.secrets.hide(path), Before: hidden(before.value), After: shown, Forces: d.forcing(path)})
}

func hidden(v any) string {
	if v == nil {
		return ""
	}
	return SensitiveText
}

// add lists a difference of values that are not secret as a whole; parts of them may be.
func (d *differ) add(path string, before, after side, shownBefore, shownAfter string) {
	d.leaf(path, before, after, false)
	d.out = append(d.out, Attribute{Path: d.secrets.hide(path), Before: shownBefore, After: shownAfter, Forces: d.forcing(path)})
}

func (d *differ) forcing(path string) bool {
	return slices.ContainsFunc(d.forces, func(force string) bool {
		return force == path || strings.HasPrefix(path, force+".") || strings.HasPrefix(path, force+"[") || strings.HasPrefix(force, path+"[")
	})
}

// lastName returns the name at the end of a path, past indexes.
func lastName(path string) string {
	path = strings.TrimRight(path, "0123456789[]")
	return path[strings.LastIndexByte(path, '.')+1:]
}

// same is equal for what is neither an object nor a list: those are gone through, rather than compared at every level.
func same(a, b any) bool {
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	return equal(a, b)
}

// equal compares decoded JSON.
func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, equal)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	}
	if _, ok := b.(map[string]any); ok {
		return false
	}
	if _, ok := b.([]any); ok {
		return false
	}
	return a == b
}

// maxText is the most bytes of a value that are shown.
const maxText = 240

// show writes a value as people read it, without what is sensitive within it.
func (h *hider) show(s side) string {
	value := h.clear(withoutSecrets("", s.value, s.sensitive, s.unknown))
	var out string
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		out = strconv.Quote(v)
	default:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return "?"
		}
		out = strings.TrimSpace(b.String())
	}
	if len(out) <= maxText {
		return out
	}
	cut := out[:maxText]
	for !utf8.ValidString(cut) {
		cut = cut[:len(cut)-1]
	}
	return fmt.Sprintf("%s… (%d bytes)", cut, len(out))
}

// withoutSecrets copies a value with its marked parts replaced.
func withoutSecrets(name string, value, sensitive, unknown any) any {
	if value == nil && unknown != true {
		return nil
	}
	if sensitive == true || namesSecret(name) {
		return SensitiveText
	}
	if unknown == true {
		return UnknownText
	}
	switch v := value.(type) {
	case map[string]any:
		clear := make(map[string]any, len(v))
		for _, key := range objectNames(v, unknown) {
			if part := withoutSecrets(key, v[key], child(sensitive, key), child(unknown, key)); part != nil {
				clear[key] = part
			}
		}
		return clear
	case []any:
		clear := make([]any, len(v))
		for i, element := range v {
			clear[i] = withoutSecrets("", element, child(sensitive, i), child(unknown, i))
		}
		return clear
	case string:
		if document, ok := documentOf(v); ok && holdsSecret("", document, nil) {
			return canonical(withoutSecrets("", document, nil, nil))
		}
	}
	return value
}

// holdsSecret says whether anything in a value is marked, or has the name of a secret; JSON within strings is looked into.
func holdsSecret(name string, value, marks any) bool {
	if value == nil {
		return false
	}
	if marks == true || namesSecret(name) {
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			if holdsSecret(key, element, child(marks, key)) {
				return true
			}
		}
	case []any:
		for i, element := range v {
			if holdsSecret("", element, child(marks, i)) {
				return true
			}
		}
	case string:
		document, ok := documentOf(v)
		return ok && holdsSecret("", document, nil)
	}
	return false
}
