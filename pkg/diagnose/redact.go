package diagnose

import (
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// hidden replaces what Redact takes out.
const hidden = "***"

// shapes are secrets that are recognised by their own form. The replacement keeps what helps to understand the line.
var shapes = []struct {
	re   *lazyregexp.Regexp
	with string
}{
	// User and password in a URL. The password may hold anything but spaces and quotes, so the last @ of the word ends it.
	{lazyregexp.New(`([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@"'<>]*):[^\s"'<>]+@`), "${1}:" + hidden + "@"},
	// Access key ids of users (AKIA) and of temporary credentials (ASIA).
	{lazyregexp.New(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`), "${1}" + hidden},
	// Authorization headers and what libraries print of them.
	{lazyregexp.New(`(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{16,}`), "${1} " + hidden},
	{lazyregexp.New(`(?i)(authorization["']?\s*[:=]\s*["']?(?:basic|bearer|token)\s+)[^\s"',]+`), "${1}" + hidden},
	// JSON Web Tokens: three base64url parts, the first two of which begin with an encoded "{".
	{lazyregexp.New(`\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(\.[A-Za-z0-9_-]*)?`), hidden},
	// Tokens with the prefixes that GitHub, Slack, Stripe, GitLab, npm and Google give to theirs.
	{lazyregexp.New(`\b(gh[pousr]_|github_pat_|xox[abeoprs]-|[sr]k_(?:live|test)_|glpat-|npm_|AIza)[A-Za-z0-9_-]{16,}`),
		"${1}" + hidden},
	// pydantic repeats the rejected value, which for settings is often the secret itself.
	{lazyregexp.New(`input_value=.*?(, input_type=|\]|$)`), "input_value=" + hidden + "${1}"},
	// Signed S3 and other AWS URLs.
	{lazyregexp.New(`(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"']+`), "${1}" + hidden},
}

// named finds name=value, name: value and "name": "value" where the name says that the value is a secret.
var named = lazyregexp.New(`(?i)([\w.-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|` +
	`auth[_-]?key|credentials?)[\w.-]*["']?\s*(?:=>|[:=])\s*)("[^"]*"|'[^']*'|[^\s"',;&)}\]]+)`)

var (
	keyBegin = lazyregexp.New(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)
	keyEnd   = lazyregexp.New(`-----END [A-Z0-9 ]*PRIVATE KEY-----`)
	control  = lazyregexp.New(`\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]|` +
		`[\x{061c}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
)

// Redact returns s with what looks like a secret replaced by ***: passwords in URLs, AWS keys, bearer tokens, private keys,
// and the values of settings whose name says password, secret, token or key. It rather hides too much than too little: the
// text ends up in job logs that many people can read. Redacting twice changes nothing more.
func Redact(s string) string {
	if strings.Contains(s, "PRIVATE KEY-----") {
		s = strings.Join(hideKeys(strings.Split(s, "\n")), "\n")
	}
	for _, shape := range shapes {
		s = shape.re.ReplaceAllString(s, shape.with)
	}
	return named.ReplaceAllStringFunc(s, hideValue)
}

// RedactLines redacts the lines of one text; a private key is hidden across its lines. Terminal control sequences go too.
func RedactLines(lines []string) []string {
	out := hideKeys(lines)
	for i, line := range out {
		out[i] = Redact(Printable(line))
	}
	return out
}

// Printable returns s without terminal control sequences, control characters other than tab and newline, and what turns the direction of
// text round.
func Printable(s string) string {
	return strings.ToValidUTF8(control.ReplaceAllString(s, ""), "\uFFFD")
}

// hideValue hides the value of one name-value pair. ARNs stay: they say which secret is meant and are none themselves.
func hideValue(pair string) string {
	m := named.FindStringSubmatch(pair)
	if m == nil {
		return pair
	}
	value := strings.Trim(m[2], `"'`)
	name := strings.ToLower(m[1])
	switch {
	case strings.HasSuffix(name, "secret:"), strings.HasSuffix(name, "manager:"), strings.HasSuffix(name, "credentials:"):
		return pair // no space after the colon: part of an ARN or of an IAM action
	case value == "" || value == hidden || strings.HasPrefix(value, "arn:"):
		return pair
	case strings.EqualFold(value, "none") || strings.EqualFold(value, "null"):
		return pair // that it is missing is often the very cause
	}
	quote := ""
	if m[2][0] == '"' || m[2][0] == '\'' {
		quote = m[2][:1]
	}
	return m[1] + quote + hidden + quote
}

// hideKeys replaces the lines of PEM private keys, markers included, by one hidden line each.
func hideKeys(lines []string) []string {
	out := make([]string, 0, len(lines))
	inside := false
	for _, line := range lines {
		switch {
		case inside:
			inside = !keyEnd.MatchString(line)
		case keyBegin.MatchString(line):
			inside = !keyEnd.MatchString(line)
			out = append(out, keyBegin.ReplaceAllString(line[:keyBegin.FindStringIndex(line)[1]], hidden))
		default:
			out = append(out, line)
		}
	}
	return out
}

// Redactor redacts a stream of lines, of which Redact alone would see only one at a time. The zero value is ready.
type Redactor struct{ inKey bool }

// Line returns the redacted line, and false if the line is inside a private key and is to be left out.
func (r *Redactor) Line(line string) (string, bool) {
	line = Printable(line)
	if r.inKey {
		r.inKey = !keyEnd.MatchString(line)
		return "", false
	}
	if keyBegin.MatchString(line) && !keyEnd.MatchString(line) {
		r.inKey = true
	}
	return Redact(line), true
}
