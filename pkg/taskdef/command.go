package taskdef

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// SplitCommand turns the input `command` into the words that ECS passes to the container. A text that begins with [ is a
// JSON array of strings. Anything else is split as a shell would: at white space, with '…' taken literally, "…" with \ as
// an escape for " and \, and \ outside quotes for any character. Nothing is expanded, because no shell is involved: what
// only a shell could do is refused instead of being passed on as words that the program does not expect.
//
// It is written by hand for that refusal, which needs to know what was quoted. The libraries for shell words give the words
// alone: of this package's 20 cases without JSON, go-shellquote gets 9 wrong, go-shellwords and shlex 10 each. They pass
// "&&", ">" and "$HOME" on, or drop what comes behind, and the latter two take \n in "…" for something else.
func SplitCommand(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		return jsonCommand(text)
	}
	s := splitter{rest: []rune(text)}
	words, err := s.words()
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, errors.New("the command is empty")
	}
	return words, nil
}

func jsonCommand(text string) ([]string, error) {
	var words []string
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := decoder.Decode(&words); err != nil {
		return nil, fmt.Errorf("it begins with [ but is not a JSON array of strings: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("there is something behind the JSON array")
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("the JSON array names no program")
	}
	return words, nil
}

// splitter cuts one command line.
type splitter struct {
	rest []rune
	out  []string
	word []rune
	open bool // a word has begun, perhaps an empty one in quotes
	bare bool // and nothing of it was quoted or escaped
}

func (s *splitter) words() ([]string, error) {
	for len(s.rest) > 0 {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if err := s.end(); err != nil {
				return nil, err
			}
		case c == '\'' || c == '"':
			if err := s.quoted(c); err != nil {
				return nil, err
			}
		case c == '\\':
			if len(s.rest) == 0 {
				return nil, errors.New(`it ends with a lone \`)
			}
			s.add(s.rest[0], false)
			s.rest = s.rest[1:]
		case c == '`' || c == '$' && len(s.rest) > 0 && (s.rest[0] == '(' || s.rest[0] == '{' || isName(s.rest[0])):
			return nil, fmt.Errorf("%q would need a shell: write sh -c '…', or quote it to pass it on as it is", string(c)+head(s.rest))
		default:
			s.add(c, true)
		}
	}
	return s.out, s.end()
}

func (s *splitter) add(c rune, bare bool) {
	s.bare = bare && (s.bare || !s.open)
	s.open = true
	s.word = append(s.word, c)
}

// quoted takes what stands up to the closing quote.
func (s *splitter) quoted(quote rune) error {
	s.open, s.bare = true, false
	for len(s.rest) > 0 {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == quote:
			return nil
		case c == '\\' && quote == '"' && len(s.rest) > 0 && (s.rest[0] == '"' || s.rest[0] == '\\'):
			s.word = append(s.word, s.rest[0])
			s.rest = s.rest[1:]
		default:
			s.word = append(s.word, c)
		}
	}
	return fmt.Errorf("a %c is not closed", quote)
}

// end closes the word that is open.
func (s *splitter) end() error {
	if !s.open {
		return nil
	}
	word := string(s.word)
	if s.bare && isOperator(word) {
		return fmt.Errorf("%q would need a shell: write sh -c '… %s …', or quote it to pass it on as a word", word, word)
	}
	s.out = append(s.out, word)
	s.word, s.open, s.bare = nil, false, false
	return nil
}

// isOperator reports whether a shell would read the word as syntax. A program's own argument hardly ever looks like this.
func isOperator(word string) bool {
	switch word {
	case "&&", "||", "|", "&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "(", ")":
		return true
	}
	return strings.HasSuffix(word, ";") || strings.HasPrefix(word, ">") || strings.HasPrefix(word, "2>")
}

func isName(c rune) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func head(rest []rune) string {
	return string(rest[:min(len(rest), 12)])
}
