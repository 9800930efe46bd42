package schedule

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// object is a JSON object whose members keep their order and their text.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// UnmarshalJSON reads an object.
func (o *object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	*o = object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		*o = append(*o, member{name.(string), value}) // the name of a member is a text: Token has seen to it
	}
	_, err := d.Token()
	return err
}

// MarshalJSON writes an object.
func (o object) MarshalJSON() ([]byte, error) { return o.json(), nil }

// json is the object's text.
func (o object) json() json.RawMessage {
	var b bytes.Buffer
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quoted(m.name))
		b.WriteByte(':')
		b.Write(m.value)
	}
	return json.RawMessage("{" + b.String() + "}")
}

// quoted writes a text as JSON.
func quoted(text string) json.RawMessage {
	encoded, _ := json.Marshal(text) // any text can be written
	return encoded
}

func (o object) get(name string) json.RawMessage {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// text returns a member that is a text; "" where it is not there, or not one.
func (o object) text(name string) (text string) {
	if json.Unmarshal(o.get(name), &text) != nil {
		return ""
	}
	return text
}

// with returns a copy in which a member has another value, at its place or behind the others.
func (o object) with(name string, value json.RawMessage) object {
	out := slices.Clone(o)
	for i := range out {
		if out[i].name == name {
			out[i].value = value
			return out
		}
	}
	return append(out, member{name, value})
}

// without returns a copy without some members.
func (o object) without(names ...string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return slices.Contains(names, m.name) })
}
