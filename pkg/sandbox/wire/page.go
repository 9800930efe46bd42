package wire

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Page cuts the page out of items that starts where token says ("" is the beginning) and holds at most size of them. next
// is the token of the following page, "" after the last. ok is false when the token is not one that Page made.
func Page[T any](items []T, token string, size int) (page []T, next string, ok bool) {
	start := 0
	if token != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", false
		}
		digits, isToken := strings.CutPrefix(string(decoded), "offset:")
		if start, err = strconv.Atoi(digits); err != nil || !isToken || start < 0 {
			return nil, "", false
		}
	}
	start = min(start, len(items))
	end := min(start+size, len(items))
	if end < len(items) {
		next = base64.RawURLEncoding.EncodeToString([]byte("offset:" + strconv.Itoa(end)))
	}
	return items[start:end], next, true
}
