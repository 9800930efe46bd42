package terraform

import (
	"errors"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// message is one line of a -json stream. Source: Terraform's documentation, "Machine-Readable UI".
type message struct {
	Level      string
	Message    string
	Type       string
	Diagnostic *tfjson.Diagnostic
	Hook       *hook
}

// hook is what happens to one resource during apply.
type hook struct {
	Resource struct {
		Address string `json:"addr"`
		Type    string `json:"resource_type"`
	} `json:"resource"`
	Action  string `json:"action"`
	IDKey   string `json:"id_key"`
	IDValue string `json:"id_value"`
}

// parseMessage reads a line; ok is false for text that is not a message: Terraform writes a few of its errors plainly.
func parseMessage(line string) (m message, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return m, false
	}
	s := scanner{text: []byte(line)}
	err := s.object(func(name string) error {
		switch name {
		case "@level":
			return s.into(&m.Level)
		case "@message":
			return s.into(&m.Message)
		case "type":
			return s.into(&m.Type)
		case "diagnostic":
			return s.into(&m.Diagnostic)
		case "hook":
			return s.into(&m.Hook)
		}
		_, err := s.raw() // of a planned change, the change: most of the stream of a large plan
		return err
	})
	return m, errors.Join(err, s.end()) == nil && m.Level != ""
}

// colour is a mark of the library that colours OpenTofu's texts. It is left in some messages of -json.
var colour = lazyregexp.New(`\[(reset|bold|dim|underline|red|green|yellow|blue|magenta|cyan|white|light_[a-z]+)\]`)

// text is the message without marks for a terminal's colours, which nothing but messages without a type have.
func (m message) text() string {
	if m.Type != "" {
		return m.Message
	}
	return colour.ReplaceAllString(m.Message, "")
}

// tracker follows an apply, to know at any time what is under way.
type tracker struct {
	underWay map[string]string // address -> action
	done     int
	failed   []CutOff
}

func (t *tracker) see(m message) {
	if m.Hook == nil {
		return
	}
	if t.underWay == nil {
		t.underWay = map[string]string{}
	}
	address := m.Hook.Resource.Address
	switch m.Type {
	case "apply_start":
		t.underWay[address] = m.Hook.Action
	case "apply_complete":
		delete(t.underWay, address)
		t.done++
	case "apply_errored":
		t.failed = append(t.failed, CutOff{address, m.Hook.Action})
		delete(t.underWay, address)
	}
}
