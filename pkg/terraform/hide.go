package terraform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// A secret is known by Terraform's mark on one attribute. Where a provider computes another attribute of it, such as a connection
// URL of a password, Terraform marks nothing: there it is known by its value.
const (
	shortestPart  = 6 // what is hidden within longer texts; "prod" or "admin" would blank half of every text
	shortestWhole = 4 // what is hidden where it is a whole value
)

// hider takes secrets out of texts by their values. The zero value, and nil, know none.
type hider struct {
	whole    map[string]bool
	parts    []string
	replacer *strings.Replacer // of the parts; nil while they are being gathered
}

// add takes every string and number of a value among the secrets.
func (h *hider) add(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, element := range v {
			h.add(element)
		}
	case []any:
		for _, element := range v {
			h.add(element)
		}
	case json.Number:
		h.text(v.String())
	case string:
		h.text(v)
		if document, ok := documentOf(v); ok { // a secret of several: {"username": …, "password": …}
			h.add(document)
		}
	}
}

func (h *hider) text(secret string) {
	n := utf8.RuneCountInString(secret)
	if n < shortestWhole || h.whole[secret] || slices.Contains(common, secret) {
		return
	}
	if h.whole == nil {
		h.whole = map[string]bool{}
	}
	h.whole[secret] = true
	if n < shortestPart {
		return
	}
	quoted, _ := json.Marshal(secret) // a string always marshals
	forms := []string{
		secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret)),
		base64.URLEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
	h.parts, h.replacer = append(h.parts, forms...), nil
}

// common are values that say nothing, whatever they are marked as.
var common = []string{"true", "false", "null", "none", "default", "enabled", "disabled"}

// addMarked takes the parts of a value among the secrets that marks cover.
func (h *hider) addMarked(value, marks any) {
	if marks == true {
		h.add(value)
		return
	}
	switch m := marks.(type) {
	case map[string]any:
		for name, mark := range m {
			h.addMarked(child(value, name), mark)
		}
	case []any:
		for i, mark := range m {
			h.addMarked(child(value, i), mark)
		}
	}
}

// hide returns the text with every secret in it replaced.
func (h *hider) hide(text string) string {
	switch {
	case h == nil || len(h.whole) == 0 || text == "":
		return text
	case h.whole[text]:
		return SensitiveText
	}
	if h.replacer == nil {
		// The longest first: of two that begin alike a shorter one would leave the rest of the longer one.
		slices.SortFunc(h.parts, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		var pairs []string
		for _, part := range slices.Compact(h.parts) {
			pairs = append(pairs, part, SensitiveText)
		}
		h.replacer = strings.NewReplacer(pairs...)
	}
	if inner, ok := decoded(text); ok && h.replacer.Replace(inner) != inner {
		return SensitiveText
	}
	return h.replacer.Replace(text)
}

// decoded returns what a text in base64 says, such as the user data of an instance.
func decoded(text string) (string, bool) {
	if len(text) < 16 || strings.ContainsAny(text, " \t:{") {
		return "", false
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if inner, err := encoding.DecodeString(text); err == nil {
			return string(inner), utf8.Valid(inner)
		}
	}
	return "", false
}

// within says whether a value, or anything in it, is a secret that is known by its value.
func (h *hider) within(value any) bool {
	if h == nil || len(h.whole) == 0 {
		return false
	}
	switch v := value.(type) {
	case map[string]any:
		for name, element := range v {
			if h.hide(name) != name || h.within(element) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, h.within)
	case json.Number:
		return h.hide(v.String()) != v.String()
	case string:
		return h.hide(v) != v
	}
	return false
}

// clear copies a value with the secrets in it replaced.
func (h *hider) clear(value any) any {
	if !h.within(value) {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		clear := make(map[string]any, len(v))
		for name, element := range v {
			clear[h.hide(name)] = h.clear(element)
		}
		return clear
	case []any:
		clear := make([]any, len(v))
		for i, element := range v {
			clear[i] = h.clear(element)
		}
		return clear
	case json.Number:
		return h.hide(v.String())
	case string:
		return h.hide(v)
	}
	return value
}

// marked says whether a text of marks marks anything: most are {} or false.
func marked(text []byte) bool { return bytes.Contains(text, []byte("true")) }
