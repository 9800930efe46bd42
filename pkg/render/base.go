package render

import (
	"fmt"
	"strings"
	"time"
)

func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return -1
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func relative(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if tenths := d.Round(100 * time.Millisecond); tenths < time.Minute {
		return fmt.Sprintf("+%.1fs", tenths.Seconds())
	}
	seconds := int(d.Round(time.Second).Seconds())
	if seconds < 3600 {
		return fmt.Sprintf("+%dm%02ds", seconds/60, seconds%60)
	}
	return fmt.Sprintf("+%dh%02dm%02ds", seconds/3600, seconds/60%60, seconds%60)
}

func Took(d time.Duration) string { return strings.TrimPrefix(relative(d), "+") }

func firstUpper(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || s[0] < 'a' || s[0] > 'z' || strings.ContainsAny(word, "./-_:0123456789") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
