package taskdef

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// TagValue makes a text fit to be the value of an AWS tag: letters, digits, blanks and _ . : / = + - @ are kept, anything else
// becomes "_", and what is beyond 256 characters is cut off
// (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html).
func TagValue(text string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _.:/=+-@", r) {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return '_'
	}, strings.TrimSpace(text))
	if utf8.RuneCountInString(clean) > 256 {
		clean = string([]rune(clean)[:256])
	}
	return strings.TrimSpace(clean)
}
