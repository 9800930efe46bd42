package reach

import (
	"bytes"
	"strconv"
	"strings"
)

// mark begins and ends what the command's wrapper says in the output: a control character that terminals pass on and do not show.
const mark = '\x1e'

// script is the command line that runs a command in a container, and says in its output when it begins and what it ended with: ECS Exec
// itself always reports 0. The agent splits the line as a shell does, and runs it without one. quiet turns off the terminal's echo: for
// input that nobody types.
func script(token string, command []string, quiet bool) string {
	var inner strings.Builder
	if quiet {
		inner.WriteString("stty -echo 2>/dev/null; ")
	}
	inner.WriteString(`printf '\036` + token + `:begin\036'; `)
	for _, word := range command {
		inner.WriteString(quote(word) + " ")
	}
	inner.WriteString(`; printf '\036` + token + `:%d\036' "$?"`)
	return "sh -c " + quote(inner.String())
}

// quote makes one word of a shell of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// sentinel takes what the wrapper says out of the output. What another program prints is not taken for it: nobody else knows the token.
type sentinel struct {
	token string
	plain bool // the output goes to no terminal: its line ends become those of files again
	held  []byte
	cr    bool

	begun bool
	ended bool
	code  int
}

// filter takes a piece of the output and returns what is to be shown.
func (s *sentinel) filter(data []byte) []byte {
	if s.ended {
		return nil
	}
	s.held = append(s.held, data...)
	var out []byte
	for len(s.held) > 0 && !s.ended {
		i := bytes.IndexByte(s.held, mark)
		if i < 0 {
			out, s.held = append(out, s.held...), nil
			break
		}
		out, s.held = append(out, s.held[:i]...), s.held[i:]
		said, rest, complete := s.said()
		if !complete {
			break
		}
		switch said {
		case "":
			out, s.held = append(out, mark), rest
		case "begin":
			s.begun, s.held = true, rest
		default:
			s.code, _ = strconv.Atoi(said)
			s.ended, s.held = true, nil
		}
	}
	return s.lines(out)
}

// said reads what begins with a mark: what the wrapper says, or nothing where it is not the wrapper's. It is incomplete while it could
// still become the wrapper's.
func (s *sentinel) said() (said string, rest []byte, complete bool) {
	head := string(mark) + s.token + ":"
	if len(s.held) < len(head) {
		return "", s.held[1:], !strings.HasPrefix(head, string(s.held))
	}
	if string(s.held[:len(head)]) != head {
		return "", s.held[1:], true
	}
	word := s.held[len(head):]
	end := bytes.IndexByte(word, mark)
	if end < 0 {
		return "", s.held[1:], len(word) > 5 // the longest is "begin"
	}
	text := string(word[:end])
	if _, err := strconv.ParseUint(text, 10, 8); err != nil && text != "begin" {
		return "", s.held[1:], true
	}
	return text, word[end+1:], true
}

// rest is what was held back when the output ended.
func (s *sentinel) rest() []byte {
	out := s.lines(s.held)
	s.held = nil
	if s.cr {
		s.cr = false
		out = append(out, '\r')
	}
	return out
}

// lines undoes what a terminal makes of line ends.
func (s *sentinel) lines(data []byte) []byte {
	if !s.plain || len(data) == 0 {
		return data
	}
	out := make([]byte, 0, len(data)+1)
	for _, b := range data {
		if s.cr && b != '\n' {
			out = append(out, '\r')
		}
		if s.cr = b == '\r'; !s.cr {
			out = append(out, b)
		}
	}
	return out
}
