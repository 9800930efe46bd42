package action

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Output is one value on its way out, secrets redacted.
type Output struct {
	Name string
	Text string          // as a workflow gets it
	JSON json.RawMessage // as --json prints it
}

// outputsOf encodes the outputs, secrets redacted, in the order of the struct.
func outputsOf(out reflect.Value, fields []Field, redact func(string) string) []Output {
	outputs := make([]Output, 0, len(fields))
	for _, f := range fields {
		text, value := encode(out.FieldByIndex(f.index))
		outputs = append(outputs, Output{
			Name: f.Name,
			Text: redact(text),
			JSON: json.RawMessage(redactJSON(value, redact)),
		})
	}
	return outputs
}

// encode returns a value as text and as JSON. A duration is a number of seconds; what is not known is empty and null.
func encode(v reflect.Value) (text string, document []byte) {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", []byte("null")
		}
		v = v.Elem()
	}
	switch value := v.Interface().(type) {
	case time.Duration:
		text = strconv.FormatFloat(value.Round(time.Millisecond).Seconds(), 'f', -1, 64)
		return text, []byte(text)
	case json.RawMessage:
		if len(value) == 0 {
			return "", []byte("null")
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return string(value), quoteJSON(string(value))
		}
		return compact.String(), compact.Bytes()
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), quoteJSON(v.String())
	case reflect.Bool:
		text = strconv.FormatBool(v.Bool())
	case reflect.Int:
		text = strconv.FormatInt(v.Int(), 10)
	default: // a list or a map
		if v.Len() == 0 {
			return "", map[reflect.Kind][]byte{reflect.Slice: []byte("[]"), reflect.Map: []byte("{}")}[v.Kind()]
		}
		document, _ = json.Marshal(v.Interface()) // strings alone: it always marshals
		return string(document), document
	}
	return text, []byte(text)
}

func quoteJSON(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // "&" in a URL stays one that can be read
	_ = e.Encode(s)        // a string always encodes
	return bytes.TrimSpace(b.Bytes())
}

// redactJSON redacts a document. Where a star would break the syntax (a masked number), the whole becomes a string.
func redactJSON(document []byte, redact func(string) string) []byte {
	if redacted := redact(string(document)); redacted != string(document) {
		if json.Valid([]byte(redacted)) {
			return []byte(redacted)
		}
		return quoteJSON(redacted)
	}
	return document
}

// WriteOutputs appends the outputs to the file that the runner reads when the step ends, in one write.
func WriteOutputs(file string, outputs []Output) error {
	var b strings.Builder
	for _, o := range outputs {
		entry, err := fileCommand(o.Name, o.Text, rand.Text)
		if err != nil {
			return err
		}
		b.WriteString(entry)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the file of the outputs, GITHUB_OUTPUT: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(b.String()); err != nil {
		return fmt.Errorf("write the outputs to GITHUB_OUTPUT: %w", err)
	}
	return f.Close()
}

// fileCommand spells NAME and VALUE for the file GITHUB_OUTPUT. A value of several lines goes
// between delimiters; they are random, so that no value can end the block early and set other outputs.
func fileCommand(name, value string, random func() string) (string, error) {
	if !namePattern.MatchString(name) {
		return "", fmt.Errorf("%q is not a name for an output: want lower-case words joined by hyphens", name)
	}
	if !strings.ContainsAny(value, "\r\n") {
		return name + "=" + value + "\n", nil
	}
	for range 3 {
		delimiter := "connect2_" + random()
		if !strings.Contains(value, delimiter) {
			return name + "<<" + delimiter + "\n" + value + "\n" + delimiter + "\n", nil
		}
	}
	return "", fmt.Errorf("output %s: no delimiter is free of the value's text", name)
}

// PrintJSON returns the outputs as one JSON object. A run that failed has its message under "error".
func PrintJSON(outputs []Output, failure string) []byte {
	var b bytes.Buffer
	b.WriteString("{")
	for i, o := range outputs {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n  %s: %s", quoteJSON(o.Name), o.JSON)
	}
	if failure != "" {
		fmt.Fprintf(&b, ",\n  \"error\": %s", quoteJSON(failure))
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}
