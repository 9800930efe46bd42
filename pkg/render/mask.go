package render

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// minMask is the length in bytes below which a value is not masked: a mask of "1" or "dev" would turn every later line into
// stars, hide the cause of a failure, and protect nothing that can be guessed in a moment.
const minMask = 4

// commonWords are long enough to be masked and too common to be secrets.
var commonWords = []string{"true", "false", "null", "none", "True", "False", "TRUE", "FALSE", "NULL"}

// Secrets takes the secrets of a run out of text. It is safe for concurrent use; the zero value hides nothing.
type Secrets struct {
	mu     sync.RWMutex
	hidden redactor
}

// Add hides these secrets from now on, with the forms in which they turn up in messages. A secret of several lines is hidden line by
// line, a JSON document also by its passwords and tokens. Values below 4 bytes and words like "true" are not hidden: that would only
// make the log unreadable. It returns what a runner must be given, so that it hides the same.
func (s *Secrets) Add(secrets ...string) (announce []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hidden.add(secrets...)
}

// Conceal hides these values from now on as Add does, but nothing has to be given to a runner: what is not a secret may well be an
// ordinary word elsewhere.
func (s *Secrets) Conceal(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden.conceal(values...)
}

// Redact returns text without any of the secrets.
func (s *Secrets) Redact(text string) string {
	if s == nil {
		return text
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hidden.redact(text)
}

// Writer returns a writer that takes the secrets out of each text written to it.
func (s *Secrets) Writer(w io.Writer) io.Writer { return redacting{s, w} }

type redacting struct {
	secrets *Secrets
	w       io.Writer
}

func (r redacting) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, r.secrets.Redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// redactor replaces secrets by stars. The zero value replaces nothing. It is not safe for concurrent use.
type redactor struct {
	secrets  map[string]bool // true: the runner hides it too
	replacer *strings.Replacer
}

// maskable says whether a value is long and rare enough to be masked.
func maskable(s string) bool {
	return len(strings.TrimSpace(s)) >= minMask && !slices.Contains(commonWords, strings.TrimSpace(s))
}

// add makes the redactor hide these secrets from now on. It returns what a workflow command has to announce: values without
// line ends where a line of the secret must not be masked, because the runner masks every line of what it is given.
func (r *redactor) add(secrets ...string) (announce []string) {
	for _, secret := range secrets {
		for _, s := range append([]string{secret}, sensitiveLeaves(secret)...) {
			announce = append(announce, r.addOne(s)...)
		}
	}
	if len(announce) > 0 {
		r.compile()
	}
	return announce
}

func (r *redactor) addOne(secret string) (announce []string) {
	whole := strings.TrimSpace(secret)
	if !maskable(whole) || r.secrets[whole] { // what is only concealed may turn out to be a secret
		return nil
	}
	if r.secrets == nil {
		r.secrets = map[string]bool{}
	}
	r.secrets[whole] = true
	lines := splitLines(whole)
	if len(lines) == 1 {
		return []string{whole}
	}
	everyLine := true
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if !maskable(line) {
			everyLine = everyLine && line == ""
			continue
		}
		r.secrets[line] = true
		announce = append(announce, line)
	}
	if everyLine {
		return []string{whole}
	}
	return announce
}

// conceal makes the redactor hide these values and their lines.
func (r *redactor) conceal(values ...string) {
	if r.secrets == nil {
		r.secrets = map[string]bool{}
	}
	for _, value := range values {
		for _, part := range append(splitLines(value), value) {
			part = strings.TrimSpace(part)
			if _, known := r.secrets[part]; !known && maskable(part) {
				r.secrets[part] = false
			}
		}
	}
	r.compile()
}

// compile builds the replacer, longest first: of two secrets that begin alike, the longer one must win.
func (r *redactor) compile() {
	forms := map[string]bool{}
	for secret := range r.secrets {
		for _, form := range formsOf(secret) {
			if len(form) >= minMask {
				forms[form] = true
			}
		}
	}
	ordered := make([]string, 0, len(forms))
	for form := range forms {
		ordered = append(ordered, form)
	}
	slices.SortFunc(ordered, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(ordered))
	for _, form := range ordered {
		pairs = append(pairs, form, "***")
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// redact returns s with every secret replaced.
func (r *redactor) redact(s string) string {
	if r.replacer == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// formsOf lists the spellings in which a secret turns up in messages: as it is, in JSON, in a URL, and in base64 (the header
// of a registry login). GitHub's runner masks these and a few more.
func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret) // a string always marshals
	return []string{
		secret,
		strings.ReplaceAll(secret, "\n", "\r\n"),
		strings.Trim(string(quoted), `"`),
		url.QueryEscape(secret),
		url.PathEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
	}
}

// sensitiveKeys are parts of the names under which JSON documents (a secret of Secrets Manager, a login answer) keep what must
// not be seen. Host names, ports and user names are left readable: masking them hides causes.
var sensitiveKeys = []string{"password", "passwd", "secret", "token", "private", "apikey", "api_key", "credential", "auth", "url", "dsn"}

// sensitiveLeaves returns the values inside a JSON document that are secrets by their names, at any depth.
func sensitiveLeaves(document string) []string {
	document = strings.TrimSpace(document)
	if !strings.HasPrefix(document, "{") && !strings.HasPrefix(document, "[") {
		return nil
	}
	var v any
	if json.Unmarshal([]byte(document), &v) != nil {
		return nil
	}
	var leaves []string
	var walk func(v any, sensitive bool)
	walk = func(v any, sensitive bool) {
		switch v := v.(type) {
		case string:
			if sensitive {
				leaves = append(leaves, v)
			}
		case []any:
			for _, item := range v {
				walk(item, sensitive)
			}
		case map[string]any:
			for key, item := range v {
				walk(item, sensitive || isSensitiveKey(key))
			}
		}
	}
	walk(v, false)
	return leaves
}

func isSensitiveKey(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc(sensitiveKeys, func(part string) bool { return strings.Contains(key, part) })
}
