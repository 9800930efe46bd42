package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// QueryService is a service of the AWS query protocol: form parameters in, XML out.
type QueryService struct {
	Name       string // IAM prefix, "elasticloadbalancing"
	Version    string // API version, "2015-12-01"
	Namespace  string // XML namespace of the answers
	Flat       bool   // EC2's form: members stand in the response itself, and errors in a list
	Operations map[string]Operation
}

// List is a list in an XML answer: <Name><member>…</member></Name>, present even when empty, as the services write it.
type List[T any] []T

// MarshalXML writes the list with its member elements.
func (l List[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for _, item := range l {
		if err := e.EncodeElement(item, xml.StartElement{Name: xml.Name{Local: "member"}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

func (s *QueryService) writeResult(w http.ResponseWriter, action, requestID string, result any) error {
	var body bytes.Buffer
	fmt.Fprintf(&body, "<%sResponse xmlns=%q>\n", action, s.Namespace)
	encoder := xml.NewEncoder(&body)
	if result == nil {
		result = struct{}{}
	}
	start := xml.StartElement{Name: xml.Name{Local: action + "Result"}}
	if err := encoder.EncodeElement(result, start); err != nil {
		return err
	}
	if s.Flat {
		inner := bytes.TrimSuffix(bytes.TrimPrefix(body.Bytes()[bytes.IndexByte(body.Bytes(), '\n')+1:], []byte("<"+action+"Result>")),
			[]byte("</"+action+"Result>"))
		flat := fmt.Sprintf("<%sResponse xmlns=%q>\n<requestId>%s</requestId>%s\n</%sResponse>\n", action, s.Namespace, requestID, inner, action)
		body.Reset()
		body.WriteString(flat)
	} else {
		fmt.Fprintf(&body, "\n<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>\n</%sResponse>\n", requestID, action)
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body.Bytes())
	return err
}

func (s *QueryService) writeError(w http.ResponseWriter, requestID string, e *Error) {
	fault := "Sender"
	if e.HTTPStatus() >= 500 {
		fault = "Receiver"
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(e.HTTPStatus())
	if s.Flat {
		fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>\n",
			escaped(e.Code), escaped(e.Message), requestID)
		return
	}
	fmt.Fprintf(w, "<ErrorResponse xmlns=%q>\n  <Error>\n    <Type>%s</Type>\n    <Code>%s</Code>\n    <Message>%s</Message>\n"+
		"  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n", s.Namespace, fault, escaped(e.Code), escaped(e.Message), requestID)
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}

// decodeForm fills the struct that v points to from form parameters: Name=value, Name.member.1=value for lists (a plain
// Name.1 is taken too), Name.Member=value for structures.
func decodeForm(form url.Values, v any) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decoding a query request needs a pointer to a struct, not %T", v)
	}
	return decodeFormValue(form, "", target.Elem())
}

func decodeFormValue(form url.Values, name string, target reflect.Value) error {
	switch target.Kind() {
	case reflect.Struct:
		for i := range target.NumField() {
			field := target.Type().Field(i).Name
			if name != "" {
				field = name + "." + field
			}
			if hasParameter(form, field) {
				if err := decodeFormValue(form, field, target.Field(i)); err != nil {
					return err
				}
			}
		}
	case reflect.Slice:
		for i := 1; ; i++ {
			item := name + ".member." + strconv.Itoa(i)
			if !hasParameter(form, item) {
				if item = name + "." + strconv.Itoa(i); !hasParameter(form, item) {
					return nil
				}
			}
			value := reflect.New(target.Type().Elem()).Elem()
			if err := decodeFormValue(form, item, value); err != nil {
				return err
			}
			target.Set(reflect.Append(target, value))
		}
	case reflect.Pointer:
		value := reflect.New(target.Type().Elem())
		if err := decodeFormValue(form, name, value.Elem()); err != nil {
			return err
		}
		target.Set(value)
	case reflect.String:
		target.SetString(form.Get(name))
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(form.Get(name), 10, 64)
		if err != nil {
			return Errorf("MalformedInput", "Value %q at %q is not an integer", form.Get(name), name)
		}
		target.SetInt(n)
	case reflect.Bool:
		b, err := strconv.ParseBool(form.Get(name))
		if err != nil {
			return Errorf("MalformedInput", "Value %q at %q is not a boolean", form.Get(name), name)
		}
		target.SetBool(b)
	default:
		return fmt.Errorf("query parameter %s: kind %s is not supported", name, target.Kind())
	}
	return nil
}

// hasParameter says whether a parameter, or a part of it, was sent.
func hasParameter(form url.Values, name string) bool {
	if form.Has(name) {
		return true
	}
	for key := range form {
		if strings.HasPrefix(key, name+".") {
			return true
		}
	}
	return false
}
